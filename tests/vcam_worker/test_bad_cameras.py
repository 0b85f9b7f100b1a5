"""What cameras do to a recorder: other codecs, sound, loss, silence, and changes in mid-stream."""

from __future__ import annotations

import signal
import socket
import time
from pathlib import Path
from typing import Any

import av
import pytest

from devtools.log_lines import line_of
from devtools.ports import free_port
from devtools.rtsp.camera import RtspCamera, Send
from devtools.rtsp.rtp import access_units, nal_units, parameter_sets
from shared_utils.config.cameras import MotionSettings
from shared_utils.contracts.clips import list_clips
from tests.support.footage.video import moving_box, packet_times, write_video
from tests.support.network.cameras import camera_processes, capture, emulator, file_launch, gst_server
from tests.support.network.hosts import Call, host, jpeg
from tests.support.programs import Programs
from vcam_worker import messages
from vcam_worker.recording.clip_logic import ClipRules
from vcam_worker.replay import replay

pytestmark = pytest.mark.slow

LIVE_SOUND = "audiotestsrc is-live=true ! audioconvert ! audioresample !"


def streams(clip: Path) -> dict[str, str]:
    with av.open(str(clip)) as container:
        return {stream.type: stream.codec_context.name for stream in container.streams}


def first_clip(video_dir: Path) -> Path:
    return list_clips(video_dir)[0]


def test_h265_is_recorded_as_it_is(programs: Programs, tmp_path: Path, env: dict[str, str], video_dir: Path) -> None:
    options = {"x265-params": "bframes=0:log-level=none:keyint=10"}
    footage = write_video(
        tmp_path / "h265.mp4", moving_box(start_s=4, end_s=4.9), seconds=12, codec="libx265", options=options
    )
    port = gst_server(programs, file_launch(footage, "h265"))
    program = capture(programs, env, f"rtsp://127.0.0.1:{port}/test")
    program.wait_for(line_of(messages.CONNECTED, ".*", ".*hevc 640×360.*"))
    program.wait_for(messages.CLIP_SAVED)
    assert program.stop() == 0
    assert streams(first_clip(video_dir)) == {"video": "hevc"}


def test_sound_that_mp4_holds_is_kept(programs: Programs, footage: Path, env: dict[str, str], video_dir: Path) -> None:
    launch = f"{file_launch(footage)} {LIVE_SOUND} opusenc ! rtpopuspay name=pay1 pt=97"
    program = capture(programs, env, f"rtsp://127.0.0.1:{gst_server(programs, launch)}/test")
    program.wait_for(line_of(messages.CONNECTED, ".*", ".*sound opus.*"))
    program.wait_for(messages.CLIP_SAVED)
    assert program.stop() == 0
    clip = first_clip(video_dir)
    assert streams(clip) == {"video": "h264", "audio": "opus"}
    with av.open(str(clip)) as container:
        blocks = [packet for packet in container.demux(audio=0) if packet.size]
    seconds = len(blocks) * 0.02
    assert seconds == pytest.approx(packet_times(clip)[-1], abs=1.0)


def test_sound_that_mp4_does_not_hold_is_left_out_and_logged(
    programs: Programs, footage: Path, env: dict[str, str], video_dir: Path
) -> None:
    launch = f"{file_launch(footage)} {LIVE_SOUND} alawenc ! rtppcmapay name=pay1 pt=8"
    program = capture(programs, env, f"rtsp://127.0.0.1:{gst_server(programs, launch)}/test")
    program.wait_for(line_of(messages.STREAM_LEFT_OUT, "sound .*pcm_alaw.*"))
    program.wait_for(messages.CLIP_SAVED)
    assert program.stop() == 0
    assert streams(first_clip(video_dir)) == {"video": "h264"}


def test_a_kill_costs_one_gop_where_sound_is_announced_and_never_comes(
    programs: Programs, footage: Path, env: dict[str, str], video_dir: Path
) -> None:
    units = access_units(footage)
    pictures = [Send(at / 10, "video", units[at % len(units)][0], at * 9000) for at in range(600)]
    with RtspCamera(lambda: pictures, parameter_sets(nal_units(units[0][0]))) as camera:
        program = capture(programs, env, camera.url, CLIP_SECONDS="60")
        program.wait_for(line_of(messages.CONNECTED, ".*", ".*sound aac.*"))
        program.wait_for(messages.CLIP_STARTED)
        deadline = time.monotonic() + 60
        while not any(part.stat().st_size > 50_000 for part in video_dir.glob(".recording/*.part")):
            assert time.monotonic() < deadline, "nothing reaches the disk"
            time.sleep(0.1)
        program.end()
        again = capture(programs, env, camera.url)
        name = again.wait_for(messages.CLIP_RECOVERED)[1]
        assert again.stop() == 0
    assert streams(video_dir / name) == {"video": "h264"}
    assert len(packet_times(video_dir / name)) >= 20


