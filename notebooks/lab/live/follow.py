"""Follows a camera in two threads: one receives its pictures from capture, one its boxes and events from Redis."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Protocol

from notebooks.lab import messages
from notebooks.lab.live.frames import Capture, CaptureAway, FrameStream, LiveFrame, NoFrame, UnknownCamera
from notebooks.lab.live.news import News
from notebooks.lab.live.overlay import FrameBoxes
from shared_utils.contracts.events import Event
from shared_utils.errors import QueueUnavailable, VcamError

FIRST_DELAY_S, MAX_DELAY_S = 1.0, 10.0
"""Wait before the next try, doubled each time."""
NEWS_WAIT_S = 0.25
"""Longest wait for boxes; events are read, and the receiver is called, as often."""

_log = logging.getLogger(__name__)


class Receiver(Protocol):
    """Takes what comes, in the threads that receive it."""

    def picture(self, frame: LiveFrame) -> None:
        """Take a picture."""

    def boxes(self, frames: Sequence[FrameBoxes]) -> None:
        """Take the boxes of frames."""

    def events(self, events: Sequence[Event]) -> None:
        """Take events, oldest first."""

    def note(self, subject: str, text: str) -> None:
        """Take what a person should know about ``capture`` or ``redis``; empty: all is well."""

    def tick(self) -> None:
        """Called several times per second."""


class Follower:
    """Receives from `start` to `stop`; then it is used up.

    Args:
        camera: its name.
        fps: pictures per second.
        width: of the pictures, pixels.
        capture: where pictures come from.
        news: where boxes and events come from; closed by the follower.
        receiver: takes all of it.
    """

    def __init__(self, camera: str, fps: float, width: int, capture: Capture, news: News, receiver: Receiver) -> None:
        self._camera = camera
        self._fps, self._width = fps, width
        self._capture = capture
        self._news = news
        self._receiver = receiver
        self._stopped = threading.Event()
        self._stream: FrameStream | None = None
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._run, args=(work,), name=f"live {camera} {name}", daemon=True)
            for name, work in (("pictures", self._follow_pictures), ("news", self._follow_news))
        ]

    def start(self) -> None:
        """Begin; returns at once."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End; returns at once. Nothing is asked for afterwards."""
        self._stopped.set()
        with self._lock:
            if self._stream is not None:
                self._stream.close()

    def join(self, timeout_s: float) -> bool:
        """Wait for the threads to end; return whether they have."""
        for thread in self._threads:
            thread.join(timeout_s)
        return self.ended

    @property
    def ended(self) -> bool:
        """Whether the threads have ended."""
        return not any(thread.is_alive() for thread in self._threads)

    def _run(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception:  # noqa: BLE001  # the outermost call of this thread
            _log.exception(messages.LIVE_VIEW_ENDED, self._camera)
            self._receiver.note(
                "capture", "The live view ended by an error of its own: see the log; run the cell again"
            )

    def _follow_pictures(self) -> None:
        delay_s = FIRST_DELAY_S
        while not self._stopped.is_set():
            try:
                for frame in self._open():
                    delay_s = FIRST_DELAY_S
                    self._note("capture", "")
                    self._receiver.picture(frame)
            except UnknownCamera as error:
                self._note("capture", f"{error}.")
                delay_s = MAX_DELAY_S
            except NoFrame as error:
                self._note("capture", f"No picture of {self._camera}: {self._reason(str(error))}.")
            except CaptureAway as error:
                self._note("capture", f"Capture is away: {error}. The picture goes on when it is back.")
            self._stopped.wait(delay_s)
            delay_s = min(2 * delay_s, MAX_DELAY_S)

    def _open(self) -> FrameStream:
        stream = self._capture.frames(self._camera, fps=self._fps, width=self._width)
        with self._lock:
            self._stream = stream
            if self._stopped.is_set():
                stream.close()
        return stream

    def _reason(self, text: str) -> str:
        """Return what is wrong with the camera, else `text`."""
        try:
            return self._capture.trouble(self._camera) or text
        except CaptureAway as error:
            return str(error)

    def _follow_news(self) -> None:
        delay_s = FIRST_DELAY_S
        try:
            while not self._stopped.is_set():
                try:
                    boxes = self._news.boxes(NEWS_WAIT_S)
                    events = self._news.events()
                    delay_s = FIRST_DELAY_S
                    self._note("redis", "")
                    if boxes:
                        self._receiver.boxes(boxes)
                    if events:
                        self._receiver.events(events)
                except QueueUnavailable as error:
                    self._note("redis", f"No boxes and events: {error}.")
                    self._wait(delay_s)
                    delay_s = min(2 * delay_s, MAX_DELAY_S)
                except VcamError as error:
                    self._note("redis", f"No boxes and events: {error}.")
                    self._wait(MAX_DELAY_S)
                self._receiver.tick()
        finally:
            self._news.close()

    def _wait(self, seconds: float) -> None:
        """Wait, and call the receiver meanwhile."""
        for _ in range(int(seconds / NEWS_WAIT_S)):
            self._receiver.tick()
            if self._stopped.wait(NEWS_WAIT_S):
                return

    def _note(self, subject: str, text: str) -> None:
        if not self._stopped.is_set():
            self._receiver.note(subject, text)
