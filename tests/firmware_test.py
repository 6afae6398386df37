"""The P1MB's firmware, the very image for the board, on two emulated boards: a meter at UART0, masters at UART1.

What QEMU cannot show is tested elsewhere: the time of each byte by core/p1mb_device_test.c, flash memory that loses its
power by core/p1mb_store_test.c.
"""
import contextlib
import json
import os
import struct
import subprocess
import time

import pytest

from firmware_kit import (ADDRESS, AGE, BAUD_HIGH, BAUD_LOW, EASTRON, IDENTIFY, KEY, LEAVE, LINE, READ, REBOOT,
                          STATUS, TERMINATION, UNIT, Board, Lm3s, Mps2)
from harness import SOURCES, marked, p1, wait_until
from rtu_kit import HZ, MASTERS, MBPOLL, THREE_PHASE, mbpoll_worth, pymodbus, read, sealed, worth, write

TELEGRAM = THREE_PHASE.read_bytes()
MAPS = ["Inepro-PRO380", "Acrel-ACR10RH", "Eastron-SDM630", "Xemex"]
BAUDS = (1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200)
POWER = 0x0034  # of the SDM630
SLOW = BAUDS[0]  # where pauses may be longest
SILENT, GOOD, DAMAGED = range(3)
TARGET_SILENT = 0x0B
HOURS = float(os.environ.get("SOAK_HOURS", "0.2"))
P1MB_CONFIG = os.environ.get("P1MB_CONFIG", str(SOURCES / "build" / "p1mb-config"))
STACK_MARGIN = 256  # bytes that nothing here may reach


@pytest.fixture(scope="module", params=[Lm3s, Mps2], ids=lambda kind: kind.NAME)
def powered(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param.NAME)
    one = Board(folder, request.param, memory=folder / "memory" if request.param.KEEPS else None)
    if request.param is Lm3s:
        one.be_exact()
    yield one
    one.power_down()


@pytest.fixture
def board(powered):
    """Just started, with the settings of the factory."""
    powered.set_up(EASTRON)
    return powered


def tell(board, telegram, is_seen):
    """The meter says something until it is seen: a busy machine may lose some of it.  Returns how often it was said."""
    said = 0

    def is_told():
        nonlocal said
        said += 1
        board.say_p1(telegram)
        end = time.monotonic() + 2
        while not is_seen():
            if time.monotonic() > end:
                return False
        return True
    wait_until(is_told, "a telegram")
    return said


def power_is(board, watt):
    """So a master is told; values that have ended are refused."""
    answer = board.ask(read(UNIT, POWER, 2, 4))
    return answer[3:-2] == struct.pack(">f", watt)


def tell_power(board, watt):
    tell(board, marked(watt), lambda: power_is(board, watt))


# --- values ------------------------------------------------------------------------------------

def asked_until_answered(ask, *arguments):
    """On a busy machine a frame may reach an emulated UART in pieces: the master asks again."""
    for _ in range(5):
        with contextlib.suppress(AttributeError, subprocess.CalledProcessError):
            return ask(*arguments)
    return ask(*arguments)


def expected(name):
    """What masters of a meter read, but its frequency: that is in no telegram, and 0 here."""
    return [(*master[:4], 0 if master[4] == HZ else master[4]) for master in MASTERS[name]]


@pytest.mark.parametrize("number", range(len(MAPS)), ids=MAPS)
def test_each_map_is_read_by_its_masters(powered, number):
    powered.set_up(number, baud=SLOW)
    tell(powered, TELEGRAM, lambda: powered.read(STATUS) == [GOOD])
    with powered.as_port("bus") as path:
        peer = pymodbus.client.ModbusSerialClient(path, baudrate=SLOW, timeout=2, retries=0)
        assert peer.connect()
        for function, address, kind, scale, value in expected(MAPS[number]):
            found = asked_until_answered(worth, peer, function, address, kind, scale)
            assert found == pytest.approx(value, rel=1e-6, abs=scale * 0.501), f"{function} {address:#06x}"
        peer.close()
        for function, address, kind, scale, value in [m for m in expected(MAPS[number]) if m[2] in MBPOLL][:2]:
            way = ["-m", "rtu", "-b", str(SLOW), "-P", "none", "-o", "2", path]
            found = asked_until_answered(mbpoll_worth, function, address, kind, scale, *way)
            assert found == pytest.approx(value, rel=1e-4, abs=scale * 0.501), f"{function} {address:#06x}"


def test_what_is_no_function_of_its_is_refused(board):
    for pdu in ([0x2B, 0x0E, 1, 0], [1, 0, 0, 0, 1], [0x41]):
        assert board.ask(sealed([UNIT, *pdu]))[1:3] == bytes([pdu[0] | 0x80, 1])


# --- telegrams ---------------------------------------------------------------------------------

