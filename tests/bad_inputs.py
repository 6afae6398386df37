"""The catalogue of bad inputs: bad_inputs.csv names each, with what must happen; tests say which they show.

    @bad_input("A", "empty", "no-slash")                        a test that shows both
    pytest.param(..., marks=bad_input("D", "short-1"))          a case of a table that shows one
    named("F", CASES)                                           a table of cases by name: each that the catalogue has

With $BAD_INPUTS, a folder, conftest.py writes down what passed; `bad_inputs.py FOLDER` counts it, and fails while a
name of the catalogue is not shown.
"""
import collections
import csv
import os
import pathlib
import sys

TABLE = pathlib.Path(__file__).with_name("bad_inputs.csv")
GROUPS = {"A": "P1", "B": "P1, meaning", "C": "TIC", "D": "Modbus", "E": "JSON and settings", "F": "HTTP",
          "G": "MQTT, a hostile broker", "H": "mDNS, DHCP, DNS", "I": "bundles"}


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


def named(group, names):
    """Parameters of a test for each name, marked if the catalogue has it."""
    import pytest
    known = catalogue()
    return [pytest.param(name, marks=pytest.mark.bad_input(group, name)) if (group, name) in known else name
            for name in names]


def write_down(item):
    """The item has passed."""
    folder = os.environ.get("BAD_INPUTS")
    marks = list(item.iter_markers("bad_input"))
    if not folder or not marks:
        return
    path = pathlib.Path(folder)
    path.mkdir(parents=True, exist_ok=True)
    with (path / pathlib.Path(item.fspath).stem).open("a") as file:
        for mark in marks:
            group, *names = mark.args
            file.writelines(f"{group},{name},{item.name}\n" for name in names)


def shown(folder):
    """(group, name) to the tests that passed with it."""
    tests = collections.defaultdict(set)
    for path in sorted(pathlib.Path(folder).iterdir()):
        for line in path.read_text().splitlines():
            group, name, test = line.split(",", 2)
            tests[group, name].add(f"{path.name}: {test}")
    return tests


def report(folder):
    """Prints a line for each group and for each name that is missing; returns how many are."""
    names, tests = catalogue(), shown(folder)
    missing = [key for key in names if key not in tests]
    for group, title in GROUPS.items():
        here = [key for key in names if key[0] == group]
        print(f"{group}  {title:24} {len([key for key in here if key in tests]):3} of {len(here):3}")
    print(f"bad inputs: {len(names) - len(missing)} of {len(names)} show the expected reaction")
    for group, name in missing:
        print(f"  not shown: {group} {name}: {names[group, name]}")
    return len(missing)


if __name__ == "__main__":
    sys.exit(1 if report(sys.argv[1]) else 0)
