"""Jobs that the worker refuses: other functions, pickles, callbacks, nonsense in a hash."""

from __future__ import annotations

import json
import pickle
import socketserver
import threading
import zlib
from pathlib import Path

import pytest
from rq import Queue, Repeat
from rq.job import Callback
from rq.webhook import Webhook

from shared_utils.queue.jobs import PROCESS_CLIP, failed_jobs, submit
from tests.support.footage.video import CLIP_NAME
from tests.support.log_lines import logged
from tests.support.worker_queue import burst, failed, lines
from video_worker import messages


def marker_function(path: str) -> None:
    """What a malicious job would call."""
    Path(path).touch()


def pickled_touch(path: Path) -> bytes:
    class Touch:
        def __reduce__(self):
            return marker_function, (str(path),)

    return pickle.dumps((PROCESS_CLIP, None, (), {"filename": Touch()}))


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


def test_data_that_is_not_packed_is_a_job_as_well(redis_server, queue, context):
    job = submit(CLIP_NAME, queue=queue)
    queue.connection.hset(job.key, "data", zlib.decompress(queue.connection.hget(job.key, "data")))
    burst(redis_server, context)
    assert [record["ok"] for record in lines(context)] == [True]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ('{"aspect": "1e999999999"}', "not an aspect ratio"),
        ('{"aspect": "1:1e999999999"}', "not an aspect ratio"),
        (f'{{"imgsz": {"9" * 4000}}}', "outside 32 to 4096"),
        ('{"fps": 1e999}', "outside 0 to 240"),
    ],
)
def test_numbers_of_any_size_are_refused_at_once(redis_server, queue, context, options, message):
    job = submit(CLIP_NAME, queue=queue)
    call = f'["{PROCESS_CLIP}", null, [], {{"filename": "{CLIP_NAME}", "options": {options}}}]'
    queue.connection.hset(job.key, "data", zlib.compress(call.encode()))
    burst(redis_server, context)
    [state] = failed_jobs(queue=queue)
    assert message in state.error
    assert len(state.error or "") < 200
