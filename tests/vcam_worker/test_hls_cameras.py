"""Capture as users run it, for cameras over HLS."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from devtools.log_lines import line_of
from devtools.ports import free_port
from shared_utils.contracts.clips import list_clips
from tests.support.footage.hls import LiveSite, cut, give, live
from tests.support.footage.video import moving_box, write_video
from tests.support.network.cameras import capture, emulator
from tests.support.programs import Programs
from vcam_worker import messages

pytestmark = pytest.mark.slow

CROSSES = 16.0, 16.9
"""When something crosses, seconds of the stream."""


def crossing(path: Path, width: int = 640) -> Path:
    """Write a minute in which something crosses once."""
    draw = moving_box(width, width * 9 // 16, *CROSSES, side=width // 10)
    return write_video(path, draw, seconds=60, gop=10)


def red_times(clip: Path) -> list[float]:
    """Return the times of a clip's frames in which the square is seen."""
    found = []
    with av.open(str(clip)) as container:
        for frame in container.decode(video=0):
            picture = frame.to_ndarray(format="bgr24").astype(np.int16)
            if ((picture[..., 2] > 180) & (picture[..., 1] < 110)).sum() > 100:
                found.append(frame.time)
    return found


def test_a_camera_over_hls_ends_in_clips_with_their_pre_roll(
    programs: Programs, env: dict[str, str], video_dir: Path, tmp_path: Path
) -> None:
    pieces = cut(crossing(tmp_path / "video.mp4"), tmp_path / "cut").pieces
    with live(LiveSite(pieces)) as site:
        program = capture(programs, env, f"http://{site.url}")
        program.wait_for(line_of(messages.CONNECTED, ".*", "h264 640×360 10 fps, hls, 3 s late"))
        program.wait_for(messages.CLIP_SAVED)
        assert program.stop() == 0
    [clip] = list_clips(video_dir)
    seen = red_times(clip)
    assert 0.9 <= seen[0] <= 2.2
    assert seen[-1] - seen[0] == pytest.approx(CROSSES[1] - CROSSES[0], abs=0.15)
    with av.open(str(clip)) as container:
        assert (container.duration or 0) / 1e6 == pytest.approx(4, abs=1.1)


def test_motion_by_a_sub_stream_over_hls(
    programs: Programs, env: dict[str, str], video_dir: Path, tmp_path: Path
) -> None:
    main = cut(crossing(tmp_path / "main.mp4"), tmp_path / "main").pieces
    sub = cut(crossing(tmp_path / "sub.mp4", 320), tmp_path / "sub").pieces
    cameras = tmp_path / "cameras.toml"
    with live(LiveSite(main)) as site, live(LiveSite(sub)) as small:
        small.began = site.began
        master = f"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=9,RESOLUTION=640x360\nhttp://{site.url}?main\n"
        site.overrides["/master"] = lambda _, call, __: give(call, master.encode())
        cameras.write_text(f'[yard]\nurl = "http://{site.here.url}/master"\ndetect_url = "http://{small.url}"\n')
        program = programs.python("-m", "vcam_worker", env={**env, "CAMERAS_FILE": str(cameras)})
        program.wait_for(line_of(messages.CONNECTED, ".*", ".*640×360.*hls.*"))
        program.wait_for(line_of(messages.CONNECTED, ".*", ".*320×180.*hls.*"))
        program.wait_for(messages.CLIP_SAVED)
        assert program.stop() == 0
    clip = list_clips(video_dir)[0]
    with av.open(str(clip)) as container:
        assert container.streams.video[0].width == 640
    assert len(red_times(clip)) >= 8


def test_hls_and_a_camera_without_its_delay_are_not_combined(
    programs: Programs, footage: Path, env: dict[str, str], tmp_path: Path
) -> None:
    pieces = cut(crossing(tmp_path / "video.mp4"), tmp_path / "cut").pieces
    sub = f"rtsp://127.0.0.1:{free_port()}/stream"
    emulator(programs, footage, sub)
    cameras = tmp_path / "cameras.toml"
    with live(LiveSite(pieces)) as site:
        cameras.write_text(f'[yard]\nurl = "http://{site.url}"\ndetect_url = "{sub}"\n')
        program = programs.python("-m", "vcam_worker", env={**env, "CAMERAS_FILE": str(cameras)})
        program.wait_for(messages.SUB_STREAM_OUT_OF_STEP)
        program.wait_for(messages.CLIP_SAVED)
        assert program.stop() == 0
    assert program.count(messages.SUB_STREAM_OUT_OF_STEP) == 1


def test_a_server_that_restarts_is_recorded_on(
    programs: Programs, env: dict[str, str], video_dir: Path, tmp_path: Path
) -> None:
    pieces = cut(crossing(tmp_path / "video.mp4"), tmp_path / "cut").pieces
    with live(LiveSite(pieces, lead=12)) as site:
        program = capture(programs, env, f"http://{site.url}")
        program.wait_for(messages.CLIP_SAVED)
        with live(LiveSite(pieces, lead=12, numbered_from=7000)) as again:
            site.overrides["/live.m3u8"] = lambda _, call, __: give(call, again.playlist.encode())
            site.pieces, site.began, site.lead = again.pieces, again.began, again.lead
            site.numbered_from = again.numbered_from
            program.wait_for(messages.CLIP_SAVED, count=2)
        assert program.stop() == 0
    assert program.count(messages.CONNECTED) == 1
    assert [len(red_times(clip)) >= 8 for clip in list_clips(video_dir)[:2]] == [True, True]
