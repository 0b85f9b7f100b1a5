"""What an inference engine is to the rest: a model file opened, pictures in, raw output arrays out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from shared_utils.errors import ModelError, SettingError
from shared_utils.media.picture import Picture
from video_worker.engines.onnx_file import HEAD_BYTES, explain, foreign

Output = NDArray[np.float32]
"""A head's output without its batch dimension."""
Shape = tuple[int | None, ...]

ENGINES = ("openvino", "onnxruntime")


class Engine(Protocol):
    """One model in one engine.

    Attributes:
        name: engine and version, for the record.
        device: what it really computes on, in the engine's own name.
        metadata: the file's custom metadata.
        input_shape: of the picture input, None for an open dimension.
        output_shapes: of all outputs.
    """

    name: str
    device: str
    metadata: Mapping[str, str]
    input_shape: Shape
    output_shapes: tuple[Shape, ...]

    @property
    def depth(self) -> int:
        """Pictures worth having under way at once."""

    def start(self, picture: Picture) -> Callable[[], Output]:
        """Begin inference of a letterboxed `picture`; the function returned waits for its output.

        At most :attr:`depth` may be under way, and they are waited for in the order they were started.
        """

    def use_threads(self, threads: int) -> None:
        """Compute with so many threads from the next picture on. Nothing may be under way."""


def open_engine(kind: str, device: str, weights: Path, threads: int) -> Engine:
    """Return `weights` opened by the engine that `kind` names.

    Args:
        kind: one of :data:`ENGINES`.
        device: the engine's own name of a device, such as ``CPU``.
        weights: an ONNX file.
        threads: threads to compute with.

    Raises:
        ModelError: the file cannot be read, or is no model.
        SettingError: there is no such device, it cannot be used, or the engine is not installed.
    """
    try:
        with weights.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError as error:
        raise ModelError(f"{weights} cannot be read: {error.strerror}") from None
    if not head:
        raise ModelError(f"{weights.name} is empty")
    # looked at here, since of other files the engines' parsers complain on stderr at length
    other = foreign(head)
    if other is not None:
        raise ModelError(f"{weights.name} is no ONNX model{': ' * bool(other)}{other}")
    # only the engine that is asked for is imported: each costs memory and start-up time
    try:
        if kind == "openvino":
            from video_worker.engines.openvino import OpenVinoEngine

            return OpenVinoEngine(weights, device, threads)
        from video_worker.engines.onnxruntime import OnnxRuntimeEngine

        return OnnxRuntimeEngine(weights, device, threads)
    except ImportError as error:
        raise SettingError(f"DETECTOR is {kind!r}, which can not be loaded here: {error}") from None


def unreadable(weights: Path, engine: str, error: Exception) -> ModelError:
    """Return the error for a model that `engine` could not open for `error`: in one line, with the reason."""
    reason = explain(weights)
    if reason is None:
        # the last line of what engines say is the reason, those before are places in their source
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        reason = lines[-1][:200] if lines else type(error).__name__
    return ModelError(f"{weights.name} is no ONNX model that {engine} can read: {reason}")
