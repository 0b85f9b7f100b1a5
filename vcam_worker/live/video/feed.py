"""The HTTP server's side of live video: what a camera sends, for all of its viewers."""

from __future__ import annotations

from vcam_worker.live.commands import VideoWanted
from vcam_worker.live.video.parts import END, FRAMES, INIT, Init, unpack_frames
from vcam_worker.live.video.viewers import Broadcast, Viewer


class VideoFeed:
    """One camera's live video; see :class:`vcam_worker.live.hub.Feed`. A file that ends is followed by another."""

    def __init__(self) -> None:
        self._broadcast = Broadcast()

    def join(self) -> Viewer:
        """Return a new viewer."""
        return self._broadcast.join()

    def wanted(self) -> VideoWanted:
        """Return what to subscribe to."""
        return VideoWanted()

    def message(self, kind: int, payload: bytes) -> None:
        """Take a message of the camera."""
        if kind == INIT:
            if self._broadcast.init is not None:
                self.restarted()
            self._broadcast.take(Init.unpack(payload))
        elif kind == FRAMES:
            for frame in unpack_frames(payload):
                self._broadcast.take(frame)
        elif kind == END:
            self.restarted(payload.decode())

    def restarted(self, reason: str = "the camera's process was started again") -> None:
        """End the file of all present viewers."""
        if self._broadcast.init is not None:
            self._broadcast.end(reason)
            self._broadcast = Broadcast()

    def ended(self) -> None:
        """End all viewers: there is nothing more."""
        self._broadcast.end("the camera was removed, or capture stops")
