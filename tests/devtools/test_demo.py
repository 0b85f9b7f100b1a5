"""The demo: the whole pipeline by one command, and nothing left running whatever happens."""

from __future__ import annotations

import json
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from devtools.demo import Demo
from devtools.log_lines import line_of
from devtools.paths import SCENE_MODEL
from devtools.ports import free_port
from tests.support.programs import Program, Programs
from vcam_worker.messages import CLIP_SAVED, CLIP_STARTED, CONNECTED, JOB_QUEUED
from video_worker.messages import WORKER_READY

pytestmark = pytest.mark.slow

DEMO_TIMEOUT_S = 180.0


def start(programs: Programs, *arguments: str) -> Program:
    return programs.python("-m", "devtools.demo", *arguments)


def descendants(program: Program) -> list[psutil.Process]:
    return psutil.Process(program.process.pid).children(recursive=True)


def assert_all_gone(processes: list[psutil.Process]) -> None:
    assert processes
    _, alive = psutil.wait_procs(processes, timeout=15)
    assert alive == []


def test_the_scene_ends_in_detections(programs: Programs, tmp_path: Path) -> None:
    program = start(programs, "--keep", str(tmp_path / "out"))
    program.wait_for("worker +" + line_of(WORKER_READY).lstrip())
    program.wait_for("capture +" + line_of(CONNECTED).lstrip())
    parts = descendants(program)
    assert program.wait(DEMO_TIMEOUT_S) == 0
    assert_all_gone(parts)
    for event in (CLIP_STARTED, CLIP_SAVED, JOB_QUEUED, "found person|found car|found dog"):
        program.wait_for(event)
    log = tmp_path / "out" / "video" / "detections_log.jsonl"
    program.wait_for(f"log +{log}")
    records = [json.loads(line) for line in log.read_text().splitlines()]
    assert len(records) >= 2
    for record in records:
        program.wait_for(rf"^{record['filename']} ")
        assert record["ok"]
        assert (log.parent / record["filename"]).is_file()
    assert {"person", "car", "dog", "cat", "bicycle"} & {label for one in records for label in one["detected"]}


def test_real_footage_over_rtsp_ends_in_cars(programs: Programs, tmp_path: Path, shared_dir: Path) -> None:
    video, model = shared_dir / "data" / "car-detection.mp4", shared_dir / "models" / "yolov8n.onnx"
    program = start(programs, "--video", str(video), "--model", str(model), "--keep", str(tmp_path / "out"))
    assert program.wait(DEMO_TIMEOUT_S) == 0
    log = tmp_path / "out" / "video" / "detections_log.jsonl"
    records = [json.loads(line) for line in log.read_text().splitlines()]
    # from above these weights call one car or the other a suitcase or a cell phone, more often than a car
    things = [thing for record in records for thing in record["objects"]]
    assert "car" in {label for thing in things for label in (thing["label"], *thing.get("also", {}))}
    assert {record["model"]["name"] for record in records} == {"yolov8n"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_in_the_middle_leaves_nothing_running(programs: Programs, tmp_path: Path, number: int) -> None:
    program = start(programs, "--keep", str(tmp_path / "out"))
    program.wait_for(CLIP_STARTED)
    parts = descendants(program)
    assert program.stop(number) == 130
    assert_all_gone(parts)


def test_even_sigkill_leaves_nothing_running(programs: Programs, tmp_path: Path) -> None:
    program = start(programs, "--keep", str(tmp_path / "out"))
    program.wait_for("capture +" + line_of(CONNECTED).lstrip())
    parts = descendants(program)
    program.process.kill()
    assert_all_gone(parts)


@pytest.mark.parametrize("part", ["camera_emulator", "video_worker", "redis-server"])
def test_a_part_that_crashes_ends_the_demo(programs: Programs, tmp_path: Path, part: str) -> None:
    program = start(programs, "--keep", str(tmp_path / "out"))
    program.wait_for("capture +" + line_of(CONNECTED).lstrip())
    parts = descendants(program)
    next(one for one in parts if part in " ".join(one.cmdline())).kill()
    assert program.wait(60) == 1
    program.wait_for("has ended by itself")
    assert_all_gone(parts)


def test_a_port_that_another_program_took_is_no_trouble(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)

        def ports() -> Iterator[int]:
            for _ in range(2):  # once for Redis, once for the camera
                yield taken.getsockname()[1]
                yield free_port()

        offered = ports()
        (tmp_path / "video").mkdir()
        demo = Demo(tmp_path, "scene", SCENE_MODEL, lambda: next(offered))
        try:
            demo.start_redis()
            demo.start_camera()
        finally:
            demo.stop()
    assert "camera ready" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--video", "/nowhere.mp4"], "scripts/demo: --video /nowhere.mp4: no such file"),
        (["--model", "/nowhere.onnx"], "scripts/demo: --model /nowhere.onnx: no such file"),
        (["--keep", "/proc/nowhere"], "scripts/demo: --keep /proc/nowhere cannot be written to"),
    ],
)
def test_wrong_use_is_one_line(programs: Programs, arguments: list[str], message: str) -> None:
    program = start(programs, *arguments)
    assert program.wait() == 2
    [line] = program.lines
    assert line.startswith(message)


def test_a_model_that_is_none_ends_the_demo(programs: Programs, tmp_path: Path) -> None:
    model = tmp_path / "best.onnx"
    model.write_bytes(b"no model")
    program = start(programs, "--model", str(model), "--keep", str(tmp_path / "out"))
    assert program.wait(60) == 1
    program.wait_for("worker +video_worker: YOLO_MODEL")
