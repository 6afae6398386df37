"""Power cuts, kill -9 and failing disks: the state folder holds the old or the new, and what was acknowledged.

A run of the real gateway is written down by a preloaded library (tests/crash/write_log.c). From that log come all the
folders that a power cut could have left (tests/crash/images.py), and each is read as the gateway reads it when it
starts (tests/crash/read_state.c); a sample is given to the gateway itself. CRASH_IMAGES=all, as `make crash` has it,
cuts every write at every byte, starts the gateway with each image, and spoils every call with every error.

The other tests stop or spoil single system calls of the real gateway with strace.
"""
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import types

import pytest

from crash import images
from crash.kit import ALL, CALL, ERRORS, KIT, Log, Strace, allow_tracing, folder_in_memory, has_sanitizer, needs_strace, \
    note, strace_command
from harness import PROGRAM, SANITIZER_COMPLAINT, SERIAL, Gateway, clean_environment, run, wait_until
from https_client import Closed, Https, login_of, serve

STARTS = 10  # of the gateway itself, unless ALL
CONFIG, RESET, PASSWORD = "/api/v1/config", "/api/v1/reset", "/api/v1/password"
OWN = "a password of my own"

needs_preload = pytest.mark.skipif(
    has_sanitizer(PROGRAM),
    reason="a sanitizer must be the first library of a program, before a preloaded one; see the release build")


@pytest.fixture(scope="module")
def memory():
    with folder_in_memory() as folder:
        yield folder


# --- tiny savers -------------------------------------------------------------------------------

SAVER = """
import os, sys
folder, text, in_place, sync_file, sync_folder = sys.argv[1], sys.argv[2].encode(), *map(int, sys.argv[3:])
name = folder + "/config.json"
new = name if in_place else name + ".new"
fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
os.write(fd, text)
if sync_file:
    os.fsync(fd)
if not in_place:
    os.rename(new, name)
if sync_folder:
    os.fsync(os.open(folder, os.O_RDONLY))
"""


def save(log, folder, text, in_place=False, sync_file=True, sync_folder=True):
    """Writes folder/config.json as a program would that knows no better."""
    subprocess.run([sys.executable, "-S", "-c", SAVER, str(folder), text,
                    *(str(int(flag)) for flag in (in_place, sync_file, sync_folder))],
                   env=clean_environment(log.environment), check=True)


FLAWS = {"none": {}, "in place": {"in_place": True}, "no sync of the file": {"sync_file": False},
         "no sync of the folder": {"sync_folder": False}}


def bad_images(steps, model):
    """Of one that saved "old", marked it, saved "new" and marked that."""
    bad = total = 0
    for image, marks, _ in images.images(steps, model, every_byte=True):
        allowed = [[None, b"old"], [b"old", b"new!"], [b"new!"]][len(marks)]
        bad += image.get("config.json") not in allowed
        total += 1
    return bad, total


@needs_preload
@pytest.mark.parametrize("model", images.MODELS)
@pytest.mark.parametrize("flaw", FLAWS)
def test_kit_tells_a_bad_saver(tmp_path, flaw, model):
    log = Log(tmp_path)
    save(log, log.disk, "old")
    log.mark("old")
    save(log, log.disk, "new!", **FLAWS[flaw])
    log.mark("new")
    bad, total = bad_images(log.steps(), model)
    note(f"saver, {flaw}, {model}: {bad} of {total} images bad")
    assert (bad > 0) == (flaw != "none"), f"{bad} of {total}"


# --- the recorded run --------------------------------------------------------------------------

def start(folder, disk, **how):
    """(gateway, login) with the state folder disk/state. Without Modbus, whose port is another each time."""
    return serve(lambda *options: Gateway(folder, *options, modbus="off", **how), disk)


FIRST = {"MQTT": {"Site": "first", "Password": "first secret"}, "Meter": {"StaleAfter": 20}}
SECOND = {"MQTT": {"Site": "second", "Password": "second, longer secret", "Keepalive": 44},
          "Modbus": {"MaxClients": 7}, "Meter": {"StaleAfter": 20}}
# What is stored at each mark, in their order: the settings, and whether the owner's own password opens. None: not
# acknowledged, on the way to the next.
STATES = [("ready", {}, False), ("first", FIRST, False), ("second", SECOND, False), ("password", SECOND, True),
          (None, {}, True), ("reset", {}, False)]


