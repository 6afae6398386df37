"""The programs as they are shipped: what the compiler and the linker can do against whoever finds a flaw is done."""
import os
import pathlib
import platform
import re
import subprocess

import pytest

from harness import PROGRAM
from crash.kit import has_sanitizer

PROGRAMS = ["smart-connect", "smart-connect-fetch", "smart-connect-floor", "p1mb-config"]
LANDING = {"x86_64": "endbr64", "aarch64": "paciasp"}.get(platform.machine())  # what a function begins with

pytestmark = pytest.mark.skipif(has_sanitizer(PROGRAM), reason="programs with sanitizers are not shipped")


@pytest.fixture(params=PROGRAMS)
def readelf(request):
    """readelf(OPTION...): what it says of the program."""
    program = pathlib.Path(PROGRAM).parent / request.param

    def say(*options):
        return subprocess.run(["readelf", "-W", *options, program], capture_output=True, text=True, check=True,
                              env={**os.environ, "LC_ALL": "C"}).stdout
    return say


def test_it_lies_at_another_address_each_time(readelf):
    assert re.search(r"Type:\s+DYN ", readelf("-h"))
    assert re.search(r"FLAGS_1.*\bPIE\b", readelf("-d"))


def test_tables_of_the_linker_are_read_only(readelf):
    assert "GNU_RELRO" in readelf("-l")
    assert re.search(r"FLAGS.*\bBIND_NOW\b|FLAGS_1.*\bNOW\b", readelf("-d"))
    assert "TEXTREL" not in readelf("-d")


def test_no_memory_is_written_and_run(readelf):
    segments = re.findall(r"^\s+(?:LOAD|GNU_STACK)\s.*?\s([R ][W ][E ])\s", readelf("-l"), re.M)
    assert len(segments) > 3 and not [rights for rights in segments if rights[1:] == "WE"]


def test_libraries_come_from_the_system_only(readelf):
    assert not re.search(r"\((RPATH|RUNPATH)\)", readelf("-d"))


def test_stacks_and_buffers_are_watched(readelf):
    """The library's checking twins of memcpy, snprintf and so on are called."""
    symbols = readelf("--dyn-syms")
    assert "__stack_chk_fail" in symbols
    assert re.search(r"__\w+_chk\b", symbols.replace("__stack_chk_fail", ""))


@pytest.mark.skipif(not LANDING, reason="no such marks on this processor")
@pytest.mark.parametrize("program", PROGRAMS)
def test_jumps_lead_to_marked_places(program):
    """In code of ours: Debian's own beginning of a program is not marked, so the file as a whole is not."""
    said = subprocess.run(["objdump", "-d", "--disassemble=main", pathlib.Path(PROGRAM).parent / program],
                          capture_output=True, text=True, check=True).stdout
    assert LANDING in said
