"""HTTPS on the wire: requests that could be read in two ways, clients that are too many, too slow or hostile.

Each case is sent whole, with the right login and a change that would be seen; then, shorter, cut at every byte and
byte by byte, which must make no difference. No case changes the configuration.
"""
import base64
import concurrent.futures
import contextlib
import itertools
import os
import re
import resource
import socket
import ssl
import struct
import threading
import time

import pytest

from bad_inputs import bad_input, named
from harness import Gateway, wait_until
from https_client import CONTEXT, Closed, Connection, Https, basic, client_hello, door, serve, tls_context

EVIL = b'{"MQTT":{"Site":"evil"}}'
CONFIG, FIRMWARE = "/api/v1/config", "/api/v1/firmware"
NO_ANSWER = None  # closed without a word
UNTRUSTED = {400, 413, 414, 431, 501, 505}  # who knows what comes next: these end the connection
MHD_OWN = (400, NO_ANSWER)  # a request line that the library cannot read at all

# In the bytes of a case stand for: {P} method and path of a change, {F} the fields it needs, {B} its body,
# {N} its length, {C} the body in chunks.
CASES = {
    # What frames the body.
    "cl-te-both": (b"{P} HTTP/1.1\r\n{F}Content-Length: {N}\r\nTransfer-Encoding: chunked\r\n\r\n{C}", 501),
    "te-cl-both": (b"{P} HTTP/1.1\r\n{F}Transfer-Encoding: chunked\r\nContent-Length: {N}\r\n\r\n{C}", 501),
    "te-chunked": (b"{P} HTTP/1.1\r\n{F}Transfer-Encoding: chunked\r\n\r\n{C}", 501),
    "te-space": (b"{P} HTTP/1.1\r\n{F}Transfer-Encoding : chunked\r\n\r\n{C}", 400),
    "te-xchunked": (b"{P} HTTP/1.1\r\n{F}Transfer-Encoding: xchunked\r\n\r\n{C}", 501),
    "te-identity-chunked": (b"{P} HTTP/1.1\r\n{F}Transfer-Encoding: identity, chunked\r\n\r\n{C}", 501),
    "te-twice": (b"{P} HTTP/1.1\r\n{F}Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n{C}", 400),
    "te-in-1.0": (b"{P} HTTP/1.0\r\n{F}Transfer-Encoding: chunked\r\n\r\n{C}", 501),
    "dup-cl": (b"{P} HTTP/1.1\r\n{F}Content-Length: {N}\r\nContent-Length: {N}\r\n\r\n{B}", 400),
    "dup-cl-0-first": (b"{P} HTTP/1.1\r\n{F}Content-Length: 0\r\nContent-Length: {N}\r\n\r\n{B}", 400),
    "dup-cl-0-last": (b"{P} HTTP/1.1\r\n{F}Content-Length: {N}\r\nContent-Length: 0\r\n\r\n{B}", 400),
    "cl-plus": (b"{P} HTTP/1.1\r\n{F}Content-Length: +{N}\r\n\r\n{B}", 400),
    "cl-neg": (b"{P} HTTP/1.1\r\n{F}Content-Length: -{N}\r\n\r\n{B}", 400),
    "cl-hex": (b"{P} HTTP/1.1\r\n{F}Content-Length: 0x{N}\r\n\r\n{B}", 400),
    "cl-empty": (b"{P} HTTP/1.1\r\n{F}Content-Length:\r\n\r\n{B}", 400),
    "cl-list": (b"{P} HTTP/1.1\r\n{F}Content-Length: {N}, {N}\r\n\r\n{B}", 400),
    "cl-huge": (b"{P} HTTP/1.1\r\n{F}Content-Length: 18446744073709551616\r\n\r\n{B}", 413),
    "cl-huge-less-1": (b"{P} HTTP/1.1\r\n{F}Content-Length: 18446744073709551615\r\n\r\n{B}", 413),
    "cl-1MiB": (b"{P} HTTP/1.1\r\n{F}Content-Length: 1048576\r\n\r\n{B}", 413),
    "chunk-ext-lf": (b"{P} HTTP/1.1\r\n{F}Transfer-Encoding: chunked\r\n\r\n2;a\n{}\r\n0\r\n\r\n", 501),
    "chunk-neg": (b"{P} HTTP/1.1\r\n{F}Transfer-Encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n", 501),
    "chunk-huge": (b"{P} HTTP/1.1\r\n{F}Transfer-Encoding: chunked\r\n\r\n10000000000000002\r\n{}\r\n0\r\n\r\n", 501),
    "chunk-0x": (b"{P} HTTP/1.1\r\n{F}Transfer-Encoding: chunked\r\n\r\n0x2\r\n{}\r\n0\r\n\r\n", 501),
    "trailer-auth": (b"{P} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                     b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nAuthorization: Basic eDp5\r\n\r\n", 501),
    # Lines.
    "obs-fold": (b"{P} HTTP/1.1\r\n{F}X-A: one\r\n two\r\nContent-Length: {N}\r\n\r\n{B}", 400),
    "obs-fold-tab": (b"{P} HTTP/1.1\r\n{F}X-A: one\r\n\ttwo\r\nContent-Length: {N}\r\n\r\n{B}", 400),
    "obs-fold-empty": (b"{P} HTTP/1.1\r\n{F}X-A: one\r\n \r\nContent-Length: {N}\r\n\r\n{B}", 400),
    "obs-fold-first": (b"{P} HTTP/1.1\r\n X-A: one\r\n{F}Content-Length: {N}\r\n\r\n{B}", 400),
    "obs-fold-length": (b"{P} HTTP/1.1\r\n{F}Content-Length: {N}\r\n x\r\n\r\n{B}", 400),
    "bare-lf": (b"{P} HTTP/1.1\n{F}Content-Length: {N}\n\n{B}", 400),
    "bare-lf-line": (b"{P} HTTP/1.1\n{F}Content-Length: {N}\r\n\r\n{B}", 400),
    "bare-lf-field": (b"{P} HTTP/1.1\r\n{F}X-A: b\nContent-Length: {N}\r\n\r\n{B}", 400),
    "bare-lf-last-field": (b"{P} HTTP/1.1\r\n{F}Content-Length: {N}\n\r\n{B}", 400),
    "bare-lf-end": (b"{P} HTTP/1.1\r\n{F}Content-Length: {N}\r\n\n{B}", 400),
    "bare-lf-and-a-blank": (b"{P} HTTP/1.1\r\n{F}X-A:  b\nContent-Length: {N}\r\n\r\n{B}", 400),
    "bare-cr": (b"{P} HTTP/1.1\r\n{F}X-A: one\rX-B: two\r\nContent-Length: {N}\r\n\r\n{B}", 400),
    "bare-cr-name": (b"{P} HTTP/1.1\r\n{F}X\r-A: one\r\nContent-Length: {N}\r\n\r\n{B}", 400),
    "bare-cr-path": (b"{P}\r HTTP/1.1\r\n{F}Content-Length: {N}\r\n\r\n{B}", 400),
    "cr-cr-lf": (b"{P} HTTP/1.1\r\n{F}X-A: one\r\r\nContent-Length: {N}\r\n\r\n{B}", 400),
    "nul-header": (b"{P} HTTP/1.1\r\n{F}X-A: one\0two\r\nContent-Length: {N}\r\n\r\n{B}", 400),
    "nul-name": (b"{P} HTTP/1.1\r\n{F}X\0A: one\r\nContent-Length: {N}\r\n\r\n{B}", 400),
    "nul-line": (b"{P} HTTP/1.1\r\n{F}\0X-A: one\r\nContent-Length: {N}\r\n\r\n{B}", 400),
    "nul-uri": (b"{P}\0x HTTP/1.1\r\n{F}Content-Length: {N}\r\n\r\n{B}", 400),
    "nul-method": (b"P\0X /x HTTP/1.1\r\n{F}Content-Length: {N}\r\n\r\n{B}", 400),
    "space-colon": (b"{P} HTTP/1.1\r\n{F}X-A : b\r\nContent-Length: {N}\r\n\r\n{B}", 400),
    "tab-colon": (b"{P} HTTP/1.1\r\n{F}X-A\t: b\r\nContent-Length: {N}\r\n\r\n{B}", 400),
    "no-colon": (b"{P} HTTP/1.1\r\n{F}X-A b\r\nContent-Length: {N}\r\n\r\n{B}", 400),
    "empty-name": (b"{P} HTTP/1.1\r\n{F}: b\r\nContent-Length: {N}\r\n\r\n{B}", 400),
    "empty-name-first": (b"{P} HTTP/1.1\r\n: b\r\n{F}Content-Length: {N}\r\n\r\n{B}", 400),
    "control-in-value": (b"{P} HTTP/1.1\r\n{F}X-A: a\x01b\r\nContent-Length: {N}\r\n\r\n{B}", 400),
    "del-in-value": (b"{P} HTTP/1.1\r\n{F}X-A: a\x7fb\r\nContent-Length: {N}\r\n\r\n{B}", 400),
    "high-bytes": (b"GET /x HTTP/1.1\r\n{F}X-A: \xff\xfe\r\nConnection: close\r\n\r\n", 404),
    "high-bytes-name": (b"{P} HTTP/1.1\r\n{F}X\xff: b\r\nContent-Length: {N}\r\n\r\n{B}", 400),
    "high-bytes-path": (b"{P}\xff HTTP/1.1\r\n{F}Content-Length: {N}\r\n\r\n{B}", 400),
    "header-9k": (b"{P} HTTP/1.1\r\n{F}X-A: " + b"a" * 9000 + b"\r\nContent-Length: {N}\r\n\r\n{B}", 431),
    "headers-2000": (b"{P} HTTP/1.1\r\n{F}" + b"X: y\r\n" * 2000 + b"Content-Length: {N}\r\n\r\n{B}", 431),
    "header-64KiB": (b"{P} HTTP/1.1\r\n{F}X-A: " + b"a" * 65536 + b"\r\nContent-Length: {N}\r\n\r\n{B}", 431),
    # Which host is meant.
    "no-host": (b"GET /x HTTP/1.1\r\nX-A: b\r\n\r\n", 400),
    "dup-host": (b"{P} HTTP/1.1\r\n{F}Host: 127.0.0.1\r\nContent-Length: {N}\r\n\r\n{B}", 400),
    "empty-host": (b"GET /x HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n", 403),
    # The request line.
    "http09": (b"GET /x\r\n\r\n", 400),
    "http-0.9": (b"{P} HTTP/0.9\r\n{F}Content-Length: {N}\r\n\r\n{B}", 505),
    "http-1.10": (b"{P} HTTP/1.10\r\n{F}Content-Length: {N}\r\n\r\n{B}", 400),
    "http-1.2": (b"{P} HTTP/1.2\r\n{F}Content-Length: {N}\r\n\r\n{B}", 505),
    "http-2.0": (b"{P} HTTP/2.0\r\n{F}Content-Length: {N}\r\n\r\n{B}", 505),
    "http-lower": (b"{P} http/1.1\r\n{F}Content-Length: {N}\r\n\r\n{B}", 400),
    "h2-preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    "blank-at-the-end": (b"{P} HTTP/1.1 \r\n{F}Content-Length: {N}\r\n\r\n{B}", 400),
    "blank-first": (b" {P} HTTP/1.1\r\n{F}Content-Length: {N}\r\n\r\n{B}", *MHD_OWN),
    "two-blanks": (b"GET  /x HTTP/1.1\r\n{F}\r\n", 400),
    "two-blanks-after": (b"GET /x  HTTP/1.1\r\n{F}\r\n", 400),
    "blank-in-path": (b"GET /x y HTTP/1.1\r\n{F}\r\n", 400),
    "tab-in-path": (b"GET /x\ty HTTP/1.1\r\n{F}\r\n", 400),
    "tab-method": (b"GET\t/x\tHTTP/1.1\r\n{F}\r\n", *MHD_OWN),
    "method-trace": (b"TRACE /api/v1/config HTTP/1.1\r\n{F}\r\n", 405),
    "method-connect": (b"CONNECT a:443 HTTP/1.1\r\n{F}\r\n", 400),
    "method-lower": (b"get /api/v1/config HTTP/1.1\r\n{F}\r\n", 405),
    "method-unknown": (b"BREW /api/v1/config HTTP/1.1\r\n{F}\r\n", 405),
    "method-no-token": (b"G(T /api/v1/config HTTP/1.1\r\n{F}\r\n", 400),
    "method-3000": (b"G" * 3000 + b" /api/v1/config HTTP/1.1\r\n{F}\r\n", 405),
    "abs-uri": (b"GET https://127.0.0.1/api/v1/config HTTP/1.1\r\n{F}\r\n", 400),
    "star": (b"OPTIONS * HTTP/1.1\r\n{F}\r\n", 400),
    "dotdot": (b"GET /../../etc/passwd HTTP/1.1\r\n{F}\r\n", 404),
    "dotdot-inside": (b"GET /api/v1/../v1/config HTTP/1.1\r\n{F}\r\n", 404),
    "pct-dotdot": (b"GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\n{F}\r\n", 404),
    "slash-twice": (b"GET //api/v1/config HTTP/1.1\r\n{F}\r\n", 404),
    "slash-at-the-end": (b"GET /api/v1/config/ HTTP/1.1\r\n{F}\r\n", 404),
    "uri-pct-bad": (b"GET /%zz HTTP/1.1\r\n{F}\r\n", 404),
    "uri-pct-00": (b"GET /api/v1/config%00 HTTP/1.1\r\n{F}\r\n", 404),
    "uri-pct-name": (b"GET /api/v1/%63onfig HTTP/1.1\r\n{F}\r\n", 404),
    "uri-9000": (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n{F}\r\n", 414, 431),
    "uri-64KiB": (b"GET /" + b"a" * 65536 + b" HTTP/1.1\r\n{F}\r\n", 414, 431),
    # Expectations, and requests that a foreign page makes a browser send.
    "expect-unknown": (b"{P} HTTP/1.1\r\n{F}Expect: tea\r\nContent-Length: {N}\r\n\r\n{B}", 417),
    "origin-foreign": (b"{P} HTTP/1.1\r\n{F}Origin: https://evil.example\r\nContent-Length: {N}\r\n\r\n{B}", 403),
    "origin-http": (b"{P} HTTP/1.1\r\n{F}Origin: http://127.0.0.1\r\nContent-Length: {N}\r\n\r\n{B}", 403),
    "origin-null": (b"{P} HTTP/1.1\r\n{F}Origin: null\r\nContent-Length: {N}\r\n\r\n{B}", 403),
    "origin-prefix": (b"{P} HTTP/1.1\r\n{F}Origin: https://127.0.0.1.evil\r\nContent-Length: {N}\r\n\r\n{B}", 403),
    "fetch-site": (b"{P} HTTP/1.1\r\n{F}Sec-Fetch-Site: cross-site\r\nContent-Length: {N}\r\n\r\n{B}", 403),
}
# The same, but for the field that is named; and what {F} is without it.
OTHER_FIELDS = {
    "host-foreign": ("Host", "evil.example", 403),
    "host-foreign-port": ("Host", "127.0.0.1.evil:443", 403),
    "host-userinfo": ("Host", "user@127.0.0.1", 403),
    "content-type-form": ("Content-Type", "application/x-www-form-urlencoded", 415),
    "content-type-multipart": ("Content-Type", "multipart/form-data; boundary=x", 415),
    "content-type-text": ("Content-Type", "text/plain", 415),
    "content-type-longer": ("Content-Type", "application/jsonx", 415),
    "content-type-missing": ("Content-Type", None, 415),
}


def fill(template, line, fields, body=EVIL):
    """The bytes of a case."""
    chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    for name, value in ((b"{P}", line), (b"{F}", fields), (b"{N}", b"%d" % len(body)), (b"{C}", chunks),
                        (b"{B}", body)):
        template = template.replace(name, value)
    return template


def whole(name, login):
    """A change that would be made, were it not for what is wrong with it."""
    fields = f"Host: 127.0.0.1\r\nAuthorization: {basic(login)}\r\nContent-Type: application/json\r\n"
    return fill(CASES[name][0], f"PATCH {CONFIG}".encode(), fields.encode())


def short(name):
    """The same without login and for another host, so that it can be cut often."""
    closing = b"" if UNTRUSTED.issuperset(CASES[name][1:]) else b"Connection: close\r\n"
    return fill(CASES[name][0], b"PUT /x", b"Host: a\r\n" + closing, b"{}")


# Longer than what the library keeps of a head: where it is cut makes no difference to anybody.
CUT = [name for name in CASES if len(short(name)) < 20000]


def busy(server, seconds):
    """The part of the next seconds that it spends computing."""
    before = server.cpu_seconds()
    time.sleep(seconds)
    return (server.cpu_seconds() - before) / seconds


def summary(reaction):
    return reaction.statuses or [NO_ANSWER], reaction.closed


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """(server, login) for all tests that leave it as it was."""
    folder = tmp_path_factory.mktemp("hostile")
    server, login = serve(lambda *options, **how: Gateway(folder, *options, **how), folder)
    server.wait_served()
    yield server, login
    server.stop()


@pytest.fixture(scope="module")
def holder(served):
    """The user who holds the session, at 127.0.0.1."""
    with Https(*served) as one:
        yield one


@pytest.fixture
def user(holder):
    """That user; the configuration must be after the test what it was before."""
    def shown():
        answer = holder.get(CONFIG)
        assert answer.status == 200 and answer["ETag"], answer
        return answer["ETag"], answer.json()
    before = shown()
    yield holder
    assert shown() == before


@pytest.fixture
def server(served):
    return served[0]


# --- one request -------------------------------------------------------------------------------

@pytest.mark.parametrize("name", named("F", CASES))
def test_refused_whole(user, name):
    reaction = user.raw(whole(name, user.login))
    statuses, closed = summary(reaction)
    assert len(statuses) == 1 and statuses[0] in CASES[name][1:], reaction
    assert closed or statuses[0] not in UNTRUSTED, reaction


@pytest.mark.parametrize("secure", [True, False], ids=["https", "http"])
@pytest.mark.parametrize("name", CUT)
def test_cut_makes_no_difference(user, name, secure):
    """At each byte (long ones at some), and byte by byte; on both doors."""
    data = short(name)
    stranger = Https(user.server, None, "127.0.0.2", tls=secure)
    wanted = summary(stranger.raw(data))
    assert len(wanted[0]) == 1
    cuts = range(1, len(data), 1 if len(data) < 400 else len(data) // 8)
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        got = pool.map(lambda cut: summary(stranger.raw(data[:cut], data[cut:])), cuts)
        different = {data[:cut]: reaction for cut, reaction in zip(cuts, got) if reaction != wanted}
    assert not different
    if len(data) < 400:
        assert summary(stranger.raw(*(bytes([b]) for b in data))) == wanted


@pytest.mark.parametrize("name", named("F", OTHER_FIELDS))
def test_refused_for_one_field(user, name):
    field, value, status = OTHER_FIELDS[name]
    headers = {"Content-Type": "application/json", field: value}
    answer = user.request("PATCH", CONFIG, EVIL, headers) if value is not None else \
        user.raw(user.head("PATCH", CONFIG, length=len(EVIL)) + EVIL).answers[0]
    assert answer.status == status, answer


@bad_input("F", "lead-crlf")
@pytest.mark.parametrize("lead", [b"\r\n", b"\r\n\r\n"])
def test_empty_lines_before_a_request_are_skipped(user, lead):
    """RFC 9112, 2.2."""
    assert user.raw(lead + user.head("GET", CONFIG, {"Connection": "close"})).statuses == [200]


def test_two_requests_at_once_are_answered_in_order(user):
    data = user.head("GET", CONFIG) + user.head("GET", "/nowhere", {"Connection": "close"})
    for cut in range(1, len(data), 7):
        reaction = user.raw(data[:cut], data[cut:])
        assert reaction.statuses == [200, 404] and reaction.closed, f"cut at {cut}: {reaction}"


@bad_input("F", "body-longer-than-cl")
def test_body_longer_than_announced_is_no_second_change(user):
    head = user.head("PATCH", CONFIG, {"Content-Type": "application/json"}, 2)
    for rest in (b"GARBAGE\r\n\r\n", b'{"MQTT":{"Site":"evil"}}\r\n\r\n', b"\r\n\r\n" + b"\xff" * 500 + b"\r\n\r\n"):
        reaction = user.raw(head + b"{}" + rest)
        assert reaction.statuses[0] == 200 and set(reaction.statuses[1:]) <= {400} and reaction.closed, reaction


@bad_input("F", "body-short-then-close")
def test_body_shorter_than_announced_is_no_change(user):
    data = user.head("PATCH", CONFIG, {"Content-Type": "application/json"}, len(EVIL) + 1) + EVIL
    reaction = user.raw(data, half_close=True)
    assert reaction.closed and set(reaction.statuses) <= {400, 408}, reaction


def test_body_of_a_get_is_no_second_request(user):
    body = user.head("GET", "/nowhere")
    data = user.head("GET", CONFIG, length=len(body)) + body + user.head("GET", "/metrics", {"Connection": "close"})
    reaction = user.raw(data)
    assert reaction.statuses in ([200, 200], [400], [413]), reaction


@bad_input("F", "expect-100")
def test_expect_100_continue(user):
    """The body is asked for; but not from one who is refused anyway."""
    with user.connect() as connection:
        connection.send(user.head("PATCH", CONFIG, {"Content-Type": "application/json", "Expect": "100-continue"}, 2))
        assert connection.answer().status == 100
        connection.send(b"{}")
        assert connection.answer().status == 200
    stranger = Https(user.server, None)
    for fields, status in (({}, 401), ({"Transfer-Encoding": "chunked"}, 501)):
        head = stranger.head("PATCH", CONFIG, {"Content-Type": "application/json", "Expect": "100-continue", **fields},
                             None if fields else 2)
        with stranger.connect() as connection:
            connection.send(head)
            first = connection.answer().status
            if first == 100:
                connection.send(b"{}")
                first = connection.answer().status
            assert first == status
    head = user.head("PATCH", CONFIG, {"Content-Type": "application/json", "Expect": "100-continue"}, 1 << 20)
    with user.connect() as connection:
        connection.send(head)
        assert connection.answer().status == 413, "before the body is sent"


@pytest.mark.parametrize("size", [65537, 300000, 3000000])
def test_refusal_of_a_large_body_can_be_read(user, size):
    """It comes while the client is still sending: the client must not find a reset instead."""
    head = user.head("PATCH", CONFIG, {"Content-Type": "application/json"}, size)
    for pause in (0, 0.05):
        with user.connect() as connection:
            connection.send(head)
            time.sleep(pause)
            for _ in range(0, size, 16384):
                if not connection.send(b" " * 16384):
                    break
            assert connection.answer().status == 413
            assert connection.is_closed()


@pytest.mark.parametrize("method, path, fields, status", [
    ("POST", FIRMWARE, {}, 401),
    ("POST", FIRMWARE, {"Host": "evil.example"}, 403),
    ("POST", FIRMWARE, {"Origin": "https://evil.example"}, 403),
    ("POST", FIRMWARE, {"Sec-Fetch-Site": "cross-site"}, 403),
    ("POST", FIRMWARE, {"Content-Type": "application/json"}, 413),
    ("POST", FIRMWARE, {"Content-Type": "text/plain"}, 413),
    ("PATCH", FIRMWARE, {}, 413), ("GET", FIRMWARE, {}, 413), ("BREW", FIRMWARE, {}, 413),
    ("POST", CONFIG, {}, 413), ("POST", "/nowhere", {}, 413), ("POST", "/", {}, 413)])
def test_a_stranger_has_no_memory_taken_for_a_large_file(user, method, path, fields, status):
    """He is answered with the head: who waits for the body needs a place of the length that was told."""
    stranger = Https(user.server, None, "127.0.0.5")
    with stranger.connect(seconds=5) as one:
        one.send(stranger.head(method, path, {"Content-Type": "application/octet-stream", **fields}, 1 << 30))
        assert one.answer().status == status
        assert one.is_closed()


@pytest.mark.parametrize("path", [FIRMWARE, "/", "/nowhere"])
def test_the_plain_door_takes_no_large_file(user, path):
    with user.connect(tls=False) as one:
        one.send(user.head("POST", path, {"Content-Type": "application/octet-stream"}, 1 << 30))
        assert one.answer().status == 413 and one.is_closed()


@pytest.mark.parametrize("path", ["/", CONFIG, "/api/v1/status", "/api/v1/openapi.json", "/metrics", "/nowhere"])
def test_head_is_get_without_a_body(user, path):
    get, head = user.request("GET", path), user.request("HEAD", path)
    assert head.status == get.status and head["Content-Type"] == get["Content-Type"] and not head.body
    if path != "/metrics" and path != "/api/v1/status":
        assert head["Content-Length"] == get["Content-Length"]


def test_head_of_the_stream_ends(user):
    with user.connect() as connection:
        connection.send(user.head("HEAD", "/api/v1/live", {"Connection": "close"}))
        assert connection.answer("HEAD").status == 200
        assert connection.is_closed() and not connection.buffer


# --- who may come in ---------------------------------------------------------------------------

addresses = (f"127.0.{a}.{b}" for a, b in itertools.product(range(1, 255), range(1, 255)))


def encoded(text):
    return "Basic " + base64.b64encode(text if isinstance(text, bytes) else text.encode()).decode()


# What an Authorization field says, made of the right login.
LOGINS = {
    "basic-no-colon": lambda login: encoded("user"),
    "basic-empty": lambda login: "Basic ",
    "basic-alone": lambda login: "Basic",
    "basic-bad-base64": lambda login: "Basic !!!!",
    "basic-no-padding": lambda login: encoded("user:" + login).rstrip("=") + "*",
    "basic-junk-after": lambda login: encoded("user:" + login) + " x",
    "basic-nul": lambda login: encoded("user:" + login + "\0x"),
    "basic-nul-alone": lambda login: encoded("user:" + login + "\0"),
    "basic-nul-first": lambda login: encoded("user:\0" + login),
    "basic-nul-user": lambda login: encoded("user\0x:" + login),
    "basic-shorter": lambda login: encoded("user:" + login[:-1]),
    "basic-longer": lambda login: encoded("user:" + login + "A"),
    "basic-case": lambda login: encoded("user:" + login.swapcase()),
    "basic-blank": lambda login: encoded("user: " + login),
    "basic-line-end": lambda login: encoded("user:" + login + "\n"),
    "basic-no-password": lambda login: encoded("user:"),
    "basic-no-user": lambda login: encoded(":" + login),
    "basic-other-user": lambda login: encoded("admin:" + login),
    "basic-user-case": lambda login: encoded("User:" + login),
    "basic-high-bytes": lambda login: encoded(b"user:" + bytes(range(128, 256))),
    "basic-long": lambda login: encoded("user:" + login + "A" * 4000),
    "basic-wrong-scheme": lambda login: encoded("user:" + login).replace("Basic", "Digest"),
    "basic-scheme-longer": lambda login: encoded("user:" + login).replace("Basic", "Basics"),
    "bearer-empty": lambda login: "Bearer ",
    "bearer-login": lambda login: "Bearer " + login,
    "empty": lambda login: "",
}


@pytest.mark.parametrize("name", named("F", LOGINS))
def test_login_that_is_not_quite_one(user, name):
    """From an address of its own each: five failures lock one."""
    def attempt():
        with Https(user.server, None, next(addresses)) as guest:
            answer = guest.request("PATCH", CONFIG, EVIL, {"Authorization": LOGINS[name](user.login)})
        return answer if answer.status != 429 else None
    answer = wait_until(attempt, "one of the ten checks a second that all strangers share")
    assert answer.status == 401 and answer["WWW-Authenticate"].startswith("Basic realm="), answer


@bad_input("F", "basic-two-headers")
@pytest.mark.parametrize("lines", [("good", "wrong"), ("wrong", "good"), ("good", "good")], ids="-".join)
def test_two_logins_are_none(user, lines):
    both = "".join(f"Authorization: {encoded('user:' + (user.login if l == 'good' else 'x'))}\r\n" for l in lines)
    data = f"PATCH {CONFIG} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n{both}" \
           f"Content-Length: {len(EVIL)}\r\n\r\n".encode() + EVIL
    with Https(user.server, None, next(addresses)) as guest:
        reaction = guest.raw(data)
        assert reaction.statuses == [400] and reaction.closed, reaction


@bad_input("F", "basic-64KiB")
def test_login_of_64_kib(user):
    with Https(user.server, None, next(addresses)) as guest:
        reaction = guest.raw(guest.head("GET", CONFIG, {"Authorization": "Basic " + "QUFB" * 16384}))
        assert reaction.statuses == [431] and reaction.closed


@pytest.mark.parametrize("path", ["/", CONFIG, "/api/v1/status", "/api/v1/telegram", "/metrics", "/nowhere", "/config"])
def test_nothing_is_told_without_login(user, path):
    with Https(user.server, None, next(addresses)) as guest:
        answer = guest.get(path)
        assert answer.status == 401 and user.login.encode() not in answer.body, answer


def test_plain_door_takes_no_login_and_tells_nothing(user):
    """It says where the secure one is, whatever comes."""
    for method, path in itertools.product(("GET", "PATCH", "POST"), (CONFIG, "/api/v1/status", "/config", "/metrics")):
        body = EVIL if method != "GET" else b""
        head = user.head(method, path, {"Content-Type": "application/json", "Connection": "close"}, len(body))
        answer = user.raw(head + body, tls=False).answers[0]
        assert answer.status in (308, 404, 405) and b"Keepalive" not in answer.body, answer
        if answer.status == 308:
            assert answer["Location"].startswith("https://"), answer
        assert answer["WWW-Authenticate"] is None


# --- what is no HTTP at all --------------------------------------------------------------------

NOISE = {
    "http": b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "ff": b"\xff" * 2000,
    "zeros": bytes(2000),
    "modbus": bytes.fromhex("000100000006010380060006"),
    "tls-record-too-long": b"\x16\x03\x01\xff\xff" + bytes(2000),
    "tls-hello-cut-off": client_hello()[:-1] + b"\xff" * 500,
    "ssl2-hello": bytes.fromhex("802e0100020015000000100100800200800300800400800500800600400700c0") + bytes(16),
    "tls-alert": b"\x15\x03\x03\x00\x02\x02\x28",
    "tls-data-first": b"\x17\x03\x03\x00\x10" + bytes(16),
}


@pytest.mark.parametrize("name", NOISE)
def test_noise_on_the_secure_door(user, name):
    with socket.create_connection(("127.0.0.1", door(user.server)), 5) as s:
        s.sendall(NOISE[name])
        with contextlib.suppress(OSError):
            s.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionResetError):
            while data := s.recv(4096):
                assert b"HTTP" not in data


@pytest.mark.parametrize("name", ["ff", "modbus", "tls-alert", "ssl2-hello"])
def test_noise_on_the_plain_door(user, name):
    """Where a line ends it is refused; without one the deadline ends it, see below."""
    with Connection(user.server, tls=False) as connection:
        connection.send(NOISE[name].replace(b"\0", b"x") + b"\r\n\r\n")
        assert connection.is_closed(5)
        assert not connection.buffer or re.match(rb"HTTP/1\.1 400 ", connection.buffer)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("version, served_", [("TLSv1", False), ("TLSv1_1", False), ("TLSv1_2", True),
                                              ("TLSv1_3", True)])
def test_tls_versions(user, version, served_):
    version = getattr(ssl.TLSVersion, version)
    context = tls_context()
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    if not served_:
        with pytest.raises(Closed):
            user.connect(context=context)
    else:
        assert user.raw(user.head("GET", CONFIG, {"Connection": "close"}), context=context).statuses == [200]


@pytest.mark.parametrize("cipher", ["AES128-SHA", "AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA",
                                    "ECDHE-ECDSA-AES128-CCM8", "DHE-RSA-AES128-GCM-SHA256", "AECDH-AES128-SHA", "NULL"])
def test_weak_ciphers(user, cipher):
    """Neither without forward secrecy nor without authenticated encryption."""
    context = tls_context(maximum_version=ssl.TLSVersion.TLSv1_2)
    try:
        context.set_ciphers(cipher + ":@SECLEVEL=0")
    except ssl.SSLError:
        pytest.skip("this client has no such cipher")
    with pytest.raises(Closed):
        user.connect(context=context)


def test_connections_that_are_reset_leave_nothing_behind(user):
    """In every stage: connected, in the handshake, in the head, in the body, while the answer comes."""
    port = door(user.server)
    before = user.server.descriptors()
    request = user.head("PATCH", CONFIG, {"Content-Type": "application/json"}, 2) + b"{}"
    for n in range(60):
        with socket.create_connection(("127.0.0.1", port), 5, ("127.0.0.2", 0)) as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            if n % 5 == 1:
                s.sendall(client_hello()[:n * 3])
            elif n % 5 == 2:
                s.sendall(client_hello())
            elif n % 5 > 2:
                s = CONTEXT.wrap_socket(s)
                s.sendall(request[:len(request) * n // 60] if n % 5 == 3 else request)
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                s.close()
    wait_until(lambda: user.server.descriptors() <= before, "all descriptors closed")


def test_stalled_handshakes_cost_no_processor_time(user):
    with contextlib.ExitStack() as stack:
        hello = client_hello()
        for n in range(8):
            s = stack.enter_context(socket.create_connection(("127.0.0.1", door(user.server)), 5, ("127.0.0.2", 0)))
            s.sendall(hello[:[1, 5, 50, len(hello)][n % 4]])
        time.sleep(0.2)
        assert busy(user.server, 1.5) < 0.15
        begin = time.monotonic()
        assert user.raw(user.head("GET", "/", {"Connection": "close"})).statuses == [200]
        assert time.monotonic() - begin < 1


# --- too many ----------------------------------------------------------------------------------

def half_request(server, source, tls=True):
    """A connection that has begun a request."""
    connection = Connection(server, source, tls)
    connection.send(b"GET / HTTP/1.1\r\nHos")
    return connection


def is_refused(server, source):
    """True: reset or closed at once; False: it can be used."""
    try:
        with Connection(server, source, seconds=5) as connection:
            connection.send(b"GET /x HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            return connection.answer().status != 401
    except Closed:
        return True


def test_eight_connections_of_an_address(user):
    """Both doors count; who is not served is told at once, and others do not notice."""
    server = user.server
    with contextlib.ExitStack() as stack:
        mine = [stack.enter_context(half_request(server, "127.0.0.2", tls=n % 2 == 0)) for n in range(8)]
        wait_until(lambda: is_refused(server, "127.0.0.2"), "the ninth to be refused", 2)
        assert not is_refused(server, "127.0.0.3")
        assert user.get(CONFIG).status == 200
        mine[3].send(b"t: 127.0.0.1\r\nConnection: close\r\n\r\n")
        assert mine[3].answer().status == 200, "the landing page"
        wait_until(lambda: not is_refused(server, "127.0.0.2"), "the place of one that has ended", 2)
    wait_until(lambda: not is_refused(server, "127.0.0.2"), "places to be free again", 2)


def test_sixty_four_connections_in_all(user):
    """Busy ones stay, the next is refused at once; idle ones make room."""
    server = user.server
    user.close()
    before = server.descriptors()
    with contextlib.ExitStack() as stack, server.client() as charger:
        for n in range(64):
            stack.enter_context(half_request(server, f"127.0.2.{n // 8 + 1}"))
        begin = time.monotonic()
        assert is_refused(server, "127.0.0.9") and time.monotonic() - begin < 1
        charger.registers(0x8000, 125)
    wait_until(lambda: server.descriptors() <= before, "all closed", 5)
    with contextlib.ExitStack() as stack, server.client() as charger:
        idle = [stack.enter_context(Connection(server, f"127.0.2.{n // 8 + 1}")) for n in range(64)]
        begin = time.monotonic()
        wait_until(lambda: not is_refused(server, "127.0.0.9"), "an idle one to make room", 2)
        assert time.monotonic() - begin < 2
        charger.registers(0x8000, 125)
        assert sum(c.is_closed(0.001) for c in idle) >= 1
    wait_until(lambda: server.descriptors() <= before, "all closed", 5)


def test_strangers_in_all_places_make_room_for_this_machine(gateway, tmp_path):
    """Nobody has logged in yet: so is it when a new system tries its own page, and it is taken back if it does not get in."""
    server, _ = serve(gateway, tmp_path)
    with contextlib.ExitStack() as stack:
        crowd = [stack.enter_context(half_request(server, f"127.0.2.{n // 8 + 1}")) for n in range(64)]
        assert is_refused(server, "127.0.0.9")
        for _ in range(3):
            with Https(server, None, "127.0.0.1", seconds=5) as here:
                assert here.get("/favicon.svg").status == 200
        assert 1 <= sum(one.is_closed(0.001) for one in crowd) <= 3
        mine = [stack.enter_context(half_request(server, "127.0.0.1")) for _ in range(8)]
        assert is_refused(server, "127.0.0.1"), "eight are enough for it, too"
        assert not any(one.is_closed(0.001) for one in mine)


# --- too slow ----------------------------------------------------------------------------------

# At five bytes a second its line ends after nine seconds.
SLOW_LINE = b"GET /" + b"a" * 29 + b" HTTP/1.1\r\n" + b"X-A: " + b"a" * 200


def trickle(connection, data, seconds=20):
    """Sends byte by byte, five a second, until the other side has enough; seconds it took."""
    begin = time.monotonic()
    for byte in itertools.cycle(data):
        if not connection.send(bytes([byte])) or connection.is_closed(0.2):
            break
        if time.monotonic() - begin > seconds:
            break
    return time.monotonic() - begin


class Bare(Connection):
    """A connection without TLS to the secure door."""

    def __init__(self, server, source):
        self.buffer, self.ended = b"", False
        self.socket = socket.create_connection(("127.0.0.1", door(server)), 15, (source, 0))


def silence(connection):
    begin = time.monotonic()
    connection.is_closed(20)
    return time.monotonic() - begin


def slow_ones(user):
    """Each holds a connection as long as it is let; a name and what it does."""
    server, hello = user.server, client_hello()
    change = user.head("PATCH", CONFIG, {"Content-Type": "application/json"}, len(EVIL) + 40)

    def secure(then, data=b"", wait=silence):
        def run():
            with Connection(server, then) as connection:
                connection.send(data)
                return wait(connection)
        return run

    def bare(source, data=b"", wait=silence):
        def run():
            with Bare(server, source) as connection:
                if data:
                    connection.send(data)
                return wait(connection)
        return run

    def plain(source, data=b"", wait=silence):
        def run():
            with Connection(server, source, tls=False) as connection:
                connection.send(data)
                return wait(connection)
        return run
    head = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: "
    return {
        "silent": bare("127.0.3.1"),
        "a byte of a handshake": bare("127.0.3.2", hello[:1]),
        "half a handshake": bare("127.0.3.3", hello),
        "slow handshake": bare("127.0.3.4", hello[:9], lambda c: trickle(c, hello[9:])),
        "silent after the handshake": secure("127.0.3.5"),
        "half a head": secure("127.0.3.6", head),
        "slow head": secure("127.0.3.7", head, lambda c: trickle(c, b"a")),
        "slow line, then slow head": secure("127.0.3.13", b"", lambda c: trickle(c, SLOW_LINE)),
        "slow empty lines": secure("127.0.3.8", b"\r\n", lambda c: trickle(c, b"\r\n")),
        "half a body": secure("127.0.0.1", change + b'{"MQTT"'),
        "slow body": secure("127.0.0.1", change, lambda c: trickle(c, b" ")),
        "noise, plain": plain("127.0.3.14", bytes(2000) + b"\r\n\r\n"),
        "silent, plain": plain("127.0.3.9"),
        "half a head, plain": plain("127.0.3.10", head),
        "slow head, plain": plain("127.0.3.11", head, lambda c: trickle(c, b"a")),
        "slow body, plain": plain("127.0.3.12", b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99\r\n\r\n",
                                  lambda c: trickle(c, b" ")),
    }


def test_slow_clients_are_cut_off_after_ten_seconds_and_nobody_waits_for_them(user):
    """Ten seconds in all, not for each byte; meanwhile page, metrics and Modbus answer."""
    server, took = user.server, {}
    tasks = slow_ones(user)
    before, begin = server.cpu_seconds(), time.monotonic()
    threads = [threading.Thread(target=lambda n=n, t=t: took.update({n: t()})) for n, t in tasks.items()]
    for thread in threads:
        thread.start()
    slowest = {"page": 0.0, "metrics": 0.0, "modbus": 0.0}

    def timed(name, ask):
        start = time.monotonic()
        ask()
        slowest[name] = max(slowest[name], time.monotonic() - start)
    with server.client() as charger, Https(server, user.login, "127.0.0.9") as scraper:
        while any(t.is_alive() for t in threads):
            timed("page", lambda: user.get("/api/v1/status"))
            timed("metrics", lambda: scraper.get("/metrics"))
            timed("modbus", lambda: charger.registers(0x8000, 125))
            time.sleep(0.1)
    spent = (server.cpu_seconds() - before) / (time.monotonic() - begin)
    assert set(took) == set(tasks)
    # A plain door may answer a request before its body has come.
    assert not {n: t for n, t in took.items() if not (8.5 < t < 12.5 or (n == "slow body, plain" and t < 12.5))}, took
    assert max(slowest.values()) < 2 and slowest["modbus"] < 1, slowest
    assert spent < 0.3, "processor time, as a part of the time"


def test_clients_that_do_not_read_cost_little_and_get_all_in_the_end(user):
    """Requests without end on four connections, none of whose answers is read; and an event stream."""
    server = user.server
    before_kib = server.rss_kib()
    request = user.head("GET", "/api/v1/openapi.json")
    size = len(user.get("/api/v1/openapi.json").body)
    with contextlib.ExitStack() as stack:
        greedy = [stack.enter_context(user.connect(receive_buffer=4096)) for _ in range(4)]
        stream = stack.enter_context(user.connect(receive_buffer=4096))
        stream.send(user.head("GET", "/api/v1/live"))
        sent = [0] * len(greedy)

        def flood(n):
            greedy[n].socket.settimeout(0.5)
            with contextlib.suppress(socket.timeout, OSError):
                while sent[n] < 2000:
                    greedy[n].socket.sendall(request)
                    sent[n] += 1
        threads = [threading.Thread(target=flood, args=(n,)) for n in range(len(greedy))]
        for thread in threads:
            thread.start()
        slowest = 0
        with server.client() as charger:
            while any(t.is_alive() for t in threads):
                begin = time.monotonic()
                assert user.get("/api/v1/status").status == 200
                charger.registers(0x8000, 125)
                slowest = max(slowest, time.monotonic() - begin)
                time.sleep(0.05)
        assert slowest < 2
        wait_until(lambda: busy(server, 0.5) < 0.1, "waiting to cost nothing")
        assert server.rss_kib() - before_kib < 4096 or "san" in os.environ.get("SMART_CONNECT", "")
        for connection in greedy:
            connection.socket.settimeout(15)
            for _ in range(3):
                answer = connection.answer()
                assert answer.status == 200 and len(answer.body) == size
        head = stream.head()
        assert head["Content-Type"].startswith("text/event-stream")
        assert stream.chunk().startswith(b"event: ")
    user.close()


def test_a_stream_whose_client_is_gone_gives_its_place_back(user):
    """Closed, reset, or asleep: descriptors show it within seconds."""
    server = user.server
    before = server.descriptors()
    for reset in (False, True):
        streams = [user.connect() for _ in range(5)]
        for stream in streams:
            stream.send(user.head("GET", "/api/v1/live"))
            assert stream.head().status == 200
        for stream in streams:
            if reset:
                stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            stream.close()
        wait_until(lambda: server.descriptors() <= before, "the streams to end", 12)


def test_descriptors_exhausted_is_no_busy_loop(gateway, tmp_path):
    """New ones are refused, old ones served, nothing spins."""
    def limit():
        resource.setrlimit(resource.RLIMIT_NOFILE, (48, 4096))
    server, login = serve(gateway, tmp_path, prepare=limit)
    with contextlib.ExitStack() as stack:
        user = stack.enter_context(Https(server, login))
        assert user.get(CONFIG).status == 200
        refused = 0
        for n in range(48):
            try:
                stack.enter_context(half_request(server, f"127.0.2.{n // 6 + 1}"))
            except Closed:
                refused += 1
        assert refused
        assert busy(server, 1) < 0.15
        assert user.get(CONFIG).status == 200
    with Https(server, login) as user:
        wait_until(lambda: not is_refused(server, "127.0.0.9"), "service as usual", 5)
        assert user.get(CONFIG).status == 200


def test_stop_while_requests_wait(gateway, tmp_path):
    """For a slow hash, for the disk, for the next event: the end is clean, and soon."""
    for n in range(5):
        folder = tmp_path / str(n)
        folder.mkdir()
        server, login = serve(gateway, folder)
        with contextlib.ExitStack() as stack:
            user = stack.enter_context(Https(server, login))
            stream = stack.enter_context(user.connect())
            if n:
                assert user.get(CONFIG).status == 200
                stream.send(user.head("GET", "/api/v1/live"))
                stream.head()
            for i in range(5):
                waiting = stack.enter_context(user.connect())
                body = b'{"MQTT":{"Site":"s%d"}}' % i
                waiting.send(user.head("PATCH", CONFIG, {"Content-Type": "application/json"}, len(body)) + body)
                guest = stack.enter_context(Connection(server, f"127.0.0.{i + 20}"))
                guest.send(Https(server, "wrong").head("GET", "/"))
            begin = time.monotonic()
            server.stop()
            assert time.monotonic() - begin < 3
