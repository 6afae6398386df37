"""Home Assistant's rules for MQTT discovery in the device form, as far as sensors and buttons go.

What its code refuses, and what it would take but the user would regret, is an AssertionError here that says where.
The rules are those of components/mqtt (schemas.py, discovery.py, sensor.py, button.py, abbreviations.py) and
components/sensor/const.py of 2025 and 2026; units and classes only as far as a meter can need them.
"""
import datetime
import functools
import json
import random
import re

import jinja2.sandbox

ABBREVIATIONS = {
    "avty": "availability", "avty_mode": "availability_mode", "avty_t": "availability_topic",
    "avty_tpl": "availability_template", "cmd_t": "command_topic", "cmd_tpl": "command_template", "cmps": "components",
    "def_ent_id": "default_entity_id", "dev": "device", "dev_cla": "device_class", "e": "encoding",
    "en": "enabled_by_default", "ent_cat": "entity_category", "ent_pic": "entity_picture", "exp_aft": "expire_after",
    "frc_upd": "force_update", "ic": "icon", "json_attr_t": "json_attributes_topic",
    "json_attr_tpl": "json_attributes_template", "lrst_val_tpl": "last_reset_value_template", "o": "origin",
    "obj_id": "object_id", "ops": "options", "p": "platform", "pl_avail": "payload_available",
    "pl_not_avail": "payload_not_available", "pl_prs": "payload_press", "ret": "retain", "stat_cla": "state_class",
    "stat_t": "state_topic", "sug_dsp_prc": "suggested_display_precision", "t": "topic", "uniq_id": "unique_id",
    "unit_of_meas": "unit_of_measurement", "val_tpl": "value_template"}
OF_DEVICE = {"cns": "connections", "cu": "configuration_url", "hw": "hw_version", "ids": "identifiers",
             "mdl": "model", "mdl_id": "model_id", "mf": "manufacturer", "sa": "suggested_area", "sn": "serial_number",
             "sw": "sw_version"}
OF_ORIGIN = {"sw": "sw_version", "url": "support_url"}

# A component that has none of these itself takes them from the root.
SHARED = {"availability", "availability_mode", "availability_template", "availability_topic", "command_topic",
          "payload_available", "payload_not_available", "state_topic", "qos", "encoding"}
ROOT = SHARED | {"device", "origin", "components"}
DEVICE = {"name", "via_device"} | set(OF_DEVICE.values())
ORIGIN = {"name"} | set(OF_ORIGIN.values())
AVAILABILITY = {"topic", "payload_available", "payload_not_available", "value_template"}
ENTITY = SHARED | {"platform", "unique_id", "default_entity_id", "name", "icon", "entity_category", "entity_picture",
                   "enabled_by_default", "json_attributes_topic", "json_attributes_template", "device_class"}
PLATFORMS = {
    "sensor": ENTITY - {"command_topic"} | {"unit_of_measurement", "state_class", "value_template", "expire_after",
                                            "force_update", "options", "suggested_display_precision",
                                            "last_reset_value_template"},
    "button": ENTITY - {"state_topic"} | {"command_template", "payload_press", "retain"}}

ENERGY = {"J", "kJ", "MJ", "GJ", "mWh", "Wh", "kWh", "MWh", "GWh", "TWh", "cal", "kcal", "Mcal", "Gcal"}
VOLUME = {"m³", "ft³", "CCF"}
INSTANT, TOTAL = {"measurement"}, {"total", "total_increasing"}
# Device class of a sensor -> its units, its state classes.  What a release of 2024 does not know yet is left out,
# but for reactive_energy, a class of 2025.
SENSORS = {
    "apparent_power": ({"VA"}, INSTANT),
    "current": ({"A", "mA"}, INSTANT),
    "duration": ({"d", "h", "min", "s", "ms"}, INSTANT | TOTAL),
    "energy": (ENERGY, TOTAL),
    "enum": ({None}, set()),
    "frequency": ({"Hz", "kHz", "MHz", "GHz"}, INSTANT),
    "gas": (VOLUME, TOTAL),
    "power": ({"mW", "W", "kW", "MW", "GW", "TW"}, INSTANT),
    "power_factor": ({"%", None}, INSTANT),
    "reactive_energy": ({"varh", "kvarh"}, TOTAL),
    "reactive_power": ({"var"}, INSTANT),
    "timestamp": ({None}, set()),
    "voltage": ({"V", "mV", "µV", "kV", "MV"}, INSTANT),
    "volume": (VOLUME | {"L", "mL", "gal", "fl. oz."}, TOTAL),
    "water": (VOLUME | {"L", "gal"}, TOTAL)}
