"""The HTTPS API of the running program: who may ask what, what is answered, what port 80 says, what a browser may be
tricked into, and that what is told is what the meter said."""
import contextlib
import json
import pathlib
import re
import socket
import ssl
import time

import pytest

from harness import DATA, SERIAL, crc16, free_port, marked, p1, run, tic_marked, wait_until
from https_client import Connection, basic, door
from page_kit import (CERTIFICATE, CONFIG, FIRMWARE, HISTORY, LIVE, MASK, PASSWORD, READINGS, RESET, STATUS, TELEGRAM,
                      Events, assert_fields, assert_problem, connects, document, metric, parse_metrics, strangers)
from page_kit import fixture_box, fixture_guarded, fixture_metered, fixture_shared  # noqa: F401

HTTP_H = pathlib.Path(__file__).resolve().parent.parent / "gateway" / "http.h"
METHODS = ("GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS", "TRACE")

# What each address does for one who is logged in; every method that is not named is answered 405.
TABLE = {
    "/": {"GET": 200},
    "/config": {"GET": 200},
    "/index.html": {"GET": 200},
    "/style.css": {"GET": 200},
    "/main.js": {"GET": 200},
    CONFIG: {"GET": 200, "PATCH": 200},
    STATUS: {"GET": 200},
    FIRMWARE: {"GET": 200, "POST": 409},
    RESET: {"POST": 202},
    PASSWORD: {"POST": 422},  # the body of this test names none
    CERTIFICATE: {"GET": 200, "POST": 422},
    TELEGRAM: {"GET": 200},
    READINGS: {"GET": 200},
    LIVE: {"GET": 200},
    HISTORY: {"GET": 200},
    "/api/v1/openapi.json": {"GET": 200},
    "/metrics": {"GET": 200},
}
FAULTS = {PASSWORD: ["/OldPassword"], CERTIFICATE: ["/Certificate"]}
ALLOW = {path: ", ".join("GET, HEAD" if m == "GET" else m for m in TABLE[path]) for path in TABLE}
NOWHERE = ("/nowhere", "/api/v1/nowhere", "/api/v1/", "/api/v1/config/", "/API/V1/CONFIG", "/api/v1/config.json",
           "/metrics/x", "/favicon.ico", "/landing.css/", "//", "/etc/passwd",
           "/../../etc/passwd", "/%2e%2e/state/login", "/label")


def ask(box, who, method, path, **headers):
    """One request of any method; of the stream only its head is read."""
    body = {} if method in ("POST", "PATCH", "PUT") else None
    if path != LIVE or method != "GET":
        return who.request(method, path, body, headers)
    with Connection(box.server, who.source) as connection:
        connection.send(who.head(method, path, headers))
        answer = connection.head()
        if answer.status != 200:
            answer.body = connection.take(int(answer["Content-Length"]))
        return answer


# --- who may ask what --------------------------------------------------------------------------

@pytest.mark.parametrize("path", [*TABLE, *NOWHERE[:2]])
def test_every_method_without_with_a_wrong_and_with_the_right_login(box, path):
    """The matrix equals the table: without the right login 401 and nothing else, whatever is there."""
    one = box()
    one.server.wait_served()
    one.user.get(STATUS)  # known from now on
    with one.person() as nobody, one.person() as guesser:
        for method in METHODS:
            for who, wrong in ((nobody, None), (guesser, "Basic dXNlcjp3cm9uZw==")):
                if wrong:  # each from a fresh address: five failures lock one
                    who = one.person()
                answer = ask(one, who, method, path, **({"Authorization": wrong} if wrong else {}))
                assert answer.status == 401 and answer["Allow"] is None, f"{method} {path}: {answer}"
                assert re.match(r'Basic realm="[^"]+"', answer["WWW-Authenticate"]), answer
                assert_fields(answer)
                if method != "HEAD":
                    assert_problem(answer, 401)
                if wrong:
                    who.close()
            answer = ask(one, one.user, method, path)
            wanted = TABLE.get(path, {}).get("GET" if method == "HEAD" else method, 405 if path in TABLE else 404)
            assert answer.status == wanted, f"{method} {path}: {answer}"
            assert answer["WWW-Authenticate"] is None
            assert answer["Allow"] == (ALLOW[path] if wanted == 405 else None), f"{method} {path}: {answer}"
            assert_fields(answer)
            if wanted >= 400 and method != "HEAD":
                assert_problem(answer, wanted, *(FAULTS[path] if wanted == 422 else []))
            if wanted >= 400:
                assert answer["Content-Type"] == "application/problem+json"
        assert one.state()["Counters"]["logins_failed"] == len(METHODS)


@pytest.mark.parametrize("path", ["/landing.css", "/favicon.svg"])
@pytest.mark.parametrize("secure", [True, False], ids=["https", "http"])
def test_what_the_landing_page_is_made_of_is_for_everybody(box, path, secure):
    """At both doors, with whatever login, which is not looked at; nothing of this box is in it."""
    one = box()
    for authorization in (None, "Basic dXNlcjp3cm9uZw==", basic(one.login)):
        for method in METHODS:
            with Connection(one.server, next(strangers), tls=secure) as connection:
                json_type = "application/json" if method in ("POST", "PATCH") else None
                connection.send(one.user.head(method, path, {"Authorization": authorization,
                                                             "Content-Type": json_type}))
                answer = connection.answer(method)
            assert answer.status == (200 if method in ("GET", "HEAD") else 405), f"{method}: {answer}"
            assert_fields(answer, secure)
            assert SERIAL.encode() not in answer.body and one.login.encode() not in answer.body
    counters = one.state()["Counters"]
    assert counters["logins_failed"] == 0 and len(one.server.log("login from")) == 1


