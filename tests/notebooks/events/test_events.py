"""Events as a frame: from the live log and the events files of clips, each once, whatever else the files hold."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from devtools.paths import ROOT
from notebooks.lab.data.results import load_log
from notebooks.lab.events import events
from notebooks.lab.events.event_lines import EventLine
from notebooks.lab.events.frames import ORDER
from shared_utils.contracts.events import Event, clip_events_path, events_log_path
from shared_utils.errors import FormatError, SettingError
from tests.notebooks.events.volume import KYIV, at, clip, happened, live, many_live, reading


def test_an_event_becomes_a_row_with_every_column(tmp_path: Path) -> None:
    event = happened("crossed", 31.12, "door", direction="left", dwell_s=2.5)
    live(tmp_path, event)
    frame = events(tmp_path, zone=KYIV)
    assert tuple(frame.columns) == ORDER
    [row] = frame.to_dict("records")
    assert {name: value for name, value in row.items() if not pd.isna(value)} == {
        "id": event.id,
        "type": "object",
        "at": pd.Timestamp("2026-02-23 14:00:31.12", tz=KYIV),
        "camera": "door",
        "zone": "door",
        "value": "crossed",
        "confidence": 0.9,
        "source": "live",
        "label": "person",
        "track": 1,
        "direction": "left",
        "dwell_s": 2.5,
        "x1": 0.1,
        "y1": 0.2,
        "x2": 0.3,
        "y2": 0.9,
    }


def test_a_reading_keeps_what_was_read_and_why_it_was_refused(tmp_path: Path) -> None:
    live(
        tmp_path,
        reading("12.4", 0, number=12.4, unit="bar", readings=24, min=12.1, max=12.4),
        reading(None, 1, reason="pattern", text="I2.A"),
    )
    frame = events(tmp_path, types="reading")
    assert frame["number"].iloc[0] == 12.4
    assert frame[["min", "max", "readings"]].iloc[0].tolist() == [12.1, 12.4, 24]
    assert pd.isna(frame["value"].iloc[1])
    assert frame[["state", "reason", "text"]].iloc[1].tolist() == ["unreadable", "pattern", "I2.A"]


def test_values_of_any_kind_are_texts(tmp_path: Path) -> None:
    values = ["12.4", 12.5, True, 7, None, {"a": 1}, ["x"]]
    live(tmp_path, *(Event("reading", at(number), "door", "z", value) for number, value in enumerate(values)))
    found = events(tmp_path)["value"]
    assert found.dropna().tolist() == ["12.4", "12.5", "true", "7", '{"a": 1}', '["x"]']
    assert pd.isna(found[4])


def test_of_a_clip_the_last_good_run_counts_and_ids_count_once(tmp_path: Path) -> None:
    clip(tmp_path, 0, happened("entered", 5), happened("left", 9))
    clip(tmp_path, 0, happened("entered", 6), run="again")
    clip(tmp_path, 100, happened("crossed", 105, "door"))
    live(tmp_path, event := happened("seen", 200, None), event)
    frame = events(tmp_path, zone=KYIV)
    assert frame["value"].tolist() == ["entered", "crossed", "seen"]
    assert frame["run_id"].tolist()[:2] == ["run0again", "run100"]
    assert frame["t"].tolist()[:2] == [6.0, 5.0]
    assert frame["at"].is_monotonic_increasing
    assert frame.attrs["skipped"] == {"of an event that is there already": 1}
    only = load_log(tmp_path)
    assert events(tmp_path, log=only[only["filename"].str.contains("140140")])["source"].tolist() == ["clip", "live"]


def test_a_missing_log_is_empty_and_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    frame = events(tmp_path, zone=KYIV)
    assert frame.empty
    assert str(frame["at"].dt.tz) == KYIV
    assert frame.attrs == {"skipped": {}, "mended": 0, "doubles": 0}
    with pytest.raises(SettingError, match="is no folder"):
        events(tmp_path / "nowhere")
    events_log_path(tmp_path).mkdir()
    with pytest.raises(SettingError, match="it is no file"):
        events(tmp_path)


def test_lines_that_are_none_of_ours_are_counted_and_break_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    live(tmp_path, reading("1", 0))
    with events_log_path(tmp_path).open("ab") as file:
        file.write(b'no\n\n[1]\n{"a": 1}\n\xff\xfe\n{"schema": 1, "type": "reading", "id": "x", "at": "once"}\n')
        later = {"schema": 2, "id": "y", "type": "reading", "at": at(2).isoformat()}
        odd = {"schema": 1, "id": "z", "type": "reading", "at": at(3).isoformat(), "zone": 5, "number": "1.5", "t": -1}
        file.write("".join(json.dumps(line) + "\n" for line in (later, odd)).encode())
    live(tmp_path, reading("2", 4))
    with events_log_path(tmp_path).open("ab") as file:
        file.write(b'{"schema": 1, "id": "torn')
    frame = events(tmp_path)
    assert frame["value"].dropna().tolist() == ["1", "2"]
    assert frame["number"].dropna().tolist() == [1.5]
    assert frame.attrs["skipped"] == {
        "not JSON": 2,
        "foreign": 2,
        "of schema 2, which this version does not know: update vcam": 1,
        "torn at the end": 1,
        "without a time": 1,
    }
    assert frame.attrs["mended"] == 1
    [record] = caplog.records
    assert record.getMessage().startswith("events: lines skipped: ")


def test_a_log_of_later_versions_alone_is_not_an_empty_one(tmp_path: Path) -> None:
    later = {"schema": 2, "id": "y", "type": "reading", "at": at(2).isoformat()}
    events_log_path(tmp_path).write_text(json.dumps(later) + "\n")
    with pytest.raises(FormatError, match="update vcam"):
        events(tmp_path)


def test_events_files_of_clips_may_be_torn_later_or_gone(tmp_path: Path) -> None:
    runs = [clip(tmp_path, 100 * number, happened("entered", 100 * number + 5)) for number in range(5)]
    files = [
        clip_events_path(tmp_path, f"{at(100 * number):%Y%m%d-%H%M%S}-door.mp4", run) for number, run in enumerate(runs)
    ]
    files[0].write_text(files[0].read_text()[:-20])
    files[1].write_text(files[1].read_text().replace('"schema": 1, "columns"', '"schema": 2, "columns"'))
    files[2].unlink()
    files[3].unlink()
    files[3].mkdir()
    frame = events(tmp_path)
    assert frame["run_id"].tolist() == ["run400"]
    assert frame.attrs["skipped"] == {
        "not JSON": 1,
        "events file of schema 2, which this version does not know: update vcam": 1,
    }


def test_a_time_without_a_zone_is_local_and_clock_changes_are_kept_apart(tmp_path: Path) -> None:
    lines = [
        {"schema": 1, "id": str(number), "type": "camera", "at": moment, "camera": "door", "value": "up"}
        for number, moment in enumerate(
            ("2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00", "2026-10-25T05:00:00")
        )
    ]
    events_log_path(tmp_path).write_text("".join(json.dumps(line) + "\n" for line in lines))
    moments = events(tmp_path, zone="Europe/Berlin")["at"]
    assert [f"{moment:%H:%M %z}" for moment in moments] == ["02:30 +0200", "02:30 +0100", "05:00 +0100"]


def test_every_key_of_a_line_is_a_column_or_said_to_be_none() -> None:
    assert set(EventLine.__struct_fields__) - set(ORDER) == {"box", "schema"}


def test_what_was_seen_live_and_in_a_clip_is_there_once(tmp_path: Path) -> None:
    clip(tmp_path, 0, happened("entered", 10), happened("left", 15), happened("crossed", 16, "door", direction="left"))
    live(
        tmp_path,
        happened("entered", 10.4),
        happened("left", 15.9),
        happened("entered", 20),  # the clip's analysis says that nobody did
        happened("crossed", 16.5, "door", direction="left"),
        happened("crossed", 16.5, "door", camera="yard", direction="left"),
        happened("entered", 12, "porch"),  # a zone that is watched live alone
        happened("seen", 9, None),
        reading("7", 11, "gate"),  # another task of a zone that the clip knows
        happened("entered", 90),  # no clip then
    )
    frame = events(tmp_path)
    kept = list(zip(frame["source"], frame["type"], frame["zone"], frame["camera"], strict=True))
    assert kept == [
        ("live", "object", pytest.approx(float("nan"), nan_ok=True), "door"),
        ("clip", "object", "gate", "door"),
        ("live", "reading", "gate", "door"),
        ("live", "object", "porch", "door"),
        ("clip", "object", "gate", "door"),
        ("clip", "object", "door", "door"),
        ("live", "object", "door", "yard"),
        ("live", "object", "gate", "door"),
    ]
    assert frame.attrs["doubles"] == 4


def test_at_a_clips_ends_only_events_that_the_clip_has_are_doubles(tmp_path: Path) -> None:
    clip(tmp_path, 100, happened("entered", 100.5), happened("entered", 102), happened("left", 115))
    live(
        tmp_path,
        happened("entered", 99.8),  # the first of the clip, seen a little earlier
        happened("entered", 101.5),
        happened("entered", 103),  # a third one: two in the clip are two
        happened("left", 128.5),  # by the clip's end nobody knew
        happened("left", 131.0),
    )
    frame = events(tmp_path)
    assert frame["source"].tolist() == ["clip", "clip", "live", "clip", "live", "live"]
    assert frame["value"].tolist() == ["entered"] * 3 + ["left"] * 3


def test_clips_of_another_file_of_zones_decide_nothing(tmp_path: Path) -> None:
    clip(tmp_path, 0, happened("entered", 10))
    clip(tmp_path, 100, zones_sha256="ff" * 32)
    clip(tmp_path, 200, zones_sha256=None, sidecar=False)
    clip(tmp_path, 300)  # of the same file: nobody came
    live(tmp_path, *(happened("entered", moment) for moment in (110, 210, 310)))
    assert events(tmp_path)["at"].dt.minute.tolist() == [0, 1, 3]


def test_readings_that_a_clip_has_too_are_taken_from_the_clip(tmp_path: Path) -> None:
    clip(tmp_path, 0, reading("1", 1), reading("2", 29))
    live(tmp_path, reading("1", -5), reading("1", 0.5), reading("2", 29.5), reading("3", 31))
    frame = events(tmp_path)
    assert list(zip(frame["source"], frame["value"], strict=True)) == [
        ("live", "1"),
        ("clip", "1"),
        ("clip", "2"),
        ("live", "3"),
    ]


def test_they_are_found_where_users_look_for_them() -> None:
    code = "from shared_utils.results import events, readings, zone_counts, uptime; print(events.__module__)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    assert done.stdout.strip() == "notebooks.lab.events.frames"


def test_100_000_events_are_all_there(tmp_path: Path) -> None:
    count = 100_000
    many_live(tmp_path, (happened("entered", number / 10, f"z{number % 7}") for number in range(count)))
    clip(tmp_path, 0, happened("entered", 5, "z1"))
    frame = events(tmp_path)
    # of z1 nothing is left of the 30 s but the clip's, and what lies at its ends
    inside = frame[(frame["zone"] == "z1") & (frame["at"] < at(26)) & (frame["at"] > at(8))]
    assert inside.empty
    assert len(frame) == count + 1 - frame.attrs["doubles"]
