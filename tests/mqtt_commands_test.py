"""Commands over MQTT: what is done, what is refused and how, and that nobody is obeyed who should not be."""
import itertools
import json
import os
import re
import shutil
import signal
import time

import paho.mqtt.client
import pytest

from bad_inputs import named
from fake_clock import FakeClock, needs_faketime
from harness import SERIAL, Subscriber, marked, wait_until
from page_kit import FIRMWARE, Box, connects, fixture_box, metric  # noqa: F401
from pki import DAY, HERE, Authority, TlsBroker
from rauc_kit import TOOLS, fixture_downloads, fixture_rauc  # noqa: F401

OTHER = "00112233AABC"
BURST, LIFE_MAX_S, REQUEST_MAX = 10, 600, 4096
UPDATE = "https://updates.example.org/smart-connect.bin"
numbers = itertools.count(1)


def topic(name, serial=SERIAL):
    return f"devices/default/smart-connect/{serial}/cmd/{name}"


def request(**changes):
    """A good one, but for the changes; None leaves a member out."""
    made = {"id": f"test-{os.getpid()}-{next(numbers):04}", "device": SERIAL, "expires": int(time.time()) + 60, **changes}
    return {key: value for key, value in made.items() if value is not None}


class Boss(Subscriber):
    """Who gives orders, and sees everything but those."""

    def __init__(self, port, **how):
        super().__init__(port, **how)
        self.client.message_callback_add("+/+/+/+/cmd/+", lambda *_: None)

    def publish(self, name, payload, serial=SERIAL, retain=False):
        text = json.dumps(payload) if isinstance(payload, dict) else payload
        self.client.publish(topic(name, serial), text, qos=1, retain=retain).wait_for_publish()

    def answers(self, name, serial=SERIAL):
        return [m.json() for m in self.messages if m.topic == topic(name, serial) + "/response"]

    def answer(self, name, one, serial=SERIAL):
        """To the request `one`."""
        def found():
            return [a for a in self.answers(name, serial) if a["id"] == one["id"]]
        wait_until(found, f"an answer to {name} {one} in {self.messages[-3:]}")
        return found()[0]

    def order(self, name, **changes):
        """Sends a request and returns the answer."""
        one = request(**changes)
        self.publish(name, one, one["device"])
        return self.answer(name, one, one["device"])

    def responses(self):
        return [m for m in self.messages if m.topic.endswith("/response")]


@pytest.fixture(name="authority", scope="module")
def fixture_authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("pki"), "House CA")


@pytest.fixture(name="pair", scope="module")
def fixture_pair(authority):
    return authority.issue("broker", *HERE)


@pytest.fixture(name="broker")
def fixture_tls_broker(tmp_path, pair):
    """A broker with a plain and a TLS door that logs all."""
    one = TlsBroker(tmp_path, pair, "log_type all")
    yield one
    one.stop()


@pytest.fixture(name="boss")
def fixture_boss(broker):
    one = Boss(broker.port)
    yield one
    one.close()


def flags(broker, authority):
    return "--mqtt", broker.url, "--mqtt-ca", str(authority.certificate), "--stale-after", "3600"


@pytest.fixture(name="commanded")
def fixture_commanded(box, broker, authority, tcp_meter):
    """commanded(OPTION...): a box that takes commands from the broker, and whose meter is `tcp_meter`."""
    def make(*options):
        one = box(*flags(broker, authority), *options, meter=tcp_meter.url)
        tcp_meter.accept()
        wait_subscribed(broker)
        return one
    return make


def subscriptions(broker, serial=SERIAL):
    return broker.process.stderr().count(f"Received SUBSCRIBE from smart-connect-{serial}")


def wait_subscribed(broker, times=1, serial=SERIAL):
    wait_until(lambda: broker.process.stderr().count(f"Sending SUBACK to smart-connect-{serial}") >= times,
               "the gateway's subscription")


def counts(box):
    """Commands done, commands refused."""
    c = box.state()["Counters"]
    return c["mqtt_commands"], c["mqtt_commands_refused"]


# --- what is done ------------------------------------------------------------------------------

