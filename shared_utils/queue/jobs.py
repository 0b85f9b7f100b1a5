"""The queue: one kind of job, carried as JSON by RQ (docs/contracts.md).

Capture and the notebooks enqueue by the function's dotted path, so neither needs the worker's code. Whatever is read
back from Redis is read as JSON: nothing is ever unpickled.

::

    job = submit("20260223-144819-door.mp4", conf=0.3)
    outcomes = watch(submit_many("20260223-*.mp4", model="yolov8s.onnx"))
"""

from __future__ import annotations

import fnmatch
import logging
import os
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import redis
from redis.client import Pipeline
from rq import Queue

from shared_utils import messages
from shared_utils.config.folders import video_path
from shared_utils.config.job_options import replace_options
from shared_utils.contracts.clips import name_fault, printable_name, resolve_in_video_dir
from shared_utils.contracts.job_options import Options, job_arguments, options_as_dict
from shared_utils.errors import ClipMissing, JobRefused
from shared_utils.former_names import former_attributes
from shared_utils.queue.connection import (
    JOB_TIMEOUT_S,
    SERIALIZER,
    clip_queue,
    connect,
    environment_queue,
    redis_errors,
    redis_is_away,
    settings_of,
)
from shared_utils.queue.figures import read_figures, read_workers
from shared_utils.queue.job_states import FIELDS, JobState, QueueCounts, WorkerState, read_meta, read_result, read_state
from shared_utils.queue.names import clip_job_id, further_job_id, is_job_id
from shared_utils.queue.quarantine import quarantine_key
from shared_utils.queue.rq_adapter.jobs import Job, NoSuchJobError, fetch_jobs
from shared_utils.queue.rq_adapter.keys import QueueKeys, job_id_of, job_key, results_key
from shared_utils.queue.rq_adapter.queue import DuplicateJobError, ordered

__all__ = [
    "PROCESS_CLIP",
    "clip_job_id",
    "clip_queue",
    "connect",
    "counts",
    "enqueue_new_clip",
    "environment_queue",
    "failed_jobs",
    "open_jobs",
    "redis_errors",
    "requeue",
    "requeue_all",
    "settings_of",
    "states",
    "submit",
    "submit_many",
    "watch",  # noqa: F822  # see the end of the module
    "workers",
]

log = logging.getLogger(__name__)

PROCESS_CLIP = "video_worker.jobs.process_clip"
RESULT_TTL_S = 7 * 24 * 3600
"""Seconds that a finished job stays known: until then, a clip announced twice is queued once."""
FAILURE_TTL_S = 30 * 24 * 3600
"""Seconds that a failed job stays in the failed registry, to be inspected and requeued."""
VIDEO_SUFFIXES = frozenset({".mp4", ".mkv", ".mov", ".m4v", ".avi", ".webm", ".ts"})
"""Suffixes of files that a pattern may match: the shared volume holds logs as well."""
RECORDING = "recording"
"""Key in the meta data of a first job: the id of its recording."""
RECORDING_DIGITS = 8


def enqueue_new_clip(
    queue: Queue, filename: str, recording: str | None = None, options: Mapping[str, Any] | None = None
) -> bool:
    """Queue the first job of a clip, with the worker's own options except those of its camera, ahead of further runs.

    Args:
        queue: the queue of clips.
        filename: the clip's name.
        recording: id of the recording, kept in the job's meta. Where the job of that name is another recording's,
            whose clip has been deleted since, this one gets a job under an id of its own; None knows of no others.
        options: options of its camera.

    Returns:
        False if there was such a job already: a clip is queued once, however often it is announced.

    Raises:
        JobRefused: a name that the worker would refuse.
    """
    resolve_in_video_dir(Path("/"), filename)
    wanted = [clip_job_id(filename)]
    if recording is not None:
        wanted.append(f"{wanted[0]}-{recording[:RECORDING_DIGITS]}")
    for job_id in wanted:
        if _quarantine_foreign(queue, job_id):
            log.error(messages.JOB_KEY_MOVED_ASIDE, job_id)
        try:
            meta = {RECORDING: recording} if recording else None
            ordered(queue).enqueue_new(_job(queue, filename, options or {}, job_id, meta))
        except DuplicateJobError:
            if _recording_of(queue, job_id) == recording:
                return False
        else:
            return True
    return False


def _quarantine_foreign(queue: Queue, job_id: str) -> bool:
    """Quarantine a value at a job's key that is no job; return whether there was one."""
    key = job_key(job_id)
    if quarantine_key(queue.connection, key, "hash") is not None:
        return True
    return not queue.connection.hexists(key, "data") and quarantine_key(queue.connection, key) is not None


def _recording_of(queue: Queue, job_id: str) -> str | None:
    """Return the id of a job's recording; None where the job has none."""
    recording = read_meta(queue.connection.hget(job_key(job_id), "meta")).get(RECORDING)
    return recording if isinstance(recording, str) else None


