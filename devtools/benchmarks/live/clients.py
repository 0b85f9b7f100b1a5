"""Clients of live frames and live video: they read as fast as anything comes, until they are closed."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from urllib.parse import urlsplit

from devtools.benchmarks.live.options import PartMissing

READ_BYTES = 65536
FIRST_S = 30.0


class Refused(RuntimeError):
    """Capture answers that there are too many clients, or too many sizes, at the moment."""


class Client:
    """Reads one response in a thread.

    Args:
        url: of the response.

    Raises:
        PartMissing: this capture does not know the path.
        Refused: not now.
        RuntimeError: it answers with an error.

    Attributes:
        received: bytes so far.
        first_s: seconds from the request to the first bytes of the body; None before.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.received = 0
        self.first_s: float | None = None
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=FIRST_S)
        began = time.monotonic()
        self._connection.request("GET", f"{parts.path}?{parts.query}")
        self._socket = self._connection.sock
        self._response = self._connection.getresponse()
        if self._response.status != 200:
            text = self._response.read(300).decode(errors="replace").strip()
            self._connection.close()
            raise {404: PartMissing, 503: Refused}.get(self._response.status, RuntimeError)(
                f"capture answers {parts.path} with {self._response.status}: {text}"
            )
        self._thread = threading.Thread(target=self._read, args=(began,), daemon=True)
        self._thread.start()

    def _read(self, began: float) -> None:
        with suppress(OSError, http.client.HTTPException, ValueError, AttributeError):
            while data := self._response.read1(READ_BYTES):
                if self.first_s is None:
                    self.first_s = time.monotonic() - began
                self.received += len(data)

    @property
    def is_open(self) -> bool:
        """Whether the response goes on."""
        return self._thread.is_alive()

    def wait_first(self) -> None:
        """Wait for the first bytes.

        Raises:
            RuntimeError: none came.
        """
        deadline = time.monotonic() + FIRST_S
        while self.first_s is None:
            if time.monotonic() > deadline or not self.is_open:
                raise RuntimeError("a live response ended before it began")
            time.sleep(0.01)

    def close(self) -> None:
        """Close the connection."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)
        self._connection.close()


@contextmanager
def clients(url: str, count: int = 1) -> Iterator[list[Client]]:
    """Hold so many clients of a URL; each has its first bytes when the block begins."""
    with ExitStack() as stack:
        found = []
        for _ in range(count):
            found.append(Client(url))
            stack.callback(found[-1].close)
        for one in found:
            one.wait_first()
        yield found
