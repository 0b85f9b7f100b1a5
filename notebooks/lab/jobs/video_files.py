"""Files of downloaded videos: hidden while they are incomplete, then under a safe and unused name."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import time
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from shared_utils.errors import VcamError
from shared_utils.queue.jobs import VIDEO_SUFFIXES

HIDDEN = ".download-"
STALE_S = 24 * 3600
"""Seconds after which an unfinished download is nobody's any more."""
MAX_STEM = 120
"""Bytes of a file's name without its suffix: boxes files add 43 to it, file systems take 255."""


class DownloadError(VcamError):
    """A video could not be fetched; the text is one line that says why."""


def safe_name(name: str) -> str:
    """Return a bare file name of letters of any script, digits, ``.``, ``_`` and ``-`` that means the same as `name`.

    Args:
        name: as a URL or a server gives it; anything. One without a video's suffix gets ``.mp4``.
    """
    base = PurePosixPath(unquote(name).replace("\\", "/")).name
    stem, dot, ending = base.rpartition(".")
    if not dot or f".{ending.lower()}" not in VIDEO_SUFFIXES:
        stem, ending = base, "mp4"
    stem = re.sub(r"[^\w.-]+", "_", unicodedata.normalize("NFC", stem)).strip("._-")
    stem = stem.encode()[:MAX_STEM].decode("utf-8", "ignore").rstrip("._-")
    return f"{stem or 'video'}.{ending.lower()}"


def publish(partial: Path, video_dir: Path, name: str) -> Path:
    """Give the video its name, or that name with a number where there is such a file."""
    wanted = safe_name(name)
    suffix = PurePosixPath(wanted).suffix
    wanted = wanted.removesuffix(suffix) + _suffix_of(partial, suffix)
    number = 1
    while True:
        # in front: at the end of a clip's name it would pass for a part of its camera's
        target = video_dir / (wanted if number == 1 else f"copy{number}-of-{wanted}")
        try:
            # unlike a rename, a link never takes the place of a file that is there
            os.link(partial, target)
        except FileExistsError:
            number += 1
        except OSError as error:
            if error.errno not in {errno.EPERM, errno.ENOTSUP, errno.EMLINK}:
                raise
            # a file system without links
            if target.exists():
                number += 1
                continue
            partial.rename(target)
            return target
        else:
            return target


def _suffix_of(path: Path, given: str) -> str:
    """Return the suffix that fits what is in the file: `given`, unless its first bytes tell of another kind."""
    with path.open("rb") as file:
        head = file.read(12)
    for fits, suffixes in _KINDS:
        if fits(head):
            return given if given in suffixes else suffixes[0]
    return given if given in VIDEO_SUFFIXES else ".mp4"


_KINDS: tuple[tuple[Callable[[bytes], bool], tuple[str, ...]], ...] = (
    (lambda head: head[4:8] == b"ftyp", (".mp4", ".m4v", ".mov")),
    (lambda head: head[:4] == b"\x1a\x45\xdf\xa3", (".mkv", ".webm")),
    (lambda head: head[:4] == b"RIFF", (".avi",)),
    (lambda head: head[:1] == b"\x47", (".ts",)),
)


@contextmanager
def download_folder(video_dir: Path, url: str) -> Iterator[Path]:
    """Hand out a hidden folder on the shared volume, and leave nothing of it behind."""
    mark = hashlib.sha256(url.encode()).hexdigest()[:12]
    folder = video_dir / f"{HIDDEN}{mark}-{os.getpid()}"
    try:
        _remove_stale(video_dir)
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DownloadError(f"VIDEO_DIR cannot be written to ({error.strerror})") from None
    try:
        yield folder
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise DownloadError("the disk is full: nothing was kept") from None
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _remove_stale(video_dir: Path) -> None:
    """Remove what a kernel that was killed has left."""
    for old in video_dir.glob(f"{HIDDEN}*"):
        if old.is_dir() and time.time() - old.stat().st_mtime > STALE_S:
            shutil.rmtree(old, ignore_errors=True)
