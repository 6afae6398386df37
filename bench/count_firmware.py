"""Counts instructions of the firmware on an emulated board, interrupts included; prints JSON.

A program of its own, for it uses what the tests share: count_firmware.py FOLDER TELEGRAM...  There is a count for each
file.  QEMU logs every instruction.  How often the main loop goes round meanwhile is a matter of the emulator's speed,
so as many rounds in which nothing happens are taken off.
"""
import json
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests"))
from firmware_kit import UNIT, Board, Lm3s  # noqa: E402
from rtu_kit import read  # noqa: E402

IDLE_S, SETTLE_S, TRIES = 1, 0.05, 8


class Counter:
    """What a board executes."""

    def __init__(self, folder):
        self.board = Board(folder, Lm3s, options=["-singlestep"])
        self.board.be_exact()
        self.folder, self.logs = folder, 0
        self.round_begins = b"/%08x/" % (self.board.symbol["uart_errors"] & ~1)
        instructions, rounds = self.executed(lambda: time.sleep(IDLE_S))
        self.a_round = instructions / rounds

    def executed(self, act):
        """Instructions, and how often the loop went round."""
        self.logs += 1
        path = self.folder / f"executed{self.logs}"
        self.board.monitor.human(f"logfile {path}")
        self.board.monitor.human("log exec,nochain")
        act()
        self.board.monitor.human("log none")
        log = path.read_bytes()
        path.unlink()
        return log.count(b"\nTrace ") + log.startswith(b"Trace "), log.count(self.round_begins)

    def count(self, act):
        """Instructions that `act` causes: the fewest of some tries, for a round that waits does a little more."""
        def once():
            instructions, rounds = self.executed(act)
            return instructions - rounds * self.a_round
        return min(once() for _ in range(TRIES))

    def hear(self, telegram):
        """Byte by byte, as a line brings it."""
        for i in range(len(telegram)):
            self.board.p1.send(telegram[i:i + 1])
            self.board.p1.await_read()
        time.sleep(SETTLE_S)

    def poll(self, registers):
        assert self.board.ask(read(UNIT, 0, registers, 4))
        time.sleep(SETTLE_S)


def main():
    folder, *telegrams = map(pathlib.Path, sys.argv[1:])
    counter = Counter(folder)
    print(json.dumps({
        "round": counter.a_round,
        "telegrams": [counter.count(lambda data=path.read_bytes(): counter.hear(data)) for path in telegrams],
        "replies": [counter.count(lambda n=n: counter.poll(n)) for n in (2, 125)]}))
    counter.board.power_down()


if __name__ == "__main__":
    main()
