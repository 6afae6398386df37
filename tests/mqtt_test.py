"""MQTT with a real broker: what is said, and that a broker which is away, slow, silent or hostile costs
messages and nothing else."""
import contextlib
import json
import re
import signal
import socket
import subprocess
import time

import pytest

from harness import DATA, SERIAL, assert_nobody_waited, free_port, marked, p1, refusal, run, wait_until

EXAMPLE = json.loads((DATA / "manual_example.json").read_text())
TOPIC = f"devices/default/smart-connect/{SERIAL}"


def ordered_keys(text):
    """Every key of a JSON text in its order."""
    keys = []
    json.loads(text, object_pairs_hook=lambda pairs: keys.append([k for k, _ in pairs]) or dict(pairs))
    return keys


@pytest.fixture
def meter(tcp_meter):
    return tcp_meter


@pytest.fixture
def start(gateway, meter):
    """start(BROKER_URL, OPTION...): a gateway whose meter listens to `meter.send`."""
    def begin(url, *options, **how):
        one = gateway(meter.url, "--mqtt", url, *options, **how)
        meter.accept()
        return one
    return begin


# --- what is said ------------------------------------------------------------------------------

def test_manual_example_key_by_key():
    done = run("decode", "--format", "json", str(DATA / "manual_example.txt"))
    assert done.returncode == 0
    assert done.stdout.decode() == (DATA / "manual_example.json").read_text().rstrip("\n") + "\n"


def test_manual_example_over_the_broker(start, meter, broker, subscriber):
    broker = broker()
    watch = subscriber(broker)
    start(broker.url)
    meter.send((DATA / "manual_example.txt").read_bytes())
    message = watch.wait("power_instant")
    assert message.topic == f"{TOPIC}/data/power_instant" and not message.retained
    assert ordered_keys(message.payload) == ordered_keys(json.dumps(EXAMPLE))
    assert abs(message.json()["ts"] - time.time()) < 60, "the example's clock is not today's"
    assert {**message.json(), "ts": EXAMPLE["ts"]} == EXAMPLE


def test_time_stamp_is_the_meters_where_it_is_plausible(start, meter, broker, subscriber):
    broker = broker()
    watch = subscriber(broker)
    start(broker.url)
    then = int(time.time()) - 3600
    meter.send(marked(1, then))
    assert watch.wait("power_instant").json()["ts"] == then


def test_numbers_are_exact_decimals(start, meter, broker, subscriber):
    """4.023 kW is 4023 W, and 230.1 V is not 230.09999."""
    broker = broker()
    watch = subscriber(broker)
    start(broker.url)
    for n in (1, 4023, 8191, 99999, 2301, 1999):
        meter.send(marked(n))
        text = watch.wait("power_instant", lambda m: m.json()["P"] == n).payload
        assert f'"E_IMPORT":{n},' in text and f'"P-":0,' in text
        assert f'"U":{str(n % 2500 / 10).removesuffix(".0")},' in text, text
        assert not re.search(r"\d[eE]|\.\d{4}|:\.|-0[,}]", text)
        assert " " not in text and "\n" not in text


def test_unknown_values_are_null(start, meter, broker, subscriber):
    broker = broker()
    watch = subscriber(broker)
    start(broker.url)
    meter.send(p1("1-3:0.2.8(50)", "1-0:1.7.0(00.000*kW)"))
    message = watch.wait("power_instant").json()
    assert message["P+"] == 0 and message["E_IMPORT"] is None and message["l1"]["U"] is None
    assert ordered_keys(json.dumps(message)) == ordered_keys(json.dumps(EXAMPLE))


def test_every_valid_telegram_is_published_once_in_order_and_no_other(start, meter, broker, subscriber):
    broker = broker()
    watch = subscriber(broker)
    server = start(broker.url, "--live")
    watch.wait("status")
    for n in range(1, 51):
        meter.send(marked(n))
        meter.send(marked(1000 + n, good=False))
        watch.wait("power_instant", lambda m: m.json()["P"] == n)
    assert [m.json()["P"] for m in watch.of("power_instant")] == list(range(1, 51))
    server.wait_live(good=50, crc=50, mqtt_dropped=0)
    wait_until(lambda: int(server.live()["mqtt_sent"]) == len(watch.messages),
               "a count of every message the broker acknowledged, and of no other")
    assert not watch.of("power_instant_late")


def test_stale_reading_is_not_said_again_to_a_new_broker_connection(start, meter, broker, subscriber):
    broker = broker()
    watch = subscriber(broker)
    server = start(broker.url, "--stale-after", "1")
    meter.send(marked(1))
    watch.wait("power_instant")
    server.wait_log("values are stale")
    watch.close()
    broker.stop()
    server.wait_log("mqtt: .*trying again")
    broker.start()
    server.wait_log("connected to", 2)
    again = subscriber(broker)
    again.wait("status")
    assert not again.of("power_instant")


