"""The command line: help, refusals that say what to do, exit codes, streams, and a clean end."""
import json
import os
import re
import signal
import socket
import subprocess
import time

import pytest

from harness import (DATA, PROGRAM, SOURCES, Process, clean_environment, even_parity, floats, marked, refusal, run,
                     tic_marked, wait_until)

COMMANDS = ["run", "decode", "simulate", "registers", "check-config", "version"]
PROFILES = ["dsmr42", "dsmr50", "emucs", "emucs-delta", "tic-mono", "tic-tri", "tic-producer"]
LIVE = [PROGRAM, "run", "--config", os.devnull, "--meter", "sim:dsmr50", "--modbus", "127.0.0.1:0", "--state", "",
        "--live"]
THREE_PHASE = DATA / "p1" / "dsmr50_three_phase.txt"


def one_line(done):
    """The only line of complaint of a command that exits with 2."""
    assert done.returncode == 2 and not done.stdout, done
    assert len(done.stderr.splitlines()) == 1 and done.stderr.endswith("\n"), done.stderr
    return done.stderr


# --- help and version --------------------------------------------------------------------------

@pytest.mark.parametrize("flag", ["--help", "-h", "help"])
def test_help_lists_every_command(flag):
    done = run(flag)
    assert done.returncode == 0 and not done.stderr
    for command in COMMANDS:
        assert re.search(rf"^  {command} +\S", done.stdout.decode(), re.M)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command):
    done = run(command, "--help")
    assert done.returncode == 0 and not done.stderr
    if command != "version":
        assert done.stdout.decode().startswith(f"usage: smart-connect {command}")


def test_help_of_run_names_options_defaults_and_choices():
    text = run("run", "--help").stdout.decode()
    for name in ("meter", "stale-after", "modbus-clients", "word-order", "mqtt", "mqtt-password-file", "state", "live"):
        assert f"--{name} " in text
    assert "normal | swapped | meter [meter]" in text and "exception | hold | zero | high-current [exception]" in text


@pytest.mark.parametrize("flag", ["version", "--version"])
def test_version(flag):
    done = run(flag)
    assert done.returncode == 0 and re.fullmatch(rb"smart-connect \d+\.\d+\.\d+\S*\n", done.stdout)


def test_no_command_prints_help_and_fails():
    done = run()
    assert done.returncode == 2 and b"usage" in done.stdout + done.stderr.encode()


@pytest.mark.parametrize("name", ["frobnicate", "", "Run", "--frobnicate", "x" * 1000])
def test_unknown_command(name):
    assert "--help" in one_line(run(name))


# --- options that cannot be used ---------------------------------------------------------------

