"""Rubbish in a worker's own keys: leases, counts, duties."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from rq import Queue

from shared_utils.errors import QueueUnavailable
from shared_utils.queue.figures import DUTIES_FIELD
from shared_utils.queue.jobs import (
    enqueue_new_clip,
    states,
    submit,
    workers,
)
from tests.support.footage.video import CLIP_NAME, moving_box, write_video
from tests.support.log_lines import logged
from tests.support.redis_rubbish import CASES, QUEUE, SCORES, SETS, TYPES, analysed, burst, overwrite
from video_worker import messages
from video_worker.health import check
from video_worker.pipeline.cores import Neighbours
from video_worker.queue.maintenance import Maintenance
from video_worker.queue.rate_limited_log import RateLimitedLog
from video_worker.queue.serve import log


def test_a_lease_for_ever_is_cut_and_its_job_brought_back(redis_server, queue, context):
    job = submit(CLIP_NAME, queue=queue)
    queue.connection.lrem(QUEUE, 1, job.id)
    queue.connection.hset(job.key, "status", "started")
    queue.connection.zadd("rq:wip:video_queue", {f"{job.id}:x": float("inf")})
    burst(redis_server, context)
    [(_, until)] = queue.connection.zrange("rq:wip:video_queue", 0, -1, withscores=True)
    assert until < time.time() + 60
    queue.connection.zadd("rq:wip:video_queue", {f"{job.id}:x": 1})
    burst(redis_server, context)
    assert analysed(context) == [CLIP_NAME]


def wait_until(condition: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def duties_done(queue: Queue) -> float:
    [one] = workers(queue=queue)
    return float(queue.connection.hget(f"rq:worker:{one.name}", DUTIES_FIELD) or 0)


@pytest.fixture
def worker(redis_server, programs, context, any_model):
    """The program, serving."""
    env = {**redis_server.env, "VIDEO_DIR": str(context.video_dir), "YOLO_MODEL": str(any_model)}
    program = programs.python("-m", "video_worker", env=env)
    program.wait_for(messages.WORKER_READY)
    return program


def test_the_keeper_outlives_all_of_it_and_tells_so(queue, context, worker):
    wait_until(lambda: workers(queue=queue))
    for name, put in CASES.items():
        if name.endswith("hold it"):
            put(queue.connection)
    began = time.time()
    wait_until(lambda: duties_done(queue) > began + 1)
    enqueue_new_clip(queue, CLIP_NAME)
    wait_until(lambda: analysed(context))
    assert worker.stop() == 0


def test_after_everything_was_deleted_the_worker_is_listed_again_with_what_it_has_done(queue, worker):
    enqueue_new_clip(queue, CLIP_NAME)
    wait_until(lambda: [one.done for one in workers(queue=queue)] == [1])
    [before] = workers(queue=queue)
    queue.connection.flushall()
    wait_until(lambda: workers(queue=queue))
    [after] = workers(queue=queue)
    assert (after.name, after.done) == (before.name, 1)
    assert queue.connection.smembers("rq:workers") == {f"rq:worker:{after.name}".encode()}
    assert worker.stop() == 0
    assert workers(queue=queue) == []


@pytest.mark.parametrize("kind", sorted(TYPES))
def test_the_count_of_workers_on_these_cores_outlives_it(redis_server, queue, context, kind):
    neighbours = Neighbours(queue.connection, "one")
    assert neighbours.count() == 1
    [key] = queue.connection.keys("vcam:workers:*")
    overwrite(queue.connection, kind, [key])
    enqueue_new_clip(queue, CLIP_NAME)
    burst(redis_server, context)
    assert analysed(context) == [CLIP_NAME]
    queue.connection.zadd(key, {b"x%d" % number: score for number, score in enumerate(SCORES)})
    assert neighbours.count() == 1


@pytest.mark.parametrize("kind", ["string"])
def test_a_worker_whose_own_keys_are_overwritten_in_mid_job_keeps_its_lease(queue, context, worker, kind):
    write_video(context.video_dir / "20260223-150000-cam1.mp4", moving_box(), seconds=25)
    job = submit("20260223-150000-cam1.mp4", queue=queue, fps=0)
    wait_until(lambda: states([job.id], queue=queue)[0].frames_done)
    [one] = workers(queue=queue)
    overwrite(queue.connection, kind, [f"rq:worker:{one.name}", f"rq:executions:{job.id}", *SETS])
    queue.connection.delete(f"rq:wip:{queue.name}")
    began = time.time()
    lease = f"rq:wip:{queue.name}"

    def renewed() -> bool:
        ended = states([job.id], queue=queue)[0].final
        return ended or any(until > began + 16 for _, until in queue.connection.zrange(lease, 0, -1, withscores=True))

    wait_until(renewed)
    wait_until(lambda: [worker.name for worker in workers(queue=queue)] == [one.name])
    wait_until(lambda: analysed(context))
    assert worker.stop(seconds=60) == 0


def test_a_duty_that_fails_leaves_the_others_and_is_logged_ten_times(redis_server, queue, caplog):
    calls: list[str] = []

    class Failing(Maintenance):
        def duties(self):
            def broken() -> None:
                raise ArithmeticError("odd")

            return broken, lambda: calls.append("done")

    one = Failing(queue, "rq:worker:x", lambda _: None, RateLimitedLog(log))
    assert not any(one.run() for _ in range(20))
    assert len(calls) == 20
    assert len(logged(caplog, messages.MAINTENANCE_FAILED)) == 10


def test_the_health_check_tells_whether_leases_are_renewed(redis_server, queue, worker):
    host = socket.gethostname()
    wait_until(lambda: workers(queue=queue) and duties_done(queue))
    assert check(redis_server.env, host, time.time()) == 0
    with pytest.raises(QueueUnavailable, match="no worker of another has a fresh heartbeat"):
        check(redis_server.env, "another", time.time())
    [one] = workers(queue=queue)
    assert worker.stop() == 0
    with pytest.raises(QueueUnavailable, match="no worker of"):
        check(redis_server.env, host, time.time())
    # a worker whose lease renewer is dead or fails, but whose other thread goes on
    at = datetime.now(UTC)
    key = f"rq:worker:{one.name}"
    queue.connection.sadd("rq:workers:video_queue", key)
    for stored in (None, "x", time.time() - 100):
        queue.connection.delete(key)
        queue.connection.hset(key, "last_heartbeat", f"{at:%Y-%m-%dT%H:%M:%S.%fZ}")
        if stored is not None:
            queue.connection.hset(key, DUTIES_FIELD, stored)
        with pytest.raises(QueueUnavailable, match="has not completed its maintenance lately"):
            check(redis_server.env, host, time.time())
