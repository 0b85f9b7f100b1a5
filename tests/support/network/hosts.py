"""Hosts on 127.0.0.0/8 that answer what a test wants, and count who connects."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import cv2

from tests.support.footage.video import Picture


@dataclass
class Call:
    """One connection, seen from the host.

    Attributes:
        number: from 0.
        host: that was connected to.
    """

    number: int
    host: Host
    socket: socket.socket
    _buffer: bytes = b""

    def request(self) -> str:
        """Return the next request's head; empty once the other side is gone."""
        while b"\r\n\r\n" not in self._buffer:
            more = self.socket.recv(65536)
            if not more:
                return ""
            self._buffer += more
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        return head.decode()

    def send(self, *data: bytes | str) -> None:
        """Send all of it."""
        for one in data:
            self.socket.sendall(one.encode() if isinstance(one, str) else one)

    def answer(self, head: str, body: bytes = b"") -> None:
        """Send an HTTP answer, `head` without its last empty line."""
        self.send(f"HTTP/1.1 {head}\r\n\r\n", body)


@dataclass
class Host:
    """A listening host."""

    ip: str
    port: int = 0
    calls: int = 0
    requests: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        """``host:port``, for a URL of any scheme."""
        return f"{self.ip}:{self.port}"


@contextmanager
def host(behave: Callable[[Call], object] = lambda _: None, ip: str = "127.0.0.1") -> Iterator[Host]:
    """Serve until the block ends; `behave` runs in a thread per connection, which is closed after it."""
    stopping = threading.Event()
    open_sockets: list[socket.socket] = []
    with socket.create_server((ip, 0), backlog=50) as server:
        here = Host(ip, server.getsockname()[1])

        def talk(call: Call) -> None:
            with call.socket, suppress(OSError):
                behave(call)

        def accept() -> None:
            while True:
                try:
                    sock, _ = server.accept()
                except OSError:
                    return
                if stopping.is_set():
                    sock.close()
                    return
                open_sockets.append(sock)
                call = Call(here.calls, here, sock)
                here.calls += 1
                thread = threading.Thread(target=talk, args=(call,), daemon=True)
                threads.append(thread)
                thread.start()

        threads: list[threading.Thread] = []
        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        try:
            yield here
        finally:
            stopping.set()
            with suppress(OSError):
                socket.create_connection((ip, here.port), 1).close()
            accepting.join(5)
            for sock in open_sockets:
                with suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join(5)


def jpeg(picture: Picture, quality: int = 80) -> bytes:
    """Return a picture as JPEG."""
    good, coded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert good
    return coded.tobytes()
