"""Every notebook is tested, and saved as it ran: with outputs, without errors, paths of a machine, or secrets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

from devtools.paths import ROOT
from devtools.run_notebooks import SAMPLE

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
MOST_BYTES = 600_000
PLACES = re.compile(r"(?<![\w.~<])/(?:work|home|root|tmp|Users|private|usr/(?:local/)?lib)/[\w.-]+")
"""Absolute paths as a machine has them. The paths of the containers, such as /lab/video, are the same everywhere."""
SECRETS = re.compile(
    r"://[^\s/:@\"']+:(?!\*+@|password@|PASSWORD@)[^\s/@\"']+@|(?:token|password|RDS_PSW)=[\w%+-]{6,}", re.IGNORECASE
)
pytestmark = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def _texts(path: Path) -> Iterator[str]:
    """Yield all texts of a notebook's cells and outputs; of pictures, only that they are there."""
    for cell in nbformat.read(path, as_version=4).cells:
        yield cell.source
        for output in cell.get("outputs", []):
            yield output.get("text", "")
            yield from (str(text) for kind, text in output.get("data", {}).items() if not kind.startswith("image/"))


def test_some_test_runs_it(path: Path) -> None:
    tests = [test for test in Path(__file__).parent.rglob("test_*.py") if test != Path(__file__)]
    texts = [test.read_text(encoding="utf-8") for test in tests]
    assert [text for text in texts if f'"{path.stem}"' in text and "run_notebook(" in text]


def test_it_is_saved_as_it_ran(path: Path) -> None:
    cells = [
        cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code" and cell.source.strip()
    ]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1)), "run it from top to bottom"
    outputs = [output for cell in cells for output in cell.outputs]
    assert outputs
    # they are not of the cameras of who opens it
    assert all(cell.outputs[0].get("data") == {"text/markdown": SAMPLE} for cell in cells if cell.outputs)
    assert not [output for output in outputs if output.output_type == "error"]
    printed = [output.text for output in outputs if output.output_type == "stream" and output.name == "stderr"]
    assert not [text for text in printed if re.search(r"Warning|Traceback|Error", text)]
    assert path.stat().st_size <= MOST_BYTES


def test_it_tells_nothing_of_the_machine_it_ran_on(path: Path) -> None:
    for text in _texts(path):
        assert not PLACES.search(text), PLACES.search(text)
        assert not SECRETS.search(text), SECRETS.search(text)
