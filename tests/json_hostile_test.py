"""PATCH /api/v1/config: what is no JSON, what is no setting, what does not belong together.

Nothing is half applied: after each case the configuration, its ETag and the file are what they were.
"""
import json
import socket
import threading

import pytest

from bad_inputs import bad_input, named
from harness import Gateway
from https_client import Https, serve

CONFIG = "/api/v1/config"
SYNTAX, MEANING, TOO_LARGE = 400, 422, 413


def nested(depth, start, end):
    return start * depth + end * depth


def static(**changes):
    """A good static address of the Ethernet interface, but for the changes."""
    address = {"IpAddress": "192.168.1.20", "Netmask": "24", "Gateway": "192.168.1.1", "DNS": "192.168.1.1"}
    return {"Ethernet": {"IpMode": "Static", "StaticIPv4": {**address, **changes}}}


def mqtt(**changes):
    return {"MQTT": changes}


def wifi(ssid="home", password="12345678"):
    return {"WiFi": {"ConnectionData": {"WiFiSSID": ssid, "WiFiPassword": password}}}


IP, NETMASK = "/Ethernet/StaticIPv4/IpAddress", "/Ethernet/StaticIPv4/Netmask"
GATEWAY, DNS = "/Ethernet/StaticIPv4/Gateway", "/Ethernet/StaticIPv4/DNS"
BROKER, SITE, KEEPALIVE, MQTT_PASSWORD = "/MQTT/Broker", "/MQTT/Site", "/MQTT/Keepalive", "/MQTT/Password"
SSID, PSK = "/WiFi/ConnectionData/WiFiSSID", "/WiFi/ConnectionData/WiFiPassword"

