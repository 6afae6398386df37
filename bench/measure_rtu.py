"""When the RTU slave begins to answer: the time from a request's last byte, less the silence that must pass first."""
import os
import select
import time
import tty

import harness

LINES = (("9600-8E1", 11 * 3.5 / 9600), ("115200-8N1", 0.00175))
REQUEST = bytes.fromhex("10 03 50 0C 00 06")
ANSWER_BYTES, REQUESTS = 17, 300


def crc(data):
    value = 0xFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0xA001 if value & 1 else 0)
    return value.to_bytes(2, "little")


def read_answer(master):
    """The whole answer; when its first byte was there."""
    got, first = b"", None
    while len(got) < ANSWER_BYTES:
        assert select.select([master], [], [], 5)[0], "no answer"
        first = first or time.monotonic()
        got += os.read(master, 256)
    return got, first


def ask(master, baud):
    """Seconds from the request to the first byte of its answer."""
    os.write(master, REQUEST + crc(REQUEST))
    begin = time.monotonic()
    got, first = read_answer(master)
    assert got[:3] == b"\x10\x03\x0C" and crc(got[:-2]) == got[-2:], got
    time.sleep(ANSWER_BYTES * 11 / baud + 0.01)  # it is still being sent, by the clock of the line
    return first - begin


def measure_line(setting, line, silence_s):
    master, slave = os.openpty()
    tty.setraw(slave)
    command = setting.gateway("sim:dsmr50", "--modbus", f"127.0.0.1:{harness.free_port()}", "--rtu", os.ttyname(slave),
                              "--rtu-map", "xemex", "--rtu-line", line)
    with harness.Program(command):
        time.sleep(1.5)  # the first telegram
        setting.quiet.wait()
        late = [(ask(master, int(line.split("-")[0])) - silence_s) * 1000 for _ in range(REQUESTS)]
    os.close(master)
    os.close(slave)
    return harness.percentile(late, 50), harness.percentile(late, 99), min(late)


def measure(setting):
    rows, worst = [], 0
    for line, silence_s in LINES:
        p50, p99, earliest = measure_line(setting, line, silence_s)
        worst = max(worst, p99)
        rows.append([line, f"{silence_s * 1000:.2f} ms", f"{earliest:.3f} / {p50:.3f} / {p99:.3f} ms"])
    return {"rtu_answer": (worst,)}, [("Modbus RTU: when an answer begins",
                                       ["line", "t3.5", "after it: earliest / p50 / p99"], rows)]
