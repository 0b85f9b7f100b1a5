"""The routes of the HTTP server. The adapter of starlette."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from shared_utils.config.web_hosts import is_own_host
from vcam_worker.live.hub import Hub
from vcam_worker.recording.storage.volume_figures import VolumeState
from vcam_worker.runtime.health import Trouble, no_picture, old_picture
from vcam_worker.runtime.queue_watch import QueueState
from vcam_worker.runtime.status import QUALITY_LIMITS, WIDTH_LIMITS_PX, Board, CameraStatus, Snapshot, SnapshotRequest
from vcam_worker.web import pages
from vcam_worker.web.assets import read_assets
from vcam_worker.web.live_routes import LiveRoutes
from vcam_worker.web.metrics import CameraCollector, Metrics, QueueCollector, VolumeCollector
from vcam_worker.web.placeholder import Drawing, draw
from vcam_worker.web.snapshot_cache import PictureCache, TooManyPictures

_NOTHING = Trouble("no picture", "packets come, but the camera's process gives no picture", 0.0)


class Site:
    """The routes and their responses.

    Args:
        board, info, redact, clock, now, volume, queue, live: as :class:`vcam_worker.web.server.HttpServer` takes them.
        threads: for requesting and drawing pictures.
    """

    def __init__(
        self,
        board: Board,
        info: Mapping[str, object],
        redact: Callable[[str], str],
        clock: Callable[[], float],
        now: Callable[[], float],
        threads: ThreadPoolExecutor,
        volume: Callable[[], VolumeState | None] = lambda: None,
        queue: Callable[[], QueueState | None] = lambda: None,
        live: Hub | None = None,
    ) -> None:
        self._board = board
        self._volume = volume
        self._queue = queue
        self._info = _cleaned(info, redact)
        self._redact = redact
        self._now = now
        self._threads = threads
        self._pictures: PictureCache[SnapshotRequest] = PictureCache(self._ask, clock)
        self._drawings: PictureCache[Drawing] = PictureCache(self._draw, clock)
        self._missing: dict[str, float] = {}
        self._assets = read_assets()
        self._hub = live or Hub()
        self._live = LiveRoutes(self._hub, self._statuses, now)
        self._metrics = Metrics(
            CameraCollector(self._statuses, self._pictures.state, now, self._hub.clients),
            VolumeCollector(volume),
            QueueCollector(queue),
        )

    def app(self, names: Collection[str]) -> Starlette:
        """Return the application, which responds to `names` and IP addresses only."""
        routes = [
            Route("/", self._page),
            Route("/healthz", self._healthz),
            Route("/metrics", self._metrics_text),
            Route("/info", self._info_json),
            Route("/snapshot", self._only_snapshot),
            Route("/snapshot/{name}.jpg", self._snapshot),
            Route("/snapshot/cache/clear", self._clear, methods=["POST"]),
            Route("/static/{name}", self._asset),
            *self._live.routes(),
        ]
        app = Starlette(routes=routes, middleware=[Middleware(_OwnNames, names=names)])
        app.router.redirect_slashes = False
        return app

    def cancel_pending(self) -> None:
        """Answer all clients that wait for a picture; call it on the event loop."""
        self._pictures.cancel_pending()
        self._drawings.cancel_pending()

    def _statuses(self) -> list[CameraStatus]:
        clean = self._redact
        return [
            replace(one, display_url=clean(one.display_url), reason=clean(one.reason) if one.reason else None)
            for one in self._board.statuses()
        ]

    async def _page(self, _: Request) -> Response:
        return HTMLResponse(pages.page(self._statuses(), self._now(), self._volume(), self._queue()))

    async def _asset(self, request: Request) -> Response:
        found = self._assets.get(request.path_params["name"])
        if found is None:
            raise HTTPException(404)
        content, media_type = found
        return Response(content, media_type=media_type)

    async def _healthz(self, _: Request) -> Response:
        well, body = pages.health(self._statuses(), self._now())
        return _json(body, 200 if well else 503)

    async def _info_json(self, _: Request) -> Response:
        return _json(
            pages.info(
                self._statuses(), self._info, self._pictures.state(), self._volume(), self._queue(), self._hub.clients()
            )
        )

    async def _metrics_text(self, request: Request) -> Response:
        body, content_type = self._metrics.render(request.headers.get("accept", ""))
        return Response(body, headers={"Content-Type": content_type})

    async def _clear(self, request: Request) -> Response:
        if not _same_origin(request):
            raise HTTPException(403, "refused: the request comes from a page of another site")
        return _json({"dropped": self._pictures.clear() + self._drawings.clear()})

    async def _only_snapshot(self, request: Request) -> Response:
        statuses = self._statuses()
        if len(statuses) != 1:
            raise HTTPException(404, f"there are several cameras: {_snapshot_paths(statuses)}")
        return await self._picture(request, statuses[0])

    async def _snapshot(self, request: Request) -> Response:
        statuses = self._statuses()
        for one in statuses:
            if one.name == request.path_params["name"]:
                return await self._picture(request, one)
        raise HTTPException(404, f"there is no such camera; there is {_snapshot_paths(statuses)}")

    async def _picture(self, request: Request, status: CameraStatus) -> Response:
        wanted, refresh = _wanted(request.query_params)
        wrong = no_picture(status, self._now())
        try:
            if wrong is None:
                snapshot = await self._pictures.get(status.name, wanted, refresh)
                wrong = self._judge(status, snapshot)
                if snapshot and not wrong:
                    age = max(0.0, self._now() - snapshot.taken)
                    return Response(snapshot.jpeg, media_type="image/jpeg", headers={"X-Snapshot-Age": f"{age:.1f}"})
            return await self._placeholder(status, wrong or _NOTHING, wanted)
        except TooManyPictures:
            text = "too many new pictures of this camera at once: try again in a second"
            raise HTTPException(429, text, {"Retry-After": "1"}) from None

    async def _placeholder(self, status: CameraStatus, wrong: Trouble, wanted: SnapshotRequest) -> Response:
        size = pages.picture_size(wanted.width, status)
        drawn = await self._drawings.get(
            status.name, Drawing(status.name, status.display_url, wrong, size, wanted.quality)
        )
        if drawn is None:
            raise HTTPException(503, "capture is stopping")
        return Response(drawn.jpeg, 503, media_type="image/jpeg")

    def _judge(self, status: CameraStatus, snapshot: Snapshot | None) -> Trouble | None:
        """Return what is wrong with the picture, if anything; remember since when there is none."""
        if snapshot:
            self._missing.pop(status.name, None)
            return old_picture(snapshot, self._now())
        since = self._missing.setdefault(status.name, self._now())
        return replace(_NOTHING, since=since)

    async def _ask(self, camera: str, wanted: SnapshotRequest) -> Snapshot | None:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._board.snapshot, camera, wanted)

    async def _draw(self, _: str, drawing: Drawing) -> Snapshot:
        loop = asyncio.get_running_loop()
        return Snapshot(await loop.run_in_executor(self._threads, draw, drawing), self._now())


class _OwnNames:
    """Responds to our own host names only, against DNS rebinding; see :mod:`shared_utils.config.web_hosts`."""

    def __init__(self, app: ASGIApp, names: Collection[str]) -> None:
        self._app = app
        self._names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        host = Request(scope).headers.get("host", "localhost")
        if is_own_host(host, self._names):
            await self._app(scope, receive, send)
            return
        text = (
            "refused: capture answers to localhost, to IP addresses and to the names of HTTP_NAMES; if this is one "
            "of this machine, add it to HTTP_NAMES in .env, then: docker compose up -d\n"
        )
        await _plain(421, text)(scope, receive, send)


def _same_origin(request: Request) -> bool:
    """Whether a request that changes something comes from our page, or from no page at all (``curl``)."""
    if request.headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
        return False
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host")


def _wanted(query: Mapping[str, str]) -> tuple[SnapshotRequest, bool]:
    """Return the requested picture, and whether it must be a new one."""
    wanted = SnapshotRequest(
        width=_number(query, "width", WIDTH_LIMITS_PX),
        quality=_number(query, "quality", QUALITY_LIMITS) or SnapshotRequest.quality,
        timestamp=_flag(query, "timestamp"),
    )
    return wanted, _flag(query, "refresh")


def _number(query: Mapping[str, str], name: str, limits: tuple[int, int]) -> int | None:
    text = query.get(name)
    if text is None:
        return None
    low, high = limits
    if not re.fullmatch(r"[0-9]{1,6}", text) or not low <= int(text) <= high:
        raise HTTPException(400, f"{name} takes a whole number from {low} to {high}")
    return int(text)


def _flag(query: Mapping[str, str], name: str) -> bool:
    text = query.get(name, "0").lower()
    if text not in ("", "1", "true", "0", "false"):
        raise HTTPException(400, f"{name} takes 1 or 0")
    return text in ("", "1", "true")


def _snapshot_paths(statuses: list[CameraStatus]) -> str:
    return ", ".join(f"/snapshot/{one.name}.jpg" for one in statuses)


def _json(body: Mapping[str, Any], status: int = 200) -> Response:
    """Return indented JSON, for people as well."""
    return Response(json.dumps(body, indent=2, ensure_ascii=False) + "\n", status, media_type="application/json")


def _plain(status: int, text: str, headers: Mapping[str, str] | None = None) -> Response:
    return PlainTextResponse(text, status, headers)


def _cleaned(value: Any, redact: Callable[[str], str]) -> Any:
    """Return JSON values with all text redacted."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {key: _cleaned(part, redact) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_cleaned(part, redact) for part in value]
    return value
