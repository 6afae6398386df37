/* mqtt.js - what goes on between the gateway and its broker. */
import {byId, setFacts, setText} from "./dom.js";
import {number, onLanguage, t} from "./language.js";

const STATE = {off: "off", connecting: "connecting", connected: "connected", refused: "mqttRefused"};

let mqtt = null, counters;

/* A word of the gateway's that we have no text for is shown as it is. */
export const mqttText = ({State: state}) => STATE[state] ? t(STATE[state]) : state;

function connectionText() {
  if (mqtt.State !== "connected" || !mqtt.Version) return mqttText(mqtt);
  return t(mqtt.TLS ? "mqttOverTls" : "mqttOverTcp", {version: mqtt.Version});
}

function size(bytes) {
  const kib = bytes / 1024;
  return kib < 1024 ? `${number(kib, kib < 10 ? 1 : 0)} KiB` : `${number(kib / 1024, 1)} MiB`;
}

function waitingText() {
  if (mqtt.Waiting === 0) return t("none");
  return mqtt.DiskBytes ? t("waitingOnDisk", {count: number(mqtt.Waiting), size: size(mqtt.DiskBytes)})
    : number(mqtt.Waiting);
}

const counted = (name) => counters?.[name] == null ? t("unknown") : number(counters[name]);

function draw() {
  if (!mqtt) return;
  setFacts(byId("mqtt-now"), [
    [t("connectionState"), connectionText()],
    ...(mqtt.Host ? [["Broker", `${mqtt.Host}:${mqtt.Port}`]] : []),
    ...(mqtt.Detail ? [[t("detail"), mqtt.Detail]] : []),
    [t("messagesSent"), counted("mqtt_send_pass")],
    [t("waiting"), mqtt.Waiting == null ? t("unknown") : waitingText()],
    [t("sentLate"), counted("mqtt_sent_late")],
    [t("dropped"), counted("mqtt_dropped")],
    [t("commandsDone"), counted("mqtt_commands")],
    [t("commandsRefused"), counted("mqtt_commands_refused")],
    ...(mqtt.LastRefusal ? [[t("lastRefused"), mqtt.LastRefusal]] : []),
  ]);
  byId("keep-problem").hidden = !mqtt.KeepProblem;
  setText(byId("keep-problem").lastElementChild, mqtt.KeepProblem ?? "");
}

export function startMqtt() {
  onLanguage(draw);
}

export function showMqtt(state) {
  mqtt = state.MQTT;
  counters = state.Counters;
  draw();
}
