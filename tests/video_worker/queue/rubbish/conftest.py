"""A Redis for all tests of a module, empty at each test's start."""

from __future__ import annotations

import pytest
from rq import Queue

from devtools.redis_server import RedisServer
from shared_utils.queue.jobs import (
    clip_queue,
)


@pytest.fixture(scope="module")
def one_redis(tmp_path_factory: pytest.TempPathFactory):
    server = RedisServer(tmp_path_factory.mktemp("rubbish"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def redis_server(one_redis: RedisServer) -> RedisServer:
    """One Redis for all of these tests, emptied before each."""
    one_redis.connection().flushall()
    return one_redis


@pytest.fixture
def queue(redis_server: RedisServer) -> Queue:
    return clip_queue(redis_server.settings, redis_server.connection())
