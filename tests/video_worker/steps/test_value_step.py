"""Tasks that give a value per look: when they look, what they report, and what survives a restart."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import CancelledError
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import numpy as np
import pytest

from shared_utils.config.zones.file import parse_zones
from shared_utils.config.zones.model import LightTask, ReadTask
from shared_utils.contracts.events import Event
from shared_utils.contracts.job_options import Options
from shared_utils.errors import ReadingFailed
from tests.video_worker.steps.zone_scenes import zones_of
from video_worker.pipeline import work_pool
from video_worker.pipeline.runner import StepRunner
from video_worker.pipeline.work_pool import WorkPool
from video_worker.steps.base import Sample, Step
from video_worker.steps.context import Source, StepContext, StepEvent
from video_worker.steps.values.value_step import ValueStep
from video_worker.steps.values.zone_crop import ZoneCrop
from video_worker.steps.zones.frame_values import PAGES, PLACEMENT
from video_worker.steps.zones.tasks import tasks_of
from video_worker.values.placement import Placement
from video_worker.values.reports import Value

BEGAN = datetime(2026, 2, 23, 14, 48, 19, tzinfo=UTC)
BOX = [[0.5, 0.5], [0.75, 0.5], [0.75, 1.0], [0.5, 1.0]]
WIDTH, HEIGHT = 80, 40


class Grey(ValueStep[ReadTask]):
    """Reads how grey a zone is; remembers how often it has judged."""

    waits: threading.Event | None = None

    def __init__(self, context: StepContext, task: Any, every_s: float) -> None:
        super().__init__(context, task, every_s)
        self.judged = 0
        self.crops: list[ZoneCrop] = []

    @classmethod
    def create(cls, context: StepContext) -> list[Step]:
        return [cls(context, task, task.task.every_s) for task in tasks_of(context, ReadTask)]

    def look(self, crop: ZoneCrop) -> float:
        self.crops.append(crop)
        if self.waits is not None:
            assert self.waits.wait(20)
        level = float(crop.picture.mean())
        if level == 0:
            raise ReadingFailed("it is too dark")
        return level

    def judge(self, time_s: float, found: float) -> Value:
        self.judged += 1
        return Value(f"{found:.0f}", 0.9, number=found)

    def memory(self) -> Mapping[str, Any]:
        return {"judged": self.judged}

    def recall(self, memory: Mapping[str, Any], later_s: float) -> None:
        self.judged = int(memory["judged"])

    def recall_event(self, time_s: float, value: Value) -> None:
        self.judged += 1


class Watch:
    """A run of the step over frames of one grey each."""

    def __init__(
        self,
        *tasks: Mapping[str, Any],
        live: bool = False,
        pool: WorkPool | None = None,
        began: datetime = BEGAN,
        page: str | None = None,
        points: Any = BOX,
        kind: type[ValueStep[Any]] = Grey,
        report: Callable[[str, str], None] = lambda zone, problem: None,
    ) -> None:
        self.events: list[StepEvent] = []
        zone = {"name": "tank", "points": points, "tasks": [{"do": "read", "when": "both", **task} for task in tasks]}
        reference = {"name": page, "points": BOX, "reference": "page.png"}
        file = {
            "schema": 1,
            "camera": "yard",
            "pages": [reference] if page else [],
            "groups": [{"name": "all", "page": page}],
            "zones": [{**zone, "group": "all"}],
        }
        zones = parse_zones(json.dumps(file).encode())
        source = Source(began, None if live else 600.0)
        context = StepContext(source, Options(), zones=zones, pool=pool, emit=self.events.append, report_problem=report)
        self.steps: Any = kind.create(context)
        self.step: Any = self.steps[0]
        self.runner = StepRunner(context, self.steps)

    def feed(
        self,
        start_s: float,
        end_s: float,
        grey: Callable[[float], float],
        fps: float = 5,
        values: Mapping[str, Any] | None = None,
    ) -> Watch:
        for number in range(round((end_s - start_s) * fps)):
            time_s = round(start_s + number / fps, 6)
            picture = np.full((HEIGHT, WIDTH, 3), round(grey(time_s)), np.uint8)
            self.runner.feed(Sample(number, time_s, picture, values=dict(values or {})))
        return self

    def said(self) -> list[tuple[float, object]]:
        return [(event.time_s, event.value) for event in self.events]


@pytest.fixture
def pool() -> Iterator[WorkPool]:
    with WorkPool(2) as pool:
        yield pool


@pytest.fixture
def one_thread() -> Iterator[WorkPool]:
    """A pool whose work is done in its order: what is given later is done when all before is."""
    with WorkPool(1) as pool:
        yield pool


def test_a_zone_is_looked_at_at_its_own_interval():
    watch = Watch({"every_s": 2}).feed(0, 10, lambda time_s: 100 + time_s)
    assert watch.said() == [(0.0, "100"), (2.0, "102"), (4.0, "104"), (6.0, "106"), (8.0, "108")]


@pytest.mark.parametrize("fps", [0.5, 0.97, 1, 1.03, 2, 5, 7])
def test_the_average_rate_is_kept_whatever_the_rate_of_frames(fps):
    watch = Watch({"every_s": 1}).feed(0, 100, lambda time_s: 100 + time_s % 7, fps=fps)
    watch.runner.results()
    assert watch.step.readings == pytest.approx(min(fps, 1) * 100, abs=4)


def test_a_reading_says_what_it_is_of():
    [event] = Watch({}, live=True).feed(0, 1, lambda _: 80).events
    assert (event.type, event.zone, event.value, event.confidence) == ("reading", "tank", "80", 0.9)
    assert event.more == {"state": "ok", "number": 80.0}
    assert event.picture is not None
    assert event.picture.shape == (20, 20, 3)


def test_the_second_task_of_a_zone_says_which_one_it_is():
    watch = Watch({}, {"every_s": 2}, live=True).feed(0, 1, lambda _: 80)
    assert [event.more.get("task") for event in watch.events] == [None, 1]


def test_a_clip_counts_its_readings_of_all_tasks(pool):
    watch = Watch({}, {"every_s": 2}, pool=pool).feed(0, 10, lambda time_s: 0 if time_s < 3.5 else 50)
    found: Any = watch.runner.results()["zones"]
    assert found == {"tank": {"readings": 6 + 3, "unreadable": 4 + 2}}


@pytest.mark.parametrize("threads", [0, 1, 2])
def test_a_clip_gives_the_same_with_threads_and_without(threads):
    with WorkPool(max(1, threads)) as pool:
        watch = Watch({"every_s": 0.4}, {"every_s": 1}, pool=pool if threads else None)
        watch.feed(0, 20, lambda time_s: 50 + 7 * (time_s // 3))
        watch.runner.results()
    expected = Watch({"every_s": 0.4}, {"every_s": 1}).feed(0, 20, lambda time_s: 50 + 7 * (time_s // 3))
    expected.runner.results()
    found = [sorted((one.time_s, str(one.value), str(one.more)) for one in w.events) for w in (watch, expected)]
    assert found[0] == found[1]
    assert len(found[0]) == 14


def test_a_look_that_fails_is_unreadable_and_says_why():
    watch = Watch({}).feed(0, 3, lambda time_s: 0 if time_s < 2 else 70)
    watch.runner.results()
    bad, good = watch.events
    assert (bad.value, bad.more) == (None, {"state": "unreadable", "reason": "engine", "error": "it is too dark"})
    assert (good.value, good.more["state"], good.more["readings"]) == ("70", "ok", 2)


def test_live_no_frame_waits_for_a_slow_look_and_its_value_has_its_own_time(one_thread):
    pool = one_thread
    watch = Watch({"every_s": 0.4}, live=True, pool=pool)
    watch.step.waits = threading.Event()
    watch.feed(0, 4, lambda time_s: 100 + time_s)
    assert watch.events == []
    assert watch.step.readings == 0
    watch.step.waits.set()
    pool.submit(lambda: None).result(20)
    watch.feed(4, 4.2, lambda _: 200)
    # the frames meanwhile were left out, and the next look follows at once
    assert watch.said() == [(0.0, "100")]
    pool.submit(lambda: None).result(20)
    watch.feed(4.2, 4.4, lambda _: 200)
    assert watch.said() == [(0.0, "100"), (4.0, "200")]


def test_live_a_look_that_hangs_is_reported_once_and_others_go_on(pool):
    watch = Watch({}, {"every_s": 1}, live=True, pool=pool)
    watch.step.waits = threading.Event()
    for second in range(40):
        watch.feed(second, second + 1, lambda _: 90, fps=1)
        pool.submit(lambda: None).result(20)
    hung = [event for event in watch.events if "task" not in event.more]
    assert [event.value for event in hung] == [None]
    assert hung[0].more["reason"] == "engine"
    assert "30 s" in hung[0].more["error"]
    assert watch.steps[1].readings >= 38
    watch.step.waits.set()


def test_live_a_zone_that_takes_longer_than_its_interval_says_so(one_thread):
    problems: list[tuple[str, str]] = []
    watch = Watch({"every_s": 0.2}, live=True, pool=one_thread, report=lambda *one: problems.append(one))
    for second in range(120):
        watch.step.waits = threading.Event()
        watch.feed(second, second + 1, lambda _: 90)
        watch.step.waits.set()
        one_thread.submit(lambda: None).result(20)
    [(zone, problem)] = problems
    assert zone == "zone tank"
    assert "every_s, 0.2 s" in problem
    on_time = Watch({"every_s": 0.2}, live=True, report=lambda *one: problems.append(one)).feed(0, 30, lambda _: 90)
    assert on_time.step.readings >= 149
    assert len(problems) == 1


def test_no_look_while_the_page_is_not_displayed():
    watch = Watch({"every_s": 1}, page="alarm")
    watch.feed(0, 5, lambda _: 60)
    assert watch.step.latest is None
    watch.feed(5, 10, lambda _: 70, values={PAGES: frozenset({"alarm"})})
    assert watch.step.latest is not None
    watch.feed(10, 15, lambda _: 80)
    assert watch.step.latest is None
    watch.runner.results()
    assert (watch.said(), watch.step.readings, watch.step.unreadable) == ([(5.0, "70")], 5, 0)


def test_a_zone_follows_a_camera_that_was_nudged():
    watch = Watch({}, live=True)
    shift = Placement(((1.0, 0.0, 0.1), (0.0, 1.0, -0.2), (0.0, 0.0, 1.0)))
    picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    picture[round(0.3 * HEIGHT) : round(0.8 * HEIGHT), round(0.6 * WIDTH) : round(0.85 * WIDTH)] = 200
    watch.runner.feed(Sample(0, 0.0, picture, values={PLACEMENT: shift}))
    assert watch.events[0].value == "200"


@pytest.mark.parametrize(
    "placement", [Placement(is_lost=True), Placement(((1.0, 0.0, 0.3), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)))]
)
def test_a_camera_that_was_moved_too_far_is_reported_instead_of_read(placement):
    watch = Watch({}, live=True).feed(0, 2, lambda _: 60)
    watch.feed(2, 4, lambda _: 60, values={PLACEMENT: placement})
    watch.feed(4, 6, lambda _: 60)
    assert [(event.value, event.more.get("reason")) for event in watch.events] == [
        ("60", None), (None, "camera_moved"), ("60", None),
    ]  # fmt: skip
    assert watch.step.crops[-1].time_s >= 5.0


def test_polygons_have_a_mask():
    triangle = [[0.5, 0.5], [1.0, 0.5], [1.0, 1.0]]

    class Plain(Grey):
        @classmethod
        def create(cls, context: StepContext) -> list[Step]:
            return [cls(context, task, 1.0) for task in tasks_of(context, LightTask)]

    zone = {"name": "tank", "points": triangle, "tasks": [{"do": "light"}]}
    context = StepContext(Source(None, 10.0), Options(), zones=zones_of([zone]))
    step: Any = Plain.create(context)[0]
    step.take(Sample(0, 0.0, np.full((HEIGHT, WIDTH, 3), 9, np.uint8)))
    crop = step.crops[0]
    assert crop.picture.shape == (20, 40, 3)
    assert crop.mask is not None
    assert (crop.mask > 0).mean() == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize("order", [BOX, BOX[::-1], [BOX[1], BOX[0], BOX[3], BOX[2]]])
def test_corners_stand_as_in_the_picture_whatever_way_round_they_were_drawn(order):
    picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    picture[HEIGHT // 2 :, WIDTH // 2 : WIDTH // 2 + 5] = 255  # left edge of the zone
    watch = Watch({}, points=order)
    watch.runner.feed(Sample(0, 0.0, picture))
    crop = watch.step.crops[0].picture
    assert crop[:, :4].mean() > 250
    assert crop[:, 6:].mean() < 5


def logged(event: StepEvent) -> Event:
    """Return an event as the log of live events holds it."""
    return Event(
        event.type, BEGAN + timedelta(seconds=event.time_s), "yard", event.zone, event.value, event.confidence,
        more=event.more,
    )  # fmt: skip


def test_nothing_is_reported_twice_after_a_restart():
    def grey(time_s: float) -> float:
        return 50 + 10 * (time_s // 4)

    def shifted(by_s: float, time_s: float) -> float:
        return grey(time_s + by_s)

    for killed_s in range(1, 20):
        saved_s = killed_s - 1
        watch = Watch({"every_s": 0.4}, live=True).feed(0, saved_s, grey)
        states, before = json.loads(json.dumps(watch.runner.states())), len(watch.events)
        watch.feed(saved_s, killed_s, grey)
        later = Watch({"every_s": 0.4}, live=True, began=BEGAN + timedelta(seconds=killed_s))
        assert later.runner.resume(states) == []
        later.runner.catch_up(logged(event) for event in watch.events[before:])
        later.feed(0, 20 - killed_s, partial(shifted, killed_s))
        values = [event.value for event in watch.events + later.events]
        assert values == ["50", "60", "70", "80", "90"], killed_s
        assert later.step.judged > 10 if killed_s < 15 else True


def test_a_task_that_was_changed_begins_anew():
    watch = Watch({"every_s": 0.4}, live=True).feed(0, 5, lambda _: 50)
    later = Watch({"every_s": 0.5}, live=True)
    assert later.runner.resume(watch.runner.states()) == []
    assert later.step.judged == 0


def test_events_of_other_tasks_zones_and_types_are_not_ones_own():
    watch = Watch({}, live=True)
    base = Event("reading", BEGAN, "yard", "tank", "5")
    for event in (
        Event("light", BEGAN, "yard", "tank", "5"),
        Event("reading", BEGAN, "yard", "other", "5"),
        Event("reading", BEGAN, "yard", "tank", "5", more={"task": 1}),
    ):
        watch.step.catch_up(event)
    assert watch.step.judged == 0
    watch.step.catch_up(base)
    assert watch.step.judged == 1


@pytest.mark.parametrize("state", [{}, {"shape": 1}, {"shape": None, "reports": 1}])
def test_a_state_that_is_none_is_not_gone_on_with(state):
    watch = Watch({}, live=True)
    watch.runner.resume({"Grey tank 0": state})
    assert watch.feed(0, 1, lambda _: 50).said() == [(0.0, "50")]


def test_work_that_was_given_up_is_not_begun():
    begun = threading.Event()
    hold = threading.Event()
    with WorkPool(1) as pool:
        first = pool.submit(lambda: (begun.set(), hold.wait(20)))
        assert begun.wait(20)
        second = pool.submit(lambda: 1 / 0)
        third = pool.submit(lambda: 3)
        assert second.cancel()
        hold.set()
        assert third.result(20) == 3
        assert first.done()
        with pytest.raises(ZeroDivisionError):
            pool.submit(lambda: 1 / 0).result(20)


PROGRAM = """
import threading, time
import onnxruntime  # whose threads must not be in C++ code when the interpreter goes away
from video_worker.pipeline.work_pool import WorkPool
from video_worker.readers.registry import ReaderRegistry
from video_worker.readers.settings import ReaderSettings
import numpy as np

reader = ReaderRegistry(ReaderSettings()).get("rapidocr")
picture = np.full((80, 600, 3), 200, np.uint8)
begun = threading.Event()
pool = WorkPool(2)
for _ in range(60):
    pool.submit(lambda: (begun.set(), reader.read(picture)))
begun.wait(60)


class Slow:
    def __del__(self):
        time.sleep(0.5)  # others go on while the interpreter goes away


slow = Slow()
print("ends")
"""


def test_a_program_that_ends_while_zones_are_read_ends_well():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (0, "ends\n"), done.stderr


def test_what_hangs_does_not_keep_a_program_from_ending(monkeypatch):
    monkeypatch.setattr(work_pool, "CLOSE_S", 0.2)
    hold, begun = threading.Event(), threading.Event()
    pool = WorkPool(1)
    pool.submit(lambda: (begun.set(), hold.wait(60)))
    later = pool.submit(lambda: 1)
    assert begun.wait(20)
    pool.close()
    assert not later.done()
    hold.set()
    with pytest.raises(CancelledError):
        later.result(20)
