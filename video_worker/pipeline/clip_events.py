"""Collects the events of a clip's run, and writes them beside its record."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from shared_utils.contracts.events import Event, clip_events_path, write_clip_events
from shared_utils.durable import written
from video_worker.pipeline.run_names import RunNames, make_run_id
from video_worker.steps.context import Source, StepEvent

_WRITTEN = written("events cannot be written")


class ClipEvents:
    """Takes the events of a run, in any order.

    Args:
        names: of the run and its clip.
        source: the clip.
        camera: its name; None where none is known.
        now: the time of day; where nobody knows when the clip began, its events are dated from then on.
    """

    def __init__(self, names: RunNames, source: Source, camera: str | None, now: Callable[[], datetime]) -> None:
        self._names = names
        self._source = source
        self._camera = camera
        self._now = now
        self._events: list[StepEvent] = []

    def emit(self, event: StepEvent) -> None:
        """Take an event."""
        self._events.append(event)

    def in_order(self) -> list[Event]:
        """Return all events in the order of time. The same run gives the same ids, should it be repeated."""
        began = self._source.started_at or self._now()
        return [
            self._event(event, began + timedelta(seconds=event.time_s), number)
            for number, event in enumerate(sorted(self._events, key=lambda one: one.time_s))
        ]

    def _event(self, event: StepEvent, at: datetime, number: int) -> Event:
        return Event(
            type=event.type,
            at=at,
            camera=self._camera,
            zone=event.zone,
            value=event.value,
            confidence=event.confidence,
            source="clip",
            run_id=self._names.run_id,
            filename=self._names.filename,
            t=event.time_s,
            id=make_run_id(at, f"{self._names.run_id} {number}"),
            more=event.more,
        )

    @_WRITTEN
    def write(self, video_dir: Path) -> None:
        """Write the sidecar of the run's events.

        Raises:
            NotWritten: the volume does not take it.
        """
        write_clip_events(clip_events_path(video_dir, self._names.filename, self._names.run_id), self.in_order())
