"""One camera, for ever: connect, record, and connect again. Runs in a process of its own."""

from __future__ import annotations

import logging
import queue
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from shared_utils.cameras import Camera
from shared_utils.errors import SourceEnded, SourceError, SourceUnauthorized
from vcam_worker import source
from vcam_worker.events import ClipRules
from vcam_worker.outbox import Outbox, QueueSender
from vcam_worker.packets import Packet
from vcam_worker.recorder import ClipWriter
from vcam_worker.source import Connection, StreamInfo
from vcam_worker.stream import FinishedClip, StreamRecorder

RETRY_FIRST, RETRY_MAX = 1.0, 30.0
"""Seconds between attempts to connect; they double from the first to the longest."""
UNAUTHORIZED_RETRY = 60.0
"""Seconds after a wrong password: cameras lock an account after a few quick failures."""
HEALTHY_SECONDS = 60.0
"""A connection that stood this long makes the next failure a first one."""
QUEUE_PACKETS = 2000
"""Packets between reader and recorder, over a minute of video: a disk that hangs for a while costs nothing."""
BEHIND_SECONDS = 3.0
"""Lag from which frames are recorded without being looked at, until the lag is gone."""
POLL_SECONDS = 0.5
"""How often a stop is looked for while no packet comes."""
STOP_SECONDS = 6.0
"""Time to queue the last clips when stopping; what is left is queued at the next start."""

Log = logging.LoggerAdapter[logging.Logger]
Items = queue.Queue[Packet | SourceError | StreamInfo]


@dataclass
class Backoff:
    """Growing, jittered delays between attempts; jitter keeps twenty cameras behind one switch from calling at once.

    Attributes:
        first, longest: seconds.
    """

    first: float = RETRY_FIRST
    longest: float = RETRY_MAX
    _next: float = 0.0

    def delay(self) -> float:
        """Return the seconds to wait now."""
        self._next = min(max(self._next * 2, self.first), self.longest)
        return self._next * random.uniform(0.75, 1.0)  # noqa: S311  # no secret depends on it

    def reset(self) -> None:
        """Begin anew: the last connection was a good one."""
        self._next = 0.0


