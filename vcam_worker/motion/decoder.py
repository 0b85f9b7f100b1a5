"""Decodes for motion detection, by PyAV: only the luma plane, downscaled, of a few frames per second.

Live frames are a guest here: while somebody asks for them, frames are decoded in full quality.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import cv2
import numpy as np
from av import FFmpegError, VideoCodecContext, VideoFrame
from av import Packet as AvPacket
from numpy.typing import NDArray

from vcam_worker.motion.decode_health import DecodeHealth
from vcam_worker.motion.detector import ANALYSIS_HEIGHT_PX, Luma
from vcam_worker.stream.info import StreamInfo, video_decoder
from vcam_worker.stream.packets import Packet

# one process per camera: OpenCV's own threads would only make them compete for the cores
cv2.setNumThreads(1)

MICROSECONDS = 1_000_000
HALF_TICK = 0.5 / MICROSECONDS
"""Seconds; a frame's time is rounded to microseconds in the decoder."""
MAX_WAITING = 60
"""Most packets held back: at 0.5 analysed frames per second of 60 they would be many, and decoded in one long burst."""


class DueFrame(NamedTuple):
    """A decoded frame to analyse.

    Attributes:
        time: stream time, seconds.
        luma: height×width, see :func:`small_luma`.
        size: width and height of the whole frame.
    """

    time: float
    luma: Luma
    size: tuple[int, int]


class FrameTap(Protocol):
    """Takes decoded frames in full quality and colour. Must not wait for anything."""

    @property
    def due(self) -> float:
        """Stream time from which the next frame is wanted; infinity while none is."""

    def take(self, frame: VideoFrame, time: float) -> None:
        """Take the frame at a stream time."""


