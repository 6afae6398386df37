/* report.js - what support needs to know, as a file.  Only what is listed here goes in: no secret, no name,
 * no number of a meter or a household, no text a meter sent. */
import {get} from "./api.js";
import {byId, setText} from "./dom.js";
import {download} from "./file.js";
import {notDone, t} from "./language.js";

/* `true` takes a value as it is, an object goes deeper. */
const STATUS = {
  MeterType: true, DefaultNetIf: true, Ethernet: {IpMode: true}, WiFi: {IpMode: true}, Network: {Rollback: true},
  MQTT: {Enabled: true, Keepalive: true, Publish: true, Interval: true, Deadband: true, CountersInterval: true,
    KeepDays: true, KeepMiB: true, LateRate: true, Commands: true, HomeAssistant: true},
  Modbus: true, RTU: true, Meter: true,
  State: {
    Product: true, Time: true, Uptime: true, Versions: true, Counters: true, Led: true, Button: true,
    Configuration: {Revision: true, Problem: true, Factory: true},
    Meter: {Ok: true, State: true, Text: true, Standard: true, Phases: true, Version: true, DataAge: true,
      Stale: true, StaleAfter: true},
    Link: {Ok: true}, Internet: {Ok: true},
    Network: {Ok: true, GatewayOk: true, Managed: true, State: true, Interface: true, Trial: true,
      Card: {Name: true, Carrier: true, Signal: true}, AccessPoint: {State: true}},
    MQTT: {Ok: true, State: true, Port: true, Version: true, TLS: true, Waiting: true, DiskBytes: true},
    Modbus: {Ok: true, Map: true, WordOrder: true},
    RTU: {Ok: true, Map: true, Active: true, AfterReboot: true, Direction: true, Leds: true, Counters: true},
  },
};
const FIRMWARE = {
  Version: true, Release: true, Floor: true, Compatible: true, ManagedBy: true, State: true, Progress: true, Slots: true,
  Result: {Ok: true, From: true, To: true, Reason: true, Time: true},
};
const READINGS = {
  standard: true, grid: true, phases: true, sequence: true, object_errors: true, ts: true, meter_ts: true,
};
/* Why an update failed may name the host it came from: before a colon, or by its domain. */
const HOST = /^\S+(?=: )|([\w-]+\.)+[a-z][\w-]*/gi;
const VALUES = /^(power|voltage|current|line_voltage|meter_voltage|meter_current)_/;

function pick(from, wanted) {
  if (wanted === true || from === null || typeof from !== "object") return from;
  return Object.fromEntries(Object.keys(wanted).filter((key) => key in from)
    .map((key) => [key, pick(from[key], wanted[key])]));
}

async function make() {
  const status = await get("/api/v1/status");
  const firmware = await get("/api/v1/firmware");
  const readings = await get("/api/v1/readings").catch(() => null); // none before the first telegram
  const report = {report: 1, status: pick(status, STATUS), firmware: pick(firmware, FIRMWARE)};
  report.status.State.Modbus.Clients = status.State.Modbus.Clients.length;
  report.status.State.Meter.Input = status.State.Meter.Input?.split(":")[0];
  if (firmware.Result?.Reason) report.firmware.Result.Reason = firmware.Result.Reason.replace(HOST, "…");
  report.readings = readings && {
    ...pick(readings, READINGS),
    values: Object.fromEntries(Object.entries(readings.values).filter(([key]) => VALUES.test(key))),
  };
  return report;
}

export function startReport() {
  byId("report").addEventListener("click", async () => {
    try {
      const name = `smart-connect-report-${new Date().toISOString().slice(0, 16).replace(/\D/g, "")}.json`;
      download(name, "application/json", JSON.stringify(await make(), null, 2));
      setText(byId("report-status"), t("reportDone", {name}));
    } catch (problem) {
      setText(byId("report-status"), notDone(problem));
    }
  });
}
