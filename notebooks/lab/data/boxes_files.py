"""Fast reading of many boxes files, by msgspec. Their format is that of :mod:`shared_utils.contracts.boxes`."""

from __future__ import annotations

import functools
from contextlib import suppress
from pathlib import Path
from types import GenericAlias
from typing import Annotated, Any, get_type_hints

import msgspec

from notebooks.lab.data.line_types import BOX_COLUMNS, Seconds
from shared_utils.contracts.boxes import Box, boxes_header
from video_worker.steps.declarations import Kind

FrameNumber = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
_OF_KIND: dict[Kind, Any] = {
    Kind.NUMBER: float | None,
    Kind.WHOLE: int | None,
    Kind.FLAG: bool | None,
    Kind.TEXT: str | None,
}
KINDS: dict[str, Any] = get_type_hints(Box) | {name: _OF_KIND[kind] for name, kind in BOX_COLUMNS.items()}
"""What the values of a column are; those of columns that no step of this version declares may be anything."""


class _FrameNumber(msgspec.Struct, frozen=True, gc=False):
    frame: FrameNumber


_FRAME_NUMBERS: msgspec.json.Decoder[Any] = msgspec.json.Decoder(_FrameNumber)


@functools.cache
def _decoder(columns: tuple[str, ...]) -> msgspec.json.Decoder[Any]:
    """Return a decoder of the lines of a boxes file with these columns."""
    boxes = GenericAlias(list, (GenericAlias(tuple, tuple(KINDS.get(name, Any) for name in columns)),))
    frame = msgspec.defstruct(
        "BoxesFrame", [("t", Seconds), ("frame", FrameNumber), ("boxes", boxes)], frozen=True, gc=False
    )
    return msgspec.json.Decoder(frame)


class BoxesLines:
    """The lines of a boxes file.

    Args:
        path: the file.

    Attributes:
        columns: names of the values of a box, in their order.
        skipped: lines that are torn or hold something else, of those that were gone through.

    Raises:
        OSError: it cannot be read.
        FormatError: it is of another version.
    """

    def __init__(self, path: Path) -> None:
        content = path.read_bytes()
        header = boxes_header(content, path)
        self.columns = header.columns
        self.skipped = 0
        self._lines = content[header.start :]

    def rows(self, min_score: float) -> list[tuple[Any, ...]]:
        """Return the boxes of a score of `min_score` or more: of each time, frame, and the values of its columns."""
        score = self.columns.index("score")
        rows: list[tuple[Any, ...]] = []
        for frame in self._decoded(_decoder(self.columns)):
            rows += [(frame.t, frame.frame, *box) for box in frame.boxes if box[score] >= min_score]
        return rows

    def frame_numbers(self) -> list[int]:
        """Return the numbers of the sampled frames, also of those without a box."""
        return [line.frame for line in self._decoded(_FRAME_NUMBERS)]

    def _decoded(self, decoder: msgspec.json.Decoder[Any]) -> list[Any]:
        with suppress(msgspec.DecodeError, UnicodeDecodeError):
            return decoder.decode_lines(self._lines)
        found = []
        for line in self._lines.splitlines():
            try:
                found.append(decoder.decode(line))
            except (msgspec.DecodeError, UnicodeDecodeError):
                self.skipped += 1
        return found