# --- topics ------------------------------------------------------------------------------------

def test_site_names_the_topic(start, broker, subscriber, meter):
    broker = broker()
    watch = subscriber(broker)
    start(broker.url, "--mqtt-site", "Hèm-7")
    meter.send(marked(1))
    assert watch.wait("status").topic == f"devices/Hèm-7/smart-connect/{SERIAL}/status"
    assert watch.wait("power_instant").topic == f"devices/Hèm-7/smart-connect/{SERIAL}/data/power_instant"


@pytest.mark.parametrize("site", ["a/b", "+", "a+b", "#", "a b", " ", "a\tb", "a\nb", "a\x7fb", "x" * 65,
                                  "a\x85b", "a\uffffb", "a\udcffb"])
def test_site_that_cannot_stand_in_a_topic_is_refused(site):
    """The last ones would come to no connection: the library refuses them each time; \\udcff is byte 0xFF alone."""
    assert refusal("--mqtt-site", site).startswith("smart-connect run: --mqtt-site")


# --- status ------------------------------------------------------------------------------------

def test_status_is_online_while_it_runs_and_offline_after(start, broker, subscriber):
    broker = broker()
    watch = subscriber(broker)
    server = start(broker.url)
    assert watch.wait("status").payload == "online"
    late = subscriber(broker)
    assert late.wait("status").payload == "online" and late.of("status")[0].retained
    server.stop()
    watch.wait("status", lambda m: m.payload == "offline")
    late = subscriber(broker)
    assert late.wait("status").payload == "offline" and late.of("status")[0].retained


def test_last_will_says_offline_after_kill_9(start, broker, subscriber):
    broker = broker()
    watch = subscriber(broker)
    server = start(broker.url)
    assert watch.wait("status").payload == "online"
    server.end(signal.SIGKILL)
    watch.wait("status", lambda m: m.payload == "offline")
    late = subscriber(broker)
    assert late.wait("status").payload == "offline" and late.of("status")[0].retained


def test_only_our_topics_are_written(start, meter, broker, subscriber):
    broker = broker()
    watch = subscriber(broker)
    start(broker.url)
    meter.send(marked(1))
    watch.wait("power_instant")
    watch.wait("device_counters")  # the last to come
    assert {m.topic for m in watch.messages} == {f"{TOPIC}/{name}" for name in (
        "status", "meter-status", "data/power_instant", "data/meter", "data/device_counters")}


# --- brokers that come and go ------------------------------------------------------------------

def test_broker_absent_at_start(gateway, meter, broker, subscriber, tmp_path):
    port = free_port()
    server = gateway(meter.url, "--mqtt", f"mqtt://127.0.0.1:{port}")
    meter.accept().send(marked(1))
    server.wait_served()
    server.wait_log(f"mqtt: 127.0.0.1 port {port}: .*trying again")
    config = tmp_path / "late.conf"
    config.write_text(f"user root\nlistener {port} 127.0.0.1\nallow_anonymous true\n")
    late = subprocess.Popen(["mosquitto", "-c", str(config)], stderr=subprocess.DEVNULL)
    try:
        server.wait_log("mqtt: connected", seconds=30)
        assert len(server.log("trying again")) == 1, "said once, however many attempts"
    finally:
        late.terminate()
        late.wait(5)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_broker_that_comes_back_is_used_again(start, meter, broker, subscriber, how):
    broker = broker()
    server = start(broker.url)
    server.wait_log("mqtt: connected")
    for n in (1, 2):
        broker.stop(how)
        server.wait_log("trying again", n)
        meter.send(marked(n))
        server.wait_served()
        assert broker.start()
        server.wait_log("mqtt: connected", n + 1)
        watch = subscriber(broker)
        assert watch.wait("status").payload == "online"
        meter.send(marked(100 + n))
        watch.wait("power_instant", lambda m: m.json()["P"] == 100 + n)
        watch.close()


def test_broker_that_stands_still_does_not_touch_modbus(start, meter, broker, subscriber):
    """SIGSTOP: the kernel takes bytes for it until its buffers are full."""
    broker = broker()
    watch = subscriber(broker)
    server = start(broker.url, "--live")
    watch.wait("status")
    broker.pause()
    waited = []
    with server.client() as c:
        for n in range(1, 3001):
            meter.send(marked(n))
            if n % 10 == 0:
                begin = time.monotonic()
                c.exception(3, 0x8016, 2)
                waited.append(time.monotonic() - begin)
        wait_until(lambda: c.floats(0x8016, 1) == [3000], "the last telegram")
    assert_nobody_waited(waited)
    assert server.rss_kib() < 200000
    broker.go_on()
    meter.send(marked(5000))
    wait_until(lambda: watch.of("power_instant"), "messages again")
    wait_until(lambda: meter.send(marked(6000)) or any(m.json()["P"] == 6000 for m in watch.of("power_instant")),
               "live data")
    said = [m.json()["P"] for m in watch.of("power_instant")]
    assert said == sorted(said), "in order"


