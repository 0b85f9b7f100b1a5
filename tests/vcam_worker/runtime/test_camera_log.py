"""Capture tells when its cameras were watched: real cameras that come and go."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from devtools.log_lines import line_of
from devtools.ports import free_port
from shared_utils.contracts.camera_log import CAMERA_LOG_NAME, read_intervals
from shared_utils.contracts.clips import list_clips
from shared_utils.contracts.detections_log import append_record, log_path
from tests.support.network.cameras import capture, emulator
from tests.support.programs import Programs
from vcam_worker import messages
from vcam_worker.recording.storage.disk import DiskGuard, DiskRules

PASSWORD = "camera-secret-1"


def lines(video_dir: Path) -> list[dict]:
    path = video_dir / CAMERA_LOG_NAME
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def wait_for(condition: Callable[[], bool], what: str, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.05)


def child_of(pid: int) -> int:
    """Return the camera's process of a capture."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    [child] = [int(one) for one in children if b"spawn_main" in Path(f"/proc/{one}/cmdline").read_bytes()]
    return child


def test_a_process_that_dies_a_camera_that_goes_and_comes_again_and_a_stop(
    programs: Programs, footage: Path, env: dict[str, str], video_dir: Path
) -> None:
    port = free_port()
    camera = emulator(programs, footage, f"rtsp://127.0.0.1:{port}/stream")
    program = capture(programs, env, f"rtsp://admin:{PASSWORD}@127.0.0.1:{port}/stream")
    wait_for(lambda: len(lines(video_dir)) == 1, "up")
    os.kill(child_of(program.process.pid), signal.SIGKILL)
    wait_for(lambda: len(lines(video_dir)) == 3, "down and up")
    camera.stop(signal.SIGKILL)
    wait_for(lambda: len(lines(video_dir)) == 4, "down")
    emulator(programs, footage, f"rtsp://127.0.0.1:{port}/stream")
    wait_for(lambda: len(lines(video_dir)) == 5, "up again")
    assert program.stop() == 0
    found = lines(video_dir)
    assert [entry["event"] for entry in found] == ["up", "down"] * 3
    assert {entry["camera"] for entry in found} == {"cam1"}
    assert "SIGKILL" in found[1]["reason"]
    assert found[3]["reason"]
    assert found[5]["reason"] == "capture was stopped"
    assert PASSWORD not in json.dumps(found)
    times = [datetime.fromisoformat(entry["at"]) for entry in found]
    assert times == sorted(times)
    assert all(moment.utcoffset() is not None for moment in times)
    intervals = read_intervals(video_dir / CAMERA_LOG_NAME)
    assert [moment for one in intervals for moment in (one.start, one.end)] == times


def test_a_camera_that_was_never_there_is_recorded_as_such(
    programs: Programs, env: dict[str, str], video_dir: Path
) -> None:
    program = capture(programs, env, f"rtsp://127.0.0.1:{free_port()}/stream")
    wait_for(lambda: len(lines(video_dir)) == 1, "down")
    assert program.stop() == 0
    [entry] = lines(video_dir)
    assert (entry["event"], entry["first"]) == ("down", True)
    assert read_intervals(video_dir / CAMERA_LOG_NAME) == []


def test_a_log_that_cannot_be_written_is_reported_once_and_recording_goes_on(
    programs: Programs, footage: Path, env: dict[str, str], video_dir: Path
) -> None:
    (video_dir / CAMERA_LOG_NAME).mkdir(parents=True)
    url = f"rtsp://127.0.0.1:{free_port()}/stream"
    emulator(programs, footage, url)
    program = capture(programs, env, url)
    program.wait_for(line_of(messages.CAMERA_LOG_NOT_WRITTEN, CAMERA_LOG_NAME))
    program.wait_for(messages.CLIP_SAVED)
    assert program.stop() == 0
    assert program.count(messages.CAMERA_LOG_NOT_WRITTEN) == 1
    assert list_clips(video_dir)


@pytest.mark.parametrize("rules", [DiskRules(retention_days=1), DiskRules(min_free_gb=1000)])
def test_making_room_leaves_the_log_alone(video_dir: Path, rules: DiskRules) -> None:
    video_dir.mkdir()
    name = "20260223-144819-cam1.mp4"
    (video_dir / name).touch()
    append_record(log_path(video_dir), {"ok": True, "filename": name})
    append_record(video_dir / CAMERA_LOG_NAME, {"camera": "cam1", "event": "up", "at": "2026-02-23T14:48:19+02:00"})
    before = (video_dir / CAMERA_LOG_NAME).read_bytes()
    DiskGuard(video_dir, rules, lambda reason: None, free=lambda path: 0).sweep()
    assert list_clips(video_dir) == []
    assert (video_dir / CAMERA_LOG_NAME).read_bytes() == before
