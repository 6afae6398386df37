"""What RAUC says of bundles whose signature is damaged, or not the right one, before anything is installed.  UPDATE_LONG=1:
every byte of it.
"""
import concurrent.futures
import os

import pytest

from bad_inputs import bad_input
from guest_kit import need
from update_kit import BLOCK, Keys, flipped, forge, image, parts, rauc_info, sealed

STEP = 1 if os.environ.get("UPDATE_LONG") else 3
SECTOR = 512
# DER of what a CMS holds but does not sign: changed, it says nothing else.
ID_DATA, ECDSA_SHA256 = bytes.fromhex("06092a864886f70d010701"), bytes.fromhex("06082a8648ce3d040302")
VERSION_1 = bytes.fromhex("020101")


@pytest.fixture(name="keys", scope="module")
def fixture_keys(tmp_path_factory):
    need(["rauc", "mksquashfs", "openssl"])
    return Keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture(name="good", scope="module")
def fixture_good(keys, tmp_path_factory):
    return forge(tmp_path_factory.mktemp("good") / "good.raucb", keys.signer, image(1 << 20, 30_000)).read_bytes()


@pytest.fixture(name="judge")
def fixture_judge(keys, tmp_path):
    """judge(NAME -> bundle): NAME -> what RAUC says of it, or "" where it refuses."""
    def judge_one(name, bundle):
        path = tmp_path / str(name)
        path.write_bytes(bundle)
        said = rauc_info(keys.keyring, path)
        path.unlink()
        assert said.returncode in (0, 1), said  # never a signal
        return "" if said.returncode else said.stdout

    def judge(bundles):
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            return dict(zip(bundles, pool.map(judge_one, bundles, bundles.values())))
    return judge


def unsigned_places(cms):
    """Those of the version numbers, and of the names of content and algorithm."""
    content, algorithm = cms.index(ID_DATA), cms.rindex(ECDSA_SHA256)
    first, signer = cms.index(VERSION_1), cms.rindex(VERSION_1, 0, algorithm)
    return {first + 2, signer + 2, *range(content + 2, content + len(ID_DATA)),
            *range(algorithm + 2, algorithm + len(ECDSA_SHA256))}


def test_each_byte_of_the_signature_counts(good, judge):
    payload, cms = parts(good)
    few = sealed(payload[-BLOCK:], cms)  # RAUC does not look at the rest yet
    right = judge({"right": few})["right"]
    said = judge({at: flipped(few, at) for at in range(BLOCK, len(few), STEP)})
    assert right and len(said) >= len(cms) // STEP
    accepted = {at - BLOCK for at, words in said.items() if words}
    assert accepted <= unsigned_places(cms)
    assert {said[at + BLOCK] for at in accepted} <= {right}


@bad_input("I", "truncated-each-512")
def test_truncated_at_each_sector(good, judge):
    said = judge({size: good[:size] for size in (*range(9), *range(SECTOR, len(good), SECTOR), len(good) - 1)})
    assert len(said) > len(good) // SECTOR and not any(said.values())


def test_what_takes_the_place_of_the_signature(good, judge):
    payload, cms = parts(good)
    said = judge({
        "good": good,
        "sig-zero": sealed(payload, bytes(len(cms))),
        "no signature": sealed(payload, b""),
        "no bundle": b"",
        "appended": good + b"x",
        "appended zeros": good + bytes(8),
        "a length of 64 KiB": payload.ljust(1 << 17, b"\0") + cms + (1 << 16).to_bytes(8, "big"),
        "the longest length": good[:-8] + b"\xff" * 8,
        "a length with a sign": good[:-8] + b"\x80" + bytes(7),
        "twice": sealed(payload, cms + cms)[:-8] + (len(cms) + 1).to_bytes(8, "big"),
    })
    assert said.pop("good") and not any(said.values()), said


@pytest.mark.parametrize("who", ["stranger", "revoked", "expired", "early", "for_mail", "self_signed"])
def test_whose_signature_is_not_taken(keys, tmp_path, who):
    said = rauc_info(keys.keyring, forge(tmp_path / "bundle.raucb", getattr(keys, who), image(1 << 20, 30_000)))
    assert said.returncode == 1 and "Verify error: " in said.stderr, said
