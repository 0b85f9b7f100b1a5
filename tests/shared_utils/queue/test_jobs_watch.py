"""Submitting, following and requeueing, with a real Redis and real workers."""

from __future__ import annotations

import json
import pickle
import signal
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import cast

import pandas as pd
import pytest
from rq import Queue
from rq.job import Job

from devtools.paths import ROOT
from devtools.ports import free_port
from devtools.redis_server import RedisServer
from notebooks.lab.data.results import load_log
from notebooks.lab.jobs.job_bars import watch
from shared_utils.config.redis import RedisSettings
from shared_utils.contracts.detections_log import LOG_NAME
from shared_utils.errors import ClipMissing, JobRefused, QueueUnavailable, SettingError
from shared_utils.queue.job_states import JobState, filename_of, reason_of
from shared_utils.queue.jobs import (
    PROCESS_CLIP,
    clip_queue,
    connect,
    counts,
    failed_jobs,
    requeue,
    requeue_all,
    states,
    submit,
    submit_many,
    workers,
)
from tests.support.footage.video import moving_box, write_video
from tests.support.programs import Program, Programs

MODELS = ROOT / "camera_emulator" / "scene_model"
CLIP, OTHER = "20260223-144819-door.mp4", "20260223-150000-yard.mp4"


@pytest.fixture
def queue(redis_server: RedisServer) -> Queue:
    return clip_queue(redis_server.settings, redis_server.connection())


