"""Bad TIC frames by their names in bad_inputs.csv: the bytes, and what must come of them.

All are made of one good frame of a three-phase Linky, whose import is as many volt-amperes as asked for.
"""
import itertools
import time

from bad_telegrams_kit import NOW, Case, currents, voltages
from harness import even_parity, tic_frame, tic_group

BAD_VA = 50001  # no good frame has as many
DATE = time.strftime("H%y%m%d%H%M%S", time.gmtime(NOW + 3600))
SCRIPT = "<script>alert('TIC')</script>"
IMPORT = ("power_w", "power_import_w", "apparent_va", "apparent_import_va")
OF_HISTORIC_MODE = (("ADCO", "031664001115"), ("BASE", "012345678"), ("PTEC", "TH.."), ("IINST", "050"),
                    ("PAPP", "50001"))


# --- the good one ------------------------------------------------------------------------------

def fields(va):
    """Label to data, with the horodate before it where there is one, in the order of transmission."""
    return {"ADSC": "992063000001", "VTIC": "02", "DATE": (DATE, ""), "NGTF": "H PLEINE/CREUSE ", "EAST": "007846067",
            "EASF01": "003899406", "IRMS1": "010", "IRMS2": "001", "IRMS3": "002", "URMS1": "233", "URMS2": "235",
            "URMS3": "231", "PREF": "18", "PCOUP": "18", "SINSTS": f"{va:05}", "SINSTS1": "02286", "SINSTS2": "00122",
            "SINSTS3": "00310", "SMAXSN": ("E260621010559", "02608"), "SMAXSN1-1": ("E260620015305", "02291"),
            "UMOY1": ("E260621020000", "232"), "STGE": "003A0001", "MSG1": f"{'PAS DE          MESSAGE':32}",
            "PRM": "99000000000001", "RELAIS": "001", "NTARF": "01"}


def values(va):
    """All that is known of it, derived values too."""
    phases = dict(zip(("l1", "l2", "l3"), (2286, 122, 310)))
    return {"power_w": va, "power_import_w": va, "apparent_va": va, "apparent_import_va": va,
            **voltages(233, 235, 231), **currents(10, 1, 2),
            **{f"{what}_{phase}_{unit}": n for phase, n in phases.items() for what, unit in
               (("power", "w"), ("power_import", "w"), ("apparent", "va"), ("apparent_import", "va"))},
            "energy_import_wh": 7846067, "energy_supplier_01_wh": 3899406, "tic_version": 2, "contract_power_kva": 18,
            "cutoff_power_kva": 18, "import_max_today_va": 2608, "import_max_yesterday_l1_va": 2291,
            "voltage_10min_l1_v": 232, "tic_status": 0x3A0001, "relays": 1, "tariff_index": 1}


def groups(va, **changed):
    """The groups of a frame by label; `changed`: others in their places, as data, as bytes, or None for none."""
    made = {}
    for label, data in {**fields(va), **{name.replace("_", "-"): data for name, data in changed.items()}}.items():
        if isinstance(data, tuple):
            made[label] = tic_group(label, data[1], data[0])
        elif data is not None:
            made[label] = data if isinstance(data, bytes) else tic_group(label, data)
    return made


GROUPS = len(fields(0))


def frame(va, **changed):
    return tic_frame(*groups(va, **changed).values())


def reading(va, *unknown, errors=0, meter_ts=NOW, phases=3, known=(), texts=()):
    """What must be shown of it.  `unknown`: values that are not; `known`, `texts`: those that differ."""
    shown = {"meter_id": "992063000001", "ean": "99000000000001", "message": "PAS DE          MESSAGE",
             "calendar": "H PLEINE/CREUSE", **dict(texts)}
    return {"meter_ts": meter_ts, "standard": "tic", "grid": "star", "phases": phases, "object_errors": errors,
            "values": {k: v for k, v in {**values(va), **dict(known)}.items() if k not in unknown}, "mbus": {},
            "texts": {k: v for k, v in shown.items() if v is not None}, "power_failure_log": [], "peak_history": []}


def good(va):
    """What a case stands between."""
    return Case(frame(va), reading(va), groups=GROUPS)


