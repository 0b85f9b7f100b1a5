"""Opening a clip's file and its film: by PyAV, only formats of films, and only what the file itself holds."""

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
    # moving pictures of the web, which no camera sends
    "format_whitelist": f"{FORMATS},apng",
    # stamps that begin again would be moved by 26 hours; see timestamps.py
    "correct_ts_overflow": "0",
}
MAX_PIXELS = 8192 * 8192
"""Larger pictures are refused: 8K is 33 million, a forged header may say anything."""
FALLBACK_RATE = Fraction(25)
"""Frames per second of a stream that gives neither times nor a rate."""
RATE_LIMITS = (Fraction(1, 60), Fraction(240))
"""Rates that are believed: some encoders write the ticks of their clock, 90,000 per second."""
MAX_READ_ERRORS = 20
"""Errors in a row after which nothing more is read of a file; a few are passed over, as what follows may be good."""
READ_BLOCK = 1 << 20
"""Bytes read at once to find out whether a file can be read."""
WRAPPING_FORMATS = frozenset({"mpegts", "mpeg"})
UNPAIRED = frozenset({0, 1})
"""Field orders that are no interlacing: unknown, progressive (FFmpeg's AVFieldOrder)."""


@dataclass(frozen=True)
class Source:
    """A recording in a file, and how its film is to be opened.

    Attributes:
        path: the file.
        part: its bytes; None for the whole file.
        index: number of the film's stream; None until it is chosen.
    """

    path: Path
    part: Part | None
    index: int | None = None

    def open(self) -> tuple[InputContainer, VideoStream]:
        """Return the container, and the stream of :attr:`index` or else the first one that can be decoded.

        Raises:
            ClipMissing: there is no such file.
            ClipError: it is no video that can be analysed.
        """
        container = self._open_container()
        try:
            if self.index is None:
                stream = films(container)[0]
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
            forged = isinstance(error, OSError | MemoryError)  # lengths beyond the end, or beyond all memory
            reason = "damaged, or cut short at its beginning" if forged else error.strerror
            raise ClipError(f"no video that can be read ({reason})") from None


def _prepare(context: VideoCodecContext) -> None:
    width, height = context.width, context.height
    if width * height > MAX_PIXELS:
        raise ClipError(f"its frames are {width}×{height}, which is more than can be analysed")
    # several threads disagree about damaged frames, so that results would depend on their number
    context.thread_count = 1
    context.options = {"max_pixels": str(MAX_PIXELS)}


def check_file(path: Path) -> None:
    """Raise :class:`ClipError` where `path` is no file with anything in it."""
    about = path.stat()
    if not stat.S_ISREG(about.st_mode):  # a pipe would be waited for without end
        raise ClipError("it is no ordinary file")
    if about.st_size == 0:
        raise ClipError("the file is empty")


def is_unreadable(path: Path, error: av.error.FFmpegError) -> bool:
    """Tell whether `error` says that a file cannot be read, rather than that its content is wrong.

    FFmpeg has the system's numbers for both: a file that is cut within its head is an "Input/output error".
    """
    if not isinstance(error, OSError):
        return False
    try:
        with path.open("rb") as file:
            while file.read(READ_BLOCK):
                pass
    except OSError:
        return True
    return False


def films(container: InputContainer) -> list[VideoStream]:
    """Return the video streams that can be decoded, without cover pictures.

    Raises:
        ClipError: there is none.
    """
    streams = [one for one in container.streams.video if not one.disposition & Disposition.attached_pic]
    if not streams:
        others = ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"
        raise ClipError(f"it holds no video, only {others}")
    known = [one for one in streams if one.codec_context is not None]
    if not known:
        raise ClipError("its video is coded in a way that is not known here")
    return known


