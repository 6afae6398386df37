"""The OpenAPI document says what is served, and what is served is what it says; and the label of the box."""
import contextlib
import json
import os
import pathlib
import re
import shutil
import subprocess

import jsonschema
import pytest

from harness import SERIAL, SOURCES, Closed, marked, p1, run, wait_until
from https_client import Https, basic
from page_kit import (CERTIFICATE, CONFIG, FIRMWARE, HISTORY, LIVE, READINGS, RESET, STATUS, TELEGRAM, Events,
                      assert_fields, document, needs_root, strangers)
from page_kit import fixture_box, fixture_metered, fixture_shared  # noqa: F401

OPENAPI = "/api/v1/openapi.json"
VALIDATOR = "@seriousme/openapi-schema-validator@2.11.0"


# --- the document ------------------------------------------------------------------------------

def test_the_command_prints_what_the_box_serves(shared):
    done = run("openapi")
    assert done.returncode == 0 and not done.stderr
    answer = shared.user.get(OPENAPI)
    assert answer.status == 200 and answer["Content-Type"] == "application/json"
    assert_fields(answer)
    assert json.loads(done.stdout) == answer.json()


def test_the_command_takes_no_options():
    for options in (["--state", "x"], ["x"], ["--json"]):
        done = run("openapi", *options)
        assert done.returncode == 2 and not done.stdout and len(done.stderr.splitlines()) == 1
    done = run("openapi", "--help")
    assert done.returncode == 0 and done.stdout and not done.stderr


def test_it_is_valid_openapi_3_1():
    """By an independent judge, which npm brings into build/ once."""
    if not shutil.which("npm") or not shutil.which("node"):
        pytest.skip("needs node and npm")
    folder = SOURCES / "build" / "openapi-validator"
    package = folder / "node_modules" / "@seriousme" / "openapi-schema-validator" / "package.json"
    if not package.exists() or json.loads(package.read_text())["version"] != VALIDATOR.rsplit("@", 1)[1]:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            done = subprocess.run(["npm", "install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund",
                                   "--fetch-retries=0", "--fetch-timeout=20000", "--prefix", str(folder), VALIDATOR],
                                  capture_output=True, timeout=60, check=False)
        except subprocess.TimeoutExpired:
            pytest.skip(f"npm cannot bring {VALIDATOR} within a minute")
        if done.returncode != 0:
            pytest.skip(f"npm cannot bring {VALIDATOR}: {done.stderr.decode()[-200:]}")
    script = """import {Validator} from '@seriousme/openapi-schema-validator';
        const text = await new Response(process.stdin).text(), v = new Validator();
        const result = await v.validate(JSON.parse(text));
        console.log(JSON.stringify({valid: result.valid, errors: result.errors, version: v.version}));"""
    (folder / "judge.mjs").write_text(script)
    done = subprocess.run(["node", "judge.mjs"], cwd=folder, input=run("openapi").stdout, capture_output=True,
                          timeout=30, check=False)
    assert done.returncode == 0, done.stderr.decode()
    assert json.loads(done.stdout) == {"valid": True, "version": "3.1"}, done.stdout


