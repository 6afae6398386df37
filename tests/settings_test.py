"""Settings take effect at once, and last: what a change touches changes, and nothing else notices it."""
import contextlib
import itertools
import json
import os
import signal
import socket
import subprocess
import threading
import time

import pytest

from harness import SERIAL, Client, Closed, floats, free_port, marked, p1, wait_until
from page_kit import (CONFIG, MASK, PASSWORD, READINGS, RESET, Events, assert_problem, connects, needs_root)
from page_kit import fixture_box, fixture_metered  # noqa: F401

# Three phases of which only the first is known, and no voltage: the others are unknown values.
SPARSE = p1("1-3:0.2.8(50)", "1-0:1.7.0(00.273*kW)", "1-0:2.7.0(00.000*kW)", "1-0:31.7.0(007*A)")
TARGET_SILENT = 0x0B


@pytest.fixture(name="connected")
def fixture_connected(metered, broker):
    """connected(OPTION...): a box at a broker, whose connections can be counted: (box, broker)."""
    def make(*options):
        one, at = metered(*options), broker()
        one.patch(MQTT={"Broker": at.url})
        wait_until(lambda: one.state()["MQTT"]["Ok"], "the broker")
        assert connects(at) == 1
        return one, at
    return make


# --- at once -----------------------------------------------------------------------------------

def test_what_is_served_changes_on_an_open_connection(connected, tcp_meter):
    """Word order, unknown values, map: the next answer is the new one, and the broker notices nothing."""
    one, broker = connected("--stale-after", "3600")
    tcp_meter.send(SPARSE)
    one.server.wait_served()
    with one.server.client() as client:
        for order in ("normal", "swapped", "normal"):
            one.patch(Modbus={"WordOrder": order})
            assert client.floats(0x8016, 1, order) == [273]
            assert one.state()["Modbus"]["WordOrder"] == order
        one.patch(Modbus={"WordOrder": "swapped", "Unknown": "nan"})
        assert client.floats(0x8006, 1) != client.floats(0x8006, 1), "a voltage that is not known is NaN"
        one.patch(Modbus={"Unknown": "zero"})
        assert client.floats(0x8006, 1) == [0]
        for name in one.state()["Modbus"]["Maps"]:
            short = name.split("-")[-1].lower()
            assert one.patch(MeterType=short)["MeterType"] == name, "the usual spelling"
            assert one.state()["Modbus"]["Map"] == name
            assert client.exception(3, 0, 2) is None
    assert connects(broker) == 1 and one.state()["MQTT"]["Ok"]
    assert one.get(READINGS)["sequence"] == 1, "the meter's reading is kept"


def test_stale_policy_changes_on_an_open_connection(connected, tcp_meter):
    """All four policies and the limit itself, without another telegram."""
    one, broker = connected("--stale-after", "3600")
    tcp_meter.send(marked(5))
    one.server.wait_served()
    with one.server.client() as client:
        assert client.floats(0x8016, 1) == [5]
        one.patch(Meter={"StaleAfter": 1})
        wait_until(lambda: client.exception(3, 0x8016, 2) == TARGET_SILENT, "the limit", 5)
        one.patch(Modbus={"Stale": "hold"})
        assert client.floats(0x8016, 1) == [5]
        one.patch(Modbus={"Stale": "zero"})
        assert client.floats(0x8016, 1) == [0]
        one.patch(Modbus={"Stale": "high-current", "StaleCurrent": 63})
        assert client.floats(0x800E, 3) == [63] * 3
        one.patch(Modbus={"StaleCurrent": 32})
        assert client.floats(0x800E, 3) == [32] * 3
        one.patch(Modbus={"Stale": "exception"})
        assert client.exception(3, 0x8016, 2) == TARGET_SILENT
        assert one.state()["Meter"]["Stale"] and one.state()["Meter"]["StaleAfter"] == 1
        one.patch(Meter={"StaleAfter": 3600})
        wait_until(lambda: client.exception(3, 0x8016, 2) is None, "fresh again, by the new limit")
        assert client.floats(0x8016, 1) == [5]
    assert connects(broker) == 1


