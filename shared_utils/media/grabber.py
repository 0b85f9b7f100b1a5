"""Random access to the frames of a clip, by time or index, with the same times and pictures as the clip reader."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from pathlib import Path

from av.video.frame import VideoFrame

from shared_utils.closing import Closing
from shared_utils.errors import ClipError
from shared_utils.media.clipfile.decoding import decoded_frames
from shared_utils.media.clipfile.stream import Shaper, packets
from shared_utils.media.frames import ClipReader, Decoded, Frame, ReadOptions
from shared_utils.media.sampling import SLACK_S


class FrameGrabber(Closing):
    """A clip opened for reading single frames in any order.

    A frame is found by seeking to the keyframe before it. Where time stamps do not identify frames, the clip is read
    from its beginning up to the frame: slow, but exact.

    Args:
        path: the file.
        aspect: display aspect ratio, such as ``16:9``, that overrides the file's; None for the file's own.

    Attributes:
        facts: size, length and metadata; see :class:`shared_utils.media.frames.ClipFacts`.
        codec: FFmpeg's name of its video codec, such as ``h264``.
        has_audio: whether it has an audio stream.
        browser_mismatch: why a browser would show it at other times or in another shape; empty if it would not.
        times_s: time of each frame, seconds from the first one.

    Raises:
        ClipMissing: there is no such file.
        ClipError: it is not a video that can be read.
    """

    def __init__(self, path: Path, aspect: str | None = None) -> None:
        self._path = path
        self._aspect = aspect
        self._reader = self._open_reader()
        self._in_order: Iterator[Frame] | None = None
        self._last: Frame | None = None
        self.facts = self._reader.facts
        self.codec = self._reader.codec
        self.times_s = list(self._reader.plan.timeline.times_s)
        self._stamps = self._reader.plan.stamps
        self._source = self._reader.plan.sources[0]
        self._container, self._stream = self._source.open()
        self._shaper = Shaper(self._stream, self._reader.aspect, self._reader.orientation)
        self.browser_mismatch = self._find_mismatch()
        self.has_audio = bool(self._container.streams.audio)
        self._keys = self._reader.plan.keys
        if self._keys and "mp4" not in self._container.format.name:
            self._index_keyframes()
        self._frames: Iterator[VideoFrame] = iter(())
        self._position: int | None = None

    def close(self) -> None:
        """Close the file."""
        self._container.close()
        self._reader.close()

    def index_at(self, time_s: float) -> int:
        """Return the index of the frame displayed at `time_s`; the first or last one outside the clip."""
        return max(0, bisect_right(self.times_s, time_s + SLACK_S) - 1)

    def frame_at(self, time_s: float) -> Frame:
        """Return the frame displayed at `time_s`, seconds from the first frame; see :meth:`frame`."""
        return self.frame(self.index_at(time_s))

    def frame(self, index: int) -> Frame:
        """Return the frame of this index, or the last intact one before it if it is damaged.

        An index outside the clip gives the first or last frame.

        Raises:
            ClipError: neither can be decoded.
        """
        index = min(max(index, 0), len(self.times_s) - 1)
        if self._stamps is None:
            return self._read_up_to(index)
        found = self._decode_to(self._stamps[index])
        if found is None or found.pts is None:
            raise ClipError(f"{self._path.name}: frame {index} cannot be decoded")
        number = bisect_left(self._stamps, found.pts)
        decoded = Decoded(found, *self._shaper.shape(found))
        return Frame(number, self.times_s[number], decoded.picture((self.facts.width, self.facts.height)))

    def _find_mismatch(self) -> str:
        if self.facts.sizes:
            return "the size of its frames changes"
        if self._aspect:
            return f"it is displayed in {self._aspect}"
        return "its time stamps contradict each other, or start over" if self._stamps is None else ""

    def _open_reader(self) -> ClipReader:
        return ClipReader(self._path, 0, options=ReadOptions(self._aspect))

    def _index_keyframes(self) -> None:
        """Read all packets, so that FFmpeg has an index of the keyframes to seek by. MP4 files contain one."""
        for _ in packets(self._container, [self._stream]):
            pass

    def _decode_to(self, stamp: int) -> VideoFrame | None:
        """Return the last frame up to `stamp`: continue decoding, or seek if a later keyframe lies before it."""
        here = self._position
        key = max(0, bisect_right(self._keys, stamp) - 1)
        if here is None or here >= stamp or (self._keys and self._keys[key] > here):
            self._seek(self._keys[key] if self._keys else stamp)
        found = self._forward(stamp)
        if found is None:  # damage, or the seek went too far: in MPEG-TS it is a search by time (libavformat/mpegts.c)
            self._container.close()
            self._container, self._stream = self._source.open()
            self._restart()
            found = self._forward(stamp)
        return found

    def _seek(self, stamp: int) -> None:
        self._container.seek(stamp, stream=self._stream)
        self._restart()

    def _restart(self) -> None:
        self._frames = decoded_frames(self._container, self._stream)
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

    def _read_up_to(self, index: int) -> Frame:
        """Return the frame of this index by reading the clip in order, from the beginning if it was passed already."""
        if self._in_order is None or self._last is None or self._last.index > index:
            self._reader.close()
            self._reader = self._open_reader()
            self._in_order, self._last = iter(self._reader), None
        while self._last is None or self._last.index < index:
            frame = next(self._in_order, None)
            if frame is None:
                break
            self._last = frame
        if self._last is None:
            raise ClipError(f"{self._path.name}: frame {index} cannot be decoded")
        return self._last
