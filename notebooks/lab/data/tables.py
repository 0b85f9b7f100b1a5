"""The tables of ViewProcessResults: frames of :mod:`notebooks.lab.data.activity`, times and numbers as people read
them."""

from __future__ import annotations

import pandas as pd
from IPython.display import display

from notebooks.lab.data import activity

_WHEN = "%a %d %b, %H:%M"


def show(table: pd.DataFrame, otherwise: str) -> None:
    """Show `table` in the notebook, or say `otherwise` where it is empty."""
    if table.empty:
        print(otherwise)  # noqa: T201  # the cell's output
    else:
        display(table)  # type: ignore[no-untyped-call]


def first_and_last(seen: pd.DataFrame) -> pd.DataFrame:
    """Return one row per label, most clips first: when it was first and last seen, in how many clips and visits."""
    found = activity.by_label(seen)
    return pd.DataFrame(
        {
            "first seen": found["first_at"].dt.strftime(_WHEN),
            "last seen": found["last_at"].dt.strftime(_WHEN),
            "clips": found["clips"],
            "visits": found["visits"],
            "objects": found["objects"].astype(int),
            "longest (s)": found["longest_s"].round(1),
        }
    )


def busiest(seen: pd.DataFrame) -> pd.DataFrame:
    """Return the busiest minutes, most objects first."""
    found = activity.busiest_minutes(seen)
    table = found[["objects", "labels", "cameras", "filename"]].rename(
        columns={"cameras": "seen by", "filename": "a clip of it"}
    )
    table.index = pd.Index(found["minute"].dt.strftime(_WHEN), name="minute")
    return table
