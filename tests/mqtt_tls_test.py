"""MQTT over TLS: who is trusted, who is not and what is told of it, and that nobody learns a thing before that.
Certificates are made by openssl's command; the broker is mosquitto, and a peer in Python where it must misbehave."""
import base64
import calendar
import contextlib
import os
import pathlib
import re
import signal
import socket
import ssl
import struct
import subprocess
import threading
import time

import pytest

from fake_clock import LIBRARIES, FakeClock
from figures import note
from harness import SERIAL, assert_nobody_waited, marked, wait_until
from page_kit import CERTIFICATE, CONFIG, STATUS, connects, metric
from page_kit import fixture_box, fixture_shared  # noqa: F401
from pki import DAY, HERE, HOUR, YEAR, Authority, Pair, TlsBroker, openssl

TOPIC = f"devices/default/smart-connect/{SERIAL}"
SOAK = os.environ.get("SOAK") == "1"
HANDSHAKE_S = 10  # a peer gets so long for both handshakes, TLS and MQTT
PASSWORD = "c0rrect-horse"


# --- who takes part ----------------------------------------------------------------------------

@pytest.fixture(name="authority", scope="module")
def fixture_authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("pki"), "House CA")


@pytest.fixture(name="other", scope="module")
def fixture_other(tmp_path_factory):
    """An authority nobody is told of."""
    return Authority(tmp_path_factory.mktemp("pki"), "Other CA")


@pytest.fixture(name="good", scope="module")
def fixture_good(authority):
    """A broker's certificate as it should be."""
    return authority.issue("broker", *HERE)


@pytest.fixture(name="tls_broker")
def fixture_tls_broker(tmp_path):
    """tls_broker(PAIR, SETTING...): starts a mosquitto that shows this certificate."""
    started = []

    def start(pair, *settings, **how):
        started.append(TlsBroker(tmp_path, pair, *settings, **how))
        return started[-1]
    yield start
    for one in started:
        one.stop()


@pytest.fixture(name="peer")
def fixture_peer():
    """peer(SCRIPT, CONTEXT): starts a Peer."""
    started = []

    def start(*arguments, **how):
        started.append(Peer(*arguments, **how))
        return started[-1]
    yield start
    for one in started:
        one.close()


@pytest.fixture(name="at")
def fixture_at(shared):
    """at(URL, CA, NAME=VALUE...): the shared box with this broker."""
    def go(url, ca="", **more):
        shared.patch(MQTT={"Broker": url, "CA": ca, **more})
        return shared
    yield go
    shared.patch(MQTT={"Broker": "", "CA": "", "Username": "", "Password": ""})


class Conversation:
    """A connection to a Peer: `raw` is what came over the wire, `said` what it held once it was decrypted."""

    def __init__(self, connection, context):
        self.socket, self.raw, self.said, self.error = connection, b"", b"", None
        self.began, self.ended = time.monotonic(), None
        self.socket.settimeout(30)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context and context.wrap_bio(self.incoming, self.outgoing, server_side=True)

    def receive(self):
        data = self.socket.recv(65536)
        self.raw += data
        return data

    def flush(self):
        data = self.outgoing.read()
        if data:
            self.socket.sendall(data)

    def step(self, call):
        """Does something with TLS, and reads as long as that needs more."""
        while True:
            try:
                result = call()
                self.flush()
                return result
            except ssl.SSLWantReadError:
                self.flush()
                data = self.receive()
                if data:
                    self.incoming.write(data)
                else:
                    self.incoming.write_eof()
            except ssl.SSLError as e:
                self.error = e
                with contextlib.suppress(OSError):
                    self.flush()
                raise

    def shake_hands(self):
        self.step(self.tls.do_handshake)

    def read(self):
        """More of what is said; b"": the end."""
        if not self.tls:
            data = self.receive()
        else:
            try:
                data = self.step(lambda: self.tls.read(65536))
            except ssl.SSLEOFError:
                data = b""
        self.said += data
        return data

    def write(self, data):
        if self.tls:
            self.step(lambda: self.tls.write(data))
        else:
            self.socket.sendall(data)

    def read_to_the_end(self):
        while self.read():
            pass


class Peer:
    """Stands where a broker should: each connection runs `script(conversation)`, after a handshake if it has a
    context and `shakes`."""

    def __init__(self, script=Conversation.read_to_the_end, context=None, shakes=True):
        self.script, self.context, self.shakes = script, context, shakes
        self.conversations = []
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        self.url = f"{'mqtts' if context else 'mqtt'}://localhost:{self.port}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                one = Conversation(self.listening.accept()[0], self.context)
                self.conversations.append(one)
                threading.Thread(target=self.talk, args=[one], daemon=True).start()

    def talk(self, one):
        with one.socket, contextlib.suppress(OSError):
            if one.tls and self.shakes:
                one.shake_hands()
            self.script(one)
        one.ended = time.monotonic()

    def wait(self, number=1):
        """The latest of at least so many conversations that are over."""
        over = wait_until(lambda: len([c for c in self.conversations if c.ended]) >= number and
                          [c for c in self.conversations if c.ended], f"{number} conversations")
        return over[-1]

    def close(self):
        self.listening.close()
        for one in self.conversations:
            with contextlib.suppress(OSError):
                one.socket.shutdown(socket.SHUT_RDWR)


def mqtt(state):
    return state.state()["MQTT"]


def wait_state(one, accept, seconds=20):
    """Until what the API says of MQTT is accepted; that."""
    said = {}
    try:
        return wait_until(lambda: accept(said := mqtt(one)) and said, "the state of MQTT", seconds)
    except AssertionError as e:
        raise AssertionError(f"{said}\n{one.server.stderr()[-3000:]}") from e


