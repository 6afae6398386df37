"""Memory that is short: fail_alloc.c from the tests' end.

    memory = Memory(folder)
    gateway = Gateway(..., env=memory.environment)
    memory.arm(5)                  # from now on the fifth allocation fails; memory.arm(5, EVER): all from there
    ...
    asked, failed = memory.disarm()
"""
import mmap
import os
import pathlib
import random
import re
import signal
import struct

from harness import SOURCES

LIBRARY = pathlib.Path(os.environ.get("FAULT_KIT", str(SOURCES / "build" / "tests" / "faults"))) / "libfail_alloc.so"
EVER = 2 ** 63
NEVER = EVER
ARMED, FIRST, LAST, CALLS, FAILED, SIGNAL = range(6)
STACK = 6 * 8
SIZE = STACK + 4000

# FAULTS=all: every allocation fails; FAULTS=100: about a hundred of a phase do; with either what takes long is done, too.
LONG, ALL = bool(os.environ.get("FAULTS")), os.environ.get("FAULTS") == "all"
MOST = 10 ** 6 if ALL else int(os.environ.get("FAULTS") or 2)
OFFSET = int(os.environ.get("FAULT_OFFSET") or random.randrange(10 ** 6))

# Libraries that end the process where memory is exhausted, and by which signals. libgmp, which GnuTLS has for its keys, aborts
# by design, by itself or through the allocator that GnuTLS gives it: none of its functions can say that it failed. libtasn1,
# which GnuTLS has for certificates, GnuTLS, and OpenSSL in the downloader use here and there what they did not get.
ABORTS = {"libgmp.so.10": {signal.SIGABRT}, "libtasn1.so.6": {signal.SIGSEGV}, "libgnutls.so.30": {signal.SIGABRT, signal.SIGSEGV},
          "libcrypto.so.3": {signal.SIGSEGV}}


def chosen(count, most=MOST):
    """Numbers from 1 to `count`: at most so many, spread over them, each time others."""
    step = max(1, -(-count // most))
    return range(1 + OFFSET % step, count + 1, step)


class Memory:
    """Of the program that is started with `environment`."""

    def __init__(self, folder):
        self.path = folder / "memory"
        self.path.write_bytes(bytes(SIZE))
        with self.path.open("r+b") as file:
            self.map = mmap.mmap(file.fileno(), SIZE)
        self.environment = {"LD_PRELOAD": str(LIBRARY), "FAIL_ALLOC": str(self.path),
                            "ASAN_OPTIONS": "verify_asan_link_order=0:handle_segv=0:detect_leaks=0:" + os.environ.get("ASAN_OPTIONS", "")}

    def get(self, field):
        return struct.unpack_from("=Q", self.map, 8 * field)[0]

    def put(self, field, value):
        struct.pack_into("=Q", self.map, 8 * field, value)

    def arm(self, first, last=None):
        for field, value in ((ARMED, 0), (FIRST, first), (LAST, last or first), (CALLS, 0), (FAILED, 0), (SIGNAL, 0),
                             (ARMED, 1)):
            self.put(field, value)

    def may_fail(self):
        return self.get(FIRST) != NEVER

    def disarm(self):
        """(so many were asked for, so many failed)"""
        self.put(ARMED, 0)
        return self.get(CALLS), self.get(FAILED)

    def stack(self):
        """Of a program that a signal ended: the libraries, innermost first, and who asked last in vain."""
        return self.map[STACK:].split(b"\0")[0].decode()

    def ended_by(self):
        """The library that ended it, as it is known to do, over an allocation of its own; "" if none did."""
        if not self.get(SIGNAL):
            return ""
        *frames, asked = [line.split("+")[0] for line in self.stack().splitlines()]
        first = next((name for name in frames if not re.match(r"libc\.|libpthread", name)), "")
        own = self.get(SIGNAL) == signal.SIGABRT or asked.endswith(first)
        return first if own and self.get(SIGNAL) in ABORTS.get(first, ()) else ""
