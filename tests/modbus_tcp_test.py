"""Modbus TCP on the wire: these bytes in, those bytes out; and who gets a place.

The acceptance matrix of a Modbus TCP meter, then streams cut in every way, then clients that are too
many, too slow, dead or hostile.  More bad bytes, and the exact answers to them: bad_modbus_test.py.
"""
import contextlib
import resource
import signal
import socket
import struct
import subprocess
import threading
import time

import pytest

from bad_inputs import bad_input
from harness import Client, Closed, DATA, Gateway, floats, marked, p1, wait_until
from rtu_kit import pymodbus


ILLEGAL_FUNCTION, ILLEGAL_ADDRESS, ILLEGAL_VALUE, TARGET_SILENT = 1, 2, 3, 0x0B
THREE_PHASE = DATA / "p1" / "dsmr50_three_phase.txt"
# What the telegram says, with the map's rules: total P+ minus P-, P of a phase likewise, energies the
# sum of both tariffs.
VOLTAGES, CURRENTS, PHASE_POWERS = [233.4, 231.9, 234.0], [2, 1, 0], [530, -209, 91]
POWER, IMPORT, EXPORT = 412, 4711123 + 3912708, 1860044 + 4105911


@pytest.fixture
def server(fixed):
    """A gateway that has got the three-phase telegram."""
    return fixed(THREE_PHASE.read_bytes())


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory):
    """The same for all tests that only ask."""
    one = Gateway(tmp_path_factory.mktemp("shared"), f"file:{THREE_PHASE}?speed=max", "--stale-after", "3600")
    yield one.wait_served()
    one.stop()


@pytest.fixture
def client(shared_server):
    with shared_server.client() as c:
        yield c


def about(values):
    return pytest.approx(values, rel=1e-6)


# --- requests and answers ----------------------------------------------------------------------

@pytest.mark.parametrize("function", [3, 4])
@pytest.mark.parametrize("address, quantity, exception", [
    (0x8000, 1, None), (0x8000, 2, None), (0x8000, 125, None), (0, 125, None), (0xFFFF, 1, None),
    (0xFF83, 125, None), (0x8000, 0, ILLEGAL_VALUE), (0x8000, 126, ILLEGAL_VALUE),
    (0x8000, 65535, ILLEGAL_VALUE), (0xFFFF, 2, ILLEGAL_ADDRESS), (0xFF84, 125, ILLEGAL_ADDRESS),
    (0xFFFF, 126, ILLEGAL_VALUE)])
def test_quantities_and_addresses(client, function, address, quantity, exception):
    answer = client.ask(function, address, quantity)
    if exception:
        assert answer == bytes([function | 0x80, exception])
    else:
        assert answer[:2] == bytes([function, 2 * quantity]) and len(answer) == 2 + 2 * quantity


def test_function_codes_03_and_04_return_the_same(client):
    for address in range(0x8000, 0x8D00, 125):
        assert client.registers(address, 125, 3) == client.registers(address, 125, 4)


def test_values_of_the_telegram(client):
    assert client.floats(0x8006, 3) == about(VOLTAGES)
    assert client.floats(0x800E, 3) == about(CURRENTS)
    assert client.floats(0x8016, 1) == [POWER]
    assert client.floats(0x801E, 3) == PHASE_POWERS
    assert client.floats(0x8100, 1) == about([IMPORT])
    assert client.floats(0x8106, 1) == about([EXPORT])
    assert client.floats(0x8C24, 5) == [8, 4, 412, 0, 530]
    assert client.registers(0x8200, 1) == b"\0\2"


def test_gaps_are_read_across_in_one_request(client):
    data = client.registers(0x8000, 88)
    assert floats(data[12:24]) == about(VOLTAGES)
    assert data[2 * 0x14:2 * 0x16] == bytes(4), "the neutral's current is in no telegram"
    assert data[2 * 0x36:2 * 0x39] == bytes(6), "load types"
    assert floats(data[2 * 0x3D:2 * 0x3F]) == about([sum(VOLTAGES) / 3]), "at an odd address"
    assert data[2 * 0x45:] == bytes(2 * (88 - 0x45)), "angles, rotating field"


