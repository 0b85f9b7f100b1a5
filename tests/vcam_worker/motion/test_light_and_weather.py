"""Motion in encoded video, through the very code that runs live: what must trigger a clip, and what must not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shared_utils.config.cameras import MotionSettings
from tests.support.footage import lighting
from tests.support.footage.lighting import Draw, encode, with_person
from vcam_worker.recording.clip_logic import ClipRules
from vcam_worker.replay import replay

pytestmark = pytest.mark.slow

RULES = ClipRules(clip_seconds=10, pre_roll_seconds=2)
MINUTES_10 = 600.0
WIDTHS_IN = 38 / lighting.WIDTH
"""Share of the picture's width that the figure takes: it is whole this far in."""


def triggers(path: Path) -> list[float]:
    lines: list[dict[str, Any]] = []
    replay(path, MotionSettings(), RULES, lines.append, None)
    return [line["trigger_s"] for line in lines]


@pytest.mark.parametrize("noise", [3.0, 8.0])
def test_ten_minutes_of_sensor_noise_and_pulsing_keyframes(tmp_path: Path, noise: float) -> None:
    video = encode(tmp_path / "v.mp4", lighting.still, MINUTES_10, fps=5, noise=noise, bit_rate=120_000)
    assert triggers(video) == []


def test_ten_minutes_of_rain(tmp_path: Path) -> None:
    assert triggers(encode(tmp_path / "v.mp4", lighting.rain, MINUTES_10, fps=5)) == []


@pytest.mark.parametrize(
    "draw", [lighting.light_on, lighting.light_off, lighting.lamp, lighting.infrared, lighting.cloud]
)
def test_light_alone_triggers_no_clip(tmp_path: Path, draw: Draw) -> None:
    assert triggers(encode(tmp_path / "v.mp4", draw, 50)) == []


@pytest.mark.parametrize("speed", [0.03, 0.1, 0.3, 0.8])
def test_a_person_of_one_percent_is_seen_within_half_a_second(tmp_path: Path, speed: float) -> None:
    video = encode(tmp_path / "v.mp4", with_person(lighting.still, 10, speed), 16)
    [first, *_] = triggers(video)
    assert 10 <= first <= 10 + WIDTHS_IN / speed + 0.5


@pytest.mark.parametrize(
    ("draw", "enters"),
    [
        (lighting.light_on, 19.8),
        (lighting.light_on, 20.5),
        (lighting.light_off, 20.5),
        (lighting.infrared, 21.6),
        (lighting.cloud, 18.0),
    ],
)
def test_who_moves_during_a_change_of_light_or_after_it_is_seen_within_two_seconds(
    tmp_path: Path, draw: Draw, enters: float
) -> None:
    video = encode(tmp_path / "v.mp4", with_person(draw, enters, 0.15), 30)
    [first, *_] = triggers(video)
    assert enters <= first <= enters + 2
