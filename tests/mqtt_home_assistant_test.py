"""Home Assistant's discovery at a real broker: the message is there when it should be, says what is true, and goes."""
import json
import re
import signal
import time

import pytest

from harness import DATA, SERIAL, marked, p1, run, wait_until
from home_assistant_schema import check, pressed, state
from home_assistant_test import expected_state
from page_kit import connects
from page_kit import fixture_box, fixture_metered  # noqa: F401
from pki import HERE, Authority, TlsBroker

BASE = f"devices/default/smart-connect/{SERIAL}"
OTHER = "00112233AABC"
BIRTH_MIN_S, BIRTH_MAX_S = 1, 10
SPARSE = ["1-3:0.2.8(50)", "1-0:1.7.0(00.273*kW)", "1-0:2.7.0(00.000*kW)"]
GAS = ["0-1:24.1.0(003)", "0-1:96.1.0(4730303533)", "0-1:24.2.1(260701120000S)(00012.345*m3)"]
VOLTAGE = ["1-0:32.7.0(230.1*V)"]


def config_topic(serial=SERIAL, prefix="homeassistant"):
    return f"{prefix}/device/smart-connect-{serial}/config"


def configs(watch, topic=config_topic()):
    """The discovery messages there were; an empty one takes the others away."""
    return [m for m in watch.messages if m.topic == topic]


def wait_config(watch, count=1, topic=config_topic()):
    """The entities of the `count`th message, as Home Assistant takes them."""
    wait_until(lambda: len(configs(watch, topic)) >= count, f"{count} discovery messages in {watch.messages}")
    return check(topic, configs(watch, topic)[count - 1].payload)


def marker(box):
    """What the box notes of the message it must take away one day; None: nothing."""
    try:
        return (box.folder / "mqtt-discovery").read_bytes().decode()
    except FileNotFoundError:
        return None


def decoded(telegram, form):
    return run("decode", "--format", form, stdin=telegram).stdout.decode().splitlines()


def retained_at(subscriber, broker, topic=config_topic()):
    """What somebody finds who comes late."""
    late = subscriber(broker, topic="#")
    late.client.publish("behind/retained", "x", qos=1)
    late.wait("behind/retained")
    found = [m for m in late.messages if m.topic == topic]
    assert all(m.retained for m in found)
    late.close()
    return found


@pytest.fixture(name="known")
def fixture_known(metered, broker, subscriber):
    """known(OPTION...): a box that Home Assistant can find, at a broker, watched: (box, broker, watch)."""
    def make(*options, at=None):
        at = at or broker()
        watch = subscriber(at)
        one = metered("--mqtt", at.url, "--mqtt-home-assistant", "--stale-after", "3600", *options)
        watch.wait("meter-status")
        return one, at, watch
    return make


def send_and_see(tcp_meter, watch, telegram):
    """Sends a telegram and waits for its reading at the broker."""
    before = len(watch.of("power_instant"))
    tcp_meter.send(telegram)
    wait_until(lambda: len(watch.of("power_instant")) > before, "the reading")


def settle(tcp_meter, watch, telegram):
    """By then a message that was due would be there: the gateway sends what is due when two readings were taken."""
    for _ in range(2):
        send_and_see(tcp_meter, watch, telegram)
    begin = time.monotonic()
    wait_until(lambda: time.monotonic() > begin + 1.2, "the link's housekeeping")


# --- when it is said ---------------------------------------------------------------------------

def test_the_first_valid_telegram_brings_one_message(known, tcp_meter, subscriber):
    one, broker, watch = known()
    tcp_meter.send(marked(1, good=False))
    tcp_meter.send(marked(1)[:100])
    tcp_meter.send(b"noise\r\n" * 20)
    wait_until(lambda: one.state()["Counters"]["telegrams_fail"] == 1, "the damaged telegram")
    assert not configs(watch) and not retained_at(subscriber, broker)
    tcp_meter.send(marked(2))
    wait_config(watch)
    for n in range(3, 13):
        send_and_see(tcp_meter, watch, marked(n))
    settle(tcp_meter, watch, marked(13))
    assert len(configs(watch)) == 1 and not configs(watch)[0].retained
    late = retained_at(subscriber, broker)
    assert [m.payload for m in late] == [configs(watch)[0].payload], "who comes late finds it"
    wait_until(lambda: marker(one) == config_topic(), "the marker")


