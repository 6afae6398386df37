"""A gateway whose clocks and heap a test has in its hand: see tests/load/steered_clock.c.

    clock = SteeredClock(folder)
    server = gateway(meter, env=clock.env)
    clock.ahead_ns += 3600 * S        # the system's clock steps
    clock.stop(wall_s)                # from now on it is this time, until:
    clock.now_ns += 30 * S
"""
import contextlib
import mmap
import os
import pathlib
import struct
import time

from harness import SOURCES

KIT = pathlib.Path(os.environ.get("LOAD_KIT", SOURCES / "build" / "tests" / "load"))
BENCH = pathlib.Path(os.environ.get("BENCH", SOURCES / "build" / "bench"))
LIBRARY = KIT / "libsteered_clock.so"
S = 10 ** 9
FIELDS = ("stands", "now_ns", "ahead_ns", "blocks", "bytes")  # struct steering


def held_by(server):
    """Descriptors and threads of a gateway; not the attempt to reach a router that does not answer."""
    tried = [line.split() for line in pathlib.Path(f"/proc/{server.pid}/net/tcp").read_text().splitlines()[1:]]
    tried = {f"socket:[{fields[9]}]" for fields in tried if fields[3] == "02"}  # SYN sent
    held = 0
    for link in pathlib.Path(f"/proc/{server.pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            held += os.readlink(link) not in tried
    return held, server.threads()


class SteeredClock:
    def __init__(self, folder):
        self.path = folder / "clock"
        self.path.write_bytes(bytes(8 * len(FIELDS)))
        with self.path.open("r+b") as file:
            self.map = mmap.mmap(file.fileno(), 0)
        self.env = {"LD_PRELOAD": str(LIBRARY), "STEERED_CLOCK": str(self.path)}

    def stop(self, wall_s):
        """The time stands, at this second since 1970; later than all times so far."""
        now_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        self.now_ns, self.ahead_ns = now_ns, int(wall_s) * S - now_ns
        self.stands = 1


def _field(n):
    def read(clock):
        return struct.unpack_from("q", clock.map, 8 * n)[0]

    def write(clock, value):
        struct.pack_into("q", clock.map, 8 * n, value)
    return property(read, write)


for _n, _name in enumerate(FIELDS):
    setattr(SteeredClock, _name, _field(_n))
