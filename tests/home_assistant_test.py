"""What Home Assistant is told of each meter we have a telegram of, by its own rules; and the rules themselves."""
import copy
import datetime
import functools
import json
import re
import time

import pytest

import home_assistant_schema
from harness import DATA, run
from home_assistant_schema import check, pressed, state

SERIAL = "000000000000"
TOPIC = f"homeassistant/device/smart-connect-{SERIAL}/config"
BASE = f"devices/default/smart-connect/{SERIAL}"
INSTANT, METER, COUNTERS = (f"{BASE}/data/{name}" for name in ("power_instant", "meter", "device_counters"))
METERS = sorted([*(DATA / "p1").glob("*.txt"), *(DATA / "tic").glob("*.bin")])
SUFFIXES = ["", "_w", "_va", "_kva", "_var", "_v", "_a", "_hz", "_wh", "_varh"]
MEDIA = "gas|water|warm_water|heat|cooling|electricity|volume|energy"


@functools.cache
def decode(path, form):
    """A line per valid telegram."""
    done = run("decode", "--format", form, str(path))
    return done.stdout.decode().splitlines()


def entities_of(path):
    """Of the file's last telegram."""
    return check(TOPIC, decode(path, "home-assistant")[-1])


VALID = [path for path in METERS if decode(path, "json")]


# --- each meter --------------------------------------------------------------------------------

def quantity_of(entity, values):
    """The quantity that an entity shows, and its value in the entity's unit.  None: not of a quantity."""
    entity = re.sub(r"^(apparent|reactive)_power", r"\1", entity)
    entity = re.sub(r"^(energy_supplier)_(\d)$", r"\1_0\2", entity)
    for suffix in SUFFIXES:
        if entity + suffix in values:
            scale = {"_wh": 1 / 1000, "_kva": 1000}.get(suffix, 1)
            return values[entity + suffix] * scale
    return None


def expected_state(entity, readings):
    """What the entity must show, from `--format readings`."""
    channel = re.fullmatch(f"({MEDIA})_([1-4])", entity)
    times = {"meter_time": "meter_ts", "demand_month_peak_time": "demand_month_peak_ts"}
    if channel:
        return readings["mbus"][channel[2]]["value"]
    if entity in times:
        moment = readings[times[entity]]
        return moment and str(datetime.datetime.fromtimestamp(moment, datetime.timezone.utc))
    if entity == "breaker":
        return ["off", "on", "ready"][readings["values"]["breaker"]]
    if entity in readings["texts"]:
        return readings["texts"][entity][:255].strip()
    return quantity_of(entity, readings["values"])


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.stem)
def test_each_entity_shows_its_value(path):
    lines = zip(*(decode(path, form) for form in ("home-assistant", "json", "readings")), strict=True)
    for message, instant, readings in lines:
        shown = 0
        # `meter` is laid out as `readings` is, and holds a part of it.
        payloads = {INSTANT: instant, METER: readings}
        for entity, config in check(TOPIC, message).items():
            if config["platform"] != "sensor" or config["state_topic"] not in payloads:
                continue
            found = state(config, payloads[config["state_topic"]])
            expected = expected_state(entity, json.loads(readings))
            assert expected is not None, f"{entity}: this meter has none"
            if isinstance(expected, str):
                assert found == expected, entity
            else:
                assert float(found) == pytest.approx(expected, abs=1e-6), entity
            shown += 1
        assert shown > 3


def nulls(value):
    """The same keys, nothing known."""
    return {key: nulls(one) for key, one in value.items()} if isinstance(value, dict) else None


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.stem)
def test_what_is_not_known_is_unknown(path):
    instant, readings = (json.loads(decode(path, form)[-1]) for form in ("json", "readings"))
    for entity, config in entities_of(path).items():
        if config["platform"] != "sensor":
            continue
        for payload in ({}, nulls(instant), nulls(readings), {"values": {}, "mbus": {}, "texts": {}},
                        {"values": None, "mbus": None, "texts": None, "l1": None}):
            assert state(config, json.dumps(payload)) is None, (entity, payload)


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.stem)
def test_zero_is_zero_and_not_unknown(path):
    """So that a consumption of 0 W is seen as such."""
    for entity, config in entities_of(path).items():
        if config.get("device_class") in ("power", "energy", "gas", "current"):
            zero = json.dumps({"P": 0, "P+": 0, "P-": 0, "E_IMPORT": 0, "E_EXPORT": 0}
                              | {f"l{n}": {"P": 0, "I": 0} for n in (1, 2, 3)}
                              | {"mbus": {n: {"value": 0} for n in "1234"}}
                              | {"values": dict.fromkeys(json.loads(decode(path, "readings")[-1])["values"], 0)})
            assert float(state(config, zero)) == 0, entity


