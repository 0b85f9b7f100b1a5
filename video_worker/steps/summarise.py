"""Sums up what was seen in the clip: the record's ``detected``, ``count`` and ``objects``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from shared_utils.schemas import ObjectEntry
from video_worker.steps.base import Run, Sample, Step
from video_worker.tracking import NO_TRACK

SCORE_DIGITS = 4
TIME_DIGITS = 3


@dataclass
class _Seen:
    """One label so far. `hits`: sampled frames with it; `tracks`: sampled frames of each of its tracks."""

    first_s: float
    last_s: float = 0.0
    hits: int = 0
    max_conf: float = 0.0
    tracks: Counter[int] = field(default_factory=Counter)


class Summarise(Step):
    """Counts, for each label, the boxes at or above the score threshold.

    ``objects`` has every label that was seen at all, in order of first sight; ``detected`` those seen in at least
    `min_hits` sampled frames. A label's `tracks` are those seen in as many frames, and at least 1.
    """

    def __init__(self, run: Run) -> None:
        self._labels = run.detector.labels
        self._conf = run.options.conf
        self._min_hits = run.options.min_hits
        self._seen: dict[str, _Seen] = {}

    @classmethod
    def for_run(cls, run: Run) -> Summarise:
        """Applies to every clip."""
        return cls(run)

    def take(self, sample: Sample) -> None:
        """Count the frame's boxes."""
        found = sample.detections
        here: set[str] = set()
        for number, score, track in zip(
            found.classes.tolist(), found.scores.tolist(), sample.tracks.tolist(), strict=True
        ):
            if score < self._conf:
                continue
            label = self._labels[number]
            seen = self._seen.setdefault(label, _Seen(sample.time_s))
            if label not in here:
                here.add(label)
                seen.hits += 1
                seen.last_s = sample.time_s
            seen.max_conf = max(seen.max_conf, score)
            if track != NO_TRACK:
                seen.tracks[track] += 1

    def result(self) -> Mapping[str, object]:
        """Return `detected`, `count` and `objects`."""
        detected = [label for label, seen in self._seen.items() if seen.hits >= self._min_hits]
        objects = [self._entry(label, seen) for label, seen in self._seen.items()]
        return {"detected": detected, "count": len(detected), "objects": objects}

    def _entry(self, label: str, seen: _Seen) -> ObjectEntry:
        lasting = sum(hits >= self._min_hits for hits in seen.tracks.values())
        return {
            "label": label,
            "tracks": max(lasting, 1),
            "hits": seen.hits,
            "max_conf": round(seen.max_conf, SCORE_DIGITS),
            "first_s": round(seen.first_s, TIME_DIGITS),
            "last_s": round(seen.last_s, TIME_DIGITS),
        }
