"""Updates by the API: bundles that are sent whole, cut, slowly, twice and by strangers; Debian's RAUC judges them (rauc_kit).
What is installed is tried in an emulated PC (update_bundles_test.py, update_cut_test.py)."""
import json
import os
import re
import shutil
import ssl
import time

import pytest

from harness import wait_until
from https_client import Closed
from page_kit import FIRMWARE, Box, Events, assert_problem, document, fixture_box  # noqa: F401
from rauc_kit import COMPATIBLE, RUNNING, TOOLS, fixture_rauc  # noqa: F401

NEXT = "0.2.0+security.1"
MIB = 1 << 20
FILE = {"Content-Type": "application/octet-stream"}
NO_SLOT = re.compile("no-such-slot|/dev/mapper/control")  # why RAUC cannot install here, as far as the machine lets it come

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not all(map(shutil.which, TOOLS)),
                                reason=f"needs root, and {', '.join(TOOLS)}: ./bootstrap test")


@pytest.fixture(name="bundles", scope="module")
def fixture_bundles(rauc):
    """By name; each as bytes."""
    made = {"good": rauc.bundle("good", NEXT), "long": rauc.bundle("long", NEXT, size=24 * MIB),
            "other": rauc.bundle("other", NEXT, compatible="smart-connect-toaster"),
            "older": rauc.bundle("older", "0.0.9+security.1"), "flawed": rauc.bundle("flawed", "9.0.0+security.0")}
    return {name: path.read_bytes() for name, path in made.items()}


@pytest.fixture(name="one")
def fixture_one(rauc, box):
    """A box whose updates RAUC brings."""
    made = box(*rauc.options, env=rauc.env)
    wait_until(lambda: made.get(FIRMWARE)["Slots"], "the slots")
    return made


def firmware(box):
    answer = box.user.get(FIRMWARE)
    document().judge(FIRMWARE, "GET", answer)
    return answer.json()


def settled(box):
    wait_until(lambda: firmware(box)["State"] == "idle", "the end of the update")
    return firmware(box)


def send(box, bundle, **headers):
    answer = box.user.request("POST", FIRMWARE, bundle, {**FILE, **headers})
    document().judge(FIRMWARE, "POST", answer)
    return answer


def assert_failed(box, reason, release=None):
    result = settled(box)["Result"]
    assert result["Ok"] is False and re.search(reason, result["Reason"]), result
    assert (result["From"], result["To"]) == (RUNNING, release)


# --- what is seen ------------------------------------------------------------------------------

def test_a_box_shows_its_slots_and_its_floor(one):
    seen = firmware(one)
    assert seen["ManagedBy"] == "rauc" and seen["State"] == "idle" and seen["Result"] is None
    assert (seen["Release"], seen["Floor"], seen["Compatible"]) == (RUNNING, RUNNING, COMPATIBLE)
    assert [(s["Name"], s["Boot"], s["Booted"], s["Good"]) for s in seen["Slots"]] == [
        ("rootfs.0", "A", True, True), ("rootfs.1", "B", False, False)]
    assert seen["Slots"][0]["Release"] == RUNNING and seen["Slots"][1]["Release"] is None


def test_the_installer_may_come_and_go(one, rauc, bundles):
    rauc.stop_service()
    try:
        wait_until(lambda: firmware(one)["Slots"] == [], "the end of RAUC")
        assert "rauc is gone" in firmware(one)["Detail"]
        assert "RAUC" in assert_problem(send(one, bundles["good"]), 503)["detail"]
    finally:
        rauc.start()
    wait_until(lambda: firmware(one)["Slots"], "RAUC is back")
    assert firmware(one)["Detail"] is None


# --- what is taken, and what is refused --------------------------------------------------------

def test_a_good_bundle_is_checked_and_handed_over(one, bundles):
    with Events(one) as events:
        answer = send(one, bundles["good"])
        assert answer.status == 202 and answer.json()["State"] == "installing"
        assert_failed(one, NO_SLOT, NEXT)  # of RAUC: it was taken as far as this machine can
        events.wait("state", lambda state: state["Firmware"]["State"] == "idle")
    record = one.folder / "update.json"
    wait_until(lambda: json.loads(record.read_text())["Phase"] == "over", "it is kept")
    one.restart()
    wait_until(lambda: firmware(one)["Slots"], "the slots")
    assert_failed(one, NO_SLOT, NEXT)  # it outlives a restart


@pytest.mark.parametrize("name, reason, release", [
    ("other", f'it is for "smart-connect-toaster", and this box is "{COMPATIBLE}"', None),
    ("older", "0.0.9+security.1 is older: nothing below", "0.0.9+security.1"),
    ("flawed", "9.0.0+security.0 has a flaw that was mended since", "9.0.0+security.0")])
