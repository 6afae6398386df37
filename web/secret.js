/* secret.js - a field whose value the gateway does not tell: keep it, replace it, or clear it. */
import {byId, element, setText} from "./dom.js";
import {MASK} from "./field.js";
import {onLanguage, t} from "./language.js";

/* Adds the button that shows what is typed; returns the row of both. */
export function addShowButton(input) {
  const show = element("button", {type: "button", class: "small", "aria-pressed": "false"});
  const row = element("div", {class: "secret"});
  input.replaceWith(row);
  row.append(input, show);
  show.addEventListener("click", () => {
    const shown = input.type === "password";
    input.type = shown ? "text" : "password";
    show.setAttribute("aria-pressed", String(shown));
  });
  onLanguage(() => {
    setText(show, t("secretShow"));
    show.setAttribute("aria-label", t("secretShowOf", {label: input.labels[0].textContent}));
  });
  return row;
}

/* Adds the buttons and the line that says what will happen, before the fields of a form are collected. */
export function addSecretControls(input) {
  const clear = element("button", {type: "button", class: "small"});
  const says = element("p", {class: "hint", id: `${input.id}-secret`});
  const row = addShowButton(input);
  row.append(clear);
  row.after(says);

  /* Nobody can complete a mask: the first keystroke replaces it. */
  input.addEventListener("beforeinput", () => {
    if (input.value === MASK) input.value = "";
  });
  input.addEventListener("focus", () => input.select());
  clear.addEventListener("click", () => {
    input.value = "";
    input.dispatchEvent(new Event("input", {bubbles: true}));
    input.focus();
  });
  onLanguage(() => {
    setText(clear, t("secretClear"));
    clear.setAttribute("aria-label", t("secretClearOf", {label: input.labels[0].textContent}));
  });
}

export function describeSecret(field) {
  const set = field.saved === MASK;
  const key = !field.changed ? (set ? "secretSet" : "secretNone") : field.value === "" ? "secretGone" : "secretNew";
  setText(byId(`${field.first.id}-secret`), t(key === "secretNew" && !set ? "unsaved" : key));
  field.first.parentElement.lastElementChild.disabled = field.value === "";
}
