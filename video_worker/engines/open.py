"""Opens a model file by the engine that was chosen."""

from __future__ import annotations

from pathlib import Path

from shared_utils.errors import ModelError, SettingError
from video_worker.engines.base import Engine, EngineChoice
from video_worker.engines.onnx_file import HEAD_BYTES, foreign


def open_engine(choice: EngineChoice, weights: Path, *, fixed_shapes: bool = True) -> Engine:
    """Return `weights` opened by the chosen engine.

    Args:
        choice: engine, device and threads.
        weights: an ONNX file.
        fixed_shapes: whether OpenVINO compiles the model anew for each shape of input, which runs faster. To be
            switched off for inputs whose shape changes from one inference to the next.

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
    # checked here, since the engines' parsers write pages to stderr about files of other kinds
    other = foreign(head)
    if other is not None:
        raise ModelError(f"{weights.name} is no ONNX model{': ' * bool(other)}{other}")
    # only the chosen engine is imported: each costs memory and start-up time
    try:
        if choice.kind == "openvino":
            from video_worker.engines.openvino import OpenVinoEngine

            return OpenVinoEngine(
                weights, choice.device, choice.threads, fixed_shapes=fixed_shapes, max_compiled=choice.shapes
            )
        from video_worker.engines.onnxruntime import OnnxRuntimeEngine

        return OnnxRuntimeEngine(weights, choice.device, choice.threads)
    except ImportError as error:
        raise SettingError(f"DETECTOR is {choice.kind!r}, which cannot be loaded here: {error}") from None
