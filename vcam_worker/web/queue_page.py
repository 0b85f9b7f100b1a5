"""Describes the queue and its workers for the page and ``/info``. Pure; times are seconds since the epoch."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from shared_utils.queue.figures import QueueFigures, WorkerFigures, describe_backlog
from vcam_worker.runtime.queue_watch import QueueState

MAX_WORKER_LINES = 12
"""Workers with a line of their own."""


def backlog(state: QueueState | None) -> str:
    """Return a short warning about the backlog; empty where there is no reason for one."""
    if state is None or state.figures is None:
        return ""
    figures = state.figures
    if figures.waiting and not figures.workers:
        return "no worker is running"
    return f"{figures.new:,} clips wait" if state.growing else ""


def queue_lines(state: QueueState | None, now: float) -> list[str]:
    """Return one line for the queue, and one per worker."""
    if state is None:
        return ["the queue is not known yet"]
    if state.figures is None:
        return ["Redis does not answer: nothing is known of the queue"]
    figures = state.figures
    parts = [describe_backlog(figures), f"{figures.running:,} in work"]
    if figures.to_retry:
        parts.append(f"{figures.to_retry:,} tried again soon")
    parts.append(f"{figures.failed:,} failed")
    if figures.new_job_s is not None:
        parts.append(f"{figures.new_job_s:.1f} s per new clip")
    unlisted = len(figures.workers) - MAX_WORKER_LINES
    more = [f"… and {unlisted} more workers"] if unlisted > 0 else []
    return [" · ".join(parts), *(_worker(one, now) for one in figures.workers[:MAX_WORKER_LINES]), *more]


def _worker(worker: WorkerFigures, now: float) -> str:
    parts = [
        f"worker {worker.name}",
        "busy" if worker.job_id else "waits",
        f"{worker.done:,} done, {worker.failed:,} failed",
    ]
    if worker.job_s is not None:
        parts.append(f"{worker.job_s:.1f} s per job")
    parts.append(f"seen {max(0.0, now - worker.seen):.0f} s ago")
    return " · ".join(parts)


def queue_info(state: QueueState) -> dict[str, Any]:
    """Return the queue for ``/info``."""
    looked_at = datetime.fromtimestamp(state.looked_at).astimezone().isoformat(timespec="seconds")
    head = {"up": state.figures is not None, "growing": state.growing, "looked_at": looked_at}
    return head | (_figures(state.figures) if state.figures else {})


def _figures(figures: QueueFigures) -> dict[str, Any]:
    backlog_s = {"backlog_s": figures.backlog_s, "new_backlog_s": figures.new_backlog_s}
    return asdict(figures) | backlog_s
