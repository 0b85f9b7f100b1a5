"""The camera's side of live video: a muxer per subscription, from the last keyframe of the ring on."""

from __future__ import annotations

import math
from dataclasses import replace

from vcam_worker.live.channel import ChannelWriter
from vcam_worker.live.video.muxer import LiveMuxer, PictureChangedError, can_mux
from vcam_worker.live.video.parts import END, FRAMES, INIT, Fragment, Init, pack_frames
from vcam_worker.live.video.viewers import MAX_GOP_BYTES
from vcam_worker.recording.pipeline import Pipeline
from vcam_worker.runtime.status import CameraStatus
from vcam_worker.stream.packets import Packet


class VideoService:
    """Serves the subscriptions to live video of one camera; see :class:`vcam_worker.live.camera_side.Kind`.

    Args:
        writer: of the data channel.
    """

    def __init__(self, writer: ChannelWriter) -> None:
        self._writer = writer
        self._muxers: dict[int, LiveMuxer | None] = {}  # by subscription; None: not begun
        self._pipeline: Pipeline | None = None

    @property
    def is_idle(self) -> bool:
        """There is no subscription."""
        return not self._muxers

    def subscribe(self, number: int, wanted: object) -> None:  # noqa: ARG002  # all want the same
        """Begin a subscription, or begin it anew."""
        self._muxers[number] = None
        if self._pipeline:
            self._begin(number, self._pipeline)

    def unsubscribe(self, number: int) -> None:
        """End a subscription."""
        if number in self._muxers:
            del self._muxers[number]
            self._writer.forget(number)

    def connected(self, pipeline: Pipeline) -> None:
        """Begin all subscriptions with the ring's last GOP."""
        self._pipeline = pipeline
        for number in list(self._muxers):
            self._begin(number, pipeline)

    def take(self, packet: Packet) -> None:
        """Mux a packet for all subscriptions."""
        for number, muxer in list(self._muxers.items()):
            if muxer:
                self._mux(number, muxer, [packet])

    def lost(self) -> None:
        """End all files: what the next connection sends begins new ones."""
        self._pipeline = None
        for number, muxer in self._muxers.items():
            if muxer:
                self._muxers[number] = None
                self._writer.send(number, END, b"the camera's connection is lost")

    def added_to(self, status: CameraStatus) -> CameraStatus:
        """Return the camera's status with the subscriptions to live video."""
        return replace(status, live_subscriptions=status.live_subscriptions + len(self._muxers))

    def _begin(self, number: int, pipeline: Pipeline) -> None:
        info = pipeline.recorder.info
        if not can_mux(info.codec):
            return
        muxer = self._muxers[number] = LiveMuxer(info)
        gop = pipeline.recorder.ring.since(math.inf)
        # a GOP that is too large to be kept for viewers is not sent either: they wait for the next keyframe
        if sum(len(one.data) for one in gop) <= MAX_GOP_BYTES:
            self._mux(number, muxer, gop)

    def _mux(self, number: int, muxer: LiveMuxer, packets: list[Packet]) -> None:
        parts: list[Init | Fragment] = []
        for packet in packets:
            try:
                parts += muxer.take(packet)
            except PictureChangedError:
                self._send(number, parts)
                self._writer.send(number, END, b"the size or format of the picture has changed")
                muxer = self._muxers[number] = muxer.successor()
                parts = muxer.take(packet)
        self._send(number, parts)

    def _send(self, number: int, parts: list[Init | Fragment]) -> None:
        inits = [one for one in parts if isinstance(one, Init)]
        frames = [one for one in parts if isinstance(one, Fragment)]
        sent = all(self._writer.send(number, INIT, one.pack()) for one in inits)
        if sent and frames:
            sent = self._writer.send(number, FRAMES, pack_frames(frames))
        if not sent:  # the server did not read in time; it subscribes again when it does
            self._muxers.pop(number, None)
