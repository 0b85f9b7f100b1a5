"""Rubbish in Redis: every key of the queue's with every type of value."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

import redis

from devtools.redis_server import RedisServer
from shared_utils.contracts.detections_log import log_path, read_records
from video_worker.jobs import WorkerContext
from video_worker.queue.serve import serve
from video_worker.queue.stop import Stop

JOB = "clip-20260223-144819-cam1"
QUEUE = "rq:queue:video_queue"
NOT_UTF8 = b"\xff\xfe\x80"
LISTS = (QUEUE, f"{QUEUE}:intermediate")
SETS = ("rq:queues", "rq:workers", "rq:workers:video_queue")
REGISTRIES = tuple(
    f"rq:{kind}:video_queue" for kind in ("wip", "finished", "failed", "scheduled", "deferred", "canceled")
)
OF_A_JOB = (f"rq:results:{JOB}", f"rq:executions:{JOB}", f"rq:job:{JOB}:dependents", f"rq:job:{JOB}:dependencies")
LOCK = f"{QUEUE}:vcam-cleaning"
MEMBERS = {
    "no UTF-8": NOT_UTF8,
    "no id": b"../../etc/passwd",
    "empty": b"",
    "newlines": b"a\nb\tc\x00",
    "a huge one": b"x" * 2_000_000,
    "colons": b"a:b:c:d",
    "an unknown job": b"run-nothing-00000000",
    "an unknown execution": b"run-nothing-00000000:0123",
    "pickled": b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94.",
    "JSON": b'{"id": 1}',
}
SCORES = (float("-inf"), -1.0, 0.0, 1e300, float("inf"))
Put = Callable[[redis.Redis], object]
TYPES: dict[str, Callable[[redis.Redis, str], object]] = {
    "string": lambda redis, key: redis.set(key, NOT_UTF8),
    "list": lambda redis, key: redis.rpush(key, NOT_UTF8, "x"),
    "set": lambda redis, key: redis.sadd(key, NOT_UTF8, "x"),
    "zset": lambda redis, key: redis.zadd(key, {NOT_UTF8: 1}),
    "hash": lambda redis, key: redis.hset(key, mapping={NOT_UTF8: NOT_UTF8}),
    "stream": lambda redis, key: redis.xadd(key, {NOT_UTF8: NOT_UTF8}),
}


def overwrite(connection: redis.Redis, kind: str, keys: Iterable[str]) -> None:
    """Have all `keys` be of one type, whatever they are."""
    for key in keys:
        connection.delete(key)
        TYPES[kind](connection, key)


def fill(connection: redis.Redis, keys: Iterable[str], add: Callable[[str, bytes], object]) -> None:
    """Put every odd member into all of `keys`."""
    for key in keys:
        for member in MEMBERS.values():
            add(key, member)


def cases() -> dict[str, Put]:
    found: dict[str, Put] = {}
    groups = {"list": (("queue", LISTS[:1]), ("intermediate list", LISTS[1:])), "set": (("sets", SETS),)}
    groups |= {
        "zset": (("registries", REGISTRIES),),
        "": (("a job's other keys", OF_A_JOB),),
        "string": (("lock", (LOCK,)),),
    }
    for own, of_type in groups.items():
        for name, keys in of_type:
            for kind in TYPES:
                if kind != own:
                    found[f"{name}: {kind}"] = partial(overwrite, kind=kind, keys=keys)
    found["lists hold it"] = lambda redis: fill(redis, LISTS, redis.rpush)
    found["sets hold it"] = lambda redis: fill(redis, SETS, redis.sadd)
    found["registries hold it"] = lambda redis: fill(
        redis,
        REGISTRIES,
        lambda key, member: [redis.zadd(key, {member + str(score).encode(): score}) for score in SCORES],
    )
    found["a lock for ever"] = lambda redis: redis.set(LOCK, "x")
    found["a result at the end of its stream"] = lambda redis: (
        redis.delete(f"rq:results:{JOB}"),
        redis.xadd(f"rq:results:{JOB}", {"type": "x"}, id="18446744073709551615-18446744073709551615"),
    )
    found["a worker that is a string"] = lambda redis: (
        redis.sadd("rq:workers", "rq:worker:x"), redis.sadd("rq:workers:video_queue", "rq:worker:x"),
        redis.set("rq:worker:x", "x"),
    )  # fmt: skip
    found["a worker of nonsense"] = lambda redis: (
        redis.sadd("rq:workers:video_queue", b"rq:worker:\xff"),
        redis.hset(b"rq:worker:\xff", mapping={"last_heartbeat": "x", "failed_job_count": "many", "birth": NOT_UTF8}),
    )
    return found


CASES = cases()


def burst(server: RedisServer, context: WorkerContext) -> None:
    serve(server.settings, context, Stop(1), burst=True)


def analysed(context: WorkerContext) -> list[str]:
    return [record["filename"] for record in read_records(log_path(context.video_dir)) if record["ok"]]
