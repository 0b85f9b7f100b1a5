"""Counts per zone and hour: by the wall clock, with hours that nobody watched, from events and from the log."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from notebooks.lab.events import zone_counts
from shared_utils.contracts.camera_log import append_camera_line, camera_line, camera_log_path
from shared_utils.errors import SettingError
from tests.notebooks.events.volume import KYIV, at, clip, happened, live, reading, watch

HOUR = 3600


def _rows(frame: pd.DataFrame) -> list[tuple[object, ...]]:
    """Return rows of what was counted or is unknown, as zone, hour, entered, left, crossed to either side."""
    names = ["entered", "left", "crossed_left", "crossed_right"]
    found = []
    for row in frame.to_dict("records"):
        counts = [None if pd.isna(row[name]) else row[name] for name in names]
        found.append((row["zone"], f"{row['start']:%H:%M}", *counts))
    return found


def test_hours_are_counted_by_zone_label_and_direction(tmp_path: Path) -> None:
    clip(tmp_path, 100, happened("entered", 105), happened("left", 110), happened("loitering", 109))
    live(tmp_path, happened("entered", HOUR + 5), happened("entered", HOUR + 6, label="car"))
    live(tmp_path, happened("crossed", 2 * HOUR, "door", direction="left"), happened("seen", 9, None), reading("1", 5))
    watch(tmp_path, "door", (-HOUR / 2, 2.5 * HOUR))
    frame = zone_counts(tmp_path, zone=KYIV)
    assert frame.columns.tolist() == [
        *("camera", "zone", "label", "start"),
        *("entered", "left", "crossed_left", "crossed_right", "loitering", "watched_h"),
    ]
    assert len(frame) == 3 * 4
    assert str(frame["start"].dt.tz) == KYIV
    people = frame[frame["label"] == "person"]
    assert _rows(people) == [
        ("door", "13:00", 0, 0, 0, 0),
        ("door", "14:00", 0, 0, 0, 0),
        ("door", "15:00", 0, 0, 0, 0),
        ("door", "16:00", 0, 0, 1, 0),
        ("gate", "13:00", 0, 0, 0, 0),
        ("gate", "14:00", 1, 1, 0, 0),
        ("gate", "15:00", 1, 0, 0, 0),
        ("gate", "16:00", 0, 0, 0, 0),
    ]
    assert people["watched_h"].tolist() == [0.5, 1.0, 1.0, 0.5] * 2
    assert frame.query("label == 'car'")["entered"].tolist() == [0, 0, 1, 0]
    assert people["loitering"].sum() == 1


def test_hours_that_nobody_watched_have_no_counts_unless_something_was_counted(tmp_path: Path) -> None:
    watch(tmp_path, "door", (0, HOUR), (4 * HOUR, 5 * HOUR))
    watch(tmp_path, "yard", (0, 5 * HOUR))
    live(tmp_path, happened("entered", 10), happened("entered", 2 * HOUR + 10))
    frame = zone_counts(tmp_path)
    assert [None if pd.isna(one) else one for one in frame["entered"]] == [1, None, 1, None, 0]
    assert frame["watched_h"].tolist() == [1.0, 0.0, 0.0, 0.0, 1.0]


def test_the_last_days_alone(tmp_path: Path) -> None:
    watch(tmp_path, "door", (0, 3 * HOUR))
    live(tmp_path, happened("entered", 10), happened("entered", 2.5 * HOUR))
    frame = zone_counts(tmp_path, days=1 / 24)
    assert frame["entered"].tolist() == [1]
    assert frame["watched_h"].tolist() == [1.0]
    assert zone_counts(tmp_path, days=100)["entered"].tolist() == [1, 0, 1]


def test_without_a_camera_log_nothing_is_known_of_the_time(tmp_path: Path) -> None:
    live(tmp_path, happened("entered", 10), happened("entered", 2 * HOUR + 10))
    frame = zone_counts(tmp_path)
    assert frame["entered"].tolist() == [1, 0, 1]
    assert frame["watched_h"].isna().all()


def test_clips_whose_events_are_gone_count_by_the_log(tmp_path: Path) -> None:
    entry = {"entered": {"person": 2, "car": 1}, "left": {}, "crossed": {}, "dwell_s": 1.0, "readings": 0, "items": {}}
    door = {"entered": {}, "left": {}, "crossed": {"person": {"left": 1, "right": 2}}, "dwell_s": 0.0}
    clip(tmp_path, 100, sidecar=False, zones={"gate": entry, "door": door, "odd": 5})
    clip(tmp_path, 200, happened("entered", 205))
    # what the live worker saw of the first clip is in its line; of the time after, it is not
    live(tmp_path, happened("entered", 101), happened("entered", 150), happened("entered", 104, "porch"))
    frame = zone_counts(tmp_path).query("label == 'person'").set_index("zone")
    assert frame["entered"].to_dict() == {"door": 0, "gate": 4, "porch": 1}
    assert frame.loc["door", ["crossed_left", "crossed_right"]].tolist() == [1, 2]


def test_what_was_seen_live_and_in_a_clip_counts_once(tmp_path: Path) -> None:
    clip(tmp_path, 0, happened("entered", 10), happened("left", 15))
    live(tmp_path, happened("entered", 10.4), happened("left", 15.2), happened("left", 50))
    frame = zone_counts(tmp_path)
    assert frame[["entered", "left"]].sum().tolist() == [1, 2]
    assert frame.attrs["doubles"] == 2


def test_hours_are_those_of_the_wall_clock(tmp_path: Path) -> None:
    live(tmp_path, happened("entered", 10 * 60))  # 14:10 in Kyiv, 17:55 in Kathmandu
    assert [f"{one:%H:%M}" for one in zone_counts(tmp_path, zone="Asia/Kathmandu")["start"]] == ["17:00"]
    assert [f"{one:%H:%M}" for one in zone_counts(tmp_path, "15min", zone=KYIV)["start"]] == ["14:00"]


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25)])
def test_a_day_that_clocks_change_has_fewer_or_more_hours(tmp_path: Path, day: str, hours: int) -> None:
    midnight = pd.Timestamp(day).tz_localize(KYIV)
    begin = (midnight - pd.Timestamp(at(0))).total_seconds()
    live(tmp_path, happened("entered", begin + 60), happened("entered", begin + (hours - 1) * HOUR + 60))
    for moment in (midnight, midnight + pd.Timedelta(hours=hours)):
        append_camera_line(camera_log_path(tmp_path), camera_line("door", "alive", moment.to_pydatetime()))
    table = zone_counts(tmp_path, zone=KYIV)
    assert (table["start"].dt.date.astype(str) == day).sum() == hours
    days = zone_counts(tmp_path, "D", zone=KYIV)
    assert days["entered"].tolist()[0] == 2
    assert f"{days['start'].iloc[0]:%Y-%m-%d %H:%M}" == f"{day} 00:00"


@pytest.mark.parametrize(
    ("zone", "moments", "start"),
    [
        ("Asia/Beirut", ("2026-03-28T23:30:00+02:00", "2026-03-29T01:30:00+03:00"), "2026-03-29 01:00 +0300"),
        ("America/Havana", ("2026-10-31T23:30:00-04:00", "2026-11-01T00:30:00-05:00"), "2026-11-01 00:00 -0400"),
    ],
)
def test_clocks_may_change_at_midnight(tmp_path: Path, zone: str, moments: tuple[str, str], start: str) -> None:
    for moment in moments:
        live(tmp_path, happened("entered", (pd.Timestamp(moment) - pd.Timestamp(at(0))).total_seconds()))
    days = zone_counts(tmp_path, "D", zone=zone)
    assert days["entered"].tolist() == [1, 1]
    assert f"{days['start'].iloc[1]:%Y-%m-%d %H:%M %z}" == start


def test_nothing_counted_is_an_empty_frame(tmp_path: Path) -> None:
    frame = zone_counts(tmp_path, zone=KYIV)
    assert frame.empty
    assert str(frame["start"].dt.tz) == KYIV
    watch(tmp_path, "door", (0, HOUR))
    assert zone_counts(tmp_path).empty


@pytest.mark.parametrize("every", ["MS", "W", "x", "", "-1h", "YE"])
def test_a_wrong_length_is_one_line(tmp_path: Path, every: str) -> None:
    with pytest.raises(SettingError, match=r"^every is '.*': give minutes, hours or days"):
        zone_counts(tmp_path, every)


def test_a_length_that_makes_millions_of_rows_is_refused(tmp_path: Path) -> None:
    live(tmp_path, happened("entered", 0), happened("entered", 365 * 24 * HOUR))
    with pytest.raises(SettingError, match="give a longer time"):
        zone_counts(tmp_path, "1s")
