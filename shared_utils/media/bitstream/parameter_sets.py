"""Parse parameter sets of H.264 and H.265: their references to each other, and the picture format they describe.

Syntax: ITU-T H.264, 7.3.2.1, 7.3.2.2 and E.1.1; ITU-T H.265, 7.3.2.1 to 7.3.2.3 and E.2.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from shared_utils.media.bitstream.nal_units import (
    H264_PPS,
    H264_SPS,
    HEVC_IRAP,
    HEVC_PPS,
    HEVC_SPS,
    HEVC_VPS,
    SLICE_HEADER_BYTES,
    Codec,
    unit_kind,
)

MAX_SET_BYTES = 4096
"""Most bytes parsed of a set: real ones have some dozens, a forged one may be as large as a packet."""
MAX_EXP_GOLOMB_ZEROS = 32
"""Leading zero bits of the longest Exp-Golomb code (ITU-T H.264, 9.1)."""

H264_HIGH_PROFILES = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})
"""Values of profile_idc whose SPS contains chroma format and bit depth (ITU-T H.264, 7.3.2.1.1)."""
SAMPLE_ASPECT_RATIOS = (
    None, (1, 1), (12, 11), (10, 11), (16, 11), (40, 33), (24, 11), (20, 11), (32, 11), (80, 33), (18, 11), (15, 11),
    (64, 33), (160, 99), (4, 3), (3, 2), (2, 1),
)  # fmt: skip
"""By aspect_ratio_idc (table E-1 of both standards)."""
EXTENDED_SAR = 255
"""Value of aspect_ratio_idc for an explicit ratio."""


@dataclass(frozen=True)
class PictureFormat:
    """The format of a stream's frames, independent of how its parameter sets are coded.

    Attributes:
        width, height: pixels after cropping.
        chroma: chroma_format_idc; 1 is 4:2:0.
        luma_bits, chroma_bits: bits per sample.
        sample_aspect_ratio: a pixel's ratio of width to height; 1 if the stream does not give one.
    """

    width: int
    height: int
    chroma: int = 1
    luma_bits: int = 8
    chroma_bits: int = 8
    sample_aspect_ratio: Fraction = Fraction(1)

    def __str__(self) -> str:
        return f"{self.width}×{self.height}"


@dataclass(frozen=True)
class ParameterSets:
    """The parameter sets needed to decode from a keyframe on.

    Attributes:
        codec: ``h264`` or ``hevc``.
        length_size: bytes per length prefix in the stream's packets; 0 for start codes.
        units: the sets; of each kind, those that the keyframe refers to come first.
        picture: the format by the SPS in use; None if it cannot be parsed.
    """

    codec: Codec
    length_size: int
    units: tuple[bytes, ...]
    picture: PictureFormat | None

    def of_kind(self, *kinds: int) -> list[bytes]:
        """Return the sets of these nal_unit_types, in order."""
        return [unit for kind in kinds for unit in self.units if unit_kind(self.codec, unit[0]) == kind]

    @property
    def is_complete(self) -> bool:
        """Whether a decoder needs no other sets."""
        kinds = (H264_SPS, H264_PPS) if self.codec == "h264" else (HEVC_VPS, HEVC_SPS, HEVC_PPS)
        return all(self.of_kind(kind) for kind in kinds)


class Bits:
    """Reads numbers from a NAL unit's payload, without emulation prevention bytes (ITU-T H.264, 7.4.1).

    Raises:
        ValueError: from every method: the unit ends before the number does.
    """

    def __init__(self, unit: bytes, header_bytes: int) -> None:
        payload = unit[header_bytes:MAX_SET_BYTES].replace(b"\0\0\3", b"\0\0")
        self._value = int.from_bytes(payload)
        self._left = 8 * len(payload)

    def u(self, bits: int) -> int:
        """Return an unsigned number of `bits` bits."""
        if bits > self._left:
            raise ValueError("the unit ends in the middle of a number")
        self._left -= bits
        return (self._value >> self._left) & ((1 << bits) - 1)

    def ue(self) -> int:
        """Return an unsigned Exp-Golomb number."""
        zeros = 0
        while not self.u(1):
            zeros += 1
            if zeros > MAX_EXP_GOLOMB_ZEROS:
                raise ValueError("not an Exp-Golomb code")
        return (1 << zeros) - 1 + self.u(zeros)

    def se(self) -> int:
        """Return a signed Exp-Golomb number."""
        number = self.ue()
        return (number + 1) // 2 if number & 1 else -(number // 2)

    def skip_ue(self, count: int) -> None:
        """Skip `count` unsigned Exp-Golomb numbers."""
        for _ in range(count):
            self.ue()


def set_ids(codec: Codec, unit: bytes) -> tuple[int, int | None]:
    """Return a parameter set's own id, and that of the set it refers to (PPS: SPS; H.265's SPS: VPS).

    Raises:
        ValueError: it is damaged.
    """
    kind = unit_kind(codec, unit[0])
    if codec == "h264":
        bits = Bits(unit, 1)
        if kind == H264_SPS:
            bits.u(24)
            return bits.ue(), None
        return bits.ue(), bits.ue()
    bits = Bits(unit, 2)
    if kind == HEVC_VPS:
        return bits.u(4), None
    if kind == HEVC_PPS:
        return bits.ue(), bits.ue()
    vps = bits.u(4)
    _skip_profile_tier_level(bits, bits.u(4) >> 1)
    return bits.ue(), vps


def slice_pps(codec: Codec, unit: bytes) -> int:
    """Return the id of the PPS that a picture's first slice refers to.

    Raises:
        ValueError: it is damaged.
    """
    if len(unit) < 2:
        raise ValueError("the unit ends in the middle of its header")
    if codec == "h264":
        bits = Bits(unit[:SLICE_HEADER_BYTES], 1)
        bits.skip_ue(2)
        return bits.ue()
    bits = Bits(unit[:SLICE_HEADER_BYTES], 2)
    bits.u(2 if unit_kind(codec, unit[0]) in HEVC_IRAP else 1)
    return bits.ue()


def picture_format(codec: Codec, sps: bytes) -> PictureFormat:
    """Return the picture format that an SPS describes.

    Raises:
        ValueError: it is damaged.
    """
    found = _h264_format(sps) if codec == "h264" else _hevc_format(sps)
    if found.width <= 0 or found.height <= 0:
        raise ValueError("an SPS with an empty picture")
    return found


def _h264_format(sps: bytes) -> PictureFormat:
    bits = Bits(sps, 1)
    profile = bits.u(8)
    bits.u(16)
    bits.ue()
    chroma, luma_bits, chroma_bits, planes = 1, 8, 8, 0
    if profile in H264_HIGH_PROFILES:
        chroma = bits.ue()
        planes = bits.u(1) if chroma == 3 else 0
        luma_bits, chroma_bits = 8 + bits.ue(), 8 + bits.ue()
        bits.u(1)
        if bits.u(1):
            for index in range(8 if chroma != 3 else 12):
                if bits.u(1):
                    _skip_h264_scaling_list(bits, 16 if index < 6 else 64)
    bits.ue()
    _skip_h264_order_count(bits)
    bits.ue()
    bits.u(1)
    width, units_high = 16 * (bits.ue() + 1), bits.ue() + 1
    frames_only = bits.u(1)
    height = 16 * units_high * (2 - frames_only)
    bits.u(1 if frames_only else 2)
    left, right, top, bottom = (bits.ue() for _ in range(4)) if bits.u(1) else (0, 0, 0, 0)
    across, down = _chroma_steps(0 if planes else chroma)
    return PictureFormat(
        width - across * (left + right),
        height - down * (2 - frames_only) * (top + bottom),
        chroma,
        luma_bits,
        chroma_bits,
        _sample_aspect_ratio(bits),
    )


def _skip_h264_scaling_list(bits: Bits, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.se()) % 256
        last = following or last


def _skip_h264_order_count(bits: Bits) -> None:
    kind = bits.ue()
    if kind == 0:
        bits.ue()
    elif kind == 1:
        bits.u(1)
        bits.skip_ue(2)
        bits.skip_ue(bits.ue())


def _chroma_steps(chroma: int) -> tuple[int, int]:
    """Return the units of the cropping offsets in pixels, across and down (CropUnitX, CropUnitY)."""
    return (2 if chroma in {1, 2} else 1), (2 if chroma == 1 else 1)


def _sample_aspect_ratio(bits: Bits) -> Fraction:
    """Read the aspect ratio at the start of the VUI; return 1 if there is none."""
    if not bits.u(1) or not bits.u(1):
        return Fraction(1)
    index = bits.u(8)
    across, down = 1, 1
    if index == EXTENDED_SAR:
        across, down = bits.u(16), bits.u(16)
    elif index < len(SAMPLE_ASPECT_RATIOS):
        across, down = SAMPLE_ASPECT_RATIOS[index] or (1, 1)
    return Fraction(across, down) if across and down else Fraction(1)


def _hevc_format(sps: bytes) -> PictureFormat:
    bits = Bits(sps, 2)
    bits.u(4)
    layers = bits.u(4) >> 1
    _skip_profile_tier_level(bits, layers)
    bits.ue()
    chroma = bits.ue()
    planes = bits.u(1) if chroma == 3 else 0
    width, height = bits.ue(), bits.ue()
    left, right, top, bottom = (bits.ue() for _ in range(4)) if bits.u(1) else (0, 0, 0, 0)
    across, down = _chroma_steps(0 if planes else chroma)
    luma_bits, chroma_bits = 8 + bits.ue(), 8 + bits.ue()
    size = (width - across * (left + right), height - down * (top + bottom))
    try:
        _skip_hevc_to_vui(bits, layers)
        shape = _sample_aspect_ratio(bits)
    except ValueError:  # the size is known without the VUI
        shape = Fraction(1)
    return PictureFormat(*size, chroma, luma_bits, chroma_bits, shape)


def _skip_profile_tier_level(bits: Bits, layers: int) -> None:
    bits.u(96)
    present = [(bits.u(1), bits.u(1)) for _ in range(layers)]
    if layers:
        bits.u(2 * (8 - layers))
    for profile, level in present:
        bits.u(88 * profile + 8 * level)


def _skip_hevc_to_vui(bits: Bits, layers: int) -> None:
    order_count_bits = bits.ue() + 4
    bits.skip_ue(3 * (layers + 1 if bits.u(1) else 1))
    bits.skip_ue(6)
    if bits.u(1) and bits.u(1):
        _skip_hevc_scaling_lists(bits)
    bits.u(2)
    if bits.u(1):
        bits.u(8)
        bits.skip_ue(2)
        bits.u(1)
    _skip_hevc_reference_sets(bits)
    if bits.u(1):
        for _ in range(bits.ue()):
            bits.u(order_count_bits + 1)
    bits.u(2)


def _skip_hevc_scaling_lists(bits: Bits) -> None:
    for size in range(4):
        for _ in range(2 if size == 3 else 6):
            if not bits.u(1):
                bits.ue()
                continue
            if size > 1:
                bits.se()
            bits.skip_ue(min(64, 1 << (4 + 2 * size)))


def _skip_hevc_reference_sets(bits: Bits) -> None:
    """Skip the short-term reference picture sets; the length of a predicted one depends on the one before it."""
    pictures = 0
    for index in range(bits.ue()):
        if index and bits.u(1):
            bits.u(1)
            bits.ue()
            used = [bits.u(1) or bits.u(1) for _ in range(pictures + 1)]
            pictures = sum(used)
        else:
            negative, positive = bits.ue(), bits.ue()
            pictures = negative + positive
            for _ in range(pictures):
                bits.ue()
                bits.u(1)
