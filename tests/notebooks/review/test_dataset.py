"""An exported data set, read back by a parser of the test's own, and by ultralytics' where it can be imported."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from notebooks.lab.review.dataset import (
    SIDES,
    Exported,
    export_dataset,
    read_names,
    side_of,
    sides_of,
    stable_names,
    yolo_line,
)
from notebooks.lab.review.label_changes import Change, change
from shared_utils.contracts.clips import list_clips
from shared_utils.contracts.labels import Label, Source, State, Xyxy, labels_path
from shared_utils.errors import SettingError
from shared_utils.media.grabber import FrameGrabber

SIZE = (640, 360)


def _label(frame: int, label: str, xyxy: Xyxy, state: State = "right") -> Label:
    return Label(frame / 10, frame, label, xyxy, state, Source("run-1", int(xyxy[0])))


def _review(video_dir: Path, filename: str) -> None:
    """Frame 5 with objects and a mistake, 9 with a mistake alone, 12 with nothing, 20 half-way."""
    labels = (
        _label(5, "person", (0.0, 10.0, 33.3, 99.9)),
        _label(5, "їжак", (600.1, 300.2, 640.0, 360.0), "fixed"),
        _label(5, "car", (100.0, 100.0, 200.0, 200.0), "wrong"),
        _label(9, "car", (100.0, 100.0, 200.0, 200.0), "wrong"),
        _label(20, "dog", (100.0, 100.0, 200.0, 200.0)),
    )
    change(video_dir, filename, Change(added=labels, reviewed=frozenset({5, 9, 12})))


@pytest.fixture
def clips(sample_volume: Path) -> list[str]:
    """Names of the clips of `sample_volume` that can be read, reviewed."""
    names = [path.name for path in list_clips(sample_volume) if path.stat().st_size > 4000]
    for name in names:
        _review(sample_volume, name)
    return names


def _read_back(done: Exported) -> dict[tuple[str, str], list[tuple[str, Xyxy]]]:
    """Labels and boxes in pixels, by side and picture."""
    config = yaml.safe_load(done.yaml.read_text(encoding="utf-8"))
    assert "path" not in config
    found: dict[tuple[str, str], list[tuple[str, Xyxy]]] = {}
    for side in SIDES:
        for image in sorted((done.yaml.parent / config[side]).iterdir()):
            with Image.open(image) as picture:
                width, height = picture.size
            text = (image.parents[2] / "labels" / side / f"{image.stem}.txt").read_text()
            boxes: list[tuple[str, Xyxy]] = []
            for line in text.splitlines():
                number, x, y, w, h = line.split()
                cx, cy, bw, bh = float(x) * width, float(y) * height, float(w) * width, float(h) * height
                corners = (cx - bw / 2, cy - bh / 2, cx + bw / 2, cy + bh / 2)
                boxes.append((config["names"][int(number)], corners))
            found[side, image.name] = boxes
    return found


def test_it_reads_back_as_it_was_labelled(sample_volume: Path, clips: list[str]) -> None:
    shares: list[float] = []
    done = export_dataset(sample_volume, names=["person", "bicycle", "car"], on_progress=shares.append)
    assert done.names == ("person", "bicycle", "car", "їжак")
    assert shares[-1] == 1.0
    found = _read_back(done)
    assert len(found) == 3 * len(clips)
    for (side, name), boxes in found.items():
        stem, frame = name.removesuffix(".jpg").rsplit("-", 1)
        assert side == sides_of(clips)[f"{stem}.mp4"]
        if frame == "000005":
            assert [label for label, _ in boxes] == ["person", "їжак"]
            assert boxes[0][1] == pytest.approx((0.0, 10.0, 33.3, 99.9), abs=0.01)
            assert boxes[1][1] == pytest.approx((600.1, 300.2, 640.0, 360.0), abs=0.01)
        else:
            assert (frame, boxes) in (("000009", []), ("000012", []))
    assert sum(done.frames.values()) == 3 * len(clips)
    assert sum(done.empty.values()) == 2 * len(clips)
    assert done.boxes["train"] + done.boxes["val"] == {"person": len(clips), "їжак": len(clips)}
    assert done.notes == []


def test_the_pictures_are_the_frames(sample_volume: Path, clips: list[str]) -> None:
    done = export_dataset(sample_volume)
    [path] = done.folder.glob(f"images/*/{Path(clips[0]).stem}-000009.jpg")
    with FrameGrabber(sample_volume / clips[0]) as grabber:
        there = grabber.frame(9).picture[..., ::-1].astype(int)
    with Image.open(path) as picture:
        assert np.abs(np.asarray(picture, int) - there).mean() < 2.5


def test_ultralytics_reads_it(sample_volume: Path, clips: list[str]) -> None:
    loader = pytest.importorskip("ultralytics.data.dataset", reason="needs torch", exc_type=ImportError)
    from ultralytics.data.utils import check_det_dataset

    done = export_dataset(sample_volume)
    config = check_det_dataset(str(done.yaml), autodownload=False)
    read = _read_back(done)
    for side in SIDES:
        data = loader.YOLODataset(config[side], data=config, augment=False, imgsz=640)
        assert len(data) == done.frames[side]
        for entry in data.labels:
            height, width = entry["shape"]
            boxes = read[side, Path(entry["im_file"]).name]
            assert [config["names"][int(number)] for number in entry["cls"].ravel()] == [label for label, _ in boxes]
            for (x, y, w, h), (_, corners) in zip(entry["bboxes"], boxes, strict=True):
                pixels = ((x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height)
                assert pixels == pytest.approx(corners, abs=0.05)


def test_a_clip_is_on_one_side_and_always_the_same() -> None:
    names = [f"20260223-{number:06d}-door.mp4" for number in range(500)]
    sides = sides_of(names)
    assert 60 < sum(side == "val" for side in sides.values()) < 140
    assert all(sides[name] == side_of(name) for name in names)
    shuffled = random.Random(1).sample(names, 300)
    assert all(side == sides[name] for name, side in sides_of(shuffled).items())
    # written down: no version of ours may move them
    assert side_of("20260223-144819-cam1.mp4") == "train"
    assert side_of("20260223-000004-door.mp4") == "val"


def test_each_side_has_a_clip() -> None:
    for count in range(2, 12):
        assert set(sides_of(f"{number}.mp4" for number in range(count)).values()) == {"train", "val"}
    for few in ([], ["a.mp4"], ["a.mp4", "a.mp4"]):
        with pytest.raises(SettingError, match="two at least"):
            sides_of(few)


def test_class_ids_never_change(sample_volume: Path, clips: list[str]) -> None:
    assert stable_names({"zebra", "ant", "car"}, ["person", "car"]) == ("person", "car", "ant", "zebra")
    first = export_dataset(sample_volume)
    assert first.names == ("person", "їжак")
    change(
        sample_volume,
        clips[0],
        Change(added=(_label(12, 'a "quoted": # name', (1, 1, 9, 9)),), reviewed=frozenset({12})),
    )
    second = export_dataset(sample_volume, names=["bicycle", "person"])
    assert second.names == ("person", "їжак", "bicycle", 'a "quoted": # name')
    assert read_names(second.yaml) == second.names
    assert list(yaml.safe_load(second.yaml.read_text(encoding="utf-8"))["names"].values()) == list(second.names)


def test_pictures_outlive_their_clip(sample_volume: Path, clips: list[str]) -> None:
    first = export_dataset(sample_volume)
    (sample_volume / clips[0]).unlink()
    change(sample_volume, clips[0], Change(reviewed=frozenset({15})))
    again = export_dataset(sample_volume)
    assert again.frames == first.frames
    [note] = again.notes
    assert note == f"{clips[0]}: 1 frames were left out (the clip is not there any more)"
    assert len(list(again.folder.glob(f"images/*/{Path(clips[0]).stem}-*.jpg"))) == 3
    shutil.rmtree(again.folder)
    assert sum(export_dataset(sample_volume).frames.values()) == 3 * (len(clips) - 1)


def test_what_is_damaged_or_missing_is_reported(sample_volume: Path, clips: list[str]) -> None:
    labels_path(sample_volume, clips[0]).write_text("{")
    change(sample_volume, clips[1], Change(reviewed=frozenset({99_999})))
    (sample_volume / clips[2]).write_bytes(b"no video")
    done = export_dataset(sample_volume)
    note = "\n".join(done.notes)
    assert "is damaged" in note
    assert f"{clips[1]}: 1 frames were left out" in note
    assert f"{clips[2]}: 3 frames were left out" in note
    assert sum(done.frames.values()) == 3 * (len(clips) - 2)


def test_nothing_of_others_is_replaced(sample_volume: Path, clips: list[str]) -> None:
    mine = sample_volume / "datasets" / "review"
    mine.mkdir(parents=True)
    (mine / "data.yaml").write_text("names: [a]\n")
    with pytest.raises(SettingError, match="no export of LabelReview"):
        export_dataset(sample_volume)
    assert [path.name for path in mine.iterdir()] == ["data.yaml"]
    for name in ("", ".", "..", "a/b", "../x", ".hidden"):
        with pytest.raises(SettingError, match="plain folder name"):
            export_dataset(sample_volume, name)


def test_nothing_was_reviewed(sample_volume: Path) -> None:
    with pytest.raises(SettingError, match="0 clips have frames that were reviewed as a whole"):
        export_dataset(sample_volume)
    assert not (sample_volume / "datasets").exists()


@pytest.mark.parametrize(
    ("xyxy", "line"),
    [
        ((0.0, 0.0, 640.0, 360.0), "3 0.500000 0.500000 1.000000 1.000000"),
        ((-5.0, 90.0, 64.0, 400.0), "3 0.050000 0.625000 0.100000 0.750000"),
    ],
)
def test_boxes_end_at_the_pictures_edge(xyxy: Xyxy, line: str) -> None:
    assert yolo_line(_label(1, "car", xyxy), 3, SIZE) == line


def test_a_label_file_in_other_words(sample_volume: Path, clips: list[str]) -> None:
    path = labels_path(sample_volume, clips[0])
    config = json.loads(path.read_text())
    path.write_text(json.dumps({key: config[key] for key in ("filename", "labels", "frames")}, indent=2))
    assert sum(export_dataset(sample_volume).frames.values()) == 3 * len(clips)