def test_a_signed_bundle_that_does_not_fit_is_refused(one, bundles, name, reason, release):
    assert reason in assert_problem(send(one, bundles[name]), 422)["detail"]
    assert_failed(one, re.escape(reason), release)


@pytest.mark.parametrize("size", [1, 4096, MIB - 1, MIB, MIB + 1, 3 * MIB])
def test_what_is_no_bundle_is_refused(one, size):
    assert_problem(send(one, os.urandom(size)), 422)
    settled(one)


def test_a_bundle_with_a_changed_byte_is_refused(one, bundles):
    """Of the signed manifest; what the hash tree protects RAUC finds when it reads it."""
    damaged = bytearray(bundles["good"])
    damaged[-600] ^= 1
    assert_problem(send(one, bytes(damaged)), 422)
    settled(one)


def test_an_empty_file_is_refused(one):
    assert "empty" in assert_problem(send(one, b""), 422)["detail"]
    assert firmware(one)["Result"] is None, "nothing was begun"


@pytest.mark.parametrize("length, status", [(1 << 30, None), ((1 << 30) + 1, 413), (1 << 62, 413), ("99" * 20, 413),
                                            ("-1", 400), ("1e6", 400)])
def test_a_file_has_a_length(one, length, status):
    """What is too long is refused before a byte of it is sent."""
    head = one.user.head("POST", FIRMWARE, {**FILE, "Content-Length": length})
    with one.user.connect() as connection:
        connection.send(head)
        if status:
            assert connection.answer().status == status
        else:
            wait_until(lambda: firmware(one)["State"] == "receiving", "it is let come")
    settled(one)


@pytest.mark.parametrize("body", [{}, {"Url": 5}, {"Url": "https://a.example/x", "More": 1}, []])
def test_a_json_that_names_no_url_is_refused(one, body):
    assert_problem(one.user.request("POST", FIRMWARE, body), 422, "/Url")


@pytest.mark.parametrize("url", ["http://a.example/x", "file:///etc/passwd", "https://127.0.0.1/x", "https://[::1]/x",
                                 "https://localhost/x", "https://user:secret@a.example/x", "https://a.example/x#y", "", "x"])
def test_a_url_that_cannot_be_used_is_refused(one, url):
    assert_problem(one.user.request("POST", FIRMWARE, {"Url": url}), 422, "/Url")
    assert firmware(one)["State"] == "idle"


def test_without_a_downloader_a_url_is_refused(one):
    answer = one.user.request("POST", FIRMWARE, {"Url": "https://a.example/x"})
    assert "smart-connect-fetch" in assert_problem(answer, 503)["detail"]


# --- on the way --------------------------------------------------------------------------------

def test_a_long_bundle_costs_no_memory(one, bundles):
    send(one, bundles["other"])
    before_kib = one.server.rss_kib()
    assert send(one, bundles["long"]).status == 202
    keeps_all = "san" in os.environ.get("SMART_CONNECT", "")  # what was freed, to look for who uses it
    assert one.server.rss_kib() - before_kib < 8 * 1024 or keeps_all, "24 MiB came"
    settled(one)


def test_pieces_of_any_size_are_one_bundle(one, bundles):
    head = one.user.head("POST", FIRMWARE, {**FILE, "Content-Length": len(bundles["good"])})
    for size in (1400, 16384, 70000):
        with one.user.connect() as connection:
            connection.send(head[:20])
            connection.send(head[20:])
            for at in range(0, len(bundles["good"]), size):
                connection.send(bundles["good"][at:at + size])
            assert connection.answer().status == 202
        assert_failed(one, NO_SLOT, NEXT)


@pytest.mark.parametrize("share", [0, 0.3, 0.999])
def test_a_bundle_that_is_cut_is_not_installed(one, bundles, share):
    bundle = bundles["good"]
    with one.user.connect() as connection:
        connection.send(one.user.head("POST", FIRMWARE, {**FILE, "Content-Length": len(bundle)}))
        wait_until(lambda: firmware(one)["State"] == "receiving", "it is let come")
        connection.send(bundle[:int(len(bundle) * share)])
    assert_failed(one, "not sent to its end")
    assert send(one, bundle).status == 202, "and again"
    settled(one)


