"""Settings of capture's HTTP pages, apart from the server: a camera's process has them, and loads no web server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from shared_utils.config.env import read_env
from shared_utils.config.redis import MAX_PORT
from shared_utils.config.setting import Setting, declarations
from shared_utils.config.web_hosts import HTTP_NAMES, own_names


@dataclass(frozen=True)
class HttpSettings:
    """Where to listen, and which names to answer to. Port 0 takes any free one."""

    host: Annotated[str, Setting("HTTP_HOST", "address that capture's pages listen at")] = "127.0.0.1"
    port: Annotated[int, Setting("HTTP_PORT", "port of capture's pages", ge=0, le=MAX_PORT)] = 8080
    names: Annotated[frozenset[str], HTTP_NAMES] = field(default_factory=lambda: own_names({}))

    @classmethod
    def from_env(cls, values: Mapping[str, str]) -> HttpSettings:
        """Read ``HTTP_HOST``, ``HTTP_PORT`` and ``HTTP_NAMES``.

        Raises:
            SettingError: one of them is wrong.
        """
        return cls(**read_env(declarations(cls), values))
