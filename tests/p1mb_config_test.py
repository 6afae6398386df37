"""p1mb-config, the program, against a P1MB's own port code on a pseudo-terminal (p1mb_on_pty).

The device does what the firmware does, and what we choose to be wrong with it.
"""
import fcntl
import grp
import json
import os
import re
import select
import shutil
import signal
import struct
import subprocess
import tempfile
import termios

import pyte
import pytest

from harness import DEADLINE, SANITIZER_COMPLAINT, SOURCES, Process, wait_until

PROGRAM = os.environ.get("P1MB_CONFIG", str(SOURCES / "build" / "p1mb-config"))
DEVICE = os.environ.get("P1MB_ON_PTY", str(SOURCES / "build" / "tests" / "p1mb_on_pty"))
DEFAULTS = {"baud": 9600, "line": "8E1", "address": 16, "termination": False, "map": "Eastron-SDM630"}
FLAGS = ("baud", "line", "address", "termination", "map")
MAPS = ["Inepro-PRO380", "Acrel-ACR10RH", "Eastron-SDM630", "Xemex"]
# Long enough for a busy machine; short where no answer is what is tried.
PATIENT, HASTY = ("--timeout-ms", "5000"), ("--timeout-ms", "400")


class Device(Process):
    """A P1MB at a pseudo-terminal."""

    count = 0

    def __init__(self, folder, *faults):
        Device.count += 1
        super().__init__(folder, f"p1mb-{Device.count}", [DEVICE, *faults])
        wait_until(lambda: "\n" in self.stdout(), "the port of the device")
        self.path = self.stdout().splitlines()[0]

    def events(self):
        return self.stdout().splitlines()[1:]

    def told(self, what):
        """How often something happened, as "reboot" or "write 80..."."""
        return sum(event.startswith(what) for event in self.events())

    def wait_told(self, what):
        wait_until(lambda: self.told(what), f"{what} in {self.events()}")

    def assert_left(self):
        """The last session was left, and not just forgotten."""
        wait_until(lambda: self.events()[-1:] == ["closed"], f"the session to be left: {self.events()}")


@pytest.fixture
def device(tmp_path):
    """device(FAULT...): starts one; the sessions it saw were all left."""
    started = []

    def start(*faults):
        started.append(Device(tmp_path, *faults))
        return started[-1]
    yield start
    for one in started:
        one.end()
        assert one.told("open") == one.told("closed"), one.events()


def config(*arguments, **how):
    done = subprocess.run([PROGRAM, *arguments], stdin=subprocess.DEVNULL, timeout=2 * DEADLINE, check=False, text=True,
                          **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **how})
    assert not SANITIZER_COMPLAINT.search(done.stderr), done.stderr
    return done


def done_at(one, *arguments):
    """What a command printed that succeeded."""
    done = config("--port", one.path, *PATIENT, *arguments)
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout


def refused(code, *arguments, **how):
    """The one line of complaint of a command that ended with this code."""
    done = config(*arguments, **how)
    assert (done.returncode, done.stdout) == (code, ""), done
    assert done.stderr.startswith("p1mb-config: ") and done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def read(one):
    return json.loads(done_at(one, "read", "--json"))


def settings(**changed):
    return {**DEFAULTS, **changed}


# --- reading -----------------------------------------------------------------------------------

def test_read_tells_all_there_is_to_know(device):
    one = device()
    assert read(one) == {"port": one.path, "product": "P1MB", "board": "pty", "serial": "00112233AABB",
                         "firmware": "0.1.0", "maps": MAPS, "active": DEFAULTS, "next": DEFAULTS}
    text = done_at(one, "read")
    for fact in (one.path, "P1MB", "pty", "00112233AABB", "0.1.0", *MAPS, "9600", "8E1", "16", "off"):
        assert fact in text
    assert one.told("open") == 2
    one.assert_left()


