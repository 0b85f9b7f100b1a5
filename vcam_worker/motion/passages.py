"""Tells when motion begins and ends in front of a camera, from the verdicts on single frames. Pure.

Motion has begun with the second moving frame in a row: a single one is a glitch. It has ended when nothing has moved
for :data:`STILL_S`, and at least the last :data:`STILL_FRAMES` frames say so: who stands still for a moment has not
left.

While a clip is open, only keyframes are analysed, seconds apart (:mod:`vcam_worker.motion.watcher`). Then one moving
frame is enough to begin, and the end is known as far as keyframes tell: it may lie up to a GOP after the time given,
and is reported later. All times are seconds since the epoch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

STILL_S = 5.0
"""Time without motion after which it has ended."""
STILL_FRAMES = 2
"""Frames without motion that it takes at least."""
SPARSE_S = 1.5
"""Interval between analysed frames from which one of them is enough to begin: waiting for the next would miss most."""
SILENT_S = 15.0
"""Time without analysed frames after which motion counts as ended: longer than a reconnection, or a GOP in a clip."""


@dataclass(frozen=True)
class Passage:
    """The beginning or the end of motion.

    Attributes:
        what: which.
        at: time of the first or last frame that moved.
        began: time of the first one.
        share: of the picture that moves, 0..1, in the frame that decided the beginning; 0 for an end.
    """

    what: Literal["started", "ended"]
    at: float
    began: float
    share: float = 0.0


class Passages:
    """Takes verdicts in their order, and returns what begins or ends."""

    def __init__(self) -> None:
        self._moving = False
        self._began = self._last_moving = self._last = 0.0
        self._hits = self._still = 0

    def take(self, at: float, *, moving: bool, share: float) -> Passage | None:
        """Take the verdict on the frame of time `at`."""
        is_sparse = SPARSE_S < at - self._last < SILENT_S
        self._last = at
        if not moving:
            self._hits = 0
            self._still += 1
            # time that runs backwards, by a clock that was set back, tells nothing
            is_late = not 0 <= at - self._last_moving < STILL_S
            return self._end() if self._moving and self._still >= STILL_FRAMES and is_late else None
        self._still = 0
        self._hits += 1
        if self._moving:
            self._last_moving = at
            return None
        if self._hits == 1:
            self._began = at
            if not is_sparse:
                return None
        self._moving, self._last_moving = True, at
        return Passage("started", self._began, self._began, share)

    def check(self, now: float) -> Passage | None:
        """End motion of which nothing has been heard for long, as the camera is away."""
        return self._end() if self._moving and abs(now - self._last) >= SILENT_S else None

    def close(self) -> Passage | None:
        """End what goes on: the camera is not watched any more."""
        return self._end() if self._moving else None

    def _end(self) -> Passage:
        self._moving, self._hits = False, 0
        return Passage("ended", self._last_moving, self._began)
