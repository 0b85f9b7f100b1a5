"""ViewProcessResults, run by a real kernel."""

from __future__ import annotations

from pathlib import Path

from tests.notebooks.conftest import RunNotebook


def test_it_runs_on_the_sample_volume(
    run_notebook: RunNotebook, sample_volume: Path, worker_env: dict[str, str]
) -> None:
    done = run_notebook("ViewProcessResults", sample_volume, worker_env, values=["len(records)", "last_runs"])
    assert done.values["len(records)"] > 6
    assert done.pictures
    print(done.text, done.values)
