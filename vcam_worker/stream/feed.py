"""One address of a camera, read for ever in a thread: connects, hands over packets, connects again."""

from __future__ import annotations

import logging
import os
import random
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from shared_utils.config.cameras import Camera
from shared_utils.errors import SourceEnded, SourceError, SourceUnauthorized
from vcam_worker.stream import opening
from vcam_worker.stream.opening import Opened
from vcam_worker.stream.packets import Packet
from vcam_worker.stream.source import StreamInfo

RETRY_FIRST, RETRY_MAX = 1.0, 30.0
"""Seconds between attempts to connect; they double from the first to the longest."""
UNAUTHORIZED_RETRY = 60.0
"""Seconds after a wrong password: cameras lock an account after a few quick failures."""
AGAIN_SECONDS = 0.1
"""Shortest wait after a connection that delivered; within :data:`RETRY_FIRST` there is one attempt at most."""
HEALTHY_SECONDS = 60.0
"""A process that ran this long makes its next end a first one."""
QUEUE_PACKETS = 2000
"""Packets between readers and recorder, over a minute of video: a disk that hangs for a while costs nothing."""
QUEUE_BYTES = 64 * 1024 * 1024
"""Bytes of them: pictures of a camera may be megabytes each."""
HANG_SECONDS = 90.0
"""Seconds in which a feed either hands something over or fails: the library's own timeouts are far below, for both
transports together. Longer means that it hangs in native code, which only a new process cures."""
HANDFUL = 100
"""Packets taken before the camera's loop looks at other things again: it may be unable to keep up for long."""
FULL_SECONDS = 0.05
"""How long a full queue is left alone."""
POLL_SECONDS = 0.5
"""How often a stop is looked for while waiting."""

Log = logging.LoggerAdapter[logging.Logger]


@dataclass(frozen=True)
class Connected:
    """A connection stands."""

    info: StreamInfo


@dataclass(frozen=True)
class Lost:
    """A connection could not be made, or has ended; the next attempt is made by the feed itself."""

    error: SourceError


@dataclass(frozen=True)
class Finished:
    """A file is at its end: nothing more will come."""


Item = Connected | Lost | Finished | Packet


class Inbox:
    """What feeds hand over to the camera's loop, which waits for it by :meth:`fileno`, among other things.

    It has no bound, which :meth:`Feed._put` sees to. A packet by itself wakes nobody: to change threads for each one
    costs more than to copy it.
    """

    def __init__(self) -> None:
        self._items: deque[tuple[Feed, Item]] = deque()
        self._putting = threading.Lock()  # several feeds put, one loop takes
        self._put_bytes = self._taken_bytes = 0
        self._event = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def __len__(self) -> int:
        return len(self._items)

    def fileno(self) -> int:
        """Return the file that can be read from once :meth:`wake` was called."""
        return self._event

    @property
    def is_full(self) -> bool:
        """No more fits in for now."""
        return len(self._items) >= QUEUE_PACKETS or self._put_bytes - self._taken_bytes >= QUEUE_BYTES

    def put(self, feed: Feed, item: Item) -> None:
        """Add an item; it is taken when somebody wakes the loop, or when it wakes by itself."""
        if isinstance(item, Packet):
            with self._putting:
                self._put_bytes += len(item.data)
        self._items.append((feed, item))

    def wake(self) -> None:
        """Have the loop take what there is."""
        os.eventfd_write(self._event, 1)

    def take(self) -> Iterator[tuple[Feed, Item]]:
        """Yield what there is and what is added meanwhile, but no more than :data:`HANDFUL`."""
        with suppress(BlockingIOError):
            os.eventfd_read(self._event)
        for _ in range(HANDFUL):
            if not self._items:
                return
            feed, item = self._items.popleft()
            if isinstance(item, Packet):
                self._taken_bytes += len(item.data)
            yield feed, item
        self.wake()


@dataclass
class Backoff:
    """Growing, jittered delays between attempts; jitter keeps twenty cameras behind one switch from calling at once.

    Attributes:
        first, longest: seconds.
    """

    first: float = RETRY_FIRST
    longest: float = RETRY_MAX
    _next: float = field(default=0.0, init=False)

    def delay(self) -> float:
        """Return the seconds to wait now."""
        self._next = min(max(self._next * 2, self.first), self.longest)
        return self._next * random.uniform(0.75, 1.0)  # noqa: S311  # no secret depends on it

    def reset(self) -> None:
        """Begin anew: the last connection was a good one."""
        self._next = 0.0


