"""Frames for live subscriptions, at the camera's side."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from vcam_worker.live.channel import ChannelWriter
from vcam_worker.motion.watcher import MotionWatcher
from vcam_worker.recording.pipeline import Pipeline
from vcam_worker.stream.packets import Packet


class FrameService:
    """Serves all frame subscriptions of a camera.

    Args:
        writer: of the data channel.
        watcher: returns who looks for motion now.
    """

    def __init__(self, writer: ChannelWriter, watcher: Callable[[], MotionWatcher | None]) -> None:
        self._writer = writer
        self._watcher = watcher
        self._wanted: dict[int, Any] = {}

    @property
    def is_idle(self) -> bool:
        """There is no subscription."""
        return not self._wanted

    def subscribe(self, number: int, wanted: Any) -> None:
        """Begin a subscription, or change one."""
        self._wanted[number] = wanted

    def unsubscribe(self, number: int) -> None:
        """End a subscription."""
        if self._wanted.pop(number, None):
            self._writer.forget(number)

    def connected(self, pipeline: Pipeline) -> None:
        """The main stream is connected."""

    def take(self, packet: Packet) -> None:
        """Take the next packet of the main stream."""

    def lost(self) -> None:
        """The connection is lost."""
