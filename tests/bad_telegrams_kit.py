"""What the tables of bad P1 telegrams and TIC frames share: a case, and what readings look like where they come out."""
import collections
import math
import socket
import struct
import subprocess
import tempfile
import threading
import time

from harness import DEADLINE, PROGRAM, SANITIZER_COMPLAINT, Client, clean_environment, wait_until
from https_client import Https, serve

NOW = int(time.time())  # what every good telegram says
DAY_S = 86400  # the meter's time counts while it is not further off

# What the floats from this register on show.
REGISTERS = 0x8000
SHOWN = (["line_voltage_l12_v", "line_voltage_l32_v", "line_voltage_l31_v"]
         + [f"meter_voltage_l{n}_v" for n in (1, 2, 3)] + ["frequency_hz"] + [f"current_l{n}_a" for n in (1, 2, 3)]
         + ["current_neutral_a", "power_w", "reactive_var", "apparent_va", "power_factor"]
         + [f"{what}_l{n}_{unit}" for what, unit in (("power", "w"), ("reactive", "var"), ("apparent", "va"))
            for n in (1, 2, 3)] + [f"power_factor_l{n}" for n in (1, 2, 3)])
ENERGIES = {0x8100: "energy_import_wh", 0x8106: "energy_export_wh"}

# The keys of power_instant, and what each shows.
INSTANT = {"P": "power_w", "P+": "power_import_w", "P-": "power_export_w", "E_IMPORT": "energy_import_wh",
           "E_EXPORT": "energy_export_wh", "U12": "voltage_l12_v", "U31": "voltage_l31_v", "U32": "voltage_l32_v",
           "Q": "reactive_var", "Q+": "reactive_import_var", "Q-": "reactive_export_var",
           **{f"EQ{n}": f"reactive_energy_q{n}_varh" for n in (1, 2, 3, 4)}, "PFAIL": "power_failures",
           "LPFAIL": "long_power_failures", "PF": "power_factor", "S": "apparent_va"}
INSTANT_OF_PHASE = {"U": "voltage_{}_v", "I": "current_{}_a", "P": "power_{}_w", "P+": "power_import_{}_w",
                    "P-": "power_export_{}_w", "Q": "reactive_{}_var", "Q+": "reactive_import_{}_var",
                    "Q-": "reactive_export_{}_var", "VSAGS": "voltage_sags_{}", "VSWELLS": "voltage_swells_{}",
                    "S": "apparent_{}_va"}


class Case:
    """Bytes, the readings that must come of them, in this order, and which counts go up by how much."""

    def __init__(self, sent, *readings, **counts):
        self.sent, self.readings, self.counts = sent, list(readings), collections.Counter(counts)


def voltages(*volts):
    """What follows from the voltages of three phases, each to three decimals."""
    def line(a, b):
        return round(math.sqrt(a * a + b * b + a * b), 3)
    u1, u2, u3 = volts
    lines = {"line_voltage_l12_v": line(u1, u2), "line_voltage_l32_v": line(u3, u2), "line_voltage_l31_v": line(u3, u1)}
    return {**{f"{whose}voltage_l{n}_v": u for whose in ("", "meter_") for n, u in enumerate(volts, 1)}, **lines,
            "voltage_mean_ln_v": round(sum(volts) / 3, 3), "voltage_mean_ll_v": round(sum(lines.values()) / 3, 3)}


def currents(*amperes):
    return {**{f"{whose}current_l{n}_a": i for whose in ("", "meter_") for n, i in enumerate(amperes, 1)},
            "current_mean_a": round(sum(amperes) / 3, 3)}


# --- where they come out -----------------------------------------------------------------------

def instant(reading):
    """power_instant of a reading, as `decode` shows it: what is not known is null."""
    values = reading["values"]
    phases = {f"l{n}": {key: values.get(name.format(f"l{n}")) for key, name in INSTANT_OF_PHASE.items()}
              for n in (1, 2, 3)}
    return {"ts": reading["meter_ts"], **{key: values.get(name) for key, name in INSTANT.items()}, **phases}


