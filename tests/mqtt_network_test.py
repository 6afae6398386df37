"""MQTT over networks that fail: a mute name server, a slow line, a link that goes and comes, a cluster that loses a
node.  In namespaces of its own, so that needs root."""
import contextlib
import multiprocessing
import os
import shutil
import signal
import socket
import subprocess
import time

import pytest

from figures import note
from harness import LIBC, Gate, Process, Subscriber, eager_state, free_port, wait_until, waited_s
from mqtt_store_test import LATE, LIVE, SOAK, House, assert_as_quick, in_order, measured
from name_server import NXDOMAIN, SERVFAIL, NameServer, asks_at

CLONE_NEWNET = 0x40000000
BROKER, US = "10.83.0.2", "10.83.0.1"


def sh(*command):
    subprocess.run(command, check=True, capture_output=True)


pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root for namespaces")


@pytest.fixture(scope="module", autouse=True)
def net_of_our_own():
    """A browser that another test drives meanwhile would give up its connections when a card comes or goes."""
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    if LIBC.unshare(CLONE_NEWNET) != 0:
        pytest.skip("no network namespaces here")
    sh("ip", "link", "set", "lo", "up")
    yield
    assert LIBC.setns(before, CLONE_NEWNET) == 0
    os.close(before)


@pytest.fixture
def state(tmp_path):
    return eager_state(tmp_path / "state")


