"""Matching, precision, recall and AP against tables worked out by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from notebooks.lab.data.labels import Truth, read, truth_of
from notebooks.lab.data.matching import (
    agreement,
    average_precision,
    curve,
    iou,
    judge,
    match,
    overlaps,
    renamed,
    scores_by_class,
)
from notebooks.lab.review.label_changes import Change, change
from shared_utils.contracts.labels import Label, LabelFile, write_labels


def boxes(*rows: tuple[Any, ...]) -> pd.DataFrame:
    """Return boxes: frame, label, score, x1, y1, x2, y2, all of one clip."""
    table = pd.DataFrame(rows, columns=["frame", "label", "conf", "x1", "y1", "x2", "y2"])
    return table.assign(filename="a.mp4", t=table["frame"] / 10)


def truth(*rows: tuple[Any, ...], whole: bool = True) -> Truth:
    """Return labels: frame, label, state, x1, y1, x2, y2, all of one clip; `frames` 0 to 9 reviewed."""
    table = pd.DataFrame(rows, columns=["frame", "label", "state", "x1", "y1", "x2", "y2"])
    table = table.assign(filename="a.mp4", t=0.0, is_there=table["state"].ne("wrong").astype(bool))
    frames = pd.DataFrame({"filename": "a.mp4", "frame": range(10), "complete": whole})
    return Truth(table, frames)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ((0, 0, 10, 10), (0, 0, 10, 10), 1.0),
        ((0, 0, 10, 10), (5, 0, 15, 10), 50 / 150),
        ((0, 0, 10, 10), (0, 0, 10, 5), 0.5),
        ((0, 0, 10, 10), (10, 0, 20, 10), 0.0),
        ((0, 0, 10, 10), (20, 20, 30, 30), 0.0),
        ((5, 5, 5, 5), (5, 5, 5, 5), 0.0),
        ((9, 9, 1, 1), (0, 0, 10, 10), 0.0),
    ],
)
def test_iou(one: tuple[float, ...], other: tuple[float, ...], expected: float) -> None:
    assert iou(np.array([one], float), np.array([other], float)) == pytest.approx([expected])


def test_iou_of_nothing() -> None:
    assert iou(np.zeros((0, 4)), np.zeros((0, 4))).shape == (0,)


def test_boxes_match_within_clip_frame_and_label_only() -> None:
    left = boxes((0, "car", 0.9, 0, 0, 10, 10), (1, "car", 0.9, 0, 0, 10, 10), (2, "car", 0.9, 0, 0, 10, 10))
    right = boxes((0, "car", 0.5, 0, 0, 10, 6), (1, "dog", 0.5, 0, 0, 10, 10), (3, "car", 0.5, 0, 0, 10, 10))
    assert match(left, right)[["left", "right"]].to_numpy().tolist() == [[0, 0]]
    assert match(left, right, iou_min=0.61).empty


def test_each_box_is_matched_once_and_the_best_overlap_first() -> None:
    left = boxes((0, "car", 0.9, 0, 0, 10, 10), (0, "car", 0.8, 0, 0, 10, 9))
    right = boxes((0, "car", 0.5, 0, 0, 10, 9))
    assert match(left, right)[["left", "right"]].to_numpy().tolist() == [[1, 0]]
    assert match(right, left)[["left", "right"]].to_numpy().tolist() == [[0, 1]]
    assert len(overlaps(left, right)) == 2


@pytest.mark.parametrize("empty", ["left", "right", "both"])
def test_nothing_matches_nothing(empty: str) -> None:
    some = boxes((0, "car", 0.9, 0, 0, 10, 10))
    left = some if empty == "right" else boxes()
    right = some if empty == "left" else boxes()
    assert match(left, right).empty


@pytest.mark.parametrize(
    ("both", "left", "right", "expected"), [(0, 0, 0, 1.0), (3, 0, 0, 1.0), (0, 2, 0, 0.0), (3, 1, 1, 0.75)]
)
def test_agreement(both: int, left: int, right: int, expected: float) -> None:
    assert agreement(both, left, right) == expected


def test_the_better_score_takes_the_object_and_the_second_box_is_wrong() -> None:
    found = boxes((0, "car", 0.6, 0, 0, 10, 10), (0, "car", 0.9, 0, 0, 10, 8))
    verdicts = truth((0, "car", "right", 0, 0, 10, 10))
    assert judge(found, verdicts.boxes, verdicts.frames).tolist() == [False, True]


def test_a_box_takes_the_object_that_is_left() -> None:
    found = boxes((0, "car", 0.9, 0, 0, 10, 10), (0, "car", 0.8, 1, 0, 11, 10))
    verdicts = truth((0, "car", "right", 0, 0, 10, 10), (0, "car", "missed", 2, 0, 12, 10))
    assert judge(found, verdicts.boxes, verdicts.frames).tolist() == [True, True]


def test_frames_that_were_not_reviewed_tell_nothing() -> None:
    found = boxes((0, "car", 0.9, 0, 0, 10, 10), (99, "car", 0.9, 0, 0, 10, 10))
    verdicts = truth()
    assert judge(found, verdicts.boxes, verdicts.frames).tolist() == [False, pd.NA]


def test_in_a_frame_reviewed_in_part_only_what_was_judged_counts() -> None:
    found = boxes(
        (0, "car", 0.9, 0, 0, 10, 10),
        (0, "dog", 0.8, 50, 0, 60, 10),
        (0, "cat", 0.7, 100, 0, 110, 10),
        (0, "car", 0.6, 1, 0, 10, 10),
    )
    verdicts = truth((0, "car", "fixed", 0, 0, 10, 10), (0, "dog", "wrong", 50, 0, 60, 10), whole=False)
    # a car, a known mistake, nobody knows, and a second box on the car
    assert judge(found, verdicts.boxes, verdicts.frames).tolist() == [True, False, pd.NA, False]


def test_judging_keeps_the_index() -> None:
    found = boxes((0, "car", 0.9, 0, 0, 10, 10), (0, "dog", 0.9, 0, 0, 10, 10)).set_index(pd.Index([7, 3]))
    verdicts = truth((0, "dog", "right", 0, 0, 10, 10))
    assert judge(found, verdicts.boxes, verdicts.frames).to_dict() == {7: False, 3: True}


SCORES = np.array([0.9, 0.8, 0.7, 0.6, 0.5])
RIGHT = np.array([True, False, True, True, False])


def test_the_curve_by_hand() -> None:
    points = curve(SCORES, RIGHT, 4)
    assert points["conf"].tolist() == [0.9, 0.8, 0.7, 0.6, 0.5]
    assert points["found"].tolist() == [1, 2, 3, 4, 5]
    assert points["precision"].tolist() == pytest.approx([1, 1 / 2, 2 / 3, 3 / 4, 3 / 5])
    assert points["recall"].tolist() == [0.25, 0.25, 0.5, 0.75, 0.75]


def test_boxes_of_one_score_come_in_together() -> None:
    points = curve(np.array([0.9, 0.5, 0.5]), np.array([True, True, False]), 2)
    assert points[["conf", "found", "precision", "recall"]].to_numpy().tolist() == [
        [0.9, 1, 1.0, 0.5],
        [0.5, 3, pytest.approx(2 / 3), 1.0],
    ]


def test_average_precision_by_hand() -> None:
    # recall goes 0.25 → 0.5 → 0.75; precision made falling: 1, then 0.75 twice
    assert average_precision(SCORES, RIGHT, 4) == pytest.approx(0.25 * 1 + 0.25 * 0.75 + 0.25 * 0.75)
    assert average_precision(SCORES[::-1], RIGHT[::-1], 4) == pytest.approx(0.625)


@pytest.mark.parametrize(
    ("right", "objects", "expected"), [([True, True], 2, 1.0), ([False, False], 3, 0.0), ([], 2, 0.0)]
)
def test_average_precision_at_its_ends(right: list[bool], objects: int, expected: float) -> None:
    scores = np.linspace(0.9, 0.8, len(right))
    assert average_precision(scores, np.array(right, bool), objects) == expected


def test_average_precision_without_objects_is_unknown() -> None:
    assert math.isnan(average_precision(SCORES, RIGHT, 0))
    assert math.isnan(average_precision(np.zeros(0), np.zeros(0, bool), 0))


def test_scores_by_class_by_hand() -> None:
    found = boxes(
        (0, "car", 0.9, 0, 0, 10, 10),
        (1, "car", 0.4, 0, 0, 10, 10),
        (2, "car", 0.8, 50, 50, 60, 60),
        (0, "dog", 0.7, 0, 0, 10, 10),
        (99, "car", 0.9, 0, 0, 10, 10),
    )
    verdicts = truth(
        (0, "car", "right", 0, 0, 10, 10), (1, "car", "missed", 0, 0, 10, 10), (3, "cat", "missed", 0, 0, 9, 9)
    )
    table = scores_by_class(found, judge(found, verdicts.boxes, verdicts.frames), verdicts.boxes, 0.5)
    assert table.index.tolist() == ["car", "cat", "dog", "all"]
    assert table[["objects", "found", "right", "not_judged"]].to_numpy().tolist() == [
        [2, 2, 1, 1],
        [1, 0, 0, 0],
        [0, 1, 0, 0],
        [3, 3, 1, 1],
    ]
    assert table.loc["car", ["precision", "recall"]].tolist() == [0.5, 0.5]
    # right, wrong, right: 0.5·1 + 0.5·2/3
    assert table.loc["car", "ap50"] == pytest.approx(0.5 + 0.5 * 2 / 3)
    assert pd.isna(table["precision"]["cat"])
    assert table.loc["cat", ["recall", "ap50"]].tolist() == [0, 0]
    assert table.loc["dog", "precision"] == 0
    assert pd.isna(table["recall"]["dog"])
    assert table.loc["all", "ap50"] == pytest.approx((0.5 + 0.5 * 2 / 3) / 2)


def test_scores_of_nothing() -> None:
    verdicts = truth()
    table = scores_by_class(boxes(), judge(boxes(), verdicts.boxes, verdicts.frames), verdicts.boxes, 0.5)
    assert table.index.tolist() == ["all"]
    assert table.loc["all", ["objects", "found", "right"]].tolist() == [0, 0, 0]
    assert table.loc["all", ["precision", "recall", "ap50"]].isna().all()


def test_labels_are_renamed() -> None:
    found = boxes((0, "motorbike", 0.9, 0, 0, 10, 10), (0, "car", 0.9, 0, 0, 10, 10))
    assert renamed(found, {"motorbike": "motorcycle"})["label"].tolist() == ["motorcycle", "car"]
    assert renamed(found, {}) is found


def test_labels_files_become_truth(tmp_path: Any) -> None:
    right = Label(0.4, 4, "car", (0, 0, 10, 10), "right")
    wrong = Label(0.8, 8, "dog", (5, 5, 9, 9), "wrong")
    change(tmp_path, "a.mp4", Change(added=(right, wrong), reviewed=frozenset({4, 6})))
    (tmp_path / "labels" / "broken.json").write_text("not JSON")
    verdicts = read(tmp_path)
    assert verdicts.boxes[["frame", "label", "is_there"]].to_numpy().tolist() == [[4, "car", True], [8, "dog", False]]
    # 6 was reviewed, and is empty; 8 was left half-way
    assert verdicts.frames[["frame", "complete"]].to_numpy().tolist() == [[4, True], [6, True], [8, False]]
    first, second = verdicts.summary.splitlines()
    assert first == "1 labelled object in 3 reviewed frames of 1 clip, 1 of which were reviewed in part only"
    assert "broken.json" in second
    write_labels(tmp_path, LabelFile("b.mp4", frozenset({2}), (right,), by="drawn scene"))
    verdicts = read(tmp_path)
    assert verdicts.by == ("drawn scene",)
    assert verdicts.summary.splitlines()[0].endswith("(from: drawn scene)")


def test_no_labels_yet(tmp_path: Any) -> None:
    assert not read(tmp_path)
    assert not truth_of([])
    assert "LabelReview" in read(tmp_path).summary
