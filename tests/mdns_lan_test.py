"""The box is found by name: two machines on one link, each with a system bus and an Avahi of its own, in namespaces.
Needs root for these."""
import contextlib
import re
import signal
import time

import pytest

from box_kit import Machine, Page, Refused, cable, obstacle
from harness import wait_until
from https_client import login_of

SHARED = "smart-connect.local"
SERIALS = {"a": "00112233AABB", "b": "00112233CCDD"}
TYPES = ("_http._tcp", "_https._tcp", "_modbus._tcp")
OBSTACLE = obstacle("avahi-daemon", "avahi-browse", "avahi-resolve", "dbus-daemon", "curl")

pytestmark = pytest.mark.skipif(OBSTACLE is not None, reason=str(OBSTACLE))


def own_name(name):
    return f"smart-connect-{SERIALS[name].lower()}.local"


class Host(Machine):
    """A machine with one card, 10.79.0.N and fd79::N."""

    def __init__(self, folder, name, number):
        super().__init__(folder, name)
        self.address, self.address6 = f"10.79.0.{number}", f"fd79::{number}"

    def start(self):
        self.ip("address", "add", f"{self.address}/24", "dev", "eth0")
        with contextlib.suppress(Refused):  # without IPv6
            self.ip("address", "add", f"{self.address6}/64", "dev", "eth0", "nodad")
        self.ip("link", "set", "eth0", "up", "multicast", "on")
        self.start_bus()
        self.start_avahi()

    def has_ipv6(self):
        return self.address6 in self.ip("-6", "address", "show", "dev", "eth0")

    def services(self, kind, *options):
        """The fields that avahi-browse shows of each service this machine finds."""
        lines = [line.split(";", 9) for line in self.run("avahi-browse", "-ptk", *options, kind).splitlines()]
        for fields in lines:
            fields[3] = re.sub(r"\\(\d\d\d)", lambda m: chr(int(m[1])), fields[3])
        return lines

    def names(self, kind):
        return {fields[3] for fields in self.services(kind)}

    def details(self, kind):
        """{instance name: (host, port, texts)}."""
        return {fields[3]: (fields[6], int(fields[8]), re.findall(r'"([^"]*)"', fields[9]))
                for fields in self.services(kind, "-r") if fields[0] == "="}


@pytest.fixture(scope="module")
def lan(tmp_path_factory):
    """Machines a and b."""
    folder = tmp_path_factory.mktemp("lan")
    with contextlib.ExitStack() as stack:
        machines = {}
        for number, name in enumerate("ab", 1):
            machines[name] = Host(folder, name, number)
            stack.callback(machines[name].close)
        cable(*machines.values())
        for one in machines.values():
            one.start()
        yield machines


@pytest.fixture
def start(gateway, tmp_path, lan):
    """start(NAME, OPTION...): a gateway on a machine, with the usual ports."""
    def one(name, *options, env=None):
        machine = lan[name]
        return gateway("sim:dsmr50", "--serial", SERIALS[name], "--state", str(tmp_path / f"state-{name}"), "--http",
                       "80", "--https", "443", *options, modbus="502", prefix=machine.prefix,
                       env={**machine.env, **(env or {})})
    return one


def found_as(server, name, times=1):
    server.wait_log(rf"mdns: found as {re.escape(name)}$", times)


def wait_services(machine, kind, names):
    """Until the machine finds these services, of this test's boxes, and no other."""
    wait_until(lambda: machine.names(kind) == set(names), f"{kind}: {names}", 30)


# --- one box -----------------------------------------------------------------------------------

def test_a_box_is_found_by_name_and_its_page_opens(lan, start):
    server = start("a")
    found_as(server, SHARED)
    found_as(server, own_name("a"))
    for name in (SHARED, own_name("a")):
        wait_until(lambda: lan["b"].resolve(name) == lan["a"].address, f"{name} on b")
        if lan["a"].has_ipv6():
            wait_until(lambda: lan["b"].resolve(name, 6) == lan["a"].address6, f"{name} on b by IPv6")
        assert "https://" in lan["b"].curl(f"http://{name}/"), "the landing page"
    common = ["product=Smart Connect", f"serial={SERIALS['a']}", "txtvers=1"]
    for kind, port, text in zip(TYPES, (80, 443, 502), ("path=/", "path=/", "map=PhoenixContact-EMPro")):
        found = wait_until(lambda: lan["b"].details(kind), f"{kind} on b")
        assert set(found) == {f"Smart Connect {SERIALS['a']}"}
        host, found_port, texts = found.popitem()[1]
        assert (host, found_port) == (own_name("a"), port)
        assert set(common + [text]) < set(texts) and any(re.fullmatch(r"version=\d+\.\d+\.\d+", t) for t in texts)


def test_what_is_changed_on_the_page_is_told_anew(lan, start, tmp_path):
    server = start("a")
    found_as(server, own_name("a"))
    found_as(server, SHARED)
    user = Page(lan["b"], SHARED, login_of(tmp_path / "state-a"))
    assert user.state()["Network"]["LocalNames"] == [SHARED, own_name("a")]
    assert user.change({"Modbus": {"Port": 1503}, "MeterType": "Eastron-SDM630"}).status == 200

    def told():
        _, port, texts = lan["b"].details("_modbus._tcp").get(f"Smart Connect {SERIALS['a']}", ("", 0, []))
        return port == 1503 and "map=Eastron-SDM630" in texts
    wait_until(told, "the new port and map", 30)


