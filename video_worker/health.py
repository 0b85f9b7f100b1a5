"""``python -m video_worker.health``: health check of this host's workers.

A heartbeat is not enough: a worker also renews its lease and maintains the queue, and writes into Redis when it last
completed all of it.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Mapping
from contextlib import closing
from typing import Any

from shared_utils.cli import run_program
from shared_utils.config.redis import RedisSettings
from shared_utils.errors import EXIT_OK, QueueUnavailable
from shared_utils.queue.connection import clip_queue, connect, redis_errors
from shared_utils.queue.figures import DUTIES_FIELD, read_workers
from shared_utils.queue.rq_adapter.keys import worker_key

DUTIES_LATE_S = 60.0
"""Seconds without a completed round of lease, heartbeat and maintenance, due every two, after which a worker is
unhealthy."""


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


if __name__ == "__main__":
    sys.exit(run_program("video_worker", lambda: check(os.environ, socket.gethostname(), time.time())))
