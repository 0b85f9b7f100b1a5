"""NAL units and parameter sets of H.264 and H.265 packets: how units are framed, and which sets a keyframe needs.

A stream's parameter sets come in its description (SDP, MP4 header), in its keyframes, between them, or in several of
these places, and not always with the same content. What a keyframe itself brings counts, then what was sent before
it, then the description.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import cast

from shared_utils.media.parameter_sets import (
    H264_PPS,
    H264_SPS,
    HEVC_PPS,
    HEVC_SPS,
    HEVC_VPS,
    Codec,
    ParameterSets,
    PictureFormat,
    is_parameter_set,
    is_slice,
    picture_format,
    set_ids,
    slice_pps,
    unit_kind,
)
from vcam_worker.stream.packets import Packet

START_CODE = b"\0\0\1"
ANNEX_B = 0
"""Length size of a stream whose units begin with start codes instead of their length."""
MAX_UNITS = 64
"""Units looked at in front of a picture's first slice; real ones are a handful."""
SLICE_HEADER_BYTES = 64
"""Beginning of a slice that names its PPS."""
MAX_HELD_BYTES = 65536
"""Bytes of packets without a picture that are held back for the packet that follows."""

JPEG_SOF = frozenset({0xC0, 0xC1, 0xC2})
JPEG_ALONE = frozenset({0x01, 0xD8, *range(0xD0, 0xD8)})
"""JPEG markers without a length: TEM, SOI, RSTn."""


def length_size_of(codec: str, extradata: bytes | None) -> int:
    """Return the size of the unit lengths in a stream's packets, 0 for start codes, as its description says.

    The packets cannot tell: a length of 1, or of 256 to 511, looks like a start code.
    """
    at = 4 if codec == "h264" else 21
    # avcC and hvcC begin with their version, 1; Annex B with a zero
    if codec in {"h264", "hevc"} and extradata and len(extradata) > at and extradata[0] == 1:
        return (extradata[at] & 3) + 1
    return ANNEX_B


def split_units(
    data: bytes, length_size: int, is_last: Callable[[int], bool] | None = None
) -> Iterator[bytes]:  # fmt: skip
    """Yield the units of a packet without their framing; what does not fit the framing ends it.

    Args:
        data: the packet.
        length_size: bytes of the lengths; 0: start codes.
        is_last: tells by a unit's first byte that it ends the search; of that one only the beginning is given, as to
            look for its end takes most of the time.
    """
    if length_size:
        at = 0
        while at + length_size <= len(data):
            begin = at + length_size
            at = begin + int.from_bytes(data[at:begin])
            if at > len(data):
                return
            if at > begin:
                yield data[begin:at]
                if is_last and is_last(data[begin]):
                    return
        return
    begin = data.find(START_CODE)
    while 0 <= begin < len(data) - len(START_CODE):
        begin += len(START_CODE)
        if is_last and is_last(data[begin]):
            yield data[begin : begin + SLICE_HEADER_BYTES]
            return
        end = data.find(START_CODE, begin)
        unit = (data[begin:end] if end >= 0 else data[begin:]).rstrip(b"\0")
        if unit:
            yield unit
        begin = end


def join_units(units: Iterable[bytes], length_size: int) -> bytes:
    """Return a packet of these units."""
    return b"".join((len(unit).to_bytes(length_size) if length_size else b"\0" + START_CODE) + unit for unit in units)


def units_of_extradata(codec: str, extradata: bytes | None) -> list[bytes]:
    """Return the parameter sets of a stream's description: Annex B, avcC or hvcC."""
    if not extradata or codec not in {"h264", "hevc"}:
        return []
    if not length_size_of(codec, extradata):
        return list(split_units(extradata, ANNEX_B))
    found: list[bytes] = []
    at = 5 if codec == "h264" else 22
    groups = 2 if codec == "h264" else extradata[22] if len(extradata) > 22 else 0
    at += codec == "hevc"
    for group in range(groups):
        if codec == "hevc":
            at += 1
        size = 1 if codec == "h264" else 2
        count = int.from_bytes(extradata[at : at + size])
        count &= 0x1F if codec == "h264" and group == 0 else 0xFFFF
        at += size
        for _ in range(count):
            begin = at + 2
            at = begin + int.from_bytes(extradata[at:begin])
            if begin >= len(extradata) or at > len(extradata):
                return found
            found.append(extradata[begin:at])
    return found


