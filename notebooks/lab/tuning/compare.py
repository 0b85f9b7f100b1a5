"""Runs of the same clips by several configurations, side by side.

Boxes are compared in the sampled frames that all configurations sampled, labels by whole clips.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from notebooks.lab.data.boxes_files import BoxesLines
from notebooks.lab.data.labels import Truth
from notebooks.lab.data.matching import (
    CORNERS,
    IOU_MIN,
    agreement,
    in_frames,
    judge,
    match,
    overlaps,
    renamed,
    scores_by_class,
)
from notebooks.lab.data.results import iter_boxes
from notebooks.lab.jobs.batch import Configuration
from shared_utils.contracts.boxes import boxes_path
from shared_utils.errors import SettingError

MIN_OVERLAP = 0.1
"""Overlap from which another object that the other configuration saw there is reported."""
UNSEEN_SHARE = 0.5
"""Share of an object's boxes missing from the other configuration, from which only one of the two saw the object."""


@dataclass(frozen=True)
class Comparison:
    """What several configurations found in the same clips.

    Attributes:
        configurations: those that have runs, in the order given.
        clips: those that all of them have a run of, oldest first.
        runs: a row per clip and configuration; see :func:`notebooks.lab.jobs.batch.find_runs`.
        boxes: all boxes from 0.1 up: `configuration` and the columns of :func:`notebooks.lab.data.results.boxes`.
        frames: the frames that all configurations sampled: `filename`, `frame`.
        notes: what was left out, in lines for people.
        same: labels that were renamed.
    """

    configurations: tuple[Configuration, ...]
    clips: tuple[str, ...]
    runs: pd.DataFrame
    boxes: pd.DataFrame
    frames: pd.DataFrame
    notes: tuple[str, ...] = ()
    same: Mapping[str, str] = field(default_factory=dict)

    def found_by(self, number: int, *, weak: bool = False) -> pd.DataFrame:
        """Return the boxes of a configuration, by its place in the list, in the frames that are compared.

        Args:
            number: of the configuration, from 0.
            weak: those below its threshold too.
        """
        one = self.configurations[number]
        mine = self.boxes[self.boxes["configuration"] == one.name]
        if one.options.classes:  # boxes files hold all labels
            mine = mine[mine["label"].isin(self._reported(one))]
        mine = mine if weak else mine[mine["conf"] >= one.options.conf]
        return in_frames(mine, self.frames).reset_index(drop=True)

    def _reported(self, one: Configuration) -> frozenset[str]:
        """Return the classes of a configuration in the spelling of its boxes."""
        names = self.runs.loc[self.runs["configuration"] == one.name, "classes"]
        return frozenset(self.same.get(label, label) for found in names for label in found)

    def labels_by(self, number: int) -> dict[str, frozenset[str]]:
        """Return what a configuration `detected` in each clip."""
        mine = self.runs[self.runs["configuration"] == self.configurations[number].name]
        return {clip: frozenset(found) for clip, found in zip(mine["clip"], mine["detected"], strict=True)}

    def name(self, number: int) -> str:
        """Return a configuration's name."""
        return self.configurations[number].name


def load(
    runs: pd.DataFrame, wanted: Sequence[Configuration], video_dir: Path, same: Mapping[str, str] | None = None
) -> Comparison:
    """Return what the runs of a batch found, where all configurations have one.

    Args:
        runs: of :func:`notebooks.lab.jobs.batch.run` or :func:`~notebooks.lab.jobs.batch.find_runs`.
        wanted: the configurations.
        video_dir: the shared volume.
        same: labels that mean the same, for models that use different words: ``{"motorbike": "motorcycle"}``.

    Raises:
        SettingError: fewer than two configurations have runs, or they share no clip.
    """
    done = runs[runs["run_id"].notna()]
    counts = done["configuration"].value_counts()
    present = [one for one in wanted if one.name in counts]
    notes = [f"left out, as it has no run: {one.name}" for one in wanted if one.name not in counts]
    if len(present) < 2:
        raise SettingError(f"there is nothing to compare: {len(present)} of {len(wanted)} configurations have runs")
    shared = set.intersection(*(set(done.loc[done["configuration"] == one.name, "clip"]) for one in present))
    clips = [clip for clip in dict.fromkeys(runs["clip"]) if clip in shared]
    if not clips:
        raise SettingError("there is nothing to compare: no clip has a run by each configuration")
    missing = runs["clip"].nunique() - len(clips)
    if missing:
        notes.append(
            f"left out: {missing} of {runs['clip'].nunique()} clips, of which not all configurations have a run"
        )
    done = done[done["clip"].isin(shared) & done["configuration"].isin([one.name for one in present])]
    done = done.reset_index(drop=True)
    names = [tuple(dict.fromkeys((same or {}).get(label, label) for label in found)) for found in done["detected"]]
    done["detected"] = pd.Series(names, dtype=object)
    parts, frames = [], []
    for one in present:
        mine = done[done["configuration"] == one.name]
        clip_of = dict(zip(mine["run_id"], mine["clip"], strict=True))
        # a clip may have been renamed since: the files of its run have its old name
        for part in iter_boxes(mine, video_dir):
            if len(part):
                parts.append(part.assign(configuration=one.name, filename=clip_of[part["run_id"].iloc[0]]))
        frames.append(sampled_frames(mine, video_dir))
    boxes = renamed(pd.concat(parts, ignore_index=True), same or {}) if parts else _no_boxes()
    return Comparison(tuple(present), tuple(clips), done, boxes, _common(frames), tuple(notes), dict(same or {}))


