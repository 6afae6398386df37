/* rtu.js - the RS485 bus: shown where the box has one. */
import {byId, setFacts} from "./dom.js";
import {number, onLanguage, t} from "./language.js";

const LIGHTS = {off: "lightOff", on: "lightOn", blinking: "lightBlinking"};

let form, bus = null;

const lineOf = ({Address, Line}) => `${Address}, ${Line}`;

function facts() {
  const rows = [[t("busPort"), bus.Problem ? `${bus.Port}: ${bus.Problem}` : bus.Port]];
  if (bus.Hint) rows.push([t("termination"), bus.Hint]);
  rows.push([t("inUse"), lineOf(bus.Active)]);
  if (bus.AfterReboot) rows.push([t("busAfterReboot"), lineOf(bus.AfterReboot)]);
  for (const name of ["PWR", "P1", "485"]) rows.push([name, t(LIGHTS[bus.Leds[name]])]);
  return [...rows, [t("requests"), number(bus.Counters.requests)]];
}

function draw() {
  if (bus) setFacts(byId("bus-now"), facts());
}

export function startRtu(settings) {
  form = settings;
  onLanguage(draw);
}

export function showRtu(state) {
  bus = state.RTU;
  form.field("/RTU/MeterType").offer(state.Modbus.Maps ?? []);
  byId("bus").hidden = !bus;
  draw();
}
