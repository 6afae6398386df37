"""The downloader of updates, smart-connect-fetch, as systemd runs it: a socket as standard input, a descriptor with the
request; against servers that are good, broken and hostile.
"""
import contextlib
import ctypes
import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time

import pytest

import box_kit
from harness import DEADLINE, LIBC, SANITIZER_COMPLAINT, clean_environment, wait_until
from pki import DAY, Authority

PROGRAM = os.environ.get("SMART_CONNECT_FETCH", str(pathlib.Path(__file__).parent.parent / "build/smart-connect-fetch"))
NAME, MAX, MIB = "updates.example", 1 << 30, 1 << 20
CLONE_NEWNS, MS_REC, MS_PRIVATE = 0x20000, 0x4000, 0x40000
PR_SET_PDEATHSIG = 1


# --- servers -----------------------------------------------------------------------------------

def head(status="200 OK", **fields):
    lines = [f"HTTP/1.1 {status}", *(f"{name.replace('_', '-')}: {value}" for name, value in fields.items())]
    return "\r\n".join([*lines, "", ""]).encode()


def whole(body):
    """A good answer."""
    return head(Content_Length=len(body), Connection="close") + body


def chunked(body, size=7000):
    pieces = [body[at:at + size] for at in range(0, len(body), size)] + [b""]
    return head(Transfer_Encoding="chunked") + b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)


def redirect(to, status="302 Found", body=b"elsewhere"):
    return head(status, Location=to, Content_Length=len(body)) + body


class Server:
    """HTTPS on a port of an address.  paths: what is answered to each: bytes, after which the connection ends as TLS
    wants it; or a function that is given the connection, which is torn off after it."""

    def __init__(self, context, paths, address="127.0.0.1"):
        self.context, self.paths, self.asked, self.requests = context, paths, [], []
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.listening = socket.create_server((address, 0), family=family, dualstack_ipv6=address == "::")
        self.port = self.listening.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def url(self, path="/a", name=NAME):
        return f"https://{name}:{self.port}{path}"

    def serve(self):
        with contextlib.suppress(OSError):  # closed
            while True:
                peer = self.listening.accept()[0]
                threading.Thread(target=self.answer, args=(peer,), daemon=True).start()

    def answer(self, peer):
        peer.settimeout(DEADLINE)
        with contextlib.suppress(OSError), self.context.wrap_socket(peer, server_side=True) as connection:
            request = b""
            while not request.endswith(b"\r\n\r\n"):
                piece = connection.recv(4096)
                if not piece:
                    return
                request += piece
            path = request.split()[1].decode()
            self.asked.append(path)
            self.requests.append(request.decode())
            answer = self.paths[path.partition("?")[0]]
            if callable(answer):
                answer(connection)
                return
            connection.sendall(answer)
            connection.unwrap()

    def close(self):
        self.listening.shutdown(socket.SHUT_RDWR)
        self.listening.close()


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module")
def pair(authority):
    return authority.issue(NAME, f"DNS:{NAME}")


@pytest.fixture
def server(pair):
    """server(PATHS): starts one with the good certificate, or another context."""
    started = []

    def start(paths, context=None, **how):
        started.append(Server(context or pair.server_context(), paths, **how))
        return started[-1]
    yield start
    for one in started:
        one.close()


# --- the program -------------------------------------------------------------------------------

