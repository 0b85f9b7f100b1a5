"""Looks for motion in one stream's packets, and decodes no more of them than that takes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from shared_utils.config.cameras import MotionSettings
from vcam_worker.motion.decode_health import DecodeHealth
from vcam_worker.motion.decoder import DueFrame, LumaDecoder
from vcam_worker.motion.detector import Luma, Motion, MotionDetector
from vcam_worker.stream.info import StreamInfo
from vcam_worker.stream.packets import Packet

MAX_SKIP_GOP_S = 5.0
"""Seconds; where keyframes come more rarely, a clip is too short to wait for one before its end."""
MAX_SIZES = 4
"""Picture sizes of one stream whose background is remembered."""

Backgrounds = dict[tuple[int, int], MotionDetector]
"""What is known of a scene, by width and height."""
FrameObserver = Callable[[float, Motion, Luma], None]
"""Told of each frame looked at: stream time, verdict, and the detector's mask."""


class KeyframesOnlyRule:
    """Decides when keyframes alone are looked at: far from the end of an open clip motion decides nothing."""

    def __init__(self) -> None:
        self._keyframe_at: float | None = None
        self._gop: float | None = None  # seconds between the last two keyframes

    def take(self, packet: Packet) -> None:
        """Take the next video packet."""
        if packet.is_keyframe:
            self._gop = None if self._keyframe_at is None else packet.time - self._keyframe_at
            self._keyframe_at = packet.time

    def overdue(self, time: float) -> bool:
        """Tell whether the next keyframe has not come when it was expected, as codecs that vary their GOP do."""
        return self._keyframe_at is not None and time - self._keyframe_at > MAX_SKIP_GOP_S

    def allows(self, time: float, settled_until: float) -> bool:
        """Tell whether a packet at `time` may be left out.

        Args:
            time: stream time, seconds.
            settled_until: stream time before which verdicts decide nothing.
        """
        if self._gop is None or self._gop > MAX_SKIP_GOP_S or self.overdue(time):
            return False
        # the next keyframe may come a GOP later: from this one on everything is decoded, if it is the last in time
        return time < settled_until - self._gop


class MotionWatcher:
    """Looks for motion in one stream's packets.

    Args:
        info: the stream.
        settings: how to look.
        observe: told of each frame looked at.
        backgrounds: those of a connection to the same scene that has just ended.

    Attributes:
        backgrounds: what is known of the scene.
    """

    def __init__(
        self,
        info: StreamInfo,
        settings: MotionSettings,
        observe: FrameObserver | None = None,
        backgrounds: Backgrounds | None = None,
    ) -> None:
        self._decoder = LumaDecoder(info, settings.fps, keyframes_only=settings.decode == "keyframes")
        self._min_area = settings.min_area
        self._observe = observe
        self._keyframes_only = KeyframesOnlyRule()
        self._latest_packet_time = 0.0
        # a background per picture size: a stream that alternates between two would always be learning one
        self.backgrounds: Backgrounds = backgrounds or {}
        for one in self.backgrounds.values():
            one.resume()

    def take(self, packet: Packet, settled_until: float = 0.0) -> list[tuple[float, Motion]]:
        """Take a video packet, in stream time; one that is late leads to no decoding.

        Args:
            packet: the next one.
            settled_until: stream time before which verdicts decide nothing: only keyframes are looked at, so that the
                background goes on learning, up to the last keyframe before it.

        Returns:
            (stream time, verdict) of each frame looked at.
        """
        self._latest_packet_time = packet.time
        if packet.is_late:
            self._decoder.skip()
            return []
        self._keyframes_only.take(packet)
        skip = self._keyframes_only.allows(packet.time, settled_until)
        overdue = self._keyframes_only.overdue(packet.time)
        return [self._analyse(frame) for frame in self._decoder.feed(packet, keyframes_only=skip, catch_up=overdue)]

    def _analyse(self, frame: DueFrame) -> tuple[float, Motion]:
        detector = self.backgrounds.pop(frame.size, None) or MotionDetector(self._min_area)
        self.backgrounds[frame.size] = detector
        if len(self.backgrounds) > MAX_SIZES:
            self.backgrounds.pop(next(iter(self.backgrounds)))
        motion = detector.analyse(frame.luma, frame.time)
        if self._observe:
            self._observe(frame.time, motion, detector.mask)
        return frame.time, motion

    @property
    def health(self) -> DecodeHealth:
        """Whether pictures come out of the decoder."""
        return self._decoder.health

    def picture(self, width: int | None) -> NDArray[np.uint8] | None:
        """Return the newest decoded frame, height×width×3 BGR."""
        return self._decoder.picture(width)

    @property
    def picture_age(self) -> float:
        """Seconds that frame is older than the newest packet."""
        return max(0.0, self._latest_packet_time - self._decoder.latest_time)
