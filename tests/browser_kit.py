"""What the tests of the web page share: the gateway that serves it, the browser, and what a person does there."""
import base64
import http.client
import itertools
import json
import os
import pathlib
import re
import shutil
import ssl

import pytest

import harness
from harness import SOURCES, wait_until

webdriver = pytest.importorskip("selenium.webdriver", reason="python3-selenium is not installed: ./bootstrap test")
from selenium.webdriver.common.by import By  # noqa: E402  only with selenium

SCREENSHOTS = pathlib.Path(os.environ.get("SCREENSHOTS", SOURCES / "build" / "screenshots"))
FORMS = ["network", "cloud", "modbus", "rtu", "meter", "metrics"]
DESKTOP = (1280, 800)
PHONE = (360, 740)
MASK = "********"
BROKER = "mqtts://broker.example.com"
JSON = {"Content-Type": "application/json"}

needs_browser = pytest.mark.skipif(
    not (shutil.which("chromium") and shutil.which("chromedriver")),
    reason="chromium or chromium-driver is not installed: ./bootstrap test")

# Runs before the page's own scripts: remembers what goes wrong and what is sent, and lets a test answer instead.
WITNESS = """
window.seen = {problems: [], patches: [], posts: [], sources: [], blobs: [], asked: [], answer: null, answers: {}};
addEventListener("securitypolicyviolation", e => seen.problems.push(`CSP ${e.violatedDirective} ${e.blockedURI}`));
addEventListener("error", e => seen.problems.push(String(e.message)));
addEventListener("unhandledrejection", e => seen.problems.push(String(e.reason)));
const fetchForReal = window.fetch;
window.fetch = (resource, how) => {
  if (how && how.method === "PATCH") seen.patches.push(how.body);
  if (how && how.method === "POST") seen.posts.push(how.body);
  const what = `${how?.method ?? "GET"} ${new URL(resource, location).pathname}`, given = seen.answers[what];
  seen.asked.push(what);
  if (given) return Promise.resolve(new Response(given.text, given));
  return seen.answer ? Promise.resolve(seen.answer()) : fetchForReal(resource, how);
};
window.EventSource = class extends EventSource {
  constructor(...a) { super(...a); seen.sources.push(this); }
};
const blobForReal = URL.createObjectURL;
URL.createObjectURL = blob => { blob.text().then(text => seen.blobs.push(text)); return blobForReal(blob); };
"""

# Where to click an element: it is seen, and nothing lies over it.
SPOT = """
const e = document.querySelector(arguments[0]);
if (!e.checkVisibility({visibilityProperty: true})) throw new Error(`not to be seen: ${arguments[0]}`);
e.scrollIntoView({block: 'center', behavior: 'instant'});
const {x, y, width, height} = e.getClientRects()[0], at = [x + width / 2, y + height / 2];
const hit = document.elementFromPoint(...at);
if (!e.contains(hit)) throw new Error(`${arguments[0]} is covered by ${hit?.outerHTML.slice(0, 90)}`);
return at;
"""
FOCUS = """
const field = document.getElementById(arguments[0]);
if (!field.checkVisibility({visibilityProperty: true})) throw new Error(`not to be seen: ${arguments[0]}`);
field.focus();
if (document.activeElement !== field || field.readOnly) throw new Error(`not to be written: ${arguments[0]}`);
field.select();
"""
SELECT = """
const list = document.querySelector(arguments[0]);
const option = [...list.options].find(option => option.value === arguments[1]);
if (!list.checkVisibility({visibilityProperty: true}) || list.matches(':disabled, [inert] *') || !option
  || option.disabled) throw new Error(`not to be chosen: ${arguments}`);
list.focus();
option.selected = true;
for (const kind of ['input', 'change']) list.dispatchEvent(new Event(kind, {bubbles: true}));
"""

# What goes over the right edge, and what a finger cannot hit.
TOO_WIDE = """
const wide = [...document.querySelectorAll('body *')].filter(e => !e.closest('svg, .visually-hidden')
  && e.checkVisibility() && e.getBoundingClientRect().right > innerWidth + 0.5).map(e => e.outerHTML.slice(0, 90));
return document.documentElement.scrollWidth > innerWidth ? ['the page', ...wide] : wide;
"""
TOO_SMALL = """
return [...document.querySelectorAll('a, button, input, select, summary')]
  .filter(e => e.checkVisibility() && !e.matches('.skip'))
  .map(e => [e, (e.matches('[type=radio], [type=checkbox]') ? e.closest('label') : e).getBoundingClientRect()])
  .filter(([, box]) => Math.min(box.width, box.height) < 44).map(([e]) => e.outerHTML.slice(0, 90));
"""
# What is written in ink too faint for its paper (WCAG 2, AA).
CONTRAST = """
const parse = text => { const [r, g, b, a = 1] = text.match(/[\\d.]+/g).map(Number); return [r, g, b, a]; };
const light = ([r, g, b]) => [r, g, b].map(c => c / 255).map(c => c <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4)
  .reduce((sum, c, i) => sum + c * [.2126, .7152, .0722][i], 0);
const ground = e => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor);
  if (c[3] === 1) return c; } return [255, 255, 255]; };
const faint = [];
for (const e of document.querySelectorAll('body *')) {
  if (!e.checkVisibility() || e.closest(':disabled, [inert], .visually-hidden, option')) continue;
  if (![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())) continue;
  const style = getComputedStyle(e), size = parseFloat(style.fontSize);
  const ink = light(parse(e.closest('svg') ? style.fill : style.color)), paper = light(ground(e));
  const ratio = (Math.max(ink, paper) + .05) / (Math.min(ink, paper) + .05);
  const large = size >= 24 || size >= 18.6 && style.fontWeight >= 700;
  if (ratio < (large ? 3 : 4.5)) faint.push(`${ratio.toFixed(2)} ${e.outerHTML.slice(0, 90)}`);
}
return faint;
"""


