"""Recordings joined byte by byte, of all kinds, cut or with rubbish between: all of them are seen, or it is said."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from shared_utils.errors import ClipError
from shared_utils.media.clipfile.parts import find_parts
from shared_utils.media.frames import ClipReader, Frame, Irregular, ReadOptions
from tests.support.footage.video import moving_box, turn_first_picture, write_video

FRAMES = 10
KINDS: dict[str, tuple[str, str, dict[str, str]]] = {
    "ts": ("mpegts", "libx264", {}),
    "m2ts": ("mpegts", "libx264", {"mpegts_m2ts_mode": "1"}),
    "mp4": ("mp4", "libx264", {}),
    "fragmented mp4": ("mp4", "libx264", {"movflags": "frag_keyframe+empty_moov"}),
    "mkv": ("matroska", "libx264", {}),
    "live mkv": ("matroska", "libx264", {"live": "1"}),
    "webm": ("webm", "libvpx", {}),
    "flv": ("flv", "libx264", {}),
    "avi": ("avi", "mpeg4", {}),
    "asf": ("asf", "mpeg4", {}),
    "ivf": ("ivf", "libvpx", {}),
}


@pytest.fixture(scope="module")
def recordings(tmp_path_factory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("recordings")
    return {kind: encoded(folder / "r", *KINDS[kind]).read_bytes() for kind in KINDS}


def encoded(path: Path, form: str, codec: str, options: dict[str, str], size: tuple[int, int] = (320, 192)) -> Path:
    draw = moving_box(*size, start_s=0, end_s=1, side=size[1] // 3)
    with av.open(str(path), "w", format=form, options=options) as container:
        extra = {"deadline": "realtime"} if codec == "libvpx" else {"bf": "0"}
        stream = container.add_stream(codec, rate=10, options=extra)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.codec_context.gop_size = 5
        for number in range(FRAMES):
            frame = av.VideoFrame.from_ndarray(draw(number / 10), format="bgr24")
            frame.pts, frame.time_base = number, Fraction(1, 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def read(path: Path, fps: float = 0) -> tuple[list[Frame], ClipReader]:
    """Read as an analysis does: once more, carefully, where that turns out to be needed."""
    for careful in (False, True):
        try:
            with ClipReader(path, fps, 1, ReadOptions(careful=careful, strict=True)) as reader:
                return list(reader), reader
        except Irregular:
            assert not careful
    raise AssertionError


def joined(path: Path, *contents: bytes) -> Path:
    path.write_bytes(b"".join(contents))
    return path


def squares(frames: list[Frame]) -> list[int]:
    """Return the left edge of the moving square in each frame."""
    return [int(np.nonzero((one.picture[..., 2] > 150) & (one.picture[..., 1] < 140))[1].min()) for one in frames]


@pytest.mark.parametrize("first", KINDS)
@pytest.mark.parametrize("second", ["ts", "mp4", "live mkv", "flv", "avi", "the same"])
def test_a_recording_behind_one_of_any_kind(tmp_path, recordings, first, second):
    second = first if second == "the same" else second
    path = joined(tmp_path / "joined.bin", recordings[first], recordings[second])
    frames, reader = read(path)
    assert reader.facts.frames == len(frames) == 2 * FRAMES
    assert [frame.time_s for frame in frames] == pytest.approx([number / 10 for number in range(2 * FRAMES)], abs=0.01)
    edges = squares(frames)
    assert edges[FRAMES:] == pytest.approx(edges[:FRAMES], abs=6)
    assert reader.facts.notes == ("2 recordings follow each other: the time stamps start over at 1.00 s",)


@pytest.mark.parametrize("first", ["fragmented mp4", "mkv", "live mkv", "ts", "m2ts", "flv", "avi"])
@pytest.mark.parametrize("second", ["ts", "mp4", "mkv", "avi"])
def test_a_recording_behind_one_that_was_cut_off(tmp_path, recordings, first, second):
    cut = recordings[first][: len(recordings[first]) * 3 // 4 + 1]
    frames, reader = read(joined(tmp_path / "joined.bin", cut, recordings[second]))
    assert FRAMES < len(frames) <= 2 * FRAMES
    assert squares(frames[-FRAMES:])[0] < squares(frames[-FRAMES:])[-1]
    assert reader.facts.duration_s == pytest.approx(len(frames) / 10, abs=0.15)


def test_unreadable_bytes_before_a_recording_are_noted(tmp_path, recordings):
    cut = recordings["mp4"][: len(recordings["mp4"]) // 2]  # its index would have come at the end
    for beginning in (cut, b"a line of text\n", bytes(5000)):
        frames, reader = read(joined(tmp_path / "joined.mkv", beginning, recordings["mkv"]))
        assert len(frames) == FRAMES
        assert f"bytes 0 to {len(beginning)} are not analysed" in reader.facts.notes[0]


@pytest.mark.parametrize("kind", ["mp4", "mkv", "avi", "ts"])
def test_bytes_of_no_recording_are_noted_unless_they_are_zeros(tmp_path, recordings, kind):
    size = len(recordings[kind])
    rubbish = np.random.default_rng(1).bytes(5000)
    _, reader = read(joined(tmp_path / "a.bin", recordings[kind], rubbish))
    assert reader.facts.notes == (f"bytes {size} to {size + 5000} are not analysed: no recording begins there",)
    _, reader = read(joined(tmp_path / "b.bin", recordings[kind], bytes(5000)))
    assert reader.facts.notes == ()
    frames, reader = read(joined(tmp_path / "c.bin", recordings[kind], rubbish, recordings[kind], bytes(100)))
    assert len(frames) == 2 * FRAMES
    assert kind == "ts" or f"bytes {size} to {size + 5000} are not analysed" in reader.facts.notes[0]


def test_streams_of_other_numbers_and_codecs_in_mpeg_ts(tmp_path, recordings):
    x265 = {"mpegts_pmt_start_pid": "32", "mpegts_start_pid": "100"}
    other = encoded(tmp_path / "o.ts", "mpegts", "libx264", x265).read_bytes()
    frames, reader = read(joined(tmp_path / "1.ts", recordings["ts"], other, recordings["ts"]))
    assert len(frames) == 3 * FRAMES
    assert reader.damaged == 0
    m2ts = {"mpegts_m2ts_mode": "1"}
    other = encoded(tmp_path / "o.m2ts", "mpegts", "mpeg2video", m2ts, (160, 96)).read_bytes()
    frames, reader = read(joined(tmp_path / "2.m2ts", recordings["m2ts"], other, recordings["m2ts"]))
    assert len(frames) == 3 * FRAMES
    assert [size[1:] for size in reader.facts.sizes] == [(320, 192), (160, 96), (320, 192)]


def test_damaged_announcements_in_mpeg_ts_begin_no_recording(tmp_path, recordings):
    content = bytearray(recordings["ts"] * 2)
    for at in range(0, len(content), 188):
        number = (content[at + 1] & 0x1F) << 8 | content[at + 2]
        if number in {0, 0x1000} and at > len(recordings["ts"]):
            content[at + 17] ^= 0xFF
    assert len(find_parts(joined(tmp_path / "d.ts", bytes(content)))) == 1


def test_a_copy_out_of_mpeg_ts_begins_within_a_packet(tmp_path, recordings):
    path = joined(tmp_path / "d.ts", recordings["ts"][100:], recordings["mp4"])
    assert [part.begin for part in find_parts(path)] == [0, len(recordings["ts"]) - 100]


def test_thousands_of_short_recordings_are_found_in_one_pass(tmp_path, recordings):
    path = joined(tmp_path / "many.flv", recordings["flv"] * 1500)
    assert len(find_parts(path)) == 1000


@pytest.mark.parametrize("kind", ["ts", "mp4", "mkv", "webm", "flv", "avi"])
@pytest.mark.parametrize("size", [1, 20, 60, 190])
def test_a_file_that_ends_within_its_head_is_a_broken_clip(tmp_path, recordings, kind, size):
    path = joined(tmp_path / "cut.bin", recordings[kind][:size])
    with pytest.raises(ClipError):
        read(path)


def test_audio_that_begins_late_in_flv_costs_no_frame(tmp_path, recordings):
    content = bytearray(recordings["flv"])
    # a packet of sound before the end, which the head does not announce
    sound = b"\x08\0\0\x05\0\0\0\0\0\0\0\x2c\0\0\0\0" + (16).to_bytes(4)
    last = len(content) - 4 - int.from_bytes(content[-4:])
    frames, _ = read(joined(tmp_path / "late.flv", bytes(content[:last]), sound, bytes(content[last:])))
    assert len(frames) == FRAMES


def test_encrypted_video_is_refused(tmp_path):
    key = {"encryption_scheme": "cenc-aes-ctr", "encryption_key": "76a6c65c5ea762046bd749a2e632ccbb",
           "encryption_kid": "a7e61c373e219033c21091fa607bf3b8"}  # fmt: skip
    with pytest.raises(ClipError, match="encrypted"):
        read(encoded(tmp_path / "e.mp4", "mp4", "libx264", key))


@pytest.mark.parametrize("suffix", ["mp4", "ts"])
def test_a_rotation_that_the_codec_gives_once_holds_for_all_frames(tmp_path, recordings, suffix):
    plain = joined(tmp_path / "p.ts", recordings["ts"])
    path = tmp_path / f"turned.{suffix}"
    turn_first_picture(plain, path)
    frames, reader = read(path)
    assert {frame.picture.shape for frame in frames} == {(320, 192, 3)}
    assert (len(frames), reader.facts.sizes, reader.facts.notes) == (FRAMES, (), ())


def test_frames_without_their_references_are_noted_and_time_begins_with_the_first_decoded_frame(tmp_path):
    path = tmp_path / "open.ts"
    x265 = "log-level=none:keyint=10:min-keyint=10:open-gop=1:bframes=3:b-adapt=0:scenecut=0"
    source = write_video(
        tmp_path / "whole.ts", moving_box(320, 192, 0, 4), seconds=4, fps=10, codec="libx265",
        options={"x265-params": x265, "preset": "ultrafast"},
    )  # fmt: skip
    with av.open(str(source)) as given, av.open(str(path), "w") as made:
        video = given.streams.video[0]
        stream = made.add_stream_from_template(video)
        keys = 0
        for packet in given.demux(video):
            keys += packet.is_keyframe
            if packet.size and keys >= 2:
                packet.stream = stream
                made.mux(packet)
    frames, reader = read(path)
    assert frames[0].time_s == 0
    assert len(frames) == reader.facts.frames
    assert "packets could not be decoded to a frame" in reader.facts.notes[0]
