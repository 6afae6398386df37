/* form.js - a form of settings: shows them, knows what was changed, saves only that, says what was refused. */
import {byId, element} from "./dom.js";
import {at, mergePatch} from "./config.js";
import {Field} from "./field.js";
import {addFileButton} from "./file.js";
import {onLanguage, t} from "./language.js";
import {addSecretControls, describeSecret} from "./secret.js";

export class SettingsForm extends EventTarget {
  #etag = null;
  #outdated = false;
  #saving = false;
  #said = {status: null, problem: null};

  /* Events: "shown" whenever a value may look different, "saved" with the pointers of what was changed.  `kinds` names
   * the classes of special fields. */
  constructor(id, config, kinds = {}) {
    super();
    this.node = byId(id);
    this.config = config;
    this.node.inert = true; // until there are values
    this.node.querySelectorAll("[data-secret]").forEach(addSecretControls);
    this.fields = this.#collect(kinds);
    this.node.querySelectorAll("textarea").forEach(addFileButton);
    this.#addSaveBar(this.node.querySelector("[data-save]"));
    this.node.addEventListener("submit", (event) => {
      event.preventDefault();
      this.save();
    });
    for (const kind of ["input", "change"]) { // some ways to choose from a list only say "change"
      this.node.addEventListener(kind, (event) => this.#edited(event.target));
    }
    this.node.addEventListener("focusout", () => queueMicrotask(() => this.#catchUp()));
    config.onChange((values, etag) => this.#heard(values, etag));
    onLanguage(() => this.#translate());
  }

  get dirty() {
    return this.fields.some((field) => field.changed);
  }

  field(pointer) {
    return this.fields.find((field) => field.pointer === pointer);
  }

  value(pointer) {
    return this.field(pointer).value;
  }

  async save() {
    if (this.#saving) return;
    this.#clear();
    const changed = this.fields.filter((field) => field.changed);
    const bad = changed.filter((field) => field.fault);
    bad.forEach((field) => field.complain(field.fault));
    if (bad.length) return this.#refuse(bad, []);
    if (!changed.length) return this.#say("status", "nothingChanged");
    this.#busy(true);
    try {
      this.#say("status", "saving");
      await this.#send(mergePatch(changed.map((field) => [field.pointer, field.value])));
      this.#adopt();
      this.#say("status", "saved");
      this.dispatchEvent(new CustomEvent("saved", {detail: changed.map((field) => field.pointer)}));
    } catch (problem) {
      this.#say("status", null);
      this.#show(problem);
    } finally {
      this.#busy(false);
    }
  }

  /* The settings of other forms may have been changed meanwhile: that is no conflict, and #heard() finds out. */
  async #send(patch) {
    const etag = this.#etag;
    try {
      await this.config.patch(patch, etag);
    } catch (problem) {
      if (problem.status === 412) await this.config.load();
      if (this.#etag === etag) throw problem;
      await this.config.patch(patch, this.#etag);
    }
  }

  /* Asks the gateway again, and drops what was typed. */
  async reload() {
    try {
      await this.config.load();
      this.#clear();
      this.#adopt();
      this.#say("status", "loaded");
    } catch (problem) {
      this.#show(problem);
    }
  }

  /* Back to what the gateway has. */
  #adopt() {
    this.#etag = this.config.etag;
    this.#outdated = false;
    this.node.inert = false;
    for (const field of this.fields) field.adopt(at(this.config.values, field.pointer));
    this.#shown();
  }

  /* The settings may have been changed by another form, another page or another program. */
  #heard(values, etag) {
    if (this.#etag === null || !this.#inUse()) this.#adopt();
    else if (this.#same(values)) this.#etag = etag; // other forms' settings: no conflict with ours
    else this.#outdated = true;
  }

  #same(values) {
    return this.fields.every((field) => Object.is(at(values, field.pointer), field.saved));
  }

  #inUse() {
    const focused = document.activeElement;
    return this.dirty || (this.node.contains(focused) && focused.matches("input, select, textarea"));
  }

  /* A change from outside waited for the field to be left. */
  #catchUp() {
    if (this.#outdated && !this.#inUse()) this.#adopt();
  }

  #collect(kinds) {
    const groups = new Map();
    for (const input of this.node.querySelectorAll("[data-pointer]")) {
      groups.set(input.dataset.pointer, [...groups.get(input.dataset.pointer) ?? [], input]);
    }
    return [...groups].map(([pointer, inputs]) => new (kinds[pointer] ?? Field)(this.node, inputs));
  }

  #edited(input) {
    this.fields.find((field) => field.inputs.includes(input))?.absolve();
    this.#say("status", null);
    this.#shown();
  }

  /* Shows the parts that belong to the choices made, the unsaved mark, and what secrets there are. */
  #shown() {
    for (const part of this.node.querySelectorAll("[data-when]")) {
      const [pointer, choices] = part.dataset.when.split("=");
      part.hidden = !choices.split("|").includes(this.field(pointer).choice);
    }
    this.fields.filter((field) => field.secret).forEach(describeSecret);
    const dirty = this.dirty;
    this.mark.hidden = this.undo.hidden = !dirty;
    this.node.classList.toggle("dirty", dirty);
    this.dispatchEvent(new Event("shown"));
  }

  #addSaveBar(home) {
    this.button = element("button", {type: "submit", class: "primary", "data-text": home.dataset.save});
    this.undo = element("button", {type: "button", "data-text": "discard"});
    this.mark = element("span", {class: "mark", "data-text": "unsaved"});
    this.status = element("p", {role: "status"});
    this.problem = element("div", {role: "alert", class: "problem"});
    this.undo.addEventListener("click", () => this.#discard());
    home.append(element("p", {class: "buttons"}, this.button, this.undo, this.mark), this.status, this.problem);
    this.undo.hidden = this.mark.hidden = true;
  }

  #discard() {
    this.#clear();
    if (this.#outdated) this.#adopt();
    for (const field of this.fields) field.undo();
    this.#shown();
    this.#say("status", "discarded");
    this.button.focus();
  }

  #busy(busy) {
    this.#saving = busy;
    this.button.setAttribute("aria-disabled", String(busy));
  }

  #clear() {
    for (const field of this.fields) field.absolve();
    this.#say("status", null);
    this.#say("problem", null);
  }

