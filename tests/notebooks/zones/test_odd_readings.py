"""The oddest readings and their pictures, the words, and the tables for spreadsheets."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from notebooks.lab.data.results import load_log
from notebooks.lab.events import events, readings
from notebooks.lab.zones import odd, tables
from shared_utils.contracts.events import Event
from shared_utils.contracts.zones import write_zones, zones_path
from shared_utils.media.grabber import FrameGrabber
from shared_utils.media.picture_files import write_picture
from tests.notebooks.events.volume import at, clip, happened, live, reading
from tests.notebooks.plots.test_plots import texts
from tests.support.footage.barcode_clips import barcode
from tests.support.footage.video import write_video

pytestmark = pytest.mark.usefixtures("house_style")


def test_odd_are_jumps_that_go_back_low_confidence_and_what_was_unreadable(tmp_path: Path) -> None:
    numbers = [10.0, 10.1, 10.2, 91.2, 10.3, 10.4, 10.5, 10.4, 55.0, 55.1, 55.0]  # the second jump stays
    live(tmp_path, *(reading(f"{one}", 60 * number, number=one) for number, one in enumerate(numbers)))
    live(tmp_path, reading(None, 1000, reason="pattern"), replace(reading("10.4", 1060, number=10.4), confidence=0.4))
    live(tmp_path, happened("entered", 5))
    found = odd.oddest(readings(tmp_path))
    assert found["why"].tolist() == ["jumps by 80.9", "confidence 0.40", "unreadable: pattern"]
    assert found["value"].tolist()[:2] == ["91.2", "10.4"]
    assert found["odd"].is_monotonic_decreasing
    assert "The 3 oddest readings; 3 pictures not there (any more)" in _headline(found, tmp_path)


def _headline(found: pd.DataFrame, folder: Path) -> str:
    figure = odd.plot_oddest(found, folder)
    figure.canvas.draw()
    return str(figure.get_suptitle())


def test_no_zone_takes_all_places(tmp_path: Path) -> None:
    live(tmp_path, *(reading(None, number, reason="empty") for number in range(20)), reading(None, 5, "level"))
    found = odd.oddest(readings(tmp_path), most=6)
    assert len(found) == 6
    assert set(found["zone"]) == {"pressure", "level"}


def test_a_reading_has_the_picture_of_its_event_or_its_zone_in_the_clip(tmp_path: Path) -> None:
    (tmp_path / "events").mkdir()
    drawn = np.full((20, 60, 3), (0, 128, 255), np.uint8)
    write_picture(tmp_path / "events" / "a.png", drawn)
    live(tmp_path, replace(reading(None, 500, reason="empty"), picture="events/a.png"))
    live(tmp_path, replace(reading(None, 501, reason="empty"), picture="events/gone.jpg"))
    clip(tmp_path, 0, reading(None, 1.0, reason="empty"), reading(None, 1.0, "nowhere", reason="empty"), length_s=2)
    write_video(tmp_path / "20260223-140000-door.mp4", barcode(10), seconds=2, fps=10)
    corners = [[0.25, 0.25], [0.75, 0.25], [0.75, 0.5], [0.25, 0.5]]
    write_zones(zones_path(tmp_path, "door"), {"zones": [{"name": "pressure", "points": corners}]})
    found = odd.oddest(readings(tmp_path)).sort_values("at", ignore_index=True)
    places = {("door", "pressure"): [(x, y) for x, y in corners]}
    pictures = [odd.picture_of(row, tmp_path, places) for _, row in found.iterrows()]
    shapes = {
        (row["zone"], row["picture"] if isinstance(row["picture"], str) else None): None if one is None else one.shape
        for (_, row), one in zip(found.iterrows(), pictures, strict=True)
    }
    own = shapes.pop(("pressure", None))
    assert own is not None
    with FrameGrabber(tmp_path / "20260223-140000-door.mp4") as video:
        height, width = video.frame_at(1.0).picture.shape[:2]
    assert own == (round(height / 4), round(width / 2), 3)
    assert shapes == {
        ("nowhere", None): None,
        ("pressure", "events/a.png"): (20, 60, 3),
        ("pressure", "events/gone.jpg"): None,
    }
    assert _headline(found, tmp_path) == "The 4 oddest readings; 2 pictures not there (any more)"


def test_nothing_odd_is_said(tmp_path: Path) -> None:
    live(tmp_path, *(reading("1", number, number=1.0) for number in range(5)))
    found = odd.oddest(readings(tmp_path))
    assert found.empty
    assert "No reading was odd." in texts(odd.plot_oddest(found, tmp_path))
    assert odd.oddest(readings(tmp_path).iloc[:0]).empty


def test_the_summary_counts_readings_and_events(tmp_path: Path) -> None:
    assert tables.summary(events(tmp_path), readings(tmp_path)).startswith("No zone has seen or read anything yet")
    live(tmp_path, reading("1", 0), reading(None, 60, reason="empty"), happened("entered", 61), happened("left", 70))
    clip(tmp_path, 200, happened("entered", 210))
    live(tmp_path, happened("entered", 210.5))
    text = tables.summary(events(tmp_path), readings(tmp_path))
    assert text.startswith(
        "2 readings of 1 zone (door), 1 of them unreadable; 3 events of objects in 1 zone: 2 entered, 1 left"
    )
    assert text.endswith("1 seen live and in a clip count once.")


def test_the_last_reading_of_each_zone(tmp_path: Path) -> None:
    live(tmp_path, reading("1.5", 0, number=1.5, unit="bar"), reading(None, 60, "level", reason="empty"))
    live(tmp_path, reading("A", 0, "level"))
    table = tables.latest_readings(readings(tmp_path)).set_index("zone")
    assert table["last"].to_dict() == {"pressure": "1.5 bar", "level": "unreadable"}
    assert table["readable (%)"].to_dict() == {"pressure": 100.0, "level": 50.0}


def test_what_has_no_confidence_or_camera_is_in_the_words_and_the_table(tmp_path: Path) -> None:
    lamp = Event("light", at(0), "door", "lamp", "on", more={"level": 201.5})
    live(tmp_path, lamp, Event("light", at(1), None, None, "off"))
    read = readings(tmp_path)
    assert tables.latest_readings(read)["confidence"].tolist() == [""]
    assert tables.summary(events(tmp_path), read).startswith("2 readings of 2 zones (door), 0 of them unreadable")


def test_a_table_for_a_spreadsheet_has_local_times_and_no_formulas(tmp_path: Path) -> None:
    values = ["12.4", "-3.5", "=1+1", "@SUM(A1)", "тиск ü", 'a,b\n"c"']
    live(tmp_path, *(reading(value, number) for number, value in enumerate(values)))
    path = tmp_path / "exports" / "readings.csv"
    assert tables.write_csv(readings(tmp_path, zone="Europe/Kyiv"), path) == "exports/readings.csv: 6 rows, 27 columns"
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["value"] for row in rows] == ["12.4", "-3.5", "'=1+1", "'@SUM(A1)", "тиск ü", 'a,b\n"c"']
    assert rows[0]["at"] == "2026-02-23 14:00:00"
    assert rows[0]["utc_offset"] == "+0200"
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    log = load_log(tmp_path)
    assert tables.write_csv(log, path).startswith("exports/readings.csv: 0 rows")
