"""The context of a run's steps: source, options, model, zones, and where their files go."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from shared_utils.config.zones.model import Zones
from shared_utils.contracts.job_options import Options
from shared_utils.media.frames import ClipFacts
from shared_utils.media.picture import Picture
from video_worker.models.detector import Detector
from video_worker.models.registry import Models
from video_worker.pipeline.run_names import RunNames
from video_worker.pipeline.work_pool import WorkPool
from video_worker.plugins.registry import Plugins
from video_worker.readers.base import TextReaders
from video_worker.steps.declarations import BoxColumn

BOXES_FROM = 0.1
"""Score from which boxes are kept for the boxes file, so that thresholds can be swept later without inference."""


def local_now() -> datetime:
    """Return the time of day, with this machine's zone."""
    return datetime.now().astimezone()


@dataclass(frozen=True)
class Source:
    """Where frames come from: a clip, or a live camera, which has no end.

    Attributes:
        started_at: time of day of the first frame, where it is known.
        duration_s: seconds from the first frame to the end of the last; None where there is no end.
        clip: what the clip is; None for a live camera.
    """

    started_at: datetime | None = None
    duration_s: float | None = None
    clip: ClipFacts | None = None

    @classmethod
    def of_clip(cls, clip: ClipFacts, started_at: datetime | None = None) -> Source:
        """Return the source that a clip is."""
        return cls(started_at, clip.duration_s, clip)

    @property
    def has_end(self) -> bool:
        """Whether the frames come to an end."""
        return self.duration_s is not None

    def time_of_day(self, time_s: float) -> datetime | None:
        """Return when the frame at `time_s` (seconds from the first frame) was taken, where that is known."""
        return None if self.started_at is None else self.started_at + timedelta(seconds=time_s)


def seconds_ahead(state: Mapping[str, Any], source: Source) -> float:
    """Return what the times of a state of :func:`clock_state` are ahead of those of `source`, seconds."""
    before, now = state.get("started_at"), clock_state(source)["started_at"]
    return 0.0 if before is None or now is None else before - now


def clock_state(source: Source) -> dict[str, float | None]:
    """Return when the times of a source begin, for a state: after a restart they begin anew."""
    return {"started_at": None if source.started_at is None else source.started_at.timestamp()}


@dataclass(frozen=True)
class StepEvent:
    """An event as a step reports it, when it happens.

    Whoever runs the steps makes a :class:`shared_utils.contracts.events.Event` of it, with time of day, camera, source,
    run and the picture's path.

    Attributes:
        type: such as ``object`` or ``reading``; see :data:`shared_utils.contracts.events.TYPES`.
        time_s: seconds from the source's first frame.
        value: what happened, was read or seen.
        zone: name of the zone, where it happened in one.
        confidence: 0..1, where there is one.
        picture: of the moment, blue green red; None for none.
        more: keys of the type's own.
    """

    type: str
    time_s: float
    value: object = None
    zone: str | None = None
    confidence: float | None = None
    picture: Picture | None = field(default=None, repr=False)
    more: Mapping[str, object] = field(default_factory=dict)


def _ignore(event: StepEvent) -> None:
    del event


def _ignore_problem(affected: str, problem: str) -> None:
    del affected, problem


@dataclass(frozen=True)
class StepContext:
    """What steps know of the run they belong to. Clips and live cameras have the same steps.

    Attributes:
        source: where frames come from.
        options: how they are analysed.
        labels: class names of the detector, by number.
        camera: name of the camera; None where none is known.
        detector: finds objects; None where boxes come from elsewhere.
        models: further models, by name; None where there are none.
        zones: the camera's zones, validated; None for none.
        zones_dir: folder of the file of zones, where their reference pictures are; None where there is none.
        readers: engines that read text; None where there are none.
        plugins: modules of people's own; None where there are none.
        pool: threads for slow work; None to do it at once.
        remote_pool: threads that wait for other machines, so that slow work does not wait for those; None for `pool`.
        report_problem: called with what is affected, such as ``zone gate``, and why its tasks cannot be carried out, as
            often as that happens.
        galleries: folder of the galleries of pictures to recognise; None for none.
        names: of the run and its clip; None for a live camera.
        output_dir: the shared volume, for files beside the record; None to write none.
        box_columns: values of each box that earlier steps of the run add.
        report_objects: whether objects are reported at first sight, where the source has no end.
        emit: takes an event when it happens; by default, events are ignored.
        now: the time of day, with its zone.
    """

    source: Source
    options: Options
    labels: tuple[str, ...] = ()
    camera: str | None = None
    detector: Detector | None = None
    models: Models | None = None
    zones: Zones | None = None
    zones_dir: Path | None = None
    readers: TextReaders | None = None
    plugins: Plugins | None = None
    pool: WorkPool | None = None
    remote_pool: WorkPool | None = None
    report_problem: Callable[[str, str], None] = _ignore_problem
    galleries: Path | None = None
    names: RunNames | None = None
    output_dir: Path | None = None
    box_columns: tuple[BoxColumn, ...] = ()
    report_objects: bool = True
    emit: Callable[[StepEvent], None] = _ignore
    now: Callable[[], datetime] = local_now

    @property
    def min_score(self) -> float:
        """Score from which the detector keeps boxes."""
        return min(BOXES_FROM, self.options.conf)