def first_telegram(path):
    """Of a file that may hold several frames."""
    data = path.read_bytes()
    return data[data.index(b"\x02"):data.index(b"\x03") + 1] if path.suffix == ".bin" else data


def lines_of(path):
    return decoded(first_telegram(path), "json")


METERS = sorted([*(DATA / "p1").glob("*.txt"), *(DATA / "tic").glob("*.bin")])


@pytest.mark.parametrize("path", [p for p in METERS if len(lines_of(p)) == 1][::3], ids=lambda p: p.stem)
def test_it_says_what_this_meter_has_and_its_values_are_the_telegrams(known, tcp_meter, path):
    """Evaluated as Home Assistant does, from the messages that came."""
    _, _, watch = known()
    telegram = first_telegram(path)
    tcp_meter.send(telegram)
    for end in ("power_instant", "data/meter"):
        watch.wait(end)
    entities = wait_config(watch)
    wanted = check(config_topic("000000000000"), decoded(telegram, "home-assistant")[0])
    assert entities.keys() == wanted.keys() - {"restart"}, "a plain connection takes no commands"
    readings = json.loads(decoded(telegram, "readings")[0])
    latest = {m.topic: m.payload for m in watch.messages}
    for entity, config in entities.items():
        if config["state_topic"].endswith("device_counters"):
            continue
        shown = state(config, latest[config["state_topic"]])
        expected = expected_state(entity, readings)
        assert expected is not None, f"{entity}: this meter has none"
        if isinstance(expected, str):
            assert shown == expected, entity
        else:
            assert float(shown) == pytest.approx(expected, abs=1e-6), entity
        for source in config["availability"]:
            assert latest[source["topic"]] == "online", entity


def test_it_grows_with_what_the_meter_shows_and_is_not_said_again_otherwise(known, tcp_meter):
    _, _, watch = known()
    telegrams = [SPARSE, SPARSE + GAS, SPARSE + GAS + VOLTAGE]
    sizes = []
    for n, lines in enumerate(telegrams, 1):
        tcp_meter.send(p1(*lines))
        sizes.append(wait_config(watch, n).keys())
        settle(tcp_meter, watch, p1(*lines))
        assert len(configs(watch)) == n, "once"
    assert sizes[1] - sizes[0] == {"gas_1", "gas_meter_id_1"} & sizes[1] and "gas_1" in sizes[1]
    assert "voltage_l1" in sizes[2] - sizes[1]
    settle(tcp_meter, watch, p1(*SPARSE))
    assert len(configs(watch)) == 3, "what is away for a while stays"


def test_home_assistants_birth_brings_it_again_after_a_random_moment(gateway, broker, subscriber):
    """Of several boxes each by itself; several births in a row count as one, and no other word does."""
    at = broker()
    watch = subscriber(at)
    serials = [f"0011223344{n:02X}" for n in range(4)]
    for serial in serials:
        gateway("sim:dsmr50", "--mqtt", at.url, "--mqtt-home-assistant", "--serial", serial)
    topics = [config_topic(serial) for serial in serials]
    for topic in topics:
        wait_config(watch, 1, topic)
    settled = time.monotonic()
    wait_until(lambda: time.monotonic() > settled + 1.5, "what a second telegram might bring")
    before = {topic: len(configs(watch, topic)) for topic in topics}
    for payload in ("offline", "onlin", "online ", ""):
        watch.client.publish("homeassistant/status", payload, qos=1).wait_for_publish()
    for _ in range(3):
        watch.client.publish("homeassistant/status", "online", qos=1).wait_for_publish()
    born = time.monotonic()
    wait_until(lambda: all(len(configs(watch, t)) > before[t] for t in topics), "all of them", BIRTH_MAX_S + 3)
    delays = [configs(watch, t)[before[t]].at - born for t in topics]
    assert all(BIRTH_MIN_S - 0.1 <= d <= BIRTH_MAX_S + 1 for d in delays), delays
    assert max(delays) - min(delays) > 0.05, f"not all at once: {delays}"
    for topic in topics:
        assert len(configs(watch, topic)) == before[topic] + 1
        assert configs(watch, topic)[-1].payload == configs(watch, topic)[0].payload


