"""The Modbus RTU slave: `--rtu` on a pseudo-terminal, raw frames and independent masters."""
import signal
import subprocess
import time

import pytest

from bad_inputs import bad_input
from harness import marked, refusal, wait_until
from page_kit import fixture_box, fixture_metered  # noqa: F401
from rtu_kit import Bus, Cable, pymodbus, read, registers, sealed, write

EMPRO = ("--rtu-map", "empro", "--rtu-address", "5")
ADDRESS, BAUD_LOW, BAUD_HIGH, LINE, TERMINATION, P1_STATUS, AGE, REBOOT = 0xFE01, 0xFE02, 0xFE03, 0xFE04, 0xFE05, \
    0xFE06, 0xFE07, 0xFE0F
POWER = 0x8016  # W, low word first
NO_DATA = [0, 0]


@pytest.fixture
def bus(tmp_path):
    one = Bus(tmp_path)
    yield one
    one.close()


@pytest.fixture
def cable(tmp_path):
    one = Cable(tmp_path)
    yield one
    one.close()


@pytest.fixture
def slave(metered, bus, tcp_meter):
    """slave(OPTION...): a box at address 5 of the bus that shows an EMpro, and has had one telegram of 1000 W."""
    def make(*options, telegram=marked(1000)):
        one = metered("--rtu", bus.path, *EMPRO, "--stale-after", "3600", *options)
        if telegram:
            tcp_meter.send(telegram)
            wait_until(lambda: bus.read(5, POWER, 2) != NO_DATA, "the telegram's values")
        return one
    return make


def rtu(one):
    return one.state()["RTU"]


def float_bits(words):
    """Of two registers, the low word first."""
    return words[1] << 16 | words[0]


# --- what is served ----------------------------------------------------------------------------

def test_reads_are_answered_and_nothing_else_is(slave, bus):
    one = slave()
    before = rtu(one)["Counters"]
    assert float_bits(bus.read(5, POWER, 2)) == 0x447A0000 == float_bits(bus.read(5, POWER, 2, function=4))
    assert bus.read(5, 0x9000, 3) == [0, 0, 0], "registers that are not defined"
    assert bus.ask(read(5, POWER, 126)) == sealed([5, 0x83, 3])
    assert bus.ask(read(5, 0xFFFF, 2)) == sealed([5, 0x83, 2])
    assert bus.ask(sealed([5, 5, 0, 0, 0, 0])) == sealed([5, 0x85, 1])
    bus.silent(read(6, POWER, 2))
    bus.silent(sealed([6, 3, 4, 1, 2, 3, 4]))
    for _ in range(3):
        bus.silent(bytes.fromhex("00 08 00 00 55 55 1E B5"), seconds=0.1)
    bus.silent(read(5, POWER, 2)[:-1] + b"\0")
    bus.send(b"\x55\xAA\x05")  # noise, and then somebody speaks
    assert registers(bus.ask(read(5, POWER, 2)))
    after = rtu(one)["Counters"]
    more = {name: after[name] - before[name] for name in after}
    counted = [more[name] for name in ("requests", "exceptions", "foreign", "broadcasts", "garbled")]
    assert counted == [7, 3, 2, 3, 2]


def test_a_request_in_pieces_is_one(slave, bus):
    slave()
    frame = read(5, POWER, 2)
    for cut in range(1, len(frame)):
        bus.send(frame[:cut])
        time.sleep(0.004)
        assert registers(bus.ask(frame[cut:])) != NO_DATA


@bad_input("D", "rtu-bad-crc")
def test_a_wrong_crc_is_not_answered(slave, bus):
    one = slave()
    before, good = rtu(one)["Counters"], read(5, POWER, 2)
    for damage in (b"\1\0", b"\0\1", b"\0\x80", b"\xff\xff"):
        bus.silent(good[:-2] + bytes(a ^ b for a, b in zip(good[-2:], damage)), seconds=0.1)
        assert bus.ask(good) == sealed([5, 3, 4, 0, 0, 0x44, 0x7A])
    after = rtu(one)["Counters"]
    assert [after[name] - before[name] for name in ("requests", "garbled", "foreign")] == [4, 4, 0]


