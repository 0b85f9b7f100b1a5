"""A socket to a camera with a deadline for each read and a limit for each line, for RTSP and HTTP alike."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from shared_utils.closing import Closing
from shared_utils.config.cameras import Camera
from shared_utils.errors import SourceError, SourceRefused

CHUNK_BYTES = 64 * 1024
"""Bytes read from the socket at once."""
MAX_HEAD_BYTES = 64 * 1024
"""Most bytes of an answer's first line and headers together; cameras send less than 1 KiB."""

DEFAULT_PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}


class NotFollowedError(SourceError):
    """What a camera sends names an address that must not be connected to."""


class TooLongError(Exception):
    """The peer sends more than the limit allows."""


@dataclass(frozen=True)
class Target:
    """Scheme, host, port and path of a camera's URL.

    Attributes:
        scheme: lower case.
        host: as written in the URL.
        port: its own, or the scheme's.
        path: with the query, at least ``/``.
        user, password: decoded; None without.
    """

    scheme: str
    host: str
    port: int
    path: str
    user: str | None = None
    password: str | None = None

    @classmethod
    def of(cls, url: str) -> Target:
        """Parse a URL.

        Raises:
            ValueError: it has no host, or its port is no number.
        """
        parts = urlsplit(url)
        scheme = parts.scheme.lower()
        if not parts.hostname or scheme not in DEFAULT_PORTS:
            raise ValueError("no host")
        path = parts.path or "/"
        return cls(
            scheme,
            parts.hostname,
            parts.port or DEFAULT_PORTS[scheme],
            f"{path}?{parts.query}" if parts.query else path,
            unquote(parts.username) if parts.username is not None else None,
            unquote(parts.password or "") if parts.username is not None else None,
        )

    @property
    def is_encrypted(self) -> bool:
        """The scheme asks for TLS."""
        return self.scheme in {"rtsps", "https"}

    @property
    def netloc(self) -> str:
        """``host:port`` as in URLs, without the port where it is the scheme's default."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def base(self) -> str:
        """Scheme, host and port, with the default port too, as cameras expect it in RTSP requests."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"

    def is_same_host(self, other: Target) -> bool:
        """Whether `other` is on the same host, on any port."""
        return self.host.rstrip(".").lower() == other.host.rstrip(".").lower()


def dial(
    target: Target, camera: Camera, timeout: float, is_forbidden: Callable[[str], bool] | None = None
) -> socket.socket:  # fmt: skip
    """Connect to a camera's host, with TLS where its URL asks for that.

    Certificates are not verified, as cameras sign their own: TLS hides the stream, and does not authenticate the
    camera.

    Args:
        target: where to connect to.
        camera: for messages.
        timeout: seconds.
        is_forbidden: tells which IP addresses must not be connected to; None allows all.

    Raises:
        SourceRefused: nothing answers there; the text says what to check.
        NotFollowedError: the host's address is forbidden.
        SourceError: no TLS.
    """
    plain = connect_tcp(target, camera, timeout, is_forbidden)
    if not target.is_encrypted:
        return plain
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    # old cameras speak TLS 1.0 with weak keys, which OpenSSL 3 refuses above security level 0
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    try:
        return context.wrap_socket(plain, server_hostname=target.host)
    except OSError as error:
        plain.close()
        reason = getattr(error, "reason", None) or error.strerror or type(error).__name__
        if isinstance(error, TimeoutError):
            reason = "no answer"
        raise SourceError(f"{target.netloc} does not speak TLS ({reason}): check {camera.setting}") from None


def connect_tcp(
    target: Target, camera: Camera, timeout: float, is_forbidden: Callable[[str], bool] | None = None
) -> socket.socket:  # fmt: skip
    """Connect to a camera's host; the arguments are those of :func:`dial`.

    Raises:
        SourceRefused: nothing answers there; the text says what to check.
        NotFollowedError: the host's address is forbidden.
    """
    host, port = target.host, target.port
    try:
        address = _allowed(host, port, is_forbidden) if is_forbidden else host
        found = socket.create_connection((address, port), timeout=timeout)
    except (socket.gaierror, UnicodeError):
        reason = f"the name {host!r} is not known: check the host in {camera.setting}, or use its IP"
        raise SourceRefused(reason) from None
    except ConnectionRefusedError:
        reason = f"{host}:{port} refuses the connection: is the camera on, and {camera.setting} right?"
        raise SourceRefused(reason) from None
    except OSError as error:
        reason = "no answer" if isinstance(error, TimeoutError) else str(error.strerror)
        raise SourceRefused(f"{host}:{port} cannot be reached ({reason}): is the camera on the network?") from None
    found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return found


