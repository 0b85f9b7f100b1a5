"""Publish events on the event stream from a thread of its own (:mod:`shared_utils.queue.event_stream` reads them)."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from typing import Any

import redis

from shared_utils import messages
from shared_utils.config.redis import RedisSettings
from shared_utils.contracts.events import Event, event_to_dict
from shared_utils.contracts.json_lines import parse_object, to_line
from shared_utils.errors import QueueUnavailable, SettingError
from shared_utils.queue.connection import connect, redis_errors, redis_is_away
from shared_utils.queue.quarantine import quarantine_key

STREAM_KEY = "vcam:events"
FIELD = "event"
"""Of an entry: the JSON of an event."""
KEPT = 10_000
"""Events that the stream keeps, and a few more: Redis removes whole nodes of its list."""
MAX_ENTRY_BYTES = 4096
"""Longest event, as JSON; a usual one has 400 bytes. So the stream takes 6 MB as a rule, and never more than 50 of the
256 MB that Redis has for the queue as well."""
CAPACITY = 1000
"""Events that wait for Redis in a program; beyond that, the oldest are dropped."""
BATCH = 100
"""Events per request."""
RETRY_FIRST_S, RETRY_MAX_S = 1.0, 15.0
"""Delays between attempts while Redis is away, which double from the first to the longest."""
DROPPED_REPORT_S = 60.0
"""Shortest time between two log lines about events that came too fast."""

_USED_UP = "exhausted the last possible ID"
"""In Redis' answer where somebody has added an entry with the last id there is."""

Connect = Callable[[RedisSettings], redis.Redis]


def is_wrong_type(error: redis.ResponseError) -> bool:
    """Return whether the stream's key holds something else."""
    return str(error).startswith("WRONGTYPE")