@pytest.mark.parametrize("path", NOWHERE)
def test_what_is_not_there_is_404_and_no_file_is_ever_read(shared, path):
    assert_problem(shared.user.get(path), 404)


def test_an_api_address_with_a_query_is_the_same(shared):
    """Nothing here takes one; a cache buster must not hurt."""
    assert shared.user.get(CONFIG + "?x=1").json() == shared.get(CONFIG)


@pytest.mark.parametrize("path", [p for p in TABLE if "GET" in TABLE[p] and p != LIVE])
def test_head_says_what_get_would_and_no_body(shared, path):
    """The next answer on the same connection would show a body that was sent."""
    shared.server.wait_served()
    get, head = shared.user.get(path), shared.user.request("HEAD", path)
    assert head.status == get.status == 200 and not head.body
    assert abs(int(head["Content-Length"]) - len(get.body)) < 200, "counters may grow meanwhile"
    for name in ("Content-Type", "ETag", "Cache-Control", "Content-Encoding"):
        assert head[name] == get[name], name
    assert shared.user.get(FIRMWARE).status == 200


def test_pages_are_compressed_and_kept_by_their_tag(shared):
    """The page is the same at / and /config; an unchanged one is 304."""
    plain = shared.user.get("/")
    assert plain.body == shared.user.get("/config").body == shared.user.get("/index.html").body
    assert plain["Content-Type"].startswith("text/html") and plain["Content-Encoding"] is None
    small = shared.user.request("GET", "/", headers={"Accept-Encoding": "gzip"})
    assert small["Content-Encoding"] == "gzip" and len(small.body) < len(plain.body)
    again = shared.user.request("GET", "/", headers={"If-None-Match": plain["ETag"]})
    assert again.status == 304 and not again.body and again["ETag"] == plain["ETag"]
    assert_fields(again)
    assert shared.user.request("GET", "/", headers={"If-None-Match": '"other"'}).status == 200


# --- port 80 -----------------------------------------------------------------------------------

def plain(box, method, path, body=None, **headers):
    with Connection(box.server, tls=False) as connection:
        data = box.user.head(method, path, headers, len(body) if body else None) + (body or b"")
        connection.send(data)
        return connection.answer(method)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:80", "smart-connect.local", f"Smart-Connect-{SERIAL}.LOCAL"])
def test_landing_page_names_the_box_and_leads_to_the_secure_one(shared, host):
    answer = plain(shared, "GET", "/", Host=host, Authorization=None)
    assert answer.status == 200 and answer["Content-Type"].startswith("text/html")
    assert_fields(answer, secure=False)
    text = answer.body.decode()
    base = f"https://{host.split(':')[0].lower()}:{door(shared.server)}"
    assert SERIAL in text and f'href="{base}/"' in text
    assert shared.login not in text and "http://" not in text
    head = plain(shared, "HEAD", "/", Host=host, Authorization=None)
    assert head.status == 200 and head["Content-Length"] == answer["Content-Length"]


@pytest.mark.parametrize("path", ["/config", CONFIG, STATUS, LIVE, RESET, "/api/v1/openapi.json", "/api/v1/nowhere"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "PATCH", "POST"])
def test_port_80_leads_to_the_secure_door(shared, method, path):
    """308: method and body go there as well; under the name the client used."""
    for host in ("127.0.0.1", "smart-connect.local:8080", "localhost"):
        answer = plain(shared, method, path, b"{}" if method in ("PATCH", "POST") else None, Host=host)
        assert answer.status == 308, answer
        assert answer["Location"] == f"https://{host.split(':')[0]}:{door(shared.server)}{path}"
        assert_fields(answer, secure=False)
        assert answer["WWW-Authenticate"] is None


def test_port_80_knows_nothing_else(shared):
    for path in ("/nowhere", "/etc/passwd", "/api", "//evil.example", "//evil.example/%2e%2e", "/api/" + "a" * 2000):
        answer = plain(shared, "GET", path)
        assert answer.status in (404, 308), answer
        if answer.status == 308:
            assert answer["Location"].startswith(f"https://127.0.0.1:{door(shared.server)}/")
    answer = plain(shared, "POST", "/", b"{}")
    assert answer.status == 405 and answer["Allow"] == "GET, HEAD"
    for path in ("/api/%0d%0aX-Evil:1", "/api/%00", "/api/\xe9"):
        with Connection(shared.server, tls=False) as connection:
            connection.send(shared.user.head("GET", path))
            assert connection.answer()["X-Evil"] is None


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.2", "192.0.2.99:80", "localhost.evil.example", ""])
def test_port_80_goes_by_no_other_name(shared, host):
    """Else the landing page would lead wherever the client says."""
    for path in ("/", "/config", CONFIG):
        assert_problem(plain(shared, "GET", path, Host=host), 403, secure=False)


def test_credentials_on_port_80_are_neither_used_nor_counted(box):
    """Right ones open nothing and take no session, wrong ones lock nobody out."""
    one = box()
    for login in (one.login, *["wrong"] * 10):
        for path in ("/", CONFIG, STATUS, "/metrics"):
            answer = plain(one, "GET", path, Authorization=basic(login))
            assert answer.status in (200, 308) and b"MeterType" not in answer.body and b"# HELP" not in answer.body
        answer = plain(one, "PATCH", CONFIG, b'{"MQTT":{"Site":"evil"}}', Authorization=basic(login))
        assert answer.status == 308
    assert not one.server.log("login")
    with one.person("127.0.0.9", one.login) as other:
        state = other.get(STATUS).json()
        assert state["State"]["Counters"]["logins_failed"] == 0
        assert state["State"]["Session"] == {"Address": "127.0.0.9"}
        assert state["MQTT"]["Site"] == ""


# --- the names of the box ----------------------------------------------------------------------

GOOD_HOSTS = ["127.0.0.1", "localhost", "LocalHost", "smart-connect.local", "Smart-Connect.LOCAL",
              f"smart-connect-{SERIAL}.local", f"smart-connect-{SERIAL.lower()}.local",
              f"SMART-CONNECT-{SERIAL}.Local"]
BAD_HOSTS = ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "smart-connect.local.evil.example",
             "xsmart-connect.local", "smart-connect-000000000000.local", f"smart-connect-{SERIAL}x.local",
             "192.0.2.99", "127.0.0.2", "127.1", "2130706433", "0x7f000001", "0.0.0.0", "[::2]", "[127.0.0.1]",
             "localhost:443x", "localhost:443:443", "user@localhost", "localhost/", "localhost evil", "*", "."]


@pytest.mark.parametrize("host", GOOD_HOSTS)
def test_names_and_addresses_of_the_box(shared, host):
    """In any case, with and without a port."""
    for port in ("", f":{door(shared.server)}", ":443"):
        assert shared.user.request("GET", CONFIG, headers={"Host": host + port}).status == 200


@pytest.mark.parametrize("host", BAD_HOSTS)
def test_other_names_are_refused(shared, host):
    """A foreign name that leads here is DNS rebinding: refused before the login is looked at, and nothing changes."""
    before = shared.get(CONFIG)
    failed = shared.state()["Counters"]["logins_failed"]
    for method, path, body in (("GET", CONFIG, None), ("GET", "/", None), ("GET", "/metrics", None),
                               ("PATCH", CONFIG, {"MQTT": {"Site": "evil"}}), ("POST", RESET, {"Mode": "factory"})):
        for port in ("", f":{door(shared.server)}"):
            answer = shared.user.request(method, path, body, {"Host": host + port})
            assert answer.status in (400, 403), answer
            assert_problem(answer, answer.status)
    with shared.person(None, "wrong") as guesser:
        assert guesser.request("GET", CONFIG, headers={"Host": host}).status in (400, 403)
    assert shared.get(CONFIG) == before and shared.state()["Counters"]["logins_failed"] == failed


def test_addresses_of_the_interfaces_are_names_of_the_box(shared):
    for address in shared.state()["Network"]["Addresses"]:
        host = f"[{address}]" if ":" in address else address
        if not address.startswith("fe80"):
            assert shared.user.request("GET", FIRMWARE, headers={"Host": host}).status == 200, host


def test_further_names_are_taken_and_stand_in_the_certificate(box):
    """--http-names: a name of the router's DNS, an address that is forwarded."""
    one = box("--http-names", "Meter.Example.org, 192.0.2.77,2001:db8::7")
    for host in ("meter.example.org", "METER.EXAMPLE.ORG:8443", "192.0.2.77", "[2001:db8::7]", "[2001:DB8:0::7]:443",
                 "smart-connect.local"):
        assert one.user.request("GET", CONFIG, headers={"Host": host}).status == 200, host
    for host in ("example.org", "x.meter.example.org", "192.0.2.78"):
        assert_problem(one.user.request("GET", CONFIG, headers={"Host": host}), 403)
    context = ssl.create_default_context(cafile=str(one.folder / "web.crt"))
    context.verify_flags |= getattr(ssl, "VERIFY_X509_PARTIAL_CHAIN", 0)
    for name in ("meter.example.org", "192.0.2.77", "smart-connect.local", f"smart-connect-{SERIAL.lower()}.local",
                 "localhost"):
        with socket.create_connection(("127.0.0.1", door(one.server)), 10) as tcp:
            with context.wrap_socket(tcp, server_hostname=name) as tls:
                assert tls.version() in ("TLSv1.2", "TLSv1.3")
    with pytest.raises(ssl.SSLCertVerificationError), \
            socket.create_connection(("127.0.0.1", door(one.server)), 10) as tcp:
        context.wrap_socket(tcp, server_hostname="evil.example")


# --- what a browser may be tricked into --------------------------------------------------------

def foreign_origins(port):
    return ["https://evil.example", "null", "https://127.0.0.1", f"http://127.0.0.1:{port}",
            f"https://127.0.0.1:{port}.evil.example", f"https://127.0.0.1:{port + 1}", f"https://localhost:{port}",
            f"https://evil.example:{port}", f"https://127.0.0.1:{port}/", "", "file://", f"//127.0.0.1:{port}",
            f"https://127.0.0.1:{port}, https://evil.example", f"https://user@127.0.0.1:{port}"]


CHANGES = ((CONFIG, "PATCH", {"MQTT": {"Site": "evil"}}), (RESET, "POST", {"Mode": "factory"}), (FIRMWARE, "POST", {}),
           (PASSWORD, "POST", {"OldPassword": "x", "NewPassword": "evil-evil-evil"}))


def test_changes_from_other_sites_are_refused(shared):
    """The browser sends the login by itself: where a request comes from decides."""
    before = shared.user.get(CONFIG)
    port = door(shared.server)
    bad = [{"Origin": o} for o in foreign_origins(port)]
    bad += [{"Sec-Fetch-Site": s} for s in ("cross-site", "same-site", "x", "")]
    bad += [{"Origin": f"https://127.0.0.1:{port}", "Sec-Fetch-Site": "cross-site"}]
    for fields in bad:
        for path, method, body in CHANGES:
            answer = shared.user.request(method, path, body, {"Host": f"127.0.0.1:{port}", **fields})
            assert_problem(answer, 403)
    after = shared.user.get(CONFIG)
    assert after.json() == before.json() and after["ETag"] == before["ETag"]


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain",
                                  "text/plain; application/json", "application/jsonx", "application/json;charset=x",
                                  "json", "", None])
def test_bodies_a_form_can_send_are_refused(shared, kind):
    """The three types that need no preflight, and whatever is not clearly JSON."""
    before = shared.get(CONFIG)
    for path, method, body in CHANGES:
        answer = shared.user.request(method, path, json.dumps(body).encode(), {"Content-Type": kind})
        assert_problem(answer, 415)
    assert shared.get(CONFIG) == before


@pytest.mark.parametrize("kind", ["application/json", "Application/JSON", "application/json; charset=utf-8",
                                  "application/json;charset=UTF-8", "application/merge-patch+json"])
def test_the_boxs_own_page_may_change_things(shared, kind):
    port = door(shared.server)
    for host in ("127.0.0.1", "smart-connect.local", "LOCALHOST"):
        for site in ("same-origin", "none", None):
            fields = {"Host": f"{host}:{port}", "Origin": f"https://{host.lower()}:{port}", "Sec-Fetch-Site": site,
                      "Content-Type": kind}
            answer = shared.user.request("PATCH", CONFIG, {"MQTT": {}}, fields)
            assert answer.status == 200, answer
            assert_fields(answer)


def test_other_sites_may_ask_but_not_read(shared):
    """No answer says that another origin may see it, not even to a preflight."""
    for method in ("GET", "OPTIONS"):
        answer = shared.user.request(method, CONFIG, headers={
            "Origin": "https://evil.example", "Access-Control-Request-Method": "PATCH",
            "Access-Control-Request-Headers": "authorization,content-type"})
        assert answer.status in ((200,) if method == "GET" else (403, 405))
        assert_fields(answer)


# --- configuration -----------------------------------------------------------------------------

MANUAL_MQTT = """
{
  "MQTT": {
    "Broker": "mqtt://broker.xemex-cloud.eu:8883",
    "Site": "site-new",
    "Username": "user-new",
    "Password": "newpassword"
  }
}
"""
MANUAL_WIFI = """
{
  "DefaultNetIf": "WiFi",
  "WiFi": {
    "ConnectionData": {
      "WiFiSSID": "XemexTesting",
      "WiFiPassword": "Xem3x123"
    },
    "IpMode": "DHCP"
  }
}
"""
MANUAL_STATUS = """
{
  "MeterType": "PhoenixContact-EMPro",
  "DefaultNetIf": "WiFi",
  "Ethernet": {
    "IpMode": "Static",
    "StaticIPv4": {
      "IpAddress": "192.168.10.101",
      "Netmask": "24",
      "Gateway": "192.168.10.1",
      "DNS": "192.168.10.1"
    }
  },
  "WiFi": {
    "IpMode": "DHCP"
  },
  "MQTT": {
    "Broker": "mqtt://broker.xemex-cloud.eu:8883",
    "Site": "site",
    "Username": "username",
    "Password": "password"
  }
}
"""


def contains(whole, part):
    """True if every member of `part` is in `whole`, however deep."""
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(k in whole and contains(whole[k], v) for k, v in part.items())
    return whole == part


def test_the_manuals_requests_work_as_printed(box):
    """Section 5.2: both PATCH examples, then the GET shows them, its passwords masked."""
    one = box()
    one.patch(MQTT={"Enabled": False})  # the printed broker is somebody's
    for text in (MANUAL_MQTT, MANUAL_WIFI):
        answer = one.user.request("PATCH", CONFIG, text.encode())
        assert answer.status == 200, answer
        document().judge(CONFIG, "PATCH", answer)
    wanted = {**json.loads(MANUAL_MQTT), **json.loads(MANUAL_WIFI)}
    wanted["MQTT"]["Password"] = wanted["WiFi"]["ConnectionData"]["WiFiPassword"] = MASK
    for path in (CONFIG, STATUS):
        assert contains(one.get(path), wanted), one.get(path)


def test_the_manuals_status_can_be_written_and_read_back(box):
    """The example answer of section 5.2 has exactly these keys, and every one of them can be set."""
    one = box()
    one.patch(MQTT={"Enabled": False}, WiFi={"ConnectionData": {"WiFiSSID": "home"}})
    wanted = json.loads(MANUAL_STATUS)
    assert one.user.request("PATCH", CONFIG, MANUAL_STATUS.encode()).status == 200
    wanted["MQTT"]["Password"] = MASK
    assert contains(one.get(STATUS), wanted)


def test_only_the_named_settings_change(box):
    one = box()
    before = one.get(CONFIG)
    assert before["MQTT"]["Password"] == "", "no secret, no mask"
    after = one.patch(MQTT={"Site": "home"}, Modbus={"Unknown": "nan"}, Meter={"Grid": "star"})
    before["MQTT"]["Site"], before["Modbus"]["Unknown"], before["Meter"]["Grid"] = "home", "nan", "star"
    assert after == before == one.get(CONFIG)
    status = one.get(STATUS)
    del status["State"]
    assert status == before


def test_a_mask_sent_back_keeps_the_password(box, guarded, subscriber):
    """The broker is the witness: it lets nobody in without the password."""
    broker = guarded("p@ss wörd")
    one = box()
    one.patch(MQTT={"Broker": broker.url, "Username": "meter", "Password": "p@ss wörd"})
    wait_until(lambda: one.state()["MQTT"]["State"] == "connected", "the broker")
    shown = one.get(CONFIG)
    assert shown["MQTT"]["Password"] == MASK
    shown["MQTT"]["Site"] = "home"
    assert one.patch(**shown)["MQTT"]["Password"] == MASK
    watch = subscriber(broker, username="meter", password="p@ss wörd")
    watch.wait("devices/home/smart-connect/" + SERIAL + "/status", lambda m: m.payload == "online")
    one.patch(MQTT={"Password": "guess"})
    wait_until(lambda: one.state()["MQTT"]["Detail"], "the refusal")
    assert one.state()["MQTT"]["Ok"] is False and "guess" not in json.dumps(one.get(STATUS))
    assert one.patch(MQTT={"Password": ""})["MQTT"]["Password"] == ""


def test_tags_tell_whether_somebody_else_was_faster(box):
    """If-Match with the tag of the latest configuration; one that is older is 412 and changes nothing."""
    one = box()
    first = one.user.get(CONFIG)["ETag"]
    assert re.fullmatch(r'"[^"]+"', first)
    answer = one.user.request("PATCH", CONFIG, {"MQTT": {"Site": "a"}}, {"If-Match": first})
    assert answer.status == 200 and answer["ETag"] != first
    second = answer["ETag"]
    assert one.user.get(CONFIG)["ETag"] == second == one.user.request("HEAD", CONFIG)["ETag"]
    assert_problem(one.user.request("PATCH", CONFIG, {"MQTT": {"Site": "b"}}, {"If-Match": first}), 412)
    assert one.user.get(CONFIG)["ETag"] == second and one.get(CONFIG)["MQTT"]["Site"] == "a"
    assert one.user.request("PATCH", CONFIG, {"MQTT": {"Site": "c"}}, {"If-Match": second}).status == 200
    assert one.user.request("PATCH", CONFIG, {"MQTT": {"Site": "d"}}, {"If-Match": "*"}).status == 200


BAD_SETTINGS = [
    ({"Nonsense": 1}, "/Nonsense"), ({"MQTT": {"broker": "x"}}, "/MQTT/broker"), ({"State": {}}, "/State"),
    ({"MQTT": "x"}, "/MQTT"), ({"MQTT": {"Site": 1}}, "/MQTT/Site"), ({"MQTT": {"Site": None}}, "/MQTT/Site"),
    ({"MQTT": {"Enabled": "yes"}}, "/MQTT/Enabled"), ({"MQTT": {"Site": "a/b"}}, "/MQTT/Site"),
    ({"MQTT": {"Broker": "broker"}}, "/MQTT/Broker"), ({"MQTT": {"Broker": "mqtt://h:99999"}}, "/MQTT/Broker"),
    ({"MQTT": {"Keepalive": 1}}, "/MQTT/Keepalive"), ({"MeterType": "nobody"}, "/MeterType"),
    ({"DefaultNetIf": "Modem"}, "/DefaultNetIf"), ({"DefaultNetIf": "WiFi"}, "/WiFi/ConnectionData/WiFiSSID"),
    ({"Ethernet": {"IpMode": "Static"}}, "/Ethernet/StaticIPv4/IpAddress"),
    ({"Ethernet": {"StaticIPv4": {"IpAddress": "192.168.1.256"}}}, "/Ethernet/StaticIPv4/IpAddress"),
    ({"Ethernet": {"StaticIPv4": {"Netmask": "33"}}}, "/Ethernet/StaticIPv4/Netmask"),
    ({"WiFi": {"StaticIPv4": {"DNS": "dns"}}}, "/WiFi/StaticIPv4/DNS"),
    ({"Ethernet": {"IpMode": "Static", "StaticIPv4": {"IpAddress": "192.168.1.2", "Gateway": "192.168.2.1"}}},
     "/Ethernet/StaticIPv4/Gateway"),
    ({"WiFi": {"ConnectionData": {"WiFiSSID": "s" * 33}}}, "/WiFi/ConnectionData/WiFiSSID"),
    ({"WiFi": {"ConnectionData": {"WiFiPassword": "1234567"}}}, "/WiFi/ConnectionData/WiFiPassword"),
    ({"WiFi": {"ConnectionData": {"WiFiPassword": "x" * 64}}}, "/WiFi/ConnectionData/WiFiPassword"),
    ({"Modbus": {"Port": 0}}, "/Modbus/Port"), ({"Modbus": {"Port": 65536}}, "/Modbus/Port"),
    ({"Modbus": {"MaxClients": 65}}, "/Modbus/MaxClients"), ({"Modbus": {"WordOrder": "little"}}, "/Modbus/WordOrder"),
    ({"Modbus": {"StaleCurrent": 0}}, "/Modbus/StaleCurrent"), ({"Meter": {"StaleAfter": 3601}}, "/Meter/StaleAfter"),
    ({"Meter": {"EstimateU31": 1}}, "/Meter/EstimateU31"), ({"Metrics": {"Token": "short"}}, "/Metrics/Token"),
    ({"Internet": {"PingTarget": "https://h"}}, "/Internet/PingTarget"),
    ({"Internet": {"PingTarget": "1.2.3"}}, "/Internet/PingTarget"),
    ({"a/b~c": 1}, "/a~1b~0c"), ({"x" + "ä" * 60: 1}, "/x" + "ä" * 38),
    ({"MQTT": {"Site": "x" + "ä" * 30 + "/"}}, "/MQTT/Site"),
]


@pytest.mark.parametrize("patch, pointer", BAD_SETTINGS, ids=[p for _, p in BAD_SETTINGS])
def test_bad_settings_are_named_and_nothing_is_half_applied(shared, patch, pointer):
    """Together with a good one, which must not be taken either."""
    before = shared.user.get(CONFIG)
    assert before.json()["Modbus"]["Stale"] == "exception"
    together = {**patch, "Modbus": {**patch.get("Modbus", {}), "Stale": "hold"}}
    assert_problem(shared.user.request("PATCH", CONFIG, together), 422, pointer)
    after = shared.user.get(CONFIG)
    assert after.json() == before.json() and after["ETag"] == before["ETag"]


# --- what the meter said -----------------------------------------------------------------------

def fresh_telegrams():
    """As sent by meters of today, with a time of now; some without one, so that the gateway's clock is used."""
    lines = b"/SCN5 LINES\n\n1-3:0.2.8(50)\n1-0:1.7.0(00.273*kW)\n!"
    return {"p1": marked(4711), "tic": tic_marked(4711), "lines": lines + b"%04X\n" % crc16(lines),
            "manual": (DATA / "manual_example.txt").read_bytes(),
            "bytes": p1("1-3:0.2.8(50)", "0-0:96.13.0(E9A92B)", "1-0:1.7.0(00.273*kW)")}


@pytest.mark.parametrize("name", fresh_telegrams())
def test_telegram_and_readings_are_what_the_meter_sent(metered, tcp_meter, tmp_path, name):
    """The telegram byte for byte; the readings as `decode` makes them of it, but for the gateway's own clock."""
    one, sent = metered(), fresh_telegrams()[name]
    tcp_meter.send(b"noise\r\n" + sent)
    answer = wait_until(lambda: one.user.get(TELEGRAM).status == 200 and one.user.get(TELEGRAM), "the telegram")
    assert answer.body == sent
    assert answer["Content-Type"].split(";")[0] == "text/plain"
    path = tmp_path / "telegram.txt"
    path.write_bytes(answer.body)
    decoded = json.loads(run("decode", "--format", "readings", str(path)).stdout)
    shown = one.user.get(READINGS)
    document().judge(READINGS, "GET", shown)
    if name in ("manual", "bytes", "lines"):
        assert abs(shown.json()["ts"] - time.time()) < 60, "no time of the meter's that can be used"
        assert {**shown.json(), "ts": 0} == {**decoded, "ts": 0}
    else:
        assert shown.json() == decoded and abs(shown.json()["ts"] - time.time()) < 60


def test_telegrams_that_are_no_good_are_never_shown(metered, tcp_meter):
    one = metered()
    tcp_meter.send(marked(1))
    wait_until(lambda: one.user.get(TELEGRAM).status == 200, "the telegram")
    good = one.user.get(TELEGRAM).body
    tcp_meter.send(marked(2, good=False) + marked(3)[:-30])
    wait_until(lambda: one.state()["Counters"]["telegrams_fail"] == 1, "the bad telegram")
    assert one.user.get(TELEGRAM).body == good and one.get(READINGS)["values"]["power_w"] == 1
    tcp_meter.send(marked(4))
    wait_until(lambda: one.get(READINGS)["values"]["power_w"] == 4, "the next good one")
    assert one.get(READINGS)["sequence"] == 2


def test_before_the_first_telegram(metered):
    """404 that says what the meter does; the history is empty; no metric is made up."""
    one = metered()
    for path in (TELEGRAM, READINGS):
        assert_problem(one.user.get(path), 404)
    state = one.state()
    assert state["Meter"]["Ok"] is False and state["Meter"]["Stale"] and state["Led"]["State"] == "initialising"
    history = one.get(HISTORY)
    assert all(history[k] == [None] * 720 for k in ("power_w", "power_l1_w", "power_l2_w", "power_l3_w"))
    samples = one.metrics()
    assert metric(samples, "meter_up") == 0
    assert not [k for k in samples if re.search("watt|volt|amper|power|energy|_age_", k[0])]


def test_a_meter_that_cannot_be_reached_is_named(box):
    one = box(meter="tcp:127.0.0.1:1")
    meter = wait_until(lambda: one.state()["Meter"]["State"] == "not-open" and one.state()["Meter"], "the state")
    assert meter["Input"] == "tcp:127.0.0.1:1" and meter["Text"]
    assert meter["Text"] in assert_problem(one.user.get(READINGS), 404)["detail"]


def test_history_holds_the_means_of_five_seconds(metered, tcp_meter):
    one = metered()
    for n in (100, 200, 300):
        tcp_meter.send(marked(n))
    wait_until(lambda: one.state()["Counters"]["telegrams_pass"] == 3, "the telegrams")
    answer = one.user.get(HISTORY)
    document().judge(HISTORY, "GET", answer)
    history = answer.json()
    assert abs(history["end_ts"] - time.time()) < 10
    for name in ("power_w", "power_l1_w", "power_l2_w", "power_l3_w"):
        known = [v for v in history[name] if v is not None]
        assert known == [200] or (len(known) == 2 and set(known) <= {100, 150, 200, 250, 300}), known
        assert history[name].index(known[0]) >= 718 and history[name][:718] == [None] * 718


# --- live --------------------------------------------------------------------------------------

def test_each_telegram_is_an_event(metered, tcp_meter):
    """At once what there is; then a reading for each telegram, in order."""
    one = metered()
    with Events(one) as events:
        name, state = events.next()
        assert name == "state" and state["Serial"] == SERIAL and not state["Meter"]["Ok"]
        for n in range(1, 11):
            tcp_meter.send(marked(n))
            reading = events.next("reading")
            assert reading["sequence"] == n and reading["values"]["power_w"] == n
        assert reading == one.get(READINGS)
        with Events(one) as late:
            assert {late.next()[0], late.next()[0]} == {"state", "reading"}


def test_events_tell_of_changes_at_once_and_of_nothing_every_five_seconds(metered, tcp_meter, broker):
    one = metered("--stale-after", "3600")
    tcp_meter.send(marked(1))
    with Events(one) as events:
        events.wait("state", lambda s: s["Meter"]["State"] == "live")
        begin = time.monotonic()
        with one.server.client() as client:
            client.registers(0x8000, 2)
            seen = events.wait("state", lambda s: s["Modbus"]["Clients"])
            assert time.monotonic() - begin < 3 and seen["Modbus"]["Clients"][0]["Requests"] == 1
        events.wait("state", lambda s: not s["Modbus"]["Clients"])
        one.patch(MQTT={"Broker": broker().url})
        events.wait("state", lambda s: s["MQTT"]["State"] == "connected" and s["Configuration"]["Revision"] == 1)
        begin = time.monotonic()
        events.next("state")
        assert time.monotonic() - begin < 6.5, "the heartbeat"


def test_a_slow_reader_skips_readings_and_gets_whole_ones(metered, tcp_meter):
    """Nothing piles up for him: he gets fewer, in order, each whole, and in the end the latest."""
    one = metered()
    burst, sent = b"".join(marked(n) for n in range(100)), 8000
    with Events(one, receive_buffer=4096) as events:
        events.next("state")
        for _ in range(sent // 100):
            tcp_meter.send(burst)
        wait_until(lambda: one.get(READINGS)["sequence"] == sent, "all telegrams")
        got = [events.next("reading")["sequence"]]
        while got[-1] != sent:
            got.append(events.next("reading")["sequence"])
    assert got == sorted(set(got)) and len(got) < sent


def test_the_state_of_the_largest_crowd_is_an_event(box):
    """All the clients there can be; and it would fit if their addresses and numbers were as long as they can be."""
    longest = {"Address": f"[{'ffff:' * 7}ffff]:65535", "Idle": 99999999.9, "Requests": 10 ** 15}
    ports = [free_port() for _ in range(8)]
    one = box("--modbus-clients", "64", *(o for p in ports for o in ("--modbus-also", f"127.0.0.1:{p},clients=64")))
    with contextlib.ExitStack() as crowd:
        for port in [one.server.port, *ports] * 64:
            crowd.enter_context(socket.create_connection(("127.0.0.1", port)))
        with Events(one) as events:
            state = events.wait("state", lambda s: len(s["Modbus"]["Clients"]) == 64 and
                                all(len(also["Clients"]) == 64 for also in s["Modbus"]["Also"]))
    assert len(state["Modbus"]["Also"]) == 8
    for listener in (state["Modbus"], *state["Modbus"]["Also"]):
        listener["Clients"] = 64 * [longest]
    limit = re.search(r"HTTP_EVENT_MAX = (\d+) \* 1024", HTTP_H.read_text()).group(1)
    assert len(json.dumps(state, separators=(",", ":"))) < (int(limit) - 24) * 1024


# --- metrics -----------------------------------------------------------------------------------

def test_metrics_are_the_readings(metered, tcp_meter):
    one = metered("--mqtt-site", "x")
    tcp_meter.send(marked(2301))
    one.server.wait_served()
    answer = one.user.get("/metrics")
    assert answer["Content-Type"].replace(" ", "").lower() == "text/plain;version=0.0.4;charset=utf-8"
    samples, values = parse_metrics(answer.body.decode()), one.get(READINGS)["values"]
    for phase in ("l1", "l2", "l3"):
        assert metric(samples, "active_power_watts", phase=phase) == values[f"power_{phase}_w"] == 2301
        assert metric(samples, "voltage_volts", phase=phase) == values[f"voltage_{phase}_v"] == 230.1
        assert metric(samples, "current_amperes", phase=phase) == values[f"current_{phase}_a"] == 301
    assert metric(samples, "active_power_watts", phase="total") == 2301
    assert metric(samples, "import_energy_watthours_total", tariff="1") == 2301
    assert metric(samples, "import_energy_watthours_total", tariff="total") == 2301
    assert metric(samples, "meter_up") == 1 and metric(samples, "telegrams_total", result="ok") == 1
    assert 0 <= metric(samples, "telegram_age_seconds") < 60
    assert metric(samples, "build_info", version=one.get(FIRMWARE)["Version"]) == 1
    assert metric(samples, "resident_memory_bytes") > 1e6
    assert b"230.1\n" in answer.body and not re.search(rb" -?\d+[eE.]\d*[eE]", answer.body)


def test_metrics_leave_out_what_is_not_known(metered, tcp_meter):
    """Absent, not zero; and after the limit nothing old is shown as if it were now."""
    one = metered("--stale-after", "1")
    tcp_meter.send(p1("1-3:0.2.8(50)", "1-0:1.7.0(00.000*kW)"))
    one.server.wait_served()
    samples = one.metrics()
    assert metric(samples, "import_power_watts", phase="total") == 0
    assert not [k for k in samples if re.search("volts|current|energy|mbus|sags|demand", k[0])]
    assert metric(samples, "import_power_watts", phase="l1") is None
    one.server.wait_log("values are stale")
    samples = one.metrics()
    assert metric(samples, "meter_up") == 0 and metric(samples, "telegram_age_seconds") >= 1
    assert not [k for k in samples if re.search("watts|volts|amperes", k[0])]


def test_metrics_count_what_happens(metered, tcp_meter, broker):
    one = metered()
    one.patch(MQTT={"Broker": broker().url})
    wait_until(lambda: metric(one.metrics(), "mqtt_connected") == 1, "the broker")
    before = one.metrics()
    tcp_meter.send(marked(1) + marked(2, good=False))
    one.server.wait_served()
    with one.server.client() as client:
        for _ in range(5):
            client.registers(0x8000, 2)
        client.exception(3, 0xFFFF, 2)
        assert metric(one.metrics(), "modbus_clients") == 1
    wait_until(lambda: metric(one.metrics(), "telegrams_total", result="crc") == 1, "the bad telegram")
    wait_until(lambda: metric(one.metrics(), "mqtt_messages_total", result="acknowledged")
               > metric(before, "mqtt_messages_total", result="acknowledged"), "a message")
    after, counters = one.metrics(), one.state()["Counters"]
    assert metric(after, "telegrams_total", result="ok") == counters["telegrams_pass"] == 1
    assert metric(after, "modbus_requests_total") - metric(before, "modbus_requests_total") >= 6
    assert metric(after, "modbus_requests_total") == counters["modbus_requests"]
    assert metric(after, "modbus_exceptions_total") == counters["modbus_exceptions"] >= 1
    assert metric(after, "mqtt_connects_total") == counters["mqtt_event_connect"] == 1
    assert metric(after, "http_requests_total") > metric(before, "http_requests_total")


def test_an_internet_target_is_asked_at_once_and_no_more_when_it_is_taken_away(box):
    """Here the target is this machine; whether its router answers is not for this test to say, but null is never 0."""
    one = box()
    assert one.state()["Internet"] == {"Ok": None}
    counters = ("internet_ping_pass", "internet_ping_fail")
    assert [one.state()["Counters"][name] for name in counters] == [None, None]
    assert metric(one.metrics(), "ping_total", target="internet", result="pass") is None
    one.patch(Internet={"PingTarget": "127.0.0.1"})
    wait_until(lambda: one.state()["Internet"]["Ok"] is not None, "an answer or none", 5)
    assert sum(one.state()["Counters"][name] for name in counters) >= 1
    one.patch(Internet={"PingTarget": ""})
    assert one.state()["Internet"] == {"Ok": None}
    wait_until(lambda: one.state()["Network"]["GatewayOk"] is not None, "an answer or none", 5)
    known = [metric(one.metrics(), "ping_total", target="gateway", result=result) for result in ("pass", "fail")]
    assert sum(known) >= 1


def test_a_token_opens_the_metrics_and_nothing_else(box):
    token = "Scraper-0123456789abcdef"
    one = box()

    def scrape(value, path="/metrics", method="GET", body=None):
        with one.person() as scraper:
            return scraper.request(method, path, body, {"Authorization": value}).status
    assert scrape("Bearer ") == scrape("Bearer " + token) == 401, "none is set"
    one.patch(Metrics={"Token": token})
    assert one.get(CONFIG)["Metrics"]["Token"] == MASK
    assert scrape("Bearer " + token) == scrape("bearer " + token) == scrape(basic(one.login)) == 200
    time.sleep(1.1)  # ten checks a second for strangers
    for wrong in ("Bearer", "Bearer " + token[:-1], "Bearer " + token + "x", "Bearer " + token.lower(),
                  "Bearer " + MASK, "Basic " + token, basic(token), basic(token, "token"), "Token " + token):
        assert scrape(wrong) == 401, wrong
    time.sleep(1.1)
    for path, method, body in ((CONFIG, "GET", None), (STATUS, "GET", None), ("/", "GET", None), (LIVE, "GET", None),
                               (TELEGRAM, "GET", None), (CONFIG, "PATCH", {}), (RESET, "POST", {})):
        assert scrape("Bearer " + token, path, method, body) == 401, path
    assert one.patch(Metrics={"Token": ""})["Metrics"]["Token"] == ""
    time.sleep(1.1)
    assert scrape("Bearer " + token) == 401, "taken back at once"


def test_a_token_does_not_forgive_wrong_logins(box):
    """Who may only read the metrics must not guess faster by it."""
    one = box()
    token = "0123456789abcdef"
    one.patch(Metrics={"Token": token})
    with one.person() as scraper:
        statuses = []
        for _ in range(12):
            for value in (basic("wrong"), "Bearer " + token):
                statuses.append(scraper.request("GET", "/metrics", headers={"Authorization": value}).status)
        assert statuses.count(401) <= 3, f"checked within a moment: {statuses}"


# --- reset and firmware ------------------------------------------------------------------------

def test_firmware_is_the_package_managers_business(shared):
    answer = shared.user.get(FIRMWARE)
    document().judge(FIRMWARE, "GET", answer)
    assert answer.json()["ManagedBy"] == "package-manager"
    assert answer.json()["Version"] in run("version").stdout.decode()
    for body in ({}, {"Url": "https://evil.example/x"}, {"Url": "file:///etc/passwd"}):
        answer = shared.user.request("POST", FIRMWARE, body)
        assert "package manager" in assert_problem(answer, 409)["detail"]
        document().judge(FIRMWARE, "POST", answer)
    assert answer["Retry-After"] is None, "waiting does not help"
    answer = shared.user.request("POST", FIRMWARE, b"a bundle", {"Content-Type": "application/octet-stream"})
    assert "package manager" in assert_problem(answer, 409)["detail"], "a file may be sent as one"


def test_soft_reset_connects_anew_and_keeps_everything(metered, tcp_meter, broker):
    broker = broker()
    one = metered("--stale-after", "3600")
    tcp_meter.send(marked(7))
    one.patch(MQTT={"Broker": broker.url, "Site": "home"})
    wait_until(lambda: one.state()["MQTT"]["Ok"], "the broker")
    before = one.get(CONFIG)
    with one.server.client() as client:
        for body in ({}, {"Mode": "soft"}, None):
            times = connects(broker)
            answer = one.user.request("POST", RESET, body if body is not None else b"")
            assert answer.status == 202 and answer.json() == {"Result": "reconnecting"}
            document().judge(RESET, "POST", answer)
            wait_until(lambda: connects(broker) == times + 1, "another connection")
            wait_until(lambda: one.state()["MQTT"]["Ok"], "the broker")
            assert client.floats(0x8016, 1) == [7], "the same Modbus connection"
    assert one.get(CONFIG) == before and one.get(READINGS)["values"]["power_w"] == 7


def test_factory_reset_sets_all_settings_back_and_leaves_the_identity(box):
    one = box()
    before = one.get(CONFIG)
    label = run("label", "--state", str(one.folder), "--json").stdout
    one.patch(MQTT={"Site": "home", "Password": "secret"}, Modbus={"MaxClients": 9}, Metrics={"Token": "x" * 16},
              WiFi={"ConnectionData": {"WiFiSSID": "s", "WiFiPassword": "12345678"}})
    one.reset("factory")
    assert one.get(CONFIG) == before
    assert run("label", "--state", str(one.folder), "--json").stdout == label
    assert one.user.get(STATUS).status == 200, "the login is on the label"
