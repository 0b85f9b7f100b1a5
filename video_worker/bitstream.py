"""Which packets of an H.264 or HEVC stream no wanted picture needs. Pure: bytes and time stamps in, decisions out.

A picture is built on packets before its own, in the order of the file, and nothing from an IDR picture on is built on
what came before it. So what lies between the last wanted picture of a group and the next IDR picture is not needed.
Key pictures of other kinds (of open groups) are followed by pictures that may need those before, and end no group.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
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


H264 = Kinds(frozenset(range(1, 6)), frozenset({5}), frozenset({7, 8, 13, 15}))
HEVC = Kinds(frozenset(range(32)), frozenset({19, 20}), frozenset({32, 33, 34}))


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
    """

    def __init__(self, codec: str, extradata: bytes | None) -> None:
        self._kinds = {"h264": H264, "hevc": HEVC}.get(codec)
        lengths_at = 4 if codec == "h264" else 21
        # MP4 and its like begin with a 1 and put its length before each unit; others put a start code
        framed = extradata is not None and len(extradata) > lengths_at and extradata[0] == 1
        self._length_size = (extradata[lengths_at] & 3) + 1 if framed and extradata else 0

    def look(self, stamp: int, data: bytes) -> PacketFacts:
        """Return what matters of the packet `data`."""
        if self._kinds is None:
            return PacketFacts(stamp)
        try:
            units = [(self._kind(data[at]), at) for at in self._units(data)]
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

    def _units(self, data: bytes) -> Iterator[int]:
        """Yield where each unit begins."""
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
            yield begin
        raise ValueError("more units than a picture has")


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
