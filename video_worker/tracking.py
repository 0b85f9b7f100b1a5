"""Which boxes of a clip are the same object, by edgefirst-tracker's ByteTrack.

That library is 0.7 MB and needs numpy only; norfair's fork brings 140 MB of scipy, and ``supervision`` gave its
tracker away to ``trackers``, which brings 430 MB and a second OpenCV.
"""

from __future__ import annotations

import numpy as np
from edgefirst.tracker import ByteTrack

from video_worker.postprocess import Detections, Ints

NO_TRACK = 0
"""Track number of a box that belongs to none: a weak one that continues no object."""

IOU_GATE = 0.1
"""Least overlap of a box with where its object is expected. Low: at 5 frames a second things move far."""
FOLLOW = 0.8
"""How much of a box's movement the expectation takes over, 0..1; at 0.25, the library's default for full frame
rates, a car that moves half its length between two sampled frames is a new car in each."""
MEMORY_S = 2.0
"""Seconds an object may be out of sight and still be the same one."""


class Tracker:
    """Follows the objects of one clip, each class by itself.

    Args:
        conf: score from which a box may begin a track; weaker ones only continue one.
    """

    def __init__(self, conf: float) -> None:
        self._conf = conf
        self._trackers: dict[int, ByteTrack] = {}
        self._numbers: dict[str, int] = {}

    def update(self, found: Detections, time_s: float) -> Ints:
        """Return the track number of each box in `found`, from 1 in order of first sight, or :data:`NO_TRACK`.

        Args:
            found: all boxes of the frame at `time_s`; frames come in the order of time.
        """
        numbers = np.full(len(found), NO_TRACK, np.int64)
        # classes seen before are told of their absence too, so that their tracks age
        for number in sorted({*self._trackers, *found.classes.tolist()}):
            which = np.flatnonzero(found.classes == number)
            numbers[which] = self._update_class(number, found.take(which), time_s)
        return numbers

    def _update_class(self, number: int, found: Detections, time_s: float) -> list[int]:
        tracker = self._trackers.get(number)
        if tracker is None:
            tracker = ByteTrack(high_conf=self._conf, iou=IOU_GATE, update=FOLLOW, lifespan_ns=round(MEMORY_S * 1e9))
            self._trackers[number] = tracker
        tracks = tracker.update(
            np.ascontiguousarray(found.xyxy), found.scores, found.classes.astype(np.uint64), round(time_s * 1e9)
        )
        # its own names are random; ours are the same on every run
        return [
            NO_TRACK if track is None else self._numbers.setdefault(track.uuid, len(self._numbers) + 1)
            for track in tracks
        ]
