"""Requests playlists and segments: from the camera's host, and from public hosts that a public camera's playlist names.

The rules, beside those of :mod:`vcam_worker.stream.protocols.http_source`:

* HTTP only; a playlist over TLS leads to nothing without it.
* A camera of a private network leads to no other host. A public one, as content delivery networks are, may lead to
  other public hosts, and never into private networks: the address that a name has at the time of connecting counts.
* User and password go to the camera's own host alone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

from shared_utils.config.cameras import Camera
from shared_utils.errors import SourceEnded, SourceError
from vcam_worker.stream.protocols.hls.playlist import MAX_PLAYLIST_BYTES, Piece, PlaylistError
from vcam_worker.stream.protocols.http_source import Answer, HttpClient
from vcam_worker.stream.protocols.wire import CHUNK_BYTES, NotFollowedError, Target

MAX_SEGMENT_BYTES = 64 * 1024 * 1024
"""Most bytes of a segment: 10 s of 50 Mbit/s."""
MAX_SECTION_BYTES = 1024 * 1024
"""Most bytes of an initialization section; they have one or two thousand."""
MAX_CLIENTS = 4
"""Hosts with an open connection at a time."""


class GoneError(SourceError):
    """The server has no such resource (any more)."""


class Site:
    """Where a camera's playlists and segments are requested. One thread uses it, but for :meth:`abort`.

    Args:
        camera: whose URL is the playlist's.
        client: that has just received the first playlist.
        timeout_s: seconds for one answer's headers.
        is_inside: tells IP addresses of private networks.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        camera: Camera,
        client: HttpClient,
        timeout_s: float,
        is_inside: Callable[[str], bool],
        clock: Callable[[], float],
    ) -> None:
        self._camera = camera
        self._timeout_s = timeout_s
        self._clock = clock
        self._own = Target.of(camera.url)
        self._is_inside = is_inside
        peer = client.peer
        self._is_public = bool(peer) and not is_inside(peer)
        self._clients: dict[str, HttpClient] = {"": client}
        self._lock = threading.Lock()
        self._is_closed = False
        if self._is_public:
            client.is_forbidden = is_inside

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            self._is_closed = True
            clients = list(self._clients.values())
        for one in clients:
            one.close()

    def abort(self) -> None:
        """End the request that another thread waits for; no other one is made."""
        with self._lock:
            self._is_closed = True
            clients = list(self._clients.values())
        for one in clients:
            one.abort()

    def playlist(self, url: str, deadline: float) -> tuple[bytes, str]:
        """Return a playlist's bytes, and its URL after redirects.

        Raises:
            NotFollowedError: it is at an address that must not be connected to.
            GoneError: there is none.
            SourceError: it cannot be had.
        """
        client = self._client(url)
        return self.body(self._ask(client, url, {}), MAX_PLAYLIST_BYTES, deadline), client.url

    def piece(self, piece: Piece, base: str, limit: int, deadline: float) -> bytes:
        """Return a segment, or an initialization section.

        Args:
            piece: what to request.
            base: URL of its playlist.
            limit: most bytes.
            deadline: for all of it, monotonic seconds.

        Raises:
            NotFollowedError: it is at an address that must not be connected to.
            GoneError: there is none.
            SourceError: it cannot be had; TimeoutError at the deadline.
        """
        try:
            url = piece.url(base)
        except PlaylistError as error:
            raise NotFollowedError(f"{self._camera.display_url}: its playlist {error}") from None
        if piece.length is None:
            return self.body(self._ask(self._client(url), url, {}), limit, deadline)
        if piece.start + piece.length > 2**50 or piece.length > limit:
            raise SourceError(f"{self._camera.display_url} lists a part of {piece.length} bytes, more than {limit}")
        last = piece.start + piece.length - 1
        answer = self._ask(self._client(url), url, {"Range": f"bytes={piece.start}-{last}"})
        if answer.status == 206:
            return self.body(answer, piece.length, deadline)
        # the server ignores ranges, as it may
        whole = self.body(answer, MAX_SEGMENT_BYTES, deadline)
        return whole[piece.start : last + 1]

    def body(self, answer: Answer, limit: int, deadline: float, begun: bytes = b"") -> bytes:
        """Return a body as a whole.

        Args:
            answer: whose body it is.
            limit: most bytes.
            deadline: monotonic seconds.
            begun: what was read of it already.

        Raises:
            SourceError: it is too long, or not complete; TimeoutError at the deadline.
        """
        if answer.header("content-encoding").lower() not in {"", "identity"}:
            coding = answer.header("content-encoding")[:20]
            raise SourceError(f"{self._camera.display_url} answers in the coding {coding!r}, which was not asked for")
        parts, size = [begun], len(begun)
        while size <= limit:
            data = answer.read(CHUNK_BYTES, deadline)
            if not data:
                break
            parts.append(data)
            size += len(data)
        if size > limit:
            raise SourceError(f"{self._camera.display_url} sends a part of more than {limit} bytes")
        if answer.was_cut:
            raise SourceEnded("the connection broke in the middle of a part of the stream")
        return b"".join(parts)

    def _ask(self, client: HttpClient, url: str, headers: dict[str, str]) -> Answer:
        answer = client.request(headers, url)
        if answer.status in {404, 410}:
            raise GoneError(f"{self._camera.display_url}: a part of the stream is not there (HTTP {answer.status})")
        if answer.status not in {200, 206}:
            raise SourceError(f"{self._camera.display_url}: a part of the stream is refused (HTTP {answer.status})")
        return answer

    def _client(self, url: str) -> HttpClient:
        """Return the client for a URL.

        Raises:
            NotFollowedError: it must not be requested.
        """
        target = Target.of(url)
        if self._own.is_encrypted and not target.is_encrypted:
            raise NotFollowedError(
                f"{self._camera.display_url} leads from https to http ({target.netloc}), which is not followed"
            )
        if target.is_same_host(self._own):
            return self._clients[""]
        if not self._is_public:
            raise NotFollowedError(
                f"{self._camera.display_url} leads to another host ({target.netloc}), which is not followed: "
                f"if that is right, put it into {self._camera.setting}"
            )
        with self._lock:
            if self._is_closed:
                raise SourceEnded("the connection was closed")
            return self._clients.get(target.base) or self._new_client(target)

    def _new_client(self, target: Target) -> HttpClient:
        for base in list(self._clients)[1 : len(self._clients) - MAX_CLIENTS + 2]:
            self._clients.pop(base).close()
        client = HttpClient(
            replace(self._camera, url=f"{target.base}/"), self._timeout_s, self._clock, keeps_cookies=True
        )
        client.is_forbidden = self._is_inside
        self._clients[target.base] = client
        return client
