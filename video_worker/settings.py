"""The worker's settings, from the environment (DESIGN 3.1)."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from shared_utils.config.env import Env, LogSettings, RedisSettings
from shared_utils.config.job_options import options_from_env
from shared_utils.config.models_dir import models_dirs
from shared_utils.contracts.job_options import Options
from shared_utils.errors import SettingError
from video_worker.engines.base import ENGINES

MAX_THREADS = 256
STOP_GRACE_S = 8.0
"""Seconds a job may go on after SIGTERM before it is handed back: Docker kills after 10 if not told otherwise."""


@dataclass(frozen=True)
class AnalysisSettings:
    """What analysis needs, with or without a queue.

    Attributes:
        options: of jobs that name none.
        models_dirs: folders where models are looked up by name, in this order.
        own_model: path of the worker's own model.
        engine: ``openvino`` or ``onnxruntime``.
        device: the engine's own name of a device.
        threads: threads to compute with; 0 shares the cores out among the workers of this machine.
    """

    options: Options
    models_dirs: tuple[Path, ...]
    own_model: Path
    engine: str
    device: str
    threads: int

    @classmethod
    def from_env(cls, values: Mapping[str, str]) -> AnalysisSettings:
        """Read the options of :class:`Options` and ``MODELS_DIR``, ``DETECTOR``, ``DETECTOR_DEVICE``, ``THREADS``.

        ``YOLO_MODEL`` is a bare name in one of the folders of :func:`shared_utils.config.models_dir.models_dirs`, or
        the path of a file.
        """
        env = Env(values)
        options = options_from_env(values)
        folders = models_dirs(values)
        # a bare name that lies in a models folder, or else a path as it stands
        places = [folder / options.model for folder in folders]
        if os.sep in options.model:
            places = [Path(options.model)]
        own = next((place for place in places if place.is_file()), None)
        if own is None:
            raise SettingError(
                f"YOLO_MODEL is {options.model!r}, but there is no file {' or '.join(map(str, places))}: put the model "
                "there, or export one with: python -m video_worker export yolov8n.pt models/yolov8n.onnx "
                "(containers: WITH_YOLOV8N=1 in .env builds it in)"
            )
        return cls(
            options=dataclasses.replace(options, model=own.name),
            models_dirs=folders,
            own_model=own,
            engine=env.choice("DETECTOR", "openvino", ENGINES),
            device=env.text("DETECTOR_DEVICE", "CPU"),
            threads=env.integer("THREADS", 0, 0, MAX_THREADS),
        )


@dataclass(frozen=True)
class WorkerSettings:
    """What the RQ worker needs beside.

    Attributes:
        stop_grace_s: seconds a job may go on after SIGTERM before it is handed back to the queue.
    """

    redis: RedisSettings
    log: LogSettings
    stop_grace_s: float

    @classmethod
    def from_env(cls, values: Mapping[str, str]) -> WorkerSettings:
        """Read those of Redis, of logging, and ``STOP_GRACE_SECONDS``."""
        return cls(
            redis=RedisSettings.from_env(values),
            log=LogSettings.from_env(values),
            stop_grace_s=Env(values).number("STOP_GRACE_SECONDS", STOP_GRACE_S, 0, 3600),
        )
