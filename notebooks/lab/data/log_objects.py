"""Objects of a line of the log, decoded by msgspec: for :mod:`notebooks.lab.data.results`."""

from __future__ import annotations

import math
from collections.abc import Iterable

import msgspec

from notebooks.lab.data.line_types import NO_WHOLE, Number, Seconds, Whole
from notebooks.lab.data.log_lines import loads, no_collection, salvaged


class Seen(msgspec.Struct, frozen=True, gc=False):
    """One of a line's ``objects``."""

    label: str
    tracks: Whole = NO_WHOLE
    hits: Whole = NO_WHOLE
    max_conf: Number = math.nan
    first_s: Seconds | None = math.nan
    last_s: Seconds | None = math.nan
    also: dict[str, int] | None = None


def read_objects_column(texts: Iterable[str], odd: dict[int, str] | None = None) -> list[list[Seen]]:
    """Return the entries of each of `texts`, JSON as :attr:`Columns.objects` holds it; none for an empty one.

    Args:
        texts: the column.
        odd: gets, by the number of its text, what was left out of it, such as ``first_s of car``.
    """
    left_out: dict[int, str] = {} if odd is None else odd
    given = [text or "[]" for text in texts]
    with no_collection():
        try:
            return msgspec.json.decode(f"[{','.join(given)}]", type=list[list[Seen]])
        except msgspec.DecodeError:
            return [_seen(text, number, left_out) for number, text in enumerate(given)]


def _seen(text: str, number: int, left_out: dict[int, str]) -> list[Seen]:
    try:
        return msgspec.json.decode(text, type=list[Seen])
    except msgspec.DecodeError:
        entries = loads(text)
    found: list[Seen] = []
    words: list[str] = []
    for entry in entries if isinstance(entries, list) else [entries]:
        odd: list[str] = []
        one = salvaged(Seen, entry, odd) if isinstance(entry, dict) else None
        if one is None:
            words.append("an entry without a label")
            continue
        words += [f"{name} of {one.label}" for name in odd]
        found.append(one)
    if words:
        left_out[number] = ", ".join(words)
    return found
