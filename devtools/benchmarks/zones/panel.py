"""Displays, lamps and pages of drawn panels, read by the worker's own steps from encoded clips, against the truth.

Each look counts, not only those that become events. Looks at changes and through glare, of which a person would not be
sure, are counted separately: they may be unreadable, but should not give a wrong value.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from camera_emulator.panel.scene import PanelScene, Reading
from devtools.benchmarks.report import Report
from devtools.benchmarks.zones.failures import Failure, write_sheet
from devtools.benchmarks.zones.judging import KINDS, LATE_S, Look, Outcome, Score, judge
from devtools.benchmarks.zones.options import Options
from devtools.benchmarks.zones.panel_clips import CAMERA, FIRST_SEED, FPS, PanelClip
from shared_utils.config.zones.files import read_zones_file
from shared_utils.contracts.job_options import Options as RunOptions
from shared_utils.media.frames import ClipReader
from shared_utils.media.picture import Picture
from video_worker.pipeline.runner import StepRunner, StepSource
from video_worker.readers.base import TextReaders
from video_worker.steps import STEPS
from video_worker.steps.base import Sample
from video_worker.steps.context import Source, StepContext
from video_worker.steps.values.value_step import ValueStep
from video_worker.steps.values.zone_crop import ZoneCropper
from video_worker.steps.zones.frame_values import placement_of
from video_worker.values.reports import Value

SAMPLED_FPS = 5.0
"""Frames per second that the worker analyses, by its default."""
LEAST_EXACT = {"printed text": 99.0, "seven-segment": 98.0, "page": 99.5, "lamp": 100.0}
MOST_WRONG = {"printed text": 0.5, "seven-segment": 0.5}
"""Percent of readings. The line of dots and the counter are reported beside them; nothing is asked of them."""


def bench_panel(report: Report, options: Options, readers: TextReaders) -> None:
    """Read panels of as many seeds as the readings need, and add to the report how many were exact."""
    scores: dict[str, Score] = defaultdict(Score)
    failures: dict[str, list[Failure]] = defaultdict(list)
    missed: list[dict[str, Any]] = []
    kind_of = {name: kind for kind, names in KINDS.items() for name in names}
    clips, wanted = 0, list(LEAST_EXACT)
    while any(_sum(scores, kind).readable < options.readings for kind in wanted):
        clip = PanelClip(FIRST_SEED + clips)
        path, file = clip.ensure(options.streams), clip.write_zones(options.work / "zones")
        found = 0
        for look, picture in looks(path, file, readers):
            truth = clip.scene.truth_of(look.zone, look.t)
            outcome = judge(look, truth, _recent(clip.scene, look))
            if outcome is None:
                continue
            found += 1
            scores[look.zone].add(outcome, truth)
            if outcome != "exact":
                failures[kind_of[look.zone]].append(failure_of(look, truth, outcome, picture, clip.seed))
                missed.append({"seed": clip.seed, "outcome": outcome, **asdict(look), "truth": asdict(truth)})
        clips += 1
        print(f"  panel {clip.seed}: {found} looks", flush=True)
        for kind in [kind for kind in wanted if not _sum(scores, kind).readable]:
            wanted.remove(kind)
            report.skip(f"panel, {kind}", "no step of this version looks at it")
    report.detail["panel: clips"] = clips
    report.detail["panel: not exact"] = missed
    for kind in KINDS:
        _add(report, kind, scores)
    if options.pictures is not None:
        for kind in KINDS:
            write_sheet(failures[kind], options.pictures / f"panel-{kind.replace(' ', '-')}.png")


def _recent(scene: PanelScene, look: Look) -> set[str | None]:
    """Return the values that were displayed just before a look."""
    moments = [number / FPS for number in range(round((look.t - LATE_S) * FPS), round(look.t * FPS))]
    return {scene.truth_of(look.zone, max(0.0, t)).value for t in moments}


def looks(path: Path, zones: Path, readers: TextReaders) -> Iterator[tuple[Look, Picture]]:
    """Yield all that the tasks of zones give in a clip, with the zone's picture.

    Args:
        path: the clip.
        zones: the file of zones; its reference pictures are beside it.
        readers: the engines.
    """
    loaded = read_zones_file(zones)
    run = RunOptions(fps=SAMPLED_FPS)
    croppers = {zone.name: ZoneCropper(zone.points or ()) for zone in loaded.zones.zones}
    with ClipReader(path, SAMPLED_FPS, 1) as reader:
        context = StepContext(
            Source.of_clip(reader.facts),
            run,
            camera=CAMERA,
            zones=loaded.zones,
            zones_dir=zones.parent,
            readers=readers,
        )
        steps = _steps(context)
        watched = [step for step in steps if isinstance(step, ValueStep)]
        counts = {step.name: 0 for step in watched}
        with StepRunner(context, steps) as runner:
            for sample in runner.samples(reader):
                for step in watched:
                    count = step.readings + step.unreadable
                    if count == counts[step.name] or step.latest is None:
                        continue
                    counts[step.name] = count
                    yield _look(step, step.latest, sample), _picture(croppers[step.zone.name], sample)


def _steps(context: StepContext) -> list[StepSource]:
    """Return the worker's steps, those that give values being made already, so that their values can be asked for."""
    found: list[StepSource] = []
    for kind in STEPS:
        found += kind.create(context) if issubclass(kind, ValueStep) else [kind]
    return found


def _look(step: ValueStep[Any], value: Value, sample: Sample) -> Look:
    t = sample.index / FPS
    text = str(value.more.get("text", value.more.get("level", value.more.get("score", ""))))
    return Look(step.zone.name, t, value.value, value.reason, text, value.confidence)


def _picture(cropper: ZoneCropper, sample: Sample) -> Picture:
    crop = cropper.crop(sample.picture, placement_of(sample), sample.time_s)
    return sample.picture if crop is None else crop.picture


def failure_of(look: Look, truth: Reading, outcome: Outcome, picture: Picture, seed: int) -> Failure:
    """Return the picture of a look that was not exact, and what there was to read."""
    was = f", before {truth.before}" if truth.before else ""
    confidence = "" if look.confidence is None else f" {look.confidence:.2f}"
    said = look.reason or outcome
    return Failure(
        picture,
        f"{look.zone} {seed} {look.t:.1f}s: {truth.value} ({truth.state}{was})",
        f"{said}: {look.value} [{look.text}]{confidence}",
    )


def _sum(scores: dict[str, Score], kind: str) -> Score:
    return sum((scores[name] for name in KINDS[kind] if name in scores), Score())


def _add(report: Report, kind: str, scores: dict[str, Score]) -> None:
    total = _sum(scores, kind)
    if not total.readable:
        return
    report.add(f"{kind}: readings", total.readable, "")
    report.add(f"{kind}: exact", total.share("exact"), "%", least=LEAST_EXACT.get(kind))
    if total.shown["late"]:
        report.add(f"{kind}: late by less than {LATE_S:g} s", total.share("late"), "%")
    report.add(f"{kind}: unreadable", total.share("unreadable"), "%")
    report.add(f"{kind}: wrong", total.share("wrong"), "%", most=MOST_WRONG.get(kind))
    marked = sum(total.marked.values())
    report.add(f"{kind}: looks at changes and through glare, beside them", marked, "")
    report.add(f"{kind}: wrong in those, of all looks", total.wrong_while_marked, "%")
    for name in KINDS[kind] if len(KINDS[kind]) > 1 else ():
        own = scores[name]
        report.add(f"  {name}: exact of {own.readable}", own.share("exact"), "%")
        report.add(f"  {name}: wrong", own.share("wrong"), "%")
