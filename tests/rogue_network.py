"""Neighbours that are broken or hostile: who speaks mDNS on the link, a DHCP server.  Each is made of raw bytes, in the
network namespace of the thread that makes it."""
import contextlib
import socket
import struct
import threading

A, PTR, TXT, SRV, ANY = 1, 12, 16, 33, 255
INTERNET, FLUSH = 1, 0x8001  # classes; the second says that there are no other records of that name (RFC 6762, 10.2)
ANSWER = 0x8400  # flags of an mDNS answer, and of one by a name server that knows
GROUP, PORT = "224.0.0.251", 5353


# --- DNS messages ------------------------------------------------------------------------------

def name(text):
    return b"".join(bytes([len(label)]) + label.encode() for label in text.split(".") if label) + b"\0"


def question(owner, kind=A):
    return owner + struct.pack(">HH", kind, INTERNET)


def record(owner, kind, data, ttl=120, length=None):
    """`length`: what it says of its data, instead of the truth."""
    return owner + struct.pack(">HHIH", kind, FLUSH, ttl, len(data) if length is None else length) + data


def srv(port, target):
    return struct.pack(">HHH", 0, 0, port) + target


def message(questions=(), answers=(), flags=None, number=0, counts=None):
    """`counts`: what it says of its four parts, instead of the truth."""
    flags = ANSWER if flags is None and answers else flags or 0
    head = struct.pack(">HH4H", number, flags, *(counts or (len(questions), len(answers), 0, 0)))
    return head + b"".join([*questions, *answers])


def read_name(data, at):
    """A name of a good message, and where it ends."""
    labels, end = [], None
    while data[at]:
        if data[at] >= 0xC0:
            end = end or at + 2
            at = struct.unpack(">H", data[at:at + 2])[0] & 0x3FFF
        else:
            labels.append(data[at + 1:at + 1 + data[at]].decode())
            at += 1 + data[at]
    return ".".join(labels).lower(), end or at + 1


def records(data):
    """(name, type, time to live, data) of all records of a good message."""
    parts, at, found = struct.unpack(">4H", data[4:12]), 12, []
    for _ in range(parts[0]):
        at = read_name(data, at)[1] + 4
    for _ in range(sum(parts[1:])):
        owner, at = read_name(data, at)
        kind, _, ttl, length = struct.unpack(">HHIH", data[at:at + 10])
        found.append((owner, kind, ttl, data[at + 10:at + 10 + length]))
        at += 10 + length
    return found


# --- mDNS --------------------------------------------------------------------------------------

def loops(at):
    """Names at the at-th byte of a message that lead to themselves, or out of it."""
    here, behind = (struct.pack(">H", 0xC000 | place) for place in (at, at + 2))
    return [here, b"\x01a" + here, behind + here, b"\xff\xff", b"\xc0"]


# Names that are none, by where they stand.
BAD_NAMES = {
    "name-loop": loops,
    "name-256": lambda at: [4 * (b"\x3f" + 63 * b"a") + b"\0", 128 * b"\x01a" + b"\0", 200 * (b"\x3f" + 63 * b"a") + b"\0"],
    "label-64": lambda at: [b"\x40" + 64 * b"a" + b"\0", b"\x80" + 128 * b"a" + b"\0", b"\x3f" + 63 * b"a" + b"\x7f"],
}


def with_bad_names(bad, service):
    """Messages in which a name is bad: asked for, answered, in what is said of a good one, in what is known already."""
    good, at = name(service), 12
    said = [message([question(one, ANY)]) for one in bad(at)]
    said += [message([question(one, PTR), question(good, PTR)]) for one in bad(at)]
    said += [message(answers=[record(one, A, bytes(4)), record(one, PTR, one)]) for one in bad(at)]
    at += len(good) + 10
    said += [message(answers=[record(good, PTR, one)]) for one in bad(at)]
    said += [message(answers=[record(good, SRV, srv(80, one))]) for one in bad(at + 6)]
    at += len(good) + 4
    said += [message([question(good, PTR)], [record(good, PTR, one)], flags=0) for one in bad(at)]
    return said


def long_texts(instance):
    """TXT records of a service: as long as UDP can be, and longer than their message."""
    most = 250 * (b"\xff" + 255 * b"t")
    return [message(answers=[record(name(instance), TXT, most)]),
            message(answers=[record(name(instance), TXT, most[:1300], length=65535)]),
            message(answers=[record(name(instance), TXT, b"\xff" + 10 * b"t")]),
            message(answers=[record(name(instance), TXT, bytes(60000))])]


