"""Follows a camera from frame to frame by its reference picture: when to look, and when it is lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_utils.media.picture import Picture
from video_worker.values.alignment import (
    SURE_SUPPORT,
    WORK_PX,
    Anchor,
    Found,
    Motion,
    Polygon,
    Transform,
    View,
    distance,
    matrix_of,
    motion_of,
    transform_of,
)
from video_worker.values.placement import AS_DRAWN, Matrix, Placement

LOOK_S = 2.0
"""Seconds between two looks while nothing seems to change."""
SOON_S = 0.15
"""The same while much of the picture changes: the camera may be moving."""
LOST_S = 0.5
"""The same while the camera is lost."""
SEARCH_S = 1.0
"""Seconds between two searches all over the picture, which cost ten times as much as a look."""
SAME_PX = 0.3
"""Movement that is none: places tremble by less."""
ANCHOR_S = 30.0
"""Age from which a later picture of the same place is remembered besides the reference: light changes over a day."""
THUMB_PX = 96
THUMB_CHANGE, THUMB_SHARE = 8, 0.03
"""Grey levels by which a place of the thumbnail changes, and the share of them, that is much of the picture."""
DARK, SEEN_SHARE = 45, 0.4
"""Grey level of most of a frame, and share of the reference's corners, below which it is too dark to tell where the
camera looks."""
MAX_ASPECT_ERROR = 0.02
"""Relative difference of proportions: sub-streams round theirs."""


class Aligner:
    """Tells where the zones of one camera are, frame by frame.

    While a frame is too dark to tell, the place before stands: a lit display in the dark can be read.

    Args:
        reference: the picture that the zones were drawn on, height×width×3, blue green red.
        ignored: polygons, 0..1 of it, whose content changes, such as displays.

    Attributes:
        placement: where the zones are.
        motion: how the camera was moved since the reference; None while it is lost.

    Raises:
        ValueError: the reference shows too little to be found again.
    """

    def __init__(self, reference: Picture, ignored: Sequence[Polygon] = ()) -> None:
        height, width = reference.shape[:2]
        self._aspect = width / height
        work = min(WORK_PX, width)
        self._size = work, max(1, round(work * height / width))
        self._ignored = ignored
        self._reference = Anchor(View(reference, self._size), ignored)
        if not self._reference.is_usable:
            raise ValueError("it shows too few details all over to find them again")
        self._latest: Anchor | None = None
        self._latest_s = 0.0
        self._last: Transform = np.eye(3)
        self._looked_s: float | None = None
        self._searched_s: float | None = None
        self._thumb: NDArray[np.int16] | None = None
        self.placement: Placement = AS_DRAWN
        self.motion: Motion | None = Motion(0.0, 0.0, 1.0)

    def fits(self, picture: Picture) -> bool:
        """Return whether a frame has the proportions of the reference."""
        height, width = picture.shape[:2]
        return bool(abs(width / height / self._aspect - 1) <= MAX_ASPECT_ERROR)

    def update(self, time_s: float, picture: Picture) -> Placement:
        """Take a frame; return where the zones are in it."""
        thumb = _thumb(picture)
        if self._is_due(time_s, thumb):
            self._thumb, self._looked_s = thumb, time_s
            self._look(time_s, View(picture, self._size))
        return self.placement

    def locate(self, picture: Picture) -> Matrix | None:
        """Return where the reference is in a picture that is no frame, such as that of a page; None if not in it."""
        view = View(picture, self._size)
        found = self._reference.near(view, np.eye(3))
        if found is None or found.support < SURE_SUPPORT:
            found = _better(found, self._reference.anywhere(view))
        return None if found is None or not self._is_small(found) else matrix_of(found.transform, self._size)

    def _is_due(self, time_s: float, thumb: NDArray[np.int16]) -> bool:
        if self._looked_s is None or self._thumb is None:
            return True
        waited_s = time_s - self._looked_s
        if self.placement.is_lost or waited_s < SOON_S:
            return waited_s >= (LOST_S if self.placement.is_lost else SOON_S)
        changed = np.abs(thumb - self._thumb) > THUMB_CHANGE if thumb.shape == self._thumb.shape else np.ones(1)
        return waited_s >= LOOK_S or bool(changed.mean() > THUMB_SHARE)

    def _look(self, time_s: float, view: View) -> None:
        found = self._reference.near(view, self._last)
        if found is None or found.support < SURE_SUPPORT:
            found = _better(found, self._since_latest(view))
        if (found is None or found.support < SURE_SUPPORT) and self._may_search(time_s):
            self._searched_s = time_s
            found = _better(found, self._reference.anywhere(view))
        if found is None and self._is_dark(view):
            return
        if found is None or not self._is_small(found):
            self.placement, self.motion = Placement(is_lost=True), None
            return
        self._take(found.transform)
        if found.support >= SURE_SUPPORT and (self._latest is None or time_s - self._latest_s >= ANCHOR_S):
            self._latest, self._latest_s = Anchor(view, self._ignored, self._last), time_s

    def _since_latest(self, view: View) -> Found | None:
        """Return the place by the latest picture; None where that does not show it either."""
        if self._latest is None or not self._latest.is_usable:
            return None
        moved = self._latest.near(view, self._last @ np.linalg.inv(self._latest.placed))
        if moved is None or moved.support < SURE_SUPPORT:
            return None
        still = distance(moved.transform, self._size) < SAME_PX
        return Found(self._latest.placed if still else moved.transform @ self._latest.placed, moved.support)

    def _may_search(self, time_s: float) -> bool:
        return self._searched_s is None or time_s - self._searched_s >= SEARCH_S

    def _is_dark(self, view: View) -> bool:
        if np.median(view.grey) >= DARK:
            return False
        return len(view.corners(self._ignored)) < SEEN_SHARE * len(self._reference.corners)

    def _is_small(self, found: Found) -> bool:
        motion = motion_of(found.transform, self._size)
        return motion is not None and motion.is_small

    def _take(self, transform: Transform) -> None:
        is_same = distance(transform @ np.linalg.inv(self._last), self._size) < SAME_PX
        if is_same and not self.placement.is_lost:
            return
        if not is_same:
            self._last = transform
        self.motion = motion_of(self._last, self._size)
        self.placement = self._placement()

    def _placement(self) -> Placement:
        if distance(self._last, self._size) < SAME_PX:
            return AS_DRAWN
        return Placement(matrix_of(self._last, self._size))

    def state(self) -> dict[str, Any]:
        """Return where the camera looked last, as JSON takes it."""
        return {"matrix": matrix_of(self._last, self._size), "lost": self.placement.is_lost}

    def resume(self, state: Mapping[str, Any]) -> None:
        """Go on from a :meth:`state`.

        Raises:
            ValueError, TypeError, KeyError: it is none.
        """
        transform = transform_of(np.array(state["matrix"], np.float64).reshape(3, 3).tolist(), self._size)
        motion = motion_of(transform, self._size)
        if motion is None or not motion.is_small or not isinstance(state["lost"], bool):
            raise ValueError("no place of a camera")
        self._last, self.motion = transform, motion
        self.placement = self._placement()
        if state["lost"]:
            self.placement, self.motion = Placement(is_lost=True), None


def _better(one: Found | None, other: Found | None) -> Found | None:
    if one is None or other is None:
        return one or other
    return other if other.support > one.support else one


def _thumb(picture: Picture) -> NDArray[np.int16]:
    """Return a small grey picture without its brightness, quickly."""
    step = max(1, picture.shape[1] // THUMB_PX)
    small = cv2.blur(np.ascontiguousarray(picture[::step, ::step, 1]), (3, 3)).astype(np.int16)
    return np.asarray(small - int(small.mean()), np.int16)
