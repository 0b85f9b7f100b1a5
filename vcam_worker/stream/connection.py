"""An open connection to a camera, or a file, by PyAV: yields our packets, raises our typed errors."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from typing import Final, TypeVar

import av
from av.container import InputContainer
from av.stream import Stream

from shared_utils.config.cameras import Camera
from shared_utils.errors import SourceEnded, SourceError, SourceStalled
from vcam_worker.stream.info import StreamInfo, check_size
from vcam_worker.stream.packet_source import PacketSource
from vcam_worker.stream.packets import Kind, Packet
from vcam_worker.stream.selection import COPY_CODECS, joined_in_mid_gop, select
from vcam_worker.stream.sets_reader import SetsReader
from vcam_worker.stream.source_errors import TIMEOUTS, Timeouts, source_errors
from vcam_worker.stream.timing.arrivals import GATHER_S, Arrivals
from vcam_worker.stream.timing.clocks import Clocks

S = TypeVar("S", bound=Stream)

MAX_REORDER_S = 2.0
"""Most time between decoding and presentation: more is a clock that has stepped between the two timestamps."""

NEW_SETS: Final = "new_extradata"
"""FFmpeg's name (AV_PKT_DATA_NEW_EXTRADATA) for new parameter sets that come with a packet."""
_UNTIMED_FORMATS = frozenset({"mpjpeg", "mjpeg", "image2pipe", "jpeg_pipe"})
"""FFmpeg demuxers that make up timestamps from a guessed rate."""


class Upstream:
    """Our own connection to a camera, which the video library reads from, as it opens none by itself.

    Attributes:
        is_silent: no packet of the stream has passed through it.
    """

    is_silent = False

    def problem(self) -> SourceError | None:
        """Return what went wrong here, which the video library sees as a broken connection only."""
        return None

    def rest(self, seconds: float) -> None:
        """Leave received data in the kernel's buffer for a while."""
        time.sleep(seconds)

    def close(self) -> None:
        """Close the connection."""


