"""Which values become events: changes, one per minute, and live no more than the log has room for."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from shared_utils.contracts.events import Event, event_to_dict
from shared_utils.contracts.json_lines import to_line
from video_worker.values.reports import Report, Reports, Value

DAY_S, PER_S = 86_400, 2
BEGAN = datetime(2026, 2, 23, tzinfo=UTC)
LIMIT_BYTES, ZONES = 30_000_000, 20
LONGEST = "x" * 32


def line_bytes(report: Report) -> int:
    """Return the length of the event's line, with the longest names that there are."""
    event = Event(
        "reading",
        BEGAN + timedelta(seconds=report.time_s),
        LONGEST,
        LONGEST,
        report.value.value,
        report.value.confidence,
        more=report.more,
    )
    picture = f"events/{event.id}.jpg" if report.with_picture else None
    line = {**event_to_dict(event), "picture": picture, "task": 19}
    return len(to_line(line).encode()) + 1


def reading(text: str, number: float | None = None, engine: str = "rapidocr") -> Value:
    more = {"text": text, "unit": "bar", "engine": engine}
    return Value(text, 0.9731, number=number, more=more)


def fed(reports: Reports, values: Callable[[int], Value], seconds: float, per_s: float = PER_S) -> list[Report]:
    found = [reports.take(number / per_s, values(number)) for number in range(round(seconds * per_s))]
    return [report for report in found if report is not None]


def test_a_value_is_reported_when_it_changes():
    found = fed(Reports(bounded=True), lambda number: reading("0" if number < 20 else "1"), 30)
    assert [(report.time_s, report.value.value) for report in found] == [(0.0, "0"), (10.0, "1")]
    assert [report.with_picture for report in found] == [True, True]
    assert [report.more.get("readings") for report in found] == [None, 20]


def test_a_value_that_stands_still_is_reported_once_per_minute():
    found = fed(Reports(bounded=True), lambda _: reading("7", 7.0), 600)
    assert [report.time_s for report in found] == [60.0 * number for number in range(10)]
    assert {report.more.get("readings") for report in found} == {None, 120}
    assert [report.with_picture for report in found] == [True] + [False] * 9
    assert not any("min" in report.more for report in found)


def test_a_change_of_state_is_a_change_and_another_reason_of_the_moment_is_none():
    values = [Value("1"), Value(reason="empty"), Value(reason="pattern"), Value(reason="camera_moved"), Value("1")]
    found = fed(Reports(bounded=True), lambda number: values[number], 5, 1)
    assert [report.more["state"] for report in found] == ["ok", "unreadable", "unreadable", "ok"]
    assert [report.more.get("reason") for report in found] == [None, "empty", "camera_moved", None]
    assert all(report.with_picture for report in found)


def test_a_burst_is_reported_at_once():
    found = fed(Reports(bounded=True), lambda number: reading(str(number), float(number)), 5)
    assert [report.value.number for report in found] == list(range(10))


def test_in_a_clip_every_change_is_reported():
    found = fed(Reports(bounded=False), lambda number: reading(str(number), float(number)), 600)
    assert len(found) == 1200
    assert not any(report.with_picture for report in found)


@pytest.mark.parametrize(
    "values",
    [
        lambda number: reading(f"{number / 10:.1f}", number / 10),
        lambda number: reading(f"{number} " + "\u0416" * 900),
        lambda number: reading("\x00" * 200 + str(number)),
        lambda number: (
            reading("1") if number % 2 else Value(reason="confidence", more={"text": "8", "engine": LONGEST})
        ),
        lambda number: Value(reason="engine" if number % 2 else "error", more={"error": f"{number}" + "e" * 2000}),
        lambda _: reading("y" * 5000),
    ],
    ids=["numbers", "long texts", "control characters", "states", "errors", "standing still"],
)
def test_a_day_of_twenty_zones_read_twice_per_second_stays_below_30_mb(values):
    """Zones are bounded one by one; this is the log of one, with the longest names."""
    found = fed(Reports(bounded=True), values, DAY_S)
    assert sum(line_bytes(report) for report in found) * ZONES < LIMIT_BYTES
    times = [report.time_s for report in found]
    assert max(after - before for before, after in pairwise(times)) <= 60.5
    assert sum(report.with_picture for report in found) <= DAY_S / 300 + 10


def test_what_is_left_out_shows_in_the_next_event():
    found = fed(Reports(bounded=True), lambda number: reading(str(number % 50), float(number % 50)), 3600)
    late = found[-1]
    assert 30 <= late.more["readings"] <= 70
    assert (late.more["min"], late.more["max"]) == (0.0, 49.0)
    # every reading belongs to one event
    assert sum(report.more.get("readings", 1) for report in found) == found[-1].time_s * PER_S + 1


def test_the_newest_value_is_reported_when_there_is_room_again():
    reports = Reports(bounded=True)
    fed(reports, lambda number: reading(str(number)), 60)
    assert reports.take(60.0, reading("last")) is None
    waited = [report for second in range(61, 100) if (report := reports.due(second)) is not None]
    assert [(report.time_s, report.value.value) for report in waited] == [(60.0, "last")]


def test_reports_go_on_after_a_restart():
    whole, before = Reports(bounded=True), Reports(bounded=True)
    expected = fed(whole, lambda number: reading(str(number // 7)), 300)
    found = fed(before, lambda number: reading(str(number // 7)), 100)
    after = Reports(bounded=True)
    after.resume(json.loads(json.dumps(before.state())), -100.0)
    found += fed(after, lambda number: reading(str((number + 200) // 7)), 200)
    assert [report.value.value for report in found] == [report.value.value for report in expected]
    assert [report.more for report in found] == [report.more for report in expected]


def test_what_was_reported_before_is_not_reported_again():
    reports = Reports(bounded=True)
    reports.note(-3.0, reading("5"))
    assert reports.take(0.0, reading("5")) is None
    assert reports.take(1.0, reading("6")) is not None


@pytest.mark.parametrize(
    "state", [{}, {"reported": 1}, {"reported": None, "reported_s": "x", "since": {}, "budget": []}]
)
def test_a_state_that_is_none_is_refused(state):
    with pytest.raises((ValueError, TypeError, KeyError)):
        Reports(bounded=True).resume(state, 0.0)