class CameraRunner:
    """Keeps one camera recorded until told to stop.

    Args:
        camera: which.
        rules: lengths of clips.
        outbox: takes finished clips.
        log: carries the camera's name.
        stop: set by others to end.
        alive: called at least once a second, so that a supervisor sees a hang.
    """

    def __init__(
        self,
        camera: Camera,
        rules: ClipRules,
        outbox: Outbox,
        log: Log,
        stop: threading.Event,
        alive: Callable[[], None],
    ) -> None:
        self._camera = camera
        self._rules = rules
        self._outbox = outbox
        self._sender = QueueSender(outbox)
        self._log = log
        self._stop = stop
        self._alive = alive
        self._backoff = Backoff()
        self._transport: str | None = None  # that worked last
        self._away_since: float | None = None
        self._said_sound = False

    def run(self) -> None:
        """Record until stopped, or until a file is at its end."""
        self._outbox.recover()
        self._sender.start()
        try:
            while not self._stop.is_set():
                if self._attempt():
                    return
        finally:
            self._sender.stop(STOP_SECONDS)

    def _attempt(self) -> bool:
        """Connect once and record as long as it lasts.

        Returns:
            True when there is nothing more to come.
        """
        began = time.monotonic()
        try:
            self._record()
        except SourceError as error:
            if isinstance(error, SourceEnded) and self._camera.scheme == "file":
                self._log.info("%s: %s", self._camera.shown, error)
                return True
            if time.monotonic() - began >= HEALTHY_SECONDS:
                self._backoff.reset()
            self._wait(error)
        except OSError as error:
            # a full or vanished disk: the file in work is closed and published as soon as there is room again
            self._wait(SourceError(f"VIDEO_DIR can not be written to ({error.strerror or error})"))
            self._outbox.recover()
        return False

    def _wait(self, error: SourceError) -> None:
        delay = self._backoff.delay()
        if isinstance(error, SourceUnauthorized):
            delay = max(delay, UNAUTHORIZED_RETRY)
        if self._away_since is None:
            self._away_since = time.monotonic()
            self._log.warning("no picture: %s; trying again until there is one", error)
        else:
            self._log.debug("still no picture: %s; next attempt in %.0f s", error, delay)
        deadline = time.monotonic() + delay
        while not self._stop.is_set() and time.monotonic() < deadline:
            self._alive()
            self._stop.wait(POLL_SECONDS)

    def _record(self) -> None:
        """Read and record over one connection; raises the SourceError that ends it."""
        packets: Items = queue.Queue(QUEUE_PACKETS)
        done = threading.Event()
        reader = threading.Thread(target=self._read, args=(packets, done), name="reader", daemon=True)
        reader.start()
        recorder: StreamRecorder | None = None
        try:
            while not self._stop.is_set():
                self._alive()
                try:
                    item = packets.get(timeout=POLL_SECONDS)
                except queue.Empty:
                    continue
                if isinstance(item, SourceError):
                    raise item
                if isinstance(item, StreamInfo):
                    recorder = self._new_recorder(item)
                elif recorder:
                    recorder.feed(item, analyse=time.monotonic() - item.arrived < BEHIND_SECONDS)
        finally:
            done.set()
            if recorder:
                recorder.close()

    def _read(self, packets: Items, done: threading.Event) -> None:
        """Connect and read, in a thread: the video library may block for as long as its timeouts."""
        try:
            with self._connect() as connection:
                _hand_over(packets, connection.info, done)
                for packet in connection.packets():
                    _hand_over(packets, packet, done)
                    if done.is_set():
                        return
        except SourceError as error:
            _hand_over(packets, error, done)
        except Exception as error:  # noqa: BLE001  # handed on: the thread must not die in silence
            _hand_over(packets, SourceError(f"unexpected: {type(error).__name__}: {error}"), done)

    def _connect(self) -> Connection:
        failure: SourceError | None = None
        for transport in source.transports_of(self._camera, self._transport):
            try:
                connection = source.connect(self._camera, transport)
            except source.NOT_ABOUT_TRANSPORT:
                raise
            except SourceError as error:
                failure = failure or error
                continue
            self._transport = transport
            return connection
        raise failure or SourceError("no transport to try")

    def _new_recorder(self, info: StreamInfo) -> StreamRecorder:
        if self._away_since is not None:
            self._log.info("picture is back after %.0f s: %s", time.monotonic() - self._away_since, info)
            self._away_since = None
        else:
            self._log.info("connected to %s: %s", self._camera.shown, info)
        if info.dropped_audio and not self._said_sound:
            self._said_sound = True
            self._log.info("sound is left out: %s does not fit into MP4", info.dropped_audio)
        return StreamRecorder(
            self._camera,
            info,
            self._rules,
            live=True,
            open_clip=self._open_clip,
            on_clip=self._publish,
            log=self._log,
        )

    def _open_clip(self, info: StreamInfo, start: float, started_at: datetime) -> ClipWriter:
        return ClipWriter(self._outbox.work_path(started_at), info, start, started_at)

    def _publish(self, clip: FinishedClip) -> None:
        size = clip.path.stat().st_size
        name = self._outbox.publish(clip.path, clip.started_at)
        self._log.info("clip saved: %s (%.1f s, %.1f MB)", name, clip.summary.seconds, size / 1e6)
        self._sender.wake()


def _hand_over(packets: Items, item: Packet | SourceError | StreamInfo, done: threading.Event) -> None:
    """Put `item` into the queue; give up when nobody takes it any more."""
    while not done.is_set():
        try:
            packets.put(item, timeout=POLL_SECONDS)
        except queue.Full:
            continue
        return
