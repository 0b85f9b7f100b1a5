"""The route of live frames: a response that goes on until the client leaves."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Callable, Coroutine, Hashable, Mapping
from contextlib import suppress
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from vcam_worker.live.frames.feed import FrameClient, FrameFeed
from vcam_worker.live.frames.message import Frame
from vcam_worker.live.hub import Hub
from vcam_worker.runtime.health import no_picture
from vcam_worker.runtime.status import QUALITY_LIMITS, WIDTH_LIMITS_PX, CameraStatus

FPS_LIMITS = (0.1, 30.0)
FPS_DEFAULT = 2.0
FIRST_FRAME_S = 10.0
"""Longest wait for a camera's first frame; a client that gets none is told why, and asks again."""
CHECK_S = 0.5
"""Interval at which a waiting client checks how the camera is."""
MAX_VIEWERS = 100
"""Clients of live frames at once, of all cameras."""
MAX_SIZES = 8
"""Different sizes and qualities of one camera at once: each is encoded separately."""
CHUNK_BYTES = 64 * 1024
"""Written at once: what a client that does not read holds beyond the frame, which all clients share."""
BOUNDARY = "frame"


class FrameRoutes:
    """Answers ``/frames/<camera>``.

    Args:
        hub: the live subscriptions.
        camera: returns a camera's status by name; raises HTTPException where there is none.
        statuses: of all cameras, without secrets.
        now: seconds since the epoch.
    """

    def __init__(
        self,
        hub: Hub,
        camera: Callable[[str], CameraStatus],
        statuses: Callable[[], list[CameraStatus]],
        now: Callable[[], float],
    ) -> None:
        self._hub = hub
        self._camera = camera
        self._statuses = statuses
        self._now = now
        self._viewers = 0

    async def frames(self, request: Request) -> Response:
        """Return live frames of a camera as JPEGs, ``multipart/x-mixed-replace``."""
        status = self._camera(request.path_params["name"])
        query = request.query_params
        width, quality = _whole(query, "width", WIDTH_LIMITS_PX), _whole(query, "quality", QUALITY_LIMITS)
        fps, only_motion = _fps(query), _only_motion(query)
        if (
            request.headers.get("sec-fetch-site") == "cross-site"
            and request.headers.get("sec-fetch-mode") != "navigate"
        ):
            raise HTTPException(403, "refused: the request comes from a page of another site")
        if request.method == "HEAD":
            return Response(headers=_HEADERS)
        key = ("frames", width, quality)

        async def serve(send: Send) -> None:
            self._check_room(status.name, key)
            self._viewers += 1
            try:
                with (
                    self._hub.subscribed(status.name, key, lambda: FrameFeed(width, quality)) as feed,
                    feed.client(fps, only_motion=only_motion) as client,
                ):
                    self._hub.changed(status.name)
                    await self._send_frames(send, status.name, client)
            finally:
                self._viewers -= 1
                self._hub.changed(status.name)

        return _Streaming(serve)

    def _check_room(self, name: str, key: Hashable) -> None:
        """Refuse a client that is one too many.

        Raises:
            HTTPException: it is.
        """
        text = None
        if self._viewers >= MAX_VIEWERS:
            text = f"too many viewers: {MAX_VIEWERS} have live frames already; try again later"
        elif not self._hub.has_room(name, key, FrameFeed, MAX_SIZES):
            text = f"too many sizes: {MAX_SIZES} of this camera are watched already; take the same as others, or wait"
        if text:
            raise HTTPException(503, text, {"Retry-After": "10"})

    async def _send_frames(self, send: Send, name: str, client: FrameClient) -> None:
        """Send a client's frames, from the first on, until there will be none."""
        frame = None if client.only_motion else await self._first(name, client)
        if client.only_motion:
            await self._running(name)
        await send({"type": "http.response.start", "status": 200, "headers": _RAW_HEADERS})
        frame = frame or await client.next()
        while frame:
            await _write(send, _part(frame))
            frame = await client.next()
        await send({"type": "http.response.body", "body": f"--{BOUNDARY}--\r\n".encode(), "more_body": False})

    async def _first(self, name: str, client: FrameClient) -> Frame:
        """Wait for the first frame.

        Raises:
            HTTPException: it does not come in time.
        """
        with suppress(TimeoutError):
            # not asyncio.wait_for: before Python 3.12, it loses a cancellation that comes together with the frame
            # (https://github.com/python/cpython/issues/86296), and the client would never leave
            async with asyncio.timeout(FIRST_FRAME_S):
                frame = await client.next()
            if frame:
                return frame
        raise self._no_frames(name)

    async def _running(self, name: str) -> None:
        """Wait until a camera has pictures: motion may be hours away.

        Raises:
            HTTPException: it has none for too long.
        """
        for _ in range(math.ceil(FIRST_FRAME_S / CHECK_S)):
            status = next((one for one in self._statuses() if one.name == name), None)
            if status is None:
                break
            if status.state in ("running", "paused") and no_picture(status, self._now()) is None:
                return
            await asyncio.sleep(CHECK_S)
        raise self._no_frames(name)

    def _no_frames(self, name: str) -> HTTPException:
        status = next((one for one in self._statuses() if one.name == name), None)
        wrong = no_picture(status, self._now()) if status else None
        reason = wrong.reason if wrong else "no frame could be decoded" if status else "it was removed"
        return HTTPException(503, f"no frame of {name} for {FIRST_FRAME_S:.0f} s: {reason}", {"Retry-After": "5"})


