"""The sample volume is what the real programs leave, and the same for the same seed and end."""

from __future__ import annotations

import json
import math
from collections import Counter
from datetime import timedelta
from pathlib import Path

import av
import numpy as np
import pytest

from camera_emulator.scene import Scene
from devtools.sample_volume.live import MOST_PICTURES
from devtools.sample_volume.plan import AWAY, CAMERAS, FPS, LIVE, PANEL, SIZE, Plan
from devtools.sample_volume.volume import make_volume
from notebooks.lab.data.results import boxes, latest, load_log, uptime
from notebooks.lab.events import events, readings
from shared_utils.config.zones.file import load_zones
from shared_utils.contracts.clips import list_clips, parse_clip_name
from shared_utils.contracts.detections_log import LOG_NAME, log_path, read_records
from shared_utils.contracts.labels import LabelFile, list_labels, read_labels
from shared_utils.contracts.sidecars import BOXES_FOLDER
from shared_utils.contracts.zones import zones_path
from shared_utils.media.picture_files import read_picture
from tests.notebooks.conftest import SMALL
from tests.support.programs import Programs

VOLATILE = {"timing", "versions"}


def test_every_clip_is_playable_dated_and_analysed(made_volume: Path) -> None:
    log = load_log(made_volume)
    assert not log.attrs["skipped"]
    good = latest(log)
    failed = log[~log["ok"]]
    clips = {path.name for path in list_clips(made_volume)}
    assert clips == ({*good["filename"], *failed["filename"]} - {log["filename"].iloc[0]})
    assert set(good["camera"]) == set(CAMERAS)
    for name in set(good["filename"]) & clips:
        expected = parse_clip_name(name)
        assert expected
        with av.open(str(made_volume / name)) as container:
            assert container.streams.video[0].codec_context.name == "h264"
            assert sum(1 for _ in container.decode(video=0)) > 60
        [started_at] = good.loc[good["filename"] == name, "started_at"]
        assert timedelta(0) <= started_at.to_pydatetime() - expected.started_at.astimezone() < timedelta(seconds=1)
    assert good["started_at"].max() < SMALL.end
    assert (log["timestamp"] > log["started_at"]).all()


def test_it_holds_what_real_volumes_hold(made_volume: Path) -> None:
    records = list(read_records(log_path(made_volume)))
    assert set(records[0]) == {"ok", "filename", "detected", "count", "timestamp"}
    assert not (made_volume / records[0]["filename"]).exists()
    [failure] = [record for record in records if not record["ok"]]
    assert "no video that can be read" in failure["error"]
    assert {record["model"]["conf"] for record in records[1:] if record["ok"]} == {0.5, 0.25}
    twice = [name for name in {r["filename"] for r in records} if sum(r["filename"] == name for r in records) == 2]
    assert twice
    runs = load_log(made_volume).query("ok and run_id.notna()")
    assert len(list((made_volume / BOXES_FOLDER).iterdir())) == len(runs)
    found = boxes(runs, made_volume, min_conf=0.5)
    assert {"person", "bicycle"} <= set(found["label"])


def test_zones_count_in_clips_and_a_panel_is_read_live(made_volume: Path) -> None:
    for camera in (*CAMERAS, PANEL):
        assert load_zones(zones_path(made_volume, camera)).camera == camera
    happened = events(made_volume)
    assert not happened.attrs["skipped"]
    in_clips = happened[happened["source"] == "clip"]
    assert set(in_clips["camera"]) == set(CAMERAS)
    assert {"entered", "left", "crossed"} <= set(in_clips["value"])
    read = readings(made_volume)
    assert set(read["camera"]) == {PANEL}
    assert read["at"].min() >= SMALL.end - LIVE
    assert set(read["type"]) == {"reading", "light", "page"}
    numbers = read[read["zone"] == "pressure"]
    assert 0.005 < (numbers["state"] == "unreadable").mean() < 0.1
    assert numbers["number"].notna().equals(numbers["state"] == "ok")
    pictures = read["picture"].dropna()
    assert 10 <= len(pictures) <= MOST_PICTURES
    for picture in pictures:
        height, width = read_picture(made_volume / picture).shape[:2]
        assert 20 < height < width
    watched = uptime(made_volume).query("camera == @PANEL")
    assert all(((watched["start"] <= at) & (at <= watched["end"])).any() for at in read["at"])


