"""From packets to clips: ring, motion, events and recorder over one stream. Live and replay run this same code."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from shared_utils.cameras import Camera
from vcam_worker.decoder import LumaDecoder
from vcam_worker.events import ClipRules, EventLogic
from vcam_worker.motion import Motion, MotionDetector
from vcam_worker.packets import Packet
from vcam_worker.recorder import ClipSummary, ClipWriter
from vcam_worker.ring import PacketRing
from vcam_worker.source import StreamInfo
from vcam_worker.timeline import Timeline

TRIGGER_LATENCY = 2.0
"""Seconds the ring reaches back beyond the pre-roll: the time from the first frame that moves to the decision."""

Log = logging.LoggerAdapter[logging.Logger]


@dataclass(frozen=True)
class FinishedClip:
    """A closed clip, in stream time.

    Attributes:
        start, end: seconds.
        trigger: seconds; where motion went on from the clip before, its start.
        started_at: local time of its first frame.
        path: the file, complete, still under the name it was written to.
        summary: what it holds.
    """

    start: float
    trigger: float
    end: float
    started_at: datetime
    path: Path
    summary: ClipSummary


OpenClip = Callable[[StreamInfo, float, datetime], ClipWriter]


class StreamRecorder:
    """Takes the packets of one connection, and records what moves.

    Args:
        camera: whose stream it is.
        info: what it delivers.
        rules: lengths of clips.
        live: packets come in real time; else from a file, whose timestamps are the clock.
        open_clip: opens a clip at (stream, start in stream time, local time).
        on_clip: takes each closed clip.
        log: one line an event.
        on_motion: sees every analysed frame's verdict, at its stream time.
    """

    def __init__(
        self,
        camera: Camera,
        info: StreamInfo,
        rules: ClipRules,
        *,
        live: bool,
        open_clip: OpenClip,
        on_clip: Callable[[FinishedClip], None],
        log: Log,
        on_motion: Callable[[float, Motion], None] | None = None,
    ) -> None:
        keyframes_only = camera.motion.decode == "keyframes"
        self._info = info
        self._rules = rules
        self._open_clip = open_clip
        self._on_clip = on_clip
        self._on_motion = on_motion
        self._log = log
        self._timeline = Timeline(live=live, nominal_step=1 / info.fps if info.fps else 0.04)
        self._ring = PacketRing(rules.pre_roll_seconds + TRIGGER_LATENCY)
        self._decoder = LumaDecoder(info, camera.motion.fps, keyframes_only=keyframes_only)
        self._motion = MotionDetector(camera.motion.min_area, camera.motion.fps)
        # keyframes come seconds apart: to wait for a second one would miss most events
        self._events = EventLogic(rules, hits_to_trigger=1 if keyframes_only else 2)
        self._last_video: Packet | None = None
        self._writer: ClipWriter | None = None
        self._clip = (0.0, 0.0, datetime.min)  # start, trigger, local time

    def feed(self, packet: Packet, *, analyse: bool = True) -> None:
        """Take the next packet.

        Args:
            packet: as received; gets its place in the stream's time here.
            analyse: False to record only, when the machine can not keep up.
        """
        self._place(packet)
        goes_on = False
        if packet.kind == "video" and self._events.is_over(packet.time, packet.is_keyframe):
            goes_on = packet.is_keyframe and self._events.moving_at(packet.time)
            self._finish(packet.time)
        self._ring.append(packet)
        if goes_on:
            self._log.info("motion goes on: next clip started")
            self._start(packet.time, packet.time, packet)
        elif self._writer:
            self._writer.write(packet)
        if packet.kind == "video":
            self._last_video = packet
            if analyse:
                self._look(packet)
            else:
                self._decoder.skip()

    def _place(self, packet: Packet) -> None:
        """Give `packet` its stream time; sound follows the pictures, whose clock the camera shares."""
        if packet.kind == "video":
            packet.time = self._timeline.place(packet.dts, packet.arrived)
            return
        reference = self._last_video
        packet.time = reference.time if reference else 0.0
        if reference and packet.dts is not None and reference.dts is not None:
            offset = packet.dts - reference.dts
            if abs(offset) < self._rules.clip_seconds:
                packet.time += offset

    def _look(self, packet: Packet) -> None:
        for time, luma in self._decoder.feed(packet):
            motion = self._motion.look(luma, time)
            if self._on_motion:
                self._on_motion(time, motion)
            trigger = self._events.motion(time, motion.moving)
            if trigger is not None:
                self._start(trigger - self._rules.pre_roll_seconds, trigger, packet)
                kept = trigger - self._clip[0]
                self._log.info(
                    "motion seen (%.1f %% of the picture): clip started, with %.1f s before it",
                    100 * motion.share,
                    kept,
                )

    def _start(self, since: float, trigger: float, latest: Packet) -> None:
        """Open a clip that begins at the last keyframe before `since`."""
        packets = self._ring.since(since)
        if not packets:  # no keyframe yet, or one too far back to keep: wait for the next motion frame
            return
        start = packets[0].time
        # the newest packet has waited least, so its arrival dates the others
        started_at = datetime.fromtimestamp(latest.wall - (latest.time - start)).astimezone()
        self._writer = self._open_clip(self._info, start, started_at)
        self._clip = (start, trigger, started_at)
        self._events.started(start)
        for packet in packets:
            self._writer.write(packet)

    def _finish(self, end: float) -> None:
        if self._writer is None:
            return
        writer, self._writer = self._writer, None
        self._events.ended()
        summary = writer.close()
        start, trigger, started_at = self._clip
        self._on_clip(FinishedClip(start, trigger, end, started_at, writer.path, summary))

    def close(self) -> None:
        """Finish the open clip: the stream is over."""
        if self._last_video is not None:
            self._finish(self._last_video.time + self._timeline.step)