def test_shutdown_does_not_wait_for_a_broker_that_stands_still(start, broker):
    broker = broker()
    server = start(broker.url)
    server.wait_log("mqtt: connected")
    broker.pause()
    begin = time.monotonic()
    server.stop()
    assert time.monotonic() - begin < 2


def listener(address="127.0.0.1", port=0):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((address, port))
    s.listen()
    s.settimeout(15)
    return s


def test_silent_brokers_are_given_up_and_tried_again(gateway, broker):
    """One stands still after a while and is found by its keepalive, one never answers."""
    frozen = broker()
    with listener() as silent:
        one = gateway("sim:dsmr50", "--mqtt", frozen.url, "--mqtt-keepalive", "5")
        other = gateway("sim:dsmr50", "--mqtt", f"mqtt://127.0.0.1:{silent.getsockname()[1]}")
        one.wait_log("mqtt: connected")
        frozen.pause()
        one.wait_log("trying again", seconds=20)
        other.wait_log("no answer within 10 s", seconds=20)
        for server in (one, other):
            server.wait_served()
        frozen.go_on()
        one.wait_log("mqtt: connected", 2, seconds=30)


NO_BROKERS = {"refuses": b"\x20\x02\x00\x05", "odd code": b"\x20\x02\x00\xff", "short": b"\x20\x01\x00",
              "refuses in MQTT 5": b"\x20\x03\x00\x87\x00", "odd code in MQTT 5": b"\x20\x03\x00\xff\x00",
              "speaks no version": b"\x20\x02\x00\x01",
              "long": b"\x20\xff\xff\xff\xff\xff", "publishes": b"\x30\x02\x00\x05",
              "web server": b"HTTP/1.1 400 Bad Request\r\n\r\n", "zeros": bytes(300), "ff": b"\xff" * 300,
              "closes": b""}


def test_peers_that_are_no_broker_are_left_and_tried_again(gateway):
    listeners = {name: listener() for name in NO_BROKERS}
    servers = {name: gateway("sim:dsmr50", "--mqtt", f"mqtt://127.0.0.1:{l.getsockname()[1]}")
               for name, l in listeners.items()}
    for _ in range(3):  # an attempt may take two: MQTT 5, and 3.1.1 when the answer is none of MQTT 5
        for name, l in listeners.items():
            peer = l.accept()[0]
            peer.recv(200)
            with contextlib.suppress(OSError):  # closed at the first nonsense
                peer.sendall(NO_BROKERS[name])
                peer.shutdown(socket.SHUT_WR)
            peer.close()
    for name, server in servers.items():
        server.wait_served()
        server.wait_log("trying again")
        assert len(server.log("mqtt: ")) == 1, name
        listeners[name].close()


def protocol_level(connect):
    """Of a CONNECT packet."""
    assert connect[0] == 0x10 and connect[2:8] == b"\0\4MQTT", connect
    return connect[8]


def let_in(rogue, version):
    """Plays a broker of this version up to its CONNACK; the connection."""
    peer = rogue.accept()[0]
    assert protocol_level(peer.recv(300)) == 5, "the newer one first"
    if version == "5":
        peer.sendall(b"\x20\x03\x00\x00\x00")
        return peer
    peer.sendall(b"\x20\x02\x00\x01")  # unacceptable protocol version
    peer.close()
    peer = rogue.accept()[0]
    assert protocol_level(peer.recv(300)) == 4
    peer.sendall(b"\x20\x02\x00\x00")
    return peer


@pytest.mark.parametrize("version", ["5", "3.1.1"])
@pytest.mark.parametrize("packet", [b"\x30\xff\xff\xff\x7f", b"\x30\x00", b"\x30\x04\x00\x00ab", b"\x40\x02\x77\x77",
                                    b"\x36\x05\x00\x01a\x00\x01", b"\x90\x03\x00\x01\x80", b"\xe0\x00", b"\x00\x00"])
def test_broker_that_turns_hostile_after_a_good_begin(start, meter, packet, version):
    with listener() as rogue:
        server = start(f"mqtt://127.0.0.1:{rogue.getsockname()[1]}")
        before_kib = server.rss_kib()
        peer = let_in(rogue, version)
        server.wait_log(rf"mqtt: connected to .*, MQTT {version}$")
        peer.sendall(packet + bytes(1000))
        meter.send(marked(1))
        server.wait_served()
        with server.client() as c:
            assert c.floats(0x8016, 1) == [1]
        assert server.rss_kib() - before_kib < 32768
        peer.close()
        server.wait_log("trying again")


