"""Boxes files: every box of a run over a clip, ``boxes/<stem>.<run_id>.jsonl``.

After the header of a sidecar, one line per sampled frame, also where it has no box::

    {"schema": 1, "columns": ["label", "score", "x1", "y1", "x2", "y2", "track"]}
    {"t": 4.8, "frame": 120, "boxes": [["car", 0.9132, 10.5, 20.1, 200.0, 140.7, 1]]}

``t``: seconds from the clip's first frame; ``frame``: its number from 0; ``boxes``: the values of each box in the
order of the columns: corners in pixels of the clip, and the number of its track (null in files of earlier versions: a
weak box that continued none). Boxes of one track are one thing, whatever their labels. A frame that begins another
scene has ``"cut": true``. All boxes are here, whatever the threshold and the classes of the run, which are applied to
what is reported. Columns after the corners are those that steps declare; readers take columns by their names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

from shared_utils.contracts.json_lines import parse_object
from shared_utils.contracts.sidecars import (
    BOXES_FOLDER,
    SIDECAR_SUFFIX,
    Header,
    SidecarWriter,
    display_path,
    read_header,
    run_ids,
    sidecar_name,
)
from shared_utils.errors import FormatError

SCHEMA = 1
SCORE_DIGITS = 4
PIXEL_DIGITS = 1
TIME_DIGITS = 3


class Box(NamedTuple):
    """A box; its fields are the columns that every boxes file has.

    Attributes:
        label: of its class.
        score: 0..1.
        x1, y1, x2, y2: corners in pixels of the clip.
        track: number of its track in the clip; None for a weak box that belongs to none.
    """

    label: str
    score: float
    x1: float
    y1: float
    x2: float
    y2: float
    track: int | None


COLUMNS = Box._fields
"""Of files without a header, in their order."""
NEEDED = COLUMNS[:-1]
"""Columns that a file must have."""


@dataclass(frozen=True)
class BoxesFrame:
    """What was seen in one sampled frame.

    Attributes:
        time_s: seconds from the clip's first frame.
        frame: its number in the clip.
        boxes: all from a score of 0.1 up, best first.
        cut: whether it begins another scene.
        extra: columns of steps' own by name, a value per box.
    """

    time_s: float
    frame: int
    boxes: tuple[Box, ...]
    cut: bool = False
    extra: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class BoxesFile:
    """The content of a boxes file.

    Attributes:
        frames: in the order of time.
        skipped: lines that are torn or hold something else.
    """

    frames: tuple[BoxesFrame, ...]
    skipped: int


def boxes_path(video_dir: Path, filename: str, run_id: str) -> Path:
    """Return the path of the boxes file of a run over the clip `filename`."""
    return video_dir / BOXES_FOLDER / boxes_name(filename, run_id)


def boxes_name(filename: str, run_id: str) -> str:
    """Return the name of the boxes file of a run over the clip `filename`."""
    return sidecar_name(filename, run_id)


def list_boxes(video_dir: Path) -> set[str]:
    """Return the names of all boxes files."""
    return {path.name for path in (video_dir / BOXES_FOLDER).glob(f"[!.]*{SIDECAR_SUFFIX}")}


def boxes_runs(video_dir: Path, filename: str) -> set[str]:
    """Return the ids of the runs over the clip `filename` that left a boxes file."""
    return set(run_ids(video_dir / BOXES_FOLDER, filename))


class BoxesWriter(SidecarWriter):
    """Writes a boxes file; it appears when it is published.

    Args:
        path: of the file; see :func:`boxes_path`.
        further: names of the columns that follow :data:`NEEDED`.

    Raises:
        OSError: it cannot be written; so do all methods.
    """

    def __init__(self, path: Path, further: Sequence[str] = COLUMNS[len(NEEDED) :]) -> None:
        super().__init__(path, SCHEMA, [*NEEDED, *further])

    def add(self, time_s: float, frame: int, boxes: Iterable[Sequence[Any]], *, cut: bool = False) -> None:
        """Append a frame.

        Args:
            time_s: seconds from the clip's first frame.
            frame: its number.
            boxes: values of each box in the order of the columns.
            cut: whether it begins another scene.
        """
        rows = [
            [
                label,
                round(score, SCORE_DIGITS),
                round(x1, PIXEL_DIGITS),
                round(y1, PIXEL_DIGITS),
                round(x2, PIXEL_DIGITS),
                round(y2, PIXEL_DIGITS),
                *rest,
            ]
            for label, score, x1, y1, x2, y2, *rest in boxes
        ]
        line: dict[str, Any] = {"t": round(time_s, TIME_DIGITS), "frame": frame, "boxes": rows}
        if cut:
            line["cut"] = True
        self.write(line)


def boxes_header(content: bytes, path: Path) -> Header:
    """Return the header of a boxes file that was read as `content`: for readers that decode its lines by themselves.

    Raises:
        FormatError: the file is of another version.
    """
    return read_header(content, path, SCHEMA, COLUMNS, NEEDED)


def read_boxes(path: Path) -> BoxesFile:
    """Read a boxes file. Lines that are torn or hold something else are skipped and counted.

    Raises:
        OSError: it cannot be read; FileNotFoundError: the run left none, or its clip was deleted.
        FormatError: it is of another version.
    """
    content = path.read_bytes()
    header = boxes_header(content, path)
    known = [name for name in COLUMNS if name in header.columns]
    pick = itemgetter(*(header.columns.index(name) for name in known))
    others = {name: place for place, name in enumerate(header.columns) if name not in COLUMNS}
    frames: list[BoxesFrame] = []
    skipped = 0
    for line in content[header.start :].splitlines():
        entry = parse_object(line) or {}
        try:
            rows = [_row(row, len(header.columns)) for row in entry["boxes"]]
            extra = {name: tuple(row[place] for row in rows) for name, place in others.items()}
            boxes = tuple(_box(*pick(row)) for row in rows)
            frames.append(BoxesFrame(float(entry["t"]), int(entry["frame"]), boxes, entry.get("cut") is True, extra))
        except (ValueError, TypeError, KeyError, OverflowError):
            skipped += 1
    if skipped and not frames:
        raise FormatError(f"{display_path(path)} has no line that can be read: is it a boxes file?")
    return BoxesFile(tuple(frames), skipped)


def _row(row: Any, length: int) -> list[Any]:
    if not isinstance(row, list) or len(row) != length:
        raise ValueError("not a value per column")
    return row


def _box(label: Any, score: Any, x1: Any, y1: Any, x2: Any, y2: Any, track: Any = None) -> Box:
    number = None if track is None else int(track)
    return Box(str(label), float(score), float(x1), float(y1), float(x2), float(y2), number)
