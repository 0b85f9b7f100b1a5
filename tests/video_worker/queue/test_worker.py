"""The worker against a real Redis: clips done, everything else refused, nothing lost."""

from __future__ import annotations

import json
import pickle
import shutil
import socketserver
import threading
import zlib
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rq import Queue, Repeat, Retry
from rq.job import Callback, Job
from rq.webhook import Webhook

from devtools.log_lines import line_of
from devtools.redis_server import RedisServer
from notebooks.lab.data.results import boxes, load_log
from shared_utils.contracts.boxes import boxes_path, read_boxes
from shared_utils.contracts.detections_log import LOG_NAME, append_record, log_path, read_records
from shared_utils.contracts.sidecars import BOXES_FOLDER
from shared_utils.queue.jobs import PROCESS_CLIP, clip_queue, enqueue_new_clip, failed_jobs, submit
from tests.support.log_lines import logged
from tests.support.video import CLIP_NAME
from video_worker import messages
from video_worker.jobs import WorkerContext
from video_worker.pipeline.run_names import RunNames, make_run_id
from video_worker.queue.serve import serve
from video_worker.queue.stop import Stop


def burst(server: RedisServer, context: WorkerContext) -> None:
    serve(server.settings, context, Stop(1), burst=True)


def lines(context: WorkerContext) -> list[dict]:
    return list(read_records(log_path(context.video_dir)))


def marker_function(path: str) -> None:
    """What a malicious job would call."""
    Path(path).touch()


def pickled_touch(path: Path) -> bytes:
    class Touch:
        def __reduce__(self):
            return marker_function, (str(path),)

    return pickle.dumps((PROCESS_CLIP, None, (), {"filename": Touch()}))


@pytest.fixture
def queue(redis_server: RedisServer) -> Queue:
    return clip_queue(redis_server.settings, redis_server.connection())


def failed(queue: Queue) -> list[str]:
    return queue.failed_job_registry.get_job_ids()


def test_a_clip_becomes_a_line_and_a_boxes_file(redis_server, queue, context):
    assert enqueue_new_clip(queue, CLIP_NAME)
    burst(redis_server, context)
    [record] = lines(context)
    assert record["ok"]
    assert record["detected"] == ["square"]
    [entry] = record["objects"]
    assert entry["tracks"] == 1
    assert entry["hits"] == 16
    assert entry["first_s"] == pytest.approx(4.0)
    assert entry["last_s"] == pytest.approx(7.0)
    assert record["camera"] == "cam1"
    assert record["job_id"] == "clip-20260223-144819-cam1"
    assert record["clip"]["frames"] == 100
    assert record["timing"]["queued_s"] >= 0
    boxes = read_boxes(boxes_path(context.video_dir, CLIP_NAME, record["run_id"]))
    assert len(boxes.frames) == record["sampled_frames"] == 50
    job = queue.fetch_job(record["job_id"])
    assert job.is_finished
    assert job.return_value() == {"run_id": record["run_id"], "detected": ["square"]}
    assert job.get_meta()["frames_done"] == job.meta["frames_total"] == 50


def test_the_same_clip_gives_the_same_every_time_and_each_run_its_own_id(redis_server, queue, context):
    for _ in range(3):
        submit(CLIP_NAME, queue=queue)
    submit(CLIP_NAME, queue=queue, conf=0.95)
    burst(redis_server, context)
    first, second, third, other = lines(context)
    assert first["objects"] == second["objects"] == third["objects"]
    assert other["detected"] == []
    assert len({record["run_id"] for record in lines(context)}) == 4
    assert len(list((context.video_dir / "boxes").iterdir())) == 4
    assert other["model"]["conf"] == 0.95


