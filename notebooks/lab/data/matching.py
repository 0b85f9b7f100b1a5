"""Matches the boxes of two sets, and computes agreement, precision, recall and average precision.

Pure: data frames in, data frames and numbers out. Boxes are frames with the columns of
:func:`notebooks.lab.data.results.boxes`; corners in pixels of the clip. pycocotools gives the same AP to the third
digit, but
knows neither frames that were reviewed in part only, nor two models against each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

IOU_MIN = 0.5
"""Overlap from which two boxes mean the same object: Pascal VOC's, and the 50 of mAP50."""
PLACE = ("filename", "frame", "label")
CORNERS = ["x1", "y1", "x2", "y2"]

Floats = NDArray[np.float64]


def iou(xyxy: Floats, other_xyxy: Floats) -> Floats:
    """Return intersection over union, row by row, of N×4 and N×4 corners; 0 where a box has no area."""
    low = np.maximum(xyxy[:, :2], other_xyxy[:, :2])
    high = np.minimum(xyxy[:, 2:], other_xyxy[:, 2:])
    inside = np.clip(high - low, 0, None).prod(axis=1)
    union = _area(xyxy) + _area(other_xyxy) - inside
    return np.asarray(np.divide(inside, union, out=np.zeros(len(inside)), where=union > 0))


def _area(xyxy: Floats) -> Floats:
    return np.asarray(np.clip(xyxy[:, 2:] - xyxy[:, :2], 0, None).prod(axis=1))


def overlaps(
    left: pd.DataFrame, right: pd.DataFrame, iou_min: float = IOU_MIN, place: Sequence[str] = PLACE
) -> pd.DataFrame:
    """Return all pairs of boxes at one place that overlap.

    Args:
        left, right: boxes.
        iou_min: least overlap.
        place: columns that must be equal: by default clip, frame and label.

    Returns:
        A row a pair: `left` and `right` (row numbers, from 0), `iou`.
    """
    keys = list(place)
    sides = [
        side[[*keys, *CORNERS]].assign(row=np.arange(len(side))).astype(dict.fromkeys(keys, object))
        for side in (left, right)
    ]
    pairs = sides[0].merge(sides[1], on=keys, suffixes=("", "_other"))
    corners = [pairs[columns].to_numpy(np.float64) for columns in (CORNERS, [f"{name}_other" for name in CORNERS])]
    found = pd.DataFrame({"left": pairs["row"], "right": pairs["row_other"], "iou": iou(corners[0], corners[1])})
    return found[found["iou"] >= iou_min].astype({"left": np.int64, "right": np.int64})


def one_to_one(pairs: pd.DataFrame) -> pd.DataFrame:
    """Return the pairs that stay when each box is used once, those that come first first."""
    used_left: set[int] = set()
    used_right: set[int] = set()
    kept = []
    for number, (left, right) in enumerate(zip(pairs["left"].tolist(), pairs["right"].tolist(), strict=True)):
        if left in used_left or right in used_right:
            continue
        used_left.add(left)
        used_right.add(right)
        kept.append(number)
    return pairs.iloc[kept]


def match(
    left: pd.DataFrame, right: pd.DataFrame, iou_min: float = IOU_MIN, place: Sequence[str] = PLACE
) -> pd.DataFrame:
    """Return which box of `left` is which of `right`, the best overlap first; neither side is preferred.

    Returns:
        As :func:`overlaps`, each row number once.
    """
    pairs = overlaps(left, right, iou_min, place)
    return one_to_one(pairs.sort_values(["iou", "left", "right"], ascending=[False, True, True], kind="stable"))


def agreement(both: int, only_left: int, only_right: int) -> float:
    """Return the share of two sides' boxes that the other side has as well, 0..1 (Dice's coefficient, F1).

    Two sides that both saw nothing agree.
    """
    total = 2 * both + only_left + only_right
    return 2 * both / total if total else 1.0


def judge(found: pd.DataFrame, truth: pd.DataFrame, frames: pd.DataFrame, iou_min: float = IOU_MIN) -> pd.Series[Any]:
    """Tell of each box that was found whether it is right.

    Better scores choose first, each the truth's box that it overlaps most and that is free yet, as COCO does.

    Args:
        found: boxes with `conf`.
        truth: the labels; see :func:`notebooks.lab.data.labels.read`: boxes with `is_there`.
        frames: the reviewed frames: `filename`, `frame`, `complete`.
        iou_min: least overlap.

    Returns:
        True, False, or NA for what nobody has judged: boxes in frames that were not reviewed, and in those that were
        reviewed in part only, where a box is neither a known object nor a known mistake.
    """
    verdict = pd.Series(pd.NA, index=np.arange(len(found)), dtype="boolean")
    there = truth[truth["is_there"]].reset_index(drop=True)
    mistakes = truth[~truth["is_there"]].reset_index(drop=True)
    complete = frames[frames["complete"]]
    verdict[_in_frames(found, complete)] = False
    verdict[overlaps(found, mistakes, iou_min)["left"].to_numpy()] = False
    pairs = overlaps(found, there, iou_min)
    order = pairs.assign(conf=found["conf"].to_numpy()[pairs["left"]])
    order = order.sort_values(["conf", "left", "iou"], ascending=[False, True, False], kind="stable")
    # a second box on an object that has one already is a mistake
    verdict[order["left"].to_numpy()] = False
    verdict[one_to_one(order)["left"].to_numpy()] = True
    verdict[~_in_frames(found, frames)] = pd.NA
    return verdict.set_axis(found.index)


