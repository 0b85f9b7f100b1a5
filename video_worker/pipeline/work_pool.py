"""A few threads for slow work of steps, such as reading text, which all cameras of a program share."""

from __future__ import annotations

import atexit
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import TypeVar

from shared_utils.closing import Closing

CLOSE_S = 5.0
"""Longest wait for work that is going on when the pool is closed."""

Result = TypeVar("Result")
_Work = Callable[[], None]


class WorkPool(Closing):
    """Does work in threads, in the order in which it is given.

    When the program ends, what is going on is waited for, but not for ever, as
    :class:`concurrent.futures.ThreadPoolExecutor` does: what hangs delays no program's end. Not to wait at all would
    end in an abort: an interpreter that goes away takes its threads out of C++ code by force.

    Args:
        threads: how many; they are started with the first piece of work.
        name: of the threads.
    """

    def __init__(self, threads: int, name: str = "zones") -> None:
        self._threads = threads
        self._name = name
        self._work: SimpleQueue[_Work | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._started: list[threading.Thread] = []
        self._is_closed = False

    def submit(self, work: Callable[[], Result]) -> Future[Result]:
        """Do `work` in a thread; return what it will give. A future that is cancelled before its turn is left out."""
        future: Future[Result] = Future()

        def run() -> None:
            if self._is_closed:
                future.cancel()
            if not future.set_running_or_notify_cancel():
                return
            try:
                found = work()
            except BaseException as error:  # noqa: BLE001
                # the outermost call of this piece of work: whoever asks for its result gets the error
                future.set_exception(error)
            else:
                future.set_result(found)

        with self._lock:
            if not self._started:
                atexit.register(self.close)
            if len(self._started) < self._threads:
                name = f"{self._name}-{len(self._started) + 1}"
                thread = threading.Thread(target=self._serve, name=name, daemon=True)
                self._started.append(thread)
                thread.start()
        self._work.put(run)
        return future

    def close(self) -> None:
        """Leave out what has not begun, and wait for what has, for up to :data:`CLOSE_S` seconds."""
        with self._lock:
            self._is_closed = True
            threads, self._started = self._started, []
        atexit.unregister(self.close)
        for _ in threads:
            self._work.put(None)
        until_s = time.monotonic() + CLOSE_S
        for thread in threads:
            thread.join(max(0.0, until_s - time.monotonic()))

    def _serve(self) -> None:
        while (work := self._work.get()) is not None:
            work()


def done_at_once(work: Callable[[], Result]) -> Future[Result]:
    """Do `work` in this thread; return what it gave, or raised, as a future."""
    future: Future[Result] = Future()
    try:
        future.set_result(work())
    except Exception as error:  # noqa: BLE001
        # as in a pool's thread
        future.set_exception(error)
    return future
