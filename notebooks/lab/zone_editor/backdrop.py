"""The picture that zones are drawn on: a frame of a clip, the newest live frame, or a file."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from notebooks.lab.live.frames import Capture
from shared_utils.contracts.clips import list_clips, parse_clip_name, printable_path
from shared_utils.errors import ClipError, ClipMissing, SettingError, VcamError
from shared_utils.media.grabber import FrameGrabber
from shared_utils.media.picture import Picture, decode_jpeg, encode_jpeg, fitted_size, resized
from shared_utils.media.picture_files import read_picture

MAX_SIDE_PX = 1920
"""Of the picture in the page: a 4K picture would take seconds through the kernel."""
LIVE_WIDTH_PX, LIVE_FPS = 3840, 1.0
JPEG_QUALITY = 88
MAX_TRIED = 10
"""Newest clips that are tried for one that can be read."""


@dataclass(frozen=True)
class Backdrop:
    """A picture to draw on.

    Attributes:
        jpeg: the picture.
        size: its width and height, pixels.
        title: what it is, for people.
        at_s: moment in its clip, seconds from the first frame; None for no clip.
        duration_s: length of that clip.
    """

    jpeg: bytes
    size: tuple[int, int]
    title: str
    at_s: float | None = None
    duration_s: float = 0.0


class Backdrops:
    """Finds pictures of a camera.

    Args:
        camera: its name.
        video_dir: the shared volume.
        capture_url: where live frames come from.
        clip: a clip in the place of the newest one.
    """

    def __init__(self, camera: str, video_dir: Path, capture_url: str, clip: Path | None = None) -> None:
        self._camera = camera
        self._video_dir = video_dir
        self._capture_url = capture_url
        self._clip = clip

    def first(self, picture: Path | None, at_s: float) -> Backdrop:
        """Return the picture to begin with: `picture`, else a frame of the clip, else a live one.

        Raises:
            VcamError: there is none; one line says what to give.
        """
        if picture is not None:
            try:
                return _backdrop(read_picture(picture), picture.name)
            except (OSError, ValueError) as error:
                reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
                raise SettingError(f"picture: {printable_path(picture)}: {reason}") from None
        if self._clip is not None or self._newest():
            return self.frame(at_s)
        try:
            return self.live()
        except VcamError as error:
            raise SettingError(
                f"there is no clip of camera {self._camera!r} in {self._video_dir}, and no live frame ({error}): give "
                "picture= a picture of the camera, or clip= a clip"
            ) from None

    def frame(self, at_s: float) -> Backdrop:
        """Return a frame of the clip, or of the camera's newest one that can be read.

        Args:
            at_s: which one, seconds from the first frame.

        Raises:
            ClipMissing, ClipError: it cannot be read.
            SettingError: there is no clip.
        """
        clips = [self._clip] if self._clip is not None else self._newest()
        if not clips:
            raise SettingError(f"there is no clip of camera {self._camera!r}")
        for clip in clips[:-1]:
            with suppress(ClipError, ClipMissing):  # one that is damaged, or was deleted just now
                return _frame(clip, at_s)
        return _frame(clips[-1], at_s)

    def live(self) -> Backdrop:
        """Return the camera's newest frame from capture.

        Raises:
            VcamError: there is none now, or capture is away.
        """
        stream = Capture(self._capture_url).frames(self._camera, fps=LIVE_FPS, width=LIVE_WIDTH_PX)
        try:
            frame = next(iter(stream), None)
        finally:
            stream.close()
        if frame is None:
            raise VcamError("no live frame came")
        try:
            picture = decode_jpeg(frame.jpeg)
        except ValueError as error:
            raise VcamError(str(error)) from None
        return _backdrop(picture, "live frame")

    def _newest(self) -> list[Path]:
        """Return the newest clips of the camera, the newest one first."""
        named = ((path, parse_clip_name(path.name)) for path in reversed(list_clips(self._video_dir)))
        own = (path for path, name in named if name is not None and name.camera == self._camera)
        return list(islice(own, MAX_TRIED))


def _frame(clip: Path, at_s: float) -> Backdrop:
    with FrameGrabber(clip.absolute()) as grabber:
        duration_s = grabber.facts.duration_s
        frame = grabber.frame_at(min(max(at_s, 0.0), duration_s))
    return _backdrop(frame.picture, f"{clip.name} at {frame.time_s:.1f} s", frame.time_s, duration_s)


def newest_camera(video_dir: Path) -> str:
    """Return the camera of the newest clip.

    Raises:
        SettingError: there is no clip of any camera.
    """
    for path in reversed(list_clips(video_dir)):
        name = parse_clip_name(path.name)
        if name is not None:
            return name.camera
    raise SettingError(f"there is no clip in {video_dir} yet: give the name of a camera")


def _backdrop(picture: Picture, title: str, at_s: float | None = None, duration_s: float = 0.0) -> Backdrop:
    height, width = picture.shape[:2]
    size = fitted_size(width, height, MAX_SIDE_PX) if max(width, height) > MAX_SIDE_PX else (width, height)
    jpeg = encode_jpeg(resized(picture, size) if size != (width, height) else picture, JPEG_QUALITY)
    return Backdrop(jpeg, (width, height), f"{title}, {width}×{height}", at_s, duration_s)
