"""Batches of runs and their comparison: on a real queue and worker, and against tables worked out by hand."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from rq import Queue
from rq.job import Job

from devtools.paths import SCENE_MODEL
from devtools.redis_server import RedisServer
from notebooks.lab.data.labels import read
from notebooks.lab.data.results import boxes, load_log
from notebooks.lab.jobs import batch
from notebooks.lab.jobs.job_bars import watch
from notebooks.lab.review.label_changes import Change, change
from notebooks.lab.tuning import compare
from notebooks.lab.tuning import compare_pictures as pictures
from shared_utils.config.job_options import options_from_env
from shared_utils.contracts.detections_log import append_record, log_path
from shared_utils.contracts.job_options import Options
from shared_utils.contracts.labels import Label
from shared_utils.errors import ClipMissing, JobRefused, SettingError
from shared_utils.queue.job_states import JobState
from shared_utils.queue.jobs import clip_queue, states, submit
from tests.notebooks.conftest import RunNotebook
from tests.support.programs import Programs
from video_worker import messages

USUAL = Options(model=SCENE_MODEL.name)
Found = dict[int, list[tuple[Any, ...]]]
"""Boxes of a run by frame: label, score, x1, y1, x2, y2, track."""


def write_run(
    folder: Path, name: str, options: Options, found: Found, frames: Sequence[int] = range(4), **model: Any
) -> str:
    """Write a run as a worker would have: its line in the log, its boxes file. Return its id.

    Args:
        model: entries of the record's `model` that are otherwise than asked for.
    """
    run_id = f"{Path(name).stem}-" + "-".join(map(str, [*asdict(options).values(), *model.values()]))
    seen: dict[str, int] = {}
    for rows in found.values():
        for label in {row[0] for row in rows if row[1] >= options.conf}:
            seen[label] = seen.get(label, 0) + 1
    detected = [label for label, hits in seen.items() if hits >= options.min_hits]
    record = {
        "ok": True, "filename": name, "detected": detected, "count": len(detected),
        "timestamp": "2026-02-23T15:00:00+00:00", "run_id": run_id,
        "clip": {"sha256": batch._sha256(folder / name), "duration_s": 10.0},
        "model": {"name": Path(options.model).stem, "sha256": batch._model_sha256(options.model), "conf": options.conf,
                  "imgsz": options.imgsz, "fps": options.fps, **model},
        "options": asdict(options),
        "timing": {"decode_s": 0.5, "infer_s": options.imgsz / 320, "total_s": 0.2 + options.imgsz / 320},
    }  # fmt: skip
    append_record(log_path(folder), record)
    (folder / "boxes").mkdir(exist_ok=True)
    lines = [{"t": n / 5, "frame": n, "boxes": [list(row) for row in found.get(n, [])]} for n in frames]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "boxes" / f"{Path(name).stem}.{run_id}.jsonl").write_text(text)
    return run_id


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    """Two files that are clips by name; what is in them is of no matter for tables."""
    for number in range(2):
        (tmp_path / f"20260223-10000{number}-door.mp4").write_text(f"clip {number}")
    return tmp_path


@pytest.fixture
def queue(redis_server: RedisServer) -> Queue:
    return clip_queue(redis_server.settings, redis_server.connection())


A, B = "20260223-100000-door.mp4", "20260223-100001-door.mp4"
CAR, DOG = (0, 0, 10, 10), (50, 50, 60, 60)


def two(volume: Path) -> compare.Comparison:
    """Return two configurations' runs: they agree on a car, and on nothing else."""
    first, second = wanted = batch.configurations([{"imgsz": 640}, {"imgsz": 320}], USUAL)
    write_run(volume, A, first.options, {
        0: [("car", 0.9, *CAR, 1)], 1: [("car", 0.8, *CAR, 1), ("dog", 0.7, *DOG, 2)], 2: [("dog", 0.9, *DOG, 2)],
    })  # fmt: skip
    write_run(volume, A, second.options, {
        0: [("car", 0.6, 0, 0, 10, 8, 1)], 1: [("car", 0.6, *CAR, 1), ("dog", 0.2, *DOG, 2)],
        3: [("cat", 0.6, *DOG, 3)],
    })  # fmt: skip
    write_run(volume, B, first.options, {})
    write_run(volume, B, second.options, {})
    return compare.load(batch.find_runs([A, B], wanted, volume), wanted, volume)


