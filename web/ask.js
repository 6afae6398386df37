/* ask.js - what is sent as one request: by a button, or as a form, where what is wrong is said beside its field. */
import {request} from "./api.js";
import {byId, setText} from "./dom.js";
import {Field} from "./field.js";
import {addFileButton} from "./file.js";
import {notDone, onLanguage, t} from "./language.js";

/* Asks for something; what came of it stands in the elements NAME-status and NAME-problem.  True: it is done. */
export async function attempt(name, path, body, done) {
  const say = (status, problem) => {
    setText(byId(`${name}-status`), status);
    setText(byId(`${name}-problem`), problem);
  };
  say("", "");
  try {
    await request("POST", path, {body});
    say(t(done), "");
    return true;
  } catch (problem) {
    say("", notDone(problem));
    return false;
  }
}

export class AskForm {
  #busy = false;
  /* The lines below the buttons, as functions: they are said again in another language. */
  #said = {status: () => "", alert: () => ""};

  #refused;

  /* Calls submit() when the form is sent, unless an answer is awaited; `refused` says that a field is to be corrected. */
  constructor(id, submit, refused = "refusedForm") {
    this.#refused = refused;
    this.node = byId(id);
    this.fields = [...this.node.querySelectorAll(".field :is(input, textarea)")]
      .map((input) => new Field(this.node, [input]));
    this.node.querySelectorAll("textarea").forEach(addFileButton);
    this.node.addEventListener("input", (event) => {
      this.fields.find((field) => field.first === event.target)?.absolve();
      if (!this.#busy) this.say("status");
    });
    this.node.addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.#busy) return;
      this.clear();
      submit();
    });
    onLanguage(() => {
      for (const field of this.fields) field.translate();
      for (const [role, text] of Object.entries(this.#said)) this.say(role, text);
    });
  }

  /* Role: "status" or "alert". */
  say(role, text = () => "") {
    this.#said[role] = text;
    setText(this.node.querySelector(`[role="${role}"]`), text());
  }

  clear() {
    for (const field of this.fields) field.absolve();
    for (const role of Object.keys(this.#said)) this.say(role);
  }

  get busy() {
    return this.#busy;
  }

  set busy(busy) {
    this.#busy = busy;
    this.node.querySelector("[type=submit]").setAttribute("aria-disabled", String(busy));
  }

  /* What is wrong with a field before the gateway is asked. */
  complain(field, key) {
    field.complain(key);
    this.#refuse([field]);
  }

  /* What the gateway said; where no field is blamed in these words. */
  show(problem, words = () => notDone(problem)) {
    const blamed = [];
    for (const {pointer, detail} of problem.errors) {
      const field = this.fields.find((one) => one.pointer === pointer);
      field?.complain("refusedField", detail);
      if (field) blamed.push(field);
    }
    if (blamed.length) this.#refuse(blamed);
    else this.say("alert", words);
  }

  #refuse(blamed) {
    this.say("alert", () => t(this.#refused));
    this.fields.find((field) => blamed.includes(field)).focus();
  }
}
