"""The web page of a box that looks after its own network, and of its LED and button.

A gateway on loopback has no network to change.  So these tests say in its place what the state of the network is; the
page, its forms and what they ask for are real.
"""
import copy
import json

import pytest

from browser_kit import CONTRAST, PHONE, TOO_SMALL, TOO_WIDE, needs_browser
from browser_kit import fixture_box, fixture_browser, fixture_page  # noqa: F401
from harness import SERIAL, wait_until
from selenium.webdriver.common.keys import Keys

WIFI, ACCESS_POINT, CONFIG = "/api/v1/wifi", "/api/v1/access-point", "/api/v1/config"
NAME = f"smart-connect-{SERIAL.lower()}.local"
FOUND = [{"SSID": "Modern", "Signal": 90, "Security": "wpa3", "Frequency": 2437},
         {"SSID": "Home", "Signal": 71, "Security": "wpa2", "Frequency": 2412},
         {"SSID": "Café <b>5</b>", "Signal": 40, "Security": "open", "Frequency": 5180},
         {"SSID": "Office", "Signal": 20, "Security": "other", "Frequency": 2462}]
ETHERNET = {"Name": "eth0", "Carrier": True, "Addresses": ["192.0.2.50/24"], "SSID": None, "Signal": None}
RADIO = {"Name": "wlan0", "Carrier": True, "Addresses": ["192.0.2.60/24"], "SSID": "Home", "Signal": 71}
HOME = {"IpMode": "DHCP", "ConnectionData": {"WiFiSSID": "Home", "WiFiPassword": "********"}}
LIST = "return [...document.querySelectorAll('#wifi-list label')].map(label => label.textContent)"
CHOSEN = "return document.querySelector('#wifi-list :checked')?.value ?? null"

pytestmark = needs_browser


class Managed:
    """What the page hears of such a box."""

    def __init__(self, page, box, view="network"):
        self.page, self.box = page, box
        page.open(box, view)
        # The real gateway, which leaves its network alone, is not heard again.
        page.run("window.EventSource = class extends EventTarget { close() {} }")
        self.state = box.api("GET", "/api/v1/status")[1]["State"]
        self.config = {**box.config(), "Network": {"Rollback": True}}
        self.state["Network"].update(
            Managed=True, State="connected", Ok=True, Problem=None, Interface="Ethernet", Card=ETHERNET,
            Addresses=["192.0.2.50", "2001:db8::50"], Gateway="192.0.2.1", GatewayOk=True, DNS=["192.0.2.1"], Trial=None,
            AccessPoint={"State": "off", "SSID": f"SC-{SERIAL}", "Address": "192.168.71.1"})
        self.state.update(Button=None)
        self.keep()
        self.say()
        page.until("these settings", "return document.getElementById('rollback').checked")

    def keep(self, **config):
        """The settings are these from now on."""
        self.config.update(config)
        self.state["Configuration"]["Revision"] += 1
        etag = f'"{self.state["Configuration"]["Revision"]}"'
        for method in ("GET", "PATCH"):
            self.page.answer(f"{method} {CONFIG}", 200, self.config, ETag=etag)

    def say(self, **network):
        self.state["Network"].update(network)
        self.page.hear(self.state)

    def save(self, **config):
        """Saves what was typed, which makes these settings."""
        revision = self.state["Configuration"]["Revision"]
        self.keep(**config)
        self.page.saved("network")
        self.state["Configuration"]["Revision"], new = revision, self.state["Configuration"]["Revision"]
        self.say()  # on its way before they were saved
        self.state["Configuration"]["Revision"] = new

    def asked(self, what):
        return self.page.run("return seen.asked.filter(one => one === arguments[0]).length", what)


@pytest.fixture(name="managed")
def fixture_managed(page, box):
    return Managed(page, box)


def static(address):
    return {"IpMode": "Static", "StaticIPv4": {"IpAddress": address, "Netmask": "24", "Gateway": "", "DNS": ""}}


def set_address(managed, address):
    managed.page.choose("/Ethernet/IpMode", "Static")
    managed.page.fill("eth-address", address)
    managed.save(Ethernet=static(address))


# --- what is -------------------------------------------------------------------------------------

