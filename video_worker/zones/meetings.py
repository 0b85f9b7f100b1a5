"""Tells apart by their colours who met: while two objects hide each other, their tracks may swap.

Boxes alone cannot tell two people who pass each other from two who both turn back. So each object's colours are
remembered from before a meeting, and compared when both are in full view again. Where the exchanged assignment fits
clearly better, they were swapped. Two that look alike stay as they are.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shared_utils.media.picture import Picture
from video_worker.zones.boxes import BoxShares, edges
from video_worker.zones.twins import MIN_SIMILARITY, Seen, similarity

Colours = tuple[float, ...]
"""Mean blue, green and red of the upper and of the lower half, 0..1 each."""

HALVES = ((0.2, 0.5), (0.55, 0.9))
"""From where to where both parts reach, in heights of the box."""
MIDDLE = (0.3, 0.7)
"""The same across, in widths of the box: there is little background."""
SAMPLES = 12
"""Pixels that are looked at in a part, down and across."""

NEAR_SIZES = 0.25
"""Gap between two boxes, in sizes, at which a meeting begins: objects move on between two frames."""
MAX_COVERED = 0.05
"""Share of a box that others may cover, of which the colours are those of the object."""
AFTER_S, AFTER_FRAMES = 0.2, 2
"""Seconds, and frames, for which both have to be in full view after a meeting."""
MEETING_S = 6.0
"""Seconds after which a meeting that has not ended is forgotten."""
FAR = 100.0
"""Distance, in heights of the picture, that is never reached."""
AVERAGE = 0.2
"""Weight of a frame in the average of an object's colours."""
SWAPPED_RATIO, SWAPPED_GAIN = 0.5, 0.08
"""How much nearer the colours of before have to be to the exchanged ones: by this factor, and by so much."""


class View(NamedTuple):
    """What a frame shows of an object: its box, corners in 0..1 of the picture, and its colours."""

    box: BoxShares
    colours: Colours | None


@dataclass
class _Meeting:
    """Two that met.

    Attributes:
        since_s: for how long they have.
        distance: smallest distance of both so far, in heights of the picture; 0 where one hides the other.
        closest_s: seconds since then.
        after: colours of both since they are in full view, in sums; `after_s`, `frames`: for how long that is.
    """

    since_s: float = 0.0
    distance: float = FAR
    closest_s: float = 0.0
    after_s: float = 0.0
    frames: int = 0
    after: NDArray[np.float64] = field(default_factory=lambda: np.zeros((2, 0)))

    def approach(self, distance: float) -> None:
        """Take how far both are from each other now."""
        if distance < self.distance:
            self.distance, self.closest_s = distance, 0.0

    def reset(self) -> None:
        """Take note that one hides the other."""
        self.after_s, self.frames = 0.0, 0

    def add(self, colours: NDArray[np.float64], step_s: float) -> bool:
        """Take the colours of both in full view; return whether that is enough."""
        if not self.frames:
            self.after, self.after_s = colours, 0.0
        else:
            self.after, self.after_s = self.after + colours, self.after_s + step_s
        self.frames += 1
        return self.frames >= AFTER_FRAMES and self.after_s >= AFTER_S - 1e-6


