"""The whole box, to be held in hands: an emulated PC whose root is this machine's own, read-only, under a layer in memory.
So the program under test and Debian's NetworkManager, wpa_supplicant, hostapd and dnsmasq run there as they are, with what
this machine's kernel does not have: radios (mac80211_hwsim), a button, lights and pins (guest/panel.py).

    with box_guest(folder) as guest:
        network = Network(guest)    # the box's cards; network.phone, .home, .lan
        panel = Panel(guest)
        box = Box(guest, "--led", f"class:{panel.light}")
"""
import contextlib
import datetime
import json
import pathlib
import re
import shlex
import time

from guest_kit import RECIPE, Machine, kernel, make_initramfs, need
from harness import DEADLINE, PROGRAM, SANITIZER_COMPLAINT, SERIAL, SOURCES

NETWORK_TOOLS = ("NetworkManager", "nmcli", "wpa_supplicant", "hostapd", "dnsmasq", "dbus-daemon", "iw", "ip", "nft", "curl",
                 "mbpoll")
ROOT_MODULES = ("virtio_pci", "9pnet_virtio", "9p", "overlay")
PACKAGING = SOURCES / "packaging" / "NetworkManager"
PANEL_MODULES = ("uinput", "evdev", "uhid", "hid-playstation", "hid-cp2112")
VOLTAGE_REGISTER = 0x8006
DARK, RED, ORANGE, GREEN, BLUE = (0, 0, 0), (255, 0, 0), (255, 128, 0), (0, 255, 0), (0, 0, 255)
TAP_S = 0.3
PASSING_S = 0.15
PATIENCE = 3 * DEADLINE  # seconds for what takes some: a radio scans, joins and asks for an address
JOIN = """ctrl_interface=/run/phone
network={{
    ssid="{ssid}"
    psk="{key}"
    scan_freq=2412 2417 2422 2427 2432 2437 2442 2447 2452 2457 2462
}}
"""
ROUTER = """interface=wlan2
driver=nl80211
ctrl_interface=/run/hostapd
ssid={ssid}
hw_mode=g
channel=1
wpa=2
wpa_key_mgmt=WPA-PSK
rsn_pairwise=CCMP
wpa_passphrase={key}
"""


def wait_until(condition, what, seconds=PATIENCE):
    """As the harness's, but looks take a third of the time: each costs the guest some processes.  `what` may be a function
    that says it at the end."""
    end = time.monotonic() + seconds
    while True:
        began = time.monotonic()
        if result := condition():
            return result
        now = time.monotonic()
        assert now < end, f"not within {seconds} s: {what() if callable(what) else what}"
        time.sleep(max(0.1, 2 * (now - began)))


def module_files(image, wanted):
    """The files of kernel modules and of what they need, in the order to load them."""
    folder = next((image / "lib/modules").iterdir())
    needs = dict(line.split(":") for line in (folder / "modules.dep").read_text().splitlines())
    paths = {pathlib.Path(path).stem.replace("-", "_"): path for path in needs}
    order = []
    for name in wanted:
        order += [*reversed(needs[paths[name]].split()), paths[name]]
    return [folder / path for path in dict.fromkeys(order)]


def recipe(name):
    """A script of ours, for the guest's shell."""
    return shlex.quote(str(RECIPE / name))


