"""What is tried again, how often, and what is given up: missing clips, full disks, workers that die or hang."""

from __future__ import annotations

import shutil
from contextlib import suppress
from dataclasses import replace

import pytest
from rq import Retry
from rq.job import Job

from devtools.log_lines import line_of
from shared_utils.contracts.detections_log import LOG_NAME, append_record
from shared_utils.queue.jobs import PROCESS_CLIP, enqueue_new_clip, submit
from tests.support.footage.video import CLIP_NAME
from tests.support.log_lines import logged
from tests.support.worker_queue import abandon, burst, failed, leases, lines, make_due
from video_worker import messages
from video_worker.pipeline.run_names import RunNames, make_run_id


def test_a_clip_that_cannot_be_analysed_is_logged_once_and_not_tried_again(redis_server, queue, context, caplog):
    (context.video_dir / "20260101-000000-cam1.mp4").write_text("no video")
    enqueue_new_clip(queue, "20260101-000000-cam1.mp4")
    burst(redis_server, context)
    [record] = lines(context)
    assert record["ok"] is False
    assert record["error"].startswith("no video that can be read")
    assert record["job_id"] == "clip-20260101-000000-cam1"
    assert record["run_id"]
    assert failed(queue) == ["clip-20260101-000000-cam1"]
    [line] = logged(caplog, messages.CLIP_FAILED)
    assert "no video" in line


def test_a_missing_clip_is_tried_again_and_found(redis_server, queue, context):
    submit("later.mp4", queue=queue)
    burst(redis_server, context)
    assert not lines(context)
    [job_id] = queue.scheduled_job_registry.get_job_ids()
    (context.video_dir / CLIP_NAME).rename(context.video_dir / "later.mp4")
    make_due(queue, job_id)
    burst(redis_server, context)
    assert [record["ok"] for record in lines(context)] == [True]


def test_a_missing_clip_is_given_up_after_some_tries(redis_server, queue, context):
    job = submit("never.mp4", queue=queue)
    tries = 0
    while not failed(queue):
        for job_id in queue.scheduled_job_registry.get_job_ids():
            make_due(queue, job_id)
            tries += 1
        burst(redis_server, context)
        assert tries < 10
    [record] = lines(context)
    assert (record["ok"], record["error"]) == (False, "the file is not there")
    assert failed(queue) == [job.id]
    assert tries == 3


def test_a_run_that_is_in_the_log_is_not_done_again(redis_server, queue, context):
    job = submit(CLIP_NAME, queue=queue)
    burst(redis_server, context)
    [record] = lines(context)
    # as if the worker had died between the line and telling Redis
    queue.enqueue_existing(Job.fetch(job.id, queue.connection, "json"))
    burst(redis_server, context)
    assert lines(context) == [record]
    assert queue.fetch_job(job.id).is_finished


@pytest.fixture
def full_context(small_volume, context):
    """A worker's place on a volume without a free byte."""
    shutil.copy(context.video_dir / CLIP_NAME, small_volume)
    (small_volume / "20260101-000000-cam1.mp4").write_text("no video")
    filler = small_volume / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    return replace(context, video_dir=small_volume)


@pytest.mark.parametrize(("name", "ok"), [(CLIP_NAME, True), ("20260101-000000-cam1.mp4", False)])
def test_a_full_disk_costs_no_tries_and_no_line(redis_server, queue, full_context, name, ok):
    job = submit(name, queue=queue)
    for _ in range(6):  # more than the tries that a job has
        burst(redis_server, full_context)
        assert queue.scheduled_job_registry.get_job_ids() == [job.id]
        make_due(queue, job.id)
    assert not lines(full_context)
    (full_context.video_dir / "filler").unlink()
    burst(redis_server, full_context)
    [record] = lines(full_context)
    assert record["ok"] is ok
    assert failed(queue) == ([] if ok else [job.id])
    assert not [path.name for path in (full_context.video_dir / "boxes").glob(".*")]


@pytest.mark.parametrize("name", ["boxes", LOG_NAME])
def test_an_outcome_that_cannot_be_written_for_whatever_reason_costs_no_tries(
    redis_server, queue, context, name, caplog
):
    (context.video_dir / name).mkdir() if name == LOG_NAME else (context.video_dir / name).touch()
    job = submit(CLIP_NAME, queue=queue)
    for _ in range(5):
        burst(redis_server, context)
        assert queue.scheduled_job_registry.get_job_ids() == [job.id]
        make_due(queue, job.id)
    tried_again = logged(caplog, messages.JOB_TRIED_AGAIN)
    assert len(tried_again) == 5
    assert tried_again[0].startswith(f"{CLIP_NAME}: {name} cannot be")
    (context.video_dir / name).rmdir() if name == LOG_NAME else (context.video_dir / name).unlink()
    burst(redis_server, context)
    assert [record["ok"] for record in lines(context)] == [True]


