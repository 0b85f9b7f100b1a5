"""Decodes lines of ``events_log.jsonl`` and of the events files of clips into columns, fast, by msgspec.

As with ``detections_log.jsonl``, lines are decoded with types, many at a time, and only the fields that become columns.
A block with an invalid line is decoded line by line; of a line with an invalid value, the valid ones are kept.
"""

from __future__ import annotations

import io
import json
import math
from array import array
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import msgspec

from notebooks.lab.data.line_types import LONGEST_S, NO_WHOLE, Number, Text
from notebooks.lab.data.log_lines import Codes, blocks, loads, no_collection, salvaged
from shared_utils.contracts.events import SCHEMA
from shared_utils.contracts.json_lines import to_line

JOINED_BYTES = 1_000_000
"""Events files are short: they are decoded together, about so many bytes at a time."""

Plain = str | int | float | bool | None
Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)] | None
Seconds = Annotated[float, msgspec.Meta(ge=0, le=LONGEST_S)] | None
Share = Annotated[float, msgspec.Meta(ge=-10, le=10)]


class EventLine(msgspec.Struct, frozen=True, gc=False):
    """What is read of every line: the common keys, and those of its type that become columns."""

    type: Annotated[str, msgspec.Meta(min_length=1)]
    at: str
    id: Annotated[str, msgspec.Meta(min_length=1)]
    camera: Text = None
    zone: Text = None
    value: Plain = None
    confidence: Number = math.nan
    source: Text = None
    run_id: Text = None
    filename: Text = None
    t: Seconds = math.nan
    picture: Text = None
    label: Text = None
    track: Count = NO_WHOLE
    direction: Text = None
    dwell_s: Seconds = math.nan
    box: tuple[Share, Share, Share, Share] | None = None
    state: Text = None
    reason: Text = None
    text: Text = None
    number: Number = math.nan
    unit: Text = None
    engine: Text = None
    module: Text = None
    level: Number = math.nan
    score: Number = math.nan
    readings: Count = NO_WHOLE
    task: Count = NO_WHOLE
    min: Number = math.nan
    max: Number = math.nan
    schema: Annotated[int, msgspec.Meta(ge=SCHEMA, le=SCHEMA)] | None = None


CODED = (
    *("type", "camera", "zone", "source", "run_id", "filename"),
    *("label", "direction", "state", "reason", "unit", "engine", "module"),
)
"""Texts that repeat."""
TEXTS = ("id", "value", "picture", "text")
NUMBERS = ("confidence", "t", "dwell_s", "number", "level", "score", "min", "max")
WHOLES = ("track", "readings", "task")
CORNERS = ("x1", "y1", "x2", "y2")
"""Columns of `box`, in 0..1 of the picture."""
_FIELDS = EventLine.__struct_fields__
_NOWHERE = (math.nan,) * 4


class EventColumns:
    """Events, column by column.

    Attributes:
        texts, coded, numbers, wholes, times: by column; missing ones are None, NaN and :data:`NO_WHOLE`.
        codes: meanings of `coded`.
        skipped: lines skipped, by reason.
        mended: lines kept without some invalid values.
    """

    def __init__(self) -> None:
        self.texts: dict[str, list[str | None]] = {name: [] for name in TEXTS}
        self.coded = {name: array("i") for name in CODED}
        self.codes = {name: Codes() for name in CODED}
        self.numbers = {name: array("d") for name in (*NUMBERS, *CORNERS)}
        self.wholes = {name: array("q") for name in WHOLES}
        self.times: list[Any] = []
        self.skipped: Counter[str] = Counter()
        self.mended = 0

    def add(self, lines: Sequence[EventLine], times: Callable[[Sequence[Any]], Any]) -> None:
        """Append `lines`; `times` converts a list of ISO 8601 texts."""
        if not lines:
            return
        # all attributes at once and one zip: a fifth of the time that single attributes take
        found = dict(zip(_FIELDS, zip(*map(msgspec.structs.astuple, lines), strict=True), strict=True))
        for name in TEXTS:
            values: Sequence[str | None] = found[name]
            if name == "value":
                values = [one if one is None or isinstance(one, str) else json.dumps(one) for one in values]
            self.texts[name].extend(values)
        for name in CODED:
            self.coded[name].extend(map(self.codes[name].__getitem__, found[name]))
        for name in NUMBERS:
            self.numbers[name].extend([math.nan if one is None else one for one in found[name]])
        for name in WHOLES:
            self.wholes[name].extend([NO_WHOLE if one is None else one for one in found[name]])
        corners = zip(*(box or _NOWHERE for box in found["box"]), strict=True)
        for name, values in zip(CORNERS, corners, strict=True):
            self.numbers[name].extend(values)
        self.times.append(times(found["at"]))

    def salvage(self, line: bytes) -> Iterator[EventLine]:
        """Yield what can be kept of an invalid line; count what cannot."""
        if not line.strip():
            return
        found = loads(line)
        if found is None:
            self.skipped["not JSON" if line.endswith(b"\n") else "torn at the end"] += 1
            return
        if not isinstance(found, dict) or not isinstance(found.get("type"), str):
            self.skipped["foreign"] += 1
            return
        schema = found.get("schema", SCHEMA)
        if schema != SCHEMA:
            self.skipped[newer(schema)] += 1
            return
        value = found.get("value")
        if isinstance(value, dict | list):
            found["value"] = json.dumps(value)
        invalid: list[str] = []
        event = salvaged(EventLine, found, invalid)
        if event is None:
            self.skipped["foreign"] += 1
            return
        self.mended += bool(invalid)
        yield event


