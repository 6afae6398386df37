"""The web page's MQTT settings, and the certificate for the broker, in a browser against the gateway."""
import json
import re

import harness
from browser_kit import BROKER, MASK, needs_browser
from browser_kit import fixture_box, fixture_browser, fixture_other_box, fixture_page  # noqa: F401
from certificate_api_test import make as make_certificate
from certificate_api_test import openssl, secrets_of
from harness import wait_until
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

CERTIFICATE = "/api/v1/mqtt/certificate"

pytestmark = needs_browser

# --- settings ------------------------------------------------------------------------------------

CONTROLS = [
    ("Username", "mqtt-user", "me"), ("Password", "mqtt-password", "secret"), ("Keepalive", "keepalive", 45),
    ("Publish", None, "mean"), ("Interval", "interval", 15), ("Publish", None, "change"), ("Deadband", "deadband", 25),
    ("CountersInterval", "counters-interval", 120), ("KeepDays", "keep-days", 3), ("KeepMiB", "keep-mib", 128),
    ("LateRate", "late-rate", 50), ("HomeAssistant", "on", True), ("HomeAssistantPrefix", "prefix", "ha/house"),
    ("Commands", "on", False), ("Publish", None, "telegram"), ("HomeAssistant", "on", False), ("Commands", "on", True)]


def test_every_control_of_mqtt_saves_its_setting_alone(page, box):
    box.reset()
    page.open(box, "cloud")
    for setting, field, value in CONTROLS:
        if field and field != "on":
            page.fill(field, str(value))
        else:
            page.choose(f"/MQTT/{setting}", field or value)
        page.saved("cloud")
        assert json.loads(page.run("return seen.patches.at(-1)")) == {"MQTT": {setting: value}}
        assert box.config()["MQTT"][setting] == (MASK if setting == "Password" else value)
    page.open(box, "cloud")
    assert page.run("return ['interval', 'deadband', 'keep-days', 'prefix']"
                    ".map(id => document.getElementById(id).value)") == ["15", "25", "3", "ha/house"]
    assert not page.find("#home-assistant").is_selected() and page.find("#commands").is_selected()


def test_only_what_matters_is_asked(page, box):
    def seen():
        names = ("interval", "deadband", "prefix", "ca", "pin")
        return {name for name in names if page.find(f"#{name}").is_displayed()}

    box.reset()
    page.open(box, "cloud")
    trust = page.find('fieldset:has(> [data-text="trust"])')
    assert seen() == set() and not trust.is_displayed()
    page.choose("/MQTT/Publish", "mean")
    assert seen() == {"interval"} and page.text("#interval-hint") == "One message per interval."
    page.choose("/MQTT/Publish", "change")
    assert seen() == {"interval", "deadband"} and page.text("#interval-hint").startswith("The longest silence")
    page.choose("/MQTT/HomeAssistant", "on")
    assert seen() == {"interval", "deadband", "prefix"}
    for url, encrypted in (("mqtts://b.example", True), ("mqtt://b.example", False), ("mqtt://b.example:8883", True),
                           ("mqtts://[::1]:1883", True), ("b.example:8883", False), ("MQTTS://b.example/", True)):
        page.fill("broker", url)
        assert trust.is_displayed() == encrypted, url
    page.choose("/MQTT/CA", "ca")
    assert seen() == {"interval", "deadband", "prefix", "ca"}
    page.choose("/MQTT/CA", "pin")
    assert seen() == {"interval", "deadband", "prefix", "pin"}
    page.fill("broker", "mqtt://b.example")
    page.saved("cloud")
    assert box.config()["MQTT"]["CA"] == "", "what is not seen is not sent"


def test_a_password_in_the_clear_is_warned_of(page, box):
    box.reset()
    box.change(MQTT={"Username": "me", "Password": "secret"})
    page.open(box, "cloud")
    warning = page.find("#broker-warning")
    for url, warned in (("", False), ("mqtt://10.0.0.5", True), ("mqtts://10.0.0.5", False),
                        ("mqtt://10.0.0.5:8883", False), ("mqtt://10.0.0.5:1883", True)):
        page.fill("broker", url)
        assert warning.is_displayed() == warned, url
    assert "broker-warning" in page.find("#broker").get_attribute("aria-describedby").split()
    assert page.text("#commands-hint").startswith("Not from this broker")
    page.screenshot("warning")
    page.press("#mqtt-password ~ button:last-child")
    assert not warning.is_displayed(), "there is no password any more"
    page.fill("broker", "mqtts://10.0.0.5")
    assert page.text("#commands-hint") == "Only over an encrypted connection (TLS)."


