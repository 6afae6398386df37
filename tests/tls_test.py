"""What the HTTPS door offers, seen by OpenSSL and sslscan; `make scan` asks testssl.sh as well."""
import shutil
import subprocess
import xml.etree.ElementTree

import pytest

from harness import SERIAL, refusal
from https_client import door, serve
from pki import HERE, Authority

AEAD = {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256",
        "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305"}


@pytest.fixture
def port(gateway, tmp_path):
    server, _ = serve(gateway, tmp_path)
    return door(server)


def s_client(port, *options):
    return subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", *options], input=b"",
                          capture_output=True, timeout=15, check=False).stdout.decode(errors="replace")


@pytest.mark.parametrize("option,version", [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")])
def test_modern_versions_shake_hands(port, option, version):
    assert f"New, {version}, Cipher is " in s_client(port, option)


@pytest.mark.parametrize("options", [
    ("-tls1",), ("-tls1_1",), ("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA256:@SECLEVEL=0"),
    ("-tls1_2", "-cipher", "AES128-GCM-SHA256:@SECLEVEL=0"), ("-tls1_2", "-cipher", "eNULL:aNULL:@SECLEVEL=0")])
def test_old_versions_and_weak_ciphers_are_refused(port, options):
    assert "Cipher is (NONE)" in s_client(port, *options)


def test_own_certificate_from_what_systemd_hands_over(gateway, tmp_path):
    authority = Authority(tmp_path)
    mine = authority.issue("mine", *HERE)
    for name, text in (("cert", mine.text()), ("key", mine.key_text())):
        (tmp_path / f"smart-connect_{name}").write_text(text)
    server, _ = serve(gateway, tmp_path, "--https-cert", "credential:cert", "--https-key", "credential:key",
                      env={"CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert "subject=CN = mine" in s_client(door(server))


@pytest.mark.parametrize("environment, reason", [
    (None, "systemd hands credentials to services only"),
    ("/nowhere", "put it into /etc/smart-connect/credentials/key and restart")])
def test_credential_that_is_not_there_is_explained(monkeypatch, environment, reason):
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    if environment:
        monkeypatch.setenv("CREDENTIALS_DIRECTORY", environment)
    said = refusal("--https-key", "credential:key")
    assert "--https-key credential:key: " in said and reason in said


def test_renegotiation_ends_the_connection(port):
    """testssl.sh 3.0.8 sometimes takes the closed connection for a renegotiated one."""
    with subprocess.Popen(["openssl", "s_client", "-tls1_2", "-connect", f"127.0.0.1:{port}"], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as client:
        shown = b""
        while b"Verify return code" not in shown:
            shown += client.stdout.readline()
        client.stdin.write(b"R\n")
        client.stdin.flush()
        rest = client.stdout.read().decode()
    assert "RENEGOTIATING" in rest and rest.rstrip().endswith("closed"), rest


def test_certificate_is_for_all_names_of_the_box(port):
    shown = s_client(port)
    text = subprocess.run(["openssl", "x509", "-noout", "-text"], input=shown.encode(), capture_output=True,
                          check=True).stdout.decode()
    for wanted in (f"Subject: CN = {SERIAL}", "ASN1 OID: prime256v1", "ecdsa-with-SHA256",
                   "DNS:smart-connect.local", f"DNS:smart-connect-{SERIAL.lower()}.local", "IP Address:127.0.0.1",
                   "TLS Web Server Authentication", "CA:FALSE"):
        assert wanted in text, text


@pytest.mark.skipif(not shutil.which("sslscan"), reason="no sslscan: ./bootstrap test brings it")
def test_sslscan_finds_authenticated_encryption_only(port):
    done = subprocess.run(["sslscan", "--xml=-", f"127.0.0.1:{port}"], capture_output=True, timeout=60,
                          check=True)
    report = xml.etree.ElementTree.fromstring(done.stdout)
    versions = {p.get("version") for p in report.iter("protocol") if p.get("enabled") == "1"}
    assert versions == {"1.2", "1.3"}
    assert {c.get("cipher") for c in report.iter("cipher")} == AEAD
    assert all(h.get("vulnerable") == "0" for h in report.iter("heartbleed"))
    assert all(r.get("supported") == "0" for r in report.iter("renegotiation"))
    assert all(c.get("supported") == "0" for c in report.iter("compression"))
