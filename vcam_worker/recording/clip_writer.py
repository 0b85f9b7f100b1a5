"""Writes one clip, by PyAV: packets are copied; codecs that MP4 players cannot play are encoded to H.264.

The unfinished file is fragmented MP4, and each GOP a fragment that is flushed as soon as it is complete, so that a
crash costs the last GOP at most, or the last :data:`FRAGMENT_S`. Closing turns it into an ordinary MP4
(``hybrid_fragmented`` of FFmpeg's muxer, since 7.1), and then moves ``moov`` to the front.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from pathlib import Path

import av
from av import Packet as AvPacket
from av import VideoFrame
from av.stream import Stream

from shared_utils.errors import SourceError
from shared_utils.media.rules import FILE_OPTIONS, file_url
from vcam_worker.recording.mp4 import HEVC_TAG, Samples, moov_first
from vcam_worker.stream.info import StreamInfo, video_decoder, without_sound
from vcam_worker.stream.packets import Packet
from vcam_worker.stream.source_errors import plain
from vcam_worker.stream.timing.timeline import MAX_USUAL_STEP_S

TIME_BASE = Fraction(1, 90_000)
"""The clock of H.264 over RTP (RFC 6184, 8.2.1), fine enough for any frame rate."""
STARTED_AT_KEY = "vcam_started_at"
"""Metadata of a clip: local time of its first frame, ISO 8601 with the offset; MP4's own field holds whole seconds."""
FRAGMENT_S = 5
"""Longest part of a clip that a crash may lose, where GOPs are longer than this."""
ENCODED_GOP_S = 2
ENCODER_OPTIONS = {"preset": "veryfast", "crf": "23", "tune": "zerolatency"}
"""Fast enough for a 720p camera on a tenth of a core, and without look-ahead, which would delay frames."""

_MUXER_OPTIONS = {
    "movflags": "frag_keyframe+hybrid_fragmented+use_metadata_tags",
    "frag_duration": str(FRAGMENT_S * 1_000_000),
    # without it a crash loses the muxer's buffer, up to a megabyte, and not just the last GOP
    "flush_packets": "1",
    # microseconds; frames do not wait in the muxer for sound that does not come
    "max_interleave_delta": "1",
}
_REPAIR_OPTIONS = {"movflags": "faststart+use_metadata_tags"}


@dataclass(frozen=True)
class ClipSummary:
    """What a closed clip holds: number of frames, playing time in seconds."""

    frames: int
    seconds: float


class ClipWriter:
    """An open clip.

    Args:
        path: the unfinished file; the caller renames it when it is closed.
        info: the stream its packets come from.
        start: stream time of the first packet, seconds: the clip's time 0.
        started_at: local time of that packet, with its zone.
    """

    def __init__(self, path: Path, info: StreamInfo, start: float, started_at: datetime) -> None:
        self.path = path
        self.start = start
        self.started_at = started_at
        self._frames = 0
        self._last = start
        self._step = 1 / info.fps if info.fps else 0.04
        self._info = info
        self._encoder: _Encoder | None = None
        self._samples: Samples | None = None
        self._video: Stream
        self._open(info)

    def _open(self, info: StreamInfo) -> None:
        self._output = av.open(str(self.path), "w", format="mp4", options=_MUXER_OPTIONS)
        self._output.metadata[STARTED_AT_KEY] = self.started_at.isoformat()
        self._output.metadata["creation_time"] = self.started_at.isoformat()
        if info.is_copied and info.video:
            self._video = self._add_copied(info, info.video)
        else:
            self._encoder = _Encoder(info)
            self._video = self._encoder.add_to(self._output)
        self._audio = self._output.add_stream_from_template(info.audio) if info.audio else None

    def _add_copied(self, info: StreamInfo, template: av.VideoStream) -> Stream:
        stream = self._output.add_stream_from_template(template)
        context = stream.codec_context
        context.width, context.height = info.width, info.height
        context.extradata = info.extradata
        if info.codec == "hevc":
            context.codec_tag = HEVC_TAG
            if info.sets:
                self._samples = Samples(info.sets)
                context.extradata = self._samples.config
        return stream

    def write(self, packet: Packet) -> None:
        """Add a packet, in the order of arrival.

        Raises:
            OSError: the disk does not take it.
            SourceError: the muxer does not; what was written before is kept.
        """
        at = packet.time - self.start
        if packet.kind == "audio":
            self._write_sound(packet.data, at)
            return
        with _muxing():
            self._write_picture(packet, at)

    def _write_picture(self, packet: Packet, at: float) -> None:
        # a gap does not tell how long the last frame is shown
        if 0 < packet.time - self._last < MAX_USUAL_STEP_S:
            self._step = packet.time - self._last
        self._last = packet.time
        self._frames += 1
        if self._encoder is None:
            data = self._samples.sample(packet.data) if self._samples else packet.data
            self._mux(self._video, data, at, packet.delay, is_keyframe=packet.is_keyframe)
            return
        for encoded in self._encoder.feed(packet.data, at, packet.delay):
            self._output.mux_one(encoded)

    def _write_sound(self, data: bytes, at: float) -> None:
        if self._audio is None or at < 0:
            return
        try:
            self._mux(self._audio, data, at, 0.0, is_keyframe=True)
        except OSError:
            raise
        except av.FFmpegError:  # audio that the muxer refuses: the video continues without it
            self._audio = None
            if not self._frames:  # with a track whose first block is refused, the muxer takes no frame either
                with suppress(av.FFmpegError):
                    self._output.close()
                self._open(without_sound(self._info))

    def _mux(self, stream: Stream, data: bytes, at: float, delay: float, *, is_keyframe: bool) -> None:
        raw = AvPacket(data)
        raw.stream = stream
        raw.time_base = TIME_BASE
        raw.dts = round(at / TIME_BASE)
        raw.pts = round((at + delay) / TIME_BASE)
        if stream is self._video:
            raw.duration = round(self._step / TIME_BASE)
        raw.is_keyframe = is_keyframe
        self._output.mux_one(raw)

    def close(self) -> ClipSummary:
        """Finish the file, which is then a complete, ordinary MP4.

        Raises:
            OSError: the disk does not take it.
            SourceError: the muxer does not; the file can be recovered.
        """
        with _muxing():
            try:
                if self._encoder is not None:
                    for encoded in self._encoder.flush():
                        self._output.mux_one(encoded)
            finally:
                self._output.close()
        moov_first(self.path)
        return ClipSummary(self._frames, self._last - self.start + self._step)


