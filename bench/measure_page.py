"""The page beside Modbus: what TLS handshakes cost, and whether Modbus clients notice them."""
import re
import statistics
import subprocess

import harness

ADDRESS, REGISTERS, CLIENTS = 0x8006, 20, 4
RATE, ROUNDS, SLICE_MS = 100, 5, 3000
IDLE = 64


def load_modbus(setting, port):
    """p50 and p99 in ms."""
    done = subprocess.run([setting.tool("modbus_load"), str(port), str(CLIENTS), str(ADDRESS), str(REGISTERS),
                           "paced", str(SLICE_MS)], capture_output=True, text=True, check=True)
    _, p50, _, p99, _ = map(float, done.stdout.split())
    return p50 / 1000, p99 / 1000


def shake(setting, port, ms):
    return subprocess.Popen([setting.tool("tls_load"), str(port), "shake", str(RATE), str(ms)],
                            stdout=subprocess.PIPE, text=True)


def measure_rounds(setting, program, modbus, https):
    """Rounds in turn: idle, and with handshakes; handshakes per second and their cost as well."""
    idle, loaded, costs, rates = [], [], [], []
    for _ in range(ROUNDS):
        setting.quiet.wait()
        idle.append(load_modbus(setting, modbus))
        before = program.processor_ms()
        handshakes = shake(setting, https, SLICE_MS + 500)
        loaded.append(load_modbus(setting, modbus))
        count = int(handshakes.communicate()[0])
        costs.append((program.processor_ms() - before) / count)
        rates.append(count / (SLICE_MS + 500) * 1000)
    return idle, loaded, costs, rates


def measure_idle_connections(setting, program, https):
    """Memory of 64 connections, in kB."""
    before = program.memory_kb()["Rss"]
    with subprocess.Popen([setting.tool("tls_load"), str(https), "hold", str(IDLE)], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True) as held:
        assert held.stdout.readline().strip() == str(IDLE)
        after = program.memory_kb()["Rss"]
        held.stdin.close()
    return after - before


def measure(setting):
    port = harness.free_port()
    command = setting.gateway("sim:dsmr50", "--modbus", f"127.0.0.1:{port}", "--modbus-clients", str(CLIENTS),
                              page=True)
    with harness.Program(command) as program:
        https = int(re.search(r"https=\S*:(\d+)", program.ready_line).group(1))
        idle, loaded, costs, rates = measure_rounds(setting, program, port, https)
        more_kb = measure_idle_connections(setting, program, https)
    middle = lambda pairs, i: statistics.median(pair[i] for pair in pairs)
    values = {"page_modbus": (middle(idle, 1), middle(loaded, 1)),
              "page_handshake": (statistics.median(costs),), "page_connections": (more_kb / 1024,)}
    rows = [["Modbus p50 / p99, idle", f"{middle(idle, 0):.3f} / {middle(idle, 1):.3f} ms"],
            [f"Modbus p50 / p99, {statistics.median(rates):.0f} handshakes/s",
             f"{middle(loaded, 0):.3f} / {middle(loaded, 1):.3f} ms"],
            ["processor time a handshake, all else included", f"{statistics.median(costs):.2f} ms"],
            [f"{IDLE} idle TLS connections", f"{more_kb:,} kB more"]]
    return values, [("The page beside Modbus", ["", ""], rows)]
