"""A clock that is wrong, and that is set while a program runs: libfaketime reads a file at each look.

    clock = FakeClock(tmp_path)
    server = gateway(..., env=clock.env)
    clock.set(3600)
"""
import os
import pathlib

import pytest

LIBRARIES = sorted(pathlib.Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
needs_faketime = pytest.mark.skipif(not LIBRARIES, reason="needs libfaketime: ./bootstrap test")


class FakeClock:
    """The time of day, off the machine's by so many seconds.  asleep: so are the clocks that only go forward, as if
    the machine had slept meanwhile."""

    def __init__(self, folder, off_s=0, asleep=False):
        self.path = folder / "clock-is-off-by"
        self.set(off_s)
        self.env = {"LD_PRELOAD": str(LIBRARIES[0]), "FAKETIME_TIMESTAMP_FILE": str(self.path), "FAKETIME_NO_CACHE": "1",
                    "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"}
        if not asleep:
            self.env["FAKETIME_DONT_FAKE_MONOTONIC"] = "1"

    def set(self, off_s):
        """At once: nobody sees half a file."""
        new = self.path.with_suffix(".new")
        new.write_text(f"{off_s:+d}\n")
        new.rename(self.path)
        self.off_s = off_s
