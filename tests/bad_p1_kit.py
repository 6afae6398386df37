"""Bad P1 telegrams by their names in bad_inputs.csv: the bytes, and what must come of them.

All are made of one good telegram of a three-phase DSMR 5 meter with gas, whose import is as many watts as asked for.
"""
import calendar
import itertools
import random
import time

from bad_telegrams_kit import NOW, Case, currents, voltages
from harness import crc16, even_parity, p1_time

BAD_W = 50001  # no good telegram has as many
POWER = ("power_w", "power_import_w", "apparent_va", "power_factor")
VOLTAGE_L1 = ("voltage_l1_v", "meter_voltage_l1_v", "line_voltage_l12_v", "line_voltage_l32_v", "line_voltage_l31_v",
              "voltage_mean_ln_v", "voltage_mean_ll_v")
CURRENT_L1 = ("current_l1_a", "meter_current_l1_a", "current_mean_a")
GAS_TIME, GAS_TS = "240706153005S", 1720272605
FAILURES = "(0-0:96.7.19)(230118074131W)(0000002714*s)(220815161022S)(0000000948*s)"
FAILURE_LOG = [{"end_ts": 1674024091, "duration_s": 2714}, {"end_ts": 1660572622, "duration_s": 948}]
SCRIPT = "<script>alert('P1')</script>"
QUOTES = "E0\\\"},{'<&"


# --- the good one ------------------------------------------------------------------------------

def lines(watts):
    """Reference to value of each line, as a meter prints them."""
    return {"1-3:0.2.8": "(50)", "0-0:1.0.0": f"({p1_time(NOW)})", "0-0:96.1.1": "(453030353030303432)",
            "1-0:1.8.1": f"({1000 + watts / 1000:010.3f}*kWh)", "1-0:1.8.2": "(003912.708*kWh)",
            "1-0:2.8.1": "(001860.044*kWh)", "1-0:2.8.2": "(004105.911*kWh)", "0-0:96.14.0": "(0002)",
            "1-0:1.7.0": f"({watts / 1000:06.3f}*kW)", "1-0:2.7.0": "(00.000*kW)", "0-0:96.7.21": "(00008)",
            "0-0:96.7.9": "(00004)", "1-0:99.97.0": "(2)" + FAILURES, "1-0:32.32.0": "(00005)",
            "1-0:32.36.0": "(00001)", "0-0:96.13.0": "()", "1-0:32.7.0": "(233.4*V)", "1-0:52.7.0": "(231.9*V)",
            "1-0:72.7.0": "(234.0*V)", "1-0:31.7.0": "(005*A)", "1-0:51.7.0": "(001*A)", "1-0:71.7.0": "(000*A)",
            "1-0:21.7.0": "(00.530*kW)", "1-0:41.7.0": "(00.000*kW)", "1-0:61.7.0": "(00.091*kW)",
            "1-0:22.7.0": "(00.000*kW)", "1-0:42.7.0": "(00.209*kW)", "1-0:62.7.0": "(00.000*kW)",
            "0-1:24.1.0": "(003)", "0-1:96.1.0": "(473030353030303631)", "0-1:24.2.1": f"({GAS_TIME})(02718.281*m3)"}


def values(watts):
    """All that is known of it, derived values too."""
    return {"power_w": watts, "power_import_w": watts, "power_export_w": 0, "apparent_va": 830, "power_factor": 1,
            **voltages(233.4, 231.9, 234), **currents(5, 1, 0),
            "power_l1_w": 530, "power_l2_w": -209, "power_l3_w": 91,
            "power_import_l1_w": 530, "power_import_l2_w": 0, "power_import_l3_w": 91,
            "power_export_l1_w": 0, "power_export_l2_w": 209, "power_export_l3_w": 0,
            "voltage_sags_l1": 5, "voltage_swells_l1": 1,
            "energy_import_wh": 4912708 + watts, "energy_import_t1_wh": 1000000 + watts, "energy_import_t2_wh": 3912708,
            "energy_export_wh": 5965955, "energy_export_t1_wh": 1860044, "energy_export_t2_wh": 4105911,
            "power_failures": 8, "long_power_failures": 4, "tariff": 2}


