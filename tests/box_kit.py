"""Machines of one household for the system tests: network namespaces with cables between them, and in each what Debian
runs there: a system bus, Avahi, NetworkManager, a router's DHCP server.  Needs root.

    router, box = Router(folder, "router"), Box(folder, "box")
    cable(box, router)
    router.start()
    box.power_on()
    Page(router, "10.81.0.54", box.login()).state()
"""
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess

from harness import LIBC, Gateway, Process, wait_until
from https_client import USER, login_of

CLONE_NEWNET = 0x40000000
CONFIG, STATUS = "/api/v1/config", "/api/v1/status"
START = 60  # seconds in which anything has started, on a machine where many do at once


# --- namespaces --------------------------------------------------------------------------------

class Refused(Exception):
    """A command failed."""


def command(*arguments, text=None):
    done = subprocess.run(arguments, input=text, capture_output=True, text=True, timeout=15, check=False)
    if done.returncode != 0:
        raise Refused(f"{' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


class Place:
    """A network namespace."""

    def __init__(self, name):
        self.name = f"sc-{os.getpid()}-{name}"
        command("ip", "netns", "add", self.name)
        self.fd = os.open(f"/run/netns/{self.name}", os.O_RDONLY | os.O_CLOEXEC)
        self.prefix = ("ip", "netns", "exec", self.name)  # it executes what follows
        self.ip("link", "set", "lo", "up")

    def ip(self, *arguments):
        return command("ip", "-n", self.name, *arguments)

    @contextlib.contextmanager
    def inside(self):
        """This thread is there meanwhile."""
        before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        assert LIBC.setns(self.fd, CLONE_NEWNET) == 0
        try:
            yield self
        finally:
            assert LIBC.setns(before, CLONE_NEWNET) == 0
            os.close(before)

    def close(self):
        os.close(self.fd)
        command("ip", "netns", "del", self.name)


def cable(a, b, card_a="eth0", card_b="eth0"):
    """Between two places; both ends are down."""
    a.ip("link", "add", card_a, "type", "veth", "peer", "name", card_b, "netns", b.name)


def obstacle(*tools):
    """Why there can be no such places with cables here, or what is missing in them; None: nothing."""
    if os.geteuid() != 0:
        return "needs root for namespaces"
    missing = [tool for tool in ("ip", *tools) if not shutil.which(tool)]
    if missing:
        return f"needs {', '.join(missing)}: run ./bootstrap test"
    try:
        place = Place("trial")
    except Refused as problem:
        return f"no network namespaces: {problem}"
    try:
        place.ip("link", "add", "veth0", "type", "veth", "peer", "name", "veth1")
    except Refused as problem:
        return f"no virtual cables: {problem}"
    finally:
        place.close()
    return None


# --- machines ----------------------------------------------------------------------------------

BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path={path}</listen>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/></policy>
</busconfig>
"""
AVAHI = """[server]
host-name=host-{name}
use-ipv4=yes
use-ipv6=yes
allow-interfaces=eth0
[publish]
publish-workstation=no
[rlimits]
"""


class Machine(Place):
    """A namespace with a folder of its own and programs that end with it.  What they write below /run is theirs."""

    def __init__(self, folder, name):
        super().__init__(name)
        self.folder = folder / name
        self.folder.mkdir()
        self.env = {"DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={self.folder}/bus"}
        self.processes, self.bus, self.avahi = [], None, None

    def process(self, what, *command_line):
        one = Process(self.folder, f"{what}-{len(self.processes)}", [*self.prefix, *command_line],
                      env={**os.environ, **self.env})
        self.processes.append(one)
        return one

    def private(self, **mounts):
        """The beginning of a command line: the program behind it has folders of this machine at these paths, a host
        name of its own, and a /sys that says "container", so that it does not wait for udev."""
        steps = ["mount -o remount,bind,ro /sys"]
        for name, path in mounts.items():
            (self.folder / name).mkdir(exist_ok=True)
            steps.append(f"mount --bind {self.folder / name} {path}")
        return "unshare", "--mount", "--uts", "sh", "-c", " && ".join([*steps, 'exec "$@"']), "sh"

    def start_bus(self):
        config = self.folder / "bus.conf"
        config.write_text(BUS.format(path=self.folder / "bus"))
        self.bus = self.process("bus", "dbus-daemon", "--nofork", "--nopidfile", f"--config-file={config}")
        wait_until((self.folder / "bus").exists, "the bus", START)

    def start_avahi(self):
        config = self.folder / "avahi.conf"
        config.write_text(AVAHI.format(name=self.folder.name))
        (self.folder / "avahi" / "avahi-daemon").mkdir(parents=True, exist_ok=True)
        self.avahi = self.process("avahi", *self.private(avahi="/run"), "avahi-daemon", "-f", str(config),
                                  "--no-drop-root", "--no-chroot", "--no-proc-title", "--no-rlimits")
        wait_until(lambda: "startup complete" in self.avahi.stderr(), f"Avahi: {self.avahi.stderr()}", START)

    def run(self, *command_line):
        """What a command prints here, whether it succeeds or not."""
        return subprocess.run([*self.prefix, *command_line], env={**os.environ, **self.env}, capture_output=True,
                              text=True, timeout=30, check=False).stdout

    def resolve(self, name, family=4):
        """The address that this machine finds under a name, by Avahi; "": none."""
        found = self.run("avahi-resolve", f"-{family}", "-n", name).split()
        return found[1] if len(found) > 1 else ""

    def curl(self, url, *options):
        """What a URL answers here; a name in it is looked up by Avahi."""
        scheme, name = re.match(r"(\w+)://([^/:]+)", url).groups()
        if name.endswith(".local"):
            port = {"http": 80, "https": 443}[scheme]
            options += ("--resolve", f"{name}:{port}:{self.resolve(name)}")
        return self.run("curl", "-sk", "--max-time", "10", url, *options)

    def addresses(self, card="eth0"):
        """The IPv4 addresses that the kernel has: ["10.81.0.54/24"]."""
        shown = json.loads(self.ip("-j", "-4", "address", "show", "dev", card))
        return [f"{a['local']}/{a['prefixlen']}" for one in shown for a in one.get("addr_info", [])]

    def routers(self):
        """The routers of the kernel's default routes, over IPv4."""
        return [route.get("gateway") for route in json.loads(self.ip("-j", "-4", "route", "show", "default"))]

    def kill(self):
        """Everything that runs here, at once."""
        while self.processes:
            self.processes.pop().end(signal.SIGKILL)

    def close(self):
        self.kill()
        super().close()


class Router(Machine):
    """A household's router, and whoever else is on its network: 10.81.0.1, with or without a DHCP server."""

    address, dns = "10.81.0.1", "10.81.0.53"

    def __init__(self, folder, name):
        super().__init__(folder, name)
        self.lease_file = self.folder / "leases"
        self.dhcp = None

    def start(self, dhcp=True):
        self.ip("address", "add", f"{self.address}/24", "dev", "eth0")
        self.plug()
        if dhcp:
            self.serve_dhcp()

    def plug(self, on=True):
        self.ip("link", "set", "eth0", "up" if on else "down")

    def serve_dhcp(self):
        self.dhcp = self.process(
            "dnsmasq", "dnsmasq", "--keep-in-foreground", "--log-facility=-", "--log-dhcp", "--user=root", "--pid-file=",
            "--conf-file=/dev/null", "--port=0", "--interface=eth0", "--bind-interfaces", "--no-ping",
            "--dhcp-range=10.81.0.50,10.81.0.60,2m", f"--dhcp-option=option:dns-server,{self.dns}",
            "--dhcp-authoritative", f"--dhcp-leasefile={self.lease_file}")
        wait_until(lambda: "started" in self.dhcp.stderr(), "dnsmasq", START)

    def leases(self):
        """{address: host name}, as the DHCP server keeps them."""
        lines = self.lease_file.read_text().splitlines() if self.lease_file.exists() else []
        return {fields[2]: fields[3] for fields in map(str.split, lines) if len(fields) == 5}  # it may be writing it

    def hear_dhcp(self):
        """A socket that gets what is asked of a DHCP server; in the place of one."""
        with self.inside():
            ear = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        ear.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        ear.bind(("", 67))
        ear.setblocking(False)
        return ear


def discovers(ear):
    """How many DHCPDISCOVERs came since it was asked last."""
    count = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            count += b"\x35\x01\x01" in ear.recv(1500)[240:]  # option 53, message type
    return count


MANAGER = """[main]
plugins=keyfile
dhcp=internal
dns=none
auth-polkit=false
[connectivity]
enabled=false
[keyfile]
unmanaged-devices=none
"""


class Box(Machine):
    """A small computer with NetworkManager and the gateway.  Its settings outlive the power."""

    def __init__(self, folder, name, *options, network="networkmanager", meter="sim:dsmr50"):
        super().__init__(folder, name)
        self.options, self.meter = ("--network", network, "--ethernet", "eth0", *options), meter
        self.state_folder = self.folder / "state"
        self.manager = self.server = None
        self.profiles = self.folder / "etc" / "system-connections"
        self.profiles.mkdir(parents=True)
        (self.folder / "etc" / "NetworkManager.conf").write_text(MANAGER)

    def power_on(self, avahi=False):
        self.start_bus()
        if avahi:
            self.start_avahi()
        self.start_manager()
        self.start_gateway()

    def cut_power(self):
        """What is not on the disk is lost."""
        self.server.end(signal.SIGKILL)
        self.kill()
        (self.folder / "bus").unlink()
        shutil.rmtree(self.folder / "run")
        self.ip("link", "set", "eth0", "down")
        self.ip("address", "flush", "dev", "eth0")

    def start_manager(self):
        (self.folder / "run" / "NetworkManager").mkdir(parents=True, exist_ok=True)
        self.manager = self.process(
            "manager", *self.private(run="/run", etc="/etc/NetworkManager", var="/var/lib/NetworkManager"),
            "NetworkManager", "--debug", "--log-level=INFO")
        wait_until(lambda: self.nmcli("-g", "RUNNING", "general") == "running", "NetworkManager", START)

    def start_gateway(self):
        self.server = Gateway(self.folder, self.meter, "--state", str(self.state_folder), "--http", "80", "--https",
                              "443", *self.options, modbus="502", prefix=self.prefix, env=self.env)

    def nmcli(self, *arguments):
        return self.run("nmcli", *arguments).strip()

    def login(self):
        return login_of(self.state_folder)

    def close(self):
        try:
            if self.server and self.server.running():
                self.server.stop()
        finally:
            super().close()


# --- people ------------------------------------------------------------------------------------

class Page:
    """Somebody at a machine who uses the API of the box at a name or address."""

    def __init__(self, machine, at, login):
        self.machine, self.at, self.login = machine, at, login

    def ask(self, method, path, body=None):
        """The answer; status 0: there is none."""
        options = ["-X", method, "-u", f"{USER}:{self.login}", "-w", "\n%{http_code}"]
        if body is not None:
            options += ["-H", "Content-Type: application/json", "-d", json.dumps(body)]
        text, _, status = self.machine.curl(f"https://{self.at}{path}", *options).rpartition("\n")
        return Answer(int(status or 0), text)

    def change(self, settings):
        return self.ask("PATCH", CONFIG, settings)

    def state(self):
        return self.ask("GET", STATUS).json()["State"]

    def network(self):
        return self.state()["Network"]


class Answer:
    def __init__(self, status, text):
        self.status, self.text = status, text

    def json(self):
        assert self.status == 200, self
        return json.loads(self.text)

    def __repr__(self):
        return f"{self.status} {self.text[:300]}"
