"""A broker that does what a test tells it, bytes and all: plain or with TLS, MQTT 5 or 3.1.1.

    rogue = Rogue()
    rogue.plan = Plan(version=4, answers={PUBLISH: lambda peer, p: b""})
    peer = rogue.next_peer()
    peer.wait(PUBLISH, lambda p: p.topic.endswith("/status"))
    peer.send(publish("a/b", b"text"))

Without a plan it behaves.  Nothing here is shared with a real MQTT implementation: what is malformed can be sent.
"""
import contextlib
import socket
import ssl
import struct
import subprocess
import threading
import time

from harness import DEADLINE, wait_until

CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBSCRIBE, SUBACK = 1, 2, 3, 4, 5, 6, 7, 8, 9
PINGREQ, PINGRESP, DISCONNECT, AUTH = 12, 13, 14, 15
V311, V5 = 4, 5


# --- packets -----------------------------------------------------------------------------------

def variable(n):
    """A variable byte integer."""
    data = b""
    while True:
        n, low = n >> 7, n & 0x7F
        data += bytes([low | (0x80 if n else 0)])
        if not n:
            return data


def packet(kind, body=b"", flags=0, length=None):
    """`length`: what the header says, if it is to lie."""
    return bytes([kind << 4 | flags]) + variable(len(body) if length is None else length) + body


def text(value):
    data = value if isinstance(value, bytes) else value.encode()
    return struct.pack(">H", len(data)) + data


def properties(version, data=b"", length=None):
    """As version 5 has them, in front of a payload; 3.1.1 has none."""
    return variable(len(data) if length is None else length) + data if version == V5 else b""


def connack(version, reason=0, props=b"", flags=0):
    return packet(CONNACK, bytes([flags, reason]) + properties(version, props))


def publish(version, topic, payload=b"", qos=0, number=1, retain=False, dup=False, props=b""):
    body = text(topic) + (struct.pack(">H", number) if qos else b"") + properties(version, props) + payload
    return packet(PUBLISH, body, dup << 3 | qos << 1 | retain)


def numbered(kind, number, more=b"", flags=0):
    """PUBACK and its like."""
    return packet(kind, struct.pack(">H", number) + more, flags)


def suback(version, number, codes=b"\x01"):
    return numbered(SUBACK, number, properties(version) + codes)


class Packet:
    """One that came from the gateway."""

    def __init__(self, version, first, body):
        self.kind, self.flags, self.body, self.at = first >> 4, first & 15, body, time.monotonic()
        self.number = self.topic = self.payload = None
        if self.kind == PUBLISH:
            self.read_publish(version)
        elif self.kind in (PUBACK, PUBREC, PUBREL, PUBCOMP, SUBSCRIBE):
            self.number = struct.unpack(">H", body[:2])[0]

    def read_publish(self, version):
        self.qos, self.retain = self.flags >> 1 & 3, self.flags & 1
        n = struct.unpack(">H", self.body[:2])[0]
        self.topic, rest = self.body[2:2 + n].decode(), self.body[2 + n:]
        if self.qos:
            self.number, rest = struct.unpack(">H", rest[:2])[0], rest[2:]
        if version == V5:
            assert rest[0] < 128
            rest = rest[1 + rest[0]:]
        self.payload = rest

    def __repr__(self):
        return f"{self.kind}:{self.topic or ''} {(self.payload or self.body)[:60]}"


# --- behaviour ---------------------------------------------------------------------------------

GOOD = {
    PUBLISH: lambda peer, p: numbered(PUBACK, p.number) if p.qos else b"",
    SUBSCRIBE: lambda peer, p: suback(peer.version, p.number),
    PINGREQ: lambda peer, p: packet(PINGRESP),
}


class Plan:
    """What to do with a connection.  version: what it speaks; MQTT 5 is refused to the one who wants it otherwise.
    connack: bytes, or function of the peer that gives them.  props: of the usual one, in version 5.  answers: kind of packet to function of peer and packet.
    cut: function that gives the pieces in which bytes are sent.  context: of TLS, instead of the broker's own."""

    def __init__(self, version=V5, connack=None, props=b"", answers=None, cut=lambda data: [data], context=None,
                 reads=True):
        self.version, self.connack, self.props = version, connack, props
        self.cut, self.context, self.reads = cut, context, reads
        self.answers = {**GOOD, **(answers or {})}


