"""The web page, in a browser, against the gateway: what an installer sees, types and saves."""
import gzip
import json
import re
import time

import harness
from browser_kit import BROKER, CONTRAST, MASK, PHONE, TOO_SMALL, TOO_WIDE, needs_browser
from browser_kit import fixture_box, fixture_browser, fixture_other_box, fixture_page  # noqa: F401
from fake_clock import FakeClock, needs_faketime
from harness import SOURCES, wait_until
from rtu_kit import Bus
from selenium.webdriver.common.keys import Keys

WEB = SOURCES / "web"
VIEWS = ["status", "network", "cloud", "modbus", "meter", "service"]
OWN = "kilowatt-hour-42"  # a password of one's own

pytestmark = needs_browser


# --- what is seen --------------------------------------------------------------------------------

def test_loads_all_sections_without_a_complaint(page, box):
    page.open(box)
    for view in VIEWS:
        page.go(view)
        assert page.find(f"#title-{view}").text
        assert page.find('nav [aria-current="page"]').get_attribute("href").endswith(f"#{view}")
    assert page.complaints() == []
    assert page.run("return document.documentElement.lang") == "en"
    levels = page.run("return [...document.querySelectorAll('h1, h2, h3')].filter(h => !h.closest('dialog'))"
                      ".map(h => Number(h.tagName[1]))")
    assert levels[0] == 1 and all(b - a <= 1 for a, b in zip(levels, levels[1:])), "no heading level left out"


def test_status_says_what_is_and_what_is_not_measured(page, box):
    page.open(box)
    page.until_text('[data-light="Meter"]', "receiving")
    page.until_text('[data-light="Link"]', lambda text: re.search("OK|not working|not measured", text))
    page.until_text('[data-light="MQTT"]', "off")
    state = box.api("GET", "/api/v1/status")[1]["State"]
    assert page.text('[data-light="Internet"] span') == {None: "not measured", True: "OK", False: "not working"}[
        state["Internet"]["Ok"]]
    assert page.text("#serial") == state["Serial"] == harness.SERIAL
    assert page.find(".device .led").get_attribute("data-led") == state["Led"]["State"]
    assert page.text(".device [data-led-text]")
    page.until_text("#energies", "kWh")


def test_values_and_chart_follow_the_meter(page, box):
    page.open(box)
    first = page.until_text("#total-power", lambda text: text.strip("–"), "a power")
    page.until("a line", "return document.querySelector('#chart .line.power_w')")
    points = "return document.querySelector('#chart .line.power_w').getAttribute('d').split(/[ML]/).length"
    before = page.run(points)
    page.until_text("#total-power", lambda text: text != first, "another power")
    page.until("another point in the chart", points + " > arguments[0]", before)
    assert re.match(r"Telegram \d s old", page.text("#data-age"))
    page.size(1280, 1500)
    page.screenshot("desktop")
    total, direction = page.run("return ['total-power', 'direction']"
                                ".map(id => document.getElementById(id).textContent)")
    total = int(total.replace("−", "-").replace(",", ""))
    assert direction == ("taken from the grid" if total > 0 else "fed into the grid" if total else
                         "neither taken nor fed in")
    assert "Total power in the last hour" in page.find("#chart svg").get_attribute("aria-label")
    page.press("#chart-table summary")
    page.until("a row for five minutes", "return document.querySelectorAll('#chart-table tbody tr').length === 12")


def test_what_is_not_known_is_said_in_words(page, other_box):
    """Before the first telegram and without a broker, and when next to nothing is known."""
    box = other_box("tcp:127.0.0.1:1")
    state = box.api("GET", "/api/v1/status")[1]["State"]
    keys = ("Standard", "Version", "Identification", "Phases", "StaleAfter", "DataAge")
    assert [state["Meter"][key] for key in keys] + [state["MQTT"][key] for key in ("Host", "Port")] == [None] * 8
    page.open(box, "meter")
    page.until_text("#meter-now", "cannot be opened")
    facts = "return [...document.querySelectorAll(arguments[0])].map(node => node.textContent)"
    assert page.run(facts, "#meter-now dd")[2:] == ["unknown"] * 5
    assert page.text("#data-age") == "No telegram yet"
    for part, keys in (("Meter", ["Identification"]), ("Network", ["Ok", "Gateway"]), ("Link", ["Ok", "Interface"]),
                       ("Modbus", ["Ok", "Address"]), ("MQTT", ["Ok", "Waiting", "DiskBytes"]),
                       ("Session", ["Address"])):
        state[part].update(dict.fromkeys(keys))
    state.update(Mac=None, Time=None)
    page.hear(state)
    shown = page.run("return [...document.querySelectorAll('dd, .lights, td, #last-refusal')]"
                     ".map(node => node.textContent)")
    assert page.run(facts, "#device dd")[2:5] == ["unknown"] * 3
    assert not [text for text in shown if re.search("NaN|null|undefined|Invalid", text)]
    assert page.complaints() == []


