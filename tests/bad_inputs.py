"""The catalogue of bad inputs: bad_inputs.csv names each, with what must happen; tests say which they show.

    @bad_input("A", "empty", "no-slash")                        a test that shows both
    pytest.param(..., marks=bad_input("D", "short-1"))          a case of a table that shows one
    named("F", CASES)                                           a table of cases by name: each that the catalogue has

With $BAD_INPUTS, a folder, conftest.py writes down what passed, and what was skipped for want of rights or tools;
`bad_inputs.py FOLDER` counts it, and fails while a name of the catalogue is neither.
"""
import csv
import functools
import os
import pathlib
import sys

from figures import note

TABLE = pathlib.Path(__file__).with_name("bad_inputs.csv")
GROUPS = {"A": "P1", "B": "P1, meaning", "C": "TIC", "D": "Modbus", "E": "JSON and settings", "F": "HTTP",
          "G": "MQTT, a hostile broker", "H": "mDNS, DHCP, DNS", "I": "bundles"}


@functools.cache
def catalogue():
    """(group, name) to the reaction expected, in the order of the table."""
    with TABLE.open(newline="") as file:
        rows = [(row["group"], row["name"], row["reaction"]) for row in csv.DictReader(file)]
    names = {(group, name): reaction for group, name, reaction in rows}
    assert len(names) == len(rows), f"{TABLE.name}: a name stands twice"
    return names


def bad_input(group, *names):
    """A mark for a test, or a case of it, that shows what becomes of these."""
    import pytest
    unknown = [name for name in names if (group, name) not in catalogue()]
    assert not unknown, f"{TABLE.name} has no {group}: {unknown}"
    return pytest.mark.bad_input(group, *names)


def in_catalogue(group, name):
    return (group, name) in catalogue()


def named(group, names):
    """Parameters of a test for each name, marked if the catalogue has it."""
    import pytest
    return [pytest.param(name, marks=pytest.mark.bad_input(group, name)) if in_catalogue(group, name) else name
            for name in names]


def write_down(item, outcome):
    """The item has "passed", or was "skipped"."""
    folder = os.environ.get("BAD_INPUTS")
    marks = list(item.iter_markers("bad_input"))
    if not folder or not marks:
        return
    path = pathlib.Path(folder)
    path.mkdir(parents=True, exist_ok=True)
    with (path / f"{pathlib.Path(item.fspath).stem}.{outcome}").open("a") as file:
        for mark in marks:
            group, *names = mark.args
            file.writelines(f"{group},{name},{item.name}\n" for name in names)


def written(folder, outcome):
    """The (group, name) of all tests that ended so."""
    lines = [line for path in pathlib.Path(folder).glob(f"*.{outcome}") for line in path.read_text().splitlines()]
    return {tuple(line.split(",", 2)[:2]) for line in lines}


def report(folder):
    """Prints a line for each group and for each name that is missing; returns how many are, but for those skipped here."""
    names, passed, skipped = catalogue(), written(folder, "passed"), written(folder, "skipped")
    missing = [key for key in names if key not in passed]
    for group, title in GROUPS.items():
        here = [key for key in names if key[0] == group]
        note("inputs", f"{group}: {title}", f"{len(passed.intersection(here))} of {len(here)}", "all")
    note("inputs", "bad inputs that show the expected reaction", f"{len(names) - len(missing)} of {len(names)}", "all")
    for group, name in missing:
        print(f"  {'skipped here' if (group, name) in skipped else 'not shown'}: {group} {name}: {names[group, name]}")
    return len(set(missing) - skipped)


if __name__ == "__main__":
    sys.exit(1 if report(sys.argv[1]) else 0)
