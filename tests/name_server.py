"""A name server that says what a test tells it, the same of every name.

    server = NameServer("127.7.7.7")
    server.addresses = ["198.51.100.9"]
"""
import contextlib
import socket
import struct
import threading
import time

SERVFAIL, NXDOMAIN = 2, 3
A, AAAA = 1, 28


class NameServer:
    """Answers at port 53 of an address, in the namespace of the thread that makes it.  `addresses` are those of every
    name; `code`: an error instead; `spoil`: what becomes of each answer; `late_s`: after so long; `silent`: never.
    `asked`: when, name, type of record."""

    def __init__(self, at):
        self.addresses, self.code, self.spoil, self.late_s, self.silent, self.asked = [], 0, bytes, 0, False, []
        self.at, self.ends = at, threading.Event()
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((at, 53))
        self.socket.settimeout(0.1)
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.ends.is_set():
            with contextlib.suppress(socket.timeout):
                query, peer = self.socket.recvfrom(512)
                end = query.index(b"\0", 12) + 5
                kind = struct.unpack(">H", query[end - 4:end - 2])[0]
                self.asked.append((time.monotonic(), query[12:end - 4], kind))
                if not self.silent:
                    timer = threading.Timer(self.late_s, self.send, (self.spoil(self.answer(query, end, kind)), peer))
                    timer.daemon = True
                    timer.start()

    def send(self, answer, peer):
        with contextlib.suppress(OSError):  # closed meanwhile
            self.socket.sendto(answer, peer)

    def answer(self, query, end, kind):
        mine = [] if self.code else [a for a in self.addresses if (AAAA if ":" in a else A) == kind]
        answer = query[:2] + struct.pack(">HHHHH", 0x8180 | self.code, 1, len(mine), 0, 0) + query[12:end]
        for address in mine:
            data = socket.inet_pton(socket.AF_INET6 if kind == AAAA else socket.AF_INET, address)
            answer += struct.pack(">HHHIH", 0xC00C, kind, 1, 60, len(data)) + data
        return answer

    def close(self):
        self.ends.set()
        self.thread.join()
        self.socket.close()


def asks_at(folder, address, options=""):
    """The beginning of a command line: the program behind it asks the name server there, and no other."""
    resolv = folder / f"resolv-{address}.conf"
    resolv.write_text(f"nameserver {address}\n{options}\n")
    return "unshare", "-m", "sh", "-c", f'mount --bind {resolv} /etc/resolv.conf && exec "$@"', "sh"