def test_registers_outside_the_map_read_zero(client):
    for address in (0x0000, 0x1234, 0x7F83, 0x8300, 0x9000, 0xFF83):
        assert client.registers(address, 125) == bytes(250)


def test_openems_reads_its_two_blocks(client):
    data = client.registers(0x8006, 57)
    assert floats(data[:12]) == about(VOLTAGES) and floats(data[16:28]) == about(CURRENTS)
    data = client.registers(0x8100, 8)
    assert floats(data[:4]) == about([IMPORT]) and floats(data[12:]) == about([EXPORT])


def test_half_a_float_is_served(client):
    whole = client.registers(0x8006, 2)
    assert client.registers(0x8006, 1) + client.registers(0x8007, 1) == whole
    assert client.registers(0x8007, 2)[:2] == whole[2:]


def test_identity_registers(client):
    name = b"EEM-MA370\0"
    swapped = b"".join(name[i + 1:i + 2] + name[i:i + 1] for i in range(0, 10, 2))
    assert client.registers(0x012C, 5) == swapped, "first character in the low byte"
    assert client.registers(0x4040, 4) == bytes(8), "no errors, warnings, alarms"


@pytest.mark.parametrize("unit", [0, 1, 2, 16, 71, 247, 248, 255])
def test_any_unit_id_is_answered_and_echoed(client, unit):
    client.ask(3, 0x8006, 2, unit)


@pytest.mark.parametrize("transaction", [0, 1, 0x0D0A, 0xFFFF])
def test_transaction_id_is_echoed(client, transaction):
    client.transaction = (transaction - 1) % 65536
    client.ask(3, 0x8006, 2)


def test_unsupported_function_codes(client):
    for function in set(range(256)) - {3, 4, 8, 0x2B}:
        answer = client.call(bytes([function]) + b"\x80\x06\x00\x02")
        assert answer == bytes([function | 0x80, ILLEGAL_FUNCTION])


@pytest.mark.parametrize("pdu", [b"\x06\x80\x06\x00\x01", b"\x10\x80\x06\x00\x02\x04\0\0\0\0"])
def test_writes_are_refused_and_change_nothing(client, pdu):
    assert client.call(pdu) == bytes([pdu[0] | 0x80, ILLEGAL_FUNCTION])
    assert client.floats(0x8006, 3) == about(VOLTAGES)


@pytest.mark.parametrize("pdu", [b"\x03", b"\x03\x80", b"\x03\x80\x06\x00", b"\x03\x80\x06\x00\x02\x00",
                                 b"\x04\x80\x06\x00\x02" + bytes(248), b"\x08\0", b"\x2b", b"\x2b\x0e\1"])
def test_length_that_does_not_fit_the_function(client, pdu):
    assert client.call(pdu) == bytes([pdu[0] | 0x80, ILLEGAL_VALUE])
    assert client.floats(0x8006, 3) == about(VOLTAGES)


def test_diagnostics_echo(client):
    for data in (b"\x55\xAA", bytes(range(250))):
        assert client.call(b"\x08\0\0" + data) == b"\x08\0\0" + data
    for sub in (1, 2, 4, 10, 0x15, 0xFFFF):
        assert client.call(struct.pack(">BHH", 8, sub, 0)) == bytes([0x88, ILLEGAL_FUNCTION])


