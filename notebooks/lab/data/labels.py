"""What people said is really there, as data frames: the truth that runs are measured against.

LabelReview writes a file a clip, see :mod:`shared_utils.contracts.labels`.
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
        boxes: a row a label: `filename`, `t` (seconds), `frame`, `label`, corners `x1` `y1` `x2` `y2` in pixels of the
            clip, `state`, and `is_there`: an object, or a known mistake.
        frames: a row a frame that anything is said of: `filename`, `frame`, `complete` (reviewed as a whole: what is
            not labelled is not there).
        said: a line for each file that could not be read, or not as a whole.
        by: where labels come from that are no person's, such as ``drawn scene``.
    """

    boxes: pd.DataFrame
    frames: pd.DataFrame
    said: tuple[str, ...] = ()
    by: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return not self.frames.empty

    @property
    def summary(self) -> str:
        """What there is, in a line for people, and a line for each file that is damaged."""
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
        return "\n".join([text, *self.said])


def truth_of(files: Iterable[LabelFile], said: Iterable[str] = ()) -> Truth:
    """Return label files as frames."""
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
    return Truth(table, touched, tuple(said), tuple(sorted(by)))


def read(video_dir: Path) -> Truth:
    """Return the labels of all clips of the shared volume; none where nobody has reviewed anything."""
    return truth_of(*read_all_labels(video_dir))
