"""Each emulated meter is read as its masters do, by independent ones, over TCP in both framings and on a serial bus; and
several listeners serve different meters and word orders at once.

One gateway has had one telegram.  Its main listener, one in RTU framing, which follows, and the bus become each meter in
turn while the same connections stay open.
"""
import re
import socket
import struct

import pytest

from harness import Client, Closed, Gateway, wait_until
from page_kit import STATUS, Box, document, metric
from rtu_kit import (EMPRO, HZ, MASTERS, MBPOLL, THREE_PHASE, U1, UNIT, Cable, mbpoll_worth, pymodbus, sealed,
                     worth)

ALSO = ["127.0.0.1:0,framing=rtu",
        "127.0.0.1:0,map=sdm630",
        "127.0.0.1:0,map=em24,word-order=normal,clients=1",
        "127.0.0.1:0,map=pro380,word-order=swapped,framing=rtu",
        "127.0.0.1:0,map=sdm630,writes=on"]
FOLLOWS, SDM630, EM24, PRO380, WRITABLE = range(len(ALSO))


def connect(port, framing):
    framer = {"mbap": pymodbus.transaction.ModbusSocketFramer, "rtu": pymodbus.transaction.ModbusRtuFramer}[framing]
    peer = pymodbus.client.ModbusTcpClient("127.0.0.1", port=port, framer=framer, auto_open=False)
    assert peer.connect()
    return peer


@pytest.fixture(scope="module")
def cable(tmp_path_factory):
    one = Cable(tmp_path_factory.mktemp("cable"))
    yield one
    one.close()


def connect_serial(cable):
    peer = pymodbus.client.ModbusSerialClient(cable.master, baudrate=115200, bytesize=8, parity="N", stopbits=1,
                                              timeout=5)
    assert peer.connect()
    return peer


@pytest.fixture(scope="module")
def box(tmp_path_factory, cable):
    folder = tmp_path_factory.mktemp("maps")
    options = ["--stale-after", "3600", "--nominal-frequency", str(HZ), "--rtu", cable.path, "--rtu-line", "115200-8N1",
               "--rtu-address", str(UNIT)]
    for entry in ALSO:
        options += ["--modbus-also", entry]
    one = Box(lambda *more, **how: Gateway(folder, *more, **how), folder, *options,
              meter=f"file:{THREE_PHASE}?speed=max")
    one.server.wait_served()
    found = re.search(r" also=(\S+)\n", one.server.stdout())
    one.also = [int(address.rsplit(":", 1)[1]) for address in found.group(1).split(",")]
    yield one
    one.user.close()
    one.server.stop()


@pytest.fixture(scope="module")
def peers(box):
    """A master of the main listener and one of that which follows it in RTU framing, connected once for all."""
    both = [connect(box.server.port, "mbap"), connect(box.also[FOLLOWS], "rtu")]
    yield both
    for peer in both:
        peer.close()


@pytest.fixture(scope="module")
def on_bus(box, cable):
    peer = connect_serial(cable)
    yield peer
    peer.close()


def accepted(box):
    return box.state()["Counters"]["modbus_accepted"]


# --- one meter after the other -----------------------------------------------------------------

def test_all_maps_are_tried(box):
    assert set(box.state()["Modbus"]["Maps"]) == set(MASTERS)


@pytest.mark.parametrize("name", MASTERS)
def test_a_meter_is_read_as_its_masters_do_on_connections_that_stay(box, peers, on_bus, name):
    before = accepted(box)
    box.patch(MeterType=name, RTU={"MeterType": name})
    for peer in (*peers, on_bus):
        for function, address, kind, scale, value in MASTERS[name]:
            found = worth(peer, function, address, kind, scale)
            assert found == pytest.approx(value, rel=1e-6, abs=scale * 0.501), f"{function} {address:#06x} of {name}"
    assert accepted(box) == before, "nobody had to come again"
    state, bus = box.state()["Modbus"], box.state()["RTU"]
    for listener in (state, state["Also"][FOLLOWS], bus):
        assert (listener["Map"], listener["WordOrder"]) == (name, state["MeterOrders"][name])
    assert state["Also"][SDM630]["Map"] == "Eastron-SDM630"


@pytest.mark.parametrize("name", MASTERS)
def test_mbpoll_agrees(box, cable, name):
    box.patch(MeterType=name, RTU={"MeterType": name})
    kinds = [master for master in MASTERS[name] if master[2] in MBPOLL]
    for function, address, kind, scale, value in kinds[:2]:
        for way in (["-m", "tcp", "-p", str(box.server.port), "127.0.0.1"],
                    ["-m", "rtu", "-b", "115200", "-P", "none", cable.master]):
            found = mbpoll_worth(function, address, kind, scale, *way)
            assert found == pytest.approx(value, rel=1e-4, abs=scale * 0.501)


def test_word_order_of_the_meter_is_the_default_and_another_overrules_it(box, peers):
    def voltages(name, address):
        box.patch(MeterType=name)
        return [worth(peers[0], 3, address, kind, 1) for kind in ("f", "swapped f")]
    assert box.get("/api/v1/config")["Modbus"]["WordOrder"] == "meter"
    right = pytest.approx(U1, rel=1e-6)
    assert voltages(EMPRO, 0x8006)[1] == right and voltages("Inepro-PRO380", 0x5002)[0] == right
    box.patch(Modbus={"WordOrder": "normal"})
    assert voltages(EMPRO, 0x8006)[0] == right and box.state()["Modbus"]["WordOrder"] == "normal"
    box.patch(Modbus={"WordOrder": "swapped"})
    assert voltages("Inepro-PRO380", 0x5002)[1] == right and box.state()["Modbus"]["WordOrder"] == "swapped"
    box.patch(Modbus={"WordOrder": "meter"})


