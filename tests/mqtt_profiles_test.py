"""When readings are published, in exact numbers; and what else is said: slow values, and the gateway's own counters."""
import json
import signal
import time
from fractions import Fraction

import pytest

from harness import SERIAL, marked, p1, run, wait_until
from page_kit import fixture_box, fixture_metered  # noqa: F401

TOPIC = f"devices/default/smart-connect/{SERIAL}"
KEYS = ["uptime", "gw_ping_pass", "gw_ping_fail", "internet_ping_pass", "internet_ping_fail", "telegrams_pass",
        "telegrams_fail", "telegrams_frame_fail", "mqtt_event_errors", "mqtt_event_connect", "mqtt_send_pass",
        "mqtt_send_fail", "heap_free", "heap_min_free", "heap_largest_free", "heap_failed_allocs"]


@pytest.fixture(name="watched")
def fixture_watched(metered, broker, subscriber):
    """watched(OPTION...): a box at a broker, and who watches it: (box, broker, watch)."""
    def make(*options):
        at = broker()
        watch = subscriber(at)
        one = metered("--mqtt", at.url, "--stale-after", "3600", *options)
        watch.wait("meter-status")
        return one, at, watch
    return make


def powers(watch):
    return [m.json()["P"] for m in watch.of("power_instant")]


def wait_taken(box, n):
    """Until the gateway has taken n telegrams."""
    wait_until(lambda: box.state()["Counters"]["telegrams_pass"] == n, f"{n} telegrams")


# --- mean --------------------------------------------------------------------------------------

def rounded(mean):
    """Half away from zero."""
    return int(abs(mean) + Fraction(1, 2)) * (1 if mean >= 0 else -1)


def netted(n, net_w):
    """A telegram with energy n Wh and this power, negative when it is exported."""
    w = abs(net_w)
    return p1("1-3:0.2.8(50)", f"1-0:1.8.1({n / 1000:010.3f}*kWh)", f"1-0:1.8.2({0:010.3f}*kWh)",
              f"1-0:1.7.0({w / 1000 if net_w > 0 else 0:06.3f}*kW)",
              f"1-0:2.7.0({w / 1000 if net_w < 0 else 0:06.3f}*kW)",
              f"1-0:32.7.0({220 + n % 7 / 10:05.1f}*V)")


def test_mean_is_exact_and_takes_each_telegram_once(watched, tcp_meter):
    """The energy in a mean is that of its last telegram: so it says which telegrams it is of."""
    _, _, watch = watched("--mqtt-publish", "mean", "--mqtt-interval", "1")
    sent, begin = [], time.monotonic()
    while len(watch.of("power_instant")) < 5:
        assert time.monotonic() < begin + 30, watch.messages
        sent.append((len(sent) * 7919) % 4001 - 2000)
        tcp_meter.send(netted(len(sent), sent[-1]))
        wait_until(lambda at=time.monotonic(): time.monotonic() > at + 0.03, "the meter's pace")
    last = 0
    for m in watch.of("power_instant"):
        mean = m.json()
        window = sent[last:mean["E_IMPORT"]]
        assert window, "no two means of one interval"
        imported = rounded(Fraction(sum(max(w, 0) for w in window), len(window)))
        exported = rounded(Fraction(sum(max(-w, 0) for w in window), len(window)))
        assert (mean["P+"], mean["P-"], mean["P"]) == (imported, exported, imported - exported)
        millivolts = [220000 + n % 7 * 100 for n in range(last + 1, mean["E_IMPORT"] + 1)]
        assert mean["l1"]["U"] == rounded(Fraction(sum(millivolts), len(window))) / 1000
        last = mean["E_IMPORT"]
    spans = [b.at - a.at for a, b in zip(watch.of("power_instant")[1:], watch.of("power_instant")[2:])]
    assert all(0.5 < span < 2.5 for span in spans) and last > 20, spans


def test_a_mean_that_is_begun_is_said_when_the_meter_falls_silent(watched, tcp_meter):
    one, _, watch = watched("--mqtt-publish", "mean", "--mqtt-interval", "3600", "--stale-after", "1")
    for n, w in enumerate((100, 200, 601), 1):
        tcp_meter.send(netted(n, w))
    message = watch.wait("power_instant").json()
    assert message["E_IMPORT"] == 3 and message["P"] == 300, "300.33"
    wait_until(lambda: watch.of("meter-status")[-1].payload == "offline", "it is stale")
    assert len(powers(watch)) == 1
    tcp_meter.send(netted(4, 900))
    wait_taken(one, 4)
    watch.close()


