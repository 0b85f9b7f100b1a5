"""Types of the lines of ``detections_log.jsonl`` for msgspec, and the columns that are made of them.

The worker's steps declare keys and columns of their own, which are read like all others.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec

from shared_utils.contracts.boxes import COLUMNS
from shared_utils.contracts.record import SCHEMA
from video_worker.steps import STEPS
from video_worker.steps.declarations import Kind, LogColumn

NO_WHOLE = -1
"""Stands for a missing whole number or flag in a column."""

Text = str | None
Whole = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)] | None
Number = Annotated[float, msgspec.Meta(ge=-1e15, le=1e15)] | None
LONGEST_S = 366 * 24 * 3600.0
"""Seconds into a clip that are believed: a year. More are no time that a frame can have."""
Seconds = Annotated[float, msgspec.Meta(ge=0, le=LONGEST_S)]
EMPTY = msgspec.Raw(b"")


class Clip(msgspec.Struct, frozen=True, gc=False):
    """``clip`` of a line."""

    sha256: Text = None
    started_at: Text = None
    duration_s: Seconds | None = math.nan
    frames: Whole = NO_WHOLE
    width: Whole = NO_WHOLE
    height: Whole = NO_WHOLE


class Model(msgspec.Struct, frozen=True, gc=False):
    """``model`` of a line. Few differ, so it is decoded once each."""

    name: Text = None
    sha256: Text = None
    engine: Text = None
    conf: Number = None
    imgsz: Whole = None
    fps: Number = None
    input: list[int] | None = None


class Options(msgspec.Struct, frozen=True, gc=False):
    """``options`` of a line; decoded once each as well."""

    imgsz: Whole = None
    min_hits: Whole = None
    classes: list[str] | None = None
    aspect: Text = None


class Timing(msgspec.Struct, frozen=True, gc=False):
    """``timing`` of a line."""

    queued_s: Number = math.nan
    decode_s: Number = math.nan
    infer_s: Number = math.nan
    total_s: Number = math.nan


class KnownLine(msgspec.Struct, frozen=True, gc=False):
    """What is read of every line. Those of a newer `schema` than :data:`SCHEMA` are skipped."""

    ok: bool
    filename: Annotated[str, msgspec.Meta(min_length=1)]
    run_id: Text = None
    job_id: Text = None
    camera: Text = None
    error: Text = None
    detected: msgspec.Raw = EMPTY
    count: Whole = NO_WHOLE
    timestamp: Text = None
    clip: Clip = Clip()
    model: msgspec.Raw = EMPTY
    timing: Timing = Timing()
    options: msgspec.Raw = EMPTY
    objects: msgspec.Raw = EMPTY
    zones: msgspec.Raw = EMPTY
    schema: Annotated[int, msgspec.Meta(le=SCHEMA)] | None = None


STEP_COLUMNS = tuple(column for step in STEPS for column in step.adds.columns)
"""Columns that the worker's steps declare."""
_FIELDS: dict[Kind, tuple[Any, Any]] = {
    Kind.NUMBER: (Number, math.nan),
    Kind.WHOLE: (Whole, NO_WHOLE),
    Kind.FLAG: (bool | None, None),
    Kind.TEXT: (Text, None),
}
"""Type and default of a field, by the kind of its column."""


def _line_type(columns: Sequence[LogColumn]) -> tuple[type[KnownLine], dict[str, tuple[str, ...]], tuple[str, ...]]:
    """Return the type of a line with the steps' keys.

    Returns:
        The type; of each key that holds a mapping, the columns that its fields become; the columns that the fields of
        the line itself become. Both in the order of the fields.
    """
    fields: list[tuple[str, Any, Any]] = []
    names = list(KnownLine.__struct_fields__)
    inner: dict[str, list[LogColumn]] = {}
    for column in columns:
        if len(column.path) == 1:
            fields.append((column.path[0], *_FIELDS[column.kind]))
            names.append(column.name)
        else:
            inner.setdefault(column.path[0], []).append(column)
    for key, parts in inner.items():
        struct = msgspec.defstruct(
            key.title(), [(part.path[-1], *_FIELDS[part.kind]) for part in parts], frozen=True, gc=False
        )
        fields.append((key, struct, struct()))
        names.append(key)
    line: Any = msgspec.defstruct("Line", fields, bases=(KnownLine,), frozen=True, gc=False)
    return line, {key: tuple(part.name for part in parts) for key, parts in inner.items()}, tuple(names)


Line, OF_STEPS, OF_LINE = _line_type(STEP_COLUMNS)
OF_CLIP = ("clip_sha256", *Clip.__struct_fields__[1:])
OF_TIMING = Timing.__struct_fields__
"""Columns that the fields of a type become, in their order."""


BOX_COLUMNS = {
    column.name: column.kind for step in STEPS for column in step.adds.box_columns if column.name not in COLUMNS
}
"""Kinds of the values of boxes that steps declare, beside those that every boxes file has."""


def _declared(kind: Kind) -> tuple[str, ...]:
    return tuple(column.name for column in STEP_COLUMNS if column.kind is kind)


TEXTS = ("run_id", "job_id", "filename", "clip_sha256", *_declared(Kind.TEXT))
TIMES = ("timestamp", "started_at")
NUMBERS = ("duration_s", "queued_s", "decode_s", "infer_s", "total_s", *_declared(Kind.NUMBER))
WHOLES = ("count", "frames", "width", "height", *_declared(Kind.WHOLE))
FLAGS = ("ok", *_declared(Kind.FLAG))
"""Columns by kind."""
