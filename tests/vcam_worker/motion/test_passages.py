"""When motion begins and ends, by the verdicts on single frames."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from vcam_worker.motion.passages import SILENT_S, STILL_S, Passage, Passages

START = 1_770_000_000.0


def run(verdicts: Iterable[tuple[float, bool]], passages: Passages | None = None) -> list[tuple[str, float, float]]:
    """Return what began or ended, when, and at which verdict it was known; seconds from START."""
    passages = passages or Passages()
    found: list[tuple[str, float, float]] = []
    for at, moving in verdicts:
        one = passages.take(START + at, moving=moving, share=0.1 if moving else 0.0)
        if one:
            found.append((one.what, round(one.at - START, 2), at))
    return found


def frames(*parts: tuple[float, bool], step: float = 0.2) -> list[tuple[float, bool]]:
    """Return verdicts `step` apart, for parts of (seconds, moving)."""
    found: list[tuple[float, bool]] = []
    at = 0.0
    for seconds, moving in parts:
        for _ in range(round(seconds / step)):
            found.append((round(at, 3), moving))
            at += step
    return found


def test_a_passage_has_a_beginning_and_an_end() -> None:
    assert run(frames((2, False), (3, True), (10, False))) == [("started", 2.0, 2.2), ("ended", 4.8, 9.8)]


def test_a_single_frame_is_a_glitch() -> None:
    assert run(frames((2, False), (0.2, True), (2, False), (0.2, True), (2, False))) == []


def test_who_stands_still_for_a_moment_has_not_left() -> None:
    found = run(frames((2, False), (1, True), (STILL_S - 1, False), (1, True), (10, False)))
    assert [what for what, *_ in found] == ["started", "ended"]


def test_a_single_frame_prolongs_motion() -> None:
    found = run(frames((1, True), (4, False), (0.2, True), (4, False), (0.2, True), (10, False)))
    assert found[-1][:2] == ("ended", 9.2)
    assert len(found) == 2


def test_keyframes_alone_are_enough() -> None:
    """As while a clip is open."""
    found = run(frames((4, False), (2, True), (20, False), step=2.0))
    assert found == [("started", 4.0, 4.0), ("ended", 4.0, 10.0)]
    assert run(frames((10, False), (5, True), (30, False), step=5.0)) == [
        ("started", 10.0, 10.0),
        ("ended", 10.0, 20.0),
    ]


def test_the_first_frame_after_a_gap_is_not_enough() -> None:
    assert run([(0, False), (SILENT_S + 1, True), (SILENT_S + 1.2, False)]) == []
    assert run([(0, True)]) == []


def test_silence_and_the_end_end_it_once() -> None:
    passages = Passages()
    assert passages.close() is None
    run(frames((2, True)), passages)
    assert passages.check(START + 10) is None
    assert passages.check(START + 1.8 + SILENT_S) == Passage("ended", START + 1.8, START)
    assert passages.check(START + 100) is None
    run([(200, True), (200.2, True)], passages)
    assert passages.close() == Passage("ended", START + 200.2, START + 200)
    assert passages.close() is None


def test_a_beginning_has_the_share_that_decided_it() -> None:
    passages = Passages()
    assert passages.take(START, moving=True, share=0.01) is None
    started = passages.take(START + 0.2, moving=True, share=0.25)
    assert started is not None
    assert (started.at, started.share) == (START, 0.25)


@pytest.mark.parametrize("set_back_at", [5, 9])
def test_a_clock_that_is_set_back_does_no_harm(set_back_at: float) -> None:
    verdicts = frames((2, False), (5, True), (20, False))
    found = run((at - 3600 * (at > set_back_at), moving) for at, moving in verdicts)
    assert [what for what, *_ in found] == ["started", "ended"]
