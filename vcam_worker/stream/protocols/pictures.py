"""JPEG pictures over HTTP: one after the other in one answer (MJPEG), or one per request."""

from __future__ import annotations

from collections.abc import Iterator

from shared_utils.config.cameras import Camera
from shared_utils.errors import SourceEnded, SourceError, SourceStalled, SourceUnauthorized
from shared_utils.media.bitstream.jpeg_header import jpeg_size
from shared_utils.media.bitstream.parameter_sets import PictureFormat
from vcam_worker.stream.info import StreamInfo, check_size, picture_info
from vcam_worker.stream.packet_source import PacketSource
from vcam_worker.stream.packets import Packet
from vcam_worker.stream.protocols.http_source import Answer, HttpClient
from vcam_worker.stream.protocols.jpeg_parts import MAX_PICTURE_BYTES, JpegParts, NoPictureError
from vcam_worker.stream.protocols.wire import CHUNK_BYTES
from vcam_worker.stream.source_errors import TIMEOUTS, Timeouts
from vcam_worker.stream.timing.arrivals import Arrivals
from vcam_worker.stream.timing.clocks import Clocks

MIN_POLL_FPS, MAX_POLL_FPS = 1.0, 5.0
"""Requests per second where each gives one picture; within these bounds, as many as are analysed."""
REPEAT_S = 1.0
"""Interval at which an unchanged picture is recorded: the camera is connected, and nothing moves."""
POLL_TIMEOUT_S = 5.0
"""Time for one requested picture."""
FAILED_PAUSE_S = 1.0
"""Delay after a failed request."""
LONE_S = 3.0
"""Time after the first picture in which an answer without a length must end; one that does not is a slow stream."""


class PictureConnection(PacketSource):
    """An open stream of JPEG pictures; see :class:`vcam_worker.stream.connection.Connection`.

    Args:
        client: closed with it.
        info: of the first picture.
        pictures: as they arrive.
        clocks: where time comes from.
    """

    def __init__(self, client: HttpClient, info: StreamInfo, pictures: Iterator[bytes], clocks: Clocks) -> None:
        self.info = info
        self._client = client
        self._pictures = pictures
        self._clocks = clocks
        self._arrivals = Arrivals(gathers=False)

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    @property
    def at_rest(self) -> bool:
        """No further packet is waiting: a good moment to hand over those received."""
        return self._arrivals.at_rest

    def packets(self) -> Iterator[Packet]:
        """Yield one packet per picture, dated by its arrival.

        Raises:
            SourceEnded: the camera ended the stream.
            SourceStalled: no picture came for :attr:`vcam_worker.stream.source_errors.Timeouts.stall_s`.
            SourceError: the connection broke, or what it delivers is no picture.
        """
        asked = self._clocks.monotonic()
        for picture in self._pictures:
            now = self._clocks.monotonic()
            size = jpeg_size(picture)
            check_size(*(size or (0, 0)))
            arrived = self._arrivals.date(None, asked, now)
            packet = Packet("video", picture, is_keyframe=True, dts=None, arrived=arrived, wall=self._clocks.wall())
            packet.picture = PictureFormat(*size) if size else None
            yield packet
            asked = self._clocks.monotonic()


def open_pictures(
    client: HttpClient, answer: Answer, begun: bytes, camera: Camera, *, timeouts: Timeouts = TIMEOUTS
) -> PictureConnection:
    """Open the stream of an answer that holds JPEG pictures.

    Args:
        client: that received the answer.
        answer: whose body is read here.
        begun: the bytes of the body that were read already.
        camera: for messages, and the rate of requests.
        timeouts: how long the camera is waited for.

    Raises:
        SourceError: no picture comes.
    """
    clocks = Clocks()
    deadline = clocks.monotonic() + timeouts.open_s
    stream = _Stream(answer if answer.kind.startswith("image/") else answer.unframed(), camera, clocks)
    try:
        first = stream.picture(begun, deadline)
    except TimeoutError:
        raise SourceStalled(f"{camera.display_url} answers, but sends no whole picture") from None
    if first is None:
        raise SourceError(f"{camera.display_url} answers, but no picture is in it: check the path in {camera.setting}")
    is_lone = answer.kind.startswith("image/") and answer.has_length
    if not is_lone and not stream.ends(clocks.monotonic() + LONE_S):
        return PictureConnection(client, picture_info(first, "http"), stream.pictures(timeouts.stall_s), clocks)
    rate = min(max(camera.motion.fps, MIN_POLL_FPS), MAX_POLL_FPS)
    polled = _Polling(client, camera, clocks, rate).pictures(first, answer.header("etag"), timeouts.stall_s)
    return PictureConnection(client, picture_info(first, "http", rate), polled, clocks)