def choose_film(source: Source) -> tuple[int, list[str]]:
    """Return the number of the stream to analyse, and in words each video stream that is left out.

    Of several, stills are left out; of those that are about as long as the longest, the largest picture is taken.
    """
    container, _ = source.open()
    with container:
        streams = films(container)
        unknown = [one for one in container.streams.video if one.codec_context is None]
        notes = [f"video stream {one.index}, coded in a way that is not known here" for one in unknown]
        if len(streams) == 1:
            return streams[0].index, notes
        counts = dict.fromkeys((one.index for one in streams), 0)
        for packet in packets(container, streams):
            counts[packet.stream_index] += 1
        longest = max(counts.values())
        film = max(
            (one for one in streams if counts[one.index] * 2 >= longest),
            key=lambda one: (one.codec_context.width * one.codec_context.height, -one.index),
        )
        for one in streams:
            context, count = one.codec_context, counts[one.index]
            frames = "a still" if count == 1 else f"{count} frames"
            if one is not film:
                notes.append(f"video stream {one.index} ({context.name}, {context.width}×{context.height}, {frames})")
        return film.index, notes


def packets(container: InputContainer, streams: Sequence[VideoStream]) -> Iterator[Packet[VideoStream]]:
    """Yield the packets of `streams` up to the end of what can be read.

    Raises:
        OSError: the file cannot be read.
        ClipError: they are encrypted, so that they would be decoded into noise.
    """
    errors = 0
    path = Path(container.name.removeprefix("file:"))
    demuxed = container.demux(*streams)
    while errors < MAX_READ_ERRORS:
        try:
            packet = next(demuxed)
        # at the end PyAV stumbles over streams that were not announced at the beginning
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
    """Return what the stream says of its stamps."""
    rates = (stream.average_rate, stream.base_rate, stream.guessed_rate)
    rate = next((one for one in rates if one and RATE_LIMITS[0] <= one <= RATE_LIMITS[1]), FALLBACK_RATE)
    return Clock(stream.time_base or Fraction(1, 1000), Fraction(rate), container.format.name in WRAPPING_FORMATS)


class Shaper:
    """Brings the decoded frames of a stream into the shape in which they are to be shown.

    Args:
        stream: the stream.
        aspect: width by height of the picture as it is to be shown; None for what the file says.
        orientation: how frames are turned that tell nothing of it themselves.

    Attributes:
        orientation: how the last frame was turned.
    """

    def __init__(self, stream: VideoStream, aspect: Fraction | None, orientation: Orientation | None = None) -> None:
        self._context = stream.codec_context
        self._aspect = aspect
        told = stream.sample_aspect_ratio
        # what the container says goes before what the codec says, as in players; the codec's may change on the way
        self._of_container = told if told and told != self._context.sample_aspect_ratio else None
        self._absurd: dict[Fraction, None] = {}
        self.orientation = orientation or Orientation()
        self._is_first = True

    def shape(self, frame: VideoFrame) -> tuple[Orientation, tuple[int, int]]:
        """Return how `frame` is turned, and its size in square pixels before that."""
        if self._tells_turn(frame):
            # a container that yields its values; its type says that it yields their names
            for data in cast("Iterable[SideData]", frame.side_data):
                if data.type.name == "DISPLAYMATRIX":
                    self.orientation = Orientation.of_matrix(bytes(data))
        ratio = self._ratio(frame, self.orientation)
        return self.orientation, stretched(frame.width, frame.height, ratio, MAX_PIXELS)

    def _tells_turn(self, frame: VideoFrame) -> bool:
        """Tell whether a frame may say how it and those after it are turned.

        A container says it with every frame, a codec with keyframes. Only these are asked: PyAV 18 ties a frame whose
        side data were read into a reference cycle (frame, container of side data), and keeps its memory until the next
        garbage collection, which after a clip of 200 frames is hundreds of megabytes.
        """
        is_first, self._is_first = self._is_first, False
        return is_first or (bool(frame.key_frame) and not self._context.codec.intra_only)

    @property
    def notes(self) -> list[str]:
        """In words, what of the file's wishes was not followed."""
        found = [f"pixels of {one.numerator}:{one.denominator} are taken for square ones" for one in self._absurd]
        if not self.orientation.exact:
            found.append("it is to be turned by an angle: shown turned to the nearest quarter")
        return found

    def _ratio(self, frame: VideoFrame, orientation: Orientation) -> Fraction:
        if self._aspect is not None:
            aspect = 1 / self._aspect if orientation.swapped else self._aspect
            return aspect * frame.height / frame.width
        told = self._of_container or self._context.sample_aspect_ratio
        ratio = sane_ratio(told)
        if told and ratio is None:
            self._absurd[Fraction(told)] = None
        return ratio or Fraction(1)
