"""A month in minutes: the gateway's clock is set on by the second, each with a telegram, a read of Modbus and a reading
at the broker, with the page open, brokers that go, stand still and stay away until the disk's share is full, a meter
that falls silent, and a certificate that is renewed.  What the process holds must be what it held before: descriptors,
threads, blocks and bytes of the heap, to the last one.  SOAK_DAYS=30, as `make load-days` has it, is the long form; the
short one is three hours, too few for a full disk."""
import contextlib
import os
import re
import statistics
import subprocess
import threading
import time

from figures import note
from harness import Broker, Gateway, free_port, wait_until
from https_client import Connection, Https, serve
from page_kit import CONFIG, LIVE, STATUS
from steered_clock import KIT, S, SteeredClock, held_by

LONG = "SOAK_DAYS" in os.environ
DAYS = float(os.environ.get("SOAK_DAYS", "0.125"))
DAY_S, HOUR_S = 86400, 3600
RENEWED_S = (397 - 30) * DAY_S  # after it was made
LATE_S = 1200  # what waited is sent in so many seconds at most, and a broker is tried again
FULL_S = 10 * HOUR_S  # without a broker fill one MiB twice
GLANCES = 5
SHARE_S = DAY_S if LONG else HOUR_S  # between two looks that are compared


class Driver:
    """tests/load/fast_days.c"""

    def __init__(self, clock):
        self.process = subprocess.Popen([KIT / "fast_days", clock.path], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        self.url = f"tcp:127.0.0.1:{self.answer()[1]}"
        self.sent = self.arrived = self.late = self.twice = self.reads = 0

    def answer(self):
        line = self.process.stdout.readline().split()
        assert line, self.process.stderr.read()
        return line

    def do(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        self.sent, self.arrived, self.late, self.twice, self.reads = map(int, self.answer())

    def close(self):
        self.process.stdin.close()
        self.process.kill()
        self.process.wait()


class Month:
    """A house whose time the driver makes."""

    def __init__(self, folder):
        self.folder, self.state = folder, folder / "state"
        self.clock, self.dropped = SteeredClock(folder), 0
        self.driver, self.broker = Driver(self.clock), Broker(folder, "max_queued_messages 0", "set_tcp_nodelay true")
        self.make_certificate()
        self.clock.ahead_ns += (RENEWED_S - SHARE_S // 4) * S
        self.begin_ns = self.clock.now_ns
        self.server, self.login = self.start(self.driver.url, "--mqtt", self.broker.url)
        self.driver.do("begin", self.server.port, self.server.pid)
        self.driver.do("hear", self.broker.port)
        self.first_certificate = self.certificate()
        with Https(self.server, self.login) as owner:
            assert owner.request("PATCH", CONFIG, {"MQTT": {"KeepMiB": 1}}).status == 200
            self.stream = Connection(self.server)
            self.stream.send(owner.head("GET", LIVE))
        self.page = threading.Thread(target=self.read_stream, daemon=True)
        self.page.start()
        self.looks = []

    def start(self, meter, *options):
        return serve(lambda *words, **how: Gateway(self.folder, *words, **how), self.folder, "--mdns=off", *options,
                     meter=meter, env=self.clock.env)

    def make_certificate(self):
        """A year before."""
        self.clock.stop(wall_s=int(time.time()))
        self.start(f"tcp:127.0.0.1:{free_port()}")[0].stop()

    def certificate(self):
        with Connection(self.server) as connection:
            return connection.socket.getpeercert(True)

    def read_stream(self):
        self.streamed = 0
        self.stream.socket.settimeout(None)
        with contextlib.suppress(OSError):
            while data := self.stream.socket.recv(65536):
                self.streamed += len(data)

    def status(self):
        """Each with a connection of its own, as between two of them a page would have been sent away."""
        with Https(self.server, self.login) as user:
            return user.get(STATUS).json()["State"]

    @property
    def passed_s(self):
        return (self.clock.now_ns - self.begin_ns) // S

    # --- what happens ---

    def arrive(self):
        """What waited has arrived, but for what there was no room for; and that was counted."""
        for _ in range(20):
            self.driver.do("settle", LATE_S)
            if self.status()["MQTT"]["Waiting"] == 0:
                break
        dropped = self.status()["Counters"]["mqtt_dropped"]
        self.driver.do("forgive", dropped - self.dropped)
        self.dropped = dropped
        self.driver.do("settle", 10)
        assert self.driver.arrived + dropped == self.driver.sent, (self.driver.arrived, dropped, self.driver.sent)

    def broker_away(self, seconds):
        self.driver.do("settle", 10)
        self.driver.do("deaf")
        self.broker.stop()
        self.driver.do("run", seconds)
        assert self.broker.start()
        self.driver.do("hear", self.broker.port)
        self.driver.do("run", 60)
        self.arrive()

    def broker_stands_still(self, seconds):
        self.driver.do("settle", 10)
        self.broker.pause()
        self.driver.do("away")
        self.driver.do("run", seconds)
        self.broker.go_on()
        self.arrive()

    def meter_silent(self, seconds):
        self.driver.do("silent", seconds)
        assert self.status()["Meter"]["Stale"]

    # --- looks ---

    def look(self):
        """What the process holds while nothing is under way: the median of some glances.  An empty store may keep some
        pages on disk, and SQLite what it knows of them; so it is looked at only when it has none."""
        glances = [self.glance() for _ in range(GLANCES)]
        for _ in range(10):
            if self.log_of_store() == 0:
                break
            self.broker_away(300)
            glances = [self.glance() for _ in range(GLANCES)]
        held = {name: statistics.median_low(g[name] for g in glances) for name in glances[0]}
        self.looks.append((held, self.server.rss_kib(), self.written()))
        print(f"{self.passed_s / HOUR_S:8.1f} h  {held} {self.server.rss_kib()} KiB, {self.written()} bytes written",
              flush=True)

    def log_of_store(self):
        path = self.state / "readings.db-wal"
        return path.stat().st_size if path.exists() else -1

    def wait_quiet(self):
        """The clock stands still, but the broker's word for a message may be on its way."""
        before = None
        while before != (before := self.clock.blocks):
            time.sleep(0.2)

    def glance(self):
        """Half a minute after the last visitor of the page, when his connection has ended."""
        self.driver.do("run", 40)
        self.driver.do("settle", 10)
        wait_until(lambda: held_by(self.server)[1] == 1, "the end of what workers do")
        self.wait_quiet()
        descriptors, threads = held_by(self.server)
        return {"blocks": self.clock.blocks, "bytes": self.clock.bytes, "descriptors": descriptors, "threads": threads,
                "files": len(list(self.state.iterdir())),
                "bytes of the store": (self.state / "readings.db").stat().st_size}

    def written(self):
        text = (self.folder / f"/proc/{self.server.pid}/io").read_text()
        return int(re.search(r"^write_bytes: (\d+)", text, re.M).group(1))

    def close(self):
        self.server.stop()
        self.driver.close()
        self.broker.stop()


EVENTS = (  # each so many days, at this hour; for so many seconds
    (3, 10, Month.broker_away, 2 * HOUR_S),
    (5, 5, Month.broker_stands_still, 600),
    (2, 15, Month.meter_silent, 120),
    (7, 3, Month.broker_away, FULL_S),
)


def live_hours(month, hours):
    """The long form: hours by the plan, a look at each midnight."""
    for hour in range(hours):
        for days, at, happens, seconds in EVENTS:
            if hour % 24 == at and hour // 24 % days == 0:
                happens(month, seconds)
        month.driver.do("run", HOUR_S)
        month.status()
        if hour % 24 == 23:
            month.look()


def live_short(month):
    """Hours in which all happens; at first for longer than later, so that nothing is new any more."""
    month.broker_away(600)
    for _ in range(int(DAYS * DAY_S) // SHARE_S):
        month.broker_away(120)
        month.meter_silent(20)
        month.broker_stands_still(90)
        month.driver.do("run", SHARE_S - 700)
        month.look()


def test_nothing_grows_with_the_days(tmp_path):
    month = Month(tmp_path)
    try:
        if LONG:
            live_hours(month, int(DAYS * 24))
        else:
            live_short(month)
        assert month.server.log("the web certificate is renewed")
        assert month.certificate() != month.first_certificate
        assert month.page.is_alive() and month.streamed > month.driver.sent, "the stream goes on"
    except BaseException:
        print(month.server.stderr()[-4000:])
        raise
    finally:
        month.close()
    judge(month)


def judge(month):
    """After a third of the looks nothing has grown.  Before it there is some that is kept for good and not yet there: the
    certificate from before the renewal, what a library asks for once and does so when something happens first."""
    settled = month.looks[max(1, len(month.looks) // 3):]
    (first, first_kib, _), (last, last_kib, _) = settled[0], settled[-1]
    written = [b[2] - a[2] for a, b in zip(month.looks, month.looks[1:])]
    note("days", f"{month.passed_s / DAY_S:.2f} days on a clock that is set on: telegrams, readings at the store",
         f"{month.driver.sent}, {month.driver.arrived}", f"all but {month.dropped}, of a full store and counted")
    note("days", "  reads of Modbus / bytes of the live stream", f"{month.driver.reads} / {month.streamed}")
    for name in first:
        note("days", f"  {name}, look {len(month.looks) - len(settled) + 1} of {len(month.looks)} / last",
             f"{first[name]} / {last[name]}", "exactly the same at each look")
    note("days", "  RSS, the same looks", f"{first_kib} / {last_kib} KiB")
    note("days", f"  written to disk between two looks ({SHARE_S / HOUR_S:.1f} h), least / most",
         f"{min(written)} / {max(written)} bytes", "<= 200 MB a day")
    assert all(held == first for held, *_ in settled), [held for held, *_ in settled]
    assert max(written) <= 200e6
