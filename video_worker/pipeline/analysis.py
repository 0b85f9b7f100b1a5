"""One clip through all steps."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from shared_utils.config.classes import OPTION, known_classes, usable_classes
from shared_utils.contracts.job_options import Options
from shared_utils.contracts.record import Record
from shared_utils.errors import ClipError, VcamError
from shared_utils.file_hash import file_sha256
from shared_utils.media.clipfile.growth import Growth
from shared_utils.media.frames import ClipReader, Frame, Irregular, Reading
from video_worker.models.registry import DETECT, LoadedModel, Models
from video_worker.pipeline import record as records
from video_worker.pipeline.overlap import ahead
from video_worker.steps import STEPS
from video_worker.steps.base import Run, Sample, Step
from video_worker.steps.detect import Detect

FRAMES_AHEAD = 2
"""Pictures decoded ahead of the model. More would not be faster, and one of 4K is 25 MB."""

DECODE_SHARE = 2
"""One of so many threads may decode. Both cost about the same for a 1080p clip and go on at once, so that one thread of
two keeps up."""

Progress = Callable[[int, int], None]
"""Told frames done, and how many there are to do."""


class Interrupted(VcamError):
    """The analysis was asked to stop before its end."""


@dataclass(frozen=True)
class Task:
    """A run that is asked for.

    Attributes:
        path: the clip.
        names: what it and the run are called.
        options: how to analyse it.
        queued_s: seconds it has waited; None without a queue.
        boxes_folder: where its boxes file goes; None for none.
        own_classes: whether the job itself, or the worker's setting, names the `classes` of the options.
    """

    path: Path
    names: records.RunNames
    options: Options
    queued_s: float | None = None
    boxes_folder: Path | None = None
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
        sleep: waits for so many seconds.
    """

    def __init__(
        self,
        models: Models,
        threads: int,
        now: Callable[[], datetime],
        steps: Sequence[type[Step]] = STEPS,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._models = models
        self._threads = threads
        self._now = now
        self._steps = tuple(steps)
        self._sleep = sleep

    def use_threads(self, threads: int) -> None:
        """Decode and compute with so many threads from the next clip on."""
        if threads != self._threads:
            self._threads = threads
            self._models.use_threads(threads)

    def analyse(self, task: Task, progress: Progress, should_stop: Callable[[], bool]) -> Record:
        """Return the record of `task`'s clip.

        Args:
            task: what to analyse.
            progress: told after each frame.
            should_stop: asked after each frame.

        Raises:
            ClipMissing, ClipError, ModelError: it cannot be analysed.
            ClipGrowing: it is still being written.
            Interrupted: `should_stop` said so.
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
        with ClipReader(task.path, options.fps, threads, Reading(options.aspect, careful, strict=True)) as reader:
            clip = records.clip_entry(task.names.filename, reader.facts, file_sha256(task.path))
            boxes_path = task.names.boxes_path(task.boxes_folder) if task.boxes_folder else None
            run = Run(options, reader.facts, model.detector, boxes_path)
            results, infer_s = self._run_steps(run, reader, progress, should_stop, growth)
            if reader.damaged:
                results["damaged_packets"] = reader.damaged
            decode_s = reader.decode_s
        return records.success(
            task.names,
            options,
            clip,
            records.model_entry(model, options),
            records.timing_entry(task.queued_s, decode_s, infer_s, time.perf_counter() - began),
            results,
            self._now(),
        )

    def _run_steps(
        self, run: Run, reader: ClipReader, progress: Progress, should_stop: Callable[[], bool], growth: Growth
    ) -> tuple[dict[str, object], float]:
        with ExitStack() as stack:
            steps: list[Step] = []
            for kind in self._steps:
                step = kind.for_run(run)
                if step is not None:
                    stack.callback(step.close)
                    steps.append(step)
            frames = ahead(reader, FRAMES_AHEAD)
            stack.callback(frames.close)
            for done, sample in enumerate(_overlapped(frames, steps, run.detector.depth), start=1):
                for step in steps:
                    step.take(sample)
                progress(done, run.clip.sampled)
                if should_stop():
                    raise Interrupted("asked to stop")
            growth.check()
            results: dict[str, object] = {}
            for step in steps:
                results |= step.result()
            return results, sum(step.infer_s for step in steps if isinstance(step, Detect))


def _overlapped(frames: Iterator[Frame], steps: Sequence[Step], depth: int) -> Iterator[Sample]:
    """Yield the frames in order, each when `depth - 1` later ones have been started."""
    under_way: deque[Sample] = deque()
    for frame in frames:
        sample = Sample.of(frame.index, frame.time_s, frame.picture)
        for step in steps:
            step.start(sample)
        under_way.append(sample)
        if len(under_way) >= depth:
            yield under_way.popleft()
    yield from under_way
