"""Reports each object at first sight, where the source has no end: seconds after it came, not when its clip is over."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from shared_utils.contracts.events import Event
from shared_utils.contracts.job_options import Options
from shared_utils.media.draw import BoxMark, draw
from shared_utils.media.palette import track_colour
from video_worker.pipeline.known_objects import HIDDEN_IOU, Box, KnownObjects, NewTrack, iou
from video_worker.pipeline.track_summary import TrackSummary, is_detected
from video_worker.pipeline.tracking import NO_TRACK
from video_worker.steps.base import Sample, Step
from video_worker.steps.context import Source, StepContext, StepEvent, clock_state, seconds_ahead

BOX_DIGITS, SCORE_DIGITS = 4, 4


class FirstSight(Step):
    """Reports an ``object`` event, ``seen``, when a track has its hits for the first time.

    A track counts, and has its label, by the rules of the clips' analysis
    (:mod:`video_worker.pipeline.track_summary`): `min_hits` frames with a box at or above the threshold, of a label
    that is reported. An object that was reported before, and is still there, is not reported again
    (:mod:`video_worker.pipeline.known_objects`).

    Args:
        labels: class names by number.
        options: threshold, `min_hits` and `classes`.
        emit: takes the event.
        source: where frames come from.
    """

    needs_motion = True

    def __init__(
        self,
        labels: Sequence[str],
        options: Options,
        emit: Callable[[StepEvent], None],
        source: Source,
    ) -> None:
        self._labels = labels
        self._conf = options.conf
        self._min_hits = options.min_hits
        self._classes = frozenset(options.classes)
        self._emit = emit
        self._source = source
        self._known = KnownObjects()
        self._new: dict[int, tuple[TrackSummary, Box]] = {}  # tracks without their hits, and where they began
        self._frame = 0

    @classmethod
    def create(cls, context: StepContext) -> Sequence[Step]:
        """Applies to live cameras whose objects are to be reported: in a clip, the record says what was seen."""
        if context.source.has_end or not context.report_objects:
            return []
        return [cls(context.labels, context.options, context.emit, context.source)]

    def take(self, sample: Sample) -> None:
        """Look for tracks that have their hits now."""
        self._frame += 1
        self._known.frame(sample.time_s)
        found = sample.detections
        numbers = sample.tracks.tolist()
        height, width = sample.picture.shape[:2]
        boxes: list[Box] = [
            (x1 / width, y1 / height, x2 / width, y2 / height) for x1, y1, x2, y2 in found.xyxy.tolist()
        ]
        # best first, so that the first box of each track is its best
        best: dict[int, int] = {}
        for index, track in enumerate(numbers):
            best.setdefault(track, index)
        known = {track for track, index in best.items() if self._known.see(track, boxes[index])}
        hits: dict[int, int] = {}
        for index, (number, score, track) in enumerate(
            zip(found.classes.tolist(), found.scores.tolist(), numbers, strict=True)
        ):
            label = self._labels[number]
            if track == NO_TRACK or track in known or score < self._conf:
                continue
            if self._classes and label not in self._classes:
                continue
            hits.setdefault(track, index)
            summary, _ = self._new.setdefault(track, (TrackSummary(track), boxes[index]))
            summary.add(self._frame, sample.time_s, label, score, strong=True, reported=True)
        present = {track: boxes[index] for track, index in best.items()}
        complete = [new for track, index in hits.items() if (new := self._complete(track, boxes[index]))]
        unknown = [new for new in complete if not self._known.recognise(new, present)]
        hidden = _hidden(present, {track: float(found.scores[index]) for track, index in best.items()}, self._conf)
        held: dict[int, tuple[TrackSummary, Box]] = {}
        for new in unknown:
            if self._known.recognise_after_gap(new, present) or self._known.recognise_nearby(new, present, hidden):
                continue
            if self._known.is_part(new):
                # it begins where it gets a place of its own
                held[new.track] = self._new[new.track][0], new.boxes[-1]
            else:
                self._report(new, sample, hits[new.track])
        for new in complete:
            del self._new[new.track]
        self._new.update(held)
        for track in sample.ended_tracks:
            self._new.pop(track, None)

    def state(self) -> Mapping[str, Any]:
        """Return the objects that were reported."""
        return {**clock_state(self._source), **self._known.state()} if len(self._known) else {}

    def resume(self, state: Mapping[str, Any]) -> None:
        """Go on with the objects of a :meth:`state`."""
        self._known.resume(state, seconds_ahead(state, self._source))

    def catch_up(self, event: Event) -> None:
        """Remember an object that was reported after the state was saved."""
        label, track, box = (event.more.get(key) for key in ("label", "track", "box"))
        if event.type != "object" or event.value != "seen" or not isinstance(label, str) or not isinstance(track, int):
            return
        if not isinstance(box, list) or len(box) != 4 or not all(isinstance(value, int | float) for value in box):
            return
        began = self._source.started_at
        seen_s = None if began is None else (event.at - began).total_seconds()
        self._known.add(track, label, (float(box[0]), float(box[1]), float(box[2]), float(box[3])), seen_s)

    def _complete(self, track: int, box: Box) -> NewTrack | None:
        """Return the track if it has its hits now."""
        summary, first_box = self._new[track]
        if not is_detected([summary], self._min_hits):
            return None
        return NewTrack(track, summary.label, (first_box, box))

    def _report(self, new: NewTrack, sample: Sample, index: int) -> None:
        track, label, box = new.track, new.label, new.boxes[-1]
        self._known.add(track, label, box)
        score = sample.detections.scores[index].item()
        x1, y1, x2, y2 = sample.detections.xyxy[index].tolist()
        mark = BoxMark((x1, y1, x2, y2), f"{label} {score:.2f}", track_colour(track))
        self._emit(
            StepEvent(
                "object",
                sample.time_s,
                "seen",
                confidence=round(score, SCORE_DIGITS),
                picture=draw(sample.picture, [mark]),
                more={
                    "label": label,
                    "track": track,
                    "score": round(score, SCORE_DIGITS),
                    "box": [round(min(max(value, 0.0), 1.0), BOX_DIGITS) for value in box],
                },
            )
        )


def _hidden(present: Mapping[int, Box], scores: Mapping[int, float], conf: float) -> set[int]:
    """Return the tracks of which there is but a weak box, which covers the better one of another track."""
    return {
        track
        for track, box in present.items()
        if scores[track] < conf
        and any(scores[other] > scores[track] and iou(box, place) >= HIDDEN_IOU for other, place in present.items())
    }