def assert_between(before, value, after, where="State"):
    """`value` was taken between the others: the same shape, and no number outside of theirs."""
    if isinstance(value, dict):
        assert value.keys() == before.keys() == after.keys(), where
        for key in value:
            assert_between(before[key], value[key], after[key], f"{where}.{key}")
    elif isinstance(value, list) or before == after:
        assert before == value == after, where
    else:
        assert type(value) is type(before) and before <= value <= after, where


def test_status_is_that_of_the_api(commanded, boss, tcp_meter):
    box = commanded()
    tcp_meter.send(marked(1))
    box.server.wait_served()
    before = box.state()
    answer = boss.order("get-status")
    after = box.state()
    assert answer.keys() == {"id", "ok", "status"} and answer["ok"] is True
    assert_between(before, answer["status"], after)
    assert answer["status"]["MQTT"]["TLS"] is True and answer["status"]["Serial"] == SERIAL
    assert counts(box) == (1, 0)


def test_telegram_is_the_latest_as_the_meter_sent_it(commanded, boss, tcp_meter):
    box = commanded()
    none = boss.order("get-telegram")
    assert none.keys() == {"id", "ok", "error"} and none["ok"] is False and none["error"]
    for n in (1, 2):
        begin, telegram = time.monotonic(), marked(n)
        tcp_meter.send(telegram)
        wait_until(lambda: box.state()["Counters"]["telegrams_pass"] == n, "the telegram")
        answer = boss.order("get-telegram")
        assert answer.keys() == {"id", "ok", "telegram", "age_ms"} and answer["ok"] is True
        assert answer["telegram"].encode() + b"\r\n" == box.user.get("/api/v1/telegram").body
        assert answer["telegram"].encode() + b"\r\n" == telegram
        assert 0 <= answer["age_ms"] <= (time.monotonic() - begin) * 1000
    assert counts(box)[1] == 0


def test_reset_answers_first_and_then_connects_anew(commanded, broker, boss):
    box = commanded()
    assert boss.order("reset") == {"id": boss.answers("reset")[0]["id"], "ok": True}
    assert connects(broker) == 1
    wait_until(lambda: connects(broker) == 2, "the second connection")
    wait_subscribed(broker, 2)

    def said():
        return [m.payload if m.topic.endswith("/status") else "response" for m in boss.messages
                if m.topic.endswith(("/status", "/response"))]
    wait_until(lambda: said()[3:] == ["online"], "its word")
    assert said() == ["online", "response", "offline", "online"]
    assert box.server.log("soft reset") and box.server.running()
    assert boss.order("get-status")["ok"] and connects(broker) == 2
    assert counts(box) == (2, 0)


def test_update_is_the_package_managers(commanded, boss):
    box = commanded()
    answer = boss.order("firmware-update", url=UPDATE)
    assert answer["ok"] is False and "package manager" in answer["error"]
    assert box.server.log("asked to update from " + UPDATE)
    assert counts(box) == (1, 0), "it was a good command: what it asked for cannot be done"


# What lies at the URL of an order to update, made of a box's RAUC; and why it is not installed.
ORDERED = {
    "url-redirect": (lambda rauc: "http://updates.example/good.raucb", "redirected to a URL .* must begin with https://"),
    "redirect to the box": (lambda rauc: "https://127.0.0.1/good.raucb", "redirected to a URL .* not an address"),
    "redirect to the cloud": (lambda rauc: "https://169.254.169.254/latest", "redirected to a URL .* not an address"),
    "downgrade-command": (lambda rauc: rauc.bundle("older", "0.0.9+security.1").read_bytes(), "is older: nothing below"),
    "flawed": (lambda rauc: rauc.bundle("flawed", "9.0.0+security.0").read_bytes(), "has a flaw that was mended"),
    "good": (lambda rauc: rauc.bundle("good", "9.0.0+security.1").read_bytes(), "no-such-slot|/dev/mapper/control"),
}


