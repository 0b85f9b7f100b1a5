"""Every key of the queue with every kind of rubbish: workers go on, at a restart too, and no good job is lost."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import partial

import pytest
import redis
from rq import Queue

from devtools.redis_server import RedisServer
from shared_utils.contracts.detections_log import log_path, read_records
from shared_utils.errors import QueueUnavailable
from shared_utils.queue.figures import DUTIES_FIELD, read_figures
from shared_utils.queue.jobs import (
    clip_queue,
    counts,
    enqueue_new_clip,
    failed_jobs,
    requeue_all,
    states,
    submit,
    workers,
)
from shared_utils.queue.quarantine import QUARANTINE
from shared_utils.queue.unlisted import requeue_unlisted
from tests.support.log_lines import logged
from tests.support.video import CLIP_NAME, moving_box, write_video
from video_worker import messages
from video_worker.health import check
from video_worker.jobs import WorkerContext
from video_worker.pipeline.cores import Neighbours
from video_worker.queue import maintenance
from video_worker.queue.maintenance import Maintenance
from video_worker.queue.rate_limited_log import RateLimitedLog
from video_worker.queue.serve import log, serve
from video_worker.queue.stop import Stop

JOB = "clip-20260223-144819-cam1"
QUEUE = "rq:queue:video_queue"
NOT_UTF8 = b"\xff\xfe\x80"

LISTS = (QUEUE, f"{QUEUE}:intermediate")
SETS = ("rq:queues", "rq:workers", "rq:workers:video_queue")
REGISTRIES = tuple(
    f"rq:{kind}:video_queue" for kind in ("wip", "finished", "failed", "scheduled", "deferred", "canceled")
)
OF_A_JOB = (f"rq:results:{JOB}", f"rq:executions:{JOB}", f"rq:job:{JOB}:dependents", f"rq:job:{JOB}:dependencies")
LOCK = f"{QUEUE}:vcam-cleaning"

MEMBERS = {
    "no UTF-8": NOT_UTF8,
    "no id": b"../../etc/passwd",
    "empty": b"",
    "newlines": b"a\nb\tc\x00",
    "a huge one": b"x" * 2_000_000,
    "colons": b"a:b:c:d",
    "an unknown job": b"run-nothing-00000000",
    "an unknown execution": b"run-nothing-00000000:0123",
    "pickled": b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94.",
    "JSON": b'{"id": 1}',
}
SCORES = (float("-inf"), -1.0, 0.0, 1e300, float("inf"))

Put = Callable[[redis.Redis], object]


TYPES: dict[str, Callable[[redis.Redis, str], object]] = {
    "string": lambda redis, key: redis.set(key, NOT_UTF8),
    "list": lambda redis, key: redis.rpush(key, NOT_UTF8, "x"),
    "set": lambda redis, key: redis.sadd(key, NOT_UTF8, "x"),
    "zset": lambda redis, key: redis.zadd(key, {NOT_UTF8: 1}),
    "hash": lambda redis, key: redis.hset(key, mapping={NOT_UTF8: NOT_UTF8}),
    "stream": lambda redis, key: redis.xadd(key, {NOT_UTF8: NOT_UTF8}),
}


def overwrite(connection: redis.Redis, kind: str, keys: Iterable[str]) -> None:
    """Have all `keys` be of one type, whatever they are."""
    for key in keys:
        connection.delete(key)
        TYPES[kind](connection, key)


def fill(connection: redis.Redis, keys: Iterable[str], add: Callable[[str, bytes], object]) -> None:
    """Put every odd member into all of `keys`."""
    for key in keys:
        for member in MEMBERS.values():
            add(key, member)


def cases() -> dict[str, Put]:
    found: dict[str, Put] = {}
    groups = {"list": (("queue", LISTS[:1]), ("intermediate list", LISTS[1:])), "set": (("sets", SETS),)}
    groups |= {
        "zset": (("registries", REGISTRIES),),
        "": (("a job's other keys", OF_A_JOB),),
        "string": (("lock", (LOCK,)),),
    }
    for own, of_type in groups.items():
        for name, keys in of_type:
            for kind in TYPES:
                if kind != own:
                    found[f"{name}: {kind}"] = partial(overwrite, kind=kind, keys=keys)
    found["lists hold it"] = lambda redis: fill(redis, LISTS, redis.rpush)
    found["sets hold it"] = lambda redis: fill(redis, SETS, redis.sadd)
    found["registries hold it"] = lambda redis: fill(
        redis,
        REGISTRIES,
        lambda key, member: [redis.zadd(key, {member + str(score).encode(): score}) for score in SCORES],
    )
    found["a lock for ever"] = lambda redis: redis.set(LOCK, "x")
    found["a result at the end of its stream"] = lambda redis: (
        redis.delete(f"rq:results:{JOB}"),
        redis.xadd(f"rq:results:{JOB}", {"type": "x"}, id="18446744073709551615-18446744073709551615"),
    )
    found["a worker that is a string"] = lambda redis: (
        redis.sadd("rq:workers", "rq:worker:x"), redis.sadd("rq:workers:video_queue", "rq:worker:x"),
        redis.set("rq:worker:x", "x"),
    )  # fmt: skip
    found["a worker of nonsense"] = lambda redis: (
        redis.sadd("rq:workers:video_queue", b"rq:worker:\xff"),
        redis.hset(b"rq:worker:\xff", mapping={"last_heartbeat": "x", "failed_job_count": "many", "birth": NOT_UTF8}),
    )
    return found


CASES = cases()


def burst(server: RedisServer, context: WorkerContext) -> None:
    serve(server.settings, context, Stop(1), burst=True)


def analysed(context: WorkerContext) -> list[str]:
    return [record["filename"] for record in read_records(log_path(context.video_dir)) if record["ok"]]


@pytest.fixture(scope="module")
def one_redis(tmp_path_factory: pytest.TempPathFactory):
    server = RedisServer(tmp_path_factory.mktemp("rubbish"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def redis_server(one_redis: RedisServer) -> RedisServer:
    """One Redis for all of these tests, emptied before each."""
    one_redis.connection().flushall()
    return one_redis


@pytest.fixture
def queue(redis_server: RedisServer) -> Queue:
    return clip_queue(redis_server.settings, redis_server.connection())


@pytest.mark.parametrize("case", CASES)
def test_a_clip_is_analysed_whatever_lies_in_redis(redis_server, queue, context, case, monkeypatch):
    monkeypatch.setattr(maintenance, "STUCK_S", 0)
    CASES[case](queue.connection)
    burst(redis_server, context)  # a worker that starts with it
    CASES[case](queue.connection)
    first = enqueue_or_none(queue)
    burst(redis_server, context)
    if not first:  # capture keeps it in its outbox, until the queue is repaired
        assert enqueue_new_clip(queue, CLIP_NAME)
    burst(redis_server, context)
    assert analysed(context) == [CLIP_NAME]
    # what people look at is to be had as well
    assert counts(queue=queue).queued == 0
    assert workers(queue=queue) == []
    assert read_figures(queue).waiting == 0
    assert isinstance(failed_jobs(queue=queue), list)
    requeue_all(queue=queue)
    assert states([JOB], queue=queue)[0].state == "done"


def enqueue_or_none(queue: Queue) -> bool:
    try:
        return enqueue_new_clip(queue, CLIP_NAME)
    except redis.ResponseError:
        return False


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
    told = dict.fromkeys(("successful_job_count", "failed_job_count"), b"9" * 4000)
    alive = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
    queue.connection.hset("rq:worker:x", mapping={**told, "total_working_time": "1", "last_heartbeat": alive})
    [one] = workers(queue=queue)
    assert one.done == 10**12
    assert read_figures(queue).workers[0].clip_seconds == 0.5e-12


def test_jobs_of_a_queue_that_was_overwritten_are_found_again(redis_server, queue, context, caplog):
    enqueue_new_clip(queue, CLIP_NAME)
    queue.connection.set(QUEUE, "x")
    burst(redis_server, context)
    assert analysed(context) == [CLIP_NAME]
    assert logged(caplog, messages.KEY_MOVED_ASIDE)
    assert queue.connection.keys(f"{QUARANTINE}{QUEUE}:*")


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


def test_a_lot_of_rubbish_is_counted_and_does_not_fill_the_log(redis_server, queue, context, caplog):
    queue.connection.rpush(QUEUE, *(f"no id {number}" for number in range(100)))
    enqueue_new_clip(queue, CLIP_NAME)
    burst(redis_server, context)
    assert analysed(context) == [CLIP_NAME]
    assert len(logged(caplog, messages.ENTRY_WITHOUT_ID)) == 10
    assert queue.connection.llen(f"{QUARANTINE}{QUEUE}") == 100


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
    with pytest.raises(QueueUnavailable, match="no worker of another gives a sign of life"):
        check(redis_server.env, "another", time.time())
    [one] = workers(queue=queue)
    assert worker.stop() == 0
    with pytest.raises(QueueUnavailable, match="no worker of"):
        check(redis_server.env, host, time.time())
    # a worker whose lease renewer is dead or fails, but whose other thread goes on
    at = datetime.now(UTC)
    key = f"rq:worker:{one.name}"
    queue.connection.sadd("rq:workers:video_queue", key)
    for told in (None, "x", time.time() - 100):
        queue.connection.delete(key)
        queue.connection.hset(key, "last_heartbeat", f"{at:%Y-%m-%dT%H:%M:%S.%fZ}")
        if told is not None:
            queue.connection.hset(key, DUTIES_FIELD, told)
        with pytest.raises(QueueUnavailable, match="does not look after its leases"):
            check(redis_server.env, host, time.time())
