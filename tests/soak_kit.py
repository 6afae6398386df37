"""What a soak is made of: a house with a meter that counts, people who look all the time whether what they are told is
true, and things that go wrong.

Telegram n says n watts and second n after the beginning; numbers from TRAP on are only in telegrams that are damaged, so
whoever sees one was told something wrong.
"""
import bisect
import contextlib
import json
import signal
import socket
import struct
import threading
import time

import https_client
from harness import Client, Closed, floats, free_port, marked
from page_kit import CONFIG, LIVE, READINGS, STATUS

TRAP = 50000
POWERS, VOLTAGES, CURRENTS = 0x8016, 0x8006, 0x800E
TARGET_SILENT = 0x0B
PROBE_S = 0.2
LAG_S = 1.0  # after which everybody must have heard of a telegram, and how long an answer of Modbus may take
BUSY_S = 2  # before and after an echo that came late, others may be late
VISITOR = "127.0.0.77"  # who misbehaves does so from another address


class Wrong(AssertionError):
    """The gateway said what is not true, or said nothing."""


# --- the meter ---------------------------------------------------------------------------------

class Meter(threading.Thread):
    """Sends a telegram each `pace_s` to whoever is connected, in one of the ways of `WAYS`."""

    def __init__(self, pace_s, rng):
        super().__init__(daemon=True)
        self.pace_s, self.rng = pace_s, rng
        self.begin_s = int(time.time()) - 3600  # a clock that is a day off is not believed
        self.n, self.trap = 0, TRAP
        self.numbers, self.times = [], []  # of the good telegrams that are on the line, ascending
        self.way, self.ending = "good", False
        self.listening = self.peer = None
        self.port = free_port()
        self.plug()
        self.url = f"tcp:127.0.0.1:{self.port}"

    def plug(self):
        self.listening = socket.create_server(("127.0.0.1", self.port), backlog=4)
        self.listening.setblocking(False)

    def unplug(self):
        self.hang_up()
        if self.listening:
            self.listening.close()
        self.listening = None

    def hang_up(self):
        if self.peer:
            self.peer.close()
        self.peer = None

    def answer(self):
        """Takes who is there; the newest counts."""
        with contextlib.suppress(BlockingIOError):
            while self.listening:
                newest = self.listening.accept()[0]
                self.hang_up()
                newest.settimeout(60)
                newest.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.peer = newest

    def put(self, data, piece=4096):
        """In pieces of so many bytes.  False: nobody takes it."""
        try:
            for i in range(0, len(data), piece):
                self.peer.sendall(data[i:i + piece])
            return True
        except OSError:
            self.hang_up()
            return False

    def send_good(self, piece=4096):
        self.n += 1
        assert self.n < TRAP, "the telegrams have run out: a shorter soak, or a longer pace"
        data = marked(self.n, self.begin_s + self.n)
        self.numbers.append(self.n)  # before it is sent: somebody may see it at once
        self.times.append(time.monotonic())
        if not self.put(data, piece):
            self.numbers.pop()
            self.times.pop()

    def trapped(self):
        self.trap = TRAP + (self.trap + 1) % (100000 - TRAP)
        return marked(self.trap, self.begin_s + self.trap)

    def send_garbled(self):
        """One byte is another one: what a CRC is for."""
        data = bytearray(self.trapped())
        data[self.rng.randrange(1, len(data) - 8)] ^= self.rng.randrange(1, 256)
        self.put(bytes(data))

    def send_half(self):
        """The end is missing; the next one is whole."""
        data = self.trapped()
        if self.put(data[:self.rng.randrange(1, len(data) - 6)]):
            self.send_good()

    def send_noise(self):
        if self.put(self.rng.randbytes(self.rng.randrange(1, 400))):
            self.send_good()

    def send_crumbs(self):
        """Some bytes at a time, as a serial line brings it."""
        self.send_good(piece=8)

    def send_burst(self):
        for _ in range(5):
            if self.peer:
                self.send_good()

    WAYS = {"good": send_good, "garbled": send_garbled, "half": send_half, "noise": send_noise,
            "crumbs": send_crumbs, "burst": send_burst, "silent": lambda self: None, "unplugged": None}

    def run(self):
        due = time.monotonic()
        while not self.ending:
            way = self.way
            if (way == "unplugged") == (self.listening is not None):
                (self.unplug if self.listening else self.plug)()
            self.answer()
            if self.peer:
                self.WAYS[way](self)
            due = max(due + self.pace_s, time.monotonic() - 5 * self.pace_s)
            time.sleep(max(0.001, due - time.monotonic()))
        self.unplug()


