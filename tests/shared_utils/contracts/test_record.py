"""A record: one line of the detections log."""

from __future__ import annotations

import json

import pytest

from shared_utils.contracts.json_lines import to_line


def test_a_line_is_one_line_of_json():
    line = to_line({"filename": "ä\n.mp4", "ok": True})
    assert "\n" not in line
    assert "ä" in line
    assert json.loads(line)["filename"] == "ä\n.mp4"
    with pytest.raises(ValueError, match="JSON"):
        to_line({"score": float("nan")})
