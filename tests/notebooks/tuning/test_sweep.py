"""Other thresholds from boxes files: by hand, against real runs, and the notebook."""

from __future__ import annotations

import json
import math
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from devtools.paths import SCENE_MODEL
from notebooks.lab.data.labels import read
from notebooks.lab.data.results import boxes, load_log
from notebooks.lab.media.clip import Run as BoxesRun
from notebooks.lab.media.clip import runs_of
from notebooks.lab.review.label_changes import Change, change
from notebooks.lab.tuning import sweep
from shared_utils.contracts.job_options import Options
from shared_utils.contracts.labels import Label
from shared_utils.errors import SettingError
from tests.notebooks.conftest import RunNotebook
from video_worker.engines.base import EngineChoice
from video_worker.models.registry import ModelRegistry
from video_worker.pipeline.analysis import Analyst, Task
from video_worker.pipeline.run_names import RunNames

AT = np.array([0.1, 0.3, 0.5, 0.7, 0.9])


def table(*rows: tuple[str, int, str, float]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["filename", "frame", "label", "conf"])


@pytest.fixture
def found() -> pd.DataFrame:
    return table(
        ("a", 0, "car", 0.9), ("a", 0, "car", 0.2), ("a", 1, "car", 0.6), ("a", 2, "car", 0.3),
        ("a", 2, "dog", 0.8),
        ("b", 0, "car", 0.5), ("b", 1, "car", 0.5),
    )  # fmt: skip


def test_the_score_of_a_frame_is_its_best_box(found: pd.DataFrame) -> None:
    best = sweep.frame_scores(found).set_index(["filename", "label", "frame"])["conf"]
    assert best["a", "car", 0] == 0.9
    assert len(best) == 6


@pytest.mark.parametrize(
    ("min_hits", "expected"),
    [
        (1, {("a", "car"): 0.9, ("a", "dog"): 0.8, ("b", "car"): 0.5}),
        (2, {("a", "car"): 0.6, ("b", "car"): 0.5}),
        (3, {("a", "car"): 0.3}),
        (4, {}),
    ],
)
def test_up_to_where_a_label_holds(found: pd.DataFrame, min_hits: int, expected: dict[Any, float]) -> None:
    held = sweep.holds(found, min_hits)
    assert dict(zip(zip(held["filename"], held["label"], strict=True), held["holds_to"], strict=True)) == expected


def test_detections_and_hits_by_hand(found: pd.DataFrame) -> None:
    assert sweep.detections(found, AT, 2).to_dict("list") == {"car": [2, 2, 2, 0, 0]}
    assert sweep.detections(found, AT, 1).to_dict("list") == {"car": [2, 2, 2, 1, 1], "dog": [1, 1, 1, 1, 0]}
    assert sweep.hits(found, AT).to_dict("list") == {"car": [5, 5, 4, 1, 1], "dog": [1, 1, 1, 1, 0]}
    assert sweep.by_min_hits(found, AT, [1, 2, 4]).to_dict("list") == {
        1: [3, 3, 3, 2, 1], 2: [2, 2, 2, 0, 0], 4: [0, 0, 0, 0, 0],
    }  # fmt: skip


def tracked(*rows: tuple[int, int, str, float]) -> pd.DataFrame:
    """Return boxes of one clip given as frame, track, label, score."""
    return pd.DataFrame(rows, columns=["frame", "track", "label", "conf"]).assign(filename="a")


def test_hits_count_within_one_track() -> None:
    apart = tracked((0, 1, "frisbee", 0.9), (250, 2, "frisbee", 0.9), (0, 3, "car", 0.9), (1, 3, "car", 0.8))
    assert sweep.holds(apart, 2)[["label", "holds_to"]].to_numpy().tolist() == [["car", 0.8]]
    assert sweep.hits(apart, AT).loc[0.9].to_dict() == {"car": 1, "frisbee": 2}


def test_a_track_has_the_label_that_is_best_supported_at_each_threshold() -> None:
    # a car by three boxes of 0.6, a bus by two of 0.8: together a car up to 0.6, above it a bus
    track = tracked(*((n, 1, "car", 0.6) for n in range(3)), *((n, 1, "bus", 0.8) for n in (3, 4)))
    assert sweep.holds(track, 2).to_numpy().tolist() == [["a", "bus", 0.6, 0.8], ["a", "car", 0.0, 0.6]]
    assert sweep.detections(track, AT, 2).to_dict("list") == {"bus": [0, 0, 0, 1, 0], "car": [1, 1, 1, 0, 0]}
    assert sweep.hits(track, AT).to_dict("list") == {"bus": [0, 0, 0, 2, 0], "car": [5, 5, 5, 0, 0]}
    assert sweep.by_min_hits(track, AT, [2, 3])[3].tolist() == [1, 1, 1, 0, 0]
    runs = pd.DataFrame({"filename": ["a"], "detected": [("car",)]})
    assert sweep.changes(runs, track, 0.7, 2).to_numpy().tolist() == [["a", "car", "bus"]]


