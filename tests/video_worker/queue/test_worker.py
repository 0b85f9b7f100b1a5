"""The worker against a real Redis: clips done, everything else refused, nothing lost."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from notebooks.lab.data.results import boxes, load_log
from shared_utils.contracts.boxes import boxes_path, read_boxes
from shared_utils.contracts.sidecars import BOXES_FOLDER
from shared_utils.queue.jobs import enqueue_new_clip, submit
from tests.support.footage.video import CLIP_NAME
from tests.support.worker_queue import abandon, burst, lines


def test_a_clip_becomes_a_line_and_a_boxes_file(redis_server, queue, context):
    assert enqueue_new_clip(queue, CLIP_NAME)
    burst(redis_server, context)
    [record] = lines(context)
    assert record["ok"]
    assert record["detected"] == ["square"]
    [entry] = record["objects"]
    assert entry["tracks"] == 1
    assert entry["hits"] == 16
    assert entry["first_s"] == pytest.approx(4.0)
    assert entry["last_s"] == pytest.approx(7.0)
    assert record["camera"] == "cam1"
    assert record["job_id"] == "clip-20260223-144819-cam1"
    assert record["clip"]["frames"] == 100
    assert record["timing"]["queued_s"] >= 0
    boxes = read_boxes(boxes_path(context.video_dir, CLIP_NAME, record["run_id"]))
    assert len(boxes.frames) == record["sampled_frames"] == 50
    job = queue.fetch_job(record["job_id"])
    assert job.is_finished
    assert job.return_value() == {"run_id": record["run_id"], "detected": ["square"]}
    assert job.get_meta()["frames_done"] == job.meta["frames_total"] == 50


def test_the_same_clip_gives_the_same_every_time_and_each_run_its_own_id(redis_server, queue, context):
    for _ in range(3):
        submit(CLIP_NAME, queue=queue)
    submit(CLIP_NAME, queue=queue, conf=0.95)
    burst(redis_server, context)
    first, second, third, other = lines(context)
    assert first["objects"] == second["objects"] == third["objects"]
    assert other["detected"] == []
    assert len({record["run_id"] for record in lines(context)}) == 4
    assert len(list((context.video_dir / "boxes").iterdir())) == 4
    assert other["model"]["conf"] == 0.95


def test_only_the_labels_that_the_job_the_camera_or_the_setting_names(redis_server, queue, context):
    own = replace(context, options=replace(context.options, classes=("Background",)))
    cases: tuple[dict[str, Any], ...] = ({}, {"classes": ["SQUARE"]}, {"classes": []}, {"model": "other.onnx"})
    for options in cases:
        submit(CLIP_NAME, queue=queue, **options)
    burst(redis_server, own)
    records = lines(own)
    assert [record["detected"] for record in records] == [[], ["square"], ["square"], []]
    # as the model spells them
    assert [record["options"]["classes"] for record in records] == [["background"], ["square"], [], ["background"]]
    every = [(own.video_dir / "boxes" / f"20260223-144819-cam1.{one['run_id']}.jsonl").read_text() for one in records]
    assert len(set(every)) == 1
    assert '"square"' in every[0]


def test_a_label_that_the_model_does_not_know_fails_that_job_alone(redis_server, queue, context):
    own = replace(context, options=replace(context.options, classes=("dog",)))
    cases: tuple[dict[str, Any], ...] = ({"classes": ["squre"]}, {"model": "other.onnx"}, {"classes": []})
    for options in cases:
        submit(CLIP_NAME, queue=queue, **options)
    burst(redis_server, own)
    wrong, none, good = lines(own)
    assert wrong["error"] == (
        "option classes names 'squre', which is unknown (did you mean 'square'?); the labels of model yolov8n are "
        "background, square"
    )
    assert "YOLO_CLASSES names dog, and model other knows none" in none["error"]
    assert (good["ok"], good["detected"]) == (True, ["square"])


def test_only_one_worker_at_a_time_looks_after_others(redis_server, queue, context):
    job = submit(CLIP_NAME, queue=queue)
    abandon(queue, job, 3)
    lock = queue.connection.lock(f"{queue.key}:vcam-cleaning", timeout=60)
    assert lock.acquire()
    burst(redis_server, context)
    assert not lines(context)
    lock.release()
    burst(redis_server, context)
    assert len(lines(context)) == 1


NAMES = [
    "IMG 0001.mp4",
    "a.b.mp4",
    "IMG_0002(1).mp4",
    "Гараж.mp4",
    "x\u202fy.mp4",
    "12:30:00.mp4",
    "Cat [x].mp4",
    "-n.mp4",
]
NAMES += ["я" * 125 + ".mp4", "z" * 251 + ".mp4", "50% #1?.mp4"]


def test_a_clip_of_any_name_is_analysed_and_its_boxes_are_found(redis_server, queue, context):
    for name in NAMES:
        (context.video_dir / name).symlink_to(context.video_dir / CLIP_NAME)
    assert all(enqueue_new_clip(queue, name) for name in NAMES)
    burst(redis_server, context)
    log = load_log(context.video_dir)
    assert log["filename"].tolist() == NAMES
    assert log["ok"].all()
    assert set(boxes(log, context.video_dir)["filename"]) == set(NAMES)
    assert not list((context.video_dir / BOXES_FOLDER).glob(".*"))
