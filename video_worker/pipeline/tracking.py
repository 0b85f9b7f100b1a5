"""Tracks: which boxes of a source are the same object, whatever label the model gives it from frame to frame.

A detector labels each box anew: one car is car, bus and suitcase by turns. So boxes are matched by where they are and
how they move; labels only help to decide. Written here, in numpy alone, because no library offers it: byte trackers
(edgefirst-tracker, ``supervision``'s) match one class at a time or ignore the classes altogether, count their memory
in frames, and expect steps of one length; ``trackers`` brings a second OpenCV, norfair 140 MB of scipy.

For each frame:

1. **Groups.** Boxes that cover the same area (IoU of :data:`SAME_BOX_IOU`) are one group with several labels:
   detectors give a doubtful object as `car 0.6` and `truck 0.4` at one place. A rider and a bicycle overlap far less.
2. **Prediction.** Each edge of a track's box moves on at its own speed, in pixels per second, so that an object that
   comes into the picture grows as it should, and the step from frame to frame may be of any length.
3. **Matching**, best pairs first. The similarity of the labels of a group and of a track (what their shares of the
   scores have in common) decides how near the place has to be. With similar labels, a box that lies some of its sizes
   away will do, as at 2 frames per second a car does not overlap itself. With other labels only a box that covers the
   place where the object was expected will do, and only for a short time: something else may have taken its place.
4. A group that matches no track begins one, unless it is a duplicate of a track that has a similar label.

No label is treated specially, so that models of other objects behave alike. The threshold plays no part: tracks are the
same whatever it is, which lets notebooks sweep it over boxes files. All times are in seconds, all distances in sizes of
the object (the square root of its area).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from video_worker.models.postprocess import Detections, Floats, Ints
from video_worker.pipeline.box_geometry import Doubles, iou, nested_share, side_ratios

NO_TRACK = 0
"""Track number of a box that belongs to no track. Only boxes files of earlier versions have such boxes."""

SAME_BOX_IOU = 0.8
"""IoU from which two boxes of a frame are one group. Two labels of one object have 0.9 and more; a person and the
motorcycle under them, seen from the front, reach 0.7."""
DUPLICATE_IOU = 0.6
"""IoU from which a box beside the one of a track is its duplicate, where the labels are similar."""
NESTED_IOU, NESTED_SHARE = 0.5, 0.9
"""The same where this share of the smaller box lies within the other: half a car behind a fence. Two people who walk
side by side overlap as much, but neither within the other."""
MEMORY_S = 3.0
"""Seconds that an object may be out of sight and still be the same one: 2 s behind something, and a sampled frame on
each side at 2 frames per second."""
WEAK_MEMORY_S = 0.6
"""The same for a track that never had a score of :data:`WEAK_SCORE`: such boxes come and go everywhere."""
RECENT_S = 0.25
"""Seconds within which a track, beside those of the last frame, is matched first. The groups that are left may be
objects that were out of sight for longer."""
OTHER_LABEL_S = 1.0
"""Seconds after which a group with other labels is another object."""
MIN_SIMILARITY = 0.15
"""Similarity from which labels count as the same, 0..1."""
NEAR_IOU = 0.3
"""IoU with the expected box from which a group with the same labels matches."""
SAME_PLACE_IOU = 0.5
"""IoU with the expected box from which a group with other labels matches."""
MAX_SIDE_RATIO = 1.4
"""Factor by which width and height may differ for a group with other labels that does not overlap: a fast car that is
a bus in the next frame keeps its shape, a person and a bicycle differ in theirs."""
WEAK_SCORE = 0.25
"""Score below which a group has to overlap: most boxes as weak as that show nothing."""
REACH = 0.5
"""Distance from the expected place, in sizes, that is always allowed."""
MAX_SPEED = 6.0
"""Sizes per second that an object may move while its speed is unknown: a car at 60 km/h, a person who runs."""
MAX_DRIFT = 1.0
"""Sizes per second by which an object may depart from its known speed."""
MAX_REACH = 3.5
"""Distance in sizes beyond which no group is the same object."""
MAX_AREA_RATIO = 4.0
"""Factor by which areas may differ where boxes do not overlap."""
SPEED_AVERAGE_S = 0.4
"""Seconds over which speeds are averaged: a box's edges tremble by some percent of its size."""
GROWTH_S = 0.25
"""Seconds for which an object out of sight is expected to grow or shrink as before."""
SPEED_TRUST = 2.0
"""Seconds for which a speed is extrapolated, per second for which it was measured."""

