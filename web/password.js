/* password.js - another password for the page.  The browser sends the old one until the gateway refuses it. */
import {request} from "./api.js";
import {AskForm} from "./ask.js";
import {t} from "./language.js";
import {addShowButton} from "./secret.js";

/* Long enough to read what happens next. */
const READING_MS = 5000;

/* The live values would come back with the old password, and wrong logins are counted. */
async function change(form, [old, chosen], {pause, resume, askAgain}) {
  form.busy = true;
  pause();
  try {
    await request("POST", "/api/v1/password", {body: {OldPassword: old.value, NewPassword: chosen.value}});
  } catch (problem) {
    form.show(problem);
    form.busy = false;
    resume();
    return;
  }
  form.node.reset();
  form.say("status", () => t("passwordChanged"));
  setTimeout(() => {
    form.busy = false;
    askAgain();
  }, READING_MS);
}

/* `pause` and `resume` the live values; `askAgain` makes the browser ask for the password. */
export function startPassword(live) {
  const form = new AskForm("form-password", () => {
    const [old, chosen, again] = form.fields;
    if (!old.value) form.complain(old, "passwordMissing"); // an empty one would count as a wrong login
    else if (again.value !== chosen.value) form.complain(again, "passwordMismatch");
    else change(form, form.fields, live);
  });
  for (const field of form.fields) addShowButton(field.first);
}
