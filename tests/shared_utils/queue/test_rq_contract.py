"""What this project relies on in RQ beyond its public names, against the pinned RQ and a real Redis.

Whoever moves the pin of RQ runs this file first: each test names one assumption of ``shared_utils/queue/rq_adapter`` or
of the modules that use it. A failure here says what changed; failures elsewhere would only say that jobs do not move.
"""

from __future__ import annotations

import inspect
import json
import re
import time
import zlib
from pathlib import Path
from typing import ClassVar

import pytest
import rq
from rq import Queue, SimpleWorker, worker_registration
from rq.executions import Execution
from rq.job import Job, JobStatus
from rq.registry import FailedJobRegistry, FinishedJobRegistry, StartedJobRegistry
from rq.serializers import JSONSerializer
from rq.utils import now, utcformat
from rq.worker.base import WorkerStatus

from devtools.redis_server import RedisServer
from shared_utils.queue.connection import JOB_TIMEOUT_S, clip_queue
from shared_utils.queue.rq_adapter import values
from shared_utils.queue.rq_adapter.jobs import Lease, StoredJob, forget_expired
from shared_utils.queue.rq_adapter.keys import (
    ALL_QUEUES,
    ALL_WORKERS,
    QueueKeys,
    job_id_of,
    job_key,
    leftover_keys,
    results_key,
    worker_key,
)
from shared_utils.queue.rq_adapter.queue import ClipQueue
from shared_utils.queue.rq_adapter.worker import JobWorker, WorkerIdentity

REQUIREMENTS = Path(__file__).resolve().parents[3] / "requirements.base.txt"


@pytest.fixture
def queue(redis_server: RedisServer) -> ClipQueue:
    return clip_queue(redis_server.settings, redis_server.connection())


@pytest.fixture
def connection(queue):
    return queue.connection


def enqueue(queue: ClipQueue, job_id: str = "clip-a", function: str = "some.function", **arguments: object) -> Job:
    return queue.enqueue_existing(queue.create_job(function, kwargs=arguments, job_id=job_id, result_ttl=500))


class PlainJob(StoredJob):
    sound: ClassVar = dict.fromkeys(
        ("created_at", "enqueued_at", "origin", "status", "timeout", "meta"), lambda _: True
    )

    @property
    def func(self):
        return self.runner


class Worker(JobWorker):
    """Runs a function of the test instead of the job's, and keeps the lease it was given."""

    error: BaseException | None = None
    outcome: str | None = "it failed"
    lease: Lease | None = None

    def run(self, job, lease, arguments):
        self.lease = lease
        self.held = self.connection.zrange(QueueKeys(job.origin).started, 0, -1)
        self.current = self.connection.hget(self.key, "current_job")
        self.status = self.connection.hget(job_key(job.id), "status")
        self.left_between = self.connection.lrange(QueueKeys(job.origin).taken, 0, -1)
        if self.error is not None:
            raise self.error
        return {"detected": list(arguments)}

    def handle_failure(self, job, error, text):
        assert error is self.error
        assert "Traceback" in text
        return self.outcome


@pytest.fixture
def worker(queue) -> Worker:
    return Worker(queue, PlainJob, WorkerIdentity(), worker_ttl_s=18, lease_s=15)


def test_the_version_is_the_pinned_one():
    pin = re.search(r"^rq==(\S+)$", REQUIREMENTS.read_text(), re.MULTILINE)
    assert pin is not None
    assert rq.__version__ == pin[1]


