"""A Wi-Fi box is put up, as manual V1.8, 5.1 option B tells it: from the button to the charger, and back to a box as it
left the factory."""
import re

from bad_inputs import bad_input
from box_guest_kit import BLUE, DARK, GREEN, ORANGE, PATIENCE, recipe
from box_story_kit import CONFIG, HOST_NAME, OPENED, VOLTAGES, WIFI, fixture_story, fixture_told  # noqa: F401
from harness import SERIAL


def test_the_button_held_opens_the_access_point(story):
    """The key is that of the label; the page is there, and knows what the radio saw before it became an access point."""
    story.wait_lit(GREEN, ORANGE)
    assert 4.9 <= story.hold_until(BLUE, DARK) < 9  # two clocks
    story.join_access_point()
    landing = story.phone.fetch(f"http://{OPENED}/")
    assert landing.status == 200 and "https://" in landing.body and SERIAL in landing.body, landing
    assert OPENED in story.phone.shell(f"busybox nslookup -type=a a.name.of.any.kind {OPENED}").partition("Name:")[2]
    page = story.phone.ask(story.box, OPENED, "/")
    assert page.status == 200 and "<title>" in page.body, page
    story.network_status(story.phone, OPENED, "itself", lambda network: network["AccessPoint"]["State"] == "on")
    networks = story.phone.ask(story.box, OPENED, WIFI).json()["Networks"]
    home = next(one for one in networks if one["SSID"] == story.home.SSID)
    assert home["Security"] == "wpa2" and 0 < home["Signal"] <= 100


@bad_input("H", "dhcp-client-id-255")
def test_a_phone_of_any_name_gets_an_address(story):
    """The access point's DHCP server outlives who has the longest names there can be, and starts no program for it."""
    find = "pgrep -a dnsmasq | grep 192.168.71"
    server = story.inside.shell(find)
    assert "--dhcp-range" in server and "script" not in server, server
    said = story.phone.shell(f"/usr/bin/python3 -B {recipe('bad_dhcp_client.py')} wlan1")
    assert re.fullmatch(r"2 (192\.168\.71\.\d+)\n5 \1\n", said), "an offer and an address"
    assert story.phone.take_address().startswith("192.168.71.") and story.inside.shell(find) == server


def test_the_access_point_leads_nowhere(story):
    """Who is in it and who is at the cable reach the box, and not each other."""
    story.lan.plug()
    cabled = story.wait(lambda: story.lan.address_of(HOST_NAME), "a lease at the cable", 2 * PATIENCE)
    phone = story.phone.address()
    story.lan.ip(f"route replace 192.168.71.0/24 via {cabled}")
    story.wait(lambda: story.lan.pings(cabled), "the box at the cable")
    assert story.phone.pings(OPENED)
    assert not story.phone.pings(story.lan.ADDRESS)
    assert not story.lan.pings(phone)
    assert story.phone.ip("route get 10.82.0.1").split()[2] == OPENED, "it would be the way"
    story.lan.pull()


def test_the_right_key_leads_home(story):
    """The access point ends, the light is green, the page is there for the phone at home, and the charger reads."""
    story.save_wifi(story.phone, OPENED, story.home.KEY)
    address = story.wait_home()
    story.wait_lit(GREEN)
    assert not story.is_radio_an_access_point()
    assert story.home.voltages(address) == VOLTAGES
    story.phone.leave()
    story.phone.join(story.home.SSID, story.home.KEY)
    assert story.phone.ask(story.box, address, "/").status == 200
    network = story.wait_state(story.phone, address, "connected")
    assert network["Card"]["SSID"] == story.home.SSID and network["Card"]["Addresses"] == [f"{address}/24"], network
    assert network["AccessPoint"]["State"] == "off" and network["Trial"] is None and network["Problem"] is None, network
    story.phone.leave()


def test_the_button_pressed_connects_anew(story):
    joined = story.home.arrivals()
    story.panel.tap()
    story.wait(lambda: story.home.arrivals() > joined, "it to join again")
    story.wait_home()
    story.wait_lit(GREEN)


def test_the_button_held_long_forgets_the_network(story):
    """At ten seconds, and nothing before, for a box that is set up does not become an access point."""
    pressed = story.panel.say("key 1")
    story.wait(lambda: story.home.stations() == [], "it to leave")
    story.panel.say("key 0")
    changed = next(second for second, _ in story.panel.colors("light") if second > pressed)
    assert 10 <= changed - pressed < 14
    story.wait_lit(GREEN, ORANGE)
    config = story.inside.ask(story.box, "127.0.0.1", CONFIG).json()
    assert config["DefaultNetIf"] == "Ethernet" and config["WiFi"]["ConnectionData"]["WiFiSSID"] == "", config
