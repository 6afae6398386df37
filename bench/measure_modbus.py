"""Modbus TCP: our server, libmodbus' and a bare echo, asked for holding registers in a closed loop."""
import os
import statistics
import subprocess

import harness

ADDRESS = 0x8000
REGISTERS = (2, 125)
CLIENTS = (1, 64)
FEW, MANY = 1000, 5000  # requests counted
ROUNDS, SLICE_MS = 9, 300
FIELDS = ("rate", "p50", "p90", "p99", "longest")


def servers(setting):
    """{name: command on a port}; the first is the floor.  Our meter sends one telegram and no more; its
    registers can be read before that and long after."""
    return {
        "echo": lambda port: [setting.tool("modbus_echo"), port],
        "libmodbus": lambda port: [setting.tool("modbus_peer"), port],
        "ours": lambda port: setting.gateway(
            f"file:{setting.work / 'dsmr50_one.bin'}?speed=max", "--stale", "zero",
            "--modbus", f"127.0.0.1:{port}", "--modbus-clients", max(CLIENTS)),
    }


def load(setting, port, clients, registers, mode, n, pin=()):
    command = [*pin, setting.tool("modbus_load"), port, clients, ADDRESS, registers, mode, n]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"modbus_load: {done.stderr}")
    return dict(zip(FIELDS, map(float, done.stdout.split())))


def count_instructions(setting, server, registers):
    def count(n):
        port = harness.free_port()
        return harness.serve_under_callgrind(
            server(port), lambda: load(setting, port, 1, registers, "count", n))
    return harness.per_unit(count, FEW, MANY)


def count_calls(setting, server):
    """System calls of one request: {name: count}, those that are part of each request."""
    counts = []
    for n in (FEW, MANY):
        port = harness.free_port()
        counts.append(harness.serve_under_strace(
            server(port), lambda: load(setting, port, 1, REGISTERS[0], "count", n)))
    few, many = counts
    calls = {name: (many[name] - few.get(name, 0)) / (MANY - FEW) for name in many}
    return {name: count for name, count in calls.items() if count > 0.05}


def budgets(setting):
    ours = servers(setting)["ours"]
    return {"modbus_instructions": tuple(count_instructions(setting, ours, n) for n in REGISTERS),
            "modbus_calls": (round(sum(count_calls(setting, ours).values()), 1),)}


def costs(setting):
    values, rows = {}, []
    for name, server in servers(setting).items():
        instructions = tuple(count_instructions(setting, server, n) for n in REGISTERS)
        calls = count_calls(setting, server)
        total = round(sum(calls.values()), 1)
        listed = ", ".join(f"{call} {count:.1f}" for call, count in sorted(calls.items()))
        rows.append([name, *(f"{n:.0f}" for n in instructions), f"{total:.1f}", listed])
        values = {"modbus_instructions": instructions, "modbus_calls": (total,)}  # ours is the last
    header = ["server", *(f"user instructions, {n} registers" for n in REGISTERS), "system calls",
              "which"]
    return values, ("Modbus TCP: cost of a request", header, rows)


def rates(setting):
    """Rounds of all servers in turn: {(clients, registers, server): [result of a round]}."""
    two_processors = len(os.sched_getaffinity(0)) > 1
    pin = lambda cpu: ("taskset", "-c", str(cpu)) if two_processors else ()
    running, results = {}, {}
    try:
        for name, server in servers(setting).items():
            port = harness.free_port()
            running[name] = (port, harness.Program([*pin(1), *server(port)]))
        for _ in range(ROUNDS):
            for clients in CLIENTS:
                for registers in REGISTERS:
                    for name, (port, _) in running.items():
                        setting.quiet.wait()
                        results.setdefault((clients, registers, name), []).append(
                            load(setting, port, clients, registers, "ms", SLICE_MS, pin(0)))
    finally:
        for _, program in running.values():
            program.stop()
    return results


def compare(results, clients, registers, name):
    """Share of the echo's rate, and the 99th percentile as a multiple of the echo's."""
    ours, echo = results[clients, registers, name], results[clients, registers, "echo"]
    share = harness.median_ratio([r["rate"] for r in ours], [r["rate"] for r in echo])
    p99 = harness.median_ratio([r["p99"] for r in ours], [r["p99"] for r in echo])
    return share, p99


def measure(setting):
    values, cost_table = costs(setting)
    results = rates(setting)
    rows = []
    for (clients, registers, name), rounds in results.items():
        share, p99 = compare(results, clients, registers, name)
        middle = {field: statistics.median(r[field] for r in rounds) for field in FIELDS}
        rows.append([clients, registers, name, f"{middle['rate']:,.0f}", f"{share:.3f}",
                     f"{middle['p50']:.1f}", f"{middle['p99']:.1f}", f"{p99:.2f}"])
    for clients in CLIENTS:
        ours = [compare(results, clients, registers, "ours") for registers in REGISTERS]
        values[f"modbus_rate_{clients}"] = tuple(share for share, _ in ours)
        values[f"modbus_p99_{clients}"] = tuple(p99 for _, p99 in ours)
    header = ["clients", "registers", "server", "requests/s", "share of the echo's", "p50 us",
              "p99 us", "p99 / echo's"]
    return values, [cost_table, ("Modbus TCP: rate and round trip", header, rows)]
