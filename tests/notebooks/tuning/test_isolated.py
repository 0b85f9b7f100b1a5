"""IsolatedFileProcessing: the worker's own steps in the notebook, with the same record at the end."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from devtools.paths import ROOT, SCENE_MODEL
from notebooks.lab.media.clip import Clip, runs_of
from notebooks.lab.tuning import isolated_pictures as pictures
from notebooks.lab.tuning.isolated import Isolated, differences, worker_values
from notebooks.lab.viewer.player import best_moment
from shared_utils.contracts.detections_log import read_records
from shared_utils.errors import ClipError, ModelError, SettingError
from tests.notebooks.conftest import RunNotebook

HEADS = ROOT / "tests" / "video_worker" / "models" / "heads"


@pytest.fixture(autouse=True)
def models(monkeypatch: pytest.MonkeyPatch, house_style: None) -> None:
    monkeypatch.setenv("MODELS_DIR", str(SCENE_MODEL.parent))


@pytest.fixture
def clip_path(sample_volume: Path) -> Path:
    """A clip in which something was found."""
    found = [record for record in read_records(sample_volume / "detections_log.jsonl") if record.get("count")]
    return sample_volume / found[-1]["filename"]


def test_the_notebook_ends_with_the_workers_record(run_notebook: RunNotebook, clip_path: Path) -> None:
    done = run_notebook(
        "IsolatedFileProcessing",
        clip_path.parent,
        {"MODELS_DIR": str(SCENE_MODEL.parent)},
        values=["work.record", "printed", "len(differing)"],
        changes={"next((clip.filename for clip in list_clips(places)), None)": repr(clip_path.name)},
    )
    assert done.values["len(differing)"] == 0
    assert f"analyse {clip_path.name}: the same record" in done.text
    assert done.values["work.record"]["objects"] == done.values["printed"]["objects"] != []
    [logged] = [run.record for run in runs_of(clip_path.parent, clip_path.name)[:1]]
    assert done.values["printed"]["detected"] == logged["detected"]
    assert sum("image/jpeg" in output.get("data", {}) for output in done.outputs()) == 5


def test_each_step_shows_what_it_does(clip_path: Path) -> None:
    work = Isolated(clip_path, worker_values(clip_path.parent, clip_path.name))
    with Clip(clip_path) as clip:
        seen = work.run()
        assert clip.run is not None
        # the same boxes as the worker wrote
        assert [sample.frame for sample in seen.samples] == [sample.frame for sample in clip.boxes.samples]
        for here, there in zip(seen.samples, clip.boxes.samples, strict=True):
            assert [(box.label, box.track) for box in here.boxes] == [(box.label, box.track) for box in there.boxes]
            for one, other in zip(here.boxes, there.boxes, strict=True):
                assert one.xyxy == pytest.approx(other.xyxy, abs=0.06)
                assert one.score == pytest.approx(other.score, abs=1e-4)
        traced = work.trace_at(best_moment(clip))
        assert traced.frame.time_s == pytest.approx(best_moment(clip), abs=1e-3)
        assert traced.model_input.shape[1::-1] == traced.fit.padded_wh
        assert 0 < len(traced.kept) <= len(traced.candidates)
        assert (np.diff(traced.candidates.scores) <= 0).all()
        assert traced.candidates.scores.max() == pytest.approx(traced.kept.scores.max())
        titles = [
            figure.axes[0].get_title(loc="left")
            for figure in (
                pictures.sampling(work, clip),
                pictures.letterboxed(traced),
                pictures.raw_output(traced, work),
                pictures.nms(traced, work),
                pictures.tracks(work, clip),
            )
        ]
    facts = work.facts
    assert titles[0] == f"{facts.sampled} of {facts.frames} frames are analysed"
    assert titles[1] == f"Frame {traced.frame.index} at {traced.frame.time_s:.2f} s"
    assert titles[2] == f"{len(traced.candidates)} of {traced.raw.shape[1]} places have a score"
    assert titles[3] == f"{len(traced.candidates)} candidates"
    tracks = {box.track for sample in seen.samples for box in sample.boxes if box.score >= work.options.conf}
    assert titles[4] == f"{len(tracks)} track{'s' * (len(tracks) != 1)}"
    assert str(work.as_frame().loc["threshold", ""]).startswith(f"{work.options.conf:g}, in ")


def test_a_head_without_nms(clip_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELS_DIR", str(HEADS))
    work = Isolated(clip_path, worker_values(clip_path.parent, clip_path.name, model="26.onnx", conf=0.1, imgsz=320))
    traced = work.trace_at(1.0)
    assert work.info.end_to_end
    assert len(traced.candidates) == len(traced.kept)
    pictures.raw_output(traced, work)
    pictures.nms(traced, work)
    assert "end to end" in work.as_frame().loc["its input and head", ""]


def test_options_are_those_of_the_last_run_with_changes(clip_path: Path) -> None:
    values = worker_values(clip_path.parent, clip_path.name, conf=0.35)
    last = runs_of(clip_path.parent, clip_path.name)[0].record["options"]
    assert values["YOLO_CONF"] == "0.35"
    assert values["ANALYSIS_FPS"] == str(last["fps"])
    assert values["YOLO_MODEL"] == SCENE_MODEL.name
    assert worker_values(clip_path.parent, "never-analysed.mp4")["YOLO_MODEL"] == SCENE_MODEL.name


def test_what_cannot_be_done_is_one_line(clip_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingError, match=r"unknown option 'colour': the options are model, conf"):
        worker_values(clip_path.parent, clip_path.name, colour=1)
    broken = clip_path.parent / "broken.mp4"
    broken.write_bytes(b"no video")
    values = worker_values(clip_path.parent, broken.name)
    with pytest.raises(ClipError, match="no video that can be read"):
        Isolated(broken, values)
    whole = Isolated(clip_path, values)
    clip_path.unlink()
    with pytest.raises(ClipError, match=r"python -m video_worker analyse: .*the file is not there"):
        whole.run_command()
    monkeypatch.setenv("MODELS_DIR", str(tmp_path / "none"))
    with pytest.raises(ModelError, match="no model in the folders of MODELS_DIR"):
        worker_values(clip_path.parent, clip_path.name)


def test_differences_leave_ids_and_times_out() -> None:
    one: dict[str, object] = {
        "run_id": "1",
        "timestamp": "a",
        "timing": {},
        "job_id": None,
        "detected": ["car"],
        "new": 1,
    }
    other = {"run_id": "2", "timestamp": "b", "timing": {"x": 1}, "job_id": "j", "detected": ["cat"]}
    assert differences(one, other)["key"].tolist() == ["detected", "new"]
    assert differences(one, one).empty
