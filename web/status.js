/* status.js - the lights, the LED and what is known of the network, from the State of the API. */
import {byId, element, setFacts, setText} from "./dom.js";
import {onLanguage, t} from "./language.js";
import {mqttText} from "./mqtt.js";

/* Meter.State: its text, and what to do about it. */
const METER = {
  "live": ["meterLive"],
  "starting": ["meterStarting"],
  "not-open": ["meterNotOpen", "adviceNotOpen"],
  "ended": ["meterEnded"],
  "no-signal": ["meterNoSignal", "adviceNoSignal"],
  "unreadable": ["meterUnreadable", "adviceUnreadable"],
  "historic": ["meterHistoric", "adviceHistoric"],
  "encrypted": ["meterEncrypted", "adviceEncrypted"],
};

/* Led.State: what it means, and how the LED shows it. */
const LED = {
  "normal": ["ledNormal", "ledColorNormal"],
  "no-meter-data": ["ledNoMeter", "ledColorNoMeter"],
  "no-ip-address": ["ledNoIp", "ledColorNoIp"],
  "no-data-and-no-ip": ["ledNeither", "ledColorNeither"],
};

let state = null;

const list = (values) => values?.length ? values.join(", ") : t("none");

/* A word of the gateway's that we have no text for is shown as it is. */
export const meterText = (meter) => METER[meter.State] ? t(METER[meter.State][0]) : meter.Text || meter.State;

function light(name, ok, text) {
  const row = document.querySelector(`[data-light="${name}"]`);
  row.dataset.ok = String(ok);
  setText(row.lastElementChild, text ?? t(ok === null ? "lightNull" : ok ? "lightGood" : "lightBad"));
}

function drawMeter(meter) {
  const advice = METER[meter.State]?.[1];
  light("Meter", meter.Ok, meterText(meter));
  byId("meter-advice").hidden = !advice;
  if (advice) setText(byId("meter-advice"), t(advice));
  const notes = meter.Notes ?? [];
  byId("meter-notes").hidden = !notes.length;
  byId("meter-notes").replaceChildren(...notes.map((note) => element("li", {text: note})));
}

function drawLed(led) {
  const [meaning, color] = LED[led.State] ?? [];
  for (const node of document.querySelectorAll("[data-led]")) node.dataset.led = led.State;
  for (const node of document.querySelectorAll("[data-led-text]")) setText(node, meaning ? t(meaning) : led.State);
  for (const node of document.querySelectorAll("[data-led-color]")) setText(node, color ? t(color) : led.Color);
}

/* The router, and whether it can be reached, where that is known. */
function gatewayText({Gateway: gateway, GatewayOk: ok}) {
  if (!gateway) return t("none");
  return ok == null ? gateway : t(ok ? "gatewayAnswers" : "gatewaySilent", {gateway});
}

function drawNetwork({Link: link, Network: network}) {
  byId("unmanaged").hidden = network.Managed !== false;
  setFacts(byId("network-now"), [
    [t("activeInterface").replace(/\s*:$/, ""), link.Interface ?? t("none")],
    [t("hostName"), network.HostName ?? t("unknown")],
    [t("localNames"), list(network.LocalNames)],
    [t("addresses"), list(network.Addresses)],
    [t("gateway"), gatewayText(network)],
    [t("dns"), list(network.DNS)],
  ]);
}

function draw() {
  if (!state) {
    for (const node of document.querySelectorAll("[data-led-text]")) setText(node, t("ledUnknown"));
    return;
  }
  setText(byId("serial"), state.Serial);
  drawMeter(state.Meter);
  setText(byId("active-interface"), state.Link.Interface ?? t("none"));
  light("Link", state.Link.Ok);
  light("Network", state.Network.Ok);
  light("Internet", state.Internet.Ok);
  light("MQTT", state.MQTT.Ok, mqttText(state.MQTT));
  drawLed(state.Led);
  drawNetwork(state);
}

export function startStatus() {
  onLanguage(draw);
}

export function showStatus(now) {
  state = now;
  draw();
}
