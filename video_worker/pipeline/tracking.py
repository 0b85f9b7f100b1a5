"""Which boxes of a clip are the same thing, whatever the model calls it from frame to frame.

A detector names each box anew: one car is car, bus and suitcase by turns. So boxes are matched by where they are and
how they move; names only help to decide. Written here, in numpy alone, because no library offers it: byte trackers
(edgefirst-tracker, ``supervision``'s) match one class at a time or ignore the classes altogether, count their memory
in frames, and expect steps of one length; ``trackers`` brings a second OpenCV, norfair 140 MB of scipy.

How it works, frame by frame:

1. **Sights.** Boxes that cover the same area (IoU of :data:`SAME_BOX`) are one sight with several names: detectors give
   a doubtful thing as `car 0.6` and `truck 0.4` on one place. A rider and a bicycle overlap far less.
2. **Prediction.** Each edge of a track's box moves on at its own speed, in pixels per second, so that a thing that
   comes into the picture grows as it should, and the step from frame to frame may be of any length.
3. **Matching**, best pairs first. How much alike the names of a sight and of a track are (their scores as shares, what
   both have in common) decides how near the place has to be. With names in common, a box that lies some of its sizes
   away will do, for at 2 frames per second a car does not overlap itself. With other names only a box that covers
   where the thing was expected will, and soon: something else may have taken its place.
4. What matches no track begins one, unless it is a second box of a track that is known by that name too.

No class is treated specially, so that models of other things behave alike. The threshold plays no part: tracks are the
same whatever it is, which lets notebooks sweep it over boxes files. All that is a time is in seconds, all that is a
distance in sizes of the thing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from video_worker.models.postprocess import Detections, Floats, Ints

NO_TRACK = 0
"""Track number of a box that belongs to none. Only boxes files of earlier versions have such boxes."""

SAME_BOX = 0.8
"""IoU from which two boxes of a frame are one sight. Two names of one thing have 0.9 and more; a person and the
motorcycle under him, seen from the front, reach 0.7."""
SECOND_BOX = 0.6
"""IoU from which a box beside the one of its track is a second one, where the track is known by its name."""
INNER_BOX, INNER_SHARE = 0.5, 0.9
"""The same where so much of the smaller box lies within the other: half a car behind a fence. Two who walk side by
side overlap as much, but neither within the other."""
MEMORY_S = 3.0
"""Seconds a thing may be out of sight and still be the same one: 2 s behind something, and a sampled frame on each
side at 2 frames per second."""
FAINT_MEMORY_S = 0.6
"""The same for what never had a score of :data:`FAINT`: such boxes come and go everywhere."""
FRESH_S = 0.25
"""Seconds within which a track, beside those of the last frame, has the first choice of the sights. What is left may
be things that were out of sight for longer."""
OTHER_NAME_S = 1.0
"""Seconds after which a sight by another name is another thing."""
ALIKE = 0.15
"""How much alike names have to be to count as the same, 0..1."""
NEAR_IOU = 0.3
"""IoU with the expected box from which a sight by the same name fits."""
COVERS_IOU = 0.5
"""IoU with the expected box from which a sight by another name fits."""
SAME_SHAPE = 1.4
"""Factor up to which width and height may differ for a sight by another name that does not overlap: a fast car that is
a bus in the next frame keeps its shape, a person and a bicycle have not the same."""
FAINT = 0.25
"""Score below which a sight has to overlap: most boxes as weak as that show nothing."""
SLACK = 0.5
"""Sizes of a thing that it may be off where it is expected, at once."""
TOP_SPEED = 6.0
"""Sizes per second that a thing may move when nothing is known of its speed: a car at 60 km/h, a person who runs."""
DRIFT = 1.0
"""Sizes per second by which a thing may be off where its known speed would take it."""
MAX_REACH = 3.5
"""Sizes beyond which nothing is the same thing."""
SIZE_RATIO = 4.0
"""Areas may differ by this factor where boxes do not overlap."""
SPEED_S = 0.4
"""Seconds over which speeds are averaged: a box's edges tremble by some percent of its size."""
GROWS_S = 0.25
"""Seconds for which a thing out of sight is expected to grow or shrink as it did."""
TRUST = 2.0
"""A speed that has been measured for a second is believed for so many."""


