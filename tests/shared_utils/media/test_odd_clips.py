"""Unusual and damaged clips: joined, mirrored, squeezed, of changing size, cut short, with several video streams."""

from __future__ import annotations

import itertools
import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from shared_utils.errors import ClipError
from shared_utils.media.frames import ClipReader, Frame, ReadOptions
from tests.support.footage.video import moving_box, noise_background, write_video

ONE = 1 << 16


@pytest.fixture(scope="session")
def cases(shared_dir: Path) -> Path:
    folder = shared_dir / "cases"
    if not folder.is_dir():
        pytest.skip(f"no damaged or unusual clips at {folder}")
    return folder


def read(path: Path, fps: float = 5, threads: int = 1, **options: Any) -> tuple[list[Frame], ClipReader]:
    with ClipReader(path, fps, threads, ReadOptions(**options)) as reader:
        return list(reader), reader


def drawn(path: Path, seconds: float = 2.0, size: tuple[int, int] = (320, 192), **options: Any) -> Path:
    return write_video(path, moving_box(*size, start_s=0, end_s=seconds), seconds=seconds, fps=10, **options)


def encoded(path: Path, codec: str, options: dict[str, str], count: int = 20) -> Path:
    """Encode at 25 frames per second, with the time base of the codec's own choice."""
    draw = moving_box(320, 192, start_s=0, end_s=2)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 320, 192, "yuv420p"
        for number in range(count):
            frame = av.VideoFrame.from_ndarray(draw(number / 10), format="bgr24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def times(frames: list[Frame]) -> list[float]:
    return [frame.time_s for frame in frames]


def square_at(frame: Frame) -> tuple[int, int, int, int]:
    rows, columns = np.nonzero((frame.picture[..., 2] > 180) & (frame.picture[..., 1] < 120))
    return int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1


@pytest.mark.parametrize("fps", [0, 5])
def test_both_halves_of_joined_recordings_are_seen(cases, fps):
    frames, reader = read(cases / "concat.ts", fps)
    assert reader.facts.frames == 151
    assert reader.facts.duration_s == pytest.approx(12.08)
    assert len(frames) == reader.facts.sampled == (151 if fps == 0 else 61)
    assert times(frames) == sorted(set(times(frames)))
    assert sum(frame.time_s > 6.08 for frame in frames) >= 29
    assert "2 recordings" in reader.facts.notes[0]
    assert reader.damaged == 0


@pytest.mark.parametrize("suffix", ["ts", "mpg", "mp4", "mkv", "avi", "h264"])
@pytest.mark.parametrize("bf", ["0", "2"])
def test_recordings_joined_byte_by_byte(tmp_path, suffix, bf):
    codec = {"mpg": "mpeg2video", "avi": "mpeg4"}.get(suffix, "libx264")
    one = encoded(tmp_path / f"one.{suffix}", codec, {"bf": bf})
    alone, _ = read(one, 0)
    joined = tmp_path / f"joined.{suffix}"
    joined.write_bytes(one.read_bytes() * 3)
    frames, reader = read(joined, 0)
    assert reader.facts.frames == len(frames) == 3 * len(alone)
    assert times(frames) == pytest.approx([number / 25 for number in range(len(frames))], abs=0.01)
    for number, frame in enumerate(frames):
        difference = np.abs(frame.picture.astype(int) - alone[number % len(alone)].picture).mean()
        assert difference < 3


def test_joined_recordings_of_other_codecs_sizes_and_streams(tmp_path):
    x265 = {"x265-params": "log-level=none", "preset": "ultrafast"}
    parts = [
        drawn(tmp_path / "a.ts"),
        drawn(tmp_path / "b.ts", size=(160, 96), codec="libx265", options=x265),
        with_sound(drawn(tmp_path / "c.mp4"), tmp_path / "c.ts"),
    ]
    joined = tmp_path / "joined.ts"
    joined.write_bytes(b"".join(part.read_bytes() for part in parts))
    frames, reader = read(joined, 0)
    assert times(frames) == pytest.approx([number / 10 for number in range(60)], abs=0.02)
    assert {frame.picture.shape for frame in frames} == {(192, 320, 3)}
    assert [(width, height) for _, width, height in reader.facts.sizes] == [(320, 192), (160, 96), (320, 192)]
    # the square is at the same place of the picture in all parts, in pixels of the clip
    assert square_at(frames[45]) == pytest.approx(square_at(frames[5]), abs=3)


def with_sound(source: Path, target: Path) -> Path:
    with av.open(str(source)) as given, av.open(str(target), "w") as made:
        sound = made.add_stream("aac", rate=44100)
        video = made.add_stream_from_template(given.streams.video[0])
        for number in range(80):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 44100, number * 1024
            made.mux(sound.encode(frame))
        for packet in given.demux(video=0):
            if packet.size:
                packet.stream = video
                made.mux(packet)
    return target


def test_a_doubled_stamp_leaves_the_others_alone(cases):
    frames, reader = read(cases / "one_double_stamp.mkv", 0)
    assert reader.facts.duration_s == pytest.approx(26.08, abs=0.05)
    assert [time for time in times(frames) if 3.2 < time < 23.1] == []
    assert times(frames)[40] == pytest.approx(23.2)
    assert times(frames)[10] == pytest.approx(0.8)


def test_a_change_of_size_keeps_one_unit(cases):
    frames, reader = read(cases / "reschange.ts")
    assert (reader.facts.width, reader.facts.height) == (768, 432)
    assert {frame.picture.shape for frame in frames} == {(432, 768, 3)}
    assert [size[1:] for size in reader.facts.sizes] == [(768, 432), (384, 216)]


@pytest.mark.parametrize("codec", ["libx264", "libvpx", "mpeg2video", "mjpeg"])
def test_a_change_of_size_upwards_in_mid_file(tmp_path, codec):
    path = tmp_path / "sizes.mkv"
    options = {"libvpx": {"deadline": "realtime"}}.get(codec, {})
    with av.open(str(path), "w") as made:
        video = None
        for part, (width, height) in enumerate(((160, 96), (320, 192), (192, 192))):
            context = av.CodecContext.create(codec, "w")
            context.width, context.height, context.time_base = width, height, Fraction(1, 10)
            context.framerate = Fraction(10)
            context.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
            context.options = {"bf": "0", **options}
            if video is None:
                video = made.add_stream(codec, rate=10)
                video.width, video.height, video.pix_fmt = width, height, context.pix_fmt
            draw = moving_box(width, height, start_s=0, end_s=1, side=height // 3)
            for number in range(10):
                frame = av.VideoFrame.from_ndarray(draw(number / 10), format="bgr24")
                frame.pts, frame.time_base = number, Fraction(1, 10)
                for packet in context.encode(frame):
                    mux(made, video, packet, part * 10)
            for packet in context.encode(None):
                mux(made, video, packet, part * 10)
    with ClipReader(path, 0, 1, ReadOptions(strict=True)) as reader:
        frames = list(reader)
    assert (reader.facts.width, reader.facts.height) == (320, 192)
    assert {frame.picture.shape for frame in frames} == {(192, 320, 3)}
    # the decoder of MPEG-2 loses the frame it holds when the size changes
    assert len(frames) == reader.facts.frames == (28 if codec == "mpeg2video" else 30)
    assert any("2 of 30 packets" in note for note in reader.facts.notes) is (codec == "mpeg2video")
    # of another shape: in the middle, with black bars beside it
    assert frames[-1].picture[:, :60].max() < 40
    assert frames[-1].picture[:, 70:250].mean() > 60


def mux(made, video, packet, offset):
    packet.pts += offset
    packet.dts = packet.pts
    packet.stream = video
    made.mux(packet)


MATRICES = {
    "upright": ((1, 0, 0, 1), lambda picture: picture),
    "left to right": ((-1, 0, 0, 1), lambda picture: picture[:, ::-1]),
    "top to bottom": ((1, 0, 0, -1), lambda picture: picture[::-1]),
    "half a turn": ((-1, 0, 0, -1), lambda picture: picture[::-1, ::-1]),
    "quarter to the right": ((0, 1, -1, 0), lambda picture: np.rot90(picture, -1)),
    "quarter to the left": ((0, -1, 1, 0), lambda picture: np.rot90(picture, 1)),
    "diagonal": ((0, 1, 1, 0), lambda picture: picture.transpose(1, 0, 2)),
    "other diagonal": ((0, -1, -1, 0), lambda picture: picture.transpose(1, 0, 2)[::-1, ::-1]),
    "nothing": ((0, 0, 0, 0), lambda picture: picture),
    "nearly a quarter": ((0.2, 1, -1, 0.2), lambda picture: np.rot90(picture, -1)),
}


@pytest.mark.parametrize("kind", MATRICES)
def test_display_matrices(tmp_path, kind):
    (a, b, c, d), expected = MATRICES[kind]
    background = noise_background(320, 192)
    upright = write_video(tmp_path / "u.mp4", lambda seconds: background, seconds=0.4, fps=5)
    content = bytearray(upright.read_bytes())
    at = content.index(b"tkhd") + 4 + 40  # after version, flags, times, ids, layer, volume
    matrix = (round(a * ONE), round(b * ONE), 0, round(c * ONE), round(d * ONE), 0, 0, 0, 1 << 30)
    content[at : at + 36] = struct.pack(">9i", *matrix)
    turned = tmp_path / "t.mp4"
    turned.write_bytes(content)
    frames, reader = read(turned, 0)
    want = expected(read(upright, 0)[0][0].picture)
    assert np.array_equal(frames[0].picture, want)
    assert (reader.facts.height, reader.facts.width) == want.shape[:2]
    assert bool(reader.facts.notes) is (kind == "nearly a quarter")


def test_the_mirrored_clip_is_upright(cases):
    frames, _ = read(cases / "hflip.mp4", 0)
    with av.open(str(cases / "hflip.mp4")) as container:
        plain = next(container.decode(video=0)).to_ndarray(format="bgr24")
    assert np.array_equal(frames[0].picture, plain[:, ::-1])


def squeezed(path: Path, ratio: Fraction | None, size: tuple[int, int] = (160, 192)) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=5, options={"preset": "ultrafast"})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        if ratio is not None:
            stream.codec_context.sample_aspect_ratio = ratio
        picture = noise_background(*size)
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
@pytest.mark.parametrize(
    ("ratio", "shown"),
    [("2", (320, 192)), ("1/2", (160, 384)), ("4/3", (213, 192)), ("10/11", (160, 211)), ("1", (160, 192)),
     ("6", (160, 192))],
)  # fmt: skip
def test_pixels_that_are_not_square(tmp_path, suffix, ratio, shown):
    frames, reader = read(squeezed(tmp_path / f"s.{suffix}", Fraction(ratio)), 0)
    assert (reader.facts.width, reader.facts.height) == shown
    assert frames[0].picture.shape == (shown[1], shown[0], 3)
    assert bool(reader.facts.notes) is (ratio == "6")


def test_the_containers_ratio_precedes_the_codecs(tmp_path):
    path = squeezed(tmp_path / "c.mp4", Fraction(2))
    content = bytearray(path.read_bytes())
    at = content.index(b"pasp") + 4
    content[at : at + 8] = struct.pack(">II", 4, 3)
    path.write_bytes(content)
    assert read(path)[1].facts.width == 213


@pytest.mark.parametrize("pair", [(0, 1), (1, 0), (65535, 1), (1, 65535)])
def test_implausible_pixel_ratios_are_ignored(tmp_path, pair):
    path = squeezed(tmp_path / "c.mp4", Fraction(2))
    content = bytearray(path.read_bytes())
    at = content.index(b"pasp") + 4
    content[at : at + 8] = struct.pack(">II", *pair)
    path.write_bytes(content)
    facts = read(path)[1].facts
    assert (facts.width, facts.height) in {(160, 192), (320, 192)}  # where the container says nothing, the codec does


@pytest.mark.parametrize(("aspect", "width", "height"), [("16:9", 341, 192), ("4:3", 256, 192), ("2:3", 160, 240)])
def test_an_aspect_for_recorders_that_squeeze_without_saying_so(tmp_path, aspect, width, height):
    path = squeezed(tmp_path / "s.mp4", None)
    frames, reader = read(path, 0, aspect=aspect)
    assert (reader.facts.width, reader.facts.height) == (width, height)
    assert frames[0].picture.shape == (height, width, 3)


def test_the_squeezed_clip_has_its_width(cases):
    assert (read(cases / "sar2.mp4")[1].facts.width, read(cases / "sar2.mp4")[1].facts.height) == (640, 272)


def test_the_video_is_analysed_and_not_the_cover_picture(cases):
    frames, reader = read(cases / "still_first.mkv")
    assert (len(frames), reader.facts.frames) == (31, 76)
    assert "video stream 0 (mjpeg, 768×432, a still)" in reader.facts.notes[0]


def test_of_two_video_streams_the_larger_is_analysed_and_the_other_noted(tmp_path):
    one, other = drawn(tmp_path / "1.mp4", size=(160, 96)), drawn(tmp_path / "2.mp4")
    path = tmp_path / "both.mkv"
    with av.open(str(one)) as first, av.open(str(other)) as second, av.open(str(path), "w") as made:
        streams = [made.add_stream_from_template(given.streams.video[0]) for given in (first, second)]
        for pair in itertools.zip_longest(first.demux(video=0), second.demux(video=0)):
            for stream, packet in zip(streams, pair, strict=True):
                if packet is not None and packet.size:
                    packet.stream = stream
                    made.mux(packet)
    _, reader = read(path)
    assert (reader.facts.width, reader.facts.height) == (320, 192)
    assert "video stream 0 (h264, 160×96, 20 frames)" in reader.facts.notes[0]


def summary(path: Path, threads: int) -> tuple[Any, ...]:
    try:
        frames, reader = read(path, 0, threads)
    except ClipError as error:
        return (str(error),)
    pictures = hash(b"".join(frame.picture.tobytes() for frame in frames))
    return times(frames), pictures, reader.damaged, reader.facts


@pytest.mark.parametrize("cut", [None, 40_000, 81_111, 120_001])
def test_a_cut_clip_is_the_same_with_any_number_of_threads(cases, tmp_path, cut):
    path = tmp_path / "cut.mp4"
    path.write_bytes((cases / "cut.mp4").read_bytes()[:cut])
    one = summary(path, 1)
    assert one[2] == 1
    assert all(summary(path, threads) == one for threads in (2, 3, 8))


def test_garbage_in_the_middle_is_the_same_with_any_number_of_threads(tmp_path):
    for suffix in ("ts", "mkv", "avi"):
        encoding: dict[str, Any] = {"codec": "mjpeg", "options": {}} if suffix == "avi" else {"codec": "libx264"}
        path = drawn(tmp_path / f"g.{suffix}", **encoding)
        content = bytearray(path.read_bytes())
        middle = len(content) // 2
        content[middle : middle + 1000] = bytes(range(250)) * 4
        path.write_bytes(content)
        one = summary(path, 1)
        assert len(one[0]) > 10
        assert summary(path, 4) == one


def test_a_clip_whose_end_is_missing_says_how_much(tmp_path):
    path = tmp_path / "f.mp4"
    drawn(tmp_path / "w.mp4")
    with av.open(str(tmp_path / "w.mp4")) as given, av.open(str(path), "w", options={"movflags": "faststart"}) as made:
        video = made.add_stream_from_template(given.streams.video[0])
        for packet in given.demux(video=0):
            if packet.size:
                packet.stream = video
                made.mux(packet)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    frames, reader = read(path, 0)
    assert 0 < len(frames) < 20
    assert "of 20 frames are there" in reader.facts.notes[-1]


def test_unusual_clips(tmp_path):
    made = tmp_path / "one.avi"
    assert len(read(drawn(made, seconds=0.1, codec="mjpeg", options={}), 0)[0]) == 1
    for width, height, pixels in ((3, 5, "gray"), (1, 1, "yuv444p"), (17, 9, "bgra"), (64, 48, "yuv422p10le")):
        path = tmp_path / f"{pixels}.mkv"
        with av.open(str(path), "w") as container:
            stream = container.add_stream("ffv1", rate=10)
            assert isinstance(stream, av.VideoStream)
            stream.width, stream.height, stream.pix_fmt = width, height, pixels
            for _ in range(4):
                frame = av.VideoFrame.from_ndarray(np.full((height, width, 3), 90, np.uint8), format="bgr24")
                container.mux(stream.encode(frame.reformat(format=pixels)))
            container.mux(stream.encode(None))
        frames, _ = read(path, 0)
        assert len(frames) == 4
        assert frames[0].picture.shape == (height, width, 3)
        assert frames[0].picture.mean() == pytest.approx(90, abs=4)
