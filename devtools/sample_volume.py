"""A video folder as after a week of the demo: ``python -m devtools.sample_volume DIR``.

For notebooks, tests and screenshots. Everything in it is made by the code that makes the real thing: the drawn street
is filmed, capture's recorder cuts the clips, and the worker's job analyses them with the scene's own model. Only the
time of day is put on: clips are dated over the last days, as busy as a street is by the hour. The same seed and end
give the same folder, but for the seconds that the analysis took.

In it: clips of two cameras, ``detections_log.jsonl`` (some clips analysed twice, with another threshold; one that
is broken; one line of old, with five keys, whose clip is gone), boxes files, and ``cameras_log.jsonl`` with a power
cut of both cameras and a time in which one was away. Some clips have labels, for precision and recall: what the scene
drew in each analysed frame, and the files say that it was the scene, not a person.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from camera_emulator.h264 import default_bitrate
from camera_emulator.scene import Scene
from devtools.paths import SCENE_MODEL
from notebooks.lab.review.label_files import Label, LabelFile, write
from shared_utils.cli import run_program
from shared_utils.config.cameras import Camera, MotionSettings
from shared_utils.contracts.camera_log import ALIVE_SECONDS, CAMERA_LOG_NAME
from shared_utils.contracts.clips import BOXES_FOLDER, LOG_NAME, ClipName
from shared_utils.contracts.detections_log import append_record
from shared_utils.contracts.job_options import Options
from shared_utils.errors import EXIT_OK, ClipError, SettingError, SourceEnded
from shared_utils.log import camera_logger
from shared_utils.queue.jobs import clip_job_id
from vcam_worker.recording.events import ClipRules
from vcam_worker.recording.recorder import ClipWriter
from vcam_worker.recording.stream_recorder import StreamRecorder
from vcam_worker.stream.opening import connect
from vcam_worker.stream.packets import Packet
from vcam_worker.stream.source import Connection, StreamInfo
from video_worker.engines.base import EngineChoice
from video_worker.jobs import JobFacts, Workplace, process_clip, write_failure
from video_worker.models.registry import ModelRegistry
from video_worker.pipeline.analysis import Analyst
from video_worker.pipeline.cores import share_of_cores
from video_worker.pipeline.run_names import RunNames, make_run_id

CAMERAS = {"street": 0.6, "yard": 0.4}
"""Share of the clips that each camera has."""
SIZE, FPS = (640, 360), 10.0
RULES = ClipRules(clip_seconds=10.0, pre_roll_seconds=3.0)
QUIET_END_S = 1.0
"""Of a film after its visit; it begins with the quiet before."""
SLOT = timedelta(minutes=3)
"""At most one clip of a camera begins in each."""

# how busy the street is by the hour, from midnight on
WORKDAY = (1, 1, 0, 0, 0, 1, 4, 10, 14, 8, 5, 5, 7, 6, 5, 6, 9, 15, 12, 8, 5, 4, 3, 2)
WEEKEND = (3, 2, 1, 1, 0, 0, 1, 2, 4, 7, 10, 11, 10, 9, 10, 10, 9, 8, 7, 6, 5, 5, 4, 4)

POWER_CUT = (0.20, 0.235)
"""Part of the whole time in which no camera left a sign of life."""
AWAY = {"yard": (0.42, 0.56)}
"""Part in which this camera was away, and capture knew it."""

OTHER_CONF = 0.25
AGAIN_EVERY = 4
"""So many clips for each that is analysed once more, with that threshold, at the end."""
DRAWN = "drawn scene"
"""Where the labels come from, in their files."""
LABELLED = 7
"""Clips with labels, of those of a week."""


@dataclass(frozen=True)
class Plan:
    """What the folder is to hold.

    Attributes:
        end: local time of its end, with the zone.
        days: it reaches back.
        clips: about so many.
        seed: of streets, visits and times.
        labelled: clips that have labels, at most.
    """

    end: datetime
    days: float
    clips: int
    seed: int
    labelled: int = 0

    @property
    def start(self) -> datetime:
        return self.end - timedelta(days=self.days)

    def at(self, share: float) -> datetime:
        """Return the moment at this share of the whole time."""
        return (self.start + timedelta(days=self.days) * share).astimezone()

    def gaps(self, camera: str) -> list[tuple[datetime, datetime]]:
        """Return when `camera` was not being watched."""
        parts = [POWER_CUT] + ([AWAY[camera]] if camera in AWAY else [])
        return [(self.at(begin), self.at(end)) for begin, end in parts]


def make_volume(folder: Path, plan: Plan, say: Callable[[str], None] = lambda _: None) -> None:
    """Fill the empty `folder`."""
    moments = [(camera, number, moment) for camera in CAMERAS for number, moment in enumerate(_moments(plan, camera))]
    with tempfile.TemporaryDirectory() as films, ThreadPoolExecutor(share_of_cores(1)) as pool:
        tasks = [
            pool.submit(_film, folder, Path(films) / f"{camera}-{number}.mp4", plan, camera, number, moment)
            for camera, number, moment in moments
        ]
        found = [clip for task in tasks if (clip := task.result())]
    found.sort(key=lambda clip: str(clip.name))
    clips = [clip.name for clip in found]
    say(f"{len(clips)} clips recorded")
    _write_camera_log(folder / CAMERA_LOG_NAME, plan)
    _analyse(folder, plan, clips)
    for clip in _spread(found, plan.labelled):
        write(folder, _labels(folder, plan, clip))


# -- when


def _moments(plan: Plan, camera: str) -> list[datetime]:
    """Return when the clips of `camera` begin, in order."""
    rng = np.random.default_rng([plan.seed, 1, list(CAMERAS).index(camera)])
    count = int(timedelta(days=plan.days) / SLOT)
    starts = [(plan.start + number * SLOT).astimezone() for number in range(count - 1)]
    gaps = plan.gaps(camera)
    weights = np.array([_busy(moment) * (not _within(moment, gaps)) for moment in starts], float)
    wanted = min(max(1, round(plan.clips * CAMERAS[camera])), int(np.count_nonzero(weights)))
    chosen = sorted(rng.choice(len(starts), wanted, replace=False, p=weights / weights.sum()))
    return [starts[number] + timedelta(seconds=round(float(rng.uniform(5, 100)), 3)) for number in chosen]


def _busy(moment: datetime) -> float:
    return (WEEKEND if moment.weekday() >= 5 else WORKDAY)[moment.hour]


def _within(moment: datetime, gaps: Sequence[tuple[datetime, datetime]]) -> bool:
    return any(begin - SLOT <= moment < end + SLOT for begin, end in gaps)


# -- clips


@dataclass(frozen=True)
class _Recorded:
    """A clip in the folder.

    Attributes:
        name: its name.
        begin_s: of its first frame, in the scene's time.
    """

    name: ClipName
    begin_s: float


def _scene(plan: Plan, camera: str) -> Scene:
    return Scene(plan.seed * len(CAMERAS) + list(CAMERAS).index(camera), SIZE, FPS)


def _film(folder: Path, draft: Path, plan: Plan, camera: str, number: int, moment: datetime) -> _Recorded | None:
    """Film the visit of this number in front of `camera`; return its clip in `folder`, dated `moment`.

    None where capture saw nothing in it.
    """
    scene = _scene(plan, camera)
    begin = scene.visit(number - 1).end_s if number else 0.0
    _draw(draft, scene, begin, scene.visit(number).end_s + QUIET_END_S)
    clip = _record(draft, camera, moment)
    draft.unlink()
    if clip is None:
        return None
    path, start = clip
    name = ClipName(moment.replace(tzinfo=None, microsecond=0), camera)
    shutil.move(path, folder / str(name))
    return _Recorded(name, begin + start)


def _draw(path: Path, scene: Scene, begin: float, end: float) -> None:
    rate = Fraction(FPS).limit_denominator(1001)
    # as the emulated camera codes: a keyframe a second, no B-frames; one thread, as films are drawn side by side
    options = {"preset": "superfast", "x264-params": f"threads=1:keyint={round(FPS)}:scenecut=0:bframes=0"}
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=rate, options=options)
        stream.width, stream.height = SIZE
        stream.pix_fmt = "yuv420p"
        stream.bit_rate = default_bitrate(SIZE, FPS)
        for number in range(math.ceil((end - begin) * FPS)):
            frame = av.VideoFrame.from_ndarray(scene.frame(begin + number / FPS), format="bgr24")
            frame.pts, frame.time_base = number, 1 / rate
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))


def _record(film: Path, camera: str, moment: datetime) -> tuple[Path, float] | None:
    """Record `film` by capture's own recorder; return the first clip, dated `moment`, and its begin in the film."""
    clips: list[Path] = []
    starts: list[float] = []

    def open_clip(info: StreamInfo, start: float, _: datetime) -> ClipWriter:
        starts.append(start)
        return ClipWriter(film.with_suffix(f".{start:.3f}.mp4"), info, start, moment)

    log = camera_logger("devtools.sample_volume", camera)
    with connect(Camera(camera, str(film), setting="FILM"), "file", paced=False) as connection:
        recorder = StreamRecorder(
            connection.info,
            MotionSettings(),
            RULES,
            live=False,
            open_clip=open_clip,
            on_clip=lambda clip: clips.append(clip.path),
            log=log,
        )
        for packet in _packets(connection):
            recorder.feed(packet)
            # where motion goes on there is a second clip, which would have to be dated right after this one
            if clips:
                break
        recorder.close()
    return (clips[0], starts[0]) if clips else None


