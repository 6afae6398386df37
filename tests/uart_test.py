"""Modbus RTU on a real UART: the gateway in an emulated machine with 16550A, whose registers we see.

A pseudo-terminal accepts any line setting and has no RTS; these tests are about what it cannot show.
"""
import re
import select
import struct

import pytest

import guest_kit
from guest_kit import Guest, MCR, MCR_RTS
from harness import DATA, wait_until
from rtu_kit import sealed

TELEGRAM = DATA / "p1" / "dsmr50_three_phase.txt"
ADDRESS = 16
BAUDS = (1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200)
LINES = [f"{baud}-{character}" for baud in BAUDS for character in ("8N1", "8E1")]
# The vendor block.
AT_ADDRESS, AT_BAUD_LOW, AT_BAUD_HIGH, AT_LINE, AT_TERMINATION, AT_REBOOT = *range(0xFE01, 0xFE06), 0xFE0F
VOLTAGES = struct.pack(">3f", 233.4, 231.9, 234.0)  # of the telegram; registers 0.. of the map


class Master:
    """The other end of the line."""

    def __init__(self, end):
        self.end = end
        while select.select([end], [], [], 0)[0]:  # a test that failed may have left something
            end.recv(65536)

    def send(self, data):
        self.end.sendall(data)

    def receive(self, count):
        data = b""
        while len(data) < count:
            data += (more := self.end.recv(count - len(data)))
            assert more, "the guest is gone"
        return data

    def read(self, at, count, function=4, unit=ADDRESS):
        """The registers' bytes, or the exception's code."""
        self.send(sealed(struct.pack(">BBHH", unit, function, at, count)))
        head = self.receive(3)
        answer = head + self.receive(2 if head[1] & 0x80 else 2 + head[2])
        assert answer == sealed(answer[:-2]) and head[0] == unit and head[1] & 0x7F == function, answer.hex(" ")
        return head[2] if head[1] & 0x80 else answer[3:-2]

    def write(self, at, value, unit=ADDRESS):
        """The answer echoes the request."""
        request = sealed(struct.pack(">BBHH", unit, 6, at, value))
        self.send(request)
        assert self.receive(len(request)) == request

    def stage(self, line, unit=ADDRESS):
        """Writes a line's settings, as --rtu-line spells it; they wait for the reboot."""
        baud, character = line.split("-")
        self.write(AT_BAUD_LOW, int(baud) & 0xFFFF, unit)
        self.write(AT_BAUD_HIGH, int(baud) >> 16, unit)
        self.write(AT_LINE, int(character == "8E1"), unit)


class Slave:
    """The gateway in the guest, which has got one telegram."""

    def __init__(self, guest):
        self.guest, self.uart = guest, guest.uarts["line"]
        self.master = Master(guest.ends["line"])

    def start(self, line="9600-8E1", meter="file:/telegram?speed=max", address=ADDRESS):
        self.guest.shell(": >/tmp/out; smart-connect run --config /dev/null --state '' --serial 00112233AABB --modbus off "
                         f"--http off --https off --stale-after 3600 --meter '{meter}' --rtu /dev/ttyS1 "
                         f"--rtu-map sdm630 --rtu-address {address} --rtu-line {line} >/tmp/out 2>/tmp/err & "
                         "echo $! >/tmp/pid; "
                         "until grep -q ready /tmp/out || ! kill -0 $!; do usleep 20000; done; "
                         "grep -q ready /tmp/out || { cat /tmp/err; false; }")
        return self

    def stop(self):
        self.guest.shell("kill $(cat /tmp/pid); while kill -0 $(cat /tmp/pid); do usleep 20000; done 2>/dev/null; :")

    def pause(self):
        """A silence longer than the 32 ms that end a frame at 1200 baud, by the guest's own clock: ours may run ahead."""
        self.guest.shell("usleep 100000")

    def line_is(self, line):
        """Waits for the UART's registers to say so, and for the gateway to listen."""
        wait_until(lambda: self.uart.line() == line, f"{line} in the UART, which has {self.uart.line()}")
        self.pause()

    def errors(self):
        """The kernel's counters of receive errors: frame, parity, break, overrun; what never happened counts 0."""
        lines = self.guest.shell("cat /proc/tty/driver/serial").splitlines()
        line = next(line for line in lines if "port:000002F8" in line)
        return {name: int((re.search(rf" {name}:(\d+)", line) or [0, 0])[1]) for name in ("fe", "pe", "brk", "oe")}


