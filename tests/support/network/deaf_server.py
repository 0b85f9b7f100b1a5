"""A server that accepts connections and never answers, as behind a firewall that drops, or a host that hangs."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def deaf_server(host: str = "127.0.0.1") -> Iterator[int]:
    """Run such a server until the block ends, which resets its connections; yield its port."""
    accepted: list[socket.socket] = []
    with socket.create_server((host, 0)) as server:

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    accepted.append(server.accept()[0])

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join(10)
            for connection in accepted:
                connection.close()
