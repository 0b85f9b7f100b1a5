"""The queue from feeds to a camera's loop: packets, connections and losses."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

from shared_utils.errors import SourceError
from vcam_worker.stream.info import StreamInfo
from vcam_worker.stream.packets import Packet

S = TypeVar("S")

QUEUE_PACKETS = 2000
"""Packets between reader and recorder, over a minute of video: a disk that hangs for a while loses nothing."""
QUEUE_BYTES = 64 * 1024 * 1024
"""Their total size: a JPEG frame may take megabytes."""
MAX_ITEMS_PER_TURN = 100
"""Items taken before the camera's loop attends to other things again, as it may be behind for a long time."""


@dataclass(frozen=True)
class Connected:
    """A connection was made."""

    info: StreamInfo


@dataclass(frozen=True)
class Lost:
    """A connection failed or ended; the feed itself makes the next attempt."""

    error: SourceError


@dataclass(frozen=True)
class Finished:
    """A file is at its end: nothing follows."""


Item = Connected | Lost | Finished | Packet


class Inbox(Generic[S]):
    """A queue from feeds to the camera's loop, which polls :meth:`fileno` together with other files.

    It has no bound of its own: feeds wait while it :attr:`is_full`. A packet alone does not wake the loop, as a thread
    switch per packet costs more than copying it.
    """

    def __init__(self) -> None:
        self._items: deque[tuple[S, Item]] = deque()
        self._putting = threading.Lock()  # several feeds put, one loop takes
        self._put_bytes = self._taken_bytes = 0
        self._event = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def __len__(self) -> int:
        return len(self._items)

    def fileno(self) -> int:
        """Return the descriptor that becomes readable with :meth:`wake`."""
        return self._event

    @property
    def is_full(self) -> bool:
        """Feeds must wait."""
        return len(self._items) >= QUEUE_PACKETS or self._put_bytes - self._taken_bytes >= QUEUE_BYTES

    def put(self, sender: S, item: Item) -> None:
        """Add an item; it is taken when the loop next wakes."""
        if isinstance(item, Packet):
            with self._putting:
                self._put_bytes += len(item.data)
        self._items.append((sender, item))

    def wake(self) -> None:
        """Wake the loop."""
        os.eventfd_write(self._event, 1)

    def take(self) -> Iterator[tuple[S, Item]]:
        """Yield the items, also those added meanwhile, up to :data:`MAX_ITEMS_PER_TURN`."""
        with suppress(BlockingIOError):
            os.eventfd_read(self._event)
        for _ in range(MAX_ITEMS_PER_TURN):
            if not self._items:
                return
            sender, item = self._items.popleft()
            if isinstance(item, Packet):
                self._taken_bytes += len(item.data)
            yield sender, item
        self.wake()
