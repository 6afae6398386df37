"""What the system tests share: the gateway as a process, meters, Modbus clients and brokers.

The program to try is named by $SMART_CONNECT.  Everything stays on the loopback interface, ports are
chosen by the kernel, and every wait has a deadline.
"""
import contextlib
import ctypes
import json
import multiprocessing
import os
import pathlib
import random
import re
import select
import signal
import socket
import struct
import subprocess
import threading
import time
import tty

import paho.mqtt.client

SOURCES = pathlib.Path(__file__).resolve().parent.parent
DATA = SOURCES / "tests" / "data"
PROGRAM = os.environ.get("SMART_CONNECT", str(SOURCES / "build" / "smart-connect"))
SERIAL = "00112233AABB"
DEADLINE = 15  # seconds a healthy machine never needs, even busy and with sanitizers
SANITIZER_COMPLAINT = re.compile(r"AddressSanitizer|LeakSanitizer|runtime error:")

# Debian's mosquitto is not on a plain user's path.
os.environ["PATH"] += ":/usr/sbin:/sbin"


def wait_until(condition, what, seconds=DEADLINE):
    """Polls until `condition` gives something true, and returns it."""
    end, pause = time.monotonic() + seconds, 0.01
    while True:
        result = condition()
        if result:
            return result
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(pause)
        pause = min(1.2 * pause, 0.1)  # each look costs, most of all one into a browser


def free_port():
    """A port nobody listens at, and that the system gives to nobody.  For programs that cannot choose one themselves."""
    while True:
        port = random.randrange(10000, 32768)  # below the ports that connections and port 0 get
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", port)):
                return port


def run(*arguments, stdin=b"", seconds=DEADLINE, env=None):
    """Runs the program to its end; stdout is bytes, stderr text."""
    done = subprocess.run([PROGRAM, *arguments], input=stdin, capture_output=True, timeout=seconds,
                          env=clean_environment(env), check=False)
    done.stderr = done.stderr.decode()
    assert not SANITIZER_COMPLAINT.search(done.stderr), done.stderr
    return done


def refusal(*options):
    """The one line with which `run` refuses options; it serves nothing and exits with 2."""
    done = run("run", "--config", os.devnull, "--meter", "sim:dsmr50", "--state", "", "--modbus", "127.0.0.1:0",
               *options)
    assert done.returncode == 2 and not done.stdout, done
    assert len(done.stderr.splitlines()) == 1 and done.stderr.endswith("\n"), done.stderr
    return done.stderr


def clean_environment(extra=None):
    """Ours, without what systemd would say to a service."""
    mine = {k: v for k, v in os.environ.items() if k not in ("NOTIFY_SOCKET", "JOURNAL_STREAM")}
    return {**mine, **(extra or {})}


# --- telegrams ---------------------------------------------------------------------------------

