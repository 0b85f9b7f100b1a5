"""Aggregation against cases worked out by hand: empty logs, one clip, clock changes, cameras away, a month."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from notebooks.lab.data import activity
from notebooks.lab.data.answers import how_often, summary
from notebooks.lab.data.oneday import NOTHING, lay_out
from notebooks.lab.data.results import load_log
from shared_utils.contracts.detections_log import log_path

BERLIN = ZoneInfo("Europe/Berlin")
# clocks of Berlin: 2026-03-29 02:00 becomes 03:00; 2026-10-25 03:00 becomes 02:00 again
Seen = tuple[str, float, float]


def clip(at: str, camera: str = "door", *seen: Seen, tracks: int = 1, duration: float = 30.0) -> dict[str, Any]:
    """A line of the log. `at`: ISO, local to Berlin unless it has an offset; `seen`: label, first_s, last_s."""
    moment = datetime.fromisoformat(at)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=BERLIN)
    objects = [
        {"label": label, "tracks": tracks, "hits": 5, "max_conf": 0.9, "first_s": first, "last_s": last}
        for label, first, last in seen
    ]
    return {
        "ok": True,
        "filename": f"{moment:%Y%m%d-%H%M%S}-{camera}.mp4",
        "detected": [label for label, _, _ in seen],
        "count": len(seen),
        "timestamp": (moment + timedelta(seconds=40)).isoformat(),
        "camera": camera,
        "run_id": f"{moment.timestamp()} {camera}",
        "objects": objects,
        "clip": {"started_at": moment.isoformat(), "duration_s": duration},
    }


@pytest.fixture
def log(tmp_path: Path) -> Any:
    def write(lines: Iterable[dict[str, Any]]) -> pd.DataFrame:
        path = log_path(tmp_path)
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        return load_log(path, zone=BERLIN)

    return write


def watch(*spans: tuple[str, str, str]) -> pd.DataFrame:
    """A frame as of uptime(): camera, from, to; local to Berlin."""
    frame = pd.DataFrame({"camera": pd.Series([camera for camera, _, _ in spans], dtype="category")})
    for number, name in ((1, "start"), (2, "end")):
        moments = [datetime.fromisoformat(span[number]) for span in spans]
        aware = [moment if moment.tzinfo else moment.replace(tzinfo=BERLIN) for moment in moments]
        frame[name] = pd.Series(pd.to_datetime(aware, utc=True).as_unit("us")).dt.tz_convert(BERLIN)
    return frame


NEVER = watch()


def test_an_empty_log_is_no_clips_no_days_and_no_rates(log: Any) -> None:
    empty = log([])
    clips, seen = activity.clips_of(empty), activity.sightings_of(empty)
    assert clips.empty
    assert seen.empty
    assert activity.by_day(clips, NEVER).empty
    assert activity.by_hour(clips, NEVER)["clips"].tolist() == [0] * 24
    assert activity.by_hour(clips, NEVER)["rate"].isna().all()
    for table in (activity.by_label, activity.label_by_camera, activity.visits, activity.busiest_minutes):
        assert table(seen).empty
    assert "Nothing has been analysed yet" in summary(empty)
    assert str(how_often(empty, "cat", now=datetime(2026, 2, 23, 12))) == (
        "No cat today (Monday 23 February): there is no clip at all."
    )


def test_one_clip(log: Any) -> None:
    one = log([clip("2026-02-23T14:48:19", "door", ("cat", 4.0, 10.0))])
    clips, seen = activity.clips_of(one), activity.sightings_of(one)
    watched = watch(("door", "2026-02-23T12:00", "2026-02-23T16:30"))
    day = activity.by_day(clips, watched)
    assert day.index.tolist() == [pd.Timestamp("2026-02-23")]
    assert day[("clips", "door")].tolist() == [1]
    assert day[("watched_h", "door")].tolist() == [4.5]
    hours = activity.by_hour(clips, watched)
    assert hours.loc[14].tolist() == [1, 1.0, 1.0]
    assert hours.loc[16].tolist() == [0, 0.5, 0.0]  # watched, nothing there
    assert pd.isna(hours["rate"][17])  # not watched
    [label] = activity.by_label(seen).to_dict("records")
    assert (label["clips"], label["visits"], label["objects"], label["longest_s"]) == (1, 1, 1, 6.0)
    assert label["first_at"] == pd.Timestamp("2026-02-23T14:48:23", tz=BERLIN)


def test_a_clip_that_was_analysed_twice_counts_once_by_its_last_run(log: Any) -> None:
    first = clip("2026-02-23T14:00", "door", ("cat", 1.0, 2.0))
    again = clip("2026-02-23T14:00", "door", ("dog", 1.0, 2.0)) | {"run_id": "again"}
    failed = {"ok": False, "filename": first["filename"], "error": "gone", "timestamp": first["timestamp"]}
    twice = log([first, again, failed])
    assert len(activity.clips_of(twice)) == 1
    assert activity.sightings_of(twice)["label"].tolist() == ["dog"]


def test_clips_without_a_time_are_counted_and_left_out(log: Any) -> None:
    foreign = clip("2026-02-23T14:00") | {"filename": "holiday.mp4", "clip": {}, "camera": None}
    named = clip("2026-02-23T15:00") | {"filename": "garden.mp4", "camera": None}
    clips = activity.clips_of(found := log([foreign, named]))
    assert clips.attrs["undated"] == 1
    assert clips["camera"].tolist() == [activity.NO_CAMERA]
    assert "1 file of unknown time" in summary(found)


def test_hours_in_which_nobody_watched_have_no_rate(log: Any) -> None:
    clips = activity.clips_of(log([clip("2026-02-23T10:10"), clip("2026-02-23T10:40"), clip("2026-02-24T11:00")]))
    # Monday and Tuesday from 10 to 11; at 11 ten minutes, which is too short to say anything
    watched = watch(("door", "2026-02-23T10:00", "2026-02-23T11:00"), ("door", "2026-02-24T10:00", "2026-02-24T11:10"))
    hours = activity.by_hour(clips, watched)
    assert hours.loc[10].tolist() == [2, 2.0, 1.0]
    assert hours.loc[11, "clips"] == 1
    assert pd.isna(hours["rate"][11])
    cells = activity.by_weekday_and_hour(clips, watched)["rate"]
    assert cells[0, 10] == 2.0
    assert cells[1, 10] == 0.0
    assert pd.isna(cells[2, 10])
    assert cells.notna().sum() == 2


def test_rates_of_several_cameras_are_per_hour_of_a_camera(log: Any) -> None:
    clips = activity.clips_of(log([clip("2026-02-23T10:10", "door"), clip("2026-02-23T10:20", "yard")]))
    watched = watch(("door", "2026-02-23T10:00", "2026-02-23T11:00"), ("yard", "2026-02-23T10:00", "2026-02-23T10:30"))
    assert activity.by_hour(clips, watched).loc[10].tolist() == [2, 1.5, pytest.approx(4 / 3)]


def test_the_day_daylight_saving_begins_has_23_hours_and_no_hour_2(log: Any) -> None:
    watched = watch(("door", "2026-03-29T00:00+01:00", "2026-03-30T00:00+02:00"))
    clips = activity.clips_of(log([clip("2026-03-29T01:59:50+01:00"), clip("2026-03-29T03:00:10+02:00")]))
    assert clips["hour"].tolist() == [1, 3]
    assert activity.by_day(clips, watched)[("watched_h", "door")].tolist() == [23.0]
    hours = activity.by_hour(clips, watched)
    assert hours["watched_h"].tolist() == [1.0, 1.0, 0.0] + [1.0] * 21
    assert pd.isna(hours["rate"][2])
    day = lay_out(clips, activity.sightings_of(log([])), watched, "2026-03-29", now=datetime(2026, 4, 1))
    # ticks by the wall clock: 00, then 03 after two hours of 23
    assert [(round(share * 23, 6), hour) for share, hour in day.ticks[:3]] == [(0, "00"), (2, "03"), (5, "06")]


def test_the_day_daylight_saving_ends_has_25_hours_and_hour_2_twice(log: Any) -> None:
    watched = watch(("door", "2026-10-25T00:00+02:00", "2026-10-26T00:00+01:00"))
    clips = activity.clips_of(log([clip("2026-10-25T02:30:00+02:00"), clip("2026-10-25T02:30:01+01:00")]))
    assert len(clips) == 2
    assert activity.by_day(clips, watched)[("watched_h", "door")].tolist() == [25.0]
    assert activity.by_hour(clips, watched).loc[2].tolist() == [2, 2.0, 1.0]
    day = lay_out(clips, activity.sightings_of(log([])), watched, "2026-10-25", now=datetime(2026, 11, 1))
    assert [(round(share * 25, 6), hour) for share, hour in day.ticks[:3]] == [(0, "00"), (4, "03"), (7, "06")]
    [row] = day.rows
    first, second = (mark.begin * 25 for mark in row.marks)
    assert (first, second) == (pytest.approx(2.5, abs=0.001), pytest.approx(3.5, abs=0.001))


def test_watched_time_counts_by_the_wall_clock_of_half_hour_zones() -> None:
    watched = watch(("door", "2026-02-23T10:00+05:45", "2026-02-23T11:15+05:45"))
    for name in ("start", "end"):
        watched[name] = watched[name].dt.tz_convert("Asia/Kathmandu")
    pieces = activity.watched_quarters(watched)
    assert pieces.groupby("hour")["hours"].sum().to_dict() == {10: 1.0, 11: 0.25}


def test_clips_that_follow_each_other_are_one_visit(log: Any) -> None:
    cases: Sequence[dict[str, Any]] = [
        clip("2026-02-23T14:00:00", "door", ("person", 5.0, 29.0)),
        clip("2026-02-23T14:00:30", "door", ("person", 0.0, 20.0)),
        clip("2026-02-23T14:00:40", "yard", ("person", 2.0, 4.0)),  # another camera
        clip("2026-02-23T14:03:00", "door", ("person", 1.0, 3.0)),  # 2:10 after the first one's end
    ]
    seen = activity.sightings_of(log(cases))
    found = activity.visits(seen)
    assert found["stay_s"].tolist() == [45.0, 2.0, 2.0]
    assert found["clips"].tolist() == [2, 1, 1]
    assert activity.longest_stays(seen, most=1)["camera"].tolist() == ["door"]
    assert activity.by_label(seen).loc["person", ["clips", "visits"]].tolist() == [4, 3]


def test_the_busiest_minute_counts_objects_of_all_cameras_from_first_to_last_sight(log: Any) -> None:
    seen = activity.sightings_of(
        log(
            [
                clip("2026-02-23T14:00:50", "door", ("person", 5.0, 25.0), tracks=2),  # 14:00:55 to 14:01:15
                clip("2026-02-23T14:01:10", "yard", ("car", 0.0, 5.0)),
                clip("2026-02-23T09:00:00", "yard", ("cat", 0.0, 1.0)),
            ]
        )
    )
    found = activity.busiest_minutes(seen)
    rows = [
        (f"{row['minute']:%H:%M}", row["objects"], row["labels"], row["cameras"]) for row in found.to_dict("records")
    ]
    assert rows == [
        ("14:01", 3, "person, car", "door, yard"),
        ("14:00", 2, "person", "door"),
        ("09:00", 1, "cat", "yard"),
    ]


def test_old_lines_with_five_keys_count_as_sightings_at_their_clips_beginning(log: Any) -> None:
    old = {"ok": True, "filename": "20260223-140000-door.mp4", "detected": ["cat"], "count": 1}
    seen = activity.sightings_of(log([old | {"timestamp": "2026-02-23T14:00:47+01:00"}]))
    assert seen["first_at"].tolist() == [pd.Timestamp("2026-02-23T14:00", tz=BERLIN)]
    assert activity.by_label(seen).loc["cat", "objects"] == 1
    assert len(activity.busiest_minutes(seen)) == 1


NOON = datetime(2026, 2, 24, 12)
CATS = [
    clip("2026-02-23T08:00:00", "door", ("cat", 2.0, 8.0)),
    clip("2026-02-24T07:15:00", "door", ("cat", 2.0, 8.0)),
    clip("2026-02-24T09:30:00", "yard", ("cat", 1.0, 13.0), ("dog", 1.0, 2.0)),
]


@pytest.mark.parametrize(
    ("label", "day", "sentence"),
    [
        ("cat", "today", "Cat: twice today (Tuesday 24 February), at 07:15 (door), 09:30 (yard); the longest "
         "for 12 s."),
        ("cat", "last", "Cat: twice on Tuesday 24 February, at 07:15 (door), 09:30 (yard); the longest for 12 s."),
        ("cat", "yesterday", "Cat: once yesterday (Monday 23 February), at 08:00 (door); in sight for 6 s."),
        ("dog", "2026-02-23", "No dog on Monday 23 February: 1 clip, none shows one."),
        ("fox", "today", "No fox today (Tuesday 24 February): 2 clips, none shows one. The log has never seen one; "
         "it knows cat, dog."),
    ],
)  # fmt: skip
def test_how_often_is_a_sentence(log: Any, label: str, day: str, sentence: str) -> None:
    assert repr(how_often(log(CATS), label, day, now=NOON)) == sentence


def test_how_often_tells_many_visits_by_first_and_last(log: Any) -> None:
    lines = [clip(f"2026-02-24T{hour:02d}:00:00", "door", ("cat", 0.0, 1.0)) for hour in range(1, 11)]
    answer = how_often(log(lines), "cat", now=NOON)
    assert answer.times == 10
    assert "10 times today (Tuesday 24 February), first at 01:00 (door), last at 10:00 (door)" in str(answer)


def test_how_often_knows_when_the_camera_was_away(log: Any) -> None:
    watched = watch(("door", "2026-02-23T00:00", "2026-02-24T09:00"))
    assert (
        str(how_often(log(CATS), "dog", "today", watched=watched, now=datetime(2026, 2, 24, 8))).endswith(
            "none shows one."
        )
        is False
    )
    answer = how_often(log(CATS), "cat", "today", watched=watched, now=NOON)
    assert answer.away_h == {"door": pytest.approx(3.0)}
    assert str(answer).endswith("Not watched, of 12.0 hours: door for 3.0.")
    assert str(how_often(log(CATS), "cat", "2026-02-25", watched=watched, now=datetime(2026, 2, 26))) == (
        "Nobody can say whether there was a cat on Wednesday 25 February: no camera was watched."
    )


def test_a_day_is_laid_out_by_camera_and_label(log: Any) -> None:
    found = log([*CATS, clip("2026-02-24T11:00:00", "yard")])
    watched = watch(("door", "2026-02-24T06:00", "2026-02-24T12:00"), ("gate", "2026-02-24T00:00", "2026-02-24T12:00"))
    day = lay_out(activity.clips_of(found), activity.sightings_of(found), watched, "last", now=NOON)
    rows = [(row.camera, row.label, len(row.marks)) for row in day.rows]
    assert rows == [("door", "cat", 1), ("gate", "", 0), ("yard", "cat", 1), ("yard", "dog", 1), ("yard", NOTHING, 1)]
    assert day.rows[0].marks[0].begin == pytest.approx(7.25 / 24, abs=1e-6)
    assert day.rows[2].marks[0].text == "09:30:00 yard: cat, dog"
    assert day.until == 0.5
    assert day.away == {"door": ((0.0, 0.25),), "gate": (), "yard": ((0.0, 0.5),)}
    assert json.loads(json.dumps(day.as_dict()))["clips"] == 3


def test_a_month_of_three_cameras_adds_up(log: Any) -> None:
    cameras = ("door", "street", "yard")
    first = datetime(2026, 3, 10, tzinfo=BERLIN)  # daylight saving begins within
    lines = [
        clip((first + timedelta(days=day, hours=hour, minutes=7 * number)).isoformat(), camera, ("person", 1.0, 9.0))
        for day in range(30)
        for number, camera in enumerate(cameras)
        for hour in range(6, 22)
    ]
    watched = watch(*((camera, "2026-03-10T00:00", "2026-04-09T00:00") for camera in cameras))
    clips = activity.clips_of(log(lines))
    by_day = activity.by_day(clips, watched)
    assert len(by_day) == 30
    assert activity.part(by_day, "clips").to_numpy().sum() == 30 * 3 * 16
    assert activity.part(by_day, "watched_h").sum().tolist() == [30 * 24 - 1] * 3
    hours = activity.by_hour(clips, watched)
    assert hours.loc[12].tolist() == [90, 90.0, 1.0]
    assert hours.loc[2, "watched_h"] == 87  # not on the 29th
    assert hours.loc[2, "rate"] == 0.0
