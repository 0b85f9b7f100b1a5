"""Lamps and pages of a drawn panel, through the steps, also while somebody knocks against the camera."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import pytest

from camera_emulator.panel.scene import Nudge, PanelScene
from camera_emulator.panel.zones_file import write_zones_file
from shared_utils.config.zones.file import parse_zones
from shared_utils.contracts.events import Event
from shared_utils.contracts.job_options import Options
from shared_utils.log import message_code
from shared_utils.media.picture import Picture
from shared_utils.media.picture_files import write_picture
from tests.video_worker.values.cameras import coded
from video_worker.pipeline.runner import StepRunner
from video_worker.pipeline.zone_tools import ZoneTools
from video_worker.steps.base import Sample
from video_worker.steps.context import Source, StepContext, StepEvent
from video_worker.steps.values.align import Align
from video_worker.steps.values.light import Light
from video_worker.steps.values.page import PageWatch
from video_worker.steps.values.pages import Pages
from video_worker.steps.zones.frame_values import pages_of, placement_of

STEPS = (Align, Pages, Light, PageWatch)
SIZE = (640, 360)
FPS = 5
SEED = 3
BEGAN = datetime(2026, 2, 23, 14, 48, 19, tzinfo=UTC)


@cache
def scene_of(nudges: Sequence[Nudge]) -> PanelScene:
    return PanelScene(SEED, SIZE, nudges=nudges, glare=False)


@lru_cache(maxsize=300)
def frame_of(number: int, nudges: Sequence[Nudge] = ()) -> Picture:
    """Return a frame of the panel; most tests take the same ones."""
    return coded(scene_of(nudges).frame(number / FPS), noise=0)


class Panel:
    """A panel in front of a camera, and its zones.

    Attributes:
        events: what was emitted so far.
        content: of the file of zones.
    """

    def __init__(self, folder: Path, nudges: Sequence[Nudge] = ()) -> None:
        self.folder = folder
        self.scene = scene_of(tuple(nudges))
        write_zones_file(scene_of(()), folder / "press.json")
        self.content: dict[str, Any] = json.loads((folder / "press.json").read_text())
        self.events: list[StepEvent] = []
        self.tools = ZoneTools()

    def runner(self, live: bool = False, began: datetime = BEGAN) -> StepRunner:
        zones = parse_zones(json.dumps(self.content).encode())
        source = Source(began, None if live else 60.0)
        context = StepContext(
            source, Options(), camera="press", zones=zones, zones_dir=self.folder, emit=self.events.append
        )
        return StepRunner(self.tools.added_to(context), STEPS)

    def sample(self, time_s: float, since_s: float = 0.0) -> Sample:
        number = round(time_s * FPS)
        return Sample(number, time_s - since_s, frame_of(number, self.scene.nudges))

    def values(self, zone: str) -> list[str | None]:
        return [str(event.value) if event.value is not None else None for event in self.events if event.zone == zone]

    def truth(self, zone: str, end_s: float) -> list[str | None]:
        """Return what a zone shows one after the other in frames in which a person is sure of it."""
        found: list[str | None] = []
        for number in range(round(end_s * FPS) + 1):
            reading = self.scene.truth(number / FPS)[zone]
            if reading.state == "shown" and (not found or found[-1] != reading.value):
                found.append(reading.value)
        return found


def feed(panel: Panel, runner: StepRunner, end_s: float, start_s: float = 0.0, since_s: float = 0.0) -> list[Sample]:
    frames = range(round(start_s * FPS), round(end_s * FPS) + 1)
    return [done for number in frames for done in runner.feed(panel.sample(number / FPS, since_s))]


@pytest.fixture
def panel(tmp_path: Path) -> Panel:
    return Panel(tmp_path)


def test_lamps_and_pages_are_reported_as_they_change(panel):
    feed(panel, panel.runner(), 15)
    for zone in ("alarm", "run", "screen"):
        assert panel.values(zone) == panel.truth(zone, 15), zone
    assert {event.type for event in panel.events} == {"light", "page"}
    light = next(event for event in panel.events if event.zone == "alarm")
    assert light.more["level"] > 0
    assert next(event for event in panel.events if event.zone == "screen").more["score"] > 0.9


def test_pages_are_known_in_nearly_every_frame(panel):
    wrong = []
    for sample in feed(panel, panel.runner(), 15):
        reading = panel.scene.truth(sample.time_s)["screen"]
        if reading.state == "shown" and pages_of(sample) != ({reading.value} if reading.value else frozenset()):
            wrong.append(sample.time_s)
    # a screen that goes dark is believed in the second frame
    assert len(wrong) <= 2, wrong


def test_a_camera_that_is_nudged_shows_the_same(tmp_path):
    panel = Panel(tmp_path, [Nudge(4, 0.05, -0.03, 3.0, 1.03), Nudge(11, -0.08, 0.02, -7.0, 0.96)])
    runner = panel.runner()
    samples = feed(panel, runner, 16)
    for zone in ("alarm", "run", "screen"):
        assert panel.values(zone) == panel.truth(zone, 16), zone
    for sample in samples:
        for name in ("pressure", "order"):
            zone = next(one for one in panel.content["zones"] if one["name"] == name)
            placed = placement_of(sample).place(zone["points"])
            assert placed is not None
            for corner, expected in zip(placed, panel.scene.places(sample.time_s)[name], strict=True):
                assert corner == pytest.approx(expected, abs=0.0015)
    placement: Any = runner.results()["placement"]
    assert placement["turn_deg"] == pytest.approx(-4.0, abs=0.1)
    assert placement["lost_s"] == 0


def test_one_that_is_moved_too_far_is_reported_and_not_read(tmp_path, caplog):
    panel = Panel(tmp_path, [Nudge(4, 0.5, 0.1), Nudge(17, -0.5, -0.1)])
    with caplog.at_level(logging.INFO):
        runner = panel.runner(live=True)
        feed(panel, runner, 22)
    codes = [message_code(one) for one in caplog.records]
    assert codes == ["camera_moved", "camera_found_again"]
    assert "python -m shared_utils.zones reference press" in caplog.records[0].getMessage()
    for zone in ("alarm", "run", "screen"):
        lost = [event for event in panel.events if event.zone == zone and 4 <= event.time_s < 17]
        assert [(event.value, event.more["reason"]) for event in lost] == [(None, "camera_moved")], zone
        assert panel.values(zone)[-1] == panel.truth(zone, 22)[-1]


def test_a_clip_says_how_long_the_camera_was_lost(tmp_path):
    panel = Panel(tmp_path, [Nudge(2, 0.5)])
    runner = panel.runner()
    feed(panel, runner, 5)
    record: Any = runner.results()
    assert record["placement"] == {
        "shift": None, "turn_deg": None, "zoom": None, "lost_s": pytest.approx(3.0, abs=0.5),
    }  # fmt: skip
    assert "was the camera moved?" in Align.remark(record)
    assert Align.remark({}) == ""


@pytest.mark.parametrize("break_it", ["missing", "no picture", "blank", "other proportions"])
def test_a_reference_that_is_of_no_use_is_reported_once_and_the_others_go_on(panel, caplog, break_it):
    for name in ("press.reference.png", "press.alarm.png"):
        path = panel.folder / name
        path.unlink()
        if break_it == "no picture":
            path.write_bytes(b"GIF89a")
        elif break_it != "missing":
            blank = panel.scene.frame(0)[:, : 500 if break_it == "other proportions" else None]
            write_picture(path, blank * 0 if break_it == "blank" else blank)
    with caplog.at_level(logging.INFO):
        for _ in range(2):
            runner = panel.runner()
            samples = feed(panel, runner, 3)
            runner.close()
    said = [one.getMessage() for one in caplog.records]
    assert sum("press.reference.png" in one for one in said) == 1, said
    if break_it != "other proportions":
        assert sum("press.alarm.png" in one and "--page alarm" in one for one in said) == 1, said
    assert placement_of(samples[-1]).matrix is None
    assert panel.values("screen")[-1] == panel.truth("screen", 3)[-1]
    assert "placement" not in runner.results()


def test_the_page_alone_and_pictures_of_another_size_are_references_too(panel):
    """One as somebody cuts it out of a picture; the others of a stream of half the size."""
    scene = panel.scene
    corners = scene.places()["screen"]
    left, top = (min(point[axis] for point in corners) * SIZE[axis] for axis in (0, 1))
    right, bottom = (max(point[axis] for point in corners) * SIZE[axis] for axis in (0, 1))
    picture = scene.frame(scene.moment_of("recipe"))[round(top) : round(bottom), round(left) : round(right)]
    write_picture(panel.folder / "press.recipe.png", picture)
    half = PanelScene(SEED, (SIZE[0] // 2, SIZE[1] // 2), glare=False)
    write_picture(panel.folder / "press.alarm.png", half.frame(scene.moment_of("alarm")))
    feed(panel, panel.runner(), 15)
    assert panel.values("screen") == panel.truth("screen", 15)


def test_what_was_reported_is_not_reported_again_after_a_restart(panel):
    runner = panel.runner(live=True)
    feed(panel, runner, 8)
    states = json.loads(json.dumps(runner.states()))
    before = len(panel.events)
    feed(panel, runner, 8.6, 8.2)
    missed = [
        Event(event.type, BEGAN + timedelta(seconds=event.time_s), zone=event.zone, value=event.value, more=event.more)
        for event in panel.events[before:]
    ]
    later = panel.runner(live=True, began=BEGAN + timedelta(seconds=9))
    assert later.resume(states) == []
    later.catch_up(missed)
    feed(panel, later, 15, 9, since_s=9)
    for zone in ("alarm", "run", "screen"):
        assert panel.values(zone) == panel.truth(zone, 15), zone


@pytest.mark.parametrize("live", [False, True])
def test_steps_take_part_only_where_they_are_wanted(panel, live):
    def names() -> set[str]:
        return {name.split()[0] for name in panel.runner(live).seconds()}

    assert names() == {"Align", "Pages", "Light", "PageWatch"}
    panel.content["zones"] = [one for one in panel.content["zones"] if one["name"] in ("alarm", "message")]
    assert names() == {"Align", "Light"}
    for zone in panel.content["zones"]:
        zone["tasks"] = [{"do": "objects", "when": "both"}]
    assert names() == set()
    # who depends on a page needs to know it
    panel.content["zones"][0]["tasks"][0]["page"] = "alarm"
    assert names() == {"Align", "Pages"}