def test_currents_follow_the_setting(metered, tcp_meter):
    """As sent; with the sign of the phase's power; derived from power and voltage: in registers, readings, metrics."""
    export = p1("1-3:0.2.8(50)", "1-0:1.7.0(00.000*kW)", "1-0:2.7.0(01.150*kW)", "1-0:32.7.0(230.0*V)",
                "1-0:31.7.0(005*A)", "1-0:21.7.0(00.000*kW)", "1-0:22.7.0(01.150*kW)")
    one = metered("--stale-after", "3600")
    with one.server.client() as client:
        for current, wanted in (("meter", 5), ("signed", -5), ("derived", -5), ("meter", 5)):
            one.patch(Meter={"Current": current})
            tcp_meter.send(export)
            wait_until(lambda: client.exception(3, 0x800E, 2) is None and client.floats(0x800E, 1) == [wanted], current)
            assert one.get(READINGS)["values"]["current_l1_a"] == wanted
            assert f'current_amperes{{phase="l1"}} {wanted}'.encode() in one.user.get("/metrics").body


def test_grid_and_estimate_follow_the_setting(box):
    """A 3x230 V grid: line voltages; taken for a star it has phase voltages; U31 only when it is asked for."""
    one = box(meter="sim:emucs-delta")
    one.server.wait_served()

    def values(grid, accept):
        one.patch(Meter={"Grid": grid})

        def current():
            reading = one.get(READINGS)
            return reading if reading["grid"] == grid and accept(reading["values"]) else None
        return wait_until(current, f"a reading on a {grid} grid")
    values("delta", lambda v: "voltage_l12_v" in v and "voltage_l31_v" not in v)
    one.patch(Meter={"EstimateU31": True})
    values("delta", lambda v: "voltage_l31_v" in v)
    values("star", lambda v: "voltage_l1_v" in v and "voltage_l12_v" not in v)


def test_fewer_clients_closes_those_idle_longest(metered, tcp_meter):
    """The busy one stays; a refused one gets in when the number is raised again."""
    one = metered("--stale-after", "3600", "--modbus-clients", "4")
    tcp_meter.send(marked(5))
    one.server.wait_served()
    clients = [one.server.client(source=f"127.0.0.{n}") for n in range(11, 15)]
    for client in clients:
        client.registers(0x8000, 2)
        time.sleep(0.02)
    clients[0].registers(0x8000, 2)  # so the second is idle longest
    one.patch(Modbus={"MaxClients": 2})
    assert [c.is_closed(0.3) for c in clients] == [False, True, True, False]
    assert len(one.state()["Modbus"]["Clients"]) == 2
    with pytest.raises(Closed), one.server.client(source="127.0.0.15") as fifth:
        fifth.registers(0x8000, 2)
    assert "127.0.0.15" in one.state()["Modbus"]["LastRefusal"]
    one.patch(Modbus={"MaxClients": 3})
    with one.server.client(source="127.0.0.15") as fifth:
        assert fifth.floats(0x8016, 1) == [5]
        assert clients[0].floats(0x8016, 1) == clients[3].floats(0x8016, 1) == [5]
    for client in clients:
        client.close()


def test_idle_timeout_holds_for_connections_that_are_open(metered, tcp_meter):
    one = metered("--stale-after", "3600")
    tcp_meter.send(marked(5))
    one.server.wait_served()
    with one.server.client() as client:
        client.registers(0x8000, 2)
        one.patch(Modbus={"IdleTimeout": 1})
        begin = time.monotonic()
        assert client.is_closed(4) and time.monotonic() - begin > 0.5


class Poller(threading.Thread):
    """A charger: asks all the time on one connection, and notes what is not as it should be."""

    def __init__(self, client, wanted):
        super().__init__()
        self.client, self.wanted, self.go_on = client, wanted, True
        self.answers, self.faults, self.slowest = 0, [], 0
        self.start()

    def run(self):
        while self.go_on:
            begin = time.monotonic()
            try:
                answer = self.client.ask(3, 0x8016, 2)
            except (Closed, OSError) as e:
                self.faults.append(repr(e))
                return
            self.slowest = max(self.slowest, time.monotonic() - begin)
            if answer[0] != 3 or floats(answer[2:]) != [self.wanted]:
                self.faults.append(answer.hex())
            self.answers += 1
            time.sleep(0.002)

    def end(self):
        self.go_on = False
        self.join()