def test_what_is_active_and_what_will_be_are_told_apart(device):
    one = device()
    done_at(one, "write", "--address", "42", "--no-reboot")
    told = read(one)
    assert (told["active"], told["next"]) == (DEFAULTS, settings(address=42))
    assert re.search(r"Modbus device address +16 +42\n", done_at(one, "read"))


def test_answers_may_be_lost_and_noise_may_come(device):
    lossy = config("--port", device("--lose", "2").path, "--timeout-ms", "2000", "read", "--json")
    assert json.loads(lossy.stdout)["active"] == DEFAULTS
    assert read(device("--noise", "100"))["active"] == DEFAULTS


# --- writing -----------------------------------------------------------------------------------

@pytest.mark.parametrize("flag, given, told", [
    ("baud", "115200", 115200), ("baud", "1200", 1200), ("line", "8N1", "8N1"), ("line", "8n1", "8N1"),
    ("address", "1", 1), ("address", "247", 247), ("termination", "on", True),
    ("map", "Inepro-PRO380", MAPS[0]), ("map", "acr10rh", MAPS[1]), ("map", "XEMEX", MAPS[3])])
def test_write_changes_one_setting_and_keeps_the_rest(device, flag, given, told):
    one = device()
    assert "has rebooted" in done_at(one, "write", f"--{flag}", given)
    assert (one.told("write"), one.told("reboot")) == (1, 1)
    one.assert_left()
    now = read(one)
    assert now["active"] == now["next"] == settings(**{flag: told})


def test_write_changes_all_at_once(device):
    one = device("--boot-ms", "700")
    done_at(one, "write", "--baud", "19200", "--line", "8N1", "--address", "5", "--termination", "on", "--map", "pro380")
    assert read(one)["active"] == {"baud": 19200, "line": "8N1", "address": 5, "termination": True, "map": MAPS[0]}
    assert one.told("write 004B000005000100") == 1


def test_write_does_nothing_where_nothing_changes(device):
    one = device()
    assert "nothing to change" in done_at(one, "write", "--baud", "9600", "--map", "sdm630")
    assert one.told("write") + one.told("reboot") == 0


def test_without_reboot_the_settings_wait(device):
    one = device()
    assert "next reboot" in done_at(one, "write", "--baud", "1200", "--no-reboot")
    assert "nothing to change" in done_at(one, "write", "--baud", "1200", "--no-reboot")
    assert (one.told("write"), one.told("reboot")) == (1, 0)
    assert "has rebooted" in done_at(one, "write", "--baud", "1200")  # it is written already
    assert (one.told("write"), one.told("reboot")) == (1, 1)
    assert read(one)["active"] == settings(baud=1200)


def test_reboot_makes_active_what_was_written(device):
    one = device("--boot-ms", "300")
    done_at(one, "write", "--line", "8N1", "--no-reboot")
    assert "has rebooted" in done_at(one, "reboot")
    assert read(one)["active"] == settings(line="8N1")


# --- refusals ----------------------------------------------------------------------------------

@pytest.mark.parametrize("arguments, says", [
    (["write", "--baud", "9601"], 'baud "9601".*115200'), (["write", "--line", "7E1"], 'line "7E1".*8N1 or 8E1'),
    (["write", "--address", "0"], 'address "0".*1 to 247'), (["write", "--address", "248"], "1 to 247"),
    (["write", "--termination", "1"], "on or off"), (["write"], "--baud, --line"), (["frob"], '"frob" is no command'),
    (["read", "write"], "one word too many"), (["read", "--baud", "9600"], "--baud is not for read"),
    (["ports", "--no-reboot"], "not for ports"), (["--json"], "not for the window"), (["read", "--nope"], "option --nope"),
    (["read", "-x"], "option -x"), (["write", "--baud"], "--baud needs a value"),
    (["read", "--timeout-ms", "0"], "50 to 60000"), (["read", "--timeout-ms", "1s"], "50 to 60000")])
