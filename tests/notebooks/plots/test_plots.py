"""The pictures of ViewProcessResults say what their frames say: titles, bars, hatches. Frames: see test_activity.py."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import matplotlib.dates as mdates
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import same_color, to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from notebooks.lab.data import activity
from notebooks.lab.data.oneday import lay_out
from notebooks.lab.plots import plots, style
from tests.notebooks.data.test_activity import CATS, NEVER, NOON, clip, log, watch

__all__ = ["log"]  # the fixture
WATCHED = watch(("door", "2026-02-23T00:00", "2026-02-24T12:00"), ("yard", "2026-02-24T00:00", "2026-02-24T12:00"))


pytestmark = pytest.mark.usefixtures("house_style")


def texts(figure: Figure) -> str:
    figure.canvas.draw()
    parts = [title for axes in figure.axes for title in (axes.get_title(), axes.get_title(loc="left"))]
    parts += [text.get_text() for axes in figure.axes for text in axes.texts]
    return " | ".join(filter(None, parts))


def hatched(figure: Figure) -> list[Any]:
    return [patch for axes in figure.axes for patch in axes.patches if patch.get_hatch()]


def bars(figure: Figure) -> list[float]:
    return [
        patch.get_height() for patch in figure.axes[0].patches if isinstance(patch, Rectangle) and not patch.get_hatch()
    ]


def test_bars_by_day(log: Any) -> None:
    clips = activity.clips_of(log(CATS))
    figure = plots.plot_days(clips, WATCHED)
    assert "3 clips in 2 days; most on Tue 24 Feb: 2" in texts(figure)
    assert "door 2 and yard 1" in texts(figure)
    assert bars(figure) == [1, 1, 0, 1]  # door's two days, yard's two days


@pytest.mark.parametrize("is_watched", [True, False])
@pytest.mark.parametrize("count", [1, 2, 7, 16])
@pytest.mark.parametrize("name", ["cam", "entrance-north-of-the-building"])
def test_the_days_of_many_cameras_have_the_width_of_the_picture(
    log: Any, count: int, name: str, is_watched: bool
) -> None:
    """A warning that the layout collapsed fails it too."""
    cameras = [f"{name}{number}"[-32:] for number in range(count)]
    lines = [
        clip(f"2026-02-{day}T08:{number:02d}", camera) for day in (21, 22, 23) for number, camera in enumerate(cameras)
    ]
    watched = watch(*[(camera, "2026-02-21T00:00", "2026-02-24T00:00") for camera in cameras if is_watched])
    figure = plots.plot_days(activity.clips_of(log(lines)), watched)
    figure.canvas.draw()
    width, _ = figure.canvas.get_width_height()
    axes = figure.axes[0].get_window_extent()
    assert axes.width > 0.5 * width
    assert axes.height > 200
    for text in figure.findobj(Text):
        if text.get_text() and text.get_visible():
            box = text.get_window_extent()
            assert box.x0 >= -1, text
            assert box.x1 <= width + 1, text


def test_what_is_equal_is_not_hidden(log: Any) -> None:
    days = [clip(f"2026-02-{day}T{hour}:00") for day, hour in ((21, "08"), (22, "09"), (22, "10"), (23, "11"))]
    clips = activity.clips_of(log(days))
    watched = watch(("door", "2026-02-21T00:00", "2026-02-24T00:00"))
    assert "4 clips in 3 days; most on Sun 22 Feb: 2" in texts(plots.plot_days(clips, watched))
    assert "1 clip in 3.0 watched hours; 3 other hours equal" in texts(plots.plot_hours(clips, watched))
    clips = activity.clips_of(log([*days, clip("2026-02-23T12:00")]))
    assert "5 clips in 3 days; most on Sun 22 Feb and Mon 23 Feb: 2 each" in texts(plots.plot_days(clips, watched))
    clips = activity.clips_of(log([*days, clip("2026-02-23T12:00"), clip("2026-02-21T12:00")]))
    assert "6 clips in 3 days; most on 3 of them: 2 each" in texts(plots.plot_days(clips, watched))


def test_a_day_that_nobody_watched_is_hatched_and_an_empty_one_is_not(log: Any) -> None:
    clips = activity.clips_of(log([clip("2026-02-21T08:00"), clip("2026-02-24T08:00")]))
    watched = watch(("door", "2026-02-21T00:00", "2026-02-22T00:00"), ("door", "2026-02-23T00:00", "2026-02-25T00:00"))
    spans = [patch for patch in plots.plot_days(clips, watched).axes[0].patches if patch.get_hatch()]
    [span] = spans
    assert isinstance(span, Rectangle)
    number = mdates.date2num(pd.Timestamp("2026-02-22"))
    assert span.get_x() < number < span.get_x() + span.get_width()


def test_bars_by_hour_and_the_heat_map(log: Any) -> None:
    clips = activity.clips_of(log([*CATS, clip("2026-02-24T09:40", "yard")]))
    hours = plots.plot_hours(clips, WATCHED)
    assert "Busiest from 09:00 to 10:00: 2 clips in 3.0 watched hours" in texts(hours)
    assert "UTC+01:00" in texts(hours)
    assert not hatched(hours)  # each hour was watched on Monday
    heat = plots.plot_heat(clips, WATCHED)
    assert "Most on Tuesdays from 09:00 to 10:00: 2 clips in 2.0 watched hours" in texts(heat)
    values = heat.axes[0].collections[0].get_array()
    assert values.reshape(7, 24)[1, 9] == 1.0
    assert values.mask.reshape(7, 24)[2].all()  # nobody has watched on a Wednesday


def test_without_a_camera_log_clips_are_counted_and_it_is_reported(log: Any) -> None:
    clips = activity.clips_of(log(CATS))
    for figure in (plots.plot_days(clips, NEVER), plots.plot_hours(clips, NEVER), plots.plot_heat(clips, NEVER)):
        assert "no cameras_log.jsonl" in texts(figure)
        assert not [patch for patch in hatched(figure) if patch.get_width() < 24]
    assert "1 clip" in texts(plots.plot_hours(clips, NEVER))


def test_labels_and_stays(log: Any) -> None:
    found = log(CATS)
    clips, seen = activity.clips_of(found), activity.sightings_of(found)
    labels = plots.plot_labels(seen, clips)
    assert "Seen most: cat, in 3 of 3 clips" in texts(labels)
    stays = plots.plot_stays(seen)
    assert "The longest stay: cat, 12 s" in texts(stays)
    [names] = [[text.get_text() for text in axes.get_yticklabels()] for axes in stays.axes]
    assert names[-1] == "cat, Tue 24 Feb, 09:30"


def test_a_camera_has_its_colour_in_all_pictures(log: Any) -> None:
    found = log(CATS)
    clips, seen = activity.clips_of(found), activity.sightings_of(found)
    yard = style.colours(["door", "yard"])["yard"]
    day = plots.plot_one_day(lay_out(clips, seen, WATCHED, "last", now=NOON))
    drawn = {to_hex(colour) for marks in day.axes[0].collections for colour in np.atleast_2d(marks.get_facecolor())}
    assert yard.lower() in drawn
    assert same_color(plots.plot_days(clips, WATCHED).axes[0].patches[-1].get_facecolor(), yard)
    assert "Tuesday 24 February 2026: 2 clips" in texts(day)


def test_nothing_is_a_sentence(log: Any) -> None:
    empty = log([])
    clips, seen = activity.clips_of(empty), activity.sightings_of(empty)
    for figure in (
        plots.plot_days(clips, NEVER),
        plots.plot_hours(clips, NEVER),
        plots.plot_heat(clips, NEVER),
        plots.plot_labels(seen, clips),
        plots.plot_one_day(lay_out(clips, seen, NEVER, now=NOON)),
    ):
        assert texts(figure) == plots.NOTHING_YET
    assert texts(plots.plot_stays(seen)) == "Nothing has stayed yet."
    blind = log([clip("2026-02-24T08:00")])
    text_of_plot = texts(plots.plot_labels(activity.sightings_of(blind), activity.clips_of(blind)))
    assert text_of_plot.startswith("Nothing was found in 1 clip")


def test_many_labels_and_rows_stay_within_a_page(log: Any) -> None:
    lines = [
        clip(f"2026-02-24T{number % 24:02d}:{number // 24:02d}:00", f"cam{number % 5}", (f"label{number}", 1.0, 2.0))
        for number in range(200)
    ]
    found = log(lines)
    clips, seen = activity.clips_of(found), activity.sightings_of(found)
    labels = plots.plot_labels(seen, clips)
    assert len(labels.axes[0].get_yticklabels()) == plots.MOST_LABELS
    assert "188 rarer labels left out" in texts(labels)
    day = plots.plot_one_day(lay_out(clips, seen, NEVER, "last", now=datetime(2026, 2, 25)))
    assert day.get_size_inches()[1] <= plots.MOST_INCHES


def test_logarithmic_axes_have_plain_numbers() -> None:
    figure = Figure()
    axes = figure.add_subplot()
    axes.set(xscale="log", yscale="log", xlim=(1, 1000), ylim=(1e-5, 1))
    style.plain_numbers(axes.xaxis, axes.yaxis)
    figure.canvas.draw()
    labels = [label.get_text() for axis in (axes.xaxis, axes.yaxis) for label in axis.get_ticklabels(which="both")]
    assert {"10", "100", "0.001", "0.01"} <= set(labels)
    assert not [label for label in labels if "$" in label]