class Fetch:
    """One connection to the downloader."""

    def __init__(self, *options, prefix=(), prepare=lambda: None, env=None):
        def prepare_child():
            LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            prepare()
        self.socket, theirs = socket.socketpair()
        self.socket.settimeout(DEADLINE)
        self.popen = subprocess.Popen([*prefix, PROGRAM, *map(str, options)], stdin=theirs, stdout=subprocess.DEVNULL,
                                      stderr=subprocess.PIPE, env=clean_environment(env), preexec_fn=prepare_child)
        theirs.close()
        self.text = b""

    def ask(self, request, *files):
        """The descriptors go with the first byte."""
        socket.send_fds(self.socket, [request], files)
        return self

    def line(self):
        """The next; "" at the end."""
        while b"\n" not in self.text:
            try:
                piece = self.socket.recv(4096)
            except ConnectionResetError:  # it ended with bytes of ours unread
                piece = b""
            if not piece:
                assert not self.text, self.text
                return ""
            self.text += piece
        line, self.text = self.text.split(b"\n", 1)
        assert re.fullmatch(rb"[ -~]{1,255}", line), line
        return line.decode()

    def lines(self):
        return list(iter(self.line, ""))

    def end(self):
        """The exit status; it complained about nothing."""
        try:
            stderr = self.popen.communicate(timeout=DEADLINE)[1].decode()
        finally:
            self.popen.kill()
            self.socket.close()
        assert not SANITIZER_COMPLAINT.search(stderr), stderr
        assert self.popen.returncode >= 0 and not stderr, (self.popen.returncode, stderr)
        return self.popen.returncode

    def outcome(self):
        """(last line, exit status)"""
        lines = self.lines()
        assert lines, self.end()
        assert sum(line.startswith("size ") for line in lines) <= 1, lines
        return lines[-1], self.end()


@pytest.fixture
def target(tmp_path):
    """An empty file, open for writing and reading; without a name where that can be."""
    fd = os.open(tmp_path, os.O_TMPFILE | os.O_RDWR, 0o600)
    yield fd
    os.close(fd)


def content(fd):
    size = os.fstat(fd).st_size
    return os.pread(fd, size, 0)


@pytest.fixture
def fetch(authority, target):
    """fetch(SERVER, PATH): downloads into `target`; the connection."""
    def start(server, path="/a", maximum=MAX, options=(), names=(NAME,), address="127.0.0.1", loopback=True, **how):
        fixed = [f"--resolve={name}:{server.port}:{address}" for name in names]
        flags = ["--allow-loopback"] if loopback else []
        one = Fetch("--ca", authority.certificate, *flags, *fixed, *options, **how)
        return one.ask(f"get {maximum} {server.url(path)}\n".encode(), target)
    return start


def refusal(connection):
    """Why it failed."""
    last, status = connection.outcome()
    assert last.startswith("failed ") and status == 1, (last, status)
    return last.removeprefix("failed ")


def assert_fails(connection, *patterns):
    reason = refusal(connection)
    for pattern in patterns:
        assert re.search(pattern, reason), reason


# --- what works --------------------------------------------------------------------------------

@pytest.mark.parametrize("size", [0, 1, MIB, 20 * MIB])
def test_a_file_comes_byte_for_byte(server, fetch, target, size):
    body = os.urandom(size)
    lines = fetch(server({"/a": whole(body)})).lines()
    assert lines[0] == f"size {size}" and lines[-1] == f"done {size}", lines
    assert all(re.fullmatch(r"got \d+", line) for line in lines[1:-1]), lines
    assert content(target) == body


@pytest.mark.parametrize("size", [0, 1, MIB])
def test_the_size_need_not_be_known(server, fetch, target, size):
    body = os.urandom(size)
    connection = fetch(server({"/a": chunked(body)}))
    lines = connection.lines()
    assert lines[-1] == f"done {size}" and not [line for line in lines if line.startswith("size")], lines
    assert connection.end() == 0 and content(target) == body


def test_what_follows_the_last_chunk_is_not_the_file(server, fetch, target):
    trailer = chunked(b"abc")[:-2] + b"X-Checksum: 1\r\nX-More: 2\r\n\r\n"
    assert fetch(server({"/a": trailer})).lines()[-1] == "done 3"
    assert content(target) == b"abc"


def test_as_much_as_is_allowed_is_allowed(server, fetch, target):
    body = os.urandom(1000)
    one = server({"/a": whole(body), "/chunked": chunked(body)})
    assert fetch(one, maximum=1000).outcome() == ("done 1000", 0)
    assert content(target) == body
    os.ftruncate(target, 0)
    assert fetch(one, "/chunked", maximum=1000).outcome() == ("done 1000", 0)


