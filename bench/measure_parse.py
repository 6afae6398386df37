"""Telegrams: instructions, time and allocations of each step from bytes to messages."""
import statistics
import subprocess

import harness
import telegrams

STAGES = ("floor", "pieces", "parse", "derive", "image", "json")
TITLES = {
    "floor": "floor: lines found, checksums computed",
    "pieces": "parse, fed 16 bytes at a time",
    "parse": "**parse**: framing, checksums, every field",
    "derive": "+ derived quantities",
    "image": "+ Modbus register image",
    "json": "+ MQTT message as JSON",
}
FEW, MANY = telegrams.COUNT, 5 * telegrams.COUNT
ROUNDS, SLICE_MS = 7, 60


def command(setting, stage, kind, mode, n):
    return [setting.tool("parse_bench"), stage, setting.work / f"{kind}.bin", mode, n]


def count_instructions(setting, stage, kind):
    return harness.per_unit(lambda n: harness.run_tool(
        harness.CALLGRIND, command(setting, stage, kind, "count", n), harness.instructions), FEW, MANY)


def count_allocations(setting, kind):
    return harness.per_unit(lambda n: harness.run_tool(
        harness.MEMCHECK, command(setting, "json", kind, "count", n), harness.allocations), FEW, MANY)


def time_ns(setting, stage, kind):
    setting.quiet.wait()
    done = subprocess.run([*map(str, command(setting, stage, kind, "ms", SLICE_MS))],
                          capture_output=True, text=True, check=True)
    return float(done.stdout)


def budgets(setting):
    """The values that have targets."""
    values = {kind: (count_instructions(setting, "parse", kind),) for kind in telegrams.KINDS}
    values["parse_allocations"] = tuple(count_allocations(setting, kind) for kind in telegrams.KINDS)
    return values


def measure(setting):
    """The values that have targets, and the tables around them."""
    counts = {(stage, kind): count_instructions(setting, stage, kind)
              for stage in STAGES for kind in telegrams.KINDS}
    times = {key: [] for key in counts}
    for _ in range(ROUNDS):
        for stage, kind in times:
            times[stage, kind].append(time_ns(setting, stage, kind))
    rows = []
    for stage in STAGES:
        row = [TITLES[stage]]
        for kind in telegrams.KINDS:
            row += [f"{counts[stage, kind]:,.0f}", f"{statistics.median(times[stage, kind]) / 1e3:.1f}"]
        rows.append(row)
    header = ["one telegram", *(text for title in ("DSMR 5", "e-MUCS", "TIC")
                                for text in (f"{title}: instructions", "us"))]
    return budgets(setting), [("Telegrams", header, rows)]
