"""P1 out: telegrams passed on to TCP readers, whole and valid, and every byte copied to a second serial port."""
import os
import random
import re
import select
import socket
import time

import pytest

from harness import DEADLINE, PtyMeter, crc16, even_parity, free_port, marked, p1, refusal, run, tic_marked, wait_until
from page_kit import STATUS, fixture_box, metric  # noqa: F401

TELEGRAM = re.compile(rb"/[^!]*![0-9A-F]{4}\r\n")
READERS_MAX = 16


def places(server):
    """Where telegrams are passed on to, as the ready line says."""
    return re.search(r" p1=(\S+)", server.stdout()).group(1).split(",")


class Reader:
    """A program that reads telegrams, fast or slow."""

    def __init__(self, place, receive_buffer=None):
        self.socket = socket.socket()
        self.socket.settimeout(DEADLINE)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.connect(("127.0.0.1", int(place.rsplit(":", 1)[1])))
        self.data = b""

    def until(self, wanted):
        """Reads until these bytes have come; all that came since the last time, up to their end."""
        while wanted not in self.data:
            more = self.socket.recv(65536)
            assert more, f"closed after {self.data[-200:]}"
            self.data += more
        end = self.data.index(wanted) + len(wanted)
        came, self.data = self.data[:end], self.data[end:]
        return came

    def is_closed(self):
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def has_nothing(self):
        return not self.data and not select.select([self.socket], [], [], 0)[0]

    def close(self):
        self.socket.close()


@pytest.fixture
def reader():
    made = []

    def connect(place, **how):
        made.append(Reader(place, **how))
        return made[-1]
    yield connect
    for one in made:
        one.close()


@pytest.fixture
def second_port(tmp_path):
    """What is plugged in where bytes are copied to."""
    port = PtyMeter(tmp_path, "ttyCOPY")
    yield port
    port.close()


@pytest.fixture
def served(gateway, pty_meter):
    """A gateway that passes telegrams on by TCP, and where."""
    def start(*options):
        server = gateway(pty_meter.url, "--p1-out", "tcp:127.0.0.1:0", *options)
        server.wait_log("reading from")
        return server, places(server)[0]
    return start


# --- TCP ---------------------------------------------------------------------------------------

def test_valid_telegrams_only_and_byte_for_byte(served, pty_meter, reader):
    """Noise, wrong CRCs, cut ones and single bytes between them: what is good comes through, nothing else."""
    rng = random.Random(5)
    _, place = served()
    one = reader(place)
    now = int(time.time())
    for n in range(120):
        telegram = marked(n, now + n)
        pty_meter.send(rng.randbytes(rng.randrange(40)).replace(b"/", b"") + b"\r\n")
        if n % 3 == 1:
            pty_meter.send(marked(n, now + n, good=False))
        if n % 7 == 2:
            pty_meter.send(telegram[:rng.randrange(10, len(telegram) - 10)] + b"\r\n")
        if n % 10 == 4:
            for byte in telegram:
                pty_meter.send(bytes([byte]))
        else:
            pty_meter.send(telegram)
        assert one.until(telegram) == telegram
    assert one.has_nothing()


def test_who_connects_gets_the_newest_at_once(served, pty_meter, reader):
    _, place = served()
    first = reader(place)
    for n in (1, 2):
        pty_meter.send(marked(n, 1800000000))
        assert first.until(b"!") and first.until(b"\r\n")
    assert reader(place).until(b"\r\n!" + marked(2, 1800000000)[-6:]) == marked(2, 1800000000)


def test_a_stale_telegram_is_not_given_to_who_connects(served, pty_meter, reader):
    server, place = served("--stale-after", "1")
    first = reader(place)
    pty_meter.send(marked(1, 1800000000))
    first.until(marked(1, 1800000000))
    server.wait_log("values are stale")
    late = reader(place)
    time.sleep(0.3)
    assert late.has_nothing()
    pty_meter.send(marked(2, 1800000000))
    assert late.until(marked(2, 1800000000)) == marked(2, 1800000000)


