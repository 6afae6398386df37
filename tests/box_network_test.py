"""The box's own network over Ethernet: a real NetworkManager, a router with dnsmasq, names by Avahi.  Each box has a
household of its own in namespaces, so what takes a minute is tried in several at once: the scenarios, at the end.
"""
import concurrent.futures
import contextlib
import re
import signal
import time

import pytest

from box_kit import CONFIG, STATUS, Box, Machine, Page, Router, cable, discovers, obstacle
from harness import SERIAL, p1, wait_until

TRIAL = 60  # seconds
NAME, SHARED = f"smart-connect-{SERIAL.lower()}", "smart-connect.local"
OBSTACLE = obstacle("NetworkManager", "nmcli", "dnsmasq", "dbus-daemon", "avahi-daemon", "avahi-resolve", "curl",
                    "mbpoll")
pytestmark = pytest.mark.skipif(OBSTACLE is not None, reason=str(OBSTACLE))


def static(address, netmask="24", gateway="10.81.0.1", dns="10.81.0.53"):
    """The settings of an address that does not change."""
    return {"Ethernet": {"IpMode": "Static", "StaticIPv4": {"IpAddress": address, "Netmask": netmask,
                                                            "Gateway": gateway, "DNS": dns}}}


DHCP = {"Ethernet": {"IpMode": "DHCP"}}
ELSEWHERE = static("172.20.5.5", gateway="172.20.5.1", dns="172.20.5.1")  # where nobody is


class House:
    """Households, which end together."""

    def __init__(self, folder, stack):
        self.folder, self.stack = folder, stack

    def machine(self, kind, name, *options, **how):
        one = kind(self.folder, name, *options, **how)
        self.stack.callback(one.close)
        return one

    def box(self, name, *options, dhcp=True, **how):
        """A box that has no power yet, on the cable to its router."""
        router = self.machine(Router, f"{name}-router")
        box = self.machine(Box, name, *options, **how)
        cable(box, router)
        router.start(dhcp)
        box.router = router
        return box


@pytest.fixture(name="house", scope="module")
def fixture_house(tmp_path_factory):
    with contextlib.ExitStack() as stack:
        yield House(tmp_path_factory.mktemp("house"), stack)


def lease(box, seconds=60):
    """The address that the router gave, once the kernel has it and no other."""
    def found():
        mine = box.addresses()
        return mine in [[f"{given}/24"] for given in box.router.leases()] and mine[0].split("/")[0]
    return wait_until(found, "the router's address alone", seconds)


def wait_state(page, state, seconds=60):
    """What the page says of the network, once it is reached, in that state, and nothing is on trial."""
    def reached():
        answer = page.ask("GET", STATUS)
        network = answer.json()["State"]["Network"] if answer.status == 200 else {}
        return network.get("State") == state and network["Trial"] is None and network
    return wait_until(reached, f"{state} at {page.at}", seconds)


def at(box, address):
    """A laptop at the router that uses the page."""
    return Page(box.router, address, box.login())


def itself(box):
    """A program on the box that uses the page.  That it can proves nothing of the network."""
    return Page(box, "127.0.0.1", box.login())


def activation(box, card="eth0"):
    """What NetworkManager calls the present activation of a card: another one is a line that was down."""
    return box.nmcli("-g", "GENERAL.CON-PATH", "device", "show", card)


# --- a box at home -----------------------------------------------------------------------------

OTHERS = {  # other people's profiles: one of another card, one for ours
    "lab": ("eth1", 0, "method=manual\naddress1=192.0.2.9/24"),
    "Office": ("eth0", -10, "method=auto"),
}


def write_profile(box, name, card, priority, ipv4):
    path = box.profiles / f"{name}.nmconnection"
    path.write_text(f"[connection]\nid={name}\nuuid=00000000-0000-4000-8000-{sum(name.encode()):012}\ntype=ethernet\n"
                    f"interface-name={card}\nautoconnect-priority={priority}\n[ipv4]\n{ipv4}\n[ipv6]\nmethod=disabled\n")
    path.chmod(0o600)


def files(box):
    return {path.name: path.read_bytes() for path in box.profiles.iterdir()}


@pytest.fixture(name="home", scope="module")
def fixture_home(house):
    """A box that others use as well: it has a second card, and profiles of theirs."""
    box = house.box("home")
    lab = house.machine(Machine, "lab")
    cable(box, lab, "eth1")
    lab.ip("link", "set", "eth0", "up")
    for name, profile in OTHERS.items():
        write_profile(box, name, *profile)
    box.power_on()
    box.files = files(box)
    wait_until(lambda: box.addresses("eth1"), "the other card")
    box.other_activation = activation(box, "eth1")
    return box


