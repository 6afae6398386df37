#!/usr/bin/python3
"""The front of a box, as hardware: runs in the guest, plays what real drivers of the kernel then drive.

    key    a button with the code KEY_PROG1                                     /dev/uinput   -> /dev/input/eventN
    light  a light in red, green and blue: that of a DualSense game controller  hid-playstation -> the multicolour LED class
    pins   eight pins, pulled up: those of a CP2112                             hid-cp2112    -> /dev/gpiochipN

Commands come from a named pipe, a line each: `key 1`, `pin 7 0`, `pull key`, `plug key`, `later 0.3 key 0`.  What the
hardware is made to do is told on stdout, with the seconds since boot, as is each command when it is done:
`12.345 light 0 0 255`, `12.345 pins 01000000` (pin 0 first), `12.345 did key 0`.
"""
import fcntl
import os
import select
import struct
import sys
import time

LINK_BITS = (0x06, 0x00, 0xFF, 0x09, 0x01, 0xA1, 0x01, 0x09, 0x01, 0x15, 0x00, 0x26, 0xFF, 0x00, 0x75, 0x08, 0x95, 0x3F,
             0x81, 0x02, 0xC0)  # a HID report descriptor: 63 bytes of the vendor's own; the drivers know better


def now():
    return time.clock_gettime(time.CLOCK_MONOTONIC)


def tell(*words):
    print(f"{now():.3f}", *words, flush=True)


class Key:
    """A button, see linux/uinput.h."""
    SET_EVENT, SET_KEY, SETUP, CREATE = 0x40045564, 0x40045565, 0x405C5503, 0x5501
    EV_SYN, EV_KEY, KEY_PROG1, BUS_HOST = 0, 1, 148, 0x19

    def __init__(self):
        self.device = os.open("/dev/uinput", os.O_RDWR)
        fcntl.ioctl(self.device, self.SET_EVENT, self.EV_KEY)
        fcntl.ioctl(self.device, self.SET_KEY, self.KEY_PROG1)
        fcntl.ioctl(self.device, self.SETUP, struct.pack("<4H80sI", self.BUS_HOST, 1, 1, 1, b"box-button", 0))
        fcntl.ioctl(self.device, self.CREATE)

    def set(self, level):
        for kind, code, value in ((self.EV_KEY, self.KEY_PROG1, level), (self.EV_SYN, 0, 0)):
            os.write(self.device, struct.pack("<qqHHi", 0, 0, kind, code, value))

    def heard(self):
        os.read(self.device, 4096)

    def pull(self):
        os.close(self.device)


class Hid:
    """A HID device on USB, see linux/uhid.h."""
    OUTPUT, GET, GET_REPLY, CREATE, SET, SET_REPLY = 6, 9, 10, 11, 13, 14
    EVENT_SIZE, BUS_USB, EIO = 4376, 3, 5
    name, vendor, product = b"", 0, 0

    def __init__(self):
        self.device = os.open("/dev/uhid", os.O_RDWR)
        descriptor = bytes(LINK_BITS)
        self.write(self.CREATE, struct.pack("<128s64s64sHH4I", self.name, b"", b"", len(descriptor), self.BUS_USB,
                                            self.vendor, self.product, 0x100, 0) + descriptor)

    def write(self, kind, data):
        os.write(self.device, struct.pack("<I", kind) + data)

    def heard(self):
        event = os.read(self.device, self.EVENT_SIZE)
        kind = struct.unpack_from("<I", event)[0]
        if kind == self.GET:
            request, report = struct.unpack_from("<IB", event, 4)
            data = self.get(report)
            self.write(self.GET_REPLY, struct.pack("<IHH", request, 0 if data else self.EIO, len(data)) + data)
        elif kind == self.SET:
            request, report, _, size = struct.unpack_from("<IBBH", event, 4)
            self.set_report(report, event[12:12 + size])
            self.write(self.SET_REPLY, struct.pack("<IH", request, 0))
        elif kind == self.OUTPUT:
            self.output(event[4:4 + struct.unpack_from("<H", event, 4100)[0]])

    def get(self, report):
        """A feature report, its number first; empty: there is none."""
        return b""

    def set_report(self, report, data):
        pass

    def output(self, data):
        pass

    def pull(self):
        os.close(self.device)


