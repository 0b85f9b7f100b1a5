"""HTTP requests with a deadline for every byte: a server that answers slowly, or never ends, holds nobody up."""

from __future__ import annotations

import io
import math
import socket
import ssl
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPResponse
from typing import Any, BinaryIO, cast
from urllib.parse import urlsplit

from shared_utils.closing import Closing
from shared_utils.errors import SourceEnded, SourceError, SourceRefused, SourceStalled

CONNECT_S = 5.0
"""Longest time for a connection."""
HEADERS_S = 20.0
"""Longest time for the headers of an answer: capture waits for a camera's first frame for 10 s."""
MAX_REASON, MAX_REASON_BYTES = 300, 4096
"""Part of an error's text that is repeated in messages, in characters, and what of it is read: secrets are masked
before it is cut, as a part of one would not be found again."""
KEEPALIVE_IDLE_S, KEEPALIVE_INTERVAL_S, KEEPALIVE_TRIES = 20, 5, 3
"""How a connection is noticed whose other end has gone without a word: nothing is sent while nothing moves."""
BUFFER_BYTES = 65_536


@dataclass(frozen=True)
class Request:
    """What is asked besides the URL.

    Attributes:
        setting: the setting that the URL comes from, for messages.
        headers: further ones; ASCII.
        body: what is sent by ``POST``; None asks by ``GET``.
        answer_s: longest time until the headers of the answer are there.
        redact: masks the secrets of the request in what the answer says.
    """

    setting: str = "CAPTURE_URL"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)
    answer_s: float = HEADERS_S
    redact: Callable[[str], str] = field(default=str, repr=False)

    def encode(self, host: str, target: str) -> bytes:
        """Return the request as it is sent."""
        body = self.body or b""
        headers = {"Host": host, **self.headers, "Connection": "close"}
        if self.body is not None:
            headers["Content-Length"] = str(len(body))
        lines = [f"{self.method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        return "\r\n".join([*lines, "", ""]).encode("ascii") + body

    @property
    def method(self) -> str:
        """Of HTTP."""
        return "GET" if self.body is None else "POST"


CAPTURE_REQUEST = Request()
"""What is asked of capture."""


class HttpStream(Closing):
    """The open answer to a request.

    Attributes:
        content_type: of the answer.

    Args:
        url: http or https.
        clock: monotonic seconds.
        statuses: of answers that are a success.
        request: what is asked.

    Raises:
        SourceError: there is no answer, or one that is no success.
    """

    def __init__(
        self,
        url: str,
        clock: Callable[[], float] = time.monotonic,
        statuses: Collection[int] = (200,),
        request: Request = CAPTURE_REQUEST,
    ) -> None:
        parts = urlsplit(url)
        self._setting = request.setting
        self._place = f"{parts.scheme}://{parts.netloc}"
        self._socket = self._connect(parts.hostname or "", parts.port, parts.scheme == "https")
        self._raw = _TimedSocket(self._socket, clock)
        self._clock = clock
        try:
            with self.within(request.answer_s):
                # HTTPResponse asks for a socket and uses its makefile() alone
                self._response = HTTPResponse(cast("socket.socket", _Readable(self._raw)), method=request.method)
                target = parts.path + (f"?{parts.query}" if parts.query else "")
                self._socket.sendall(request.encode(parts.netloc, target or "/"))
                self._response.begin()
                self._check_status(statuses, request.redact)
        except BaseException:
            self.close()
            raise
        self.content_type = self._response.headers.get("Content-Type", "")

    def _connect(self, host: str, port: int | None, tls: bool) -> socket.socket:
        try:
            connection = socket.create_connection((host, port or (443 if tls else 80)), CONNECT_S)
        except (OSError, UnicodeError) as error:
            raise SourceRefused(f"{self._place} cannot be reached ({_reason(error)}): see {self._setting}") from None
        try:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for name, value in (
                ("TCP_KEEPIDLE", KEEPALIVE_IDLE_S),
                ("TCP_KEEPINTVL", KEEPALIVE_INTERVAL_S),
                ("TCP_KEEPCNT", KEEPALIVE_TRIES),
            ):
                if hasattr(socket, name):
                    connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
            if tls:
                return ssl.create_default_context().wrap_socket(connection, server_hostname=host)
        except OSError as error:
            connection.close()
            raise SourceRefused(f"{self._place} cannot be reached ({_reason(error)}): see {self._setting}") from None
        return connection

    def _check_status(self, statuses: Collection[int], redact: Callable[[str], str]) -> None:
        if self._response.status not in statuses:
            text = self._response.read(MAX_REASON_BYTES).decode("utf-8", "replace")
            line = redact(" ".join("".join(one if one.isprintable() else " " for one in text).split()))[:MAX_REASON]
            raise SourceRefused(f"{self._place} answers {self._response.status}{f': {line}' if line else ''}")

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Give what is read in this block so much time, from now on.

        Raises:
            SourceStalled: it took longer.
            SourceError: the connection failed, or its other end does not keep to HTTP.
        """
        self._raw.deadline = self._clock() + seconds
        try:
            yield
        except TimeoutError:
            raise SourceStalled(f"{self._place} sends nothing, or too slowly") from None
        except SourceError:
            raise
        except (OSError, HTTPException, ValueError, AttributeError) as error:
            # HTTPResponse raises AttributeError where it was closed from another thread in the middle of a read
            raise SourceEnded(f"the connection to {self._place} failed ({_reason(error)})") from None
        finally:
            self._raw.deadline = math.inf

    def has_more(self) -> bool:
        """Wait for more to read; False at the end of the answer. To be called :meth:`within` a time."""
        return bool(self._response.peek(1))

    def read(self, size: int) -> bytes:
        """Return `size` bytes. To be called :meth:`within` a time.

        Raises:
            SourceEnded: the answer ended before.
        """
        data = self._response.read(size)
        if len(data) < size:
            raise SourceEnded(f"{self._place} ended the connection")
        return data

    def read_line(self, limit: int) -> bytes:
        """Return a line without its end. To be called :meth:`within` a time.

        Raises:
            SourceEnded: the answer ended before.
            SourceRefused: the line is longer than `limit` bytes.
        """
        line = self._response.readline(limit + 2)
        if not line:
            raise SourceEnded(f"{self._place} ended the connection")
        if not line.endswith(b"\n"):
            raise SourceRefused(f"{self._place} sends a line of more than {limit} bytes")
        return line.rstrip(b"\r\n")

    def read_all(self, limit: int) -> bytes:
        """Return the rest of the answer. To be called :meth:`within` a time.

        Raises:
            SourceRefused: it is longer than `limit` bytes.
        """
        data = self._response.read(limit + 1)
        if len(data) > limit:
            raise SourceRefused(f"{self._place} sends more than {limit} bytes")
        return data

    def interrupt(self) -> None:
        """End the connection; a thread that reads gets :class:`SourceEnded`. Any thread may call it."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection."""
        with suppress(OSError):
            self._socket.close()


class _TimedSocket(io.RawIOBase):
    """What a socket receives, until a deadline."""

    def __init__(self, connection: socket.socket, clock: Callable[[], float]) -> None:
        self._socket = connection
        self._clock = clock
        self.deadline = math.inf

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left = self.deadline - self._clock()
        if left <= 0:
            raise TimeoutError
        self._socket.settimeout(None if left == math.inf else left)
        return self._socket.recv_into(buffer)


class _Readable:
    """A socket as :class:`http.client.HTTPResponse` uses it."""

    def __init__(self, raw: _TimedSocket) -> None:
        self._raw = raw

    def makefile(self, mode: str) -> BinaryIO:
        del mode
        return io.BufferedReader(self._raw, BUFFER_BYTES)


def _reason(error: BaseException) -> str:
    text = (getattr(error, "strerror", None) or str(error)).strip()
    return text.splitlines()[0][:160] if text else type(error).__name__
