"""How a program logs (``LOGLEVEL``, ``LOG_FORMAT``), and the time zone that it does so in (``TZ``)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated
from zoneinfo import TZPATH, available_timezones

from shared_utils.config.env import read_env
from shared_utils.config.setting import Setting, declarations
from shared_utils.errors import SettingError

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
FORMATS = ("text", "json")

_POSIX_ZONE = re.compile(r"(?:[A-Za-z]{3,}|<[A-Za-z0-9+-]{3,}>)[+-]?\d{1,3}(?::\d\d){0,2}(?:[A-Za-z<].*)?")
"""A zone that is spelled out, such as ``EET-2EEST,M3.5.0/3,M10.5.0/4`` (POSIX.1-2017, XBD 8.3)."""


@dataclass(frozen=True)
class LogSettings:
    """How a program logs.

    Attributes:
        time_zone: as ``TZ`` has it; empty for the machine's own. The C library reads ``TZ`` by itself.
    """

    level: Annotated[str, Setting("LOGLEVEL", "least level that is logged", choices=LEVELS)] = "INFO"
    format: Annotated[str, Setting("LOG_FORMAT", "text for people, json for collectors", choices=FORMATS)] = "text"
    time_zone: Annotated[str, Setting("TZ", "time zone of file names and logs")] = ""

    @classmethod
    def from_env(cls, values: Mapping[str, str]) -> LogSettings:
        """Read ``LOGLEVEL`` and ``LOG_FORMAT``, and check ``TZ``.

        Raises:
            SettingError: one of them is wrong.
        """
        check_time_zone(values)
        return cls(**{**read_env(declarations(cls), values), "time_zone": values.get("TZ", "")})


def check_time_zone(values: Mapping[str, str]) -> None:
    """Refuse a ``TZ`` that the system does not know: the C library would silently take UTC.

    Raises:
        SettingError: it is unknown here.
    """
    given = values.get("TZ", "")
    name = given.removeprefix(":")
    # as the C library looks for it: neither quotes nor blanks are stripped, and a path is that of a file
    if not name or _POSIX_ZONE.fullmatch(name) or any(_is_zone(Path(folder) / name) for folder in ("/", *TZPATH)):
        return
    zones = available_timezones()
    remedy = "use a name such as Europe/Kyiv, as listed by timedatectl list-timezones"
    if not any(Path(folder).is_dir() for folder in TZPATH):
        remedy = "this system knows no time zone but UTC; install tzdata"
    elif close := [zone for zone in zones if zone.endswith(f"/{name}")] or get_close_matches(name, zones, 1):
        remedy = f"did you mean {close[0]}?"
    raise SettingError(f"TZ is {given!r}, a time zone that this system does not know: {remedy}")


def _is_zone(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(4) == b"TZif"
    except (OSError, ValueError):
        return False
