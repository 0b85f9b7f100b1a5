"""The adapter of uvicorn: a server without its periodic tick, and connections with limits.

uvicorn's public settings do not suffice, so :class:`LimitedConnection` builds on attributes of ``H11Protocol``
(``cycle``, ``connections``, ``server_state``, ``config``), which tests/vcam_worker/web/test_http_limits.py checks by
behaviour.
Measured with uvicorn 0.54.0 on two cores, public settings only against this module:

=============================================  ==========================  ============
what                                           ``limit_concurrency=500``,  this module
                                               ``timeout_keep_alive=5``
=============================================  ==========================  ============
idle server: wake-ups per minute               518                         0
idle server: CPU per minute                    79 ms                       0 ms
``GET`` while 2,000 half-sent requests wait    503                         200
the same 30 s later                            503                         200
connections open then                          2,000                       0
=============================================  ==========================  ============

uvicorn counts neither the time that a request takes to arrive, once it has begun, nor that of a client which does not
read its answer, and ``limit_concurrency`` refuses those who ask instead of those who do not finish asking: half-sent
requests would leave the health check no connection. Its main loop wakes ten times per second only to renew the ``Date``
header and to see whether it is to stop.
"""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Sequence
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

REQUEST_TIMEOUT_S = 10.0
"""From a connection's start, or the end of the last answer, until the next request is here, head and body."""
READ_TIMEOUT_S = 30.0
"""For a client to read what fills its buffer (64 KB)."""
MAX_CONNECTIONS = 500
"""Connections at once, or half the files this process may open: the supervisor needs the rest for its cameras. Each may
hold a picture that its client does not read."""


@dataclass(frozen=True)
class HttpLimits:
    """What one client may take."""

    request_timeout_s: float = REQUEST_TIMEOUT_S
    read_timeout_s: float = READ_TIMEOUT_S
    max_connections: int = MAX_CONNECTIONS

    def connections(self) -> int:
        """Return how many connections may be open at once."""
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return self.max_connections if files == resource.RLIM_INFINITY else min(self.max_connections, files // 2)


class SleepingServer(uvicorn.Server):
    """uvicorn.Server without its periodic tick: it waits until it is asked to stop."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._ended = asyncio.Event()

    async def main_loop(self) -> None:
        """Wait for :meth:`end`."""
        await self.on_tick(0)  # makes the headers of all answers
        await self._ended.wait()

    def end(self) -> None:
        """Stop serving. To be called on the server's event loop."""
        self._ended.set()


def make_server(app: Any, limits: HttpLimits, headers: Sequence[tuple[str, str]]) -> SleepingServer:
    """Return a server for an ASGI application that answers with `headers` and a date, and keeps to `limits`."""
    # "error": below that, uvicorn logs its own start and every client that speaks no HTTP
    config = uvicorn.Config(
        app,
        http=_limited(limits),
        loop="asyncio",
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="error",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,  # LimitedConnection adds it: uvicorn's own is renewed by the tick
        headers=list(headers),
    )
    return SleepingServer(config)


class LimitedConnection(H11Protocol):
    """A connection with limits. When there are too many, the one that has owed a request for longest is closed."""

    limits: HttpLimits
    waiting: dict[LimitedConnection, None]
    """Connections without a whole request, the oldest first."""
    _request_timer: asyncio.TimerHandle | None = None
    _read_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """Count the connection, and close the oldest that waits where there are too many."""
        super().connection_made(transport)
        self._start_waiting()
        if len(self.connections) > self.limits.connections():
            # this one is the last of those that wait: it goes only if all others are being answered
            next(iter(self.waiting)).drop()

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel its timers."""
        self._stop_waiting()
        self._cancel_read_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Stop the timer of the request when all of it is here."""
        date = (b"date", formatdate(usegmt=True).encode())
        self.server_state.default_headers = [date, *self.config.encoded_headers]
        super().data_received(data)
        if self.cycle and not self.cycle.response_complete and not self.cycle.more_body:
            self._stop_waiting()

    def on_response_complete(self) -> None:
        """Start the timer of the next request."""
        super().on_response_complete()
        # a request that came along with the last one is being answered already
        if self.cycle.response_complete:
            self._stop_waiting()
            self._start_waiting()

    def pause_writing(self) -> None:
        """Start the timer of a client that does not read."""
        super().pause_writing()
        if self._read_timer is None:
            self._read_timer = self.loop.call_later(self.limits.read_timeout_s, self.drop)

    def resume_writing(self) -> None:
        """Stop that timer."""
        self._cancel_read_timer()
        super().resume_writing()

    def drop(self) -> None:
        """Close the connection at once, whatever it was about."""
        self._stop_waiting()
        self.connections.discard(self)
        self.transport.abort()

    def _start_waiting(self) -> None:
        if not self.transport.is_closing():
            self.waiting[self] = None
            self._request_timer = self.loop.call_later(self.limits.request_timeout_s, self.drop)

    def _stop_waiting(self) -> None:
        self.waiting.pop(self, None)
        if self._request_timer:
            self._request_timer.cancel()
            self._request_timer = None

    def _cancel_read_timer(self) -> None:
        if self._read_timer:
            self._read_timer.cancel()
            self._read_timer = None


def _limited(limits: HttpLimits) -> type[LimitedConnection]:
    """Return the class of a server's connections, which share one list of those that wait."""
    waiting: dict[LimitedConnection, None] = {}
    return type("Connection", (LimitedConnection,), {"limits": limits, "waiting": waiting})
