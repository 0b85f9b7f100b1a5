"""What MP4 files need that the muxer does not do: sample entries of our own, ``hvc1`` samples, ``moov`` in front."""

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
from vcam_worker.stream.decoder_config import hvcc

LENGTH_BYTES = 4
"""Bytes of a unit's length in H.265 samples that we frame."""
HEVC_TAG = "hvc1"
"""Sample entry of H.265: Safari, iOS and QuickTime do not play ``hev1``."""
MAX_MOOV_BYTES = 64 * 1024 * 1024
"""Far above any clip's; a damaged file may claim anything."""
COPY_BYTES = 1 << 20
FRONT_SUFFIX = ".front"
"""Added to a file's name for the copy that takes its place."""
_CONTAINERS = frozenset({b"moov", b"trak", b"mdia", b"minf", b"stbl"})


class HevcSamples:
    """Turns H.265 packets into the samples of an ``hvc1`` track.

    Parameter sets belong into the sample entry. They are left out of samples until one differs from the entry's;
    from there on all are kept, so that each keyframe brings those that count.

    Args:
        sets: those of the sample entry, and the packets' framing.
    """

    def __init__(self, sets: ParameterSets) -> None:
        self.config = hvcc(sets, LENGTH_BYTES)
        self._entry = frozenset(sets.units)
        self._length_size = sets.length_size
        self._keep = False

    def sample(self, data: bytes) -> bytes:
        """Return a packet's sample."""
        units = []
        for unit in split_units(data, self._length_size):
            kind = unit_kind("hevc", unit[0])
            if is_parameter_set("hevc", kind):
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
    """Rewrite a finished MP4 so that ``moov`` stands in front of ``mdat``: players begin before they have all of it.

    The copy takes the file's place in one step. Whatever goes wrong, the file stays as it was.

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
        # a full disk: the clip is whole as it is, and more worth than its order
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
    """Add `by` to the chunk offsets in `moov` that point behind `media_at`."""
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
