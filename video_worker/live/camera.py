"""One camera's frames through the steps, without end: its events, its boxes for viewers, its state."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from shared_utils.closing import Closing
from shared_utils.config.classes import known_classes
from shared_utils.contracts.events import Event, event_id_time
from shared_utils.contracts.job_options import Options
from shared_utils.log import camera_logger
from shared_utils.media.picture import decode_jpeg, encode_jpeg
from shared_utils.queue.live_boxes import LiveBox, LiveBoxes
from video_worker import messages
from video_worker.live.frame_parts import LATEST_S, SOONEST_S, LiveFrame
from video_worker.live.plans import LIVE, Plan
from video_worker.live.volume import SCHEMA, picture_name
from video_worker.models.registry import LoadedModel, Models
from video_worker.pipeline.clip_zones import unknown_labels
from video_worker.pipeline.runner import StepRunner
from video_worker.pipeline.zone_tools import ZoneTools
from video_worker.steps import STEPS
from video_worker.steps.base import Sample, Step
from video_worker.steps.context import Source, StepContext, StepEvent
from video_worker.steps.track import Track

SAVE_S = 0.5
"""Least interval between two states of a camera: at most a second is lost, also on a busy machine."""
QUALITY = 85
"""Of the pictures of events."""
LEAST_STEP_S = 0.001
"""What time goes on from frame to frame at least, whatever the clock of capture's host does."""
NEWS = ("object", "item")
"""Types of events that are logged for people: not values that change all the time."""
CATCH_UP_S = 60.0
"""Age up to which events of the log count as reported where there is no state: it was killed in its first second."""


class Reports(Protocol):
    """Takes events and states; see :class:`video_worker.live.journal.Journal`."""

    def add(self, event: Event, jpeg: bytes | None = None) -> None:
        """Write an event, with its picture, and publish it."""

    def save(self, camera: str, state: str) -> None:
        """Write the state of a camera when all events before it are written."""


class Viewers(Protocol):
    """Takes boxes; see :class:`shared_utils.queue.live_boxes.BoxesPublisher`."""

    def publish(self, camera: str, boxes: LiveBoxes) -> None:
        """Publish the boxes of a frame."""


@dataclass(frozen=True)
class Analysis:
    """What all cameras share.

    Attributes:
        model: finds objects.
        models: further models.
        options: how frames are analysed; cameras have their own `classes`.
        reports, viewers: where results go.
        now: seconds since the epoch.
        clock: monotonic seconds.
        steps: the steps, in their order.
        tools: what tasks of zones need.
        zones_dir: folder of the files of zones; None where there is none.
    """

    model: LoadedModel
    models: Models
    options: Options
    reports: Reports
    viewers: Viewers
    now: Callable[[], float] = time.time
    clock: Callable[[], float] = time.monotonic
    steps: Sequence[type[Step]] = STEPS
    tools: ZoneTools = field(default_factory=ZoneTools)
    zones_dir: Path | None = None

    def options_for(self, plan: Plan) -> Options:
        """Return the options of a camera.

        Raises:
            ModelError: the model does not know its classes.
        """
        classes = plan.facts.classes
        if classes is None:
            return self.options
        setting = f"classes of [{plan.camera}] in cameras.toml"
        return replace(
            self.options, classes=known_classes(classes, self.model.detector.labels, self.model.name, setting)
        )


class LiveTime:
    """Time of a camera's frames, seconds from the first one. It goes on over restarts, and never backwards.

    Where capture's clock is set back, only the time from the last frame on is lost: `began` stays, so that what steps
    keep goes on in the same time.

    Attributes:
        began: seconds since the epoch of the first frame, by the clock of that time.
        last_s: time of the last frame.
        last_at: the same, in seconds since the epoch, by capture's clock.

    Args:
        began: as the attribute.
        last_s: as the attribute; None before the first frame.
        last_at: as the attribute.
    """

    def __init__(self, began: float, last_s: float | None = None, last_at: float | None = None) -> None:
        self.began = began
        self.last_s = last_s
        self.last_at = began if last_at is None else last_at

    def go_on(self, at: float) -> float:
        """Return the time of the frame at `at`, seconds since the epoch."""
        # where the clock was set back, nobody knows the distance from the last frame
        step_s = max(LEAST_STEP_S, at - self.last_at)
        time_s = at - self.began if self.last_s is None else self.last_s + step_s
        self.last_s, self.last_at = time_s, at
        return time_s

    def epoch(self, time_s: float) -> float:
        """Return when a moment was, seconds since the epoch."""
        return self.last_at + time_s - (self.last_s or 0.0)

    def in_steps(self, moment: datetime) -> datetime:
        """Return what a moment by the present clock is by the clock that `began` is of, which steps reckon with."""
        return moment + timedelta(seconds=self.began - self.epoch(0.0))