def _in_frames(found: pd.DataFrame, frames: pd.DataFrame) -> NDArray[np.bool_]:
    """Tell of each box whether it lies in one of `frames`."""
    wanted = set(zip(frames["filename"], frames["frame"], strict=True))
    return np.array([one in wanted for one in zip(found["filename"], found["frame"], strict=True)], bool)


def in_frames(rows: pd.DataFrame, frames: pd.DataFrame) -> pd.DataFrame:
    """Return those of `rows` (boxes, truth) that lie in `frames` (`filename`, `frame`)."""
    return rows[_in_frames(rows, frames)]


def curve(scores: Floats, right: NDArray[np.bool_], objects: int) -> pd.DataFrame:
    """Return precision and recall for each score taken as the threshold.

    Args:
        scores: of the judged boxes.
        right: which of them are right.
        objects: how many there are to be found.

    Returns:
        A row a different score, from the best down: `conf`, `found`, `precision`, `recall` (NaN without objects).
    """
    order = np.argsort(-scores, kind="stable")
    scores, hits = scores[order], np.cumsum(right[order])
    count = np.arange(1, len(scores) + 1)
    # boxes of one score come in together
    last = np.append(np.diff(scores) != 0, True)[: len(scores)]
    recall = hits / objects if objects else np.full(len(hits), np.nan)
    rows = pd.DataFrame({"conf": scores, "found": count, "precision": hits / count, "recall": recall})
    return rows[last].reset_index(drop=True)


def average_precision(scores: Floats, right: NDArray[np.bool_], objects: int) -> float:
    """Return the area under the precision-recall curve, made falling (VOC 2010's; COCO samples it).

    NaN without objects; 0 where nothing was found. Boxes below the lowest score in the files are not in it.
    """
    if not objects:
        return float("nan")
    points = curve(scores, right, objects)
    best_from_here = points["precision"].to_numpy()[::-1]
    best_from_here = np.maximum.accumulate(best_from_here)[::-1]
    steps = np.diff(points["recall"].to_numpy(), prepend=0.0)
    return float((steps * best_from_here).sum())


def scores_by_class(found: pd.DataFrame, verdict: pd.Series[Any], truth: pd.DataFrame, conf: float) -> pd.DataFrame:
    """Return precision and recall at a threshold, and AP at IoU 0.5, for each class and for all (`all`).

    Args:
        found: all boxes in the reviewed frames, weak ones too; `verdict`: of :func:`judge`, for each.
        truth: the truth's boxes in the frames of `found`.
        conf: the threshold.

    Returns:
        A row a class, index `label`: `objects`, `found`, `right`, `not_judged`, `precision`, `recall`, `ap50`.
        The row `all` has the mean of the classes' APs (mAP50), as is usual. NaN where nothing is to be divided by.
    """
    there = truth[truth["is_there"]]
    labels = sorted({*there["label"], *found.loc[found["conf"] >= conf, "label"]})
    rows = {label: _scores(found, verdict, there, conf, [label]) for label in labels}
    total = _scores(found, verdict, there, conf, labels)
    aps = [row["ap50"] for row in rows.values() if not np.isnan(row["ap50"])]
    total["ap50"] = float(np.mean(aps)) if aps else float("nan")
    frame = pd.DataFrame.from_dict({**rows, "all": total}, orient="index")
    return frame.rename_axis("label").astype(dict.fromkeys(("objects", "found", "right", "not_judged"), int))


def _scores(
    found: pd.DataFrame, verdict: pd.Series[Any], there: pd.DataFrame, conf: float, labels: Sequence[str]
) -> dict[str, float]:
    here = found["label"].isin(labels)
    judged = here & verdict.notna()
    strong = judged & (found["conf"] >= conf)
    right = int(verdict[strong].sum())
    objects = int(there["label"].isin(labels).sum())
    return {
        "objects": objects,
        "found": int(strong.sum()),
        "right": right,
        "not_judged": int((here & verdict.isna() & (found["conf"] >= conf)).sum()),
        "precision": right / strong.sum() if strong.any() else float("nan"),
        "recall": right / objects if objects else float("nan"),
        "ap50": average_precision(
            found.loc[judged, "conf"].to_numpy(np.float64), verdict[judged].to_numpy(np.bool_), objects
        ),
    }


def renamed(boxes: pd.DataFrame, same: Mapping[str, str]) -> pd.DataFrame:
    """Return `boxes` with labels renamed as `same` says, for models that call one thing by two names."""
    return boxes.assign(label=boxes["label"].astype(object).replace(dict(same))) if same else boxes
