"""What the tasks that give a value have in common: reading, lamps, pages, modules of people's own.

A subclass says how to look at a zone, and what to make of it::

    class Light(ValueStep[LightTask]):
        event_type = "light"
        is_slow = False

        @classmethod
        def create(cls, context):
            return [cls(context, task, task.task.every_s) for task in tasks_of(context, LightTask)]

        def look(self, crop):           # anything; in a thread of the pool where `is_slow`
            return mean(crop.picture)

        def judge(self, time_s, found):  # in the order of time, in the thread of the steps; has the state
            return Value("on" if found > 128 else "off", more={"level": found})

Everything else is done here: when to look, the gate, where the zone is in the frame, threads, events, counts of the
record, and the state that survives a restart.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from shared_utils.config.zones.model import Task
from shared_utils.contracts.events import Event
from shared_utils.errors import VcamError
from video_worker.pipeline.work_pool import done_at_once
from video_worker.steps.base import Sample, Step, Tally
from video_worker.steps.context import StepContext, StepEvent, clock_state, seconds_ahead
from video_worker.steps.values.zone_crop import ZoneCrop, ZoneCropper
from video_worker.steps.zones.frame_values import placement_of
from video_worker.steps.zones.gates import Gate
from video_worker.steps.zones.tasks import ZoneTask
from video_worker.values.reports import Report, Reports, Value

AnyTask = TypeVar("AnyTask", bound=Task)

READING = "reading"
"""Type of the events whose values the record counts."""
MOVED = "camera_moved"
"""Reason of what cannot be looked at, as the camera shows something else."""
PATIENCE_S = 30.0
"""Live: time of frames after which a look that gives nothing is reported as one that failed."""
LATE_INTERVALS, LATE_LOOKS = 1.0, 50
"""Intervals by which a look is late that counts, and how many of them are reported: an engine is loaded once."""
EARLY_SHARE = 0.25
"""Share of the interval by which a look may be early, so that frames that come at the interval itself are all taken."""
SLACK_S = 1e-4
TIME_DIGITS, SCORE_DIGITS = 3, 4


@dataclass(frozen=True)
class Failure:
    """A look that gave nothing: why, as in an event's `reason`, and in a line for people, which is logged once."""

    reason: str
    error: str


@dataclass(frozen=True)
class _Look:
    """A look that is under way."""

    crop: ZoneCrop
    future: Future[Any]


