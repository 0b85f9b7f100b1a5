"""A worker of the test's own that does what is queued, and what came of it."""

from __future__ import annotations

from rq import Queue
from rq.job import Job

from devtools.redis_server import RedisServer
from shared_utils.contracts.detections_log import log_path, read_records
from video_worker.jobs import WorkerContext
from video_worker.queue.serve import serve
from video_worker.queue.stop import Stop


def burst(server: RedisServer, context: WorkerContext) -> None:
    serve(server.settings, context, Stop(1), burst=True)


def lines(context: WorkerContext) -> list[dict]:
    return list(read_records(log_path(context.video_dir)))


def failed(queue: Queue) -> list[str]:
    return queue.failed_job_registry.get_job_ids()


def make_due(queue: Queue, job_id: str) -> None:
    queue.connection.zadd(queue.scheduled_job_registry.key, {job_id: 1})


def abandon(queue: Queue, job: Job, retries_left: int) -> None:
    """Leave `job` as a worker that was killed in its midst leaves it, a lease ago."""
    queue.connection.lrem(queue.key, 1, job.id)
    queue.connection.hset(job.key, mapping={"status": "started", "retries_left": retries_left})
    queue.connection.zadd(queue.started_job_registry.key, {f"{job.id}:execution": 1})


def leases(queue: Queue) -> list[str]:
    return [key.decode() for key in queue.connection.zrange(queue.started_job_registry.key, 0, -1)]
