"""The audit itself: it finds what it is there to find. No Docker is needed."""

from __future__ import annotations

import json
import os
from datetime import datetime, timedelta
from pathlib import Path

import av
import pytest

from devtools.audit import STARTED_AT_KEY, Auditor
from shared_utils.contracts.detections_log import log_path
from shared_utils.queue.jobs import clip_job_id
from tests.support.footage.video import moving_box, write_video
from vcam_worker import messages

NAMES = ["20260223-144800-yard.mp4", "20260223-144804-yard.mp4"]
BEGIN = datetime(2026, 2, 23, 14, 48).astimezone()
LENGTH_S = 4.0
SAVED = [f"INFO yard {messages.CLIP_SAVED % (name, 4.0, 0.3)}" for name in NAMES]


def _clip(path: Path, source: Path, started_at: datetime) -> None:
    with (
        av.open(str(source)) as given,
        av.open(str(path), "w", format="mp4", options={"movflags": "use_metadata_tags"}) as made,
    ):
        made.metadata[STARTED_AT_KEY] = started_at.isoformat()
        stream = made.add_stream_from_template(given.streams.video[0])
        for packet in given.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                made.mux(packet)


def _line(volume: Path, name: str, job: str, **more: object) -> None:
    run = f"run-of-{job}"
    (volume / "boxes" / f"{Path(name).stem}.{run}.jsonl").touch()
    record = {"ok": True, "filename": name, "job_id": job, "run_id": run, **more}
    with (log_path(volume)).open("a") as log:
        log.write(json.dumps(record) + "\n")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some footage."""
    path = tmp_path_factory.mktemp("footage") / "source.mkv"
    return write_video(path, moving_box(start_s=0, end_s=LENGTH_S), seconds=LENGTH_S)


@pytest.fixture
def volume(tmp_path: Path, source: Path) -> Path:
    """A volume with two clips, one after the other, each with its line and its boxes."""
    folder = tmp_path / "video"
    (folder / "boxes").mkdir(parents=True)
    for number, name in enumerate(NAMES):
        _clip(folder / name, source, BEGIN + timedelta(seconds=number * LENGTH_S))
        _line(folder, name, clip_job_id(name))
    return folder


def _findings(volume: Path, jobs: tuple[str, ...] = ()) -> str:
    return "; ".join(Auditor(volume).audit(NAMES, SAVED, jobs).findings)


def test_a_sound_volume_passes(volume: Path) -> None:
    auditor = Auditor(volume)
    _line(volume, NAMES[0], "run-1", ok=False)
    found = auditor.audit(NAMES, SAVED, ["run-1"])
    assert (found.clips, found.lines, found.failed, found.findings) == (2, 3, 1, [])
    assert auditor.analysed(NAMES, ["run-1"])
    assert auditor.gaps("yard") == []
    assert auditor.footage(NAMES[0]).frames == 40
    assert auditor.reaches("yard", BEGIN.timestamp() + 2 * LENGTH_S - 0.2)
    assert not auditor.reaches("yard", BEGIN.timestamp() + 2 * LENGTH_S + 0.2)


def test_a_run_with_two_lines_is_found(volume: Path) -> None:
    _line(volume, NAMES[0], clip_job_id(NAMES[0]))
    assert "2 lines of one run" in _findings(volume)


def test_a_clip_that_was_queued_twice_is_found(volume: Path) -> None:
    _line(volume, NAMES[0], clip_job_id(NAMES[0]), run_id="another")
    assert f"2 lines: {NAMES[0]}" in _findings(volume)


def test_a_clip_or_job_without_a_line_is_found(volume: Path) -> None:
    log = log_path(volume)
    log.write_text(log.read_text().splitlines(keepends=True)[0])
    assert f"no line: {NAMES[1]}" in _findings(volume)
    assert "no line: run-1" in _findings(volume, ("run-1",))
    assert not Auditor(volume).analysed(NAMES)


def test_a_torn_line_is_found(volume: Path) -> None:
    with (log_path(volume)).open("a") as log:
        log.write('{"ok": true, "filena\n')
    assert "no JSON object in the log" in _findings(volume)


def test_a_clip_that_was_saved_and_is_gone_is_found(volume: Path) -> None:
    (volume / NAMES[1]).unlink()
    assert f"not on the volume: {NAMES[1]}" in _findings(volume)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.95])
def test_a_clip_that_is_cut_off_is_found(volume: Path, share: float) -> None:
    os.truncate(volume / NAMES[0], round((volume / NAMES[0]).stat().st_size * share))
    assert f"not playable: {NAMES[0]}" in _findings(volume)


def test_a_clip_with_a_hole_is_found(volume: Path) -> None:
    with (volume / NAMES[0]).open("r+b") as clip:
        clip.seek(os.fstat(clip.fileno()).st_size // 2)
        clip.write(bytes(5000))
    assert f"not playable: {NAMES[0]}" in _findings(volume)


def test_a_missing_boxes_file_is_found(volume: Path) -> None:
    next((volume / "boxes").iterdir()).unlink()
    assert "no boxes file" in _findings(volume)


def test_footage_that_is_missing_is_counted(volume: Path, source: Path) -> None:
    begin = BEGIN.timestamp()
    _clip(volume / "20260223-144811-yard.mp4", source, BEGIN + timedelta(seconds=11))
    auditor = Auditor(volume)
    assert auditor.gaps("yard") == [(pytest.approx(begin + 8, abs=0.02), pytest.approx(begin + 11, abs=0.02))]
    assert auditor.lost("yard", begin) == pytest.approx(3, abs=0.05)
    assert auditor.lost("yard", begin + 10) == pytest.approx(1, abs=0.05)
    assert auditor.lost("yard", begin + 12) == 0
    assert auditor.gaps("street") == []
