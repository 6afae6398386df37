"""docs/security.md says of each requirement what shows it: that must be there."""
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parent.parent
ROW = re.compile(r"^\| (\d+) \|.*\| ([^|]*) \|$", re.M)
REQUIREMENTS = 34


def rows():
    """Number to the tests that are named."""
    text = (ROOT / "docs" / "security.md").read_text().partition("## Assessment")[2]
    return {int(number): re.findall(r"`([^`]+)::(\w+)`", cell) for number, cell in ROW.findall(text)}


def test_each_row_names_tests_that_exist():
    table = rows()
    assert sorted(table) == list(range(1, REQUIREMENTS + 1)) and all(table.values())
    missing = [f"{number}: {file}::{name}" for number, tests in table.items() for file, name in tests
               if not re.search(rf"^(def|static void) {name}\(", (ROOT / file).read_text(), re.M)]
    assert not missing


def test_the_policy_is_there():
    """Where to report, how soon one hears, and for how long there are updates."""
    policy = (ROOT / "SECURITY.md").read_text()
    assert re.search(r"within \d+ days", policy) and re.search(r"for five years", policy) and "private" in policy