def test_keys_are_named_as_rq_names_them(queue, connection):
    keys = queue.keys
    assert (keys.waiting, keys.taken) == (queue.key, queue.intermediate_queue_key)
    assert keys.started == queue.started_job_registry.key
    assert keys.scheduled == queue.scheduled_job_registry.key
    assert keys.finished == queue.finished_job_registry.key
    assert keys.failed == queue.failed_job_registry.key
    assert {queue.deferred_job_registry.key, queue.canceled_job_registry.key} <= keys.types().keys()
    assert keys.workers == worker_registration.WORKERS_BY_QUEUE_KEY % queue.name
    assert ALL_WORKERS == worker_registration.REDIS_WORKER_KEYS == SimpleWorker.redis_workers_keys
    assert Queue.redis_queues_keys == ALL_QUEUES
    assert Job.key_for("x") == job_key("x")
    job = Job("x", connection=connection)
    assert leftover_keys("x") == (
        results_key("x"), job.execution_registry.key, job.dependents_key, job.dependencies_key
    )  # fmt: skip


def test_redis_has_the_types_that_are_expected_there(queue, connection, worker):
    worker.register()
    queue.enqueue_new(queue.create_job("some.function", job_id="clip-a"))
    for key, kind in queue.keys.types().items():
        assert connection.type(key).decode() in ("none", kind), key
    assert {key for key in queue.keys.types() if connection.exists(key)} == {
        ALL_QUEUES, ALL_WORKERS, queue.keys.workers, queue.keys.waiting
    }  # fmt: skip


def test_a_queued_job_is_a_hash_and_an_entry_of_a_list(queue, connection):
    job = enqueue(queue, filename="a.mp4", options={"conf": 0.3})
    assert connection.lrange(queue.keys.waiting, 0, -1) == [b"clip-a"]
    found = connection.hgetall(job_key(job.id))
    assert found[b"status"].decode() == values.QUEUED
    assert found[b"origin"].decode() == queue.name
    assert values.read_call(found[b"data"]) == [
        "some.function",
        None,
        [],
        {"filename": "a.mp4", "options": {"conf": 0.3}},
    ]
    assert values.read_time(found[b"enqueued_at"]) is not None
    assert int(found[b"timeout"]) == JOB_TIMEOUT_S


def test_a_call_is_compressed_json(queue, connection):
    job = enqueue(queue, a=1)
    assert json.loads(zlib.decompress(connection.hget(job_key(job.id), "data"))) == [
        "some.function",
        None,
        [],
        {"a": 1},
    ]
    assert JSONSerializer.loads(JSONSerializer.dumps([1, {"a": None}])) == [1, {"a": None}]


def test_a_new_job_and_one_that_rq_queues_are_the_same_hash(queue, connection):
    enqueue(queue, "one", a=1)
    queue.enqueue_new(queue.create_job("some.function", kwargs={"a": 1}, job_id="two", result_ttl=500))
    one, two = (connection.hgetall(job_key(job_id)) for job_id in ("one", "two"))
    moments = {b"created_at", b"enqueued_at"}
    assert one.keys() == two.keys()
    assert {key: one[key] for key in one.keys() - moments} == {key: two[key] for key in two.keys() - moments}


def test_states_and_times_are_written_as_expected():
    assert {values.QUEUED, values.STARTED, values.SCHEDULED, values.FINISHED, values.FAILED, values.STOPPED,
            values.CANCELED} <= {state.value for state in JobStatus}  # fmt: skip
    moment = now()
    assert values.read_time(utcformat(moment).encode()) == moment
    assert WorkerStatus.IDLE == "idle"


def test_a_worker_registers_as_a_hash_and_in_two_sets(queue, connection, worker):
    worker.register()
    key = worker_key(worker.name)
    assert worker.key == key
    assert connection.smembers(queue.keys.workers) == connection.smembers(ALL_WORKERS) == {key.encode()}
    found = connection.hgetall(key)
    assert values.read_time(found[b"last_heartbeat"]) is not None
    assert values.read_time(found[b"birth"]) is not None
    assert found[b"queues"].decode() == queue.name
    assert 18 < connection.ttl(key) <= 18 + 60
    assert SimpleWorker.all(queue=queue)[0].name == worker.name
    worker.deregister()
    assert not connection.smembers(queue.keys.workers)
    assert connection.ttl(key) <= 60