@pytest.mark.parametrize("classes", [("person",), ("car",), ("car", "person"), ()])
def test_a_run_with_classes_is_swept_by_them_alone(tmp_path: Path, classes: tuple[str, ...]) -> None:
    """One track, car in five frames and person in three: record, sweep and sheet agree on it."""
    (tmp_path / "boxes").mkdir()
    names = ["car", "person", "car", "car", "person", "car", "person", "car"]
    lines = [{"t": n / 5, "frame": n, "boxes": [[name, 0.6, 1, 1, 9, 9, 1]]} for n, name in enumerate(names)]
    lines.append({"t": 2.0, "frame": 8, "boxes": [["dog", 0.9, 1, 1, 9, 9, 1]]})
    path = tmp_path / "boxes" / "a.r.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    seen = BoxesRun("r", path, {"model": {"fps": 5}}).read()
    record = sweep.as_worker(seen, 0.5, 2, classes)
    now = pd.Timestamp("2026-02-23", tz="UTC")
    runs = pd.DataFrame([{"ok": True, "filename": "a.mp4", "run_id": "r", "started_at": now, "classes": classes}])
    found = sweep.boxes_of(runs, tmp_path)
    hits = sweep.hits(found, np.array([0.5])).iloc[0]
    assert {label: count for label, count in hits.items() if count} == {
        entry["label"]: entry["hits"] for entry in record["objects"]
    }
    held = sweep.holds(found, 2)
    assert held.loc[(held["holds_from"] < 0.5) & (held["holds_to"] >= 0.5), "label"].tolist() == record["detected"]
    views = seen.best_views(0.5, 2, classes)
    assert [(view.box.label, view.hits, dict(view.also)) for view in views] == [
        (entry["label"], entry["hits"], entry.get("also", {})) for entry in record["objects"]
    ]


def test_nothing_was_found() -> None:
    nothing = table().astype({"conf": float})
    assert sweep.holds(nothing, 2).empty
    assert sweep.detections(nothing, AT, 2).shape == (5, 0)
    assert sweep.by_min_hits(nothing, AT, [2])[2].tolist() == [0] * 5
    assert math.isnan(sweep.steadiest(sweep.holds(nothing, 2), AT).conf)
    assert sweep.by_class(nothing, AT, (0.5, 2)).empty


def test_the_steadiest_threshold_is_in_the_middle_of_the_widest_gap() -> None:
    held = pd.DataFrame({"filename": list("abcd"), "label": "car", "holds_to": [0.2, 0.25, 0.75, 0.8]})
    advice = sweep.steadiest(held, sweep.thresholds())
    assert advice.conf == pytest.approx(0.5, abs=0.011)
    assert advice.changes == 0
    assert advice.detected == 2
    assert advice.reason == "between 0.26 and 0.75 no clip's labels change"


def test_where_every_threshold_changes_something_the_least_is_taken() -> None:
    held = pd.DataFrame({"filename": "a", "label": "car", "holds_to": np.arange(0.1, 1.0, 0.02)})
    held = pd.concat([held, pd.DataFrame({"filename": ["b"], "label": ["car"], "holds_to": [0.9]})], ignore_index=True)
    advice = sweep.steadiest(held, sweep.thresholds())
    assert advice.changes == 5
    assert "of" in advice.reason
    assert "detections change" in advice.reason


def test_the_best_f1_by_hand() -> None:
    points = pd.DataFrame(
        {"conf": [0.9, 0.7, 0.5], "found": [1, 2, 4], "precision": [1, 1, 0.5], "recall": [0.5, 1, 1]}
    )
    advice = sweep.best_f1(points)
    assert (advice.conf, advice.detected) == (0.7, 2)
    assert sweep.f1_score(points).tolist() == pytest.approx([2 / 3, 1, 2 / 3])


def test_nothing_right_gives_no_advice() -> None:
    points = pd.DataFrame({"conf": [0.9], "found": [1], "precision": [0.0], "recall": [0.0]})
    assert math.isnan(sweep.best_f1(points).conf)
    assert math.isnan(sweep.best_f1(points.iloc[:0]).conf)


def test_which_clips_would_change(found: pd.DataFrame) -> None:
    runs = pd.DataFrame({"filename": ["a", "b", "c"], "detected": [("car",), ("car",), ()]})
    changed = sweep.changes(runs, found, 0.55, 1)
    assert changed.to_numpy().tolist() == [["a", "", "dog"], ["b", "car", ""]]
    assert sweep.changes(runs, found, 0.5, 2).empty


def test_boxes_on_the_edge_are_counted() -> None:
    assert sweep.on_the_edge(table(("a", 0, "car", 0.5), ("a", 1, "car", 0.5001), ("a", 2, "car", 0.49995)), 0.5) == 2


