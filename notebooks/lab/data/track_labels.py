"""Computes each track's label at each threshold from boxes of runs, for :mod:`notebooks.lab.tuning.sweep`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from video_worker.pipeline.track_summary import SUPPORT_DIGITS


def labels_of_tracks(boxes: pd.DataFrame) -> pd.DataFrame:
    """Return which label each track has at which thresholds.

    Boxes without a track are one each; where there is no such column, all of a clip's boxes of a label are one track.

    Returns:
        Rows of `filename`, `track`, `label`, `hits` (sampled frames), `low` and `high`: this label, seen in so many
        frames, at thresholds above `low` up to `high`.
    """
    table = with_tracks(boxes).sort_values("conf", ascending=False, kind="stable")
    rows: list[tuple[Any, ...]] = []
    for (filename, track), part in table.groupby(["filename", "track"], sort=False, observed=True):
        steps = _steps(list(zip(part["conf"], part["frame"], part["label"].astype(object), strict=True)))
        rows += [(filename, track, *step) for step in steps]
    return pd.DataFrame(rows, columns=["filename", "track", "label", "hits", "low", "high"])


def with_tracks(boxes: pd.DataFrame) -> pd.DataFrame:
    """Return `boxes` with a track number in each row; see :func:`labels_of_tracks`."""
    if "track" not in boxes:
        return boxes.assign(track=boxes["label"])
    alone = pd.Series(-1 - np.arange(len(boxes)), boxes.index)
    return boxes.assign(track=boxes["track"].astype("Float64").fillna(alone).astype("int64"))


def _steps(boxes: Sequence[tuple[float, int, str]]) -> list[tuple[str, int, float, float]]:
    """Return label, hits, low and high of a track whose `boxes` (score, frame, label) come best first."""
    names: dict[str, dict[int, float]] = {}
    frames: set[int] = set()
    steps = []
    for place, (score, frame, label) in enumerate(boxes):
        frames.add(frame)
        names.setdefault(label, {}).setdefault(frame, score)
        below = boxes[place + 1][0] if place + 1 < len(boxes) else 0.0
        if below < score:
            steps.append((best_label(names), len(frames), below, score))
    return steps


def best_label(names: Mapping[str, Mapping[int, float]]) -> str:
    """Return the best supported of labels with the score of each of their frames; see
    :attr:`video_worker.pipeline.track_summary.TrackSummary.label`."""

    def support(label: str) -> tuple[float, int, int, float]:
        scores = names[label]
        first = min(scores)
        return round(sum(scores.values()), SUPPORT_DIGITS), len(scores), -first, scores[first]

    return max(names, key=support)