def wait_connected(one):
    """Until the box is at its broker; what the API says of that."""
    return wait_state(one, lambda said: said["Ok"])


def wait_told(one, pattern):
    """Until the reason why there is no connection is told, by the API and in the log."""
    said = wait_state(one, lambda said: re.search(pattern, said["Detail"]))
    assert (said["State"], said["Ok"], said["Version"], said["TLS"]) == ("connecting", False, None, None), said
    assert one.server.log(rf"warning.* mqtt: {re.escape(said['Host'])} port {said['Port']}: .*({pattern}).*; trying")


def seen_as(broker):
    """The user name mosquitto took from our latest connection."""
    found = re.findall(rf"New client connected from \S+ as smart-connect-{SERIAL} \((.*)\)", broker.process.stderr())
    named = re.search(r"u'(.*)'", found[-1])
    return named and named.group(1)


def is_sanitized(process):
    return "libasan" in pathlib.Path(f"/proc/{process.pid}/maps").read_text()


# --- who is trusted ----------------------------------------------------------------------------

def as_file(folder, text):
    path = folder / "trusted.pem"
    path.write_text(text)
    return str(path)


def hashed_folder(folder, authority):
    """As /etc/ssl/certs is made."""
    place = folder / "certs"
    place.mkdir()
    (place / "house.pem").write_text(authority.text())
    openssl("rehash", place)
    return str(place)


def in_base64(pin):
    return "sha256:" + base64.b64encode(bytes.fromhex(pin.removeprefix("sha256:"))).decode()


# name: (the broker's certificate, how the gateway is told whom to trust: options and environment)
TRUSTED = {
    "system's file": lambda a, _f: (a.issue("b", *HERE), [],
                                    {"SSL_CERT_FILE": str(a.certificate), "SSL_CERT_DIR": "/x"}),
    "system's folder": lambda a, f: (a.issue("b", *HERE), [],
                                     {"SSL_CERT_FILE": "/x", "SSL_CERT_DIR": hashed_folder(f, a)}),
    "CA file": lambda a, _f: (a.issue("b", *HERE), ["--mqtt-ca", str(a.certificate)], {}),
    "one of several": lambda a, f: (a.issue("b", *HERE),
                                    ["--mqtt-ca", as_file(f, Authority(f, "First").text() + a.text())], {}),
    "through one between": lambda a, f: ((m := Authority(f, "Between", parent=a)).chain(m.issue("b", *HERE)),
                                         ["--mqtt-ca", str(a.certificate)], {}),
    "one between alone": lambda a, f: ((m := Authority(f, "Between", parent=a)).issue("b", *HERE),
                                       ["--mqtt-ca", str(m.certificate)], {}),
    "pin": lambda a, _f: ((p := a.issue("b", *HERE)), ["--mqtt-ca", p.pin()], {}),
    "pin in base64": lambda a, _f: ((p := a.issue("b", *HERE)), ["--mqtt-ca", in_base64(p.pin())], {}),
    "pin, whatever the name": lambda a, _f: ((p := a.issue("b", "DNS:else.example")), ["--mqtt-ca", p.pin()], {}),
    "self-signed, pinned": lambda a, _f: ((p := a.self_signed("b", *HERE)), ["--mqtt-ca", p.pin()], {}),
    "self-signed, as CA": lambda a, _f: ((p := a.self_signed("b", *HERE)), ["--mqtt-ca", str(p.certificate)], {}),
    "name among others": lambda a, _f: (a.issue("b", "DNS:x.example", "DNS:LOCALHOST"),
                                        ["--mqtt-ca", str(a.certificate)], {}),
}


@pytest.mark.parametrize("case", TRUSTED)
def test_brokers_that_are_trusted(gateway, tls_broker, subscriber, authority, tmp_path, case):
    pair, options, env = TRUSTED[case](authority, tmp_path)
    broker = tls_broker(pair)
    watch = subscriber(broker)
    server = gateway("sim:dsmr50", "--mqtt", broker.url, *options, env=env)
    server.wait_log(rf"connected to localhost port {broker.tls_port}, MQTT 5 over TLS$")
    watch.wait("data/power_instant")
    assert not server.log("warning|error")


def test_address_of_a_broker_stands_in_its_certificate(gateway, tls_broker, authority, tmp_path):
    """As such, IPv4 and IPv6."""
    broker = tls_broker(authority.issue("b", "IP:127.0.0.1"), host="127.0.0.1")
    gateway("sim:dsmr50", "--mqtt", broker.url, "--mqtt-ca", str(authority.certificate)).wait_log("MQTT 5 over TLS")
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as door:
        server = gateway("sim:dsmr50", "--mqtt", f"mqtts://[::1]:{door.getsockname()[1]}", "--mqtt-ca",
                         str(authority.certificate))
        one = Conversation(door.accept()[0], authority.issue("b", "IP:::1").server_context())
        with one.socket:
            one.shake_hands()
            assert one.read()[0] == 0x10, "CONNECT"
        server.stop()