class BoxGuest(Machine):
    """The machine, up, with nothing of a box yet."""
    patience = PATIENCE

    def __init__(self, folder, modules=(), disks=()):
        """`modules`: of the kernel, besides those it boots with.  `disks`: files; the first is vda."""
        need(["depmod"])
        image = kernel("pc")
        wanted = module_files(image, (*ROOT_MODULES, *modules))
        modules = {f"/modules/{number:02}.ko": path for number, path in enumerate(wanted)}
        initramfs = make_initramfs(folder, {"/init": RECIPE / "box_init", **modules}, ("sys", "host", "memory", "root"))
        options = ["-m", "768", "-fsdev", "local,id=host,path=/,security_model=none,readonly=on,multidevs=remap",
                   "-device", "virtio-9p-pci,fsdev=host,mount_tag=host"]
        for disk in disks:
            options += ["-drive", f"if=virtio,format=raw,file={disk}"]
        super().__init__(folder, "box", image, initramfs, options)
        self.shell("ip link set lo up; mkdir -p /lib/modules; "
                   f"mount --bind {shlex.quote(str(image / 'lib/modules'))} /lib/modules")

    def uptime(self):
        """Seconds since boot, by the guest's clock."""
        return float(self.shell("cut -d' ' -f1 /proc/uptime"))

    def write(self, path, text):
        escaped = text.replace("\\", "\\\\").replace("\n", "\\n")  # the console takes single lines
        self.shell(f"printf %b {shlex.quote(escaped)} >{path}")

    def spawn(self, name, command):
        """Begins a program; what it says goes into /run/NAME.out and .err, its exit status into .exit."""
        at = f"/run/{name}"
        self.shell(f"rm -f {at}.pid {at}.exit; {{ {command} >{at}.out 2>{at}.err & echo $! >{at}.pid; "
                   f"wait $!; echo $? >{at}.exit; }} 2>/dev/null & until [ -s {at}.pid ]; do sleep 0.02; done")

    def said(self, name):
        return self.shell(f"cat /run/{name}")

    def lives(self, name):
        return self.run(f"[ -s /run/{name}.pid ] && ! [ -s /run/{name}.exit ]")[0] == 0

    def kill(self, name):
        """Ends a program; its exit status."""
        self.shell(f"kill $(cat /run/{name}.pid)")
        wait_until(lambda: not self.lives(name), f"the end of {name}")
        return int(self.said(f"{name}.exit"))


@contextlib.contextmanager
def box_guest(folder):
    one = BoxGuest(folder)
    try:
        yield one
    finally:
        one.off()


# --- the neighbours ----------------------------------------------------------------------------

class Answer:
    def __init__(self, status, body):
        self.status, self.body = status, body

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.body[:300]}"


class Neighbour:
    """A network namespace in the guest; without a name that of the box itself."""

    def __init__(self, guest, name=None):
        self.guest, self.inside = guest, f"nsenter --net=/run/netns/{name} " if name else ""
        self.ip_command = f"ip -n {name} " if name else "ip "

    def shell(self, command):
        return self.guest.shell(self.inside + command)

    def run(self, command):
        return self.guest.run(self.inside + command)

    def ip(self, command):
        return self.guest.shell(self.ip_command + command)

    def pings(self, address):
        """True if there is an answer; at most two seconds."""
        return self.run(f"ping -q -c 1 -W 2 {address}")[0] == 0

    def fetch(self, url, *options):
        """What curl gets, whatever certificate; status 0: nothing, and why."""
        command = ["curl", "-sSk", "--max-time", "10", "-w", "\\n%{http_code}", *options, url]
        _, said = self.run(shlex.join(command))
        body, _, status = said.rpartition("\n")
        return Answer(int(status), body)

    def ask(self, box, address, path, method="GET", body=None):
        """The box's API, as its user."""
        options = ["-u", f"user:{box.login}", "-X", method]
        if body is not None:
            options += ["-H", "Content-Type: application/json", "-d", json.dumps(body)]
        return self.fetch(f"https://{address}{path}", *options)

    def voltages(self, address):
        """As a charger reads them over Modbus TCP: those of the three phases; None: no answer."""
        status, said = self.run(f"mbpoll -m tcp -a 1 -0 -r {VOLTAGE_REGISTER} -c 3 -t 4:float -1 {address}")
        return None if status else [float(value) for value in re.findall(r"\[\d+\]:\s+(\S+)", said)]


