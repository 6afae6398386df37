/* confirm.js - asks before something that changes much. */
import {byId, setText} from "./dom.js";

/* True: it is meant.  Title and text are told; `sure` is a sentence to be ticked before, if any. */
export function confirmed({title, text, sure = ""}) {
  const dialog = byId("confirm"), tick = byId("confirm-sure"), go = byId("confirm-yes");
  setText(byId("confirm-title"), title);
  setText(byId("confirm-text"), text);
  setText(go, title);
  setText(tick.nextElementSibling, sure);
  tick.parentElement.hidden = !sure;
  tick.checked = false;
  go.disabled = Boolean(sure);
  tick.onchange = () => go.disabled = !tick.checked;
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((answer) => {
    dialog.addEventListener("close", () => answer(dialog.returnValue === "yes"), {once: true});
  });
}
