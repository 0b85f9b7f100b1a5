"""The stream clock: playing time equals real time whatever the camera's timestamps do."""

from __future__ import annotations

import bisect
import itertools
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest

from vcam_worker.stream.timing.timeline import HESITATION_S, Timeline

START = 1000.0


def run(stamps: Sequence[tuple[float | None, float]], **options: bool) -> list[float]:
    """Place (camera time, arrival since the start) pairs; check that times rise."""
    timeline = Timeline(**options)
    times: list[float] = []
    undecided = 0
    for dts, arrived in stamps:
        times.append(timeline.place(dts, START + arrived))
        undecided += 1
        if not timeline.is_undecided:
            times[-undecided:-1] = [time + timeline.moved for time in times[-undecided:-1]]
            undecided = 0
        waiting = [arrival for _, arrival in stamps[len(times) - undecided : len(times)]]
        if undecided > 1 and max(after - before for before, after in itertools.pairwise(waiting)) <= 0.5:
            assert arrived - waiting[0] < 1
        assert undecided <= 1 or arrived - waiting[0] < HESITATION_S + 1
    if undecided:
        times[-undecided:] = [time + timeline.give_up() for time in times[-undecided:]]
    assert all(later > earlier for earlier, later in itertools.pairwise(times))
    return times


@pytest.mark.parametrize("fps", [5, 10, 12.5, 25, 30])
def test_good_timestamps_are_taken_as_they_are(fps: float) -> None:
    jitter = random.Random(1)
    count = round(30 * fps)
    times = run([(77.0 + i / fps, i / fps + jitter.uniform(0, 0.2)) for i in range(count)])
    steps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert max(steps) == pytest.approx(1 / fps, rel=0.01)
    assert min(steps) == pytest.approx(1 / fps, rel=0.01)


@pytest.mark.parametrize("fps", [5, 10, 12.5, 25, 30])
def test_without_timestamps_the_arrivals_count(fps: float) -> None:
    times = run([(None, i / fps) for i in range(round(30 * fps))])
    assert times[-1] == pytest.approx(30 - 1 / fps, rel=0.01)


def test_a_clock_set_forward_is_no_gap() -> None:
    times = run([(i / 10 + (3600 if i >= 50 else 0), i / 10) for i in range(100)])
    assert times[-1] == pytest.approx(9.9, rel=0.01)


def test_a_clock_set_back_goes_on() -> None:
    times = run([(5000 + i / 10 - (3600 if i >= 50 else 0), i / 10) for i in range(100)])
    assert times[-1] == pytest.approx(9.9, rel=0.01)


