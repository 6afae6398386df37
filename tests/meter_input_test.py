"""Meter inputs: serial lines (pseudo-terminals), TCP streams, files and the simulator, good and bad.

The rule above all: no wrong value is ever published.  Every published reading is one that was sent.
"""
import os
import random
import signal
import socket
import struct
import subprocess
import time

import pytest

from harness import (DATA, PROGRAM, PtyMeter, TcpMeter, assert_nobody_waited, even_parity, free_port, marked, run,
                     tic_frame, tic_group, tic_marked, wait_until)

POWER = 0x8016
NO_TELEGRAM = 0x0B


def power(client):
    """The power in the registers, None while there is none."""
    return client.floats(POWER, 1)[0] if client.exception(3, POWER, 2) is None else None


def wait_power(server, watts, seconds=15):
    with server.client() as c:
        wait_until(lambda: power(c) == watts, f"{watts} W", seconds)


def wait_reading(server, times=1):
    server.wait_log("reading from", times)


# --- serial lines ------------------------------------------------------------------------------

@pytest.fixture
def line(gateway, pty_meter):
    """A gateway that reads a pseudo-terminal, and shows its counters."""
    server = gateway(pty_meter.url, "--live")
    wait_reading(server)
    return server


def test_p1_over_a_serial_line(line, pty_meter):
    pty_meter.send(marked(1234))
    wait_power(line, 1234)
    line.wait_live(power_w=1234, good=1, crc=0, frame=0, stale=0)


def test_telegram_byte_by_byte(line, pty_meter):
    for byte in marked(7):
        pty_meter.send(bytes([byte]))
    wait_power(line, 7)


def test_lf_only_lines_and_nul_bytes_between_telegrams(line, pty_meter):
    pty_meter.send(b"\0" * 500 + marked(8) + b"\0\0\0" + marked(9) + b"\0")
    wait_power(line, 9)


def test_tic_with_parity_bits(line, pty_meter):
    pty_meter.send(even_parity(tic_marked(4321) * 2))
    wait_power(line, 4321)
    assert line.wait_log("receiving TIC standard mode, 1 phase")


def test_tic_of_seven_bits(line, pty_meter):
    pty_meter.send(tic_marked(4321) * 2)
    wait_power(line, 4321)


def test_dsmr2_at_7e1_with_parity(line, pty_meter):
    telegram = (DATA / "p1" / "slovenia_7e1.txt").read_bytes()
    assert any(b & 0x80 for b in telegram)
    pty_meter.send(telegram)
    line.wait_live(good=1)
    pty_meter.send(even_parity("\r\n".join(
        ["/KMP5 SYSTEM TEST", "", "0-0:96.1.1(53595354454D)", "1-0:1.8.1(00001.500*kWh)", "1-0:2.8.1(00000.000*kWh)",
         "1-0:1.7.0(0000.42*kW)", "!", ""]).encode()))
    wait_power(line, 420)


def test_parity_error_in_a_7e1_telegram_is_no_telegram(line, pty_meter):
    good = even_parity(b"/KMP5 SYSTEM TEST\r\n\r\n1-0:1.8.1(00001.500*kWh)\r\n1-0:1.7.0(0000.42*kW)\r\n!\r\n")
    at = good.index(even_parity(b"42*")) + 1
    pty_meter.send(good)
    wait_power(line, 420)
    for bit in range(8):
        pty_meter.send(good[:at] + bytes([good[at] ^ 1 << bit]) + good[at + 1:])
    line.wait_live(good=1, power_w=420)
    wait_until(lambda: int(line.live()["crc"]) + int(line.live()["frame"]) == 8, "eight bad telegrams")


def test_historic_tic_is_named_once(line, pty_meter):
    frames = run("simulate", "--profile", "tic-historic", "--to", "-", "--count", "5", "--interval", "0").stdout
    pty_meter.send(even_parity(frames))
    line.wait_log("historic mode: ask Enedis or the supplier for standard mode")
    pty_meter.send(even_parity(frames))
    time.sleep(2.5)  # two of its looks at the state
    assert len(line.log("is in historic mode")) == 1
    with line.client() as c:
        assert c.exception(3, POWER, 2) == NO_TELEGRAM
    pty_meter.send(even_parity(tic_marked(77) * 2))  # Enedis has switched the meter
    wait_power(line, 77)


