"""The queue: one kind of job, carried as JSON by RQ (DESIGN 3.4).

Capture and the notebooks enqueue by the function's dotted path, so neither needs the worker's code. Whatever is read
back from Redis is read as JSON: nothing is ever unpickled.

::

    job = submit("20260223-144819-door.mp4", conf=0.3)
    outcomes = watch(submit_many("20260223-*.mp4", model="yolov8s.onnx"))
"""

from __future__ import annotations

import fnmatch
import json
import os
import uuid
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path, PurePath
from typing import Any, cast

import redis
from redis.backoff import NoBackoff
from redis.client import Pipeline
from redis.retry import Retry
from rq import Queue, Worker
from rq.exceptions import DuplicateJobError, InvalidJobOperation, NoSuchJobError
from rq.job import Job

from shared_utils.clips import resolve_in_video_dir
from shared_utils.config import Env, RedisSettings
from shared_utils.errors import ClipMissing, JobRefused, QueueUnavailable, SettingError
from shared_utils.job_states import FIELDS, JobState, QueueCounts, WorkerState, read_state, reason_of
from shared_utils.schemas import Options, options_as_dict

PROCESS_CLIP = "video_worker.jobs.process_clip"
SERIALIZER = "json"

JOB_TIMEOUT = 3600
"""Seconds a job may take before the worker gives it up: an hour-long 4K file on a slow machine still passes."""
RESULT_TTL = 7 * 24 * 3600
"""Seconds a finished job stays known: as long, a clip announced twice is still queued once."""
FAILURE_TTL = 30 * 24 * 3600
"""Seconds a failed job stays in the failed registry, to be looked at and requeued."""
VIDEO_SUFFIXES = frozenset({".mp4", ".mkv", ".mov", ".m4v", ".avi", ".webm", ".ts"})
"""Of files that a pattern may mean: the shared volume holds logs as well."""
WORKER_GONE_S = 30.0
"""Seconds without a sign of life, due every two, after which a worker counts as gone."""
RECORDING = "recording"
"""Key of a job's meta: the id of the recording that it is the first job of."""
RECORDING_DIGITS = 8
CONNECT_TIMEOUT = 5
"""Seconds; a Redis on the same machine or network answers in milliseconds."""


def connect(settings: RedisSettings) -> redis.Redis:
    """Return a client for the queue's Redis. Nothing is sent yet.

    No retries inside the client: our callers keep trying, and say so once.
    """
    return redis.Redis(
        host=settings.host,
        port=settings.port,
        password=settings.password,
        ssl=settings.tls,
        ssl_ca_certs=str(settings.ca) if settings.ca else None,
        socket_connect_timeout=CONNECT_TIMEOUT,
        socket_timeout=CONNECT_TIMEOUT,
        health_check_interval=30,
        retry=Retry(NoBackoff(), 0),
    )


@contextmanager
def redis_errors(settings: RedisSettings) -> Iterator[None]:
    """Turn what Redis' client raises into our own errors, in one line that names the setting.

    Raises:
        SettingError: the password is wrong, missing, or not wanted.
        QueueUnavailable: no Redis there, or not ready.
    """
    try:
        yield
    except redis.AuthenticationError:
        given = "is not accepted" if settings.password else "is not set, but a password is wanted"
        raise SettingError(
            f"RDS_PSW {given} by the Redis at {settings.address}: give the password that Redis was started with"
        ) from None
    except redis.RedisError as error:
        if "NOAUTH" in str(error) or "without any password configured" in str(error):
            raise SettingError(
                f"RDS_PSW does not fit the Redis at {settings.address}: set it where Redis has a password, "
                "and only there"
            ) from None
        raise QueueUnavailable(
            f"Redis at {settings.address} is not available ({_reason(error)}); "
            f"see RDS_HOST{', RDS_PORT and RDS_CA' if settings.tls else ' and RDS_PORT'}"
        ) from None


def _reason(error: Exception) -> str:
    text = str(error).strip().rstrip(".")
    return text.splitlines()[0][:160] if text else type(error).__name__


