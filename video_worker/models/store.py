"""The models a worker can use: its own, and others of the models folder that a job names."""

from __future__ import annotations

import dataclasses
import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from shared_utils.errors import ModelError
from video_worker.models.detector import Detector, OnnxDetector

MAX_LOADED = 2
"""Models kept in memory: the worker's own and the one a notebook is trying. Each takes 60 MB and more."""
HASH_BLOCK = 1 << 20
"""Bytes read at once for a hash."""


@dataclass(frozen=True)
class LoadedModel:
    """A model ready to use.

    Attributes:
        name: file name without its suffix.
        sha256: of the file.
        detector: the model.
        device: what it is really computed on; None where that is not known.
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
    def of(cls, weights: Path, detector: OnnxDetector) -> LoadedModel:
        """Return the model in the file `weights`, which `detector` is."""
        info = detector.info
        return cls(weights.stem, file_sha256(weights), detector, detector.device, info.fixed_wh, info.stride)

    def side(self, imgsz: int) -> int:
        """Return the longest side that the model sees where `imgsz` is asked for."""
        return max(self.fixed_wh) if self.fixed_wh else -(-imgsz // self.stride) * self.stride

    def in_words(self, imgsz: int) -> str:
        """Return what it is and what it is computed on, for people."""
        size = "×".join(map(str, self.fixed_wh)) if self.fixed_wh else f"{self.side(imgsz)} px"
        device = f" on {self.device}" if self.device else ""
        return f"{self.name} with {len(self.detector.labels)} classes at {size}, {self.detector.engine}{device}"


@dataclass(frozen=True)
class EngineChoice:
    """What models are run by: engine, its device, and threads to compute with."""

    kind: str = "openvino"
    device: str = "CPU"
    threads: int = 1


class Models(Protocol):
    """Where models come from."""

    def get(self, name: str) -> LoadedModel:
        """Return the model of the bare file name `name`; :class:`ModelError` where there is none."""

    def use_threads(self, threads: int) -> None:
        """Compute with so many threads from the next clip on."""


class ModelStore:
    """Loads models from its folders and keeps the last few.

    Args:
        folders: where bare names are looked up, in this order.
        engine: what they are run by.
        own: path of the worker's own model, which may lie elsewhere; its bare name means that file.
    """

    def __init__(self, folders: Sequence[Path], engine: EngineChoice, own: Path | None = None) -> None:
        self._folders = folders
        self._engine = engine
        self._own = own
        self._loaded: OrderedDict[tuple[Path, int, int], LoadedModel] = OrderedDict()

    def get(self, name: str) -> LoadedModel:
        """Return the model of the bare file name `name`; a file that was replaced is loaded anew.

        Raises:
            ModelError: there is no such file, or it is no detection model.
        """
        path = self._find(name)
        try:
            stat = path.stat()
        except OSError as error:
            raise ModelError(f"model {name} can not be read from {path.parent}: {error.strerror}") from None
        key = (path, stat.st_mtime_ns, stat.st_size)
        model = self._loaded.get(key)
        if model is None:
            while len(self._loaded) >= MAX_LOADED:
                self._loaded.popitem(last=False)
            model = self._load(path)
            self._loaded[key] = model
        self._loaded.move_to_end(key)
        return model

    def use_threads(self, threads: int) -> None:
        """Compute with so many threads from the next clip on."""
        self._engine = dataclasses.replace(self._engine, threads=threads)
        for model in self._loaded.values():
            model.detector.use_threads(threads)

    def _find(self, name: str) -> Path:
        if self._own is not None and name == self._own.name:
            return self._own
        paths = [(folder / name).resolve() for folder in self._folders]
        for folder, path in zip(self._folders, paths, strict=True):
            if not path.is_relative_to(folder.resolve()):
                raise ModelError(f"model {name} is not in the models folder")
        return next((path for path in paths if path.is_file()), paths[0])

    def _load(self, path: Path) -> LoadedModel:
        if path.suffix == ".pt":
            raise ModelError(
                f"model {path.name} is of PyTorch: turn it into ONNX with: "
                f"python -m video_worker export {path.name} {path.stem}.onnx"
            )
        detector = OnnxDetector.open(path, self._engine.kind, self._engine.device, self._engine.threads)
        return LoadedModel.of(path, detector)


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(HASH_BLOCK):
            digest.update(block)
    return digest.hexdigest()
