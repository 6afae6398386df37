"""The certificate that identifies the box to a broker: what is told of it, and one of the owner's own in its place.
openssl's command line makes the owner's, and is the judge of what is told."""
import json
import re
import subprocess

import pytest

from harness import SERIAL, run, wait_until
from page_kit import CERTIFICATE, CONFIG, STATUS, assert_problem, connects, document
from page_kit import fixture_box  # noqa: F401

FILE = "mqtt-identity.pem"
P256 = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
CLIENT = ("-addext", "basicConstraints=critical,CA:FALSE", "-addext", "extendedKeyUsage=clientAuth")


def openssl(*arguments, stdin=""):
    done = subprocess.run(["openssl", *arguments], input=stdin, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def make(folder, name="owner's box", key=P256, extensions=CLIENT):
    """(certificate, key) as PEM."""
    openssl("req", "-x509", *key, "-noenc", "-subj", f"/CN={name}", "-days", "30", *extensions,
            "-keyout", str(folder / "own.key"), "-out", str(folder / "own.crt"))
    return (folder / "own.crt").read_text(), (folder / "own.key").read_text()


@pytest.fixture(name="own", scope="module")
def fixture_own(tmp_path_factory):
    return make(tmp_path_factory.mktemp("own"))


def post(box, body, status=200):
    answer = box.user.request("POST", CERTIFICATE, body)
    assert answer.status == status, answer
    document().judge(CERTIFICATE, "POST", answer)
    return answer.json()


def told(box):
    answer = box.user.get(CERTIFICATE)
    document().judge(CERTIFICATE, "GET", answer)
    return answer.json()


def secrets_of(key):
    """What would give a key away: each line of its PEM."""
    return [line for line in key.splitlines() if len(line) > 20 and not line.startswith("-----")]


def assert_kept_secret(box, key):
    """Neither an answer nor the log nor another file of the state holds the key."""
    texts = [box.user.get(path).body.decode() for path in (CERTIFICATE, CONFIG, STATUS)]
    texts += [box.server.stdout(), box.server.stderr()]
    texts += [f.read_text(errors="replace") for f in box.folder.iterdir() if f.name != FILE]
    for line in secrets_of(key):
        assert not [text for text in texts if line in text]


def test_the_devices_own_is_told(box, tmp_path):
    """All of it as openssl reads it."""
    one = box()
    found = told(one)
    assert found["Source"] == "device" and found["Subject"] == found["Issuer"] == f"CN={SERIAL}"
    assert found["Certificate"].strip() == (one.folder / "device.crt").read_text().strip()
    said = openssl("x509", "-noout", "-fingerprint", "-sha256", "-dates", "-dateopt", "iso_8601",
                   stdin=found["Certificate"])
    assert found["SHA256"] == re.search("Fingerprint=(.*)", said).group(1).replace(":", "").lower()
    for name, key in (("notBefore", "NotBefore"), ("notAfter", "NotAfter")):
        assert found[key] == re.search(f"{name}=(.*)", said).group(1).replace(" ", "T")
    pem, der = str(tmp_path / "pub.pem"), str(tmp_path / "pub.der")
    openssl("x509", "-noout", "-pubkey", "-out", pem, stdin=found["Certificate"])
    openssl("pkey", "-pubin", "-in", pem, "-outform", "DER", "-out", der)
    assert openssl("dgst", "-sha256", "-r", der).split()[0] == found["KeySHA256"]
    secrets = secrets_of((one.folder / "device.key").read_text())
    assert secrets and not [s for s in secrets if s in json.dumps(found)]


def test_an_own_one_is_used_and_kept(box, own, tmp_path):
    """It survives kill -9, and its file is for its owner alone."""
    certificate, key = own
    one = box()
    found = post(one, {"Certificate": certificate, "Key": key})
    assert found["Source"] == "own" and found["Subject"] == "CN=owner's box" and found["Certificate"] == certificate
    assert found == told(one)
    assert (one.folder / FILE).stat().st_mode & 0o777 == 0o600
    assert one.server.log("the certificate shown to brokers is the owner's own")
    assert_kept_secret(one, key)
    one.restart()
    assert found == told(one)
    assert_kept_secret(one, key)
    assert not one.server.log(r" (warning|error) ")
    openssl("pkey", "-in", str(one.folder / FILE), "-check", "-noout")


@pytest.mark.parametrize("body", [{"Certificate": None}, {"Certificate": ""}, {"Certificate": None, "Key": None},
                                  {"Certificate": "", "Key": ""}], ids=str)
def test_back_to_the_devices_own(box, own, body):
    one = box()
    device = told(one)
    post(one, {"Certificate": own[0], "Key": own[1]})
    assert post(one, body) == device == told(one)
    assert not (one.folder / FILE).exists()
    assert post(one, body) == device, "nothing to do is no fault"
    assert len(one.server.log("the certificate shown to brokers is")) == 2
    one.restart()
    assert told(one) == device


def test_the_connection_to_the_broker_is_made_anew(box, own, broker):
    target = broker()
    one = box("--mqtt", target.url)
    wait_until(lambda: connects(target) == 1, "the broker")
    post(one, {"Certificate": own[0], "Key": own[1]})
    wait_until(lambda: connects(target) == 2, "the broker again")
    post(one, {"Certificate": None})
    wait_until(lambda: connects(target) == 3, "the broker a third time")


def test_only_certificates_and_the_bare_key_are_kept(box, own, tmp_path):
    """What openssl pkcs12 writes around them, line ends of Windows, a chain behind; the key in its old form."""
    certificate, key = own
    authority, _ = make(tmp_path, "authority", extensions=())
    (tmp_path / "k").write_text(key)
    old = openssl("ec", "-in", str(tmp_path / "k"))
    one = box()
    text = "Bag Attributes\r\n    friendlyName: secret note\r\n" + (certificate + authority).replace("\n", "\r\n")
    found = post(one, {"Certificate": text, "Key": "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n"
                                                   "-----END EC PARAMETERS-----\n" + old + certificate})
    assert found["Certificate"] == certificate + authority
    kept = (one.folder / FILE).read_text()
    assert kept.endswith(certificate + authority) and kept.startswith("-----BEGIN PRIVATE KEY-----\n")
    assert "secret note" not in kept and kept.count("-----BEGIN") == 3


def test_what_cannot_be_used_is_refused_with_its_field(box, own, tmp_path):
    """And nothing is changed by it, nor told of a key."""
    certificate, key = own
    other = make(tmp_path)[1]
    (tmp_path / "k").write_text(key)
    encrypted = openssl("pkey", "-in", str(tmp_path / "k"), "-aes128", "-passout", "pass:secret")
    weak = make(tmp_path, key=("-newkey", "rsa:1024"))
    rsa = make(tmp_path, key=("-newkey", "rsa:2048"))
    authority = make(tmp_path, extensions=())
    server = make(tmp_path, extensions=(*CLIENT[:2], "-addext", "extendedKeyUsage=serverAuth"))
    cases = [
        ({"Certificate": certificate, "Key": other}, "/Key", "not that of the certificate"),
        ({"Certificate": certificate, "Key": rsa[1]}, "/Key", "not that of the certificate"),
        ({"Certificate": certificate, "Key": encrypted}, "/Key", "remove its passphrase first"),
        ({"Certificate": certificate, "Key": certificate}, "/Key", "no private key"),
        ({"Certificate": certificate, "Key": ""}, "/Key", "no private key"),
        ({"Certificate": certificate}, "/Key", "no private key"),
        ({"Certificate": weak[0], "Key": weak[1]}, "/Key", "too weak (1024 bits)"),
        ({"Certificate": certificate, "Key": "k" * 16384}, "/Key", "longer than"),
        ({"Certificate": certificate, "Key": 1}, "/Key", "no text"),
        ({"Certificate": certificate + key, "Key": key}, "/Certificate", "holds a private key"),
        ({"Certificate": key, "Key": key}, "/Certificate", "holds a private key"),
        ({"Certificate": "x", "Key": key}, "/Certificate", "no certificate"),
        ({"Certificate": certificate[:-30], "Key": key}, "/Certificate", "copy it whole"),
        ({"Certificate": authority[0], "Key": authority[1]}, "/Certificate", "CA:TRUE"),
        ({"Certificate": server[0], "Key": server[1]}, "/Certificate", "clientAuth"),
        ({"Certificate": "c" * 16384, "Key": key}, "/Certificate", "longer than"),
        ({"Certificate": [certificate], "Key": key}, "/Certificate", "no text"),
        ({"Certificate": None, "Key": key}, "/Certificate", "is missing"),
        ({"Key": key}, "/Certificate", "is missing"),
        ({}, "/Certificate", "is missing"),
        ({"Certificate": certificate, "Key": key, "More": 1}, "", "only Certificate and Key"),
        ([], "", "only Certificate and Key"),
    ]
    one = box()
    before = told(one)
    for body, pointer, reason in cases:
        answer = one.user.request("POST", CERTIFICATE, body)
        problem = assert_problem(answer, 422, pointer)
        assert reason in problem["errors"][0]["detail"], (body, problem)
        for secret in secrets_of(key):
            assert secret not in answer.body.decode()
    assert told(one) == before and not (one.folder / FILE).exists()
    assert_kept_secret(one, key)


def test_a_chain_of_sixteen_kibibytes_is_taken(box, own, tmp_path):
    """The longest that may be, with every line end escaped in JSON, and a key of RSA-4096."""
    certificate, key = make(tmp_path, key=("-newkey", "rsa:4096"))
    chain = certificate + own[0] * ((16383 - len(certificate)) // len(own[0]))
    assert len(chain) > 15500
    one = box()
    assert post(one, {"Certificate": chain, "Key": key})["Certificate"] == chain
    one.restart()
    assert told(one)["Certificate"] == chain


def test_a_factory_reset_removes_it(box, own):
    """Also what was set aside: the next owner's box holds no key of this one."""
    one = box()
    device = told(one)
    post(one, {"Certificate": own[0], "Key": own[1]})
    (one.folder / f"{FILE}.damaged").write_text(own[1])
    one.reset("factory")
    assert told(one) == device
    left = [f.name for f in one.folder.iterdir() if f.name.startswith(FILE)]
    assert not left
    one.restart()
    assert told(one) == device


def test_a_soft_reset_leaves_it(box, own):
    one = box()
    found = post(one, {"Certificate": own[0], "Key": own[1]})
    one.reset("soft")
    assert told(one) == found


@pytest.mark.parametrize("damage", ["", "nonsense", "cut", "swapped", "long"])
def test_a_damaged_file_is_set_aside(box, own, tmp_path, damage):
    """Said once in the log; the device's own is used, and the box serves."""
    one = box()
    device = told(one)
    post(one, {"Certificate": own[0], "Key": own[1]})
    good = (one.folder / FILE).read_text()
    bad = {"cut": good[:-100], "swapped": own[0] + own[1], "long": good + "x" * 40000}.get(damage, damage)
    one.user.close()
    one.server.stop()
    (one.folder / FILE).write_text(bad)
    one.restart()
    assert told(one) == device
    assert len(one.server.log(f"{FILE} cannot be used")) == 1
    assert not (one.folder / FILE).exists() and (one.folder / f"{FILE}.damaged").read_text() == bad
    one.restart()
    assert not one.server.log(FILE)
    (one.folder / f"{FILE}.damaged").unlink()
    assert_kept_secret(one, own[1])


def test_a_disk_that_takes_nothing_changes_nothing(box, own):
    """A folder stands where the new file would be written."""
    one = box()
    device = told(one)
    (one.folder / f"{FILE}.new").mkdir()
    answer = one.user.request("POST", CERTIFICATE, {"Certificate": own[0], "Key": own[1]})
    problem = assert_problem(answer, 500)
    assert "cannot be kept" in problem["detail"]
    document().judge(CERTIFICATE, "POST", answer)
    assert told(one) == device
    (one.folder / f"{FILE}.new").rmdir()
    assert post(one, {"Certificate": own[0], "Key": own[1]})["Source"] == "own"


def test_the_label_does_not_mind(box, own):
    """The other program that reads the folder."""
    one = box()
    post(one, {"Certificate": own[0], "Key": own[1]})
    done = run("label", "--state", str(one.folder), "--json")
    assert done.returncode == 0 and not done.stderr
    assert json.loads(done.stdout)["serial"] == SERIAL
    assert (one.folder / FILE).exists()
