"""Live frames as capture sends them: parts of a multipart answer (docs/contracts.md)."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

from shared_utils.errors import SourceRefused
from video_worker.http_stream import HttpStream

MAX_PART_BYTES = 32 * 2**20
"""A JPEG of 4K in the best quality takes 8 MB."""
MAX_HEADERS, MAX_HEADER_BYTES = 30, 2000
MAX_BOUNDARY_BYTES = 200
PART_S = 10.0
"""Longest time from the first byte of a part to its last."""
SOONEST_S, LATEST_S = 978_307_200.0, 32_503_680_000.0
"""The years 2001 to 3000: times outside them are none of a frame."""


@dataclass(frozen=True)
class LiveFrame:
    """A frame of a camera, as JPEG.

    Attributes:
        jpeg: its bytes.
        at: when it was taken, seconds since the epoch.
        motion: share of the picture that moved by the newest verdict, 0..1; None where capture does not say.
        is_still: whether capture sees no motion; False where it does not say.
    """

    jpeg: bytes
    at: float
    motion: float | None = None
    is_still: bool = False


def read_frames(stream: HttpStream, quiet_s: float) -> Iterator[LiveFrame]:
    """Yield the frames of an answer as they come.

    Args:
        stream: the answer.
        quiet_s: longest time without a part; infinite where nothing is sent while nothing moves.

    Raises:
        SourceError: the connection ended, or what comes is no frame.
    """
    boundary = _boundary(stream.content_type)
    while True:
        with stream.within(quiet_s):
            stream.has_more()
        with stream.within(PART_S):
            if not _skip_to(stream, boundary):
                return
            frame = _frame(stream)
        yield frame


def _boundary(content_type: str) -> bytes:
    match = re.fullmatch(r'multipart/x-mixed-replace\s*;\s*boundary="?([^";\s]+)"?', content_type.strip())
    if not match or len(match[1]) > MAX_BOUNDARY_BYTES:
        raise SourceRefused(f"capture sends {content_type[:80]!r} where frames were asked for: see CAPTURE_URL")
    return b"--" + match[1].removeprefix("--").encode("utf-8", "replace")


def _skip_to(stream: HttpStream, boundary: bytes) -> bool:
    """Read blank lines and a boundary; return False where it is the last one."""
    while not (line := stream.read_line(MAX_HEADER_BYTES)):
        pass
    if line == boundary + b"--":
        return False
    if line != boundary:
        raise SourceRefused("capture sends something between two frames that is no boundary")
    return True


def _frame(stream: HttpStream) -> LiveFrame:
    headers: dict[str, str] = {}
    for _ in range(MAX_HEADERS + 1):
        line = stream.read_line(MAX_HEADER_BYTES)
        if not line:
            break
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    else:
        raise SourceRefused(f"capture sends a frame with more than {MAX_HEADERS} headers")
    length, at, motion = (headers.get(name, "") for name in ("content-length", "x-timestamp", "x-motion"))
    if not re.fullmatch(r"[0-9]{1,12}", length) or not 0 < int(length) <= MAX_PART_BYTES:
        raise SourceRefused(f"capture announces a frame of {length[:20] or 'unknown'} bytes")
    taken = _number(at)
    if taken is None or not SOONEST_S <= taken <= LATEST_S:
        raise SourceRefused(f"capture sends a frame with the time {at[:40]!r}")
    return LiveFrame(stream.read(int(length)), taken, _number(motion), headers.get("x-moving") == "0")


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