class LumaDecoder:
    """Decodes the packets of one stream, and returns the frames that are due for analysis.

    Packets wait until a frame that is due needs them: those between the last due frame of a GOP and the next
    keyframe are never decoded.

    Args:
        info: the stream.
        fps: frames to analyse per second of stream time.
        keyframes_only: decode keyframes alone.

    Attributes:
        latest_time: stream time of the newest decoded frame, seconds.
        health: whether frames can be decoded.
        tap: gets frames as well, decoded with the loop filter; None: nobody wants any. A change takes effect at the
            next keyframe.
    """

    def __init__(self, info: StreamInfo, fps: float, *, keyframes_only: bool = False) -> None:
        self._step = 1.0 / fps
        self._due = 0.0
        self._keyframes_only = keyframes_only
        self._info = info
        self.health = DecodeHealth()
        self.tap: FrameTap | None = None
        self._is_intra_only = info.codec == "mjpeg"
        self._is_full = self._is_intra_only  # decodes in full quality; a JPEG has no loop filter
        self._context = self._new_context(info)
        self._wait_for_keyframe = True
        self._waiting: list[Packet] = []
        self._spared: list[Packet] | None = None  # packets skipped since the last keyframe, if all of them are kept
        self._latest: VideoFrame | None = None
        self.latest_time = 0.0

    def feed(self, packet: Packet, *, keyframes_only: bool = False, catch_up: bool = False) -> list[DueFrame]:
        """Take one packet.

        Args:
            packet: the next one.
            keyframes_only: skip this packet unless it is a keyframe.
            catch_up: decode what was skipped since the last keyframe, as the next one is late.

        Returns:
            The frames that are due, mostly none or one.
        """
        found = []
        if packet.is_keyframe:
            self.health.keyframe()
            self._spared = []
            if not self._is_intra_only and self._is_full != (self.tap is not None):
                found = self._switch_quality(packet)
            elif self._wait_for_keyframe:
                found = self._resume()
        elif self._keyframes_only or ((keyframes_only or self._wait_for_keyframe) and not (catch_up and self._spared)):
            self.health.waiting(packet.time)
            self._spare(packet)
            return found
        self._wait_for_keyframe = False
        if packet.is_keyframe or self._is_intra_only:
            self._waiting.clear()  # no later packet depends on them
        if self._spared:
            self._waiting, self._spared = self._spared, []
        self._waiting.append(packet)
        if packet.time + packet.delay < self._next_due() and len(self._waiting) < MAX_WAITING:
            return found
        for waiting in self._waiting:
            found += [one for one in map(self._if_due, self._decode(waiting)) if one]
        self._waiting.clear()
        return found

    def _new_context(self, info: StreamInfo) -> VideoCodecContext:
        context = video_decoder(info)
        if not self._is_full:
            # the loop filter smooths block edges, of which nothing is left at a sixth of the size
            context.options = {**context.options, "skip_loop_filter": "all", "flags2": "+fast"}
        return context

    def _switch_quality(self, keyframe: Packet) -> list[DueFrame]:
        """Decode in the other quality from a keyframe on; return the due frames that the decoder still held."""
        found = [one for one in map(self._if_due, self._flush()) if one]
        self._is_full = not self._is_full
        self._context = self._new_context(self._info.at_keyframe(keyframe))
        return found

    def _resume(self) -> list[DueFrame]:
        """Forget the frames before those that were skipped; return the due ones that the decoder still held.

        A keyframe of an open GOP does not make the decoder do so, and is held back for those that are missing.
        """
        if not self._context.is_open:
            return []
        frames = self._flush()
        self._context.flush_buffers()
        if frames:
            self.health.decoded()
        return [one for one in map(self._if_due, frames) if one]

    def _flush(self) -> list[VideoFrame]:
        try:
            return self._context.decode(None) if self._context.is_open else []
        except FFmpegError:
            return []

    def _next_due(self) -> float:
        return min(self._due, self.tap.due) if self.tap and self._is_full else self._due

    def _spare(self, packet: Packet) -> None:
        """Skip a packet, and keep it so that :meth:`feed` can catch up on it."""
        if self._keyframes_only or (self._spared is None):
            self.skip()
            return
        # the waiting ones have not been decoded either
        self._spared += [*self._waiting, packet]
        self._waiting.clear()
        self._wait_for_keyframe = True

    def _decode(self, packet: Packet) -> list[VideoFrame]:
        raw = AvPacket(packet.data)
        raw.dts = round(packet.time * MICROSECONDS)
        raw.pts = round((packet.time + packet.delay) * MICROSECONDS)
        reason = None
        try:
            frames = self._context.decode(raw)
        except FFmpegError as error:
            # RTP packet loss has damaged it; the decoder continues with the next one
            frames, reason = [], error.strerror
        if frames:
            self.health.decoded()
        else:
            self.health.failed(packet.time, reason)
        return frames

    def _if_due(self, frame: VideoFrame) -> DueFrame | None:
        if frame.pts is None:
            return None
        time = frame.pts / MICROSECONDS
        self._latest, self.latest_time = frame, time
        if self.tap and self._is_full and time >= self.tap.due - HALF_TICK:
            self.tap.take(frame, time)
        if time < self._due - HALF_TICK:
            return None
        # counting from the last due time keeps the rate; after a gap, count from this frame
        self._due = max(self._due + self._step, time)
        try:
            return DueFrame(time, small_luma(frame), (frame.width, frame.height))
        except FFmpegError:  # it cannot be converted, such as one that is a pixel wide
            return None

    def skip(self) -> None:
        """Skip a packet; decoding continues at the next keyframe."""
        self._wait_for_keyframe = True
        self._waiting.clear()
        self._spared = None

    def picture(self, width: int | None = None) -> NDArray[np.uint8] | None:
        """Return the newest decoded frame, height×width×3 BGR, downscaled to `width` pixels.

        Returns:
            None before the first, and where it cannot be converted, such as one that is a pixel wide.
        """
        frame = self._latest
        if frame is None:
            return None
        width = min(width or frame.width, frame.width) & ~1
        height = max(2, round(frame.height * width / frame.width)) & ~1
        try:
            return np.asarray(frame.reformat(width, height, "bgr24").to_ndarray(), np.uint8)
        except FFmpegError:
            return None


def small_luma(frame: VideoFrame) -> Luma:
    """Return the frame's luma, height×width uint8, at most :data:`ANALYSIS_HEIGHT_PX` rows high."""
    if frame.format.name.startswith(("yuv", "nv", "gray")) and frame.format.components[0].bits == 8:
        plane = frame.planes[0]
        rows: NDArray[np.uint8] = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
        luma = rows[:, : plane.width]
    else:  # 10 bit, or RGB
        luma = np.asarray(frame.to_ndarray(format="gray"), np.uint8)
    height, width = luma.shape
    if height <= ANALYSIS_HEIGHT_PX:
        return np.ascontiguousarray(luma)
    size = (max(1, round(width * ANALYSIS_HEIGHT_PX / height)), ANALYSIS_HEIGHT_PX)
    # by halves first: OpenCV's INTER_AREA has a fast path for 2×2, and 1080 rows take a third of the time
    while height >= 4 * ANALYSIS_HEIGHT_PX:
        width, height = width // 2, height // 2
        luma = np.asarray(cv2.resize(luma, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    if (width, height) == (3 * size[0], 3 * size[1]):  # 1080 rows: blur gives the same means of 3×3 at half the cost
        return np.ascontiguousarray(cv2.blur(luma, (3, 3))[1::3, 1::3], np.uint8)
    return np.asarray(cv2.resize(luma, size, interpolation=cv2.INTER_AREA), np.uint8)