# Name: the body (bytes, or what is to be written as JSON), the status, the field that must be named.
CASES = {
    # No JSON.
    "empty": (b"", SYNTAX),
    "blanks": (b" \r\n\t ", SYNTAX),
    "trailing-comma": (b'{"MQTT":{"Site":"evil",}}', SYNTAX),
    "dup-key": (b'{"MQTT":{"Site":"good","Site":"evil"}}', SYNTAX),
    "dup-key-outside": (b'{"MQTT":{"Site":"evil"},"MQTT":{}}', SYNTAX),
    "junk-after": (b'{"MQTT":{"Site":"evil"}}x', SYNTAX),
    "two-values": (b'{"MQTT":{"Site":"evil"}}{}', SYNTAX),
    "nul-after": (b'{"MQTT":{"Site":"evil"}}\0', SYNTAX),
    "nul-before": (b'\0{"MQTT":{"Site":"evil"}}', SYNTAX),
    "cut-off": (b'{"MQTT":{"Site":"evil"}', SYNTAX),
    "single-quotes": (b"{'MQTT':{'Site':'evil'}}", SYNTAX),
    "comment": (b'{"MQTT":{"Site":"evil"}} // x', SYNTAX),
    "bom": (b'\xef\xbb\xbf{"MQTT":{"Site":"evil"}}', SYNTAX),
    "utf16": ('{"MQTT":{"Site":"evil"}}'.encode("utf-16"), SYNTAX),
    "bad-utf8": (b'{"MQTT":{"Site":"evil\xff"}}', SYNTAX),
    "bad-utf8-key": (b'{"MQTT":{"Site":"evil"},"\xc3":1}', SYNTAX),
    "overlong-utf8": (b'{"MQTT":{"Site":"evil\xc0\xaf"}}', SYNTAX),
    "utf8-surrogate": (b'{"MQTT":{"Site":"evil\xed\xa0\x80"}}', SYNTAX),
    "lone-surrogate": (b'{"MQTT":{"Site":"evil\\ud800"}}', SYNTAX),
    "u0000": (b'{"MQTT":{"Site":"evil\\u0000"}}', SYNTAX),
    "u0000-key": (b'{"MQTT":{"Site\\u0000":"evil"}}', SYNTAX),
    "raw-control": (b'{"MQTT":{"Site":"ev\nil"}}', SYNTAX),
    "bad-escape": (b'{"MQTT":{"Site":"\\x65vil"}}', SYNTAX),
    "depth-1000": (nested(1000, b'{"a":', b"}").replace(b':}', b':1}'), MEANING),
    "depth-1000-inside": (b'{"MQTT":{"Site":' + nested(1000, b"[", b"]") + b"}}", MEANING, SITE),
    "depth-30000": (nested(30000, b"[", b"]"), SYNTAX),
    "size-64KiB": (b'{"MQTT":{"Site":"evil"}}' + b" " * 65536, TOO_LARGE),
    "size-1MiB": (b'{"MQTT":{"Site":"evil"}}' + b" " * (1 << 20), TOO_LARGE),
    "size-as-allowed": (b'{"MQTT":{"Site":"' + b"e" * 60000 + b'"}}', MEANING, SITE),
    "num-1e400": (b'{"MQTT":{"Site":"evil","Keepalive":1e400}}', SYNTAX),
    "num-1e2": (b'{"MQTT":{"Site":"evil","Keepalive":1e2}}', MEANING, KEEPALIVE),
    "num-minus-0": (b'{"MQTT":{"Site":"evil","Keepalive":-0}}', MEANING, KEEPALIVE),
    "num-minus-0.0": (b'{"MQTT":{"Site":"evil"},"Meter":{"StaleAfter":-0.0}}', MEANING, "/Meter/StaleAfter"),
    "num-plus": (b'{"MQTT":{"Site":"evil","Keepalive":+30}}', SYNTAX),
    "num-leading-0": (b'{"MQTT":{"Site":"evil","Keepalive":030}}', SYNTAX),
    "num-hex": (b'{"MQTT":{"Site":"evil","Keepalive":0x1e}}', SYNTAX),
    "num-nan": (b'{"MQTT":{"Site":"evil","Keepalive":NaN}}', SYNTAX),
    "int-2^63": (b'{"MQTT":{"Site":"evil","Keepalive":9223372036854775808}}', SYNTAX),
    "int-2^32": (b'{"MQTT":{"Site":"evil","Keepalive":4294967326}}', MEANING, KEEPALIVE),
    "int-minus": (b'{"MQTT":{"Site":"evil","Keepalive":-30}}', MEANING, KEEPALIVE),
    "int-too-small": (mqtt(Site="evil", Keepalive=4), MEANING, KEEPALIVE),
    "int-too-large": (mqtt(Site="evil", Keepalive=3601), MEANING, KEEPALIVE),
    # No object of settings.
    "array-root": ([mqtt(Site="evil")], MEANING),
    "string-root": ("evil", SYNTAX),
    "number-root": (1, SYNTAX),
    "null-root": (None, SYNTAX),
    "json-patch": ([{"op": "replace", "path": SITE, "value": "evil"}], MEANING),
    "unknown-key": ({**mqtt(Site="evil"), "Nonsense": 1}, MEANING, "/Nonsense"),
    "unknown-key-inside": (mqtt(Site="evil", Nonsense={"a": {}}), MEANING, "/MQTT/Nonsense"),
    "key-wrong-case": ({"mqtt": {"Site": "evil"}}, MEANING, "/mqtt"),
    "key-wrong-case-inside": (mqtt(site="evil"), MEANING, "/MQTT/site"),
    "key-empty": ({"": 1, **mqtt(Site="evil")}, MEANING, "/"),
    "key-is-pointer": ({"MQTT/Site": "evil"}, MEANING, "/MQTT~1Site"),
    "key-tilde": ({"MQTT~1Site": "evil"}, MEANING, "/MQTT~01Site"),
    "key-prefix": ({"MQ": {"Site": "evil"}}, MEANING, "/MQ"),
    "key-1000": ({"M" * 1000: 1, **mqtt(Site="evil")}, MEANING),
    "key-state": ({"State": {"Serial": "evil"}}, MEANING, "/State"),
    "keys-1000": ({f"k{n}": n for n in range(1000)}, MEANING),
    "string-for-object": ({"MQTT": "evil"}, MEANING, "/MQTT"),
    "array-for-object": ({"MQTT": ["evil"]}, MEANING, "/MQTT"),
    "null-for-object": ({"MQTT": None}, MEANING, "/MQTT"),
    "bool-for-string": (mqtt(Site=True), MEANING, SITE),
    "number-for-string": (mqtt(Site=1), MEANING, SITE),
    "object-for-string": (mqtt(Site={"Site": "evil"}), MEANING, SITE),
    "null-for-string": (mqtt(Site=None), MEANING, SITE),
    "string-for-bool": (mqtt(Site="evil", Enabled="true"), MEANING, "/MQTT/Enabled"),
    "number-for-bool": (mqtt(Site="evil", Enabled=1), MEANING, "/MQTT/Enabled"),
    "string-for-number": (mqtt(Site="evil", Keepalive="30"), MEANING, KEEPALIVE),
    "real-for-number": (mqtt(Site="evil", Keepalive=30.0), MEANING, KEEPALIVE),
    "bool-for-number": (mqtt(Site="evil", Keepalive=True), MEANING, KEEPALIVE),
    "choice-unknown": ({"DefaultNetIf": "Bluetooth", **mqtt(Site="evil")}, MEANING, "/DefaultNetIf"),
    "choice-wrong-case": ({"DefaultNetIf": "ethernet", **mqtt(Site="evil")}, MEANING, "/DefaultNetIf"),
    "choice-empty": ({"DefaultNetIf": "", **mqtt(Site="evil")}, MEANING, "/DefaultNetIf"),
    "choice-number": ({"DefaultNetIf": 0, **mqtt(Site="evil")}, MEANING, "/DefaultNetIf"),
    # Addresses.
    "missing-part": ({"Ethernet": {"IpMode": "Static"}}, MEANING, IP),
    "ip-256": (static(IpAddress="192.168.1.256"), MEANING, IP),
    "ip-octal": (static(IpAddress="192.168.01.20"), MEANING, IP),
    "ip-hex": (static(IpAddress="0xc0.168.1.20"), MEANING, IP),
    "ip-three-parts": (static(IpAddress="192.168.1"), MEANING, IP),
    "ip-number": (static(IpAddress="3232235796"), MEANING, IP),
    "ip-trailing": (static(IpAddress="192.168.1.2x"), MEANING, IP),
    "ip-blank": (static(IpAddress=" 192.168.1.2"), MEANING, IP),
    "ip-line-end": (static(IpAddress="192.168.1.2\n"), MEANING, IP),
    "ip-bits": (static(IpAddress="192.168.1.20/24"), MEANING, IP),
    "ip-6": (static(IpAddress="fd00::1"), MEANING, IP),
    "ip-multicast": (static(IpAddress="224.0.0.1"), MEANING, IP),
    "ip-broadcast": (static(IpAddress="255.255.255.255"), MEANING, IP),
    "ip-loopback": (static(IpAddress="127.0.0.1"), MEANING, IP),
    "ip-zero": (static(IpAddress="0.0.0.0"), MEANING, IP),
    "ip-of-the-network": (static(IpAddress="192.168.1.0"), MEANING, IP),
    "ip-broadcast-of-the-network": (static(IpAddress="192.168.1.255"), MEANING, IP),
    "mask-33": (static(Netmask="33"), MEANING, NETMASK),
    "mask-text": (static(Netmask="255.255.255.0"), MEANING, NETMASK),
    "mask-minus": (static(Netmask="-1"), MEANING, NETMASK),
    "mask-024": (static(Netmask="024"), MEANING, NETMASK),
    "mask-empty": (static(Netmask=""), MEANING, NETMASK),
    "mask-number": (static(Netmask=24), MEANING, NETMASK),
    "gw-outside": (static(Gateway="192.168.2.1"), MEANING, GATEWAY),
    "gw-equals-ip": (static(Gateway="192.168.1.20"), MEANING, GATEWAY),
    "gw-name": (static(Gateway="router.lan"), MEANING, GATEWAY),
    "dns-name": (static(DNS="dns.lan"), MEANING, DNS),
    # MQTT.
    "broker-no-scheme": (mqtt(Broker="broker.example:1883"), MEANING, BROKER),
    "broker-no-host": (mqtt(Broker="mqtt://"), MEANING, BROKER),
    "broker-userinfo": (mqtt(Broker="mqtt://user:secret@broker.example"), MEANING, BROKER),
    "broker-path": (mqtt(Broker="mqtt://broker.example/x"), MEANING, BROKER),
    "broker-port-0": (mqtt(Broker="mqtt://broker.example:0"), MEANING, BROKER),
    "broker-port-65536": (mqtt(Broker="mqtt://broker.example:65536"), MEANING, BROKER),
    "broker-port-text": (mqtt(Broker="mqtt://broker.example:1883x"), MEANING, BROKER),
    "broker-port-plus": (mqtt(Broker="mqtt://broker.example:+1883"), MEANING, BROKER),
    "broker-bracket": (mqtt(Broker="mqtt://[::1"), MEANING, BROKER),
    "broker-brackets": (mqtt(Broker="mqtt://[]"), MEANING, BROKER),
    "broker-crlf": (mqtt(Broker="mqtt://broker.example\r\nx"), MEANING, BROKER),
    "broker-blank": (mqtt(Broker="mqtt://broker example"), MEANING, BROKER),
    "broker-file-url": (mqtt(Broker="file:///etc/passwd"), MEANING, BROKER),
    "broker-http-url": (mqtt(Broker="http://broker.example"), MEANING, BROKER),
    "broker-1000": (mqtt(Broker="mqtt://" + "b" * 1000), MEANING, BROKER),
    "site-slash": (mqtt(Site="a/b"), MEANING, SITE),
    "site-plus": (mqtt(Site="a+b"), MEANING, SITE),
    "site-wildcard": (mqtt(Site="#"), MEANING, SITE),
    "site-nul": (mqtt(Site="a\0b"), SYNTAX),
    "site-blank": (mqtt(Site="a b"), MEANING, SITE),
    "site-del": (mqtt(Site="a\x7fb"), MEANING, SITE),
    "site-1000": (mqtt(Site="a" * 1000), MEANING, SITE),
    "site-65": (mqtt(Site="a" * 65), MEANING, SITE),
    "password-quote-newline": (mqtt(Password='p"\n'), MEANING, MQTT_PASSWORD),
    # Wi-Fi.
    "ssid-33": (wifi(ssid="s" * 33), MEANING, SSID),
    "ssid-33-bytes": (wifi(ssid="\u00e9" * 17), MEANING, SSID),
    "ssid-newline": (wifi(ssid="a\nb"), MEANING, SSID),
    "ssid-nul": (wifi(ssid="a\0b"), SYNTAX),
    "wifi-without-ssid": ({"DefaultNetIf": "WiFi"}, MEANING, SSID),
    "psk-7": (wifi(password="1234567"), MEANING, PSK),
    "psk-65": (wifi(password="1" * 65), MEANING, PSK),
    "psk-64-not-hex": (wifi(password="g" * 64), MEANING, PSK),
    "psk-accent": (wifi(password="p\u00e9ssword1"), MEANING, PSK),
    "psk-newline": (wifi(password='pass"word\n1'), MEANING, PSK),
    # The others.
    "map-unknown": ({"MeterType": "Nonsense", **mqtt(Site="evil")}, MEANING, "/MeterType"),
    "map-empty": ({"MeterType": "", **mqtt(Site="evil")}, MEANING, "/MeterType"),
    "map-path": ({"MeterType": "../../etc/passwd", **mqtt(Site="evil")}, MEANING, "/MeterType"),
    "port-0": ({"Modbus": {"Port": 0}}, MEANING, "/Modbus/Port"),
    "port-65536": ({"Modbus": {"Port": 65536}}, MEANING, "/Modbus/Port"),
    "clients-0": ({"Modbus": {"MaxClients": 0}}, MEANING, "/Modbus/MaxClients"),
    "stale-current-0": ({"Modbus": {"StaleCurrent": 0}}, MEANING, "/Modbus/StaleCurrent"),
    "target-shell": ({"Internet": {"PingTarget": "$(reboot)"}}, MEANING, "/Internet/PingTarget"),
    "target-everybody": ({"Internet": {"PingTarget": "255.255.255.255"}}, MEANING, "/Internet/PingTarget"),
    "target-format": ({"Internet": {"PingTarget": "%s%n"}}, MEANING, "/Internet/PingTarget"),
    "target-line-end": ({"Internet": {"PingTarget": "example.org\n"}}, MEANING, "/Internet/PingTarget"),
    "token-short": ({"Metrics": {"Token": "short"}}, MEANING, "/Metrics/Token"),
    "token-line-end": ({"Metrics": {"Token": "0123456789abcdef\r\nX: y"}}, MEANING, "/Metrics/Token"),
}