def test_an_abandoned_job_is_not_given_up_without_its_line(redis_server, queue, full_context):
    job = submit(CLIP_NAME, queue=queue)
    abandon(queue, job, 0)
    burst(redis_server, full_context)
    assert queue.scheduled_job_registry.get_job_ids() == [job.id]
    assert not failed(queue)


def test_another_failure_is_tried_again(redis_server, queue, context, monkeypatch):
    # a memory bank that fails once cannot be had for a test
    failures = iter([MemoryError("no memory")])

    def append(path, record, index):
        for error in failures:
            raise error
        append_record(path, record)

    monkeypatch.setattr("video_worker.jobs.append_once", append)
    job = submit(CLIP_NAME, queue=queue)
    burst(redis_server, context)
    [job_id] = queue.scheduled_job_registry.get_job_ids()
    assert queue.fetch_job(job.id).retries_left == 2
    make_due(queue, job_id)
    burst(redis_server, context)
    assert [record["ok"] for record in lines(context)] == [True]


def test_an_enqueuers_own_retries_do_not_go_beyond_ours(redis_server, queue, context):
    queue.enqueue_call(PROCESS_CLIP, kwargs={"filename": "never.mp4"}, retry=Retry(max=1000, interval=0), job_id="r")
    burst(redis_server, context)
    assert queue.scheduled_job_registry.get_job_ids() == ["r"]
    assert queue.fetch_job("r").retries_left == 2


def test_an_abandoned_job_is_done_again(redis_server, queue, context, caplog):
    job = submit(CLIP_NAME, queue=queue)
    abandon(queue, job, 3)
    burst(redis_server, context)
    assert [record["ok"] for record in lines(context)] == [True]
    assert queue.fetch_job(job.id).is_finished
    assert queue.fetch_job(job.id).retries_left == 2
    assert logged(caplog, messages.JOB_ABANDONED)


def test_a_clip_that_kills_its_worker_each_time_is_given_up(redis_server, queue, context):
    job = submit(CLIP_NAME, queue=queue)
    abandon(queue, job, 0)
    names = RunNames(CLIP_NAME, make_run_id(job.created_at, job.id), job.id)
    boxes = names.boxes_path(context.video_dir)
    boxes.parent.mkdir()
    boxes.with_name(f".{boxes.name}.killed-1.partial").touch()
    burst(redis_server, context)
    [record] = lines(context)
    assert record["ok"] is False
    assert record["run_id"] == names.run_id
    assert "its worker died each time" in record["error"]
    assert not list(boxes.parent.iterdir())
    assert failed(queue) == [job.id]


def test_a_job_that_was_lost_between_queue_and_worker_is_put_back(redis_server, queue, context, monkeypatch):
    monkeypatch.setattr("video_worker.queue.maintenance.STUCK_S", 0)
    submit(CLIP_NAME, queue=queue)
    queue.connection.lmove(queue.key, queue.intermediate_queue_key)
    queue.connection.rpush(queue.intermediate_queue_key, "gone")
    burst(redis_server, context)
    assert [record["ok"] for record in lines(context)] == [True]
    assert queue.intermediate_queue.get_job_ids() == []


# instead of FFmpeg's read from a share that has gone, a native call that never comes back
HANGING_WORKER = """
import ctypes, sys
from video_worker.pipeline import analysis
from video_worker.queue import lease_renewer
from video_worker.__main__ import main
analysis.ClipReader = lambda *_: ctypes.CDLL(None).pause()
lease_renewer.STALL_S = 1.0
sys.exit(main([]))
"""


def test_a_worker_that_hangs_in_a_read_ends_itself_and_the_job_is_tried_again(
    redis_server, queue, context, programs, any_model
):
    job = submit(CLIP_NAME, queue=queue)
    env = {**redis_server.env, "VIDEO_DIR": str(context.video_dir), "YOLO_MODEL": str(any_model)}
    worker = programs.python("-c", HANGING_WORKER, env=env)
    worker.wait_for(line_of(messages.JOB_STALLED, CLIP_NAME, "1"))
    assert worker.wait() == 1
    assert job.get_status(refresh=True) == "started"
    queue.connection.zadd(queue.started_job_registry.key, dict.fromkeys(leases(queue), 1))  # a lease later
    burst(redis_server, context)
    assert [record["ok"] for record in lines(context)] == [True]
    assert queue.fetch_job(job.id).retries_left == 2
