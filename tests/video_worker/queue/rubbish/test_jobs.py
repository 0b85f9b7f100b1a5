"""Rubbish in a job's keys and fields; jobs whose lists are gone."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import partial

import pytest
from rq import Queue

from shared_utils.queue.figures import read_figures
from shared_utils.queue.jobs import (
    counts,
    enqueue_new_clip,
    states,
    submit,
    workers,
)
from shared_utils.queue.unlisted import requeue_unlisted
from tests.support.footage.video import CLIP_NAME
from tests.support.redis_rubbish import JOB, NOT_UTF8, QUEUE, TYPES, Put, analysed, burst, overwrite

JOB_RUBBISH: dict[str, Put] = {kind: partial(overwrite, kind=kind, keys=[f"rq:job:{JOB}"]) for kind in TYPES}
JOB_RUBBISH["a hash without a call"] = lambda redis: redis.hset(
    f"rq:job:{JOB}", "last_heartbeat", "2026-01-01T00:00:00Z"
)


@pytest.mark.parametrize("case", JOB_RUBBISH)
def test_rubbish_with_the_key_of_a_job_is_no_job(redis_server, queue, context, case):
    JOB_RUBBISH[case](queue.connection)
    queue.connection.rpush(QUEUE, JOB)
    queue.connection.rpush(f"{QUEUE}:intermediate", JOB)
    queue.connection.zadd("rq:scheduled:video_queue", {JOB: 1})
    queue.connection.zadd("rq:wip:video_queue", {f"{JOB}:1": 1})
    assert enqueue_new_clip(queue, CLIP_NAME)
    burst(redis_server, context)
    assert analysed(context) == [CLIP_NAME]
    assert not enqueue_new_clip(queue, CLIP_NAME)


FIELDS: tuple[str, ...] = (
    "created_at",
    "enqueued_at",
    "started_at",
    "ended_at",
    "last_heartbeat",
    "origin",
    "description",
    "status",
)
FIELDS += ("timeout", "result_ttl", "failure_ttl", "retries_left", "meta", "worker_name", "ttl", "group_id", "result")
FIELDS += ("number_of_retries", "enqueue_at_front", "allow_dependency_failures", "webhooks", "repeats_left")
VALUES = (
    NOT_UTF8,
    b"",
    b"0",
    b"-1",
    b"99999999999999999999",
    b"2026-13-45T99:99:99Z",
    b"0001-01-01T00:00:00Z",
    b"[" * 9999,
)


def test_nonsense_in_any_field_of_a_job_is_passed_over(redis_server, queue, context):
    for number, value in enumerate(VALUES):
        (context.video_dir / f"{number}.mp4").symlink_to(context.video_dir / CLIP_NAME)
        job = submit(f"{number}.mp4", queue=queue)
        queue.connection.hset(job.key, mapping=dict.fromkeys(FIELDS, value))
    burst(redis_server, context)
    assert sorted(analysed(context)) == sorted(f"{number}.mp4" for number in range(len(VALUES)))
    # a job that says it belongs elsewhere is counted where it was found
    assert counts(queue=queue).done == len(VALUES)


def test_numbers_and_times_that_nobody_can_reckon_with_are_none(queue):
    job = submit(CLIP_NAME, queue=queue)
    for at in ("9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00"):
        queue.connection.hset(job.key, mapping={"status": "finished", "started_at": at, "ended_at": at})
        assert states([job.id], queue=queue)[0].ended_at is None
    queue.connection.sadd("rq:workers:video_queue", "rq:worker:x")
    own_counts = dict.fromkeys(("successful_job_count", "failed_job_count"), b"9" * 4000)
    alive = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
    queue.connection.hset("rq:worker:x", mapping={**own_counts, "total_working_time": "1", "last_heartbeat": alive})
    [one] = workers(queue=queue)
    assert one.done == 10**12
    assert read_figures(queue).workers[0].job_s == 0.5e-12


def in_state(queue: Queue, job_id: str, state: str) -> None:
    """Put a job that waits into another state, as RQ does."""
    queue.connection.lrem(QUEUE, 1, job_id)
    queue.connection.hset(f"rq:job:{job_id}", "status", "queued" if state == "between" else state)
    if state == "queued":
        queue.connection.rpush(QUEUE, job_id)
    elif state == "between":
        queue.connection.rpush(f"{QUEUE}:intermediate", job_id)
    elif state == "started":
        queue.connection.zadd("rq:wip:video_queue", {f"{job_id}:x": time.time() + 10})
    elif state == "scheduled":
        queue.connection.zadd("rq:scheduled:video_queue", {job_id: time.time() + 3600})


@pytest.mark.parametrize("how", ["deleted", "overwritten"])
@pytest.mark.parametrize(
    ("state", "key"),
    [
        ("queued", QUEUE),
        ("between", f"{QUEUE}:intermediate"),
        ("started", "rq:wip:video_queue"),
        ("scheduled", "rq:scheduled:video_queue"),
    ],
)
def test_a_job_whose_list_is_gone_is_found_again(redis_server, queue, context, state, key, how):
    submit(CLIP_NAME, queue=queue, conf=0.3)
    enqueue_new_clip(queue, CLIP_NAME)
    in_state(queue, JOB, state)
    queue.connection.delete(key)
    if how == "overwritten":
        queue.connection.set(key, "x")
    burst(redis_server, context)
    # a worker that still does it would renew its lease meanwhile
    for entry in queue.connection.zrange("rq:wip:video_queue", 0, -1):
        queue.connection.zadd("rq:wip:video_queue", {entry: 1})
    burst(redis_server, context)
    assert len(analysed(context)) == 2
    assert states([JOB], queue=queue)[0].state == "done"


def test_a_new_clip_that_is_found_again_comes_before_further_runs(queue):
    further = submit(CLIP_NAME, queue=queue)
    enqueue_new_clip(queue, CLIP_NAME)
    queue.connection.lrem(QUEUE, 1, JOB)
    assert requeue_unlisted(queue) == 1
    assert requeue_unlisted(queue) == 0
    assert queue.job_ids == [JOB, further.id]
