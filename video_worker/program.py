"""Runs the worker and its ``analyse`` command from their settings."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from shared_utils.config.folders import video_path
from shared_utils.config.log import LogSettings
from shared_utils.config.zones.files import read_zones_file
from shared_utils.errors import EXIT_FAILED, EXIT_OK
from shared_utils.log import setup_logging
from shared_utils.queue.event_stream import EventPublisher
from video_worker import messages
from video_worker.events import WorkerEvents
from video_worker.jobs import WorkerContext
from video_worker.models.own import load_own_model
from video_worker.pipeline.analyse import analyse_files
from video_worker.pipeline.analysis import DECODE_SHARE, Analyst
from video_worker.pipeline.clip_zones import ClipZones
from video_worker.pipeline.cores import share_of_cores
from video_worker.pipeline.zone_tools import ZoneTools
from video_worker.queue.serve import serve
from video_worker.queue.stop import Stop
from video_worker.readers.settings import ReaderSettings
from video_worker.settings import AnalysisSettings, WorkerSettings

PROGRAM = "worker"
"""In the lines of its log."""
NICENESS = 5
"""Of the worker: where cores are short, capture and the live worker come first, which have little to do, but now. The
worker still gets a quarter of a core that one of them would take whole. Compose says the same by ``cpu_shares``."""

log = logging.getLogger(__name__)


def _now() -> datetime:
    return datetime.now().astimezone()


def _analyst(settings: AnalysisSettings, zones: ClipZones, values: Mapping[str, str]) -> tuple[Analyst, str]:
    """Return an analyst with its own model loaded, and a description of what it analyses with."""
    threads = settings.threads or share_of_cores(1)
    own = load_own_model(settings, threads)
    # as many as decode: reading, decoding and inference go on at once
    tools = ZoneTools.from_env(values, max(1, threads // DECODE_SHARE))
    return Analyst(own.models, threads, _now, zones=zones, tools=tools), f"{own.description}, {threads} threads"


def work(values: Mapping[str, str]) -> int:
    """Serve the queue until stopped; return the exit code."""
    worker = WorkerSettings.from_env(values)
    secrets = [worker.redis.password] if worker.redis.password else []
    setup_logging(worker.log, PROGRAM, [*secrets, *ReaderSettings.from_env(values).secrets])
    settings = AnalysisSettings.from_env(values)
    analyst, description = _analyst(settings, ClipZones(worker.video_dir), values)
    with suppress(OSError):  # a host may not allow it
        os.nice(NICENESS)
    stop = Stop(worker.stop_grace_s)
    stop.install()
    publisher = EventPublisher(worker.redis)
    events = WorkerEvents(publisher.publish)
    events.service("started")

    def ready() -> None:
        # not before: a Redis that is away, or takes no password, is reported by the queue
        publisher.start()
        log.info(messages.WORKER_READY, description, worker.redis.queue, worker.redis.address)

    try:
        serve(
            worker.redis,
            WorkerContext(
                worker.video_dir, settings.options, analyst, _now, share_cores=not settings.threads, events=events
            ),
            stop,
            ready=ready,
        )
    finally:
        events.service("stopped")
        publisher.stop()
    log.info(messages.WORKER_STOPPED)
    return EXIT_OK


def analyse(files: Sequence[Path], values: Mapping[str, str], zones_file: Path | None = None) -> int:
    """Print the record of each file; return the exit code.

    Args:
        files: clips.
        values: the environment.
        zones_file: zones for all of them; None for those of their cameras on the volume.
    """
    setup_logging(LogSettings.from_env(values), PROGRAM, ReaderSettings.from_env(values).secrets)
    given = None if zones_file is None else read_zones_file(zones_file, named_after_camera=False)
    settings = AnalysisSettings.from_env(values)
    folder = None if zones_file is None else zones_file.absolute().parent
    analyst, _ = _analyst(settings, ClipZones(video_path(values), given, folder), values)
    failures = analyse_files(files, analyst, settings.options, _now, out=sys.stdout, err=sys.stderr)
    return EXIT_FAILED if failures else EXIT_OK
