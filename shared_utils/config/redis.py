"""Where Redis is, and how it is reached: the ``RDS_…`` settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from shared_utils.config.env import read_env
from shared_utils.config.setting import Setting, declarations
from shared_utils.errors import SettingError

MAX_PORT = 65535
DEFAULT_QUEUE = "video_queue"


def _authority(path: str) -> Path:
    if not Path(path).is_file():
        raise SettingError(
            f"RDS_CA is {path!r}, but there is no such file: "
            "give the ca.crt of the authority that signed the certificate of Redis"
        )
    return Path(path)


@dataclass(frozen=True)
class RedisSettings:
    """Where the queue is. The password stays out of ``repr``, so that no log line can hold it."""

    host: Annotated[str, Setting("RDS_HOST", "host of Redis")] = "redis"
    port: Annotated[int, Setting("RDS_PORT", "port of Redis", ge=1, le=MAX_PORT)] = 6379
    password: Annotated[str | None, Setting("RDS_PSW", "password of Redis")] = field(default=None, repr=False)
    queue: Annotated[str, Setting("RDSQ_OUTMSG", "name of the queue")] = DEFAULT_QUEUE
    tls: Annotated[bool, Setting("RDS_TLS", "whether Redis is reached over TLS")] = False
    ca: Annotated[Path | None, Setting("RDS_CA", "certificate of the authority of Redis", parse=_authority)] = None

    @classmethod
    def from_env(cls, values: Mapping[str, str]) -> RedisSettings:
        """Read ``RDS_HOST``, ``RDS_PORT``, ``RDS_PSW``, ``RDSQ_OUTMSG``, and for TLS ``RDS_TLS`` and ``RDS_CA``.

        ``RDS_CA`` is the certificate of the authority that signed that of Redis, and means TLS; ``RDS_TLS`` alone
        takes the authorities that this machine trusts.

        Raises:
            SettingError: one of them is wrong.
        """
        found = read_env(declarations(cls), values)
        return cls(**{"tls": "ca" in found, **found})

    @property
    def address(self) -> str:
        """``host:port``, for messages."""
        return f"{self.host}:{self.port}"
