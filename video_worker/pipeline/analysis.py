"""Analyses one clip: takes its frames through all steps, and makes the record."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from shared_utils.config.classes import OPTION, known_classes, usable_classes
from shared_utils.contracts.clips import parse_clip_name
from shared_utils.contracts.job_options import Options
from shared_utils.contracts.record import Record
from shared_utils.errors import ClipError, VcamError
from shared_utils.file_hash import file_sha256
from shared_utils.media.clipfile.growth import Growth
from shared_utils.media.frames import ClipFacts, ClipReader, Irregular, ReadOptions
from video_worker import messages
from video_worker.models.registry import DETECT, LoadedModel, Models
from video_worker.pipeline import record as records
from video_worker.pipeline.clip_events import ClipEvents
from video_worker.pipeline.clip_zones import ClipZones
from video_worker.pipeline.prefetch import prefetch
from video_worker.pipeline.run_names import RunNames
from video_worker.pipeline.runner import StepRunner
from video_worker.pipeline.zone_tools import ZoneTools
from video_worker.steps import STEPS
from video_worker.steps.base import Step
from video_worker.steps.context import Source, StepContext

logger = logging.getLogger(__name__)

PREFETCH_FRAMES = 2
"""Frames decoded in advance of the model. More would not be faster, and one of 4K is 25 MB."""

DECODE_SHARE = 2
"""One of this many threads decodes. Decoding and inference of a 1080p clip cost about the same and run at once, so that
one thread of two keeps up."""

Progress = Callable[[int, int], None]
"""Called with frames done and frames to do."""


class Interrupted(VcamError):
    """The analysis was asked to stop before its end."""


@dataclass(frozen=True)
class Task:
    """A run to do.

    Attributes:
        path: the clip.
        names: of the run and its clip.
        options: how to analyse it.
        queued_s: seconds it has waited; None without a queue.
        output_dir: the shared volume, for files beside the record; None to write none.
        own_classes: whether the job itself, or the worker's setting, names the `classes` of the options.
    """

    path: Path
    names: RunNames
    options: Options
    queued_s: float | None = None
    output_dir: Path | None = None
    own_classes: bool = True

    def options_for(self, model: LoadedModel) -> Options:
        """Return the options with `classes` in the model's spelling.

        Raises:
            ModelError: the model does not know them.
        """
        labels, wanted = model.detector.labels, self.options.classes
        if self.own_classes:
            found = known_classes(wanted, labels, model.name, OPTION)
        else:
            found = usable_classes(wanted, labels, model.name)
        return replace(self.options, classes=found)


class Analyst:
    """Analyses clips with the models it is given.

    Args:
        models: where models come from.
        threads: threads for decoding and computing.
        now: the time of day, with its zone.
        steps: the steps, in their order.
        sleep: waits for a number of seconds.
        zones: finds the zones of clips; None for none.
        tools: what their tasks need.
    """

    def __init__(
        self,
        models: Models,
        threads: int,
        now: Callable[[], datetime],
        steps: Sequence[type[Step]] = STEPS,
        sleep: Callable[[float], None] = time.sleep,
        zones: ClipZones | None = None,
        tools: ZoneTools | None = None,
    ) -> None:
        self._models = models
        self._threads = threads
        self._now = now
        self._steps = tuple(steps)
        self._sleep = sleep
        self._zones = zones or ClipZones()
        self._tools = tools or ZoneTools()

    def use_threads(self, threads: int) -> None:
        """Decode and compute with this many threads from the next clip on."""
        if threads != self._threads:
            self._threads = threads
            self._models.use_threads(threads)

    def analyse(self, task: Task, progress: Progress, should_stop: Callable[[], bool]) -> Record:
        """Return the record of `task`'s clip.

        Args:
            task: what to analyse.
            progress: called after each frame.
            should_stop: called after each frame; True interrupts the analysis.

        Raises:
            ClipMissing, ClipError, ModelError: it cannot be analysed.
            ClipGrowing: it is still being written.
            Interrupted: `should_stop` returned True.
        """
        growth = Growth(task.path, lambda: self._now().timestamp(), self._sleep)
        growth.settle()
        try:
            try:
                return self._analyse(task, progress, should_stop, growth, careful=False)
            except Irregular:
                return self._analyse(task, progress, should_stop, growth, careful=True)
        except ClipError as error:
            growth.failed(error)
            raise

    def _analyse(
        self, task: Task, progress: Progress, should_stop: Callable[[], bool], growth: Growth, *, careful: bool
    ) -> Record:
        began = time.perf_counter()
        model = self._models.get(DETECT, task.options.model)
        options, threads = task.options_for(model), max(1, self._threads // DECODE_SHARE)
        with ClipReader(task.path, options.fps, threads, ReadOptions(options.aspect, careful, strict=True)) as reader:
            clip = records.clip_entry(task.names.filename, reader.facts, file_sha256(task.path))
            context, setup = self._context(task, model, options, reader.facts)
            events = ClipEvents(task.names, context.source, context.camera, self._now)
            with StepRunner(replace(context, emit=events.emit), self._steps) as runner:
                _take_all(runner, reader, progress, should_stop)
                growth.check()
                results, infer_s = runner.results(), runner.timing().get("infer_s", 0.0)
                if task.output_dir is not None and "zones" in results:
                    events.write(task.output_dir)
            seconds = ", ".join(f"{name} {value:.3f} s" for name, value in runner.seconds().items())
            logger.debug(messages.STEP_TIMES, task.names.filename, seconds)
            if reader.damaged:
                results["damaged_packets"] = reader.damaged
            decode_s = reader.decode_s
        return records.success(
            task.names,
            options,
            clip,
            records.model_entry(model, options),
            records.timing_entry(task.queued_s, decode_s, infer_s, time.perf_counter() - began),
            {**results, **setup},
            self._now(),
        )

    def _context(
        self, task: Task, model: LoadedModel, options: Options, facts: ClipFacts
    ) -> tuple[StepContext, dict[str, object]]:
        """Return what the steps know, and the record's keys about the files that they depend on."""
        clip_name = parse_clip_name(task.names.filename)
        camera = clip_name.camera if clip_name else None
        began = records.started_at(task.names.filename, facts)
        loaded = self._zones.get(camera, model)
        context = StepContext(
            Source.of_clip(facts, None if began is None else datetime.fromisoformat(began)),
            options,
            model.detector.labels,
            camera,
            model.detector,
            self._models,
            zones=None if loaded is None else loaded.zones,
            zones_dir=None if loaded is None else self._zones.folder,
            names=task.names,
            output_dir=task.output_dir,
            now=self._now,
        )
        context = self._tools.added_to(context)
        return context, {} if loaded is None else {"setup": records.setup_entry(loaded)}


def _take_all(runner: StepRunner, reader: ClipReader, progress: Progress, should_stop: Callable[[], bool]) -> None:
    """Take all frames of a clip through the steps, while a thread decodes the next ones."""
    with closing(prefetch(reader, PREFETCH_FRAMES)) as frames:
        for done, _ in enumerate(runner.samples(frames), start=1):
            progress(done, reader.facts.sampled)
            if should_stop():
                raise Interrupted("asked to stop")
