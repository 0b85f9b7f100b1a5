"""One capture per volume: a lock in ``VIDEO_DIR``, and who holds it.

Two captures on one volume would take each other's open files for remains of a crash. The lock is the kernel's (flock),
so that it ends with its holder in any case, and works across containers, and across hosts where the file system
supports that. Every camera's process shares it: those that outlive a killed supervisor keep it until the last open clip
is closed.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import re
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from multiprocessing import reduction
from pathlib import Path
from typing import Any

from shared_utils.durable import lock_where_possible, sync_folder
from shared_utils.errors import SettingError, VolumeInUse
from vcam_worker import messages

LOCK_NAME = ".capture.lock"
HOLDER_NAME = ".capture.json"
"""Describes the holder. A file of its own, as on CIFS nobody else can read a locked file (mandatory locks)."""
WAIT_S = 15.0
"""Time for the cameras of a killed supervisor to close their clips."""
POLL_S = 0.2

log = logging.getLogger(__name__)


class VolumeLock:
    """The lock of a volume, held once :meth:`take` has returned. Pickled to another process, it is held there as well.

    Args:
        video_dir: the volume.
        descriptor: of the lock file, where it is held already.
    """

    def __init__(self, video_dir: Path, descriptor: int | None = None) -> None:
        self._folder = video_dir
        self._descriptor = descriptor
        self.keeps_others_away = True
        """False where the file system has no locks."""

    @property
    def _path(self) -> Path:
        return self._folder / LOCK_NAME

    def take(self, wait_s: float = WAIT_S, sleep: Callable[[float], None] = time.sleep) -> None:
        """Take the lock, and log what the file system does not support.

        Args:
            wait_s: time to wait for cameras of a capture on this host whose supervisor has ended.
            sleep: waits.

        Raises:
            VolumeInUse: another capture holds it.
            SettingError: its files cannot be opened or written.
        """
        try:
            self._wait(time.monotonic() + wait_s, sleep)
            _write_holder(self._folder)
            refused = sync_folder(self._folder)
        except OSError as error:
            raise SettingError(
                f"VIDEO_DIR {str(self._folder)!r} cannot be locked ({error.strerror or error}): see to its rights, or "
                f"remove {LOCK_NAME} and {HOLDER_NAME} in it"
            ) from None
        if refused:
            log.warning(
                messages.VOLUME_WITHOUT_FSYNC,
                refused,
            )

    def _wait(self, deadline: float, sleep: Callable[[float], None]) -> None:
        while not self._try():
            holder = read_holder(self._folder)
            if not _has_ended(holder) or time.monotonic() > deadline:
                raise VolumeInUse(
                    f"VIDEO_DIR {str(self._folder)!r} is in use by another capture ({describe_holder(holder)}): "
                    "stop that one, or give this one a folder of its own"
                )
            sleep(POLL_S)

    def _try(self) -> bool:
        """Take the lock if it is free; where the file system has none, log that."""
        while True:
            descriptor = _open(self._path)
            try:
                locked = lock_where_possible(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except (BlockingIOError, PermissionError):  # CIFS says EACCES
                os.close(descriptor)
                return False
            except OSError:
                os.close(descriptor)
                raise
            if not locked:
                self.keeps_others_away = False
                log.warning(messages.VOLUME_WITHOUT_LOCKS)
            elif not _is_file(self._path, descriptor):  # deleted between the two calls: try again
                os.close(descriptor)
                continue
            self._descriptor = descriptor
            return True

    def renew(self) -> bool:
        """Take the lock again if its file was deleted or replaced; return whether it is ours.

        Raises:
            OSError: the volume cannot be written to.
        """
        if self._descriptor is None or _is_file(self._path, self._descriptor):
            return True
        before = self._descriptor
        if not self._try():
            return False
        os.close(before)
        _write_holder(self._folder)
        return True

    def release(self) -> None:
        """Release the lock; it stays taken as long as another process of ours holds it."""
        if self._descriptor is not None:
            with suppress(OSError):  # the volume may be gone, or be read-only
                (self._folder / HOLDER_NAME).unlink(missing_ok=True)
            os.close(self._descriptor)
            self._descriptor = None

    def __reduce__(self) -> tuple[Any, ...]:
        held = None if self._descriptor is None else reduction.DupFd(self._descriptor)
        return _rebuilt, (self._folder, held)


def _open(path: Path) -> int:
    try:
        # network file systems lock writable descriptors only
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except PermissionError:  # another user's, of an earlier capture
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)


def _rebuilt(folder: Path, held: Any) -> VolumeLock:
    return VolumeLock(folder, held.detach() if held is not None else None)


def _is_file(path: Path, descriptor: int) -> bool:
    try:
        there = path.stat()
    except FileNotFoundError:
        return False
    ours = os.fstat(descriptor)
    return (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)


def read_holder(video_dir: Path) -> dict[str, Any]:
    """Return what is known of the holder: ``host``, ``pid``, ``container``, ``started``; may be empty."""
    try:
        holder = json.loads((video_dir / HOLDER_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return holder if isinstance(holder, dict) else {}


def describe_holder(holder: dict[str, Any]) -> str:
    """Describe a holder for people."""
    if not holder:
        return "it does not say where it runs"
    container = f", container {holder['container']}" if holder.get("container") else ""
    started = f", since {holder['started']}" if holder.get("started") else ""
    return f"host {holder.get('host', 'unknown')}{container}, process {holder.get('pid', 'unknown')}{started}"


def _write_holder(video_dir: Path) -> None:
    holder = {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "container": _container(),
        "started": datetime.now().astimezone().isoformat(timespec="seconds"),
    }
    fresh = video_dir / f"{HOLDER_NAME}.new"
    fresh.write_text(json.dumps(holder) + "\n", encoding="utf-8")
    fresh.rename(video_dir / HOLDER_NAME)


def _has_ended(holder: dict[str, Any]) -> bool:
    """Whether the holder ran on this host and has ended, so that only its cameras may still be closing their clips."""
    pid = holder.get("pid")
    if holder.get("host") != socket.gethostname() or not isinstance(pid, int) or pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def _container() -> str | None:
    """Return the id of this container, as ``docker ps`` shows it; None outside of one."""
    try:
        mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    found = re.search(r"/containers/([0-9a-f]{12})[0-9a-f]{52}/", mounts)
    return found[1] if found else None
