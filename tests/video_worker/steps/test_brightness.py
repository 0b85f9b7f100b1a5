"""How bright a clip is, and whether its camera is covered."""

from __future__ import annotations

import numpy as np
import pytest

from video_worker.steps.base import Sample
from video_worker.steps.brightness import Brightness


def frame(time_s: float, value: int) -> Sample:
    return Sample(round(time_s * 10), time_s, np.full((48, 64, 3), value, np.uint8))


@pytest.mark.parametrize(("value", "dark"), [(5, True), (15, True), (40, False), (200, False)])
def test_brightness_tells_a_covered_camera(value, dark):
    step = Brightness(10.0)
    for index in range(10):
        step.take(frame(index / 5, value))
    found = step.result()["brightness"]
    assert found["mean"] == found["min"] == found["max"] == pytest.approx(value, abs=0.1)
    assert found["dark"] is dark
    assert found["values"] == [pytest.approx(value, abs=0.1)] * 2


def test_a_covered_moment_shows_over_time():
    step = Brightness(10.0)
    for time_s, value in ((0.0, 100), (1.0, 100), (2.0, 3), (4.2, 100)):
        step.take(frame(time_s, value))
    found = step.result()["brightness"]
    assert found["values"] == [100, 100, 3, None, 100]
    assert found["dark"] is False


def test_brightness_of_a_long_clip_takes_no_more_room():
    step = Brightness(3600.0)
    for second in range(0, 3600, 2):
        step.take(frame(float(second), 100))
    assert len(step.result()["brightness"]["values"]) == 60
    assert Brightness(10.0).result() == {}


def test_the_log_asks_about_a_dark_picture():
    assert "covered" in Brightness.remark({"brightness": {"dark": True}})
    assert Brightness.remark({"brightness": {"dark": False}}) == ""
    assert Brightness.remark({}) == ""
