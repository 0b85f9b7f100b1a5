"""Makes events of what a camera's process sees: motion, and clips that were saved."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime

from shared_utils.contracts.clips import parse_clip_name
from shared_utils.contracts.events import Event
from vcam_worker.motion.detector import Motion
from vcam_worker.motion.passages import Passage, Passages
from vcam_worker.recording.storage.outbox import SavedClip


class CameraEvents:
    """One camera's events.

    Args:
        camera: its name.
        send: takes each event; must neither block nor raise.
        now: seconds since the epoch.
    """

    def __init__(self, camera: str, send: Callable[[Event], None], now: Callable[[], float] = time.time) -> None:
        self._camera = camera
        self._send = send
        self._now = now
        self._passages = Passages()

    def motion(self, at: float, motion: Motion) -> None:
        """Take the verdict on a frame of time `at`, seconds since the epoch."""
        self._report(self._passages.take(at, moving=motion.moving, share=motion.share))

    def check(self) -> None:
        """Report the end of motion of which nothing has been heard for long; to be called every few seconds."""
        self._report(self._passages.check(self._now()))

    def close(self) -> None:
        """Report the end of motion that goes on: the camera is not watched any more."""
        self._report(self._passages.close())

    def clip_saved(self, clip: SavedClip) -> None:
        """Report a clip that has got its place on the volume."""
        self._send(clip_event(clip))

    def _report(self, passage: Passage | None) -> None:
        if passage is None:
            return
        more = {"share": round(passage.share, 4)}
        if passage.what == "ended":
            more = {"duration_s": round(passage.at - passage.began, 1)}
        at = datetime.fromtimestamp(passage.at).astimezone()
        self._send(Event("motion", at, self._camera, value=passage.what, more=more))


def clip_event(clip: SavedClip) -> Event:
    """Return the event of a clip that was saved."""
    name = parse_clip_name(clip.name)
    return Event(
        "clip",
        datetime.now().astimezone(),
        name.camera if name else None,
        value="saved",
        filename=clip.name,
        more={
            "start": clip.started_at.isoformat(timespec="milliseconds"),
            "duration_s": None if clip.seconds is None else round(clip.seconds, 3),
            "bytes": clip.size,
        },
    )
