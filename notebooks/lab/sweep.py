"""Other thresholds over runs that were made, from their boxes files, without inference.

What is exact, for thresholds from 0.1 (or the run's own, if lower) up: `detected`, its order, and of `objects` the
labels, `hits`, `max_conf`, `first_s`, `last_s`. Weaker boxes never change stronger ones (NMS goes from the best down),
so the files hold what a run with a higher threshold would have found. Scores are written to four digits: a box within
0.00005 of a threshold may fall on its other side; see :func:`on_the_edge`.

Not exact: `tracks`. A track begins at the threshold and weaker boxes go on with it, so they are followed anew, by the
worker's own tracker, over corners that were written to a tenth of a pixel. They came out equal wherever it was tried.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from notebooks.lab.clip import Run as BoxesRun
from notebooks.lab.clip import Seen
from notebooks.lab.compare import sampled_frames
from notebooks.lab.labels import Truth
from notebooks.lab.matching import curve, in_frames, judge
from shared_utils.clips import BOXES_FOLDER
from shared_utils.errors import SettingError
from shared_utils.schemas import Options
from video_worker.engines import Picture
from video_worker.frames import ClipFacts
from video_worker.postprocess import Detections
from video_worker.steps.base import Run, Sample
from video_worker.steps.summarise import Summarise
from video_worker.steps.track import Track

LOWEST = 0.1
"""Score from which the boxes files hold everything."""
EDGE = 0.00005
"""Half of the last digit of a score in the boxes files."""
STEP = 0.01
NEARBY = 0.05
"""How far a threshold may be off before one notices: a recommended one changes nothing so far to both sides."""

Floats = NDArray[np.float64]


def thresholds(low: float = LOWEST, high: float = 0.95, step: float = STEP) -> Floats:
    """Return thresholds to try, each a short decimal number."""
    return np.round(np.arange(low, high + step / 2, step), 4)


def frame_scores(boxes: pd.DataFrame) -> pd.DataFrame:
    """Return the best score of each label in each sampled frame: `filename`, `label`, `frame`, `conf`."""
    keys = ["filename", "label", "frame"]
    return boxes.groupby(keys, observed=True, sort=False)["conf"].max().reset_index()


def holds(boxes: pd.DataFrame, min_hits: int) -> pd.DataFrame:
    """Return up to which threshold each label of each clip is `detected`.

    That is the `min_hits`-th best of its frames: at a higher threshold too few frames are left.

    Returns:
        A row a clip and label that is ever detected: `filename`, `label`, `holds_to`.
    """
    best = frame_scores(boxes).sort_values("conf", ascending=False, kind="stable")
    keys = ["filename", "label"]
    last = best[best.groupby(keys, observed=True).cumcount() == min_hits - 1]
    found = last.rename(columns={"conf": "holds_to"})[[*keys, "holds_to"]]
    return found.sort_values(keys).reset_index(drop=True)


def _at_or_above(scores: pd.Series[float], at: Floats) -> NDArray[np.int64]:
    ordered = np.sort(scores.to_numpy(np.float64))
    return np.asarray(len(ordered) - np.searchsorted(ordered, at, side="left"), np.int64)


def detections(boxes: pd.DataFrame, at: Floats, min_hits: int) -> pd.DataFrame:
    """Return in how many clips each label is `detected` at each threshold: index `conf`, a column a label."""
    return _counted(holds(boxes, min_hits).rename(columns={"holds_to": "conf"}), at)


def hits(boxes: pd.DataFrame, at: Floats) -> pd.DataFrame:
    """Return in how many sampled frames each label is seen at each threshold: index `conf`, a column a label."""
    return _counted(frame_scores(boxes), at)


def _counted(rows: pd.DataFrame, at: Floats) -> pd.DataFrame:
    columns = {
        str(label): _at_or_above(part["conf"], at) for label, part in rows.groupby("label", observed=True, sort=True)
    }
    return pd.DataFrame(columns, index=pd.Index(at, name="conf"))


def by_min_hits(boxes: pd.DataFrame, at: Floats, min_hits: Sequence[int]) -> pd.DataFrame:
    """Return how many labels of clips are `detected`: index `conf`, a column a `min_hits`."""
    counts = {number: _at_or_above(holds(boxes, number)["holds_to"], at) for number in min_hits}
    return pd.DataFrame(counts, index=pd.Index(at, name="conf"))


def on_the_edge(boxes: pd.DataFrame, conf: float) -> int:
    """Return how many boxes lie so near to `conf` that the file can not tell their side."""
    return int(((boxes["conf"] - conf).abs() <= EDGE).sum())


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

    Without labels nobody knows what is right; but what hangs on the third digit of a threshold is least to be trusted.
    Of equally steady thresholds the one in the middle of the longest run of them is taken.

    Args:
        held: of :func:`holds`.
        at: the thresholds to choose from.
    """
    scores = held["holds_to"]
    inside = at[(at >= at[0] + NEARBY - 1e-9) & (at <= at[-1] - NEARBY + 1e-9)]
    changes = _at_or_above(scores, np.round(inside - NEARBY, 4)) - _at_or_above(scores, np.round(inside + NEARBY, 4))
    detected = _at_or_above(scores, inside)
    # where nothing is left, nothing changes either: no advice
    candidates = np.where(detected > 0, changes, np.iinfo(np.int64).max)
    if not len(scores) or not (detected > 0).any():
        return Advice(float("nan"), "nothing was detected, so there is nothing to choose by", 0, 0)
    first, last = _longest_run(candidates == candidates.min())
    middle = (first + last) // 2
    conf, count = float(inside[middle]), int(changes[middle])
    what = "no clip's labels change" if not count else f"{count} of {detected[middle]} detections change"
    low, high = inside[first] - NEARBY, inside[last] + NEARBY
    span = f"between {low:.2f} and {high:.2f}" if not count else f"from {conf - NEARBY:.2f} to {conf + NEARBY:.2f}"
    return Advice(conf, f"{span} {what}", count, int(detected[middle]))