def test_only_the_labels_that_the_job_the_camera_or_the_setting_names(redis_server, queue, context):
    own = replace(context, options=replace(context.options, classes=("Background",)))
    cases: tuple[dict[str, Any], ...] = ({}, {"classes": ["SQUARE"]}, {"classes": []}, {"model": "other.onnx"})
    for options in cases:
        submit(CLIP_NAME, queue=queue, **options)
    burst(redis_server, own)
    records = lines(own)
    assert [record["detected"] for record in records] == [[], ["square"], ["square"], []]
    # as the model spells them
    assert [record["options"]["classes"] for record in records] == [["background"], ["square"], [], ["background"]]
    every = [(own.video_dir / "boxes" / f"20260223-144819-cam1.{one['run_id']}.jsonl").read_text() for one in records]
    assert len(set(every)) == 1
    assert '"square"' in every[0]


def test_a_label_that_the_model_does_not_know_fails_that_job_alone(redis_server, queue, context):
    own = replace(context, options=replace(context.options, classes=("dog",)))
    cases: tuple[dict[str, Any], ...] = ({"classes": ["squre"]}, {"model": "other.onnx"}, {"classes": []})
    for options in cases:
        submit(CLIP_NAME, queue=queue, **options)
    burst(redis_server, own)
    wrong, none, good = lines(own)
    assert wrong["error"] == (
        "option classes names 'squre', which is unknown (did you mean 'square'?); the labels of model yolov8n are "
        "background, square"
    )
    assert "YOLO_CLASSES names dog, and model other knows none" in none["error"]
    assert (good["ok"], good["detected"]) == (True, ["square"])


def refusals(folder: Path) -> dict[str, tuple[str, dict]]:
    return {
        "another function": ("os.system", {"kwargs": {"command": f"touch {folder}/pwned"}}),
        "a like-named function": ("video_worker.jobs.process_clip.__globals__", {"kwargs": {"filename": CLIP_NAME}}),
        "positional arguments": (PROCESS_CLIP, {"args": (CLIP_NAME,)}),
        "unknown arguments": (PROCESS_CLIP, {"kwargs": {"filename": CLIP_NAME, "context": 1}}),
        "no file name": (PROCESS_CLIP, {"kwargs": {}}),
        "a number for a name": (PROCESS_CLIP, {"kwargs": {"filename": 5}}),
        "an empty name": (PROCESS_CLIP, {"kwargs": {"filename": ""}}),
        "an absolute path": (PROCESS_CLIP, {"kwargs": {"filename": "/etc/passwd"}}),
        "a path upwards": (PROCESS_CLIP, {"kwargs": {"filename": "../secret.mp4"}}),
        "a hidden file": (PROCESS_CLIP, {"kwargs": {"filename": ".secret.mp4"}}),
        "a link out": (PROCESS_CLIP, {"kwargs": {"filename": "link.mp4"}}),
        "an overlong name": (PROCESS_CLIP, {"kwargs": {"filename": "a" * 300 + ".mp4"}}),
        "an unknown option": (PROCESS_CLIP, {"kwargs": {"filename": CLIP_NAME, "options": {"colour": 1}}}),
        "a wrong option": (PROCESS_CLIP, {"kwargs": {"filename": CLIP_NAME, "options": {"conf": "high"}}}),
        "a model's path": (PROCESS_CLIP, {"kwargs": {"filename": CLIP_NAME, "options": {"model": "../x.onnx"}}}),
    }


def test_what_is_no_clip_of_ours_is_refused_in_one_line_each(redis_server, queue, context, tmp_path, caplog):
    (tmp_path / "secret.mp4").write_bytes(b"x")
    (context.video_dir / "link.mp4").symlink_to(tmp_path / "secret.mp4")
    wanted = refusals(tmp_path)
    for number, (function, call) in enumerate(wanted.values()):
        queue.enqueue_call(function, job_id=f"bad-{number}", **call)
    submit(CLIP_NAME, queue=queue)
    burst(redis_server, context)
    assert sorted(failed(queue)) == sorted(f"bad-{number}" for number in range(len(wanted)))
    assert [record["ok"] for record in lines(context)] == [True]
    refused = logged(caplog, messages.JOB_REFUSED)
    assert len(refused) == len(wanted)
    assert not [record for record in caplog.records if record.exc_info]
    assert not (tmp_path / "pwned").exists()
    job = queue.fetch_job("bad-0")
    assert job.latest_result().exc_string.startswith("refused: it asks for 'os.system'")


