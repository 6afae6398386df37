/* password.js - another password for the page.  The browser sends the old one until the gateway refuses it. */
import {request} from "./api.js";
import {byId, setText} from "./dom.js";
import {Field} from "./field.js";
import {notDone, onLanguage, t} from "./language.js";
import {addShowButton} from "./secret.js";

/* Long enough to read what happens next. */
const READING_MS = 5000;

/* The lines below the button, as functions: they are said again in another language. */
const said = {status: () => "", problem: () => ""};
let form, old, chosen, again, fields, busy = false;

function say(line, text = () => "") {
  said[line] = text;
  setText(byId(`password-${line}`), text());
}

function setBusy(now) {
  busy = now;
  form.querySelector("[type=submit]").setAttribute("aria-disabled", String(now));
}

function refuse(blamed) {
  say("problem", () => t("refusedForm"));
  fields.find((field) => blamed.includes(field)).focus();
}

/* An empty one would count as a wrong login. */
function findFault() {
  if (!old.value) old.complain("passwordMissing");
  else if (again.value !== chosen.value) again.complain("passwordMismatch");
  else return null;
  return old.value ? again : old;
}

function show(problem) {
  const blamed = [];
  for (const {pointer, detail} of problem.errors) {
    const field = fields.find((one) => one.pointer === pointer);
    field?.complain("refusedField", detail);
    if (field) blamed.push(field);
  }
  if (blamed.length) refuse(blamed);
  else say("problem", () => notDone(problem));
}

/* The live values would come back with the old password, and wrong logins are counted. */
async function change({pause, resume, askAgain}) {
  setBusy(true);
  pause();
  try {
    await request("POST", "/api/v1/password", {body: {OldPassword: old.value, NewPassword: chosen.value}});
  } catch (problem) {
    show(problem);
    setBusy(false);
    resume();
    return;
  }
  form.reset();
  say("status", () => t("passwordChanged"));
  setTimeout(() => {
    setBusy(false);
    askAgain();
  }, READING_MS);
}

/* `pause` and `resume` the live values; `askAgain` makes the browser ask for the password. */
export function startPassword(live) {
  form = byId("form-password");
  form.querySelectorAll("[data-secret]").forEach(addShowButton);
  [old, chosen, again] = fields = [...form.querySelectorAll("[data-secret]")].map((input) => new Field(form, [input]));
  form.addEventListener("input", (event) => {
    fields.find((field) => field.first === event.target)?.absolve();
    if (!busy) say("status");
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (busy) return;
    for (const field of fields) field.absolve();
    Object.keys(said).forEach((line) => say(line));
    const fault = findFault();
    if (fault) refuse([fault]);
    else change(live);
  });
  onLanguage(() => {
    for (const field of fields) field.translate();
    for (const [line, text] of Object.entries(said)) say(line, text);
  });
}