# What looks dangerous and is a text like another: taken, kept and shown as it is (secrets are not shown).
TEXTS = {
    "ssid-shell-meta": "$(id)`id`;id|id&id>x",
    "quotes": "a'\"b\\c",
    "html": "<script>alert(1)</script>",
    "format": "%s%n%d%%",
    "path": "../../etc/passwd",
    "accents": "h\u00e9 \u20ac \U0001f600",
    "null": "null",
    "blank": " ",
}


def encoded(body):
    return body if isinstance(body, bytes) else json.dumps(body).encode()


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """(server, login, state folder) for all tests that leave the configuration as it was."""
    folder = tmp_path_factory.mktemp("json")
    server, login = serve(lambda *options, **how: Gateway(folder, *options, **how), folder)
    yield server, login, folder / "state"
    server.stop()


@pytest.fixture(scope="module")
def holder(served):
    with Https(*served[:2]) as one:
        yield one


@pytest.fixture
def user(served, holder):
    """A logged-in user; after the test everything must be what it was before."""
    def shown():
        answer = holder.get(CONFIG)
        assert answer.status == 200
        files = {p.name: p.read_bytes() for p in served[2].iterdir() if p.is_file() and "config" in p.name}
        return answer.json(), answer["ETag"], files
    before = shown()
    yield holder
    assert shown() == before


