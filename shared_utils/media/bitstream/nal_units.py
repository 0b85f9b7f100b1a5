"""NAL units of H.264 and H.265: how they are framed in packets and stream descriptions, and what type they have.

Two framings exist (H.264: ITU-T H.264 Annex B; H.265: ITU-T H.265 Annex B; both: ISO/IEC 14496-15): start codes, as in
RTP, MPEG-TS and raw streams, and length prefixes, as in MP4, Matroska and FLV.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Literal

Codec = Literal["h264", "hevc"]
"""FFmpeg's names of the codecs that consist of NAL units."""

START_CODE = b"\0\0\1"
ANNEX_B = 0
"""Length size of a stream whose units are separated by start codes instead of length prefixes."""
SLICE_HEADER_BYTES = 64
"""Leading bytes of a slice that hold the id of its PPS; the header's first fields take a handful."""

# nal_unit_type, ITU-T H.264 table 7-1
H264_SLICES = frozenset({1, 2, 5})
"""Slices and data partitions A, which begin with a slice header."""
H264_PICTURE_DATA = frozenset(range(1, 6))
"""Slices and all data partitions. Partitions B and C (3, 4) follow their partition A (2)."""
H264_IDR = frozenset({5})
H264_SPS, H264_PPS = 7, 8
H264_SPS_EXTENSION, H264_SUBSET_SPS = 13, 15

# nal_unit_type, ITU-T H.265 table 7-1
HEVC_IDR = frozenset({19, 20})
HEVC_IRAP = range(16, 24)
"""Pictures that decoding can start with: BLA, IDR, CRA."""
HEVC_LAST_SLICE = 31
HEVC_VPS, HEVC_SPS, HEVC_PPS = 32, 33, 34

_AVCC_LENGTH_AT, _AVCC_SETS_AT = 4, 5
_HVCC_LENGTH_AT, _HVCC_SETS_AT = 21, 22
"""Offsets in the decoder configuration records (ISO/IEC 14496-15, 5.3.3.1 and 8.3.3.1)."""


def unit_kind(codec: Codec, first_byte: int) -> int:
    """Return the nal_unit_type that is coded in a unit's first byte."""
    return first_byte & 0x1F if codec == "h264" else first_byte >> 1 & 0x3F


def is_slice(codec: Codec, kind: int) -> bool:
    """Tell whether units of this type begin with a slice header."""
    return kind in H264_SLICES if codec == "h264" else kind <= HEVC_LAST_SLICE


def is_picture_data(codec: Codec, kind: int) -> bool:
    """Tell whether units of this type hold coded picture data, partitions without a slice header included."""
    return kind in H264_PICTURE_DATA if codec == "h264" else kind <= HEVC_LAST_SLICE


def is_idr(codec: Codec, kind: int) -> bool:
    """Tell whether slices of this type belong to an IDR picture, from which on nothing refers to earlier pictures."""
    return kind in (H264_IDR if codec == "h264" else HEVC_IDR)


def is_parameter_set(codec: Codec, kind: int) -> bool:
    """Tell whether units of this type are a VPS, SPS or PPS."""
    return kind in {H264_SPS, H264_PPS} if codec == "h264" else HEVC_VPS <= kind <= HEVC_PPS


def length_size_of(codec: str, extradata: bytes | None) -> int:
    """Return the bytes per length prefix in a stream's packets, or :data:`ANNEX_B`, as its description says.

    The packets themselves do not show it: a length of 1, or of 256 to 511, looks like a start code.

    Args:
        codec: FFmpeg's name; any other than ``h264`` and ``hevc`` gives :data:`ANNEX_B`.
        extradata: the stream's description: avcC, hvcC, Annex B, or None.
    """
    at = _AVCC_LENGTH_AT if codec == "h264" else _HVCC_LENGTH_AT
    # avcC and hvcC begin with configurationVersion 1, Annex B with a zero byte
    if codec in {"h264", "hevc"} and extradata and len(extradata) > at and extradata[0] == 1:
        return (extradata[at] & 3) + 1
    return ANNEX_B


