"""Frames for live subscriptions, at the camera's side: who decodes them, and when.

The main stream is decoded in one of two places:

* Where it is watched for motion, that decoder serves. It is switched to full quality at the next keyframe, and back at
  the one after the last subscription.
* Until then, and where a sub-stream is watched or only keyframes are, a decoder of our own (`decoder.py`) starts at the
  last keyframe in the ring. So the first frame comes at once.

JPEGs of a camera that sends such are passed on as they are, where neither size nor quality is asked for.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace

from shared_utils.media.bitstream.jpeg_header import jpeg_size
from vcam_worker.live.channel import ChannelWriter
from vcam_worker.live.commands import FramesWanted
from vcam_worker.live.frames.decoder import DecodedFrame, MainDecoder
from vcam_worker.live.frames.encoder import FrameEncoder
from vcam_worker.live.frames.message import FRAME, Frame, pack_frame
from vcam_worker.live.frames.rates import FrameRates
from vcam_worker.motion.watcher import MotionWatcher
from vcam_worker.recording.pipeline import Pipeline
from vcam_worker.runtime.status import CameraStatus
from vcam_worker.stream.packets import Packet

MOTION_HOLD_S = 3.0
"""Time after the last motion for which frames go on to whoever wants them while there is motion."""


class FrameService:
    """Serves all frame subscriptions of a camera. But for :meth:`taken`, it is used by the camera's loop only.

    Args:
        writer: of the data channel.
        watcher: returns who looks for motion now, in the main stream or in the sub-stream.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        writer: ChannelWriter,
        watcher: Callable[[], MotionWatcher | None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._writer = writer
        self._watcher = watcher
        self._clock = clock
        self._wanted: dict[int, FramesWanted] = {}
        self._decoded = FrameRates()  # of those that need a decoder
        self._copied = FrameRates()  # of those that get the camera's own JPEGs
        self._encoder = FrameEncoder(writer)
        self._pipeline: Pipeline | None = None
        self._own: MainDecoder | None = None
        self._tapped: MotionWatcher | None = None  # whose decoder we have a tap on
        self._tap_serves = False  # it gives frames in full quality
        self._observed: MotionWatcher | None = None  # which analyses at its full rate for us
        # seconds since the epoch at stream time 0; None before the first packet of a connection
        self._wall_offset: float | None = None
        self._share = 0.0
        self._is_moving = False
        self._copies = 0

    # -- subscriptions

    @property
    def is_idle(self) -> bool:
        """There is no subscription."""
        return not self._wanted

    def subscribe(self, number: int, wanted: FramesWanted) -> None:
        """Begin a subscription, or change one."""
        self._wanted[number] = wanted
        self._sort_in(number, wanted)
        if self._pipeline:
            self._choose_decoder(self._pipeline)

    def unsubscribe(self, number: int) -> None:
        """End a subscription."""
        if self._wanted.pop(number, None) is None:
            return
        for rates in (self._decoded, self._copied):
            rates.remove(number)
        self._encoder.forget(number)
        self._writer.forget(number)
        if self._pipeline:
            self._choose_decoder(self._pipeline)

    def _sort_in(self, number: int, wanted: FramesWanted) -> None:
        is_mjpeg = self._pipeline is not None and self._pipeline.recorder.info.codec == "mjpeg"
        is_copied = is_mjpeg and wanted.quality is None and wanted.width is None
        (self._copied if is_copied else self._decoded).set(number, wanted)
        (self._decoded if is_copied else self._copied).remove(number)

    # -- the main stream

    def connected(self, pipeline: Pipeline) -> None:
        """The main stream is connected."""
        self._pipeline = pipeline
        for rates in (self._decoded, self._copied):
            rates.restart()
        for number, wanted in self._wanted.items():
            self._sort_in(number, wanted)
        packets = pipeline.recorder.ring.since(math.inf)
        self._wall_offset = self._offset(pipeline, packets[-1]) if packets else None
        self._encoder.start()
        self._note_motion()
        self._choose_decoder(pipeline)

    def take(self, packet: Packet) -> None:
        """Take the next packet of the main stream."""
        pipeline = self._pipeline
        if pipeline is None or packet.kind != "video":
            return
        if self._writer.is_broken:  # the server is gone, and tells nobody to stop
            for number in list(self._wanted):
                self.unsubscribe(number)
            return
        offset = self._wall_offset = self._offset(pipeline, packet)
        self._note_motion()
        if self._own:
            self._own.put([packet], offset)
        self._choose_decoder(pipeline)
        self._copy(packet, offset)

    def lost(self) -> None:
        """The connection is lost, or nobody asks any more."""
        self._pipeline = None
        self._tap(None)
        self._observe(None)
        self._stop_own()
        self._encoder.stop()

    def added_to(self, status: CameraStatus) -> CameraStatus:
        """Return the camera's status with the figures of live frames."""
        return replace(
            status,
            live_subscriptions=status.live_subscriptions + len(self._wanted),
            live_decoding=self._own is not None or self._tapped is not None,
            live_frames=self._encoder.made + self._copies,
        )

    @staticmethod
    def _offset(pipeline: Pipeline, packet: Packet) -> float:
        return packet.wall - pipeline.stream.time_at(packet.arrived)

    def _note_motion(self) -> None:
        watcher = self._watcher()
        self._observe(watcher if self._tapped or self._wants_motion else None)
        moved_at = watcher.moved_at if watcher else None
        self._share = watcher.share if watcher else 0.0
        self._is_moving = moved_at is not None and self._clock() - moved_at <= MOTION_HOLD_S
        for rates in (self._decoded, self._copied):
            rates.set_moving(self._is_moving)

    @property
    def _wants_motion(self) -> bool:
        return self._decoded.wants_motion or self._copied.wants_motion

    def _observe(self, watcher: MotionWatcher | None) -> None:
        """Have a watcher analyse at its full rate."""
        if self._observed is watcher:
            return
        if self._observed:
            self._observed.never_skips = False
        self._observed = watcher
        if watcher:
            watcher.never_skips = True

    # -- decoding

    def _choose_decoder(self, pipeline: Pipeline) -> None:
        is_wanted = self._decoded.due < math.inf
        watcher = pipeline.watcher
        self._tap(watcher if is_wanted and watcher and not watcher.decodes_keyframes_only else None)
        if not is_wanted or self._tap_serves:
            self._stop_own()
        elif self._own is None:
            self._own = MainDecoder(pipeline.recorder.info, self._decoded, self._encode)
            if self._wall_offset is not None:
                self._own.put(pipeline.recorder.ring.since(math.inf), self._wall_offset)

    def _tap(self, watcher: MotionWatcher | None) -> None:
        if self._tapped is watcher:
            return
        if self._tapped:
            self._tapped.serve(None)
        self._tapped, self._tap_serves = watcher, False
        if watcher:
            watcher.serve(_Tap(self._decoded, self._taken))

    def _taken(self, frame: DecodedFrame, time: float) -> None:
        """Take a frame of the motion's decoder, which comes before its packet does: the first one has no time yet."""
        self._tap_serves = True
        if self._wall_offset is not None:
            self._encode(frame, time, self._wall_offset + time)

    def _encode(self, frame: DecodedFrame, time: float, at: float) -> None:
        """Have a frame encoded for those who want one now. Called by the decoder's thread as well."""
        wanted = self._decoded.take_due(time)
        if wanted:
            self._encoder.put(frame, at, self._share, self._is_moving, wanted)

    def _stop_own(self) -> None:
        if self._own:
            self._own.stop()
            self._own = None

    def _copy(self, packet: Packet, offset: float) -> None:
        """Pass a JPEG on as the camera sent it."""
        if packet.time < self._copied.due or jpeg_size(packet.data) is None:
            return
        at = offset + packet.time
        payload = pack_frame(Frame(at, self._share, self._is_moving, packet.data))
        for number in self._copied.take_due(packet.time):
            self._writer.send_newest(number, FRAME, payload)
            self._copies += 1


class _Tap:
    """A tap on the motion's decoder."""

    def __init__(self, rates: FrameRates, take: Callable[[DecodedFrame, float], None]) -> None:
        self._rates = rates
        self.take = take

    @property
    def due(self) -> float:
        """When the next frame is wanted."""
        return self._rates.due
