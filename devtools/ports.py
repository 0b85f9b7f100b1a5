"""Free TCP ports."""

from __future__ import annotations

import socket


def free_port() -> int:
    """Return a TCP port nobody listens on at 127.0.0.1."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
