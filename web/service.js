/* service.js - diagnostics, restart and factory reset. */
import {attempt} from "./ask.js";
import {confirmed} from "./confirm.js";
import {byId, setFacts, setRows, setText} from "./dom.js";
import {dateTime, number, onLanguage, t} from "./language.js";

let state = null, meterText = () => "";

function drawMeter() {
  const meter = state.Meter;
  setFacts(byId("meter-now"), [
    [t("connectionState"), meterText(meter)],
    [t("input"), meter.Input],
    [t("standard"), meter.Standard?.toUpperCase() ?? t("unknown")],
    [t("version"), meter.Version ?? t("unknown")],
    [t("identification"), meter.Identification || t("unknown")],
    [t("phases"), meter.Phases || t("unknown")],
    [t("staleLimit"), meter.StaleAfter === null ? t("unknown") : `${number(meter.StaleAfter)} s`],
  ]);
}

/* By the gateway's clock, which may never have been set. */
function timeAgo(seconds) {
  return state.Time === null ? t("unknown") : dateTime(new Date(Date.parse(state.Time) - seconds * 1000));
}

function draw() {
  if (!state) return;
  drawMeter();
  const factory = state.Configuration.Factory;
  setFacts(byId("device"), [
    [t("product"), state.Product],
    [t("serial"), state.Serial],
    [t("mac"), state.Mac ?? t("unknown")],
    [t("time"), timeAgo(0)],
    [t("uptime"), timeAgo(state.Uptime)],
    [t("programVersion"), state.Versions.Program],
    [t("configurationVersion"), state.Versions.Configuration],
    [t("revision"), state.Configuration.Revision],
    [t("session"), state.Session.Address ?? t("none")],
    [t("factoryState"), factory == null ? t("unknown") : t(factory ? "yes" : "no")],
  ]);
  setRows(byId("counters"), Object.entries(state.Counters).map(([name, count]) => [name, count === null ? t("unknown") : number(count)]));
}

const reset = (mode, done) => attempt("reset", "/api/v1/reset", {Mode: mode}, done);

async function factoryReset({forget, pause, resume}) {
  if (!await confirmed({title: t("factoryReset"), text: t("factoryConfirm"), sure: t("factorySure")})) return;
  pause();
  await reset("factory", "factoryDone");
  resume();
  await forget();
}

/* `describe` says in words what a meter state is; `forget` drops what was typed, after a factory reset; `pause` and
 * `resume` the live values. */
export function startService({describe, ...page}) {
  meterText = describe;
  byId("restart").addEventListener("click", () => reset("soft", "restarting"));
  byId("factory").addEventListener("click", () => factoryReset(page));
  onLanguage(draw);
}

export function showService(now) {
  state = now;
  draw();
}
