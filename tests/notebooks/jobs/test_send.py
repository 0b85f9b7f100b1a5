"""SendProcessFile: what is chosen goes to a real worker, and its outcome is shown against the run before."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

from devtools.paths import SCENE_MODEL
from notebooks.lab.jobs.places import Places
from notebooks.lab.jobs.send import OWN_MODEL, SendForm, compare_records, model_names, tried
from shared_utils.contracts.detections_log import read_records
from tests.notebooks.conftest import RunNotebook


@pytest.fixture
def places(worker_env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Places]:
    monkeypatch.setenv("MODELS_DIR", worker_env["MODELS_DIR"])
    yield Places.from_env(worker_env)
    plt.close("all")


def of_job(places: Places, job_id: str) -> list[dict]:
    return [record for record in read_records(places.log) if record.get("job_id") == job_id]


def test_the_notebook_sends_the_newest_clip_as_it_stands(
    run_notebook: RunNotebook, sample_volume: Path, worker_env: dict[str, str]
) -> None:
    before = list(read_records(sample_volume / "detections_log.jsonl"))
    done = run_notebook(
        "SendProcessFile", sample_volume, worker_env, values=["sent.state.job_id", "sent.record", "form.options.wanted"]
    )
    newest = max(sample_volume.glob("*.mp4")).name
    [new] = list(read_records(sample_volume / "detections_log.jsonl"))[len(before) :]
    assert new == done.values["sent.record"]
    assert new["job_id"] == done.values["sent.state.job_id"]
    assert new["filename"] == newest
    assert new["model"]["conf"] == done.values["form.options.wanted"]["conf"]
    assert f"{newest}: found {', '.join(new['detected']) or 'nothing'}; against the run before: " in done.text
    assert any("image/jpeg" in output.get("data", {}) for output in done.outputs())
    assert "before: scene" in done.text  # the comparison's columns


def test_the_widgets_say_what_is_sent(places: Places) -> None:
    form = SendForm(places)
    oldest = form.picker.list.options[-1][1]
    form.picker.list.value = oldest
    assert form.options.model.options == (("the worker's own", OWN_MODEL), (SCENE_MODEL.name, SCENE_MODEL.name))
    form.options.model.value = SCENE_MODEL.name
    form.options.conf.value = 0.7
    form.options.min_hits.value = 3
    form.options.fps.value = 2.5
    form.options.imgsz.value = 320
    form.options.classes.value = "Person,"
    form.button.click()
    assert form.sent is not None
    assert form.sent.state.state == "done"
    [record] = of_job(places, form.sent.state.job_id)
    assert record["filename"] == oldest
    sent = {"model": SCENE_MODEL.name, "conf": 0.7, "imgsz": 320, "fps": 2.5, "min_hits": 3, "classes": ["person"]}
    assert sent.items() <= record["options"].items()
    assert record["detected"] == ["person"]
    assert form.sent.before is not None
    assert form.sent.before.record["run_id"] != record["run_id"]
    assert form.picker.value == oldest
    assert not form.button.disabled
    assert form.sent.as_frame().loc["model", ""] == "scene, threshold 0.7, 320 px, 2.5 frames/s"

    # a file that is no video: the worker's reason, in a line
    (places.video / "broken.mp4").write_bytes(b"no video")
    form.picker.choose("broken.mp4")
    form.options.model.value = OWN_MODEL
    broken = form.run()
    assert broken.state.state == "failed"
    assert broken.record == {}
    assert broken.summary.startswith("broken.mp4: failed: no video that can be read")
    assert broken.pictures() is None
    assert broken.comparison().empty
    assert "reason" in broken.as_frame().index
    assert dict(form.picker.list.options)[next(iter(dict(form.picker.list.options)))] == "broken.mp4"
    assert "failed: no video" in form.picker.list.options[0][0]


def test_what_cannot_be_sent_is_one_line(places: Places, capsys: pytest.CaptureFixture[str]) -> None:
    form = SendForm(places)
    (places.video / form.picker.value).unlink()
    assert tried(form.run) is None
    assert capsys.readouterr().out == f"{form.picker.value} is not there (any more): choose another one\n"
    empty = SendForm(Places(places.video / "none", places.redis))
    assert tried(empty.run) is None
    assert capsys.readouterr().out.startswith("no video file in the video folder yet")
    away = SendForm(Places(places.video, type(places.redis)("127.0.0.1", 1)))
    away.picker.refresh()
    assert tried(away.run) is None
    assert "Redis at 127.0.0.1:1 is not available" in capsys.readouterr().out


def test_models_are_listed_by_name_from_all_folders(tmp_path: Path) -> None:
    for name in ("a/x.onnx", "a/notes.txt", "b/y.onnx", "b/x.onnx", "b/.z.onnx"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert model_names({"MODELS_DIR": f"{tmp_path}/a:{tmp_path}/none:{tmp_path}/b"}) == ["x.onnx", "y.onnx"]
    assert model_names({"MODELS_DIR": str(tmp_path / "none")}) == []


def test_the_comparison_has_a_row_a_label() -> None:
    def record(conf: float, **hits: int) -> dict:
        objects = [{"label": label, "hits": count, "max_conf": 0.5} for label, count in hits.items()]
        return {"objects": objects, "model": {"name": "scene", "conf": conf}}

    table = compare_records([record(0.5, car=3)], record(0.25, car=4, cat=9))
    assert list(table.index) == ["cat", "car"]
    assert table["before: scene, 0.5", "frames"].isna().tolist() == [True, False]
    assert table["now: scene, 0.25", "frames"].tolist() == [9, 4]
    assert list(compare_records([], record(0.5, car=1)).columns.get_level_values(0).unique()) == ["now: scene, 0.5"]
    assert compare_records([], {}).empty
    assert len(compare_records([record(0.5)], record(0.5))) == 0
