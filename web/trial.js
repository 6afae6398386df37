/* trial.js - a change of the network: where the gateway will be, and whether the change holds. */
import {get} from "./api.js";
import {byId, element, setText} from "./dom.js";
import {onLanguage, t} from "./language.js";

/* The gateway says how long a trial takes; this is for the time in which it cannot be heard. */
const TRIAL_MS = 60000;
/* Network.State: the change is made, so that reaching the page says something about it. */
const SETTLED = ["link-local", "connected"];

let config, form, state = null, change = null;
/* The network's settings of before, and those that were heard last. */
let before = null, latest = null;

const settings = ({DefaultNetIf, Ethernet, WiFi}) => JSON.stringify([DefaultNetIf, Ethernet, WiFi]);

/* Where to look for it, by name and, where that is known, by address. */
function places() {
  const {IpMode: mode, StaticIPv4: ip} = config.values[config.values.DefaultNetIf];
  const hosts = [`smart-connect-${state.Serial.toLowerCase()}.local`, ...(mode === "Static" ? [ip.IpAddress] : [])];
  return hosts.map((host) => `https://${host}${location.port && `:${location.port}`}/`);
}

/* We are known by an address of the access point's network: it will go, and this page with it. */
function leaves() {
  const point = state.Network.AccessPoint, network = point?.Address.replace(/\d+$/, "");
  return point?.State === "on" && Boolean(state.Session.Address?.includes(network));
}

function begin(more) {
  change = {before, saved: latest, etag: config.etag, leaves: leaves(), ...more};
  byId("trial-links").replaceChildren(...places().map((href) => element("a", {href, text: href})));
}

/* A state that was on its way when the settings were saved has the revision of before. */
function onSaved(pointers) {
  const used = `/${config.values.DefaultNetIf}/`;
  const moves = pointers.some((pointer) => pointer === "/DefaultNetIf" || pointer.startsWith(used));
  if (!moves || !state?.Network.Managed) return;
  begin({revision: state.Configuration.Revision,
    until: form.value("/Network/Rollback") ? performance.now() + TRIAL_MS : undefined});
  draw();
  byId("trial").scrollIntoView({block: "center"});
}

/* A password is not told: where nothing else was changed, any later change of settings means that it is the old one. */
const held = () => config.etag === change.etag || (latest === change.saved && latest !== (change.before ?? latest));

const isNews = ({Configuration: {Revision: revision}}) =>
  revision !== change.revision || performance.now() > change.until;

function drawLeft({end, until}) {
  const seconds = Math.ceil((until - performance.now()) / 1000);
  setText(byId("trial-left"), end || !until ? "" : seconds > 0 ? t("trialLeft", {seconds}) : t("trialOver"));
}

function draw() {
  byId("trial").hidden = !change;
  if (!change) return;
  setText(byId("trial-text"), t(change.end ?? (change.leaves ? "trialLeaves" : "trialMoves")));
  drawLeft(change);
  byId("trial-links").hidden = Boolean(change.end);
  byId("trial-close").hidden = !change.end && Boolean(change.until);
}

export function startTrial(network, settingsOfAll) {
  form = network;
  config = settingsOfAll;
  config.onChange((values) => {
    before = latest;
    latest = settings(values);
  });
  form.addEventListener("saved", (event) => onSaved(event.detail));
  byId("trial-close").addEventListener("click", () => {
    change = null;
    draw();
  });
  setInterval(draw, 1000);
  onLanguage(draw);
}

/* After the settings of this state's revision were heard. */
export function showTrial(now) {
  const trial = now.Network.Trial;
  state = now;
  if (trial) {
    if (!change || change.end) begin();
    change.until = performance.now() + trial.Left * 1000;
    if (SETTLED.includes(now.Network.State)) get("/api/v1/status").catch(() => {}); // so the page is reached
  } else if (change?.until && !change.end && isNews(now)) {
    change.end = held() ? "trialHeld" : "trialReturned";
  }
  draw();
}
