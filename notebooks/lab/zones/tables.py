"""What ZonesAndReadings says in words, and its tables for spreadsheets."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from notebooks.lab.data.words import how_many
from notebooks.lab.events.values import OK, UNREADABLE

EXPORTS_FOLDER = "exports"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula."""


def summary(happened: pd.DataFrame, read: pd.DataFrame) -> str:
    """Return in words what there is: readings, counts, and since when."""
    counted = happened[(happened["type"] == "object") & happened["zone"].notna()]
    if read.empty and counted.empty:
        return "No zone has seen or read anything yet: docs/zones.md says how zones are declared."
    parts = []
    if len(read):
        bad = int((read["state"] == UNREADABLE).sum())
        displays = read.drop_duplicates(["camera", "zone"])
        parts.append(
            f"{how_many(len(read), 'reading')} of {how_many(len(displays), 'zone')} "
            f"({', '.join(sorted(displays['camera'].dropna().astype(str).unique()))}), {bad:,} of them unreadable"
        )
    if len(counted):
        numbers = counted["value"].value_counts()
        names = ", ".join(f"{numbers[name]:,} {name}" for name in sorted(numbers.index))
        zones = counted.drop_duplicates(["camera", "zone"])
        parts.append(f"{how_many(len(counted), 'event')} of objects in {how_many(len(zones), 'zone')}: {names}")
    first = min(frame["at"].min() for frame in (read, counted) if len(frame))
    doubles = happened.attrs.get("doubles", 0)
    seen_twice = f" {doubles:,} seen live and in a clip count once." if doubles else ""
    return f"{'; '.join(parts)}; since {first:%A %d %B %Y, %H:%M}.{seen_twice}"


def latest_readings(read: pd.DataFrame) -> pd.DataFrame:
    """Return the last reading of each task, with how much of it all was readable: one row per zone."""
    rows = read.sort_values("at", kind="stable")
    groups = rows.groupby(["camera", "zone", "type", "task"], observed=True)
    last = groups.tail(1).set_index(["camera", "zone", "type", "task"]).sort_index()
    good = (rows["state"] == OK).groupby([rows[name] for name in last.index.names], observed=True).mean()
    table = pd.DataFrame(
        {
            "last": last["value"]
            .fillna("unreadable")
            .str.cat(last["unit"].astype("str").fillna(""), sep=" ")
            .str.strip(),
            "at": last["at"].dt.strftime("%a %d %b, %H:%M:%S"),
            # of lamps and pages alone there is none: the column would stay one of numbers
            "confidence": ["" if pd.isna(one) else f"{one:.2f}" for one in last["confidence"]],
            "readings": groups.size(),
            "readable (%)": (100 * good).round(1),
        }
    )
    return table.reset_index().drop(columns="task")


def write_csv(frame: pd.DataFrame, path: Path) -> str:
    """Write a frame for a spreadsheet, and return in words what was written.

    Times are local, with their distance from UTC in a column of their own, as spreadsheets know no zones. Texts that
    a spreadsheet would take for a formula begin with an apostrophe: what a display shows is not ours.

    Raises:
        OSError: it cannot be written.
    """
    table = frame.copy()
    for name in frame.columns:
        column = frame[name]
        if isinstance(column.dtype, pd.DatetimeTZDtype):
            table[name] = column.dt.strftime("%Y-%m-%d %H:%M:%S")
            if "utc_offset" not in table:
                table["utc_offset"] = column.map(lambda moment: f"{moment:%z}" if pd.notna(moment) else "")
        elif not pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
            table[name] = [_harmless(one) if isinstance(one, str) else one for one in column]
    path.parent.mkdir(parents=True, exist_ok=True)
    # the mark at its beginning tells Excel that it is UTF-8
    table.to_csv(path, index=False, encoding="utf-8-sig")
    return f"{path.parent.name}/{path.name}: {how_many(len(table), 'row')}, {how_many(len(table.columns), 'column')}"


def _harmless(text: str) -> str:
    if not text.startswith(_FORMULA):
        return text
    try:
        float(text)
    except ValueError:
        return f"'{text}"
    return text
