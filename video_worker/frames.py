"""Sampled pictures out of a clip, by PyAV.

A clip is gone through twice: once its packets alone, for every frame's time and the clip's length, which takes
milliseconds; then it is decoded, and only the pictures wanted are converted to colour. Packets that no wanted
picture needs are not decoded where the codec tells them.
"""

from __future__ import annotations

import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from shared_utils.errors import ClipError, ClipMissing
from video_worker.bitstream import BitstreamReader, PacketFacts, unneeded
from video_worker.engines import Picture
from video_worker.sampling import Sampler, sampled

OPEN_OPTIONS = {
    # a playlist under the name of a clip would have the decoder open other files, or addresses
    "protocol_whitelist": "file",
    "format_whitelist": "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,asf,ogg,h264,hevc,mjpeg,m4v",
}
MAX_PIXELS = 8192 * 8192
"""Larger pictures are refused: 8K is 33 million, a forged header may say anything."""
FALLBACK_RATE = Fraction(25)
"""Frames a second of a stream that gives neither times nor a rate."""


@dataclass(frozen=True)
class ClipFacts:
    """What a clip is.

    Attributes:
        width: pixels, as it is to be shown, after rotation.
        height: likewise.
        frames: frames in it, analysed or not.
        sampled: frames that will be analysed; fewer may come where the clip is damaged.
        duration_s: from the first frame to the end of the last.
        started_at: time of the first frame that the file's metadata tells, ISO 8601; None if it does not.
    """

    width: int
    height: int
    frames: int
    sampled: int
    duration_s: float
    started_at: str | None


@dataclass(frozen=True)
class Frame:
    """One sampled picture.

    Attributes:
        index: its number in the clip, from 0, in the order of showing.
        time_s: seconds from the clip's first frame.
        picture: height×width×3, blue green red, upright.
    """

    index: int
    time_s: float
    picture: Picture


class ClipReader:
    """A clip opened for reading its sampled frames, once.

    Args:
        path: the file.
        fps: frames to sample a second; 0 for all.
        threads: threads to decode with.

    Attributes:
        facts: what the clip is.
        decode_s: seconds spent decoding and converting so far.
        damaged: packets that could not be decoded so far.

    Raises:
        ClipMissing: there is no such file.
        ClipError: it is no video that can be analysed.
    """

    def __init__(self, path: Path, fps: float, threads: int) -> None:
        self._path = path
        self._fps = fps
        self._threads = threads
        self.decode_s = 0.0
        self.damaged = 0
        self._interlaced = False
        started = time.perf_counter()
        self._plan = self._read_plan()
        self._container, self._stream = self._open()
        try:
            self._decoded = self._decode()
            self._first: VideoFrame | None = self._first_frame()
            self.facts = self._facts(self._first)
        except BaseException:
            self.close()
            raise
        self.decode_s += time.perf_counter() - started

    def __enter__(self) -> ClipReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def __iter__(self) -> Iterator[Frame]:
        """Yield the sampled frames in the order of showing."""
        sampler = Sampler(self._fps)
        started = time.perf_counter()
        for number, frame in enumerate(self._all_frames()):
            index, time_s = self._plan.place(frame, number)
            if not sampler.wants(time_s):
                continue
            picture = _upright(frame)
            self.decode_s += time.perf_counter() - started
            yield Frame(index, time_s, picture)
            started = time.perf_counter()
        self.decode_s += time.perf_counter() - started

    def _first_frame(self) -> VideoFrame:
        for frame in self._decoded:
            return frame
        raise ClipError(f"none of its {self._plan.packets} frames can be decoded")

    def _all_frames(self) -> Iterator[VideoFrame]:
        if self._first is not None:
            yield self._first
            self._first = None
        yield from self._decoded

    def _open(self) -> tuple[InputContainer, VideoStream]:
        try:
            _check_file(self._path)
            container = av.open(str(self._path), "r", options=OPEN_OPTIONS, metadata_errors="replace")
        except FileNotFoundError:
            raise ClipMissing("the file is not there") from None
        except (av.error.InvalidDataError, av.error.EOFError, av.error.ArgumentError) as error:
            raise ClipError(f"no video that can be read ({error.strerror})") from None
        # cover pictures of music files pass for video
        streams = [s for s in container.streams.video if not s.disposition & av.stream.Disposition.attached_pic]
        if not streams:
            others = ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"
            container.close()
            raise ClipError(f"it holds no video, only {others}")
        stream = streams[0]
        if stream.codec_context is None:
            container.close()
            raise ClipError("its video is coded in a way that is not known here")
        width, height = stream.codec_context.width, stream.codec_context.height
        if width * height > MAX_PIXELS:
            container.close()
            raise ClipError(f"its pictures are {width}×{height}, which is more than can be analysed")
        stream.thread_type = "AUTO"
        stream.codec_context.thread_count = self._threads
        return container, stream

    def _read_plan(self) -> _Plan:
        container, stream = self._open()
        with container:
            facts: list[PacketFacts] = []
            bitstream = BitstreamReader(stream.codec_context.name, stream.codec_context.extradata)
            packets = timeless = 0
            last_duration = 0
            end = 0
            for packet in _packets(container, stream):
                if packet.is_discard:
                    continue
                packets += 1
                if packet.pts is None:
                    timeless += 1
                    continue
                facts.append(bitstream.look(packet.pts, bytes(packet)))
                if packet.pts >= end:
                    end, last_duration = packet.pts, packet.duration or 0
            if not packets:
                raise ClipError("it holds no frame")
            rate = stream.average_rate or stream.base_rate or FALLBACK_RATE
            reliable = not timeless and len({one.stamp for one in facts}) == len(facts)
            plan = _Plan(packets, Fraction(rate), stream.time_base or Fraction(1, 1000))
            if reliable:
                plan.set_packets(facts, last_duration, self._fps)
            return plan

    def _decode(self) -> Iterator[VideoFrame]:
        context = self._stream.codec_context
        intra_only = bool(context.codec.intra_only)
        wanted, unneeded = self._plan.wanted, self._plan.unneeded
        for packet in _packets(self._container, self._stream):
            if wanted is not None and packet.pts is not None and not packet.is_discard:
                needed = packet.pts in wanted
                # of interlaced video a picture may be two packets, and the second one bears no picture's stamp
                if (intra_only and not needed) or (packet.pts in unneeded and not self._interlaced):
                    continue
                # taken over by the decoder with each packet: unwanted pictures that no other one is built on
                # are skipped, which changes nothing in those that are
                context.skip_frame = "DEFAULT" if needed else "NONREF"
            try:
                for frame in context.decode(packet):
                    self._interlaced = self._interlaced or frame.interlaced_frame
                    yield frame
            except av.error.InvalidDataError:
                self.damaged += 1
        # decoding by several threads runs some frames behind; also where a file is cut short, so not left to demux
        with suppress(av.error.InvalidDataError, av.error.EOFError):
            yield from context.decode(None)

    def _facts(self, first: VideoFrame) -> ClipFacts:
        turned = first.rotation % 180 != 0
        width, height = (first.height, first.width) if turned else (first.width, first.height)
        metadata = self._container.metadata
        return ClipFacts(
            width=width,
            height=height,
            frames=self._plan.packets,
            sampled=self._plan.expected(self._fps),
            duration_s=self._plan.duration_s,
            started_at=metadata.get("vcam_started_at") or metadata.get("creation_time"),
        )