def _allowed(host: str, port: int, is_forbidden: Callable[[str], bool]) -> str:
    """Return a host's IP address. It is what is connected to, so that the name cannot mean another one by then."""
    found = [str(one[4][0]) for one in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    if any(is_forbidden(one) for one in found):
        raise NotFollowedError(f"a public camera leads to {host} in a private network, which is not followed")
    return found[0]


class Wire(Closing):
    """Buffered reading from a socket, against a deadline.

    Args:
        sock: connected.
        clock: monotonic seconds, which deadlines count in.
    """

    def __init__(self, sock: socket.socket, clock: Callable[[], float] = time.monotonic) -> None:
        self._socket = sock
        self._clock = clock
        self._buffer = bytearray()

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    @property
    def peer(self) -> str:
        """The IP address of the other side."""
        return str(self._socket.getpeername()[0])

    def abort(self) -> None:
        """End what another thread waits for here; the connection cannot be used any more."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def send(self, data: bytes, deadline: float) -> None:
        """Send all of `data`.

        Raises:
            OSError: the connection broke; TimeoutError at the deadline.
        """
        self._set_timeout(deadline)
        self._socket.sendall(data)

    def read(self, limit: int, deadline: float) -> bytes:
        """Return up to `limit` bytes, as soon as there are any; none at the end.

        Raises:
            OSError: the connection broke; TimeoutError at the deadline.
        """
        if not self._buffer:
            return self._receive(min(limit, CHUNK_BYTES), deadline)
        data = bytes(self._buffer[:limit])
        del self._buffer[:limit]
        return data

    def read_line(self, deadline: float, limit: int = MAX_HEAD_BYTES) -> bytes:
        """Return a line without its end; the rest where the connection ends before.

        Raises:
            TooLongError: it has more than `limit` bytes.
            OSError: the connection broke; TimeoutError at the deadline.
        """
        start = 0
        while True:
            end = self._buffer.find(b"\n", start)
            if end >= 0 or len(self._buffer) > limit:
                break
            start = len(self._buffer)
            more = self._receive(CHUNK_BYTES, deadline)
            if not more:
                end = len(self._buffer)
                break
            self._buffer += more
        if end < 0 or end > limit:
            raise TooLongError
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line.removesuffix(b"\r")

    def read_head(self, deadline: float) -> list[bytes]:
        """Return the lines up to an empty one, which ends an answer's headers.

        Raises:
            TooLongError: more than :data:`MAX_HEAD_BYTES` bytes.
            OSError: the connection broke; TimeoutError at the deadline.
        """
        lines: list[bytes] = []
        left = MAX_HEAD_BYTES
        while True:
            line = self.read_line(deadline, left)
            if not line:
                return lines
            lines.append(line)
            left -= len(line) + 1
            if left <= 0:
                raise TooLongError

    def _receive(self, limit: int, deadline: float) -> bytes:
        self._set_timeout(deadline)
        return self._socket.recv(limit)

    def _set_timeout(self, deadline: float) -> None:
        left = deadline - self._clock()
        if left <= 0:
            raise TimeoutError
        self._socket.settimeout(left)


def parse_headers(lines: list[bytes]) -> dict[str, list[str]]:
    """Return headers by name in lower case; a line that begins with white space continues the one before it.

    Lines without a colon are ignored.
    """
    headers: dict[str, list[str]] = {}
    whole: list[bytes] = []
    for line in lines:
        if whole and line[:1] in {b" ", b"\t"}:
            whole[-1] += b" " + line.strip()
        else:
            whole.append(line)
    for line in whole:
        name, colon, value = line.decode("latin-1").partition(":")
        if colon:
            headers.setdefault(name.strip().lower(), []).append(value.strip())
    return headers


def check_redirect(camera: Camera, origin: Target, target: Target, location: str, plain: str) -> None:
    """Allow a redirect on the camera's own host alone, and none from TLS to plain text.

    Args:
        camera: whose redirect it is.
        origin: of the camera's URL.
        target: of the redirect.
        location: the redirect's URL, masked, for the message.
        plain: the scheme without TLS, such as ``rtsp``; the one with it has an ``s`` appended.

    Raises:
        SourceError: it must not be followed; the text says why.
    """
    if target.scheme not in {plain, f"{plain}s"} or not target.is_same_host(origin):
        raise SourceError(
            f"{camera.display_url} redirects to another host ({location}), which is not followed: "
            f"if that is right, put it into {camera.setting}"
        )
    if origin.is_encrypted and not target.is_encrypted:
        raise SourceError(
            f"{camera.display_url} redirects from {plain}s to {plain} ({location}), which is not followed"
        )
