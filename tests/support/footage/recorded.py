"""A recorder over a real connection, as fast as it delivers, with what it says."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from shared_utils.config.cameras import Camera, MotionSettings
from shared_utils.errors import SourceEnded
from shared_utils.log import LogMessage, message_code
from vcam_worker.motion.watcher import MotionWatcher
from vcam_worker.recording.clip_logic import ClipLogic, ClipRules
from vcam_worker.recording.clip_recorder import ClipRecorder
from vcam_worker.recording.clip_writer import ClipWriter
from vcam_worker.recording.pipeline import Pipeline
from vcam_worker.recording.session import FinishedClip
from vcam_worker.stream.info import StreamInfo
from vcam_worker.stream.opening import connect
from vcam_worker.stream.packets import Packet
from vcam_worker.stream.timed_stream import TimedStream


@dataclass
class Recorded:
    """What was recorded: the clips, and the log."""

    clips: list[FinishedClip] = field(default_factory=list)
    log: list[logging.LogRecord] = field(default_factory=list)

    def logged(self, message: LogMessage) -> list[str]:
        """Return the texts of what was logged as `message`."""
        return [line.getMessage() for line in self.log if message_code(line) == message.code]

    def levels(self) -> list[str]:
        """Return the level of each line of the log."""
        return [line.levelname for line in self.log]


class _Lines(logging.Handler):
    def __init__(self, log: list[logging.LogRecord]) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        self._log.append(record)


class _Folder:
    """Takes clips."""

    def __init__(self, path: Path, clips: list[FinishedClip]) -> None:
        self._path = path
        self._clips = clips

    def open_clip(self, info: StreamInfo, start: float, started_at: datetime) -> ClipWriter:
        return ClipWriter(self._path / f"{start:08.3f}.mp4", info, start, started_at)

    def take_clip(self, clip: FinishedClip) -> None:
        self._clips.append(clip)


def record(
    url: str, folder: Path, rules: ClipRules, *, motion: MotionSettings | None = None,
    before: Callable[[Packet], Any] | None = None,
) -> Recorded:  # fmt: skip
    """Record what `url` delivers until it ends, by its own time stamps; `before` sees each packet first."""
    recorded = Recorded()
    logger = logging.getLogger("tests.recorded")
    logger.setLevel(logging.DEBUG)
    logger.handlers = [_Lines(recorded.log)]

    with connect(Camera("cam1", url), "tcp", paced=False) as connection:
        motion, log = motion or MotionSettings(), logging.LoggerAdapter(logger)
        stream = TimedStream(connection.info, log, live=False)
        recorder = ClipRecorder(stream, ClipLogic.of(rules, motion), _Folder(folder, recorded.clips), log)
        pipeline = Pipeline(stream, recorder, MotionWatcher(connection.info, motion))
        with suppress(SourceEnded):
            for packet in connection.packets():
                if before:
                    before(packet)
                pipeline.feed(packet)
        pipeline.close()
    return recorded
