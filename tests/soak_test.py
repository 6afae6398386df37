"""A house for hours: a meter that counts, a charger, a page and a store that look all the time, and faults at random,
some at once, from a seed that is printed.  After each round all is well again: every reading has arrived in order, and
no descriptor, thread or byte is left over.  SOAK_SECONDS=7200 SOAK_SEED=n, as `make soak-real` has it; the short form is
twenty seconds with a fixed seed, at five telegrams a second."""
import contextlib
import os
import pathlib
import queue
import random
import re
import signal
import statistics
import subprocess
import threading
import time

import pytest

import soak_kit
from figures import note
from harness import Broker, Gate, Gateway, Process, Subscriber, free_port, wait_until
from https_client import Https, serve
from page_kit import CONFIG
from soak_kit import FAULTS, Charger, Machine, Meter, Page, Store, Truth, User
from steered_clock import BENCH, SteeredClock, held_by

SECONDS = float(os.environ.get("SOAK_SECONDS", "20"))
SEED = int(os.environ.get("SOAK_SEED", "249"))
LONG = "SOAK_SECONDS" in os.environ
# telegrams, when they are too old, how long a fault takes, and what a machine that does much else is granted
PACE_S, STALE_S, LONGEST_S, PATIENCE = (1, 10, 40, 1) if LONG else (0.2, 2, 2, 3)
SETTLED_S = 400  # a broker that went again and again is tried after five minutes
SLOPE_KIB_H = 4
SAMPLE_S = 10 if LONG else 1