def submit(filename: str | Path, *, queue: Queue | None = None, **options: Any) -> Job:
    """Queue a further run over a file of the shared volume, such as one with another threshold.

    First jobs of new clips come before it.

    Args:
        filename: bare name of a file in ``VIDEO_DIR``, or its path.
        queue: see :func:`clip_queue`; the environment's, if None.
        options: any of ``model``, ``conf``, ``imgsz``, ``fps``, ``min_hits``, ``classes``, ``aspect``; the worker's
            settings for the rest.

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
        pattern_or_names: a pattern such as ``20260223-*-door.mp4``, matched in the shared volume; or names. A text
            that is a file's own name means that file, whatever letters it holds.
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
        jobs = [_enqueue(queue, name, wanted, further_job_id(name), pipeline) for name in names]
        pipeline.execute()
    return jobs


def _matching(pattern: str, video_dir: str | Path | None) -> list[str]:
    folder = video_path(os.environ) if video_dir is None else Path(video_dir)
    there = sorted(path.name for path in folder.glob("[!.]*") if path.suffix.lower() in VIDEO_SUFFIXES)
    names = [name for name in there if name_fault(name) is None]
    if len(names) < len(there):
        log.warning(messages.CLIP_NAMES_UNUSABLE, ", ".join(map(printable_name, set(there) - set(names))))
    if pattern in names:  # "Cat [x].mp4" is a name, and not a pattern for "Cat x.mp4"
        return [pattern]
    found = fnmatch.filter(names, pattern) or [
        # letters with accents may be one letter or two: a keyboard's are one, those of macOS' files two
        name
        for name in names
        if fnmatch.fnmatchcase(unicodedata.normalize("NFC", name), unicodedata.normalize("NFC", pattern))
    ]
    if not found:
        raise ClipMissing(f"none of the {len(names)} videos in {folder} is called {pattern!r}")
    return found


def _checked(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return `options` as a job carries them, with numbers and lists of numpy and pandas made plain."""
    plain = {key: _plain(value) for key, value in options.items()}
    whole = options_as_dict(replace_options(Options(), plain))
    return {key: whole[key] for key in plain}


def _plain(value: Any) -> Any:
    if isinstance(value, set | frozenset):
        return sorted(value)
    return value.tolist() if hasattr(value, "tolist") else value


def states(job_ids: Iterable[str], *, queue: Queue | None = None) -> list[JobState]:
    """Return the states of these jobs, in their order.

    Raises:
        SettingError, QueueUnavailable: Redis does not take the password, or is not there.
    """
    queue = environment_queue() if queue is None else queue
    wanted, now = list(job_ids), datetime.now(UTC)
    found = []
    for job_id, answer in zip(wanted, _replies(queue, wanted, _hash), strict=True):
        raw = dict(zip(FIELDS, answer, strict=True)) if isinstance(answer, list) else dict.fromkeys(FIELDS)
        found.append(read_state(job_id, raw, now))
    ended = [state.job_id for state in found if state.final and state.state != "lost" and not state.error]
    results = dict(zip(ended, _replies(queue, ended, _last_result), strict=True))
    return [read_result(state, results[state.job_id]) if state.job_id in results else state for state in found]


def _hash(pipeline: Pipeline, job_id: str) -> None:
    pipeline.hmget(job_key(job_id), FIELDS)


def _last_result(pipeline: Pipeline, job_id: str) -> None:
    pipeline.xrevrange(results_key(job_id), count=1)


def _replies(queue: Queue, job_ids: list[str], ask: Callable[[Pipeline, str], None]) -> list[Any]:
    """Return Redis' reply for each job; an error where a key has another type."""
    with redis_errors(settings_of(queue)), queue.connection.pipeline(transaction=False) as pipeline:
        for job_id in job_ids:
            ask(pipeline, job_id)
        return pipeline.execute(raise_on_error=False)


def workers(*, queue: Queue | None = None) -> list[WorkerState]:
    """Return the workers of the queue with a recent heartbeat.

    Raises:
        SettingError, QueueUnavailable: Redis does not take the password, or is not there.
    """
    queue = environment_queue() if queue is None else queue
    now = datetime.now(UTC).timestamp()
    with redis_errors(settings_of(queue)):
        found = read_workers(queue, now)
    jobs = states([one.job_id for one in found if one.job_id], queue=queue)
    by_id = {state.job_id: state for state in jobs}
    return [
        WorkerState(one.name, by_id.get(one.job_id or ""), max(0.0, now - one.seen), one.done, one.failed)
        for one in found
    ]