def test_device_identification(client):
    answer = client.call(b"\x2b\x0e\x01\x00")
    assert answer[:2] == b"\x2b\x0e" and answer[6] == 3
    names, rest = [], answer[7:]
    while rest:
        names.append(rest[2:2 + rest[1]].decode())
        rest = rest[2 + rest[1]:]
    assert names[:2] == ["Smart Connect", "PhoenixContact-EMPro"] and names[2].count(".") == 2
    assert client.call(b"\x2b\x0e\x04\x01")[7:] == b"\x01\x14PhoenixContact-EMPro"
    assert client.call(b"\x2b\x0e\x01\x7f") == answer, "a stream of an unknown object starts at 0"
    assert client.call(b"\x2b\x0e\x04\x03") == bytes([0xAB, ILLEGAL_ADDRESS])
    assert client.call(b"\x2b\x0e\x05\x00") == bytes([0xAB, ILLEGAL_VALUE])
    assert client.call(b"\x2b\x0d\x01\x00") == bytes([0xAB, ILLEGAL_FUNCTION])


def test_word_order_normal(fixed):
    with fixed(THREE_PHASE.read_bytes(), "--word-order", "normal").client() as c:
        assert c.floats(0x8006, 3, "normal") == about(VOLTAGES)


def test_golden_frame_in_both_word_orders(fixed):
    """The published answer for 230.1, 229.5 and 231.7 V, byte by byte."""
    telegram = p1("1-3:0.2.8(50)", "1-0:32.7.0(230.1*V)", "1-0:52.7.0(229.5*V)", "1-0:72.7.0(231.7*V)")
    request = bytes.fromhex("0001 0000 0006 01 03 8006 0006")
    for order, data in (("swapped", "199A4366 80004365 B3334367"), ("normal", "4366199A 43658000 4367B333")):
        with fixed(telegram, "--word-order", order).client() as c:
            c.send(request)
            assert c.receive(21) == bytes.fromhex("0001 0000 000F 01 03 0C" + data)


@pytest.mark.parametrize("policy, shown", [("zero", bytes(12)), ("nan", None)])
def test_unknown_values_read(fixed, policy, shown):
    with fixed(p1("1-3:0.2.8(42)", "1-0:1.7.0(01.000*kW)"), "--unknown", policy).client() as c:
        data = c.registers(0x8006, 6)
        assert data == shown if shown else all(v != v for v in floats(data)), data.hex()
        assert c.floats(0x8016, 1) == [1000]
        assert c.registers(0x9000, 2) == bytes(4), "outside the map there is nothing that could be unknown"


# --- other people's clients --------------------------------------------------------------------

def mbpoll(port, *arguments):
    done = subprocess.run(["mbpoll", "-m", "tcp", "-a", "1", "-0", "-r", "32774", "-c", "3", "-1", "-p", str(port),
                           *arguments, "127.0.0.1"], capture_output=True, text=True, timeout=20, check=True)
    return [float(l.split()[-1]) for l in done.stdout.splitlines() if l.startswith("[")]


def test_mbpoll_reads_the_right_floats(server):
    assert mbpoll(server.port, "-t", "4:float") == about(VOLTAGES)
    assert mbpoll(server.port, "-t", "3:float") == about(VOLTAGES)


def test_mbpoll_reads_normal_order_with_B(fixed):
    assert mbpoll(fixed(THREE_PHASE.read_bytes(), "--word-order", "normal").port, "-B", "-t", "4:float") == \
        about(VOLTAGES)


@pytest.mark.parametrize("order", ["swapped", "normal"])
def test_pymodbus_reads_the_right_floats(fixed, order):
    port = fixed(THREE_PHASE.read_bytes(), "--word-order", order).port
    endian = pymodbus.constants.Endian
    peer = pymodbus.client.ModbusTcpClient("127.0.0.1", port=port)
    try:
        assert peer.connect()
        for read in (peer.read_holding_registers, peer.read_input_registers):
            answer = read(0x8006, 6, slave=1)
            decoder = pymodbus.payload.BinaryPayloadDecoder.fromRegisters(
                answer.registers, byteorder=endian.Big,
                wordorder=endian.Little if order == "swapped" else endian.Big)
            assert [decoder.decode_32bit_float() for _ in range(3)] == about(VOLTAGES)
        assert peer.read_holding_registers(0xFFFF, 2, slave=1).exception_code == ILLEGAL_ADDRESS
        assert peer.write_register(0x8006, 1, slave=1).exception_code == ILLEGAL_FUNCTION
    finally:
        peer.close()


