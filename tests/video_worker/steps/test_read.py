"""Displays that are read, in clips and live, by the engine that is the default."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from shared_utils.config.zones.file import parse_zones
from shared_utils.contracts.detections_log import log_path, read_records
from shared_utils.contracts.events import Event, clip_events_path, read_clip_events
from shared_utils.contracts.job_options import Options
from shared_utils.contracts.zones import write_zones, zones_path
from shared_utils.log import message_code
from tests.support.footage.video import CLIP_NAME, write_video
from tests.support.network.frame_server import jpeg_of
from tests.video_worker.conftest import SquareDetector, SquareModels, now
from tests.video_worker.steps.displays import SIZE, displays, read_zones
from video_worker.jobs import JobFacts, WorkerContext, process_clip
from video_worker.live.camera import Analysis, LiveCamera
from video_worker.live.frame_parts import LiveFrame
from video_worker.live.plans import CameraFacts, Plan
from video_worker.models.registry import LoadedModel
from video_worker.pipeline.analysis import Analyst
from video_worker.pipeline.clip_zones import ClipZones
from video_worker.pipeline.record import describe
from video_worker.pipeline.work_pool import WorkPool
from video_worker.pipeline.zone_tools import ZoneTools
from video_worker.readers.registry import ReaderRegistry
from video_worker.readers.settings import ReaderSettings

BEGAN = 1_771_804_800.0
RUN_AT = datetime(2026, 2, 23, 14, 49, tzinfo=UTC)


@pytest.fixture(scope="module")
def tools() -> Iterator[ZoneTools]:
    """The engines, and threads for them."""
    with WorkPool(2) as pool:
        yield ZoneTools(ReaderRegistry(ReaderSettings()), pool=pool)


def texts_at(time_s: float) -> Sequence[str]:
    """Return what the displays show: one rises each second, one stands still, one fails for some seconds."""
    return f"{12 + int(time_s) / 10:.1f}", "P-101", "" if 2 <= time_s < 4 else "77"


class Volume:
    """A volume with a clip of displays, and zones that read them."""

    def __init__(self, folder: Path, tools: ZoneTools) -> None:
        self.folder = folder
        folder.mkdir()
        write_video(folder / CLIP_NAME, lambda time_s: displays(*texts_at(time_s)), seconds=6)
        self.tools = tools

    def run(self, job: str, *tasks: dict[str, Any]) -> tuple[dict[str, Any], list[Event]]:
        write_zones(zones_path(self.folder, "cam1"), {"zones": read_zones(*tasks)})
        analyst = Analyst(SquareModels(), 2, now, zones=ClipZones(self.folder), tools=self.tools)
        facts = JobFacts(job, RUN_AT, None, lambda done, total: None, lambda: False)
        run_id = process_clip(WorkerContext(self.folder, Options(), analyst, now), facts, filename=CLIP_NAME)["run_id"]
        record: Any = next(one for one in read_records(log_path(self.folder)) if one["run_id"] == run_id)
        return record, read_clip_events(clip_events_path(self.folder, CLIP_NAME, run_id))


@pytest.fixture
def volume(tmp_path: Path, tools: ZoneTools) -> Volume:
    return Volume(tmp_path / "video", tools)


def test_displays_in_a_clip(volume):
    tasks: Any = ({"number": {"unit": "bar", "max": 20}, "pattern": r"\d+\.\d"}, {}, {"pattern": r"\d\d"})
    record, events = volume.run("first", *tasks)
    assert {name: (zone["readings"], zone["unreadable"]) for name, zone in record["zones"].items()} == {
        "pressure": (6, 0), "flow": (6, 0), "level": (4, 2),
    }  # fmt: skip
    assert "pressure: 6 readings, 0 unreadable; flow: 6 readings, 0 unreadable; level: 4 readings" in describe(record)
    found = {zone: [(one.t, one.value) for one in events if one.zone == zone] for zone in record["zones"]}
    assert found == {
        "pressure": [(float(second), f"{12 + second / 10:.1f}") for second in range(6)],
        "flow": [(0.0, "P-101")],
        "level": [(0.0, "77"), (2.0, None), (4.0, "77")],
    }
    first = events[0]
    assert (first.type, first.source, first.camera, first.filename) == ("reading", "clip", "cam1", CLIP_NAME)
    assert first.confidence is not None
    assert first.confidence > 0.8
    assert first.more == {"state": "ok", "text": "12.0", "unit": "bar", "engine": "rapidocr", "number": 12.0}
    lost = next(one for one in events if one.value is None)
    assert (lost.more["state"], lost.more["reason"]) == ("unreadable", "empty")
    again, same = volume.run("second", *tasks)
    assert again["zones"] == record["zones"]
    assert [(one.t, one.value, one.more) for one in same] == [(one.t, one.value, one.more) for one in events]


def test_an_engine_that_is_missing_is_said_once_and_others_go_on(volume, caplog):
    caplog.set_level(logging.WARNING)
    for job in ("first", "second"):
        record, events = volume.run(job, {"engine": "nobody"}, {})
        assert (record["zones"]["pressure"]["readings"], record["zones"]["pressure"]["unreadable"]) == (0, 6)
        assert record["zones"]["flow"]["readings"] == 6
        [lost] = [one for one in events if one.zone == "pressure"]
        assert (lost.value, lost.more["state"], lost.more["reason"]) == (None, "unreadable", "engine")
        assert "'nobody'" in str(lost.more["error"])
    said = [one.getMessage() for one in caplog.records if message_code(one) == "zone_not_read"]
    assert len(said) == 1
    assert said[0].startswith("zone pressure: there is no engine 'nobody'. Use one of ")


class Site:
    """A camera in front of the displays, its clock, and what was reported."""

    def __init__(self, tools: ZoneTools, *tasks: dict[str, Any]) -> None:
        self.tools = tools
        self.zones = parse_zones(
            json.dumps({"schema": 1, "camera": "panel", "zones": read_zones(*tasks, when="live")}).encode()
        )
        self.now = BEGAN
        self.events: list[Event] = []
        self.pictures: list[bytes | None] = []
        self.saved: Any = None
        self.boxes: list[object] = []
        self.facts = CameraFacts("off", width=SIZE[0])

    def add(self, event: Event, jpeg: bytes | None = None) -> None:
        self.events.append(event)
        self.pictures.append(jpeg)

    def save(self, camera: str, state: str) -> None:
        self.saved = json.loads(state)

    def publish(self, camera: str, boxes: object) -> None:
        self.boxes.append(boxes)

    def camera(self, events: Sequence[Event] = ()) -> LiveCamera:
        analysis = Analysis(
            LoadedModel("squares", "0" * 64, SquareDetector()),
            SquareModels(),
            Options(),
            self,
            self,
            now=lambda: self.now,
            clock=lambda: self.now,
            tools=self.tools,
        )
        return LiveCamera(Plan("panel", self.facts, self.zones), analysis, self.saved, events)

    def show(self, camera: LiveCamera, seconds: float, *texts: str) -> None:
        jpeg = jpeg_of(displays(*texts), 90)
        for _ in range(round(seconds * 2)):
            camera.analyse(LiveFrame(jpeg, self.now))
            self.now += 0.5
        self.settle()

    def settle(self) -> None:
        """Wait for the looks that are under way: one after the other in each thread."""
        if self.tools.pool is not None:
            for done in [self.tools.pool.submit(lambda: None) for _ in range(2)]:
                done.result(60)

    def said(self) -> list[tuple[str | None, object]]:
        return [(event.zone, event.value) for event in self.events]


@pytest.fixture
def at_once(tools: ZoneTools) -> ZoneTools:
    """The same engines, which read at once."""
    return ZoneTools(tools.readers)


def test_displays_live(at_once):
    site = Site(at_once, {"counter": {"max_per_min": 60}}, {})
    with site.camera() as camera:
        site.show(camera, 2, "001299", "OK")
        site.show(camera, 2, "001300", "OK")
        site.show(camera, 2, "001399", "OK")
        site.show(camera, 2, "001301", "FAULT")
    assert site.said() == [
        ("pressure", None),  # one reading is not enough to begin with
        ("flow", "OK"),
        ("pressure", "001299"),
        ("pressure", "001300"),
        ("pressure", None),
        ("pressure", "001301"),
        ("flow", "FAULT"),
    ]
    assert [event.more.get("reason") for event in site.events if event.zone == "pressure"] == [
        "counter", None, None, "counter", None,
    ]  # fmt: skip
    assert all(site.pictures)
    assert {event.source for event in site.events} == {"live"}


def test_the_detector_runs_only_where_something_moves(at_once):
    """Objects are wanted while something moves, as is the default; readings all the time."""
    site = Site(at_once, {})
    site.facts = CameraFacts("motion", width=SIZE[0])
    picture = displays("12.4")
    picture[20:50, 300:340] = (40, 60, 230)
    with site.camera() as camera:
        for number in range(12):
            still = number < 6
            camera.analyse(LiveFrame(jpeg_of(picture, 95), site.now, 0.0 if still else 0.1, still))
            site.now += 0.5
            assert [event.value for event in site.events] == ["12.4"] if number < 7 else ["12.4", "seen"]
    assert len(site.boxes) == 6


def test_a_counter_goes_on_after_a_restart(at_once):
    """Also where the last reading is in the log of events, and not in the state."""
    site = Site(at_once, {"counter": {"max_per_min": 60}})
    with site.camera() as camera:
        site.show(camera, 3, "001299")
        camera.save()
        site.show(camera, 1.5, "001300")
    site.now += 2
    known = site.events[:]
    with site.camera(known) as camera:
        site.show(camera, 2, "001300")
        site.show(camera, 2, "001299")
        site.show(camera, 2, "001301")
    assert site.said() == [("pressure", value) for value in (None, "001299", "001300", None, "001301")]


def test_live_readings_do_not_hold_up_frames(tools):
    site = Site(tools, {"every_s": 0.5}, {"every_s": 0.5})
    with site.camera() as camera:
        for text in ("12.1", "12.2", "12.3"):
            site.show(camera, 2, text, "P-101")
        site.show(camera, 1, "12.3", "P-101")
    values = [value for zone, value in site.said() if zone == "pressure"]
    assert values[0] == "12.1"
    assert set(values) <= {"12.1", "12.2", "12.3"}
    assert [value for zone, value in site.said() if zone == "flow"] == ["P-101"]
