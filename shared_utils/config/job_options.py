"""Options of a job: read from the environment, and checked when a job names them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from fractions import Fraction
from typing import Any

from shared_utils.config.classes import check_classes, split_classes
from shared_utils.config.env import Env
from shared_utils.contracts.job_options import Options
from shared_utils.errors import JobRefused, SettingError

IMGSZ_LIMITS = (32, 4096)
FPS_LIMITS = (0.0, 240.0)
MIN_HITS_LIMITS = (1, 1_000_000)
MAX_MODEL_NAME = 255
ASPECT_LIMITS = (Fraction(1, 10), Fraction(10))
MAX_ASPECT = 20
_ASPECT = re.compile(r"\s*(\d{1,5}(?:\.\d{1,5})?)\s*(?::\s*(\d{1,5}(?:\.\d{1,5})?)\s*)?", re.ASCII)
"""Not all that ``Fraction`` takes: 1e999999999 keeps it busy for hours."""
_MAX_SHOWN = 10**15


def options_from_env(values: Mapping[str, str]) -> Options:
    """Read the settings ``YOLO_…``, ``ANALYSIS_FPS`` and ``CLIP_ASPECT``."""
    env = Env(values)
    return Options(
        model=env.text("YOLO_MODEL", Options.model),
        conf=env.number("YOLO_CONF", Options.conf, 0.0, 1.0),
        imgsz=env.integer("YOLO_IMGSZ", Options.imgsz, *IMGSZ_LIMITS),
        fps=env.number("ANALYSIS_FPS", Options.fps, *FPS_LIMITS),
        min_hits=env.integer("YOLO_MIN_HITS", Options.min_hits, *MIN_HITS_LIMITS),
        classes=split_classes(env.text("YOLO_CLASSES", "")),
        aspect=_aspect_setting(env.text("CLIP_ASPECT", "")),
    )


def replace_options(options: Options, wanted: object) -> Options:
    """Return `options` with those that a job names in their place.

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
    if not isinstance(value, str) or not 0 < len(value) <= MAX_MODEL_NAME:
        raise JobRefused(f"refused: option {key} must be the name of a file in the models folder")
    if "/" in value or "\\" in value or value.startswith(".") or not value.isprintable():
        raise JobRefused(f"refused: option {key} must be a bare file name, not {value[:80]!r}")
    return value


def _number_option(key: str, value: object, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:  # noqa: PLR0124  # not a number
        raise JobRefused(f"refused: option {key} must be a number, not {str(value)[:40]!r}")
    if not low <= value <= high:
        # whole numbers may be larger than a float, or than what Python turns to text
        shown = str(value) if abs(value) < _MAX_SHOWN else f"{'-' * (value < 0)}{_MAX_SHOWN:g} or more"
        raise JobRefused(f"refused: option {key} is {shown}, outside {low:g} to {high:g}")
    return float(value)


def _whole_option(key: str, value: object, low: int, high: int) -> int:
    number = _number_option(key, value, low, high)
    if number != int(number):
        raise JobRefused(f"refused: option {key} must be a whole number, not {value!r}")
    return int(number)


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
        ValueError: it is no aspect ratio, or out of bounds.
    """
    numbers = _ASPECT.fullmatch(text)
    height = Fraction(numbers[2] or 1) if numbers else None
    if not numbers or not height:
        raise ValueError("no aspect ratio such as 16:9")
    aspect = Fraction(numbers[1]) / height
    if not ASPECT_LIMITS[0] <= aspect <= ASPECT_LIMITS[1]:
        raise ValueError("outside 1:10 to 10:1")
    return aspect


def _aspect_setting(text: str) -> str | None:
    if not text:
        return None
    try:
        parse_aspect(text)
    except ValueError as error:
        raise SettingError(f"CLIP_ASPECT is {text[:40]!r}: {error}; give width:height, such as 16:9") from None
    return text


def _aspect_option(key: str, value: object) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > MAX_ASPECT:
        raise JobRefused(f"refused: option {key} must be text such as 16:9, not {str(value)[:40]!r}")
    try:
        parse_aspect(value)
    except ValueError as error:
        raise JobRefused(f"refused: option {key} is {value!r}: {error}") from None
    return value


_OPTION_CHECKS: dict[str, Callable[[str, object], Any]] = {
    "model": _model_option,
    "conf": lambda key, value: _number_option(key, value, 0.0, 1.0),
    "imgsz": lambda key, value: _whole_option(key, value, *IMGSZ_LIMITS),
    "fps": lambda key, value: _number_option(key, value, *FPS_LIMITS),
    "min_hits": lambda key, value: _whole_option(key, value, *MIN_HITS_LIMITS),
    "classes": _classes_option,
    "aspect": _aspect_option,
}