def test_texts_are_cut_to_what_a_state_can_hold():
    config = entities_of(DATA / "p1" / "dsmr50_three_phase.txt")["meter_id"]
    assert state(config, json.dumps({"texts": {"meter_id": "x" * 1000}})) == "x" * 255
    assert state(config, json.dumps({"texts": {"meter_id": "{{ 1 + 1 }} ü"}})) == "{{ 1 + 1 }} ü"


def test_the_gateways_own_entities():
    entities = entities_of(DATA / "p1" / "dsmr50_three_phase.txt")
    counters = {"uptime": 61, "telegrams_pass": 7, "telegrams_fail": 0, "telegrams_frame_fail": 2,
                "mqtt_event_connect": 3}
    shown = {"uptime": "61", "telegrams_good": "7", "telegrams_bad": "0", "telegrams_incomplete": "2",
             "mqtt_connects": "3"}
    own = {key: one for key, one in entities.items() if one.get("state_topic") == COUNTERS}
    assert {key: state(one, json.dumps(counters)) for key, one in own.items()} == shown
    for one in own.values():
        assert one["entity_category"] == "diagnostic"
        assert [source["topic"] for source in one["availability"]] == [f"{BASE}/status"]
    assert [source["topic"] for source in entities["power"]["availability"]] == [f"{BASE}/status",
                                                                                 f"{BASE}/meter-status"]


def test_the_restart_button_makes_a_command_that_is_good_for_a_minute_and_once():
    button = entities_of(DATA / "p1" / "dsmr50_three_phase.txt")["restart"]
    assert button["command_topic"] == f"{BASE}/cmd/reset"
    before = int(time.time())
    commands = [json.loads(pressed(button)) for _ in range(3)]
    for command in commands:
        assert command.keys() == {"id", "device", "expires"} and command["device"] == SERIAL
        assert re.fullmatch(r"[A-Za-z0-9_-]{8,64}", command["id"])
        assert isinstance(command["expires"], int) and before + 60 <= command["expires"] <= time.time() + 60
    assert len({command["id"] for command in commands}) == 3
    assert json.loads(pressed(button | {"payload_press": 'A"\\{{ 1 }}'}))["device"] == 'A"\\{{ 1 }}'


# --- the rules ---------------------------------------------------------------------------------

GOOD = {
    "dev": {"ids": "box", "name": "Box", "cu": "http://box/"}, "o": {"name": "us"}, "stat_t": "a/b",
    "avty": [{"t": "a/status"}], "avty_mode": "all",
    "cmps": {
        "power": {"p": "sensor", "uniq_id": "box_power", "def_ent_id": "sensor.box_power", "name": "Power",
                  "val_tpl": "{{ value_json['P']|default(none) }}", "dev_cla": "power", "unit_of_meas": "W",
                  "stat_cla": "measurement", "sug_dsp_prc": 0, "exp_aft": 50},
        "energy": {"p": "sensor", "uniq_id": "box_energy", "def_ent_id": "sensor.box_energy", "name": "Energy",
                   "val_tpl": "{{ value_json['E'] }}", "dev_cla": "energy", "unit_of_meas": "kWh",
                   "stat_cla": "total_increasing"},
        "breaker": {"p": "sensor", "uniq_id": "box_breaker", "def_ent_id": "sensor.box_breaker", "name": "Breaker",
                    "val_tpl": "{{ value_json['B'] }}", "dev_cla": "enum", "ops": ["off", "on"]},
        "restart": {"p": "button", "uniq_id": "box_restart", "def_ent_id": "button.box_restart", "name": "Restart",
                    "cmd_t": "a/cmd", "dev_cla": "restart", "ent_cat": "config"}}}


def test_a_good_message_passes():
    entities = check("homeassistant/device/box/config", json.dumps(GOOD))
    assert entities["power"]["state_topic"] == "a/b" and entities["power"]["expire_after"] == 50
    assert entities["restart"]["availability"] == [{"topic": "a/status"}]
    assert "state_topic" not in entities["restart"]


