"""Reading clips: which frames, their times and pictures, and files that are not clips."""

from __future__ import annotations

import gc
import os
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.frame import VideoFrame

from shared_utils.errors import ClipError, ClipMissing
from shared_utils.media.frames import ClipReader
from tests.support.footage.video import moving_box, noise_background, write_video


def flat(width: int, height: int, value: int = 120):
    picture = np.full((height, width, 3), value, np.uint8)
    return lambda seconds: picture


def read(path: Path, fps: float = 5, threads: int = 2):
    with ClipReader(path, fps, threads) as reader:
        return list(reader), reader


def plainly_decoded(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]


def test_frames_are_sampled_by_time(clip_master):
    frames, reader = read(clip_master)
    assert [frame.index for frame in frames] == list(range(0, 100, 2))
    assert [frame.time_s for frame in frames] == pytest.approx([number / 5 for number in range(50)])
    assert reader.facts.frames == 100
    assert reader.facts.sampled == 50
    assert reader.facts.duration_s == pytest.approx(10)
    assert (reader.facts.width, reader.facts.height) == (640, 360)
    assert reader.damaged == 0
    assert reader.decode_s > 0


def test_every_frame_where_the_rate_is_0(clip_master):
    assert [frame.index for frame in read(clip_master, 0)[0]] == list(range(100))


@pytest.mark.parametrize("threads", [1, 4])
@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_sampled_frames_are_those_of_a_plain_decoding_also_with_reordered_ones(tmp_path, codec, threads):
    # B-frames that nothing is built on are skipped when not sampled; the others must not change by that
    options = {"bf": "3", "preset": "ultrafast"}
    if codec == "libx265":
        options["x265-params"] = "log-level=none"
    path = write_video(tmp_path / "b.mp4", moving_box(), seconds=4, fps=25, gop=25, codec=codec, options=options)
    expected = plainly_decoded(path)
    for fps in (5, 7.5):
        frames, reader = read(path, fps, threads)
        assert len(frames) == reader.facts.sampled
        for frame in frames:
            assert np.array_equal(frame.picture, expected[frame.index])


SILENT = "log-level=none"
GROUPS = {
    "closed": ("libx264", {"bf": "0"}),
    "closed, B-frames": ("libx264", {"bf": "3", "b-pyramid": "normal"}),
    "open, B-frames": ("libx264", {"bf": "3", "x264-params": "open-gop=1"}),
    "slices": ("libx264", {"bf": "0", "slices": "4"}),
    "intra refresh": ("libx264", {"bf": "0", "intra-refresh": "1"}),
    "HEVC, closed": ("libx265", {"x265-params": f"open-gop=0:bframes=3:{SILENT}"}),
    "HEVC, open": ("libx265", {"x265-params": f"open-gop=1:bframes=3:{SILENT}"}),
    "HEVC, leading pictures": ("libx265", {"x265-params": f"open-gop=0:radl=2:bframes=3:{SILENT}"}),
}


@pytest.mark.parametrize("suffix", ["mp4", "ts"])
@pytest.mark.parametrize("kind", GROUPS)
def test_sampled_frames_do_not_change_by_what_is_left_out_at_the_end_of_groups(tmp_path, kind, suffix):
    codec, options = GROUPS[kind]
    path = write_video(
        tmp_path / f"g.{suffix}", moving_box(320, 192), seconds=4, fps=20, gop=15, codec=codec,
        options={"preset": "ultrafast", **options},
    )  # fmt: skip
    expected = plainly_decoded(path)
    left_out = set()
    for fps in (5, 2.3, 0.4):
        for threads in (1, 3):
            frames, reader = read(path, fps, threads)
            assert len(frames) == reader.facts.sampled
            assert all(np.array_equal(frame.picture, expected[frame.index]) for frame in frames)
            left_out.add(len(reader.plan.unneeded))
    # no group of these ends before the clip does
    one_group = kind in {"open, B-frames", "intra refresh", "HEVC, open"}
    assert max(left_out) < 40 if one_group else max(left_out) > 40


def test_a_variable_rate_is_followed_by_its_time_stamps(tmp_path):
    times = [0, 0.05, 0.1, 0.5, 0.55, 2.0, 2.02, 2.04, 3.0]
    path = write_video(tmp_path / "v.mp4", flat(320, 240), times=times, fps=20)
    frames, reader = read(path)
    assert [frame.time_s for frame in frames] == pytest.approx([0, 0.5, 2.0, 3.0], abs=1e-3)
    assert [frame.index for frame in frames] == [0, 3, 5, 8]
    assert reader.facts.frames == 9


def test_time_begins_at_the_first_frame(tmp_path):
    # MPEG-TS begins its clock at some seconds
    frames, _ = read(write_video(tmp_path / "t.ts", flat(320, 240), seconds=2))
    assert frames[0].time_s == 0
    assert frames[-1].time_s == pytest.approx(1.8)


def test_motion_jpeg_in_avi(tmp_path):
    path = write_video(tmp_path / "m.avi", flat(320, 240), seconds=3, codec="mjpeg", options={})
    frames, reader = read(path)
    assert len(frames) == reader.facts.sampled == 15
    assert reader.facts.frames == 30


def test_10_bit_hevc_and_odd_sizes_and_4k(tmp_path):
    hevc = {"preset": "ultrafast", "x265-params": "log-level=none", "pix_fmt": "yuv420p10le"}
    for name, width, height, codec, options in (
        ("ten.mp4", 320, 240, "libx265", hevc),
        ("uhd.mp4", 3840, 2160, "libx264", None),
    ):
        path = write_video(tmp_path / name, flat(width, height), seconds=0.5, codec=codec, options=options)
        frames, _ = read(path)
        assert frames[0].picture.shape == (height, width, 3)
        assert frames[0].picture.mean() == pytest.approx(120, abs=4)