def test_configurations_are_named_by_what_differs() -> None:
    wanted = batch.configurations(batch.grid(model=["a.onnx", "b.onnx"], imgsz=[320, 640]), USUAL)
    assert [one.name for one in wanted] == ["a, 320 px", "a, 640 px", "b, 320 px", "b, 640 px"]
    assert wanted[0].options == replace(USUAL, model="a.onnx", imgsz=320)
    assert [one.name for one in batch.configurations([{"conf": 0.3}, {"name": "strict", "conf": 0.7}], USUAL)] == [
        "conf 0.3",
        "strict",
    ]


def test_a_model_of_the_same_name_with_other_weights_is_another_one(
    volume: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also from ``notebooks/`` without ``MODELS_DIR``, where the models lie in ``../models``."""
    for folder in ("models", "notebooks"):
        (tmp_path / folder).mkdir()
    monkeypatch.delenv("MODELS_DIR", raising=False)
    monkeypatch.chdir(tmp_path / "notebooks")
    weights = tmp_path / "models" / USUAL.model
    weights.write_text("weights")
    [one] = batch.configurations([{}], USUAL)
    write_run(volume, A, one.options, {}, sha256=hashlib.sha256(b"weights").hexdigest())
    assert list(batch.find_runs([A], [one], volume)["state"]) == ["there"]
    weights.write_text("other weights")
    assert list(batch.find_runs([A], [one], volume)["state"]) == ["to do"]


def test_the_usual_options_are_those_of_the_worker_over_new_clips(volume: Path, made_volume: Path) -> None:
    assert batch.usual_options(volume) == options_from_env(os.environ)
    # its last runs were asked for with another threshold
    assert load_log(made_volume)["conf"].iloc[-1] == 0.25
    assert batch.usual_options(made_volume) == USUAL


def test_wrong_configurations_are_refused_in_a_line() -> None:
    with pytest.raises(SettingError, match="configurations 1 and 2 are the same"):
        batch.configurations([{"imgsz": 640}, {"conf": 0.5}], USUAL)
    with pytest.raises(JobRefused, match="unknown option 'size'"):
        batch.configurations([{"size": 640}], USUAL)
    with pytest.raises(SettingError, match="different names"):
        batch.configurations([{"name": "x"}, {"name": "x", "conf": 0.1}], USUAL)


@pytest.mark.parametrize(
    ("asked", "model", "wanted", "there"),
    [({"imgsz": 650}, {"imgsz": 672}, {"imgsz": 650}, True), ({"imgsz": 650}, {"imgsz": 672}, {"imgsz": 672}, True),
     ({"imgsz": 650}, {"imgsz": 672}, {"imgsz": 640}, False),
     ({"imgsz": 640}, {"imgsz": 320, "input": [320, 192]}, {"imgsz": 640}, True),
     ({"imgsz": 640}, {"imgsz": 320, "input": [320, 192]}, {"imgsz": 480}, True),
     ({"aspect": "16:9"}, {}, {"aspect": "32:18"}, True), ({"aspect": "16:9"}, {}, {"aspect": "4:3"}, False)],
)  # fmt: skip
def test_a_run_is_what_was_computed_not_what_was_asked_for(
    volume: Path, asked: dict[str, Any], model: dict[str, Any], wanted: dict[str, Any], *, there: bool
) -> None:
    write_run(volume, A, replace(USUAL, **asked), {}, **model)
    [one] = batch.configurations([wanted], USUAL)
    assert batch.find_runs([A], [one], volume)["state"].tolist() == ["there" if there else "to do"]


def test_configurations_of_other_aspects_are_named_by_them() -> None:
    wanted = batch.configurations([{"aspect": "16:9"}, {}, {"aspect": "4:3"}], USUAL)
    assert [one.name for one in wanted] == ["shown 16:9", "shown as the file says", "shown 4:3"]


def test_clips_are_chosen_by_pattern_or_name(volume: Path) -> None:
    assert batch.choose("*", volume) == [A, B]
    assert batch.choose("*", volume, 1) == [B]
    assert batch.choose([volume / B, A, A], volume) == [B, A]
    with pytest.raises(ClipMissing, match="none of the 2 clips"):
        batch.choose("*-yard.mp4", volume)


def test_a_run_is_the_same_by_clip_model_and_options(volume: Path) -> None:
    [one] = batch.configurations([{}], USUAL)
    assert batch.find_runs([A], [one], volume)["state"].tolist() == ["to do"]
    for other in (
        replace(USUAL, conf=0.4), replace(USUAL, fps=2.0), replace(USUAL, min_hits=3), replace(USUAL, classes=("car",)),
        replace(USUAL, aspect="16:9"), replace(USUAL, imgsz=320),
    ):  # fmt: skip
        write_run(volume, A, other, {})
    assert batch.find_runs([A], [one], volume)["state"].tolist() == ["to do"]
    run_id = write_run(volume, A, USUAL, {})
    found = batch.find_runs([A, "gone.mp4"], [one], volume)
    assert found["state"].tolist() == ["there", "no such clip"]
    assert found["run_id"].iloc[0] == run_id
    (volume / A).write_text("another clip under the same name")
    assert batch.find_runs([A], [one], volume)["state"].tolist() == ["to do"]


def test_a_run_whose_boxes_are_gone_is_done_again(volume: Path) -> None:
    [one] = batch.configurations([{}], USUAL)
    run_id = write_run(volume, A, USUAL, {})
    (volume / "boxes" / f"{Path(A).stem}.{run_id}.jsonl").unlink()
    assert batch.find_runs([A], [one], volume)["state"].tolist() == ["to do"]


def test_runs_of_a_clip_that_is_gone_still_count(volume: Path, queue: Queue) -> None:
    first, second = wanted = batch.configurations([{"imgsz": 640}, {"imgsz": 320}], USUAL)
    write_run(volume, A, first.options, {0: [("car", 0.9, *CAR, 1)]})
    (volume / A).unlink()
    assert batch.find_runs([A], wanted, volume)["state"].tolist() == ["there", "no such clip"]
    # and nothing is queued that could not be done
    assert batch.run([A], [first, second], volume, queue)["state"].tolist() == ["there", "no such clip"]
    assert queue.count == 0


def test_a_clip_that_was_renamed_keeps_its_runs(volume: Path) -> None:
    [one, other] = wanted = batch.configurations([{}, {"imgsz": 320}], USUAL)
    for configuration in wanted:
        write_run(volume, A, configuration.options, {0: [("car", 0.9, *CAR, 1)]})
    new = "20260223-120000-door.mp4"
    (volume / A).rename(volume / new)
    comparison = compare.load(batch.find_runs([new], [one, other], volume), wanted, volume)
    assert comparison.clips == (new,)
    assert set(comparison.boxes["filename"]) == {new}


def test_two_configurations_by_hand(volume: Path) -> None:
    comparison = two(volume)
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


def test_what_only_one_saw_and_what_the_other_saw_there(volume: Path) -> None:
    only = compare.pair(two(volume)).only
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
def test_the_other_side_in_words(volume: Path, other: tuple[Any, ...], expected: str) -> None:
    first, second = wanted = batch.configurations([{"imgsz": 640}, {"imgsz": 320}], USUAL)
    write_run(volume, A, first.options, {n: [("dog", 0.9, *DOG, 1)] for n in range(3)})
    write_run(volume, A, second.options, {n: [other] for n in range(3)})
    pair = compare.pair(compare.load(batch.find_runs([A], wanted, volume), wanted, volume))
    assert pair.only.loc[pair.only["side"] == "640 px", "other"].tolist() == [expected]


def test_of_runs_of_different_rates_the_common_frames_are_compared(volume: Path) -> None:
    first, second = wanted = batch.configurations([{"fps": 5}, {"fps": 2.5}], USUAL)
    every = {n: [("car", 0.9, *CAR, 1)] for n in range(6)}
    write_run(volume, A, first.options, every, range(6))
    write_run(volume, A, second.options, {n: every[n] for n in (0, 2)}, range(0, 6, 2))
    comparison = compare.load(batch.find_runs([A], wanted, volume), wanted, volume)
    assert comparison.frames["frame"].tolist() == [0, 2, 4]
    pair = compare.pair(comparison)
    # the second one sampled frame 4, and found nothing
    assert pair.by_clip.loc[A, ["both", "only_left", "only_right"]].tolist() == [2, 1, 0]


def test_classes_of_other_names_can_be_said_to_be_the_same(volume: Path) -> None:
    first, second = wanted = batch.configurations([{"model": "a.onnx"}, {"model": "b.onnx"}], USUAL)
    write_run(volume, A, first.options, {n: [("motorbike", 0.9, *CAR, 1)] for n in range(3)})
    write_run(volume, A, second.options, {n: [("motorcycle", 0.9, *CAR, 1)] for n in range(3)})
    runs = batch.find_runs([A], wanted, volume)
    apart = compare.pair(compare.load(runs, wanted, volume))
    assert apart.agreement == 0
    assert apart.only["other"].tolist() == ["motorcycle 0.90", "motorbike 0.90"]
    same = compare.pair(compare.load(runs, wanted, volume, {"motorbike": "motorcycle"}))
    assert same.agreement == 1
    assert same.by_clip.loc[A, "same_labels"]


def test_more_than_two(volume: Path) -> None:
    wanted = batch.configurations([{"imgsz": 640}, {"imgsz": 320}, {"imgsz": 160}], USUAL)
    for one, score in zip(wanted, (0.9, 0.8, 0.2), strict=True):
        write_run(volume, A, one.options, {n: [("car", score, *CAR, 1)] for n in range(2)})
    comparison = compare.load(batch.find_runs([A], wanted, volume), wanted, volume)
    assert compare.matrix(comparison).to_numpy().tolist() == [[1, 1, 0], [1, 1, 0], [0, 0, 1]]
    assert compare.seconds(comparison)["infer_s"].tolist() == [2.0, 1.0, 0.5]


def test_clips_that_not_all_have_are_left_out_and_said(volume: Path) -> None:
    first, second, third = wanted = batch.configurations([{"imgsz": 640}, {"imgsz": 320}, {"imgsz": 160}], USUAL)
    write_run(volume, A, first.options, {})
    write_run(volume, B, first.options, {})
    write_run(volume, B, second.options, {})
    comparison = compare.load(batch.find_runs([A, B], wanted, volume), wanted, volume)
    assert comparison.clips == (B,)
    assert comparison.notes == (
        "left out, as it has no run: 160 px",
        "left out: 1 of 2 clips, of which not all configurations have a run",
    )
    assert third.name not in set(comparison.runs["configuration"])


def test_nothing_to_compare_is_said_in_a_line(volume: Path) -> None:
    first, second = wanted = batch.configurations([{"imgsz": 640}, {"imgsz": 320}], USUAL)
    write_run(volume, A, first.options, {})
    with pytest.raises(SettingError, match="1 of 2 configurations have runs"):
        compare.load(batch.find_runs([A], wanted, volume), wanted, volume)
    write_run(volume, B, second.options, {})
    with pytest.raises(SettingError, match="no clip has a run by each configuration"):
        compare.load(batch.find_runs([A, B], wanted, volume), wanted, volume)


def test_against_labels_by_hand(volume: Path) -> None:
    comparison = two(volume)
    assert compare.against_truth(comparison, read(volume)).empty
    labels = [Label(n / 5, n, "car", CAR, "right") for n in (0, 1)] + [Label(0.4, 2, "dog", DOG, "missed")]
    change(volume, A, Change(added=tuple(labels), reviewed=frozenset({0, 1, 2, 3})))
    scores = compare.against_truth(comparison, read(volume))
    first, second = scores.loc["640 px"], scores.loc["320 px"]
    assert first.loc["car", ["precision", "recall", "ap50"]].tolist() == [1, 1, 1]
    # one dog is right, one is not; the right one has the better score
    assert first.loc["dog", ["precision", "recall", "ap50"]].tolist() == [0.5, 1, 1]
    assert second.loc["car", ["precision", "recall"]].tolist() == [1, 1]
    assert second.loc["dog", ["found", "recall"]].tolist() == [0, 0]
    assert second.loc["cat", ["found", "right"]].tolist() == [1, 0]
    assert first.loc["all", ["objects", "found", "right"]].tolist() == [3, 4, 3]


@pytest.mark.usefixtures("house_style")
def test_pictures_of_clips_that_are_gone(volume: Path) -> None:
    comparison = two(volume)
    pair = compare.pair(comparison)
    (volume / A).unlink()
    shown = pictures.gallery(comparison, pair, volume)
    assert "the clip is gone" in [text.get_text() for axes in shown.axes for text in axes.texts]
    agreement = pictures.agreement_picture(comparison, pair).axes[0]
    assert agreement.get_title(loc="left") == "640 px and 320 px agree on 57 % of the boxes"
    classes = pictures.classes_picture(comparison, pair).axes[0]
    assert classes.get_title(loc="left") == "Most differs for dog: 1 clip in which only 640 px has it"
    seconds = pictures.seconds_picture(comparison).axes[0]
    assert seconds.get_title(loc="left") == "320 px takes 1.20 s a clip, 640 px 1.8 times as long"
    assert pictures.matrix_picture(comparison).axes[0].get_title(loc="left") == "640 px and 320 px differ most"


@pytest.mark.usefixtures("house_style")
def test_pictures_of_nothing(volume: Path) -> None:
    wanted = batch.configurations([{"imgsz": 640}, {"imgsz": 320}], USUAL)
    for one in wanted:
        write_run(volume, A, one.options, {})
    comparison = compare.load(batch.find_runs([A], wanted, volume), wanted, volume)
    pair = compare.pair(comparison)
    for draw in (pictures.agreement_picture, pictures.classes_picture):
        assert draw(comparison, pair).axes
    assert pictures.gallery(comparison, pair, volume).axes[0].get_title(loc="left").startswith("Neither saw")
    assert pictures.truth_picture(compare.against_truth(comparison, read(volume))).axes


def test_jobs_of_an_interrupted_batch_are_taken_up(volume: Path, queue: Queue) -> None:
    first, second = batch.configurations([{"imgsz": 640}, {"imgsz": 320}], USUAL)
    waiting = submit(A, queue=queue, **asdict(first.options))
    submit(A, queue=queue, conf=0.3)  # somebody else's, which leaves the rest to the worker
    queue.connection.rpush(queue.key, "no-such-job")
    found = batch._under_way(queue)
    assert {key: job.id for key, job in found.items()} == {(A, first.options): waiting.id}
    assert (A, second.options) not in found


def test_an_interrupted_batch_goes_on_with_its_own_jobs(
    sample_volume: Path,
    queue: Queue,
    redis_server: RedisServer,
    programs: Programs,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log = load_log(sample_volume)
    clips = batch.choose(log.loc[log["model_sha256"].notna(), "filename"], sample_volume)[:2]
    monkeypatch.setenv("MODELS_DIR", str(SCENE_MODEL.parent))
    wanted = batch.configurations([{"imgsz": 640}, {"imgsz": 160}], USUAL)
    asked: list[list[str]] = []

    def stopped_at_once(jobs: Iterable[Job]) -> list[JobState]:
        asked.append([job.id for job in jobs])
        return states(asked[-1], queue=queue)

    monkeypatch.setattr(batch, "watch", stopped_at_once)
    runs = batch.run(clips, wanted, sample_volume, queue)
    assert runs["state"].tolist() == ["there", "there", "waiting", "waiting"]
    assert batch.summary(runs) == "4 runs: 2 in the log already, 2 still wait"

    def with_a_worker(jobs: Iterable[Job]) -> list[JobState]:
        env = {**redis_server.env, "MODELS_DIR": str(SCENE_MODEL.parent), "YOLO_MODEL": SCENE_MODEL.name}
        programs.python("-m", "video_worker", env={**env, "VIDEO_DIR": str(sample_volume)})
        jobs = list(jobs)
        asked.append([job.id for job in jobs])
        return watch(jobs)

    monkeypatch.setattr(batch, "watch", with_a_worker)
    runs = batch.run(clips, wanted, sample_volume, queue)
    assert runs["state"].tolist() == ["there", "there", "new", "new"]
    assert asked[0] == asked[1]
    assert runs["job_id"].tolist()[2:] == asked[0]
    assert len(load_log(sample_volume)) == len(log) + 2


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