def body(watts, *added, identification="/TST5 BAD INPUTS", **_):
    """From '/' to the last line, without '!'.  `added`: (reference, value) in place of the meter's, None for none of
    it; a line by itself stands before all others."""
    changed = dict(pair for pair in added if isinstance(pair, tuple))
    all_lines = [line for line in added if isinstance(line, str)]
    all_lines += [key + value for key, value in {**lines(watts), **changed}.items() if value is not None]
    return "\r\n".join([identification, "", *all_lines, ""]).encode("latin1")


def seal(data, form="{:04X}\r\n"):
    """The end of a telegram, with the CRC in this form."""
    return data + b"!" + form.format(crc16(data + b"!")).encode()


def telegram(watts, *added, form="{:04X}\r\n", **how):
    return seal(body(watts, *added, **how), form)


def reading(watts, *unknown, objects=0, meter_ts=NOW, phases=3, gas=True, failures=tuple(FAILURE_LOG), known=(),
            texts=()):
    """What must be shown of it.  `unknown`: values that are not; `known`, `texts`: those that differ."""
    channel = {"medium": 3, "value": 2718.281, "unit": "m3", "ts": GAS_TS, "uncorrected": False}
    shown = {"identification": "TST5 BAD INPUTS", "meter_id": "E00500042", "version": "50", "mbus_1_id": "G00500061"}
    shown.update(texts)
    return {"meter_ts": meter_ts, "standard": "p1", "grid": "star", "phases": phases, "object_errors": objects,
            "values": {k: v for k, v in {**values(watts), **dict(known)}.items() if k not in unknown},
            "mbus": {"1": {**channel, **(gas if isinstance(gas, dict) else {})}} if gas else {},
            "texts": {k: v for k, v in shown.items() if v is not None},
            "power_failure_log": list(failures), "peak_history": []}


def good(watts):
    """What a case stands between."""
    return Case(telegram(watts), reading(watts))


# --- kinds of cases ----------------------------------------------------------------------------

def accepted(*added, how=(), **shown):
    """A telegram that is taken, with what is shown of it."""
    return Case(telegram(BAD_W, *added, **dict(how)), reading(BAD_W, **shown))


def lost(reference, value, *unknown, **shown):
    """One object that makes no sense: it is unknown, and what follows from it; the rest is taken."""
    return Case(telegram(BAD_W, (reference, value)), reading(BAD_W, *unknown, objects=1, **shown), objects=1)


def wrong_crc(data):
    return Case(data, crc=1)


def watts_whose_crc(fits):
    """A number of watts whose telegram has a CRC that fits."""
    return next(w for w in itertools.count(BAD_W) if fits(crc16(body(w) + b"!")))


def noise(n, seed=1):
    """Bytes of a bad line, the same each time, with what may look like a start of a telegram."""
    return random.Random(seed).randbytes(n) + b"/ab/12\xaf/\r\n/A\xc2C"


def heard_at(baud, data, sent_at=115200):
    """What a UART makes of a line (8N1) at another speed than its own."""
    levels = [1] * 20 + [level for byte in data for level in (0, *(byte >> n & 1 for n in range(8)), 1)] + [1] * 200
    step, at, heard = sent_at / baud, 0, []
    while at + 10 * step < len(levels):
        if levels[int(at)]:
            at += 1
            continue
        heard.append(sum(levels[int(at + (n + 1.5) * step)] << n for n in range(8)))
        at += 9.5 * step
    return bytes(heard)


def dsmr22(change=lambda data: data):
    """A telegram of a meter that has no CRC yet, and neither version nor time."""
    return change(b"/ISk5\\2MT382-2207\r\n\r\n1-0:1.8.1(04321.098*kWh)\r\n1-0:1.7.0(0000.74*kW)\r\n"
                  b"1-0:2.7.0(0000.00*kW)\r\n!\r\n")


DSMR22_READING = {
    **reading(0, meter_ts=None, phases=0, gas=False, failures=(),
              texts={"identification": "ISk5\\2MT382-2207", "meter_id": None, "version": None, "mbus_1_id": None}),
    "values": {"energy_import_t1_wh": 4321098, "energy_import_wh": 4321098, "power_import_w": 740, "power_export_w": 0,
               "power_w": 740, "apparent_va": 740, "power_factor": 1}}


# --- the table ---------------------------------------------------------------------------------

