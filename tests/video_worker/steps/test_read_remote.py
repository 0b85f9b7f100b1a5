"""Engines that wait for another machine, which may be away."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from shared_utils.config.zones.file import parse_zones
from shared_utils.contracts.job_options import Options
from shared_utils.media.picture import Picture
from tests.video_worker.steps.displays import displays, read_zones
from video_worker.pipeline.runner import StepRunner
from video_worker.pipeline.work_pool import WorkPool
from video_worker.pipeline.zone_tools import ZoneTools
from video_worker.readers.base import Mode, RawReading
from video_worker.steps.base import Sample
from video_worker.steps.context import Source, StepContext, StepEvent
from video_worker.steps.values.read import Read


@dataclass
class Engine:
    """Reads the same each time, when it may."""

    name: str
    may_read: threading.Event = field(default_factory=threading.Event)

    def read(self, picture: Picture, mode: Mode = "line") -> RawReading:
        assert self.may_read.wait(60)
        return RawReading(self.name, 1.0)


class Engines:
    """An engine of each name, of which ``http`` may not read."""

    def __init__(self) -> None:
        self.http = Engine("http")

    def get(self, name: str) -> Engine:
        if name == "http":
            return self.http
        engine = Engine(name)
        engine.may_read.set()
        return engine


def test_live_no_other_engine_waits_for_a_service_that_does_not_answer() -> None:
    zones = read_zones({"engine": "http"}, {"engine": "http"}, {"engine": "rapidocr"}, every_s=0.2, when="live")
    file = json.dumps({"schema": 1, "camera": "panel", "zones": list(zones)}).encode()
    events: list[StepEvent] = []
    engines = Engines()
    with WorkPool(1) as pool, WorkPool(1) as remote_pool:
        source = Source(datetime(2026, 2, 23, tzinfo=UTC))
        context = StepContext(source, Options(), camera="panel", zones=parse_zones(file), emit=events.append)
        tools = ZoneTools(engines, pool=pool, remote_pool=remote_pool)
        runner = StepRunner(tools.added_to(context), (Read,))
        picture, fed = displays("1", "2", "3"), 0

        def feed_until(condition: Callable[[], bool]) -> None:
            nonlocal fed
            deadline = time.monotonic() + 30
            while not condition():
                assert time.monotonic() < deadline
                runner.feed(Sample(fed, fed / 5, picture))
                fed += 1
                time.sleep(0.01)

        feed_until(lambda: [event.zone for event in events] == ["level"])
        engines.http.may_read.set()
        feed_until(lambda: {event.zone for event in events} == {"pressure", "flow", "level"})
        runner.close()


def test_the_program_has_threads_for_services_of_their_own() -> None:
    tools = ZoneTools.from_env({}, 2)
    assert tools.remote_pool is not None
    assert tools.remote_pool is not tools.pool
