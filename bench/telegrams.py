"""Telegrams to measure with: dsmr50, emucs and tic, 256 each, in files below a folder.

The telegrams of a kind have the same lines and length and differ in their numbers, so that a
processor does not learn the digits by heart. Values are invented, checksums right, and the same
telegrams are made each time.
"""
import pathlib
import random

COUNT = 256
START_S = 10 * 3600  # of the day


def crc16(data):
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 if crc & 1 else crc >> 1
    return crc


def p1_telegram(lines):
    body = ("\r\n".join(lines) + "\r\n!").encode()
    return body + b"%04X\r\n" % crc16(body)


def hex_text(text):
    return text.encode().hex().upper()


def hms(seconds):
    return f"{seconds // 3600:02}{seconds // 60 % 60:02}{seconds % 60:02}"


def p1_time(i):
    return f"260115{hms(START_S + i)}W"


def quarter(i):
    return p1_time(i - i % 300)


def phases(rng):
    """Import and export power of each phase in kW."""
    imported = [rng.uniform(0, 9.2) for _ in range(3)]
    exported = [rng.uniform(0, 4.0) if rng.random() < 0.3 else 0 for _ in range(3)]
    return imported, exported


def energies(first, i, rng, starts):
    """The lines 1.8.1 to 2.8.2; the first index rises by 1 Wh each telegram."""
    values = [first + i / 1000] + [start + rng.random() for start in starts]
    names = ("1.8.1", "1.8.2", "2.8.1", "2.8.2")
    return [f"1-0:{name}({value:010.3f}*kWh)" for name, value in zip(names, values)]


def per_phase(obis, values, form, unit):
    """One line for each phase; obis has {} where the phase's digit goes."""
    return [f"1-0:{obis.format(n)}({value:{form}}*{unit})" for n, value in values]


def dsmr50(i, rng):
    """DSMR 5.0.2: three phases, gas on M-Bus channel 1; 917 bytes."""
    imported, exported = phases(rng)
    return p1_telegram([
        "/XMX5LGF0010455445512", "",
        "1-3:0.2.8(50)",
        f"0-0:1.0.0({p1_time(i)})",
        f"0-0:96.1.1({hex_text('E0099123456789024')})",
        *energies(12345.678, i, rng, (23456.789, 3456.123, 4567.321)),
        f"0-0:96.14.0({rng.choice((1, 2)):04})",
        f"1-0:1.7.0({sum(imported):06.3f}*kW)",
        f"1-0:2.7.0({sum(exported):06.3f}*kW)",
        "0-0:96.7.21(00013)",
        "0-0:96.7.9(00004)",
        "1-0:99.97.0(2)(0-0:96.7.19)(240512093012S)(0000002861*s)(250927041655S)(0000000417*s)",
        "1-0:32.32.0(00007)", "1-0:52.32.0(00005)", "1-0:72.32.0(00006)",
        "1-0:32.36.0(00001)", "1-0:52.36.0(00000)", "1-0:72.36.0(00001)",
        "0-0:96.13.0()",
        *per_phase("{}2.7.0", [(n, rng.uniform(222, 241)) for n in (3, 5, 7)], "05.1f", "V"),
        *per_phase("{}1.7.0", zip((3, 5, 7), [int(p / 0.23) for p in imported]), "03", "A"),
        *per_phase("{}1.7.0", zip((2, 4, 6), imported), "06.3f", "kW"),
        *per_phase("{}2.7.0", zip((2, 4, 6), exported), "06.3f", "kW"),
        "0-1:24.1.0(003)",
        f"0-1:96.1.0({hex_text('G0088123456789023')})",
        f"0-1:24.2.1({quarter(i)})({6543.219 + i / 1000:09.3f}*m3)",
    ])


def monthly_peaks():
    entries = []
    for k in range(13):
        year, month = 25 + k // 12, k % 12 + 1
        entries.append(f"({year}{month:02}01000000W)({year}{month:02}{3 + k:02}{8 + k % 11:02}4500W)"
                       f"({2.5 + 0.37 * k:06.3f}*kW)")
    return "".join(entries)


