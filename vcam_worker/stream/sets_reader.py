"""Tracks the parameter sets of H.264 and H.265 streams: which ones a keyframe needs.

Cameras send parameter sets in the stream's description (SDP, RFC 6184, 8.2.1; MP4 header), in keyframes, between them,
or in several of these places, and not always with the same content. Those of the keyframe itself take precedence, then
those sent before it, then those of the description.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import cast

from shared_utils.media.bitstream.jpeg_header import jpeg_size
from shared_utils.media.bitstream.nal_units import (
    H264_PPS,
    H264_SPS,
    HEVC_PPS,
    HEVC_SPS,
    HEVC_VPS,
    Codec,
    is_parameter_set,
    is_slice,
    join_units,
    length_size_of,
    split_units,
    unit_kind,
    units_of_extradata,
)
from shared_utils.media.bitstream.parameter_sets import (
    ParameterSets,
    PictureFormat,
    picture_format,
    set_ids,
    slice_pps,
)
from vcam_worker.stream.packets import Packet

MAX_UNITS = 64
"""NAL units inspected before a frame's first slice; real streams have a handful."""
MAX_HELD_BYTES = 65536
"""Bytes of packets without a frame that are held for the packet that follows."""


class SetsReader:
    """Tracks the parameter sets of one stream, packet by packet.

    Args:
        codec: FFmpeg's name; packets of codecs other than ``h264`` and ``hevc`` pass unchanged.
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
        """Inspect a video packet; complete its data, and the ``sets`` and ``picture`` of a keyframe.

        Returns:
            False for a packet without a frame, such as parameter sets alone: they are added to the next one.
        """
        if self._codec is None:
            if self._is_jpeg:
                size = jpeg_size(packet.data)
                packet.picture = PictureFormat(*size) if size else None
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
        """Take a new description in mid-stream, as RTMP and fragmented MP4 send before a change."""
        codec = self._codec or ""
        units = units_of_extradata(codec, description)
        if units:
            self._length_size = length_size_of(codec, description)
            self._owed = not set(units) <= set(self._known.values())
            self._learn(units)

    def _front(self, codec: Codec, data: bytes) -> tuple[list[bytes], bytes | None]:
        """Return the parameter sets before a packet's first slice, and that slice.

        It is None where there are other units only, and empty where the units cannot be separated.
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
        """Return the sets that a keyframe refers to, then those it contains, then further PPS of the same SPS.

        Other sets are left out, as a description may hold an SPS that the camera no longer uses.
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
