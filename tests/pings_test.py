"""Router and internet, asked by pings: three network namespaces with real routes, filters, name servers and forgers.

        box                     router                        far
    192.0.2.2, fd00:1::2 -- 192.0.2.1, fd00:1::1
                            198.51.100.1, fd00:2::1 -- 198.51.100.9, fd00:2::9

The tests run inside the box's namespace, as the gateway does.  An attempt is due every 3 s.
"""
import contextlib
import ctypes
import json
import os
import pathlib
import signal
import socket
import struct
import threading
import time

import pytest

from box_kit import Place, Refused, cable, command, obstacle
from harness import LIBC, wait_until
from name_server import NameServer
from page_kit import Events, metric
from page_kit import fixture_box  # noqa: F401

PERIOD = 3  # seconds
CLONE_NEWNS, MS_BIND, MS_REC, MS_PRIVATE = 0x20000, 0x1000, 0x4000, 0x40000
OPEN, CLOSED = "0 2147483647", "1 0"  # ping_group_range: everybody, nobody
ROUTER, ROUTER6, FAR, FAR6 = "192.0.2.1", "fd00:1::1", "198.51.100.9", "fd00:2::9"


# --- namespaces --------------------------------------------------------------------------------

class Spot(Place):
    """A namespace with filters and settings."""

    def nft(self, rules):
        return command(*self.prefix, "nft", "-f", "-", text=rules)

    def drop(self, what):
        """From now on it is deaf to these packets."""
        self.nft(f"table inet deaf {{ chain input {{ type filter hook input priority -10; {what} drop; }}; }}")

    def setting(self, path, value):
        with self.inside():
            pathlib.Path("/proc/sys/net", path).write_text(f"{value}\n", encoding="ascii")

    def counter(self, name):
        """Packets of a named counter."""
        found = json.loads(command(*self.prefix, "nft", "-j", "list", "counters"))
        return next(c["counter"]["packets"] for c in found["nftables"]
                    if "counter" in c and c["counter"]["name"] == name)


COUNTERS = """table inet seen {
    counter pings {}
    counter connections {}
    counter onwards {}
    chain input {
        type filter hook input priority 0;
        icmp type echo-request counter name pings
        icmpv6 type echo-request counter name pings
        tcp dport {80, 443} tcp flags & (syn | ack) == syn counter name connections
    }
    chain forward {
        type filter hook forward priority 0;
        counter name onwards
    }
}
"""


class Net:
    def __init__(self):
        self.places = []
        try:
            self.box, self.router, self.far = (self.place(name) for name in ("box", "router", "far"))
            self.wire(self.box, self.router, "lan", 1)
            self.wire(self.router, self.far, "wan", 2)
            for place in self.places:
                place.nft(COUNTERS)
            self.router.setting("ipv4/ip_forward", 1)
            self.router.setting("ipv6/conf/all/forwarding", 1)
            self.box.setting("ipv4/ping_group_range", OPEN)
        except BaseException:
            self.close()
            raise

    def place(self, name):
        self.places.append(Spot(f"reach-{name}"))
        return self.places[-1]

    def wire(self, a, b, name, number):
        """A cable between two places, with link-local addresses alone."""
        cable(a, b, name, name)
        for place in (a, b):
            place.setting(f"ipv6/conf/{name}/addr_gen_mode", 1)
            place.ip("link", "set", name, "up")
            last = 2 if place is self.box else 9 if place is self.far else 1
            place.ip("addr", "add", f"fe80::{number}:{last}/64", "dev", name, "nodad")

    def speak_ipv4(self):
        self.box.ip("addr", "add", "192.0.2.2/24", "dev", "lan")
        self.router.ip("addr", "add", f"{ROUTER}/24", "dev", "lan")
        self.router.ip("addr", "add", "198.51.100.1/24", "dev", "wan")
        self.far.ip("addr", "add", f"{FAR}/24", "dev", "wan")
        self.far.ip("route", "add", "default", "via", "198.51.100.1")
        self.box.ip("route", "add", "default", "via", ROUTER)
        return self

    def speak_ipv6(self):
        self.box.ip("addr", "add", "fd00:1::2/64", "dev", "lan", "nodad")
        self.router.ip("addr", "add", f"{ROUTER6}/64", "dev", "lan", "nodad")
        self.router.ip("addr", "add", "fd00:2::1/64", "dev", "wan", "nodad")
        self.far.ip("addr", "add", f"{FAR6}/64", "dev", "wan", "nodad")
        self.far.ip("route", "add", "default", "via", "fe80::2:1", "dev", "wan")
        self.box.ip("route", "add", "default", "via", "fe80::1:1", "dev", "lan")  # as router advertisements make it
        return self

    def close(self):
        for place in self.places:
            place.close()


