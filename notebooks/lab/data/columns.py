"""Columns of data frames, from what was read: times with their zone, whole numbers that may be missing, categories."""

from __future__ import annotations

import re
from array import array
from collections.abc import Sequence
from datetime import tzinfo
from typing import Any, cast
from zoneinfo import ZoneInfoNotFoundError

import pandas as pd
from tzlocal import get_localzone

from notebooks.lab.data.line_types import NO_WHOLE
from notebooks.lab.data.log_lines import Codes
from shared_utils.errors import SettingError

_ZONED = re.compile(r"\d([+-]\d\d:?\d\d|[zZ])$")


def local_zone() -> tzinfo:
    """Return this machine's time zone, with its rules for daylight saving.

    Raises:
        SettingError: ``TZ`` is no zone's name.
    """
    try:
        return get_localzone()
    except ZoneInfoNotFoundError:
        raise SettingError(
            "TZ is not the name of a time zone: use one such as Europe/Kyiv, or say zone='Europe/Kyiv'"
        ) from None


def read_times(texts: Sequence[str | None], zone: tzinfo | str) -> pd.DatetimeIndex:
    """Return times in UTC; what is none is NaT, and what names no zone is local."""
    # the first and the last years of the calendar leave it in some time zone
    texts = [None if text is None or text[:4] in {"0001", "9999"} else text for text in texts]
    found = _read(texts, utc=True)
    local = [row for row, text in enumerate(texts) if text and text[-6:-5] != "+" and not _ZONED.search(text)]
    if local:
        values = found.to_series(index=pd.RangeIndex(len(found)))
        given = _read([texts[row] for row in local], utc=False)
        values.iloc[local] = localized(given, zone).tz_convert("UTC")
        found = pd.DatetimeIndex(values)
    return found


def _read(texts: Sequence[str | None], *, utc: bool) -> pd.DatetimeIndex:
    # an empty list has no kind of its own
    given = cast("Any", texts if texts else pd.Index([], dtype="str"))
    return pd.DatetimeIndex(pd.to_datetime(given, utc=utc, format="ISO8601", errors="coerce")).as_unit("us")


def localized(times: pd.DatetimeIndex, zone: tzinfo | str) -> pd.DatetimeIndex:
    """Give local times their zone. An hour that comes twice in autumn is taken for the first, as the worker does."""
    first = pd.Series(True, index=range(len(times))).to_numpy(dtype=bool)
    return times.tz_localize(zone, ambiguous=first, nonexistent="shift_forward")


def vector(values: array[Any], kind: str) -> Any:
    """Return an array of numpy's; pandas itself would take the numbers one by one."""
    found = pd.Series(0, index=pd.RangeIndex(len(values)), dtype=kind).to_numpy(copy=True)
    found[:] = memoryview(values)
    return found


def whole(values: array[Any], kind: str = "int32") -> pd.Series:
    """Return whole numbers as a column; :data:`NO_WHOLE` is missing."""
    numbers = vector(values, kind)
    return pd.Series(pd.arrays.IntegerArray(numbers, numbers == NO_WHOLE))


def coded(codes: array[int], table: Codes) -> pd.Series:
    """Return texts that repeat as categories, by their codes in `table`."""
    names = pd.Index(table.values_in_order, dtype="str")
    return pd.Series(pd.Categorical.from_codes(vector(codes, "int32"), names))


def taken(values: list[Any], codes: array[int], kind: str) -> pd.Series:
    """Return what each of `codes` stands for."""
    return pd.Series(pd.Series(values, dtype=kind).array.take(vector(codes, "int32")), dtype=kind)