def test_it_tells_how_far_it_is_but_not_too_often(server, fetch):
    def slowly(connection):
        connection.sendall(head(Content_Length=30 * 4096))
        for _ in range(30):
            connection.sendall(bytes(4096))
            time.sleep(0.04)
    began = time.monotonic()
    lines = fetch(server({"/a": slowly})).lines()
    got = [int(line.split()[1]) for line in lines if line.startswith("got ")]
    assert lines[0] == "size 122880" and lines[-1] == "done 122880"
    assert 2 <= len(got) <= 4 * (time.monotonic() - began) and got == sorted(set(got)), lines


def test_it_asks_for_nothing_but_the_file_and_says_who_it_is(server, fetch):
    one = server({"/a": whole(b"x")})
    nowhere = {name: "http://127.0.0.1:1" for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")}
    assert fetch(one, "/a?x=%20y", env=nowhere).outcome() == ("done 1", 0)
    request = one.requests[0].split("\r\n")
    assert request[0] == "GET /a?x=%20y HTTP/1.1" and request[1] == f"Host: {NAME}:{one.port}"
    assert re.fullmatch(r"User-Agent: smart-connect/[0-9.]+", request[2]), request
    assert request[3:] == ["Accept: */*", "", ""]


def test_three_redirects_are_followed(server, fetch, target):
    one = server({"/a": redirect("/b", "301 Moved Permanently"), "/b": redirect("c?d", "307 Temporary Redirect"),
                  "/c": redirect("placeholder", "308 Permanent Redirect"), "/d": whole(b"there")})
    one.paths["/c"] = redirect(one.url("/d", "cdn.updates.example"))
    last = fetch(one, names=(NAME, "cdn.updates.example"))
    assert_fails(last, "^cdn.updates.example: .*no alternative certificate subject name")
    one.paths["/c"] = redirect(one.url("/d"))
    assert fetch(one).outcome() == ("done 5", 0)
    assert content(target) == b"there" and one.asked[-4:] == ["/a", "/b", "/c?d", "/d"]


# --- what a server may do ----------------------------------------------------------------------

def test_any_other_status_is_a_failure(server, fetch, target):
    for status in ("201 Created", "204 No Content", "206 Partial Content", "304 Not Modified", "401 Unauthorized",
                   "404 Not Found", "500 Broken"):
        body = b"" if status[:3] in ("204", "304") else b"an error page"
        one = server({"/a": head(status, Content_Length=len(body)) + body})
        assert_fails(fetch(one), f"^{NAME}: answers HTTP {status[:3]} in place of 200$")
    assert content(target) == b""


def test_an_error_page_without_end_is_not_read(server, fetch, target):
    def endless(connection):
        connection.sendall(head("404 Not Found"))
        while True:
            connection.sendall(bytes(10000))
    assert_fails(fetch(server({"/a": endless})), "HTTP 404")
    assert content(target) == b""


@pytest.mark.parametrize("to, why", [
    ("http://updates.example/b", "redirected to a URL .* must begin with https://"),
    ("file:///etc/passwd", "must begin with https://"),
    ("ftp://updates.example/b", "must begin with https://"),
    ("https://me:secret@updates.example/b", "must not name a user"),
    ("https://127.0.0.1/b", "not an address"),
    ("https://[::1]/b", "not an address"),
    ("https://0x7f.1/b", "not an address"),
    ("https://localhost/b", "not be localhost"),
    ("//localhost/b", "not be localhost"),
    ("https://updates.example/" + 5000 * "x", "more than 4095 bytes"),
])
def test_a_redirect_leads_to_no_other_kind_of_url(server, fetch, target, to, why):
    one = server({"/a": redirect(to)})
    assert_fails(fetch(one), why)
    assert content(target) == b"" and one.asked == ["/a"]


def test_a_fourth_redirect_is_not_followed(server, fetch):
    one = server({"/a": redirect("/a")})
    assert_fails(fetch(one), "redirects once more, after 3 times")
    assert one.asked == 4 * ["/a"]


def test_what_is_too_big_is_refused_before_it_is_written(server, fetch, target):
    one = server({"/a": whole(bytes(1001))})
    assert_fails(fetch(one, maximum=1000), "has 1001 bytes, and at most 1000 are allowed")
    assert content(target) == b""


def test_what_turns_out_too_big_is_given_up(server, fetch, target):
    def endless(connection):
        connection.sendall(head(Transfer_Encoding="chunked"))
        while True:
            connection.sendall(b"2710\r\n" + bytes(10000) + b"\r\n")
    assert_fails(fetch(server({"/a": endless}), maximum=100000), "more than the 100000 bytes that are allowed")
    assert len(content(target)) <= 100000
    os.ftruncate(target, 0)
    assert_fails(fetch(server({"/a": chunked(bytes(100001))}), maximum=100000), "more than the 100000 bytes")


TOO_SLOW = "Operation too slow. Less than 1024 bytes/sec .* 2 seconds"


@pytest.mark.parametrize("rhythm, why", [
    ("silent", TOO_SLOW), ("dripping", TOO_SLOW), ("no answer", TOO_SLOW), ("no handshake", "SSL connection timeout")])
def test_what_stalls_is_given_up(server, fetch, rhythm, why):
    over = threading.Event()

    def stall(connection):
        if rhythm != "no answer":
            connection.sendall(head(Content_Length=100000))
        while not over.wait(0.1) and rhythm == "dripping":
            connection.sendall(bytes(10))
        over.wait(DEADLINE)

    class Deaf:
        def wrap_socket(self, peer, **_):
            over.wait(DEADLINE)
            return peer
    began = time.monotonic()
    one = server({"/a": stall}, **({"context": Deaf()} if rhythm == "no handshake" else {}))
    assert_fails(fetch(one, options=["--stall-s=2"]), f"^{NAME}: {why}")
    over.set()
    assert time.monotonic() - began < 8


def cut_off(*pieces):
    """The connection ends after these, without TLS's word that this is the end."""
    def answer(connection):
        for piece in pieces:
            connection.sendall(piece)
        connection.shutdown(socket.SHUT_RDWR)
    return answer


@pytest.mark.parametrize("answer, why", [
    (head(Content_Length=1000) + bytes(999), "1 bytes remaining"),
    (cut_off(head(Content_Length=1000), bytes(999)), "unexpected eof|remaining"),
    (cut_off(head(), bytes(999)), "neither a Content-Length nor chunks"),
    (head() + bytes(999), "neither a Content-Length nor chunks"),
    (head(), "neither a Content-Length nor chunks"),
    (chunked(bytes(999))[:-7], "outstanding read data|chunk|transfer closed"),
    (cut_off(chunked(bytes(9999))[:-100]), "unexpected eof|transfer closed"),
    (b"", "Empty reply"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 5", "within the head"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n", "within the head"),
    (b"no HTTP at all\r\n\r\n", "HTTP/0.9"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello", "Content-Length"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nhello\r\n", "."),
    (b"HTTP/1.1 200 OK\r\n" + 20000 * b"X-Long: 0123456789\r\n" + b"\r\n", "."),
], ids=range(14))
def test_what_is_cut_or_is_no_http_is_a_failure(server, fetch, answer, why):
    assert_fails(fetch(server({"/a": answer})), f"^{NAME}: ", why)


# --- TLS ---------------------------------------------------------------------------------------

def test_only_the_authorities_named_are_trusted(server, fetch, tmp_path, pair):
    other = Authority(tmp_path, "Other CA")
    one = server({"/a": whole(b"x")}, other.issue(NAME, f"DNS:{NAME}").server_context())
    assert_fails(fetch(one), f"^{NAME}: SSL certificate problem")
    one = server({"/a": whole(b"x")}, other.self_signed(NAME, f"DNS:{NAME}").server_context())
    assert_fails(fetch(one), f"^{NAME}: SSL certificate problem: self")
    # the system's know neither
    one = server({"/a": whole(b"x")})
    connection = Fetch("--allow-loopback", f"--resolve={NAME}:{one.port}:127.0.0.1")
    fd = os.memfd_create("target")
    assert_fails(connection.ask(f"get 9 {one.url()}\n".encode(), fd), "SSL certificate problem")
    os.close(fd)
    assert not one.asked


@pytest.mark.parametrize("how, why", [
    ({"starts": -10 * DAY, "ends": -DAY}, "certificate has expired"),
    ({"starts": DAY}, "certificate is not yet valid"),
    ({"usage": "clientAuth"}, "certificate purpose"),
])
def test_a_certificate_must_be_valid_now_and_for_servers(server, fetch, authority, how, why):
    one = server({"/a": whole(b"x")}, authority.issue(NAME, f"DNS:{NAME}", **how).server_context())
    assert_fails(fetch(one), f"^{NAME}: .*{why}")
    assert not one.asked


def test_a_certificate_must_have_the_name(server, fetch, authority):
    for names in ([], ["DNS:example"], ["DNS:other.example"], ["IP:127.0.0.1"], ["DNS:*.updates.example"]):
        one = server({"/a": whole(b"x")}, authority.issue("another", *names).server_context())
        assert_fails(fetch(one), "does not match target host|no alternative certificate subject name")
        assert not one.asked


def client_context(authority, version):
    context = ssl.create_default_context(cafile=str(authority.certificate))
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    return context


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_tls_1_1_is_refused_and_1_2_is_not(server, fetch, authority, pair):
    old = pair.server_context()
    old.set_ciphers("DEFAULT:@SECLEVEL=0")
    old.minimum_version = ssl.TLSVersion.TLSv1
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    one = server({"/a": whole(b"x")}, old)
    with socket.create_connection(("127.0.0.1", one.port)) as plain:  # the server does speak it
        with client_context(authority, ssl.TLSVersion.TLSv1_1).wrap_socket(plain, server_hostname=NAME) as peer:
            assert peer.version() == "TLSv1.1"
    assert_fails(fetch(one), "SSL|TLS", "protocol version")
    newer = pair.server_context(maximum_version=ssl.TLSVersion.TLSv1_2)
    assert fetch(server({"/a": whole(b"x")}, newer)).outcome() == ("done 1", 0)


# --- addresses ---------------------------------------------------------------------------------

@pytest.mark.parametrize("address, what", [
    ("127.0.0.1", "a loopback address"),
    ("127.1.2.3", "a loopback address"),
    ("[::1]", "a loopback address"),
    ("[::ffff:127.0.0.1]", "a loopback address"),
    ("0.0.0.0", "an unspecified address"),
    ("[::]", "an unspecified address"),
    ("169.254.169.254", "a link-local address"),
    ("[fe80::1]", "a link-local address"),
    ("224.0.0.1", "a multicast address"),
    ("[ff02::1]", "a multicast address"),
    ("255.255.255.255", "a reserved address"),
])
def test_a_name_must_not_mean_this_host_or_this_link(server, fetch, target, address, what):
    one = server({"/a": whole(b"x")}, address="::")
    assert_fails(fetch(one, address=address, loopback=False), f"^{NAME} is {what}: updates come from other hosts")
    assert content(target) == b"" and not one.asked


def test_a_redirect_must_not_lead_there_either(server, fetch):
    one = server({})
    one.paths["/a"] = redirect(one.url("/b", "metadata.example"))
    connection = fetch(one, options=[f"--resolve=metadata.example:{one.port}:169.254.169.254"])
    assert_fails(connection, "^metadata.example is a link-local address")


def test_a_name_nobody_knows_is_said(server, fetch):
    one = server({})
    one.paths["/a"] = redirect("https://updates.invalid/b")
    assert_fails(fetch(one), "^updates.invalid: Could not resolve host")


def test_a_server_that_is_not_there_is_said(server, fetch):
    one = server({})
    one.close()
    assert_fails(fetch(one), "^updates.example: Failed to connect")
    one.listening = socket.create_server(("127.0.0.1", 0))  # for the fixture


@pytest.fixture
def two_hosts():
    """(box, far): network namespaces with a cable between them."""
    problem = box_kit.obstacle("unshare")
    if problem:
        pytest.skip(problem)
    with contextlib.ExitStack() as stack:
        places = []
        for name in ("box", "far"):
            places.append(box_kit.Place(name))
            stack.callback(places[-1].close)
        box_kit.cable(*places)
        for n, place in zip((2, 1), places):
            place.ip("addr", "add", f"192.0.2.{n}/24", "dev", "eth0")
            place.ip("addr", "add", f"fd00:1::{n}/64", "dev", "eth0", "nodad")
            place.ip("link", "set", "eth0", "up")
        yield places


def test_between_hosts_it_works_without_the_flags_for_tests(two_hosts, server, fetch, authority, target, tmp_path):
    box, far = two_hosts
    body = os.urandom(MIB)
    with far.inside():
        one = server({"/a": whole(body)}, address="::")
    hosts = tmp_path / "hosts"
    hosts.write_text(f"192.0.2.1 {NAME} v4.{NAME}\nfd00:1::1 {NAME} v6.{NAME}\n127.0.0.1 loop.{NAME}\n"
                     f"192.0.2.2 own4.{NAME}\nfd00:1::2 own6.{NAME}\n::1 loop6.{NAME}\n")
    there = (*box.prefix, "unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/hosts && exec "$@"', hosts)

    def ask(name):
        request = f"get {MAX} {one.url('/a', name)}\n"
        return Fetch("--ca", authority.certificate, prefix=there).ask(request.encode(), target)
    assert ask(NAME).outcome() == (f"done {MIB}", 0)
    assert content(target) == body
    os.ftruncate(target, 0)
    for name in ("v4", "v6"):  # reached, but the certificate has one name only
        assert_fails(ask(f"{name}.{NAME}"), "no alternative certificate subject name")
    for name, what in (("loop", "a loopback address"), ("loop6", "a loopback address"),
                       ("own4", "an address of this machine"), ("own6", "an address of this machine")):
        assert_fails(ask(f"{name}.{NAME}"), f"^{name}.{NAME} is {what}")


# --- the peer and its file ---------------------------------------------------------------------

def test_closing_the_socket_cancels(server, fetch, target):
    over = threading.Event()

    def slowly(connection):
        connection.sendall(head(Content_Length=MIB))
        with contextlib.suppress(OSError):
            while not over.wait(0.05):
                connection.sendall(bytes(4096))
        over.set()
    for give_up in (lambda s: s.close(), lambda s: s.shutdown(socket.SHUT_WR), lambda s: s.send(b"more\n")):
        over.clear()
        os.ftruncate(target, 0)
        connection = fetch(server({"/a": slowly}))
        assert connection.line() == f"size {MIB}"
        give_up(connection.socket)
        began = time.monotonic()
        assert connection.end() == 1
        assert time.monotonic() - began < 3
        wait_until(over.is_set, "the server sees the end")


def test_a_file_that_may_not_grow_is_a_failure(server, fetch, target):
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (100000, 100000))
    assert_fails(fetch(server({"/a": whole(bytes(MIB))}), prepare=limit), "cannot write the file: File too large")
    assert len(content(target)) == 100000


def file_on_small_disk(folder):
    """An open file on a disk of 64 KiB, which goes when the file is closed."""
    mine, childs = socket.socketpair()
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            assert LIBC.unshare(CLONE_NEWNS) == 0
            assert LIBC.mount(None, b"/", None, ctypes.c_ulong(MS_REC | MS_PRIVATE), None) == 0
            assert LIBC.mount(b"tmpfs", os.fsencode(folder), b"tmpfs", ctypes.c_ulong(0), b"size=64k") == 0
            socket.send_fds(childs, [b"x"], [os.open(folder, os.O_TMPFILE | os.O_RDWR)])
        os._exit(0)
    childs.close()
    files = socket.recv_fds(mine, 1, 1)[1]
    os.waitpid(child, 0)
    mine.close()
    return files[0] if files else None


def test_a_full_disk_is_a_failure(server, authority, tmp_path):
    fd = file_on_small_disk(tmp_path)
    if fd is None:
        pytest.skip("needs root for a disk of its own")
    one = server({"/a": whole(bytes(MIB))})
    connection = Fetch("--ca", authority.certificate, "--allow-loopback", f"--resolve={NAME}:{one.port}:127.0.0.1")
    connection.ask(f"get {MAX} {one.url()}\n".encode(), fd)
    assert_fails(connection, "cannot write the file: No space left on device")
    os.close(fd)


URL = f"https://{NAME}/a"


@pytest.mark.parametrize("request_line, why", [
    (f"get 1 http://{NAME}/a", "must begin with https://"),
    (f"get 1 ftp://{NAME}/a", "must begin with https://"),
    ("get 1 file:///etc/passwd", "must begin with https://"),
    (f"get 1 https://me@{NAME}/a", "must not name a user"),
    (f"get 1 https://me:secret@{NAME}/a", "must not name a user"),
    ("get 1 https://[::1]/a", "not an address"),
    ("get 1 https://169.254.169.254/a", "not an address"),
    ("get 1 https://2130706433/a", "full name"),
    ("get 1 https://localhost/a", "localhost"),
    (f"get 1 {URL}\r", "must be written with %"),
    (f"get 1 {URL}\nget 1 {URL}", "one line, and more followed"),
    (f"get 1 {URL}\0", "a line of text"),
    (f"get 0 {URL}", "MAXBYTES"),
    (f"get -1 {URL}", "MAXBYTES"),
    (f"get 99999999999999999999 {URL}", "MAXBYTES"),
    (f"GET 1 {URL}", "get MAXBYTES URL"),
    ("", "get MAXBYTES URL"),
    (f"get 1 {URL}?" + 2048 * "x", "longer than 2048 bytes"),
])
def test_a_bad_request_is_refused(target, request_line, why):
    assert_fails(Fetch().ask(request_line.encode() + b"\n", target), why)


def test_a_request_that_is_cut_or_damaged_is_refused(target):
    good = f"get 1 {URL}\n".encode()
    damaged = [good[:n] for n in range(1, len(good))]
    damaged += [good[:n] + bytes([good[n] ^ 0x80]) + good[n + 1:] for n in range(len(good))]
    for at in range(0, len(damaged), 8):
        connections = [Fetch().ask(line, target) for line in damaged[at:at + 8]]
        for connection in connections:
            connection.socket.shutdown(socket.SHUT_WR)
        for connection in connections:
            assert refusal(connection)
    assert content(target) == b""
    connection = Fetch()
    connection.socket.shutdown(socket.SHUT_WR)
    assert_fails(connection, "ended before its line did")


def test_a_request_may_come_byte_by_byte(server, authority, target):
    one = server({"/a": whole(b"slow")})
    connection = Fetch("--ca", authority.certificate, "--allow-loopback", f"--resolve={NAME}:{one.port}:127.0.0.1")
    request = f"get 4 {one.url()}\n".encode()
    connection.ask(request[:1], target)
    for n in range(1, len(request)):
        connection.socket.send(request[n:n + 1])
        time.sleep(0.001)
    assert connection.outcome() == ("done 4", 0)
    assert content(target) == b"slow"


def test_who_says_nothing_is_not_waited_for_but_the_downloader_tells_that_it_lives(server, fetch):
    over = threading.Event()

    def stall(connection):
        connection.sendall(head(Content_Length=100000))
        over.wait(DEADLINE)
    began = time.monotonic()
    mute, patient = Fetch(), fetch(server({"/a": stall}))
    assert [patient.line(), patient.line()] == ["size 100000", "got 0"]
    assert 3.9 < time.monotonic() - began < 6
    assert_fails(mute, "no request came within 5 s")
    assert 4.9 < time.monotonic() - began < 8
    patient.socket.close()
    assert patient.end() == 1
    over.set()


def test_one_descriptor_of_an_empty_file_open_for_writing(target, tmp_path):
    request = f"get 1 {URL}\n".encode()
    used = tmp_path / "used"
    used.write_bytes(b"x")
    pipe = os.pipe()
    pair = socket.socketpair()
    cases = [
        ((), "no descriptor came"),
        ((target, target), "several descriptors"),
        (9 * (target,), "several descriptors"),
        (100 * (target,), "several descriptors"),
        ((os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY),), "not that of a regular file"),
        ((pipe[1],), "not that of a regular file"),
        ((pair[0].fileno(),), "not that of a regular file"),
        ((os.open("/dev/null", os.O_WRONLY),), "not that of a regular file"),
        ((os.open(used, os.O_RDONLY),), "not open for writing"),
        ((os.open(used, os.O_PATH),), "not open for writing"),
        ((os.open(used, os.O_RDWR),), "not empty"),
    ]
    for files, why in cases:
        assert_fails(Fetch().ask(request, *files), why)
    for files, _ in cases[4:]:
        os.close(files[0])
    os.close(pipe[0])
    pair[1].close()
    pair[0].detach()