BUTTONS = {"identify", "restart", "update"}

TOPIC = re.compile(r"[^/]+(?:/[^/]+)*/device/(?:[a-zA-Z0-9_-]+/)?[a-zA-Z0-9_-]+/config")
ENTITY_ID = re.compile(r"(sensor|button)\.(?!_)[a-z0-9_]+(?<!_)")
STATE_MAX = 255


# --- templates ---------------------------------------------------------------------------------

def as_datetime(value):
    """Home Assistant's of this name, for seconds."""
    return datetime.datetime.fromtimestamp(value, datetime.timezone.utc)


TEMPLATES = jinja2.sandbox.ImmutableSandboxedEnvironment(undefined=jinja2.StrictUndefined)
TEMPLATES.globals |= {"as_datetime": as_datetime, "now": lambda: datetime.datetime.now(datetime.timezone.utc)}
TEMPLATES.filters["random"] = lambda values: random.choice(list(values))


compiled = functools.cache(TEMPLATES.from_string)


def state(config, payload):
    """The state that a sensor takes from a message on its topic; None: unknown."""
    text = compiled(config["value_template"]).render(value=payload, value_json=json.loads(payload)).strip()
    if text == "None":
        return None
    device_class = config.get("device_class")
    if device_class == "timestamp":
        assert datetime.datetime.fromisoformat(text).tzinfo, f"{text}: no time with a zone"
    elif config.keys() & {"unit_of_measurement", "state_class", "suggested_display_precision"}:
        float(text)
    else:
        assert len(text) <= STATE_MAX, f"{len(text)} characters are too long for a state"
        assert text in config.get("options", [text]), f"{text} is no option"
    return text


def pressed(config):
    """What a button sends."""
    return compiled(config.get("command_template", "{{ value }}")).render(value=config.get("payload_press", "PRESS"))


# --- the parts of a message --------------------------------------------------------------------

def expanded(where, given, abbreviations, known):
    """The same with long keys."""
    assert isinstance(given, dict), f"{where}: not an object"
    result = {abbreviations.get(key, key): value for key, value in given.items()}
    assert len(result) == len(given), f"{where}: a key in two spellings"
    assert "object_id" not in result, f"{where}: object_id is not read any more, use default_entity_id"
    assert result.keys() <= known, f"{where}: unknown {sorted(result.keys() - known)}"
    return result


def check_text(where, value):
    assert isinstance(value, str) and value, f"{where}: {value!r} is no text"


def check_topic(where, value):
    check_text(where, value)
    assert not set(value) & set("+#\0") and len(value.encode()) <= 65535, f"{where}: {value!r} is no topic"


def check_url(where, value):
    check_text(where, value)
    assert re.fullmatch(r"(https?|homeassistant)://\S+", value), f"{where}: {value!r} is no URL"


def check_count(where, value):
    assert isinstance(value, int) and not isinstance(value, bool) and value >= 0, f"{where}: {value!r} is no count"


def check_template(where, value):
    check_text(where, value)
    try:
        compiled(value)
    except jinja2.TemplateError as error:
        raise AssertionError(f"{where}: {error}") from error


def check_bool(where, value):
    assert isinstance(value, bool), f"{where}: {value!r} is neither true nor false"


def check_one_of(*choices):
    def check(where, value):
        assert value in choices, f"{where}: {value!r} is none of {choices}"
    return check


VALUES = {"availability_topic": check_topic, "command_topic": check_topic, "state_topic": check_topic,
          "topic": check_topic, "json_attributes_topic": check_topic, "value_template": check_template,
          "command_template": check_template, "availability_template": check_template,
          "json_attributes_template": check_template, "last_reset_value_template": check_template,
          "configuration_url": check_url, "support_url": check_url, "expire_after": check_count,
          "suggested_display_precision": check_count, "qos": check_one_of(0, 1, 2), "force_update": check_bool,
          "retain": check_bool, "enabled_by_default": check_bool,
          "availability_mode": check_one_of("all", "any", "latest")}
NOT_TEXT = {"availability", "components", "connections", "device", "identifiers", "options", "origin"}


def check_values(where, config):
    for key, value in config.items():
        if key not in NOT_TEXT and not (key == "name" and value is None):
            VALUES.get(key, check_text)(f"{where}.{key}", value)


