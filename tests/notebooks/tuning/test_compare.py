"""Batches of runs and their comparison: on a real queue and worker, and against tables worked out by hand."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from devtools.paths import SCENE_MODEL
from devtools.redis_server import RedisServer
from notebooks.lab.data.labels import read
from notebooks.lab.data.results import boxes, load_log
from notebooks.lab.jobs import batch
from notebooks.lab.review.label_changes import Change, change
from notebooks.lab.tuning import compare
from notebooks.lab.tuning import compare_pictures as pictures
from shared_utils.contracts.labels import Label
from shared_utils.errors import SettingError
from tests.notebooks.conftest import RunNotebook
from tests.support.compared_runs import CAR, DOG, USUAL, A, B, two, write_run
from tests.support.programs import Programs
from video_worker import messages


def test_two_configurations_by_hand(two_clips: Path) -> None:
    comparison = two(two_clips)
    pair = compare.pair(comparison)
    clip = pair.by_clip.loc[A]
    assert clip[["both", "only_left", "only_right"]].tolist() == [2, 2, 1]
    assert clip["agreement"] == pytest.approx(2 * 2 / (2 * 2 + 2 + 1))
    assert (clip["labels_both"], clip["labels_left"], clip["labels_right"]) == ({"car"}, {"dog"}, set())
    assert pair.by_clip.loc[B, "agreement"] == 1
    assert pair.same_labels == 1
    assert pair.agreement == pytest.approx(4 / 7)
    classes = pair.by_class
    assert classes.index.tolist() == ["car", "cat", "dog"]
    assert classes[["clips_both", "clips_left", "clips_right"]].to_numpy().tolist() == [[1, 0, 0], [0, 0, 0], [0, 1, 0]]
    assert classes[["both", "only_left", "only_right"]].to_numpy().tolist() == [[2, 0, 0], [0, 0, 1], [0, 2, 0]]
    assert classes["agreement"].tolist() == [1, 0, 0]
    turned = compare.pair(comparison, 1, 0)
    assert turned.agreement == pair.agreement
    assert turned.by_clip.loc[A, ["only_left", "only_right"]].tolist() == [1, 2]


def test_what_only_one_saw_and_what_the_other_saw_there(two_clips: Path) -> None:
    only = compare.pair(two(two_clips)).only
    # the cat of one frame is no object: min_hits is 2
    [row] = only.to_dict("records")
    assert (row["side"], row["filename"], row["label"], row["frame"], row["conf"]) == ("640 px", A, "dog", 2, 0.9)
    assert (row["hits"], row["of"], row["new_label"]) == (2, 2, True)
    assert row["other"] == "no dog there"


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (("dog", 0.2, *DOG, None), "dog 0.20, below 0.5"),
        (("cat", 0.8, *DOG, 1), "cat 0.80"),
        (("dog", 0.8, 50, 50, 60, 54, 1), "dog 0.80, placed otherwise"),
        (("cat", 0.8, 55, 50, 65, 60, 1), "no dog there"),
    ],
)
def test_the_other_side_in_words(two_clips: Path, other: tuple[Any, ...], expected: str) -> None:
    first, second = wanted = batch.configurations([{"imgsz": 640}, {"imgsz": 320}], USUAL)
    write_run(two_clips, A, first.options, {n: [("dog", 0.9, *DOG, 1)] for n in range(3)})
    write_run(two_clips, A, second.options, {n: [other] for n in range(3)})
    pair = compare.pair(compare.load(batch.find_runs([A], wanted, two_clips), wanted, two_clips))
    assert pair.only.loc[pair.only["side"] == "640 px", "other"].tolist() == [expected]


def test_of_runs_of_different_rates_the_common_frames_are_compared(two_clips: Path) -> None:
    first, second = wanted = batch.configurations([{"fps": 5}, {"fps": 2.5}], USUAL)
    every = {n: [("car", 0.9, *CAR, 1)] for n in range(6)}
    write_run(two_clips, A, first.options, every, range(6))
    write_run(two_clips, A, second.options, {n: every[n] for n in (0, 2)}, range(0, 6, 2))
    comparison = compare.load(batch.find_runs([A], wanted, two_clips), wanted, two_clips)
    assert comparison.frames["frame"].tolist() == [0, 2, 4]
    pair = compare.pair(comparison)
    # the second one sampled frame 4, and found nothing
    assert pair.by_clip.loc[A, ["both", "only_left", "only_right"]].tolist() == [2, 1, 0]


def test_classes_of_other_names_can_be_declared_the_same(two_clips: Path) -> None:
    first, second = wanted = batch.configurations([{"model": "a.onnx"}, {"model": "b.onnx"}], USUAL)
    write_run(two_clips, A, first.options, {n: [("motorbike", 0.9, *CAR, 1)] for n in range(3)})
    write_run(two_clips, A, second.options, {n: [("motorcycle", 0.9, *CAR, 1)] for n in range(3)})
    runs = batch.find_runs([A], wanted, two_clips)
    apart = compare.pair(compare.load(runs, wanted, two_clips))
    assert apart.agreement == 0
    assert apart.only["other"].tolist() == ["motorcycle 0.90", "motorbike 0.90"]
    same = compare.pair(compare.load(runs, wanted, two_clips, {"motorbike": "motorcycle"}))
    assert same.agreement == 1
    assert same.by_clip.loc[A, "same_labels"]


def test_more_than_two(two_clips: Path) -> None:
    wanted = batch.configurations([{"imgsz": 640}, {"imgsz": 320}, {"imgsz": 160}], USUAL)
    for one, score in zip(wanted, (0.9, 0.8, 0.2), strict=True):
        write_run(two_clips, A, one.options, {n: [("car", score, *CAR, 1)] for n in range(2)})
    comparison = compare.load(batch.find_runs([A], wanted, two_clips), wanted, two_clips)
    assert compare.matrix(comparison).to_numpy().tolist() == [[1, 1, 0], [1, 1, 0], [0, 0, 1]]
    assert compare.seconds(comparison)["infer_s"].tolist() == [2.0, 1.0, 0.5]


def test_clips_that_not_all_have_are_left_out_and_reported(two_clips: Path) -> None:
    first, second, third = wanted = batch.configurations([{"imgsz": 640}, {"imgsz": 320}, {"imgsz": 160}], USUAL)
    write_run(two_clips, A, first.options, {})
    write_run(two_clips, B, first.options, {})
    write_run(two_clips, B, second.options, {})
    comparison = compare.load(batch.find_runs([A, B], wanted, two_clips), wanted, two_clips)
    assert comparison.clips == (B,)
    assert comparison.notes == (
        "left out, as it has no run: 160 px",
        "left out: 1 of 2 clips, of which not all configurations have a run",
    )
    assert third.name not in set(comparison.runs["configuration"])


def test_nothing_to_compare_is_reported_in_one_line(two_clips: Path) -> None:
    first, second = wanted = batch.configurations([{"imgsz": 640}, {"imgsz": 320}], USUAL)
    write_run(two_clips, A, first.options, {})
    with pytest.raises(SettingError, match="1 of 2 configurations have runs"):
        compare.load(batch.find_runs([A], wanted, two_clips), wanted, two_clips)
    write_run(two_clips, B, second.options, {})
    with pytest.raises(SettingError, match="no clip has a run by each configuration"):
        compare.load(batch.find_runs([A, B], wanted, two_clips), wanted, two_clips)


def test_against_labels_by_hand(two_clips: Path) -> None:
    comparison = two(two_clips)
    assert compare.against_truth(comparison, read(two_clips)).empty
    labels = [Label(n / 5, n, "car", CAR, "right") for n in (0, 1)] + [Label(0.4, 2, "dog", DOG, "missed")]
    change(two_clips, A, Change(added=tuple(labels), reviewed=frozenset({0, 1, 2, 3})))
    scores = compare.against_truth(comparison, read(two_clips))
    first, second = scores.loc["640 px"], scores.loc["320 px"]
    assert first.loc["car", ["precision", "recall", "ap50"]].tolist() == [1, 1, 1]
    # one dog is right, one is not; the right one has the better score
    assert first.loc["dog", ["precision", "recall", "ap50"]].tolist() == [0.5, 1, 1]
    assert second.loc["car", ["precision", "recall"]].tolist() == [1, 1]
    assert second.loc["dog", ["found", "recall"]].tolist() == [0, 0]
    assert second.loc["cat", ["found", "right"]].tolist() == [1, 0]
    assert first.loc["all", ["objects", "found", "right"]].tolist() == [3, 4, 3]


@pytest.mark.usefixtures("house_style")
def test_pictures_of_clips_that_are_gone(two_clips: Path) -> None:
    comparison = two(two_clips)
    pair = compare.pair(comparison)
    (two_clips / A).unlink()
    shown = pictures.gallery(comparison, pair, two_clips)
    assert "the clip is gone" in [text.get_text() for axes in shown.axes for text in axes.texts]
    agreement = pictures.agreement_picture(comparison, pair).axes[0]
    assert agreement.get_title(loc="left") == "640 px and 320 px agree on 57 % of the boxes"
    classes = pictures.classes_picture(comparison, pair).axes[0]
    assert classes.get_title(loc="left") == "Most differs for dog: 1 clip in which only 640 px has it"
    seconds = pictures.seconds_picture(comparison).axes[0]
    assert seconds.get_title(loc="left") == "320 px takes 1.20 s per clip, 640 px 1.8 times as long"
    assert pictures.matrix_picture(comparison).axes[0].get_title(loc="left") == "640 px and 320 px differ most"


@pytest.mark.usefixtures("house_style")
def test_pictures_of_nothing(two_clips: Path) -> None:
    wanted = batch.configurations([{"imgsz": 640}, {"imgsz": 320}], USUAL)
    for one in wanted:
        write_run(two_clips, A, one.options, {})
    comparison = compare.load(batch.find_runs([A], wanted, two_clips), wanted, two_clips)
    pair = compare.pair(comparison)
    for draw in (pictures.agreement_picture, pictures.classes_picture):
        assert draw(comparison, pair).axes
    assert pictures.gallery(comparison, pair, two_clips).axes[0].get_title(loc="left").startswith("Neither saw")
    assert pictures.truth_picture(compare.against_truth(comparison, read(two_clips))).axes


def test_the_notebook(
    run_notebook: RunNotebook,
    sample_volume: Path,
    redis_server: RedisServer,
    programs: Programs,
    tmp_path: Path,
) -> None:
    models = tmp_path / "models"
    models.mkdir()
    for name in ("scene.onnx", "street.onnx"):
        shutil.copy(SCENE_MODEL, models / name)
    (models / "broken.onnx").write_text("no model")
    env = {**redis_server.env, "MODELS_DIR": str(models), "YOLO_MODEL": "scene.onnx", "VIDEO_DIR": str(sample_volume)}
    log = load_log(sample_volume)
    name = log.loc[log["ok"] & log["model_sha256"].notna() & (log["count"] > 0), "filename"].iloc[-1]
    best = boxes(log[(log["filename"] == name) & (log["conf"] == 0.5)], sample_volume, 0.5).iloc[0]
    x1, y1, x2, y2 = map(float, best[["x1", "y1", "x2", "y2"]])
    label = Label(float(best["t"]), int(best["frame"]), best["label"], (x1, y1, x2, y2), "right")
    change(sample_volume, name, Change(added=(label,)))
    programs.python("-m", "video_worker", env=env).wait_for(messages.WORKER_READY)
    asked = [{"imgsz": 640}, {"model": "street.onnx", "imgsz": 160}, {"model": "broken.onnx"}]
    changes = {
        'CLIPS = "*"': f"CLIPS = {[name, '20200101-000000-gone.mp4']!r}",
        'CONFIGURATIONS = [{"imgsz": 640}, {"imgsz": 320}, {"imgsz": 192}]': f"CONFIGURATIONS = {asked!r}",
        "PAIR = 0, 2": "PAIR = 0, 1",
    }
    values = [
        "runs[['clip', 'configuration', 'state', 'reason']]", "pair.by_class.reset_index()", "pair.agreement",
        "scores.reset_index()", "[one.name for one in comparison.configurations]",
    ]  # fmt: skip
    done = run_notebook("CompareRuns", sample_volume, env, values=values, changes=changes)
    runs = pd.DataFrame(done.values[values[0]])
    assert runs.loc[runs["clip"] == name, "state"].tolist() == ["there", "new", "failed"]
    assert (runs.loc[runs["clip"] != name, "state"] == "no such clip").all()
    assert "broken" in runs.loc[runs["state"] == "failed", "reason"].iloc[0]
    assert done.values[values[4]] == ["scene, 640 px", "street, 160 px"]
    after = load_log(sample_volume)
    assert len(after) == len(log) + 2
    # what the cells computed is what the two boxes files say
    mine = after[(after["filename"] == name) & after["ok"]]
    counts = [
        boxes(mine[(mine["imgsz"] == imgsz) & (mine["conf"] == 0.5)], sample_volume, 0.5)["label"].value_counts()
        for imgsz in (640, 160)
    ]
    for row in done.values[values[1]]:
        both = row["both"]
        assert both + row["only_left"] == counts[0].get(row["label"], 0)
        assert both + row["only_right"] == counts[1].get(row["label"], 0)
    assert 0 < done.values["pair.agreement"] < 1
    scores = pd.DataFrame(done.values[values[3]]).set_index(["configuration", "label"])
    assert scores.loc[("scene, 640 px", best["label"]), ["objects", "right", "recall"]].tolist() == [1, 1, 1]
    assert len(done.pictures) == 4