def counts(*, queue: Queue | None = None) -> QueueCounts:
    """Return the number of jobs in each state.

    Raises:
        SettingError, QueueUnavailable: Redis does not take the password, or is not there.
    """
    queue = environment_queue() if queue is None else queue
    with redis_errors(settings_of(queue)):
        now = read_figures(queue)
    return QueueCounts(queued=now.waiting, running=now.running, to_retry=now.to_retry, failed=now.failed, done=now.done)


def failed_jobs(*, queue: Queue | None = None, limit: int = 100) -> list[JobState]:
    """Return the failed jobs with their reasons, the last ones first; all of them with a `limit` of 0.

    Raises:
        SettingError, QueueUnavailable: Redis does not take the password, or is not there.
    """
    queue = environment_queue() if queue is None else queue
    return states(_failed(queue, limit - 1), queue=queue)


def _failed(queue: Queue, last: int = -1) -> list[str]:
    """Return the ids of failed jobs, the latest first, without foreign entries."""
    connection: Any = queue.connection
    with redis_errors(settings_of(queue)):
        try:
            entries = connection.zrevrange(QueueKeys(queue.name).failed, 0, last)
        except redis.ResponseError as error:
            if redis_is_away(error):
                raise
            return []  # no such set: a worker quarantines it
    ids = (raw.decode("utf-8", "replace") for raw in entries)
    return [job_id for job_id in ids if is_job_id(job_id)]


def open_jobs(*, queue: Queue | None = None) -> list[Job]:
    """Return the jobs that wait, are in work, or are to be tried again, as far as they can be read.

    Raises:
        SettingError, QueueUnavailable: Redis does not take the password, or is not there.
    """
    queue = environment_queue() if queue is None else queue
    keys, connection = QueueKeys(queue.name), cast("Any", queue.connection)
    with redis_errors(settings_of(queue)):
        entries = connection.lrange(keys.waiting, 0, -1)
        for key in (keys.started, keys.scheduled):
            entries += connection.zrange(key, 0, -1)
        ids = (job_id_of(entry).decode("utf-8", "replace") for entry in entries)
        return fetch_jobs([job_id for job_id in ids if is_job_id(job_id)], queue.connection)


def requeue(job_id: str, *, queue: Queue | None = None) -> Job:
    """Queue a failed job once more, with as many retries as a new one.

    Raises:
        JobRefused: it has not failed, is no longer known, or is none of ours.
        SettingError, QueueUnavailable: Redis does not take the password, or is not there.
    """
    queue = environment_queue() if queue is None else queue
    connection = queue.connection
    with redis_errors(settings_of(queue)):
        try:
            job = Job.fetch(job_id, connection=connection, serializer=SERIALIZER)
        except NoSuchJobError:
            raise JobRefused(f"{job_id} is not among the failed jobs: it was queued again, or has expired") from None
        except (ValueError, TypeError, KeyError, AttributeError, redis.ResponseError) as error:
            raise JobRefused(f"{job_id} is no job of ours: {error}") from None
        if not queue.failed_job_registry.remove(job_id):
            raise JobRefused(f"{job_id} is not among the failed jobs: it was queued again, or has expired")
        job.retries_left = job.started_at = job.ended_at = None
        job.meta = {RECORDING: job.meta[RECORDING]} if RECORDING in job.meta else {}
        with connection.pipeline() as pipeline:
            pipeline.hdel(job.key, "retries_left", "meta", "started_at", "ended_at", "exc_info")
            ordered(queue).enqueue_existing(job, pipeline)
            pipeline.persist(job.key)  # it would expire with its failure
            pipeline.execute()
    return job


def requeue_all(*, queue: Queue | None = None) -> list[Job]:
    """Queue all failed jobs once more, oldest first; those that cannot be are left where they are.

    Raises:
        SettingError, QueueUnavailable: Redis does not take the password, or is not there.
    """
    queue = environment_queue() if queue is None else queue
    jobs = []
    for job_id in reversed(_failed(queue)):
        with suppress(JobRefused):
            jobs.append(requeue(job_id, queue=queue))
    return jobs


def _enqueue(queue: Queue, filename: str, options: Mapping[str, Any], job_id: str, pipeline: Pipeline) -> Job:
    return ordered(queue).enqueue_existing(_job(queue, filename, options, job_id), pipeline)


def _job(
    queue: Queue, filename: str, options: Mapping[str, Any], job_id: str, meta: dict[str, Any] | None = None
) -> Job:
    return queue.create_job(
        PROCESS_CLIP,
        kwargs={**job_arguments(filename, options)},
        job_id=job_id,
        timeout=JOB_TIMEOUT_S,
        result_ttl=RESULT_TTL_S,
        failure_ttl=FAILURE_TTL_S,
        description=f"analyse {filename}",
        meta=meta,
    )


# moved to the notebooks' library with its bars; notebooks of users import it here
__getattr__ = former_attributes(__name__, {"watch": "notebooks.lab.jobs.job_bars"})
