"""Which boxes are asked about, in what order, and what each verdict does to the labels files."""

from __future__ import annotations

from pathlib import Path

import pytest

from notebooks.lab.data.results import latest, load_log
from notebooks.lab.media.clip import Box, Sampled
from notebooks.lab.review.questions import ORDERS, Page, page_of, pick_frames, questions_of
from notebooks.lab.review.review_session import NotABox, Session, placed
from shared_utils.contracts.detections_log import append_record, log_path
from shared_utils.contracts.labels import Xyxy, labels_path, read_clip_labels
from vcam_worker.recording.storage.disk import DiskGuard, DiskRules

CLIP = "20260223-144819-door.mp4"
SIZE = (640, 360)


def _sample(frame: int, *boxes: Box) -> Sampled:
    return Sampled(frame / 10, frame, boxes)


def _walk(frames: int, step: float, track: int = 1, label: str = "person") -> list[Sampled]:
    """A box of 40×80 that goes to the right; its best score in the middle, its worst at the end."""
    scores = [0.9 if frame == frames // 2 else 0.6 if frame < frames - 1 else 0.3 for frame in range(frames)]
    return [
        _sample(frame, Box(label, score, (10 + step * frame, 100, 50 + step * frame, 180), track))
        for frame, score in enumerate(scores)
    ]


def _pages(samples: list[Sampled], filename: str = CLIP, run: str = "run-1") -> list[Page]:
    return [page_of(sample, filename, run, 0.5, 0.25) for sample in samples]


def test_of_a_track_few_frames_are_asked_about() -> None:
    picked = [sample.frame for sample in pick_frames(_walk(41, 10), 0.25)]
    assert len(picked) == 5
    assert {20, 40} <= set(picked)  # the best and the worst
    assert [sample.frame for sample in pick_frames(_walk(41, 0.1), 0.25)] == [20, 40]  # hardly moved
    assert len(pick_frames(_walk(41, 10), 0.25, None)) == 41
    assert pick_frames([], 0.25) == []


def test_frames_without_a_box_are_asked_about_too() -> None:
    samples = [_sample(frame) for frame in range(30)]
    assert [sample.frame for sample in pick_frames(samples, 0.25)] == [10, 20]
    weak = [_sample(frame, Box("cat", 0.2, (1, 1, 9, 9), None)) for frame in range(30)]
    [first, _] = questions_of(_pages(pick_frames(weak, 0.25)))
    assert first.candidate is None
    assert len(pick_frames(samples[:1], 0.25)) == 1


def test_a_box_keeps_its_place_in_the_file() -> None:
    sample = _sample(
        3, Box("dog", 0.9, (1, 1, 9, 9), 1), Box("cat", 0.2, (1, 1, 9, 9), None), Box("car", 0.3, (2, 2, 9, 9), 2)
    )
    assert [candidate.box for candidate in page_of(sample, CLIP, "r", 0.5, 0.25).boxes] == [0, 2]


def test_orders() -> None:
    box: Xyxy = (1, 1, 9, 9)
    samples = [
        _sample(1, Box("dog", 0.95, box, 1), Box("cat", 0.6, box, 2)),
        _sample(2, Box("dog", 0.52, box, 1)),
        _sample(3),
    ]
    asked = {order: questions_of(_pages(samples), order) for order in ORDERS}
    ordered = {
        order: [(one.page.frame, one.candidate.label if one.candidate else "") for one in questions]
        for order, questions in asked.items()
    }
    assert ordered["uncertain"] == [(2, "dog"), (1, "cat"), (1, "dog"), (3, "")]
    assert ordered["clip"] == [(1, "dog"), (1, "cat"), (2, "dog"), (3, "")]
    assert ordered["class"] == [(1, "cat"), (1, "dog"), (2, "dog"), (3, "")]


def _session(folder: Path, samples: list[Sampled], run: str = "run-1") -> Session:
    return Session(folder, _pages(samples, run=run), "clip")


def _key(session: Session) -> str:
    assert session.current
    return session.current.key


def test_a_frame_is_reviewed_when_all_its_boxes_are_judged(tmp_path: Path) -> None:
    two = [Box("dog", 0.9, (1, 1, 9, 9), 1), Box("cat", 0.8, (20, 1, 29, 9), 2)]
    session = _session(tmp_path, [_sample(1, *two), _sample(2)])
    session.judge(_key(session), "wrong")
    assert read_clip_labels(tmp_path, CLIP).touched() == {1: False}
    session.judge(_key(session), "right")
    assert read_clip_labels(tmp_path, CLIP).touched() == {1: True}
    with pytest.raises(NotABox, match="Draw a box"):
        session.judge(_key(session), "wrong")
    session.draw(_key(session), (50, 50, 90, 90), "bird", SIZE)
    assert not read_clip_labels(tmp_path, CLIP).complete
    session.judge(_key(session), "right")
    file = read_clip_labels(tmp_path, CLIP)
    assert (file.frames, file.complete) == ({1, 2}, True)
    assert session.current is None
    assert session.progress().clips == (1, 1)
    for _ in range(4):
        assert session.undo()
    assert not session.undo()
    file = read_clip_labels(tmp_path, CLIP)
    assert (file.labels, file.frames, file.complete) == ((), frozenset(), False)


def test_a_track_and_a_frame_are_judged_at_once(tmp_path: Path) -> None:
    walk = _walk(5, 30)
    other = Box("car", 0.7, (300, 100, 400, 200), 2)
    samples = [_sample(one.frame, *one.boxes, other) for one in walk]
    session = _session(tmp_path, samples)
    first = _key(session)
    assert session.judge(first, "wrong", "track") == 5
    assert {label.label for label in read_clip_labels(tmp_path, CLIP).labels} == {"person"}
    assert session.judge(_key(session), "right", "frame") == 1
    session.undo()
    session.undo()
    assert _key(session) == first
    assert session.judge(first, "right", "frame") == 2
    assert read_clip_labels(tmp_path, CLIP).frames == {0}


def test_weak_boxes_without_a_track_are_judged_individually(tmp_path: Path) -> None:
    samples = [_sample(frame, Box("cat", 0.3, (1 + 9 * frame, 1, 9 + 9 * frame, 9), None)) for frame in range(3)]
    session = _session(tmp_path, samples)
    assert session.judge(_key(session), "wrong", "track") == 1


def test_a_new_session_goes_on_where_one_ended(tmp_path: Path) -> None:
    first = _session(tmp_path, _walk(4, 30))
    first.judge(_key(first), "right")
    first.fix(_key(first), (40, 100, 85, 180), "dog", SIZE)
    again = _session(tmp_path, _walk(4, 30))
    assert _key(again) == _key(first)
    assert again.progress() == first.progress()
    assert [label.state for label in read_clip_labels(tmp_path, CLIP).labels] == ["right", "fixed"]


def test_a_run_by_another_threshold_asks_nothing_twice(tmp_path: Path) -> None:
    first = _session(tmp_path, _walk(3, 30))
    first.judge(_key(first), "right", "track")
    assert _session(tmp_path, _walk(3, 30), run="run-2").current is None
    moved = [_sample(one.frame, Box("person", 0.9, (10, 10, 50, 90), 1)) for one in _walk(4, 30)]
    assert _key(_session(tmp_path, moved, run="run-2")).startswith("0:3@")  # frame 3 alone was not reviewed


def test_a_box_that_was_not_changed_is_right(tmp_path: Path) -> None:
    session = _session(tmp_path, _walk(2, 30))
    session.fix(_key(session), (50, 180, 10, 100), "person", SIZE)
    assert [label.state for label in read_clip_labels(tmp_path, CLIP).labels] == ["right"]


def test_answers_can_be_changed(tmp_path: Path) -> None:
    session = _session(tmp_path, _walk(2, 30))
    key = _key(session)
    session.judge(key, "right")
    session.fix(key, (10, 100, 60, 190), "person", SIZE)
    session.judge(key, "wrong")
    assert [label.state for label in read_clip_labels(tmp_path, CLIP).labels] == ["wrong"]
    session.undo()
    assert [label.state for label in read_clip_labels(tmp_path, CLIP).labels] == ["fixed"]


def test_skipped_ones_come_again_at_the_end(tmp_path: Path) -> None:
    session = _session(tmp_path, _walk(3, 30))
    first = _key(session)
    session.skip(first)
    session.judge(_key(session), "right")
    session.judge(_key(session), "right")
    assert _key(session) == first
    assert session.upcoming(5) == []


@pytest.mark.parametrize(
    ("xyxy", "expected"),
    [
        ((10, 20, 30, 40), (10, 20, 30, 40)),
        ((30, 40, 10, 20), (10, 20, 30, 40)),
        ((-50, -50, 30, 40), (0, 0, 30, 40)),
        ((600, 300, 900, 900), (600, 300, 640, 360)),
    ],
)
def test_boxes_are_put_in_order_and_cut_at_the_edge(xyxy: Xyxy, expected: Xyxy) -> None:
    assert placed(xyxy, SIZE) == expected


@pytest.mark.parametrize("xyxy", [(10, 10, 10, 10), (10, 10, 12, 50), (700, 10, 800, 50), (10, -50, 90, 2)])
def test_no_box_is_too_small_or_outside(tmp_path: Path, xyxy: Xyxy) -> None:
    session = _session(tmp_path, _walk(1, 1))
    for act in (session.fix, session.draw):
        with pytest.raises(NotABox, match="3 pixels"):
            act(_key(session), xyxy, "cat", SIZE)
    assert not labels_path(tmp_path, CLIP).exists()


def test_two_kernels_on_one_clip(tmp_path: Path) -> None:
    mine, theirs = _session(tmp_path, _walk(4, 30)), _session(tmp_path, _walk(4, 30))
    theirs.judge(_key(theirs), "wrong")
    mine.judge(_key(mine), "right")  # the later one of the same box counts
    theirs.draw(_key(theirs), (300, 10, 350, 90), "cat", SIZE)
    mine.judge(_key(mine), "right")
    states = [(label.frame, label.state) for label in read_clip_labels(tmp_path, CLIP).labels]
    assert states == [(0, "right"), (1, "missed"), (1, "right")]
    mine.undo()
    assert [label.state for label in read_clip_labels(tmp_path, CLIP).labels] == ["right", "missed"]


def test_what_cannot_be_reviewed_is_passed_over_and_reported(sample_volume: Path) -> None:
    rows = latest(load_log(sample_volume))
    names = [name for name in rows["filename"] if (sample_volume / name).is_file()]
    (sample_volume / names[0]).unlink()
    for path in sample_volume.glob(f"boxes/{Path(names[1]).stem}.*"):
        path.unlink()
    labels = labels_path(sample_volume, names[2])
    labels.parent.mkdir()
    labels.write_text("{")
    session = Session.of_runs(sample_volume, rows)
    notes = " ".join(session.notes)
    assert "not there any more" in notes
    assert "boxes file is gone: 1 of" in notes
    assert f"labels/{labels.name} is damaged" in notes
    assert {one.page.filename for one in session.questions} == set(names[3:])
    assert labels.read_text() == "{"


def test_a_volume_without_anything(tmp_path: Path) -> None:
    session = Session.of_runs(tmp_path, latest(load_log(tmp_path)))
    assert (session.current, session.questions, session.undo()) == (None, [], False)
    session.go(3)
    assert session.current is None


def test_retention_takes_the_clip_and_leaves_its_labels(tmp_path: Path) -> None:
    (tmp_path / CLIP).touch()
    append_record(log_path(tmp_path), {"ok": True, "filename": CLIP, "run_id": "run-1"})
    session = _session(tmp_path, _walk(2, 30))
    session.judge(_key(session), "right")
    DiskGuard(tmp_path, DiskRules(retention_days=1), lambda _: None).sweep()
    assert not (tmp_path / CLIP).exists()
    assert [label.state for label in read_clip_labels(tmp_path, CLIP).labels] == ["right"]
