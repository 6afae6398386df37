"""Memory that is exhausted: each allocation fails in turn, alone, or with all that follow it.

A preloaded library lets them fail (tests/faults/fail_alloc.c) from the first one of a program on, or from a moment: one
telegram, one request, one connection. Whatever fails, no signal ends the gateway but where a library knows no other way
(faults.memory.ABORTS); meter and Modbus go on; the settings are the old or the new; and with memory there again all of it
works. Where the gateway ends it says why, and the next start serves what was kept, as it does when systemd restarts it.

A sample, another each time: $FAULT_OFFSET, which is printed, takes the same again. FAULTS=all tries each, FAULTS=100 about
a hundred of each kind.
"""
import collections
import contextlib
import json
import os
import pathlib
import re
import shutil
import socket
import ssl
import time

import pytest

from faults.memory import ALL, EVER, LONG, MOST, NEVER, OFFSET, Memory, chosen
from fetch_test import Fetch, Server, authority, pair, whole  # noqa: F401
from fetch_test import NAME as UPDATES
from figures import note
from harness import SANITIZER_COMPLAINT, Closed, Gate, Gateway, TcpMeter, marked, wait_until
from https_client import Closed as HttpsClosed
from https_client import Https, login_of, serve
from mqtt_commands_test import Boss, request
from p1mb_config_test import PATIENT, config, device  # noqa: F401
from page_kit import CONFIG, FIRMWARE, LIVE, RESET, STATUS, assert_fields, document, strangers
from pki import HERE, Authority, TlsBroker

LATE, LIVE_TOPIC = "data/power_instant_late", "data/power_instant"
OLD, NEW = 3599, 3600  # seconds after which a reading is stale
SLOW_MOST = 500  # allocations of a program that asks for ten thousand, and whose start costs a second
PACE_S = 1  # between commands by MQTT, of which a burst is let through
PATIENCE = 6  # seconds for an answer, or for the end of its connection