def test_wrong_usage_is_refused_before_the_port_is_opened(device, arguments, says):
    one = device()
    where = ["--port", one.path] if arguments[0] != "ports" else []
    assert re.search(says, refused(2, *where, *arguments))
    assert one.events() == []


def test_a_map_the_device_does_not_have_is_refused_with_those_it_has(device):
    one = device("--maps", "Eastron-SDM630,Xemex,One-Two")
    line = refused(2, "--port", one.path, "write", "--map", "pro380")
    assert "Eastron-SDM630 Xemex One-Two" in line and "nothing was changed" in line
    assert one.told("write") == 0
    one.assert_left()


@pytest.mark.parametrize("fault, says", [
    (["--mute"], "no answer.*p1mb-config ports.*power.*meter"), (["--telegram"], "a meter's telegrams"),
    (["--garbled"], "something answers, but not as a P1MB"), (["--product", "Toaster"], "no P1MB but a Toaster"),
    (["--product", "\33[2J"], r"no P1MB but a \?\[2J"), (["--protocol", "7"], "version 7 of the protocol.*version 1"),
    (["--bad-facts"], "says of itself makes no sense"), (["--bad-setups"], "settings it tells make no sense"),
    (["--maps", "One,Two"], "settings it tells make no sense")])
def test_what_is_no_p1mb_is_told_by_what_it_does(device, fault, says):
    one = device(*fault)
    patience = HASTY if fault[0] in ("--mute", "--telegram", "--garbled") else PATIENT
    for command in (["read"], ["write", "--address", "3"], ["reboot"]):
        line = refused(1, "--port", one.path, *patience, *command)
        assert line.startswith(f"p1mb-config: {one.path}: ") and re.search(says, line)
    assert one.told("write") + one.told("reboot") == 0
    one.assert_left()


@pytest.mark.parametrize("fault, says", [
    *[(["--status", str(3 + i)], f"refuses the {what}; nothing was changed")
      for i, what in enumerate(("baud rate", "address", "line settings", "termination", "register map"))],
    (["--status", "1"], "does not know the command"), (["--status", "2"], "wrong length"),
    (["--status", "77"], "unknown status"), (["--memory-fails"], "memory failed; the old settings count"),
    (["--forgets"], "what it kept is not what was written"), (["--stuck"], "runs with other settings after the reboot"),
    (["--lost"], "told to reboot, and does not answer")])
def test_a_write_that_failed_says_so(device, fault, says):
    one = device(*fault)
    patience = HASTY if fault[0] in ("--stuck", "--lost") else PATIENT
    assert re.search(says, refused(1, "--port", one.path, *patience, "write", "--address", "3"))
    if fault[0] != "--lost":
        one.assert_left()


# --- the port ----------------------------------------------------------------------------------

def test_what_is_no_port_is_refused(tmp_path):
    plain = tmp_path / "file"
    plain.touch()
    assert "no such port" in refused(1, "--port", str(tmp_path / "none"), "read")
    assert "not a serial port" in refused(1, "--port", str(plain), "read")
    assert "not a serial device" in refused(1, "--port", "/dev/null", "read")
    assert "too long" in refused(2, "--port", "/" + 200 * "x", "read")


def test_a_port_in_use_is_left_alone(device):
    one = device()
    with open(one.path, "rb", buffering=0) as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert "another program uses it" in refused(1, "--port", one.path, "read")
    assert one.events() == []


def test_who_may_not_open_the_port_is_told_the_group(device):
    """Root may open anything, so it runs the program as nobody."""
    one = device()
    as_other = {}
    group = "dialout"
    if os.geteuid() == 0:
        shutil.chown(one.path, "root", group)
        as_other = {"user": "nobody", "group": "nogroup", "extra_groups": []}
    else:
        group = grp.getgrgid(os.stat(one.path).st_gid).gr_name
    os.chmod(one.path, 0o060)
    with tempfile.TemporaryDirectory() as folder:  # where everybody may look
        os.chmod(folder, 0o755)
        program = shutil.copy(PROGRAM, folder)
        done = subprocess.run([program, "--port", one.path, "read"], capture_output=True, text=True, check=False, **as_other)
    assert done.returncode == 1 and f"sudo usermod -aG {group} " in done.stderr, done