def obstacle_here():
    """As obstacle(), with filters."""
    found = obstacle("nft")
    if found is None:
        place = Spot("trial")
        try:
            place.nft(COUNTERS)
        except Refused as problem:
            found = f"no filters: {problem}"
        finally:
            place.close()
    return found


OBSTACLE = obstacle_here()
pytestmark = pytest.mark.skipif(OBSTACLE is not None, reason=str(OBSTACLE))


@pytest.fixture(name="wires")
def fixture_wires():
    """The three places without addresses; the test is in the box."""
    net = Net()
    with net.box.inside():
        yield net
    net.close()


@pytest.fixture(name="net")
def fixture_net(wires):
    return wires.speak_ipv4()


@pytest.fixture(name="start")
def fixture_start(wires, box):
    """start(OPTION...): a gateway in the box; `wires` outlives it."""
    assert wires
    return box


# --- what is known -----------------------------------------------------------------------------

def counts(one, who):
    """(pass, fail) of `gw` or `internet`."""
    counters = one.state()["Counters"]
    return counters[f"{who}_ping_pass"], counters[f"{who}_ping_fail"]


def wait_counts(one, who, passed=0, failed=0, seconds=20):
    """Waits until so many more have passed and failed."""
    before = counts(one, who)
    wait_until(lambda: (counts(one, who)[0] or 0) >= (before[0] or 0) + passed
               and (counts(one, who)[1] or 0) >= (before[1] or 0) + failed,
               f"{passed} passed and {failed} failed since {before} of {who}", seconds)


def router_ok(one):
    return one.state()["Network"]["GatewayOk"]


def internet_ok(one):
    return one.state()["Internet"]["Ok"]


def target(one, name):
    return one.patch(Internet={"PingTarget": name})


# --- the router --------------------------------------------------------------------------------

def test_router_that_answers(net, start):
    """By pings alone, one every 3 s; and nothing at all goes to the internet."""
    one = start()
    wait_until(lambda: router_ok(one) is not None, "an answer")
    begin, first = time.monotonic(), net.router.counter("pings")
    wait_counts(one, "gw", passed=3)
    lasted, sent = time.monotonic() - begin, net.router.counter("pings") - first
    assert router_ok(one) is True and counts(one, "gw")[1] == 0
    assert 2 * PERIOD - 0.5 < lasted < 3 * PERIOD + 1 and sent == 3
    assert net.router.counter("connections") == net.router.counter("onwards") == 0
    assert internet_ok(one) is None and counts(one, "internet") == (None, None)
    assert not one.server.log("network: ")


def test_numbers_are_the_same_everywhere(net, start):
    """Status, metrics, and what is not asked is in none of them."""
    assert net
    one = start()
    wait_counts(one, "gw", passed=1)
    samples = one.metrics()
    assert metric(samples, "ping_total", target="gateway", result="pass") in (1, 2)
    assert metric(samples, "ping_total", target="gateway", result="fail") == 0
    assert metric(samples, "ping_total", target="internet", result="pass") is None
    target(one, FAR)
    wait_counts(one, "internet", passed=1)
    assert metric(one.metrics(), "ping_total", target="internet", result="pass") >= 1
    assert metric(one.metrics(), "ping_total", target="internet", result="fail") == 0