def test_repeated_timestamps() -> None:
    times = run([(i // 2 / 10, i / 20) for i in range(200)])
    assert times[-1] == pytest.approx(9.95, rel=0.01)


def test_a_clock_that_runs_at_double_speed_is_held_to_real_time() -> None:
    times = run([(i / 10, i / 20) for i in range(4000)])  # 200 s, announced as 400 s
    middle, end = times[2000], times[-1]
    assert end - middle == pytest.approx(100, rel=0.01)


def test_a_rate_that_varies_is_kept() -> None:
    steps = [0.04, 0.2, 0.1, 0.033] * 50
    stamps, at = [], 0.0
    for step in steps:
        stamps.append((10 + at, at))
        at += step
    times = run(stamps)
    assert [b - a for a, b in itertools.pairwise(times)] == pytest.approx(steps[:-1], rel=0.02)


def test_a_pause_in_the_network_is_caught_up() -> None:
    # TCP holds 5 s back, then everything comes at once: no time is lost or invented
    stamps = [(i / 10, i / 10 if i < 50 or i >= 100 else 10.0) for i in range(200)]
    times = run(stamps)
    assert times[-1] == pytest.approx(19.9, rel=0.01)


def test_packets_held_while_the_stream_was_probed_keep_their_times() -> None:
    times = run([(i / 10, max(0.0, i / 10 - 4.0)) for i in range(200)])
    assert times[:60] == pytest.approx([i / 10 for i in range(60)], abs=0.02)


def test_lost_seconds_are_kept_as_a_gap() -> None:
    stamps = [(i / 10, i / 10) for i in range(100) if not 30 <= i < 80]
    times = run(stamps)
    assert times[30] - times[29] == pytest.approx(5.1, rel=0.01)


def test_a_file_goes_by_its_own_times_alone() -> None:
    times = run([(i / 10, 0.0) for i in range(100)], live=False)
    assert times == pytest.approx([i / 10 for i in range(100)])


# -- made-up cameras and networks: playing time against real time


MINUTE = 60.0
PER_MINUTE = 0.6
"""Seconds by which a minute's playing time may be off: 1 %."""

Stamp = Callable[[float, int], float | None]
Delay = Callable[[float], float]


@dataclass
class Footage:
    """What a camera sends: for each frame the moment it is taken, its stamp, and the moment it arrives."""

    taken: list[float]
    stamps: list[float | None]
    arrivals: list[float]

    def times(self) -> list[float]:
        return run(list(zip(self.stamps, self.arrivals, strict=True)))


def sequence(
    *,
    fps: float = 10.0,
    seconds: float = 150.0,
    stamp: Stamp = lambda taken, _: taken,
    delay: Delay = lambda _: 0.0,
    lost: tuple[float, float] = (0.0, 0.0),
) -> Footage:
    """Draw up what arrives, in order, of a steady camera's frames."""
    made, arrived = Footage([], [], []), 0.0
    for number in range(round(seconds * fps)):
        taken = number / fps
        if lost[0] <= taken < lost[1]:
            continue
        arrived = max(arrived, taken + delay(taken))
        made.taken.append(taken)
        made.stamps.append(stamp(taken, number))
        made.arrivals.append(arrived)
    return made


def worst_minute(taken: list[float], times: list[float]) -> float:
    """Return by how much, at most, any minute's playing time is off, seconds."""
    ends = [bisect.bisect_left(taken, start + MINUTE) for start in taken]
    pairs = [(start, end) for start, end in enumerate(ends) if end < len(taken)]
    assert pairs
    return max(abs((times[end] - times[start]) - (taken[end] - taken[start])) for start, end in pairs)


def step_errors(taken: list[float], times: list[float]) -> list[float]:
    real, playing = itertools.pairwise(taken), itertools.pairwise(times)
    return [(after - before) - (last - first) for (first, last), (before, after) in zip(real, playing, strict=True)]


def held(*pauses: tuple[float, float]) -> Delay:
    """A network that holds back what is sent within each (from, to), and delivers it all at the end."""
    return lambda taken: next((end - taken for start, end in pauses if start <= taken < end), 0.0)


def hesitant(*portions: tuple[float, float]) -> Delay:
    """A network that is away from 60 s on, and then delivers what was sent up to each (until, at)."""
    return lambda taken: next((at - taken for until, at in portions if 60 <= taken < until), 0.0)


def jittery(most: float) -> Delay:
    rng = random.Random(5)
    return lambda _: rng.uniform(0, most)


def speed(factor: float) -> Stamp:
    return lambda taken, _: 70 + factor * taken


def jumps(size: float, first: float = 40.0, every: float = 1e9) -> Stamp:
    return lambda taken, _: taken + (0 if taken < first else size * (1 + (taken - first) // every))


FPS = [5.0, 10.0, 25.0]
FALSE_STAMPS: dict[str, Stamp] = {
    **{f"speed {factor:g}": speed(factor) for factor in (0.1, 0.5, 0.8, 0.9, 0.98, 0.995)},
    **{f"speed {factor:g}": speed(factor) for factor in (1.005, 1.02, 1.1, 1.2, 2, 4, 10)},
    "8 of 10, then 10": lambda taken, _: 0.8 * taken if taken < 60 else taken - 12,
    "10, then 8 of 10, then 12": lambda taken, _: (
        taken if taken < 50 else 50 + 0.8 * (taken - 50) if taken < 100 else 90 + 1.2 * (taken - 100)
    ),
    **{f"a jump of {size:g} s": jumps(size) for size in (3600, 12, 3, 0.2, -0.2, -3, -12, -3600, -(2**32) / 90_000)},
    **{f"jumps of {size:g} s": jumps(size, 7, 10) for size in (9, 0.3, -0.3, -9, 3600)},
    "a jump at the start": jumps(3, 1.5),
    "a reset to zero": lambda taken, _: 5000 + taken if taken < 40 else taken - 40,
    "constant": lambda *_: 5.0,
    "constant from a moment on": lambda taken, _: min(taken, 40.0),
    "none": lambda *_: None,
    "none from a moment on": lambda taken, _: taken if taken < 40 else None,
    "in threes": lambda taken, number: number // 3 * 3 * (taken / number if number else 0),
    "one doubled": lambda taken, number: taken if number != 400 else taken - 0.2,
    "falling back": lambda taken, _: taken % 2,
}


@pytest.mark.parametrize("fps", FPS)
@pytest.mark.parametrize("stamp", FALSE_STAMPS.values(), ids=FALSE_STAMPS.keys())
def test_any_minute_plays_for_a_minute_whatever_the_stamps_do(fps: float, stamp: Stamp) -> None:
    made = sequence(fps=fps, stamp=stamp)
    times = made.times()
    assert worst_minute(made.taken, times) <= PER_MINUTE
    assert max(map(abs, step_errors(made.taken, times))) < 0.25  # no hole is invented, and none is closed


@pytest.mark.parametrize("fps", FPS)
@pytest.mark.parametrize("factor", [0.8, 0.995, 1, 1.005, 1.2])
def test_nor_does_jitter_change_that(fps: float, factor: float) -> None:
    made = sequence(fps=fps, stamp=speed(factor), delay=jittery(0.15))
    times = made.times()
    assert worst_minute(made.taken, times) <= PER_MINUTE


@pytest.mark.parametrize(("slow", "fast"), [(0.8, 1.2), (0.995, 1.005)])
def test_a_clock_that_is_slow_and_one_that_is_fast_are_treated_alike(slow: float, fast: float) -> None:
    deviations = []
    for factor in (slow, fast):
        made = sequence(stamp=speed(factor))
        deviations.append(max(abs(time - taken) for time, taken in zip(made.times(), made.taken, strict=True)))
    assert deviations[0] == pytest.approx(deviations[1], abs=0.12)


NETWORKS: dict[str, Delay] = {
    "a burst after 12 s": held((60, 72)),
    "a burst after 1 s": held((60, 61)),
    "a burst in the first seconds": held((2, 14)),
    "bursts one after the other": held((30, 42), (42.5, 50), (50.2, 53)),
    "a burst every 10 s": held(*((10 * k + 5, 10 * k + 8) for k in range(20))),
    "one packet, a pause, and the burst": hesitant((60.01, 72), (72.7, 72.7)),
    "a few packets, each after a pause": hesitant((60.01, 72), (60.21, 72.7), (60.41, 73.4), (73.9, 73.9)),
    "a pause in the middle of a burst, and another": hesitant((64, 72), (64.21, 72.8), (73.5, 73.5)),
    "a pause after a short outage": hesitant((60.01, 63), (63.8, 63.8)),
    "stutter": held(*((k + 0.3, k + 0.7) for k in range(200))),
    "a backlog that drains at double speed": lambda taken: max(0.0, 12 - (taken - 60)) if taken >= 60 else 0.0,
    "bursts alone, as HLS": held(*((6 * k, 6 * k + 6) for k in range(40))),
    "late bursts alone": held(*((6 * k, 6 * k + 6 + k % 5 / 2) for k in range(40))),
    "a kept GOP": held((0, 4)),
    "a late first packet": held((0, 0.05)),
}


@pytest.mark.parametrize("fps", FPS)
@pytest.mark.parametrize("delay", NETWORKS.values(), ids=NETWORKS.keys())
def test_what_a_network_held_back_has_neither_hole_nor_compression(fps: float, delay: Delay) -> None:
    made = sequence(fps=fps, delay=delay)
    errors = step_errors(made.taken, made.times())
    assert max(map(abs, errors)) < 0.02


@pytest.mark.parametrize("fps", FPS)
@pytest.mark.parametrize("gap", [1.0, 3.0, 12.0, 40.0])
def test_a_real_gap_is_a_gap(fps: float, gap: float) -> None:
    made = sequence(fps=fps, lost=(60, 60 + gap))
    assert max(map(abs, step_errors(made.taken, made.times()))) < 0.02


@pytest.mark.parametrize("fps", FPS)
@pytest.mark.parametrize("gap", [1.0, 3.0, 12.0])
def test_a_gap_that_the_stamps_do_not_show_is_one_all_the_same(fps: float, gap: float) -> None:
    made = sequence(fps=fps, lost=(60, 60 + gap), stamp=lambda taken, _: taken if taken < 60 else taken - gap)
    assert max(map(abs, step_errors(made.taken, made.times()))) < 0.02


@pytest.mark.parametrize("fps", [1.0, *FPS])
def test_rare_pictures_after_a_gap_are_not_waited_for_any_longer(fps: float) -> None:
    """Each comes after a gap that its stamp does not show."""
    made = sequence(fps=fps, lost=(60, 72), stamp=lambda taken, number: number / 25)
    assert worst_minute(made.taken, made.times()) <= PER_MINUTE


def test_a_rare_picture_whose_stamps_claim_many() -> None:
    made = sequence(fps=1, stamp=lambda _, number: number / 25)
    times = made.times()
    assert worst_minute(made.taken, times) <= PER_MINUTE
    assert max(map(abs, step_errors(made.taken, times))) < 0.02


@pytest.mark.parametrize("fps", FPS)
@pytest.mark.parametrize("factor", [0.8, 0.9, 1.1, 1.2])
def test_a_burst_of_a_camera_whose_clock_is_wrong(fps: float, factor: float) -> None:
    made = sequence(fps=fps, stamp=speed(factor), delay=held((60, 72)))
    times = made.times()
    assert worst_minute(made.taken, times) <= PER_MINUTE
    assert max(map(abs, step_errors(made.taken, times))) < 0.3


@pytest.mark.parametrize("fps", FPS)
@pytest.mark.parametrize("factor", [0.8, 0.9, 1.1, 1.2])
def test_a_backlog_of_a_camera_whose_clock_is_wrong(fps: float, factor: float) -> None:
    """What was buffered while the stream was probed."""
    made = sequence(fps=fps, stamp=speed(factor), delay=held((0, 2.5)))
    assert worst_minute(made.taken, made.times()) <= PER_MINUTE


@pytest.mark.parametrize("fps", FPS)
def test_a_burst_without_stamps_is_spread_as_it_was_sent(fps: float) -> None:
    made = sequence(fps=fps, stamp=lambda *_: None, delay=held((60, 72)))
    times = made.times()
    assert worst_minute(made.taken, times) <= PER_MINUTE
    assert max(map(abs, step_errors(made.taken, times))) < 0.3


@pytest.mark.parametrize("fps", FPS)
@pytest.mark.parametrize("gap", [1.0, 12.0])
def test_a_gap_without_stamps_is_one(fps: float, gap: float) -> None:
    made = sequence(fps=fps, stamp=lambda *_: None, lost=(60, 60 + gap))
    assert max(map(abs, step_errors(made.taken, made.times()))) < 0.02


def test_a_jump_within_a_burst() -> None:
    made = sequence(stamp=jumps(-50, 65), delay=held((60, 72)))
    assert max(map(abs, step_errors(made.taken, made.times()))) < 0.02


def test_what_is_undecided_at_the_end_goes_by_its_arrival() -> None:
    timeline = Timeline()
    for number in range(100):
        timeline.place(number / 10, START + number / 10)
    time = timeline.place(10.0, START + 20)
    assert timeline.is_undecided
    assert time + timeline.give_up() == pytest.approx(20, abs=0.02)


def test_the_moment_of_an_arrival_is_known_while_a_backlog_is_delivered() -> None:
    made = sequence(delay=held((60, 72)))
    timeline = Timeline()
    for stamp, arrived in zip(made.stamps, made.arrivals, strict=True):
        timeline.place(stamp, START + arrived)
        assert timeline.at(START + arrived) == pytest.approx(arrived, abs=0.02)