def test_trust_in_the_broker_is_one_of_three(page, box, tmp_path):
    """Certificates pasted and from a file, a key that is pinned, the system's authorities; one setting for all."""
    box.reset()
    box.change(MQTT={"Broker": BROKER})
    page.open(box, "cloud")
    wait_until(lambda: page.find('[name="MqttTrust"][value="system"]').is_selected(), "the choice of a fresh box")
    certificate = make_certificate(tmp_path, "my authority", extensions=())[0]
    page.choose("/MQTT/CA", "ca")
    page.save("cloud")
    page.until_text("#ca-complaint", "Fill this in.")
    assert page.run("return document.activeElement.id") == "ca" and page.run("return seen.patches") == []
    page.choose("/MQTT/CA", "system")
    assert page.find("#ca").get_attribute("aria-invalid") is None, "no longer blamed"
    page.save("cloud")
    page.until_text("#form-cloud .save [role=status]", "Nothing has been changed.")
    page.choose("/MQTT/CA", "ca")
    page.fill("ca", "\n  " + certificate)
    page.saved("cloud")
    assert box.config()["MQTT"]["CA"] == certificate == page.find("#ca").get_attribute("value")
    page.choose("/MQTT/CA", "pin")
    page.fill("pin", "AB" * 32)
    page.saved("cloud")
    assert box.config()["MQTT"]["CA"] == "sha256:" + "ab" * 32 == page.find("#pin").get_attribute("value")
    page.choose("/MQTT/CA", "system")
    page.press("#form-cloud .save button:nth-of-type(2)")
    assert page.find("#pin").get_attribute("value") == "sha256:" + "ab" * 32, "back, with its text"
    page.choose("/MQTT/CA", "ca")
    (tmp_path / "ca.pem").write_text("Bag Attributes\r\n" + (certificate * 2).replace("\n", "\r\n"))
    page.find("#form-cloud input[type=file]").send_keys(str(tmp_path / "ca.pem"))
    page.until("the file", "return document.getElementById('ca').value.startsWith('Bag')")
    page.saved("cloud")
    page.open(box, "cloud")
    assert page.find("#ca").get_attribute("value") == box.config()["MQTT"]["CA"]
    assert box.config()["MQTT"]["CA"].startswith(certificate)
    page.choose("/MQTT/CA", "system")
    page.saved("cloud")
    assert box.config()["MQTT"]["CA"] == ""


def test_a_file_that_is_no_text_is_explained_beside_the_field(page, box, tmp_path):
    box.reset()
    box.change(MQTT={"Broker": BROKER})
    page.open(box, "cloud")
    page.choose("/MQTT/CA", "ca")
    for name, content in (("binary", bytes(range(256)) * 8), ("huge", b"\xff" * 500_000)):
        (tmp_path / name).write_bytes(content)
        page.find("#form-cloud input[type=file]").send_keys(str(tmp_path / name))
        page.until("the file", "return document.getElementById('ca').value.length > 1000")
        page.save("cloud")
        page.until_text("#view-cloud", lambda _: page.find("#ca").get_attribute("aria-invalid") == "true", name)
        assert len(page.text("#ca-complaint").split("Not accepted: ")[1]) > 5
        page.fill("ca", "")
    assert box.config()["MQTT"]["CA"] == ""


def test_trust_is_chosen_with_the_keyboard_alone(page, box):
    box.reset()
    box.change(MQTT={"Broker": BROKER})
    page.open(box, "cloud")
    page.until("the settings", "return document.querySelector('[name=MqttTrust]').checkVisibility()")
    page.run("document.querySelector('[name=MqttTrust]').focus()")
    page.browser.switch_to.active_element.send_keys(Keys.ARROW_DOWN)
    page.browser.switch_to.active_element.send_keys(Keys.TAB)
    assert page.run("return document.activeElement.id") == "ca"
    page.browser.switch_to.active_element.send_keys(Keys.TAB)
    name = page.run("return document.activeElement.getAttribute('aria-label')")
    assert name == "Choose a file: CA certificates (PEM)"