def test_router_that_drops_pings_and_comes_back(net, start):
    """Told by the counters, an event and one line in the log, each way."""
    one = start()
    wait_counts(one, "gw", passed=1)
    with Events(one) as events:
        events.next("state")
        net.router.drop("meta l4proto icmp")
        events.wait("state", lambda s: s["Network"]["GatewayOk"] is False)
        one.server.wait_log(f"network: the router cannot be reached: {ROUTER}: no answer")
        assert counts(one, "gw")[1] >= 3
        net.router.nft("delete table inet deaf")
        events.wait("state", lambda s: s["Network"]["GatewayOk"] is True)
    one.server.wait_log("network: the router can be reached again")
    passed, failed = counts(one, "gw")
    wait_counts(one, "gw", passed=1)
    assert counts(one, "gw")[1] == failed and passed >= 2
    assert len(one.server.log("network: ")) == 2


def test_router_whose_cable_is_out(net, start):
    """No neighbour answers for its address any more."""
    one = start()
    wait_counts(one, "gw", passed=1)
    net.router.ip("link", "set", "lan", "down")
    wait_counts(one, "gw", failed=2)
    assert router_ok(one) is False
    net.router.ip("link", "set", "lan", "up")
    wait_counts(one, "gw", passed=1)
    assert router_ok(one) is True


def test_default_route_that_goes_and_comes(net, start):
    net.box.ip("route", "del", "default")
    one = start()
    wait_until(lambda: router_ok(one) is False, "the failure at once", PERIOD - 1)
    assert one.state()["Network"]["Gateway"] is None
    one.server.wait_log("network: the router cannot be reached: there is no default route")
    net.box.ip("route", "add", "default", "via", ROUTER)
    wait_counts(one, "gw", passed=1)
    assert router_ok(one) is True and one.state()["Network"]["Gateway"] == ROUTER
    net.box.ip("route", "del", "default")
    wait_counts(one, "gw", failed=1)
    assert router_ok(one) is False


def test_router_that_changes(net, start):
    """The next attempt asks the new one."""
    net.router.ip("addr", "add", "192.0.2.7/24", "dev", "lan")
    one = start()
    wait_counts(one, "gw", passed=1)
    net.box.ip("route", "replace", "default", "via", "192.0.2.7")
    net.router.drop(f"ip daddr {ROUTER}")
    wait_counts(one, "gw", passed=2)
    assert counts(one, "gw")[1] == 0 and one.state()["Network"]["Gateway"] == "192.0.2.7"


def test_without_pings_a_refusal_tells(net, start):
    """Nobody may send pings: a refusal of TCP port 80 is an answer; silence is none."""
    net.box.setting("ipv4/ping_group_range", CLOSED)
    one = start()
    wait_counts(one, "gw", passed=2)
    assert counts(one, "gw")[1] == 0 and net.router.counter("pings") == 0 and net.router.counter("connections") >= 2
    net.router.drop("tcp dport 80")
    wait_counts(one, "gw", failed=1)
    net.box.setting("ipv4/ping_group_range", OPEN)
    wait_counts(one, "gw", passed=1)
    assert net.router.counter("pings") >= 1


def test_without_pings_a_connection_tells(net, start):
    """The router has a page: its connection is dropped at once."""
    net.box.setting("ipv4/ping_group_range", CLOSED)
    with net.router.inside():
        page = socket.create_server((ROUTER, 80))
    one = start()
    wait_counts(one, "gw", passed=1)
    before = one.server.descriptors()
    wait_counts(one, "gw", passed=2)
    assert one.server.descriptors() <= before and counts(one, "gw")[1] == 0
    with pytest.raises(ConnectionResetError), page, page.accept()[0] as peer:
        peer.settimeout(1)
        peer.recv(1)


def test_ipv6_alone(wires, start):
    """A link-local router, as router advertisements bring it; and an internet without IPv4."""
    wires.speak_ipv6()
    one = start()
    wait_counts(one, "gw", passed=1)
    network = one.state()["Network"]
    assert network["Gateway"] == "fe80::1:1" and network["GatewayOk"] is True
    assert one.state()["Link"]["Interface"] == "lan"
    assert wires.router.counter("pings") >= 1 and wires.router.counter("onwards") == 0
    target(one, FAR6)
    wait_counts(one, "internet", passed=1)
    assert wires.far.counter("pings") >= 1 and internet_ok(one) is True
    target(one, FAR)
    wait_counts(one, "internet", failed=1)
    assert internet_ok(one) is False, "there is no IPv4"
    wires.box.setting("ipv4/ping_group_range", CLOSED)
    wait_until(lambda: wires.router.counter("connections") >= 1, "a connection")
    wait_until(lambda: router_ok(one) is True, "its answer")


