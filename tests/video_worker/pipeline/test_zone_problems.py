"""Problems of zones are logged once each, and those of one zone hide no others."""

from __future__ import annotations

import logging

import pytest

from shared_utils.log import message_code
from video_worker.pipeline.zone_tools import MAX_PROBLEMS, MAX_REASONS, ZoneProblems


@pytest.fixture
def problems(caplog) -> ZoneProblems:
    caplog.set_level(logging.WARNING)
    return ZoneProblems()


def lines(caplog) -> list[str]:
    return [one.getMessage() for one in caplog.records if message_code(one) == "zone_not_read"]


def test_a_problem_is_logged_once_per_camera_and_zone(problems, caplog):
    for _ in range(3):
        for camera in ("one", "two"):
            problems.report(camera, "zone gate", "it is dark")
    assert len(lines(caplog)) == 2


def test_a_zone_with_a_new_reason_each_time_hides_no_others(problems, caplog):
    for number in range(2 * MAX_PROBLEMS):
        problems.report("one", "zone gate", f"try again in {number} s")
    assert len(lines(caplog)) == MAX_REASONS
    problems.report("one", "zone yard", "it is dark")
    assert "yard" in lines(caplog)[-1]
