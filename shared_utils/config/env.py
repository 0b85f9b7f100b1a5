"""Settings from the environment: converted by type, wrong values named, secrets never repeated.

Nothing here is read at import. Programs pass ``os.environ`` at their entry; tests pass a dict.
Surrounding quotes are stripped, since ``docker run --env-file`` passes them on as part of the value
(https://docs.docker.com/reference/cli/docker/container/run/#env).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared_utils.config.setting import Declaration, declarations
from shared_utils.config.validation import Invalid, check_value
from shared_utils.errors import SettingError

MAX_DISPLAYED_CHARS = 200
"""Length to which a message repeats a wrong value."""


def get_text(values: Mapping[str, str], name: str) -> str | None:
    """Return a value without surrounding blanks and quotes; None when it is unset, empty or blank.

    Compose passes on empty values for variables that ``.env`` leaves out: they mean the default.
    """
    value = values.get(name, "").strip()
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
        value = value[1:-1]
    return value or None


def require_text(values: Mapping[str, str], name: str, remedy: str) -> str:
    """Return a setting that has no default.

    Raises:
        SettingError: it is not set; the text ends with `remedy`.
    """
    value = get_text(values, name)
    if value is None:
        raise SettingError(f"{name} is not set: {remedy}")
    return value


def read_env(declared: Mapping[str, Declaration], values: Mapping[str, str]) -> dict[str, Any]:
    """Return the fields that the environment sets; the others keep the default of their class.

    Such as ``MotionSettings(**read_env(declarations(MotionSettings), values))``.

    Raises:
        SettingError: the first wrong value, with the name of its setting.
    """
    found = {}
    for field, declaration in declared.items():
        text = get_text(values, declaration.setting.name)
        if text is not None:
            found[field] = parse_text(text, declaration)
    return found


def read_field(owner: type, field: str, values: Mapping[str, str]) -> Any:
    """Return one field of the dataclass `owner`: as the environment sets it, or else its default.

    Raises:
        SettingError: its value is wrong.
    """
    declaration = declarations(owner)[field]
    return read_env({field: declaration}, values).get(field, declaration.default)


def parse_text(text: str, declaration: Declaration) -> Any:
    """Return the value that the text of a setting stands for.

    Raises:
        SettingError: it is wrong; the text names the setting, the value and the remedy.
    """
    setting = declaration.setting
    if setting.parse:
        try:
            return setting.parse(text)
        except ValueError as error:
            raise SettingError(f"{setting.name} is {text[:MAX_DISPLAYED_CHARS]!r}: {error}") from None
    value: object = text
    if declaration.kind in (int, float):
        try:
            # Python's own reading takes more than msgspec's: ".5", "+5"
            value = declaration.kind(text)
        except ValueError:
            raise SettingError(_remedy(text, declaration)) from None
    try:
        return check_value(value, declaration)
    except Invalid:
        raise SettingError(_remedy(text, declaration)) from None


def format_number(value: float) -> str:
    """Return a number for messages: ``0.5``, ``30`` instead of ``30.0``, ``1000000`` instead of ``1e+06``."""
    return f"{value:.12g}"


def _remedy(text: str, declaration: Declaration) -> str:
    setting = declaration.setting
    wrong = f"{setting.name} is {text[:MAX_DISPLAYED_CHARS]!r}"
    if declaration.choices:
        return f"{wrong}: use one of {', '.join(declaration.choices)}"
    number = "a whole number" if declaration.kind is int else "a number"
    limits = (("from", setting.ge), ("to", setting.le))
    bounds = "".join(f" {word} {format_number(limit)}" for word, limit in limits if limit is not None)
    example = "" if declaration.default is None else f", such as {format_number(declaration.default)}"
    return f"{wrong}: it takes {number}{bounds}{example}"