def test_machine_that_slept(net, start):
    """Held for several periods: at most one attempt has failed, and no attempts are made up for."""
    one = start()
    wait_counts(one, "gw", passed=1)
    before, pings = counts(one, "gw"), net.router.counter("pings")
    os.kill(one.server.pid, signal.SIGSTOP)
    time.sleep(2.5 * PERIOD)
    os.kill(one.server.pid, signal.SIGCONT)
    time.sleep(0.5)
    after = counts(one, "gw")
    assert after[1] - before[1] <= 1 and sum(after) - sum(before) <= 2
    assert net.router.counter("pings") - pings <= 2
    wait_counts(one, "gw", passed=1)


# --- forgers -----------------------------------------------------------------------------------

def checksum(data):
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


class Forger:
    """Answers pings to the router in the kernel's place, as `how` says: it is given sequence number and payload, and
    gives (source, type, sequence, payload) of each reply."""

    def __init__(self, net):
        self.how, self.seen, self.ends = None, [], False
        net.router.setting("ipv4/icmp_echo_ignore_all", 1)
        with net.router.inside():
            self.sockets = {}
            for address in (ROUTER, "192.0.2.3"):
                self.sockets[address] = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
                self.sockets[address].bind((address, 0))
        self.sockets[ROUTER].settimeout(0.1)
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.ends:
            with contextlib.suppress(socket.timeout):
                packet = self.sockets[ROUTER].recv(2048)[20:]
                kind, _, _, ident, sequence = struct.unpack(">BBHHH", packet[:8])
                if kind == 8:
                    self.seen.append((sequence, packet[8:]))
                    for source, *reply in self.how(sequence, packet[8:]):
                        self.reply(source, ident, *reply)

    def reply(self, source, ident, kind, sequence, payload):
        packet = struct.pack(">BBHHH", kind, 0, 0, ident, sequence % 65536) + payload
        packet = packet[:2] + struct.pack(">H", checksum(packet)) + packet[4:]
        self.sockets[source].sendto(packet, ("192.0.2.2", 0))

    def close(self):
        self.ends = True
        self.thread.join()
        for one in self.sockets.values():
            one.close()


@pytest.fixture(name="forger")
def fixture_forger(net):
    net.router.ip("addr", "add", "192.0.2.3/24", "dev", "lan")
    forger = Forger(net)
    yield forger
    forger.close()


def good(sequence, payload):
    return [(ROUTER, 0, sequence, payload)]


FORGERIES = {
    "sequence": lambda s, p: [(ROUTER, 0, s + 1, p), (ROUTER, 0, s - 1, p)],
    "payload": lambda s, p: [(ROUTER, 0, s, p[:-1] + bytes([p[-1] ^ 1]))],
    "shorter": lambda s, p: [(ROUTER, 0, s, p[:-2]), (ROUTER, 0, s, b"")],
    "longer": lambda s, p: [(ROUTER, 0, s, p + b"\0\0")],
    "elsewhere": lambda s, p: [("192.0.2.3", 0, s, p)],
    "request": lambda s, p: [(ROUTER, 8, s, p)],
}


def forged(sequence, payload):
    return [reply for how in FORGERIES.values() for reply in how(sequence, payload)]


def test_forged_replies_are_none(forger, start):
    """Wrong number, bytes, length, source or kind: ignored, and the good one that comes behind is taken, once."""
    forger.how = lambda s, p: forged(s, p) + good(s, p) + good(s, p)
    one = start()
    wait_until(lambda: router_ok(one) is True, "the first answer")
    wait_counts(one, "gw", passed=2)
    passed, failed = counts(one, "gw")
    assert failed == 0 and passed == len(forger.seen)
    forger.how = forged
    wait_counts(one, "gw", failed=2)
    assert counts(one, "gw")[0] - passed <= 1, "one may have been under way"
    sequences, payloads = zip(*forger.seen)
    assert list(sequences) == list(range(sequences[0], sequences[0] + len(sequences)))
    assert len(set(payloads)) == len(payloads) and {len(p) for p in payloads} == {8}


