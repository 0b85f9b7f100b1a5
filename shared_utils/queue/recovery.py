"""Queues the clips of a shared volume that have no result: after a restore, or when Redis has lost its data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rq import Queue

from shared_utils.contracts.clips import CLIP_SUFFIX, name_fault, printable_name
from shared_utils.contracts.detections_log import log_path, read_records
from shared_utils.queue.jobs import enqueue_new_clip, environment_queue, redis_errors, settings_of

SHOWN = 10
"""Most files that are named because they could not be queued."""


@dataclass(frozen=True)
class Recovered:
    """The outcome of :func:`queue_left`; as text, lines for people.

    Attributes:
        queued: how many were queued; those that had a job already are not among them.
        refused: one line for each of the others.
    """

    queued: int
    refused: tuple[str, ...] = ()

    def __str__(self) -> str:
        more = len(self.refused) - SHOWN
        lines = [f"{self.queued} clips queued", *self.refused[:SHOWN], *[f"… and {more} more files"] * (more > 0)]
        return "\n".join(lines)


def queue_left(video_dir: str | Path, queue: Queue | None = None) -> Recovered:
    """Queue each clip in `video_dir` that has no good line in the log, once however often this is called.

    A file that cannot be analysed because of its name does not affect the others.

    Raises:
        SettingError, QueueUnavailable: Redis does not take the password, or is not there.
    """
    folder = Path(video_dir)
    done = {record["filename"] for record in read_records(log_path(folder)) if record.get("ok") is True}
    left = sorted(path.name for path in folder.glob(f"[!.]*{CLIP_SUFFIX}") if path.name not in done)
    refused = tuple(f"{printable_name(name)}: its name {fault}" for name in left if (fault := name_fault(name)))
    queue = environment_queue() if queue is None else queue
    with redis_errors(settings_of(queue)):
        queued = sum(enqueue_new_clip(queue, name) for name in left if not name_fault(name))
    return Recovered(queued, refused)