def _packets(connection: Connection) -> Iterator[Packet]:
    try:
        yield from connection.packets()
    except SourceEnded:
        return


# -- what the workers made of them


class _Clock:
    """The time of day; some of it passes between two looks."""

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


def _analyse(folder: Path, plan: Plan, clips: Sequence[ClipName]) -> None:
    jobs = [_first_job(clip) for clip in clips]
    for number, clip in enumerate(clips[::-AGAIN_EVERY]):
        at = plan.end - timedelta(minutes=10) + timedelta(seconds=2 * number)
        job_id = f"run-{Path(str(clip)).stem}-{make_run_id(at, str(clip))[-8:]}"
        jobs.append(_Job(at, str(clip), job_id, {"conf": OTHER_CONF}))
    jobs.append(_first_job(_break_one(folder, clips)))
    _append_old_line(folder, plan)

    clock, threads = _Clock(), share_of_cores(1)
    store = ModelRegistry((SCENE_MODEL.parent,), EngineChoice(threads=threads), SCENE_MODEL)
    workplace = Workplace(folder, Options(model=SCENE_MODEL.name), Analyst(store, threads, clock), clock)
    for job in sorted(jobs, key=lambda job: job.at):
        clock.moment = job.at + timedelta(milliseconds=120)
        facts = JobFacts(job.job_id, job.at, job.at, lambda *_: None, lambda: False)
        try:
            process_clip(workplace, facts, filename=job.filename, options=job.options)
        except ClipError as error:
            names = RunNames(job.filename, make_run_id(job.at, job.job_id), job.job_id)
            write_failure(workplace, names, str(error))


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
    append_record(folder / LOG_NAME, line)


