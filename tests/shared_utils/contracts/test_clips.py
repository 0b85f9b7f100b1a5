"""Clip names, and the door that keeps jobs inside the shared volume."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from shared_utils.contracts.clips import ClipName, list_clips, parse_clip_name, resolve_in_video_dir
from shared_utils.errors import JobRefused


def test_a_name_holds_time_and_camera() -> None:
    name = ClipName(datetime(2026, 2, 23, 14, 48, 19), "front-door")
    assert str(name) == "20260223-144819-front-door.mp4"
    assert parse_clip_name(str(name)) == name
    assert str(name.later(41)) == "20260223-144900-front-door.mp4"


@pytest.mark.parametrize(
    "name",
    [
        "film.mp4",
        "20260223-144819-cam1.mkv",
        "20260223-144819-.mp4",
        "20261323-144819-cam1.mp4",
        "20260223-144819-a.b.mp4",
    ],
)
def test_other_names_are_not_clips(name: str) -> None:
    assert parse_clip_name(name) is None


def test_clips_are_listed_oldest_first(tmp_path: Path) -> None:
    for name in ("20260223-144819-b.mp4", "20250101-000000-a.mp4", "notes.mp4", "20260223-144819-b.mp4.part"):
        (tmp_path / name).touch()
    assert [path.name for path in list_clips(tmp_path)] == ["20250101-000000-a.mp4", "20260223-144819-b.mp4"]


def test_a_bare_name_is_found(tmp_path: Path) -> None:
    assert resolve_in_video_dir(tmp_path, "ein film.mp4") == tmp_path.resolve() / "ein film.mp4"


@pytest.mark.parametrize(
    "name",
    [
        "",
        None,
        7,
        ["a.mp4"],
        "/etc/passwd",
        "../a.mp4",
        "..",
        ".",
        "a/b.mp4",
        "a\\b.mp4",
        ".hidden",
        "a\0b",
        "a\nb",
        "x" * 300,
    ],
)
def test_anything_else_is_refused(tmp_path: Path, name: object) -> None:
    with pytest.raises(JobRefused, match=r"^refused: filename"):
        resolve_in_video_dir(tmp_path, name)


def test_a_link_out_is_refused_and_a_link_within_is_not(tmp_path: Path) -> None:
    video = tmp_path / "video"
    video.mkdir()
    (tmp_path / "outside.mp4").touch()
    (video / "inside.mp4").touch()
    (video / "out.mp4").symlink_to(tmp_path / "outside.mp4")
    (video / "in.mp4").symlink_to(video / "inside.mp4")
    with pytest.raises(JobRefused, match="leads out of VIDEO_DIR"):
        resolve_in_video_dir(video, "out.mp4")
    assert resolve_in_video_dir(video, "in.mp4") == (video / "inside.mp4").resolve()