@pytest.mark.parametrize("options, words", [
    (["--frobnicate"], ["--frobnicate"]),
    (["--frobnicate=1"], ["--frobnicate"]),
    (["-x"], ["-x"]),
    (["-xyz"], ["-x"]),
    (["stray"], ['"stray"']),
    (["--modbus"], ["--modbus", "value"]),
    (["--meter", "usb:/dev/ttyUSB0"], ["--meter", "serial:DEVICE", "sim:PROFILE"]),
    (["--meter", "serial:ttyUSB0"], ["--meter", "absolute path"]),
    (["--meter", "tcp:host"], ["--meter", "tcp:HOST:PORT"]),
    (["--meter", "tcp:host:0"], ["--meter", "1 to 65535"]),
    (["--meter", "tcp::2001"], ["--meter", "tcp:HOST:PORT"]),
    (["--meter", "tcp:host:20o1"], ["--meter", "tcp:HOST:PORT"]),
    (["--meter", "file:"], ["--meter", "file:PATH"]),
    (["--meter", "file:x?speed=slow"], ["--meter", "max"]),
    (["--meter", "file:x?sped=max"], ["--meter", "speed"]),
    (["--meter", "sim:dsmr51"], ["--meter", "dsmr51", "dsmr50", "tic-tri"]),
    (["--meter", "sim:dsmr50?seed=x"], ["--meter", "seed"]),
    (["--meter", "sim:dsmr50?seed="], ["--meter", "seed"]),
    (["--meter", ""], ["--meter"]),
    (["--meter-kind", "gas"], ["--meter-kind", "gas", "auto p1 tic"]),
    (["--stale-after", "-1"], ["--stale-after", "0 to 3600"]),
    (["--stale-after", "10s"], ["--stale-after", "10s"]),
    (["--stale-after", ""], ["--stale-after"]),
    (["--stale-after", "99999999999999999999"], ["--stale-after", "0 to 3600"]),
    (["--modbus", "localhost:502"], ["--modbus", "ADDR:PORT"]),
    (["--modbus", "127.0.0.1:65536"], ["--modbus", "ADDR:PORT"]),
    (["--modbus", "::1:502"], ["--modbus", "[IPV6]:PORT"]),
    (["--modbus", ""], ["--modbus", "ADDR:PORT"]),
    (["--modbus", "192.0.2.1:1502"], ["--modbus", "no such address"]),
    (["--modbus-clients", "0"], ["--modbus-clients", "1 to 64"]),
    (["--modbus-clients", "65"], ["--modbus-clients", "1 to 64"]),
    (["--modbus-clients", "4x"], ["--modbus-clients", "4x"]),
    (["--map", "sdm999"], ["--map", "sdm999", "PhoenixContact-EMPro"]),
    (["--word-order", "CDAB"], ["--word-order", "normal swapped meter"]),
    (["--modbus-writes=yes"], ["--modbus-writes", "on", "off"]),
    (["--modbus-also", "off"], ["--modbus-also", "ADDR:PORT"]),
    (["--modbus-also", "127.0.0.1:0,map=sdm999"], ["--modbus-also", "map=sdm999", "PhoenixContact-EMPro"]),
    (["--modbus-also", "127.0.0.1:0,framing=ascii"], ["--modbus-also", "framing=ascii", "mbap rtu"]),
    (["--modbus-also", "127.0.0.1:0,speed=9600"], ["--modbus-also", "speed=9600", "word-order="]),
    (["--modbus-also", "192.0.2.1:1502"], ["--modbus-also", "192.0.2.1:1502", "no such address"]),
    (9 * ["--modbus-also", "127.0.0.1:0"], ["--modbus-also", "more than 8"]),
    (["--nominal-frequency", "61"], ["--nominal-frequency", "0 to 60"]),
    (["--unknown", "null"], ["--unknown", "zero nan"]),
    (["--stale", "live"], ["--stale", "exception hold zero high-current"]),
    (["--stale-current", "0"], ["--stale-current", "1 to 10000"]),
    (["--serial", "12345"], ["--serial", "12 hex digits"]),
    (["--serial", "00112233AABG"], ["--serial", "12 hex digits"]),
    (["--log-level", "loud"], ["--log-level", "error warning info debug"]),
    (["--live=yes"], ["--live", "on", "off"]),
    (["--mqtt-keepalive", "4"], ["--mqtt-keepalive", "5 to 3600"]),
    (["--state", "x" * 300], ["--state", "255"]),
    (["--meter", "file:" + "x" * 250], ["--meter"]),
    (["--config", "/nonexistent/device.conf"], ["/nonexistent/device.conf", "No such file"]),
    (["--meter", "sim:\n\x1b[2J"], ["--meter"])])
def test_refusal_is_one_line_with_option_reason_and_remedy(options, words):
    said = refusal(*options)
    assert said.startswith("smart-connect run: ") and not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", said)
    for word in words:
        assert word in said, said


