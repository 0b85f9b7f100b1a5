"""The command that draws a camera's zones: on a picture, on a clip, or on the camera's newest clip."""

from __future__ import annotations

from pathlib import Path

from shared_utils.config.zones.model import Zones
from shared_utils.contracts.clips import list_clips, parse_clip_name, printable_path
from shared_utils.errors import ClipError, ClipMissing, SettingError, VcamError
from shared_utils.media.grabber import FrameGrabber
from shared_utils.media.picture import Picture
from shared_utils.media.picture_files import read_picture, write_picture
from shared_utils.zones.drawing import draw_zones


def draw_command(
    zones: Zones, video_dir: Path, out: Path, picture: Path | None, clip: Path | None, at_s: float = 0.0
) -> str:
    """Draw zones on a picture and write it; return a line that says what was drawn on what.

    Args:
        zones: of the camera.
        video_dir: the shared volume, where its clips are.
        out: file to write.
        picture: to draw on; None for a frame of a clip.
        clip: to draw on; None for the camera's newest one.
        at_s: which frame of the clip, seconds from its first one.

    Raises:
        SettingError: there is nothing to draw on, or `out` has the wrong ending.
        VcamError: a file cannot be read or written.
    """
    image, source = source_picture(zones.camera, video_dir, picture, clip, at_s)
    try:
        write_picture(out, draw_zones(image, zones))
    except OSError as error:
        raise VcamError(f"{printable_path(out)}: {_reason(error)}") from None
    except ValueError as error:
        raise SettingError(f"--out is {str(out)!r}: {error}") from None
    return f"{printable_path(out)}: {len(zones.zones)} zones of camera {zones.camera} on {printable_path(source)}"


def source_picture(
    camera: str, video_dir: Path, picture: Path | None = None, clip: Path | None = None, at_s: float = 0.0
) -> tuple[Picture, Path]:
    """Return a picture of a camera, height×width×3, blue green red, and the file that it is from.

    Args:
        camera: its name.
        video_dir: the shared volume, where its clips are.
        picture: to return; None for a frame of a clip.
        clip: whose frame is returned; None for the camera's newest one.
        at_s: which frame of the clip, seconds from its first one.

    Raises:
        SettingError: there is no clip of the camera.
        VcamError: the file cannot be read.
    """
    source = picture or clip or _newest_clip(video_dir, camera)
    try:
        return read_picture(source) if picture else _frame(source, at_s), source
    except (OSError, ValueError, ClipError, ClipMissing) as error:
        raise VcamError(f"{printable_path(source)}: {_reason(error)}") from None


def _frame(path: Path, at_s: float) -> Picture:
    with FrameGrabber(path.absolute()) as clip:
        return clip.frame_at(at_s).picture


def _newest_clip(video_dir: Path, camera: str) -> Path:
    for path in reversed(list_clips(video_dir)):
        name = parse_clip_name(path.name)
        if name is not None and name.camera == camera:
            return path
    raise SettingError(f"there is no clip of camera {camera!r} in {video_dir}: give --picture or --clip")


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
