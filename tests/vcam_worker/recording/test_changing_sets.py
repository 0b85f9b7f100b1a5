"""Cameras whose parameter sets change, are out of date, or come in unusual places: whole clips of the right size."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from shared_utils.config.cameras import Camera, MotionSettings
from shared_utils.media.bitstream.nal_units import (
    Codec,
    is_parameter_set,
    join_units,
    length_size_of,
    unit_kind,
    units_of_extradata,
)
from tests.support.footage.mp4 import box_order, decoded
from tests.support.footage.recorded import Recorded, record
from tests.support.footage.recording import Recording, to_the_end
from tests.support.footage.units import Frame, encode
from tests.support.footage.video import Picture, moving_box
from tests.support.network.rtsp_units import UnitScript, serve_units
from vcam_worker import messages
from vcam_worker.recording.clip_logic import ClipRules
from vcam_worker.stream.decoder_config import decoder_config
from vcam_worker.stream.opening import connect
from vcam_worker.stream.packets import Packet
from vcam_worker.stream.sets_reader import SetsReader
from vcam_worker.stream.source_errors import Timeouts

LARGE, SMALL = (320, 180), (160, 96)
RULES = ClipRules(clip_seconds=6, pre_roll_seconds=1)
FPS = 10
CODECS: list[Codec] = ["h264", "hevc"]
H264_LEVEL, HEVC_LEVEL = 3, 14


def scene(size: tuple[int, int] = LARGE, start_s: float = 4, end_s: float = 5) -> Callable[[float], Picture]:
    """Return moving_box() with a square of a sixth of the height."""
    return moving_box(*size, start_s=start_s, end_s=end_s, side=size[1] // 6)


def sets_of(codec: Codec, frame: Frame) -> Frame:
    return [unit for unit in frame if is_parameter_set(codec, unit_kind(codec, unit[0]))]


def without_sets(codec: Codec, frame: Frame) -> Frame:
    return [unit for unit in frame if not is_parameter_set(codec, unit_kind(codec, unit[0]))]


def other_level(codec: Codec, frame: Frame) -> Frame:
    """Return a keyframe whose SPS differs in its level alone."""

    def changed(unit: bytes) -> bytes:
        if unit_kind(codec, unit[0]) not in {7, 33}:
            return unit
        # the byte of the level, counted without emulation prevention
        plain = bytearray(unit.replace(b"\0\0\3", b"\0\0"))
        plain[H264_LEVEL if codec == "h264" else HEVC_LEVEL] += 3
        return escaped(bytes(plain))

    return [changed(unit) for unit in frame]


def escaped(unit: bytes) -> bytes:
    found = bytearray()
    for byte in unit:
        if byte <= 3 and found[-2:] == b"\0\0":
            found.append(3)
        found.append(byte)
    return bytes(found)


def timed(frames: list[Frame]) -> list[tuple[float, Frame]]:
    return [(number / FPS, frame) for number, frame in enumerate(frames)]


def pictures(path: Path) -> Iterator[Picture]:
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            yield frame.to_ndarray(format="rgb24").astype(np.uint8)


def write_framed(path: Path, codec: Codec, config: bytes, frames: list[bytes]) -> None:
    """Write packets as they are into an MP4 with this decoder configuration."""
    raw = io.BytesIO()
    with av.open(raw, "w", format="mp4") as made:
        stream = made.add_stream("libx264" if codec == "h264" else "libx265", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        made.mux(stream.encode(av.VideoFrame(64, 48, "yuv420p")))
        made.mux(stream.encode(None))
    with av.open(io.BytesIO(raw.getvalue())) as template, av.open(str(path), "w", format="mp4") as output:
        copied = output.add_stream_from_template(template.streams.video[0])
        copied.codec_context.extradata = config
        for number, data in enumerate(frames):
            packet = av.Packet(data)
            packet.stream, packet.time_base = copied, Fraction(1, 90000)
            packet.dts = packet.pts = number * 90000 // FPS
            packet.duration, packet.is_keyframe = 90000 // FPS, number % 10 == 0
            output.mux_one(packet)


def run(folder: Path, script: UnitScript, rules: ClipRules = RULES) -> Recorded:
    with serve_units(script) as url:
        return record(url, folder, rules, motion=MotionSettings(fps=5))


@pytest.mark.parametrize("codec", CODECS)
def test_a_camera_with_sets_in_rare_keyframes_alone_is_waited_for(tmp_path: Path, codec: Codec) -> None:
    """Joined in mid-GOP, and its description names no parameter sets: the opening ends long before the keyframe."""
    frames = encode(scene(start_s=7, end_s=8), seconds=10, codec=codec, gop=60)[1:]
    script = UnitScript(codec, (), timed(frames), pace=1.0)
    with serve_units(script) as url, connect(Camera("cam1", url), "tcp", timeouts=Timeouts(open_s=1.0)) as connection:
        assert (connection.info.codec, connection.info.width) == (codec, 0)
        recording = Recording(connection.info, tmp_path, clip_seconds=30)
        recording.feed(to_the_end(connection))
        recording.close()
    [clip] = recording.clips
    shown = list(pictures(clip.path))
    assert len(shown) == len(frames) - 59
    assert shown[0].shape == (LARGE[1], LARGE[0], 3)


@pytest.mark.parametrize("codec", CODECS)
def test_an_sps_that_alternates_in_its_level_alone_changes_nothing(tmp_path: Path, codec: Codec) -> None:
    frames = encode(scene(), seconds=12, codec=codec)
    for number in range(10, len(frames), 20):
        frames[number] = other_level(codec, frames[number])
    recorded = run(tmp_path, UnitScript(codec, sets_of(codec, frames[0]), timed(frames)))
    [clip] = recorded.clips
    assert clip.end - clip.start == pytest.approx(6, abs=0.01)
    assert decoded(clip.path) == [LARGE] * 60
    assert recorded.levels() == ["INFO"]  # that the clip started


@pytest.mark.parametrize("codec", CODECS)
def test_a_pps_that_changes_within_a_clip_goes_into_it(tmp_path: Path, codec: Codec) -> None:
    """CABAC and CAVLC by turns (H.265: sign hiding): the picture is the same, a decoder must know all the same."""
    draw = scene()
    params = ("cabac=1:8x8dct=1", "cabac=0") if codec == "h264" else ("signhide=1", "signhide=0:cu-lossless=0")
    one, two = (encode(draw, seconds=12, codec=codec, params=more, preset="medium", bf="0") for more in params)
    assert sets_of(codec, one[0])[-1] != sets_of(codec, two[0])[-1]
    frames = [(one, two)[number // 10 % 2][number] for number in range(len(one))]
    recorded = run(tmp_path, UnitScript(codec, sets_of(codec, one[0]), timed(frames)))
    [clip] = recorded.clips
    assert decoded(clip.path) == [LARGE] * 60
    assert not recorded.logged(messages.STREAM_CHANGED)
    first = round(clip.start * FPS)
    sent = tmp_path / f"sent.{codec}"
    sent.write_bytes(b"".join(join_units(frame, 0) for frame in frames[first : first + 60]))
    for shown, meant in zip(pictures(clip.path), pictures(sent), strict=True):
        assert np.array_equal(shown, meant)


@pytest.mark.parametrize("told", ["out of date", "nothing", "right"])
@pytest.mark.parametrize("codec", CODECS)
def test_the_first_keyframes_own_sets_are_the_clips(tmp_path: Path, codec: Codec, told: str) -> None:
    frames = encode(scene(), seconds=12, codec=codec)
    stale = sets_of(codec, encode(scene(SMALL), seconds=0.1, codec=codec)[0])
    own = sets_of(codec, frames[0])
    recorded = run(
        tmp_path, UnitScript(codec, {"out of date": stale, "nothing": [], "right": own}[told], timed(frames))
    )
    [clip] = recorded.clips
    assert decoded(clip.path) == [LARGE] * 60
    with av.open(str(clip.path)) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height) == LARGE
        assert set(units_of_extradata(codec, stream.codec_context.extradata)) == set(own)


@pytest.mark.parametrize("codec", CODECS)
def test_sets_in_the_description_alone_are_enough(tmp_path: Path, codec: Codec) -> None:
    frames = encode(scene(), seconds=12, codec=codec)
    own = sets_of(codec, frames[0])
    recorded = run(tmp_path, UnitScript(codec, own, timed([without_sets(codec, frame) for frame in frames])))
    [clip] = recorded.clips
    assert decoded(clip.path) == [LARGE] * 60


@pytest.mark.parametrize("codec", CODECS)
def test_sets_with_a_stamp_of_their_own_are_no_frame(tmp_path: Path, codec: Codec) -> None:
    frames = encode(scene(), seconds=12, codec=codec)
    pictures: list[tuple[float, Frame]] = []
    for seconds, frame in timed(frames):
        if sets_of(codec, frame):
            pictures.append((max(0.0, seconds - 0.02), sets_of(codec, frame)))
        pictures.append((seconds, without_sets(codec, frame)))
    recorded = run(tmp_path, UnitScript(codec, [], pictures))
    [clip] = recorded.clips
    assert decoded(clip.path) == [LARGE] * 60
    assert clip.summary.frames == 60


@pytest.mark.parametrize("codec", CODECS)
def test_h265_is_hvc1_and_the_index_comes_first(tmp_path: Path, codec: Codec) -> None:
    frames = encode(scene(), seconds=12, codec=codec)
    [clip] = run(tmp_path, UnitScript(codec, [], timed(frames))).clips
    order = box_order(clip.path)
    assert order.index("moov") < order.index("mdat")
    with av.open(str(clip.path)) as container:
        assert container.streams.video[0].codec_context.codec_tag == {"h264": "avc1", "hevc": "hvc1"}[codec]
        first = next(container.demux(video=0))
        if codec == "hevc":  # hvc1: the sets are in the sample entry alone
            assert not sets_of(codec, units_of(bytes(first)))


def units_of(data: bytes) -> Frame:
    found, at = [], 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4])
        found.append(data[at + 4 : at + 4 + size])
        at += 4 + size
    return found


def test_a_real_change_ends_the_clip_at_its_keyframe(tmp_path: Path) -> None:
    large = encode(scene(LARGE, 2.5, 20), seconds=7)
    small = encode(scene(SMALL, -4, 14), seconds=14)
    recorded = run(tmp_path, UnitScript("h264", [], timed([*large, *small])))
    sizes = [set(decoded(clip.path)) for clip in recorded.clips]
    assert sizes[0] == {LARGE}
    assert sizes[1:]
    assert all(size == {SMALL} for size in sizes[1:])
    assert recorded.clips[0].end == recorded.clips[1].start == pytest.approx(7.0, abs=0.01)
    assert len(recorded.logged(messages.STREAM_CHANGED)) == 1


@pytest.mark.parametrize("codec", CODECS)
def test_a_picture_that_alternates_is_recorded_in_one_size_and_logged_once(tmp_path: Path, codec: Codec) -> None:
    """Each GOP in another size: motion is found all the same, and clips are as long as ever."""
    seconds = 40
    large = encode(scene(LARGE, 20, 21), seconds=seconds, codec=codec)
    small = encode(scene(SMALL, 20, 21), seconds=seconds, codec=codec)
    frames = [(large, small)[number // 10 % 2][number] for number in range(len(large))]
    recorded = run(tmp_path, UnitScript(codec, [], timed(frames)))
    [clip] = recorded.clips
    assert 20 <= clip.trigger <= 20.5
    assert clip.end - clip.start == pytest.approx(6, abs=0.01)
    assert decoded(clip.path) == [LARGE] * 60
    assert len(recorded.logged(messages.PICTURE_RESTLESS)) == 1
    assert len(recorded.logged(messages.STREAM_CHANGED)) <= 2


def test_a_picture_that_changes_every_forty_seconds_is_reported_three_times(tmp_path: Path) -> None:
    one, other = (encode(scene(size), seconds=40, fps=1, gop=40) for size in ((96, 64), (64, 48)))
    pictures = [frame for number in range(8) for frame in (one, other)[number % 2]]
    recorded = run(tmp_path, UnitScript("h264", [], [(float(second), frame) for second, frame in enumerate(pictures)]))
    assert len(recorded.logged(messages.STREAM_CHANGED)) == 3
    assert sum("further changes are not logged" in line for line in recorded.logged(messages.STREAM_CHANGED)) == 1


def test_a_picture_that_stays_is_copied_again(tmp_path: Path) -> None:
    large = encode(scene((160, 96), 80, 81), seconds=90, fps=5, gop=5)
    small = encode(scene((96, 64)), seconds=6, fps=5, gop=5)
    frames = [(large, small)[number // 5 % 2][number] for number in range(30)] + large[30:]
    script = UnitScript("h264", [], [(number / 5, frame) for number, frame in enumerate(frames)])
    recorded = run(tmp_path, script)
    [clip] = recorded.clips
    assert set(decoded(clip.path)) == {(160, 96)}
    assert len(recorded.logged(messages.PICTURE_STEADY_AGAIN)) == 1
    with av.open(str(clip.path)) as container:
        kept = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    assert set(itertools.chain.from_iterable(map(units_of, kept))) <= set(itertools.chain.from_iterable(large))


@pytest.mark.parametrize("length_size", [1, 2, 4])
@pytest.mark.parametrize("codec", CODECS)
def test_a_file_with_unit_lengths_of_any_size(tmp_path: Path, codec: Codec, length_size: int) -> None:
    """Small pictures: with one byte for a length, and with lengths of 256 to 511, which look like start codes."""
    frames = encode(scene((64, 48)), seconds=10, codec=codec, params="qp=40" if length_size == 1 else "")
    own = sets_of(codec, frames[0])
    reader = SetsReader(codec, join_units(own, 0))
    first = Packet("video", join_units(frames[0], 0), True, 0.0)
    assert reader.take(first)
    assert first.sets
    config = decoder_config(replace(first.sets, length_size=length_size))
    units = [[unit for unit in frame if unit not in own and unit[0] & 0x1F != 6] for frame in frames]
    assert length_size > 1 or max(len(unit) for frame in units for unit in frame) < 256
    source = tmp_path / "in.mp4"
    write_framed(source, codec, config or b"", [join_units(frame, length_size) for frame in units])
    with av.open(str(source)) as container:
        assert length_size_of(codec, container.streams.video[0].codec_context.extradata) == length_size
    recorded = record(str(source), tmp_path, RULES, motion=MotionSettings(fps=5, min_area=0.002))
    [clip] = recorded.clips
    assert decoded(clip.path) == [(64, 48)] * 60