def clip_queue(settings: RedisSettings, connection: redis.Redis) -> Queue:
    """Return the queue of clips, with the JSON serializer."""
    return Queue(settings.queue, connection=connection, serializer=SERIALIZER, default_timeout=JOB_TIMEOUT)


def clip_job_id(filename: str) -> str:
    """Return the id of a clip's first job: ``clip-<stem>``."""
    return f"clip-{PurePath(filename).stem}"


def enqueue_new_clip(
    queue: Queue, filename: str, recording: str | None = None, options: Mapping[str, Any] | None = None
) -> bool:
    """Queue the first job of a clip, with the worker's own options, but for those of its camera.

    Args:
        queue: takes it.
        filename: the clip's name.
        recording: id of the recording, kept in the job's meta. Where the job of that name is another recording's,
            whose clip has been deleted since, this one gets a job under an id of its own; None knows of no others.
        options: those of its camera.

    Returns:
        False when that job was there already: a clip is queued once, however often it is announced.
    """
    job_id = clip_job_id(filename)
    wanted = [job_id]
    if recording is not None:
        wanted.append(f"{job_id}-{recording[:RECORDING_DIGITS]}")
    for one in wanted:
        try:
            _enqueue(queue, filename, options or {}, one, unique=True, recording=recording)
        except DuplicateJobError:
            if _recording_of(queue, one) == recording:
                return False
        else:
            return True
    return False


def _recording_of(queue: Queue, job_id: str) -> str | None:
    """Return the id of the recording that a job is of; None where the job does not tell."""
    meta = queue.connection.hget(Job.key_for(job_id), "meta")
    try:
        told = json.loads(meta) if isinstance(meta, bytes) else None
    except (ValueError, RecursionError):
        return None
    recording = told.get(RECORDING) if isinstance(told, dict) else None
    return recording if isinstance(recording, str) else None


def environment_queue() -> Queue:
    """Return the queue of clips that the environment names (``RDS_HOST``, ``RDS_PORT``, ``RDS_PSW``)."""
    settings = RedisSettings.from_env(os.environ)
    return clip_queue(settings, connect(settings))


def submit(filename: str | Path, *, queue: Queue | None = None, **options: Any) -> Job:
    """Queue a further run over a file of the shared volume, such as one with another threshold.

    Args:
        filename: bare name of a file in ``VIDEO_DIR``, or its path.
        queue: see :func:`clip_queue`; the environment's, if None.
        options: any of ``model``, ``conf``, ``imgsz``, ``fps``, ``min_hits``, ``classes``; the worker's settings for
            the rest.

    Returns:
        The job, under an id of its own.

    Raises:
        JobRefused: a name or an option that the worker would refuse.
        SettingError, QueueUnavailable: Redis does not take the password, or is not there.
    """
    [job] = submit_many([filename], queue=queue, **options)
    return job


def submit_many(
    pattern_or_names: str | Iterable[str | Path],
    *,
    queue: Queue | None = None,
    video_dir: str | Path | None = None,
    **options: Any,
) -> list[Job]:
    """Queue a further run over many files, all of them or none.

    Args:
        pattern_or_names: a pattern such as ``20260223-*-door.mp4``, matched in the shared volume; or names.
        queue, options: as in :func:`submit`.
        video_dir: the shared volume; ``VIDEO_DIR``, if None. Names are looked up there only if it is given.

    Raises:
        JobRefused, SettingError, QueueUnavailable: as in :func:`submit`.
        ClipMissing: nothing matches, or a file is not there.
    """
    if isinstance(pattern_or_names, str):
        names = _matching(pattern_or_names, video_dir)
    else:
        names = [name.name if isinstance(name, Path) else name for name in pattern_or_names]
    wanted = _checked(options)
    for name in names:
        path = resolve_in_video_dir(Path(video_dir or "/"), name)
        if video_dir is not None and not path.is_file():
            raise ClipMissing(f"{name}: no such file in {video_dir}")
    queue = environment_queue() if queue is None else queue
    with redis_errors(settings_of(queue)), queue.connection.pipeline() as pipeline:
        jobs = [
            _enqueue(
                queue,
                name,
                wanted,
                f"run-{PurePath(name).stem}-{uuid.uuid4().hex[:8]}",
                unique=False,
                pipeline=pipeline,
            )
            for name in names
        ]
        pipeline.execute()
    return jobs


