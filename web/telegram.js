/* telegram.js - the latest telegram, as the meter sent it. */
import {request} from "./api.js";
import {byId, setText} from "./dom.js";
import {copyText} from "./file.js";
import {dateTime, notDone, t} from "./language.js";

const say = (text) => setText(byId("telegram-status"), text);

async function show() {
  try {
    const bytes = await (await request("GET", "/api/v1/telegram")).arrayBuffer();
    byId("telegram").textContent = new TextDecoder("latin1").decode(bytes);
    byId("telegram").hidden = byId("telegram-copy").hidden = false;
    say(t("telegramShown", {time: dateTime(new Date()), bytes: bytes.byteLength}));
  } catch (problem) {
    say(problem.status === 404 ? t("telegramNone") : notDone(problem));
  }
}

export function startTelegram() {
  byId("telegram-get").addEventListener("click", show);
  byId("telegram-copy").addEventListener("click", async () => say(t(await copyText(byId("telegram")))));
}