def test_values_are_those_of_the_last_good_telegram(board):
    assert board.float(POWER) == 0
    assert board.read(AGE) == [65535]
    tell_power(board, 1234)
    tell(board, marked(99, good=False), lambda: board.read(STATUS) == [DAMAGED])
    assert board.float(POWER) == 1234
    board.await_blinking("P")
    board.say_p1(marked(99)[:-30])
    tell_power(board, 5678)
    board.await_lights("+P4")


def test_half_a_telegram_is_damage_once_the_line_is_silent(board):
    tell_power(board, 1234)
    board.say_p1(marked(5678)[:-30])
    board.skip(6)
    wait_until(lambda: board.read(STATUS) == [DAMAGED], "the silence is noticed")
    assert board.float(POWER) == 1234
    tell_power(board, 4321)


def test_a_telegram_is_longer_than_any_buffer(board):
    text = "0-0:96.13.0(" + "30" * 1024 + ")\r\n1-0:1.7.0(04.711*kW)"
    body = marked(1).rpartition(b"!")[0].decode().replace("1-0:1.7.0(00.001*kW)", text)
    lines = body.strip().split("\r\n")
    tell(board, p1(*lines[2:], identification=lines[0]), lambda: power_is(board, 4711))


def refused(board, address):
    answer = board.ask(read(UNIT, address, 2, 4))
    return answer[1:3] == bytes([0x84, TARGET_SILENT])


def test_zeros_and_values_end_after_35_seconds(board):
    assert board.float(POWER) == 0
    board.skip(36)
    assert refused(board, POWER)
    assert board.read(ADDRESS) == [UNIT], "which is no value of a meter's"
    tell_power(board, 7)
    board.skip(33)
    assert board.float(POWER) == 7
    assert 33 <= board.read(AGE)[0] <= 34
    board.skip(3)
    assert refused(board, POWER) and board.read(STATUS) == [SILENT]


# --- lights ------------------------------------------------------------------------------------

def test_lights(board):
    board.await_lights("+")
    tell(board, marked(1), lambda: board.lights() == "+P")
    board.ask(read(UNIT + 1, 0, 2), tries=1, seconds=0.1)
    board.await_blinking("4")
    assert board.read(ADDRESS) == [UNIT]
    board.await_lights("+P4")
    board.skip(11)
    board.await_lights("+P")
    board.skip(5)
    board.await_lights("+")


# --- the line ----------------------------------------------------------------------------------

@pytest.mark.parametrize("baud", BAUDS)
def test_every_line_is_set_in_the_uart(board, baud):
    for even in (False, True):
        board.write(BAUD_LOW, baud & 0xFFFF)
        if board.read(BAUD_HIGH) != [baud >> 16]:
            board.write(BAUD_HIGH, baud >> 16)
        board.write(LINE, int(even))
        board.reboot()
        for port, wanted in ((0, {"baud": 115200, "even": False}), (1, {"baud": baud, "even": even})):
            for key, value in board.kind.line(board, port).items():
                assert value == pytest.approx(wanted[key], rel=0.005), (port, key)
        assert board.read(BAUD_LOW, 3) == [baud & 0xFFFF, baud >> 16, even]


def test_the_bus_is_driven_while_it_answers_and_no_longer(board):
    board.set_up(EASTRON, baud=SLOW)
    frame = read(UNIT, 0, 125)

    def is_seen():
        board.bus.forget()
        board.say(frame)
        end = time.monotonic() + 2
        while time.monotonic() < end:
            if board.drives():
                return True
        return False
    assert not board.drives()
    wait_until(is_seen, "the driver is on", 60)
    wait_until(lambda: not board.drives(), "the driver is off")
    assert len(board.bus.hear(lambda data: len(data) == 255, 1)) == 255, "all has been said by then"


def test_termination(board):
    for on in (1, 0):
        board.write(TERMINATION, on)
        assert board.terminates() != bool(on), "not before the reboot"
        board.reboot()
        assert board.terminates() == bool(on)


# --- settings ----------------------------------------------------------------------------------

def test_settings_are_active_after_a_reset_and_a_power_cut(board):
    board.write(ADDRESS, 42)
    assert board.read(ADDRESS) == [42]
    board.reset()
    assert board.ask(read(UNIT, ADDRESS, 1), tries=1, seconds=0.2) == b""
    assert board.read(ADDRESS, unit=42) == [42]
    if board.kind.KEEPS:
        board.cycle_power()
        assert board.read(ADDRESS, unit=42) == [42]


def test_a_broadcast_is_obeyed_without_an_answer(board):
    resets = board.monitor.resets
    wait_until(lambda: board.ask(write(0, ADDRESS, 77), tries=1, seconds=0.1) == b"" and board.read(ADDRESS) == [77],
               "the broadcast")
    wait_until(lambda: board.bus.send(write(0, REBOOT, 1)) or board.has_reset(resets), "a reset")
    board.await_start()
    assert board.read(ADDRESS, unit=77) == [77]