class EventPublisher:
    """Publishes events from a thread of its own. A Redis that is slow or dead costs the callers nothing.

    Events wait in a queue of bounded length; when it is full, the oldest are dropped and counted. One line is logged
    when Redis is away, and one when it is back.

    Args:
        settings: where Redis is.
        capacity: events that wait at most.
        make_connection: returns a client, without connecting.
        clock: monotonic seconds.

    Attributes:
        dropped: events that were never published.
    """

    def __init__(
        self,
        settings: RedisSettings,
        capacity: int = CAPACITY,
        make_connection: Connect = connect,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.dropped = 0
        self._settings = settings
        self._capacity = capacity
        self._make_connection = make_connection
        self._clock = clock
        self._log = logging.getLogger(__name__)
        self._lock = threading.Lock()
        self._waiting: deque[Event] = deque()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._in_doubt = False  # some of those that wait may be on the stream already
        self._away = self._failed = False  # each is logged once
        self._reported, self._reported_at = 0, -DROPPED_REPORT_S
        self._refused: set[str] = set()  # types of events that were logged to be unusable
        self._thread = threading.Thread(target=self._run, name="event publisher", daemon=True)

    def start(self) -> None:
        """Start the thread. What was published before is sent as well."""
        self._thread.start()

    def publish(self, event: Event) -> None:
        """Queue an event. Never blocks and never raises; any thread may call it."""
        with self._lock:
            if len(self._waiting) >= self._capacity:
                self._waiting.popleft()
                self.dropped += 1
            self._waiting.append(event)
        self._wake.set()

    def stop(self, timeout_s: float = 2.0) -> None:
        """Send what waits, and stop.

        Args:
            timeout_s: longest wait, seconds; what is not sent by then is lost.
        """
        self._stopping.set()
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)

    # -- the thread

    def _run(self) -> None:
        delay_s = RETRY_FIRST_S
        with closing(self._make_connection(self._settings)) as connection:
            while True:
                self._wake.wait()
                self._wake.clear()
                stopping = self._stopping.is_set()
                try:
                    sent = self._send_all(connection)
                except Exception:  # noqa: BLE001  # the outermost loop of this thread: the program goes on without news
                    if not self._failed:
                        self._log.exception(messages.EVENTS_FAILED)
                    self._failed, sent = True, False
                if stopping:
                    return
                if sent:
                    delay_s = RETRY_FIRST_S
                else:
                    self._stopping.wait(delay_s)
                    self._wake.set()
                    delay_s = min(delay_s * 2, RETRY_MAX_S)

    def _send_all(self, connection: redis.Redis) -> bool:
        """Send all events that wait; return False where Redis does not take them."""
        while batch := self._take_batch():
            try:
                with redis_errors(self._settings):
                    self._send(connection, batch)
            except (QueueUnavailable, SettingError) as error:
                self._in_doubt = True
                self._put_back(batch)
                if not self._away:
                    self._log.warning(messages.EVENTS_NOT_PUBLISHED, error)
                self._away = True
                return False
            except BaseException:
                self._in_doubt = True
                self._put_back(batch)
                raise
            self._in_doubt = self._failed = False
            self._report()
        return True

    def _take_batch(self) -> list[Event]:
        with self._lock:
            return [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]

    def _put_back(self, batch: list[Event]) -> None:
        with self._lock:
            room = self._capacity - len(self._waiting)
            kept = batch[-room:] if room > 0 else []
            self.dropped += len(batch) - len(kept)
            self._waiting.extendleft(reversed(kept))

    def _send(self, connection: redis.Redis, batch: list[Event]) -> None:
        if self._in_doubt:
            known = _published_ids(connection)
            batch = [event for event in batch if event.id not in known]
        lines = [line for event in batch if (line := self._line(event)) is not None]
        try:
            _append(connection, lines)
        except redis.ResponseError as error:
            used_up = _USED_UP in str(error)
            if not used_up and not is_wrong_type(error):
                raise
            kind = quarantine_key(connection, STREAM_KEY, "" if used_up else "stream")
            if kind is not None:
                self._log.warning(messages.EVENT_KEY_MOVED_ASIDE, STREAM_KEY, kind)
            _append(connection, lines)

    def _line(self, event: Event) -> bytes | None:
        """Return the JSON of an event, without keys of its own if it is too long; None for one that cannot be sent."""
        try:
            line = to_line(event_to_dict(event)).encode()
            if len(line) > MAX_ENTRY_BYTES:
                line = to_line(event_to_dict(replace(event, more={"shortened": True}))).encode()
            if len(line) <= MAX_ENTRY_BYTES:
                return line
            reason = f"it is longer than {MAX_ENTRY_BYTES} bytes"
        except (AttributeError, TypeError, ValueError, RuntimeError, ArithmeticError) as error:  # whatever it holds
            reason = f"{type(error).__name__}: {error}"[:200]
        with self._lock:
            self.dropped += 1
        if event.type not in self._refused:
            self._refused.add(event.type)
            self._log.warning(messages.EVENT_UNUSABLE, event.type[:40], reason)
        return None

    def _report(self) -> None:
        """Log that Redis is back, or that events come too fast."""
        dropped = self.dropped - self._reported
        if self._away:
            self._log.info(messages.EVENTS_PUBLISHED_AGAIN, dropped)
        elif dropped and self._clock() - self._reported_at >= DROPPED_REPORT_S:
            self._log.warning(messages.EVENTS_DROPPED, dropped)
        else:
            return
        self._away = False
        self._reported, self._reported_at = self.dropped, self._clock()


def _append(connection: redis.Redis, lines: list[bytes]) -> None:
    with connection.pipeline(transaction=False) as pipeline:
        for line in lines:
            pipeline.xadd(STREAM_KEY, {FIELD: line}, maxlen=KEPT, approximate=True)
        # an error that the pipeline raises has the command in its text, with the event
        for reply in pipeline.execute(raise_on_error=False):
            if isinstance(reply, Exception):
                raise reply


def _published_ids(connection: redis.Redis) -> set[str]:
    """Return the ids of the newest events on the stream: a request whose reply was lost may have been executed."""
    try:
        newest: Any = connection.xrevrange(STREAM_KEY, count=2 * CAPACITY)
    except redis.ResponseError as error:
        if redis_is_away(error):
            raise
        return set()
    found = (parse_object(fields.get(FIELD.encode(), b"")) for _, fields in newest if fields)
    return {str(entry.get("id")) for entry in found if entry}
