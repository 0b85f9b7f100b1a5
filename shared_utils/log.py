"""Logging for people who follow ``docker compose logs -f``, or for a collector: one line per message.

Text:  ``14:48:19 INFO  cam1  clip saved: 20260223-144819-cam1.mp4 (30.0 s, 7.5 MB)``; warnings and errors end with
       their code in brackets
JSON:  ``{"time": "...", "level": "INFO", "program": "capture", "code": "clip_saved", "camera": "cam1", ...}``

Whatever is logged passes a :class:`~shared_utils.redact.Redactor` at the very end, tracebacks included.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterable
from datetime import datetime
from typing import IO, Any

from shared_utils.config.log import LogSettings
from shared_utils.redact import Redactor

CAMERA_FIELD = "camera"

OUR_PACKAGES = frozenset({"shared_utils", "vcam_worker", "video_worker", "camera_emulator", "notebooks", "__main__"})


class LogMessage(str):
    """The text of a log message, with a stable code: tests, docs and collectors rely on the code, not on the wording.

    Programs keep theirs in a module of their own, such as :mod:`vcam_worker.messages`, and log them as usual::

        NO_PICTURE = LogMessage("no_picture", "no picture: %s; trying again until there is one")
        logger.warning(NO_PICTURE, reason)

    Attributes:
        code: lower case with underscores, unique.
    """

    __slots__ = ("code",)

    code: str

    def __new__(cls, code: str, text: str) -> LogMessage:
        """Return the message `text`, with placeholders as ``%`` takes them, known as `code`."""
        message = super().__new__(cls, text)
        message.code = code
        return message


def message_code(record: logging.LogRecord) -> str | None:
    """Return the code of a record's message; None for one that has no code, such as a library's."""
    return record.msg.code if isinstance(record.msg, LogMessage) else None


_CONTROL = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\n\t"}
"""Control characters as text: what a camera or a module says must not steer the terminal that shows it."""


class TextFormatter(logging.Formatter):
    """One plain line: time, level, camera, program or library, message."""

    def __init__(self, redact: Redactor, program: str) -> None:
        super().__init__()
        self._redact = redact
        self._program = program

    def format(self, record: logging.LogRecord) -> str:
        """Return the line for `record`, in local time."""
        when = datetime.fromtimestamp(record.created).astimezone().strftime("%Y-%m-%d %H:%M:%S")
        package = record.name.partition(".")[0]
        who = getattr(record, CAMERA_FIELD, None) or (self._program if package in OUR_PACKAGES else package)
        line = f"{when} {record.levelname:<7} {who:<8} {record.getMessage()}"
        code = message_code(record)
        if code and record.levelno >= logging.WARNING:
            line += f" [{code}]"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return self._redact(line).translate(_CONTROL)


class JsonFormatter(logging.Formatter):
    """One JSON object per line."""

    def __init__(self, redact: Redactor, program: str) -> None:
        super().__init__()
        self._redact = redact
        self._program = program

    def format(self, record: logging.LogRecord) -> str:
        """Return the JSON line for `record`."""
        entry: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created).astimezone().isoformat(),
            "level": record.levelname,
            "program": self._program,
            "logger": record.name,
            "code": message_code(record),
            "message": self._redact(record.getMessage()),
        }
        camera = getattr(record, CAMERA_FIELD, None)
        if camera:
            entry[CAMERA_FIELD] = camera
        if record.exc_info:
            entry["traceback"] = self._redact(self.formatException(record.exc_info))
        return json.dumps(entry, ensure_ascii=False)


def setup_logging(
    settings: LogSettings, program: str, secrets: Iterable[str] = (), stream: IO[str] | None = None
) -> Redactor:
    """Send every logger's records to `stream` (default stderr), formatted and without `secrets`.

    Args:
        settings: level and format.
        program: stands in lines of ours that are about no camera, such as ``capture``.
        secrets: texts that no line may hold.
        stream: where to; stderr by default.

    Returns:
        What takes the secrets out; further ones can be added to it.
    """
    redact = Redactor(secrets)
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        JsonFormatter(redact, program) if settings.format == "json" else TextFormatter(redact, program)
    )
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(settings.level)
    return redact


def camera_logger(name: str, camera: str) -> logging.LoggerAdapter[logging.Logger]:
    """Return a logger whose lines carry the camera's name."""
    return logging.LoggerAdapter(logging.getLogger(name), {CAMERA_FIELD: camera})
