"""Labels: a person's verdicts on the boxes of a clip, ``labels/<stem>.json`` on the shared volume.

::

    {"schema": 1, "filename": "20260223-144819-door.mp4", "frames": [24, 120], "complete": false,
     "labels": [{"t": 4.8, "frame": 24, "label": "person", "xyxy": [612.0, 301.5, 688.2, 540.0],
                 "state": "right", "source": {"run_id": "0199…", "box": 0}}]}

``frames``: numbers of the frames that were reviewed as a whole: every box in them has been judged, and what was missed
has been drawn. A frame with labels that is not among them was left half-way. ``complete``: every frame that the review
asks about was reviewed, and nothing of this clip is left to do. ``by``: where the labels come from, if not from a
person, such as ``"drawn scene"`` in a sample volume; what people change in the file afterwards leaves it there.

``state`` of a label:

* ``right``: the box of the run, as it is;
* ``wrong``: the box of the run, and nothing of that kind is there;
* ``fixed``: something is there, and a person corrected its box or label; ``source`` names the box it was made of;
* ``missed``: something is there that the run did not see; ``source`` is null.

``source.box``: place of the box in its frame's line of ``boxes/<stem>.<run_id>.jsonl``, from 0.

Capture deletes old clips with their sidecars, and never these: they are people's work. They still hold what was where,
and training data that was exported holds the pictures; but without its clip a label cannot be shown or exported any
more, and is skipped with a line that says so.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeGuard, get_args

from shared_utils.contracts.clips import sidecar_stem
from shared_utils.contracts.sidecars import check_schema, display_path
from shared_utils.durable import locked_folder, replace_file
from shared_utils.errors import FormatError

LABELS_FOLDER = "labels"
SUFFIX = ".json"
SCHEMA = 1
DIGITS = 1
"""Decimals of corners: a tenth of a pixel is finer than anybody draws."""

State = Literal["right", "wrong", "fixed", "missed"]
STATES: tuple[State, ...] = get_args(State)
THERE: frozenset[State] = frozenset({"right", "fixed", "missed"})
"""States of boxes that something is really in."""

Xyxy = tuple[float, float, float, float]


@dataclass(frozen=True)
class Source:
    """The box of a run that a label is about.

    Attributes:
        run_id: of the run.
        box: place in its frame's line of the boxes file, from 0.
    """

    run_id: str
    box: int


@dataclass(frozen=True)
class Label:
    """A person's verdict on one box.

    Attributes:
        t: seconds from the clip's first frame.
        frame: number of the frame.
        label: class of what is there; of a wrong box, what the run took it for.
        xyxy: corners x1, y1, x2, y2 in pixels of the clip.
        state: see the docstring of the module.
        source: the run's box; None for what no run saw.
    """

    t: float
    frame: int
    label: str
    xyxy: Xyxy
    state: State
    source: Source | None = None

    @property
    def is_there(self) -> bool:
        """Whether something is really in the box."""
        return self.state in THERE


@dataclass(frozen=True)
class LabelFile:
    """A clip's labels.

    Attributes:
        filename: bare name of the clip.
        frames: numbers of the frames that were reviewed as a whole.
        labels: by frame, in the order they were made.
        complete: nothing of this clip is left to review.
        by: where the labels come from; empty for a person.
        skipped: entries of the file that were not labels, and were skipped.
    """

    filename: str
    frames: frozenset[int] = frozenset()
    labels: tuple[Label, ...] = ()
    complete: bool = False
    by: str = ""
    skipped: int = field(default=0, compare=False)

    def touched(self) -> dict[int, bool]:
        """Return the frames with labels, and whether each was reviewed as a whole."""
        return {frame: frame in self.frames for frame in sorted({*self.frames, *(one.frame for one in self.labels)})}


def labels_path(video_dir: Path, filename: str) -> Path:
    """Return where the labels of a clip are, or will be."""
    return video_dir / LABELS_FOLDER / f"{sidecar_stem(filename)}{SUFFIX}"


def list_labels(video_dir: Path) -> list[Path]:
    """Return the labels files, in the order of their names, which is that of time."""
    return sorted((video_dir / LABELS_FOLDER).glob(f"[!.]*{SUFFIX}"))


def truth(file: LabelFile) -> list[Label]:
    """Return the boxes that something is really in: right, fixed and missed ones."""
    return [label for label in file.labels if label.is_there]


def read_labels(path: Path) -> LabelFile:
    """Read a labels file; one that is not there has no labels.

    Entries that are not labels are skipped and counted; unknown keys are ignored.

    Raises:
        FormatError: it is not a labels file, or one of a later version.
    """
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return LabelFile("")
    except OSError as error:
        raise FormatError(f"{display_path(path)} cannot be read: {error.strerror}") from None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _damaged(path, f"no JSON ({str(error)[:80]})" if text.strip() else "empty") from None
    if not isinstance(found, dict) or not isinstance(found.get("labels"), list):
        raise _damaged(path, 'no object with a list "labels"')
    if not isinstance(found.get("filename"), str) or not found["filename"]:
        raise _damaged(path, 'without the "filename" of its clip')
    check_schema(found, path, SCHEMA)
    labels = [label for entry in found["labels"] if (label := _label(entry)) is not None]
    frames = found.get("frames", [])
    numbers = [one for one in frames if _is_count(one)] if isinstance(frames, list) else []
    return LabelFile(
        found["filename"],
        frozenset(numbers),
        tuple(labels),
        found.get("complete") is True,
        by if isinstance(by := found.get("by"), str) else "",
        len(found["labels"]) - len(labels) + (len(frames) - len(numbers) if isinstance(frames, list) else 1),
    )


def read_clip_labels(video_dir: Path, filename: str) -> LabelFile:
    """Read the labels of a clip, as :func:`read_labels` does.

    Raises:
        FormatError: as there; or they are another clip's, of the same name but for its ending.
    """
    path = labels_path(video_dir, filename)
    file = read_labels(path)
    if file.filename not in ("", filename):
        raise FormatError(
            f"{display_path(path)} holds the labels of {file.filename}, whose name is that of {filename} but for the "
            "ending: rename one of the two clips"
        )
    return file


def read_all_labels(video_dir: Path) -> tuple[list[LabelFile], list[str]]:
    """Read all labels of a shared volume.

    Returns:
        The files that can be read, and a line for each that cannot, or not as a whole.
    """
    files, faults = [], []
    for path in list_labels(video_dir):
        try:
            file = read_labels(path)
        except FormatError as error:
            faults.append(str(error))
            continue
        if file.skipped:
            faults.append(f"{display_path(path)}: {file.skipped} entries are not labels and were skipped")
        files.append(file)
    return files, faults


def update_labels(video_dir: Path, filename: str, edit: Callable[[LabelFile], LabelFile]) -> LabelFile:
    """Change a clip's labels, and return what is in the file then; on disk when this returns.

    The file is read again, changed and replaced as a whole, under a lock: what somebody else did meanwhile stays.

    Args:
        video_dir: the shared volume.
        filename: of the clip.
        edit: returns the labels to write in place of those it is given.

    Raises:
        FormatError: the file cannot be added to; it is left as it is.
        OSError: it cannot be written.
    """
    path = labels_path(video_dir, filename)
    path.parent.mkdir(exist_ok=True)
    with locked_folder(path.parent):
        old = read_clip_labels(video_dir, filename)
        if old.skipped:  # what we do not understand may be somebody's work
            shutil.copy(path, path.with_name(f"{path.name}.damaged"))
        new = edit(replace(old, filename=filename))
        replace_file(path, to_text(new))
    return new


def write_labels(video_dir: Path, file: LabelFile) -> None:
    """Write labels that no review made; those of the clip that are there are replaced.

    Raises:
        OSError: they cannot be written.
    """
    path = labels_path(video_dir, file.filename)
    path.parent.mkdir(exist_ok=True)
    with locked_folder(path.parent):
        replace_file(path, to_text(file))


def to_text(file: LabelFile) -> str:
    """Return the content of a labels file: JSON, one label per line."""
    head = {"schema": SCHEMA, "filename": file.filename, "frames": sorted(file.frames), "complete": file.complete}
    head |= {"by": file.by} if file.by else {}
    labels = ",\n ".join(json.dumps(_entry(label), ensure_ascii=False) for label in file.labels)
    return f'{json.dumps(head, ensure_ascii=False)[:-1]},\n"labels": [{labels}]}}\n'


def _entry(label: Label) -> dict[str, Any]:
    source = None if label.source is None else {"run_id": label.source.run_id, "box": label.source.box}
    return {
        "t": round(label.t, 3),
        "frame": label.frame,
        "label": label.label,
        "xyxy": [round(corner, DIGITS) for corner in label.xyxy],
        "state": label.state,
        "source": source,
    }


def _label(entry: Any) -> Label | None:
    if not isinstance(entry, dict) or not isinstance(entry.get("label"), str) or not entry["label"].strip():
        return None
    state, frame, corners = entry.get("state"), entry.get("frame"), entry.get("xyxy")
    if state not in STATES or not _is_count(frame) or not isinstance(corners, list) or len(corners) != 4:
        return None
    if not all(_is_number(one) for one in (*corners, entry.get("t"))):
        return None
    x1, y1, x2, y2 = (float(one) for one in corners)
    if x1 >= x2 or y1 >= y2:
        return None
    return Label(float(entry["t"]), frame, entry["label"], (x1, y1, x2, y2), state, _source(entry.get("source")))


def _source(entry: Any) -> Source | None:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("run_id"), str) or not _is_count(entry.get("box")):
        return None
    return Source(entry["run_id"], entry["box"])


def _is_count(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _damaged(path: Path, reason: str) -> FormatError:
    return FormatError(
        f"{display_path(path)} is damaged: {reason}. Correct it, or move it away to begin this clip again"
    )
