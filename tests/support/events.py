"""Listens to the event stream on behalf of a test."""

from __future__ import annotations

import time

from devtools.redis_server import RedisServer
from shared_utils.contracts.events import Event
from shared_utils.errors import QueueUnavailable
from shared_utils.queue.event_stream import EventReader

WAIT_S = 60.0


class Listener:
    """Gathers the events of a stream, from its beginning on."""

    def __init__(self, server: RedisServer) -> None:
        self._reader = EventReader(server.settings, after="0")
        self.events: list[Event] = []

    def wait_for(self, type: str, value: str, count: int = 1, seconds: float = WAIT_S) -> Event:
        """Wait until there are `count` events of a type and value; return the last one of them."""
        deadline = time.monotonic() + seconds
        while len(found := self.of(type, value)) < count:
            assert time.monotonic() < deadline, f"no {type} {value} ({count}) in {self.summary()}"
            try:
                self.events += self._reader.read(0.5)
            except QueueUnavailable:
                continue
        return found[count - 1]

    def of(self, type: str, value: str) -> list[Event]:
        """Return those of a type and value that have come so far."""
        return [event for event in self.events if (event.type, event.value) == (type, value)]

    def summary(self) -> list[str]:
        """Return the types and values of what has come so far."""
        return [f"{event.type} {event.value}" for event in self.events]
