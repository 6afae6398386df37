"""A meter that comes and goes, a serial one and one over TCP at the same time: thirty times each, with SOAK=1 a thousand.

The gateway looks again a second after it has lost a meter that spoke, so a thousand times take 25 minutes."""
import concurrent.futures
import os
import random
import time

from figures import note
from harness import PtyMeter, TcpMeter, floats, marked, wait_until

SOAK = os.environ.get("SOAK") == "1"
TIMES = 1000 if SOAK else 30  # of each kind
LANES = 1 if SOAK else 10     # gateways of each kind, which share them
POWER = 0x8016
TARGET_SILENT = 0x0B
LONG_S = 2.5  # of absence, now and then: longer than values are good


class Serial:
    """A USB adapter that is pulled out: another device behind the same name each time."""

    kind = "serial"

    def __init__(self, folder, name):
        self.meter = PtyMeter(folder, name)
        self.url, self.send = self.meter.url, self.meter.send

    def come(self):
        if self.meter.master is None:
            self.meter.plug()

    def is_read(self, server, times):
        """The gateway has opened it so many times."""
        return len(server.log("reading from")) >= times

    def go(self):
        self.meter.link.unlink()  # what it leads to may become another meter's
        self.meter.unplug()

    def close(self):
        self.meter.close()


class Tcp:
    """The serial server is switched off: nobody listens."""

    kind = "tcp"

    def __init__(self, _folder, _name):
        self.meter = TcpMeter()
        self.url, self.port = self.meter.url, self.meter.port

    def come(self):
        if self.meter is None:
            self.meter = TcpMeter(self.port)

    def is_read(self, server, times):
        if len(server.log("reading from")) < times:
            return False
        self.meter.accept()
        return True

    def send(self, data):
        self.meter.send(data)

    def go(self):
        self.close()
        self.meter = None

    def close(self):
        if self.meter:
            self.meter.close()


def answer(charger):
    """The power, or the exception, that a charger gets."""
    got = charger.ask(3, POWER, 2)
    return floats(got[2:])[0] if got[0] == 3 else -got[1]


class Lane:
    """A gateway, its meter that comes and goes, and a charger that stays connected."""

    def __init__(self, folder, kind, number, start):
        self.meter = kind(folder, f"tty{number}")
        self.server = start(self.meter.url, "--stale-after", "2")
        self.charger = self.server.client()
        self.number, self.n, self.back_s, self.absent_cpu, self.absent_s = number, 0, [], 0.0, 0.0
        self.rng = random.Random(number)

    def speak(self):
        """It is in the midst of a telegram; the first whole one must be served, the second of all."""
        self.meter.send(marked(99999)[self.rng.randrange(1, 700):])
        self.n += 1
        self.meter.send(marked(self.n))
        wait_until(lambda: answer(self.charger) == self.n, f"{self.n} W")

    def stay_away(self):
        """For long: what was served ages out, and waiting costs nothing."""
        before = self.server.cpu_seconds()
        time.sleep(LONG_S)
        self.absent_cpu += self.server.cpu_seconds() - before
        self.absent_s += LONG_S
        assert answer(self.charger) == -TARGET_SILENT

    def flap(self, times):
        opened = 1
        for turn in range(times):
            self.meter.come()
            came = time.monotonic()
            wait_until(lambda: self.meter.is_read(self.server, opened), "the meter to be read")
            self.speak()
            self.back_s.append(time.monotonic() - came)
            if turn == times // 5:
                self.first, self.before = turn, self.look()
            self.after = self.look()
            self.meter.go()
            opened += 1
            if turn % 50 == 1 and self.number == 0:
                self.stay_away()
        self.lines_each = (self.after[2] - self.before[2]) / (times - 1 - self.first)

    def look(self):
        """Descriptors, memory, lines of log."""
        return self.server.descriptors(), self.server.rss_kib(), len(self.server.stderr().splitlines())

    def close(self):
        self.charger.close()
        self.meter.close()


def test_meter_that_comes_and_goes(gateway, tmp_path):
    """Back with the second telegram each time; descriptors and memory flat; values age out; no noise in the log."""
    lanes = [Lane(tmp_path, kind, number, gateway) for number in range(LANES) for kind in (Serial, Tcp)]
    times = TIMES // LANES
    with concurrent.futures.ThreadPoolExecutor(len(lanes)) as pool:
        list(pool.map(lambda lane: lane.flap(times), lanes))
    for lane in lanes:
        lane.close()
    for kind in (Serial, Tcp):
        mine = [lane for lane in lanes if isinstance(lane.meter, kind)]
        growth = max(lane.after[1] - lane.before[1] for lane in mine)
        lines = max(lane.lines_each for lane in mine)
        back = sorted(s for lane in mine for s in lane.back_s)
        cpu = sum(lane.absent_cpu for lane in mine) / sum(lane.absent_s for lane in mine)
        note("faults", f"{kind.kind} meter away and back {TIMES} times: descriptors more, memory more, lines of log each, "
             "served again (slowest), processor time while away",
             f"{max(lane.after[0] - lane.before[0] for lane in mine)}, {growth} KiB, {lines:.1f}, {back[-1]:.1f} s, "
             f"{cpu:.1%}", "0, <= 64 KiB, <= 4, 2nd telegram, < 5 %")
        assert all(lane.after[0] == lane.before[0] for lane in mine), "descriptors"
        assert growth <= (64 if SOAK else 256), "KiB"
        assert lines <= 4 and cpu < 0.05
        # Attempts are a second apart, and two after a time in which the meter was away for long.
        assert back[len(back) * 9 // 10] < 2.5, back[-10:]