class _Stream:
    """Pictures of one answer."""

    def __init__(self, answer: Answer, camera: Camera, clocks: Clocks) -> None:
        self._answer = answer
        self._camera = camera
        self._clocks = clocks
        self._parts = JpegParts()
        self._waiting: list[bytes] = []
        self._over = False

    def picture(self, data: bytes, deadline: float) -> bytes | None:
        """Return the next picture; None at the end.

        Args:
            data: bytes that were read already.
            deadline: for the whole picture, monotonic seconds.

        Raises:
            TimeoutError: it is not complete by then.
        """
        try:
            self._waiting += self._parts.feed(data)
            while not self._waiting and not self._over:
                data = self._answer.read(CHUNK_BYTES, deadline)
                if data:
                    self._waiting += self._parts.feed(data)
                else:
                    self._over = True
                    self._waiting += [rest for rest in [self._parts.rest()] if rest]
        except NoPictureError:
            raise SourceError(
                f"{self._camera.display_url} sends {MAX_PICTURE_BYTES // 2**20} MiB without a whole JPEG picture: "
                f"check the path in {self._camera.setting}, and the camera"
            ) from None
        return self._waiting.pop(0) if self._waiting else None

    def ends(self, deadline: float) -> bool:
        """Whether the body ends after the pictures so far; one that has not ended by `deadline` is a stream."""
        if self._waiting:
            return False
        try:
            more = self.picture(b"", deadline)
        except TimeoutError:
            return False
        if more is not None:
            self._waiting.insert(0, more)
        return more is None

    def pictures(self, stall_s: float) -> Iterator[bytes]:
        """Yield pictures as they arrive; the first one, which served to open the stream, is late and left out."""
        while True:
            since = self._clocks.monotonic()
            try:
                picture = self.picture(b"", since + stall_s)
            except TimeoutError:
                raise SourceStalled(f"no packet for {self._clocks.monotonic() - since:.0f} s") from None
            if picture is None:
                raise SourceEnded("the camera ended the stream")
            yield picture


class _Polling:
    """Pictures of a URL that gives one per request."""

    def __init__(self, client: HttpClient, camera: Camera, clocks: Clocks, rate: float) -> None:
        self._client = client
        self._camera = camera
        self._clocks = clocks
        self._step = 1 / rate

    def pictures(self, first: bytes, etag: str, stall_s: float) -> Iterator[bytes]:
        """Yield `first`, then each new picture; an unchanged one every :data:`REPEAT_S`."""
        clock = self._clocks.monotonic
        latest, yielded = first, clock()
        yield first
        good = due = clock()
        while True:
            due = max(due + self._step, clock())
            self._clocks.sleep(max(0.0, due - clock()))
            try:
                picture, etag = self._ask(etag)
            except SourceUnauthorized:
                raise
            except SourceError as error:
                if clock() - good >= stall_s:
                    raise error from None
                self._clocks.sleep(FAILED_PAUSE_S)
                continue
            good = clock()
            if (picture is None or picture == latest) and good - yielded < REPEAT_S:
                continue
            latest, yielded = picture or latest, good
            yield latest

    def _ask(self, etag: str) -> tuple[bytes | None, str]:
        """Return a picture and its ETag; None for the picture if the camera says that it is unchanged."""
        answer = self._client.get({"If-None-Match": etag} if etag else None)
        if answer.status == 304:
            return None, etag
        try:
            deadline = self._clocks.monotonic() + POLL_TIMEOUT_S
            picture = _Stream(answer, self._camera, self._clocks).picture(b"", deadline)
        except TimeoutError:
            raise SourceStalled(f"{self._camera.display_url} sends no whole picture in time") from None
        if picture is None:
            raise SourceError(f"{self._camera.display_url} answers, but no picture is in it")
        return picture, answer.header("etag")