def test_lines_of_the_chart_can_be_hidden(page, box):
    page.open(box)
    page.until("a line", "return document.querySelector('#chart .line.power_l1_w')")
    page.press("#legend .power_l1_w")
    assert page.find("#legend .power_l1_w").get_attribute("aria-pressed") == "false"
    page.until("no line", "return !document.querySelector('#chart .line.power_l1_w')")


def test_silence_of_the_meter_is_shown(page, other_box, tcp_meter):
    box = other_box(tcp_meter.url, "--stale-after", "1")
    tcp_meter.accept().send(harness.marked(1234))
    page.open(box)
    page.until_text("#banners", "No fresh data from the meter")
    assert page.text("#total-power") == "1,234"

    def goes_on():
        tcp_meter.send(harness.marked(1235))
        return not page.text("#banners") and page.text("#total-power") == "1,235"
    harness.wait_until(goes_on, "the new value and no banner")


def test_texts_of_the_meter_are_only_text(page, other_box, tcp_meter):
    payload = "<script>document.title='hacked'</script><img src=x onerror=\"document.title='hacked'\"><b id=evil>"
    box = other_box(tcp_meter.url, "--stale-after", "3600")
    tcp_meter.accept().send(harness.p1(
        "1-3:0.2.8(50)", f"0-0:1.0.0({harness.p1_time(time.time())})", "1-0:1.7.0(00.273*kW)", "1-0:2.7.0(00.000*kW)",
        f"0-0:96.13.0({payload.encode().hex().upper()})", identification="/SCN5<img src=x onerror=alert(1)>"))
    page.open(box)
    page.until_text("#energies", payload)
    page.go("meter")
    page.until_text("#meter-now", "<img src=x onerror=alert(1)>")
    page.press("#telegram-get")
    page.until_text("#telegram", "<img src=x onerror=alert(1)>")
    assert page.browser.title == "Smart Connect"
    assert page.run("return !document.querySelector('#evil, main img, body script')")
    assert page.complaints() == []


def test_telegram_is_shown_as_sent(page, box):
    page.open(box, "meter")
    page.press("#telegram-get")
    telegram = page.until_text("#telegram", "!")
    body, crc = re.fullmatch(r"(/.*!)([0-9A-F]{4})\r\n", telegram, re.S).groups()
    assert int(crc, 16) == harness.crc16(body.encode())
    page.press("#telegram-copy")
    page.until_text("#telegram-status", lambda text: re.search("[Cc]op", text))


def test_connected_clients_are_listed(page, box):
    page.open(box, "modbus")
    with box.gateway.client() as client:
        client.registers(0x8006, 6)
        page.until_text("#client-table tbody", "127.0.0.1")
    page.until("nobody", "return !document.getElementById('no-clients').hidden")


# --- settings ------------------------------------------------------------------------------------

def test_set_a_static_address(page, box):
    box.reset()
    page.open(box, "network")
    assert not page.find("#eth-address").is_displayed(), "only with Static"
    page.choose("/Ethernet/IpMode", "Static")
    for name, value in (("address", "192.168.10.101"), ("gateway", "192.168.10.1"), ("dns", "192.168.10.1")):
        page.fill(f"eth-{name}", value)
    page.fill("eth-netmask", "25")
    assert page.text("#eth-netmask-hint") == "/25 = 255.255.255.128"
    page.saved("network")
    assert box.config()["Ethernet"] == {"IpMode": "Static", "StaticIPv4": {
        "IpAddress": "192.168.10.101", "Netmask": "25", "Gateway": "192.168.10.1", "DNS": "192.168.10.1"}}
    assert page.find("#unmanaged").is_displayed(), "a test's gateway leaves the network alone"


def test_set_up_wifi(page, box):
    box.reset()
    page.open(box, "network")
    page.choose("/DefaultNetIf", "WiFi")
    page.fill("ssid", " Thuis ")
    page.fill("wifi-password", "correct horse")
    page.saved("network")
    config = box.config()
    assert config["DefaultNetIf"] == "WiFi"
    assert config["WiFi"]["ConnectionData"] == {"WiFiSSID": " Thuis ", "WiFiPassword": MASK}
    assert page.find("#wifi-password").get_attribute("value") == MASK


