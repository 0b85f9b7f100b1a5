"""Overlap of boxes. Pure: arrays of corners x1, y1, x2, y2 in, arrays out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from video_worker.models.postprocess import Floats

Doubles = NDArray[np.float64]


def iou(boxes: Floats | Doubles, others: Floats | Doubles) -> Doubles:
    """Return intersection over union of N×4 with M×4 corners, N×M; 0 where both have no area."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    inside = np.clip(high - low, 0, None).prod(axis=2)
    areas = [np.clip(box[:, 2:] - box[:, :2], 0, None).prod(axis=1) for box in (boxes, others)]
    union = areas[0][:, None] + areas[1][None] - inside
    return np.asarray(inside / np.maximum(union, 1e-9), np.float64)


def nested_share(xyxy: Floats, others: Floats) -> Doubles:
    """Return what share of the smaller of a box and each of `others` lies in the larger one."""
    low, high = np.maximum(xyxy[:2], others[:, :2]), np.minimum(xyxy[2:], others[:, 2:])
    areas = np.clip(others[:, 2:] - others[:, :2], 0, None).prod(axis=1)
    smaller = np.maximum(np.minimum(areas, np.clip(xyxy[2:] - xyxy[:2], 0, None).prod()), 1e-3)
    return np.asarray(np.clip(high - low, 0, None).prod(axis=1) / smaller, np.float64)


def side_ratios(boxes: Doubles, others: Doubles) -> Doubles:
    """Return the factor by which widths or heights differ, the larger of the two, N×M."""
    sides = [np.log(np.clip(box[:, 2:] - box[:, :2], 1, None)) for box in (boxes, others)]
    return np.asarray(np.exp(np.abs(sides[0][:, None] - sides[1][None]).max(axis=2)), np.float64)
