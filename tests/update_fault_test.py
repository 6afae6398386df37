"""Updates on a disk that fails, and killed at any call: the bundle, the record of the update, the settings of before it.

A bundle is sent while strace lets one system call fail, or kills the gateway there (crash.kit). Whatever happens to the
update, the settings are untouched, what is noted of it can be read, nothing of the bundle is left, and the next update is
taken. A sample, another each time ($FAULT_OFFSET is printed and takes the same again); FAULTS=all tries each.
"""
import json
import os
import pathlib
import re
import shutil
import ssl

import pytest

from crash.kit import ERRORS, Strace, allow_tracing, needs_strace
from faults.memory import MOST, OFFSET, chosen
from figures import note
from harness import wait_until
from https_client import Closed
from page_kit import FIRMWARE, fixture_box  # noqa: F401
from rauc_kit import TOOLS, fixture_rauc  # noqa: F401

NEXT = "0.2.0+security.1"
SETTINGS = {"MQTT": {"Site": "kept"}}
LOOKS = ("close", "newfstatat", "fstat", "fstatfs", "lseek", "read")  # they change nothing
PHASES = ("installing", "installed", "tried", "over")

pytestmark = [needs_strace, pytest.mark.skipif(os.geteuid() != 0 or not all(map(shutil.which, TOOLS)),
                                               reason=f"needs root, and {', '.join(TOOLS)}: ./bootstrap test")]


@pytest.fixture(name="bundles", scope="module")
def fixture_bundles(rauc):
    """By name: one that is installed as far as this machine can, and one that is refused; as bytes."""
    made = {"good": rauc.bundle("good", NEXT), "other": rauc.bundle("other", NEXT, compatible="smart-connect-toaster")}
    return {name: path.read_bytes() for name, path in made.items()}


@pytest.fixture(name="one")
def fixture_one(rauc, box):
    made = box(*rauc.options, env=rauc.env, prepare=allow_tracing)
    made.patch(**SETTINGS)
    ready(made)
    return made


def ready(one):
    wait_until(lambda: one.get(FIRMWARE)["Slots"] and one.get(FIRMWARE)["State"] == "idle", "the slots")


class Upload:
    """Its head was sent, and its file was made; its bytes come with end()."""

    def __init__(self, one, bundle):
        self.one, self.bundle, self.connection = one, bundle, one.user.connect()
        self.idle = one.server.threads()
        head = {"Content-Type": "application/octet-stream", "Content-Length": len(bundle)}
        self.connection.send(one.user.head("POST", FIRMWARE, head))
        wait_until(lambda: one.get(FIRMWARE)["State"] == "receiving", "it is let come")

    def path(self):
        """The name the kernel gives a file that has none."""
        for link in pathlib.Path(f"/proc/{self.one.server.pid}/fd").iterdir():
            found = re.fullmatch(r"(.*/#\d+) \(deleted\)", os.readlink(link))
            if found and found.group(1).startswith(str(self.one.folder)):
                return found.group(1)
        raise AssertionError("the bundle's file")

    def end(self):
        """The answer's status, None: there is none."""
        try:
            self.connection.send(self.bundle)
            return self.connection.answer().status
        except (Closed, ssl.SSLError):
            return None
        finally:
            self.connection.close()


def traced_upload(one, bundle, inject=None):
    """(status, strace) of an upload whose file and notes are looked at."""
    upload = Upload(one, bundle)
    names = [name + end for name in ("config.json", "config.json.before", "update.json") for end in ("", ".new")]
    strace = Strace(one.folder.parent, one.server, [upload.path(), one.folder, *(one.folder / name for name in names)],
                    inject)
    status = upload.end()
    if "KILL" in (inject or ""):
        wait_until(lambda: not strace.running(), "strace has nothing left to trace")
    else:
        wait_until(lambda: one.get(FIRMWARE)["State"] == "idle" and one.server.threads() <= upload.idle, "the end of the update")
        strace.end()
    return status, strace


def points(strace):
    """(call, which of its kind in its thread), each once: a thread of its own does each piece of work."""
    seen, found = {}, []
    for thread, name in re.findall(r"^(\d+) +(\w+)\(", strace.trace.read_text(), re.MULTILINE):
        number = seen[thread, name] = seen.get((thread, name), 0) + 1
        if name not in LOOKS and (name, number) not in found:
            found.append((name, number))
    return found


def assert_undamaged(one, what):
    """What lies in the state folder."""
    stored = json.loads((one.folder / "config.json").read_text())["Settings"]
    assert stored == SETTINGS and one.get("/api/v1/config")["MQTT"]["Site"] == "kept", what
    before, record = one.folder / "config.json.before", one.folder / "update.json"
    assert not before.exists() or json.loads(before.read_text())["Settings"] == SETTINGS, what
    assert not record.exists() or json.loads(record.read_text())["Phase"] in PHASES, what
    assert not [path for path in one.folder.iterdir() if path.stat().st_size > 1 << 19], f"{what}: all of a bundle is gone"


def faults(found):
    injects = [f"{name}:error={error}:when={number}" for name, number in found for error in ERRORS]
    return [injects[n - 1] for n in chosen(len(injects), max(MOST, 3))]


@pytest.mark.parametrize("name, usual", [("good", 202), ("other", 422)])
def test_a_call_that_fails_costs_the_update_at_most(one, bundles, name, usual):
    status, strace = traced_upload(one, bundles[name])
    assert status == usual
    found, results = points(strace), {}
    descriptors = one.server.descriptors()
    for inject in faults(found):
        what = f"{name}, {inject}, FAULT_OFFSET={OFFSET}"
        status, strace = traced_upload(one, bundles[name], inject)
        assert "INJECTED" in strace.trace.read_text(), what
        assert status in (usual, 507), f"{what}: {status}"
        results[status] = results.get(status, 0) + 1
        assert_undamaged(one, what)
    assert traced_upload(one, bundles["good"])[0] == 202, "the next update is taken"
    wait_until(lambda: one.server.descriptors() <= descriptors, "no descriptor is lost")
    note("faults", f"system calls failing in an update, {name} bundle",
         f"{sum(results.values())} faults at {len(found)} calls: {results}", "the settings are untouched, the next is taken")


def test_killed_at_any_call_it_serves_what_was_kept(one, bundles):
    found = points(traced_upload(one, bundles["good"])[1])
    chosen_points = [found[n - 1] for n in chosen(len(found))]
    for call, number in chosen_points:
        what = f"killed at {call} {number}, FAULT_OFFSET={OFFSET}"
        status, _ = traced_upload(one, bundles["good"], f"{call}:signal=KILL:when={number}")
        wait_until(lambda: not one.server.running(), what)
        assert status in (None, 202), f"{what}: {status}"
        one.restart()
        ready(one)
        assert_undamaged(one, what)
    assert traced_upload(one, bundles["good"])[0] == 202, "the next update is taken"
    note("faults", "kill -9 in an update", f"{len(chosen_points)} of {len(found)} calls", "the settings are untouched")


def test_a_bundle_without_a_place_is_refused(one, bundles):
    """And the next one is taken."""
    for error, status in (("ENOSPC", 507), ("EROFS", 503), ("EMFILE", 503), ("EIO", 503)):
        strace = Strace(one.folder.parent, one.server, [one.folder], f"openat:error={error}:when=1")
        head = {"Content-Type": "application/octet-stream"}
        assert one.user.request("POST", FIRMWARE, bundles["good"], head).status == status, error
        strace.end()
        assert_undamaged(one, error)
    assert Upload(one, bundles["good"]).end() == 202
    ready(one)
