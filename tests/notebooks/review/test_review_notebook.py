"""LabelReview runs from top to bottom: with labels and without, without torch, and says what is missing."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from devtools.paths import ROOT
from notebooks.lab.data.results import latest, load_log
from notebooks.lab.review import finetune
from notebooks.lab.review.review_session import Session
from shared_utils.contracts.labels import read_all_labels
from shared_utils.errors import ModelError, SettingError
from tests.notebooks.conftest import RunNotebook
from video_worker.engines.base import EngineChoice
from video_worker.models.detector import OnnxDetector

MODELS = {"MODELS_DIR": "/nowhere", "YOLO_MODEL": "scene.onnx"}


def test_it_runs_on_a_volume_that_nobody_has_reviewed(run_notebook: RunNotebook, sample_volume: Path) -> None:
    done = run_notebook("LabelReview", sample_volume, MODELS, values=["len(review.session.questions)", "dataset"])
    assert done.values["len(review.session.questions)"] > 20
    assert done.values["dataset"] is None
    assert "0 clips have frames that were reviewed as a whole" in done.text
    assert "nothing to compare" in done.text
    posters = [output for output in done.outputs() if "image/jpeg" in output.get("data", {})]
    assert len(posters) == 1
    assert read_all_labels(sample_volume) == ([], [])


def test_it_exports_what_was_reviewed(run_notebook: RunNotebook, sample_volume: Path, scene_models: Path) -> None:
    session = Session.of_runs(sample_volume, latest(load_log(sample_volume)), "clip")
    while session.current:
        session.judge(session.current.key, "right", "frame")
    env = {"MODELS_DIR": str(scene_models), "YOLO_MODEL": "scene.onnx"}
    done = run_notebook("LabelReview", sample_volume, env, values=["list(dataset.names)", "dict(dataset.frames)"])
    names = OnnxDetector.open(scene_models / "scene.onnx", EngineChoice()).labels
    assert tuple(done.values["list(dataset.names)"]) == names
    frames = sum(len(file.frames) for file in read_all_labels(sample_volume)[0])
    assert sum(done.values["dict(dataset.frames)"].values()) == frames
    assert len(done.pictures) == 1
    if not importlib.util.find_spec("torch"):
        [line] = [line for line in done.text.splitlines() if "torch" in line]
        assert "WITH_TORCH=1 docker compose build jupyter" in line
    assert (sample_volume / "datasets" / "review" / "data.yaml").is_file()


@pytest.fixture
def scene_models(tmp_path: Path) -> Path:
    """A models folder of the test's own, with the scene's model."""
    folder = tmp_path / "models"
    folder.mkdir()
    model = ROOT / "camera_emulator" / "scene_model" / "scene.onnx"
    (folder / model.name).write_bytes(model.read_bytes())
    return folder


def test_models_and_weights_are_found(scene_models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELS_DIR", f"/nowhere:{scene_models}")
    monkeypatch.setenv("YOLO_MODEL", "missing.onnx")
    assert finetune.usual_model() == "scene.onnx"
    assert finetune.start_weights("scene.onnx") is None
    (scene_models / "other.pt").touch()
    assert finetune.start_weights("scene.onnx") == scene_models / "other.pt"
    (scene_models / "scene.pt").touch()
    assert finetune.start_weights("scene.onnx") == scene_models / "scene.pt"
    with pytest.raises(ModelError, match="there are: scene"):
        finetune.class_names("missing.onnx")
    with pytest.raises(SettingError, match="cannot be written to"):
        finetune.publish(scene_models / "scene.pt", "tuned")
    for name in ("", "../tuned", ".tuned"):
        with pytest.raises(SettingError, match="plain name"):
            finetune.publish(scene_models / "scene.pt", name)


def test_a_model_that_is_none_is_not_published(scene_models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELS_DIR", str(scene_models))
    (scene_models / "bad.pt").write_bytes(b"no weights")
    with pytest.raises((ModelError, SettingError)) as error:
        finetune.publish(scene_models / "bad.pt", "scene")
    assert "\n" not in str(error.value)
    assert OnnxDetector.open(scene_models / "scene.onnx", EngineChoice()).labels


def test_secrets_stay_out_of_the_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RDS_PSW", "a secret")
    monkeypatch.setenv("JUPYTER_TOKEN", "another secret")
    assert not any("secret" in value for value in finetune.environment().values())
    assert finetune.environment()["YOLO_OFFLINE"] == "true"