def test_set_a_broker_and_send_only_what_changed(page, box):
    box.reset()
    page.open(box, "cloud")
    page.fill("broker", "mqtts://broker.example.com:8883")
    assert page.text("#broker-hint") == "Encrypted (TLS)."
    page.fill("site", "house")
    assert f"devices/house/smart-connect/{harness.SERIAL}/data/" in page.text("#site-hint")
    page.saved("cloud")
    mqtt = box.config()["MQTT"]
    assert (mqtt["Broker"], mqtt["Site"], mqtt["Enabled"]) == ("mqtts://broker.example.com:8883", "house", True)
    assert [json.loads(patch) for patch in page.run("return seen.patches")] == [
        {"MQTT": {"Broker": "mqtts://broker.example.com:8883", "Site": "house"}}]
    page.until_text("#mqtt-now", "broker.example.com")
    page.choose("/MQTT/Enabled", "false")
    page.saved("cloud")
    assert box.config()["MQTT"]["Enabled"] is False
    page.until_text("#mqtt-now", "off")
    page.save("cloud")
    page.until_text("#form-cloud .save [role=status]", "Nothing has been changed.")


# View, choices to make and fields to fill in, the fields before the choices they open; the field that is blamed.
REFUSED = [
    ("cloud", [], {"broker": "broker.example.com:8883"}, "broker"),
    ("cloud", [], {"site": "a/b"}, "site"),
    ("network", [("/Ethernet/IpMode", "Static")],
     {"eth-address": "192.168.10.101", "eth-netmask": "24", "eth-gateway": "192.168.11.1"}, "eth-gateway"),
    ("network", [("/Ethernet/IpMode", "Static")], {"eth-address": "192.168.10.256"}, "eth-address"),
    ("network", [("/Ethernet/IpMode", "Static")], {"eth-address": "192.168.10.7", "eth-netmask": "33"}, "eth-netmask"),
    ("network", [], {"ping-target": "https://example.com/"}, "ping-target"),
    ("network", [("/DefaultNetIf", "WiFi")], {"ssid": "x" * 33, "wifi-password": "long enough"}, "ssid"),
    ("network", [("/DefaultNetIf", "WiFi")], {"ssid": "home", "wifi-password": "short"}, "wifi-password"),
    ("cloud", [("/MQTT/CA", "ca")], {"broker": BROKER, "ca": "not a certificate"}, "ca"),
    ("cloud", [("/MQTT/CA", "pin")], {"broker": BROKER, "pin": "0123abcd"}, "pin"),
    ("cloud", [("/MQTT/Publish", "mean")], {"interval": "3601"}, "interval"),
    ("cloud", [("/MQTT/Publish", "change")], {"deadband": "0"}, "deadband"),
    ("cloud", [], {"counters-interval": "86401"}, "counters-interval"),
    ("cloud", [], {"keep-days": "367"}, "keep-days"),
    ("cloud", [], {"keep-mib": "4097"}, "keep-mib"),
    ("cloud", [], {"late-rate": "1001"}, "late-rate"),
    ("cloud", [("/MQTT/HomeAssistant", "on")], {"prefix": "/home assistant"}, "prefix"),
    ("modbus", [], {"clients": "65"}, "clients"),
    ("meter", [], {"stale-after": "3601"}, "stale-after"),
]


def test_refused_values_are_explained_beside_the_field(page, box):
    box.reset()
    page.open(box)
    before = box.config()
    at = None
    for view, choices, values, blamed in REFUSED:
        which = f"{blamed}={values[blamed][:20]}"
        if view != at:
            page.go(view)
            at = view
        if "broker" in values:
            page.fill("broker", values["broker"])
        for pointer, value in choices:
            page.choose(pointer, value)
        for name, value in values.items():
            page.fill(name, value)
        page.save(view)
        field = page.find(f"#{blamed}")
        wait_until(lambda: field.get_attribute("aria-invalid") == "true", f"a complaint at {which}")  # noqa: B023
        described = page.run("return arguments[0].getAttribute('aria-describedby').split(' ')"
                             ".map(id => document.getElementById(id).textContent).join(' ')", field)
        assert "Not accepted: " in described and len(described.split("Not accepted: ")[1]) > 5, (which, described)
        assert page.run("return document.activeElement") == field, which
        assert page.text(f"#form-{view} .save [role=alert]").startswith("Not saved."), which
        assert box.config() == before, f"{which}: all or nothing"
        if values[blamed].startswith("broker."):
            page.screenshot("refused")
            page.speak("nl")
            assert "Niet aanvaard: " in page.text("#broker-complaint")
            page.speak("en")
        field.send_keys("1")
        assert field.get_attribute("aria-invalid") is None, f"{which}: a corrected field is no longer blamed"
        page.press(f"#form-{view} .save button:nth-of-type(2)")
        assert page.text(f"#form-{view} .save [role=alert]") == "", which
        assert page.run("return [...document.querySelectorAll('[aria-invalid=true]')].length") == 0, which


def test_a_number_is_asked_for_before_anything_is_sent(page, box):
    page.open(box, "modbus")
    page.find("#clients").clear()
    page.save("modbus")
    page.until_text("#clients-complaint", "Enter a whole number.")
    assert page.run("return seen.patches") == []


