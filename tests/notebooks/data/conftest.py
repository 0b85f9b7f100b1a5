"""Fixtures of the data frames' tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared_utils.contracts.detections_log import log_path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return log_path(tmp_path)
