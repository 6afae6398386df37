"""RTU framing over TCP, which several masters speak only."""
import pathlib
import socket

import pytest

from harness import DATA, wait_until
from rtu_kit import pymodbus, sealed

THREE_PHASE = DATA / "p1" / "dsmr50_three_phase.txt"
VOLTAGES = [233.4, 231.9, 234.0]
READ_ONE = bytes.fromhex("01 03 80 06 00 01")


def served(port):
    """True once the first telegram can be read."""
    with socket.create_connection(("127.0.0.1", port), 5) as s:
        s.sendall(sealed(READ_ONE))
        return s.recv(256)[1] == 3


@pytest.fixture
def port(gateway):
    found = gateway(f"file:{pathlib.Path(THREE_PHASE)}?speed=max", "--stale-after", "3600",
                    "--modbus-framing", "rtu").port
    wait_until(lambda: served(found), "a telegram in the registers")
    return found


def test_pymodbus_reads_the_right_floats(port):
    peer = pymodbus.client.ModbusTcpClient("127.0.0.1", port=port,
                                           framer=pymodbus.transaction.ModbusRtuFramer)
    try:
        assert peer.connect()
        for unit in (1, 16, 247):
            answer = peer.read_holding_registers(0x8006, 6, slave=unit)
            endian = pymodbus.constants.Endian
            decoder = pymodbus.payload.BinaryPayloadDecoder.fromRegisters(
                answer.registers, byteorder=endian.Big, wordorder=endian.Little)
            assert [decoder.decode_32bit_float() for _ in range(3)] == pytest.approx(VOLTAGES, rel=1e-6)
    finally:
        peer.close()


def receive(s, size):
    """Exactly so many bytes."""
    data = b""
    while len(data) < size:
        piece = s.recv(size - len(data))
        assert piece, f"closed after {data.hex()}"
        data += piece
    return data


def test_noise_broadcasts_and_bad_checksums_get_no_answer(port):
    with socket.create_connection(("127.0.0.1", port), 5) as s:
        broadcast = sealed(bytes.fromhex("00 03 80 06 00 01"))
        damaged = sealed(READ_ONE)[:-1] + b"\x00"
        s.sendall(b"\xff\x55" + broadcast + damaged + sealed(READ_ONE))
        answer = receive(s, 7)
        assert answer[:3] == b"\x01\x03\x02" and answer == sealed(answer[:-2])
        s.settimeout(0.2)
        with pytest.raises(TimeoutError):
            s.recv(1)


def test_requests_byte_by_byte_and_several_at_once(port):
    with socket.create_connection(("127.0.0.1", port), 5) as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in sealed(READ_ONE):
            s.sendall(bytes([byte]))
        one = receive(s, 7)
        s.sendall(20 * sealed(READ_ONE))
        assert receive(s, 20 * 7) == 20 * one


def test_an_unserved_function_gets_exception_1(port):
    with socket.create_connection(("127.0.0.1", port), 5) as s:
        s.sendall(sealed(bytes.fromhex("07 06 80 06 00 01")))
        assert receive(s, 5) == sealed(b"\x07\x86\x01")