def test_reply_to_the_ping_before_is_late(forger, start):
    """Each is answered when the next one comes: all have failed."""
    last = []

    def late(sequence, payload):
        last.append((ROUTER, 0, sequence, payload))
        return last[-2:-1]
    forger.how = late
    one = start()
    wait_counts(one, "gw", failed=3)
    assert counts(one, "gw")[0] == 0


# --- the internet ------------------------------------------------------------------------------

def test_internet_target_that_is_set_and_taken_away(net, start):
    one = start()
    wait_counts(one, "gw", passed=1)
    assert net.router.counter("onwards") == 0
    assert target(one, FAR)["Internet"]["PingTarget"] == FAR
    wait_until(lambda: internet_ok(one) is True, "an answer at once", PERIOD - 1)
    wait_counts(one, "internet", passed=1)
    assert net.far.counter("pings") >= 2
    target(one, "")
    before = net.router.counter("onwards")
    assert internet_ok(one) is None and counts(one, "internet") == (None, None)
    time.sleep(PERIOD + 1)
    assert net.router.counter("onwards") == before and router_ok(one) is True
    target(one, FAR)
    wait_counts(one, "internet", passed=1)
    assert counts(one, "internet")[0] >= 3 and counts(one, "internet")[1] == 0, "the counters go on"


def test_internet_that_is_away_while_the_router_answers(net, start):
    """The provider's side is down: one light, not both.  Kept over a restart."""
    one = start()
    target(one, FAR)
    wait_counts(one, "internet", passed=1)
    net.router.ip("link", "set", "wan", "down")
    wait_counts(one, "internet", failed=1)
    assert router_ok(one) is True and internet_ok(one) is False and counts(one, "gw")[1] == 0
    one.restart(signal.SIGTERM)
    wait_until(lambda: internet_ok(one) is False, "the setting is kept")
    net.router.ip("link", "set", "wan", "up")
    net.far.ip("route", "replace", "default", "via", "198.51.100.1")
    wait_until(lambda: internet_ok(one) is True, "it is back")


def test_refusal_by_the_internet_target_is_an_answer(net, start):
    net.box.setting("ipv4/ping_group_range", CLOSED)
    one = start()
    target(one, FAR)
    wait_counts(one, "internet", passed=2)
    assert net.far.counter("connections") >= 2 and net.far.counter("pings") == 0
    net.box.ip("route", "add", "unreachable", f"{FAR}/32")
    wait_counts(one, "internet", failed=1)


# --- names -------------------------------------------------------------------------------------

class Names(NameServer):
    """At the far place, which the gateway uses."""

    def __init__(self, net, folder):
        self.files = []
        for path, text in (("/etc/resolv.conf", f"nameserver {FAR}\noptions timeout:5 attempts:1\n"),
                           ("/etc/hosts", ""), ("/etc/nsswitch.conf", "hosts: files dns\n")):
            mine = folder / pathlib.Path(path).name
            mine.write_text(text)
            if os.path.exists(path):
                self.files.append((str(mine).encode(), os.path.realpath(path).encode()))
        with net.far.inside():
            super().__init__(FAR)
        self.addresses = [FAR]

    def prepare(self):
        """In the gateway's process: our files in the place of the machine's."""
        LIBC.mount.argtypes = [ctypes.c_char_p] * 3 + [ctypes.c_ulong, ctypes.c_char_p]
        assert LIBC.unshare(CLONE_NEWNS) == 0
        assert LIBC.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None) == 0
        for mine, path in self.files:
            assert LIBC.mount(mine, path, None, MS_BIND, None) == 0


@pytest.fixture(name="names")
def fixture_names(net, tmp_path):
    names = Names(net, tmp_path)
    yield names
    names.close()


