"""The event stream: news of all programs on one Redis stream, for whoever wants to know within a second.

Each entry of :data:`STREAM_KEY` has one field, :data:`FIELD`, with the JSON of an event
(:mod:`shared_utils.contracts.events`). About :data:`KEPT` are kept. News may be lost while Redis is away, and an event
may come twice after a reply of Redis was lost: its ``id`` tells. docs/live.md shows how to read it.
"""

from __future__ import annotations

import logging
import re
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis

from shared_utils import messages
from shared_utils.closing import Closing
from shared_utils.config.redis import RedisSettings
from shared_utils.contracts.events import Event, event_from_dict
from shared_utils.contracts.json_lines import parse_object
from shared_utils.errors import FormatError, QueueUnavailable, SettingError
from shared_utils.queue.connection import connect, redis_errors
from shared_utils.queue.event_publisher import (
    BATCH,
    FIELD,
    KEPT,
    MAX_ENTRY_BYTES,
    RETRY_FIRST_S,
    RETRY_MAX_S,
    STREAM_KEY,
    Connect,
    EventPublisher,
    is_wrong_type,
)

__all__ = ["FIELD", "KEPT", "MAX_ENTRY_BYTES", "STREAM_KEY", "EventPublisher", "EventReader"]

MAX_READ_BYTES = 64 * 1024
"""Longest entry that is parsed; later versions may publish longer events than this one."""
BLOCK_S = 2.0
"""Longest time that one request waits for news: shorter than the connection's timeout."""
ITERATION_S = 10.0
"""Time of one call of :meth:`EventReader.read` in an endless iteration."""
REMEMBERED = 1000
"""Stream ids that a reader remembers, to find its place again after Redis has lost data."""

_START = (0, 0)
_ENTRY_ID = re.compile(r"(\d{1,20})(?:-(\d{1,20}))?")
_ORIGIN = Path("redis") / STREAM_KEY
"""Where an entry is from, for messages of the contract's reader."""

EntryId = tuple[int, int]
"""Id of an entry: milliseconds of Redis' clock, and a number within them."""


