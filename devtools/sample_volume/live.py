"""Live readings of a sample volume: what the drawn control panel displayed, as the live worker would report it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from camera_emulator.panel.scene import PanelScene, Reading
from camera_emulator.panel.zones_file import write_zones_file
from devtools.sample_volume.plan import LIVE, PANEL, Plan
from shared_utils.config.zones.file import load_zones
from shared_utils.config.zones.model import AnyTask, LightTask, PageTask, ReadTask
from shared_utils.contracts.events import Event, event_to_dict, events_log_path
from shared_utils.contracts.json_lines import to_line
from shared_utils.contracts.sidecars import EVENTS_FOLDER
from shared_utils.contracts.zones import zones_path
from shared_utils.media.picture import encode_jpeg
from shared_utils.media.warp import warp
from video_worker.pipeline.run_names import make_run_id
from video_worker.values.reports import Report, Reports, Value

LOOK = timedelta(minutes=1)
"""Between two looks."""
SCENE_S = 1.3
"""Of the scene's time per look: its displays change once per second, and days would be too restless."""
SIZE = (960, 540)
QUALITY = 85
MISREAD_SHARE = 0.003
"""Of readings in which a digit is another one, without anybody noticing."""
MISREAD = str.maketrans("6789", "8103")
MOST_PICTURES = 20
"""Of unreadable and misread displays: the frame is drawn for each."""
KINDS = {ReadTask: "reading", LightTask: "light", PageTask: "page"}


@dataclass(frozen=True)
class _Look:
    """A look at a zone: when by the clock and by the scene, and what was found; `odd`: a picture of it is wanted."""

    at: datetime
    scene_s: float
    value: Value
    odd: bool


def write_live(folder: Path, plan: Plan) -> None:
    """Write the zones of the panel's camera, its live events, and pictures of the odd ones."""
    scene = PanelScene(plan.seed + 1, SIZE)
    path = zones_path(folder, PANEL)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_zones_file(scene, path)
    places = scene.places()
    events: list[Event] = []
    odd: list[tuple[Event, float]] = []
    for zone in load_zones(path).zones:
        for look, report in _reports(scene, plan, zone.name, zone.tasks[0]):
            event = _event(zone.name, zone.tasks[0], look, report)
            events.append(event)
            if look.odd:
                odd.append((event, look.scene_s))
    misread = [one for one in odd if one[0].value is not None]
    hidden = [one for one in odd if one[0].value is None]
    chosen = misread[:MOST_PICTURES] + hidden[:: max(1, -(-len(hidden) // max(1, MOST_PICTURES - len(misread))))]
    (folder / EVENTS_FOLDER).mkdir(exist_ok=True)
    pictures = {}
    for event, scene_s in chosen:
        pictures[event.id] = f"{EVENTS_FOLDER}/{event.id}.jpg"
        crop = warp(scene.frame(scene_s), places[str(event.zone)])
        (folder / pictures[event.id]).write_bytes(encode_jpeg(crop, QUALITY))
    events = [replace(event, picture=pictures.get(event.id)) for event in sorted(events, key=lambda one: one.at)]
    # at once: a line for each would be synced to disk
    lines = (to_line(event_to_dict(event)) + "\n" for event in events)
    events_log_path(folder).write_text("".join(lines), encoding="utf-8")


def _reports(scene: PanelScene, plan: Plan, name: str, task: AnyTask) -> Iterator[tuple[_Look, Report]]:
    """Yield the looks that become events, by the live worker's rules."""
    reports = Reports(bounded=True)
    dice = np.random.default_rng([plan.seed, 7, sum(name.encode())])
    begin = max(plan.start, plan.end - LIVE)
    gaps = plan.gaps(PANEL)
    for number in range(int((plan.end - begin) / LOOK)):
        at = begin + number * LOOK
        if any(start <= at < stop for start, stop in gaps):
            continue
        scene_s = number * SCENE_S
        reading = scene.truth_of(name, scene_s)
        if reading.state == "absent":
            continue
        look = _look(at, scene_s, reading, task, dice)
        report = reports.take((at - begin).total_seconds(), look.value)
        if report is not None:
            yield look, report


def _look(at: datetime, scene_s: float, reading: Reading, task: AnyTask, dice: np.random.Generator) -> _Look:
    shown = reading.before if reading.state == "changing" and reading.before else reading.value
    confidence = float(dice.uniform(0.9, 0.995))
    if isinstance(task, LightTask):
        level = float(dice.normal(190 if shown == "on" else 35, 6))
        return _Look(at, scene_s, Value(shown, None, more={"level": round(level, 1)}), odd=False)
    if isinstance(task, PageTask):
        score = float(dice.uniform(0.8, 0.95)) if shown else float(dice.uniform(0, 0.3))
        return _Look(at, scene_s, Value(shown, None, more={"score": round(score, 3)}), odd=False)
    assert isinstance(task, ReadTask)
    more = {"text": shown or "", "engine": task.engine}
    if reading.state == "glare":
        more["text"] = (shown or "")[: len(shown or "") // 2]
        return _Look(at, scene_s, Value(None, float(dice.uniform(0.1, 0.45)), "confidence", more=more), odd=True)
    misread = False
    if dice.random() < MISREAD_SHARE and shown is not None and task.number is not None:
        wrong, confidence = shown.translate(MISREAD), float(dice.uniform(0.5, 0.7))
        misread, shown = wrong != shown, wrong
        more["text"] = wrong
    if (task.number is None and task.counter is None) or shown is None:
        return _Look(at, scene_s, Value(shown, confidence, more=more), misread)
    if task.number is not None and task.number.unit:
        more["unit"] = task.number.unit
    return _Look(at, scene_s, Value(shown, confidence, number=float(shown), more=more), misread)


def _event(zone: str, task: AnyTask, look: _Look, report: Report) -> Event:
    confidence = None if report.value.confidence is None else round(report.value.confidence, 4)
    event_id = make_run_id(look.at, f"{PANEL} {zone}")
    kind = KINDS[type(task)]
    return Event(kind, look.at, PANEL, zone, report.value.value, confidence, id=event_id, more=report.more)
