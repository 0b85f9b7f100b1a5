"""Reads the metadata of an exported model. Pure: metadata and shapes in, facts or an error out.

ultralytics writes names, stride, task and size into an ONNX file's metadata as text of Python literals.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shared_utils.errors import ModelError

BOX_NUMBERS = 4
END_TO_END_NUMBERS = 6
"""Numbers per box in an end-to-end output: corners, score, class."""


@dataclass(frozen=True)
class ModelInfo:
    """A detection model.

    Attributes:
        labels: class names by number.
        stride: input sides are multiples of it.
        end_to_end: whether its output is free of duplicates (see :mod:`video_worker.models.postprocess`).
        fixed_wh: width and height of its input, where it takes no other.
    """

    labels: tuple[str, ...]
    stride: int
    end_to_end: bool
    fixed_wh: tuple[int, int] | None


def read_model_info(
    metadata: Mapping[str, str], input_shape: Sequence[int | None], output_shapes: Sequence[Sequence[int | None]]
) -> ModelInfo:
    """Return the facts of a model.

    Args:
        metadata: the file's custom metadata.
        input_shape: of its picture input: batch, channels, height, width; None for an open dimension.
        output_shapes: of all its outputs, likewise.

    Raises:
        ModelError: it is no ultralytics detection model, or of a kind that cannot be run here.
    """
    task = metadata.get("task")
    if task is None or "names" not in metadata:
        raise ModelError("it carries no ultralytics metadata: export it with: python -m video_worker export")
    if task != "detect":
        raise ModelError(f"it is made for {task!r}, not for detection")
    labels = _labels(metadata["names"])
    if len(input_shape) != 4 or input_shape[1] not in {None, 3}:
        raise ModelError(f"its input is {_describe(input_shape)}, not a batch of colour pictures")
    if input_shape[0] not in {None, 1}:
        raise ModelError(f"it was exported for batches of {input_shape[0]}: export it with batch=1")
    return ModelInfo(
        labels=labels,
        stride=_stride(metadata),
        end_to_end=_is_end_to_end(metadata, output_shapes, len(labels)),
        fixed_wh=_fixed(input_shape),
    )


def _labels(text: str) -> tuple[str, ...]:
    try:
        names = ast.literal_eval(text)
        listed = names if isinstance(names, list) else [names[number] for number in range(len(names))]
    except (ValueError, SyntaxError, TypeError, KeyError, MemoryError, RecursionError):
        raise ModelError("its class names cannot be read") from None
    if not listed:
        raise ModelError("it has no classes")
    return tuple(str(name) for name in listed)


def _stride(metadata: Mapping[str, str]) -> int:
    try:
        stride = int(metadata.get("stride", "32"))
    except ValueError:
        stride = 0
    if not 1 <= stride <= 256:
        raise ModelError(f"its stride is {metadata.get('stride')!r}, which makes no sense")
    return stride


def _fixed(input_shape: Sequence[int | None]) -> tuple[int, int] | None:
    height, width = input_shape[2], input_shape[3]
    if (height is None) != (width is None):
        raise ModelError(f"its input is {_describe(input_shape)}: export it with both sides open or none")
    return (width, height) if height is not None and width is not None else None


def _is_end_to_end(metadata: Mapping[str, str], output_shapes: Sequence[Sequence[int | None]], classes: int) -> bool:
    if _is_rtdetr(metadata, output_shapes, classes):
        raise ModelError("it is an RT-DETR, whose output is of another kind: use a YOLO model")
    if len(output_shapes) == 1 and len(output_shapes[0]) == 3:
        _, rows, columns = output_shapes[0]
        is_declared = metadata.get("end2end", "").lower() == "true" or _exported_with_nms(metadata)
        # with two classes a raw head has six rows too, so the metadata is asked before the shape
        if columns == END_TO_END_NUMBERS == BOX_NUMBERS + classes != rows and not (is_declared or _is_yolo(metadata)):
            raise ModelError(
                "its output of 6 numbers per box for two classes is that of an RT-DETR or of an end-to-end YOLO, and "
                "it does not say which: export it again with a current ultralytics"
            )
        if columns == END_TO_END_NUMBERS and (is_declared or rows != BOX_NUMBERS + classes):
            return True
        if rows == BOX_NUMBERS + classes and not is_declared:
            return False
    shapes = ", ".join(_describe(shape) for shape in output_shapes)
    raise ModelError(f"its output is {shapes}, which is no detection head with {classes} classes that is known here")


def _is_rtdetr(metadata: Mapping[str, str], output_shapes: Sequence[Sequence[int | None]], classes: int) -> bool:
    declared = f"{metadata.get('head', '')} {metadata.get('description', '')}".lower().replace("-", "").replace("_", "")
    if "rtdetr" in declared:
        return True
    # boxes by row with a score per class, which no YOLO has; six columns may be either
    columns = output_shapes[0][2] if len(output_shapes) == 1 and len(output_shapes[0]) == 3 else None
    rows = output_shapes[0][1] if columns is not None else None
    numbers = BOX_NUMBERS + classes
    return columns == numbers != END_TO_END_NUMBERS and rows != numbers and not _is_yolo(metadata)


def _is_yolo(metadata: Mapping[str, str]) -> bool:
    return "yolo" in metadata.get("description", "").lower() or "detect" in metadata.get("head", "").lower()


def _exported_with_nms(metadata: Mapping[str, str]) -> bool:
    try:
        arguments = ast.literal_eval(metadata.get("args", "{}"))
    except (ValueError, SyntaxError):
        return False
    return isinstance(arguments, dict) and arguments.get("nms") is True


def _describe(shape: Sequence[int | None]) -> str:
    return "×".join("?" if size is None else str(size) for size in shape)
