"""Find packets that need not be decoded, and changes of the picture size, without decoding.

Pure: bytes and time stamps in, decisions out.

A frame depends on packets before its own, in file order, and nothing from an IDR picture on depends on anything before
it. So the packets between the last wanted frame of a GOP and the next IDR picture are not needed. Keyframes of other
kinds (recovery points, CRA pictures of open GOPs) may be followed by frames that depend on earlier ones: they end no
GOP here.
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
"""NAL units inspected per packet: a picture has one per slice and a few more; a forged packet may have millions."""
H264_MORE_SETTINGS = frozenset({H264_SPS_EXTENSION, H264_SUBSET_SPS})
SPS: dict[Codec, int] = {"h264": H264_SPS, "hevc": HEVC_SPS}
NO_EARLIER_OUTPUT = 0x40
"""Bit in the third byte of an IDR slice of H.265: no_output_of_prior_pics_flag (ITU-T H.265, 7.3.6.1). The decoder
drops the frames that it has not output yet."""


@dataclass(frozen=True)
class PacketFacts:
    """What one packet says about dependencies.

    Attributes:
        stamp: its presentation time stamp, in the stream's time base.
        restarts: it is an IDR picture.
        keep: it has to be decoded in any case: it contains parameter sets, or cannot be parsed.
    """

    stamp: int
    restarts: bool = False
    keep: bool = True


class BitstreamReader:
    """Inspects the packets of one stream.

    Args:
        codec: FFmpeg's name; for codecs other than ``h264`` and ``hevc`` every packet has to be decoded.
        extradata: the stream's description (avcC, hvcC, Annex B), which says how NAL units are framed.

    Attributes:
        sizes: the distinct bytes in which packets gave the picture's size. More than one: the size may change.
    """

    def __init__(self, codec: str, extradata: bytes | None) -> None:
        self._name = codec
        self.sizes: set[bytes] = set()
        self._codec: Codec | None = cast("Codec", codec) if codec in {"h264", "hevc"} else None
        self._length_size = length_size_of(codec, extradata)

    def inspect(self, stamp: int, data: bytes) -> PacketFacts:
        """Return what the packet `data` with the time stamp `stamp` says about dependencies."""
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
    # libavcodec applies it to H.265 (libavcodec/hevc/refs.c); for H.264, h264_refs.c skips the flag
    return codec == "hevc" and bool(third_byte & NO_EARLIER_OUTPUT)


def _mpeg2_size(data: bytes) -> bytes:
    # sequence_header_code, then 12 bits each of width and height (ISO/IEC 13818-2, 6.2.2.1)
    at = data.find(b"\0\0\1\xb3")
    return data[at + 4 : at + 8] if at >= 0 else b""


def _mpeg4_size(data: bytes) -> bytes:
    # video_object_layer_start_code and its whole header (ISO/IEC 14496-2, 6.2.3)
    at = data.find(b"\0\0\1\x20")
    return data[at : data.find(START_CODE, at + 4)] if at >= 0 else b""


def _vp8_size(data: bytes) -> bytes:
    # a keyframe: the start code, then width and height (RFC 6386, 9.1)
    return data[6:10] if data[3:6] == b"\x9d\x01\x2a" and not data[0] & 1 else b""


def _vp9_size(data: bytes) -> bytes:
    # profile 0: 8 bits of header, the sync code, 4 bits of colour, then width and height in 16 bits each
    # (VP9 Bitstream Specification, 6.2)
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
    """Return the stamps of the packets that no wanted frame depends on.

    Args:
        packets: all packets of the stream, in file order.
        wanted: stamps of the wanted frames.
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
