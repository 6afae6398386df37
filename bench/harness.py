"""What all measurements need: programs that say "ready", counting tools, a quiet machine."""
import os
import pathlib
import re
import select
import shutil
import signal
import socket
import statistics
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
SYSTEM_PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"  # where Debian's mosquitto is


def obstacle(tools):
    """Why nothing can be measured here; "" if it can."""
    missing = [name for name in tools if not shutil.which(name, path=SYSTEM_PATH)]
    if missing:
        return f"missing {', '.join(missing)}; run ./bootstrap test"
    traced = subprocess.run(["strace", "-f", "-o", "/dev/null", "true"], capture_output=True)
    return "strace is not permitted here, as in some containers" if traced.returncode else ""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def median_ratio(ours, theirs):
    """Of values measured in turn: the ratio of each pair, and of these the median."""
    return statistics.median(a / b for a, b in zip(ours, theirs))


def percentile(values, percent):
    values = sorted(values)
    return values[min(len(values) - 1, len(values) * percent // 100)]


def per_unit(measure, few, many):
    """What one more unit costs: the difference of two run lengths leaves out start and end.  Of two runs of each the one
    that took less: a busy machine only adds, as timers expire meanwhile."""
    least = {n: min(measure(n) for _ in range(2)) for n in (few, many)}
    return (least[many] - least[few]) / (many - few)


class Quiet:
    """Waits until nothing else uses the processors, for BENCH_WAIT seconds in all."""

    BUSY = 0.12

    def __init__(self):
        self.patience_s = float(os.environ.get("BENCH_WAIT", "300"))
        self.slices = self.noisy = 0

    @staticmethod
    def _times():
        with open("/proc/stat", encoding="ascii") as f:
            fields = [int(x) for x in f.readline().split()[1:9]]
        return fields[3] + fields[4], sum(fields)

    def _busy(self):
        idle, total = self._times()
        time.sleep(0.08)
        idle_now, total_now = self._times()
        return 1 - (idle_now - idle) / max(1, total_now - total)

    def wait(self):
        self.slices += 1
        while self._busy() > self.BUSY:
            if self.patience_s <= 0:
                self.noisy += 1
                return
            time.sleep(0.25)
            self.patience_s -= 0.33


class Program:
    """A program that prints a line "ready..." when it is; `with` ends it with SIGTERM."""

    def __init__(self, command, under=(), timeout_s=30, **options):
        self.errors = tempfile.TemporaryFile("w+")
        self.under = bool(under)
        begin = time.perf_counter()
        self.process = subprocess.Popen([*map(str, under), *map(str, command)], text=True,
                                        stdout=subprocess.PIPE, stderr=self.errors, **options)
        self._await_ready(timeout_s)
        self.start_ms = (time.perf_counter() - begin) * 1e3

    def _await_ready(self, timeout_s):
        readable, _, _ = select.select([self.process.stdout], [], [], timeout_s)
        line = self.ready_line = self.process.stdout.readline() if readable else ""
        if not line.startswith("ready"):
            self.process.kill()
            raise RuntimeError(f"{self.process.args} did not start: {line}{self.error_text()}")

    def error_text(self):
        self.errors.seek(0)
        return self.errors.read()

    def processor_ms(self):
        """Processor time so far."""
        fields = pathlib.Path(f"/proc/{self._pid()}/stat").read_text("ascii").rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")

    def _pid(self):
        """The program itself; strace has it as a child, valgrind becomes it."""
        pid = self.process.pid
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()
        return int(children[0]) if self.under and children else pid

    def memory_kb(self):
        text = pathlib.Path(f"/proc/{self._pid()}/smaps_rollup").read_text("ascii")
        fields = dict(re.findall(r"^(Rss|Pss|Private_Dirty): +(\d+) kB", text, re.M))
        return {name: int(value) for name, value in fields.items()}

    def stop(self):
        if self.process.poll() is None:
            os.kill(self._pid(), signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
        self.errors.close()


CALLGRIND = ("valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null")
MEMCHECK = ("valgrind", "--tool=memcheck", "--leak-check=no")


def instructions(valgrind_text):
    return int(re.search(r"Collected : (\d+)", valgrind_text).group(1))


def allocations(valgrind_text):
    found = re.search(r"total heap usage: ([\d,]+) allocs", valgrind_text)
    return int(found.group(1).replace(",", ""))


def run_tool(tool, command, take):
    """Runs a command to its end under valgrind and takes a number from what valgrind says."""
    done = subprocess.run([*tool, *map(str, command)], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{command} failed: {done.stdout}{done.stderr}")
    return take(done.stderr)


def serve_under_callgrind(command, drive):
    """User instructions of a server from its start to its end, with drive() in between."""
    with Program(command, under=CALLGRIND) as server:
        drive()
        server.stop()
        return instructions(server.error_text())


def serve_under_strace(command, drive):
    """System calls of a server: {name: count}."""
    with tempfile.NamedTemporaryFile("r") as table:
        with Program(command, under=("strace", "-f", "-c", "-o", table.name)) as server:
            drive()
            server.stop()
        rows = [line.split() for line in table]
    return {row[-1]: int(row[3]) for row in rows
            if len(row) >= 5 and row[3].isdigit() and row[-1] != "total"}


class Setting:
    """Where things are, and how the programs under test are called."""

    def __init__(self, build, work):
        self.build = pathlib.Path(build).resolve()
        self.work = pathlib.Path(work)
        self.quiet = Quiet()

    def tool(self, name):
        return self.build / "bench" / name

    def gateway(self, meter, *options, page=False):
        """The command of our gateway; it keeps its state in our work folder."""
        pages = ["--http", "127.0.0.1:0", "--https", "127.0.0.1:0"] if page else ["--https", "off"]
        return [self.build / "smart-connect", "run", "--meter", meter, "--serial", "0123456789AB",
                "--state", self.work, "--log-level", "warning", *pages, *options]

    def start_broker(self):
        port = free_port()
        configuration = self.work / "mosquitto.conf"
        configuration.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n"
                                 "set_tcp_nodelay true\n", "ascii")
        broker = subprocess.Popen([shutil.which("mosquitto", path=SYSTEM_PATH), "-c", configuration],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(100):
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", port)) == 0:
                    return broker, port
            time.sleep(0.05)
        broker.kill()
        raise RuntimeError("mosquitto did not start")