@pytest.mark.parametrize(("conf", "min_hits"), [(0.25, 2), (0.5, 1), (0.8, 5)])
def test_a_threshold_gives_what_a_real_run_with_it_gives(made_volume: Path, conf: float, min_hits: int) -> None:
    store = ModelRegistry((SCENE_MODEL.parent,), EngineChoice(threads=1), SCENE_MODEL)
    analyst = Analyst(store, 1, lambda: datetime.now().astimezone())
    runs = sweep.runs_to_sweep(load_log(made_volume), made_volume)
    # the clip with most to find
    name = boxes(runs, made_volume)["filename"].mode().iloc[0]
    options = Options(model=SCENE_MODEL.name, conf=conf, min_hits=min_hits)
    real = analyst.analyse(Task(made_volume / name, RunNames(name, "r", None), options), lambda *_: None, lambda: False)
    [base] = [run for run in runs_of(made_volume, name) if run.conf == 0.5]
    computed = sweep.as_worker(base.read(), conf, min_hits)
    assert computed["detected"] == real["detected"]
    assert computed["objects"] == real["objects"]
    mine = boxes(runs[runs["filename"] == name], made_volume)
    hits = sweep.hits(mine, np.array([conf])).iloc[0].to_dict()
    assert {label: count for label, count in hits.items() if count} == {
        entry["label"]: entry["hits"] for entry in real["objects"]
    }
    held = sweep.holds(mine, min_hits)
    assert set(held.loc[held["holds_to"] >= conf, "label"]) == set(real["detected"])


def test_the_check_finds_what_differs(made_volume: Path) -> None:
    runs = sweep.runs_to_sweep(load_log(made_volume), made_volume)
    assert sweep.check(runs, made_volume).startswith(f"{len(runs)} of {len(runs)} runs:")
    runs.loc[0, "conf"] = 0.95
    assert sweep.check(runs, made_volume).startswith(f"{len(runs) - 1} of {len(runs)} runs:")


def test_without_boxes_files_there_is_nothing_to_sweep(made_volume: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="no run has a boxes file"):
        sweep.runs_to_sweep(load_log(made_volume), tmp_path)
    with pytest.raises(SettingError, match="no run with camera nowhere has a boxes file"):
        sweep.runs_to_sweep(load_log(made_volume), made_volume, camera="nowhere")


def test_only_reviewed_and_sampled_frames_are_judged(sample_volume: Path) -> None:
    runs = sweep.runs_to_sweep(load_log(sample_volume), sample_volume)
    every = boxes(runs, sample_volume)
    assert sweep.judged(runs, every, read(sample_volume), sample_volume) is None
    best = every.iloc[int(every["conf"].to_numpy().argmax())]
    corners = tuple(best[["x1", "y1", "x2", "y2"]])
    label = Label(best["t"], int(best["frame"]), best["label"], corners, "right")
    # one frame with its one object labelled, and one that no run sampled
    change(sample_volume, best["filename"], Change(added=(label,), reviewed=frozenset({int(best["frame"]), 1})))
    judged = sweep.judged(runs, every, read(sample_volume), sample_volume)
    assert judged is not None
    assert set(judged.boxes["frame"]) == {best["frame"]}
    assert judged.curve(best["label"]).iloc[0][["conf", "precision", "recall"]].tolist() == [best["conf"], 1, 1]
    assert list(judged.curves()) == [best["label"]]


def test_the_notebook(run_notebook: RunNotebook, sample_volume: Path) -> None:
    runs = sweep.runs_to_sweep(load_log(sample_volume), sample_volume)
    every = boxes(runs, sample_volume)
    for row in every[every["conf"] >= 0.5].to_dict("records"):
        label = Label(row["t"], row["frame"], row["label"], (row["x1"], row["y1"], row["x2"], row["y2"]), "right")
        change(sample_volume, row["filename"], Change(added=(label,), reviewed=frozenset({row["frame"]})))
    done = run_notebook(
        "ThresholdSweep", sample_volume, values=["counts", "advice.conf", "best.conf", "table", "len(runs)", "used"]
    )
    assert done.values["len(runs)"] == len(runs)
    assert f"{len(runs)} of {len(runs)} runs: detected, hits, scores and times" in done.text
    counts = pd.DataFrame(done.values["counts"])
    expected = sweep.detections(every, sweep.thresholds(0.1, 0.95, 0.01), 2).reset_index(drop=True)
    pd.testing.assert_frame_equal(counts, expected, check_dtype=False)
    log = load_log(sample_volume).drop_duplicates("run_id").set_index("run_id")
    detected = [label for run in runs["run_id"] for label in log.loc[run, "detected"]]
    assert counts.iloc[40].to_dict() == {label: detected.count(label) for label in counts}
    assert 0.1 < done.values["advice.conf"] < 0.95
    # what was labelled is what has 0.5 or more, so that the best threshold is the lowest score from there up
    assert done.values["best.conf"] == every.loc[every["conf"] >= 0.5, "conf"].min()
    assert len(done.values["table"]) == len(counts.columns)
    assert len(done.pictures) == 4
