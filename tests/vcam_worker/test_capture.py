"""Capture as users run it: a process of its own, against real cameras on real sockets."""

from __future__ import annotations

import signal
import socket
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import av
import psutil
import pytest

from devtools.log_lines import line_of, line_of_any
from devtools.ports import free_port
from devtools.redis_server import RedisServer
from shared_utils.contracts.clips import list_clips
from shared_utils.queue.jobs import clip_queue
from tests.support.footage.video import packet_times
from tests.support.network.cameras import camera_processes, capture, emulator, file_launch, gst_server
from tests.support.programs import Programs
from vcam_worker import messages

pytestmark = pytest.mark.slow

PASSWORD = "p@ss:w/ör d1"


def assert_playable(clip: Path) -> None:
    with av.open(str(clip)) as container:
        frames = [frame.key_frame for frame in container.decode(video=0)]
    assert frames[0]
    assert len(frames) >= 1


def job_names(server: RedisServer) -> list[str]:
    return [job.kwargs["filename"] for job in clip_queue(server.settings, server.connection()).jobs]


@pytest.mark.parametrize("scheme", ["rtsp", "http"])
def test_a_camera_ends_in_clips_and_jobs(
    programs: Programs, footage: Path, env: dict[str, str], video_dir: Path, redis_server: RedisServer, scheme: str
) -> None:
    path = "stream" if scheme == "rtsp" else "video"
    url = f"{scheme}://127.0.0.1:{free_port()}/{path}"
    emulator(programs, footage, url)
    program = capture(programs, env, url)
    program.wait_for(line_of(messages.CONNECTED, ".*", ".*(h264|mjpeg) 640×360.*", who="cam1"))
    program.wait_for(messages.CLIP_STARTED)
    name = program.wait_for(messages.CLIP_SAVED)[1]
    program.wait_for(line_of(messages.JOB_QUEUED, name))
    assert program.stop() == 0
    assert name in job_names(redis_server)
    for clip in list_clips(video_dir):
        assert_playable(clip)
    times = packet_times(video_dir / name)
    assert times[0] == 0
    assert times[-1] == pytest.approx(4, abs=1.1)
    assert list((video_dir / ".recording").iterdir()) == []
    assert list((video_dir / ".outbox").iterdir()) == []


def test_a_stop_publishes_and_queues_the_open_clip(
    programs: Programs, footage: Path, env: dict[str, str], video_dir: Path, redis_server: RedisServer
) -> None:
    url = f"rtsp://127.0.0.1:{free_port()}/stream"
    emulator(programs, footage, url)
    program = capture(programs, env, url, CLIP_SECONDS="60")
    program.wait_for(messages.CLIP_STARTED)
    began = time.monotonic()
    assert program.stop() == 0
    assert time.monotonic() - began < 10
    [clip] = list_clips(video_dir)
    assert_playable(clip)
    assert job_names(redis_server) == [clip.name]


def recorded_s(video_dir: Path) -> float:
    """Return how many seconds of the open clip are in its file."""
    parts = list(video_dir.glob(".recording/*.part"))
    with suppress(av.FFmpegError):
        return max((packet_times(part)[-1] for part in parts), default=0.0)
    return 0.0


def test_kill_in_mid_clip_loses_nothing_that_the_next_start_can_save(
    programs: Programs, footage: Path, env: dict[str, str], video_dir: Path, redis_server: RedisServer
) -> None:
    url = f"rtsp://127.0.0.1:{free_port()}/stream"
    emulator(programs, footage, url)
    program = capture(programs, env, url, CLIP_SECONDS="60")
    program.wait_for(messages.CLIP_STARTED)
    deadline = time.monotonic() + 30
    while recorded_s(video_dir) <= 2:  # more than a GOP
        assert time.monotonic() < deadline, program.text
        time.sleep(0.1)
    program.end()
    assert list_clips(video_dir) == []
    again = capture(programs, env, url)
    name = again.wait_for(messages.CLIP_RECOVERED)[1]
    again.wait_for(line_of(messages.JOB_QUEUED, name))
    assert_playable(video_dir / name)
    assert packet_times(video_dir / name)[-1] > 2
    assert again.stop() == 0
    assert job_names(redis_server).count(name) == 1