def assert_nobody_waited(answer_times_s, limit_s=0.1):
    """One in fifty may have waited for this machine; what stands in the way makes more of them wait, or long."""
    times = sorted(answer_times_s)
    assert times[-1 - len(times) // 50] < limit_s and times[-1] < 10 * limit_s, times[-5:]


def crc16(data, crc=0):
    """CRC-16/ARC, bit by bit; from 0xFFFF it is that of Modbus."""
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return crc


def p1_time(utc_s):
    """Winter time, whatever the season: the letter alone counts."""
    return time.strftime("%y%m%d%H%M%SW", time.gmtime(utc_s + 3600))


def p1(*lines, identification="/SCN5 SYSTEM TEST", good=True):
    """A P1 telegram with its CRC, or a wrong one."""
    body = "\r\n".join([identification, "", *lines, "!"]).encode()
    return body + b"%04X\r\n" % (crc16(body) ^ (0 if good else 0x0100))


def marked(n, utc_s=None, **how):
    """A three-phase telegram in which every value follows from 0 <= n < 100000: powers are n W,
    energies n Wh, voltages (n % 2500) / 10 V, currents n % 1000 A."""
    kw, kwh = f"{n / 1000:06.3f}*kW", f"{n / 1000:010.3f}*kWh"
    volt, ampere = f"{n % 2500 / 10:05.1f}*V", f"{n % 1000:03}*A"
    lines = ["1-3:0.2.8(50)", f"0-0:1.0.0({p1_time(time.time() if utc_s is None else utc_s)})",
             f"1-0:1.8.1({kwh})", f"1-0:1.8.2({0:010.3f}*kWh)",
             f"1-0:2.8.1({kwh})", f"1-0:2.8.2({0:010.3f}*kWh)",
             f"1-0:1.7.0({kw})", "1-0:2.7.0(00.000*kW)"]
    for phase in (20, 40, 60):
        lines += [f"1-0:{phase + 12}.7.0({volt})", f"1-0:{phase + 11}.7.0({ampere})",
                  f"1-0:{phase + 1}.7.0({kw})", f"1-0:{phase + 2}.7.0(00.000*kW)"]
    return p1(*lines, **how)


def even_parity(data):
    """What an 8N1 receiver sees of a 7E1 line."""
    return bytes(b | (bin(b).count("1") & 1) << 7 for b in data)


def tic_group(label, data, horodate=None, damage=0):
    text = "\t".join([label] + ([horodate] if horodate is not None else []) + [data]) + "\t"
    checksum = (sum(text.encode()) & 0x3F) + 0x20
    return b"\n" + text.encode() + bytes([checksum ^ damage]) + b"\r"


def tic_frame(*groups):
    return b"\x02" + b"".join(groups) + b"\x03"


def tic_marked(n):
    """A single-phase frame in which energies are n Wh and the power is n % 10000 VA."""
    return tic_frame(tic_group("ADSC", "061861123456"), tic_group("VTIC", "02"),
                     tic_group("DATE", "", time.strftime("H%y%m%d%H%M%S", time.gmtime(time.time() + 3600))),
                     tic_group("EAST", f"{n:09}"), tic_group("EASF01", f"{n:09}"),
                     tic_group("IRMS1", "003"), tic_group("URMS1", "230"), tic_group("PREF", "12"),
                     tic_group("PCOUP", "12"), tic_group("SINSTS", f"{n % 10000:05}"))


# --- processes ---------------------------------------------------------------------------------

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)


class Process:
    """A program whose output is kept in files, and that does not outlive the tests."""

    def __init__(self, folder, name, command, prepare=lambda: None, **how):
        """`prepare` runs in the child before the program."""
        def prepare_child():
            LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            prepare()
        self.stdout_path, self.stderr_path = folder / f"{name}.out", folder / f"{name}.err"
        with open(self.stdout_path, "wb") as out, open(self.stderr_path, "wb") as err:
            self.popen = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                                          preexec_fn=prepare_child, **how)
        self.pid = self.popen.pid

    def stdout(self):
        return self.stdout_path.read_text(errors="replace")

    def stderr(self):
        return self.stderr_path.read_text(errors="replace")

    def running(self):
        return self.popen.poll() is None

    def end(self, number=signal.SIGTERM, seconds=DEADLINE):
        """Sends a signal and waits; the exit code."""
        if self.running():
            self.popen.send_signal(number)
        try:
            return self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
            raise

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def heeds_sigterm(self):
        """It has blocked the signal, to read it from a descriptor."""
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(r"SigBlk:\s+(\w+)", status).group(1), 16) >> (signal.SIGTERM - 1) & 1 == 1

    def rss_kib(self):
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status).group(1))

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def threads(self):
        return len(os.listdir(f"/proc/{self.pid}/task"))