@contextmanager
def _muxing() -> Iterator[None]:
    """Turn what the muxer refuses into SourceError, and leave errors of the disk as they are."""
    try:
        yield
    except OSError:
        raise
    except av.FFmpegError as error:
        raise SourceError(f"what the camera sends does not fit into MP4 ({plain(error)})") from None


class _Encoder:
    """Encodes frames of another codec to H.264, at the times they were received."""

    def __init__(self, info: StreamInfo) -> None:
        self._decoder = video_decoder(info)
        # 4:2:0 needs even sides
        self._width, self._height = info.width & ~1, info.height & ~1
        self._rate = Fraction(info.fps or 25).limit_denominator(1000)
        self._stream: av.VideoStream | None = None
        self._last = -1

    def add_to(self, output: av.container.OutputContainer) -> av.VideoStream:
        stream = output.add_stream("libx264", rate=self._rate, options=ENCODER_OPTIONS)
        stream.width, stream.height = self._width, self._height
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = TIME_BASE
        stream.codec_context.gop_size = max(1, round(self._rate * ENCODED_GOP_S))
        stream.codec_context.thread_count = 1
        self._stream = stream
        return stream

    def feed(self, data: bytes, at: float, delay: float) -> Iterable[AvPacket[av.VideoStream]]:
        raw = AvPacket(data)
        raw.dts, raw.pts = round(at / TIME_BASE), round((at + delay) / TIME_BASE)
        try:
            frames = self._decoder.decode(raw)
        except av.FFmpegError:  # a damaged JPEG; the next one stands alone
            return
        for frame in frames:
            yield from self._encode(frame)

    def _encode(self, frame: VideoFrame) -> list[AvPacket[av.VideoStream]]:
        if self._stream is None:
            raise RuntimeError("add_to() comes first")
        picture = frame.reformat(self._width, self._height, "yuv420p")
        picture.pts = self._last = max(frame.pts or 0, self._last + 1)
        picture.time_base = TIME_BASE
        return self._stream.encode(picture)

    def flush(self) -> Iterable[AvPacket[av.VideoStream]]:
        if self._stream is None:
            return
        try:
            frames = self._decoder.decode(None)
        except av.FFmpegError:
            frames = []
        for frame in frames:
            yield from self._encode(frame)
        yield from self._stream.encode(None)


def repair(path: Path, target: Path) -> ClipSummary:
    """Recover a clip that a crash left unfinished in `path` into an ordinary MP4, `target`.

    Returns:
        What could be read; with 0 frames there is no `target`.

    Raises:
        OSError: `target` cannot be written, as the disk is full; it holds a part of `path` then.
    """
    frames, end = 0, 0.0
    try:
        source = av.open(file_url(path), format="mp4", options=FILE_OPTIONS)
    except av.FFmpegError:  # killed before the first GOP was complete
        return ClipSummary(0, 0.0)
    with source, av.open(str(target), "w", format="mp4", options=_REPAIR_OPTIONS) as output:
        output.metadata.update(source.metadata)
        sounds = [one for one in source.streams.audio if one.codec_context is not None]
        streams = {one.index: output.add_stream_from_template(one) for one in (*source.streams.video, *sounds)}
        for stream in source.streams.video:
            if stream.codec_context.name == "hevc":
                streams[stream.index].codec_context.codec_tag = HEVC_TAG
        for packet in _readable(source):
            index, is_video = packet.stream.index, packet.stream.type == "video"
            if packet.dts is None or packet.size == 0 or index not in streams:
                continue
            ends = (packet.pts + (packet.duration or 0)) * packet.time_base if packet.pts is not None else 0
            packet.stream = streams[index]
            try:
                output.mux_one(packet)
            except OSError:
                raise
            except av.FFmpegError:
                if is_video:  # what follows is damaged
                    break
                del streams[index]  # audio that the muxer refuses costs no frame
                continue
            if is_video:
                frames, end = frames + 1, max(end, float(ends))
    if not frames:
        target.unlink(missing_ok=True)
    return ClipSummary(frames, end)


def _readable(source: av.container.InputContainer) -> Iterator[AvPacket[Stream]]:
    """Yield the packets up to where the file was cut off. Errors of writing them are not caught here."""
    packets = source.demux()
    while True:
        try:
            packet = next(packets, None)
        except av.FFmpegError:
            return
        # the last one may be incomplete
        if packet is None or packet.is_corrupt:
            return
        yield packet