# --- what is true ------------------------------------------------------------------------------

class Truth:
    """Judges what the gateway says by what the meter has sent, and when the gateway could hear it."""

    def __init__(self, meter, stale_s, patience):
        """patience: how many times longer than usual everything may take on this machine."""
        self.meter, self.stale_s, self.lag_s = meter, stale_s, LAG_S * patience
        self.stops = []  # [begin, end] of the times the gateway's process stood still
        self.busy = []  # the same of times in which the machine let others wait as well
        self.doubts = []  # begin, end, text: wrong, unless the machine was busy; that shows a little later
        self.wrong, self.excused = [], 0

    def complain(self, text):
        self.wrong.append(f"{time.strftime('%H:%M:%S')} {text}")

    def doubt(self, begin, end, text):
        self.doubts.append((begin, end, f"{time.strftime('%H:%M:%S')} {text}"))

    def was_busy(self, begin, end):
        return any(a <= end + BUSY_S and begin - BUSY_S <= b for a, b in list(self.busy))

    def judge_doubts(self, until):
        """Those from before."""
        while self.doubts and self.doubts[0][1] < until:
            begin, end, text = self.doubts.pop(0)
            if self.was_busy(begin, end):
                self.excused += 1
            else:
                self.wrong.append(text)

    def check(self, last=False):
        self.judge_doubts(time.monotonic() - (0 if last else 3 * BUSY_S))
        if self.wrong:
            raise Wrong("\n".join(self.wrong[:20]))

    def stood_still(self, begin, end):
        """True if the process did between these times, or had just begun to work again."""
        return any(a <= end and begin <= b + self.lag_s for a, b in list(self.stops))

    def heard_at(self, i):
        """When the gateway could hear the i-th good telegram."""
        sent = self.meter.times[i]
        return max([sent] + [b for a, b in list(self.stops) if a <= sent <= b])

    def newest_at(self, when):
        """Place of the newest good telegram that was on the line at a time; -1: there was none."""
        return bisect.bisect_right(self.meter.times, when) - 1

    def number(self, n, who):
        """Somebody was told this number."""
        numbers = self.meter.numbers
        i = bisect.bisect_left(numbers, n)
        if n != int(n) or i >= len(numbers) or numbers[i] != n:
            self.complain(f"{who}: {n} was never sent")

    def live(self, n, who, begin, end):
        """Somebody asked at `begin` and was told at `end` that n is live."""
        self.number(n, who)
        if self.stood_still(begin - self.stale_s, end):
            return
        newest, known = self.newest_at(begin - self.lag_s), self.newest_at(end)
        if newest >= 0 and n < self.meter.numbers[newest]:
            self.doubt(begin, end, f"{who}: {n}, and {self.meter.numbers[newest]} was sent "
                                   f"{begin - self.meter.times[newest]:.1f} s ago")
        if known < 0 or begin - self.heard_at(known) > self.stale_s + self.lag_s:
            self.doubt(begin, end, f"{who}: {n} is live after {begin - self.heard_at(known):.1f} s without a telegram")

    def stale(self, who, begin, end):
        """Somebody was told that nothing is live."""
        newest = self.newest_at(begin - self.lag_s)
        if newest < 0 or self.stood_still(begin - self.stale_s, end):
            return
        if end - self.heard_at(newest) < self.stale_s - self.lag_s:
            self.doubt(begin, end, f"{who}: stale, and {self.meter.numbers[newest]} was sent "
                                   f"{end - self.meter.times[newest]:.1f} s ago")


# --- who looks ---------------------------------------------------------------------------------

class Watcher(threading.Thread):
    """Looks again and again until the end; what goes wrong in it is a complaint."""

    pause_s = PROBE_S

    def __init__(self, truth):
        super().__init__(daemon=True)
        self.truth, self.ending, self.looks, self.last, self.slowest_s = truth, False, 0, 0, 0
        self.who = type(self).__name__

    def look(self):
        raise NotImplementedError

    def not_back(self, n):
        if n < self.last:
            self.truth.complain(f"{self.who}: {n} after {self.last}")
        self.last = n

    def timed(self, ask):
        """What `ask` gives, and its begin and end; one that takes too long is a complaint."""
        begin = time.monotonic()
        answer = ask()
        end = time.monotonic()
        if not self.truth.stood_still(begin, end):
            self.slowest_s = max(self.slowest_s, end - begin)
            if end - begin > self.truth.lag_s:
                self.truth.doubt(begin, end, f"{self.who}: an answer after {end - begin:.2f} s")
        return answer, begin, end

    def run(self):
        while not self.ending:
            try:
                self.look()
                self.looks += 1
            except Exception as e:  # whatever it is, it is to be seen
                if not self.ending:
                    self.truth.complain(f"{self.who}: {type(e).__name__} {e}")
                    time.sleep(1)
            time.sleep(self.pause_s)


