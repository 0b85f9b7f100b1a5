"""The queue, with a real Redis."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import cast

import numpy as np
import pandas as pd
import pytest

from devtools.ports import free_port
from devtools.redis_server import RedisServer
from shared_utils.errors import QueueUnavailable, SettingError
from shared_utils.queue.figures import read_figures
from shared_utils.queue.jobs import clip_queue, connect, enqueue_new_clip, redis_errors, submit, submit_many

CLIP = "20260223-144819-cam1.mp4"


def test_a_new_clip_is_queued_once(redis_server: RedisServer) -> None:
    queue = clip_queue(redis_server.settings, redis_server.connection())
    assert enqueue_new_clip(queue, CLIP)
    assert not enqueue_new_clip(queue, CLIP)
    assert queue.job_ids == ["clip-20260223-144819-cam1"]


def test_a_further_run_has_an_id_of_its_own(redis_server: RedisServer) -> None:
    queue = clip_queue(redis_server.settings, redis_server.connection())
    enqueue_new_clip(queue, CLIP)
    first, second = submit(CLIP, queue=queue, conf=0.3), submit(CLIP, queue=queue, conf=0.3)
    assert len({"clip-20260223-144819-cam1", first.id, second.id}) == 3
    [_, job, _] = queue.jobs
    assert job.kwargs == {"filename": CLIP, "options": {"conf": 0.3}}


def test_new_clips_come_before_further_runs_and_each_kind_in_its_order(redis_server: RedisServer) -> None:
    queue = clip_queue(redis_server.settings, redis_server.connection())
    runs = [job.id for job in submit_many([CLIP] * 300, queue=queue)]
    new = [f"20260223-1448{second:02}-cam1.mp4" for second in range(20)]
    assert all(enqueue_new_clip(queue, name) for name in new[:10])
    runs += [job.id for job in submit_many([CLIP] * 200, queue=queue)]
    assert all(enqueue_new_clip(queue, name) for name in new[10:])
    assert queue.job_ids == [*(f"clip-{name[:-4]}" for name in new), *runs]
    # a run that is handed back or tried again comes first of its kind, and no clip waits for it
    queue.connection.lrem(queue.key, 1, runs[5])
    queue.push_job_id(runs[5], at_front=True)
    queue.connection.lrem(queue.key, 1, f"clip-{new[3][:-4]}")
    queue.push_job_id(f"clip-{new[3][:-4]}", at_front=True)
    assert queue.job_ids[0] == f"clip-{new[3][:-4]}"
    assert queue.job_ids[20:22] == [runs[5], runs[0]]
    figures = read_figures(queue)
    assert (figures.new, figures.further) == (20, 500)


def test_a_new_clip_is_put_behind_new_clips_even_where_a_further_run_was_put_before_them(
    redis_server: RedisServer,
) -> None:
    queue = clip_queue(redis_server.settings, redis_server.connection())
    queue.connection.rpush(queue.key, "run-x", "clip-a", "clip-b", "run-y")
    assert enqueue_new_clip(queue, CLIP)
    assert queue.job_ids == ["run-x", "clip-a", "clip-b", "clip-20260223-144819-cam1", "run-y"]


def test_what_is_in_redis_is_json_and_holds_no_password(redis_server: RedisServer) -> None:
    connection = redis_server.connection()
    queue = clip_queue(redis_server.settings, connection)
    enqueue_new_clip(queue, CLIP)
    [job] = queue.jobs
    assert json.loads(job.data)[0] == "video_worker.jobs.process_clip"
    stored = b" ".join(
        cast(bytes, value) for key in connection.keys("rq:job:*") for value in connection.hgetall(key).values()
    )
    assert redis_server.password.encode() not in stored + job.data


@pytest.mark.parametrize(
    ("password", "message"),
    [("wrong", "RDS_PSW is not accepted"), (None, "RDS_PSW")],
)
def test_a_wrong_or_missing_password_is_a_setting(
    redis_server: RedisServer, password: str | None, message: str
) -> None:
    settings = replace(redis_server.settings, password=password)
    with pytest.raises(SettingError, match=message), redis_errors(settings):
        connect(settings).ping()


def test_an_absent_redis_is_unavailable(redis_server: RedisServer) -> None:
    settings = replace(redis_server.settings, port=free_port())
    with pytest.raises(QueueUnavailable, match="see RDS_HOST and RDS_PORT"), redis_errors(settings):
        connect(settings).ping()


@pytest.mark.parametrize("given", [np.array(["car", "person"]), pd.Series(["car", "person"]), {"person", "car"}])
def test_labels_for_a_job_may_be_what_a_notebook_has(redis_server, given) -> None:
    queue = clip_queue(redis_server.settings, redis_server.connection())
    job = submit(CLIP, queue=queue, classes=given, conf=np.float32(0.5))
    assert job.kwargs["options"] == {"classes": ["car", "person"], "conf": 0.5}


def test_the_first_job_of_a_clip_carries_the_classes_of_its_camera(redis_server) -> None:
    queue = clip_queue(redis_server.settings, redis_server.connection())
    enqueue_new_clip(queue, CLIP, options={"classes": ["person"]})
    [job] = queue.jobs
    assert job.kwargs["options"] == {"classes": ["person"]}
