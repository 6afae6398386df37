/* file.js - texts that come from a file, or leave the page: as a file, or by the clipboard. */
import {element, setText} from "./dom.js";
import {onLanguage, t} from "./language.js";

/* Bytes; more than any text the gateway takes, so that it says what is wrong with a longer one. */
const MOST = 20000;

/* No text holds NUL, and no JSON of the gateway's: what is no text is left for it to refuse. */
async function read(file) {
  return (await file.slice(0, MOST).text()).replaceAll("\0", "\ufffd");
}

/* Adds the button that fills a text from a file. */
export function addFileButton(input) {
  const chooser = element("input", {type: "file", hidden: ""});
  const button = element("button", {type: "button", class: "small"});
  input.after(element("p", {class: "buttons"}, button, chooser));
  button.addEventListener("click", () => chooser.click());
  chooser.addEventListener("change", async () => {
    if (!chooser.files.length) return;
    input.value = await read(chooser.files[0]);
    chooser.value = ""; // the same file may be chosen again
    input.dispatchEvent(new Event("input", {bubbles: true}));
  });
  onLanguage(() => {
    setText(button, t("fileChoose"));
    button.setAttribute("aria-label", t("fileChooseFor", {label: input.labels[0].textContent}));
  });
}

export function download(name, type, text) {
  const link = element("a", {href: URL.createObjectURL(new Blob([text], {type})), download: name});
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

/* Copies what an element says; returns the text to say then: where the browser refuses, it is selected. */
export async function copyText(node) {
  try {
    await navigator.clipboard.writeText(node.textContent);
    return "copied";
  } catch {
    getSelection().selectAllChildren(node);
    return "copyByHand";
  }
}
