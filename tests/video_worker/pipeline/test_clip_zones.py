"""Zones of clips: whose they are, what a run leaves of them, and files that are wrong."""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from shared_utils.config.zones.files import read_zones_file
from shared_utils.contracts.detections_log import log_path, read_records
from shared_utils.contracts.events import clip_events_path, read_clip_events
from shared_utils.contracts.job_options import Options
from shared_utils.contracts.sidecars import delete_sidecars
from shared_utils.contracts.zones import zones_path
from shared_utils.errors import NotWritten
from shared_utils.log import message_code
from tests.support.footage.video import CLIP_NAME
from tests.video_worker.conftest import SquareModels, now
from video_worker.jobs import JobFacts, WorkerContext, process_clip
from video_worker.pipeline.analysis import Analyst
from video_worker.pipeline.clip_zones import ClipZones
from video_worker.pipeline.record import describe

MIDDLE = {"name": "middle", "line": [[0.5, 1.0], [0.5, 0.0]], "tasks": [{"do": "cross", "labels": ["square"]}]}
RIGHT = {
    "name": "right", "points": [[0.5, 0], [1, 0], [1, 1], [0.5, 1]], "tasks": [{"do": "objects", "loiter_s": 1}],
}  # fmt: skip
EMPTY = {"entered": {}, "left": {}, "crossed": {}, "dwell_s": 0.0, "readings": 0, "items": {}}
RUN_AT = datetime(2026, 2, 23, 14, 49, tzinfo=UTC)


def write(folder: Path, *zones: dict[str, Any], camera: str = "cam1") -> Path:
    """Write a camera's zones, as somebody who edits the file does."""
    path = zones_path(folder, camera)
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"schema": 1, "camera": camera, "zones": zones}))
    return path


@pytest.fixture
def worker(video_folder: Path) -> WorkerContext:
    """A worker with the square detector, which knows the labels background and square."""
    analyst = Analyst(SquareModels(), 1, now, zones=ClipZones(video_folder))
    return WorkerContext(video_folder, Options(), analyst, now)


def run(worker: WorkerContext, job: str = "job") -> dict[str, Any]:
    """Analyse the clip as a job of that name does; return its record."""
    facts = JobFacts(job, RUN_AT, None, lambda done, total: None, lambda: False)
    run_id = process_clip(worker, facts, filename=CLIP_NAME)["run_id"]
    return next(record for record in read_records(log_path(worker.video_dir)) if record["run_id"] == run_id)


def logged(caplog: pytest.LogCaptureFixture) -> list[tuple[str | None, str]]:
    found = [(message_code(record), record.getMessage()) for record in caplog.records]
    caplog.clear()
    return [(code, text) for code, text in found if code and code.startswith("zone")]