def test_a_broker_is_set_up_and_shown(page, other_box, broker, tmp_path):
    """All of it with a real one: TLS with an authority of one's own, then in the clear, then away."""
    names = ("-addext", "subjectAltName=IP:127.0.0.1")
    certificate, _ = make_certificate(tmp_path, "broker", extensions=names)
    secure = broker(f"certfile {tmp_path}/own.crt", f"keyfile {tmp_path}/own.key")
    box = other_box("sim:dsmr50")
    page.open(box, "cloud")
    page.until_text("#mqtt-now", "off")
    page.fill("broker", f"mqtts://127.0.0.1:{secure.port}")
    page.saved("cloud")
    page.until_text("#mqtt-now", "certificate", "the reason, with the system's authorities")
    page.choose("/MQTT/CA", "ca")
    page.fill("ca", certificate)
    page.saved("cloud")
    page.until_text("#mqtt-now", "connected over TLS with MQTT 5")
    page.until_text('[data-light="MQTT"]', "connected")
    wait_until(lambda: page.facts("mqtt-now")["Messages sent"] not in ("0", "unknown"), "messages")
    plain = broker()
    page.fill("broker", plain.url)
    page.saved("cloud")
    page.until_text("#mqtt-now", "connected without encryption, with MQTT 5")
    plain.stop()
    wait_until(lambda: page.facts("mqtt-now")["Readings that wait"] not in ("none", "1"), "readings that wait")
    assert page.facts("mqtt-now")["Connection"] == "connecting"
    assert page.complaints() == []


def test_what_mqtt_does_is_told(page, box):
    box.reset()
    page.open(box, "cloud")
    page.until_text("#mqtt-now", "off")
    state = box.api("GET", "/api/v1/status")[1]["State"]
    state["MQTT"].update(Ok=True, State="connected", Host="10.0.0.5", Port=1883, Version="3.1.1", TLS=True,
                         Waiting=1234, DiskBytes=3 * 1024 * 1024, KeepProblem="state: no space <b>left</b>",
                         LastRefusal="it is expired")
    state["Counters"].update(mqtt_sent_late=12, mqtt_dropped=3, mqtt_commands=4, mqtt_commands_refused=5)
    page.hear(state)
    facts = page.facts("mqtt-now")
    assert facts["Connection"] == "connected over TLS with MQTT 3.1.1"
    assert facts["Readings that wait"] == "1,234 (3.0 MiB on disk)"
    assert [facts[name] for name in ("Sent late", "Never sent", "Commands done", "Commands refused",
                                     "Last refused because")] == ["12", "3", "4", "5", "it is expired"]
    assert page.find("#keep-problem").text == "Readings cannot be kept on disk: state: no space <b>left</b>"
    page.screenshot("mqtt")
    page.speak("nl")
    assert page.facts("mqtt-now")["Verbinding"] == "verbonden via TLS met MQTT 3.1.1"
    page.speak("en")
    state["MQTT"].update(Waiting=3, DiskBytes=2048, KeepProblem=None, LastRefusal=None)
    page.run("seen.sources.at(-1).dispatchEvent(new MessageEvent('state', {data: arguments[0]}))", json.dumps(state))
    assert page.facts("mqtt-now")["Readings that wait"] == "3 (2.0 KiB on disk)"
    assert "Last refused because" not in page.facts("mqtt-now") and not page.find("#keep-problem").is_displayed()


# --- the certificate -----------------------------------------------------------------------------

def install(page, certificate, key):
    for name, text in (("certificate", certificate), ("key", key)):
        page.run("document.getElementById(arguments[0]).value = arguments[1]", f"own-{name}", text)
    page.press("#form-certificate [type=submit]")


def certificate_said(page, text):
    page.until_text("#form-certificate [role=status]", text)


def test_the_certificate_for_the_broker_is_shown_and_taken_along(page, box):
    box.reset()
    page.open(box, "cloud")
    told = box.api("GET", CERTIFICATE)[1]
    facts = page.facts("certificate-now")
    assert facts["In use"] == "the device’s own" and facts["Subject"] == told["Subject"] == f"CN={harness.SERIAL}"
    assert facts["SHA-256 fingerprint"] == told["SHA256"]
    assert facts["SHA-256 of the public key"] == told["KeySHA256"]
    assert told["NotAfter"][:4] in facts["Valid until"]
    assert not page.find("#certificate-back").is_displayed()
    page.press("#certificate-get")
    assert page.until("the file", "return seen.blobs[0]") == told["Certificate"]
    page.press("#certificate-copy")
    page.until_text("#form-certificate [role=status]", lambda text: re.search("[Cc]op", text))
    assert page.find("#certificate").is_displayed() and page.text("#certificate") == told["Certificate"]
    page.screenshot("certificate")