def test_trust_set_through_the_api(box, tls_broker, authority, other, good):
    """It is used at once, and kept."""
    broker = tls_broker(good)
    one = box("--mqtt", broker.url)
    wait_told(one, r"not signed by an authority trusted here \(issuer CN=House CA\): set MQTT/CA")
    for right in (authority.text(), good.pin(), in_base64(good.pin()), good.text()):
        before = connects(broker)
        assert one.patch(MQTT={"CA": right})["MQTT"]["CA"]
        said = wait_connected(one)
        assert (said["State"], said["Version"], said["TLS"], said["Detail"]) == ("connected", "5", True, "")
        wait_until(lambda: connects(broker) > before, "another connection")
        one.patch(MQTT={"CA": other.text()})
        wait_told(one, r"not signed by one of MQTT/CA \(issuer CN=House CA\)")
    one.patch(MQTT={"CA": authority.text()})
    wait_connected(one)
    one.restart()
    wait_connected(one)
    one.patch(MQTT={"CA": ""})
    wait_told(one, "not signed by an authority trusted here")


# --- who is not --------------------------------------------------------------------------------

# name: (the broker's certificate, MQTT/CA, what is told)
REFUSED = {
    "wrong CA": lambda a, o, _f: (o.issue("b", *HERE), a.text(),
                                  r"not signed by one of MQTT/CA \(issuer CN=Other CA\): set it to the broker's CA"),
    "CA unknown to the system": lambda _a, o, _f: (
        o.issue("b", *HERE), "", r"not signed by an authority trusted here \(issuer CN=Other CA\): set MQTT/CA"),
    "expired": lambda a, _o, _f: (a.issue("b", *HERE, starts=-30 * DAY, ends=-HOUR), a.text(),
                                  r"certificate ended on \d{4}-\d\d-\d\d.*: it has to be renewed"),
    "not yet valid": lambda a, _o, _f: (a.issue("b", *HERE, starts=HOUR), a.text(),
                                        r"valid only from \d{4}-\d\d-\d\d.*: is this box's clock right\?"),
    "wrong name": lambda a, _o, _f: (a.issue("b", "DNS:else.example", "IP:192.0.2.1"), a.text(),
                                     "certificate is for else.example, 192.0.2.1, not for localhost"),
    "wildcard of one label": lambda a, _o, _f: (a.issue("b", "DNS:*"), a.text(), "not for localhost"),
    "common name alone": lambda a, _o, _f: (a.issue("localhost"), a.text(),
                                            "names no host.*: make it anew with subjectAltName=DNS:localhost"),
    "self-signed": lambda a, _o, _f: (a.self_signed("b", *HERE), "",
                                      "signed by itself and not trusted here: set MQTT/CA"),
    "self-signed, another as CA": lambda a, _o, _f: (a.self_signed("b", *HERE), a.self_signed("b2", *HERE).text(),
                                                     "signed by itself and not trusted here: set MQTT/CA"),
    "same name, another key": lambda a, _o, f: (Authority(f, "House CA").issue("b", *HERE), a.text(),
                                                "wrong signature|not signed by one of MQTT/CA"),
    "other key than the pinned": lambda a, _o, _f: (
        (p := a.issue("b", *HERE)), a.issue("b", *HERE).pin(),
        f"the broker's key is {p.pin()}, not the one set in MQTT/CA"),
    "pinned, but expired": lambda a, _o, _f: ((p := a.issue("b", *HERE, starts=-DAY, ends=-HOUR)), p.pin(),
                                              r"certificate ended on \d{4}"),
    "pinned, not yet valid": lambda a, _o, _f: ((p := a.issue("b", *HERE, starts=HOUR)), p.pin(), "valid only from"),
    "a pinned authority": lambda a, _o, _f: (a.chain(a.issue("b", *HERE)), a.pin(), "not the one set in MQTT/CA"),
    "for a client": lambda a, _o, _f: (a.issue("b", *HERE, usage="clientAuth"), a.text(), "not for a TLS server"),
    "one between is not sent": lambda a, _o, f: (Authority(f, "Between", parent=a).issue("b", *HERE), a.text(),
                                                 r"issuer CN=Between\).*whole chain"),
    "one between has expired": lambda a, _o, f: expired_between(a, f),
    "signed by what is no authority": lambda a, _o, f: signed_by_a_leaf(a, f),
}


def leaf_of(signer, authority, *names):
    """A certificate that `signer`, of whatever kind, has signed."""
    request, pair = authority.request("b")
    authority.sign(request, pair, ("-cert", signer.certificate, "-keyfile", signer.key), names)
    path = pair.certificate.with_suffix(".chain")
    path.write_text(pair.text() + signer.text())
    return Pair(path, pair.key)


def expired_between(authority, _folder):
    between = authority.issue("Between", constraints="CA:TRUE", usage=None, starts=-30 * DAY, ends=-HOUR)
    return (leaf_of(between, authority, *HERE), authority.text(),
            r"the authority's certificate \(CN=Between\) ended on")


def signed_by_a_leaf(authority, _folder):
    leaf = authority.issue("leaf", "DNS:leaf.example")
    return leaf_of(leaf, authority, *HERE), authority.text(), "not that of an authority"


@pytest.mark.parametrize("case", REFUSED)
def test_brokers_that_are_not_trusted(at, tls_broker, authority, other, tmp_path, case):
    """The log and the API say what is wrong with them, and what to do."""
    pair, trust, told = REFUSED[case](authority, other, tmp_path)
    broker = tls_broker(pair)
    wait_told(at(broker.url, trust), told)
    assert not connects(broker)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["TLS 1.2", "TLS 1.3"])
