"""Work that goes on in a thread of its own while its results are used."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterable
from typing import TypeVar

T = TypeVar("T")

POLL_S = 0.1
"""Seconds between looks whether the consumer has gone."""


class _End:
    """Last in the queue: the items are over, by `error` where there was one."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def ahead(items: Iterable[T], count: int) -> Generator[T]:
    """Yield `items`, which a thread works out up to `count` ahead.

    An error in that thread is raised here, after the items that came before it. When the consumer closes this
    iterator the thread is done with when this returns.
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
