"""Stale data is not served as live: what registers say before the first telegram, after the limit,
and when telegrams come again."""
import time

import pytest

from harness import floats, marked, p1, wait_until

TARGET_SILENT = 0x0B
FIVE = marked(5)


@pytest.fixture
def meter(tcp_meter):
    return tcp_meter


def start(gateway, meter, *options):
    server = gateway(meter.url, "--stale-after", "1", *options)
    meter.accept()
    return server


def stale(server):
    return server.wait_log("values are stale")


@pytest.mark.parametrize("policy", ["exception", "hold"])
def test_before_the_first_telegram_reads_are_exception_0b(gateway, meter, policy):
    with start(gateway, meter, "--stale", policy).client() as c:
        for function in (3, 4):
            for address, quantity in ((0x8000, 1), (0x8006, 57), (0x7FA0, 125)):
                assert c.exception(function, address, quantity) == TARGET_SILENT
            assert c.exception(function, 0, 125) is None, "no value of the meter is there"
        assert c.exception(3, 0x8000, 0) == 3 and c.exception(3, 0xFFFF, 2) == 2, "checked first"
        assert c.call(b"\x08\0\0\x12\x34") == b"\x08\0\0\x12\x34"
        assert c.call(b"\x2b\x0e\x01\x00")[0] == 0x2B


def test_before_the_first_telegram_zero_and_high_current(gateway, meter):
    with start(gateway, meter, "--stale", "zero").client() as c:
        assert c.registers(0x8000, 88) == bytes(176)
    with gateway("tcp:127.0.0.1:1", "--stale", "high-current", "--stale-current", "63").client() as c:
        assert c.floats(0x800E, 3) == [63, 63, 63]


def test_exception_after_the_limit_and_recovery(gateway, meter):
    server = start(gateway, meter)
    with server.client() as c:
        meter.send(FIVE)
        sent = time.monotonic()
        wait_until(lambda: c.exception(3, 0x8016, 2) is None, "the telegram")
        assert c.floats(0x8016, 1) == [5]
        wait_until(lambda: c.exception(3, 0x8016, 2) == TARGET_SILENT, "staleness", 5)
        assert 0.9 < time.monotonic() - sent < 2.5
        stale(server)
        assert c.exception(4, 0x8100, 8) == TARGET_SILENT
        meter.send(marked(6))
        wait_until(lambda: c.exception(3, 0x8016, 2) is None, "recovery")
        assert c.floats(0x8016, 1) == [6]


def test_telegrams_in_time_never_go_stale(gateway, meter):
    server = start(gateway, meter)
    with server.client() as c:
        meter.send(marked(0))
        server.wait_served()
        for n in range(1, 8):
            time.sleep(0.4)
            meter.send(marked(n))
            wait_until(lambda: c.floats(0x8016, 1) == [n], "the telegram")
    assert not server.log("stale")


@pytest.mark.parametrize("damage", ["wrong CRC", "cut"])
def test_damaged_telegrams_do_not_keep_data_fresh(gateway, meter, damage):
    server = start(gateway, meter)
    meter.send(FIVE)
    bad = marked(7, good=False) if damage == "wrong CRC" else marked(7)[:-20]
    with server.client() as c:
        wait_until(lambda: c.exception(3, 0x8016, 2) is None, "the telegram")
        end = time.monotonic() + 2
        while c.exception(3, 0x8016, 2) is None:
            assert c.floats(0x8016, 1) == [5]
            assert time.monotonic() < end
            meter.send(bad)
            time.sleep(0.05)


def test_hold_keeps_the_last_values(gateway, meter):
    server = start(gateway, meter, "--stale", "hold")
    with server.client() as c:
        assert c.exception(3, 0x8016, 2) == TARGET_SILENT
        meter.send(FIVE)
        wait_until(lambda: c.exception(3, 0x8016, 2) is None, "the telegram")
        stale(server)
        assert c.floats(0x8016, 1) == [5] and c.floats(0x8100, 1) == [5]
        meter.send(marked(6))
        wait_until(lambda: c.floats(0x8016, 1) == [6], "recovery")


@pytest.mark.parametrize("unknown", ["zero", "nan"])
def test_zero_shows_every_value_as_zero(gateway, meter, unknown):
    server = start(gateway, meter, "--stale", "zero", "--unknown", unknown)
    with server.client() as c:
        meter.send(FIVE)
        wait_until(lambda: c.floats(0x8016, 1) == [5], "the telegram")
        stale(server)
        assert c.registers(0x8000, 88) == bytes(176) and c.registers(0x8100, 8) == bytes(16)
        meter.send(marked(6))
        wait_until(lambda: c.floats(0x8016, 1) == [6], "recovery")


def test_high_current_looks_fully_loaded(gateway, meter):
    server = start(gateway, meter, "--stale", "high-current", "--stale-current", "40")
    with server.client() as c:
        meter.send(FIVE)
        wait_until(lambda: c.floats(0x8016, 1) == [5], "the telegram")
        stale(server)
        data = c.registers(0x8000, 88)
        assert floats(data[2 * 0x0E:2 * 0x14]) == [40, 40, 40]
        assert floats(data[2 * 0x1E:2 * 0x24]) == [9200, 9200, 9200]
        assert floats(data[2 * 0x16:2 * 0x18]) == [27600]
        assert c.floats(0x8100, 1) == [5], "energies stay"
        meter.send(marked(6))
        wait_until(lambda: c.floats(0x8016, 1) == [6], "recovery")
        assert c.floats(0x800E, 3) == [6, 6, 6]


def test_meter_gone_goes_stale_as_well(gateway, meter):
    server = start(gateway, meter)
    with server.client() as c:
        meter.send(FIVE)
        wait_until(lambda: c.exception(3, 0x8016, 2) is None, "the telegram")
        meter.hang_up()
        wait_until(lambda: c.exception(3, 0x8016, 2) == TARGET_SILENT, "staleness", 5)


def test_each_change_is_logged_once(gateway, meter):
    server = start(gateway, meter)
    for round_number in (1, 2):
        for n in range(3):
            meter.send(marked(n))
        server.wait_log("receiving P1", round_number)
        server.wait_log("values are stale", round_number)
    assert len(server.log("values are stale")) == 2


def test_limit_of_a_slow_meter_is_35_s(gateway, tmp_path):
    """DSMR 4.2 sends every ten seconds: 12 s after a telegram its data is still good, DSMR 5's is not."""
    slow, fast = tmp_path / "slow", tmp_path / "fast"
    slow.write_bytes(p1("1-3:0.2.8(42)", "1-0:1.7.0(00.005*kW)"))
    fast.write_bytes(p1("1-3:0.2.8(50)", "1-0:1.7.0(00.005*kW)"))
    servers = [gateway(f"file:{path}?speed=max").wait_served() for path in (slow, fast)]
    with servers[0].client() as c, servers[1].client() as d:
        begin = time.monotonic()
        wait_until(lambda: d.exception(3, 0x8016, 2) == TARGET_SILENT, "the fast meter's staleness", 13)
        assert time.monotonic() - begin > 9
        assert c.floats(0x8016, 1) == [5]