def test_every_new_connection_brings_it_again(known, tcp_meter):
    """A broker may have lost what it retained."""
    one, broker, watch = known()
    tcp_meter.send(marked(1))
    wait_config(watch)
    broker.stop()
    assert broker.start()
    one.server.wait_log("mqtt: connected", 2)
    wait_until(lambda: len(configs(watch)) == 2, "the message at the new broker")
    assert configs(watch)[1].payload == configs(watch)[0].payload


# --- when it goes ------------------------------------------------------------------------------

def test_switched_off_it_is_taken_away(known, tcp_meter, subscriber):
    one, broker, watch = known()
    tcp_meter.send(marked(1))
    wait_config(watch)
    one.patch(MQTT={"HomeAssistant": False})
    wait_until(lambda: len(configs(watch)) == 2, "the removal")
    assert configs(watch)[1].payload == ""
    wait_until(lambda: marker(one) is None, "the marker's end")
    assert not retained_at(subscriber, broker)
    settle(tcp_meter, watch, marked(2))
    assert len(configs(watch)) == 2
    one.patch(MQTT={"HomeAssistant": True})
    wait_config(watch, 3)
    assert retained_at(subscriber, broker)


@pytest.mark.parametrize("restart", [False, True], ids=["while away", "and over a restart"])
def test_switched_off_while_the_broker_is_away(known, broker, tcp_meter, subscriber, tmp_path, restart):
    at = broker("persistence true", f"persistence_location {tmp_path}/")
    one, _, watch = known(at=at)
    tcp_meter.send(marked(1))
    wait_config(watch)
    wait_until(lambda: marker(one), "the marker")
    watch.close()
    at.stop()
    one.server.wait_log("trying again")
    one.patch(MQTT={"HomeAssistant": False})
    assert marker(one) == config_topic()
    if restart:
        one.restart(signal.SIGKILL)
        tcp_meter.accept()
        assert marker(one) == config_topic()
    assert at.start()
    one.server.wait_log("mqtt: connected", 1 if restart else 2, seconds=30)
    wait_until(lambda: marker(one) is None, "the removal, acknowledged")
    assert not retained_at(subscriber, at)


def test_another_prefix_moves_it(known, broker, tcp_meter, subscriber):
    one, broker, watch = known(at=broker("log_type all"))
    tcp_meter.send(marked(1))
    wait_config(watch)
    moved = config_topic(prefix="other/place")
    one.patch(MQTT={"HomeAssistantPrefix": "other/place"})
    wait_config(watch, 1, moved)
    seen = [(m.topic, bool(m.payload)) for m in watch.messages if m.topic.endswith("/config")]
    assert seen == [(config_topic(), True), (config_topic(), False), (moved, True)], "first away, then new"
    wait_until(lambda: marker(one) == moved, "the marker")
    assert not retained_at(subscriber, broker) and len(retained_at(subscriber, broker, moved)) == 1
    births = re.findall(r"\t(\S+)/status \(QoS 1\)", broker.process.stderr())
    assert births == ["homeassistant", "other/place"], "and it listens for Home Assistant there"


def test_another_site_is_the_same_device_with_other_topics(known, tcp_meter, subscriber):
    one, broker, watch = known()
    tcp_meter.send(marked(1))
    first = wait_config(watch)
    one.patch(MQTT={"Site": "attic"})
    second = wait_config(watch, 2)
    assert second.keys() == first.keys()
    for entity, config in second.items():
        assert config["unique_id"] == first[entity]["unique_id"]
        assert config["state_topic"].startswith(f"devices/attic/smart-connect/{SERIAL}/data/")
        assert all(a["topic"].startswith(f"devices/attic/smart-connect/{SERIAL}/") for a in config["availability"])
    assert len(retained_at(subscriber, broker)) == 1 and len(configs(watch)) == 2


