"""Bad inputs from the network itself: on the link somebody speaks broken mDNS or takes the box's names, the DHCP server or the
name server is broken or hostile.  Avahi, NetworkManager and the C library read these bytes; shown is what becomes of the box:
its doors on another card go on in time, it takes next to no processor, its status is true, and it finds back.

One household in namespaces: the box between a router, where the hostile are, and a charger at its second card.
"""
import contextlib
import socket
import time

import pytest

from bad_inputs import bad_input, named
from box_kit import Machine, Page, Place, cable, obstacle
from box_network_test import House, wait_state, write_profile
from harness import DATA, FORK, SERIAL, Broker, Charger, wait_until
from name_server import NameServer, asks_at
from rogue_network import (A, ACK, ANY, BAD_NAMES, DISCOVER, NAK, OFFER, PTR, REQUEST, SRV, TXT, Dhcp, Speaker, ask, long_texts,
                           lying_counts, message, name, options, question, record, srv, with_bad_names)

OBSTACLE = obstacle("NetworkManager", "nmcli", "dbus-daemon", "avahi-daemon", "curl")
pytestmark = pytest.mark.skipif(OBSTACLE is not None, reason=str(OBSTACLE))

ROUTER, LEASED, ABROAD = "10.81.0.1", "10.81.0.77", "203.0.113.7"
OTHER_CARD, CHARGER = "192.0.2.9", "192.0.2.1"
SHARED, OWN = "smart-connect.local", f"smart-connect-{SERIAL.lower()}.local"
TYPE = "_modbus._tcp.local"
INSTANCE = f"Smart Connect {SERIAL}.{TYPE}"
BUSY, LATE_S = 0.05, 0.1
SOON_S = 1.5  # what an answer of a DHCP server leads to at once has happened by then
GOOD = options() + b"\xff"


def answers(offer, acknowledgement=None, kind=ACK):
    return {DISCOVER: (OFFER, offer), REQUEST: (kind, offer if acknowledgement is None else acknowledgement)}


class Home:
    """The household, with everything in order."""

    def __init__(self, folder, stack):
        house = House(folder, stack)
        telegram = DATA / "p1" / "dsmr50_three_phase.txt"
        self.box = house.box("box", "--stale-after", "3600", dhcp=False, meter=f"file:{telegram}?speed=max")
        self.lab = house.machine(Machine, "lab")
        cable(self.box, self.lab, "eth1")
        self.lab.ip("address", "add", f"{CHARGER}/24", "dev", "eth0")
        self.lab.ip("link", "set", "eth0", "up")
        self.box.router.ip("address", "add", f"{ABROAD}/32", "dev", "lo")
        write_profile(self.box, "lab", "eth1", 0, f"method=manual\naddress1={OTHER_CARD}/24")
        with self.box.router.inside():
            self.dhcp = Dhcp(ROUTER, LEASED)
        stack.callback(self.dhcp.close)
        self.dhcp.answers = answers(GOOD)
        self.box.power_on(avahi=True)
        self.server = self.box.server
        self.page = Page(self.lab, OTHER_CARD, self.box.login())
        with self.lab.inside():
            self.charger = Charger(self.server, host=OTHER_CARD)
        stack.callback(self.charger.close)
        self.wait_names(SHARED, OWN)

    def wait_names(self, *names):
        wait_until(lambda: self.page.network()["LocalNames"] == list(names), f"the names {names}", 60)

    def connect_anew(self):
        """It asks for its address again."""
        self.dhcp.asked.clear()
        assert self.page.ask("POST", "/api/v1/reset", {}).status == 202
        wait_until(lambda: self.dhcp.asked, "DHCP")

    def find_back(self):
        self.dhcp.answers = answers(GOOD)
        self.connect_anew()
        wait_until(lambda: self.leased() == [f"{LEASED}/24"], "an address", 30)
        assert wait_state(self.page, "connected")["Card"]["Addresses"] == [f"{LEASED}/24"]

    def leased(self):
        """The addresses that are not of its own making."""
        return [one for one in self.box.addresses() if not one.startswith("169.254.")]

    def tells_the_truth(self):
        """Of the card's addresses, and of what they mean."""
        network = self.page.network()
        return (network["Card"]["Addresses"] == self.box.addresses() and
                (network["State"] == "connected") == bool(self.leased()) and network)

    def assert_found(self):
        """Whoever asks is told the right names and services."""
        address = socket.inet_aton(LEASED)
        with self.box.router.inside():
            for owner in (SHARED, OWN):
                wait_until(lambda: ask(ROUTER, owner) == [address], f"{owner} at {LEASED} alone")
            assert ask(ROUTER, INSTANCE, SRV)[0].startswith(srv(502, b""))
            assert b"map=PhoenixContact-EMPro" in ask(ROUTER, INSTANCE, TXT)[0] and ask(ROUTER, TYPE, PTR)


