"""Find the display times of a clip's frames, and which frames are wanted, before the clip is read.

The packets of most files are sufficient for that. Files whose time stamps contradict each other, whose frame size
changes, or that contain several recordings are decoded once: only the decoder knows how many frames there are, in
which order, and of what size.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from shared_utils.errors import ClipError
from shared_utils.media.bitstream.skippable import BitstreamReader, PacketFacts, unneeded
from shared_utils.media.clipfile.decoding import Decoder
from shared_utils.media.clipfile.stream import UNPAIRED, Shaper, Source, clock_of, packets
from shared_utils.media.clipfile.timestamps import WRAP, Clock, Timeline, is_plain, timeline
from shared_utils.media.sampling import sampled

COMMON_BASE = Fraction(1, 90_000)
"""Common time base of the stamps of several recordings."""
NEAR_JOINT = 3
"""Frames before a joint that are marked as corrupt by mistake: FFmpeg's MPEG-TS demuxer takes the change of the
continuity counter (ISO/IEC 13818-1, 2.4.3.3) for lost packets."""


@dataclass(frozen=True)
class Size:
    """The size of all frames from one index on."""

    index: int
    width: int
    height: int


class Plan:
    """The frames of a clip.

    Args:
        timeline: display time of each frame.
        sources: the recordings in the file.
        stamps: time stamp of each frame, by which decoded frames are identified; None to count them instead.

    Attributes:
        timeline: display time of each frame.
        sources: the recordings in the file.
        stamps: time stamp of each frame, ascending; None if frames are counted.
        sizes: the changes of the frame size; empty if they are not known beforehand.
        wanted: stamps of the wanted frames; None for all.
        unneeded: stamps of the packets that no wanted frame depends on.
        keys: stamps of the keyframes, ascending; empty if frames are counted.
        notes: for people: what is unusual.
        harmless: indices of frames that are marked as corrupt by mistake.
    """

    def __init__(self, timeline: Timeline, sources: Sequence[Source], stamps: Sequence[int] | None = None) -> None:
        self.timeline = timeline
        self.sources = tuple(sources)
        self.stamps = stamps
        self.sizes: tuple[Size, ...] = ()
        self.wanted: frozenset[int] | None = None
        self.unneeded: frozenset[int] = frozenset()
        self.keys: tuple[int, ...] = ()
        self.notes: list[str] = []
        self.harmless: frozenset[int] = frozenset()
        self._indices = None if stamps is None else {stamp: index for index, stamp in enumerate(stamps)}

    def want(self, fps: float, facts: Sequence[PacketFacts]) -> None:
        """Choose the wanted frames for a sampling rate, if frames are identified by stamps."""
        if self._indices is None:
            return
        stamps = list(self._indices)
        self.wanted = frozenset(stamps[index] for index in sampled(self.timeline.times_s, fps))
        self.unneeded = unneeded(facts, self.wanted)

    def index(self, frame: VideoFrame, number: int) -> int | None:
        """Return the index of a decoded frame, the `number`-th from the decoder; None for one not in the plan."""
        if self._indices is None:
            return number if number < len(self.timeline.times_s) else None
        return None if frame.pts is None else self._indices.get(frame.pts)


@dataclass
class _Read:
    """What the packets of a recording say."""

    clock: Clock
    stamps: list[int | None]
    keyframes: list[bool]
    keys: list[int]
    facts: list[PacketFacts]
    last_duration: int
    reordered: bool
    plain: bool


def plan_by_packets(source: Source, fps: float) -> Plan | None:
    """Return the plan of a recording by its packets; None if these are not sufficient."""
    read, notes = _read(source)
    if not read.plain or not is_plain(read.stamps, read.keyframes, read.clock, reordered=read.reordered):
        return None
    stamps = sorted(stamp for stamp in read.stamps if stamp is not None)
    base = read.clock.time_base
    times = tuple(float((stamp - stamps[0]) * base) for stamp in stamps)
    tail = float(read.last_duration * base) or float(1 / read.clock.rate)
    plan = Plan(Timeline(times, times[-1] + tail), [source], stamps)
    plan.keys = tuple(sorted(read.keys))
    plan.notes = notes
    plan.want(fps, read.facts)
    return plan


def _read(source: Source) -> tuple[_Read, list[str]]:
    container, stream = source.open()
    with container:
        context = stream.codec_context
        bitstream = BitstreamReader(context.name, context.extradata)
        reordered = bool(context.has_b_frames) and not context.codec.intra_only
        read = _Read(clock_of(container, stream), [], [], [], [], 0, reordered, plain=True)
        count, end, whole = 0, None, True
        for packet in packets(container, [stream]):
            count += 1
            whole = whole and not packet.is_corrupt
            if packet.is_keyframe and packet.pts is not None:
                read.keys.append(packet.pts)
            if packet.is_discard:
                continue
            read.stamps.append(packet.pts)
            read.keyframes.append(packet.is_keyframe)
            if packet.pts is not None:
                read.facts.append(bitstream.inspect(packet.pts, bytes(packet)))
                if end is None or packet.pts >= end:
                    end, read.last_duration = packet.pts, packet.duration or 0
        if not read.stamps:
            raise ClipError("it contains no frames")
        # a frame of interlaced video may be two packets, see frames.py
        read.plain = whole and len(bitstream.sizes) <= 1 and int(context.field_order) in UNPAIRED
        return read, missing_note(container, stream, count)


def missing_note(container: InputContainer, stream: VideoStream, count: int) -> list[str]:
    """Return a note if the file holds fewer frames than its own index announces."""
    if "mp4" not in container.format.name or stream.frames <= max(count, 1):
        return []
    return [f"the file is cut short: {count} of {stream.frames} frames are there"]


@dataclass(frozen=True)
class _Surveyed:
    """Stamp and size of a decoded frame."""

    stamp: int | None
    size: tuple[int, int]


def plan_by_decoding(sources: Sequence[Source], aspect: Fraction | None) -> Plan:
    """Return the plan of recordings by decoding them.

    Raises:
        ClipError: no frame can be decoded.
    """
    frames: list[_Surveyed] = []
    notes: list[str] = []
    clocks: list[Clock] = []
    for source in sources:
        found, clock, some = _survey(source, aspect)
        base = clock.time_base if len(sources) == 1 else COMMON_BASE
        frames += [replace(one, stamp=_in_base(one.stamp, clock, base)) for one in found]
        clocks.append(replace(clock, time_base=base))
        notes += some
    if not frames:
        raise ClipError("none of its frames can be decoded")
    clock = replace(clocks[0], wraps=all(one.wraps for one in clocks))
    line = timeline([one.stamp for one in frames], clock)
    plan = Plan(line, sources)
    plan.sizes = tuple(_sizes(frames))
    plan.notes = notes + timeline_notes(line, clock)
    plan.harmless = frozenset(joint - back for joint in line.joints for back in range(1, NEAR_JOINT + 1))
    return plan


def _survey(source: Source, aspect: Fraction | None) -> tuple[list[_Surveyed], Clock, list[str]]:
    container, stream = source.open()
    with container:
        shaper = Shaper(stream, aspect)
        decoder = Decoder(stream)
        found: list[_Surveyed] = []
        count = hidden = 0
        for packet in packets(container, [stream]):
            count += 1
            hidden += packet.is_discard
            found += [_surveyed(frame, shaper) for frame in decoder.decode(packet)]
        found += [_surveyed(frame, shaper) for frame in decoder.flush()]
        notes = missing_note(container, stream, count)
        lost = count - hidden - len(found) - decoder.take_errors()
        if lost > 0 and int(stream.codec_context.field_order) in UNPAIRED:
            notes.append(f"{lost} of {count} packets could not be decoded to a frame")
        return found, clock_of(container, stream), notes


def _surveyed(frame: VideoFrame, shaper: Shaper) -> _Surveyed:
    orientation, size = shaper.shape(frame)
    return _Surveyed(frame.pts, orientation.size(*size))


def _in_base(stamp: int | None, clock: Clock, base: Fraction) -> int | None:
    if stamp is None or base == clock.time_base:
        return stamp
    return round(stamp * clock.time_base / base) % (WRAP if clock.wraps else 1 << 62)


def _sizes(frames: Sequence[_Surveyed]) -> Iterator[Size]:
    last = None
    for index, frame in enumerate(frames):
        if frame.size != last:
            last = frame.size
            yield Size(index, *frame.size)


def timeline_notes(line: Timeline, clock: Clock) -> list[str]:
    """Return notes on what is unusual about a clip's time stamps."""
    notes = []
    if line.joints:
        at = ", ".join(f"{line.times_s[index]:.2f}" for index in line.joints[:10])
        notes.append(f"{len(line.joints) + 1} recordings follow each other: the time stamps start over at {at} s")
    if line.corrected == len(line.times_s):
        notes.append(f"it has no usable time stamps: {float(clock.rate):g} frames per second are assumed")
    elif line.corrected:
        frames = (
            "frame without a plausible time stamp is"
            if line.corrected == 1
            else ("frames without a plausible time stamp are")
        )
        notes.append(f"{line.corrected} {frames} placed between the others")
    return notes
