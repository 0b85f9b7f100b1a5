"""What packets tell without being decoded: which ones no wanted picture needs, and whether the size may change.

Pure: bytes and time stamps in, decisions out.

A picture is built on packets before its own, in the order of the file, and nothing from an IDR picture on is built on
what came before it. So what lies between the last wanted picture of a group and the next IDR picture is not needed.
Key pictures of other kinds (of open groups) are followed by pictures that may need those before, and end no group.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

MAX_UNITS = 1000
"""Units looked at in a packet: a picture has one a slice and a few more; a forged one, millions."""
START_CODE = b"\0\0\1"
NO_EARLIER_OUTPUT = 0x40
"""Bit of the third byte of an HEVC IDR slice: pictures that still wait to be shown are dropped there."""


@dataclass(frozen=True)
class Kinds:
    """A codec's numbers for the kinds of unit that matter."""

    slices: frozenset[int]
    idr: frozenset[int]
    settings: frozenset[int]
    size: int
    """Of the settings that tell the picture's size: the sequence parameter set."""


H264 = Kinds(frozenset(range(1, 6)), frozenset({5}), frozenset({7, 8, 13, 15}), 7)
HEVC = Kinds(frozenset(range(32)), frozenset({19, 20}), frozenset({32, 33, 34}), 33)


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
        self._codec = codec
        self.sizes: set[bytes] = set()
        self._kinds = {"h264": H264, "hevc": HEVC}.get(codec)
        lengths_at = 4 if codec == "h264" else 21
        # MP4 and its like begin with a 1 and put its length before each unit; others put a start code
        framed = extradata is not None and len(extradata) > lengths_at and extradata[0] == 1
        self._length_size = (extradata[lengths_at] & 3) + 1 if framed and extradata else 0

    def look(self, stamp: int, data: bytes) -> PacketFacts:
        """Return what matters of the packet `data`."""
        if self._kinds is None:
            size = _SIZES.get(self._codec, _no_size)(data)
            self.sizes |= {size} if size else set()
            return PacketFacts(stamp)
        try:
            units = []
            for at, end in self._units(data):
                kind = self._kind(data[at])
                units.append((kind, at))
                if kind == self._kinds.size:
                    self.sizes.add(data[at:end].rstrip(b"\0"))
            slices = [(kind, at) for kind, at in units if kind in self._kinds.slices]
            restarts = all(kind in self._kinds.idr and not self._drops_earlier(data[at + 2]) for kind, at in slices)
        except (ValueError, IndexError):
            return PacketFacts(stamp)
        if not slices:
            return PacketFacts(stamp)
        return PacketFacts(stamp, restarts, keep=any(kind in self._kinds.settings for kind, _ in units))

    def _kind(self, first_byte: int) -> int:
        return first_byte & 0x1F if self._kinds is H264 else first_byte >> 1 & 0x3F

    def _drops_earlier(self, third_byte: int) -> bool:
        # the decoder heeds it in HEVC alone
        return self._kinds is HEVC and bool(third_byte & NO_EARLIER_OUTPUT)

    def _units(self, data: bytes) -> Iterator[tuple[int, int]]:
        """Yield where each unit begins and ends."""
        at = 0 if self._length_size else data.find(START_CODE)
        for _ in range(MAX_UNITS):
            if self._length_size:
                if at >= len(data):
                    return
                begin = at + self._length_size
                at = begin + int.from_bytes(data[at:begin])
                if at > len(data) or at == begin:
                    raise ValueError("a unit of no length, or beyond the packet's end")
            else:
                if at < 0:
                    return
                begin = at + len(START_CODE)
                at = data.find(START_CODE, begin)
            yield begin, at if at >= 0 else len(data)
        raise ValueError("more units than a picture has")


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
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        if data[at + 1] in {0xC0, 0xC1, 0xC2}:
            return data[at + 5 : at + 9]
        at += 2 + int.from_bytes(data[at + 2 : at + 4])
    return b""


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
