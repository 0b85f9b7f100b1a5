"""The boxes of MP4 files, as they stand in them."""

from __future__ import annotations

import struct
from pathlib import Path

import av


def box_order(path: Path) -> list[str]:
    """Return the names of a file's boxes, the outermost ones, in order."""
    data, at, found = path.read_bytes(), 0, []
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, at + 8)
        found.append(kind.decode("latin1"))
        assert size >= 8, f"{kind!r} of {size} bytes"
        at += size
    assert at == len(data)
    return found


def decoded(path: Path) -> list[tuple[int, int]]:
    """Return the size of every frame of a clip. Any damage raises."""
    with av.open(str(path)) as clip:
        clip.streams.video[0].codec_context.options = {"err_detect": "explode"}
        return [(frame.width, frame.height) for frame in clip.decode(video=0)]
