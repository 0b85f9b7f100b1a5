"""Zones whose values modules of people's own give: in clips, live, and in the command that analyses."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from devtools.paths import ROOT
from shared_utils.config.zones.file import parse_zones
from shared_utils.contracts.detections_log import log_path, read_records
from shared_utils.contracts.events import Event, clip_events_path, read_clip_events
from shared_utils.contracts.job_options import Options
from shared_utils.contracts.zones import write_zones, zones_path
from shared_utils.log import message_code
from tests.support.footage.video import CLIP_NAME, write_video
from tests.support.programs import Programs
from tests.video_worker.conftest import SquareModels, now
from video_worker.jobs import JobFacts, WorkerContext, process_clip
from video_worker.pipeline.analysis import Analyst
from video_worker.pipeline.clip_zones import ClipZones
from video_worker.pipeline.runner import StepRunner
from video_worker.pipeline.work_pool import WorkPool
from video_worker.pipeline.zone_tools import ZoneTools
from video_worker.plugins.process import Limits
from video_worker.plugins.registry import Plugins
from video_worker.steps.base import Sample
from video_worker.steps.context import Source, StepContext, StepEvent
from video_worker.steps.values.plugin import Plugin

RUN_AT = datetime(2026, 2, 23, 14, 49, tzinfo=UTC)
LEFT = [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]
CORNER = [[0.5, 0], [1, 0], [1, 1]]
GREY = """
print("a line for people")

def read(picture, zone):
    print("another")
    inside = picture if zone.mask is None else picture[zone.mask > 0]
    level = round(float(inside.mean()) / zone.settings.get("step", 1)) * zone.settings.get("step", 1)
    return (level, 0.75) if level > 20 else (None, 0.0)
