"""Ports that systemd opened: the gateway serves at them, and refuses at those it does not use.

systemd-socket-activate hands sockets over as the service manager does: it listens, and starts the program when
somebody connects.
"""
import os
import shutil
import socket
import ssl

import pytest

from harness import DEADLINE, PROGRAM, Process, clean_environment, free_port, wait_until

ACTIVATE = shutil.which("systemd-socket-activate")
READ_ONE = bytes.fromhex("0001 0000 0006 01 03 0000 0001")
DOORS = ("modbus", "https", "p1", "unused")


def connect(port):
    return socket.create_connection(("127.0.0.1", port), DEADLINE)


def activated(folder, ports):
    """systemd's part, which becomes the gateway at the first connection; each of the doors has a socket."""
    command = [ACTIVATE, *(f"--listen=127.0.0.1:{ports[door]}" for door in DOORS), f"--fdname={':'.join(DOORS)}",
               PROGRAM, "run", "--config", os.devnull, "--meter", "sim:dsmr50", "--state", str(folder / "state"),
               "--serial", "00112233AABB", "--mdns", "off", "--log-level", "debug",
               "--modbus", f"127.0.0.1:{ports['modbus']}", "--https", f"127.0.0.1:{ports['https']}", "--http", "off",
               "--p1-out", f"tcp:127.0.0.1:{ports['p1']}"]
    return Process(folder, "activated", command, env=clean_environment())


def wait_listening(process, ports):
    wait_until(lambda: all(f":{ports[door]}" in process.stderr() for door in DOORS), "systemd's part listens")


@pytest.fixture
def gateway(tmp_path):
    """The process, its ports, and the answer to a Modbus request that was there before the program was."""
    if not ACTIVATE:
        pytest.skip("no systemd-socket-activate: it belongs to the package systemd")
    ports = {door: free_port() for door in DOORS}
    process = activated(tmp_path, ports)
    wait_listening(process, ports)
    with connect(ports["modbus"]) as first:
        first.sendall(READ_ONE)
        answer = first.recv(100)
    wait_until(lambda: "ready " in process.stdout(), "ready")
    yield process, ports, answer
    process.end()


def test_the_first_request_is_answered_though_it_came_before_the_program(gateway):
    answer = gateway[2]
    assert answer[:4] == READ_ONE[:4] and answer[7] & 0x7F == 3, answer.hex()


def test_every_door_serves_at_its_socket(gateway):
    process, ports, _ = gateway
    ready = process.stdout()
    assert f"modbus=127.0.0.1:{ports['modbus']} " in ready and f"https=127.0.0.1:{ports['https']}" in ready
    with connect(ports["p1"]) as reader:
        assert reader.recv(1) == b"/"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with context.wrap_socket(connect(ports["https"])) as page:
        page.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        assert page.recv(15) == b"HTTP/1.1 401 Un"


def test_one_that_is_not_used_refuses_at_once(gateway):
    """Before connect() has returned, or after."""
    with pytest.raises(ConnectionResetError), connect(gateway[1]["unused"]) as nobody:
        nobody.recv(1)


def test_it_ends_well_and_what_systemd_holds_stays_its_own(gateway):
    process = gateway[0]
    assert process.end() == 0
    assert "listens at" in process.stderr() and "Sanitizer" not in process.stderr()
