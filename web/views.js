/* views.js - one section at a time, named by the address (#network), and the guard of unsaved changes. */
import {byId} from "./dom.js";
import {onLanguage, t} from "./language.js";

const links = () => [...document.querySelectorAll("nav.views a")];

/* Forms by the view they stand in. */
let forms = [];

function show(focus) {
  const wanted = location.hash.slice(1);
  const view = byId(`view-${wanted}`) ? wanted : "status";
  for (const section of document.querySelectorAll(".view")) section.hidden = section.id !== `view-${view}`;
  for (const link of links()) {
    if (link.hash === `#${view}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (!focus) return;
  scrollTo(0, 0);
  byId(`title-${view}`).focus({preventScroll: true});
}

/* A dot, and words for those who do not see it, at each section with unsaved changes. */
function mark() {
  for (const link of links()) {
    const view = byId(`view-${link.hash.slice(1)}`);
    const dirty = forms.some((form) => form.dirty && view.contains(form.node));
    link.classList.toggle("dirty", dirty);
    if (dirty) link.setAttribute("aria-description", t("unsavedIn"));
    else link.removeAttribute("aria-description");
  }
}

export function startViews(all) {
  forms = all;
  for (const form of forms) form.addEventListener("shown", mark);
  onLanguage(mark);
  addEventListener("hashchange", () => show(true));
  addEventListener("beforeunload", (event) => {
    if (!forms.some((form) => form.dirty)) return;
    event.preventDefault();
    event.returnValue = ""; // older browsers
  });
  document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault(); // the address names the section
    byId("content").focus();
  });
  show(false);
}
