"""Prefetching: an iterable is consumed in a thread while its items are used."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterable
from typing import TypeVar

T = TypeVar("T")

POLL_S = 0.1
"""Seconds between checks whether the consumer has gone."""


class _End:
    """Last in the queue: there are no more items, because of `error` where there was one."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def prefetch(items: Iterable[T], count: int) -> Generator[T]:
    """Yield `items`, of which a thread produces up to `count` in advance.

    An error in that thread is raised here, after the items that came before it. Closing this generator ends the
    thread.
    """
    ready: queue.Queue[T | _End] = queue.Queue(maxsize=count)
    gone = threading.Event()

    def put(item: T | _End) -> bool:
        while not gone.is_set():
            try:
                ready.put(item, timeout=POLL_S)
            except queue.Full:
                continue
            return True
        return False

    def work() -> None:
        error: BaseException | None = None
        try:
            for item in items:
                if not put(item):
                    return
        except BaseException as caught:  # noqa: BLE001  # handed over, raised by the consumer
            error = caught
        put(_End(error))

    thread = threading.Thread(target=work, name="decode", daemon=True)
    thread.start()
    try:
        while True:
            item = ready.get()
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            yield item
    finally:
        gone.set()
        thread.join()