@pytest.mark.parametrize("command, options, words", [
    ("decode", ["--format", "xml"], ["--format", "json, table, readings, meter or home-assistant"]),
    ("decode", ["--frobnicate"], ["--frobnicate"]),
    ("decode", ["-xyz"], ["-x"]),
    ("decode", ["--format"], ["--format", "value"]),
    ("decode", ["/nonexistent"], ["/nonexistent", "No such file"]),
    ("decode", ["/"], ["/", "directory"]),
    ("decode", ["a", "b"], ["one file", '"b"']),
    ("simulate", [], ["--profile"]),
    ("simulate", ["--profile", "dsmr99"], ["--profile", "dsmr99", "dsmr50"]),
    ("simulate", ["--profile", "dsmr50", "--count", "0"], ["--count"]),
    ("simulate", ["--profile", "dsmr50", "--count", "-1"], ["--count"]),
    ("simulate", ["--profile", "dsmr50", "--interval", "-1"], ["--interval"]),
    ("simulate", ["--profile", "dsmr50", "--interval", "nan"], ["--interval"]),
    ("simulate", ["--profile", "dsmr50", "--interval", "1s"], ["--interval"]),
    ("simulate", ["--profile", "dsmr50", "--seed", "x"], ["--seed"]),
    ("simulate", ["--profile", "dsmr50", "--start", "today"], ["--start"]),
    ("simulate", ["--profile", "dsmr50", "--to", "/nonexistent/file", "--count", "1"], ["--to", "No such file"]),
    ("simulate", ["--profile", "dsmr50", "--to", "file.txt"], ["--to", "--count"]),
    ("simulate", ["--profile", "dsmr50", "--to", "tcp:nowhere"], ["--to", "tcp:"]),
    ("simulate", ["--profile", "dsmr50", "stray"], ['"stray"']),
    ("registers", ["--map", "none"], ["--map", "none", "PhoenixContact-EMPro"]),
    ("registers", ["/nonexistent"], ["/nonexistent", "No such file"]),
    ("registers", ["a", "b"], ['"b"']),
    ("registers", ["--format", "json"], ["--format", "json", "table csv"]),
    ("registers", ["--map-file", "/nonexistent"], ["--map-file", "/nonexistent", "No such file"]),
    ("registers", ["--vendor", "--format", "csv"], ["--vendor"]),
    ("check-config", ["a", "b"], ["one file"]),
    ("check-config", ["--frobnicate"], ["--frobnicate"]),
    ("version", ["stray"], ['"stray"'])])
def test_other_commands_refuse_likewise(command, options, words):
    said = one_line(run(command, *options))
    assert said.startswith(f"smart-connect {command}: ")
    for word in words:
        assert word in said, said


def test_run_without_a_meter_says_how():
    done = run("run", "--config", os.devnull, "--modbus", "127.0.0.1:0", "--state", "")
    assert "--meter serial:/dev/ttyUSB0" in one_line(done) and "--meter sim:dsmr50" in done.stderr


def test_abbreviated_config_option_is_not_ignored(tmp_path):
    (tmp_path / "bad.conf").write_text("[meter]\nmeter = nonsense\n")
    done = run("run", "--conf", str(tmp_path / "bad.conf"), "--modbus", "127.0.0.1:0", "--state", "")
    assert "nonsense" in one_line(done)


def test_help_does_not_need_a_good_device_file(tmp_path):
    (tmp_path / "bad.conf").write_text("nonsense\n")
    assert run("run", "--config", str(tmp_path / "bad.conf"), "--help").returncode == 0


# --- what is there and what is not -------------------------------------------------------------

@pytest.mark.parametrize("listen", ["127.0.0.1:{}", "{}", "[::]:{}"])
def test_port_in_use(listen):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        said = refusal("--modbus", listen.format(other.getsockname()[1]))
        assert "--modbus" in said and "in use" in said and "another" in said


@pytest.mark.skipif(os.geteuid() == 0 or int(open("/proc/sys/net/ipv4/ip_unprivileged_port_start").read()) <= 502,
                    reason="every port may be used here")
def test_privileged_port():
    said = refusal("--modbus", "127.0.0.1:502")
    assert "--modbus" in said and "privilege" in said and "1502" in said


def test_unopenable_serial_device_is_not_fatal(gateway, tmp_path):
    server = gateway(f"serial:{tmp_path}/none")
    server.wait_log("none: No such file or directory")
    with server.client() as c:
        assert c.exception(3, 0x8000, 2) == 0x0B