def test_name_is_looked_up_once_while_it_answers(names, net, start):
    one = start(prepare=names.prepare)
    target(one, "far.example")
    wait_counts(one, "internet", passed=3)
    assert counts(one, "internet")[1] == 0 and net.far.counter("pings") >= 3
    assert len(names.asked) <= 2 and {name for _, name, _ in names.asked} == {b"\3far\7example\0"}


def test_name_that_moves(names, net, start):
    """The old address is silent: looked up again, and the new one answers."""
    one = start(prepare=names.prepare)
    target(one, "far.example")
    wait_counts(one, "internet", passed=1)
    names.addresses = ["198.51.100.10"]
    net.far.ip("addr", "add", "198.51.100.10/24", "dev", "wan")
    net.far.drop(f"ip daddr {FAR} icmp type echo-request")
    wait_counts(one, "internet", failed=1, passed=1)
    failed = counts(one, "internet")[1]
    wait_counts(one, "internet", passed=1)
    assert counts(one, "internet")[1] == failed


@pytest.mark.parametrize("addresses", [["198.51.100.77", FAR], [FAR, "198.51.100.77"]])
def test_name_with_an_address_that_is_dead(names, net, start, addresses):
    """Another one is tried at each failure."""
    assert net
    names.addresses = addresses
    one = start(prepare=names.prepare)
    target(one, "far.example")
    wait_until(lambda: internet_ok(one) is True, "the address that lives")
    failed = counts(one, "internet")[1]
    wait_counts(one, "internet", passed=1)
    assert counts(one, "internet")[1] == failed <= 2


def test_name_that_is_blocked_is_not_this_machine(names, net, start):
    """A filtering name server says 0.0.0.0 or 127.0.0.1: that is no internet."""
    assert net
    names.addresses = ["0.0.0.0", "127.0.0.1"]
    one = start(prepare=names.prepare)
    target(one, "ads.example")
    wait_counts(one, "internet", failed=2)
    assert internet_ok(one) is False and counts(one, "internet")[0] == 0


def test_name_server_that_is_silent(names, net, start):
    """Each period is a failure, one thread at most waits for it, and nothing else is kept waiting; another target needs
    not wait for the name."""
    assert net
    names.silent = True
    one = start(prepare=names.prepare)
    one.server.wait_served()
    target(one, "far.example")
    threads = set()
    before, end = counts(one, "internet"), time.monotonic() + 3 * PERIOD
    with one.server.client() as client:
        while time.monotonic() < end:
            begin = time.monotonic()
            client.registers(0x8000, 2)
            assert time.monotonic() - begin < 0.5
            threads.add(one.server.threads())
            time.sleep(0.05)
    failed = counts(one, "internet")[1] - before[1]
    assert 2 <= failed <= 4 and counts(one, "internet")[0] == 0
    assert max(threads) - min(threads) <= 1
    begins = sorted(at for at, _, kind in names.asked if kind == 1)
    assert len(begins) >= 2 and all(b - a >= 4.5 for a, b in zip(begins, begins[1:])), "one after the other"
    target(one, FAR)
    wait_until(lambda: internet_ok(one) is True, "not held up by the name", PERIOD)
    names.silent = False
    target(one, "far.example")
    wait_counts(one, "internet", passed=1)


def test_names_that_are_changed_while_they_are_looked_up(names, net, start):
    """Ten in a second: one lookup at a time still, and the last one counts.  And the end comes at once."""
    assert net
    names.silent = True
    one = start(prepare=names.prepare)
    threads = set()
    for n in range(10):
        target(one, f"n{n}.example")
        threads.add(one.server.threads())
    assert max(threads) - min(threads) <= 1
    names.silent = False
    wait_counts(one, "internet", passed=1)
    asked = {name for _, name, _ in names.asked}
    assert asked == {b"\2n0\7example\0", b"\2n9\7example\0"}
    names.silent = True
    target(one, "last.example")
    wait_until(lambda: names.asked[-1][1] == b"\4last\7example\0", "a lookup under way")
    begin = time.monotonic()
    one.server.stop()
    assert time.monotonic() - begin < 2
