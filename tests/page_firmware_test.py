"""Updates by the page: what a person sees, chooses and is told, with Debian's RAUC as the judge of bundles (rauc_kit)."""
import base64
import http.client
import json
import os
import re
import shutil
import ssl
import time

import pytest

from browser_kit import CONTRAST, PHONE, TOO_SMALL, TOO_WIDE, Box, needs_browser
from browser_kit import fixture_box, fixture_browser, fixture_page  # noqa: F401
from harness import wait_until
from rauc_kit import COMPATIBLE, RUNNING, TOOLS, fixture_downloads, fixture_rauc  # noqa: F401
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

FIRMWARE = "/api/v1/firmware"
NEXT = "0.2.0+security.1"
MIB = 1 << 20
LANGUAGES = ("nl", "fr", "en")
# What the page hears of an update on its way, and what it shows.
STEPS = [("receiving", "is being sent"), ("fetching", "is being fetched"), ("checking", "is being checked"),
         ("installing", "is being installed"), ("restarting", "The gateway restarts"),
         ("installed", "after the next restart"), ("trial", "has to prove itself")]
MOVING = {"receiving", "fetching", "checking", "installing"}
BROKEN = "The file was not sent to its end. Nothing has changed"

pytestmark = [needs_browser, pytest.mark.skipif(
    os.geteuid() != 0 or not all(map(shutil.which, TOOLS)), reason=f"needs root, and {', '.join(TOOLS)}: ./bootstrap test")]


@pytest.fixture(name="updated", scope="module")
def fixture_updated(rauc, downloads, tmp_path_factory):
    """A box whose updates RAUC brings."""
    one = Box(tmp_path_factory.mktemp("updated"), "sim:dsmr50", *rauc.options, "--update-fetch", str(downloads.socket),
              env=rauc.env)
    wait_until(lambda: firmware(one)["Slots"], "the slots")
    yield one
    one.stop()


def firmware(box):
    status, answer = box.api("GET", FIRMWARE)
    assert status == 200, answer
    return answer


def open_idle(page, box):
    """The section, with nothing under way."""
    wait_until(lambda: firmware(box)["State"] == "idle", "the end of the update before")
    page.open(box, "service")
    page.until_text("#firmware", RUNNING)
    return page


def choose(page, path):
    page.find("#update-file").send_keys(str(path))


def install(page, form="file"):
    page.press(f"#update-{form}-send")
    page.press("#confirm-yes")


def until_complaint(page, name, says):
    """Beside its field; in that moment the one of before may be gone."""
    page.until(says, "return document.getElementById(arguments[0])?.textContent.includes(arguments[1])",
               f"update-{name}-complaint", says)
    assert page.find(f"#update-{name}").get_attribute("aria-invalid") == "true"
    page.until("the field in focus", "return document.activeElement.id === arguments[0]", f"update-{name}")


def file(folder, name, size, filled=b""):
    """One that takes no room where it is empty."""
    path = folder / name
    path.write_bytes(filled)
    os.truncate(path, size)
    return path


def slow(page, bytes_per_s):
    """How fast the browser sends; -1: as it can."""
    page.browser.execute_cdp_cmd("Network.enable", {})
    page.browser.execute_cdp_cmd("Network.emulateNetworkConditions", {
        "offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": bytes_per_s})


@pytest.fixture(name="slowly")
def fixture_slowly(page):
    yield lambda bytes_per_s: slow(page, bytes_per_s)
    slow(page, -1)


def as_if(page, box, **fields):
    """The page hears from now on that the firmware is in this state."""
    told = {**firmware(box), **fields}
    page.answer(f"GET {FIRMWARE}", 200, told)
    state = box.api("GET", "/api/v1/status")[1]["State"]
    state["Firmware"] = {"State": told["State"], "Progress": told["Progress"]}
    page.hear(state)
    return told


# --- what is -------------------------------------------------------------------------------------

def test_a_machine_with_a_package_manager_is_offered_nothing(page, box):
    page.open(box, "service")
    page.until_text("#firmware-advice", "apt upgrade")
    assert page.facts("firmware") == {"Version": firmware(box)["Version"], "Updated by": "the package manager",
                                      "Update": "none running"}
    assert not page.find("#update").is_displayed()