class Peer(threading.Thread):
    """One connection of the gateway."""

    def __init__(self, connection, plan):
        super().__init__(daemon=True)
        self.socket, self.plan, self.version = connection, plan, None
        self.packets, self.closed, self.sent, self.error, self.at = [], False, 0, None, time.monotonic()
        self.lock = threading.Lock()
        self.connected = threading.Event()  # its CONNECT was answered
        self.start()

    def receive(self, n):
        data = b""
        while len(data) < n:
            more = self.socket.recv(n - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    def read_packet(self):
        first, length, shift = self.receive(1)[0], 0, 0
        while True:
            byte = self.receive(1)[0]
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return Packet(self.version, first, self.receive(length))

    def greet(self):
        """False: another version was wanted."""
        p = self.read_packet()
        self.version = p.body[6]
        self.packets.append(p)
        if self.plan.version == V311 and self.version == V5:
            self.send(connack(V5, 0x84))
            return False
        answer = self.plan.connack
        if answer is None:
            answer = connack(self.version, props=self.plan.props if self.version == V5 else b"")
        self.send(answer(self) if callable(answer) else answer)
        self.connected.set()
        return True

    def run(self):
        try:
            if self.plan.context:
                self.socket = self.plan.context.wrap_socket(self.socket, server_side=True)
                self.socket.settimeout(None)
            going = self.greet()
            while going and self.plan.reads:
                p = self.read_packet()
                self.packets.append(p)
                self.send(self.plan.answers.get(p.kind, lambda peer, p: b"")(self, p))
            if going:
                return
        except (OSError, EOFError) as e:  # ssl.SSLError, too
            self.error = e
        self.close()

    def send(self, data):
        """False: the gateway has left."""
        with self.lock:
            try:
                for piece in self.plan.cut(data) if data else []:
                    self.socket.sendall(piece)
                    self.sent += len(piece)
                return True
            except OSError:
                return False

    def close(self):
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(OSError):
            self.socket.close()
        self.closed = True

    def of(self, kind, accept=lambda p: True):
        return [p for p in self.packets if p.kind == kind and accept(p)]

    def wait(self, kind, accept=lambda p: True, seconds=DEADLINE):
        """The first packet that is accepted."""
        wait_until(lambda: self.of(kind, accept) or self.closed, f"{kind} in {self.packets[-5:]}", seconds)
        found = self.of(kind, accept)
        assert found, f"closed ({self.error!r}) without {kind}: {self.packets[-5:]}"
        return found[0]

    def wait_closed(self, seconds=DEADLINE):
        wait_until(lambda: self.closed, f"the end of the connection after {self.packets[-5:]}", seconds)


class Rogue:
    """Listens, and gives each connection the plan of the moment."""

    def __init__(self, context=None):
        self.context, self.plan, self.peers, self.taken = context, Plan(), [], 0
        self.listening = socket.create_server(("127.0.0.1", 0), backlog=50)
        self.port = self.listening.getsockname()[1]
        self.url = f"{'mqtts://localhost' if context else 'mqtt://127.0.0.1'}:{self.port}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection = self.listening.accept()[0]
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                plan = self.plan
                plan.context = plan.context or self.context
                self.peers.append(Peer(connection, plan))

    def next_peer(self, seconds=DEADLINE):
        """The next connection whose CONNECT was answered by the plan."""
        def look():
            while self.taken < len(self.peers):
                peer = self.peers[self.taken]
                if peer.connected.is_set():
                    self.taken += 1
                    return peer
                if not peer.closed:
                    return None
                self.taken += 1
            return None
        return wait_until(look, "a connection of the gateway", seconds)

    def skip(self):
        """What came so far is of no interest."""
        self.taken = len(self.peers)

    def close(self):
        with contextlib.suppress(OSError):
            self.listening.shutdown(socket.SHUT_RDWR)
        self.listening.close()
        for peer in self.peers:
            peer.close()


# --- certificates ------------------------------------------------------------------------------

def openssl(*words):
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)


def make_ca(folder, name):
    """Makes NAME.pem and NAME.key."""
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", 30, "-subj",
            f"/CN=Rogue test {name}", "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem")
    return folder / f"{name}.pem"


def server_context(folder, ca, name="localhost", past=False):
    """The TLS context of a broker with a certificate of this CA; past: that has expired."""
    base = folder / f"{ca.stem}-{name}{'-past' * past}"
    key, request, certificate = base.with_suffix(".key"), base.with_suffix(".csr"), base.with_suffix(".pem")
    extensions = base.with_suffix(".ext")
    extensions.write_text(f"subjectAltName=DNS:{name}\n")
    openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
            "-keyout", key, "-out", request)
    openssl("x509", "-req", "-in", request, "-CA", ca, "-CAkey", ca.with_suffix(".key"), "-set_serial",
            time.time_ns(), "-extfile", extensions, "-out", certificate, "-days", -1 if past else 30)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context