def test_another_broker_does_not_disturb_a_charger(connected, broker, subscriber, tcp_meter):
    """Broker, site, password and keepalive change, one broker is dead, one stands still: a Modbus client that polls all
    the time sees no exception and no gap. `offline` is said at the old place, `online` at the new one."""
    one, first = connected("--stale-after", "3600")
    tcp_meter.send(marked(5))
    one.server.wait_served()
    old = subscriber(first)
    old.wait("status", lambda m: m.payload == "online")
    second = broker()
    new = subscriber(second)
    with one.server.client() as client:
        poller = Poller(client, 5)
        one.patch(MQTT={"Site": "home"})
        old.wait(f"devices/default/smart-connect/{SERIAL}/status", lambda m: m.payload == "offline")
        old.wait(f"devices/home/smart-connect/{SERIAL}/status", lambda m: m.payload == "online")
        one.patch(MQTT={"Broker": second.url})
        old.wait(f"devices/home/smart-connect/{SERIAL}/status", lambda m: m.payload == "offline")
        new.wait(f"devices/home/smart-connect/{SERIAL}/status", lambda m: m.payload == "online")
        tcp_meter.send(marked(5))
        new.wait("devices/home/smart-connect/" + SERIAL + "/data/power_instant")
        second.pause()
        one.patch(MQTT={"Keepalive": 60})
        one.patch(MQTT={"Broker": f"mqtt://127.0.0.1:{free_port()}"})
        one.patch(MQTT={"Broker": "mqtt://no-such-host.invalid"})
        second.go_on()
        one.patch(MQTT={"Broker": first.url, "Username": "x", "Password": "y"})
        wait_until(lambda: one.state()["MQTT"]["Ok"], "the first broker again")
        one.patch(MQTT={"Enabled": False})
        assert one.state()["MQTT"]["State"] == "off" and one.state()["MQTT"]["Ok"] is None
        # A connection that takes over before the last one has left makes the broker tell the will, too: offline twice.
        wait_until(lambda: [said for said, _ in itertools.groupby(
            m.payload for m in old.of(f"/home/smart-connect/{SERIAL}/status"))] == ["online", "offline"] * 2,
            "offline once more")
        one.patch(MQTT={"Enabled": True})
        wait_until(lambda: one.state()["MQTT"]["Ok"], "the first broker once more")
        poller.end()
        assert not poller.faults, poller.faults[:3]
        assert poller.answers > 20 and poller.slowest < 0.25, (poller.answers, poller.slowest)
    retained = subscriber(first)
    retained.wait("status", lambda m: m.retained and m.topic.startswith("devices/default/") and m.payload == "offline")


def test_modbus_port_moves(connected, tcp_meter):
    """The new port serves at once, the old one does not listen any more; MQTT and the open connection stay."""
    one, broker = connected("--stale-after", "3600")
    tcp_meter.send(marked(5))
    one.server.wait_served()
    old, new = one.server.port, free_port()
    assert one.get(CONFIG)["Modbus"]["Port"] == old, "the default is the port it got"
    with one.server.client() as client:
        assert client.floats(0x8016, 1) == [5]
        assert one.patch(Modbus={"Port": new})["Modbus"]["Port"] == new
        assert one.state()["Modbus"]["Address"] == f"127.0.0.1:{new}"
        with Client(new) as other:
            assert other.floats(0x8016, 1) == [5]
        with pytest.raises(ConnectionRefusedError):
            Client(old)
        assert client.is_closed(0.1) or client.floats(0x8016, 1) == [5]
    one.restart()
    tcp_meter.accept().send(marked(6))
    assert one.server.port == new
    one.server.wait_served()
    assert connects(broker) == 2


def test_modbus_port_in_use_is_refused_and_the_old_one_still_serves(connected, tcp_meter):
    """Named at its field; nothing else of the same request is taken."""
    one, broker = connected("--stale-after", "3600")
    tcp_meter.send(marked(5))
    one.server.wait_served()
    before = one.get(CONFIG)
    with socket.socket() as taken, one.server.client() as client:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        answer = one.user.request("PATCH", CONFIG, {"Modbus": {"Port": taken.getsockname()[1], "WordOrder": "normal"},
                                                    "MQTT": {"Site": "evil"}})
        assert_problem(answer, 422, "/Modbus/Port")
        assert one.get(CONFIG) == before and client.floats(0x8016, 1) == [5]
        with one.server.client() as other:
            assert other.floats(0x8016, 1) == [5]
    assert connects(broker) == 1
    one.patch(Modbus={"Port": before["Modbus"]["Port"]})
    with one.server.client() as client:
        assert client.floats(0x8016, 1) == [5]


