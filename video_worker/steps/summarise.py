"""Sums up what was seen in the clip: the record's ``detected``, ``count`` and ``objects``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from shared_utils.contracts.job_options import Options
from shared_utils.contracts.record import ObjectEntry
from video_worker.pipeline.track_summary import TrackSummary, by_label, counted_tracks, is_detected
from video_worker.pipeline.tracking import NO_TRACK
from video_worker.steps.base import Sample, Step
from video_worker.steps.context import StepContext
from video_worker.steps.declarations import Adds, RecordKey

SCORE_DIGITS = 4
TIME_DIGITS = 3


class Summarise(Step):
    """Sums up the tracks, each under one label, from their boxes at or above the score threshold.

    With `classes`, boxes of other labels do not count: neither as hits nor towards a track's label, which is the best
    supported one of those asked for. So a car that the model mostly labels cell phone is found when only cars are asked
    for; and a car that it labels bus in two frames is a bus when only buses are asked for.

    ``objects`` has every label of a track, in order of first sight; ``detected`` those of which one track was seen in
    at least `min_hits` sampled frames. `tracks` is the number of
    :func:`~video_worker.pipeline.track_summary.counted_tracks`.

    Args:
        labels: class names by number.
        options: threshold, `min_hits` and `classes` of the run.
    """

    adds = Adds(
        keys=(
            RecordKey(
                "detected",
                "labels of which one track was seen in at least `min_hits` sampled frames, in order of first sight",
                '["person", "tv"]',
            ),
            RecordKey("count", "how many those are", "2"),
            RecordKey("objects", "each label that was seen, with its tracks, hits, best score and times", "[…]"),
        )
    )
    needs_end = True

    def __init__(self, labels: Sequence[str], options: Options) -> None:
        self._labels = labels
        self._conf = options.conf
        self._min_hits = options.min_hits
        self._classes = frozenset(options.classes)
        self._times: list[float] = []
        self._tracks: dict[int, TrackSummary] = {}

    @classmethod
    def create(cls, context: StepContext) -> Sequence[Step]:
        """Applies to every clip."""
        return [cls(context.labels, context.options)]

    def take(self, sample: Sample) -> None:
        """Count the frame's boxes."""
        frame = len(self._times)
        # rounded as in the boxes file, so that the notebooks' results from there are the same
        time_s = round(sample.time_s, TIME_DIGITS)
        self._times.append(time_s)
        found = sample.detections
        for number, score, track in zip(
            found.classes.tolist(), found.scores.tolist(), sample.tracks.tolist(), strict=True
        ):
            label = self._labels[number]
            # a box that belongs to no track counts as a track of its own
            key = -1 - len(self._tracks) if track == NO_TRACK else track
            summary = self._tracks.setdefault(key, TrackSummary(key))
            reported = not self._classes or label in self._classes
            summary.add(frame, time_s, label, score, strong=score >= self._conf, reported=reported)

    def result(self) -> Mapping[str, object]:
        """Return `detected`, `count` and `objects`."""
        found = by_label(self._tracks.values())
        detected = [label for label, tracks in found.items() if is_detected(tracks, self._min_hits)]
        objects = [self._entry(label, tracks) for label, tracks in found.items()]
        return {"detected": detected, "count": len(detected), "objects": objects}

    def _entry(self, label: str, tracks: Sequence[TrackSummary]) -> ObjectEntry:
        entry: ObjectEntry = {
            "label": label,
            "tracks": len(counted_tracks(tracks, self._times, self._min_hits)),
            "hits": len(set().union(*(track.frames for track in tracks))),
            "max_conf": round(max(track.labels[label].max_conf for track in tracks), SCORE_DIGITS),
            "first_s": min(track.first_s for track in tracks),
            "last_s": max(track.last_s for track in tracks),
        }
        also: dict[str, set[int]] = {}
        for track in tracks:
            for other, support in track.labels.items():
                if other != label:
                    also.setdefault(other, set()).update(support.frames)
        if also:
            entry["also"] = {other: len(also[other]) for other in sorted(also, key=lambda one: (-len(also[one]), one))}
        return entry
