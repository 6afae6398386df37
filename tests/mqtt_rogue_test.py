"""A broker that is broken or hostile: it costs its own connection at most.

Those of group G in bad_inputs.csv have tests of their own; the rest share some.  All run against two gateways that live as
long as the file, one with a plain connection and one with TLS, while Modbus is polled: whatever the broker does, a
charger gets its answer in a tenth of a second.
"""
import functools
import json
import os
import pathlib
import random
import re
import shutil
import socket
import struct
import threading
import time

import pytest

from bad_inputs import in_catalogue, named
from harness import (DEADLINE, PROGRAM, SANITIZER_COMPLAINT, SERIAL, Charger, Gateway, Process, TcpMeter, marked,
                     wait_until)
from https_client import Https, serve
from rogue_broker import (AUTH, CONNACK, CONNECT, DISCONNECT, PINGREQ, PINGRESP, PUBACK, PUBCOMP, PUBLISH, PUBREC,
                          PUBREL, SUBACK, SUBSCRIBE, V311, V5, Plan, Rogue, connack, make_ca, numbered, packet,
                          properties, publish, server_context, suback, text, variable)

SOAK = os.environ.get("SOAK") == "1"
BASE = f"devices/default/smart-connect/{SERIAL}"
BIRTH = "homeassistant/status"
GROWTH_KIB = 16384
TOO_MUCH = "more than a broker has to say"
SANITIZED = b"__asan_init" in pathlib.Path(PROGRAM).read_bytes()
MODBUS_S = 0.5 if SANITIZED else 0.1  # 256 MiB are asked for: a sanitizer marks them all

NO_5 = "MQTT 5 is not spoken with this version of the library"


def names(*some):
    """Parametrizes a test with bad inputs."""
    return pytest.mark.parametrize("name", named("G", some))


# --- the house ---------------------------------------------------------------------------------

class House:
    """A gateway, its meter, its page and its broker."""

    def __init__(self, folder, rogue, *options):
        self.folder, self.rogue, self.state, self.n = folder, rogue, folder / "state", 0
        self.meter = TcpMeter()
        self.server, login = serve(functools.partial(Gateway, folder), folder, "--mqtt", rogue.url, "--stale-after",
                                   "3600", *options, meter=self.meter.url)
        self.meter.accept().send(marked(0))
        self.server.wait_served()
        self.user = Https(self.server, login)
        self.charger = Charger(self.server)
        self.commands_full_at = 0
        first = wait_until(lambda: rogue.peers and rogue.peers[0].packets, "the broker's first connection")[0]
        self.speaks_5 = first.body[6] == V5
        self.versions = (V5, V311) if self.speaks_5 else (V311,)

    def status(self):
        answer = self.user.get("/api/v1/status")
        assert answer.status == 200, answer
        return answer.json()["State"]

    def counters(self):
        return self.status()["Counters"]

    def mqtt(self):
        return self.status()["MQTT"]

    def reset(self):
        assert self.user.request("POST", "/api/v1/reset", {"Mode": "soft"}).status == 202

    def anew(self, plan):
        """Connects anew, to a broker that does this."""
        self.rogue.skip()
        self.rogue.plan = plan
        self.reset()

    def meet(self, plan=None):
        """The same; the connection when it is of use."""
        self.anew(plan or Plan())
        return self.met()

    def meet_counted(self, plan):
        """The same, and the counters before it."""
        counted = threading.Event()
        plan.connack = lambda peer: counted.wait(DEADLINE) and connack(peer.version, props=plan.props)
        self.anew(plan)
        before = self.counters()
        counted.set()
        return self.met(), before

    def settled(self, peer, before, **by):
        """Nothing but this has happened on a connection, and what was published was acknowledged once."""
        def sent():
            return self.counters()["mqtt_send_pass"] - before["mqtt_send_pass"] == len(peer.of(PUBLISH))
        wait_until(sent, "acknowledgements")
        now = self.counters()
        for name in ("mqtt_event_connect", "mqtt_event_errors", "mqtt_send_fail", "mqtt_dropped", "mqtt_commands",
                     "mqtt_commands_refused"):
            assert now[name] - before[name] == by.get(name, 0), name

    def met(self):
        peer = self.rogue.next_peer()
        peer.wait(PUBLISH, lambda p: p.topic == f"{BASE}/status")
        return peer

    def read(self):
        """The meter sends a new telegram; what is published of it."""
        self.n += 1
        self.meter.send(marked(self.n))
        return self.n

    def flows(self, peer):
        """What the meter sends arrives at the broker."""
        n = self.read()
        return peer.wait(PUBLISH, lambda p: p.topic.endswith("/power_instant") and json.loads(p.payload)["P"] == n)

    def changed(self, before, **by):
        """Waits until counters have gone up, by exactly so much.  The counters."""
        def look():
            now = self.counters()
            return all(now[name] >= before[name] + n for name, n in by.items()) and now
        now = wait_until(look, f"{by} after {before}")
        assert {name: now[name] - before[name] for name in by} == by
        return now

    def comes_back(self):
        """The gateway connects by itself to a broker that is good now."""
        self.rogue.skip()
        self.rogue.plan = Plan()
        self.flows(self.met())

    def check(self, rss_kib):
        """What must hold after each test."""
        assert self.server.running() and not SANITIZER_COMPLAINT.search(self.server.stderr()), self.server.stderr()
        self.charger.check(MODBUS_S)
        assert SANITIZED or self.server.rss_kib() - rss_kib < GROWTH_KIB
        for line in self.server.stderr_path.read_bytes().splitlines():
            assert re.fullmatch(rb"[ -~]+", line), line

    def close(self):
        self.charger.close()
        self.user.close()
        self.server.stop()
        self.meter.close()
        self.rogue.close()

    # --- commands ---

    def command(self, peer, name, body=None, retain=False, topic=None, **members):
        """Sends one; its id.  Not faster than they are taken."""
        now = time.monotonic()
        self.commands_full_at = max(self.commands_full_at, now) + 1
        time.sleep(max(0, self.commands_full_at - now - 9))
        request = {"id": f"test-{time.time_ns()}", "device": SERIAL, "expires": int(time.time()) + 60, **members}
        payload = json.dumps(request).encode() if body is None else body
        assert peer.send(publish(peer.version, topic or f"{BASE}/cmd/{name}", payload, retain=retain))
        return request["id"]


