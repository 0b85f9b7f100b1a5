"""Open a clip's file and its video stream by PyAV: in video formats only, and without opening any other file."""

from __future__ import annotations

import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
from av.container import InputContainer
from av.packet import Packet
from av.sidedata.sidedata import SideData
from av.stream import Disposition
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from shared_utils.errors import ClipError, ClipMissing
from shared_utils.media.clipfile.orientation import Orientation, sane_ratio, stretched
from shared_utils.media.clipfile.parts import Part, PartFile
from shared_utils.media.clipfile.timestamps import Clock
from shared_utils.media.rules import FILE_OPTIONS, FORMATS, file_url

OPEN_OPTIONS = {
    **FILE_OPTIONS,
    # animated PNG: people upload it, cameras do not send it
    "format_whitelist": f"{FORMATS},apng",
    # FFmpeg would move stamps that begin again by 26.5 hours (AVFormatContext.correct_ts_overflow); see timestamps.py
    "correct_ts_overflow": "0",
}
MAX_PIXELS = 8192 * 8192
"""Largest frame area: 8K has 33 million pixels, a forged header may claim anything."""
FALLBACK_RATE = Fraction(25)
"""Frames per second of a stream that has neither time stamps nor a rate."""
RATE_LIMITS = (Fraction(1, 60), Fraction(240))
"""Believable frames per second: some encoders write the rate of their clock instead, 90,000 Hz."""
MAX_READ_ERRORS = 20
"""Consecutive read errors after which reading ends; packets after fewer errors may be intact."""
READ_BLOCK_BYTES = 1 << 20
WRAPPING_FORMATS = frozenset({"mpegts", "mpeg"})
"""Formats whose stamps have 33 bits (ISO/IEC 13818-1, 2.4.3.7)."""
UNPAIRED = frozenset({0, 1})
"""Field orders without interlacing: unknown, progressive (AVFieldOrder, libavcodec/defs.h)."""


@dataclass(frozen=True)
class Source:
    """A recording in a file, and its video stream.

    Attributes:
        path: the file.
        part: the recording's bytes; None for the whole file.
        index: index of the video stream; None until it is chosen.
    """

    path: Path
    part: Part | None
    index: int | None = None

    def open(self) -> tuple[InputContainer, VideoStream]:
        """Return the container and its video stream of :attr:`index`, or else the first one that can be decoded.

        Raises:
            ClipMissing: there is no such file.
            ClipError: it is not a video that can be analysed.
        """
        container = self._open_container()
        try:
            if self.index is None:
                stream = video_streams(container)[0]
            else:
                stream = next(one for one in container.streams.video if one.index == self.index)
            _prepare(stream.codec_context)
        except BaseException:
            container.close()
            raise
        return container, stream

    def _open_container(self) -> InputContainer:
        try:
            check_file(self.path)
            file = file_url(self.path) if self.part is None else PartFile(self.path, self.part)
            return av.open(file, "r", options=OPEN_OPTIONS, metadata_errors="replace")
        except FileNotFoundError:
            raise ClipMissing("the file is not there") from None
        except av.error.FFmpegError as error:
            if is_unreadable(self.path, error):
                raise
            forged = isinstance(error, OSError | MemoryError)  # lengths beyond the file's end, or beyond all memory
            reason = "damaged, or cut short at its beginning" if forged else error.strerror
            raise ClipError(f"no video that can be read ({reason})") from None


def _prepare(context: VideoCodecContext) -> None:
    width, height = context.width, context.height
    if width * height > MAX_PIXELS:
        raise ClipError(f"its frames of {width}×{height} are too large to be analysed")
    # with several threads, what comes of damaged frames depends on their number
    context.thread_count = 1
    context.options = {"max_pixels": str(MAX_PIXELS)}


def check_file(path: Path) -> None:
    """Raise :class:`ClipError` if `path` is not a regular file with content."""
    about = path.stat()
    if not stat.S_ISREG(about.st_mode):  # reading from a pipe would block
        raise ClipError("it is not a regular file")
    if about.st_size == 0:
        raise ClipError("the file is empty")


def is_unreadable(path: Path, error: av.error.FFmpegError) -> bool:
    """Return whether `error` means that a file cannot be read, rather than that its content is damaged.

    FFmpeg uses the system's error numbers for both: a file that is cut off within its header is AVERROR(EIO), an
    "Input/output error" (libavformat/aviobuf.c).
    """
    if not isinstance(error, OSError):
        return False
    try:
        with path.open("rb") as file:
            while file.read(READ_BLOCK_BYTES):
                pass
    except OSError:
        return True
    return False


def video_streams(container: InputContainer) -> list[VideoStream]:
    """Return the video streams that can be decoded, without cover pictures (AV_DISPOSITION_ATTACHED_PIC).

    Raises:
        ClipError: there is none.
    """
    streams = [one for one in container.streams.video if not one.disposition & Disposition.attached_pic]
    if not streams:
        others = ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"
        raise ClipError(f"it holds no video, only {others}")
    known = [one for one in streams if one.codec_context is not None]
    if not known:
        raise ClipError("its video codec is not supported")
    return known