def test_a_run_leaves_counts_in_its_record_and_events_beside_it(worker, video_folder):
    path = write(video_folder, MIDDLE, RIGHT)
    record = run(worker)
    assert record["zones"] == {
        "middle": {**EMPTY, "crossed": {"square": {"right": 1}}},
        # in at half way, and out of sight at the edge of the picture
        "right": {**EMPTY, "entered": {"square": 1}, "left": {"square": 1}, "dwell_s": pytest.approx(1.5, abs=0.05)},
    }
    assert "; right: square in ×1, square out ×1; middle: square to the right ×1" in describe(record)
    assert record["setup"] == {"zones_sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    keys = list(record)
    assert keys.index("objects") + 1 == keys.index("zones")
    assert keys.index("model") + 1 == keys.index("setup")
    events = read_clip_events(clip_events_path(video_folder, CLIP_NAME, record["run_id"]))
    assert [event.value for event in events[2:]] == ["loitering", "left"]
    assert {event.value for event in events[:2]} == {"crossed", "entered"}
    assert [event.t for event in events] == pytest.approx([5.5, 5.5, 6.5, 7.0], abs=0.1)
    started_at = datetime.fromisoformat(record["clip"]["started_at"])
    for event in events:
        assert (event.type, event.source, event.camera) == ("object", "clip", "cam1")
        assert (event.run_id, event.filename) == (record["run_id"], CLIP_NAME)
        assert (event.at - started_at).total_seconds() == pytest.approx(event.t, abs=0.001)
        assert event.more["label"] == "square"
    [crossed] = [event for event in events if event.value == "crossed"]
    assert (crossed.zone, crossed.more["direction"]) == ("middle", "right")


def test_the_same_zones_give_the_same_and_a_run_that_is_repeated_the_same_events(worker, video_folder, tmp_path):
    write(video_folder, MIDDLE, RIGHT)
    first, second = run(worker), run(worker, "another job")
    assert first["zones"] == second["zones"]
    assert first["setup"] == second["setup"]
    path = clip_events_path(video_folder, CLIP_NAME, first["run_id"])
    before = path.read_bytes()
    # the worker was killed before the line of the log
    log_path(video_folder).unlink()
    path.unlink()
    again = replace(worker, analyst=Analyst(SquareModels(), 1, now, zones=ClipZones(video_folder)))
    assert run(replace(again, index=type(worker.index)()))["run_id"] == first["run_id"]
    assert path.read_bytes() == before


def test_a_run_without_zones_is_as_before(worker, video_folder):
    write(video_folder, MIDDLE, camera="cam2")
    record = run(worker)
    assert "zones" not in record
    assert "setup" not in record
    assert not (video_folder / "events").exists()


def test_a_zone_for_live_frames_alone_leaves_no_counts(worker, video_folder):
    write(video_folder, {**MIDDLE, "tasks": [{"do": "cross", "when": "live"}]})
    record = run(worker)
    assert "zones" not in record
    assert "setup" in record
    assert not (video_folder / "events").exists()


def test_a_run_in_whose_zones_nothing_happened_says_so(worker, video_folder):
    write(video_folder, {**MIDDLE, "line": [[0, 0.1], [1, 0.1]]})
    record = run(worker)
    assert record["zones"] == {"middle": EMPTY}
    assert read_clip_events(clip_events_path(video_folder, CLIP_NAME, record["run_id"])) == []


def test_events_are_deleted_with_their_clip(worker, video_folder):
    write(video_folder, MIDDLE)
    path = clip_events_path(video_folder, CLIP_NAME, run(worker)["run_id"])
    assert path.is_file()
    delete_sidecars(video_folder, CLIP_NAME)
    assert not path.exists()


def test_events_that_cannot_be_written_leave_no_line_in_the_log(worker, video_folder):
    write(video_folder, MIDDLE)
    (video_folder / "events").write_text("a file where the folder should be")
    with pytest.raises(NotWritten, match="events cannot be written"):
        run(worker)
    assert not list(read_records(log_path(video_folder)))


def test_an_edit_is_taken_over_by_the_next_job(worker, video_folder):
    write(video_folder, MIDDLE)
    first = run(worker, "1")
    write(video_folder, {**MIDDLE, "name": "centre"})
    second = run(worker, "2")
    zones_path(video_folder, "cam1").unlink()
    third = run(worker, "3")
    assert [list(record.get("zones", {})) for record in (first, second, third)] == [["middle"], ["centre"], []]
    assert first["setup"] != second["setup"]


def test_a_wrong_file_leaves_the_last_good_revision_and_is_logged_once(worker, video_folder, caplog):
    caplog.set_level(logging.INFO)
    path = write(video_folder, MIDDLE)
    good = run(worker, "1")
    path.write_text(path.read_text().replace('"cross"', '"crosss"'))
    assert run(worker, "2")["zones"] == run(worker, "3")["zones"] == good["zones"]
    [(code, text)] = logged(caplog)
    assert code == "zones_wrong"
    assert "zones/cam1.json: zone 'middle': tasks[0].do is \"crosss\"" in text
    assert "did you mean 'cross'" in text
    path.write_text("{")
    run(worker, "4")
    assert [code for code, _ in logged(caplog)] == ["zones_wrong"]
    write(video_folder, {**MIDDLE, "name": "centre"})
    assert list(run(worker, "5")["zones"]) == ["centre"]
    assert [code for code, _ in logged(caplog)] == ["zones_right_again"]


def test_a_file_that_was_wrong_from_the_start_fails_no_job(worker, video_folder, caplog):
    write(video_folder, {**MIDDLE, "tasks": [{"do": "objects"}]})
    for job in ("1", "2"):
        record = run(worker, job)
        assert record["ok"]
        assert "zones" not in record
        assert "setup" not in record
    assert [code for code, _ in logged(caplog)] == ["zones_wrong"]


def test_labels_that_the_model_does_not_know_are_logged_once_and_the_others_count(worker, video_folder, caplog):
    write(video_folder, {**MIDDLE, "tasks": [{"do": "cross", "labels": ["squre", "Square"]}]})
    for job in ("1", "2"):
        assert run(worker, job)["zones"]["middle"]["crossed"] == {"square": {"right": 1}}
    [(code, text)] = logged(caplog)
    assert code == "zone_label_unknown"
    assert "zone 'middle': tasks[0].labels names 'squre' (did you mean 'square'?)" in text


def test_tasks_for_live_frames_alone_are_named_where_zones_are_tried(
    video_folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    live = {**MIDDLE, "tasks": [{"do": "cross", "when": "live"}, {"do": "cross", "when": "both"}]}
    given = read_zones_file(write(tmp_path, live), named_after_camera=False)
    analyst = Analyst(SquareModels(), 1, now, zones=ClipZones(given=given))
    for job in ("one", "two"):
        run(WorkerContext(video_folder, Options(), analyst, now), job)
    [message] = [text for code, text in logged(caplog) if code == "zone_tasks_left_out"]
    assert "left out: middle tasks[0] (cross);" in message