def test_odd_sizes(tmp_path):
    path = tmp_path / "odd.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = 321, 241, "yuv444p"
        for number in range(5):
            frame = av.VideoFrame.from_ndarray(np.full((241, 321, 3), 90, np.uint8), format="bgr24")
            frame.pts, frame.time_base = number, Fraction(1, 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    frames, reader = read(path)
    assert (reader.facts.width, reader.facts.height) == (321, 241)
    assert frames[0].picture.shape == (241, 321, 3)


@pytest.mark.parametrize(("turn", "quarters"), [(90, 1), (180, 2), (270, 3)])
def test_a_rotated_clip_is_turned_upright(tmp_path, turn, quarters):
    background = noise_background(320, 192)
    upright = write_video(tmp_path / "u.mp4", lambda seconds: background, seconds=1, fps=5)
    turned = rotated(upright, tmp_path / "r.mp4", turn)
    frames, reader = read(turned)
    expected = np.rot90(plainly_decoded(upright)[0], quarters)
    assert frames[0].picture.shape == expected.shape == (reader.facts.height, reader.facts.width, 3)
    assert np.array_equal(frames[0].picture, expected)


def rotated(source: Path, target: Path, degrees: int) -> Path:
    """Copy an MP4 and set its track's matrix to a counter-clockwise turn; PyAV writes none."""
    content = bytearray(source.read_bytes())
    one = 1 << 16
    cos, sin = {90: (0, -one), 180: (-one, 0), 270: (0, one)}[degrees]
    matrix = (cos, sin, 0, -sin, cos, 0, 0, 0, 1 << 30)
    at = content.index(b"tkhd") + 4 + 40  # after version, flags, times, ids, layer, volume
    content[at : at + 36] = b"".join((value & 0xFFFFFFFF).to_bytes(4, "big") for value in matrix)
    target.write_bytes(content)
    return target


def test_the_start_is_read_from_the_metadata(tmp_path):
    path = tmp_path / "s.mp4"
    with av.open(str(path), "w", options={"movflags": "use_metadata_tags"}) as container:
        container.metadata["vcam_started_at"] = "2026-02-23T14:48:19.250+02:00"
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="bgr24")
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert read(path)[1].facts.started_at == "2026-02-23T14:48:19.250+02:00"


def test_a_clip_that_is_cut_short_gives_what_is_there(tmp_path):
    whole = write_video(tmp_path / "w.ts", moving_box(), seconds=4)
    cut = tmp_path / "c.ts"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    frames, reader = read(cut)
    assert 3 <= len(frames) < 20
    assert reader.facts.frames < 40


def test_a_clip_with_damage_in_the_middle_gives_the_rest_and_counts_the_damage(tmp_path):
    path = write_video(tmp_path / "h.mp4", moving_box(), seconds=4)
    content = bytearray(path.read_bytes())
    middle = content.index(b"mdat") + 4000
    content[middle : middle + 3000] = b"\xff" * 3000
    path.write_bytes(content)
    frames, reader = read(path)
    assert len(frames) >= 15
    assert reader.facts.frames == 40


def write_audio(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 44100
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def test_a_file_that_is_not_a_video_is_refused_with_a_reason(tmp_path, clip_master):
    def made(name: str, content: bytes) -> Path:
        (tmp_path / name).write_bytes(content)
        return tmp_path / name

    sparse = tmp_path / "sparse.mp4"
    with sparse.open("wb") as file:
        file.truncate(10 << 30)
    headless = made("headless.mp4", clip_master.read_bytes()[:-2000])  # the index is at the end
    playlist = made("list.mp4", f"#EXTM3U\n#EXTINF:10,\n{clip_master}\n#EXT-X-ENDLIST\n".encode())
    os.mkfifo(tmp_path / "pipe.mp4")
    for path, said in (
        (made("empty.mp4", b""), "empty"),
        (made("text.mp4", b"this is no video\n" * 100), "no video that can be read"),
        (made("zeros.mp4", bytes(100_000)), "no video that can be read"),
        (sparse, "no video that can be read"),
        (headless, "no video that can be read"),
        (playlist, "no video that can be read"),
        (write_audio(tmp_path / "audio.mp4"), "only audio"),
        (tmp_path, "not a regular file"),
        (tmp_path / "pipe.mp4", "not a regular file"),
    ):
        with pytest.raises(ClipError, match=said):
            read(path)


def test_a_clip_without_frames(tmp_path):
    path = tmp_path / "z.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        container.start_encoding()
    with pytest.raises(ClipError, match=r"no frame|no video"):
        read(path)


def test_a_missing_file_is_an_error_of_its_own(tmp_path):
    with pytest.raises(ClipMissing, match="not there"):
        read(tmp_path / "later.mp4")


def test_frames_are_freed_as_they_are_read_not_at_the_next_garbage_collection(tmp_path):
    path = write_video(tmp_path / "v.mp4", moving_box(), seconds=20)
    gc.collect()
    gc.disable()
    try:
        with ClipReader(path, 5) as reader:
            read = sum(1 for _ in reader)
        kept = sum(isinstance(one, VideoFrame) for one in gc.get_objects())
    finally:
        gc.enable()
    assert read == 100
    assert kept <= 200 / 5  # keyframes, whose side data are read; all 200 frames would be kept otherwise
