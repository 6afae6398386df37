"""Nothing is lost while a broker is away: what waits in memory and on disk, in which order it follows, and what a
power cut, a damaged file or a broker that stands still cost.  With SOAK=1 the numbers are those of whole hours."""
import contextlib
import json
import os
import signal
import threading
import time

import pytest

from figures import note
from harness import Client, Gate, eager_state, free_port, marked, wait_until

SOAK = bool(os.environ.get("SOAK"))
HOURS_6 = 21600
LIVE, LATE = "data/power_instant", "data/power_instant_late"


@pytest.fixture
def state(tmp_path):
    return eager_state(tmp_path / "state")


@pytest.fixture
def start(gateway, tcp_meter, state):
    """start(BROKER_URL, OPTION...): a gateway that keeps what waits, and its meter."""
    def begin(url, *options, **how):
        one = gateway(tcp_meter.url, "--mqtt", url, "--state", str(state), "--https", "off", "--live", *options, **how)
        tcp_meter.accept()
        return one
    return begin


class House:
    """A meter that counts: telegram n says n watts and second n after the beginning."""

    def __init__(self, meter):
        self.meter = meter
        self.begin = int(time.time()) - HOURS_6 - 1000
        self.n = 0

    def send(self, count, pace_s=0.005):
        """Sends so many telegrams, one each pace_s."""
        due = time.monotonic()
        for _ in range(count):
            self.n += 1
            self.meter.send(marked(self.n, self.begin + self.n))
            due += pace_s
            time.sleep(max(0, due - time.monotonic()))

    def number(self, message):
        """Of the telegram a message was made from; its values must belong together."""
        said = message.json()
        assert said["ts"] == self.begin + said["P"] and said["E_IMPORT"] == said["P"], said
        return said["P"]

    def all_arrive(self, watch, seconds=60):
        wait_until(lambda: len({self.number(m) for m in watch.of(LIVE) + watch.of(LATE)}) >= self.n,
                   f"{self.n} readings", seconds)
        assert {self.number(m) for m in watch.of(LIVE) + watch.of(LATE)} == set(range(1, self.n + 1))


@pytest.fixture
def house(tcp_meter):
    return House(tcp_meter)


@pytest.fixture
def gate(broker):
    """The way to a broker."""
    one = Gate(broker().port)
    yield one
    one.shut()


@pytest.fixture
def watch(gate, subscriber):
    """What arrives at the broker behind the gate."""
    return subscriber(gate, at=gate.ports[0])


def in_order(numbers):
    return all(a < b for a, b in zip(numbers, numbers[1:]))


def disk_files(state):
    return sorted(p.name for p in state.iterdir() if p.name.startswith("readings"))


def wait_for_disk(server):
    """Until nothing is being written: a thread does that.  A disk that stands still for a second is a minute of a meter
    here."""
    wait_until(lambda: server.threads() == 1, "an idle disk", 60)


# --- away and back -----------------------------------------------------------------------------

def test_nothing_is_written_while_the_broker_takes_messages(start, house, broker, subscriber, state):
    broker = broker()
    watch = subscriber(broker)
    server = start(broker.url)
    server.wait_log("mqtt: connected")
    house.send(300, pace_s=0.03)
    house.all_arrive(watch)
    assert in_order([house.number(m) for m in watch.of(LIVE)]) and not watch.of(LATE)
    assert not disk_files(state)


