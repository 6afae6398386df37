"""The power goes in the middle of an update, at moments that a seed chooses: afterwards the box has one whole system, the old
or the new one, its identity and its settings; it says truly what became of the update, and takes the next one.  The short
form takes pictures of the disks during one update, looks at each, and lets the box go on from two: one that starts the
old system, and one that starts the new one.

    UPDATE_CUTS=400 UPDATE_SEED=7     so many cuts, each followed by a start, and which
"""
import concurrent.futures
import dataclasses
import json
import os
import random
import time

import pytest

from box_guest_kit import wait_until
from slots_kit import IDENTITY, Releases, SlotBox, chosen

CUTS = int(os.environ.get("UPDATE_CUTS", "200" if os.environ.get("UPDATE_LONG") else "0"))
PICTURES = 3  # at each moment
SEED = int(os.environ.get("UPDATE_SEED", random.randrange(1000000)))
BOXES = 4  # side by side
FOLLOW = "/usr/bin/tail -n 0 -F /run/gateway.err /run/rauc.out & "


@dataclasses.dataclass
class Moment:
    """So many seconds, at most, after these words on the console."""
    words: str
    within_s: float


MOMENTS = {
    "upload": Moment("", 1.5),
    "check": Moment("Reading bundle", 0.3),
    "record": Moment("Verified inline", 0.3),
    "begin": Moment("Mounting bundle", 0.5),
    "write": Moment("writing data", 0.6),
    "switch": Moment("as bootable", 0.7),
    "restart": Moment("is installed; restarting", 3.2),
    "start": Moment("", 3),  # of the new system, for the first time
}


def height(release):
    """To compare releases by."""
    version, counter = release.strip().split("+security.")
    return int(counter), [int(part) for part in version.split(".")]


def is_good(said):
    """Is the slot that was booted?"""
    return [slot["Good"] for slot in said["Slots"] if slot["Booted"]] == [True]


class Life:
    """Of one box."""

    def __init__(self, folder, seed):
        self.dice, self.story, self.began = random.Random(seed), [], time.monotonic()
        self.releases = Releases(folder)
        self.running, self.target = self.next_release(), self.next_release()
        self.box = SlotBox(folder / "box", self.releases, self.running)
        self.result, self.floor = None, None
        self.first = self.box.disks.kept()

    def next_release(self):
        return self.releases.release(f"0.{self.releases.made + 1}.0")

    def begin(self):
        """The box is up."""
        self.story.append("made")
        self.start()
        self.box.wait_up()
        self.box.firmware()

    def tell(self, name, delay_s):
        self.story.append(f"{time.monotonic() - self.began:.0f} s: {self.running.name}, {name} + {delay_s:.3f} s")

    def wait_and_cut(self, name):
        moment = MOMENTS[name]
        delay_s = self.dice.uniform(0, moment.within_s)
        self.tell(name, delay_s)
        if moment.words:
            self.box.heard(moment.words)
        time.sleep(delay_s)
        self.box.cut()
        self.look_at(self.box.disks)

    def look_at(self, disks):
        """While the power is off.  What is kept."""
        kept = disks.kept()
        for name in (*IDENTITY, "config.json"):
            assert kept[f"state/{name}"] == self.first[f"state/{name}"], name
        floor = kept.get("update/floor", b"").decode()
        assert self.floor is None or height(floor) >= height(self.floor)
        self.floor = floor or None
        self.record = json.loads(kept.get("state/update.json", "{}"))
        self.story[-1] += f": {self.record.get('Phase')}"
        return kept

    def release_in(self, disks, slot, name=None):
        """Which of the two, whole, it must be; `name`: that it says it is."""
        whole = disks.digest(slot)
        found = [one for one in (self.running, self.target) if whole == one.digest and name in (None, one.name)]
        assert found, f"{name or 'what is'} in {slot} is not whole"
        self.story[-1] += f", {found[0].name} in {slot}"
        return found[0]

    def start(self):
        """The power comes back: is it the new system?"""
        slot, name = self.box.on(self.running)
        return self.release_in(self.box.disks, slot, name) is self.target

    def photograph(self, name):
        """Pictures at a moment, with what is told of them."""
        moment = MOMENTS[name]
        if moment.words:
            self.box.heard(moment.words)
        began = time.monotonic()
        for delay_s in sorted(self.dice.uniform(0, moment.within_s) for _ in range(PICTURES)):
            time.sleep(max(0, began + delay_s - time.monotonic()))
            self.tell(name, delay_s)
            yield self.box.photograph(self.box.folder / f"{name}-{delay_s:.3f}")

    def film(self):
        """Pictures of an update from its upload to the first seconds of the new system."""
        self.box.say(FOLLOW + self.box.upload(self.target))
        for name in MOMENTS:
            if name == "start":
                self.box.heard("reboot\n")
                self.box.cut()
                self.box.on()
            yield from self.photograph(name)
        self.box.cut()

    def go_on(self):
        """After a cut."""
        if self.start():
            self.end_trial()
        else:
            self.see_the_old_one()

    def go_on_from(self, disks):
        """As if no other picture had been gone on from."""
        if self.box.guest:
            self.box.cut()
        self.box.disks, self.floor, self.result = disks, None, None
        self.look_at(disks)
        self.go_on()

    def cut(self, name):
        """An update, and the power goes in it."""
        if name == "start":
            self.box.install(self.target)
            self.box.cut()
            self.story.append("installed")
            self.look_at(self.box.disks)
            assert self.start(), "the new system starts"
            self.wait_and_cut(name)
        else:
            self.box.say(FOLLOW + self.box.upload(self.target))
            self.wait_and_cut(name)
        self.go_on()

    def see_the_old_one(self):
        self.box.wait_up()
        said = self.box.firmware()
        assert said["State"] == "idle", said
        if self.record.get("Phase") in (None, "over"):
            assert said["Result"] == self.result, said
        else:
            self.result = said["Result"]
            assert not self.result["Ok"] and self.result["To"] == self.target.name, said
            assert self.result["Reason"].startswith("the box went down while it was installed"), said

    def end_trial(self):
        """Of the new system, which has proved itself then."""
        self.box.wait_up()
        up = time.monotonic()
        said = self.box.firmware()
        assert said["State"] == "trial" and said["Result"] is None, said
        time.sleep(max(0, up + 18 - time.monotonic()))
        said = wait_until(lambda: (said := self.box.firmware())["State"] == "idle" and is_good(said) and said,
                          "the end of the trial")
        self.result = said["Result"]
        assert self.result["Ok"] and self.result["From"] == self.running.name, said
        assert self.result["To"] == said["Release"] == self.target.name, said
        self.running.forget()
        self.running, self.target = self.target, self.next_release()


