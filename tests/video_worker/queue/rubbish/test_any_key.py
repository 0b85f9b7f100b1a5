"""Every key of the queue with every kind of rubbish: workers go on, at a restart too, and no good job is lost."""

from __future__ import annotations

import pytest
import redis
from rq import Queue

from shared_utils.queue.figures import read_figures
from shared_utils.queue.jobs import (
    counts,
    enqueue_new_clip,
    failed_jobs,
    requeue_all,
    states,
    workers,
)
from shared_utils.queue.quarantine import QUARANTINE
from tests.support.footage.video import CLIP_NAME
from tests.support.log_lines import logged
from tests.support.redis_rubbish import CASES, JOB, QUEUE, analysed, burst
from video_worker import messages
from video_worker.queue import maintenance


@pytest.mark.parametrize("case", CASES)
def test_a_clip_is_analysed_whatever_lies_in_redis(redis_server, queue, context, case, monkeypatch):
    monkeypatch.setattr(maintenance, "STUCK_S", 0)
    CASES[case](queue.connection)
    burst(redis_server, context)  # a worker that starts with it
    CASES[case](queue.connection)
    first = enqueue_or_none(queue)
    burst(redis_server, context)
    if not first:  # capture keeps it in its outbox, until the queue is repaired
        assert enqueue_new_clip(queue, CLIP_NAME)
    burst(redis_server, context)
    assert analysed(context) == [CLIP_NAME]
    # what people look at is to be had as well
    assert counts(queue=queue).queued == 0
    assert workers(queue=queue) == []
    assert read_figures(queue).waiting == 0
    assert isinstance(failed_jobs(queue=queue), list)
    requeue_all(queue=queue)
    assert states([JOB], queue=queue)[0].state == "done"


def enqueue_or_none(queue: Queue) -> bool:
    try:
        return enqueue_new_clip(queue, CLIP_NAME)
    except redis.ResponseError:
        return False


def test_jobs_of_a_queue_that_was_overwritten_are_found_again(redis_server, queue, context, caplog):
    enqueue_new_clip(queue, CLIP_NAME)
    queue.connection.set(QUEUE, "x")
    burst(redis_server, context)
    assert analysed(context) == [CLIP_NAME]
    assert logged(caplog, messages.KEY_MOVED_ASIDE)
    assert queue.connection.keys(f"{QUARANTINE}{QUEUE}:*")


def test_a_lot_of_rubbish_is_counted_and_does_not_fill_the_log(redis_server, queue, context, caplog):
    queue.connection.rpush(QUEUE, *(f"no id {number}" for number in range(100)))
    enqueue_new_clip(queue, CLIP_NAME)
    burst(redis_server, context)
    assert analysed(context) == [CLIP_NAME]
    assert len(logged(caplog, messages.ENTRY_WITHOUT_ID)) == 10
    assert queue.connection.llen(f"{QUARANTINE}{QUEUE}") == 100
