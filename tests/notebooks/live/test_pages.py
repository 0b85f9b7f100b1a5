"""Who watches, and when the next picture is sent."""

from __future__ import annotations

import pytest

from notebooks.lab.live.pages import LAG_S, LOST_S, MAX_PAGES, QUIET_S, SILENT_S, Pages


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pages(clock: Clock) -> Pages:
    return Pages(clock)


def test_nothing_is_sent_while_nobody_watches(pages: Pages) -> None:
    assert not pages
    assert not pages.ready()
    pages.heard("a")
    assert pages
    assert pages.ready()
    pages.left("a")
    assert not pages.ready()


def test_a_page_that_is_behind_gets_no_more_pictures_until_it_has_drawn_them(pages: Pages, clock: Clock) -> None:
    pages.heard("a")
    numbers = []
    for _ in range(int(LOST_S / 0.2)):
        clock.now += 0.2
        pages.heard("a")
        if pages.ready():
            numbers.append(pages.sent())
    assert len(numbers) == pytest.approx(LAG_S / 0.2, abs=1)
    pages.heard("a", drawn=numbers[-1] - 1)
    assert not pages.ready()
    pages.heard("a", drawn=numbers[-1])
    assert pages.ready()


def test_what_a_page_reports_is_not_trusted_beyond_what_was_sent(pages: Pages, clock: Clock) -> None:
    pages.heard("a")
    pages.sent()
    pages.heard("a", drawn=10**9)
    pages.sent()
    clock.now += LAG_S + 0.1
    pages.heard("a", drawn=-5)
    assert not pages.ready()


def test_one_that_was_loaded_anew_does_not_wait_for_its_former_self(pages: Pages, clock: Clock) -> None:
    pages.heard("before")
    pages.sent()
    clock.now += QUIET_S + 0.1
    assert not pages.ready()
    pages.heard("after")
    assert pages.ready()
    pages.heard("before")  # it is slow, and there
    assert not pages.ready()


def test_a_page_that_reports_nothing_is_forgotten(pages: Pages, clock: Clock) -> None:
    pages.heard("a")
    clock.now += SILENT_S - 1
    pages.heard("b")
    clock.now += 2
    pages.forget_silent()
    assert pages
    clock.now += SILENT_S
    pages.forget_silent()
    assert not pages


def test_lost_pictures_do_not_hold_it_up_for_ever(pages: Pages, clock: Clock) -> None:
    pages.heard("a")
    pages.sent()
    clock.now += LOST_S - 0.1
    pages.heard("a")
    assert not pages.ready()
    clock.now += 0.2
    assert pages.ready()
    number = pages.sent()
    for _ in range(int(LOST_S) - 1):  # nor does it get more than one at a time before one has arrived
        clock.now += 1
        pages.heard("a")
        assert not pages.ready()
    pages.heard("a", drawn=number)
    assert pages.ready()
    pages.sent()
    assert pages.ready()


def test_no_number_of_names_takes_memory(pages: Pages) -> None:
    for number in range(10 * MAX_PAGES):
        pages.heard(str(number))
    for number in range(MAX_PAGES):
        pages.left(str(number))
    assert not pages
