/* banner.js - messages over the whole page, one for each cause: connection, meter, configuration. */
import {byId, element, setText} from "./dom.js";
import {onLanguage, t} from "./language.js";

const causes = new Map();

/* Shows the text `key` for a cause, with the gateway's own English words and a button, if any; no key: nothing. */
export function setBanner(cause, key, {detail = "", action} = {}) {
  causes.set(cause, key ? {key, detail, action} : null);
  draw(cause);
}

function draw(cause) {
  const says = causes.get(cause);
  let banner = byId(`banner-${cause}`);
  if (!says) {
    banner?.remove();
    return;
  }
  if (!banner) {
    banner = element("div", {id: `banner-${cause}`, class: "banner", role: "alert"},
      element("p"), element("p", {class: "detail", lang: "en"}), element("button", {type: "button"}));
    banner.lastElementChild.addEventListener("click", () => causes.get(cause)?.action?.run());
    byId("banners").append(banner);
  }
  const [text, detail, button] = banner.children;
  setText(text, t(says.key));
  setText(detail, says.detail);
  detail.hidden = !says.detail;
  button.hidden = !says.action;
  if (says.action) setText(button, t(says.action.key));
}

onLanguage(() => [...causes.keys()].forEach(draw));
