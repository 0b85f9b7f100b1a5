"""The program as it is started: wrong settings, signals, crashes, Redis coming and going."""

from __future__ import annotations

import itertools
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from devtools.log_lines import line_of
from devtools.paths import ROOT
from devtools.ports import free_port
from shared_utils.contracts.detections_log import log_path, read_records
from shared_utils.log import LogMessage
from shared_utils.queue.jobs import clip_queue, submit
from tests.support.footage.video import CLIP_NAME, moving_box, write_video
from video_worker import messages

WAIT_S = 60
TRIES = 4
"""Connections that a worker tries before Redis is there."""


class Program:
    """A worker process and what it says."""

    def __init__(self, environment: dict[str, str], log: Path) -> None:
        self.log = log
        with log.open("a") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "video_worker"], env=environment, cwd=ROOT, stderr=file
            )

    def count(self, message: LogMessage, *arguments: str) -> int:
        return len(re.findall(line_of(message, *arguments), self.log.read_text()))

    def wait_for(self, message: LogMessage, *arguments: str, times: int = 1) -> None:
        wait_until(lambda: self.count(message, *arguments) >= times or self._gone(), f"the worker to log {message!r}")
        assert self.count(message, *arguments) >= times, self.log.read_text()

    def _gone(self) -> bool:
        return self.process.poll() is not None

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(WAIT_S)


def wait_until(done: Callable[[], bool], what: str, seconds: float = WAIT_S) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.02)


@pytest.fixture
def environment(video_folder: Path, any_model: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TZ", "LD_LIBRARY_PATH") if name in os.environ}
    kept |= {"PYTHONWARNINGS": "error", "PYTHON_DOTENV_DISABLED": "1"}
    return {**kept, "VIDEO_DIR": str(video_folder), "YOLO_MODEL": str(any_model)}


@pytest.fixture
def start(environment: dict[str, str], tmp_path: Path) -> Iterator[Callable[..., Program]]:
    """Starts workers, and ends those that are left."""
    programs: list[Program] = []

    def run(**more: str) -> Program:
        programs.append(Program(environment | more, tmp_path / f"worker-{len(programs)}.log"))
        return programs[-1]

    yield run
    for program in programs:
        program.process.kill()
        program.process.wait()


def records(folder: Path) -> list[dict]:
    return list(read_records(log_path(folder)))


def long_clip(folder: Path, name: str = "20260224-000000-cam1.mp4", seconds: float = 60) -> str:
    """A clip that takes some seconds to analyse."""
    write_video(folder / name, moving_box(), seconds=seconds, fps=10)
    return name


def command(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "video_worker", *arguments],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
    )


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"YOLO_CONF": "high"}, "YOLO_CONF is 'high'"),
        ({"YOLO_CONF": "1.5"}, "YOLO_CONF"),
        ({"YOLO_CLASSES": "car, pursons"}, "YOLO_CLASSES names 'pursons', which is unknown (did you mean 'person'?)"),
        ({"ANALYSIS_FPS": "-1"}, "ANALYSIS_FPS"),
        ({"YOLO_MODEL": "no-such.onnx"}, "YOLO_MODEL is 'no-such.onnx'"),
        ({"YOLO_MODEL": "README.md", "MODELS_DIR": str(ROOT)}, "YOLO_MODEL is 'README.md'"),
        ({"DETECTOR": "tensorflow"}, "DETECTOR is 'tensorflow'"),
        ({"DETECTOR_DEVICE": "TPU"}, "DETECTOR_DEVICE is 'TPU'"),
        ({"VIDEO_DIR": "/proc/nowhere"}, "VIDEO_DIR"),
        ({"RDS_PORT": "redis"}, "RDS_PORT"),
        ({"LOGLEVEL": "LOUD"}, "LOGLEVEL"),
        ({"RDS_PSW": "wrong-secret"}, "RDS_PSW is not accepted"),
        ({"RDS_PSW": ""}, "RDS_PSW is not set"),
    ],
)
def test_a_wrong_setting_is_one_line_that_names_it(environment, redis_server, tmp_path, settings, expected):
    (tmp_path / "README.md").touch()
    result = command({**environment, **redis_server.env, **settings})
    assert result.returncode == 2
    assert expected in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert "wrong-secret" not in result.stderr
    assert not result.stdout