def test_changes_are_told_to_whoever_watches(metered):
    one = metered()
    with Events(one) as events:
        events.wait("state", lambda s: s["Configuration"]["Revision"] == 0)
        begin = time.monotonic()
        one.patch(MQTT={"Site": "home"})
        events.wait("state", lambda s: s["Configuration"]["Revision"] == 1)
        assert time.monotonic() - begin < 2.5


# --- that last ---------------------------------------------------------------------------------

EVERYTHING = {
    "DefaultNetIf": "WiFi",
    "Ethernet": {"IpMode": "Static", "StaticIPv4": {"IpAddress": "192.168.7.9", "Netmask": "16",
                                                    "Gateway": "192.168.0.1", "DNS": "9.9.9.9"}},
    "WiFi": {"IpMode": "Static", "StaticIPv4": {"IpAddress": "10.0.0.9", "Netmask": "8", "Gateway": "10.0.0.1",
                                                "DNS": "10.0.0.2"},
             "ConnectionData": {"WiFiSSID": "caf\u00e9 \U0001f600", "WiFiPassword": "p a s s \"\\"}},
    "Network": {"Rollback": False},
    "Internet": {"PingTarget": "127.0.0.1"},
    "MQTT": {"Enabled": False, "Broker": "mqtt://127.0.0.1:1", "Site": "h\u00e8m", "Username": "\u00fcser",
             "Password": "p\u00e4ss \u20ac", "Keepalive": 77, "CA": "sha256:" + "5a" * 32, "Publish": "change",
             "Interval": 99, "Deadband": 33, "CountersInterval": 600, "KeepDays": 3, "KeepMiB": 99, "LateRate": 7,
             "Commands": False, "HomeAssistant": True, "HomeAssistantPrefix": "ha"},
    "Modbus": {"MaxClients": 9, "IdleTimeout": 33, "WordOrder": "normal", "Unknown": "nan", "Stale": "hold",
               "StaleCurrent": 25, "NominalFrequency": 60},
    "RTU": {"MeterType": "Eastron-SDM630", "Address": 7, "Line": "115200-8N1", "Termination": True, "Stale": "hold"},
    "Meter": {"StaleAfter": 99, "Grid": "star", "Current": "signed", "EstimateU31": True},
    "Metrics": {"Token": "0123456789abcdef.~+/=-_"},
}


def masked(settings):
    settings = json.loads(json.dumps(settings))
    settings["WiFi"]["ConnectionData"]["WiFiPassword"] = settings["MQTT"]["Password"] = MASK
    settings["Metrics"]["Token"] = MASK
    return settings


def leaves(settings, prefix=""):
    for key, value in settings.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{prefix}/{key}")
        else:
            yield f"{prefix}/{key}", value


def test_everything_survives_kill_9(box):
    """Acknowledged is kept: killed right after the answer, all settings are there again, but for none."""
    one = box()
    defaults = one.get(CONFIG)
    port = free_port()
    wanted = {**EVERYTHING, "Modbus": {**EVERYTHING["Modbus"], "Port": port}, "MeterType": defaults["MeterType"]}
    same = {k for k, v in leaves(wanted) if dict(leaves(defaults)).get(k) == v}
    assert same == {"/MeterType"} and dict(leaves(wanted)).keys() == dict(leaves(defaults)).keys()
    shown = one.patch(**wanted)
    assert shown == {**masked(wanted)}
    one.restart(signal.SIGKILL)
    assert one.get(CONFIG) == shown and one.state()["Configuration"]["Problem"] is None
    assert one.server.port == port
    stored = json.loads((one.folder / "config.json").read_text())
    assert stored["Settings"]["MQTT"]["Password"] == EVERYTHING["MQTT"]["Password"]
    with one.person() as scraper:
        assert scraper.request("GET", "/metrics",
                               headers={"Authorization": "Bearer " + EVERYTHING["Metrics"]["Token"]}).status == 200


