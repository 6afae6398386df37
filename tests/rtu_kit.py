"""A Modbus RTU bus for tests: the gateway's port is a pseudo-terminal, the master is the test, or a program of its own
at the other end of a cable."""
import os
import re
import select
import struct
import subprocess
import sys
import time
import unittest.mock

from harness import DATA, DEADLINE, PtyMeter, crc16, wait_until

sys.modules.setdefault("serial_asyncio", unittest.mock.MagicMock())  # pymodbus wants it for clients nobody uses here
import pymodbus.client  # noqa: E402
import pymodbus.constants  # noqa: E402
import pymodbus.payload  # noqa: E402
import pymodbus.transaction  # noqa: E402


def sealed(data):
    return bytes(data) + crc16(bytes(data), 0xFFFF).to_bytes(2, "little")


def read(unit, address, count, function=3):
    return sealed([unit, function, *address.to_bytes(2, "big"), *count.to_bytes(2, "big")])


def write(unit, address, value):
    return sealed([unit, 6, *address.to_bytes(2, "big"), *value.to_bytes(2, "big")])


def registers(answer):
    """Those of an answer to a read; the frame is whole and its CRC good."""
    assert answer and sealed(answer[:-2]) == answer and answer[1] in (3, 4) and len(answer) == 5 + answer[2], answer
    return [int.from_bytes(answer[i:i + 2], "big") for i in range(3, len(answer) - 2, 2)]


class Bus(PtyMeter):
    """The test is the master."""

    def __init__(self, folder):
        super().__init__(folder, "ttyRS485")
        self.path = str(self.link)

    def hear(self, quiet_s=0.15, seconds=DEADLINE):
        """What comes until nothing more does; b"" when nothing comes at all within `seconds`."""
        heard, end = b"", time.monotonic() + seconds
        while select.select([self.master], [], [], quiet_s if heard else max(0, end - time.monotonic()))[0]:
            heard += os.read(self.master, 4096)
        return heard

    def ask(self, frame, seconds=DEADLINE):
        self.send(frame)
        return self.hear(seconds=seconds)

    def silent(self, frame, seconds=0.4):
        """Nothing is answered to that."""
        self.send(frame)
        heard = self.hear(seconds=seconds)
        assert heard == b"", f"{heard.hex(' ')} to {frame.hex(' ')}"

    def read(self, unit, address, count, function=3):
        return registers(self.ask(read(unit, address, count, function)))

    def write(self, unit, address, value):
        assert self.ask(write(unit, address, value)) == write(unit, address, value)


class Cable:
    """Two ports and a cable between them: one for the gateway, one for a master that is a program."""

    def __init__(self, folder):
        self.path, self.master = str(folder / "ttySLAVE"), str(folder / "ttyMASTER")
        ends = [f"pty,raw,echo=0,link={path}" for path in (self.path, self.master)]
        self.socat = subprocess.Popen(["socat", *ends])
        wait_until(lambda: os.path.exists(self.path) and os.path.exists(self.master), "the cable")

    def close(self):
        self.socat.terminate()
        self.socat.wait()


# --- masters -----------------------------------------------------------------------------------

THREE_PHASE = DATA / "p1" / "dsmr50_three_phase.txt"
# What the telegram says.  It has no frequency: the nominal one is shown.
U1, I1, P, P2, IMPORT, HZ = 233.4, 2, 412, -209, 8623831, 50
EMPRO = "PhoenixContact-EMPro"
# By map, as its masters ask and decode: function, address, type of struct (swapped: the low word first), what one is
# worth, value.
MASTERS = {
    EMPRO: [(3, 0x8006, "swapped f", 1, U1), (4, 0x800E, "swapped f", 1, I1), (3, 0x8016, "swapped f", 1, P),
            (3, 0x8020, "swapped f", 1, P2), (3, 0x8100, "swapped f", 1, IMPORT), (3, 0x800C, "swapped f", 1, HZ)],
    "Eastron-SDM630": [(3, 0xFC02, "H", 1, 0x70), (4, 0x0000, "f", 1, U1), (4, 0x0006, "f", 1, I1),
                       (4, 0x0034, "f", 1, P), (4, 0x000E, "f", 1, P2), (4, 0x0048, "f", 1000, IMPORT),
                       (4, 0x0046, "f", 1, HZ)],
    "Inepro-PRO380": [(3, 0x5002, "f", 1, U1), (3, 0x500C, "f", 1, I1), (3, 0x5012, "f", 1000, P),
                      (3, 0x5016, "f", 1000, P2), (3, 0x600C, "f", 1000, IMPORT), (3, 0x5008, "f", 1, HZ)],
    "Acrel-ACR10RH": [(3, 0xF3, "H", 0.1, U1), (3, 0xF9, "H", 0.1, I1), (3, 0x0103, "i", 1, P), (3, 0xFF, "i", 1, P2),
                      (3, 0xFC, "H", 0.01, HZ)],
    "Xemex": [(3, 0x4002, "H", 1, 20802), (3, 0x500C, "f", 1, I1), (3, 0x5012, "f", 1000, P)],
    "SunSpec": [(3, 40000, "I", 1, int.from_bytes(b"SunS", "big")), (3, 40002, "H", 1, 1),
                (3, 40070, "H", 1, 203), (3, 40070 + 8, "h", 0.1, U1), (3, 40177, "H", 1, 213),
                (3, 40177 + 28, "f", 1, P), (3, 40177 + 32, "f", 1, P2), (3, 40177 + 68, "f", 1, IMPORT),
                (3, 40177 + 26, "f", 1, HZ)],
    "CarloGavazzi-EM24": [(3, 0x000B, "H", 1, 1650), (3, 0x0000, "swapped i", 0.1, U1),
                          (4, 0x000C, "swapped i", 0.001, I1), (3, 0x0028, "swapped i", 0.1, P),
                          (3, 0x0014, "swapped i", 0.1, P2), (3, 0x0033, "h", 0.1, HZ)],
    "ABB-B23": [(3, 0x5B00, "I", 0.1, U1), (3, 0x5B0C, "I", 0.01, I1), (3, 0x5B14, "i", 0.01, P),
                (3, 0x5B18, "i", 0.01, P2), (3, 0x5000, "Q", 10, IMPORT), (3, 0x5B2C, "H", 0.01, HZ)],
}
# What mbpoll calls the types it knows.
MBPOLL = {"f": "float", "swapped f": "float", "i": "int", "swapped i": "int"}
UNIT = 16


def worth(peer, function, address, kind, scale):
    """A value as a master makes it of the registers."""
    order, size = kind.split()[:-1], struct.calcsize(kind[-1])
    read = {3: peer.read_holding_registers, 4: peer.read_input_registers}[function]
    registers = read(address, size // 2, slave=UNIT).registers
    if order == ["swapped"]:
        registers = registers[::-1]
    return struct.unpack(f">{kind[-1]}", struct.pack(f">{len(registers)}H", *registers))[0] * scale


def mbpoll_worth(function, address, kind, scale, *way):
    """The same by mbpoll, at `way`: its options that say where."""
    swap = [] if kind.startswith("swapped") else ["-B"]
    done = subprocess.run(["mbpoll", "-a", str(UNIT), "-0", "-r", str(address), "-1", *swap,
                           "-t", f"{ {3: 4, 4: 3}[function]}:{MBPOLL[kind]}", *way],
                          capture_output=True, text=True, timeout=20, check=True)
    return float(re.search(r"^\[\d+\]:\s+(\S+)", done.stdout, re.M).group(1)) * scale
