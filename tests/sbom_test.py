"""The bill of materials that tools/make-sbom writes: whatever the programs are linked with is in it, with a version."""
import json
import os
import re
import subprocess

import pytest

from harness import PROGRAM, SOURCES, run

CONFIGURATOR = os.environ.get("P1MB_CONFIG", str(SOURCES / "build" / "p1mb-config"))


def make(program, **environment):
    return subprocess.run([SOURCES / "tools" / "make-sbom", program], capture_output=True, text=True, check=False,
                          env={**os.environ, **environment})


def needed(program):
    """As the dynamic linker's own listing has it, which is not what the tool asks."""
    shown = subprocess.run(["objdump", "-p", program], capture_output=True, text=True, check=True).stdout
    return set(re.findall(r"NEEDED +(\S+)", shown))


@pytest.mark.parametrize("program", [PROGRAM, CONFIGURATOR], ids=["smart-connect", "p1mb-config"])
def test_every_library_is_listed_with_the_version_that_is_installed(program):
    bill = json.loads(make(program).stdout)
    assert bill["bomFormat"] == "CycloneDX" and bill["specVersion"] == "1.5"
    listed = {}
    for component in bill["components"]:
        installed = subprocess.run(["dpkg-query", "--show", "--showformat=${Version}\n", component["name"]],
                                   capture_output=True, text=True, check=True).stdout.splitlines()
        assert component["version"] in installed and component["purl"].startswith(f"pkg:deb/debian/{component['name']}@")
        for entry in component["properties"]:
            if entry["name"] == "elf:needed":
                listed[entry["value"]] = component["name"]
    assert len(listed) >= 2 and set(listed) == needed(program)
    assert bill["dependencies"][0]["dependsOn"] == [c["bom-ref"] for c in bill["components"]]


def test_the_program_itself_is_its_subject_with_its_version():
    itself = json.loads(make(PROGRAM).stdout)["metadata"]["component"]
    version = run("version").stdout.decode().split()[1]
    assert (itself["name"], itself["version"], itself["type"]) == ("smart-connect", version, "application")
    assert itself["licenses"] == [{"license": {"id": "Apache-2.0"}}]


def test_it_is_the_same_each_time():
    assert make(PROGRAM, SOURCE_DATE_EPOCH="0").stdout == make(PROGRAM, SOURCE_DATE_EPOCH="0").stdout
    assert json.loads(make(PROGRAM, SOURCE_DATE_EPOCH="0").stdout)["metadata"]["timestamp"] == "1970-01-01T00:00:00Z"


def test_what_is_no_program_is_refused():
    done = make("/etc/passwd")
    assert done.returncode == 1 and done.stdout == "" and done.stderr.startswith("make-sbom: ")
