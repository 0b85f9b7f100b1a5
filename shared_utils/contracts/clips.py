"""Names and places of clips on the shared volume (docs/contracts.md).

A finished clip is ``YYYYMMDD-HHMMSS-<camera>.mp4``, by the local time of its first frame. A clip that is not finished
has another name, in :data:`WORK_FOLDER` on the same volume, so that publishing it is one rename.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path, PurePath

from shared_utils.errors import JobRefused

CLIP_SUFFIX = ".mp4"
WORK_FOLDER = ".recording"
"""Folder of unfinished clips, hidden so that they are not listed, played or submitted."""

MAX_NAME_BYTES = 255
"""Longest file name that Linux file systems accept."""
MAX_STEM_BYTES = 212
"""Longest stem that a sidecar's name keeps whole: a run's id (36 bytes) and a suffix are added to it."""
KEPT_STEM_BYTES = 190
"""Part of a longer stem that a sidecar's name keeps, before a hash of the clip's name."""

CAMERA_PATTERN = r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}"
_CLIP = re.compile(rf"(?P<when>\d{{8}}-\d{{6}})-(?P<camera>{CAMERA_PATTERN})\.mp4")
_WHEN = "%Y%m%d-%H%M%S"


@dataclass(frozen=True)
class ClipName:
    """The parts of a clip's file name.

    Attributes:
        started_at: local time of the first frame, whole seconds, without a zone.
        camera: name of the camera.
    """

    started_at: datetime
    camera: str

    def __str__(self) -> str:
        return f"{self.started_at.strftime(_WHEN)}-{self.camera}{CLIP_SUFFIX}"

    def later(self, seconds: int) -> ClipName:
        """Return the name that is `seconds` later, for a name that is taken."""
        return ClipName(self.started_at + timedelta(seconds=seconds), self.camera)


def parse_clip_name(filename: str) -> ClipName | None:
    """Return the parts of `filename`; None if it is not the name of a recorded clip."""
    match = _CLIP.fullmatch(filename)
    if not match:
        return None
    try:
        return ClipName(datetime.strptime(match["when"], _WHEN), match["camera"])
    except ValueError:  # 14 digits that are not a date
        return None


def list_clips(video_dir: Path) -> list[Path]:
    """Return the finished clips in `video_dir`, oldest first."""
    return sorted(path for path in video_dir.glob(f"*{CLIP_SUFFIX}") if parse_clip_name(path.name))


def name_fault(name: str) -> str | None:
    """Return why the file `name` cannot be analysed under its name, with the remedy; None for a name that can.

    Blanks of any width, dots, quotes, wildcards and all scripts are fine. What breaks a line of a log, or is
    not text, is not.
    """
    try:
        length = len(name.encode())
    except UnicodeEncodeError:  # bytes that are not UTF-8, as Python keeps them
        return "is not UTF-8: rename the file"
    faults = {
        f"is longer than {MAX_NAME_BYTES} bytes": length > MAX_NAME_BYTES,
        "is not the bare name of a file in VIDEO_DIR": "/" in name,
        "begins with a dot, as hidden files do: rename the file": name.startswith("."),
        "holds a backslash, which network shares take for a folder's: rename the file": "\\" in name,
        # control characters, and the two that Unicode calls a line's and a paragraph's end
        "holds a line break or another control character: rename the file": any(
            unicodedata.category(letter) in ("Cc", "Zl", "Zp") for letter in name
        ),
    }
    return next((fault for fault, there in faults.items() if there), None)


def printable_name(name: str) -> str:
    """Return `name` as one line of printable text, whatever it holds."""
    return name if name and name_fault(name) is None else repr(name)[1:-1].encode("utf-8", "backslashreplace").decode()


def printable_path(path: PurePath) -> str:
    """Return `path` as one line of printable text; see :func:`printable_name`."""
    return "/".join(printable_name(part) if part.strip("/.") else part for part in str(path).split("/"))


def sidecar_stem(filename: str) -> str:
    """Return the beginning of the names of a clip's sidecars: its stem, shortened where the name would be too long."""
    stem = PurePath(filename).stem
    raw = stem.encode("utf-8", "surrogateescape")
    if len(raw) <= MAX_STEM_BYTES:
        return stem
    kept = raw[:KEPT_STEM_BYTES].decode("utf-8", "ignore")
    return f"{kept}~{hashlib.sha256(filename.encode('utf-8', 'surrogateescape')).hexdigest()[:12]}"


def resolve_in_video_dir(video_dir: Path, filename: object) -> Path:
    """Return the path of a job's `filename`, which must be a bare name inside `video_dir`.

    The file need not exist; a symbolic link is followed, and must end inside `video_dir`.

    Raises:
        JobRefused: not text, empty, a name with a :func:`name_fault`, or a link out of the folder.
    """
    if not isinstance(filename, str) or not filename:
        raise JobRefused("refused: filename is empty or not text; give the bare name of a file in VIDEO_DIR")
    fault = name_fault(filename)
    text = repr(printable_name(filename[:80])) + "…" * (len(filename) > 80)
    if fault is not None:
        raise JobRefused(f"refused: filename {text} {fault}")
    root = video_dir.resolve()
    path = (root / filename).resolve()
    if not path.is_relative_to(root):
        raise JobRefused(f"refused: filename {text} is a link that leads out of VIDEO_DIR")
    return path
