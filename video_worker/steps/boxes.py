"""Writes every box to ``boxes/<stem>.<run_id>.jsonl``, so that thresholds can be swept without the model.

One line a sampled frame, also where it has no box::

    {"t": 4.8, "frame": 120, "boxes": [["car", 0.9132, 10.5, 20.1, 200.0, 140.7, 1]]}

`t`: seconds from the clip's first frame; `frame`: its number from 0; a box: label, score, x1, y1, x2, y2 in pixels of
the clip, track number (null in files of earlier versions: a weak box that continued none). Boxes of one track are one
thing, whatever their labels. A frame that begins another scene has ``"cut": true``. All boxes are here, whatever the
threshold and the classes of the run: both are applied to what is reported.
"""

from __future__ import annotations

import glob
import json
import os
import shutil
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from shared_utils.contracts.clips import BOXES_FOLDER
from shared_utils.durable import sync_file, written
from video_worker.steps.base import Sample, Step
from video_worker.steps.context import StepContext
from video_worker.steps.declarations import BoxColumn, Kind

SCORE_DIGITS = 4
PIXEL_DIGITS = 1
TIME_DIGITS = 3
HOST_LETTERS = 24
"""Of this host's name in that of an unfinished file; a container's has 12."""

_WRITTEN = written("boxes can not be written")


def remove_partials(path: Path) -> None:
    """Remove what killed workers left unfinished of the boxes file `path`."""
    for left in path.parent.glob(f".*{glob.escape(_run_id(path))}.*.partial"):  # of earlier versions as well
        left.unlink(missing_ok=True)


def _run_id(path: Path) -> str:
    return path.stem.rpartition(".")[2]


def _values(column: BoxColumn, sample: Sample) -> list[object]:
    """Return the values of `column` for each box, as JSON takes them."""
    values: list[object] = sample.columns[column.name].tolist()
    if column.kind is Kind.NUMBER:
        values = [round(value, column.digits) if isinstance(value, float) else value for value in values]
    return [None if value == column.missing else value for value in values]


class Boxes(Step):
    """The boxes file: written under another name, renamed when it is whole.

    Args:
        labels: class names by number.
        columns: further values of each box.
        path: of the file.
    """

    needs_end = True

    @_WRITTEN
    def __init__(self, labels: Sequence[str], columns: Sequence[BoxColumn], path: Path) -> None:
        self._labels = labels
        self._columns = tuple(columns)
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        # two workers may do one run at a time, when one was taken for dead; in containers all have the same process id
        host = socket.gethostname()[:HOST_LETTERS]
        self._partial = path.with_name(f".{_run_id(path)}.{host}-{os.getpid()}.partial")
        self._file = self._partial.open("w+", encoding="utf-8")

    @classmethod
    def create(cls, context: StepContext) -> Sequence[Step]:
        """Applies where boxes are to be kept."""
        if context.output_dir is None or context.names is None:
            return []
        path = context.names.boxes_path(context.output_dir / BOXES_FOLDER)
        return [cls(context.labels, context.box_columns, path)]

    @_WRITTEN
    def take(self, sample: Sample) -> None:
        """Write the frame's line."""
        found = sample.detections
        further = [_values(column, sample) for column in self._columns]
        boxes = [
            [
                self._labels[number],
                round(score, SCORE_DIGITS),
                *(round(value, PIXEL_DIGITS) for value in corners),
                *rest,
            ]
            for number, score, corners, *rest in zip(
                found.classes.tolist(), found.scores.tolist(), found.xyxy.tolist(), *further, strict=True
            )
        ]
        line: dict[str, object] = {"t": round(sample.time_s, TIME_DIGITS), "frame": sample.index, "boxes": boxes}
        if sample.cut:
            line["cut"] = True
        self._file.write(json.dumps(line, ensure_ascii=False, separators=(", ", ": ")) + "\n")

    @_WRITTEN
    def result(self) -> Mapping[str, object]:
        """Publish the file: the log line that follows may rely on it."""
        self._file.flush()
        if not self._partial.exists():
            self._write_again()
        sync_file(self._file.fileno())
        self._partial.replace(self._path)
        remove_partials(self._path)
        return {}

    def _write_again(self) -> None:
        """Write the file again: its folder was deleted meanwhile, and what is open of it is still there."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        deleted, self._file = self._file, self._partial.open("w+", encoding="utf-8")
        with deleted:
            deleted.seek(0)
            shutil.copyfileobj(deleted, self._file)
        self._file.flush()

    def close(self) -> None:
        """Remove the partial file."""
        with suppress(OSError):  # a disk that is full, or a share that is gone: what is not written is not wanted
            self._file.close()
        with suppress(OSError):
            self._partial.unlink(missing_ok=True)
