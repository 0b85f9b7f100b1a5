"""Sums up what was seen in the clip: the record's ``detected``, ``count`` and ``objects``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from shared_utils.schemas import ObjectEntry
from video_worker.steps.base import Run, Sample, Step
from video_worker.tracking import NO_TRACK

SCORE_DIGITS = 4
TIME_DIGITS = 3
SUPPORT_DIGITS = 3
"""Of summed scores that are compared: boxes files hold them to four digits, and give the same label."""
LASTS_S = 0.15
"""Seconds that a thing must be seen for to be counted among `tracks`: two frames in a row at 5 per second, and as long
where more are sampled, so that a ghost of two frames out of 25 in a second is none of them."""


@dataclass
class _Name:
    """A label of a track. `frames`: the sampled frames it was given in; `support`: the sum of its scores there."""

    frames: set[int] = field(default_factory=set)
    support: float = 0.0
    max_conf: float = 0.0


@dataclass
class TrackSummary:
    """A track so far, of its boxes at or above the threshold."""

    first_s: float
    last_s: float = 0.0
    frames: set[int] = field(default_factory=set)
    names: dict[str, _Name] = field(default_factory=dict)

    def take(self, frame: int, time_s: float, label: str, score: float) -> None:
        """Count a box."""
        self.last_s = time_s
        self.frames.add(frame)
        name = self.names.setdefault(label, _Name())
        if frame not in name.frames:  # boxes come best first
            name.frames.add(frame)
            name.support += score
        name.max_conf = max(name.max_conf, score)

    @property
    def label(self) -> str:
        """The best supported label: by summed scores, then by frames, then the one that came first."""
        return max(
            self.names, key=lambda one: (round(self.names[one].support, SUPPORT_DIGITS), len(self.names[one].frames))
        )

    def lasts(self, min_hits: int) -> bool:
        """Tell whether it was seen in enough frames, for long enough."""
        return len(self.frames) >= min_hits and (min_hits == 1 or self.last_s - self.first_s >= LASTS_S)


class Summarise(Step):
    """Sums up the tracks, each under one label, from their boxes at or above the score threshold.

    The label is the best supported one of all the model knows, and only then `classes` pick what is reported. So a car
    that is a bus in some frames is no bus where only buses are asked for.

    ``objects`` has every label of a track, in order of first sight; ``detected`` those of which one track was seen in
    at least `min_hits` sampled frames. `tracks` are those that last (:data:`LASTS_S`), and at least 1.
    """

    def __init__(self, run: Run) -> None:
        self._labels = run.detector.labels
        self._conf = run.options.conf
        self._min_hits = run.options.min_hits
        self._classes = frozenset(run.options.classes)
        self._frame = 0
        self._tracks: dict[int, TrackSummary] = {}

    @classmethod
    def for_run(cls, run: Run) -> Summarise:
        """Applies to every clip."""
        return cls(run)

    def take(self, sample: Sample) -> None:
        """Count the frame's boxes."""
        self._frame += 1
        found = sample.detections
        for number, score, track in zip(
            found.classes.tolist(), found.scores.tolist(), sample.tracks.tolist(), strict=True
        ):
            if score < self._conf:
                continue
            # a box that belongs to nothing was seen once
            key = -1 - len(self._tracks) if track == NO_TRACK else track
            summary = self._tracks.setdefault(key, TrackSummary(sample.time_s))
            summary.take(self._frame, sample.time_s, self._labels[number], score)

    def result(self) -> Mapping[str, object]:
        """Return `detected`, `count` and `objects`."""
        by_label: dict[str, list[TrackSummary]] = {}
        for track in self._tracks.values():
            if self._reports(track.label):
                by_label.setdefault(track.label, []).append(track)
        detected = [
            label for label, tracks in by_label.items() if any(len(track.frames) >= self._min_hits for track in tracks)
        ]
        objects = [self._entry(label, tracks) for label, tracks in by_label.items()]
        return {"detected": detected, "count": len(detected), "objects": objects}

    def _reports(self, label: str) -> bool:
        return not self._classes or label in self._classes

    def _entry(self, label: str, tracks: list[TrackSummary]) -> ObjectEntry:
        entry: ObjectEntry = {
            "label": label,
            "tracks": max(sum(track.lasts(self._min_hits) for track in tracks), 1),
            "hits": len(set().union(*(track.frames for track in tracks))),
            "max_conf": round(max(track.names[label].max_conf for track in tracks), SCORE_DIGITS),
            "first_s": round(min(track.first_s for track in tracks), TIME_DIGITS),
            "last_s": round(max(track.last_s for track in tracks), TIME_DIGITS),
        }
        also: dict[str, set[int]] = {}
        for track in tracks:
            for other, name in track.names.items():
                if other != label and self._reports(other):
                    also.setdefault(other, set()).update(name.frames)
        if also:
            entry["also"] = {other: len(also[other]) for other in sorted(also, key=lambda one: (-len(also[one]), one))}
        return entry
