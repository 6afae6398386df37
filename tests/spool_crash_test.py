"""Power cuts: what the spool has taken is there when it is opened again, in order, and what was removed is not.

Runs of the real spool are written down (tests/crash/write_log.c), while it says after each step what it keeps
(tests/crash/spool_driver.c). Of all the folders that a power cut could have left (tests/crash/images.py) each is opened
by the real spool again: it must find what was kept before the step under way, or what is kept after it, and nothing else.
CRASH_IMAGES=all, as `make crash` has it, looks into all of them; else it is one of twenty, always the same ones.

The other tests kill the spool at each of its system calls, and let each fail in each way.
"""
import subprocess
import time

import pytest

from crash import images
from crash.kit import ALL, CALL, ERRORS, KIT, Log, folder_in_memory, needs_strace, note, sanitizer_of, strace_command
from harness import SANITIZER_COMPLAINT, clean_environment

DRIVER = KIT / "spool_driver"
EVERY = 1 if ALL else 20  # of so many images one is looked into
LOG_FULL = 26  # so many batches and the log goes into the file
APPEND, REOPEN, CLOSE = "append", "reopen", "close"


def remove(through):
    return f"remove={through}"


# By name: how many steps are done before the power may go, and what is done by one process after the other. Those that do
# not close are killed.
RUNS = {
    "in and out": (0, [[APPEND, APPEND, remove(1), APPEND, remove(3), APPEND, REOPEN, remove(4), REOPEN, APPEND, CLOSE]]),
    "killed": (0, [[APPEND, APPEND], [APPEND, remove(2), APPEND], [], [APPEND, remove(4)], [APPEND, APPEND, CLOSE],
                   [APPEND]]),
    "bounded": (0, [["bytes=20480", *[APPEND] * 12, REOPEN, APPEND, remove(10), APPEND, CLOSE]]),
    "log full": (LOG_FULL - 1, [[*[APPEND] * (LOG_FULL + 2), remove(20), APPEND, CLOSE]]),
    "emptied": (LOG_FULL + 4, [[*[APPEND] * (LOG_FULL + 4), remove(LOG_FULL), remove(LOG_FULL + 4), APPEND, APPEND, CLOSE]]),
}


# --- writing down ------------------------------------------------------------------------------

def environment_of(log):
    libraries = [sanitizer_of(DRIVER), log.environment["LD_PRELOAD"]]
    return clean_environment({**log.environment, "LD_PRELOAD": " ".join(filter(None, libraries)),
                              "ASAN_OPTIONS": "detect_leaks=0"})


def write_down(processes, folder):
    """The steps."""
    log = Log(folder)
    for steps in processes:
        with open(log.path, "ab") as marks:
            done = subprocess.run([DRIVER, "write", log.disk, *steps], env=environment_of(log), stdout=marks,
                                  stderr=subprocess.PIPE, check=False)
        assert done.returncode == 0, done.stderr.decode()
    return log.steps()


@pytest.fixture(scope="module")
def memory():
    with folder_in_memory() as folder:
        yield folder


@pytest.fixture(scope="module")
def recorded(memory):
    """By name, how many steps come before, and the log."""
    return {name: (marks_before, write_down(processes, memory / name.replace(" ", "-")))
            for name, (marks_before, processes) in RUNS.items()}


# --- looking into ------------------------------------------------------------------------------

