"""Takes frames of any source through the steps: a clip, a live camera, or boxes of an earlier run."""

from __future__ import annotations

import dataclasses
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any, Protocol

from shared_utils.closing import Closing
from shared_utils.contracts.events import Event
from shared_utils.contracts.json_lines import to_line
from shared_utils.media.picture import Picture
from shared_utils.media.sampling import Sampler
from video_worker.pipeline.tracking import NO_TRACK
from video_worker.steps import STEPS
from video_worker.steps.base import EndedTrack, Sample, Step, Tally
from video_worker.steps.context import StepContext

OPEN_TRACKS = "open tracks"
"""Name of the runner's own part in :meth:`StepRunner.states`; no class can have it."""

StepSource = type[Step] | Step
"""A kind of step, which is made for the run, or a step that was made elsewhere."""


class SourceFrame(Protocol):
    """A frame of a source: its number, seconds from the first frame, and picture."""

    @property
    def index(self) -> int:
        """Number in the source, from 0."""

    @property
    def time_s(self) -> float:
        """Seconds from the source's first frame."""

    @property
    def picture(self) -> Picture:
        """Height×width×3, blue green red."""


class StepRunner(Closing):
    """Runs the steps over the frames of one source, and closes them in any case.

    ::

        with StepRunner(context) as runner:
            for sample in runner.samples(frames):
                ...
            record_keys = runner.results()

    Args:
        context: what the steps know.
        steps: the steps, in their order.
        depth: frames that are started before the first of them is taken, so that work overlaps; None for as many as
            the detector works on at once, and for one where the source has no end: a result must not wait there.
    """

    def __init__(self, context: StepContext, steps: Sequence[StepSource] = STEPS, depth: int | None = None) -> None:
        if depth is None:
            depth = context.detector.depth if context.detector is not None and context.source.has_end else 1
        self._depth = depth
        self._under_way: deque[tuple[Sample, list[_Timed]]] = deque()
        with ExitStack() as stack:
            self._steps = list(_made(context, steps, stack))
            self._stack = stack.pop_all()
        self._open_tracks = _OpenTracks(self._steps)

    def samples(self, frames: Iterable[SourceFrame]) -> Iterator[Sample]:
        """Yield each of `frames`, in order, when all steps have taken it. They may have no end."""
        for frame in frames:
            yield from self.feed(Sample(frame.index, frame.time_s, frame.picture))
        yield from self.flush()

    def feed(self, sample: Sample) -> list[Sample]:
        """Start work on `sample`; return those that all steps have taken meanwhile."""
        due = [timed for timed in self._steps if timed.wants(sample)]
        for timed in due:
            timed.start(sample)
        self._under_way.append((sample, due))
        return [self._take()] if len(self._under_way) >= self._depth else []

    def flush(self) -> Iterator[Sample]:
        """Yield the samples that are still under way, when all steps have taken them."""
        while self._under_way:
            yield self._take()

    def results(self) -> dict[str, object]:
        """End all tracks, as the source has ended; publish the steps' files, and return their keys of the record.

        Nothing is published unless all steps have a result.

        Raises:
            ValueError: what a step returns is no JSON, or two steps give one key different values.
        """
        self._open_tracks.end_all()
        found: dict[str, object] = {}
        for timed in self._steps:
            merge_results(found, timed.result())
        for timed in self._steps:
            timed.step.publish()
        return found

    def states(self) -> dict[str, Mapping[str, Any]]:
        """Return the state of each step that has one, by its name, as JSON takes it; and the tracks that are open."""
        found = {timed.step.name: state for timed in self._steps if (state := timed.step.state())}
        open_tracks = self._open_tracks.state()
        return {**found, OPEN_TRACKS: open_tracks} if open_tracks else found

    def resume(self, states: Mapping[str, Mapping[str, Any]]) -> list[str]:
        """Go on from earlier :meth:`states`, before the first frame. Those of steps that are gone are ignored.

        Returns:
            Names of the steps that cannot go on from theirs, such as those of another version.
        """
        failed = []
        resumed = [(timed.step.name, timed.step.resume) for timed in self._steps]
        for name, resume in [*resumed, (OPEN_TRACKS, self._open_tracks.resume)]:
            if name in states:
                try:
                    resume(states[name])
                except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
                    failed.append(name)
        return failed

    def catch_up(self, events: Iterable[Event]) -> None:
        """Tell all steps of the events that were reported after the states were saved, before the first frame."""
        for event in events:
            for timed in self._steps:
                timed.step.catch_up(event)

    def seconds(self) -> dict[str, float]:
        """Return how long each step was at work so far, by its name."""
        found: dict[str, float] = {}
        for timed in self._steps:
            found[timed.step.name] = found.get(timed.step.name, 0.0) + timed.seconds
        return found

    def timing(self) -> dict[str, float]:
        """Return the seconds that count towards a key of the record's `timing`, by that key."""
        found: dict[str, float] = {}
        for timed in self._steps:
            if timed.step.timed_as is not None:
                found[timed.step.timed_as] = found.get(timed.step.timed_as, 0.0) + timed.seconds
        return found

    def close(self) -> None:
        """Close all steps, the last one first, whatever one of them raises."""
        self._stack.close()

    def _take(self) -> Sample:
        sample, due = self._under_way.popleft()
        ended: Sequence[int] = ()
        for timed in due:
            timed.take(sample)
            if sample.ended_tracks and not ended:
                ended = sample.ended_tracks
                self._open_tracks.end(ended)
        self._open_tracks.see(sample)
        return sample