def test_it_works_until_it_is_stopped_and_never_says_the_password(environment, redis_server, start, video_folder):
    program = start(**redis_server.env, LOGLEVEL="DEBUG")
    program.wait_for(messages.WORKER_READY)
    submit(CLIP_NAME, queue=clip_queue(redis_server.settings, redis_server.connection()))
    program.wait_for(messages.CLIP_ANALYSED, CLIP_NAME)
    began = time.monotonic()
    assert program.stop() == 0
    assert time.monotonic() - began < 5
    assert program.count(messages.WORKER_STOPPED)
    assert len(records(video_folder)) == 1
    assert redis_server.password not in program.log.read_text()
    assert "Traceback" not in program.log.read_text()


def test_redis_may_come_late_and_come_and_go(redis_server, start, video_folder):
    redis_server.stop()
    with socket.create_server((redis_server.host, redis_server.port)) as nobody:
        program = start(**redis_server.env)
        for _ in range(TRIES):  # it is reported once all the same
            nobody.accept()[0].close()
        program.wait_for(messages.WORKER_REDIS_UNREACHABLE)
    redis_server.start()
    program.wait_for(messages.WORKER_READY)
    assert program.count(messages.WORKER_REDIS_UNREACHABLE) == 1
    redis_server.stop()
    program.wait_for(messages.WORKER_REDIS_UNREACHABLE, times=2)
    redis_server.start()
    program.wait_for(messages.WORKER_REDIS_BACK, times=2)
    submit(CLIP_NAME, queue=clip_queue(redis_server.settings, redis_server.connection()))
    program.wait_for(messages.CLIP_ANALYSED, CLIP_NAME)
    assert program.stop() == 0
    assert "Traceback" not in program.log.read_text()


@pytest.mark.parametrize("back_in_time", [True, False])
def test_redis_is_restarted_in_the_middle_of_a_job(redis_server, start, video_folder, back_in_time):
    name = long_clip(video_folder)
    program = start(**redis_server.env)
    program.wait_for(messages.WORKER_READY)
    queue = clip_queue(redis_server.settings, redis_server.connection())
    job = submit(name, queue=queue)
    wait_until(lambda: job.get_meta().get("frames_done", 0) > 5, "the job to be begun")
    redis_server.stop()
    if not back_in_time:
        wait_until(lambda: bool(records(video_folder)), "the line in the detections log")
    redis_server.start()
    program.wait_for(messages.CLIP_ANALYSED, name)
    wait_until(lambda: queue.fetch_job(job.id).is_finished, "the job to be concluded")
    assert program.stop() == 0
    assert [record["ok"] for record in records(video_folder)] == [True]


def test_a_killed_workers_job_is_finished_by_another_within_a_minute(redis_server, start, video_folder):
    name = long_clip(video_folder)
    first = start(**redis_server.env)
    first.wait_for(messages.WORKER_READY)
    queue = clip_queue(redis_server.settings, redis_server.connection())
    job = submit(name, queue=queue)
    wait_until(lambda: job.get_meta().get("frames_done", 0) > 5, "the job to be begun")
    first.process.send_signal(signal.SIGKILL)
    killed = time.monotonic()
    second = start(**redis_server.env)
    wait_until(lambda: bool(records(video_folder)), "the job to be finished by another worker")
    assert time.monotonic() - killed < 60
    wait_until(lambda: queue.fetch_job(job.id).is_finished, "the job to be concluded")
    [record] = records(video_folder)
    assert record["ok"]
    assert record["job_id"] == job.id
    assert second.stop() == 0
    # nothing half done of the first one is left to be taken for a result
    assert [path.name for path in (video_folder / "boxes").glob("*.jsonl")] == [
        f"{Path(name).stem}.{record['run_id']}.jsonl"
    ]