def test_ready_line_names_the_bound_address(gateway):
    server = gateway("sim:dsmr50")
    lines = [l for l in server.stdout().splitlines() if l.startswith("ready ")]
    assert lines == [f"ready serial=00112233AABB modbus=127.0.0.1:{server.port} map=PhoenixContact-EMPro mqtt=off http=off https=off"]
    server.client().close()


def test_modbus_off(gateway):
    server = gateway("sim:dsmr50", modbus="off")
    assert "modbus=off" in server.stdout() and server.port is None


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6")
def test_all_addresses_means_ipv6_and_ipv4(gateway):
    server = gateway("sim:dsmr50", modbus="0")
    for host in ("127.0.0.1", "::1"):
        try:
            socket.create_connection((host, server.port), 5).close()
        except OSError as e:
            if host == "127.0.0.1" or e.errno not in (99, 97):  # this machine has no ::1
                raise


def test_serial_number_is_kept_in_the_state_folder(gateway, tmp_path):
    state = tmp_path / "state"
    first = gateway("sim:dsmr50", "--state", str(state), "--serial", "")
    serial = re.search(r"serial=(\w+)", first.stdout()).group(1)
    assert re.fullmatch("[0-9A-F]{12}", serial)
    assert (state / "serial").read_text() == serial + "\n" and (state / "serial").stat().st_mode & 0o77 == 0
    (state / "serial").write_text("0123456789AB\n")
    assert "serial=0123456789AB " in gateway("sim:dsmr50", "--state", str(state), "--serial", "").stdout()
    (state / "serial").write_text("garbage\n")
    assert f"serial={serial} " in gateway("sim:dsmr50", "--state", str(state), "--serial", "").stdout()


def test_serial_number_is_shown_in_upper_case(gateway):
    assert "serial=00AABBCCDDEE " in gateway("sim:dsmr50", "--serial", "00aabbccddee").stdout()


# --- the device file ---------------------------------------------------------------------------

GOOD = "[meter]\nmeter = sim:dsmr50\n\n[modbus]\nmodbus = 127.0.0.1:0\nword-order = normal\n" \
       "[mqtt]\n; a comment\nmqtt-site = home\n[device]\nserial = 00112233AABB\nlive = on\n"


def check(tmp_path, text):
    (tmp_path / "device.conf").write_text(text)
    return run("check-config", str(tmp_path / "device.conf"))


def test_check_config_good(tmp_path):
    done = check(tmp_path, GOOD)
    assert done.returncode == 0 and done.stdout.endswith(b"device.conf: good\n") and not done.stderr


@pytest.mark.parametrize("text, line, words", [
    ("[meter]\nmeter = sim:dsmr50\nmetre = 1\n", 3, ["metre"]),
    ("[meter]\nmeter = usb:1\n", 2, ["usb:1", "serial:DEVICE"]),
    ("[meter]\nmeter = sim:dsmr50\nmodbus = 502\n", 3, ["modbus", "[modbus]", "[meter]"]),
    ("meter = sim:dsmr50\n", 1, ["meter", "[meter]"]),
    ("[meter]\nmeter = sim:dsmr50\nstale-after = soon\n", 3, ["stale-after", "soon", "0 to 3600"]),
    ("[meter]\nmeter = sim:dsmr50\n[mqtt]\nmqtt-site = a/b\n", 4, ["mqtt-site", "a/b"]),
    ("[meter]\nmeter = sim:dsmr50\nnonsense\n", 3, ["[section]"]),
    ("[meter]\nnonsense\nmetre = 1\n", 2, ["[section]"]),
    ("[meter\nmeter = sim:dsmr50\n", 1, ["[section]"]),
    ("[meter]\nmeter = sim:dsmr50\n\n\n[device]\nlive = maybe\n", 6, ["live", "on", "off"]),
    ("[meter]\nmeter =\n", 2, ["meter"])])