def cut_at_each_byte():
    """Each beginning of a telegram, with a whole one right behind it.  Fewer than four bytes are no start; '!' with
    fewer than four digits behind it is a wrong CRC.  With all of them it would be whole."""
    short = seal(b"/TST5 CUT\r\n\r\n1-0:1.7.0(77.777*kW)\r\n1-0:31.7.0(099*A)\r\n")
    whole, shown = telegram(BAD_W), reading(BAD_W)
    cuts = range(1, short.index(b"!") + 5)
    return Case(b"".join(short[:n] + whole for n in cuts), *[shown for _ in cuts], frame=len(cuts) - 7, crc=4)


def back_to_back():
    """Nothing between them, not even a line end."""
    many = range(BAD_W, BAD_W + 20)
    return Case(b"".join(telegram(w, form="{:04X}") for w in many), *[reading(w) for w in many])


def all_zero():
    """Every number is 0: all of them are known, but the ratio of 0 and 0, and lines between phases without voltage."""
    zero = {key: "(0)" if "*" not in value else f"(0*{value.partition('*')[2]}" for key, value in lines(0).items()
            if key.startswith("1-0:") and "99.97" not in key or "96.7" in key or "96.14" in key}
    shown = reading(0, "power_factor", *VOLTAGE_L1[2:5], "voltage_mean_ll_v")
    shown["values"] = {name: 0 for name in shown["values"]}
    return Case(telegram(0, *zero.items()), shown)


def single_phase():
    others = [key for key in lines(0) if key[4:6] in ("41", "42", "51", "52", "61", "62", "71", "72")]
    gone = [name for name in values(0) if "_l2" in name or "_l3" in name or "voltage_l12" in name]
    return Case(telegram(BAD_W, *[(key, None) for key in others]),
                reading(BAD_W, *gone, "voltage_mean_ll_v", phases=1, known={
                    "apparent_va": 530, "voltage_mean_ln_v": 233.4, "current_mean_a": 5, "current_neutral_a": 5}))


def failure_log(count, entries):
    return f"({count})(0-0:96.7.19)" + "(230118074131W)(0000002714*s)" * entries


def at_time(text, ts):
    return accepted(("0-0:1.0.0", f"({text})"), meter_ts=ts)


def utc(*when):
    return calendar.timegm((*when, 0))


# Values of 1-0:1.7.0 that are none: the import is unknown, and what follows from it.
NO_POWER = {"value-no-unit": "(50.001)", "unit-unknown": "(50.001*hp)", "value-minus": "(-50.001*kW)",
            "value-plus": "(+50.001*kW)", "value-exp": "(5.0001e4*W)", "value-nan": "(nan*kW)",
            "value-40-digits": f"({'50001' * 8}*W)", "value-comma": "(50,001*kW)", "value-two-dots": "(50.0.01*kW)",
            "paren-open": "(50.001*kW", "paren-nested": "((50.001*kW))", "nul-in-body": "(50.0\x0001*kW)"}
NO_TIME = {"ts-month-13": "(261327120000W)", "ts-feb-30": "(260230120000W)",
           "ts-no-season": f"({p1_time(NOW)[:-1]})"}
RESUMED = telegram(BAD_W + 1)
UNPADDED = watts_whose_crc(lambda crc: 0xFF < crc < 0x1000)
PADDED = watts_whose_crc(lambda crc: crc >= 0x1000)

