"""What makes updates: tools/make-update-keys and tools/make-bundle, with Debian's RAUC as the judge.  Installs of such
bundles are tried in update_bundles_test.py.
"""
import hashlib
import os
import subprocess

import pytest

from guest_kit import need
from harness import SOURCES
from pki import openssl
from update_kit import BLOCK, COMPATIBLE, RELEASE, Maker, hash_tree, image, parts, rauc_info, tool

MAKE_KEYS, MAKE_BUNDLE = SOURCES / "tools" / "make-update-keys", SOURCES / "tools" / "make-bundle"
CONTENT = image(1 << 20, 600_000)  # its hash tree has two levels


@pytest.fixture(name="maker", scope="module")
def fixture_maker(tmp_path_factory):
    need(["rauc", "mksquashfs", "unsquashfs", "openssl"])
    return Maker(tmp_path_factory.mktemp("maker"))


@pytest.fixture(name="options")
def fixture_options(maker, tmp_path):
    """What makes a good bundle."""
    rootfs = tmp_path / "rootfs.ext4"
    rootfs.write_bytes(CONTENT)
    return {"--key": maker.signer.key, "--cert": maker.signer.certificate, "--compatible": COMPATIBLE, "--release": RELEASE,
            "--image": rootfs}


def words(options):
    return [str(word) for pair in options.items() for word in pair]


def refusal(*command):
    """(status, words): one line that names the tool, and nothing on stdout."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    lines = done.stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith(f"{command[0].name}: ") and not done.stdout, done
    return done.returncode, lines[0]


def test_keys_are_for_code_alone_and_for_nobody_else_to_read(maker):
    assert sorted(path.name for path in maker.folder.iterdir()) == ["ca.key", "ca.pem", "signer.key", "signer.pem"]
    assert {path.stat().st_mode & 0o777 for path in maker.folder.iterdir()} == {0o600}
    said = openssl("x509", "-in", maker.signer.certificate, "-noout", "-ext", "basicConstraints,keyUsage,extendedKeyUsage")
    values = [line.strip() for line in said.decode().splitlines() if line.startswith("    ")]
    assert values == ["CA:FALSE", "Digital Signature", "Code Signing"]
    openssl("verify", "-CAfile", maker.keyring, "-crl_check", "-attime", "1600000000", maker.signer.certificate)
    openssl("verify", "-CAfile", maker.keyring, "-crl_check", "-attime", "9000000000", maker.signer.certificate)


@pytest.mark.parametrize("name", ["ca.key", "ca.pem", "signer.key", "signer.pem"])
def test_no_key_is_overwritten(tmp_path, name):
    (tmp_path / name).write_text("dear")
    status, line = refusal(MAKE_KEYS, tmp_path)
    assert status == 1 and f"{tmp_path / name} is there already" in line
    assert [path.name for path in tmp_path.iterdir()] == [name] and (tmp_path / name).read_text() == "dear"


@pytest.mark.parametrize("arguments, why", [([], "one folder"), (["a", "b"], "one folder"), ([""], "one folder"),
                                            (["--force"], "unknown option '--force'")])
def test_wrong_usage_makes_no_keys(arguments, why):
    status, line = refusal(MAKE_KEYS, *arguments)
    assert status == 2 and why in line


def test_no_keys_where_no_folder_can_be(tmp_path):
    (tmp_path / "file").touch()
    done = subprocess.run([MAKE_KEYS, tmp_path / "file" / "keys"], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and f"cannot make the folder '{tmp_path}/file/keys'" in done.stderr


def test_a_bundle_is_what_rauc_takes(maker, options, tmp_path):
    out = tmp_path / "update.raucb"
    tool(MAKE_BUNDLE, *words(options), out)
    said = rauc_info(maker.keyring, out)
    assert said.returncode == 0, said.stderr
    assert f"RAUC_MF_COMPATIBLE='{COMPATIBLE}'\nRAUC_MF_VERSION='{RELEASE}'\n" in said.stdout
    assert f"RAUC_IMAGE_DIGEST_0='{hashlib.sha256(CONTENT).hexdigest()}'\n" in said.stdout
    tool("unsquashfs", "-quiet", "-no-progress", "-dest", tmp_path / "content", out)
    content = {path.name: path.read_bytes() for path in (tmp_path / "content").iterdir()}
    assert sorted(content) == ["manifest.raucm", "release", "rootfs.ext4"]
    assert content["release"] == f"{RELEASE}\n".encode() and content["rootfs.ext4"] == CONTENT
    assert sorted(path.name for path in tmp_path.iterdir()) == ["content", "rootfs.ext4", "update.raucb"]


def test_the_hash_tree_is_the_one_we_know(maker, options, tmp_path):
    """So that what is forged by hand differs from a good bundle in nothing else."""
    tool(MAKE_BUNDLE, *words(options), tmp_path / "update.raucb")
    payload, cms = parts((tmp_path / "update.raucb").read_bytes())
    manifest = openssl("cms", "-verify", "-inform", "DER", "-CAfile", maker.keyring, "-purpose", "any", stdin=cms).decode()
    stated = dict(line.split("=", 1) for line in manifest.splitlines() if "=" in line)
    data = payload[:-int(stated["verity-size"])]
    root, tree = hash_tree(data, bytes.fromhex(stated["verity-salt"]))
    assert len(tree) > BLOCK and payload == data + tree and stated["verity-hash"] == root.hex()


def test_equal_input_gives_equal_content(options, tmp_path):
    os.utime(options["--image"], (1, 1))
    tool(MAKE_BUNDLE, *words(options), tmp_path / "one.raucb")
    os.utime(options["--image"], (2_000_000_000, 2_000_000_000))
    tool(MAKE_BUNDLE, *words(options), tmp_path / "two.raucb")
    one, two = (parts((tmp_path / f"{name}.raucb").read_bytes())[0] for name in ("one", "two"))
    assert len(one) == len(two) and one[:-3 * BLOCK] == two[:-3 * BLOCK]  # the trees have salts


@pytest.mark.parametrize("option, value, status, why", [
    ("--release", "0.2.0", 2, "'0.2.0' is none"),
    ("--release", "0.2+security.1", 2, "'0.2+security.1' is none"),
    ("--release", "00.2.0+security.1", 2, "is none"),
    ("--release", "0.2.0+security.1\n0.3.0+security.1", 2, "is none"),
    ("--compatible", "Smart Connect", 2, "'Smart Connect'"),
    ("--compatible", "", 2, "--compatible is missing"),
    ("--image", "/nonexistent.ext4", 1, "'/nonexistent.ext4' is no file"),
    ("--image", "/dev/null", 2, "no suffix"),
    ("--key", "/nonexistent.key", 1, "/nonexistent.key"),
    ("--cert", "/nonexistent.pem", 1, "/nonexistent.pem"),
    ("--squeeze", "hard", 2, "unknown option '--squeeze'"),
])
def test_what_makes_no_bundle(options, tmp_path, option, value, status, why):
    options[option] = value
    done = subprocess.run([MAKE_BUNDLE, *words(options), tmp_path / "update.raucb"], capture_output=True, text=True,
                          check=False)
    assert done.returncode == status and why in done.stderr and done.stderr.startswith("make-bundle: "), done
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rootfs.ext4"]  # nothing half made


def test_no_bundle_is_overwritten(options, tmp_path):
    out = tmp_path / "update.raucb"
    out.write_text("dear")
    assert refusal(MAKE_BUNDLE, *words(options), out) == (1, f"make-bundle: '{out}' is there already")
    assert out.read_text() == "dear"