def choose_video_stream(source: Source) -> tuple[int, list[str]]:
    """Return the index of the video stream to analyse, and a note on each one that is left out.

    Of several streams, those with fewer than half of the most frames are left out; the largest of the others is taken.
    """
    container, _ = source.open()
    with container:
        streams = video_streams(container)
        unknown = [one for one in container.streams.video if one.codec_context is None]
        notes = [f"video stream {one.index}, of an unsupported codec" for one in unknown]
        if len(streams) == 1:
            return streams[0].index, notes
        counts = dict.fromkeys((one.index for one in streams), 0)
        for packet in packets(container, streams):
            counts[packet.stream_index] += 1
        longest = max(counts.values())
        chosen = max(
            (one for one in streams if counts[one.index] * 2 >= longest),
            key=lambda one: (one.codec_context.width * one.codec_context.height, -one.index),
        )
        for one in streams:
            context, count = one.codec_context, counts[one.index]
            frames = "a still" if count == 1 else f"{count} frames"
            if one is not chosen:
                notes.append(f"video stream {one.index} ({context.name}, {context.width}×{context.height}, {frames})")
        return chosen.index, notes


def packets(container: InputContainer, streams: Sequence[VideoStream]) -> Iterator[Packet[VideoStream]]:
    """Yield the packets of `streams` in file order, up to the end of what can be read.

    Raises:
        OSError: the file cannot be read.
        ClipError: they are encrypted (ISO/IEC 23001-7); decoding them would give noise.
    """
    errors = 0
    path = Path(container.name.removeprefix("file:"))
    demuxed = container.demux(*streams)
    while errors < MAX_READ_ERRORS:
        try:
            packet = next(demuxed)
        # PyAV 18 raises IndexError at the end of a file with streams that its header does not announce
        except (StopIteration, av.error.EOFError, IndexError):
            return
        except av.error.FFmpegError as error:  # damaged, or the file is cut short
            if is_unreadable(path, error):
                raise
            errors += 1
            demuxed = container.demux(*streams)
            continue
        errors = 0
        if packet.has_sidedata("encryption_info"):
            raise ClipError("its video is encrypted")
        if packet.size:  # the last ones are empty
            yield cast("Packet[VideoStream]", packet)


def clock_of(container: InputContainer, stream: VideoStream) -> Clock:
    """Return the clock of a stream's time stamps."""
    rates = (stream.average_rate, stream.base_rate, stream.guessed_rate)
    rate = next((one for one in rates if one and RATE_LIMITS[0] <= one <= RATE_LIMITS[1]), FALLBACK_RATE)
    return Clock(stream.time_base or Fraction(1, 1000), Fraction(rate), container.format.name in WRAPPING_FORMATS)


class Shaper:
    """Finds the orientation and pixel shape of a stream's decoded frames.

    Args:
        stream: the stream.
        aspect: display aspect ratio that overrides the file's; None for the file's own.
        orientation: of frames that carry none themselves.

    Attributes:
        orientation: that of the last frame.
    """

    def __init__(self, stream: VideoStream, aspect: Fraction | None, orientation: Orientation | None = None) -> None:
        self._context = stream.codec_context
        self._aspect = aspect
        declared = stream.sample_aspect_ratio
        # the container's ratio precedes the codec's, as in av_guess_sample_aspect_ratio (libavformat/avformat.h); the
        # codec's may change within the stream
        self._of_container = declared if declared and declared != self._context.sample_aspect_ratio else None
        self._absurd: dict[Fraction, None] = {}
        self.orientation = orientation or Orientation()
        self._is_first = True

    def shape(self, frame: VideoFrame) -> tuple[Orientation, tuple[int, int]]:
        """Return the orientation of `frame`, and its size in square pixels before it is turned."""
        if self._may_have_orientation(frame):
            # iterating yields the side data; PyAV 18 declares it as a mapping, which would yield their types
            for data in cast("Iterable[SideData]", frame.side_data):
                if data.type.name == "DISPLAYMATRIX":
                    self.orientation = Orientation.of_matrix(bytes(data))
        ratio = self._ratio(frame, self.orientation)
        return self.orientation, stretched(frame.width, frame.height, ratio, MAX_PIXELS)

    def _may_have_orientation(self, frame: VideoFrame) -> bool:
        """Return whether a frame may carry a display matrix for itself and the frames after it.

        FFmpeg attaches a container's matrix to every frame, a codec's to keyframes. Only the first frame and keyframes
        are inspected: PyAV 18 puts a frame whose side data were read into a reference cycle (frame, side data
        container), which keeps its memory until the next garbage collection: hundreds of megabytes for 200 frames.
        """
        is_first, self._is_first = self._is_first, False
        return is_first or (bool(frame.key_frame) and not self._context.codec.intra_only)

    @property
    def notes(self) -> list[str]:
        """Notes for people on what the file asks for that was not followed."""
        found = [f"pixels of {one.numerator}:{one.denominator} are taken for square ones" for one in self._absurd]
        if not self.orientation.exact:
            found.append("it asks for a rotation by an angle: the nearest quarter turn is applied")
        return found

    def _ratio(self, frame: VideoFrame, orientation: Orientation) -> Fraction:
        if self._aspect is not None:
            aspect = 1 / self._aspect if orientation.swapped else self._aspect
            return aspect * frame.height / frame.width
        declared = self._of_container or self._context.sample_aspect_ratio
        ratio = sane_ratio(declared)
        if declared and ratio is None:
            self._absurd[Fraction(declared)] = None
        return ratio or Fraction(1)