def test_secrets_are_kept_replaced_and_cleared(page, box):
    box.reset()
    box.change(MQTT={"Broker": "mqtts://broker.example.com", "Username": "me", "Password": "one"})
    page.open(box, "cloud")
    password = page.find("#mqtt-password")
    wait_until(lambda: password.get_attribute("value") == MASK, "the mask")
    page.fill("mqtt-user", "you")
    page.saved("cloud")
    assert "Password" not in json.loads(page.run("return seen.patches.at(-1)"))["MQTT"]
    password.send_keys("two")
    assert password.get_attribute("value") == "two", "typing replaces the mask"
    page.press("#mqtt-password ~ button")
    assert password.get_attribute("type") == "text"
    page.saved("cloud")
    assert json.loads(page.run("return seen.patches.at(-1)")) == {"MQTT": {"Password": "two"}}
    assert password.get_attribute("value") == MASK
    page.press("#mqtt-password ~ button:last-child")
    assert page.text("#mqtt-password-secret") == "Will be removed when you save."
    page.saved("cloud")
    assert box.config()["MQTT"]["Password"] == ""


def test_word_order_is_explained_with_the_bytes(page, box):
    box.reset()
    page.open(box, "modbus")
    page.until_text("#example", "0000 4180")
    rows = page.run("return [...document.getElementById('example').rows].map(row => row.cells[1].textContent)")
    assert rows == ["0000 4180", "16.0 A", "2.3e-41 A, shown as 0"]
    page.select("#map", "Eastron-SDM630")
    assert "4180 0000" in page.text("#example"), "as that meter, before anything is saved"
    page.select("#map", "PhoenixContact-EMPro")
    assert "0000 4180" in page.text("#example")
    page.choose("/Modbus/WordOrder", "normal")
    assert "4180 0000" in page.text("#example")
    page.until_text("#example-live", lambda text: re.search(r"Your charger should show \d+\.\d A for L1 now", text))
    page.saved("modbus")
    with box.gateway.client() as client:
        assert 200 < client.floats(0x8006, 1, "normal")[0] < 260, "in effect at once"


def test_a_bus_has_settings_and_lights(page, box, other_box, tmp_path):
    page.open(box, "modbus")
    assert not page.find("#bus").is_displayed(), "there is no bus"
    bus = Bus(tmp_path)
    one = other_box("sim:dsmr50", "--rtu", bus.path)
    page.open(one, "modbus")
    page.until_text("#bus-now", lambda text: "16, 9600-8E1" in text and "PWRon" in text and "485off" in text)
    page.fill("bus-address", "7")
    page.fill("bus-line", "19200-8N1")
    page.saved("rtu")
    page.until_text("#bus-now", lambda text: "7, 19200-8N1" in text)
    assert bus.read(7, 0xFE01, 1) == [7]
    page.until_text("#bus-now", lambda text: "485on" in text)
    bus.write(7, 0xFE01, 8)
    page.until_text("#bus-now", lambda text: "After a restart8, 19200-8N1" in text)
    bus.close()


def test_high_current_is_asked_for_only_with_its_policy(page, box):
    box.reset()
    page.open(box, "modbus")
    assert not page.find("#stale-current").is_displayed()
    page.select("#stale", "high-current")
    page.fill("stale-current", "63")
    page.saved("modbus")
    assert (box.config()["Modbus"]["Stale"], box.config()["Modbus"]["StaleCurrent"]) == ("high-current", 63)


def test_unsaved_changes_are_guarded(page, box):
    box.reset()
    asks = "const e = new Event('beforeunload', {cancelable: true}); dispatchEvent(e); return e.defaultPrevented"
    page.open(box, "meter")
    assert not page.run(asks)
    page.fill("stale-after", "20")
    assert page.run(asks)
    assert page.find("#form-meter .mark").is_displayed()
    assert "dirty" in page.find('nav a[href="#meter"]').get_attribute("class")
    page.go("status")
    page.go("meter")
    assert page.find("#stale-after").get_attribute("value") == "20", "kept in the page"
    page.press("#form-meter .save button:nth-of-type(2)")
    assert page.find("#stale-after").get_attribute("value") == "0" and not page.run(asks)


def test_news_never_overwrite_what_is_being_edited(page, box):
    box.reset()
    page.open(box, "modbus")
    page.fill("idle", "61")
    box.change(Modbus={"MaxClients": 7}, MQTT={"Site": "elsewhere"})
    page.until("the other form to follow", "return document.getElementById('site').value === 'elsewhere'")
    assert page.find("#idle").get_attribute("value") == "61"
    assert page.find("#clients").get_attribute("value") == "4", "untouched while the form is being edited"
    page.save("modbus")
    page.until_text("#form-modbus [role=alert]", "changed elsewhere")
    assert box.config()["Modbus"]["IdleTimeout"] == 60
    page.press("#form-modbus [role=alert] button")
    page.until("the current values", "return document.getElementById('clients').value === '7'")
    page.fill("idle", "62")
    page.saved("modbus")
    modbus = box.config()["Modbus"]
    assert (modbus["IdleTimeout"], modbus["MaxClients"]) == (62, 7)


