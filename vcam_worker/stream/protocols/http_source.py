"""HTTP client for cameras: bounded headers, redirects on the same host alone, Basic and Digest authentication.

The video library opens no connection for ``http://`` URLs, as it would follow redirects to any host.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from urllib.parse import urljoin

from shared_utils.config.cameras import Camera
from shared_utils.errors import SourceEnded, SourceError, SourceStalled, SourceUnauthorized
from shared_utils.redact import mask_url
from vcam_worker.stream.protocols.cookies import Cookies
from vcam_worker.stream.protocols.credentials import Credentials
from vcam_worker.stream.protocols.wire import (
    CHUNK_BYTES,
    Target,
    TooLongError,
    Wire,
    check_redirect,
    dial,
    parse_headers,
)

MAX_REDIRECTS = 5
MAX_REPEATS = 2
"""Times that a request is repeated with the password; a camera may revoke its nonce in between."""
MAX_CONTINUES = 10
"""Interim answers such as "100 Continue" before the final one (RFC 9110, 15.2)."""
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MAX_DRAIN_BYTES = 256 * 1024
"""Bytes of an error page that are read so that the connection can be reused."""
_DRAIN_S = 0.5
"""Time for that: a stated length that exceeds the body never ends."""


@dataclass
class Answer:
    """An answer: status and headers, and its body as it arrives.

    Attributes:
        status: HTTP's.
        headers: by name in lower case.
    """

    status: int
    headers: dict[str, list[str]]
    _wire: Wire = field(repr=False)
    _chunked: bool = False
    _left: int | None = None  # bytes left of the body, or of the chunk; None: up to the connection's end
    _over: bool = False
    _cut: bool = False

    @classmethod
    def of(cls, status: int, headers: dict[str, list[str]], wire: Wire) -> Answer:
        """Return an answer whose headers have been read from `wire`."""
        answer = cls(status, headers, wire)
        length = answer.header("content-length")
        if status == 304:
            answer._left = 0
        elif "chunked" in answer.header("transfer-encoding").lower():
            answer._chunked = True
        elif length.isdigit() and len(length) < 20:
            answer._left = int(length)
        answer._over = answer._left == 0
        return answer

    def header(self, name: str) -> str:
        """Return a header's first value; empty without it."""
        return self.headers.get(name, [""])[0]

    @property
    def kind(self) -> str:
        """The media type, lower case, without parameters."""
        return self.header("content-type").partition(";")[0].strip().lower()

    @property
    def is_framed(self) -> bool:
        """The body is delimited by itself, and not by the connection's end."""
        return self._chunked or self._left is not None

    @property
    def has_length(self) -> bool:
        """The body's length is stated in the headers."""
        return self._left is not None and not self._chunked

    @property
    def was_cut(self) -> bool:
        """The connection ended before the body did."""
        return self._cut

    def unframed(self) -> Answer:
        """Ignore a stated length, which cameras send for endless streams: the body lasts as long as the connection."""
        if not self._chunked:
            self._left, self._over = None, False
        return self

    def read(self, limit: int, deadline: float) -> bytes:
        """Return up to `limit` bytes of the body, as soon as there are any; none at its end.

        Raises:
            SourceEnded: the connection broke, or the body is not valid HTTP.
            TimeoutError: nothing came up to the deadline.
        """
        if self._over:
            return b""
        try:
            if self._chunked and not self._left:
                self._next_chunk(deadline)
            if self._over:
                return b""
            data = self._wire.read(limit if self._left is None else min(limit, self._left), deadline)
            if self._left is not None:
                self._left -= len(data)
                if self._chunked and not self._left and data:
                    self._wire.read_line(deadline, 2)
        except TimeoutError:
            raise
        except (OSError, TooLongError, ValueError) as error:
            raise SourceEnded(f"the connection broke ({_reason(error)})") from None
        self._cut = not data and (self._chunked or bool(self._left))
        self._over = not data or (self._left == 0 and not self._chunked)
        return data

    def _next_chunk(self, deadline: float) -> None:
        size = self._wire.read_line(deadline, 1024).partition(b";")[0].strip()
        self._left = int(size, 16) if size else 0
        if self._left <= 0:
            self._wire.read_head(deadline)
            self._over = True


