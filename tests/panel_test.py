"""LED and button, as far as a machine without either can tell: `--led log`, what the API says of them, what is refused.

The real ones need a kernel that has them.  Here is what leads to what the LED shows: the meter, the network, a reset.
"""
import os
import subprocess
import time

import pytest

from harness import Gateway, marked, refusal, wait_until
from page_kit import LIVE, RESET, STATUS, Events, document, needs_root
from page_kit import fixture_box, fixture_metered  # noqa: F401

COLORS = {"booting": "red", "initialising": "changing", "normal": "green", "no-meter-data": "red/green",
          "no-ip-address": "green/orange", "no-data-and-no-ip": "red/orange"}
INITIALISING, HEARTBEAT = 15, 5  # seconds


def led(one):
    found = one.state()["Led"]
    assert found["Color"] == COLORS[found["State"]] and found["Problem"] is None
    return found["State"]


def expected(one):
    """What the LED shows once all had the time to come, by what else is known."""
    state = one.state()
    return {(True, True): "normal", (True, False): "no-ip-address", (False, True): "no-meter-data",
            (False, False): "no-data-and-no-ip"}[not state["Meter"]["Stale"], state["Network"]["Ok"]]


def logged(server):
    """The states in the log, in their order."""
    return [line.rsplit("(", 1)[1].rstrip(")") for line in server.log(r" led: \S+ \(")]


def ends_with(server, state, seconds=30):
    wait_until(lambda: logged(server)[-1:] == [state], f"{state} after {logged(server)}", seconds)


# --- from the start to the end -------------------------------------------------------------------

def test_a_meter_that_never_comes_is_told_after_the_time_it_may_take(metered):
    """Booting, initialising for its time, then what is missing; and red at the end."""
    began = time.monotonic()
    one = metered("--led", "log", "--button", "evdev:/dev/input/nobody")
    assert led(one) == "initialising"
    wait_until(lambda: led(one) != "initialising", "the end of the time", 2 * INITIALISING)
    assert time.monotonic() - began >= INITIALISING
    assert led(one) == expected(one) and led(one).startswith("no-")
    states = ["booting", "initialising", led(one)]
    assert logged(one.server) == states
    for line, state in zip(one.server.log(" led: "), states):
        assert line.endswith(f"info    led: {COLORS[state]} ({state})"), "one line a change"
    assert len(one.server.log(" panel: ")) == 1, "what was tried again meanwhile is told once"
    one.user.close()
    one.server.stop()
    assert logged(one.server) == [*states, "booting"]


def test_the_led_follows_the_meter(metered, tcp_meter):
    one = metered("--led", "log", "--stale-after", "1")
    tcp_meter.send(marked(1))
    wait_until(lambda: led(one).startswith("no-") and led(one) == expected(one), "stale data", 2 * INITIALISING)
    stale = led(one)
    for n in (2, 3):
        tcp_meter.send(marked(n))
        wait_until(lambda n=n: logged(one.server).count(stale) == n, f"stale data again: {logged(one.server)}")
    fresh = {"no-meter-data": "normal", "no-data-and-no-ip": "no-ip-address"}[stale]
    assert logged(one.server)[-5:] == [stale, fresh, stale, fresh, stale]


@needs_root
def test_the_led_follows_the_network(tmp_path):
    """Initialising ends at once when both are there; addresses come and go."""
    name = f"sc-panel-{os.getpid()}"

    def ip(*arguments):
        subprocess.run(["ip", *arguments], check=True, capture_output=True, timeout=15)
    try:
        ip("netns", "add", name)
    except subprocess.CalledProcessError as e:
        pytest.skip(f"no network namespaces here: {e.stderr}")
    try:
        ip("-n", name, "link", "set", "lo", "up")
        ip("-n", name, "link", "add", "eth0", "type", "veth", "peer", "name", "cable")
        server = Gateway(tmp_path, "sim:dsmr50", "--led", "log", prefix=("ip", "netns", "exec", name))
        server.wait_log("receiving P1")
        assert logged(server) == ["booting", "initialising"]
        ip("-n", name, "link", "set", "cable", "up")
        ip("-n", name, "link", "set", "eth0", "up")
        ip("-n", name, "address", "add", "192.0.2.5/24", "dev", "eth0")
        ends_with(server, "normal")
        ip("-n", name, "address", "del", "192.0.2.5/24", "dev", "eth0")
        ends_with(server, "no-ip-address")
        ip("-n", name, "address", "add", "169.254.7.7/16", "dev", "eth0")
        ip("-n", name, "address", "add", "192.0.2.6/24", "dev", "eth0")
        ends_with(server, "normal")
        server.stop()
        assert [s for s in logged(server) if s != "no-ip-address"] == ["booting", "initialising", "normal", "normal",
                                                                     "booting"]
    finally:
        ip("netns", "del", name)


