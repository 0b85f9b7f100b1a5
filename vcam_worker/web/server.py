"""Capture's HTTP server: pages, health, metrics and snapshots.

Runs on one event loop in a thread of its own, so that any number of clients that wait for one camera's picture cost
no thread each, and ``/healthz`` answers meanwhile. Nothing that goes wrong here touches recording.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import logging
import socket
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from shared_utils.config.redis import MAX_PORT
from shared_utils.errors import SettingError
from shared_utils.redact import mask_url
from vcam_worker import messages
from vcam_worker.live.hub import Hub
from vcam_worker.recording.storage.volume_figures import VolumeState
from vcam_worker.runtime.queue_watch import QueueState
from vcam_worker.runtime.status import Board
from vcam_worker.web.pages import CONTENT_POLICY
from vcam_worker.web.routes import Site
from vcam_worker.web.settings import HttpSettings
from vcam_worker.web.uvicorn_adapter import HttpLimits, SleepingServer, make_server

STOP_TIMEOUT_S = 0.9
"""Seconds for pending responses to end."""
BACKLOG = 1024
"""Connections that may wait to be accepted."""
SNAPSHOT_THREADS = 8
"""Pictures requested from cameras at the same time."""

HEADERS = [
    # pictures of people belong in no disk cache, and health and metrics are only valid now
    ("Cache-Control", "no-store"),
    ("Content-Security-Policy", CONTENT_POLICY),
    # same-site: a notebook served by this machine on another port may show the pictures
    ("Cross-Origin-Resource-Policy", "same-site"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
]

_log = logging.getLogger(__name__)


class HttpServer:
    """Serves the status and pictures of the cameras of a board, from a thread.

    Args:
        settings: where to listen.
        board: the cameras. Its ``statuses()`` is called on the event loop and must not wait for anything.
        info: what ``/info`` says about the program, such as its versions; JSON values.
        redact: takes secrets out of text that the board hands over.
        clock: seconds of any origin, for the cache.
        now: seconds since the epoch.
        limits: what one client may take.
        volume: how the shared volume is; None while that is not known.
        queue: how the queue is; None while that is not known.
        live: live frames and video of the cameras; None: there are none.
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
        live: Hub | None = None,
    ) -> None:
        self._settings = settings
        self._limits = limits or HttpLimits()
        self._threads = ThreadPoolExecutor(SNAPSHOT_THREADS, thread_name_prefix="snapshot")
        self._live = live or Hub()
        self._site = Site(board, info, redact, clock, now, self._threads, volume, queue, self._live)
        self._socket: socket.socket | None = None
        self._server: SleepingServer | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    @property
    def address(self) -> str:
        """Where the pages are, such as ``http://127.0.0.1:8080``; after :meth:`start` with the port really taken."""
        port = self._socket.getsockname()[1] if self._socket else self._settings.port
        host = self._settings.host
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def start(self) -> None:
        """Start to serve; connections are accepted from here on.

        Raises:
            SettingError: nothing can listen at that host and port.
        """
        self._socket = _listen(self._settings)
        app = self._site.app(self._settings.names)
        self._server = make_server(app, self._limits, HEADERS)
        self._thread = threading.Thread(target=self._run, args=(self._server, self._socket), name="http", daemon=True)
        self._thread.start()
        port = self._socket.getsockname()[1]
        everywhere = ipaddress.ip_address(self._socket.getsockname()[0]).is_unspecified
        # 0.0.0.0 is no address for a browser; in a container, the port of the host is compose's affair
        _log.info(messages.PAGES_SERVED, f"port {port}, on all addresses" if everywhere else self.address)

    def _run(self, server: SleepingServer, listener: socket.socket) -> None:
        try:
            asyncio.run(self._serve(server, listener))
        except Exception:  # noqa: BLE001  # the outermost call of this thread: recording goes on without it
            _log.exception(messages.PAGES_ENDED)
        finally:
            listener.close()

    async def _serve(self, server: SleepingServer, listener: socket.socket) -> None:
        self._loop = asyncio.get_running_loop()
        # in a thread other than the main one, uvicorn leaves the signals alone
        self._live.start()
        try:
            await server.serve([listener])
        finally:
            self._live.stop()

    def stop(self) -> None:
        """Stop serving, within a second; may be called more than once, and without a start."""
        if self._server and self._thread:
            self._server.should_exit = True
            if self._loop and self._thread.is_alive():
                try:
                    self._loop.call_soon_threadsafe(self._server.end)
                    self._loop.call_soon_threadsafe(self._site.cancel_pending)
                    self._loop.call_soon_threadsafe(self._live.stop)
                except RuntimeError:  # the loop has just closed: nobody waits
                    _log.debug("stopped before the waiting requests were cancelled")
            self._thread.join(STOP_TIMEOUT_S)
        self._threads.shutdown(wait=False, cancel_futures=True)


def _listen(settings: HttpSettings) -> socket.socket:
    """Return a listening socket.

    Raises:
        SettingError: host and port cannot be listened on.
    """
    host, port = settings.host, settings.port
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        # IPv4 first: "localhost" means 127.0.0.1 to most who write it
        family, _, _, _, where = min(found, key=lambda one: one[0] != socket.AF_INET)
        create = partial(socket.create_server, where[:2], family=family, backlog=BACKLOG)
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
        f"HTTP_HOST is {host!r}, which is not an address of this machine: use 127.0.0.1 to be reached from this "
        "machine alone, or 0.0.0.0 from everywhere"
    )
