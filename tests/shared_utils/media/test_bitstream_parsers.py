"""Framing of NAL units, JPEG headers and MP4 box headers, on bytes made by hand."""

from __future__ import annotations

from functools import partial

import pytest

from shared_utils.media.bitstream.jpeg_header import jpeg_size
from shared_utils.media.bitstream.mp4_boxes import BoxHeader, read_box_header
from shared_utils.media.bitstream.nal_units import (
    ANNEX_B,
    SLICE_HEADER_BYTES,
    is_slice,
    join_units,
    length_size_of,
    split_units,
    unit_kind,
    unit_spans,
    units_of_extradata,
)

SPS, PPS, SLICE = b"\x67\x64\0\x28", b"\x68\xee", b"\x65\x88\x80" + bytes(range(1, 200))


def ends_search(codec: str, first_byte: int) -> bool:
    return is_slice("h264", unit_kind("h264", first_byte))


@pytest.mark.parametrize("length_size", [ANNEX_B, 1, 2, 4])
def test_units_that_are_joined_are_split_again(length_size):
    units = [SPS, PPS, SLICE[:200]]
    assert list(split_units(join_units(units, length_size), length_size)) == units


def test_zeros_between_units_belong_to_the_framing():
    data = b"\0\0\0\1" + SPS + b"\0\0\0\0\1" + PPS + b"\0\0\1\0\0\0"
    assert list(split_units(data, ANNEX_B)) == [SPS, PPS]


def test_the_search_ends_with_the_first_slice():
    data = join_units([SPS, SLICE, PPS], ANNEX_B)
    assert list(split_units(data, ANNEX_B, partial(ends_search, "h264"))) == [SPS, SLICE[:SLICE_HEADER_BYTES]]
    data = join_units([SPS, SLICE, PPS], 4)
    assert list(split_units(data, 4, partial(ends_search, "h264"))) == [SPS, SLICE]


@pytest.mark.parametrize("damage", [b"\0", b"\0\0\0", b"\0\0\0\x09" + PPS, b"\xff\xff\xff\xff"])
def test_a_length_beyond_the_packet_is_reported_or_ends_the_units(damage):
    data = join_units([SPS], 4) + damage
    assert list(split_units(data, 4)) == [SPS]
    with pytest.raises(ValueError, match="beyond its packet"):
        list(unit_spans(data, 4))


def test_descriptions_of_either_kind_give_their_sets():
    avcc = b"\x01\x64\0\x28\xff\xe1" + b"\0\x04" + SPS + b"\x01" + b"\0\x02" + PPS
    assert length_size_of("h264", avcc) == 4
    assert units_of_extradata("h264", avcc) == [SPS, PPS]
    assert units_of_extradata("h264", avcc[:-1]) == [SPS]  # cut short
    vps, sps = b"\x40\x01\x0c", b"\x42\x01\x01\x02"
    hvcc = b"\x01" + bytes(20) + b"\xfd" + b"\x02" + b"\xa0\0\x01\0\x03" + vps + b"\xa1\0\x01\0\x04" + sps
    assert length_size_of("hevc", hvcc) == 2
    assert units_of_extradata("hevc", hvcc) == [vps, sps]
    assert units_of_extradata("h264", join_units([SPS, PPS], ANNEX_B)) == [SPS, PPS]
    assert length_size_of("vp9", avcc) == ANNEX_B
    assert units_of_extradata("vp9", avcc) == units_of_extradata("h264", None) == []


@pytest.mark.parametrize(
    ("segments", "size"),
    [
        (b"\xff\xe0\0\x04ab" + b"\xff\xc0\0\x11\x08\0\x50\0\xa0", (160, 80)),
        (b"\xff\xff\xff\xc2\0\x11\x08\0\x50\0\xa0", (160, 80)),  # a fill byte, progressive
        (b"\xff\xc4\0\x03a" + b"\xff\xd3" + b"\xff\xc1\0\x11\x08\0\x50\0\xa0", (160, 80)),  # DHT is no frame header
        (b"\xff\xda\0\x02" + b"\xff\xc0\0\x11\x08\0\x50\0\xa0", None),  # behind the start of the scan
        (b"\xff\xc0\0\x11\x08\0\0\0\xa0", None),
        (b"\xff\xc0\0\x11\x08\0", None),
        (b"garbage that is long enough", None),
    ],
)
def test_the_size_of_a_jpeg(segments, size):
    assert jpeg_size(b"\xff\xd8" + segments + b"\0") == size


def test_box_headers():
    assert read_box_header(b"\0\0\0\x10moov" + bytes(8)) == BoxHeader(b"moov", 8, 16)
    assert read_box_header(b"\0\0\0\x01mdat" + (1 << 33).to_bytes(8)) == BoxHeader(b"mdat", 16, 1 << 33)
    assert read_box_header(b"\0\0\0\0mdat") == BoxHeader(b"mdat", 8, None)
    for damaged in (b"\0\0\0\x10moo", b"\0\0\0\x07moov", b"\0\0\0\x01mdat" + (15).to_bytes(8), b"\0\0\0\x01mdat\0"):
        with pytest.raises(ValueError, match="box"):
            read_box_header(damaged)