def test_lost_rtp_packets_cost_pictures_not_the_clip(
    programs: Programs, footage: Path, env: dict[str, str], video_dir: Path
) -> None:
    launch = file_launch(footage).replace("name=pay0 ", "") + " ! identity name=pay0 drop-probability=0.03"
    port = gst_server(programs, launch, "--transport", "udp")
    program = capture(programs, env, f"rtsp://127.0.0.1:{port}/test", RTSP_TRANSPORT="udp")
    program.wait_for(line_of(messages.CONNECTED, ".*", ".*udp.*"))
    program.wait_for(messages.CLIP_SAVED)
    assert program.stop() == 0
    times = packet_times(first_clip(video_dir))
    assert times[-1] == pytest.approx(4, abs=1.2)


def test_a_camera_that_falls_silent_is_noticed_and_picked_up_again(
    programs: Programs, footage: Path, env: dict[str, str]
) -> None:
    url = f"http://127.0.0.1:{free_port()}/video"
    camera = emulator(programs, footage, url)
    program = capture(programs, env, url)
    program.wait_for(messages.CONNECTED)
    camera.process.send_signal(signal.SIGSTOP)  # its connections stay open, nothing comes any more
    program.wait_for(line_of(messages.NO_PICTURE, "no packet for 1[45] s.*"), 40)
    camera.process.send_signal(signal.SIGCONT)
    program.wait_for(line_of(messages.CONNECTED_AGAIN, "picture"), 60)
    assert program.stop() == 0


def test_a_server_that_accepts_and_says_nothing(programs: Programs, env: dict[str, str]) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(5)
        program = capture(programs, env, f"rtsp://127.0.0.1:{silent.getsockname()[1]}/x", RTSP_TRANSPORT="tcp")
        program.wait_for(line_of(messages.NO_PICTURE, ".* accepts the connection, but sends nothing.*"), 40)
        assert program.stop() == 0


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (
            "rtsp://no-such-camera.invalid/1",
            "the name 'no-such-camera.invalid' is not known: .*RTSP_URL",
        ),
        ("http://127.0.0.1:9/video", "127.0.0.1:9 refuses the connection: is the camera on"),
    ],
)
def test_an_address_that_leads_nowhere(programs: Programs, env: dict[str, str], url: str, message: str) -> None:
    program = capture(programs, env, url)
    program.wait_for(line_of(messages.NO_PICTURE, f"{message}.*"))
    assert program.stop() == 0


def test_a_path_the_camera_does_not_have(programs: Programs, footage: Path, env: dict[str, str]) -> None:
    port = gst_server(programs, file_launch(footage))
    program = capture(programs, env, f"rtsp://127.0.0.1:{port}/nowhere")
    program.wait_for(line_of(messages.NO_PICTURE, ".*has no such stream: check the path in RTSP_URL.*"))
    assert program.stop() == 0


def test_motion_by_a_sub_stream_while_the_main_stream_is_recorded(
    programs: Programs, footage: Path, env: dict[str, str], tmp_path: Path, video_dir: Path
) -> None:
    small = write_video(
        tmp_path / "small.mp4", moving_box(width=320, height=180, start_s=4, end_s=4.9, side=30), seconds=8, gop=10
    )
    main, sub = (f"rtsp://127.0.0.1:{free_port()}/stream" for _ in range(2))
    emulator(programs, footage, main)
    emulator(programs, small, sub)
    cameras = tmp_path / "cameras.toml"
    cameras.write_text(f'[yard]\nurl = "{main}"\ndetect_url = "{sub}"\n')
    program = programs.python("-m", "vcam_worker", env={**env, "CAMERAS_FILE": str(cameras)})
    program.wait_for(line_of(messages.CONNECTED, ".*", ".*640×360.*"))
    program.wait_for(line_of(messages.CONNECTED, ".*", ".*320×180.*"))
    program.wait_for(messages.CLIP_SAVED, count=2)
    assert program.stop() == 0
    with av.open(str(first_clip(video_dir))) as clip:
        assert clip.streams.video[0].width == 640


def test_without_its_sub_stream_a_camera_is_watched_all_the_same(
    programs: Programs, footage: Path, env: dict[str, str], tmp_path: Path
) -> None:
    main = f"rtsp://127.0.0.1:{free_port()}/stream"
    emulator(programs, footage, main)
    cameras = tmp_path / "cameras.toml"
    cameras.write_text(f'[yard]\nurl = "{main}"\ndetect_url = "rtsp://127.0.0.1:{free_port()}/sub"\n')
    program = programs.python("-m", "vcam_worker", env={**env, "CAMERAS_FILE": str(cameras)})
    program.wait_for(line_of(messages.NO_SUB_STREAM, ".*detect_url of .yard. .*"))
    program.wait_for(messages.CLIP_SAVED)
    assert program.stop() == 0


