"""What the tests of the API share beyond https_client.py: boxes with a memory, the API's own document as the judge of
its answers, and readers of events and metrics that take nothing but what is well-formed.
"""
import itertools
import json
import os
import re
import signal
import subprocess
import time

import jsonschema
import pytest

from harness import SERIAL, Gateway, run
from https_client import Connection, Https, Malformed, serve

CONFIG, STATUS, READINGS, TELEGRAM = "/api/v1/config", "/api/v1/status", "/api/v1/readings", "/api/v1/telegram"
LIVE, HISTORY, RESET, FIRMWARE = "/api/v1/live", "/api/v1/history", "/api/v1/reset", "/api/v1/firmware"
PASSWORD, CERTIFICATE = "/api/v1/password", "/api/v1/mqtt/certificate"
MASK = "********"

# Addresses of the loopback network: wrong logins are counted by address, so a test takes fresh ones.
strangers = (f"127.7.{a}.{b}" for a, b in itertools.product(range(1, 255), range(1, 255)))


# --- the document ------------------------------------------------------------------------------

class Document:
    """The OpenAPI document of the program under test."""

    def __init__(self):
        self.whole = json.loads(run("openapi").stdout)

    def operations(self):
        return {(path, method.upper()) for path, item in self.whole["paths"].items() for method in item}

    def validate(self, schema, value):
        root = {"components": self.whole["components"], "allOf": [schema]}
        jsonschema.Draft202012Validator(root).validate(value)

    def response(self, path, method, status):
        """What the document says of an answer; None: nothing."""
        found = self.whole["paths"][path][method.lower()]["responses"].get(str(status))
        if found and "$ref" in found:
            found = self.whole["components"]["responses"][found["$ref"].rsplit("/", 1)[1]]
        return found

    def judge(self, path, method, answer):
        """The answer is one of those in the document, and of the form it says there."""
        said = self.response(path, method, answer.status)
        assert said, f"{method} {path} may answer {answer.status}, and the document does not say so"
        kind = answer["Content-Type"].split(";")[0]
        assert kind in said["content"], f"{method} {path}: {kind}"
        is_json = kind.endswith("json")
        self.validate(said["content"][kind]["schema"], answer.json() if is_json else answer.body.decode("latin1"))


_document = []


def document():
    if not _document:
        _document.append(Document())
    return _document[0]


# --- answers -----------------------------------------------------------------------------------

COMMON_FIELDS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
                               "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
}


def assert_fields(answer, secure=True):
    """What every answer carries, so that a browser makes nothing else of it; and no answer lets other sites in."""
    for name, value in COMMON_FIELDS.items():
        assert answer[name] == value, f"{name} of {answer}"
    assert answer["Permissions-Policy"] and answer["Content-Type"]
    assert answer["Cache-Control"] in ("no-store", "no-cache")
    for name in ("Strict-Transport-Security", "Cross-Origin-Opener-Policy"):
        assert (answer[name] is not None) == secure, f"{name}: over TLS, and only there"
    assert not [n for n, _ in answer.fields if n.lower().startswith("access-control-")]
    assert answer["Server"] is None and answer["Set-Cookie"] is None


def assert_problem(answer, status, *pointers, secure=True):
    """A problem that says what is wrong and with which fields; returns it."""
    assert answer.status == status, answer
    assert_fields(answer, secure)
    assert answer["Content-Type"].split(";")[0] == "application/problem+json", answer
    problem = answer.json()
    document().validate({"$ref": "#/components/schemas/Problem"}, problem)
    assert problem["status"] == status and problem["detail"] and problem["title"]
    assert [e["pointer"] for e in problem.get("errors", [])] == list(pointers), answer
    return problem


# --- boxes -------------------------------------------------------------------------------------

class Box:
    """A gateway with page and API, and one user of it.  Remembers its settings over a restart."""

    def __init__(self, start, folder, *options, meter="sim:dsmr50", **how):
        self.begin = lambda *more: serve(start, folder, *options, *more, meter=meter, **how)
        self.folder = folder / "state"
        self.server, self.login = self.begin()
        self.user = Https(self.server, self.login)

    def restart(self, number=signal.SIGKILL, *more):
        self.user.close()
        self.server.end(number)
        self.server, self.login = self.begin(*more)
        self.user = Https(self.server, self.login)
        return self

    def get(self, path):
        answer = self.user.get(path)
        assert answer.status == 200, answer
        return answer.json()

    def state(self):
        return self.get(STATUS)["State"]

    def patch(self, **settings):
        """Changes settings; returns the whole configuration."""
        answer = self.user.request("PATCH", CONFIG, settings)
        assert answer.status == 200, answer
        return answer.json()

    def reset(self, mode):
        answer = self.user.request("POST", RESET, {"Mode": mode})
        assert answer.status == 202, answer
        document().judge(RESET, "POST", answer)

    def person(self, source=None, login=None):
        """Another user; of an address nobody has used if none is given."""
        return Https(self.server, login, source or next(strangers))

    def metrics(self):
        answer = self.user.get("/metrics")
        assert answer.status == 200, answer
        return parse_metrics(answer.body.decode())