def test_the_internet_is_asked_for_only_when_told(page, box):
    box.reset()
    page.open(box, "network")
    assert page.find("#ping-target").get_attribute("value") == ""
    page.fill("ping-target", "127.0.0.1")
    page.saved("network")
    assert json.loads(page.run("return seen.patches.at(-1)")) == {"Internet": {"PingTarget": "127.0.0.1"}}
    assert box.config()["Internet"]["PingTarget"] == "127.0.0.1"
    page.until_text('[data-light="Internet"]', "OK")
    page.fill("ping-target", "")
    page.saved("network")
    assert box.config()["Internet"]["PingTarget"] == ""
    page.until_text('[data-light="Internet"]', "not measured")


def test_the_router_is_shown_and_whether_it_answers(page, box):
    page.open(box, "network")
    page.until_text("#network-now", "Host name")
    state = box.api("GET", "/api/v1/status")[1]["State"]
    for ok, says in ((True, "192.0.2.1, answers"), (False, "192.0.2.1, does not answer"), (None, "192.0.2.1")):
        state["Network"].update(Gateway="192.0.2.1", GatewayOk=ok)
        page.hear(state)
        assert page.facts("network-now")["Gateway"] == says


# --- languages -----------------------------------------------------------------------------------

def test_speaks_three_languages_and_remembers(page, box):
    page.open(box)
    titles = {}
    for language in ("fr", "nl", "en"):
        page.speak(language)
        assert page.run("return document.documentElement.lang") == language
        titles[language] = tuple(map(page.text, ("#title-network", '[data-light="Meter"] span', "#direction")))
    assert len(set(titles.values())) == 3
    page.speak("nl")
    page.screenshot("dutch")
    page.open(box)
    assert page.find("#language").get_attribute("value") == "nl"
    page.speak("en")


def test_every_text_is_there_in_all_three_languages(page, box):
    page.open(box)
    languages = page.browser.execute_async_script(
        "const done = arguments[0];"
        "Promise.all(['en', 'nl', 'fr'].map(one => import(`/texts-${one}.js`).then(module => module.TEXTS))).then(done)")
    keys = re.findall(r"^  (\w+): \{en: ", (WEB / "texts.js").read_text(), re.M)
    table = {key: [texts[key] for texts in languages] for key in keys}
    assert len(table) == len(keys) > 150 and all(sorted(texts) == sorted(keys) for texts in languages)
    for key, texts in table.items():
        assert all(isinstance(text, str) and text.strip() for text in texts), key
        slots = [sorted(re.findall(r"\{\w+\}", text)) for text in texts]
        assert slots[0] == slots[1] == slots[2], key
    sources = {path: path.read_text() for path in WEB.iterdir()}
    html = sources[WEB / "index.html"]
    used = set(re.findall(r'data-(?:text|save|text-attr)="(?:[\w-]+:)?(\w+)"', html))
    assert used <= set(table)
    words = set(re.findall(r"\w+", " ".join(text for path, text in sources.items() if path.name != "texts.js")))
    composed = {key for key in table if re.fullmatch(r"medium\d+|energy(Im|Ex)portTariff", key)}
    assert set(table) - words - composed == set(), "texts nobody uses"


def test_meter_states_are_translated(page, other_box):
    box = other_box("tcp:127.0.0.1:1")
    page.open(box)
    page.until_text('[data-light="Meter"]', "cannot be opened")
    assert page.find("#meter-advice").is_displayed()
    page.speak("fr")
    assert "impossible d’ouvrir l’entrée" in page.text('[data-light="Meter"]')
    page.speak("en")


# --- reach ---------------------------------------------------------------------------------------

def test_fits_a_phone_in_every_language(page, box):
    page.size(*PHONE)
    page.open(box)
    page.until_text("#energies", "kWh")
    page.run("document.querySelectorAll('details').forEach(d => d.open = true);"
             "document.querySelectorAll('[data-when]').forEach(part => part.hidden = false)")
    for language in ("fr", "nl", "en"):
        page.speak(language)
        for view in VIEWS:
            page.show(view)
            assert page.run(TOO_WIDE) == [] == page.run(TOO_SMALL), (language, view)
    page.go("status")
    page.screenshot("phone")