def test_a_slow_reader_gets_whole_telegrams_and_the_newest_in_the_end(served, pty_meter, reader):
    server, place = served()
    slow, fast = reader(place, receive_buffer=2048), reader(place)
    texts = "".join(f"{n:02X}" for n in range(256)) * 4
    sent = [p1("1-3:0.2.8(50)", f"1-0:1.8.1({n:06}.000*kWh)", f"1-0:2.8.1({n:06}.000*kWh)",
               f"0-0:96.13.0({texts})") for n in range(1000)]
    for telegram in sent:
        pty_meter.send(telegram)
        assert fast.until(telegram).endswith(telegram)
    got = slow.until(sent[-1])
    found = TELEGRAM.findall(got)
    assert b"".join(found) == got, "whole telegrams, and nothing between them"
    order = [sent.index(t) for t in found]
    assert order == sorted(set(order)) and order[-1] == len(sent) - 1
    assert len(found) < len(sent), "some were skipped, else this reader was not slow"
    assert server.running()


def has_place(place):
    """True if one more reader gets the newest telegram, false if it is refused."""
    try:
        one = Reader(place)
    except ConnectionResetError:
        return False
    served = not one.is_closed()
    one.close()
    return served


def test_sixteen_readers_and_the_seventeenth(served, pty_meter, reader):
    server, place = served()
    readers = [reader(place) for _ in range(READERS_MAX)]
    telegram = marked(1, 1800000000)
    pty_meter.send(telegram)
    assert all(r.until(telegram) == telegram for r in readers)
    assert not has_place(place)
    assert server.wait_log("refused 127.0.0.1: there are 16 readers already")
    readers[3].close()
    wait_until(lambda: has_place(place), "a place again")
    telegram = marked(2, 1800000000)
    pty_meter.send(telegram)
    assert all(r.until(telegram) == telegram for i, r in enumerate(readers) if i != 3)


def test_what_readers_send_does_not_matter(served, pty_meter, reader):
    server, place = served()
    noisy, quiet = reader(place), reader(place)
    pty_meter.send(marked(0, 1800000000))
    assert noisy.until(b"\r\n!") and noisy.until(b"\r\n") and quiet.until(marked(0, 1800000000))
    descriptors = server.descriptors()
    for _ in range(50):
        noisy.socket.sendall(random.Random(1).randbytes(20000))
    for _ in range(50):
        has_place(place)
    telegram = marked(1, 1800000000)
    pty_meter.send(telegram)
    assert noisy.until(telegram) == quiet.until(telegram) == telegram
    wait_until(lambda: server.descriptors() <= descriptors, "no descriptor left behind")


def test_tic_frames_as_they_came(served, pty_meter, reader):
    _, place = served()
    one = reader(place)
    pty_meter.send(even_parity(tic_marked(1)) * 2)
    frame = tic_marked(7)
    for _ in range(2):
        pty_meter.send(even_parity(frame))
    got = one.until(frame)
    assert got.endswith(frame) and got.startswith(b"\x02") and got.count(b"\x02") == got.count(b"\x03")


# --- one form for all --------------------------------------------------------------------------

def lines_of(telegram):
    """What an independent reader makes of a telegram: texts by reference.  Judges frame and CRC."""
    assert re.fullmatch(rb"/[A-Z]{3}5[^\r]*\r\n\r\n(?:\d-\d:\d+\.\d+\.\d+(?:\([^()]*\))+\r\n)*![0-9A-F]{4}\r\n", telegram)
    assert int(telegram[-6:-2], 16) == crc16(telegram[:-6])
    return {k.decode(): v.decode() for k, v in re.findall(rb"(\d-\d:[\d.]+)((?:\([^()]*\))+)\r\n", telegram)}


ALL_PHASES = [f"1-0:{n}.7.0" for n in (21, 22, 31, 32, 41, 42, 51, 52, 61, 62, 71, 72)]


def test_linky_as_p1(served, pty_meter, reader):
    _, place = served("--p1-out-format", "p1")
    one = reader(place)
    for _ in range(3):
        pty_meter.send(even_parity(tic_marked(4321)))
    one.until(b"1-0:1.7.0(04.321*kW)")
    one.until(b"\r\n/")
    telegram = b"/" + one.until(b"!") + one.until(b"\r\n")
    said = lines_of(telegram)
    assert said["1-0:1.8.0"] == "(000004.321*kWh)" and said["1-0:1.7.0"] == "(04.321*kW)"
    assert said["1-0:32.7.0"] == "(230.0*V)" and said["1-0:31.7.0"] == "(003.00*A)"
    assert all(reference in said for reference in ALL_PHASES)
    decoded = run("decode", "--format", "json", "-", stdin=telegram)
    assert decoded.returncode == 0 and b'"P":4321' in decoded.stdout, decoded