def response(peer, name, of):
    topic = f"{BASE}/cmd/{name}/response"
    return json.loads(peer.wait(PUBLISH, lambda p: p.topic == topic and json.loads(p.payload)["id"] == of).payload)


@pytest.fixture(name="ca", scope="module")
def fixture_ca(tmp_path_factory):
    return make_ca(tmp_path_factory.mktemp("pki"), "ca")


@pytest.fixture(name="plain_house", scope="module")
def fixture_plain_house(tmp_path_factory):
    house = House(tmp_path_factory.mktemp("plain"), Rogue(), "--mqtt-home-assistant")
    yield house
    house.close()


@pytest.fixture(name="tls_house", scope="module")
def fixture_tls_house(tmp_path_factory, ca):
    house = House(tmp_path_factory.mktemp("tls"), Rogue(server_context(ca.parent, ca)), "--mqtt-ca", str(ca))
    yield house
    house.close()


def visit(house):
    house.charger.forget()
    rss_kib = house.server.rss_kib()
    yield house
    house.check(rss_kib)


@pytest.fixture(name="house")
def fixture_house(plain_house):
    yield from visit(plain_house)


@pytest.fixture(name="five")
def fixture_five(house):
    """For what only MQTT 5 has."""
    if not house.speaks_5:
        pytest.skip(NO_5)
    return house


@pytest.fixture(name="secure")
def fixture_secure(tls_house):
    yield from visit(tls_house)


# --- brokers that take their time --------------------------------------------------------------

def endless(peer, _):
    """Then follows a message of 256 MiB, bit by bit: each byte is a sign of life, and none an acknowledgement."""
    def trickle():
        peer.send(b"\x30\xff\xff\xff\x7f")
        while peer.send(bytes(500)):
            time.sleep(0.02)
    threading.Thread(target=trickle, daemon=True).start()
    return b""


def hang_up(peer):
    """Says yes and ends, at once."""
    return connack(peer.version) + (packet(DISCONNECT, b"\x8b") if peer.version == V5 else packet(DISCONNECT))


def late(peer):
    time.sleep(11)
    return connack(peer.version)


SLOW = {
    "never-answers": lambda: Plan(connack=b""),
    "connack-late": lambda: Plan(connack=late),
    "disconnect-loop": lambda: Plan(connack=hang_up),
    "remlen-lie": lambda: Plan(answers={SUBSCRIBE: endless}),
}


class SlowCase:
    """A gateway of its own, which runs beside the other tests."""

    def __init__(self, folder, plan):
        self.rogue = Rogue()
        self.rogue.plan = plan
        self.server = Gateway(folder, "sim:dsmr50", "--mqtt", self.rogue.url, "--mqtt-home-assistant")
        self.cpu, self.rss_kib, self.begun = self.server.cpu_seconds(), self.server.rss_kib(), time.monotonic()

    def peers_within(self, seconds):
        """Those of the first so many seconds."""
        first = wait_until(lambda: self.rogue.peers, "the first connection")[0]
        wait_until(lambda: time.monotonic() > first.at + seconds, "so many seconds", seconds + 1)
        return [p for p in self.rogue.peers if p.at < first.at + seconds]


@pytest.fixture(name="slow", scope="module", autouse=True)
def fixture_slow(tmp_path_factory):
    cases = {name: SlowCase(tmp_path_factory.mktemp(name), plan()) for name, plan in SLOW.items()}
    yield cases
    for case in cases.values():
        case.server.stop()
        case.rogue.close()


# --- the answer to CONNECT ---------------------------------------------------------------------

def refused(peer):
    return connack(peer.version, 0x87 if peer.version == V5 else 5)


# How it answers, and what is said of it.
BAD_CONNACKS = {
    "connack-short": (lambda peer: packet(CONNACK, b"\0"), "[Mm]alformed|protocol"),
    "connack-rc-5": (refused, "refused: .*[Nn]ot authori"),
    "no version 3 code": (lambda peer: connack(peer.version, 0xFE), "refused"),
    "connack of another packet": (lambda peer: packet(PINGRESP), "protocol"),
    "connack-1MiB": (lambda peer: packet(CONNACK, bytes(1 << 20)), "protocol"),
}


def check_bad_answer(house, name, back):
    answer, said = BAD_CONNACKS[name]
    before = house.counters()
    house.anew(Plan(connack=answer))
    after = house.changed(before, mqtt_event_errors=1)
    assert after["mqtt_event_connect"] == before["mqtt_event_connect"]
    assert re.search(said, house.mqtt()["Detail"]), house.mqtt()
    if back:
        house.comes_back()


@names("connack-short", "connack-rc-5")
def test_bad_answer_to_connect_costs_the_attempt(house, name):
    check_bad_answer(house, name, True)


@pytest.mark.parametrize("name", [name for name in BAD_CONNACKS if not in_catalogue("G", name)])
def test_nonsense_for_an_answer_costs_the_attempt(house, name):
    check_bad_answer(house, name, False)