def assert_scheme(page, scheme):
    darkness = page.run("return getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
    assert max(darkness) < 40 if scheme == "dark" else min(darkness) > 215, (scheme, darkness)


def test_contrast_is_enough_in_light_and_dark(page, box):
    page.open(box)
    page.until_text("#energies", "kWh")
    for scheme in ("light", "dark"):
        page.media(prefers_color_scheme=scheme)
        assert_scheme(page, scheme)
        for view in VIEWS:
            page.show(view)
            assert page.run(CONTRAST) == [], (scheme, view)
    page.show("status")
    page.screenshot("dark")


def test_nothing_moves_for_those_who_asked_so(page, box):
    page.open(box)
    state = box.api("GET", "/api/v1/status")[1]["State"]
    animations = ("return [...document.querySelectorAll('.led')].filter(e => e.checkVisibility())"
                  ".map(e => getComputedStyle(e).animationName)")
    for led, moves in (("no-meter-data", True), ("no-ip-address", True), ("no-data-and-no-ip", True),
                       ("normal", False)):  # one colour: nothing to redraw sixty times a second
        state["Led"]["State"] = led
        page.hear(state)
        page.media(prefers_reduced_motion="no-preference")
        assert set(page.run(animations)) == {"blink" if moves else "none"}, led
        page.media(prefers_reduced_motion="reduce")
        assert set(page.run(animations)) == {"none"}, led


def test_a_setting_is_changed_with_the_keyboard_alone(page, box):
    box.reset()
    page.open(box)

    def tab_to(selector, most=80):
        for _ in range(most):
            page.browser.switch_to.active_element.send_keys(Keys.TAB)
            if page.run("return document.activeElement.matches(arguments[0])", selector):
                outline = page.run("return getComputedStyle(document.activeElement).outlineStyle")
                assert outline != "none", f"the focus is not to be seen at {selector}"
                return page.browser.switch_to.active_element
        raise AssertionError(f"the keyboard does not reach {selector}")

    tab_to(".skip").send_keys(Keys.ENTER)
    assert page.run("return document.activeElement.id") == "content"
    page.browser.refresh()
    page.wait_ready()
    tab_to('nav a[href="#meter"]').send_keys(Keys.ENTER)
    page.until("the section's title in focus", "return document.activeElement.id === 'title-meter'")
    tab_to("#grid").send_keys(Keys.ARROW_DOWN)
    tab_to("#stale-after").send_keys(Keys.CONTROL, "a")
    page.browser.switch_to.active_element.send_keys("25")
    tab_to("#estimate").send_keys(Keys.SPACE)
    tab_to("#form-meter [type=submit]").send_keys(Keys.ENTER)
    page.until_text("#form-meter .save [role=status]", "Saved.")
    meter = box.config()["Meter"]
    assert (meter["Grid"], meter["StaleAfter"], meter["EstimateU31"]) == ("star", 25, True)


def test_everything_that_can_be_operated_has_a_name(page, box):
    page.open(box)
    page.run("document.querySelectorAll('.view, [data-when]').forEach(part => part.hidden = false)")
    tree = page.browser.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    roles = {"textbox", "combobox", "spinbutton", "radio", "checkbox", "button", "link", "radiogroup", "image", "group"}
    shown = [node for node in tree if not node.get("ignored") and node["role"]["value"] in roles]
    assert len(shown) > 60
    nameless = [node for node in shown if not node.get("name", {}).get("value", "").strip()]
    # A fold is a group of its summary's.
    assert [node for node in nameless if node["role"]["value"] != "group"] == []


# --- when things go wrong ------------------------------------------------------------------------

def test_refusals_are_told_and_overcome(page, box):
    page.open(box)
    for status, says, detail in ((429, "Too many wrong passwords", "locked out"),
                                 (503, "The gateway reports a problem.", "too many connections"),
                                 (401, "The login is no longer accepted.", "")):
        page.run("""
            const [status, detail] = arguments;
            seen.answer = () => new Response(JSON.stringify({type: 'about:blank', title: 'no', status, detail}),
              {status, headers: {'Content-Type': 'application/problem+json', 'Retry-After': '1'}});
            const source = seen.sources.at(-1);
            source.close();
            source.onerror();""", status, detail)
        text = page.until_text("#banners", says)
        assert detail in text, status
        page.run("seen.answer = null")
        if status != 401:  # that one asks for a new login
            page.until(f"the connection again after {status}",
                       "return !document.getElementById('banner-connection')")


@needs_faketime
def test_a_second_address_is_told_who_is_there_and_waits(page, other_box, tmp_path):
    """The page itself needs no session; what it asks for gets a 409, until the other one has been silent for 60 s: the
    first 50 pass at once, by the gateway's clock."""
    clock = FakeClock(tmp_path, asleep=True)
    box = other_box("sim:dsmr50", env=clock.env)
    assert box.api("GET", "/api/v1/config", source="127.0.0.2")[0] == 200
    clock.set(50)
    page.open(box, wait=False)
    assert "in use by 127.0.0.2" in page.until_text("#banners", "Another address is using this gateway.")
    assert box.api("GET", "/api/v1/status")[0] == 409
    page.screenshot("second-address")
    page.speak("nl")
    page.until_text("#banners", "Een ander adres gebruikt deze gateway.")
    page.speak("en")
    page.run("seen.alreadyHere = true")
    page.until("the connection by itself", "return !document.getElementById('banner-connection')", seconds=75)
    page.wait_ready()
    assert page.run("return seen.alreadyHere"), "without being loaded again"
    page.until_text('[data-light="Meter"]', "receiving")


def test_comes_back_by_itself_after_the_gateway(page, other_box):
    box = other_box("sim:dsmr50")
    page.open(box)
    box.stop()
    page.until_text("#banners", "No contact with the gateway")
    page.go("meter")
    page.fill("stale-after", "33")
    page.save("meter")
    page.until_text("#form-meter [role=alert]", "No contact with the gateway")
    box.restart()
    page.until("the connection again", "return !document.getElementById('banner-connection')")
    page.saved("meter")
    assert box.config()["Meter"]["StaleAfter"] == 33


# --- service -------------------------------------------------------------------------------------

def test_firmware_and_counters(page, box):
    page.open(box, "service")
    firmware = box.api("GET", "/api/v1/firmware")[1]
    page.until_text("#firmware", firmware["Version"])
    page.until_text("#firmware", "the package manager")
    page.press("#view-service summary")
    page.until_text("#counters", "telegrams_pass")


def test_restart_and_factory_reset(page, box):
    box.change(Modbus={"MaxClients": 9})
    page.open(box, "service")
    page.press("#restart")
    page.until_text("#reset-status", "The network is being restarted.")
    assert box.config()["Modbus"]["MaxClients"] == 9
    page.press("#factory")
    assert not page.find("#confirm-yes").is_enabled(), "two steps"
    page.press("#confirm-no")
    assert box.config()["Modbus"]["MaxClients"] == 9
    page.press("#factory")
    assert not page.find("#confirm-sure").is_selected()
    page.press("label:has(#confirm-sure)")
    page.press("#confirm-yes")
    page.until_text("#reset-status", "back to their defaults")
    assert box.config()["Modbus"]["MaxClients"] == 4
    page.until("the forms to follow", "return document.getElementById('clients').value === '4'")


def change_password(page, old, new, again=None):
    for name, text in (("old", old), ("new", new), ("again", new if again is None else again)):
        page.fill(f"password-{name}", text)
    page.press("#form-password [type=submit]")


def test_password_is_changed_and_asked_for_again(page, other_box):
    box = other_box("sim:dsmr50")
    label = box.login
    page.open(box, "service")
    assert page.run("return [...document.querySelectorAll('#form-password [data-secret]')]"
                    ".map(input => [input.type, input.autocomplete])") == [
        ["password", "current-password"], ["password", "new-password"], ["password", "new-password"]]
    page.press("#password-new ~ button")
    assert page.find("#password-new").get_attribute("type") == "text"
    page.run("seen.alreadyHere = true")
    change_password(page, label, OWN)
    page.until_text("#password-status", "Password changed. The browser will ask for the new one")
    assert not page.run("return document.getElementById('banner-connection')"), "nothing is wrong"
    assert page.run("return [...document.querySelectorAll('#form-password [data-secret]')]"
                    ".map(input => input.value).join('')") == ""
    page.screenshot("password")
    page.until("the browser to ask", "return !window.seen?.alreadyHere && !document.getElementById('content')")
    assert box.api("GET", "/api/v1/config", login=label, source="127.0.0.3")[0] == 401, "the old one"
    box.login = OWN
    wait_until(lambda: box.api("GET", "/api/v1/config")[0] == 200, "the new one")
    page.browser.logged_in = None
    page.open(box, "service")
    assert page.complaints() == []


REFUSED_PASSWORDS = [  # the old one, if not that of the label, the new one twice; the field that is blamed, and why
    ("not the password", OWN, OWN, "old", "Not accepted: is not the password that opens now"),
    (None, "too short", "too short", "new", "Not accepted: must have 10 to 128 bytes"),
    (None, OWN, OWN.upper(), "again", "The two new passwords differ."),
    ("", OWN, OWN, "old", "Enter the current password.")]


def test_refused_password_is_explained_beside_its_field(page, other_box):
    box = other_box("sim:dsmr50")
    page.open(box, "service")
    posts = 0
    for old, new, again, blamed, says in REFUSED_PASSWORDS:
        change_password(page, box.login if old is None else old, new, again)
        field = page.find(f"#password-{blamed}")
        wait_until(lambda: field.get_attribute("aria-invalid") == "true", f"a complaint at {blamed}")  # noqa: B023
        assert page.text(f"#password-{blamed}-complaint").strip() == says
        assert f"password-{blamed}-complaint" in field.get_attribute("aria-describedby").split(), says
        assert page.run("return [...document.querySelectorAll('#form-password [aria-invalid=true]')].length") == 1, says
        assert page.run("return document.activeElement") == field, says
        assert page.text("#password-problem").startswith("Not saved."), says
        posts += says.startswith("Not accepted")
        assert len(page.run("return seen.posts")) == posts, says
        if blamed == "new":
            assert "password-new-hint" in field.get_attribute("aria-describedby").split(), "the rule"
            page.screenshot("password-refused")
            page.speak("fr")
            assert page.text("#password-new-complaint").startswith("Non accepté\u00a0:")
            assert page.text("#password-problem").startswith("Non enregistré.")
            page.speak("en")
        field.send_keys("1")
        assert field.get_attribute("aria-invalid") is None, says
        page.until(f"the live values again after {says}", "return !document.getElementById('banner-connection')"
                   " && seen.sources.at(-1).readyState === EventSource.OPEN")
        assert box.api("GET", "/api/v1/config")[0] == 200, "still the one of the label"
    assert page.run("return seen.problems") == []


def test_report_tells_no_secret(page, box):
    box.reset()
    box.change(MQTT={"Broker": "mqtts://broker.secret-cloud.example", "Username": "secret-user", "Password": "secret1",
                     "Site": "secret-site"}, Metrics={"Token": "secret-token-secret"},
               WiFi={"ConnectionData": {"WiFiSSID": "secret-wifi", "WiFiPassword": "secret12"}})
    page.open(box, "service")
    page.press("#report")
    page.until_text("#report-status", "Report made")
    report = page.until("the file", "return seen.blobs[0]")
    meter = box.api("GET", "/api/v1/readings")[1]["texts"]
    assert "secret" not in report and MASK not in report and harness.SERIAL not in report
    assert not [text for key, text in meter.items() if key.endswith(("_id", "ean")) and text in report]
    report = json.loads(report)
    assert report["status"]["State"]["Counters"]["telegrams_pass"] > 0
    assert report["status"]["MQTT"]["Publish"] == "telegram" and "Waiting" in report["status"]["State"]["MQTT"]
    assert "power_w" in report["readings"]["values"] and report["firmware"]["Version"]
    box.reset()


# --- the way there -------------------------------------------------------------------------------

def test_plain_door_leads_to_the_secure_page(page, box):
    page.size(*PHONE)
    page.open(box)
    page.complaints()
    page.browser.get(f"http://{box.http}/")
    opened = time.monotonic()
    assert page.complaints() == []
    assert page.text(".serial") == harness.SERIAL
    for scheme in ("dark", "light"):
        page.media(prefers_color_scheme=scheme)
        assert_scheme(page, scheme)  # its style sheet is in force
        assert page.run("return document.documentElement.scrollWidth <= innerWidth"), scheme
        assert page.run(CONTRAST) == [], scheme
    assert page.run("return [...document.querySelectorAll('[lang]')].map(node => node.lang)") == [
        "en", "nl", "fr", "nl", "nl", "fr", "fr"]
    page.screenshot("landing")
    link = page.find("a")
    assert link.get_attribute("href") == f"{box.origin}/" and link.size["height"] >= 44
    # Reading it: connections of the page before give way after a second.
    time.sleep(max(0, opened + 1.5 - time.monotonic()))
    link.click()
    page.wait_ready()
    assert page.browser.current_url == f"{box.origin}/"


# --- the files -----------------------------------------------------------------------------------

TEXTS = {f"texts-{language}.js" for language in ("en", "nl", "fr")}
LOADED = "return performance.getEntriesByType('resource').map(one => new URL(one.name).pathname.slice(1))"


def test_the_page_is_small(page, box):
    files = {path.name: box.file(path.name) for path in WEB.iterdir() if path.name != "texts.js"}
    files.update({name: box.file(name) for name in TEXTS})
    page.open(box)
    assert TEXTS.intersection(page.run(LOADED)) == {"texts-en.js"}, "of one language"
    longest = max(TEXTS, key=lambda name: len(files[name]))
    assert sum(len(packed) for name, packed in files.items() if name not in TEXTS - {longest}) < 60 * 1024
    for name, packed in files.items():
        text = gzip.decompress(packed).decode()
        assert not re.search(r"^ | $|^//|^/\*|<!--", text, re.M) or name.endswith(".svg"), f"{name} is not squeezed"


def test_no_text_goes_on_in_another_line():
    """What is squeezed out at the ends of lines is no part of a text."""
    for path in WEB.glob("*.js"):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            assert line.count("`") % 2 == 0 and not line.endswith("\\"), f"{path.name}:{number}"


def test_the_page_writes_no_markup_and_loads_nothing_from_elsewhere():
    for path in WEB.iterdir():
        text = path.read_text()
        assert not re.search(r"(inner|outer|Adjacent)HTML|document\.write|\beval\(|new Function", text), path
        assert not re.search(r"""(?:src|href|from|url\()\s*=?\s*["'(]?https?:""", text), path
        assert path.suffix != ".html" or not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*src=)", text), path