@pytest.fixture(scope="module")
def clip_master(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video(tmp_path_factory.mktemp("clips") / CLIP, moving_box(start_s=1.0, end_s=2.0), seconds=3)


@pytest.fixture
def video_dir(tmp_path: Path, clip_master: Path) -> Path:
    folder = tmp_path / "video"
    folder.mkdir()
    for name in (CLIP, OTHER):
        (folder / name).write_bytes(clip_master.read_bytes())
    (folder / "cut.mp4").write_bytes(b"no video")
    (folder / "notes.txt").touch()
    (folder / ".hidden.mp4").touch()
    return folder


@pytest.fixture
def start_worker(programs: Programs, redis_server: RedisServer, video_dir: Path) -> Callable[[], Program]:
    env = {**redis_server.env, "VIDEO_DIR": str(video_dir), "MODELS_DIR": str(MODELS), "YOLO_MODEL": "scene.onnx"}
    return lambda: programs.python("-m", "video_worker", env=env)


def wait_until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


# -- submitting


def test_a_run_is_submitted_by_name_and_options(queue: Queue) -> None:
    job = submit(CLIP, queue=queue, conf=0.3, imgsz=320.0, min_hits=pd.Series([3])[0])
    assert queue.job_ids == [job.id]
    assert json.loads(zlib.decompress(cast(bytes, queue.connection.hget(job.key, "data")))) == [
        PROCESS_CLIP,
        None,
        [],
        {"filename": CLIP, "options": {"conf": 0.3, "imgsz": 320, "min_hits": 3}},
    ]


def test_the_environment_s_queue_is_the_default(redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**redis_server.env, "RDSQ_OUTMSG": "mine"}.items():
        monkeypatch.setenv(name, value)
    job = submit(CLIP)
    assert job.origin == "mine"
    assert states([job.id])[0].filename == CLIP
    assert counts().queued == 1
    job.connection.close()


@pytest.mark.parametrize(
    ("filename", "options", "message"),
    [
        (CLIP, {"conf": 1.5}, "option conf is 1.5, outside 0 to 1"),
        (CLIP, {"conf": "high"}, "option conf must be a number"),
        (CLIP, {"model": "../x.onnx"}, "option model must be a bare file name"),
        (CLIP, {"imgsz": 12.5}, "option imgsz"),
        (
            CLIP,
            {"colour": 1},
            "unknown option 'colour'; the options are aspect, classes, conf, fps, imgsz, min_hits, model",
        ),
        ("video/x.mp4", {}, "is not the bare name of a file"),
        ("", {}, "filename is empty"),
        (5, {}, "filename is empty or not text"),
    ],
)
def test_what_the_worker_would_refuse_is_refused_at_once(
    queue: Queue, filename: str, options: dict, message: str
) -> None:
    with pytest.raises(JobRefused, match=message) as caught:
        submit(filename, queue=queue, **options)
    assert "\n" not in str(caught.value)
    assert queue.count == 0


def test_many_are_submitted_by_a_pattern_or_by_names(queue: Queue, video_dir: Path) -> None:
    def names(jobs: list[Job]) -> list[str]:
        return [job.kwargs["filename"] for job in jobs]

    assert names(submit_many("*.mp4", queue=queue, video_dir=video_dir)) == [CLIP, OTHER, "cut.mp4"]
    assert names(submit_many("*-door.*", queue=queue, video_dir=video_dir)) == [CLIP]
    assert names(submit_many([video_dir / OTHER, CLIP], queue=queue, conf=0.2)) == [OTHER, CLIP]
    assert queue.count == 6


def test_many_are_submitted_all_or_none(queue: Queue, video_dir: Path) -> None:
    with pytest.raises(ClipMissing, match=r"^gone.mp4: no such file"):
        submit_many([CLIP, "gone.mp4"], queue=queue, video_dir=video_dir)
    with pytest.raises(ClipMissing, match=r"none of the 3 videos in .* is called '2025"):
        submit_many("2025*", queue=queue, video_dir=video_dir)
    with pytest.raises(JobRefused):
        submit_many([CLIP, "../x.mp4"], queue=queue)
    assert queue.count == 0
    assert submit_many([], queue=queue) == []


def test_without_redis_or_with_a_wrong_password_it_is_one_line(redis_server: RedisServer) -> None:
    for settings, error in (
        (RedisSettings("127.0.0.1", free_port()), QueueUnavailable),
        (RedisSettings("127.0.0.1", redis_server.port, "wrong"), SettingError),
    ):
        queue = clip_queue(settings, connect(settings))
        asks: list[Callable[..., object]] = [partial(submit, CLIP), counts]
        for ask in asks:
            with pytest.raises(error) as caught:
                ask(queue=queue)
            assert "RDS_" in str(caught.value)
            assert "\n" not in str(caught.value)
        more: list[Callable[..., object]] = [workers, failed_jobs, requeue_all]
        for ask in more:
            with pytest.raises(error):
                ask(queue=queue)


# -- following


def test_jobs_are_followed_to_their_ends(
    queue: Queue, video_dir: Path, start_worker: Callable[[], Program], capsys: pytest.CaptureFixture[str]
) -> None:
    jobs = submit_many("*.mp4", queue=queue, video_dir=video_dir, fps=0)
    started: list[Program] = []
    late = threading.Timer(1.0, lambda: started.append(start_worker()))
    late.start()
    outcomes = watch(jobs)
    late.join()
    assert [one.state for one in outcomes] == ["done", "done", "failed"]
    assert [one.job_id for one in outcomes] == [job.id for job in jobs]
    done, failed = outcomes[0], outcomes[2]
    assert (done.frames_done, done.frames_total) == (30, 30)
    assert done.seconds is not None
    assert 0 < done.seconds < 60
    assert failed.error == "no video that can be read (Invalid data found when processing input)"
    printed = capsys.readouterr()
    assert "no worker is running: docker compose ps video-worker" in printed.out
    assert f"cut.mp4 failed: {failed.error}" in printed.out
    assert CLIP in printed.err
    assert "queued" in printed.err
    frame = pd.DataFrame(outcomes).merge(load_log(video_dir), on="run_id", suffixes=("", "_log"))
    assert frame["filename_log"].tolist() == [CLIP, OTHER]
    assert frame["detected"].tolist() == frame["detected_log"].tolist()
    assert counts(queue=queue).done == 2
    [worker] = workers(queue=queue)
    assert (worker.job, worker.done, worker.failed) == (None, 2, 1)
    assert worker.seen_s < 10


def test_many_share_a_bar_and_one_job_needs_no_list(
    queue: Queue, start_worker: Callable[[], Program], capsys: pytest.CaptureFixture[str]
) -> None:
    start_worker()
    assert [one.state for one in watch(submit_many([CLIP] * 5, queue=queue, fps=1))] == ["done"] * 5
    assert "5/5" in capsys.readouterr().err
    assert watch(submit(CLIP, queue=queue, fps=1))[0].state == "done"
    assert watch([]) == []


PROGRAM = """
import sys
from shared_utils.queue.jobs import environment_queue, submit_many, watch
for outcome in watch(submit_many(["%s"], fps=0)):
    print("outcome", outcome.state)
"""


def test_ctrl_c_ends_the_watching_and_not_the_job(programs: Programs, redis_server: RedisServer, queue: Queue) -> None:
    program = programs.python("-c", PROGRAM % CLIP, env=redis_server.env)
    program.wait_for("no worker is running")
    assert program.stop(signal.SIGINT) == 0
    assert "no longer watched; 1 of 1 jobs go on" in program.text
    assert "outcome queued" in program.text
    assert "Traceback" not in program.text
    assert queue.count == 1


def test_redis_may_go_away_and_come_back_meanwhile(
    programs: Programs, redis_server: RedisServer, start_worker: Callable[[], Program]
) -> None:
    program = programs.python("-c", PROGRAM % CLIP, env=redis_server.env)
    program.wait_for("no worker is running")
    redis_server.stop()
    program.wait_for(r"Redis at 127.0.0.1:\d+ is not available .*watching goes on")
    redis_server.start()
    program.wait_for("Redis is back")
    start_worker()
    program.wait_for("outcome done")
    assert program.text.count("is not available") == 1


def test_a_job_that_is_gone_is_lost(queue: Queue) -> None:
    job = submit(CLIP, queue=queue)
    queue.connection.flushdb()
    [outcome] = watch(job)
    assert outcome.state == "lost"
    assert "does not know this job" in str(outcome.error)


# -- what failed


def test_a_failed_job_is_requeued_and_then_succeeds(
    queue: Queue, video_dir: Path, clip_master: Path, start_worker: Callable[[], Program]
) -> None:
    start_worker()
    [failed] = watch(submit("cut.mp4", queue=queue))
    [known] = failed_jobs(queue=queue)
    assert (known.job_id, known.error, known.filename) == (failed.job_id, failed.error, "cut.mp4")
    assert known.ended_at is not None
    (video_dir / "cut.mp4").write_bytes(clip_master.read_bytes())
    [outcome] = watch(requeue(failed.job_id, queue=queue))
    assert outcome.state == "done"
    assert failed_jobs(queue=queue) == []
    log = load_log(video_dir)
    assert log["ok"].tolist() == [False, True]
    assert log["run_id"].nunique() == 1
    assert log.loc[1, "run_id"] == outcome.run_id
    with pytest.raises(JobRefused, match="is not among the failed jobs"):
        requeue(failed.job_id, queue=queue)
    with pytest.raises(JobRefused, match="is not among the failed jobs"):
        requeue("nothing", queue=queue)


def test_all_are_requeued_with_their_retries(queue: Queue, start_worker: Callable[[], Program]) -> None:
    worker = start_worker()
    watch(submit_many(["cut.mp4"] * 3, queue=queue))
    assert worker.stop() == 0
    assert counts(queue=queue).failed == 3
    again = requeue_all(queue=queue)
    assert counts(queue=queue).failed == 0
    assert [job.id for job in again] == queue.job_ids
    for job in again:
        raw = queue.connection.hgetall(job.key)
        assert b"retries_left" not in raw
        assert b"meta" not in raw


class Touch:
    """What unpickling would run."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return Path.touch, (self.path,)


@pytest.fixture
def hostile(queue: Queue, tmp_path: Path) -> Iterator[str]:
    """A failed job whose every field is what somebody else put there."""
    evil = pickle.dumps((PROCESS_CLIP, None, (), Touch(tmp_path / "pwned")))
    job = submit(CLIP, queue=queue)
    queue.remove(job)
    queue.connection.hset(
        job.key,
        mapping={"data": zlib.compress(evil), "meta": evil, "status": "failed", "started_at": b"\xff", "result": evil},
    )
    queue.connection.xadd(f"rq:results:{job.id}", {"type": 2, "exc_string": b"!!", "return_value": evil})
    queue.connection.zadd(queue.failed_job_registry.key, {job.id: time.time() + 1000})
    yield job.id
    assert not (tmp_path / "pwned").exists()


def test_what_others_put_into_redis_is_shown_and_never_run(queue: Queue, hostile: str) -> None:
    [state] = failed_jobs(queue=queue)
    assert state.job_id == hostile
    assert state.error == "no reason was left"
    assert watch(Job(hostile, connection=queue.connection, serializer="json"))[0].state == "failed"
    with pytest.raises(JobRefused):
        requeue(hostile, queue=queue)
    assert requeue_all(queue=queue) == []
    assert counts(queue=queue).failed == 1


@pytest.mark.parametrize(
    "data",
    [
        None,
        b"",
        b"no",
        zlib.compress(b"[1]"),
        zlib.compress(b'["f", null, [], {"filename": 5}]'),
        zlib.compress(b"[" * 100_000),
        zlib.compress(b'["f", null, [], {"filename": "' + b"a" * 10_000_000),
    ],
)
def test_calls_that_are_none_have_no_file_name(data: bytes | None) -> None:
    assert filename_of(data) is None


def test_reasons_are_a_line() -> None:
    assert reason_of("Traceback:\n  x\nValueError: bad\n\n") == "ValueError: bad"
    assert reason_of(None) == reason_of(" \n") == "no reason was left"
    assert len(reason_of("x" * 10_000)) == 300


def test_states_make_a_frame() -> None:
    frame = pd.DataFrame([JobState("a", CLIP, "done", detected=("cat",))])
    assert frame.loc[0, "detected"] == ("cat",)
    assert LOG_NAME not in frame