def test_pickled_data_is_never_unpickled(redis_server, queue, context, tmp_path, caplog):
    pickled = Queue(queue.name, connection=queue.connection)
    pickled.enqueue_call(marker_function, args=(str(tmp_path / "pwned"),), job_id="pickled")
    job = submit(CLIP_NAME, queue=queue)
    queue.connection.hset(job.key, "data", zlib.compress(pickled_touch(tmp_path / "pwned")))
    raw = submit(CLIP_NAME, queue=queue)
    queue.connection.hset(raw.key, "data", pickled_touch(tmp_path / "pwned"))
    burst(redis_server, context)
    assert sorted(failed(queue)) == sorted(["pickled", job.id, raw.id])
    assert not (tmp_path / "pwned").exists()
    assert not lines(context)
    assert sum("not JSON" in line for line in logged(caplog, messages.JOB_REFUSED)) == 3


def test_callbacks_and_webhooks_of_a_job_are_inert(redis_server, queue, context, tmp_path):
    called: list[str] = []

    class Listener(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            called.append("webhook")

    with socketserver.TCPServer(("127.0.0.1", 0), Listener) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}/"
        pwned = tmp_path / "pwned"
        hook = f"{__name__}.marker_function"
        for filename in (CLIP_NAME, "../refused.mp4"):
            queue.enqueue_call(
                PROCESS_CLIP,
                kwargs={"filename": filename},
                on_success=Callback(hook),
                on_failure=Callback(hook),
                on_stopped=Callback(hook),
                webhooks=[Webhook(url, "finished"), Webhook(url, "failed")],
                repeat=Repeat(times=3, interval=0),
                job_id=f"hooked-{len(filename)}",
            )
        burst(redis_server, context)
        server.shutdown()
    assert not called
    assert not pwned.exists()
    assert len(lines(context)) == 1  # not repeated


@pytest.mark.parametrize(
    "field",
    [
        {"status": "nonsense"},
        {"timeout": "forever"},
        {"timeout": "-1"},
        {"result_ttl": "x"},
        {"created_at": "yesterday"},
        {"meta": "{"},
        {"meta": "[1, 2]"},
        {"dependency_ids": "{"},
        {"retry_intervals": "["},
        {"retries_left": "many"},
        {"origin": b"\xff\xfe"},
        {"success_callback_name": b"\xff"},
        {"success_callback_timeout": "x"},
        {"allow_dependency_failures": "x"},
        {"repeats_left": "1000"},
        {"group_id": b"\xff"},
        {"worker_name": b"\xff"},
    ],
)
def test_nonsense_in_a_jobs_hash_does_not_stop_the_worker(redis_server, queue, context, field):
    job = submit(CLIP_NAME, queue=queue)
    queue.connection.hset(job.key, mapping=field)
    burst(redis_server, context)
    assert [record["ok"] for record in lines(context)] == [True]


@pytest.mark.parametrize(
    "data",
    [
        zlib.compress(b"[" + b" " * 10_000_000),  # a bomb
        zlib.compress(zlib.compress(b'["x", null, [], {}]')),
        b"",
        b"[",
        b"[" * 60_000,
        json.dumps([PROCESS_CLIP, "instance", [], {"filename": CLIP_NAME}]).encode(),
        json.dumps([PROCESS_CLIP, None, [], [["filename", CLIP_NAME]]]).encode(),
        json.dumps([5, None, [], {}]).encode(),
        json.dumps({"a": 1}).encode(),
    ],
    ids=["bomb", "twice packed", "empty", "cut", "deep", "instance", "list of arguments", "number", "object"],
)
def test_nonsense_for_a_call_ends_in_the_failed_registry(redis_server, queue, context, data):
    job = submit(CLIP_NAME, queue=queue)
    queue.connection.hset(job.key, "data", data)
    burst(redis_server, context)
    assert failed(queue) == [job.id]
    assert not lines(context)


