"""Labels made by people as data frames: the ground truth that runs are measured against.

LabelReview writes one file per clip, see :mod:`shared_utils.contracts.labels`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from notebooks.lab.data.words import how_many
from shared_utils.contracts.labels import LabelFile, read_all_labels

COLUMNS = ["filename", "t", "frame", "label", "x1", "y1", "x2", "y2", "state", "is_there"]


@dataclass(frozen=True)
class Truth:
    """The labels of some clips.

    Attributes:
        boxes: one row per label: `filename`, `t` (seconds), `frame`, `label`, corners `x1` `y1` `x2` `y2` in pixels of
            the clip, `state`, and `is_there`: an object, or a known mistake.
        frames: one row per frame with any label: `filename`, `frame`, `complete` (reviewed as a whole: what is not
            labelled is not there).
        notes: a line for each file that could not be read, or not as a whole.
        by: sources of labels that no person made, such as ``drawn scene``.
    """

    boxes: pd.DataFrame
    frames: pd.DataFrame
    notes: tuple[str, ...] = ()
    by: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return not self.frames.empty

    @property
    def summary(self) -> str:
        """One line that sums up the labels, and one line per damaged file."""
        if not self:
            text = "No labels yet: make some with LabelReview, and precision and recall are shown here."
        else:
            objects = int(self.boxes["is_there"].sum())
            partly = int((~self.frames["complete"]).sum())
            frames, clips = len(self.frames), self.frames["filename"].nunique()
            text = f"{how_many(objects, 'labelled object')} in {how_many(frames, 'reviewed frame')}"
            text += f" of {how_many(clips, 'clip')}"
            text += f", {partly} of which were reviewed in part only" if partly else ""
            text += f" (from: {', '.join(self.by)})" if self.by else ""
        return "\n".join([text, *self.notes])


def truth_of(files: Iterable[LabelFile], notes: Iterable[str] = ()) -> Truth:
    """Return label files as data frames."""
    boxes: list[tuple[Any, ...]] = []
    frames: list[tuple[str, int, bool]] = []
    by: set[str] = set()
    for file in files:
        by |= {file.by} - {""}
        frames += [(file.filename, frame, whole) for frame, whole in file.touched().items()]
        boxes += [
            (file.filename, one.t, one.frame, one.label, *one.xyxy, one.state, one.is_there) for one in file.labels
        ]
    table = pd.DataFrame(boxes, columns=COLUMNS).astype({"is_there": bool})
    touched = pd.DataFrame(frames, columns=["filename", "frame", "complete"]).astype({"complete": bool})
    return Truth(table, touched, tuple(notes), tuple(sorted(by)))


def read(video_dir: Path) -> Truth:
    """Return the labels of all clips on the shared volume; none if nothing has been reviewed."""
    return truth_of(*read_all_labels(video_dir))