def lying_counts(service):
    all_of_them, good = 4 * (65535,), record(name("somebody.local"), A, bytes([10, 81, 0, 66]))
    return [message(counts=all_of_them), message([question(name(service), PTR)], counts=all_of_them),
            message(answers=[good], counts=(0, 65535, 0, 0)), message(answers=[good], counts=(65535, 0, 0, 0)),
            message([question(name(service), PTR)], counts=(0, 0, 0, 65535)), message(answers=[good])[:12],
            message()[:11], b"\0", b""]


class Speaker:
    """Somebody on the link who can say anything, from an address of this host, and from the port of mDNS or another."""

    def __init__(self, address, port=PORT, card_address=None):
        """`card_address`: of the card by which it goes out."""
        card = socket.inet_aton(card_address or address)
        self.address, self.door = address, socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for option, value in ((socket.IP_MULTICAST_IF, card), (socket.IP_MULTICAST_TTL, 255), (socket.IP_MULTICAST_LOOP, 0),
                              (socket.IP_ADD_MEMBERSHIP, socket.inet_aton(GROUP) + card)):
            self.door.setsockopt(socket.IPPROTO_IP, option, value)
        self.door.bind(("" if port == PORT else address, port))

    def say(self, data, to=GROUP):
        self.door.sendto(data, (to, PORT))

    def heard(self, seconds=0):
        """The records that others told since it was asked last; the first may take so long."""
        found = []
        with contextlib.suppress(socket.timeout, BlockingIOError):
            while True:
                self.door.settimeout(seconds)
                data, (source, _) = self.door.recvfrom(9000)
                if source != self.address:
                    found += records(data)
                    seconds = 0
        return found

    def close(self):
        self.door.close()


def ask(address, owner, kind=A, seconds=2):
    """What is answered to a question that wants its answer back (RFC 6762, 6.7): the data of the records."""
    one = Speaker(address, 0)
    try:
        one.say(message([question(name(owner), kind)], number=7))
        return [data for said, k, ttl, data in one.heard(seconds) if (said, k) == (owner.lower(), kind) and ttl]
    finally:
        one.close()


def end(door):
    """Of a server; who waits for more wakes up."""
    with contextlib.suppress(OSError):
        door.shutdown(socket.SHUT_RDWR)
    door.close()


# --- DHCP --------------------------------------------------------------------------------------

DISCOVER, OFFER, REQUEST, ACK, NAK = 1, 2, 3, 5, 6
MASK, ROUTER, LEASE_S, KIND, SERVER_ID, CLIENT_ID = 1, 3, 51, 53, 54, 61
COOKIE = b"\x63\x82\x53\x63"


def options(**changes):
    """Those of a good lease, but for the changes (by number, "_51"): another value, or None for none."""
    good = {MASK: bytes([255, 255, 255, 0]), ROUTER: bytes([10, 81, 0, 1]), LEASE_S: struct.pack(">I", 120),
            SERVER_ID: bytes([10, 81, 0, 1])}
    good |= {int(number[1:]): value for number, value in changes.items()}
    return b"".join(bytes([number, len(value)]) + value for number, value in good.items() if value is not None)


class Dhcp:
    """A DHCP server that offers one address.  `answers`: kind of request to (kind, options); whoever is not in it gets no
    answer."""

    def __init__(self, server, offered):
        self.server, self.offered, self.answers, self.asked = server, offered, {}, []
        self.door = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.door.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        self.door.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth0")
        self.door.bind(("", 67))
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        with contextlib.suppress(OSError):  # closed
            while request := self.door.recv(1500):
                at = request.find(bytes([KIND, 1]), 240)
                if request[236:240] == COOKIE and at > 0:
                    self.answer(request, request[at + 2])

    def answer(self, request, kind):
        self.asked.append(kind)
        if kind in self.answers:
            said, more = self.answers[kind]
            # op, hardware, hops; transaction; seconds, flags: broadcast; addresses; the client's hardware address
            head = bytes([2, 1, 6, 0]) + request[4:8] + b"\0\0\x80\0" + bytes(4)
            yours = bytes(4) if said == NAK else socket.inet_aton(self.offered)
            body = head + yours + socket.inet_aton(self.server) + bytes(4) + request[28:44] + bytes(192) + COOKIE
            self.door.sendto(body + bytes([KIND, 1, said]) + more, ("255.255.255.255", 68))

    def close(self):
        end(self.door)
