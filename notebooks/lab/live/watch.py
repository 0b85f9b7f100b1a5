"""WatchLive's widget (anywidget): the newest picture of a camera with its boxes, and its events as they come.

The JPEGs go to the page as capture sent them, and the page draws the boxes. Capture is asked only while a page shows
the view.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from notebooks.lab.jobs.places import Places
from notebooks.lab.live.feed import LiveFeed
from notebooks.lab.live.frames import Capture, LiveFrame
from notebooks.lab.live.kernel import Execution, Interrupts, ReplyRoute, current_execution
from notebooks.lab.live.overlay import FrameBoxes
from notebooks.lab.live.poster import poster
from notebooks.lab.plots.style import GREY, SERIES
from shared_utils.errors import SettingError

HERE = Path(__file__).resolve().parent
VIEWER = HERE.parent / "viewer"
FPS, WIDTH_PX = 5.0, 1280
"""As the live worker asks by default, so that both share one decode and one encode."""
FPS_LIMITS, WIDTH_LIMITS_PX = (0.1, 30.0), (64, 3840)
POSTER_WAIT_S = 1.0
"""Longest wait for a picture with boxes when a cell displays the view: it is saved with the notebook."""
POSTER_POLL_S = 0.05


class LiveView(anywidget.AnyWidget):
    """Displays a camera until it is stopped; see :func:`watch_live`, which makes it.

    Args:
        camera: name of the camera.
        capture: where its pictures come from.
        places: where Redis and the shared volume are.
        fps: pictures per second.
        width: of the pictures, pixels.

    Attributes:
        about: what the page needs to know at the start.
        feed: what is displayed.
    """

    # one module for the page, of two files for people
    _esm = "\n".join(path.read_text(encoding="utf-8") for path in (VIEWER / "boxes_canvas.js", HERE / "live.js"))
    _css = HERE / "live.css"
    about: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)

    def __init__(
        self, camera: str, capture: Capture, places: Places, *, fps: float = FPS, width: int = WIDTH_PX
    ) -> None:
        super().__init__()
        self.about = {"camera": camera, "palette": list(SERIES), "grey": GREY}
        self._route = ReplyRoute()
        self.feed = LiveFeed(camera, capture, places.redis, places.video, self._to_pages, fps=fps, width=width)
        self.on_msg(self._on_message)
        self.feed.start()

    def stop(self) -> None:
        """End the connections to capture and Redis; the last picture stays. Returns at once."""
        self.feed.stop()

    def start(self) -> None:
        """Go on after `stop`."""
        self.feed.start()

    def close(self) -> None:
        """Stop, and take the view from the page."""
        self.feed.stop()
        super().close()

    def _on_message(self, _: object, message: Mapping[str, Any], __: object) -> None:
        self._route.heard()
        self.feed.receive(message)

    def _to_pages(self, message: Mapping[str, Any], data: bytes | None) -> None:
        self._route.context().run(self.send, dict(message), [data] if data else None)

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
        bundle = super()._repr_mimebundle_(**kwargs)
        kept = self._picture_to_keep()
        if bundle is None or kept is None:
            return bundle
        # what is shown where no kernel runs and no widget lives, such as on a code host's page
        data, metadata = bundle
        frame, found = kept
        note = f"{self.about['camera']}, {datetime.fromtimestamp(frame.at).astimezone():%Y-%m-%d %H:%M:%S}"
        drawn = poster(frame, found, note)
        return ({**data, "image/jpeg": drawn} if drawn else data), metadata

    def _picture_to_keep(self) -> tuple[LiveFrame, FrameBoxes | None] | None:
        """Return a picture, if one with boxes comes in time with them."""
        deadline = time.monotonic() + POSTER_WAIT_S
        while (kept := self.feed.picture_to_keep()) is None or kept[1] is None:
            if time.monotonic() > deadline or self.feed.notes:
                break
            time.sleep(POSTER_POLL_S)
        return kept


class _Views:
    """The live views of this kernel, each with the run of the cell that made it."""

    def __init__(self) -> None:
        self._views: list[tuple[LiveView, Execution]] = []
        self._interrupts = Interrupts(self._stop_all)

    def add(self, view: LiveView, made_by: Execution) -> None:
        self._views.append((view, made_by))
        self._interrupts.listen()

    def close_former(self, camera: str, now: Execution) -> None:
        """Close what an earlier run of the same cell made; where pages do not tell cells apart, of the same camera."""
        for view, made_by in list(self._views):
            same = made_by.cell == now.cell if now.cell else view.about["camera"] == camera
            if same and made_by.run != now.run:
                view.close()
                self._views.remove((view, made_by))

    def _stop_all(self) -> None:
        for view, _ in self._views:
            if view.feed.running:
                view.stop()


_VIEWS = _Views()


def watch_live(camera: str, places: Places | None = None, *, fps: float = FPS, width: int = WIDTH_PX) -> LiveView:
    """Watch a camera in a notebook: its picture, the boxes that the live worker finds, and its events.

    It ends with its Stop button, with Kernel → Interrupt, when its output is closed, and with the kernel. Running its
    cell again replaces it. The cell is done at once; others can run meanwhile.

    Args:
        camera: name of the camera, as in ``cameras.toml`` or ``CAMERA_NAME``.
        places: where capture, Redis and the shared volume are; by default as the environment names them.
        fps: pictures per second, 0.1 to 30.
        width: of the pictures, 64 to 3840 pixels.

    Raises:
        SettingError: an argument or ``CAPTURE_URL`` is wrong.
    """
    for name, value, (low, high) in (("fps", fps, FPS_LIMITS), ("width", width, WIDTH_LIMITS_PX)):
        if not low <= value <= high:
            raise SettingError(f"{name} is {value}: give a number from {low:g} to {high:g}")
    places = places or Places.from_env()
    capture = Capture(places.capture)
    now = current_execution()
    _VIEWS.close_former(camera, now)
    view = LiveView(camera, capture, places, fps=fps, width=width)
    _VIEWS.add(view, now)
    return view
