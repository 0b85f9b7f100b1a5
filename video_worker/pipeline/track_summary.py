"""What the boxes of a track add up to: its label, whether that is detected, and how many tracks count. Pure.

The worker's summary and the notebooks, which read boxes files, decide by the same functions.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

SUPPORT_DIGITS = 3
"""Digits of summed scores that are compared. Boxes files hold scores to four digits, and give the same label."""
HIT_S = 0.2
"""Seconds that a hit stands for where `min_hits` of them make a track count: the step at 5 frames per second."""
MAX_STEP_S = 0.5
"""Longest time, seconds, that a sampled frame stands for: the step at 2 frames per second. More is a pause."""
TOLERANCE_S = 0.01
"""Seconds by which sums of steps may be short: time stamps are rounded, and steps of 0.1 s are 0.08 s and 0.12 s long
where a clip has 25 frames per second."""


@dataclass
class LabelSupport:
    """A label of a track.

    Attributes:
        frames: sampled frames in which the track has it.
        support: sum of its scores there.
        max_conf: best of them.
    """

    frames: set[int] = field(default_factory=set)
    support: float = 0.0
    max_conf: float = 0.0


@dataclass
class TrackSummary:
    """A track so far. Frames are numbered as they are sampled. A box counts if its label is reported and its score is
    at or above the threshold.

    Attributes:
        number: of the track.
        strong_frames: frames in which it has a box at or above the threshold, of any label.
        reported_frames: frames in which it has a box of a label that is reported, of any score.
        frames: frames in which it has a box that counts: its hits.
        first_s, last_s: times of the first and the last of them.
        labels: its labels.
    """

    number: int
    strong_frames: set[int] = field(default_factory=set)
    reported_frames: set[int] = field(default_factory=set)
    frames: set[int] = field(default_factory=set)
    first_s: float = math.inf
    last_s: float = 0.0
    labels: dict[str, LabelSupport] = field(default_factory=dict)

    def add(self, frame: int, time_s: float, label: str, score: float, *, strong: bool, reported: bool) -> None:
        """Add a box. The best box of a frame comes first.

        Args:
            frame: number of the sampled frame.
            time_s: its time.
            label: of the box.
            score: of the box.
            strong: whether its score is at or above the threshold.
            reported: whether its label is reported.
        """
        if strong:
            self.strong_frames.add(frame)
        if reported:
            self.reported_frames.add(frame)
        if not strong or not reported:
            return
        self.first_s, self.last_s = min(self.first_s, time_s), time_s
        self.frames.add(frame)
        entry = self.labels.setdefault(label, LabelSupport())
        if frame not in entry.frames:
            entry.frames.add(frame)
            entry.support += score
        entry.max_conf = max(entry.max_conf, score)

    @property
    def label(self) -> str:
        """The best supported label: by summed scores, then by frames, then the one that came first."""
        return max(
            self.labels,
            key=lambda label: (round(self.labels[label].support, SUPPORT_DIGITS), len(self.labels[label].frames)),
        )


def by_label(tracks: Iterable[TrackSummary]) -> dict[str, list[TrackSummary]]:
    """Return the tracks with a box that counts, each under its label, in order of first sight."""
    found: dict[str, list[TrackSummary]] = {}
    for track in sorted((one for one in tracks if one.frames), key=lambda one: one.first_s):
        found.setdefault(track.label, []).append(track)
    return found


def is_detected(tracks: Iterable[TrackSummary], min_hits: int) -> bool:
    """Return whether one of a label's tracks was seen in at least `min_hits` sampled frames."""
    return any(len(track.frames) >= min_hits for track in tracks)


def counted_tracks(tracks: Sequence[TrackSummary], times_s: Sequence[float], min_hits: int) -> list[TrackSummary]:
    """Return which of a label's tracks count as objects of it; where none does, the one that was seen longest.

    A track counts when it was seen for long enough, whatever the rate. Two hits at 5 frames per second are an object
    that was visible for 0.2 s at least, and that could not be missed from 0.4 s up: the middle, 0.3 s, is long enough
    for a `min_hits` of 2. Each frame in which the track was seen, under any label, counts for the time that it stands
    for. So a track needs 2 hits at 5 frames per second, 3 at 10, 8 at 25, and 1 at 2. In any case it must have a label
    that is reported in `min_hits` frames, with any score: an object of a single frame does not count.

    Args:
        tracks: at least one.
        times_s: of all sampled frames.
        min_hits: of the run.
    """
    steps = _steps_s(times_s)
    seen_s = [sum(steps[frame] for frame in track.strong_frames) for track in tracks]
    enough_s = (min_hits - 0.5) * HIT_S - TOLERANCE_S
    counted = [
        track
        for track, duration_s in zip(tracks, seen_s, strict=True)
        if duration_s >= enough_s and len(track.reported_frames) >= min_hits
    ]
    return counted or [tracks[seen_s.index(max(seen_s))]]


def _steps_s(times_s: Sequence[float]) -> list[float]:
    """Return how many seconds each sampled frame stands for: half of the way to the frame before and after it."""
    gaps = [min(later - one, MAX_STEP_S) for one, later in pairwise(times_s)] or [MAX_STEP_S]
    return [(before + after) / 2 for before, after in pairwise([gaps[0], *gaps, gaps[-1]])]