@dataclass
class _Track:
    """A thing. `speed`: of its edges, pixels per second, as measured for `measured_s`; `names`: summed scores."""

    number: int
    xyxy: Floats
    seen_s: float
    speed: Floats = field(default_factory=lambda: np.zeros(4, np.float32))
    measured_s: float = 0.0
    names: dict[int, float] = field(default_factory=dict)
    best: float = 0.0

    def expected(self, time_s: float) -> Floats:
        """Return where its box should be.

        For :data:`GROWS_S` each edge goes on as it did. Then the thing as a whole does, by what opposite edges have in
        common: an edge alone moves when something comes in front of the thing, and would carry it away.
        """
        ahead = min(time_s - self.seen_s, TRUST * self.measured_s)
        grows = min(ahead, GROWS_S)
        low, high = self.speed[:2], self.speed[2:]
        common = np.where(low * high > 0, np.sign(low) * np.minimum(abs(low), abs(high)), 0)
        whole = np.concatenate([common, common])
        moved = self.xyxy + self.speed * grows + whole * (ahead - grows)
        size, before = moved[2:] - moved[:2], self.xyxy[2:] - self.xyxy[:2]
        if (size < before / 2).any():
            moved = self.xyxy + whole * ahead
        return np.asarray(moved, np.float32)

    def reach(self, time_s: float, fresh: bool) -> float:
        """Return how far from there a sight of it may be, in sizes."""
        gap = time_s - self.seen_s
        # something seen once, a while ago, is no reason to believe that anything near is the same
        speed = TOP_SPEED if fresh and not self.measured_s else DRIFT
        return min(MAX_REACH, SLACK + speed * gap)

    def is_remembered(self, time_s: float) -> bool:
        """Tell whether it may still be seen again."""
        return time_s - self.seen_s <= (MEMORY_S if self.best >= FAINT else FAINT_MEMORY_S)

    def take(self, xyxy: Floats, time_s: float, names: Mapping[int, float]) -> None:
        """Take over a sight."""
        step = time_s - self.seen_s
        if step > 0:
            weight = step / min(SPEED_S + step, self.measured_s + step)
            self.speed += np.float32(weight) * ((xyxy - self.xyxy) / np.float32(step) - self.speed)
            self.measured_s += step
        self.xyxy, self.seen_s = xyxy, time_s
        self.add(names)

    def add(self, names: Mapping[int, float]) -> None:
        """Count what it was called."""
        for name, score in names.items():
            self.names[name] = self.names.get(name, 0.0) + score
            self.best = max(self.best, score)


@dataclass(frozen=True)
class _Sight:
    """Boxes that cover the same area: their places in the frame's list, best first; the best one's corners."""

    boxes: list[int]
    xyxy: Floats
    score: float
    names: dict[int, float]