class Gateway(Process):
    """`smart-connect run`, ready to serve."""

    count = 0

    def __init__(self, folder, meter, *options, modbus="127.0.0.1:0", env=None, wait=True, prefix=(), **how):
        """`prefix`: a command that ends by executing the one behind it."""
        Gateway.count += 1
        empty = folder / "device.conf"
        empty.touch()
        super().__init__(folder, f"gateway-{Gateway.count}",
                         [*prefix, PROGRAM, "run", "--config", str(empty), "--meter", meter, "--modbus", modbus,
                          "--state", "", "--serial", SERIAL, *options],
                         env=clean_environment(env), **how)
        if wait:
            self.wait_ready()

    def wait_ready(self):
        wait_until(lambda: "ready " in self.stdout() or not self.running(), "the ready line")
        assert self.running(), f"exit {self.popen.returncode}: {self.stderr()}"
        found = re.search(r"modbus=\S*:(\d+) ", self.stdout())
        self.port = int(found.group(1)) if found else None

    def log(self, pattern):
        """All lines of the log that match."""
        return [line for line in self.stderr().splitlines() if re.search(pattern, line)]

    def wait_log(self, pattern, times=1, seconds=DEADLINE):
        return wait_until(lambda: len(self.log(pattern)) >= times and self.log(pattern),
                          f"{times} times {pattern!r} in {self.stderr()}", seconds)

    def live(self):
        """The last line of --live as a dictionary of texts; empty before the first telegram."""
        lines = [l for l in self.stdout().splitlines(True) if l.startswith("power_w=") and l.endswith("\n")]
        return dict(re.findall(r"(\S+)=(\S+)", lines[-1])) if lines else {}

    def wait_live(self, seconds=DEADLINE, **wanted):
        """Waits until all of `wanted` stand in the last live line."""
        return wait_until(lambda: all(self.live().get(k) == str(v) for k, v in wanted.items()) and self.live(),
                          f"{wanted} in {self.live()}", seconds)

    def client(self, **how):
        return Client(self.port, **how)

    def wait_served(self, seconds=DEADLINE):
        """Waits for the first telegram to be visible in registers."""
        with self.client() as client:
            wait_until(lambda: client.exception(3, 0x8000, 1) is None, "a telegram in the registers", seconds)
        return self

    def stop(self):
        """Ends it as systemd does; nothing may be left behind."""
        code = self.end()
        complaint = SANITIZER_COMPLAINT.search(self.stderr())
        assert code == 0 and not complaint, f"exit {code}: {self.stderr()}"


# --- Modbus ------------------------------------------------------------------------------------

class Closed(Exception):
    """The server closed or reset the connection."""


class Client:
    """A Modbus TCP client that can also misbehave."""

    def __init__(self, port, source=None, receive_buffer=None, seconds=DEADLINE, host="127.0.0.1"):
        self.socket = socket.socket()
        self.socket.settimeout(seconds)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if source:
            self.socket.bind((source, 0))
        try:
            self.socket.connect((host, port))
        except ConnectionResetError as e:
            self.socket.close()
            raise Closed from e
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.transaction = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    close = __exit__

    def send(self, data):
        try:
            self.socket.sendall(data)
        except (ConnectionResetError, BrokenPipeError) as e:
            raise Closed from e

    def receive(self, n):
        data = b""
        while len(data) < n:
            try:
                more = self.socket.recv(n - len(data))
            except ConnectionResetError as e:
                raise Closed from e
            if not more:
                raise Closed
            data += more
        return data

    def frame(self, pdu, unit=1, protocol=0, length=None):
        """The next request."""
        self.transaction = (self.transaction + 1) % 65536
        return struct.pack(">HHHB", self.transaction, protocol,
                           len(pdu) + 1 if length is None else length, unit) + pdu

    def answer(self):
        """Transaction, unit and PDU of the next answer."""
        transaction, protocol, length, unit = struct.unpack(">HHHB", self.receive(7))
        assert protocol == 0 and 3 <= length <= 254
        return transaction, unit, self.receive(length - 1)

    def call(self, pdu, unit=1):
        """Sends a request and returns the answer's PDU."""
        self.send(self.frame(pdu, unit))
        transaction, answered_unit, answer = self.answer()
        assert (transaction, answered_unit) == (self.transaction, unit)
        return answer

    def ask(self, function, address, quantity, unit=1):
        return self.call(struct.pack(">BHH", function, address, quantity), unit)

    def exception(self, function, address, quantity):
        """The exception code of a read, None if it was served."""
        answer = self.ask(function, address, quantity)
        return answer[1] if answer[0] == function | 0x80 else None

    def registers(self, address, quantity, function=3):
        answer = self.ask(function, address, quantity)
        assert answer[:2] == bytes([function, 2 * quantity]), answer.hex()
        return answer[2:]

    def floats(self, address, count, order="swapped"):
        return floats(self.registers(address, 2 * count), order)

    def is_closed(self, seconds=2):
        """True if the server closes within this time; what it sends before is dropped."""
        self.socket.settimeout(seconds)
        try:
            while self.socket.recv(4096):
                pass
            return True
        except ConnectionResetError:
            return True
        except socket.timeout:
            return False
        finally:
            self.socket.settimeout(DEADLINE)


