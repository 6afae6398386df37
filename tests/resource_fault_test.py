"""What a machine may run out of: descriptors, room on the disk, a disk that can be written, a loop that turns.

All doors are busy when it happens. Nothing spins and nothing floods the log, live readings go on, and all comes back by
itself. Modbus and HTTPS alone without descriptors: modbus_tcp_test, http_hostile_test; settings on a full disk:
settings_test. FAULTS=all also waits for what is tried again each half minute, or minute.
"""
import contextlib
import errno
import os
import pathlib
import resource
import shutil
import socket
import time

import pytest

from crash.kit import allow_tracing
from faults.memory import LONG
from figures import note
from harness import LIBC, Gate, eager_state, marked, wait_until
from https_client import door
from page_kit import CONFIG, FIRMWARE, Events, assert_problem, fixture_box, fixture_metered, needs_root  # noqa: F401
from rauc_kit import TOOLS, fixture_downloads, fixture_rauc  # noqa: F401
from settings_test import fixture_small_disk  # noqa: F401

LIVE, LATE = "data/power_instant", "data/power_instant_late"
DISK_RETRY_S, BUS_RETRY_S = 30, 60
CPU, LOG_LINES = 0.05, 12  # of a processor; of all that goes wrong

needs_rauc = pytest.mark.skipif(os.geteuid() != 0 or not all(map(shutil.which, TOOLS)),
                                reason=f"needs root, and {', '.join(TOOLS)}: ./bootstrap test")


class House:
    """A meter that counts, a box, and a broker behind a gate."""

    def __init__(self, folder, meter, metered, broker, subscriber, *options, **how):
        self.meter, self.gate, self.telegram = meter, Gate(broker.port), 0
        self.watch = subscriber(broker)
        eager_state(folder)
        self.box = metered("--stale-after", "3600", "--mqtt", self.gate.url, *options, **how)
        self.server = self.box.server
        self.send()
        self.server.wait_served()
        self.server.wait_log("mqtt: connected")

    def send(self, times=1, pace_s=0.01):
        for _ in range(times):
            self.telegram += 1
            self.meter.send(marked(self.telegram))
            time.sleep(pace_s)

    def assert_live(self, client):
        """The next telegram is the one Modbus has."""
        self.send()
        wait_until(lambda: client.floats(0x8016, 1) == [self.telegram], "the telegram in the registers")

    def leave_broker(self):
        """With nothing on its way: what was not acknowledged may have arrived, and counts as lost all the same."""
        wait_until(lambda: len(self.arrived()) == self.telegram and
                   self.box.state()["Counters"]["mqtt_send_pass"] >= len(self.watch.messages), "all acknowledged")
        self.gate.shut()
        self.server.wait_log("trying again")

    def arrived(self):
        return {m.json()["P"] for m in self.watch.of(LIVE) + self.watch.of(LATE)}

    def dropped(self):
        return self.box.state()["Counters"]["mqtt_dropped"]

    def mqtt(self):
        return self.box.state()["MQTT"]

    def all_arrive(self, dropped=0):
        """But those that are counted as lost, which are the oldest."""
        wait_until(lambda: len(self.arrived()) >= self.telegram - dropped, f"{self.telegram} - {dropped} readings", 90)
        assert len(self.arrived()) == self.telegram - dropped


def busy(server, seconds):
    """Of a processor."""
    before = server.cpu_seconds()
    time.sleep(seconds)
    return (server.cpu_seconds() - before) / seconds


# --- descriptors -------------------------------------------------------------------------------

@contextlib.contextmanager
def no_descriptors(server):
    """What is open stays, and no more can be opened."""
    usual = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (3, usual[1]))
    yield
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, usual)


@contextlib.contextmanager
def pending(*ports):
    """Some who want in."""
    with contextlib.ExitStack() as stack:
        for port in ports:
            for _ in range(3):
                one = stack.enter_context(socket.socket())
                one.setblocking(False)
                assert one.connect_ex(("127.0.0.1", port)) in (0, errno.EINPROGRESS)
        yield


def fetch(house, downloads):
    """An update from a server: the answer's status."""
    return house.box.user.request("POST", FIRMWARE, {"Url": downloads.offer("/bundle", bytes(5000))}).status