def test_a_job_that_is_not_done_in_time_is_handed_back_when_the_worker_is_stopped(redis_server, start, video_folder):
    name = long_clip(video_folder)
    first = start(**redis_server.env, STOP_GRACE_SECONDS="0.2")
    first.wait_for(messages.WORKER_READY)
    queue = clip_queue(redis_server.settings, redis_server.connection())
    job = submit(name, queue=queue)
    wait_until(lambda: job.get_meta().get("frames_done", 0) > 5, "the job to be begun")
    assert first.stop() == 0
    first.wait_for(messages.JOB_HANDED_BACK, name)
    assert not records(video_folder)
    assert queue.get_job_ids() == [job.id]
    assert not list((video_folder / "boxes").iterdir())
    second = start(**redis_server.env)
    second.wait_for(messages.CLIP_ANALYSED, name)
    assert [record["ok"] for record in records(video_folder)] == [True]


def test_a_job_that_is_nearly_done_is_finished_when_the_worker_is_stopped(redis_server, start, video_folder):
    name = long_clip(video_folder)
    program = start(**redis_server.env, STOP_GRACE_SECONDS="50")
    program.wait_for(messages.WORKER_READY)
    queue = clip_queue(redis_server.settings, redis_server.connection())
    job = submit(name, queue=queue)
    wait_until(lambda: job.get_meta().get("frames_done", 0) > 5, "the job to be begun")
    assert program.stop() == 0
    assert [record["ok"] for record in records(video_folder)] == [True]
    assert queue.fetch_job(job.id).is_finished


def test_analyse_prints_a_line_a_file(environment, video_folder):
    (video_folder / "text.mp4").write_text("no video")
    result = command(environment, "analyse", str(video_folder / CLIP_NAME), str(video_folder / "text.mp4"))
    assert result.returncode == 1
    good, bad = (json.loads(line) for line in result.stdout.splitlines())
    assert good["ok"]
    assert good["clip"]["frames"] == 100
    assert (bad["ok"], bad["filename"]) == (False, "text.mp4")
    assert "text.mp4: no video that can be read" in result.stderr
    assert len(result.stderr.splitlines()) == 1  # no progress bar where nobody watches
    assert sorted(path.name for path in video_folder.iterdir()) == [CLIP_NAME, "text.mp4"]


def zones_text(name: str, camera: str = "cam1") -> str:
    line = {"name": name, "line": [[0.5, 1], [0.5, 0]], "tasks": [{"do": "cross"}]}
    return json.dumps({"schema": 1, "camera": camera, "zones": [line]})


def test_analyse_takes_the_zones_of_the_camera_or_those_of_a_file(environment, video_folder, tmp_path):
    folder = video_folder / "zones"
    folder.mkdir()
    (folder / "cam1.json").write_text(zones_text("own"))
    draft = tmp_path / "draft.json"
    draft.write_text(zones_text("draft", camera="somewhere"))
    clip = str(video_folder / CLIP_NAME)
    for arguments, expected in (((), "own"), (("--zones", str(draft)), "draft")):
        result = command(environment, "analyse", *arguments, clip)
        assert result.returncode == 0, result.stderr
        record = json.loads(result.stdout)
        assert list(record["zones"]) == [expected]
        assert record["setup"]["zones_sha256"]
    assert not (video_folder / "events").exists()


def test_analyse_with_wrong_zones_is_one_line_that_names_zone_and_key(environment, video_folder, tmp_path):
    draft = tmp_path / "draft.json"
    draft.write_text(zones_text("door").replace('"cross"', '"objects"'))
    clip = str(video_folder / CLIP_NAME)
    result = command(environment, "analyse", "--zones", str(draft), clip)
    assert result.returncode == 2
    assert result.stdout == ""
    [line] = result.stderr.strip().splitlines()
    assert f"{draft}: zone 'door': tasks[0] (objects) needs points" in line
    # a camera's own file fails nothing
    folder = video_folder / "zones"
    folder.mkdir()
    (folder / "cam1.json").write_text(draft.read_text())
    result = command(environment, "analyse", clip)
    assert result.returncode == 0
    assert "zones" not in json.loads(result.stdout)
    assert re.findall(line_of(messages.ZONES_WRONG), result.stderr)