@pytest.fixture(scope="module")
def guest(tmp_path_factory):
    one = Guest(tmp_path_factory.mktemp("guest"), {"/telegram": TELEGRAM})
    yield one
    one.off()


@pytest.fixture
def slave(guest):
    one = Slave(guest)
    yield one
    one.stop()


@pytest.mark.parametrize("line", ["1200-8N1", "9600-8E1", "115200-8N1"])
def test_the_uart_gets_the_line_of_the_command_line(slave, line):
    slave.start(line)
    assert slave.uart.line() == line
    assert slave.master.read(0, 6) == VOLTAGES


def test_the_uart_gets_what_a_master_writes_at_the_reboot(slave):
    slave.start("9600-8E1")
    errors = slave.errors()
    for line in LINES:
        before = slave.uart.line()
        slave.master.stage(line)
        assert slave.uart.line() == before, "not yet"
        slave.master.write(AT_REBOOT, 1)
        slave.line_is(line)
        assert slave.master.read(0, 6) == VOLTAGES
    assert slave.errors() == errors


def test_a_new_address_and_termination_wait_for_the_reboot_too(slave):
    slave.start()
    slave.master.write(AT_ADDRESS, 17)
    slave.master.write(AT_TERMINATION, 1)
    slave.master.write(AT_REBOOT, 1)
    slave.pause()
    assert slave.master.read(AT_ADDRESS, 1, 3, 17) == b"\0\x11"
    assert slave.master.read(AT_TERMINATION, 1, 3, 17) == b"\0\1"


def test_rts_is_up_for_the_answer_only(slave):
    slave.start()
    wait_until(lambda: not slave.uart.read(MCR) & MCR_RTS, "RTS down: we listen")
    seen = len(slave.guest.writes())
    answer = sealed(bytes([ADDRESS, 4, 12]) + VOLTAGES)
    assert slave.master.read(0, 6) == VOLTAGES
    wait_until(lambda: not slave.uart.read(MCR) & MCR_RTS, "RTS down after the answer")
    happened = [(register, value & MCR_RTS if register == MCR else value)
                for register, value in slave.guest.writes(seen) if register in (guest_kit.DATA, MCR)]
    assert happened == [(MCR, MCR_RTS), *((guest_kit.DATA, byte) for byte in answer), (MCR, 0)]


@pytest.mark.parametrize("line", ["1200-8E1", "115200-8N1"])
def test_a_break_costs_the_frame_it_falls_into(slave, line):
    slave.start(line)
    errors = slave.errors()
    request = sealed(struct.pack(">BBHH", ADDRESS, 4, 0, 2))
    with slave.guest.monitor.standing_still():  # so that all of it arrives without a gap
        slave.master.send(request[:4])
        slave.uart.send_break()
        slave.master.send(request[4:])
    slave.pause()
    assert slave.master.read(0, 6) == VOLTAGES, "the first answer is that to the second request"
    assert slave.errors() == {**errors, "brk": errors["brk"] + 1}


def test_a_meter_at_a_uart(slave):
    slave.start(meter="serial:/dev/ttyS2")

    def shown():
        slave.guest.ends["meter"].sendall(TELEGRAM.read_bytes())
        return slave.master.read(0, 6) == VOLTAGES
    wait_until(shown, "the telegram in the registers")
    assert slave.guest.uarts["meter"].line() == "115200-8N1"
