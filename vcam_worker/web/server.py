"""A look at capture from outside: pages, health, metrics and snapshots over HTTP. The adapter of uvicorn.

Runs on one event loop in a thread of its own, so that any number of clients that wait for one camera's picture cost
no thread each, and ``/healthz`` answers meanwhile. Nothing that goes wrong here touches recording.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import logging
import resource
import socket
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email.utils import formatdate
from functools import partial

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from shared_utils.config.redis import MAX_PORT
from shared_utils.errors import SettingError
from shared_utils.redact import mask_url
from vcam_worker import messages
from vcam_worker.recording.storage.volume_figures import VolumeState
from vcam_worker.runtime.queue_watch import QueueState
from vcam_worker.runtime.status import Board
from vcam_worker.web.pages import CONTENT_POLICY
from vcam_worker.web.routes import Site
from vcam_worker.web.settings import HttpSettings

STOP_SECONDS = 0.9
"""Time for answers in work to end."""
REQUEST_SECONDS = 10.0
"""Time from a connection's start, or the end of the last answer, until the next request is here, head and body."""
READ_SECONDS = 30.0
"""Time in which a client must read what fills its buffer (64 KB)."""
MAX_CONNECTIONS = 500
"""Connections at once, or half the files this process may open: the supervisor needs the rest for its cameras. Each may
hold a picture that its client does not read."""
WAITING_CONNECTIONS = 1024
"""Connections that may wait to be accepted."""
SNAPSHOT_THREADS = 8
"""Cameras that can be asked for a picture at once."""

