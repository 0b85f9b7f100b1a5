"""Sampled frames out of a clip: upright, in square pixels, of one size, at their time in the clip.

A clip is gone through twice: once for every frame's time (see :mod:`shared_utils.media.clipfile.plan`), which takes
milliseconds where packets alone tell; then it is decoded, and only the frames wanted are converted to colour. Packets
that no wanted frame needs are not decoded where the codec tells them.
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
from shared_utils.media.clipfile.stream import Shaper, Source, check_file, choose_film, packets
from shared_utils.media.picture import Picture, fitted_into
from shared_utils.media.sampling import Sampler, sampled


class Irregular(VcamError):
    """A clip turns out otherwise than its packets promised: it is to be read again, carefully."""


@dataclass(frozen=True)
class ClipFacts:
    """What a clip is.

    Attributes:
        width: pixels, as it is to be shown: upright, with square pixels. Of the largest size, if it changes.
        height: likewise.
        frames: frames in it, analysed or not.
        sampled: frames that will be analysed; fewer may come where the clip is damaged.
        duration_s: from the first frame to the end of the last.
        started_at: time of the first frame that the file's metadata tells, ISO 8601; None if it does not.
        created_at: when the file was made, by its metadata, likewise.
        sizes: seconds, width and height from each change of the size on; empty where there is none.
        notes: in words, what is unusual about the file, and what of it is not analysed.
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
class Reading:
    """How a clip is read.

    Attributes:
        aspect: width by height as it is to be shown, such as ``16:9``, whatever the file says; None for what it says.
        careful: decode it once to find out what it holds, even where its packets seem to tell.
        strict: raise :class:`Irregular` where a clip that was not read carefully should be.
    """

    aspect: str | None = None
    careful: bool = False
    strict: bool = False


@dataclass(frozen=True)
class Frame:
    """One sampled picture.

    Attributes:
        index: its number in the clip, from 0, in the order of showing.
        time_s: seconds from the clip's first frame.
        picture: height×width×3 of the clip's size, blue green red, upright.
    """

    index: int
    time_s: float
    picture: Picture


@dataclass(frozen=True)
class Decoded:
    """A decoded frame, and how it is to be shown.

    Attributes:
        frame: as it came out of the decoder.
        orientation: how it is turned.
        size: its width and height in square pixels before that.
    """

    frame: VideoFrame
    orientation: Orientation
    size: tuple[int, int]

    @property
    def shown(self) -> tuple[int, int]:
        """Width and height as it is to be shown."""
        return self.orientation.size(*self.size)

    def picture(self, clip_size: tuple[int, int], threads: int = 1) -> Picture:
        """Return it upright, fitted into the clip's size with black bars where its shape is another."""
        width, height = self.size
        converted = self.frame.reformat(width, height, "bgr24", threads=threads)
        raw = np.asarray(converted.to_ndarray(), np.uint8)
        return fitted_into(self.orientation.turned(raw), clip_size)


class ClipReader(Closing):
    """A clip opened for reading its sampled frames, once.

    Args:
        path: the file.
        fps: frames to sample per second; 0 for all.
        threads: threads to convert colours with. One decodes: several disagree about damaged frames.
        reading: how; None for the usual way.

    Attributes:
        facts: what the clip is.
        aspect: width by height as it is to be shown; None for what the file says.
        codec: name of its video codec, such as ``h264``.
        plan: when its frames are shown, and where they are.
        orientation: how its first frame is turned.
        decode_s: seconds spent decoding and converting so far.
        damaged: packets that could not be decoded so far, or not fully.

    Raises:
        ClipMissing: there is no such file.
        ClipError: it is no video that can be analysed.
        Irregular: see :attr:`Reading.strict`; while it is read, too.
    """

    def __init__(
        self,
        path: Path,
        fps: float,
        threads: int = 1,
        reading: Reading | None = None,
    ) -> None:
        self._fps = fps
        self._threads = threads
        reading = reading or Reading()
        self.aspect: Fraction | None = parse_aspect(reading.aspect) if reading.aspect else None
        self._strict = reading.strict
        self._careful = reading.careful
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
        """Yield the sampled frames in the order of showing."""
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
            if self._fixed_size and decoded.shown != clip_size:
                self._irregular("the size of its frames changes")
            last = index
            time_s = self.plan.line.times_s[index]
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
        raise ClipError(f"none of its {len(self.plan.line.times_s)} frames can be decoded")

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
        yield from decoder.rest()
        self.damaged += decoder.take_errors()

    def _skipped(self, packet: Packet[VideoStream], stream: VideoStream, *, interlaced: bool) -> bool:
        """Tell whether a packet need not be decoded, and have the decoder skip what is not wanted of it."""
        wanted = self.plan.wanted
        if wanted is None or packet.pts is None or packet.is_discard:
            return False
        context = stream.codec_context
        needed = packet.pts in wanted
        # of interlaced video a picture may be two packets, and the second one bears no picture's stamp
        if (context.codec.intra_only and not needed) or (packet.pts in self.plan.unneeded and not interlaced):
            return True
        # taken over by the decoder with each packet: unwanted pictures that no other one is built on
        # are skipped, which changes nothing in those that are
        context.skip_frame = "DEFAULT" if needed else "NONREF"
        return False

    def _facts(self, first: Decoded) -> ClipFacts:
        line, sizes = self.plan.line, self.plan.sizes
        width, height = first.shown
        if sizes:
            width, height = max(((one.width, one.height) for one in sizes), key=lambda size: size[0] * size[1])
        return ClipFacts(
            width=width,
            height=height,
            frames=len(line.times_s),
            sampled=len(sampled(line.times_s, self._fps)),
            duration_s=line.end_s,
            started_at=self._metadata.get("vcam_started_at"),
            created_at=self._metadata.get("creation_time"),
            sizes=tuple((line.times_s[one.index], one.width, one.height) for one in sizes) if len(sizes) > 1 else (),
            notes=(*self._notes, *self.plan.notes, *self._shapers[0].notes),
        )


def _sources(path: Path) -> tuple[list[Source], list[str]]:
    """Return the recordings of a file, and in words what of it is left out."""
    try:
        check_file(path)
        parts = find_parts(path)
    except FileNotFoundError:
        raise ClipMissing("the file is not there") from None
    notes = [
        f"bytes {part.understood} to {part.end} are not analysed: no recording begins there"
        for part in parts
        if part.understood < part.end
    ]
    if len(parts) == 1:
        index, left_out = choose_film(Source(path, None))
        return [Source(path, None, index)], notes + _left_out(left_out)
    sources: list[Source] = []
    errors: list[ClipError] = []
    for part in parts:
        try:
            index, left_out = choose_film(Source(path, part))
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