class Soak:
    """The house with all who live in it."""

    def __init__(self, folder, state):
        self.rng = random.Random(SEED)
        self.folder, self.state = folder, state
        self.begin, self.over, self.disk_is_full = time.monotonic(), False, False
        self.may_drop, self.excused = False, set()
        self.wanted = queue.Queue()  # what faults want done by the main thread: a process ends with the thread it is of
        self.meter = Meter(PACE_S, random.Random(SEED + 1))
        self.broker = Broker(folder, "max_queued_messages 0", "set_tcp_nodelay true")
        self.gate = Gate(self.broker.port)
        self.watch_broker()
        self.clock = SteeredClock(folder)
        self.start_gateway()
        self.truth = Truth(self.meter, STALE_S, PATIENCE)
        self.store = Store(self.truth, self.subscriber, self.meter.begin_s)
        self.meter.start()
        self.server.wait_served()
        self.watchers = [Charger(self.truth, self.server), User(self.truth, self.server, self.login),
                         Page(self.truth, self.server, self.login)]
        self.charger, self.user, self.page = self.watchers
        self.machine = Machine(self.truth, self.start_echo())
        for one in (*self.watchers, self.machine):
            one.start()
        self.samples = []  # seconds, RSS, of that anonymous memory
        self.rests = []  # blocks and bytes of the heap after each round
        threading.Thread(target=self.sample, daemon=True).start()

    def start_gateway(self):
        self.server, self.login = serve(
            lambda *options, **how: Gateway(self.folder, *options, **how), self.folder,
            "--mqtt", self.gate.url, "--modbus-clients", "16", "--stale-after", str(STALE_S), "--mdns=off",
            meter=self.meter.url, env=self.clock.env)
        with Https(self.server, self.login) as owner:
            assert owner.request("PATCH", CONFIG, {"MQTT": {"LateRate": 1000, "Keepalive": 5}}).status == 200

    def start_echo(self):
        port = free_port()
        self.echo = Process(self.folder, "echo", [str(BENCH / "modbus_echo"), str(port)])
        wait_until(lambda: self.echo.stdout().startswith("ready"), "the echo server")
        return port

    def watch_broker(self):
        self.subscriber = Subscriber(self.broker.port)
        self.heard = []
        self.subscriber.client.reconnect_delay_set(1, 1)
        self.subscriber.client.on_subscribe = lambda *_: self.heard.append("subscribed")

    def restart_broker(self, meanwhile):
        """Ends the broker once the store has all it took, and starts it with the store as its first client."""
        self.wait(0.3)
        self.subscriber.client.publish("soak/marker", b"", qos=1).wait_for_publish(soak_kit.LAG_S * 10)
        self.wait(0.3)
        times = len(self.heard)
        self.broker.stop(signal.SIGKILL)
        meanwhile()
        self.wanted.put(self.broker.start)
        wait_until(lambda: len(self.heard) > times, "the store at the broker again", 60)

    def wait(self, seconds):
        end = time.monotonic() + seconds
        while not self.over and time.monotonic() < end:
            time.sleep(min(0.1, max(0, end - time.monotonic())))

    def sample(self):
        while not self.over:
            with contextlib.suppress(OSError, AttributeError):
                self.samples.append((time.monotonic() - self.begin, *memory_kib(self.server.pid)))
            self.wait(SAMPLE_S)

    def say(self, text):
        print(f"{time.monotonic() - self.begin:8.1f} s  {text}", flush=True)

    def check(self, last=False):
        self.store.read()
        self.truth.check(last)
        assert self.server.running(), f"exit {self.server.popen.returncode}: {self.server.stderr()[-2000:]}"

    # --- rounds ---

    def draw(self):
        """Some faults for a round, at different places, each with its seconds."""
        faults, wanted = [], self.rng.choice((1, 1, 2, 3))
        for fault in self.rng.sample(FAULTS, len(FAULTS)):
            possible = fault.place != "disk" or os.path.ismount(self.state)
            if possible and len(faults) < wanted and fault.place not in [f.place for f, _ in faults]:
                faults.append((fault, self.rng.uniform(LONGEST_S / 40, min(LONGEST_S, fault.longest_s or LONGEST_S))))
        return faults

    def round(self, number, faults):
        self.say(f"round {number}: " + ", ".join(f"{f.name} {seconds:.1f} s" for f, seconds in faults))
        places = {f.place for f, _ in faults}
        self.may_drop = self.may_drop or {"disk", "broker"} <= places
        seeds = [self.rng.random() for _ in faults]
        threads = [threading.Thread(target=self.guarded, args=(f, random.Random(seed), seconds))
                   for (f, seconds), seed in zip(faults, seeds)]
        for t in threads:
            t.start()
        while any(t.is_alive() for t in threads):
            self.check()
            with contextlib.suppress(queue.Empty):
                self.wanted.get(timeout=0.1)()
        self.faults_ended = time.monotonic()
        self.settle()

    def guarded(self, fault, rng, seconds):
        try:
            fault.run(self, rng, seconds)
        except Exception as e:
            self.truth.complain(f"the fault {fault.name} failed: {type(e).__name__} {e}")

    def is_well(self):
        """Everybody has heard of what was sent a second ago, some of it after the faults, and nothing waits."""
        self.check()
        newest = self.truth.newest_at(time.monotonic() - soak_kit.LAG_S)
        if newest < 0 or self.meter.times[newest] < self.faults_ended:
            return False
        n = self.meter.numbers[newest]
        missing = [m for m in self.store.missing() if m <= n and m not in self.excused]
        if missing and self.may_drop and len(missing) <= self.user.dropped and not self.user.waiting:
            self.excused |= set(missing)
            missing = []
        return not missing and not self.user.waiting and all(w.last >= n for w in self.watchers)

    def settle(self):
        try:
            wait_until(self.is_well, "all is well again", SETTLED_S)
        except AssertionError as e:
            raise AssertionError(f"missing {self.store.missing()[:20]}, waiting {self.user.waiting}, last "
                                 f"{[w.last for w in self.watchers]} of {self.meter.n}") from e
        assert self.may_drop or self.user.dropped == 0, "readings were given up"
        assert len(self.excused) <= self.user.dropped

    def settle_last(self):
        """The last telegrams have arrived as well."""
        wait_until(lambda: not set(self.store.missing()) - self.excused, "the last readings")
        self.check(last=True)

    def end(self):
        self.over = True
        for one in (*self.watchers, self.machine):
            one.ending = True
        self.meter.ending = True
        self.server.stop()
        self.subscriber.close()
        self.gate.shut()
        self.broker.stop()
        self.echo.end()