def references(value):
    if isinstance(value, dict):
        yield from [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        value = list(value.values())
    for member in value if isinstance(value, list) else []:
        yield from references(member)


def test_its_schemas_are_schemas_and_its_references_lead_somewhere():
    whole = document().whole
    assert whole["openapi"].startswith("3.1.")
    for name, schema in whole["components"]["schemas"].items():
        jsonschema.Draft202012Validator.check_schema(schema)
        assert re.fullmatch("[A-Z][A-Za-z]+", name)
    used = set(references(whole))
    for reference in used:
        assert reference.startswith("#/")
        found = whole
        for key in reference[2:].split("/"):
            found = found[key]
    assert used >= {f"#/components/schemas/{name}" for name in whole["components"]["schemas"]}, "all are used"
    assert whole["info"]["version"] in run("version").stdout.decode()
    for path, item in whole["paths"].items():
        for method, operation in item.items():
            assert operation["summary"] and {"401", "429", "503"} <= set(operation["responses"]), (path, method)


def test_every_operation_is_served_and_nothing_else(shared):
    """Asked without a body or login it would not be known: with the login, each method is either in the document or 405
    with an Allow that says what the document says."""
    served = set()
    for path in document().whole["paths"]:
        for method in ("GET", "POST", "PATCH", "PUT", "DELETE"):
            if path == LIVE and method == "GET":
                Events(shared).close()
                served.add((path, method))
                continue
            answer = shared.user.request(method, path, {"Nonsense": 1} if method != "GET" else None)
            assert answer.status != 404 or path in (READINGS, TELEGRAM), answer
            if answer.status != 405:
                served.add((path, method))
            else:
                allowed = set(answer["Allow"].split(", ")) - {"HEAD"}
                assert allowed == {m for p, m in document().operations() if p == path}, path
    assert served == document().operations()


def test_every_setting_is_described(shared):
    """The schema has each key that is served, and no other; with a default that it takes itself."""
    def walk(schema, value, path=""):
        assert set(schema["properties"]) == set(value) == set(schema["required"]), path
        assert schema["additionalProperties"] is False
        for key, part in schema["properties"].items():
            if part["type"] == "object":
                walk(part, value[key], f"{path}/{key}")
            else:
                assert part["description"], f"{path}/{key}"
                document().validate(part, part["default"])
    schemas = document().whole["components"]["schemas"]
    walk(schemas["Config"], shared.get(CONFIG))
    assert schemas["Config"]["properties"]["MeterType"]["enum"] == shared.state()["Modbus"]["Maps"]


# --- what is served ----------------------------------------------------------------------------

GETS = (CONFIG, STATUS, FIRMWARE, CERTIFICATE, TELEGRAM, READINGS, HISTORY, OPENAPI, "/metrics")


def walk(box):
    for path in GETS:
        document().judge(path, "GET", box.user.get(path))
    with Events(box) as events:  # judges each event
        events.next("state")


@pytest.mark.parametrize("profile", ["dsmr42", "dsmr50", "emucs", "emucs-delta", "tic-mono", "tic-tri", "tic-producer"])
def test_every_answer_is_of_the_form_it_says(box, profile):
    """P1 with gas, water and peaks, delta grids, TIC: a walk over all addresses."""
    one = box(meter=f"sim:{profile}")
    wait_until(lambda: one.user.get(READINGS).status == 200, "a telegram")
    walk(one)
    readings = one.get(READINGS)
    assert readings["standard"] == ("tic" if profile.startswith("tic") else "p1")
    assert readings["grid"] == "delta" or profile != "emucs-delta"
    assert readings["mbus"] or profile.startswith("tic"), "the schema of gas and water has been used"
    with Events(one) as events:
        events.next("reading")


@pytest.mark.parametrize("meter", ["tcp:127.0.0.1:1", "sim:tic-historic", "serial:/dev/null/nothing"])
def test_every_answer_is_of_the_form_it_says_without_a_telegram(box, meter):
    one = box(meter=meter)
    walk(one)
    assert one.user.get(READINGS).status == 404


def test_every_answer_is_of_the_form_it_says_with_rare_values(metered, tcp_meter):
    """Failure log, texts, thirteen months of peaks, valves, heat; a meter without a clock; a damaged configuration."""
    one = metered()
    tcp_meter.send(p1("1-3:0.2.8(50)", "0-0:96.13.0(3C73637269707420783E22)", "0-0:96.7.21(00004)", "0-0:96.7.9(00002)",
                      "1-0:99.97.0(2)(0-0:96.7.19)(101208152415W)(0000000240*s)(101208151004W)(0000000301*s)",
                      "0-0:98.1.0(2)(1-0:1.6.0)(1-0:1.6.0)(230101000000W)(221206201500W)(06.134*kW)"
                      "(230201000000W)(230127174500W)(05.644*kW)", "1-0:1.4.0(02.351*kW)",
                      "1-0:1.6.0(200509134558S)(02.589*kW)", "0-1:24.1.0(003)", "0-1:24.4.0(1)",
                      "0-1:24.2.1(101209112500W)(12785.123*m3)", "0-2:24.1.0(004)",
                      "0-2:24.2.1(101209112500W)(12.785*GJ)", "0-3:24.1.0(007)",
                      "0-3:24.2.1(632525252525W)(00000.000)", "1-0:1.7.0(00.273*kW)",
                      "1-0:99.99.99(nonsense)"))
    wait_until(lambda: one.user.get(READINGS).status == 200, "the telegram")
    walk(one)
    readings = one.get(READINGS)
    assert len(readings["power_failure_log"]) == 2 and len(readings["peak_history"]) == 2
    assert readings["texts"] and {"1", "2"} <= set(readings["mbus"])


def test_every_answer_is_of_the_form_it_says_with_all_outputs_busy(metered, tcp_meter, broker):
    """Clients, a broker that is refused, a problem with the stored configuration, all settings made."""
    one = metered("--stale-after", "3600", "--modbus-clients", "1")
    one.patch(MQTT={"Broker": broker().url, "Site": "h\u00e8m"}, Metrics={"Token": "0123456789abcdef"})
    one.server.end()
    (one.folder / "config.json").write_text('{"Version":1,"Settings":{"MQTT":{"Keepalive":0}}}')
    one.restart()
    tcp_meter.accept().send(marked(1))
    one.server.wait_served()
    assert one.state()["Configuration"]["Problem"]
    walk(one)
    with one.server.client(source="127.0.0.5") as client:
        client.registers(0x8000, 2)
        with contextlib.suppress(Closed), one.server.client(source="127.0.0.6"):
            pass
        wait_until(lambda: one.state()["Modbus"]["LastRefusal"], "the refusal")
        for url in ("mqtt://127.0.0.1:1", "mqtts://127.0.0.1"):
            one.patch(MQTT={"Broker": url})
            walk(one)


def test_every_problem_is_of_the_form_it_says(box):
    """Each that an operation is said to have, as far as it can be made to happen: its status is in the document."""
    one = box(meter="tcp:127.0.0.1:1")
    one.user.get(STATUS)
    cases = [(path, "GET", None, {}) for path in (READINGS, TELEGRAM)]
    cases += [(CONFIG, "PATCH", body, {}) for body in (b"{", {"Nonsense": 1}, b" " * 65537)]
    fields = ({"If-Match": '"x"'}, {"Origin": "null"}, {"Content-Type": "text/plain"})
    cases += [(CONFIG, "PATCH", {}, f) for f in fields]
    for path in (RESET, FIRMWARE):
        cases += [(path, "POST", {}, f) for f in fields[1:]]
        cases += [(path, "POST", b" " * 65537, {})]
    cases += [(RESET, "POST", b"{", {}), (RESET, "POST", {"Mode": "x"}, {}), (FIRMWARE, "POST", {}, {})]
    for path, method, body, fields in cases:
        answer = one.user.request(method, path, body, fields)
        assert answer.status >= 400
        document().judge(path, method, answer)
    for path, method in sorted(document().operations()):
        body = {} if method != "GET" else None
        with one.person() as nobody, one.person("127.0.0.2", one.login) as second:
            document().judge(path, method, nobody.request(method, path, body))
            if path != "/metrics":
                answer = second.request(method, path, body)
                assert answer.status == 409
                document().judge(path, method, answer)
    source = next(strangers)
    with Https(one.server, None, source) as guesser:
        statuses = set()
        while 429 not in statuses:
            answer = guesser.request("GET", CONFIG, headers={"Authorization": basic("wrong")})
            statuses.add(answer.status)
            document().judge(CONFIG, "GET", answer)


def test_examples_of_the_patch_schema(shared):
    """What the document takes for a patch the box takes as well, and the other way round."""
    def takes(patch):
        try:
            document().validate({"$ref": "#/components/schemas/ConfigPatch"}, patch)
        except jsonschema.ValidationError:
            return False
        return True
    for patch in ({}, {"MQTT": {}}, {"Modbus": {"WordOrder": "swapped"}}, {"MQTT": {"Password": "********"}},
                  shared.get(CONFIG)):
        assert takes(patch) and shared.user.request("PATCH", CONFIG, patch).status == 200, patch
    for patch in ([], {"Nonsense": 1}, {"MQTT": {"broker": ""}}, {"Modbus": {"Port": 0}}, {"Modbus": {"Port": "502"}},
                  {"Modbus": {"WordOrder": "x"}}, {"MeterType": "x"}, {"MQTT": {"Site": None}},
                  {"MQTT": {"Site": "s" * 65}}, {"MQTT": {"Enabled": 1}}, {"State": {}}):
        assert not takes(patch) and shared.user.request("PATCH", CONFIG, patch).status == 422, patch


# --- the label ---------------------------------------------------------------------------------

LINES = re.compile(r"serial ([0-9A-F]{12})\nmac ((?:[0-9A-F]{2}:){5}[0-9A-F]{2}|-)\nssid SC-\1\nap-key (\S{8,63})\n"
                   r"login (\S{10,63})\n")


def label(folder, *options):
    return run("label", "--state", str(folder), *options)


def test_label_makes_an_identity_and_keeps_it(tmp_path):
    """Lines and JSON say the same; the gateway started later has that serial number and that login."""
    first = label(tmp_path / "state", "--serial", SERIAL.lower())
    assert first.returncode == 0 and not first.stderr
    found = LINES.fullmatch(first.stdout.decode())
    assert found and found.group(1) == SERIAL, first.stdout
    assert label(tmp_path / "state").stdout == first.stdout
    told = json.loads(label(tmp_path / "state", "--json").stdout)
    assert told == {"serial": SERIAL, "mac": None if found.group(2) == "-" else found.group(2), "ssid": f"SC-{SERIAL}",
                    "ap_key": found.group(3), "login": found.group(4)}
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700


def test_label_is_of_the_box(box):
    one = box()
    told = json.loads(label(one.folder, "--json").stdout)
    assert told["login"] == one.login and told["serial"] == one.state()["Serial"] == SERIAL
    assert told["mac"] == one.state()["Mac"]


def test_labels_of_two_boxes_have_nothing_in_common(tmp_path):
    """The same serial number twice: still other secrets, easy to type from a sticker."""
    first, second = (json.loads(label(tmp_path / name, "--serial", SERIAL, "--json").stdout) for name in "ab")
    assert first["serial"] == second["serial"]
    assert len({first["login"], second["login"], first["ap_key"], second["ap_key"]}) == 4
    for key in (first["login"], first["ap_key"]):
        assert re.fullmatch("[A-Z2-7]{12,63}", key), "no digits that look like letters"
    assert (tmp_path / "a" / "web.key").read_bytes() != (tmp_path / "b" / "web.key").read_bytes()


def test_label_as_a_code_for_cameras(tmp_path):
    """Lines first, then a square of block characters; light enough around for a camera."""
    plain, code = label(tmp_path / "state"), label(tmp_path / "state", "--qr")
    assert code.returncode == 0 and not code.stderr
    text = code.stdout.decode()
    assert text.startswith(plain.stdout.decode())
    rows = text[len(plain.stdout.decode()):].splitlines()
    assert len(rows) >= 12 and len({len(r) for r in rows}) == 1 and abs(len(rows[0]) - 2 * len(rows)) <= 1
    assert set("".join(rows)) <= set("\u2588\u2580\u2584 ")
    assert set(rows[0]) == {"\u2588"}, "the quiet zone"


def test_forgotten_login_opens_still_but_is_not_told_any_more(box):
    """For who wants it on the sticker alone."""
    one = box()
    login = one.login
    done = label(one.folder, "--forget")
    assert done.returncode == 0 and f"login {login}\n" in done.stdout.decode(), "told a last time"
    assert "login -\n" in label(one.folder).stdout.decode()
    assert json.loads(label(one.folder, "--json").stdout)["login"] is None
    assert not [p for p in one.folder.iterdir() if login.encode() in p.read_bytes()]
    one.restart()
    with one.person("127.0.0.1", login) as owner:
        assert owner.get(STATUS).status == 200


@pytest.mark.parametrize("options", [["--nonsense"], ["x"], ["--state"], ["--state", ""], ["--serial", "12"],
                                     ["--serial", "00112233AABG"], ["--json=1"]], ids=" ".join)
def test_bad_options_of_label(tmp_path, options):
    done = run("label", *(["--state", str(tmp_path / "state")] if "--state" not in options else []), *options)
    assert done.returncode == 2 and not done.stdout
    assert len(done.stderr.splitlines()) == 1 and done.stderr.startswith("smart-connect label: "), done.stderr
    assert not (tmp_path / "state").exists()


def test_label_help():
    done = run("label", "--help")
    assert done.returncode == 0 and not done.stderr and b"--forget" in done.stdout


def test_label_where_nothing_can_be_kept(tmp_path):
    """A file in the way, a folder that is not there: a line that says so, and no secrets that would be lost."""
    (tmp_path / "file").write_text("x")
    for place in (tmp_path / "file", tmp_path / "no" / "such" / "folder", pathlib.Path("/proc/state")):
        done = label(place)
        assert done.returncode == 2 and not done.stdout and len(done.stderr.splitlines()) == 1, done
        assert str(place) in done.stderr


@needs_root
def test_label_of_somebody_elses_folder(tmp_path):
    """As another user: refused, and told what to do."""
    folder = tmp_path / "state"
    label(folder)
    for parent in [tmp_path, *tmp_path.parents[:2]]:
        parent.chmod(0o755)
    program = pathlib.Path(os.environ.get("SMART_CONNECT", SOURCES / "build" / "smart-connect"))
    mine = tmp_path / "program"
    shutil.copy(program, mine)
    done = subprocess.run([mine, "label", "--state", str(folder)], capture_output=True, user=65534, group=65534,
                          check=False, timeout=15)
    assert done.returncode == 2 and not done.stdout, done
    assert len(done.stderr.splitlines()) == 1 and str(folder) in done.stderr.decode()
