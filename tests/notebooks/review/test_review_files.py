"""Labels files: what is written is read again, what is damaged is reported, and nobody's work is lost."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
from pathlib import Path

import pytest

from notebooks.lab.review.label_changes import Change, change
from shared_utils.contracts.labels import (
    Label,
    LabelFile,
    Source,
    State,
    labels_path,
    list_labels,
    read_all_labels,
    read_clip_labels,
    read_labels,
    truth,
    write_labels,
)
from shared_utils.errors import FormatError

CLIP = "20260223-144819-door.mp4"
RIGHT = Label(4.8, 24, "person", (612.0, 301.5, 688.2, 540.0), "right", Source("run-1", 0))
MISSED = Label(4.8, 24, "їжак у 🏠", (1.0, 2.0, 30.5, 40.0), "missed")


def _label(frame: int, state: State = "right", run: str = "run-1") -> Label:
    return Label(frame / 10, frame, "car", (1.0, 2.0, 3.0, 4.0), state, Source(run, 0))


def test_the_format(tmp_path: Path) -> None:
    change(tmp_path, CLIP, Change(added=(RIGHT, MISSED), reviewed=frozenset({24}), complete=True))
    text = (tmp_path / "labels" / "20260223-144819-door.json").read_text(encoding="utf-8")
    assert json.loads(text) == {
        "schema": 1,
        "filename": CLIP,
        "frames": [24],
        "complete": True,
        "labels": [
            {
                "t": 4.8,
                "frame": 24,
                "label": "person",
                "xyxy": [612.0, 301.5, 688.2, 540.0],
                "state": "right",
                "source": {"run_id": "run-1", "box": 0},
            },
            {"t": 4.8, "frame": 24, "label": "їжак у 🏠", "xyxy": [1, 2, 30.5, 40], "state": "missed", "source": None},
        ],
    }
    assert "їжак" in text
    file = read_labels(labels_path(tmp_path, CLIP))
    assert (file.filename, file.frames, file.complete, file.skipped) == (CLIP, {24}, True, 0)
    assert file.labels == (RIGHT, MISSED)
    assert [path.name for path in (tmp_path / "labels").iterdir()] == ["20260223-144819-door.json"]


def test_where_labels_come_from_is_kept(tmp_path: Path) -> None:
    drawn = LabelFile(CLIP, frozenset({24}), (MISSED,), complete=True, by="drawn scene")
    write_labels(tmp_path, drawn)
    path = labels_path(tmp_path, CLIP)
    assert json.loads(path.read_text(encoding="utf-8"))["by"] == "drawn scene"
    assert read_labels(path) == drawn
    # a person goes on in it
    change(tmp_path, CLIP, Change(added=(RIGHT,)))
    assert (read_labels(path).by, len(read_labels(path).labels)) == ("drawn scene", 2)
    content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**content, "by": 7}), encoding="utf-8")
    assert (read_labels(path).by, len(read_labels(path).labels)) == ("", 2)


def test_truth_is_what_is_really_there(tmp_path: Path) -> None:
    states: tuple[State, ...] = ("right", "wrong", "fixed", "missed")
    labels = [_label(number, state) for number, state in enumerate(states)]
    file = change(tmp_path, CLIP, Change(added=tuple(labels), reviewed=frozenset({0, 9})))
    assert [label.state for label in truth(file)] == ["right", "fixed", "missed"]
    assert file.touched() == {0: True, 1: False, 2: False, 3: False, 9: True}


def test_a_later_verdict_takes_the_place_of_an_earlier_one_and_is_taken_back(tmp_path: Path) -> None:
    change(tmp_path, CLIP, Change(added=(_label(1, "right"),)))
    step = Change(removed=(_label(1, "right"),), added=(_label(1, "wrong"),), reviewed=frozenset({1}), complete=True)
    assert change(tmp_path, CLIP, step).labels == (_label(1, "wrong"),)
    undone = change(tmp_path, CLIP, step.inverse())
    assert (undone.labels, undone.frames, undone.complete) == ((_label(1, "right"),), frozenset(), False)


def test_no_file_is_no_labels(tmp_path: Path) -> None:
    assert read_labels(labels_path(tmp_path, CLIP)).labels == ()
    assert read_all_labels(tmp_path) == ([], [])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("  \n", "empty"),
        ('{"schema": 1, "filename": "a.mp4", "lab', "no JSON"),
        ("[" * 100_000, "no JSON"),
        ("[]", 'no object with a list "labels"'),
        ('{"filename": "a.mp4", "labels": {}}', 'no object with a list "labels"'),
        ('{"labels": []}', 'without the "filename"'),
        ('{"schema": 2, "filename": "a.mp4", "labels": []}', "schema 2"),
    ],
)
def test_a_damaged_file_is_reported_and_left_as_it_is(tmp_path: Path, text: str, reason: str) -> None:
    path = labels_path(tmp_path, CLIP)
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(FormatError, match=reason) as error:
        read_labels(path)
    assert "labels/20260223-144819-door.json" in str(error.value)
    assert "\n" not in str(error.value)
    with pytest.raises(FormatError):
        change(tmp_path, CLIP, Change(added=(RIGHT,)))
    assert path.read_text() == text
    assert read_all_labels(tmp_path) == ([], [str(error.value)])


@pytest.mark.parametrize(
    "odd",
    [
        {"label": ""},
        {"label": None},
        {"state": "perhaps"},
        {"frame": -1},
        {"frame": True},
        {"frame": "24"},
        {"t": None},
        {"xyxy": [1, 2, 3]},
        {"xyxy": [3, 2, 1, 4]},
        {"xyxy": [1, 2, 1, 4]},
        {"xyxy": [1, 2, "3", 4]},
        {"xyxy": [1, 2, float("nan"), 4]},
    ],
)
def test_an_entry_that_is_none_is_passed_over_counted_and_kept_aside(tmp_path: Path, odd: dict[str, object]) -> None:
    good = {"t": 1.0, "frame": 24, "label": "car", "xyxy": [1, 2, 3, 4], "state": "right", "source": None, "new": 1}
    path = labels_path(tmp_path, CLIP)
    path.parent.mkdir()
    text = json.dumps({"filename": CLIP, "frames": [24], "labels": [good, good | odd, "no label"]})
    path.write_text(text)
    file = read_labels(path)
    assert (len(file.labels), file.skipped) == (1, 2)
    _, [note] = read_all_labels(tmp_path)
    assert "2 entries" in note
    assert len(change(tmp_path, CLIP, Change(added=(RIGHT,))).labels) == 2
    assert path.with_name(f"{path.name}.damaged").read_text() == text
    assert list_labels(tmp_path) == [path]


def test_clips_of_one_name_do_not_mix(tmp_path: Path) -> None:
    change(tmp_path, "film.mp4", Change(added=(RIGHT,)))
    with pytest.raises(FormatError, match="rename one"):
        change(tmp_path, "film.mkv", Change(added=(RIGHT,)))
    with pytest.raises(FormatError, match=r"film\.mp4"):
        read_clip_labels(tmp_path, "film.mkv")


def _work(folder: Path, run: str) -> None:
    for frame in range(20):
        change(folder, CLIP, Change(added=(_label(frame, run=run),), reviewed=frozenset({frame})))


def test_two_people_on_one_clip_lose_nothing(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    people = [context.Process(target=_work, args=(tmp_path, run)) for run in ("run-1", "run-2")]
    for person in people:
        person.start()
    for person in people:
        person.join()
    file = read_labels(labels_path(tmp_path, CLIP))
    assert len(file.labels) == 40
    assert file.frames == set(range(20))


def test_a_full_disk_leaves_the_file_whole(small_volume: Path) -> None:
    change(small_volume, CLIP, Change(added=(RIGHT,)))
    before = labels_path(small_volume, CLIP).read_text()
    with (small_volume / "filler").open("wb") as filler:
        os.posix_fallocate(filler.fileno(), 0, shutil.disk_usage(small_volume).free)
    many = tuple(_label(frame) for frame in range(200))
    with pytest.raises(OSError, match="No space"):
        change(small_volume, CLIP, Change(added=many))
    assert labels_path(small_volume, CLIP).read_text() == before