@contextlib.contextmanager
def little_of_the_processor(process, seconds=0.0):
    """It uses next to nothing of the time that this takes, or of as many seconds more."""
    used, began = process.cpu_seconds(), time.monotonic()
    yield
    time.sleep(seconds)
    took = time.monotonic() - began
    print(f"{100 * (process.cpu_seconds() - used) / took:.1f} % of {took:.1f} s")
    assert process.cpu_seconds() - used < BUSY * max(took, 1), f"{process.cpu_seconds() - used} of {took} s"


@pytest.fixture(name="whole_home", scope="module")
def fixture_whole_home(tmp_path_factory):
    with contextlib.ExitStack() as stack:
        yield Home(tmp_path_factory.mktemp("home"), stack)


@pytest.fixture(name="home")
def fixture_home(whole_home):
    whole_home.charger.forget()
    with little_of_the_processor(whole_home.server):
        yield whole_home
        whole_home.charger.check(LATE_S)
    assert whole_home.server.running()


@pytest.fixture(name="speaker")
def fixture_speaker(home):
    """Somebody at the router; afterwards the box has its names, and Avahi has come to rest."""
    with home.box.router.inside():
        one = Speaker(ROUTER)
    yield one
    one.close()
    home.assert_found()
    with little_of_the_processor(home.box.avahi, 0.5):
        assert home.box.avahi.running()


# --- mDNS --------------------------------------------------------------------------------------

BROKEN = {
    **{what: with_bad_names(bad, TYPE) for what, bad in BAD_NAMES.items()},
    "txt-64KiB": long_texts(f"Somebody.{TYPE}"),
    "count-lie": lying_counts(TYPE),
}


@pytest.mark.parametrize("what", named("H", BROKEN))
def test_broken_packets(home, speaker, what):
    for data in 3 * BROKEN[what]:
        speaker.say(data)
        speaker.say(data, LEASED)
    assert home.page.network()["LocalNames"] == [SHARED, OWN]


@bad_input("H", "off-link-source")
def test_who_is_not_on_the_link_gets_no_answer(home, speaker):
    """Which would go to whoever has that address.  What was said to the group comes from the link, whoever is said to have
    sent it (RFC 6762, 11)."""
    assert speaker
    with home.box.router.inside():
        stranger, guest = Speaker(ABROAD, 4444, ROUTER), Speaker(ROUTER, 4444)
    for data in (message([question(name(SHARED))]), message([question(name(TYPE), PTR)]), message([question(name(OWN), ANY)])):
        stranger.say(data, LEASED)
        assert stranger.heard(0.3) == []
        guest.say(data, LEASED)
        assert guest.heard(2), "who is on the link gets one"
    stranger.close()
    guest.close()