# --- kinds of cases ----------------------------------------------------------------------------

def accepted(changed=(), groups=GROUPS, unknown=0, **shown):
    """A frame that is taken whole, with what is shown of it."""
    return Case(frame(BAD_VA, **dict(changed)), reading(BAD_VA, **shown), groups=groups, unknown=unknown)


def lost(why, changed, *unknown, **shown):
    """One group is lost, for a reason that is counted: its value is unknown, the rest of the frame is taken."""
    return Case(frame(BAD_VA, **changed), reading(BAD_VA, *unknown, errors=1, **shown),
                partial=1, groups=GROUPS - 1, **{why: 1})


def spoiled(label, change):
    """The frame's group of this label, changed by a function."""
    return {label: change(groups(BAD_VA)[label])}


def checksum_of(text):
    return bytes([(sum(text) & 0x3F) + 0x20])


def historic_frame():
    made = [f"{label} {data}".encode() for label, data in OF_HISTORIC_MODE]
    return tic_frame(*[b"\n" + text + b" " + checksum_of(text) + b"\r" for text in made])


def halves(at):
    """The groups before this label, and from it on."""
    all_groups = groups(BAD_VA)
    n = list(all_groups).index(at)
    return b"".join(list(all_groups.values())[:n]), b"".join(list(all_groups.values())[n:])


# --- the table ---------------------------------------------------------------------------------

def with_spaces():
    """Blanks in the places of the tabs, and a checksum that fits them."""
    text = b"SINSTS %05d " % BAD_VA
    return b"\n" + text + checksum_of(text) + b"\r"


def historic_checksum():
    """Tabs as they should be, but a checksum that leaves out the last one, as in historic mode."""
    text = b"SINSTS\t%05d" % BAD_VA
    return b"\n" + text + b"\t" + checksum_of(text) + b"\r"


def second_stx():
    """What stands before it is given up; what follows is a frame, of which that is unknown."""
    first, second = halves("URMS1")
    return Case(b"\x02" + first + tic_frame(second),
                reading(BAD_VA, "tic_version", "energy_import_wh", "energy_supplier_01_wh", *currents(0, 0, 0),
                        meter_ts=None, texts={"meter_id": None, "calendar": None}), failed=1, groups=GROUPS)


def interrupted():
    """The meter breaks a frame off; the rest of it, if it comes all the same, is no frame."""
    first, second = halves("URMS1")
    return Case(b"\x02" + first + b"\x04" + second + b"\x03", failed=1, groups=GROUPS)


def cut_at_each_byte():
    """Each beginning of a frame, with a whole one right behind it: given up, and with it a group that has begun."""
    first = [*list(groups(BAD_VA).values())[:3], tic_group("SINSTS", "77777")]
    ends = list(itertools.accumulate(map(len, first), initial=1))[1:]
    whole, cuts = frame(BAD_VA), range(1, ends[-1] + 1)
    return Case(b"".join(tic_frame(*first)[:n] + whole for n in cuts), *[reading(BAD_VA) for _ in cuts],
                failed=len(cuts) - 2, checksum=sum(len(group) - len("\n\r") for group in first),
                groups=GROUPS * len(cuts) + sum(end <= n for end in ends for n in cuts))


def single_phase():
    """Ten frames of one phase after those of three: in the tenth the meter has one, until then nobody knows whose the
    import is."""
    other = ("IRMS2", "IRMS3", "URMS2", "URMS3", "SINSTS1", "SINSTS2", "SINSTS3", "SMAXSN1-1")
    one = tic_frame(*groups(BAD_VA, **dict.fromkeys(other)).values())
    gone = [name for name in values(0) if any(part in name for part in (
        "_l2_", "_l3_", "voltage_l12", "voltage_l3", "_mean_", "yesterday_l1", "power_l1", "import_l1", "apparent_l1"))]
    known = dict.fromkeys(("power_l1_w", "power_import_l1_w", "apparent_l1_va", "apparent_import_l1_va"), BAD_VA)
    known.update({"voltage_mean_ln_v": 233, "current_mean_a": 10, "current_neutral_a": 10})
    last = reading(BAD_VA, *[name for name in gone if name not in known], phases=1, known=known)
    return Case(10 * one, *9 * [reading(BAD_VA, *gone)], last, groups=10 * (GROUPS - len(other)))


