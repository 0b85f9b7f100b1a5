"""A camera's boxes and events from Redis, as a live view reads them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from notebooks.lab.live.overlay import FrameBoxes
from shared_utils.config.redis import RedisSettings
from shared_utils.contracts.events import Event
from shared_utils.queue.event_stream import EventReader
from shared_utils.queue.live_boxes import BoxesReader

RECENT_S = 600.0
"""Age of the oldest events that are displayed at the start."""


class News:
    """Reads boxes and events of a camera, for one thread.

    Args:
        settings: where Redis is.
        camera: its name.
        after: `last_id` of the news that were read before; empty: events of the last ten minutes.
        now: seconds since the epoch.
    """

    def __init__(
        self, settings: RedisSettings, camera: str, after: str = "", now: Callable[[], float] = time.time
    ) -> None:
        # ids of entries begin with the milliseconds of Redis' clock
        recent = f"{max(0, int((now() - RECENT_S) * 1000))}-0"
        self._boxes = BoxesReader(settings, camera)
        self._events = EventReader(settings, after=after or recent, cameras=[camera])

    @property
    def last_id(self) -> str:
        """Id of the last event that was read, for the next `News`."""
        return self._events.last_id

    def boxes(self, timeout_s: float) -> list[FrameBoxes]:
        """Return the boxes of frames that were analysed since the last call, oldest first.

        Args:
            timeout_s: longest wait, seconds.

        Raises:
            QueueUnavailable: Redis is away; the next call connects again.
            SettingError: Redis does not take the password.
        """
        return [
            FrameBoxes(one.at, tuple((box.label, box.score, *box.box, box.track) for box in one.boxes))
            for one in self._boxes.read(timeout_s)
        ]

    def events(self) -> Sequence[Event]:
        """Return the events since the last call, oldest first; does not wait.

        Raises:
            QueueUnavailable, SettingError: as for `boxes`.
        """
        return self._events.read(0)

    def close(self) -> None:
        """Close the connections."""
        self._boxes.close()
        self._events.close()
