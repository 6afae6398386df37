"""The states of a folder that a power cut could leave, from the log that libwrite_log.so wrote (write_log.c).

The power may go after each step. What was synced is there. Of what was not, three models know what can be missing:

    ext4     a journal, data=ordered: changes of names reach the disk in their order, and any fsync takes all of them
             along. Of a file's unsynced writes a first part is there, the last of them cut anywhere.
    posix    what the standard promises and no more: fsync of a file keeps its bytes, that of a folder its names. Any
             of the other changes may be missing, each by itself; an unsynced write may be cut, or begin with zeros.
    sectors  posix, on a disk that spoils what it is writing: of a write that is cut, nothing is left of all the sectors
             that it touches, whatever else was in them and synced.

A rename is whole or not there at all: every file system with a journal gives that. All choices are made in a fixed
order, and bounded: where there are too many, one is varied at a time and the others are all there or all missing.
"""
import itertools
import os
import pathlib

EXT4, POSIX, SECTORS = "ext4", "posix", "sectors"
MODELS = (EXT4, POSIX)  # a file that is only ever written whole has nothing to lose by the third
SECTOR = 4096
FOLDER = None  # stands for a folder where a file has its bytes

ALL_SUBSETS = 5  # of so many changes every subset is tried
ALL_COMBINATIONS = 256  # of the states of several files


def read_log(path):
    """The steps: lists of words, as write_log.c describes them; marks are ["mark", TEXT]."""
    return [line.split("\t") for line in pathlib.Path(path).read_text(encoding="utf-8").splitlines()]


def read_folder(folder):
    """{name: bytes} of all that is in it."""
    found = {}
    for path in sorted(pathlib.Path(folder).rglob("*")):
        found[str(path.relative_to(folder))] = FOLDER if path.is_dir() else path.read_bytes()
    return found


def write_folder(content, folder):
    """Makes the folder with this content."""
    folder.mkdir(mode=0o700, parents=True)
    for name in sorted(content):
        if content[name] is FOLDER:
            (folder / name).mkdir(mode=0o700)
        else:
            (folder / name).write_bytes(content[name])


# --- choices -----------------------------------------------------------------------------------

def prefixes(items):
    return [items[:n] for n in range(len(items) + 1)]


def subsets(items):
    """In their order; the whole comes last."""
    if len(items) <= ALL_SUBSETS:
        return [list(itertools.compress(items, keep))
                for keep in itertools.product((False, True), repeat=len(items))]
    one_only = [[item] for item in items]
    one_missing = [items[:n] + items[n + 1:] for n in range(len(items))]
    return prefixes(items)[:-1] + one_only + one_missing + [items]


def combinations(options):
    """One of each list of options, whose last is the whole."""
    count = 1
    for choices in options:
        count *= len(choices)
    if count <= ALL_COMBINATIONS:
        yield from itertools.product(*options)
        return
    for others in (0, -1):
        rest = [choices[others] for choices in options]
        for n, choices in enumerate(options):
            for choice in choices:
                yield (*rest[:n], choice, *rest[n + 1:])


