"""Read the sampled frames of a clip in order: upright, in square pixels, of one size, with their times.

A clip is read twice. The first pass finds the time of every frame (see :mod:`shared_utils.media.clipfile.plan`); it
takes milliseconds where the packets' time stamps are sufficient. The second pass decodes, and converts only the sampled
frames to colour. Packets that no sampled frame depends on are not decoded (see
:mod:`shared_utils.media.bitstream.skippable`).
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from shared_utils.closing import Closing
from shared_utils.config.job_options import parse_aspect
from shared_utils.errors import ClipError, ClipMissing, VcamError
from shared_utils.media.clipfile.decoding import Decoder
from shared_utils.media.clipfile.orientation import Orientation
from shared_utils.media.clipfile.parts import find_parts
from shared_utils.media.clipfile.plan import Plan, plan_by_decoding, plan_by_packets
from shared_utils.media.clipfile.stream import Shaper, Source, check_file, choose_video_stream, packets
from shared_utils.media.picture import Picture, fitted_into
from shared_utils.media.sampling import Sampler, sampled


class Irregular(VcamError):
    """Decoding contradicts what the packets of a clip announced. Read it again with ``careful=True``."""


@dataclass(frozen=True)
class ClipFacts:
    """Size, length and metadata of a clip.

    Attributes:
        width: pixels for display: upright, with square pixels. The largest size, if it changes.
        height: likewise.
        frames: number of frames, analysed or not.
        sampled: number of frames to analyse; a damaged clip may give fewer.
        duration_s: from the start of the first frame to the end of the last.
        started_at: time of the first frame by the file's metadata, ISO 8601; None if there is none.
        created_at: creation time by the file's metadata, likewise.
        sizes: for each change of size: its time in seconds, width and height; empty if the size never changes.
        notes: for people: what is unusual about the file, and which parts of it are not analysed.
    """

    width: int
    height: int
    frames: int
    sampled: int
    duration_s: float
    started_at: str | None
    created_at: str | None = None
    sizes: tuple[tuple[float, int, int], ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ReadOptions:
    """How to read a clip.

    Attributes:
        aspect: display aspect ratio, such as ``16:9``, that overrides the file's; None for the file's own.
        careful: find the frames by decoding the clip once more, even if its packets look regular.
        strict: raise :class:`Irregular` when a clip that was not read carefully should have been.
    """

    aspect: str | None = None
    careful: bool = False
    strict: bool = False


@dataclass(frozen=True)
class Frame:
    """A decoded frame of a clip.

    Attributes:
        index: its number in the clip, from 0, in display order.
        time_s: seconds from the clip's first frame.
        picture: height×width×3, uint8, blue green red, upright, of the clip's size.
    """

    index: int
    time_s: float
    picture: Picture


@dataclass(frozen=True)
class Decoded:
    """A decoded frame with its orientation and pixel shape.

    Attributes:
        frame: as the decoder returned it.
        orientation: how to turn it upright.
        size: width and height in square pixels before it is turned.
    """

    frame: VideoFrame
    orientation: Orientation
    size: tuple[int, int]

    @property
    def display_size(self) -> tuple[int, int]:
        """Width and height in square pixels, upright."""
        return self.orientation.size(*self.size)

    def picture(self, clip_size: tuple[int, int], threads: int = 1) -> Picture:
        """Return it upright, fitted into the clip's size, with black bars where its proportions differ."""
        width, height = self.size
        converted = self.frame.reformat(width, height, "bgr24", threads=threads)
        raw = np.asarray(converted.to_ndarray(), np.uint8)
        return fitted_into(self.orientation.apply(raw), clip_size)