@pytest.fixture
def own(gateway, tmp_path):
    """A user of a server of his own, for tests that change something."""
    with Https(*serve(gateway, tmp_path)) as one:
        yield one


def assert_refused(answer, status, *pointers):
    """A problem that says what is wrong and, unless it is the form, with which field."""
    assert answer.status == status, answer
    assert answer["Content-Type"].split(";")[0] == "application/problem+json", answer
    problem = answer.json()
    assert problem["status"] == answer.status and problem["title"] and problem["detail"]
    if answer.status == 422:
        errors = problem["errors"]
        assert errors and all(error["detail"] for error in errors)
        assert set(pointers) <= {error["pointer"] for error in errors}, errors


@pytest.mark.parametrize("name", named("E", CASES))
def test_refused_and_nothing_changed(user, name):
    body, status, *pointers = CASES[name]
    assert_refused(user.request("PATCH", CONFIG, encoded(body)), status, *pointers)


@pytest.mark.parametrize("name", CASES)
def test_refused_in_pieces(user, name):
    """The body a second time, as two segments behind the head."""
    body, status, *pointers = CASES[name]
    body = encoded(body)
    if len(body) > 65536:
        pytest.skip("refused before the body")
    head = user.head("PATCH", CONFIG, {"Content-Type": "application/json", "Connection": "close"}, len(body))
    middle = len(body) // 2
    reaction = user.raw(head, body[:middle], body[middle:])
    assert len(reaction.answers) == 1 and reaction.closed, reaction
    assert_refused(reaction.answers[0], status, *pointers)


