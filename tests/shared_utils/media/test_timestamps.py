"""From the stamps of frames to one continuous time: restarts, wraps, doubles, wild and missing ones."""

from __future__ import annotations

from fractions import Fraction

import pytest

from shared_utils.media.clipfile.timestamps import WRAP, Clock, is_plain, timeline

STEP = 80
CLOCK = Clock(Fraction(1, 1000), Fraction(25, 2))
TS = Clock(Fraction(1, 90_000), Fraction(25, 2), wraps=True)
REGULAR = [STEP * number for number in range(20)]


def seconds(count: int) -> object:
    return pytest.approx([0.08 * number for number in range(count)])


def changed(**values: int | None) -> list[int | None]:
    stamps: list[int | None] = list(REGULAR)
    for place, value in values.items():
        stamps[int(place[1:].replace("_", "-"))] = value
    return stamps


@pytest.mark.parametrize("times", [1, 2, 3, 5])
@pytest.mark.parametrize("offset", [0, -50_000, 90_000_000])
def test_joined_recordings_follow_each_other(times, offset):
    stamps = [stamp + part * offset for part in range(times) for stamp in REGULAR]
    line = timeline(stamps, CLOCK)
    assert list(line.times_s) == seconds(20 * times)
    assert line.joints == tuple(20 * part for part in range(1, times))
    assert line.end_s == pytest.approx(1.6 * times)
    assert line.corrected == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"n5": 480}, {"n6": 400}, {"n0": 80}, {"n1": 0}, {"n_1": 1440},  # doubled
        {"n5": None}, {"n0": None}, {"n_1": None}, {"n0": None, "n1": None, "n_1": None},  # missing
        {"n5": 3}, {"n5": 900}, {"n5": 50_000}, {"n5": 10**9}, {"n5": -(10**9)},  # wild
        {"n0": 10**9}, {"n0": -(10**9)}, {"n0": -50_000}, {"n1": 50_000}, {"n_1": 50_000}, {"n_1": 10**9},
        {"n_2": 50_000}, {"n_1": 0}, {"n5": 50_000, "n6": 50_080}, {"n3": 10**9, "n12": 7},
    ],
)  # fmt: skip
def test_single_wrong_stamps_do_not_move_the_others(wrong):
    line = timeline(changed(**wrong), CLOCK)
    assert list(line.times_s) == seconds(20)
    assert line.joints == ()
    assert line.corrected == len(wrong)


@pytest.mark.parametrize("stamps", [[7] * 20, [None] * 20, REGULAR[::-1]])
def test_without_usable_stamps_the_rate_counts(stamps):
    line = timeline(stamps, CLOCK)
    assert list(line.times_s) == seconds(20)
    assert (line.joints, line.corrected) == ((), 20)


def test_a_pause_is_kept_beside_a_doubled_stamp():
    # as in one_double_stamp.mkv
    stamps = [*REGULAR[:10], *(stamp + 20_000 for stamp in REGULAR[10:])]
    stamps[5] = stamps[6]
    line = timeline(stamps, CLOCK)
    assert line.times_s[5] == pytest.approx(0.4)
    assert line.times_s[9:11] == pytest.approx((0.72, 20.8))
    assert line.corrected == 1


@pytest.mark.parametrize("first", [WRAP - 9000, WRAP - 7200 * 19, 0, WRAP // 2 - 9000])
def test_a_clock_that_wraps_runs_on(first):
    stamps = [(first + 7200 * number) % WRAP for number in range(20)]
    line = timeline(stamps, TS)
    assert list(line.times_s) == seconds(20)
    assert line.joints == ()


@pytest.mark.parametrize("second", [0, 5 * 10**9, WRAP - 7200 * 30])
def test_another_recording_anywhere_on_a_clock_that_wraps(second):
    stamps = [7200 * number + 10**9 for number in range(20)]
    stamps += [(second + 7200 * number) % WRAP for number in range(20)]
    line = timeline(stamps, TS)
    assert list(line.times_s) == seconds(40)
    assert line.joints == (20,)


def test_few_frames():
    assert timeline([], CLOCK).times_s == ()
    assert timeline([5], CLOCK).end_s == pytest.approx(0.08)
    assert timeline([5], CLOCK, last_duration=40).end_s == pytest.approx(0.04)
    assert list(timeline([0, 80, 160, 0, 80, 160], CLOCK).times_s) == seconds(6)


@pytest.mark.parametrize(
    ("stamps", "keys", "reordered", "plain"),
    [
        (REGULAR, {0, 10}, False, True),
        ([0, 240, 80, 160, 480, 320, 400], {0}, True, True),
        ([0, 240, 80, 160], {0}, False, False),
        ([0, 240, 80, 160], {0, 2}, True, False),  # a keyframe is shown after all before it
        ([0, 80, 80], {0}, False, False),
        ([0, None, 80], {0}, False, False),
        ([*REGULAR, 50_000], {0}, False, False),
        ([*REGULAR, *REGULAR], {0}, True, False),
        ([0], {0}, False, True),
    ],
)
def test_which_stamps_are_used_as_they_are(stamps, keys, reordered, plain):
    keyframes = [number in keys for number in range(len(stamps))]
    assert is_plain(stamps, keyframes, CLOCK, reordered=reordered) is plain