HEADERS = [
    # a picture of people belongs into no disk cache, and health and metrics are of this moment
    ("Cache-Control", "no-store"),
    ("Content-Security-Policy", CONTENT_POLICY),
    # same-site: a notebook served by this machine on another port may show the pictures
    ("Cross-Origin-Resource-Policy", "same-site"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class HttpLimits:
    """What one client may take. uvicorn counts neither the time that a request takes to arrive, once it has begun, nor
    that of a client which does not read its answer: half-sent requests would leave the health check no connection.
    """

    request_seconds: float = REQUEST_SECONDS
    read_seconds: float = READ_SECONDS
    max_connections: int = MAX_CONNECTIONS

    def connections(self) -> int:
        """Return how many connections may be open at once."""
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return self.max_connections if files == resource.RLIM_INFINITY else min(self.max_connections, files // 2)


class HttpServer:
    """Serves what a board knows, from a thread.

    Args:
        settings: where to listen.
        board: the cameras. Its ``statuses()`` is called on the event loop and must not wait for anything.
        info: what the program says of itself in ``/info``, such as its versions; JSON values.
        redact: takes secrets out of text that the board hands over.
        clock: seconds of any origin, for the cache.
        now: seconds since the epoch.
        limits: what one client may take.
        volume: how the shared volume is; None while that is not known.
        queue: how the queue is; None while that is not known.
    """

    def __init__(
        self,
        settings: HttpSettings,
        board: Board,
        info: Mapping[str, object],
        redact: Callable[[str], str] = mask_url,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
        limits: HttpLimits | None = None,
        volume: Callable[[], VolumeState | None] = lambda: None,
        queue: Callable[[], QueueState | None] = lambda: None,
    ) -> None:
        self._settings = settings
        self._limits = limits or HttpLimits()
        self._threads = ThreadPoolExecutor(SNAPSHOT_THREADS, thread_name_prefix="snapshot")
        self._site = Site(board, info, redact, clock, now, self._threads, volume, queue)
        self._socket: socket.socket | None = None
        self._server: _Server | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    @property
    def address(self) -> str:
        """Where the pages are, such as ``http://127.0.0.1:8080``; after :meth:`start` with the port really taken."""
        port = self._socket.getsockname()[1] if self._socket else self._settings.port
        host = self._settings.host
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def start(self) -> None:
        """Begin to serve; connections are taken from here on.

        Raises:
            SettingError: nothing can listen at that host and port.
        """
        self._socket = _listen(self._settings)
        app = self._site.app(self._settings.names)
        # "error": below that, uvicorn tells of its own start and of every client that speaks no HTTP
        config = uvicorn.Config(
            app,
            http=_connections(self._limits),
            loop="asyncio",
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="error",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,  # see _Connection
            headers=HEADERS,
        )
        self._server = _Server(config)
        self._thread = threading.Thread(target=self._run, args=(self._server, self._socket), name="http", daemon=True)
        self._thread.start()
        port = self._socket.getsockname()[1]
        everywhere = ipaddress.ip_address(self._socket.getsockname()[0]).is_unspecified
        # 0.0.0.0 is no address for a browser; in a container, the port of the host is compose's affair
        _log.info(messages.PAGES_SERVED, f"port {port}, on all addresses" if everywhere else self.address)

    def _run(self, server: _Server, listener: socket.socket) -> None:
        try:
            asyncio.run(self._serve(server, listener))
        except Exception:  # noqa: BLE001  # the outermost call of this thread: recording goes on without it
            _log.exception(messages.PAGES_ENDED)
        finally:
            listener.close()

    async def _serve(self, server: _Server, listener: socket.socket) -> None:
        self._loop = asyncio.get_running_loop()
        # in a thread other than the main one, uvicorn leaves the signals alone
        await server.serve([listener])

    def stop(self) -> None:
        """Stop serving, within a second; may be called more than once, and without a start."""
        if self._server and self._thread:
            self._server.should_exit = True
            if self._loop and self._thread.is_alive():
                try:
                    self._loop.call_soon_threadsafe(self._server.ended.set)
                    self._loop.call_soon_threadsafe(self._site.cancel_pending)
                except RuntimeError:  # the loop has just closed: nobody waits
                    _log.debug("stopped before the waiting clients were told")
            self._thread.join(STOP_SECONDS)
        self._threads.shutdown(wait=False, cancel_futures=True)


class _Server(uvicorn.Server):
    """uvicorn, asleep while nobody asks for anything: its own loop wakes up ten times a second."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ended = asyncio.Event()

    async def main_loop(self) -> None:
        await self.on_tick(0)  # makes the headers that all answers carry
        await self.ended.wait()


class _Connection(H11Protocol):
    """A connection with limits. It waits while it owes a request, and is worth the less the longer it does."""

    limits: HttpLimits
    waiting: dict[_Connection, None]
    """Those that wait, the longest first."""
    _due: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        super().connection_made(transport)
        self._wait()
        if len(self.connections) > self.limits.connections():
            # this one is the last of those that wait: it goes only if all others are being answered
            next(iter(self.waiting)).drop()

    def connection_lost(self, exc: Exception | None) -> None:
        self._wait_no_more()
        self._cancel_unread()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        date = (b"date", formatdate(usegmt=True).encode())
        self.server_state.default_headers = [date, *self.config.encoded_headers]
        super().data_received(data)
        if self.cycle and not self.cycle.response_complete and not self.cycle.more_body:
            self._wait_no_more()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        # a request that came along with the last one is being answered already
        if self.cycle.response_complete:
            self._wait_no_more()
            self._wait()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._unread is None:
            self._unread = self.loop.call_later(self.limits.read_seconds, self.drop)

    def resume_writing(self) -> None:
        self._cancel_unread()
        super().resume_writing()

    def drop(self) -> None:
        """Close the connection at once, whatever it was about."""
        self._wait_no_more()
        self.connections.discard(self)
        self.transport.abort()

    def _wait(self) -> None:
        if not self.transport.is_closing():
            self.waiting[self] = None
            self._due = self.loop.call_later(self.limits.request_seconds, self.drop)

    def _wait_no_more(self) -> None:
        self.waiting.pop(self, None)
        if self._due:
            self._due.cancel()
            self._due = None

    def _cancel_unread(self) -> None:
        if self._unread:
            self._unread.cancel()
            self._unread = None


def _connections(limits: HttpLimits) -> type[_Connection]:
    """Return the class of a server's connections, which know each other."""
    waiting: dict[_Connection, None] = {}
    return type("Connection", (_Connection,), {"limits": limits, "waiting": waiting})


def _listen(settings: HttpSettings) -> socket.socket:
    """Return a socket that takes connections.

    Raises:
        SettingError: it can not.
    """
    host, port = settings.host, settings.port
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        # IPv4 first: "localhost" means 127.0.0.1 to most who write it
        family, _, _, _, where = min(found, key=lambda one: one[0] != socket.AF_INET)
        create = partial(socket.create_server, where[:2], family=family, backlog=WAITING_CONNECTIONS)
        return create(dualstack_ipv6=where[0] == "::" and socket.has_dualstack_ipv6())
    except (OSError, UnicodeError) as error:
        code = getattr(error, "errno", None)
    if code == errno.EADDRINUSE:
        raise SettingError(
            f"HTTP_PORT is {port}, which another program uses already on HTTP_HOST {host}: set HTTP_PORT to a free port"
        )
    if code == errno.EACCES:
        raise SettingError(f"HTTP_PORT is {port}, which this user may not open: use one from 1024 to {MAX_PORT}")
    raise SettingError(
        f"HTTP_HOST is {host!r}, which is no address of this machine: use 127.0.0.1 to be reached from this machine "
        "alone, or 0.0.0.0 from everywhere"
    )
