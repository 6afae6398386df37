"""What the crash tests share: where the programs are, the log of a run, a place for images, and strace, which stops or
spoils single system calls."""
import contextlib
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

import pytest

import figures
from crash import images
from harness import LIBC, SOURCES, Process, wait_until

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


# --- strace ------------------------------------------------------------------------------------

PR_SET_PTRACER = 0x59616D61
CALL = re.compile(r"^(\d+) +(\w+)\((.*)\) += ", re.MULTILINE)
ERRORS = ("EIO", "ENOSPC", "EROFS", "EDQUOT", "EINTR")


def find_obstacle():
    """Why strace cannot be used here; "" if it can."""
    if not shutil.which("strace"):
        return "no strace: run ./bootstrap test"
    traced = subprocess.run(["strace", "-f", "-o", os.devnull, "true"], capture_output=True, check=False)
    return "strace is not permitted here, as in some containers" if traced.returncode else ""


OBSTACLE = find_obstacle()
needs_strace = pytest.mark.skipif(bool(OBSTACLE), reason=OBSTACLE)


def allow_tracing():
    """Where only a parent may trace (Yama). In the child."""
    LIBC.prctl(PR_SET_PTRACER, -1)


def strace_command(trace, paths, inject=None):
    """Writes down the calls that touch these paths, and stops or spoils some: `inject`."""
    return ["strace", "-f", "-y", "-o", str(trace), *(word for path in paths for word in ("-P", str(path))),
            *(["-e", f"inject={inject}"] if inject else [])]


class Strace(Process):
    """Looks at a gateway that runs already."""

    count = 0

    def __init__(self, folder, server, paths, inject=None):
        Strace.count += 1
        self.trace = folder / f"trace-{Strace.count}"
        super().__init__(folder, f"strace-{Strace.count}",
                         [*strace_command(self.trace, paths, inject), "-p", str(server.pid)])
        wait_until(lambda: " attached" in self.stderr() or not self.running(), "strace")

    def points(self):
        """(call, which of its kind, is it of the folder itself) in order. Kinds are counted by thread: a save is one of
        its own, and comes first."""
        calls = CALL.findall(self.trace.read_text())
        calls = [(name, words) for thread, name, words in calls if thread == calls[0][0]]
        names = [name for name, _ in calls]
        return [(name, names[:n + 1].count(name), words.endswith("/state>")) for n, (name, words) in enumerate(calls)]
