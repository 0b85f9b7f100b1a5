"""The interface of an inference engine: named arrays in, named arrays out.

An engine knows nothing of boxes, text or vectors: what goes into a model and what its outputs mean is the matter of
the task adapters in :mod:`video_worker.models`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray

Array = NDArray[Any]
Arrays = Mapping[str, Array]
"""Arrays by the names that the model gives its inputs or outputs."""
Shape = tuple[int | None, ...]
"""Sizes of an input or output, None for an open dimension."""

ENGINES = ("openvino", "onnxruntime")


@dataclass(frozen=True)
class EngineChoice:
    """What models run on.

    Attributes:
        kind: one of :data:`ENGINES`.
        device: the engine's own name of a device, such as ``CPU``.
        threads: threads to compute with.
        shapes: input shapes that OpenVINO keeps ready; one of a yolov8n costs 20 to 45 MB and 0.2 s. One clip is one
            shape.
    """

    kind: str = "openvino"
    device: str = "CPU"
    threads: int = 1
    shapes: int = 2


@dataclass(frozen=True)
class PictureFormat:
    """How the values of a picture become those of a model's input: ``pixel / divisor`` in the model's channel order.

    The model takes planes (batch, channels, height, width); pictures are rows of pixels (batch, height, width,
    channels), blue green red, 0..255. Engines convert them, since OpenVINO does it within the compiled model: there it
    costs less than any conversion in numpy.

    Attributes:
        rgb: whether the model takes red first.
        divisor: what values are divided by.
    """

    rgb: bool = True
    divisor: float = 255.0


class Engine(Protocol):
    """One model in one engine.

    Attributes:
        name: engine and version, for the record.
        device: what it really computes on, in the engine's own name.
        metadata: the file's custom metadata.
        input_shapes: of all inputs, by name, in the model's order.
        output_shapes: of all outputs, likewise.
    """

    name: str
    device: str
    metadata: Mapping[str, str]
    input_shapes: Mapping[str, Shape]
    output_shapes: Mapping[str, Shape]

    @property
    def depth(self) -> int:
        """Inferences worth having under way at once."""

    def take_pictures(self, input_name: str, picture_format: PictureFormat) -> None:
        """Have an input take pictures instead of the model's own arrays. To be called before the first inference.

        Raises:
            ModelError: the input does not take real numbers.
        """

    def start(self, inputs: Arrays) -> Callable[[], Arrays]:
        """Begin inference; the function returned waits for all outputs, each an array of its own.

        The arrays must not change until the outputs are there. At most :attr:`depth` inferences may be under way, and
        they are waited for in the order they were started.

        Raises:
            ValueError: `inputs` are not those of the model.
            ModelError: the model cannot be run on arrays of these shapes.
        """

    def run(self, inputs: Arrays) -> Arrays:
        """Return all outputs for `inputs`: :meth:`start`, and the wait for it."""

    def use_threads(self, threads: int) -> None:
        """Compute with so many threads from the next inference on. None may be under way."""


def check_names(inputs: Arrays, wanted: Mapping[str, Shape]) -> None:
    """Refuse inputs of other names than the model's.

    Raises:
        ValueError: one is missing, or unknown.
    """
    if inputs.keys() != wanted.keys():
        raise ValueError(f"the model takes {', '.join(wanted)}, not {', '.join(inputs) or 'nothing'}")