# Data of SINSTS that is none: the import is unknown.
NO_IMPORT = {"value-empty": "", "value-long": "050001", "value-minus": "-5001", "value-letters": "5OOO1"}
NO_STATUS = {"stge-short": "03A0001", "stge-nonhex": "003AG001"}
NO_DATE = {"date-bad-season": (f"X{DATE[1:]}", ""), "date-13-digits": (f"{DATE}0", "")}

TIC = {
    "no-stx": Case(frame(BAD_VA)[1:], reading(BAD_VA), groups=GROUPS),
    "no-etx": Case(frame(BAD_VA)[:-1], failed=1, groups=GROUPS),
    "etx-before-stx": Case(b"\x03" + frame(BAD_VA)[1:-1] + b"\x02", failed=1, groups=GROUPS),
    "stx-twice": second_stx(),
    "checksum-plus-1": lost("checksum", spoiled("SINSTS", lambda g: g[:-2] + bytes([g[-2] + 1]) + b"\r"), *IMPORT),
    "checksum-mode-1": lost("checksum", {"SINSTS": historic_checksum()}, *IMPORT),
    "historic-mode-frame": Case(historic_frame(), historic=len(OF_HISTORIC_MODE)),
    "no-lf": accepted(spoiled("SINSTS", lambda g: g[1:])),
    "no-cr": lost("checksum", spoiled("SINSTS", lambda g: g[:-1]), *IMPORT),
    "tab-to-space": lost("checksum", {"SINSTS": with_spaces()}, *IMPORT),
    "no-date": accepted({"DATE": None}, GROUPS - 1, meter_ts=None),
    "date-degraded-clock": accepted({"DATE": (f"h{DATE[1:]}", "")}, meter_ts=None),
    **{name: lost("senseless", {"DATE": data}, meter_ts=None) for name, data in NO_DATE.items()},
    "label-9": accepted({"SMAXSN1_1": ("E260620015305", "07777"), "SMAXSN1_10": ("E260620015305", "07777"),
                         "SINSTSABC": "77777"}, unknown=2, known={"import_max_yesterday_l1_va": 7777}),
    "label-empty": Case(frame(BAD_VA, EAST=tic_group("", "077777777")), reading(BAD_VA, "energy_import_wh"),
                        groups=GROUPS - 1, unknown=1),
    "label-lower": Case(frame(BAD_VA, SINSTS=tic_group("sinsts", "50001")), reading(BAD_VA, *IMPORT),
                        groups=GROUPS - 1, unknown=1),
    "label-dup": Case(frame(BAD_VA, SINSTS=tic_group("SINSTS", "50001") + tic_group("SINSTS", "77777")),
                      reading(BAD_VA, errors=1), partial=1, groups=GROUPS, senseless=1),
    "label-unknown": accepted({"NEWLABEL": "77777"}, unknown=1),
    **{name: lost("senseless", {"SINSTS": data}, *IMPORT) for name, data in NO_IMPORT.items()},
    "eot-interrupt": interrupted(),
    "parity-bits": Case(even_parity(frame(BAD_VA)), failed=1, parity=GROUPS),
    "nul-run": Case(b"\0" * 5000 + frame(BAD_VA), reading(BAD_VA), failed=1, groups=GROUPS),
    "64KiB-frame": Case(frame(BAD_VA, MSG1=b"\nMSG1\t" + b"x" * 65536 + b"\t \r"), failed=1, groups=GROUPS - 1),
    "one-byte-chunks": accepted(),
    "cut-at-each-byte": cut_at_each_byte(),
    **{name: lost("senseless", {"STGE": data}, "tic_status") for name, data in NO_STATUS.items()},
    "pref-zero": accepted({"PREF": "00", "PCOUP": "00"}, known={"contract_power_kva": 0, "cutoff_power_kva": 0}),
    "msg1-script-tag": accepted({"MSG1": f"{SCRIPT:32}"}, texts={"message": SCRIPT}),
    "tri-to-mono-midstream": single_phase(),
}
