"""Writes the boxes file of a run (:mod:`shared_utils.contracts.boxes`): thresholds are swept without the model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from shared_utils.contracts.boxes import BoxesWriter
from shared_utils.durable import written
from video_worker.steps.base import Sample, Step
from video_worker.steps.context import StepContext
from video_worker.steps.declarations import BoxColumn, Kind

_WRITTEN = written("boxes cannot be written")


def _values(column: BoxColumn, sample: Sample) -> list[object]:
    """Return the values of `column` for each box, as JSON takes them; None for all of a frame that has no such column.

    A step with a rate of its own is not given every frame.
    """
    given = sample.columns.get(column.name)
    if given is None:
        return [None] * len(sample.detections)
    values: list[object] = given.tolist()
    if len(values) != len(sample.detections):
        raise ValueError(f"column {column.name!r} has {len(values)} values for {len(sample.detections)} boxes")
    if column.kind is Kind.NUMBER:
        values = [_number(value, column.digits) if isinstance(value, float) else value for value in values]
    return [None if value == column.missing else value for value in values]


def _number(value: float, digits: int) -> float | None:
    """Return `value` rounded; None for what JSON has no number for."""
    return round(value, digits) if math.isfinite(value) else None


class Boxes(Step):
    """The boxes file, which is there when it is complete.

    Args:
        labels: class names by number.
        columns: further values of each box.
        path: of the file.
    """

    needs_end = True

    @_WRITTEN
    def __init__(self, labels: Sequence[str], columns: Sequence[BoxColumn], path: Path) -> None:
        self._labels = labels
        self._columns = tuple(columns)
        self._writer = BoxesWriter(path, [column.name for column in columns])

    @classmethod
    def create(cls, context: StepContext) -> Sequence[Step]:
        """Applies where boxes are to be kept."""
        if context.output_dir is None or context.names is None:
            return []
        return [cls(context.labels, context.box_columns, context.names.boxes_path(context.output_dir))]

    @_WRITTEN
    def take(self, sample: Sample) -> None:
        """Write the frame's line."""
        found = sample.detections
        further = [_values(column, sample) for column in self._columns]
        boxes = [
            (self._labels[number], score, *corners, *rest)
            for number, score, corners, *rest in zip(
                found.classes.tolist(), found.scores.tolist(), found.xyxy.tolist(), *further, strict=True
            )
        ]
        self._writer.add(sample.time_s, sample.index, boxes, cut=sample.cut)

    @_WRITTEN
    def publish(self) -> None:
        """Publish the file: the log line that follows may rely on it."""
        self._writer.publish()

    def close(self) -> None:
        """Remove the partial file."""
        self._writer.close()