def memory_kib(pid):
    """RSS, and of that what is no file's: code that is run for the first time is no growth."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return tuple(int(re.search(rf"{name}:\s+(\d+)", status).group(1)) for name in ("VmRSS", "RssAnon"))


def slope(samples, column):
    """Of the last four fifths, by hour: the median of the slopes between any two (Theil-Sen)."""
    last = samples[len(samples) // 5:]
    last = last[::len(last) // 1000 + 1]
    slopes = [(b[column] - a[column]) / (b[0] - a[0]) for i, a in enumerate(last) for b in last[i + 1:]]
    return 3600 * statistics.median(slopes)


@pytest.fixture(name="state")
def fixture_state(tmp_path):
    """A state folder on a disk of its own that can be filled, where that may be mounted."""
    folder = tmp_path / "state"
    folder.mkdir(0o700)
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m,mode=0700", "none", str(folder)]
    mounted = os.geteuid() == 0 and subprocess.run(mount, capture_output=True, check=False).returncode == 0
    yield folder
    if mounted:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def at_rest(server):
    """The least it holds in some seconds: visitors who have just left may be among what it holds."""
    glances = []
    for _ in range(20):
        glances.append(held_by(server))
        time.sleep(0.1)
    return min(glances)


def warm_up(soak):
    """Everything has been used once: what is kept open for good is open."""
    faults = {f.name: f for f in FAULTS}
    names = ("broker_unreachable", "pages_that_stall", "modbus_flood", "garbage_at_all_doors", "settings_change")
    soak.round(0, [(faults[name], 15 * PACE_S) for name in names])


def test_a_house_for_hours_with_faults_at_random(tmp_path, state):
    print(f"\nSOAK_SECONDS={SECONDS:.0f} SOAK_SEED={SEED}")
    soak = Soak(tmp_path, state)
    try:
        warm_up(soak)
        held, rounds = at_rest(soak.server), 0
        while time.monotonic() - soak.begin < SECONDS:
            rounds += 1
            soak.round(rounds, soak.draw())
            wait_until(lambda: held_by(soak.server) == held, f"{held} descriptors and threads as before", 60)
            soak.rests.append((soak.clock.blocks, soak.clock.bytes))
            soak.say(f"well: {soak.server.rss_kib()} KiB, {soak.clock.blocks} blocks, {soak.clock.bytes} bytes of heap, "
                     f"{held[0]} descriptors, {len(soak.meter.numbers)} telegrams")
        soak.meter.way = "silent"
        soak.settle_last()
    except BaseException:
        print(soak.server.stderr()[-6000:])
        raise
    finally:
        soak.end()
    report(soak, rounds, held)


def report(soak, rounds, held):
    note("soak", f"faults at random, seed {SEED}", f"{time.monotonic() - soak.begin:.0f} s, {rounds} rounds",
         "all well after each")
    note("soak", "telegrams / readings that arrived late or live", f"{len(soak.meter.numbers)} / {len(soak.store.arrived)}",
         f"all but {len(soak.excused)} of a full disk")
    note("soak", "answers looked at: Modbus, API, stream", " / ".join(str(w.looks) for w in soak.watchers), "0 wrong")
    note("soak", "slowest answer to Modbus / a bare echo",
         f"{soak.charger.slowest_s * 1000:.0f} / {soak.machine.slowest_s * 1000:.0f} ms", "<= 1000 ms, unless the echo is late")
    note("soak", "answers that came late while the echo did too", soak.truth.excused)
    blocks, sizes = zip(*soak.rests)
    note("soak", "blocks / bytes of the heap at rest: after the first round, the last, most",
         f"{blocks[0]}, {blocks[-1]}, {max(blocks)} / {sizes[0]}, {sizes[-1]}, {max(sizes)}")
    note("soak", "descriptors and threads at rest", f"{held[0]} and {held[1]}", "the same after each round")
    if SECONDS >= 3600:
        whole, anonymous = slope(soak.samples, 1), slope(soak.samples, 2)
        note("soak", "slope of anonymous memory / of RSS with its files (Theil-Sen, last 80 %)",
             f"{anonymous:.1f} / {whole:.1f} KiB/h", f"<= {SLOPE_KIB_H} KiB/h")
        assert anonymous <= SLOPE_KIB_H
