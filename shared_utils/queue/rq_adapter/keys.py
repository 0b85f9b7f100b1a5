"""Keys of RQ in Redis, as RQ 2 names them."""

from __future__ import annotations

from dataclasses import dataclass

ALL_QUEUES = "rq:queues"
ALL_WORKERS = "rq:workers"
JOB_PREFIX = "rq:job:"
WORKER_PREFIX = "rq:worker:"


def job_key(job_id: str) -> str:
    """Return the key of a job's hash."""
    return f"{JOB_PREFIX}{job_id}"


def results_key(job_id: str) -> str:
    """Return the key of the stream of a job's results."""
    return f"rq:results:{job_id}"


def leftover_keys(job_id: str) -> tuple[str, ...]:
    """Return the keys beside a job's hash: of earlier tries, and of jobs that depend on each other."""
    # two colons in one of them: rq 2.12.0, Job.dependencies_key
    dependents, dependencies = f"{JOB_PREFIX}{job_id}:dependents", f"{JOB_PREFIX}:{job_id}:dependencies"
    return results_key(job_id), f"rq:executions:{job_id}", dependents, dependencies


def worker_key(name: str) -> str:
    """Return the key of a worker's hash."""
    return f"{WORKER_PREFIX}{name}"


def job_id_of(entry: bytes) -> bytes:
    """Return the job's id in an entry of a queue's sets; entries of started jobs are ``<job>:<execution>``."""
    return entry.partition(b":")[0]


@dataclass(frozen=True)
class QueueKeys:
    """The keys of one queue.

    Args:
        name: the queue's name.
    """

    name: str

    @property
    def waiting(self) -> str:
        """List of the jobs that wait."""
        return f"rq:queue:{self.name}"

    @property
    def taken(self) -> str:
        """List of the jobs between queue and worker: RQ's intermediate queue."""
        return f"{self.waiting}:intermediate"

    @property
    def started(self) -> str:
        """Sorted set of the jobs in work, by the end of their leases."""
        return f"rq:wip:{self.name}"

    @property
    def scheduled(self) -> str:
        """Sorted set of the jobs that are to be tried again, by their time."""
        return f"rq:scheduled:{self.name}"

    @property
    def finished(self) -> str:
        """Sorted set of the jobs that ended well, by when they expire."""
        return f"rq:finished:{self.name}"

    @property
    def failed(self) -> str:
        """Sorted set of the jobs that failed for good, by when they expire."""
        return f"rq:failed:{self.name}"

    @property
    def workers(self) -> str:
        """Set of the keys of the workers that serve the queue."""
        return f"rq:workers:{self.name}"

    def types(self) -> dict[str, str]:
        """Return all keys that RQ uses for the queue, with the type that Redis is to have there."""
        lists = dict.fromkeys((self.waiting, self.taken), "list")
        others = (f"rq:{kind}:{self.name}" for kind in ("deferred", "canceled"))
        ordered = dict.fromkeys((self.started, self.finished, self.failed, self.scheduled, *others), "zset")
        return dict.fromkeys((ALL_QUEUES, ALL_WORKERS, self.workers), "set") | lists | ordered