@bad_input("D", "rtu-gap-and-256-bytes")
def test_a_gap_or_more_than_a_frame_holds(slave, bus):
    one = slave()
    good, answer = read(5, POWER, 2), sealed([5, 3, 4, 0, 0, 0x44, 0x7A])
    bus.send(good[:4])
    time.sleep(0.2)  # more than late bytes are waited for
    bus.silent(good[4:])
    assert bus.ask(good) == answer
    longest = [5, 0x41, *bytes(252)]
    assert bus.ask(sealed(longest)) == sealed([5, 0xC1, 1]), "256 bytes are a frame"
    bus.silent(sealed([*longest, 0]))
    bus.silent(bytes(1000) + good[:-1])
    assert bus.ask(good) == answer
    assert rtu(one)["Counters"]["garbled"] >= 4


def test_mbpoll_reads_the_right_float(metered, cable, tcp_meter):
    metered("--rtu", cable.path, *EMPRO, "--stale-after", "3600")
    tcp_meter.send(marked(1234))

    def polled():
        done = subprocess.run(["mbpoll", "-m", "rtu", "-a", "5", "-b", "9600", "-P", "even", "-0", "-r", str(POWER),
                               "-c", "1", "-t", "4:float", "-1", "-q", cable.master],
                              capture_output=True, text=True, timeout=20, check=False)
        return "1234" in done.stdout
    wait_until(polled, "the power")


def test_pymodbus_reads_and_writes(metered, cable, tcp_meter):
    metered("--rtu", cable.path, *EMPRO, "--stale-after", "3600", "--rtu-line", "115200-8N1")
    tcp_meter.send(marked(1000))
    peer = pymodbus.client.ModbusSerialClient(cable.master, baudrate=115200, bytesize=8, parity="N", stopbits=1,
                                              timeout=5)
    try:
        assert peer.connect()
        wait_until(lambda: getattr(peer.read_holding_registers(POWER, 2, slave=5), "registers", None) == [0, 0x447A],
                   "the power")
        assert peer.read_input_registers(0xFE00, 5, slave=5).registers == [0x5343, 5, 115200 & 0xFFFF, 1, 0]
        assert not peer.write_register(ADDRESS, 9, slave=5).isError()
        assert peer.write_register(ADDRESS, 0, slave=5).exception_code == 3
        assert peer.write_register(POWER, 1, slave=5).exception_code == 2
        assert peer.read_holding_registers(ADDRESS, 1, slave=5).registers == [9]
    finally:
        peer.close()


# --- settings ----------------------------------------------------------------------------------

def test_what_is_written_becomes_active_at_the_reboot(slave, bus):
    one = slave()
    for register, value in ((ADDRESS, 7), (BAUD_HIGH, 1), (BAUD_LOW, 115200 & 0xFFFF), (LINE, 0), (TERMINATION, 1)):
        bus.write(5, register, value)
        assert bus.read(5, register, 1) == [value], "staged, and readable"
    state = rtu(one)
    assert state["Active"] == {"Address": 5, "Line": "9600-8E1", "Termination": False}
    assert state["AfterReboot"] == {"Address": 7, "Line": "115200-8N1", "Termination": True}
    bus.write(5, REBOOT, 1)
    wait_until(lambda: rtu(one)["AfterReboot"] is None, "the reboot")
    assert rtu(one)["Active"] == state["AfterReboot"] and "terminating resistor" in rtu(one)["Hint"]
    bus.silent(read(5, ADDRESS, 1))
    assert bus.read(7, ADDRESS, 1) == [7] and bus.read(7, REBOOT, 1) == [0]
    assert one.get("/api/v1/config")["RTU"]["Line"] == "115200-8N1"


def test_the_power_is_cycled_in_place_of_a_reboot(slave, bus):
    one = slave()
    bus.write(5, ADDRESS, 8)
    wait_until(lambda: one.get("/api/v1/config")["RTU"]["Address"] == 8, "it is kept")
    assert bus.read(5, ADDRESS, 1) == [8]
    one.restart(signal.SIGKILL)
    assert bus.read(8, ADDRESS, 1) == [8]


def test_values_nobody_can_use_change_nothing(slave, bus):
    one = slave()
    for register, value in ((ADDRESS, 0), (ADDRESS, 248), (BAUD_HIGH, 2), (LINE, 2), (TERMINATION, 2), (REBOOT, 0)):
        assert bus.ask(write(5, register, value)) == sealed([5, 0x86, 3])
    for register in (0xFE00, P1_STATUS, AGE, 0xFE0A, POWER, 0x1234):
        assert bus.ask(write(5, register, 1)) == sealed([5, 0x86, 2])
    bus.write(5, BAUD_LOW, 12345)  # half of a speed that never becomes one
    assert bus.ask(write(5, REBOOT, 1)) == sealed([5, 0x86, 3])
    assert rtu(one)["AfterReboot"] is None
    bus.write(5, BAUD_LOW, 9600)
    bus.write(5, REBOOT, 1)
    assert bus.read(5, ADDRESS, 1) == [5]


