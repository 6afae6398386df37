"""What stories of a Wi-Fi box share: the box in an emulated PC with radios, a button and a light; the phone of who puts it
up; at home a router and a charger, and a cable that is not plugged in.

A story is a module whose tests are its chapters: each goes on where the one before it ended.
"""
import pytest

from box_guest_kit import NETWORK_TOOLS, PATIENCE, Box, Network, Panel, box_guest, wait_until
from guest_kit import need
from harness import DATA, SERIAL

TELEGRAM = DATA / "p1" / "dsmr50_three_phase.txt"
VOLTAGES = [233.4, 231.9, 234.0]  # of the telegram
OPENED = "192.168.71.1"  # the box, for who is in its access point
HOST_NAME = f"smart-connect-{SERIAL.lower()}"
STATUS, CONFIG, WIFI = "/api/v1/status", "/api/v1/config", "/api/v1/wifi"


class Story(Network):
    def __init__(self, guest):
        super().__init__(guest)
        self.panel = Panel(guest)
        self.box = Box(guest, "--network", "networkmanager", "--wifi", "wlan0", "--ethernet", "eth0",
                       "--led", f"class:{self.panel.light}", "--button", f"evdev:{self.panel.key}",
                       "--meter", f"file:{TELEGRAM}?speed=max", "--stale-after", "3600")
        self.home.on()

    def wait(self, condition, what, seconds=PATIENCE):
        return wait_until(condition, lambda: f"{what}; {self.box.log()}", seconds)

    def wait_lit(self, *colors, seconds=PATIENCE):
        self.panel.wait_shows("light", *colors, seconds=seconds)

    def hold_until(self, *colors):
        """Holds the button until the light shows it; the seconds until it began with the first of these colors."""
        pressed = self.panel.say("key 1")
        self.wait_lit(*colors)
        self.panel.say("key 0")
        after = [(second, color) for second, color in self.panel.colors("light") if second > pressed]
        return next(second for second, color in after if color == colors[0]) - pressed

    def save_wifi(self, who, address, key):
        data = {"WiFiSSID": self.home.SSID, "WiFiPassword": key}
        answer = who.ask(self.box, address, CONFIG, "PATCH",
                         {"DefaultNetIf": "WiFi", "WiFi": {"ConnectionData": data}})
        assert answer.status == 200, answer

    def network_status(self, who, address, what, wanted, seconds=PATIENCE):
        """State.Network of the status, once `wanted` says so of it."""
        def look():
            answer = who.ask(self.box, address, STATUS)
            network = answer.json()["State"]["Network"] if answer.status == 200 else None
            return network if network and wanted(network) else None
        return self.wait(look, f"{what} of {address}", seconds)

    def wait_state(self, who, address, state):
        return self.network_status(who, address, state, lambda network: network["State"] == state, 2 * PATIENCE)

    def is_radio_an_access_point(self):
        return "type AP" in self.inside.shell("iw dev wlan0 info")

    def join_access_point(self):
        assert self.phone.join(self.box.ssid, self.box.key).startswith("192.168.71.")

    def wait_home(self):
        """Waits for the box in the home network; its address there."""
        address = self.wait(lambda: self.home.address_of(HOST_NAME), "a lease at home", 2 * PATIENCE)
        self.wait(lambda: self.home.pings(address), "the box at home")
        return address


@pytest.fixture(scope="module", name="told")
def fixture_told(tmp_path_factory):
    need(NETWORK_TOOLS)
    with box_guest(tmp_path_factory.mktemp("guest")) as guest:
        story = Story(guest)
        yield story
        story.box.stop()


@pytest.fixture(name="story")
def fixture_story(told, request):
    if request.session.testsfailed:
        pytest.skip("the story broke off in an earlier chapter")
    return told
