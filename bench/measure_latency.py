"""End to end: from a telegram's last byte on the line to its value at the other side."""
import statistics
import subprocess

import harness

ROUNDS, SAMPLES = 6, 50
ENERGY = 0x8100  # the energy index of the EMpro map
MQTT_LANES = ("bridge", "ours")
MODBUS_LANES = ("bridge", "ours", "ours-with-mqtt")


class Probe:
    """latency_probe: feeds a pseudo-terminal per lane and takes the time."""

    def __init__(self, setting, what, number, lanes):
        self.process = subprocess.Popen(
            [*map(str, (setting.tool("latency_probe"), what, number, SAMPLES, *lanes))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != "ready\n":
            raise RuntimeError("latency_probe did not start")

    def finish(self):
        """A list of microseconds per lane; what never came is not in it."""
        out, _ = self.process.communicate("\n")
        if self.process.returncode != 0:
            raise RuntimeError("latency_probe failed")
        lanes = zip(*([float(x) for x in line.split()] for line in out.splitlines()))
        return [[x for x in lane if x >= 0] for lane in lanes]


def links(setting, names):
    return [setting.work / f"tty-{name}" for name in names]


def at(port):
    return f"127.0.0.1:{port}"


def mqtt_round(setting, broker):
    lanes = links(setting, MQTT_LANES)
    probe = Probe(setting, "mqtt", broker, lanes)
    modbus = at(harness.free_port())
    with harness.Program([setting.tool("bridge_mqtt"), lanes[0], broker, "bench/floor"]), \
         harness.Program(setting.gateway(f"serial:{lanes[1]}", "--modbus", modbus,
                                         "--mqtt", f"mqtt://{at(broker)}")):
        return probe.finish()


def modbus_round(setting, broker):
    lanes = links(setting, MODBUS_LANES)
    ports = [harness.free_port() for _ in lanes]
    probe = Probe(setting, "modbus", ENERGY, [f"{lane}:{port}" for lane, port in zip(lanes, ports)])
    with harness.Program([setting.tool("bridge_modbus"), lanes[0], ports[0]]), \
         harness.Program(setting.gateway(f"serial:{lanes[1]}", "--modbus", at(ports[1]))), \
         harness.Program(setting.gateway(f"serial:{lanes[2]}", "--modbus", at(ports[2]),
                                         "--mqtt", f"mqtt://{at(broker)}")):
        return probe.finish()


def compare(setting, one_round, names, broker):
    """Ours, the second lane, to the bridge, the first: the ratios of p50 (median of the rounds') and of
    p99 (of all samples).  And a row per lane."""
    rounds = []
    for _ in range(ROUNDS):
        setting.quiet.wait()
        rounds.append(one_round(setting, broker))
    by_lane = list(zip(*rounds))
    pools = [[x for samples in lane for x in samples] for lane in by_lane]
    medians = [[statistics.median(samples) for samples in lane] for lane in by_lane]
    p99 = [harness.percentile(pool, 99) for pool in pools]
    rows = [[name, f"{statistics.median(pool):.0f}", f"{high:.0f}", ROUNDS * SAMPLES - len(pool)]
            for name, pool, high in zip(names, pools, p99)]
    return (harness.median_ratio(medians[1], medians[0]), p99[1] / p99[0]), rows


def measure(setting):
    broker, port = setting.start_broker()
    try:
        mqtt, mqtt_rows = compare(setting, mqtt_round, MQTT_LANES, port)
        modbus, modbus_rows = compare(setting, modbus_round, MODBUS_LANES, port)
    finally:
        broker.terminate()
        broker.wait()
    rows = [["MQTT message", *row] for row in mqtt_rows] + \
           [["Modbus answer", *row] for row in modbus_rows]
    header = ["to", "by", "p50 us", "p99 us", f"lost of {ROUNDS * SAMPLES}"]
    return {"mqtt_latency": mqtt, "modbus_latency": modbus}, [("End to end", header, rows)]
