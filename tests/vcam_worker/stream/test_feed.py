"""The inbox between a feed's thread and the camera's loop."""

from __future__ import annotations

import logging
import select
import threading
import time
from collections.abc import Callable
from itertools import pairwise

import pytest

from shared_utils.config.cameras import Camera
from tests.support.footage.video import noise_background
from tests.support.network.hosts import Call, Host, host, jpeg
from vcam_worker.stream.backoff import RETRY_FIRST_S
from vcam_worker.stream.feed import Feed
from vcam_worker.stream.inbox import MAX_ITEMS_PER_TURN, Connected, Finished, Inbox, Lost
from vcam_worker.stream.packets import Packet


def readable(inbox: Inbox[Feed]) -> bool:
    return bool(select.select([inbox], [], [], 0)[0])


def test_a_packet_waits_until_somebody_wakes_the_loop_and_none_is_left_behind() -> None:
    inbox: Inbox[Feed] = Inbox()
    one = Feed(Camera("cam1", "/x"), inbox, threading.Event(), logging.LoggerAdapter(logging.getLogger("test")))
    items = [Finished() for _ in range(MAX_ITEMS_PER_TURN + 5)]
    for item in items:
        inbox.put(one, item)
    assert not readable(inbox)
    inbox.wake()
    assert readable(inbox)
    taken = [item for _, item in inbox.take()]
    assert len(taken) == MAX_ITEMS_PER_TURN
    assert readable(inbox)  # the rest does not wait for a next packet
    taken += [item for _, item in inbox.take()]
    assert all(mine is theirs for mine, theirs in zip(taken, items, strict=True))
    assert not readable(inbox)
    assert list(inbox.take()) == []


PICTURE = jpeg(noise_background(160, 120))


Items = list[tuple[float, object]]
"""What a feed hands over, and when."""


def hangs_up(after: int, call: Call) -> None:
    """Be a camera that ends the connection after so many pictures."""
    call.request()
    call.answer("200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame")
    for _ in range(after):
        call.send(b"--frame\r\nContent-Type: image/jpeg\r\n\r\n", PICTURE, b"\r\n")
        time.sleep(0.05)


def watch(behave: Callable[[Call], None], until: Callable[[Host, Items], bool]) -> Items:
    """Run a feed over a host until that is so; return what it handed over, packets summed up as "pictures"."""
    stop = threading.Event()
    inbox: Inbox[Feed] = Inbox()
    items: Items = []
    with host(behave) as here:
        camera = Camera("cam1", f"http://{here.url}/video")
        Feed(camera, inbox, stop, logging.LoggerAdapter(logging.getLogger("test"))).start()
        deadline = time.monotonic() + 60
        while not until(here, items) and time.monotonic() < deadline:
            select.select([inbox], [], [], 0.1)
            items += [(time.monotonic(), item) for _, item in inbox.take()]
        stop.set()
    assert time.monotonic() < deadline
    return items


def test_a_camera_that_hangs_up_again_and_again_is_back_at_once_each_time() -> None:
    items = watch(
        lambda call: hangs_up(30, call),
        lambda _, items: sum(isinstance(item, Lost) for _, item in items) >= 4,
    )
    lost = [at for at, item in items if isinstance(item, Lost)]
    back = [at for at, item in items if isinstance(item, Connected)][1:]
    dark = [after - before for before, after in zip(lost, back, strict=False)]
    # each used to be twice as long as the one before
    assert len(dark) == 3
    assert max(dark) < RETRY_FIRST_S
    assert sum(isinstance(item, Packet) for _, item in items) >= 4 * 28


def test_a_camera_that_hangs_up_after_two_pictures_is_not_called_more_than_once_a_second() -> None:
    began: list[float] = []

    def behave(call: Call) -> None:
        began.append(time.monotonic())
        hangs_up(2, call)

    watch(behave, lambda here, _: here.calls >= 3)
    steps = [later - one for one, later in pairwise(began)]
    assert min(steps) >= 0.9 * RETRY_FIRST_S


@pytest.mark.parametrize("behave", [lambda call: None, lambda call: call.answer("200 OK") if call.request() else None])
def test_one_that_delivers_nothing_is_called_ever_more_rarely(behave: Callable[[Call], None]) -> None:
    items = watch(behave, lambda _, items: sum(isinstance(item, Lost) for _, item in items) >= 3)
    lost = [at for at, item in items if isinstance(item, Lost)]
    steps = [later - one for one, later in pairwise(lost)]
    assert steps[1] > 1.3 * RETRY_FIRST_S * 0.75