@bad_input("D", "rtu-broadcast")
def test_a_broadcast_write_is_obeyed_without_a_word(slave, bus):
    """Any other is counted, and that is all."""
    one = slave()
    before = rtu(one)["Counters"]
    for nonsense in (read(0, POWER, 2), write(0, POWER, 1), write(0, ADDRESS, 248), sealed([0, 0x2B, 0x0E, 1, 0])):
        bus.silent(nonsense, seconds=0.1)
    assert bus.ask(read(5, ADDRESS, 1)) == sealed([5, 3, 2, 0, 5])
    after = rtu(one)["Counters"]
    assert [after[name] - before[name] for name in ("broadcasts", "requests", "garbled")] == [4, 1, 0]
    bus.silent(write(0, ADDRESS, 20))
    assert bus.read(5, ADDRESS, 1) == [20]
    bus.silent(write(0, REBOOT, 1))
    assert bus.read(20, ADDRESS, 1) == [20]


def test_the_api_changes_the_bus_at_once(slave, bus):
    one = slave()
    one.patch(RTU={"Address": 33})
    assert bus.read(33, ADDRESS, 1) == [33]
    bus.silent(read(5, ADDRESS, 1))
    bus.write(33, ADDRESS, 34)
    wait_until(lambda: one.get("/api/v1/config")["RTU"]["Address"] == 34, "it is kept")
    assert rtu(one)["Active"]["Address"] == 33, "what the bus has staged still waits"
    one.reset("soft")
    wait_until(lambda: rtu(one)["Active"]["Address"] == 34, "a soft reset is a reboot")
    assert bus.read(34, ADDRESS, 1) == [34]


def test_a_soft_reset_of_nothing_disturbs_nobody(slave, bus):
    one = slave()
    one.reset("soft")
    assert bus.read(5, ADDRESS, 1) == [5]


def test_settings_written_while_others_are_being_saved_wait_as_well(metered, bus):
    """A disk that takes its time: the first setting is saved when the second is staged already."""
    slow = ("strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync,fdatasync",
            "-e", "inject=fsync,fdatasync:delay_exit=300000")
    one = metered("--rtu", bus.path, *EMPRO, prefix=slow, env={"ASAN_OPTIONS": "detect_leaks=0"})  # not while traced
    bus.write(5, ADDRESS, 9)
    bus.write(5, LINE, 0)
    wait_until(lambda: one.get("/api/v1/config")["RTU"]["Line"] == "9600-8N1", "all is kept")
    assert rtu(one)["Active"] == {"Address": 5, "Line": "9600-8E1", "Termination": False}
    assert bus.read(5, ADDRESS, 1) == [9]


def test_what_could_not_be_kept_is_not_taken_back_by_other_settings(slave, bus):
    one = slave()
    one.folder.rename(one.folder.with_name("gone"))
    bus.write(5, ADDRESS, 9)
    bus.write(5, REBOOT, 1)
    assert bus.read(9, ADDRESS, 1) == [9]
    wait_until(lambda: one.server.log("is not kept"), "the complaint")
    one.folder.with_name("gone").rename(one.folder)
    one.patch(Meter={"StaleAfter": 99}, RTU={"Stale": "hold"})
    assert rtu(one)["Active"]["Address"] == 9 and bus.read(9, ADDRESS, 1) == [9]


def test_an_adapter_that_hears_itself_does_not_reboot_it_again_and_again(slave, bus):
    """It does at once; what a busy machine hands over later than an answer takes is a request, but not for ever."""
    one = slave()
    for frame in (read(5, ADDRESS, 1), write(5, REBOOT, 1)):
        for _ in range(20):
            bus.send(frame)
            if not (frame := bus.hear(quiet_s=0, seconds=1)):
                break
        assert frame == b"", "no end"
    assert len(one.server.log("rtu: .* address 5,")) < 10, "at the start, and once, or once more"


# --- data that is missing or old ---------------------------------------------------------------

def test_before_the_first_telegram_values_read_zero_for_a_while_only(metered, bus):
    metered("--rtu", bus.path, *EMPRO, "--stale-after", "3")
    assert bus.read(5, POWER, 2) == NO_DATA
    assert bus.read(5, P1_STATUS, 2) == [0, 65535]
    wait_until(lambda: bus.ask(read(5, POWER, 2)) == sealed([5, 0x83, 0x0B]), "the exception")
    assert bus.read(5, ADDRESS, 1) == [5], "settings are there all the time"