class Phone(Neighbour):
    def join(self, ssid, key):
        """Joins a network, and takes an address; what it is."""
        self.guest.write("/run/phone.conf", JOIN.format(ssid=ssid, key=key))
        self.guest.spawn("phone", self.inside + "wpa_supplicant -i wlan1 -D nl80211 -c /run/phone.conf")
        wait_until(lambda: self.is_in(ssid), lambda: f"the phone in {ssid}: {self.guest.said('phone.out')}")
        return self.take_address()

    def take_address(self):
        self.shell(f"busybox udhcpc -i wlan1 -q -n -f -t 10 -T 1 -s {recipe('leased')}")
        return self.address()

    def is_in(self, ssid):
        return "wpa_state=COMPLETED" in (said := self.run("wpa_cli -p /run/phone status")[1]) and f"\nssid={ssid}\n" in said

    def address(self):
        return json.loads(self.ip("-j -4 address show wlan1"))[0]["addr_info"][0]["local"]

    def leave(self):
        self.guest.kill("phone")
        self.ip("address flush dev wlan1")


class Router(Neighbour):
    """With a DHCP server, whose leases lie in /run/CARD.leases."""
    ADDRESS, CARD, DHCP_RANGE = "", "", ""

    def serve(self):
        self.ip(f"address replace {self.ADDRESS}/24 dev {self.CARD}")
        self.guest.spawn(f"{self.CARD}-dhcp", f"{self.inside}dnsmasq --keep-in-foreground --conf-file=/dev/null --port=0 "
                         f"--interface={self.CARD} --bind-interfaces --pid-file --dhcp-range={self.DHCP_RANGE},5m "
                         f"--dhcp-leasefile=/run/{self.CARD}.leases --dhcp-authoritative --log-facility=-")

    def end(self):
        self.guest.kill(f"{self.CARD}-dhcp")
        self.guest.shell(f"rm -f /run/{self.CARD}.leases")

    def address_of(self, host_name):
        """What it gave to this host name; None: nothing yet."""
        found = re.search(rf" (\S+) {host_name} ", self.guest.run(f"cat /run/{self.CARD}.leases")[1])
        return found and found.group(1)


class Home(Router):
    """The home's router; a charger is beside it."""
    SSID, KEY = "HomeNet", "home sweet home"
    ADDRESS, CARD, DHCP_RANGE = "192.168.1.1", "wlan2", "192.168.1.50,192.168.1.60"

    def on(self):
        self.guest.write("/run/home.conf", ROUTER.format(ssid=self.SSID, key=self.KEY))
        self.guest.spawn("home", self.inside + "hostapd /run/home.conf")
        wait_until(lambda: "AP-ENABLED" in self.guest.said("home.out"), lambda: f"hostapd: {self.guest.said('home.out')}")
        self.serve()

    def off(self):
        self.guest.kill("home")
        self.end()

    def arrivals(self):
        """How often somebody has joined since it was switched on."""
        return self.guest.said("home.out").count("AP-STA-CONNECTED")

    def stations(self):
        """The radio addresses of those who are in it."""
        return self.shell("hostapd_cli -p /run/hostapd -i wlan2 list_sta").splitlines()


class Lan(Router):
    """The other end of the box's cable: a switch with a DHCP server."""
    ADDRESS, CARD, DHCP_RANGE = "10.82.0.1", "lan0", "10.82.0.50,10.82.0.60"

    def plug(self):
        self.ip("link set lan0 up")
        self.serve()

    def pull(self):
        self.ip("link set lan0 down")
        self.end()


class Network:
    """The cards, up: see guest/network."""

    def __init__(self, guest):
        self.guest = guest
        self.phone, self.home, self.lan = Phone(guest, "phone"), Home(guest, "home"), Lan(guest, "lan")
        self.inside = Neighbour(guest)
        guest.shell(f"{recipe('network')} {shlex.quote(str(PACKAGING))}", 2 * PATIENCE)


# --- the front ---------------------------------------------------------------------------------

