"""Decodes lines of ``detections_log.jsonl`` into columns, fast, for :mod:`notebooks.lab.data.results`.

Python's own JSON is too slow for a million lines, so lines are decoded with types, many at a time, and only the fields
that become columns. A block with an invalid line is decoded line by line; an invalid line is read by ``json``, and its
valid values are kept.
"""

from __future__ import annotations

import gc
import io
import json
import math
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from notebooks.lab.data.line_types import (
    FLAGS,
    NO_WHOLE,
    NUMBERS,
    OF_CLIP,
    OF_LINE,
    OF_STEPS,
    OF_TIMING,
    TEXTS,
    TIMES,
    WHOLES,
    KnownLine,
    Line,
    Model,
    Options,
)
from shared_utils.contracts.json_lines import settled_size
from shared_utils.contracts.record import SCHEMA
from shared_utils.errors import SettingError

BLOCK_BYTES = 4_000_000
"""Lines decoded at a time: their Python objects take three times as much memory meanwhile."""
T = TypeVar("T", bound=msgspec.Struct)


class Codes(dict[Any, int]):
    """Numbers values from 0 in the order in which they first appear; None is -1."""

    def __init__(self) -> None:
        super().__init__({None: NO_WHOLE})

    def __missing__(self, value: Any) -> int:
        code = self[value] = len(self) - 1
        return code

    @property
    def values_in_order(self) -> list[Any]:
        """The values; the place of each is its number."""
        return list(self)[1:]


class Columns:
    """The log, column by column, in plain arrays and lists.

    Attributes:
        numbers, wholes, flags: by column; missing ones are NaN and :data:`NO_WHOLE`.
        texts: by column; None is missing.
        objects, zones: ``objects`` and ``zones`` of each line as JSON; empty for lines without.
        camera, error, detected, model, options: codes of each line; for their meanings see `cameras`, `errors`,
            :meth:`label_sets`, :meth:`models`, :meth:`option_sets`.
        skipped: lines skipped, by reason.
        mended: lines kept without some invalid values.
    """

    def __init__(self) -> None:
        self.texts: dict[str, list[str | None]] = {name: [] for name in TEXTS}
        self.times: dict[str, list[Any]] = {name: [] for name in TIMES}
        self.numbers = {name: array("d") for name in NUMBERS}
        self.wholes = {name: array("i") for name in WHOLES}
        self.flags = {name: array("b") for name in FLAGS}
        self.camera, self.error = array("i"), array("i")
        self.detected, self.model, self.options = array("i"), array("i"), array("i")
        self.objects: list[str] = []
        self.zones: list[str] = []
        self.skipped: Counter[str] = Counter()
        self.mended = 0
        self.cameras, self.errors = Codes(), Codes()
        self._detected, self._models, self._options = Codes(), Codes(), Codes()

    def label_sets(self) -> list[tuple[str, ...]]:
        """Return the meanings of the codes of `detected`; count invalid ones."""
        found = []
        for code, raw in enumerate(self._detected.values_in_order):
            decoded = loads(raw or b"null")
            labels = tuple(_clean(one) for one in decoded if isinstance(one, str)) if isinstance(decoded, list) else ()
            if decoded is not None and list(labels) != decoded:
                self.mended += self.detected.count(code)
            found.append(labels)
        return found

    def models(self) -> list[Model]:
        """Return the meanings of the codes of `model`; count invalid ones."""
        return self._parts(self._models, self.model, Model)

    def option_sets(self) -> list[Options]:
        """Return the meanings of the codes of `options`; count invalid ones."""
        return self._parts(self._options, self.options, Options)

    def _parts(self, table: Codes, column: array[int], kind: type[T]) -> list[T]:
        found = []
        for code, raw in enumerate(table.values_in_order):
            try:
                part = msgspec.json.decode(raw or b"null", type=kind | None) or kind()
            except (msgspec.DecodeError, UnicodeDecodeError):
                decoded, invalid = loads(raw), list[str]()
                kept = salvaged(kind, decoded, invalid) if isinstance(decoded, dict) else None
                part = kind() if kept is None else kept
                if invalid or kept is None:
                    self.mended += column.count(code)
            found.append(part)
        return found

    def add(self, lines: Sequence[KnownLine], times: Callable[[Sequence[Any]], Any]) -> None:
        """Append `lines`; `times` converts a list of ISO 8601 texts."""
        if not lines:
            return
        line = _columns_of(lines, OF_LINE)
        found = line | _columns_of(line["clip"], OF_CLIP) | _columns_of(line["timing"], OF_TIMING)
        for key, names in OF_STEPS.items():
            found |= _columns_of(line[key], names)
        for name in TEXTS:
            self.texts[name].extend(found[name])
        for name in TIMES:
            self.times[name].append(times(found[name]))
        for name in NUMBERS:
            _extend(self.numbers[name], found[name], math.nan)
        for name in WHOLES:
            _extend(self.wholes[name], found[name], NO_WHOLE)
        for name in FLAGS:
            _extend(self.flags[name], found[name], NO_WHOLE)
        self.camera.extend(map(self.cameras.__getitem__, line["camera"]))
        self.error.extend(map(self.errors.__getitem__, line["error"]))
        self.model.extend(map(self._models.__getitem__, map(bytes, line["model"])))
        self.options.extend(map(self._options.__getitem__, map(bytes, line["options"])))
        self.detected.extend(map(self._detected.__getitem__, map(bytes, line["detected"])))
        self.objects.extend([str(raw, "utf-8", "replace") for raw in line["objects"]])
        self.zones.extend([str(raw, "utf-8", "replace") for raw in line["zones"]])

    def salvage(self, line: bytes) -> Iterator[KnownLine]:
        """Yield what can be kept of an invalid line; count what cannot."""
        if not line.strip():
            return
        found = loads(line)
        if found is None:
            self.skipped["not JSON" if line.endswith(b"\n") else "torn at the end"] += 1
            return
        if not isinstance(found, dict) or not isinstance(found.get("ok"), bool):
            self.skipped["foreign"] += 1
            return
        schema = found.get("schema")
        if isinstance(schema, int | float) and schema > SCHEMA:
            self.skipped[f"of schema {schema:g}, which this version does not know: update vcam"] += 1
            return
        invalid: list[str] = []
        record = salvaged(Line, found, invalid)
        if record is None:
            self.skipped["foreign"] += 1
            return
        self.mended += bool(invalid)
        yield record