@names("connack-long")
def test_bytes_behind_the_answer_are_not_looked_at(house, name):
    for version in house.versions:
        body = bytes([0, 0]) + properties(version) + b"\xde\xad\xbe\xef" * 20
        peer = house.meet(Plan(version, connack=packet(CONNACK, body)))
        assert peer.version == version
        house.flows(peer)


def test_second_answer_changes_nothing(house):
    for version in house.versions:
        peer = house.meet(Plan(version))
        before = house.counters()
        assert peer.send(connack(version) * 3)
        house.flows(peer)
        assert house.counters()["mqtt_event_errors"] == before["mqtt_event_errors"]


# --- packets that break the connection ---------------------------------------------------------

def lying_publish(version):
    """Its topic is longer than all of it."""
    return packet(PUBLISH, struct.pack(">H", 500) + b"a" * 20)


BREAKING = {
    "suback-no-codes": lambda v: numbered(SUBACK, 1, properties(v)),
    "publish-topic-empty": lambda v: publish(v, b"", b"x"),
    "publish-topic-nul": lambda v: publish(v, b"a\0b", b"x"),
    "publish-bad-utf8": lambda v: publish(v, b"a\xc0\xafb", b"x"),
    "publish-qos-3": lambda v: publish(v, "a", b"x", qos=3),
    "remlen-5-bytes": lambda v: b"\x30\xff\xff\xff\xff\x01" + bytes(100),
    "publish topic lie": lying_publish,
    "publish nothing": lambda v: packet(PUBLISH),
    "publish surrogate": lambda v: publish(v, b"a\xed\xa0\x80b"),
    "publish id 0": lambda v: publish(v, "a", qos=1, number=0),
    "suback id 0": lambda v: suback(v, 0),
    "suback empty": lambda v: packet(SUBACK),
    "puback id 0": lambda v: numbered(PUBACK, 0),
    "puback short": lambda v: packet(PUBACK, b"\1"),
    "pubrel flags": lambda v: numbered(PUBREL, 1),
    "pubcomp short": lambda v: packet(PUBCOMP),
    "connect": lambda v: packet(CONNECT, text("MQTT") + b"\x05\x02\0\x1e\0" + text("x")),
    "subscribe": lambda v: numbered(SUBSCRIBE, 1, properties(v) + text("#") + b"\0", flags=2),
    "packet 0": lambda v: packet(0, b"x"),
    "disconnect with a code": lambda v: packet(DISCONNECT, b"\x8e"),
    "disconnect without": lambda v: packet(DISCONNECT),
}


COMES_BACK = "suback-no-codes", "publish-qos-3"  # as all do: it takes time


def check_breaks(house, version, data, back):
    peer = house.meet(Plan(version))
    before = house.counters()
    house.rogue.plan = Plan(version)
    peer.send(data)
    peer.wait_closed()
    house.changed(before, mqtt_event_errors=1)
    if back:
        house.flows(house.met())
        assert house.counters()["mqtt_event_errors"] == before["mqtt_event_errors"] + 1


@names(*(name for name in BREAKING if in_catalogue("G", name)))
def test_broken_packet_costs_the_connection(house, name):
    for version in house.versions:
        check_breaks(house, version, BREAKING[name](version), version == V311 and name in COMES_BACK)


def test_more_broken_packets_cost_the_connection(house):
    for make in (make for name, make in BREAKING.items() if not in_catalogue("G", name)):
        for version in house.versions:
            check_breaks(house, version, make(version), False)


def test_acknowledgement_of_another_kind_costs_the_connection(house):
    """PUBREC and PUBCOMP are for QoS 2; what was sent is QoS 1."""
    for kind in (PUBREC, PUBCOMP):
        peer = house.meet(Plan(answers={PUBLISH: lambda peer, p: b""}))
        before = house.counters()
        peer.send(numbered(kind, peer.of(PUBLISH)[0].number))
        peer.wait_closed()
        house.changed(before, mqtt_event_errors=1)


# --- packets that are passed over --------------------------------------------------------------

PASSED_OVER = {
    "suback-wrong-id": lambda v: suback(v, 0x7777) + suback(v, 0x7778, b"\1\1\1"),
    "puback-unknown": lambda v: numbered(PUBACK, 0x7777) + numbered(PUBACK, 0xFFFF),
    "pubrec-unasked": lambda v: numbered(PUBREC, 0x7777),
    "publish-topic-wildcard": lambda v: publish(v, "+/#", b"x") + publish(v, f"{BASE}/cmd/+", b"x"),
    "pubrel unasked": lambda v: numbered(PUBREL, 0x7777, flags=2),
    "pubcomp unasked": lambda v: numbered(PUBCOMP, 0x7777),
    "pingresp unasked": lambda v: packet(PINGRESP) * 5,
    "pingreq": lambda v: packet(PINGREQ) * 5,
    "unsubscribed topics": lambda v: publish(v, "a", bytes(5000)) + publish(v, "/", b"x", qos=1),
    "our own topics": lambda v: publish(v, f"{BASE}/status", b"offline") + publish(v, f"{BASE}/data/meter", b"{}"),
    "strange birth": lambda v: b"".join(publish(v, BIRTH, x) for x in (b"", b"onlin", b"online\0", bytes(3000))),
    "long topic": lambda v: publish(v, "x" * 20000, b"x"),
}


def check_passed_over(house, version, data):
    peer, before = house.meet_counted(Plan(version))
    house.flows(peer)
    assert peer.send(data)
    house.flows(peer)
    house.settled(peer, before, mqtt_event_connect=1)


@names(*(name for name in PASSED_OVER if in_catalogue("G", name)))
def test_odd_packet_is_passed_over(house, name):
    for version in house.versions:
        check_passed_over(house, version, PASSED_OVER[name](version))


def test_more_odd_packets_are_passed_over(house):
    for make in (make for name, make in PASSED_OVER.items() if not in_catalogue("G", name)):
        for version in house.versions:
            check_passed_over(house, version, make(version))