def test_telegrams_begun_in_the_middle_cut_and_resumed(line, pty_meter):
    telegram = marked(500)
    pty_meter.send(telegram[300:])
    pty_meter.send(telegram[:400])
    pty_meter.send(marked(501))
    wait_power(line, 501)
    line.wait_live(good=1, crc=0, frame=1)


def test_twenty_bad_telegrams_are_one_line_of_log(line, pty_meter):
    pty_meter.send(marked(1))
    wait_power(line, 1)
    before = len(line.stderr().splitlines())
    for n in range(20):
        pty_meter.send(marked(100 + n, good=False))
    line.wait_live(good=1, crc=20, power_w=1)
    assert len(line.stderr().splitlines()) - before <= 1, line.stderr()


def test_unreadable_meter_is_said_once(gateway, pty_meter):
    server = gateway(pty_meter.url, "--stale-after", "1")
    wait_reading(server)
    pty_meter.send(marked(1))
    wait_power(server, 1)
    end = time.monotonic() + 4
    while time.monotonic() < end:
        pty_meter.send(marked(100, good=False))
        time.sleep(0.05)
    assert len(server.log("nothing that can be read")) == 1
    assert len(server.log("stale")) == 1
    pty_meter.send(marked(2))
    wait_power(server, 2)
    assert len(server.log("receiving P1")) == 2


def test_line_of_100_kb_without_end(line, pty_meter):
    before_kib = line.rss_kib()
    pty_meter.send(b"/" + b"A" * 100000)
    pty_meter.send(b"1-0:1.7.0(" + b"9" * 100000)
    pty_meter.send(b"\x02\nSINSTS\t" + b"1" * 100000)
    pty_meter.send(marked(3))
    wait_power(line, 3)
    assert line.rss_kib() - before_kib < 2048


def test_64_kib_of_noise_before_a_telegram(line, pty_meter):
    noise = random.Random(7).randbytes(65536)
    pty_meter.send(noise)
    pty_meter.send(b"\r\n" + marked(4))
    pty_meter.send(marked(5))
    wait_power(line, 5)


def test_unplugged_and_plugged_again(line, pty_meter):
    """What is behind the name is another device each time, as with USB adapters."""
    pty_meter.send(marked(10))
    wait_power(line, 10)
    descriptors = line.descriptors()
    for n in range(1, 4):
        pty_meter.unplug()
        line.wait_log("ttyMETER: ", n)
        pty_meter.plug()
        wait_reading(line, n + 1)
        pty_meter.send(marked(10 + n)[200:])  # it is in the middle of one
        pty_meter.send(marked(10 + n))
        wait_power(line, 10 + n)
    wait_until(lambda: line.descriptors() <= descriptors, "no descriptor left behind")


def test_unplugged_for_long_costs_nothing_and_is_said_once(line, pty_meter):
    pty_meter.send(marked(10))
    wait_power(line, 10)
    pty_meter.unplug()
    pty_meter.link.unlink()
    line.wait_log("ttyMETER: ")
    before = line.cpu_seconds()
    time.sleep(3.5)
    assert line.cpu_seconds() - before < 0.2
    assert len(line.log("ttyMETER: ")) == 1
    pty_meter.plug()
    wait_reading(line, 2)
    pty_meter.send(marked(11))
    wait_power(line, 11)


def test_half_a_telegram_before_unplugging_is_not_glued_to_what_follows(line, pty_meter):
    telegram = marked(20)
    pty_meter.send(telegram[:500])
    time.sleep(0.2)  # it is read
    pty_meter.unplug()
    line.wait_log("ttyMETER: ")
    pty_meter.plug()
    wait_reading(line, 2)
    pty_meter.send(telegram[500:])
    pty_meter.send(marked(21))
    wait_power(line, 21)
    line.wait_live(good=1)


def test_device_that_is_not_there_yet_is_no_error(gateway, tmp_path):
    server = gateway(f"serial:{tmp_path}/ttyMETER")
    server.wait_log("ttyMETER: No such file or directory")
    meter = PtyMeter(tmp_path)
    wait_reading(server)
    meter.send(marked(30))
    wait_power(server, 30)
    meter.close()