def test_a_job_that_ends_well(queue, connection, worker):
    job = PlainJob.load(enqueue(queue, filename="a.mp4").id, queue)
    connection.lmove(queue.keys.waiting, queue.keys.taken)
    before = time.time()
    worker.perform(job)
    # while it ran: held by "<job>:<execution>", with the end of its lease for a score, and no more between
    [entry] = worker.held
    assert job_id_of(entry) == b"clip-a"
    assert entry == f"clip-a:{worker.lease.execution.id}".encode()
    assert worker.status.decode() == values.STARTED
    assert worker.left_between == []
    assert worker.current == b"clip-a"
    # afterwards
    assert connection.zrange(queue.keys.started, 0, -1) == []
    [(done, expires)] = connection.zrange(queue.keys.finished, 0, -1, withscores=True)
    assert done == b"clip-a"
    assert expires == pytest.approx(before + 500, abs=30)
    result = values.last_result(connection.xrevrange(results_key(job.id), count=1))
    assert values.read_return_value(result) == {"detected": ["filename"]}
    found = connection.hgetall(job_key(job.id))
    assert found[b"status"].decode() == values.FINISHED
    assert values.read_time(found[b"ended_at"]) >= values.read_time(found[b"started_at"])
    figures = connection.hgetall(worker_key(worker.name))
    assert figures[b"successful_job_count"] == b"1"
    assert float(figures[b"total_working_time"]) >= 0
    assert b"current_job" not in figures


def test_a_job_that_fails_for_good(queue, connection, worker):
    worker.error = ArithmeticError("odd")
    job = PlainJob.load(enqueue(queue).id, queue)
    job.retries_left = 0
    worker.perform(job)
    assert connection.zrange(queue.keys.failed, 0, -1) == [b"clip-a"]
    assert connection.zrange(queue.keys.started, 0, -1) == []
    assert values.read_error(values.last_result(connection.xrevrange(results_key(job.id), count=1))) == "it failed"
    assert connection.hget(job_key(job.id), "status").decode() == values.FAILED
    assert connection.hget(worker_key(worker.name), "failed_job_count") == b"1"


def test_a_job_that_is_to_be_tried_again_is_scheduled(queue, connection, worker):
    worker.error = OSError("gone")
    job = PlainJob.load(enqueue(queue).id, queue)
    job.retries_left, job.retry_intervals = 2, [30]
    before = time.time()
    worker.perform(job)
    [(entry, at)] = connection.zrange(queue.keys.scheduled, 0, -1, withscores=True)
    assert entry == b"clip-a"
    assert at == pytest.approx(before + 30, abs=10)
    found = connection.hgetall(job_key(job.id))
    assert found[b"status"].decode() == values.SCHEDULED
    assert found[b"retries_left"] == b"1"


def test_a_job_whose_retry_is_due_at_once_goes_to_the_front(queue, connection):
    enqueue(queue, "other")
    job = PlainJob.load(enqueue(queue, "again").id, queue)
    connection.lrem(queue.keys.waiting, 1, job.id)
    job.retries_left, job.retry_intervals, job.enqueue_at_front_on_retry = 1, [0], True
    with connection.pipeline() as pipeline:
        job.retry(queue, pipeline)
        pipeline.execute()
    assert connection.lrange(queue.keys.waiting, 0, -1) == [b"again", b"other"]


def test_a_job_that_is_handed_back_waits_at_the_front(queue, connection, worker):
    worker.error, worker.outcome = KeyboardInterrupt(), None
    job = PlainJob.load(enqueue(queue).id, queue)
    connection.lmove(queue.keys.waiting, queue.keys.taken)
    enqueue(queue, "clip-b")
    worker.perform(job)
    assert connection.lrange(queue.keys.waiting, 0, -1) == [b"clip-a", b"clip-b"]
    assert connection.zrange(queue.keys.started, 0, -1) == []
    assert connection.hget(job_key(job.id), "status").decode() == values.QUEUED


