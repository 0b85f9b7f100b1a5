"""The live worker's files on the shared volume: its lock, its sign of life, states of cameras, pictures of events."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from shared_utils.contracts.events import Event, append_event, events_log_path, read_last_events
from shared_utils.contracts.json_lines import parse_object
from shared_utils.contracts.sidecars import EVENTS_FOLDER, check_schema
from shared_utils.durable import lock_where_possible
from shared_utils.errors import FormatError, SettingError, VolumeInUse

LIVE_FOLDER = ".live"
LOCK_NAME, ALIVE_NAME = "lock", "alive"
STATE_SUFFIX = ".json"
SCHEMA = 1
MAX_STATE_BYTES = 16 * 2**20
LOCK_WAIT_S = 10.0
"""Time for a live worker that was told to stop to end."""
LOCK_POLL_S = 0.2
TAIL_BYTES = 2**20
"""Part of the log of events that is read at a start, from its end: 3,000 lines, of seconds."""


def alive_path(video_dir: Path) -> Path:
    """Return the path of the file whose time says when the live worker of a volume was last seen to work."""
    return video_dir / LIVE_FOLDER / ALIVE_NAME


class LiveVolume:
    """The shared volume, for one live worker.

    Args:
        video_dir: its folder.

    Raises:
        SettingError: the live worker's own folder cannot be made.
    """

    def __init__(self, video_dir: Path) -> None:
        self.path = video_dir
        self._folder = video_dir / LIVE_FOLDER
        self._lock: int | None = None
        try:
            self._device = video_dir.stat().st_dev
            self._folder.mkdir(exist_ok=True)
        except OSError as error:
            raise SettingError(
                f"VIDEO_DIR is {str(video_dir)!r}, where {LIVE_FOLDER} cannot be made ({error.strerror}): "
                "see to its owner and rights"
            ) from None

    def take_lock(self, wait_s: float = LOCK_WAIT_S, sleep: Callable[[float], None] = time.sleep) -> None:
        """Take the lock that keeps a second live worker away; it ends with this process.

        Raises:
            VolumeInUse: another live worker holds it.
            SettingError: it cannot be opened.
        """
        path = self._folder / LOCK_NAME
        try:
            self._lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            deadline = time.monotonic() + wait_s
            while not self._try_lock(self._lock):
                if time.monotonic() >= deadline:
                    raise VolumeInUse(
                        f"VIDEO_DIR {str(self.path)!r} is in use by another live worker ({_holder(path)}): one serves "
                        "all cameras; stop that one, or give this one a folder of its own"
                    )
                sleep(LOCK_POLL_S)
            about = {"host": socket.gethostname(), "pid": os.getpid(), "since": datetime.now(UTC).isoformat()}
            os.ftruncate(self._lock, 0)
            os.pwrite(self._lock, json.dumps(about).encode(), 0)
        except OSError as error:
            raise SettingError(
                f"VIDEO_DIR {str(self.path)!r} cannot be locked ({error.strerror or error}): see to the rights of "
                f"{LIVE_FOLDER} in it"
            ) from None

    @staticmethod
    def _try_lock(descriptor: int) -> bool:
        try:
            # where there are no locks, nothing but the user keeps a second one away
            lock_where_possible(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):  # CIFS says EACCES
            return False
        return True

    def release(self) -> None:
        """Release the lock."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def remove_partials(self) -> None:
        """Remove what a killed live worker left of the pictures of its events; the lock must be held."""
        # a volume that does not let us is reported when something is to be written
        with suppress(OSError):
            for partial in (self.path / EVENTS_FOLDER).glob(".*.jpg.partial"):
                partial.unlink(missing_ok=True)

    def mark_alive(self) -> None:
        """Note the present time as that of the last sign of life.

        Raises:
            OSError: the volume is away.
        """
        path = alive_path(self.path)
        try:
            os.utime(path, (time.time(), time.time()))
        except FileNotFoundError:
            self._check_device()
            path.parent.mkdir(exist_ok=True)
            path.touch()

    def write_event(self, event: Event, jpeg: bytes | None) -> None:
        """Write an event's picture, then its line; both are there when this returns.

        Raises:
            OSError: they cannot be written.
        """
        self._check_device()
        if event.picture and jpeg is not None:
            path = self.path / event.picture
            path.parent.mkdir(exist_ok=True)
            _replace(path, jpeg)
        append_event(events_log_path(self.path), event)

    def write_state(self, camera: str, text: str) -> None:
        """Replace the state of a camera.

        It is not flushed to disk, as a killed process loses nothing that way; after a power cut the state may be older.

        Raises:
            OSError: it cannot be written.
        """
        self._check_device()
        self._folder.mkdir(exist_ok=True)
        _replace(self._state_path(camera), text.encode())

    def read_state(self, camera: str) -> Mapping[str, Any] | None:
        """Return the state of a camera; None where there is none.

        Raises:
            OSError: the volume is away, or the state cannot be read.
            FormatError: it is damaged, or of a later version.
        """
        self._check_device()
        path = self._state_path(camera)
        try:
            content = path.read_bytes() if path.stat().st_size <= MAX_STATE_BYTES else b""
        except FileNotFoundError:
            return None
        state = parse_object(content)
        if state is None:
            raise FormatError(f"{LIVE_FOLDER}/{path.name} is damaged")
        check_schema(state, path, SCHEMA)
        return state

    def last_events(self) -> Sequence[Event]:
        """Return the last events of the log, oldest first.

        Raises:
            OSError: the volume is away, or the log cannot be read.
        """
        self._check_device()
        return read_last_events(events_log_path(self.path), TAIL_BYTES)

    def _state_path(self, camera: str) -> Path:
        return self._folder / f"{camera}{STATE_SUFFIX}"

    def _check_device(self) -> None:
        """Refuse to write below a mount point whose volume has gone.

        Raises:
            OSError: it has.
        """
        if self.path.stat().st_dev != self._device:
            raise OSError(
                errno.ENODEV,
                f"{self.path} is on another file system than at the start: mount the volume, or restart this program",
            )


def picture_name(event_id: str) -> str:
    """Return the path of an event's picture, from the volume's folder on."""
    return f"{EVENTS_FOLDER}/{event_id}.jpg"


def _holder(path: Path) -> str:
    try:
        about = parse_object(path.read_bytes())
    except OSError:  # locked files cannot be read on CIFS
        about = None
    if not about:
        return "it does not say where it runs"
    return f"host {about.get('host')}, process {about.get('pid')}, since {about.get('since')}"


def _replace(path: Path, content: bytes) -> None:
    """Write a file as a whole, without flushing it to disk: readers see the old one or the new."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise
