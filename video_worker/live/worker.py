"""The live worker's loop: serves all cameras in turn, and follows what is wanted of them."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from shared_utils.closing import Closing
from shared_utils.contracts.events import Event
from shared_utils.errors import FormatError, ModelError
from shared_utils.log import camera_logger
from video_worker import messages
from video_worker.live.camera import Analysis, LiveCamera
from video_worker.live.frame_reader import FrameReader, FrameRequest
from video_worker.live.journal import Journal
from video_worker.live.plans import Plan, PlanWatch
from video_worker.live.rate import WINDOW_S, RateControl, Window
from video_worker.live.volume import LiveVolume

TICK_S = 0.25
"""Longest wait for frames, after which states are saved and plans compared."""
WIDTH_PX = 1280
"""Width of the frames that are asked for: more than the model sees, for the pictures of events; full HD and 4K cost
capture and this program twice and eight times as much."""
TOO_SLOW = "too_slow"
"""Name of the trouble of too little CPU in events."""
MIN_WIDTH_PX, MAX_WIDTH_PX = 64, 3840
"""What capture takes."""
RETRY_S = 30.0
"""Wait before a camera whose analysis failed is tried again."""
SOON_FRAMES = 25
"""Frames after a start within which a failure may be its state's: it goes on without one then."""

logger = logging.getLogger(__name__)


@dataclass
class _Served:
    """A camera that is served, and when it was served last (monotonic seconds)."""

    camera: LiveCamera
    reader: FrameReader
    served_s: float = 0.0