@pytest.mark.skipif(os.geteuid() != 0 or not all(map(shutil.which, TOOLS)), reason=f"needs root, and {', '.join(TOOLS)}")
@pytest.mark.parametrize("name", named("G", ORDERED))
def test_an_order_to_update_is_judged_by_what_lies_there(rauc, downloads, box, broker, authority, boss, name):
    """On a box that fetches and installs, as far as this machine can: the good one fails for want of a slot."""
    make, why = ORDERED[name]
    one = box(*flags(broker, authority), *rauc.options, "--update-fetch", str(downloads.socket), env=rauc.env)
    wait_subscribed(broker)
    wait_until(lambda: one.get(FIRMWARE)["Slots"], "the slots")
    assert boss.order("firmware-update", url=downloads.offer("/ordered", make(rauc)))["ok"] is True
    result = wait_until(lambda: one.get(FIRMWARE)["Result"], "the end of the update")
    assert result["Ok"] is False and re.search(why, result["Reason"]), result
    assert one.get(FIRMWARE)["State"] == "idle" and one.server.running()


@pytest.mark.parametrize("protocol", [paho.mqtt.client.MQTTv311, paho.mqtt.client.MQTTv5], ids=["3.1.1", "5"])
def test_both_versions_can_command(commanded, broker, protocol):
    box = commanded()
    boss = Boss(broker.port, protocol=protocol)
    received = []
    boss.client.message_callback_add("+/+/+/+/cmd/+/response", lambda _c, _u, m: received.append(m))
    one = request()
    boss.publish("get-status", one)
    wait_until(lambda: received, "the answer")
    assert json.loads(received[0].payload)["ok"] and not received[0].retain and received[0].qos == 1
    if protocol == paho.mqtt.client.MQTTv5:
        assert 0 < received[0].properties.MessageExpiryInterval <= 300, "nobody waits for it later"
    boss.close()
    assert box.state()["MQTT"]["Version"] == "5"


# --- what is refused ---------------------------------------------------------------------------

def bad(url):
    return "firmware-update", lambda: request(url=url), '"url" cannot be used', True


# Of each: the name, the payload, a part of the error, and whether the answer can name the request's id.
ANSWERED = {
    "not JSON": ("reset", lambda: "{", "is not JSON", False),
    "empty": ("reset", lambda: "", "is not JSON", False),
    "not UTF-8": ("reset", lambda: b'{"id":"\xff"}', "not UTF-8", False),
    "list": ("reset", lambda: "[]", "must be an object", False),
    "deep": ("reset", lambda: "[" * 2000 + "]" * 2000, "nests deeper", False),
    "long": ("reset", lambda: json.dumps(request()) + " " * REQUEST_MAX, "more than 4096 bytes", False),
    "twice": ("reset", lambda: '{"id":"abcdefgh","id":"abcdefgh"}', "twice", False),
    "no id": ("reset", lambda: request(id=None), '"id" must be', False),
    "short id": ("reset", lambda: request(id="1234567"), '"id" must be', False),
    "long id": ("reset", lambda: request(id="x" * 65), '"id" must be', False),
    "odd id": ("reset", lambda: request(id="../../../etc"), '"id" must be', False),
    "number as id": ("reset", lambda: request(id=12345678), '"id" must be', False),
    "no device": ("reset", lambda: request(device=None), '"device" must be', True),
    "no expires": ("reset", lambda: request(expires=None), '"expires" must be', True),
    "text as expires": ("reset", lambda: request(expires="9999999999"), '"expires" must be', True),
    "fraction as expires": ("reset", lambda: request(expires=time.time() + 60), '"expires" must be', True),
    "unknown member": ("reset", lambda: request(force=True), 'member "force" is not known', True),
    "url for a reset": ("reset", lambda: request(url=UPDATE), 'member "url" is not known', True),
    "unknown name": ("self-destruct", request, "there is no such command", False),
    "expired": ("reset", lambda: request(expires=int(time.time()) - 1), "too late", True),
    "expired long ago": ("reset", lambda: request(expires=0), "too late", True),
    "too far": ("reset", lambda: request(expires=int(time.time()) + LIFE_MAX_S + 60), "at most 600 s ahead", True),
    "farther": ("reset", lambda: request(expires=2 ** 63 - 1), "at most 600 s ahead", True),
    "no url": ("firmware-update", request, '"url" must be a text', True),
    "plain http": bad("http://updates.example.org/a"),
    "file": bad("file:///etc/passwd"),
    "address": bad("https://192.0.2.1/a"),
    "short address": bad("https://127.1/a"),
    "IPv6": bad("https://[::1]/a"),
    "localhost": bad("https://localhost/a"),
    "user": bad("https://user@updates.example.org/a"),
    "option": bad("-o/etc/passwd"),
}
GROUPS = [list(ANSWERED)[i:i + BURST - 2] for i in range(0, len(ANSWERED), BURST - 2)]


