"""Selects and orders the boxes that a person is asked about. Pure.

A walk across the picture is forty boxes that are nearly the same: asking about each would teach neither people nor
models anything. By default few frames of a track are asked about: its best and its worst, and some between them in
which it has moved. As a frame is of use only when every box in it is judged, whole frames are picked, few that show
much; and some in which nothing was seen, for what was missed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

import numpy as np

from notebooks.lab.data.matching import iou
from notebooks.lab.media.clip import Sampled
from shared_utils.contracts.labels import Label, LabelFile, Source, Xyxy

FRAMES_PER_TRACK = 5
"""Frames of a track that are asked about at most, its best and worst among them."""
HARDLY_MOVED = 0.8
"""Overlap (IoU) from which a box of a track is as good as one that is asked about already."""
EMPTY_FRAMES = 2
"""Frames of a clip without a box that are shown, for what was missed."""
SAME_BOX = 0.9
"""Overlap from which boxes of two runs, of one label and frame, are one: another threshold moves no box."""

Order = Literal["uncertain", "clip", "class"]
ORDERS: tuple[Order, ...] = ("uncertain", "clip", "class")


@dataclass(frozen=True)
class Candidate:
    """A box of a run, to be judged.

    Attributes:
        box: its place in the frame's line of the boxes file.
        label, score, xyxy, track: as in the boxes file.
    """

    box: int
    label: str
    score: float
    xyxy: Xyxy
    track: int | None


@dataclass(frozen=True)
class Page:
    """A frame that is shown, with all boxes to be judged in it.

    Attributes:
        filename: of the clip.
        run_id: of the run whose boxes are judged.
        frame: number of the frame.
        t: its time, seconds from the clip's first frame.
        conf: threshold of the run.
        boxes: best first.
    """

    filename: str
    run_id: str
    frame: int
    t: float
    conf: float
    boxes: tuple[Candidate, ...]

    @property
    def key(self) -> str:
        """Tells pages apart."""
        return f"{self.frame}@{self.filename}"

    def label_of(self, candidate: Candidate, file: LabelFile) -> Label | None:
        """Return a person's verdict on a box, by its run or of the same box of another run; None if nothing."""
        here = [label for label in file.labels if label.frame == self.frame]
        own = Source(self.run_id, candidate.box)
        for label in here:
            if label.source == own:
                return label
        for label in here:
            other = label.source and label.source.run_id != self.run_id and label.state in ("right", "wrong")
            if other and label.label == candidate.label and overlap(label.xyxy, candidate.xyxy) >= SAME_BOX:
                return label
        return None


@dataclass(frozen=True)
class Question:
    """One step of a review: a box of a page; or, where `candidate` is None, whether a page without boxes is empty."""

    page: Page
    candidate: Candidate | None

    @property
    def key(self) -> str:
        """Tells questions apart."""
        return f"{'' if self.candidate is None else self.candidate.box}:{self.page.key}"


def overlap(xyxy: Xyxy, other_xyxy: Xyxy) -> float:
    """Return intersection over union of two boxes."""
    return float(iou(np.array([xyxy]), np.array([other_xyxy]))[0])


def pick_frames(samples: Sequence[Sampled], min_conf: float, per_track: int | None = FRAMES_PER_TRACK) -> list[Sampled]:
    """Return the sampled frames of a clip that are worth asking about, in the order of time.

    Args:
        samples: what a run saw.
        min_conf: score from which boxes count.
        per_track: frames of a track at most; None for every frame with a box.
    """
    tracks: dict[tuple[str, int | None], list[tuple[int, float, Xyxy]]] = {}
    empty: list[int] = []
    for number, sample in enumerate(samples):
        boxes = [box for box in sample.boxes if box.score >= min_conf]
        for box in boxes:
            tracks.setdefault((box.label, box.track), []).append((number, box.score, box.xyxy))
        if not boxes:
            empty.append(number)
    chosen: set[int] = {empty[(at + 1) * len(empty) // (EMPTY_FRAMES + 1)] for at in range(EMPTY_FRAMES) if empty}
    if per_track is None:
        chosen |= {number for sights in tracks.values() for number, _, _ in sights}
    else:
        for sights in tracks.values():
            chosen |= _few_of(sights, chosen, per_track)
    return [samples[number] for number in sorted(chosen)]


def _few_of(sights: Sequence[tuple[int, float, Xyxy]], chosen: set[int], count: int) -> set[int]:
    by_score = sorted(sights, key=lambda sight: (sight[1], sight[0]))
    taken = [by_score[-1], by_score[0]][:count]
    taken += [sight for sight in sights if sight[0] in chosen]
    spaced = (sights[round(step * (len(sights) - 1) / max(1, count - 1))] for step in range(count))
    for sight in spaced:
        if len({number for number, _, _ in taken}) >= count:
            break
        known = np.array([xyxy for _, _, xyxy in taken])
        if iou(np.tile(sight[2], (len(known), 1)), known).max() < HARDLY_MOVED:
            taken.append(sight)
    return {number for number, _, _ in taken}


def page_of(sample: Sampled, filename: str, run_id: str, conf: float, min_conf: float) -> Page:
    """Return the page of a sampled frame, with its boxes of `min_conf` or more."""
    boxes = tuple(
        Candidate(place, box.label, box.score, box.xyxy, box.track)
        for place, box in enumerate(sample.boxes)
        if box.score >= min_conf
    )
    return Page(filename, run_id, sample.frame, sample.time_s, conf, boxes)


def questions_of(pages: Iterable[Page], order: Order = "uncertain") -> list[Question]:
    """Return the questions of `pages`.

    * ``uncertain``: frames first that hold the box whose score is nearest to the run's threshold;
    * ``clip``: as time goes on;
    * ``class``: one label after the other, each as time goes on.

    Frames stay together but by class, where one with two kinds of boxes is shown twice; those without a box come last,
    by clip in their place.
    """
    asked = [Question(page, candidate) for page in pages for candidate in (page.boxes or (None,))]
    if order == "class":
        return sorted(asked, key=lambda one: (one.candidate is None, _label(one), *_place(one)))
    asked.sort(key=_place)
    if order == "clip":
        return asked
    by_page = [list(group) for _, group in groupby(asked, key=lambda one: one.page.key)]
    by_page.sort(key=lambda group: min(map(_certainty, group)))
    return [one for group in by_page for one in sorted(group, key=_certainty)]


def _place(question: Question) -> tuple[str, int, int]:
    return question.page.filename, question.page.frame, question.candidate.box if question.candidate else 0


def _label(question: Question) -> str:
    return question.candidate.label if question.candidate else ""


def _certainty(question: Question) -> float:
    return 2.0 if question.candidate is None else abs(question.candidate.score - question.page.conf)
