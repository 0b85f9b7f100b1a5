"""ONNX Runtime behind :class:`video_worker.engines.base.Engine`."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

from shared_utils.errors import ModelError, SettingError
from video_worker.engines.base import Array, Arrays, PictureFormat, Shape, check_names
from video_worker.engines.onnx_file import unreadable

MAX_STREAMS = 4
"""Inferences computed at once on a CPU, each by its share of the threads; see the same of OpenVINO."""
ERRORS_ONLY = 3
"""Lowest severity of ONNX Runtime's own log lines that are printed."""
TYPES: dict[str, Any] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(uint8)": np.uint8,
    "tensor(int8)": np.int8,
    "tensor(bool)": np.bool_,
}
"""Types of inputs, by ONNX Runtime's names."""
PROVIDERS = {"CPU": "CPUExecutionProvider", "CUDA": "CUDAExecutionProvider"}


class OnnxRuntimeEngine:
    """A model in an ONNX Runtime session.

    Args:
        weights: an ONNX file.
        device: ``CPU``, ``CUDA``, ``AUTO`` (CUDA where present), or the full name of an execution provider.
        threads: threads to compute with, on the CPU.
    """

    def __init__(self, weights: Path, device: str, threads: int) -> None:
        self.name = f"onnxruntime {ort.__version__}"
        self._weights = weights
        self._threads = threads
        self._device = device
        self._providers = _providers(device)
        self._session = self._open()
        self.device = self._real_device()
        self._pool = ThreadPoolExecutor(self._streams, "onnxruntime")
        inputs = self._session.get_inputs()
        self._types = {port.name: _type(port, weights) for port in inputs}
        self._pictures: dict[str, PictureFormat] = {}
        self.input_shapes: Mapping[str, Shape] = {port.name: _shape(port) for port in inputs}
        self.output_shapes: Mapping[str, Shape] = {port.name: _shape(port) for port in self._session.get_outputs()}
        self.metadata: Mapping[str, str] = dict(self._session.get_modelmeta().custom_metadata_map)

    @property
    def depth(self) -> int:
        """Inferences worth having under way: those computed, and one that waits."""
        return self._streams + 1

    @property
    def _streams(self) -> int:
        return min(self._threads, MAX_STREAMS) if self._providers[0] == PROVIDERS["CPU"] else 1

    def _open(self) -> Any:
        options = ort.SessionOptions()
        options.intra_op_num_threads = max(1, self._threads // self._streams)
        options.log_severity_level = ERRORS_ONLY
        try:
            with warnings.catch_warnings():
                # of a provider that cannot be used it warns, and goes on with another: see _real_device
                warnings.simplefilter("ignore", UserWarning)
                return ort.InferenceSession(str(self._weights), options, providers=self._providers)
        except Exception as error:  # noqa: BLE001  # its errors derive from nothing but Exception
            raise unreadable(self._weights, "ONNX Runtime", error) from None

    def _real_device(self) -> str:
        """Return what the session computes on.

        Raises:
            SettingError: it is not what was asked for: ONNX Runtime falls back to the CPU by itself.
        """
        used = self._session.get_providers()
        first = used[0] if used else PROVIDERS["CPU"]
        names = {provider: name for name, provider in PROVIDERS.items()}
        if first != self._providers[0]:
            if len(self._providers) == 1:
                raise SettingError(
                    f"DETECTOR_DEVICE is {self._device!r}, but ONNX Runtime cannot use it here and computes on "
                    f"{names.get(first, first)}: install its driver and libraries, or set DETECTOR_DEVICE=CPU"
                )
            self._providers = [first]
        return names.get(first, first)

    def use_threads(self, threads: int) -> None:
        """Compute with so many threads from the next inference on."""
        if threads != self._threads:
            self._threads = threads
            self._session = self._open()
            self._pool.shutdown()
            self._pool = ThreadPoolExecutor(self._streams, "onnxruntime")

    def take_pictures(self, input_name: str, picture_format: PictureFormat) -> None:
        """Have an input take pictures instead of the model's own arrays."""
        if not np.issubdtype(self._types[input_name], np.floating):
            kind = np.dtype(self._types[input_name]).name
            raise ModelError(f"it takes {kind} for pictures: export it without quantised input")
        self._pictures[input_name] = picture_format

    def start(self, inputs: Arrays) -> Callable[[], Arrays]:
        """Begin inference; the function returned waits for all outputs."""
        check_names(inputs, self.input_shapes)
        return self._pool.submit(self._compute, inputs).result

    def run(self, inputs: Arrays) -> Arrays:
        """Return all outputs for `inputs`."""
        return self.start(inputs)()

    def _compute(self, inputs: Arrays) -> Arrays:
        outputs = self._session.run(None, {name: self._converted(name, array) for name, array in inputs.items()})
        return dict(zip(self.output_shapes, outputs, strict=True))

    def _converted(self, name: str, array: Array) -> Array:
        """Return `array` as the model's input `name` takes it."""
        picture_format = self._pictures.get(name)
        if picture_format is not None:
            planes = (array[..., ::-1] if picture_format.rgb else array).transpose(0, 3, 1, 2)
            array = planes.astype(np.float32) / np.float32(picture_format.divisor)
        return np.ascontiguousarray(array, self._types[name])


def _type(port: Any, weights: Path) -> Any:
    if port.type not in TYPES:
        raise ModelError(f"{weights.name} takes {port.type}, which no task here gives")
    return TYPES[port.type]


def _providers(device: str) -> list[str]:
    """Return the execution providers to try, in their order."""
    available = ort.get_available_providers()
    if device.upper() == "AUTO":
        return [one for one in (PROVIDERS["CUDA"], PROVIDERS["CPU"]) if one in available]
    name = PROVIDERS.get(device.upper(), device)
    if name not in available:
        raise SettingError(f"DETECTOR_DEVICE is {device!r}: ONNX Runtime offers {', '.join(available)} here")
    return [name]


def _shape(port: Any) -> Shape:
    return tuple(size if isinstance(size, int) else None for size in port.shape)
