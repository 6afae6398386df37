"""The appliance's image: what it is, how it starts, and what it does with a system that does not start.

Each test begins with a fresh disk in an emulated PC; a start takes about a minute there.
"""
import json
import re
import subprocess
import time

import pytest

from harness import wait_until
from image_kit import (BOOT_SECONDS, FOLDER, Box, Disk, Meter, bundle, edit, image, partitions, rootfs, set_conf,
                       sparse_copy, updated_disk)

# Where a box may listen: the doors of docs/security.md, mDNS, and the ports of a DHCP client.
OPEN = {("tcp", 80), ("tcp", 443), ("tcp", 502), ("udp", 5353), ("udp", 68), ("udp", 546)}


@pytest.fixture
def boxes(tmp_path):
    """boxes(DISK-BASE, ...): a box that is switched on; all are switched off after the test."""
    made = []

    def make(base, meter=None, size=None, **how):
        made.append(Box(tmp_path, Disk(tmp_path, base, f"disk-{len(made)}", size), meter, **how).on())
        return made[-1]
    yield make
    for one in made:
        one.off()


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """A box that was started for the first time, with a meter, on a disk larger than its image."""
    folder = tmp_path_factory.mktemp("running")
    meter = Meter(folder)
    box = Box(folder, Disk(folder, image(), size="4G"), meter).on()
    box.up()
    box.wait_page()
    box.state = box.wait_settled()
    yield box
    box.off()
    meter.end()


# --- what lies on the disk


def debugfs(command):
    done = subprocess.run(["debugfs", "-R", command, rootfs("release")], capture_output=True, text=True, check=True)
    return done.stdout


def content(path):
    return debugfs(f"cat {path}")


def names(folder):
    return {line.split("/")[5] for line in debugfs(f"ls -p {folder}").splitlines() if line.count("/") > 5} - {".", ".."}


def test_an_image_holds_no_identity_and_no_login():
    assert content("/etc/machine-id") == ""
    assert {line.split(":")[1] for line in content("/etc/shadow").splitlines()} <= {"*", "!", "!*"}
    assert not names("/var/lib/smart-connect")
    assert names("/root") <= {".bashrc", ".profile", ".ssh"} and not names("/root/.ssh")
    assert not any(name.startswith("ssh") for name in names("/etc"))
    assert "smart-connect-console.service" not in names("/usr/lib/systemd/system")


def test_an_image_knows_the_authority_of_its_updates_and_no_key():
    keyring = content("/etc/rauc/keyring.pem")
    assert "BEGIN CERTIFICATE" in keyring and "PRIVATE KEY" not in keyring
    wanted = re.fullmatch(r"smart-connect-amd64-(.*)\.raucb", bundle("release").name).group(1)
    assert content("/usr/lib/smart-connect/release") == wanted + "\n"


def test_what_comes_out_serves_the_page_and_talks_to_nobody(boxes):
    """The image as it is shipped."""
    box = boxes(image("release"))
    first = box.wait_page()
    box.machine.ends["console"].sendall(b"\n\n")
    box.machine.ends["console"].settimeout(2)
    said = b""
    with pytest.raises(TimeoutError):
        while True:
            said += box.machine.ends["console"].recv(65536)
    assert b"up\n" not in said and b"login:" not in said and b"#" not in said, said
    box.cut()
    again = box.on().wait_page()
    (FOLDER / "seconds-to-page").write_text(f"first start {first:.1f}\nafter a power cut {again:.1f}\n")


# --- a box that runs


def test_all_that_starts_starts(running):
    assert running.shell("systemctl --failed --no-legend --plain") == ""
    assert running.state == "running"


def test_the_meter_at_the_cable_is_served(running):
    login = running.login()

    def reading():
        status, body = running.ask("GET", "/api/v1/readings", login)
        return status == 200 and json.loads(body)
    shown = wait_until(reading, "a reading", 60)
    assert shown["texts"]["identification"] == "SIM5HOUSE" and shown["phases"] == 3, shown
    assert running.shell("readlink /dev/p1").strip() == "ttyUSB0"