class Connection(PacketSource):
    """An open stream, read by the video library.

    Args:
        container: opened by PyAV.
        camera: whose it is, for messages.
        transport: ``tcp``, ``udp``, ``http`` or ``file``.
        paced: deliver a file in real time, as a camera would.
        upstream: the connection to the camera, closed with this one.
        clocks: where time comes from.
        timeouts: of the connection.
    """

    def __init__(
        self,
        container: InputContainer,
        camera: Camera,
        transport: str,
        *,
        paced: bool,
        upstream: Upstream | None = None,
        clocks: Clocks | None = None,
        timeouts: Timeouts = TIMEOUTS,
    ) -> None:
        self._container = container
        self._upstream = upstream or Upstream()
        self._camera = camera
        self._clocks = clocks or Clocks()
        self._stall_s = timeouts.stall_s
        self._pace_origin: float | None = None
        self._is_file = camera.scheme == "file"
        self._paced = paced and self._is_file
        self._is_live = paced or not self._is_file
        self._has_timestamps = self._is_file or not (_UNTIMED_FORMATS & set(container.format.name.split(",")))
        video, sound, left_out = selected(container, camera)
        self.info = stream_info(video, sound, left_out, transport)
        self._video_index = video.index
        self._audio_index = sound.index if sound else None
        # read once, as PyAV makes a new Fraction at each access
        self._video_base = float(video.time_base or 0)
        self._audio_base = float(sound.time_base or 0) if sound else 0.0
        # UDP's buffer loses what it cannot hold; a stream without timestamps is dated by arrival alone
        self._arrivals = Arrivals(gathers=transport == "tcp" and self._has_timestamps)
        self._sets = SetsReader(self.info.codec, self.info.extradata)
        self._last_read = self._last_picture = self._clocks.monotonic()
        may_follow = not (transport == "tcp" and self._upstream.is_silent)  # UDP's packets do not pass through it
        self._demuxed = (
            container.demux() if self.info.width else joined_in_mid_gop(container, video, may_follow, timeouts.open_s)
        )

    def close(self) -> None:
        """Close the connection."""
        self._container.close()
        self._upstream.close()

    @property
    def at_rest(self) -> bool:
        """No further packet is waiting: a good moment to hand over those received."""
        return self._arrivals.at_rest

    def packets(self) -> Iterator[Packet]:
        """Yield packets as they arrive, or, over TCP, in bursts a few times per second.

        Raises:
            SourceEnded: the stream is over.
            SourceStalled: no frame came for :attr:`vcam_worker.stream.source_errors.Timeouts.stall_s`.
            SourceError: the connection broke.
        """
        while True:
            if self._arrivals.pause:
                self._upstream.rest(self._arrivals.pause)
            asked = self._clocks.monotonic()
            with source_errors(self._camera, "reading", self._last_picture, self._upstream.problem):
                raw = self._next()
                kind = self._kind(raw)
                if kind == "video":
                    self._last_picture = self._last_read
                # at its timeout the library returns what its parser had held back
                is_late = not self._is_file and self._last_read - asked >= self._stall_s - GATHER_S
                if is_late:
                    self._last_read = asked
                packet = self._packet(raw, kind, asked)
                if kind == "audio" or self._sets.take(packet):
                    if packet.picture:
                        check_size(packet.picture.width, packet.picture.height)
                    yield packet
                if is_late:
                    raise SourceStalled(f"no picture for {self._stall_s:.0f} s")

    def _next(self) -> av.Packet[Stream]:
        """Return the next packet of a recorded stream; others are skipped."""
        while True:
            raw = next(self._demuxed, None)
            if raw is None:
                raise SourceEnded("the file is at its end" if self._is_file else "the camera ended the stream")
            self._last_read = self._clocks.monotonic()
            kind = self._kind(raw)
            silent = self._last_read - self._last_picture
            if kind != "video" and silent >= self._stall_s and not self._is_file:
                raise SourceStalled(f"no picture for {silent:.0f} s, though the camera sends something else")
            if raw.size and kind:  # an empty packet is PyAV's request to flush decoders
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
        if self._has_timestamps and base and stamp is not None:
            dts = stamp * base
            if raw.pts is not None and raw.dts is not None:
                delay = (raw.pts - raw.dts) * base
        now = self._wait_for(dts) if self._paced and dts is not None else self._last_read
        if is_video:
            arrived = self._arrivals.date(dts, asked, now)
        else:
            arrived = now
            self._arrivals.note_read(asked, now)
        return Packet(
            kind="video" if is_video else "audio",
            data=bytes(raw),
            is_keyframe=raw.is_keyframe,
            dts=dts,
            delay=delay if 0 < delay <= MAX_REORDER_S else 0.0,
            arrived=arrived if self._is_live else (dts or 0.0),
            wall=self._clocks.wall() - (now - arrived),
            description=bytes(raw.get_sidedata(NEW_SETS)) if is_video and raw.has_sidedata(NEW_SETS) else None,
        )

    def _wait_for(self, dts: float) -> float:
        """Wait until a file's packet is due; return the time after that."""
        now = self._clocks.monotonic()
        if self._pace_origin is None:
            self._pace_origin = now - dts
        wait = self._pace_origin + dts - now
        if wait > 0:
            self._clocks.sleep(wait)
        return self._clocks.monotonic()


def selected(
    container: InputContainer, camera: Camera
) -> tuple[av.VideoStream, Stream | None, tuple[str, ...]]:  # fmt: skip
    """Return the video and audio streams to record, and what is left out.

    Raises:
        SourceError: there is no video that can be recorded.
    """
    if not container.streams.video:
        raise SourceError(f"{camera.setting}: no video in what {camera.display_url} sends; check the path of the URL")
    selection = select(container)
    if selection.video is None:
        raise SourceError(
            f"{camera.setting}: what {camera.display_url} sends cannot be decoded; set it to H.264 or H.265"
        )
    check_size(selection.video.codec_context.width, selection.video.codec_context.height)
    return selection.video, selection.audio, selection.left_out


def stream_info(
    video: av.VideoStream, sound: Stream | None, left_out: tuple[str, ...], transport: str
) -> StreamInfo:  # fmt: skip
    """Return what an open container delivers; it outlives the container.

    Args:
        video, sound, left_out: as :func:`selected` returns them.
        transport: of the connection.
    """
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

    A clip may be opened after the connection was lost; reading a stream of a closed container crashes the process.
    """
    holder = av.open(io.BytesIO(), "w", format="nut")
    return holder.add_stream_from_template(stream)


def library_versions() -> dict[str, str]:
    """Return the versions of PyAV and of the FFmpeg it carries."""
    codec = ".".join(map(str, av.library_versions["libavcodec"]))
    return {"av": av.__version__, "ffmpeg": f"{av.ffmpeg_version_info} (libavcodec {codec})"}
