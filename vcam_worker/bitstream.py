"""What a packet says about its stream: the parameter sets that come with keyframes, to notice when they change."""

from __future__ import annotations

HEADER_BYTES = 4096
"""Parameter sets stand in front of a keyframe's slices; nobody sends 4 KB of them."""

H264_SPS = 7
HEVC_SPS = 33
JPEG_SOF = frozenset({0xC0, 0xC1, 0xC2})
JPEG_ALONE = frozenset({0x01, 0xD8, *range(0xD0, 0xD8)})
"""JPEG markers without a length: TEM, SOI, RSTn."""


def picture_parameters(codec: str, data: bytes) -> bytes | None:
    """Return the bytes that set a stream's picture size and profile; None where the packet holds none.

    Two packets of one stream with different answers are two different streams: a decoder, and an MP4 track, must
    begin anew between them.

    Args:
        codec: ``h264``, ``hevc`` or ``mjpeg``; others give None.
        data: a packet as received: Annex B, or a JPEG picture.
    """
    if codec == "mjpeg":
        return _jpeg_size(data)
    if codec not in {"h264", "hevc"}:
        return None
    head = data[:HEADER_BYTES]
    at = head.find(b"\0\0\1")
    while 0 <= at < len(head) - 3:
        end = head.find(b"\0\0\1", at + 3)
        unit = head[at + 3 : end if end >= 0 else len(head)]
        kind = unit[0] & 0x1F if codec == "h264" else (unit[0] >> 1) & 0x3F
        if kind == (H264_SPS if codec == "h264" else HEVC_SPS) and end >= 0:
            return unit.rstrip(b"\0")
        at = end
    return None


def _jpeg_size(data: bytes) -> bytes | None:
    """Return height and width of a JPEG picture as its frame header gives them, four bytes."""
    at = 0
    while 0 <= at < len(data) - 9 and data[at] == 0xFF:
        marker = data[at + 1]
        if marker in JPEG_SOF:
            return data[at + 5 : at + 9]
        if marker in JPEG_ALONE:
            at += 2
            continue
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None