def lock_out(server):
    """Five wrong logins from 127.0.0.1."""
    with Https(server, "no such login") as stranger:
        statuses = [stranger.get(CONFIG).status for _ in range(6)]
    assert statuses == [401] * 5 + [429]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A box from its first start to a lock, and the login taken off: all marks, and what it was at each."""
    folder = tmp_path_factory.mktemp("recorded")
    log = Log(folder)
    state = log.disk / "state"
    server, login = start(folder, log.disk, env=log.environment)
    log.mark("ready")
    shown = {}
    with Https(server, login) as user:
        shown["ready"] = user.get(CONFIG).json()
        for name, patch in (("first", FIRST), ("second", SECOND)):
            assert user.request("PATCH", CONFIG, patch).status == 200
            log.mark(name)
            shown[name] = user.get(CONFIG).json()
        assert user.request("POST", PASSWORD, {"OldPassword": login, "NewPassword": OWN}).status == 200
        log.mark("password")
        shown["password"] = shown["second"]
    with Https(server, OWN) as user:
        assert user.request("POST", RESET, {"Mode": "factory"}).status == 202
        log.mark("reset")
    with Https(server, login) as user:
        shown["reset"] = shown[None] = user.get(CONFIG).json()
    lock_out(server)
    server.stop()
    log.mark("locked")
    assert run("label", "--state", str(state), "--forget", env=log.environment).returncode == 0
    log.mark("forgotten")
    return types.SimpleNamespace(steps=log.steps(), login=login, shown=shown)


# --- reading -----------------------------------------------------------------------------------

class Reader:
    """read_state: what the gateway finds in a folder when it starts."""

    def __init__(self, folder):
        self.folder, self.count, self.known = folder, 0, {}
        self.stderr = open(folder / "reader.err", "w+", encoding="utf-8")
        self.popen = subprocess.Popen([KIT / "read_state"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                      stderr=self.stderr)

    def read(self, image):
        """The same image is read once only."""
        key = frozenset(image.items())
        if key not in self.known:
            self.count += 1
            folder = self.folder / str(self.count)
            images.write_folder(image, folder)
            self.known[key] = self.read_folder(folder / "state")
            shutil.rmtree(folder)
        return self.known[key]

    def read_folder(self, folder):
        self.popen.stdin.write(f"{folder}\t{OWN}\n")
        self.popen.stdin.flush()
        found = json.loads(self.popen.stdout.readline())
        found["said"] = self.stderr.read()
        for identity in (found["identity"], found["again"]):
            identity.update((name, text.strip()) for name, text in identity.items())
        return found

    def close(self):
        self.popen.stdin.close()
        self.popen.stdout.close()
        assert self.popen.wait(10) == 0
        self.stderr.close()


@pytest.fixture(scope="module")
def reader(memory):
    one = Reader(memory)
    yield one
    one.close()


def sound(found):
    """What is wrong with any folder after any accident."""
    if not found["good"] or found["problem"] or found["said"]:
        yield f"{found['problem']} {found['said']}"
    if found["again"] != found["identity"]:
        yield "what was made anew was not kept"
    if found["identity"]["login"] and not found["login_fits"]:
        yield "the login on the label is not that of the hash"


def allowed_after(marks):
    """Rows of STATES: that of the last mark, to that of the next."""
    last = max((n for n, row in enumerate(STATES) if row[0] in marks), default=0)
    coming = next((n for n, row in enumerate(STATES) if n > last and row[0]), last)
    return STATES[last:coming + 1]


def complaints(found, marks, kept):
    """`kept`: the identity at the end."""
    yield from sound(found)
    if (found["settings"], found["opens"]) not in [row[1:] for row in allowed_after(marks)]:
        yield f"settings {found['settings']}, own password {found['opens']}"
    if "locked" in marks and not 0 < found["locked_s"] <= 60 or "reset" not in marks and found["locked_s"]:
        yield f"locked for {found['locked_s']} s"
    if "ready" in marks:
        yield from (f"{name} is another" for name, text in found["identity"].items()
                    if text != kept["identity"][name] and name not in ("login", "password_hash"))
        logins = [""] if "forgotten" in marks else [kept["login"], ""] if "locked" in marks else [kept["login"]]
        if found["identity"]["login"] not in logins:
            yield f"login {found['identity']['login']!r} on the label"


def judge(reader, recorded, steps, model, every_byte=ALL):
    """For each image of a log like the recorded one what is wrong with it; "": nothing."""
    kept = {**reader.read(images.final(recorded.steps)), "login": recorded.login}
    assert kept["identity"]["serial"] == SERIAL and not kept["identity"]["login"]
    for image, marks, where in images.images(steps, model, every_byte):
        wrong = "; ".join(complaints(reader.read(image), marks, kept))
        yield f"{model}, {where}, marks {marks}: {wrong}" if wrong else ""


@needs_preload
def test_power_cut_leaves_the_old_or_the_new(recorded, reader):
    found = [text for model in images.MODELS for text in judge(reader, recorded, recorded.steps, model)]
    bad = [text for text in found if text]
    note(f"power cut: {len(recorded.steps)} steps, {len(found)} images, {reader.count} different, {len(bad)} bad")
    assert not bad, "\n".join(bad[:5])


@needs_preload
@pytest.mark.parametrize("model", images.MODELS)
@pytest.mark.parametrize("kind", ["sync", "syncdir"])
def test_power_cut_would_show_a_sync_that_is_missing(recorded, reader, kind, model):
    """The same run, as if the gateway, once it serves, did not call fsync for files, or for the folder."""
    ready = recorded.steps.index(["mark", "ready"])
    steps = [step for n, step in enumerate(recorded.steps) if n < ready or step[0] != kind]
    assert any(judge(reader, recorded, steps, model, every_byte=False))


def start_with(image, marks, recorded, own, folder):
    """The real gateway starts with an image, and serves what may be. own: the owner's password opens."""
    images.write_folder(image, folder / "disk")
    server, login = start(folder, folder / "disk")
    try:
        if "ready" in marks:
            assert login in (recorded.login, None)
            login = OWN if own else recorded.login
        if "locked" in marks:
            with Https(server, login) as locked:
                assert locked.get(CONFIG).status == 429
        with Https(server, login, source="127.0.0.2") as user:
            answer = user.get(CONFIG)
        allowed = [recorded.shown[mark] for mark, _, opens in allowed_after(marks) if opens == own]
        assert answer.status == 200 and answer.json() in allowed, answer
        assert not server.log(r" (warning|error) "), server.stderr()
    finally:
        server.stop()