def test_check_config_names_file_line_and_reason(tmp_path, text, line, words):
    done = check(tmp_path, text)
    said = one_line(done)
    assert said.startswith(f"{tmp_path}/device.conf:{line}: "), said
    for word in words:
        assert word in said


def test_check_config_wants_a_meter_and_a_file(tmp_path):
    assert "meter = serial:/dev/ttyUSB0" in one_line(check(tmp_path, "[modbus]\nmodbus = 502\n"))
    assert "No such file" in one_line(run("check-config", str(tmp_path / "none")))


def test_device_file_is_used_and_the_command_line_wins(tmp_path):
    (tmp_path / "device.conf").write_text(GOOD.replace("serial = 00112233AABB", "serial = 0A0B0C0D0E0F\nstate ="))
    for order in (["--config", str(tmp_path / "device.conf"), "--map", "empro"],
                  ["--map", "empro", f"--config={tmp_path}/device.conf"]):
        server = Process(tmp_path, "server", [PROGRAM, "run", *order, "--word-order", "swapped"],
                         env=clean_environment())
        wait_until(lambda: "ready serial=0A0B0C0D0E0F modbus=127.0.0.1:" in server.stdout(), "the ready line")
        wait_until(lambda: "power_w=" in server.stdout(), "live = on")
        assert server.end() == 0


# --- decode ------------------------------------------------------------------------------------

def test_decode_prints_one_object_per_valid_telegram_and_nothing_else():
    done = run("decode", stdin=marked(1) + marked(2, good=False) + marked(3) + marked(4)[:300])
    assert done.returncode == 0
    assert [json.loads(l)["P"] for l in done.stdout.splitlines()] == [1, 3]
    assert re.search(r"P1: 2 telegrams good, 1 with a wrong CRC, 1 incomplete", done.stderr)


@pytest.mark.parametrize("telegrams, complaint", [
    (b"", "no valid telegram"), (b"hello\n", "no valid telegram"), (bytes(100000), "no valid telegram"),
    (marked(1, good=False), "1 with a wrong CRC"), (marked(1)[:-30], "1 incomplete"),
    (b"\x02\nEAST\t000000001\tX\r\x03", "no valid telegram")],
    ids=["empty", "text", "zeros", "wrong CRC", "cut", "wrong checksum"])
def test_decode_exits_with_1_if_no_telegram_was_valid(telegrams, complaint):
    done = run("decode", "-", stdin=telegrams)
    assert done.returncode == 1 and not done.stdout and complaint in done.stderr


def test_decode_reads_tic_in_seven_bits_and_with_parity():
    for frames in (tic_marked(5), even_parity(tic_marked(5))):
        done = run("decode", stdin=frames)
        assert done.returncode == 0 and json.loads(done.stdout)["E_IMPORT"] == 5
        assert "TIC: 1 frames good" in done.stderr


def test_decode_names_historic_frames():
    frames = run("simulate", "--profile", "tic-historic", "--to", "-", "--count", "2", "--interval", "0").stdout
    done = run("decode", stdin=frames)
    assert done.returncode == 1 and not done.stdout and "historic mode" in done.stderr


def test_decode_time_stamp_without_a_usable_clock_is_null():
    done = run("decode", str(DATA / "p1" / "broken_clock_not_set.txt"))
    assert done.returncode == 0 and json.loads(done.stdout)["ts"] is None


def test_decode_readings_meter_and_table():
    done = run("decode", "--format", "readings", str(THREE_PHASE))
    values = json.loads(done.stdout)["values"]
    assert values["power_import_w"] == 412 and values["meter_voltage_l1_v"] == 233.4
    meter = json.loads(run("decode", "--format", "meter", str(THREE_PHASE)).stdout)
    assert meter["values"]["tariff"] == 2 and "power_import_w" not in meter["values"]
    assert meter["mbus"]["1"]["value"] == 2718.281
    table = run("decode", "--format", "table", str(THREE_PHASE)).stdout.decode()
    assert re.search(r"^power_import_w +412 W$", table, re.M) and "2718281 dm3" in table


