"""What a worker publishes: the outcome of each run, with a reference to what was seen live, and its own state."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from devtools.redis_server import RedisServer
from shared_utils.contracts.clips import parse_clip_name
from shared_utils.contracts.detections_log import LOG_NAME, append_record, log_path
from shared_utils.contracts.events import MAX_REFERENCES, Event, append_event, events_log_path
from shared_utils.queue.event_stream import EventPublisher
from shared_utils.queue.jobs import clip_queue, enqueue_new_clip, submit
from tests.support.events import Listener
from tests.support.footage.video import CLIP_NAME
from tests.support.worker_queue import burst, lines, make_due
from video_worker import messages
from video_worker.events import WorkerEvents
from video_worker.jobs import WorkerContext

START = parse_clip_name(CLIP_NAME).started_at.astimezone()
"""Of the clip, which lasts for 10 s."""


@pytest.fixture
def telling(context: WorkerContext, redis_server: RedisServer) -> Iterator[WorkerContext]:
    """A worker's context that publishes events."""
    publisher = EventPublisher(redis_server.settings)
    publisher.start()
    yield replace(context, events=WorkerEvents(publisher.publish))
    publisher.stop()


def seen(at_s: float, camera: str = "cam1", type: str = "object", value: str = "seen") -> Event:
    return Event(type, START + timedelta(seconds=at_s), camera, value=value)


def test_an_analysed_clip_refers_to_what_was_seen_live(redis_server, queue, telling):
    log = events_log_path(telling.video_dir)
    during = [seen(0), seen(4.1), seen(9.9, value="entered")]
    others = [seen(-600), seen(-5), seen(2, camera="garden"), seen(3, type="reading", value="12.4"), seen(20), seen(90)]
    for event in sorted(during + others, key=lambda event: event.at):
        append_event(log, event)
    before = datetime.now().astimezone()
    enqueue_new_clip(queue, CLIP_NAME)
    burst(redis_server, telling)
    event = Listener(redis_server).wait_for("clip", "analysed")
    [record] = lines(telling)
    assert (event.camera, event.filename, event.run_id, event.source) == ("cam1", CLIP_NAME, record["run_id"], "clip")
    assert before < event.at < datetime.now().astimezone()
    assert dict(event.more) == {
        "ok": True, "detected": ["square"], "count": 1, "live": [one.id for one in during]
    }  # fmt: skip
    assert "live" not in record


def test_without_a_log_of_live_events_nothing_is_referred_to(redis_server, queue, telling):
    enqueue_new_clip(queue, CLIP_NAME)
    burst(redis_server, telling)
    assert Listener(redis_server).wait_for("clip", "analysed").more["live"] == []


def test_a_failed_clip_says_why(redis_server, queue, telling):
    (telling.video_dir / CLIP_NAME).write_bytes(b"no video at all")
    enqueue_new_clip(queue, CLIP_NAME)
    burst(redis_server, telling)
    event = Listener(redis_server).wait_for("clip", "analysed")
    [record] = lines(telling)
    assert event.filename == CLIP_NAME
    assert event.more["ok"] is False
    assert event.more["error"] == record["error"][:200]


def test_a_run_that_is_in_the_log_already_is_published_under_its_id(redis_server, queue, telling):
    enqueue_new_clip(queue, CLIP_NAME)
    burst(redis_server, telling)
    [job_id] = queue.finished_job_registry.get_job_ids()
    queue.enqueue_job(queue.fetch_job(job_id))  # as if the worker had died before it reported to the queue
    burst(redis_server, telling)
    assert len(lines(telling)) == 1
    listener = Listener(redis_server)
    listener.wait_for("clip", "analysed", 2)
    assert len({event.run_id for event in listener.of("clip", "analysed")}) == 1


@pytest.mark.parametrize(
    "clip", [None, 5, {}, {"started_at": "yesterday", "duration_s": 1}, {"started_at": "2026-02-23"}]
)
def test_a_record_that_others_wrote_fails_no_job(redis_server, queue, telling, clip):
    job = submit(CLIP_NAME, queue=queue)
    burst(redis_server, telling)
    [record] = lines(telling)
    log_path(telling.video_dir).unlink()
    odd = {key: record[key] for key in ("ok", "filename", "run_id", "timestamp", "detected")} | {"clip": clip}
    append_record(log_path(telling.video_dir), odd)
    queue.enqueue_job(queue.fetch_job(job.id))
    burst(redis_server, telling)
    assert queue.fetch_job(job.id).is_finished
    assert Listener(redis_server).wait_for("clip", "analysed", 2).more["live"] == []


def test_a_volume_that_takes_no_results_is_trouble_until_it_does(redis_server, queue, telling):
    (telling.video_dir / LOG_NAME).mkdir()
    enqueue_new_clip(queue, CLIP_NAME)
    burst(redis_server, telling)
    listener = Listener(redis_server)
    trouble = listener.wait_for("service", "trouble")
    assert (trouble.more["program"], trouble.more["what"], trouble.more["over"]) == (
        "worker",
        "volume_unavailable",
        False,
    )
    [job_id] = queue.scheduled_job_registry.get_job_ids()
    for _ in range(2):  # once, however often it is tried
        make_due(queue, job_id)
        burst(redis_server, telling)
    (telling.video_dir / LOG_NAME).rmdir()
    make_due(queue, job_id)
    burst(redis_server, telling)
    listener.wait_for("clip", "analysed")
    assert [event.more["over"] for event in listener.of("service", "trouble")] == [False, True]


def test_long_texts_and_lists_are_bounded(redis_server, telling):
    record = {"ok": True, "camera": "cam1", "filename": CLIP_NAME, "detected": [f"label {n}" for n in range(10_000)]}
    for number in range(1000):
        append_event(events_log_path(telling.video_dir), seen(number / 200))
    record["clip"] = {"started_at": START.isoformat(), "duration_s": 10}
    telling.events.analysed(record, telling.video_dir)
    telling.events.analysed({"ok": False, "error": "x" * 100_000}, telling.video_dir)
    listener = Listener(redis_server)
    listener.wait_for("clip", "analysed", 2)
    assert not any("shortened" in event.more for event in listener.events)
    assert len(listener.events[0].more["live"]) == MAX_REFERENCES


@pytest.mark.slow
def test_a_worker_over_a_restart_of_redis(redis_server, queue, context, any_model, programs):
    env = {**redis_server.env, "VIDEO_DIR": str(context.video_dir), "YOLO_MODEL": str(any_model)}
    worker = programs.python("-m", "video_worker", env=env)
    listener = Listener(redis_server)
    started = listener.wait_for("service", "started")
    assert started.more["program"] == "worker"
    submit(CLIP_NAME, queue=queue)
    listener.wait_for("clip", "analysed")
    redis_server.stop()
    worker.wait_for(messages.WORKER_REDIS_UNREACHABLE)
    redis_server.start()
    submit(CLIP_NAME, queue=clip_queue(redis_server.settings, redis_server.connection()))
    listener.wait_for("clip", "analysed", 2)
    assert worker.stop() == 0
    listener.wait_for("service", "stopped")
    assert [event.run_id for event in listener.of("clip", "analysed")] == [line["run_id"] for line in lines(context)]
    assert listener.summary() == ["service started", "clip analysed", "clip analysed", "service stopped"]
