"""The camera's side of live subscriptions: hands commands and packets to the kinds that serve them.

All of it is called by the camera's loop, between two packets, and must not wait for anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from vcam_worker.live.commands import LiveCommand, Subscribe
from vcam_worker.recording.pipeline import Pipeline
from vcam_worker.runtime.status import CameraStatus
from vcam_worker.stream.packets import Packet


class Kind(Protocol):
    """Serves all subscriptions of one kind. Called by the camera's loop only.

    While there is at least one subscription, and the main stream is connected, it gets :meth:`connected`, the packets,
    and :meth:`lost`. What was before a subscription is in the pipeline's ring.
    """

    @property
    def is_idle(self) -> bool:
        """There is no subscription: no packet is needed."""

    def subscribe(self, number: int, wanted: Any) -> None:
        """Begin a subscription, or change what one wants; `wanted` is of the class that the kind is listed for."""

    def unsubscribe(self, number: int) -> None:
        """End a subscription; one of another kind, or that has ended, is ignored."""

    def connected(self, pipeline: Pipeline) -> None:
        """The main stream is connected, or was when the first subscription came.

        `pipeline` holds its last GOP (``recorder.ring``), its info as of the last keyframe (``recorder.info``), its
        clock (``stream.time_at``) and, where the main stream is watched for motion, the watcher.
        """

    def take(self, packet: Packet) -> None:
        """Take the next packet of the main stream, in stream time, frames and sound; it was recorded already."""

    def lost(self) -> None:
        """The connection is lost, or there is no subscription any more: drop what belongs to it."""

    def added_to(self, status: CameraStatus) -> CameraStatus:
        """Return the camera's status with the present figures added."""


class LiveCamera:
    """The live subscriptions of one camera. Costs nothing while there are none.

    Args:
        kinds: by the class of their wishes; see `kinds.py`.
    """

    def __init__(self, kinds: Mapping[type, Kind]) -> None:
        self._kinds = dict(kinds)
        self._active: list[Kind] = []
        self._pipeline: Pipeline | None = None

    def command(self, command: LiveCommand) -> None:
        """Execute a command of the supervisor."""
        if isinstance(command, Subscribe):
            kind = self._kinds[type(command.wanted)]
            kind.subscribe(command.number, command.wanted)
        else:
            for kind in self._kinds.values():
                kind.unsubscribe(command.number)
        self._choose()

    def connected(self, pipeline: Pipeline) -> None:
        """The main stream is connected."""
        self._pipeline = pipeline
        self._choose()

    def lost(self) -> None:
        """The main stream's connection is lost."""
        if self._pipeline:
            self._pipeline.live = None
            self._pipeline = None
        for kind in self._active:
            kind.lost()
        self._active.clear()

    def take(self, packet: Packet) -> None:
        """Take a packet of the main stream."""
        for kind in self._active:
            kind.take(packet)

    def added_to(self, status: CameraStatus) -> CameraStatus:
        """Return the camera's status with the figures of all kinds."""
        for kind in self._kinds.values():
            status = kind.added_to(status)
        return status

    def _choose(self) -> None:
        """Have the pipeline hand its packets to the kinds that have subscriptions, or to nobody."""
        pipeline = self._pipeline
        if pipeline is None:
            return
        for kind in self._kinds.values():
            if kind.is_idle and kind in self._active:
                self._active.remove(kind)
                kind.lost()
            elif not kind.is_idle and kind not in self._active:
                self._active.append(kind)
                kind.connected(pipeline)
        pipeline.live = self if self._active else None