def test_ids_that_are_none_are_passed_over(redis_server, queue, context, caplog):
    queue.connection.rpush(queue.key, "no such job", "../../x", "gone")
    submit(CLIP_NAME, queue=queue)
    for _ in range(3):
        burst(redis_server, context)
    assert len(lines(context)) == 1
    assert len(logged(caplog, messages.ENTRY_WITHOUT_ID)) == 2


def test_a_clip_that_can_not_be_analysed_is_logged_once_and_not_tried_again(redis_server, queue, context, caplog):
    (context.video_dir / "20260101-000000-cam1.mp4").write_text("no video")
    enqueue_new_clip(queue, "20260101-000000-cam1.mp4")
    burst(redis_server, context)
    [record] = lines(context)
    assert record["ok"] is False
    assert record["error"].startswith("no video that can be read")
    assert record["job_id"] == "clip-20260101-000000-cam1"
    assert record["run_id"]
    assert failed(queue) == ["clip-20260101-000000-cam1"]
    [line] = logged(caplog, messages.CLIP_FAILED)
    assert "no video" in line


def test_a_missing_clip_is_tried_again_and_found(redis_server, queue, context):
    submit("later.mp4", queue=queue)
    burst(redis_server, context)
    assert not lines(context)
    [job_id] = queue.scheduled_job_registry.get_job_ids()
    (context.video_dir / CLIP_NAME).rename(context.video_dir / "later.mp4")
    make_due(queue, job_id)
    burst(redis_server, context)
    assert [record["ok"] for record in lines(context)] == [True]


def test_a_missing_clip_is_given_up_after_some_tries(redis_server, queue, context):
    job = submit("never.mp4", queue=queue)
    tries = 0
    while not failed(queue):
        for job_id in queue.scheduled_job_registry.get_job_ids():
            make_due(queue, job_id)
            tries += 1
        burst(redis_server, context)
        assert tries < 10
    [record] = lines(context)
    assert (record["ok"], record["error"]) == (False, "the file is not there")
    assert failed(queue) == [job.id]
    assert tries == 3


def make_due(queue: Queue, job_id: str) -> None:
    queue.connection.zadd(queue.scheduled_job_registry.key, {job_id: 1})


def test_a_run_that_is_in_the_log_is_not_done_again(redis_server, queue, context):
    job = submit(CLIP_NAME, queue=queue)
    burst(redis_server, context)
    [record] = lines(context)
    # as if the worker had died between the line and telling Redis
    queue.enqueue_existing(Job.fetch(job.id, queue.connection, "json"))
    burst(redis_server, context)
    assert lines(context) == [record]
    assert queue.fetch_job(job.id).is_finished


@pytest.fixture
def full_context(small_volume, context):
    """A worker's place on a volume without a free byte."""
    shutil.copy(context.video_dir / CLIP_NAME, small_volume)
    (small_volume / "20260101-000000-cam1.mp4").write_text("no video")
    filler = small_volume / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    return replace(context, video_dir=small_volume)


@pytest.mark.parametrize(("name", "ok"), [(CLIP_NAME, True), ("20260101-000000-cam1.mp4", False)])
def test_a_full_disk_costs_no_tries_and_no_line(redis_server, queue, full_context, name, ok):
    job = submit(name, queue=queue)
    for _ in range(6):  # more than the tries that a job has
        burst(redis_server, full_context)
        assert queue.scheduled_job_registry.get_job_ids() == [job.id]
        make_due(queue, job.id)
    assert not lines(full_context)
    (full_context.video_dir / "filler").unlink()
    burst(redis_server, full_context)
    [record] = lines(full_context)
    assert record["ok"] is ok
    assert failed(queue) == ([] if ok else [job.id])
    assert not [path.name for path in (full_context.video_dir / "boxes").glob(".*")]


