"""Which label a track has, what is detected, and how many things count. Pure.

The worker's summary and the notebooks, which read boxes files, decide by the same functions.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

SUPPORT_DIGITS = 3
"""Of summed scores that are compared: boxes files hold them to four digits, and give the same label."""
HIT_S = 0.2
"""Seconds that a hit stands for where `min_hits` of them make a thing count: the step at 5 frames per second."""
LONGEST_STEP_S = 0.5
"""Seconds that a sampled frame stands for at most: the step at 2 frames per second. More is a pause."""
SLACK_S = 0.01
"""Seconds by which sums of steps may be short: time stamps are rounded, and steps of 0.1 s are 0.08 s and 0.12 s long
where a clip has 25 frames per second."""


@dataclass
class Name:
    """A label of a track. `frames`: the sampled frames it was given in; `support`: the sum of its scores there."""

    frames: set[int] = field(default_factory=set)
    support: float = 0.0
    max_conf: float = 0.0


@dataclass
class TrackSummary:
    """A track so far. Frames are the numbers of sampled ones; a box counts that has a label which is reported, and a
    score at or above the threshold.

    Attributes:
        number: of the track.
        in_sight: frames in which it has a box at or above the threshold, of any label.
        followed: frames in which it has a box of a label that is reported, of any score.
        frames: frames in which it has a box that counts.
        first_s, last_s: times of the first and the last of them.
        names: its labels.
    """

    number: int
    in_sight: set[int] = field(default_factory=set)
    followed: set[int] = field(default_factory=set)
    frames: set[int] = field(default_factory=set)
    first_s: float = math.inf
    last_s: float = 0.0
    names: dict[str, Name] = field(default_factory=dict)

    def take(self, frame: int, time_s: float, label: str, score: float, *, strong: bool, reported: bool) -> None:
        """Count a box; those of a frame come best first.

        Args:
            frame, time_s: where it is.
            label, score: what it is.
            strong: whether its score is at or above the threshold.
            reported: whether its label is reported.
        """
        if strong:
            self.in_sight.add(frame)
        if reported:
            self.followed.add(frame)
        if not strong or not reported:
            return
        self.first_s, self.last_s = min(self.first_s, time_s), time_s
        self.frames.add(frame)
        name = self.names.setdefault(label, Name())
        if frame not in name.frames:
            name.frames.add(frame)
            name.support += score
        name.max_conf = max(name.max_conf, score)

    @property
    def label(self) -> str:
        """The best supported label: by summed scores, then by frames, then the one that came first."""
        return max(
            self.names, key=lambda one: (round(self.names[one].support, SUPPORT_DIGITS), len(self.names[one].frames))
        )


def by_label(tracks: Iterable[TrackSummary]) -> dict[str, list[TrackSummary]]:
    """Return the tracks with a box that counts, each under its label, in order of first sight."""
    found: dict[str, list[TrackSummary]] = {}
    for track in sorted((one for one in tracks if one.frames), key=lambda one: one.first_s):
        found.setdefault(track.label, []).append(track)
    return found


def is_detected(tracks: Iterable[TrackSummary], min_hits: int) -> bool:
    """Tell whether one of a label's tracks was seen in enough sampled frames."""
    return any(len(track.frames) >= min_hits for track in tracks)


def things(tracks: Sequence[TrackSummary], times_s: Sequence[float], min_hits: int) -> list[TrackSummary]:
    """Return which of a label's tracks count as things of it; where none does, the one that was seen longest.

    A thing counts when it was seen for long enough, whatever the rate. Two hits at 5 frames per second are something
    that was in sight for 0.2 s at least, and that could not be missed from 0.4 s up: the middle, 0.3 s, is long enough
    for a `min_hits` of 2. The frames in which a thing was seen, whatever it was called, are added up, each with the
    time that it stands for. So it needs 2 hits at 5 frames per second, 3 at 10, 8 at 25, and 1 at 2. It has to have a
    label that is reported in `min_hits` frames in any case, be it with a score below the threshold: what one frame
    alone shows does not count.

    Args:
        tracks: at least one.
        times_s: of all sampled frames.
        min_hits: of the run.
    """
    steps = _steps(times_s)
    seen_s = [sum(steps[frame] for frame in track.in_sight) for track in tracks]
    enough_s = (min_hits - 0.5) * HIT_S - SLACK_S
    counted = [
        track
        for track, long in zip(tracks, seen_s, strict=True)
        if long >= enough_s and len(track.followed) >= min_hits
    ]
    return counted or [tracks[seen_s.index(max(seen_s))]]


def _steps(times_s: Sequence[float]) -> list[float]:
    """Return how many seconds each sampled frame stands for: half of the way to the frame before and after it."""
    gaps = [min(later - one, LONGEST_STEP_S) for one, later in pairwise(times_s)] or [LONGEST_STEP_S]
    return [(before + after) / 2 for before, after in pairwise([gaps[0], *gaps, gaps[-1]])]