def test_killed_at_any_moment_it_has_the_old_or_the_new_configuration(box):
    """SIGKILL while changes come: the file is whole, and what was acknowledged is there."""
    one = box()
    for n in range(8):
        acknowledged = []

        def change():
            with contextlib.suppress(Exception):
                for i in range(1000):
                    sent.append(f"{n}-{i}")
                    one.patch(MQTT={"Site": f"{n}-{i}", "Username": f"{n}-{i}"})
                    acknowledged.append(f"{n}-{i}")
        sent = []
        thread = threading.Thread(target=change)
        thread.start()
        wait_until(lambda: len(acknowledged) > n, "some changes")
        os.kill(one.server.pid, signal.SIGKILL)
        thread.join()
        one.restart()
        mqtt, state = one.get(CONFIG)["MQTT"], one.state()
        assert mqtt["Site"] == mqtt["Username"] and mqtt["Site"] in (acknowledged[-1], sent[-1])
        assert state["Configuration"]["Problem"] is None
        assert not list(one.folder.glob("config.json.*d")), "nothing was damaged"


def test_the_broker_is_connected_again_after_a_restart(connected, tcp_meter, subscriber):
    """With the stored password, site and name: nothing needs to be said twice."""
    one, broker = connected()
    one.patch(MQTT={"Site": "home"})
    one.restart()
    assert f"mqtt={broker.url}" in one.server.stdout()
    wait_until(lambda: one.state()["MQTT"]["Ok"], "the broker")
    watch = subscriber(broker)
    tcp_meter.accept().send(marked(3))
    assert watch.wait("power_instant").topic.startswith("devices/home/")


def test_flags_are_defaults_and_a_stored_setting_wins(box, tmp_path):
    """Also over a restart; a setting that was never made follows the flags; a factory reset returns to them."""
    password = tmp_path / "password"
    password.write_text("from-the-flag\n")
    dead = f"mqtt://127.0.0.1:{free_port()}"
    one = box("--modbus-clients", "7", "--word-order", "normal", "--mqtt", dead, "--mqtt-site", "flag", "--current",
              "signed", "--mqtt-username", "u", "--mqtt-password-file", str(password), "--stale-after", "44",
              "--map", "empro")
    flags = one.get(CONFIG)
    assert (flags["Modbus"]["MaxClients"], flags["Modbus"]["WordOrder"], flags["MQTT"]["Broker"]) == (7, "normal", dead)
    assert flags["MQTT"]["Site"] == "flag" and flags["MQTT"]["Password"] == MASK
    assert flags["Meter"]["Current"] == "signed" and flags["Meter"]["StaleAfter"] == 44
    assert flags["MeterType"] == "PhoenixContact-EMPro"
    one.patch(Modbus={"MaxClients": 9}, MQTT={"Site": "stored"})
    one.restart(signal.SIGTERM, "--modbus-clients", "5", "--mqtt-keepalive", "99")
    shown = one.get(CONFIG)
    assert shown["Modbus"]["MaxClients"] == 9 and shown["MQTT"]["Site"] == "stored"
    assert shown["MQTT"]["Keepalive"] == 99 and shown["Modbus"]["WordOrder"] == "normal"
    one.patch(Modbus={"MaxClients": 4}, MQTT={"Broker": ""})
    assert one.state()["MQTT"]["State"] == "off", "also what is set to the program's own default is a setting"
    one.restart()
    assert one.get(CONFIG)["Modbus"]["MaxClients"] == 4 and one.get(CONFIG)["MQTT"]["Broker"] == ""
    one.reset("factory")
    port = one.server.port
    assert one.get(CONFIG) == {**flags, "Modbus": {**flags["Modbus"], "Port": port}}
    one.restart()
    flags["Modbus"]["Port"] = one.server.port
    assert one.get(CONFIG) == flags


def test_port_502_set_by_the_user_wins_over_the_flag(box):
    """502 is the program's own default, and yet a setting when somebody made it."""
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", 502))
        except OSError as e:
            pytest.skip(f"port 502 of the loopback interface: {e.strerror}")
    one = box()
    one.patch(Modbus={"Port": 502})
    assert one.state()["Modbus"]["Address"] == "127.0.0.1:502"
    one.restart()
    assert one.get(CONFIG)["Modbus"]["Port"] == 502
    assert one.state()["Modbus"]["Address"] == "127.0.0.1:502"


