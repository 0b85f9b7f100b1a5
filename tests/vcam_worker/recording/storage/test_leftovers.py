"""What renamed, removed and switched-off cameras left is published and queued under the name it was recorded with."""

from __future__ import annotations

import errno
import logging
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from devtools.log_lines import line_of
from devtools.ports import free_port
from devtools.redis_server import RedisServer
from shared_utils.contracts.clips import list_clips
from shared_utils.log import camera_logger
from shared_utils.queue.jobs import clip_queue
from tests.support.footage.video import moving_box, packet_times, write_video
from tests.support.log_lines import logged
from tests.support.programs import Programs
from vcam_worker import messages
from vcam_worker.recording.storage.leftovers import Leftovers
from vcam_worker.recording.storage.outbox import Outbox
from vcam_worker.recording.storage.queue_sender import redis_enqueue
from vcam_worker.recording.storage.volume import Volume

START = datetime(2026, 2, 23, 14, 48, 19, 250000).astimezone()
NAMES = ["door", "Door", "front-door", "door_2", "x" * 32]


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_video(tmp_path / "in.mp4", moving_box(), seconds=4)


def leave(video_dir: Path, camera: str, clip: Path) -> list[str]:
    """Leave an open clip, a finished one that is not in its place, and one that was not queued; return their names."""
    video_dir.mkdir(exist_ok=True)
    outbox = Outbox(video_dir, camera, camera_logger("test", camera), lambda *_: True)
    later = START + timedelta(minutes=1)
    work = outbox.work_path(later)
    work.write_bytes(clip.read_bytes())
    queued = outbox.publish(work, later)
    outbox.work_path(START).write_bytes(clip.read_bytes())
    return [f"20260223-144819-{camera}.mp4", queued]


def job_names(server: RedisServer) -> list[str]:
    return [job.kwargs["filename"] for job in clip_queue(server.settings, server.connection()).jobs]


def test_a_camera_that_is_renamed_while_capture_is_down_loses_nothing(
    programs: Programs, env: dict[str, str], video_dir: Path, clip: Path, redis_server: RedisServer, tmp_path: Path
) -> None:
    names = [name for camera in NAMES for name in leave(video_dir, camera, clip)]
    stranger = video_dir / ".recording" / "what is this.part"
    stranger.write_text("none of ours")
    cameras = tmp_path / "cameras.toml"
    url = f"rtsp://127.0.0.1:{free_port()}/stream"
    # front-door is still there, and recovers its own; Door was given another name, the others are gone or off
    cameras.write_text(f'[front-door]\nurl = "{url}"\n[gate]\nurl = "{url}"\n[door]\nurl = "{url}"\nenabled = false\n')
    program = programs.python("-m", "vcam_worker", env={**env, "CAMERAS_FILE": str(cameras)})
    for name in names:
        program.wait_for(line_of(messages.JOB_QUEUED, name))
    assert program.stop() == 0
    program.wait_for(line_of(messages.LEFTOVERS_FOUND, "Door", "1", "1"))
    program.wait_for(line_of(messages.FOREIGN_FILE, ".*what is this.part.*"))
    assert program.count(messages.LEFTOVERS_FOUND) == len(NAMES) - 1
    assert program.count(messages.FOREIGN_FILE) == 1
    assert sorted(job_names(redis_server)) == sorted(names)
    assert sorted(path.name for path in list_clips(video_dir)) == sorted(names)
    assert list((video_dir / ".outbox").iterdir()) == []
    assert list((video_dir / ".recording").iterdir()) == [stranger]
    assert len(packet_times(video_dir / names[0])) == 40


def test_a_camera_that_is_removed_while_capture_runs_with_redis_away(
    programs: Programs, env: dict[str, str], video_dir: Path, footage: Path, redis_server: RedisServer, tmp_path: Path
) -> None:
    redis_server.stop()
    cameras = tmp_path / "cameras.toml"
    kept = f'[yard]\nurl = "rtsp://127.0.0.1:{free_port()}/stream"\n'
    cameras.write_text(f'{kept}[door]\nurl = "{footage}"\n')
    program = programs.python("-m", "vcam_worker", env={**env, "CAMERAS_FILE": str(cameras)})
    name = program.wait_for(messages.CLIP_SAVED)[1]
    cameras.write_text(kept)
    program.wait_for(line_of(messages.LEFTOVERS_FOUND, "door"))
    redis_server.start()
    program.wait_for(line_of(messages.JOB_QUEUED, name))
    assert program.stop() == 0


def test_what_an_active_camera_has_is_left_alone(
    tmp_path: Path, clip: Path, redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    leave(tmp_path, "door", clip)
    active = ["door"]
    leftovers = Leftovers(
        Volume(tmp_path), lambda: active, redis_enqueue(redis_server.settings, redis_server.connection())
    )
    leftovers.scan()
    assert job_names(redis_server) == []
    active.clear()
    with caplog.at_level(logging.INFO):
        leftovers.scan()
        leftovers.scan()
    assert len(job_names(redis_server)) == 2
    assert len(logged(caplog, messages.LEFTOVERS_FOUND)) == 1


def test_a_camera_whose_files_cannot_be_taken_over_does_not_stop_others(tmp_path: Path, clip: Path) -> None:
    broken, _ = leave(tmp_path, "a", clip), leave(tmp_path, "b", clip)
    sent: list[str] = []

    def enqueue(name: str, _: str | None) -> bool:
        if name in broken:
            raise OSError(errno.EIO, "a bad sector")
        sent.append(name)
        return True

    leftovers = Leftovers(Volume.at(tmp_path), list, enqueue)
    with pytest.raises(OSError, match="a bad sector"):
        leftovers.scan()
    assert len(sent) == 2


def test_without_a_lock_a_file_that_may_be_anothers_must_not_have_grown(tmp_path: Path, clip: Path) -> None:
    leave(tmp_path, "door", clip)
    leftovers = Leftovers(Volume(tmp_path), list, lambda *_: True, settle_s=0.01)
    leftovers.scan()
    [work] = (tmp_path / ".recording").iterdir()
    with work.open("ab") as file:
        file.write(bytes(10))
    leftovers.scan()
    assert work.exists()
    while work.exists():
        leftovers.scan()
    assert len(list_clips(tmp_path)) == 2
