"""The P1MB's firmware on boards that QEMU emulates: both ports as sockets, memory and registers to look at, reset and
power, and time to be skipped.

A UART of QEMU's takes bytes as fast as they come, and on a busy machine with pauses that no line has: a frame may fall
apart.  So a master here asks again, as masters do; where FIFOs can be had (LM3S6965), a frame is put into them while
the machine stands still, and then it must be answered at once.
"""
import array
import contextlib
import fcntl
import json
import os
import select
import socket
import struct
import subprocess
import termios
import time

from harness import DEADLINE, SOURCES, Process, crc16, wait_until
from rtu_kit import read, registers, sealed, write

FOLDER = os.environ.get("FIRMWARE", str(SOURCES / "build" / "firmware"))
UNIT, BAUD = 16, 9600
INEPRO, ACREL, EASTRON, XEMEX = range(4)
# Registers of the vendor block.
ADDRESS, BAUD_LOW, BAUD_HIGH, LINE, TERMINATION, STATUS, AGE, REBOOT = *range(0xFE01, 0xFE08), 0xFE0F
KEY = b"\x1bP1MB?\x1b\x04"
IDENTIFY, READ, WRITE, RESTART, LEAVE = range(1, 6)
PAINT = 0x5AFE5AFE
P1_PIECE = 64  # bytes; the firmware's buffer holds four times as many


class Mps2:
    """Arm's MPS2 board with AN385.  Its UART knows no parity; its RAM can be kept in a file."""
    NAME, SERIAL, CLOCK_HZ, KEEPS = "mps2-an385", b"000000385", 25000000, True
    LIGHTS, BUS_PINS, DRIVER, TERMINATION = 0x4002F004, 0x4002804C, 8, 9
    DIVISOR = (0x40004010, 0x40005010)

    @classmethod
    def line(cls, board, port):
        return {"baud": cls.CLOCK_HZ / board.word(cls.DIVISOR[port])}


class Lm3s:
    """Stellaris LM3S6965: PL011 UARTs with FIFOs, which the firmware leaves off."""
    NAME, SERIAL, CLOCK_HZ, KEEPS = "lm3s6965evb", b"000006965", 50000000, False
    LIGHTS, BUS_PINS, DRIVER, TERMINATION = 0x400053FC, 0x400053FC, 3, 4
    UARTS = (0x4000C000, 0x4000D000)
    FIFO, FIFO_ON = 16, 0x10

    @classmethod
    def line(cls, board, port):
        whole, parts, shape = (board.word(cls.UARTS[port] + at) for at in (0x24, 0x28, 0x2C))
        return {"baud": cls.CLOCK_HZ * 4 / (whole * 64 + parts), "even": {0x60: False, 0x66: True}[shape & 0x6F]}

    @classmethod
    def use_fifo(cls, board):
        """On the bus alone: at P1 telegrams would come faster than the loop turns, which no line can do."""
        shape = cls.UARTS[1] + 0x2C
        board.gdb.write_register(shape, board.word(shape) | cls.FIFO_ON)


class Wire:
    """A socket in the folder; somebody listens there soon."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(DEADLINE)
        wait_until(lambda: self.socket.connect_ex(str(path)) == 0, f"somebody at {path}")

    def send(self, data):
        self.socket.sendall(data)

    def hear(self, whole, seconds):
        """What comes until it is `whole`; b"" if it is not within that time."""
        heard, end = b"", time.monotonic() + seconds
        while not whole(heard):
            if not select.select([self.socket], [], [], max(0, end - time.monotonic()))[0]:
                return b""
            heard += (more := self.socket.recv(4096))
            assert more, "the board is gone"
        return heard

    def forget(self):
        while select.select([self.socket], [], [], 0)[0]:
            assert self.socket.recv(65536), "the board is gone"

    def await_read(self):
        """The other side has taken all bytes."""
        unread, end = array.array("i", [1]), time.monotonic() + DEADLINE
        while unread[0]:
            assert time.monotonic() < end, "bytes that nobody reads"
            fcntl.ioctl(self.socket, termios.TIOCOUTQ, unread)

    def close(self):
        self.socket.close()


class Monitor(Wire):
    """QEMU's own protocol."""

    def __init__(self, path):
        super().__init__(path)
        self.lines, self.resets = self.socket.makefile("rb"), 0
        self.lines.readline()
        self.command("qmp_capabilities")

    def command(self, name, **arguments):
        self.send(json.dumps({"execute": name, "arguments": arguments}).encode() + b"\n")
        while True:
            answer = json.loads(self.lines.readline())
            self.resets += answer.get("event") == "RESET"
            if "event" not in answer:
                assert "return" in answer, answer
                return answer["return"]

    def human(self, line):
        return self.command("human-monitor-command", **{"command-line": line})

    def close(self):
        self.lines.close()
        super().close()


