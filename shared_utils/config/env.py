"""Settings from a mapping of strings: cast by type, wrong values named, secrets never echoed.

Nothing here is read at import. Programs pass ``os.environ`` at their entry; tests pass a dict.
Surrounding quotes are stripped, since ``docker run --env-file`` hands them over as part of the value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import TypeVar
from zoneinfo import TZPATH, available_timezones

from shared_utils.errors import SettingError

T = TypeVar("T")

MAX_PORT = 65535
DEFAULT_QUEUE = "video_queue"


class Env:
    """Typed look-ups in a mapping of strings.

    An unset, empty or blank value means "take the default", as compose files hand over empty strings for
    variables that ``.env`` leaves out.

    Args:
        values: names and raw values, such as ``os.environ``.
    """

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    def get(self, name: str) -> str | None:
        """Return the value without surrounding blanks and quotes; None when unset or empty."""
        value = self._values.get(name, "").strip()
        if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
            value = value[1:-1]
        return value or None

    def text(self, name: str, default: str) -> str:
        """Return a text setting."""
        return self.get(name) or default

    def required(self, name: str, remedy: str) -> str:
        """Return a text setting that has no default; `remedy` tells the user what to do without it."""
        value = self.get(name)
        if value is None:
            raise SettingError(f"{name} is not set: {remedy}")
        return value

    def choice(self, name: str, default: str, allowed: Collection[str]) -> str:
        """Return one of the `allowed` words, whatever case it was written in."""
        value = self.text(name, default)
        for word in allowed:
            if word.lower() == value.lower():
                return word
        raise SettingError(f"{name} is {value!r}: use one of {', '.join(allowed)}")

    def integer(self, name: str, default: int, low: int, high: int) -> int:
        """Return a whole number within ``low..high``."""
        return self._number(name, default, int, low, high, "a whole number")

    def number(self, name: str, default: float, low: float, high: float) -> float:
        """Return a number within ``low..high``."""
        return self._number(name, default, float, low, high, "a number")

    def _number(self, name: str, default: T, cast: Callable[[str], T], low: float, high: float, kind: str) -> T:
        raw = self.get(name)
        if raw is None:
            return default
        try:
            value = cast(raw)
            inside = low <= value <= high  # type: ignore[operator]  # int or float; false for nan
        except ValueError:
            inside = False
        if not inside:
            raise SettingError(f"{name} is {raw!r}: it takes {kind} from {low:g} to {high:g}, such as {default}")
        return value


@dataclass(frozen=True)
class RedisSettings:
    """Where the queue is. The password stays out of ``repr``, so that no log line can hold it."""

    host: str = "redis"
    port: int = 6379
    password: str | None = field(default=None, repr=False)
    queue: str = DEFAULT_QUEUE
    tls: bool = False
    ca: Path | None = None

    @classmethod
    def from_env(cls, values: Mapping[str, str]) -> RedisSettings:
        """Read ``RDS_HOST``, ``RDS_PORT``, ``RDS_PSW``, ``RDSQ_OUTMSG``, and for TLS ``RDS_TLS`` and ``RDS_CA``.

        ``RDS_CA`` is the certificate of who signed that of Redis, and means TLS; ``RDS_TLS`` alone takes the
        authorities that this machine trusts.
        """
        env = Env(values)
        ca = env.get("RDS_CA")
        if ca and not Path(ca).is_file():
            raise SettingError(
                f"RDS_CA is {ca!r}, but there is no such file: give the ca.crt that Redis' key was signed by"
            )
        return cls(
            tls=env.choice("RDS_TLS", "yes" if ca else "no", ("yes", "no")) == "yes",
            ca=Path(ca) if ca else None,
            host=env.text("RDS_HOST", "redis"),
            port=env.integer("RDS_PORT", 6379, 1, MAX_PORT),
            password=env.get("RDS_PSW"),
            queue=env.text("RDSQ_OUTMSG", DEFAULT_QUEUE),
        )

    @property
    def address(self) -> str:
        """``host:port``, for messages."""
        return f"{self.host}:{self.port}"


@dataclass(frozen=True)
class LogSettings:
    """How a program logs, in the time zone of ``TZ``."""

    level: str = "INFO"
    format: str = "text"

    @classmethod
    def from_env(cls, values: Mapping[str, str]) -> LogSettings:
        """Read ``LOGLEVEL`` and ``LOG_FORMAT``, and check ``TZ``, which the system's library reads by itself."""
        check_time_zone(values)
        env = Env(values)
        return cls(
            level=env.choice("LOGLEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR")),
            format=env.choice("LOG_FORMAT", "text", ("text", "json")),
        )


_POSIX_ZONE = re.compile(r"(?:[A-Za-z]{3,}|<[A-Za-z0-9+-]{3,}>)[+-]?\d{1,3}(?::\d\d){0,2}(?:[A-Za-z<].*)?")
"""A zone that is spelled out, such as ``EET-2EEST,M3.5.0/3,M10.5.0/4``."""


def check_time_zone(values: Mapping[str, str]) -> None:
    """Refuse a ``TZ`` that the system does not know: it would take UTC without a word.

    Raises:
        SettingError: it is unknown here.
    """
    given = values.get("TZ", "")
    name = given.removeprefix(":")
    # as the C library looks for it: neither quotes nor blanks are taken off, and a path is a file's
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


def video_dir(values: Mapping[str, str]) -> Path:
    """Return the shared volume of ``VIDEO_DIR``, made where it is missing and tried by writing to it.

    Raises:
        SettingError: it can not be made, or nothing can be written there.
    """
    path = Path(Env(values).text("VIDEO_DIR", "video"))
    probe = path / f".writable-{id(values):x}"
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise SettingError(
            f"VIDEO_DIR is {str(path)!r}, which can not be written to ({reason}): "
            "give a folder this user owns, or change its owner or rights"
        ) from None
    return path