# --- one telegram per answer -------------------------------------------------------------------

def test_all_values_of_an_answer_are_of_one_telegram(gateway, tcp_meter):
    """Over fifty telegrams a second against three clients that read as fast as they can."""
    server = gateway(tcp_meter.url)
    tcp_meter.accept()
    tcp_meter.send(marked(0))
    server.wait_served()
    stop, sent = threading.Event(), [0]
    seen = [[] for _ in range(3)]

    def feed():
        while not stop.wait(0.01):
            sent[0] += 1
            tcp_meter.send(marked(sent[0]))

    def watch(numbers):
        with server.client() as c:
            while not stop.is_set():
                data = c.registers(0x8000, 125)
                power = floats(data[2 * 0x16:2 * 0x18])[0]
                assert floats(data[2 * 0x1E:2 * 0x24]) == [power] * 3
                assert floats(data[2 * 0x06:2 * 0x0C]) == about([power % 2500 / 10] * 3)
                assert floats(data[2 * 0x0E:2 * 0x14]) == [power % 1000] * 3
                numbers.append(power)
    threads = [threading.Thread(target=feed)] + [threading.Thread(target=watch, args=(s,)) for s in seen]
    for t in threads:
        t.start()
    try:
        wait_until(lambda: sent[0] > 150 and all(len(s) > 100 for s in seen), "150 telegrams, 100 answers each", 30)
    finally:
        stop.set()
        for t in threads:
            t.join()
    for numbers in seen:
        assert numbers == sorted(numbers), "never back to an older telegram"
        assert len(set(numbers)) > 10


# --- streams -----------------------------------------------------------------------------------

READ_VOLTAGES = b"\x03\x80\x06\x00\x06"


def test_request_byte_by_byte(client):
    for byte in client.frame(READ_VOLTAGES):
        client.send(bytes([byte]))
    assert floats(client.answer()[2][2:]) == about(VOLTAGES)


@pytest.mark.parametrize("cut", range(1, 12))
def test_request_cut_in_two(client, cut):
    request = client.frame(READ_VOLTAGES) + client.frame(READ_VOLTAGES)
    client.send(request[:12 + cut])
    client.answer()
    client.send(request[12 + cut:])
    assert floats(client.answer()[2][2:]) == about(VOLTAGES)


def test_requests_coalesced_into_one_segment(client):
    client.send(client.frame(READ_VOLTAGES) + client.frame(b"\x03\x80\x06\x00\x00") +
                client.frame(b"\x04\x80\x16\x00\x02"))
    assert floats(client.answer()[2][2:]) == about(VOLTAGES)
    assert client.answer()[2] == bytes([0x83, ILLEGAL_VALUE])
    assert floats(client.answer()[2][2:]) == [POWER]


@pytest.mark.parametrize("quantity", [1, 2, 6, 125])
def test_hundred_requests_pipelined(client, quantity):
    client.send(b"".join(client.frame(struct.pack(">BHH", 3, 0x8000, quantity)) for _ in range(100)))
    for number in range(1, 101):
        transaction, _, pdu = client.answer()
        assert transaction == number and len(pdu) == 2 + 2 * quantity


@pytest.mark.parametrize("protocol", [1, 0x0100, 0xFFFF])
def test_foreign_protocol_id_is_skipped_then_a_good_frame_is_answered(client, protocol):
    client.send(client.frame(READ_VOLTAGES, protocol=protocol))
    client.send(client.frame(bytes(253), protocol=protocol))
    assert client.floats(0x8006, 3) == about(VOLTAGES)


@pytest.mark.parametrize("length", [0, 1, 255, 256, 65535])
def test_impossible_length_closes_that_connection_only(server, length):
    with server.client() as bad, server.client() as good:
        good.registers(0x8006, 6)
        bad.send(bad.frame(READ_VOLTAGES, length=length))
        assert bad.is_closed()
        good.registers(0x8006, 6)


