"""RTP packets: access units of a file, payloads of NAL units (RFC 6184, RFC 7798), RTP heads (RFC 3550)."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path

import av
from av.bitstream import BitStreamFilterContext

from shared_utils.media.bitstream.nal_units import Codec, is_parameter_set, split_units, unit_kind

VIDEO_CLOCK_HZ = 90_000
VIDEO_PAYLOAD_TYPE = 96
MAX_PAYLOAD_BYTES = 1400
"""What fits into an Ethernet frame beside the heads, as cameras send it."""
_H264_FRAGMENT = 28
"""FU-A of RFC 6184, section 5.8: a piece of a NAL unit."""
_HEVC_FRAGMENT = 49
"""FU of RFC 7798, section 4.4.3."""
_FIRST, _LAST = 0x80, 0x40
_MARKER = 0x80
_VERSION_2 = 0x80


def access_units(path: Path) -> list[tuple[bytes, bool]]:
    """Return the frames of an H.264 file in Annex B with their parameter sets, and whether each is a keyframe."""
    with av.open(str(path)) as source:
        stream = source.streams.video[0]
        to_annex_b = BitStreamFilterContext("h264_mp4toannexb", stream)
        return [
            (bytes(filtered), packet.is_keyframe)
            for packet in source.demux(stream)
            if packet.size
            for filtered in to_annex_b.filter(packet)
        ]


def nal_units(access_unit: bytes) -> list[bytes]:
    """Return the NAL units of an access unit in Annex B."""
    return list(split_units(access_unit, 0))


def parameter_sets(units: Iterable[bytes], codec: Codec = "h264") -> list[bytes]:
    """Return the VPS, SPS and PPS among NAL units."""
    return [unit for unit in units if is_parameter_set(codec, unit_kind(codec, unit[0]))]


def payloads(unit: bytes, codec: Codec = "h264") -> list[bytes]:
    """Return a NAL unit as RTP payloads: as it is where it fits, else in pieces."""
    if len(unit) <= MAX_PAYLOAD_BYTES:
        return [unit]
    if codec == "h264":
        prefix, kind, body = bytes([unit[0] & 0xE0 | _H264_FRAGMENT]), unit[0] & 0x1F, unit[1:]
    else:
        prefix, kind, body = bytes([unit[0] & 0x81 | _HEVC_FRAGMENT << 1, unit[1]]), unit[0] >> 1 & 0x3F, unit[2:]
    room = MAX_PAYLOAD_BYTES - len(prefix) - 1
    found = []
    for at in range(0, len(body), room):
        flags = (_FIRST if at == 0 else 0) | (_LAST if at + room >= len(body) else 0)
        found.append(prefix + bytes([flags | kind]) + body[at : at + room])
    return found


def packet(payload: bytes, *, kind: int, marker: bool, sequence: int, stamp: int, source: int = 1) -> bytes:
    """Return an RTP packet.

    Args:
        kind: payload type of the track's media section.
        marker: whether it is the last packet of its frame.
        sequence, stamp: only their lower 16 and 32 bits are sent.
        source: SSRC.
    """
    second = (_MARKER if marker else 0) | kind
    return struct.pack("!BBHII", _VERSION_2, second, sequence & 0xFFFF, stamp & 0xFFFFFFFF, source) + payload


def interleaved(channel: int, data: bytes) -> bytes:
    """Return an RTP or RTCP packet as it travels within the RTSP connection (RFC 2326, section 10.12)."""
    return struct.pack("!cBH", b"$", channel, len(data)) + data
