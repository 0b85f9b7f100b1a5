"""Reads the live frames of one camera from capture in a thread, without end, and keeps the newest."""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from shared_utils.errors import SourceError
from shared_utils.log import camera_logger
from video_worker import messages
from video_worker.http_stream import HttpStream
from video_worker.live.frame_parts import LiveFrame, read_frames

RETRY_FIRST_S, RETRY_MAX_S = 0.5, 10.0
"""Delays between attempts, which double from the first to the longest."""
REPORT_S = 3.0
"""Time without a connection from which it is logged: a camera that was removed is given up within less."""
STANDING_S = 3.0
"""Age of a connection from which it counts as sound, though nothing came: where nothing moves, nothing does."""
QUIET_S = 30.0
"""Longest time without a frame where they come all the time; a camera that is away sends none either."""
QUALITY = 85
"""Of the JPEGs: a person who is 40 pixels high is found as well as in the camera's own picture."""


@dataclass(frozen=True)
class FrameRequest:
    """Which frames of a camera to ask for.

    Attributes:
        camera: its name.
        fps: per second, at most.
        width: pixels.
        when_motion: only while capture sees motion.
    """

    camera: str
    fps: float
    width: int
    when_motion: bool

    def url(self, capture_url: str) -> str:
        """Return the URL that asks capture for them."""
        query: dict[str, object] = {"fps": f"{self.fps:g}", "width": self.width, "quality": QUALITY}
        if self.when_motion:
            query["when"] = "motion"
        return f"{capture_url}/frames/{quote(self.camera)}?{urlencode(query)}"


class FrameReader:
    """Reads frames in a thread, connects again whenever the connection ends, and logs each failure and its end once.

    Args:
        capture_url: where capture is.
        request: what to ask for.
        arrived: called when a frame has arrived, from the reader's thread.
        clock: monotonic seconds.

    Attributes:
        request: what is asked for.
        received: frames so far.
    """

    def __init__(
        self,
        capture_url: str,
        request: FrameRequest,
        arrived: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.request = request
        self.received = 0
        self._url = request.url(capture_url)
        self._arrived = arrived
        self._clock = clock
        self._log = camera_logger(__name__, request.camera)
        self._newest: LiveFrame | None = None
        self._lock = threading.Lock()
        self._stream: HttpStream | None = None
        self._stopped = threading.Event()
        self._failed = False
        self._failing_since_s: float | None = None
        self._connected_s: float | None = None
        self._thread = threading.Thread(target=self._run, name=f"frames-{request.camera}", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def take(self) -> LiveFrame | None:
        """Return the newest frame, once; None where none has come since the last call."""
        with self._lock:
            frame, self._newest = self._newest, None
            return frame

    @property
    def has_frame(self) -> bool:
        """Whether :meth:`take` has one."""
        return self._newest is not None

    def log_recovery(self) -> None:
        """Log that frames come again, or would if something moved. To be called once in a while, by one thread."""
        with self._lock:
            since_s = self._connected_s
            stands = since_s is not None and self.request.when_motion and self._clock() - since_s > STANDING_S
            if not self._failed or not (stands or self._newest):
                return
            self._failed = False
        self._log.info(messages.LIVE_FRAMES_AGAIN)

    def stop(self) -> None:
        """End the thread; it is not waited for, since a connection attempt may hang."""
        self._stopped.set()
        with self._lock:
            stream, self._newest = self._stream, None
        if stream is not None:
            stream.interrupt()

    def _run(self) -> None:
        delay_s = RETRY_FIRST_S
        while not self._stopped.is_set():
            began_s, before = self._clock(), self.received
            try:
                self._read()
                reason = "capture ended the connection"
            except SourceError as error:
                reason = str(error)
            except Exception:  # noqa: BLE001
                # the outermost call of this thread; the camera's next frames may be others
                self._log.exception(messages.LIVE_READER_FAILED)
                reason = "an unexpected error"
            with self._lock:
                stood = self._connected_s is not None and self._clock() - began_s > STANDING_S
                self._stream = self._connected_s = None
                # a connection that was sound is made again without a word
                was_sound = self.received > before or (stood and self.request.when_motion)
                if was_sound:
                    self._failing_since_s = self._clock()
                elif self._failing_since_s is None:
                    self._failing_since_s = began_s
                lasts = self._clock() - self._failing_since_s >= REPORT_S
                is_new = lasts and not was_sound and not self._failed and not self._stopped.is_set()
                self._failed = self._failed or is_new
            if is_new:
                self._log.warning(messages.LIVE_FRAMES_MISSING, reason)
            delay_s = RETRY_FIRST_S if was_sound else delay_s
            self._stopped.wait(delay_s * random.uniform(0.75, 1.0))  # noqa: S311  # no secret depends on it
            delay_s = min(delay_s * 2, RETRY_MAX_S)

    def _read(self) -> None:
        with HttpStream(self._url, self._clock) as stream:
            with self._lock:
                self._stream, self._connected_s = stream, self._clock()
            if self._stopped.is_set():
                return
            quiet_s = math.inf if self.request.when_motion else QUIET_S
            for frame in read_frames(stream, quiet_s):
                with self._lock:
                    if self._stopped.is_set():
                        return
                    self._newest = frame
                    self.received += 1
                self._arrived()
