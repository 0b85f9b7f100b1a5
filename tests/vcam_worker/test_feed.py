"""The inbox between a feed's thread and the camera's loop."""

from __future__ import annotations

import logging
import select
import threading

from shared_utils.cameras import Camera
from vcam_worker import feed
from vcam_worker.feed import Feed, Finished, Inbox


def readable(inbox: Inbox) -> bool:
    return bool(select.select([inbox], [], [], 0)[0])


def test_a_packet_waits_until_somebody_wakes_the_loop_and_none_is_left_behind() -> None:
    inbox = Inbox()
    one = Feed(Camera("cam1", "/x"), inbox, threading.Event(), logging.LoggerAdapter(logging.getLogger("test")))
    items = [Finished() for _ in range(feed.HANDFUL + 5)]
    for item in items:
        inbox.put(one, item)
    assert not readable(inbox)
    inbox.wake()
    assert readable(inbox)
    taken = [item for _, item in inbox.take()]
    assert len(taken) == feed.HANDFUL
    assert readable(inbox)  # the rest does not wait for a next packet
    taken += [item for _, item in inbox.take()]
    assert all(mine is theirs for mine, theirs in zip(taken, items, strict=True))
    assert not readable(inbox)
    assert list(inbox.take()) == []