def test_systems_and_floor_are_shown(page, updated):
    facts = open_idle(page, updated).facts("firmware")
    assert facts["Release of the system"] == facts["Oldest release it takes"] == RUNNING
    assert facts["Takes updates for"] == COMPATIBLE
    assert re.fullmatch(rf"running, good, {re.escape(RUNNING)}, installed on 1 Mar 2026, \d\d:00", facts["System A"])
    assert facts["System B"] == "in reserve, not good"
    assert page.text("#update-now") == "" and not page.find("#update-bar").is_displayed()
    assert page.complaints() == []


# --- what is refused -----------------------------------------------------------------------------

def test_garbage_is_refused_with_the_reason(page, updated, tmp_path):
    open_idle(page, updated)
    choose(page, file(tmp_path, "holiday.raucb", 100_000, b"no bundle " * 10_000))
    install(page)
    says = page.until_text("#update-file-problem", "The update is refused: ")
    reason = firmware(updated)["Result"]["Reason"]
    assert reason and says == f"The update is refused: {reason}"
    page.until_text("#firmware", "Reason")
    facts = page.facts("firmware")
    assert facts["Reason"] == reason and facts["Last update"].startswith("failed, ")
    assert facts["From, to"] == f"{RUNNING} → unknown"
    page.screenshot("update-refused")
    page.speak("nl")
    assert page.text("#update-file-problem") == f"De update is geweigerd: {reason}"
    page.speak("en")


REFUSED = [("other-box", NEXT, "smart-connect-toaster", "smart-connect-toaster"),
           ("older", "0.0.9+security.1", COMPATIBLE, RUNNING), ("less-secure", "0.2.0+security.0", COMPATIBLE, RUNNING)]


def test_signed_bundles_that_do_not_fit_are_refused(page, updated, rauc):
    open_idle(page, updated)
    for name, release, compatible, says in REFUSED:
        choose(page, rauc.bundle(name, release, compatible))
        install(page)
        page.until_text("#update-file-problem", lambda text, says=says: text.startswith("The update is refused: ")
                        and says in text, name)
        assert firmware(updated)["Slots"][1]["Release"] is None, name
    assert page.complaints() and all("422" in one for one in page.complaints()), "the browser logs the refusals alone"


def test_what_cannot_be_a_bundle_is_not_sent(page, updated, tmp_path):
    open_idle(page, updated)
    before = firmware(updated)["Result"]
    page.press("#update-file-send")
    until_complaint(page, "file", "Choose a file first.")
    for name, size, says in (("empty.raucb", 0, "The file is empty."),
                             ("large.raucb", (1 << 30) + 1, "The file is larger than 1 GiB.")):
        choose(page, file(tmp_path, name, size))
        assert not page.run("return document.getElementById('update-file-complaint')"), "a new file, a new chance"
        page.press("#update-file-send")
        until_complaint(page, "file", says)
        assert not page.find("#confirm").is_displayed(), name
    assert firmware(updated)["Result"] == before


def test_an_address_is_refused_beside_its_field(page, updated):
    open_idle(page, updated)
    page.press("#update-url-send")
    until_complaint(page, "url", "Fill this in.")
    for address in ("http://updates.example/next.raucb", "https://user:secret@updates.example/", "https://127.0.0.1/x"):
        page.fill("update-url", address)
        install(page, "url")
        until_complaint(page, "url", "Not accepted: ")
    assert page.find("#update-url").get_attribute("value") == address, "to be corrected"


def test_nothing_begins_without_a_yes(page, updated, rauc):
    open_idle(page, updated)
    before = firmware(updated)["Result"]
    choose(page, rauc.bundle("unwanted", NEXT))
    page.press("#update-file-send")
    assert "unwanted.raucb" in page.text("#confirm-text") and "Chargers get no values" in page.text("#confirm-text")
    page.press("#confirm-no")
    assert page.run("return document.activeElement.id") == "update-file-send"
    assert page.text("#update-now") == "" and firmware(updated)["Result"] == before


def test_every_refusal_has_words_in_every_language(page, updated):
    open_idle(page, updated)
    page.fill("update-url", "https://updates.example/next.raucb")
    for status in (409, 413, 422, 503, 507, 500):
        page.answer(f"POST {FIRMWARE}", status, {"type": "about:blank", "title": "no", "status": status,
                                                 "detail": f"because of {status}"})
        install(page, "url")
        page.until_text("#update-url-problem", f"because of {status}" if status != 413 else "1 GiB")
        words = set()
        for language in LANGUAGES:
            page.speak(language)
            words.add(page.text("#update-url-problem"))
        assert len(words) == 3, words


