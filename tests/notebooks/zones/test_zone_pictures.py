"""The pictures of ZonesAndReadings say what their frames say. The volume: see tests/notebooks/events/volume.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib.dates as mdates
import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from notebooks.lab.data.results import load_log, uptime
from notebooks.lab.events import events, readings, zone_counts
from notebooks.lab.zones import spans
from notebooks.lab.zones.count_plots import plot_counts, plot_dwell
from notebooks.lab.zones.places import anchor_points, heat_of, plot_places
from notebooks.lab.zones.reading_plots import plot_readings
from shared_utils.contracts.events import Event
from shared_utils.contracts.zones import zones_path
from shared_utils.errors import SettingError
from tests.notebooks.events.volume import at, happened, live, reading, watch
from tests.notebooks.plots.test_plots import texts

pytestmark = pytest.mark.usefixtures("house_style")
HOUR = 3600


def _minutes(figure: Figure, row: int, hatch: str) -> list[tuple[float, float]]:
    """Return the hatched times in a row of a figure, minutes from the beginning of the volume."""
    begin = mdates.date2num(at(0))
    found = []
    for bars in figure.axes[row].collections:
        if isinstance(bars, PolyCollection) and bars.get_hatch() == hatch:
            for path in bars.get_paths():
                box = path.get_extents()
                found.append(tuple(round((side - begin) * 24 * 60, 2) for side in (box.x0, box.x1)))
    return [(start, stop) for start, stop in found]


def _pump(folder: Path) -> None:
    """Fill a volume: a number that is unreadable for a minute, a lamp, and a camera that was away for ten minutes."""
    watch(folder, "door", (0, 20 * 60), (30 * 60, 40 * 60))
    minutes = [*range(20), *range(30, 40)]
    for minute in minutes:
        bad = minute == 5
        value = None if bad else f"{minute}.5"
        more = {"reason": "pattern"} if bad else {"number": minute + 0.5, "unit": "bar"}
        live(folder, reading(value, 60 * minute, **more))
        live(folder, Event("light", at(60 * minute), "door", "lamp", "on" if minute % 10 < 5 else "off"))


def test_readings_over_time_hatch_what_was_unreadable_and_what_nobody_watched(tmp_path: Path) -> None:
    _pump(tmp_path)
    figure = plot_readings(readings(tmp_path), uptime(tmp_path))
    said = texts(figure)
    assert "door: 2 displays, readable 98." in said
    assert "least of all pressure, unreadable for 60 s" in said.replace("\n", " ")
    assert "not watched, 10 min" in said.replace("\n", " ")
    assert [axes.get_ylabel() for axes in figure.axes] == ["pressure\n(bar)", "lamp"]
    assert _minutes(figure, 0, "xxxx") == [(5, 6)]
    assert _minutes(figure, 1, "xxxx") == []
    assert _minutes(figure, 0, "////") == _minutes(figure, 1, "////") == [(20, 30)]
    [line] = figure.axes[0].get_lines()
    values = np.asarray(line.get_ydata(), float)
    assert np.nanmin(values) == 0.5
    assert np.nanmax(values) == 39.5
    # broken where nothing is known: while it was unreadable, while the camera was away
    assert int(np.isnan(values).sum()) == 2
    assert [text.get_text() for text in figure.axes[1].texts] == ["off", "on"]


def test_a_part_of_them_is_chosen_by_zone_and_hours(tmp_path: Path) -> None:
    _pump(tmp_path)
    read = readings(tmp_path)
    figure = plot_readings(read, uptime(tmp_path), zones=["lamp"], hours=0.2)
    assert [axes.get_ylabel() for axes in figure.axes] == ["lamp"]
    low, high = figure.axes[0].get_xlim()
    assert (high - low) * 24 == pytest.approx(0.2)
    assert "Nothing has been read in these zones of door" in texts(plot_readings(read, uptime(tmp_path), "door", ["x"]))
    assert "Nothing has been read yet" in texts(plot_readings(read.iloc[:0], uptime(tmp_path)))


def test_texts_of_many_kinds_are_one_bar_and_a_value_that_stands_still_has_a_line(tmp_path: Path) -> None:
    live(tmp_path, *(reading(f"batch {minute}", 60 * minute, "line") for minute in range(9)))
    live(tmp_path, *(reading("7", 60 * minute, "still", number=7.0) for minute in range(9)))
    figure = plot_readings(readings(tmp_path), uptime(tmp_path))
    still, line = figure.axes
    assert [text.get_text() for text in line.texts] == ["9 different texts"]
    low, high = still.get_ylim()
    assert low < 7 < high
    assert "hatched" not in texts(figure)  # there is no camera log


def test_times_that_are_joined_and_those_that_nobody_watched(tmp_path: Path) -> None:
    _pump(tmp_path)
    read, watched = readings(tmp_path), uptime(tmp_path)
    pressure = read[read["zone"] == "pressure"]
    begin, end = (pd.Timestamp(at(60 * minute)) for minute in (-5, 50))
    minutes = [
        tuple((moment - pd.Timestamp(at(0))).total_seconds() / 60 for moment in span)
        for span in spans.unwatched(watched, "door", begin, end)
    ]
    assert minutes == [(-5, 0), (20, 30)]
    assert spans.unwatched(watched, "yard", begin, end) == []
    assert [value for value, _ in spans.by_value(read[read["zone"] == "lamp"])] == ["on", "off"]
    assert len(spans.joined(pressure)) == 2


def test_counts_are_drawn_upwards_and_downwards_and_unknown_hours_hatched(tmp_path: Path) -> None:
    watch(tmp_path, "door", (0, HOUR), (2 * HOUR, 3 * HOUR))
    live(tmp_path, *(happened("entered", 60 * number) for number in range(3)))
    live(tmp_path, happened("left", 2 * HOUR + 5), happened("left", 2 * HOUR + 6, label="car"))
    live(tmp_path, happened("crossed", 9, "line", direction="right"))
    figure = plot_counts(zone_counts(tmp_path))
    said = texts(figure)
    assert "3 in, 3 out; the most at Mon 23 Feb" in said
    assert "3 in and 0 out of gate (door)" in said.replace("\n", " ")
    gate = figure.axes[0]
    heights = [bar.get_height() for bar in gate.patches if isinstance(bar, Rectangle)]
    assert heights == [3, 0, 0, 0, 0, -2]
    assert len(_minutes(figure, 0, "////")) == len(_minutes(figure, 1, "////")) == 1
    assert "Nothing has been counted yet" in texts(plot_counts(zone_counts(tmp_path), "yard"))


def test_stays_are_drawn_by_zone_and_label(tmp_path: Path) -> None:
    stays = [("person", 4.0), ("person", 6.0), ("car", 30.0)]
    live(tmp_path, *(happened("left", 100 + n, label=label, dwell_s=s) for n, (label, s) in enumerate(stays)))
    live(tmp_path, happened("left", 100, "porch", dwell_s=200.0), happened("entered", 1))
    figure = plot_dwell(events(tmp_path))
    assert "4 stays; the longest: person in porch, 3 min" in texts(figure)
    assert figure.axes[0].get_xlabel() == "seconds in gate (door): 3 stays, half up to 6.0 s"
    assert sum(bar.get_height() for bar in figure.axes[0].patches if isinstance(bar, Rectangle)) == 3
    assert "Nobody has left a zone yet" in texts(plot_dwell(events(tmp_path), "yard"))


def test_the_map_shows_where_things_stood(sample_volume: Path) -> None:
    log = load_log(sample_volume)
    people = anchor_points(log, sample_volume, "street", "person")
    assert set(people["label"]) == {"person"}
    # feet are on both pavements, not above them
    assert people["y"].min() > 0.5
    assert people[["x", "y"]].max().max() <= 1
    middles = anchor_points(log, sample_volume, "street", "person", "centre")
    assert (middles["y"] < people["y"]).all()
    heat = heat_of(people)
    assert heat.shape == (54, 96)
    assert heat.max() == 1.0
    assert heat[:20].max() == 0.0
    with pytest.raises(SettingError, match="anchor is 'top': give 'bottom' or 'centre'"):
        anchor_points(log, sample_volume, "street", anchor="top")
    figure = plot_places(log, sample_volume, label="person")
    assert "street, person: " in texts(figure)
    [image] = figure.axes[0].get_images()
    picture: Any = image.get_array()
    drawn = np.asarray(picture, int)
    # the map's yellow and red are on the ground, not in the sky
    warm = drawn[..., 0] - drawn[..., 2] > 70
    assert warm[drawn.shape[0] // 2 :].mean() > 10 * warm[: drawn.shape[0] // 4].mean()


def test_the_map_says_what_is_missing(sample_volume: Path) -> None:
    log = load_log(sample_volume)
    zones_path(sample_volume, "street").write_text("{}")
    assert "its zones cannot be drawn" in texts(plot_places(log, sample_volume, "street")).replace("\n", " ")
    zones_path(sample_volume, "street").unlink()
    assert "it has no zones" in texts(plot_places(log, sample_volume, "street")).replace("\n", " ")
    assert "There is no clip of press" in texts(plot_places(log, sample_volume, "press"))
    assert "No clip has been analysed yet" in texts(plot_places(log.iloc[:0], sample_volume))
