"""Gives each box the number of its track."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shared_utils.contracts.events import Event
from video_worker.pipeline.tracking import NO_TRACK, Tracker
from video_worker.steps.base import TRACK, Sample, Step
from video_worker.steps.context import Source, StepContext, clock_state, seconds_ahead
from video_worker.steps.declarations import Adds, BoxColumn, Kind

MAX_NUMBER = 2**53
"""Largest number of a track that is taken from a log: a damaged line must not use up all numbers."""


class Track(Step):
    """Numbers the tracks, from 1 in order of first sight.

    Args:
        source: where frames come from.
    """

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
    needs_motion = True

    def __init__(self, source: Source | None = None) -> None:
        self._source = source or Source()
        self._tracker = Tracker()
        self._size: tuple[int, int] | None = None

    @classmethod
    def create(cls, context: StepContext) -> Sequence[Step]:
        """Applies to every source."""
        return [cls(context.source)]

    def take(self, sample: Sample) -> None:
        """Give each box its track."""
        height, width = sample.picture.shape[:2]
        if self._size is not None and self._size != (width, height):
            self._tracker.scale((width / self._size[0], height / self._size[1]))
        self._size = width, height
        sample.columns[TRACK] = self._tracker.update(sample.detections, sample.time_s, sample.cut)
        sample.ended_tracks = self._tracker.ended

    def state(self) -> Mapping[str, Any]:
        """Return the tracks that may still be continued."""
        return {**clock_state(self._source), "size": self._size, **self._tracker.state()} if self._size else {}

    def resume(self, state: Mapping[str, Any]) -> None:
        """Go on with the tracks of a :meth:`state`."""
        width, height = (int(side) for side in state["size"])
        if width <= 0 or height <= 0:
            raise ValueError("the picture of a state has no size")
        self._tracker.resume(state, seconds_ahead(state, self._source))
        self._size = width, height

    def catch_up(self, event: Event) -> None:
        """Give no track the number of one that was reported after the state was saved."""
        number = event.more.get("track")
        if isinstance(number, int) and number <= MAX_NUMBER:
            self._tracker.skip_numbers(number)
