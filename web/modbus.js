/* modbus.js - does the word order fit the charger?  And who is connected. */
import {byId, setFacts, setRows, setText} from "./dom.js";
import {number, onLanguage, t} from "./language.js";

const EXAMPLE_A = 16;

let form, state = null, current;

/* The two registers of a float, high word first. */
function words(value) {
  const view = new DataView(new ArrayBuffer(4));
  view.setFloat32(0, value);
  return [view.getUint16(0), view.getUint16(2)];
}

/* What a master makes of two registers when it takes them in the other order. */
function misread(value) {
  const view = new DataView(new ArrayBuffer(4));
  const [high, low] = words(value);
  view.setUint16(0, low);
  view.setUint16(2, high);
  return view.getFloat32(0);
}

const hex = (word) => word.toString(16).toUpperCase().padStart(4, "0");

/* That of the real meter is told for each map; before that is known, all of them are like the usual one. */
function chosenOrder() {
  const order = form.value("/Modbus/WordOrder");
  return order !== "meter" ? order : state?.Modbus.MeterOrders[form.value("/MeterType")] ?? "swapped";
}

function asSent(value) {
  const [high, low] = words(value).map(hex);
  return chosenOrder() === "swapped" ? `${low} ${high}` : `${high} ${low}`;
}

/* As a charger shows amperes; what it cannot show is told as it is. */
function asShown(value) {
  if (!Number.isFinite(value)) return t("notANumber");
  const size = Math.abs(value);
  if (size !== 0 && size < 0.05) return t("shownAsZero", {value: value.toPrecision(2)});
  return size < 1e6 ? `${number(value, 1)} A` : `${value.toPrecision(2)} A`;
}

function drawExample() {
  const values = [EXAMPLE_A, current];
  const row = (key, write) => [t(key), ...values.map((value) => value === undefined ? "–" : write(value))];
  setText(byId("example-fixed"), asShown(EXAMPLE_A));
  setRows(byId("example"), [row("sentBytes", asSent), row("orderFits", asShown),
    row("orderWrong", (value) => asShown(misread(value)))]);
  setText(byId("example-live").firstElementChild, current === undefined ? t("exampleNoLive")
    : state?.Meter.Stale ? t("exampleStale") : t("exampleLive", {value: asShown(current)}));
}

function drawClients() {
  if (!state) return;
  const modbus = state.Modbus, clients = modbus.Clients ?? [];
  setFacts(byId("modbus-now"), [[t("listening"), modbus.Address ?? t("none")], [t("map"), modbus.Map]]);
  byId("client-table").hidden = !clients.length;
  byId("no-clients").hidden = clients.length > 0;
  setRows(byId("client-table").tBodies[0],
    clients.map((client) => [client.Address, number(client.Requests), `${number(client.Idle, 1)} s`]));
  setText(byId("last-refusal"), modbus.LastRefusal || t("none"));
}

export function startModbus(settings) {
  form = settings;
  form.addEventListener("shown", drawExample);
  onLanguage(() => {
    drawExample();
    drawClients();
  });
}

export function showModbus(now) {
  state = now;
  form.field("/MeterType").offer(now.Modbus.Maps ?? []);
  drawExample();
  drawClients();
}

export function showCurrent(reading) {
  current = reading.values.current_l1_a;
  drawExample();
}