class Feed:
    """Reads one address until stopped; what happens goes into a queue.

    Args:
        camera: the address, and how to reach it.
        inbox: takes what happened.
        stop: ends the reading.
        log: for details of further attempts; the first failure is for the queue's reader to say.
    """

    def __init__(self, camera: Camera, inbox: Inbox, stop: threading.Event, log: Log) -> None:
        self.camera = camera
        self._inbox = inbox
        self._stop = stop
        self._log = log
        self._backoff = Backoff()
        self._given_up: SourceError | None = None
        self._transport: str | None = None  # that worked last
        self._began, self._delivered = time.monotonic(), False  # the connection, or the attempt at one
        self._next_sign = time.monotonic() + HANG_SECONDS
        self._thread = threading.Thread(target=self._run, name=f"feed {camera.name}", daemon=True)

    def start(self) -> None:
        """Begin to read. The thread is a daemon: the video library may block it for as long as its timeouts."""
        self._thread.start()

    def hangs(self) -> bool:
        """Tell whether nothing has been heard from the thread for longer than its timeouts allow."""
        return time.monotonic() > self._next_sign

    def give_up(self, error: SourceError) -> None:
        """Have the connection end for `error`, and made anew as after any other loss."""
        self._given_up = error

    def _heed(self) -> None:
        """Raise what the connection was given up for."""
        error, self._given_up = self._given_up, None
        if error:
            raise error

    def _run(self) -> None:
        while not self._stop.is_set():
            self._began, self._delivered = time.monotonic(), False
            try:
                with self._connect() as connection:
                    self._put(Connected(connection.info))
                    for packet in connection.packets():
                        self._delivered = self._delivered or packet.kind == "video"
                        self._put(packet, wake=connection.at_rest)
                        if self._stop.is_set():
                            return
                        self._heed()
            except SourceEnded as error:
                if self.camera.scheme == "file":
                    self._put(Finished())
                    return
                self._lose(error)
            except SourceError as error:
                self._lose(error)
            except Exception as error:  # noqa: BLE001  # handed on: the thread must not die in silence
                self._lose(SourceError(f"unexpected: {type(error).__name__}: {error}"))

    def _lose(self, error: SourceError) -> None:
        self._put(Lost(error))
        delay = self._delay()
        if isinstance(error, SourceUnauthorized):
            delay = max(delay, UNAUTHORIZED_RETRY)
        self._log.debug("%s; next attempt in %.1f s", error, delay)
        self._next_sign = time.monotonic() + delay + HANG_SECONDS
        self._stop.wait(delay)

    def _delay(self) -> float:
        """Return the seconds to wait for the next attempt.

        A connection that delivered pictures was a good one, however short: some cameras end each after 20 s. One that
        was accepted and stayed silent was not, however long it took to find that out.
        """
        if not self._delivered:
            return self._backoff.delay()
        self._backoff.reset()
        return max(AGAIN_SECONDS, RETRY_FIRST - (time.monotonic() - self._began))

    def _put(self, item: Item, *, wake: bool = True) -> None:
        """Hand `item` over; a full queue makes the camera wait, as TCP does."""
        self._next_sign = time.monotonic() + HANG_SECONDS
        while self._inbox.is_full and not self._stop.wait(FULL_SECONDS):
            self._next_sign = time.monotonic() + HANG_SECONDS
        self._inbox.put(self, item)
        if wake:
            self._inbox.wake()

    def _connect(self) -> Opened:
        failures: list[SourceError] = []
        for transport in opening.transports_of(self.camera, self._transport):
            try:
                connection = opening.connect(self.camera, transport)
            except opening.NOT_ABOUT_TRANSPORT:
                raise
            except SourceError as error:
                failures.append(error)
                continue
            self._transport = transport
            return connection
        # "not supported" is an answer to our asking for TCP, not to the user's question
        telling = [error for error in failures if "not supported" not in str(error)]
        raise (telling or failures)[0]
