"""Watches one stream for motion, and decodes no more of its packets than that takes."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from shared_utils.config.cameras import MotionSettings
from vcam_worker.motion.decode_health import DecodeHealth
from vcam_worker.motion.decoder import DueFrame, FrameTap, LumaDecoder
from vcam_worker.motion.detector import Luma, Motion, MotionDetector
from vcam_worker.motion.ignored import Polygons
from vcam_worker.stream.info import StreamInfo
from vcam_worker.stream.packets import Packet

MAX_SKIP_GOP_S = 5.0
"""GOP length up to which frames may be skipped; with rarer keyframes, a clip may end before the next one."""
MAX_SIZES = 4
"""Frame sizes of one stream whose backgrounds are kept."""

Backgrounds = dict[tuple[int, int], MotionDetector]
"""Detectors that have learnt a scene, by width and height of the frames."""
FrameObserver = Callable[[float, Motion, Luma], None]
"""Called with each analysed frame: stream time, verdict, and the detector's mask."""


class KeyframesOnlyRule:
    """Decides when to analyse keyframes alone: far from the end of an open clip, motion decides nothing."""

    def __init__(self) -> None:
        self._keyframe_at: float | None = None
        self._gop: float | None = None  # seconds between the last two keyframes

    def take(self, packet: Packet) -> None:
        """Take the next video packet."""
        if packet.is_keyframe:
            self._gop = None if self._keyframe_at is None else packet.time - self._keyframe_at
            self._keyframe_at = packet.time

    def overdue(self, time: float) -> bool:
        """Whether the next keyframe is late, as with codecs that vary their GOP."""
        return self._keyframe_at is not None and time - self._keyframe_at > MAX_SKIP_GOP_S

    def allows(self, time: float, settled_until: float) -> bool:
        """Whether a packet at `time` may be skipped.

        Args:
            time: stream time, seconds.
            settled_until: stream time before which verdicts decide nothing.
        """
        if self._gop is None or self._gop > MAX_SKIP_GOP_S or self.overdue(time):
            return False
        # the next keyframe may come a GOP later: if this is the last one in time, decode everything from it on
        return time < settled_until - self._gop


class MotionWatcher:
    """Detects motion in one stream's packets.

    Args:
        info: the stream.
        settings: how to detect motion.
        observe: called with each analysed frame.
        backgrounds: of a connection to the same scene that has just ended.
        clock: monotonic seconds.

    Attributes:
        backgrounds: what has been learnt of the scene.
        decodes_keyframes_only: other frames are never decoded, as the settings say.
        share: moving share of the picture, by the newest verdict.
        moved_at: when something was last seen moving, by `clock`; None: not yet.
        never_skips: analyse frames at the full rate even where motion decides nothing, as somebody waits for it.
    """

    def __init__(
        self,
        info: StreamInfo,
        settings: MotionSettings,
        observe: FrameObserver | None = None,
        backgrounds: Backgrounds | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.decodes_keyframes_only = settings.decode == "keyframes"
        self._decoder = LumaDecoder(info, settings.fps, keyframes_only=self.decodes_keyframes_only)
        self._min_area = settings.min_area
        self._observe = observe
        self._keyframes_only = KeyframesOnlyRule()
        self._latest_packet_time = 0.0
        self._clock = clock
        self.share = 0.0
        self.moved_at: float | None = None
        self.never_skips = False
        # one background per frame size: a stream that alternates between two would always be learning
        self.backgrounds: Backgrounds = backgrounds or {}
        self._ignored: Polygons = ()
        for one in self.backgrounds.values():
            one.resume()

    def ignore(self, polygons: Polygons) -> None:
        """Ignore motion in `polygons`, and nowhere else, from the next analysed frame on."""
        self._ignored = polygons

    def take(self, packet: Packet, settled_until: float = 0.0) -> list[tuple[float, Motion]]:
        """Take the next video packet, in stream time; a late one is skipped.

        Args:
            packet: the next one.
            settled_until: stream time before which verdicts decide nothing: only keyframes are analysed, so that the
                background keeps learning, up to the last keyframe before it.

        Returns:
            (stream time, verdict) of each analysed frame.
        """
        self._latest_packet_time = packet.time
        if packet.is_late:
            self._decoder.skip()
            return []
        self._keyframes_only.take(packet)
        skip = not self.never_skips and self._keyframes_only.allows(packet.time, settled_until)
        overdue = self._keyframes_only.overdue(packet.time)
        return [self._analyse(frame) for frame in self._decoder.feed(packet, keyframes_only=skip, catch_up=overdue)]

    def _analyse(self, frame: DueFrame) -> tuple[float, Motion]:
        detector = self.backgrounds.pop(frame.size, None) or MotionDetector(self._min_area)
        self.backgrounds[frame.size] = detector
        if len(self.backgrounds) > MAX_SIZES:
            self.backgrounds.pop(next(iter(self.backgrounds)))
        detector.ignore(self._ignored)
        motion = detector.analyse(frame.luma, frame.time)
        self.share = motion.share
        if motion.moving:
            self.moved_at = self._clock()
        if self._observe:
            self._observe(frame.time, motion, detector.mask)
        return frame.time, motion

    def serve(self, tap: FrameTap | None) -> None:
        """Decode for live frames as well, from the next keyframe on, or for motion alone."""
        self._decoder.tap = tap

    @property
    def health(self) -> DecodeHealth:
        """Whether frames can be decoded."""
        return self._decoder.health

    def picture(self, width: int | None) -> NDArray[np.uint8] | None:
        """Return the newest decoded frame, height×width×3 BGR."""
        return self._decoder.picture(width)

    @property
    def picture_age(self) -> float:
        """Age of that frame relative to the newest packet, seconds."""
        return max(0.0, self._latest_packet_time - self._decoder.latest_time)