def test_addresses_that_come_and_go_are_told(lan, start):
    found_as(start("a"), SHARED)
    wait_until(lambda: lan["b"].resolve(SHARED) == lan["a"].address, "the name on b")
    lan["a"].ip("address", "del", f"{lan['a'].address}/24", "dev", "eth0")
    lan["a"].ip("address", "add", "10.79.0.77/24", "dev", "eth0")
    try:
        wait_until(lambda: lan["b"].resolve(SHARED) == "10.79.0.77", "the new address", 30)
    finally:
        lan["a"].ip("address", "del", "10.79.0.77/24", "dev", "eth0")
        lan["a"].ip("address", "add", f"{lan['a'].address}/24", "dev", "eth0")


@pytest.mark.parametrize("kind, number", [("_http._tcp", signal.SIGTERM), ("_modbus._tcp", signal.SIGKILL)])
def test_a_box_that_ends_takes_everything_back(lan, start, kind, number):
    server = start("a")
    found_as(server, own_name("a"))
    wait_services(lan["b"], kind, [f"Smart Connect {SERIALS['a']}"])
    assert server.end(number) in (0, -signal.SIGKILL)
    wait_services(lan["b"], kind, [])


def test_it_comes_back_after_avahi(lan, start):
    server = start("a")
    found_as(server, SHARED)
    lan["a"].avahi.end()
    server.wait_log("mdns: Avahi is gone")
    lan["a"].start_avahi()
    found_as(server, SHARED, 2)
    found_as(server, own_name("a"), 2)
    wait_services(lan["b"], "_modbus._tcp", [f"Smart Connect {SERIALS['a']}"])


# --- two ---------------------------------------------------------------------------------------

def test_a_second_box_goes_by_its_own_name_until_the_first_is_gone(lan, start):
    first = start("a")
    found_as(first, SHARED)
    second = start("b")
    found_as(second, own_name("b"))
    second.wait_log(f"mdns: {SHARED} is another box; this one is {own_name('b')}")
    assert lan["b"].resolve(SHARED) == lan["a"].resolve(SHARED) == lan["a"].address
    assert "https://" in lan["a"].curl(f"http://{own_name('b')}/")
    wait_services(lan["a"], "_https._tcp", [f"Smart Connect {serial}" for serial in SERIALS.values()])
    first.stop()
    wait_services(lan["b"], "_http._tcp", [f"Smart Connect {SERIALS['b']}"])
    lan["b"].ip("address", "add", "10.79.0.88/24", "dev", "eth0")  # or a minute
    found_as(second, SHARED)
    lan["b"].ip("address", "del", "10.79.0.88/24", "dev", "eth0")
    assert not first.log("is another box")


def test_two_that_start_at_once_agree(lan, start):
    servers = {name: start(name) for name in "ab"}
    for name, server in servers.items():
        found_as(server, own_name(name))
    wait_until(lambda: sum(len(s.log(f"{SHARED} is another box")) for s in servers.values()) >= 1, "one that gives in")
    winner = wait_until(lambda: [n for n, s in servers.items() if s.log(f"found as {SHARED}")], "one that has it")
    assert len(winner) == 1
    for machine in lan.values():
        wait_until(lambda: machine.resolve(SHARED) == lan[winner[0]].address, f"the one at {lan[winner[0]].address}")


def test_two_with_one_serial_number_are_warned_of(lan, start):
    found_as(start("a"), own_name("a"))
    second = start("b", "--serial", SERIALS["a"])
    second.wait_log(rf"mdns: {own_name('a')} is another box: do two have one serial number\?")
    assert lan["a"].resolve(own_name("a")) == lan["a"].address


# --- none --------------------------------------------------------------------------------------

def test_without_a_bus_or_avahi_one_line_says_so(lan, start):
    without = start("b", env={"DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={lan['b'].folder}/nothing"})
    without.wait_log(r"mdns: no system bus \(No such file or directory\): this box is not found by name until")
    without.stop()
    lan["b"].avahi.end()
    server = start("b")
    server.wait_log("mdns: Avahi does not run: this box is not found by name until it is there")
    lan["b"].start_avahi()
    found_as(server, own_name("b"))
    assert len(server.log("not found by name")) == len(without.log("mdns:")) == 1


def test_a_bus_that_does_not_answer_holds_nothing_up(lan, start):
    lan["a"].bus.popen.send_signal(signal.SIGSTOP)
    try:
        server = start("a")
        begin = time.monotonic()
        server.stop()
        assert time.monotonic() - begin < 3 and not server.log("mdns:")
    finally:
        lan["a"].bus.popen.send_signal(signal.SIGCONT)


def test_off_means_silent(lan, start):
    server = start("a", "--mdns", "off")
    other = start("b")
    found_as(other, SHARED)
    wait_services(lan["b"], "_http._tcp", [f"Smart Connect {SERIALS['b']}"])
    assert not server.log("mdns:")


def test_doors_that_nobody_else_can_reach_are_not_told(lan, gateway):
    server = gateway("sim:dsmr50", prefix=lan["a"].prefix, env=lan["a"].env)
    server.stop()
    assert not server.log("mdns:")