def test_answers_before_an_impossible_length_are_sent(server):
    with server.client() as c:
        c.send(c.frame(READ_VOLTAGES) + c.frame(b"", length=0)[:6])
        assert floats(c.answer()[2][2:]) == about(VOLTAGES)
        assert c.is_closed()


@pytest.mark.parametrize("noise", [
    b"GET / HTTP/1.1\r\nHost: meter\r\n\r\n",
    bytes.fromhex("16030100c8010000c40303") + bytes(200),
    b"\x01\x03\x80\x06\x00\x06\x0c\xc9",
    b"\xff" * 2000], ids=["http", "tls", "rtu", "ff"])
def test_noise_costs_its_sender_alone(server, noise):
    with server.client() as bad, server.client() as good:
        bad.send(noise)
        assert good.floats(0x8006, 3) == about(VOLTAGES)
        with contextlib.suppress(OSError):  # closed already
            bad.socket.shutdown(socket.SHUT_WR)
        assert bad.is_closed()
        assert good.floats(0x8006, 3) == about(VOLTAGES)


@bad_input("D", "rst-mid")
def test_reset_in_the_middle_of_a_request(server):
    with server.client() as other:
        other.ask(3, 0x8006, 2)
        before = server.descriptors()
        for cut in range(1, 12):
            with server.client() as c:
                c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                c.send(c.frame(READ_VOLTAGES)[:cut])
            assert other.floats(0x8006, 3) == about(VOLTAGES)
        wait_until(lambda: server.descriptors() <= before, "all descriptors closed")


# --- who gets a place --------------------------------------------------------------------------

def refused_ms(server, source):
    """Milliseconds until a client from `source` is reset; None: it was served."""
    begin = time.monotonic()
    try:
        with server.client(source=source) as c:
            c.ask(3, 0x8006, 2)
        return None
    except Closed:
        return (time.monotonic() - begin) * 1000


@bad_input("D", "conn-over-limit")
def test_full_house_refuses_a_new_address_at_once(fixed):
    server = fixed(THREE_PHASE.read_bytes(), "--modbus-clients", "2")
    with server.client(source="127.0.0.2") as a, server.client(source="127.0.0.3") as b:
        for c in (a, b):
            c.ask(3, 0x8006, 2)
        assert min(refused_ms(server, "127.0.0.4") for _ in range(3)) < 100
        assert server.wait_log(r"refused 127\.0\.0\.4, in use by 127\.0\.0\.2 ")
        for c in (a, b):
            c.ask(3, 0x8006, 2)
    assert len(server.log("refused")) == 1, "said once, not for each attempt"


def test_refusal_is_a_reset(fixed):
    server = fixed(THREE_PHASE.read_bytes(), "--modbus-clients", "1")
    with server.client(source="127.0.0.2") as holder:
        holder.ask(3, 0x8006, 2)
        with pytest.raises(ConnectionResetError):
            socket.create_connection(("127.0.0.1", server.port), 5, ("127.0.0.3", 0)).recv(1)


def test_a_place_that_is_left_is_free(fixed):
    server = fixed(THREE_PHASE.read_bytes(), "--modbus-clients", "1")
    for n in range(2, 30):
        with server.client(source=f"127.0.0.{n}") as c:
            c.ask(3, 0x8006, 2)


def test_half_open_client_reconnects_within_a_second(fixed):
    """A charger that was power-cycled: its old connection still stands."""
    server = fixed(THREE_PHASE.read_bytes(), "--modbus-clients", "1")
    with server.client(source="127.0.0.2") as dead:
        dead.ask(3, 0x8006, 2)
        begin = time.monotonic()
        with server.client(source="127.0.0.2") as again:
            assert again.floats(0x8006, 3) == about(VOLTAGES)
            assert time.monotonic() - begin < 1
            assert dead.is_closed()
            again.ask(3, 0x8006, 2)


