"""The state of a review: its position, and the effect of each verdict on the labels files.

It is independent of page and widget.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Literal

import pandas as pd

from notebooks.lab.media.clip import Run
from notebooks.lab.review.label_changes import Change, applied, change
from notebooks.lab.review.questions import (
    FRAMES_PER_TRACK,
    Order,
    Page,
    Question,
    page_of,
    pick_frames,
    questions_of,
)
from shared_utils.contracts.boxes import boxes_path
from shared_utils.contracts.labels import Label, LabelFile, Source, State, Xyxy, read_clip_labels
from shared_utils.errors import FormatError, VcamError

MIN_CONF = 0.25
"""Score from which boxes are asked about: below half of the usual threshold, nearly all are noise."""
LEAST_SIDE = 3.0
"""Pixels of the clip that a box's sides must have."""

Scope = Literal["box", "track", "frame"]


class NotABox(VcamError):
    """What was drawn is too small, or lies outside of the picture."""


@dataclass(frozen=True)
class Progress:
    """How far a review is: of each, how many are done and how many there are."""

    boxes: tuple[int, int]
    frames: tuple[int, int]
    clips: tuple[int, int]


@dataclass(frozen=True)
class _Done:
    filename: str
    change: Change
    key: str


class Session:
    """Questions, and what was answered. All that counts is in the labels files: a new session goes on where one ended.

    Args:
        video_dir: the shared volume.
        pages: the frames to review.
        order: see :func:`notebooks.lab.review.questions.questions_of`.
        notes: lines on what was skipped.

    Attributes:
        questions: all of them, in their order.
        files: labels by clip, as they were when last read or written.
        notes: lines for the person: what was skipped, and why.
    """

    def __init__(
        self, video_dir: Path, pages: Iterable[Page], order: Order = "uncertain", notes: Sequence[str] = ()
    ) -> None:
        self._video_dir = video_dir
        self.notes = list(notes)
        self.files: dict[str, LabelFile] = {}
        kept: list[Page] = []
        for _, group in groupby(pages, key=lambda page: page.filename):
            clip = list(group)
            if self._readable(clip[0].filename):
                kept += clip
        self.questions = questions_of(kept, order)
        self._number = {question.key: number for number, question in enumerate(self.questions)}
        self._by_clip: dict[str, list[Question]] = {}
        for question in self.questions:
            self._by_clip.setdefault(question.page.filename, []).append(question)
        self._answered: set[str] = set()
        for filename in self._by_clip:
            self._update_answered(filename)
        self._skipped: set[str] = set()
        self._undo: list[_Done] = []
        self.at = self._next_open(-1)

    @classmethod
    def of_runs(
        cls,
        video_dir: Path,
        rows: pd.DataFrame,
        order: Order = "uncertain",
        *,
        min_conf: float = MIN_CONF,
        per_track: int | None = FRAMES_PER_TRACK,
    ) -> Session:
        """Begin, or go on with, the review of the runs in `rows`.

        Args:
            rows: of :func:`notebooks.lab.data.results.load_log`, one run per clip, such as ``latest(log)``.
            min_conf: score from which boxes are asked about.
            per_track: frames of a track that are asked about at most; None for every one.
        """
        pages: list[Page] = []
        gone = without = 0
        for filename, run_id, conf in zip(rows["filename"], rows["run_id"], rows["conf"], strict=True):
            if not (video_dir / filename).is_file():
                gone += 1
                continue
            boxes = boxes_path(video_dir, filename, str(run_id))
            try:
                samples = Run(str(run_id), boxes, {}).read().samples
            except OSError:
                without += 1
                continue
            threshold = 0.5 if pd.isna(conf) else float(conf)
            picked = pick_frames(samples, min_conf, per_track)
            pages += [page_of(sample, filename, run_id, threshold, min_conf) for sample in picked]
        notes = []
        if gone:
            notes.append(f"Skipped, because it is not there any more: {gone} of {len(rows)} clips. Labels stay.")
        if without:
            notes.append(f"Skipped, because its boxes file is gone: {without} of {len(rows)} clips. Analyse it again.")
        return cls(video_dir, pages, order, notes)

    # -- where it stands

    @property
    def current(self) -> Question | None:
        """The question that is put; None when there is nothing (more) to ask."""
        return None if self.at is None else self.questions[self.at]

    def question(self, key: str) -> Question:
        """Return the question of `key`; KeyError for one that is not of this review."""
        return self.questions[self._number[key]]

    def upcoming(self, count: int) -> list[Question]:
        """Return the next questions that are open, after the current one."""
        found: list[Question] = []
        if self.at is not None:
            size = len(self.questions)
            for step in range(1, size):
                question = self.questions[(self.at + step) % size]
                if question.key not in self._answered and question.key not in self._skipped:
                    found.append(question)
                    if len(found) == count:
                        break
        return found

    def is_answered(self, question: Question) -> bool:
        """Tell whether a question has its answer."""
        return question.key in self._answered

    def label_of(self, question: Question) -> Label | None:
        """Return the verdict on a question's box."""
        if question.candidate is None:
            return None
        return question.page.label_of(question.candidate, self.files[question.page.filename])

    def drawn_on(self, page: Page) -> list[Label]:
        """Return the labels in a page's frame that are about none of its boxes, such as missed objects."""
        file = self.files[page.filename]
        about = {page.label_of(candidate, file) for candidate in page.boxes}
        return [one for one in file.labels if one.frame == page.frame and one not in about and one.is_there]

    def progress(self) -> Progress:
        """Return how far the review is."""
        open_pages = {one.page.key for one in self.questions if not self.is_answered(one)}
        pages = {one.page.key: one.page for one in self.questions}
        open_clips = {pages[key].filename for key in open_pages}
        boxes = [one for one in self.questions if one.candidate]
        return Progress(
            (sum(map(self.is_answered, boxes)), len(boxes)),
            (len(pages) - len(open_pages), len(pages)),
            (len(self._by_clip) - len(open_clips), len(self._by_clip)),
        )

    def labels(self) -> list[str]:
        """Return all labels in this review, those seen most often first."""
        counts: dict[str, int] = {}
        for question in self.questions:
            if question.candidate:
                counts[question.candidate.label] = counts.get(question.candidate.label, 0) + 1
        for file in self.files.values():
            for label in file.labels:
                counts[label.label] = counts.get(label.label, 0) + 1
        return sorted(counts, key=lambda label: (-counts[label], label))

    # -- moves

    def go(self, number: int) -> None:
        """Put the question of that number, from 0; the first or last one beyond the ends."""
        if self.questions:
            self.at = min(max(number, 0), len(self.questions) - 1)

    def go_to_next_clip(self) -> None:
        """Put the next open question of another clip; stay where none is left."""
        here = self.current
        others = [one for one in self.upcoming(len(self.questions)) if here and one.page.filename != here.page.filename]
        if others:
            self.at = self._number[others[0].key]

    def number_of(self, key: str) -> int:
        """Return the number of a question, from 0."""
        return self._number[key]

    def skip(self, key: str) -> None:
        """Leave a question for later: it is put again after all others."""
        self._skipped.add(key)
        self.at = self._next_open(self._number[key])

    def judge(self, key: str, state: State, scope: Scope = "box") -> int:
        """Say ``right`` or ``wrong`` of a box, and go on.

        A page without boxes is ``right`` when there is nothing on it, or all there is has been drawn.

        Args:
            scope: this box; or all of its track, or of its frame, as far as they have no verdict yet.

        Returns:
            The number of boxes that got the verdict.
        """
        question = self.question(key)
        page = question.page
        if question.candidate is None:
            if state == "wrong":
                raise NotABox("Draw a box around what was missed; then press right")
            self._make(page.filename, key, [], [], {page.frame})
        else:
            meant = self._meant(question, scope)
            removed = [label for one in meant if (label := self.label_of(one))]
            self._make(page.filename, key, removed, [_verdict(one, state) for one in meant])
            self.at = self._next_open(self._number[key])
            return len(meant)
        self.at = self._next_open(self._number[key])
        return 0

    def fix(self, key: str, xyxy: Xyxy, label: str, size: tuple[int, int]) -> None:
        """Put a box or its label right, and go on. See :meth:`draw` for the arguments."""
        question = self.question(key)
        candidate = question.candidate
        if candidate is None:
            raise NotABox("There is no box to put right: draw a new one")
        page = question.page
        corners = placed(xyxy, size)
        same = corners == placed(candidate.xyxy, size) and label == candidate.label
        made = Label(page.t, page.frame, label, corners, "fixed", Source(page.run_id, candidate.box))
        old = self.label_of(question)
        self._make(page.filename, key, [old] if old else [], [_verdict(question, "right") if same else made])
        self.at = self._next_open(self._number[key])

    def draw(self, key: str, xyxy: Xyxy, label: str, size: tuple[int, int]) -> None:
        """Add an object that was missed to the frame of a question, which stays where it is.

        Args:
            xyxy: corners, in pixels of the clip; cut at the picture's edge.
            label: what is in it.
            size: width and height of the clip.

        Raises:
            NotABox: nothing is left of it inside of the picture, or it has no label.
        """
        page = self.question(key).page
        if not label.strip():
            raise NotABox("A box needs a label")
        made = Label(page.t, page.frame, label.strip(), placed(xyxy, size), "missed")
        self._make(page.filename, key, [], [made])

    def drop(self, key: str, number: int) -> None:
        """Take back the `number`-th of the labels that were drawn on a question's frame."""
        page = self.question(key).page
        drawn = self.drawn_on(page)
        if 0 <= number < len(drawn):
            self._make(page.filename, key, [drawn[number]], [])

    def undo(self) -> bool:
        """Take back the last step of this session, and go back to its question; False when there is none."""
        if not self._undo:
            return False
        last = self._undo.pop()
        self._write(last.filename, last.change.inverse())
        self._skipped.discard(last.key)
        self.at = self._number[last.key]
        return True

    @property
    def can_undo(self) -> bool:
        """Whether :meth:`undo` has something to take back."""
        return bool(self._undo)

    # -- behind it

    def _readable(self, filename: str) -> bool:
        if filename in self.files:
            return True
        try:
            file = read_clip_labels(self._video_dir, filename)
        except FormatError as error:
            self.notes.append(str(error))
            return False
        self.files[filename] = file
        return True

    def _meant(self, question: Question, scope: Scope) -> list[Question]:
        mine = question.candidate
        others = [one for one in self._by_clip[question.page.filename] if one.candidate and not self.is_answered(one)]
        if scope == "frame":
            others = [one for one in others if one.page == question.page]
        elif scope == "track" and mine is not None and mine.track is not None:
            kind = (mine.label, mine.track)
            others = [one for one in others if one.candidate and (one.candidate.label, one.candidate.track) == kind]
        else:
            others = []
        return [question, *(one for one in others if one.key != question.key)]

    def _make(
        self,
        filename: str,
        key: str,
        removed: Sequence[Label],
        added: Sequence[Label],
        reviewed: Iterable[int] = (),
    ) -> None:
        before = self.files[filename]
        step = Change(tuple(removed), tuple(added), frozenset(reviewed))
        after = applied(before, step)
        judged = {page.frame for page in self._pages(filename) if self._is_judged(page, after)}
        frames = (after.frames | judged) - before.frames
        complete = {page.frame for page in self._pages(filename)} <= after.frames | judged
        step = replace(step, reviewed=frames, complete=complete)
        self._write(filename, step)
        self._undo.append(_Done(filename, step, key))

    def _write(self, filename: str, step: Change) -> LabelFile:
        file = change(self._video_dir, filename, step)
        self.files[filename] = file
        self._update_answered(filename)
        return file

    def _pages(self, filename: str) -> list[Page]:
        return list({one.page.key: one.page for one in self._by_clip[filename]}.values())

    def _is_judged(self, page: Page, file: LabelFile) -> bool:
        return bool(page.boxes) and all(page.label_of(candidate, file) for candidate in page.boxes)

    def _update_answered(self, filename: str) -> None:
        file = self.files[filename]
        for question in self._by_clip[filename]:
            answered = question.page.frame in file.frames or self.label_of(question) is not None
            (self._answered.add if answered else self._answered.discard)(question.key)

    def _next_open(self, after: int) -> int | None:
        size = len(self.questions)
        following = [(after + step) % size for step in range(1, size + 1)]
        left = [number for number in following if self.questions[number].key not in self._answered]
        waiting = [number for number in left if self.questions[number].key not in self._skipped]
        if left and not waiting:
            self._skipped.clear()
            waiting = left
        return waiting[0] if waiting else None


def placed(xyxy: Xyxy, size: tuple[int, int]) -> Xyxy:
    """Return a box with its corners in order, cut at the picture's edge, in tenths of a pixel.

    Raises:
        NotABox: it is smaller than :data:`LEAST_SIDE` then.
    """
    x1, x2 = (min(max(x, 0.0), float(size[0])) for x in sorted((xyxy[0], xyxy[2])))
    y1, y2 = (min(max(y, 0.0), float(size[1])) for y in sorted((xyxy[1], xyxy[3])))
    if x2 - x1 < LEAST_SIDE or y2 - y1 < LEAST_SIDE:
        raise NotABox(f"A box must be {LEAST_SIDE:g} pixels wide and high at least, inside of the picture")
    return round(x1, 1), round(y1, 1), round(x2, 1), round(y2, 1)


def _verdict(question: Question, state: State) -> Label:
    page, candidate = question.page, question.candidate
    if candidate is None:
        raise ValueError("a page without boxes has none to judge")
    source = Source(page.run_id, candidate.box)
    return Label(page.t, page.frame, candidate.label, candidate.xyxy, state, source)