def test_refused_cut_at_every_byte(user):
    body = encoded(static(Gateway="192.168.2.1"))
    head = user.head("PATCH", CONFIG, {"Content-Type": "application/json", "Connection": "close"}, len(body))
    for cut in range(len(body)):
        assert_refused(user.raw(head + body[:cut], body[cut:]).answers[0], MEANING, GATEWAY)
    assert_refused(user.raw(head, *(bytes([b]) for b in body)).answers[0], MEANING, GATEWAY)


@pytest.mark.parametrize("cut", [0, 1, 10, 30, 50, -1])
def test_every_prefix_is_refused(user, cut):
    """A body whose announced length is that of a part of a good one."""
    body = encoded(static())
    assert_refused(user.request("PATCH", CONFIG, body[:cut]), SYNTAX)


def test_one_bad_setting_among_good_ones(user):
    """All or nothing, and all bad ones are named."""
    patch = {**mqtt(Site="evil", Keepalive=0, Broker="x"), "Modbus": {"WordOrder": "normal", "Port": -1},
             **wifi("s" * 33, "7777777"), "Nonsense": 1}
    answer = user.request("PATCH", CONFIG, patch)
    assert_refused(answer, MEANING, KEEPALIVE, BROKER, "/Modbus/Port", SSID, PSK, "/Nonsense")
    assert SITE not in answer.pointers()


