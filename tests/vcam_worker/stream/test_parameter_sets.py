"""What parameter sets say, read as FFmpeg reads them, and which of them a keyframe needs."""

from __future__ import annotations

import io
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from typing import Any

import av
import pytest

from shared_utils.media.bitstream.nal_units import (
    join_units,
    length_size_of,
    split_units,
    unit_kind,
    units_of_extradata,
)
from shared_utils.media.bitstream.parameter_sets import PictureFormat, picture_format, set_ids
from tests.support.footage.units import encode
from tests.support.footage.video import moving_box
from vcam_worker.stream.decoder_config import decoder_config
from vcam_worker.stream.packets import Packet
from vcam_worker.stream.sets_reader import SetsReader

SPS = {"h264": 7, "hevc": 33}
PPS = {"h264": 8, "hevc": 34}


def sps_of(codec: str, frame: list[bytes]) -> bytes:
    return next(unit for unit in frame if unit_kind(codec, unit[0]) == SPS[codec])  # type: ignore[arg-type]


FORMATS: list[tuple[str, int, int, str, dict[str, Any], tuple[int, int, int]]] = [
    ("h264", 640, 360, "yuv420p", {}, (1, 8, 8)),
    ("h264", 322, 182, "yuv420p", {"preset": "medium"}, (1, 8, 8)),
    ("h264", 1920, 1080, "yuv420p", {"params": "interlaced=1:sar=4/3"}, (1, 8, 8)),
    ("h264", 640, 360, "yuv420p", {"params": "cqm=jvt:sar=16/11", "preset": "medium"}, (1, 8, 8)),
    ("h264", 642, 362, "yuv422p10le", {}, (2, 10, 10)),
    ("h264", 642, 362, "yuv444p", {"params": "cqm=jvt"}, (3, 8, 8)),
    ("h264", 640, 360, "gray", {}, (0, 8, 8)),
    ("hevc", 640, 360, "yuv420p", {}, (1, 8, 8)),
    ("hevc", 322, 182, "yuv420p", {"preset": "slow", "params": "sar=4\\:3"}, (1, 8, 8)),
    ("hevc", 640, 360, "yuv420p10le", {"params": "scaling-list=default:sar=64\\:33", "preset": "slower"}, (1, 10, 10)),
    ("hevc", 642, 362, "yuv444p", {"preset": "slow"}, (3, 8, 8)),
    ("hevc", 640, 360, "gray", {}, (0, 8, 8)),
]


@pytest.mark.parametrize(("codec", "width", "height", "pix_fmt", "options", "samples"), FORMATS)
def test_a_picture_is_read_as_ffmpeg_reads_it(
    codec: str, width: int, height: int, pix_fmt: str, options: dict[str, Any], samples: tuple[int, int, int]
) -> None:
    [frame] = encode(moving_box(width, height), seconds=0.1, codec=codec, pix_fmt=pix_fmt, **options)
    found = picture_format(codec, sps_of(codec, frame))  # type: ignore[arg-type]
    with av.open(io.BytesIO(join_units(frame, 0)), format=codec) as container:
        context = container.streams.video[0].codec_context
        assert (found.width, found.height) == (context.width, context.height) == (width, height)
        assert found.sample_aspect_ratio == (context.sample_aspect_ratio or Fraction(1))
    assert (found.chroma, found.luma_bits, found.chroma_bits) == samples


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_a_damaged_sps_raises_nothing_else(codec: str) -> None:
    [frame] = encode(moving_box(), seconds=0.1, codec=codec)
    sps = sps_of(codec, frame)
    for end in range(1, len(sps)):
        for damaged in (sps[:end], sps[:end] + b"\xff" * 200, sps[:end] + bytes(200)):
            with suppress(ValueError):
                assert picture_format(codec, damaged).width > 0  # type: ignore[arg-type]


