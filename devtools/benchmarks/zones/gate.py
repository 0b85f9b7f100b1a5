"""People and cars that pass a gate, analysed as the worker analyses clips, against the truth.

Every event that the truth has must be reported by its zone, with its label and direction, within :data:`NEAR_S` of its
time; what is reported beside that is invented. Pictures of what failed go into a folder.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from camera_emulator.gate.ground import zones_of
from camera_emulator.gate.truth import GateEvent
from devtools.benchmarks.report import Report
from devtools.benchmarks.zones.gate_clips import gate_clips
from devtools.benchmarks.zones.options import Options
from shared_utils.config.zones.files import read_zones_file
from shared_utils.contracts import job_options
from shared_utils.contracts.events import clip_events_path, read_clip_events
from shared_utils.media.draw import draw
from shared_utils.media.grabber import FrameGrabber
from shared_utils.media.picture import encode_jpeg
from shared_utils.zones.drawing import zone_marks
from video_worker.engines.base import EngineChoice
from video_worker.models.registry import ModelRegistry
from video_worker.pipeline.analysis import Analyst, Task
from video_worker.pipeline.clip_zones import ClipZones
from video_worker.pipeline.cores import share_of_cores
from video_worker.pipeline.run_names import RunNames

NEAR_S = 1.0
"""Seconds by which a reported time may differ from the true one."""
LEAST_EXACT = 99.0
ZONES = "gate.json"
"""The file of zones, in the folder of the run."""
FPS = 5.0
"""Frames per second that are sampled: the worker's default."""
JPEG_QUALITY = 85
KINDS = ("entered", "left", "loitering", "crossed")


@dataclass(frozen=True)
class Reported:
    """An event as the worker reports it."""

    t: float
    zone: str
    value: str
    label: str
    direction: str | None


@dataclass(frozen=True)
class Comparison:
    """What a clip's events are worth: true events by kind, those that were found, missing and invented ones."""

    true: Counter[str]
    exact: Counter[str]
    missing: Sequence[GateEvent]
    invented: Sequence[Reported]


@dataclass(frozen=True)
class Fault:
    """An event that is `missing` or `invented`; `way`: of the passage, where it is known."""

    clip: str
    what: str
    t: float
    zone: str
    value: str
    label: str
    direction: str | None
    way: str = ""


def compare(truth: Sequence[GateEvent], reported: Sequence[Reported]) -> Comparison:
    """Compare events with the truth: each true event takes the nearest one that fits it."""
    left = list(reported)
    exact: Counter[str] = Counter()
    missing = []
    for event in truth:
        fits = [
            one
            for one in left
            if (one.zone, one.value, one.label, one.direction)
            == (event.zone, event.value, event.label, event.direction)
            and event.t - NEAR_S <= one.t <= event.until + NEAR_S
        ]
        if not fits:
            missing.append(event)
            continue
        left.remove(min(fits, key=lambda one: abs(one.t - event.t)))
        exact[event.value] += 1
    return Comparison(Counter(event.value for event in truth), exact, missing, left)


def bench_gate(report: Report, options: Options) -> None:
    """Analyse passages, and add to the report how many of their events were found, and what was invented."""
    true: Counter[str] = Counter()
    exact: Counter[str] = Counter()
    faults: list[Fault] = []
    seen, clips = 0, 0
    for clip in gate_clips(options.passages):
        path = clip.ensure(options.streams)
        found = compare(clip.events, analyse(path, options.work, options.model))
        true, exact, seen, clips = true + found.true, exact + found.exact, seen + len(clip.passages), clips + 1
        ways = {one.number: one.way for one in clip.passages}
        faults += [
            Fault(path.name, "missing", one.t, one.zone, one.value, one.label, one.direction, ways[one.passage])
            for one in found.missing
        ]
        faults += [
            Fault(path.name, "invented", one.t, one.zone, one.value, one.label, one.direction) for one in found.invented
        ]
    if options.pictures is not None:
        for number, fault in enumerate(faults, start=1):
            _save_picture(options, fault, number)
    report.detail["gate: missing and invented events"] = [asdict(fault) for fault in faults]
    report.add(f"gate: passages in {clips} clips", seen, "", least=options.passages)
    for kind in KINDS:
        share = 100 * exact[kind] / max(true[kind], 1)
        report.add(f"gate: {kind}, exact of {true[kind]}", share, "%", least=LEAST_EXACT)
    report.add("gate: events that nobody did", sum(fault.what == "invented" for fault in faults), "", most=0)


def analyse(clip: Path, work: Path, model: Path, fps: float = FPS) -> list[Reported]:
    """Return the events of a clip's zones, analysed as the worker does."""
    file = work / ZONES
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(zones_of("gate")))
    threads = share_of_cores(1)
    registry = ModelRegistry([model.parent], EngineChoice("openvino", "CPU", threads), model)
    analyst = Analyst(registry, threads, lambda: datetime.now(UTC), zones=ClipZones(given=read_zones_file(file)))
    names = RunNames(clip.name, f"gate-{fps:g}", None)
    analyst.analyse(
        Task(clip, names, job_options.Options(model=model.name, fps=fps), None, work), lambda *_: None, lambda: False
    )
    return [
        Reported(
            event.t or 0.0, event.zone or "", str(event.value), str(event.more["label"]), event.more.get("direction")
        )
        for event in read_clip_events(clip_events_path(work, names.filename, names.run_id))
    ]


def _save_picture(options: Options, fault: Fault, number: int) -> None:
    """Save the frame of a fault with the zones on it."""
    zones = read_zones_file(options.work / ZONES).zones
    what = " ".join(filter(None, (fault.what, fault.label, fault.value, fault.direction, fault.zone)))
    with FrameGrabber(options.streams / fault.clip) as grabber:
        picture = grabber.frame_at(fault.t).picture
    height, width = picture.shape[:2]
    marked = draw(picture, zone_marks(zones, (width, height)), f"{fault.t:.1f} s: {what}")
    target = (options.pictures or options.work) / f"gate-{number:03d}-{fault.what}-{fault.t:.1f}s.jpg"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(encode_jpeg(marked, JPEG_QUALITY))
