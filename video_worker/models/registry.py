"""Loads models by task and file, and keeps them within a memory budget."""

from __future__ import annotations

import dataclasses
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from shared_utils.errors import ModelError
from shared_utils.file_hash import file_sha256
from video_worker.engines.base import EngineChoice
from video_worker.models.detector import Detector, OnnxDetector

BUDGET_MB = 400
"""Memory that loaded models may take by :func:`memory_mb`: the worker's own and some small ones, or one of medium size.
A job that loads one model after the other stays within 1 GB with the frames of a 4K clip."""
MB_PER_FILE_MB = 2.5
MODEL_BASE_MB = 40
"""What a model takes beside its weights. Measured as growth of resident memory by loading a yolov8n of 13.1 MB and
running as many pictures at once as two threads do, when the engine itself was loaded: 76 MB in OpenVINO 2026.4.1, 61 to
63 MB in ONNX Runtime; by this estimate, 73 MB."""


class Runnable(Protocol):
    """What the registry asks of a model, whatever its task."""

    def use_threads(self, threads: int) -> None:
        """Compute with so many threads from the next inference on."""


M = TypeVar("M", bound=Runnable)


@dataclass(frozen=True)
class ModelTask(Generic[M]):
    """What a model is used for, and how a file is opened for it.

    Attributes:
        name: unique among tasks.
        open: returns the model in a file, ready to use.
    """

    name: str
    open: Callable[[Path, EngineChoice], M]


@dataclass(frozen=True)
class LoadedModel:
    """A loaded detection model, with what the record holds about it.

    Attributes:
        name: file name without its suffix.
        sha256: of the file.
        detector: the model.
        device: what it really computes on; None where that is not known.
        fixed_wh: width and height of the pictures it takes, where it takes no others.
        stride: longest sides are rounded up to a multiple of it.
    """

    name: str
    sha256: str
    detector: Detector
    device: str | None = None
    fixed_wh: tuple[int, int] | None = None
    stride: int = 1

    @classmethod
    def open(cls, weights: Path, choice: EngineChoice) -> LoadedModel:
        """Return the detection model in the file `weights`.

        Raises:
            ModelError: it is no detection model that can be run here.
        """
        return cls.of(weights, OnnxDetector.open(weights, choice))

    @classmethod
    def of(cls, weights: Path, detector: OnnxDetector) -> LoadedModel:
        """Return the model in the file `weights`, which `detector` is."""
        info = detector.info
        return cls(weights.stem, file_sha256(weights), detector, detector.device, info.fixed_wh, info.stride)

    def use_threads(self, threads: int) -> None:
        """Compute with so many threads from the next picture on."""
        self.detector.use_threads(threads)

    def side(self, imgsz: int) -> int:
        """Return the longest side of the model's input where `imgsz` is asked for."""
        return max(self.fixed_wh) if self.fixed_wh else -(-imgsz // self.stride) * self.stride

    def describe(self, imgsz: int) -> str:
        """Return name, classes, size, engine and device in one line, for people."""
        size = "×".join(map(str, self.fixed_wh)) if self.fixed_wh else f"{self.side(imgsz)} px"
        device = f" on {self.device}" if self.device else ""
        return f"{self.name} with {len(self.detector.labels)} classes at {size}, {self.detector.engine}{device}"


DETECT = ModelTask("detect", LoadedModel.open)
"""Boxes of objects in a picture."""


class Models(Protocol):
    """Where models come from."""

    def get(self, task: ModelTask[M], name: str) -> M:
        """Return the model of the bare file name `name`; :class:`ModelError` where there is none."""

    def use_threads(self, threads: int) -> None:
        """Compute with so many threads from the next clip on."""


def memory_mb(size_bytes: int) -> float:
    """Return about how much memory the model in a file of this size takes, MB."""
    return MODEL_BASE_MB + MB_PER_FILE_MB * size_bytes / 1e6


@dataclass(frozen=True)
class _Key:
    """A model in memory: a task, and one state of a file."""

    task: str
    path: Path
    modified_ns: int
    size_bytes: int


class ModelRegistry:
    """Loads models from its folders and keeps them within a memory budget.

    The models used longest ago go first. One that somebody still holds is kept, as its memory would not be freed, and
    so is the worker's own. A model larger than the budget is loaded all the same. Threads may share a registry: one
    that wants a model waits while another loads.

    Args:
        folders: where bare names are looked up, in this order.
        engine: what they run on.
        own: path of the worker's own model, which may lie elsewhere; its bare name means that file.
        budget_mb: memory that loaded models may take, see :func:`memory_mb`.
    """

    def __init__(
        self, folders: Sequence[Path], engine: EngineChoice, own: Path | None = None, budget_mb: float = BUDGET_MB
    ) -> None:
        self._folders = folders
        self._engine = engine
        self._own = own
        self._budget_mb = budget_mb
        self._loaded: OrderedDict[_Key, Any] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, task: ModelTask[M], name: str) -> M:
        """Return the model of the bare file name `name` for `task`; a file that was replaced is loaded anew.

        Raises:
            ModelError: there is no such file, or it is no model for this task.
        """
        path = self._find(name)
        try:
            stat = path.stat()
        except OSError as error:
            raise ModelError(f"model {name} cannot be read from {path.parent}: {error.strerror}") from None
        key = _Key(task.name, path, stat.st_mtime_ns, stat.st_size)
        with self._lock:
            model: M | None = self._loaded.get(key)
            if model is None:
                self._make_room(key)
                model = self._load(task, path)
                self._loaded[key] = model
            self._loaded.move_to_end(key)
        return model

    def use_threads(self, threads: int) -> None:
        """Compute with so many threads from the next clip on."""
        with self._lock:
            self._engine = dataclasses.replace(self._engine, threads=threads)
            for model in self._loaded.values():
                model.use_threads(threads)

    def _make_room(self, wanted: _Key) -> None:
        """Drop models until `wanted` fits into the budget, or none is left that can be dropped."""
        for key in list(self._loaded):
            if (key.task, key.path) == (wanted.task, wanted.path):  # the file was replaced
                self._loaded.pop(key)
        for key in list(self._loaded):
            if self._used_mb() + memory_mb(wanted.size_bytes) > self._budget_mb and key.path != self._own:
                self._drop_unless_held(key)

    def _used_mb(self) -> float:
        return sum(memory_mb(key.size_bytes) for key in self._loaded)

    def _drop_unless_held(self, key: _Key) -> None:
        position = list(self._loaded).index(key)
        held = weakref.ref(self._loaded.pop(key))
        model = held()
        if model is None:
            return
        self._loaded[key] = model  # somebody works with it: back to where it was
        for later in list(self._loaded)[position:-1]:
            self._loaded.move_to_end(later)

    def _find(self, name: str) -> Path:
        if self._own is not None and name == self._own.name:
            return self._own
        paths = [(folder / name).resolve() for folder in self._folders]
        for folder, path in zip(self._folders, paths, strict=True):
            if not path.is_relative_to(folder.resolve()):
                raise ModelError(f"model {name} is not in the models folder")
        return next((path for path in paths if path.is_file()), paths[0])

    def _load(self, task: ModelTask[M], path: Path) -> M:
        if path.suffix == ".pt":
            raise ModelError(
                f"model {path.name} is of PyTorch: turn it into ONNX with: "
                f"python -m video_worker export {path.name} {path.stem}.onnx"
            )
        return task.open(path, self._engine)