def check_availability(where, config):
    """Puts long keys into the list, too."""
    assert not {"availability", "availability_topic"} <= config.keys(), f"{where}: availability in both forms"
    listed = config.get("availability", [])
    listed = listed if isinstance(listed, list) else [listed]
    if "availability" in config:
        config["availability"] = [expanded(where + ".availability", one, ABBREVIATIONS, AVAILABILITY) for one in listed]
        for one in config["availability"]:
            assert "topic" in one, f"{where}: availability without a topic"
            check_values(where + ".availability", one)


def check_device(given):
    device = expanded("device", given, OF_DEVICE, DEVICE)
    assert device.get("identifiers") or device.get("connections"), "device: neither identifiers nor connections"
    check_values("device", device)
    return device


def check_sensor(where, config):
    device_class, unit, state_class = (config.get(key) for key in ("device_class", "unit_of_measurement",
                                                                   "state_class"))
    assert "state_topic" in config, f"{where}: no state topic"
    assert config.get("entity_category") in (None, "diagnostic"), f"{where}: a sensor is not for configuration"
    assert state_class in {None} | INSTANT | TOTAL, f"{where}: state class {state_class}"
    if device_class is not None:
        assert device_class in SENSORS, f"{where}: device class {device_class}"
        units, state_classes = SENSORS[device_class]
        assert unit in units, f"{where}: {device_class} in {unit}"
        assert state_class in state_classes | {None}, f"{where}: {device_class} is not {state_class}"
        assert state_class or not state_classes, f"{where}: {device_class} without a state class has no statistics"
    if device_class in ("enum", "timestamp"):
        assert "suggested_display_precision" not in config, f"{where}: {device_class} is no number"
    if "options" in config or device_class == "enum":
        assert device_class == "enum", f"{where}: options are for enum only"
        assert config.get("options"), f"{where}: enum without options"
        for one in config["options"]:
            check_text(where + ".options", one)
    if state_class in TOTAL:
        assert "expire_after" not in config, f"{where}: a counter that expires"


def check_button(where, config):
    assert "command_topic" in config, f"{where}: no command topic"
    assert config.get("entity_category") in (None, "config", "diagnostic"), f"{where}: {config['entity_category']}"
    assert config.get("device_class") in BUTTONS | {None}, f"{where}: device class {config['device_class']}"


def check_component(where, given, root):
    """An entity with what it takes from the root."""
    config = expanded(where, given, ABBREVIATIONS, set.union(*PLATFORMS.values()))
    platform = config.get("platform")
    assert platform in PLATFORMS, f"{where}: platform {platform}"
    assert config.keys() <= PLATFORMS[platform], f"{where}: no {platform} has {config.keys() - PLATFORMS[platform]}"
    check_availability(where, config)
    check_values(where, config)
    config |= {key: root[key] for key in SHARED & PLATFORMS[platform] & root.keys() if key not in config}
    check_availability(where, config)
    {"sensor": check_sensor, "button": check_button}[platform](where, config)
    for key in ("unique_id", "default_entity_id", "name"):
        assert key in config, f"{where}: no {key}"
    match = ENTITY_ID.fullmatch(config["default_entity_id"])
    assert match and match[1] == platform, f"{where}: entity id {config['default_entity_id']}"
    device_name = root["device"].get("name")
    assert not device_name or device_name not in (config["name"] or ""), f"{where}: the name repeats the device's"
    return config


def check(topic, payload):
    """Judges a discovery message, and returns its entities by component id, with long keys and inherited values."""
    assert TOPIC.fullmatch(topic), f"{topic} is no topic of a device's discovery"
    assert "\n" not in payload, "more than one line"
    root = expanded("message", json.loads(payload), ABBREVIATIONS, ROOT)
    for key in ("device", "origin", "components"):
        assert key in root, f"message: no {key}"
    root["device"] = check_device(root["device"])
    origin = expanded("origin", root["origin"], OF_ORIGIN, ORIGIN)
    assert "name" in origin, "origin: no name"
    check_values("origin", origin)
    check_values("message", root)
    check_availability("message", root)
    assert isinstance(root["components"], dict) and root["components"], "message: no components"
    entities = {key: check_component(key, value, root) for key, value in root["components"].items()}
    for key in ("unique_id", "default_entity_id"):
        seen = [one[key] for one in entities.values()]
        twice = sorted({one for one in seen if seen.count(one) > 1})
        assert not twice, f"{key} used twice: {twice}"
    return entities
