"""Small machines of our own: QEMU's PC with Debian's kernel; it boots in seconds, without KVM.  Its first serial port is
a console: our commands go in, their output comes out.

Guest is the one with real UARTs: three 16550A, busybox and the program.

    ttyS0  console  our commands go in, their output comes out
    ttyS1  line     RS485: the test is at the other end
    ttyS2  meter    P1: the same
"""
import contextlib
import json
import lzma
import os
import pathlib
import platform
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time

import pytest

from harness import DEADLINE, PROGRAM, Process

RECIPE = pathlib.Path(__file__).resolve().parent / "guest"
PORTS = {"console": 0x3F8, "line": 0x2F8, "meter": 0x3E8}  # the first is ttyS0
TOOLS = ("qemu-system-x86_64", "busybox", "cpio")
# On a busy machine the emulated timer may be late when the kernel tries it.
CMDLINE = "console=ttyS0 quiet loglevel=1 panic=-1 mitigations=off no_timer_check tsc=reliable"
CPU = "qemu64,+rdrand"  # what newer ones have takes an emulator longer than doing without
SETUP_SECTORS, PAYLOAD = 0x1F1, 0x248  # in the header of a kernel's image: linux/Documentation/arch/x86/boot.rst
XZ_MAGIC = b"\xFD7zXZ\0"
BAUD_BASE = 115200  # of the UART: the speed at divisor 1

# Registers of a 16550A, as offsets, and their bits.
DATA, FIFO, LCR, MCR = 0, 2, 3, 4
LCR_EIGHT_BITS, LCR_TWO_STOPS, LCR_PARITY, LCR_EVEN, LCR_DIVISOR = 0x03, 0x04, 0x08, 0x10, 0x80
MCR_RTS = 0x02


def need(tools):
    """Skips where one is missing."""
    lacking = [tool for tool in tools if not shutil.which(tool)]
    if lacking:
        pytest.skip(f"no {', '.join(lacking)}: run ./bootstrap test")


def kernel(flavour):
    """The folder with the guest's kernel (see guest/kernel); skips where no guest can be."""
    if platform.machine() != "x86_64":
        pytest.skip(f"the guest is an x86-64 machine, the program here is not: {platform.machine()}")
    need(TOOLS)
    done = subprocess.run([RECIPE / "kernel", flavour], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(done.stderr.strip())
    return pathlib.Path(done.stdout.strip())


def unpacked(vmlinuz):
    """A kernel without its wrapping, which takes an emulator seconds to unpack; it stays beside it."""
    vmlinux, image = vmlinuz.with_name("vmlinux"), vmlinuz.read_bytes()
    start, length = struct.unpack_from("<II", image, PAYLOAD)
    start += 512 * (1 + image[SETUP_SECTORS])
    if not image.startswith(XZ_MAGIC, start):
        return vmlinuz
    if not vmlinux.exists():
        with tempfile.NamedTemporaryFile(dir=vmlinuz.parent, delete=False) as out:
            out.write(lzma.LZMADecompressor().decompress(image[start:start + length]))
        os.replace(out.name, vmlinux)
    return vmlinux


def libraries(program):
    """What a program loads; nothing if it is static."""
    done = subprocess.run(["ldd", program], capture_output=True, text=True, check=False)
    return re.findall(r"(/\S+) \(0x", done.stdout)


def make_initramfs(folder, files, empty=()):
    """Packs busybox, the console's loop and `files`, path in the guest -> file here; and folders that are empty."""
    busybox = shutil.which("busybox")
    files = {"/bin/busybox": busybox, "/console": RECIPE / "console", **files}
    programs = [outside for inside, outside in files.items() if inside.startswith("/bin/")]
    files |= {path: path for program in programs for path in libraries(program)}
    tree = folder / "initramfs"
    for name in ("dev", "proc", "tmp", *empty):
        (tree / name).mkdir(parents=True)
    for inside, outside in files.items():
        link = tree / inside.lstrip("/")
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(pathlib.Path(outside).resolve())
    packed = folder / "initramfs.cpio"
    names = "\n".join(str(path.relative_to(tree)) for path in sorted(tree.rglob("*")))
    with open(packed, "wb") as out:
        subprocess.run(["cpio", "--quiet", "-o", "-L", "-H", "newc"], cwd=tree, input=names.encode(), stdout=out,
                       check=True)
    return packed


class Console(Process):
    """A guest whose first serial port is a shell: our commands go in, their output comes out.  `ends` are our ends of its
    QEMU's sockets: the console, and what else the options name."""
    patience = DEADLINE  # seconds that a command may take

    def __init__(self, folder, name, command, sockets=()):
        """`sockets`: ids of chardevs, beside `console`, that the command's options use."""
        pairs = {name: socket.socketpair() for name in ("console", *sockets)}
        self.ends = {name: pair[0] for name, pair in pairs.items()}
        for chardev, pair in pairs.items():
            command = [*command, "-chardev", f"socket,id={chardev},fd={pair[1].fileno()}"]
        super().__init__(folder, name, command, pass_fds=[pair[1].fileno() for pair in pairs.values()])
        for end, far in pairs.values():
            far.close()
            end.settimeout(DEADLINE)

    def wait_up(self, seconds):
        self.heard(rb"guest is up\n", seconds)

    def heard(self, pattern, seconds=DEADLINE):
        """What the console says up to a pattern: the match."""
        said, end = b"", time.monotonic() + seconds
        while not (match := re.search(pattern, said)):
            self.ends["console"].settimeout(max(0.001, end - time.monotonic()))
            try:
                more = self.ends["console"].recv(65536)
            except TimeoutError:
                more = b""
            assert more, f"the guest ends or hangs after {said.decode(errors='replace')!r}; {self.stderr()}"
            said += more
        return match

    def run(self, command, seconds=None):
        """Runs one line in the guest's shell: its exit status, and what it says."""
        self.ends["console"].sendall(command.encode() + b"\n")
        said, status = self.heard(rb"(?s)^(.*)exit (\d+)\n$", seconds or self.patience).groups()
        return int(status), said.decode(errors="replace")

    def shell(self, command, seconds=None):
        """Runs one line in the guest's shell; what it says.  It must succeed."""
        status, said = self.run(command, seconds)
        assert status == 0, f"{command}: exit {status}: {said}"
        return said

    def off(self, number=signal.SIGTERM):
        self.end(number)
        for end in self.ends.values():
            end.close()


class Machine(Console):
    """A guest with a kernel and an initramfs of ours, up."""

    def __init__(self, folder, name, image, initramfs, options, sockets=(), seconds=4 * DEADLINE):
        """`image`: the folder of kernel().  `sockets`: ids of chardevs that the options use.  `seconds` to boot."""
        command = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
                   "-M", "pc", "-accel", "tcg", "-cpu", CPU, "-kernel", unpacked(image / "vmlinuz"), "-initrd", initramfs,
                   "-append", CMDLINE, "-device", "isa-serial,index=0,chardev=console", *options]
        super().__init__(folder, name, command, sockets)
        self.wait_up(seconds)


