"""A Modbus RTU bus for tests: the gateway's port is a pseudo-terminal, the master is the test, or a program of its own
at the other end of a cable."""
import os
import select
import subprocess
import sys
import time
import unittest.mock

from harness import DEADLINE, PtyMeter, crc16, wait_until

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
