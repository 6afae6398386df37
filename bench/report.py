"""The measures, their references and targets; results as tables and as docs/performance.md."""
import dataclasses
import datetime
import os
import platform
import re
import subprocess

import harness


@dataclasses.dataclass(frozen=True)
class Measure:
    """A measure has one value or more, each with its limit."""

    key: str
    what: str
    reference: str
    limits: tuple
    form: str = "{:,.0f}"
    at_least: bool = False

    def text(self, values):
        return " / ".join(self.form.format(value) for value in values)

    def target(self):
        return f"{'>=' if self.at_least else '<='} {self.text(self.limits)}"

    def is_reached(self, values):
        pairs = zip(values, self.limits)
        return all(v >= limit if self.at_least else v <= limit for v, limit in pairs)


# References were measured once, before this program existed; what runs beside us is in the tables below.
MEASURES = (
    Measure("dsmr50", "DSMR 5 telegram (917 B): instructions, CRC and every field",
            "ESPHome 142 k, arduino-dsmr 118 k, Rust dsmr5 29 k", (18000,)),
    Measure("emucs", "e-MUCS telegram (1520 B): instructions", "ESPHome 231 k, dsmr5 36 k", (27000,)),
    Measure("tic", "TIC three-phase frame (1214 B): instructions",
            "LibTeleinfo 163 k, ticdecodecpp 25 k", (16000,)),
    Measure("parse_allocations", "allocations per telegram in core, for the three above", "",
            (0, 0, 0), "{:g}"),
    Measure("modbus_instructions", "Modbus TCP FC 03, 2 / 125 registers: user instructions per request",
            "libmodbus 763 / 1747, nanoMODBUS 541 / 1561, bare echo 127 / 138", (400, 500)),
    Measure("modbus_calls", "Modbus TCP: system calls per request", "libmodbus 6, nanoMODBUS 3, echo 3",
            (3,), "{:g}"),
    Measure("modbus_rate_1", "Modbus TCP rate, 1 client, 2 / 125 registers: share of a bare echo's",
            "libmodbus 0.97", (0.97, 0.97), "{:.3f}", True),
    Measure("modbus_rate_64", "the same, 64 clients", "libmodbus 0.66", (0.92, 0.92), "{:.3f}", True),
    Measure("modbus_p99_1", "p99 of the round trip, 1 client: multiple of the echo's", "", (1.1, 1.1),
            "{:.2f}"),
    Measure("modbus_p99_64", "the same, 64 clients", "", (1.1, 1.1), "{:.2f}"),
    Measure("mqtt_latency", "last byte to MQTT message, p50 / p99: multiple of the smallest C bridge's",
            "Python bridges 2.8 to 6.9 / 2.7 to 7.7", (1.2, 1.2), "{:.2f}"),
    Measure("modbus_latency", "last byte to the value in a Modbus answer, p50 / p99: the same", "",
            (1.2, 1.2), "{:.2f}"),
    Measure("rtu_answer", "Modbus RTU: an answer begins so long after t3.5, p99: ms", "meters 20 to 60", (1,), "{:.2f}"),
    Measure("page_modbus", "Modbus p99 at 160 requests/s, idle / during 100 TLS handshakes a second: ms", "",
            (10, 10), "{:.2f}"),
    Measure("page_handshake", "processor time of a TLS handshake: ms", "", (2,), "{:.2f}"),
    Measure("page_connections", "64 idle TLS connections: more memory, MB", "", (4,), "{:.1f}"),
    Measure("spool_day", "a day without a broker: disk / written to it, MiB", "47.5 MB of JSON", (64, 200), "{:.1f}"),
    Measure("memory", "memory, all connected: RSS / private dirty, MB",
            "mosquitto 10.1, Python bridges 21 to 26", (13, 2.5), "{:.1f}"),
    Measure("start", "start to `ready`: ms", "8 for the libraries alone", (30,), "{:.1f}"),
    Measure("allocations", "allocations per telegram after start, without MQTT / ours with MQTT", "",
            (0, 0), "{:g}"),
)

