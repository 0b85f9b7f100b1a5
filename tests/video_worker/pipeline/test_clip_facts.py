"""What the record says of a clip: when it began, what was unusual, in which unit its boxes are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from shared_utils.config.job_options import options_from_env, replace_options
from shared_utils.contracts.boxes import read_boxes
from shared_utils.contracts.job_options import Options
from shared_utils.contracts.record import Record
from shared_utils.errors import JobRefused, SettingError
from shared_utils.media.frames import ClipReader
from tests.support.footage.video import moving_box, write_video
from tests.video_worker.conftest import SquareModels, now
from video_worker.pipeline import record as records
from video_worker.pipeline.analysis import Analyst, Task
from video_worker.pipeline.run_names import RunNames, make_run_id

NAMED = "20260223-144819-cam1.mp4"
BY_NAME = datetime(2026, 2, 23, 14, 48, 19).astimezone()
TOMORROW = (datetime.now(UTC) + timedelta(days=40)).isoformat()


def clip(path: Path, **metadata: str) -> Path:
    with av.open(str(path), "w", options={"movflags": "use_metadata_tags"}) as container:
        container.metadata.update(metadata)
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="bgr24")))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("name", "metadata", "expected"),
    [
        (NAMED, {"creation_time": "1970-01-01T00:00:00Z"}, BY_NAME),
        (NAMED, {"creation_time": "1904-01-01T00:00:00Z"}, BY_NAME),
        ("clip.mp4", {"creation_time": "2000-01-01T00:12:00Z"}, None),
        (NAMED, {"creation_time": TOMORROW}, BY_NAME),
        (NAMED, {"creation_time": "2026-03-01T00:00:00Z"}, BY_NAME),
        (NAMED, {"vcam_started_at": "2026-02-23T14:48:19.25+02:00", "creation_time": "1970-01-01T00:00:00Z"},
         datetime.fromisoformat("2026-02-23T14:48:19.25+02:00")),
        (NAMED, {"vcam_started_at": "1970-01-01T00:00:07+00:00"}, BY_NAME),
        (NAMED, {"vcam_started_at": "soon"}, BY_NAME),
        ("clip.mp4", {"creation_time": "2018-04-19T22:46:00.000000Z"}, datetime(2018, 4, 19, 22, 46, tzinfo=UTC)),
        ("clip.mp4", {"creation_time": "1970-01-01T00:00:00Z"}, None),
        ("clip.mp4", {"creation_time": TOMORROW}, None),
        ("clip.mp4", {}, None),
    ],
)  # fmt: skip
def test_when_a_clip_began(tmp_path, name, metadata, expected):
    with ClipReader(clip(tmp_path / name, **metadata), 0) as reader:
        found = records.clip_entry(name, reader.facts, "")["started_at"]
    assert (datetime.fromisoformat(found) if found else None) == expected


def analysed(path: Path, **options: Any) -> Record:
    names = RunNames(path.name, make_run_id(now(), "x"), None)
    task = Task(path, names, Options(**options), None, path.parent)
    return Analyst(SquareModels(), 2, now, sleep=lambda _: None).analyse(task, lambda *_: None, lambda: False)


@pytest.mark.parametrize("fps", [0, 5])
def test_things_of_the_second_recording_are_at_their_time_and_place(tmp_path, fps):
    large = write_video(tmp_path / "a.ts", moving_box(640, 360, 9, 10), seconds=3)
    small = write_video(tmp_path / "b.ts", moving_box(320, 180, 0.4, 2.8, side=30), seconds=3)
    path = tmp_path / "joined.ts"
    path.write_bytes(large.read_bytes() + small.read_bytes())
    record = analysed(path, fps=fps)
    assert record["detected"] == ["square"]
    assert record["objects"][0]["first_s"] == pytest.approx(3.4, abs=0.2)
    assert record["objects"][0]["last_s"] == pytest.approx(5.8, abs=0.2)
    clip = record["clip"]
    assert (clip["width"], clip["height"], clip["frames"]) == (640, 360, 60)
    assert clip["duration_s"] == pytest.approx(6.0)
    assert [(size["width"], size["height"]) for size in clip["sizes"]] == [(640, 360), (320, 180)]
    assert clip["sizes"][1]["at_s"] == pytest.approx(3.0, abs=0.01)
    assert "2 recordings" in clip["notes"][0]
    assert "2 recordings" in records.describe(record)
    [boxes] = (tmp_path / "boxes").iterdir()
    found = {round(frame.time_s, 1): frame.boxes[0][2:6] for frame in read_boxes(boxes).frames if frame.boxes}
    # half way: in the middle of the picture, in pixels of the clip
    x1, y1, x2, y2 = found[4.6]
    assert (x1 + x2) / 2 == pytest.approx(320, abs=20)
    assert (y1 + y2) / 2 == pytest.approx(180, abs=6)
    assert x2 - x1 == pytest.approx(60, abs=6)


def test_an_aspect_is_an_option_of_the_job(tmp_path):
    path = write_video(tmp_path / "s.mp4", moving_box(320, 360, 0, 1), seconds=1)
    record = analysed(path, aspect="16:9")
    assert (record["clip"]["width"], record["clip"]["height"]) == (640, 360)
    assert record["options"]["aspect"] == "16:9"


@pytest.mark.parametrize("value", ["16:9", "1.85", "3 : 4", "10"])
def test_aspects(value):
    assert replace_options(Options(), {"aspect": value}).aspect == value
    assert options_from_env({"CLIP_ASPECT": value}).aspect == value


@pytest.mark.parametrize("value", ["wide", "0:9", "16:0", "-4:3", "1:100", "nan", "inf", "1e9", "16:9:1", ""])
def test_what_is_no_aspect_is_refused(value):
    with pytest.raises(JobRefused, match="aspect"):
        replace_options(Options(), {"aspect": value})
    if value:
        with pytest.raises(SettingError, match="CLIP_ASPECT"):
            options_from_env({"CLIP_ASPECT": value})


@pytest.mark.parametrize("value", [16, 1.77, ["16:9"], True, "1" * 100])
def test_an_aspect_is_text(value):
    with pytest.raises(JobRefused, match="aspect"):
        replace_options(Options(), {"aspect": value})
