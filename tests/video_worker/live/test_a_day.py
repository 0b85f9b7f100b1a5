"""A day in front of a camera, on a clock that runs fast: memory and states stay as they are."""

from __future__ import annotations

import gc
import json
from pathlib import Path

import numpy as np
import psutil
import pytest

from shared_utils.contracts.events import Event, events_log_path, read_events
from shared_utils.contracts.job_options import Options
from shared_utils.queue.live_boxes import LiveBoxes
from tests.support.network.frame_server import jpeg_of
from tests.video_worker.conftest import SquareDetector, SquareModels
from video_worker.live.camera import Analysis, LiveCamera
from video_worker.live.frame_parts import LiveFrame
from video_worker.live.journal import Journal
from video_worker.live.plans import CameraFacts, Plan
from video_worker.live.volume import LiveVolume
from video_worker.models.registry import LoadedModel

BEGAN = 1_771_804_800.0
HOURS, VISITS_PER_HOUR, FRAMES = 24, 20, 25
WARM_UP_HOURS = 3
GROWTH_MB = 8.0


class Nobody:
    """Takes boxes and events, and forgets them."""

    def publish(self, *_: Event | str | LiveBoxes) -> None:
        """Forget it."""


def _frames() -> list[bytes]:
    """Return the pictures of a visit: a square walks through."""
    found = []
    for step in range(FRAMES):
        picture = np.full((90, 160, 3), 90, np.uint8)
        x = 10 + 4 * step
        picture[30:60, x : x + 24] = (40, 60, 230)
        found.append(jpeg_of(picture, 95))
    return found


@pytest.mark.slow
def test_a_day_of_visits_and_pauses_takes_no_more_memory_than_its_first_hours(tmp_path: Path) -> None:
    now = [BEGAN]
    volume, pictures = LiveVolume(tmp_path), _frames()
    process, used_mb, sizes = psutil.Process(), [], []
    with Journal(volume, Nobody()) as journal:
        journal.start()
        analysis = Analysis(
            LoadedModel("squares", "0" * 64, SquareDetector()),
            SquareModels(),
            Options(),
            journal,
            Nobody(),
            now=lambda: now[0],
            clock=lambda: now[0],
        )
        with LiveCamera(Plan("door", CameraFacts("on")), analysis) as camera:
            for _ in range(HOURS):
                for _ in range(VISITS_PER_HOUR):
                    for jpeg in pictures:
                        camera.analyse(LiveFrame(jpeg, now[0]))
                        now[0] += 0.2
                    now[0] += 3600 / VISITS_PER_HOUR - FRAMES / 5
                gc.collect()
                used_mb.append(process.memory_info().rss / 2**20)
                camera.save()
                sizes.append(len(json.dumps(volume.read_state("door"))))
    assert camera.analysed == HOURS * VISITS_PER_HOUR * FRAMES
    assert max(used_mb[WARM_UP_HOURS:]) - used_mb[WARM_UP_HOURS] < GROWTH_MB, used_mb
    assert max(sizes) < 10_000
    seen = [event for event in read_events(events_log_path(tmp_path)) if event.value == "seen"]
    # each visit is another one: who walked through is not where the next one comes in
    assert len(seen) == HOURS * VISITS_PER_HOUR
