"""Objects that were reported: what stands where one of them stood is not new, whatever number its track has. Pure.

A track ends when its object is out of sight for some seconds of the source's time, or when no frames come: while
nothing moves, while a camera is away, while the program starts again. A car that is parked all day would be reported
at each of these. So a reported object is remembered where it was seen last, and the object of a new track is the same,

* if it lies at the same place under the same label, or covers it under another one;
* or if frames were missing for some seconds just before, and it has the same label: it may have moved meanwhile;
* or if it has the same label, began near a known object that was lost a moment ago, and did not come in from the edge
  of the picture. Where objects pass each other, a detector gives halves of one and both in one box, and tracks mix.

For the same reason, a new track whose box is a part of a known object's box, or contains it, is not reported until it
has a place of its own.

What counts against the memory is time that was watched: once the place has been seen empty for
:data:`FORGET_WATCHED_S`, the object is gone, and the next one there is new. What was on the move when it was seen last
has left after :data:`LEFT_S`: whoever comes in by the same door, or the same edge of the picture, is new. Time without
frames counts up to :data:`FORGET_S`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

FORGET_WATCHED_S = 30.0
"""Seconds in which frames came and the object was in none of them. Detectors lose things that stand still for less."""
LEFT_S = 2.0
"""The same for what was on the move: it is not lost, it went. Frames go on for 3 s after the last motion."""
STANDS_S = 1.5
"""Seconds in one place from which an object is not on the move any more."""
FORGET_S = 86_400.0
"""Seconds since an object was seen, with or without frames."""
SAME_PLACE_IOU = 0.5
"""IoU from which two boxes of one label are at the same place."""
OTHER_LABEL_IOU = 0.8
"""The same for boxes of two labels: a parked car that the model calls a truck."""
MAX_STEP_S = 1.0
"""Longest time that a frame stands for; more is a pause."""
GAP_S = 1.0
"""Seconds without frames from which an object may have moved unseen."""
MAX_GAP_S = 15.0
"""Age of the last sight up to which it is taken for the same then: a restart takes five seconds, ten on a busy
machine."""
SETTLE_S = 2.0
"""Seconds of frames after such a gap within which its track has to have its hits."""
NEAR_SIZES, NEAR_SIZES_PER_S = 0.75, 1.0
"""How far from where an object was lost its next track may begin, at once and per second since, in sizes (the square
root of its area, as a share of the picture): most of what moves, moves at one size per second."""
EDGE = 0.02
"""What is nearer to the edge of the picture, as a share of its side, may have come in just now."""
HIDDEN_IOU = 0.5
"""IoU with a better box of another track from which a weak one says nothing about its own object."""
PART_SHARE, PART_IOU = 0.8, 0.35
"""Share of the smaller of two boxes that lies within the other, and their IoU, from which one is a part of the other:
a body without its legs, but no child in front of somebody tall."""
MAX_OBJECTS = 500

Box = tuple[float, float, float, float]
"""Corners x1, y1, x2, y2 as shares of the picture's width and height."""


@dataclass
class _Object:
    """A reported object.

    Attributes:
        track: the number that it has now.
        seen_s, watched_s: when it was seen last; the same in watched time.
        place: where it stands, or passed last.
        moved_s: when it came there; None where it has not moved since it was reported.
    """

    label: str
    box: Box
    track: int
    seen_s: float
    watched_s: float
    place: Box
    moved_s: float | None = None

    def see(self, box: Box, time_s: float, watched_s: float) -> None:
        """Take note of where it is now."""
        if iou(self.place, box) < SAME_PLACE_IOU:
            self.place, self.moved_s = box, time_s
        self.box, self.seen_s, self.watched_s = box, time_s, watched_s

    @property
    def memory_s(self) -> float:
        """Watched seconds without a sight of it after which it is gone."""
        is_on_the_move = self.moved_s is not None and self.seen_s - self.moved_s < STANDS_S
        return LEFT_S if is_on_the_move else FORGET_WATCHED_S


@dataclass(frozen=True)
class NewTrack:
    """A track that has its hits now: its number, its label, and its boxes, of this frame last."""

    track: int
    label: str
    boxes: Sequence[Box]