class LiveWorker(Closing):
    """Serves cameras until it is stopped: the one that was served longest ago comes first.

    Args:
        capture_url: where capture is.
        fps: frames per second and camera, at most.
        analysis: what all cameras share.
        volume: where states are.
        journal: writes them, and events.
        report_trouble: called with what it is, its reason, and whether it is over.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        capture_url: str,
        fps: float,
        analysis: Analysis,
        volume: LiveVolume,
        journal: Journal,
        report_trouble: Callable[[str, str, bool], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._capture_url = capture_url
        self._analysis = analysis
        self._volume = volume
        self._journal = journal
        self._report_trouble = report_trouble
        self._clock = clock
        self._changed = threading.Condition()
        self._watch = PlanWatch(capture_url, volume.path, self._wake)
        self._rate = RateControl(fps)
        self._served: dict[str, _Served] = {}
        self._plans: Sequence[Plan] = ()
        self._refused: dict[str, tuple[Plan, float]] = {}  # until when a camera is left alone, unless its plan changes
        self._reported: dict[str, Plan] = {}  # which cannot be served, and that was logged
        self._anew: set[str] = set()  # whose state led to a failure
        self._window_s, self._busy_s = clock(), 0.0
        self._received = self._analysed = 0  # frames in the window
        self._counted: dict[FrameReader, int] = {}  # frames of each reader that are counted already

    def run(self, stopped: Callable[[], bool]) -> None:
        """Serve until `stopped` returns True; it is asked four times per second at least."""
        self._watch.start()
        while not stopped():
            served = self._next()
            if served is None:
                self._wait()
            else:
                self._analyse(served)
            self._tick()

    def close(self) -> None:
        """Stop all readers, and save all states."""
        self._watch.stop()
        with ExitStack() as stack:
            for served in self._served.values():
                served.reader.stop()
                stack.callback(served.camera.close)
                stack.callback(served.camera.save)
        self._served.clear()

    # -- the loop

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify()

    def _wait(self) -> None:
        with self._changed:
            if self._next() is None:
                self._changed.wait(TICK_S)

    def _next(self) -> _Served | None:
        ready = (served for served in list(self._served.values()) if served.reader.has_frame)
        return min(ready, key=lambda served: served.served_s, default=None)

    def _analyse(self, served: _Served) -> None:
        frame = served.reader.take()
        if frame is None:
            return
        began_s = served.served_s = self._clock()
        self._analysed += 1
        try:
            served.camera.analyse(frame)
        except Exception:  # noqa: BLE001
            # the outermost call for this camera: others go on, and it is tried again
            self._fail(served.camera.plan, was_at_start=served.camera.analysed <= SOON_FRAMES)
        self._busy_s += self._clock() - began_s

    def _tick(self) -> None:
        self._journal.note_round()
        now_s = self._clock()
        plans = self._watch.plans
        if plans is not None and (plans != self._plans or self._refused):
            self._follow(plans)
            self._plans = plans
        for served in self._served.values():
            served.camera.save_if_due()
            served.reader.log_recovery()
        if now_s - self._window_s >= WINDOW_S:
            self._judge()

    # -- cameras that come, change and go

    def _follow(self, plans: Sequence[Plan]) -> None:
        wanted = {plan.camera: plan for plan in plans}
        for name in [name for name in self._served if name not in wanted]:
            self._drop(name)
            camera_logger(__name__, name).info(messages.LIVE_CAMERA_LEFT)
        for name in [name for name in self._refused if name not in wanted]:
            del self._refused[name]
        for name, plan in wanted.items():
            refused, until_s = self._refused.get(name, (None, 0.0))
            if refused == plan and self._clock() < until_s:
                continue
            self._refused.pop(name, None)
            self._serve(plan)

    def _serve(self, plan: Plan) -> None:
        name, served = plan.camera, self._served.get(plan.camera)
        if served is not None and served.camera.plan == plan:
            return
        log = camera_logger(__name__, name)
        try:
            if served is None:
                saved, events = self._saved(name)
                camera = LiveCamera(plan, self._analysis, saved, events)
                served = self._served[name] = _Served(camera, self._reader(plan))
                served.reader.start()
                log.info(messages.LIVE_CAMERA_SERVED, _describe(plan))
            else:
                before = served.camera.plan
                served.camera.replan(plan)
                if _describe(before) != _describe(plan):
                    log.info(messages.LIVE_CAMERA_SERVED, _describe(plan))
        except (ModelError, OSError) as error:
            if self._reported.get(name) != plan:
                if isinstance(error, OSError):
                    log.warning(messages.LIVE_STATE_AWAY, error, RETRY_S)
                else:
                    log.error(messages.LIVE_CAMERA_REFUSED, error)  # noqa: TRY400  # the user's error, not ours
            self._reported[name] = plan
            self._refused[name] = plan, self._clock() + RETRY_S
            self._drop(name)
            return
        except Exception:  # noqa: BLE001
            # as in _analyse: others go on
            self._fail(plan, was_at_start=True)
            return
        self._reported.pop(name, None)
        self._anew.discard(name)
        self._ask_again(served)

    def _saved(self, name: str) -> tuple[Mapping[str, Any] | None, Sequence[Event]]:
        """Return the state of a camera, and the last events of the log; a state that cannot be used is logged.

        Raises:
            OSError: the volume is away.
        """
        if name in self._anew:
            return None, ()
        events = self._volume.last_events()
        try:
            return self._volume.read_state(name), events
        except FormatError as error:
            camera_logger(__name__, name).warning(messages.LIVE_STATE_UNREADABLE, error)
            return None, events

    def _fail(self, plan: Plan, *, was_at_start: bool) -> None:
        """Leave a camera alone for a while, whose analysis failed; where it did at its start, it begins anew then."""
        camera_logger(__name__, plan.camera).exception(messages.LIVE_CAMERA_FAILED, RETRY_S)
        self._refused[plan.camera] = plan, self._clock() + RETRY_S
        if was_at_start:
            self._anew.add(plan.camera)
        self._drop(plan.camera, keep_state=False)

    def _reader(self, plan: Plan) -> FrameReader:
        wanted_px = max(WIDTH_PX, self._analysis.model.side(self._analysis.options.imgsz))
        if plan.needs_detail:
            wanted_px = MAX_WIDTH_PX
        width_px = max(MIN_WIDTH_PX, min(wanted_px, plan.facts.width or wanted_px, MAX_WIDTH_PX))
        request = FrameRequest(plan.camera, plan.fps(self._rate.fps), width_px, plan.when_motion)
        return FrameReader(self._capture_url, request, self._wake, self._clock)

    def _ask_again(self, served: _Served) -> None:
        """Ask capture for other frames, where those that are wanted have changed."""
        reader = self._reader(served.camera.plan)
        if reader.request == served.reader.request:
            return
        self._count(served.reader)
        self._counted.pop(served.reader, None)
        served.reader.stop()
        served.reader = reader
        reader.start()

    def _drop(self, name: str, *, keep_state: bool = True) -> None:
        served = self._served.pop(name, None)
        if served is None:
            return
        self._count(served.reader)
        self._counted.pop(served.reader, None)
        served.reader.stop()
        if keep_state:
            served.camera.save()
        served.camera.close()

    # -- the rate

    def _count(self, reader: FrameReader) -> None:
        """Count what a reader has received since it was counted last."""
        received = reader.received
        self._received += received - self._counted.get(reader, 0)
        self._counted[reader] = received

    def _judge(self) -> None:
        for served in self._served.values():
            self._count(served.reader)
        was_too_much, before_fps = self._rate.is_too_much, self._rate.fps
        has_changed = self._rate.judge(Window(self._received, self._analysed, self._busy_s))
        if self._rate.is_too_much and not was_too_much:
            logger.warning(messages.LIVE_TOO_SLOW, self._rate.reached_fps, before_fps)
            self._report_trouble(TOO_SLOW, f"{self._rate.reached_fps:.1f} frames per second", False)
        elif was_too_much and not self._rate.is_too_much:
            logger.info(messages.LIVE_FAST_AGAIN, self._rate.fps)
            self._report_trouble(TOO_SLOW, f"{self._rate.fps:g} frames per second", True)
        elif has_changed:
            logger.debug(messages.LIVE_RATE, self._rate.fps)
        if has_changed:
            for served in self._served.values():
                self._ask_again(served)
        self._window_s, self._busy_s = self._clock(), 0.0
        self._received = self._analysed = 0


def _describe(plan: Plan) -> str:
    """Return what is looked for in a camera's frames, for people."""
    objects = {"motion": "objects while something moves", "on": "objects", "off": ""}[plan.facts.objects]
    tasks = f"{len(plan.live_tasks)} tasks of its zones" if plan.live_tasks else ""
    return " and ".join(part for part in (objects, tasks) if part)
