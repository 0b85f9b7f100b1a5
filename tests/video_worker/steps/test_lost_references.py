"""Reference pictures that are gone when a program goes on: what was displayed cannot be told any more."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from shared_utils.config.zones.file import parse_zones
from shared_utils.contracts.job_options import Options
from video_worker.pipeline.runner import StepRunner
from video_worker.steps.base import Sample
from video_worker.steps.context import Source, StepContext, StepEvent
from video_worker.steps.values.page import PageWatch
from video_worker.steps.values.pages import Pages
from video_worker.steps.zones.frame_values import PAGES

CORNERS = [[0.1, 0.1], [0.9, 0.1], [0.9, 0.9], [0.1, 0.9]]
SIZE = (320, 180)


def frame(seed: int) -> Any:
    """Return a frame that shows one of many pages."""
    small = np.random.default_rng(seed).integers(0, 256, (9, 16, 3), dtype=np.uint8)
    return cv2.resize(small, SIZE, interpolation=cv2.INTER_NEAREST)


@pytest.mark.parametrize("left", [["b"], []], ids=["one is left", "none is left"])
def test_a_page_without_its_reference_picture_is_not_displayed_after_a_restart(tmp_path: Path, left: list[str]) -> None:
    names = {"a": 1, "b": 2}
    for name, seed in names.items():
        cv2.imwrite(str(tmp_path / f"{name}.png"), frame(seed))
    pages = [{"name": name, "points": CORNERS, "reference": f"{name}.png"} for name in names]
    tasks = [{"do": "page", "when": "live"}, {"do": "objects", "when": "live", "page": "a"}]
    zones = [{"name": "screen", "points": CORNERS, "tasks": tasks}]
    file = json.dumps({"schema": 1, "camera": "panel", "pages": pages, "zones": zones}).encode()
    events: list[StepEvent] = []

    def runner() -> StepRunner:
        context = StepContext(
            Source(datetime(2026, 2, 23, tzinfo=UTC)),
            Options(),
            camera="panel",
            zones=parse_zones(file),
            zones_dir=tmp_path,
            emit=events.append,
        )
        return StepRunner(context, (Pages, PageWatch))

    before = runner()
    for second in range(3):
        [sample] = before.feed(Sample(second, float(second), frame(1)))
    assert sample.values[PAGES] == {"a"}
    assert [event.value for event in events] == ["a"]
    for name in names.keys() - set(left):
        (tmp_path / f"{name}.png").unlink()
    after = runner()
    assert after.resume(json.loads(json.dumps(before.states()))) == []
    for second in range(3, 6):
        [sample] = after.feed(Sample(second, float(second), frame(1)))
    assert sample.values[PAGES] == frozenset()
    assert events[-1].value is None
    assert events[-1].more.get("reason") == (None if left else "error")