class Panel:
    """The button, light and pins: see guest/panel.py."""

    def __init__(self, guest):
        self.guest, self.heard = guest, ""
        guest.shell(f"modprobe -a {' '.join(PANEL_MODULES)}")
        guest.spawn("panel", f"/usr/bin/python3 -B {recipe('panel.py')} /run/panel")
        wait_until(lambda: guest.run("ls /dev/gpiochip0 /sys/class/leds/*:rgb:indicator /run/panel")[0] == 0, "the panel")
        self.light = guest.shell("basename /sys/class/leds/*:rgb:indicator").strip()
        name = guest.shell("grep -lx box-button /sys/class/input/event*/device/name")
        self.key = f"/dev/input/{name.split('/')[4]}"

    def say(self, *commands):
        """Commands of guest/panel.py; at what second since boot the last one was done."""
        before = len(self.told("did", commands[-1]))
        self.guest.shell(shlex.join(["printf", "%s\\n", *commands]) + " >/run/panel")
        return wait_until(lambda: self.told("did", commands[-1])[before:], commands[-1])[0][0]

    def tap(self):
        """Presses the key, and releases it."""
        self.say("key 1", f"later {TAP_S} key 0")

    def told(self, what, said=""):
        """What the hardware was made to do: (second since boot, words) each."""
        self.heard += self.guest.shell(f"tail -c +{len(self.heard) + 1} /run/panel.out")
        lines = [line.split(" ", 2) for line in self.heard.split("\n")[:-1]]
        return [(float(second), words) for second, about, words in lines if about == what and words.startswith(said)]

    def colors(self, what):
        """What a lamp showed, red, green and blue: (second it began, color) each.  Passing states, while the lines of one
        color after another are set, are left out."""
        seen = []
        for second, words in self.told(what):
            color = tuple(map(int, words.split() if what == "light" else words[:3]))
            if seen and second - seen[-1][0] < PASSING_S:
                seen.pop()
            if not seen or seen[-1][1] != color:
                seen.append((second, color))
        return seen

    def shows(self, what, *colors):
        """True if a lamp shows one color for some time, or two of them in turns, once a second."""
        seen, now = self.colors(what), self.guest.uptime()
        if len(colors) == 1:
            return bool(seen) and seen[-1][1] == colors[0] and now - seen[-1][0] > 2
        turns = seen[-5:]
        halves = [after - before for (before, _), (after, _) in zip(turns, turns[1:])]
        return (len(turns) == 5 and {color for _, color in turns} == set(colors) and
                all(0.3 < half < 0.8 for half in halves) and now - turns[-1][0] < 2)

    def wait_shows(self, what, *colors, seconds=PATIENCE):
        wait_until(lambda: self.shows(what, *colors), lambda: f"{colors} by the {what}: {self.colors(what)[-8:]}", seconds)


# --- the program -------------------------------------------------------------------------------

class Box:
    """`smart-connect run` in the guest, with doors at their usual ports."""
    count = 0

    def __init__(self, guest, *options):
        Box.count += 1
        self.guest, self.name = guest, f"box-{Box.count}"
        state = ["--state", f"/run/{self.name}.state"]
        guest.spawn(self.name, shlex.join([PROGRAM, "run", "--config", "/dev/null", "--serial", SERIAL, *state, *options]))
        wait_until(lambda: "ready " in guest.said(f"{self.name}.out") or not guest.lives(self.name), "the box")
        assert guest.lives(self.name), self.log()
        label = json.loads(guest.shell(shlex.join([PROGRAM, "label", "--json", *state])))
        self.ssid, self.key, self.login = label["ssid"], label["ap_key"], label["login"]

    def stop(self):
        status = self.guest.kill(self.name)
        assert status == 0 and not SANITIZER_COMPLAINT.search(self.log()), f"exit {status}: {self.log()}"

    def log(self):
        return self.guest.said(f"{self.name}.err")

    def logged(self, words):
        """At what seconds since boot it logged these words; waits for the first time."""
        lines = wait_until(lambda: [line for line in self.log().splitlines() if words in line], f"{words} in {self.name}")
        now, uptime = map(float, self.guest.shell("date +%s.%N; cut -d' ' -f1 /proc/uptime").split())
        return [datetime.datetime.fromisoformat(line.split()[0]).timestamp() - now + uptime for line in lines]
