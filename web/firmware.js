/* firmware.js - which system runs here, and an update of it: from a file or an address, to the end of its trial. */
import {get, request, upload} from "./api.js";
import {AskForm} from "./ask.js";
import {confirmed} from "./confirm.js";
import {byId, setFacts, setText} from "./dom.js";
import {dateTime, notDone, number, onLanguage, t} from "./language.js";

const PATH = "/api/v1/firmware";
/* Bytes; the gateway takes no more. */
const MOST = 2 ** 30;
const POLL_MS = 1000;

/* State: what is going on, in words. */
const STATE = {
  receiving: "updateReceiving",
  fetching: "updateFetching",
  checking: "updateChecking",
  installing: "updateInstalling",
  restarting: "updateRestarting",
  installed: "updateInstalled",
  trial: "updateTrial",
};
/* Those that are told by a bar. */
const MOVING = ["receiving", "fetching", "checking", "installing"];
/* Those whose end is told, since nobody waits for an answer. */
const AWAITED = ["fetching", "installing", "restarting", "trial"];
/* Status of a refusal: the lead-in of the gateway's English words. */
const REFUSED = {
  409: "updateNotNow", 413: "updateTooLarge", 422: "updateRefused", 503: "updateAbsent", 507: "updateNoRoom",
};

let firmware = null, forms = [];
/* Percent of the file this page is sending; null: it is sending none. */
let sent = null;
let awaited = false, loading = false;
/* Which program this page belongs to. */
let origin = null;

/* What this page sends it knows best, until all of it is sent. */
const sends = () => sent !== null && (sent < 100 || firmware.State === "idle");
const state = () => sends() ? "receiving" : firmware.State;

/* A word of the gateway's that we have no text for is shown as it is. */
const stateText = (word) => STATE[word] ? t(STATE[word]) : word;

function nowText(word) {
  if (word !== "idle") return stateText(word);
  return awaited && firmware.Result ? t(firmware.Result.Ok ? "updateDone" : "updateFailed") : "";
}

function slotText({Booted: booted, Good: good, Release: release, Installed: time}) {
  return [t(booted ? "slotBooted" : "slotSpare"), t(good ? "slotGood" : "slotBad"), release,
    time && t("slotInstalled", {time: dateTime(new Date(time))})].filter(Boolean).join(", ");
}

function resultFacts(result) {
  if (!result) return [[t("result"), t("none")]];
  const {Ok: ok, From: from, To: to, Reason: reason, Time: time} = result, end = t(ok ? "resultGood" : "resultBad");
  return [
    [t("result"), time ? `${end}, ${dateTime(new Date(time))}` : end],
    [t("resultChange"), `${from ?? t("unknown")} → ${to ?? t("unknown")}`],
    ...(reason ? [[t("resultReason"), reason]] : []),
  ];
}

const packagedFacts = () => [[t("managedBy"), t("managedPackage")], [t("updateState"), t("updateIdle")]];

const ownFacts = () => [
  [t("updateRelease"), firmware.Release ?? t("unknown")],
  [t("updateFloor"), firmware.Floor ?? t("unknown")],
  [t("updateFits"), firmware.Compatible ?? t("unknown")],
  ...firmware.Slots.map((slot) => [t("slot", {name: slot.Boot || slot.Name}), slotText(slot)]),
  ...resultFacts(firmware.Result),
];

/* Without a share the bar says only that something is going on. */
function drawBar(word) {
  const percent = sends() ? sent : firmware.Progress, bar = byId("update-bar");
  byId("update-progress").hidden = !MOVING.includes(word);
  if (percent === null) bar.removeAttribute("value");
  else bar.value = percent;
  setText(byId("update-percent"), percent === null ? "" : `${number(percent)} %`);
}

function drawUpdate() {
  const word = state();
  if (AWAITED.includes(word)) awaited = true;
  setText(byId("update-now"), nowText(word));
  byId("update-now").classList.toggle("problem", word === "idle" && firmware.Result?.Ok === false);
  drawBar(word);
  byId("update-detail").hidden = !firmware.Detail;
  setText(byId("update-detail"), firmware.Detail ?? "");
  for (const form of forms) form.busy = word !== "idle";
}

function draw() {
  if (!firmware) return;
  const packaged = firmware.ManagedBy === "package-manager";
  setFacts(byId("firmware"), [[t("version"), firmware.Version], ...(packaged ? packagedFacts() : ownFacts())]);
  setText(byId("firmware-advice"), packaged ? t("managedPackageAdvice") : "");
  byId("update").hidden = packaged;
  if (!packaged) drawUpdate();
}

/* What runs in the browser came with the program of before. */
function renewPage() {
  const now = `${firmware.Version} ${firmware.Release}`;
  const renewed = origin !== null && origin !== now;
  origin = now;
  if (renewed) location.reload();
}

export async function loadFirmware() {
  if (loading) return;
  loading = true;
  firmware = await get(PATH).catch(() => firmware);
  loading = false;
  if (!firmware) return;
  renewPage();
  draw();
}

/* A broken connection has no status: of a file nothing has changed then. */
function refusal(problem, broken) {
  if (problem.status === 0 && broken) return t(broken);
  return REFUSED[problem.status] ? `${t(REFUSED[problem.status])} ${problem.message}` : notDone(problem);
}

/* Asks before, then begins an update by `send`. */
async function begin(form, name, send, broken) {
  const sure = await confirmed({title: t("updateInstall"), text: t("updateConfirm", {name})});
  if (!sure || form.busy) return; // another one may have begun meanwhile
  awaited = false;
  form.busy = true;
  try {
    firmware = await send();
    form.node.reset();
  } catch (problem) {
    form.show(problem, () => refusal(problem, broken));
    await loadFirmware();
  }
  draw();
}

async function send(file) {
  sent = 0;
  try {
    return await upload(PATH, file, (share) => {
      sent = share * 100;
      draw();
    });
  } finally {
    sent = null;
  }
}

function sendFile() {
  const [form] = forms, file = byId("update-file").files[0];
  const fault = !file ? "updateNoFile" : !file.size ? "updateEmpty" : file.size > MOST ? "updateTooLarge" : null;
  if (fault) form.complain(form.fields[0], fault);
  else begin(form, file.name, () => send(file), "updateBroken");
}

function sendUrl() {
  const form = forms[1], address = form.fields[0].value;
  const ask = async () => (await request("POST", PATH, {body: {Url: address}})).json();
  if (!address) form.complain(form.fields[0], "fillIn");
  else begin(form, address, ask);
}

/* The gateway tells by itself that the state is another; how far it is only when it is asked. */
function poll() {
  if (firmware && sent === null && MOVING.includes(firmware.State) && !document.hidden) loadFirmware();
}

export function startFirmware() {
  forms = [["file", sendFile], ["url", sendUrl]].map(([name, submit]) =>
    new AskForm(`form-update-${name}`, submit, "updateCorrect"));
  setInterval(poll, POLL_MS);
  addEventListener("beforeunload", (event) => {
    if (sent !== null) event.preventDefault();
  });
  onLanguage(draw);
}

export function showFirmware({Firmware: now}) {
  if (!firmware) return;
  const news = now.State !== firmware.State;
  Object.assign(firmware, now);
  draw();
  if (news) loadFirmware();
}

export const restartsBox = () => firmware?.State === "restarting";
