"""Logging for people who follow ``docker compose logs -f``, or for a collector: one line per message.

Text:  ``14:48:19 INFO  cam1  motion seen (2.1 % of the picture)``; warnings and errors end with their code in brackets
JSON:  ``{"time": "...", "level": "INFO", "code": "motion_seen", "camera": "cam1", "message": "..."}``

Whatever is logged passes a :class:`~shared_utils.redact.Redactor` at the very end, tracebacks included.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterable
from datetime import datetime
from typing import IO, Any

from shared_utils.config.env import LogSettings
from shared_utils.redact import Redactor

CAMERA_FIELD = "camera"


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


class TextFormatter(logging.Formatter):
    """One plain line: time, level, camera (or program part), message."""

    def __init__(self, redact: Redactor) -> None:
        super().__init__()
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        """Return the line for `record`, in local time."""
        when = datetime.fromtimestamp(record.created).astimezone().strftime("%Y-%m-%d %H:%M:%S")
        who = getattr(record, CAMERA_FIELD, None) or record.name.rpartition(".")[2]
        line = f"{when} {record.levelname:<7} {who:<8} {record.getMessage()}"
        code = message_code(record)
        if code and record.levelno >= logging.WARNING:
            line += f" [{code}]"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return self._redact(line)


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def __init__(self, redact: Redactor) -> None:
        super().__init__()
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        """Return the JSON line for `record`."""
        entry: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created).astimezone().isoformat(),
            "level": record.levelname,
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


def setup_logging(settings: LogSettings, secrets: Iterable[str] = (), stream: IO[str] | None = None) -> Redactor:
    """Send every logger's records to `stream` (default stderr), formatted and without `secrets`.

    Returns:
        What takes the secrets out; further ones can be added to it.
    """
    redact = Redactor(secrets)
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter(redact) if settings.format == "json" else TextFormatter(redact))
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(settings.level)
    return redact


def camera_logger(name: str, camera: str) -> logging.LoggerAdapter[logging.Logger]:
    """Return a logger whose lines carry the camera's name."""
    return logging.LoggerAdapter(logging.getLogger(name), {CAMERA_FIELD: camera})
