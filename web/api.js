/* api.js - requests to the gateway.  What goes wrong is a Problem, whatever the reason. */

/* The page's own address without a login somebody may have written into it: fetch refuses such. */
export const url = (path) => location.origin + path;

const TIMEOUT_MS = 15000;

export class Problem extends Error {
  /* status 0: the gateway was not reached */
  constructor(status, {title = "", detail = "", errors = []} = {}, retryAfter_s = 0) {
    super(detail || title || `HTTP ${status}`);
    this.status = status;
    this.errors = Array.isArray(errors) ? errors : [];
    this.retryAfter_s = retryAfter_s;
  }
}

async function problemOf(response) {
  const retryAfter_s = Number(response.headers.get("Retry-After")) || 0;
  const json = /[/+]json\b/.test(response.headers.get("Content-Type") ?? "");
  return new Problem(response.status, json ? await response.json().catch(() => ({})) : {}, retryAfter_s);
}

/* The good answer to a request, or throws a Problem. */
export async function request(method, path, {body, etag} = {}) {
  const headers = {};
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (etag) headers["If-Match"] = etag;
  const how = {method, headers, cache: "no-store", credentials: "same-origin"};
  if (body !== undefined) how.body = JSON.stringify(body);
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), TIMEOUT_MS);
  let response;
  try {
    response = await fetch(url(path), {...how, signal: abort.signal});
  } catch (error) {
    throw new Problem(0, {detail: error.message});
  } finally {
    clearTimeout(timer);
  }
  if (!response.ok) throw await problemOf(response);
  return response;
}

/* As request(), of a file, which is not read into memory; `hear` is told its share that is sent: 0 to 1. */
export function upload(path, file, hear) {
  return new Promise((resolve, reject) => {
    const asked = new XMLHttpRequest(); // fetch() does not tell how far it is
    asked.open("POST", url(path));
    asked.setRequestHeader("Content-Type", "application/octet-stream");
    asked.upload.onprogress = ({loaded, total}) => hear(loaded / total);
    asked.onerror = asked.onabort = () => reject(new Problem(0));
    asked.onload = async () => {
      const headers = {"Content-Type": asked.getResponseHeader("Content-Type") ?? ""};
      const answer = new Response(asked.response, {status: asked.status, headers});
      if (answer.ok) resolve(answer.json());
      else reject(await problemOf(answer));
    };
    asked.send(file);
  });
}

export const get = async (path) => (await request("GET", path)).json();