# -- labels


def _spread(clips: Sequence[_Recorded], count: int) -> list[_Recorded]:
    """Return about as many of `clips`, from all of the time."""
    return [clips[number * len(clips) // count] for number in range(count)] if count < len(clips) else list(clips)


def _labels(folder: Path, plan: Plan, clip: _Recorded) -> LabelFile:
    """Return what the scene drew in each frame of `clip` that was analysed."""
    scene = _scene(plan, clip.name.camera)
    labels: list[Label] = []
    frames: set[int] = set()
    for path in (folder / BOXES_FOLDER).glob(f"{Path(str(clip.name)).stem}.*.jsonl"):
        frames |= {json.loads(line)["frame"] for line in path.read_text(encoding="utf-8").splitlines()}
    for frame in sorted(frames):
        t = frame / FPS
        labels += [Label(t, frame, seen.label, seen.xyxy, "missed") for seen in scene.truth(clip.begin_s + t)]
    return LabelFile(str(clip.name), frozenset(frames), tuple(labels), complete=True, by=DRAWN)


def _write_camera_log(path: Path, plan: Plan) -> None:
    lines: list[dict[str, str]] = []
    for camera in CAMERAS:
        cut, *away = plan.gaps(camera)
        since = plan.start
        for begin, end in (cut, *away, (plan.end, plan.end)):
            lines += _watched(camera, since, begin)
            if (begin, end) in away:
                lines.append(_event(camera, "down", begin) | {"reason": "no connection"})
            since = end
    lines.sort(key=lambda line: datetime.fromisoformat(line["at"]))
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")


def _watched(camera: str, start: datetime, end: datetime) -> Iterator[dict[str, str]]:
    yield _event(camera, "up", start)
    for number in range(1, math.floor((end - start).total_seconds() / ALIVE_SECONDS) + 1):
        yield _event(camera, "alive", start + timedelta(seconds=number * ALIVE_SECONDS))


def _event(camera: str, event: str, at: datetime) -> dict[str, str]:
    return {"camera": camera, "event": event, "at": at.astimezone().isoformat(timespec="milliseconds")}


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m devtools.sample_volume", description="Make a video folder as after a week of the demo."
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="where to make it: a new or empty folder")
    parser.add_argument("--days", type=float, help="how far back it reaches (7)")
    parser.add_argument("--clips", type=int, help="about how many clips (24)")
    parser.add_argument("--seed", type=int, default=1, help="another street, other visits (%(default)s)")
    parser.add_argument("--end", type=datetime.fromisoformat, metavar="TIME", help="2026-02-23T18:00 (now)")
    parser.add_argument("--labelled", type=int, help=f"clips that have labels, at most ({LABELLED})")
    parser.add_argument("--small", action="store_true", help="3 days, 6 clips, 2 of them with labels: for tests")
    arguments = parser.parse_args()
    days, clips, labelled = (3.0, 6, 2) if arguments.small else (7.0, 24, LABELLED)
    days = days if arguments.days is None else arguments.days
    clips = clips if arguments.clips is None else arguments.clips
    labelled = labelled if arguments.labelled is None else arguments.labelled
    if not 0.5 <= days <= 365:
        raise SettingError(f"--days is {days:g}: give 0.5 to 365")
    if not 2 <= clips <= 1000:
        raise SettingError(f"--clips is {clips}: give 2 to 1000")
    if labelled < 0:
        raise SettingError(f"--labelled is {labelled}: give 0 or more")
    # the broken clip's failure is meant
    logging.getLogger("video_worker").setLevel(logging.CRITICAL)
    folder: Path = arguments.folder
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise SettingError(f"{folder} is not empty: give a new folder")
    end = (arguments.end or datetime.now().replace(second=0, microsecond=0)).astimezone()
    make_volume(folder, Plan(end, days, clips, arguments.seed, labelled), print)
    print(f"ready: {folder}")
    return EXIT_OK


if __name__ == "__main__":
    sys.exit(run_program("devtools.sample_volume", main))
