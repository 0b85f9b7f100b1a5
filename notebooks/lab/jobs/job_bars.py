"""Follows jobs with progress bars, in a terminal and in a notebook."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from rq import Queue
from tqdm.auto import tqdm

from shared_utils.errors import QueueUnavailable
from shared_utils.queue.connection import SERIALIZER
from shared_utils.queue.job_states import JobState
from shared_utils.queue.jobs import states, workers
from shared_utils.queue.rq_adapter.jobs import Job

BARS_EACH = 4
"""Jobs up to which each has a bar of its own; more share one."""
POLL_S = 0.5
"""Seconds between two polls: the worker notes its progress as often."""
WORKERS_EVERY_S = 5.0
"""Seconds between two checks whether there is a worker, while nothing moves."""
NO_WORKER = "no worker is running: docker compose ps video-worker"


def watch(jobs: Job | Iterable[Job]) -> list[JobState]:
    """Follow jobs with a live progress bar until they have ended; return what became of each, in their order.

    Up to four jobs have a bar each, more share one. Ctrl-C, or the notebook's stop button, ends the watching and not
    the jobs. Redis may go away and come back meanwhile. The states make a frame: ``pandas.DataFrame(watch(jobs))``.

    Raises:
        SettingError: Redis does not take the password.
    """
    given = [jobs] if isinstance(jobs, Job) else list(jobs)
    if not given:
        return []
    queue = Queue(given[0].origin, connection=given[0].connection, serializer=SERIALIZER)
    known: dict[str, JobState] = {}

    def poll() -> list[JobState]:
        pending = [job.id for job in given if job.id not in known or not known[job.id].final]
        known.update((state.job_id, state) for state in states(pending, queue=queue))
        return [known[job.id] for job in given]

    return follow(poll, lambda: bool(workers(queue=queue)))


def follow(poll: Callable[[], list[JobState]], has_worker: Callable[[], bool]) -> list[JobState]:
    """Draw the jobs' progress until all have ended, and return their states, in the order of `poll`.

    An interrupt (Ctrl-C, the notebook's stop button) ends the watching; the jobs go on.

    Args:
        poll: returns all jobs as they are now.
        has_worker: returns whether a worker serves them.
    """
    watch = _Watch(poll, has_worker)
    try:
        watch.run()
    except KeyboardInterrupt:
        left = sum(not state.final for state in watch.states)
        watch.print_line(f"no longer watched; {left} of {len(watch.states)} jobs go on, watch() shows them again")
    finally:
        watch.close()
    return watch.states


class _Watch:
    def __init__(self, poll: Callable[[], list[JobState]], has_worker: Callable[[], bool]) -> None:
        self.states: list[JobState] = []
        self._poll = poll
        self._has_worker = has_worker
        self._bars: _EachBar | _OneBar | None = None
        self._reported: set[str] = set()
        self._away = False
        self._asked = 0.0
        self._idle_reported = False

    def run(self) -> None:
        while True:
            try:
                self.states = self._poll()
                self._warn_without_worker()
            except QueueUnavailable as error:
                if not self._away:
                    self.print_line(f"{error}; the jobs are safe there, watching goes on when it is back")
                self._away = True
            else:
                if self._away:
                    self.print_line("Redis is back")
                self._away = False
                self._draw()
                if all(state.final for state in self.states):
                    return
            time.sleep(POLL_S)

    def print_line(self, text: str) -> None:
        tqdm.write(text)

    def close(self) -> None:
        if self._bars is not None:
            self._bars.close()

    def _draw(self) -> None:
        if self._bars is None:
            self._bars = _EachBar(self.states) if len(self.states) <= BARS_EACH else _OneBar(self.states)
        self._bars.draw(self.states)
        for state in self.states:
            if state.error and state.final and state.job_id not in self._reported:
                self._reported.add(state.job_id)
                self.print_line(f"{state.filename or state.job_id} {state.state}: {state.error}")

    def _warn_without_worker(self) -> None:
        if all(state.final for state in self.states) or any(state.state == "running" for state in self.states):
            self._idle_reported = False
            return
        if time.monotonic() < self._asked + WORKERS_EVERY_S:
            return
        self._asked = time.monotonic()
        if self._has_worker():
            self._idle_reported = False
        elif not self._idle_reported:
            self._idle_reported = True
            self.print_line(NO_WORKER)


class _EachBar:
    """A bar of frames per job."""

    def __init__(self, states: Sequence[JobState]) -> None:
        self._bars: list[Any] = [
            tqdm(total=1, desc=state.filename or state.job_id, unit=" frames", leave=True) for state in states
        ]

    def draw(self, states: Sequence[JobState]) -> None:
        for bar, state in zip(self._bars, states, strict=True):
            if bar.disable:
                continue
            if state.frames_total:
                bar.total = state.frames_total
            bar.n = state.frames_done or 0
            if state.state == "done":
                bar.n = bar.total
            found = ", ".join(state.detected) or "nothing found"
            bar.set_postfix_str(found if state.state == "done" else state.state, refresh=False)
            bar.refresh()
            if state.final:
                bar.close()

    def close(self) -> None:
        for bar in self._bars:
            bar.close()


class _OneBar:
    """One bar of clips."""

    def __init__(self, states: Sequence[JobState]) -> None:
        self._bar: Any = tqdm(total=len(states), unit="clip", leave=True)

    def draw(self, states: Sequence[JobState]) -> None:
        counts = Counter(state.state for state in states)
        self._bar.n = sum(state.final for state in states)
        parts = [f"{counts[name]} {name}" for name in ("running", "queued", "failed", "lost") if counts[name]]
        self._bar.set_postfix_str(", ".join(parts), refresh=False)
        self._bar.refresh()

    def close(self) -> None:
        self._bar.close()
