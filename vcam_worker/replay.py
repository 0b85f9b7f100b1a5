"""The motion, event and recorder code over a file, as fast as it can be read, by the file's own timestamps."""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from shared_utils.cameras import Camera, MotionSettings
from shared_utils.clips import ClipName
from shared_utils.errors import SourceEnded
from shared_utils.log import camera_logger
from vcam_worker.events import ClipRules
from vcam_worker.recorder import ClipWriter
from vcam_worker.source import StreamInfo, connect
from vcam_worker.stream import FinishedClip, StreamRecorder

EPOCH = datetime(2000, 1, 1).astimezone()
"""Local time that replayed clips are dated from: a file has none, and two replays must give the same."""


def replay(
    path: Path, motion: MotionSettings, rules: ClipRules, emit: Callable[[dict[str, Any]], None], out: Path | None
) -> int:
    """Replay one file.

    Args:
        path: any video.
        motion, rules: as capture would have them.
        emit: takes a dict for each clip, as it ends: ``filename`` (of the replayed file), ``start_s``, ``trigger_s``,
            ``end_s`` (seconds from the file's start), and ``clip`` where one is kept.
        out: folder to keep the clips in; None keeps none.

    Returns:
        The number of clips.

    Raises:
        SourceError: it can not be read as video.
    """
    camera = Camera("replay", str(path), motion=motion, setting="FILE")
    count = 0

    with tempfile.TemporaryDirectory() as folder, connect(camera, "file", paced=False) as connection:

        def open_clip(info: StreamInfo, start: float, _: datetime) -> ClipWriter:
            started_at = EPOCH + timedelta(seconds=start)
            return ClipWriter(Path(folder) / f"{start:012.3f}.mp4", info, start, started_at)

        def on_clip(clip: FinishedClip) -> None:
            nonlocal count
            count += 1
            line = {
                "filename": path.name,
                "start_s": round(clip.start, 3),
                "trigger_s": round(clip.trigger, 3),
                "end_s": round(clip.end, 3),
            }
            if out:
                started_at = (EPOCH + timedelta(seconds=clip.start)).replace(tzinfo=None)
                target = out / f"{path.stem}-{ClipName(started_at, 'replay')}"
                target.write_bytes(clip.path.read_bytes())
                line["clip"] = str(target)
            clip.path.unlink()
            emit(line)

        recorder = StreamRecorder(
            connection.info,
            motion,
            rules,
            live=False,
            open_clip=open_clip,
            on_clip=on_clip,
            log=_quiet(),
        )
        try:
            for packet in connection.packets():
                recorder.feed(packet)
        except SourceEnded:
            recorder.close()
    return count


def _quiet() -> logging.LoggerAdapter[logging.Logger]:
    """Return a logger for what live capture says: here the lines on stdout say it."""
    log = camera_logger("vcam_worker.replay", "replay")
    log.setLevel(logging.WARNING)
    return log


def print_line(line: dict[str, Any]) -> None:
    """Print one clip as a JSON line at once, for whoever reads along."""
    print(json.dumps(line), flush=True)  # noqa: T201  # this is the command's output