def test_a_certificate_of_ones_own_is_installed_and_removed(page, box, tmp_path):
    """Pasted, and from files.  Its key is nowhere in the page afterwards."""
    box.reset()
    certificate, key = make_certificate(tmp_path)
    page.open(box, "cloud")
    device = page.facts("certificate-now")
    install(page, certificate, key)
    certificate_said(page, "Installed.")
    facts = page.facts("certificate-now")
    assert facts["In use"] == "one that was installed" and facts["Subject"] == "CN=owner's box"
    assert box.api("GET", CERTIFICATE)[1]["SHA256"] == facts["SHA-256 fingerprint"] != device["SHA-256 fingerprint"]
    kept = page.run("return document.documentElement.outerHTML + [...document.querySelectorAll('input, textarea')]"
                    ".map(input => input.value).join()")
    assert not [line for line in secrets_of(key) if line in kept]
    page.press("#certificate-back button")
    certificate_said(page, "The device’s own certificate is in use again.")
    assert page.facts("certificate-now") == device
    assert not page.find("#certificate-back").is_displayed()
    for chooser, name in zip(page.browser.find_elements(By.CSS_SELECTOR, "#form-certificate input[type=file]"),
                             ("own.crt", "own.key")):
        chooser.send_keys(str(tmp_path / name))
    page.until("the files", "return document.getElementById('own-key').value")
    page.press("#form-certificate [type=submit]")
    certificate_said(page, "Installed.")
    assert page.facts("certificate-now") == facts
    page.open(box, "cloud")
    assert page.facts("certificate-now") == facts
    assert page.complaints() == []
    box.reset()


def test_a_refused_certificate_is_explained_beside_its_field(page, box, tmp_path):
    box.reset()
    certificate, key = make_certificate(tmp_path)
    (tmp_path / "k").write_text(key)
    locked = openssl("pkey", "-in", str(tmp_path / "k"), "-aes128", "-passout", "pass:secret")
    other = make_certificate(tmp_path)[1]
    before = box.api("GET", CERTIFICATE)[1]
    page.open(box, "cloud")
    cases = [("", key, "certificate", "Fill this in."), (certificate, "", "key", "Fill this in."),
             ("nonsense", key, "certificate", "Not accepted: "),
             (certificate, other, "key", "not that of the certificate"),
             (certificate, locked, "key", "passphrase"), (key, key, "certificate", "holds a private key")]
    for ours, our_key, blamed, says in cases:
        install(page, ours, our_key)
        field = page.find(f"#own-{blamed}")
        wait_until(lambda: field.get_attribute("aria-invalid") == "true", f"a complaint at {blamed}")  # noqa: B023
        assert says in page.text(f"#own-{blamed}-complaint")
        assert f"own-{blamed}-complaint" in field.get_attribute("aria-describedby").split()
        assert page.run("return document.activeElement") == field
        assert len(page.run("return [...document.querySelectorAll('#form-certificate .complaint')]")) == 1
        assert page.text("#form-certificate [role=alert]").startswith("Not saved.")
        field.send_keys(Keys.END, " ")
        assert field.get_attribute("aria-invalid") is None
    assert len(page.run("return seen.posts")) == sum(says != "Fill this in." for *_, says in cases)
    page.speak("fr")
    install(page, certificate, "")
    page.until_text("#own-key-complaint", "À remplir.")
    page.speak("en")
    assert page.text("#own-key-complaint").startswith("Fill this in.")
    assert box.api("GET", CERTIFICATE)[1] == before
    assert page.run("return seen.problems") == []


def test_an_expired_certificate_is_called_so(page, box):
    page.open(box, "cloud")
    told = {**box.api("GET", CERTIFICATE)[1], "NotAfter": "2001-02-03T04:05:06Z"}
    page.run("const told = arguments[0]; seen.answer = () => new Response(told)", json.dumps(told))
    install(page, "any", "any")
    certificate_said(page, "Installed.")
    page.run("seen.answer = null")
    assert re.fullmatch(r"3 Feb 2001.* \(expired\)", page.facts("certificate-now")["Valid until"])