# --- what is sent --------------------------------------------------------------------------------

def test_a_long_file_shows_how_far_it_is(page, updated, rauc, slowly):
    bundle = rauc.bundle("long", NEXT, size=20 * MIB)
    open_idle(page, updated)
    slowly(4 * MIB)
    choose(page, bundle)
    install(page)
    seen = set()

    def look():
        value, text, now = page.run("const bar = document.getElementById('update-bar');"
                                    "return [bar.checkVisibility() ? bar.getAttribute('value') : null,"
                                    " document.getElementById('update-percent').textContent,"
                                    " document.getElementById('update-now').textContent]")
        if value and 0 < float(value) < 100 and now == "The file is being sent.":
            assert text == f"{float(value):.0f} %"
            assert page.find("#update-file-send").get_attribute("aria-disabled") == "true"
            if not seen:
                page.screenshot("update-sent")
            seen.add(text)
        return page.text("#update-now").startswith("The update has")
    wait_until(look, "the end", 60)
    assert len(seen) > 3, seen
    result = firmware(updated)["Result"]
    assert (result["Ok"], result["From"], result["To"]) == (False, RUNNING, NEXT) and result["Reason"]
    assert page.text("#update-now") == "The update has failed."
    page.until_text("#firmware", result["Reason"])
    assert page.facts("firmware")["From, to"] == f"{RUNNING} → {NEXT}"
    assert page.find("#update-file").get_attribute("value") == "" == page.text("#update-file-problem")
    page.until("the buttons", "return document.getElementById('update-file-send').ariaDisabled === 'false'")
    page.screenshot("update-failed")


def test_a_long_file_is_taken_as_fast_as_it_comes(updated):
    wait_until(lambda: firmware(updated)["State"] == "idle", "the end of the update before")
    begun = time.monotonic()
    answer, _ = updated.ask("POST", FIRMWARE, os.urandom(20 * MIB), **{"Content-Type": "application/octet-stream"})
    assert answer.status == 422
    assert time.monotonic() - begun < 10, "less than 2 MiB in a second"


def test_an_address_is_fetched_and_its_end_is_told(page, updated, rauc, downloads):
    open_idle(page, updated)
    bundle = rauc.bundle("fetched", NEXT, size=6 * MIB).read_bytes()
    page.fill("update-url", downloads.offer("/fetched.raucb", bundle))
    install(page, "url")
    page.until_text("#update-now", "The file is being fetched.")
    page.until_text("#update-percent", lambda text: re.fullmatch(r"[1-9]\d? %", text))
    assert page.find("#update-url-send").get_attribute("aria-disabled") == "true"
    page.until_text("#update-now", "The update has failed.")
    result = firmware(updated)["Result"]
    assert result["To"] == NEXT and result["Reason"]
    page.until_text("#firmware", result["Reason"])


def test_an_address_that_leads_nowhere_is_told(page, updated, downloads):
    open_idle(page, updated)
    page.fill("update-url", downloads.offer("/nothing.raucb", None))
    install(page, "url")
    page.until_text("#update-now", "The update has failed.")
    page.until_text("#firmware", "updates.example: answers HTTP 404")
    page.speak("fr")
    assert page.text("#update-now") == "La mise à jour a échoué." and page.facts("firmware")["Dernière mise à jour"]
    page.speak("en")


def test_leaving_the_page_while_it_sends_is_asked_about(page, updated, rauc, slowly):
    open_idle(page, updated)
    choose(page, rauc.bundle("left", NEXT, size=4 * MIB))
    leaves = "return !dispatchEvent(new Event('beforeunload', {cancelable: true}))"
    assert not page.run(leaves)
    slowly(MIB)
    install(page)
    page.until_text("#update-now", "The file is being sent.")
    assert page.run(leaves)
    page.until_text("#update-now", "The update has failed.")
    assert not page.run(leaves)


