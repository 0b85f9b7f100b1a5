"""The recipes of docs/analysis.md run as they stand there, on a sample volume with a real worker."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas as pd
import pytest

from devtools.paths import ROOT
from notebooks.lab.data.results import load_log, objects
from notebooks.lab.events import events, readings, zone_counts

PAGE = ROOT / "docs" / "analysis.md"
NOW = 'pd.Timestamp.now(tz=log["started_at"].dt.tz)'
THEN = 'pd.Timestamp("2026-02-23 20:00").tz_localize(log["started_at"].dt.tz)'


def recipes() -> dict[str, str]:
    """Return the titles and code of the page's recipes; the first is what all of them begin with."""
    text = PAGE.read_text(encoding="utf-8").partition("## Recipes")[2]
    parts = re.findall(r"(?:### ([^\n]+)\n.*?)?```python\n(.*?)```", text, re.DOTALL)
    return {title or "begin": code for title, code in parts}


def test_every_recipe_runs_and_finds_what_is_there(
    worker_env: dict[str, str], sample_volume: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mpl.use("agg")
    for name, value in worker_env.items():
        monkeypatch.setenv(name, value)
    (sample_volume.parent / "notebooks").mkdir()
    monkeypatch.chdir(sample_volume.parent / "notebooks")
    before = load_log(sample_volume)
    code = recipes()
    assert len(code) >= 11
    assert NOW in code["begin"]
    names: dict[str, Any] = {}
    for title, block in code.items():
        exec(compile(block.replace(NOW, THEN), title, "exec"), names)
    assert os.environ["VIDEO_DIR"] == str(sample_volume)

    seen = names["seen"]
    assert len(seen) > 0
    midnight = pd.Timestamp("2026-02-23").tz_localize(seen["started_at"].dt.tz)
    counted = {}
    for label in seen["label"].unique():
        exec(code["How often was there a cat today?"].replace('"cat"', repr(label)), names)
        counted[label] = names["cats"]
    assert sum(counted.values()) == seen[seen["started_at"] >= midnight]["tracks"].sum() > 0
    assert set(names["hours"].index) == {"press", "street", "yard"}
    assert (names["hours"] > 24).all()
    assert names["rate"].notna().all()
    assert names["rate"].between(0, 10).all()
    assert (names["outcomes"]["state"] == "done").all()
    assert set(names["again"]["conf"]) == {0.3}
    assert set(names["again"]["filename"]) <= set(names["there"])
    assert names["compared"].shape[1] == 2
    assert (names["compared"].fillna(0).iloc[:, 0] >= names["compared"].fillna(0).iloc[:, 1]).all()
    assert (names["clips_with_label"][0.2] >= names["clips_with_label"][0.6]).all()
    table = pd.read_csv("clips.csv")
    assert len(table) == len(names["clips"])
    assert table["filename"].tolist() == names["clips"]["filename"].tolist()
    assert names["stays"]["stay_s"].is_monotonic_decreasing
    assert names["busiest"].iloc[0] == names["busiest"].max() > 0
    assert names["dark"].empty
    assert len(names["failed"]) == (~before["ok"]).sum() == 1
    assert names["retried"]["state"].tolist() == ["failed"]
    assert len(names["feet"]) > 0
    assert names["counts"]["entered"].sum() > 0
    assert set(names["entered"].index.get_level_values("camera")) == {"street", "yard"}
    assert set(names["minutes"].columns) == {"counter", "pressure", "speed", "temperature"}
    assert len(names["minutes"]) > 1000
    assert (names["days"]["first"] <= names["days"]["last"]).all()
    plt.close("all")


def test_the_page_names_every_column() -> None:
    text = PAGE.read_text(encoding="utf-8")
    log = load_log(ROOT / "docs")
    zones = (*events(ROOT / "docs").columns, *readings(ROOT / "docs").columns, *zone_counts(ROOT / "docs").columns)
    for column in (*log.columns, *zones, *objects(log).columns, "t", "frame", "x1", "y1", "x2", "y2", "track", "at"):
        assert f"`{column}`" in text, column
