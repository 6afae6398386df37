"""The manual pages: well formed, and of the same commands and options as the programs' help."""
import os
import re
import subprocess

import pytest

from harness import PROGRAM, SOURCES

CONFIGURATOR = os.environ.get("P1MB_CONFIG", str(SOURCES / "build" / "p1mb-config"))
PAGES = sorted((SOURCES / "man").iterdir())


def page(name):
    return (SOURCES / "man" / name).read_text(encoding="utf-8")


def section(text, title):
    return re.search(rf'^\.Sh {title}\n(.*?)(?=^\.Sh |\Z)', text, re.M | re.S)[1]


def help_of(*command):
    return subprocess.run([*command, "--help"], capture_output=True, text=True, check=True).stdout


def flags_of_help(text):
    return set(re.findall(r"--([a-z][a-z0-9-]*)", text)) - {"help"}


def flags_of_page(text):
    """Of macros: .Op Fl -json"""
    return set(re.findall(r"\bFl -([a-z][a-z0-9-]*)", text)) - {"help"}


def synopsis(text):
    """Macros of each command, by its name; "" is what stands without one."""
    parts = re.split(r"^\.Nm\n", section(text, "SYNOPSIS"), flags=re.M)[1:]
    named = [(re.match(r"\.Cm (\S+)\n", part), part) for part in parts]
    return {(found[1] if found else ""): part for found, part in named}


@pytest.mark.parametrize("path", PAGES, ids=lambda p: p.name)
def test_page_is_well_formed(path):
    done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_every_command_of_the_gateway_is_in_its_page_and_no_other():
    commands = set(re.findall(r"^  ([a-z-]+) ", help_of(PROGRAM), re.M))
    assert len(commands) >= 8
    text = page("smart-connect.1")
    assert set(synopsis(text)) - {""} == commands
    assert set(re.findall(r"^\.It Cm (\S+)$", section(text, "DESCRIPTION"), re.M)) == commands


@pytest.mark.parametrize("command", ["decode", "simulate", "registers", "label"])
def test_synopsis_of_the_gateway_has_the_options_of_each_command(command):
    flags = flags_of_help(help_of(PROGRAM, command))
    assert flags and flags_of_page(synopsis(page("smart-connect.1"))[command]) == flags


def test_keys_of_the_device_file_are_the_options_of_run():
    flags = set(re.findall(r"^  --(\S+)", help_of(PROGRAM, "run"), re.M)) - {"config"}
    assert len(flags) > 50
    assert set(re.findall(r"^\.It Sy (\S+) No =", page("smart-connect.conf.5"), re.M)) == flags
    assert set(re.findall(r"^\.It Fl -(\S+)", section(page("smart-connect.1"), "OPTIONS OF RUN"), re.M)) \
        == flags | {"config"}


def test_page_of_the_configurator_has_its_commands_and_options():
    text, said = page("p1mb-config.1"), help_of(CONFIGURATOR)
    commands = set(re.findall(r"^  ([a-z]+) ", said, re.M))
    assert commands == {"read", "write", "reboot", "ports"} == set(synopsis(text)) - {""}
    flags = flags_of_help(said)
    assert len(flags) > 8 and flags_of_page(section(text, "OPTIONS")) == flags
    assert flags_of_page(synopsis(text)["write"]) | {"json", "version"} == flags