def test_many_changes_are_kept(board):
    """More than a sector holds."""
    for address in range(100, 200):
        board.write(ADDRESS, address)
    board.reset()
    assert board.read(ADDRESS, unit=199) == [199]


# --- the configuration session -----------------------------------------------------------------

def test_the_bus_is_served_during_a_session_and_telegrams_behind_it(board):
    tell_power(board, 1234)
    board.p1.send(KEY)
    status, identity = board.command(IDENTIFY)
    assert status == 0
    texts = [b"P1MB", board.kind.NAME.encode(), board.kind.SERIAL, *(name.encode() for name in MAPS), b""]
    assert identity[4:].split(b"\0") == texts
    assert board.float(POWER) == 1234
    status, setups = board.command(READ)
    assert (status, setups) == (0, 2 * bytes([0x80, 0x25, 0, 0, UNIT, 1, 0, EASTRON]))
    assert board.command(LEAVE) == (0, b"")
    tell_power(board, 4321)


def test_a_session_that_was_forgotten_ends(board):
    board.p1.send(KEY)
    board.command(IDENTIFY)
    board.skip(61)
    tell_power(board, 4321)


def configure(path, *arguments):
    done = subprocess.run([P1MB_CONFIG, "--port", path, *arguments, "--timeout-ms", "5000"],
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_p1mb_config(board):
    with board.as_port("p1") as path:
        assert json.loads(configure(path, "read", "--json"))["active"]["map"] == "Eastron-SDM630"
        for command in (["write", "--map", "Xemex", "--address", "9", "--baud", "2400", "--line", "8N1"], ["reboot"]):
            resets = board.monitor.resets
            configure(path, *command)
            board.await_reset(resets)
        assert json.loads(configure(path, "read", "--json"))["active"]["address"] == 9
    assert board.read(0x4002, unit=9) == [20802]


# --- what must never happen --------------------------------------------------------------------

@pytest.mark.parametrize("interrupts", (True, False), ids=("interrupts", "none"))
def test_the_watchdog_resets_a_board_that_hangs(board, interrupts):
    board.write(ADDRESS, 33)
    began = time.monotonic()
    board.hang(interrupts)
    assert board.read(ADDRESS, unit=33) == [33]
    assert time.monotonic() - began > 1, "it was not a crash"


def test_noise_at_both_ports_is_survived(board):
    noise = bytes((7 * i * i + i // 3) % 256 for i in range(3000))
    for at in range(0, len(noise), 300):
        board.p1.send(noise[at:at + 300])
        board.bus.send(noise[-at - 300:][:300])
    board.p1.await_read()
    board.bus.await_read()
    resets = board.monitor.resets
    board.skip(62)  # a session may have been opened
    tell_power(board, 1234)
    assert board.float(POWER) == 1234 and board.monitor.resets == resets


def test_hours_of_telegrams_and_polls_miss_no_answer(board):
    """On the board whose UARTs take a frame at once; what nothing happens in is skipped."""
    if not board.exact:
        pytest.skip("this UART has no FIFO, so that a busy machine takes frames apart")
    board.set_up(EASTRON, baud=115200, even=False)
    end_s, n = board.now_s() + HOURS * 3600, 0
    while board.now_s() < end_s:
        n = n % 99999 + 1
        board.say_p1(marked(n))
        wait_until(lambda watt=n: power_is(board, watt), f"telegram {n}")
        for _ in range(2):
            board.skip(4.9)
            assert power_is(board, n)
    assert board.asked_again == 0


def test_no_answer_is_missed_in_the_emulators_own_time(tmp_path):
    """Nothing is skipped here: an instruction takes 32 ns, and where there is none to execute time goes on at once.  At
    P1 bytes come faster than on any line, so a telegram may be lost while the loop is busy; an answer must not."""
    board = Board(tmp_path, Lm3s, options=["-icount", "shift=5,sleep=off"])
    board.be_exact()
    end_s, n, said = board.now_s() + HOURS * 3600 / 24, 0, 0
    while (now_s := board.now_s()) < end_s:
        n += 1
        said += tell(board, marked(n), lambda watt=n: power_is(board, watt))
        wait_until(lambda next_s=now_s + 10: board.now_s() > next_s, "ten seconds")
        assert power_is(board, n)
        if n % 360 == 0:
            print(f"{now_s / 3600:.1f} h: {n} telegrams, {said - n} said again, no answer missed", flush=True)
    board.power_down()
    assert n > 0 and board.asked_again == 0 and said - n <= 1 + n // 100


def test_the_stack_was_never_nearly_full(powered):
    """After all of this."""
    used, reserve = powered.stack_used()
    print(f"{powered.kind.NAME}: {used} of {reserve} bytes of stack used")
    assert 0 < used <= reserve - STACK_MARGIN
