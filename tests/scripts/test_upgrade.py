"""The recipe of docs/operations.md for notebooks that were saved in notebooks/ itself, run as it stands."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from devtools.paths import ROOT
from notebooks.lab.copies import bring_copies

MARK = "<!-- tests/scripts/test_upgrade.py runs this -->"
BEFORE_COPIES = "5dbc67c"
"""A commit from before there were copies; two of its notebooks are others today."""
RUN, CHANGED, OWN = "SendProcessFile.ipynb", "ViewVideo.ipynb", "Мій гараж (1).ipynb"


def _recipe() -> str:
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    found = re.search(rf"{re.escape(MARK)}\n```\n(.*?)```", text, re.DOTALL)
    assert found
    return found[1]


def _git(folder: Path, *arguments: str) -> str:
    who = ("-c", "user.name=test", "-c", "user.email=test@example.org")
    done = subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True, text=True, timeout=60)
    return done.stdout


def _save(path: Path, *more: str) -> None:
    """Save a notebook as JupyterLab does after it was run, with further lines in its first cell of code."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    for cell in cells:
        cell["outputs"], cell["execution_count"] = [], 7
    cells[0]["source"] = [*more, *cells[0]["source"]]
    path.write_text(json.dumps(notebook), encoding="utf-8")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone of an older version, in which notebooks were saved, with what is ours today to be pulled."""
    ours, clone = tmp_path / "ours", tmp_path / "clone"
    try:
        _git(ROOT, "cat-file", "-e", f"{BEFORE_COPIES}^{{commit}}")
    except subprocess.CalledProcessError:
        pytest.skip("this clone has no history")
    for folder in (ours / "notebooks", ours / "video"):
        folder.mkdir(parents=True)
    (ours / "video/.gitkeep").touch()
    _git(ours, "init", "--initial-branch=main")
    for name in (RUN, CHANGED):
        (ours / "notebooks" / name).write_text(_git(ROOT, "show", f"{BEFORE_COPIES}:notebooks/{name}"))
    _git(ours, "add", ".")
    _git(ours, "commit", "-m", "before")
    _git(tmp_path, "clone", str(ours), str(clone))
    for name in (RUN, CHANGED):
        _save(ours / "notebooks" / name, "# of a later version\n")
    _git(ours, "commit", "-am", "after")
    _save(clone / "notebooks" / RUN)
    _save(clone / "notebooks" / CHANGED, "# by somebody\n")
    _save(clone / "notebooks" / CHANGED)
    (clone / "notebooks" / OWN).write_text('{"cells": []}')
    return clone


def test_notebooks_that_were_saved_keep_nobody_from_the_new_version(clone: Path) -> None:
    environment = {"PATH": os.environ["PATH"]}
    subprocess.run(["bash", "-e", "-c", _recipe()], cwd=clone, env=environment, check=True, timeout=60)
    copies = clone / "my-notebooks"
    assert {path.name for path in copies.iterdir()} == {RUN, CHANGED, OWN}
    assert {path.name for path in (clone / "notebooks").iterdir()} == {RUN, CHANGED}
    assert _git(clone, "status", "--short", "notebooks") == ""
    assert list(bring_copies(clone / "notebooks", copies)) == [
        f"{RUN} is the new version now",
        f"{CHANGED} was changed here and stays as it is; the new version is ViewVideo (new).ipynb",
    ]
    assert "of a later version" in (copies / RUN).read_text()
    assert "by somebody" in (copies / CHANGED).read_text()