def test_a_mean_that_is_begun_is_not_lost_at_the_end(watched, tcp_meter, subscriber):
    """Kept on disk, and said late at the next start."""
    one, broker, watch = watched("--mqtt-publish", "mean", "--mqtt-interval", "3600")
    for n, w in enumerate((100, 201), 1):
        tcp_meter.send(netted(n, w))
    wait_taken(one, 2)
    one.restart(signal.SIGTERM)
    tcp_meter.accept()
    wait_until(lambda: watch.of("power_instant") + watch.of("power_instant_late"), "the mean")
    found = watch.of("power_instant") + watch.of("power_instant_late")
    assert [m.json()["P"] for m in found] == [151], "150.5, half away from zero"
    assert found[0].json()["E_IMPORT"] == 2


# --- change ------------------------------------------------------------------------------------

def test_change_is_said_when_a_power_moves_by_the_deadband(watched, tcp_meter):
    """From what was said last, not from the telegram before: a slow drift shows, too."""
    one, _, watch = watched("--mqtt-publish", "change", "--mqtt-interval", "3600")
    one.patch(MQTT={"Deadband": 50})
    wait_until(lambda: one.state()["MQTT"]["Ok"], "the connection")
    steps = [(1000, True), (1049, False), (951, False), (1000, False), (1050, True), (1001, False), (1000, True),
             (1020, False), (1040, False), (1060, True), (1109, False), (-1, True), (48, False), (-50, False),
             (-51, True), (-51, False)]
    for n, (w, _) in enumerate(steps, 1):
        tcp_meter.send(netted(n, w))
        wait_taken(one, n)
    wanted = [w for w, said in steps if said]
    wait_until(lambda: len(powers(watch)) >= len(wanted), "all of them")
    assert powers(watch) == wanted


def test_any_phase_counts_and_so_does_a_value_that_comes_or_goes(watched, tcp_meter):
    one, _, watch = watched("--mqtt-publish", "change", "--mqtt-interval", "3600")
    base = ["1-3:0.2.8(50)", "1-0:1.7.0(01.000*kW)", "1-0:2.7.0(00.000*kW)"]
    phases = base + ["1-0:21.7.0(00.500*kW)", "1-0:22.7.0(00.000*kW)"]
    moved = base + ["1-0:21.7.0(00.510*kW)", "1-0:22.7.0(00.000*kW)"]
    steps = [(base, True), (base, False), (phases, True), (phases, False), (moved, True), (base, True),
             (base + ["1-0:32.7.0(230.0*V)"], True), (base + ["1-0:32.7.0(207.0*V)"], False)]
    for n, (lines, _) in enumerate(steps, 1):
        tcp_meter.send(p1(*lines))
        wait_taken(one, n)
    count = sum(said for _, said in steps)
    wait_until(lambda: len(powers(watch)) >= count, "all of them")
    assert len(powers(watch)) == count


def test_without_a_change_it_is_said_once_an_interval(watched, tcp_meter):
    _, _, watch = watched("--mqtt-publish", "change", "--mqtt-interval", "2")
    begin, n = time.monotonic(), 0
    while len(powers(watch)) < 4:
        assert time.monotonic() < begin + 20
        n += 1
        tcp_meter.send(netted(n, 500))
        wait_until(lambda at=time.monotonic(): time.monotonic() > at + 0.1, "the meter's pace")
    spans = [b.at - a.at for a, b in zip(watch.of("power_instant"), watch.of("power_instant")[1:])]
    assert all(1.8 < span < 3.5 for span in spans), spans
    assert n > 2 * len(powers(watch)), "far more telegrams than messages"


# --- changed while it runs ---------------------------------------------------------------------