STATE_DIGITS = 3
"""Decimals of boxes, speeds and scores in a saved state."""


@dataclass
class _Track:
    """A track. `speed`: of its edges, pixels per second, as measured for `measured_s`; `labels`: summed scores."""

    number: int
    xyxy: Floats
    seen_s: float
    speed: Floats = field(default_factory=lambda: np.zeros(4, np.float32))
    measured_s: float = 0.0
    labels: dict[int, float] = field(default_factory=dict)
    best: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """Return the track as JSON takes it."""
        return {
            "number": self.number,
            "xyxy": [round(value, STATE_DIGITS) for value in self.xyxy.tolist()],
            "seen_s": self.seen_s,
            "speed": [round(value, STATE_DIGITS) for value in self.speed.tolist()],
            "measured_s": self.measured_s,
            "labels": [[label, round(score, STATE_DIGITS)] for label, score in self.labels.items()],
            "best": self.best,
        }

    @classmethod
    def from_dict(cls, entry: Mapping[str, Any]) -> _Track:
        """Return the track of an :meth:`as_dict`.

        Raises:
            ValueError, TypeError, KeyError: it is none.
        """
        xyxy, speed = (np.array([float(value) for value in entry[key]], np.float32) for key in ("xyxy", "speed"))
        if xyxy.shape != (4,) or speed.shape != (4,) or not np.isfinite([xyxy, speed]).all():
            raise ValueError("a track has no box")
        labels = {int(label): float(score) for label, score in entry["labels"]}
        seen_s, measured_s, best = (float(entry[key]) for key in ("seen_s", "measured_s", "best"))
        return cls(int(entry["number"]), xyxy, seen_s, speed, measured_s, labels, best)

    def expected(self, time_s: float) -> Floats:
        """Return the predicted box.

        For :data:`GROWTH_S` each edge moves on at its own speed. Then the box as a whole does, at the speed that
        opposite edges have in common: an edge alone moves when something comes in front of the object.
        """
        horizon_s = min(time_s - self.seen_s, SPEED_TRUST * self.measured_s)
        growth_s = min(horizon_s, GROWTH_S)
        low, high = self.speed[:2], self.speed[2:]
        common = np.where(low * high > 0, np.sign(low) * np.minimum(abs(low), abs(high)), 0)
        whole = np.concatenate([common, common])
        moved = self.xyxy + self.speed * growth_s + whole * (horizon_s - growth_s)
        size, before = moved[2:] - moved[:2], self.xyxy[2:] - self.xyxy[:2]
        if (size < before / 2).any():
            moved = self.xyxy + whole * horizon_s
        return np.asarray(moved, np.float32)

    def reach(self, time_s: float, recent: bool) -> float:
        """Return how far from the predicted box a group may be, in sizes."""
        gap_s = time_s - self.seen_s
        # an object that was seen once, a while ago, is no reason to take anything near for the same
        speed = MAX_SPEED if recent and not self.measured_s else MAX_DRIFT
        return min(MAX_REACH, REACH + speed * gap_s)

    def is_remembered(self, time_s: float) -> bool:
        """Return whether the track may still be continued."""
        return time_s - self.seen_s <= (MEMORY_S if self.best >= WEAK_SCORE else WEAK_MEMORY_S)

    def extend(self, xyxy: Floats, time_s: float, labels: Mapping[int, float]) -> None:
        """Continue the track with a group."""
        step_s = time_s - self.seen_s
        if step_s > 0:
            weight = step_s / min(SPEED_AVERAGE_S + step_s, self.measured_s + step_s)
            self.speed += np.float32(weight) * ((xyxy - self.xyxy) / np.float32(step_s) - self.speed)
            self.measured_s += step_s
        self.xyxy, self.seen_s = xyxy, time_s
        self.add_labels(labels)

    def add_labels(self, labels: Mapping[int, float]) -> None:
        """Add the scores of labels."""
        for label, score in labels.items():
            self.labels[label] = self.labels.get(label, 0.0) + score
            self.best = max(self.best, score)


