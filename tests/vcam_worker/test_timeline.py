"""The stream clock: playing time equals real time whatever the camera's timestamps do."""

from __future__ import annotations

import itertools
import random

import pytest

from vcam_worker.timeline import Timeline

START = 1000.0


def run(stamps: list[tuple[float | None, float]], **options: bool) -> list[float]:
    """Place (camera time, arrival since the start) pairs; check that times rise."""
    timeline = Timeline(**options)
    times = [timeline.place(dts, START + arrived) for dts, arrived in stamps]
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