class _Plan:
    """The frames of a clip by their packets: when each is shown, and which ones are wanted."""

    def __init__(self, packets: int, rate: Fraction, time_base: Fraction) -> None:
        self.packets = packets
        self.rate = rate
        self.time_base = time_base
        self.duration_s = float(packets / rate)
        self.wanted: frozenset[int] | None = None
        self.unneeded: frozenset[int] = frozenset()
        self._origin = 0
        self._indices: dict[int, int] | None = None

    def set_packets(self, facts: list[PacketFacts], last_duration: int, fps: float) -> None:
        """Take over the packets, in the order of the file, all with time stamps and those without doubles."""
        stamps = sorted(packet.stamp for packet in facts)
        self._origin = stamps[0]
        self._indices = {stamp: index for index, stamp in enumerate(stamps)}
        times = [self._seconds(stamp) for stamp in stamps]
        self.wanted = frozenset(stamps[index] for index in sampled(times, fps))
        self.unneeded = unneeded(facts, self.wanted)
        tail = float(last_duration * self.time_base) or float(1 / self.rate)
        self.duration_s = times[-1] + tail

    def place(self, frame: VideoFrame, number: int) -> tuple[int, float]:
        """Return index and time of a decoded frame, the `number`-th one of those that were decoded."""
        if self._indices is None or frame.pts is None or frame.pts not in self._indices:
            return number, float(number / self.rate)
        return self._indices[frame.pts], self._seconds(frame.pts)

    def expected(self, fps: float) -> int:
        """Return how many frames will be analysed."""
        if self.wanted is not None:
            return len(self.wanted)
        return len(sampled([float(number / self.rate) for number in range(self.packets)], fps))

    def _seconds(self, stamp: int) -> float:
        return float((stamp - self._origin) * self.time_base)


def _check_file(path: Path) -> None:
    about = path.stat()
    if not stat.S_ISREG(about.st_mode):  # a pipe would be waited for without end
        raise ClipError("it is no ordinary file")
    if about.st_size == 0:
        raise ClipError("the file is empty")


def _packets(container: InputContainer, stream: VideoStream) -> Iterator[Packet[VideoStream]]:
    """Yield the stream's packets up to the end of what can be read."""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except (av.error.InvalidDataError, av.error.EOFError):  # a file cut short: what came before is good
            return
        if packet.size:  # the last one is empty
            yield packet


def _upright(frame: VideoFrame) -> Picture:
    """Return the picture turned as its container says: phones store portrait lying down."""
    picture = np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)
    quarters = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(picture, quarters)) if quarters else picture
