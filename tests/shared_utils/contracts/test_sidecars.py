"""Sidecars of every kind: listed, deleted and cleaned up together."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared_utils.contracts.clips import sidecar_stem
from shared_utils.contracts.sidecars import (
    SIDECAR_FOLDERS,
    SidecarWriter,
    delete_sidecars,
    list_sidecars,
    remove_partials_of_run,
    sidecar_name,
)

CLIP = "20260223-144819-door.mp4"


def make(video_dir: Path, filename: str, run_id: str) -> list[Path]:
    made = [video_dir / folder / sidecar_name(filename, run_id) for folder in SIDECAR_FOLDERS]
    for path in made:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return made


@pytest.mark.parametrize("name", [CLIP, "a [1].mp4", "я" * 124 + ".mkv", "a*.mp4"])
def test_deleting_a_clip_deletes_every_sidecar_of_it_alone(tmp_path: Path, name: str) -> None:
    others = [
        *make(tmp_path, f"{Path(name).stem}.x.mp4", "run1"),
        *make(tmp_path, "20260223-144819-door2.mp4", "run1"),
        *make(tmp_path, "a 1.mp4", "run1"),
    ]
    labels = tmp_path / "labels" / f"{sidecar_stem(name)}.json"
    labels.parent.mkdir()
    labels.touch()
    own = [*make(tmp_path, name, "run1"), *make(tmp_path, name, "run2")]
    assert list_sidecars(tmp_path, name) == sorted(own)
    delete_sidecars(tmp_path, name)
    assert not any(path.exists() for path in own)
    assert all(path.exists() for path in [*others, labels])


def test_where_there_are_no_sidecars_none_are_deleted(tmp_path: Path) -> None:
    delete_sidecars(tmp_path, CLIP)
    assert list(tmp_path.iterdir()) == []


def test_partial_files_of_a_run_go_whoever_left_them(tmp_path: Path) -> None:
    for folder in SIDECAR_FOLDERS:
        (tmp_path / folder).mkdir()
        for run_id in ("run1", "run2"):
            (tmp_path / folder / f".{run_id}.other-host-1.partial").touch()
    remove_partials_of_run(tmp_path, CLIP, "run1")
    assert sorted(path.name for path in tmp_path.rglob("*.partial")) == [".run2.other-host-1.partial"] * 2


def test_a_sidecar_appears_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "boxes" / sidecar_name(CLIP, "run1")
    writer = SidecarWriter(path, 3, ["a", "b"])
    writer.write({"a": 1, "b": "ü"})
    assert list(path.parent.glob("[!.]*")) == []
    writer.publish()
    writer.close()
    assert path.read_text() == '{"schema": 3, "columns": ["a", "b"]}\n{"a": 1, "b": "ü"}\n'
    assert list(path.parent.iterdir()) == [path]


def test_a_sidecar_that_is_given_up_leaves_nothing(tmp_path: Path) -> None:
    writer = SidecarWriter(tmp_path / "boxes" / sidecar_name(CLIP, "run1"), 1, ["a"])
    writer.close()
    assert list((tmp_path / "boxes").iterdir()) == []
