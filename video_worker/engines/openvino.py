"""OpenVINO behind :class:`video_worker.engines.base.Engine`."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
from openvino.preprocess import ColorFormat, PrePostProcessor

from shared_utils.errors import ModelError, SettingError
from shared_utils.media.picture import Picture
from video_worker.engines.base import Output, Shape, unreadable

MAX_STREAMS = 4
"""Pictures computed at once on a CPU, each by its share of the threads. One thread a picture wastes least: all threads
on one picture cost a tenth more, waiting for each other. More at once would hold too many pictures in memory."""
PROBE_SIDE = 64
"""Pixels of the picture for which a model is compiled to learn its device: a multiple of all strides."""
MAX_COMPILED = 2
"""Input sizes kept ready. One camera is one size; each costs about 20 MB and 0.2 s."""


class OpenVinoEngine:
    """A model, compiled for each input size it meets (a fixed size runs faster than an open one).

    Args:
        weights: an ONNX file.
        device: OpenVINO's name of a device: ``CPU``, ``GPU``, ``NPU``, ``AUTO``.
        threads: threads to compute with, on ``CPU``.
    """

    def __init__(self, weights: Path, device: str, threads: int) -> None:
        self.name = f"openvino {ov.__version__.split('-')[0]}"
        self._core = ov.Core()
        self._device = device = device.upper()  # as OpenVINO writes all of them
        self._threads = threads
        self._check_device()
        try:
            self._model = self._core.read_model(weights)
        except RuntimeError as error:
            raise unreadable(weights, "OpenVINO", error) from None
        self._compiled: OrderedDict[tuple[int, int], deque[Any]] = OrderedDict()
        self.input_shape: Shape = _shape(self._model.input(0)) if len(self._model.inputs) == 1 else ()
        self.output_shapes: tuple[Shape, ...] = tuple(_shape(output) for output in self._model.outputs)
        self.metadata: Mapping[str, str] = self._read_metadata()
        self.device = device if device == "CPU" else self._real_device()

    def _check_device(self) -> None:
        name = self._device.split(":")[0].split(".")[0]
        found = self._core.available_devices
        if name not in {"AUTO", "HETERO", "MULTI"} and not any(one.split(".")[0] == name for one in found):
            raise SettingError(f"DETECTOR_DEVICE is {self._device!r}: OpenVINO finds {', '.join(found)} here")

    def _real_device(self) -> str:
        """Return what the model is computed on: ``AUTO`` and its like choose, and other devices may refuse it.

        Raises:
            SettingError: the device cannot compute it.
        """
        shape = self.input_shape
        if len(shape) != 4:  # no model of pictures: refused by what it says of itself
            return self._device
        try:
            compiled = self._compile_model(shape[2] or PROBE_SIDE, shape[3] or PROBE_SIDE)
            found = compiled.get_property("EXECUTION_DEVICES")
        except (ModelError, RuntimeError) as error:
            raise SettingError(f"DETECTOR_DEVICE is {self._device!r}, which cannot be used here: {error}") from None
        names = [found] if isinstance(found, str) else [str(name) for name in found]
        return ", ".join(name.strip("()") for name in names) or self._device

    def _read_metadata(self) -> dict[str, str]:
        # the ONNX frontend files the custom metadata under "framework"
        if not self._model.has_rt_info(["framework"]):
            return {}
        return {str(key): str(value) for key, value in self._model.get_rt_info(["framework"]).value.items()}

    @property
    def depth(self) -> int:
        """Pictures worth having under way: those computed, and one that waits."""
        return self._streams + 1

    @property
    def _streams(self) -> int:
        return min(self._threads, MAX_STREAMS) if self._device == "CPU" else 1

    def use_threads(self, threads: int) -> None:
        """Compute with so many threads from the next picture on."""
        if threads != self._threads:
            self._threads = threads
            self._compiled.clear()

    def start(self, picture: Picture) -> Callable[[], Output]:
        """Begin inference of `picture`; the function returned waits for its output."""
        requests = self._requests(picture.shape[:2])
        request = requests[0]
        requests.rotate(-1)
        # into the request's own buffer, as numbers the model takes: the engine's own way from bytes in rows of pixels
        # to that goes through two transpositions, ten times as slow
        np.copyto(request.get_input_tensor().data[0], picture)
        request.start_async()

        def wait() -> Output:
            request.wait()
            # a copy: the buffer is the request's, and is written again some pictures later
            return np.array(request.get_output_tensor(0).data[0], np.float32)

        return wait

    def _requests(self, hw: tuple[int, ...]) -> deque[Any]:
        height, width = hw[0], hw[1]
        requests = self._compiled.get((height, width))
        if requests is None:
            while len(self._compiled) >= MAX_COMPILED:
                self._compiled.popitem(last=False)
            requests = self._compile(height, width)
            self._compiled[height, width] = requests
        self._compiled.move_to_end((height, width))
        return requests

    def _compile(self, height: int, width: int) -> deque[Any]:
        compiled = self._compile_model(height, width)
        return deque(compiled.create_infer_request() for _ in range(self.depth))

    def _compile_model(self, height: int, width: int) -> Any:
        model = self._model.clone()
        if model.input(0).partial_shape.is_dynamic:
            model.reshape([1, 3, height, width])
        steps = PrePostProcessor(model)
        steps.input().tensor().set_element_type(ov.Type.f32).set_layout(ov.Layout("NHWC"))
        steps.input().tensor().set_color_format(ColorFormat.BGR)
        steps.input().model().set_layout(ov.Layout("NCHW"))
        steps.input().preprocess().convert_color(ColorFormat.RGB).scale(255.0)
        config: dict[str, Any] = {}
        if self._device == "CPU":
            config = {
                "INFERENCE_NUM_THREADS": self._threads,
                "NUM_STREAMS": self._streams,
                # bound to cores, the threads of several workers would all sit on the same first ones
                "ENABLE_CPU_PINNING": False,
                # the default may pick bfloat16, which is another answer on another machine
                "INFERENCE_PRECISION_HINT": "f32",
            }
        try:
            return self._core.compile_model(steps.build(), self._device, config)
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[-1][:200]
            raise ModelError(f"OpenVINO cannot run the model at {width}×{height}: {reason}") from None


def _shape(port: Any) -> Shape:
    return tuple(None if size.is_dynamic else int(size.get_length()) for size in port.partial_shape)
