"""Writes fragmented MP4 with one video track, box by box (ISO/IEC 14496-12; 14496-15 for the sample entries).

A fragment holds one frame, so that a viewer waits for none that follows. All fragments have the same layout: the times
of one are changed in place, so that each viewer's file begins at time 0. FFmpeg's muxer would need one instance, with
its own buffers, per viewer.
"""

from __future__ import annotations

import struct
from fractions import Fraction

from shared_utils.media.bitstream.nal_units import H264_SPS, HEVC_SPS
from shared_utils.media.bitstream.parameter_sets import ParameterSets
from vcam_worker.stream.decoder_config import hevc_profile

TIMESCALE = 90_000
"""Ticks per second: the clock of H.264 over RTP, as in clips."""
TRACK = 1
TRUN_FLAGS = 0x000F01
"""The run states its data offset, and each sample's duration, size, flags and composition offset."""
SYNC_SAMPLE, OTHER_SAMPLE = 0x02000000, 0x01010000
"""Sample flags (8.8.3.1): depends on no other frame; depends on others, and is no sync sample."""
_UNITY = struct.pack(">9i", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
"""The matrix of a picture that is neither turned nor scaled (8.2.2.3)."""
_TIME_AT = 8 + 16 + 8 + 16 + 12
"""Offset of a fragment's time: after the headers of moof, traf and tfdt, and the boxes mfhd and tfhd."""
_TIME_END = _TIME_AT + 8
_DURATION_AT = _TIME_END + 8 + 12
_DURATION_END = _DURATION_AT + 4
_OFFSET_AT = _DURATION_END + 8
_MOOF_BYTES = _OFFSET_AT + 4


def codecs_parameter(sets: ParameterSets) -> str:
    """Return the ``codecs`` parameter of the media type, such as ``avc1.64001F`` (RFC 6381, 3.3; 14496-15, annex E)."""
    if sets.codec == "h264":
        return f"avc1.{sets.of_kind(H264_SPS)[0][1:4].hex().upper()}"
    profile = hevc_profile(sets.of_kind(HEVC_SPS)[0])
    space = ("", "A", "B", "C")[profile[0] >> 6]
    # bits in reverse order: profile 0 is the lowest
    compatible = int(f"{int.from_bytes(profile[1:5]):032b}"[::-1], 2)
    tier = "H" if profile[0] & 0x20 else "L"
    constraints = profile[5:11].rstrip(b"\0")
    parts = [f"hvc1.{space}{profile[0] & 0x1F}", f"{compatible:X}", f"{tier}{profile[11]}"]
    return ".".join(parts + [f"{byte:X}" for byte in constraints])


def init_segment(sets: ParameterSets, config: bytes, width: int, height: int) -> bytes:
    """Return ``ftyp`` and ``moov``: what a player needs before the first fragment.

    Args:
        sets: of the keyframe that fragments begin with.
        config: decoder configuration record, whose samples have 4-byte length prefixes.
        width, height: of the coded picture, pixels.
    """
    pixel = sets.picture.sample_aspect_ratio if sets.picture else Fraction(1)
    entry = _sample_entry(sets.codec, config, width, height, pixel)
    empty = struct.pack(">II", 0, 0)
    table = _box(
        b"stbl",
        _box(b"stsd", struct.pack(">II", 0, 1) + entry),
        _box(b"stts", empty),
        _box(b"stsc", empty),
        _box(b"stsz", empty + bytes(4)),
        _box(b"stco", empty),
    )
    reference = _box(b"dref", struct.pack(">II", 0, 1) + _box(b"url ", struct.pack(">I", 1)))
    media = _box(
        b"mdia",
        _box(b"mdhd", struct.pack(">IIIIIHH", 0, 0, 0, TIMESCALE, 0, 0x55C4, 0)),
        _box(b"hdlr", struct.pack(">II4s12x", 0, 0, b"vide") + b"\0"),
        _box(b"minf", _box(b"vmhd", struct.pack(">IHHHH", 1, 0, 0, 0, 0)), _box(b"dinf", reference), table),
    )
    shown = struct.pack(">II", round(width * pixel * 0x10000) & 0xFFFFFFFF, height << 16)
    track = _box(
        b"trak",
        _box(b"tkhd", struct.pack(">IIIIII8xHHHH", 3, 0, 0, TRACK, 0, 0, 0, 0, 0, 0) + _UNITY + shown),
        media,
    )
    head = struct.pack(">IIIIIIH10x", 0, 0, 0, TIMESCALE, 0, 0x10000, 0x100) + _UNITY + bytes(24)
    movie = _box(
        b"moov",
        _box(b"mvhd", head + struct.pack(">I", TRACK + 1)),
        track,
        _box(b"mvex", _box(b"trex", struct.pack(">IIIIII", 0, TRACK, 1, 0, 0, 0))),
    )
    return _box(b"ftyp", b"iso5\0\0\2\0iso5iso6mp41") + movie


def _sample_entry(codec: str, config: bytes, width: int, height: int, pixel: Fraction) -> bytes:
    head = struct.pack(">6xH16xHHIIIH32xHh", 1, width, height, 0x480000, 0x480000, 0, 1, 24, -1)
    boxes = [_box(b"avcC" if codec == "h264" else b"hvcC", config)]
    if pixel != 1:
        boxes.append(_box(b"pasp", struct.pack(">II", pixel.numerator, pixel.denominator)))
    return _box(b"avc1" if codec == "h264" else b"hvc1", head, *boxes)


def fragment(time: int, duration: int, offset: int, sample: bytes, *, number: int, is_keyframe: bool) -> bytes:
    """Return ``moof`` and ``mdat`` with one frame.

    Args:
        time: when it is decoded, ticks; 0 or more.
        duration: ticks until the next frame is decoded.
        offset: ticks from decoding to presentation; may be negative.
        sample: the frame.
        number: of the fragment, from 1 on; it wraps at 32 bits.
        is_keyframe: decoding can start here.
    """
    flags = SYNC_SAMPLE if is_keyframe else OTHER_SAMPLE
    run = struct.pack(">IIiIIIi", 0x01000000 | TRUN_FLAGS, 1, _MOOF_BYTES + 8, duration, len(sample), flags, offset)
    track = _box(
        b"traf",
        _box(b"tfhd", struct.pack(">II", 0x020000, TRACK)),  # default-base-is-moof
        _box(b"tfdt", struct.pack(">IQ", 0x01000000, time)),
        _box(b"trun", run),
    )
    moof = _box(b"moof", _box(b"mfhd", struct.pack(">II", 0, number & 0xFFFFFFFF)), track)
    return moof + struct.pack(">I4s", 8 + len(sample), b"mdat") + sample


def at_time(data: bytes, time: int, offset: int, duration: int | None = None) -> bytes:
    """Return a fragment with another decoding time and offset and, where one is given, another duration; ticks."""
    lasts = data[_DURATION_AT:_DURATION_END] if duration is None else duration.to_bytes(4)
    return b"".join(
        (
            data[:_TIME_AT],
            time.to_bytes(8),
            data[_TIME_END:_DURATION_AT],
            lasts,
            data[_DURATION_END:_OFFSET_AT],
            offset.to_bytes(4, signed=True),
            data[_MOOF_BYTES:],
        )
    )


def _box(kind: bytes, *content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + sum(map(len, content)), kind) + b"".join(content)