def newer(schema: object) -> str:
    """Return why a line of that schema is skipped."""
    return f"of schema {str(schema)[:20]}, which this version does not know: update vcam"


def read_log(path: Path, columns: EventColumns, kept: Collection[str] | None, times: Callable[..., Any]) -> None:
    """Add the events of the log at `path`; a missing one is empty.

    Args:
        path: the log.
        columns: get them.
        kept: types of events to keep; None for all.
        times: converts a list of ISO 8601 texts.

    Raises:
        SettingError: it is no file, or cannot be read.
    """
    with no_collection():
        for block in blocks(path):
            columns.add(_of(kept, _decoded(block, columns)), times)


def read_files(
    paths: Iterable[Path], columns: EventColumns, kept: Collection[str] | None, times: Callable[..., Any]
) -> int:
    """Add the events of events files of clips; arguments as for :func:`read_log`.

    Returns:
        How many of the files cannot be read; those of a later version count among the lines skipped.
    """
    unreadable = 0
    with no_collection():
        joined: list[bytes] = []
        size = 0
        for path in paths:
            try:
                content = _without_header(path.read_bytes(), columns)
            except OSError:
                unreadable += 1
                continue
            joined.append(content)
            size += len(content)
            if size >= JOINED_BYTES:
                columns.add(_of(kept, _decoded(b"".join(joined), columns)), times)
                joined, size = [], 0
        columns.add(_of(kept, _decoded(b"".join(joined), columns)), times)
    return unreadable


def _without_header(content: bytes, columns: EventColumns) -> bytes:
    """Return the lines of an events file; nothing of one of a later version, which is counted."""
    header, _, lines = content.partition(b"\n")
    if not header.startswith(_HEADER):
        found = loads(header)
        if isinstance(found, dict) and found.get("schema", SCHEMA) != SCHEMA:
            columns.skipped[f"events file {newer(found['schema'])}"] += 1
            return b""
        if not isinstance(found, dict) or "columns" not in found:  # of a file without a header
            lines = content
    # a torn last line must not spoil the first one of the next file
    return lines if lines.endswith(b"\n") or not lines else lines + b"\n"


_HEADER = to_line({"schema": SCHEMA, "columns": []}).removesuffix("[]}").encode()


def _of(kept: Collection[str] | None, lines: list[EventLine]) -> list[EventLine]:
    return lines if kept is None else [line for line in lines if line.type in kept]


def _decoded(block: bytes, columns: EventColumns) -> list[EventLine]:
    with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _DECODER.decode_lines(block)
    return list(_one_by_one(block, columns))


def _one_by_one(block: bytes, columns: EventColumns) -> Iterator[EventLine]:
    for line in io.BytesIO(block):
        try:
            yield from _DECODER.decode_lines(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            yield from columns.salvage(line)


_DECODER: msgspec.json.Decoder[EventLine] = msgspec.json.Decoder(EventLine)