def test_progress_is_told(one, bundles):
    bundle = bundles["long"]
    with one.user.connect() as connection:
        connection.send(one.user.head("POST", FIRMWARE, {**FILE, "Content-Length": len(bundle)}))
        connection.send(bundle[:len(bundle) // 2])
        wait_until(lambda: firmware(one)["Progress"] in (49, 50), "half of it")
        assert firmware(one)["State"] == "receiving"
    settled(one)


def test_there_is_one_update_at_a_time(one, bundles):
    bundle = bundles["good"]
    with one.user.connect() as connection:
        connection.send(one.user.head("POST", FIRMWARE, {**FILE, "Content-Length": len(bundle)}))
        connection.send(bundle[:5000])
        wait_until(lambda: firmware(one)["State"] == "receiving", "the first")
        assert "under way" in assert_problem(send(one, bundle), 409)["detail"]
        assert "under way" in assert_problem(one.user.request("POST", FIRMWARE, {"Url": "https://a.example/x"}), 409)["detail"]
        connection.send(bundle[5000:])
        assert connection.answer().status == 202
    settled(one)


def test_who_sends_holds_the_session(one, bundles):
    bundle = bundles["good"]
    with one.user.connect() as connection, one.person(login=one.login) as other:
        connection.send(one.user.head("POST", FIRMWARE, {**FILE, "Content-Length": len(bundle)}))
        connection.send(bundle[:5000])
        wait_until(lambda: firmware(one)["State"] == "receiving", "the first")
        answer = other.request("POST", FIRMWARE, bundle, FILE)
        assert "in use by" in assert_problem(answer, 409)["detail"]
    settled(one)


def test_a_stranger_sends_nothing(one, bundles):
    """He is told with the head, and nothing of his file is read."""
    with one.person() as stranger, stranger.connect() as connection:
        connection.send(stranger.head("POST", FIRMWARE, {**FILE, "Content-Length": len(bundles["long"])}))
        assert connection.answer().status == 401
        assert connection.is_closed()
    assert firmware(one)["State"] == "idle" and firmware(one)["Result"] is None


def test_a_foreign_page_sends_nothing(one, bundles):
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        assert_problem(send(one, bundles["good"][:1000], **headers), 403)
    assert firmware(one)["Result"] is None


def test_a_sender_may_ask_first(one, bundles):
    """As curl does: it sends the file when it is asked for, and none that is refused."""
    bundle = bundles["good"]
    head = one.user.head("POST", FIRMWARE, {**FILE, "Content-Length": len(bundle), "Expect": "100-continue"})
    with one.user.connect() as first, one.user.connect() as second:
        first.send(head)
        assert first.answer().status == 100
        second.send(head)
        assert second.answer().status == 409
        first.send(bundle)
        assert first.answer().status == 202
    settled(one)


def test_a_file_goes_nowhere_else(one, bundles):
    answer = one.user.request("PATCH", "/api/v1/config", bundles["good"][:1000], FILE)
    assert_problem(answer, 415)
    answer = one.user.request("PATCH", FIRMWARE, bundles["good"][:1000], FILE)
    assert answer.status in (405, 415)


def test_the_meter_is_served_meanwhile(one, bundles):
    with one.server.client() as client:
        with one.user.connect() as connection:
            connection.send(one.user.head("POST", FIRMWARE, {**FILE, "Content-Length": len(bundles["long"])}))
            slowest, end = 0, time.monotonic() + 2
            while time.monotonic() < end:
                connection.send(bundles["long"][:200_000])
                began = time.monotonic()
                client.registers(0x8006, 2)
                slowest = max(slowest, time.monotonic() - began)
                if connection.ended:
                    break
        assert slowest < 0.5, "seconds for a Modbus request beside an upload"
    settled(one)


def test_the_gateway_ends_in_the_middle(one, bundles):
    with one.user.connect() as connection:
        connection.send(one.user.head("POST", FIRMWARE, {**FILE, "Content-Length": len(bundles["long"])}))
        connection.send(bundles["long"][:3 * MIB])
        one.restart(15)
        with pytest.raises((Closed, ssl.SSLError, TimeoutError)):
            connection.answer()
    wait_until(lambda: firmware(one)["Slots"], "the slots")
    assert firmware(one)["State"] == "idle"
    assert [path.name for path in one.folder.iterdir() if path.stat().st_size > MIB] == [], "nothing is left of it"


# --- MQTT --------------------------------------------------------------------------------------

def test_a_broker_is_told(rauc, box, bundles, broker, subscriber):
    listener = broker()
    one = box(*rauc.options, "--mqtt", listener.url, env=rauc.env)
    everything = subscriber(listener)
    everything.wait("/firmware", lambda m: m.json()["state"] == "idle" and m.json()["release"] == RUNNING)
    wait_until(lambda: firmware(one)["Slots"], "the slots")
    assert send(one, bundles["good"]).status == 202
    everything.wait("/firmware", lambda m: m.json()["state"] == "installing")
    told = everything.wait("/firmware", lambda m: m.json()["state"] == "idle" and m.json()["result"]).json()
    assert told["result"]["Ok"] is False and told["result"]["To"] == NEXT and NO_SLOT.search(told["result"]["Reason"])
    late = subscriber(listener)
    assert late.wait("/firmware").retained, "who comes later sees it, too"


def test_a_package_tells_a_broker_nothing(box, broker, subscriber):
    listener = broker()
    everything = subscriber(listener)
    box("--mqtt", listener.url)
    everything.wait("/status", lambda m: m.payload == "online")
    everything.wait("power_instant")
    assert not everything.of("/firmware")