@pytest.mark.parametrize("case", ["wrong CA", "expired", "wrong name", "self-signed", "other key than the pinned"])
def test_nothing_is_said_to_a_broker_before_it_is_verified(at, peer, authority, other, tmp_path, version, case):
    """Behind its first message it gets an alert: neither name nor password, nor our certificate."""
    pair, trust, told = REFUSED[case](authority, other, tmp_path)
    fake = peer(context=pair.server_context(minimum_version=version, maximum_version=version))
    wait_told(at(fake.url, trust, Username="meter", Password=PASSWORD), told)
    one = fake.wait()
    assert one.error and "alert" in str(one.error).lower(), one.error
    assert one.said == b"" and PASSWORD.encode() not in one.raw and b"MQTT" not in one.raw
    hello = 5 + struct.unpack(">H", one.raw[3:5])[0]
    assert one.raw[0] == 22 and len(one.raw) - hello <= 6 + 24, "change_cipher_spec and an alert, not more"
    assert len(fake.conversations) == 1, "a refused certificate is no reason to try an older MQTT"


def test_broker_is_asked_for_by_its_name(gateway, peer, good):
    """Server name indication, RFC 6066: a broker may have several certificates."""
    asked = []
    context = good.server_context(sni_callback=lambda _s, name, _c: asked.append(name))
    fake = peer(context=context)
    gateway("sim:dsmr50", "--mqtt", fake.url, "--mqtt-ca", good.pin())
    wait_until(lambda: asked, "the name")
    assert asked[0] == "localhost"


# --- old TLS, none, or where none is expected --------------------------------------------------