@pytest.mark.parametrize("name", ["boxes", LOG_NAME])
def test_an_outcome_that_can_not_be_written_for_whatever_reason_costs_no_tries(
    redis_server, queue, context, name, caplog
):
    (context.video_dir / name).mkdir() if name == LOG_NAME else (context.video_dir / name).touch()
    job = submit(CLIP_NAME, queue=queue)
    for _ in range(5):
        burst(redis_server, context)
        assert queue.scheduled_job_registry.get_job_ids() == [job.id]
        make_due(queue, job.id)
    told = logged(caplog, messages.JOB_TRIED_AGAIN)
    assert len(told) == 5
    assert told[0].startswith(f"{CLIP_NAME}: {name} cannot be")
    (context.video_dir / name).rmdir() if name == LOG_NAME else (context.video_dir / name).unlink()
    burst(redis_server, context)
    assert [record["ok"] for record in lines(context)] == [True]


def test_data_that_is_not_packed_is_a_job_as_well(redis_server, queue, context):
    job = submit(CLIP_NAME, queue=queue)
    queue.connection.hset(job.key, "data", zlib.decompress(queue.connection.hget(job.key, "data")))
    burst(redis_server, context)
    assert [record["ok"] for record in lines(context)] == [True]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ('{"aspect": "1e999999999"}', "no aspect ratio"),
        ('{"aspect": "1:1e999999999"}', "no aspect ratio"),
        (f'{{"imgsz": {"9" * 4000}}}', "outside 32 to 4096"),
        ('{"fps": 1e999}', "outside 0 to 240"),
    ],
)
def test_numbers_of_any_size_are_refused_at_once(redis_server, queue, context, options, told):
    job = submit(CLIP_NAME, queue=queue)
    call = f'["{PROCESS_CLIP}", null, [], {{"filename": "{CLIP_NAME}", "options": {options}}}]'
    queue.connection.hset(job.key, "data", zlib.compress(call.encode()))
    burst(redis_server, context)
    [state] = failed_jobs(queue=queue)
    assert told in state.error
    assert len(state.error or "") < 200


def test_an_abandoned_job_is_not_given_up_without_its_line(redis_server, queue, full_context):
    job = submit(CLIP_NAME, queue=queue)
    abandon(queue, job, 0)
    burst(redis_server, full_context)
    assert queue.scheduled_job_registry.get_job_ids() == [job.id]
    assert not failed(queue)


def test_another_failure_is_tried_again(redis_server, queue, context, monkeypatch):
    # a memory bank that fails once can not be had for a test
    failures = iter([MemoryError("no memory")])

    def append(path, record, index):
        for error in failures:
            raise error
        append_record(path, record)

    monkeypatch.setattr("video_worker.jobs.append_once", append)
    job = submit(CLIP_NAME, queue=queue)
    burst(redis_server, context)
    [job_id] = queue.scheduled_job_registry.get_job_ids()
    assert queue.fetch_job(job.id).retries_left == 2
    make_due(queue, job_id)
    burst(redis_server, context)
    assert [record["ok"] for record in lines(context)] == [True]


def test_an_enqueuers_own_retries_do_not_go_beyond_ours(redis_server, queue, context):
    queue.enqueue_call(PROCESS_CLIP, kwargs={"filename": "never.mp4"}, retry=Retry(max=1000, interval=0), job_id="r")
    burst(redis_server, context)
    assert queue.scheduled_job_registry.get_job_ids() == ["r"]
    assert queue.fetch_job("r").retries_left == 2


def abandon(queue: Queue, job: Job, retries_left: int) -> None:
    """Leave `job` as a worker that was killed in its midst leaves it, a lease ago."""
    queue.connection.lrem(queue.key, 1, job.id)
    queue.connection.hset(job.key, mapping={"status": "started", "retries_left": retries_left})
    queue.connection.zadd(queue.started_job_registry.key, {f"{job.id}:execution": 1})


def test_an_abandoned_job_is_done_again(redis_server, queue, context, caplog):
    job = submit(CLIP_NAME, queue=queue)
    abandon(queue, job, 3)
    burst(redis_server, context)
    assert [record["ok"] for record in lines(context)] == [True]
    assert queue.fetch_job(job.id).is_finished
    assert queue.fetch_job(job.id).retries_left == 2
    assert logged(caplog, messages.JOB_ABANDONED)