def test_a_broken_connection_is_told_and_the_page_goes_on(page, rauc, slowly, tmp_path):
    box = Box(tmp_path, "sim:dsmr50", *rauc.options, env=rauc.env)
    try:
        wait_until(lambda: firmware(box)["Slots"], "the slots")
        page.open(box, "service")
        page.until_text("#firmware", RUNNING)
        slowly(MIB)
        choose(page, rauc.bundle("broken", NEXT, size=8 * MIB))
        install(page)
        page.until("half of it", "return document.getElementById('update-bar').value > 10")
        box.gateway.end(9)
        page.until_text("#update-file-problem", BROKEN)
        page.until_text("#banners", "No contact with the gateway")
        box.restart()
        page.until("the connection again", "return !document.getElementById('banner-connection')", seconds=30)
        assert firmware(box)["State"] == "idle" and not list(box.state.glob("*.raucb"))
        page.until("the buttons", "return document.getElementById('update-file-send').ariaDisabled === 'false'")
        assert page.text("#update-now") == ""
    finally:
        box.stop()


def test_another_update_under_way_is_shown(page, updated):
    open_idle(page, updated)
    lenient = ssl.create_default_context()
    lenient.check_hostname, lenient.verify_mode = False, ssl.CERT_NONE
    host, port = updated.https.split(":")
    other = http.client.HTTPSConnection(host, int(port), context=lenient)
    other.putrequest("POST", FIRMWARE)
    credentials = base64.b64encode(f"user:{updated.login}".encode()).decode()
    for name, value in (("Authorization", f"Basic {credentials}"), ("Content-Type", "application/octet-stream"),
                        ("Content-Length", str(MIB))):
        other.putheader(name, value)
    other.endheaders()
    other.send(bytes(MIB // 4))
    page.until_text("#update-now", "The file is being sent.")
    page.until_text("#update-percent", "25 %")
    for form in ("file", "url"):
        assert page.find(f"#update-{form}-send").get_attribute("aria-disabled") == "true"
    page.press("#update-file-send")
    assert page.text("#update-file-problem") == "" and not page.find("#confirm").is_displayed()
    other.close()
    page.until("the end of it", "return document.getElementById('update-file-send').ariaDisabled === 'false'")
    page.until_text("#firmware", firmware(updated)["Result"]["Reason"])


# --- the way to the end --------------------------------------------------------------------------

def test_every_step_is_told_in_every_language(page, updated):
    open_idle(page, updated)
    told = {language: set() for language in LANGUAGES}
    for state, says in STEPS:
        as_if(page, updated, State=state, Progress=None if state == "checking" else 40, Detail=f"step {state}")
        page.until_text("#update-now", says)
        for language in LANGUAGES:
            page.speak(language)
            told[language].add(page.text("#update-now"))
        assert page.find("#update-bar").is_displayed() == (state in MOVING), state
        assert page.text("#update-percent") == ("" if state == "checking" else "40 %")
        assert page.text("#update-detail") == f"step {state}"
    assert all(len(words) == len(STEPS) for words in told.values())
    assert not told["en"] & told["nl"] and not told["nl"] & told["fr"] and not told["en"] & told["fr"]
    result = {"Ok": True, "From": RUNNING, "To": NEXT, "Reason": None, "Time": "2026-03-02T10:00:00Z"}
    as_if(page, updated, State="idle", Progress=None, Detail=None, Result=result)
    page.until_text("#update-now", "The update has succeeded.")
    facts = page.facts("firmware")
    assert facts["Last update"].startswith("succeeded, 2 Mar 2026") and "Reason" not in facts


def test_the_page_waits_while_the_box_restarts(page, rauc, tmp_path):
    box = Box(tmp_path, "sim:dsmr50", *rauc.options, env=rauc.env)
    try:
        page.open(box, "service")
        page.until_text("#firmware", RUNNING)
        told = {**firmware(box), "State": "restarting"}
        page.answer(f"GET {FIRMWARE}", 200, told)
        page.run("seen.alreadyHere = true; seen.sources.at(-1).dispatchEvent(new MessageEvent('state', {data: arguments[0]}))",
                 json.dumps({**box.api("GET", "/api/v1/status")[1]["State"],
                             "Firmware": {"State": "restarting", "Progress": None}}))
        page.until_text("#update-now", "The gateway restarts with the new system.")
        box.stop()
        assert page.until_text("#banners", "The gateway restarts with the new system. This page waits")
        page.screenshot("update-restarts")
        page.answer(f"GET {FIRMWARE}", 200, {**told, "State": "trial", "Release": NEXT})
        box.restart()
        page.until("the page of the new system", "return window.seen && !seen.alreadyHere", seconds=40)
        page.wait_ready()
        assert page.run("return location.hash") == "#service"
        page.until_text("#firmware", RUNNING)  # what really runs
        assert page.run("return !document.getElementById('banner-connection')")
    finally:
        box.stop()


def test_rauc_away_is_told(page, updated, rauc):
    rauc.stop_service()
    try:
        wait_until(lambda: firmware(updated)["Detail"], "what is wrong")
        page.open(updated, "service")
        page.until_text("#update-detail", firmware(updated)["Detail"])
        page.fill("update-url", "https://updates.example/next.raucb")
        install(page, "url")
        page.until_text("#update-url-problem", "Nothing can be installed at the moment: RAUC")
    finally:
        rauc.start()
    wait_until(lambda: firmware(updated)["Slots"], "the slots again")


# --- reach ---------------------------------------------------------------------------------------

def test_an_address_is_given_with_the_keyboard_alone(page, updated):
    open_idle(page, updated)

    def keys(*pressed):
        ActionChains(page.browser).send_keys(*pressed).perform()

    def tab_to(selector, most=60):
        for _ in range(most):
            keys(Keys.TAB)
            if page.run("return document.activeElement.matches(arguments[0])", selector):
                outline = page.run("return getComputedStyle(document.activeElement).outlineStyle")
                assert outline != "none", f"the focus is not to be seen at {selector}"
                return
        raise AssertionError(f"the keyboard does not reach {selector}")

    tab_to("#update-file")
    tab_to("#update-file-send")
    keys(Keys.ENTER)
    until_complaint(page, "file", "Choose a file first.")
    tab_to("#update-url")
    keys("http://updates.example/next.raucb")
    tab_to("#update-url-send")
    keys(Keys.ENTER)
    tab_to("#confirm-yes")
    keys(Keys.ENTER)
    until_complaint(page, "url", "Not accepted: ")


def crowded(page, updated):
    """All of it at once, with long texts."""
    long = "Installation error: Failed updating slot rootfs.1: " + "/dev/disk/by-partlabel/a-very-long-name" * 3
    as_if(page, updated, State="installing", Progress=40, Detail="Copying image to rootfs.1", Result={
        "Ok": False, "From": RUNNING, "To": NEXT, "Reason": long, "Time": "2026-03-02T10:00:00Z"})
    page.until_text("#firmware", long)


def test_fits_a_phone_in_every_language(page, updated):
    page.size(*PHONE)
    open_idle(page, updated)
    page.press("#update-file-send")
    page.press("#update-url-send")
    crowded(page, updated)
    for language in LANGUAGES:
        page.speak(language)
        assert page.run(TOO_WIDE) == [] == page.run(TOO_SMALL), language
    page.run("document.getElementById('update').scrollIntoView({block: 'center'})")
    page.screenshot("update-phone")


def test_contrast_is_enough_in_light_and_dark(page, updated):
    open_idle(page, updated)
    page.press("#update-file-send")
    crowded(page, updated)
    for scheme in ("light", "dark"):
        page.media(prefers_color_scheme=scheme)
        assert page.run(CONTRAST) == [], scheme
    page.screenshot("update-dark")


def test_everything_has_a_name(page, updated):
    open_idle(page, updated)
    crowded(page, updated)
    tree = page.browser.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    names = {(node["role"]["value"], node.get("name", {}).get("value", "")) for node in tree if not node.get("ignored")}
    for role, name in (("progressbar", "The new system is being installed."), ("button", "Install file"),
                       ("textbox", "Or its address"), ("button", "Fetch and install")):
        assert (role, name) in names, (role, name)
    assert any(name.startswith("Update file (.raucb)") for role, name in names if role == "button"), names
    assert page.complaints() == []


def test_report_tells_of_the_update_and_no_host(page, updated):
    open_idle(page, updated)
    told = {**firmware(updated), "Result": {"Ok": False, "From": RUNNING, "To": None, "Time": None,
                                            "Reason": "secret.example.com: answers HTTP 404 in place of 200"}}
    page.answer(f"GET {FIRMWARE}", 200, told)
    page.press("#report")
    page.until_text("#report-status", "Report made")
    report = page.until("the file", "return seen.blobs[0]")
    assert "secret" not in report
    report = json.loads(report)["firmware"]
    assert report["Result"]["Reason"] == "…: answers HTTP 404 in place of 200" and report["Slots"] == told["Slots"]
