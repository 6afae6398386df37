"""smart-connect-floor, which RAUC asks before it installs a bundle: what it lets pass, and what it keeps."""
import os
import pathlib
import socket
import subprocess

import pytest

from harness import SANITIZER_COMPLAINT, SOURCES

PROGRAM = os.environ.get("SMART_CONNECT_FLOOR", str(SOURCES / "build" / "smart-connect-floor"))


IMAGE, SLOT_SIZE = "rootfs.ext4", 8192


class Box:
    """The files of a box and of a bundle; None: not there."""

    def __init__(self, folder, running, floor, bundle):
        self.running, self.floor, self.bundle = folder / "running", folder / "state" / "floor", folder / "bundle"
        self.floor.parent.mkdir()
        self.bundle.mkdir()
        for path, text in ((self.running, running), (self.floor, floor), (self.bundle / "release", bundle)):
            if text is not None:
                path.write_text(text)
        (self.bundle / "manifest.raucm").touch()
        self.image, slot = self.bundle / IMAGE, folder / "slot"
        self.image.write_bytes(bytes(SLOT_SIZE))
        slot.write_bytes(bytes(SLOT_SIZE))
        self.told = {"RAUC_TARGET_SLOTS": "2", "RAUC_IMAGE_NAME_2": IMAGE, "RAUC_SLOT_DEVICE_1": "/dev/null",
                     "RAUC_SLOT_DEVICE_2": str(slot)}

    def ask(self, options=None, env=None):
        own = ["--running", self.running, "--floor", self.floor, "--bundle", self.bundle]
        done = subprocess.run([PROGRAM, *(own if options is None else options)], env=self.told if env is None else env,
                              capture_output=True, text=True, timeout=10, check=False)
        assert not SANITIZER_COMPLAINT.search(done.stderr), done.stderr
        return done


def release(version, counter=1):
    return f"{version}+security.{counter}\n"


@pytest.mark.parametrize("running, floor, bundle, kept", [
    (release("1.2.0"), None, release("1.2.0"), release("1.2.0")),  # the first update, a repair
    (release("1.2.0"), release("1.2.0"), release("1.10.0"), release("1.2.0")),
    (release("1.2.0"), release("1.1.0"), release("1.2.1"), release("1.2.0")),
    (release("1.2.0", 3), release("1.3.0", 2), release("1.3.0", 3), release("1.3.0", 3)),
    (release("1.2.0"), "rubbish", release("1.2.0"), release("1.2.0")),
    (release("1.2.0"), "", release("1.2.0"), release("1.2.0")),
    (release("1.2.0"), release("1.2.0").strip(), release("1.2.0").strip(), release("1.2.0").strip()),
])
def test_what_is_not_below_the_floor_may_be_installed(tmp_path, running, floor, bundle, kept):
    box = Box(tmp_path, running, floor, bundle)
    done = box.ask()
    assert (done.returncode, done.stdout) == (0, ""), done
    assert ("cannot be read" in done.stderr) == (floor in ("rubbish", "")), done
    assert box.floor.read_text() == kept
    assert [path.name for path in box.floor.parent.iterdir()] == ["floor"]


@pytest.mark.parametrize("running, floor, bundle, why, kept", [
    (release("1.2.0"), None, release("1.1.9"), "1.1.9+security.1 is older", release("1.2.0")),
    (release("1.2.0"), release("1.3.0"), release("1.2.5"), "nothing below 1.3.0+security.1", release("1.3.0")),
    (release("1.2.0", 2), release("1.2.0"), release("2.0.0"), "2.0.0+security.1 has a flaw", release("1.2.0", 2)),
    (release("1.2.0", 2), "rubbish", release("1.2.0"), "nothing below 1.2.0+security.2", release("1.2.0", 2)),
    (release("1.2.0"), None, None, "release cannot be found", release("1.2.0")),
    (release("1.2.0"), None, "", "none in its file 'release'", release("1.2.0")),
    (release("1.2.0"), None, "9.9.9", "none in its file 'release'", release("1.2.0")),
    (release("1.2.0"), None, release("9.9.9") * 2, "none in its file 'release'", release("1.2.0")),
    (release("1.2.0"), None, release("9.9.9") + "\0", "none in its file 'release'", release("1.2.0")),
    (release("1.2.0"), None, "9" * 1000, "none in its file 'release'", release("1.2.0")),
    (None, release("1.2.0"), release("1.2.0"), "running release cannot be read", release("1.2.0")),
    ("rubbish", release("1.2.0"), release("1.2.0"), "running release cannot be read", release("1.2.0")),
])
def test_anything_else_is_refused_and_said(tmp_path, running, floor, bundle, why, kept):
    box = Box(tmp_path, running, floor, bundle)
    done = box.ask()
    assert (done.returncode, done.stdout) == (1, ""), done
    last = done.stderr.splitlines()[-1]
    assert last.startswith("smart-connect-floor: ") and why in last, done
    assert box.floor.read_text() == kept


def link(path):
    path.rename(path.parent.parent / "elsewhere")
    path.symlink_to(path.parent.parent / "elsewhere")


