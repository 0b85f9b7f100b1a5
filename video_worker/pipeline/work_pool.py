"""A few threads for slow work of steps, such as reading text, which all cameras of a program share."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import TypeVar

from shared_utils.closing import Closing

Result = TypeVar("Result")
_Work = Callable[[], None]


class WorkPool(Closing):
    """Does work in threads, in the order in which it is given.

    :class:`concurrent.futures.ThreadPoolExecutor` waits for its threads when the interpreter ends; what hangs in one of
    these delays no program's end.

    Args:
        threads: how many; they are started with the first piece of work.
        name: of the threads.
    """

    def __init__(self, threads: int, name: str = "zones") -> None:
        self._threads = threads
        self._name = name
        self._work: SimpleQueue[_Work | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._started = 0

    def submit(self, work: Callable[[], Result]) -> Future[Result]:
        """Do `work` in a thread; return what it will give. A future that is cancelled before its turn is left out."""
        future: Future[Result] = Future()

        def run() -> None:
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
            if self._started < self._threads:
                self._started += 1
                name = f"{self._name}-{self._started}"
                threading.Thread(target=self._serve, name=name, daemon=True).start()
        self._work.put(run)
        return future

    def close(self) -> None:
        """End the threads when they have done what waits; they are not waited for."""
        with self._lock:
            for _ in range(self._started):
                self._work.put(None)

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
