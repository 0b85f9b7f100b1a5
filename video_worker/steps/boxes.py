"""Writes the boxes file of a run (:mod:`shared_utils.contracts.boxes`): thresholds are swept without the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from shared_utils.contracts.boxes import BoxesWriter
from shared_utils.durable import written
from video_worker.steps.base import Sample, Step
from video_worker.steps.context import StepContext
from video_worker.steps.declarations import BoxColumn, Kind

_WRITTEN = written("boxes cannot be written")


def _values(column: BoxColumn, sample: Sample) -> list[object]:
    """Return the values of `column` for each box, as JSON takes them."""
    values: list[object] = sample.columns[column.name].tolist()
    if column.kind is Kind.NUMBER:
        values = [round(value, column.digits) if isinstance(value, float) else value for value in values]
    return [None if value == column.missing else value for value in values]


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
    def result(self) -> Mapping[str, object]:
        """Publish the file: the log line that follows may rely on it."""
        self._writer.publish()
        return {}

    def close(self) -> None:
        """Remove the partial file."""
        self._writer.close()