@pytest.fixture(name="page")
def fixture_page(home):
    """At the lease, where the box is between the tests."""
    page = at(home, lease(home))
    wait_state(page, "connected")
    return page


def test_dhcp_gives_address_router_and_name_server(home, page):
    network = page.network()
    card = network["Card"]
    assert network["Managed"] and network["Problem"] is None
    assert network["Interface"] == "Ethernet"
    assert (card["Name"], card["Carrier"], card["Addresses"]) == ("eth0", True, [f"{page.at}/24"])
    assert (network["Gateway"], network["DNS"]) == (Router.address, [Router.dns])
    assert home.routers() == [Router.address]
    wait_until(lambda: home.router.leases() == {page.at: NAME}, "the name in the router's list of devices")


@pytest.mark.parametrize("settings, pointer", [
    (static("10.81.0.99", netmask="33"), "Netmask"),
    (static("10.81.0.300"), "IpAddress"),
    (static("10.81.0.99", gateway="10.82.0.1"), "Gateway"),
    (static("10.81.0.99", dns="router"), "DNS"),
    (static(""), "IpAddress"),
])
def test_settings_that_cannot_be_are_refused(home, page, settings, pointer):
    before, active = page.ask("GET", CONFIG).json(), activation(home)
    answer = page.change(settings)
    assert answer.status == 422 and f"/Ethernet/StaticIPv4/{pointer}" in answer.text
    assert page.ask("GET", CONFIG).json() == before and page.network()["Trial"] is None
    assert activation(home) == active and lease(home) == page.at


def test_a_fixed_address_and_back(home, page):
    """Both ways reached at once, so both hold."""
    assert page.change(static("10.81.0.99")).status == 200
    moved = at(home, "10.81.0.99")
    network = wait_state(moved, "connected")
    assert network["Card"]["Addresses"] == ["10.81.0.99/24"]
    assert (network["Gateway"], network["DNS"]) == (Router.address, [Router.dns])
    assert home.addresses() == ["10.81.0.99/24"] and home.routers() == [Router.address]
    home.server.wait_log("network: the page was reached from 10.81.0.1: the new settings hold")
    assert moved.change(DHCP).status == 200
    wait_state(at(home, lease(home)), "connected")


def test_a_soft_reset_connects_anew(home, page):
    asked = home.router.dhcp.stderr().count("DHCPREQUEST")
    active = activation(home)
    assert page.ask("POST", "/api/v1/reset", {}).status == 202
    wait_until(lambda: home.router.dhcp.stderr().count("DHCPREQUEST") > asked, "DHCP once more")
    wait_state(page, "connected")
    assert activation(home) != active and lease(home) == page.at


def test_networkmanager_may_end_and_come_back(home, page):
    home.manager.end(signal.SIGKILL)
    wait_state(page, "no-manager")
    for path in (home.folder / "run/NetworkManager/system-connections").glob("Smart Connect*"):
        path.unlink()
    home.start_manager()
    wait_state(page, "connected")
    assert "Smart Connect Ethernet" in home.nmcli("-g", "NAME", "connection", "show")
    assert lease(home) == page.at
    home.other_activation = activation(home, "eth1")


def test_the_network_outlives_the_gateway(home, page):
    active = activation(home)
    home.server.end(signal.SIGKILL)
    assert page.ask("GET", STATUS).status == 0
    assert lease(home) == page.at and activation(home) == active
    home.start_gateway()
    wait_state(page, "connected")
    assert lease(home) == page.at and activation(home) == active, "the line was down"


def test_other_peoples_profiles_are_left_alone(home, page):
    """After all of the above."""
    assert files(home) == home.files
    assert set(OTHERS) < set(home.nmcli("-g", "NAME", "connection", "show").splitlines())
    assert home.nmcli("-g", "GENERAL.CONNECTION", "device", "show", "eth0") == "Smart Connect Ethernet"
    assert home.addresses("eth1") == ["192.0.2.9/24"] and activation(home, "eth1") == home.other_activation
    assert page.network()["State"] == "connected"


# --- a box on somebody else's computer ---------------------------------------------------------

