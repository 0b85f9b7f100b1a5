"""Follows the objects of tracks for the steps of zones, over short absences and restarts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from video_worker.pipeline.tracking import NO_TRACK, WEAK_SCORE
from video_worker.steps.base import Sample, Step
from video_worker.steps.context import Source, StepContext, clock_state, seconds_ahead
from video_worker.steps.zones.tasks import counted_tasks
from video_worker.zones.following import Follower, TrackBox
from video_worker.zones.meetings import colours_of

FOLLOWED = "followed"
"""Name of the frame's :class:`video_worker.zones.following.Followed` in ``Sample.values``."""
NO_SHAPE = (1, 1)


class Follow(Step):
    """Puts the objects in sight into ``Sample.values``.

    A box tells where an object is from a score of :data:`~video_worker.pipeline.tracking.WEAK_SCORE`, or the threshold
    if that is lower.

    Args:
        source: where frames come from.
        labels: class names by number.
        conf: score threshold.
    """

    def __init__(self, source: Source, labels: Sequence[str], conf: float) -> None:
        self._source = source
        self._labels = labels
        self._place_score = min(conf, WEAK_SCORE)
        self._follower = Follower()

    @classmethod
    def create(cls, context: StepContext) -> Sequence[Step]:
        """Applies where objects in zones are counted."""
        return [cls(context.source, context.labels, context.options.conf)] if counted_tasks(context) else []

    def take(self, sample: Sample) -> None:
        """Follow the frame's tracks."""
        height, width = sample.picture.shape[:2] if sample.picture.size else self._clip_shape()
        sample.values[FOLLOWED] = self._follower.update(
            sample.time_s,
            self._track_boxes(sample, width, height),
            frozenset(sample.ended_tracks),
            width / height,
            sample.cut,
        )

    def _clip_shape(self) -> tuple[int, int]:
        clip = self._source.clip
        return NO_SHAPE if clip is None else (clip.height, clip.width)

    def _track_boxes(self, sample: Sample, width: int, height: int) -> list[TrackBox]:
        found: dict[int, TrackBox] = {}
        boxes = sample.detections
        for number, score, track, (x1, y1, x2, y2) in zip(
            boxes.classes.tolist(), boxes.scores.tolist(), sample.tracks.tolist(), boxes.xyxy.tolist(), strict=True
        ):
            if track == NO_TRACK:
                continue
            label = self._labels[number]
            if track in found:  # boxes come best first
                found[track] = found[track]._replace(labels={label: score, **found[track].labels})
                continue
            place = (x1 / width, y1 / height, x2 / width, y2 / height) if score >= self._place_score else None
            colours = None if place is None or not sample.picture.size else colours_of(sample.picture, (x1, y1, x2, y2))
            found[track] = TrackBox(track, place, {label: score}, colours)
        return list(found.values())

    def state(self) -> Mapping[str, Any]:
        """Return the objects."""
        return {**clock_state(self._source), **self._follower.state()}

    def resume(self, state: Mapping[str, Any]) -> None:
        """Go on with the objects."""
        self._follower.resume(state, seconds_ahead(state, self._source))