class Gdb(Wire):
    """The debugger's protocol, for what nobody else may do: stop the machine and write into it."""

    def __init__(self, path):
        super().__init__(path)
        self.ask(b"?")
        self.ask(b"qXfer:features:read:target.xml:0,100")  # who has not asked may write no register
        self.run()

    def packet(self, text):
        self.send(b"$%s#%02x" % (text, sum(text) % 256))

    def answer(self):
        heard = self.hear(lambda data: data[-3:-2] == b"#", DEADLINE)
        assert heard, "the debugger's stub is silent"
        self.send(b"+")
        return heard[heard.rindex(b"$") + 1:-3]

    def ask(self, text):
        self.packet(text)
        return self.answer()

    def stop(self):
        self.send(b"\x03")
        self.answer()

    def run(self):
        self.packet(b"c")

    def write(self, address, data):
        assert self.ask(b"M%x,%x:%s" % (address, len(data), data.hex().encode())) == b"OK"

    def read(self, address, length):
        return bytes.fromhex(self.ask(b"m%x,%x" % (address, length)).decode())

    def jump(self, code, address):
        """The processor goes on with this code, put at an address."""
        self.stop()
        self.write(address, code)
        assert self.ask(b"Pf=" + struct.pack("<I", address).hex().encode()) == b"OK"
        self.run()

    def write_register(self, address, value):
        """As the processor does it; the machine runs before and after."""
        self.stop()
        self.ask(b"Qqemu.PhyMemMode:1")
        self.write(address, struct.pack("<I", value))
        self.ask(b"Qqemu.PhyMemMode:0")
        self.run()


def is_answer(data):
    """Whole, and with a good CRC; the beginning of one may seem to have a good one, too."""
    if len(data) < 5:
        return False
    length = 5 if data[1] & 0x80 else 5 + data[2] if data[1] in (3, 4) else 8
    return len(data) == length and sealed(data[:-2]) == data


def symbols(path):
    table = subprocess.run(["arm-none-eabi-nm", path], capture_output=True, text=True, check=True).stdout
    return {row[-1]: int(row[0], 16) for row in map(str.split, table.splitlines()) if len(row) == 3}