class Reader:
    """spool_driver read."""

    def __init__(self, folder):
        self.folder = folder
        self.stderr = open(folder / "reader.err", "w+", encoding="utf-8")
        self.popen = subprocess.Popen([DRIVER, "read"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                      stderr=self.stderr)

    def read(self, image):
        """What is kept in it, as a mark has it, or a complaint."""
        folder = self.folder / "image"
        images.write_folder(image, folder)
        return self.read_folder(folder)

    def read_folder(self, folder):
        """The folder is gone then."""
        self.popen.stdin.write(f"{folder}\n")
        self.popen.stdin.flush()
        found = self.popen.stdout.readline().strip()
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
        return found

    def close(self):
        self.popen.stdin.close()
        self.popen.stdout.close()
        code = self.popen.wait(10)
        self.stderr.seek(0)
        said = self.stderr.read()
        self.stderr.close()
        assert code == 0 and not SANITIZER_COMPLAINT.search(said), said


@pytest.fixture(scope="module")
def reader(memory):
    one = Reader(memory)
    yield one
    one.close()


def judge(reader, recorded, model, every=EVERY, without=None):
    """For every so many images what is wrong with it; "": nothing. `without`: as if that kind of step had not been."""
    marks_before, steps = recorded
    marks = ["none next 1"] + [step[1] for step in steps if step[0] == "mark"]
    steps = [step for step in steps if step[0] != without]
    for number, (image, seen, where) in enumerate(images.images(steps, model, marks_before=marks_before)):
        if number % every == 0:
            found, allowed = reader.read(image), marks[len(seen):len(seen) + 2]
            yield "" if found in allowed else f"{model}, {where}: {found} instead of {' or '.join(allowed)}"


@pytest.mark.parametrize("model", [*images.MODELS, images.SECTORS])
@pytest.mark.parametrize("run", RUNS)
def test_power_cut_loses_nothing(recorded, reader, run, model):
    start = time.monotonic()
    found = list(judge(reader, recorded[run], model))
    bad = [text for text in found if text]
    rate = len(found) / (time.monotonic() - start)
    note(f"spool, {run}, {model}: {len(recorded[run][1])} steps, {len(found)} images, {rate:.0f}/s, {len(bad)} bad")
    assert not bad, "\n".join(bad[:5])


def test_the_log_goes_into_the_file_where_it_is_looked_at(recorded):
    """And begins again from its start."""
    marks_before, steps = recorded["log full"]
    marks = [number for number, step in enumerate(steps) if step[0] == "mark"]
    log = next(step[1] for step in steps if step[0] == "create" and step[2].endswith("-wal"))
    starts = [number for number, step in enumerate(steps) if step[:3] == ["write", log, "0"]]
    assert len(starts) == 2 and marks[marks_before] < starts[1] < marks[-2]


def test_an_empty_spool_gives_the_disk_back_where_it_is_looked_at(recorded):
    marks_before, steps = recorded["emptied"]
    marks = [number for number, step in enumerate(steps) if step[0] == "mark"]
    during = steps[marks[marks_before]:marks[marks_before + 1]]
    assert "truncate" in [step[0] for step in during], "VACUUM and the end of the log"


# Where a sync is missing: (run, model, kind of the step). A journal that keeps the order of names needs none of a folder.
FLAWS = [("in and out", images.EXT4, "sync"), ("in and out", images.POSIX, "sync"),
         ("in and out", images.POSIX, "syncdir"), ("log full", images.EXT4, "sync")]


@pytest.mark.parametrize("run, model, kind", FLAWS)
def test_power_cut_would_show_a_sync_that_is_missing(recorded, reader, run, model, kind):
    assert any(judge(reader, recorded[run], model, without=kind))


# --- kills, and calls that fail ----------------------------------------------------------------

STEPS = [APPEND, APPEND, remove(1), APPEND, REOPEN, remove(2), APPEND, CLOSE]
LOOKS = ("close", "newfstatat", "fstat", "access", "lseek")  # they change nothing, or cannot fail on a disk
EVERY_FAULT = 1 if ALL else 25


def traced(folder, inject=None):
    """(exit code, lines of output, calls) of the real spool under strace."""
    disk, trace = folder / "disk", folder / "trace"
    disk.mkdir()
    names = ("readings.db", "readings.db-wal", "readings.db-journal", "readings.db.damaged")
    done = subprocess.run([*strace_command(trace, [disk, *(disk / name for name in names)], inject), DRIVER, "insist", disk,
                           *STEPS], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False,
                          env=clean_environment({"ASAN_OPTIONS": "detect_leaks=0"}))
    assert not SANITIZER_COMPLAINT.search(done.stderr), done.stderr
    return done.returncode, done.stdout.splitlines(), trace.read_text()


@pytest.fixture(scope="module")
def usual(tmp_path_factory):
    """(the marks without any accident, [(call, which of its kind)])"""
    code, lines, trace = traced(tmp_path_factory.mktemp("usual"))
    names = [name for _, name, _ in CALL.findall(trace) if name not in LOOKS]
    assert code == 0 and len(names) > 100
    marks = ["none next 1", *(line.split("\t")[1] for line in lines)]
    return marks, [(name, names[:n + 1].count(name)) for n, name in enumerate(names)]


def marks_in(lines):
    return ["none next 1", *(line.split("\t")[1] for line in lines if line.startswith("mark"))]


def try_each(tmp_path, reader, usual, injects):
    """Under each: what was done is what is always done, up to where it ended; and of that, or of the step under way, is
    what the next start finds. How many of them did not end well, and how many came to pass."""
    marks, ended, seen = usual[0], 0, 0
    for number, inject in enumerate(injects):
        if number % EVERY_FAULT:
            continue
        folder = tmp_path / str(number)
        folder.mkdir()
        code, lines, trace = traced(folder, inject)
        done = marks_in(lines)
        seen += "INJECTED" in trace or "SIGKILL" in trace
        ended += code != 0
        assert done == marks[:len(done)], f"{inject}: {lines}"
        assert code != 0 or done == marks, f"{inject}: {lines}"
        assert code == 0 or "+" in inject or "KILL" in inject, f"{inject}: one fault, and {lines}"
        found = reader.read_folder(folder / "disk")
        assert found in marks[len(done) - 1:len(done) + 1], f"{inject}: {found} after {done}"
    return ended, seen


@needs_strace
def test_kill_at_each_call_loses_nothing(tmp_path, reader, usual):
    injects = [f"{name}:signal=KILL:when={number}" for name, number in usual[1]]
    ended, seen = try_each(tmp_path, reader, usual, injects)
    note(f"spool, kill -9 at its system calls: {seen} of {len(injects)}, always what was kept")
    assert ended == seen > 0


@needs_strace
def test_call_that_fails_loses_nothing(tmp_path, reader, usual):
    """Once, and it is done at a second try; or for ever, and what was kept before stays. What can never be read again is
    damage."""
    injects = [f"{name}:error={error}:when={number}" for name, number in usual[1] for error in ERRORS]
    injects += [f"{name}:error=ENOSPC:when={number}+" for name, number in usual[1] if name != "pread64"]
    ended, seen = try_each(tmp_path, reader, usual, injects)
    note(f"spool, system calls that fail: {seen} of {len(injects)} faults, {ended} for ever; nothing kept is lost")
    assert seen > 0