def floats(data, order="swapped"):
    """Float32 values from registers as they come over the wire."""
    if order == "swapped":
        data = b"".join(data[i + 2:i + 4] + data[i:i + 2] for i in range(0, len(data), 4))
    return list(struct.unpack(f">{len(data) // 4}f", data))


def eager_state(folder):
    """A state folder whose settings send what waited as fast as they may."""
    folder.mkdir(mode=0o700, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"Version": 1, "Settings": {"MQTT": {"LateRate": 1000}}}))
    return folder


FORK = multiprocessing.get_context("fork")


def run_delay(*tasks):
    """Seconds that threads were ready to run and had no processor: no fault of theirs."""
    return sum(int(pathlib.Path(f"{task}/schedstat").read_text().split()[1]) for task in tasks) / 1e9


def waited_s(server, ask):
    """For how long a gateway's loop let us wait, but for what the machine took from it or from us."""
    tasks = f"/proc/{server.pid}/task/{server.pid}", "/proc/self"
    before, begin = run_delay(*tasks), time.monotonic()
    ask()
    return time.monotonic() - begin - (run_delay(*tasks) - before)


class Charger:
    """Polls a gateway, in a process of its own, and notes the longest time it waited: but for a busy machine's."""

    def __init__(self, server, **where):
        self.worst_s, self.polls = FORK.Value("d", 0), FORK.Value("q", 0)
        self.process = FORK.Process(target=self.poll, daemon=True, args=(server, where))
        self.process.start()

    def poll(self, server, where):
        with server.client(**where) as client:
            while True:
                self.worst_s.value = max(self.worst_s.value, waited_s(server, lambda: client.registers(0x8016, 2)))
                self.polls.value += 1
                time.sleep(0.005)

    def forget(self):
        self.worst_s.value = self.polls.value = 0

    def check(self, limit_s):
        """Since it was told to forget, it was answered, and each time soon."""
        wait_until(lambda: self.polls.value > 2 or not self.process.is_alive(), "Modbus")
        assert self.process.is_alive() and self.worst_s.value < limit_s, f"Modbus: {self.worst_s.value} s"

    def close(self):
        self.process.kill()
        self.process.join()


# --- meters ------------------------------------------------------------------------------------

class TcpMeter:
    """A serial server: whoever connects gets what is sent."""

    def __init__(self, port=0):
        self.listening = socket.socket()
        self.listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listening.bind(("127.0.0.1", port))
        self.listening.listen()
        self.listening.settimeout(DEADLINE)
        self.port = self.listening.getsockname()[1]
        self.url = f"tcp:127.0.0.1:{self.port}"
        self.peer = None

    def accept(self):
        self.peer = self.listening.accept()[0]
        self.peer.settimeout(DEADLINE)
        return self

    def send(self, data):
        self.peer.sendall(data)

    def hang_up(self):
        self.peer.close()
        self.peer = None

    def close(self):
        self.listening.close()
        if self.peer:
            self.peer.close()


class PtyMeter:
    """A serial device: a pseudo-terminal behind a link that stays when it is unplugged."""

    def __init__(self, folder, name="ttyMETER"):
        self.link = folder / name
        self.url = f"serial:{self.link}"
        self.master = self.slave = None
        self.plug()

    def plug(self):
        self.master, self.slave = os.openpty()
        tty.setraw(self.slave)
        os.set_blocking(self.master, False)
        self.link.unlink(missing_ok=True)
        self.link.symlink_to(os.ttyname(self.slave))

    def unplug(self):
        os.close(self.master)
        os.close(self.slave)
        self.master = self.slave = None

    def send(self, data, seconds=DEADLINE):
        end = time.monotonic() + seconds
        while data:
            writable = select.select([], [self.master], [], max(0, end - time.monotonic()))[1]
            assert writable, f"the gateway does not read: {len(data)} bytes left"
            try:
                data = data[os.write(self.master, data):]
            except BlockingIOError:
                time.sleep(0.002)

    def close(self):
        if self.master is not None:
            self.unplug()