def test_nothing_listens_but_what_is_documented(running):
    """A UDP port that the kernel chose is that of somebody who asks and waits for an answer, as Avahi does."""
    found = set()
    for protocol, state in (("tcp", "0A"), ("tcp6", "0A"), ("udp", "07"), ("udp6", "07")):
        for line in running.run(f"cat /proc/net/{protocol}")[1].splitlines()[1:]:
            fields = line.split()
            address, port = fields[1].split(":")
            loopback = address in ("0100007F", "00000000000000000000000001000000")
            if fields[3] == state and not loopback:
                found.add((protocol[:3], int(port, 16)))
    first, last = map(int, running.shell("cat /proc/sys/net/ipv4/ip_local_port_range").split())
    assert {(protocol, port) for protocol, port in found if protocol == "tcp" or not first <= port <= last} <= OPEN
    assert {("tcp", 80), ("tcp", 443), ("tcp", 502)} <= found


def test_the_root_is_never_written(running):
    assert re.search(r"^\S+ / ext4 ro,", running.shell("cat /proc/mounts"), re.MULTILINE)
    assert running.run("touch /usr/x")[0] != 0


def test_the_data_partition_takes_the_whole_disk(running):
    kib = int(running.shell("df -k --output=size /data | tail -1"))
    assert kib > 2.4 * 1024 * 1024, kib


def test_a_watchdog_is_fed(running):
    assert running.shell("cat /sys/class/watchdog/watchdog0/state").strip() == "active"
    assert "i6300ESB" in running.shell("cat /sys/class/watchdog/watchdog0/identity")


def as_user(name, command):
    return f"setpriv --reuid={name} --regid=nogroup --clear-groups {command}"


def test_only_root_and_the_gateway_may_ask_rauc(running):
    ask = "busctl call de.pengutronix.rauc / de.pengutronix.rauc.Installer GetSlotStatus"
    assert '"rootfs.1"' in running.shell(ask)
    assert running.run(as_user("smart-connect", ask))[0] == 0
    status, said = running.run(as_user("nobody", ask))
    assert status != 0 and "denied" in said.lower(), said


def test_only_the_gateway_may_restart_the_box(running):
    ask = "busctl call org.freedesktop.login1 /org/freedesktop/login1 org.freedesktop.login1.Manager CanReboot"
    assert running.shell(as_user("smart-connect", ask)).strip() == 's "yes"'
    assert running.shell(as_user("nobody", ask)).strip() != 's "yes"'


def test_the_unit_is_as_confined_as_the_package_says(running):
    said = running.shell("systemd-analyze security --no-pager smart-connect.service | tail -1")
    exposure = float(re.search(r"(\d+\.\d+) (OK|SAFE|MEDIUM)", said).group(1))
    assert exposure <= 1.3, said


def test_a_system_has_ten_minutes_to_be_found_good(running):
    assert "smart-connect-trial.service" in running.shell("systemctl list-timers --no-legend --no-pager --plain -l")
    timers = running.shell("systemctl show -P TimersMonotonic smart-connect-trial.timer")
    assert timers.startswith("{ OnBootUSec=10min ;"), timers


# --- restarts (these change the box above, so they come last)


def test_a_restart_keeps_what_must_be_kept(running):
    kept = "cat /etc/machine-id; smart-connect label"
    running.wait_good()
    before = running.shell(kept)
    running.shell("systemctl reboot")
    running.up()
    assert running.env() == {"ORDER": "A B", "A_OK": "1", "A_TRY": "1", "B_OK": "0", "B_TRY": "0"}
    assert running.shell(kept) == before
    assert len(running.shell("journalctl --list-boots --no-pager | grep -v IDX").splitlines()) == 2
    running.wait_good()


