"""A box with two slots, whose disks outlive the machine: an emulated PC (box_guest_kit), on it what guest/slots_start plays
or starts, and the real gateway, D-Bus and RAUC.

    maker = Releases(folder)
    box = SlotBox(folder / "box", maker, maker.release("0.1.0"))
    box.on(), box.wait_up(), box.firmware()
    box.install(maker.release("0.2.0"))     # by upload, until it asks for its restart
    box.photograph(folder / "now")          # the disks as they would be if the power went now
    box.cut()                               # the power goes; the data disk is looked at
    box.on()

A slot holds `release`, random content and what slots_start looks for: `meter` (a URL), `dead`, `before`, `after` (shell).
"""
import dataclasses
import hashlib
import json
import os
import pathlib
import random
import shlex
import shutil
import signal
import subprocess
import tempfile

from box_guest_kit import BoxGuest, wait_until
from guest_kit import RECIPE, need
from harness import DEADLINE, PROGRAM, SOURCES, Gateway
from https_client import Https, login_of
from update_box_kit import HANDLER
from update_kit import COMPATIBLE, SYSTEM, Maker, slots, tool

LOGIND = os.environ.get("REBOOTS_ON_BUS", str(SOURCES / "build" / "tests" / "reboots_on_bus"))
EDITENV = SOURCES / "packaging" / "image" / "overlay" / "usr" / "lib" / "smart-connect" / "image" / "bin"
TOOLS = ("rauc", "grub-editenv", "dbus-daemon", "setpriv", "mksquashfs", "openssl", "mkfs.ext4", "e2fsck", "debugfs", "curl")
MODULES = ("virtio_blk", "ext4", "loop", "dm_mod", "dm_verity", "squashfs")
ATTEMPTS = 3  # of a slot, to start a system that proves itself
SLOT_SIZE, CONTENT_SIZE, DATA_SIZE = 12 << 20, 4 << 20, 64 << 20
ADDRESS, FIRMWARE = "127.0.0.1:8443", "/api/v1/firmware"
IDENTITY = ("serial", "login", "label", "device.key", "device.crt", "web.key", "web.crt")
SETTINGS = {"Modbus": {"WordOrder": "normal"}}
LIVE_METER = "sim:dsmr50"
OPTIONS = ("--update", "rauc", "--update-trial-s", "30", "--http", "off", "--https", ADDRESS,
           "--modbus", "127.0.0.1:1502", "--mdns", "off")
AT_FIRST = {"ORDER": "A B", "A_OK": "1", "A_TRY": "0", "B_OK": "0", "B_TRY": "0"}
SLOTS = slots(HANDLER, "/dev/vda", "/dev/vdb")
BOOTLOADER = """bootloader=grub
grubenv=/data/grubenv
statusfile=/data/rauc/status.raucs
"""


@dataclasses.dataclass
class Release:
    name: str
    image: pathlib.Path
    bundle: pathlib.Path
    digest: str

    def forget(self):
        """Its files: there may be hundreds."""
        self.image.unlink()
        self.bundle.unlink()


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


class Releases:
    """Makes systems and their bundles.  They have to be there before a machine boots."""

    def __init__(self, folder):
        need(TOOLS)
        self.folder, self.maker, self.made = folder, Maker(folder), 0
        self.keyring = self.maker.keyring

    def release(self, version, meter=LIVE_METER, **files):
        """`files`: name -> text."""
        self.made += 1
        name = f"{version}+security.1"
        image, bundle = self.folder / f"{self.made}.ext4", self.folder / f"{self.made}.raucb"
        with tempfile.TemporaryDirectory(dir=self.folder) as tree:
            tree = pathlib.Path(tree)
            for file, text in {"release": name + "\n", "meter": meter, **files}.items():
                (tree / file).write_text(text)
            (tree / "content").write_bytes(random.Random(self.made).randbytes(CONTENT_SIZE))
            make_disk(image, SLOT_SIZE, tree)
        tool(SOURCES / "tools" / "make-bundle", "--key", self.maker.signer.key, "--cert", self.maker.signer.certificate,
             "--compatible", COMPATIBLE, "--release", name, "--image", image, bundle)
        return Release(name, image, bundle, digest(image))


def make_disk(path, size, tree):
    with open(path, "wb") as disk:
        disk.truncate(size)
    tool("mkfs.ext4", "-q", "-F", "-d", tree, path)


class Disks:
    """Of a box without power: two slots, and what lasts."""

    def __init__(self, folder):
        self.folder, self.paths = folder, {name: folder / f"{name}.disk" for name in ("A", "B", "data")}

    def copy(self, folder):
        folder.mkdir()
        tool("cp", "--sparse=always", *self.paths.values(), folder)
        return Disks(folder)

    def mend(self):
        """The file system must be whole once its journal is replayed."""
        for option, good in (("-fp", (0, 1)), ("-fn", (0,))):
            done = subprocess.run(["e2fsck", option, self.paths["data"]], capture_output=True, text=True, check=False)
            assert done.returncode in good, done

    def kept(self):
        """The files of the data disk: path -> bytes."""
        with tempfile.TemporaryDirectory(dir=self.folder) as out:
            tool("debugfs", "-R", f"rdump / {out}", self.paths["data"])
            out = pathlib.Path(out)
            return {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()}

    def digest(self, slot):
        """Of what fills a slot."""
        return digest(self.paths[slot])


