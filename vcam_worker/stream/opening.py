"""Opens a camera's stream (or a file), over one transport. One attempt: :mod:`vcam_worker.stream.feed` decides on the
next.

What a camera sends decides nothing about where we connect to. Files are opened by the protocol ``file`` alone, HTTP
is spoken by :mod:`vcam_worker.stream.protocols.http_source`, RTSP passes through
:mod:`vcam_worker.stream.protocols.rtsp_relay`. Only formats that hold
the pictures themselves are read: no playlist, and no list of other files.
"""

from __future__ import annotations

import time

import av
from av.container import InputContainer

from shared_utils.config.cameras import Camera
from shared_utils.errors import SourceError, SourceRefused, SourceStalled, SourceUnauthorized
from shared_utils.media.rules import FILE_OPTIONS, FORMATS, file_url
from vcam_worker.stream.arrivals import GATHER_SECONDS
from vcam_worker.stream.protocols.http_source import Answer, HttpClient
from vcam_worker.stream.protocols.pictures import PictureConnection, Timing, open_pictures
from vcam_worker.stream.protocols.rtsp_relay import RtspRelay
from vcam_worker.stream.protocols.wire import CHUNK
from vcam_worker.stream.source import Connection, Way, probing_limits
from vcam_worker.stream.source_errors import OPEN_TIMEOUT, STALL_TIMEOUT, source_errors

NOT_ABOUT_TRANSPORT = (SourceRefused, SourceUnauthorized)
"""Failures that another RTSP transport would not change."""

_SNIFF = 16
"""Bytes of a body by which its kind is told."""
_ALIVE_BYTES = 1024
"""What a stream sends at least within the stall timeout; one that trickles is a dead one."""
_PICTURE_KINDS = ("multipart/", "image/")
_PAGE_KINDS = frozenset({"text/html", "application/json", "application/xml", "text/xml"})
_PLAYLIST_KINDS = frozenset(
    {"application/vnd.apple.mpegurl", "application/x-mpegurl", "audio/mpegurl", "audio/x-mpegurl"}
)

Opened = Connection | PictureConnection


def connect(camera: Camera, transport: str, *, paced: bool = True) -> Opened:
    """Open `camera`'s stream over one transport.

    Args:
        camera: what to open.
        transport: ``tcp`` or ``udp``; looked at for RTSP only.
        paced: play a file at its own pace, as a camera would; else as fast as it can be read.

    Raises:
        SourceError: it could not be opened; the kind says why.
    """
    if camera.scheme in {"rtsp", "rtsps"}:
        return _connect_rtsp(camera, transport)
    if camera.scheme in {"http", "https"}:
        return _connect_http(camera)
    return open_file(camera, paced=paced)


def open_file(camera: Camera, *, paced: bool) -> Connection:
    """Open a video file.

    Args:
        camera: whose address is a path.
        paced: play it at its own pace, as a camera would; else as fast as it can be read.

    Raises:
        SourceError: it could not be opened.
    """
    with source_errors(camera, "opening"):
        container = av.open(file_url(camera.url), options={**FILE_OPTIONS, **probing_limits()})
        return _connection(container, camera, "file", paced=paced)


def _connection(
    container: InputContainer, camera: Camera, transport: str, way: Way | None = None, *, paced: bool = True
) -> Connection:
    try:
        return Connection(container, camera, transport, paced=paced, way=way)
    except BaseException:
        container.close()
        raise


def _connect_rtsp(camera: Camera, transport: str) -> Connection:
    options = {
        "rtsp_transport": transport,
        "allowed_media_types": "video+audio",
        # microseconds; a camera with sound announced but none sent would hold the start up to here
        "analyzeduration": "8000000",
        # kernel buffer of the RTP socket: keyframes of a 4K camera come as a burst of a thousand datagrams
        "buffer_size": "4194304",
        "max_delay": "500000",
        "protocol_whitelist": "rtsp,rtp,udp,tcp",
        **probing_limits(),
    }
    # a read may begin so long after the last packet
    timeout = (OPEN_TIMEOUT, STALL_TIMEOUT - GATHER_SECONDS)
    relay = RtspRelay(camera)
    try:
        with source_errors(camera, "opening", problem=relay.problem):
            container = av.open(relay.url, "r", options=options, timeout=timeout)
            return _connection(container, camera, transport, relay)
    except BaseException:
        relay.close()
        raise