def test_the_network_of_a_host_is_left_to_it(house):
    box = house.box("host", network="host")
    box.power_on()
    page = at(box, lease(box))
    active, known = activation(box), box.nmcli("-g", "UUID", "connection", "show")
    network = page.network()
    assert network["Managed"] is False and network["State"] == "off" and network["Gateway"] == Router.address
    assert page.change(static("10.81.0.99")).status == 200
    time.sleep(3)  # three times what a managed box waits
    assert lease(box) == page.at and activation(box) == active and page.network()["Trial"] is None
    assert box.nmcli("-g", "UUID", "connection", "show") == known


# --- commissioning -----------------------------------------------------------------------------

def telegram(folder):
    """16.1 A, 10.2 A and 6.3 A, for good."""
    path = folder / "telegram.txt"
    amperes = {31: "016.1", 51: "010.2", 71: "006.3"}
    path.write_bytes(p1("1-3:0.2.8(50)", *(f"1-0:{phase}.7.0({text}*A)" for phase, text in amperes.items())))
    return f"file:{path}?speed=max"


def charger_reads(machine, address):
    """The currents that a charger made for an SDM630 reads, by mbpoll; []: it gets no answer."""
    shown = machine.run("mbpoll", *"-m tcp -a 1 -0 -r 6 -c 3 -t 3:float -B -1".split(), address)
    return [float(text) for text in re.findall(r"^\[\d+\]:\s+(\S+)$", shown, re.MULTILINE)]


def fresh_box(house, name, **how):
    """As it comes out of its parcel, with a meter on it; at the other end of its cable is somebody who looks up names."""
    box = house.box(name, "--stale-after", "3600", meter=telegram(house.folder), **how)
    box.router.start_bus()
    box.router.start_avahi()
    return box


def open_page(box):
    """By its name: the landing page, then the page behind it with the label's password."""
    landing = box.router.curl(f"http://{SHARED}/")
    assert re.search(rf"https://({SHARED}|{NAME}\.local)/", landing), landing
    page = Page(box.router, SHARED, box.login())
    assert page.ask("GET", "/").text.startswith("<!doctype html>")
    return page


def test_from_the_cable_to_the_charger(house):
    """Option A of the manual, with a router."""
    box = fresh_box(house, "cable")
    box.router.plug(False)
    box.power_on(avahi=True)
    box.router.plug()
    address = lease(box)
    wait_until(lambda: box.router.leases() == {address: NAME}, "the name in the router's list of devices")
    wait_until(lambda: box.router.resolve(SHARED) == address, f"{SHARED} at {address}", 60)
    page = open_page(box)
    assert wait_state(page, "connected")["Card"]["Addresses"] == [f"{address}/24"]
    assert page.change({**static("10.81.0.101"), "MeterType": "Eastron-SDM630"}).status == 200
    wait_until(lambda: charger_reads(box.router, "10.81.0.101") == [16.1, 10.2, 6.3], "the currents", 60)
    wait_until(lambda: box.router.resolve(SHARED) == "10.81.0.101", f"{SHARED} at the new address", 60)
    wait_state(page, "connected")


# --- scenarios ---------------------------------------------------------------------------------

SCENARIOS = {}


def scenario(function):
    """Takes about a minute, most of it waiting; runs beside the tests above."""
    SCENARIOS[function.__name__] = function
    return function


@scenario
def dhcp_that_nobody_answers(house):
    box = house.box("silent", dhcp=False)
    ear = box.router.hear_dhcp()
    box.power_on()
    wait_until(box.addresses, "an address of its own", 60)
    assert discovers(ear) >= 3
    own, = box.addresses()
    assert own.startswith("169.254.")
    page = itself(box)
    assert wait_state(page, "link-local")["Card"]["Addresses"] == [own]
    box.router.ip("address", "add", "169.254.7.7/16", "dev", "eth0")
    assert box.router.curl(f"http://{own.split('/')[0]}/"), "reachable there"
    wait_until(lambda: discovers(ear), "it goes on asking", 60)
    ear.close()
    box.router.serve_dhcp()
    address = lease(box, 90)
    wait_until(lambda: wait_state(page, "connected")["Card"]["Addresses"] == [f"{address}/24"], "that address alone", 60)


@scenario
def a_cable_that_is_pulled(house):
    box = house.box("pulled")
    box.power_on()
    address = lease(box)
    page = itself(box)
    wait_state(page, "connected")
    box.router.plug(False)
    assert wait_state(page, "no-link")["Card"]["Carrier"] is False
    wait_until(lambda: not box.addresses(), "no address without a cable")
    box.router.plug()
    assert wait_state(page, "connected")["Card"]["Addresses"] == [f"{address}/24"]
    assert lease(box) == address