class EventReader(Closing):
    """Reads the event stream, for one thread.

    Entries that are no events, or of a later schema, are skipped: the first of each kind is logged. Where Redis has
    lost the newest entries, the reader goes on from those that it read last; where it has lost the stream, from the
    beginning of the new one.

    Args:
        settings: where Redis is.
        after: read what follows: None is the stream's end when the first :meth:`read` begins, ``"0"`` the oldest
            event that is kept, else the `last_id` of an earlier reader.
        types: types of events to read; all if empty.
        cameras: names of cameras to read events of; all, and those of programs, if empty.
        make_connection: returns a client, without connecting.
        sleep: waits for seconds.

    Attributes:
        last_id: id of the last entry that was read; while iterating, of the event at hand. Empty before the first.
        skipped: entries that were no events.

    Raises:
        SettingError: `after` is no such id.
    """

    def __init__(
        self,
        settings: RedisSettings,
        *,
        after: str | None = None,
        types: Collection[str] = (),
        cameras: Collection[str] = (),
        make_connection: Connect = connect,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.skipped = 0
        self._settings = settings
        self._position = None if after is None else _parse_id(after)
        self._types = _names(types)
        self._cameras = _names(cameras)
        self._connection = make_connection(settings)
        self._sleep = sleep
        self._log = logging.getLogger(__name__)
        self._logged: set[str] = set()
        self._checked = False  # that the stream still holds our position, since the last failure
        self._remembered: deque[EntryId] = deque([self._position] if self._position else [], maxlen=REMEMBERED)

    @property
    def last_id(self) -> str:
        """Id of the last entry that was read."""
        return "" if self._position is None else _format_id(self._position)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def read(self, timeout_s: float) -> list[Event]:
        """Return the next events, oldest first; none if none came in time.

        Args:
            timeout_s: longest wait, seconds; 0 returns what is there.

        Raises:
            QueueUnavailable: Redis is away; the next call connects again.
            SettingError: Redis does not take the password.
        """
        return [event for _, event in self._read(timeout_s)]

    def __iter__(self) -> Iterator[Event]:
        """Yield events without end, as they come. While Redis is away it connects again and again.

        Raises:
            SettingError: Redis does not take the password.
        """
        delay_s, away = RETRY_FIRST_S, False
        while True:
            before = self._position
            try:
                found = self._read(ITERATION_S)
            except QueueUnavailable as error:
                if not away:
                    self._log.warning(messages.EVENTS_NOT_READ, error)
                away = True
                self._sleep(delay_s)
                delay_s = min(delay_s * 2, RETRY_MAX_S)
                continue
            if away:
                self._log.info(messages.EVENTS_READ_AGAIN)
            delay_s, away = RETRY_FIRST_S, False
            end = self._position
            # whoever stops here reads the rest at the next call
            self._position = before if found else end
            for entry_id, event in found:
                self._position = entry_id
                yield event
            self._position = end

    def _read(self, timeout_s: float) -> list[tuple[EntryId, Event]]:
        deadline = time.monotonic() + timeout_s
        found: list[tuple[EntryId, Event]] = []
        passed = 0  # entries: others may come without end that are not wanted
        try:
            with redis_errors(self._settings), self._wrong_type():
                while not found:
                    entries = self._entries(self._checked_position(), min(deadline - time.monotonic(), BLOCK_S))
                    found = [(entry_id, event) for entry_id, fields in entries if (event := self._event(fields))]
                    if entries:
                        self._position = entries[-1][0]
                        self._remembered.extend(entry_id for entry_id, _ in entries)
                        passed += len(entries)
                    else:
                        self._checked = False
                    if time.monotonic() >= deadline and (not entries or passed > 2 * KEPT):
                        break
        except BaseException:
            self._checked = False
            raise
        return found

    @contextmanager
    def _wrong_type(self) -> Iterator[None]:
        try:
            yield
        except redis.ResponseError as error:
            if not is_wrong_type(error):
                raise
            raise QueueUnavailable(
                f"{STREAM_KEY} in the Redis at {self._settings.address} is no event stream; the next event repairs it"
            ) from None

    def _entries(self, position: EntryId, wait_s: float) -> list[tuple[EntryId, Mapping[bytes, bytes]]]:
        # BLOCK 0 would wait for ever
        block_ms = int(wait_s * 1000) or None if wait_s > 0 else None
        answer: Any = self._connection.xread({STREAM_KEY: _format_id(position)}, count=BATCH, block=block_ms)
        return [(_parse_id(entry_id.decode()), fields or {}) for _, found in answer or () for entry_id, fields in found]

    def _checked_position(self) -> EntryId:
        """Return where to go on. Ids run backwards where Redis has lost data: waiting for ours would have no end."""
        if self._position is not None and self._checked:
            return self._position
        end = self._end()
        if self._position is None:
            self._position = end
            self._remembered.append(end)
        elif end < self._position:
            self._position = self._place_after_loss(end)
            self._log.warning(messages.EVENT_STREAM_LOST, "its newest entries" if self._position != _START else "all")
        self._checked = True
        return self._position

    def _place_after_loss(self, end: EntryId) -> EntryId:
        """Return the last entry that we read and that is still there; the beginning, where the stream is another."""
        known = max((one for one in self._remembered if one <= end), default=None)
        if known is None:
            return _START
        at = _format_id(known)
        return known if self._connection.xrange(STREAM_KEY, at, at) else _START

    def _end(self) -> EntryId:
        """Return the id of the newest entry there ever was."""
        try:
            about: Any = self._connection.xinfo_stream(STREAM_KEY)
        except redis.ResponseError as error:
            if "no such key" in str(error):
                return _START
            raise
        return _parse_id(about["last-generated-id"].decode())

    def _event(self, fields: Mapping[bytes, bytes]) -> Event | None:
        """Return the event of an entry, if it is one that is wanted."""
        content = fields.get(FIELD.encode(), b"")
        try:
            entry = parse_object(content) if len(content) <= MAX_READ_BYTES else None
            event = None if entry is None else event_from_dict(entry, _ORIGIN)
        except FormatError as error:
            self._skip("schema", str(error))
            return None
        if event is None:
            self._skip("foreign", "an entry is no event")
            return None
        wanted = not self._types or event.type in self._types
        return event if wanted and (not self._cameras or event.camera in self._cameras) else None

    def _skip(self, kind: str, reason: str) -> None:
        self.skipped += 1
        if kind not in self._logged:
            self._logged.add(kind)
            self._log.warning(messages.ENTRIES_SKIPPED, STREAM_KEY, reason)


def _names(wanted: Collection[str]) -> frozenset[str]:
    # one name alone is a collection of letters
    return frozenset([wanted] if isinstance(wanted, str) else wanted)


def _parse_id(text: str) -> EntryId:
    match = _ENTRY_ID.fullmatch(text)
    if match is None:
        raise SettingError(f"{text[:40]!r} is no id of the event stream: give 0 or an id such as 1771850911120-0")
    return int(match[1]), int(match[2] or 0)


def _format_id(entry_id: EntryId) -> str:
    return f"{entry_id[0]}-{entry_id[1]}"
