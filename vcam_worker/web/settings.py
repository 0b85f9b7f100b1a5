"""Settings of capture's HTTP pages, apart from the server: a camera's process has them, and loads no web server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from shared_utils.config.env import MAX_PORT, Env
from shared_utils.config.web_hosts import own_names


@dataclass(frozen=True)
class HttpSettings:
    """Where to listen, and to which names to answer. Port 0 takes any free one."""

    host: str = "127.0.0.1"
    port: int = 8080
    names: frozenset[str] = field(default_factory=lambda: own_names({}))

    @classmethod
    def from_env(cls, values: Mapping[str, str]) -> HttpSettings:
        """Read ``HTTP_HOST``, ``HTTP_PORT`` and ``HTTP_NAMES``."""
        env = Env(values)
        return cls(
            host=env.text("HTTP_HOST", cls.host),
            port=env.integer("HTTP_PORT", cls.port, 0, MAX_PORT),
            names=own_names(values),
        )
