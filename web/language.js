/* language.js - which language the page speaks, and how it writes texts and numbers. */
const LANGUAGES = ["en", "nl", "fr"];
const KEY = "smart-connect-language";
const listeners = [];
let language = preferred();
let texts = await textsOf(language);

/* The build makes a file for each language of texts.js. */
async function textsOf(wanted) {
  return (await import(`/texts-${wanted}.js`)).TEXTS;
}

/* The browser's first language that we speak, unless the user has chosen one. */
function preferred() {
  const wishes = [stored(), ...navigator.languages ?? [navigator.language]];
  return wishes.map((wish) => wish?.slice(0, 2).toLowerCase()).find((wish) => LANGUAGES.includes(wish)) ?? "en";
}

function stored() {
  try {
    return localStorage.getItem(KEY);
  } catch { // storage is switched off
    return null;
  }
}

/* French sets blanks before its signs; no line may begin with one. */
const unbroken = (text) => text.replace(/ ([:;?!»…])/g, "\u00a0$1").replace(/« /g, "«\u00a0");

/* The text of a key, with {name} filled in from `values`. */
export function t(key, values = {}) {
  return unbroken(texts[key]).replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

/* Why something could not be done: the lead-in is translated, the gateway's own words are English. */
export const notDone = (problem) => `${t("notDone")} ${problem.status === 0 ? t("offline") : problem.message}`;

/* A number as the language writes it, with this many decimals; a minus sign, not a hyphen. */
export function number(value, decimals = 0) {
  const how = {minimumFractionDigits: decimals, maximumFractionDigits: decimals};
  const rounded = Number(value.toFixed(decimals)) + 0; // + 0: there is no minus zero
  return new Intl.NumberFormat(language === "en" ? "en-GB" : language, how).format(rounded).replace("-", "\u2212");
}

export function dateTime(date) {
  return new Intl.DateTimeFormat(language === "en" ? "en-GB" : language,
    {dateStyle: "medium", timeStyle: "short"}).format(date);
}

/* Calls `draw` when the page starts and after each change of language, for texts that are not in the HTML. */
export function onLanguage(draw) {
  listeners.push(draw);
}

function apply() {
  document.documentElement.lang = language;
  for (const node of document.querySelectorAll("[data-text]")) node.textContent = t(node.dataset.text);
  for (const node of document.querySelectorAll("[data-text-attr]")) {
    for (const pair of node.dataset.textAttr.split(" ")) {
      const [attribute, key] = pair.split(":");
      node.setAttribute(attribute, t(key));
    }
  }
  for (const draw of listeners) draw();
}

/* A language whose texts cannot be had is not spoken. */
async function change(select) {
  const wanted = select.value;
  const found = await textsOf(wanted).catch(() => null);
  if (wanted !== select.value) return; // another one was chosen since
  if (!found) {
    select.value = language;
    return;
  }
  texts = found;
  language = wanted;
  try {
    localStorage.setItem(KEY, language);
  } catch { /* then it lasts until the page is closed */ }
  apply();
}

export function startLanguage(select) {
  select.value = language;
  select.addEventListener("change", () => change(select));
  apply();
}
