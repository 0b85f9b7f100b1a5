"""Finds where another scene begins, so that no track goes over a cut."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from video_worker.pipeline.cuts import CutDetector
from video_worker.steps.base import Sample, Step
from video_worker.steps.context import StepContext
from video_worker.steps.declarations import Adds, RecordKey

TIME_DIGITS = 3


class Cuts(Step):
    """Compares each sampled frame with the one before.

    Args:
        keep_times: keep the times of all cuts for the record.
    """

    adds = Adds(
        keys=(
            RecordKey(
                "cuts",
                "where another scene begins, seconds from the clip's first frame; absent where there is none",
                "[1.2, 3.04]",
            ),
        )
    )
    needs_motion = True

    def __init__(self, keep_times: bool = True) -> None:
        self._detector = CutDetector()
        self._keep_times = keep_times
        self._times: list[float] = []

    @classmethod
    def create(cls, context: StepContext) -> Sequence[Step]:
        """Applies to every source."""
        return [cls(context.source.has_end)]

    def take(self, sample: Sample) -> None:
        """Check whether `sample` begins another scene."""
        sample.cut = self._detector.is_cut(sample.picture)
        if sample.cut and self._keep_times:
            self._times.append(round(sample.time_s, TIME_DIGITS))

    def result(self) -> Mapping[str, object]:
        """Return `cuts`, where there are any."""
        return {"cuts": self._times} if self._times else {}
