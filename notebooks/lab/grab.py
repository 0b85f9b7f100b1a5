"""Pictures of a clip at any time, exact by PTS, by PyAV."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import av
import numpy as np
from av.video.frame import VideoFrame

from shared_utils.errors import ClipError, ClipMissing
from video_worker.frames import OPEN_OPTIONS, ClipReader, Frame
from video_worker.sampling import SLACK_S

THREADS = 2
"""Threads to decode with: the workers of this machine want cores too."""


class FrameGrabber:
    """A clip opened for looking at single frames, in any order.

    A clip without usable time stamps is gone through from its start for each frame: slow, but right.

    Args:
        path: the file.

    Attributes:
        facts: what the clip is; see :class:`video_worker.frames.ClipFacts`.
        codec: name of its video codec, such as ``h264``.
        sound: whether it has any.
        times_s: time of each frame, seconds from the first one.

    Raises:
        ClipMissing: there is no such file.
        ClipError: it is no video that can be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        # the worker's own reader refuses what is no video, in one line
        with ClipReader(path, 0, THREADS) as reader:
            self.facts = reader.facts
        self._open()
        self.codec = str(self._stream.codec_context.name)
        self.sound = bool(self._container.streams.audio)
        self._stamps: list[int] = []
        self._keys: list[int] = []
        self._frames: Iterator[VideoFrame] = iter(())
        self._position: int | None = None
        self._read_stamps()

    def __enter__(self) -> FrameGrabber:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def index_at(self, time_s: float) -> int:
        """Return the number of the frame that is on screen at `time_s`; the first or last one outside of the clip."""
        return max(0, bisect_right(self.times_s, time_s + SLACK_S) - 1)

    def frame_at(self, time_s: float) -> Frame:
        """Return the frame that is on screen at `time_s`, seconds from the first frame; see :meth:`frame`."""
        return self.frame(self.index_at(time_s))

    def frame(self, index: int) -> Frame:
        """Return the `index`-th frame; where it is damaged, the last one before it that is not.

        Raises:
            ClipError: neither can be decoded.
        """
        if not self._stamps:
            return self._counted(index)
        index = min(max(index, 0), len(self._stamps) - 1)
        stamp = self._stamps[index]
        found = self._decode_to(stamp)
        if found is None or found.pts is None:
            raise ClipError(f"{self._path.name}: frame {index} can not be decoded")
        shown = bisect_left(self._stamps, found.pts)
        return Frame(shown, self.times_s[shown], upright(found))

    def _open(self) -> None:
        try:
            self._container = av.open(str(self._path), "r", options=OPEN_OPTIONS, metadata_errors="replace")
        except FileNotFoundError:
            raise ClipMissing("the file is not there") from None
        streams = self._container.streams.video
        self._stream = next(s for s in streams if not s.disposition & av.stream.Disposition.attached_pic)
        self._stream.thread_type = "AUTO"
        self._stream.codec_context.thread_count = THREADS

    def _read_stamps(self) -> None:
        stamps: list[int] = []
        timeless = False
        try:
            for packet in self._container.demux(self._stream):
                if not packet.size or packet.is_discard:
                    continue
                if packet.pts is None:
                    timeless = True
                    break
                stamps.append(packet.pts)
                if packet.is_keyframe:
                    self._keys.append(packet.pts)
        except (av.error.InvalidDataError, av.error.EOFError):  # cut short: what came before is good
            pass
        if timeless or len(set(stamps)) != len(stamps):
            step = self.facts.duration_s / max(1, self.facts.frames)
            self.times_s = [number * step for number in range(self.facts.frames)]
            return
        self._stamps = sorted(stamps)
        self._keys.sort()
        base = self._stream.time_base
        self.times_s = [float((stamp - self._stamps[0]) * base) for stamp in self._stamps] if base else []

    def _decode_to(self, stamp: int) -> VideoFrame | None:
        """Return the last frame up to `stamp`, decoding on from where we are when no keyframe lies between."""
        here = self._position
        key = max(0, bisect_right(self._keys, stamp) - 1)
        if here is None or here >= stamp or (self._keys and self._keys[key] > here):
            self._seek(self._keys[key] if self._keys else self._stamps[0])
        found = self._forward(stamp)
        if found is None:  # the container's index led behind it, as MPEG-TS does, or its GOP is damaged
            self._container.close()
            self._open()
            self._rewound()
            found = self._forward(stamp)
        return found

    def _seek(self, stamp: int) -> None:
        self._container.seek(stamp, stream=self._stream)
        self._rewound()

    def _rewound(self) -> None:
        self._frames = self._decoded()
        self._position = None

    def _forward(self, stamp: int) -> VideoFrame | None:
        last: VideoFrame | None = None
        for frame in self._frames:
            if frame.pts is None:
                continue
            self._position = frame.pts
            if frame.pts > stamp:
                return last
            last = frame
            if frame.pts == stamp:
                return frame
        return last

    def _decoded(self) -> Iterator[VideoFrame]:
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets)
            except (StopIteration, av.error.EOFError):
                return
            except av.error.InvalidDataError:
                return
            try:
                yield from self._stream.codec_context.decode(packet if packet.size else None)
            except av.error.EOFError:
                return
            except av.error.InvalidDataError:  # a damaged packet: its neighbours may be good
                continue

    def _counted(self, index: int) -> Frame:
        with ClipReader(self._path, 0, THREADS) as reader:
            last: Frame | None = None
            for frame in reader:
                last = frame
                if frame.index >= index:
                    break
        if last is None:
            raise ClipError(f"{self._path.name}: frame {index} can not be decoded")
        return last


def upright(frame: VideoFrame) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Return a decoded frame as height×width×3, blue green red, turned as its container says."""
    picture = np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)
    quarters = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(picture, quarters)) if quarters else picture