def test_factory_reset_takes_effect_at_once(connected, tcp_meter):
    """Broker off, Modbus as by the flags, on the connections that are open."""
    one, broker = connected("--stale-after", "3600")
    one.patch(Modbus={"WordOrder": "normal", "MaxClients": 1}, MQTT={"Site": "home"})
    tcp_meter.send(marked(5))
    one.server.wait_served()
    with one.server.client() as client:
        assert client.floats(0x8016, 1, "normal") == [5]
        one.reset("factory")
        assert client.floats(0x8016, 1, "swapped") == [5]
        assert one.state()["MQTT"]["State"] == "off"
        with one.server.client(source="127.0.0.2") as other:
            assert other.floats(0x8016, 1) == [5]
    assert not (one.folder / "config.json").exists()


def test_stored_port_that_is_taken_does_not_keep_the_box_from_serving(box):
    """The default serves instead, and the status says that the setting could not be used."""
    one = box()
    port = free_port()
    one.patch(Modbus={"Port": port}, MQTT={"Site": "home"})
    one.server.end(signal.SIGKILL)
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", port))
        taken.listen()
        one.restart()
        state = one.state()
        assert one.server.port != port and state["Modbus"]["Address"] == f"127.0.0.1:{one.server.port}"
        assert one.server.log(rf"modbus: .*{port}") and one.get(CONFIG)["MQTT"]["Site"] == "home"
        assert str(port) in (state["Configuration"]["Problem"] or ""), state["Configuration"]


def test_stored_port_that_was_taken_once_is_used_when_it_is_free_again(box):
    """Whatever else was changed meanwhile: nobody has changed the port."""
    one = box()
    port = free_port()
    one.patch(Modbus={"Port": port})
    one.server.end(signal.SIGKILL)
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", port))
        taken.listen()
        one.restart()
        assert one.server.port != port
        one.patch(MQTT={"Site": "other"})
    one.restart()
    assert one.server.port == port and one.get(CONFIG)["Modbus"]["Port"] == port


def test_modbus_that_is_off_is_said_so(box):
    """By the installer, who may not want it in this network; its settings are kept for later."""
    one = box("--modbus", "off")
    state = one.state()["Modbus"]
    assert state["Ok"] is None and state["Address"] is None and state["Clients"] == []
    one.patch(Modbus={"Port": free_port(), "MaxClients": 2, "WordOrder": "normal"})
    one.restart()
    assert one.get(CONFIG)["Modbus"]["MaxClients"] == 2 and one.state()["Modbus"]["Address"] is None
    assert "modbus=off" in one.server.stdout()


# --- files that are damaged, folders that are full ---------------------------------------------

@pytest.mark.parametrize("content", [b"", b"\0" * 200, b'{"Version":1,"Settings":{"MQTT":{"Si', b"[]", b"null",
                                     b'{"Version":1}', b'{"Version":-1,"Settings":{}}', b"\xff\xfe",
                                     b'{"Version":1,"Settings":{}} x', b" " * 70000],
                         ids=["empty", "zeros", "cut", "array", "null", "nothing", "version", "bytes", "junk", "large"])
def test_damaged_file_is_set_aside_and_said(box, content):
    """The box serves with its defaults; what was there can still be looked at; the next change ends the complaint."""
    one = box("--modbus-clients", "7")
    one.patch(MQTT={"Site": "home"}, Modbus={"MaxClients": 9})
    one.server.end(signal.SIGKILL)
    (one.folder / "config.json").write_bytes(content)
    one.restart()
    shown, problem = one.get(CONFIG), one.state()["Configuration"]["Problem"]
    assert shown["MQTT"]["Site"] == "" and shown["Modbus"]["MaxClients"] == 7
    assert "damaged" in problem and len(one.server.log("damaged")) == 1
    aside = [p for p in one.folder.iterdir() if p.name.startswith("config.json.")]
    assert len(aside) == 1 and aside[0].name in problem and aside[0].read_bytes() == content
    assert not (one.folder / "config.json").exists()
    one.patch(MQTT={"Site": "new"})
    assert one.state()["Configuration"]["Problem"] is None
    one.restart()
    assert one.get(CONFIG)["MQTT"]["Site"] == "new" and one.state()["Configuration"]["Problem"] is None


