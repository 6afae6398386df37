"""The power goes in the middle of an update, at moments that a seed chooses: afterwards the box has one whole system, the old
or the new one, its identity and its settings; it says truly what became of the update, and takes the next one.

    UPDATE_CUTS=400 UPDATE_SEED=7     so many cuts, and which
"""
import concurrent.futures
import dataclasses
import json
import os
import random
import time

import pytest

from box_guest_kit import wait_until
from slots_kit import IDENTITY, Releases, SlotBox, digest

CUTS = int(os.environ.get("UPDATE_CUTS", "200" if os.environ.get("UPDATE_LONG") else "6"))
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
        self.first = self.box.kept()

    def next_release(self):
        return self.releases.release(f"0.{self.releases.made + 1}.0")

    def wait_and_cut(self, name):
        moment = MOMENTS[name]
        delay_s = self.dice.uniform(0, moment.within_s)
        self.story.append(f"{time.monotonic() - self.began:.0f} s: {self.running.name}, {name} + {delay_s:.3f} s")
        if moment.words:
            self.box.heard(moment.words)
        time.sleep(delay_s)
        self.box.cut()
        self.check_disks()

    def check_disks(self):
        """While the power is off."""
        kept = self.box.kept()
        for name in IDENTITY:
            assert kept[f"state/{name}"] == self.first[f"state/{name}"], name
        assert kept["state/config.json"] == self.first["state/config.json"]
        floor = kept.get("update/floor", b"").decode()
        assert self.floor is None or height(floor) >= height(self.floor)
        self.floor = floor or None
        self.record = json.loads(kept.get("state/update.json", "{}"))
        self.story[-1] += f": {self.record.get('Phase')}"

    def start(self):
        """The power comes back: is it the new system?"""
        slot, name = self.box.on(self.running)
        release = {one.name: one for one in (self.running, self.target)}[name]
        assert digest(self.box.disks[slot]) == release.digest, f"{name} in {slot} is not whole"
        self.story[-1] += f", {name} in {slot}"
        return release is self.target

    def cut(self, name):
        """An update, and the power goes in it."""
        if name == "start":
            self.box.install(self.target)
            self.box.cut()
            self.story.append("installed")
            self.check_disks()
            assert self.start(), "the new system starts"
            self.wait_and_cut(name)
        else:
            self.box.say(FOLLOW + self.box.upload(self.target))
            self.wait_and_cut(name)
        if self.start():
            self.end_trial()
        else:
            self.see_the_old_one()

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


def lead(folder, seed, names):
    """A life with these cuts; what happened, and what went wrong."""
    life = Life(folder, seed)
    life.story.append("made")
    try:
        life.start()
        life.box.wait_up()
        life.box.firmware()
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


@pytest.mark.parametrize("number", range(BOXES))
def test_one_whole_system_after_each_cut(lives, number):
    story, trouble = lives[number]
    print("\n".join(story))
    assert not trouble, trouble