def test_file_that_is_no_serial_device_is_named(gateway, tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    server = gateway(f"serial:{tmp_path}/notes.txt")
    server.wait_log("notes.txt: not a serial device")


def test_second_instance_on_one_serial_port_says_why(line, gateway, pty_meter):
    second = gateway(pty_meter.url)
    second.wait_log("another program reads it")
    for n in range(40, 60):
        pty_meter.send(marked(n))
    line.wait_live(good=20, crc=0, frame=0)
    line.stop()
    wait_reading(second)
    pty_meter.send(marked(61))
    wait_power(second, 61)


def test_kind_tic_does_not_take_p1_and_the_other_way_round(gateway, tmp_path):
    for kind, right, wrong in (("tic", tic_marked(5) * 2, marked(6)), ("p1", marked(6), tic_marked(5) * 2)):
        meter = PtyMeter(tmp_path, f"tty{kind}")
        server = gateway(meter.url, "--meter-kind", kind)
        wait_reading(server)
        meter.send(wrong)
        meter.send(right)
        wait_power(server, 5 if kind == "tic" else 6)
        meter.close()


# --- nothing wrong is published ----------------------------------------------------------------

def spoil(rng, data, rate):
    """Flips one bit in about `rate` of the bytes."""
    spoiled = bytearray(data)
    for i in range(len(spoiled)):
        if rng.random() < rate:
            spoiled[i] ^= 1 << rng.randrange(8)
    return bytes(spoiled)


PACE_S = 0.005  # of telegrams that come faster than from any meter, but not faster than a broker acknowledges


def published(subscriber):
    """All that was said: what found the broker busy follows late."""
    return [m.json() for m in subscriber.of("power_instant") + subscriber.of("power_instant_late")]


def test_noise_on_p1_publishes_no_wrong_value(gateway, broker, subscriber, pty_meter):
    """A bit error in every 2000th byte, bytes lost and doubled: all that comes out was sent so."""
    rng = random.Random(11)
    broker = broker()
    watch = subscriber(broker)
    server = gateway(pty_meter.url, "--mqtt", broker.url, "--live")
    watch.wait("status")
    wait_reading(server)
    for n in range(400):
        telegram = spoil(rng, marked(n), 1 / 2000)
        cut = rng.randrange(len(telegram))
        if n % 10 == 3:
            telegram = telegram[:cut] + telegram[cut + 1:]
        if n % 10 == 7:
            telegram = telegram[:cut] + telegram[cut:cut + 1] + telegram[cut:]
        pty_meter.send(telegram)
        time.sleep(PACE_S)
    pty_meter.send(marked(400))
    watch.wait("power_instant", lambda m: m.json()["P"] == 400)
    live = wait_until(lambda: server.live().get("good") == str(len(published(watch))) and server.live(), "the counters")
    readings = published(watch)
    assert len(readings) > 100
    for r in readings:
        n = r["P"]
        assert 0 <= n <= 400 and r == {**r, "P+": n, "E_IMPORT": n, "E_EXPORT": n}
        for phase in ("l1", "l2", "l3"):
            assert r[phase] == {**r[phase], "P": n, "U": n % 2500 / 10, "I": n % 1000}
    assert sorted(r["P"] for r in readings) == sorted({r["P"] for r in readings}), "each once"
    said = [m.json()["P"] for m in watch.of("power_instant")]
    assert said == sorted(said), "in order"
    assert 401 - 40 <= sum(int(live[k]) for k in ("good", "crc", "frame")) <= 401 + 40


def test_noise_on_tic_publishes_no_wrong_value(gateway, broker, subscriber, pty_meter):
    """Frames are salvaged group by group; a group with one flipped bit is lost, never changed."""
    rng = random.Random(12)
    broker = broker()
    watch = subscriber(broker)
    server = gateway(pty_meter.url, "--mqtt", broker.url)
    watch.wait("status")
    wait_reading(server)
    pty_meter.send(even_parity(tic_marked(0) * 3))
    watch.wait("power_instant")
    for n in range(1, 300):
        groups = even_parity(tic_marked(n))[1:-1].split(even_parity(b"\r"))
        for i in range(len(groups) - 1):
            if rng.random() < 0.05:
                at = rng.randrange(1, len(groups[i]))
                groups[i] = groups[i][:at] + bytes([groups[i][at] ^ 1 << rng.randrange(8)]) + groups[i][at + 1:]
        pty_meter.send(even_parity(b"\x02") + even_parity(b"\r").join(groups) + even_parity(b"\x03"))
        time.sleep(PACE_S)
    pty_meter.send(even_parity(tic_marked(300) * 2))
    watch.wait("power_instant", lambda m: m.json()["E_IMPORT"] == 300 and m.json()["P"] == 300)
    readings = published(watch)
    assert len(readings) > 250
    for r in readings:
        known = {r["P"], r["E_IMPORT"]} - {None}
        assert len(known) <= 1 and known <= set(range(301)), r
        assert r["l1"]["U"] in (230, None) and r["l1"]["I"] in (3, None)
    assert any(r["E_IMPORT"] is None for r in readings), "what is lost is unknown, not old"


def test_tic_group_with_wrong_checksum_is_unknown_others_live(line, pty_meter):
    def frame(n, damage):
        return even_parity(tic_frame(tic_group("ADSC", "061861123456"), tic_group("EAST", f"{n:09}", damage=damage),
                                     tic_group("URMS1", "231"), tic_group("SINSTS", f"{n:05}")))
    pty_meter.send(frame(100, 0) * 2)
    wait_power(line, 100)
    pty_meter.send(frame(200, 1))
    wait_power(line, 200)
    with line.client() as c:
        assert c.floats(0x8100, 1) == [0] and c.floats(0x8006, 1) == [231]


# --- TCP streams -------------------------------------------------------------------------------

def test_tcp_stream(gateway, tcp_meter):
    server = gateway(tcp_meter.url)
    tcp_meter.accept().send(marked(9))
    wait_power(server, 9)


def test_tcp_server_gone_and_back(gateway):
    meter = TcpMeter()
    server = gateway(meter.url)
    meter.accept().send(marked(1))
    wait_power(server, 1)
    meter.close()
    server.wait_log("the other side closed the connection")
    time.sleep(1.5)  # one attempt meets nobody
    meter = TcpMeter(meter.port)
    meter.accept().send(marked(2)[100:] + marked(2))
    wait_power(server, 2)
    assert len(server.log("warning meter: tcp:")) == 1, "said once, however many attempts"
    meter.close()


def test_tcp_server_that_is_not_there_is_tried_ever_more_slowly(gateway):
    server = gateway(f"tcp:127.0.0.1:{free_port()}", "--log-level", "debug")
    server.wait_log("Connection refused")
    before = server.cpu_seconds()
    time.sleep(2.5)
    assert server.cpu_seconds() - before < 0.2
    assert len(server.log("Connection refused")) == 1


def test_tcp_peer_that_closes_at_once_is_tried_ever_more_slowly(gateway, tcp_meter):
    server = gateway(tcp_meter.url)
    begin, at = time.monotonic(), []
    for _ in range(3):
        tcp_meter.accept().hang_up()
        at.append(time.monotonic() - begin)
    assert at[0] < 1 and 0.9 < at[1] - at[0] < 2 and 1.9 < at[2] - at[1] < 3
    assert len(server.log("closed the connection")) <= 3
    with server.client() as c:
        assert c.exception(3, POWER, 2) == NO_TELEGRAM


def test_tcp_name_that_does_not_resolve(gateway):
    server = gateway("tcp:no-such-host.invalid:2001")
    with server.client() as c:
        begin = time.monotonic()
        assert c.exception(3, POWER, 2) == NO_TELEGRAM
        assert time.monotonic() - begin < 1, "the look-up does not stop the rest"
    server.wait_log("no-such-host.invalid:2001: ", seconds=30)
    begin = time.monotonic()
    server.stop()
    assert time.monotonic() - begin < 2


def test_tcp_peer_that_resets(gateway, tcp_meter):
    server = gateway(tcp_meter.url)
    tcp_meter.accept().send(marked(1))
    wait_power(server, 1)
    tcp_meter.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    tcp_meter.hang_up()
    server.wait_log("Connection reset by peer")
    tcp_meter.accept().send(marked(2))
    wait_power(server, 2)


# --- files -------------------------------------------------------------------------------------

def test_file_is_replayed_at_its_own_pace(gateway, tmp_path):
    """Telegrams whose own times lie 2 s and 1 s apart."""
    path, now = tmp_path / "recorded", int(time.time())
    path.write_bytes(b"".join(marked(n, now + n) for n in (1, 3, 4)))
    server = gateway(f"file:{path}")
    seen = {}
    with server.client() as c:
        wait_until(lambda: seen.setdefault(power(c), time.monotonic()) and 4 in seen, "the last telegram")
    assert [n for n in seen if n] == [1, 3, 4]
    assert 1.7 < seen[3] - seen[1] < 2.6 and 0.7 < seen[4] - seen[3] < 1.6


def test_file_at_full_speed(gateway, tmp_path):
    path = tmp_path / "recorded"
    path.write_bytes(b"".join(marked(n) for n in range(1000)))
    server = gateway(f"file:{path}?speed=max", "--live")
    wait_power(server, 999, 10)
    server.wait_live(good=1000, crc=0, frame=0)
    assert server.wait_log("the end of the file is reached")
    assert server.running(), "and goes on serving"


def test_file_at_full_speed_keeps_nobody_waiting(gateway, tmp_path):
    path = tmp_path / "recorded"
    path.write_bytes(b"".join(marked(n) for n in range(200)) * 400)
    server = gateway(f"file:{path}?speed=max", "--live")
    waited = []
    with server.client() as c:
        while not server.log("the end of the file"):
            begin = time.monotonic()
            c.exception(3, POWER, 2)
            waited.append(time.monotonic() - begin)
    assert len(waited) > 10
    assert_nobody_waited(waited)


def test_file_of_tic_frames(gateway, tmp_path):
    path = tmp_path / "recorded"
    path.write_bytes(b"".join(tic_marked(n) for n in (5, 6)))
    wait_power(gateway(f"file:{path}?speed=max"), 6)


def test_file_that_comes_later(gateway, tmp_path):
    path = tmp_path / "recorded"
    server = gateway(f"file:{path}?speed=max")
    server.wait_log("No such file or directory")
    (tmp_path / "new").write_bytes(marked(7))
    os.rename(tmp_path / "new", path)
    wait_power(server, 7)


@pytest.mark.parametrize("what", ["folder", "pipe", "terminal"])
def test_file_that_is_none_is_named_and_stalls_nothing(gateway, tmp_path, pty_meter, what):
    path = {"folder": tmp_path, "pipe": tmp_path / "pipe", "terminal": pty_meter.link}[what]
    if what == "pipe":
        os.mkfifo(path)
    server = gateway(f"file:{path}")
    server.wait_log("not a file; use serial:DEVICE")
    with server.client() as c:
        assert c.exception(3, POWER, 2) == NO_TELEGRAM


# --- the simulator -----------------------------------------------------------------------------

PROFILES = ["dsmr42", "dsmr50", "emucs", "emucs-delta", "tic-mono", "tic-tri", "tic-producer"]


def test_every_simulated_meter_is_served(gateway):
    servers = [gateway(f"sim:{profile}?seed=3") for profile in PROFILES]
    for server in servers:
        server.wait_served()
        assert server.log("receiving (P1|TIC)")


def test_simulated_historic_meter_is_named_and_not_served(gateway):
    server = gateway("sim:tic-historic")
    server.wait_log("historic mode")
    with server.client() as c:
        assert c.exception(3, POWER, 2) == NO_TELEGRAM


def test_simulated_delta_grid_shows_line_voltages(gateway):
    with gateway("sim:emucs-delta").wait_served().client() as c:
        u12, u32, u31, l1, l2, l3 = c.floats(0x8000, 6)
        assert 200 < u12 < 260 and 200 < u32 < 260 and u31 == 0
        assert 200 < l1 < 260 and 200 < l3 < 260, "chargers check for presence"


@pytest.mark.parametrize("to", ["pty", "tcp:127.0.0.1:0"])
def test_simulated_meter_in_a_process_of_its_own(gateway, tmp_path, to):
    with open(tmp_path / "name", "wb") as name:
        meter = subprocess.Popen([PROGRAM, "simulate", "--profile", "dsmr50", "--to", to, "--interval", "0.05"],
                                 stdout=name)
    try:
        where = wait_until(lambda: (tmp_path / "name").read_text().strip(), "where the meter is")
        server = gateway(f"{'serial' if to == 'pty' else 'tcp'}:{where}", "--live")
        wait_until(lambda: int(server.live().get("good", 0)) > 20, "telegrams")
        assert int(server.live()["crc"]) == 0 and int(server.live()["frame"]) <= 1
    finally:
        meter.send_signal(signal.SIGTERM)
        assert meter.wait(5) == 0
