"""Motion from a sub-stream, for a main stream that is only recorded."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shared_utils.config.cameras import MotionSettings
from vcam_worker.motion.decoding import DecodeHealth
from vcam_worker.motion.watcher import Watcher
from vcam_worker.recording.stream_recorder import NOMINAL_STEP, StreamRecorder
from vcam_worker.stream.packets import Packet
from vcam_worker.stream.source import StreamInfo
from vcam_worker.stream.timeline import Timeline


class DetectStream:
    """A sub-stream that is looked at while the main stream is recorded; the two are aligned by arrival.

    Args:
        info: the sub-stream.
        motion: how to look for motion.
        recorder: the main stream's.
    """

    def __init__(self, info: StreamInfo, motion: MotionSettings, recorder: StreamRecorder) -> None:
        self._timeline = Timeline(live=True, nominal_step=1 / info.fps if info.fps else NOMINAL_STEP)
        self._watcher = Watcher(info, motion)
        self._recorder = recorder
        self._latest = 0.0

    def feed(self, packet: Packet, *, analyse: bool = True) -> None:
        """Take a packet of the sub-stream."""
        if packet.kind != "video":
            return
        packet.time = self._latest = self._timeline.place(packet.dts, packet.arrived)
        if not analyse:
            self._watcher.skip()
            return
        ahead = packet.time - self._of_main(packet.time)
        for time, motion in self._watcher.feed(packet, self._recorder.settled_until + ahead):
            self._recorder.see(self._of_main(time), motion)

    def _of_main(self, time: float) -> float:
        """Return the main stream's time at a time of this one."""
        return self._recorder.time_at(self._timeline.arrival(time))

    def picture(self, width: int | None) -> NDArray[np.uint8] | None:
        """Return the newest frame, height×width×3 BGR."""
        return self._watcher.picture(width)

    @property
    def health(self) -> DecodeHealth:
        """Whether pictures come out of the decoder."""
        return self._watcher.health

    @property
    def picture_age(self) -> float:
        """Seconds that frame is older than the newest packet."""
        return max(0.0, self._latest - self._watcher.latest_time)