class ValueStep(Step, Generic[AnyTask]):
    """Carries out one task of one zone that gives a value per look.

    In a clip, the result of a look is waited for before the next one begins, so that the same clip gives the same. In
    front of a live camera nothing is waited for: results are collected at later frames, and have the time of their own;
    a look that would begin while the one before is under way is left out.

    Args:
        context: of the run.
        task: the task, and its zone, which has `points`.
        every_s: time between two looks.

    Attributes:
        event_type: of its events.
        is_slow: whether :meth:`look` is done in a thread of the context's pool; else at once, and judged at once.
        zone: the zone.
        task: the task.
        number: its place in the zone.
        latest: the newest value; None before the first, and where the gate was closed since.
        readings: looks that gave a value.
        unreadable: looks that gave none.
    """

    event_type: ClassVar[str] = READING
    is_slow: ClassVar[bool] = True

    def __init__(self, context: StepContext, task: ZoneTask[AnyTask], every_s: float) -> None:
        self.zone, self.task, self.number = task.zone, task.task, task.number
        self.latest: Value | None = None
        self.readings = self.unreadable = 0
        self._look_every_s = every_s
        self._source, self._emit, self._pool = context.source, context.emit, context.pool
        self._report_problem = context.report_problem
        self._is_live = not context.source.has_end
        self._gate = Gate(context, task)
        self._cropper = ZoneCropper(task.zone.points or ())
        self._reports = Reports(bounded=self._is_live)
        self._under_way: _Look | None = None
        self._is_overdue = False
        self._next_s = -math.inf
        self._late = 0
        self._frame_s: float | None = None
        self._newest: ZoneCrop | None = None

    @property
    def name(self) -> str:
        """Name with those of the zone and of the task's place in it."""
        return f"{type(self).__name__} {self.zone.name} {self.number}"

    # -- what subclasses say

    def look(self, crop: ZoneCrop) -> Any:
        """Return what is to be seen in a zone, for :meth:`judge`. It keeps nothing: several threads may be at it.

        Raises:
            VcamError: it cannot be said this time; the value is unreadable then, with reason ``engine`` and the
                error's line. Return a :class:`Failure` for another reason.
        """
        raise NotImplementedError

    def judge(self, time_s: float, found: Any) -> Value:
        """Return the value of a look. Called in the order of time, in the thread of the steps.

        Args:
            time_s: time of the frame that was looked at, seconds from the source's first one.
            found: what :meth:`look` returned.
        """
        raise NotImplementedError

    def fail(self, time_s: float, failure: Failure) -> Value:
        """Return the value of a look that failed; also where the camera was moved."""
        del time_s
        return Value(reason=failure.reason, more={"error": failure.error})

    def interrupt(self) -> None:
        """Take note of a frame on which the task is not carried out, as its page is not displayed."""

    def look_again(self) -> None:
        """Look at the next frame, whatever the interval: the last look did not decide."""
        self._next_s = -math.inf

    def memory(self) -> Mapping[str, Any]:
        """Return what :meth:`judge` keeps, as JSON takes it; times as they are."""
        return {}

    def recall(self, memory: Mapping[str, Any], later_s: float) -> None:
        """Go on from a :meth:`memory`, whose times are by `later_s` ahead of those to come.

        Raises:
            ValueError, TypeError, KeyError: it is none.
        """

    def recall_event(self, time_s: float, value: Value) -> None:
        """Take note of a value that was reported after the state was saved, before the first frame."""

    # -- the frames

    def take(self, sample: Sample) -> None:
        """Look at the zone where it is time for it; report what is known by now."""
        gap_s = 0.0 if self._frame_s is None else sample.time_s - self._frame_s
        self._frame_s = sample.time_s
        if self._is_live:
            self._collect(sample.time_s)
        if not self._gate.is_open(sample):
            self.latest = None
            self.interrupt()
        elif self._is_due(sample.time_s, gap_s):
            if self._under_way is None or not self._is_live:
                self._finish()
                self._begin(sample)
            else:
                self._note_late(sample.time_s)
        if (report := self._reports.due(sample.time_s)) is not None:
            self._report(report)

    def _is_due(self, time_s: float, gap_s: float) -> bool:
        early_s = SLACK_S + min(self._look_every_s * EARLY_SHARE, gap_s / 2)
        return time_s >= self._next_s - early_s

    def _note_late(self, time_s: float) -> None:
        """Report a zone that is looked at much less often than its task says."""
        if time_s - self._next_s > LATE_INTERVALS * self._look_every_s:
            self._late += 1
            self._next_s = time_s
            if self._late == LATE_LOOKS:
                self._report_problem(
                    f"zone {self.zone.name}",
                    f"a look takes longer than every_s, {self._look_every_s:g} s: raise it, or take a faster engine",
                )

    def _begin(self, sample: Sample) -> None:
        time_s, every_s = sample.time_s, self._look_every_s
        is_late = time_s > self._next_s + every_s
        self._next_s = time_s + every_s if is_late else max(self._next_s + every_s, time_s + every_s / 2)
        crop = self._cropper.crop(sample.picture, placement_of(sample), time_s)
        if crop is None:
            self._newest = ZoneCrop(sample.picture.copy(), None, time_s) if self._is_live else None
            self._fail(time_s, Failure(MOVED, "the camera does not show the whole zone any more"))
            return
        pool = self._pool if self.is_slow else None
        submit: Callable[[Callable[[], Any]], Future[Any]] = done_at_once if pool is None else pool.submit
        self._under_way = _Look(crop, submit(lambda: self._looked(crop)))
        if pool is None:
            self._finish()

    def _looked(self, crop: ZoneCrop) -> Any:
        try:
            return self.look(crop)
        except VcamError as error:
            return Failure("engine", str(error))

    def _collect(self, time_s: float) -> None:
        """Take the result of the look that is under way, if it is there."""
        under_way = self._under_way
        if under_way is None:
            return
        if under_way.future.done():
            self._finish()
        elif time_s - under_way.crop.time_s > PATIENCE_S and not self._is_overdue:
            self._is_overdue = True
            self._fail(time_s, Failure("engine", f"it takes more than {PATIENCE_S:g} s"))

    def _finish(self) -> None:
        """Wait for the look that is under way, and judge it; one that was overdue came too late."""
        under_way, self._under_way = self._under_way, None
        if under_way is None:
            return
        found = under_way.future.result()
        was_overdue, self._is_overdue = self._is_overdue, False
        if was_overdue:
            return
        time_s = under_way.crop.time_s
        self._newest = under_way.crop
        if isinstance(found, Failure):
            self._fail(time_s, found)
        else:
            self._take(time_s, self.judge(time_s, found))

    def _fail(self, time_s: float, failure: Failure) -> None:
        if failure.reason != MOVED:
            self._report_problem(f"zone {self.zone.name}", failure.error)
        self._take(time_s, self.fail(time_s, failure))

    def _take(self, time_s: float, value: Value) -> None:
        self.latest = value
        if value.reason is None:
            self.readings += 1
        else:
            self.unreadable += 1
        if (report := self._reports.take(time_s, value)) is not None:
            self._report(report)

    def _report(self, report: Report) -> None:
        value, more = report.value, dict(report.more)
        if self.number:
            more["task"] = self.number
        confidence = None if value.confidence is None else round(value.confidence, SCORE_DIGITS)
        picture = self._newest.picture if report.with_picture and self._newest is not None else None
        time_s = round(report.time_s, TIME_DIGITS)
        self._emit(StepEvent(self.event_type, time_s, value.value, self.zone.name, confidence, picture, more))

    def result(self) -> Mapping[str, object]:
        """Return the zone's entry in `zones`, with `readings` and `unreadable` where values are readings."""
        self._finish()
        if self.event_type != READING:
            return {"zones": {self.zone.name: {}}}
        counts = {"readings": Tally(self.readings), "unreadable": Tally(self.unreadable)}
        return {"zones": {self.zone.name: counts}}

    def close(self) -> None:
        """Leave out what has not begun."""
        if self._under_way is not None:
            self._under_way.future.cancel()
            self._under_way = None

    # -- the state

    def _shape(self) -> list[object]:
        """Return what the state depends on: that of a zone or task that was changed is not gone on with."""
        return [[list(point) for point in self.zone.points or ()], repr(self.task)]

    def state(self) -> Mapping[str, Any]:
        """Return what was reported, and what the subclass keeps."""
        return {
            **clock_state(self._source),
            "shape": self._shape(),
            "reports": self._reports.state(),
            "memory": dict(self.memory()),
        }

    def resume(self, state: Mapping[str, Any]) -> None:
        """Go on from a :meth:`state`; where the zone or its task was changed, it begins anew."""
        if state["shape"] != self._shape():
            return
        later_s = seconds_ahead(state, self._source)
        self._reports.resume(state["reports"], later_s)
        self.recall(state["memory"], later_s)

    def catch_up(self, event: Event) -> None:
        """Take note of a value that was reported after the state was saved."""
        began = self._source.started_at
        if event.type != self.event_type or event.zone != self.zone.name or began is None:
            return
        if event.more.get("task", 0) != self.number:
            return
        reason, number = event.more.get("reason"), event.more.get("number")
        value = Value(
            event.value if isinstance(event.value, str) else None,
            event.confidence,
            reason if isinstance(reason, str) else None,
            float(number) if isinstance(number, int | float) and not isinstance(number, bool) else None,
        )
        time_s = (event.at - began).total_seconds()
        self._reports.note(time_s, value)
        self.recall_event(time_s, value)
