"""Computes what other thresholds would have found in finished runs: from their boxes files, without inference.

What is exact, for thresholds from 0.1 (or the run's own, if lower) up: `detected`, its order, and `objects`. Weaker
boxes never change stronger ones (NMS goes from the best down), so the files hold what a run with a higher threshold
would have found; and tracks do not depend on the threshold, which only picks the boxes that count. Scores are written
to four digits: a box within 0.00005 of a threshold may fall on its other side; see :func:`on_the_edge`.

Runs of versions whose tracks had one label each are not exact: :func:`as_worker` tracks their boxes again, and
elsewhere each weak box counts by itself.

A track has one label at a threshold: the best supported one of its boxes there, as in the record.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from notebooks.lab.data.labels import Truth
from notebooks.lab.data.matching import curve, in_frames, judge
from notebooks.lab.data.results import boxes as read_boxes
from notebooks.lab.data.track_labels import labels_of_tracks, with_tracks
from notebooks.lab.media.clip import Run as BoxesRun
from notebooks.lab.media.clip import RunBoxes, Sampled
from notebooks.lab.tuning.compare import sampled_frames
from shared_utils.contracts.boxes import boxes_name, boxes_path, list_boxes
from shared_utils.contracts.job_options import Options
from shared_utils.errors import SettingError
from video_worker.models.postprocess import Detections
from video_worker.pipeline.runner import StepRunner
from video_worker.steps.base import TRACK, Sample
from video_worker.steps.context import Source, StepContext
from video_worker.steps.summarise import Summarise
from video_worker.steps.track import Track

MIN_SCORE = 0.1
"""Score from which the boxes files hold everything."""
EDGE_SCORE = 0.00005
"""Half of the last digit of a score in the boxes files."""
STEP = 0.01
NEARBY = 0.05
"""Tolerance of a recommended threshold: within it, to both sides, as little as possible changes."""

Floats = NDArray[np.float64]


def thresholds(low: float = MIN_SCORE, high: float = 0.95, step: float = STEP) -> Floats:
    """Return thresholds to try, each a short decimal number."""
    return np.round(np.arange(low, high + step / 2, step), 4)


def boxes_of(runs: pd.DataFrame, video_dir: Path) -> pd.DataFrame:
    """Return the boxes of `runs` as :func:`notebooks.lab.data.results.boxes` does, of the labels that each run
    reports: boxes
    files hold all labels, also of runs with ``YOLO_CLASSES``, and those of other labels decide nothing."""
    boxes = read_boxes(runs, video_dir)
    classes = {run: frozenset(labels) for run, labels in zip(runs["run_id"], runs["classes"], strict=True)}
    wanted = [
        not classes[run] or label in classes[run] for run, label in zip(boxes["run_id"], boxes["label"], strict=True)
    ]
    return boxes[np.array(wanted, bool)].reset_index(drop=True)


def frame_scores(boxes: pd.DataFrame, of: str = "label") -> pd.DataFrame:
    """Return the best score of each label, or `of` each track, in each sampled frame: a row each."""
    keys = ["filename", of, "frame"]
    return boxes.groupby(keys, observed=True, sort=False)["conf"].max().reset_index()


def holds(boxes: pd.DataFrame, min_hits: int) -> pd.DataFrame:
    """Return at which thresholds each label of each clip is `detected`: where a track has it and enough hits.

    Mostly that is so up to a threshold. A label may also appear only above one, where a better supported label of the
    same track drops out.

    Returns:
        Rows of `filename`, `label`, `holds_from`, `holds_to`: above the one, up to the other; a label of a clip may
        have several.
    """
    found = labels_of_tracks(boxes)
    found = found[found["hits"] >= min_hits].sort_values(["filename", "label", "low"], kind="stable")
    rows: list[list[Any]] = []
    for filename, label, low, high in found[["filename", "label", "low", "high"]].itertuples(index=False, name=None):
        if rows and rows[-1][:2] == [filename, label] and low <= rows[-1][3]:
            rows[-1][3] = max(rows[-1][3], high)
        else:
            rows.append([filename, label, low, high])
    table = pd.DataFrame(rows, columns=["filename", "label", "holds_from", "holds_to"])
    return table.astype({"holds_from": float, "holds_to": float})


def _detected(held: pd.DataFrame, at: Floats) -> NDArray[np.int64]:
    """Return how many rows of :func:`holds` are detected at each threshold."""
    found = _at_or_above(held["holds_to"], at)
    return found - _at_or_above(held["holds_from"], at) if "holds_from" in held else found


def _at_or_above(scores: pd.Series[float], at: Floats) -> NDArray[np.int64]:
    ordered = np.sort(scores.to_numpy(np.float64))
    return np.asarray(len(ordered) - np.searchsorted(ordered, at, side="left"), np.int64)


def detections(boxes: pd.DataFrame, at: Floats, min_hits: int) -> pd.DataFrame:
    """Return in how many clips each label is `detected` at each threshold: index `conf`, a column per label."""
    held = holds(boxes, min_hits)
    columns = {str(label): _detected(part, at) for label, part in held.groupby("label", observed=True, sort=True)}
    return pd.DataFrame(columns, index=pd.Index(at, name="conf"))


def hits(boxes: pd.DataFrame, at: Floats) -> pd.DataFrame:
    """Return in how many sampled frames each label is seen at each threshold: index `conf`, a column per label."""
    tracks = labels_of_tracks(boxes)
    places = frame_scores(with_tracks(boxes), of="track")
    columns: dict[str, NDArray[np.int64]] = {
        label: np.zeros(len(at), np.int64) for label in sorted(set(tracks["label"]))
    }
    for row, conf in enumerate(at):
        now = tracks[(tracks["low"] < conf) & (conf <= tracks["high"])]
        here = places[places["conf"] >= conf].merge(now[["filename", "track", "label"]], on=["filename", "track"])
        seen = here.drop_duplicates(["filename", "label", "frame"])["label"].value_counts()
        for label, count in seen.items():
            columns[str(label)][row] = count
    return pd.DataFrame(columns, index=pd.Index(at, name="conf"))


def by_min_hits(boxes: pd.DataFrame, at: Floats, min_hits: Sequence[int]) -> pd.DataFrame:
    """Return how many labels of clips are `detected`: index `conf`, a column per `min_hits`."""
    counts = {number: _detected(holds(boxes, number), at) for number in min_hits}
    return pd.DataFrame(counts, index=pd.Index(at, name="conf"))


def on_the_edge(boxes: pd.DataFrame, conf: float) -> int:
    """Return how many boxes lie so near to `conf` that the file does not tell their side."""
    return int(((boxes["conf"] - conf).abs() <= EDGE_SCORE).sum())


@dataclass(frozen=True)
class Advice:
    """A threshold to use.

    Attributes:
        conf: the threshold.
        reason: why, in a line fit for a title.
        changes: labels of clips that come or go within :data:`NEARBY` of it; of so many `detected` at it.
        detected: labels of clips at the threshold.
    """

    conf: float
    reason: str
    changes: int
    detected: int


def steadiest(held: pd.DataFrame, at: Floats) -> Advice:
    """Return the threshold on which least depends: fewest labels come or go when it is a little off.

    Without a person's labels nothing says what is right, but results that depend on the third digit of a threshold are
    the least trustworthy. Of equally steady thresholds, the middle of their longest run is taken.

    Args:
        held: of :func:`holds`.
        at: the thresholds to choose from.
    """
    inside = at[(at >= at[0] + NEARBY - 1e-9) & (at <= at[-1] - NEARBY + 1e-9)]
    changes = _come_or_go(held, np.round(inside - NEARBY, 4), np.round(inside + NEARBY, 4))
    detected = _detected(held, inside)
    # where nothing is left, nothing changes either: no advice
    candidates = np.where(detected > 0, changes, np.iinfo(np.int64).max)
    if held.empty or not (detected > 0).any():
        return Advice(float("nan"), "nothing was detected, so there is nothing to choose by", 0, 0)
    first, last = _longest_run(candidates == candidates.min())
    middle = (first + last) // 2
    conf, count = float(inside[middle]), int(changes[middle])
    what = "no clip's labels change" if not count else f"{count} of {detected[middle]} detections change"
    low, high = inside[first] - NEARBY, inside[last] + NEARBY
    span = f"between {low:.2f} and {high:.2f}" if not count else f"from {conf - NEARBY:.2f} to {conf + NEARBY:.2f}"
    return Advice(conf, f"{span} {what}", count, int(detected[middle]))


def _come_or_go(held: pd.DataFrame, low: Floats, high: Floats) -> NDArray[np.int64]:
    """Return how many rows of :func:`holds` are detected at one of two thresholds only."""
    ends = held["holds_to"].to_numpy(np.float64)[:, None]
    begins = held["holds_from"].to_numpy(np.float64)[:, None] if "holds_from" in held else np.zeros_like(ends)
    there = [(begins < at) & (at <= ends) for at in (low, high)]
    return np.asarray((there[0] != there[1]).sum(axis=0), np.int64)


def _longest_run(flags: NDArray[np.bool_]) -> tuple[int, int]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    starts, ends = edges[::2], edges[1::2] - 1
    longest = int(np.argmax(ends - starts))
    return int(starts[longest]), int(ends[longest])


def best_f1(points: pd.DataFrame) -> Advice:
    """Return the threshold with the best F1 (as many right ones as can be had for as few wrong ones).

    Args:
        points: a row per threshold: `conf`, `precision`, `recall`, `found`; see
        :func:`notebooks.lab.data.matching.curve`.
    """
    f1 = f1_score(points)
    if not f1.notna().any() or not f1.max() > 0:
        return Advice(float("nan"), "nothing that was found is right, so there is nothing to choose by", 0, 0)
    good = np.flatnonzero(f1.to_numpy() >= f1.max() - 1e-12)
    best = points.iloc[int(good[0])]
    reason = f"most is right and least is missed: precision {best.precision:.2f}, recall {best.recall:.2f}"
    return Advice(float(best.conf), reason, 0, int(best.found))


def f1_score(points: pd.DataFrame) -> pd.Series[float]:
    """Return the harmonic mean of precision and recall, 0 where both are."""
    total = points["precision"] + points["recall"]
    return (2 * points["precision"] * points["recall"] / total.where(total > 0)).where(total.isna() | (total > 0), 0.0)


def as_worker(seen: RunBoxes, conf: float, min_hits: int, classes: Sequence[str] = ()) -> Mapping[str, Any]:
    """Return `detected`, `count` and `objects` as a run with this threshold would have written them.

    By the worker's own steps; the module's docstring says what is exact.

    Args:
        seen: a run's boxes; see :meth:`notebooks.lab.media.clip.Run.read`.
        conf: the threshold, from 0.1 (or the run's own, if lower) up.
        min_hits: sampled frames that a track must be seen in.
        classes: labels to report; none for all.
    """
    labels = seen.labels()
    number = {label: index for index, label in enumerate(labels)}
    follow = any(box.track is None for one in seen.samples for box in one.boxes)
    options = Options(conf=conf, min_hits=min_hits, classes=tuple(classes))
    context = StepContext(Source(duration_s=0.0), options, tuple(labels))
    with StepRunner(context, [Track, Summarise] if follow else [Summarise]) as runner:
        for sampled in seen.samples:
            runner.feed(_sample(sampled, number, follow))
        return runner.results()


def _sample(sampled: Sampled, number: Mapping[str, int], follow: bool) -> Sample:
    """Return a frame of a boxes file as the steps take it: with its boxes, but without a picture."""
    boxes = sampled.boxes
    found = Detections(
        np.array([box.xyxy for box in boxes], np.float32).reshape(-1, 4),
        np.array([box.score for box in boxes], np.float32),
        np.array([number[box.label] for box in boxes], np.int64),
    )
    columns = {} if follow else {TRACK: np.array([box.track for box in boxes], np.int64)}
    return Sample(sampled.frame, sampled.time_s, np.zeros((0, 0, 3), np.uint8), found, columns)


def runs_to_sweep(log: pd.DataFrame, video_dir: Path, **which: object) -> pd.DataFrame:
    """Return the last good run of each clip by one model at one size, as far as their boxes files are there.

    Args:
        log: of :func:`notebooks.lab.data.results.load_log`.
        video_dir: the shared volume.
        which: values of the log's columns, such as ``model="yolov8n"``, ``imgsz=640`` or ``camera="door"``. Model,
            its file, size and sampling are those of the last run that fits, unless given.

    Raises:
        SettingError: there is no such run.
    """
    there = list_boxes(video_dir)
    names = zip(log["filename"], log["run_id"], strict=True)
    kept = log["ok"] & pd.Series([boxes_name(name, str(run)) in there for name, run in names], log.index, bool)
    for column, value in which.items():
        kept &= log[column] == value
    runs = log[kept]
    if runs.empty:
        given = ", ".join(f"{column} {value}" for column, value in which.items())
        raise SettingError(f"no run {f'with {given} ' if given else ''}has a boxes file: there is nothing to sweep")
    for column in ("model", "model_sha256", "imgsz", "fps"):
        runs = runs[runs[column] == runs[column].iloc[-1]]
    return runs.drop_duplicates("filename", keep="last").sort_values("filename").reset_index(drop=True)


def changes(runs: pd.DataFrame, boxes: pd.DataFrame, conf: float, min_hits: int) -> pd.DataFrame:
    """Return the clips whose `detected` labels another threshold and `min_hits` would change.

    Returns:
        A row per clip: `filename`, `gone`, `come`, labels in their alphabet's order.
    """
    held = holds(boxes, min_hits)
    held = held[(held["holds_from"] < conf) & (conf <= held["holds_to"])]
    new = held.groupby("filename")["label"].agg(set).to_dict()
    rows = []
    for name, detected in zip(runs["filename"], runs["detected"], strict=True):
        before, after = set(detected), new.get(name, set())
        if before != after:
            rows.append((name, ", ".join(sorted(before - after)), ", ".join(sorted(after - before))))
    return pd.DataFrame(rows, columns=["filename", "gone", "come"])


def check(runs: pd.DataFrame, video_dir: Path) -> str:
    """Compute each run's result from its boxes file, and return a line with how often it equals the log."""
    same = 0
    for row in runs.to_dict("records"):
        path = boxes_path(video_dir, row["filename"], row["run_id"])
        seen = BoxesRun(row["run_id"], path, {"model": {"fps": row["fps"]}}).read()
        found = as_worker(seen, row["conf"], int(row["min_hits"]), row["classes"])
        same += tuple(found["detected"]) == row["detected"] and found["objects"] == json.loads(row["objects"])
    return (
        f"{same} of {len(runs)} runs: detected, hits, scores and times worked out anew are those of the log, tracks too"
    )


def by_class(
    boxes: pd.DataFrame, at: Floats, used: tuple[float, int], curves: Mapping[str, pd.DataFrame] | None = None
) -> pd.DataFrame:
    """Return a threshold for each class.

    Args:
        boxes: from 0.1 up.
        at: the thresholds to choose from.
        used: threshold and `min_hits` of the runs.
        curves: precision and recall of the classes that are labelled: those are chosen by F1, others by steadiness.

    Returns:
        A row per class, index `label`: `clips` (in which it is detected with `used`), `threshold`, `clips_then`, `why`.
    """
    held = holds(boxes, used[1])
    rows = {}
    for label, part in held.groupby("label", observed=True, sort=True):
        points = (curves or {}).get(str(label))
        advice = steadiest(part, at) if points is None else best_f1(points)
        now, then = _detected(part, np.array([used[0], advice.conf])).tolist()
        rows[str(label)] = {"clips": now, "threshold": advice.conf, "clips_then": then, "why": advice.reason}
    columns = ["clips", "threshold", "clips_then", "why"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("label")


@dataclass(frozen=True)
class Judged:
    """What a person's labels say of the boxes of runs.

    Attributes:
        boxes, verdict: the boxes in reviewed frames, and of each whether it is right; see
            :func:`notebooks.lab.data.matching.judge`.
        truth: the labels in the frames that the runs sampled.
    """

    boxes: pd.DataFrame
    verdict: pd.Series[Any]
    truth: pd.DataFrame

    def curve(self, label: str | None = None) -> pd.DataFrame:
        """Return precision and recall by threshold, of a class or of all boxes."""
        here = self.verdict.notna()
        there = self.truth["is_there"]
        if label is not None:
            here &= self.boxes["label"] == label
            there &= self.truth["label"] == label
        scores, right = self.boxes.loc[here, "conf"], self.verdict[here]
        return curve(scores.to_numpy(np.float64), right.to_numpy(np.bool_), int(there.sum()))

    def curves(self) -> dict[str, pd.DataFrame]:
        """Return the curve of each class of which an object is labelled."""
        return {label: self.curve(label) for label in sorted(set(self.truth.loc[self.truth["is_there"], "label"]))}


def judged(runs: pd.DataFrame, boxes: pd.DataFrame, truth: Truth, video_dir: Path) -> Judged | None:
    """Judge the boxes of `runs` in the reviewed frames that they sampled; None where there is no such frame."""
    sampled = pd.DataFrame(
        sorted(sampled_frames(runs.assign(clip=runs["filename"]), video_dir)), columns=["filename", "frame"]
    )
    frames = truth.frames.merge(sampled, on=["filename", "frame"])
    if frames.empty:
        return None
    there = in_frames(truth.boxes, frames).reset_index(drop=True)
    found = in_frames(boxes, frames).reset_index(drop=True)
    return Judged(found, judge(found, there, frames), there)
