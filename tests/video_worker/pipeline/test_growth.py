"""A file that is still being copied: tried again until it is whole, never failed for good, never half analysed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from shared_utils.contracts.detections_log import log_path, read_records
from shared_utils.contracts.job_options import Options
from shared_utils.errors import ClipError, ClipGrowing
from shared_utils.queue.connection import clip_queue
from shared_utils.queue.jobs import submit
from tests.support.footage.video import moving_box, write_video
from tests.video_worker.conftest import SquareModels, now
from video_worker.jobs import WorkerContext
from video_worker.pipeline.analysis import Analyst, Task
from video_worker.pipeline.run_names import RunNames, make_run_id
from video_worker.queue.serve import serve
from video_worker.queue.stop import Stop


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    return write_video(tmp_path_factory.mktemp("clips") / "w.ts", moving_box(320, 192, 0, 4), seconds=4)


def analyse(path: Path, sleep: Callable[[float], None], progress: Callable[[int, int], None] = lambda *_: None):
    names = RunNames(path.name, make_run_id(now(), "x"), None)
    task = Task(path, names, Options(), None, path.parent)
    return Analyst(SquareModels(), 1, now, sleep=sleep).analyse(task, progress, lambda: False)


@pytest.mark.parametrize("size", [0, 10, 4000, 50_000])
def test_a_file_that_grows_while_it_is_opened_is_tried_again(tmp_path, clip, size):
    path = tmp_path / "copy.ts"
    path.write_bytes(clip.read_bytes()[:size])

    def copies_on(_: float) -> None:
        with path.open("ab") as file:
            file.write(clip.read_bytes()[size : size + 20_000])

    with pytest.raises(ClipGrowing, match="still being written"):
        analyse(path, copies_on)
    assert not (tmp_path / "boxes").exists()


def test_a_file_that_grows_while_it_is_analysed_is_tried_again(tmp_path, clip):
    path = tmp_path / "copy.ts"
    path.write_bytes(clip.read_bytes()[:60_000])

    def copies_on(done: int, total: int) -> None:
        with path.open("ab") as file:
            file.write(b"x")

    with pytest.raises(ClipGrowing):
        analyse(path, lambda _: None, copies_on)
    assert not list((tmp_path / "boxes").iterdir())


@pytest.mark.parametrize("age", [0, 5, 60])
def test_a_broken_file_that_nobody_writes_fails_with_its_reason(tmp_path, age):
    path = tmp_path / "broken.mp4"
    path.write_bytes(b"no video" * 1000)
    os.utime(path, (time.time() - age,) * 2)
    waits: list[float] = []
    with pytest.raises(ClipError, match="no video that can be read"):
        analyse(path, waits.append)
    assert bool(waits) is (age < 10)


def test_a_whole_file_and_a_clip_of_ours_are_not_waited_for(tmp_path, clip, clip_master):
    for name, source in (("copy.mp4", clip_master), (clip_master.name, clip_master)):
        (tmp_path / name).write_bytes(source.read_bytes())
        assert analyse(tmp_path / name, lambda _: pytest.fail("waited"))["ok"]


def test_a_job_over_a_file_that_is_being_copied_ends_well_when_it_is_whole(redis_server, tmp_path, clip):
    path = tmp_path / "copy.ts"
    content = clip.read_bytes()
    path.write_bytes(content[:30_000])
    tries = []

    def copies_on(_: float) -> None:
        tries.append(1)
        with path.open("ab") as file:
            file.write(content[30_000:60_000])

    context = WorkerContext(tmp_path, Options(), Analyst(SquareModels(), 1, now, sleep=copies_on), now)
    queue = clip_queue(redis_server.settings, redis_server.connection())
    job_id = submit("copy.ts", queue=queue).id
    serve(redis_server.settings, context, Stop(1), burst=True)
    job = queue.fetch_job(job_id)
    assert tries
    assert job
    assert job.is_scheduled
    assert job.retries_left == 3
    assert not (log_path(tmp_path)).exists()
    path.write_bytes(content)
    os.utime(path, (time.time() - 60,) * 2)
    queue.scheduled_job_registry.remove(job)
    queue.enqueue_job(job)
    serve(redis_server.settings, context, Stop(1), burst=True)
    [record] = read_records(log_path(tmp_path))
    assert record["ok"]
    assert record["clip"]["frames"] == 40
