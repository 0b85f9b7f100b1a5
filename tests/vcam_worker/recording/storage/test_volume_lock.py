"""One capture per volume: a second one names its holder, and leaves its files alone."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest

from devtools.ports import free_port
from shared_utils.contracts.clips import list_clips
from shared_utils.errors import VolumeInUse
from tests.support.network.cameras import camera_processes, capture, emulator
from tests.support.programs import Programs
from vcam_worker import messages
from vcam_worker.recording.storage.volume_lock import HOLDER_NAME, LOCK_NAME, VolumeLock

pytestmark = pytest.mark.slow


def test_a_second_capture_says_who_holds_the_volume_and_touches_nothing_and_a_killed_one_holds_nothing(
    programs: Programs, footage: Path, env: dict[str, str], video_dir: Path
) -> None:
    url = f"rtsp://127.0.0.1:{free_port()}/stream"
    emulator(programs, footage, url)
    first = capture(programs, env, url, CLIP_SECONDS="60")
    first.wait_for(messages.CLIP_STARTED)
    second = capture(programs, {**env, "HTTP_PORT": "0"}, url)
    assert second.wait() == 1
    who = f"host {socket.gethostname()}, process {first.process.pid}, since {holder(video_dir)['started']}"
    assert second.lines == [
        f"vcam_worker: VIDEO_DIR '{video_dir}' is in use by another capture ({who}): stop that one, or give this one a "
        "folder of its own"
    ]
    assert list_clips(video_dir) == []
    # only the supervisor: its camera closes the open clip, and until then the volume is held
    [camera] = camera_processes(first)
    camera.suspend()
    first.process.kill()
    first.process.wait()
    third = capture(programs, {**env, "HTTP_PORT": "0"}, url)
    with pytest.raises(VolumeInUse):
        VolumeLock(video_dir).take(wait_s=0)
    assert not third.count(messages.CAPTURE_STARTED)
    camera.resume()
    third.wait_for(messages.CAPTURE_STARTED)
    [clip] = list_clips(video_dir)
    third.wait_for(messages.CONNECTED)
    assert third.stop() == 0
    assert not third.count(messages.CLIP_RECOVERED)
    assert clip in list_clips(video_dir)


def holder(video_dir: Path) -> dict:
    return json.loads((video_dir / HOLDER_NAME).read_text())


def test_the_holder_may_be_unknown(tmp_path: Path) -> None:
    first = VolumeLock(tmp_path)
    first.take()
    (tmp_path / HOLDER_NAME).write_text("no json")
    with pytest.raises(VolumeInUse, match="it does not say where it runs"):
        VolumeLock(tmp_path).take()
    first.release()


def test_a_holder_elsewhere_is_not_waited_for(tmp_path: Path) -> None:
    first = VolumeLock(tmp_path)
    first.take()
    foreign = {
        "host": "elsewhere",
        "pid": 2**22 + 1,
        "container": "0123456789ab",
        "started": "2026-11-27T16:40:00+00:00",
    }
    (tmp_path / HOLDER_NAME).write_text(json.dumps(foreign))

    def sleep(_: float) -> None:
        raise AssertionError("nothing to wait for")

    with pytest.raises(VolumeInUse, match="host elsewhere, container 0123456789ab, process 4194305, since 2026-11-27T"):
        VolumeLock(tmp_path).take(sleep=sleep)
    first.release()


def test_what_a_crash_left_is_no_lock_and_nothing_is_left_after_a_stop(tmp_path: Path) -> None:
    (tmp_path / LOCK_NAME).touch()
    (tmp_path / HOLDER_NAME).write_text(json.dumps({"host": "elsewhere", "pid": 1}))
    lock = VolumeLock(tmp_path)
    lock.take()
    assert holder(tmp_path)["pid"] == os.getpid()
    lock.release()
    assert not (tmp_path / HOLDER_NAME).exists()
    VolumeLock(tmp_path).take()


def test_a_lock_file_that_is_deleted_is_made_again(tmp_path: Path) -> None:
    lock = VolumeLock(tmp_path)
    lock.take()
    (tmp_path / LOCK_NAME).unlink()
    assert lock.renew()
    with pytest.raises(VolumeInUse):
        VolumeLock(tmp_path).take()
    assert lock.renew()
    (tmp_path / LOCK_NAME).unlink()
    other = VolumeLock(tmp_path)
    other.take()
    assert not lock.renew()
    other.release()
    assert lock.renew()
