"""Batches: configurations, runs that are there already, batches that were interrupted."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from rq import Queue
from rq.job import Job

from devtools.paths import SCENE_MODEL
from devtools.redis_server import RedisServer
from notebooks.lab.data.results import load_log
from notebooks.lab.jobs import batch
from notebooks.lab.jobs.job_bars import watch
from notebooks.lab.tuning import compare
from shared_utils.config.job_options import options_from_env
from shared_utils.errors import ClipMissing, JobRefused, SettingError
from shared_utils.queue.job_states import JobState
from shared_utils.queue.jobs import states, submit
from tests.support.compared_runs import CAR, USUAL, A, B, write_run
from tests.support.programs import Programs


def test_configurations_are_named_by_what_differs() -> None:
    wanted = batch.configurations(batch.grid(model=["a.onnx", "b.onnx"], imgsz=[320, 640]), USUAL)
    assert [one.name for one in wanted] == ["a, 320 px", "a, 640 px", "b, 320 px", "b, 640 px"]
    assert wanted[0].options == replace(USUAL, model="a.onnx", imgsz=320)
    assert [one.name for one in batch.configurations([{"conf": 0.3}, {"name": "strict", "conf": 0.7}], USUAL)] == [
        "conf 0.3",
        "strict",
    ]


def test_a_model_of_the_same_name_with_other_weights_is_another_one(
    two_clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also from ``notebooks/`` without ``MODELS_DIR``, where the models lie in ``../models``."""
    for folder in ("models", "notebooks"):
        (tmp_path / folder).mkdir()
    monkeypatch.delenv("MODELS_DIR", raising=False)
    monkeypatch.chdir(tmp_path / "notebooks")
    weights = tmp_path / "models" / USUAL.model
    weights.write_text("weights")
    [one] = batch.configurations([{}], USUAL)
    write_run(two_clips, A, one.options, {}, sha256=hashlib.sha256(b"weights").hexdigest())
    assert list(batch.find_runs([A], [one], two_clips)["state"]) == ["there"]
    weights.write_text("other weights")
    assert list(batch.find_runs([A], [one], two_clips)["state"]) == ["to do"]


def test_the_usual_options_are_those_of_the_worker_over_new_clips(two_clips: Path, made_volume: Path) -> None:
    assert batch.usual_options(two_clips) == options_from_env(os.environ)
    # its last runs were asked for with another threshold
    assert load_log(made_volume)["conf"].iloc[-1] == 0.25
    assert batch.usual_options(made_volume) == USUAL


def test_wrong_configurations_are_refused_in_one_line() -> None:
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
    two_clips: Path, asked: dict[str, Any], model: dict[str, Any], wanted: dict[str, Any], *, there: bool
) -> None:
    write_run(two_clips, A, replace(USUAL, **asked), {}, **model)
    [one] = batch.configurations([wanted], USUAL)
    assert batch.find_runs([A], [one], two_clips)["state"].tolist() == ["there" if there else "to do"]


def test_configurations_of_other_aspects_are_named_by_them() -> None:
    wanted = batch.configurations([{"aspect": "16:9"}, {}, {"aspect": "4:3"}], USUAL)
    assert [one.name for one in wanted] == ["shown 16:9", "shown as the file says", "shown 4:3"]


def test_clips_are_chosen_by_pattern_or_name(two_clips: Path) -> None:
    assert batch.choose("*", two_clips) == [A, B]
    assert batch.choose("*", two_clips, 1) == [B]
    assert batch.choose([two_clips / B, A, A], two_clips) == [B, A]
    with pytest.raises(ClipMissing, match="none of the 2 clips"):
        batch.choose("*-yard.mp4", two_clips)


def test_a_run_is_the_same_by_clip_model_and_options(two_clips: Path) -> None:
    [one] = batch.configurations([{}], USUAL)
    assert batch.find_runs([A], [one], two_clips)["state"].tolist() == ["to do"]
    for other in (
        replace(USUAL, conf=0.4), replace(USUAL, fps=2.0), replace(USUAL, min_hits=3), replace(USUAL, classes=("car",)),
        replace(USUAL, aspect="16:9"), replace(USUAL, imgsz=320),
    ):  # fmt: skip
        write_run(two_clips, A, other, {})
    assert batch.find_runs([A], [one], two_clips)["state"].tolist() == ["to do"]
    run_id = write_run(two_clips, A, USUAL, {})
    found = batch.find_runs([A, "gone.mp4"], [one], two_clips)
    assert found["state"].tolist() == ["there", "no such clip"]
    assert found["run_id"].iloc[0] == run_id
    (two_clips / A).write_text("another clip under the same name")
    assert batch.find_runs([A], [one], two_clips)["state"].tolist() == ["to do"]


def test_a_run_whose_boxes_are_gone_is_done_again(two_clips: Path) -> None:
    [one] = batch.configurations([{}], USUAL)
    run_id = write_run(two_clips, A, USUAL, {})
    (two_clips / "boxes" / f"{Path(A).stem}.{run_id}.jsonl").unlink()
    assert batch.find_runs([A], [one], two_clips)["state"].tolist() == ["to do"]


def test_runs_of_a_clip_that_is_gone_still_count(two_clips: Path, queue: Queue) -> None:
    first, second = wanted = batch.configurations([{"imgsz": 640}, {"imgsz": 320}], USUAL)
    write_run(two_clips, A, first.options, {0: [("car", 0.9, *CAR, 1)]})
    (two_clips / A).unlink()
    assert batch.find_runs([A], wanted, two_clips)["state"].tolist() == ["there", "no such clip"]
    # and nothing is queued that could not be done
    assert batch.run([A], [first, second], two_clips, queue)["state"].tolist() == ["there", "no such clip"]
    assert queue.count == 0


def test_a_clip_that_was_renamed_keeps_its_runs(two_clips: Path) -> None:
    [one, other] = wanted = batch.configurations([{}, {"imgsz": 320}], USUAL)
    for configuration in wanted:
        write_run(two_clips, A, configuration.options, {0: [("car", 0.9, *CAR, 1)]})
    new = "20260223-120000-door.mp4"
    (two_clips / A).rename(two_clips / new)
    comparison = compare.load(batch.find_runs([new], [one, other], two_clips), wanted, two_clips)
    assert comparison.clips == (new,)
    assert set(comparison.boxes["filename"]) == {new}


def test_jobs_of_an_interrupted_batch_are_taken_up(two_clips: Path, queue: Queue) -> None:
    first, second = batch.configurations([{"imgsz": 640}, {"imgsz": 320}], USUAL)
    waiting = submit(A, queue=queue, **asdict(first.options))
    submit(A, queue=queue, conf=0.3)  # somebody else's, which leaves the rest to the worker
    queue.connection.rpush(queue.key, "no-such-job")
    found = batch.under_way_of(queue)
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