def test_a_camera_process_that_dies_is_started_again(programs: Programs, footage: Path, env: dict[str, str]) -> None:
    url = f"rtsp://127.0.0.1:{free_port()}/stream"
    emulator(programs, footage, url)
    program = capture(programs, env, url)
    program.wait_for(messages.CONNECTED)
    [child] = camera_processes(program)
    child.kill()
    program.wait_for(line_of(messages.CAMERA_PROCESS_ENDED, ".*signal SIGKILL.*"))
    program.wait_for(messages.CONNECTED, count=2)
    assert program.stop() == 0


def test_no_process_is_left_when_the_supervisor_is_killed(
    programs: Programs, footage: Path, env: dict[str, str]
) -> None:
    url = f"rtsp://127.0.0.1:{free_port()}/stream"
    emulator(programs, footage, url)
    program = capture(programs, env, url)
    program.wait_for(messages.CONNECTED)
    children = psutil.Process(program.process.pid).children(recursive=True)
    program.process.kill()
    gone, alive = psutil.wait_procs(children, timeout=10)
    assert gone
    assert alive == []


def test_an_unreachable_camera_is_logged_once_and_retried_until_it_is_back(
    programs: Programs, footage: Path, env: dict[str, str]
) -> None:
    url = f"rtsp://127.0.0.1:{free_port()}/stream"
    program = capture(programs, env, url, LOGLEVEL="DEBUG")
    program.wait_for(line_of(messages.NO_PICTURE, "127.0.0.1:.* refuses the connection.*RTSP_URL.*"))
    program.wait_for("next attempt in")
    emulator(programs, footage, url)
    program.wait_for(line_of(messages.CONNECTED_AGAIN, "picture"))
    assert program.stop() == 0
    assert program.count(messages.NO_PICTURE) == 1
    assert program.count(messages.CONNECTED_AGAIN) == 1


def test_a_camera_that_reboots_is_picked_up_again(programs: Programs, footage: Path, env: dict[str, str]) -> None:
    url = f"http://127.0.0.1:{free_port()}/video"
    camera = emulator(programs, footage, url)
    program = capture(programs, env, url)
    program.wait_for(messages.CONNECTED)
    camera.end()
    program.wait_for(messages.NO_PICTURE)
    emulator(programs, footage, url)
    program.wait_for(line_of(messages.CONNECTED_AGAIN, "picture"))
    program.wait_for(messages.CLIP_SAVED)
    assert program.stop() == 0


def test_tcp_and_a_password_that_shows_nowhere(
    programs: Programs, footage: Path, env: dict[str, str], video_dir: Path
) -> None:
    port = gst_server(programs, file_launch(footage), "--transport", "tcp", "--user", "cam", "--password", PASSWORD)
    url = f"rtsp://cam:{quote(PASSWORD, safe='')}@127.0.0.1:{port}/test"
    program = capture(programs, env, url, LOGLEVEL="DEBUG")
    program.wait_for(line_of(messages.CONNECTED, r"rtsp://\*\*\*@127.0.0.1.*", ".*tcp.*"))
    program.wait_for(messages.CLIP_SAVED)
    processes = [psutil.Process(program.process.pid), *psutil.Process(program.process.pid).children(recursive=True)]
    shown = program.text + " ".join(" ".join(one.cmdline()) for one in processes)
    program.stop()
    shown += program.text + " ".join(str(path) for path in video_dir.rglob("*"))
    for secret in (PASSWORD, quote(PASSWORD, safe=""), quote(PASSWORD), env["RDS_PSW"]):
        assert secret not in shown


