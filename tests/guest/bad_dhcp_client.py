"""In the guest: asks for an address at a card by DHCP, with texts as long as they can be, and says what is answered: a line
with kind and address each.

    bad_dhcp_client.py CARD
"""
import contextlib
import os
import pathlib
import socket
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from rogue_network import CLIENT_ID, COOKIE, DISCOVER, KIND, REQUEST, SERVER_ID  # noqa: E402

HOST_NAME, REQUESTED, CLASS, USER_CLASS = 12, 50, 60, 77
HARDWARE = bytes.fromhex("020000000042")
LONG = 255 * b"\xff"
SECONDS = 5


def option(number, value):
    return bytes([number, len(value)]) + value


def request(kind, *more):
    """Answers shall be broadcast."""
    head = bytes([1, 1, 6, 0]) + os.urandom(4) + b"\0\0\x80\0" + bytes(16) + HARDWARE.ljust(16, b"\0") + bytes(192) + COOKIE
    long_ones = [option(number, LONG) for number in (CLIENT_ID, HOST_NAME, CLASS, USER_CLASS)]
    return head + option(KIND, bytes([kind])) + b"".join(more) + b"".join(long_ones) + b"\xff"


def ask(door, kind, *more):
    """The answer; b"": none in time."""
    sent = request(kind, *more)
    door.sendto(sent, ("255.255.255.255", 67))
    with contextlib.suppress(socket.timeout):
        while True:
            answer = door.recv(1500)
            if answer[4:8] == sent[4:8]:
                print(answer[242], socket.inet_ntoa(answer[16:20]))
                return answer
    return b""


def main(card):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        door.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, card.encode())
        door.bind(("", 68))
        door.settimeout(SECONDS)
        offer = ask(door, DISCOVER)
        if offer:
            server = offer[offer.index(bytes([SERVER_ID, 4]), 240) + 2:][:4]
            ask(door, REQUEST, option(REQUESTED, offer[16:20]), option(SERVER_ID, server))


main(sys.argv[1])
