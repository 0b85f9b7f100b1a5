"""A clip and the boxes of one of its runs: frames by time, boxes by time, the best view of each track."""

from __future__ import annotations

import logging
import re
from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

from notebooks.lab import messages
from shared_utils.closing import Closing
from shared_utils.contracts.boxes import BoxesFrame, boxes_path, boxes_runs, read_boxes
from shared_utils.contracts.clips import parse_clip_name
from shared_utils.contracts.detections_log import find_run, log_path
from shared_utils.errors import ClipMissing
from shared_utils.media.frames import Frame
from shared_utils.media.grabber import FrameGrabber
from shared_utils.media.sampling import SLACK_S
from video_worker.pipeline.record import started_at
from video_worker.pipeline.track_summary import TrackSummary, by_label, counted_tracks, is_detected

logger = logging.getLogger(__name__)

HOLD_STEPS = 2.0
"""Sampling steps for which a box is displayed after its frame: sampled frames come up to one source frame late."""
DEFAULT_CONF = 0.5
DEFAULT_MIN_HITS = 2
_RUN = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True)
class Box:
    """A detection in one frame.

    Attributes:
        label: its label.
        score: 0..1.
        xyxy: corners x1, y1, x2, y2 in pixels of the clip.
        track: number of its track in the clip; None for a weak box without a track.
        between: not detected in this very frame, but placed between two sampled frames.
    """

    label: str
    score: float
    xyxy: tuple[float, float, float, float]
    track: int | None
    between: bool = False


@dataclass(frozen=True)
class Sampled:
    """The detections in one sampled frame.

    Attributes:
        time_s: seconds from the clip's first frame.
        frame: its index in the clip.
        boxes: all with a score of at least 0.1, best first.
    """

    time_s: float
    frame: int
    boxes: tuple[Box, ...]


@dataclass(frozen=True)
class View:
    """The best view of a track.

    Attributes:
        box: its box with the highest score.
        time_s: time of that box's frame.
        hits: number of sampled frames with the track.
        first_s: time of the first of them.
        last_s: time of the last of them.
        also: other labels of the track, with their numbers of sampled frames.
    """

    box: Box
    time_s: float
    hits: int
    first_s: float
    last_s: float
    also: Mapping[str, int] = field(default_factory=dict)