@needs_preload
def test_gateway_starts_after_a_power_cut(recorded, reader, memory):
    found = {}
    for model in images.MODELS:
        for image, marks, where in images.images(recorded.steps, model, every_byte=ALL):
            found[frozenset(image.items()), len(marks)] = image, marks, where
    chosen = list(found.values())
    if not ALL:
        chosen = [chosen[n * (len(chosen) - 1) // (STARTS - 1)] for n in range(STARTS)]
    for number, (image, marks, where) in enumerate(chosen):
        folder = memory / f"start-{number}"
        folder.mkdir()
        try:
            start_with(image, marks, recorded, reader.read(image)["opens"], folder)
        except AssertionError as e:
            raise AssertionError(f"{where}, marks {marks}: {e}") from e
        shutil.rmtree(folder)
    note(f"power cut: the gateway started with {len(chosen)} images")


NEWER = json.dumps({"Version": 2, "Settings": {**FIRST, "Later": {"Thing": 1}}})


@needs_preload
@pytest.mark.parametrize("text", [NEWER, NEWER.replace("2", "1", 1)], ids=["newer", "partly usable"])
def test_power_cut_while_a_file_is_set_aside(tmp_path, reader, text):
    """A file that says more than we know is kept beside the first one of ours."""
    log = Log(tmp_path)
    state = log.disk / "state"
    start(tmp_path, log.disk, env=log.environment)[0].stop()
    save(log, state, text)
    log.mark("first")
    server, login = start(tmp_path, log.disk, env=log.environment)
    with Https(server, login) as user:
        assert user.request("PATCH", CONFIG, SECOND).status == 200
    log.mark("second")
    server.stop()
    bad, total = [], 0
    for image, marks, where in itertools.chain(*(images.images(log.steps(), model, ALL) for model in images.MODELS)):
        if not marks:
            continue
        total += 1
        settings = reader.read(image)["settings"]
        if settings not in [[FIRST, SECOND], [SECOND]][len(marks) - 1]:
            bad.append(f"{where}: settings {settings}")
    note(f"power cut, file set aside: {len(bad)} of {total} images bad")
    assert not bad, "\n".join(bad[:5])


# --- strace ------------------------------------------------------------------------------------

# They set the same.
OLD = {"MQTT": {"Site": "old", "Password": "old secret", "Keepalive": 31}}
NEW = {"MQTT": {"Site": "new", "Password": "new, longer secret", "Keepalive": 32}}
# Kind: method, path, body (of the label's login), status.
CHANGES = {
    "patch": ("PATCH", CONFIG, lambda login: NEW, 200),
    "password": ("POST", PASSWORD, lambda login: {"OldPassword": login, "NewPassword": OWN}, 200),
    "reset": ("POST", RESET, lambda login: {"Mode": "factory"}, 202),
}
FEW_ERRORS = ("EIO",)  # and a disk that stays full: for changes that cost slow hashes, unless ALL
NO_ROOM = ("ENOSPC", "EDQUOT")


class Box:
    """A gateway that is started again and again with the same folder."""

    def __init__(self, folder):
        self.folder, self.state = folder, folder / "state"
        self.start()

    def start(self):
        self.server, self.login = start(self.folder, self.folder, prepare=allow_tracing)
        self.user = Https(self.server, self.login)
        self.idle = self.server.threads()

    def restart(self, number=signal.SIGTERM):
        """The exit code of what ran before; the new one has nothing to complain of."""
        self.user.close()
        code = self.server.end(number)
        assert not SANITIZER_COMPLAINT.search(self.server.stderr()), self.server.stderr()
        self.start()
        assert not self.server.log(r" (warning|error) "), self.server.stderr()
        return code

    def now(self):
        """What is in force, and what is on the disk: (configuration, password), (configuration, an own password)."""
        answer = self.user.get(CONFIG)
        if answer.status == 401:
            self.user.login = self.login if self.user.login == OWN else OWN
            answer = self.user.get(CONFIG)
        assert answer.status == 200, answer
        config, password = self.state / "config.json", self.state / "password"
        return answer.json(), self.user.login, config.read_bytes() if config.exists() else None, password.exists()

    def change(self, kind):
        """The status."""
        method, path, body, _ = CHANGES[kind]
        return self.user.request(method, path, body(self.login)).status

    def make(self, kind):
        assert self.change(kind) == CHANGES[kind][3]
        return self.now()

    def prepare(self, kind):
        """The old settings, and where it is to be reset a password."""
        if self.now()[3]:
            self.make("reset")
        assert self.user.request("PATCH", CONFIG, OLD).status == 200
        return self.make("password") if kind == "reset" else self.now()

    def traced(self, inject=None, paths=None):
        """By strace; not the workers that are still at what came before."""
        wait_until(lambda: self.server.threads() <= self.idle, "the end of all workers")
        names = [name + end for name in ("config.json", "config.json.newer", "password") for end in ("", ".new")]
        return Strace(self.folder, self.server, paths or [self.state, *(self.state / name for name in names)], inject)


@pytest.fixture
def box(tmp_path):
    one = Box(tmp_path)
    yield one
    one.user.close()
    one.server.stop()


def learn(box, kind):
    """(points, before, after) of a change without accident; it is undone."""
    before = box.prepare(kind)
    strace = box.traced()
    after = box.make(kind)
    strace.end()
    assert box.prepare(kind) == before != after
    assert len(strace.points()) >= 5, "the calls of a save"
    return strace.points(), before, after


@needs_strace
@pytest.mark.parametrize("kind", CHANGES)
def test_kill_at_each_call(box, kind):
    points, before, after = learn(box, kind)
    if not ALL and kind != "patch":
        points = points[::2]  # they cost slow hashes
    for name, number, _ in points:
        strace = box.traced(f"{name}:signal=KILL:when={number}")
        with pytest.raises(Closed):
            box.change(kind)
        wait_until(lambda: not strace.running(), "strace has nothing left to trace")
        assert box.restart() == -signal.SIGKILL, f"{name} {number} did not come"
        now = box.now()
        allowed = [before, after, (*after[:1], OWN, None, True)] if kind == "reset" else [before, after]
        assert now in allowed, f"killed at {name} {number}: {now}"
        assert box.prepare(kind) == before
    note(f"kill -9 during {kind}: {len(points)} points, always the old or the new")


def spoiled_change(box, kind, inject):
    """The status of a change under a fault; later ones have none."""
    strace = box.traced(inject)
    status = box.change(kind)
    strace.end()
    assert "INJECTED" in strace.trace.read_text(), f"{inject} did not come"
    return status


def check_fault(box, kind, inject, before, after):
    """Refused: all is as before. Granted: all is done. And the next change works."""
    error = inject.split("error=")[1].split(":")[0]
    status = spoiled_change(box, kind, inject)
    granted = status == CHANGES[kind][3]
    assert granted or status == (507 if error in NO_ROOM else 500), f"{inject}: {status}"
    assert box.now() == (after if granted else before), f"{inject}: {status}, but {box.now()}"
    if granted:
        box.prepare(kind)
    assert box.make(kind) == after, f"{inject}: no change after it"
    assert box.prepare(kind) == before
    return granted


def faults_at(points, errors):
    """One error, and the disk that stays full. Not at close: a file stays open, and the folder locked, if that call does
    not come through, which no kernel does. And a folder that can never be synced again keeps what it likes."""
    for name, number, of_folder in points:
        if name != "close":
            yield from (f"{name}:error={error}:when={number}" for error in errors)
            if name != "fsync" or not of_folder:
                yield f"{name}:error=ENOSPC:when={number}+"


@needs_strace
@pytest.mark.parametrize("kind", CHANGES)
def test_call_that_fails_changes_nothing(box, kind):
    """Also the last fsync, when the new file has its name already."""
    points, before, after = learn(box, kind)
    faults = list(faults_at(points, ERRORS if ALL or kind == "patch" else FEW_ERRORS))
    descriptors = box.server.descriptors()
    granted = sum(check_fault(box, kind, inject, before, after) for inject in faults)
    wait_until(lambda: box.server.descriptors() <= descriptors, "no descriptor is lost")
    assert box.restart() == 0 and box.now() == before
    note(f"faults during {kind}: {len(faults)}, {len(faults) - granted} refused, {granted} without consequence")


@needs_strace
@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("accident", ["signal=KILL", "error=EIO"])
def test_reset_that_stops_before_the_password(box, accident, number):
    """Its second half: the settings are those of the factory already, and a second try does the rest."""
    _, _, after = learn(box, "reset")
    strace = box.traced(f"unlinkat:{accident}:when={number}", ["password", "password.new"])
    if "KILL" in accident:
        with pytest.raises(Closed):
            box.change("reset")
        wait_until(lambda: not strace.running(), "strace has nothing left to trace")
        box.restart()
    else:
        assert box.change("reset") == 500
        strace.end()
    assert box.now() == (after[0], OWN, None, True)
    assert box.make("reset") == after


@needs_strace
@pytest.mark.parametrize("call", ["openat", "write", "fsync", "renameat"])
def test_call_that_fails_leaves_a_newer_file(box, call):
    """It is kept beside ours, and keeps its own name until ours is there."""
    box.user.close()
    box.server.stop()
    (box.state / "config.json").write_text(NEWER)
    box.start()
    before = box.now()
    for number in itertools.count(1):
        strace = box.traced(f"{call}:error=EIO:when={number}")
        status = box.change("patch")
        strace.end()
        if "INJECTED" not in strace.trace.read_text():
            break
        assert status == 500 and box.now() == before, f"{call} {number}: {status}, {box.now()}"
    assert status == 200 and number > 2
    assert (box.state / "config.json.newer").read_text() == NEWER


# --- the first start ---------------------------------------------------------------------------

IDENTITY_FILES = ("serial", "label", "login", "device.key", "device.crt", "web.key", "web.crt")


def label_under_strace(folder, *options):
    """Makes an identity; the paths are those of its files."""
    state, trace = folder / "state", folder / "trace"
    paths = [folder, state, *(state / f"{name}{end}" for name in IDENTITY_FILES for end in ("", ".new"))]
    done = subprocess.run([*strace_command(trace, paths), *options, PROGRAM, "label", "--state", str(state), "--serial", SERIAL, "--json"],
                          env=clean_environment({"ASAN_OPTIONS": "detect_leaks=0"}), capture_output=True, check=False)
    assert not SANITIZER_COMPLAINT.search(done.stderr.decode()), done.stderr
    return done.returncode, trace.read_text()


def identity_points(memory):
    folder = memory / "points"
    folder.mkdir()
    code, trace = label_under_strace(folder)
    assert code == 0
    seen = [name for _, name, _ in CALL.findall(trace)]
    shutil.rmtree(folder)
    return sorted((name, number) for name in set(seen) - {"execve", "fstat", "newfstatat", "read"}
                  for number in range(1, seen.count(name) + 1))


@needs_strace
def test_first_start_killed_or_spoiled_at_each_call(memory, reader):
    """Whatever was made then, the next start makes the rest."""
    points = identity_points(memory)
    step = 1 if ALL else 7
    tries = [f"{name}:signal=KILL:when={number}" for name, number in points]
    tries += [f"{name}:error=ENOSPC:when={number}+" for name, number in points if name not in ("close", "flock")]
    for n, inject in enumerate(tries[::step]):
        folder = memory / f"first-{n}"
        folder.mkdir()
        code, trace = label_under_strace(folder, "-e", f"inject={inject}")
        assert code == (-signal.SIGKILL if "KILL" in inject else 2) or "INJECTED" in trace, f"{inject}: {code}"
        found = reader.read_folder(folder / "state")
        assert not list(sound(found)), f"{inject}: {list(sound(found))}"
        shutil.rmtree(folder)
    note(f"first start: {len(tries[::step])} of {len(tries)} kills and faults, always completed by the next")