def test_another_serial_number_is_another_device(known, tcp_meter, subscriber):
    """The old one is taken away, if the memory is the same."""
    one, broker, watch = known()
    tcp_meter.send(marked(1))
    wait_config(watch)
    one.restart(signal.SIGTERM, "--serial", OTHER)
    tcp_meter.accept()
    wait_until(lambda: len(configs(watch)) == 2, "the removal")
    assert configs(watch)[1].payload == ""
    assert not retained_at(subscriber, broker) and not configs(watch, config_topic(OTHER))
    tcp_meter.send(marked(2))
    entities = wait_config(watch, 1, config_topic(OTHER))
    assert all(OTHER in config["unique_id"] for config in entities.values())
    wait_until(lambda: marker(one) == config_topic(OTHER), "the marker")


@pytest.mark.parametrize("damage", [b"#", b"a/+/config", b"\xff\xfe", b"x\n", b"a\0b", b"y" * 5000],
                         ids=["hash", "plus", "no UTF-8", "line feed", "NUL", "long"])
def test_a_damaged_marker_costs_nothing_else(known, tcp_meter, tmp_path, damage):
    """What it names cannot be a topic of ours: nothing is published there, and the rest goes on."""
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "mqtt-discovery").write_bytes(damage)
    one, broker, watch = known()
    send_and_see(tcp_meter, watch, marked(1))
    wait_config(watch)
    assert connects(broker) == 1 and one.state()["Counters"]["mqtt_event_errors"] == 0
    wait_until(lambda: marker(one) == config_topic(), "a good one")


def test_what_the_meter_has_shown_once_stays_over_a_change_of_settings(known, tcp_meter):
    """A telegram may lack what the one before had: its entity must not go because somebody restarts the connection."""
    one, _, watch = known()
    tcp_meter.send(p1(*SPARSE, *GAS))
    assert "gas_1" in wait_config(watch)
    send_and_see(tcp_meter, watch, p1(*SPARSE))
    one.patch(MQTT={"Keepalive": 31})
    assert "gas_1" in wait_config(watch, 2)
    one.reset("soft")
    assert "gas_1" in wait_config(watch, 3)


# --- what stands there meanwhile ---------------------------------------------------------------

def test_nothing_is_claimed_before_the_first_telegram_after_a_restart(known, tcp_meter, subscriber):
    """No reading, no zero: the entities are unavailable until the meter has spoken."""
    one, broker, watch = known()
    tcp_meter.send(marked(7))
    wait_config(watch)
    watch.wait("data/meter")
    one.restart(signal.SIGKILL)
    tcp_meter.accept()
    one.server.wait_log("mqtt: connected")
    begin = len(watch.messages)
    again = subscriber(broker)
    again.wait("/meter-status", lambda m: m.payload == "offline")
    again.wait("/status", lambda m: m.payload == "online")
    counters = again.wait("device_counters")
    assert counters.json()["telegrams_pass"] == 0
    assert not again.of("power_instant") and not again.of("data/meter")
    assert not [m for m in watch.messages[begin:] if m.topic.endswith(("/config", "power_instant", "data/meter"))]
    tcp_meter.send(marked(8))
    again.wait("/meter-status", lambda m: m.payload == "online")
    assert again.wait("power_instant").json()["E_IMPORT"] == 8
    own = {key: state(config, counters.payload) for key, config in wait_config(watch, 2).items()
           if config["state_topic"] == counters.topic}
    assert own == {"telegrams_good": "0", "telegrams_bad": "0", "telegrams_incomplete": "0", "mqtt_connects": "1",
                   "uptime": str(counters.json()["uptime"])}


