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
from video_worker.engines.base import Arrays, EngineChoice, PictureFormat, Shape, check_names
from video_worker.engines.onnx_file import unreadable

MAX_STREAMS = 4
"""Inferences computed at once on a CPU, each by its share of the threads. One thread per inference wastes least: all
threads on one picture cost a tenth more, waiting for each other. More at once would hold too much in memory."""
PROBE_SIDE = 64
"""Size of open dimensions for which a model is compiled to learn its device: a multiple of all strides."""

Shapes = tuple[tuple[int, ...], ...]
"""Of the arrays of one inference, in the order of the model's inputs."""


class OpenVinoEngine:
    """A model, compiled for each shape of input it meets (a fixed shape runs faster than an open one).

    Args:
        weights: an ONNX file.
        device: OpenVINO's name of a device: ``CPU``, ``GPU``, ``NPU``, ``AUTO``.
        threads: threads to compute with, on ``CPU``.
        fixed_shapes: False compiles the model once, with its dimensions left open.
        max_compiled: input shapes kept ready.
    """

    def __init__(
        self,
        weights: Path,
        device: str,
        threads: int,
        *,
        fixed_shapes: bool = True,
        max_compiled: int = EngineChoice.shapes,
    ) -> None:
        self.name = f"openvino {ov.__version__.split('-')[0]}"
        self._core = ov.Core()
        self._device = device = device.upper()  # as OpenVINO writes all of them
        self._threads = threads
        self._check_device()
        try:
            self._model = self._core.read_model(weights)
        except RuntimeError as error:
            raise unreadable(weights, "OpenVINO", error) from None
        self._fixed_shapes = fixed_shapes
        self._max_compiled = max_compiled
        self._compiled: OrderedDict[Shapes, deque[Any]] = OrderedDict()
        self._pictures: dict[str, PictureFormat] = {}
        self.input_shapes: Mapping[str, Shape] = {_name(port): _shape(port) for port in self._model.inputs}
        self.output_shapes: Mapping[str, Shape] = {_name(port): _shape(port) for port in self._model.outputs}
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
        try:
            compiled = self._compile_model(tuple(_probe_shape(shape) for shape in self.input_shapes.values()))
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
        """Inferences worth having under way: those computed, and one that waits."""
        return self._streams + 1

    @property
    def _streams(self) -> int:
        return min(self._threads, MAX_STREAMS) if self._device == "CPU" else 1

    def use_threads(self, threads: int) -> None:
        """Compute with so many threads from the next inference on."""
        if threads != self._threads:
            self._threads = threads
            self._compiled.clear()

    def take_pictures(self, input_name: str, picture_format: PictureFormat) -> None:
        """Have an input take pictures instead of the model's own arrays."""
        self._pictures[input_name] = picture_format
        self._compiled.clear()

    def start(self, inputs: Arrays) -> Callable[[], Arrays]:
        """Begin inference; the function returned waits for all outputs."""
        check_names(inputs, self.input_shapes)
        arrays = [inputs[name] for name in self.input_shapes]
        requests = self._requests(tuple(array.shape for array in arrays) if self._fixed_shapes else ())
        request = requests[0]
        requests.rotate(-1)
        for number, array in enumerate(arrays):
            tensor = request.get_input_tensor(number)
            if not self._fixed_shapes:
                tensor.shape = array.shape
            # into the request's own buffer, as numbers the model takes: the engine's own conversion of bytes in rows
            # of pixels goes through two transpositions and is ten times as slow
            np.copyto(tensor.data, array)
        request.start_async()

        def wait() -> Arrays:
            request.wait()
            # copies: the buffers are the request's, which computes again some inferences later
            return {name: np.array(request.get_output_tensor(at).data) for at, name in enumerate(self.output_shapes)}

        return wait

    def run(self, inputs: Arrays) -> Arrays:
        """Return all outputs for `inputs`."""
        return self.start(inputs)()

    def _requests(self, shapes: Shapes) -> deque[Any]:
        requests = self._compiled.get(shapes)
        if requests is None:
            while len(self._compiled) >= self._max_compiled:
                self._compiled.popitem(last=False)
            compiled = self._compile_model(shapes)
            requests = deque(compiled.create_infer_request() for _ in range(self.depth))
            self._compiled[shapes] = requests
        self._compiled.move_to_end(shapes)
        return requests

    def _compile_model(self, shapes: Shapes) -> Any:
        """Return the model compiled for arrays of these shapes; with open dimensions where there are none."""
        model = self._model.clone()
        given = dict(zip(self.input_shapes, shapes, strict=False))
        own = {name: _planes(shape) if name in self._pictures else shape for name, shape in given.items()}
        try:
            open_ones = {name: self._port_index(name) for name in own if None in self.input_shapes[name]}
            if open_ones:
                model.reshape({model.input(at): list(own[name]) for name, at in open_ones.items()})
            if self._pictures:
                model = self._with_pictures(model)
            return self._core.compile_model(model, self._device, self._config())
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[-1][:200]
            described = ", ".join(self._describe(name, shape) for name, shape in given.items()) or "any shape"
            raise ModelError(f"OpenVINO cannot run the model at {described}: {reason}") from None

    def _describe(self, name: str, shape: tuple[int, ...]) -> str:
        return "×".join(map(str, (shape[2], shape[1]) if name in self._pictures else shape))

    def _port_index(self, name: str) -> int:
        return list(self.input_shapes).index(name)

    def _with_pictures(self, model: Any) -> Any:
        """Return the model with the conversion of pictures built in."""
        steps = PrePostProcessor(model)
        for name, picture_format in self._pictures.items():
            one = steps.input(self._port_index(name))
            one.tensor().set_element_type(ov.Type.f32).set_layout(ov.Layout("NHWC"))
            one.tensor().set_color_format(ColorFormat.BGR)
            one.model().set_layout(ov.Layout("NCHW"))
            if picture_format.rgb:
                one.preprocess().convert_color(ColorFormat.RGB)
            one.preprocess().scale(picture_format.divisor)
        return steps.build()

    def _config(self) -> dict[str, Any]:
        if self._device != "CPU":
            return {}
        return {
            "INFERENCE_NUM_THREADS": self._threads,
            "NUM_STREAMS": self._streams,
            # bound to cores, the threads of several workers would all sit on the same first ones
            "ENABLE_CPU_PINNING": False,
            # the default may pick bfloat16, which gives other results on other machines
            "INFERENCE_PRECISION_HINT": "f32",
        }


def _name(port: Any) -> str:
    return str(port.get_any_name())


def _probe_shape(shape: Shape) -> tuple[int, ...]:
    """Return a shape that the model takes: one picture, or what else it may be."""
    usual = (1, 3, PROBE_SIDE, PROBE_SIDE) if len(shape) == 4 else (1, *[PROBE_SIDE] * (len(shape) - 1))
    return tuple(size or other for size, other in zip(shape, usual, strict=False))


def _planes(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the model's own shape for pictures of a shape: channels before rows."""
    batch, height, width, channels = shape
    return batch, channels, height, width


def _shape(port: Any) -> Shape:
    return tuple(None if size.is_dynamic else int(size.get_length()) for size in port.partial_shape)
