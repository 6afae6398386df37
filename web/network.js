/* network.js - the network as it is now, and the access point. */
import {attempt} from "./ask.js";
import {confirmed} from "./confirm.js";
import {byId, setFacts, setText} from "./dom.js";
import {number, onLanguage, t} from "./language.js";

/* Network.State: its text; where it depends on the interface, with that. */
const STATE = {
  "no-manager": "networkNoManager",
  "no-card": "networkNoCard",
  "no-link Ethernet": "networkNoCable",
  "no-link WiFi": "networkNoWifi",
  "connecting": "connecting",
  "link-local": "networkLinkLocal",
  "connected": "connected",
  "failed": "networkFailed",
};
const ACCESS_POINT = {off: "off", starting: "accessPointStarting", on: "accessPointOn"};

let state = null;

const list = (values) => values?.length ? values.join(", ") : t("none");

/* A word of the gateway's that we have no text for is shown as it is. */
export function networkText({State: word, Interface: used}) {
  const key = STATE[`${word} ${used}`] ?? STATE[word];
  return key ? t(key) : word;
}

/* The one in use: of our own network with its card, of the host's as the host calls it. */
export function interfaceText({Link: link, Network: network}) {
  if (!network.Managed) return link.Interface ?? t("none");
  const name = network.Interface === "WiFi" ? t("wifi") : network.Interface ?? t("none");
  return network.Card ? `${name} (${network.Card.Name})` : name;
}

/* Those of the card have their prefix lengths; IPv6 ones are only among all. */
function addresses({Addresses: all = [], Card: card}) {
  const own = card?.Addresses ?? [];
  return [...own, ...all.filter((address) => !own.some((one) => one.startsWith(`${address}/`)))];
}

/* The router, and whether it can be reached, where that is known. */
function gatewayText({Gateway: gateway, GatewayOk: ok}) {
  if (!gateway) return t("none");
  return ok == null ? gateway : t(ok ? "gatewayAnswers" : "gatewaySilent", {gateway});
}

function wifiFacts({Card: card}) {
  if (!card?.SSID) return [];
  return [[t("ssid"), card.SSID], [t("wifiSignal"), card.Signal == null ? t("unknown") : `${number(card.Signal)} %`]];
}

function drawNetwork(network) {
  byId("unmanaged").hidden = network.Managed !== false;
  byId("network-problem").hidden = !network.Problem;
  setText(byId("network-problem"), network.Problem ?? "");
  setFacts(byId("network-now"), [
    ...(network.Managed ? [[t("connectionState"), networkText(network)]] : []),
    [t("activeInterface").replace(/\s*:$/, ""), interfaceText(state)],
    ...wifiFacts(network),
    [t("hostName"), network.HostName ?? t("unknown")],
    [t("localNames"), list(network.LocalNames)],
    [t("addresses"), list(addresses(network))],
    [t("gateway"), gatewayText(network)],
    [t("dns"), list(network.DNS)],
  ]);
}

function drawAccessPoint({Managed: managed, AccessPoint: point}) {
  byId("access-point").hidden = !managed || !point;
  if (!point) return;
  setFacts(byId("access-point-now"), [
    [t("connectionState"), t(ACCESS_POINT[point.State])],
    [t("ssid"), point.SSID],
    [t("wifiPassword"), t("accessPointKey")],
    [t("address"), point.Address],
  ]);
  setText(byId("access-point-switch"), t(point.State === "off" ? "accessPointStart" : "accessPointEnd"));
}

function draw() {
  if (!state) return;
  drawNetwork(state.Network);
  drawAccessPoint(state.Network);
}

async function switchAccessPoint() {
  const {State: now, SSID: name, Address: address} = state.Network.AccessPoint, starts = now === "off";
  const ask = {title: t("accessPointStart"), text: t("accessPointConfirm", {name, address})};
  if (starts && !await confirmed(ask)) return;
  await attempt("access-point", "/api/v1/access-point", {Active: starts},
    starts ? "accessPointStarts" : "accessPointEnds");
}

export function startNetwork() {
  byId("access-point-switch").addEventListener("click", switchAccessPoint);
  onLanguage(draw);
}

export function showNetwork(now) {
  state = now;
  draw();
}
