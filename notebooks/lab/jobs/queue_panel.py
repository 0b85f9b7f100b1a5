"""The panel of RedisConnectionTest: jobs, workers, failures with their reasons, and a button that queues them again."""

from __future__ import annotations

import html
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime

import ipywidgets as widgets
import pandas as pd
from pandas.io.formats.style import Styler
from rq import Queue

from notebooks.lab.jobs.checks import Check, attempt
from notebooks.lab.jobs.places import Places
from shared_utils.errors import JobRefused, VcamError
from shared_utils.queue.job_states import JobState
from shared_utils.queue.jobs import counts, failed_jobs, redis_errors, requeue, workers

__all__ = ["FailedJobs", "attempt", "depth", "ping", "reasons", "styled", "who_works"]

MOST_LISTED = 100
"""Failed jobs in the list: the last ones. "All" means all of them."""


def ping(places: Places) -> Check:
    """Return whether Redis answers, and how fast; else why not and what to do."""
    began = datetime.now()
    try:
        with redis_errors(places.redis):
            connection = places.queue().connection
            version = connection.info("server")["redis_version"]
            connection.ping()
    except VcamError as error:
        return Check("Redis", False, str(error), "docker compose ps redis; docker compose logs redis")
    took = (datetime.now() - began).total_seconds() * 1000
    return Check("Redis", True, f"Redis {version} at {places.redis.address} answers within {took:.0f} ms")


def depth(queue: Queue) -> pd.DataFrame:
    """Return how many jobs do what, one row each."""
    now = counts(queue=queue)
    meaning = {
        "queued": "wait for a worker",
        "running": "are being analysed",
        "to_retry": "failed, and are tried again soon",
        "failed": "failed for good",
        "done": "are done (of the last 7 days)",
    }
    rows = [{"state": name, "jobs": count, "that": meaning[name]} for name, count in asdict(now).items()]
    return pd.DataFrame(rows)


def who_works(queue: Queue) -> pd.DataFrame:
    """Return the workers, one row each, with what they do now; none where no worker runs."""
    rows = []
    for one in workers(queue=queue):
        does = "waits"
        if one.job:
            done, total = one.job.frames_done, one.job.frames_total
            frames = f", {done} of {total} frames" if total else ""
            does = f"analyses {one.job.filename}{frames}"
        rows.append(
            {
                "worker": one.name,
                "does": does,
                "done": one.done,
                "failed": one.failed,
                "seen": f"{one.seen_s:.0f} s ago",
            }
        )
    return pd.DataFrame(rows, columns=["worker", "does", "done", "failed", "seen"])


def styled(table: pd.DataFrame | str) -> Styler | str:
    """Return a table with its texts in full; a text, which says why there is no table, as it is."""
    if isinstance(table, str):
        return table
    return (
        table.style.format(escape="html")
        .hide(axis="index")
        .set_table_styles([{"selector": "th, td", "props": "text-align: left; padding-right: 14px"}])
    )


shown = styled
"""Its name in earlier versions, which people's copies of RedisConnectionTest may call."""


class FailedJobs:
    """The failed jobs with their reasons, and buttons that queue them once more.

    Args:
        queue: see :func:`shared_utils.queue.jobs.clip_queue`.

    Attributes:
        jobs: those in the list, the last failed first.
        choice: the list; its value is the ids that are chosen.
        again, again_all, refresh: the buttons.
        box: all of it, to be displayed.
    """

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self.jobs: list[JobState] = []
        self.choice = widgets.SelectMultiple(
            layout=widgets.Layout(width="100%", height="160px"),
            description="failed",
            style={"description_width": "50px"},
        )
        self.again = widgets.Button(description="Queue chosen again", icon="repeat", button_style="primary")
        self.again_all = widgets.Button(description="Queue all again")
        self.refresh = widgets.Button(description="Refresh", icon="refresh")
        for button in (self.again, self.again_all, self.refresh):
            button.layout.width = "auto"
        self._message = widgets.HTML()
        self.again.on_click(lambda _: self._act(lambda: self._requeue(list(self.choice.value))))
        self.again_all.on_click(lambda _: self._act(lambda: self._requeue([job.job_id for job in self._all()])))
        self.refresh.on_click(lambda _: self._act(lambda: ""))
        buttons = widgets.HBox([self.again, self.again_all, self.refresh])
        self.box = widgets.VBox([self.choice, buttons, self._message])
        self._act(lambda: "")

    @property
    def outcome(self) -> str:
        """What the last click came to."""
        return str(html.unescape(self._message.value))

    def _all(self) -> list[JobState]:
        return failed_jobs(queue=self._queue, limit=0)

    def _requeue(self, job_ids: list[str]) -> str:
        if not job_ids:
            return "choose some of the list first" if self.jobs else "nothing has failed"
        refused: list[str] = []
        for job_id in job_ids:
            try:
                requeue(job_id, queue=self._queue)
            except JobRefused as error:
                refused.append(str(error))
        text = f"{len(job_ids) - len(refused)} jobs queued again"
        return "; ".join([text, *refused[:3]])

    def _act(self, action: Callable[[], str]) -> None:
        """Do what a button says, then show what is there now."""
        try:
            text = action()
            self.jobs = failed_jobs(queue=self._queue, limit=MOST_LISTED)
        except VcamError as error:
            text = str(error)
        self._message.value = html.escape(
            text or f"{len(self.jobs)} failed jobs" * bool(self.jobs) or "nothing has failed"
        )
        self.choice.options = [(_title(job), job.job_id) for job in self.jobs]
        self.choice.value = ()
        self.again.disabled = self.again_all.disabled = not self.jobs


def _title(job: JobState) -> str:
    when = f"{job.ended_at:%Y-%m-%d %H:%M}  " if job.ended_at else ""
    return f"{when}{job.filename}: {job.error}"


def reasons(jobs: list[JobState]) -> pd.DataFrame:
    """Return failed jobs as a table: when, which file, why."""
    when = "%Y-%m-%d %H:%M:%S"
    rows = [
        {"failed at": job.ended_at and f"{job.ended_at:{when}}", "filename": job.filename, "reason": job.error}
        for job in jobs
    ]
    return pd.DataFrame(rows, columns=["failed at", "filename", "reason"])
