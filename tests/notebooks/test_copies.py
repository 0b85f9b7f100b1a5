"""Copies of our notebooks: new ones come, people's changes stay, and nothing of ours is written to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from notebooks.lab.copies import bring_copies


def _write(path: Path, *sources: str, outputs: list[Any] | None = None) -> None:
    cells = [{"cell_type": "code", "source": [source], "outputs": outputs or [], "metadata": {}} for source in sources]
    path.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))


def _sources(path: Path) -> list[str]:
    return ["".join(cell["source"]) for cell in json.loads(path.read_text())["cells"]]


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, Path]:
    originals, folder = tmp_path / "originals", tmp_path / "work"
    originals.mkdir()
    folder.mkdir()
    _write(originals / "View.ipynb", "old")
    (originals / "lab").mkdir()
    (originals / "__init__.py").touch()
    assert list(bring_copies(originals, folder)) == []
    return originals, folder


def test_all_notebooks_are_copied_and_nothing_else(places: tuple[Path, Path]) -> None:
    originals, folder = places
    assert sorted(path.name for path in folder.iterdir()) == [".originals.json", "View.ipynb"]
    assert (folder / "View.ipynb").read_bytes() == (originals / "View.ipynb").read_bytes()


def test_one_that_was_only_run_is_brought_up_to_date(places: tuple[Path, Path]) -> None:
    originals, folder = places
    _write(folder / "View.ipynb", "old", outputs=[{"output_type": "stream", "name": "stdout", "text": ["3"]}])
    assert list(bring_copies(originals, folder)) == []  # nothing new: what was run stays as it was saved
    assert "stdout" in (folder / "View.ipynb").read_text()
    _write(originals / "View.ipynb", "new")
    assert list(bring_copies(originals, folder)) == ["View.ipynb is the new version now"]
    assert _sources(folder / "View.ipynb") == ["new"]
    assert list(bring_copies(originals, folder)) == []


def test_one_that_people_changed_stays_and_the_new_version_comes_beside_it(places: tuple[Path, Path]) -> None:
    originals, folder = places
    _write(folder / "View.ipynb", "old", "mine")
    assert list(bring_copies(originals, folder)) == []
    _write(originals / "View.ipynb", "new")
    assert list(bring_copies(originals, folder)) == [
        "View.ipynb was changed here and stays as it is; the new version is View (new).ipynb"
    ]
    assert list(bring_copies(originals, folder)) == []
    assert _sources(folder / "View.ipynb") == ["old", "mine"]
    assert _sources(folder / "View (new).ipynb") == ["new"]
    _write(originals / "View.ipynb", "newer")
    assert len(list(bring_copies(originals, folder))) == 1
    assert _sources(folder / "View (new).ipynb") == ["newer"]
    _write(folder / "View (new).ipynb", "mine too")
    _write(originals / "View.ipynb", "newest")
    assert "rename one" in next(bring_copies(originals, folder))
    assert _sources(folder / "View (new).ipynb") == ["mine too"]


def test_notebooks_from_before_there_were_copies_count_as_changed(places: tuple[Path, Path]) -> None:
    originals, folder = places
    (folder / ".originals.json").unlink()
    _write(folder / "View.ipynb", "of last year")
    _write(folder / "My own.ipynb", "mine")
    assert "the new version is View (new).ipynb" in next(bring_copies(originals, folder))
    assert _sources(folder / "View.ipynb") == ["of last year"]
    assert _sources(folder / "My own.ipynb") == ["mine"]


def test_one_that_was_deleted_comes_again_and_what_is_no_notebook_harms_nothing(places: tuple[Path, Path]) -> None:
    originals, folder = places
    (folder / "View.ipynb").unlink()
    (folder / ".originals.json").write_text("[rubbish")
    (originals / "Torn.ipynb").write_text("{")
    assert list(bring_copies(originals, folder)) == []
    assert _sources(folder / "View.ipynb") == ["old"]
    assert (folder / "Torn.ipynb").read_text() == "{"


def test_a_folder_that_takes_nothing_is_one_line(tmp_path: Path) -> None:
    originals = tmp_path / "originals"
    originals.mkdir()
    _write(originals / "View.ipynb", "x")
    [line] = bring_copies(originals, tmp_path / "nowhere")
    assert line.startswith("notebooks could not be brought up to date: ")
