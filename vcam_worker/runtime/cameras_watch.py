"""Detects changes of ``CAMERAS_FILE`` and reads it; a wrong file is reported once and ignored."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from shared_utils.config.cameras import Camera
from shared_utils.config.cameras_file import cameras_file, cameras_from_toml, read_cameras_file
from shared_utils.errors import SettingError
from shared_utils.redact import url_secrets
from vcam_worker import messages

POLL_S = 1.0
"""Interval between reads. The file is taken once two reads agree, as an editor may write it in steps; it is read whole
each time, which costs no more than comparing its metadata."""
OTHERS_MAY_READ = 0o004

_log = logging.getLogger(__name__)


class CamerasWatch:
    """Reads the cameras again when their file has changed.

    Args:
        values: the environment, with defaults for what a table omits.
        clock: monotonic seconds.
    """

    def __init__(self, values: Mapping[str, str], clock: Callable[[], float] = time.monotonic) -> None:
        self._values = values
        self._clock = clock
        self._next = clock()
        self._seen: bytes | str | None = None
        self._judged: bytes | str | None = None
        self._wrong = self._open = self._cut_off = False

    def changed(self) -> list[Camera] | None:
        """Return all enabled cameras if the file has changed, or is correct again; else None. Does not block."""
        path = cameras_file(self._values)
        if path is None or self._clock() < self._next:
            return None
        self._next = self._clock() + POLL_S
        now = self._content(path)
        before, self._seen = self._seen, now
        if now != before or now == self._judged:
            return None
        self._judged = now
        try:
            if isinstance(now, str):
                raise SettingError(now)  # noqa: TRY301  # reported like any other error in it
            cameras = cameras_from_toml(now, path.name, self._values)
        except SettingError as error:
            _log.error(messages.CAMERAS_FILE_WRONG, error)  # the user's error, not ours
            self._wrong = True
            return None
        if self._wrong:
            _log.info(messages.CAMERAS_FILE_RIGHT_AGAIN, path.name)
            self._wrong = False
        self._check_mode(path, cameras)
        return cameras

    def _content(self, path: Path) -> bytes | str:
        """Return the file's content, or why it cannot be read."""
        try:
            data = read_cameras_file(path)
        except SettingError as error:
            return str(error)
        cut_off = _stat(path, "st_nlink") == 0
        if cut_off and not self._cut_off:
            _log.warning(messages.CAMERAS_FILE_REPLACED)
        self._cut_off = cut_off
        return data

    def _check_mode(self, path: Path, cameras: list[Camera]) -> None:
        secret = any(url_secrets(url) for one in cameras for url in (one.url, one.detect_url) if url)
        is_open = secret and bool((_stat(path, "st_mode") or 0) & OTHERS_MAY_READ)
        if is_open and not self._open:
            _log.warning(messages.CAMERAS_FILE_READABLE_BY_ALL, path.name)
        self._open = is_open


def _stat(path: Path, name: str) -> int | None:
    try:
        return int(getattr(path.stat(), name))
    except OSError:  # it was just removed: the next read reports that
        return None
