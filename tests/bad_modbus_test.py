"""The bad inputs of Modbus: these bytes in, exactly those out, and what becomes of the connection.

Each is sent whole and byte by byte, which makes no difference, and is its sender's trouble alone: a neighbour is served
all the time.
"""
import contextlib
import select
import socket
import struct
from typing import NamedTuple

import pytest

from bad_inputs import named
from harness import Closed, Gateway, p1
from https_client import client_hello

TELEGRAM = p1("1-3:0.2.8(50)", "1-0:1.8.1(001234.567*kWh)", "1-0:1.8.2(000000.000*kWh)", "1-0:32.7.0(230.1*V)",
              "1-0:52.7.0(229.5*V)", "1-0:72.7.0(231.7*V)")
OPEN, CLOSED = "as good as before", "ended by the gateway"


def frame(pdu, transaction=7, protocol=0, length=None, unit=1):
    """A request or an answer; the PDU in hexadecimal."""
    data = bytes.fromhex(pdu)
    return struct.pack(">HHHB", transaction, protocol, len(data) + 1 if length is None else length, unit) + data


READ, VALUE = "03 8006 0002", "03 04 199A4366"
GOOD, ANSWER = frame(READ), frame(VALUE)
NEXT, NEXT_ANSWER = frame("04 8008 0004", 0x1234, unit=9), frame("04 08 80004365 B3334367", 0x1234, unit=9)
BAD_QUANTITY = frame("83 03")


class Case(NamedTuple):
    """`steps`: what is sent, and what is answered to that."""
    steps: list
    end: str = OPEN


def asked(*pairs):
    """Requests and answers, as PDUs."""
    return Case([(frame(request), frame(answer)) for request, answer in pairs])


def ends(sent, answered=b""):
    return Case([(sent, answered)], CLOSED)


# A good request of each function that is not offered.
FUNCTIONS = {
    "fc-00": "00", "fc-01": "01 0000 0008", "fc-02": "02 0000 0008", "fc-05": "05 0000 FF00", "fc-06": "06 8006 4366",
    "fc-07": "07", "fc-0b": "0B", "fc-0f": "0F 0000 0008 01 FF", "fc-10": "10 8006 0002 04 43660000", "fc-11": "11",
    "fc-14": "14 07 06 0004 0000 0002", "fc-15": "15 0B 06 0004 0007 0002 06AF04BE", "fc-16": "16 8006 0000 FFFF",
    "fc-17": "17 8006 0002 8006 0002 04 43660000", "fc-18": "18 04DE", "fc-80": "80 8006 0002", "fc-ff": "FF 8006 0002",
}
CASES = {
    # The header.
    **{f"short-{n}": Case([(GOOD[:n], b""), (GOOD[n:], ANSWER)]) for n in range(1, 8)},
    "proto-1": Case([(frame(READ, protocol=1), b"")]),
    "len-0": ends(frame(READ, length=0)),
    "len-1": ends(frame(READ, length=1)),
    # What is too much begins the next header, which then makes no sense.
    "len-5": Case([(frame(READ, length=5), BAD_QUANTITY), (NEXT, b"")], CLOSED),
    "len-7": Case([(frame(READ, length=7), b""), (b"\0", BAD_QUANTITY)]),
    "len-255": ends(frame(READ, length=255)),
    "len-65535": ends(frame(READ, length=65535)),
    "len-less-than-sent": Case([(frame(READ, length=3), BAD_QUANTITY), (NEXT, b"")], CLOSED),
    "len-more-than-sent": Case([(frame(READ, length=254), b""), (bytes(248), BAD_QUANTITY)]),
    # The stream.
    "two-in-one": Case([(GOOD + NEXT, ANSWER + NEXT_ANSWER)]),
    "byte-by-byte": Case([(GOOD[n:n + 1], b"") for n in range(len(GOOD) - 1)] + [(GOOD[-1:], ANSWER)]),
    "pipelined-100": Case([(b"".join(frame(READ, n) for n in range(100)), b"".join(frame(VALUE, n) for n in range(100)))]),
    "trailing-junk": ends(GOOD + b"\xde\xad\xbe\xef\xff\xff", ANSWER),
    "tid-reuse": Case([(GOOD + GOOD, ANSWER + ANSWER), (frame("04 8006 0001"), frame("04 02 199A"))]),
    "unit-0": Case([(frame(READ, unit=0), frame(VALUE, unit=0))]),
    "unit-255": Case([(frame(READ, unit=255), frame(VALUE, unit=255))]),
    "http-on-502": ends(b"GET / HTTP/1.1\r\nHost: meter\r\n\r\n"),
    "tls-on-502": ends(client_hello()),
    # Functions.  Nothing is written: what follows reads the value of before.
    **{name: asked((pdu, f"{int(pdu[:2], 16) | 0x80:02X} 01")) for name, pdu in FUNCTIONS.items()},
    "fc-08": asked(("08 0000 A537", "08 0000 A537"), ("08 0000 " + 250 * "EE", "08 0000 " + 250 * "EE"),
                   ("08 0001 FF00", "88 01"), ("08 0004 0000", "88 01"), ("08 0000", "88 03"), ("08", "88 03")),
    "fc-2b": asked(("2B 0E 04 01", "2B 0E 04 81 00 00 01 01 14" + b"PhoenixContact-EMPro".hex()), ("2B", "AB 03"),
                   ("2B 0E 04 03", "AB 02"), ("2B 0E 05 00", "AB 03"), ("2B 0E 01", "AB 03"), ("2B 0D 00 00", "AB 01")),
    # Registers.
    "qty-0": asked(("03 8006 0000", "83 03"), ("04 8006 0000", "84 03"), ("03 FFFF 0000", "83 03")),
    "qty-126": asked(("03 8000 007E", "83 03"), ("04 8000 007E", "84 03"), ("03 0000 007D", "03 FA" + 250 * "00")),
    "qty-65535": asked(("03 8000 FFFF", "83 03"), ("04 0001 FFFF", "84 03")),
    "addr-wrap": asked(("03 FFFF 0002", "83 02"), ("04 FF84 007D", "84 02"), ("03 FFFF 0001", "03 02 0000")),
    "half-float": asked(("03 8006 0001", "03 02 199A"), ("03 8007 0001", "03 02 4366"),
                        ("03 8007 0002", "03 04 4366 8000")),
    "span-gap": asked(("03 80FE 0006", "03 0C 00000000 B4384996 00000000"), ("04 0000 0001", "04 02 0000")),
}


