"""systemd's units as they are installed: what systemd thinks of them, and that the program can live with them."""
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from harness import PROGRAM, free_port, wait_until

BUILD = pathlib.Path(PROGRAM).parent
EXPOSURE_MAX = 1.2
SERVICES = ["smart-connect.service", "smart-connect@one.service", "smart-connect-fetch@one.service"]

pytestmark = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd-analyze: package systemd")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """What `make install` puts into a system."""
    folder = tmp_path_factory.mktemp("root")
    subprocess.run(["cmake", "--install", BUILD, "--prefix", "/usr"], check=True, capture_output=True,
                   env={**os.environ, "DESTDIR": str(folder)})
    return folder


def units(root):
    return root / "usr" / "lib" / "systemd" / "system"


def setting(root, name, unit="smart-connect.service"):
    """All values of a setting, in order."""
    return re.findall(rf"^{name}=(.*)$", (units(root) / unit).read_text(), re.M)


@pytest.mark.parametrize("service", SERVICES)
def test_little_is_exposed(root, service):
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager", f"--root={root}", service],
                          capture_output=True, text=True, check=False)
    score = re.search(r"exposure level for \S+: (\d+\.\d+)", done.stdout)
    assert score and float(score[1]) <= EXPOSURE_MAX, done.stdout + done.stderr


@pytest.mark.parametrize("service", ["smart-connect.service", "smart-connect@.service", "smart-connect-fetch@.service"])
def test_a_crash_leaves_no_copy_of_memory(root, service):
    assert setting(root, "LimitCORE", service) == ["0"]


def test_systemd_understands_every_line(root):
    names = [path.name.replace("@", "@one") for path in sorted(units(root).iterdir())]
    assert len(names) == 7
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", *names], capture_output=True, text=True, check=False,
                          env={**os.environ, "SYSTEMD_UNIT_PATH": f"{units(root)}:"})
    ours = [line for line in done.stderr.splitlines() if "smart-connect" in line]
    assert all("is not executable" in line for line in ours) and len(ours) <= len(SERVICES), done.stderr


def test_a_socket_for_each_door(root):
    ports = {name: (setting(root, "ListenStream", f"{name}.socket"), setting(root, "FileDescriptorName", f"{name}.socket"))
             for name in setting(root, "Sockets")[0].replace(".socket", "").split()}
    assert ports == {"smart-connect": (["502"], ["modbus"]), "smart-connect-http": (["80"], ["http"]),
                     "smart-connect-https": (["443"], ["https"])}


def allowed_calls(root):
    """What SystemCallFilter= leaves, by systemd's own lists."""
    def members(group):
        shown = subprocess.run(["systemd-analyze", "syscall-filter", group], capture_output=True, text=True,
                               check=True).stdout
        names = re.findall(r"^    (\S+)$", shown, re.M)
        return set().union(*(members(n) if n.startswith("@") else {n} for n in names))
    calls = set()
    for line in setting(root, "SystemCallFilter"):
        groups = set().union(*(members(group) for group in line.lstrip("~").split()))
        calls = calls - groups if line.startswith("~") else calls | groups
    return calls


@pytest.mark.skipif(not shutil.which("strace"), reason="no strace: run ./bootstrap test")
def test_the_program_makes_no_system_call_that_the_unit_forbids(root, gateway, tmp_path):
    """With a state folder, certificates, Modbus, the page, the outbox's database: start, some seconds, end."""
    trace, state = tmp_path / "trace", tmp_path / "state"
    server = gateway("sim:dsmr50", "--state", str(state), "--https", "127.0.0.1:0", "--http", "127.0.0.1:0",
                     "--p1-out", "tcp:127.0.0.1:0", "--mqtt", f"mqtt://127.0.0.1:{free_port()}",
                     prefix=["strace", "-D", "-f", "-qq", "-o", str(trace)])
    server.wait_served()
    wait_until((state / "readings.db").exists, "readings that wait on disk, as there is no broker", 60)
    server.stop()
    wait_until(lambda: "exit_group(0)" in trace.read_text(errors="replace"), "the end of the trace")
    made = set(re.findall(r"^\d+ +([a-z0-9_]+)\(", trace.read_text(errors="replace"), re.M))
    assert len(made) > 40 and {"accept4", "fsync", "socket"} <= made
    if os.geteuid() == 0:
        made.discard("fchown")  # of SQLite, which gives files to their folder's owner if it may
    assert sorted(made - allowed_calls(root)) == []
