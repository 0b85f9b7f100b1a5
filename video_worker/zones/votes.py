"""The label of an object, and whether it counts, as in the summary of a clip, without keeping its frames.

:mod:`video_worker.pipeline.track_summary` gives the same label to a clip's tracks, and calls the same ones detected. An
object in front of a live camera may stay for days, so that only sums are kept here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from video_worker.pipeline.track_summary import HIT_S, MAX_STEP_S, SUPPORT_DIGITS, TOLERANCE_S


@dataclass
class Votes:
    """What the frames of one object say about its label.

    Attributes:
        hits: frames with a label that is reported, at or above the threshold.
        seen_s: seconds that the frames with a label that is reported stand for, of any score.
        labels: of each reported label at or above the threshold, its frames, the sum of its scores, and the best one.
    """

    hits: int = 0
    seen_s: float = 0.0
    labels: dict[str, tuple[int, float, float]] = field(default_factory=dict)

    def add(self, scores: Mapping[str, float], step_s: float, conf: float, wanted: Collection[str] | None) -> None:
        """Add a frame.

        Args:
            scores: best score of each label in the frame.
            step_s: seconds since the frame before.
            conf: the threshold.
            wanted: labels that are reported; None for all.
        """
        reported = {label: score for label, score in scores.items() if wanted is None or label in wanted}
        strong = {label: score for label, score in reported.items() if score >= conf}
        self.seen_s += min(step_s, MAX_STEP_S) if reported else 0.0
        self.hits += bool(strong)
        for label, score in strong.items():
            frames, total, best = self.labels.get(label, (0, 0.0, 0.0))
            self.labels[label] = frames + 1, total + score, max(best, score)

    def count(self, min_hits: int) -> bool:
        """Return whether the object was seen often enough, as for `detected`, and long enough to be no ghost.

        At high rates a ghost has its hits in no time. What is really there has weaker boxes too, before and after.
        """
        return self.hits >= min_hits and self.seen_s >= (min_hits - 0.5) * HIT_S - TOLERANCE_S

    @property
    def label(self) -> str | None:
        """The best supported label: by summed scores, then by frames, then the one that came first."""
        if not self.labels:
            return None
        return max(self.labels, key=lambda label: (round(self.labels[label][1], SUPPORT_DIGITS), self.labels[label][0]))

    def confidence(self, label: str) -> float:
        """Return the best score of a label."""
        return self.labels[label][2]

    def state(self) -> list[Any]:
        """Return what must survive a restart, as JSON takes it."""
        return [self.hits, self.seen_s, {label: list(sums) for label, sums in self.labels.items()}]

    @classmethod
    def of_state(cls, state: Any) -> Votes:
        """Return the votes of a :meth:`state`."""
        hits, seen_s, labels = state
        return cls(hits, seen_s, {label: (one[0], one[1], one[2]) for label, one in labels.items()})
