"""A strict HTTPS client for the system tests: it takes nothing but well-formed answers, and sends whatever it is told.

    server, login = serve(gateway, tmp_path)
    with Https(server, login) as user:
        answer = user.request("GET", "/api/v1/config")
        answers = user.raw(b"GET / HTTP/1.1\\nHost: x\\n\\n")

The device's certificate is its own, so nothing is verified.
"""
import base64
import json
import re
import socket
import ssl
import time

from harness import DEADLINE, run

USER = "user"
STATUS_LINE = re.compile(rb"HTTP/1\.1 ([1-5]\d\d) [ -~]*")
FIELD_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t -~\x80-\xff]*)")


def serve(start, folder, *options, meter="sim:dsmr50", listen="127.0.0.1:0", **how):
    """A gateway with both HTTP doors, started by `start` (the fixture, or harness.Gateway with its first argument
    bound), and its login.  Its state lies in `folder`."""
    state = folder / "state"
    server = start(meter, "--state", str(state), "--http", listen, "--https", listen, *options, **how)
    return server, login_of(state)


def login_of(state):
    return json.loads(run("label", "--state", str(state), "--json").stdout)["login"]


def door(server, name="https"):
    """The port of a door, from the ready line."""
    return int(re.search(rf" {name}=\S*:(\d+)\b", server.stdout()).group(1))


def basic(login, user=USER):
    """The Authorization field's value."""
    return "Basic " + base64.b64encode(f"{user}:{login}".encode()).decode()


def tls_context(**settings):
    """A context that takes any certificate; settings are attributes: maximum_version=ssl.TLSVersion.TLSv1_2."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    for name, value in settings.items():
        setattr(context, name, value)
    return context


CONTEXT = tls_context()


def client_hello():
    """The first bytes of a TLS client."""
    outgoing = ssl.MemoryBIO()
    try:
        CONTEXT.wrap_bio(ssl.MemoryBIO(), outgoing).do_handshake()
    except ssl.SSLWantReadError:
        return outgoing.read()


class Malformed(Exception):
    """The server's answer is not HTTP/1.1 as it should be."""


class Closed(Exception):
    """The server closed or reset the connection before the answer was complete."""


class Answer:
    def __init__(self, status, fields):
        self.status, self.fields, self.body = status, fields, b""

    def __getitem__(self, name):
        """The value of a field; None: it is not there.  Twice: malformed."""
        found = [value for n, value in self.fields if n.lower() == name.lower()]
        if len(found) > 1:
            raise Malformed(f"{name} twice: {found}")
        return found[0] if found else None

    def json(self):
        return json.loads(self.body)

    def pointers(self):
        """The fields a problem names."""
        return [error["pointer"] for error in self.json().get("errors", [])]

    def __repr__(self):
        return f"{self.status} {self.fields} {self.body[:300]}"


class Connection:
    """One connection to a door.  Reads answers one by one."""

    def __init__(self, server, source=None, tls=True, receive_buffer=None, seconds=DEADLINE, context=CONTEXT,
                 session=None, target="127.0.0.1"):
        self.buffer, self.ended = b"", False
        self.socket = socket.socket(socket.AF_INET6 if ":" in target else socket.AF_INET)
        self.socket.settimeout(seconds)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            if source:
                self.socket.bind((source, 0))
            self.socket.connect((target, door(server, "https" if tls else "http")))
            if tls:
                self.socket = context.wrap_socket(self.socket, session=session)
        except (ConnectionError, ssl.SSLError, socket.timeout) as e:
            self.socket.close()
            if isinstance(e, socket.timeout):
                raise
            raise Closed from e

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    close = __exit__

    def send(self, data):
        """False: the server takes no more (but may have answered)."""
        try:
            self.socket.sendall(data)
            return True
        except (ConnectionError, ssl.SSLError):
            return False

    def half_close(self):
        """Ends the TCP stream without a word in TLS."""
        socket.socket.shutdown(self.socket, socket.SHUT_WR)

    def more(self):
        """Reads on; False at the end."""
        try:
            data = self.socket.recv(65536)
        except (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError):
            data = b""
        self.buffer += data
        self.ended = not data
        return not self.ended

    def take(self, n):
        while len(self.buffer) < n:
            if not self.more():
                raise Closed(f"{self.buffer[:200]}")
        data, self.buffer = self.buffer[:n], self.buffer[n:]
        return data

    def line(self):
        while b"\n" not in self.buffer:
            if not self.more():
                raise Closed(f"{self.buffer[:200]}")
        end = self.buffer.index(b"\n") + 1
        line = self.take(end)
        if line[-2:] != b"\r\n" or b"\r" in line[:-2]:
            raise Malformed(f"line end of {line}")
        return line[:-2]

    def head(self):
        status = STATUS_LINE.fullmatch(line := self.line())
        if not status:
            raise Malformed(f"status line {line}")
        fields = []
        while line := self.line():
            field = FIELD_LINE.fullmatch(line)
            if not field:
                raise Malformed(f"field {line}")
            fields.append((field.group(1).decode(), field.group(2).decode("latin1").rstrip(" \t")))
        return Answer(int(status.group(1)), fields)

    def chunk(self):
        """The next chunk of a body; empty at its end."""
        size = self.line()
        if not re.fullmatch(rb"[0-9a-fA-F]{1,8}", size):
            raise Malformed(f"chunk size {size}")
        data = self.take(int(size, 16))
        if self.line():
            raise Malformed("chunk end, or a trailer")
        return data

    def answer(self, method="GET"):
        """The next answer with its body.  1xx are answers, too."""
        answer = self.head()
        length, coding = answer["Content-Length"], answer["Transfer-Encoding"]
        if coding is not None and (coding != "chunked" or length is not None):
            raise Malformed(f"framing {answer}")
        if method == "HEAD" or answer.status < 200 or answer.status in (204, 304):
            return answer
        if coding:
            while data := self.chunk():
                answer.body += data
        elif length is not None and re.fullmatch(r"\d{1,9}", length):
            answer.body = self.take(int(length))
        else:
            raise Malformed(f"framing {answer}")
        return answer

    def is_closed(self, seconds=2):
        """True if the server closes within this time; what it sends before is kept in `buffer`."""
        end = time.monotonic() + seconds
        while not self.ended:
            self.socket.settimeout(max(0.001, end - time.monotonic()))
            try:
                self.more()
            except socket.timeout:
                break
        self.socket.settimeout(DEADLINE)
        return self.ended