def test_an_old_telegram_without_crc_as_p1(served, pty_meter, reader):
    _, place = served("--p1-out-format", "p1", "--meter-kind", "p1")
    one = reader(place)
    pty_meter.send(b"/KMP5 KA6U001511209910\r\n\r\n0-0:96.1.1(204B413655303031)\r\n1-0:1.8.1(00185.000*kWh)\r\n"
                   b"1-0:1.8.2(00084.000*kWh)\r\n1-0:2.8.1(00013.000*kWh)\r\n1-0:2.8.2(00019.000*kWh)\r\n"
                   b"0-0:96.14.0(0001)\r\n1-0:1.7.0(0000.98*kW)\r\n1-0:2.7.0(0000.00*kW)\r\n!\r\n")
    said = lines_of(one.until(b"!") + one.until(b"\r\n"))
    assert said["1-0:1.8.0"] == "(000269.000*kWh)" and said["1-0:2.8.0"] == "(000032.000*kWh)"
    assert said["1-0:1.7.0"] == "(00.980*kW)" and said["0-0:96.1.1"] == "(204B413655303031)"
    assert "0-0:1.0.0" in said, "the gateway's time, as the meter has none"


@pytest.mark.parametrize("profile", ["dsmr42", "dsmr50", "emucs", "emucs-delta", "tic-mono", "tic-tri", "tic-producer"])
def test_every_simulated_meter_as_p1(gateway, reader, profile):
    server = gateway(f"sim:{profile}?seed=3", "--p1-out", "tcp:127.0.0.1:0", "--p1-out-format", "p1")
    one = reader(places(server)[0])
    telegram = one.until(b"!") + one.until(b"\r\n")
    said = lines_of(telegram)
    assert {"1-3:0.2.8", "0-0:1.0.0", "1-0:1.8.0", "1-0:1.7.0"} <= set(said)
    decoded = run("decode", "--format", "json", "-", stdin=telegram)
    assert decoded.returncode == 0 and len(decoded.stdout.splitlines()) == 1


# --- the second serial port --------------------------------------------------------------------

def receive(port, n, seconds=DEADLINE):
    """The next n bytes that were copied there."""
    data, end = b"", time.monotonic() + seconds
    while len(data) < n:
        assert select.select([port.master], [], [], max(0, end - time.monotonic()))[0], f"{len(data)} of {n} bytes"
        data += os.read(port.master, n - len(data))
    return data


@pytest.fixture
def copied(gateway, pty_meter, second_port):
    """A gateway that copies from one serial line to another."""
    server = gateway(pty_meter.url, "--p1-out", f"serial:{second_port.link}")
    server.wait_log("reading from")
    server.wait_log("copying to")
    return server


def test_every_byte_is_copied(copied, pty_meter, second_port):
    rng = random.Random(6)
    for n in range(200):
        data = rng.choice([marked(n), marked(n, good=False), rng.randbytes(rng.randrange(1, 2000)), b"\0", b"\xff\0\x11\x13"])
        pty_meter.send(data)
        assert receive(second_port, len(data)) == data
    assert copied.running()


def test_the_second_port_goes_and_comes_back(copied, pty_meter, second_port):
    pty_meter.send(marked(1))
    receive(second_port, len(marked(1)))
    for n in range(2):
        second_port.unplug()
        copied.wait_log("ttyCOPY: .*; trying again", n + 1)
        pty_meter.send(b"lost")
        second_port.plug()
        copied.wait_log("copying to", n + 2)
        data = marked(n, 1800000000)
        pty_meter.send(data)
        assert data.startswith(b"/") and receive(second_port, 4) in (b"lost", data[:4])
        rest = receive(second_port, len(data) - 4)
        assert rest in (data[4:], data[:-4]), "from where it came back"
        while select.select([second_port.master], [], [], 0.2)[0]:
            os.read(second_port.master, 100)


def test_a_second_port_that_takes_nothing_stalls_nobody(gateway, pty_meter, second_port, reader):
    server = gateway(pty_meter.url, "--p1-out", f"serial:{second_port.link}", "--p1-out", "tcp:127.0.0.1:0")
    server.wait_log("copying to")
    one = reader(places(server)[1])
    now = int(time.time())
    for n in range(200):
        pty_meter.send(marked(n, now + n))
        one.until(marked(n, now + n))
    server.wait_log("ttyCOPY does not take all bytes; more losses are only counted")
    os.set_blocking(second_port.master, False)

    def silent():
        try:
            while os.read(second_port.master, 4096):
                pass
        except BlockingIOError:
            pass
        return not select.select([second_port.master], [], [], 0.5)[0]
    wait_until(silent, "what was queued is gone")
    pty_meter.send(marked(1, now))
    assert receive(second_port, len(marked(1, now))) == marked(1, now)


