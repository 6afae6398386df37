"""Updates of the appliance by its page, as its user does them: a whole box in an emulated PC, a real browser.

One box lives through all of them in order: a good update, one that is never well and returns by itself, one that is too old.
"""
import json
import re
import subprocess

import pytest

pytest.importorskip("selenium", reason="python3-selenium is not installed: ./bootstrap test")
from selenium.common.exceptions import WebDriverException  # noqa: E402

from browser_kit import Page, fixture_browser, needs_browser  # noqa: E402,F401
from harness import SOURCES, wait_until  # noqa: E402
from image_kit import ARCH, BOOT_SECONDS, FOLDER, Box, Disk, Meter, edit, image, rootfs, set_conf, sparse_copy  # noqa: E402

pytestmark = needs_browser
NAME = "smart-connect.local"  # as the browser knows the box
SLOW = 240  # seconds for what takes one on a real box
CONF = "/etc/smart-connect/smart-connect.conf"


class Person:
    """At the page of a box."""

    def __init__(self, browser, box, login):
        self.page, self.login = Page(browser), login
        self.origin = f"https://{NAME}:{box.ports['https']}"

    def open(self):
        self.page.open(self, "service", wait=False)
        self.until("#firmware", "security")

    def text(self, selector):
        """Also while the page is loaded anew."""
        try:
            return self.page.run("return document.querySelector(arguments[0])?.textContent ?? ''", selector)
        except WebDriverException:
            return ""

    def until(self, selector, words, seconds=SLOW):
        wait_until(lambda: words in self.text(selector), f"{words!r} in {selector}", seconds)

    def install(self, bundle):
        self.page.find("#update-file").send_keys(str(bundle))
        self.page.press("#update-file-send")
        self.page.press("#confirm-yes")


@pytest.fixture(name="make", scope="module")
def fixture_make(tmp_path_factory):
    """make(RELEASE, DEVICE-FILE): the bundle of a system like the one of the image, of another release."""
    folder = tmp_path_factory.mktemp("bundles")

    def make(release, conf=None):
        system = sparse_copy(rootfs(), folder / f"{release}.ext4")
        (folder / "release").write_text(release + "\n")
        edit(system, "rm /usr/lib/smart-connect/release", f"write {folder / 'release'} /usr/lib/smart-connect/release")
        if conf:
            set_conf(system, folder, conf)
        made, keys = folder / f"{release}.raucb", FOLDER / "keys"
        subprocess.run([SOURCES / "tools" / "make-bundle", "--key", keys / "signer.key", "--cert", keys / "signer.pem",
                        "--compatible", f"smart-connect-{ARCH}", "--release", release, "--image", system, made],
                       check=True, capture_output=True)
        system.unlink()
        return made
    return make


@pytest.fixture(name="box", scope="module")
def fixture_box(tmp_path_factory):
    folder = tmp_path_factory.mktemp("box")
    meter = Meter(folder)
    one = Box(folder, Disk(folder, image()), meter).on()
    one.up()
    one.wait_page()
    one.wait_good()
    yield one
    one.off()
    meter.end()


def firmware(box, login):
    status, body = box.ask("GET", "/api/v1/firmware", login)
    return json.loads(body) if status == 200 else {}


def wait_result(box, login, seconds=BOOT_SECONDS):
    """The end of an update, when the system that then runs is good."""
    def over():
        try:
            seen = firmware(box, login)
        except OSError:
            return None
        good = any(slot["Booted"] and slot["Good"] for slot in seen.get("Slots", []))
        return good and seen["State"] == "idle" and seen["Result"]
    return wait_until(over, "the end of the update", seconds)


def kept(box):
    return box.shell("smart-connect label; cat /etc/machine-id; cat /var/lib/smart-connect/config.json "
                     "/var/lib/smart-connect/serial; sha256sum /var/lib/smart-connect/*.key")


def change_site(box, login, site):
    status, body = box.ask("PATCH", "/api/v1/config", login, json.dumps({"MQTT": {"Site": site}}),
                           **{"Content-Type": "application/json"})
    assert status == 200, body


def test_a_good_update_replaces_the_system(box, make, browser):
    login = box.login()
    change_site(box, login, "before")
    before = kept(box)
    person = Person(browser, box, login)
    person.open()
    person.install(make("0.2.0+security.1"))
    person.until("#update-now", "installed", SLOW)
    person.until("#banner-connection", "restarts", BOOT_SECONDS)
    box.up()
    assert box.slot() == "B"
    assert box.shell("cat /usr/lib/smart-connect/release") == "0.2.0+security.1\n"
    result = wait_result(box, login)
    assert (result["Ok"], result["From"], result["To"]) == (True, "0.1.0+security.1", "0.2.0+security.1")
    person.until("#firmware", "0.2.0+security.1", BOOT_SECONDS)  # the page is back by itself
    assert kept(box) == before, "who the box is, and what it was set to"
    assert box.env()["B_TRY"] == "0" and box.env()["ORDER"] == "B A"
    assert box.shell("systemctl --failed --no-legend --plain") == ""


def test_an_update_that_is_never_well_returns_by_itself(box, make, browser):
    """It does not find the meter that was live before; it is restarted twice, then the old system is taken back."""
    login = box.login()
    change_site(box, login, "kept")
    before = kept(box)
    conf = box.shell(f"cat {CONF}")
    broken = re.sub(r"(?m)^meter *=.*$", "meter = serial:/dev/ttyS9", conf) + "\n[update]\nupdate-trial-s = 60\n"
    assert broken.count("ttyS9") == 1, conf
    person = Person(browser, box, login)
    person.open()
    person.install(make("0.3.0+security.1", merged(broken)))
    person.until("#update-now", "installed", SLOW)
    for attempt in ("1", "2", "3"):
        box.up()
        assert (box.slot(), box.env()["A_TRY"]) == ("A", attempt)
    box.up()
    assert box.slot() == "B"
    result = wait_result(box, login)
    assert result["Ok"] is False and "the one of before was taken back" in result["Reason"], result
    assert (result["From"], result["To"]) == ("0.2.0+security.1", "0.3.0+security.1")
    person.until("#firmware", "taken back", BOOT_SECONDS)
    assert kept(box) == before


def merged(conf):
    """An INI file whose sections come once each."""
    sections = {}
    for line in conf.splitlines():
        if line.startswith("["):
            section = sections.setdefault(line, [])
        elif line.strip() and not line.lstrip().startswith(("#", ";")):
            section.append(line)
    return "".join(f"{name}\n" + "".join(f"{line}\n" for line in lines) for name, lines in sections.items())


def test_what_is_too_old_is_refused_at_the_page(box, make, browser):
    login = box.login()
    person = Person(browser, box, login)
    person.open()
    before = box.env()
    person.install(make("0.1.9+security.1"))
    person.until("#update-file-problem", "0.1.9+security.1 is older")
    assert box.env() == before
    assert firmware(box, login)["Result"]["Ok"] is False
