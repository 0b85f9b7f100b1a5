"""Log and boxes of a sample volume: the worker's job, at the time that each clip was finished."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from devtools.paths import SCENE_MODEL
from devtools.sample_volume.plan import CAMERAS, RULES, Plan
from shared_utils.contracts.clips import ClipName
from shared_utils.contracts.detections_log import append_record, log_path
from shared_utils.contracts.job_options import Options
from shared_utils.errors import ClipError
from shared_utils.queue.jobs import clip_job_id
from video_worker.engines.base import EngineChoice
from video_worker.jobs import JobFacts, WorkerContext, process_clip, write_failure
from video_worker.models.registry import ModelRegistry
from video_worker.pipeline.analysis import Analyst
from video_worker.pipeline.clip_zones import ClipZones
from video_worker.pipeline.cores import share_of_cores
from video_worker.pipeline.run_names import RunNames, make_run_id

OTHER_CONF = 0.25
AGAIN_EVERY = 4
"""So many clips for each that is analysed once more, with that threshold, at the end."""


class _Clock:
    """The time of day; some of it passes between two readings."""

    TICK = timedelta(seconds=1.1)

    def __init__(self) -> None:
        self.moment = datetime.now().astimezone()

    def __call__(self) -> datetime:
        now, self.moment = self.moment, self.moment + self.TICK
        return now


@dataclass(frozen=True)
class _Job:
    """A job that was queued at `at`."""

    at: datetime
    filename: str
    job_id: str
    options: dict[str, float]


def analyse(folder: Path, plan: Plan, clips: Sequence[ClipName]) -> None:
    jobs = [_first_job(clip) for clip in clips]
    for number, clip in enumerate(clips[::-AGAIN_EVERY]):
        at = plan.end - timedelta(minutes=10) + timedelta(seconds=2 * number)
        job_id = f"run-{Path(str(clip)).stem}-{make_run_id(at, str(clip))[-8:]}"
        jobs.append(_Job(at, str(clip), job_id, {"conf": OTHER_CONF}))
    jobs.append(_first_job(_break_one(folder, clips)))
    _append_old_line(folder, plan)

    clock, threads = _Clock(), share_of_cores(1)
    store = ModelRegistry((SCENE_MODEL.parent,), EngineChoice(threads=threads), SCENE_MODEL)
    analyst = Analyst(store, threads, clock, zones=ClipZones(folder))
    context = WorkerContext(folder, Options(model=SCENE_MODEL.name), analyst, clock)
    for job in sorted(jobs, key=lambda job: job.at):
        clock.moment = job.at + timedelta(milliseconds=120)
        facts = JobFacts(job.job_id, job.at, job.at, lambda *_: None, lambda: False)
        try:
            process_clip(context, facts, filename=job.filename, options=job.options)
        except ClipError as error:
            names = RunNames(job.filename, make_run_id(job.at, job.job_id), job.job_id)
            write_failure(context, names, str(error))


def _first_job(clip: ClipName) -> _Job:
    """Return the job that capture queued when the clip was finished."""
    at = (clip.started_at + timedelta(seconds=RULES.clip_seconds + 0.8)).astimezone()
    return _Job(at, str(clip), clip_job_id(str(clip)), {})


def _break_one(folder: Path, clips: Sequence[ClipName]) -> ClipName:
    """Leave a clip as a power cut in the days before hybrid MP4 would have: its beginning, without an index."""
    whole = clips[len(clips) // 2]
    broken = whole.later(90)
    # the index stands in front, and is longer than this
    (folder / str(broken)).write_bytes((folder / str(whole)).read_bytes()[:400])
    return broken


def _append_old_line(folder: Path, plan: Plan) -> None:
    started_at = (plan.start + timedelta(minutes=30)).astimezone()
    line = {
        "ok": True,
        "filename": str(ClipName(started_at.replace(tzinfo=None, microsecond=0), next(iter(CAMERAS)))),
        "detected": ["person", "car"],
        "count": 2,
        "timestamp": (started_at + timedelta(seconds=47)).isoformat(),
    }
    append_record(log_path(folder), line)
