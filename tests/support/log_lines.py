"""Log messages as tests search for them: by their codes, so that their wording is written in one place only."""

from __future__ import annotations

import pytest

from shared_utils.log import LogMessage, message_code


def logged(caplog: pytest.LogCaptureFixture, message: LogMessage) -> list[str]:
    """Return the texts of what was logged as `message`."""
    return [record.getMessage() for record in caplog.records if message_code(record) == message.code]
