/* status.js - the lights, the LED and the button, from the State of the API. */
import {byId, element, setText} from "./dom.js";
import {dateTime, onLanguage, t} from "./language.js";
import {mqttText} from "./mqtt.js";
import {interfaceText, networkText} from "./network.js";

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
  "booting": ["ledBooting", "ledColorBooting"],
  "initialising": ["ledInitialising", "ledColorInitialising"],
  "normal": ["ledNormal", "ledColorNormal"],
  "no-meter-data": ["ledNoMeter", "ledColorNoMeter"],
  "no-ip-address": ["ledNoIp", "ledColorNoIp"],
  "no-data-and-no-ip": ["ledNeither", "ledColorNeither"],
  "access-point": ["accessPoint", "ledColorAccessPoint"],
  "access-point-no-data": ["ledAccessPointNoMeter", "ledColorAccessPointNoMeter"],
};

/* Button.Last: what it did. */
const BUTTON = {"soft-reset": "restartNetwork", "access-point": "accessPoint", "factory-reset": "factoryReset"};

let state = null;

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

function buttonText({Pressed: pressed, Last: last, LastAge: age}) {
  if (pressed) return t("buttonPressed");
  if (!last) return t("buttonUnused");
  return `${t(BUTTON[last])}, ${dateTime(new Date(Date.now() - age * 1000))}`;
}

/* A box may have no button, or one that cannot be read. */
function drawButton(button) {
  byId("button").hidden = !button;
  if (button) setText(byId("button").lastElementChild, buttonText(button));
}

function drawPanel({Led: led, Button: button}) {
  const problems = [led.Problem, button?.Problem].filter(Boolean);
  drawLed(led);
  drawButton(button);
  byId("panel-problem").hidden = !problems.length;
  setText(byId("panel-problem"), problems.join("; "));
}

/* What is wrong with a network that is ours is known. */
function networkLight(network) {
  light("Network", network.Ok, network.Managed && network.Ok === false ? networkText(network) : undefined);
}

function draw() {
  if (!state) {
    for (const node of document.querySelectorAll("[data-led-text]")) setText(node, t("ledUnknown"));
    return;
  }
  setText(byId("serial"), state.Serial);
  drawMeter(state.Meter);
  setText(byId("active-interface"), interfaceText(state));
  light("Link", state.Link.Ok);
  networkLight(state.Network);
  light("Internet", state.Internet.Ok);
  light("MQTT", state.MQTT.Ok, mqttText(state.MQTT));
  drawPanel(state);
}

export function startStatus() {
  onLanguage(draw);
}

export function showStatus(now) {
  state = now;
  draw();
}