def test_a_port_that_goes_away_is_noticed(device, tmp_path):
    one = device("--mute")
    waiting = Process(tmp_path, "waiting", [PROGRAM, "--port", one.path, "--timeout-ms", "60000", "read"])
    one.wait_told("open")
    one.end(signal.SIGKILL)
    assert waiting.popen.wait(DEADLINE) == 1
    assert "the port is gone" in waiting.stderr()
    one.told = lambda what: 0  # it could not be left


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_the_session(device, tmp_path, number):
    one = device("--mute")
    waiting = Process(tmp_path, "waiting", [PROGRAM, "--port", one.path, "--timeout-ms", "60000", "read"])
    one.wait_told("open")
    assert waiting.end(number) == 1
    assert "interrupted" in waiting.stderr()
    one.assert_left()


def test_ports_are_listed():
    listed = json.loads(config("ports", "--json").stdout)["ports"]
    text = config("ports").stdout
    for port in listed:
        assert port["port"].startswith("/dev/tty") and port["port"] in text


class Machine:
    """Another /dev and sysfs, for one program: it sees these ports, and no others."""

    def __init__(self, folder, ports):
        self.sys, self.dev = folder / "class", folder / "dev"
        (self.dev / "pts").mkdir(parents=True)
        self.sys.mkdir()
        for name, path in ports.items():
            (self.sys / name).mkdir()
            (self.dev / name).symlink_to(path)

    def run(self, *arguments):
        mount = (f"mount --bind /dev/pts {self.dev}/pts && mount --rbind {self.dev} /dev && "
                 f'mount --bind {self.sys} /sys/class/tty && exec "$@"')
        done = subprocess.run(["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount, "sh", PROGRAM,
                               *arguments], stdin=subprocess.PIPE, capture_output=True, text=True, check=False)
        if "unshare" in done.stderr or "mount" in done.stderr:
            pytest.skip("no namespaces: " + done.stderr)
        return done


def test_the_only_port_needs_no_name(device, tmp_path):
    one = device()
    done = Machine(tmp_path, {"ttyUSB0": one.path}).run(*PATIENT, "read", "--json")
    assert done.returncode == 0 and json.loads(done.stdout)["port"] == "/dev/ttyUSB0", done


def test_of_several_ports_one_must_be_named(device, tmp_path):
    one = device()
    machine = Machine(tmp_path, {"ttyUSB0": one.path, "ttyUSB1": one.path})
    done = machine.run("read")
    assert done.returncode == 2 and "--port: /dev/ttyUSB0 /dev/ttyUSB1" in done.stderr
    assert [p["port"] for p in json.loads(machine.run("ports", "--json").stdout)["ports"]] == ["/dev/ttyUSB0",
                                                                                               "/dev/ttyUSB1"]
    assert one.events() == []


def test_no_port_at_all_says_what_to_plug_in(tmp_path):
    done = Machine(tmp_path, {}).run("read")
    assert done.returncode == 1 and "configurator cable" in done.stderr


# --- help and documents ------------------------------------------------------------------------

def test_help_and_version():
    done = config("--help")
    assert done.returncode == 0 and not done.stderr
    for word in ("read", "write", "reboot", "ports", *(f"--{flag}" for flag in FLAGS), "--no-reboot", "--json"):
        assert word in done.stdout
    assert re.fullmatch(r"p1mb-config \d+\.\d+\.\d+\n", config("--version").stdout)


def test_without_a_terminal_there_is_no_window():
    done = config()
    assert done.returncode == 2 and done.stderr.startswith("usage: p1mb-config") and not done.stdout


