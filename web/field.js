/* field.js - one setting of a form: one input, or the radio buttons of one choice. */
import {byId, element, setText} from "./dom.js";
import {t} from "./language.js";

/* What the API shows in place of a secret that is set. */
export const MASK = "********";

const KINDS = {
  boolean: {read: (text) => text === "true", write: String},
  number: {read: (text) => /^-?\d+$/.test(text) ? Number(text) : NaN, write: String},
  text: {read: (text) => text.trim(), write: (value) => value ?? ""},
  exact: {read: (text) => text, write: (value) => value ?? ""}, // blanks at the ends may matter
};

export class Field {
  #saved;
  #complaint = null;
  #blamed = null;

  constructor(form, inputs) {
    this.form = form;
    this.inputs = inputs;
    this.first = inputs[0];
    this.pointer = this.first.dataset.pointer;
    this.secret = "secret" in this.first.dataset;
    const usual = this.secret ? "exact" : this.first.type === "number" ? "number" : "text";
    this.kind = KINDS[this.first.dataset.kind ?? usual];
    if (this.bearer !== this.first) this.bearer.setAttribute("role", "radiogroup");
    this.#describe(this.bearer);
  }

  /* What carries the complaint: the input, or the group of its radio buttons. */
  get bearer() {
    return this.first.type === "radio" ? this.first.closest("fieldset") : this.first;
  }

  /* What other parts of the form go by. */
  get choice() {
    return String(this.value);
  }

  get value() {
    if (this.first.type === "checkbox") return this.first.checked;
    const input = this.first.type === "radio" ? this.inputs.find((radio) => radio.checked) : this.first;
    return this.kind.read(input?.value ?? "");
  }

  set value(value) {
    const text = this.kind.write(value);
    if (this.first.type === "checkbox") this.first.checked = value === true;
    else if (this.first.type === "radio") for (const radio of this.inputs) radio.checked = radio.value === text;
    else {
      if (this.first.matches("select")) this.offer([text]);
      this.first.value = text;
    }
  }

  /* Adds the choices that a list lacks. */
  offer(values) {
    for (const value of values) {
      if (![...this.first.options].some((option) => option.value === value)) {
        this.first.append(element("option", {value, text: value}));
      }
    }
  }

  get saved() {
    return this.#saved;
  }

  /* Takes over what the gateway has. */
  adopt(value) {
    this.value = value;
    this.#saved = this.value;
  }

  undo() {
    this.value = this.#saved;
  }

  /* A field of a choice that was not made is not seen, so it is not sent either. */
  get hidden() {
    for (let node = this.first; node !== this.form; node = node.parentElement) if (node.hidden) return true;
    return false;
  }

  get changed() {
    return this.#saved !== undefined && !this.hidden && !Object.is(this.value, this.#saved);
  }

  /* The text that says what is wrong before the gateway is asked; null: nothing is. */
  get fault() {
    return this.kind === KINDS.number && !Number.isInteger(this.value) ? "numberNeeded" : null;
  }

  get label() {
    const of = this.bearer.labels?.[0] ?? this.bearer.querySelector("legend");
    return of?.textContent ?? this.pointer;
  }

  /* Shows what is wrong: a text of ours, and the gateway's English words, if any. */
  complain(key, detail = "") {
    this.#blamed = this.bearer;
    this.#complaint ??= this.#makeComplaint();
    this.#complaint.dataset.key = key;
    setText(this.#complaint.lastElementChild, detail);
    this.translate();
    this.#blamed.setAttribute("aria-invalid", "true");
    this.#describe(this.#blamed);
  }

  absolve() {
    if (!this.#complaint) return;
    this.#complaint.remove();
    this.#complaint = null;
    this.#blamed.removeAttribute("aria-invalid");
    this.#describe(this.#blamed);
  }

  translate() {
    if (this.#complaint) setText(this.#complaint.firstElementChild, t(this.#complaint.dataset.key));
  }

  focus() {
    const group = this.bearer.matches("fieldset");
    (group ? this.inputs.find((input) => input.checked) ?? this.first : this.bearer).focus();
  }

  #makeComplaint() {
    const made = element("p", {class: "complaint", id: `${this.#name(this.#blamed)}-complaint`},
      element("span"), " ", element("span", {lang: "en"}));
    const home = this.#blamed.closest(".field, .check") ?? this.#blamed;
    if (home.matches("label")) home.after(made);
    else home.append(made);
    return made;
  }

  #name(bearer) {
    return bearer.id || this.first.name;
  }

  #describe(bearer) {
    const ids = ["hint", "warning", "secret", "complaint"].map((part) => `${this.#name(bearer)}-${part}`);
    const there = ids.filter(byId);
    if (there.length) bearer.setAttribute("aria-describedby", there.join(" "));
    else bearer.removeAttribute("aria-describedby");
  }
}
