"""What packets tell without being decoded: which ones no wanted picture needs, and whether the size may change.

Pure: bytes and time stamps in, decisions out.

A picture is built on packets before its own, in the order of the file, and nothing from an IDR picture on is built on
what came before it. So what lies between the last wanted picture of a group and the next IDR picture is not needed.
Key pictures of other kinds (of open groups) are followed by pictures that may need those before, and end no group.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import cast

from shared_utils.media.bitstream.jpeg_header import jpeg_size
from shared_utils.media.bitstream.nal_units import (
    H264_SPS,
    H264_SPS_EXTENSION,
    H264_SUBSET_SPS,
    HEVC_SPS,
    START_CODE,
    Codec,
    is_idr,
    is_parameter_set,
    is_picture_data,
    length_size_of,
    unit_kind,
    unit_spans,
)

MAX_UNITS = 1000
"""Units looked at in a packet: a picture has one a slice and a few more; a forged one, millions."""
H264_MORE_SETTINGS = frozenset({H264_SPS_EXTENSION, H264_SUBSET_SPS})
SPS: dict[Codec, int] = {"h264": H264_SPS, "hevc": HEVC_SPS}
NO_EARLIER_OUTPUT = 0x40
"""Bit of the third byte of an HEVC IDR slice: pictures that still wait to be shown are dropped there."""


@dataclass(frozen=True)
class PacketFacts:
    """What matters of a packet.

    Attributes:
        stamp: its time stamp.
        restarts: it is an IDR picture.
        keep: it has to be decoded in any case: it carries settings of later pictures, or is not understood.
    """

    stamp: int
    restarts: bool = False
    keep: bool = True


class BitstreamReader:
    """Looks into the packets of one stream.

    Args:
        codec: FFmpeg's name of it; of others than ``h264`` and ``hevc`` every packet is to be decoded.
        extradata: the codec's settings in the container, which tell how the units of a packet are divided.

    Attributes:
        sizes: what packets say of the picture's size, in the codec's own way. More than one: it may change.
    """

    def __init__(self, codec: str, extradata: bytes | None) -> None:
        self._name = codec
        self.sizes: set[bytes] = set()
        self._codec: Codec | None = cast("Codec", codec) if codec in {"h264", "hevc"} else None
        self._length_size = length_size_of(codec, extradata)

    def look(self, stamp: int, data: bytes) -> PacketFacts:
        """Return what matters of the packet `data`."""
        if self._codec is None:
            size = _SIZES.get(self._name, _no_size)(data)
            self.sizes |= {size} if size else set()
            return PacketFacts(stamp)
        try:
            return self._facts(self._codec, stamp, data)
        except (ValueError, IndexError):
            return PacketFacts(stamp)

    def _facts(self, codec: Codec, stamp: int, data: bytes) -> PacketFacts:
        slices, restarts, keep = 0, True, False
        for number, (begin, end) in enumerate(unit_spans(data, self._length_size)):
            if number >= MAX_UNITS or (self._length_size and begin == end):
                raise ValueError("more units than a picture has, or an empty one")
            kind = unit_kind(codec, data[begin])
            if is_picture_data(codec, kind):
                slices += 1
                restarts = restarts and is_idr(codec, kind) and not _drops_earlier(codec, data[begin + 2])
            elif is_parameter_set(codec, kind) or (codec == "h264" and kind in H264_MORE_SETTINGS):
                keep = True
                if kind == SPS[codec]:
                    self.sizes.add(data[begin:end].rstrip(b"\0"))
        return PacketFacts(stamp, restarts, keep) if slices else PacketFacts(stamp)


def _drops_earlier(codec: Codec, third_byte: int) -> bool:
    # decoders follow it in HEVC alone
    return codec == "hevc" and bool(third_byte & NO_EARLIER_OUTPUT)


def _mpeg2_size(data: bytes) -> bytes:
    at = data.find(b"\0\0\1\xb3")
    return data[at + 4 : at + 8] if at >= 0 else b""


def _mpeg4_size(data: bytes) -> bytes:
    at = data.find(b"\0\0\1\x20")
    return data[at : data.find(START_CODE, at + 4)] if at >= 0 else b""


def _vp8_size(data: bytes) -> bytes:
    return data[6:10] if data[3:6] == b"\x9d\x01\x2a" and not data[0] & 1 else b""


def _vp9_size(data: bytes) -> bytes:
    # profile 0: eight bits of head, the sync code, four bits of colour, then width and height in 16 bits each
    return data[4:8] + bytes([data[8] & 0xF0]) if data[1:4] == b"\x49\x83\x42" and len(data) > 8 else b""


def _jpeg_size(data: bytes) -> bytes:
    size = jpeg_size(data)
    return b"%dx%d" % size if size else b""


def _no_size(_: bytes) -> bytes:
    return b""


_SIZES: dict[str, Callable[[bytes], bytes]] = {
    "mpeg1video": _mpeg2_size,
    "mpeg2video": _mpeg2_size,
    "mpeg4": _mpeg4_size,
    "vp8": _vp8_size,
    "vp9": _vp9_size,
    "mjpeg": _jpeg_size,
}


def unneeded(packets: Sequence[PacketFacts], wanted: Collection[int]) -> frozenset[int]:
    """Return the stamps of packets that no wanted picture is built on.

    Args:
        packets: all of the stream, in the order of the file.
        wanted: stamps of the pictures that are wanted.
    """
    found = set()
    needed = False
    for packet in reversed(packets):
        needed = needed or packet.stamp in wanted
        if not needed and not packet.keep:
            found.add(packet.stamp)
        if packet.restarts:
            needed = False
    return frozenset(found)
