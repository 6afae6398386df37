"""The appliance's image in an emulated PC: QEMU with UEFI, without KVM.

`make test-image` makes the images and names their folder in $IMAGE.  Disks are layers over the image (qcow2), so each
test begins with a fresh one, or with what another has left.  The shell on the serial port is what the debug image adds
(packaging/image/add-console); everything else is as on a box.
"""
import http.client
import json
import os
import pathlib
import shutil
import signal
import subprocess
import time

import pytest

from guest_kit import Console, Monitor, need
from harness import PROGRAM, SOURCES, Process, free_port, wait_until
from https_client import CONTEXT, basic

FOLDER = pathlib.Path(os.environ.get("IMAGE", SOURCES / "build" / "image")).resolve()
ARCH = "amd64"
FIRMWARE, VARIABLES = (pathlib.Path("/usr/share/OVMF") / name for name in ("OVMF_CODE_4M.fd", "OVMF_VARS_4M.fd"))
TOOLS = ("qemu-system-x86_64", "qemu-img")
BOOT_SECONDS = 600  # that a busy machine may need for what takes one of its own a minute
GRUBENV = "/boot/efi/EFI/smart-connect/grubenv"
ADDRESS = "10.0.2.15"  # that QEMU gives the box
INNER_PORTS = {"http": 80, "https": 443, "modbus": 502}


def image(kind="debug"):
    """The disk of a box; skips where none was made."""
    need(TOOLS)
    path = FOLDER / ("debug" if kind == "debug" else "") / f"smart-connect-{ARCH}.img"
    if not path.exists():
        pytest.skip(f"no {path}: make test-image makes it")
    if not FIRMWARE.exists():
        pytest.skip("no UEFI firmware: run ./bootstrap image")
    return path


def bundle(kind="debug"):
    """The update of that disk."""
    image(kind)
    found = list((FOLDER / ("debug" if kind == "debug" else "")).glob(f"smart-connect-{ARCH}-*.raucb"))
    assert len(found) == 1, found
    return found[0]


def rootfs(kind="debug"):
    """The root file system of that disk."""
    return image(kind).with_name(f"rootfs-{ARCH}.ext4")


def sparse_copy(source, target):
    subprocess.run(["cp", "--sparse=always", source, target], check=True)
    return target


def edit(file_system, *commands):
    """Changes a root file system: lines of debugfs."""
    done = subprocess.run(["debugfs", "-w", "-f", "-", file_system], input="\n".join(commands), capture_output=True,
                          text=True, check=True)
    complaints = [line for line in done.stderr.splitlines() if not line.startswith("debugfs ")]
    assert not complaints, complaints
    return file_system


def partitions(disk):
    """Where the partitions of a raw disk begin, in bytes, by name."""
    listed = subprocess.run(["sfdisk", "--json", disk], capture_output=True, check=True)
    table = json.loads(listed.stdout)["partitiontable"]
    return {part["name"]: part["start"] * table["sectorsize"] for part in table["partitions"]}


def write_at(disk, start, source):
    """Puts a file into a raw disk; holes of the file stay as they are."""
    subprocess.run(["dd", f"if={source}", f"of={disk}", "bs=1M", f"seek={start}", "oflag=seek_bytes",
                    "conv=notrunc,sparse", "status=none"], check=True)


def env_on(disk, folder, **variables):
    """Sets variables of the boot loader on a raw disk: A_TRY="2"."""
    esp, copy = f"{disk}@@{partitions(disk)['esp']}", folder / "grubenv"
    subprocess.run(["mcopy", "-n", "-o", "-i", esp, "::/EFI/smart-connect/grubenv", copy], check=True)
    subprocess.run(["grub-editenv", copy, "set", *(f"{name}={value}" for name, value in variables.items())], check=True)
    subprocess.run(["mcopy", "-o", "-i", esp, copy, "::/EFI/smart-connect/grubenv"], check=True)


def set_conf(file_system, folder, text):
    """Gives a root file system another device file."""
    conf = folder / "smart-connect.conf"
    conf.write_text(text)
    return edit(file_system, "rm /etc/smart-connect/smart-connect.conf",
                f"write {conf} /etc/smart-connect/smart-connect.conf")


def updated_disk(folder, slot_b, **variables):
    """A raw disk as after an update: `slot_b`, a root file system, is next; variables of the boot loader as given."""
    disk = sparse_copy(image(), folder / "updated.img")
    write_at(disk, partitions(disk)["rootfs-b"], slot_b)
    env_on(disk, folder, **{"ORDER": "B A", "A_OK": 1, "A_TRY": 0, "B_OK": 1, "B_TRY": 0, **variables})
    return disk


class Meter(Process):
    """A simulated meter that listens for the box's cable."""

    def __init__(self, folder, profile="dsmr50"):
        self.port = free_port()
        super().__init__(folder, "meter", [PROGRAM, "simulate", "--profile", profile, "--to",
                                           f"tcp:127.0.0.1:{self.port}"])