def _no_boxes() -> pd.DataFrame:
    columns = ["configuration", "run_id", "filename", "t", "frame", "label", "conf", *CORNERS, "track", "at"]
    return pd.DataFrame(columns=columns).astype({"conf": float, "t": float, **dict.fromkeys(CORNERS, float)})


def sampled_frames(runs: pd.DataFrame, video_dir: Path) -> set[tuple[str, int]]:
    """Return the frames that runs sampled, also those in which they found nothing.

    Args:
        runs: rows of the log with `clip`, the name that the frames go by.
        video_dir: the shared volume.
    """
    found: set[tuple[str, int]] = set()
    for clip, filename, run_id in zip(runs["clip"], runs["filename"], runs["run_id"], strict=True):
        lines = BoxesLines(boxes_path(video_dir, filename, run_id))
        found |= {(clip, number) for number in lines.frame_numbers()}
    return found


def _common(frames: Sequence[set[tuple[str, int]]]) -> pd.DataFrame:
    return pd.DataFrame(sorted(set.intersection(*frames)), columns=["filename", "frame"])


@dataclass(frozen=True)
class Pair:
    """Two configurations against each other.

    Attributes:
        left, right: their places in the comparison's list.
        by_clip: a row per clip: `started_at`; of `detected` labels `labels_both`, `labels_left`, `labels_right`
            (frozensets) and `same_labels`; of boxes `both`, `only_left`, `only_right`, `agreement` (0..1).
        by_class: a row per label: `clips_both`, `clips_left`, `clips_right`; `both`, `only_left`, `only_right`,
            `agreement`.
        agreement: over all boxes, 0..1.
        only: the objects that only one of them saw; see :func:`only_one`.
    """

    left: int
    right: int
    by_clip: pd.DataFrame
    by_class: pd.DataFrame
    agreement: float
    only: pd.DataFrame

    @property
    def same_labels(self) -> int:
        """Number of clips in which both detected the same labels."""
        return int(self.by_clip["same_labels"].sum())


def pair(comparison: Comparison, left: int = 0, right: int = 1) -> Pair:
    """Compare two configurations, by their places in the list."""
    sides = comparison.found_by(left), comparison.found_by(right)
    pairs = match(*sides)
    matched = [side.index.isin(pairs[name]) for side, name in zip(sides, ("left", "right"), strict=True)]
    clips = pd.DataFrame(index=pd.Index(comparison.clips, name="filename"))
    clips["started_at"] = comparison.runs.drop_duplicates("clip").set_index("clip")["started_at"]
    detected = comparison.labels_by(left), comparison.labels_by(right)
    both, only_left, only_right = (
        [what(detected[0][clip], detected[1][clip]) for clip in comparison.clips]
        for what in (frozenset.intersection, frozenset.difference, lambda one, other: other - one)
    )
    for name, sets in (("labels_both", both), ("labels_left", only_left), ("labels_right", only_right)):
        clips[name] = pd.Series(sets, index=clips.index, dtype=object)
    clips["same_labels"] = [not one and not other for one, other in zip(only_left, only_right, strict=True)]
    _count_boxes(clips, "filename", sides, matched)
    labels = sorted({*sides[0]["label"], *sides[1]["label"], *itertools.chain(*both, *only_left, *only_right)})
    classes = pd.DataFrame(index=pd.Index(labels, name="label", dtype=object))
    for name, sets in (("clips_both", both), ("clips_left", only_left), ("clips_right", only_right)):
        classes[name] = [sum(label in found for found in sets) for label in labels]
    _count_boxes(classes, "label", sides, matched)
    total = clips[["both", "only_left", "only_right"]].sum()
    only = only_one(comparison, left, right, [side[~hit] for side, hit in zip(sides, matched, strict=True)])
    return Pair(left, right, clips, classes, agreement(*map(int, total)), only)


def _count_boxes(
    frame: pd.DataFrame, key: str, sides: Sequence[pd.DataFrame], matched: Sequence[np.ndarray[Any, Any]]
) -> None:
    counted = {
        "both": sides[0].loc[matched[0], key],
        "only_left": sides[0].loc[~matched[0], key],
        "only_right": sides[1].loc[~matched[1], key],
    }
    for name, keys in counted.items():
        frame[name] = keys.value_counts().reindex(frame.index, fill_value=0).astype(int)
    frame["agreement"] = [
        agreement(*row) for row in zip(frame["both"], frame["only_left"], frame["only_right"], strict=True)
    ]