def test_the_network_is_told_in_words(managed, page):
    assert not page.find("#unmanaged").is_displayed()
    facts = page.facts("network-now")
    assert (facts["Connection"], facts["Active interface"], facts["Gateway"]) == (
        "connected", "Ethernet (eth0)", "192.0.2.1, answers")
    assert facts["Addresses"] == "192.0.2.50/24, 2001:db8::50" and "Signal" not in facts
    managed.say(Interface="WiFi", Card=RADIO, Addresses=["192.0.2.60"])
    facts = page.facts("network-now")
    assert (facts["Active interface"], facts["Network name (SSID)"], facts["Signal"], facts["Addresses"]) == (
        "Wi-Fi (wlan0)", "Home", "71 %", "192.0.2.60/24")
    told = set()
    for state, interface in (("no-manager", None), ("no-card", "WiFi"), ("no-link", "Ethernet"), ("no-link", "WiFi"),
                             ("connecting", "WiFi"), ("link-local", "Ethernet"), ("failed", "WiFi")):
        managed.say(State=state, Interface=interface, Card=None, Ok=False, Addresses=[], Problem=f"because of {state}")
        words = page.facts("network-now")["Connection"]
        assert page.text('[data-light="Network"] span') == words
        assert page.text("#network-problem") == f"because of {state}"
        told.add(words)
    assert len(told) == 7 and not told & {"no-manager", "no-card", "no-link", "link-local", "failed"}
    managed.say(State="connected", Ok=True, Problem=None)
    assert not page.find("#network-problem").is_displayed() and page.text('[data-light="Network"] span') == "OK"


def test_a_host_that_looks_after_its_network_is_offered_nothing(page, box):
    page.open(box, "network")
    page.choose("/DefaultNetIf", "WiFi")
    assert page.find("#unmanaged").is_displayed() and page.find("#ssid").is_displayed()
    for part in ("wifi-networks", "access-point", "trial"):
        assert not page.find(f"#{part}").is_displayed(), part
    assert page.run("return seen.asked.filter(one => one.includes('wifi')).length") == 0


# --- Wi-Fi ---------------------------------------------------------------------------------------

def show_networks(managed, networks=FOUND):
    managed.page.answer(f"GET {WIFI}", 200, {"Scanning": False, "Age": 40, "Networks": networks})
    managed.page.choose("/DefaultNetIf", "WiFi")
    managed.page.until("the networks", f"{LIST}.length === arguments[0]", len(networks))


def test_a_network_in_reach_is_chosen(managed, page):
    show_networks(managed)
    assert page.run(LIST) == ["Modern90 %, WPA3 only, cannot be used", "Home71 %, WPA2",
                              "Café <b>5</b>40 %, open, 5 GHz", "Office20 %, cannot be used"]
    assert page.run("return [...document.querySelectorAll('#wifi-list input')].map(one => one.disabled)") == [
        True, False, False, True]
    assert page.text("#wifi-age").startswith("Found on ")
    page.press('#wifi-list label:has([value="Home"])')
    assert page.find("#ssid").get_attribute("value") == "Home" == page.run(CHOSEN)
    page.save("network")
    page.until_text("#wifi-password-complaint", "Fill this in.")
    assert page.run("return seen.patches") == [], "it wants a password"
    page.fill("wifi-password", "correct horse")
    managed.save(DefaultNetIf="WiFi")
    assert json.loads(page.run("return seen.patches.at(-1)")) == {
        "DefaultNetIf": "WiFi", "WiFi": {"ConnectionData": {"WiFiSSID": "Home", "WiFiPassword": "correct horse"}}}


def test_a_hidden_network_is_typed(managed, page):
    show_networks(managed)
    page.press('#wifi-list label:has([value="Home"])')
    page.fill("ssid", "Hidden")
    assert page.run(CHOSEN) is None
    page.fill("ssid", "Home")
    assert page.run(CHOSEN) == "Home", "the choice follows what is typed"


def test_a_password_goes_with_its_network(managed, page):
    page.answer(f"GET {WIFI}", 200, {"Scanning": False, "Age": 40, "Networks": FOUND})
    managed.keep(DefaultNetIf="WiFi", WiFi=HOME)
    managed.say()
    page.until("the networks", f"{LIST}.length === 4")
    password = page.find("#wifi-password")
    page.press('#wifi-list label:has([value="Café <b>5</b>"])')
    assert (page.find("#ssid").get_attribute("value"), password.get_attribute("value")) == ("Café <b>5</b>", "")
    page.press('#wifi-list label:has([value="Home"])')
    assert password.get_attribute("value") == "********" and not page.find("#form-network .mark").is_displayed()