def test_cameras_were_away_where_the_plan_says(made_volume: Path) -> None:
    watched = uptime(made_volume)
    for camera in CAMERAS:
        own = watched[watched["camera"] == camera]
        hours = (own["end"] - own["start"]).dt.total_seconds().sum() / 3600
        gone = sum((end - begin).total_seconds() / 3600 for begin, end in SMALL.gaps(camera))
        assert hours == pytest.approx(24 * SMALL.days - gone, abs=0.5)
        for clip in list_clips(made_volume):
            name = parse_clip_name(clip.name)
            assert name
            if name.camera == camera:
                at = name.started_at.astimezone()
                assert ((own["start"] <= at) & (at <= own["end"])).any(), clip.name
    reasons = [json.loads(line) for line in (made_volume / "cameras_log.jsonl").read_text().splitlines()]
    assert {line["camera"] for line in reasons if line["event"] == "down"} == set(AWAY)


def test_the_same_seed_and_end_give_the_same_volume(tmp_path: Path) -> None:
    plan = Plan(SMALL.end, days=1.0, clips=2, seed=3, labelled=1)
    folders = [tmp_path / "one", tmp_path / "other"]
    for folder in folders:
        folder.mkdir()
        make_volume(folder, plan)
    one, other = ({path.relative_to(folder) for path in folder.rglob("*")} for folder in folders)
    assert one == other
    for path in one:
        if (folders[0] / path).is_file() and path.name != LOG_NAME:
            assert (folders[0] / path).read_bytes() == (folders[1] / path).read_bytes(), path
    lines = [
        [
            {key: value for key, value in record.items() if key not in VOLATILE}
            for record in read_records(log_path(folder))
        ]
        for folder in folders
    ]
    assert lines[0] == lines[1]

    [path] = list_labels(folders[0])
    _check_labels(folders[0], read_labels(path), plan)


def _check_labels(folder: Path, file: LabelFile, plan: Plan) -> None:
    """What is labelled in a frame is what the scene drew when it looked so; the file says that the scene made it."""
    assert (file.by, file.complete, file.skipped) == ("drawn scene", True, 0)
    assert {(label.state, label.source) for label in file.labels} == {("missed", None)}
    run = latest(load_log(folder)).query("filename == @file.filename")
    assert len(file.frames) == run["sampled_frames"].item()
    assert set(boxes(run, folder)["frame"]) <= file.frames
    name = parse_clip_name(file.filename)
    assert name
    with av.open(str(folder / file.filename)) as container:
        pictures = [frame.to_ndarray(format="bgr24").astype(np.int16) for frame in container.decode(video=0)]
    busy = Counter(label.frame for label in file.labels).most_common(1)[0][0]
    scene = Scene(plan.seed * len(CAMERAS) + list(CAMERAS).index(name.camera), SIZE, FPS)
    moments = [number / FPS for number in range(math.ceil(scene.visit(0).end_s * FPS))]
    at = min(moments, key=lambda moment: np.abs(scene.frame(moment) - pictures[busy]).mean())
    drawn = [(seen.label, tuple(round(corner, 1) for corner in seen.xyxy)) for seen in scene.truth(at)]
    assert [(label.label, label.xyxy) for label in file.labels if label.frame == busy] == drawn


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--days", "0.1"], "--days is 0.1: give 0.5 to 365"),
        (["--clips", "1"], "--clips is 1: give 2 to 1000"),
        (["--labelled", "-1"], "--labelled is -1: give 0 or more"),
        ([], "is not empty: give a new folder"),
    ],
)
def test_wrong_use_is_one_line(programs: Programs, tmp_path: Path, arguments: list[str], expected: str) -> None:
    (tmp_path / "something").touch()
    program = programs.python("-m", "devtools.sample_volume", str(tmp_path), *arguments)
    assert program.wait() == 2
    assert expected in program.text
    assert len(program.lines) == 1
