"""Options of a job: read from the environment, and checked when a job names them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from fractions import Fraction
from typing import Any

from shared_utils.config.classes import check_classes, split_classes
from shared_utils.config.env import format_number, read_env
from shared_utils.config.setting import Declaration, Setting, declare
from shared_utils.config.validation import Invalid, check_value
from shared_utils.contracts.job_options import Options
from shared_utils.errors import JobRefused, SettingError

MAX_MODEL_NAME_CHARS = 255
ASPECT_LIMITS = (Fraction(1, 10), Fraction(10))
MAX_ASPECT_CHARS = 20
_ASPECT = re.compile(r"\s*(\d{1,5}(?:\.\d{1,5})?)\s*(?::\s*(\d{1,5}(?:\.\d{1,5})?)\s*)?", re.ASCII)
"""Less than ``Fraction`` takes: 1e999999999 keeps it busy for hours."""
_MAX_DISPLAYED = 10**15
"""Whole numbers from which on a message gives only their size."""


def options_from_env(values: Mapping[str, str]) -> Options:
    """Read the settings ``YOLO_…``, ``ANALYSIS_FPS`` and ``CLIP_ASPECT``.

    Raises:
        SettingError: one of them is wrong.
    """
    return Options(**read_env(DECLARED, values))


def replace_options(options: Options, wanted: object) -> Options:
    """Return `options`, replaced by those that a job names.

    Args:
        options: those of the worker.
        wanted: the job's ``options``: a mapping, or None for none.

    Raises:
        JobRefused: not a mapping, an unknown key, or a value of the wrong type or out of bounds.
    """
    if wanted is None:
        return options
    if not isinstance(wanted, Mapping):
        raise JobRefused(f"refused: options must be an object, not {type(wanted).__name__}")
    known = {field.name for field in fields(options)}
    for key in wanted:
        if key not in known:
            raise JobRefused(f"refused: unknown option {str(key)[:40]!r}; the options are {', '.join(sorted(known))}")
    values = asdict(options)
    for key, value in wanted.items():
        values[key] = _OPTION_CHECKS[key](key, value)
    return Options(**values)


def _model_option(key: str, value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= MAX_MODEL_NAME_CHARS:
        raise JobRefused(f"refused: option {key} must be the name of a file in the models folder")
    if "/" in value or "\\" in value or value.startswith(".") or not value.isprintable():
        raise JobRefused(f"refused: option {key} must be a bare file name, not {value[:80]!r}")
    return value


def _number_option(key: str, value: object) -> float:
    declaration = DECLARED[key]
    try:
        checked: float = check_value(value, declaration)
    except Invalid:
        raise JobRefused(f"refused: option {key} {_wrong_number(value, declaration)}") from None
    return checked


def _wrong_number(value: object, declaration: Declaration) -> str:
    """Return what is wrong with a number that its declaration does not take."""
    low, high = declaration.setting.ge, declaration.setting.le
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:  # noqa: PLR0124  # NaN
        return f"must be a number, not {str(value)[:40]!r}"
    if low is not None and high is not None and not low <= value <= high:
        # a whole number may be larger than a float can be, or than Python turns into text
        displayed = str(value) if abs(value) < _MAX_DISPLAYED else f"{'-' * (value < 0)}{_MAX_DISPLAYED:g} or more"
        return f"is {displayed}, outside {format_number(low)} to {format_number(high)}"
    return f"must be a whole number, not {value!r}"


def _classes_option(key: str, value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, str | list | tuple):
        raise JobRefused(f"refused: option {key} must be a list of labels, not {str(value)[:40]!r}")
    try:
        return check_classes(split_classes(value) if isinstance(value, str) else value)
    except ValueError as error:
        raise JobRefused(f"refused: option {key} {error}") from None


def parse_aspect(text: str) -> Fraction:
    """Return the width by the height of a text such as ``16:9`` or ``1.85``.

    Raises:
        ValueError: it is not an aspect ratio, or is out of bounds.
    """
    numbers = _ASPECT.fullmatch(text)
    height = Fraction(numbers[2] or 1) if numbers else None
    if not numbers or not height:
        raise ValueError("not an aspect ratio such as 16:9")
    aspect = Fraction(numbers[1]) / height
    if not ASPECT_LIMITS[0] <= aspect <= ASPECT_LIMITS[1]:
        raise ValueError("outside 1:10 to 10:1")
    return aspect


def _aspect_setting(text: str) -> str:
    try:
        parse_aspect(text)
    except ValueError as error:
        raise SettingError(f"CLIP_ASPECT is {text[:40]!r}: {error}; give width:height") from None
    return text


def _aspect_option(key: str, value: object) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > MAX_ASPECT_CHARS:
        raise JobRefused(f"refused: option {key} must be text such as 16:9, not {str(value)[:40]!r}")
    try:
        parse_aspect(value)
    except ValueError as error:
        raise JobRefused(f"refused: option {key} is {value!r}: {error}") from None
    return value


OPTION_SETTINGS: Mapping[str, Setting] = {
    "model": Setting("YOLO_MODEL", "file of the model, in a models folder"),
    "conf": Setting("YOLO_CONF", "score threshold", ge=0, le=1),
    "imgsz": Setting("YOLO_IMGSZ", "longest side that the model sees, pixels", ge=32, le=4096),
    "fps": Setting("ANALYSIS_FPS", "frames sampled per second; 0 takes every frame", ge=0, le=240),
    "min_hits": Setting("YOLO_MIN_HITS", "sampled frames that a track must be seen in", ge=1, le=1_000_000),
    "classes": Setting("YOLO_CLASSES", "labels that are reported; none for all", parse=split_classes),
    "aspect": Setting("CLIP_ASPECT", "width by height in which clips are shown", parse=_aspect_setting),
}
"""The options' settings, by field of :class:`Options`."""
DECLARED = declare(Options, OPTION_SETTINGS)

_OPTION_CHECKS: dict[str, Callable[[str, object], Any]] = {
    "model": _model_option,
    "conf": _number_option,
    "imgsz": _number_option,
    "fps": _number_option,
    "min_hits": _number_option,
    "classes": _classes_option,
    "aspect": _aspect_option,
}