class Watchman:
    """Asks by Modbus fifty times a second, one gateway after the other; a process, as our threads wait for each other.
    `waits_ms`: for which a gateway let him wait, but for the time in which it, or he, was ready to go on and the machine
    had no processor for it; in order of length."""

    def __init__(self, *servers):
        self.servers, self.waits_ms = servers, []
        self.end, its_end = multiprocessing.Pipe()
        self.process = multiprocessing.get_context("fork").Process(target=self.run, args=(its_end,), daemon=True)

    def __enter__(self):
        self.process.start()
        return self

    def __exit__(self, *_):
        self.end.send("enough")
        self.waits_ms = sorted(self.end.recv())
        self.process.join()
        assert len(self.waits_ms) > 10

    def run(self, end):
        both = [(server, server.client()) for server in self.servers]
        while not end.poll(0.02):
            for server, client in both:
                self.waits_ms.append(1000 * waited_s(server, lambda: client.ask(3, 0x8016, 2)))
        end.send(self.waits_ms)

    def assert_loop_is_free(self):
        """A machine with more to do than it can still lets one in fifty wait, as it does a gateway that does nothing."""
        assert self.waits_ms[-1 - len(self.waits_ms) // 50] < 50 and self.waits_ms[-1] < 500, self.waits_ms[-10:]


@pytest.fixture
def house(tcp_meter):
    return House(tcp_meter)


# --- name servers ------------------------------------------------------------------------------

@pytest.fixture
def names():
    """names(ADDRESS, ATTRIBUTE=VALUE...): a name server."""
    made = []

    def make(at, **how):
        made.append(NameServer(at))
        vars(made[-1]).update(how)
        return made[-1]
    yield make
    for one in made:
        one.close()


# What a name server says, as attributes of NameServer, and what is told of it.  The resolver gives up before a late one.
BAD_NAMES = {"no such name": ({"code": NXDOMAIN}, "Lookup error"),
             "server failure": ({"code": SERVFAIL}, "Lookup error"),
             "late": ({"addresses": ["127.0.0.1"], "late_s": 30 if SOAK else 4}, "Lookup error"),
             "0.0.0.0": ({"addresses": ["0.0.0.0"]}, "refused")}


def test_name_servers_that_fail_hold_nothing_up(gateway, names, tmp_path):
    """In each way, a gateway each; when the names are there again so is the broker."""
    servers, port = [], free_port()
    for number, (name, (how, _)) in enumerate(BAD_NAMES.items(), 1):
        at = f"127.7.7.{number}"
        dns = names(at, **how)
        one = gateway("sim:dsmr50", "--mqtt", f"mqtt://broker.example:{port}", "--https", "off", "--serial",
                      f"00112233AA{number:02}", prefix=asks_at(tmp_path, at, "options timeout:2 attempts:1"))
        servers.append((name, one.wait_served(), dns))
    with Watchman(*(one for _, one, _ in servers)) as watchman:
        for name, one, _ in servers:
            one.wait_log(BAD_NAMES[name][1])
        time.sleep(60 if SOAK else 2)
    config = tmp_path / "late.conf"
    config.write_text(f"user root\nlistener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n")
    broker = Process(tmp_path, "late", ["mosquitto", "-c", str(config)])
    for _, one, dns in servers:
        dns.code, dns.late_s, dns.addresses = 0, 0, ["127.0.0.1"]
    for _, one, dns in servers:
        one.wait_log("mqtt: connected", seconds=300 if SOAK else 30)
        assert len(one.stderr().splitlines()) <= 12, "said once"
        assert dns.asked
    broker.end()
    note("faults", f"names that fail ({', '.join(BAD_NAMES)}): longest time that the loop let Modbus wait, of so many",
         f"{watchman.waits_ms[-1]:.0f} ms of {len(watchman.waits_ms)}", "<= 50 ms on a quiet machine")
    watchman.assert_loop_is_free()


def test_a_mute_name_server_holds_nothing_up(gateway, tcp_meter, house, tmp_path, state):
    mute = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    mute.bind(("127.7.7.7", 53))
    server = gateway(tcp_meter.url, "--mqtt", "mqtt://broker.example", "--state", str(state), "--https", "off",
                     prefix=asks_at(tmp_path, "127.7.7.7"))
    tcp_meter.accept()
    house.send(1)
    with Watchman(server.wait_served()) as watchman:
        house.send(400 if SOAK else 200, pace_s=0.05)
    assert mute.recv(512), "it was asked"
    longest_ms = watchman.waits_ms[-1]
    note("outages", "a mute name server: longest time that the loop let Modbus wait, of so many",
         f"{longest_ms:.0f} ms of {len(watchman.waits_ms)}", "< 100 ms")
    assert longest_ms < 100, watchman.waits_ms[-10:]
    begin = time.monotonic()
    server.stop()
    assert time.monotonic() - begin < 3
    mute.close()


# --- a broker behind a line --------------------------------------------------------------------

class Line:
    """A broker in a namespace of its own, behind a pair of cards."""

    def __init__(self, folder):
        self.name, self.card = f"sc-broker-{os.getpid()}", f"scb{os.getpid() % 100000}"
        sh("ip", "netns", "add", self.name)
        sh("ip", "link", "add", self.card, "type", "veth", "peer", "name", "eth0", "netns", self.name)
        sh("ip", "address", "add", f"{US}/24", "dev", self.card)
        sh("ip", "link", "set", self.card, "up")
        for command in (["address", "add", f"{BROKER}/24", "dev", "eth0"], ["link", "set", "eth0", "up"],
                        ["link", "set", "lo", "up"]):
            sh("ip", "-n", self.name, *command)
        config = folder / "line.conf"
        config.write_text("user root\nlistener 1883\nallow_anonymous true\npersistence false\n")
        self.process = Process(folder, "line", ["ip", "netns", "exec", self.name, "mosquitto", "-c", str(config)])
        wait_until(self.listens, "the broker behind the line")

    def listens(self):
        with socket.socket() as s:
            s.settimeout(1)
            return s.connect_ex((BROKER, 1883)) == 0

    def slow_down(self, rate):
        sh("tc", "qdisc", "replace", "dev", self.card, "root", "tbf", "rate", rate, "burst", "2kb", "latency", "300ms")

    def speed_up(self):
        sh("tc", "qdisc", "del", "dev", self.card, "root")

    def deafen(self, on):
        """Nothing comes through, and nobody is told: half-open."""
        rules = ("add table inet deaf; add chain inet deaf out { type filter hook output priority 0; }; "
                 f"add rule inet deaf out oifname {self.card} drop; add chain inet deaf in "
                 f"{{ type filter hook input priority 0; }}; add rule inet deaf in iifname {self.card} drop")
        sh("nft", rules if on else "delete table inet deaf")

    def up(self, on):
        sh("ip", "link", "set", self.card, "up" if on else "down")

    def close(self):
        self.process.end()
        with contextlib.suppress(subprocess.CalledProcessError):
            sh("ip", "netns", "del", self.name)
        with contextlib.suppress(subprocess.CalledProcessError):
            sh("ip", "link", "del", self.card)


@pytest.fixture
def line(tmp_path):
    try:
        one = Line(tmp_path)
    except (subprocess.CalledProcessError, FileNotFoundError) as e:
        pytest.skip(f"no network namespaces here: {e}")
    yield one
    one.close()


@pytest.fixture
def watch(line):
    one = Subscriber(1883, host=BROKER)
    yield one
    one.close()


@pytest.fixture
def server(gateway, tcp_meter, state, line):
    one = gateway(tcp_meter.url, "--mqtt", f"mqtt://{BROKER}", "--state", str(state), "--https", "off", "--live",
                  "--mqtt-keepalive", "5")
    tcp_meter.accept()
    one.wait_log("mqtt: connected")
    return one


def test_a_slow_line_costs_time_only(server, house, line, watch):
    """A quarter of what the readings need; then the line is as fast as ever."""
    quiet, slow = [], []
    with measured(server, quiet):
        house.send(60, pace_s=0.05)
    line.slow_down("32kbit")
    with measured(server, slow):
        house.send(600 if SOAK else 240, pace_s=0.05)
    line.speed_up()
    house.send(1)
    house.all_arrive(watch, seconds=120)
    note("outages", "a slow line: Modbus p99", f"{quiet[0]:.2f} ms quiet, {slow[0]:.2f} ms meanwhile")
    assert_as_quick(slow, quiet)
    server.wait_live(mqtt_dropped=0)


def test_a_link_that_comes_and_goes_is_back_within_ten_seconds(server, house, line, watch):
    for n in range(20 if SOAK else 3):
        line.up(False)
        house.send(30, pace_s=0.1)
        line.up(True)
        up = time.monotonic()
        house.send(1)
        wait_until(lambda: any(house.number(m) >= house.n - 1 for m in watch.of(LIVE)[-3:]) or house.send(1, 0.2),
                   "live readings", 12)
        assert time.monotonic() - up < 10
    house.all_arrive(watch, seconds=60)


def test_a_long_cut_is_over_soon_after_the_link_is_back(server, house, line):
    """Attempts that hang in the kernel are left behind."""
    line.up(False)
    server.wait_log("trying again", seconds=40)
    house.send(60 if SOAK else 20, pace_s=0.5)
    line.up(True)
    up = time.monotonic()
    server.wait_log("mqtt: connected", 2, seconds=12)
    note("outages", "a long cut: back after the link", f"{time.monotonic() - up:.1f} s")
    again = Subscriber(1883, host=BROKER)
    house.send(1)
    wait_until(lambda: any(house.number(m) == house.n for m in again.of(LIVE)), "live readings")
    again.close()


def test_a_broker_that_hears_nothing_any_more_is_left(server, house, line):
    """Half-open: neither end is told. It is found by keepalive, what waited follows, and nobody waits meanwhile."""
    watch = Subscriber(1883, host=BROKER)
    house.send(20, pace_s=0.05)
    house.all_arrive(watch)
    watch.client.loop_stop()  # it is on the other side of the wire, and cannot hear either
    line.deafen(True)
    since = time.monotonic()
    with Watchman(server) as watchman:
        while not server.log("trying again"):
            house.send(5, pace_s=0.1)
            assert time.monotonic() - since < 5 * 3, "three times the keepalive"
        found = time.monotonic() - since
        house.send(600 if SOAK else 10, pace_s=0.1)
    line.deafen(False)
    after = Subscriber(1883, host=BROKER)
    house.send(1)
    wait_until(lambda: set(range(21, house.n + 1)) <= {house.number(m) for m in after.of(LIVE) + after.of(LATE)},
               "what waited", 60)
    after.close()
    watch.client.loop_start()
    watch.close()
    note("faults", "a broker half-open (packets dropped both ways), keepalive 5 s: found after, longest time that the loop let "
         "Modbus wait, readings lost", f"{found:.1f} s, {watchman.waits_ms[-1]:.0f} ms, 0", "15 s, 50 ms on a quiet machine, 0")
    watchman.assert_loop_is_free()
    server.wait_live(mqtt_dropped=0)


# --- a cluster ---------------------------------------------------------------------------------

class Cluster:
    """Three nodes of nats-server with JetStream, each with an MQTT door."""

    def __init__(self, folder):
        self.folder = folder
        ports = [free_port() for _ in range(9)]
        self.mqtt, self.cluster, self.client = ports[:3], ports[3:6], ports[6:]
        routes = ", ".join(f"nats://127.0.0.1:{port}" for port in self.cluster)
        for n in range(3):
            (folder / f"node-{n}.conf").write_text(
                f"server_name: n{n}\nlisten: 127.0.0.1:{self.client[n]}\n"
                f'jetstream {{ store_dir: "{folder}/js-{n}", max_mem: 64M, max_file: 256M }}\n'
                f"mqtt {{ listen: 127.0.0.1:{self.mqtt[n]}, ack_wait: 5s }}\n"
                f"cluster {{ name: gw, listen: 127.0.0.1:{self.cluster[n]}, routes: [{routes}] }}\n")
        self.nodes = [self.start(n) for n in range(3)]
        wait_until(lambda: any("new metadata leader" in node.stderr() for node in self.nodes), "a leader", 60)

    def start(self, n):
        return Process(self.folder, f"node-{n}", ["nats-server", "-c", str(self.folder / f"node-{n}.conf")])

    def close(self):
        for node in self.nodes:
            node.end(signal.SIGKILL)


@pytest.fixture
def cluster(tmp_path):
    if not shutil.which("nats-server"):
        pytest.skip("no nats-server: run ./bootstrap test")
    one = Cluster(tmp_path)
    yield one
    one.close()


def test_a_cluster_that_loses_a_node_misses_no_reading(cluster, gateway, tcp_meter, house, state):
    gate = Gate(*cluster.mqtt[:2])
    server = gateway(tcp_meter.url, "--mqtt", gate.url, "--state", str(state), "--https",
                     "off", "--live")
    tcp_meter.accept()
    server.wait_log("mqtt: connected .*MQTT 3.1.1", seconds=60)
    watch = Subscriber(cluster.mqtt[2], topic="devices/#")
    house.send(40, pace_s=0.05)
    wait_until(lambda: len(watch.of(LIVE)) >= 40, "readings over the cluster", 30)
    cluster.nodes[0].end(signal.SIGKILL)
    house.send(300 if SOAK else 100, pace_s=0.05)
    server.wait_log("mqtt: connected", 2, seconds=60)
    house.send(1)
    house.all_arrive(watch, seconds=120)
    assert in_order(sorted({house.number(m) for m in watch.of(LATE)}))
    server.wait_live(mqtt_dropped=0)
    watch.close()
    gate.shut()