class Box:
    """A gateway that serves the page, and the API as a plain client sees it."""

    def __init__(self, folder, meter, *options, env=None):
        self.state = folder / "state"
        self.env = env
        self.options = (folder, meter, "--state", str(self.state), *options)
        self.start("127.0.0.1:0", "127.0.0.1:0")
        label = json.loads(harness.run("label", "--state", str(self.state), "--json").stdout)
        self.login = label["login"]

    def start(self, http, https):
        self.gateway = harness.Gateway(*self.options, "--http", http, "--https", https, env=self.env)
        ready = self.gateway.stdout()
        self.http, self.https = (re.search(rf"\b{door}=(\S+:\d+)", ready).group(1) for door in ("http", "https"))
        self.origin = f"https://{self.https}"

    def restart(self):
        """At the same addresses."""
        self.start(self.http, self.https)

    def connection(self, source):
        """A TLS connection; None if the gateway has no place for it."""
        lenient = ssl.create_default_context()
        lenient.check_hostname, lenient.verify_mode = False, ssl.CERT_NONE
        host, port = self.https.split(":")
        made = http.client.HTTPSConnection(host, int(port), timeout=harness.DEADLINE, context=lenient,
                                           source_address=(source, 0))
        try:
            made.connect()
        except ConnectionResetError:
            return None
        return made

    def ask(self, method, path, body=None, source="127.0.0.1", login=None, **headers):
        """An answer, and its bytes."""
        connection = wait_until(lambda: self.connection(source), "a place that the browser leaves to this address")
        credentials = base64.b64encode(f"user:{login or self.login}".encode()).decode()
        connection.request(method, path, body=body, headers={"Authorization": f"Basic {credentials}", **headers})
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer, content

    def api(self, method, path, body=None, **how):
        """The status and the JSON of an answer."""
        if body is not None:
            how.update(JSON, body=json.dumps(body))
        answer, text = self.ask(method, path, **how)
        return answer.status, json.loads(text)

    def file(self, name):
        """A file of the page as a browser gets it, packed."""
        answer, packed = self.ask("GET", f"/{name}", **{"Accept-Encoding": "gzip"})
        assert (answer.status, answer.headers["Content-Encoding"]) == (200, "gzip"), name
        return packed

    def config(self):
        status, config = self.api("GET", "/api/v1/config")
        assert status == 200, config
        return config

    def change(self, **settings):
        status, answer = self.api("PATCH", "/api/v1/config", settings)
        assert status == 200, answer

    def reset(self):
        status, answer = self.api("POST", "/api/v1/reset", {"Mode": "factory"})
        assert status == 202, answer

    def stop(self):
        if self.gateway.running():
            self.gateway.stop()