def test_networks_are_searched_for(managed, page):
    show_networks(managed, [])
    assert page.text("#wifi-age").startswith("None found on ")
    page.answer(f"POST {WIFI}", 202, {})
    page.answer(f"GET {WIFI}", 200, {"Scanning": True, "Age": 40, "Networks": []})
    page.press("#wifi-search")
    page.until_text("#wifi-status", "Searching")
    assert page.find("#wifi-search").get_attribute("aria-disabled") == "true"
    page.answer(f"GET {WIFI}", 200, {"Scanning": False, "Age": 0, "Networks": FOUND})
    page.until_text("#wifi-status", "Search finished.")
    assert len(page.run(LIST)) == 4 and page.find("#wifi-search").get_attribute("aria-disabled") == "false"
    page.answer(f"POST {WIFI}", 409, {"title": "Conflict", "detail": "there is no Wi-Fi card"})
    page.press("#wifi-search")
    page.until_text("#wifi-problem", "Not done: there is no Wi-Fi card")
    managed.state["Network"]["AccessPoint"]["State"] = "on"
    managed.say()
    asked = managed.asked(f"POST {WIFI}")
    page.press("#wifi-search")
    assert page.find("#wifi-deaf").is_displayed() and managed.asked(f"POST {WIFI}") == asked
    assert len(page.run(LIST)) == 4, "what was found before"


def test_a_network_is_chosen_with_the_keyboard(managed, page):
    show_networks(managed)
    page.press('#wifi-list label:has([value="Home"])')
    page.browser.switch_to.active_element.send_keys(Keys.ARROW_DOWN)
    assert page.run("return document.activeElement.value") == "Café <b>5</b>" == page.run(CHOSEN)
    page.speak("nl")
    page.run("document.querySelector('#wifi-list :checked').focus()")
    page.browser.switch_to.active_element.send_keys(Keys.ARROW_UP)
    assert page.find("#ssid").get_attribute("value") == "Home" == page.run(CHOSEN)
    page.speak("en")


# --- access point --------------------------------------------------------------------------------

def test_the_access_point_is_started_once_it_is_meant(managed, page):
    page.answer(f"POST {ACCESS_POINT}", 202, {})
    assert page.facts("access-point-now") == {
        "Connection": "off", "Network name (SSID)": f"SC-{SERIAL}", "Wi-Fi password": "the login on the label",
        "Address": "192.168.71.1"}
    page.press("#access-point-switch")
    text = page.text("#confirm-text")
    assert f"SC-{SERIAL}" in text and "login on the label" in text and "that connection ends" in text
    assert page.run("return document.activeElement.id") == "confirm-no"
    assert not page.find("#confirm-sure").is_displayed()
    page.press("#confirm-no")
    page.press("#access-point-switch")
    page.browser.switch_to.active_element.send_keys(Keys.ESCAPE)
    assert page.run("return seen.posts") == []
    page.press("#access-point-switch")
    page.press("#confirm-yes")
    page.until_text("#access-point-status", "The access point starts.")
    for state in ("starting", "on"):
        managed.state["Network"]["AccessPoint"]["State"] = state
        managed.say()
        assert page.facts("access-point-now")["Connection"] == state
    page.press("#access-point-switch")
    page.until_text("#access-point-status", "The access point ends.")
    assert [json.loads(body) for body in page.run("return seen.posts")] == [{"Active": True}, {"Active": False}]
    page.answer(f"POST {ACCESS_POINT}", 409, {"title": "Conflict", "detail": "there is no Wi-Fi card"})
    page.press("#access-point-switch")
    page.until_text("#access-point-problem", "Not done: there is no Wi-Fi card")


# --- a change on trial ---------------------------------------------------------------------------

