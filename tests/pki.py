"""Certificates for the tests of TLS, made at run time with openssl's command (P-256, which is quick), and brokers that
show them.

    authority = Authority(folder)
    pair = authority.issue("broker", "DNS:localhost", "IP:127.0.0.1")
    broker = TlsBroker(folder, pair)
"""
import hashlib
import itertools
import ssl
import subprocess
import time

from harness import Broker, free_port

HOUR, DAY, YEAR = 3600, 86400, 365 * 86400
HERE = ("DNS:localhost", "IP:127.0.0.1", "IP:::1")  # all the names of a broker on this machine

CONFIG = """
[ca]
default_ca = all
[all]
database = {folder}/index
new_certs_dir = {folder}
default_md = sha256
policy = any
unique_subject = no
rand_serial = yes
[any]
commonName = supplied
"""


def openssl(*arguments, stdin=b""):
    done = subprocess.run(["openssl", *map(str, arguments)], input=stdin, capture_output=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def asn1_time(utc_s):
    return time.strftime("%Y%m%d%H%M%SZ", time.gmtime(utc_s))


class Pair:
    """A certificate and its key: paths, and texts."""

    def __init__(self, certificate, key):
        self.certificate, self.key = certificate, key

    def text(self):
        return self.certificate.read_text()

    def key_text(self):
        return self.key.read_text()

    def pin(self):
        """The setting MQTT/CA that trusts this key."""
        public = openssl("x509", "-in", self.certificate, "-noout", "-pubkey")
        return "sha256:" + hashlib.sha256(openssl("pkey", "-pubin", "-outform", "DER", stdin=public)).hexdigest()

    def server_context(self, **settings):
        """For a peer that is written in Python; settings are attributes."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        for name, value in settings.items():
            setattr(context, name, value)
        return context


class Authority(Pair):
    """Signs itself, or has `parent` sign it; what it issues lies in `folder`, too."""

    numbers = itertools.count(1)

    def __init__(self, folder, name="Test CA", parent=None):
        self.folder = folder / f"authority-{next(Authority.numbers)}"
        self.folder.mkdir()
        (self.folder / "index").touch()
        (self.folder / "config").write_text(CONFIG.format(folder=self.folder))
        is_authority = {"constraints": "CA:TRUE", "usage": None, "starts": -20 * YEAR, "ends": 20 * YEAR}
        made = parent.issue(name, **is_authority) if parent else self.self_signed(name, **is_authority)
        super().__init__(made.certificate, made.key)

    def request(self, name):
        """A key, and a request to sign it."""
        base = self.folder / f"{next(Authority.numbers)}"
        request, pair = base.with_suffix(".csr"), Pair(base.with_suffix(".crt"), base.with_suffix(".key"))
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-subj", f"/CN={name}",
                "-keyout", pair.key, "-out", request)
        return request, pair

    def sign(self, request, pair, signer, names, usage="serverAuth", constraints="CA:FALSE", starts=-HOUR,
             ends=30 * DAY):
        """starts, ends: seconds from now."""
        extensions = request.with_suffix(".ext")
        lines = [f"basicConstraints = critical,{constraints}", "subjectKeyIdentifier = hash"]
        lines += [f"extendedKeyUsage = {usage}"] if usage else []
        lines += [f"subjectAltName = {','.join(names)}"] if names else []
        extensions.write_text("\n".join([*lines, ""]))
        now = time.time()
        openssl("ca", "-batch", "-notext", "-config", self.folder / "config", *signer, "-in", request, "-out",
                pair.certificate, "-startdate", asn1_time(now + starts), "-enddate", asn1_time(now + ends),
                "-extfile", extensions)
        return pair

    def issue(self, name, *names, **how):
        """A certificate of this authority.  names: of subjectAltName, as "DNS:localhost"."""
        request, pair = self.request(name)
        return self.sign(request, pair, ("-cert", self.certificate, "-keyfile", self.key), names, **how)

    def self_signed(self, name, *names, **how):
        """One that no authority has signed."""
        request, pair = self.request(name)
        return self.sign(request, pair, ("-selfsign", "-keyfile", pair.key), names, **how)

    def chain(self, pair):
        """A certificate that was issued here, with ours behind it."""
        path = pair.certificate.with_suffix(".chain")
        path.write_text(pair.text() + self.text())
        return Pair(path, pair.key)


class TlsBroker(Broker):
    """mosquitto with two doors: plain for who watches, TLS for the gateway."""

    def __init__(self, folder, pair, *settings, host="localhost"):
        """Settings behind the TLS listener are for it, or for both, as mosquitto.conf(5) says."""
        self.common, self.pair = settings, pair
        self.tls_port = free_port()
        super().__init__(folder)
        self.plain_url = self.url
        self.url = f"mqtts://{host}:{self.tls_port}"

    def start(self):
        self.settings = [f"listener {self.tls_port} 127.0.0.1", f"certfile {self.pair.certificate}",
                         f"keyfile {self.pair.key}", *self.common]
        started = super().start()
        if not started:
            self.tls_port = free_port()
        return started
