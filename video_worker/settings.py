"""The worker's settings, from the environment."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from shared_utils.config.env import read_env, read_field
from shared_utils.config.folders import MODELS_DIR, PLUGINS_DIR, VIDEO_DIR, models_dirs, plugins_path, video_dir
from shared_utils.config.job_options import options_from_env
from shared_utils.config.log import LogSettings
from shared_utils.config.redis import RedisSettings
from shared_utils.config.setting import Setting, declarations
from shared_utils.contracts.job_options import Options
from shared_utils.errors import SettingError
from video_worker.engines.base import ENGINES

MAX_THREADS = 256


@dataclass(frozen=True)
class AnalysisSettings:
    """What analysis needs, with or without a queue.

    Attributes:
        options: of jobs that name none.
        models_dirs: folders where models are looked up by name, in this order.
        plugins_dir: folder of modules of people's own.
        own_model: path of the worker's own model.
        engine: ``openvino`` or ``onnxruntime``.
        device: the engine's own name of a device.
        threads: threads to compute with; 0 shares the cores out among the workers of this machine.
    """

    options: Options
    models_dirs: Annotated[tuple[Path, ...], MODELS_DIR]
    plugins_dir: Annotated[Path, PLUGINS_DIR]
    own_model: Path
    engine: Annotated[str, Setting("DETECTOR", "engine that runs models", choices=ENGINES)] = "openvino"
    device: Annotated[str, Setting("DETECTOR_DEVICE", "the engine's own name of a device")] = "CPU"
    threads: Annotated[
        int, Setting("THREADS", "threads of one worker; 0 shares the cores out", ge=0, le=MAX_THREADS)
    ] = 0

    @classmethod
    def from_env(cls, values: Mapping[str, str]) -> AnalysisSettings:
        """Read the options of :class:`Options` and ``MODELS_DIR``, ``PLUGINS_DIR``, ``DETECTOR…``, ``THREADS``.

        ``MODELS_DIR`` is a folder, or several with ':' between them, searched in turn: the user's before those that
        an image brings along. ``YOLO_MODEL`` is a bare name in one of them, or the path of a file.

        Raises:
            SettingError: a value is wrong, or there is no such model.
        """
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
        found = {**read_env(declarations(cls), values), "models_dirs": folders, "plugins_dir": plugins_path(values)}
        return cls(options=dataclasses.replace(options, model=own.name), own_model=own, **found)


@dataclass(frozen=True)
class WorkerSettings:
    """What the RQ worker needs besides.

    Attributes:
        stop_grace_s: seconds that a job may go on after SIGTERM before it is handed back to the queue. The default is
            below the 10 s after which Docker kills by default.
    """

    redis: RedisSettings
    log: LogSettings
    video_dir: Annotated[Path, VIDEO_DIR]
    stop_grace_s: Annotated[
        float, Setting("STOP_GRACE_SECONDS", "how long a job may go on after a stop, seconds", ge=0, le=3600)
    ] = 8.0

    @classmethod
    def from_env(cls, values: Mapping[str, str]) -> WorkerSettings:
        """Read those of Redis and of logging, ``STOP_GRACE_SECONDS`` and ``VIDEO_DIR``.

        Raises:
            SettingError: a value is wrong, or nothing can be written to the volume.
        """
        return cls(
            redis=RedisSettings.from_env(values),
            log=LogSettings.from_env(values),
            stop_grace_s=read_field(cls, "stop_grace_s", values),
            video_dir=video_dir(values),
        )
