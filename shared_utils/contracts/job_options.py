"""Options of a job: how a clip is analysed.

Reading them from the environment and checking those of a job is in :mod:`shared_utils.config.job_options`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, TypedDict


@dataclass(frozen=True)
class Options:
    """How a clip is analysed. The defaults are those of the environment's settings.

    Attributes:
        model: bare file name of the weights, looked up in the models folder.
        conf: score threshold, 0..1.
        imgsz: longest side of the model's input, pixels.
        fps: frames sampled per second; 0 takes every frame.
        min_hits: hits that a track needs for its label to be `detected`.
        classes: labels to report; none for all.
        aspect: display aspect ratio, such as ``16:9``, for recorders that squeeze frames without signalling it; None
            for what the file says.
    """

    model: str = "yolov8n.onnx"
    conf: float = 0.5
    imgsz: int = 640
    fps: float = 5.0
    min_hits: int = 2
    classes: tuple[str, ...] = ()
    aspect: str | None = None


def options_as_dict(options: Options) -> dict[str, Any]:
    """Return `options` as a job and a record carry them."""
    return {**asdict(options), "classes": list(options.classes)}


class JobArguments(TypedDict):
    """Keyword arguments of a job.

    `filename`: bare name of a file on the shared volume; `options`: fields of :class:`Options` that differ from the
    worker's own.
    """

    filename: str
    options: dict[str, Any]


def job_arguments(filename: str, options: Mapping[str, Any]) -> JobArguments:
    """Return the keyword arguments of the job that analyses the clip `filename`."""
    return {"filename": filename, "options": dict(options)}