def test_same_address_replaces_its_own_idlest_connection_only(fixed):
    server = fixed(THREE_PHASE.read_bytes(), "--modbus-clients", "3")
    with server.client(source="127.0.0.3") as other, server.client(source="127.0.0.2") as old, \
            server.client(source="127.0.0.2") as busy:
        for c in (old, other, busy):
            c.ask(3, 0x8006, 2)
        time.sleep(0.01)  # the clock of idleness ticks in milliseconds
        busy.ask(3, 0x8006, 2)
        with server.client(source="127.0.0.2") as new:
            for c in (new, busy, other):
                c.ask(3, 0x8006, 2)
            assert old.is_closed()


@bad_input("D", "idle-forever")
def test_client_idle_over_15_s_makes_room_and_a_polling_one_does_not(fixed):
    server = fixed(THREE_PHASE.read_bytes(), "--modbus-clients", "2")
    with server.client(source="127.0.0.2") as idle, server.client(source="127.0.0.3") as polling:
        idle.ask(3, 0x8006, 2)
        begin = time.monotonic()
        refused = 0
        while True:
            polling.ask(3, 0x8006, 2)
            if refused_ms(server, "127.0.0.4") is None:
                break
            refused += 1
            assert time.monotonic() - begin < 20
            time.sleep(0.2)
        assert time.monotonic() - begin > 14.5 and refused
        assert idle.is_closed()
        polling.ask(3, 0x8006, 2)


def test_idle_timeout(fixed):
    server = fixed(THREE_PHASE.read_bytes(), "--modbus-idle-timeout", "2", "--live")
    with server.client() as idle, server.client() as polling:
        idle.ask(3, 0x8006, 2)
        end = time.monotonic() + 3.5
        while time.monotonic() < end:
            polling.ask(3, 0x8006, 2)
            time.sleep(0.1)
        assert idle.is_closed(0.5)
        polling.ask(3, 0x8006, 2)


def test_pause_inside_a_request_is_not_counted_from_the_request_before(server):
    """A client that polls every six seconds and whose request comes in two segments."""
    with server.client() as c:
        c.ask(3, 0x8006, 2)
        time.sleep(5.1)
        request = c.frame(READ_VOLTAGES)
        c.send(request[:5])
        time.sleep(1.2)
        c.send(request[5:])
        assert floats(c.answer()[2][2:]) == about(VOLTAGES)


def test_request_that_never_ends_is_dropped(fixed):
    """Wherever it stops."""
    server = fixed(THREE_PHASE.read_bytes(), "--modbus-clients", "11")
    with contextlib.ExitStack() as stack:
        begin = time.monotonic()
        clients = [stack.enter_context(server.client()) for _ in range(11)]
        for cut, c in enumerate(clients, 1):
            c.send(c.frame(READ_VOLTAGES)[:cut])
        for c in clients:
            with pytest.raises(Closed):
                c.receive(1)
            assert 4.5 < time.monotonic() - begin < 10


@bad_input("D", "never-reads")
def test_client_that_never_reads_is_stopped_from_sending(server):
    """Its answers take bounded memory, others are served, and in the end none is missing."""
    before_kib = server.rss_kib()
    with server.client(receive_buffer=4096) as greedy, server.client() as other:
        greedy.socket.setblocking(False)
        requests, taken, quiet_since = 0, b"", time.monotonic()
        pending = b""
        while time.monotonic() - quiet_since < 0.3:
            pending = pending or greedy.frame(b"\x03\x80\x00\x00\x7d")
            try:
                n = greedy.socket.send(pending)
                requests += n == len(pending)
                pending = pending[n:]
                quiet_since = time.monotonic()
            except BlockingIOError:
                assert other.floats(0x8006, 3) == about(VOLTAGES)
        assert server.rss_kib() - before_kib < 4096
        assert other.floats(0x8006, 3) == about(VOLTAGES)
        greedy.socket.settimeout(15)
        first = greedy.answer()[0]
        taken = [greedy.answer()[0] for _ in range(requests - 1)]
        assert first == 1 and taken == [n % 65536 for n in range(2, requests + 1)]