def test_an_update_goes_to_the_other_slot_and_is_started(boxes):
    size = bundle().stat().st_size
    box = boxes(image(), extra=["-drive", f"if=virtio,format=raw,readonly=on,file={bundle()}"]).up()
    box.shell(f"head -c {size} /dev/vdb >/data/update.raucb", 300)
    began = time.monotonic()
    said = box.shell("rauc install /data/update.raucb 2>&1", 900)
    assert "succeeded" in said, said
    (FOLDER / "seconds-to-install").write_text(f"{time.monotonic() - began:.1f}\n")
    env = box.env()
    assert (env["ORDER"], env["B_OK"], env["B_TRY"]) == ("B A", "1", "0"), env
    meant = subprocess.run(["sha256sum", rootfs()], capture_output=True, text=True, check=True).stdout.split()[0]
    assert box.shell(f"head -c {rootfs().stat().st_size} /dev/vda3 | sha256sum", 600).split()[0] == meant
    assert box.shell("cat /var/lib/smart-connect-update/floor") == box.shell("cat /usr/lib/smart-connect/release")
    box.shell("systemctl reboot")
    box.up()
    assert (box.slot(), box.env()["B_TRY"]) == ("B", "1")
    box.wait_page()
    box.wait_good()


# --- systems that do not start


def broken(folder, *commands):
    return edit(sparse_copy(rootfs(), folder / "broken.ext4"), *commands)


def test_a_slot_without_a_kernel_is_passed_over_at_once(boxes, tmp_path):
    box = boxes(updated_disk(tmp_path, broken(tmp_path, "rm /boot/vmlinuz"))).up()
    assert (box.slot(), box.env()["B_TRY"]) == ("A", "1")


def test_a_slot_without_init_gets_three_attempts(boxes, tmp_path):
    box = boxes(updated_disk(tmp_path, broken(tmp_path, "rm /usr/lib/systemd/systemd"))).up(2 * BOOT_SECONDS)
    assert (box.slot(), box.env()["B_TRY"]) == ("A", "3")


def test_a_slot_that_nobody_finds_good_gets_three_attempts(boxes, tmp_path):
    careless = set_conf(sparse_copy(rootfs(), tmp_path / "careless.ext4"), tmp_path, "[meter]\nmeter = sim:dsmr50\n")
    box = boxes(updated_disk(tmp_path, careless))
    for attempt in ("1", "2", "3"):
        box.up()
        assert (box.slot(), box.env()["B_TRY"]) == ("B", attempt)
        # what the timer does after ten minutes
        box.machine.ends["console"].sendall(b"systemctl start smart-connect-trial.service\n")
    box.up()
    assert box.slot() == "A"
    box.wait_good()
    box.shell("systemctl start smart-connect-trial.service")
    time.sleep(10)
    assert box.slot() == "A"


def test_when_no_slot_is_left_all_get_their_attempts_again(boxes, tmp_path):
    box = boxes(updated_disk(tmp_path, rootfs(), A_TRY=3, B_TRY=3)).up()
    assert (box.slot(), box.env()["B_TRY"], box.env()["A_TRY"]) == ("B", "1", "0")


# --- what a power cut or a bad disk can leave


def test_lost_variables_of_the_boot_loader_are_made_anew(boxes, tmp_path):
    disk = sparse_copy(image(), tmp_path / "lost.img")
    empty = tmp_path / "empty"
    empty.touch()
    subprocess.run(["mcopy", "-o", "-i", f"{disk}@@{partitions(disk)['esp']}", empty, "::/EFI/smart-connect/grubenv"],
                   check=True)
    box = boxes(disk).up()
    box.shell("systemctl start smart-connect-boot.service")
    assert box.env() == {"ORDER": "A B", "A_OK": "1", "A_TRY": "1", "B_OK": "0", "B_TRY": "0"}
    box.wait_good()


@pytest.mark.parametrize("what", ["zeros", "noise"])
def test_a_data_partition_beyond_repair_is_made_anew(boxes, tmp_path, what):
    disk = sparse_copy(image(), tmp_path / "damaged.img")
    with open(disk, "r+b") as raw, open("/dev/urandom" if what == "noise" else "/dev/zero", "rb") as source:
        raw.seek(partitions(disk)["data"])
        raw.write(source.read(64 * 1024 * 1024))
    box = boxes(disk).up()
    box.wait_page()
    assert " /data ext4 rw" in box.shell("cat /proc/mounts")