class Tracker:
    """Follows the things of one source.

    Attributes:
        ended: numbers of the tracks that the last frame ended: out of sight for too long, or before a cut.
    """

    def __init__(self) -> None:
        self.ended: list[int] = []
        self._tracks: list[_Track] = []
        self._begun = 0
        self._last_s = 0.0

    def update(self, found: Detections, time_s: float, cut: bool = False) -> Ints:
        """Return the track number of each box in `found`, from 1 in order of first sight.

        Args:
            found: all boxes of the frame at `time_s`, best first; frames come in the order of time.
            cut: another scene begins with this frame: nothing in it was there before.
        """
        before = self._tracks
        self._tracks = [] if cut else [track for track in before if track.is_remembered(time_s)]
        self.ended = [track.number for track in before if cut or not track.is_remembered(time_s)]
        numbers = np.full(len(found), NO_TRACK, np.int64)
        here: list[_Track] = []

        def follow(sights: list[_Sight], tracks: list[_Track], fresh: bool) -> list[_Sight]:
            """Give `sights` to `tracks`; return those that none takes, and that are no second boxes either."""
            pairs = _match(sights, tracks, time_s, fresh)
            for place, track in pairs.items():
                track.take(sights[place].xyxy, time_s, sights[place].names)
                here.append(track)
                numbers[sights[place].boxes] = track.number
            left = []
            for place, sight in enumerate(sights):
                if place in pairs:
                    continue
                owner = _second_box_of(sight, here)
                if owner is None:
                    left.append(sight)
                    continue
                owner.add(sight.names)
                numbers[sight.boxes] = owner.number
            return left

        fresh_s = max(FRESH_S, time_s - self._last_s)
        fresh = [track for track in self._tracks if time_s - track.seen_s <= fresh_s]
        lost = [track for track in self._tracks if time_s - track.seen_s > fresh_s]
        for sight in follow(follow(_sights(found), fresh, True), lost, False):
            owner = _second_box_of(sight, here)
            if owner is None:
                self._begun += 1
                owner = _Track(self._begun, sight.xyxy, time_s)
                self._tracks.append(owner)
                here.append(owner)
            owner.add(sight.names)
            numbers[sight.boxes] = owner.number
        self._last_s = time_s
        return numbers


def _match(sights: list[_Sight], tracks: list[_Track], time_s: float, fresh: bool) -> dict[int, _Track]:
    """Return which of `sights`, by place, are which tracks: the best pairs first."""
    if not sights or not tracks:
        return {}
    fits = _fits(tracks, sights, time_s, fresh)
    rows, columns = np.nonzero(fits > 0)
    order = np.argsort(-fits[rows, columns], kind="stable")
    pairs: dict[int, _Track] = {}
    used: set[int] = set()
    for row, column in zip(rows[order].tolist(), columns[order].tolist(), strict=True):
        if row not in used and column not in pairs:
            used.add(row)
            pairs[column] = tracks[row]
    return pairs


def _sights(found: Detections) -> list[_Sight]:
    if not len(found):
        return []
    same = iou(found.xyxy, found.xyxy) >= SAME_BOX
    classes, scores = found.classes.tolist(), found.scores.tolist()
    free = np.ones(len(found), bool)
    sights = []
    for best in range(len(found)):
        if not free[best]:
            continue
        boxes = np.flatnonzero(free & same[best]).tolist() if best < len(found) else []
        boxes = sorted({best, *boxes})
        free[boxes] = False
        names: dict[int, float] = {}
        for one in boxes:
            names[classes[one]] = max(names.get(classes[one], 0.0), scores[one])
        sights.append(_Sight(boxes, found.xyxy[best], scores[best], names))
    return sights


def _second_box_of(sight: _Sight, tracks: list[_Track]) -> _Track | None:
    """Return which of the tracks seen in this frame has `sight` as a second box, if any does."""
    if not tracks:
        return None
    corners = np.stack([track.xyxy for track in tracks])
    overlaps, shares = iou(sight.xyxy[None], corners)[0], nested(sight.xyxy, corners)
    second = (overlaps >= SECOND_BOX) | ((overlaps >= INNER_BOX) & (shares >= INNER_SHARE))
    order: list[int] = np.argsort(-overlaps, kind="stable").tolist()
    for place in order:
        if second[place] and _alike(sight.names, tracks[place].names) >= ALIKE:
            return tracks[place]
    return None