def unit_spans(
    data: bytes, length_size: int, is_last: Callable[[int], bool] | None = None
) -> Iterator[tuple[int, int]]:
    """Yield where each NAL unit of a packet begins and ends, without its framing.

    Args:
        data: the packet.
        length_size: bytes per length prefix; :data:`ANNEX_B` for start codes.
        is_last: whether the unit with this first byte ends the search. Between start codes, only the first
            :data:`SLICE_HEADER_BYTES` of that unit are given: searching for its end takes most of the time.

    Raises:
        ValueError: a length prefix is cut short or reaches beyond the packet. Units before it have been yielded.
    """
    if length_size:
        yield from _prefixed_spans(data, length_size, is_last)
        return
    at = data.find(START_CODE)
    while at >= 0:
        begin = at + len(START_CODE)
        if is_last and begin < len(data) and is_last(data[begin]):
            yield begin, min(begin + SLICE_HEADER_BYTES, len(data))
            return
        at = data.find(START_CODE, begin)
        end = at if at >= 0 else len(data)
        if end > begin and not data[end - 1]:  # zero bytes belong to the framing: trailing_zero_8bits, Annex B
            end = begin + len(data[begin:end].rstrip(b"\0"))
        yield begin, end


def _prefixed_spans(
    data: bytes, length_size: int, is_last: Callable[[int], bool] | None
) -> Iterator[tuple[int, int]]:  # fmt: skip
    at = 0
    while at < len(data):
        begin = at + length_size
        at = begin + int.from_bytes(data[at:begin])
        if at > len(data):
            raise ValueError("a NAL unit reaches beyond its packet")
        yield begin, at
        if is_last and at > begin and is_last(data[begin]):
            return


def split_units(data: bytes, length_size: int, is_last: Callable[[int], bool] | None = None) -> Iterator[bytes]:
    """Yield the NAL units of a packet without their framing; stop at the first one that does not fit it.

    Empty units are left out. Arguments as for :func:`unit_spans`.
    """
    try:
        for begin, end in unit_spans(data, length_size, is_last):
            if end > begin:
                yield data[begin:end]
    except ValueError:
        return


def join_units(units: Iterable[bytes], length_size: int) -> bytes:
    """Return a packet of these NAL units, with length prefixes of `length_size` bytes or start codes."""
    return b"".join((len(unit).to_bytes(length_size) if length_size else b"\0" + START_CODE) + unit for unit in units)


def units_of_extradata(codec: str, extradata: bytes | None) -> list[bytes]:
    """Return the parameter sets in a stream's description: Annex B, avcC or hvcC (ISO/IEC 14496-15).

    A damaged description gives the sets before the damage.
    """
    if not extradata or codec not in {"h264", "hevc"}:
        return []
    if not length_size_of(codec, extradata):
        return list(split_units(extradata, ANNEX_B))
    if codec == "h264":
        return _avcc_units(extradata)
    return _hvcc_units(extradata)


def _avcc_units(record: bytes) -> list[bytes]:
    at = _AVCC_SETS_AT
    sps, at = _counted_units(record, at + 1, int.from_bytes(record[at : at + 1]) & 0x1F)
    pps, _ = _counted_units(record, at + 1, int.from_bytes(record[at : at + 1]))
    return sps + pps


def _hvcc_units(record: bytes) -> list[bytes]:
    found: list[bytes] = []
    at = _HVCC_SETS_AT + 1
    for _ in range(int.from_bytes(record[_HVCC_SETS_AT : _HVCC_SETS_AT + 1])):
        # one byte of NAL unit type, two bytes of count
        units, at = _counted_units(record, at + 3, int.from_bytes(record[at + 1 : at + 3]))
        found += units
    return found


def _counted_units(record: bytes, at: int, count: int) -> tuple[list[bytes], int]:
    """Return up to `count` units with lengths of 16 bits from `at` on, and where the last one ends.

    A unit that does not fit into the record ends the list; nothing follows it then.
    """
    found: list[bytes] = []
    for _ in range(count):
        begin = at + 2
        at = begin + int.from_bytes(record[at:begin])
        if begin >= len(record) or at > len(record):
            return found, len(record)
        found.append(record[begin:at])
    return found, at