# --- MQTT --------------------------------------------------------------------------------------

class Broker:
    """mosquitto on a port of its own."""

    def __init__(self, folder, *settings):
        self.folder, self.settings = folder, settings
        self.process = None
        self.port = free_port()
        while not self.start():
            self.port = free_port()  # somebody was faster
        self.url = f"mqtt://127.0.0.1:{self.port}"

    def start(self):
        """Also again, at the same port.  False: it ended at once."""
        config = self.folder / f"broker-{self.port}.conf"
        anonymous = [] if any(s.startswith("password_file") for s in self.settings) else ["allow_anonymous true"]
        config.write_text("\n".join(["user root", f"listener {self.port} 127.0.0.1", "persistence false",
                                     *anonymous, *self.settings, ""]))
        self.process = Process(self.folder, f"broker-{self.port}", ["mosquitto", "-c", str(config)])
        wait_until(lambda: self.serves() or not self.process.running(), "mosquitto")
        return self.process.running()

    def serves(self):
        """Its own word for it: somebody else may listen at the port."""
        return " running\n" in self.process.stderr()

    def pause(self):
        self.process.popen.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.process.popen.send_signal(signal.SIGCONT)

    def stop(self, number=signal.SIGTERM):
        if self.process.running():
            self.go_on()
        self.process.end(number)


class Gate:
    """A port that leads to another one, and can be shut: the way to a broker, which itself goes on."""

    def __init__(self, *ports):
        """Leads to the first of these ports that answers."""
        self.ports = ports
        self.port = free_port()
        self.url = f"mqtt://127.0.0.1:{self.port}"
        self.ends = []
        self.open()

    def open(self):
        self.listening = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self.serve, args=(self.listening,), daemon=True).start()

    def shut(self):
        """Ends all connections, and refuses new ones.  Also when it is shut already."""
        self.end(self.listening)
        self.listening.close()
        for end in self.ends:
            self.end(end)
        self.ends = []

    def serve(self, listening):
        with contextlib.suppress(OSError):
            while True:
                client = listening.accept()[0]
                threading.Thread(target=self.lead, args=(client,), daemon=True).start()

    def lead(self, client):
        for port in self.ports:
            with contextlib.suppress(OSError):
                broker = socket.create_connection(("127.0.0.1", port), 1)
                broker.settimeout(None)
                self.ends += [client, broker]
                threading.Thread(target=self.copy, args=(broker, client), daemon=True).start()
                self.copy(client, broker)
                return
        self.end(client)

    def copy(self, source, sink):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        self.end(source)
        self.end(sink)

    @staticmethod
    def end(one):
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)


class Message:
    def __init__(self, topic, payload, retained):
        self.topic, self.payload, self.retained = topic, payload.decode(), retained
        self.at = time.monotonic()

    def json(self):
        return json.loads(self.payload)

    def __repr__(self):
        return f"{self.topic} {self.payload[:120]}{' retained' * self.retained}"


class Subscriber:
    """Collects all that is published at a broker."""

    def __init__(self, port, topic="#", username=None, password=None, host="127.0.0.1",
                 protocol=paho.mqtt.client.MQTTv311):
        self.messages = []
        self.client = paho.mqtt.client.Client(protocol=protocol)
        if username:
            self.client.username_pw_set(username, password)
        subscribed = []
        self.client.on_subscribe = lambda *_: subscribed.append(True)
        self.client.on_connect = lambda client, *_: client.subscribe(topic, qos=1)
        self.client.on_message = lambda _c, _u, m: self.messages.append(Message(m.topic, m.payload, m.retain))
        self.client.connect(host, port)
        self.client.loop_start()
        wait_until(lambda: subscribed, "the subscription")

    def of(self, end):
        """The messages whose topic ends so."""
        return [m for m in self.messages if m.topic.endswith(end)]

    def wait(self, end, accept=lambda m: True, seconds=DEADLINE):
        """The first message under a topic that ends so and that is accepted."""
        wait_until(lambda: any(accept(m) for m in self.of(end)), f"{end} in {self.messages[-5:]}", seconds)
        return next(m for m in self.of(end) if accept(m))

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()
