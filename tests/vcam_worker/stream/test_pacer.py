"""Pacing of segments: steady, with real gaps alone, whatever timestamps and publishing do."""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass, field

import pytest

from vcam_worker.stream.timing.pacer import Pacer

FPS, SECONDS, DELAY, START = 10, 6.0, 18.0, 5000.0


@dataclass
class Stream:
    """A stream that a test publishes, segment by segment."""

    pacer: Pacer = field(default_factory=lambda: Pacer(DELAY))
    moments: list[float] = field(default_factory=list)

    def publish(self, first: float, at: float, *, seconds: float = SECONDS, speed: float = 1.0, **more: object) -> None:
        """Publish a segment whose timestamps begin at `first`, `at` seconds after the start."""
        self.pacer.begin(first, seconds * speed, START + at, target_s=SECONDS, **more)  # type: ignore[arg-type]
        for number in range(round(seconds * FPS)):
            self.moments.append(self.pacer.place(first + number / FPS * speed) - START)

    @property
    def steps(self) -> list[float]:
        return [later - earlier for earlier, later in itertools.pairwise(self.moments)]


def test_frames_are_due_at_their_pace_a_fixed_delay_after_publishing() -> None:
    stream = Stream()
    for number in range(20):
        stream.publish(70 + number * SECONDS, number * SECONDS)
    assert stream.moments[0] == pytest.approx(DELAY - SECONDS)
    assert stream.steps == [pytest.approx(0.1, rel=0.003)] * len(stream.steps)


def test_late_looks_at_the_playlist_change_the_pace_by_little() -> None:
    late, stream = random.Random(3), Stream()
    for number in range(100):
        stream.publish(number * SECONDS, number * SECONDS + late.uniform(0, SECONDS / 2))
    assert stream.steps == [pytest.approx(0.1, rel=0.003)] * len(stream.steps)
    assert stream.moments[-1] == pytest.approx(600 + DELAY - SECONDS, abs=3.1)


@pytest.mark.parametrize("anew", [0.0, 3.25, 90_000.0])
@pytest.mark.parametrize("stated", [True, False])
def test_timestamps_that_begin_anew_make_no_gap(anew: float, stated: bool) -> None:
    stream = Stream()
    for number in range(10):
        stream.publish(700 + number * SECONDS, number * SECONDS)
    for number in range(10, 20):
        first = anew + (number - 10) * SECONDS
        stream.publish(first, number * SECONDS, starts_anew=stated and number == 10)
    assert stream.steps == [pytest.approx(0.1, rel=0.003)] * len(stream.steps)


@pytest.mark.parametrize("anew", [True, False])
def test_a_real_gap_is_as_long_as_it_was(anew: bool) -> None:
    """An encoder that was away for 20 s: with a clock that begins anew, or one that went on."""
    stream = Stream()
    for number in range(10):
        stream.publish(number * SECONDS, number * SECONDS)
    for number in range(10, 20):
        first = (number - 10) * SECONDS + (0 if anew else 80)
        stream.publish(first, number * SECONDS + 20, starts_anew=anew and number == 10)
    gaps = [step for step in stream.steps if step > 0.2]
    assert gaps == [pytest.approx(20.1, abs=0.1)]


def test_missing_segments_are_a_gap_of_their_duration() -> None:
    stream = Stream()
    for number in [*range(10), *range(12, 20)]:
        skipped = 2 * SECONDS if number == 12 else 0.0
        stream.publish(number * SECONDS, number * SECONDS, skipped_s=skipped)
    assert [step for step in stream.steps if step > 0.2] == [pytest.approx(12.1, abs=0.1)]


def test_no_more_is_missing_than_time_has_passed() -> None:
    stream = Stream()
    stream.publish(0, 0)
    stream.publish(6, 6)
    stream.publish(12, 18, skipped_s=600)
    assert stream.moments[120] == pytest.approx(18 + DELAY - SECONDS)
    assert min(stream.steps) > 0


def test_missing_segments_before_a_clock_that_begins_anew_are_one_too() -> None:
    stream = Stream()
    for number in range(10):
        stream.publish(number * SECONDS, number * SECONDS)
    for number in range(12, 20):
        skipped = 2 * SECONDS if number == 12 else 0.0
        stream.publish((number - 12) * SECONDS, number * SECONDS, skipped_s=skipped, starts_anew=number == 12)
    assert [step for step in stream.steps if step > 0.2] == [pytest.approx(12.1, abs=0.1)]


@pytest.mark.parametrize("speed", [0.9999, 1.0001])
def test_a_clock_that_drifts_is_followed(speed: float) -> None:
    """100 ppm, for a day: 8.6 s."""
    stream, count = Stream(), 14_400
    first = 0.0
    for number in range(count):
        stream.publish(first, number * SECONDS, speed=speed)
        first += SECONDS * speed
    assert stream.moments[-1] == pytest.approx(count * SECONDS + DELAY - SECONDS, abs=0.5)
    assert stream.steps == [pytest.approx(0.1, rel=0.004)] * len(stream.steps)


@pytest.mark.parametrize("speed", [0.95, 1.05])
def test_timestamps_of_another_rate_are_played_in_real_time(speed: float) -> None:
    stream, first = Stream(), 0.0
    for number in range(200):
        stream.publish(first, number * SECONDS, speed=speed)
        first += SECONDS * speed
    assert stream.moments[-1] - stream.moments[6000] == pytest.approx(600, rel=0.01)
    assert stream.moments[-1] == pytest.approx(1200 + DELAY - SECONDS, abs=SECONDS + 3)


@pytest.mark.parametrize("leap", [-1000.0, 1000.0])
def test_a_leap_within_a_segment_is_none(leap: float) -> None:
    pacer = Pacer(DELAY)
    pacer.begin(10.0, SECONDS, START, target_s=SECONDS)
    moments = [pacer.place(10 + number / FPS + (leap if number >= 30 else 0)) for number in range(60)]
    steps = [later - earlier for earlier, later in itertools.pairwise(moments)]
    assert steps == [pytest.approx(0.1, rel=0.003)] * 59


def test_frames_without_timestamps_follow_each_other() -> None:
    pacer = Pacer(DELAY)
    pacer.begin(0.0, SECONDS, START, target_s=SECONDS)
    moments = [pacer.place(stamp) for stamp in (0.0, 0.1, None, None, 0.4)]
    assert moments == [pytest.approx(moments[0] + number / 10, abs=0.002) for number in range(5)]


def test_sound_follows_the_frames_whatever_the_pace() -> None:
    late, pacer = random.Random(3), Pacer(DELAY)
    for number in range(100):
        first = number * SECONDS
        pacer.begin(first, SECONDS, START + first + late.uniform(0, SECONDS / 2), target_s=SECONDS)
        for frame in range(round(SECONDS * FPS)):
            stamp = first + frame / FPS
            assert pacer.place(stamp) == pytest.approx(pacer.beside(stamp), abs=1e-6)
