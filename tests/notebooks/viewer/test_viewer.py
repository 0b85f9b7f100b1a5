"""The list of clips, the viewer, and its notebook."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from notebooks.lab.viewer.picker import ClipPicker, list_clips
from notebooks.lab.viewer.viewer import Viewer
from shared_utils.contracts.detections_log import append_record
from tests.notebooks.conftest import RunNotebook
from tests.support.footage.barcode_clips import CAR, LATER_ID, STRANGE, add_run, line, places

pytestmark = pytest.mark.usefixtures("house_style")


def test_clips_are_listed_newest_first_with_their_last_result(clip_path):
    folder = clip_path.parent
    for name in ("20260224-080000-door.mp4", STRANGE, ".hidden.mp4", "notes.txt"):
        shutil.copy(clip_path, folder / name)
    append_record(
        folder / "detections_log.jsonl",
        {
            "ok": False,
            "filename": "20260224-080000-door.mp4",
            "error": "it is cut",
            "timestamp": "2026-02-24T08:01:00Z",
        },
    )
    found = list_clips(places(folder))
    assert [entry.filename for entry in found] == [STRANGE, "20260224-080000-door.mp4", clip_path.name]
    assert [entry.result for entry in found] == ["not analysed yet", "failed: it is cut", "car"]
    picker = ClipPicker(places(folder))
    assert picker.value == STRANGE
    changes: list[str] = []
    picker.observe(lambda change: changes.append(change["new"]), "value")
    picker.filter.value = "cam1 car"
    assert picker.list.options == ((found[2].line, clip_path.name),)
    picker.filter.value = "nowhere"
    assert (picker.value, picker.note.value) == ("", "None of 3 clips matches the filter.")
    picker.filter.value = ""
    picker.list.value = "20260224-080000-door.mp4"
    assert changes == [clip_path.name, "", STRANGE, "20260224-080000-door.mp4"]
    shutil.copy(clip_path, folder / "20260301-080000-door.mp4")
    picker.refresh_button.click()
    assert picker.value == "20260224-080000-door.mp4"  # the choice stays
    picker.choose("20260301-080000-door.mp4")
    assert picker.value == "20260301-080000-door.mp4"
    with pytest.raises(ValueError, match="no clip gone"):
        picker.choose("gone.mp4")


def test_an_empty_volume_says_what_to_do(tmp_path):
    viewer = Viewer(places(tmp_path / "none"))
    assert "docker compose logs" in viewer.picker.note.value
    assert viewer.clip is None
    assert viewer.mp4_button.disabled
    viewer.show_sheet()  # nothing to show, nothing happens


def test_the_viewer_shows_what_is_chosen_and_saves_it(clip_path):
    folder = clip_path.parent
    add_run(clip_path, line(0.0, 0, ["cat", 0.7, 1, 1, 2, 2, 1]), LATER_ID, conf=0.3)
    shutil.copy(clip_path, folder / STRANGE)
    viewer = Viewer(places(folder))
    viewer.picker.choose(clip_path.name)
    assert viewer.clip is not None
    assert viewer.player.about["name"] == clip_path.name
    assert viewer.player.threshold == 0.3
    assert len(viewer.player.times) == 20
    first_run = viewer.runs.options[1][1]
    viewer.runs.value = first_run
    assert viewer.player.samples[0] == [0.0, 0, [CAR]]
    viewer.player.threshold = 0.6
    viewer.mp4_button.click()
    viewer.gif_button.click()
    assert [path.name for path in viewer.saved] == [f"{clip_path.stem}.annotated{end}" for end in (".mp4", ".gif")]
    assert "saved: video/exports/" in viewer.message.value
    viewer.picker.choose(STRANGE)
    assert "No run of this clip" in viewer.message.value
    assert viewer.player.samples == []


def test_the_viewer_says_what_cannot_be_shown(clip_path):
    folder = clip_path.parent
    (folder / "broken.mp4").write_bytes(b"x" * 1000)
    doomed = folder / "20260101-000000-cam1.mp4"
    shutil.copy(clip_path, doomed)
    viewer = Viewer(places(folder))
    viewer.picker.choose("broken.mp4")
    assert viewer.message.value.startswith("broken.mp4: no video that can be read")
    assert viewer.clip is None
    viewer.picker.choose(clip_path.name)
    assert viewer.message.value == ""
    doomed.unlink()
    viewer.picker.list.value = doomed.name
    assert viewer.message.value == f"{doomed.name} is not there (any more): choose another clip"
    viewer.picker.choose(clip_path.name)
    clip_path.unlink()
    viewer.mp4_button.click()
    assert "the file is not there" in viewer.message.value
    assert viewer.saved == []


def test_the_notebook_shows_the_newest_clip_and_saves_it(run_notebook: RunNotebook, sample_volume: Path) -> None:
    newest = max(sample_volume.glob("*.mp4")).name
    values = ["viewer.clip.path.name", "[path.name for path in saved]", "moment.index", "viewer.player.about['path']"]
    done = run_notebook("ViewVideo", sample_volume, values=values, changes={"SAVE = False": "SAVE = True"})
    assert done.values["viewer.clip.path.name"] == newest
    stem = newest.removesuffix(".mp4")
    assert done.values["[path.name for path in saved]"] == [f"{stem}.annotated.mp4", f"{stem}.annotated.gif"]
    assert all(
        (sample_volume / "exports" / f"{stem}.annotated{end}").stat().st_size > 10_000 for end in (".mp4", ".gif")
    )
    assert done.values["viewer.player.about['path']"] == f"../video/{newest}"
    # the viewer, the contact sheet and the moment have pictures that need no kernel
    assert sum("image/jpeg" in output.get("data", {}) for output in done.outputs()) == 3
