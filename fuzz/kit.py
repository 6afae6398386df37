"""What the tools about fuzzing share: the table of targets, and what is kept of each as its corpus.

A corpus is a text of one input a line, written as a string of Python or C: \\x00, \\n, \\\\.  So it can be read, and
compared a line at a time.
"""
import dataclasses
import pathlib
import shutil

ROOT = pathlib.Path(__file__).resolve().parent.parent
HERE = ROOT / "fuzz"
INPUT_MAX = 16384  # bytes


@dataclasses.dataclass(frozen=True)
class Target:
    name: str
    library: str
    seeds: pathlib.Path
    sources: tuple

    @property
    def corpus(self):
        return HERE / "corpus" / f"{self.name}.txt"

    @property
    def dictionary(self):
        """None where its inputs are no text."""
        path = HERE / "dictionaries" / f"{self.name}.dict"
        return path if path.exists() else None

    def program(self, build):
        return build / "fuzz" / f"{self.name}_fuzz"


def targets(names=()):
    """The rows of the table; with names, those."""
    rows = [line.split() for line in (HERE / "targets").read_text().splitlines() if line and line[0] != "#"]
    found = {row[0]: Target(row[0], row[1], ROOT / row[2], tuple(row[3:])) for row in rows}
    unknown = set(names) - set(found)
    assert not unknown, f"no fuzz target: {', '.join(sorted(unknown))}"
    return [found[name] for name in names or found]


def inputs(target):
    """What is kept of it."""
    if not target.corpus.exists():
        return []
    lines = target.corpus.read_text(encoding="ascii").splitlines()
    return [line.encode().decode("unicode_escape").encode("latin-1") for line in lines]


def keep(target, kept):
    """In place of what was kept."""
    target.corpus.parent.mkdir(exist_ok=True)
    lines = sorted(one.decode("latin-1").encode("unicode_escape") for one in set(kept))
    target.corpus.write_bytes(b"".join(line + b"\n" for line in lines))


def first_inputs(target, folder):
    """Makes it a folder of the inputs that were made for it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for seed in target.seeds.iterdir():
        if seed.is_file() and seed.stat().st_size <= INPUT_MAX:
            shutil.copy(seed, folder / seed.name)
    return folder


def unpack(target, folder):
    """Makes it a folder of these, and of what is kept."""
    first_inputs(target, folder)
    for i, one in enumerate(inputs(target)):
        (folder / f"{i:04}").write_bytes(one)
    return folder