def test_decode_of_output_that_nobody_reads():
    decode = subprocess.Popen([PROGRAM, "decode"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL)
    decode.stdout.close()
    try:
        for n in range(300):
            decode.stdin.write(marked(n))
        decode.stdin.close()
    except BrokenPipeError:
        pass
    assert decode.wait(15) in (0, 1, 2, -signal.SIGPIPE)


def test_decode_says_when_its_output_cannot_be_written():
    with open("/dev/full", "wb") as full:
        done = subprocess.run([PROGRAM, "decode", str(THREE_PHASE)], stdout=full, stderr=subprocess.PIPE,
                              timeout=15, check=False)
    assert done.returncode not in (0, None) and b"No space left" in done.stderr


# --- simulate ----------------------------------------------------------------------------------

def simulate(profile, *options):
    done = run("simulate", "--profile", profile, "--to", "-", "--interval", "0", *options)
    assert done.returncode == 0 and not done.stderr
    return done.stdout


@pytest.mark.parametrize("profile", PROFILES)
def test_every_simulated_meter_decodes(profile):
    done = run("decode", stdin=simulate(profile, "--count", "5"))
    assert done.returncode == 0 and len(done.stdout.splitlines()) == 5
    assert re.search(r"P1: 5 telegrams good, 0 .* 0 incomplete, 0 |TIC: 5 frames good, 0 with groups lost, 0",
                     done.stderr)


def test_simulated_meters_move():
    objects = [json.loads(l) for l in run("decode", stdin=simulate("dsmr50", "--count", "60")).stdout.splitlines()]
    assert [o["ts"] for o in objects] == list(range(objects[0]["ts"], objects[0]["ts"] + 60))
    assert len({o["P"] for o in objects}) > 5
    imported = [o["E_IMPORT"] for o in objects]
    assert imported == sorted(imported)


@pytest.mark.parametrize("profile", PROFILES + ["tic-historic"])
def test_same_seed_and_start_make_the_same_telegrams(profile):
    options = "--count", "3", "--start", "1780000000", "--seed"
    first = simulate(profile, *options, "5")
    assert first == simulate(profile, *options, "5")
    assert first != simulate(profile, *options, "6")
    assert profile == "tic-historic" or first != simulate(profile, *options[:3], "1780000001", "--seed", "5"), \
        "all but historic frames hold their time"


def test_simulate_to_a_file(tmp_path):
    path = tmp_path / "telegrams"
    done = run("simulate", "--profile", "dsmr50", "--to", str(path), "--count", "10")
    assert done.returncode == 0 and path.read_bytes().count(b"/SIM5") == 10
    assert run("decode", str(path)).stderr.startswith("P1: 10 telegrams good, 0")


def test_simulate_to_tcp_serves_all_who_connect(tmp_path):
    meter = Process(tmp_path, "meter", [PROGRAM, "simulate", "--profile", "dsmr50", "--to", "tcp:127.0.0.1:0",
                                        "--interval", "0.02"])
    port = int(wait_until(meter.stdout, "the port").split(":")[1])
    readers = [socket.create_connection(("127.0.0.1", port), 10) for _ in range(3)]
    for r in readers:
        data = b""
        while data.count(b"\r\n!") < 3:
            data += r.recv(4096)
    readers[0].close()
    assert readers[1].recv(1), "the others are served on"
    for r in readers:
        r.close()
    assert meter.end() == 0


def test_simulate_paces_itself(tmp_path):
    begin = time.monotonic()
    run("simulate", "--profile", "dsmr50", "--to", "-", "--count", "6", "--interval", "0.2")
    assert 0.9 < time.monotonic() - begin < 2.5


def test_simulate_without_pause_can_be_stopped(tmp_path):
    meter = Process(tmp_path, "meter", [PROGRAM, "simulate", "--profile", "dsmr50", "--to", "/dev/null", "--count",
                                        "1000000000", "--interval", "0"])
    wait_until(meter.heeds_sigterm, "it to be at work")
    assert meter.end(seconds=5) == 0


def test_simulate_ends_when_nobody_reads():
    meter = subprocess.Popen([PROGRAM, "simulate", "--profile", "dsmr50", "--to", "-", "--interval", "0"],
                             stdout=subprocess.PIPE)
    meter.stdout.read(1000)
    meter.stdout.close()
    assert meter.wait(10) == 0


# --- registers ---------------------------------------------------------------------------------

def test_registers_lists_the_map():
    text = run("registers").stdout.decode()
    assert text.startswith("PhoenixContact-EMPro: ") and "low word first" in text
    assert re.search(r"^0x8006 +32774 +2 +03\+04 +float32 +V +meter_voltage_l1_v +-$", text, re.M)
    assert run("registers", "--map", "empro").stdout == run("registers", "--map", "PHOENIXCONTACT-empro").stdout


def test_registers_shows_a_telegrams_values():
    done = run("registers", str(THREE_PHASE))
    assert done.returncode == 0 and re.search(rb"^0x8006 .* 233\.4$", done.stdout, re.M)
    done = run("registers", "-", stdin=THREE_PHASE.read_bytes())
    assert done.returncode == 0 and re.search(rb"^0x8016 .* 412$", done.stdout, re.M)


def documented_map(tmp_path):
    text = (SOURCES / "docs" / "registers.md").read_text(encoding="utf-8")
    path = tmp_path / "mymeter.csv"
    path.write_text(re.search(r"```text\n(.*?)```", text, re.S)[1], encoding="utf-8")
    return path


def test_registers_shows_a_map_of_ones_own(tmp_path):
    path = documented_map(tmp_path)
    text = run("registers", "--map-file", str(path), str(THREE_PHASE)).stdout.decode()
    assert text.startswith("Maker-MyMeter: Title for lists\n") and "Can be written: 0x4003." in text
    assert re.search(r"^0x5002 +20482 +2 +04 +float32 +V +voltage_l1_v +233\.4$", text, re.M)
    assert re.search(r"^0x5012 +20498 +2 +04 +float32 +kW +power_w +0\.412$", text, re.M)
    assert text == run("registers", "--map-file", path, "--map", "mymeter", THREE_PHASE).stdout.decode()
    again = tmp_path / "again.csv"
    again.write_bytes(run("registers", "--map-file", path, "--format", "csv").stdout)
    assert text == run("registers", "--map-file", again, THREE_PHASE).stdout.decode()


def test_registers_prints_any_map_as_a_start(tmp_path):
    path = tmp_path / "start.csv"
    csv = run("registers", "--map", "empro", "--format", "csv").stdout.replace(b"PhoenixContact-EMPro", b"My-Start")
    path.write_bytes(csv)
    assert run("registers", "--map-file", path, "--format", "csv").stdout == csv
    assert run("registers", "--map-file", path, THREE_PHASE).stdout == \
        run("registers", "--map", "empro", THREE_PHASE).stdout.replace(b"PhoenixContact-EMPro", b"My-Start")


def test_registers_shows_the_gateways_own_on_demand():
    assert b"0xFE01" not in run("registers").stdout
    assert re.search(rb"^0xFE01 +65025 +1 .* address, 1 to 247 +-$", run("registers", "--vendor").stdout, re.M)


def test_a_map_of_ones_own_is_refused_with_line_and_column(tmp_path):
    path = documented_map(tmp_path)
    path.write_text(path.read_text().replace("voltage_l1_v", "voltage"))
    words = f'--map-file {path}:7:8: no quantity is called "voltage"; did you mean voltage_l1_v?'
    assert words in one_line(run("registers", "--map-file", path))
    config = tmp_path / "device.conf"
    config.write_text(f"[meter]\nmeter = sim:dsmr50\n[modbus]\nmap = mymeter\nmap-file = {path}\n")
    assert one_line(run("check-config", config)).startswith(f"{config}:5: map-file: {path}:7:8: ")
    path.write_bytes(documented_map(tmp_path).read_bytes())
    assert run("check-config", config).returncode == 0
    assert "is no register map; there are" in one_line(run("run", "--map", "mymeter", "--config", os.devnull))


def test_a_map_of_ones_own_is_served(gateway, tmp_path):
    (tmp_path / "device.conf").write_text("[modbus]\nmap = mymeter\n")
    server = gateway("sim:dsmr50", "--map-file", str(documented_map(tmp_path)))
    with server.client() as c:
        wait_until(lambda: c.exception(4, 0x5002, 2) is None, "a telegram in the registers")
        assert 200 < floats(c.registers(0x5002, 2, function=4), "swapped")[0] < 260
        assert c.registers(0x4000, 1) == bytes([0, 17])


def test_registers_of_no_telegram_exits_with_1():
    assert run("registers", "-", stdin=b"nothing").returncode == 1


# --- signals and systemd -----------------------------------------------------------------------

@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_it_cleanly_within_a_second(gateway, number):
    server = gateway("sim:dsmr50").wait_served()
    with server.client() as c:
        c.ask(3, 0x8000, 2)
        begin = time.monotonic()
        assert server.end(number) == 0
        assert time.monotonic() - begin < 1
        assert c.is_closed()


def test_port_can_be_used_again_at_once(gateway):
    server = gateway("sim:dsmr50").wait_served()
    with server.client() as c:
        c.ask(3, 0x8000, 2)
        server.stop()
    gateway("sim:dsmr50", modbus=f"127.0.0.1:{server.port}").wait_served()


def test_systemd_is_told_ready_status_watchdog_and_stopping(gateway, tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(str(tmp_path / "notify"))
        notify.settimeout(15)
        server = gateway("sim:dsmr50", env={"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "1000000"})
        said = []

        def hear(word, times=1):
            while sum(word in s for s in said) < times:
                said.append(notify.recv(4096).decode())
        hear("READY=1")
        hear("STATUS=meter: receiving; ")
        begin = time.monotonic()
        hear("WATCHDOG=1", 5)
        assert time.monotonic() - begin < 5, "in half of what systemd allows"
        server.end()
        hear("STOPPING=1")
        assert said[0] == "READY=1"


def test_journal_gets_priorities_and_no_time(gateway):
    server = gateway("tcp:127.0.0.1:1", env={"JOURNAL_STREAM": "8:1"})
    server.wait_log(r"^<4>meter: ")
    assert server.log(r"^<6>run: serving")


@pytest.mark.parametrize("level, wanted, unwanted", [("error", [], ["serving", "refused"]),
                                                     ("warning", ["refused"], ["serving"]),
                                                     ("debug", ["refused", "serving", "listening at"], [])])
def test_log_level(gateway, level, wanted, unwanted):
    server = gateway("tcp:127.0.0.1:1", "--log-level", level, "--live")
    wait_until(lambda: "cannot be opened" in server.stdout(), "the first look at the meter")
    for word in wanted:
        assert server.log(word), word
    for word in unwanted:
        assert not server.log(word), word


def test_live_view_draws_on_a_terminal():
    master, slave = os.openpty()
    server = subprocess.Popen(LIVE, stdout=slave, stderr=subprocess.DEVNULL,
                              env=clean_environment({"TERM": "xterm"}))
    os.close(slave)
    os.set_blocking(master, False)
    seen = bytearray()

    def look():
        try:
            seen.extend(os.read(master, 65536))
        except BlockingIOError:
            pass
        return seen.count(b"\x1b[H") >= 2 and b"mbpoll" in seen and b"voltage" in seen
    wait_until(look, "two redraws")
    server.terminate()
    assert server.wait(5) == 0
    os.close(master)


def test_live_view_whose_reader_is_gone_does_not_end_the_gateway():
    read_end, write_end = os.pipe()
    server = subprocess.Popen(LIVE, stdout=write_end, stderr=subprocess.DEVNULL,
                              env=clean_environment())
    os.close(write_end)
    os.read(read_end, 100)
    os.close(read_end)
    time.sleep(1.5)  # a line would have been written
    assert server.poll() is None
    server.terminate()
    assert server.wait(5) == 0
