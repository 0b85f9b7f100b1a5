"""Writes events and states to the volume, and publishes events, from a thread: nothing there delays the analysis.

Events come first: a state is written only when all events that were reported before it are on disk. So a state never
says of an object that it was reported when its event is lost; and what was reported after it, the log tells.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Protocol

from shared_utils.closing import Closing
from shared_utils.contracts.events import Event
from video_worker import messages
from video_worker.live.volume import LiveVolume

MAX_EVENTS = 10_000
"""Events that wait while the volume takes none; of more, the oldest are dropped."""
MAX_PICTURE_BYTES = 64 * 2**20
"""Their pictures; of more, the oldest are dropped. 500 of them."""
RETRY_S = 2.0
PULSE_S = 2.0
"""Interval of the sign of life."""
UNAVAILABLE = "volume_unavailable"
"""Name in events of the trouble that the volume takes nothing, as of clips' workers."""
STALE_S = 20.0
"""Age of the last round of the analysis from which there is no sign of life any more."""

logger = logging.getLogger(__name__)


class Publisher(Protocol):
    """Where events go besides the volume: the event stream."""

    def publish(self, event: Event) -> None:
        """Publish an event. Never blocks."""


@dataclass
class _Entry:
    event: Event
    jpeg: bytes | None
    published: bool = False


class Journal(Closing):
    """The thread that writes.

    Args:
        volume: where to.
        publisher: gets each event when its line is on disk, or could not be written at once.
        report_trouble: called with what it is, its reason, and whether it is over.
        clock: monotonic seconds.

    Attributes:
        dropped: events that were never written.
    """

    def __init__(
        self,
        volume: LiveVolume,
        publisher: Publisher,
        report_trouble: Callable[[str, str, bool], None] = lambda *_: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.dropped = 0
        self._volume = volume
        self._publisher = publisher
        self._report_trouble = report_trouble
        self._clock = clock
        self._entries: deque[_Entry] = deque()
        self._picture_bytes = 0
        self._states: dict[str, str] = {}
        self._changed = threading.Condition()
        self._stopped = False
        self._round_s = clock()
        self._pulse_s = -math.inf
        self._failing: str | None = None  # why the volume does not take what waits
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def add(self, event: Event, jpeg: bytes | None = None) -> None:
        """Write an event, with its picture, and publish it. Never blocks."""
        with self._changed:
            self._entries.append(_Entry(event, jpeg))
            self._picture_bytes += len(jpeg or b"")
            self._make_room()
            self._changed.notify()

    def save(self, camera: str, state: str) -> None:
        """Write the state of a camera when all events before it are written; a newer one takes its place."""
        with self._changed:
            self._states[camera] = state
            self._changed.notify()

    def note_round(self) -> None:
        """Take note that the analysis goes on: without that, there is no sign of life."""
        self._round_s = self._clock()

    def close(self, timeout_s: float = 5.0) -> None:
        """Write what is waiting, once, and end."""
        with self._changed:
            self._stopped = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _run(self) -> None:
        self._pulse()
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._entries or self._states or self._stopped, PULSE_S)
                stopped = self._stopped
            try:
                written = self._write()
                self._pulse()
            except Exception:
                # the outermost call of this thread; an entry that cannot be written at all is dropped
                logger.exception(messages.LIVE_JOURNAL_FAILED)
                with self._changed:
                    if self._entries:
                        self._drop_first()
                    self._states.clear()
                written = True
            if stopped:
                return
            if not written:
                with self._changed:
                    self._changed.wait_for(lambda: self._stopped, RETRY_S)

    def _write(self) -> bool:
        """Write what is waiting; return False where the volume does not take it."""
        while True:
            with self._changed:
                entry = self._entries[0] if self._entries else None
                states, self._states = ({}, self._states) if entry else (self._states, {})
            try:
                if entry:
                    self._volume.write_event(entry.event, entry.jpeg)
                for camera, text in states.items():
                    self._volume.write_state(camera, text)
            except OSError as error:
                self._report_failure(error)
                with self._changed:
                    self._states = {**states, **self._states}
                    waiting = list(self._entries)
                for one in waiting:
                    self._publish(one)
                return False
            if entry:
                self._publish(entry)
                with self._changed:
                    if self._entries and self._entries[0] is entry:
                        self._entries.popleft()
                        self._picture_bytes -= len(entry.jpeg or b"")
            if self._failing is not None:
                self._report_trouble(UNAVAILABLE, self._failing, True)
                self._failing = None
                logger.info(messages.LIVE_WRITTEN_AGAIN, self.dropped)
            with self._changed:
                if not self._entries and not self._states:
                    return True

    def _publish(self, entry: _Entry) -> None:
        if not entry.published:
            entry.published = True
            self._publisher.publish(entry.event)

    def _report_failure(self, error: OSError) -> None:
        if self._failing is None:
            self._failing = error.strerror or type(error).__name__
            self._report_trouble(UNAVAILABLE, self._failing, False)
            logger.error(messages.LIVE_NOT_WRITTEN, error)

    def _make_room(self) -> None:
        while len(self._entries) > MAX_EVENTS:
            self._drop_first()
        for entry in self._entries:
            if self._picture_bytes <= MAX_PICTURE_BYTES:
                break
            self._picture_bytes -= len(entry.jpeg or b"")
            entry.event, entry.jpeg = replace(entry.event, picture=None), None

    def _drop_first(self) -> None:
        entry = self._entries.popleft()
        self._picture_bytes -= len(entry.jpeg or b"")
        self.dropped += 1

    def _pulse(self) -> None:
        now_s = self._clock()
        if now_s - self._pulse_s < PULSE_S or now_s - self._round_s > STALE_S:
            return
        self._pulse_s = now_s
        with suppress(OSError):  # a volume that is away is reported when something is to be written
            self._volume.mark_alive()
