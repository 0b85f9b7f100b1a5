from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta, timezone

import pytest

from shared_utils.contracts.job_options import Options
from shared_utils.contracts.json_lines import to_line
from shared_utils.media.frames import ClipFacts
from tests.video_worker.conftest import SquareDetector
from video_worker.models.registry import LoadedModel
from video_worker.pipeline import record as records
from video_worker.pipeline.run_names import RunNames, make_run_id

NOW = datetime(2026, 2, 23, 14, 49, 15, 581433, tzinfo=timezone(timedelta(hours=2)))
NAMES = RunNames("20260223-144819-cam1.mp4", "run", "job")
FACTS = ClipFacts(1920, 1080, 600, 150, 30.0, None)


def test_a_record_has_the_keys_of_the_design_in_their_order():
    entry = {"label": "person", "tracks": 1, "hits": 41, "max_conf": 0.94, "first_s": 4.8, "last_s": 21.2}
    record = records.success(
        NAMES,
        Options(),
        records.clip_entry(NAMES.filename, FACTS, "c" * 64),
        records.model_entry(LoadedModel("yolov8n", "f" * 64, SquareDetector()), Options()),
        records.timing_entry(0.1, 0.7, 1.4, 2.2),
        {"detected": ["person"], "count": 1, "objects": [entry], "sampled_frames": 150},
        NOW,
    )
    back = json.loads(to_line(record))
    assert list(back)[:14] == [
        "ok", "filename", "detected", "count", "timestamp", "schema", "camera", "run_id", "job_id",
        "objects", "clip", "model", "timing", "options",
    ]  # fmt: skip
    assert back["timestamp"] == "2026-02-23T14:49:15.581433+02:00"
    assert (back["schema"], back["camera"], back["run_id"], back["job_id"]) == (2, "cam1", "run", "job")
    assert back["objects"] == [entry]
    assert list(back["clip"]) == ["sha256", "started_at", "duration_s", "frames", "width", "height"]
    assert back["model"] == {
        "name": "yolov8n", "sha256": "f" * 64, "engine": "squares 1.0", "conf": 0.5, "imgsz": 640, "fps": 5,
    }  # fmt: skip
    assert back["timing"] == {"queued_s": 0.1, "decode_s": 0.7, "infer_s": 1.4, "total_s": 2.2}
    assert back["options"]["min_hits"] == 2
    assert back["sampled_frames"] == 150
    assert records.describe(back) == "found person ×1 (150 frames, 2.2 s)"


def test_a_step_cannot_replace_a_key_that_every_record_has():
    clip, timing = records.clip_entry(NAMES.filename, FACTS, "c" * 64), records.timing_entry(0.1, 0.7, 1.4, 2.2)
    entry = records.model_entry(LoadedModel("yolov8n", "f" * 64, SquareDetector()), Options())
    with pytest.raises(ValueError, match="adds 'timing' to the record"):
        records.success(NAMES, Options(), clip, entry, timing, {"detected": [], "timing": {}}, NOW)


def test_a_failure_has_its_reason():
    record = records.failure(NAMES, "the file is empty", NOW)
    assert list(record)[:4] == ["ok", "filename", "error", "timestamp"]
    assert (record["ok"], record["error"], record["run_id"], record["job_id"]) == (
        False, "the file is empty", "run", "job",
    )  # fmt: skip
    assert records.describe(record) == "failed: the file is empty"


def test_words_for_special_outcomes():
    record = {"ok": True, "objects": [], "detected": [], "sampled_frames": 5, "timing": {"total_s": 0.44}}
    assert records.describe(record) == "nothing found (5 frames, 0.4 s)"
    assert "damaged" in records.describe(record | {"damaged_packets": 3})


@pytest.mark.parametrize(
    ("filename", "metadata", "expected"),
    [
        ("20260223-144819-cam1.mp4", "2026-02-23T14:48:19.250+02:00", "2026-02-23T14:48:19.250000+02:00"),
        ("20260223-144819-cam1.mp4", "2018-04-19T22:46:00.000000Z", "2018-04-19T22:46:00+00:00"),
        ("x.mp4", "2018-04-19T22:46:00", "2018-04-19T22:46:00+00:00"),
        ("x.mp4", None, None),
        ("x.mp4", "yesterday", None),
        ("x.mp4", "2018-04-39T22:46:00Z", None),
    ],
)
def test_when_a_clip_began(filename, metadata, expected):
    facts = ClipFacts(1, 1, 1, 1, 1.0, metadata)
    assert records.clip_entry(filename, facts, "")["started_at"] == expected


def test_the_name_tells_when_a_clip_began_where_the_file_does_not():
    began = records.clip_entry("20260223-144819-cam1.mp4", FACTS, "")["started_at"]
    assert datetime.fromisoformat(began or "") == datetime(2026, 2, 23, 14, 48, 19).astimezone()


def test_run_ids_are_uuids_that_sort_by_time_and_repeat():
    first = make_run_id(NOW, "clip-a")
    assert first == make_run_id(NOW.astimezone(UTC), "clip-a")
    assert uuid.UUID(first).version == 7
    assert uuid.UUID(first).variant == uuid.RFC_4122
    assert first != make_run_id(NOW, "clip-b")
    later = [make_run_id(NOW + timedelta(milliseconds=number), "x") for number in range(50)]
    assert later == sorted(later)
