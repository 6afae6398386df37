"""Who gets in: one user at a time, guesses that cost time, and secrets that are told to nobody."""
import base64
import binascii
import contextlib
import json
import os
import re
import select
import stat
import threading
import time
import urllib.parse

import pytest

from harness import Gateway, marked, run, wait_until
from https_client import Connection, Https, basic
from page_kit import (CONFIG, FIRMWARE, HISTORY, LIVE, PASSWORD, READINGS, RESET, STATUS, TELEGRAM, Box,
                      Events, assert_problem, document, metric, parse_metrics, strangers)
from page_kit import fixture_box, fixture_guarded, fixture_metered  # noqa: F401

WRONG = basic("wrong")


def attempt(box, source, authorization, path=CONFIG):
    """Tries until it is really checked: strangers share ten checks a second, those who failed one."""
    def ask():
        with Https(box.server, None, source) as who:
            answer = who.request("GET", path, headers={"Authorization": authorization})
        retry = answer["Retry-After"]
        return answer if answer.status != 429 or int(retry) > 5 else None
    return wait_until(ask, "a check")


# --- one user at a time ------------------------------------------------------------------------

def test_a_second_address_is_told_who_is_there(box):
    """409 with the holder's address and how long at most; it changes nothing, and costs the holder nothing."""
    one = box()
    one.user.get(STATUS)
    with one.person("127.0.0.2", one.login) as second:
        for path in ("/", "/config", "/main.js", "/style.css"):
            assert second.get(path).status == 200, "the page itself explains"
        for method, path, body in (("GET", STATUS, None), ("GET", "/nowhere", None),
                                   ("PATCH", CONFIG, {"MQTT": {"Site": "evil"}}), ("GET", LIVE, None),
                                   ("POST", RESET, {"Mode": "factory"}), ("DELETE", CONFIG, None)):
            answer = second.request(method, path, body)
            problem = assert_problem(answer, 409)
            assert re.search(r"\b127\.0\.0\.1\b", problem["detail"]), problem
            assert 40 <= int(answer["Retry-After"]) <= 60
        assert one.state()["Session"] == {"Address": "127.0.0.1"}
        assert one.get(CONFIG)["MQTT"]["Site"] == ""
        assert second.get(STATUS).status == 409, "still"


def test_metrics_are_outside_of_the_session(box):
    """A scraper neither needs it nor takes it."""
    one = box()
    with one.person("127.0.0.2", one.login) as scraper:
        assert scraper.get("/metrics").status == 200
        assert one.state()["Session"] == {"Address": "127.0.0.1"}, "free before"
        assert scraper.get("/metrics").status == 200
        assert one.state()["Session"] == {"Address": "127.0.0.1"}
        assert_problem(scraper.get(STATUS), 409)


def test_who_is_not_logged_in_takes_no_session_and_learns_nothing_of_it(box):
    one = box()
    one.user.get(STATUS)
    with one.person("127.0.0.3") as nobody:
        assert "127.0.0.1" not in json.dumps(assert_problem(nobody.get(STATUS), 401))
        assert_problem(nobody.request("GET", STATUS, headers={"Authorization": WRONG}), 401)
    one.restart()
    with one.person("127.0.0.3") as nobody:
        assert_problem(nobody.get(STATUS), 401)
        assert_problem(nobody.request("GET", STATUS, headers={"Authorization": WRONG}), 401)
    assert one.user.get(STATUS).status == 200


def test_the_session_belongs_to_an_address_not_to_a_connection(box):
    """Several tabs; the stream of a tab that is closed; a restart ends it."""
    one = box()
    with Events(one) as events, one.person("127.0.0.1", one.login) as tab:
        events.next("state")
        assert tab.get(STATUS).status == one.user.get(STATUS).status == 200
    with one.person("127.0.0.2", one.login) as second:
        assert_problem(second.get(STATUS), 409)
    one.restart()
    with one.person("127.0.0.2", one.login) as second:
        assert second.get(STATUS).json()["State"]["Session"] == {"Address": "127.0.0.2"}
        assert_problem(one.user.get(STATUS), 409)


# --- wrong logins ------------------------------------------------------------------------------

def test_five_wrong_logins_lock_an_address_and_no_other(box):
    """Then even the right password is refused from there, over kill -9 and restart, while others come in at once."""
    one = box()
    for n in range(5):
        answer = attempt(one, "127.0.0.66", WRONG)
        assert_problem(answer, 401)
        assert metric(one.metrics(), "logins_failed_total") == n + 1

    def assert_locked():
        for authorization in (basic(one.login), WRONG):
            with Https(one.server, None, "127.0.0.66") as guesser:
                for path in (CONFIG, "/", "/metrics"):
                    answer = guesser.request("GET", path, headers={"Authorization": authorization})
                    assert_problem(answer, 429)
                    assert 40 <= int(answer["Retry-After"]) <= 60
        with Https(one.server, None, "127.0.0.66") as guesser:
            assert guesser.get(CONFIG).status == 401, "asked without a login he is told how"

    def assert_open(source):
        begin = time.monotonic()
        with one.person(source, one.login) as other:
            assert other.get("/metrics").status == 200 and time.monotonic() - begin < 1
    assert_locked()
    assert one.user.get(STATUS).status == 200, "the holder goes on"
    assert_open("127.0.0.67")
    wait_until(lambda: (one.folder / "locks").exists() and (one.folder / "locks").stat().st_size, "the lock on disk")
    one.restart()
    assert_locked()
    assert_open("127.0.0.67")
    assert metric(one.metrics(), "logins_failed_total") == 0, "none was checked"
    assert len(one.server.log("wrong login")) == 0
    assert one.user.get(STATUS).status == 200


def test_a_right_login_forgets_the_slips_before_it(box):
    one = box()
    source = next(strangers)
    for _ in range(2):
        for _ in range(3):
            assert attempt(one, source, WRONG, "/metrics").status == 401
        assert attempt(one, source, basic(one.login), "/metrics").status == 200
    assert metric(one.metrics(), "logins_failed_total") == 6


def encoded(text):
    return "Basic " + base64.b64encode(text if isinstance(text, bytes) else text.encode()).decode()


NOT_THE_LOGIN = {
    "first half": lambda right: encoded("user:" + right[:len(right) // 2]),
    "all but the last": lambda right: encoded("user:" + right[:-1]),
    "all but the first": lambda right: encoded("user:" + right[1:]),
    "longer": lambda right: encoded("user:" + right + "x"),
    "twice": lambda right: encoded("user:" + right + right),
    "colon behind": lambda right: encoded("user:" + right + ":"),
    "colon before": lambda right: encoded("user::" + right),
    "other case": lambda right: encoded("user:" + right.swapcase()),
    "last letter's case": lambda right: encoded("user:" + right[:-1] + right[-1].swapcase())
    if right[-1].isalpha() else encoded("user:" + right[:-1] + "x"),
    "NUL behind": lambda right: encoded("user:" + right + "\0"),
    "NUL inside": lambda right: encoded("user:" + right[:4] + "\0" + right[4:]),
    "NUL and more": lambda right: encoded("user:" + right + "\0more"),
    "nothing": lambda right: encoded("user:"),
    "wrong user": lambda right: encoded("admin:" + right),
    "user's case": lambda right: encoded("USER:" + right),
    "user with NUL": lambda right: encoded("user\0:" + right),
    "no user": lambda right: encoded(":" + right),
    "no colon": lambda right: encoded("user" + right),
    "password alone": encoded,
    "blank around": lambda right: encoded("user:" + right + " "),
    "line end": lambda right: encoded("user:" + right + "\r\n"),
    "bad base64": lambda right: encoded("user:" + right)[:-1] + "!",
    "blank in base64": lambda right: encoded("user:" + right)[:12] + " " + encoded("user:" + right)[12:],
    "not encoded": lambda right: "Basic user:" + right,
    "base64 url": lambda right: "Basic ____",
    "other scheme": lambda right: encoded("user:" + right).replace("Basic", "Digest"),
    "the hash": lambda right: encoded("user:$y$j9T$"),
}


@pytest.fixture(name="door_keeper", scope="module")
def fixture_door_keeper(tmp_path_factory):
    folder = tmp_path_factory.mktemp("login")
    one = Box(lambda *options, **how: Gateway(folder, *options, **how), folder)
    one.user.get(STATUS)
    yield one
    one.user.close()
    one.server.stop()


@pytest.mark.parametrize("name", NOT_THE_LOGIN)
def test_what_is_nearly_the_login_is_not(door_keeper, name):
    """The whole text counts, and each attempt is counted."""
    before = metric(door_keeper.metrics(), "logins_failed_total")
    answer = attempt(door_keeper, next(strangers), NOT_THE_LOGIN[name](door_keeper.login))
    assert_problem(answer, 401)
    assert answer["WWW-Authenticate"].startswith("Basic ")
    assert metric(door_keeper.metrics(), "logins_failed_total") == before + 1


def test_two_authorization_fields_are_refused(door_keeper):
    """In whatever order: neither is looked at."""
    for first, second in ((door_keeper.login, "wrong"), ("wrong", door_keeper.login), (door_keeper.login,) * 2):
        with door_keeper.person() as guest, guest.connect() as connection:
            connection.send((f"GET {CONFIG} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {basic(first)}\r\n"
                             f"authorization: {basic(second)}\r\n\r\n").encode())
            assert_problem(connection.answer(), 400)


def test_schemes_have_no_case_and_blanks_do_not_count(door_keeper):
    """RFC 9110 11.4; browsers and scripts differ."""
    right = basic(door_keeper.login).split(" ")[1]
    for authorization in (f"basic {right}", f"BASIC {right}", f"Basic   {right}", f"Basic {right} "):
        assert attempt(door_keeper, next(strangers), authorization, "/metrics").status == 200


def test_brute_force_is_checked_about_once_a_second(box):
    """Six hundred guesses and more from six addresses, of all kinds, as fast as they go: hardly any is looked at, and
    the owner does not wait."""
    one = box()
    one.user.get(STATUS)
    kinds = ((CONFIG, basic), ("/metrics", basic), ("/metrics", "Bearer {}".format), ("/", "Digest {}".format))
    begin, counts, lock = time.monotonic(), {}, threading.Lock()

    def guess(number):
        with Https(one.server, None, f"127.0.5.{number}") as guesser:
            while time.monotonic() - begin < 4 or sum(counts.values()) < 600:
                path, scheme = kinds[sum(counts.values()) % len(kinds)]
                status = guesser.request("GET", path, headers={"Authorization": scheme(f"guess{number}")}).status
                with lock:
                    counts[status] = counts.get(status, 0) + 1
                time.sleep(0.005)  # the owner shares the two cores with us
    threads = [threading.Thread(target=guess, args=(n,)) for n in range(1, 7)]
    for thread in threads:
        thread.start()
    slowest = 0
    while any(t.is_alive() for t in threads):
        for source in ("127.0.0.1", next(strangers)):
            tried = time.monotonic()
            answer = None
            while not answer or (answer.status == 429 and time.monotonic() - tried < 2):
                with one.person(source, one.login) as owner:
                    answer = owner.get("/metrics")
            assert answer.status == 200, f"the right login from {source}: {answer}"
            slowest = max(slowest, time.monotonic() - tried)
        time.sleep(0.3)
    seconds = time.monotonic() - begin
    checked = one.state()["Counters"]["logins_failed"]
    assert set(counts) == {401, 429} and sum(counts.values()) >= 600
    assert checked <= 6 + seconds + 1, f"{checked} of {counts} in {seconds:.1f} s: the first of each, then one a second"
    assert counts[401] == checked, "only what was checked is called wrong"
    assert slowest < 2, "the owner, and the owner at another place"
    assert one.user.get(STATUS).status == 200


def test_the_owner_does_not_queue_behind_strangers(box):
    """Forty guesses wait to be looked at, which takes long; who is known is answered before most of them."""
    one = box()
    one.user.get(STATUS)
    with contextlib.ExitStack() as stack:
        crowd = [stack.enter_context(Connection(one.server, next(strangers))) for _ in range(40)]
        for guesser in crowd:
            guesser.send(one.user.head("GET", CONFIG, {"Authorization": WRONG}))
        assert one.user.get(STATUS).status == 200
        told = len(select.select([guesser.socket for guesser in crowd], [], [], 0)[0])
        assert told < len(crowd) // 2, "they had been told already"
        assert {guesser.answer().status for guesser in crowd} <= {401, 429}


# --- a password of one's own -------------------------------------------------------------------

def choose(one, old, new):
    return one.user.request("POST", PASSWORD, {"OldPassword": old, "NewPassword": new})


def opens(one, login):
    """Whether a login opens everything it should, or nothing."""
    statuses = {attempt(one, source, basic(login), path).status
                for source, path in (("127.0.0.1", STATUS), ("127.0.0.1", "/"), (next(strangers), "/metrics"))}
    assert statuses in ({200}, {401}), statuses
    return statuses == {200}


def test_a_password_of_ones_own_replaces_the_labels_at_once(box):
    """On open connections, too; over kill -9; until a factory reset brings the label's back. It is kept as a hash."""
    one = box()
    label, own = one.login, "h\u00e8m: p\u00e4ss \u20ac:"
    with one.person("127.0.0.1", label) as kept_open, Events(one) as events:
        assert kept_open.get(STATUS).status == 200
        answer = choose(one, label, own)
        assert answer.status == 200, answer
        document().judge(PASSWORD, "POST", answer)
        assert kept_open.get(STATUS).status == 401
        assert events.connection.is_closed(), "who listens has to come again"
    assert opens(one, own) and not opens(one, label)
    one.restart()
    assert one.login == label, "the sticker says what it said"
    assert opens(one, own) and not opens(one, label)
    assert not [p for p in one.folder.iterdir() if own.encode() in p.read_bytes()]
    assert not [p for p in one.folder.iterdir() if p.stat().st_mode & 0o077]
    one.user.login = own
    one.patch(MQTT={"Site": "home"})
    one.reset("factory")
    assert opens(one, label) and not opens(one, own)
    one.restart()
    assert opens(one, label) and one.get(CONFIG)["MQTT"]["Site"] == ""


def test_passwords_that_are_too_weak_or_none_are_refused(box):
    """Named at their field; the one until now still opens."""
    one = box()
    new = "/NewPassword"
    for body, pointer in (({"NewPassword": "long enough"}, "/OldPassword"), ({}, "/OldPassword"), ([], None),
                          ({"OldPassword": one.login}, new), ({"OldPassword": one.login, "NewPassword": ""}, new),
                          ({"OldPassword": one.login, "NewPassword": "9 letters"}, new),
                          ({"OldPassword": one.login, "NewPassword": "user"}, new),
                          ({"OldPassword": one.login, "NewPassword": one.login}, new),
                          ({"OldPassword": one.login, "NewPassword": "aaaaaaaaaaaaaaaa"}, new),
                          ({"OldPassword": one.login, "NewPassword": "line\nfeed is none"}, new),
                          ({"OldPassword": one.login, "NewPassword": "x1y2" * 33}, new),
                          ({"OldPassword": one.login, "NewPassword": 1234567890}, None),
                          ({"OldPassword": one.login, "NewPassword": None}, None),
                          ({"OldPassword": one.login, "NewPassword": "long enough", "Extra": 1}, None)):
        answer = one.user.request("POST", PASSWORD, body)
        assert answer.status == 422, (body, answer)
        if pointer:
            assert pointer in answer.pointers(), (body, answer)
        document().judge(PASSWORD, "POST", answer)
    assert opens(one, one.login) and one.state()["Counters"]["logins_failed"] == 0


def test_the_old_password_cannot_be_guessed_by_who_found_an_open_browser(box):
    """Each wrong one counts as a wrong login, and the fifth locks the address."""
    one = box()
    for n in range(5):
        answer = choose(one, f"guess {n}", "a new password")
        assert_problem(answer, 422, "/OldPassword")
    assert_problem(choose(one, one.login, "a new password"), 429)
    assert_problem(one.user.get(STATUS), 429)
    with one.person(None, one.login) as other:
        assert metric(parse_metrics(other.get("/metrics").body.decode()), "logins_failed_total") == 5


def test_a_password_is_told_to_nobody(box):
    """Neither in answers nor in the log; that it was changed is."""
    one = box("--log-level", "debug")
    old, own = one.login, "Canary-own-77f1"
    answers = [choose(one, own, "Canary-new-18c2"), choose(one, old, own), choose(one, old, "Canary-new-18c2")]
    assert [a.status for a in answers] == [422, 200, 401]
    one.user.login = own
    answers += [one.user.get(path) for path in (STATUS, CONFIG, "/metrics", "/api/v1/openapi.json")]
    answers.append(one.user.request("POST", PASSWORD, b'{"OldPassword":"' + own.encode()))
    told = b"".join(repr(a.fields).encode() + a.body for a in answers) + one.server.stderr().encode()
    assert b"Canary" not in told and old.encode() not in told
    assert len(one.server.log("password is changed")) == 1


# --- secrets -----------------------------------------------------------------------------------

def faces(secret):
    """How a secret may look like in other people's texts."""
    data = secret.encode()
    for shift in range(3):  # inside of a longer base64 text
        text = base64.b64encode(bytes(shift) + data).decode()
        yield text[4 if shift else 0:len(text) - 4].encode()
    yield from (data, binascii.hexlify(data), binascii.hexlify(data).upper(), urllib.parse.quote(secret).encode(),
                json.dumps(secret)[1:-1].encode(), data[::-1])


def secrets_of(folder):
    """What only the box and its owner may know, by its name."""
    label = json.loads(run("label", "--state", str(folder), "--json").stdout)
    found = {"login": label["login"], "access point key": label["ap_key"]}
    found["hash of the login"] = (folder / "login").read_text().strip()
    for name in ("web.key", "device.key"):
        body = re.findall(r"^[A-Za-z0-9+/=]{40,}$", (folder / name).read_text(), re.M)
        for i, line in enumerate(body):
            found[f"{name}, line {i}"] = line
        whole = base64.b64decode("".join(body))
        found[f"{name}, scalar"] = whole[36:68].hex()  # PKCS#8 of P-256
    return found


def test_secrets_are_told_to_nobody(metered, tcp_meter, guarded, subscriber):
    """Canaries in every secret field, a walk through everything; then nothing of them in answers, log, MQTT, command
    line or environment, in plain, base64, hex or percent signs."""
    given = {"MQTT password": "Canary-mqtt-5d1f\"\\<&", "Wi-Fi password": "Canary-wifi-8a77 %&+",
             "metrics token": "Canary-token-03c9"}
    broker = guarded(given["MQTT password"])
    one = metered("--log-level", "debug", "--stale-after", "3600")
    watch = subscriber(broker, username="meter", password=given["MQTT password"])
    secrets = {**secrets_of(one.folder), **given}
    heard = []

    def hear(answer):
        heard.append(repr(answer.fields).encode() + answer.body)
        return answer

    def ask(method, path, body=None, headers=None, who=None):
        return hear((who or one.user).request(method, path, body, headers))
    mqtt = {"Broker": broker.url, "Username": "meter", "Password": given["MQTT password"]}
    wifi = {"WiFiSSID": "home", "WiFiPassword": given["Wi-Fi password"]}
    assert ask("PATCH", CONFIG, {"MQTT": mqtt, "WiFi": {"ConnectionData": wifi},
                                 "Metrics": {"Token": given["metrics token"]}}).status == 200
    tcp_meter.send(marked(1))
    watch.wait("power_instant")
    with Events(one) as events:
        heard += [json.dumps(events.next()).encode() for _ in range(2)]
    paths = ("/", "/config", "/main.js", CONFIG, STATUS, FIRMWARE, TELEGRAM, READINGS, HISTORY, "/api/v1/openapi.json",
             "/metrics", RESET, "/nowhere")
    for path in paths:
        for method in ("GET", "HEAD", "OPTIONS", "TRACE", "PUT"):
            ask(method, path)
    with one.person() as scraper:
        assert ask("GET", "/metrics", headers={"Authorization": "Bearer " + given["metrics token"]},
                   who=scraper).status == 200
    bad = [{"MQTT": {"Password": given["MQTT password"] * 20}}, {"MQTT": {"password": given["MQTT password"]}},
           {"MQTT": {"Password": [given["MQTT password"]]}},
           {"WiFi": {"ConnectionData": {"WiFiPassword": given["Wi-Fi password"] + "\u00e9"}}},
           {"WiFi": {"ConnectionData": {"WiFiPassword": given["Wi-Fi password"] * 9}}},
           {"Metrics": {"Token": given["metrics token"] + "\u20ac"}}, {"Metrics": given["metrics token"]}]
    for patch in bad:
        assert ask("PATCH", CONFIG, patch).status == 422
    for secret in given.values():
        text = json.dumps({"MQTT": {"Password": secret}})
        for body in (text[:-3], text + "x", text.replace("{", "{,", 1), text.replace('": "', '" "'),
                     text[:-2] + '"x"}'):
            assert ask("PATCH", CONFIG, body.encode()).status == 400
    assert ask("PATCH", CONFIG, {"MQTT": {"Password": "wrong"}}).status == 200
    wait_until(lambda: one.state()["MQTT"]["Detail"], "the refusal")
    ask("GET", STATUS)
    assert ask("PATCH", CONFIG, {"MQTT": {"Password": given["MQTT password"]}}).status == 200
    wait_until(lambda: one.state()["MQTT"]["Ok"], "the broker again")
    for authorization in (basic(one.login + "x"), "Bearer " + one.login, basic(given["metrics token"])):
        assert hear(attempt(one, next(strangers), authorization)).status == 401
    with Connection(one.server, tls=False) as connection:
        connection.send(one.user.head("GET", CONFIG))
        hear(connection.answer())
    with Connection(one.server) as connection:
        connection.send(one.user.head("GET", CONFIG, {"X-A ": "bad"}))
        hear(connection.answer())
    assert ask("POST", RESET, {"Mode": "soft"}).status == 202
    proc = {name: open(f"/proc/{one.server.pid}/{name}", "rb").read() for name in ("cmdline", "environ")}
    told = {"answers": b"\n".join(heard), "MQTT": "\n".join(f"{m.topic} {m.payload}" for m in watch.messages).encode(),
            "log": one.server.stderr().encode(), "output": one.server.stdout().encode(), **proc}
    assert len(heard) > 80 and "MQTT/Password" in one.server.stderr(), "the names of settings are told"
    leaks = {f"{name} in {where}: {text[max(0, text.index(face) - 60):][:120]}"
             for name, secret in secrets.items() for where, text in told.items()
             for face in faces(secret) if face in text}
    assert not leaks, sorted(leaks)


def test_what_is_kept_is_for_the_boxs_own_user_alone(box):
    """0700 and 0600, whatever the umask; while it runs and after."""
    old = os.umask(0)
    try:
        one = box()
    finally:
        os.umask(old)
    one.patch(MQTT={"Site": "home"})
    attempt(one, "127.0.0.66", WRONG)
    assert stat.S_IMODE(one.folder.stat().st_mode) == 0o700
    for path in one.folder.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    assert {"config.json", "login", "label", "web.key", "device.key"} <= {p.name for p in one.folder.iterdir()}


def test_the_log_tells_who_came_and_what_was_changed(box):
    """Good and bad logins with the address, changes by the names of the fields and without their values."""
    one = box()
    one.user.get(STATUS)
    attempt(one, "127.0.0.66", WRONG)
    one.patch(MQTT={"Site": "canary-site"}, Modbus={"MaxClients": 7})
    one.patch(MQTT={"Site": "canary-site"})
    assert len(one.server.log(r"login from 127\.0\.0\.1\b")) == 1
    assert len(one.server.log(r"wrong login from 127\.0\.0\.66\b")) == 1
    changed = one.server.log("changed")
    assert len(changed) == 1 and "MQTT/Site" in changed[0] and "Modbus/MaxClients" in changed[0]
    assert "canary-site" not in changed[0]


def test_a_factory_reset_leaves_nothing_of_the_user_behind(box):
    """Not in the file, not in one that was set aside because it was damaged or newer, and no locks of guessers."""
    canaries = {"MQTT": {"Site": "Canary-1", "Username": "Canary-2", "Password": "Canary-3"},
                "WiFi": {"ConnectionData": {"WiFiSSID": "Canary-4", "WiFiPassword": "Canary-5"}},
                "Metrics": {"Token": "Canary-6-0123456789"}}
    one = box()
    path = one.folder / "config.json"
    identity = {p.name: p.read_bytes() for p in one.folder.iterdir()}
    for spoil in (lambda text: text, lambda text: text + "damaged",
                  lambda text: text.replace('"Version": 1', '"Version": 99'),
                  lambda text: text.replace("Canary-5", "bad")):
        one.patch(**canaries)
        path.write_text(spoil(path.read_text()))
        one.restart()
        one.reset("factory")
        left = [p.name for p in one.folder.rglob("*") if p.is_file() and b"Canary" in p.read_bytes()]
        assert not left, left
    kept = {p.name: p.read_bytes() for p in one.folder.iterdir() if not p.name.startswith("locks")}
    assert kept == identity
    assert "Canary" not in json.dumps(one.get(STATUS))
