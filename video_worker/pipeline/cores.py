"""Number of threads for computing: the cores that a worker may use, divided among the workers on the same ones."""

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
"""Identifies a machine; the same in all its containers, unlike the host name."""
EXPIRY_S = 15
"""Seconds after its last heartbeat when a worker no longer counts."""
MAX_SKEW_S = 300
"""Seconds into the future beyond which an entry is no worker's: their clocks do not differ that much."""


def bound_cores() -> int:
    """Return the number of cores this process may run on."""
    return len(os.sched_getaffinity(0))


def quota_cores(quota_file: Path = CPU_QUOTA) -> int | None:
    """Return the number of cores that the container's quota comes to, rounded up; None without one."""
    try:
        quota, period = quota_file.read_text().split()[:2]
        return max(1, math.ceil(int(quota) / int(period)))
    except (OSError, ValueError):  # no such control group, or the quota is "max"
        return None


def share_of_cores(workers: int) -> int:
    """Return the number of threads for each of `workers` on the same cores."""
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
        """Send a heartbeat, and return the number of live workers, this one included."""
        quarantine_key(self._connection, self._key, "zset")
        now = time.time()
        with self._connection.pipeline() as pipeline:
            pipeline.zadd(self._key, {self._name: now + EXPIRY_S})
            pipeline.zremrangebyscore(self._key, "-inf", now)
            pipeline.zremrangebyscore(self._key, now + MAX_SKEW_S, "+inf")
            pipeline.zcard(self._key)
            pipeline.expire(self._key, EXPIRY_S)
            return int(pipeline.execute()[3])

    def leave(self) -> None:
        """Remove this worker from the count."""
        self._connection.zrem(self._key, self._name)