class Short:
    """A gateway whose memory can be made short, and that is started again where it ended."""

    def __init__(self, folder, broker):
        self.folder, self.memory = folder, Memory(folder)
        self.meter, self.gate, self.boss = TcpMeter(), Gate(broker.tls_port), Boss(broker.port)
        self.options = ("--stale-after", "3600", "--mqtt", f"mqtts://localhost:{self.gate.port}", "--mqtt-ca",
                        broker.pair.pin())
        self.telegram, self.ended = 0, collections.Counter()
        self.start()
        self.setting = NEW
        patch(self)
        self.look_at_setting()

    def start(self):
        self.server, login = serve(
            lambda *options, **how: Gateway(self.folder, *options, env=self.memory.environment, **how), self.folder,
            *self.options, meter=self.meter.url)
        self.user = Https(self.server, login, seconds=PATIENCE)
        self.meter.accept()
        self.send()
        self.server.wait_served()
        self.connected()

    def send(self):
        """The next telegram."""
        self.telegram += 1
        self.meter.send(marked(self.telegram))

    def serves(self):
        """Modbus has the latest telegram."""
        with self.server.client(seconds=PATIENCE) as client:
            return client.floats(0x8016, 1) == [self.telegram]

    def is_alive(self):
        with contextlib.suppress(Closed, ConnectionRefusedError):
            return self.serves()
        return False

    def get(self, path):
        answer = self.user.get(path)
        assert answer.status == 200, answer
        return answer.json()

    def look_at_setting(self):
        """It is the old or the new one, also on the disk."""
        self.setting = self.get(CONFIG)["Meter"]["StaleAfter"]
        stored = json.loads((self.folder / "state" / "config.json").read_text())["Settings"]["Meter"]["StaleAfter"]
        assert self.setting == stored and stored in (OLD, NEW)

    def descriptors(self):
        """But those of the file in which readings wait, which is opened when it is needed."""
        links = []
        for path in pathlib.Path(f"/proc/{self.server.pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):
                links.append(os.readlink(path))
        return [link for link in links if "/readings.db" not in link]

    def connects(self):
        """(how often it was connected to the broker, how often not)"""
        return len(self.server.log("mqtt: connected")), len(self.server.log("mqtt: .*trying again"))

    def connected(self):
        """At once, if it is not."""
        if self.get(STATUS)["State"]["MQTT"]["State"] != "connected":
            assert self.user.request("POST", RESET, {"Mode": "soft"}).status == 202
            wait_until(lambda: self.get(STATUS)["State"]["MQTT"]["State"] == "connected", "the broker")

    def arrived(self):
        """Numbers of the telegrams that reached the broker."""
        return {m.json()["P"] for m in self.boss.of(LIVE_TOPIC) + self.boss.of(LATE)}

    def close(self):
        self.user.close()
        if self.server.running():
            self.server.stop()
        self.boss.close()
        self.meter.close()
        self.gate.shut()


@pytest.fixture(name="broker", scope="module")
def fixture_broker(tmp_path_factory):
    folder = tmp_path_factory.mktemp("broker")
    one = TlsBroker(folder, Authority(folder).issue("broker", *HERE))
    yield one
    one.stop()


@pytest.fixture(name="short", scope="module")
def fixture_short(tmp_path_factory, broker):
    one = Short(tmp_path_factory.mktemp("short"), broker)
    print(f"\nFAULT_OFFSET={OFFSET}")
    yield one
    one.close()


# --- what is done while memory is short --------------------------------------------------------

def warm(short):
    """A connection that is open, and a broker that is there."""
    short.connected()


def cold(short):
    """A connection that is not."""
    warm(short)
    short.user.close()


def rested(short):
    """No command is refused because it comes too fast."""
    time.sleep(PACE_S)
    warm(short)


def cut(short):
    """The meter's line, on which something was said: after one that stayed silent the next attempt comes later."""
    telegram(short)
    times = len(short.server.log("closed the connection"))
    short.meter.hang_up()
    short.server.wait_log("closed the connection", times + 1)


def telegram(short):
    short.send()
    wait_until(short.serves, "the telegram in the registers", PATIENCE)


def modbus(short):
    assert short.serves()


def get(path):
    """What is answered is whole."""
    def act(short):
        answer = short.user.get(path)
        assert_fields(answer)
        if path in (STATUS, CONFIG):
            document().judge(path, "GET", answer)
        return answer.status
    return act


def patch(short):
    """A setting that is one of two, to the other."""
    wanted = OLD if short.setting == NEW else NEW
    return short.user.request("PATCH", CONFIG, {"Meter": {"StaleAfter": wanted}}).status


def wrong_login(short):
    """Where many of them come, each has to wait."""
    with Https(short.server, "wrong", source=next(strangers), seconds=PATIENCE) as stranger:
        while (status := stranger.get(CONFIG).status) == 429:
            time.sleep(1)
        return status


def stream(short):
    """An event that there is no memory for comes later."""
    with short.user.connect() as connection:
        connection.send(short.user.head("GET", LIVE))
        status = connection.head().status
        connection.socket.settimeout(0.2)
        with contextlib.suppress(socket.timeout):
            connection.more()
        return status


def upload(short):
    """Of a bundle, which the package manager does not want."""
    return short.user.request("POST", FIRMWARE, bytes(1000), {"Content-Type": "application/octet-stream"}).status


def command(short):
    """An answer, or none."""
    one, seconds = request(), 0.5 if short.memory.may_fail() else PATIENCE
    short.boss.publish("get-status", one)
    with contextlib.suppress(AssertionError):
        wait_until(lambda: any(a["id"] == one["id"] for a in short.boss.answers("get-status")), "an answer", seconds)
        return "answered"
    return "not answered"


def broker_again(short):
    """The connection to the broker is made anew; or that fails."""
    before = short.connects()
    status = short.user.request("POST", RESET, {"Mode": "soft"}).status
    if status == 202:
        wait_until(lambda: short.connects() != before or not short.server.running(), "an attempt")
    return status


def meter_again(short):
    """The meter is connected anew; or it is tried again when there is memory."""
    short.meter.listening.settimeout(1.5)
    with contextlib.suppress(socket.timeout):
        short.meter.accept()
    short.meter.listening.settimeout(15)
    return "connected" if short.meter.peer else "later"


# Name: what comes before, what is done, what comes out with memory enough.
PHASES = {
    "telegram, and its message to a broker": (warm, telegram, None),
    "Modbus read": (warm, modbus, None),
    "TLS handshake": (cold, get("/"), 200),
    "GET status": (warm, get(STATUS), 200),
    "GET config": (warm, get(CONFIG), 200),
    "GET metrics": (warm, get("/metrics"), 200),
    "PATCH config": (warm, patch, 200),
    "wrong login": (warm, wrong_login, 401),
    "live stream": (warm, stream, 200),
    "upload": (warm, upload, 409),
    "command by MQTT": (rested, command, "answered"),
    "broker again": (warm, broker_again, 202),
    "meter again": (cut, meter_again, "connected"),
}


# They wait for what is tried again after a second or more, or may be.
SLOW = ("telegram, and its message to a broker", "command by MQTT", "meter again")


# --- trials ------------------------------------------------------------------------------------

def judge_end(memory, process, what):
    """It ended by its own word, or by a library that knows no other way; "exit", or the library."""
    code, stderr = process.popen.wait(PATIENCE), process.stderr()
    if "AddressSanitizer: CHECK failed" in stderr:
        return "the sanitizer"  # which needs memory itself, for a thread
    assert not SANITIZER_COMPLAINT.search(stderr), f"{what}: {stderr}"
    if code >= 0:
        assert code > 0 and stderr.strip(), f"{what}: exit {code}: {stderr}"
        return "exit"
    library = memory.ended_by()
    assert library, f"{what}: signal {-code} in {memory.stack()}\n{stderr}"
    return library


def attempt(short, act):
    """What came out, or that the connection ended."""
    try:
        return act(short)
    except (HttpsClosed, Closed, ConnectionError, ssl.SSLError):
        return "closed"


def trial(short, phase, first, last):
    """(allocations it asked for, what came out)"""
    before, act, _ = PHASES[phase]
    before(short)
    what = f"{phase}, allocation {first} to {last}, FAULT_OFFSET={OFFSET}"
    short.memory.arm(first, last)
    try:
        result = attempt(short, act)
    except (socket.timeout, AssertionError) as e:
        raise AssertionError(f"{what}: neither done nor given up: {e}; {short.server.stderr()}") from e
    finally:
        asked, _ = short.memory.disarm()
    short.user.close()
    if not short.is_alive():
        result = judge_end(short.memory, short.server, what)
        short.ended[result] += 1
        if short.meter.peer:
            short.meter.hang_up()
        short.start()
    if not short.meter.peer:
        short.meter.accept()
        telegram(short)
    assert short.serves(), f"{what}: the latest telegram in the registers"
    return asked, result


def ways(count, most=MOST, rest_every=1):
    """(first, last) of the allocations that fail: alone, and every so many of them with all that follow."""
    numbers = chosen(count, most)
    return [(n, n) for n in numbers] + [(n, EVER) for n in numbers[::rest_every]]


@pytest.mark.parametrize("phase", PHASES)
def test_a_gateway_that_serves_outlives_it(short, phase):
    """And where a library ends it, it is started again."""
    asked, usual = max((trial(short, phase, NEVER, NEVER) for _ in range(2)), key=lambda t: t[0])
    assert usual == PHASES[phase][2]
    short.ended.clear()
    short.user.close()
    begin, descriptors, results = short.telegram, short.descriptors(), collections.Counter()
    for first, last in ways(asked, MOST // 2 if phase in SLOW else MOST):
        results[trial(short, phase, first, last)[1]] += 1
        short.look_at_setting()
    assert trial(short, phase, NEVER, NEVER)[1] == usual, "as before"
    short.connected()
    if not short.ended:
        short.user.close()
        wait_until(lambda: len(short.descriptors()) <= len(descriptors), f"no descriptor is lost: {short.descriptors()}")
        every = set(range(begin, short.telegram + 1))  # what waits on disk is tried again each half minute
        wait_until(lambda: short.arrived() >= every, f"all telegrams at the broker: {every - short.arrived()}", 60)
    note("faults", f"allocations failing: {phase}", f"{sum(results.values())} trials of {asked} allocations: {dict(results)}",
         "served on, or started again")


# --- the start ---------------------------------------------------------------------------------

# What a start may write: the time, and readings that wait for the broker, which is not there.
VOLATILE = ("clock", "readings.db", "readings.db-wal", "readings.db-shm")


def kept(state):
    """By name, the files of the state folder that a start has no business with."""
    return {path.name: path.read_bytes() for path in state.iterdir() if path.name not in VOLATILE}


def starting(folder, memory, first, last):
    """(gateway that started or ended, memory was there again, allocations it asked for)"""
    memory.arm(first, last)
    one = Gateway(folder, "sim:dsmr50", "--state", str(folder / "state"), "--http", "127.0.0.1:0", "--https",
                  "127.0.0.1:0", "--mqtt", "mqtt://127.0.0.1:1", env=memory.environment, wait=False)
    wait_until(lambda: "ready " in one.stdout() or not one.running(), "ready, or the end")
    return one, memory.disarm()[0]


def assert_all_doors(server, state):
    """The page is served, and the broker is looked for, if not at once."""
    with Https(server, login_of(state), seconds=PATIENCE) as user:
        wait_until(lambda: user.get(STATUS).json()["State"]["MQTT"]["State"] == "connecting", "MQTT")


def start_trial(folder, memory, first, last):
    """What came out. Whatever it is: what is kept is as before, or what a first start makes."""
    state = folder / "state"
    one, asked = starting(folder, memory, first, last)
    what = f"start, allocation {first} to {last}, FAULT_OFFSET={OFFSET}"
    if not one.running():
        return asked, judge_end(memory, one, what)
    one.wait_ready()
    assert_all_doors(one, state)
    one.wait_served()
    one.stop()
    return asked, "served"


@pytest.mark.parametrize("is_first", [True, False], ids=["the first", "a later one"])
def test_a_start_serves_or_says_why_not(tmp_path, is_first):
    """And the next one serves what was kept."""
    state, memory, results = tmp_path / "state", Memory(tmp_path), collections.Counter()
    asked, result = start_trial(tmp_path, memory, NEVER, NEVER)
    assert result == "served"
    if not is_first:
        (state / "config.json").write_text(json.dumps({"Version": 1, "Settings": {"MQTT": {"Site": "kept"}}}))
        asked, before = start_trial(tmp_path, memory, NEVER, NEVER)[0], kept(state)
    for first, last in ways(asked, min(MOST // 2, SLOW_MOST) if is_first else MOST, 10 if ALL else 1):
        if is_first:
            shutil.rmtree(state)
        results[start_trial(tmp_path, memory, first, last)[1]] += 1
        if is_first:
            assert start_trial(tmp_path, memory, NEVER, NEVER)[1] == "served"
        else:
            assert kept(state) == before, f"allocation {first} to {last}"
    assert start_trial(tmp_path, memory, NEVER, NEVER)[1] == "served"
    note("faults", f"allocations failing: {'the first' if is_first else 'a later'} start",
         f"{sum(results.values())} trials of {asked} allocations: {dict(results)}", "served, or ended with a word")


# --- the other programs ------------------------------------------------------------------------

def program_trial(memory, first, last, start):
    """start(ENVIRONMENT) gives what came out: (exit code, what it said)."""
    memory.arm(first, last)
    code, said = start(memory.environment)
    asked, _ = memory.disarm()
    assert code >= 0 or memory.ended_by(), f"allocation {first} to {last}: signal {-code} in {memory.stack()}: {said}"
    assert code == 0 or said, f"allocation {first} to {last}: exit {code} without a word"
    return asked, memory.ended_by() or code


def program_trials(name, memory, start):
    asked, result = program_trial(memory, NEVER, NEVER, start)
    assert result == 0
    results = collections.Counter(program_trial(memory, *way, start)[1] for way in ways(asked, min(MOST, SLOW_MOST)))
    note("faults", f"allocations failing: {name}",
         f"{sum(results.values())} trials of {asked} allocations: exit codes {dict(results)}", "no signal of ours")


def test_the_downloader_downloads_or_says_why_not(tmp_path, authority, pair):  # noqa: F811
    server, target = Server(pair.server_context(), {"/a": whole(bytes(5000))}), os.open(tmp_path, os.O_TMPFILE | os.O_RDWR)

    def start(environment):
        one = Fetch("--ca", authority.certificate, "--allow-loopback", f"--resolve={UPDATES}:{server.port}:127.0.0.1",
                    env=environment)
        os.ftruncate(target, 0)
        lines = one.ask(f"get 10000 {server.url()}\n".encode(), target).lines()
        stderr = one.popen.communicate(timeout=PATIENCE)[1].decode()
        one.socket.close()
        assert not SANITIZER_COMPLAINT.search(stderr), stderr
        assert lines[-1:] == ["done 5000"] or one.popen.returncode != 0
        return one.popen.returncode, "".join(lines[-1:]) + stderr
    program_trials("smart-connect-fetch", Memory(tmp_path), start)
    server.close()
    os.close(target)


def test_the_configurator_reads_or_says_why_not(tmp_path, device):  # noqa: F811
    port = device().path

    def start(environment):
        done = config("--port", port, *PATIENT, "read", env={**os.environ, **environment})
        return done.returncode, done.stderr
    program_trials("p1mb-config read", Memory(tmp_path), start)


# --- a limit of the kernel's -------------------------------------------------------------------

def test_a_gateway_under_a_limit_serves_or_says_why_not(tmp_path):
    """`prlimit --as`, from far too little to enough, as a small board may have it."""
    results, mib = [], 1 << 20
    one = Gateway(tmp_path, "sim:dsmr50")
    status = pathlib.Path(f"/proc/{one.pid}/status").read_text()
    needed = int(re.search(r"VmPeak:\s+(\d+)", status).group(1)) * 1024
    one.stop()
    for share in range(20, 130, 1 if LONG else 27):
        limit = needed * share // 100
        one = Gateway(tmp_path, "sim:dsmr50", wait=False, prefix=("prlimit", f"--as={limit}"))
        wait_until(lambda: "ready " in one.stdout() or not one.running(), "ready, or the end")
        if one.running():
            one.wait_ready()
            one.wait_served().stop()
            results.append(0)
        else:
            results.append(one.popen.returncode)
            assert one.popen.returncode > 0 and one.stderr(), f"{limit // mib} MiB: {one.popen.returncode}"
    assert results[-1] == 0 and any(results), results
    note("faults", "address space limited to 20 % to 130 % of what a start needs", f"{results.count(0)} of {len(results)} "
         "starts serve, the others say why not", "no signal")