class Page:
    """The page in the browser, by what a person does with it."""

    loads = itertools.count()

    def __init__(self, browser):
        self.browser = browser

    def open(self, box, view="status", wait=True):
        """A fresh page; the login is given as a person gives it to the browser, once.

        The query makes it another document.  To go by way of about:blank would make it another process, at twice the
        price.
        """
        self.run("window.seen && seen.sources.forEach(source => source.close())")
        if self.browser.logged_in != box.origin:
            self.browser.get("about:blank")
            self.browser.get(box.origin.replace("//", f"//user:{box.login}@"))
            self.browser.logged_in = box.origin
            self.run("seen.sources.forEach(source => source.close())")
        self.browser.get_log("browser")  # what an earlier page said
        self.browser.get(f"{box.origin}/?{next(self.loads)}#{view}")
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self):
        """Waits for the page's scripts, and then for the settings they fetch."""
        try:
            self.until("settings", "const buttons = document.querySelectorAll('[data-save] [type=submit]');"
                       "return buttons.length === arguments[0] && ![...document.forms].some(form => form.inert)",
                       len(FORMS))
        except AssertionError as e:
            raise AssertionError(f"{e}: {self.complaints()}; {self.text('body')[-300:]}") from e

    def run(self, script, *arguments):
        return self.browser.execute_script(script, *arguments)

    def until(self, what, script, *arguments, seconds=harness.DEADLINE):
        return wait_until(lambda: self.run(script, *arguments), what, seconds)

    def find(self, selector):
        return self.browser.find_element(By.CSS_SELECTOR, selector)

    def text(self, selector):
        return self.run("return document.querySelector(arguments[0]).textContent", selector)

    def until_text(self, selector, accept, what=None):
        """Waits until the text of an element is accepted; a text is accepted when it is contained."""
        fits = accept if callable(accept) else lambda text: accept in text
        wait_until(lambda: fits(self.text(selector)), what or f"{accept!r} in {selector}: {self.text(selector)!r}")
        return self.text(selector)

    def go(self, view):
        self.press(f'nav a[href="#{view}"]')
        self.until(view, "return !document.getElementById('view-' + arguments[0]).hidden", view)

    def show(self, view):
        """As go(), where the way there is not what is tried: without a click."""
        self.run("location.hash = arguments[0]", view)
        self.until(view, "return !document.getElementById('view-' + arguments[0]).hidden", view)

    def fill(self, name, text):
        """Replaces what stands in a field, as pasting does; the driver's keys are dear, and tried elsewhere."""
        self.run(FOCUS, name)
        if text:
            self.browser.execute_cdp_cmd("Input.insertText", {"text": text})
        else:
            self.run("document.execCommand('delete')")

    def choose(self, pointer, value):
        """A radio button, or "on" for a check box, by its label, as a finger does it."""
        which = "" if value == "on" else f'[value="{value}"]'
        self.press(f'label:has([data-pointer="{pointer}"]{which})')

    def hear(self, state):
        """As if the gateway had said so; then it says nothing more."""
        self.run("""
            const source = seen.sources.at(-1);
            source.dispatchEvent(new MessageEvent('state', {data: arguments[0]}));
            source.close();""", json.dumps(state))

    def answer(self, what, status, body, **headers):
        """As if the gateway answered so from now on; `what` is a method and a path."""
        kind = "application/problem+json" if status >= 400 else "application/json"
        self.run("seen.answers[arguments[0]] = arguments[1]", what, {
            "status": status, "text": json.dumps(body), "headers": {"Content-Type": kind, **headers}})

    def facts(self, name):
        """A list of facts as a dictionary."""
        return dict(self.run("return [...document.querySelectorAll(`#${arguments[0]} > div`)]"
                             ".map(row => [...row.children].map(cell => cell.textContent))", name))

    def press(self, selector):
        """A click with the mouse where the element is.  Done by hand: the driver's click costs six times as much."""
        x, y = self.run(SPOT, selector)
        for kind in ("mousePressed", "mouseReleased"):
            self.browser.execute_cdp_cmd("Input.dispatchMouseEvent", {
                "type": kind, "x": x, "y": y, "button": "left", "clickCount": 1})

    def select(self, selector, value):
        """An option of a list, as the driver's own Select does it, in one step."""
        self.run(SELECT, selector, value)

    def save(self, form):
        self.press(f"#form-{form} [type=submit]")

    def saved(self, form):
        """Saves, and waits for the good news."""
        self.save(form)
        self.until_text(f"#form-{form} .save [role=status]", "Saved.")

    def speak(self, language):
        self.select("#language", language)
        self.until(language, "return document.documentElement.lang === arguments[0]", language)

    def size(self, width, height):
        self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600})

    def media(self, **features):
        """Media features such as prefers_color_scheme.  A light that blinks costs, so it does only when told to."""
        features = {"prefers_reduced_motion": "reduce", **features}
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [
            {"name": name.replace("_", "-"), "value": value} for name, value in features.items()]})

    def screenshot(self, name):
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.browser.save_screenshot(str(SCREENSHOTS / f"page-{name}.png"))

    def complaints(self):
        """What went wrong in the page, and what the browser complained about."""
        return self.run("return seen.problems") + [
            entry["message"] for entry in self.browser.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]


@pytest.fixture(name="browser", scope="module")
def fixture_browser(tmp_path_factory):
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for argument in ("headless=new", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-sync",
                     "disable-background-networking", "disable-component-update", "ignore-certificate-errors",
                     "disable-extensions", "process-per-site", "disable-site-isolation-trials",
                     "disable-features=SpareRendererForSitePerProcess,BackForwardCache,Translate",
                     "lang=en", "host-resolver-rules=MAP *.local 127.0.0.1",
                     f"user-data-dir={tmp_path_factory.mktemp('browser')}"):
        options.add_argument(f"--{argument}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.chrome.service.Service(shutil.which("chromedriver"))
    made = webdriver.Chrome(service=service, options=options)
    made.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": WITNESS})
    made.logged_in = None
    yield made
    made.quit()


@pytest.fixture(name="box", scope="module")
def fixture_box(tmp_path_factory):
    """The gateway of most tests, with a simulated meter."""
    one = Box(tmp_path_factory.mktemp("box"), "sim:dsmr50")
    yield one
    one.stop()


@pytest.fixture(name="other_box")
def fixture_other_box(tmp_path):
    """other_box(METER_URL, OPTION...): a gateway of the test's own."""
    started = []

    def start(meter, *options, **how):
        started.append(Box(tmp_path, meter, *options, **how))
        return started[-1]
    yield start
    for one in started:
        one.stop()


@pytest.fixture(name="page")
def fixture_page(browser):
    one = Page(browser)
    one.media()
    one.size(*DESKTOP)
    return one