def emucs(i, rng):
    """e-MUCS P1 1.7.1 (Belgium): three phases, 13 monthly peaks, gas and water; 1520 bytes."""
    imported, exported = phases(rng)
    return p1_telegram([
        "/FLU5\\253799888_A", "",
        "0-0:96.1.4(50217)",
        f"0-0:96.1.1({hex_text('1SAG1199887766')})",
        f"0-0:96.1.2({hex_text('541448899999999995')})",
        f"0-0:1.0.0({p1_time(i)})",
        *energies(1234.567, i, rng, (2345.678, 345.612, 456.732)),
        f"0-0:96.14.0({rng.choice((1, 2)):04})",
        f"1-0:1.4.0({rng.uniform(0, 9):06.3f}*kW)",
        "1-0:1.6.0(260112184500W)(06.612*kW)",
        f"0-0:98.1.0(13)(1-0:1.6.0)(1-0:1.6.0){monthly_peaks()}",
        f"1-0:1.7.0({sum(imported):06.3f}*kW)",
        f"1-0:2.7.0({sum(exported):06.3f}*kW)",
        *per_phase("{}1.7.0", zip((2, 4, 6), imported), "06.3f", "kW"),
        *per_phase("{}2.7.0", zip((2, 4, 6), exported), "06.3f", "kW"),
        *per_phase("{}2.7.0", [(n, rng.uniform(222, 241)) for n in (3, 5, 7)], "05.1f", "V"),
        *per_phase("{}1.7.0", zip((3, 5, 7), [p / 0.23 for p in imported]), "06.2f", "A"),
        "0-0:96.3.10(1)", "0-0:17.0.0(999.9*kW)", "1-0:31.4.0(999*A)", "0-0:96.13.0()",
        "0-1:24.1.0(003)",
        f"0-1:96.1.1({hex_text('7FLO2199887766')})",
        "0-1:24.4.0(1)",
        f"0-1:24.2.3({quarter(i)})({1872.234 + i / 1000:09.3f}*m3)",
        "0-2:24.1.0(007)",
        f"0-2:96.1.1({hex_text('8SEV2199887766')})",
        f"0-2:24.2.1({quarter(i)})({872.234 + i / 1000:09.3f}*m3)",
    ])


def tic_group(*fields):
    text = "\t".join(fields) + "\t"
    return f"\n{text}{chr((sum(text.encode()) & 0x3F) + 0x20)}\r"


def tic(i, rng):
    """Linky TIC, standard mode: three phases, consumer; 1214 bytes."""
    power = [rng.randint(0, 6900) for _ in range(3)]
    three = (1, 2, 3)
    groups = [
        ("ADSC", "041799887766"), ("VTIC", "02"), ("DATE", f"H260115{hms(START_S + i)}", ""),
        ("NGTF", " H PLEINE/CREUSE"), ("LTARF", "  HEURE  PLEINE "),
        ("EAST", f"{35799513 + i:09}"),
        ("EASF01", f"{12345678 + i:09}"), ("EASF02", "023453835"),
        *[(f"EASF{k:02}", "000000000") for k in range(3, 11)],
        ("EASD01", f"{12345678 + i:09}"), ("EASD02", "023453835"),
        *[(f"EASD{k:02}", "000000000") for k in (3, 4)],
        *[(f"IRMS{k}", f"{power[k - 1] // 230:03}") for k in three],
        *[(f"URMS{k}", f"{rng.randint(225, 240):03}") for k in three],
        ("PREF", "18"), ("PCOUP", "18"), ("SINSTS", f"{sum(power):05}"),
        *[(f"SINSTS{k}", f"{power[k - 1]:05}") for k in three],
        ("SMAXSN", "H260115070512", "08120"),
        *[(f"SMAXSN{k}", f"H2601150705{10 + k}", f"0{k + 2}120") for k in three],
        ("SMAXSN-1", "H260114191844", "09230"),
        *[(f"SMAXSN{k}-1", f"H2601141918{40 + k}", f"0{k + 2}230") for k in three],
        ("CCASN", "H260115100000", f"{rng.randint(100, 9000):05}"),
        ("CCASN-1", "H260115093000", f"{rng.randint(100, 9000):05}"),
        *[(f"UMOY{k}", "H260115100000", f"{rng.randint(225, 240):03}") for k in three],
        ("STGE", "003A0001"), ("MSG1", "PAS DE          MESSAGE         "),
        ("PRM", "19199887766554"), ("RELAIS", "000"), ("NTARF", "02"),
        ("NJOURF", "00"), ("NJOURF+1", "00"),
        ("PJOURF+1", "0000C001 06008002 16008001" + " NONUTILE" * 8),
    ]
    return b"\x02" + "".join(tic_group(*group) for group in groups).encode() + b"\x03"


KINDS = {"dsmr50": dsmr50, "emucs": emucs, "tic": tic}


def make(kind):
    """The 256 telegrams of a kind."""
    rng = random.Random(20260115)
    telegrams = [KINDS[kind](i, rng) for i in range(COUNT)]
    assert len({len(telegram) for telegram in telegrams}) == 1, kind
    return telegrams


def write_all(folder):
    """Writes KIND.bin, all telegrams, and KIND_one.bin, the first."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for kind in KINDS:
        telegrams = make(kind)
        (folder / f"{kind}.bin").write_bytes(b"".join(telegrams))
        (folder / f"{kind}_one.bin").write_bytes(telegrams[0])