def make_socket(path):
    path.unlink()
    here = os.getcwd()
    os.chdir(path.parent)  # a socket's path has a short limit
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(path.name)
    os.chdir(here)


def make_pipe(path):
    path.unlink()
    os.mkfifo(path)


def make_folder(path):
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("change", [link, make_socket, make_pipe, make_folder, os.unlink])
@pytest.mark.parametrize("name", [IMAGE, "release", "manifest.raucm"])
def test_a_bundle_holds_three_regular_files(tmp_path, name, change):
    box = Box(tmp_path, release("1.2.0"), None, release("1.2.0"))
    change(box.bundle / name)
    done = box.ask()
    why = "cannot be found: No such file" if change is os.unlink else "is no regular file"
    assert done.returncode == 1 and why in done.stderr and ("image" if name == IMAGE else name) in done.stderr, done


@pytest.mark.parametrize("name", ["hook.sh", ".hidden", "rootfs.ext4.block-hash-index", "rootfs.EXT4"])
def test_a_bundle_holds_nothing_else(tmp_path, name):
    box = Box(tmp_path, release("1.2.0"), None, release("1.2.0"))
    (box.bundle / name).touch()
    done = box.ask()
    assert done.returncode == 1 and "holds more than its manifest, its release and one image" in done.stderr, done


@pytest.mark.parametrize("image", ["/rootfs.ext4", "../bundle/rootfs.ext4", "./rootfs.ext4", "a/b"])
def test_an_image_lies_in_its_bundle(tmp_path, image):
    box = Box(tmp_path, release("1.2.0"), None, release("1.2.0"))
    box.told["RAUC_IMAGE_NAME_2"] = image
    done = box.ask()
    assert done.returncode == 1 and "said to lie elsewhere" in done.stderr, done


def test_an_image_fits_into_its_slot(tmp_path):
    box = Box(tmp_path, release("1.2.0"), None, release("1.2.0"))
    with open(box.image, "ab") as grown:
        grown.write(b"x")
    done = box.ask()
    assert done.returncode == 1 and "has 8193 bytes, its slot only 8192" in done.stderr, done


@pytest.mark.parametrize("told, why", [
    ({"RAUC_TARGET_SLOTS": "1 2"}, "not just one slot"),
    ({"RAUC_TARGET_SLOTS": ""}, "not just one slot"),
    ({"RAUC_TARGET_SLOTS": "1"}, "RAUC_IMAGE_NAME_1"),
    ({"RAUC_SLOT_DEVICE_2": "/nonexistent"}, "the slot /nonexistent cannot be read: No such file"),
    ({"RAUC_IMAGE_NAME_2": ""}, "image cannot be found"),
    ({"RAUC_IMAGE_NAME_2": "."}, "no regular file"),
])
def test_what_rauc_tells_is_needed(tmp_path, told, why):
    box = Box(tmp_path, release("1.2.0"), None, release("1.2.0"))
    done = box.ask(env={**box.told, **told})
    assert done.returncode == 1 and why in done.stderr, done


def test_a_bundle_that_is_not_there_is_refused(tmp_path):
    box = Box(tmp_path, release("1.2.0"), None, release("1.2.0"))
    box.bundle = tmp_path / "nonexistent"
    done = box.ask()
    assert done.returncode == 1 and "the bundle cannot be read: No such file" in done.stderr, done


@pytest.mark.parametrize("argument", ["", "--help", "--nonsense", "--running={running}"])
def test_a_bundle_has_no_say_in_the_options(tmp_path, argument):
    """RAUC hands over what a manifest says, as one argument."""
    box = Box(tmp_path, release("1.2.0"), None, release("1.2.0"))
    done = box.ask([argument.format(running=box.running)], {**box.told, "RAUC_UPDATE_SOURCE": str(box.bundle)})
    assert done.returncode == 1 and "running release cannot be read from /usr/lib/smart-connect/release" in done.stderr, done


def test_everybody_may_read_the_floor(tmp_path):
    box = Box(tmp_path, release("1.2.0"), None, release("1.2.0"))
    box.ask()
    assert box.floor.stat().st_mode & 0o777 == 0o644


def test_a_floor_that_cannot_be_kept_lets_nothing_pass(tmp_path):
    box = Box(tmp_path, release("1.2.0"), None, release("1.2.0"))
    box.floor = pathlib.Path("/dev/null/floor")
    done = box.ask()
    assert done.returncode == 1 and "cannot be kept in /dev/null/floor: Not a directory" in done.stderr, done


def test_a_floor_that_need_not_change_is_not_written(tmp_path):
    box = Box(tmp_path, release("1.2.0"), release("1.2.0"), release("1.2.0"))
    before = box.floor.stat()
    assert box.ask().returncode == 0
    assert (box.floor.stat().st_ino, box.floor.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize("options, said", [
    (["--bundle"], "requires an argument"),
    (["--nonsense"], "unrecognized option"),
    (["more"], "'more' means nothing here"),
    ([], "which bundle?"),
])
def test_wrong_usage_is_said(tmp_path, options, said):
    done = Box(tmp_path, release("1.2.0"), None, release("1.2.0")).ask(options)
    assert done.returncode == 2 and said in done.stderr, done
