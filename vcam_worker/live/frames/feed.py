"""Frames for the clients of one subscription, at the HTTP server's side. Lives on its event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from vcam_worker.live.commands import FramesWanted
from vcam_worker.live.frames.message import FRAME, Frame, unpack_frame
from vcam_worker.live.frames.rates import next_due

EARLY_SHARE = 0.25
"""Share of a client's interval by which a frame may be early: the camera's clock is not the host's."""
FRESH_S = 0.5
"""Age up to which the newest frame will do for a client that joins."""


class FrameClient:
    """One client: takes the newest frame at its own rate.

    Args:
        fps: most frames per second.
        only_motion: frames while there is motion, and no others.
    """

    def __init__(self, fps: float, *, only_motion: bool) -> None:
        self.fps = fps
        self.only_motion = only_motion
        self._due = 0.0
        self._newest: Frame | None = None
        self._is_over = False
        self._changed = asyncio.Event()

    def offer(self, frame: Frame) -> None:
        """Take a frame, if it is due, in place of one that the client has not taken yet."""
        step = 1 / self.fps
        if frame.at < self._due - 2 * step:  # the clock was set back
            self._due = frame.at
        if frame.at < self._due - EARLY_SHARE * step or (self.only_motion and not frame.is_moving):
            return
        self._due = next_due(self._due, frame.at, step)
        self._newest = frame
        self._changed.set()

    def end(self) -> None:
        """There will be no more frames."""
        self._is_over = True
        self._changed.set()

    @property
    def has_frame(self) -> bool:
        """A frame waits to be taken."""
        return self._newest is not None

    async def next(self) -> Frame | None:
        """Wait for the next frame; None where there will be none."""
        await self._changed.wait()
        if self._is_over:
            return None
        self._changed.clear()
        frame, self._newest = self._newest, None
        return frame


class FrameFeed:
    """The frames of one size and quality, for all clients that want them.

    Args:
        width: pixels; None keeps the camera's own.
        quality: of the JPEG; None for the default.
        clock: monotonic seconds.
    """

    def __init__(self, width: int | None, quality: int | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._width = width
        self._quality = quality
        self._clock = clock
        self._clients: set[FrameClient] = set()
        self._asked = 0
        self._last: FramesWanted | None = None
        self._newest: Frame | None = None
        self._came = 0.0

    @contextmanager
    def client(self, fps: float, *, only_motion: bool) -> Iterator[FrameClient]:
        """Yield a new client, which is there until the context is left.

        The hub must be told of both: what the feed wants has changed.
        """
        one = FrameClient(fps, only_motion=only_motion)
        self._clients.add(one)
        if self._newest and self._clock() - self._came <= FRESH_S:
            one.offer(self._newest)
        else:
            self._asked += 1
        try:
            yield one
        finally:
            self._clients.discard(one)

    def wanted(self) -> FramesWanted:
        """Return the highest rates that its clients want."""
        if not self._clients and self._last:  # as it was, until the hub ends it
            return self._last
        self._last = FramesWanted(
            self._width,
            self._quality,
            fps=max((one.fps for one in self._clients if not one.only_motion), default=0.0),
            motion_fps=max((one.fps for one in self._clients if one.only_motion), default=0.0),
            asked=self._asked,
        )
        return self._last

    def message(self, kind: int, payload: bytes) -> None:
        """Hand a frame to all clients."""
        if kind != FRAME:
            return
        try:
            frame = self._newest = unpack_frame(payload)
        except ValueError:  # nothing that the camera's process sends stops the others
            return
        self._came = self._clock()
        for one in self._clients:
            one.offer(frame)

    def restarted(self) -> None:
        """Frames go on with the next one."""

    def ended(self) -> None:
        """End all clients."""
        for one in self._clients:
            one.end()