def test_the_profile_changes_while_it_runs(watched, tcp_meter):
    """No telegram is lost or said twice: a mean that was begun is said before."""
    one, _, watch = watched()

    def send(first, *watts):
        for n, w in enumerate(watts, first):
            tcp_meter.send(netted(n, w))
            wait_taken(one, n)

    def acknowledged():
        """What is not is said again behind the change, late; a goodbye is not counted."""
        said = [m for m in watch.messages if not (m.topic == f"{TOPIC}/status" and m.payload == "offline")]
        return one.state()["Counters"]["mqtt_send_pass"] == len(said)

    def quiet():
        """Neither said nor answered may be what is on its way."""
        return acknowledged() and time.sleep(0.3) is None and acknowledged()

    def switch(**settings):
        wait_until(quiet, "the broker's answers")
        one.patch(MQTT=settings)
        wait_until(lambda: one.state()["MQTT"]["Ok"], "the connection")

    def everything():
        found = watch.of("power_instant") + watch.of("power_instant_late")
        return sorted((m.json()["E_IMPORT"], m.json()["P"]) for m in found)
    send(1, 10, 20)
    switch(Publish="change", Interval=3600, Deadband=100)
    send(3, 30, 40, 200)
    wanted = [(1, 10), (2, 20), (3, 30), (5, 200)]
    wait_until(lambda: everything() == wanted, f"{wanted}: {everything()}")
    switch(Publish="mean")
    send(6, 100, 300)
    assert everything() == wanted
    switch(Publish="telegram")
    send(8, 80)
    wanted += [(7, 200), (8, 80)]
    wait_until(lambda: everything() == wanted, f"{wanted}: {everything()}")


# --- the slow values ---------------------------------------------------------------------------

def test_slow_values_are_said_when_one_changes_and_are_those_of_decode(watched, tcp_meter):
    one, _, watch = watched()
    slow = lambda: watch.of("data/meter")  # noqa: E731
    tariff = ["1-3:0.2.8(50)", "0-0:96.1.1(4530303433)", "0-0:96.14.0(0001)", "1-0:1.7.0(00.100*kW)"]
    gas = ["0-1:24.1.0(003)", "0-1:96.1.0(4730303533)"]
    steps = [(tariff, True), (tariff, False), (tariff[:-1] + ["1-0:1.7.0(00.900*kW)"], False),
             (tariff[:2] + ["0-0:96.14.0(0002)"] + tariff[3:], True),
             (tariff + gas + ["0-1:24.2.1(260701120000S)(00012.345*m3)"], True),
             (tariff + gas + ["0-1:24.2.1(260701130000S)(00012.345*m3)"], False),
             (tariff + gas + ["0-1:24.2.1(260701140000S)(00012.346*m3)"], True)]
    said = 0
    for n, (lines, changed) in enumerate(steps, 1):
        telegram = p1(*lines)
        tcp_meter.send(telegram)
        wait_until(lambda: len(watch.of("power_instant")) == n, "the reading")
        said += changed
        wait_until(lambda: len(slow()) >= said, f"step {n}")
        wait_taken(one, n)
        assert len(slow()) == said, f"step {n}"
        if changed:
            wanted = run("decode", "--format", "meter", stdin=telegram).stdout.decode()
            pairs = [json.loads(text, object_pairs_hook=list) for text in (slow()[-1].payload, wanted)]
            assert pairs[0][0][0] == pairs[1][0][0] == "ts"
            assert pairs[0][1:] == pairs[1][1:], "key by key, in order"
            assert abs(slow()[-1].json()["ts"] - time.time()) < 30 and not slow()[-1].retained


# --- device counters ---------------------------------------------------------------------------

@pytest.fixture(name="counted")
def fixture_counted(metered, broker, subscriber):
    """counted(): a box that says its counters each second, or so often: (box, broker, watch)."""
    def make(interval_s=1):
        at = broker()
        watch = subscriber(at)
        one = metered("--stale-after", "3600")
        one.patch(MQTT={"Broker": at.url, "CountersInterval": interval_s})
        watch.wait("device_counters")
        return one, at, watch
    return make


def next_counters(watch):
    """The next message: what the API shows already it says, too."""
    before = len(watch.of("device_counters"))
    wait_until(lambda: len(watch.of("device_counters")) > before, "a message")
    return watch.of("device_counters")[before].json()


def test_counters_have_the_manuals_keys_in_its_order(counted):
    one, _, watch = counted()
    first = watch.of("device_counters")[0]
    assert list(first.json()) == KEYS and not first.retained and first.topic == f"{TOPIC}/data/device_counters"
    assert " " not in first.payload and "\n" not in first.payload
    wait_until(lambda: len(watch.of("device_counters")) >= 5, "four seconds")
    messages = watch.of("device_counters")
    spans = [b.at - a.at for a, b in zip(messages, messages[1:])]
    assert all(0.5 < span < 2.5 for span in spans), spans
    values = [m.json() for m in messages]
    uptimes = [v["uptime"] for v in values]
    assert uptimes == sorted(uptimes) and uptimes[-1] - uptimes[0] in (3, 4, 5, 6)
    assert abs(uptimes[-1] - one.state()["Uptime"]) <= 2
    for v in values:
        assert v["internet_ping_pass"] is None and v["internet_ping_fail"] is None, "off: not zero"
        assert v["gw_ping_pass"] is not None and v["gw_ping_fail"] is not None
        assert 0 <= v["heap_largest_free"] <= v["heap_free"] < 2 ** 30
        assert 0 <= v["heap_min_free"] <= v["heap_free"] and v["heap_failed_allocs"] == 0
    assert [v["heap_min_free"] for v in values] == sorted((v["heap_min_free"] for v in values), reverse=True)
    assert values[-1]["gw_ping_pass"] + values[-1]["gw_ping_fail"] >= 1


