"""The Debian packages in a Debian that has nothing else: installed, run as their user at ports systemd opened, purged.

The Debian is made by mmdebstrap with what the packages depend on, kept in build/package-test, and each test gets a copy in
memory. It needs root. That systemd starts the service shows where a whole machine boots.
"""
import hashlib
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from harness import PROGRAM, SOURCES

DEBS = SOURCES / "build" / "deb"
CACHE = SOURCES / "build" / "package-test"
READ_ONE = r"\x00\x01\x00\x00\x00\x06\x01\x03\x00\x00\x00\x01"
# Loopback comes up outside, where there is ip.
ENTER = 'ip link set lo up; mount -t proc proc "$0/proc"; mount -t devtmpfs dev "$0/dev"; exec chroot "$0" bash -euc "$1"'
BOOKKEEPING = re.compile(r"/(proc|dev|sys|run|tmp|debs|var/(cache|log)|var/lib/(dpkg|apt)|etc/(passwd|group|shadow|gshadow)-?$|"
                         r"etc/\.pwd\.lock$)")


def debs():
    return [path for path in sorted(DEBS.glob("*.deb")) if "-dbgsym" not in path.name]


def field(name, deb):
    return subprocess.run(["dpkg-deb", "--field", deb, name], capture_output=True, text=True, check=True).stdout.strip()


def dependencies():
    """Names of Debian's packages, the first of alternatives."""
    names = {re.match(r"[a-z0-9.+-]+", part.strip())[0] for deb in debs() for part in field("Depends", deb).split(",")}
    return sorted(names - {field("Package", deb) for deb in debs()})


def base():
    """A Debian with all dependencies, as a tar file."""
    wanted = ",".join(dependencies())
    tar = CACHE / f"debian-{hashlib.sha256(wanted.encode()).hexdigest()[:12]}.tar"
    part = CACHE / f"part-{os.getpid()}.tar"
    if not tar.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        made = subprocess.run(["mmdebstrap", "--variant=minbase", f"--include={wanted}", "bookworm", part],
                              capture_output=True, text=True, check=False)
        if made.returncode and os.environ.get("CI") != "true":
            pytest.skip(f"mmdebstrap could not make a Debian: {made.stderr.strip().splitlines()[-1]}")
        assert made.returncode == 0, made.stderr
        part.rename(tar)
    return tar


class Debian:
    """A copy of the system, and commands in it."""

    def __init__(self, folder):
        self.root = folder
        subprocess.run(["tar", "-xf", base(), "-C", folder, "--exclude=./dev/*"], check=True)
        (folder / "debs").mkdir()
        for deb in debs():
            shutil.copy(deb, folder / "debs")

    def run(self, script):
        """With networks, processes and mounts of its own; what it writes."""
        done = subprocess.run(["unshare", "--mount", "--pid", "--net", "--fork", "sh", "-ec", ENTER, self.root, script],
                              capture_output=True, text=True, timeout=120, check=False,
                              env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8",
                                   "DEBIAN_FRONTEND": "noninteractive"})
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def files(self):
        return {line for line in self.run("find / -xdev").splitlines() if not BOOKKEEPING.match(line)}


@pytest.fixture(scope="module", name="debian")
def fixture_debian():
    """With the packages installed, until the last test purges them."""
    if os.geteuid() != 0:
        pytest.skip("needs root: a chroot")
    if not shutil.which("mmdebstrap"):
        pytest.skip("no mmdebstrap: run ./bootstrap test")
    if not debs():
        pytest.skip("no packages: run make deb")
    folder = pathlib.Path(subprocess.run(["mktemp", "-d", "/tmp/package-test.XXXXXX"], capture_output=True, text=True,
                                         check=True).stdout.strip())
    try:
        system = Debian(folder)
        system.before = system.files()
        system.run("dpkg --install /debs/*.deb")
        yield system
    finally:
        shutil.rmtree(folder)


def test_versions_are_those_of_the_program(debian):
    version = subprocess.run([PROGRAM, "version"], capture_output=True, text=True, check=True).stdout.split()[1]
    assert [field("Version", deb) for deb in debs()] == [version] * 3
    assert debian.run("smart-connect version; p1mb-config --version") == \
        f"smart-connect {version}\np1mb-config {version}\n"


