"""Reads one URL of a camera in a thread, without end: connects, hands over packets, reconnects."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from functools import partial

from shared_utils.config.cameras import Camera
from shared_utils.errors import SourceEnded, SourceError, SourceUnauthorized
from vcam_worker.stream import opening
from vcam_worker.stream.backoff import RETRY_FIRST_S, Backoff
from vcam_worker.stream.inbox import Connected, Finished, Inbox, Item, Lost
from vcam_worker.stream.packet_source import PacketSource, Trail

UNAUTHORIZED_RETRY_S = 60.0
"""Delay after a wrong password: cameras lock an account after a few quick failures."""
AGAIN_S = 0.1
"""Shortest delay after a connection that delivered frames; there is at most one attempt per :data:`RETRY_FIRST_S`."""
HANG_S = 90.0
"""Time in which a feed either hands something over or fails: the library's own timeouts are far below it, for both
transports together. A longer silence means that it hangs in native code, and only a new process helps."""
FULL_S = 0.05
"""Delay between two checks of a full inbox."""
POLL_S = 0.5
"""Interval at which a waiting loop checks whether it is to stop."""

Log = logging.LoggerAdapter[logging.Logger]


class Feed:
    """Reads one URL until stopped; what happens goes into an inbox.

    Args:
        camera: the URL, and how to connect to it.
        inbox: takes packets and events of the connection.
        stop: ends the reading.
        log: takes details of further attempts; the inbox's reader reports failures.
        connect: opens the camera's stream over a transport; :func:`vcam_worker.stream.opening.connect` if None.
    """

    def __init__(
        self,
        camera: Camera,
        inbox: Inbox[Feed],
        stop: threading.Event,
        log: Log,
        connect: Callable[[Camera, str], PacketSource] | None = None,
    ) -> None:
        self.camera = camera
        self._open = connect or partial(opening.connect, trail=Trail(log))
        self._inbox = inbox
        self._stop = stop
        self._log = log
        self._backoff = Backoff()
        self._given_up: SourceError | None = None
        self._transport: str | None = None  # that worked last
        self._began, self._delivered = time.monotonic(), False  # the connection, or the attempt at one
        self._next_sign = time.monotonic() + HANG_S
        self._thread = threading.Thread(target=self._run, name=f"feed {camera.name}", daemon=True)

    def start(self) -> None:
        """Start reading. The thread is a daemon, as the video library may block it up to its timeouts."""
        self._thread.start()

    def hangs(self) -> bool:
        """Whether the thread has been silent for longer than its timeouts allow."""
        return time.monotonic() > self._next_sign

    def give_up(self, error: SourceError) -> None:
        """End the connection with `error`, and reconnect as after any other loss."""
        self._given_up = error

    def _raise_if_given_up(self) -> None:
        """Raise the error that the connection was given up with, if any."""
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
                        self._raise_if_given_up()
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
            delay = max(delay, UNAUTHORIZED_RETRY_S)
        self._log.debug("%s; next attempt in %.1f s", error, delay)
        self._next_sign = time.monotonic() + delay + HANG_S
        self._stop.wait(delay)

    def _delay(self) -> float:
        """Return the delay before the next attempt, seconds.

        A connection that delivered frames was healthy, however short: some cameras end each one after 20 s. One that
        was accepted and stayed silent was not, however long that took to find out.
        """
        if not self._delivered:
            return self._backoff.delay()
        self._backoff.reset()
        return max(AGAIN_S, RETRY_FIRST_S - (time.monotonic() - self._began))

    def _put(self, item: Item, *, wake: bool = True) -> None:
        """Hand `item` over. A full inbox blocks, so that TCP slows the camera down."""
        self._next_sign = time.monotonic() + HANG_S
        while self._inbox.is_full and not self._stop.wait(FULL_S):
            self._next_sign = time.monotonic() + HANG_S
        self._inbox.put(self, item)
        if wake:
            self._inbox.wake()

    def _connect(self) -> PacketSource:
        failures: list[SourceError] = []
        for transport in opening.transports_of(self.camera, self._transport):
            try:
                connection = self._open(self.camera, transport)
            except opening.NOT_ABOUT_TRANSPORT:
                raise
            except SourceError as error:
                failures.append(error)
                continue
            self._transport = transport
            return connection
        # "not supported" answers our choice of TCP, and does not explain the failure
        telling = [error for error in failures if "not supported" not in str(error)]
        raise (telling or failures)[0]