@pytest.mark.parametrize("names", GROUPS, ids=lambda names: f"{names[0]}...")
def test_refusals_are_answered_and_counted_once(commanded, boss, broker, names):
    """As many at a time as the burst limit lets through."""
    box = commanded()
    for n, kind in enumerate(names, 1):
        name, payload, error, has_id = ANSWERED[kind]
        one = payload()
        before = len(boss.answers(name))
        boss.publish(name, one)
        wait_until(lambda: len(boss.answers(name)) > before, kind)
        answer = boss.answers(name)[-1]
        assert answer.keys() == {"id", "ok", "error"} and answer["ok"] is False, kind
        assert error in answer["error"] and answer["error"].isprintable() and answer["error"].isascii(), kind
        assert answer["id"] == (one["id"] if has_id else ""), kind
        assert counts(box) == (0, n), kind
        assert box.state()["MQTT"]["LastRefusal"] == answer["error"], kind
    assert boss.order("get-status")["ok"]
    assert counts(box) == (1, len(names)) and connects(broker) == 1 and len(boss.responses()) == len(names) + 1


def test_refusals_that_nobody_is_told_of(commanded, boss):
    """A command for another box, and names that cannot stand in a topic of ours."""
    box = commanded()
    silent = [("reset", request(device=OTHER), "another box"), ("Reset", request(), "no such command"),
              ("x" * 32, request(), "no such command"), ("r\u00e9set", request(), "no such command")]
    for n, (name, one, error) in enumerate(silent, 1):
        boss.publish(name, one)
        wait_until(lambda: counts(box) == (0, n), name)
        assert error in box.state()["MQTT"]["LastRefusal"]
    assert boss.order("get-status")["ok"]
    assert len(boss.responses()) == 1 and counts(box) == (1, len(silent))
    samples = box.metrics()
    assert metric(samples, "mqtt_commands_total", result="refused") == len(silent)


def test_a_response_is_no_command(commanded, boss):
    """Who writes where we answer is not heard."""
    box = commanded()
    boss.publish("reset/response", request())
    boss.publish("", request())
    assert boss.order("get-status")["ok"]
    assert counts(box) == (1, 1), "an empty name is one that does not exist"


def test_commands_that_lay_in_the_broker_are_not_done(commanded, boss, broker):
    boss.publish("reset", request(), retain=True)
    boss.publish("get-status", request(), retain=True)
    box = commanded()
    wait_until(lambda: counts(box) == (0, 2), "both refused")
    assert "lay in the broker" in box.state()["MQTT"]["LastRefusal"]
    assert boss.order("get-telegram")["ok"] is False, "no telegram yet"
    assert len(boss.responses()) == 1 and connects(broker) == 1


# --- once --------------------------------------------------------------------------------------

def test_an_id_is_good_once(commanded, boss):
    box = commanded()
    one = request()
    boss.publish("get-status", one)
    assert boss.answer("get-status", one)["ok"]
    for n, again in enumerate((one, {**one, "expires": one["expires"] + 5}), 1):
        boss.publish("get-status", again)
        wait_until(lambda: len(boss.answers("get-status")) == n + 1, "the refusal")
        assert boss.answers("get-status")[-1]["ok"] is False
        assert 'this "id" was used' in boss.answers("get-status")[-1]["error"]
    assert boss.order("get-telegram")["id"] != one["id"]
    refused = {**one, "expires": int(time.time()) - 9}
    boss.publish("get-status", refused)
    wait_until(lambda: len(boss.answers("get-status")) == 4, "the third refusal")
    assert counts(box)[1] == 3
    assert "too late" in boss.answers("get-status")[-1]["error"]