class _Streaming(Response):
    """An answer that goes on until it is over, or the client has left: that is noticed while nothing is sent, too.

    Args:
        serve: sends all of it; cancelled when the client has left.
    """

    def __init__(self, serve: Callable[[Send], Coroutine[Any, Any, None]]) -> None:
        super().__init__()
        self._serve = serve

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del scope
        serving = asyncio.ensure_future(self._serve(send))
        leaving = asyncio.ensure_future(_left(receive))
        try:
            await asyncio.wait({serving, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if serving.done():
                serving.result()
        finally:
            for task in (serving, leaving):
                task.cancel()
            await asyncio.gather(serving, leaving, return_exceptions=True)


async def _left(receive: Receive) -> None:
    """Wait until the client has left."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _part(frame: Frame) -> list[bytes]:
    head = (
        f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(frame.jpeg)}\r\n"
        f"X-Timestamp: {frame.at:.3f}\r\nX-Motion: {frame.share:.4f}\r\nX-Moving: {frame.is_moving:d}\r\n\r\n"
    )
    return [head.encode(), frame.jpeg, b"\r\n"]


async def _write(send: Send, pieces: list[bytes]) -> None:
    """Write in small chunks, each when the client has taken most of those before."""
    for piece in pieces:
        for start in range(0, len(piece), CHUNK_BYTES):
            chunk = piece[start : start + CHUNK_BYTES]
            await send({"type": "http.response.body", "body": chunk, "more_body": True})


def _whole(query: Mapping[str, str], name: str, limits: tuple[int, int]) -> int | None:
    text = query.get(name)
    low, high = limits
    if text is None:
        return None
    if not re.fullmatch(r"[0-9]{1,6}", text) or not low <= int(text) <= high:
        raise HTTPException(400, f"{name} takes a whole number from {low} to {high}")
    return int(text)


def _fps(query: Mapping[str, str]) -> float:
    text = query.get("fps", str(FPS_DEFAULT))
    low, high = FPS_LIMITS
    if not re.fullmatch(r"[0-9]{1,3}(\.[0-9]{0,6})?|\.[0-9]{1,6}", text) or not low <= float(text) <= high:
        raise HTTPException(400, f"fps takes a number from {low:g} to {high:g}")
    return float(text)


def _only_motion(query: Mapping[str, str]) -> bool:
    when = query.get("when")
    if when not in (None, "motion"):
        raise HTTPException(400, "when takes motion, or is left out")
    return when == "motion"


_HEADERS = {"Content-Type": f"multipart/x-mixed-replace; boundary={BOUNDARY}"}
_RAW_HEADERS = [(name.lower().encode(), value.encode()) for name, value in _HEADERS.items()]