class HttpClient:
    """Sends requests to one camera's host, over one connection as long as it lasts.

    Args:
        camera: whose URL is requested, with its user and password.
        timeout: seconds for one answer's headers, redirects and authentication included.
        clock: monotonic seconds.
        keeps_cookies: send the cookies that the host sets, as browsers do, for as long as this object lives.

    Attributes:
        is_forbidden: tells which IP addresses must not be connected to; None allows all.
    """

    def __init__(
        self,
        camera: Camera,
        timeout: float,
        clock: Callable[[], float] = time.monotonic,
        *,
        keeps_cookies: bool = False,
    ) -> None:
        self.is_forbidden: Callable[[str], bool] | None = None
        self._camera = camera
        self._timeout = timeout
        self._clock = clock
        self._cookies: Cookies | None = Cookies() if keeps_cookies else None
        self._origin = self._target = _target(camera)
        self._credentials = Credentials(self._target.user, self._target.password)
        self._wire: Wire | None = None
        self._answer: Answer | None = None

    def close(self) -> None:
        """Close the connection."""
        if self._wire:
            self._wire.close()
        self._wire = self._answer = None

    def abort(self) -> None:
        """End a request that another thread waits for."""
        wire = self._wire
        if wire:
            wire.abort()

    @property
    def url(self) -> str:
        """The URL of the last answer, after redirects, without user and password."""
        return f"{self._target.scheme}://{self._target.netloc}{self._target.path}"

    @property
    def peer(self) -> str:
        """The IP address of the host, while there is a connection; else empty."""
        return self._wire.peer if self._wire else ""

    def get(self, headers: dict[str, str] | None = None) -> Answer:
        """Request the camera's URL.

        Args:
            headers: additional ones.

        Returns:
            An answer of status 200, or 304 where `headers` allow that.

        Raises:
            SourceError: anything else; the type says why.
        """
        answer = self.request(headers)
        self._check(answer)
        return answer

    def request(self, headers: dict[str, str] | None = None, url: str | None = None) -> Answer:
        """Request the camera's URL, or another one, and follow redirects.

        Args:
            headers: additional ones.
            url: on the camera's host.

        Returns:
            An answer of any status but that of a redirect.

        Raises:
            SourceError: there is none; the type says why.
        """
        if url is not None:
            self._go(replace(Target.of(url), user=None, password=None))
        deadline = self._clock() + self._timeout
        repeats = 0
        for _ in range(MAX_REDIRECTS + MAX_REPEATS + 1):
            answer = self._once(headers or {}, deadline)
            if (
                answer.status == 401
                and repeats < MAX_REPEATS
                and self._credentials.challenged(answer.headers.get("www-authenticate", []))
            ):
                repeats += 1
                continue
            if answer.status != 401:
                self._credentials.accepted()
            if answer.status in _REDIRECTS:
                self._redirect(answer.header("location"))
                continue
            return answer
        raise SourceError(f"{self._camera.display_url} redirects in a circle: check the path in {self._camera.setting}")

    def _check(self, answer: Answer) -> None:
        camera = self._camera
        if answer.status in {401, 403}:
            raise SourceUnauthorized(
                f"wrong user name or password for {camera.display_url}: check {camera.setting} "
                "(special characters percent-encoded)"
            )
        if answer.status == 404:
            raise SourceError(f"{camera.display_url} has no such stream: check the path in {camera.setting}")
        if answer.status not in {200, 206, 304}:
            raise SourceError(f"{camera.display_url} answers with an error (HTTP {answer.status})")

    def _redirect(self, location: str) -> None:
        there = mask_url(location)[:100] or "nowhere"
        try:
            target = Target.of(urljoin(self.url, location))
        except ValueError:
            raise SourceError(f"{self._camera.display_url} redirects to {there!r}, which is not a URL") from None
        check_redirect(self._camera, self._origin, target, there, "http")
        self._go(replace(target, user=None, password=None))

    def _go(self, target: Target) -> None:
        if (target.port, target.scheme) != (self._target.port, self._target.scheme):
            self.close()
        self._target = target

    def _once(self, headers: dict[str, str], deadline: float) -> Answer:
        """Send one request, over a new connection where the last one cannot be reused."""
        if self._wire and self._answer and self._is_reusable(self._answer, deadline):
            try:
                return self._ask(self._wire, headers, deadline)
            except SourceError:  # the camera has closed the connection meanwhile
                pass
        self.close()
        sock = dial(self._target, self._camera, max(0.1, deadline - self._clock()), self.is_forbidden)
        self._wire = Wire(sock, self._clock)
        return self._ask(self._wire, headers, deadline)

    def _is_reusable(self, answer: Answer, deadline: float) -> bool:
        if answer.header("connection").lower() == "close" or not answer.is_framed:
            return False
        left, deadline = _MAX_DRAIN_BYTES, min(deadline, self._clock() + _DRAIN_S)
        try:
            while left > 0:
                data = answer.read(min(left, CHUNK_BYTES), deadline)
                if not data:
                    return True
                left -= len(data)
        except (SourceError, TimeoutError):
            return False
        return False

    def _ask(self, wire: Wire, headers: dict[str, str], deadline: float) -> Answer:
        target = self._target
        fields = {
            "Host": target.netloc,
            "User-Agent": "vcam",
            "Accept": "*/*",
            "Accept-Encoding": "identity",
            "Connection": "keep-alive",
            **headers,
        }
        path = _ascii(target.path)
        authorization = self._credentials.header("GET", path)
        if authorization:
            fields["Authorization"] = authorization
        cookies = self._cookies.header() if self._cookies else ""
        if cookies:
            fields["Cookie"] = cookies
        lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
        try:
            wire.send("\r\n".join(lines).encode(), deadline)
            self._answer = self._head(wire, deadline)
        except TimeoutError:
            raise SourceStalled(f"{self._camera.display_url} accepts the connection, but sends nothing") from None
        except TooLongError:
            raise SourceError(f"{self._camera.display_url} answers with headers that do not end") from None
        except (OSError, ValueError) as error:
            raise SourceError(
                f"{self._camera.display_url} answers, but its stream cannot be opened ({_reason(error)})"
            ) from None
        if self._cookies:
            self._cookies.take(self._answer.headers.get("set-cookie", []))
        return self._answer

    def _head(self, wire: Wire, deadline: float) -> Answer:
        for _ in range(MAX_CONTINUES):
            lines = wire.read_head(deadline)
            if not lines:
                raise ConnectionResetError("no answer")
            words = lines[0].split(None, 2)
            if not lines[0].startswith((b"HTTP/", b"ICY")) or len(words) < 2 or not words[1].isdigit():
                raise ValueError("it is no HTTP")
            status = int(words[1])
            if status >= 200:
                return Answer.of(status, parse_headers(lines[1:]), wire)
        raise ValueError("it sends no end of interim answers")


def _target(camera: Camera) -> Target:
    try:
        return Target.of(camera.url)
    except ValueError:
        raise SourceError(f"{camera.setting} has no usable host or port: {camera.display_url!r}") from None


def _ascii(path: str) -> str:
    """Return a path for a request line: spaces and non-ASCII characters percent-encoded, the rest unchanged."""
    return "".join(one if "!" <= one <= "~" else "".join(f"%{byte:02X}" for byte in one.encode()) for one in path)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