def test_ten_thousand_connection_attempts_leave_a_polling_client_alone(gateway, tcp_meter):
    server = gateway(tcp_meter.url, "--live")
    tcp_meter.accept()
    tcp_meter.send(marked(1))
    server.wait_served()
    stop, slowest, polls, telegrams = threading.Event(), [0.0], [0], [1]

    def poll():
        with server.client() as charger:
            while not stop.wait(0.005):
                begin = time.monotonic()
                charger.registers(0x8000, 125)
                slowest[0] = max(slowest[0], time.monotonic() - begin)
                polls[0] += 1
                telegrams[0] += 1
                tcp_meter.send(marked(telegrams[0]))
    charger = threading.Thread(target=poll)
    charger.start()
    wait_until(lambda: polls[0] > 0, "the first poll")
    attempts = 0
    try:
        for _ in range(200):
            for source in range(2, 52):
                with socket.socket() as s:
                    s.bind((f"127.0.0.{source}", 0))
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    s.settimeout(10)
                    with contextlib.suppress(ConnectionResetError):
                        s.connect(("127.0.0.1", server.port))
                        if attempts % 10 == 0:
                            s.sendall(b"\0\1\0\0\0\6\1\3\x80\0\0\1")
                            s.recv(100)  # an answer, or the refusal
                    attempts += 1
            assert charger.is_alive()
    finally:
        stop.set()
        charger.join()
    assert attempts == 10000 and polls[0] > 20
    assert len(server.log("refused")) <= 2, "no flood in the log"
    assert slowest[0] < 1, "seconds for one answer"
    server.wait_live(good=telegrams[0], crc=0, frame=0)
    assert server.descriptors() < 20
    with server.client(source="127.0.0.99") as c:
        wait_until(lambda: c.ask(3, 0x8006, 2), "service as usual", 5)


def test_descriptors_exhausted_is_no_busy_loop(gateway, tcp_meter):
    """The limit is reached by clients: new ones are refused, old ones served, nothing spins."""
    def limit():
        resource.setrlimit(resource.RLIMIT_NOFILE, (24, 4096))
    server = gateway(tcp_meter.url, "--modbus-clients", "64", "--stale-after", "3600", prepare=limit)
    tcp_meter.accept()
    tcp_meter.send(marked(5))
    server.wait_served()
    served, refused = [], 0
    for n in range(2, 42):
        try:
            c = server.client(source=f"127.0.0.{n}")
            c.ask(3, 0x8006, 2)
            served.append(c)
        except Closed:
            refused += 1
    assert 5 <= len(served) < 24 and refused == 40 - len(served)
    before = server.cpu_seconds()
    time.sleep(1)
    assert server.cpu_seconds() - before < 0.1
    tcp_meter.send(marked(6))
    for c in served:
        wait_until(lambda: c.floats(0x8016, 1) == [6], "the next telegram")
        c.close()
    wait_until(lambda: server.descriptors() < 12, "places to be free again")
    with server.client(source="127.0.0.200") as c:
        c.ask(3, 0x8006, 2)
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (1024, 4096))


def test_clients_leave_nothing_behind(server):
    with server.client() as c:
        c.ask(3, 0x8006, 2)
    before = server.descriptors()
    for _ in range(300):
        with Client(server.port) as c:
            c.send(c.frame(READ_VOLTAGES))
    wait_until(lambda: server.descriptors() <= before, "all descriptors closed")


def test_stopped_process_serves_again_when_it_goes_on(server):
    """A suspended machine: what came meanwhile is answered."""
    with server.client() as c:
        server.popen.send_signal(signal.SIGSTOP)
        c.send(c.frame(READ_VOLTAGES))
        server.popen.send_signal(signal.SIGCONT)
        assert floats(c.answer()[2][2:]) == about(VOLTAGES)
