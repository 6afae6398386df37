/* main.js - puts the parts of the page together: what is heard goes to those who show it. */
import {setBanner} from "./banner.js";
import {loadCertificate, startCertificate} from "./certificate.js";
import {Chart} from "./chart.js";
import {Config} from "./config.js";
import {byId} from "./dom.js";
import {loadFirmware, restartsBox, showFirmware, startFirmware} from "./firmware.js";
import {History} from "./history.js";
import {startLanguage} from "./language.js";
import {Live} from "./live.js";
import {showCurrent, showModbus, startModbus} from "./modbus.js";
import {showMqtt, startMqtt} from "./mqtt.js";
import {showNetwork, startNetwork} from "./network.js";
import {startPassword} from "./password.js";
import {startReport} from "./report.js";
import {showRtu, startRtu} from "./rtu.js";
import {showService, startService} from "./service.js";
import {showSettings, startSettings} from "./settings.js";
import {meterText, showStatus, startStatus} from "./status.js";
import {startTelegram} from "./telegram.js";
import {showTrial, startTrial} from "./trial.js";
import {setAge, setStale, showReading, startValues} from "./values.js";
import {startViews} from "./views.js";
import {showWifi, startWifi} from "./wifi.js";

const config = new Config();
const forms = startSettings(config);
const history = new History();
const chart = new Chart(history);

/* Banner of each way to be without the gateway. */
const CONNECTION = {0: "offline", 401: "loginNeeded", 409: "sessionHeld", 429: "lockedOut"};
const LOG_IN = {key: "loginAgain", run: () => location.reload()};

/* When the password changes the gateway ends all streams; this page's own is closed before. */
const quiet = {pause: () => live.pause(), resume: () => live.retry()};

startViews(Object.values(forms));
startStatus();
startNetwork();
startWifi(forms.network);
startTrial(forms.network, config);
startMqtt();
startCertificate();
startValues();
startModbus(forms.modbus);
startRtu(forms.rtu);
startTelegram();
startReport();
startFirmware();
startService({...quiet, describe: meterText, forget: () => Object.values(forms).forEach((form) => form.reload())});
startPassword({...quiet, askAgain});
startLanguage(byId("language"));

const live = new Live({reading: hearReading, state: hearState, connection: hearConnection});

function hearReading(reading) {
  showReading(reading);
  showCurrent(reading);
  history.add(reading);
  chart.draw();
}

function hearState(state) {
  config.noticeRevision(state.Configuration.Revision)
    .then(() => showTrial(state), () => {}); // the next state tries again
  showStatus(state);
  showNetwork(state);
  showWifi(state);
  showMqtt(state);
  showModbus(state);
  showRtu(state);
  showSettings(forms, state);
  showFirmware(state);
  showService(state);
  setAge(state.Meter.DataAge);
  setStale(state.Meter.Stale);
  setBanner("meter", state.Meter.Stale && state.Meter.DataAge != null && "staleBanner");
  const problem = state.Configuration.Problem;
  setBanner("configuration", problem && "configurationProblem", {detail: problem});
}

/* What is missing after a time without the gateway is fetched. */
async function catchUp() {
  await Promise.allSettled([config.load(), history.load(), loadFirmware(), loadCertificate()]);
  chart.draw();
}

/* The banner is for those who stay because of unsaved changes. */
function askAgain() {
  setBanner("connection", "loginNeeded", {action: LOG_IN});
  location.reload();
}

function hearConnection(problem) {
  if (!problem) {
    setBanner("connection", null);
    catchUp();
    return;
  }
  const action = problem.status === 401 ? LOG_IN : {key: "retryNow", run: () => live.retry()};
  const restarts = problem.status === 0 && restartsBox();
  setBanner("connection", restarts ? "updateRestarting" : CONNECTION[problem.status] ?? "serverProblem",
    {detail: problem.status ? problem.message : "", action});
}
