/* chart.js - the last hour as a drawing, with a description and a table for those who cannot see it. */
import {byId, element, setRows, setText, svg} from "./dom.js";
import {SERIES} from "./history.js";
import {number, onLanguage, t} from "./language.js";

const HEIGHT = 240, LEFT = 52, RIGHT = 10, TOP = 14, BOTTOM = 26;
/* Slow meters leave slots empty: only a longer gap breaks the line. */
const GAP_S = 35;
const ROWS_MIN = 5;
const NAMES = {power_l1_w: "L1", power_l2_w: "L2", power_l3_w: "L3"};

const minutesAgo = (minutes) => `−${minutes} min`;
const name = (key) => NAMES[key] ?? t("total");

/* About four round steps between the extremes, 0 among them. */
function scale(values) {
  const low = Math.min(0, ...values), high = Math.max(0, ...values);
  const raw = Math.max(high - low, 100) / 4, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].find((m) => m * power >= raw) * power;
  const from = Math.floor(low / step) * step, to = Math.max(Math.ceil(high / step) * step, from + step);
  return {from, to, step};
}

export class Chart {
  #hidden = new Set();
  #pointed = null;
  #width = 0;

  constructor(history) {
    this.history = history;
    this.home = byId("chart");
    this.svg = svg("svg", {role: "img"});
    this.home.append(this.svg);
    this.buttons = new Map(SERIES.map((key) => [key, this.#makeButton(key)]));
    this.home.addEventListener("pointermove", (event) => this.#point(event));
    this.home.addEventListener("pointerleave", () => this.#point(null));
    new ResizeObserver(([entry]) => {
      this.#width = Math.round(entry.contentRect.width);
      this.draw();
    }).observe(this.home);
    byId("chart-table").addEventListener("toggle", () => this.#drawTable());
    onLanguage(() => this.draw());
  }

  /* Not seen: not drawn. */
  draw() {
    if (this.#width < 100) return;
    const keys = SERIES.filter((key) => this.history.series[key].some((value) => value !== null));
    const visible = keys.filter((key) => !this.#hidden.has(key));
    const {from, to, step} = scale(visible.flatMap((key) => this.history.series[key].filter((v) => v !== null)));
    const last = this.history.series.power_w.length - 1;
    const x = (i) => LEFT + (this.#width - LEFT - RIGHT) * i / last;
    const y = (value) => TOP + (HEIGHT - TOP - BOTTOM) * (to - value) / (to - from);
    this.svg.setAttribute("viewBox", `0 0 ${this.#width} ${HEIGHT}`);
    this.svg.setAttribute("aria-label", this.#description());
    this.svg.replaceChildren(...this.#grid(from, to, step, x, y), ...this.#times(x, last),
      ...(keys.length ? [] : [this.#nothing()]),
      ...(visible.includes("power_w") ? this.#areas(x, y) : []),
      ...[...visible].reverse().map((key) => svg("path", {class: `line ${key}`, d: this.#path(key, x, y)})),
      ...this.#pointer(x));
    this.#drawLegend(keys);
    this.#drawTable();
  }

  #description() {
    const values = this.history.series.power_w.filter((value) => value !== null);
    if (!values.length) return `${t("lastHour")}: ${t("chartEmpty")}`;
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const said = {low: Math.min(...values), high: Math.max(...values), mean, last: values.at(-1)};
    for (const key of Object.keys(said)) said[key] = number(said[key]);
    return t("chartDescription", said);
  }

  #grid(from, to, step, x, y) {
    const parts = [];
    const kilo = step >= 500;
    for (let value = from; value <= to + step / 2; value += step) {
      const zero = Math.abs(value) < step / 2;
      const text = kilo ? number(value / 1000, step % 1000 ? 1 : 0) : number(value);
      const at = y(value);
      parts.push(svg("line", {class: zero ? "zero" : "grid", x1: LEFT, x2: this.#width - RIGHT, y1: at, y2: at}),
        svg("text", {class: "tick", x: LEFT - 8, y: at + 4, "text-anchor": "end"}, zero ? "0" : text));
    }
    if (from < 0 && to > 0) parts.push(svg("text", {class: "tick", x: LEFT + 4, y: TOP + 14}, `↑ ${t("chartImport")}`));
    if (from < 0) parts.push(svg("text", {class: "tick", x: LEFT + 4, y: y(from) - 6}, `↓ ${t("chartExport")}`));
    return [...parts, svg("text", {class: "tick", x: 2, y: TOP + 4}, kilo ? "kW" : "W")];
  }

  #times(x, last) {
    const parts = [];
    const hour = last * this.history.interval_s / 60;
    const minutes = this.#width < 480 ? 30 : 15;
    for (let ago = 0; ago <= hour + 1; ago += minutes) {
      const at = x(last - Math.min(ago * 60 / this.history.interval_s, last));
      const anchor = ago === 0 ? "end" : ago + minutes > hour + 1 ? "start" : "middle";
      parts.push(svg("text", {class: "tick", x: at, y: HEIGHT - 6, "text-anchor": anchor},
        ago ? minutesAgo(ago) : t("now")));
    }
    return parts;
  }

  #nothing() {
    const middle = {class: "tick", x: this.#width / 2, y: HEIGHT / 2 - 12, "text-anchor": "middle"};
    return svg("text", middle, t("chartEmpty"));
  }

  /* The stretches of slots between gaps. */
  #stretches(key) {
    const values = this.history.series[key], patience = GAP_S / this.history.interval_s;
    const stretches = [];
    let before = -Infinity;
    values.forEach((value, i) => {
      if (value === null) return;
      if (i - before > patience) stretches.push([]);
      stretches.at(-1).push([i, value]);
      before = i;
    });
    return stretches;
  }

  #path(key, x, y) {
    const spot = ([i, value]) => `${x(i).toFixed(1)} ${y(value).toFixed(1)}`;
    return this.#stretches(key)
      .map((points) => `M${points.map(spot).join("L")}${points.length === 1 ? "h.1" : ""}`).join("");
  }

  /* Between the line and zero: import above, export below. */
  #areas(x, y) {
    const area = (clamp) => this.#stretches("power_w").map((points) => `M${x(points[0][0]).toFixed(1)} ${y(0)}L`
      + points.map(([i, v]) => `${x(i).toFixed(1)} ${y(clamp(v)).toFixed(1)}`).join("L")
      + `V${y(0)}Z`).join("");
    return [svg("path", {class: "area import", d: area((v) => Math.max(v, 0))}),
      svg("path", {class: "area export", d: area((v) => Math.min(v, 0))})];
  }

  #pointer(x) {
    return this.#pointed === null ? []
      : [svg("line", {class: "pointer", x1: x(this.#pointed), x2: x(this.#pointed), y1: TOP, y2: HEIGHT - BOTTOM})];
  }

  #point(event) {
    const last = this.history.series.power_w.length - 1;
    const at = event && (event.clientX - this.home.getBoundingClientRect().left - LEFT) / (this.#width - LEFT - RIGHT);
    this.#pointed = event && at >= 0 && at <= 1 ? Math.round(at * last) : null;
    this.draw();
  }

  #makeButton(key) {
    const button = element("button", {type: "button", "aria-pressed": "true", class: key},
      element("i", {"aria-hidden": "true"}), element("b"), element("span"));
    button.addEventListener("click", () => {
      const shown = this.#hidden.delete(key);
      if (!shown) this.#hidden.add(key);
      button.setAttribute("aria-pressed", String(shown));
      this.draw();
    });
    byId("legend").append(button);
    return button;
  }

  /* The values of the moment pointed at, or the latest. */
  #drawLegend(keys) {
    for (const [key, button] of this.buttons) {
      const values = this.history.series[key];
      const value = this.#pointed === null ? values.findLast((v) => v !== null) : values[this.#pointed];
      button.hidden = !keys.includes(key);
      setText(button.children[1], name(key));
      setText(button.children[2], value == null ? "–" : `${number(value)} W`);
    }
    const ago = this.#pointed === null ? 0 : Math.round(this.history.secondsAgo(this.#pointed) / 60);
    setText(byId("chart-title"), ago ? `${t("lastHour")} (${minutesAgo(ago)})` : t("lastHour"));
  }

  #drawTable() {
    const details = byId("chart-table");
    if (!details.open) return;
    const home = details.lastElementChild;
    if (!home.firstElementChild) {
      home.append(element("table", {class: "list"}, element("caption", {class: "visually-hidden"}),
        element("thead", {}, element("tr")), element("tbody")));
    }
    const table = home.firstElementChild, slots = ROWS_MIN * 60 / this.history.interval_s;
    setText(table.caption, `${t("lastHour")} (W)`);
    table.tHead.rows[0].replaceChildren(...[t("minutesAgo"), ...SERIES.map((key) => `${name(key)} (W)`)]
      .map((text) => element("th", {scope: "col", text})));
    const rows = [];
    for (let end = this.history.series.power_w.length; end > 0; end -= slots) {
      const ago = rows.length * ROWS_MIN;
      rows.push([`${ago}–${ago + ROWS_MIN}`, ...SERIES.map((key) => {
        const values = this.history.series[key].slice(Math.max(0, end - slots), end).filter((v) => v !== null);
        return values.length ? number(values.reduce((a, b) => a + b, 0) / values.length) : "–";
      })]);
    }
    setRows(table.tBodies[0], rows);
  }
}
