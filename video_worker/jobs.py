"""The one function that the worker runs for the queue: ``video_worker.jobs.process_clip`` (docs/contracts.md)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TypedDict

from shared_utils.config.job_options import replace_options
from shared_utils.contracts.clips import parse_clip_name, resolve_in_video_dir
from shared_utils.contracts.detections_log import LOG_NAME, append_once, find_run, log_path
from shared_utils.contracts.job_options import Options
from shared_utils.contracts.record import Record
from shared_utils.contracts.run_index import RunIndex
from shared_utils.contracts.sidecars import remove_partials_of_run
from shared_utils.durable import written
from shared_utils.log import CAMERA_FIELD
from video_worker import messages
from video_worker.events import WorkerEvents
from video_worker.pipeline import record as records
from video_worker.pipeline.analysis import Analyst, Progress, Task
from video_worker.pipeline.run_names import RunNames, make_run_id

log = logging.getLogger(__name__)

_NO_LOG = f"{LOG_NAME} cannot be read or written"


@dataclass(frozen=True)
class WorkerContext:
    """What every job of a worker shares.

    Attributes:
        video_dir: the shared volume.
        options: of jobs that name none.
        analyst: analyses clips.
        now: the time of day, with its zone.
        share_cores: whether the number of threads follows the number of workers on these cores.
        index: of the runs in the volume's log.
        events: takes what becomes of clips.
    """

    video_dir: Path
    options: Options
    analyst: Analyst
    now: Callable[[], datetime]
    share_cores: bool = False
    index: RunIndex = field(default_factory=RunIndex, repr=False)
    events: WorkerEvents = field(default_factory=WorkerEvents, repr=False)


@dataclass(frozen=True)
class JobFacts:
    """What the queue knows about a job.

    Attributes:
        job_id: its id.
        created_at: when it was first enqueued. With the job's id it makes the run's id, which a repeated job keeps.
        enqueued_at: when it was last enqueued.
        progress: called with frames done and frames to do.
        should_stop: called after each frame.
    """

    job_id: str
    created_at: datetime
    enqueued_at: datetime | None
    progress: Progress
    should_stop: Callable[[], bool]


class Outcome(TypedDict):
    """What a job returns: enough to find its line in the log."""

    run_id: str
    detected: list[str]


def process_clip(context: WorkerContext, facts: JobFacts, *, filename: object, options: object = None) -> Outcome:
    """Analyse a clip and write its line to the detections log.

    A run that is in the log already, because the worker died before it reported to the queue, is not repeated.

    Args:
        context: what the jobs of the worker share.
        facts: what the queue knows about the job.
        filename: bare name of a file in the shared volume.
        options: those that differ from the worker's own.

    Raises:
        JobRefused: a job may not ask for this file name or these options.
        ClipError, ModelError: the clip cannot be analysed.
        ClipMissing: the clip is not there, or not yet.
        NotWritten: the result cannot be written to the volume.
    """
    path = resolve_in_video_dir(context.video_dir, filename)
    wanted = replace_options(context.options, options)
    name = str(filename)
    names = RunNames(name, make_run_id(facts.created_at, facts.job_id), facts.job_id)
    path_of_log = log_path(context.video_dir)
    with written(_NO_LOG):
        done = find_run(path_of_log, names.run_id, context.index)
    if done is not None:
        log.info(messages.CLIP_ANALYSED_BEFORE, name, extra=camera_field(name))
        context.events.analysed(done, context.video_dir)  # the worker may have died before it did
        return _outcome(done)
    queued_s = None
    if facts.enqueued_at is not None:
        queued_s = max(0.0, (context.now() - facts.enqueued_at).total_seconds())
    own_classes = isinstance(options, Mapping) and "classes" in options
    task = Task(path, names, wanted, queued_s, context.video_dir, own_classes)
    record = context.analyst.analyse(task, facts.progress, facts.should_stop)
    with written(_NO_LOG):
        append_once(path_of_log, record, context.index)
    log.info(messages.CLIP_ANALYSED, name, records.describe(record), extra=camera_field(name))
    context.events.analysed(record, context.video_dir)
    return _outcome(record)


def write_failure(context: WorkerContext, names: RunNames, error: str) -> None:
    """Log that a run failed permanently because of `error`, and remove partial files of killed workers."""
    record = records.failure(names, error, context.now())
    append_once(log_path(context.video_dir), record, context.index)
    remove_partials_of_run(context.video_dir, names.filename, names.run_id)
    log.error(messages.CLIP_FAILED, names.filename, error, extra=camera_field(names.filename))
    context.events.analysed(record, context.video_dir)


def _outcome(record: Record) -> Outcome:
    return {"run_id": record["run_id"], "detected": record["detected"]}


def camera_field(filename: str) -> dict[str, object] | None:
    """Return the `extra` of a log record that names the camera of a clip; None where the clip's name has none."""
    clip = parse_clip_name(filename)
    return {CAMERA_FIELD: clip.camera} if clip else None