@names("puback-dup")
def test_second_acknowledgement_is_not_counted(house, name):
    for version in house.versions:
        peer, before = house.meet_counted(Plan(version, answers={PUBLISH: lambda peer, p: numbered(PUBACK, p.number) * 3}))
        house.flows(peer)
        house.flows(peer)
        house.settled(peer, before, mqtt_event_connect=1)


@names("suback-0x80")
def test_refused_subscription_is_said_and_costs_nothing_else(house, name):
    for version in house.versions:
        said = len(house.server.log("refuses a subscription"))
        refuse = {SUBSCRIBE: lambda peer, p: suback(peer.version, p.number, b"\x80")}
        peer, before = house.meet_counted(Plan(version, answers=refuse))
        house.flows(peer)
        house.settled(peer, before, mqtt_event_connect=1)
        assert len(house.server.log("warning mqtt: .*refuses a subscription")) == said + 1


# --- too much ----------------------------------------------------------------------------------

def peak_kib(server):
    return int(re.search(r"VmHWM:\s+(\d+)", pathlib.Path(f"/proc/{server.pid}/status").read_text()).group(1))


def forget_peak(server):
    pathlib.Path(f"/proc/{server.pid}/clear_refs").write_text("5")


def check_flood(house, version, head):
    peer = house.meet(Plan(version))
    before, rss_kib = house.counters(), house.server.rss_kib()
    forget_peak(house.server)
    block = bytes(1 << 20)
    peer.send(head)
    while not peer.closed and peer.sent < 1 << 28 and peer.send(block):
        pass
    assert peer.sent < 1 << 25, "it reads on and on"
    peer.wait_closed()
    house.changed(before, mqtt_event_errors=1)
    assert house.server.log(TOO_MUCH)
    assert SANITIZED or peak_kib(house.server) - rss_kib < GROWTH_KIB


@names("publish-256MiB")
def test_message_of_256_mib_is_not_read(house, secure, name):
    for version in house.versions:
        check_flood(house, version, b"\x30\xff\xff\xff\x7f")
    check_flood(secure, V5, b"\x30\xff\xff\xff\x7f")


def test_endless_acknowledgements_are_not_read(house):
    for version in house.versions:
        check_flood(house, version, numbered(PUBACK, 0x7777) * 100000)