class ClipReader(Closing):
    """A clip opened for reading its sampled frames in order, once.

    For frames in any order, see :class:`shared_utils.media.grabber.FrameGrabber`.

    Args:
        path: the file.
        fps: frames to sample per second; 0 for all.
        threads: threads for colour conversion. Decoding uses one: with several, results for damaged frames vary.
        options: how to read it; None for the defaults.

    Attributes:
        facts: size, length and metadata.
        aspect: display aspect ratio that overrides the file's; None for the file's own.
        codec: FFmpeg's name of its video codec, such as ``h264``.
        plan: times and places of its frames.
        orientation: orientation of its first frame.
        decode_s: seconds spent on decoding and converting so far.
        damaged: packets so far that could not be decoded, or not completely.

    Raises:
        ClipMissing: there is no such file.
        ClipError: it is not a video that can be analysed.
        Irregular: see :attr:`ReadOptions.strict`; also raised during iteration.
    """

    def __init__(
        self,
        path: Path,
        fps: float,
        threads: int = 1,
        options: ReadOptions | None = None,
    ) -> None:
        self._fps = fps
        self._threads = threads
        options = options or ReadOptions()
        self.aspect: Fraction | None = parse_aspect(options.aspect) if options.aspect else None
        self._strict = options.strict
        self._careful = options.careful
        self.decode_s = 0.0
        self.damaged = 0
        started = time.perf_counter()
        sources, self._notes = _sources(path)
        self.plan = self._make_plan(sources)
        self._shapers: list[Shaper] = []
        self.orientation = Orientation()
        self._decoded = self._decode()
        try:
            self._first: Decoded | None = self._first_frame()
            self.facts = self._facts(self._first)
            self.orientation = self._first.orientation
        except BaseException:
            self.close()
            raise
        self.decode_s += time.perf_counter() - started

    def close(self) -> None:
        """Close the file."""
        self._decoded.close()

    def __iter__(self) -> Iterator[Frame]:
        """Yield the sampled frames in display order."""
        sampler = Sampler(self._fps)
        clip_size = self.facts.width, self.facts.height
        started = time.perf_counter()
        last = -1
        for number, decoded in enumerate(self._all_frames()):
            index = self.plan.index(decoded.frame, number)
            if decoded.frame.is_corrupt and index not in self.plan.harmless:
                self.damaged += 1
            if number == 0 and index:
                self._irregular("its first frames cannot be decoded")
            if index is None or index <= last:
                self._irregular("its time stamps contradict the order of its frames")
                continue
            if self._fixed_size and decoded.display_size != clip_size:
                self._irregular("the size of its frames changes")
            last = index
            time_s = self.plan.timeline.times_s[index]
            if not sampler.wants(time_s):
                continue
            picture = decoded.picture(clip_size, self._threads)
            self.decode_s += time.perf_counter() - started
            yield Frame(index, time_s, picture)
            started = time.perf_counter()
        self.decode_s += time.perf_counter() - started

    @property
    def _fixed_size(self) -> bool:
        return not self.plan.sizes

    def _make_plan(self, sources: list[Source]) -> Plan:
        plan = plan_by_packets(sources[0], self._fps) if len(sources) == 1 and not self._careful else None
        self._careful = plan is None
        return plan or plan_by_decoding(sources, self.aspect)

    def _irregular(self, reason: str) -> None:
        if self._strict and not self._careful:
            raise Irregular(reason)

    def _first_frame(self) -> Decoded:
        for decoded in self._decoded:
            return decoded
        raise ClipError(f"none of its {len(self.plan.timeline.times_s)} frames can be decoded")

    def _all_frames(self) -> Iterator[Decoded]:
        if self._first is not None:
            first, self._first = self._first, None
            yield first
        yield from self._decoded

    def _decode(self) -> Generator[Decoded]:
        for source in self.plan.sources:
            container, stream = source.open()
            with container:
                if source is self.plan.sources[0]:
                    self.codec = str(stream.codec_context.name)
                    self._metadata = dict(container.metadata)
                shaper = Shaper(stream, self.aspect)
                self._shapers.append(shaper)
                for frame in self._decode_stream(container, stream):
                    yield Decoded(frame, *shaper.shape(frame))

    def _decode_stream(self, container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
        decoder = Decoder(stream)
        context = stream.codec_context
        interlaced = False
        for packet in packets(container, [stream]):
            if self._skipped(packet, stream, interlaced=interlaced):
                continue
            for frame in decoder.decode(packet):
                interlaced = interlaced or frame.interlaced_frame
                yield frame
            self.damaged += decoder.take_errors()
        context.skip_frame = "DEFAULT"
        yield from decoder.flush()
        self.damaged += decoder.take_errors()

    def _skipped(self, packet: Packet[VideoStream], stream: VideoStream, *, interlaced: bool) -> bool:
        """Return whether to leave a packet undecoded; otherwise tell the decoder what it may skip of it."""
        wanted = self.plan.wanted
        if wanted is None or packet.pts is None or packet.is_discard:
            return False
        context = stream.codec_context
        needed = packet.pts in wanted
        # a frame of interlaced video may be two packets, one per field (AVCodecParserContext.picture_structure,
        # libavcodec/avcodec.h), of which the second does not have the frame's stamp
        if (context.codec.intra_only and not needed) or (packet.pts in self.plan.unneeded and not interlaced):
            return True
        # libavcodec reads skip_frame with each packet. AVDISCARD_NONREF (libavcodec/defs.h) skips frames that no other
        # frame refers to, which leaves all others as they are.
        context.skip_frame = "DEFAULT" if needed else "NONREF"
        return False

    def _facts(self, first: Decoded) -> ClipFacts:
        timeline, sizes = self.plan.timeline, self.plan.sizes
        width, height = first.display_size
        if sizes:
            width, height = max(((one.width, one.height) for one in sizes), key=lambda size: size[0] * size[1])
        changes = tuple((timeline.times_s[one.index], one.width, one.height) for one in sizes)
        return ClipFacts(
            width=width,
            height=height,
            frames=len(timeline.times_s),
            sampled=len(sampled(timeline.times_s, self._fps)),
            duration_s=timeline.end_s,
            started_at=self._metadata.get("vcam_started_at"),
            created_at=self._metadata.get("creation_time"),
            sizes=changes if len(changes) > 1 else (),
            notes=(*self._notes, *self.plan.notes, *self._shapers[0].notes),
        )


def _sources(path: Path) -> tuple[list[Source], list[str]]:
    """Return the recordings in a file, and notes on the parts that are left out."""
    try:
        check_file(path)
        parts = find_parts(path)
    except FileNotFoundError:
        raise ClipMissing("the file is not there") from None
    notes = [
        f"bytes {part.parsed_end} to {part.end} are not analysed: no recording begins there"
        for part in parts
        if part.parsed_end < part.end
    ]
    if len(parts) == 1:
        index, left_out = choose_video_stream(Source(path, None))
        return [Source(path, None, index)], notes + _left_out(left_out)
    sources: list[Source] = []
    errors: list[ClipError] = []
    for part in parts:
        try:
            index, left_out = choose_video_stream(Source(path, part))
        except ClipError as error:
            errors.append(error)
            notes.append(f"bytes {part.begin} to {part.end} are not analysed: {error}")
            continue
        sources.append(Source(path, part, index))
        notes += [note for note in _left_out(left_out) if note not in notes]
    if not sources:
        raise errors[0]
    return sources, notes


def _left_out(streams: list[str]) -> list[str]:
    return [f"not analysed: {', '.join(streams)}"] if streams else []