def send_elsewhere(box):
    """Gives a box an address at which nobody can reach it; where it was, and when it left."""
    page = at(box, lease(box))
    wait_state(page, "connected")
    assert page.change(ELSEWHERE).status == 200
    left = time.monotonic()
    wait_until(lambda: box.addresses() == ["172.20.5.5/24"], "the address where nobody is", 60)
    return page, left


def assert_back(box, page, began):
    """The settings of before return when the trial is over, not earlier."""
    assert lease(box, 2 * TRIAL) == page.at
    assert TRIAL - 2 < time.monotonic() - began < TRIAL + 30
    network = wait_state(page, "connected")
    assert "taken back" in network["Problem"]
    assert page.ask("GET", CONFIG).json()["Ethernet"]["IpMode"] == "DHCP"
    box.server.wait_log("network: nobody reached the page")


@scenario
def a_change_that_nobody_can_confirm_is_taken_back(house):
    box = house.box("lost")
    box.power_on()
    page, began = send_elsewhere(box)
    left = itself(box).network()["Trial"]["Left"]
    assert 0 < left <= TRIAL - (time.monotonic() - began) + 2
    assert_back(box, page, began)


@scenario
def a_power_cut_does_not_make_a_change_hold(house):
    """The trial begins anew, and ends with the settings of before."""
    box = house.box("cut")
    box.power_on()
    page, _ = send_elsewhere(box)
    box.cut_power()
    began = time.monotonic()
    box.power_on()
    wait_until(lambda: box.addresses() == ["172.20.5.5/24"], "the change is tried once more", 60)
    assert_back(box, page, began)


@scenario
def a_change_that_is_confirmed_stays(house):
    box = house.box("kept")
    box.power_on()
    page = at(box, lease(box))
    wait_state(page, "connected")
    assert page.change(static("10.81.0.99")).status == 200
    began = time.monotonic()
    moved = at(box, "10.81.0.99")
    wait_state(moved, "connected")
    time.sleep(began + TRIAL + 5 - time.monotonic())
    assert box.addresses() == ["10.81.0.99/24"] and moved.network()["State"] == "connected"
    assert moved.ask("GET", CONFIG).json()["Ethernet"]["IpMode"] == "Static"


@scenario
def without_a_trial_every_change_stays(house):
    """Also one that takes the place of a change on trial."""
    box = house.box("bold")
    box.power_on()
    _, began = send_elsewhere(box)
    local = itself(box)
    assert local.change({**static("172.21.6.6", gateway="172.21.6.1"), "Network": {"Rollback": False}}).status == 200
    time.sleep(began + TRIAL + 5 - time.monotonic())
    assert wait_state(local, "connected")["Card"]["Addresses"] == ["172.21.6.6/24"] == box.addresses()


@scenario
def on_a_cable_straight_to_the_charger(house):
    """Without DHCP.  The installer's laptop comes first, with an address of its own making, then the charger."""
    box = fresh_box(house, "straight", dhcp=False)
    laptop = charger = box.router
    laptop.ip("address", "add", "169.254.7.7/16", "dev", "eth0")
    box.power_on(avahi=True)
    wait_until(lambda: laptop.resolve(SHARED).startswith("169.254."), SHARED, 90)
    page = open_page(box)
    assert wait_state(page, "link-local")["Card"]["Addresses"] == box.addresses()
    assert page.change({**static("192.168.10.101", gateway="192.168.10.1", dns="192.168.10.1"),
                        "MeterType": "Eastron-SDM630", "Network": {"Rollback": False}}).status == 200
    charger.plug(False)
    charger.ip("address", "add", "192.168.10.1/24", "dev", "eth0")
    charger.plug()
    wait_until(lambda: charger_reads(charger, "192.168.10.101") == [16.1, 10.2, 6.3], "the currents", 60)
    assert box.addresses() == ["192.168.10.101/24"]


@pytest.fixture(autouse=True, scope="module", name="running")
def fixture_running(request, house):
    """{name: Future} of the scenarios that are asked for."""
    wanted = [item.callspec.params["name"] for item in request.session.items
              if getattr(item, "originalname", "") == "test_scenario"]
    # A program ends with the thread that started it, so these stay until the house is closed.
    pool = concurrent.futures.ThreadPoolExecutor(len(SCENARIOS))
    house.stack.callback(pool.shutdown)
    futures = {name: pool.submit(SCENARIOS[name], house) for name in wanted}
    yield futures
    concurrent.futures.wait(futures.values())


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario(running, name):
    running[name].result()
