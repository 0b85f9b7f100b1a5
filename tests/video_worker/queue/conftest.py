"""Fixtures of the queue's tests."""

from __future__ import annotations

import pytest
from rq import Queue

from devtools.redis_server import RedisServer
from shared_utils.queue.jobs import clip_queue


@pytest.fixture
def queue(redis_server: RedisServer) -> Queue:
    return clip_queue(redis_server.settings, redis_server.connection())
