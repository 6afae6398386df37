/* wifi.js - the Wi-Fi networks in reach, to choose one from. */
import {get} from "./api.js";
import {attempt} from "./ask.js";
import {byId, element, setText, svg} from "./dom.js";
import {Field} from "./field.js";
import {dateTime, number, onLanguage, t} from "./language.js";

const PATH = "/api/v1/wifi";
const SSID = "/WiFi/ConnectionData/WiFiSSID", PASSWORD = "/WiFi/ConnectionData/WiFiPassword";
/* Security: its text.  Of these we can join the open ones, and those with WPA2. */
const SECURITY = {open: "wifiOpen", wpa3: "wifiWpa3"};
/* A scan ends after 15 s at the latest. */
const LOOK_MS = 1000, LOOKS = 20;

let form = null, managed = false, accessPoint = false, asked = false, searching = false;
let heard = null, heardAt;

const networks = () => heard?.Networks ?? [];

/* The password of a network that is known to want one cannot be empty. */
export class WifiPasswordField extends Field {
  get fault() {
    const name = form?.field(SSID);
    const wanted = name?.changed && networks().some((one) => one.SSID === name.value && one.Security === "wpa2");
    return wanted && !this.value ? "fillIn" : null;
  }

  get changed() {
    return super.changed || (!this.hidden && this.fault !== null);
  }
}

/* As typing does it. */
function enter(pointer, value) {
  const field = form.field(pointer);
  field.value = value;
  field.first.dispatchEvent(new Event("input", {bubbles: true}));
}

/* A password belongs to its network: that of another one would only fail. */
function choose(ssid) {
  const password = form.field(PASSWORD);
  enter(PASSWORD, ssid === form.field(SSID).saved ? password.saved : "");
  enter(SSID, ssid);
}

function picture(signal, locked) {
  const drawn = svg("svg", {class: "signal", viewBox: "0 0 32 16", "aria-hidden": "true"});
  for (const bar of [1, 2, 3, 4]) {
    drawn.append(svg("path", {d: `M${13 + bar * 4} 14v-${bar * 3}`, class: signal > (bar - 1) * 25 ? "on" : ""}));
  }
  if (locked) drawn.append(svg("path", {class: "lock", d: "M3.5 7V5a2.5 2.5 0 0 1 5 0v2M2 7h8v7H2z"}));
  return drawn;
}

function row({SSID: ssid, Signal: signal, Security: security, Frequency: frequency_mhz}) {
  const radio = element("input", {type: "radio", name: "WifiNetwork", value: ssid});
  const kind = security === "wpa2" ? "WPA2" : t(SECURITY[security] ?? "wifiOther");
  radio.disabled = !["open", "wpa2"].includes(security);
  radio.addEventListener("input", () => choose(ssid)); // before the form hears of it
  const about = [`${number(signal)} %`, kind, ...(frequency_mhz > 3000 ? ["5 GHz"] : [])];
  const text = element("span", {}, element("span", {text: ssid}), element("small", {text: about.join(", ")}));
  return element("label", {}, radio, text, picture(signal, security !== "open"));
}

/* The choice follows what is typed. */
function mark() {
  for (const radio of byId("wifi-list").querySelectorAll("input")) radio.checked = radio.value === form.value(SSID);
}

/* The radio button in use stays so. */
function drawList() {
  const home = byId("wifi-list"), focused = home.contains(document.activeElement) && document.activeElement.value;
  home.replaceChildren(...networks().map(row));
  mark();
  [...home.querySelectorAll("input")].find((radio) => radio.value === focused)?.focus();
}

function draw() {
  byId("wifi-networks").hidden = !managed;
  byId("wifi-search").setAttribute("aria-disabled", String(searching || accessPoint));
  byId("wifi-deaf").hidden = !accessPoint;
  const time = heard?.Age == null ? null : dateTime(new Date(heardAt - heard.Age * 1000));
  setText(byId("wifi-age"), time ? t(networks().length ? "wifiFoundAt" : "wifiNoneAt", {time}) : "");
}

async function look() {
  heard = await get(PATH);
  heardAt = Date.now();
  drawList();
  draw();
}

async function search() {
  if (searching || accessPoint) return;
  searching = true;
  draw();
  if (await attempt("wifi", PATH, {}, "wifiSearching")) {
    for (let i = 0; i === 0 || heard?.Scanning && i < LOOKS; i++) {
      await new Promise((done) => setTimeout(done, LOOK_MS));
      await look().catch(() => {});
    }
    setText(byId("wifi-status"), t("wifiSearched"));
  }
  searching = false;
  draw();
}

/* What was found before is shown once it matters. */
function lookOnce() {
  if (asked || !managed || form.value("/DefaultNetIf") !== "WiFi") return;
  asked = true;
  look().catch(() => {});
}

export function startWifi(settings) {
  form = settings;
  form.addEventListener("shown", () => {
    mark();
    lookOnce();
  });
  byId("wifi-search").addEventListener("click", search);
  onLanguage(() => {
    drawList();
    draw();
  });
}

export function showWifi({Network: network}) {
  managed = network.Managed === true;
  accessPoint = managed && ["starting", "on"].includes(network.AccessPoint?.State);
  draw();
  lookOnce();
}