class Monitor:
    """QEMU's own console (QMP)."""

    def __init__(self, end):
        self.lines = end.makefile("rw")
        assert "QMP" in json.loads(self.lines.readline())
        self.call("qmp_capabilities")

    def call(self, command, **arguments):
        self.lines.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self.lines.flush()
        while "return" not in (answer := json.loads(self.lines.readline())):
            assert "event" in answer, answer
        return answer["return"]

    @contextlib.contextmanager
    def standing_still(self):
        """Stops the guest, its clock too; what comes for it waits in its devices."""
        self.call("stop")
        yield
        self.settle()
        self.call("cont")

    def settle(self):
        """Lets QEMU take what came for it before: it looks at everything again before it answers."""
        for _ in range(3):
            self.call("query-status")

    def say(self, line):
        """A command of the human monitor; its output."""
        return self.call("human-monitor-command", **{"command-line": line})


class Uart:
    """One of the guest's 16550A, seen from the bus."""

    def __init__(self, monitor, name):
        self.monitor, self.name, self.base = monitor, name, PORTS[name]

    def read(self, register):
        """Only for registers that do not change by being read."""
        return int(self.monitor.say(f"i /b {self.base + register:#x}").split("=")[1], 0)

    def write(self, register, value):
        self.monitor.say(f"o /b {self.base + register:#x} {value:#x}")

    def divisor(self):
        """While the divisor is in reach, data is not; so the guest stands still."""
        with self.monitor.standing_still():
            lcr = self.read(LCR)
            self.write(LCR, lcr | LCR_DIVISOR)
            divisor = self.read(DATA) | self.read(DATA + 1) << 8
            self.write(LCR, lcr)
        return divisor

    def line(self):
        """Baud rate and character, as --rtu-line writes them: 9600-8E1."""
        lcr = self.read(LCR)
        bits = 5 + (lcr & LCR_EIGHT_BITS)
        parity = ("E" if lcr & LCR_EVEN else "O") if lcr & LCR_PARITY else "N"
        return f"{BAUD_BASE // self.divisor()}-{bits}{parity}{2 if lcr & LCR_TWO_STOPS else 1}"

    def send_break(self):
        """Behind all that was sent before."""
        self.monitor.settle()
        self.monitor.call("chardev-send-break", id=self.name)


class Guest(Machine):
    """The machine with real UARTs."""

    def __init__(self, folder, extra):
        """`extra`: further files, path in the guest -> file here."""
        image = kernel("cloud")
        files = {"/init": RECIPE / "init", "/bin/smart-connect": PROGRAM, **extra}
        self.trace = folder / "trace"
        options = ["-m", "160", "-mon", "chardev=monitor,mode=control",
                   "-trace", "serial_write", "-D", self.trace]
        for number, name in enumerate(PORTS):
            if name != "console":
                options += ["-device", f"isa-serial,index={number},chardev={name}"]
        super().__init__(folder, "guest", image, make_initramfs(folder, files), options,
                         [name for name in (*PORTS, "monitor") if name != "console"])
        self.monitor = Monitor(self.ends["monitor"])
        self.uarts = {name: Uart(self.monitor, name) for name in PORTS}

    def writes(self, skip=0):
        """What the guest wrote to its UARTs since boot, but for the first `skip`: (register, value) each."""
        found = re.findall(r"addr 0x(\w+) val 0x(\w+)", self.trace.read_text())
        return [(int(register, 16), int(value, 16)) for register, value in found[skip:]]
