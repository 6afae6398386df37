"""The power goes while a change of the network is being saved: afterwards it is on trial, or it was never made.  A box
with a real NetworkManager, in a namespace; somebody on it uses its page, which proves nothing of the network.
"""
import concurrent.futures
import json
import signal

import pytest

from box_kit import CONFIG, Box, Page, Router, cable, obstacle
from harness import wait_until

OBSTACLE = obstacle("NetworkManager", "nmcli", "dbus-daemon", "curl")
pytestmark = pytest.mark.skipif(OBSTACLE is not None, reason=str(OBSTACLE))

TURNS = 4
CHANGE = {"Ethernet": {"IpMode": "Static", "StaticIPv4": {"IpAddress": "172.20.5.5", "Netmask": "24"}},
          "Network": {"Rollback": True}}
BACK = {"Ethernet": {"IpMode": "DHCP"}, "Network": {"Rollback": False}}  # without a trial


@pytest.fixture(name="box", scope="module")
def fixture_box(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cut")
    router, box = Router(folder, "router"), Box(folder, "box")
    try:
        cable(box, router)
        router.start(dhcp=False)
        box.power_on()
        yield box
    finally:
        box.close()
        router.close()


@pytest.fixture(name="page")
def fixture_page(box):
    """Of a box with DHCP, and nothing on trial."""
    page = Page(box, "127.0.0.1", box.login())
    assert page.change(BACK).status == 200
    wait_until(lambda: mode_in(box, "network.before") is None, "nothing is kept")
    return page


def mode_in(box, name):
    """How the cable gets its address, as a file of the box says; None: it is not there."""
    try:
        text = (box.state_folder / name).read_text()
    except FileNotFoundError:
        return None
    return json.loads(text)["Settings"]["Ethernet"]["IpMode"]


MOMENTS = {  # of a change that is asked for: the first two are milliseconds apart, and before its answer
    "kept": lambda box: mode_in(box, "network.before") == "DHCP",
    "saved": lambda box: mode_in(box, "config.json") == "Static",
    "answered": lambda box: False,
}


def change_and_cut(box, page, happened):
    """The answer's status; 0: there was none."""
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        answer = pool.submit(page.change, CHANGE)
        while not (happened(box) or answer.done()):
            pass
        box.server.end(signal.SIGKILL)
        return answer.result().status


@pytest.mark.parametrize("moment", list(MOMENTS) * TURNS)
def test_a_change_that_was_saved_is_on_trial(box, page, moment):
    status = change_and_cut(box, page, MOMENTS[moment])
    saved = mode_in(box, "config.json")
    assert saved == "Static" if status else moment != "answered", status
    box.start_gateway()
    assert page.ask("GET", CONFIG).json()["Ethernet"]["IpMode"] == saved
    if saved == "Static":
        assert page.network()["Trial"] is not None and mode_in(box, "network.before") == "DHCP"
    else:
        assert page.network()["Trial"] is None
        wait_until(lambda: mode_in(box, "network.before") is None, "what was kept for nothing is gone")