def test_what_is_the_same_changes_nothing(own):
    """The empty patch, and the whole configuration sent back with its masks: which stay secrets, not stars."""
    before = own.request("PATCH", CONFIG, {"Metrics": {"Token": "0123456789abcdef"}, **wifi()}).json()
    for patch in ({}, {"MQTT": {}}, {"WiFi": {"ConnectionData": {}}}, before):
        answer = own.request("PATCH", CONFIG, patch)
        assert answer.status == 200 and answer.json() == before == own.get(CONFIG).json()
    with Https(own.server) as scraper:
        for token, status in (("0123456789abcdef", 200), ("********", 401)):
            assert scraper.get("/metrics", Authorization="Bearer " + token).status == status


@pytest.mark.parametrize("body", [pytest.param(b'{"Meter":{"StaleAfter":-0}}', marks=bad_input("E", "num-minus-0")),
                                  b'{"Meter":{"StaleAfter":0}}',
                                  b' {\r\n\t"Meter" : {"StaleAfter": 0 } } \n', b'{"\\u004deter":{"StaleAfter":0}}'])
def test_other_spellings_of_the_same(own, body):
    before = own.get(CONFIG).json()
    answer = own.request("PATCH", CONFIG, body)
    assert answer.status == 200 and answer.json() == before


@pytest.mark.parametrize("if_match, status", [('"nonsense"', 412), ('""', 412), ("nonsense", 412), ("*", 200),
                                              ("W/{}", 412), ("{}x", 412), ('"a", {}', 200), ("{}", 200), ("", 412)])
def test_if_match(user, if_match, status):
    """An ETag in curly brackets is the right one."""
    tag = user.get(CONFIG)["ETag"]
    answer = user.request("PATCH", CONFIG, {}, {"If-Match": if_match.replace("{}", tag)})
    assert answer.status == status, answer
    answer = user.request("PATCH", CONFIG, {"Nonsense": 1}, {"If-Match": if_match.replace("{}", tag)})
    assert answer.status == (422 if status == 200 else 412), answer


