"""What a day without a broker costs: disk, and writing to it."""
import subprocess

MIB = 1 << 20


def measure(setting):
    folder = setting.build / "spool-day"  # on a real disk, as the folder of a box is
    subprocess.run(["rm", "-rf", folder], check=True)
    folder.mkdir()
    done = subprocess.run([setting.tool("spool_day"), folder], capture_output=True, text=True, check=True)
    said = dict(pair.split("=") for pair in done.stdout.split())
    kept, written = int(said["kept_bytes"]) / MIB, int(said["written_bytes"]) / MIB
    rows = [
        ["readings", f"{int(said['readings']):,}"],
        ["their messages, MiB", f"{int(said['message_bytes']) / MIB:.1f}"],
        ["file and log at the end, MiB", f"{kept:.1f}"],
        ["written, MiB", f"{written:.1f}"],
        ["one batch of ten, on disk for good: mean / longest, ms", f"{said['append_ms']} / {said['append_max_ms']}"],
        ["opening it again, ms", said["open_ms"]],
        ["file when it is empty again, KiB", f"{int(said['emptied_bytes']) / 1024:.0f}"],
        ["memory, MiB", f"{int(said['memory_kib']) / 1024:.1f}"],
    ]
    subprocess.run(["rm", "-rf", folder], check=True)
    return {"spool_day": (kept, written)}, [("A day without a broker", ["", "value"], rows)]