def _connect_http(camera: Camera) -> Opened:
    client = HttpClient(camera, OPEN_TIMEOUT)
    try:
        answer = client.get()
        begun = _sniff(answer, camera)
        if answer.kind.startswith(_PICTURE_KINDS) or begun.startswith((b"\xff\xd8\xff", b"--", b"\r\n--")):
            return open_pictures(client, answer, begun, camera, Timing())
        _refuse(answer, begun, camera)
        body = _Body(client, answer, begun)
        options = {"protocol_whitelist": "none", "format_whitelist": FORMATS, **probing_limits()}
        with source_errors(camera, "opening"):
            container = av.open(body, "r", options=options, timeout=(OPEN_TIMEOUT, STALL_TIMEOUT))
            connection = _connection(container, camera, "http", body)
            body.opened()
            return connection
    except BaseException:
        client.close()
        raise


def _sniff(answer: Answer, camera: Camera) -> bytes:
    """Return the first bytes of a body."""
    deadline = time.monotonic() + OPEN_TIMEOUT
    begun = b""
    try:
        while len(begun) < _SNIFF:
            more = answer.read(CHUNK, deadline)
            if not more:
                break
            begun += more
    except TimeoutError:
        if not begun:
            raise SourceStalled(f"{camera.shown} accepts the connection, but sends nothing") from None
    return begun


def _refuse(answer: Answer, begun: bytes, camera: Camera) -> None:
    """Say what an answer is that is no stream."""
    start = begun.lstrip(b"\xef\xbb\xbf \t\r\n")[:_SNIFF].lower()
    if answer.kind in _PLAYLIST_KINDS or start.startswith(b"#extm3u"):
        raise SourceError(
            f"{camera.shown} is a playlist (HLS), which is not read: "
            f"give the camera's RTSP or MJPEG address in {camera.setting}"
        )
    if answer.kind in _PAGE_KINDS or start.startswith((b"<", b"{")):
        raise SourceError(
            f"{camera.shown} answers with a page ({answer.kind or 'no type'}), which is no stream: "
            f"check the path in {camera.setting}"
        )
    if not begun:
        raise SourceError(f"{camera.shown} answers with nothing: check the path in {camera.setting}")


class _Body(Way):
    """The body of an answer as a file for the video library, which opens no connection of its own."""

    def __init__(self, client: HttpClient, answer: Answer, begun: bytes) -> None:
        self._client = client
        self._answer = answer
        self._begun = begun
        self._open_until: float | None = time.monotonic() + OPEN_TIMEOUT
        self._waited = 0.0
        self._received = 0

    def opened(self) -> None:
        """Take note that the stream's parameters are known."""
        self._open_until = None

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes as soon as there are any; none at the end.

        Raises:
            SourceStalled: there were less than :data:`_ALIVE_BYTES` in all the time that was waited for them.
            SourceEnded: the connection broke.
        """
        if self._begun:
            data, self._begun = self._begun[:size], self._begun[size:]
            return data
        asked = time.monotonic()
        deadline = asked + STALL_TIMEOUT - self._waited
        try:
            data = self._answer.read(size, min(deadline, self._open_until or deadline))
        except TimeoutError:
            if self._open_until:
                raise SourceStalled("the stream sent no picture parameters while it was opened") from None
            raise SourceStalled(f"no packet for {STALL_TIMEOUT:.0f} s") from None
        self._waited += time.monotonic() - asked
        self._received += len(data)
        if self._received >= _ALIVE_BYTES:
            self._waited, self._received = 0.0, 0
        return data

    def close(self) -> None:
        """Close the connection."""
        self._client.close()


def transports_of(camera: Camera, last_good: str | None = None) -> list[str]:
    """Return the transports to try in turn; `last_good`, the one that worked before, comes first."""
    if camera.scheme not in {"rtsp", "rtsps"}:
        return ["any"]
    if camera.transport != "auto":
        return [camera.transport]
    if camera.scheme == "rtsps":  # all within one encrypted connection
        return ["tcp"]
    return sorted(("tcp", "udp"), key=lambda one: one != (last_good or "tcp"))