class Meetings:
    """Watches all pairs of objects of one source."""

    def __init__(self) -> None:
        self._colours: dict[int, NDArray[np.float64]] = {}
        self._meetings: dict[tuple[int, int], _Meeting] = {}

    def update(
        self,
        seen: Sequence[Seen],
        views: Mapping[int, View],
        boxes: Sequence[BoxShares],
        step_s: float,
    ) -> list[tuple[int, int, float]]:
        """Take a frame.

        Args:
            seen: objects in sight.
            views: what it shows of them, by their numbers.
            boxes: all that it has, also of others.
            step_s: seconds since the frame before.

        Returns:
            Numbers of two that were swapped, to be exchanged one pair after the other, and the seconds since
            they were closest to each other.
        """
        for meeting in self._meetings.values():
            meeting.since_s += step_s
            meeting.closest_s += step_s
        self._meetings = {key: one for key, one in self._meetings.items() if one.since_s <= MEETING_S}
        clear = {number: np.array(view.colours) for number, view in views.items() if _is_clear(view, boxes)}
        found = {one.number: one for one in seen}
        for one, other in combinations(sorted(found), 2):
            self._meet(found[one], found[other])
        swapped = []
        for (one, other), meeting in sorted(self._meetings.items()):
            meeting.approach(_distance(found[one], found[other]) if one in found and other in found else 0.0)
            if one in clear and other in clear:
                if meeting.add(np.stack([clear[one], clear[other]]), step_s):
                    del self._meetings[one, other]
                    if self._are_swapped(one, other, meeting.after / meeting.frames):
                        swapped.append((one, other, meeting.closest_s))
                        clear[one], clear[other] = clear[other], clear[one]
            elif one in found or other in found:
                meeting.reset()
        busy = {number for pair in self._meetings for number in pair}
        for number, colours in clear.items():
            if number not in busy:
                before = self._colours.get(number, colours)
                self._colours[number] = before + AVERAGE * (colours - before)
        return swapped

    def _meet(self, one: Seen, other: Seen) -> None:
        """Begin a meeting, if two are near each other and may be taken for each other."""
        key = (one.number, other.number)
        known = key in self._meetings or not self._colours.keys() >= set(key)
        if known or similarity(one.known, other.known) < MIN_SIMILARITY:
            return
        scale = np.array([one.aspect, 1.0])
        first, second = (np.reshape(each.box, (2, 2)) * scale for each in (one, other))
        size = min(float(np.sqrt(np.prod(each[1] - each[0]))) for each in (first, second))
        if (np.maximum(first[0], second[0]) - np.minimum(first[1], second[1]) <= NEAR_SIZES * size).all():
            self._meetings[key] = _Meeting()

    def _are_swapped(self, one: int, other: int, after: NDArray[np.float64]) -> bool:
        """Return whether each of two looks as the other one did before."""
        before = np.stack([self._colours[one], self._colours[other]])
        same, exchanged = _difference(before, after), _difference(before, after[::-1])
        return exchanged <= SWAPPED_RATIO * same and same - exchanged >= SWAPPED_GAIN

    def forget(self, known: Collection[int]) -> None:
        """Forget all objects but the `known` ones."""
        there = set(known)
        self._colours = {number: one for number, one in self._colours.items() if number in there}
        self._meetings = {key: one for key, one in self._meetings.items() if there.issuperset(key)}

    def state(self) -> dict[str, Any]:
        """Return what must survive a restart, as JSON takes it."""
        meetings = [[*key, asdict(one) | {"after": one.after.tolist()}] for key, one in self._meetings.items()]
        return {"colours": [[number, *one.tolist()] for number, one in self._colours.items()], "meetings": meetings}

    def resume(self, state: Mapping[str, Any]) -> None:
        """Go on from a :meth:`state`.

        Raises:
            ValueError, TypeError, KeyError: it is none.
        """
        colours = {int(number): np.array([float(value) for value in one]) for number, *one in state.get("colours", ())}
        meetings = {
            (int(one), int(other)): _Meeting(**{**entry, "after": np.array(entry["after"], np.float64)})
            for one, other, entry in state.get("meetings", ())
        }
        self._colours, self._meetings = colours, meetings


def colours_of(picture: Picture, corners: Sequence[float]) -> Colours | None:
    """Return the colours of a box, corners in pixels; None where it has no pixels in the picture."""
    height, width = picture.shape[:2]
    x1, x2 = (min(max(value, 0.0), width) for value in (corners[0], corners[2]))
    y1, y2 = (min(max(value, 0.0), height) for value in (corners[1], corners[3]))
    left, right = (int(x1 + share * (x2 - x1)) for share in MIDDLE)
    found: list[float] = []
    for high, low in HALVES:
        top, bottom = int(y1 + high * (y2 - y1)), int(y1 + low * (y2 - y1))
        down, across = max(1, (bottom - top) // SAMPLES), max(1, (right - left) // SAMPLES)
        part = picture[top:bottom:down, left:right:across]
        if not part.size:
            return None
        found += (part.mean(axis=(0, 1)) / 255).tolist()
    return tuple(found)


def _distance(one: Seen, other: Seen) -> float:
    """Return how far the centres of two are from each other, in heights of the picture."""
    (x1, y1, x2, y2), (x3, y3, x4, y4) = one.box, other.box
    return math.hypot((x1 + x2 - x3 - x4) / 2 * one.aspect, (y1 + y2 - y3 - y4) / 2)


def _difference(before: NDArray[np.float64], after: NDArray[np.float64]) -> float:
    """Return how far the colours of two are from those of before, in sum."""
    return float(np.sqrt(((before - after) ** 2).mean(axis=1)).sum())


def _is_clear(view: View, boxes: Sequence[BoxShares]) -> bool:
    """Return whether nothing hides an object, as far as boxes tell, and it is all within the picture."""
    x1, y1, x2, y2 = view.box
    if view.colours is None or edges(view.box) & {0, 2}:
        return False
    others = np.array([box for box in boxes if box is not view.box], np.float64).reshape(-1, 4)
    low, high = np.maximum(others[:, :2], (x1, y1)), np.minimum(others[:, 2:], (x2, y2))
    covered = np.clip(high - low, 0, None).prod(axis=1)
    return bool((covered <= MAX_COVERED * (x2 - x1) * (y2 - y1)).all())
