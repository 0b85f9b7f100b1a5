"""Backlog and workers on the page, in /info and /metrics, and in the log."""

from __future__ import annotations

import json
import socket
import threading
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from rq import Queue

from devtools.redis_server import RedisServer
from shared_utils import messages as shared_messages
from shared_utils.config.redis import RedisSettings
from shared_utils.queue.figures import Growth, describe_backlog, read_figures
from shared_utils.queue.jobs import clip_queue, enqueue_new_clip, submit_many
from tests.support.log_lines import logged
from tests.vcam_worker.recording.storage.test_volume_figures import NoCameras
from vcam_worker import messages
from vcam_worker.runtime.queue_watch import QueueWatch
from vcam_worker.web.server import HttpServer
from vcam_worker.web.settings import HttpSettings

CLIP = "20260223-144819-cam1.mp4"


def clips(number: int, begin: int = 0) -> list[str]:
    start = datetime(2026, 2, 23, 14, 0, 0)
    return [f"{start + timedelta(seconds=begin + count):%Y%m%d-%H%M%S}-cam1.mp4" for count in range(number)]


def add_worker(
    queue: Queue, name: str, *, seen: float = 0.0, done: int = 0, failed: int = 0, worked: float = 0
) -> None:
    """Enter a worker as RQ does, seen so many seconds ago."""
    at = datetime.now(UTC) - timedelta(seconds=seen)
    key = f"rq:worker:{name}"
    values: dict[Any, Any]
    values = {"successful_job_count": done, "failed_job_count": failed, "total_working_time": worked}
    values |= {"last_heartbeat": f"{at:%Y-%m-%dT%H:%M:%S.%fZ}", "birth": f"{at:%Y-%m-%dT%H:%M:%S.%fZ}"}
    queue.connection.hset(key, mapping=values)
    queue.connection.sadd(f"rq:workers:{queue.name}", key)


def finish(queue: Queue, job_id: str, seconds: float) -> None:
    """Have a job be done that took so long."""
    ended = datetime.now(UTC)
    began = ended - timedelta(seconds=seconds)
    times = {"started_at": began, "ended_at": ended}
    queue.connection.hset(f"rq:job:{job_id}", mapping={key: f"{at:%Y-%m-%dT%H:%M:%S.%fZ}" for key, at in times.items()})
    queue.connection.zadd(f"rq:finished:{queue.name}", {job_id: time.time() + 600})


@pytest.fixture
def queue(redis_server: RedisServer) -> Queue:
    return clip_queue(redis_server.settings, redis_server.connection())


@pytest.fixture
def watch(redis_server: RedisServer) -> Iterator[QueueWatch]:
    watch = QueueWatch(redis_server.settings)
    yield watch
    watch.stop()


@pytest.fixture
def address(watch: QueueWatch) -> Iterator[str]:
    server = HttpServer(HttpSettings(port=0), NoCameras(), {}, queue=watch.state)
    server.start()
    yield server.address
    server.stop()


def ask(url: str) -> str:
    with urllib.request.urlopen(url) as answer:
        return answer.read().decode()


def metrics(address: str) -> dict[tuple[str, ...], float]:
    families = text_string_to_metric_families(ask(f"{address}/metrics"))
    samples = [sample for family in families for sample in family.samples]
    return {(one.name, *(one.labels[key] for key in sorted(one.labels))): one.value for one in samples}


def test_figures_of_queue_and_workers(queue: Queue, watch: QueueWatch, address: str) -> None:
    assert "the queue is not known yet" in ask(address)
    assert not any(key[0].startswith("vcam_queue") for key in metrics(address))
    for name in clips(30):
        enqueue_new_clip(queue, name)
    submit_many([CLIP] * 100, queue=queue)
    for number in range(4):
        finish(queue, f"clip-done-{number}", 10)
        finish(queue, f"run-done-{number}", 30)
    add_worker(queue, "host-<b>", done=7, failed=1, worked=40)
    add_worker(queue, "host-2")
    add_worker(queue, "host-gone", seen=120)
    watch.poll()
    found = metrics(address)
    assert found["vcam_queue_up",] == 1
    assert [found["vcam_queue_jobs", kind] for kind in ("new", "further", "running", "done")] == [30, 100, 0, 8]
    assert found["vcam_queue_job_seconds", "new"] == pytest.approx(10)
    assert found["vcam_queue_backlog_seconds", "new"] == pytest.approx(150)
    assert found["vcam_queue_backlog_seconds", "all"] == pytest.approx(150 + 1500)
    assert found["vcam_workers",] == 2
    assert found["vcam_worker_jobs_total", "done", "host-<b>"] == 7
    assert found["vcam_worker_jobs_total", "failed", "host-<b>"] == 1
    assert found["vcam_worker_job_seconds", "host-<b>"] == pytest.approx(5)
    assert found["vcam_worker_busy", "host-2"] == 0
    assert found["vcam_worker_last_seen_timestamp_seconds", "host-2"] == pytest.approx(time.time(), abs=60)
    page = ask(address)
    assert "30 new clips (2 min) and 100 further runs wait, about 28 min for 2 workers · 0 in work · 0 failed" in page
    assert "worker host-&lt;b&gt; · waits · 7 done, 1 failed · 5.0 s per job · seen" in page
    queue_info = json.loads(ask(f"{address}/info"))["queue"]
    assert (queue_info["new"], queue_info["further"], len(queue_info["workers"])) == (30, 100, 2)


