"""Opens and publishes a camera's clips, and saves them while the volume fails."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import datetime

from shared_utils.errors import SourceError
from vcam_worker import messages
from vcam_worker.recording.clip_writer import ClipWriter
from vcam_worker.recording.session import FinishedClip
from vcam_worker.recording.storage.outbox import Outbox
from vcam_worker.recording.storage.queue_sender import QueueSender
from vcam_worker.stream.info import StreamInfo

DISK_RETRY_S = 5.0
"""Seconds until a file that could not be written is tried again."""
STOP_TIMEOUT_S = 6.0
"""Time to queue the last clips when stopping; the rest is queued at the next start."""

Log = logging.LoggerAdapter[logging.Logger]


class ClipPublisher:
    """Where a camera's recorder puts its clips. After a failed write it has recording paused until the volume recovers.

    Args:
        outbox: takes finished clips.
        pause: takes the reason to pause recording, or None to resume it.
        log: one line per clip, and one per failure.
        clock: monotonic seconds.

    Attributes:
        clips: number of clips published.
    """

    def __init__(
        self,
        outbox: Outbox,
        pause: Callable[[str | None], None],
        log: Log,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.clips = 0
        self._outbox = outbox
        self._sender = QueueSender(outbox, log)
        self._pause = pause
        self._log = log
        self._clock = clock
        self._failing = False
        self._retry_at = 0.0

    def start(self) -> None:
        """Recover what an earlier run left, and begin to queue clips."""
        try:
            self._outbox.recover()
        except OSError as error:
            self.write_failed(error)
        self._sender.start()

    def stop(self) -> None:
        """Queue the last clips; where the volume still refuses them, leave them on disk for the next start."""
        if self._failing:
            self._salvage()
        self._sender.stop(STOP_TIMEOUT_S)

    def open_clip(self, info: StreamInfo, start: float, started_at: datetime) -> ClipWriter:
        """Open a clip in the outbox's work folder."""
        return ClipWriter(self._outbox.open_work(started_at), info, start, started_at)

    def take_clip(self, clip: FinishedClip) -> None:
        """Publish a closed clip."""
        name = self._outbox.publish(clip.path, clip.started_at, clip.summary.seconds)
        size = self._outbox.path_of(name).stat().st_size
        self._log.info(messages.CLIP_SAVED, name, clip.summary.seconds, size / 1e6)
        self.clips += 1
        self._sender.wake()

    def write_failed(self, error: OSError) -> None:
        """Have recording paused until the disk takes data again; folders that were deleted are made again at once."""
        if isinstance(error, FileNotFoundError) and self._recover():
            return
        self._retry_at = self._clock() + DISK_RETRY_S
        self._failing = True
        self._pause(f"VIDEO_DIR cannot be written to ({error.strerror or error})")

    def not_finished(self, error: SourceError) -> None:
        """Save what is on disk of a clip that the muxer does not finish."""
        self._log.warning(messages.CLIP_NOT_FINISHED, error)
        self._recover()

    def retry(self) -> None:
        """After a failed write: save what is on disk of the clip as soon as the disk allows it, and have it resumed."""
        if not self._failing or self._clock() < self._retry_at:
            return
        self._retry_at = self._clock() + DISK_RETRY_S
        if self._recover():
            self._failing = False
            self._pause(None)

    def _recover(self) -> bool:
        """Publish what is on disk of unfinished clips; tell whether the disk takes it."""
        try:
            self._outbox.check_room()
            self._outbox.recover()
        except OSError as error:
            self._log.debug("still not writable: %s", error)
            return False
        self._sender.wake()
        return True

    def _salvage(self) -> None:
        """Make sure that what could not be published is on disk, for the next start to recover."""
        try:
            self._outbox.salvage()
        except OSError as error:
            self._log.warning(messages.CLIP_LEFT_OPEN, error)
        else:
            self._log.warning(messages.RECOVERY_AT_NEXT_START)