# --- the API -------------------------------------------------------------------------------------

def test_a_factory_reset_is_seen_and_its_end_is_told_at_once(metered, tcp_meter):
    """The LED is initialising for two seconds; the stream of events does not wait for its heartbeat."""
    one = metered("--led", "log", "--stale-after", "3600")
    tcp_meter.send(marked(1))
    wait_until(lambda: led(one) == expected(one), "data", 2 * INITIALISING)
    before = led(one)
    one.reset("factory")
    with Events(one) as events:
        began = time.monotonic()
        assert events.next("state")["Led"]["State"] == "initialising"
        events.wait("state", lambda state: state["Led"]["State"] == before)
        assert time.monotonic() - began < HEARTBEAT - 0.5
    assert logged(one.server)[-3:] == [before, "initialising", before]


def test_without_led_and_button_the_api_says_what_it_would_show(box):
    one = box()
    wait_until(lambda: led(one) == expected(one), "data", 2 * INITIALISING)
    assert one.state()["Button"] is None
    assert not one.server.log(" led: ") and not one.server.log(" panel: ")
    document().judge(STATUS, "GET", one.user.get(STATUS))


def test_what_is_not_there_is_a_problem(box):
    """And nothing else suffers from it."""
    one = box("--led", "class:nobody", "--button", "evdev:/dev/input/nobody:148")
    assert "nobody" in one.state()["Led"]["Problem"]
    button = one.state()["Button"]
    assert button == {"Pressed": False, "Last": None, "LastAge": None, "Problem": "No such file or directory"}
    document().judge(STATUS, "GET", one.user.get(STATUS))
    assert len(one.server.log(r"panel: LED class:nobody: .*nobody: No such file or directory; trying again")) == 1
    assert len(one.server.log(r"panel: button evdev:/dev/input/nobody:148: No such file or directory; try")) == 1
    assert len(one.server.log(" panel: ")) == 2
    for path in (LIVE, RESET):
        assert one.user.request("HEAD" if path == LIVE else "POST", path, {}).status in (200, 202)


def test_a_file_that_is_no_input_device_is_named(box):
    assert box("--button", "evdev:/dev/null").state()["Button"]["Problem"] == "it is no input device"


def test_a_chip_that_is_not_there_is_named(box):
    one = box("--led", "gpio:gpiochip99:17,27,22", "--button", "gpio:nobody:23,low")
    assert one.state()["Led"]["Problem"].startswith("GPIO chip gpiochip99: ")
    assert one.state()["Button"]["Problem"].startswith("GPIO chip nobody: ")


# --- options -------------------------------------------------------------------------------------

@pytest.mark.parametrize("option,text", [
    ("led", "green"), ("led", ""), ("led", "class:../x"), ("led", "gpio:gpiochip0:17,27"),
    ("led", "gpio:gpiochip0:17,17,22"), ("button", "log"), ("button", "evdev:event0"),
    ("button", "evdev:/dev/input/event0:9999"), ("button", "gpio:gpiochip0:23,high")])
def test_what_means_nothing_is_refused_with_what_would_be_right(option, text):
    complaint = refusal(f"--{option}", text)
    assert f'--{option}: "{text}": use off, ' in complaint and "gpio:" in complaint