def test_without_redis_the_figures_say_so(
    queue: Queue, watch: QueueWatch, address: str, redis_server: RedisServer
) -> None:
    watch.poll()
    assert "0 new clips wait, no worker is running" in ask(address)
    redis_server.stop()
    watch.poll()
    assert "Redis does not answer" in ask(address)
    assert metrics(address)["vcam_queue_up",] == 0
    assert ("vcam_workers",) not in metrics(address)


def test_a_backlog_is_logged_once_when_it_begins_and_once_when_it_is_over(
    queue: Queue, watch: QueueWatch, address: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "vcam_worker.runtime.queue_watch")
    submit_many([CLIP] * 50, queue=queue)  # somebody's wish, and no sign of too little
    for number in range(40):
        enqueue_new_clip(queue, clips(1, number)[0])
        watch.poll()
    [begun] = logged(caplog, shared_messages.QUEUE_GROWS)
    assert "11 new clips and 50 further runs wait, no worker is running" in begun
    assert metrics(address)["vcam_queue_growing",] == 1
    assert '<span class="badge bad news" id="backlog">no worker is running</span>' in ask(address)
    queue.connection.ltrim(queue.key, 38, -1)
    watch.poll()
    watch.poll()
    [over] = logged(caplog, shared_messages.QUEUE_SHORT_AGAIN)
    assert "2 new clips and 50 further runs wait" in over
    assert len(caplog.records) == 2
    assert metrics(address)["vcam_queue_growing",] == 0


def test_clips_that_come_together_and_are_done_are_no_backlog(queue: Queue) -> None:
    growth = Growth(from_jobs=5)
    for name in clips(5):
        enqueue_new_clip(queue, name)
    assert growth.check(read_figures(queue)) is None
    queue.connection.delete(queue.key)
    assert growth.check(read_figures(queue)) is None
    assert not growth.growing


def test_a_describe_backlog(queue: Queue) -> None:
    assert describe_backlog(read_figures(queue)) == "0 new clips wait, no worker is running"
    add_worker(queue, "host-1")
    enqueue_new_clip(queue, CLIP)
    assert describe_backlog(read_figures(queue)) == "1 new clip waits, unknown time for 1 worker"
    finish(queue, "run-1", 7200)
    assert describe_backlog(read_figures(queue)) == "1 new clip waits, about 2.0 h for 1 worker"
    submit_many([CLIP], queue=queue)
    assert (
        describe_backlog(read_figures(queue)) == "1 new clip (2.0 h) and 1 further run wait, about 4.0 h for 1 worker"
    )


@pytest.mark.parametrize("kind", ["set", "hash", "string"])
def test_figures_outlive_keys_of_another_kind(queue: Queue, kind: str) -> None:
    for key in (queue.key, "rq:workers:video_queue", "rq:finished:video_queue", "rq:wip:video_queue"):
        {"set": queue.connection.sadd, "hash": lambda key, _: queue.connection.hset(key, "a", "b")}.get(
            kind, queue.connection.set
        )(key, "x")
    figures = read_figures(queue)
    assert (figures.waiting, figures.done, figures.workers) == (0, 0, ())


def test_a_watch_that_waits_for_a_redis_that_hangs_ends_in_silence(caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        watch = QueueWatch(RedisSettings("127.0.0.1", server.getsockname()[1]))
        watch.start()
        connection, _ = server.accept()
        with connection:
            assert connection.recv(1)  # a command, which gets no answer
            watch.stop()
    wait_until_ended("queue watch")
    assert logged(caplog, messages.QUEUE_WATCH_FAILED) == []


def wait_until_ended(thread: str) -> None:
    deadline = time.monotonic() + 30
    while any(one.name == thread for one in threading.enumerate()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
