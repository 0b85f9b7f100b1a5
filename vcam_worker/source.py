"""One connection to a camera (or file), by PyAV: opens it, yields our packets, raises our typed errors.

No retrying here: :mod:`vcam_worker.camera` decides when to try again.
"""

from __future__ import annotations

import io
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import TracebackType
from urllib.parse import urlsplit

import av
from av.container import InputContainer
from av.stream import Stream

from shared_utils.cameras import Camera
from shared_utils.errors import SourceEnded, SourceError, SourceRefused, SourceStalled, SourceUnauthorized
from shared_utils.redact import mask_url
from vcam_worker.arrivals import GATHER_SECONDS, Arrivals
from vcam_worker.packets import Packet

OPEN_TIMEOUT = 12.0
"""Seconds to connect and learn the stream's parameters: a camera with a long GOP sends its first keyframe late."""
STALL_TIMEOUT = 15.0
"""Seconds without a packet after which a connection counts as dead."""
DIAGNOSE_TIMEOUT = 3.0
"""Seconds to find out why a connection failed, when the video library only says "I/O error"."""

COPY_CODECS = frozenset({"h264", "hevc"})
"""Copied into clips as they are; other codecs are encoded."""
COPY_AUDIO_CODECS = frozenset({"aac", "opus"})

NOT_ABOUT_TRANSPORT = (SourceRefused, SourceUnauthorized)
"""Failures that another RTSP transport would not change."""

_DEFAULT_PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}
_UNTIMED_FORMATS = frozenset({"mpjpeg", "mjpeg", "image2pipe", "jpeg_pipe"})
"""Demuxers that make timestamps up from a guessed rate."""


@dataclass(frozen=True)
class StreamInfo:
    """What a connection delivers.

    Attributes:
        codec: FFmpeg's name, such as ``h264``.
        width, height: pixels.
        fps: frames a second as announced; None where unknown or absurd.
        transport: ``tcp``, ``udp``, ``http`` or ``file``.
        audio_codec: of the sound that clips can hold; None without.
        dropped_audio: codec of sound that MP4 can not hold.
        video: PyAV's stream, the template of clips; belongs to the open connection.
        audio: likewise, for sound.
    """

    codec: str
    width: int
    height: int
    fps: float | None
    transport: str
    audio_codec: str | None
    dropped_audio: str | None
    video: av.VideoStream
    audio: Stream | None

    @property
    def is_copied(self) -> bool:
        """Packets go into clips bit for bit."""
        return self.codec in COPY_CODECS

    def __str__(self) -> str:
        rate = f" {self.fps:g} fps" if self.fps else ""
        sound = f", sound {self.audio_codec}" if self.audio_codec else ""
        return f"{self.codec} {self.width}×{self.height}{rate}, {self.transport}{sound}"


