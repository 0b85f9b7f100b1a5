"""The interface of a step of the analysis. See :mod:`video_worker.steps` for the list of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from shared_utils.contracts.events import Event
from shared_utils.media.picture import Picture
from video_worker.models.postprocess import Detections
from video_worker.pipeline.tracking import NO_TRACK
from video_worker.steps.context import StepContext
from video_worker.steps.declarations import Adds

TRACK = "track"
"""Column of the track number of each box."""


@dataclass
class Sample:
    """A sampled frame on its way through the steps, which add to it.

    Attributes:
        index: its number in the source.
        time_s: seconds from the source's first frame.
        picture: height×width×3, blue green red.
        detections: boxes in its pixels, best first; of `detect`.
        columns: further values of each box, by name, each as long as `detections`.
        cut: whether another scene begins with it; of `cuts`.
        ended_tracks: numbers of the tracks that will not be continued any more; of `track`.
        is_still: whether nothing moves in it, and objects are wanted only where something does.
        values: what steps report about the whole frame to later ones, such as the page that is shown, by name.
    """

    index: int
    time_s: float
    picture: Picture
    detections: Detections = field(default_factory=Detections.empty)
    columns: dict[str, NDArray[Any]] = field(default_factory=dict)
    cut: bool = False
    ended_tracks: Sequence[int] = ()
    is_still: bool = False
    values: dict[str, Any] = field(default_factory=dict)

    @property
    def tracks(self) -> NDArray[np.int64]:
        """Track number of each box; :data:`NO_TRACK` where no step follows them."""
        numbers = self.columns.get(TRACK)
        return np.full(len(self.detections), NO_TRACK, np.int64) if numbers is None else numbers


class Tally(int):
    """A number of the record that several steps add to, such as the readings of one zone by several tasks."""


@dataclass(frozen=True)
class EndedTrack:
    """A track that is over: its number, and the times of its first and last box, seconds from the first frame."""

    number: int
    first_s: float
    last_s: float


class Step:
    """One step; subclasses override what they need.

    For each sampled frame :meth:`start` of all steps is called, then, when some more frames have been started,
    :meth:`take` of all steps, in the order of the list and of the frames. At the end of the source :meth:`result` of
    all steps, then :meth:`publish`; and :meth:`close` in any case.
    :class:`video_worker.pipeline.runner.StepRunner` calls them, and measures their time.

    Attributes:
        adds: what the step adds to records, data frames and boxes files.
        needs_end: whether all it does is a result at the end of the source: it takes no part where there is none.
        timed_as: key of the record's `timing` that its seconds count towards; None for none of its own.
        needs_motion: whether it is about objects: it is not given frames that are still, as if they had not come.
        every_s: seconds between the frames that it is given; 0 for every sampled frame. Set when the step is made.
    """

    adds: ClassVar[Adds] = Adds()
    needs_end: ClassVar[bool] = False
    timed_as: ClassVar[str | None] = None
    needs_motion: ClassVar[bool] = False
    every_s: float = 0.0

    @property
    def name(self) -> str:
        """Name in logs and saved states, unique within a run."""
        return type(self).__name__

    @classmethod
    def create(cls, context: StepContext) -> Sequence[Step]:
        """Return the steps for a run: none where it does not apply, one, or several, such as one per zone."""
        raise NotImplementedError

    def start(self, sample: Sample) -> None:
        """Begin work on `sample` that can go on while other frames are worked on."""

    def take(self, sample: Sample) -> None:
        """Work on `sample`, which the earlier steps have finished with."""

    def on_track_end(self, track: EndedTrack) -> None:
        """Take note that `track` is over: its object was out of sight for too long, or the source has ended."""

    def state(self) -> Mapping[str, Any]:
        """Return what must survive a restart where the source has no end, as JSON takes it; empty for nothing."""
        return {}

    def resume(self, state: Mapping[str, Any]) -> None:
        """Go on from a :meth:`state`, before the first frame.

        Raises:
            ValueError, TypeError, KeyError: it is none, such as one of another version; the step begins anew.
        """

    def catch_up(self, event: Event) -> None:
        """Take note of an event that was reported after the state was saved that was resumed, before the first frame.

        So nothing is reported twice when a process is killed between the two. Each event is given to all steps.
        """

    def result(self) -> Mapping[str, object]:
        """Return what goes into the record, by its keys there, as JSON takes it.

        Mappings under one key are merged, and each :class:`Tally` is added up.
        """
        return {}

    def publish(self) -> None:
        """Give files of the step's own their names: all results are there, and the record will follow."""

    @classmethod
    def remark(cls, record: Mapping[str, Any]) -> str:
        """Return what people should know of `record` at once, for the log; empty for nothing."""
        del record
        return ""

    def close(self) -> None:
        """Release all resources. Called once, after an error too."""
