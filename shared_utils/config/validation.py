"""Checks values against declared types and bounds. The adapter of msgspec.

msgspec reports ``Expected `float` <= 30.0 - at `$.fps```. People need the setting, its value and the remedy. So this
module reports what is wrong and where, as :class:`Invalid`, and whoever knows the setting writes the message.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from shared_utils.config.setting import Declaration

T = TypeVar("T")


Bounds = msgspec.Meta
"""Bounds of a field of a :class:`Model`, in ``Annotated``: of numbers ``ge`` and ``le``, of text and lists lengths."""


class Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Base of what a file holds: each field has a type with bounds, and other keys are refused.

    Subclasses repeat ``frozen=True``, for type checkers.
    """


class Fault(enum.Enum):
    """What may be wrong with a value."""

    TYPE = "it has the wrong type"
    BOUNDS = "it is out of bounds"
    CHOICE = "it is none of the words allowed"
    MISSING = "a key is missing"
    UNKNOWN = "a key is unknown"


class Invalid(ValueError):
    """A value is not as declared.

    Attributes:
        fault: what kind of error it is.
        path: keys and positions that lead to the value, outermost first.
        key: the key that is missing or unknown; None otherwise.
        detail: what is wrong, in msgspec's words without its quotes.
    """

    def __init__(self, fault: Fault, path: Sequence[str | int] = (), key: str | None = None, detail: str = "") -> None:
        super().__init__(detail or fault.value)
        self.fault = fault
        self.path = tuple(path)
        self.key = key
        self.detail = detail

    @property
    def expectation(self) -> str:
        """What the value should be, such as ``a number, not text`` or ``at most 1``; empty where that is not known."""
        for pattern, words in _EXPECTATIONS:
            if match := pattern.fullmatch(self.detail):
                text = words.format(*(_TYPES.get(group, group.removesuffix(".0")) for group in match.groups()))
                return re.sub(r"\b1 (entr|character)(?:ies|s)$", lambda one: f"1 {_SINGULAR[one[1]]}", text)
        return ""


_FAULTS = (
    (re.compile(r"Object missing required field `(?P<key>.*)`", re.DOTALL), Fault.MISSING),
    (re.compile(r"Object contains unknown field `(?P<key>.*)`", re.DOTALL), Fault.UNKNOWN),
    (re.compile(r"Invalid (?:enum )?value .*", re.DOTALL), Fault.CHOICE),
    (re.compile(r"Expected `[^`]*`(?:, got .*| of length [0-9]+.*)", re.DOTALL), Fault.TYPE),
    (re.compile(r"Number out of range|Expected .*", re.DOTALL), Fault.BOUNDS),
)
"""The messages of msgspec 0.22 (src/msgspec/_core.c, ``ms_raise_validation_error`` and its callers)."""
_TYPES = {
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}
_EXPECTATIONS = (
    (re.compile(r"Expected array of length (\d+), got .*"), "{0} entries"),
    (re.compile(r"Expected array of length >= (\d+)"), "at least {0} entries"),
    (re.compile(r"Expected array of length <= (\d+)"), "at most {0} entries"),
    (re.compile(r"Expected str of length >= (\d+)"), "at least {0} characters"),
    (re.compile(r"Expected str of length <= (\d+)"), "at most {0} characters"),
    (re.compile(r"Expected \w+ >= (\S+)"), "at least {0}"),
    (re.compile(r"Expected \w+ <= (\S+)"), "at most {0}"),
    (re.compile(r"Expected \w+ > (\S+)"), "more than {0}"),
    (re.compile(r"Expected (\w+)(?: \| null)?, got (\w+)"), "{0}, not {1}"),
    (re.compile(r"Number out of range"), "a smaller number"),
)
_SINGULAR = {"entr": "entry", "character": "character"}
_LOCATION = re.compile(r"(?P<text>.*) - at `(?P<path>\$[^`]*)`", re.DOTALL)
_STEP = re.compile(r"\.(?P<key>[^.\[]+)|\[(?P<position>\d+)\]|\[\.\.\.\]")


def convert(value: object, kind: type[T] | Any) -> T | Any:
    """Return `value`, parsed from JSON or TOML, as the type `kind`; text is not converted to numbers or back.

    Args:
        value: mappings, lists, text, numbers.
        kind: a type of :mod:`typing` or a Struct.

    Raises:
        Invalid: it is not of that type, or breaks one of its bounds.
    """
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise _invalid(str(error)) from None


def check_value(value: object, declaration: Declaration) -> Any:
    """Return a value as its declaration requires: of that type, within its bounds, one of its words.

    A whole float is accepted as an integer, and a word in any case.

    Raises:
        Invalid: it is not.
    """
    if declaration.kind is int and isinstance(value, float) and value.is_integer():
        value = int(value)
    if declaration.choices and isinstance(value, str):
        value = next((word for word in declaration.choices if word.lower() == value.lower()), value)
    checked = convert(value, _bounded(declaration))
    return checked == "yes" if declaration.kind is bool else checked


def _bounded(declaration: Declaration) -> Any:
    """Return the type of a declaration with its bounds, as msgspec takes it."""
    setting = declaration.setting
    if declaration.choices:
        return Literal[declaration.choices]
    if setting.ge is None and setting.le is None:
        return declaration.kind
    return Annotated[declaration.kind, msgspec.Meta(ge=setting.ge, le=setting.le, description=setting.description)]


def _invalid(text: str) -> Invalid:
    found = _LOCATION.fullmatch(text)
    reason, path = (found["text"], found["path"]) if found else (text, "$")
    steps = [step["key"] or int(step["position"] or 0) for step in _STEP.finditer(path)]
    for pattern, fault in _FAULTS:
        if match := pattern.fullmatch(reason):
            return Invalid(fault, steps, match.groupdict().get("key"), reason.replace("`", ""))
    return Invalid(Fault.TYPE, steps, detail=reason.replace("`", ""))