def matrix(comparison: Comparison) -> pd.DataFrame:
    """Return the agreement over all boxes of each configuration with each, 0..1."""
    names = [one.name for one in comparison.configurations]
    found = pd.DataFrame(1.0, index=pd.Index(names), columns=pd.Index(names))
    sides = [comparison.found_by(number) for number in range(len(names))]
    for one, other in itertools.combinations(range(len(names)), 2):
        both = len(match(sides[one], sides[other]))
        value = agreement(both, len(sides[one]) - both, len(sides[other]) - both)
        found.iloc[one, other] = found.iloc[other, one] = value
    return found


def only_one(comparison: Comparison, left: int, right: int, unmatched: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return the objects that only one of two configurations saw, the most significant first.

    An object is a track that the other lacks in at least half of its frames, and in `min_hits` or more.

    Returns:
        A row per object, at its best box: `side` (name of the configuration), `filename`, `t`, `frame`, `label`,
        `conf`, corners, `hits` (frames in which the other has no such box),
        `of` (frames of the track), `new_label` (the other did not
        detect this label in the clip at all), `other` (what it saw there instead, in words).
    """
    parts = []
    for mine, its, boxes in ((left, right, unmatched[0]), (right, left, unmatched[1])):
        one = comparison.configurations[mine]
        track = ["filename", "track"]
        hits, whole = (
            frames_of.groupby(track, dropna=False, observed=True)["frame"].nunique().rename(name).reset_index()
            for frames_of, name in ((boxes, "hits"), (comparison.found_by(mine), "of"))
        )
        kept = hits.merge(whole, on=track)
        kept = kept[(kept["hits"] >= one.options.min_hits) & (kept["hits"] >= UNSEEN_SHARE * kept["of"])]
        best = boxes.sort_values("conf", ascending=False, kind="stable").drop_duplicates(track)
        found = kept.merge(best, on=track).assign(side=one.name)
        there = comparison.labels_by(its)
        found["new_label"] = [
            label not in there[clip] for clip, label in zip(found["filename"], found["label"], strict=True)
        ]
        found["other"] = _instead(found, comparison.found_by(its, weak=True), comparison.configurations[its])
        parts.append(found)
    columns = ["side", "filename", "t", "frame", "label", "conf", *CORNERS, "hits", "of", "new_label", "other"]
    table = pd.concat(parts, ignore_index=True)[columns].astype({"new_label": bool})
    order = ["new_label", "hits", "conf"]
    return table.sort_values(order, ascending=False, kind="stable").reset_index(drop=True)


def _instead(found: pd.DataFrame, other: pd.DataFrame, its: Configuration) -> list[str]:
    """Return what the other configuration saw at the place of each box of `found`, in words."""
    seen = [f"no {label} there" for label in found["label"]]
    near = overlaps(found, other, MIN_OVERLAP, ("filename", "frame"))
    near["conf"] = other["conf"].to_numpy()[near["right"]]
    near["label"] = other["label"].to_numpy()[near["right"]]
    near["strong"] = near["conf"] >= its.options.conf
    near["same"] = near["label"].to_numpy() == found["label"].to_numpy()[near["left"]]
    near["close"] = near["iou"] >= IOU_MIN
    # a rider's bicycle overlaps the rider, but is no other label for them
    near = near[near["same"] | near["close"]]
    near = near.sort_values(["strong", "same", "close", "conf"], ascending=False, kind="stable")
    for row in near.drop_duplicates("left").to_dict("records"):
        text = f"{row['label']} {row['conf']:.2f}"
        if not row["strong"]:
            text += f", below {its.options.conf:g}"
        elif row["same"]:
            text = f"one box for two: {text}" if row["close"] else f"{text}, placed otherwise"
        seen[row["left"]] = text
    return seen


def seconds(comparison: Comparison) -> pd.DataFrame:
    """Return seconds per clip, means over the clips: a row per configuration, columns `decode_s`, `infer_s`, `total_s`.

    Decoding and inference run at once, so that they add up to more than the total.
    """
    runs = comparison.runs
    means = runs.groupby("configuration", sort=False)[["decode_s", "infer_s", "total_s", "duration_s"]].mean()
    return means.reindex([one.name for one in comparison.configurations])


def against_truth(comparison: Comparison, truth: Truth) -> pd.DataFrame:
    """Return precision, recall and AP of each configuration, in the reviewed frames that all of them sampled.

    Returns:
        Columns of :func:`notebooks.lab.data.matching.scores_by_class`, index `configuration` and `label`; empty where
        there
        are no such frames.
    """
    frames = truth.frames.merge(comparison.frames, on=["filename", "frame"])
    boxes = in_frames(truth.boxes, frames).reset_index(drop=True)
    tables = {}
    for number, one in enumerate(comparison.configurations):
        found = in_frames(comparison.found_by(number, weak=True), frames).reset_index(drop=True)
        tables[one.name] = scores_by_class(found, judge(found, boxes, frames), boxes, one.options.conf)
    table = pd.concat(tables, names=["configuration", "label"])
    return table if len(frames) else table.iloc[:0]