@pytest.mark.parametrize("codec", ["h264", "hevc", "mjpeg"])
def test_a_change_of_resolution_closes_the_clip_and_starts_a_new_one(tmp_path: Path, codec: str) -> None:
    encoder = {"h264": "libx264", "hevc": "libx265", "mjpeg": "mjpeg"}[codec]
    options = {"x265-params": "bframes=0:log-level=none:keyint=10"} if codec == "hevc" else None
    raw = tmp_path / f"in.{codec if codec != 'mjpeg' else 'mjpg'}"
    with raw.open("wb") as joined:
        for number, (width, height) in enumerate([(640, 360), (320, 180)]):
            part = write_video(
                tmp_path / f"part{number}.{codec if codec != 'mjpeg' else 'mjpg'}",
                moving_box(width=width, height=height, start_s=3 - 3 * number, end_s=8, side=width // 8),
                seconds=8,
                fps=25,
                gop=25,
                codec=encoder,
                options=options,
            )
            joined.write(part.read_bytes())
    lines: list[dict[str, Any]] = []
    (tmp_path / "out").mkdir()
    rules = ClipRules(clip_seconds=30, pre_roll_seconds=1)
    replay(raw, MotionSettings(), rules, lines.append, tmp_path / "out")
    sizes = []
    for line in lines:
        with av.open(line["clip"]) as clip:
            sizes.append({(frame.width, frame.height) for frame in clip.decode(video=0)})
    assert sizes == [{(640, 360)}, {(320, 180)}]
    assert lines[0]["end_s"] == lines[1]["start_s"] == pytest.approx(8, abs=0.1)


def test_mjpeg_without_timestamps_plays_in_real_time(programs: Programs, env: dict[str, str], video_dir: Path) -> None:
    """Measured against what was really sent: a busy machine sends no steady ten pictures per second."""
    draw = moving_box(start_s=4, end_s=6)
    pictures = [jpeg(draw(number / 10)) for number in range(80)]
    sent: list[float] = []

    def behave(call: Call) -> None:
        call.request()
        call.answer("200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame")
        sent.clear()
        began = time.monotonic()
        for number in range(2000):
            picture = pictures[number % len(pictures)]
            call.send(f"--frame\r\nContent-Length: {len(picture)}\r\n\r\n", picture, "\r\n")
            sent.append(time.monotonic())
            time.sleep(max(0.0, began + (number + 1) / 10 - time.monotonic()))

    with host(behave) as here:
        program = capture(programs, env, f"http://{here.url}/video", CLIP_SECONDS="10")
        program.wait_for(messages.CLIP_SAVED, seconds=90)
        assert program.stop() == 0
    times = packet_times(first_clip(video_dir))
    length = len(times) - 1
    assert length > 50
    spans = [after - before for before, after in zip(sent, sent[length:], strict=False)]
    assert min(abs(times[-1] - times[0] - span) for span in spans) < 0.1


def test_a_camera_process_that_hangs_is_killed_and_started_again(
    programs: Programs, footage: Path, env: dict[str, str]
) -> None:
    url = f"http://127.0.0.1:{free_port()}/video"
    emulator(programs, footage, url)
    impatient = (
        "import sys; import vcam_worker.runtime.supervisor as supervisor; supervisor.HANG_S = 12; "
        "from vcam_worker.__main__ import main; sys.exit(main())"
    )
    program = programs.python("-c", impatient, env={**env, "RTSP_URL": url})
    program.wait_for(messages.CONNECTED)
    [child] = camera_processes(program)
    child.suspend()
    program.wait_for(line_of(messages.CAMERA_PROCESS_SILENT, "12"))  # on a busy machine a process takes 10 s to start
    program.wait_for(messages.CONNECTED, seconds=90, count=2)
    assert program.stop() == 0


def test_by_keyframes_alone_motion_is_still_found(tmp_path: Path) -> None:
    video = write_video(tmp_path / "in.mp4", moving_box(start_s=8, end_s=14), seconds=30, gop=20)
    lines: list[dict[str, Any]] = []
    replay(video, MotionSettings(decode="keyframes"), ClipRules(10, 3), lines.append, None)
    assert lines[0]["start_s"] <= 8 - 3
    assert 8 <= lines[0]["trigger_s"] <= 10


def test_a_read_that_hangs_in_the_library_ends_the_process(
    programs: Programs, footage: Path, env: dict[str, str]
) -> None:
    """The hang is made up: no real camera gets past the video library's own timeouts at will."""
    url = f"http://127.0.0.1:{free_port()}/video"
    emulator(programs, footage, url)
    hanging = (
        "import sys, threading, time, multiprocessing\n"
        "import vcam_worker.stream.feed as feed, vcam_worker.stream.opening as opening\n"
        "import vcam_worker.runtime.camera.process as process\n"
        "feed.HANG_S = 2\n"
        "opening.connect = lambda *_, **__: time.sleep(1000)\n"
        "from shared_utils.config.log import LogSettings\n"
        "from vcam_worker.settings import read_settings\n"
        "import os\n"
        "settings = read_settings(os.environ)\n"
        "ours, theirs = multiprocessing.Pipe()\n"
        "threading.Thread(target=lambda: [ours.recv() for _ in iter(int, 1)], daemon=True).start()\n"
        "process.run_camera(settings.cameras[0], settings, theirs)\n"
    )
    program = programs.python("-c", hanging, env={**env, "RTSP_URL": url})
    assert program.wait() == 1
    program.wait_for(messages.CONNECTION_HANGS)
