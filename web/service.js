/* service.js - firmware, diagnostics, restart and factory reset. */
import {get, request} from "./api.js";
import {byId, setFacts, setRows, setText} from "./dom.js";
import {dateTime, notDone, number, onLanguage, t} from "./language.js";

let firmware = null, state = null, meterText = () => "";

function drawFirmware() {
  if (!firmware) return;
  const packaged = firmware.ManagedBy === "package-manager";
  const facts = [[t("version"), firmware.Version],
    [t("managedBy"), packaged ? t("managedPackage") : firmware.ManagedBy],
    [t("updateState"), firmware.State === "idle" ? t("updateIdle")
      : [firmware.State, firmware.Progress].filter((part) => part != null).join(", ")]];
  if (firmware.Slots?.length) facts.push([t("slots"), firmware.Slots.map(asText).join("; ")]);
  if (firmware.Result) facts.push([t("result"), asText(firmware.Result)]);
  setFacts(byId("firmware"), facts);
  setText(byId("firmware-advice"), packaged ? t("managedPackageAdvice") : "");
}

const asText = (value) => typeof value === "string" ? value : JSON.stringify(value);

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
  drawFirmware();
  if (!state) return;
  drawMeter();
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
  ]);
  setRows(byId("counters"), Object.entries(state.Counters).map(([name, count]) => [name, count === null ? t("unknown") : number(count)]));
}

async function reset(mode, done) {
  setText(byId("reset-status"), "");
  setText(byId("reset-problem"), "");
  try {
    await request("POST", "/api/v1/reset", {body: {Mode: mode}});
    setText(byId("reset-status"), t(done));
  } catch (problem) {
    setText(byId("reset-problem"), notDone(problem));
  }
}

/* Two steps: open the dialog, and say that it is meant. */
function startFactoryReset({forget, pause, resume}) {
  const dialog = byId("confirm"), sure = byId("confirm-sure"), go = byId("confirm-yes");
  byId("factory").addEventListener("click", () => {
    sure.checked = false;
    go.disabled = true;
    dialog.showModal();
  });
  sure.addEventListener("change", () => go.disabled = !sure.checked);
  byId("confirm-no").addEventListener("click", () => dialog.close());
  go.addEventListener("click", async () => {
    dialog.close();
    pause();
    await reset("factory", "factoryDone");
    resume();
    await forget();
  });
}

/* `describe` says in words what a meter state is; `forget` drops what was typed, after a factory reset; `pause` and
 * `resume` the live values. */
export function startService({describe, ...page}) {
  meterText = describe;
  byId("restart").addEventListener("click", () => reset("soft", "restarting"));
  startFactoryReset(page);
  onLanguage(draw);
}

export async function loadFirmware() {
  firmware = await get("/api/v1/firmware").catch(() => firmware);
  draw();
}

export function showService(now) {
  state = now;
  draw();
}