class Machine(Watcher):
    """Asks a bare echo server as a charger does: when that is late, the machine has no time for anybody."""

    pause_s = PROBE_S / 4

    def __init__(self, truth, port):
        super().__init__(truth)
        self.client = Client(port, seconds=60)

    def look(self):
        begin = time.monotonic()
        self.client.ask(3, 0x8000, 125)
        end = time.monotonic()
        self.slowest_s = max(self.slowest_s, end - begin)
        if end - begin > self.truth.lag_s / 4:
            self.truth.busy.append((begin, end))


class Charger(Watcher):
    """Polls Modbus on one connection that is never to end."""

    def __init__(self, truth, server):
        super().__init__(truth)
        self.client = Client(server.port, seconds=60)

    def look(self):
        answer, begin, end = self.timed(lambda: self.client.ask(3, 0x8000, 125))
        if answer[0] == 0x83:
            if answer[1] != TARGET_SILENT:
                self.truth.complain(f"Charger: exception {answer[1]}")
            self.truth.stale("Charger", begin, end)
            return
        n = number_in(answer[2:])
        if n is None:
            self.truth.complain(f"Charger: values of two telegrams in {answer.hex()}")
            return
        self.not_back(n)
        self.truth.live(n, "Charger", begin, end)


def number_in(data):
    """Of the telegram that all of 125 registers from 0x8000 were made from; None: they were not."""
    power, *phases = [floats(data[2 * at:2 * at + 4])[0] for at in (0x16, 0x1E, 0x20, 0x22)]
    volts, amperes = floats(data[2 * 6:2 * 12]), floats(data[2 * 0xE:2 * 0x14])
    good = phases == [power] * 3 and amperes == [power % 1000] * 3 and \
        all(abs(v - power % 2500 / 10) < 1e-3 for v in volts)
    return int(power) if good and power == int(power) else None


def number_of(values):
    """The same of the API's readings."""
    n = values["power_w"]
    good = values["energy_import_wh"] == values["energy_export_wh"] == n and \
        all(values[f"power_l{p}_w"] == n and values[f"current_l{p}_a"] == n % 1000 and
            abs(values[f"voltage_l{p}_v"] - n % 2500 / 10) < 1e-6 for p in (1, 2, 3))
    return n if good else None


class User(Watcher):
    """Has the API tell status and readings, twice a second."""

    pause_s = 0.5

    def __init__(self, truth, server, login):
        super().__init__(truth)
        self.https = https_client.Https(server, login, seconds=60)
        self.dropped = self.waiting = 0

    def look(self):
        status, begin, end = self.timed(lambda: self.https.get(STATUS))
        state = status.json()["State"]
        self.dropped, self.waiting = state["Counters"]["mqtt_dropped"], state["MQTT"]["Waiting"]
        if state["Meter"]["State"] == "live":
            self.truth.live(self.last_reading(), "User", begin, time.monotonic())
        elif state["Meter"]["Stale"]:
            self.truth.stale("User", begin, end)

    def last_reading(self):
        n = number_of(self.https.get(READINGS).json()["values"])
        if n is None:
            self.truth.complain("User: values of two telegrams")
            return self.last
        self.not_back(n)
        return n


def events_of(connection):
    """The events of an open stream as they come: kind and data."""
    text = b""
    while data := connection.chunk():
        *whole, text = (text + data).split(b"\n\n")
        for event in whole:
            kind, value = event.split(b"\n", 1)
            yield kind.removeprefix(b"event: ").decode(), json.loads(value.removeprefix(b"data: "))


class Page(Watcher):
    """Has the live stream open."""

    pause_s = 0

    def __init__(self, truth, server, login):
        super().__init__(truth)
        self.connection = https_client.Connection(server, seconds=60)
        self.connection.send(https_client.Https(server, login).head("GET", LIVE))
        assert self.connection.head().status == 200
        self.events = events_of(self.connection)

    def look(self):
        kind, said = next(self.events)
        if kind == "reading":
            n = number_of(said["values"])
            if n is None:
                self.truth.complain(f"Page: values of two telegrams in {said}")
                return
            self.not_back(n)
            self.truth.number(n, "Page")


