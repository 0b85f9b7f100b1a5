"""Decoder configuration records of H.264 and H.265: avcC and hvcC (ISO/IEC 14496-15, 5.3.3 and 8.3.3)."""

from __future__ import annotations

import struct

from shared_utils.media.bitstream.nal_units import H264_PPS, H264_SPS, HEVC_PPS, HEVC_SPS, HEVC_VPS, join_units
from shared_utils.media.bitstream.parameter_sets import H264_HIGH_PROFILES, ParameterSets


def decoder_config(sets: ParameterSets) -> bytes | None:
    """Return the decoder configuration for packets framed as in `sets`: Annex B, avcC or hvcC.

    None where sets are missing.
    """
    if not sets.is_complete:
        return None
    if not sets.length_size:
        return join_units(sets.units, 0)
    build = avcc if sets.codec == "h264" else hvcc
    return build(sets, sets.length_size)


def avcc(sets: ParameterSets, length_size: int) -> bytes:
    """Return an AVCDecoderConfigurationRecord."""
    sps, pps = sets.of_kind(H264_SPS), sets.of_kind(H264_PPS)
    record = bytes((1, *sps[0][1:4], 0xFC | (length_size - 1), 0xE0 | len(sps)))
    record += b"".join(_counted(unit) for unit in sps) + bytes((len(pps),)) + b"".join(_counted(unit) for unit in pps)
    if sets.picture and sps[0][1] in H264_HIGH_PROFILES:
        picture = sets.picture
        record += bytes((0xFC | picture.chroma, 0xF8 | (picture.luma_bits - 8), 0xF8 | (picture.chroma_bits - 8), 0))
    return record


def hvcc(sets: ParameterSets, length_size: int) -> bytes:
    """Return an HEVCDecoderConfigurationRecord whose sample entry is ``hvc1``."""
    sps = sets.of_kind(HEVC_SPS)[0].replace(b"\0\0\3", b"\0\0")
    layers = (sps[2] >> 1 & 7) + 1
    picture = sets.picture
    chroma, luma, other = (picture.chroma, picture.luma_bits, picture.chroma_bits) if picture else (1, 8, 8)
    record = b"\1" + hevc_profile(sps)
    record += struct.pack(">HBBBBH", 0xF000, 0xFC, 0xFC | chroma, 0xF8 | (luma - 8), 0xF8 | (other - 8), 0)
    record += bytes((layers << 3 | (sps[2] & 1) << 2 | (length_size - 1), 3))
    for kind in (HEVC_VPS, HEVC_SPS, HEVC_PPS):
        units = sets.of_kind(kind)
        record += bytes((0x80 | kind,)) + struct.pack(">H", len(units)) + b"".join(_counted(unit) for unit in units)
    return record


def hevc_profile(sps: bytes) -> bytes:
    """Return the 12 bytes of an SPS of H.265 that hold profile, tier, compatibility, constraints and level."""
    return sps.replace(b"\0\0\3", b"\0\0")[3:15]


def _counted(unit: bytes) -> bytes:
    return struct.pack(">H", len(unit)) + unit
