"""Which page a display shows, by its reference pictures, and whether a lamp is on."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from shared_utils.media.picture import Picture
from tests.video_worker.values.cameras import coded
from video_worker.values.lamps import LampState, lamp_level
from video_worker.values.pages import (
    Match,
    PageMatcher,
    PageState,
    hidden_part,
    small_display,
    small_size,
)

SIZE = (640, 360)
CORNERS = ((0.2, 0.15), (0.8, 0.2), (0.78, 0.85), (0.22, 0.8))
NUMBER = ((0.25, 0.5), (0.75, 0.5), (0.75, 0.78), (0.25, 0.78))
TITLES = ("OVERVIEW", "ALARMS", "RECIPE")


def screen(title: str | None, number: str = "") -> Picture:
    """Return a screen that has a title, and a number that is not part of the page."""
    picture = np.full((240, 400, 3), (60, 40, 20), np.uint8)
    if title is not None:
        cv2.rectangle(picture, (0, 0), (400, 40), (120, 90, 40), -1)
        cv2.putText(picture, title, (20, 30), cv2.FONT_HERSHEY_SIMPLEX, 1.0, (255, 255, 255), 2)
        cv2.rectangle(picture, (30, 60), (370, 110), (90, 200, 90), 2)
        cv2.putText(picture, number, (50, 200), cv2.FONT_HERSHEY_SIMPLEX, 2.5, (220, 255, 220), 6)
    return np.asarray(picture, np.uint8)


def frame(picture: Picture, light: float = 1.0, noise: float = 3.0, seed: int = 0, glare: bool = False) -> Picture:
    """Return what a camera sees of a screen."""
    height, width = picture.shape[:2]
    ends = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    matrix = cv2.getPerspectiveTransform(ends, (np.array(CORNERS) * SIZE).astype(np.float32))
    seen = np.full((SIZE[1], SIZE[0], 3), 110, np.uint8)
    cv2.warpPerspective(picture, matrix, SIZE, dst=seen, borderMode=cv2.BORDER_TRANSPARENT)
    if glare:
        spot = np.zeros((SIZE[1], SIZE[0], 1), np.float32)
        cv2.circle(spot, (240 + 20 * (seed % 10), 150), 50, (200,), -1)
        seen = np.clip(seen + cv2.GaussianBlur(spot, (0, 0), 20)[..., None], 0, 255).astype(np.uint8)
    return coded(seen, light, noise, seed)


def small(picture: Picture) -> np.ndarray:
    return small_display(picture, CORNERS, small_size(CORNERS, SIZE))


@pytest.fixture
def matcher() -> PageMatcher:
    references = {title: small(frame(screen(title, "888"))) for title in TITLES}
    return PageMatcher(references, hidden_part([NUMBER], CORNERS, small_size(CORNERS, SIZE)))


@pytest.mark.parametrize("title", TITLES)
@pytest.mark.parametrize(("light", "noise", "glare"), [(1, 3, False), (0.3, 3, False), (1.3, 8, False), (0.8, 4, True)])
def test_pages_are_told_apart_in_any_light_whatever_number_they_show(matcher, title, light, noise, glare):
    for seed in range(5):
        found = matcher.match(small(frame(screen(title, f"{137 * seed % 1000:03}"), light, noise, seed, glare)))
        assert found is not None
        assert (found.page, found.score > 0.4, found.margin > 0.5) == (title, True, True), found


def test_a_dark_screen_and_another_picture_are_none_of_the_pages(matcher):
    noise = np.random.default_rng(0).integers(0, 255, (240, 400, 3)).astype(np.uint8)
    for picture in (screen(None), noise):
        found = matcher.match(small(frame(picture)))
        assert found is not None
        assert found.score < 0.3


def test_halfway_between_two_pages_it_is_neither(matcher):
    one, other = screen("OVERVIEW"), screen("ALARMS")
    margins = []
    for share in (0.0, 0.4, 0.5, 0.6, 1.0):
        mixed = np.asarray(cv2.addWeighted(one, 1 - share, other, share, 0), np.uint8)
        found = matcher.match(small(frame(mixed)))
        assert found is not None
        margins.append(found.margin)
    assert min(margins) == min(margins[1:4]) < 0.3
    assert margins[0] > 0.8
    assert margins[-1] > 0.8


def test_pages_that_nobody_can_tell_apart_are_named():
    references = {title: small(frame(screen("SAME"), seed=seed)) for seed, title in enumerate(("a", "b"))}
    references["c"] = small(frame(screen("OTHER")))
    assert PageMatcher(references).alike == [("b", "a")]
    assert PageMatcher({}).match(references["a"]) is None


def test_a_display_that_left_the_picture_is_refused():
    outside = [(x + 0.85, y) for x, y in CORNERS]
    with pytest.raises(ValueError, match="outside"):
        small_display(frame(screen("OVERVIEW")), outside, (192, 100))


def match(page: str, score: float = 0.9, margin: float = 0.9, **others: float) -> Match:
    return Match(page, score, margin, {"a": 0.0, "b": 0.0, page: score, **others})


def test_a_page_that_is_clear_is_taken_at_once_and_another_one_when_two_looks_agree():
    state = PageState({"a": 0.4, "b": 0.4}, patient=True)
    assert state.update(match("a")) == "a"
    assert state.update(match("b", margin=0.3, a=0.8)) == "a"
    assert state.is_undecided
    assert state.update(match("b", margin=0.3, a=0.8)) == "b"
    assert not state.is_undecided
    # a flash, and a page that is gone
    assert state.update(match("a", score=0.1)) == "b"
    assert state.update(match("b")) == "b"
    assert state.update(match("a", score=0.1)) == "b"
    assert state.update(match("b", score=0.2)) is None


def test_between_two_pages_the_one_that_was_there_stays():
    state = PageState({"a": 0.4, "b": 0.4}, patient=True)
    state.update(match("a"))
    for _ in range(5):
        assert state.update(match("b", score=0.7, margin=0.05, a=0.68)) == "a"
    for _ in range(2):
        found = state.update(match("b", score=0.7, margin=0.05, a=0.2))
    assert found is None
    assert state.update(None) is None


def test_a_display_that_shows_nothing_is_believed_at_once_where_little_depends_on_it():
    state = PageState({"a": 0.4}, patient=False)
    state.update(match("a"))
    assert state.update(match("a", score=0.3)) == "a"
    assert state.update(match("a")) == "a"
    assert state.update(match("a", score=0.05)) is None


def test_pages_that_are_gone_are_not_resumed():
    state = PageState({"a": 0.4}, patient=True)
    state.resume("a")
    assert state.page == "a"
    state.resume("old")
    assert state.page is None


@pytest.mark.parametrize("margin", [0.9, 0.05])
@pytest.mark.parametrize("score", [0.1, 0.7])
def test_a_page_whose_reference_picture_is_gone_is_not_displayed(score, margin):
    state = PageState({"a": 0.4, "b": 0.4}, patient=True)
    state.resume("b")
    found = state.update(Match("a", score, margin, {"a": score}))
    assert found == ("a" if (score, margin) == (0.7, 0.9) else None)


@pytest.mark.parametrize(
    ("colour", "bgr", "level"),
    [
        ("any", (100, 100, 100), 100),
        ("red", (40, 60, 250), 190),
        ("red", (250, 250, 250), 0),
        ("green", (40, 200, 90), 110),
        ("blue", (200, 20, 50), 150),
        ("yellow", (30, 220, 240), 190),
        ("yellow", (30, 20, 240), 0),
    ],
)
def test_levels_of_a_lamp(colour, bgr, level):
    picture = np.full((20, 30, 3), bgr, np.uint8)
    assert lamp_level(picture, None, colour) == pytest.approx(level, abs=0.5)
    # what is around a polygon does not count
    mask = np.zeros((20, 30), np.uint8)
    mask[5:10, 5:10] = 255
    picture[mask == 0] = (0, 0, 0) if level else (0, 0, 255)
    assert lamp_level(picture, mask, colour) == pytest.approx(level, abs=0.5)


def test_a_lamp_goes_on_and_off_at_different_levels():
    lamp = LampState(128, 100)
    assert [lamp.update(level) for level in (0, 120, 128, 129, 110, 100, 99, 120, 200)] == [
        False, False, False, True, True, True, False, False, True,
    ]  # fmt: skip
    plain = LampState(100)
    assert [plain.update(level) for level in (101, 95, 90, 89)] == [True, True, True, False]