class Store:
    """Who collects all readings from the broker."""

    def __init__(self, truth, subscriber, begin_s):
        self.truth, self.subscriber, self.begin_s, self.seen = truth, subscriber, begin_s, 0
        self.arrived, self.late, self.last_live, self.twice = set(), 0, 0, 0

    def read(self):
        """Takes what has come since the last time."""
        messages = self.subscriber.messages
        while self.seen < len(messages):
            m = messages[self.seen]
            messages[self.seen] = None  # hours of them are much
            self.seen += 1
            if m.topic.endswith(("data/power_instant", "data/power_instant_late")):
                self.take(m.json(), m.topic.endswith("_late"))

    def take(self, said, late):
        n = said["P"]
        if said["ts"] != self.begin_s + n or said["E_IMPORT"] != n:
            self.truth.complain(f"Store: values of two telegrams in {said}")
        self.truth.number(n, "Store")
        if n in self.arrived:
            self.twice += 1
        else:
            last = self.late if late else self.last_live
            if n < last:
                self.truth.complain(f"Store: {n} after {last}, {'late' if late else 'live'}")
        self.arrived.add(n)
        if late:
            self.late = max(self.late, n)
        else:
            self.last_live = max(self.last_live, n)

    def missing(self):
        self.read()
        numbers = self.truth.meter.numbers
        return [n for n in numbers[:len(self.truth.meter.times)] if n not in self.arrived]


# --- what goes wrong ---------------------------------------------------------------------------

class Fault:
    """place: two faults of one place do not happen together.  run(soak, rng, seconds) does it, and undoes it."""

    def __init__(self, place, run, longest_s=None):
        self.place, self.run, self.longest_s = place, run, longest_s
        self.name = run.__name__


def meter_is(way):
    def run(soak, _rng, seconds):
        soak.meter.way = way
        soak.wait(seconds)
        soak.meter.way = "good"
    run.__name__ = f"meter {way}"
    return run


