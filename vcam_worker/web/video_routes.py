"""The route of live video: a response that goes on until the client leaves, or is cut off."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, contextmanager

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from vcam_worker.live.hub import Hub
from vcam_worker.live.video.feed import VideoFeed
from vcam_worker.live.video.muxer import JPEG_CODEC, can_mux
from vcam_worker.live.video.viewers import MULTIPART_TYPE, Viewer
from vcam_worker.runtime.health import no_picture
from vcam_worker.runtime.status import CameraStatus

MAX_VIEWERS = 100
"""Of all cameras together; the next one is refused. A hundred viewers of a 4 Mb/s stream take some 5 % of a core."""
FIRST_FRAME_S = 5.0
"""Longest wait for the first frame: a camera whose last GOP is too large to be sent begins with its next keyframe."""
_HEADERS = {
    # a part of it cannot be had again: browsers that ask for a range get it from now on
    "Accept-Ranges": "none",
    # a response that ends with its camera's connection leaves no connection behind
    "Connection": "close",
}


class VideoRoutes:
    """Answers ``/live/<camera>.mp4``.

    Args:
        hub: the live subscriptions.
        camera: returns a camera's status by name; raises HTTPException where there is none.
        now: seconds since the epoch.
    """

    def __init__(self, hub: Hub, camera: Callable[[str], CameraStatus], now: Callable[[], float]) -> None:
        self._hub = hub
        self._camera = camera
        self._now = now
        self._viewers = 0

    async def video(self, request: Request) -> Response:
        """Return live video of a camera: fragmented MP4, or the JPEGs that it sends."""
        status = self._camera(request.path_params["name"])
        self._check(status)
        if request.method == "HEAD":
            kind = MULTIPART_TYPE if status.codec == JPEG_CODEC else "video/mp4"
            head = Response(media_type=kind, headers=_HEADERS)
            del head.headers["content-length"]  # it has none
            return head
        if self._viewers >= MAX_VIEWERS:
            raise _not_now(f"there are {MAX_VIEWERS} viewers already: close one of them, or use /snapshot")
        with ExitStack() as stack:
            viewer = stack.enter_context(self._viewer(status.name))
            media_type = await viewer.ready(FIRST_FRAME_S)
            if media_type is not None:
                return _Held(viewer.chunks(), media_type, stack.pop_all())
        raise _not_now("no keyframe has come yet: try again in a few seconds")

    @contextmanager
    def _viewer(self, camera: str) -> Iterator[Viewer]:
        """Hold a viewer of a camera while the context is entered."""
        with self._hub.subscribed(camera, "video", VideoFeed) as feed:
            self._hub.changed(camera)
            self._viewers += 1
            viewer = feed.join()
            try:
                yield viewer
            finally:
                viewer.leave()
                self._viewers -= 1

    def _check(self, status: CameraStatus) -> None:
        """Refuse a camera that has no live video now.

        Raises:
            HTTPException: why.
        """
        wrong = no_picture(status, self._now())
        # one that starts may have its first frame before its status says so; what we cannot decode, a player may
        if wrong and status.state not in ("starting", "undecodable"):
            raise _not_now(f"{wrong.what}: {wrong.reason}")
        if status.codec and not can_mux(status.codec):
            raise HTTPException(
                501, f"the camera sends {status.codec}, which is not played by browsers: use /frames/{status.name}"
            )


class _Held(StreamingResponse):
    """A response that releases what it holds when it ends, however that is."""

    def __init__(self, body: AsyncIterator[bytes], media_type: str, held: ExitStack) -> None:
        super().__init__(body, media_type=media_type, headers=_HEADERS)
        self._held = held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._held:
            await super().__call__(scope, receive, send)


def _not_now(why: str) -> HTTPException:
    return HTTPException(503, why, {"Retry-After": "5"})
