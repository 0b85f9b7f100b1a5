"""Objects of a line of the log, decoded by msgspec: for :mod:`notebooks.lab.data.results`."""

from __future__ import annotations

import math
from collections.abc import Iterable

import msgspec

from notebooks.lab.data.line_types import NO_WHOLE, Number, Seconds, Whole
from notebooks.lab.data.log_lines import loads, no_collection, salvaged


class ObjectEntry(msgspec.Struct, frozen=True, gc=False):
    """One of a line's ``objects``."""

    label: str
    tracks: Whole = NO_WHOLE
    hits: Whole = NO_WHOLE
    max_conf: Number = math.nan
    first_s: Seconds | None = math.nan
    last_s: Seconds | None = math.nan
    also: dict[str, int] | None = None


def read_objects_column(texts: Iterable[str], invalid: dict[int, str] | None = None) -> list[list[ObjectEntry]]:
    """Return the entries of each of `texts`, JSON as :attr:`Columns.objects` holds it; none for an empty one.

    Args:
        texts: the column.
        invalid: gets, by the number of its text, what was left out of it, such as ``first_s of car``.
    """
    left_out: dict[int, str] = {} if invalid is None else invalid
    given = [text or "[]" for text in texts]
    with no_collection():
        try:
            return msgspec.json.decode(f"[{','.join(given)}]", type=list[list[ObjectEntry]])
        except msgspec.DecodeError:
            return [_read_entries(text, number, left_out) for number, text in enumerate(given)]


def _read_entries(text: str, number: int, left_out: dict[int, str]) -> list[ObjectEntry]:
    try:
        return msgspec.json.decode(text, type=list[ObjectEntry])
    except msgspec.DecodeError:
        entries = loads(text)
    found: list[ObjectEntry] = []
    words: list[str] = []
    for entry in entries if isinstance(entries, list) else [entries]:
        invalid: list[str] = []
        one = salvaged(ObjectEntry, entry, invalid) if isinstance(entry, dict) else None
        if one is None:
            words.append("an entry without a label")
            continue
        words += [f"{name} of {one.label}" for name in invalid]
        found.append(one)
    if words:
        left_out[number] = ", ".join(words)
    return found
