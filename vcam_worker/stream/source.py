"""One open connection to a camera (or file), by PyAV: yields our packets, raises our typed errors."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final, TypeVar

import av
from av.container import InputContainer
from av.stream import Stream

from shared_utils.closing import Closing
from shared_utils.config.cameras import Camera
from shared_utils.errors import SourceEnded, SourceError, SourceStalled
from shared_utils.media.bitstream.jpeg_header import jpeg_size
from shared_utils.media.bitstream.parameter_sets import ParameterSets, PictureFormat
from vcam_worker.recording.mp4 import decoder_config
from vcam_worker.stream.arrivals import GATHER_SECONDS, Arrivals
from vcam_worker.stream.packets import Kind, Packet
from vcam_worker.stream.selection import COPY_CODECS, joined_in_mid_gop, select
from vcam_worker.stream.sets_reader import SetsReader
from vcam_worker.stream.source_errors import STALL_TIMEOUT, plain, source_errors

S = TypeVar("S", bound=Stream)

MAX_REORDER = 2.0
"""Seconds between decoding and showing a picture, at most: more is a clock that has stepped between the two stamps."""

MAX_PIXELS = 36_000_000
"""Of one picture: 8K has 33 million. To decode a frame of 16384×16384 takes more memory than a camera may have."""

NEW_SETS: Final = "new_extradata"
"""FFmpeg's name for new parameter sets that come beside a packet."""
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
        left_out: a line for each thing that is sent and not recorded.
        description: parameter sets of the stream's description (SDP, MP4 header), as FFmpeg gives them.
        video: template of the clips' video track, for codecs that are copied.
        audio: likewise, for sound.
        sets: parameter sets of the keyframe that is looked at; None: those of the stream's description.
        encoded: clips are encoded though MP4 could hold the packets.
    """

    codec: str
    width: int
    height: int
    fps: float | None
    transport: str
    audio_codec: str | None
    left_out: tuple[str, ...]
    description: bytes | None
    video: av.VideoStream | None
    audio: Stream | None
    sets: ParameterSets | None = None
    encoded: bool = False

    @property
    def is_copied(self) -> bool:
        """Packets go into clips bit for bit."""
        return self.codec in COPY_CODECS and not self.encoded

    @property
    def extradata(self) -> bytes | None:
        """The decoder's configuration: parameter sets, framed as the packets are."""
        return (self.sets and decoder_config(self.sets)) or self.description

    def with_picture(self, picture: PictureFormat | None) -> StreamInfo:
        """Return this stream with pictures of another size."""
        return replace(self, width=picture.width, height=picture.height) if picture else self

    def at_keyframe(self, packet: Packet) -> StreamInfo:
        """Return what a clip that begins at the keyframe `packet` holds."""
        if packet.sets is None or not packet.sets.is_complete:
            return self
        info = replace(self, sets=packet.sets)
        return info if self.encoded else info.with_picture(packet.picture)

    def __str__(self) -> str:
        rate = f" {self.fps:g} fps" if self.fps else ""
        sound = f", sound {self.audio_codec}" if self.audio_codec else ""
        # some streams tell it by their first picture only
        size = f" {self.width}×{self.height}" if self.width and self.height else ""
        return f"{self.codec}{size}{rate}, {self.transport}{sound}"


class Way:
    """What stands between the video library and a camera, as it opens no connection by itself.

    Attributes:
        is_silent: no packet of the stream has come this way.
    """

    is_silent = False

    def problem(self) -> SourceError | None:
        """Return what went wrong here, which the video library knows only as a broken connection."""
        return None

    def rest(self, seconds: float) -> None:
        """Let what comes wait in the kernel's buffer for a while."""
        time.sleep(seconds)

    def close(self) -> None:
        """Close the connection."""