def _matching(pattern: str, video_dir: str | Path | None) -> list[str]:
    folder = Path(Env(os.environ).text("VIDEO_DIR", "video") if video_dir is None else video_dir)
    names = sorted(path.name for path in folder.glob("[!.]*") if path.suffix.lower() in VIDEO_SUFFIXES)
    found = fnmatch.filter(names, pattern)
    if not found:
        raise ClipMissing(f"none of the {len(names)} videos in {folder} is called {pattern!r}")
    return found


def _checked(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return `options` as a job carries them, numbers and lists of numpy and pandas made plain."""
    plain = {key: _plain(value) for key, value in options.items()}
    whole = options_as_dict(Options().replaced_by(plain))
    return {key: whole[key] for key in plain}


def _plain(value: Any) -> Any:
    if isinstance(value, set | frozenset):
        return sorted(value)
    return value.tolist() if hasattr(value, "tolist") else value


def settings_of(queue: Queue) -> RedisSettings:
    """Return where `queue` is, for messages."""
    told = queue.connection.connection_pool.connection_kwargs
    return RedisSettings(
        str(told.get("host", "localhost")), int(told.get("port", 6379)), told.get("password"), queue.name
    )


def watch(jobs: Job | Iterable[Job]) -> list[JobState]:
    """Follow jobs with a live progress bar until they have ended; return what became of each, in their order.

    Up to four jobs have a bar each, more share one. Ctrl-C, or the notebook's stop button, ends the watching and not
    the jobs. Redis may go away and come back meanwhile. The states make a frame: ``pandas.DataFrame(watch(jobs))``.

    Raises:
        SettingError: Redis does not take the password.
    """
    # tqdm is where people watch, not where capture runs
    from shared_utils.job_bars import follow

    given = [jobs] if isinstance(jobs, Job) else list(jobs)
    if not given:
        return []
    queue = Queue(given[0].origin, connection=given[0].connection, serializer=SERIALIZER)
    known: dict[str, JobState] = {}

    def look() -> list[JobState]:
        pending = [job.id for job in given if job.id not in known or not known[job.id].final]
        known.update((state.job_id, state) for state in states(pending, queue=queue))
        return [known[job.id] for job in given]

    return follow(look, lambda: bool(workers(queue=queue)))


def states(job_ids: Iterable[str], *, queue: Queue | None = None) -> list[JobState]:
    """Return what Redis knows of these jobs, in their order.

    Raises:
        SettingError, QueueUnavailable: Redis does not take the password, or is not there.
    """
    queue = environment_queue() if queue is None else queue
    wanted, now = list(job_ids), datetime.now(UTC)
    with redis_errors(settings_of(queue)):
        with queue.connection.pipeline(transaction=False) as pipeline:
            for job_id in wanted:
                pipeline.hmget(Job.key_for(job_id), FIELDS)
            answers = pipeline.execute()
        found = [
            read_state(job_id, dict(zip(FIELDS, answer, strict=True)), now)
            for job_id, answer in zip(wanted, answers, strict=True)
        ]
        return [_with_result(queue, state) if state.final else state for state in found]


def _with_result(queue: Queue, state: JobState) -> JobState:
    if state.state == "lost" or state.error:
        return state
    try:
        result = Job(state.job_id, connection=queue.connection, serializer=SERIALIZER).latest_result()
    except (ValueError, zlib.error):  # not JSON, or packed in another way: not a worker's of ours
        result = None
    if state.state == "failed":
        return replace(state, error=reason_of(result.exc_string if result else None))
    told = result.return_value if result else None
    if not isinstance(told, dict):
        return state
    run_id, detected = told.get("run_id"), told.get("detected")
    return replace(
        state,
        run_id=run_id if isinstance(run_id, str) else None,
        detected=tuple(map(str, detected)) if isinstance(detected, list) else (),
    )


def workers(*, queue: Queue | None = None) -> list[WorkerState]:
    """Return the workers that serve the queue, without those whose last sign of life is long ago.

    Raises:
        SettingError, QueueUnavailable: Redis does not take the password, or is not there.
    """
    queue = environment_queue() if queue is None else queue
    now = datetime.now(UTC)
    with redis_errors(settings_of(queue)):
        found = []
        for worker in Worker.all(queue=queue, serializer=SERIALIZER):
            seen = worker.last_heartbeat
            seen_s = max(0.0, (now - seen.replace(tzinfo=UTC)).total_seconds()) if seen else 0.0
            if seen_s > WORKER_GONE_S:
                continue
            job_id = worker.get_current_job_id()
            job = states([job_id], queue=queue)[0] if job_id else None
            done, failed = worker.successful_job_count or 0, worker.failed_job_count or 0
            found.append(WorkerState(worker.name, job, seen_s, done, failed))
    return sorted(found, key=lambda one: one.name)


def counts(*, queue: Queue | None = None) -> QueueCounts:
    """Return how many jobs do what.

    Raises:
        SettingError, QueueUnavailable: Redis does not take the password, or is not there.
    """
    queue = environment_queue() if queue is None else queue
    with redis_errors(settings_of(queue)):
        return QueueCounts(
            queued=queue.count,
            running=len(queue.started_job_registry.get_job_ids(cleanup=False)),
            to_retry=len(queue.scheduled_job_registry.get_job_ids(cleanup=False)),
            failed=len(queue.failed_job_registry.get_job_ids(cleanup=False)),
            done=len(queue.finished_job_registry.get_job_ids(cleanup=False)),
        )


def failed_jobs(*, queue: Queue | None = None, limit: int = 100) -> list[JobState]:
    """Return the failed jobs with their reasons, the last ones first; all of them with a `limit` of 0.

    Raises:
        SettingError, QueueUnavailable: Redis does not take the password, or is not there.
    """
    queue = environment_queue() if queue is None else queue
    with redis_errors(settings_of(queue)):
        ids = queue.failed_job_registry.get_job_ids(cleanup=False, desc=True, end=limit - 1)
    return states(ids, queue=queue)


def requeue(job_id: str, *, queue: Queue | None = None) -> Job:
    """Queue a failed job once more, with as many retries as a new one.

    Raises:
        JobRefused: it has not failed, is not known any more, or is none of ours.
        SettingError, QueueUnavailable: Redis does not take the password, or is not there.
    """
    queue = environment_queue() if queue is None else queue
    with redis_errors(settings_of(queue)):
        try:
            job = Job.fetch(job_id, connection=queue.connection, serializer=SERIALIZER)
            job.retries_left, job.meta = None, {}
            queue.connection.hdel(job.key, "retries_left", "meta")
            return cast("Job", queue.failed_job_registry.requeue(job))
        except (NoSuchJobError, InvalidJobOperation):
            raise JobRefused(f"{job_id} is not among the failed jobs: it was queued again, or has expired") from None
        except ValueError as error:
            raise JobRefused(f"{job_id} is no job of ours: {error}") from None


def requeue_all(*, queue: Queue | None = None) -> list[Job]:
    """Queue all failed jobs once more, oldest first; those that can not be are left where they are.

    Raises:
        SettingError, QueueUnavailable: Redis does not take the password, or is not there.
    """
    queue = environment_queue() if queue is None else queue
    with redis_errors(settings_of(queue)):
        ids = queue.failed_job_registry.get_job_ids(cleanup=False)
    jobs = []
    for job_id in ids:
        with suppress(JobRefused):
            jobs.append(requeue(job_id, queue=queue))
    return jobs


def _enqueue(
    queue: Queue,
    filename: str,
    options: Mapping[str, Any],
    job_id: str,
    *,
    unique: bool,
    pipeline: Pipeline | None = None,
    recording: str | None = None,
) -> Job:
    return queue.enqueue_call(
        PROCESS_CLIP,
        kwargs={"filename": filename, "options": dict(options)},
        job_id=job_id,
        unique=unique,
        pipeline=pipeline,
        timeout=JOB_TIMEOUT,
        result_ttl=RESULT_TTL,
        failure_ttl=FAILURE_TTL,
        description=f"analyse {filename}",
        meta={RECORDING: recording} if recording else None,
    )