@pytest.fixture(name="server", scope="module")
def fixture_server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("modbus")
    (folder / "telegram").write_bytes(TELEGRAM)
    one = Gateway(folder, f"file:{folder / 'telegram'}?speed=max", "--stale-after", "3600")
    yield one.wait_served()
    one.stop()


@pytest.fixture(name="neighbour", scope="module")
def fixture_neighbour(server):
    """Another client: what it asks is answered after all that came before."""
    with server.client() as client:
        def served():
            client.send(NEXT)
            assert client.receive(len(NEXT_ANSWER)) == NEXT_ANSWER
        yield served


def nothing_comes(client):
    return not select.select([client.socket], [], [], 0)[0]


def all_that_comes(client):
    """Until the gateway ends the connection."""
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while more := client.socket.recv(4096):
            data += more
    return data


def send(client, data, piece):
    with contextlib.suppress(Closed):  # a connection that ends in the middle of that
        for at in range(0, len(data), piece):
            client.send(data[at:at + piece])


@pytest.mark.parametrize("name", named("D", CASES))
def test_reaction(server, neighbour, name):
    steps, end = CASES[name]
    for piece in (1 << 16, 1):
        with server.client() as client:
            for number, (sent, answered) in enumerate(steps, 1):
                send(client, sent, piece)
                assert client.receive(len(answered)) == answered
                neighbour()
                assert number == len(steps) and end == CLOSED or nothing_comes(client)
            if end == CLOSED:
                assert all_that_comes(client) == b""
            else:
                client.send(NEXT)
                assert client.receive(len(NEXT_ANSWER)) == NEXT_ANSWER and nothing_comes(client)
        neighbour()


@pytest.mark.parametrize("cut", named("D", [f"short-{n}" for n in range(1, 8)]))
def test_request_that_is_cut_off_ends_without_a_word(server, neighbour, cut):
    with server.client() as client:
        client.send(CASES[cut].steps[0][0])
        client.socket.shutdown(socket.SHUT_WR)
        assert all_that_comes(client) == b""
    neighbour()


@pytest.mark.parametrize("name", named("D", ["half-close"]))
def test_what_came_before_the_end_is_answered(server, neighbour, name):
    assert name
    with server.client() as client:
        client.send(20 * GOOD + GOOD[:5])
        client.socket.shutdown(socket.SHUT_WR)
        assert all_that_comes(client) == 20 * ANSWER
    neighbour()
