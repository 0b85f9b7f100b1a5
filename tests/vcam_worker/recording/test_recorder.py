"""Clips as they are written: bit for bit, right in time, whole after a crash."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from shared_utils.config.cameras import Camera, MotionSettings
from shared_utils.errors import SourceError
from shared_utils.media.bitstream.nal_units import join_units
from tests.support.footage.units import encode
from tests.support.footage.video import moving_box, packet_times, write_video
from tests.support.network.rtsp_units import UnitScript, serve_units
from vcam_worker.recording.clip_logic import ClipRules
from vcam_worker.recording.clip_writer import STARTED_AT_KEY, ClipWriter, repair
from vcam_worker.replay import replay as replay_file
from vcam_worker.stream.opening import connect
from vcam_worker.stream.packets import Packet

MOTION = MotionSettings(fps=5, min_area=0.005)


def payloads(path: Path, kind: str = "video") -> list[bytes]:
    with av.open(str(path)) as container:
        stream = (container.streams.video if kind == "video" else container.streams.audio)[0]
        return [bytes(packet) for packet in container.demux(stream) if packet.size]


def run(path: Path, out: Path, **rules: float) -> list[dict[str, Any]]:
    out.mkdir(exist_ok=True)
    lines: list[dict[str, Any]] = []
    replay_file(path, MOTION, ClipRules(**rules), lines.append, out)
    return lines


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_packets_are_copied_bit_for_bit(tmp_path: Path, codec: str) -> None:
    options = {"x265-params": "bframes=0:log-level=none:keyint=10"} if codec == "libx265" else None
    video = write_video(tmp_path / "in.mp4", moving_box(), codec=codec, seconds=14, options=options)
    [line] = run(video, tmp_path / "out", clip_seconds=6, pre_roll_seconds=2)
    source, clip = payloads(video), payloads(Path(line["clip"]))
    first = round(line["start_s"] * 10)
    assert len(clip) == 60
    assert clip == source[first : first + len(clip)]


def test_sound_is_kept(tmp_path: Path) -> None:
    silent = write_video(tmp_path / "silent.mp4", moving_box(), seconds=14)
    video = tmp_path / "sound.mp4"
    with av.open(str(silent)) as source, av.open(str(video), "w") as output:
        stream = output.add_stream_from_template(source.streams.video[0])
        sound = output.add_stream("aac", rate=16000)
        sound.layout = "mono"
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                output.mux(packet)
        for i in range(14 * 16000 // 1024):
            frame = av.AudioFrame(format="fltp", layout="mono", samples=1024)
            frame.planes[0].update(bytes(4096))
            frame.sample_rate, frame.pts, frame.time_base = 16000, i * 1024, Fraction(1, 16000)
            output.mux(sound.encode(frame))
        output.mux(sound.encode(None))
    [line] = run(video, tmp_path / "out", clip_seconds=6, pre_roll_seconds=2)
    blocks = payloads(Path(line["clip"]), "audio")
    assert set(blocks) <= set(payloads(video, "audio"))
    assert len(blocks) * 1024 / 16000 == pytest.approx(6, abs=0.3)


def test_a_clip_begins_at_a_keyframe_with_its_pre_roll_and_has_its_length(tmp_path: Path) -> None:
    video = write_video(tmp_path / "in.mp4", moving_box(start_s=12, end_s=14), seconds=30, gop=20)
    [line] = run(video, tmp_path / "out", clip_seconds=10, pre_roll_seconds=3)
    assert 12.0 <= line["trigger_s"] <= 12.5
    assert line["start_s"] % 2 == pytest.approx(0, abs=0.01)  # GOPs are 2 s long
    assert 3 <= line["trigger_s"] - line["start_s"] <= 3 + 2
    assert 10 <= line["end_s"] - line["start_s"] <= 12
    with av.open(line["clip"]) as clip:
        assert next(clip.demux(video=0)).is_keyframe
        assert clip.metadata[STARTED_AT_KEY].startswith("2000-01-01T")
    with av.open(line["clip"]) as clip:
        assert sum(1 for _ in clip.decode(video=0)) == 100


def test_motion_that_goes_on_continues_without_a_packet_lost_or_doubled(tmp_path: Path) -> None:
    video = write_video(tmp_path / "in.mp4", moving_box(start_s=4, end_s=25), seconds=34, gop=15)
    lines = run(video, tmp_path / "out", clip_seconds=6, pre_roll_seconds=1)
    assert len(lines) >= 3
    for before, after in itertools.pairwise(lines):
        assert after["start_s"] == before["end_s"]
    source = payloads(video)
    together = [data for line in lines for data in payloads(Path(line["clip"]))]
    first = round(lines[0]["start_s"] * 10)
    assert together == source[first : first + len(together)]


@pytest.mark.parametrize("fps", [5, 10, 12.5, 25, 30])
def test_playing_time_is_real_time(tmp_path: Path, fps: float) -> None:
    video = write_video(tmp_path / "in.mp4", moving_box(), seconds=16, fps=fps, gop=round(fps))
    [line] = run(video, tmp_path / "out", clip_seconds=8, pre_roll_seconds=2)
    times = packet_times(Path(line["clip"]))
    assert times[-1] - times[0] + 1 / fps == pytest.approx(8, rel=0.01)


def test_a_rate_that_varies_keeps_every_time(tmp_path: Path) -> None:
    times, at = [], 0.0
    while at < 16:
        times.append(at)
        at += 0.04 if int(at) % 2 else 0.2
    video = write_video(tmp_path / "in.mp4", moving_box(), times=times, gop=5)
    [line] = run(video, tmp_path / "out", clip_seconds=8, pre_roll_seconds=2)
    kept = packet_times(Path(line["clip"]))
    expected = [one - line["start_s"] for one in times if line["start_s"] - 1e-6 <= one]
    assert kept == pytest.approx(expected[: len(kept)], abs=0.002)


def test_other_codecs_become_h264_at_their_own_times(tmp_path: Path) -> None:
    video = write_video(tmp_path / "in.avi", moving_box(), seconds=14, codec="mjpeg")
    [line] = run(video, tmp_path / "out", clip_seconds=6, pre_roll_seconds=2)
    with av.open(line["clip"]) as clip:
        assert clip.streams.video[0].codec_context.name == "h264"
        assert sum(1 for _ in clip.decode(video=0)) == 60
    assert packet_times(Path(line["clip"]))[-1] == pytest.approx(5.9, abs=0.05)


def test_odd_sides_are_encoded_all_the_same(tmp_path: Path) -> None:
    video = write_video(tmp_path / "in.avi", moving_box(width=321, height=181), seconds=14, codec="mjpeg")
    [line] = run(video, tmp_path / "out", clip_seconds=6, pre_roll_seconds=2)
    with av.open(line["clip"]) as clip:
        assert (clip.streams.video[0].width, clip.streams.video[0].height) == (320, 180)


def test_replay_is_deterministic(tmp_path: Path) -> None:
    video = write_video(tmp_path / "in.mp4", moving_box(), seconds=14)
    rules = {"clip_seconds": 6, "pre_roll_seconds": 2}
    [first], [second] = run(video, tmp_path / "a", **rules), run(video, tmp_path / "b", **rules)
    assert Path(first["clip"]).read_bytes() == Path(second["clip"]).read_bytes()


CRASH = """
import os, sys
from pathlib import Path
from datetime import datetime
from shared_utils.config.cameras import Camera
from vcam_worker.recording.clip_writer import ClipWriter
from vcam_worker.stream.opening import connect
source, work, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
connection = connect(Camera("cam1", source), "file", paced=False)
writer = ClipWriter(Path(work), connection.info, 0.0, datetime.now().astimezone())
for number, packet in enumerate(connection.packets()):
    packet.time = packet.dts
    writer.write(packet)
    if number + 1 == count:
        os._exit(9)
