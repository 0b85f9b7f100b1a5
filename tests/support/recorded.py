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
from vcam_worker.recording.events import ClipRules
from vcam_worker.recording.recorder import ClipWriter
from vcam_worker.recording.session import FinishedClip
from vcam_worker.recording.stream_recorder import StreamRecorder
from vcam_worker.stream.opening import connect
from vcam_worker.stream.packets import Packet
from vcam_worker.stream.source import StreamInfo


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


def record(
    url: str, folder: Path, rules: ClipRules, *, motion: MotionSettings | None = None,
    before: Callable[[Packet], Any] | None = None,
) -> Recorded:  # fmt: skip
    """Record what `url` delivers until it ends, by its own time stamps; `before` sees each packet first."""
    recorded = Recorded()
    logger = logging.getLogger("tests.recorded")
    logger.setLevel(logging.DEBUG)
    logger.handlers = [_Lines(recorded.log)]

    def open_clip(info: StreamInfo, start: float, started_at: datetime) -> ClipWriter:
        return ClipWriter(folder / f"{start:08.3f}.mp4", info, start, started_at)

    with connect(Camera("cam1", url), "tcp", paced=False) as connection:
        recorder = StreamRecorder(
            connection.info,
            motion or MotionSettings(),
            rules,
            live=False,
            open_clip=open_clip,
            on_clip=recorded.clips.append,
            log=logging.LoggerAdapter(logger),
        )
        with suppress(SourceEnded):
            for packet in connection.packets():
                if before:
                    before(packet)
                recorder.feed(packet)
        recorder.close()
    return recorded