class Board:
    """Powered up, with both ports connected.  `memory`: a file that outlives its power."""

    def __init__(self, folder, kind, memory=None, options=()):
        self.folder, self.kind, self.memory, self.options = folder, kind, memory, options
        self.image = f"{FOLDER}/p1mb-{kind.NAME}.elf"
        assert os.path.exists(self.image), f"no {self.image}: run make firmware"
        self.symbol = symbols(self.image)
        self.exact = False  # frames come without pauses
        self.asked_again = 0
        self.power_up()

    # --- power

    def power_up(self):
        kept = f"{self.kind.NAME},memory-backend=kept" if self.memory else self.kind.NAME
        command = ["qemu-system-arm", "-M", kept, "-display", "none", "-monitor", "none", "-kernel", self.image]
        if self.memory:
            command += ["-object", f"memory-backend-file,id=kept,size=16M,mem-path={self.memory},share=on"]
        for name in ("p1", "bus"):
            command += ["-serial", f"unix:{self.folder}/{name},server=on,wait=off"]
        command += ["-qmp", f"unix:{self.folder}/qmp,server=on,wait=off"]
        command += ["-gdb", f"unix:{self.folder}/gdb,server=on,wait=off", *self.options]
        for name in ("p1", "bus", "qmp", "gdb"):
            (self.folder / name).unlink(missing_ok=True)
        self.process = Process(self.folder, "qemu", command)
        self.p1, self.bus = Wire(self.folder / "p1"), Wire(self.folder / "bus")
        self.monitor = Monitor(self.folder / "qmp")
        self.gdb = Gdb(self.folder / "gdb")
        self.await_start()

    def power_down(self):
        for wire in (self.p1, self.bus, self.monitor, self.gdb):
            wire.close()
        self.process.end()

    def cycle_power(self):
        self.power_down()
        self.power_up()

    def await_start(self):
        wait_until(lambda: "+" in self.lights(), "the firmware's loop")
        if self.exact:
            self.kind.use_fifo(self)

    def reset(self):
        """The button."""
        resets = self.monitor.resets
        self.monitor.command("system_reset")
        self.await_reset(resets)

    def has_reset(self, resets):
        """One time more than `resets`.  Events come with the answer to whatever is asked."""
        self.monitor.command("query-status")
        return self.monitor.resets > resets

    def await_reset(self, resets):
        wait_until(lambda: self.has_reset(resets), "a reset")
        self.await_start()

    def hang(self, interrupts):
        """Goes round for ever, and is reset."""
        resets = self.monitor.resets
        code = b"\xfe\xe7" if interrupts else b"\x72\xb6\xfe\xe7"  # [cpsid i]; b .
        self.gdb.jump(code, self.symbol["stack_limit"])
        self.await_reset(resets)

    def be_exact(self):
        self.exact = True
        self.kind.use_fifo(self)

    # --- what is inside

    def words(self, address, count):
        lines = self.monitor.human(f"xp /{count}wx {address:#x}").split("\n")
        return [int(word, 16) for line in lines for word in line.partition(":")[2].split()]

    def word(self, address):
        return self.words(address, 1)[0]

    def now_s(self):
        """The firmware's clock."""
        low, high = self.words(self.symbol["ticked_us"], 2)
        return (high << 32 | low) / 1e6

    def skip(self, seconds):
        """So much time has passed, and nothing happened."""
        address = self.symbol["ticked_us"]
        self.gdb.stop()
        us = int.from_bytes(self.gdb.read(address, 8), "little") + int(seconds * 1e6)
        self.gdb.write(address, us.to_bytes(8, "little"))
        self.gdb.run()
        wait_until(lambda: self.now_s() >= us / 1e6, "the time that was set")

    def lights(self):
        """Which of PWR, P1 and RS485 are lit."""
        pins = self.word(self.kind.LIGHTS)
        return "".join(name for i, name in enumerate("+P4") if pins >> i & 1)

    def await_lights(self, lit, seconds=DEADLINE):
        wait_until(lambda: self.lights() == lit, f"lights {lit}", seconds)

    def await_blinking(self, name):
        for is_lit in (True, False, True):
            wait_until(lambda lit=is_lit: (name in self.lights()) == lit, f"{name} blinks")

    def drives(self):
        """The bus is driven."""
        return bool(self.word(self.kind.BUS_PINS) >> self.kind.DRIVER & 1)

    def terminates(self):
        return bool(self.word(self.kind.BUS_PINS) >> self.kind.TERMINATION & 1)

    def stack_used(self):
        """Bytes of the stack's reserve that were ever used, and the reserve."""
        bottom, size = self.symbol["stack_limit"], self.symbol["stack_top"] - self.symbol["stack_limit"]
        words = self.words(bottom, size // 4)
        untouched = next(i for i, word in enumerate(words) if word != PAINT)
        return size - 4 * untouched, size

    # --- ports for programs

    @contextlib.contextmanager
    def as_port(self, name):
        """The path of a serial port that is this one of the board's, until the block ends."""
        path, socket_path = self.folder / f"tty_{name}", self.folder / name
        getattr(self, name).close()
        socat = subprocess.Popen(["socat", f"pty,raw,echo=0,link={path}", f"unix-connect:{socket_path}"])
        try:
            wait_until(path.exists, "the port")
            yield str(path)
        finally:
            socat.terminate()
            socat.wait()
            setattr(self, name, Wire(socket_path))

    # --- the bus

    def say(self, frame):
        """On an exact board without pauses between the bytes."""
        if not self.exact:
            self.bus.send(frame)
            return
        assert len(frame) <= self.kind.FIFO
        self.gdb.stop()
        self.bus.send(frame)
        self.bus.await_read()
        self.gdb.run()

    def ask(self, frame, tries=5, seconds=2):
        """The answer to a frame, whole and with a good CRC; b"" if there is none.  An exact board loses nothing: there it is
        one try, which takes as long as all of them."""
        if self.exact:
            tries, seconds = 1, tries * seconds
        for attempt in range(tries):
            self.asked_again += attempt > 0
            self.bus.forget()
            self.say(frame)
            answer = self.bus.hear(is_answer, seconds)
            if answer:
                return answer
        return b""

    def read(self, address, count=1, function=3, unit=UNIT):
        return registers(self.ask(read(unit, address, count, function)))

    def write(self, address, value, unit=UNIT):
        frame = write(unit, address, value)
        assert self.ask(frame) == frame

    def float(self, address, function=4, unit=UNIT):
        return struct.unpack(">f", struct.pack(">2H", *self.read(address, 2, function, unit)))[0]

    def reboot(self, unit=UNIT):
        """By the register."""
        resets = self.monitor.resets
        self.write(REBOOT, 1, unit)
        self.await_reset(resets)

    # --- the P1 port

    def say_p1(self, telegram):
        """In pieces: a telegram at once comes faster than the loop turns, which no line can do."""
        for at in range(0, len(telegram), P1_PIECE):
            self.p1.send(telegram[at:at + P1_PIECE])
            self.p1.await_read()

    def command(self, code, payload=b"", tries=5):
        """In a configuration session, which is opened again where a busy machine has taken the frame apart: the
        answer's status and the rest of it."""
        body = bytes([1, code, len(payload)]) + payload
        for attempt in range(tries):
            self.p1.forget()
            self.p1.send(KEY * (attempt > 0) + b"\x02" + body + crc16(body, 0xFFFF).to_bytes(2, "little"))
            answer = self.p1.hear(lambda data: len(data) > 3 and len(data) == 6 + data[3], DEADLINE / tries)
            if answer:
                break
        assert answer[:3] == bytes([2, 1, code | 0x80]), answer
        return answer[4], answer[5:-2]

    def set_up(self, map_number, unit=UNIT, baud=BAUD, even=True, terminated=False):
        """By a configuration session, with a reboot."""
        resets = self.monitor.resets
        self.p1.send(KEY)
        setup = struct.pack("<I4B", baud, unit, even, terminated, map_number)
        assert self.command(WRITE, setup) == (0, b"")
        assert self.command(RESTART) == (0, b"")
        self.await_reset(resets)
