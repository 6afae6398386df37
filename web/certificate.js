/* certificate.js - what identifies the box to a broker: shown without its key, replaced by one's own, and back. */
import {get, request} from "./api.js";
import {AskForm} from "./ask.js";
import {byId, setFacts, setText} from "./dom.js";
import {copyText, download} from "./file.js";
import {dateTime, onLanguage, t} from "./language.js";

const PATH = "/api/v1/mqtt/certificate";

let form, used = null;

function draw() {
  if (!used) return;
  const own = used.Source === "own", time = dateTime(new Date(used.NotAfter));
  setFacts(byId("certificate-now"), [
    [t("inUse"), t(own ? "certificateOwn" : "certificateDevice")],
    [t("certificateSubject"), used.Subject],
    [t("certificateIssuer"), used.Issuer],
    [t("certificateEnd"), Date.parse(used.NotAfter) < Date.now() ? t("certificateEnded", {time}) : time],
    [t("certificateSha256"), used.SHA256],
    [t("certificateKeySha256"), used.KeySHA256],
  ]);
  setText(byId("certificate"), used.Certificate);
  byId("certificate-back").hidden = !own;
  form.node.inert = false;
}

/* What was typed, a key above all, does not stay in the page. */
async function change(body, done) {
  form.busy = true;
  try {
    used = await (await request("POST", PATH, {body})).json();
    form.node.reset();
    form.say("status", () => t(done));
    draw();
  } catch (problem) {
    form.show(problem);
  } finally {
    form.busy = false;
  }
}

/* Empty ones would mean the device's own. */
function install() {
  const empty = form.fields.find((field) => !field.value);
  if (empty) form.complain(empty, "fillIn");
  else change({Certificate: form.fields[0].value, Key: form.fields[1].value}, "certificateInstalled");
}

export function startCertificate() {
  form = new AskForm("form-certificate", install);
  form.node.inert = true; // until it is known
  byId("certificate-back").lastElementChild.addEventListener("click", () => {
    if (form.busy) return;
    form.clear();
    change({Certificate: null}, "certificateIsBack");
  });
  byId("certificate-get").addEventListener("click",
    () => download("smart-connect-mqtt.pem", "application/x-pem-file", used.Certificate));
  byId("certificate-copy").addEventListener("click", async () => {
    byId("certificate").parentElement.open = true; // there it can be copied by hand
    const said = await copyText(byId("certificate"));
    form.say("status", () => t(said));
  });
  onLanguage(draw);
}

export async function loadCertificate() {
  used = await get(PATH).catch(() => used);
  draw();
}
