"""The runner with steps of its own: rates, ends of tracks, columns of boxes, time, and sources without an end."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from notebooks.lab.data.results import boxes
from shared_utils.contracts.job_options import Options
from shared_utils.media.frames import Frame
from tests.video_worker.conftest import SquareDetector
from video_worker.models.postprocess import Detections
from video_worker.pipeline.run_names import RunNames
from video_worker.pipeline.runner import StepRunner, merge_results
from video_worker.steps.base import Sample, Step
from video_worker.steps.boxes import Boxes
from video_worker.steps.context import Source, StepContext, StepEvent
from video_worker.steps.declarations import Adds, BoxColumn, Kind
from video_worker.steps.detect import Detect
from video_worker.steps.summarise import Summarise
from video_worker.steps.track import Track

PICTURE = np.zeros((48, 64, 3), np.uint8)
CLIP = Source(datetime(2026, 2, 23, 14, 48, 19, tzinfo=UTC), 10.0)
LIVE = Source(datetime(2026, 2, 23, 14, 48, 19, tzinfo=UTC))


def context(source=CLIP, **values) -> StepContext:
    return StepContext(source, Options(), SquareDetector.labels, **values)


def frames(fps=5.0, count=None) -> Iterator[Frame]:
    for index in itertools.count() if count is None else range(count):
        yield Frame(index, index / fps, PICTURE)


class Listed(Step):
    """Keeps what it is given."""

    def __init__(self, every_s=0.0):
        self.every_s = every_s
        self.times, self.ended, self.closed = [], [], 0

    def take(self, sample):
        self.times.append(sample.time_s)

    def on_track_end(self, track):
        self.ended.append((track.number, track.first_s, track.last_s))

    def close(self):
        self.closed += 1


def boxed(time_s: float, *places: float, cut=False) -> Sample:
    """Return a frame with a box of class 1 at each place."""
    corners = np.array([[x, 10, x + 20, 40] for x in places], np.float32).reshape(-1, 4)
    count = len(places)
    found = Detections(corners, np.full(count, 0.9, np.float32), np.ones(count, np.int64))
    return Sample(round(time_s * 5), time_s, PICTURE, found, cut=cut)


@pytest.mark.parametrize(
    ("every_s", "expected"),
    [(0.0, [n / 5 for n in range(11)]), (1.0, [0.0, 1.0, 2.0]), (0.5, [0.0, 0.6, 1.0, 1.6, 2.0])],
)
def test_a_step_gets_frames_at_the_rate_it_asks_for(every_s, expected):
    step = Listed(every_s)
    with StepRunner(context(), [step]) as runner:
        assert len(list(runner.samples(frames(count=11)))) == 11
    assert step.times == expected


def test_the_rate_holds_for_work_that_is_started_ahead():
    class Slow(Listed):
        def start(self, sample):
            self.started = [*getattr(self, "started", []), sample.time_s]

    step = Slow(1.0)
    with StepRunner(context(), [step], depth=3) as runner:
        list(runner.samples(frames(count=11)))
    assert step.started == step.times == [0.0, 1.0, 2.0]


def test_steps_are_notified_when_a_track_is_over():
    step = Listed()
    with StepRunner(context(), [Track, step]) as runner:
        for sample in (boxed(0.0, 10), boxed(0.2, 10, 300), boxed(0.4, 300), boxed(3.4, 300), boxed(3.6, 300)):
            runner.feed(sample)
        # track 1 was last seen at 0.2 s, and is remembered for 3 s
        assert step.ended == [(1, 0.0, 0.2)]
        runner.feed(boxed(3.8, 300, cut=True))
        assert step.ended[1:] == [(2, 0.2, 3.6)]
        runner.results()
        assert step.ended[2:] == [(3, 3.8, 3.8)]


def test_a_source_without_an_end_gives_its_samples_as_they_come():
    step = Listed()
    made: list[type[Step] | Step] = [Track, Boxes, Summarise, step]
    with StepRunner(context(LIVE, detector=SquareDetector()), [Detect, *made]) as runner:
        taken = list(itertools.islice(runner.samples(frames()), 7))
        assert [sample.index for sample in taken] == list(range(7))
        assert len(step.times) == 7  # no frame waits for a later one, and nothing that needs an end takes part
        assert not step.closed
    assert step.closed == 1


def test_all_steps_are_closed_whatever_fails():
    class Bad(Listed):
        def take(self, sample):
            raise RuntimeError("take")

        def close(self):
            super().close()
            raise RuntimeError("close")

    first, bad, last = Listed(), Bad(), Listed()
    with pytest.raises(RuntimeError, match="close"), StepRunner(context(), [first, bad, last]) as runner:
        runner.feed(boxed(0.0))
    assert [step.closed for step in (first, bad, last)] == [1, 1, 1]


def test_what_was_made_is_closed_when_a_later_step_cannot_be_made():
    class Broken(Step):
        @classmethod
        def create(cls, context):
            raise RuntimeError("no")

    first = Listed()
    with pytest.raises(RuntimeError, match="no"):
        StepRunner(context(), [first, Broken])
    assert first.closed == 1


class Sides(Step):
    """Adds a value to each box: the half of the picture that it is in."""

    adds = Adds(
        box_columns=(
            BoxColumn("side", Kind.TEXT, "half of the picture"),
            BoxColumn("share", Kind.NUMBER, "part of the width", digits=2),
        )
    )

    @classmethod
    def create(cls, context):
        return [cls()]

    def take(self, sample):
        centres = sample.detections.xyxy[:, [0, 2]].mean(axis=1)
        sample.columns["side"] = np.array(["left" if x < 32 else None for x in centres], object)
        sample.columns["share"] = centres / 64


def test_a_column_of_boxes_is_in_the_boxes_file_and_in_the_data_frame(tmp_path):
    names = RunNames("clip.mp4", "run", None)
    with StepRunner(context(names=names, output_dir=tmp_path), [Track, Sides, Boxes]) as runner:
        runner.feed(boxed(0.0, 10, 40))
        runner.results()
    header, line = map(json.loads, (tmp_path / "boxes" / "clip.run.jsonl").read_text().splitlines())
    assert header["columns"][6:] == ["track", "side", "share"]
    assert [box[6:] for box in line["boxes"]] == [[1, "left", 0.31], [2, None, 0.78]]
    run = {"ok": True, "filename": "clip.mp4", "run_id": "run", "started_at": pd.Timestamp("2026-02-23", tz="UTC")}
    found = boxes(pd.DataFrame([run]), tmp_path)
    assert found["side"].fillna("").tolist() == ["left", ""]
    assert found["share"].tolist() == [0.31, 0.78]


def test_a_column_of_a_step_with_its_own_rate_is_empty_in_the_frames_between(tmp_path):
    sides = Sides()
    sides.every_s = 1.0
    tracks = Track()
    columns = (*Track.adds.box_columns, *Sides.adds.box_columns)
    names = RunNames("clip.mp4", "run", None)
    [written] = Boxes.create(context(names=names, output_dir=tmp_path, box_columns=columns))
    with StepRunner(context(), [tracks, sides, written]) as runner:
        for time_s in (0.0, 0.2, 1.0):
            runner.feed(boxed(time_s, 10))
        runner.results()
    _, *lines = map(json.loads, (tmp_path / "boxes" / "clip.run.jsonl").read_text().splitlines())
    assert [line["boxes"][0][7:] for line in lines] == [["left", 0.31], [None, None], ["left", 0.31]]


@pytest.mark.parametrize("share", [np.nan, np.inf])
def test_a_value_that_is_no_number_is_none_in_the_boxes_file(tmp_path, share):
    class Bad(Sides):
        def take(self, sample):
            sample.columns["side"] = np.array(["left"] * len(sample.detections), object)
            sample.columns["share"] = np.full(len(sample.detections), share)

    names = RunNames("clip.mp4", "run", None)
    with StepRunner(context(names=names, output_dir=tmp_path), [Track, Bad, Boxes]) as runner:
        runner.feed(boxed(0.0, 10))
        runner.results()
    _, line = map(json.loads, (tmp_path / "boxes" / "clip.run.jsonl").read_text().splitlines())
    assert line["boxes"][0][6:] == [1, "left", None]


def test_a_column_of_another_length_names_itself(tmp_path):
    class Short(Sides):
        def take(self, sample):
            sample.columns["side"] = sample.columns["share"] = np.zeros(1)

    names = RunNames("clip.mp4", "run", None)
    with (
        StepRunner(context(names=names, output_dir=tmp_path), [Track, Short, Boxes]) as runner,
        pytest.raises(ValueError, match="column 'side' has 1 values for 2 boxes"),
    ):
        runner.feed(boxed(0.0, 10, 40))


@pytest.mark.parametrize("value", [np.int64(3), float("nan"), RuntimeError("no result")])
def test_no_boxes_file_appears_where_a_step_has_no_result(tmp_path, value):
    class Bad(Step):
        def result(self):
            if isinstance(value, Exception):
                raise value
            return {"bad": value}

    names = RunNames("clip.mp4", "run", None)
    with StepRunner(context(names=names, output_dir=tmp_path), [Track, Boxes, Bad()]) as runner:
        runner.feed(boxed(0.0, 10))
        with pytest.raises((ValueError, RuntimeError), match=r"what step Bad adds to the record is no JSON|no result"):
            runner.results()
    assert list((tmp_path / "boxes").iterdir()) == []


def test_all_that_was_begun_is_waited_for_though_some_of_it_fails():
    waited: list[int] = []

    class Failing(SquareDetector):
        def start(self, picture, imgsz, min_score):
            number = len(waited) + len(begun)
            begun.append(number)

            def boxes():
                waited.append(number)
                raise RuntimeError(f"inference {number}")

            return boxes

    begun: list[int] = []
    with (
        pytest.raises(RuntimeError, match="inference"),
        StepRunner(context(detector=Failing()), [Detect], depth=4) as runner,
    ):
        list(runner.samples(frames(count=10)))
    assert sorted(waited) == begun


def test_the_seconds_of_each_step_are_measured():
    class Slow(Listed):
        timed_as = "infer_s"

        def take(self, sample):
            deadline = time.perf_counter() + 0.02
            while time.perf_counter() < deadline:
                pass

    with StepRunner(context(), [Slow(), Listed()]) as runner:
        list(runner.samples(frames(count=5)))
        assert runner.timing() == {"infer_s": runner.seconds()["Slow"]}
        assert runner.seconds()["Slow"] >= 0.1
        assert runner.seconds()["Listed"] < runner.seconds()["Slow"]


def test_seconds_at_the_end_of_a_track_and_of_the_source_count():
    def work():
        deadline = time.perf_counter() + 0.05
        while time.perf_counter() < deadline:
            pass

    class Late(Step):
        def on_track_end(self, track):
            work()

        def result(self):
            work()
            return {}

    with StepRunner(context(), [Track, Late()]) as runner:
        runner.feed(boxed(0.0, 10))
        runner.results()
        assert runner.seconds()["Late"] >= 0.1


def test_work_that_goes_on_together_is_counted_once():
    class Ahead(Listed):
        def start(self, sample):
            """Begins."""

    began = time.perf_counter()
    with StepRunner(context(), [Ahead()], depth=3) as runner:
        list(runner.samples(frames(count=50)))
        assert 0 < runner.seconds()["Ahead"] <= time.perf_counter() - began


def test_results_of_several_steps_under_one_key_are_put_together():
    found: dict[str, object] = {"zones": {"gate": {"entered": 1}}}
    merge_results(found, {"zones": {"gate": {"readings": 2}, "door": {}}, "setup": {}})
    assert found == {"zones": {"gate": {"entered": 1, "readings": 2}, "door": {}}, "setup": {}}
    with pytest.raises(ValueError, match="two steps add 'entered'"):
        merge_results(found, {"zones": {"gate": {"entered": 2}}})


def test_a_source_has_the_time_of_day():
    assert CLIP.time_of_day(1.5) == datetime(2026, 2, 23, 14, 48, 20, 500000, tzinfo=UTC)
    assert Source(duration_s=1.0).time_of_day(1.5) is None
    assert CLIP.has_end
    assert not LIVE.has_end


def test_what_a_step_reports_is_taken_when_it_happens():
    class Bell(Step):
        def __init__(self, context):
            self.context = context

        @classmethod
        def create(cls, context):
            return [cls(context)]

        def take(self, sample):
            self.context.emit(StepEvent("object", sample.time_s, "entered", "gate"))

    events: list[StepEvent] = []
    with StepRunner(context(LIVE, emit=events.append), [Bell]) as runner:
        samples = runner.samples(frames())
        next(samples)
        assert events == [StepEvent("object", 0.0, "entered", "gate")]


def test_steps_go_on_from_where_they_were():
    class Counter(Listed):
        count = 0

        def take(self, sample):
            self.count += 1

        def state(self):
            return {"count": self.count}

        def resume(self, state):
            self.count = state["count"]

    with StepRunner(context(LIVE), [Counter(), Listed()]) as runner:
        list(runner.samples(frames(count=3)))
        states = json.loads(json.dumps(runner.states()))
    assert states == {"Counter": {"count": 3}}
    counter = Counter()
    with StepRunner(context(LIVE), [counter]) as runner:
        runner.resume({**states, "Gone": {"x": 1}})
        list(runner.samples(frames(count=2)))
    assert counter.count == 5
