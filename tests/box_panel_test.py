"""The front of the box on real drivers of the kernel, in an emulated PC: one box with a light of the multicolour LED class
and a key, and one with three pins as its lamp and another as its button."""
import shlex

import pytest

from box_guest_kit import BLUE, GREEN, ORANGE, RED, TAP_S, Box, Neighbour, Panel, box_guest, wait_until
from harness import PROGRAM

STATUS, CONFIG = "/api/v1/status", "/api/v1/config"
ADDRESS = "192.0.2.2/24"
PIN_RED, PIN_GREEN, PIN_ORANGE = (1, 0, 0), (0, 1, 0), (1, 1, 0)
CHANGING = {(255, 255, 0), GREEN, (0, 255, 255), BLUE, (255, 0, 255), RED}
# What is known -> the state's name, and what light and pins show.
SHOWN = {
    "nothing": ("no-data-and-no-ip", [RED, ORANGE], [PIN_RED, PIN_ORANGE]),
    "the address": ("no-meter-data", [RED, GREEN], [PIN_RED, PIN_GREEN]),
    "data and address": ("normal", [GREEN], [PIN_GREEN]),
    "data": ("no-ip-address", [GREEN, ORANGE], [PIN_GREEN, PIN_ORANGE]),
}


class Front:
    """The panel, and both boxes, of which each has its own half of it."""

    def __init__(self, guest):
        self.guest, self.inside, self.panel = guest, Neighbour(guest), Panel(guest)
        guest.shell("modprobe veth; ip link add eth0 type veth peer name far; ip link set far up; ip link set eth0 up")
        guest.shell(f"echo panic >/sys/class/leds/{self.panel.light}/trigger")
        common = ["--meter", "tcp:127.0.0.1:7000", "--stale-after", "3", "--http", "off"]
        self.with_light = Box(guest, "--led", f"class:{self.panel.light}", "--button", f"evdev:{self.panel.key}",
                              "--modbus", "127.0.0.1:1501", "--https", "127.0.0.1:4431", *common)
        self.with_pins = Box(guest, "--led", "gpio:gpiochip0:0,1,2", "--button", "gpio:gpiochip0:7,low",
                             "--modbus", "127.0.0.1:1502", "--https", "127.0.0.1:4432", *common)
        self.boxes = {self.with_light: "127.0.0.1:4431", self.with_pins: "127.0.0.1:4432"}

    def set_address(self, there):
        self.guest.shell(f"ip -4 address {f'replace {ADDRESS}' if there else 'flush'} dev eth0")

    def set_data(self, there):
        if there and not self.guest.lives("meter"):
            self.guest.spawn("meter", f"{shlex.quote(PROGRAM)} simulate --profile dsmr50 --to tcp:127.0.0.1:7000")
        elif not there and self.guest.lives("meter"):
            self.guest.kill("meter")

    def press(self):
        """Both buttons at once; when, by the guest's clock."""
        return self.panel.say("key 1", "pin 7 0")

    def release(self):
        self.panel.say("key 0", "pin 7 1")

    def tap(self):
        self.panel.say("key 1", "pin 7 0", f"later {TAP_S} key 0", f"later {TAP_S} pin 7 1")

    def state(self, box, name):
        answer = self.inside.ask(box, self.boxes[box], STATUS)
        assert answer.status == 200, answer
        return answer.json()["State"][name]

    def wait_last(self, event):
        """Waits until both boxes say that this was the last their button did."""
        for box in self.boxes:
            wait_until(lambda box=box: self.state(box, "Button")["Last"] == event,
                       lambda box=box: f"{event}; {box.log()}")

    def change(self, body):
        for box, address in self.boxes.items():
            assert self.inside.ask(box, address, CONFIG, "PATCH", body).status == 200

    def settings(self):
        return [self.inside.ask(box, address, CONFIG).json() for box, address in self.boxes.items()]


@pytest.fixture(scope="module", name="front")
def fixture_front(tmp_path_factory):
    with box_guest(tmp_path_factory.mktemp("guest")) as guest:
        yield Front(guest)


def test_a_light_that_did_something_else_is_taken_over(front):
    """And shows that the box looks for meter and network: one color after another."""
    assert "[none]" in front.guest.shell(f"cat /sys/class/leds/{front.panel.light}/trigger")
    wait_until(lambda: CHANGING <= {tuple(map(int, words.split())) for _, words in front.panel.told("light")}, "all colors")


@pytest.mark.parametrize("known", SHOWN)
def test_lamps_show_what_the_box_knows(front, known):
    front.set_address("address" in known)
    front.set_data("data" in known)
    name, light, pins = SHOWN[known]
    front.panel.wait_shows("light", *light)
    front.panel.wait_shows("pins", *pins)
    assert front.state(front.with_light, "Led")["State"] == name
    assert front.state(front.with_pins, "Led") == {**front.state(front.with_light, "Led"), "Problem": None}


def test_buttons_pressed_held_and_held_long(front):
    """Held means at five seconds, and long at ten, not when it is released."""
    front.change({"Modbus": {"MaxClients": 7}})
    front.tap()
    front.wait_last("soft-reset")

    pressed = front.press()
    front.wait_last("factory-reset")
    front.release()
    for box in front.boxes:
        held, held_long = box.logged("button: access-point"), box.logged("button: factory-reset")
        assert 4.9 <= held[0] - pressed < 10 <= held_long[0] - pressed + 0.1 < 15
    wait_until(lambda: [one["Modbus"]["MaxClients"] for one in front.settings()] == [4, 4], "the factory's settings")
    assert front.guest.run("ls /run/*.state/config.json")[0] != 0


def test_a_button_that_was_unplugged_comes_back(front):
    front.panel.say("pull key")
    wait_until(lambda: front.state(front.with_light, "Button")["Problem"], "a complaint")
    front.panel.say("plug key")
    wait_until(lambda: not front.state(front.with_light, "Button")["Problem"], "the button")
    front.tap()
    front.wait_last("soft-reset")


def test_the_lamps_of_boxes_that_ended_are_red(front):
    for box in front.boxes:
        box.stop()
    front.panel.wait_shows("light", RED)
    front.panel.wait_shows("pins", PIN_RED)
