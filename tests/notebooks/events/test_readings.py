"""Readings as a frame: what a display showed, from when until when, and when nobody knows."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from notebooks.lab.events import readings
from notebooks.lab.events.values import ORDER
from shared_utils.contracts.events import Event
from shared_utils.contracts.zones import write_zones, zones_path
from tests.notebooks.events.volume import KYIV, at, clip, happened, live, reading, watch


def _spans(frame: pd.DataFrame) -> list[tuple[object, float, float]]:
    """Return values with the seconds from and until which they hold."""
    begin, end = ((frame[name] - pd.Timestamp(at(0))).dt.total_seconds() for name in ("at", "until"))
    values = frame["value"].astype(object).where(frame["value"].notna(), None)
    return list(zip(values, begin, end, strict=True))


def test_a_value_holds_until_the_next_one_and_a_minute_and_a_half_at_most(tmp_path: Path) -> None:
    live(tmp_path, happened("entered", 1), reading("1", 0), reading("2", 20), reading(None, 80, reason="empty"))
    live(tmp_path, reading("2", 140), reading("2", 1000), reading("9", 1010, "level"))
    frame = readings(tmp_path, zone=KYIV)
    assert tuple(frame.columns) == ORDER
    pressure = frame[frame["zone"] == "pressure"]
    assert _spans(pressure) == [("1", 0, 20), ("2", 20, 80), (None, 80, 140), ("2", 140, 230), ("2", 1000, 1090)]
    assert pressure["state"].tolist() == ["ok", "ok", "unreadable", "ok", "ok"]
    assert pressure["reason"].dropna().tolist() == ["empty"]
    assert str(frame["at"].dt.tz) == str(frame["until"].dt.tz) == KYIV


def test_a_slow_task_is_believed_for_longer(tmp_path: Path) -> None:
    task = {"do": "read", "every_s": 600, "when": "live"}
    corners = [[0.1, 0.1], [0.2, 0.1], [0.2, 0.2], [0.1, 0.2]]
    write_zones(zones_path(tmp_path, "door"), {"zones": [{"name": "pressure", "points": corners, "tasks": [task]}]})
    live(tmp_path, reading("1", 0), reading("1", 600), reading("2", 0, "level"))
    assert _spans(readings(tmp_path)) == [("1", 0, 600), ("1", 600, 1290), ("2", 0, 90)]
    zones_path(tmp_path, "door").write_text("no zones")
    assert _spans(readings(tmp_path))[0] == ("1", 0, 90)


def test_no_value_outlives_the_camera(tmp_path: Path) -> None:
    watch(tmp_path, "door", (0, 30), (100, 400), (500, 600))
    live(tmp_path, *(reading("1", moment) for moment in (0, 20, 120, 380, 590)))
    assert _spans(readings(tmp_path)) == [
        ("1", 0, 20),
        ("1", 20, 30),
        ("1", 120, 210),
        ("1", 380, 400),
        # the last interval is open: the next sign of life may come
        ("1", 590, 680),
    ]


def test_a_value_of_a_clip_holds_until_its_end(tmp_path: Path) -> None:
    clip(tmp_path, 0, reading("1", 2), reading("2", 20))
    clip(tmp_path, 300, reading("2", 300), length_s=120)
    frame = readings(tmp_path)
    assert _spans(frame) == [("1", 2, 20), ("2", 20, 30), ("2", 300, 420)]
    assert frame["filename"].notna().all()


def test_tasks_of_one_zone_are_apart_and_lamps_and_pages_have_states(tmp_path: Path) -> None:
    lamp = Event("light", at(0), "door", "pressure", "on", more={"level": 201.5})
    page = Event("page", at(5), "door", "pressure", None, more={"score": 0.2})
    other = reading("x", 7, engine=None, module="sign", task=1)
    live(tmp_path, lamp, page, reading("1", 3), other)
    frame = readings(tmp_path)
    assert frame["type"].tolist() == ["light", "page", "reading", "reading"]
    assert frame["state"].tolist() == ["ok", "ok", "ok", "ok"]
    assert _spans(frame) == [("on", 0, 90), (None, 5, 95), ("1", 3, 93), ("x", 7, 97)]
    assert frame["level"].iloc[0] == 201.5
    assert frame["module"].dropna().tolist() == ["sign"]
    assert frame["engine"].dropna().tolist() == ["rapidocr"]


def test_without_readings_the_frame_has_its_columns(tmp_path: Path) -> None:
    live(tmp_path, happened("entered", 1))
    frame = readings(tmp_path, zone=KYIV)
    assert tuple(frame.columns) == ORDER
    assert frame.empty
    assert str(frame["until"].dt.tz) == KYIV