def test_a_full_disk_is_a_failure(device):
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = config("--port", device().path, *PATIENT, "read", stdout=full)
    assert done.returncode == 1 and "could not be written" in done.stderr




def exchanges():
    """The examples of the document: (question, answer), as bytes."""
    text = (SOURCES / "docs" / "protocols.md").read_text(encoding="utf-8")
    found = re.findall(r"^ *(->|<-) ((?:[0-9A-F]{2} ?)+(?:\n +(?:[0-9A-F]{2} ?)+)*)", text, re.M)
    lines = [(arrow, bytes.fromhex(hexes)) for arrow, hexes in found]
    assert [arrow for arrow, _ in lines] == ["->", "<-"] * (len(lines) // 2) and lines
    return [(lines[i][1], lines[i + 1][1]) for i in range(0, len(lines), 2)]


def test_the_document_shows_what_is_said(device):
    one = device("--board", "lm3s6965evb")
    port = os.open(one.path, os.O_RDWR | os.O_NOCTTY)
    for question, answer in exchanges():
        os.write(port, question)
        got = b""
        while len(got) < len(answer):
            assert select.select([port], [], [], DEADLINE)[0], f"{question.hex(' ')}: {got.hex(' ')}"
            got += os.read(port, 4096)
        assert got.hex(" ") == answer.hex(" ")
    os.close(port)
    one.assert_left()


# --- the window --------------------------------------------------------------------------------

KEYS = {"up": "\33OA", "down": "\33OB", "right": "\33OC", "left": "\33OD", "enter": "\r", "tab": "\t", "back": "\33[Z"}


class Window:
    """p1mb-config on a terminal of 80x24, and what is to be seen there."""

    def __init__(self, *arguments, terminal="xterm"):
        self.master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))
        self.before = termios.tcgetattr(slave)
        self.slave = slave
        self.screen = pyte.Screen(80, 24)
        self.stream = pyte.ByteStream(self.screen)
        self.popen = subprocess.Popen([PROGRAM, *arguments], stdin=slave, stdout=slave, stderr=subprocess.PIPE,
                                      start_new_session=True, env={**os.environ, "TERM": terminal})

    def look(self):
        while select.select([self.master], [], [], 0)[0]:
            self.stream.feed(os.read(self.master, 65536))
        return "\n".join(line.rstrip() for line in self.screen.display)

    def wait(self, pattern):
        """Waits until it shows this."""
        def shows():
            return re.search(pattern, self.look())
        try:
            return wait_until(shows, pattern)
        except AssertionError:
            pytest.fail(f"{pattern!r} is not in\n{self.look()}")

    def press(self, *keys):
        for key in keys:
            os.write(self.master, KEYS.get(key, key).encode())

    def end(self):
        """The exit code; the terminal must be as it was."""
        def ended():
            self.look()
            return self.popen.poll() is not None
        wait_until(ended, "the end of the window")
        complaint = self.popen.stderr.read().decode()
        assert not SANITIZER_COMPLAINT.search(complaint), complaint
        assert termios.tcgetattr(self.slave) == self.before
        return self.popen.returncode

    def close(self):
        if self.popen.poll() is None:
            self.popen.kill()
            self.popen.wait()
        os.close(self.master)
        os.close(self.slave)


@pytest.fixture
def window():
    opened = []

    def start(*arguments, **how):
        opened.append(Window(*arguments, **how))
        return opened[-1]
    yield start
    for one in opened:
        one.close()


@pytest.fixture
def at(window):
    """at(DEVICE): a window that has read this device."""
    def start(one):
        w = window("--port", one.path, *PATIENT)
        w.wait(re.escape(f"{one.path[-40:]} >"))
        w.wait(r"Modbus baud rate +< - >")
        w.press("enter")
        w.wait("Read. Change")
        return w
    return start


