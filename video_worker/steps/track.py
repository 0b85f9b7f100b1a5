"""Gives each box the number of its track."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from video_worker.pipeline.tracking import NO_TRACK, Tracker
from video_worker.steps.base import TRACK, Sample, Step
from video_worker.steps.context import StepContext
from video_worker.steps.declarations import Adds, BoxColumn, Kind


class Track(Step):
    """Numbers the tracks, from 1 in order of first sight."""

    adds = Adds(
        box_columns=(
            BoxColumn(
                TRACK,
                Kind.WHOLE,
                "number of the track within the clip, the same for all its labels; missing for weak boxes in files of "
                "earlier versions",
                missing=NO_TRACK,
            ),
        )
    )

    def __init__(self) -> None:
        self._tracker = Tracker()

    @classmethod
    def create(cls, context: StepContext) -> Sequence[Step]:
        """Applies to every source."""
        del context
        return [cls()]

    def take(self, sample: Sample) -> None:
        """Give each box its track."""
        sample.columns[TRACK] = self._tracker.update(sample.detections, sample.time_s, sample.cut)
        sample.ended_tracks = self._tracker.ended

    def state(self) -> Mapping[str, Any]:
        """Return the number of the last track: it is not given again after a restart."""
        return {"begun": self._tracker.begun}

    def resume(self, state: Mapping[str, Any]) -> None:
        """Go on with the numbers."""
        self._tracker = Tracker(state["begun"])