def _longest_run(flags: NDArray[np.bool_]) -> tuple[int, int]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    starts, ends = edges[::2], edges[1::2] - 1
    longest = int(np.argmax(ends - starts))
    return int(starts[longest]), int(ends[longest])


def best_f1(points: pd.DataFrame) -> Advice:
    """Return the threshold with the best F1 (as many right ones as can be had for as few wrong ones).

    Args:
        points: a row a threshold: `conf`, `precision`, `recall`, `found`; see :func:`notebooks.lab.matching.curve`.
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


class _Labels:
    """Stands for the detector of a run that was made: gives its labels, and computes nothing."""

    engine = "boxes file"
    depth = 1

    def __init__(self, labels: Sequence[str]) -> None:
        self.labels = tuple(labels)

    def use_threads(self, threads: int) -> None:
        """Computes with none."""

    def start(self, picture: Picture, imgsz: int, min_score: float) -> Callable[[], Detections]:
        del picture, imgsz, min_score
        raise RuntimeError("a boxes file can not look at pictures")


def as_worker(seen: Seen, conf: float, min_hits: int) -> Mapping[str, Any]:
    """Return `detected`, `count` and `objects` as a run with this threshold would have written them.

    By the worker's own steps; the module tells what is exact.

    Args:
        seen: a run's boxes; see :meth:`notebooks.lab.clip.Run.read`.
        conf: the threshold, from 0.1 (or the run's own, if lower) up.
        min_hits: sampled frames a label must be seen in.
    """
    labels = seen.labels()
    number = {label: index for index, label in enumerate(labels)}
    nothing = ClipFacts(width=0, height=0, frames=0, sampled=len(seen.samples), duration_s=0.0, started_at=None)
    run = Run(Options(conf=conf, min_hits=min_hits), nothing, _Labels(labels))
    steps = [Track(run), Summarise(run)]
    for sampled in seen.samples:
        sample = Sample.of(sampled.frame, sampled.time_s, np.zeros((0, 0, 3), np.uint8))
        if sampled.boxes:
            sample.detections = Detections(
                np.array([box.xyxy for box in sampled.boxes], np.float32),
                np.array([box.score for box in sampled.boxes], np.float32),
                np.array([number[box.label] for box in sampled.boxes], np.int64),
            )
        for step in steps:
            step.take(sample)
    return steps[-1].result()


def runs_to_sweep(log: pd.DataFrame, video_dir: Path, **which: object) -> pd.DataFrame:
    """Return the last good run of each clip by one model at one size, as far as their boxes files are there.

    Args:
        log: of :func:`shared_utils.results.load_log`.
        video_dir: the shared volume.
        which: values of the log's columns, such as ``model="yolov8n"``, ``imgsz=640`` or ``camera="door"``. Model,
            its file, size and sampling are those of the last run that fits, where nothing else is told.

    Raises:
        SettingError: there is no such run.
    """
    there = {path.name for path in (video_dir / BOXES_FOLDER).glob("*.jsonl")}
    names = zip(log["filename"], log["run_id"], strict=True)
    kept = log["ok"] & pd.Series(
        [f"{PurePath(name).stem}.{run}.jsonl" in there for name, run in names], log.index, bool
    )
    for column, value in which.items():
        kept &= log[column] == value
    runs = log[kept]
    if runs.empty:
        told = ", ".join(f"{column} {value}" for column, value in which.items())
        raise SettingError(f"no run {f'with {told} ' if told else ''}has a boxes file: there is nothing to sweep")
    for column in ("model", "model_sha256", "imgsz", "fps"):
        runs = runs[runs[column] == runs[column].iloc[-1]]
    return runs.drop_duplicates("filename", keep="last").sort_values("filename").reset_index(drop=True)


def changes(runs: pd.DataFrame, boxes: pd.DataFrame, conf: float, min_hits: int) -> pd.DataFrame:
    """Return the clips whose `detected` labels another threshold and `min_hits` would change.

    Returns:
        A row a clip: `filename`, `gone`, `come`, labels in their alphabet's order.
    """
    held = holds(boxes, min_hits)
    held = held[held["holds_to"] >= conf]
    new = held.groupby("filename")["label"].agg(set).to_dict()
    rows = []
    for name, detected in zip(runs["filename"], runs["detected"], strict=True):
        before, after = set(detected), new.get(name, set())
        if before != after:
            rows.append((name, ", ".join(sorted(before - after)), ", ".join(sorted(after - before))))
    return pd.DataFrame(rows, columns=["filename", "gone", "come"])


def check(runs: pd.DataFrame, video_dir: Path) -> str:
    """Work out each run's own result from its boxes file, and tell in a line how often it is what the log says."""
    same = same_but_tracks = 0
    for row in runs.to_dict("records"):
        path = video_dir / BOXES_FOLDER / f"{PurePath(row['filename']).stem}.{row['run_id']}.jsonl"
        seen = BoxesRun(row["run_id"], path, {"model": {"fps": row["fps"]}}).read()
        found = as_worker(seen, row["conf"], int(row["min_hits"]))
        logged = json.loads(row["objects"])
        if tuple(found["detected"]) != row["detected"] or _without_tracks(found["objects"]) != _without_tracks(logged):
            continue
        same_but_tracks += 1
        same += found["objects"] == logged
    text = (
        f"{same_but_tracks} of {len(runs)} runs: detected, hits, scores and times worked out anew are those of the log"
    )
    return text + (", tracks too" if same == same_but_tracks else f"; tracks too in {same}")


def _without_tracks(entries: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in entry.items() if key != "tracks"} for entry in entries]


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
        A row a class, index `label`: `clips` (in which it is detected as it was run), `threshold`, `clips_then`, `why`.
    """
    held = holds(boxes, used[1])
    rows = {}
    for label, part in held.groupby("label", observed=True, sort=True):
        points = (curves or {}).get(str(label))
        advice = steadiest(part, at) if points is None else best_f1(points)
        now, then = (int((part["holds_to"] >= conf).sum()) for conf in (used[0], advice.conf))
        rows[str(label)] = {"clips": now, "threshold": advice.conf, "clips_then": then, "why": advice.reason}
    columns = ["clips", "threshold", "clips_then", "why"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("label")


@dataclass(frozen=True)
class Judged:
    """What a person's labels say of the boxes of runs.

    Attributes:
        boxes, verdict: the boxes in reviewed frames, and of each whether it is right; see
            :func:`notebooks.lab.matching.judge`.
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