def test_the_nominal_frequency_is_shown_where_the_meter_tells_none(box, peers):
    box.patch(MeterType=EMPRO)
    for hertz in (60, 0, HZ):
        box.patch(Modbus={"NominalFrequency": hertz})
        assert [worth(peer, 3, 0x800C, "swapped f", 1) for peer in peers] == [hertz, hertz]


# --- several at once ---------------------------------------------------------------------------

def test_listeners_serve_different_meters_orders_and_framings_at_once(box):
    asked = [(SDM630, "mbap", 4, 0x0000, "f", 1), (EM24, "mbap", 3, 0x0000, "i", 0.1),
             (PRO380, "rtu", 3, 0x5002, "swapped f", 1)]
    for meter in (EMPRO, "ABB-B23"):
        box.patch(MeterType=meter)
        for number, framing, *how in asked:
            peer = connect(box.also[number], framing)
            assert worth(peer, *how) == pytest.approx(U1, rel=1e-6)
            peer.close()


def test_the_state_names_what_each_listener_serves(box, peers):
    state = box.state()["Modbus"]
    document().judge(STATUS, "GET", box.user.get(STATUS))
    assert [(one["Map"], one["WordOrder"], one["Framing"]) for one in state["Also"][1:4]] == \
        [("Eastron-SDM630", "normal", "mbap"), ("CarloGavazzi-EM24", "normal", "mbap"),
         ("Inepro-PRO380", "swapped", "rtu")]
    assert [one["Address"] for one in state["Also"]] == [f"127.0.0.1:{port}" for port in box.also]
    assert state["Framing"] == "mbap" and len(state["Clients"]) == len(state["Also"][FOLLOWS]["Clients"]) == 1
    with Client(box.also[SDM630]):
        wait_until(lambda: len(box.state()["Modbus"]["Also"][SDM630]["Clients"]) == 1, "the client")
        assert metric(box.metrics(), "modbus_clients") == 3, "of all listeners"


def is_refused(port, source):
    """The reset may come before connect() is through."""
    try:
        with Client(port, source=source) as client:
            return client.is_closed()
    except Closed:
        return True


def test_the_number_of_clients_is_each_listeners_own(box):
    with Client(box.also[EM24]) as first:
        assert first.ask(3, 0, 2)[0] == 3 and is_refused(box.also[EM24], "127.0.0.2")
        assert first.ask(3, 0, 2)[0] == 3
        assert "127.0.0.2" in box.state()["Modbus"]["Also"][EM24]["LastRefusal"]
    with Client(box.also[SDM630]) as first, Client(box.also[SDM630], source="127.0.0.2") as second:
        assert first.ask(4, 0, 2)[0] == second.ask(4, 0, 2)[0] == 4


# --- writes ------------------------------------------------------------------------------------

def write_float(address, value):
    return struct.pack(">BHHBf", 16, address, 2, 4, value)


def test_settings_can_be_written_only_where_that_was_allowed(box):
    """The address of an SDM630 is a float at 0x0014: staged and read again, and nothing else comes of it."""
    for port in (box.server.port, box.also[SDM630]):
        with Client(port) as client:
            assert client.call(write_float(0x14, 7)) == b"\x90\x01" and client.call(b"\x06\0\x14\0\7") == b"\x86\x01"
    with Client(box.also[WRITABLE]) as client:
        assert client.floats(0x14, 1, "normal") == [1]
        assert client.call(write_float(0x14, 7)) == struct.pack(">BHH", 16, 0x14, 2)
        assert client.floats(0x14, 1, "normal") == [7]
        assert client.call(write_float(0x14, 248)) == b"\x90\x03", "out of range"
        assert client.call(struct.pack(">BHHBf", 16, 0, 2, 4, 1)) == b"\x90\x02", "no setting"
        box.patch(Modbus={"Unknown": "nan"})
        assert client.floats(0x14, 1, "normal") == [7], "other settings leave it alone"
        box.patch(Modbus={"Unknown": "zero"})


# --- start -------------------------------------------------------------------------------------

def test_there_may_be_listeners_without_the_main_one(gateway):
    server = gateway("sim:dsmr50", "--modbus-also", "127.0.0.1:0,map=sdm630", modbus="off")
    assert server.port is None and " modbus=off " in server.stdout()
    with Client(int(re.search(r" also=\S+:(\d+)\n", server.stdout()).group(1))) as client:
        wait_until(lambda: client.exception(4, 0, 2) is None, "the telegram")
        assert 200 < struct.unpack(">f", client.registers(0, 2, 4))[0] < 260


def test_without_others_the_ready_line_says_nothing_of_them(gateway):
    assert "also=" not in gateway("sim:dsmr50").stdout()


def test_an_rtu_listener_takes_writes_in_its_frames(gateway):
    """A setting of 16 bits, by function 06; the main listener is the one that allows it here."""
    server = gateway("sim:dsmr50", "--map", "pro380", "--modbus-framing", "rtu", "--modbus-writes")
    request = bytes.fromhex("01 06 40 03 00 07")
    request = sealed(request)
    read = bytes.fromhex("01 03 40 03 00 01")
    with socket.create_connection(("127.0.0.1", server.port), 5) as s:
        s.sendall(request)
        assert s.recv(256) == request
        s.sendall(sealed(read))
        assert s.recv(256)[3:5] == b"\0\7"