class Light(Hid):
    """DualSense: its output report 2 sets the light where bit 2 of the second flags says so."""
    name, vendor, product = b"box-light", 0x054C, 0x0CE6
    OUTPUT_REPORT, FLAGS, HAS_LIGHT, RED = 2, 2, 4, 45
    # Calibration: no bias, full scale of each axis in both directions; pairing: an address; firmware: versions.
    REPORTS = {0x05: struct.pack("<B17h6x", 5, 0, 0, 0, *(8192, -8192) * 3, 540, 540, *(8192, -8192) * 3),
               0x09: bytes([9, 2, 0, 0, 0, 0x17, 0x71]).ljust(20, b"\0"),
               0x20: bytes([0x20]).ljust(64, b"\1")}

    def get(self, report):
        return self.REPORTS.get(report, b"")

    def output(self, data):
        if data[0] == self.OUTPUT_REPORT and data[self.FLAGS] & self.HAS_LIGHT:
            tell("light", *data[self.RED:self.RED + 3])


class Pins(Hid):
    """CP2112: feature reports set directions (1: out) and levels, and read them."""
    name, vendor, product = b"box-pins", 0x10C4, 0xEA90
    DIRECTIONS, READ, WRITE = 2, 3, 4
    OTHERS = {0x05: bytes([5, 0x0C, 2]), 0x06: bytes([6]).ljust(14, b"\0"), 0x20: bytes([0x20, 0])}

    def __init__(self):
        self.directions, self.outside, self.written = 0, 0xFF, 0xFF
        super().__init__()

    def levels(self):
        return self.outside & ~self.directions | self.written & self.directions

    def get(self, report):
        if report == self.DIRECTIONS:
            return bytes([report, self.directions, 0xFF, 0, 0])
        return bytes([report, self.levels()]) if report == self.READ else self.OTHERS.get(report, b"")

    def set_report(self, report, data):
        before = self.levels()
        if report == self.DIRECTIONS:
            self.directions = data[1]
        elif report == self.WRITE:
            self.written = self.written & ~data[2] | data[1] & data[2]
        if self.levels() != before:
            tell("pins", f"{self.levels():08b}"[::-1])

    def set(self, pin, level):
        self.outside = self.outside & ~(1 << pin) | level << pin


KINDS = {"key": Key, "light": Light, "pins": Pins}


class Panel:
    def __init__(self, pipe):
        os.mkfifo(pipe)
        self.commands = os.open(pipe, os.O_RDWR)  # also for writing, so that it never ends
        self.parts = {name: kind() for name, kind in KINDS.items()}
        self.rest, self.later = b"", []

    def do(self, command, *words):
        if command == "later":
            self.later = sorted([*self.later, (now() + float(words[0]), words[1:])])
        elif command == "plug":
            self.parts[words[0]] = KINDS[words[0]]()
        elif command == "pull":
            self.parts.pop(words[0]).pull()
        else:
            self.parts["pins" if command == "pin" else command].set(*map(int, words))
        tell("did", command, *words)

    def read_commands(self):
        *lines, self.rest = (self.rest + os.read(self.commands, 4096)).split(b"\n")
        for line in lines:
            self.do(*line.decode().split())

    def turn(self):
        patience = max(0, self.later[0][0] - now()) if self.later else None
        ready = select.select([self.commands, *(part.device for part in self.parts.values())], [], [], patience)[0]
        for part in self.parts.values():
            if part.device in ready:
                part.heard()
        if self.commands in ready:
            self.read_commands()
        while self.later and self.later[0][0] <= now():
            self.do(*self.later.pop(0)[1])


panel = Panel(sys.argv[1])
while True:
    panel.turn()