# Where, the new value (None: away), and a word of the complaint.
BAD = [
    (["dev"], None, "no device"), (["o"], None, "no origin"), (["cmps"], None, "no components"),
    (["cmps"], {}, "no components"), (["o", "name"], None, "no name"), (["dev", "ids"], None, "identifiers"),
    (["~"], "a", "unknown"), (["foo"], 1, "unknown"), (["dev", "foo"], 1, "unknown"), (["o", "foo"], 1, "unknown"),
    (["device"], {}, "two spellings"), (["dev", "cu"], "ftp://box", "no URL"), (["qos"], 3, "none of"),
    (["avty_mode"], "both", "none of"), (["avty_t"], "a/status", "both forms"), (["avty"], [{}], "without a topic"),
    (["avty"], [{"t": "a/#"}], "no topic"), (["avty"], [{"t": "a", "foo": "b"}], "unknown"),
    (["stat_t"], None, "no state topic"), (["stat_t"], "a/+", "no topic"), (["stat_t"], 5, "no text"),
    (["cmps", "power", "p"], None, "platform"), (["cmps", "power", "p"], "senser", "platform"),
    (["cmps", "power", "p"], "button", "no button has"), (["cmps", "power", "cmd_t"], "a", "no sensor has"),
    (["cmps", "power", "foo"], 1, "unknown"), (["cmps", "power", "obj_id"], "x", "default_entity_id"),
    (["cmps", "power", "object_id"], "x", "default_entity_id"),
    (["cmps", "power", "avty_t"], "a/status", "both forms"),
    (["cmps", "power", "uniq_id"], None, "no unique_id"), (["cmps", "power", "uniq_id"], "box_energy", "twice"),
    (["cmps", "power", "def_ent_id"], None, "no default_entity_id"),
    (["cmps", "power", "def_ent_id"], "box_power", "entity id"),
    (["cmps", "power", "def_ent_id"], "button.box_power", "entity id"),
    (["cmps", "power", "def_ent_id"], "sensor.Box", "entity id"),
    (["cmps", "power", "def_ent_id"], "sensor.box_", "entity id"),
    (["cmps", "power", "def_ent_id"], "sensor.box_energy", "twice"),
    (["cmps", "power", "name"], None, "no name"), (["cmps", "power", "name"], "Box Power", "repeats"),
    (["cmps", "power", "val_tpl"], "{{ value_json['P' }}", "val"), (["cmps", "power", "dev_cla"], "powr", "class"),
    (["cmps", "power", "unit_of_meas"], "VA", "power in VA"), (["cmps", "power", "unit_of_meas"], None, "in None"),
    (["cmps", "power", "stat_cla"], "total", "is not total"), (["cmps", "power", "stat_cla"], "mean", "state class"),
    (["cmps", "power", "stat_cla"], None, "no statistics"), (["cmps", "power", "exp_aft"], "50", "no count"),
    (["cmps", "power", "exp_aft"], 50.0, "no count"), (["cmps", "power", "exp_aft"], True, "no count"),
    (["cmps", "power", "exp_aft"], -1, "no count"), (["cmps", "power", "sug_dsp_prc"], -1, "no count"),
    (["cmps", "power", "ent_cat"], "config", "configuration"), (["cmps", "power", "ops"], ["a"], "enum only"),
    (["cmps", "power", "en"], "false", "neither"),
    (["cmps", "energy", "exp_aft"], 50, "expires"), (["cmps", "energy", "stat_cla"], "measurement", "is not"),
    (["cmps", "breaker", "ops"], None, "without options"), (["cmps", "breaker", "unit_of_meas"], "A", "enum in A"),
    (["cmps", "breaker", "sug_dsp_prc"], 0, "no number"), (["cmps", "breaker", "stat_cla"], "measurement", "is not"),
    (["cmps", "restart", "cmd_t"], None, "no command topic"), (["cmps", "restart", "dev_cla"], "power", "class"),
    (["cmps", "restart", "ent_cat"], "main", "main")]


@pytest.mark.parametrize("where, value, word", BAD)
def test_a_bad_message_is_refused(where, value, word):
    message = copy.deepcopy(GOOD)
    at = message
    for key in where[:-1]:
        at = at[key]
    at[where[-1]] = value
    if value is None:
        del at[where[-1]]
    with pytest.raises(AssertionError, match=re.escape(word)):
        check("homeassistant/device/box/config", json.dumps(message))


@pytest.mark.parametrize("unit, device_class", [
    ("VAr", "reactive_power"), ("VAR", "reactive_power"), ("VARh", "reactive_energy"), ("kVA", "apparent_power"),
    ("m3", "gas"), ("KWh", "energy"), ("GJ", "gas"), ("Wh", "power")])
def test_units_that_home_assistant_refuses(unit, device_class):
    assert unit not in home_assistant_schema.SENSORS[device_class][0]


@pytest.mark.parametrize("topic", ["homeassistant/device/b:x/config", "homeassistant/sensor/box/config",
                                   "homeassistant/device/box", "homeassistant/device//config"])
def test_topics_that_nobody_listens_to(topic):
    with pytest.raises(AssertionError, match="no topic"):
        check(topic, json.dumps(GOOD))


def test_states_that_would_be_refused():
    entities = check("homeassistant/device/box/config", json.dumps(GOOD))
    with pytest.raises(ValueError):
        state(entities["power"], '{"P": "much"}')
    with pytest.raises(AssertionError, match="no option"):
        state(entities["breaker"], '{"B": "broken"}')
    assert state(entities["power"], '{"P": null}') is None