def test_the_meter_is_offline_while_its_values_are_stale(known, tcp_meter, subscriber):
    one, broker, watch = known("--stale-after", "1")
    said = lambda: [m.payload for m in watch.of("/meter-status")]  # noqa: E731
    for n in (1, 2):
        tcp_meter.send(marked(n))
        wait_until(lambda: said() == ["offline", "online"] * n, f"online {n}: {said()}")
        assert one.state()["Meter"]["Stale"] is False
        wait_until(lambda: said() == ["offline", "online"] * n + ["offline"], f"offline {n}: {said()}")
    late = subscriber(broker)
    assert late.wait("/meter-status").retained and late.of("/meter-status")[0].payload == "offline"
    assert late.wait("/status", lambda m: not m.topic.endswith("meter-status")).payload == "online"


def test_the_last_will_makes_all_entities_unavailable(known, tcp_meter, subscriber):
    one, broker, watch = known()
    tcp_meter.send(marked(1))
    entities = wait_config(watch)
    one.server.end(signal.SIGKILL)
    watch.wait(f"{BASE}/status", lambda m: m.payload == "offline")
    late = subscriber(broker)
    offline = late.wait(f"{BASE}/status")
    assert offline.retained and offline.payload == "offline"
    assert all(offline.topic in [a["topic"] for a in config["availability"]] for config in entities.values())


def test_values_expire_after_five_silent_intervals(known, tcp_meter):
    """As often as messages come by the profile: telegrams each second here, whose limit is 10 s."""
    one, _, watch = known("--stale-after", "0")
    tcp_meter.send(marked(1))

    def expiries(n):
        found = {config.get("expire_after") for config in wait_config(watch, n).values()
                 if config["state_topic"].endswith("power_instant") and config["state_class"] == "measurement"}
        kept = {config.get("expire_after") for config in wait_config(watch, n).values()
                if config["state_topic"] != f"{BASE}/data/power_instant" or config["state_class"] != "measurement"}
        assert kept == {None}, "counters keep their value"
        return found
    assert expiries(1) == {30}
    one.patch(MQTT={"Publish": "mean", "Interval": 60})
    assert expiries(2) == {5 * 63}
    one.patch(MQTT={"Publish": "change", "Interval": 20})
    assert expiries(3) == {5 * 23}
    one.patch(MQTT={"Publish": "telegram"})
    assert expiries(4) == {30}


# --- the button --------------------------------------------------------------------------------

@pytest.fixture(name="authority", scope="module")
def fixture_authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("pki"), "House CA")


@pytest.fixture(name="tls_broker")
def fixture_tls_broker(tmp_path, authority):
    one = TlsBroker(tmp_path, authority.issue("broker", *HERE))
    yield one
    one.stop()


def test_the_restart_button_is_there_where_commands_are_taken_and_works(known, tls_broker, authority, tcp_meter):
    one, broker, watch = known("--mqtt-ca", str(authority.certificate), at=tls_broker)
    tcp_meter.send(marked(1))
    button = wait_config(watch)["restart"]
    assert button["command_topic"] == f"{BASE}/cmd/reset"
    commands = [pressed(button) for _ in range(2)]
    watch.client.publish(button["command_topic"], commands[0], qos=1).wait_for_publish()
    answer = watch.wait("cmd/reset/response").json()
    assert answer == {"id": json.loads(commands[0])["id"], "ok": True}
    wait_until(lambda: connects(broker) == 2 and one.state()["MQTT"]["Ok"], "the new connection")
    assert "restart" in wait_config(watch, 2)
    watch.client.publish(button["command_topic"], commands[1], qos=1).wait_for_publish()
    wait_until(lambda: len(watch.of("cmd/reset/response")) == 2, "the second answer")
    assert watch.of("cmd/reset/response")[1].json()["ok"] is True
    wait_until(lambda: connects(broker) == 3 and one.state()["MQTT"]["Ok"], "the third connection")
    wait_config(watch, 3)
    one.patch(MQTT={"Commands": False})
    assert "restart" not in wait_config(watch, 4)


def test_there_is_no_button_on_a_plain_connection(known, tcp_meter):
    _, _, watch = known()
    tcp_meter.send(marked(1))
    assert "restart" not in wait_config(watch)
