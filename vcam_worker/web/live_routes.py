"""The routes of live frames and live video: answers that go on until the client leaves."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Route

from vcam_worker.live.hub import Hub
from vcam_worker.runtime.status import CameraStatus
from vcam_worker.web.frame_routes import FrameRoutes
from vcam_worker.web.video_routes import VideoRoutes


class LiveRoutes:
    """The routes of live frames and live video.

    Args:
        hub: the live subscriptions.
        statuses: of all cameras, without secrets.
        now: seconds since the epoch.
    """

    def __init__(self, hub: Hub, statuses: Callable[[], list[CameraStatus]], now: Callable[[], float]) -> None:
        self._hub = hub
        self._statuses = statuses
        self._now = now
        self._frames = FrameRoutes(hub, partial(self._camera, path="/frames/{name}"), statuses, now)
        self._video = VideoRoutes(hub, partial(self._camera, path="/live/{name}.mp4"), now)

    def routes(self) -> list[BaseRoute]:
        """Return the routes."""
        return [Route("/frames/{name}", self._frames.frames), Route("/live/{name}.mp4", self._video.video)]

    def _camera(self, name: str, path: str) -> CameraStatus:
        """Return a camera's status.

        Args:
            name: as requested.
            path: of the route, with ``{name}``, for the answer where there is no such camera.

        Raises:
            HTTPException: there is none.
        """
        statuses = self._statuses()
        for one in statuses:
            if one.name == name:
                return one
        known = ", ".join(path.format(name=one.name) for one in statuses)
        raise HTTPException(404, f"there is no such camera; there is {known}")
