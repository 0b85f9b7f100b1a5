"""Turn the time stamps of a clip's frames into one continuous time. Pure: stamps in, seconds out.

Stamps of real files start over where recordings were joined, wrap around, occur twice, are missing, or are wrong. A
stamp is believed if it is consistent with its neighbours; the other frames are placed between the believed ones.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

WRAP = 1 << 33
"""Stamps of MPEG-TS and MPEG-PS have 33 bits at 90 kHz and wrap around after 26.5 hours (ISO/IEC 13818-1, 2.4.3.7)."""
LONGEST_PAUSE_S = 24 * 3600.0
"""Longest believable step between frames, in seconds: recorders that record motion only pause for hours."""
LONGEST_PAUSE_WRAPPING_S = 3600.0
"""The same for clocks that wrap. Their recordings start anywhere within 26.5 hours, so that the next recording of a
joined file may look like a pause of any length; a longer one counts as a new recording."""
LONE_S = 10.0
"""Step to the first or last frame that makes it suspicious, in seconds: it has only one neighbour to compare with."""
LONE_STEPS = 100
"""The same, as a multiple of the usual step from frame to frame."""
MAX_WILD = 2
"""Most consecutive frames with wrong stamps; more of them count as a recording of their own."""
KEPT_PER_WILD = 4
"""Frames with consistent stamps required around each wrong one."""
MAX_REORDERED = 16
"""Most frames decoded before one that is displayed earlier (MaxDpbFrames: ITU-T H.264, A.3.1; H.265, A.4.2)."""


@dataclass(frozen=True)
class Clock:
    """The clock of a stream's time stamps.

    Attributes:
        time_base: seconds per tick.
        rate: frames per second, for frames without usable stamps.
        wraps: the stamps have 33 bits.
    """

    time_base: Fraction
    rate: Fraction
    wraps: bool = False

    @property
    def longest_pause(self) -> int:
        """Longest believable step between frames, in ticks."""
        return int((LONGEST_PAUSE_WRAPPING_S if self.wraps else LONGEST_PAUSE_S) / self.time_base)


@dataclass(frozen=True)
class Timeline:
    """The display times of a clip's frames.

    Attributes:
        times_s: seconds from the first frame, ascending, one per frame in display order.
        end_s: end of the last frame, in seconds.
        joints: indices of the frames at which the stamps start over: the first frames of further recordings.
        corrected: number of frames whose stamps were wrong or missing; all of them if no stamp is usable.
    """

    times_s: tuple[float, ...]
    end_s: float
    joints: tuple[int, ...] = ()
    corrected: int = 0


def is_plain(stamps: Sequence[int | None], keyframes: Sequence[bool], clock: Clock, *, reordered: bool) -> bool:
    """Return whether stamps can be used as they are.

    Args:
        stamps: those of the packets, in file order.
        keyframes: which of the packets are keyframes.
        clock: the stream's clock.
        reordered: whether display order may differ from file order.
    """
    known = [stamp for stamp in stamps if stamp is not None]
    if len(known) != len(stamps) or len(set(known)) != len(known):
        return False
    order = sorted(range(len(known)), key=known.__getitem__)
    moved = MAX_REORDERED if reordered else 0
    if any(abs(rank - number) > moved for rank, number in enumerate(order)):
        return False
    # no packet before a keyframe in file order may be displayed after it
    latest = None
    for stamp, key in zip(known, keyframes, strict=True):
        if key and latest is not None and stamp < latest:
            return False
        latest = stamp if latest is None else max(latest, stamp)
    ordered = sorted(known)
    steps = [later - one for one, later in pairwise(ordered)]
    if not steps:
        return True
    lone = LONE_S / clock.time_base
    return max(steps) <= clock.longest_pause and steps[0] <= lone and steps[-1] <= lone


def timeline(stamps: Sequence[int | None], clock: Clock, last_duration: int = 0) -> Timeline:
    """Return the display times of frames.

    Args:
        stamps: those of the frames, in display order; None for a missing one.
        clock: the stream's clock.
        last_duration: duration of the last frame in ticks; 0 if it is not known.
    """
    ticks = _unwrapped(stamps) if clock.wraps else list(stamps)
    step = _usual_step(ticks, clock)
    _drop_lone_ends(ticks, step, clock)
    recordings = _recordings(ticks, clock, step)
    believed = sum(len(one) for one in recordings)
    if len(recordings) > max(1, believed // 2):  # all stamps are equal, or run backwards
        recordings, believed = [], 0
    times, joints = _placed(len(ticks), ticks, recordings, step)
    base = float(clock.time_base)
    end = times[-1] + (last_duration or step) if times else 0.0
    return Timeline(tuple(time * base for time in times), end * base, joints, len(ticks) - believed)


def _unwrapped(stamps: Sequence[int | None]) -> list[int | None]:
    found: list[int | None] = []
    last = None
    for stamp in stamps:
        if stamp is None:
            found.append(None)
            continue
        last = stamp if last is None else last + (stamp - last + WRAP // 2) % WRAP - WRAP // 2
        found.append(last)
    return found


def _usual_step(ticks: Sequence[int | None], clock: Clock) -> float:
    known = [tick for tick in ticks if tick is not None]
    lone = LONE_S / clock.time_base
    steps = sorted(later - one for one, later in pairwise(known) if 0 < later - one <= lone)
    if len(steps) > len(known) // 2:
        return float(steps[len(steps) // 2])
    return float(1 / clock.rate / clock.time_base)


def _drop_lone_ends(ticks: list[int | None], step: float, clock: Clock) -> None:
    """Discard the stamp of a first or last frame that is far from all others."""
    known = [number for number, tick in enumerate(ticks) if tick is not None]
    if len(known) <= KEPT_PER_WILD:
        return
    lone = max(float(LONE_S / clock.time_base), LONE_STEPS * step)
    for end, *others in (known[:3], known[:-4:-1]):
        # compare with two neighbours: one of them may be wrong itself
        if all(abs((ticks[end] or 0) - (ticks[other] or 0)) > lone for other in others):
            ticks[end] = None


def _recordings(ticks: Sequence[int | None], clock: Clock, step: float) -> list[list[int]]:
    """Return the frames whose stamps are believed, grouped into recordings with rising stamps."""
    runs: list[list[int]] = []
    for number, tick in enumerate(ticks):
        if tick is None:
            continue
        last = ticks[runs[-1][-1]] if runs else None
        if last is not None and 0 < tick - last <= clock.longest_pause:
            runs[-1].append(number)
        else:
            runs.append([number])
    found: list[list[int]] = []
    for run in runs:
        way = _best_cut(found, run, ticks, clock, step)
        first, last = found[:-1] == [] and bool(found), run is runs[-1] and bool(found)
        if first and _outweighs(found[0], run, way, step):
            found = [run]
        elif last and _outweighs(run, found[-1], way, step):
            pass
        elif way is None:
            found.append(run)
        else:
            cut = way.cut
            earlier = found[-1 - cut.between]
            del found[len(found) - 1 - cut.between :]
            found.append(earlier[: len(earlier) - cut.tail] + run[cut.head :])
    return found


def _outweighs(few: list[int], many: list[int], way: _Way | None, step: float) -> bool:
    """Return whether the first or last `few` frames of a clip are wrong, rather than those that `way` discards."""
    if len(few) > MAX_WILD or len(many) < KEPT_PER_WILD * len(few):
        return False
    return way is None or (len(few), step / 2) < (way.wild, way.irregularity)


@dataclass(frozen=True, order=True)
class _Cut:
    """Wrong stamps between two runs of one recording: whole runs, and frames at the ends of the two."""

    between: int
    head: int
    tail: int


@dataclass(frozen=True, order=True)
class _Way:
    """A cut and its cost: the number of stamps discarded, and the deviation from the usual step in ticks."""

    wild: int
    irregularity: float
    cut: _Cut


def _best_cut(
    before: list[list[int]], run: list[int], ticks: Sequence[int | None], clock: Clock, step: float
) -> _Way | None:
    """Return the cheapest cut after which `run` continues `before`; None if there is none.

    It discards the fewest stamps; of several such cuts, the one that leaves frames at their usual step.
    """
    ways: list[_Way] = []
    for cut, wild in _cuts(before):
        earlier = before[-1 - cut.between]
        left = len(earlier) - cut.tail, len(run) - cut.head
        if min(left) < 1 or sum(left) < KEPT_PER_WILD * wild:
            continue
        number, later = earlier[-1 - cut.tail], run[cut.head]
        gap = (ticks[later] or 0) - (ticks[number] or 0)
        if 0 < gap <= clock.longest_pause:
            ways.append(_Way(wild, abs(gap - (later - number) * step), cut))
    return min(ways, default=None)


def _cuts(before: list[list[int]]) -> Iterator[tuple[_Cut, int]]:
    """Yield the possible cuts after `before`, with the number of stamps that each discards."""
    for between in range(len(before)):
        skipped = sum(len(one) for one in before[len(before) - between :])
        if skipped > MAX_WILD:
            return
        for tail in range(MAX_WILD - skipped + 1):
            for head in range(MAX_WILD - skipped - tail + 1):
                yield _Cut(between, head, tail), skipped + tail + head


def _placed(
    count: int, ticks: Sequence[int | None], recordings: list[list[int]], step: float
) -> tuple[list[float], tuple[int, ...]]:
    """Return the time of each frame in ticks from the first, and the first frames of all recordings but the first."""
    times: dict[int, float] = {}
    joints: list[int] = []
    last, last_time = -1, -step
    for recording in recordings:
        first = ticks[recording[0]] or 0
        # a recording follows the previous one by the usual step, plus one step for each frame between without a stamp
        begin = last_time + (recording[0] - last) * step
        if times:
            joints.append(recording[0])
        for number in recording:
            times[number] = begin + ((ticks[number] or 0) - first)
        last, last_time = recording[-1], times[recording[-1]]
    return _filled(count, times, step), tuple(joints)


def _filled(count: int, known: dict[int, float], step: float) -> list[float]:
    """Return `known` times with the other frames placed between: at the usual step if they fit, else evenly spaced."""
    numbers = sorted(known)
    times: list[float] = []
    for number in range(count):
        if number in known:
            times.append(known[number])
            continue
        place = bisect_left(numbers, number)
        before = times[-1] if times else -step
        if place == len(numbers):
            times.append(before + step)
            continue
        after = known[numbers[place]]
        share = (after - before) / (numbers[place] - number + 1)
        times.append(before + min(share, step) if times else after - step * (numbers[place] - number))
    return times