def test_a_refused_command_uses_up_no_id(commanded, boss):
    commanded()
    one = request(force=True)
    boss.publish("get-status", one)
    assert boss.answer("get-status", one)["ok"] is False
    del one["force"]
    boss.publish("get-status", one)
    wait_until(lambda: len(boss.answers("get-status")) == 2, "the second answer")
    assert boss.answers("get-status")[1]["ok"] is True


def test_an_id_stays_used_when_it_has_expired(commanded, boss):
    commanded()
    one = request(expires=int(time.time()) + 2)
    boss.publish("get-status", one)
    assert boss.answer("get-status", one)["ok"]
    wait_until(lambda: time.time() > one["expires"], "its end")
    boss.publish("get-status", request(id=one["id"]))
    wait_until(lambda: len(boss.answers("get-status")) == 2, "the refusal")
    assert 'this "id" was used' in boss.answers("get-status")[1]["error"]


@pytest.mark.parametrize("name, more", [("reset", {}), ("firmware-update", {"url": UPDATE})])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_what_changes_the_box_is_not_done_twice_over_a_restart(commanded, boss, broker, tcp_meter, name, more, number):
    """The id is on disk before the command is done."""
    box = commanded()
    one = request(**more)
    boss.publish(name, one)
    boss.answer(name, one)
    kept = json.loads((box.folder / "mqtt-commands").read_text())
    assert kept == {one["id"]: one["expires"]}
    connections = connects(broker)
    box.restart(number)
    tcp_meter.accept()
    wait_until(lambda: connects(broker) > connections, "the next connection")
    wait_until(lambda: subscriptions(broker) >= 2 and box.state()["MQTT"]["Ok"], "its subscription")
    boss.publish(name, one)
    wait_until(lambda: len(boss.answers(name)) == 2, "the refusal")
    assert 'this "id" was used' in boss.answers(name)[1]["error"]
    assert counts(box) == (0, 1) and connects(broker) == connections + 1


def test_without_a_memory_nothing_is_changed(gateway, broker, authority, boss):
    """No state folder: what must not be done twice is not done at all."""
    server = gateway("sim:dsmr50", *flags(broker, authority))
    wait_subscribed(broker)
    for name, more in (("reset", {}), ("firmware-update", {"url": UPDATE})):
        answer = boss.order(name, **more)
        assert answer["ok"] is False and "not done" in answer["error"]
    assert boss.order("get-status")["ok"]
    assert not server.log("soft reset|asked to update") and connects(broker) == 1


def test_a_memory_that_cannot_be_written_changes_nothing(commanded, boss, broker):
    box = commanded()
    (box.folder / "mqtt-commands").mkdir()
    answer = boss.order("reset")
    assert answer["ok"] is False and "not done" in answer["error"]
    assert box.server.log("mqtt-commands cannot be written")
    assert boss.order("get-status")["ok"] and connects(broker) == 1
    (box.folder / "mqtt-commands").rmdir()
    assert boss.order("reset")["ok"]


@pytest.mark.parametrize("damage", [b"", b"{", b'{"abcdefgh":1}', b"\xff" * 20000, b"[" * 9000,
                                    b'{"../../..":1}', b'{"abcdefgh":"1"}'])
def test_a_damaged_memory_costs_nothing_else(gateway, broker, authority, boss, tmp_path, damage):
    state = tmp_path / "state"
    state.mkdir()
    (state / "mqtt-commands").write_bytes(damage)
    gateway("sim:dsmr50", *flags(broker, authority), "--state", str(state), "--https", "off", "--http", "off")
    wait_subscribed(broker)
    assert boss.order("reset")["ok"]


# --- how fast ----------------------------------------------------------------------------------

def test_a_burst_and_then_one_a_second(commanded, boss):
    box = commanded()
    begin = time.monotonic()
    for n in range(1, 17):
        boss.publish("get-status", request())
        wait_until(lambda: sum(counts(box)) == n, "it was judged")
    done, refused = counts(box)
    assert BURST <= done <= BURST + time.monotonic() - begin + 1
    assert done + refused == 16
    if refused:
        assert "too fast" in box.state()["MQTT"]["LastRefusal"]
    wait_until(lambda: len(boss.responses()) == done, "the answers, and none to what was too fast")