def test_a_change_holds_once_the_page_is_reached(managed, page):
    set_address(managed, "192.0.2.51")
    assert page.text("#trial-text").startswith("The network settings change now.")
    port = managed.box.https.split(":")[1]
    assert page.run("return [...document.querySelectorAll('#trial-links a')].map(link => link.href)") == [
        f"https://{NAME}:{port}/", f"https://192.0.2.51:{port}/"]
    left = page.until_text("#trial-left", "hold for good once this page is reached again within ")
    page.until_text("#trial-left", lambda text: text != left, "the time to pass")
    assert not page.find("#trial-close").is_displayed()
    polls = managed.asked("GET /api/v1/status")
    managed.say(State="connecting", Trial={"Left": 55})
    page.until_text("#trial-left", " 5")
    managed.say(State="connected", Trial={"Left": 30})
    wait_until(lambda: managed.asked("GET /api/v1/status") == polls + 1, "the page to be reached, and not before")
    page.screenshot("trial")
    managed.say(Trial=None)
    page.until_text("#trial-text", "The new network settings hold for good.")
    assert page.text("#trial-left") == "" and not page.find("#trial-links").is_displayed()
    page.press("#trial-close")
    assert not page.find("#trial").is_displayed()


def test_settings_that_returned_are_told(managed, page):
    before = copy.deepcopy(managed.config["Ethernet"])
    set_address(managed, "198.51.100.7")
    managed.say(State="connected", Trial={"Left": 0.2})
    page.until_text("#trial-left", "The time is up")
    managed.keep(Ethernet=before)
    managed.say(Trial=None)
    page.until_text("#trial-text", "The previous network settings have returned")
    page.until("the form to follow", "return !document.getElementById('eth-address').checkVisibility()")
    page.screenshot("returned")


def test_a_password_that_returned_is_told(managed, page):
    """Passwords are not shown, so nothing that is heard differs but the revision."""
    for returns, says in ((True, "The previous network settings have returned"), (False, "hold for good.")):
        managed.keep(DefaultNetIf="WiFi", WiFi=HOME)
        managed.say()
        page.until("the network", "return document.getElementById('ssid').value === 'Home'")
        page.fill("wifi-password", f"a wrong one {returns}")
        managed.save()
        managed.say(Trial={"Left": 20})
        page.until_text("#trial-left", " 20 s")
        if returns:
            managed.keep()
        managed.say(Trial=None)
        page.until_text("#trial-text", says)


def test_a_change_of_something_else_during_a_trial_is_no_return(managed, page):
    set_address(managed, "192.0.2.51")
    managed.say(Trial={"Left": 20})
    managed.keep(MQTT={**managed.config["MQTT"], "Site": "elsewhere"})
    managed.say(Trial=None)
    page.until_text("#trial-text", "The new network settings hold for good.")


def test_a_phone_at_the_access_point_is_sent_home(managed, page):
    managed.state["Network"]["AccessPoint"]["State"] = "on"
    managed.state["Session"]["Address"] = "192.168.71.23"
    managed.say()
    show_networks(managed)
    page.press('#wifi-list label:has([value="Home"])')
    page.fill("wifi-password", "correct horse")
    managed.save(DefaultNetIf="WiFi")
    assert "Connect this phone or computer to your home network again, then open:" in page.text("#trial-text")
    assert NAME in page.text("#trial-links") and "s. Otherwise" in page.text("#trial-left")


def test_without_a_trial_the_page_only_says_where_to_look(managed, page):
    page.choose("/Network/Rollback", "on")
    managed.save(Network={"Rollback": False})
    assert json.loads(page.run("return seen.patches.at(-1)")) == {"Network": {"Rollback": False}}
    assert not page.find("#trial").is_displayed(), "nothing moves"
    page.fill("ping-target", "192.0.2.9")
    managed.save(Internet={"PingTarget": "192.0.2.9"})
    assert not page.find("#trial").is_displayed(), "nothing moves"
    set_address(managed, "192.0.2.51")
    assert NAME in page.text("#trial-links") and page.text("#trial-left") == ""
    page.press("#trial-close")
    assert not page.find("#trial").is_displayed()


def test_a_trial_begun_elsewhere_is_shown(managed, page):
    managed.say(Trial={"Left": 33})
    page.until_text("#trial-left", " 33 s")
    managed.say(Trial=None)
    page.until_text("#trial-text", "hold for good.")


# --- LED and button ------------------------------------------------------------------------------

LEDS = {"booting": ("red, steady", "none"), "initialising": ("changing colours", "change"),
        "normal": ("green, steady", "none"), "no-meter-data": ("red and green in turn", "blink"),
        "no-ip-address": ("green and orange in turn", "blink"), "no-data-and-no-ip": ("red and orange in turn", "blink"),
        "access-point": ("blue, blinking", "blink"), "access-point-no-data": ("blue and red in turn", "blink")}


