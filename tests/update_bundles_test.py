"""Bundles that must not be installed, and one that must, on a box with Debian's RAUC: sent to its page, which says no in
time where it can, and handed to RAUC itself, as by somebody who got around the page.  UPDATE_LONG=1: all of each kind.
"""
import hashlib
import os
import re

import pytest

from bad_inputs import bad_input, in_catalogue
from box_guest_kit import box_guest
from guest_kit import need
from update_box_kit import AT_FIRST, IMAGE_SIZE, SLOT_SIZE, TOOLS, UpdateBox
from update_kit import BLOCK, COPY, MANIFEST, RELEASE, Keys, flipped, forge, image, parts, sealed

LONG = bool(os.environ.get("UPDATE_LONG"))
IMAGE, LARGE = image(IMAGE_SIZE, 30_000), image(IMAGE_SIZE, 900_000)
FLOOR = RUNNING = "0.2.0+security.2"
NEWER = "0.3.0+security.2"
RELEASE_FILE = {"release": f"{RELEASE}\n".encode()}
SUPERBLOCK = 96


class Forger:
    """Makes the bundles of one box."""

    def __init__(self, folder):
        need(TOOLS)
        self.folder, self.keys = folder, Keys(folder)
        self.good_path = self.make("good")
        self.good = self.good_path.read_bytes()
        self.payload, self.cms = parts(self.good)

    def make(self, name, signer=None, **how):
        return forge(self.folder / f"{name}.raucb", signer or self.keys.signer, **{"content": IMAGE, **how})

    def write(self, name, bundle):
        path = self.folder / f"{name}.raucb"
        path.write_bytes(bundle)
        return path


# --- how they are made: functions of a forger and a name, to paths -----------------------------

def written(change):
    return lambda forger, name: [forger.write(name, change(forger))]


def made(**how):
    return lambda forger, name: [forger.make(name, **how)]


def all_made(variants):
    return lambda forger, name: [forger.make(f"{name}-{which}", **how) for which, how in variants.items()]


def signed_by(who):
    return lambda forger, name: [forger.make(name, signer=getattr(forger.keys, who))]


def flips(places):
    return lambda forger, name: [forger.write(f"{name}-{at}", flipped(forger.good, at)) for at in places(forger)]


def signature_bytes(forger):
    """But for those of names that are not signed: see update_signature_test.py."""
    return (len(forger.payload) + at for at in (1, 300, 700, len(forger.cms) - 1, len(forger.cms) + 7))