def test_a_flood_is_judged_and_not_answered(commanded, boss):
    box = commanded()
    begin = time.monotonic()
    for _ in range(300):
        boss.client.publish(topic("get-status"), json.dumps(request()), qos=0)
    boss.publish("get-status", request())
    wait_until(lambda: sum(counts(box)) == 301, "all were judged")
    done, _ = counts(box)
    assert 1 <= done <= BURST + time.monotonic() - begin + 1
    wait_until(lambda: len(boss.responses()) == done, "an answer to each that was done")
    assert box.state()["MQTT"]["Ok"]

    def works_again():
        return boss.order("get-status")["ok"] if time.monotonic() > begin + 11 else False
    wait_until(works_again, "a command when the flood is over")


# --- from whom ---------------------------------------------------------------------------------

def test_a_plain_connection_takes_no_commands(box, broker, boss, tcp_meter):
    one = box("--mqtt", broker.plain_url, meter=tcp_meter.url)
    tcp_meter.accept().send(marked(1))
    boss.wait("power_instant")
    boss.publish("reset", request())
    boss.publish("get-status", request())
    tcp_meter.send(marked(2))
    boss.wait("power_instant", lambda m: m.json()["P"] == 2)
    assert subscriptions(broker) == 0, "it does not even ask for them"
    assert not boss.responses() and counts(one) == (0, 0) and connects(broker) == 1
    assert one.state()["MQTT"]["TLS"] is False


def test_commands_can_be_switched_off(commanded, broker, boss, tcp_meter):
    box = commanded()
    assert subscriptions(broker) == 1
    box.patch(MQTT={"Commands": False})
    wait_until(lambda: connects(broker) == 2 and box.state()["MQTT"]["Ok"], "the connection without commands")
    boss.publish("get-status", request())
    tcp_meter.send(marked(2))
    boss.wait("power_instant")
    assert subscriptions(broker) == 1 and not boss.responses() and counts(box) == (0, 0)
    box.patch(MQTT={"Commands": True})
    wait_subscribed(broker, 2)
    assert boss.order("get-status")["ok"]


def test_two_boxes_do_not_take_each_others_commands(gateway, broker, authority, boss, tmp_path):
    boxes = {}
    for serial in (SERIAL, OTHER):
        (tmp_path / serial).mkdir()
        boxes[serial] = Box(gateway, tmp_path / serial, *flags(broker, authority), "--serial", serial)
        wait_subscribed(broker, serial=serial)
    for serial, box in boxes.items():
        one = request(device=serial)
        boss.publish("get-status", one, serial)
        assert boss.answer("get-status", one, serial)["status"]["Serial"] == serial
        assert counts(box) == (1, 0)
    boss.publish("reset", request(device=SERIAL), OTHER)
    wait_until(lambda: counts(boxes[OTHER]) == (1, 1), "the refusal")
    assert counts(boxes[SERIAL]) == (1, 0) and len(boss.responses()) == 2
    assert connects(broker) == 1
    for box in boxes.values():
        box.user.close()


# --- when --------------------------------------------------------------------------------------

@needs_faketime
def test_a_box_that_does_not_know_the_time_does_nothing(gateway, broker, authority, pair, boss, tcp_meter, tmp_path):
    """It cannot tell whether a command is too late; that its meter knows the time is not enough."""
    old = authority.issue("broker", *HERE, starts=-1000 * DAY)
    broker.pair = old
    broker.stop()
    assert broker.start()
    watch = Boss(broker.port)
    server = gateway(tcp_meter.url, "--mqtt", broker.url, "--mqtt-ca", old.pin(), "--state", str(tmp_path / "state"),
                     "--https", "off", "--http", "off", env=FakeClock(tmp_path, DAY - int(time.time())).env)
    tcp_meter.accept().send(marked(1))
    wait_subscribed(broker)
    for name in ("get-status", "reset"):
        answer = watch.order(name)
        assert answer["ok"] is False and "does not know the time" in answer["error"]
    assert watch.order("reset", expires=86400 + 300)["ok"] is False
    assert not server.log("soft reset")
    watch.close()