def _columns_of(things: Iterable[Any], names: tuple[str, ...]) -> dict[str, tuple[Any, ...]]:
    # all attributes at once and one zip: a fifth of the time that single attributes take
    return dict(zip(names, zip(*map(msgspec.structs.astuple, things), strict=True), strict=True))


def read_columns(path: Path, times: Callable[[Sequence[Any]], Any]) -> Columns:
    """Return the columns of the log at `path`; a missing one is empty.

    Args:
        path: the log.
        times: converts a list of ISO 8601 texts.

    Raises:
        SettingError: it is no file, or cannot be read.
    """
    columns = Columns()
    decode = msgspec.json.Decoder(Line).decode_lines
    with no_collection():
        for block in blocks(path):
            try:
                lines = decode(block)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                lines = list(_one_by_one(block, columns))
            columns.add(lines, times)
    return columns


def salvaged(kind: type[T], found: dict[str, Any], invalid: list[str]) -> T | None:
    """Return a `kind` of those values of `found` that fit it; None when a required one is missing.

    Args:
        kind: what to make.
        found: names and values.
        invalid: gets the names of values that do not fit.
    """
    values: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        value = found.get(field.encode_name)
        if value is None:
            continue
        if field.type is msgspec.Raw:
            values[field.name] = msgspec.Raw(_plain_json(value))
            continue
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct) and isinstance(value, dict):
            values[field.name] = salvaged(field.type, value, invalid)
            continue
        try:
            # "0.5" for 0.5 is understood; text may hold halves of surrogate pairs, which no file or screen takes
            values[field.name] = msgspec.convert(_clean(value), field.type, strict=False)
            if values[field.name] != values[field.name]:  # the text NaN
                invalid.append(field.name)
        except msgspec.ValidationError:
            invalid.append(field.name)
    try:
        return kind(**values)
    except TypeError:
        return None


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    return [_clean(one) for one in value] if isinstance(value, list) else value


def _plain_json(value: Any) -> bytes:
    return json.dumps(value).encode()


def loads(text: bytes | str) -> Any:
    """Return the value of JSON text, with NaN and infinities as text; None if it is invalid."""
    try:
        return json.loads(text, parse_constant=str)
    except (ValueError, RecursionError):
        return None


def _extend(column: array[Any], values: Sequence[Any], missing: float) -> None:
    length = len(column)
    try:
        column.extend(values)
    except TypeError:  # a null
        del column[length:]
        column.extend([missing if value is None else value for value in values])


def _one_by_one(block: bytes, columns: Columns) -> Iterator[KnownLine]:
    decode = msgspec.json.Decoder(Line).decode_lines
    for line in io.BytesIO(block):
        try:
            yield from decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            yield from columns.salvage(line)


def blocks(path: Path) -> Iterator[bytes]:
    """Yield the file in pieces that end where a line does."""
    try:
        if path.exists() and not path.is_file():  # opening a pipe would wait for its other end
            raise SettingError(f"{path} cannot be read as a log: it is no file")
        file = path.open("rb")
    except FileNotFoundError:
        return
    except OSError as error:
        raise SettingError(f"{path} cannot be read as a log: {error.strerror}") from None
    with file:
        left = settled_size(file.fileno())
        while left > 0 and (block := file.read(min(BLOCK_BYTES, left))):
            left -= len(block)
            if left and not block.endswith(b"\n"):
                rest = file.readline(left)
                left -= len(rest)
                block += rest
            yield block


@contextmanager
def no_collection() -> Iterator[None]:
    """Pause the garbage collector: there are no reference cycles here, and the search would take half of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
