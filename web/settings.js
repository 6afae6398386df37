/* settings.js - the forms of the page, and the hints that follow what is typed into them. */
import {byId, setText} from "./dom.js";
import {SettingsForm} from "./form.js";
import {onLanguage, t} from "./language.js";

let serial = "…", managed = false;

/* "24" as 255.255.255.0; null when it is no prefix length. */
function dotted(prefix) {
  if (!/^\d{1,2}$/.test(prefix) || Number(prefix) > 32) return null;
  const bits = 2 ** 32 - 2 ** (32 - Number(prefix));
  return [24, 16, 8, 0].map((shift) => Math.floor(bits / 2 ** shift) % 256).join(".");
}

function hintNetmasks() {
  for (const hint of document.querySelectorAll("[data-netmask]")) {
    const prefix = byId(hint.dataset.netmask).value.trim(), mask = dotted(prefix);
    setText(hint, mask ? t("netmaskIs", {prefix, mask}) : t("netmaskHint"));
  }
}

/* The rule of the gateway: mqtts, or mqtt with port 8883, means TLS. */
function brokerHint(url) {
  const [, scheme, port] = /^(mqtts?):\/\/[^/]+?(?::(\d+))?\/?$/i.exec(url) ?? [];
  if (!scheme) return "brokerHint";
  return scheme.toLowerCase() === "mqtts" || port === "8883" ? "brokerTls" : "brokerPlain";
}

function hintMqtt(form) {
  setText(byId("broker-hint"), t(brokerHint(form.value("/MQTT/Broker"))));
  const site = form.value("/MQTT/Site") || "default";
  setText(byId("site-hint"), t("siteHint", {topic: `devices/${site}/smart-connect/${serial}/data/…`}));
}

/* A static address that is in effect: this page lives on at the new one. */
function announceAddress(form) {
  const choice = form.value("/DefaultNetIf");
  const address = form.value(`/${choice}/StaticIPv4/IpAddress`);
  if (!managed || form.value(`/${choice}/IpMode`) !== "Static" || address === location.hostname) return;
  form.announce("newAddress", {address: `https://${address}/`});
}

export function startSettings(config) {
  const forms = {};
  for (const name of ["network", "cloud", "modbus", "meter", "metrics"]) {
    forms[name] = new SettingsForm(`form-${name}`, config);
  }
  forms.network.addEventListener("shown", hintNetmasks);
  forms.network.addEventListener("saved", () => announceAddress(forms.network));
  forms.cloud.addEventListener("shown", () => hintMqtt(forms.cloud));
  onLanguage(() => {
    hintNetmasks();
    hintMqtt(forms.cloud);
  });
  return forms;
}

export function showSettings(forms, state) {
  managed = state.Network.Managed === true;
  if (serial === state.Serial) return;
  serial = state.Serial;
  hintMqtt(forms.cloud);
}
