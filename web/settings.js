/* settings.js - the forms of the page, and the hints that follow what is typed into them. */
import {BrokerField, TrustField} from "./broker.js";
import {byId, setText} from "./dom.js";
import {SettingsForm} from "./form.js";
import {onLanguage, t} from "./language.js";
import {WifiPasswordField} from "./wifi.js";

const KINDS = {
  "/MQTT/Broker": BrokerField, "/MQTT/CA": TrustField, "/WiFi/ConnectionData/WiFiPassword": WifiPasswordField,
};

let serial = "…";

/* "24" as 255.255.255.0; null when it is no prefix length. */
function dotted(prefix) {
  if (!/^\d{1,2}$/.test(prefix) || Number(prefix) > 32) return null;
  const bits = 2 ** 32 - 2 ** (32 - Number(prefix));
  return [24, 16, 8, 0].map((shift) => Math.floor(bits / 2 ** shift) % 256).join(".");
}

function hintNetmasks() {
  for (const hint of document.querySelectorAll("[data-netmask]")) {
    const prefix = byId(hint.dataset.netmask).value.trim(), mask = dotted(prefix);
    setText(hint, mask ? `/${prefix} = ${mask}` : t("netmaskHint"));
  }
}

const BROKER_HINTS = {"": "brokerHint", plain: "brokerPlain", tls: "brokerTls"};

function hintMqtt(form) {
  const transport = form.field("/MQTT/Broker").choice, plain = transport === "plain";
  setText(byId("broker-hint"), t(BROKER_HINTS[transport]));
  byId("broker-warning").hidden = !plain || !form.value("/MQTT/Username") || !form.value("/MQTT/Password");
  setText(byId("interval-hint"), t(form.value("/MQTT/Publish") === "mean" ? "intervalMean" : "intervalChange"));
  setText(byId("commands-hint"), t(plain ? "commandsPlain" : "commandsHint"));
  const site = form.value("/MQTT/Site") || "default";
  setText(byId("site-hint"), t("siteHint", {topic: `devices/${site}/smart-connect/${serial}/data/…`}));
}

export function startSettings(config) {
  const forms = {};
  for (const name of ["network", "cloud", "modbus", "rtu", "meter", "metrics"]) {
    forms[name] = new SettingsForm(`form-${name}`, config, KINDS);
  }
  forms.network.addEventListener("shown", hintNetmasks);
  forms.cloud.addEventListener("shown", () => hintMqtt(forms.cloud));
  onLanguage(() => {
    hintNetmasks();
    hintMqtt(forms.cloud);
  });
  return forms;
}

export function showSettings(forms, state) {
  if (serial === state.Serial) return;
  serial = state.Serial;
  hintMqtt(forms.cloud);
}