def cuts(length, every_byte):
    """Where a write is cut: at every byte, or at some."""
    if every_byte:
        return range(1, length)
    return sorted({n for n in (1, length // 2, length - 1, *range(512, length, 512)) if 0 < n < length})


# --- the disk ----------------------------------------------------------------------------------

def applied(content, changes):
    """The bytes of a file after some writes (OFFSET, BYTES) and truncates (SIZE, None)."""
    content = bytearray(content)
    for at, data in changes:
        size = at if data is None else max(len(content), at + len(data))
        content.extend(bytes(max(0, size - len(content))))
        if data is None:
            del content[at:]
        else:
            content[at:at + len(data)] = data
    return bytes(content)


class File:
    """What is on the disk for sure, and the changes since."""

    def __init__(self):
        self.content, self.changes = b"", []

    def now(self):
        return applied(self.content, self.changes)

    def sync(self):
        self.content, self.changes = self.now(), []

    def states(self, model, every_byte):
        """All that may be found after a cut; the whole comes last."""
        found = {}
        for kept in prefixes(self.changes) if model == EXT4 else subsets(self.changes):
            for tail in self.damaged(kept[-1], model, every_byte) if kept else ():
                found[applied(self.content, kept[:-1] + [tail])] = True
            found[applied(self.content, kept)] = True
        whole = self.now()
        return [state for state in found if state != whole] + [whole]

    @staticmethod
    def damaged(change, model, every_byte):
        at, data = change
        if data is None:
            return
        if model == SECTORS:
            start = at - at % SECTOR
            yield start, bytes(-(-(at + len(data)) // SECTOR) * SECTOR - start)
        if model != EXT4:
            yield at, bytes(len(data))
        for n in cuts(len(data), every_byte):
            yield at, data[:n]
            if model != EXT4:
                yield at, bytes(n) + data[n:]


def reachable(names):
    """Without those whose folder is not there."""
    found = {}
    for name in sorted(names):
        if os.path.dirname(name) in ("", *found):
            found[name] = names[name]
    return found


class Disk:
    """Follows the steps of a log."""

    def __init__(self, model):
        self.model, self.marks = model, []
        self.files = {}  # by inode: the one that has it now
        self.synced, self.now = {}, {}  # by name: what is there for sure, and what the program sees
        self.changes = []  # of names, since: (folder, name that goes, name that comes, what it names)

    def change(self, gone, come, what):
        folder = os.path.dirname(come or gone) or "."
        assert not gone or (os.path.dirname(gone) or ".") == folder, "a rename to another folder"
        self.changes.append((folder, gone, come, what))
        self.now = self.renamed(self.now, self.changes[-1:])

    @staticmethod
    def renamed(names, changes):
        names = dict(names)
        for _, gone, come, what in changes:
            names.pop(gone, None)
            if come:
                names[come] = what
        return names

    def sync_names(self, folder=None):
        """Those of a folder; None: all."""
        done = [c for c in self.changes if folder in (None, c[0])]
        self.synced = self.renamed(self.synced, done)
        self.changes = [c for c in self.changes if c not in done]

    def step(self, kind, *words):
        """One line of the log."""
        if kind == "mark":
            self.marks.append(words[0])
        elif kind == "mkdir":
            self.change(None, words[1], FOLDER)
        elif kind == "create":
            self.files[words[0]] = File()
            self.change(None, words[1], self.files[words[0]])
        elif kind == "rename":
            self.change(words[0], words[1], self.now[words[0]])
        elif kind == "unlink":
            self.change(words[0], None, None)
        elif kind == "write":
            self.files[words[0]].changes.append((int(words[1]), bytes.fromhex(words[2])))
        elif kind == "truncate":
            self.files[words[0]].changes.append((int(words[1]), None))
        elif kind == "sync":
            self.files[words[0]].sync()
            if self.model == EXT4:
                self.sync_names()
        else:
            assert kind == "syncdir", kind
            self.sync_names(None if self.model == EXT4 else words[0])

    def images(self, every_byte):
        """All {name: bytes} that may be found if the power goes now."""
        for changes in prefixes(self.changes) if self.model == EXT4 else subsets(self.changes):
            names = reachable(self.renamed(self.synced, changes))
            files = [n for n in names if names[n] is not FOLDER]
            for states in combinations([names[n].states(self.model, every_byte) for n in files]):
                yield {**names, **dict(zip(files, states))}


def images(steps, model, every_byte=False, marks_before=0):
    """({name: bytes}, [mark], the step before the cut) of a log that began with an empty folder; each once. No cut comes
    before so many marks."""
    disk, seen = Disk(model), set()
    for number, step in enumerate(steps, 1):
        disk.step(*step)
        for image in disk.images(every_byte) if len(disk.marks) >= marks_before else ():
            key = (hash(frozenset(image.items())), len(disk.marks))  # the images would not fit in memory
            if key not in seen:
                seen.add(key)
                yield image, list(disk.marks), f"step {number}: {' '.join(step)[:60]}"


def final(steps):
    """The folder at the end of the log; to compare with the real one."""
    disk = Disk(EXT4)
    for step in steps:
        disk.step(*step)
    return {name: FOLDER if what is FOLDER else what.now() for name, what in disk.now.items()}
