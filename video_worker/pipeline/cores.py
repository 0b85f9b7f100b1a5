"""How many cores a worker computes with: those it may use, shared out among the workers on the same ones."""

from __future__ import annotations

import hashlib
import math
import os
import time
from pathlib import Path

import redis

from shared_utils.queue.quarantine import quarantine_key

CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
"""Tells a machine from others; the same in all its containers, unlike the host's name."""
FORGET_S = 15
"""Seconds after its last sign of life that a worker no longer counts."""
FARTHEST_S = 300
"""Seconds that no worker says it lives in advance: what says so is none."""


def bound_cores() -> int:
    """Return the number of cores this process may run on."""
    return len(os.sched_getaffinity(0))


def quota_cores(quota_file: Path = CPU_QUOTA) -> int | None:
    """Return the number of cores that the container's quota comes to, rounded up; None without one."""
    try:
        quota, period = quota_file.read_text().split()[:2]
        return max(1, math.ceil(int(quota) / int(period)))
    except (OSError, ValueError):  # no such control group, or "max"
        return None


def share_of_cores(workers: int) -> int:
    """Return with how many threads one of so many workers on the same cores is to compute."""
    return max(1, min(bound_cores() // max(workers, 1), quota_cores() or bound_cores()))


class Neighbours:
    """The workers on the same cores, counted by Redis.

    Args:
        connection: the queue's Redis.
        name: of this worker.
    """

    def __init__(self, connection: redis.Redis, name: str) -> None:
        cores = ",".join(map(str, sorted(os.sched_getaffinity(0))))
        try:
            machine = BOOT_ID.read_text().strip()
        except OSError:
            machine = os.uname().nodename
        self._key = "vcam:workers:" + hashlib.sha256(f"{machine} {cores}".encode()).hexdigest()[:16]
        self._connection = connection
        self._name = name

    def count(self) -> int:
        """Say that this worker lives, and return how many do, this one included."""
        quarantine_key(self._connection, self._key, "zset")
        now = time.time()
        with self._connection.pipeline() as pipeline:
            pipeline.zadd(self._key, {self._name: now + FORGET_S})
            pipeline.zremrangebyscore(self._key, "-inf", now)
            pipeline.zremrangebyscore(self._key, now + FARTHEST_S, "+inf")
            pipeline.zcard(self._key)
            pipeline.expire(self._key, FORGET_S)
            return int(pipeline.execute()[3])

    def leave(self) -> None:
        """Count no longer."""
        self._connection.zrem(self._key, self._name)