def known(floats_read):
    """What registers show; None for NaN, what is not known."""
    return tuple(None if math.isnan(value) else value for value in floats_read)


def polled(reading):
    """The registers of a reading from REGISTERS on, as `known` has them."""
    values = [reading["values"].get(name, math.nan) for name in SHOWN]
    return known(struct.unpack(f"{len(values)}f", struct.pack(f"{len(values)}f", *values)))


def pieces(data, size):
    """The bytes, so many at a time."""
    return [data[at:at + size] for at in range(0, len(data), size)]


def decode(*received):
    """What `decode` says of bytes, which it gets in these pieces: its output and its complaints."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)  # a read takes one piece, never two
    with ours, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as said:
        with subprocess.Popen([PROGRAM, "decode", "-"], stdin=theirs, stdout=out, stderr=said,
                              env=clean_environment()) as program:
            theirs.close()
            for piece in received:
                ours.send(piece)
            ours.shutdown(socket.SHUT_WR)
            code = program.wait(DEADLINE)
        out.seek(0)
        said.seek(0)
        out, said = out.read(), said.read().decode()
    assert not SANITIZER_COMPLAINT.search(said), said
    assert code == (0 if out else 1), code
    return out, said


class House:
    """A gateway that reads one meter for all cases, a charger that polls it all the time, and a user."""

    def __init__(self, start, folder, meter):
        self.server, login = serve(start, folder, "--unknown", "nan", "--stale-after", "3600", meter=meter.url)
        self.meter, self.user, self.sent = meter, Https(self.server, login), 0
        self.polled, self.ended, self.polling = set(), threading.Event(), threading.Lock()
        self.charger = threading.Thread(target=self.poll, daemon=True)

    def begin(self, telegram):
        """The first telegram, and from then on the charger."""
        self.send(telegram)
        self.charger.start()

    def poll(self):
        """Keeps each different answer that the charger has got."""
        with Client(self.server.port) as client:
            while not self.ended.wait(0.01):
                with self.polling:
                    self.polled.add(known(client.floats(REGISTERS, len(SHOWN))))

    def forget(self):
        """From now on `polled` has what the charger gets from now on."""
        with self.polling:
            self.polled.clear()

    def send(self, *sent):
        """Sends these pieces, and waits until the gateway has taken them in; its counters then."""
        for piece in sent:
            self.meter.send(piece)
        self.sent += sum(map(len, sent))
        return wait_until(lambda: self.counters()["bytes"] == self.sent and self.counters(), "all bytes taken in")

    def counters(self):
        return self.user.get("/api/v1/status").json()["State"]["Counters"]

    def close(self):
        assert self.charger.is_alive(), "the charger has always been served"
        self.ended.set()
        self.charger.join(DEADLINE)
        self.user.close()
        self.server.stop()
        self.meter.close()


def assert_shown(house, case):
    """API and registers show the last reading of this case, and its telegram, all of which has come.  The time is the
    gateway's own where the meter's cannot be used."""
    reading, shown = case.readings[-1], house.user.get("/api/v1/readings").json()
    ts, _ = shown.pop("ts"), shown.pop("sequence")
    assert shown == reading
    usable = reading["meter_ts"] and abs(reading["meter_ts"] - time.time()) < DAY_S
    assert ts == reading["meter_ts"] if usable else abs(ts - time.time()) < DEADLINE
    with house.server.client() as client:
        assert known(client.floats(REGISTERS, len(SHOWN))) == polled(reading)
        for address, name in ENERGIES.items():
            wh = reading["values"].get(name)
            assert known(client.floats(address, 1)) == (wh and struct.unpack("f", struct.pack("f", wh))[0],)
    telegram = house.user.get("/api/v1/telegram").body
    assert telegram and telegram.rstrip(b"\r\n") in case.sent
