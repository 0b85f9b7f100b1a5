"""Completes MP4 files where FFmpeg's muxer does not: samples without the track's parameter sets, ``moov`` in front."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from shared_utils.media.bitstream.mp4_boxes import MAX_HEADER_BYTES, read_box_header
from shared_utils.media.bitstream.nal_units import is_parameter_set, join_units, split_units, unit_kind
from shared_utils.media.bitstream.parameter_sets import ParameterSets
from vcam_worker.stream.decoder_config import avcc, hvcc

LENGTH_BYTES = 4
"""Size of the length field of NAL units in samples (ISO/IEC 14496-15, 5.3.3 and 8.3.3)."""
HEVC_TAG = "hvc1"
"""Sample entry of H.265: Apple's players (Safari, iOS, QuickTime) do not play ``hev1`` (Apple HLS Authoring
Specification, 1.10)."""
MAX_MOOV_BYTES = 64 * 1024 * 1024
"""Far above that of any clip; a damaged file may state anything."""
COPY_BYTES = 1 << 20
FRONT_SUFFIX = ".front"
"""Suffix of the copy that replaces a file."""
_CONTAINERS = frozenset({b"moov", b"trak", b"mdia", b"minf", b"stbl"})


class Samples:
    """Turns packets into the samples of an ``avc1`` or ``hvc1`` track.

    Parameter sets belong into the sample entry (ISO/IEC 14496-15, 5.3.2 and 8.3.2). Samples omit them until one differs
    from the entry's; from then on they keep all, so that each keyframe carries those that apply.

    Args:
        sets: those of the sample entry, complete, and the packets' framing.

    Attributes:
        config: the decoder configuration record of the sample entry.
    """

    def __init__(self, sets: ParameterSets) -> None:
        self.config = avcc(sets, LENGTH_BYTES) if sets.codec == "h264" else hvcc(sets, LENGTH_BYTES)
        self._codec = sets.codec
        self._entry = frozenset(sets.units)
        self._length_size = sets.length_size
        self._keep = False

    def sample(self, data: bytes) -> bytes:
        """Return a packet's sample; empty where nothing of the packet can be read."""
        units = []
        for unit in split_units(data, self._length_size):
            kind = unit_kind(self._codec, unit[0])
            if is_parameter_set(self._codec, kind):
                self._keep = self._keep or unit not in self._entry
                if not self._keep:
                    continue
            units.append(unit)
        return join_units(units, LENGTH_BYTES)


@dataclass(frozen=True)
class _Box:
    kind: bytes
    at: int
    size: int

    @property
    def end(self) -> int:
        return self.at + self.size


def moov_first(path: Path) -> bool:
    """Rewrite a finished MP4 with ``moov`` before ``mdat``, so that players can start before they have all of it.

    The copy replaces the file in one step. If anything fails, the file stays unchanged.

    Returns:
        Whether ``moov`` is in front now.
    """
    front = path.with_name(path.name + FRONT_SUFFIX)
    try:
        with path.open("rb") as source:
            boxes = list(_boxes(source, 0, path.stat().st_size))
            moov = next((box for box in boxes if box.kind == b"moov"), None)
            media = next((box for box in boxes if box.kind == b"mdat"), None)
            if moov is None or media is None or moov.size > MAX_MOOV_BYTES:
                return False
            if moov.at < media.at:
                return True
            source.seek(moov.at)
            index = bytearray(source.read(moov.size))
            _shift_offsets(index, media.at, moov.size)
            with front.open("wb") as target:
                _copy(source, target, 0, media.at)
                target.write(index)
                _copy(source, target, media.at, moov.at)
                _copy(source, target, moov.end, path.stat().st_size)
        front.replace(path)
    except (OSError, ValueError, struct.error):
        # a full disk: the clip is complete as it is
        with suppress(OSError):
            front.unlink(missing_ok=True)
        return False
    return True


def _boxes(file: BinaryIO, at: int, end: int) -> Iterator[_Box]:
    while at + 8 <= end:
        file.seek(at)
        header = read_box_header(file.read(MAX_HEADER_BYTES))
        size = end - at if header.size is None else header.size
        if at + size > end:
            raise ValueError("a box is longer than what holds it")
        yield _Box(header.kind, at, size)
        at += size


def _shift_offsets(moov: bytearray, media_at: int, by: int) -> None:
    """Add `by` to the chunk offsets in `moov` that point at or after `media_at`."""
    pending = [(0, len(moov))]
    while pending:
        at, end = pending.pop()
        while at + 8 <= end:
            header = read_box_header(bytes(moov[at : at + MAX_HEADER_BYTES]))
            size = end - at if header.size is None else header.size
            if at + size > end:
                raise ValueError("a box is longer than what holds it")
            content = at + header.header_bytes
            if header.kind in _CONTAINERS:
                pending.append((content, at + size))
            elif header.kind in {b"stco", b"co64"}:
                form = ">{}I" if header.kind == b"stco" else ">{}Q"
                (count,) = struct.unpack_from(">I", moov, content + 4)
                offsets = struct.unpack_from(form.format(count), moov, content + 8)
                shifted = [one + by if one >= media_at else one for one in offsets]
                struct.pack_into(form.format(count), moov, content + 8, *shifted)
            at += size


def _copy(source: BinaryIO, target: BinaryIO, start: int, end: int) -> None:
    source.seek(start)
    while start < end:
        data = source.read(min(COPY_BYTES, end - start))
        if not data:
            raise ValueError("the file became shorter")
        target.write(data)
        start += len(data)