def test_a_clip_that_kills_its_worker_each_time_is_given_up(redis_server, queue, context):
    job = submit(CLIP_NAME, queue=queue)
    abandon(queue, job, 0)
    names = RunNames(CLIP_NAME, make_run_id(job.created_at, job.id), job.id)
    boxes = names.boxes_path(context.video_dir)
    boxes.parent.mkdir()
    boxes.with_name(f".{boxes.name}.killed-1.partial").touch()
    burst(redis_server, context)
    [record] = lines(context)
    assert record["ok"] is False
    assert record["run_id"] == names.run_id
    assert "its worker died each time" in record["error"]
    assert not list(boxes.parent.iterdir())
    assert failed(queue) == [job.id]


def test_a_job_that_was_lost_between_queue_and_worker_is_put_back(redis_server, queue, context, monkeypatch):
    monkeypatch.setattr("video_worker.queue.maintenance.STUCK_S", 0)
    submit(CLIP_NAME, queue=queue)
    queue.connection.lmove(queue.key, queue.intermediate_queue_key)
    queue.connection.rpush(queue.intermediate_queue_key, "gone")
    burst(redis_server, context)
    assert [record["ok"] for record in lines(context)] == [True]
    assert queue.intermediate_queue.get_job_ids() == []


# instead of FFmpeg's read from a share that has gone, a native call that never comes back
HANGING_WORKER = """
import ctypes, sys
from video_worker.pipeline import analysis
from video_worker.queue import lease_renewer
from video_worker.__main__ import main
analysis.ClipReader = lambda *_: ctypes.CDLL(None).pause()
lease_renewer.STALL_S = 1.0
sys.exit(main([]))
"""


def test_a_worker_that_hangs_in_a_read_ends_itself_and_the_job_is_tried_again(
    redis_server, queue, context, programs, any_model
):
    job = submit(CLIP_NAME, queue=queue)
    env = {**redis_server.env, "VIDEO_DIR": str(context.video_dir), "YOLO_MODEL": str(any_model)}
    worker = programs.python("-c", HANGING_WORKER, env=env)
    worker.wait_for(line_of(messages.JOB_STALLED, CLIP_NAME, "1"))
    assert worker.wait() == 1
    assert job.get_status(refresh=True) == "started"
    queue.connection.zadd(queue.started_job_registry.key, dict.fromkeys(_leases(queue), 1))  # a lease later
    burst(redis_server, context)
    assert [record["ok"] for record in lines(context)] == [True]
    assert queue.fetch_job(job.id).retries_left == 2


def _leases(queue):
    return [key.decode() for key in queue.connection.zrange(queue.started_job_registry.key, 0, -1)]


def test_only_one_worker_at_a_time_looks_after_others(redis_server, queue, context):
    job = submit(CLIP_NAME, queue=queue)
    abandon(queue, job, 3)
    lock = queue.connection.lock(f"{queue.key}:vcam-cleaning", timeout=60)
    assert lock.acquire()
    burst(redis_server, context)
    assert not lines(context)
    lock.release()
    burst(redis_server, context)
    assert len(lines(context)) == 1


NAMES = [
    "IMG 0001.mp4",
    "a.b.mp4",
    "IMG_0002(1).mp4",
    "Гараж.mp4",
    "x\u202fy.mp4",
    "12:30:00.mp4",
    "Cat [x].mp4",
    "-n.mp4",
]
NAMES += ["я" * 125 + ".mp4", "z" * 251 + ".mp4", "50% #1?.mp4"]


def test_a_clip_of_any_name_is_analysed_and_its_boxes_are_found(redis_server, queue, context):
    for name in NAMES:
        (context.video_dir / name).symlink_to(context.video_dir / CLIP_NAME)
    assert all(enqueue_new_clip(queue, name) for name in NAMES)
    burst(redis_server, context)
    log = load_log(context.video_dir)
    assert log["filename"].tolist() == NAMES
    assert log["ok"].all()
    assert set(boxes(log, context.video_dir)["filename"]) == set(NAMES)
    assert not list((context.video_dir / BOXES_FOLDER).glob(".*"))