def test_copies_are_not_delayed(copied, pty_meter, second_port):
    """Typical is well below a millisecond; a busy machine may take longer now and then."""
    times = []
    for n in range(300):
        begin = time.monotonic()
        os.write(pty_meter.master, bytes([n % 256]))
        assert receive(second_port, 1) == bytes([n % 256])
        times.append(time.monotonic() - begin)
    times.sort()
    print(f"median {times[150] * 1e3:.2f} ms, 99 % {times[297] * 1e3:.2f} ms")
    assert times[150] < 0.005 and times[297] < 0.1, times[-10:]
    assert copied.running()


# --- options and status ------------------------------------------------------------------------

def test_both_ways_several_times(gateway, pty_meter, second_port, reader):
    server = gateway(pty_meter.url, "--p1-out", "tcp:127.0.0.1:0", "--p1-out", f"serial:{second_port.link}",
                     "--p1-out", "tcp:127.0.0.1:0")
    server.wait_log("reading from")
    server.wait_log("copying to")
    tcp_1, serial, tcp_2 = places(server)
    assert serial == f"serial:{second_port.link}"
    readers = [reader(tcp_1), reader(tcp_2)]
    telegram = marked(1, 1800000000)
    pty_meter.send(telegram)
    assert all(r.until(telegram) == telegram for r in readers)
    assert receive(second_port, len(telegram)) == telegram


def test_status_and_metrics_tell(box, pty_meter, second_port, reader):
    one = box("--p1-out", "tcp:127.0.0.1:0", "--p1-out", f"serial:{second_port.link}", meter=pty_meter.url)
    one.server.wait_log("reading from")
    tcp, serial = places(one.server)
    program = reader(tcp)
    telegram = marked(1, 1800000000)
    pty_meter.send(telegram)
    assert program.until(telegram) == telegram and receive(second_port, len(telegram)) == telegram
    state = one.get(STATUS)["State"]
    assert state["P1Out"] == [{"To": tcp, "Ok": True, "Problem": None, "Readers": 1},
                              {"To": serial, "Ok": True, "Problem": None, "Readers": None}]
    assert state["Counters"]["p1_out_sent"] == 1 and state["Counters"]["p1_out_copied_bytes"] == len(telegram)
    samples = one.metrics()
    assert metric(samples, "p1_out_readers") == 1
    assert metric(samples, "p1_out_telegrams_total", result="sent") == 1
    assert metric(samples, "p1_out_connections_total", result="accepted") == 1
    assert metric(samples, "p1_out_serial_bytes_total", result="copied") == len(telegram)
    second_port.unplug()
    wait_until(lambda: one.get(STATUS)["State"]["P1Out"][1]["Problem"], "why the port is not served")
    assert one.get(STATUS)["State"]["P1Out"][1]["Ok"] is False
    second_port.plug()


def test_what_cannot_be_is_refused_at_start(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        line = refusal("--p1-out", f"tcp:127.0.0.1:{port}")
    assert f"--p1-out tcp:127.0.0.1:{port}: Address already in use; another program uses this port" in line
    assert "use tcp:PORT" in refusal("--p1-out", "8088")
    assert "none of raw p1" in refusal("--p1-out", "tcp:127.0.0.1:0", "--p1-out-format", "dsmr")
    device = f"{tmp_path}/tty"
    assert "the meter is read there" in refusal("--meter", f"serial:{device}", "--p1-out", f"serial:{device}")
    assert "it is that of --rtu" in refusal("--rtu", device, "--p1-out", f"serial:{device}")


def test_a_restart_finds_its_port_free(gateway, pty_meter, reader):
    port = free_port()
    for n in range(2):
        server = gateway(pty_meter.url, "--p1-out", f"tcp:127.0.0.1:{port}")
        server.wait_log("reading from")
        one = reader(places(server)[0])
        pty_meter.send(marked(n, 1800000000))
        one.until(marked(n, 1800000000))
        server.stop()
        assert one.is_closed()


def test_a_gateway_can_read_what_another_passes_on(gateway, pty_meter, served):
    """As meter, over TCP."""
    _, place = served()
    second = gateway(place, "--live")
    second.wait_log("reading from")
    pty_meter.send(marked(77))
    second.wait_live(power_w=77, crc=0, frame=0)
