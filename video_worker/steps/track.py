"""Tells which boxes are the same thing."""

from __future__ import annotations

from video_worker.pipeline.tracking import Tracker
from video_worker.steps.base import Run, Sample, Step


class Track(Step):
    """Numbers the tracks of the clip's things."""

    def __init__(self) -> None:
        self._tracker = Tracker()

    @classmethod
    def for_run(cls, run: Run) -> Track:
        """Applies to every clip."""
        del run
        return cls()

    def take(self, sample: Sample) -> None:
        """Give each box its track."""
        sample.tracks = self._tracker.update(sample.detections, sample.time_s, sample.cut)
