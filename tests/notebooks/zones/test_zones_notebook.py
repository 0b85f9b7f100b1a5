"""ZonesAndReadings, run by a real kernel: on the sample volume, and on volumes that hold nothing, or odd lines."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from devtools.run_notebooks import Executed
from notebooks.lab.events import events, readings, zone_counts
from shared_utils.contracts.events import events_log_path
from tests.notebooks.conftest import RunNotebook
from tests.notebooks.events.volume import clip, happened, live, reading

ASKED = ["len(happened)", "len(read)", "counts[['entered', 'left']].sum().tolist()", "len(strange)"]


def test_on_the_sample_volume_it_shows_what_the_frames_hold(run_notebook: RunNotebook, sample_volume: Path) -> None:
    happened, read, counts = events(sample_volume), readings(sample_volume), zone_counts(sample_volume)
    done = run_notebook("ZonesAndReadings", sample_volume, values=ASKED)
    assert done.values["len(happened)"] == len(happened)
    assert done.values["len(read)"] == len(read) > 1000
    entered = (happened["value"] == "entered").sum()
    assert done.values[ASKED[2]] == counts[["entered", "left"]].sum().tolist()
    assert counts["entered"].sum() == entered > 0
    assert done.values["len(strange)"] == 12
    assert _pictures(done) == 5
    assert f"{len(read):,} readings of 9 zones (press)" in done.text
    assert "Warning" not in done.text
    for name, frame in (("readings", read), ("zone-counts", counts)):
        with (sample_volume / "exports" / f"{name}.csv").open(encoding="utf-8-sig", newline="") as file:
            assert sum(1 for _ in csv.DictReader(file)) == len(frame)


def _pictures(done: Executed) -> int:
    return sum(any(kind.startswith("image/") for kind in output.get("data", {})) for output in done.outputs())


@pytest.mark.parametrize("kind", ["nothing", "one reading", "one event", "a torn line"])
def test_it_runs_to_the_end_whatever_the_logs_hold(run_notebook: RunNotebook, tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "video"
    folder.mkdir()
    if kind == "one reading":
        live(folder, reading("12.4", 0, number=12.4))
    if kind == "one event":
        clip(folder, 0, happened("left", 5, dwell_s=3.5))
    if kind == "a torn line":
        events_log_path(folder).write_text('{"schema": 1, "id": "')
    done = run_notebook("ZonesAndReadings", folder, values=ASKED[:2])
    assert list(done.values.values()) == {"nothing": [0, 0], "one reading": [1, 1], "one event": [1, 0]}.get(
        kind, [0, 0]
    )
    assert _pictures(done) == 5
    assert "nan" not in done.text.lower()