def meter_flaps(soak, rng, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        soak.meter.way = rng.choice(("unplugged", "good", "half"))
        soak.wait(rng.uniform(0.05, 1))
    soak.meter.way = "good"


def broker_unreachable(soak, _rng, seconds):
    soak.gate.shut()
    soak.wait(seconds)
    soak.gate.open()


def broker_killed(soak, _rng, seconds):
    """For the gateway all ends at once, and nobody listens; what the broker had taken it hands on before it dies."""
    soak.gate.shut()
    soak.restart_broker(lambda: soak.wait(seconds))
    soak.gate.open()


def broker_stands_still(soak, _rng, seconds):
    soak.broker.pause()
    soak.wait(seconds)
    soak.broker.go_on()


def broker_flaps(soak, rng, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        soak.gate.shut()
        soak.wait(rng.uniform(0.05, 0.5))
        soak.gate.open()
        soak.wait(rng.uniform(0.5, 3))


def pages_that_stall(soak, _rng, seconds):
    """Streams that nobody reads, and handshakes that do not go on."""
    with contextlib.ExitStack() as stack:
        for _ in range(3):
            with contextlib.suppress(https_client.Closed, OSError):
                page = stack.enter_context(https_client.Connection(soak.server, receive_buffer=4096, seconds=1))
                page.send(soak.user.https.head("GET", LIVE))
        for piece in (b"", b"\x16", https_client.client_hello()[:50], https_client.client_hello()):
            stalled = stack.enter_context(socket.socket())
            stalled.bind((VISITOR, 0))
            with contextlib.suppress(OSError):
                stalled.connect(("127.0.0.1", https_client.door(soak.server)))
                stalled.sendall(piece)
        soak.wait(seconds)


def until(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield


def garbage_at_all_doors(soak, rng, seconds):
    doors = [soak.server.port, https_client.door(soak.server), https_client.door(soak.server, "http")]
    for _ in until(seconds):
        with socket.socket() as visitor, contextlib.suppress(OSError):
            visitor.settimeout(0.2)
            visitor.bind((VISITOR, 0))
            visitor.connect(("127.0.0.1", rng.choice(doors)))
            visitor.sendall(rng.randbytes(rng.randrange(1, 300)))
            visitor.recv(4096)
        soak.wait(rng.uniform(0, 0.1))


def wrong_logins(soak, rng, seconds):
    for _ in until(seconds):
        with contextlib.suppress(https_client.Closed, OSError):
            with https_client.Https(soak.server, "wrong" * 2, f"127.9.{rng.randrange(256)}.{rng.randrange(1, 255)}") as u:
                answer = u.get(STATUS)
                if answer.status not in (401, 429):
                    soak.truth.complain(f"a wrong login got {answer.status}")
        soak.wait(0.5)


def modbus_flood(soak, rng, seconds):
    """Eight clients that ask without waiting for answers, and read them all the same."""
    clients = [Client(soak.server.port, source=f"127.0.8.{i + 1}", seconds=0.5) for i in range(8)]
    requests = b"".join(clients[0].frame(b"\x03\x80\0\0\x7d") for _ in range(20))
    for _ in until(seconds):
        for c in clients:
            with contextlib.suppress(Closed, OSError):
                c.send(requests)
        for c in clients:
            with contextlib.suppress(Closed, OSError):
                c.socket.recv(65536)
        soak.wait(rng.uniform(0, 0.02))
    for c in clients:
        c.close()


def modbus_storm(soak, rng, seconds):
    """Connections that come and go, more than there are places, some with half a request or nonsense."""
    for _ in until(seconds):
        with contextlib.ExitStack() as stack:
            for i in range(20):
                with contextlib.suppress(Closed, OSError):
                    c = stack.enter_context(Client(soak.server.port, source=f"127.0.9.{i + 1}", seconds=0.2))
                    c.send(rng.choice((b"", b"\0", b"\0\1\0\0\0\6\1\3\x80", struct.pack(">HHHB", 1, 0, 300, 1),
                                       c.frame(b"\x03\x80\0\0\x7d"), c.frame(rng.randbytes(rng.randrange(1, 250))))))
            soak.wait(rng.uniform(0.05, 0.3))


SETTINGS = (
    lambda rng: {"MQTT": {"LateRate": rng.choice((100, 500, 1000))}},
    lambda rng: {"MQTT": {"CountersInterval": rng.choice((1, 60))}},
    lambda rng: {"MQTT": {"HomeAssistant": rng.random() < 0.5}},
    lambda rng: {"MQTT": {"Keepalive": rng.choice((5, 10, 30))}},
    lambda rng: {"Modbus": {"Unknown": rng.choice(("zero", "nan"))}},
    lambda rng: {"Modbus": {"StaleCurrent": rng.randrange(1, 100)}},
    lambda rng: {"Modbus": {"NominalFrequency": rng.choice((0, 50, 60))}},
)


def settings_change(soak, rng, seconds):
    with https_client.Https(soak.server, soak.user.https.login, seconds=60) as owner:
        for _ in until(seconds):
            answer = owner.request("PATCH", CONFIG, rng.choice(SETTINGS)(rng))
            if answer.status != 200 and not (answer.status == 507 and soak.disk_is_full):
                soak.truth.complain(f"a change of settings got {answer}")
            soak.wait(rng.uniform(0.1, 1))


def disk_full(soak, _rng, seconds):
    filler = soak.state / "filler"
    soak.disk_is_full = True
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    soak.wait(seconds)
    filler.unlink()
    soak.disk_is_full = False


def process_stands_still(soak, _rng, seconds):
    stop = [time.monotonic(), float("inf")]
    soak.truth.stops.append(stop)
    soak.server.popen.send_signal(signal.SIGSTOP)
    soak.wait(seconds)
    soak.server.popen.send_signal(signal.SIGCONT)
    stop[1] = time.monotonic()


def clock_steps(soak, rng, seconds):
    for _ in until(seconds):
        soak.clock.ahead_ns = rng.choice((-1, 1)) * rng.choice((1, 60, 3600, 6 * 3600)) * 10 ** 9
        soak.wait(rng.uniform(0.1, 3))
    soak.clock.ahead_ns = 0


FAULTS = [Fault("meter", meter_is(way)) for way in ("silent", "unplugged", "garbled", "half", "noise", "crumbs", "burst")] + [
    Fault("meter", meter_flaps),
    Fault("broker", broker_unreachable), Fault("broker", broker_killed), Fault("broker", broker_stands_still),
    Fault("broker", broker_flaps, 5),
    Fault("page", pages_that_stall), Fault("doors", garbage_at_all_doors, 5), Fault("login", wrong_logins, 5),
    Fault("modbus", modbus_flood, 5), Fault("modbus", modbus_storm, 5),
    Fault("settings", settings_change, 5),
    Fault("disk", disk_full),
    Fault("process", process_stands_still, 20),
    Fault("clock", clock_steps),
]
