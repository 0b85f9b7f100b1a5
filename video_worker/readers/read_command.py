"""``python -m video_worker read``: reads still pictures, to try an engine on one's own display."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from shared_utils.config.log import LogSettings
from shared_utils.config.zones.model import MAX_TEXT, ReadTask
from shared_utils.contracts.clips import printable_path
from shared_utils.contracts.json_lines import to_line
from shared_utils.errors import EXIT_FAILED, EXIT_OK, ReaderMissing, ReadingFailed, SettingError
from shared_utils.log import setup_logging
from shared_utils.media.picture_files import read_picture
from shared_utils.media.warp import rectangle_size, warp
from video_worker.readers.base import Mode, TextReader, TextReaders
from video_worker.readers.registry import ReaderRegistry
from video_worker.readers.settings import ReaderSettings
from video_worker.values.cleaning import Cleaner

PROGRAM = "worker"
"""In the lines of its log."""
UNIT = (1, 1)
"""A picture of this size is enough to check corners that are given in 0..1."""


@dataclass(frozen=True)
class Wanted:
    """How pictures are read; texts as they were given.

    Attributes:
        corners: four of ``x,y`` in 0..1, clockwise from the text's upper left one; none for the whole picture.
        engine: its name.
        mode: one line, or an area.
        pattern: regular expression that the text must match as a whole; None takes all.
    """

    corners: Sequence[str] = ()
    engine: str = ReadTask().engine
    mode: Mode = "line"
    pattern: str | None = None


def read(files: Sequence[Path], wanted: Wanted, values: Mapping[str, str], out: TextIO, err: TextIO) -> int:
    """Print what each picture says to `out`, one JSON line each, and errors to `err`; return the exit code.

    Raises:
        SettingError: a setting or argument is wrong, or the engine is missing.
    """
    settings = ReaderSettings.from_env(values)
    setup_logging(LogSettings.from_env(values), PROGRAM, settings.secrets)
    return read_pictures(files, wanted, ReaderRegistry(settings), out, err)


def read_pictures(
    files: Sequence[Path],
    wanted: Wanted,
    readers: TextReaders,
    out: TextIO,
    err: TextIO,
    clock: Callable[[], float] = time.perf_counter,
) -> int:
    """Do what :func:`read` says, by the engines given.

    Args:
        files: of pictures.
        wanted: how they are read.
        readers: the engines.
        out: takes the lines.
        err: takes what is wrong with a picture.
        clock: seconds, for how long a reading took.
    """
    corners = parse_corners(wanted.corners) if wanted.corners else None
    task = _task(wanted)
    try:
        reader = readers.get(wanted.engine)
    except ReaderMissing as error:
        raise SettingError(f"--engine: {error}") from None
    failed = False
    for path in files:
        entry: dict[str, object] = {"picture": printable_path(path), "engine": wanted.engine, "mode": wanted.mode}
        try:
            entry |= _read(path, corners, reader, task, clock)
        except (OSError, ValueError, ReadingFailed) as error:
            failed = True
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            print(f"video_worker: {entry['picture']}: {reason}", file=err)  # a program's output
            entry["error"] = reason
        print(to_line(entry), file=out, flush=True)
    return EXIT_FAILED if failed else EXIT_OK


def parse_corners(texts: Sequence[str]) -> list[tuple[float, float]]:
    """Return the corners that texts such as ``0.2,0.35`` give.

    Raises:
        SettingError: they are wrong; the line says which.
    """
    corners = []
    for text in texts:
        try:
            x, y = (float(part) for part in text.split(","))
        except ValueError:
            x = y = -1.0
        if not (0 <= x <= 1 and 0 <= y <= 1):
            raise SettingError(f"--corners holds {text[:80]!r}: give x,y in 0..1 of width and height, such as 0.2,0.35")
        corners.append((x, y))
    try:
        rectangle_size(corners, UNIT)
    except ValueError as error:
        raise SettingError(f"--corners are {' '.join(texts)[:200]}: {error}") from None
    return corners


def _task(wanted: Wanted) -> ReadTask:
    pattern = wanted.pattern or None
    if pattern is not None and len(pattern) > MAX_TEXT:
        raise SettingError(f"--pattern has {len(pattern)} characters: at most {MAX_TEXT} are taken")
    task = ReadTask(engine=wanted.engine, mode=wanted.mode, pattern=pattern)
    try:
        Cleaner(task)
    except ValueError as error:
        raise SettingError(f"--pattern: {error}") from None
    return task


def _read(
    path: Path,
    corners: Sequence[tuple[float, float]] | None,
    reader: TextReader,
    task: ReadTask,
    clock: Callable[[], float],
) -> dict[str, object]:
    """Return what a picture says, with the keys of an event."""
    picture = read_picture(path)
    zone = picture if corners is None else warp(picture, corners)
    began = clock()
    raw = reader.read(zone, task.mode)
    seconds = clock() - began
    found = Cleaner(task).clean(0.0, raw)
    reason = {} if found.reason is None else {"reason": found.reason}
    return {
        "value": found.value,
        "state": found.state,
        **reason,
        "text": raw.text,
        "confidence": round(raw.confidence, 3),
        "seconds": round(seconds, 3),
    }