@pytest.fixture(name="s_server")
def fixture_s_server(good):
    """s_server(OPTION...): openssl's server; its port."""
    started = []

    def start(*options):
        one = subprocess.Popen(["openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", str(good.certificate), "-key",
                                str(good.key), *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL)
        started.append(one)
        for line in one.stdout:
            if found := re.match(rb"ACCEPT \S*:(\d+)", line):
                return int(found.group(1))
        raise AssertionError("openssl s_server does not listen")
    yield start
    for one in started:
        one.kill()
        one.communicate()


def test_broker_of_an_old_tls(at, s_server, good):
    port = s_server("-tls1_1", "-cipher", "ALL:@SECLEVEL=0")
    wait_told(at(f"mqtts://localhost:{port}", good.pin()), "must speak TLS 1.2 or later")


def secure(url):
    return url.replace("mqtt:", "mqtts:")


def says(data):
    """A script: answers the first bytes with these, without TLS."""
    return lambda c: (c.receive(), c.socket.sendall(data), c.receive())


# A ServerHello of TLS 1.1.
OLD_HELLO = b"\x16\x03\x02\x00\x2a" + b"\x02\x00\x00\x26\x03\x02" + bytes(32) + b"\x00\xc0\x09\x00"


@pytest.mark.parametrize("answer,told", [
    (OLD_HELLO, "speaks an old TLS only: it must speak TLS 1.2 or later"),
    (b"HTTP/1.1 400 Bad Request\r\n\r\n", "does not speak TLS: is this the broker's port for TLS")],
    ids=["TLS 1.1", "web server"])
def test_answers_that_are_no_handshake(at, peer, good, answer, told):
    wait_told(at(secure(peer(says(answer)).url), good.pin()), told)


def test_port_without_tls_under_a_tls_url(at, tls_broker, good):
    """The broker hangs up on what it takes for nonsense."""
    wait_told(at(secure(tls_broker(good).plain_url), good.pin()), "is this (the broker's|its) port for TLS")


def test_port_for_tls_under_a_plain_url(at, tls_broker, good):
    wait_told(at(f"mqtt://localhost:{tls_broker(good).tls_port}"), "its port for TLS, set MQTT/Broker to mqtts://")


# --- who we are --------------------------------------------------------------------------------

def guest_list(folder, *names):
    """Who may write: nobody but these, each below its own serial number; and all may read."""
    path = folder / "acl"
    path.write_text("\n".join(["topic read #", *(f"user {n}\ntopic write devices/default/smart-connect/{n}/#"
                                                for n in names), ""]))
    return f"acl_file {path}"


@pytest.fixture(name="mutual")
def fixture_mutual(at, shared, tls_broker, authority, good, tmp_path):
    """mutual(NAME...): a box, and a broker that knows its certificate and lets these names write: both."""
    def make(*names):
        known = tmp_path / "clients.pem"
        known.write_text(shared.get(CERTIFICATE)["Certificate"])
        broker = tls_broker(good, f"cafile {known}", "require_certificate true", "use_identity_as_username true",
                            guest_list(tmp_path, *names))
        return at(broker.url, authority.text()), broker
    return make


def test_device_certificate_identifies_the_box(mutual, subscriber):
    """Its serial number is the user name, by which the broker lets it write."""
    one, broker = mutual(SERIAL)
    watch = subscriber(broker)
    wait_connected(one)
    assert seen_as(broker) == SERIAL
    assert watch.wait("data/power_instant").topic == f"{TOPIC}/data/power_instant"
    assert watch.wait("/status").payload == "online"


def messages(one, result):
    return metric(one.metrics(), "mqtt_messages_total", result=result)


def test_another_identity_may_not_write(mutual, subscriber):
    """What the broker refuses is counted, and costs no connection."""
    one, broker = mutual("AABBCCDDEEFF")
    watch = subscriber(broker)
    before = messages(one, "failed")
    wait_connected(one)
    wait_until(lambda: messages(one, "failed") > before + 2, "refused messages")
    assert not watch.messages and mqtt(one)["Ok"] and connects(broker) == 1


@pytest.mark.parametrize("version,times", [("tlsv1.3", 15), ("tlsv1.2", 3)])
def test_broker_that_does_not_know_our_certificate(at, tls_broker, authority, good, version, times):
    """With TLS 1.3 its alert may be overtaken by the end of the connection."""
    broker = tls_broker(good, f"cafile {authority.certificate}", "require_certificate true", f"tls_version {version}",
                        *(["ciphers ECDHE-ECDSA-AES128-GCM-SHA256"] if version == "tlsv1.2" else []))
    one = at(broker.url, good.pin())
    for _ in range(times):
        wait_told(one, r"(refuses our certificate \(alert: unknown CA\)|asked for our certificate and ended the "
                       "connection): make the certificate of this box, or its CA, known to it")
        one.reset("soft")


@pytest.mark.parametrize("version", ["tlsv1.3", "tlsv1.2"])
def test_broker_that_wants_a_certificate_and_gets_a_name(at, tls_broker, authority, good, version):
    broker = tls_broker(good, f"cafile {authority.certificate}", "require_certificate true", f"tls_version {version}",
                        *(["ciphers ECDHE-ECDSA-AES128-GCM-SHA256"] if version == "tlsv1.2" else []))
    wait_told(at(broker.url, good.pin(), Username="meter", Password=PASSWORD),
              r"refuses our certificate \(alert: (certificate required|handshake failure)\): it got none that it can "
              "use|with MQTT/Username empty this box shows one")


def test_own_certificate_is_shown_from_then_on(box, tls_broker, authority, good, subscriber):
    """Also after a restart, and no longer when it is taken back."""
    broker = tls_broker(good, f"cafile {authority.certificate}", "require_certificate true",
                        "use_identity_as_username true")
    one = box("--mqtt", broker.url, "--mqtt-ca", str(authority.certificate))
    wait_told(one, "our certificate")
    own = authority.issue("meter in the cellar", usage="clientAuth")
    answer = one.user.request("POST", CERTIFICATE, {"Certificate": own.text(), "Key": own.key_text()})
    assert answer.status == 200, answer
    wait_connected(one)
    assert seen_as(broker) == "meter in the cellar"
    before = connects(broker)
    one.restart()
    wait_connected(one)
    wait_until(lambda: connects(broker) > before, "the broker again")
    assert seen_as(broker) == "meter in the cellar"
    assert_no_key(one, own.key_text(), (one.folder / "device.key").read_text())
    assert one.user.request("POST", CERTIFICATE, {"Certificate": None}).status == 200
    wait_told(one, "our certificate")


def assert_no_key(one, *keys):
    """Neither log nor answers hold a line of them."""
    texts = [one.user.get(path).body.decode() for path in (CERTIFICATE, CONFIG, STATUS, "/metrics")]
    texts += [one.server.stdout(), one.server.stderr()]
    lines = [line for key in keys for line in key.splitlines() if len(line) > 20 and "-----" not in line]
    assert lines and not [line for line in lines if any(line in text for text in texts)]


def test_keys_stay_secret(box, tls_broker, good, other):
    """When all is well and when it is not, with the most talkative log."""
    one = box("--log-level", "debug")
    known = one.folder / "known.pem"
    known.write_text(one.get(CERTIFICATE)["Certificate"])
    broker = tls_broker(good, f"cafile {known}", "require_certificate true")
    one.patch(MQTT={"Broker": broker.url, "CA": good.pin()})
    wait_connected(one)
    one.patch(MQTT={"CA": other.pin()})
    wait_told(one, "the broker's key is")
    assert_no_key(one, (one.folder / "device.key").read_text())


def test_user_name_in_place_of_a_certificate(at, tls_broker, good, tmp_path, subscriber):
    passwords = tmp_path / "passwords"
    passwords.touch(0o600)
    subprocess.run(["mosquitto_passwd", "-b", str(passwords), "meter", PASSWORD], check=True, capture_output=True)
    broker = tls_broker(good, f"password_file {passwords}")
    one = at(broker.url, good.pin())
    wait_told(one, "refused: .*[Nn]ot authorized")
    one.patch(MQTT={"Username": "meter", "Password": PASSWORD})
    wait_connected(one)
    assert seen_as(broker) == "meter"
    watch = subscriber(broker, username="meter", password=PASSWORD)
    watch.wait("data/power_instant")
    assert PASSWORD not in one.server.stderr() + one.user.get(CONFIG).body.decode() + one.user.get(STATUS).body.decode()


@pytest.mark.parametrize("name", ["", "meter"])
def test_certificate_is_shown_where_there_is_no_user_name(at, shared, peer, good, name):
    """A broker that asks for one and takes any, RFC 8446 4.3.2."""
    device = shared.get(CERTIFICATE)["Certificate"]
    context = good.server_context()
    context.load_verify_locations(cadata=device)
    context.verify_mode = ssl.CERT_OPTIONAL
    fake = peer(lambda c: c.read(), context)
    at(fake.url, good.pin(), Username=name)
    heard = fake.wait()
    assert heard.said[0] == 0x10 and (name.encode() in heard.said)
    shown = heard.tls.getpeercert(binary_form=True)
    assert shown == (None if name else ssl.PEM_cert_to_DER_cert(device))


# --- versions of MQTT --------------------------------------------------------------------------

class Packets:
    """MQTT packets out of a conversation."""

    def __init__(self, conversation):
        self.conversation, self.buffer = conversation, b""

    def take(self, n):
        while len(self.buffer) < n:
            data = self.conversation.read()
            if not data:
                raise EOFError
            self.buffer += data
        taken, self.buffer = self.buffer[:n], self.buffer[n:]
        return taken

    def next(self):
        """First byte and rest of the next packet."""
        first, length, shift = self.take(1)[0], 0, 0
        while True:
            byte = self.take(1)[0]
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return first, self.take(length)


def fields(data, count):
    """As many length-prefixed byte strings."""
    found = []
    for _ in range(count):
        length = struct.unpack(">H", data[:2])[0]
        found.append(data[2:2 + length])
        data = data[2 + length:]
    assert not data
    return found


class OldBroker:
    """Speaks MQTT 3.1.1 and nothing newer: the script of a peer."""

    def __init__(self, refuse):
        """`refuse(conversation)`: what it does when others come."""
        self.refuse, self.versions, self.connect, self.published = refuse, [], None, []

    def __call__(self, conversation):
        packets = Packets(conversation)
        with contextlib.suppress(EOFError):
            first, connect = packets.next()
            assert first == 0x10 and connect[:6] == b"\x00\x04MQTT"
            self.versions.append(connect[6])
            if connect[6] != 4:
                self.refuse(conversation)
                return
            self.connect = connect
            conversation.write(b"\x20\x02\x00\x00")
            while True:
                self.serve(conversation, *packets.next())

    def serve(self, conversation, first, data):
        if first >> 4 == 3:
            length = struct.unpack(">H", data[:2])[0]
            topic, number, payload = data[2:2 + length], data[2 + length:4 + length], data[4 + length:]
            assert first & 0x06 == 2, "QoS 1"
            self.published.append((topic.decode(), payload, bool(first & 1)))
            conversation.write(b"\x40\x02" + number)
        elif first >> 4 == 8:
            conversation.write(b"\x90\x03" + data[:2] + b"\x01")
        elif first == 0xC0:
            conversation.write(b"\xd0\x00")


def reset(conversation):
    """RST, when it is closed."""
    conversation.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


REFUSALS = {"return code 1": lambda c: c.write(b"\x20\x02\x00\x01"),
            "code 1 as MQTT 5": lambda c: c.write(b"\x20\x03\x00\x84\x00"),
            "hangs up": lambda c: None, "resets": reset}


@pytest.mark.parametrize("tls", [True, False], ids=["TLS", "plain"])
@pytest.mark.parametrize("refusal", REFUSALS)
def test_broker_of_the_older_mqtt(at, peer, good, refusal, tls):
    """It gets all that it would with MQTT 5: name, last will, retained status, readings; and so from then on."""
    old = OldBroker(REFUSALS[refusal])
    door = peer(old, good.server_context() if tls else None)
    one = at(door.url, good.pin(), Username="meter", Password=PASSWORD)
    before = messages(one, "acknowledged")
    said = wait_connected(one)
    assert (said["Version"], said["TLS"]) == ("3.1.1", tls)
    assert one.server.log(f"connected to localhost port {door.port}, MQTT 3.1.1" + (" over TLS$" if tls else "$"))
    assert old.versions == [5, 4] and not one.server.log(rf"warning.* port {door.port}\b")
    flags, keepalive = old.connect[7], struct.unpack(">H", old.connect[8:10])[0]
    assert flags == 0b11101110 and keepalive == 30, "name, password, will: retained, QoS 1; clean session"
    assert fields(old.connect[10:], 5) == [f"smart-connect-{SERIAL}".encode(), f"{TOPIC}/status".encode(), b"offline",
                                           b"meter", PASSWORD.encode()]
    wait_until(lambda: any(t.endswith("power_instant") for t, _, _ in old.published), "a reading")
    assert old.published[0] == (f"{TOPIC}/status", b"online", True)
    assert not [t for t, _, retained in old.published if retained and not t.endswith("status")]
    wait_until(lambda: messages(one, "acknowledged") > before + 2, "acknowledgements")
    if refusal in ("return code 1", "resets"):
        door.conversations[-1].socket.shutdown(socket.SHUT_RDWR)
        asked = [4] if refusal == "return code 1" else [5, 4]  # a reset may have had another reason
        wait_until(lambda: old.versions == [5, 4, *asked], "the next connection")


# --- the clock is wrong ------------------------------------------------------------------------

def faked(folder, year):
    """The environment of a program whose clock starts on the 2nd of January of that year."""
    if not LIBRARIES:
        pytest.skip("no libfaketime: ./bootstrap test brings it")
    return FakeClock(folder, calendar.timegm((year, 1, 2, 0, 0, 0)) - int(time.time())).env


@pytest.fixture(name="box_of")
def fixture_box_of(box, tcp_meter, authority, tmp_path):
    """box_of(YEAR, BROKER, knows=UTC): a box that starts in that year, None: now, and once knew this time."""
    def make(year, broker, knows=None):
        if knows is not None:
            (tmp_path / "state").mkdir()
            (tmp_path / "state" / "clock").write_text(f"{int(knows)}\n")
        one = box("--mqtt", broker.url, "--mqtt-ca", str(authority.certificate), meter=tcp_meter.url,
                  env=faked(tmp_path, year) if year else None)
        tcp_meter.accept()
        return one
    return make


@pytest.fixture(name="coming")
def fixture_coming(tls_broker, authority):
    """A broker whose certificate is good from tomorrow for ten days: later than this program's build."""
    return tls_broker(authority.issue("b", *HERE, starts=DAY, ends=10 * DAY))


@pytest.mark.parametrize("year", [1970, 2020])
def test_meter_tells_a_box_without_a_clock_the_time(box_of, coming, tcp_meter, year):
    one = box_of(year, coming)
    wait_told(one, "valid only from .*: is this box's clock right")
    tcp_meter.send(marked(1, time.time() + 2 * DAY))
    one.server.wait_served()
    one.reset("soft")
    wait_connected(one)


@pytest.mark.parametrize("year", [1970, 2020])
def test_box_without_a_clock_knows_when_it_last_was_told_the_time(box_of, coming, year):
    """Before any telegram."""
    one = box_of(year, coming, knows=time.time() + 2 * DAY)
    wait_connected(one)
    assert (one.folder / "clock").exists()


@pytest.mark.parametrize("how", ["build", "kept", "meter"])
def test_old_certificate_stays_old_although_the_clock_says_1970(box_of, tls_broker, authority, tcp_meter, how):
    """It cannot be earlier than the build, than the time that was kept, than the meter's."""
    ends = {"build": -10 * YEAR, "kept": DAY, "meter": DAY}[how]
    broker = tls_broker(authority.issue("b", *HERE, starts=ends - 2 * DAY, ends=ends))
    one = box_of(1970, broker, knows=time.time() + 2 * DAY if how == "kept" else None)
    if how == "meter":
        tcp_meter.send(marked(1, time.time() + 2 * DAY))
        one.server.wait_served()
        one.reset("soft")
    wait_told(one, r"certificate ended on \d{4}")
    assert not re.search(rf"New client connected.*{SERIAL}", broker.process.stderr()) or how == "meter"


@pytest.mark.parametrize("meter_s", [30 * DAY, 4 * YEAR, 4070908800], ids=["30 days", "4 years", "2099"])
def test_meter_with_a_wrong_clock_spoils_nothing(box_of, tls_broker, authority, tcp_meter, meter_s):
    """Neither while the system's clock is right, nor for the next start."""
    broker = tls_broker(authority.issue("b", *HERE, ends=10 * DAY))
    one = box_of(None, broker)
    tcp_meter.send(marked(1, meter_s if meter_s > time.time() else time.time() + meter_s))
    one.server.wait_served()
    one.reset("soft")
    wait_connected(one)
    kept = one.folder / "clock"
    assert not kept.exists() or int(kept.read_text()) < time.time() + HOUR
    one.restart()
    wait_connected(one)


def test_wrong_meter_and_no_clock_end_when_the_meter_is_right_again(box_of, tls_broker, authority, tcp_meter):
    """A meter in 2099 is not believed at all, one in 2040 until it says something else."""
    broker = tls_broker(authority.issue("b", *HERE, starts=DAY, ends=10 * DAY))
    one = box_of(1970, broker)
    with one.server.client() as client:
        for n, utc_s, told in ((1, 4070908800, "valid only from"), (2, time.time() + 4 * YEAR, "certificate ended on"),
                               (3, time.time() + 2 * DAY, None)):
            tcp_meter.send(marked(n, utc_s))
            wait_until(lambda n=n: client.floats(0x8016, 1) == [n], "the telegram")
            one.reset("soft")
            if told:
                wait_told(one, told)
    wait_connected(one)


# --- handshakes that stall ---------------------------------------------------------------------

def half_a_hello(conversation):
    """The first bytes of a ServerHello that never ends."""
    conversation.receive()
    conversation.socket.sendall(b"\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03" + bytes(20))
    conversation.receive()


def drip(conversation):
    """A ServerHello byte by byte: each one is a sign of life."""
    conversation.receive()
    for byte in b"\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03" + bytes(200):
        conversation.socket.sendall(bytes([byte]))
        time.sleep(0.5)


def silent(conversation):
    """Takes all and says nothing."""
    while conversation.receive():
        pass


def silent_after_the_handshake(conversation):
    conversation.read()
    silent(conversation)


# name: (script, whether it speaks TLS)
STALLS = {"silent": (silent, False), "half a hello": (half_a_hello, False), "drips": (drip, False),
          "silent in MQTT": (silent_after_the_handshake, True)}


def assert_modbus_answers(server):
    """As quickly as ever."""
    waited = []
    with server.client() as client:
        for _ in range(50):
            begin = time.monotonic()
            assert client.exception(3, 0x8016, 2) is None
            waited.append(time.monotonic() - begin)
            time.sleep(0.01)
    assert_nobody_waited(waited)


def test_peers_that_stand_still_are_given_up(gateway, peer, tls_broker, good):
    """In a handshake after ten seconds, in which nothing is burnt and nobody else waits; later by the keepalive."""
    frozen = tls_broker(good)
    late = gateway("sim:dsmr50", "--mqtt", frozen.url, "--mqtt-ca", good.pin(), "--mqtt-keepalive", "5")
    late.wait_log("MQTT 5 over TLS")
    frozen.pause()
    paused = time.monotonic()
    stalled = {}
    for name, (script, tls) in STALLS.items():
        at = peer(script, good.server_context() if tls else None)
        server = gateway("sim:dsmr50", "--mqtt", secure(at.url), "--mqtt-ca", good.pin())
        stalled[name] = (at, server, server.cpu_seconds(), time.monotonic())
    for _, server, _, _ in stalled.values():
        assert_modbus_answers(server.wait_served())
    late.wait_log("trying again")
    assert time.monotonic() - paused < 2 * 5 + 2
    late.wait_served()
    for name, (at, server, cpu_s, since) in stalled.items():
        wait_until(lambda server=server: server.log(f"no answer within {HANDSHAKE_S} s; trying again"), name)
        used = (server.cpu_seconds() - cpu_s) / (time.monotonic() - since)
        note("outages", f"{name}: processor time", f"{100 * used:.1f} %")
        assert used < (0.1 if is_sanitized(server) else 0.03), f"{name}: {100 * used} % CPU"
        first = at.wait()
        assert HANDSHAKE_S - 1 < first.ended - first.began < HANDSHAKE_S + 2, name
    frozen.go_on()
    late.wait_log("MQTT 5 over TLS", 2)


def hello_and(end):
    def script(conversation):
        """The server's whole first flight; then an end."""
        with contextlib.suppress(ssl.SSLWantReadError):
            conversation.incoming.write(conversation.receive())
            conversation.tls.do_handshake()
        conversation.flush()
        end(conversation)
    return script


def pings(conversation):
    """PINGRESP in place of CONNACK."""
    conversation.shake_hands()
    conversation.read()
    conversation.write(b"\xd0\x00")
    conversation.read()


# name: (script, whether it speaks TLS)
ENDS = {"closes": (lambda c: c.receive(), False), "closes at once": (lambda c: None, False),
        "resets": (lambda c: (c.receive(), reset(c)), False), "resets at once": (reset, False),
        "half a hello, then closes": (lambda c: (c.receive(), c.socket.sendall(b"\x16\x03\x03\x00\x7a\x02")),
                                      False),
        "closes behind its hello": (hello_and(lambda c: None), True),
        "resets behind its hello": (hello_and(reset), True),
        "closes behind the handshake": (lambda c: c.shake_hands(), True),
        "resets behind the handshake": (lambda c: (c.shake_hands(), reset(c)), True),
        "pings": (pings, True),
        "nonsense": (says(os.urandom(2000)), False), "zeros": (says(bytes(2000)), False),
        "a huge record": (says(b"\x16\x03\x03\xff\xff" + bytes(70000)), False),
        "an alert": (says(b"\x15\x03\x03\x00\x02\x02\x28"), False)}


def test_handshakes_that_end_early(gateway, peer, good):
    """That is told once, in words of ours; the next attempt waits its time, and the meter is served."""
    ended = {}
    for name, (script, tls) in ENDS.items():
        at = peer(script, good.server_context() if tls else None, shakes=False)
        ended[name] = (at, gateway("sim:dsmr50", "--mqtt", secure(at.url), "--mqtt-ca", good.pin(), wait=False))
    for name, (at, server) in ended.items():
        server.wait_ready()
        told = server.wait_log("mqtt: .*trying again")
        print(f"{name}: {told[0].split('warning ')[1]}")
        assert not re.search("Protocol error|TLS error|errno", told[0])
        server.wait_served()
    for name, (at, server) in ended.items():
        first = at.conversations[0]
        wait_until(lambda at=at, first=first: at.conversations[-1].began - first.began > 0.9, f"{name}: once more")
        assert server.cpu_seconds() < (2 if is_sanitized(server) else 0.5), name
        assert len(server.log(" mqtt: ")) == 1, server.stderr()


def test_attempts_that_hang_do_not_pile_up(at, peer, good):
    """A thread that waits for a silent peer cannot be stopped: there are only so many, whoever asks for more."""
    quiet = peer(silent)
    one = at(secure(quiet.url), good.pin())
    for _ in range(100):
        one.reset("soft")
    assert one.server.threads() < 40 and one.server.descriptors() < 250
    assert_modbus_answers(one.server)
    quiet.close()
    wait_until(lambda: one.server.threads() <= 2, "the end of all but one", HANDSHAKE_S + 5)


# --- long lives --------------------------------------------------------------------------------

NO_DISK = ("--mqtt-keep-days", "0")  # the file of what waits is opened when it is needed, and has descriptors of its own


def figures(server):
    return server.descriptors(), server.threads(), server.rss_kib()


def settled(server, before):
    """The figures, once threads and descriptors of what ended are gone; else as they stay."""
    with contextlib.suppress(AssertionError):
        wait_until(lambda: figures(server)[:2] <= before[:2], "descriptors and threads", 3)
    return figures(server)


def test_connecting_anew_costs_nothing_in_the_long_run(box, tls_broker, subscriber, good):
    """Neither descriptors nor threads nor memory; and the last word about us is that we are online."""
    times, warm = (1000 if SOAK else 200), 20
    broker = tls_broker(good)
    one = box("--mqtt", broker.url, "--mqtt-ca", good.pin(), *NO_DISK)
    wait_connected(one)
    for n in range(times):
        if n == warm:
            before = settled(one.server, figures(one.server))
        one.reset("soft")
        wait_until(lambda n=n: connects(broker) >= n + 2, f"connection {n + 2}")
    wait_connected(one)
    after = settled(one.server, before)
    note("outages", f"{times} connections: descriptors, threads, KiB", f"{before} to {after}")
    assert after[0] <= before[0] and after[1] <= before[1]
    assert after[2] - before[2] < 1024 or is_sanitized(one.server)
    late = subscriber(broker)
    assert late.wait("/status").payload == "online"


def lets_in_and_resets(conversation):
    conversation.read()
    conversation.write(b"\x20\x03\x00\x00\x00")
    reset(conversation)


@pytest.mark.parametrize("how", ["distrusted", "cut"])
def test_failing_to_connect_costs_nothing_in_the_long_run(box, peer, authority, good, how):
    times, warm = (1000 if SOAK else 200), 20
    pair = good if how == "cut" else authority.issue("b", *HERE, starts=-DAY, ends=-HOUR)
    at = peer(lets_in_and_resets, pair.server_context())
    one = box("--mqtt", at.url, "--mqtt-ca", str(authority.certificate), *NO_DISK)
    told = "connection was lost" if how == "cut" else "ended on"
    wait_told(one, told)
    for n in range(times):
        if n == warm:
            before = settled(one.server, figures(one.server))
        one.reset("soft")
        wait_state(one, lambda said: re.search(told, said["Detail"]))
    after = settled(one.server, before)
    note("outages", f"{times} attempts, {how}: descriptors, threads, KiB", f"{before} to {after}")
    assert after[0] <= before[0] and after[1] <= before[1]
    assert after[2] - before[2] < 1024 or is_sanitized(one.server)
