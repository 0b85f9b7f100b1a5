"""The live benchmark: its arithmetic, the passages that it draws, and a short run of one of its parts."""

from __future__ import annotations

import json
import math
import time
from datetime import UTC, datetime
from pathlib import Path

import av
import numpy as np
import pytest

from camera_emulator.scene import Scene
from devtools.benchmarks.live import __main__ as bench
from devtools.benchmarks.live.costs import Turns
from devtools.benchmarks.live.growth import Growth
from devtools.benchmarks.live.idle import Spread
from devtools.benchmarks.live.latency_plot import draw
from devtools.benchmarks.live.outcomes import Heard, Outcome, clips_per_minute, judge, late_share, rank, summary
from devtools.benchmarks.live.passages import FPS, QUIET_RANGE_S, SIZE, Passage, programme
from devtools.rtsp.replay import ReplayServer
from shared_utils.contracts.events import Event
from tests.support.footage.barcode_clips import barcode
from tests.support.footage.video import write_video

PASSAGES = (Passage(100, 200), Passage(300, 400), Passage(500, 600))
SENT_AT = [1000.0 + number / 20 for number in range(700)]


def _heard(arrived: float, kind: str = "object", value: str = "seen", at: float | None = None) -> Heard:
    moment = datetime.fromtimestamp(arrived if at is None else at, UTC)
    return Heard(arrived, Event(kind, moment, "cam1", value=value))


def test_an_event_belongs_to_the_passage_that_began_last() -> None:
    heard = [
        _heard(1004.9),  # before the first passage
        _heard(1005.6, "motion", "started"),
        _heard(1006.0, at=1005.7),
        _heard(1006.1, "object", "entered"),
        _heard(1027.0),
        _heard(1028.0),
    ]
    first, second, third = judge(PASSAGES, SENT_AT, heard)
    assert (first.events, first.seen_s, first.decided_s, first.motion_s) == (1, *map(pytest.approx, (1.0, 0.7, 0.6)))
    assert second == Outcome(0)
    assert (third.events, third.seen_s, third.motion_s) == (2, pytest.approx(2.0), None)


def test_a_summary_counts_what_was_missed_and_doubled() -> None:
    outcomes = [Outcome(1, seconds, seconds - 0.2, 0.5) for seconds in (1.0, 2.0, 3.0)] + [Outcome(2, 9.0), Outcome(0)]
    found = summary(outcomes)
    assert (found.seen, found.doubled, found.median_s, found.worst_s, found.p90_s) == (4, 1, 2.5, 9.0, 9.0)
    assert (found.motion_s, found.decided_s, found.reported_s) == (0.5, 1.8, pytest.approx(0.2))
    assert math.isnan(summary([Outcome(0)]).median_s)


@pytest.mark.parametrize(("share", "expected"), [(0.0, 1), (0.5, 5), (0.9, 9), (0.91, 10), (1.0, 10)])
def test_ranks_are_values_that_occurred(share: float, expected: int) -> None:
    assert rank(list(range(10, 0, -1)), share) == expected


def test_frames_that_came_late_are_counted() -> None:
    assert late_share(SENT_AT) == 0
    assert late_share([0.0, 0.05, 0.1, 0.5, 0.55]) == pytest.approx(0.25)


def test_clips_per_minute_are_those_between_the_first_and_the_last() -> None:
    assert clips_per_minute([5, 10, 20, 30, 99], 8, 60) == pytest.approx(6.0)
    assert math.isnan(clips_per_minute([10, 20], 0, 60))


def test_what_clients_cost_is_beyond_the_turns_beside_theirs() -> None:
    turns = Turns(without=(0.10, 0.12, 0.20), with_clients=(0.21, 0.26), megabits=40.0)
    assert turns.extras == [pytest.approx(0.10), pytest.approx(0.10)]
    assert turns.extra == pytest.approx(0.10)


def test_a_ratio_is_made_of_pairs() -> None:
    assert Spread.of([2.0, 3.0, 8.0], [2.0, 2.0, 4.0]) == Spread(1.5, 1.0, 2.0)


def test_growth_is_judged_after_the_warm_up() -> None:
    hours = [float(number) for number in range(11)]
    flat = Growth.of(hours, [10.0, 50.0, 90.0, *[100.0] * 8])
    assert (flat.start, flat.end, flat.growth) == (100, 100, 0)
    leak = Growth.of([*hours, 10.0], [100 + 3 * hour for hour in hours] + [131])
    assert leak.slope == pytest.approx(3.0)
    assert leak.growth > leak.bound


def test_a_programme_is_quiet_between_passages_and_the_same_each_time() -> None:
    plan = programme(3)
    assert plan == programme(3)
    assert programme(4).passages[:3] == plan.passages
    assert len(plan.times) > plan.passages[-1].ends
    for before, after in zip(plan.passages, plan.passages[1:], strict=False):
        assert QUIET_RANGE_S[0] <= (after.appears - before.ends) / FPS <= QUIET_RANGE_S[1] + 0.5
    assert all(1 <= (one.ends - one.appears) / FPS <= 8 for one in plan.passages)


def test_the_server_says_when_it_sent_each_frame(tmp_path: Path) -> None:
    server = ReplayServer({"cam": write_video(tmp_path / "short.mp4", barcode(10), seconds=2, fps=10)})
    try:
        began = time.time()
        with av.open(server.url("cam"), options={"rtsp_transport": "tcp"}) as client:
            packets = client.demux(video=0)
            for _ in range(5):
                next(packets)
        sent = server.sent_at("cam")
    finally:
        server.close()
    assert len(sent) >= 5
    assert sent == sorted(sent)
    assert began <= sent[0] <= sent[-1] <= time.time()


def test_the_picture_is_drawn_with_and_without_anybody_seen(tmp_path: Path) -> None:
    found = {"idle": [Outcome(1, 0.9), Outcome(1, 1.3)], "busy": [Outcome(0)]}
    draw(found, {"idle": (1.5, 2.5), "busy": (3, 5)}, tmp_path / "latency.png")
    assert (tmp_path / "latency.png").stat().st_size > 5000


def test_a_part_runs_and_its_figures_are_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "live.json"
    assert bench.main(["day", "--hours", "0.1", "--out", str(out)]) == 0
    report = json.loads(out.read_text())
    values = {row["name"].strip(): row for row in report["rows"]}
    assert values["live worker, 0.1 simulated hours: frames"]["value"] == 12 * 30
    events = report["detail"]["day"]["by value"]
    assert events["object seen"] >= 12
    assert values["lines of events_log.jsonl"] == {
        "name": "  lines of events_log.jsonl",
        "value": sum(events.values()),
        "unit": "",
        "wanted": "all of them",
        "met": True,
    }
    assert "memory at the end" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["nothing"], ["idle", "--against", "/nowhere"]])
def test_wrong_arguments_are_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        bench.main(arguments)
    assert ended.value.code == 2
    assert arguments[-1] in capsys.readouterr().err


def test_the_drawn_person_is_there_from_the_frame_that_the_programme_says() -> None:
    plan = programme(1)
    scene = Scene(12, SIZE, FPS, noise=0)
    empty = scene.frame(0.0)
    [passage] = plan.passages
    assert not np.any(scene.frame(plan.times[passage.appears - 2]) != empty)
    assert np.any(scene.frame(plan.times[passage.appears + 1]) != empty)
    assert not np.any(scene.frame(plan.times[passage.ends]) != empty)