FRAMING = {
    "empty": Case(seal(b"/TST5\r\n\r\n"), {
        **reading(0, meter_ts=None, phases=0, gas=False, failures=()), "texts": {"identification": "TST5"},
        "values": {}}),
    "nothing-at-all": Case(b""),
    "no-slash": Case(telegram(BAD_W)[1:]),
    "no-bang": Case(telegram(BAD_W).replace(b"!", b""), frame=1),
    "two-slashes": Case(seal(b"/AAA5 FIRST\r\n" + body(BAD_W)), frame=1, crc=1),
    "two-slashes-at-once": Case(b"/" + telegram(BAD_W), reading(BAD_W)),
    "slash-in-body": accepted(("0-0:96.13.0", "(see page /ABC5 or /ISK5 12)"),
                              texts={"message": "see page /ABC5 or /ISK5 12"}),
    "bang-in-text": accepted(("0-0:96.13.0", "(stop!1234 !)"), texts={"message": "stop!1234 !"}),
    "crc-plus-1": wrong_crc(body(BAD_W) + b"!%04X\r\n" % (crc16(body(BAD_W) + b"!") + 1 & 0xFFFF)),
    "crc-lower": accepted(how={"form": "{:04x}\r\n"}),
    "crc-3-digits": wrong_crc(telegram(PADDED)[:-6] + telegram(PADDED)[-5:]),
    "crc-3-digits-unpadded": Case(telegram(UNPADDED, form="{:X}\r\n"), reading(UNPADDED)),
    "crc-5-digits": wrong_crc(telegram(PADDED, form="0{:04X}\r\n")),
    "crc-5-digits-last": accepted(how={"form": "{:04X}A\r\n"}),
    "crc-nonhex": wrong_crc(body(BAD_W) + b"!1G2H\r\n"),
    "crc-missing-on-v5": wrong_crc(telegram(BAD_W, form="\r\n")),
    "crc-absent-v2.2": Case(dsmr22(), DSMR22_READING),
    "crc-space": wrong_crc(telegram(BAD_W, form=" {:04X}\r\n")),
    "crc-space-behind-three-digits": wrong_crc(telegram(UNPADDED, form="{:X} \r\n")),
    "crc-space-v2.2": wrong_crc(dsmr22(lambda data: data.replace(b"!", b"! "))),
    "lf-only": wrong_crc(telegram(BAD_W).replace(b"\r", b"")),
    "cr-only": Case(telegram(BAD_W).replace(b"\n", b""), frame=1),
    "mixed-eol": Case(seal(body(BAD_W).replace(b"\r\n0-", b"\n0-")), reading(BAD_W)),
    "no-blank-line": Case(seal(body(BAD_W).replace(b"\r\n\r\n", b"\r\n")), reading(BAD_W)),
    "half-then-full": Case(telegram(BAD_W)[:len(telegram(BAD_W)) // 2] + RESUMED, reading(BAD_W + 1), frame=1),
    "full-then-half": Case(RESUMED + telegram(BAD_W)[:len(telegram(BAD_W)) // 2], reading(BAD_W + 1), frame=1),
    "back-to-back": back_to_back(),
    "noise-before": Case(noise(500) + telegram(BAD_W), reading(BAD_W)),
    "noise-between": Case(RESUMED + noise(99) + b"/ABC5 noise" + telegram(BAD_W), reading(BAD_W + 1), reading(BAD_W),
                          frame=1),
    "noise-0xff-run": Case(b"\xff" * 10000 + telegram(BAD_W), reading(BAD_W)),
    "bit7-set": wrong_crc(dsmr22(lambda data: data.replace(b"0.74", b"0.\xb74"))),
    "bit7-set-everywhere": Case(bytes(byte | 0x80 for byte in telegram(BAD_W))),
    "parity-garbled-7e1": Case(even_parity(telegram(BAD_W)).replace(even_parity(b"k"), b"k"), frame=1),
    "parity-garbled-7e1-two-bits": wrong_crc(even_parity(telegram(BAD_W).replace(b"(50.0", b"(53.0"))),
    "wrong-baud-noise": Case(heard_at(9600, 20 * telegram(BAD_W))),
    "one-byte-chunks": accepted(),
    "cut-at-each-byte": cut_at_each_byte(),
    "64KiB-no-bang": Case(b"/TST5 ENDLESS\r\n\r\n" + b"1-0:1.7.0(50.001*kW)\r\n" * 3000, frame=1),
    "line-2000": accepted(("0-0:96.13.0", f"({'-L' * 1000})"), "1-0:999.9.9(" + 2000 * "9" + ")",
                          texts={"message": "-L" * 1000}),
    "lines-10000": Case(telegram(BAD_W, *10000 * ["?"]), frame=1),
}
OBJECTS = {
    "dup-obis-same": accepted(f"1-0:1.7.0{lines(BAD_W)['1-0:1.7.0']}"),
    "dup-obis-conflict": accepted(("1-0:2.7.0", "(00.000*kW)\r\n1-0:1.7.0(77.777*kW)")),
    "dup-obis-conflict-bad-first": Case(telegram(BAD_W, "1-0:1.7.0(77,777*kW)"), reading(BAD_W, objects=1), objects=1),
    "unknown-obis": accepted("1-0:123.4.5(77.777*kW)", "0-0:98.7.6(x)(y)"),
    "obis-256": accepted("1-0:257.7.0(77.777*kW)", "1-0:1.263.0(77.777*kW)", "1-0:1.7.256(77.777*kW)"),
    "obis-negative": Case(telegram(BAD_W, "1-0:-1.7.0(77.777*kW)", "1--0:1.7.0(77.777*kW)"),
                          reading(BAD_W, objects=1), objects=1),
    "obis-missing-colon": Case(telegram(BAD_W, ("1-0:1.7.0", None), "1-01.7.0(50.001*kW)"),
                               reading(BAD_W, *POWER, objects=1), objects=1),
    "value-empty": Case(telegram(BAD_W, ("1-0:1.7.0", "()")), reading(BAD_W, *POWER)),
    "unit-wrong-scale": lost("1-0:32.7.0", "(233.4*kV)", *VOLTAGE_L1),
    "unit-other-scale": accepted(("1-0:1.7.0", "(50001*W)"), ("1-0:32.7.0", "(0.2334*kV)")),
    **{name: lost("1-0:1.7.0", value, *POWER) for name, value in NO_POWER.items()},
    **{name: lost("0-0:1.0.0", value, meter_ts=None) for name, value in NO_TIME.items()},
    "ts-dst-gap": at_time("260329023000W", utc(2026, 3, 29, 1, 30)),
    "ts-dst-overlap": Case(telegram(BAD_W, ("0-0:1.0.0", "(261025023000S)"))
                           + telegram(BAD_W, ("0-0:1.0.0", "(261025023000W)")),
                           reading(BAD_W, meter_ts=utc(2026, 10, 25, 0, 30)),
                           reading(BAD_W, meter_ts=utc(2026, 10, 25, 1, 30))),
    "ts-backwards": at_time(p1_time(NOW - 3600), NOW - 3600),
    "mbus-channel-9": accepted(f"0-9:24.2.1({GAS_TIME})(77777.777*m3)", "0-9:24.1.0(003)"),
    "text-odd-hex": accepted(("0-0:96.13.0", "(414)"), texts={"message": "414"}),
}
P1 = {**FRAMING, **OBJECTS}

MEANING = {
    "power-fail-log-count-wrong": lost("1-0:99.97.0", "(3)" + FAILURES, failures=()),
    "power-fail-log-count-too-small": accepted(("1-0:99.97.0", "(1)" + FAILURES), failures=FAILURE_LOG[:1]),
    "power-fail-log-1000": Case(telegram(BAD_W, ("1-0:99.97.0", failure_log(1000, 1000))), frame=1),
    "power-fail-log-1000-said": lost("1-0:99.97.0", failure_log(1000, 10), failures=()),
    "text-2048-hex": accepted(("0-0:96.13.0", f"({'54455854' * 256})"), texts={"message": "TEXT" * 256}),
    "text-script-tag": accepted(("0-0:96.13.0", f"({SCRIPT.encode().hex()})"), texts={"message": SCRIPT}),
    "equipment-id-quote": accepted(("0-0:96.1.1", f"({QUOTES.encode().hex()})"), texts={"meter_id": QUOTES}),
    "header-utf8": accepted(how={"identification": "/TST5 \xc3\xa9\xe2\x82\xac\xff"},
                            texts={"identification": "TST5 \xc3\xa9\xe2?\xac\xff"}),
    "tariff-0009": accepted(("0-0:96.14.0", "(0009)"), known={"tariff": 9}),
    "current-negative": lost("1-0:31.7.0", "(-005*A)", *CURRENT_L1),
    "voltage-999.9": accepted(("1-0:32.7.0", "(999.9*V)"), known=voltages(999.9, 231.9, 234)),
    "energy-step-back": accepted(("1-0:1.8.1", "(000000.001*kWh)"),
                                 known={"energy_import_t1_wh": 1, "energy_import_wh": 3912709}),
    "energy-jump-10MWh": accepted(("1-0:1.8.1", "(011000.000*kWh)"),
                                  known={"energy_import_t1_wh": 11000000, "energy_import_wh": 14912708}),
    "all-values-zero": all_zero(),
    "three-phase-to-one-phase-midstream": single_phase(),
    "gas-two-values": accepted(("0-1:24.2.1", f"({GAS_TIME})(02718.281*m3)(77777.777*m3)\r\n"
                                              f"0-1:24.2.1({GAS_TIME})(77777.777*m3)")),
    "gas-timestamp-old": accepted(("0-1:24.2.1", "(160706153005S)(02718.281*m3)"),
                                  gas={"ts": utc(2016, 7, 6, 13, 30, 5)}),
    "version-field-99": accepted(("1-3:0.2.8", "(99)"), texts={"version": "99"}),
    "version-field-99-without-crc": wrong_crc(telegram(BAD_W, ("1-3:0.2.8", "(99)"), form="\r\n")),
}
