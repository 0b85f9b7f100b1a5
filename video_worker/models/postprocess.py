"""Decodes a model's raw output into boxes. Pure: numpy arrays in, numpy arrays out.

Two shapes of output are known, both of ultralytics' exports: the raw head of v5u, v8 and 11, ``(1, 4 + classes, N)``
with centre, size and a score per class; and the end-to-end head of v10 and 26, or of exports with ``nms=True``,
``(1, N, 6)`` with corners, score and class, already rid of duplicates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

IOU_LIMIT = 0.7
"""Intersection over union above which the weaker box of a class is dropped: ultralytics' default."""
MAX_BOXES = 300
"""Boxes kept per picture: ultralytics' default."""
MAX_CANDIDATES = 30_000
"""Candidates per picture, best first: ultralytics' default, which bounds the time for pictures full of boxes."""


@dataclass(frozen=True)
class Detections:
    """Boxes of one picture, best score first.

    Attributes:
        xyxy: N×4 corners x1, y1, x2, y2, pixels.
        scores: N, 0..1.
        classes: N, the model's class numbers.
    """

    xyxy: Floats
    scores: Floats
    classes: Ints

    def __post_init__(self) -> None:
        count = len(self.scores)
        if self.xyxy.shape != (count, 4) or self.classes.shape != (count,):
            raise ValueError(f"{count} scores, but boxes of shape {self.xyxy.shape}, classes {self.classes.shape}")

    def __len__(self) -> int:
        return len(self.scores)

    @classmethod
    def empty(cls) -> Detections:
        """Return no boxes at all."""
        return cls(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64))

    def take(self, which: NDArray[np.bool_] | Ints) -> Detections:
        """Return the boxes that a mask or an array of indices picks."""
        return Detections(self.xyxy[which], self.scores[which], self.classes[which])


def decode_raw(output: Floats, min_score: float) -> Detections:
    """Return the boxes of a raw head, duplicates removed.

    Args:
        output: (4 + classes)×N: centre x, centre y, width, height, then one score per class.
        min_score: weaker boxes are left out.

    Returns:
        Boxes in pixels of the model's input.
    """
    scores = output[4:].max(axis=0)
    kept = np.flatnonzero(scores >= min_score)
    if not len(kept):
        return Detections.empty()
    # class numbers of the few that are left only: argmax over all of them is most of the work
    columns = output[:, kept]
    order = np.argsort(-scores[kept], kind="stable")[:MAX_CANDIDATES]
    columns = columns[:, order]
    centre, half = columns[:2], columns[2:4] / 2
    found = Detections(
        np.concatenate([centre - half, centre + half]).T.astype(np.float32),
        scores[kept][order].astype(np.float32),
        columns[4:].argmax(axis=0).astype(np.int64),
    )
    return found.take(suppress(found))


def decode_end_to_end(output: Floats, min_score: float) -> Detections:
    """Return the boxes of an end-to-end head.

    Args:
        output: N×6: x1, y1, x2, y2, score, class.
        min_score: weaker boxes are left out, as is the padding of such outputs.
    """
    rows = output[output[:, 4] >= min_score]
    rows = rows[np.argsort(-rows[:, 4], kind="stable")][:MAX_BOXES]
    return Detections(rows[:, :4].astype(np.float32), rows[:, 4].astype(np.float32), rows[:, 5].astype(np.int64))


def suppress(found: Detections, iou_limit: float = IOU_LIMIT, limit: int = MAX_BOXES) -> Ints:
    """Non-maximum suppression: return which boxes stay when, within each class, boxes that overlap a better one go.

    Args:
        found: boxes, best score first.
        iou_limit: intersection over union above which the weaker box goes.
        limit: stop when so many are kept.
    """
    x1, y1, x2, y2 = found.xyxy.T
    areas = (x2 - x1) * (y2 - y1)
    alive = np.ones(len(found), bool)
    kept: list[int] = []
    for best in range(len(found)):
        if not alive[best]:
            continue
        kept.append(best)
        if len(kept) == limit:
            break
        rest = np.flatnonzero(alive[best + 1 :] & (found.classes[best + 1 :] == found.classes[best])) + best + 1
        if not len(rest):
            continue
        width = np.minimum(x2[best], x2[rest]) - np.maximum(x1[best], x1[rest])
        height = np.minimum(y2[best], y2[rest]) - np.maximum(y1[best], y1[rest])
        inside = np.clip(width, 0, None) * np.clip(height, 0, None)
        union = np.maximum(areas[best] + areas[rest] - inside, np.float32(1e-9))
        alive[rest[inside / union > iou_limit]] = False
    return np.array(kept, np.int64)
