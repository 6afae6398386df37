/* live.js - the stream of readings and states.  Whatever ends it, it comes back, and says why it is away. */
import {Problem, request, url} from "./api.js";

/* `state` comes at least every 5 s, so this is silence. */
const SILENCE_MS = 12000;
/* A page nobody looks at gives the session back after this time. */
const HIDDEN_MS = 60000;
const RETRY_MS = [0, 1000, 2000, 5000, 10000];

const patience_ms = (failures) => RETRY_MS[Math.min(failures, RETRY_MS.length - 1)];

export class Live {
  #source = null;
  #heard = 0;
  #failures = 0; /* requests in a row that failed */
  #deaf = 0; /* times in a row that requests did well, but no event came */
  #retry = 0;
  #asking = false;
  #hidden = 0;
  #silent = true; /* since the stream was opened */

  /* on.reading(reading), on.state(state), on.connection(problem): null when a stream begins to speak */
  constructor(on) {
    this.on = on;
    setInterval(() => this.#watch(), 1000);
    addEventListener("online", () => this.retry());
    document.addEventListener("visibilitychange", () => this.#visibility());
    addEventListener("pagehide", () => this.#close());
    addEventListener("pageshow", (event) => event.persisted && this.retry());
    this.#open();
  }

  /* Asks for nothing more, until retry(). */
  pause() {
    this.#close();
  }

  /* Tries at once, if there is no connection. */
  retry() {
    if (!this.#source) this.#ask();
  }

  #open() {
    this.#close();
    this.#heard = performance.now();
    this.#silent = true;
    this.#source = new EventSource(url("/api/v1/live"));
    for (const kind of ["reading", "state"]) {
      this.#source.addEventListener(kind, (event) => this.#hear(kind, JSON.parse(event.data)));
    }
    this.#source.onerror = () => {
      if (this.#source?.readyState === EventSource.CLOSED) this.#ask(); // an answer that is no stream
      else {
        this.#silent = true; // the browser opens it again
        this.on.connection(new Problem(0));
      }
    };
  }

  #close() {
    clearTimeout(this.#retry);
    this.#source?.close();
    this.#source = null;
  }

  #hear(kind, data) {
    this.#heard = performance.now();
    if (this.#silent) {
      this.#silent = false;
      this.#failures = this.#deaf = 0;
      this.on.connection(null);
    }
    this.on[kind](data);
  }

  #watch() {
    if (this.#source && performance.now() - this.#heard > SILENCE_MS) this.#ask();
  }

  /* An EventSource does not tell why it failed; a request does. */
  async #ask() {
    if (this.#asking) return;
    this.#close();
    this.#asking = true;
    try {
      await request("GET", "/api/v1/status");
      this.#failures = 0;
      this.#retry = setTimeout(() => this.#open(), patience_ms(this.#deaf++));
    } catch (problem) {
      this.on.connection(problem);
      if (problem.status === 401) return; // each try would open the browser's login dialog
      const wait_ms = Math.max(patience_ms(++this.#failures), problem.retryAfter_s * 1000);
      this.#retry = setTimeout(() => this.#ask(), wait_ms);
    } finally {
      this.#asking = false;
    }
  }

  #visibility() {
    clearTimeout(this.#hidden);
    if (document.hidden) this.#hidden = setTimeout(() => this.#close(), HIDDEN_MS);
    else this.retry();
  }
}