def test_its_user_reads_serial_ports_and_nothing_more(debian):
    assert debian.run("id -nG smart-connect").split() == ["smart-connect", "dialout"]
    assert debian.run("getent passwd smart-connect").split(":")[6].strip() == "/usr/sbin/nologin"


def test_secrets_are_roots_alone(debian):
    assert debian.run("stat -c '%a %U' /etc/smart-connect/credentials /etc/smart-connect/smart-connect.conf") == \
        "700 root\n644 root\n"


def test_the_service_is_enabled_and_systemd_understands_it(debian):
    assert debian.run("systemctl is-enabled smart-connect.service") == "enabled\n"
    assert debian.run("systemd-analyze verify --man=no smart-connect.service smart-connect@two.service 2>&1") == ""


def test_the_device_file_it_brings_is_good(debian):
    assert debian.run("smart-connect check-config").endswith("good\n")
    assert "meter = serial:/dev/ttyUSB0" in debian.run("cat /etc/smart-connect/smart-connect.conf")


@pytest.mark.skipif(not shutil.which("lintian"), reason="no lintian: run ./bootstrap test")
def test_debians_own_checker_has_no_complaint():
    done = subprocess.run(["lintian", "--allow-root", "--fail-on", "warning", *DEBS.glob("*.changes")], capture_output=True,
                          text=True, check=False)
    assert done.returncode == 0 and not done.stdout, done.stdout + done.stderr


def test_documents_that_belong_to_it_are_there(debian):
    debian.run("test -s /usr/share/doc/smart-connect/sbom.cdx.json")
    listed = debian.run("dpkg --listfiles smart-connect p1mb-config")
    for name in ("man1/smart-connect.1.gz", "man5/smart-connect.conf.5.gz", "man1/p1mb-config.1.gz",
                 "doc/smart-connect/copyright", "rules.d/60-smart-connect.rules", "sysctl.d/50-smart-connect.conf"):
        assert name in listed


def test_without_a_privilege_it_serves_at_the_ports_that_systemd_opened(debian):
    """As the unit has it: a user of its own, no capability, sockets by name; the device file's meter is not there."""
    said = debian.run(rf"""
        install -d -o smart-connect -g smart-connect -m 700 /var/lib/smart-connect
        systemd-socket-activate --listen=502 --listen=80 --listen=443 --fdname=modbus:http:https \
            setpriv --reuid=smart-connect --regid=smart-connect --init-groups --bounding-set=-all --inh-caps=-all \
            --no-new-privs smart-connect run --meter sim:dsmr50 --serial 00112233AABB >/tmp/out 2>/tmp/err &
        until grep -q ':443' /tmp/err; do sleep 0.1; done
        exec 3<>/dev/tcp/127.0.0.1/502
        printf '{READ_ONE}' >&3
        head -c 9 <&3 | od -An -tx1
        until grep -q ready /tmp/out; do sleep 0.1; done
        cat /tmp/out
        grep -E 'CapEff|CapBnd|NoNewPrivs|^Uid' /proc/$(pidof smart-connect)/status
        kill %1; wait %1
        stat -c '%a %U' /var/lib/smart-connect/config.json /var/lib/smart-connect/label 2>/dev/null || true
        smart-connect label""")
    assert said.startswith(" 00 01 00 00 00")
    assert "modbus=[::]:502" in said and "http=[::]:80" in said and "https=[::]:443" in said, said
    assert "CapEff:\t0000000000000000" in said and "CapBnd:\t0000000000000000" in said and "NoNewPrivs:\t1" in said
    assert "600 smart-connect" in said and "ssid SC-00112233AABB" in said


def test_purge_leaves_nothing_but_the_user(debian):
    debian.run("echo secret >/etc/smart-connect/credentials/mqtt-password; dpkg --purge smart-connect-updater smart-connect p1mb-config")
    assert debian.files() - debian.before == set()
    assert debian.run("getent passwd smart-connect")
