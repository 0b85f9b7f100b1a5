"""``python -m video_worker.health``: health check of this host's workers; ``… live``: of the live worker.

A heartbeat is not enough: a worker also renews its lease and maintains the queue, and writes into Redis when it last
completed all of it. The live worker notes on the volume that its rounds go on; that capture or Redis is away is not its
illness.
"""

from __future__ import annotations

import argparse
import os
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from shared_utils.cli import run_program
from shared_utils.config.folders import video_path
from shared_utils.config.redis import RedisSettings
from shared_utils.errors import EXIT_OK, QueueUnavailable, VcamError
from shared_utils.queue.connection import clip_queue, connect, redis_errors
from shared_utils.queue.figures import DUTIES_FIELD, read_workers
from shared_utils.queue.rq_adapter.keys import worker_key
from video_worker.live.volume import alive_path

DUTIES_LATE_S = 60.0
"""Seconds without a completed round of lease, heartbeat and maintenance, due every two, after which a worker is
unhealthy."""


LIVE_LATE_S = 60.0
"""Seconds without a sign of life of the live worker, due every two, after which it is unhealthy."""
LIVE = "live"


class Unhealthy(VcamError):
    """A program does not do its work."""


def check_live(video_dir: Path, now: float) -> int:
    """Return the exit code for the live worker of a volume.

    Raises:
        Unhealthy: it does not work, or there is none.
    """
    try:
        age_s = now - alive_path(video_dir).stat().st_mtime
    except OSError as error:
        raise Unhealthy(f"no live worker serves {video_dir} ({error.strerror})") from None
    if abs(age_s) > LIVE_LATE_S:
        raise Unhealthy(f"the live worker gave its last sign of life {age_s:.0f} s ago: see its log")
    return EXIT_OK


def check(values: Mapping[str, str], hostname: str, now: float) -> int:
    """Return the exit code for the workers of `hostname`.

    Raises:
        QueueUnavailable: one of them is unhealthy, there is none, or Redis is unavailable.
        SettingError: the password is wrong.
    """
    settings = RedisSettings.from_env(values)
    connection: Any = connect(settings)
    with closing(connection), redis_errors(settings):
        own = [
            one.name
            for one in read_workers(clip_queue(settings, connection), now)
            if one.name.rpartition("-")[0] == hostname
        ]
        completed = {name: connection.hget(worker_key(name), DUTIES_FIELD) for name in own}
    if not own:
        raise QueueUnavailable(f"no worker of {hostname} has a fresh heartbeat")
    for name, moment in completed.items():
        if not _is_fresh(moment, now):
            raise QueueUnavailable(f"the worker {name} has not completed its maintenance lately: see its log")
    return EXIT_OK


def _is_fresh(moment: bytes | None, now: float) -> bool:
    try:
        return abs(now - float(moment or "nan")) < DUTIES_LATE_S
    except ValueError:
        return False


def main(arguments: Sequence[str]) -> int:
    """Run the check and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m video_worker.health", description="Check a program's health.")
    parser.add_argument("program", nargs="?", choices=[LIVE], help="the live worker; without: this host's workers")
    if parser.parse_args(arguments).program == LIVE:
        return run_program("video_worker", lambda: check_live(video_path(os.environ), time.time()))
    return run_program("video_worker", lambda: check(os.environ, socket.gethostname(), time.time()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