def test_each_telegram_counts_once_where_it_belongs(counted, tcp_meter):
    one, _, watch = counted()
    events = [("telegrams_pass", marked(1)), ("telegrams_fail", marked(2, good=False)),
              ("telegrams_frame_fail", marked(3)[:200] + marked(4)), ("telegrams_pass", marked(5))]
    kinds = ("telegrams_pass", "telegrams_fail", "telegrams_frame_fail")
    wanted = dict.fromkeys(kinds, 0)
    assert {k: watch.of("device_counters")[0].json()[k] for k in kinds} == wanted
    for kind, data in events:
        wanted[kind] += 1
        wanted["telegrams_pass"] += kind == "telegrams_frame_fail"  # the one behind the cut one
        tcp_meter.send(data)
        wait_until(lambda: sum(one.state()["Counters"][k] for k in kinds) == sum(wanted.values()), kind)
        said = next_counters(watch)
        assert {k: said[k] for k in kinds} == wanted, kind
    state = one.state()["Counters"]
    assert {k: state[k] for k in kinds} == wanted


def test_messages_sent_are_counted_when_they_are_acknowledged(counted, tcp_meter):
    """Each message but the one that says it: they came one behind the other."""
    _, _, watch = counted()
    for n in range(1, 4):
        tcp_meter.send(marked(n))
        next_counters(watch)
    for i, m in enumerate(watch.messages):
        if m.topic.endswith("device_counters"):
            assert m.json()["mqtt_send_pass"] == i and m.json()["mqtt_send_fail"] == 0
    assert watch.messages[-1].json()["mqtt_event_connect"] == 1


def test_connects_and_errors_are_counted(counted, subscriber):
    """A broker that is killed is one error; another attempt before it is back would be another."""
    one, broker, watch = counted()
    before = watch.of("device_counters")[-1].json()
    assert (before["mqtt_event_connect"], before["mqtt_event_errors"]) == (1, 0)
    watch.close()
    broker.stop(signal.SIGKILL)
    assert broker.start()
    one.server.wait_log("mqtt: connected", 2)
    after = subscriber(broker).wait("device_counters").json()
    assert (after["mqtt_event_connect"], after["mqtt_event_errors"]) == (2, 1)
    state = one.state()["Counters"]
    assert (state["mqtt_event_connect"], state["mqtt_event_errors"]) == (2, 1)


def test_what_a_dying_broker_does_not_acknowledge_has_failed_and_is_sent_again(counted, tcp_meter, subscriber):
    one, broker, watch = counted(3600)
    tcp_meter.send(marked(1))
    watch.wait("power_instant")
    before = wait_until(lambda: (c := one.state()["Counters"])["mqtt_send_pass"] == len(watch.messages) and c, "peace")
    assert before["mqtt_send_fail"] == 0
    broker.pause()
    for n in (2, 3, 4):
        tcp_meter.send(marked(n))
    wait_taken(one, 4)
    assert one.state()["Counters"]["mqtt_send_fail"] == 0, "there is still hope"
    watch.close()
    broker.process.popen.kill()
    broker.process.popen.wait()
    one.server.wait_log("trying again")
    state = wait_until(lambda: (c := one.state()["Counters"])["mqtt_send_fail"] and c, "the failure")
    assert state["mqtt_send_fail"] == 3 and state["mqtt_send_pass"] == before["mqtt_send_pass"]
    assert one.state()["MQTT"]["Waiting"] == 3
    assert broker.start()
    late = subscriber(broker)
    wait_until(lambda: len(late.of("power_instant") + late.of("power_instant_late")) >= 3, "the readings")
    found = [m.json()["P"] for m in late.of("power_instant_late") + late.of("power_instant")]
    assert found == [2, 3, 4]
    wait_until(lambda: one.state()["MQTT"]["Waiting"] == 0, "all acknowledged")
    assert one.state()["Counters"]["mqtt_send_fail"] == 3 and one.state()["Counters"]["mqtt_dropped"] == 0
