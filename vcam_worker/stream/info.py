"""Properties of a stream: codec, frame size, rate, and what clips and decoders need."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace

import av
from av.stream import Stream

from shared_utils.errors import SourceError
from shared_utils.media.bitstream.jpeg_header import jpeg_size
from shared_utils.media.bitstream.parameter_sets import ParameterSets, PictureFormat
from vcam_worker.stream.decoder_config import decoder_config
from vcam_worker.stream.packets import Packet
from vcam_worker.stream.selection import COPY_CODECS
from vcam_worker.stream.source_errors import plain

MAX_PIXELS = 36_000_000
"""Of one frame: 8K has 33 million. Decoding one of 16384×16384 takes more memory than a camera may use."""

DEFAULT_FRAME_S = 0.04
"""Seconds between frames where a stream does not announce its rate."""


@dataclass(frozen=True)
class StreamInfo:
    """What a connection delivers.

    Attributes:
        codec: FFmpeg's name, such as ``h264``.
        width, height: pixels.
        fps: frames per second as announced; None where unknown or implausible.
        transport: ``tcp``, ``udp``, ``http``, ``hls`` or ``file``.
        audio_codec: of the audio that clips can hold; None without.
        left_out: one line per stream that is sent and not recorded.
        description: parameter sets of the stream's description (SDP, MP4 header), as FFmpeg gives them.
        video: template of a clip's video track, for codecs that are copied.
        audio: likewise, for audio.
        sets: parameter sets of a certain keyframe; None: those of the stream's description.
        encoded: clips are encoded though MP4 could hold the packets.
        delay_s: from the moment at which a frame is published to its packet, seconds; 0 for all but HLS.
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
    delay_s: float = 0.0

    @property
    def is_copied(self) -> bool:
        """Packets are copied into clips unchanged."""
        return self.codec in COPY_CODECS and not self.encoded

    @property
    def frame_s(self) -> float:
        """Seconds between two frames, as announced, or :data:`DEFAULT_FRAME_S`."""
        return 1 / self.fps if self.fps else DEFAULT_FRAME_S

    @property
    def extradata(self) -> bytes | None:
        """The decoder's configuration: parameter sets, framed as the packets are."""
        return (self.sets and decoder_config(self.sets)) or self.description

    def with_picture(self, picture: PictureFormat | None) -> StreamInfo:
        """Return this stream with frames of another size."""
        return replace(self, width=picture.width, height=picture.height) if picture else self

    def at_keyframe(self, packet: Packet) -> StreamInfo:
        """Return what a clip holds that begins at the keyframe `packet`."""
        if packet.sets is None or not packet.sets.is_complete:
            return self
        info = replace(self, sets=packet.sets)
        return info if self.encoded else info.with_picture(packet.picture)

    def __str__(self) -> str:
        rate = f" {self.fps:g} fps" if self.fps else ""
        sound = f", sound {self.audio_codec}" if self.audio_codec else ""
        # some streams tell it with their first frame only
        size = f" {self.width}×{self.height}" if self.width and self.height else ""
        delay = f", {self.delay_s:g} s late" if self.delay_s else ""
        return f"{self.codec}{size}{rate}, {self.transport}{delay}{sound}"


def without_sound(info: StreamInfo) -> StreamInfo:
    """Return `info` without audio."""
    return replace(info, audio=None, audio_codec=None)


def check_size(width: int, height: int) -> None:
    """Refuse frames that are too large to decode, before memory is reserved for them.

    Raises:
        SourceError: they are.
    """
    if width * height > MAX_PIXELS:
        raise SourceError(f"its pictures are {width}×{height}, more than 8K: choose a smaller size in the camera")


def picture_info(jpeg: bytes, transport: str, fps: float | None = None) -> StreamInfo:
    """Return the stream info of JPEG frames such as this one.

    Raises:
        SourceError: it cannot be read.
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


def _probe(data: bytes, codec: str) -> av.VideoStream:
    """Return the stream of one keyframe, probed as a tiny file, just as a connection is."""
    if codec == "mjpeg":
        size = jpeg_size(data)
        if size is None:
            raise SourceError("it is no JPEG picture")
        check_size(*size)
    try:
        options = {"protocol_whitelist": "none", **probing_limits()}
        container = av.open(io.BytesIO(data), format=codec if codec != "mjpeg" else "jpeg_pipe", options=options)
    except av.FFmpegError as error:
        raise SourceError(plain(error)) from None
    video = container.streams.video[0]
    check_size(video.codec_context.width, video.codec_context.height)
    return video


def probing_limits() -> dict[str, str]:
    """Return the options that make the video library refuse larger frames while it probes a stream."""
    return {"max_pixels": str(MAX_PIXELS)}


def video_decoder(info: StreamInfo) -> av.VideoCodecContext:
    """Return a new decoder for the stream's packets, not yet open, independent of the demuxer's."""
    context = av.CodecContext.create(info.codec, "r")
    if not isinstance(context, av.VideoCodecContext):
        raise SourceError(f"{info.codec} is no video codec")
    context.extradata = info.extradata
    context.width, context.height = info.width, info.height
    context.options = probing_limits()
    context.thread_count = 1  # one core is enough for one camera; many cameras share the machine
    return context