@needs_rauc
def test_no_descriptors_at_every_door(tmp_path, tcp_meter, metered, broker, subscriber, rauc, downloads):  # noqa: F811
    """The meter's input, the broker, a save, what waits on disk, a stream, a download; with FAULTS=all also the bus."""
    house = House(tmp_path / "state", tcp_meter, metered, broker(), subscriber, *rauc.options, "--update-fetch",
                  downloads.socket, env=rauc.env)
    server, user = house.server, house.box.user
    wait_until(lambda: house.box.get(FIRMWARE)["Slots"], "the slots")
    port = int(house.box.state()["Modbus"]["Address"].rpartition(":")[2])
    lines = len(server.stderr().splitlines())
    with server.client() as client, Events(house.box) as events, no_descriptors(server):
        house.leave_broker()
        house.send(30)
        house.assert_live(client)
        assert_problem(user.request("PATCH", CONFIG, {"MQTT": {"Site": "new"}}), 500)
        assert fetch(house, downloads) == 503
        assert house.box.get(CONFIG)["MQTT"]["Site"] != "new"
        events.wait("reading", lambda one: True)
        server.wait_log("cannot be kept on disk")
        tcp_meter.hang_up()
        if LONG:
            rauc.service.end()
            rauc.bus.end()
        with pending(port, door(server)):
            share = busy(server, 2)
        assert share < CPU and client.floats(0x8016, 1) == [house.telegram]
        said = len(server.stderr().splitlines()) - lines
        assert said < LOG_LINES, "no flood in the log"
    begin = time.monotonic()
    house.gate.open()
    tcp_meter.accept()
    with server.client() as client:
        house.assert_live(client)
    assert user.request("PATCH", CONFIG, {"Meter": {"StaleAfter": 3000}}).status == 200
    house.all_arrive(house.dropped())
    if LONG:
        rauc.start_bus()
        rauc.start()
        wait_until(lambda: house.box.get(FIRMWARE)["Slots"], "the bus again", BUS_RETRY_S + 15)
    assert fetch(house, downloads) == 202
    wait_until(lambda: house.box.get(FIRMWARE)["State"] == "idle", "the end of the download")
    note("faults", "no descriptors, all doors busy", f"{100 * share:.1f} % of a processor, {said} log lines, all back after "
         f"{time.monotonic() - begin:.0f} s", f"< {100 * CPU:.0f} %, < {LOG_LINES} lines, all back")


# --- the disk ----------------------------------------------------------------------------------

def fill(folder):
    with contextlib.suppress(OSError), open(folder / "filler", "wb", buffering=0) as filler:
        while True:
            filler.write(bytes(512))


# What happens, how it ends again, what a change of settings is answered meanwhile.
TROUBLES = {
    "full": (lambda mount, folder: fill(folder), lambda mount, folder: (folder / "filler").unlink(), 507),
    "read-only": (lambda mount, folder: mount("-o", "remount,ro"), lambda mount, folder: mount("-o", "remount,rw"), 500),
}


@needs_root
@pytest.mark.parametrize("trouble", TROUBLES)
def test_readings_that_wait_on_a_disk_that_takes_nothing(tmp_path, tcp_meter, metered, broker, subscriber, small_disk,
                                                         trouble):
    """They are kept in memory as long as there is room, then the oldest are lost, and counted."""
    begins, ends, status = TROUBLES[trouble]
    assert small_disk("-o", "remount,size=2m")
    house = House(tmp_path / "state", tcp_meter, metered, broker(), subscriber)
    server, folder = house.server, house.box.folder
    begins(small_disk, folder)
    house.leave_broker()
    with server.client() as client:
        house.send(200)
        house.assert_live(client)
        assert_problem(house.box.user.request("PATCH", CONFIG, {"MQTT": {"Site": "new"}}), status)
        server.wait_log("cannot be kept on disk")
        assert house.mqtt()["KeepProblem"] and busy(server, 1) < CPU
        assert len(server.log("cannot be kept on disk")) == 1, "told once"
        wait_until(house.dropped, "a count of what is lost")
        ends(small_disk, folder)
        begin = time.monotonic()
        if LONG:
            wait_until(lambda: not house.mqtt()["KeepProblem"], "the disk is used again", DISK_RETRY_S + 15)
            took = f"used again after {time.monotonic() - begin:.0f} s"
            house.send(200)
        house.assert_live(client)
        assert house.box.user.request("PATCH", CONFIG, {"Meter": {"StaleAfter": 3000}}).status == 200
    time.sleep(0.5)
    dropped = house.dropped()
    house.gate.open()
    house.all_arrive(dropped)
    assert server.running() and 100 < dropped < 201
    if LONG:
        note("faults", f"disk {trouble}, 402 readings that wait", f"{dropped} lost and counted, {took}", "live goes on")


# --- the loop ----------------------------------------------------------------------------------

PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_DETACH = 0x4206, 0x4207, 17


@contextlib.contextmanager
def stopped_loop(server):
    """The thread with the loop stands still; others would go on."""
    assert LIBC.ptrace(PTRACE_SEIZE, server.pid, None, None) == 0 and LIBC.ptrace(PTRACE_INTERRUPT, server.pid, None, None) == 0
    os.waitpid(server.pid, 0x40000000)  # __WALL
    yield
    assert LIBC.ptrace(PTRACE_DETACH, server.pid, None, None) == 0


def test_a_loop_that_stands_still_is_told_to_nobody(gateway, tmp_path):
    """systemd's watchdog hears nothing then, and restarts the gateway; it hears of a loop that turns."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(str(tmp_path / "notify"))
        server = gateway("sim:dsmr50", env={"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "400000"},
                         prepare=allow_tracing)

        def pings(seconds):
            count, end = 0, time.monotonic() + seconds
            while (left := end - time.monotonic()) > 0:
                notify.settimeout(left)
                with contextlib.suppress(socket.timeout):
                    count += b"WATCHDOG=1" in notify.recv(4096)
            return count
        assert pings(1) >= 2
        with stopped_loop(server):
            pings(0.1)  # those that were on their way
            assert pings(1) == 0
        assert pings(1) >= 2
        server.stop()
    unit = pathlib.Path(__file__).parent.parent / "packaging" / "systemd" / "smart-connect.service.in"
    assert "WatchdogSec=" in unit.read_text() and "Restart=" in unit.read_text()