def chosen(grubenv):
    """The slot that the boot loader would start, as packaging/image/grub.cfg and guest/slots_start choose it."""
    said = dict(line.split("=", 1) for line in grubenv.decode().splitlines() if "=" in line)
    whole = [slot for slot in said["ORDER"].split() if said[f"{slot}_OK"] == "1"]
    return next((slot for slot in whole if int(said[f"{slot}_TRY"]) < ATTEMPTS), whole[0])


class SlotBox:
    """`release` is in slot A; nothing is in B.  The user has changed a setting."""

    def __init__(self, folder, releases, release):
        folder.mkdir()
        self.folder, self.guest, self.disks = folder, None, Disks(folder)
        self.disks.paths["A"].write_bytes(release.image.read_bytes())
        with open(self.disks.paths["B"], "wb") as disk:
            disk.truncate(SLOT_SIZE)
        self.make_data(folder / "tree")
        (folder / "system.conf").write_text(SYSTEM.format(keyring=releases.keyring, bootloader=BOOTLOADER) + SLOTS)
        words = {"PROGRAM": PROGRAM, "LOGIND": LOGIND, "EDITENV": EDITENV, "OPTIONS": " ".join(OPTIONS)}
        (folder / "programs").write_text("".join(f"{name}={shlex.quote(str(word))}\n" for name, word in words.items()))

    def make_data(self, tree):
        state = tree / "state"
        for path in (state, tree / "update", tree / "rauc"):
            path.mkdir(parents=True)
        tool("grub-editenv", tree / "grubenv", "create")
        tool("grub-editenv", tree / "grubenv", "set", *[f"{name}={value}" for name, value in AT_FIRST.items()])
        server = Gateway(self.folder, LIVE_METER, "--state", str(state), "--http", "127.0.0.1:0", "--https", "127.0.0.1:0",
                         "--mdns", "off")
        self.login = login_of(state)
        with Https(server, self.login) as user:
            answer = user.request("PATCH", "/api/v1/config", json.dumps(SETTINGS).encode())
        assert answer.status == 200, answer
        server.stop()
        make_disk(self.disks.paths["data"], DATA_SIZE, tree)

    # --- power ---------------------------------------------------------------------------------

    def on(self, proven=None):
        """Boots, up to the choice of a slot: which, and the release in it.  `proven`: a release that, if it is that one, is
        called good at once, for which the gateway takes twenty seconds."""
        boot = self.folder / "boot"
        shutil.rmtree(boot, ignore_errors=True)
        boot.mkdir()
        self.guest = BoxGuest(boot, MODULES, self.disks.paths.values())
        self.guest.shell("mkdir -p /data /slot")
        self.say(shlex.join([str(RECIPE / "slots_start"), str(self.folder), *([proven.name] if proven else [])]))
        return tuple(word.decode() for word in self.heard(r"slot (\w) (\S+)\n").groups())

    def wait_up(self):
        self.heard(r"up \w\n(?s:.*)exit 0")

    def cut(self):
        """The power goes.  What the guest has written is in its disks, that is, in our page cache; what it has not is lost."""
        self.guest.end(signal.SIGKILL)
        self.guest.off()
        self.guest = None
        self.disks.mend()

    def photograph(self, folder):
        """Disks as a cut would leave them at this moment; the box, which stands still for it, goes on."""
        self.guest.popen.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.guest.pid, os.WSTOPPED)
        try:
            return self.disks.copy(folder)
        finally:
            self.guest.popen.send_signal(signal.SIGCONT)

    # --- asked ---------------------------------------------------------------------------------

    def say(self, command):
        """To the guest's shell, without waiting for its end."""
        self.guest.ends["console"].sendall(command.encode() + b"\n")

    def heard(self, pattern, seconds=3 * DEADLINE):
        return self.guest.heard(pattern.encode(), seconds)

    def curl(self, *options, path=FIRMWARE):
        return shlex.join(["curl", "-sSk", "-u", f"user:{self.login}", *options, f"https://{ADDRESS}{path}"])

    def ask(self, path):
        """A machine that is busy with others may be too slow for a handshake."""
        return json.loads(self.guest.shell(self.curl("--retry", "3", "--retry-all-errors", path=path)))

    def firmware(self):
        """What the API says of updates, once RAUC has told of its slots."""
        return wait_until(lambda: (said := self.ask(FIRMWARE))["Slots"] and said, "the slots")

    def upload(self, release):
        return self.curl("-H", "Content-Type: application/octet-stream", "--data-binary", f"@{release.bundle}",
                         "-o", "/run/answer", "-w", "answer %{http_code}\\n")

    def install(self, release):
        """By upload, until the box asks for its restart."""
        said = self.guest.shell(self.upload(release))
        assert said == "answer 202\n", (said, self.guest.said("answer"), self.log())
        self.heard("reboot\n")

    def log(self):
        return self.guest.said("gateway.err")
