"""RAUC, as Debian has it, on a bus of its own, with the slots of a box: files, and GRUB's environment.

    rauc = Rauc(folder)
    bundle = rauc.bundle("next", "0.2.0+security.1")       # signed, for this box
    gateway = Gateway(..., *rauc.options, env=rauc.env)
    downloads = Downloads(folder)                          # the real downloader, and a server it trusts
    gateway = Gateway(..., "--update-fetch", downloads.socket)

It checks signatures for real.  What it installs ends in a slot that does not exist, so that installing fails on any machine,
with RAUC's own words.
"""
import http.server
import os
import subprocess
import threading
import time

import pytest

from box_kit import BUS
from harness import SOURCES, Process, clean_environment, wait_until
from pki import Authority

FETCH = os.environ.get("SMART_CONNECT_FETCH", str(SOURCES / "build" / "smart-connect-fetch"))
TOOLS = ("rauc", "systemd-socket-activate", "grub-editenv", "dbus-daemon", "busctl", "mksquashfs", "openssl")
COMPATIBLE, RUNNING = "smart-connect-amd64", "0.1.0+security.1"
NAME = "de.pengutronix.rauc"
SYSTEM = """[system]
compatible={compatible}
bootloader=grub
grubenv={folder}/grubenv
statusfile={folder}/status
mountprefix={folder}/mount
bundle-formats=verity

[keyring]
path={folder}/keys/ca.pem
check-purpose=codesign
check-crl=true

[slot.rootfs.0]
device={folder}/slot-a
type=ext4
bootname=A

[slot.rootfs.1]
device={folder}/no-such-slot
type=ext4
bootname=B
"""
STATUS = """[slot.rootfs.0]
bundle.compatible={compatible}
bundle.version={release}
installed.timestamp=2026-03-01T10:00:00Z
installed.count=1
"""


def tool(*command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stderr}"


class Rauc:
    """Booted is slot A, which is good; B was never written."""

    def __init__(self, folder):
        self.folder = folder / "rauc"
        (self.folder / "mount").mkdir(parents=True)
        tool(SOURCES / "tools" / "make-update-keys", self.folder / "keys")
        self.write("system.conf", SYSTEM, compatible=COMPATIBLE)
        self.write("status", STATUS, compatible=COMPATIBLE, release=RUNNING)
        self.write("bus.conf", BUS, path=self.folder / "bus")
        release = self.write("release", f"{RUNNING}\n")
        self.write("slot-a", "")
        tool("grub-editenv", self.folder / "grubenv", "create")
        tool("grub-editenv", self.folder / "grubenv", "set", "ORDER=A B", "A_OK=1", "A_TRY=0", "B_OK=0", "B_TRY=0")
        self.env = {"DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={self.folder}/bus"}
        self.options = ("--update", "rauc", "--update-release", str(release),
                        "--update-floor", str(self.folder / "floor"))
        self.service = self.bus = None
        self.start_bus()
        self.start()

    def write(self, name, text, **fields):
        path = self.folder / name
        path.write_text(text.format(folder=self.folder, **fields))
        return path

    def process(self, name, *command):
        return Process(self.folder, name, list(command), env={**os.environ, **self.env})

    def start_bus(self):
        """Also again."""
        (self.folder / "bus").unlink(missing_ok=True)
        self.bus = self.process("bus", "dbus-daemon", "--nofork", "--nopidfile", f"--config-file={self.folder}/bus.conf")
        wait_until((self.folder / "bus").exists, "the bus")

    def start(self):
        self.service = self.process("rauc", "rauc", f"--conf={self.folder}/system.conf", "--override-boot-slot=A", "service")
        wait_until(lambda: subprocess.run(["busctl", "--quiet", "status", NAME], env={**os.environ, **self.env},
                                          capture_output=True, check=False).returncode == 0,
                   f"RAUC: {self.service.stderr()}")

    def stop_service(self):
        self.service.end()

    def close(self):
        self.service.end()
        self.bus.end()

    def bundle(self, name, release, compatible=COMPATIBLE, size=1 << 20):
        """A signed one, at least as long as `size`: what is in it does not compress."""
        image, made = self.folder / f"{name}.ext4", self.folder / f"{name}.raucb"
        image.write_bytes(os.urandom(size))
        keys = self.folder / "keys"
        tool(SOURCES / "tools" / "make-bundle", "--key", keys / "signer.key", "--cert", keys / "signer.pem",
             "--compatible", compatible, "--release", release, "--image", image, made)
        return made


@pytest.fixture(name="rauc", scope="module")
def fixture_rauc(tmp_path_factory):
    one = Rauc(tmp_path_factory.mktemp("rauc"))
    yield one
    one.close()


class Downloads:
    """`smart-connect-fetch` behind its socket, as systemd runs it, and https://updates.example, which is here and not quick.
    files: what is at a path: bytes, or as text the URL that it redirects to."""

    name = "updates.example"
    pieces_per_s = 40

    def __init__(self, folder):
        self.files = {}
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        authority = Authority(folder)
        context = authority.issue(self.name, f"DNS:{self.name}").server_context()
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        port, self.socket = self.server.server_port, folder / "fetch.socket"
        self.process = Process(folder, "fetch", [
            "systemd-socket-activate", "--accept", "--inetd", f"--listen={self.socket}", FETCH,
            f"--ca={authority.certificate}", "--allow-loopback", f"--resolve={self.name}:{port}:127.0.0.1"],
            env=clean_environment())
        wait_until(self.socket.exists, "the downloader")

    def handler(self):
        downloads = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):  # pylint: disable=invalid-name
                content = downloads.files.get(self.path)
                self.send_response(404 if content is None else 302 if isinstance(content, str) else 200)
                if isinstance(content, str):
                    self.send_header("Location", content)
                    content = b""
                self.send_header("Content-Length", str(len(content or b"")))
                self.end_headers()
                step = 1 << 16
                for at in range(0, len(content or b""), step):
                    self.wfile.write(content[at:at + step])
                    time.sleep(1 / downloads.pieces_per_s)

            def log_message(self, *_):
                """Says nothing."""
        return Handler

    def offer(self, path, content):
        """From now on; the URL."""
        self.files[path] = content
        return f"https://{self.name}:{self.server.server_port}{path}"

    def close(self):
        self.process.end()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture(name="downloads", scope="module")
def fixture_downloads(tmp_path_factory):
    one = Downloads(tmp_path_factory.mktemp("downloads"))
    yield one
    one.close()