@dataclass(frozen=True)
class _Group:
    """Boxes that cover the same area: their indices, best first; corners and score of the best; scores by label."""

    boxes: list[int]
    xyxy: Floats
    score: float
    labels: dict[int, float]


class Tracker:
    """Follows the objects of one source.

    Attributes:
        ended: numbers of the tracks that the last frame ended: out of sight for too long, or before a cut.
        begun: number of the last track.
    """

    def __init__(self) -> None:
        self.ended: list[int] = []
        self.begun = 0
        self._tracks: list[_Track] = []
        self._last_s = 0.0

    def state(self) -> dict[str, Any]:
        """Return the tracks that may still be continued, as JSON takes them."""
        return {
            "begun": self.begun,
            "last_s": self._last_s,
            "tracks": [track.as_dict() for track in self._tracks],
        }

    def resume(self, state: Mapping[str, Any], later_s: float = 0.0) -> None:
        """Go on from a :meth:`state`.

        Args:
            state: of an earlier tracker.
            later_s: what its times are ahead of those to come.

        Raises:
            ValueError, TypeError, KeyError: it is none.
        """
        tracks = [_Track.from_dict(entry) for entry in state["tracks"]]
        begun, last_s = int(state["begun"]), float(state["last_s"])
        for track in tracks:
            track.seen_s += later_s
        self._tracks, self._last_s = tracks, last_s + later_s
        self.begun = max([begun, self.begun, *(track.number for track in tracks)])

    def skip_numbers(self, number: int) -> None:
        """Give new tracks numbers above `number`."""
        self.begun = max(self.begun, number)

    def scale(self, factors: tuple[float, float]) -> None:
        """Convert the tracks to pictures whose width and height differ by these factors."""
        both = np.array([*factors, *factors], np.float32)
        for track in self._tracks:
            track.xyxy, track.speed = track.xyxy * both, track.speed * both

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
        present: list[_Track] = []

        def assign(groups: list[_Group], tracks: list[_Track], recent: bool) -> list[_Group]:
            """Assign `groups` to `tracks`; return those that match none, and are no duplicates either."""
            pairs = _match(groups, tracks, time_s, recent)
            for index, track in pairs.items():
                track.extend(groups[index].xyxy, time_s, groups[index].labels)
                present.append(track)
                numbers[groups[index].boxes] = track.number
            unmatched = []
            for index, group in enumerate(groups):
                if index in pairs:
                    continue
                owner = _track_of_duplicate(group, present)
                if owner is None:
                    unmatched.append(group)
                    continue
                owner.add_labels(group.labels)
                numbers[group.boxes] = owner.number
            return unmatched

        recent_s = max(RECENT_S, time_s - self._last_s)
        recent = [track for track in self._tracks if time_s - track.seen_s <= recent_s]
        lost = [track for track in self._tracks if time_s - track.seen_s > recent_s]
        for group in assign(assign(_groups(found), recent, True), lost, False):
            owner = _track_of_duplicate(group, present)
            if owner is None:
                self.begun += 1
                owner = _Track(self.begun, group.xyxy, time_s)
                self._tracks.append(owner)
                present.append(owner)
            owner.add_labels(group.labels)
            numbers[group.boxes] = owner.number
        self._last_s = time_s
        return numbers


def _match(groups: list[_Group], tracks: list[_Track], time_s: float, recent: bool) -> dict[int, _Track]:
    """Return the track of each of `groups`, by index, that matches one: the best pairs first."""
    if not groups or not tracks:
        return {}
    scores = _match_scores(tracks, groups, time_s, recent)
    rows, columns = np.nonzero(scores > 0)
    order = np.argsort(-scores[rows, columns], kind="stable")
    pairs: dict[int, _Track] = {}
    used: set[int] = set()
    for row, column in zip(rows[order].tolist(), columns[order].tolist(), strict=True):
        if row not in used and column not in pairs:
            used.add(row)
            pairs[column] = tracks[row]
    return pairs


