"""What a step adds to records, data frames and boxes files: declared once, beside the step.

The record takes the keys, ``load_log()`` and ``boxes()`` of the notebooks take the columns, and docs/analysis.md
describes them. Standard library only.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """Type of the values of a column."""

    NUMBER = "number"
    WHOLE = "whole number"
    FLAG = "flag"
    TEXT = "text"


@dataclass(frozen=True)
class RecordKey:
    """A key of the record.

    Attributes:
        name: the key.
        meaning: what it holds, for docs/analysis.md.
        example: its value, or its key and value, as JSON.
    """

    name: str
    meaning: str
    example: str


@dataclass(frozen=True)
class LogColumn:
    """A column of ``load_log()`` that holds a single value of the record.

    Attributes:
        name: of the column.
        path: keys that lead to the value: one, or one inside another.
        kind: type of the values.
        meaning: what it holds, for docs/analysis.md.
        unit: of the values, for docs/analysis.md.
    """

    name: str
    path: tuple[str] | tuple[str, str]
    kind: Kind
    meaning: str
    unit: str = ""


@dataclass(frozen=True)
class BoxColumn:
    """A value of each box: a column of the boxes file and of ``boxes()``, and a name in ``Sample.columns``.

    Attributes:
        name: of the column.
        kind: type of the values.
        meaning: what it holds, for docs/analysis.md.
        unit: of the values, for docs/analysis.md.
        missing: value that stands for none; null in the boxes file.
        digits: decimals kept of a number.
    """

    name: str
    kind: Kind
    meaning: str
    unit: str = ""
    missing: object = None
    digits: int = 4


@dataclass(frozen=True)
class Recipe:
    """An example of use for docs/analysis.md: a title, and Python code with the names that all recipes begin with."""

    title: str
    code: str


@dataclass(frozen=True)
class Adds:
    """All that a step adds.

    Attributes:
        keys: of the record, in the order in which ``Step.result`` returns them.
        columns: of ``load_log()``.
        box_columns: values of each box.
        recipes: examples of use.
    """

    keys: tuple[RecordKey, ...] = ()
    columns: tuple[LogColumn, ...] = ()
    box_columns: tuple[BoxColumn, ...] = ()
    recipes: tuple[Recipe, ...] = ()
