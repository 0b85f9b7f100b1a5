"""An edit of cameras.toml while capture runs: taken over where it is right, and no other camera is touched."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from devtools.log_lines import line_of
from devtools.ports import free_port
from shared_utils.contracts.camera_log import CAMERA_LOG_NAME
from tests.support.log_lines import logged
from tests.support.network.cameras import camera_processes, emulator
from tests.support.programs import Program, Programs
from vcam_worker import messages
from vcam_worker.runtime.cameras_watch import POLL_S, CamerasWatch

pytestmark = pytest.mark.slow

TAKEN_OVER_S = 5.0


def _replace(path: Path, text: str) -> None:
    """Write a file as editors do."""
    fresh = path.with_name("cameras.toml~")
    fresh.write_text(text)
    fresh.chmod(0o600)
    fresh.replace(path)


def _pids(program: Program) -> set[int]:
    return {one.pid for one in camera_processes(program)}


def _times_up(video_dir: Path, camera: str) -> int:
    lines = [json.loads(line) for line in (video_dir / CAMERA_LOG_NAME).read_text().splitlines()]
    return sum(line["camera"] == camera and line["event"] == "up" for line in lines)


def _until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_an_edit_is_taken_over_and_other_cameras_are_not_touched(
    programs: Programs, footage: Path, env: dict[str, str], video_dir: Path, tmp_path: Path
) -> None:
    place = f"127.0.0.1:{free_port()}/stream"
    emulator(programs, footage, f"rtsp://{place}")
    (tmp_path / "conf").mkdir()
    path = tmp_path / "conf" / "cameras.toml"
    door, yard = (f'[{name}]\nurl = "rtsp://{place}"\n' for name in ("door", "yard"))
    _replace(path, door + yard)
    program = programs.python("-m", "vcam_worker", env={**env, "CAMERAS_FILE": str(path.parent), "CLIP_SECONDS": "60"})
    program.wait_for(line_of(messages.CONNECTED, who="door"))
    program.wait_for(line_of(messages.CLIP_STARTED, who="yard"))
    before = _pids(program)

    began = time.monotonic()
    _replace(path, f'[gate]\nurl = "rtsp://viewer:hunter22@{place}"\n{door}{yard}motion_fps = 3\n')
    program.wait_for(line_of(messages.CAMERAS_CHANGED, "new: gate; changed: yard"))
    assert time.monotonic() - began < TAKEN_OVER_S
    program.wait_for(line_of(messages.CLIP_SAVED, who="yard"))
    program.wait_for(line_of(messages.CONNECTED, who="yard"), count=2)
    program.wait_for(line_of(messages.CONNECTED, who="gate"))
    now = _pids(program)
    [same] = before & now
    assert len(now) == 3
    assert len(re.findall(line_of(messages.CONNECTED, who="door"), program.text)) == 1

    _replace(path, f"{door}motion_fsp = 3\n")
    program.wait_for(line_of(messages.CAMERAS_FILE_WRONG, r".*unknown key 'motion_fsp'.* \(line 3\)"))
    times_up = _times_up(video_dir, "yard")
    with path.open("w") as file:  # in place, in two steps, as some editors do
        file.write(door)
        file.flush()
        time.sleep(POLL_S / 4)
        file.write(yard)
    program.wait_for(line_of(messages.CAMERAS_FILE_RIGHT_AGAIN, "cameras.toml"))
    program.wait_for(line_of(messages.CAMERAS_CHANGED, "changed: yard; gone: gate"))
    program.wait_for(line_of(messages.CONNECTED, who="yard"), count=3)
    _until(lambda: _times_up(video_dir, "yard") > times_up)
    path.write_text(door)
    program.wait_for(line_of(messages.CAMERAS_CHANGED, "gone: yard"))
    _until(lambda: _pids(program) == {same})

    path.unlink()
    program.wait_for(line_of(messages.CAMERAS_FILE_WRONG, ".*No such file or directory.*"))
    assert program.stop() == 0
    assert program.count(messages.CAMERAS_FILE_WRONG) == 2
    assert "hunter22" not in program.text
    lines = [json.loads(line) for line in (video_dir / CAMERA_LOG_NAME).read_text().splitlines()]
    reasons = {line["camera"]: line["reason"] for line in lines if line["event"] == "down"}
    assert reasons == {
        "yard": "taken out of the settings",
        "gate": "taken out of the settings",
        "door": "capture was stopped",
    }


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += POLL_S
        return self.now


def test_passwords_that_others_may_read_are_reported_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "cameras.toml"
    path.write_text('[door]\nurl = "rtsp://u:secret@10.0.0.1/s"\n')
    path.chmod(0o644)
    watch = CamerasWatch({"CAMERAS_FILE": str(path)}, Clock())
    for number in range(3):
        path.write_text(f"{path.read_text()}# {number}\n")
        assert any(watch.changed() for _ in range(4))
    assert len(logged(caplog, messages.CAMERAS_FILE_READABLE_BY_ALL)) == 1
    path.chmod(0o600)
    path.write_text('[door]\nurl = "rtsp://10.0.0.1/s"\n')
    assert any(watch.changed() for _ in range(4))
    assert len(logged(caplog, messages.CAMERAS_FILE_READABLE_BY_ALL)) == 1


def test_a_file_that_is_written_in_steps_is_taken_when_it_rests(tmp_path: Path) -> None:
    path = tmp_path / "cameras.toml"
    whole = "".join(f'[cam{number}]\nurl = "rtsp://10.0.0.{number}/s"\n' for number in range(1, 5))
    watch = CamerasWatch({"CAMERAS_FILE": str(path)}, Clock())
    for length in range(20, len(whole), 20):
        path.write_text(whole[:length])
        assert watch.changed() is None
    path.write_text(whole)
    assert [watch.changed() is None for _ in range(3)].count(False) == 1


def test_a_mounted_file_that_was_replaced_is_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "cameras.toml"
    path.write_text('[door]\nurl = "rtsp://10.0.0.1/s"\n')
    # what a container that mounts the file alone still sees: an inode without a name
    with path.open() as held:
        path.unlink()
        watch = CamerasWatch({"CAMERAS_FILE": f"/proc/{os.getpid()}/fd/{held.fileno()}"}, Clock())
        for _ in range(4):
            watch.changed()
    assert len(logged(caplog, messages.CAMERAS_FILE_REPLACED)) == 1