def test_hours_without_a_broker_all_arrive_in_order(start, house, gate, watch, state):
    """Six hours of a meter that speaks each second, told faster, but no faster than the disk takes them: memory keeps 64.
    The short form is half an hour."""
    count = HOURS_6 if SOAK else 1800
    server = start(gate.url)
    server.wait_log("mqtt: connected")
    gate.shut()
    server.wait_log("trying again")
    begin_kib = server.rss_kib()
    for _ in range(count // 30):
        house.send(30)
        wait_for_disk(server)
    server.wait_live(good=count)
    assert not SOAK or server.rss_kib() - begin_kib < 3072, "what waits is on disk, not in memory"
    size = sum((state / name).stat().st_size for name in disk_files(state))
    gate.open()
    house.all_arrive(watch, seconds=900)  # a busy machine makes a hundred a second half of that
    late = [house.number(m) for m in watch.of(LATE)]
    assert in_order(late), "in order, and none twice"
    assert len(watch.of(LIVE)) <= 1
    house.send(1)
    server.wait_live(mqtt_dropped=0)
    note("outages", "without a broker: readings that arrived, in order", f"{count} of {count}; {size / count:.0f} bytes of disk each")


def test_live_readings_go_ahead_of_what_waits(start, house, gate, watch, state):
    (state / "config.json").write_text(json.dumps({"Version": 1, "Settings": {"MQTT": {"LateRate": 20}}}))
    server = start(gate.url)
    server.wait_log("mqtt: connected")
    gate.shut()
    server.wait_log("trying again")
    house.send(100)
    gate.open()
    server.wait_log("mqtt: connected", 2, seconds=30)
    for _ in range(5):
        house.send(1)
        watch.wait(LIVE, lambda m: house.number(m) == house.n, seconds=2)
    assert len(watch.of(LATE)) < 90, "twenty a second"
    house.all_arrive(watch)
    assert in_order([house.number(m) for m in watch.of(LATE)])


def test_a_connection_that_breaks_again_and_again_misses_nothing(start, house, gate, watch):
    """In the midst of sending, live and late."""
    server = start(gate.url)
    server.wait_log("mqtt: connected")
    for n in range(1, 6 if SOAK else 4):
        house.send(30, pace_s=0.01)
        gate.shut()
        house.send(30, pace_s=0.01)
        gate.open()
        server.wait_log("mqtt: connected", n + 1, seconds=60)
        house.send(15, pace_s=0.01)
    house.all_arrive(watch)
    twice = len(watch.of(LIVE) + watch.of(LATE)) - house.n
    assert twice <= n * 24, "only what was on its way"
    server.wait_live(mqtt_dropped=0)


def test_a_broker_that_is_killed_and_comes_back_misses_nothing_new(start, house, broker, subscriber):
    broker = broker()
    server = start(broker.url)
    server.wait_log("mqtt: connected")
    house.send(20)
    broker.stop(signal.SIGKILL)
    server.wait_log("trying again")
    house.send(20)
    assert broker.start()
    server.wait_log("mqtt: connected", 2, seconds=40)
    watch = subscriber(broker)
    house.send(20, pace_s=0.05)
    wait_until(lambda: {house.number(m) for m in watch.of(LIVE)} >= set(range(41, 61)), "what came after")
    server.wait_live(mqtt_dropped=0)


# --- the end of the process --------------------------------------------------------------------

def test_what_waits_survives_a_restart(start, house, broker, subscriber, tcp_meter):
    url = f"mqtt://127.0.0.1:{free_port()}"
    server = start(url)
    server.wait_log("trying again")
    house.send(95)
    server.wait_live(good=95)
    server.stop()
    tcp_meter.hang_up()
    broker = broker()
    watch = subscriber(broker)
    server = start(broker.url)
    house.all_arrive(watch)
    assert in_order([house.number(m) for m in watch.of(LATE)]) and len(watch.of(LATE)) == 95
    house.send(1)
    server.wait_live(mqtt_dropped=0)


def test_a_power_cut_takes_ten_seconds_at_most(start, house, broker, subscriber, tcp_meter):
    """At the pace of a real meter; kill -9 leaves less than a power cut does, whose images spool_crash_test tries."""
    server = start(f"mqtt://127.0.0.1:{free_port()}")
    server.wait_log("trying again")
    house.send(25, pace_s=1)
    server.end(signal.SIGKILL)
    tcp_meter.hang_up()
    broker = broker()
    watch = subscriber(broker)
    start(broker.url)
    wait_until(lambda: len(watch.of(LATE)) >= 15, "what was kept")
    time.sleep(0.5)
    kept = [house.number(m) for m in watch.of(LATE)]
    assert kept == list(range(1, len(kept) + 1)) and len(kept) >= 15


@pytest.mark.parametrize("damage", [b"", b"not a database", bytes(8192), b"SQLite format 3\0" + bytes(500)],
                         ids=["empty", "text", "zeros", "cut"])
def test_a_damaged_store_is_set_aside(start, house, gate, watch, state, damage):
    (state / "readings.db").write_bytes(damage)
    server = start(gate.url)
    server.wait_log("mqtt: connected")
    gate.shut()
    server.wait_log("trying again")
    house.send(40)
    gate.open()
    house.all_arrive(watch)
    assert in_order([house.number(m) for m in watch.of(LATE)])
    if damage:
        server.wait_log("set aside")
        assert (state / "readings.db.bad").read_bytes()[:len(damage)] == damage


def test_a_folder_that_cannot_be_written_costs_the_oldest(start, house, gate, watch, state):
    (state / "readings.db").mkdir()
    server = start(gate.url)
    server.wait_log("mqtt: connected")
    gate.shut()
    server.wait_log("trying again")
    house.send(200)
    server.wait_log("cannot be kept on disk")
    server.wait_live(good=200)
    dropped = int(wait_until(lambda: int(server.live().get("mqtt_dropped", 0)) and server.live(),
                             "a count")["mqtt_dropped"])
    gate.open()
    wait_until(lambda: len(watch.of(LIVE) + watch.of(LATE)) == 200 - dropped, "the rest", 40)
    assert in_order([house.number(m) for m in watch.of(LATE)])
    assert {house.number(m) for m in watch.of(LIVE) + watch.of(LATE)} == set(range(dropped + 1, 201))


# --- brokers that hang -------------------------------------------------------------------------

def slowest_of(port, stop):
    """Milliseconds that the slower percent of Modbus reads took until `stop`, at 50 a second."""
    took = []
    with Client(port) as c:
        while not stop.is_set():
            begin = time.monotonic()
            c.ask(3, 0x8016, 2)
            took.append((time.monotonic() - begin) * 1000)
            stop.wait(0.02)
    took.sort()
    return took[int(len(took) * 0.99)], took[-1]


@contextlib.contextmanager
def measured(server, result):
    stop = threading.Event()
    thread = threading.Thread(target=lambda: result.extend(slowest_of(server.port, stop)))
    thread.start()
    yield
    stop.set()
    thread.join()


def assert_as_quick(now, quiet):
    """Modbus waits no longer than twice what it does in quiet; in the short form, on a busy machine, a little more."""
    assert now[0] < max(2 * quiet[0], 2 if SOAK else 50), (quiet, now)


def test_a_broker_that_stands_still_misses_nothing_and_slows_nothing(start, house, broker, subscriber):
    broker = broker()
    watch = subscriber(broker)
    server = start(broker.url, "--mqtt-keepalive", "5")
    server.wait_log("mqtt: connected")
    quiet, stopped = [], []
    with measured(server, quiet):
        house.send(100, pace_s=0.05)
    broker.pause()
    with measured(server, stopped):
        house.send(600 if SOAK else 300, pace_s=0.05)
    broker.go_on()
    house.all_arrive(watch)
    note("outages", "a broker that stands still: Modbus p99", f"{quiet[0]:.2f} ms quiet, {stopped[0]:.2f} ms meanwhile")
    assert_as_quick(stopped, quiet)