def test_a_second_descriptor_that_comes_later_counts_too(target):
    request = f"get 1 {URL}\n".encode()
    connection = Fetch().ask(request[:5], target)
    time.sleep(0.05)
    assert_fails(connection.ask(request[5:], target), "several descriptors")


def test_it_runs_for_sockets_only():
    for stdin in (subprocess.DEVNULL, subprocess.PIPE):
        done = subprocess.run([PROGRAM], stdin=stdin, capture_output=True, timeout=DEADLINE, check=False)
        assert done.returncode == 2 and b"must be a UNIX stream socket" in done.stderr and not done.stdout
    for options in (["--stall-s=1"], ["--stall-s=2x"], ["--stall-s=3601"], ["--unknown"], ["word"]):
        done = subprocess.run([PROGRAM, *options], capture_output=True, timeout=DEADLINE, check=False)
        assert done.returncode == 2 and done.stderr and not done.stdout
    done = subprocess.run([PROGRAM, "--help"], capture_output=True, timeout=DEADLINE, check=True)
    assert b"--ca FILE" in done.stdout


def test_systemd_runs_it_for_each_connection(server, authority, target, tmp_path):
    tool = shutil.which("systemd-socket-activate")
    if not tool:
        pytest.skip("needs systemd-socket-activate")
    one, path = server({"/a": whole(b"abc")}), tmp_path / "fetch.socket"
    command = [tool, "--accept", "--inetd", f"--listen={path}", PROGRAM, f"--ca={authority.certificate}",
               "--allow-loopback", f"--resolve={NAME}:{one.port}:127.0.0.1"]
    activator = subprocess.Popen(command, stderr=subprocess.DEVNULL, env=clean_environment(),
                                 preexec_fn=lambda: LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL))
    try:
        wait_until(path.exists, "the socket")
        for _ in range(2):
            os.ftruncate(target, 0)
            with socket.socket(socket.AF_UNIX) as peer:
                peer.settimeout(DEADLINE)
                peer.connect(str(path))
                socket.send_fds(peer, [f"get 3 {one.url()}\n".encode()], [target])
                assert peer.makefile().read() == "size 3\ndone 3\n"
            assert content(target) == b"abc"
    finally:
        activator.terminate()
        activator.wait()