"""
BROKEN = "def read(picture, zone):\n    return picture[1000, 1000], 1\n"
HANGING = "import time\n\ndef read(picture, zone):\n    time.sleep(600)\n"


def task(do: str, **keys: Any) -> dict[str, Any]:
    return {"do": do, "when": "both", "every_s": 1, **keys}


@pytest.fixture
def modules(tmp_path: Path) -> Path:
    folder = tmp_path / "plugins"
    folder.mkdir()
    for name, text in (("grey", GREY), ("broken", BROKEN), ("hanging", HANGING)):
        (folder / f"{name}.py").write_text(text)
    return folder


@pytest.fixture
def tools(modules: Path) -> Iterator[ZoneTools]:
    with WorkPool(1) as pool, Plugins(modules, Limits(5.0, 1.0)) as plugins:
        yield ZoneTools(plugins=plugins, pool=pool)


def rising(time_s: float) -> np.ndarray:
    """Return a picture that is 40 for two seconds, then dark for two, then 80; its right half is 200."""
    picture = np.full((64, 96, 3), 40 if time_s < 2 else 0 if time_s < 4 else 80, np.uint8)
    picture[:, 48:] = 200
    return picture


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    folder = tmp_path / "video"
    folder.mkdir()
    write_video(folder / CLIP_NAME, rising, seconds=6)
    zones = [
        {"name": "tank", "points": LEFT, "tasks": [task("grey", settings={"step": 10})]},
        {"name": "corner", "points": CORNER, "tasks": [task("grey", settings={"step": 50})]},
        {"name": "bad", "points": LEFT, "tasks": [task("broken")]},
        {"name": "stuck", "points": LEFT, "tasks": [task("hanging")]},
        {"name": "none", "points": LEFT, "tasks": [task("gery")]},
    ]
    write_zones(zones_path(folder, "cam1"), {"zones": zones})
    return folder


def run(volume: Path, tools: ZoneTools, job: str) -> tuple[Mapping[str, Any], list[Event]]:
    analyst = Analyst(SquareModels(), 1, now, zones=ClipZones(volume), tools=tools)
    facts = JobFacts(job, RUN_AT, None, lambda done, total: None, lambda: False)
    run_id = process_clip(WorkerContext(volume, Options(), analyst, now), facts, filename=CLIP_NAME)["run_id"]
    record: Any = next(one for one in read_records(log_path(volume)) if one["run_id"] == run_id)
    return record, read_clip_events(clip_events_path(volume, CLIP_NAME, run_id))


def test_modules_in_a_clip(volume: Path, tools: ZoneTools, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        record, events = run(volume, tools, "first")
        again, same = run(volume, tools, "second")
    counts = {name: (zone["readings"], zone["unreadable"]) for name, zone in record["zones"].items()}
    assert counts == {"tank": (4, 2), "corner": (6, 0), "bad": (0, 6), "stuck": (0, 6), "none": (0, 6)}
    found = {zone: [(one.t, one.value, one.confidence) for one in events if one.zone == zone] for zone in counts}
    assert found["tank"] == [(0.0, "40", 0.75), (2.0, None, 0.0), (4.0, "80", 0.75)]
    assert found["corner"] == [(0.0, "200", 0.75)]
    tank = [one.more for one in events if one.zone == "tank"]
    assert tank[0] == {"state": "ok", "module": "grey", "number": 40.0}
    assert tank[1] == {"state": "unreadable", "reason": "empty", "module": "grey", "readings": 2}
    errors = {one.zone: one.more for one in events if one.more.get("reason") == "error"}
    assert errors["bad"]["error"].startswith("broken.py, line 2: IndexError: index 1000 is out of bounds")
    assert errors["stuck"]["error"] == "hanging.py, line 4: it takes more than 1 s, and was ended"
    assert errors["none"]["error"].startswith("there is no module 'gery' (did you mean 'grey'?): ")
    assert {one.type for one in events} == {"reading"}
    # the same again, and each fault logged once
    assert again["zones"] == record["zones"]
    assert [(one.t, one.value, one.more) for one in same] == [(one.t, one.value, one.more) for one in events]
    logged = [record.getMessage() for record in caplog.records if message_code(record) == "zone_not_read"]
    assert sorted(line.split(":")[0] for line in logged) == ["zone bad", "zone none", "zone stuck"]


def wait_until(condition: Callable[[], object], work: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        work()
        time.sleep(0.01)


def test_live_nobody_waits_for_a_module_that_hangs(modules: Path) -> None:
    zones = [
        {"name": "stuck", "points": LEFT, "tasks": [task("hanging")]},
        {"name": "stuck2", "points": LEFT, "tasks": [task("hanging")]},
        {"name": "tank", "points": LEFT, "tasks": [task("grey")]},
    ]
    file = json.dumps({"schema": 1, "camera": "yard", "zones": zones}).encode()
    events: list[StepEvent] = []
    with WorkPool(1) as pool, Plugins(modules, Limits(30.0, 30.0)) as plugins:
        source = Source(datetime(2026, 2, 23, tzinfo=UTC))
        context = StepContext(source, Options(), camera="yard", zones=parse_zones(file), emit=events.append)
        runner = StepRunner(ZoneTools(plugins=plugins, pool=pool).added_to(context), (Plugin,))
        fed = 0

        def feed() -> None:
            nonlocal fed
            runner.feed(Sample(fed, fed / 5, np.full((64, 96, 3), 100 + fed % 50, np.uint8)))
            fed += 1

        wait_until(lambda: len([one for one in events if one.zone == "tank"]) >= 5, feed)
        assert {one.zone for one in events} == {"tank"}
        feed()
        runner.close()
    assert all(later.time_s > earlier.time_s for earlier, later in pairwise(events))


def test_the_command_that_analyses_prints_records_alone(
    programs: Programs, volume: Path, modules: Path, any_model: Path
) -> None:
    env = {"VIDEO_DIR": str(volume), "PLUGINS_DIR": str(modules), "YOLO_MODEL": str(any_model)}
    write_zones(zones_path(volume, "cam1"), {"zones": [{"name": "tank", "points": LEFT, "tasks": [task("grey")]}]})
    program = programs.python("-m", "video_worker", "analyse", str(volume / CLIP_NAME), env=env, folder=ROOT)
    assert program.wait(60) == 0, program.text
    [record] = [json.loads(line) for line in program.lines if line.startswith("{")]
    assert record["zones"]["tank"]["readings"] == 4
    assert "a line for people" in program.text