class RunBoxes:
    """The boxes of one run, by time.

    Args:
        samples: the sampled frames, in order of time.
        step_s: seconds from one sampled frame to the next, by the run's options; 0 if every frame was sampled.

    Attributes:
        samples: the sampled frames, in order of time.
        hold_s: how long boxes are displayed after their frame, in seconds.
    """

    def __init__(self, samples: Sequence[Sampled], step_s: float) -> None:
        self.samples = tuple(samples)
        self._step_s = step_s
        gaps = sorted(later.time_s - one.time_s for one, later in pairwise(samples))
        self.hold_s = HOLD_STEPS * (step_s or (gaps[len(gaps) // 2] if gaps else 0.0))
        self._times = [sample.time_s for sample in samples]

    def at(self, time_s: float, min_conf: float = 0.0) -> list[Box]:
        """Return the boxes to display at `time_s` with a score of at least `min_conf`.

        At a sampled frame, these are its own boxes. Between two sampled frames they are marked `between`: the box of a
        track that is in both moves in a straight line, any other box stays where it was, for :attr:`hold_s` at most.
        """
        number = bisect_right(self._times, time_s + SLACK_S) - 1
        if number < 0:
            return []
        here = self.samples[number]
        displayed = [box for box in here.boxes if box.score >= min_conf]
        passed = time_s - here.time_s
        # times in boxes files are rounded to milliseconds
        if passed <= 10 * SLACK_S:
            return displayed
        if number + 1 == len(self.samples):
            return []
        later = self.samples[number + 1]
        if later.time_s - here.time_s > self.hold_s:
            return []
        share = passed / (later.time_s - here.time_s)
        ends: dict[int | None, Box] = {
            box.track: box for box in reversed(later.boxes) if box.track is not None and box.score >= min_conf
        }
        same = {
            (box.track, box.label): box for box in reversed(later.boxes) if box.track in ends and box.score >= min_conf
        }
        return [_between(box, same.get((box.track, box.label), ends.get(box.track)), share) for box in displayed]

    def best_views(
        self, min_conf: float = DEFAULT_CONF, min_hits: int = DEFAULT_MIN_HITS, classes: Collection[str] = ()
    ) -> list[View]:
        """Return the best view of each track of the labels that are `detected`, in order of first sight.

        These are the tracks that the record counts, each at its best box with the track's own label. With `classes`,
        only those labels are reported.
        """
        tracks: dict[int, TrackSummary] = {}
        best: dict[tuple[int, str], tuple[Sampled, Box]] = {}
        for frame, sample in enumerate(self.samples):
            for box in sample.boxes:
                if box.track is None:
                    continue
                track = tracks.setdefault(box.track, TrackSummary(box.track))
                strong, reported = box.score >= min_conf, not classes or box.label in classes
                track.add(frame, sample.time_s, box.label, box.score, strong=strong, reported=reported)
                before = best.get((box.track, box.label))
                if before is None or box.score > before[1].score:
                    best[box.track, box.label] = sample, box
        counted = [
            track
            for alike in by_label(tracks.values()).values()
            if is_detected(alike, min_hits)
            for track in counted_tracks(alike, self._times, min_hits)
        ]
        return [
            View(box, sample.time_s, len(one.frames), one.first_s, one.last_s, _also(one))
            for one in sorted(counted, key=lambda one: (one.first_s, one.number))
            for sample, box in [best[one.number, one.label]]
        ]

    def only(self, labels: Collection[str]) -> RunBoxes:
        """Return the boxes with these labels; all boxes for an empty collection."""
        if not labels:
            return self
        kept = [
            replace(sample, boxes=tuple(box for box in sample.boxes if box.label in labels)) for sample in self.samples
        ]
        return RunBoxes(kept, self._step_s)

    def labels(self) -> list[str]:
        """Return the labels of all boxes, ordered by their best score."""
        best: dict[str, float] = {}
        for sample in self.samples:
            for box in sample.boxes:
                best[box.label] = max(best.get(box.label, 0.0), box.score)
        return sorted(best, key=lambda label: -best[label])


@dataclass(frozen=True)
class Run:
    """One analysis of a clip that left a boxes file.

    Attributes:
        run_id: its id; later runs sort after earlier ones.
        boxes_path: its boxes file.
        record: its record in the log; empty if the log has none.
    """

    run_id: str
    boxes_path: Path
    record: Mapping[str, Any] = field(repr=False)

    @property
    def conf(self) -> float:
        """Score threshold of the run."""
        return float(self.record.get("model", {}).get("conf", DEFAULT_CONF))

    @property
    def min_hits(self) -> int:
        """Hits that a track needed to be reported."""
        return int(self.record.get("options", {}).get("min_hits", DEFAULT_MIN_HITS))

    @property
    def classes(self) -> frozenset[str]:
        """Labels that it reported; empty for all."""
        return frozenset(self.record.get("options", {}).get("classes", ()))

    @property
    def aspect(self) -> str | None:
        """Display aspect ratio given to the run; None for the file's own."""
        aspect = self.record.get("options", {}).get("aspect")
        return aspect if isinstance(aspect, str) else None

    @property
    def title(self) -> str:
        """Model and threshold, for people."""
        model = self.record.get("model", {})
        return f"{model.get('name', 'a model that the log does not name')}, threshold {self.conf:g}"

    def read(self) -> RunBoxes:
        """Read the boxes file. Torn lines are skipped, and their number is logged.

        Raises:
            FileNotFoundError: it is gone with its clip.
            FormatError: it is of a later version.
        """
        fps = float(self.record.get("model", {}).get("fps", 0))
        file = read_boxes(self.boxes_path)
        if file.skipped:
            logger.warning(messages.BOXES_LINES_SKIPPED, self.boxes_path.name, file.skipped)
        return RunBoxes([_sampled(frame) for frame in file.frames], 1 / fps if fps else 0.0)


def runs_of(video_dir: Path, filename: str) -> list[Run]:
    """Return the runs over `filename` that have a boxes file, newest first."""
    found = [
        Run(run_id, boxes_path(video_dir, filename, run_id), find_run(log_path(video_dir), run_id) or {})
        for run_id in boxes_runs(video_dir, filename)
        if _RUN.fullmatch(run_id)
    ]
    # two files of one stem, such as a.mp4 and a.mkv, share the beginning of their boxes files' names
    found = [run for run in found if run.record.get("filename", filename) == filename]
    return sorted(found, key=lambda run: run.run_id, reverse=True)


class Clip(Closing):
    """A clip and the boxes of one of its runs.

    Args:
        path: the file, in the shared volume.
        run: the run to display; None for the newest one with a boxes file.

    Attributes:
        path: the file.
        run: the run displayed; None if there is none.
        boxes: its boxes with the labels that it reports; empty if there is no run.
        frames: the clip's frames.

    Raises:
        ClipMissing: there is no such file (any more).
        ClipError: it is not a video that can be read.
        FormatError: its boxes are of a later version.
    """

    def __init__(self, path: Path, run: Run | None = None) -> None:
        self.path = path
        runs = [run] if run else runs_of(path.parent, path.name)
        self.run: Run | None = runs[0] if runs else None
        try:
            self._all_boxes = self.run.read() if self.run else RunBoxes((), 0.0)
        except FileNotFoundError:  # retention deleted it just now
            self.run, self._all_boxes = None, RunBoxes((), 0.0)
        self.boxes = self._all_boxes.only(self.run.classes) if self.run else self._all_boxes
        try:
            self.frames = FrameGrabber(path, self.run.aspect if self.run else None)
        except ClipMissing:
            raise ClipMissing(f"{path.name} is not there (any more): choose another clip") from None

    def close(self) -> None:
        """Close the file."""
        self.frames.close()

    @property
    def conf(self) -> float:
        """Score threshold of the run."""
        return self.run.conf if self.run else DEFAULT_CONF

    @property
    def min_hits(self) -> int:
        """Hits that a track needs to be reported, of the run."""
        return self.run.min_hits if self.run else DEFAULT_MIN_HITS

    @cached_property
    def started_at(self) -> datetime | None:
        """Local time of the first frame, with its zone; None if neither record, file nor name give one."""
        recorded = self.run.record.get("clip", {}).get("started_at") if self.run else None
        text = recorded if isinstance(recorded, str) else started_at(self.path.name, self.frames.facts)
        with suppress(ValueError, OverflowError):
            if text:
                return datetime.fromisoformat(text).astimezone()
        name = parse_clip_name(self.path.name)
        return name.started_at.astimezone() if name else None

    def clock(self, time_s: float) -> str:
        """Return the local time of day at `time_s`, such as ``14:48:24``; empty if it is not known."""
        return f"{self.started_at + timedelta(seconds=time_s):%H:%M:%S}" if self.started_at else ""

    def frame_at(self, time_s: float) -> Frame:
        """Return the frame displayed at `time_s`, seconds from the first frame."""
        return self.frames.frame_at(time_s)

    def boxes_at(self, time_s: float, min_conf: float | None = None) -> list[Box]:
        """Return the boxes to display at `time_s`; see :meth:`RunBoxes.at`.

        Args:
            min_conf: score threshold; None for the run's own.
        """
        return self.boxes.at(time_s, self.conf if min_conf is None else min_conf)

    def best_views(self, min_conf: float | None = None) -> list[View]:
        """Return the best view of each track; see :meth:`RunBoxes.best_views`."""
        classes = self.run.classes if self.run else ()
        return self._all_boxes.best_views(self.conf if min_conf is None else min_conf, self.min_hits, classes)


def _also(track: TrackSummary) -> dict[str, int]:
    return {label: len(entry.frames) for label, entry in track.labels.items() if label != track.label}


def _between(box: Box, end: Box | None, share: float) -> Box:
    if end is None:
        return replace(box, between=True)
    x1, y1, x2, y2 = (here + (there - here) * share for here, there in zip(box.xyxy, end.xyxy, strict=True))
    return replace(box, xyxy=(x1, y1, x2, y2), between=True)


def _sampled(frame: BoxesFrame) -> Sampled:
    boxes = tuple(Box(one.label, one.score, (one.x1, one.y1, one.x2, one.y2), one.track) for one in frame.boxes)
    return Sampled(frame.time_s, frame.frame, boxes)