class Disk:
    """A disk that begins as `base`, an image or another disk, which must not be written any more."""

    def __init__(self, folder, base, name="disk", size=None):
        self.path, self.variables = folder / f"{name}.qcow2", folder / f"{name}.uefi"
        kind = "qcow2" if str(base).endswith(".qcow2") else "raw"
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", base, "-F", kind, self.path,
                        *([size] if size else [])], check=True)
        shutil.copy(VARIABLES, self.variables)


class Box:
    """A box with its disk: switched on and off, its ports reached from here, its shell where the image has one.
    `extra` are further options of QEMU."""

    def __init__(self, folder, disk, meter=None, extra=()):
        self.folder, self.disk, self.meter, self.extra = folder, disk, meter, list(extra)
        self.ports = {name: free_port() for name in INNER_PORTS}
        self.machine, self.boots = None, 0

    def on(self):
        """Power on; returns at once."""
        forwards = "".join(f",hostfwd=tcp:127.0.0.1:{port}-:{INNER_PORTS[name]}" for name, port in self.ports.items())
        command = ["qemu-system-x86_64", "-M", "q35", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2",
                   "-m", "512", "-nodefaults", "-no-user-config", "-display", "none",
                   "-drive", f"if=pflash,format=raw,readonly=on,file={FIRMWARE}",
                   "-drive", f"if=pflash,format=raw,file={self.disk.variables}",
                   "-drive", f"if=virtio,format=qcow2,file={self.disk.path}",
                   "-device", "i6300esb", "-action", "watchdog=reset",
                   "-netdev", f"user,id=lan{forwards}", "-device", "virtio-net-pci,netdev=lan,romfile=",
                   "-device", "virtio-rng-pci", "-serial", "chardev:console", "-mon", "chardev=monitor,mode=control"]
        if self.meter:
            command += ["-device", "qemu-xhci", "-device", "usb-serial,chardev=meter", "-chardev",
                        f"socket,id=meter,host=127.0.0.1,port={self.meter.port},reconnect=1"]
        self.boots += 1
        self.machine = Console(self.folder, f"box-{self.boots}", [*command, *self.extra], ["monitor"])
        self.monitor = Monitor(self.machine.ends["monitor"])
        self.switched_on = time.monotonic()
        return self

    def up(self, seconds=BOOT_SECONDS):
        """Waits for the shell of a box that was switched on, or restarts."""
        self.machine.wait_up(seconds)
        return self

    def shell(self, command, seconds=120):
        return self.machine.shell(command, seconds)

    def run(self, command, seconds=120):
        return self.machine.run(command, seconds)

    def cut(self):
        """The power fails."""
        self.machine.off(signal.SIGKILL)

    def off(self):
        """Ends it if it runs."""
        if self.machine and self.machine.running():
            self.cut()

    # --- what the box tells

    def env(self):
        """The boot loader's variables."""
        lines = self.shell(f"systemctl start boot-efi.mount && grub-editenv {GRUBENV} list").splitlines()
        return dict(line.split("=", 1) for line in lines)

    def slot(self):
        return self.shell("sed -n 's/.*rauc.slot=\\([AB]\\).*/\\1/p' /proc/cmdline").strip()

    def wait_good(self, seconds=BOOT_SECONDS):
        """Until the gateway found the running system good."""
        counter = f"{self.slot()}_TRY"
        wait_until(lambda: self.env()[counter] == "0", "the system is found good", seconds)

    def login(self):
        return json.loads(self.shell("smart-connect label --json"))["login"]

    def ask(self, method, path, login=None, body=None, **headers):
        """A request at the HTTPS door: status and body.  OSError while nobody is there."""
        connection = http.client.HTTPSConnection("127.0.0.1", self.ports["https"], context=CONTEXT, timeout=60)
        try:
            fields = {"Host": ADDRESS, **({"Authorization": basic(login)} if login else {}), **headers}
            connection.request(method, path, body, fields)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except http.client.HTTPException as broken:
            raise OSError(f"no answer: {broken}") from broken
        finally:
            connection.close()

    def page_served(self):
        """Is the page there?  Without a login: 401."""
        try:
            return self.ask("GET", "/config")[0] == 401
        except OSError:
            return False

    def wait_page(self, seconds=BOOT_SECONDS):
        """Seconds from power-on to the page."""
        wait_until(self.page_served, "the page is served", seconds)
        return time.monotonic() - self.switched_on

    def wait_settled(self, seconds=BOOT_SECONDS):
        """Until all that starts has started: `running`, or what failed."""
        state = wait_until(lambda: (s := self.run("systemctl is-system-running")[1].strip()) not in
                           ("initializing", "starting", "") and s, "the system has started", seconds)
        return state
