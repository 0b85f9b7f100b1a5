"""ZoneEditor's widget (anywidget): polygons and lines drawn on a camera's picture by mouse, pen or finger.

The page draws and undoes; the kernel checks each change with the validator that all programs use, and writes the file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from notebooks.lab.jobs.places import Places
from notebooks.lab.plots.style import GREY, SERIES
from notebooks.lab.zone_editor.backdrop import JPEG_QUALITY, Backdrop, Backdrops, newest_camera
from notebooks.lab.zone_editor.draft import Draft
from shared_utils.config.zones.file import load_zones
from shared_utils.contracts.clips import CAMERA_PATTERN
from shared_utils.errors import SettingError, VcamError, ZonesChanged
from shared_utils.media.picture import decode_jpeg, encode_jpeg, fitted_size, resized
from shared_utils.zones.drawing import draw_zones

HERE = Path(__file__).resolve().parent
SCRIPTS = ("zone_canvas.js", "zone_page.js", "zone_editor.js")
POSTER_MAX_SIDE_PX = 960
TAKEN_OVER_S = 5
"""Time in which running programs take over a new revision, seconds."""
TEMPLATES: Mapping[str, Mapping[str, Any]] = {
    "objects: who enters, leaves, stays": {"do": "objects", "labels": ["person"], "when": "both"},
    "cross: who crosses the line": {"do": "cross", "labels": ["person"], "when": "both"},
    "read: text or number of a display": {"do": "read", "engine": "rapidocr", "every_s": 1, "when": "live"},
    "read: seven-segment display": {"do": "read", "engine": "sevensegment", "every_s": 1, "when": "live"},
    "light: lamp on or off": {"do": "light", "on_above": 128, "when": "live"},
    "page: which page is displayed": {"do": "page", "when": "live"},
}
"""What the list "Add a task" puts into a zone, to be adapted."""


class ZoneEditor(anywidget.AnyWidget):
    """Displays a camera's zones on its picture, and changes them; see :func:`edit_zones`, which makes it.

    Args:
        draft: the zones.
        backdrops: where pictures come from.
        backdrop: the first one.

    Attributes:
        state: all that the page has to know, but for the picture.
        picture: the JPEG to draw on.
        draft: the zones as they are drawn.
    """

    # one module for the page, of three files for people
    _esm = "\n".join((HERE / name).read_text(encoding="utf-8") for name in SCRIPTS)
    _css = HERE / "zone_editor.css"
    state: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)
    picture = traitlets.Bytes(b"").tag(sync=True)

    def __init__(self, draft: Draft, backdrops: Backdrops, backdrop: Backdrop) -> None:
        super().__init__()
        self.draft = draft
        self._backdrops = backdrops
        self._backdrop = backdrop
        self._client, self._number = "", 0
        self._note, self._failed, self._conflict = "", False, False
        self.picture = backdrop.jpeg
        self.on_msg(self._on_message)
        self._publish_state()

    def _on_message(self, _: object, message: Mapping[str, Any], __: object) -> None:
        self._client, self._number = str(message.get("client", ""))[:40], int(message.get("n", 0))
        self._note, self._failed, self._conflict = "", False, False
        try:
            if "zones" in message:
                self.draft.draw(message["zones"])
            self._carry_out(str(message.get("what")), message)
        except ZonesChanged as error:
            self._note, self._failed, self._conflict = f"Not saved: {error}", True, True
        except VcamError as error:
            self._note, self._failed = str(error), True
        self._publish_state()

    def _carry_out(self, what: str, message: Mapping[str, Any]) -> None:
        if what == "save":
            self.draft.save(over_others=bool(message.get("over_others")))
            self._note = f"Saved as revision {self.draft.revision}: all programs take it over within {TAKEN_OVER_S} s"
        elif what == "load":
            self.draft.load()
            self._note = f"Loaded revision {self.draft.revision}"
        elif what == "frame":
            self._show(self._backdrops.frame(float(message["at"])))
        elif what == "live":
            self._show(self._backdrops.live())

    def _show(self, backdrop: Backdrop) -> None:
        self._backdrop = backdrop
        self.picture = backdrop.jpeg

    def _publish_state(self) -> None:
        draft, backdrop = self.draft, self._backdrop
        self.state = {
            "client": self._client,
            "heard": self._number,
            "camera": draft.camera,
            "revision": draft.revision,
            "zones": list(draft.zones),
            "pages": [{"name": page["name"], "points": page["points"]} for page in draft.pages],
            "changed": draft.is_changed,
            "problem": draft.problem(),
            "note": self._note,
            "failed": self._failed,
            "conflict": self._conflict,
            "size": list(backdrop.size),
            "title": backdrop.title,
            "at": backdrop.at_s,
            "duration": backdrop.duration_s,
            "templates": {name: dict(task) for name, task in TEMPLATES.items()},
            "palette": list(SERIES),
            "grey": GREY,
        }

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is None:
            return bundle
        # what is shown where no kernel runs and no widget lives, such as on a code host's page
        data, metadata = bundle
        return {**data, "image/jpeg": self._poster()}, metadata

    def _poster(self) -> bytes:
        """Return the picture with the zones of the file, as a JPEG."""
        picture, path = decode_jpeg(self.picture), self.draft.path
        if path.is_file():
            with suppress(SettingError):  # it was changed by hand meanwhile
                picture = draw_zones(picture, load_zones(path))
        size = fitted_size(picture.shape[1], picture.shape[0], POSTER_MAX_SIDE_PX)
        return encode_jpeg(resized(picture, size), JPEG_QUALITY)


def edit_zones(
    camera: str | None = None,
    places: Places | None = None,
    *,
    picture: str | Path | None = None,
    clip: str | Path | None = None,
    at_s: float = 0.0,
) -> ZoneEditor:
    """Draw the zones of a camera in a notebook: on a frame of its newest clip, or on a live one.

    Args:
        camera: name of the camera, as in ``cameras.toml`` or ``CAMERA_NAME``; None for that of the newest clip.
        places: where capture and the shared volume are; by default as the environment names them.
        picture: file of a picture to draw on.
        clip: clip to draw on: a path, or the name of one in ``VIDEO_DIR``.
        at_s: which frame of the clip, seconds from its first one.

    Raises:
        SettingError: an argument or the file of zones is wrong, or there is nothing to draw on.
        ClipMissing, ClipError: the clip cannot be read.
    """
    places = places or Places.from_env()
    if picture is not None and clip is not None:
        raise SettingError("picture and clip are both given: give one of them")
    own = None
    if clip is not None:
        own = Path(clip) if Path(clip).is_file() else places.video / clip
    camera = newest_camera(places.video) if camera is None else camera
    if not re.fullmatch(CAMERA_PATTERN, camera):
        raise SettingError(f"camera is {camera!r}: use 1 to 32 letters, digits, '-' and '_'")
    draft = Draft(places.video, camera)
    backdrops = Backdrops(camera, places.video, places.capture, own)
    return ZoneEditor(draft, backdrops, backdrops.first(None if picture is None else Path(picture), at_s))