def see_picture(life, disks):
    """What a cut at that moment would have left; the slot that would be started."""
    disks.mend()
    slot = chosen(life.look_at(disks)["grubenv"])
    phase = life.record.get("Phase")
    if life.release_in(disks, slot) is life.target:
        assert phase in ("installing", "installed", "tried"), life.record
    assert phase in (None, "none") or phase != "over" and life.record["To"] == life.target.name, life.record
    return slot


@pytest.mark.skipif(CUTS > 0, reason="the long form cuts the power itself")
def test_what_cuts_at_any_moment_would_leave(tmp_path):
    print(f"UPDATE_SEED={SEED}")
    life = Life(tmp_path, SEED)
    try:
        life.begin()
        told = len(life.story)
        pictures = list(life.film())
        lines, life.story = life.story[told:], life.story[:told]
        slots = []
        for line, disks in zip(lines, pictures, strict=True):
            life.story.append(line)
            slots.append(see_picture(life, disks))
        assert len(slots) == PICTURES * len(MOMENTS) and set(slots) == {"A", "B"}, slots
        for system in "AB":
            number = life.dice.choice([n for n, slot in enumerate(slots) if slot == system])
            life.story.append(f"goes on from picture {number}")
            life.go_on_from(pictures[number])
        life.box.install(life.target)
    finally:
        print("\n".join(life.story))
        if life.box.guest:
            life.box.guest.off()


def lead(folder, seed, names):
    """A life with these cuts; what happened, and what went wrong."""
    life = Life(folder, seed)
    try:
        life.begin()
        for name in names:
            life.cut(name)
        life.box.install(life.target)
    except Exception as error:  # the other box goes on
        return life.story, f"{error!r}; {life.box.guest and life.box.log()}"
    finally:
        if life.box.guest:
            life.box.guest.off()
    return life.story, None


@pytest.fixture(name="lives", scope="module")
def fixture_lives(tmp_path_factory):
    print(f"UPDATE_CUTS={CUTS} UPDATE_SEED={SEED}")
    names = (list(MOMENTS) * (CUTS // len(MOMENTS) + 1))[:CUTS]
    random.Random(SEED).shuffle(names)
    folders = [tmp_path_factory.mktemp("life") for _ in range(BOXES)]
    with concurrent.futures.ThreadPoolExecutor(BOXES) as pool:
        return list(pool.map(lambda n: lead(folders[n], SEED + n, names[n::BOXES]), range(BOXES)))


@pytest.mark.parametrize("number", range(BOXES if CUTS else 0))
def test_one_whole_system_after_each_cut(lives, number):
    story, trouble = lives[number]
    print("\n".join(story))
    assert not trouble, trouble