class SetsReader:
    """Follows the parameter sets of one stream, packet by packet.

    Args:
        codec: FFmpeg's name; packets of others than ``h264`` and ``hevc`` pass as they are.
        extradata: the stream's description.
    """

    def __init__(self, codec: str, extradata: bytes | None) -> None:
        self._is_jpeg = codec == "mjpeg"
        self._codec: Codec | None = cast("Codec", codec) if codec in {"h264", "hevc"} else None
        self._length_size = length_size_of(codec, extradata)
        self._known: dict[tuple[int, int], bytes] = {}
        self._held: list[bytes] = []
        self._owed = False  # the description changed, and no packet has carried its sets since
        self._last: ParameterSets | None = None
        self._learn(units_of_extradata(codec, extradata))

    def take(self, packet: Packet) -> bool:
        """Look at a video packet; complete its data, and a keyframe's ``sets`` and ``picture``.

        Returns:
            False for a packet without a picture, such as parameter sets alone: they come with the one after it.
        """
        if self._codec is None:
            if self._is_jpeg:
                packet.picture = _jpeg_format(packet.data)
            return True
        if packet.description is not None:
            self._renew(packet.description)
        sets, first_slice = self._front(self._codec, packet.data)
        self._learn(sets)
        self._owed = self._owed and not sets
        if first_slice is None:
            self._hold(packet.data)
            return False
        if self._held:
            packet.data, self._held = b"".join([*self._held, packet.data]), []
        if packet.is_keyframe:
            packet.sets = self._in_force(self._codec, sets, first_slice)
            packet.picture = packet.sets.picture
            if self._owed:
                packet.data = join_units(packet.sets.units, self._length_size) + packet.data
                self._owed = False
        return True

    def _renew(self, description: bytes) -> None:
        """Take a new description in mid-stream, as RTMP and fragmented MP4 send one before a change."""
        codec = self._codec or ""
        units = units_of_extradata(codec, description)
        if units:
            self._length_size = length_size_of(codec, description)
            self._owed = not set(units) <= set(self._known.values())
            self._learn(units)

    def _front(self, codec: Codec, data: bytes) -> tuple[list[bytes], bytes | None]:
        """Return the parameter sets in front of a packet's first slice, and that slice.

        It is None where there are other units only, and empty where no units can be told apart.
        """
        sets: list[bytes] = []
        unit = None
        is_last = partial(_is_slice_byte, codec)
        for number, unit in enumerate(split_units(data, self._length_size, is_last)):
            kind = unit_kind(codec, unit[0])
            if is_slice(codec, kind) or number >= MAX_UNITS:
                return sets, unit
            if is_parameter_set(codec, kind):
                sets.append(unit)
        return sets, b"" if unit is None else None

    def _learn(self, units: Iterable[bytes]) -> None:
        for unit in units:
            if self._codec and is_parameter_set(self._codec, unit_kind(self._codec, unit[0])):
                try:
                    own, _ = set_ids(self._codec, unit)
                except ValueError:
                    continue
                self._known[unit_kind(self._codec, unit[0]), own] = unit

    def _hold(self, data: bytes) -> None:
        self._held.append(data)
        while sum(map(len, self._held)) > MAX_HELD_BYTES:
            self._held.pop(0)

    def _in_force(self, codec: Codec, own: list[bytes], first_slice: bytes) -> ParameterSets:
        units = self._referred_to(codec, own, first_slice)
        if self._last and self._last.units == units and self._last.length_size == self._length_size:
            return self._last
        sps_kind = H264_SPS if codec == "h264" else HEVC_SPS
        picture = None
        for unit in units:
            if unit_kind(codec, unit[0]) == sps_kind:
                try:
                    picture = picture_format(codec, unit)
                except ValueError:
                    picture = None
                break
        self._last = ParameterSets(codec, self._length_size, units, picture)
        return self._last

    def _referred_to(self, codec: Codec, own: list[bytes], first_slice: bytes) -> tuple[bytes, ...]:
        """Return the sets that a keyframe refers to, then those it brings, then further PPS of the same SPS.

        Other sets are left out: a description may hold an SPS that the camera no longer uses.
        """
        sps_kind, pps_kind = (H264_SPS, H264_PPS) if codec == "h264" else (HEVC_SPS, HEVC_PPS)
        everything = tuple(unit for _, unit in sorted(self._known.items()))
        try:
            pps = self._known[pps_kind, slice_pps(codec, first_slice)]
            sps_id = set_ids(codec, pps)[1] or 0
            sps = self._known[sps_kind, sps_id]
            vps_id = set_ids(codec, sps)[1]
            more = [unit for (kind, _), unit in self._known.items() if kind == pps_kind]
            more = [unit for unit in more if set_ids(codec, unit)[1] == sps_id]
            vps = [] if codec == "h264" else [self._known[HEVC_VPS, vps_id or 0]]
        except (KeyError, ValueError):
            return everything
        found = dict.fromkeys([*vps, sps, pps, *own, *more])
        return tuple(sorted(found, key=lambda unit: unit_kind(codec, unit[0])))


def _is_slice_byte(codec: Codec, first_byte: int) -> bool:
    return is_slice(codec, unit_kind(codec, first_byte))


def _jpeg_format(data: bytes) -> PictureFormat | None:
    """Return the size of a JPEG picture as its frame header gives it."""
    at = 0
    while 0 <= at < len(data) - 9 and data[at] == 0xFF:
        marker = data[at + 1]
        if marker in JPEG_SOF:
            height, width = int.from_bytes(data[at + 5 : at + 7]), int.from_bytes(data[at + 7 : at + 9])
            return PictureFormat(width, height) if width and height else None
        if marker in JPEG_ALONE:
            at += 2
            continue
        at += 2 + int.from_bytes(data[at + 2 : at + 4])
    return None
