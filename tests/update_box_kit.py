"""A box that is updated: in an emulated PC (box_guest_kit) Debian's RAUC, which runs as on the box, GRUB's environment, two
slots, the floor's handler, and the gateway as a user without rights.

    with box_guest(folder) as guest:
        box = UpdateBox(guest, keys.keyring)
        outcomes = box.install("rauc", [path, ...])     # or "page"
"""
import json
import os
import pathlib
import shlex

from box_guest_kit import PATIENCE, recipe, wait_until
from harness import PROGRAM, SANITIZER_COMPLAINT, SERIAL, SOURCES
from update_kit import SYSTEM, slots

HANDLER = os.environ.get("SMART_CONNECT_FLOOR", str(SOURCES / "build" / "smart-connect-floor"))
TOOLS = ("rauc", "grub-editenv", "dbus-daemon", "busctl", "losetup", "setpriv", "mksquashfs", "openssl")
RUNNING, FLOOR = "/usr/lib/smart-connect/release", "/var/lib/smart-connect-update/floor"
SLOT_SIZE, IMAGE_SIZE = 4 << 20, 1 << 20
RECORD = "update.json"
HTTPS_PORT = 8443
AT_FIRST = {"ORDER": "A B", "A_OK": "1", "A_TRY": "0", "B_OK": "1", "B_TRY": "0"}
BOOTLOADER = """bootloader=grub
grubenv=/run/grubenv
statusfile=/run/rauc.status
"""
OPERATION = "busctl get-property de.pengutronix.rauc / de.pengutronix.rauc.Installer Operation"
SLOTS = slots(HANDLER, "/dev/loop6", "/dev/loop7")


class Outcome:
    """Of one bundle: see guest/updates.py."""

    def __init__(self, said):
        self.ok, self.status, self.state = said["ok"], said.get("status"), said.get("state")
        self.reason = "\n".join([said["reason"] or "", *said["handler"]])
        self.variables, self.written = said["variables"], said["written"]
        self.sha256, self.rest_kept = said["sha256"], said["rest_kept"]
        self.slots, self.racer = said.get("slots"), said.get("racer")

    def __repr__(self):
        return str(self.__dict__)


class UpdateBox:
    """Booted is slot A, which holds the release `running`; B holds an older one that is good."""

    def __init__(self, guest, keyring, running, floor):
        self.guest, self.login = guest, None
        guest.shell("modprobe -a loop dm-mod dm-verity squashfs")
        guest.write("/run/system.conf", SYSTEM.format(keyring=keyring, bootloader=BOOTLOADER) + SLOTS)
        for path, release in ((RUNNING, running), (FLOOR, floor)):
            guest.shell(f"mkdir -p {pathlib.Path(path).parent}")
            guest.write(path, f"{release}\n")
        guest.shell(f"for slot in 6.a 7.b; do head -c {SLOT_SIZE} /dev/urandom >/run/slot.${{slot#*.}} && "
                    "losetup /dev/loop${slot%.*} /run/slot.${slot#*.} || exit; done")
        guest.shell("grub-editenv /run/grubenv create; "
                    f"grub-editenv /run/grubenv set {shlex.join(f'{name}={value}' for name, value in AT_FIRST.items())}")
        guest.shell("echo smart-connect:x:990:990::/nonexistent:/usr/sbin/nologin >>/etc/passwd; "
                    "echo smart-connect:x:990: >>/etc/group; install -d -o smart-connect -m 700 /run/state")
        guest.shell("mkdir -p /run/dbus /run/rauc; dbus-daemon --system --fork --nopidfile")
        self.start_rauc()

    def start_rauc(self):
        self.guest.spawn("rauc", "rauc --conf=/run/system.conf --mount=/run/rauc --override-boot-slot=A service")
        wait_until(lambda: self.guest.run(f"{OPERATION} --auto-start=no")[0] == 0 or not self.guest.lives("rauc"), "RAUC")
        assert self.guest.lives("rauc"), self.guest.said("rauc.err")

    def start_gateway(self):
        """As the user smart-connect, with its page for this machine alone."""
        self.guest.spawn("gateway", shlex.join(
            ["setpriv", "--reuid=smart-connect", "--regid=smart-connect", "--clear-groups", "--inh-caps=-all", PROGRAM, "run",
             "--config", "/dev/null", "--serial", SERIAL, "--meter", "sim:dsmr50", "--state", "/run/state", "--update", "rauc",
             "--http", "off", "--https", f"127.0.0.1:{HTTPS_PORT}", "--modbus", "127.0.0.1:1502", "--mdns", "off"]))
        wait_until(lambda: "ready " in self.guest.said("gateway.out") or not self.guest.lives("gateway"), "the gateway")
        assert self.guest.lives("gateway"), self.guest.said("gateway.err")
        label = self.guest.shell(shlex.join([PROGRAM, "label", "--json", "--state", "/run/state"]))
        self.login = json.loads(label)["login"]

    def stop_gateway(self):
        status, said = self.guest.kill("gateway"), self.guest.said("gateway.err")
        assert status == 0 and not SANITIZER_COMPLAINT.search(said), f"exit {status}: {said}"

    def forget(self):
        """The gateway begins anew, and knows of no update."""
        self.stop_gateway()
        self.guest.shell(f"rm /run/state/{RECORD}")
        self.start_gateway()

    def install(self, door, bundles, how="each", tries=0, seconds=None):
        """What comes of the bundles, at the page or at RAUC itself: see guest/updates.py.  Slot and environment are put
        back after each."""
        plan = {"slot": "/run/slot.b", "environment": "/run/grubenv", "log": "/run/rauc.out", "image_size": IMAGE_SIZE,
                "bundles": [str(path) for path in bundles], "how": how, "tries": tries}
        if door == "page":
            plan |= {"page": {"port": HTTPS_PORT, "login": self.login}, "pid": self.guest.said("gateway.pid").strip()}
        self.guest.write("/run/plan", json.dumps(plan))
        said = self.guest.shell(f"/usr/bin/python3 -B {recipe('updates.py')} /run/plan",
                                seconds or PATIENCE + 5 * (len(bundles) + tries))
        return [Outcome(json.loads(line)) for line in said.splitlines()]
