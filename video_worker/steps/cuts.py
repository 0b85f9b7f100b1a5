"""Tells where another scene begins, so that no track goes over a cut."""

from __future__ import annotations

from collections.abc import Mapping

from video_worker.pipeline.cuts import CutFinder
from video_worker.steps.base import Run, Sample, Step

TIME_DIGITS = 3


class Cuts(Step):
    """Compares each sampled frame with the one before.

    In the record, where there are any: ``"cuts": [1.2, 3.04]``, seconds from the clip's first frame.
    """

    def __init__(self) -> None:
        self._finder = CutFinder()
        self._times: list[float] = []

    @classmethod
    def for_run(cls, run: Run) -> Cuts:
        """Applies to every clip."""
        del run
        return cls()

    def take(self, sample: Sample) -> None:
        """Look whether `sample` begins another scene."""
        sample.cut = self._finder.is_cut(sample.picture)
        if sample.cut:
            self._times.append(round(sample.time_s, TIME_DIGITS))

    def result(self) -> Mapping[str, object]:
        """Return `cuts`."""
        return {"cuts": self._times} if self._times else {}