def test_analyse_of_a_good_clip_ends_with_0_and_wrong_use_with_2(environment, video_folder):
    result = command(environment, "analyse", str(video_folder / CLIP_NAME))
    assert (result.returncode, result.stderr) == (0, "")
    assert command(environment, "analyse").returncode == 2
    assert command(environment, "no-such-command").returncode == 2


def test_export_without_ultralytics_says_what_to_install(environment, tmp_path):
    try:
        import ultralytics  # noqa: F401
    except ImportError:
        pass
    else:
        pytest.skip("ultralytics is installed here")
    weights = tmp_path / "w.pt"
    weights.touch()
    result = command(environment, "export", str(weights), str(tmp_path / "w.onnx"))
    assert result.returncode == 2
    assert "requirements.export.txt" in result.stderr
    assert len(result.stderr.splitlines()) == 1
    for arguments in ((str(weights), str(tmp_path / "w.bin")), (str(tmp_path / "no.pt"), str(tmp_path / "w.onnx"))):
        result = command(environment, "export", *arguments)
        assert result.returncode == 2


def test_a_free_port_without_redis_is_waited_for_until_stopped(start):
    program = start(RDS_HOST="127.0.0.1", RDS_PORT=str(free_port()))
    program.wait_for(messages.WORKER_REDIS_UNREACHABLE, ".*RDS_HOST.*")
    assert program.stop() == 0


def test_progress_is_reported_at_most_twice_per_second(redis_server, start, video_folder):
    write_video(video_folder / "20260223-150000-cam1.mp4", moving_box(), seconds=120)
    program = start(**redis_server.env)
    program.wait_for(messages.WORKER_READY)
    with redis_server.connection().monitor() as monitor:
        queue = clip_queue(redis_server.settings, redis_server.connection())
        job = submit("20260223-150000-cam1.mp4", queue=queue, fps=0)
        reports = []
        for event in monitor.listen():
            if event["command"].startswith(f"HSET rq:job:{job.id} meta "):
                reports.append((event["time"], json.loads(event["command"].split(" meta ", 1)[1])))
            if reports and reports[-1][1]["frames_done"] == 1200:
                break
    assert program.stop() == 0
    # on a busy machine the first note may come before the first frame
    begun = [meta for _, meta in reports if meta["frames_done"]]
    assert {meta["frames_total"] for meta in begun} == {1200}
    assert all(meta["frames_per_s"] > 0 for meta in begun)
    assert len(reports) >= 3
    # the last note comes when the job is done, whenever that is
    gaps = [later - earlier for (earlier, _), (later, _) in itertools.pairwise(reports[:-1])]
    assert min(gaps) >= 0.45


def test_analyse_takes_files_of_any_name_and_goes_on_after_a_bad_one(programs, video_folder, any_model):
    names = ["12:30:00.mp4", "Cat [x] #1?.mp4", "concat:a.mp4", "-dash.mp4", "a\nb.mp4", "я" * 125 + ".mp4"]
    for name in names:
        (video_folder / name).symlink_to(video_folder / CLIP_NAME)
    (video_folder / os.fsdecode(b"bad\xff.mp4")).symlink_to(video_folder / CLIP_NAME)
    (video_folder / "cut.mp4").write_bytes(b"no video")
    files = [names[0], "cut.mp4", "gone.mp4", *names[1:], os.fsdecode(b"bad\xff.mp4")]
    env = {"PYTHONPATH": str(ROOT), "YOLO_MODEL": str(any_model)}
    program = programs.python("-m", "video_worker", "analyse", "--", *files, env=env, folder=video_folder)
    assert program.wait(120) == 1
    records = [json.loads(line) for line in program.lines if line.startswith("{")]
    assert [record["filename"] for record in records] == [names[0], "cut.mp4", "gone.mp4", *names[1:], r"bad\udcff.mp4"]
    assert [record["filename"] for record in records if not record["ok"]] == ["cut.mp4", "gone.mp4"]
    assert sum(line.startswith("video_worker: ") for line in program.lines) == 2