HOW = """\
## How it is measured

- Instructions are those of user space by callgrind, allocations by memcheck, system calls by strace:
  each is the difference of two run lengths, so start and end are not in it. These figures
  repeat; with times, trust ratios more than values.
- Telegrams: 256 of each kind, of equal length, with other numbers in each (`bench/telegrams.py`). Each step
  below "parse" does what those above it do, too; "fed 16 bytes at a time" is parse alone, as a
  serial line brings it.
- Modbus: `modbus_load`, a closed loop that checks every answer. All servers run side by side and are asked in
  turn; a share or multiple is the median of the rounds' own. Servers have one processor, the client another.
- End to end: `latency_probe` writes telegrams to pseudo-terminals at the pace of 115200 Bd, in turn to ours and
  to the smallest program in C that can do the job (`bridge_mqtt`, `bridge_modbus`: no CRC, no parser). One
  clock sees both ends. Modbus registers are read back to back.
- P1MB firmware: QEMU logs every instruction of the image. Telegrams come byte by byte, and each byte is an interrupt. How
  often the loop goes round depends on the emulator's speed, so rounds in which nothing happens are taken off.
- Page: `tls_load` makes full TLS 1.3 handshakes at a steady pace while `modbus_load paced` asks; a Modbus request is
  measured from the moment it was due, so one that waits behind another counts in full.
- Memory and start: `smaps_rollup` after 20 telegrams; from before the fork to the line `ready`. Allocations
  by a preloaded counter, over 200 telegrams with Modbus reads in between.
- The column "others" was measured once, on a machine of this kind, and is not part of this run. What did
  run beside ours is in the tables: the echo, libmodbus, the bridges.
- Before each timed slice the bench waits until the machine is idle, `BENCH_WAIT` seconds (300) in all.

Again: `./bootstrap test && make bench`. Only what has a budget and repeats: `bench/run --quick`, which is also a test.
"""


def table(header, rows):
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def targets(values):
    """The table of measures that were taken, and those that were missed."""
    rows, missed = [], []
    for m in MEASURES:
        if m.key not in values:
            continue
        reached = m.is_reached(values[m.key])
        rows.append([m.what, m.reference, m.target(), m.text(values[m.key]), "yes" if reached else "**no**"])
        if not reached:
            missed.append(m.what)
    return table(["measure", "others", "target", "measured", "reached"], rows), missed


def first_line(*command):
    return subprocess.run(command, capture_output=True, text=True).stdout.partition("\n")[0]


def machine():
    with open("/proc/cpuinfo", encoding="ascii") as f:
        model = re.search(r"model name\s*: (.*)", f.read())
    with open("/etc/os-release", encoding="utf-8") as f:
        system = re.search(r'PRETTY_NAME="(.*)"', f.read())
    kernel = ".".join(platform.release().split(".")[:2])
    return (f"{model.group(1) if model else platform.machine()}, {os.cpu_count()} processors, "
            f"{system.group(1)}, Linux {kernel}, {first_line('gcc', '--version')}, "
            f"{first_line('valgrind', '--version')}")


def noise(quiet):
    if not quiet.noisy:
        return "The machine was otherwise idle during all timed slices."
    return (f"{quiet.noisy} of {quiet.slices} timed slices ran while something else used the processors: "
            "times are worse than they need be.")


def document(setting, values, tables):
    version = first_line(setting.build / "smart-connect", "version")
    parts = ["# Performance",
             f"Written by `make bench`. {datetime.date.today()}, {version}; {machine()}. "
             f"{noise(setting.quiet)}",
             targets(values)[0]]
    for title, header, rows in tables:
        parts += [f"## {title}", table(header, rows)]
    return "\n\n".join(parts) + "\n\n" + HOW


def write(setting, values, tables):
    path = harness.ROOT / "docs" / "performance.md"
    path.parent.mkdir(exist_ok=True)
    path.write_text(document(setting, values, tables), "utf-8")
    return path.relative_to(harness.ROOT)
