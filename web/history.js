/* history.js - the powers of the last hour, in slots of some seconds; null where nothing was measured. */
import {get} from "./api.js";

export const SERIES = ["power_w", "power_l1_w", "power_l2_w", "power_l3_w"];
const SLOTS = 720;

export class History {
  interval_s = 5;
  series = {};
  #slotAt = performance.now();
  #count = 0;

  constructor() {
    for (const key of SERIES) this.series[key] = new Array(SLOTS).fill(null);
  }

  /* Takes over what the gateway remembers. */
  async load() {
    const heard = await get("/api/v1/history");
    this.interval_s = heard.interval;
    for (const key of SERIES) {
      this.series[key] = [...new Array(SLOTS).fill(null), ...heard[key] ?? []].slice(-SLOTS);
    }
    this.#slotAt = performance.now();
    this.#count = 0;
    this.#open(1);
  }

  /* A slot holds the mean of the readings that came in its time. */
  add(reading) {
    const slots = Math.floor((performance.now() - this.#slotAt) / 1000 / this.interval_s);
    if (slots > 0) {
      this.#slotAt += slots * this.interval_s * 1000;
      this.#open(Math.min(slots, SLOTS));
    }
    for (const key of SERIES) {
      const value = reading.values[key], line = this.series[key];
      if (value !== undefined) line[SLOTS - 1] = ((line[SLOTS - 1] ?? 0) * this.#count + value) / (this.#count + 1);
    }
    this.#count++;
  }

  /* The seconds that slot i lies back. */
  secondsAgo(i) {
    return (SLOTS - 1 - i) * this.interval_s;
  }

  #open(slots) {
    for (const key of SERIES) {
      this.series[key].splice(0, slots);
      this.series[key].push(...new Array(slots).fill(null));
    }
    this.#count = 0;
  }
}