def test_old_values_are_not_served_as_live(slave, bus):
    slave("--stale-after", "2")
    wait_until(lambda: bus.read(5, P1_STATUS, 1) == [1], "the meter is there")
    wait_until(lambda: bus.ask(read(5, POWER, 2)) == sealed([5, 0x83, 0x0B]), "the exception")
    assert bus.read(5, AGE, 1)[0] >= 1


def test_the_slave_can_fall_silent_instead(slave, bus):
    slave("--stale-after", "2", "--rtu-stale", "silent")
    wait_until(lambda: bus.ask(read(5, POWER, 2), seconds=0.5) == b"", "silence")
    assert bus.read(5, ADDRESS, 1) == [5]


# --- the port ----------------------------------------------------------------------------------

def test_a_port_that_goes_and_comes_back_is_served_again(slave, bus):
    one = slave()
    bus.unplug()
    wait_until(lambda: not rtu(one)["Ok"], "the loss is seen")
    assert rtu(one)["Problem"] and rtu(one)["Direction"] == "auto"
    bus.plug()
    wait_until(lambda: rtu(one)["Ok"], "it is open again")
    assert bus.read(5, ADDRESS, 1) == [5]
    assert len(one.server.log("rtu: .*trying again")) == 1, "said once"


def test_the_meters_own_port_is_refused(tmp_path):
    port = str(tmp_path / "tty")
    assert "the meter is read there" in refusal("--meter", f"serial:{port}", "--rtu", port)


def test_answers_nobody_read_are_not_told_later(slave, bus):
    slave()
    for _ in range(40):
        bus.send(read(5, 0x8006, 100))  # 205 bytes each, and nobody reads
        time.sleep(0.02)
    time.sleep(0.5)
    assert len(bus.hear()) < 8 * 205


def test_a_port_that_is_not_there_does_not_keep_the_box_from_serving(box, tmp_path):
    one = box("--rtu", str(tmp_path / "no-such-port"))
    assert rtu(one)["Problem"] == "No such file or directory"


@pytest.mark.parametrize("given, wanted", [(["--rtu-termination"], True), (["--rtu-termination=on"], True),
                                           (["--rtu-termination", "on"], True), (["--rtu-termination", "off"], False)])
def test_a_switch_is_given_alone_or_with_its_value(box, tmp_path, given, wanted):
    port = str(tmp_path / "no-such-port")
    one = box("--rtu", port, *given, "--rtu-address", "9")
    assert rtu(one)["Active"] == {"Address": 9, "Line": "9600-8E1", "Termination": wanted}
    assert f" rtu={port}" in one.server.stdout()


def test_lights(slave, bus, tcp_meter):
    one = slave(telegram=None)
    assert rtu(one)["Leds"] == {"PWR": "on", "P1": "off", "485": "off"}
    bus.silent(b"\x01\x02\x03", seconds=0.2)
    assert rtu(one)["Leds"]["485"] == "blinking"
    bus.read(5, ADDRESS, 1)
    assert rtu(one)["Leds"]["485"] == "on"
    tcp_meter.send(marked(1, good=False))
    wait_until(lambda: rtu(one)["Leds"]["P1"] == "blinking", "a damaged telegram")
    assert bus.read(5, P1_STATUS, 1) == [2]
    tcp_meter.send(marked(1))
    wait_until(lambda: rtu(one)["Leds"]["P1"] == "on", "a good one")
    wait_until(lambda: bus.read(5, P1_STATUS, 1) == [1], "the register says so, too")


@pytest.mark.parametrize("options, wrong", [
    (["--rtu", "ttyUSB0"], "absolute path"), (["--rtu", "/dev/tty S1"], "absolute path"),
    (["--rtu-address", "0"], "from 1 to 247"),
    (["--rtu-address", "248"], "from 1 to 247"), (["--rtu-line", "9600"], "9600-8E1"),
    (["--rtu-line", "9600-8O1"], "-8N1 or -8E1"), (["--rtu-line", "300-8E1"], "1200"),
    (["--rtu-map", "nothing"], "no register map"), (["--rtu-termination=maybe"], "neither on nor off"),
    (["--rtu-stale", "x"], "silent"), (["--rtu-direction", "x"], "kernel"),
])
def test_options_that_make_no_sense_are_refused(options, wrong):
    assert wrong in refusal(*options)