def test_single_settings_that_cannot_be_used_cost_themselves_alone(box):
    """A file of a later version, or one that was edited by hand."""
    one = box()
    one.patch(MQTT={"Site": "home", "Keepalive": 77})
    path = one.folder / "config.json"
    one.server.end(signal.SIGKILL)
    stored = json.loads(path.read_text())
    stored["Settings"]["MQTT"]["Keepalive"] = "often"
    stored["Settings"]["Later"] = {"Thing": 1}
    path.write_text(json.dumps(stored))
    one.restart()
    shown, problem = one.get(CONFIG), one.state()["Configuration"]["Problem"]
    assert shown["MQTT"]["Site"] == "home" and shown["MQTT"]["Keepalive"] == 30 and "/MQTT/Keepalive" in problem
    one.patch(MQTT={"Site": "new"})
    one.restart()
    assert one.get(CONFIG)["MQTT"]["Site"] == "new" and one.state()["Configuration"]["Problem"] is None


@pytest.fixture(name="small_disk")
def fixture_small_disk(tmp_path):
    """The state folder on a disk of 64 KiB: small_disk(OPTION...) mounts it anew with options, as `ro`."""
    folder = tmp_path / "state"
    folder.mkdir(0o700)

    def mount(*options):
        return subprocess.run(["mount", *options, str(folder)], capture_output=True, check=False).returncode == 0
    if os.geteuid() != 0 or not mount("-t", "tmpfs", "-o", "size=64k,mode=0700", "none"):
        pytest.skip("mounting a small disk needs root")
    yield mount
    while subprocess.run(["umount", "-l", str(folder)], capture_output=True, check=False).returncode == 0:
        pass


def assert_not_saved(one, status, client):
    """Every kind of change is refused, the old configuration stays, and the old port still serves."""
    before, port = one.user.get(CONFIG), one.server.port
    for patch in ({"MQTT": {"Site": "evil"}}, {"Modbus": {"Port": free_port()}}, {"Modbus": {"WordOrder": "normal"}},
                  {"MQTT": {"Broker": "mqtt://127.0.0.1:1"}}):
        answer = one.user.request("PATCH", CONFIG, patch)
        assert "nothing was changed" in assert_problem(answer, status)["detail"]
        after = one.user.get(CONFIG)
        assert after.json() == before.json() and after["ETag"] == before["ETag"]
        assert client.floats(0x8016, 1) == [5], "live data goes on"
        with Client(port) as other:
            assert other.floats(0x8016, 1) == [5]
    assert one.state()["Modbus"]["Address"] == f"127.0.0.1:{port}" and one.state()["MQTT"]["State"] == "off"


@needs_root
def test_full_disk(small_disk, metered, tcp_meter):
    """507, and it recovers without a restart."""
    assert small_disk
    one = metered("--stale-after", "3600")
    tcp_meter.send(marked(5))
    one.server.wait_served()
    one.patch(MQTT={"Site": "home"})
    with one.server.client() as client:
        with contextlib.suppress(OSError), open(one.folder / "filler", "wb", buffering=0) as filler:
            while True:
                filler.write(bytes(512))
        assert_not_saved(one, 507, client)
        one.restart()  # on a full disk it starts with what there is
        tcp_meter.accept().send(marked(5))
        one.server.wait_served()
        assert one.get(CONFIG)["MQTT"]["Site"] == "home"
        (one.folder / "filler").unlink()
        assert one.patch(MQTT={"Site": "new"})["MQTT"]["Site"] == "new"
    one.restart()
    assert one.get(CONFIG)["MQTT"]["Site"] == "new"


@needs_root
def test_read_only_disk(small_disk, metered, tcp_meter):
    """500, also for a factory reset; it recovers without a restart."""
    one = metered("--stale-after", "3600")
    tcp_meter.send(marked(5))
    one.server.wait_served()
    one.patch(MQTT={"Site": "home"})
    with one.server.client() as client:
        assert small_disk("-o", "remount,ro")
        assert_not_saved(one, 500, client)
        assert_problem(one.user.request("POST", RESET, {"Mode": "factory"}), 500)
        passwords = {"OldPassword": one.login, "NewPassword": "a new password"}
        assert_problem(one.user.request("POST", PASSWORD, passwords), 500)
        assert one.get(CONFIG)["MQTT"]["Site"] == "home"
        assert small_disk("-o", "remount,rw")
        assert one.patch(MQTT={"Site": "new"})["MQTT"]["Site"] == "new"
