/* values.js - what the meter says now: power with its direction, phases, energies, meters behind it. */
import {byId, setFacts, setText} from "./dom.js";
import {dateTime, number, onLanguage, t} from "./language.js";

const PHASES = ["l1", "l2", "l3"];
const MEDIA = [2, 3, 4, 6, 7, 10];

let reading = null;
/* The age in seconds at a moment of the page's clock; null before the first telegram. */
let age = null, ageAt = 0;

const decimalsOf = (value, most) => Math.min(most, (String(value).split(".")[1] ?? "").length);
const shown = (value, decimals) => value === undefined ? "–" : number(value, decimals);
const kwh = (wh) => `${number(wh / 1000, 3)} kWh`;

/* One value per phase and quantity; a delta grid has no phase voltages but line-to-line ones, see lineFacts(). */
const ROWS = {
  power: (v, phase) => shown(v[`power_${phase}_w`], 0),
  voltage: (v, phase) => shown(v[`voltage_${phase}_v`], 1),
  current: (v, phase) => shown(v[`current_${phase}_a`], Math.max(1, decimalsOf(v[`current_${phase}_a`], 2))),
};

function drawPower(v) {
  const power = v.power_w;
  const way = power === undefined ? null : power > 0 ? "importing" : power < 0 ? "exporting" : "balanced";
  setText(byId("total-power"), shown(power, 0));
  setText(byId("direction"), way ? t(way) : "");
  byId("values").dataset.way = way ?? "";
}

function drawPhases(v, phases) {
  const table = byId("phases");
  table.dataset.phases = phases;
  for (const [row, cell] of Object.entries(ROWS)) {
    PHASES.forEach((phase, i) => setText(table.querySelector(`[data-row="${row}"]`).cells[i + 1], cell(v, phase)));
  }
  const most = Math.max(1000, ...PHASES.map((phase) => Math.abs(v[`power_${phase}_w`] ?? 0)));
  table.querySelectorAll(".bar i").forEach((bar, i) => {
    const power = v[`power_${PHASES[i]}_w`] ?? 0;
    bar.className = power < 0 ? "export" : "import";
    bar.style.width = `${Math.abs(power) / most * 50}%`;
  });
}

function lineFacts({grid, values: v}) {
  if (grid !== "delta") return [];
  return [["l12", "L1–L2"], ["l32", "L3–L2"], ["l31", "L3–L1"]].map(([key, lines]) => {
    const volts = v[`voltage_${key}_v`];
    return [t("lineVoltage", {lines}), volts === undefined ? t("unknown") : `${number(volts, 1)} V`];
  });
}

function energyFacts(v) {
  const facts = [];
  for (const [way, text] of [["import", "energyImport"], ["export", "energyExport"]]) {
    if (v[`energy_${way}_wh`] !== undefined) facts.push([t(text), kwh(v[`energy_${way}_wh`])]);
    for (const tariff of [1, 2, 3, 4]) {
      const wh = v[`energy_${way}_t${tariff}_wh`];
      if (wh !== undefined) facts.push([t(`${text}Tariff`, {tariff}), kwh(wh)]);
    }
  }
  for (let i = 1; i <= 10; i++) {
    const tariff = String(i).padStart(2, "0"), wh = v[`energy_supplier_${tariff}_wh`];
    if (wh) facts.push([t("energySupplier", {tariff}), kwh(wh)]);
  }
  return facts;
}

function otherFacts(v) {
  const facts = [];
  const watts = (key, text) => v[key] !== undefined && facts.push([t(text), `${number(v[key])} W`]);
  if (v.tariff !== undefined) facts.push([t("tariff"), v.tariff]);
  watts("demand_quarter_w", "demandQuarter");
  watts("demand_month_peak_w", "demandPeak");
  if (v.contract_power_kva !== undefined) facts.push([t("contractPower"), `${number(v.contract_power_kva)} kVA`]);
  return facts;
}

function mbusFacts(mbus) {
  return Object.entries(mbus ?? {}).filter(([, meter]) => meter.value != null).map(([channel, meter]) => {
    const name = MEDIA.includes(meter.medium) ? t(`medium${meter.medium}`) : t("mediumOther", {channel});
    const unit = {m3: "m³"}[meter.unit] ?? meter.unit;
    const read = meter.ts ? `, ${t("readAt", {time: dateTime(new Date(meter.ts * 1000))})}` : "";
    return [name + read, `${number(meter.value, decimalsOf(meter.value, 3))} ${unit}`];
  });
}

/* Texts come from the meter: anybody's words. */
function messageFacts(texts) {
  return Object.entries(texts ?? {}).filter(([key]) => /^message(_\d)?$/.test(key))
    .map(([, text]) => [t("message"), text]);
}

function draw() {
  drawAge();
  if (!reading) {
    setFacts(byId("energies"), [[t("ageNever"), t("noReadings")]]);
    return;
  }
  drawPower(reading.values);
  drawPhases(reading.values, reading.phases);
  setFacts(byId("energies"), [...lineFacts(reading), ...energyFacts(reading.values), ...otherFacts(reading.values),
    ...mbusFacts(reading.mbus), ...messageFacts(reading.texts)]);
}

function drawAge() {
  const seconds = age === null ? null : age + (performance.now() - ageAt) / 1000;
  setText(byId("data-age"), seconds === null ? t("ageNever") : t("age", {seconds: number(seconds, 0)}));
}

export function startValues() {
  onLanguage(draw);
  setInterval(drawAge, 1000);
}

/* A telegram after the first one heard is new now; how old the first is, the state says. */
export function showReading(now) {
  const fresh = reading && now.sequence !== reading.sequence;
  reading = now;
  if (fresh) setAge(0);
  draw();
}

export function setAge(seconds) {
  age = seconds ?? null;
  ageAt = performance.now();
  drawAge();
}

export function setStale(stale) {
  byId("values").classList.toggle("stale", stale);
}