class Https:
    """A user: keeps a connection, logs in with each request."""

    def __init__(self, server, login=None, source=None, **how):
        self.server, self.login, self.source, self.how = server, login, source, how
        self.connection = None

    def __enter__(self):
        return self

    def close(self, *_):
        if self.connection:
            self.connection.close()
        self.connection = None

    __exit__ = close

    def connect(self, **how):
        return Connection(self.server, self.source, **{**self.how, **how})

    def head(self, method, path, headers=None, length=None):
        """The bytes of a request up to its body.  headers: None as a value leaves a field out."""
        target = self.how.get("target", "127.0.0.1")
        fields = {"Host": f"[{target}]" if ":" in target else target,
                  "Authorization": basic(self.login) if self.login else None}
        if length is not None:
            fields["Content-Length"] = length
        fields.update(headers or {})
        lines = [f"{name}: {value}" for name, value in fields.items() if value is not None]
        return "\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", ""]).encode("latin1")

    def request(self, method, path, body=None, headers=None):
        """Sends a request and returns the final answer.  A body that is no bytes is sent as JSON."""
        headers = dict(headers or {})
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        if body is not None:
            headers.setdefault("Content-Type", "application/json")
        data = self.head(method, path, headers, len(body) if body is not None else None) + (body or b"")
        reused = self.connection is not None
        try:
            return self.exchange(method, data)
        except Closed:
            if not reused:
                raise
            return self.exchange(method, data)  # it had ended meanwhile

    def exchange(self, method, data):
        if not self.connection:
            self.connection = self.connect()
        try:
            self.connection.send(data)
            answer = self.connection.answer(method)
            while answer.status < 200:
                answer = self.connection.answer(method)
        except Exception:
            self.close()
            raise
        if (answer["Connection"] or "").lower() == "close":
            self.close()
        return answer

    def get(self, path, **headers):
        return self.request("GET", path, headers=headers)

    def raw(self, *pieces, half_close=False, **how):
        """Sends bytes on a connection of its own, each piece as one record, and reads what comes back."""
        with self.connect(**how) as connection:
            for piece in pieces:
                if not connection.send(piece):
                    break
            if half_close:
                connection.half_close()
            return Reaction(connection)


class Reaction:
    """What a server did with bytes: its answers, in order; then it closed, or keeps the connection open."""

    def __init__(self, connection, patience=0.25):
        """`patience`: seconds to wait for an end that no answer announced."""
        self.answers, self.rest = [], b""
        closing = False
        try:
            while not closing:
                connection.socket.settimeout(patience if self.answers else DEADLINE)
                self.answers.append(connection.answer())
                closing = (self.answers[-1]["Connection"] or "").lower() == "close"
            self.closed = connection.is_closed()
        except Closed:
            self.closed = True
        except socket.timeout:
            self.closed = False
        self.rest = connection.buffer

    @property
    def statuses(self):
        return [a.status for a in self.answers]

    def __repr__(self):
        return f"{self.answers}{' closed' * self.closed}{f' and {self.rest[:200]}' * bool(self.rest)}"