  #show(problem) {
    if (problem.status === 412) return this.#say("problem", "changedElsewhere", {offer: true});
    if (problem.status === 0) return this.#say("problem", "offline");
    const blamed = [], elsewhere = [];
    for (const {pointer, detail} of problem.errors) {
      const field = this.field(pointer);
      if (!field || field.hidden) elsewhere.push(`${field?.label ?? pointer}: ${detail}`);
      else if (!blamed.includes(field)) {
        field.complain("refusedField", detail);
        blamed.push(field);
      }
    }
    if (blamed.length) this.#refuse(blamed, elsewhere);
    else this.#say("problem", "refused", {detail: elsewhere.join("; ") || problem.message});
  }

  #refuse(blamed, elsewhere) {
    this.#say("problem", "refusedForm", {detail: elsewhere.join("; ")});
    this.fields.find((field) => blamed.includes(field)).focus();
  }

  /* Where: "status" or "problem".  Kept, so that it can be said again in another language. */
  #say(where, key, {detail = "", offer = false} = {}) {
    this.#said[where] = key && {key, detail, offer};
    const parts = key ? [element("span", {text: t(key)})] : [];
    if (detail) parts.push(" ", element("span", {text: detail, lang: "en"}));
    if (offer) parts.push(" ", this.#offerReload());
    this[where].replaceChildren(...parts);
  }

  #offerReload() {
    const button = element("button", {type: "button", text: t("loadCurrent")});
    button.addEventListener("click", async () => {
      await this.reload();
      this.button.focus();
    });
    return button;
  }

  #translate() {
    for (const field of this.fields) field.translate();
    for (const [where, said] of Object.entries(this.#said)) if (said) this.#say(where, said.key, said);
    if (this.#etag !== null) this.#shown();
  }
}