@pytest.fixture(name="box")
def fixture_box(gateway, tmp_path):
    """box(OPTION..., meter=URL): starts one."""
    made = []

    def make(*options, **how):
        made.append(Box(gateway, tmp_path, *options, **how))
        return made[-1]
    yield make
    for one in made:
        one.user.close()


@pytest.fixture(name="metered")
def fixture_metered(box, tcp_meter):
    """metered(OPTION...): a box whose meter says what `tcp_meter.send` is given."""
    def make(*options, **how):
        one = box(*options, meter=tcp_meter.url, **how)
        tcp_meter.accept()
        return one
    return make


@pytest.fixture(name="shared", scope="module")
def fixture_shared(tmp_path_factory):
    """One box for all tests of a file that leave it as it was."""
    folder = tmp_path_factory.mktemp("shared")
    one = Box(lambda *options, **how: Gateway(folder, *options, **how), folder)
    yield one
    one.user.close()
    one.server.stop()


@pytest.fixture(name="guarded")
def fixture_guarded(broker, tmp_path):
    """guarded(PASSWORD): a broker that wants it, of the user `meter`."""
    def make(password):
        passwords = tmp_path / "passwords"
        passwords.touch(0o600)
        subprocess.run(["mosquitto_passwd", "-b", str(passwords), "meter", password], check=True, capture_output=True)
        return broker(f"password_file {passwords}")
    return make


def connects(broker):
    """Times that our client was let in."""
    return len(re.findall(rf"New client connected from \S+ as smart-connect-{SERIAL}\b", broker.process.stderr()))


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


# --- events ------------------------------------------------------------------------------------

class Events:
    """An open /api/v1/live."""

    def __init__(self, box, **how):
        self.connection = Connection(box.server, **how)
        self.connection.send(box.user.head("GET", LIVE))
        self.answer = self.connection.head()
        assert self.answer.status == 200 and self.answer["Content-Type"] == "text/event-stream", self.answer
        assert self.answer["Transfer-Encoding"] == "chunked"
        assert_fields(self.answer)
        self.text = b""

    def __enter__(self):
        return self

    def close(self, *_):
        self.connection.close()

    __exit__ = close

    def next(self, kind=None):
        """The data of the next event, with its kind; or of the next of that kind alone."""
        while True:
            while b"\n\n" not in self.text:
                data = self.connection.chunk()
                assert data, "the stream ended"
                self.text += data
            event, self.text = self.text.split(b"\n\n", 1)
            found = re.fullmatch(rb"event: (reading|state)\ndata: (\{[^\n]*\})", event)
            if not found:
                raise Malformed(f"event {event[:300]}")
            name, value = found.group(1).decode(), json.loads(found.group(2))
            document().validate({"$ref": f"#/components/schemas/{'State' if name == 'state' else 'Readings'}"}, value)
            if kind is None:
                return name, value
            if kind == name:
                return value

    def wait(self, kind, accept, seconds=15):
        """The first event of a kind that is accepted."""
        end = time.monotonic() + seconds
        while True:
            value = self.next(kind)
            if accept(value):
                return value
            assert time.monotonic() < end, f"no such {kind}: {value}"


# --- metrics -----------------------------------------------------------------------------------

SAMPLE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*",?)*)\})? '
                    r"(-?\d+(?:\.\d+)?)")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"')


def parse_metrics(text):
    """Reads the Prometheus text format 0.0.4, strictly: each family once, HELP, TYPE, then at least one sample;
    counters end with _total.  Returns {(name, ((label, value)...)): number}; the samples' texts are in `.texts`."""
    assert text.endswith("\n") and "\r" not in text
    samples, kinds, family, helped = {}, {}, None, None
    for line in text.splitlines():
        words = line.split(" ", 3)
        if words[:2] == ["#", "HELP"]:
            assert words[2] not in kinds and words[3], line
            helped, family = words[2], None
        elif words[:2] == ["#", "TYPE"]:
            assert words[2] == helped and words[3] in ("gauge", "counter"), line
            family, kinds[words[2]] = words[2], words[3]
            assert words[2].startswith("smartconnect_")
            assert words[2].endswith("_total") == (words[3] == "counter"), line
        else:
            found = SAMPLE.fullmatch(line)
            assert found and found.group(1) == family, line
            key = (family, tuple(LABEL.findall(found.group(2) or "")))
            assert key not in samples, f"twice: {line}"
            samples[key] = float(found.group(3))
    assert {name for name, _ in samples} == set(kinds), "no family without a sample"
    return samples


def metric(samples, name, **labels):
    """One sample; None: it is not there."""
    return samples.get((f"smartconnect_{name}", tuple(labels.items())))