def _made(context: StepContext, kinds: Sequence[StepSource], stack: ExitStack) -> Iterator[_Timed]:
    """Yield the steps of a run, made one after the other; `stack` closes them."""
    for kind in kinds:
        if kind.needs_end and not context.source.has_end:
            continue
        steps = kind.create(context) if isinstance(kind, type) else [kind]
        for step in steps:
            stack.callback(step.close)
            yield _Timed(step)
        if steps:
            context = dataclasses.replace(context, box_columns=(*context.box_columns, *kind.adds.box_columns))


def merge_results(found: dict[str, object], further: Mapping[str, object]) -> None:
    """Add the keys of `further` to `found`; mappings under one key are merged, tallies added up.

    Raises:
        ValueError: two steps give one key different values.
    """
    for key, value in further.items():
        there = found.get(key)
        if isinstance(there, dict) and isinstance(value, Mapping):
            merge_results(there, value)
        elif isinstance(there, Tally) and isinstance(value, Tally):
            found[key] = Tally(there + value)
        elif key in found:
            raise ValueError(f"two steps add {key!r} to the record")
        else:
            found[key] = dict(value) if isinstance(value, Mapping) else value


class _Timed:
    """A step with its rate and the seconds that it works.

    A step that has work to start works from the start of a frame to the end of its take; where several frames are
    under way at once, the time is counted once.
    """

    def __init__(self, step: Step) -> None:
        self.step = step
        self.seconds = 0.0
        self._sampler = Sampler(1 / step.every_s) if step.every_s else None
        self._starts_work = type(step).start is not Step.start
        self._started: deque[float] = deque()
        self._idle_since = 0.0

    def wants(self, sample: Sample) -> bool:
        """Tell whether the step is given a frame."""
        if sample.is_still and self.step.needs_motion:
            return False
        return self._sampler is None or self._sampler.wants(sample.time_s)

    def start(self, sample: Sample) -> None:
        """Begin work on `sample`."""
        if self._starts_work:
            self._started.append(time.perf_counter())
            self.step.start(sample)

    def take(self, sample: Sample) -> None:
        """Work on `sample`."""
        began = self._started.popleft() if self._starts_work else time.perf_counter()
        self.step.take(sample)
        done = time.perf_counter()
        self.seconds += done - max(began, self._idle_since)
        self._idle_since = done

    def on_track_end(self, track: EndedTrack) -> None:
        """Take note that `track` is over."""
        began = time.perf_counter()
        self.step.on_track_end(track)
        self.seconds += time.perf_counter() - began

    def result(self) -> Mapping[str, object]:
        """Return the step's keys of the record.

        Raises:
            ValueError: they are no JSON.
        """
        began = time.perf_counter()
        found = self.step.result()
        self.seconds += time.perf_counter() - began
        try:
            to_line(found)
        except (TypeError, ValueError) as error:
            raise ValueError(f"what step {self.step.name} adds to the record is no JSON: {error}") from error
        return found


class _OpenTracks:
    """The tracks that are not over, for the steps that want to know when they are."""

    def __init__(self, steps: Sequence[_Timed]) -> None:
        self._steps = [timed for timed in steps if type(timed.step).on_track_end is not Step.on_track_end]
        self._tracks: dict[int, tuple[float, float]] = {}

    def state(self) -> dict[str, Any]:
        """Return the tracks as JSON takes them; empty for none."""
        return {str(number): list(span) for number, span in self._tracks.items()}

    def resume(self, state: Mapping[str, Any]) -> None:
        """Go on from a :meth:`state`.

        Raises:
            ValueError, TypeError: it is none.
        """
        if self._steps:
            self._tracks = {int(number): (float(first_s), float(last_s)) for number, (first_s, last_s) in state.items()}

    def see(self, sample: Sample) -> None:
        """Take note of the tracks in `sample`."""
        if not self._steps:
            return
        for number in sample.tracks.tolist():
            if number != NO_TRACK:
                first_s, _ = self._tracks.get(number, (sample.time_s, sample.time_s))
                self._tracks[number] = first_s, sample.time_s

    def end(self, numbers: Iterable[int]) -> None:
        """Tell the steps that the tracks of these numbers are over."""
        for number in numbers:
            span = self._tracks.pop(number, None)
            if span is not None:
                for timed in self._steps:
                    timed.on_track_end(EndedTrack(number, *span))

    def end_all(self) -> None:
        """Tell the steps that all tracks are over."""
        self.end(list(self._tracks))
