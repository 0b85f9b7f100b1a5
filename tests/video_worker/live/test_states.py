"""States that a camera goes on from: of another model, after another clock, damaged, of a later version."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from shared_utils.config.zones.file import parse_zones
from shared_utils.contracts.events import Event
from shared_utils.contracts.job_options import Options
from shared_utils.queue.live_boxes import LiveBoxes
from tests.support.network.frame_server import jpeg_of
from tests.video_worker.conftest import SquareDetector, SquareModels
from video_worker.live.camera import Analysis, LiveCamera
from video_worker.live.frame_parts import LiveFrame
from video_worker.live.plans import CameraFacts, Plan
from video_worker.models.registry import LoadedModel
from video_worker.steps.base import Step
from video_worker.steps.context import StepContext

BEGAN = 1_771_804_800.0
LEFT_X, RIGHT_X = 20, 110
HOUR_S = 3600.0
ZONES = parse_zones(
    json.dumps(
        {
            "schema": 1,
            "camera": "door",
            "revision": 1,
            "zones": [
                {
                    "name": "gate",
                    "points": [[0.5, 0], [1, 0], [1, 1], [0.5, 1]],
                    "tasks": [{"do": "objects", "when": "live"}],
                }
            ],
        }
    ).encode()
)


class Site:
    """A camera with one square, its clock, and what was reported."""

    def __init__(self) -> None:
        self.now = BEGAN
        self.capture_behind_s = 0.0
        self.events: list[Event] = []
        self.saved: Mapping[str, Any] | None = None

    def add(self, event: Event, jpeg: bytes | None = None) -> None:
        del jpeg
        self.events.append(event)

    def save(self, camera: str, state: str) -> None:
        del camera
        self.saved = json.loads(state)

    def publish(self, camera: str, boxes: LiveBoxes) -> None:
        """Nobody watches."""

    def camera(self, plan: Plan, model: str = "0", events: Sequence[Event] = ()) -> LiveCamera:
        loaded = LoadedModel("squares", model * 64, SquareDetector())
        analysis = Analysis(loaded, SquareModels(), Options(), self, self, now=lambda: self.now, clock=lambda: self.now)
        return LiveCamera(plan, analysis, self.saved, events)

    def show(self, camera: LiveCamera, seconds: float, *places: int) -> None:
        for step in range(round(seconds * 5)):
            x = places[0] if len(places) == 1 else int(np.interp(step / 5 / seconds, (0, 1), places)) if places else -1
            picture = np.full((90, 160, 3), 90, np.uint8)
            if x >= 0:
                picture[30:60, x : x + 24] = (40, 60, 230)
            camera.analyse(LiveFrame(jpeg_of(picture, 95), self.now - self.capture_behind_s))
            self.now += 0.2

    @property
    def reported(self) -> list[object]:
        return [event.value for event in self.events]


@pytest.fixture
def site() -> Site:
    return Site()


PLAN = Plan("door", CameraFacts("on"))
WITH_ZONE = Plan("door", CameraFacts("on"), ZONES)


def test_an_object_that_another_model_finds_elsewhere_is_new(site: Site) -> None:
    with site.camera(PLAN) as camera:
        site.show(camera, 1, LEFT_X)
        camera.save()
    site.now += 60
    with site.camera(PLAN, model="1") as camera:
        site.show(camera, 1, RIGHT_X)
    assert [event.more["track"] for event in site.events] == [1, 2]


@pytest.mark.parametrize("restart", [True, False])
def test_objects_go_in_time_though_the_clock_was_set_back_before(site: Site, restart: bool) -> None:
    with site.camera(PLAN) as camera:
        site.show(camera, 1, LEFT_X)
        site.now -= HOUR_S
        site.show(camera, 1, LEFT_X)
        camera.save()
        if not restart:
            camera.replan(WITH_ZONE)
        with site.camera(WITH_ZONE) if restart else camera as going_on:
            # it leaves, and is forgotten; the next one in the same place is new
            site.show(going_on, 40)
            site.show(going_on, 1, LEFT_X)
    assert site.reported == ["seen", "seen"]


@pytest.mark.parametrize("restart", [True, False])
def test_who_is_inside_stays_inside_though_the_clock_was_set_back_before(site: Site, restart: bool) -> None:
    with site.camera(WITH_ZONE) as camera:
        site.show(camera, 1)
        site.show(camera, 3, LEFT_X, RIGHT_X)
        site.now -= HOUR_S
        site.show(camera, 1, RIGHT_X)
        camera.save()
        if not restart:
            camera.replan(Plan("door", CameraFacts("on", ("square",)), ZONES))
        with site.camera(WITH_ZONE) if restart else camera as going_on:
            site.show(going_on, 10, RIGHT_X)
            assert site.reported == ["seen", "entered"]
            site.show(going_on, 3, RIGHT_X, LEFT_X)
    assert site.reported == ["seen", "entered", "left"]
    assert site.events[-1].more["dwell_s"] == pytest.approx(13.5, abs=2)


def test_events_after_a_state_are_known_though_the_clock_was_set_back_before(site: Site) -> None:
    with site.camera(WITH_ZONE) as camera:
        site.show(camera, 1, LEFT_X)
        site.now -= HOUR_S
        site.show(camera, 1, LEFT_X)
        camera.save()
        saved = site.saved
        site.show(camera, 2, LEFT_X, RIGHT_X)
    assert site.reported == ["seen", "entered"]
    # killed: the state is older than the event
    site.saved = saved
    with site.camera(WITH_ZONE, events=list(site.events)) as camera:
        site.show(camera, 2, RIGHT_X)
    assert site.reported == ["seen", "entered"]


@pytest.mark.parametrize(
    "damage",
    [
        {"began": 1e300, "last_s": 1e300},
        {"began": -1e12},
        {"began": float("nan")},
        {"last_at": float("inf")},
        {"last_s": 1e200},
        {"began": "x"},
        {"began": 10**400},
        {"steps": [1]},
    ],
)
def test_a_damaged_state_holds_no_camera_up(site: Site, damage: Mapping[str, Any]) -> None:
    with site.camera(PLAN) as camera:
        site.show(camera, 1, LEFT_X)
        camera.save()
    assert site.saved
    site.saved = {**site.saved, **damage}
    with site.camera(PLAN) as camera:
        site.show(camera, 1, RIGHT_X)
        camera.save()
    assert abs(site.events[-1].at.timestamp() - site.now) < HOUR_S


def test_a_state_from_the_future_reports_what_comes_now(site: Site) -> None:
    site.now += 10 * 365 * 24 * HOUR_S
    with site.camera(WITH_ZONE) as camera:
        site.show(camera, 1, LEFT_X)
        camera.save()
    site.now = BEGAN
    with site.camera(WITH_ZONE) as camera:
        site.show(camera, 40)
        site.show(camera, 2, LEFT_X, RIGHT_X)
    assert site.reported == ["seen", "seen", "entered"]
    assert all(abs(event.at.timestamp() - site.now) < HOUR_S for event in site.events[1:])


@pytest.mark.parametrize("behind_s", [HOUR_S, -HOUR_S])
def test_what_was_reported_before_the_first_state_is_known_though_captures_clock_is_another(
    site: Site, behind_s: float
) -> None:
    site.now, site.capture_behind_s = time.time(), behind_s
    with site.camera(PLAN) as camera:
        site.show(camera, 0.4, LEFT_X)
    assert site.reported == ["seen"]
    site.now, site.saved = site.now + 3, None
    with site.camera(PLAN, events=list(site.events)) as camera:
        site.show(camera, 1, LEFT_X)
    assert site.reported == ["seen"]


def test_steps_begin_anew_with_a_reference_picture_that_was_replaced(site: Site) -> None:
    made: list[StepContext] = []

    class Reader(Step):
        @classmethod
        def create(cls, context: StepContext) -> Sequence[Step]:
            made.append(context)
            return []

    loaded = LoadedModel("squares", "0" * 64, SquareDetector())
    analysis = Analysis(loaded, SquareModels(), Options(), site, site, steps=[Reader])
    with LiveCamera(WITH_ZONE, analysis) as camera:
        camera.replan(replace(WITH_ZONE))
        assert len(made) == 1
        camera.replan(replace(WITH_ZONE, pictures=((1, 2),)))
        assert len(made) == 2