class Connection(Closing):
    """An open stream. A context manager; iterate :meth:`packets`.

    Args:
        container: opened by PyAV.
        camera: whose it is, for messages.
        transport: how it is reached.
        paced: hold a file's packets back to its own pace, as a camera would.
        way: to the camera, closed with the connection.
        clock, wall, sleep: monotonic seconds, seconds since the epoch, and waiting.
    """

    def __init__(
        self,
        container: InputContainer,
        camera: Camera,
        transport: str,
        *,
        paced: bool,
        way: Way | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._container = container
        self._way = way or Way()
        self._camera = camera
        self._clock = clock
        self._wall = wall
        self._sleep = sleep
        self._pace_origin: float | None = None
        self._is_file = camera.scheme == "file"
        self._paced = paced and self._is_file
        self.is_live = paced or not self._is_file
        self.has_timestamps = self._is_file or not (_UNTIMED_FORMATS & set(container.format.name.split(",")))
        video, sound, left_out = _selected(container, camera)
        self.info = _stream_info(video, sound, left_out, transport)
        self._video_index = video.index
        self._audio_index = sound.index if sound else None
        # read once: PyAV makes a fraction anew at each access
        self._video_base = float(video.time_base or 0)
        self._audio_base = float(sound.time_base or 0) if sound else 0.0
        # UDP's buffer loses what it can not hold; a stream without timestamps is dated by its arrival alone
        self._arrivals = Arrivals(gathers=transport == "tcp" and self.has_timestamps)
        self._sets = SetsReader(self.info.codec, self.info.extradata)
        self._last_read = self._last_picture = clock()
        may_follow = not (transport == "tcp" and self._way.is_silent)  # UDP's packets come another way
        self._demuxed = container.demux() if self.info.width else joined_in_mid_gop(container, video, may_follow)

    def close(self) -> None:
        """Close the connection."""
        self._container.close()
        self._way.close()

    @property
    def at_rest(self) -> bool:
        """After the packet in hand nothing more is there at once: a good moment to hand over what came."""
        return self._arrivals.at_rest

    def packets(self) -> Iterator[Packet]:
        """Yield packets as they come, or, over TCP, in bursts a few times a second.

        Raises:
            SourceEnded: the stream is over.
            SourceStalled: no picture came for :data:`vcam_worker.stream.source_errors.STALL_TIMEOUT` seconds.
            SourceError: the connection broke.
        """
        while True:
            if self._arrivals.pause:
                self._way.rest(self._arrivals.pause)
            asked = self._clock()
            with source_errors(self._camera, "reading", self._last_picture, self._way.problem):
                raw = self._next()
                kind = self._kind(raw)
                if kind == "video":
                    self._last_picture = self._last_read
                # at its timeout the library hands out what its parser had kept back
                is_late = not self._is_file and self._last_read - asked >= STALL_TIMEOUT - GATHER_SECONDS
                if is_late:
                    self._last_read = asked
                packet = self._packet(raw, kind, asked)
                if kind == "audio" or self._sets.take(packet):
                    if packet.picture:
                        check_size(packet.picture.width, packet.picture.height)
                    yield packet
                if is_late:
                    raise SourceStalled(f"no picture for {STALL_TIMEOUT:.0f} s")

    def _next(self) -> av.Packet[Stream]:
        """Return the next packet that is recorded; what else is sent is passed over."""
        while True:
            raw = next(self._demuxed, None)
            if raw is None:
                raise SourceEnded("the file is at its end" if self._is_file else "the camera ended the stream")
            self._last_read = self._clock()
            kind = self._kind(raw)
            silent = self._last_read - self._last_picture
            if kind != "video" and silent >= STALL_TIMEOUT and not self._is_file:
                raise SourceStalled(f"no picture for {silent:.0f} s, though the camera sends something else")
            if raw.size and kind:  # a packet without bytes is PyAV's way to say "flush the decoders"
                return raw

    def _kind(self, raw: av.Packet[Stream]) -> Kind | None:
        if raw.stream.index == self._video_index:
            return "video"
        return "audio" if raw.stream.index == self._audio_index else None

    def _packet(self, raw: av.Packet[Stream], kind: Kind | None, asked: float) -> Packet:
        dts, delay = None, 0.0
        is_video = kind == "video"
        base = self._video_base if is_video else self._audio_base
        stamp = raw.dts if raw.dts is not None else raw.pts
        if self.has_timestamps and base and stamp is not None:
            dts = stamp * base
            if raw.pts is not None and raw.dts is not None:
                delay = (raw.pts - raw.dts) * base
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
            delay=delay if 0 < delay <= MAX_REORDER else 0.0,
            arrived=arrived if self.is_live else (dts or 0.0),
            wall=self._wall() - (now - arrived),
            description=bytes(raw.get_sidedata(NEW_SETS)) if is_video and raw.has_sidedata(NEW_SETS) else None,
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


def _selected(
    container: InputContainer, camera: Camera
) -> tuple[av.VideoStream, Stream | None, tuple[str, ...]]:  # fmt: skip
    """Return the pictures and the sound that are recorded, and what is left out."""
    if not container.streams.video:
        raise SourceError(f"{camera.setting}: no video in what {camera.shown} sends; check the path of the address")
    selection = select(container)
    if selection.video is None:
        raise SourceError(f"{camera.setting}: what {camera.shown} sends can not be decoded; set it to H.264 or H.265")
    check_size(selection.video.codec_context.width, selection.video.codec_context.height)
    return selection.video, selection.audio, selection.left_out


def _stream_info(
    video: av.VideoStream, sound: Stream | None, left_out: tuple[str, ...], transport: str
) -> StreamInfo:  # fmt: skip
    rate = float(video.average_rate) if video.average_rate else None
    context = video.codec_context
    codec = context.codec.canonical_name
    return StreamInfo(
        codec=codec,
        width=context.width,
        height=context.height,
        fps=rate if rate and 0.5 <= rate <= 240 else None,
        transport=transport,
        audio_codec=sound.codec_context.name if sound else None,
        left_out=left_out,
        description=context.extradata,
        video=_detached(video) if codec in COPY_CODECS else None,
        audio=_detached(sound) if sound else None,
    )


def _detached(stream: S) -> S:
    """Return a template with a stream's parameters that outlives its connection.

    A clip may be opened when the connection is lost; to read a closed connection's stream ends the process.
    """
    holder = av.open(io.BytesIO(), "w", format="nut")
    return holder.add_stream_from_template(stream)


def check_size(width: int, height: int) -> None:
    """Refuse pictures that are too large to be decoded, before anything is reserved for them.

    Raises:
        SourceError: it is one of these.
    """
    if width * height > MAX_PIXELS:
        raise SourceError(f"its pictures are {width}×{height}, more than 8K: choose a smaller size in the camera")


def picture_info(jpeg: bytes, transport: str, fps: float | None = None) -> StreamInfo:
    """Return what a stream of JPEG pictures such as this one is.

    Raises:
        SourceError: it can not be read.
    """
    video = _probe(jpeg, "mjpeg")
    return StreamInfo(
        codec="mjpeg",
        width=video.codec_context.width,
        height=video.codec_context.height,
        fps=fps,
        transport=transport,
        audio_codec=None,
        left_out=(),
        description=None,
        video=None,
        audio=None,
    )


def without_sound(info: StreamInfo) -> StreamInfo:
    """Return `info` of the pictures alone."""
    return replace(info, audio=None, audio_codec=None)


def _probe(data: bytes, codec: str) -> av.VideoStream:
    """Return the stream of one keyframe: as a tiny file of its own it goes through the same probing as a connection."""
    if codec == "mjpeg":
        size = jpeg_size(data)
        if size is None:
            raise SourceError("it is no JPEG picture")
        check_size(*size)
    try:
        container = av.open(
            io.BytesIO(data), format=codec if codec != "mjpeg" else "jpeg_pipe", options=probing_limits()
        )
    except av.FFmpegError as error:
        raise SourceError(plain(error)) from None
    video = container.streams.video[0]
    check_size(video.codec_context.width, video.codec_context.height)
    return video


def probing_limits() -> dict[str, str]:
    """Return the options that keep the video library from larger pictures while it learns a stream's parameters."""
    return {"max_pixels": str(MAX_PIXELS)}


def library_versions() -> dict[str, str]:
    """Return the versions of PyAV and of the FFmpeg it carries."""
    codec = ".".join(map(str, av.library_versions["libavcodec"]))
    return {"av": av.__version__, "ffmpeg": f"{av.ffmpeg_version_info} (libavcodec {codec})"}


def video_decoder(info: StreamInfo) -> av.VideoCodecContext:
    """Return a decoder of our own for the stream's packets, not yet open: the demuxer's stays untouched."""
    context = av.CodecContext.create(info.codec, "r")
    if not isinstance(context, av.VideoCodecContext):
        raise SourceError(f"{info.codec} is no video codec")
    context.extradata = info.extradata
    context.width, context.height = info.width, info.height
    context.options = probing_limits()
    context.thread_count = 1  # one core is enough for one camera; many cameras share the machine
    return context
