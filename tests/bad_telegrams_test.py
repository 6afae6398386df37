"""Bad P1 telegrams and TIC frames, each between two good ones: to `decode`, and to a gateway that is running.

No value is shown that no telegram holds, what is not known is never 0, every count is exact, and the good telegram
behind is taken.  One process of each kind reads all of them, one after the other.
"""
import collections
import functools
import json

import pytest

import bad_p1_kit
import bad_tic_kit
from bad_inputs import named
from bad_telegrams_kit import House, assert_shown, decode, instant, pieces, polled
from harness import Gateway, PtyMeter, TcpMeter

WHOLE, ODD = 4096, 1021  # bytes at a time: what `decode` reads at once; and, of more than that, in odd pieces
COUNTERS = ("telegrams_pass", "telegrams_fail", "telegrams_frame_fail", "object_errors")


class P1:
    """What is counted of P1."""
    good, cases = staticmethod(bad_p1_kit.good), {**bad_p1_kit.P1, **bad_p1_kit.MEANING}

    @staticmethod
    def complaints(taken, n):
        return (f"P1: {taken} telegrams good, {n['crc']} with a wrong CRC, {n['frame']} incomplete, "
                f"{n['objects']} objects without sense\n")

    @staticmethod
    def counters(taken, n):
        return taken, n["crc"], n["frame"], n["objects"]


class Tic:
    """What is counted of TIC: a frame of which a group was lost is used, but no good one."""
    good, cases = staticmethod(bad_tic_kit.good), bad_tic_kit.TIC

    @staticmethod
    def complaints(taken, n):
        return (f"TIC: {taken - n['partial']} frames good, {n['partial']} with groups lost, {n['failed']} incomplete; "
                f"groups: {n['groups']} good, {n['parity']} bad parity, {n['checksum']} bad checksum, "
                f"{n['senseless']} without sense, {n['unknown']} unknown\n"
                "meter is in historic mode: ask Enedis or the supplier for standard mode "
                f"({n['historic']} groups seen, not decoded)\n")

    @staticmethod
    def counters(taken, n):
        return taken - n["partial"], n["partial"], n["failed"], n["senseless"]


# --- decode ------------------------------------------------------------------------------------

def in_turn(kind):
    """Name to what `decode` gets of it: the case stands between good telegrams twice, for it comes whole, and then in
    pieces.  No two cases have the same good ones."""
    return {name: [kind.good(1000 + 2 * n), case, kind.good(1001 + 2 * n), case, kind.good(1000 + 2 * n)]
            for n, (name, case) in enumerate(kind.cases.items())}


def received(before, case, between, again, after):
    small = pieces(again.sent, 1 if len(again.sent) <= WHOLE else ODD)
    return pieces(before.sent + case.sent + between.sent, WHOLE) + small + [after.sent]


class Decoded:
    """One `decode` of all cases of a kind."""

    def __init__(self, kind):
        self.turns = in_turn(kind)
        out, self.complaints = decode(*[piece for turn in self.turns.values() for piece in received(*turn)])
        firsts = {turn[0].readings[0]["values"]["power_w"]: name for name, turn in self.turns.items()}
        self.shown, name = collections.defaultdict(list), None
        for line in map(json.loads, out.splitlines()):
            name = firsts.get(line["P"], name)
            self.shown[name].append(line)


@pytest.fixture(name="decoded", scope="module")
def fixture_decoded():
    """decoded(KIND): it is done once."""
    return functools.lru_cache(Decoded)


@pytest.mark.parametrize("kind", [P1, Tic])
def test_decode_counts_all(decoded, kind):
    cases = [case for turn in decoded(kind).turns.values() for case in turn]
    assert decoded(kind).complaints == kind.complaints(
        sum(len(case.readings) for case in cases), sum((case.counts for case in cases), collections.Counter()))


@pytest.mark.parametrize("name", ["nothing-at-all", "no-slash", "bit7-set-everywhere", "wrong-baud-noise"])
def test_nothing_valid(name):
    """By itself it is no telegram at all, and `decode` says so."""
    assert decode(*pieces(bad_p1_kit.P1[name].sent, ODD)) == (b"", "no valid telegram\n")


# --- a running gateway -------------------------------------------------------------------------

@pytest.fixture(name="p1_house", scope="module")
def fixture_p1_house(tmp_path_factory):
    folder, meter = tmp_path_factory.mktemp("p1"), TcpMeter()
    house = House(functools.partial(Gateway, folder), folder, meter)
    meter.accept()
    house.begin(P1.good(0).sent)
    yield house
    house.close()


@pytest.fixture(name="tic_house", scope="module")
def fixture_tic_house(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tic")
    house = House(functools.partial(Gateway, folder), folder, PtyMeter(folder))
    house.server.wait_log("reading from")
    house.begin(Tic.good(0).sent)
    yield house
    house.close()


def assert_served(kind, house, before, sent, case, after):
    """The gateway shows one after the other; who polls it gets whole readings, and no others."""
    counted = house.send(before.sent)
    assert_shown(house, before)
    house.forget()
    house.send(*sent)
    assert_shown(house, case if case.readings else before)
    now = house.send(after.sent)
    assert_shown(house, after)
    assert tuple(now[name] - counted[name] for name in COUNTERS) == kind.counters(
        len(case.readings + after.readings), case.counts)
    assert house.polled <= {polled(reading) for reading in before.readings + case.readings + after.readings}


def assert_reaction(kind, decoded, house, name):
    """`decode` shows the readings of the case between those of the good ones, and so does the gateway."""
    turn = decoded(kind).turns[name]
    assert decoded(kind).shown[name] == [instant(reading) for case in turn for reading in case.readings]
    before, case, after = turn[:3]
    assert_served(kind, house, before, pieces(case.sent, 1) if name == "one-byte-chunks" else [case.sent], case, after)


@pytest.mark.parametrize("name", named("A", bad_p1_kit.P1))
def test_p1(decoded, p1_house, name):
    assert_reaction(P1, decoded, p1_house, name)


@pytest.mark.parametrize("name", named("B", bad_p1_kit.MEANING))
def test_p1_meaning(decoded, p1_house, name):
    assert_reaction(P1, decoded, p1_house, name)


@pytest.mark.parametrize("name", named("C", bad_tic_kit.TIC))
def test_tic(decoded, tic_house, name):
    assert_reaction(Tic, decoded, tic_house, name)


@pytest.mark.parametrize("kind, house, name", [(P1, "p1_house", "ts-month-13"), (Tic, "tic_house", "date-bad-season")])
def test_a_clock_that_comes_and_goes_is_said_once_a_minute(request, kind, house, name):
    """A noisy line damages the time of every other frame, and with it that of every other line in the log."""
    house = request.getfixturevalue(house)
    before = len(house.server.log("time stamps are"))
    for _ in range(20):
        house.send(kind.good(1).sent + kind.cases[name].sent)
    assert len(house.server.log("time stamps are")) - before <= 1