@pytest.mark.parametrize("codec", ["h264", "hevc"])
@pytest.mark.parametrize("length_size", [1, 2, 4])
def test_lengths_that_look_like_start_codes(codec: str, length_size: int) -> None:
    """Lengths of 1 and of 256 to 511 begin with zeros and a one; the description decides."""
    [frame] = encode(moving_box(64, 64), seconds=0.1, codec=codec)
    sets = [unit for unit in frame if unit_kind(codec, unit[0]) in {32, SPS[codec], PPS[codec]}]  # type: ignore[arg-type]
    reader = SetsReader(codec, join_units(sets, 0))
    first = Packet("video", join_units(frame, 0), True, 0.0)
    assert reader.take(first)
    assert first.sets
    config = decoder_config(replace(first.sets, length_size=length_size))
    assert config
    assert length_size_of(codec, config) == length_size
    assert set(units_of_extradata(codec, config)) == set(first.sets.units)
    slices = [unit for unit in frame if unit not in sets]
    # an end-of-sequence unit has a length of 1 or 2; a filler unit makes one of 300
    short = b"\x0a" if codec == "h264" else b"\x48\x01"
    filler = (b"\x0c" if codec == "h264" else b"\x4c\x01") + b"\xff" * (100 if length_size == 1 else 298) + b"\x80"
    units = [short, filler, *[unit for unit in slices if length_size != 1 or len(unit) < 256]]
    data = join_units(units, length_size)
    assert list(split_units(data, length_size)) == units
    if length_size > 1:
        packet = Packet("video", data, True, 0.0)
        assert SetsReader(codec, config).take(packet)
        assert packet.data == data
        assert packet.picture == PictureFormat(64, 64)


def test_a_keyframes_own_sets_count_not_those_of_the_description() -> None:
    old = encode(moving_box(320, 180), seconds=0.1)[0]
    new = encode(moving_box(640, 360), seconds=0.1)[0]
    reader = SetsReader("h264", join_units(old[:2], 0))
    packet = Packet("video", join_units(new, 0), True, 0.0)
    assert reader.take(packet)
    assert packet.sets
    assert set(packet.sets.units) == set(new[:2])
    assert packet.picture == PictureFormat(640, 360)


def test_a_stale_sps_with_another_id_is_left_out() -> None:
    old = encode(moving_box(320, 180), seconds=0.1, params="sps-id=3")[0]
    new = encode(moving_box(640, 360), seconds=0.1)[0]
    assert set_ids("h264", old[0]) == (3, None)
    reader = SetsReader("h264", join_units(old[:2], 0))
    packet = Packet("video", join_units(new, 0), True, 0.0)
    assert reader.take(packet)
    assert packet.sets
    assert [unit_kind("h264", unit[0]) for unit in packet.sets.units] == [7, 8]
    assert packet.sets.units[0] == new[0]


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_sets_between_pictures_come_with_the_next_keyframe(codec: str) -> None:
    frames = encode(moving_box(), seconds=0.2, codec=codec, gop=1)
    sets = [unit for unit in frames[0] if unit_kind(codec, unit[0]) in {32, SPS[codec], PPS[codec]}]  # type: ignore[arg-type]
    picture = [unit for unit in frames[0] if unit not in sets]
    reader = SetsReader(codec, None)
    for unit in sets:
        assert not reader.take(Packet("video", join_units([unit], 0), False, 0.0))
    packet = Packet("video", join_units(picture, 0), True, 0.1)
    assert reader.take(packet)
    assert list(split_units(packet.data, 0)) == [*sets, *picture]
    assert packet.sets
    assert set(packet.sets.units) == set(sets)
    again = Packet("video", join_units(picture, 0), True, 0.2)
    assert reader.take(again)
    assert list(split_units(again.data, 0)) == picture
    assert again.sets is packet.sets


def test_sets_of_a_new_description_go_into_the_next_keyframe() -> None:
    old, new = (encode(moving_box(width, 180), seconds=0.1)[0] for width in (320, 240))
    reader = SetsReader("h264", join_units(old[:2], 0))
    packet = Packet("video", join_units(new[2:], 0), True, 0.0, description=join_units(new[:2], 0))
    assert reader.take(packet)
    assert list(split_units(packet.data, 0))[:2] == new[:2]
    assert packet.picture == PictureFormat(240, 180)
