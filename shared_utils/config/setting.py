"""Declarations of settings: name, description and bounds, beside the type and the default of a field.

A settings class declares each of its fields once. The environment (:mod:`shared_utils.config.env`), the tables of
``cameras.toml`` (:mod:`shared_utils.config.cameras_file`) and job options (:mod:`shared_utils.config.job_options`) are
read by these declarations::

    @dataclass(frozen=True)
    class MotionSettings:
        fps: Annotated[float, Setting("MOTION_FPS", "frames analysed per second", ge=0.5, le=30)] = 5.0

Standard library only.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args, get_origin, get_type_hints

YES_OR_NO = ("yes", "no")


@dataclass(frozen=True)
class Setting:
    """What is declared of a setting besides its type and default.

    Attributes:
        name: environment variable; empty where it has none.
        description: what it means, as a phrase for people.
        ge: least number allowed.
        le: largest number allowed.
        choices: words allowed, in any case; ``yes`` and ``no`` for a field of type bool.
        parse: converts the text to the field's value; raises ValueError with the reason, or SettingError with a whole
            line.
    """

    name: str
    description: str
    ge: float | None = None
    le: float | None = None
    choices: tuple[str, ...] = ()
    parse: Callable[[str], Any] | None = None


@dataclass(frozen=True)
class Declaration:
    """A field of a settings class, with what is declared of it.

    Attributes:
        kind: type of the value, without None.
        default: value of a setting that is not set; None also where the class has none.
    """

    field: str
    kind: Any
    setting: Setting
    default: Any = None

    @property
    def choices(self) -> tuple[str, ...]:
        """The words allowed; empty where any text is."""
        return YES_OR_NO if self.kind is bool else self.setting.choices


def declarations(owner: type) -> Mapping[str, Declaration]:
    """Return the declarations of a dataclass, by field; fields without a :class:`Setting` have none."""
    found = {}
    for field, hint in get_type_hints(owner, include_extras=True).items():
        setting = next((extra for extra in getattr(hint, "__metadata__", ()) if isinstance(extra, Setting)), None)
        if setting:
            found[field] = setting
    return declare(owner, found)


def declare(owner: type, settings: Mapping[str, Setting]) -> dict[str, Declaration]:
    """Return the declarations of a dataclass whose `settings` are declared apart from it, by field."""
    hints = get_type_hints(owner)
    defaults = {one.name: one.default for one in dataclasses.fields(owner) if one.default is not dataclasses.MISSING}
    return {
        field: Declaration(field, _without_none(hints[field]), setting, defaults.get(field))
        for field, setting in settings.items()
    }


def declared_settings(*owners: type) -> dict[str, Declaration]:
    """Return all settings that classes declare, by name, including those of the dataclasses in their fields."""
    found: dict[str, Declaration] = {}
    for owner in owners:
        found |= {one.setting.name: one for one in declarations(owner).values() if one.setting.name}
        for hint in get_type_hints(owner).values():
            found |= declared_settings(*(part for part in _parts(hint) if dataclasses.is_dataclass(part)))
    return found


def _parts(hint: Any) -> Iterator[type]:
    """Yield a type, and those that it is made of: ``list[Camera]`` holds ``Camera``."""
    if isinstance(hint, type) and get_origin(hint) is None:
        yield hint
    for part in get_args(hint):
        yield from _parts(part)


def _without_none(kind: Any) -> Any:
    others = [one for one in get_args(kind) if one is not type(None)]
    return others[0] if type(None) in get_args(kind) and len(others) == 1 else kind