def a_byte_of_each_block(forger):
    return [start + 1 + start // BLOCK * 7 for start in range(0, len(forger.payload), BLOCK)]


def truncations(forger, name):
    return [forger.write(f"{name}-{size}", forger.good[:size]) for size in range(512, len(forger.good), 512)]


def appended(forger, name):
    payload, cms, tree = forger.payload, forger.cms, forger.payload[-BLOCK:]
    bundles = {"end": forger.good + b"x", "zeros": forger.good + bytes(8), "block": sealed(payload + bytes(BLOCK), cms),
               "unread": sealed(payload[:-BLOCK] + bytes(BLOCK) + tree, cms), "odd": sealed(payload + b"xyz", cms),
               "signature": sealed(payload, cms + b"junk")}
    return [forger.write(f"{name}-{where}", bundle) for where, bundle in bundles.items()]


def signature_of_other(forger, name):
    other = forger.make(f"{name}-other", content=image(IMAGE_SIZE, 30_000, seed=7)).read_bytes()
    return [forger.write(name, sealed(forger.payload, parts(other)[1]))]


def with_line(line, instead):
    assert line in MANIFEST
    return MANIFEST.replace(line, instead)


def elsewhere(folder):
    return made(files={**COPY, **RELEASE_FILE}, manifest=with_line("filename=", f"filename={folder}"))


def instead_of_image(*nodes):
    return lambda forger, name: [forger.make(f"{name}-{node[0]}", files={**COPY, **RELEASE_FILE},
                                             nodes=[f"rootfs.ext4 {node}"]) for node in nodes]


# It takes the place of the question whether the bundle is for this box.
OWN_PROGRAM = made(files={**COPY, **RELEASE_FILE, "rootfs.ext4": IMAGE}, compatible="smart-connect-amd64",
                   nodes=["hook.sh f 755 0 0 printf '#!/bin/sh\\ntouch /run/hooked\\n'"],
                   manifest=MANIFEST + "[hooks]\nfilename=hook.sh\nhooks=install-check;\n")


# --- and why they are refused ------------------------------------------------------------------

class Case:
    """`rauc` and `page` are patterns of the reason there; as RAUC's, unless the page knows better.  None: RAUC alone takes
    it, or ends.  `spoiled`: the slot may have been written, and is not good any more.  The short form tries `short` of the
    bundles, and hands to RAUC those that are `around` the page."""

    def __init__(self, make, rauc, page=None, spoiled=False, around=False, short=None):
        self.make, self.spoiled, self.short = make, spoiled, short
        self.why = {"page": page or rauc, "rauc": rauc if LONG or around else None}

    def bundles(self, forger, name):
        """Paths; the short form's are spread over all."""
        paths = self.make(forger, name)
        step = 1 if LONG or not self.short else len(paths) // self.short
        return paths[step // 2::step]


VERITY = "Failed mounting bundle|Failed splicing data: Error reading from file: Input/output error|none in its file 'release'"
SIGNATURE = "ignature|Invalid bundle format"
INFO = "signature or its manifest is not good"  # RAUC gives no reason to who only asks
SHAPE = "follows it|does not begin as one|before its signature"
FLAW, OLDER = "has a flaw that was mended", "is older"
ELSEWHERE, IRREGULAR = "image is said to lie elsewhere", "image is no regular file"
CASES = {
    "byte-flip-each-header-byte": Case(flips(lambda _: range(SUPERBLOCK)), VERITY, f"{VERITY}|{SHAPE}|its content", short=3),
    "byte-flip-each-signature-byte": Case(flips(signature_bytes), SIGNATURE, f"{INFO}|{SHAPE}", short=2),
    "byte-flip-1-per-4KiB": Case(flips(a_byte_of_each_block), VERITY, f"{VERITY}|{SHAPE}", spoiled=True, short=4),
    "truncated-each-512": Case(truncations, SIGNATURE, SHAPE, short=3),
    "appended": Case(appended, None, SHAPE),
    "sig-zero": Case(written(lambda f: sealed(f.payload, bytes(len(f.cms)))), SIGNATURE, SHAPE),
    "sig-of-other": Case(signature_of_other, VERITY),
    "unknown-key": Case(signed_by("stranger"), "unable to get local issuer certificate", INFO, around=True),
    "revoked-key": Case(signed_by("revoked"), "certificate revoked", INFO, around=True),
    "expired-key": Case(signed_by("expired"), "certificate has expired", INFO),
    "manifest-dup-key": Case(all_made({
        "compatible": {"manifest": with_line("compatible={compatible}\n", "compatible=x\ncompatible={compatible}\n")},
        "version": {"manifest": with_line("version={release}\n", "version={release}\nversion=9.9.9+security.9\n")},
        "group": {"manifest": MANIFEST + "[update]\nversion=9.9.9+security.9\n"},
        "image": {"manifest": MANIFEST + "[image.rootfs]\nfilename=release\n"},
    }), "Invalid key", INFO, short=2),
    "wrong-product": Case(made(compatible="toaster-amd64"), "Compatible mismatch", 'it is for "toaster-amd64"', around=True),
    "wrong-hw-rev": Case(all_made({which: {"compatible": f"smart-connect-{which}"} for which in ("arm64", "amd64-2")}),
                         "Compatible mismatch", 'it is for "smart-connect-', short=1),
    "counter-lower": Case(made(release="0.3.0+security.1"), FLAW, around=True),
    "version-lower": Case(made(release="0.1.9+security.2"), OLDER, around=True),
    "release-of-two-kinds": Case(made(files={**COPY, "rootfs.ext4": IMAGE, "release": b"0.1.9+security.2\n"}), OLDER),
    "release-missing": Case(made(files={**COPY, "rootfs.ext4": IMAGE}), "release cannot be found"),
    "size-lie": Case(all_made({
        "more": {"size": IMAGE_SIZE + BLOCK}, "less": {"size": IMAGE_SIZE - BLOCK}, "negative": {"size": -1},
        "huge": {"size": 1 << 63}, "tree": {"tree_size": 2 * BLOCK}, "huge-tree": {"tree_size": 1 << 40},
    }), "Written size|Missing size|Failed mounting", spoiled=True, short=3),
    "path-dotdot": Case(elsewhere("../../../run/secret/"), ELSEWHERE),
    "path-absolute": Case(elsewhere("/run/secret/"), ELSEWHERE),
    "symlink": Case(instead_of_image("s 777 0 0 /run/secret/rootfs.ext4"), IRREGULAR),
    "device-node": Case(instead_of_image("b 644 0 0 7 6", "c 644 0 0 1 5", "i 644 0 0 f"), IRREGULAR),
    "bomb-1000x": Case(made(content=IMAGE + bytes(16 * SLOT_SIZE)), "its slot only"),
    "own-program": Case(OWN_PROGRAM, "holds more than"),
}


@pytest.fixture(name="forger", scope="module")
def fixture_forger(tmp_path_factory):
    return Forger(tmp_path_factory.mktemp("forger"))


@pytest.fixture(name="bundles", scope="module")
def fixture_bundles(forger):
    """Case -> paths.  All are there before the guest boots, which need not look twice at this machine's folders."""
    return {name: case.bundles(forger, name) for name, case in CASES.items()}


@pytest.fixture(name="box", scope="module")
def fixture_box(bundles, forger, tmp_path_factory):
    extra = {"no data": forger.make("no-data", tree_size=len(forger.payload)), "newer": forger.make("newer", release=NEWER),
             "large": forger.make("large", content=LARGE)}
    with box_guest(tmp_path_factory.mktemp("guest")) as guest:
        box = UpdateBox(guest, forger.keys.keyring, RUNNING, FLOOR)
        box.bundles, box.extra = bundles, extra
        guest.shell(f"mkdir /run/secret; head -c {IMAGE_SIZE} /dev/urandom >/run/secret/rootfs.ext4")
        box.start_gateway()
        yield box
        box.stop_gateway()


@pytest.fixture(name="tried", scope="module")
def fixture_tried(box):
    """door -> case -> outcomes of its bundles."""
    def all_at(door):
        names = [name for name, case in CASES.items() if case.why[door]]
        outcomes = iter(box.install(door, [path for name in names for path in box.bundles[name]]))
        return {name: [next(outcomes) for _ in box.bundles[name]] for name in names}
    return {door: all_at(door) for door in ("page", "rauc")}


def assert_nothing_happened(outcome):
    assert not outcome.ok and not outcome.written and outcome.variables == AT_FIRST, outcome


@pytest.mark.parametrize("door, name", [
    pytest.param(door, name, marks=[bad_input("I", name)] if in_catalogue("I", name) else [])
    for door in ("page", "rauc") for name in CASES if CASES[name].why[door]])
def test_what_is_refused(box, tried, door, name):
    case = CASES[name]
    for path, outcome in zip(box.bundles[name], tried[door][name], strict=True):
        assert not outcome.ok and re.search(case.why[door], outcome.reason), (path.name, outcome)
        assert outcome.state in ("idle", None) and outcome.status in (202, 422, None), (path.name, outcome)
        if not case.spoiled or outcome.variables["B_OK"] == "1":
            assert_nothing_happened(outcome)
        else:
            assert outcome.variables == {**AT_FIRST, "B_OK": "0"}, (path.name, outcome)
    assert box.guest.lives("gateway") and box.guest.lives("rauc") and box.guest.run("ls /run/hooked")[0] != 0


def is_installed(outcome, content=IMAGE):
    """Byte for byte, and the next to boot."""
    return (outcome.ok and outcome.sha256 == hashlib.sha256(content).hexdigest() and outcome.rest_kept and
            outcome.variables == {**AT_FIRST, "ORDER": "B A", "B_OK": "1", "B_TRY": "0"})


@bad_input("I", "two-at-once")
def test_two_at_once(box):
    """The first is one that is refused, when it is there."""
    second, first = box.install("page", [box.bundles["version-lower"][0], box.extra["newer"]], how="at_once")
    assert_nothing_happened(second)
    assert second.status == 409 and "another update is under way" in second.reason and second.state == "receiving", second
    assert_nothing_happened(first)
    assert first.status == 422 and OLDER in first.reason, first


def test_the_end_of_rauc_is_the_end_of_an_update(box):
    """It ends over a bundle without data, which only the owner of a key can make."""
    outcome, = box.install("page", [box.extra["no data"]])
    assert_nothing_happened(outcome)
    assert outcome.state == "idle" and not box.guest.lives("rauc"), outcome
    box.start_rauc()
    outcome, = box.install("page", box.bundles["version-lower"])
    assert outcome.status == 422 and OLDER in outcome.reason, outcome


@bad_input("I", "swapped-while-verifying")
def test_swapped_while_verifying(box, forger):
    """What is installed is always a whole bundle, none of the bad ones, however RAUC is raced."""
    outcomes = box.install("rauc", [forger.good_path, box.bundles["version-lower"][0], box.extra["newer"],
                                    box.bundles["sig-of-other"][0]], how="swapped", tries=200 if LONG else 5)
    for outcome in outcomes:
        assert is_installed(outcome) or outcome.variables["ORDER"] == AT_FIRST["ORDER"] and not outcome.ok, outcome


def test_rewritten_while_verifying(box):
    """There is no name to swap; a process of the gateway's own user can change the bytes: found out, or without effect."""
    tries, outcomes = 50 if LONG else 4, []
    while len(outcomes) < tries:
        outcomes += box.install("page", [box.extra["large"]], how="rewritten", tries=tries - len(outcomes))
        if outcomes[-1].ok:
            box.forget()
    for outcome in outcomes:
        assert is_installed(outcome, LARGE) or outcome.variables["ORDER"] == AT_FIRST["ORDER"] and not outcome.ok, outcome
    assert sum(outcome.racer["changed"] for outcome in outcomes) >= tries, outcomes


def test_a_stranger_does_not_get_at_it(box):
    """Neither the gateway's folder nor its descriptors."""
    folder = f"/proc/{box.guest.said('gateway.pid').strip()}/fd"
    for path in (folder, "/run/state"):
        status, said = box.guest.run(f"setpriv --reuid=nobody --regid=nogroup --clear-groups ls {path}")
        assert status != 0 and "Permission denied" in said, said


def test_a_good_one_is_installed(box):
    outcome, = box.install("page", [box.extra["newer"]])
    assert is_installed(outcome) and outcome.state == "restarting", outcome
    assert f"[slot.rootfs.1]\nbundle.compatible=smart-connect-amd64\nbundle.version={NEWER}\n" in box.guest.said("rauc.status")
    again, = box.install("page", [box.extra["newer"]])
    assert again.status == 409, again
    slots = {slot["Name"]: (slot["Booted"], slot["Release"]) for slot in again.slots}
    assert slots == {"rootfs.0": (True, None), "rootfs.1": (False, NEWER)}, again
