"""What the crash tests share: where the programs are, the log of a run, and a place for images."""
import contextlib
import os
import pathlib
import subprocess
import tempfile

import figures
from crash import images
from harness import SOURCES

KIT = pathlib.Path(os.environ.get("CRASH_KIT", str(SOURCES / "build" / "tests" / "crash")))
ALL = os.environ.get("CRASH_IMAGES") == "all"


def note(text):
    """A count: "7522 images, 0 bad"."""
    what, _, figure = text.rpartition(": ")
    figures.note("crash", what, figure)


@contextlib.contextmanager
def folder_in_memory():
    """Without a disk below, where thousands of images cost little."""
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="crash-", dir=place) as folder:
        yield pathlib.Path(folder)


def has_sanitizer(program):
    return b"__asan_init" in pathlib.Path(program).read_bytes()


def sanitizer_of(program):
    """The library that must be the first of such a program; "" for others."""
    libraries = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    return next((line.split()[2] for line in libraries.splitlines() if "libasan" in line), "")


class Log:
    """What programs change below folder/disk, as long as they run with `environment`."""

    def __init__(self, folder):
        self.disk, self.path = folder / "disk", folder / "writes.log"
        self.disk.mkdir(parents=True)
        self.environment = {"LD_PRELOAD": str(KIT / "libwrite_log.so"), "WRITE_LOG_FOLDER": str(self.disk),
                            "WRITE_LOG": str(self.path)}

    def mark(self, name):
        """From here on somebody relies on what was done."""
        with open(self.path, "a", encoding="utf-8") as log:
            log.write(f"mark\t{name}\n")

    def steps(self):
        steps = images.read_log(self.path)
        assert images.final(steps) == images.read_folder(self.disk), "the log does not tell all"
        return steps
