"""The P1MB's firmware: instructions of a Cortex-M3 for what it does, and so its load."""
import json
import os
import subprocess
import sys

import harness
import telegrams

KINDS = ("dsmr50", "emucs")
MHZ, CYCLES = 25, 1.5  # the slower board; of an instruction, where memory does not wait


def count(setting):
    paths = []
    for kind in KINDS:
        paths.append(setting.work / f"one_{kind}.bin")
        paths[-1].write_bytes(telegrams.make(kind)[0])
    done = subprocess.run([sys.executable, "-B", harness.ROOT / "bench" / "count_firmware.py", setting.work, *paths],
                          env=os.environ | {"FIRMWARE": str(setting.build / "firmware")},
                          capture_output=True, text=True, check=True)
    return paths, json.loads(done.stdout)


def row(what, instructions, a_second):
    load = instructions * a_second * CYCLES / (MHZ * 1e6)
    return [what, f"{instructions:,.0f}", f"{100 * load:.1f} %"]


def measure(setting):
    """No values with targets: some rounds of waiting are in them, and differ."""
    paths, found = count(setting)
    rows = [row(f"telegram `{kind}` ({path.stat().st_size} B), first byte to registers; one a second", n, 1)
            for kind, path, n in zip(KINDS, paths, found["telegrams"])]
    rows += [row(f"reply to a read of {registers} registers; ten a second", n, 10)
             for registers, n in zip((2, 125), found["replies"])]
    rows.append(row("the loop goes round, with each interrupt or a thousand times a second", found["round"], 1000))
    title = f"P1MB firmware: Cortex-M3 instructions, interrupts included; load at {MHZ} MHz and {CYCLES} cycles each"
    return {}, [(title, ["what", "instructions", "load"], rows)]