def pour(house, peer, data, total):
    """Sends so many bytes, not faster than a gateway takes them, or until it leaves."""
    block = data * max(1, 3000 // len(data))
    while peer.sent < total and not peer.closed and peer.send(block):
        time.sleep(len(block) / 45000)


@pytest.mark.parametrize("version", [V5, V311])
def test_messages_that_are_never_released_do_not_pile_up(house, version):
    """QoS 2: the library keeps each, for all its id says, until it is released.  A few rounds cost no more than one."""
    if version not in house.versions:
        pytest.skip(NO_5)
    one = publish(version, "a", qos=2, number=7)
    top = []
    for _ in range(4 if SOAK else 2):
        peer = house.meet(Plan(version))
        before = house.counters()
        pour(house, peer, one, 1 << 20)
        peer.wait_closed()
        house.changed(before, mqtt_event_errors=1)
        top.append(house.server.rss_kib())
    assert SANITIZED or top[-1] - top[0] < 256


@pytest.mark.skipif(SANITIZED, reason="it is the library that leaks")
def test_properties_of_unknown_acknowledgements_do_not_pile_up(five):
    """The library forgets to free them: there must be few."""
    one = numbered(PUBACK, 0x7777, b"\0" + properties(V5, b"\x26" + text("k") + text("x" * 2900)))
    peer = five.meet()
    before, rss_kib = five.counters(), five.server.rss_kib()
    pour(five, peer, one, 1 << 20)
    peer.wait_closed()
    five.changed(before, mqtt_event_errors=1)
    assert SANITIZED or five.server.rss_kib() - rss_kib < 512


@pytest.mark.parametrize("version", [V5, V311])
def test_repeated_ids_of_qos_2_leave_nothing_behind(house, version):
    """Published, released, and so on with the same id."""
    if version not in house.versions:
        pytest.skip(NO_5)
    rounds, warm_up = 100000 if SOAK else 10000, 2000
    peer = house.meet(Plan(version))
    pair = publish(version, "a", b"x", qos=2, number=7) + numbered(PUBREL, 7, flags=2)
    before, begin = house.counters(), peer.sent
    pour(house, peer, pair, begin + warm_up * len(pair))
    wait_until(lambda: len(peer.of(PUBCOMP)) >= warm_up, "the warm-up", 60)
    rss_kib = house.server.rss_kib()
    pour(house, peer, pair, begin + rounds * len(pair))
    wait_until(lambda: len(peer.of(PUBCOMP)) >= rounds, "all of them", 60)
    assert SANITIZED or house.server.rss_kib() - rss_kib < 64
    house.flows(peer)
    assert house.counters()["mqtt_event_errors"] == before["mqtt_event_errors"]


@pytest.mark.skipif(not SOAK, reason="takes three minutes: SOAK=1")
def test_answers_to_a_broker_that_does_not_read_do_not_pile_up(gateway, tcp_meter):
    """There is no reading whose missing acknowledgement would end it, and it is alive."""
    rogue = Rogue()
    rogue.listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    rogue.plan = Plan(V311, reads=False)
    server = gateway(tcp_meter.url, "--mqtt", rogue.url)
    peer = rogue.next_peer()
    rss_kib, end = server.rss_kib(), time.monotonic() + 180
    one = publish(V311, "a", qos=1)
    while time.monotonic() < end and peer.send(one * 1000 + packet(PINGRESP)):
        time.sleep(1000 * len(one) / 60000)
        assert server.rss_kib() - rss_kib < 4096
    peer.close()
    rogue.close()


# --- MQTT 5: properties ------------------------------------------------------------------------

RECEIVE_MAXIMUM, MAXIMUM_PACKET, KEEP_ALIVE, ASSIGNED_ID = b"\x21", b"\x27", b"\x13", b"\x12"
MAXIMUM_QOS, RETAIN_AVAILABLE, REASON, SERVER, ALIAS = b"\x24", b"\x25", b"\x1f", b"\x1c", b"\x23"
UGLY = text(b"\x1b[31mred\r\n2026-01-01T00:00:00.000Z error   run: invented\x07")
FULL = b"\x26" + text("k") + text("v" * 60000)


def user(name, value):
    return b"\x26" + text(name) + text(value)


def as_5(body):
    """A plan: this to those who speak version 5, and a proper answer to others."""
    return Plan(connack=lambda peer: packet(CONNACK, body) if peer.version == V5 else connack(V311))


def property_body(props, length=None):
    return b"\0\0" + properties(V5, props, length)


# What a bad answer in version 5 leads to: version 3.1.1, or another attempt.
OLDER, AGAIN = "3.1.1", "again"
BAD_ANSWERS = {
    "of another packet": (property_body(ALIAS + b"\0\1"), OLDER),
    "cut": (property_body(RECEIVE_MAXIMUM + b"\0"), OLDER),
    "string longer than all": (property_body(REASON + b"\x7f\xffabc"), OLDER),
    "assigned id though there was one": (property_body(ASSIGNED_ID + text("another")), OLDER),
    "length beyond the end": (property_body(RECEIVE_MAXIMUM + b"\0\x09", 50), OLDER),
    "length of 256 MiB": (property_body(RECEIVE_MAXIMUM + b"\0\x09", 0x0FFFFFFF), OLDER),
    "length in five bytes": (b"\0\0\xff\xff\xff\xff\x01", OLDER),
    "no length": (b"\0\0", OLDER),
    "twice": (property_body((RECEIVE_MAXIMUM + b"\0\x09") * 2), AGAIN),
    "bad UTF-8": (property_body(REASON + text(b"\xff\xfe")), AGAIN),
    "control bytes": (property_body(REASON + UGLY), AGAIN),
}


@pytest.mark.parametrize("name", BAD_ANSWERS)
def test_bad_properties_cost_the_attempt_or_the_version(five, name):
    body, reaction = BAD_ANSWERS[name]
    before = five.counters()
    five.anew(as_5(body))
    if reaction == OLDER:
        peer = wait_until(lambda: next((p for p in five.rogue.peers[five.rogue.taken:] if p.version == V311), None),
                          "a connection with 3.1.1")
        five.flows(peer)
        assert five.mqtt()["Version"] == "3.1.1"
        assert five.counters()["mqtt_event_errors"] == before["mqtt_event_errors"]
    else:
        five.changed(before, mqtt_event_errors=1)


UNKNOWN_PROPERTIES = {
    "CONNACK": lambda peer: None,
    "PUBLISH": lambda peer: publish(V5, "a", props=b"\x7e\1"),
    "PUBACK": lambda peer: numbered(PUBACK, 1, b"\0" + properties(V5, b"\x7e\1")),
    "DISCONNECT": lambda peer: packet(DISCONNECT, b"\0" + properties(V5, b"\x7e\1")),
    "length lie": lambda peer: packet(PUBLISH, text("a") + b"\x7f" + b"x"),
}


@pytest.mark.parametrize("kind", UNKNOWN_PROPERTIES)
def test_property_nobody_knows_costs_the_connection(gateway, kind):
    """A gateway of its own, since the library takes it as an occasion to end the process, and gives up some memory when
    that is denied to it."""
    rogue = Rogue()
    rogue.plan = as_5(property_body(b"\x7e\1")) if kind == "CONNACK" else Plan()
    options = os.environ.get("ASAN_OPTIONS", "")
    server = gateway("sim:dsmr50", "--mqtt", rogue.url, env={"ASAN_OPTIONS": f"{options}:detect_leaks=0"})
    peer = rogue.next_peer()
    if peer.version != V5:
        rogue.close()
        pytest.skip(NO_5)
    if kind != "CONNACK":
        peer.wait(PUBLISH)
        peer.send(UNKNOWN_PROPERTIES[kind](peer))
    rogue.plan = Plan()
    peer.wait_closed()
    again = rogue.next_peer()
    assert server.running() and (kind != "CONNACK" or again.version == V311), server.stderr()
    server.wait_served()
    rogue.close()


GOOD_ANSWERS = {
    "60 KiB of user property": connack(V5, props=FULL),
    "many user properties": connack(V5, props=user("a", "b") * 500),
    "reason of success": connack(V5, props=REASON + text("fine")),
    "session present": connack(V5, flags=1),
    "all flags": connack(V5, flags=0xFF),
}


@pytest.mark.parametrize("name", GOOD_ANSWERS)
def test_odd_but_usable_answers_are_used(five, name):
    peer = five.meet(Plan(connack=GOOD_ANSWERS[name]))
    assert peer.version == V5
    five.flows(peer)


@pytest.mark.parametrize("data", [
    publish(V5, "a", b"x", props=ALIAS + b"\0\1"), publish(V5, "a", b"x", props=user("k", "x" * 60000)),
    packet(AUTH, b"\x18\0"), packet(AUTH, b"\x18" + properties(V5, REASON + text("why"))),
    suback(V5, 0x7777, b"\x97"), numbered(PUBREC, 0x7777, b"\x92\0"),
], ids=["alias", "64KiB user property", "AUTH", "AUTH with a reason", "SUBACK refusal", "PUBREC refusal"])
def test_odd_packets_of_version_5_are_passed_over(five, data):
    check_passed_over(five, V5, data)


@pytest.mark.parametrize("data", [
    publish(V5, "", b"x", props=ALIAS + b"\0\1"), publish(V5, "a", props=KEEP_ALIVE + b"\0\1"),
    publish(V5, "a", props=REASON + UGLY),
    packet(PUBLISH, text("a") + b"\xff\xff\xff\xff\x7f"), publish(V5, "a", props=(ALIAS + b"\0\1") * 2),
    numbered(PUBACK, 1, b"\0" + properties(V5, REASON + b"\xff\xff")),
    numbered(PUBACK, 1, b"\0" + properties(V5, KEEP_ALIVE + b"\0\1")), numbered(SUBACK, 1, b"\x05\x1f\0"),
    packet(AUTH), packet(DISCONNECT, b"\x9d" + properties(V5, SERVER + text("127.0.0.1:1"))),
    packet(DISCONNECT, b"\x8b" + properties(V5, REASON + UGLY)), packet(DISCONNECT, b"\0"),
], ids=["alias without topic", "foreign property", "control bytes", "property length 5 bytes", "property twice",
        "PUBACK string lie", "PUBACK foreign property", "SUBACK cut", "empty AUTH",
        "other server", "ugly reason", "normal end"])
def test_bad_packets_of_version_5_cost_the_connection(five, data):
    check_breaks(five, V5, data, False)


def test_server_reference_is_not_followed(five):
    """Neither of a refusal nor of an end: the owner says which broker it is."""
    other = Rogue()
    reference = SERVER + text(f"127.0.0.1:{other.port}")
    for reason in (0x9C, 0x9D):
        before = five.counters()
        five.anew(Plan(connack=connack(V5, reason, reference)))
        five.changed(before, mqtt_event_errors=1)
        check_breaks(five, V5, packet(DISCONNECT, bytes([reason]) + properties(V5, reference)), reason == 0x9D)
    assert not other.peers
    other.close()


def test_reasons_are_said_in_clean_words(five):
    """House.check() looks at the log: no byte of a broker may forge or colour a line."""
    before = five.counters()
    five.anew(Plan(connack=connack(V5, 0x88, REASON + text("\u0085\u202e busy"))))
    five.changed(before, mqtt_event_errors=1)
    assert re.fullmatch("[ -~]+", five.mqtt()["Detail"]), five.mqtt()
    no = b"\x97" + properties(V5, REASON + text("no"))
    peer, before = five.meet_counted(Plan(answers={PUBLISH: lambda peer, p: numbered(PUBACK, p.number, no)}))
    five.flows(peer)
    wait_until(lambda: five.counters()["mqtt_send_fail"] - before["mqtt_send_fail"] == len(peer.of(PUBLISH)), "failures")


# --- MQTT 5: what a broker cannot do -----------------------------------------------------------

def test_receive_maximum_of_one_is_kept(five):
    """One message at a time, and all arrive."""
    most = []

    def answer(peer, p):
        most.append(len(peer.of(PUBLISH)) - len(acknowledged))
        acknowledged.append(p.number)
        return numbered(PUBACK, p.number)
    acknowledged = []
    peer, before = five.meet_counted(Plan(answers={PUBLISH: answer}, props=RECEIVE_MAXIMUM + b"\0\1"))
    for _ in range(10):
        five.read()
    five.flows(peer)
    five.settled(peer, before, mqtt_event_connect=1)
    assert set(most) == {1}


def test_receive_maximum_of_zero_is_a_broker_that_takes_nothing(five):
    five.anew(Plan(props=RECEIVE_MAXIMUM + b"\0\0"))
    peer = five.rogue.next_peer()
    wait_until(lambda: five.mqtt()["Ok"] or peer.closed, "the connection")
    five.read()
    assert not peer.of(PUBLISH)


def test_maximum_packet_size_is_kept(five):
    """What does not fit is dropped and counted; the connection stays for what does."""
    peer, before = five.meet_counted(Plan(props=MAXIMUM_PACKET + struct.pack(">I", 200)))
    for _ in range(5):
        five.read()
    five.changed(before, mqtt_dropped=5, mqtt_event_errors=0)
    assert all(len(p.body) <= 197 for p in peer.packets[1:]) and not peer.of(PUBLISH, lambda p: "data" in p.topic)
    assert not peer.closed


def test_broker_that_takes_only_tiny_packets_is_left(five):
    """It does not even take the wish for commands or for Home Assistant's birth."""
    before = five.counters()
    five.anew(Plan(props=MAXIMUM_PACKET + struct.pack(">I", 20)))
    peer = five.rogue.next_peer()
    peer.wait_closed()
    five.changed(before, mqtt_event_errors=1)
    assert not peer.of(PUBLISH)


def test_broker_with_qos_0_only_gets_readings(five):
    peer, before = five.meet_counted(Plan(props=MAXIMUM_QOS + b"\0"))
    for _ in range(5):
        assert five.flows(peer).qos == 0
    five.settled(peer, before, mqtt_event_connect=1)


def test_broker_that_retains_nothing_gets_readings(five):
    five.anew(Plan(props=RETAIN_AVAILABLE + b"\0"))
    peer = five.rogue.next_peer()
    five.flows(peer)
    assert not peer.of(PUBLISH, lambda p: p.retain)


@pytest.mark.parametrize("reason", [0x9A, 0x9B], ids=["no retain", "no QoS 1"])
def test_broker_that_refuses_our_last_will_is_used_without(five, reason):
    """MQTT 5, 3.2.2.3.4 and .5: it must refuse a will it cannot keep its promise to."""
    def answer(peer):
        will_flags = peer.packets[0].body[7] & 0x38
        refused = will_flags & (0x20 if reason == 0x9A else 0x18)
        return connack(V5, reason) if peer.version == V5 and refused else connack(peer.version)
    five.anew(Plan(connack=answer))
    wait_until(lambda: five.mqtt()["Ok"], "a connection", 5)


def test_keepalive_of_the_broker_is_kept(five):
    peer = five.meet(Plan(props=KEEP_ALIVE + b"\0\1"))
    begin = time.monotonic()
    wait_until(lambda: len(peer.of(PINGREQ)) >= 2, "pings")
    assert time.monotonic() - begin < 5
    assert not peer.closed


# --- cut anywhere ------------------------------------------------------------------------------

class Cutter:
    """Cuts the n-th packet at its (first + n)-th byte position, in turn; notes which of which kind and length."""

    def __init__(self, first, done):
        self.n, self.done = first, done

    def __call__(self, data):
        at = 1 + self.n % (len(data) - 1)
        self.n += 1
        self.done.add((data[0] >> 4, len(data), at))
        yield data[:at]
        time.sleep(0.003)
        yield data[at:]


def byte_by_byte(data):
    for i in range(len(data)):
        yield data[i:i + 1]
        time.sleep(0.0005)


def good_dialogue(house, version, cut):
    """All that a good broker says."""
    peer, before = house.meet_counted(Plan(version, cut=cut))
    message = publish(version, BIRTH, b"online", qos=1)
    for number in range(1, len(message)):
        peer.send(publish(version, BIRTH, b"online", qos=1, number=number))
    peer.wait(SUBSCRIBE)
    peer.send(packet(PINGRESP))
    for _ in range(5):
        house.flows(peer)
    house.settled(peer, before, mqtt_event_connect=1)
    assert [p.number for p in peer.of(PUBACK)] == list(range(1, len(message)))


def test_good_packets_cut_at_every_byte_are_good(house):
    done = set()
    for version in house.versions:
        for first in range(5):
            good_dialogue(house, version, Cutter(first, done))
    for kind in (CONNACK, SUBACK, PUBACK, PINGRESP, PUBLISH):
        for length in {length for k, length, _ in done if k == kind}:
            assert {at for k, n, at in done if (k, n) == (kind, length)} == set(range(1, length)), (kind, length)


def test_good_packets_byte_by_byte_are_good(house):
    for version in house.versions:
        good_dialogue(house, version, byte_by_byte)


# --- noise -------------------------------------------------------------------------------------

def noise(chance):
    """Random bytes; half of them begin like a packet."""
    data = chance.randbytes(chance.randint(1, 200))
    if chance.random() < 0.5:
        return data
    return bytes([chance.choice([2, 3, 4, 5, 6, 7, 9, 11, 13, 14]) << 4 | chance.choice([0, 2, chance.randint(0, 15)])]) \
        + variable(chance.randint(0, len(data))) + data


def test_random_bytes_cost_their_connection(house):
    """3.1.1 only: see test_property_nobody_knows_costs_the_connection for what properties may do."""
    chance = random.Random(18)
    for n in range(2000 if SOAK else 100):
        data = noise(chance)
        house.rogue.skip()
        house.rogue.plan = Plan(V311, connack=lambda peer: connack(V311) + data)
        house.reset()
        peer = house.rogue.next_peer()
        wait_until(lambda: peer.closed or len(peer.packets) > 1, f"a reaction to {n}: {data.hex()}")
    house.flows(house.meet())


# --- TLS ---------------------------------------------------------------------------------------

@pytest.fixture(name="impostors", scope="module")
def fixture_impostors(ca):
    """TLS contexts that must not be trusted, and what is said of each."""
    other = make_ca(ca.parent, "other")
    return {
        "tls-wrong-ca": (server_context(ca.parent, other), "CA|authority|vouch"),
        "tls-expired": (server_context(ca.parent, ca, past=True), "ended on"),
        "tls-wrong-name": (server_context(ca.parent, ca, "elsewhere.example"), "not for localhost"),
    }


@names("tls-wrong-ca", "tls-expired", "tls-wrong-name")
def test_broker_that_is_not_the_one_learns_nothing(secure, impostors, name):
    context, said = impostors[name]
    before = secure.counters()
    secure.anew(Plan(context=context))
    after = secure.changed(before, mqtt_event_errors=1)
    assert after["mqtt_event_connect"] == before["mqtt_event_connect"]
    assert re.search(said, secure.mqtt()["Detail"]), secure.mqtt()
    assert all(not peer.packets for peer in secure.rogue.peers[secure.rogue.taken:])
    if name == "tls-wrong-ca":
        secure.comes_back()


# --- commands ----------------------------------------------------------------------------------

def deep(levels):
    return b'{"id":"test-0000000001","device":' + b"[" * levels + b"]" * levels + b"}"


def update(url):
    return "firmware-update", {"members": {"url": url}}


# The command, how it is sent, and whether it is answered.
REFUSED = {
    "retained-old-command": ("reset", {"retain": True}, False),
    "other-device-command": ("reset", {"members": {"device": "00112233AABC"}}, False),
    "expired-command": ("reset", {"members": {"expires": 1700000000}}, True),
    "unknown-command": ("format-disk", {}, True),
    "command-deep-json": ("reset", {"body": deep(1900)}, None),
    "url-http": (*update("http://updates.example/a.bin"), True),
    "url-file": (*update("file:///etc/passwd"), True),
    "url-link-local": (*update("https://169.254.169.254/latest/meta-data"), True),
}


def send_command(house, peer, name, how):
    return house.command(peer, name, how.get("body"), how.get("retain", False), **how.get("members", {}))


def check_refused(house, peer, name, how, answered):
    before, sent = house.counters(), len(peer.of(PUBLISH, lambda p: "/cmd/" in p.topic))
    number = send_command(house, peer, name, how)
    house.changed(before, mqtt_commands_refused=1, mqtt_commands=0)
    if answered:  # of an unknown one nothing is read, not even its id
        assert response(peer, name, "" if name == "format-disk" else number)["ok"] is False
    house.flows(peer)
    if answered is False:
        assert len(peer.of(PUBLISH, lambda p: "/cmd/" in p.topic)) == sent
    assert house.mqtt()["LastRefusal"]


@names(*REFUSED)
def test_command_is_refused_and_counted(secure, name):
    for version in secure.versions if name == "retained-old-command" else secure.versions[:1]:
        check_refused(secure, secure.meet(Plan(version)), *REFUSED[name])


@names("replayed-command")
def test_command_is_done_once(secure, name):
    for version in secure.versions:
        peer = secure.meet(Plan(version))
        before = secure.counters()
        first = secure.command(peer, "get-telegram")
        assert response(peer, "get-telegram", first)["ok"] is True
        secure.command(peer, "get-telegram", id=first)
        secure.changed(before, mqtt_commands=1, mqtt_commands_refused=1)
        peer = secure.meet(Plan(version))
        secure.command(peer, "get-telegram", id=first)
        secure.changed(before, mqtt_commands=1, mqtt_commands_refused=2)


def test_update_is_not_fetched_where_a_package_manager_looks_after_the_program(secure):
    """See mqtt_commands_test.py for a box that fetches."""
    peer = secure.meet()
    number = secure.command(peer, "firmware-update", url="https://updates.example/0.0.1.bin")
    answer = response(peer, "firmware-update", number)
    assert answer["ok"] is False and "package manager" in answer["error"]


EVIL_URLS = ["http://updates.example/a", "file:///etc/passwd", "https://127.0.0.1/a", "https://updates.example/a"]


@pytest.mark.skipif(not shutil.which("strace"), reason="no strace: run ./bootstrap test")
def test_update_from_a_foreign_host_touches_nothing(secure, tmp_path):
    """Neither a program nor a connection is started, and no file is written but the list of ids that were used."""
    def files():
        return {p.name: p.read_bytes() for p in secure.state.iterdir() if p.is_file()}
    peer, before, router = secure.meet(), files(), secure.status()["Network"]["Gateway"]
    trace = tmp_path / "trace"
    strace = Process(tmp_path, "strace", ["strace", "-f", "-y", "-p", str(secure.server.pid), "-o", str(trace), "-e",
                                          "trace=%file,%process,connect,memfd_create"])
    wait_until(lambda: " attached" in strace.stderr() or not strace.running(), "strace")
    if not strace.running():
        pytest.skip("strace is not permitted here, as in some containers")
    for url in EVIL_URLS:
        number = secure.command(peer, "firmware-update", url=url)
        assert response(peer, "firmware-update", number)["ok"] is False
    strace.end()
    calls = [line for line in trace.read_text().splitlines() if "(" in line]
    ours = re.compile(rf"mqtt-commands|{re.escape(str(secure.state))}[>\"]|localtime|/proc/|/sys/|/etc/(hosts|resolv)")
    odd = [c for c in calls if re.search(r"exec|fork|connect\(|memfd|open|creat|rename|link|mkdir", c)
           and not ours.search(c) and f'"{router}"' not in c]  # the router is asked whether it is there
    assert not odd, odd
    after = files()
    assert {n for n in after if after[n] != before.get(n)} <= {"mqtt-commands"}


def test_flood_of_commands_does_not_flood_the_log(secure):
    peer = secure.meet()
    before, lines = secure.counters(), len(secure.server.log(""))
    bad = publish(V5, f"{BASE}/cmd/reset", b"{}")
    for _ in range(10):
        peer.send(bad * 50)
        time.sleep(0.1)
    secure.changed(before, mqtt_commands_refused=500)
    assert len(secure.server.log("")) - lines < 50
    secure.commands_full_at = time.monotonic() + 10


def test_command_without_tls_is_not_even_looked_at(house):
    peer = house.meet()
    before = house.counters()
    house.command(peer, "reset")
    house.flows(peer)
    after = house.counters()
    assert after["mqtt_commands"] == after["mqtt_commands_refused"] == before["mqtt_commands"] == 0
    assert not peer.of(SUBSCRIBE, lambda p: b"/cmd/" in p.body)


# --- those that took their time ----------------------------------------------------------------

@names("disconnect-loop")
def test_broker_that_hangs_up_again_and_again_is_asked_less_and_less(slow, name):
    case = slow[name]
    tries = case.peers_within(20)
    print(f"{len(tries)} attempts in 20 s, {case.server.cpu_seconds() - case.cpu:.2f} s of CPU in "
          f"{time.monotonic() - case.begun:.0f} s")
    assert 2 <= len(tries) <= 9
    assert case.server.cpu_seconds() - case.cpu < 0.05 * (time.monotonic() - case.begun) + SANITIZED


@names("never-answers")
def test_broker_that_never_answers_is_given_up(slow, name):
    case = slow[name]
    case.server.wait_log("no answer within 10 s")
    assert not case.server.log("connected to")
    wait_until(lambda: len(case.rogue.peers) > 1, "another attempt")


@names("connack-late")
def test_answer_that_is_too_late_is_none(slow, name):
    case = slow[name]
    case.server.wait_log("no answer within 10 s")
    wait_until(lambda: len(case.rogue.peers) > 1, "another attempt")
    assert not case.server.log("connected to")


@names("remlen-lie")
def test_message_that_does_not_end_is_given_up(slow, name):
    case = slow[name]
    case.server.wait_log(f"{TOO_MUCH}|acknowledges nothing", seconds=40)
    assert SANITIZED or case.server.rss_kib() - case.rss_kib < GROWTH_KIB
