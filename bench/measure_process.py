"""The process: memory with everything connected, time to start, allocations while running."""
import contextlib
import os
import pathlib
import socket
import statistics
import struct
import time

import harness
import telegrams

STARTS = 21
WARM_UP, COUNTED = 20, 200  # telegrams
REGISTERS_FROM, REGISTERS = 0x8000, 125
CALLERS = ("ours", "libmosquitto", "elsewhere")


class Meter:
    """A pseudo-terminal that telegrams are written to."""

    def __init__(self):
        self.ours, self.theirs = os.openpty()
        self.url = f"serial:{os.ttyname(self.theirs)}"
        self.telegrams = telegrams.make("dsmr50")
        self.next = 0

    def send(self):
        os.write(self.ours, self.telegrams[self.next % len(self.telegrams)])
        self.next += 1

    def close(self):
        os.close(self.ours)
        os.close(self.theirs)


class Client:
    """One Modbus connection."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), 5)
        self.seen = None

    def read(self):
        self.socket.sendall(struct.pack(">HHHBBHH", 1, 0, 6, 1, 3, REGISTERS_FROM, REGISTERS))
        return self.socket.recv(300)

    def await_news(self):
        """Reads until the registers show something else than the last time."""
        for _ in range(1000):
            answer = self.read()
            if answer != self.seen:
                self.seen = answer
                return
            time.sleep(0.002)
        raise RuntimeError("a telegram does not reach the registers")


@contextlib.contextmanager
def gateway(setting, broker=None, **options):
    """A gateway with a meter, a Modbus client and (with a port) a broker."""
    port = harness.free_port()
    more = ["--mqtt", f"mqtt://127.0.0.1:{broker}"] if broker else []
    meter = Meter()
    command = setting.gateway(meter.url, "--modbus", f"127.0.0.1:{port}", *more, page=True)
    try:
        with harness.Program(command, **options) as program:
            client = Client(port)
            client.seen = client.read()  # an exception: no reading yet
            yield program, meter, client
    finally:
        meter.close()


def pass_telegrams(meter, client, n):
    for _ in range(n):
        meter.send()
        client.await_news()


def measure_memory(setting, broker):
    with gateway(setting, broker) as (program, meter, client):
        time.sleep(1)  # the broker's answer
        pass_telegrams(meter, client, WARM_UP)
        return program.memory_kb()


def measure_starts(setting, broker):
    starts = []
    for _ in range(STARTS):
        setting.quiet.wait()
        with gateway(setting, broker) as (program, _, _):
            starts.append(program.start_ms)
    return starts


def count_allocations(setting, broker=None):
    """Allocations per telegram: {caller: count}."""
    counts = pathlib.Path(setting.work / "allocations")
    counts.write_bytes(bytes(4096))
    environment = dict(os.environ, LD_PRELOAD=str(setting.tool("liballocation_counter.so")),
                       ALLOCATION_COUNTS=str(counts))
    read = lambda: struct.unpack_from("=3Q", counts.read_bytes())
    with gateway(setting, broker, env=environment) as (_, meter, client):
        time.sleep(1)
        pass_telegrams(meter, client, WARM_UP)
        before = read()
        pass_telegrams(meter, client, COUNTED)
        after = read()
    if sum(before) == 0:
        raise RuntimeError("the allocation counter was not loaded")
    return {caller: (b - a) / COUNTED for caller, a, b in zip(CALLERS, before, after)}


def measure(setting):
    broker, port = setting.start_broker()
    try:
        memory = measure_memory(setting, port)
        starts = measure_starts(setting, port)
        with_mqtt = count_allocations(setting, port)
    finally:
        broker.terminate()
        broker.wait()
    without_mqtt = count_allocations(setting)
    values = {
        "memory": (memory["Rss"] / 1024, memory["Private_Dirty"] / 1024),
        "start": (statistics.median(starts),),
        "allocations": (sum(without_mqtt.values()), with_mqtt["ours"]),
    }
    rows = [["resident (RSS)", f"{memory['Rss']:,} kB"],
            ["proportional (PSS)", f"{memory['Pss']:,} kB"],
            ["private dirty", f"{memory['Private_Dirty']:,} kB"],
            ["start to `ready`, median (fastest, slowest)",
             f"{statistics.median(starts):.1f} ms ({min(starts):.1f}, {max(starts):.1f})"],
            ["allocations per telegram and Modbus reads, without MQTT",
             f"{sum(without_mqtt.values()):g}"],
            ["the same with MQTT, by caller",
             ", ".join(f"{caller} {count:g}" for caller, count in with_mqtt.items())]]
    return values, [("The process", ["meter, Modbus client and broker connected", ""], rows)]
