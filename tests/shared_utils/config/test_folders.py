"""The folders of models, for workers and notebooks alike."""

from __future__ import annotations

from pathlib import Path

import pytest

from notebooks.lab.jobs.send import model_names
from shared_utils.config.folders import find_model, models_dirs


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "a.onnx").write_bytes(b"weights")
    (tmp_path / "notebooks").mkdir()
    return tmp_path


def test_folders_are_searched_in_turn(tmp_path: Path) -> None:
    for name in ("own", "built-in"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.onnx").touch()
    (tmp_path / "built-in" / "b.onnx").touch()
    values = {"MODELS_DIR": f"{tmp_path / 'own'}:{tmp_path / 'none'}:{tmp_path / 'built-in'}"}
    assert models_dirs(values) == (tmp_path / "own", tmp_path / "none", tmp_path / "built-in")
    assert find_model("a.onnx", values) == tmp_path / "own" / "a.onnx"
    assert find_model("b.onnx", values) == tmp_path / "built-in" / "b.onnx"
    assert find_model("c.onnx", values) is None


@pytest.mark.parametrize("value", ["", " ", ":"])
def test_without_a_folder_the_default_is_taken(project: Path, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.chdir(project)
    assert models_dirs({"MODELS_DIR": value}) == (Path("models"),)


@pytest.mark.parametrize("folder", [".", "notebooks"])
def test_the_default_is_the_projects_folder_from_everywhere(
    project: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    monkeypatch.chdir(project / folder)
    found = find_model("a.onnx", {})
    assert found is not None
    assert found.resolve() == project / "models" / "a.onnx"
    assert model_names({}) == ["a.onnx"]


def test_where_there_is_no_folder_the_message_names_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "deep").mkdir()
    monkeypatch.chdir(tmp_path / "deep")
    assert models_dirs({}) == (Path("models"),)