def test_a_wrong_camera_password_is_reported_as_such(programs: Programs, footage: Path, env: dict[str, str]) -> None:
    port = gst_server(programs, file_launch(footage), "--user", "cam", "--password", PASSWORD)
    program = capture(programs, env, f"rtsp://cam:wrong-guess@127.0.0.1:{port}/test")
    program.wait_for(line_of(messages.NO_PICTURE, "wrong user name or password for .*check RTSP_URL.*"))
    assert program.stop() == 0
    assert "wrong-guess" not in program.text


def test_udp_from_another_server(programs: Programs, footage: Path, env: dict[str, str]) -> None:
    port = gst_server(programs, file_launch(footage), "--transport", "udp")
    program = capture(programs, env, f"rtsp://127.0.0.1:{port}/test")
    program.wait_for(line_of_any(messages.CONNECTED, messages.CONNECTED_AGAIN) + ".*udp")
    program.wait_for(messages.CLIP_SAVED)
    assert program.stop() == 0


def test_without_redis_recording_goes_on(
    programs: Programs, footage: Path, env: dict[str, str], redis_server: RedisServer, video_dir: Path
) -> None:
    redis_server.stop()
    url = f"rtsp://127.0.0.1:{free_port()}/stream"
    emulator(programs, footage, url)
    program = capture(programs, env, url)
    program.wait_for(messages.REDIS_UNREACHABLE)
    name = program.wait_for(messages.CLIP_SAVED)[1]
    redis_server.start()
    program.wait_for(line_of(messages.JOB_QUEUED, name))
    assert program.stop() == 0
    assert job_names(redis_server)[0] == name


def test_a_file_is_recorded_once_at_its_own_pace(
    programs: Programs, footage: Path, env: dict[str, str], video_dir: Path
) -> None:
    began = time.monotonic()
    program = capture(programs, env, str(footage))
    assert program.wait(120) == 0
    assert time.monotonic() - began > 7
    [clip] = list_clips(video_dir)
    assert_playable(clip)


def test_two_cameras_by_a_file(programs: Programs, footage: Path, env: dict[str, str], tmp_path: Path) -> None:
    urls = [f"http://127.0.0.1:{free_port()}/video" for _ in range(2)]
    for url in urls:
        emulator(programs, footage, url)
    cameras = tmp_path / "cameras.toml"
    cameras.write_text(
        f'[door]\nurl = "{urls[0]}"\n[yard]\nurl = "{urls[1]}"\nmotion_fps = 4\n'
        f'[off]\nurl = "{urls[0]}"\nenabled = false\n'
    )
    program = programs.python("-m", "vcam_worker", env={**env, "CAMERAS_FILE": str(cameras)})
    program.wait_for(line_of(messages.CAPTURE_STARTED, "door, yard"))
    program.wait_for(line_of(messages.CLIP_SAVED, r"\S+-door.mp4"))
    program.wait_for(line_of(messages.CLIP_SAVED, r"\S+-yard.mp4"))
    assert program.stop() == 0


def test_a_second_signal_stops_at_once(programs: Programs, env: dict[str, str]) -> None:
    with socket.socket() as silent:  # accepts, and says nothing
        silent.bind(("127.0.0.1", 0))
        silent.listen(5)
        program = capture(programs, env, f"rtsp://127.0.0.1:{silent.getsockname()[1]}/x")
        program.wait_for(messages.CAPTURE_STARTED)
        program.process.send_signal(signal.SIGTERM)
        program.process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        program.wait()
        assert time.monotonic() - began < 3