def claim(speaker, names, seconds):
    """Says for so long that these are another's."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        speaker.say(message(answers=[record(name(one), A, socket.inet_aton("10.81.0.66")) for one in names]))
        time.sleep(0.05)


@bad_input("H", "own-name-conflict")
def test_who_takes_the_names_has_them(home, speaker):
    """It is said, once; and the box asks for them again."""
    lines = len(home.server.log(""))
    claim(speaker, [SHARED], 2)
    home.wait_names(OWN)
    assert home.server.log(f"mdns: {SHARED} is another box; this one is {OWN}")
    claim(speaker, [SHARED, OWN], 2)
    home.wait_names()
    assert home.server.log(f"mdns: {OWN} is another box: do two have one serial number")
    assert len(home.server.log("")) - lines < 6
    home.box.ip("address", "add", "10.81.0.88/24", "dev", "eth0")  # or a minute
    home.wait_names(SHARED, OWN)
    home.box.ip("address", "del", "10.81.0.88/24", "dev", "eth0")
    home.wait_names(SHARED, OWN)


@bad_input("H", "goodbye-flood")
def test_who_says_goodbye_for_the_box_is_contradicted(home, speaker):
    address = socket.inet_aton(LEASED)
    gone = message(answers=[record(name(SHARED), A, address, 0), record(name(OWN), A, address, 0),
                            record(name(TYPE), PTR, name(INSTANCE), 0), record(name(INSTANCE), SRV, srv(502, name(OWN)), 0),
                            record(name(INSTANCE), TXT, b"\0", 0)])
    speaker.heard()
    for _ in range(2000):
        speaker.say(gone)
    said = wait_until(lambda: [one for one in speaker.heard(1) if one[0] in (SHARED, OWN) and one[2]], "its word")
    assert {(kind, data) for _, kind, _, data in said if kind == A} == {(A, address)}
    assert home.page.network()["LocalNames"] == [SHARED, OWN]


def flood(speaker, data, per_s, seconds):
    began, sent = time.monotonic(), 0
    while sent < per_s * seconds:
        if sent < (time.monotonic() - began) * per_s:
            speaker.say(data[sent % len(data)])
            sent += 1
        else:
            time.sleep(0.001)
    print(f"{sent / (time.monotonic() - began):.0f} questions a second")


@bad_input("H", "query-flood-10k/s")
def test_a_flood_of_questions(home, speaker):
    questions = [message([question(name(owner), kind)]) for owner in (SHARED, OWN, TYPE, INSTANCE, "nobody.local")
                 for kind in (A, PTR, ANY)]
    used, began = home.box.avahi.cpu_seconds(), time.monotonic()
    process = FORK.Process(target=flood, args=(speaker, questions, 10000, 3))
    process.start()
    process.join()
    assert process.exitcode == 0
    print(f"Avahi: {home.box.avahi.cpu_seconds() - used:.2f} of {time.monotonic() - began:.1f} s")


# --- DHCP --------------------------------------------------------------------------------------

# What the server answers; and whether an address comes of it: True, False, or None for as the client likes.
LEASES = {
    "dhcp-client-id-255": [(answers(options(_61=255 * b"\xff") + b"\xff"), False),
                           (answers(options(_12=255 * b"x", _15=255 * b"y") + b"\xff"), None)],
    "dhcp-option-overrun": [(answers(GOOD[:-1] + bytes([12, 200]) + b"short"), None),
                            (answers(GOOD, options(_51=None) + bytes([51, 200, 0, 0])), None),
                            (answers(GOOD, options(_54=None) + b"\x36"), False)],
    "dhcp-offer-bad-mask": [(answers(options(_1=mask) + b"\xff"), None)
                            for mask in (b"\xff\0\xff\0", b"\0\0\0\0", b"\xff\xff\xff\xff", b"\xff", None)],
    "dhcp-lease-0": [(answers(options(_51=bytes(4)) + b"\xff"), False)],
    "dhcp-nak-loop": [(answers(GOOD, options() + b"\xff", NAK), False)],
}


@pytest.mark.parametrize("what", named("H", LEASES))
def test_a_dhcp_server_that_makes_no_sense(home, what):
    for said, address in LEASES[what]:
        home.dhcp.answers = said
        home.connect_anew()
        end = time.monotonic() + SOON_S
        wait_until(lambda: home.leased() or time.monotonic() > end, "what NetworkManager makes of it")
        network = wait_until(home.tells_the_truth, "the truth", 10)
        print(what, network["State"], network["Card"]["Addresses"], len(home.dhcp.asked))
        assert address is None or bool(home.leased()) == address
    home.find_back()


# --- DNS ---------------------------------------------------------------------------------------

NAME = "broker.example"


@pytest.fixture(name="name_server")
def fixture_name_server():
    """In a namespace where the test is as well."""
    place = Place("names")
    with place.inside():
        one = NameServer("127.7.7.7")
        yield one
        one.close()
    place.close()


@pytest.fixture(name="asking")
def fixture_asking(name_server, gateway, tmp_path):
    """asking(PORT): a gateway whose broker has a name, and its page's user; a charger polls it meanwhile."""
    made = []

    def start(port):
        server = gateway("sim:dsmr50", "--mqtt", f"mqtt://{NAME}:{port}", prefix=asks_at(tmp_path, name_server.at, "options timeout:1 attempts:1"))
        made.append((server, Charger(server.wait_served())))
        return server
    yield start
    for server, charger in made:
        charger.check(LATE_S)
        charger.close()
        assert server.running()


# What a name server says of where the broker is, as attributes of NameServer, and how that ends.  4000 bytes are more
# than it may say at once.
LONG = {"addresses": ["127.0.0.1"] * 248}
LIES = {
    "dns-answer-0.0.0.0": ({"addresses": ["0.0.0.0"]}, "Connection refused; trying again"),
    "dns-answer-4000-bytes": (LONG | {"spoil": lambda answer: answer.ljust(4000, b"\0")}, "connected to"),
    "4000 bytes, and cut": (LONG | {"spoil": lambda answer: answer.ljust(4000, b"\0")[:3990]}, "Lookup error; trying again"),
}


@pytest.mark.parametrize("what", named("H", LIES))
def test_a_name_server_that_lies(name_server, asking, tmp_path, what):
    """Once it tells the truth, the broker is found."""
    lies, comes_of_it = LIES[what]
    vars(name_server).update(lies)
    broker = Broker(tmp_path)
    if comes_of_it != "connected to":
        broker.stop()
    server = asking(broker.port)
    with little_of_the_processor(server):
        server.wait_log(f"mqtt: .*{comes_of_it}")
        name_server.addresses, name_server.spoil = ["127.0.0.1"], bytes
        if not broker.process.running():
            assert broker.start()
        server.wait_log("mqtt: connected to")
    broker.stop()