def test_a_job_is_failed_without_a_worker(queue, connection):
    job = PlainJob.load(enqueue(queue).id, queue)
    with connection.pipeline() as pipeline:
        job.fail("given up", pipeline)
        pipeline.execute()
    assert connection.zrange(queue.keys.failed, 0, -1) == [b"clip-a"]
    assert values.read_error(values.last_result(connection.xrevrange(results_key(job.id), count=1))) == "given up"


def test_a_lease_is_renewed_even_where_its_set_was_deleted(queue, connection):
    job = PlainJob.load(enqueue(queue).id, queue)
    with connection.pipeline() as pipeline:
        execution = Execution.create(job, 15, pipeline)
        pipeline.execute()
    connection.delete(queue.keys.started)
    before = time.time()
    Lease(job, execution).renew(connection, 100)
    [(entry, until)] = connection.zrange(queue.keys.started, 0, -1, withscores=True)
    assert entry.decode() == execution.composite_key
    assert until == pytest.approx(before + 100, abs=10)
    assert 15 < connection.ttl(execution.key) <= 100
    assert values.read_time(connection.hget(job_key(job.id), "last_heartbeat")) is not None


def test_expired_entries_are_forgotten_and_others_are_not(queue, connection):
    for key in (queue.keys.finished, queue.keys.failed):
        connection.zadd(key, {"old": 1, "new": time.time() + 1000})
    forget_expired(queue, PlainJob)
    assert connection.zrange(queue.keys.finished, 0, -1) == [b"new"]
    assert connection.zrange(queue.keys.failed, 0, -1) == [b"new"]


def test_meta_is_saved_beside_the_rest(queue, connection):
    job = PlainJob.load(enqueue(queue).id, queue)
    job.save_progress({"frames_done": 3})
    assert json.loads(connection.hget(job_key(job.id), "meta")) == {"frames_done": 3}
    assert connection.hget(job_key(job.id), "status").decode() == values.QUEUED


@pytest.mark.parametrize(
    ("function", "parameters"),
    [
        (Queue._enqueue_job, ["job", "pipeline", "at_front"]),
        (Queue._prepare_for_queue, ["job"]),
        (Queue.push_job_id, ["job_id", "pipeline", "at_front"]),
        (Queue.enqueue_dependents, ["job"]),
        (Job.restore, ["raw_data"]),
        (Job.refresh, []),
        (Job.prepare_for_execution, ["worker_name", "pipeline"]),
        (Job._handle_failure, ["exc_string", "pipeline", "worker_name"]),
        (Job.retry, ["queue", "pipeline"]),
        (Job.heartbeat, ["timestamp", "ttl", "pipeline"]),
        (Execution.heartbeat, ["started_job_registry", "ttl", "pipeline"]),
        (SimpleWorker.execute_job, ["job", "queue"]),
        (SimpleWorker.handle_exception, ["job", "exc_info"]),
        (SimpleWorker.handle_job_failure, ["job", "queue", "started_job_registry", "exc_string"]),
        (SimpleWorker.cleanup_execution, ["job", "pipeline"]),
        (SimpleWorker.get_heartbeat_ttl, ["job"]),
        (SimpleWorker.increment_successful_job_count, ["pipeline"]),
        (SimpleWorker.increment_failed_job_count, ["pipeline"]),
        (SimpleWorker.increment_total_working_time, ["job_execution_time", "pipeline"]),
        (StartedJobRegistry.cleanup, []),
        (FinishedJobRegistry.cleanup, []),
        (FailedJobRegistry.cleanup, []),
    ],
)
def test_what_is_called_or_overridden_takes_these_parameters(function, parameters):
    names = list(inspect.signature(function).parameters)[1:]
    assert names[: len(parameters)] == parameters