def test_each_state_of_the_led_is_drawn_and_told(page, box):
    managed = Managed(page, box, "status")
    looks = set()
    for state, (color, animation) in LEDS.items():
        managed.state["Led"] = {"State": state, "Color": "x", "Problem": None}
        managed.say()
        assert page.text("[data-led-color]") == color and page.text(".device [data-led-text]") != state
        page.media(prefers_reduced_motion="no-preference")
        assert page.run("return getComputedStyle(document.querySelector('.device .led')).animationName") == animation
        page.media()
        looks.add(page.run("return getComputedStyle(document.querySelector('.device .led')).backgroundImage"))
    assert len(looks) == len(LEDS), "each its own, also where nothing moves"


def test_the_button_and_what_is_wrong_with_the_front_are_told(page, box):
    managed = Managed(page, box, "status")
    assert not page.find("#button").is_displayed() and not page.find("#panel-problem").is_displayed()
    for button, says in (({"Pressed": True, "Last": None}, "pressed"),
                         ({"Pressed": False, "Last": None}, "not used since the start"),
                         ({"Pressed": False, "Last": "soft-reset"}, "Restart network, "),
                         ({"Pressed": False, "Last": "access-point"}, "Access point, "),
                         ({"Pressed": False, "Last": "factory-reset"}, "Factory reset, ")):
        managed.state["Button"] = {"LastAge": 90, "Problem": None, **button}
        managed.say()
        assert page.text("#button b").startswith(says)
    managed.state["Button"]["Problem"] = "no line 17"
    managed.state["Led"]["Problem"] = "no such LED"
    managed.say()
    assert page.text("#panel-problem") == "no such LED; no line 17"
    for factory, says in ((True, "yes"), (False, "no"), (None, "unknown")):
        managed.state["Configuration"]["Factory"] = factory
        managed.say()
        assert page.facts("device")["Settings as from the factory"] == says
    page.screenshot("panel")


# --- reach ---------------------------------------------------------------------------------------

@pytest.fixture(name="crowded")
def fixture_crowded(managed, page):
    """Everything there is in this view, at once."""
    show_networks(managed, [*FOUND, {**FOUND[1], "SSID": "W" * 32}])
    page.fill("ssid", "Home")
    page.fill("wifi-password", "correct horse")
    managed.save(DefaultNetIf="WiFi", WiFi=HOME)
    managed.state["Network"]["AccessPoint"]["State"] = "on"
    managed.say(State="failed", Problem="the Wi-Fi password is wrong", Trial={"Left": 55}, Interface="WiFi", Card=RADIO)
    return managed


def test_fits_a_phone_in_every_language(crowded, page):
    page.size(*PHONE)
    for language in ("fr", "nl", "en"):
        page.speak(language)
        assert page.run(TOO_WIDE) == [] == page.run(TOO_SMALL), language
    page.run("document.getElementById('wifi-list').scrollIntoView()")
    page.screenshot("network-phone")
    page.press("#access-point-switch")  # ends it
    crowded.state["Network"]["AccessPoint"]["State"] = "off"
    crowded.say()
    page.press("#access-point-switch")
    assert page.run(TOO_WIDE) == [] == page.run(TOO_SMALL)
    page.screenshot("access-point")
    page.press("#confirm-no")


def test_contrast_is_enough_in_light_and_dark(crowded, page):
    for scheme in ("light", "dark"):
        page.media(prefers_color_scheme=scheme)
        assert page.run(CONTRAST) == [], scheme
    page.screenshot("network-dark")
    assert crowded.page.complaints() == []


def test_everything_has_a_name_and_a_place_in_the_tree(crowded, page):
    tree = page.browser.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    names = {(node["role"]["value"], node.get("name", {}).get("value", "")) for node in tree if not node.get("ignored")}
    for role, name in (("radiogroup", "Networks in reach"), ("group", "Networks in reach")):
        if (role, name) in names:
            break
    else:
        raise AssertionError(f"the list has no name: {names}")
    assert ("radio", "Home 71 %, WPA2") in names and ("button", "End access point") in names
    assert {"alert", "timer"} <= {role for role, _ in names}, "a change is announced, its seconds are not"
    assert not [role for role, name in names if not name and role in ("radio", "button", "link", "checkbox", "textbox")]
    assert crowded.page.complaints() == []