class LiveCamera(Closing):
    """The analysis of one camera.

    Args:
        plan: what is wanted of it.
        analysis: what all cameras share.
        saved: its state, as it was saved.
        events: the last events of the log, oldest first.

    Raises:
        ModelError: the model does not know the camera's classes.

    Attributes:
        plan: what is wanted of it.
        analysed: frames so far.
    """

    def __init__(
        self,
        plan: Plan,
        analysis: Analysis,
        saved: Mapping[str, Any] | None = None,
        events: Sequence[Event] = (),
    ) -> None:
        self.plan = plan
        self.analysed = 0
        self._analysis = analysis
        self._log = camera_logger(__name__, plan.camera)
        self._options = analysis.options_for(plan)
        self._time = _time_of(saved, analysis.now())
        self._undecodable = False
        self._is_dirty = False
        self._saved_s = analysis.clock()
        self._saved_text = ""
        self._last_event: str | None = None
        self._unknown_labels: frozenset[str] = frozenset()
        self._runner = self._make_runner()
        self._resume(saved, events)

    def replan(self, plan: Plan) -> None:
        """Go on by another plan, with the present state.

        Raises:
            ModelError: the model does not know the camera's classes; the plan before stays in force.
        """
        before = self.plan, self._options
        options = self._analysis.options_for(plan)
        states = self._runner.states()
        self.plan, self._options = plan, options
        if _what_steps_see(before[0]) == _what_steps_see(plan) and before[1] == options:
            return
        self._runner.close()
        self._runner = self._make_runner()
        self._runner.resume(states)

    def analyse(self, frame: LiveFrame) -> None:
        """Take a frame through the steps. One that cannot be decoded is skipped, and logged once.

        Raises:
            ModelError: the model cannot be run on it.
        """
        try:
            picture = decode_jpeg(frame.jpeg)
        except ValueError as error:
            if not self._undecodable:
                self._undecodable = True
                self._log.warning(messages.LIVE_FRAME_UNDECODABLE, error)
            return
        if self._undecodable:
            self._undecodable = False
            self._log.info(messages.LIVE_FRAMES_DECODABLE_AGAIN)
        time_s = self._time.go_on(frame.at)
        sample = Sample(self.analysed, time_s, picture, is_still=frame.is_still and self.plan.objects_need_motion)
        self.analysed += 1
        self._is_dirty = True
        for done in [*self._runner.feed(sample), *self._runner.flush()]:
            if self.plan.needs_detector and not done.is_still:
                self._analysis.viewers.publish(self.plan.camera, self._boxes(done, frame.at))
        self.save_if_due()

    def save_if_due(self) -> None:
        """Save the state where it has changed and was not saved lately."""
        if self._is_dirty and self._analysis.clock() - self._saved_s >= SAVE_S:
            self.save()

    def save(self) -> None:
        """Save the state."""
        text = json.dumps(self._state(), ensure_ascii=False)
        if text != self._saved_text:
            self._analysis.reports.save(self.plan.camera, text)
        self._saved_text, self._saved_s, self._is_dirty = text, self._analysis.clock(), False

    def close(self) -> None:
        """End the steps."""
        self._runner.close()

    # -- the steps

    def _make_runner(self) -> StepRunner:
        model = self._analysis.model
        self._check_labels(model)
        context = StepContext(
            Source(datetime.fromtimestamp(self._time.began, UTC).astimezone()),
            self._options,
            model.detector.labels,
            self.plan.camera,
            model.detector if self.plan.needs_detector else None,
            self._analysis.models,
            zones=self.plan.zones,
            zones_dir=self._analysis.zones_dir,
            report_objects=self.plan.facts.objects != "off",
            emit=self._report,
            now=lambda: datetime.fromtimestamp(self._analysis.now(), UTC).astimezone(),
        )
        return StepRunner(self._analysis.tools.added_to(context), self._analysis.steps)

    def _check_labels(self, model: LoadedModel) -> None:
        """Log each label of the zones' tasks that the model does not know, once."""
        before, zones = self._unknown_labels, self.plan.zones
        self._unknown_labels = frozenset(unknown_labels(zones, model.detector.labels, LIVE) if zones else ())
        for problem in sorted(self._unknown_labels - before):
            self._log.warning(messages.ZONE_LABEL_UNKNOWN, problem, model.name)

    def _report(self, found: StepEvent) -> None:
        moment = self._time.epoch(found.time_s)
        event = Event(
            type=found.type,
            at=datetime.fromtimestamp(moment, UTC).astimezone(),
            camera=self.plan.camera,
            zone=found.zone,
            value=found.value,
            confidence=found.confidence,
            more=found.more,
        )
        jpeg = None
        if found.picture is not None:
            jpeg = encode_jpeg(found.picture, QUALITY)
            event = replace(event, picture=picture_name(event.id))
        self._analysis.reports.add(event, jpeg)
        self._last_event = event.id
        if found.type in NEWS:
            what, where = found.more.get("label"), found.zone
            self._log.info(
                messages.LIVE_EVENT,
                found.type,
                found.value,
                f" {what}" if what else "",
                f" in {where}" if where else "",
                max(0.0, self._analysis.now() - moment),
            )

    def _boxes(self, sample: Sample, at: float) -> LiveBoxes:
        """Return the boxes that count, for viewers."""
        height, width = sample.picture.shape[:2]
        labels, wanted = self._analysis.model.detector.labels, self._options.classes
        found = sample.detections
        boxes = tuple(
            LiveBox(labels[number], track, score, (x1 / width, y1 / height, x2 / width, y2 / height))
            for number, score, track, (x1, y1, x2, y2) in zip(
                found.classes.tolist(), found.scores.tolist(), sample.tracks.tolist(), found.xyxy.tolist(), strict=True
            )
            if score >= self._options.conf and (not wanted or labels[number] in wanted)
        )
        return LiveBoxes(at, boxes)

    # -- the state

    def _state(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "camera": self.plan.camera,
            "model": self._analysis.model.sha256,
            "began": self._time.began,
            "last_s": self._time.last_s,
            "last_at": self._time.last_at,
            "last_event": self._last_event,
            "steps": self._runner.states(),
        }

    def _resume(self, saved: Mapping[str, Any] | None, events: Sequence[Event]) -> None:
        states = saved.get("steps") if saved else None
        if saved and isinstance(states, Mapping):
            usable = dict(states)
            track = states.get(Track.__name__)
            if saved.get("model") != self._analysis.model.sha256 and isinstance(track, Mapping):
                # tracks hold numbers of a model's labels; their own numbers are not given again
                usable[Track.__name__] = {**track, "tracks": []}
            if failed := self._runner.resume(usable):
                self._log.warning(messages.LIVE_STATE_UNUSABLE, ", ".join(failed))
        own = [event for event in events if event.camera == self.plan.camera and event.source == "live"]
        last = saved.get("last_event") if saved else None
        self._last_event = last if isinstance(last, str) else None
        if self._time.last_s is None:
            # by the clock of this machine: capture's may be another one
            since = self._analysis.now() - CATCH_UP_S
            missed: Sequence[Event] = [event for event in own if (event_id_time(event.id) or 0.0) > since]
        else:
            missed = _missed(own, self._last_event, self._time.last_at)
        if missed:
            self._runner.catch_up([replace(event, at=self._time.in_steps(event.at)) for event in missed])
            self._last_event = missed[-1].id


def _missed(events: Sequence[Event], last: str | None, since: float) -> Sequence[Event]:
    """Return the events that a state does not know: those after its last one, or else later than `since`."""
    places = [place for place, event in enumerate(events) if event.id == last]
    if places:
        return events[places[-1] + 1 :]
    # lines of the log hold milliseconds
    return [event for event in events if round(event.at.timestamp() * 1000) > round(since * 1e6) // 1000]


def _what_steps_see(plan: Plan) -> tuple[object, ...]:
    return plan.zones, plan.pictures, plan.facts.objects == "off", plan.needs_detector


def _time_of(saved: Mapping[str, Any] | None, now: float) -> LiveTime:
    """Return the time that a state goes on with; a new one, from now, without a usable state."""
    try:
        if saved:
            began, last_s, last_at = (float(saved[key]) for key in ("began", "last_s", "last_at"))
            if all(SOONEST_S <= moment <= LATEST_S for moment in (began, last_at)) and abs(last_s) <= LATEST_S:
                return LiveTime(began, last_s, last_at)
    except (KeyError, TypeError, ValueError, OverflowError):
        pass
    return LiveTime(now)