"""


@pytest.mark.parametrize("count", [3, 47, 100])
def test_a_crash_loses_at_most_one_gop(tmp_path: Path, count: int) -> None:
    gop = 10
    video = write_video(tmp_path / "in.mp4", moving_box(), seconds=14, gop=gop)
    work, whole = tmp_path / "work.part", tmp_path / "whole.mp4"
    command = [sys.executable, "-c", CRASH, str(video), str(work), str(count)]
    assert subprocess.run(command, check=False, env={**os.environ, "PYTHONPATH": "."}).returncode == 9
    summary = repair(work, whole)
    assert count - gop <= summary.frames <= count
    if count < gop:
        assert not whole.exists()
        return
    assert summary.seconds == pytest.approx(summary.frames / 10, abs=0.11)
    assert payloads(whole) == payloads(video)[: summary.frames]
    with av.open(str(whole)) as clip:
        assert sum(1 for _ in clip.decode(video=0)) == summary.frames
        assert STARTED_AT_KEY in clip.metadata


@pytest.mark.parametrize("share", [0.15, 0.3, 0.45, 0.6, 0.75, 0.9])
def test_what_was_cut_off_in_the_middle_of_a_picture_ends_with_the_one_before(tmp_path: Path, share: float) -> None:
    video = write_video(tmp_path / "in.mp4", moving_box(), seconds=14, gop=10)
    work, whole = tmp_path / "work.part", tmp_path / "whole.mp4"
    command = [sys.executable, "-c", CRASH, str(video), str(work), "130"]
    subprocess.run(command, check=False, env={**os.environ, "PYTHONPATH": "."})
    os.truncate(work, round(work.stat().st_size * share))
    summary = repair(work, whole)
    assert summary.frames
    with av.open(str(whole)) as clip:
        clip.streams.video[0].codec_context.options = {"err_detect": "explode"}
        assert sum(1 for _ in clip.decode(video=0)) == summary.frames


def test_what_the_muxer_refuses_is_the_cameras_fault_and_not_the_disks(tmp_path: Path) -> None:
    """A stream without parameter sets anywhere, as a good sub-stream may have it recorded."""
    [frame] = encode(moving_box(), seconds=0.1)
    bare = join_units([unit for unit in frame if unit[0] & 0x1F not in {7, 8}], 0)
    script = UnitScript("h264", frame[:2], [(0.0, frame), (0.1, frame)])
    with serve_units(script) as url, connect(Camera("cam1", url), "tcp") as connection:
        info = replace(connection.info, description=None, width=0, height=0)
    writer = ClipWriter(tmp_path / "clip.mp4", info, 0.0, datetime.now().astimezone())
    with pytest.raises(SourceError, match="does not fit into MP4"):
        writer.write(Packet("video", bare, True, 0.0))
    with suppress(SourceError):
        writer.close()
