"""Opens a camera's stream, or a file, over one transport. One attempt; :mod:`vcam_worker.stream.feed` retries.

Nothing that a camera sends decides where we connect to. Files are opened by the protocol ``file`` alone, HTTP
is spoken by :mod:`vcam_worker.stream.protocols.http_source`, RTSP passes through
:mod:`vcam_worker.stream.protocols.rtsp_relay`. The library reads formats that hold the video itself, and no lists of
other files; playlists of HLS are read by :mod:`vcam_worker.stream.protocols.hls`, which leads to HTTP alone.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import av
from av.container import InputContainer

from shared_utils.config.cameras import Camera
from shared_utils.errors import SourceError, SourceRefused, SourceStalled, SourceUnauthorized
from shared_utils.media.rules import FILE_OPTIONS, FORMATS, file_url
from shared_utils.networks import is_inside
from vcam_worker.stream.connection import Connection, Upstream
from vcam_worker.stream.info import probing_limits
from vcam_worker.stream.packet_source import PacketSource, Trail
from vcam_worker.stream.protocols.hls.source import is_playlist, open_hls
from vcam_worker.stream.protocols.http_source import Answer, HttpClient
from vcam_worker.stream.protocols.pictures import open_pictures
from vcam_worker.stream.protocols.rtsp_relay import RtspRelay
from vcam_worker.stream.protocols.wire import CHUNK_BYTES
from vcam_worker.stream.source_errors import TIMEOUTS, Timeouts, source_errors
from vcam_worker.stream.timing.arrivals import GATHER_S

NOT_ABOUT_TRANSPORT = (SourceRefused, SourceUnauthorized)
"""Failures that another RTSP transport would not cure."""

_log = logging.LoggerAdapter(logging.getLogger(__name__))
_SNIFF_BYTES = 16
"""Bytes of a body that tell its kind."""
_ALIVE_BYTES = 1024
"""What a stream sends at least within the stall timeout; one that sends less is dead."""
_PICTURE_KINDS = ("multipart/", "image/")
_PAGE_KINDS = frozenset({"text/html", "application/json", "application/xml", "text/xml"})


def connect(
    camera: Camera,
    transport: str,
    *,
    paced: bool = True,
    timeouts: Timeouts = TIMEOUTS,
    trail: Trail | None = None,
    is_inside: Callable[[str], bool] = is_inside,
) -> PacketSource:
    """Open `camera`'s stream over one transport.

    Args:
        camera: what to open.
        transport: ``tcp`` or ``udp``; for RTSP only.
        paced: deliver a file in real time, as a camera would; else as fast as it can be read.
        timeouts: how long the camera is waited for.
        trail: what the connection before handed on, and takes what this one hands on.
        is_inside: tells IP addresses of private networks, into which a public camera must not lead.

    Raises:
        SourceError: it could not be opened; the kind says why.
    """
    if camera.scheme in {"rtsp", "rtsps"}:
        return _connect_rtsp(camera, transport, timeouts)
    if camera.scheme in {"http", "https"}:
        return _connect_http(camera, timeouts, trail or Trail(_log), is_inside)
    return open_file(camera, paced=paced)


def open_file(camera: Camera, *, paced: bool) -> Connection:
    """Open a video file.

    Args:
        camera: whose URL is a path.
        paced: deliver it in real time, as a camera would; else as fast as it can be read.

    Raises:
        SourceError: it could not be opened.
    """
    with source_errors(camera, "opening"):
        options = {**FILE_OPTIONS, **probing_limits()}
        container = av.open(file_url(camera.url), options=options, metadata_errors="replace")
        return _connection(container, camera, "file", paced=paced)


def _connection(
    container: InputContainer,
    camera: Camera,
    transport: str,
    upstream: Upstream | None = None,
    *,
    paced: bool = True,
    timeouts: Timeouts = TIMEOUTS,
) -> Connection:
    try:
        return Connection(container, camera, transport, paced=paced, upstream=upstream, timeouts=timeouts)
    except BaseException:
        container.close()
        raise


def _connect_rtsp(camera: Camera, transport: str, timeouts: Timeouts) -> Connection:
    options = {
        "rtsp_transport": transport,
        "allowed_media_types": "video+audio",
        # microseconds; a camera that announces audio and sends none delays the start by this
        "analyzeduration": "8000000",
        # kernel buffer of the RTP socket: a keyframe of a 4K camera is a burst of a thousand datagrams
        "buffer_size": "4194304",
        "max_delay": "500000",
        "protocol_whitelist": "rtsp,rtp,udp,tcp",
        **probing_limits(),
    }
    # a read may begin this long after the last packet
    timeout = (timeouts.open_s, timeouts.stall_s - GATHER_S)
    relay = RtspRelay(camera, timeouts.open_s)
    try:
        with source_errors(camera, "opening", problem=relay.problem, timeouts=timeouts):
            container = av.open(relay.url, "r", options=options, timeout=timeout, metadata_errors="replace")
            return _connection(container, camera, transport, relay, timeouts=timeouts)
    except BaseException:
        relay.close()
        raise


def _connect_http(
    camera: Camera, timeouts: Timeouts, trail: Trail, is_inside: Callable[[str], bool]
) -> PacketSource:  # fmt: skip
    client = HttpClient(camera, timeouts.open_s, keeps_cookies=True)
    try:
        answer = client.get()
        begun = _sniff(answer, camera, timeouts.open_s)
        if answer.kind.startswith(_PICTURE_KINDS) or begun.startswith((b"\xff\xd8\xff", b"--", b"\r\n--")):
            return open_pictures(client, answer, begun, camera, timeouts=timeouts)
        if is_playlist(answer.kind, begun):
            return open_hls(client, answer, begun, camera, trail, timeouts=timeouts, is_inside=is_inside)
        _refuse(answer, begun, camera)
        body = _Body(client, answer, begun, timeouts)
        options = {"protocol_whitelist": "none", "format_whitelist": FORMATS, **probing_limits()}
        with source_errors(camera, "opening", timeouts=timeouts):
            timeout = timeouts.open_s, timeouts.stall_s
            container = av.open(body, "r", options=options, timeout=timeout, metadata_errors="replace")
            connection = _connection(container, camera, "http", body, timeouts=timeouts)
            body.opened()
            return connection
    except BaseException:
        client.close()
        raise


def _sniff(answer: Answer, camera: Camera, timeout_s: float) -> bytes:
    """Return the first bytes of a body."""
    deadline = time.monotonic() + timeout_s
    begun = b""
    try:
        while len(begun) < _SNIFF_BYTES:
            more = answer.read(CHUNK_BYTES, deadline)
            if not more:
                break
            begun += more
    except TimeoutError:
        if not begun:
            raise SourceStalled(f"{camera.display_url} accepts the connection, but sends nothing") from None
    return begun


def _refuse(answer: Answer, begun: bytes, camera: Camera) -> None:
    """Raise SourceError for an answer that is no stream."""
    start = begun.lstrip(b"\xef\xbb\xbf \t\r\n")[:_SNIFF_BYTES].lower()
    if answer.kind in _PAGE_KINDS or start.startswith((b"<", b"{")):
        raise SourceError(
            f"{camera.display_url} answers with a page ({answer.kind or 'no type'}), which is no stream: "
            f"check the path in {camera.setting}"
        )
    if not begun:
        raise SourceError(f"{camera.display_url} answers with nothing: check the path in {camera.setting}")


class _Body(Upstream):
    """The body of an HTTP answer as a file for the video library."""

    def __init__(self, client: HttpClient, answer: Answer, begun: bytes, timeouts: Timeouts) -> None:
        self._client = client
        self._answer = answer
        self._begun = begun
        self._stall_s = timeouts.stall_s
        self._open_until: float | None = time.monotonic() + timeouts.open_s
        self._waited = 0.0
        self._received = 0

    def opened(self) -> None:
        """The stream's parameters are known: only the stall timeout counts from now on."""
        self._open_until = None

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes as soon as there are any; none at the end.

        Raises:
            SourceStalled: fewer than :data:`_ALIVE_BYTES` came within the timeout.
            SourceEnded: the connection broke.
        """
        if self._begun:
            data, self._begun = self._begun[:size], self._begun[size:]
            return data
        asked = time.monotonic()
        deadline = asked + self._stall_s - self._waited
        try:
            data = self._answer.read(size, min(deadline, self._open_until or deadline))
        except TimeoutError:
            if self._open_until:
                raise SourceStalled("the stream sent no picture parameters while it was opened") from None
            raise SourceStalled(f"no packet for {self._stall_s:.0f} s") from None
        self._waited += time.monotonic() - asked
        self._received += len(data)
        if self._received >= _ALIVE_BYTES:
            self._waited, self._received = 0.0, 0
        return data

    def close(self) -> None:
        """Close the connection."""
        self._client.close()


def transports_of(camera: Camera, last_good: str | None = None) -> list[str]:
    """Return the transports to try in turn, first `last_good`, the one that worked before."""
    if camera.scheme not in {"rtsp", "rtsps"}:
        return ["any"]
    if camera.transport != "auto":
        return [camera.transport]
    if camera.scheme == "rtsps":  # all within one encrypted connection
        return ["tcp"]
    return sorted(("tcp", "udp"), key=lambda one: one != (last_good or "tcp"))