class Connection:
    """An open stream. A context manager; iterate :meth:`packets`.

    Args:
        container: opened by PyAV.
        camera: whose it is, for messages.
        transport: how it is reached.
        paced: hold a file's packets back to its own pace, as a camera would.
        clock, wall, sleep: monotonic seconds, seconds since the epoch, and waiting.
    """

    def __init__(
        self,
        container: InputContainer,
        camera: Camera,
        transport: str,
        *,
        paced: bool,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._container = container
        self._camera = camera
        self._clock = clock
        self._wall = wall
        self._sleep = sleep
        self._pace_origin: float | None = None
        self._is_file = camera.scheme == "file"
        self._paced = paced and self._is_file
        self.is_live = paced or not self._is_file
        self.has_timestamps = self._is_file or not (_UNTIMED_FORMATS & set(container.format.name.split(",")))
        self.info = _stream_info(container, camera, transport)
        # read once: PyAV makes a fraction anew at each access
        self._video_base = float(self.info.video.time_base or 0)
        self._audio_base = float(self.info.audio.time_base or 0) if self.info.audio else 0.0
        # UDP's buffer loses what it can not hold; a stream without timestamps is dated by its arrival alone
        self._arrivals = Arrivals(gathers=transport == "tcp" and self.has_timestamps)
        self._last_read = clock()

    def __enter__(self) -> Connection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Hang up."""
        self._container.close()

    @property
    def at_rest(self) -> bool:
        """After the packet in hand nothing more is there at once: a good moment to hand over what came."""
        return self._arrivals.at_rest

    def packets(self) -> Iterator[Packet]:
        """Yield packets as they come, or, over TCP, in bursts a few times a second.

        Raises:
            SourceEnded: the stream is over.
            SourceStalled: nothing came for :data:`STALL_TIMEOUT` seconds.
            SourceError: the connection broke.
        """
        streams = [self.info.video] + ([self.info.audio] if self.info.audio else [])
        demuxed = self._container.demux(streams)
        while True:
            if self._arrivals.pause:
                self._sleep(self._arrivals.pause)
            asked = self._clock()
            with _source_errors(self._camera, "reading", since=self._last_read):
                raw = next(demuxed, None)
                if raw is None:
                    raise SourceEnded("the file is at its end" if self._is_file else "the camera ended the stream")
                if not raw.size:  # PyAV's way to say "flush the decoders"
                    continue
                self._last_read = self._clock()
                yield self._packet(raw, asked)

    def _packet(self, raw: av.Packet[Stream], asked: float) -> Packet:
        dts, delay = None, 0.0
        is_video = raw.stream.index == self.info.video.index
        base = self._video_base if is_video else self._audio_base
        stamp = raw.dts if raw.dts is not None else raw.pts
        if self.has_timestamps and base and stamp is not None:
            dts = stamp * base
            if raw.pts is not None and raw.dts is not None:
                delay = max(0.0, (raw.pts - raw.dts) * base)
        now = self._wait_for(dts) if self._paced and dts is not None else self._last_read
        if is_video:
            arrived = self._arrivals.date(dts, asked, now)
        else:
            arrived = now
            self._arrivals.look(asked, now)
        return Packet(
            kind="video" if is_video else "audio",
            data=bytes(raw),
            is_keyframe=raw.is_keyframe,
            dts=dts,
            delay=delay,
            arrived=arrived if self.is_live else (dts or 0.0),
            wall=self._wall() - (now - arrived),
        )

    def _wait_for(self, dts: float) -> float:
        """Wait until a file's packet is due; return the time by then."""
        now = self._clock()
        if self._pace_origin is None:
            self._pace_origin = now - dts
        wait = self._pace_origin + dts - now
        if wait > 0:
            self._sleep(wait)
        return self._clock()


def connect(camera: Camera, transport: str, *, paced: bool = True) -> Connection:
    """Open `camera`'s stream over one transport.

    Args:
        camera: what to open.
        transport: ``tcp`` or ``udp``; looked at for RTSP only.
        paced: play a file at its own pace, as a camera would; else as fast as it can be read.

    Raises:
        SourceError: it could not be opened; the kind says why.
    """
    scheme = camera.scheme
    options: dict[str, str] = {}
    if scheme in {"rtsp", "rtsps"}:
        options = {
            "rtsp_transport": transport,
            "allowed_media_types": "video+audio",
            # microseconds; a camera with sound announced but none sent would hold the start up to here
            "analyzeduration": "8000000",
            # kernel buffer of the RTP socket: keyframes of a 4K camera come as a burst of a thousand datagrams
            "buffer_size": "4194304",
            "max_delay": "500000",
        }
    elif scheme in {"http", "https"}:
        transport = "http"
    else:
        transport = "file"
    # a read may begin so long after the last packet
    timeout = (OPEN_TIMEOUT, STALL_TIMEOUT - GATHER_SECONDS) if scheme != "file" else None
    with _source_errors(camera, "opening"):
        container = av.open(camera.url, options=options, timeout=timeout)
        try:
            return Connection(container, camera, transport, paced=paced)
        except BaseException:
            container.close()
            raise


def transports_of(camera: Camera, last_good: str | None = None) -> list[str]:
    """Return the transports to try in turn; `last_good`, the one that worked before, comes first."""
    if camera.scheme not in {"rtsp", "rtsps"}:
        return ["any"]
    if camera.transport != "auto":
        return [camera.transport]
    return sorted(("tcp", "udp"), key=lambda one: one != (last_good or "tcp"))


def _stream_info(container: InputContainer, camera: Camera, transport: str) -> StreamInfo:
    if not container.streams.video:
        raise SourceError(f"{camera.setting}: no video in what {camera.shown} sends; check the path of the address")
    video = container.streams.video[0]
    if not video.codec_context.width:
        raise SourceError("the stream sent no picture parameters while it was opened")
    sound = container.streams.audio[0] if container.streams.audio else None
    codec = sound.codec_context.name if sound else None
    kept = codec in COPY_AUDIO_CODECS if codec else False
    rate = float(video.average_rate) if video.average_rate else None
    return StreamInfo(
        codec=video.codec_context.codec.canonical_name,
        width=video.codec_context.width,
        height=video.codec_context.height,
        fps=rate if rate and 0.5 <= rate <= 240 else None,
        transport=transport,
        audio_codec=codec if kept else None,
        dropped_audio=codec if codec and not kept else None,
        video=video,
        audio=sound if kept else None,
    )


def info_from_keyframe(info: StreamInfo, data: bytes) -> StreamInfo:
    """Return what a stream has become: `info`, with the picture parameters of a keyframe that brings new ones.

    Args:
        info: of the connection so far.
        data: a keyframe with its parameter sets (Annex B), or a JPEG picture.

    Raises:
        SourceError: it can not be read.
    """
    # as a tiny file of its own, the keyframe goes through the same probing as a connection does
    try:
        container = av.open(io.BytesIO(data), format=info.codec if info.codec != "mjpeg" else "jpeg_pipe")
    except av.FFmpegError as error:
        raise SourceError(f"the camera changed its stream to something unreadable ({_plain(error)})") from None
    video = container.streams.video[0]
    return replace(info, video=video, width=video.codec_context.width, height=video.codec_context.height)


def library_versions() -> dict[str, str]:
    """Return the versions of PyAV and of the FFmpeg it carries."""
    codec = ".".join(map(str, av.library_versions["libavcodec"]))
    return {"av": av.__version__, "ffmpeg": f"{av.ffmpeg_version_info} (libavcodec {codec})"}


def video_decoder(info: StreamInfo) -> av.VideoCodecContext:
    """Return a decoder of our own for the stream's packets, not yet open: the demuxer's stays untouched."""
    template = info.video.codec_context
    context = av.CodecContext.create(template.codec.canonical_name, "r")
    if not isinstance(context, av.VideoCodecContext):
        raise SourceError(f"{info.codec} is no video codec")
    context.extradata = template.extradata
    context.width, context.height = info.width, info.height
    context.thread_count = 1  # one core is enough for one camera; many cameras share the machine
    return context


@contextmanager
def _source_errors(camera: Camera, doing: str, since: float | None = None) -> Iterator[None]:
    """Turn what PyAV raises into our errors, in a line that names the remedy and holds no password.

    Args:
        camera: whose stream it is.
        doing: ``opening`` or ``reading``.
        since: monotonic time of the last packet; None counts from now.
    """
    started = time.monotonic() if since is None else since
    try:
        yield
    except (av.HTTPUnauthorizedError, av.HTTPForbiddenError):
        raise SourceUnauthorized(
            f"wrong user name or password for {camera.shown}: check {camera.setting} "
            "(special characters percent-encoded)"
        ) from None
    except av.HTTPNotFoundError:
        raise SourceError(f"{camera.shown} has no such stream: check the path in {camera.setting}") from None
    except av.HTTPError as error:
        raise SourceError(f"{camera.shown} answers with an error ({error.strerror})") from None
    except (av.ExitError, av.TimeoutError):
        raise _stalled(camera, doing, time.monotonic() - started) from None
    except av.FFmpegError as error:
        if doing == "reading":
            raise SourceEnded(f"the connection broke ({_plain(error)})") from None
        raise _diagnosed(camera, error, time.monotonic() - started) from None


def _stalled(camera: Camera, doing: str, seconds: float) -> SourceError:
    if doing == "reading":
        return SourceStalled(f"no packet for {seconds:.0f} s")
    # a dead address times out as well: only a second look tells the two apart
    return _reach(camera) or SourceStalled(f"{camera.shown} accepts the connection, but sends nothing")


def _diagnosed(camera: Camera, error: av.FFmpegError, seconds: float) -> SourceError:
    if camera.scheme == "file":
        return SourceError(f"{camera.setting}: {camera.shown} can not be opened as video ({_plain(error)})")
    found = _reach(camera)
    if found:
        return found
    if seconds >= OPEN_TIMEOUT - 1:
        return SourceStalled(f"{camera.shown} accepts the connection, but sends nothing")
    return SourceError(f"{camera.shown} answers, but its stream can not be opened ({_plain(error)})")


def _plain(error: av.FFmpegError) -> str:
    return mask_url(error.strerror or type(error).__name__)


def _reach(camera: Camera) -> SourceRefused | None:
    """Say why nothing answers at the camera's address; None when something does."""
    parts = urlsplit(camera.url)
    host, port = parts.hostname or "", parts.port or _DEFAULT_PORTS[camera.scheme]
    try:
        socket.create_connection((host, port), timeout=DIAGNOSE_TIMEOUT).close()
    except socket.gaierror:
        return SourceRefused(f"the name {host!r} is not known: check the host in {camera.setting}, or use its IP")
    except ConnectionRefusedError:
        return SourceRefused(f"{host}:{port} refuses the connection: is the camera on, and {camera.setting} right?")
    except OSError as error:
        reason = "no answer" if isinstance(error, TimeoutError) else error.strerror
        return SourceRefused(f"{host}:{port} can not be reached ({reason}): is the camera on the network?")
    return None