def _fits(tracks: list[_Track], sights: list[_Sight], time_s: float, fresh: bool) -> NDArray[np.float64]:
    """Return how well each sight (column) fits each track (row); 0 where it does not."""
    expected = np.stack([track.expected(time_s) for track in tracks]).astype(np.float64)
    places = np.stack([sight.xyxy for sight in sights]).astype(np.float64)
    gaps = np.array([time_s - track.seen_s for track in tracks])[:, None]
    reach = np.array([track.reach(time_s, fresh) for track in tracks])[:, None]
    scores = np.array([sight.score for sight in sights])[None]
    alike = _all_alike(tracks, sights)
    known = np.array([min(1.0, sum(track.names.values())) for track in tracks])[:, None]
    overlap = iou(expected, places)
    sizes = [np.sqrt(np.clip(box[:, 2:] - box[:, :2], 1, None).prod(axis=1)) for box in (expected, places)]
    ratio = sizes[0][:, None] / sizes[1][None]
    centres = [(box[:, :2] + box[:, 2:]) / 2 for box in (expected, places)]
    far = np.linalg.norm(centres[0][:, None] - centres[1][None], axis=2)
    nearness = np.clip(1 - far / (reach * np.minimum(sizes[0][:, None], sizes[1][None])), 0, 1)
    nearness[(ratio > SIZE_RATIO**0.5) | (ratio < SIZE_RATIO**-0.5)] = 0
    nearness = np.where(scores >= FAINT, nearness, 0)
    by_name = (alike >= ALIKE) & ((overlap >= NEAR_IOU) | (nearness > 0))
    by_place = (overlap >= COVERS_IOU) & (gaps <= OTHER_NAME_S)
    by_shape = (nearness > 0) & (_shape_ratios(expected, places) <= SAME_SHAPE) & fresh
    return np.where(by_name | by_place | by_shape, overlap + nearness / 2 + alike / 2 + scores / 4 + known / 4, 0)


def _shape_ratios(boxes: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return by which factor widths or heights differ, whichever differ more, N×M."""
    sides = [np.log(np.clip(box[:, 2:] - box[:, :2], 1, None)) for box in (boxes, others)]
    return np.asarray(np.exp(np.abs(sides[0][:, None] - sides[1][None]).max(axis=2)), np.float64)


def _all_alike(tracks: list[_Track], sights: list[_Sight]) -> NDArray[np.float64]:
    """Return :func:`_alike` of each track (row) and sight (column), for as many as a hopeless picture may have."""
    columns = {name: place for place, name in enumerate(sorted({name for sight in sights for name in sight.names}))}
    shares = np.zeros((len(tracks), len(columns)))
    for row, track in enumerate(tracks):
        total = sum(track.names.values())
        for name, score in track.names.items():
            if name in columns:
                shares[row, columns[name]] = score / total
    alike = np.zeros((len(tracks), len(sights)))
    for column, sight in enumerate(sights):
        total = sum(sight.names.values())
        for name, score in sight.names.items():
            alike[:, column] += np.minimum(shares[:, columns[name]], score / total)
    return alike


def _alike(one: dict[int, float], other: dict[int, float]) -> float:
    """Return what the names of two have in common, 0..1: the shares of their scores."""
    one_sum, other_sum = sum(one.values()), sum(other.values())
    return sum(min(score / one_sum, other[name] / other_sum) for name, score in one.items() if name in other)


def iou(boxes: Floats | NDArray[np.float64], others: Floats | NDArray[np.float64]) -> NDArray[np.float64]:
    """Return intersection over union of N×4 with M×4 corners, N×M; 0 where both have no area."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    inside = np.clip(high - low, 0, None).prod(axis=2)
    areas = [np.clip(box[:, 2:] - box[:, :2], 0, None).prod(axis=1) for box in (boxes, others)]
    union = areas[0][:, None] + areas[1][None] - inside
    return np.asarray(inside / np.maximum(union, 1e-9), np.float64)


def nested(xyxy: Floats, others: Floats) -> NDArray[np.float64]:
    """Return what share of the smaller of a box and each of `others` lies in the larger one."""
    low, high = np.maximum(xyxy[:2], others[:, :2]), np.minimum(xyxy[2:], others[:, 2:])
    areas = np.clip(others[:, 2:] - others[:, :2], 0, None).prod(axis=1)
    smaller = np.maximum(np.minimum(areas, np.clip(xyxy[2:] - xyxy[:2], 0, None).prod()), 1e-3)
    return np.asarray(np.clip(high - low, 0, None).prod(axis=1) / smaller, np.float64)