@pytest.mark.parametrize("body, status", [(b"", 202), (b"{}", 202), (b'{"Mode":"soft"}', 202), (b"[]", 422),
                                          (b'{"Mode":"evil"}', 422), (b'{"Mode":null}', 422), (b'{"Mode":1}', 422),
                                          (b'{"mode":"factory"}', 422), (b'{"Mode":"factory","x":1}', 422),
                                          (b'{"Mode":"factory"', 400), (b'"factory"', 400),
                                          (b'{"Mode":"soft","Mode":"factory"}', 400)])
def test_reset_takes_nothing_else(user, body, status):
    answer = user.request("POST", "/api/v1/reset", body)
    assert answer.status == status, answer
    if status > 399:
        assert_refused(answer, status)


@pytest.mark.parametrize("changes", [
    pytest.param({"DNS": ""}, marks=bad_input("E", "dns-empty")), {"Gateway": ""},
    {"Gateway": "", "DNS": "", "Netmask": "32"}, {"Netmask": "31", "Gateway": "192.168.1.21"},
    {"IpAddress": "10.255.255.254", "Netmask": "8", "Gateway": "10.0.0.1"}, {"DNS": "9.9.9.9"}], ids=str)
def test_addresses_that_belong_together(own, changes):
    patch = static(**changes)
    answer = own.request("PATCH", CONFIG, patch)
    assert answer.status == 200 and answer.json()["Ethernet"] == patch["Ethernet"]


def test_port_that_is_taken(user):
    """Only trying shows it: everything stays as it was, the old port as well."""
    with socket.socket() as other, user.server.client() as charger:
        other.bind(("127.0.0.1", 0))
        other.listen()
        answer = user.request("PATCH", CONFIG, {"Modbus": {"Port": other.getsockname()[1]}, **mqtt(Site="evil")})
        assert_refused(answer, MEANING, "/Modbus/Port")
        charger.ask(3, 0x8000, 2)
        user.server.client().close()


@pytest.mark.parametrize("name", named("E", TEXTS))
def test_texts_are_data(own, name):
    text = TEXTS[name]
    answer = own.request("PATCH", CONFIG, {**wifi(text, "a" + "'\"\\$(id)`<%s"), **mqtt(Username=text, Password=text)})
    assert answer.status == 200, answer
    for shown in (answer.json(), own.get(CONFIG).json(), own.get("/api/v1/status").json()):
        assert shown["WiFi"]["ConnectionData"] == {"WiFiSSID": text, "WiFiPassword": "********"}
        assert shown["MQTT"]["Username"] == text and shown["MQTT"]["Password"] == "********"


@bad_input("E", "two-patches-race")
def test_two_patches_race(own):
    """Both have read the same configuration: exactly one is told that it is not the latest any more."""
    first = [own.get(CONFIG)["ETag"]]
    with Https(own.server, own.login) as other:
        other.get(CONFIG)
        for n in range(20):
            tag, statuses = own.get(CONFIG)["ETag"], [None, None]
            together = threading.Barrier(2)

            def patch(who, number):
                together.wait()
                answer = who.request("PATCH", CONFIG, mqtt(Site=f"site-{n}-{number}"), {"If-Match": tag})
                statuses[number] = answer.status
            threads = [threading.Thread(target=patch, args=(who, i)) for i, who in enumerate((own, other))]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert sorted(statuses) == [200, 412]
            now = own.get(CONFIG)
            assert now.json()["MQTT"]["Site"] == f"site-{n}-{statuses.index(200)}"
            assert now["ETag"] not in first, "an ETag never comes back"
            first.append(now["ETag"])


def test_many_patches_at_once_are_made_one_after_another(own):
    """From four connections, without If-Match: all succeed, each answer is a whole configuration."""
    def patch(number):
        with Https(own.server, own.login) as one:
            for n in range(10):
                answer = one.request("PATCH", CONFIG, mqtt(Site=f"s{number}-{n}", Username=f"u{number}-{n}"))
                assert answer.status == 200
                shown = answer.json()["MQTT"]
                good.append(shown["Site"][1:] == shown["Username"][1:])
    good = []
    threads = [threading.Thread(target=patch, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert good == [True] * 40
