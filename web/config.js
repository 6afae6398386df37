/* config.js - the gateway's settings as last heard, and the way to change them. */
import {request} from "./api.js";

export class Config {
  values = null;
  etag = null;
  #listeners = [];
  #revision;
  #loading = null;
  #busy = Promise.resolve();

  /* Calls listener(values, etag) whenever they are others. */
  onChange(listener) {
    this.#listeners.push(listener);
  }

  /* Asking twice before the answer is asking once. */
  load() {
    this.#loading ??= this.#inTurn(async () => this.#take(await request("GET", "/api/v1/config")))
      .finally(() => this.#loading = null);
    return this.#loading;
  }

  /* Sends a merge patch that holds only if the settings are still those of `etag`. */
  patch(body, etag) {
    return this.#inTurn(async () => this.#take(await request("PATCH", "/api/v1/config", {body, etag})));
  }

  /* The state names a revision: a new one means that somebody, maybe we, changed a setting. */
  async noticeRevision(revision) {
    if (this.values !== null && this.#revision === revision) return;
    await this.load();
    this.#revision = revision;
  }

  async #take(response) {
    const before = this.etag;
    this.values = await response.json();
    this.etag = response.headers.get("ETag");
    if (this.etag === before && before !== null) return;
    for (const listener of this.#listeners) listener(this.values, this.etag);
  }

  /* One request after the other: an answer that overtakes would bring old values back. */
  #inTurn(work) {
    const done = this.#busy.then(work);
    this.#busy = done.catch(() => {});
    return done;
  }
}

/* What a JSON pointer such as /MQTT/Broker names. */
export function at(values, pointer) {
  return pointer.split("/").slice(1).reduce((inner, key) => inner?.[key], values);
}

/* A merge patch from [pointer, value] pairs. */
export function mergePatch(changes) {
  const patch = {};
  for (const [pointer, value] of changes) {
    const keys = pointer.split("/").slice(1);
    const last = keys.pop();
    keys.reduce((inner, key) => inner[key] ??= {}, patch)[last] = value;
  }
  return patch;
}
