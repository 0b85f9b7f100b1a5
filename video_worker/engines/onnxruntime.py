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
from shared_utils.media.picture import Picture
from video_worker.engines.base import Output, Shape, unreadable

MAX_STREAMS = 4
"""Pictures computed at once on a CPU, each by its share of the threads; see the same of OpenVINO."""
ERRORS_ONLY = 3
"""Severity of ONNX Runtime's own log lines from which they are shown."""
INPUT_TYPES: dict[str, Any] = {"tensor(float)": np.float32, "tensor(float16)": np.float16}
"""Numbers that models take pictures in."""
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
        model_input = self._session.get_inputs()[0]
        self._input_name = model_input.name
        if model_input.type not in INPUT_TYPES:
            raise ModelError(f"{weights.name} takes {model_input.type} for pictures: export it without quantised input")
        self._input_type = INPUT_TYPES[model_input.type]
        self.input_shape: Shape = _shape(model_input) if len(self._session.get_inputs()) == 1 else ()
        self.output_shapes: tuple[Shape, ...] = tuple(_shape(output) for output in self._session.get_outputs())
        self.metadata: Mapping[str, str] = dict(self._session.get_modelmeta().custom_metadata_map)

    @property
    def depth(self) -> int:
        """Pictures worth having under way: those computed, and one that waits."""
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
        """Compute with so many threads from the next picture on."""
        if threads != self._threads:
            self._threads = threads
            self._session = self._open()
            self._pool.shutdown()
            self._pool = ThreadPoolExecutor(self._streams, "onnxruntime")

    def start(self, picture: Picture) -> Callable[[], Output]:
        """Begin inference of `picture`; the function returned waits for its output."""
        return self._pool.submit(self._run, picture).result

    def _run(self, picture: Picture) -> Output:
        # blue green red, rows of pixels -> red green blue, planes
        planes = picture[..., ::-1].transpose(2, 0, 1)[None].astype(np.float32) / np.float32(255)
        planes = np.ascontiguousarray(planes, self._input_type)
        outputs = self._session.run(None, {self._input_name: planes})
        return np.asarray(outputs[0][0], np.float32)


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