def test_the_window_shows_all_settings_at_a_glance(device, at):
    one = device()
    w = at(one)
    seen = w.look()
    for line in (r"P1MB Configurator \d", r"Serial port +< /dev/pts/\d+ >", r"P1 baud rate +115200", r"P1 line settings +8N1",
                 r"Modbus baud rate +< 9600 >", r"Modbus line settings +< 8E1 >", r"Modbus device address +< 16 >",
                 r"Modbus termination +< off >", r"Modbus register map +< Eastron-SDM630 >",
                 r"Device +P1MB 0\.1\.0, serial number 00112233AABB", r"\[ Read \] +\[ Update \] +\[ Quit \]", r"q: quit$"):
        assert re.search(line, seen, re.M), seen
    one.assert_left()
    w.press("q")
    assert w.end() == 0


def test_update_writes_what_was_chosen(device, at):
    one = device()
    w = at(one)
    w.press("up", "left")  # the map: the one before
    w.wait(r"< Acrel-ACR10RH > +active: Eastron-SDM630")
    w.press("back", "right")  # termination
    w.wait(r"< on > +active: off")
    w.press("up", "1", "2", "3")  # address
    w.wait(r"< 123 > +active: 16")
    w.press("9")  # 1239 is none: a new number begins
    w.wait(r"< 9 >")
    w.press("up", "right", "up", "right", "right")  # line, baud rate
    w.wait(r"< 8N1 > +active: 8E1")
    w.wait(r"< 38400 > +active: 9600")
    assert one.told("write") == 0
    for _ in range(5):
        w.press("enter")  # from field to field, to the button
    w.press("tab", "enter")
    w.wait("Written and read back; the P1MB has rebooted")
    assert "active:" not in w.look()
    one.assert_left()
    assert read(one)["active"] == {"baud": 38400, "line": "8N1", "address": 9, "termination": True, "map": MAPS[1]}
    w.press("u")
    w.wait("Nothing to change")
    w.press("q")
    assert w.end() == 0


def test_nothing_is_written_before_it_was_read(device, window):
    one = device()
    w = window("--port", one.path, *PATIENT)
    w.wait("press Enter to read")
    w.press("up", "right", "5", "u")
    w.wait("Read the P1MB first")
    assert one.events() == []
    w.press("down", "right", "right", "enter")  # Read, Update, Quit
    assert w.end() == 0


def test_the_window_tells_what_failed(device, at):
    one = device("--memory-fails")
    w = at(one)
    w.press("up", "left", "u")
    w.wait("its memory failed")
    w.wait(r"< Acrel-ACR10RH >")  # is still wanted
    w.press("q")
    assert w.end() == 0


def test_the_window_does_not_write_to_another_device(device, at, tmp_path):
    first, second = device(), device("--serial", "FFEEDDCCBBAA")
    link = tmp_path / "ttyUSB0"
    link.symlink_to(first.path)
    first.path = str(link)
    w = at(first)
    link.unlink()
    link.symlink_to(second.path)
    w.press("up", "left", "u")
    w.wait("another P1MB")
    assert second.told("write") == 0
    w.press("q")
    assert w.end() == 0


def test_an_interrupt_ends_what_the_window_waits_for_and_then_the_window(device, window):
    one = device("--mute")
    w = window("--port", one.path, "--timeout-ms", "60000")
    w.wait("press Enter to read")
    w.press("enter")
    w.wait("Reading")
    one.wait_told("open")
    w.popen.send_signal(signal.SIGINT)
    w.wait("interrupted")
    one.assert_left()
    w.popen.send_signal(signal.SIGINT)
    assert w.end() == 0


def test_an_unknown_terminal_is_sent_to_the_commands(window):
    w = window("--port", "/dev/null", terminal="nonsense")
    wait_until(lambda: w.popen.poll() is not None, "the end")
    assert w.popen.returncode == 1 and b"use the commands" in w.popen.stderr.read()
