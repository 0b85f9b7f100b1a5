"""Names and places of clips on the shared volume (DESIGN 3.2).

A finished clip is ``YYYYMMDD-HHMMSS-<camera>.mp4``, the local time of its first frame. Whatever is not finished
lives under another name, in :data:`WORK_FOLDER` on the same volume, so that publishing is one rename.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from shared_utils.errors import JobRefused

CLIP_SUFFIX = ".mp4"
LOG_NAME = "detections_log.jsonl"
BOXES_FOLDER = "boxes"
WORK_FOLDER = ".recording"
"""Clips in work. A hidden folder: nobody lists, plays or submits what is in it."""

MAX_NAME_BYTES = 255
"""Longest file name that Linux file systems take."""

CAMERA_PATTERN = r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}"
_CLIP = re.compile(rf"(?P<when>\d{{8}}-\d{{6}})-(?P<camera>{CAMERA_PATTERN})\.mp4")
_WHEN = "%Y%m%d-%H%M%S"


@dataclass(frozen=True)
class ClipName:
    """What a clip's file name says.

    Attributes:
        started_at: local time of the first frame, whole seconds, without a zone.
        camera: the camera's slug.
    """

    started_at: datetime
    camera: str

    def __str__(self) -> str:
        return f"{self.started_at.strftime(_WHEN)}-{self.camera}{CLIP_SUFFIX}"

    def later(self, seconds: int) -> ClipName:
        """Return the name that is `seconds` later, for a name that is taken."""
        return ClipName(self.started_at + timedelta(seconds=seconds), self.camera)


def parse_clip_name(filename: str) -> ClipName | None:
    """Return what `filename` says, or None when it is no clip of ours."""
    match = _CLIP.fullmatch(filename)
    if not match:
        return None
    try:
        return ClipName(datetime.strptime(match["when"], _WHEN), match["camera"])
    except ValueError:  # 14 digits that are no date
        return None


def list_clips(video_dir: Path) -> list[Path]:
    """Return the finished clips in `video_dir`, oldest first."""
    return sorted(path for path in video_dir.glob(f"*{CLIP_SUFFIX}") if parse_clip_name(path.name))


def resolve_in_video_dir(video_dir: Path, filename: object) -> Path:
    """Return the path of a job's `filename`, which may be nothing but a bare name inside `video_dir`.

    The file need not exist; a symbolic link is followed, and must end inside `video_dir`.

    Raises:
        JobRefused: not text, empty, too long, hidden, a path, or a link out of the folder.
    """
    if not isinstance(filename, str) or not filename:
        raise JobRefused("refused: filename is empty or no text; give the bare name of a file in VIDEO_DIR")
    shown = repr(filename[:80])
    if len(filename.encode("utf-8", "replace")) > MAX_NAME_BYTES:
        raise JobRefused(f"refused: filename {shown}… is longer than {MAX_NAME_BYTES} bytes")
    if "/" in filename or "\\" in filename or filename.startswith(".") or not filename.isprintable():
        raise JobRefused(f"refused: filename {shown} is not the bare name of a file in VIDEO_DIR")
    root = video_dir.resolve()
    path = (root / filename).resolve()
    if not path.is_relative_to(root):
        raise JobRefused(f"refused: filename {shown} is a link that leads out of VIDEO_DIR")
    return path
