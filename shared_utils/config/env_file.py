"""Settings of ``.env`` for programs that run without Docker. The adapter of python-dotenv.

Compose reads ``.env`` and passes the settings on. Without compose, the file of the working folder is read here. The
environment wins, even where a value is empty. ``$`` is taken literally, as compose does between single quotes.
"""

from __future__ import annotations

import io
import time
from collections.abc import Mapping, MutableMapping
from pathlib import Path

from dotenv import dotenv_values

from shared_utils.config.text_file import read_text
from shared_utils.errors import SettingError

ENV_FILE = Path(".env")
DISABLED = "PYTHON_DOTENV_DISABLED"
"""python-dotenv's own switch: the demo and the tests have settings of their own."""
COMPOSE_NAMES = {"REDIS_PASSWORD": "RDS_PSW"}
"""Settings that compose passes on by another name."""


def with_env_file(environment: MutableMapping[str, str], path: Path = ENV_FILE) -> Mapping[str, str]:
    """Return the settings of `environment`, and below them those of the file at `path`, if there is one.

    A ``TZ`` of the file is put into `environment`, where the C library reads it.

    Raises:
        SettingError: the file cannot be read.
    """
    if environment.get(DISABLED, "").strip().lower() in ("1", "true", "t", "yes", "y") or not path.is_file():
        return environment
    try:
        text = read_text(path)
    except OSError as error:
        raise SettingError(f"{path} cannot be read ({error.strerror}): make it readable, or remove it") from None
    except ValueError as error:
        raise SettingError(f"{path} {error}") from None
    found = {name: value for name, value in _values(text).items() if value is not None}
    for theirs, ours in COMPOSE_NAMES.items():
        if theirs in found:
            found.setdefault(ours, found[theirs])
    if found.get("TZ") and "TZ" not in environment:
        environment["TZ"] = found["TZ"]
        time.tzset()
    return {**found, **environment}


def _values(text: str) -> Mapping[str, str | None]:
    return dotenv_values(stream=io.StringIO(text), interpolate=False)