class KnownObjects:
    """The objects of one source that were reported. Times are seconds from the source's first frame."""

    def __init__(self) -> None:
        self._objects: list[_Object] = []
        self._by_track: dict[int, _Object] = {}
        self._now_s: float | None = None
        self._watched_s = 0.0

    def __len__(self) -> int:
        return len(self._objects)

    def frame(self, time_s: float) -> None:
        """Go on to the frame at `time_s`, and forget what has been gone for long enough."""
        if self._now_s is not None:
            self._watched_s += min(max(time_s - self._now_s, 0.0), MAX_STEP_S)
        self._now_s = time_s
        gone = [
            one
            for one in self._objects
            if self._watched_s - one.watched_s > one.memory_s or time_s - one.seen_s > FORGET_S
        ]
        for one in gone:
            self._forget(one)

    def see(self, track: int, box: Box) -> bool:
        """Take note of a box of this frame; return whether its track is that of a known object."""
        known = self._by_track.get(track)
        if known is None:
            return False
        known.see(box, self._time_s, self._watched_s)
        return True

    def recognise(self, new: NewTrack, present: Mapping[int, Box]) -> bool:
        """Return whether the object of a new track is a known one in the same place, whose track it is from then on.

        Args:
            new: the track.
            present: the best box of each track in this frame.
        """

        def likeness(one: _Object) -> float:
            overlap = max(iou(one.box, box) for box in new.boxes)
            return overlap if overlap >= (SAME_PLACE_IOU if one.label == new.label else OTHER_LABEL_IOU) else 0.0

        return self._continue(new, present, likeness)

    def recognise_after_gap(self, new: NewTrack, present: Mapping[int, Box]) -> bool:
        """Return whether the object of a new track is a known one that has moved while no frames came, likewise.

        To be asked when all new tracks of the frame were looked for in their places.
        """

        def likeness(one: _Object) -> float:
            age_s, watched_s = self._time_s - one.seen_s, self._watched_s - one.watched_s
            may_have_moved = age_s - watched_s >= GAP_S and age_s <= MAX_GAP_S and watched_s <= SETTLE_S
            if one.label != new.label or not may_have_moved:
                return 0.0
            # what is where it was has its own track, which may not have its hits yet
            stands = any(number != new.track and iou(one.box, box) >= SAME_PLACE_IOU for number, box in present.items())
            return 0.0 if stands else 1 - _distance(one.box, new.boxes[0]) / 2

        return self._continue(new, present, likeness)

    def recognise_nearby(self, new: NewTrack, present: Mapping[int, Box], hidden: Collection[int]) -> bool:
        """Return whether the object of a new track is a known one whose track was lost near it, likewise.

        Args:
            new: the track.
            present: the best box of each track in this frame.
            hidden: tracks in `present` whose box says nothing about where their object is.
        """
        if _is_at_edge(new.boxes[0]):
            return False

        def likeness(one: _Object) -> float:
            age_s = self._time_s - one.seen_s
            if one.label != new.label or age_s > LEFT_S:
                return 0.0
            size = float(min(_area(one.box), _area(new.boxes[-1])) ** 0.5)
            reach = size * (NEAR_SIZES + NEAR_SIZES_PER_S * age_s)
            return 1 - min(_distance(one.box, box) for box in new.boxes) / max(reach, 1e-6)

        return self._continue(new, set(present) - set(hidden), likeness)

    def is_part(self, new: NewTrack) -> bool:
        """Return whether the new track's box is a part of the box that a known object has in this frame, or covers it:
        both may be one object.
        """
        return any(
            one.label == new.label and one.seen_s == self._time_s and _is_part(one.box, new.boxes[-1])
            for one in self._objects
        )

    def _continue(self, new: NewTrack, present: Collection[int], likeness: Callable[[_Object], float]) -> bool:
        lost = [one for one in self._objects if one.track not in present]
        known = max(lost, key=likeness, default=None)
        if known is None or likeness(known) <= 0:
            return False
        self._by_track.pop(known.track, None)
        known.track = new.track
        self._by_track[new.track] = known
        return self.see(new.track, new.boxes[-1])

    def add(self, track: int, label: str, box: Box, seen_s: float | None = None) -> None:
        """Remember an object that was just reported."""
        if track in self._by_track:
            self._forget(self._by_track[track])
        if len(self._objects) >= MAX_OBJECTS:
            self._forget(min(self._objects, key=lambda one: one.seen_s))
        known = _Object(label, box, track, self._time_s if seen_s is None else seen_s, self._watched_s, box)
        self._objects.append(known)
        self._by_track[track] = known

    def state(self) -> dict[str, Any]:
        """Return what is remembered, as JSON takes it."""
        objects = [
            [one.label, list(one.box), one.track, one.seen_s, one.watched_s, list(one.place), one.moved_s]
            for one in self._objects
        ]
        return {"now_s": self._now_s, "watched_s": self._watched_s, "objects": objects}

    def resume(self, state: Mapping[str, Any], later_s: float = 0.0) -> None:
        """Go on from a :meth:`state`.

        Args:
            state: of earlier known objects.
            later_s: what its times are ahead of those to come.

        Raises:
            ValueError, TypeError, KeyError: it is none.
        """
        now_s, watched_s = state["now_s"], float(state["watched_s"])
        objects = [
            _Object(
                str(label),
                _box(box),
                int(track),
                float(seen_s) + later_s,
                float(seen_watched_s),
                _box(place),
                None if moved_s is None else float(moved_s) + later_s,
            )
            for label, box, track, seen_s, seen_watched_s, place, moved_s in state["objects"][:MAX_OBJECTS]
        ]
        self._now_s, self._watched_s = None if now_s is None else float(now_s) + later_s, watched_s
        self._objects = objects
        self._by_track = {one.track: one for one in objects}

    @property
    def _time_s(self) -> float:
        return self._now_s or 0.0

    def _forget(self, one: _Object) -> None:
        self._objects.remove(one)
        if self._by_track.get(one.track) is one:
            del self._by_track[one.track]


def iou(one: Box, other: Box) -> float:
    """Return intersection over union of two boxes."""
    shared = _shared_area(one, other)
    return shared / max(_area(one) + _area(other) - shared, 1e-12)


def _is_part(one: Box, other: Box) -> bool:
    smaller = max(min(_area(one), _area(other)), 1e-12)
    return iou(one, other) >= PART_IOU and _shared_area(one, other) >= PART_SHARE * smaller


def _shared_area(one: Box, other: Box) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return width * height if width > 0 and height > 0 else 0.0


def _is_at_edge(box: Box) -> bool:
    return min(box[:2]) < EDGE or max(box[2:]) > 1 - EDGE


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _distance(one: Box, other: Box) -> float:
    """Return the distance of two centres, in widths and heights of the picture; at most 1.42."""
    across, down = (one[0] + one[2] - other[0] - other[2]) / 2, (one[1] + one[3] - other[1] - other[3]) / 2
    return float((across**2 + down**2) ** 0.5)


def _box(corners: Sequence[Any]) -> Box:
    x1, y1, x2, y2 = (float(value) for value in corners)
    return x1, y1, x2, y2