def test_broker_name_that_does_not_resolve(start, meter):
    server = start("mqtt://no-such-host.invalid")
    meter.send(marked(1))
    server.wait_served()
    server.wait_log("mqtt: no-such-host.invalid port 1883: .*trying again", seconds=30)
    begin = time.monotonic()
    server.stop()
    assert time.monotonic() - begin < 2


# --- who may -----------------------------------------------------------------------------------

@pytest.fixture
def guarded(broker, tmp_path):
    """A broker that wants a password."""
    passwords = tmp_path / "passwords"
    passwords.touch(0o600)
    subprocess.run(["mosquitto_passwd", "-b", str(passwords), "meter", "p@ss wörd"], check=True,
                   capture_output=True)
    return broker(f"password_file {passwords}")


def test_password_from_a_file(start, guarded, subscriber, tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes("p@ss wörd\r\nsecond line\n".encode())
    server = start(guarded.url, "--mqtt-username", "meter", "--mqtt-password-file", str(secret))
    server.wait_log("mqtt: connected")
    watch = subscriber(guarded, username="meter", password="p@ss wörd")
    assert watch.wait("status").payload == "online"
    assert "p@ss" not in server.stderr() + server.stdout()


def test_password_that_systemd_hands_over(start, guarded, tmp_path):
    (tmp_path / "smart-connect_broker").write_text("p@ss wörd\n")
    server = start(guarded.url, "--mqtt-username", "meter", "--mqtt-password-file", "credential:broker",
                   env={"CREDENTIALS_DIRECTORY": str(tmp_path)})
    server.wait_log("mqtt: connected")


def test_wrong_password_is_said_once_and_costs_nothing_else(start, meter, guarded, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("guess\n")
    server = start(guarded.url, "--mqtt-username", "meter", "--mqtt-password-file", str(secret))
    server.wait_log("mqtt: .*refused: Not authorized")
    meter.send(marked(1))
    server.wait_served()
    time.sleep(2.5)  # another attempt or two
    assert len(server.log("mqtt:")) == 1 and "guess" not in server.stderr()


@pytest.mark.parametrize("content, reason", [(None, "No such file"), (b"", "empty"), (b"\n", "empty"),
                                             (b"x" * 300, "254")],
                         ids=["missing", "empty", "blank", "long"])
def test_password_file_that_cannot_be_used_is_refused(tmp_path, content, reason):
    secret = tmp_path / "secret"
    if content is not None:
        secret.write_bytes(content)
    said = refusal("--mqtt", "mqtt://127.0.0.1", "--mqtt-username", "meter", "--mqtt-password-file", str(secret))
    assert "--mqtt-password-file" in said and reason in said


def test_password_without_a_user_name_is_refused(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("p@ss\n")
    said = refusal("--mqtt", "mqtt://127.0.0.1", "--mqtt-password-file", str(secret))
    assert "--mqtt-username" in said


# --- settings ----------------------------------------------------------------------------------

@pytest.mark.parametrize("url", ["127.0.0.1", "http://127.0.0.1", "mqtt://", "mqtt://:1883", "mqtt://host:0",
                                 "mqtt://host:65536", "mqtt://host:port", "mqtt://host:1883/path",
                                 "mqtt://user:pw@host",
                                 "mqtt://ho st", "mqtt://host\r\n", "mqtt://host:", "file:///etc/passwd"])
def test_broker_url_that_cannot_be_used_is_refused(url):
    assert refusal("--mqtt", url).startswith("smart-connect run: --mqtt: broker ")


@pytest.mark.parametrize("scheme, port", [("mqtts", 0), ("mqtt", 8883)])
def test_tls_is_spoken_and_never_left_out(start, meter, scheme, port):
    """By the scheme, and at the port that always means TLS: every connection begins with a ClientHello."""
    with listener("127.88.83.1", port) as peerless:
        server = start(f"{scheme}://127.88.83.1:{peerless.getsockname()[1]}")
        for _ in range(3):
            peer = peerless.accept()[0]
            hello = peer.recv(2000)
            assert hello[0] == 0x16 and hello[1] == 3, "a TLS handshake record"
            assert hello[5] == 1 and b"MQTT" not in hello, "a ClientHello"
            peer.close()
        meter.send(marked(1))
        server.wait_served()
        server.wait_log("trying again")
        assert not server.log("mqtt: connected")


def test_mqtt_is_off_until_a_broker_is_set(gateway):
    assert "mqtt=off" in gateway("sim:dsmr50").stdout()
