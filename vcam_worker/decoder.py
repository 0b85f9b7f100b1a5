"""Decoding for motion alone, by PyAV: only the luma, shrunk, of a few frames a second."""

from __future__ import annotations

import cv2
import numpy as np
from av import FFmpegError, VideoFrame
from av import Packet as AvPacket
from numpy.typing import NDArray

from vcam_worker.motion import ANALYSIS_HEIGHT, Luma
from vcam_worker.packets import Packet
from vcam_worker.source import StreamInfo, video_decoder

MICROSECONDS = 1_000_000


class LumaDecoder:
    """Decodes the packets of one stream, and hands out the frames that are due.

    Args:
        info: the stream.
        fps: frames handed out a second of stream time.
        keyframes_only: decode nothing else.
    """

    def __init__(self, info: StreamInfo, fps: float, *, keyframes_only: bool = False) -> None:
        self._step = 1.0 / fps
        self._due = 0.0
        self._keyframes_only = keyframes_only
        context = video_decoder(info)
        # the loop filter smooths block edges: at a sixth of the size nothing is left of it
        context.options = {"skip_loop_filter": "all"}
        self._context = context
        self._is_intra_only = info.codec == "mjpeg"
        self._wait_for_keyframe = True

    def feed(self, packet: Packet) -> list[tuple[float, Luma]]:
        """Decode one packet.

        Returns:
            (stream time in seconds, luma of height×width) of each frame that is due: most often none or one.
        """
        if (self._keyframes_only or self._wait_for_keyframe) and not packet.is_keyframe:
            return []
        self._wait_for_keyframe = False
        # where every frame stands alone, those that nobody looks at need no decoding
        if self._is_intra_only and packet.time < self._due:
            return []
        raw = AvPacket(packet.data)
        raw.dts = round(packet.time * MICROSECONDS)
        raw.pts = round((packet.time + packet.delay) * MICROSECONDS)
        try:
            frames = self._context.decode(raw)
        except FFmpegError:
            # a packet that RTP loss has damaged: the decoder goes on at the next one
            return []
        found = []
        for frame in frames:
            time = packet.time if frame.pts is None else frame.pts / MICROSECONDS
            if time < self._due:
                continue
            # steps from the last due time keep the rate; after a gap start from here
            self._due = max(self._due + self._step, time)
            found.append((time, small_luma(frame)))
        return found

    def skip(self) -> None:
        """Leave a packet out; decoding goes on at the next keyframe."""
        self._wait_for_keyframe = True


def small_luma(frame: VideoFrame) -> Luma:
    """Return the frame's brightness, height×width uint8, at most :data:`ANALYSIS_HEIGHT` rows high."""
    if frame.format.name.startswith(("yuv", "nv", "gray")) and frame.format.components[0].bits == 8:
        plane = frame.planes[0]
        rows: NDArray[np.uint8] = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
        luma = rows[:, : plane.width]
    else:  # 10 bit, or RGB
        luma = np.asarray(frame.to_ndarray(format="gray"), np.uint8)
    height, width = luma.shape
    if height <= ANALYSIS_HEIGHT:
        return np.ascontiguousarray(luma)
    size = (max(1, round(width * ANALYSIS_HEIGHT / height)), ANALYSIS_HEIGHT)
    return np.asarray(cv2.resize(luma, size, interpolation=cv2.INTER_AREA), np.uint8)