WRONG = {
    "no address": ({"RTSP_URL": ""}, "RTSP_URL is not set"),
    "a scheme we do not know": ({"RTSP_URL": "ftp://camera/x"}, "RTSP_URL begins with ftp"),
    "no such file": ({"RTSP_URL": "/nowhere/film.mp4"}, "RTSP_URL is '/nowhere/film.mp4', neither"),
    "a password without a host": ({"RTSP_URL": "rtsp://u:a/geheim@:554/1"}, "RTSP_URL has no usable host"),
    "an address without its scheme": ({"RTSP_URL": "u:geheim@camera:554/1"}, "RTSP_URL is 'camera:554/1', neither"),
    "a time zone that nobody knows": ({"TZ": "Europe/Atlantis"}, "TZ is 'Europe/Atlantis'"),
    "a name with a slash": ({"CAMERA_NAME": "../x"}, "CAMERA_NAME is '../x'"),
    "words for a number": ({"CLIP_SECONDS": "half a minute"}, "CLIP_SECONDS is 'half a minute'"),
    "nan": ({"MOTION_FPS": "nan"}, "MOTION_FPS is 'nan'"),
    "a pre-roll beyond the clip": ({"PRE_ROLL_SECONDS": "20", "CLIP_SECONDS": "10"}, "PRE_ROLL_SECONDS is 20"),
    "a port out of range": ({"RDS_PORT": "70000"}, "RDS_PORT is '70000'"),
    "a wrong Redis password": ({"RDS_PSW": "not-the-secret"}, "RDS_PSW is not accepted"),
    "no Redis password": ({"RDS_PSW": ""}, "RDS_PSW"),
    "a folder that cannot be": ({"VIDEO_DIR": "/proc/nowhere"}, "VIDEO_DIR is '/proc/nowhere'"),
    "a transport we do not know": ({"RTSP_TRANSPORT": "pigeon"}, "RTSP_TRANSPORT is 'pigeon'"),
    "a level we do not know": ({"LOGLEVEL": "LOUD"}, "LOGLEVEL is 'LOUD'"),
    "no such cameras file": ({"CAMERAS_FILE": "/nowhere.toml"}, "CAMERAS_FILE '/nowhere.toml' cannot be read"),
}


@pytest.mark.parametrize(("changes", "message"), WRONG.values(), ids=WRONG.keys())
def test_wrong_settings_are_one_line_and_exit_2(
    programs: Programs, env: dict[str, str], changes: dict[str, str], message: str
) -> None:
    program = programs.python("-m", "vcam_worker", env={**env, "RTSP_URL": "rtsp://127.0.0.1:9/x", **changes})
    assert program.wait() == 2
    [line] = program.lines
    assert line.startswith(f"vcam_worker: {message}")
    assert "geheim" not in line
    assert "not-the-secret" not in line


def test_quotes_around_values_are_stripped(programs: Programs, footage: Path, env: dict[str, str]) -> None:
    program = capture(programs, env, f'"{footage}"', CAMERA_NAME="'yard'")
    program.wait_for(line_of(messages.CONNECTED, who="yard"))
    assert program.stop() == 0


def test_json_lines_on_demand(programs: Programs, footage: Path, env: dict[str, str]) -> None:
    program = capture(programs, env, str(footage), LOG_FORMAT="json")
    program.wait_for(r'"camera": "cam1"')
    assert program.stop() == 0
    assert all(line.startswith("{") for line in program.lines)


def test_a_file_that_is_no_video_is_reported(programs: Programs, env: dict[str, str], tmp_path: Path) -> None:
    text = tmp_path / "notes.mp4"
    text.write_text("no video\n" * 100)
    program = capture(programs, env, str(text))
    program.wait_for(line_of(messages.NO_PICTURE, "RTSP_URL: .*notes.mp4 cannot be opened as video.*"))
    assert program.stop() == 0


def test_replay_prints_one_line_per_clip(programs: Programs, footage: Path) -> None:
    program = programs.python(
        "-m", "vcam_worker", "replay", str(footage), env={"CLIP_SECONDS": "4", "PRE_ROLL_SECONDS": "1"}
    )
    assert program.wait() == 0
    [line] = program.lines
    assert '"filename": "footage.mp4"' in line
    assert '"trigger_s": 4.' in line


def test_replay_of_no_file(programs: Programs) -> None:
    program = programs.python("-m", "vcam_worker", "replay", "/nowhere.mp4")
    assert program.wait() == 2
    assert program.lines == ["vcam_worker: replay: no such file: /nowhere.mp4"]