def _groups(found: Detections) -> list[_Group]:
    if not len(found):
        return []
    same = iou(found.xyxy, found.xyxy) >= SAME_BOX_IOU
    classes, scores = found.classes.tolist(), found.scores.tolist()
    free = np.ones(len(found), bool)
    groups = []
    for best in range(len(found)):
        if not free[best]:
            continue
        boxes = sorted({best, *np.flatnonzero(free & same[best]).tolist()})
        free[boxes] = False
        labels: dict[int, float] = {}
        for one in boxes:
            labels[classes[one]] = max(labels.get(classes[one], 0.0), scores[one])
        groups.append(_Group(boxes, found.xyxy[best], scores[best], labels))
    return groups


def _track_of_duplicate(group: _Group, tracks: list[_Track]) -> _Track | None:
    """Return which of the tracks present in this frame has `group` as a duplicate, if any."""
    if not tracks:
        return None
    corners = np.stack([track.xyxy for track in tracks])
    overlaps, shares = iou(group.xyxy[None], corners)[0], nested_share(group.xyxy, corners)
    duplicate = (overlaps >= DUPLICATE_IOU) | ((overlaps >= NESTED_IOU) & (shares >= NESTED_SHARE))
    order: list[int] = np.argsort(-overlaps, kind="stable").tolist()
    for index in order:
        if duplicate[index] and _similarity(group.labels, tracks[index].labels) >= MIN_SIMILARITY:
            return tracks[index]
    return None


def _match_scores(tracks: list[_Track], groups: list[_Group], time_s: float, recent: bool) -> Doubles:
    """Return how well each group (column) matches each track (row); 0 where it does not."""
    expected = np.stack([track.expected(time_s) for track in tracks]).astype(np.float64)
    boxes = np.stack([group.xyxy for group in groups]).astype(np.float64)
    gaps_s = np.array([time_s - track.seen_s for track in tracks])[:, None]
    reach = np.array([track.reach(time_s, recent) for track in tracks])[:, None]
    scores = np.array([group.score for group in groups])[None]
    similarity = _similarities(tracks, groups)
    known = np.array([min(1.0, sum(track.labels.values())) for track in tracks])[:, None]
    overlap = iou(expected, boxes)
    sizes = [np.sqrt(np.clip(box[:, 2:] - box[:, :2], 1, None).prod(axis=1)) for box in (expected, boxes)]
    ratio = sizes[0][:, None] / sizes[1][None]
    centres = [(box[:, :2] + box[:, 2:]) / 2 for box in (expected, boxes)]
    distance = np.linalg.norm(centres[0][:, None] - centres[1][None], axis=2)
    nearness = np.clip(1 - distance / (reach * np.minimum(sizes[0][:, None], sizes[1][None])), 0, 1)
    nearness[(ratio > MAX_AREA_RATIO**0.5) | (ratio < MAX_AREA_RATIO**-0.5)] = 0
    nearness = np.where(scores >= WEAK_SCORE, nearness, 0)
    by_label = (similarity >= MIN_SIMILARITY) & ((overlap >= NEAR_IOU) | (nearness > 0))
    by_place = (overlap >= SAME_PLACE_IOU) & (gaps_s <= OTHER_LABEL_S)
    by_shape = (nearness > 0) & (side_ratios(expected, boxes) <= MAX_SIDE_RATIO) & recent
    matches = by_label | by_place | by_shape
    return np.where(matches, overlap + nearness / 2 + similarity / 2 + scores / 4 + known / 4, 0)


def _similarities(tracks: list[_Track], groups: list[_Group]) -> Doubles:
    """Return :func:`_similarity` of each track (row) and group (column), for as many as a noisy picture may have."""
    labels = sorted({label for group in groups for label in group.labels})
    columns = {label: index for index, label in enumerate(labels)}
    shares = np.zeros((len(tracks), len(columns)))
    for row, track in enumerate(tracks):
        total = sum(track.labels.values())
        for label, score in track.labels.items():
            if label in columns:
                shares[row, columns[label]] = score / total
    similarity = np.zeros((len(tracks), len(groups)))
    for column, group in enumerate(groups):
        total = sum(group.labels.values())
        for label, score in group.labels.items():
            similarity[:, column] += np.minimum(shares[:, columns[label]], score / total)
    return similarity


def _similarity(one: dict[int, float], other: dict[int, float]) -> float:
    """Return what two sets of labels have in common, 0..1: by the shares of their scores."""
    one_sum, other_sum = sum(one.values()), sum(other.values())
    return sum(min(score / one_sum, other[label] / other_sum) for label, score in one.items() if label in other)
