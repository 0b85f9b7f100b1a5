"""The analysis step by step, without queue and worker, by the worker's own modules: to find out why."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from notebooks.lab.jobs.send import model_names
from notebooks.lab.media.clip import Box, RunBoxes, Sampled, runs_of
from shared_utils.config.classes import SETTING, known_classes
from shared_utils.config.job_options import OPTION_SETTINGS, options_from_env
from shared_utils.errors import ClipError, ModelError, SettingError
from shared_utils.file_hash import file_sha256
from shared_utils.media.frames import ClipFacts, ClipReader, Frame, ReadOptions
from shared_utils.media.picture import Picture
from video_worker.engines.base import Array, EngineChoice
from video_worker.models.detector import OnnxDetector
from video_worker.models.geometry import Letterbox
from video_worker.models.model_info import ModelInfo
from video_worker.models.postprocess import Detections, decode_raw
from video_worker.models.prepare import letterbox
from video_worker.models.registry import LoadedModel
from video_worker.pipeline import record as records
from video_worker.pipeline.cores import share_of_cores
from video_worker.pipeline.run_names import RunNames, make_run_id
from video_worker.pipeline.runner import StepRunner
from video_worker.pipeline.tracking import NO_TRACK
from video_worker.settings import AnalysisSettings
from video_worker.steps.context import Source, StepContext

IGNORED_KEYS = ("run_id", "job_id", "timestamp", "timing", "zones", "setup")
"""Keys in which two runs over one clip differ: ids and times, and what zones count, which is no part of this."""


@dataclass(frozen=True)
class FrameTrace:
    """One frame on its way through the model.

    Attributes:
        frame: as it was decoded.
        fit: how it was fitted into the model's input.
        model_input: the letterboxed picture.
        raw: the head's output without its batch dimension.
        candidates: all boxes from `min_score` up, in pixels of the model's input, before duplicates go.
        kept: those left after NMS, in pixels of the clip.
        min_score: score from which boxes are kept.
    """

    frame: Frame
    fit: Letterbox
    model_input: Picture
    raw: Array
    candidates: Detections
    kept: Detections
    min_score: float


def worker_values(video_dir: Path, filename: str, **settings: object) -> dict[str, str]:
    """Return the environment that analyses `filename` as its last run did.

    Args:
        settings: options that differ: `model`, `conf`, `imgsz`, `fps`, `min_hits`, `classes`, `aspect`.

    Raises:
        ModelError: no models folder holds a model.
    """
    models = model_names()
    if not models:
        raise ModelError("no model in the folders of MODELS_DIR: put an ONNX file there, see models/README.md")
    last = next((run.record for run in runs_of(video_dir, filename) if run.record), None)
    options = {key: value for key, value in (last or {}).get("options", {}).items() if key in _NAMES}
    if options.get("model") not in models:
        own = options_from_env(os.environ).model
        options["model"] = own if own in models else models[0]
    options |= {key: value for key, value in settings.items() if value is not None}
    unknown = sorted(set(options) - set(_NAMES))
    if unknown:
        raise SettingError(f"unknown option {unknown[0]!r}: the options are {', '.join(_NAMES)}")
    values = {_NAMES[key]: str(value) for key, value in options.items() if key != "classes" and value is not None}
    classes = options.get("classes") or ()
    values["YOLO_CLASSES"] = classes if isinstance(classes, str) else ",".join(classes)
    return values


_NAMES = {field: setting.name for field, setting in OPTION_SETTINGS.items()}


class Isolated:
    """One clip and one model, step by step.

    Args:
        path: the clip.
        values: settings as the worker takes them from its environment; see :func:`worker_values`.

    Attributes:
        options: how the clip is analysed.
        info: what the model says of itself.
        facts: what the clip is.
        samples: after :meth:`run`: all sampled frames with their boxes.
        record: after :meth:`run`: the record.

    Raises:
        ClipMissing, ClipError, ModelError, SettingError: it cannot be analysed.
    """

    def __init__(self, path: Path, values: Mapping[str, str]) -> None:
        self.path = path
        self._values = {**os.environ, **values}
        settings = AnalysisSettings.from_env(self._values)
        self.options = settings.options
        self._weights = settings.own_model
        self._threads = settings.threads or share_of_cores(1)
        choice = EngineChoice(settings.engine, settings.device, self._threads)
        self._detector = OnnxDetector.open(self._weights, choice)
        self.info: ModelInfo = self._detector.info
        classes = known_classes(self.options.classes, self.info.labels, self._weights.stem, SETTING)
        self.options = replace(self.options, classes=classes)
        with ClipReader(path, self.options.fps, self._threads, ReadOptions(self.options.aspect)) as reader:
            self.facts: ClipFacts = reader.facts
        self._context = StepContext(Source.of_clip(self.facts), self.options, self.info.labels, detector=self._detector)
        self.samples: list[Sampled] = []
        self.record: dict[str, Any] = {}

    @property
    def engine(self) -> str:
        """Engine and version."""
        return self._detector.engine

    @property
    def min_score(self) -> float:
        """Score from which the worker keeps boxes."""
        return self._context.min_score

    def as_frame(self) -> pd.DataFrame:
        """Return clip, model and options, one value per row."""
        facts, options = self.facts, self.options
        head = "end to end, no NMS" if self.info.end_to_end else "raw, NMS follows"
        size = f"{facts.width}×{facts.height}, {facts.frames} frames in {facts.duration_s:.1f} s"
        fixed = f"always {self.info.fixed_wh[0]}×{self.info.fixed_wh[1]}" if self.info.fixed_wh else "any size"
        names = ", ".join(self.info.labels[:6]) + (", …" if len(self.info.labels) > 6 else "")
        rows = {
            "clip": f"{self.path.name}: {size}",
            "model": f"{options.model}: {len(self.info.labels)} classes ({names})",
            "its input and head": f"{fixed}, sides multiples of {self.info.stride}; {head}",
            "engine": f"{self.engine}, {self._threads} threads",
            "sampled": f"{facts.sampled} frames, {options.fps:g} per second",
            "threshold": f"{options.conf:g}, in {options.min_hits} sampled frames or more",
            "reported": ", ".join(options.classes) or "all labels",
            "longest side": f"{options.imgsz} px",
        }
        return pd.DataFrame({"": rows.values()}, index=pd.Index(rows.keys()), dtype=object)

    def frames(self) -> Generator[Frame]:
        """Yield the sampled frames, as the worker decodes them."""
        with ClipReader(self.path, self.options.fps, self._threads, ReadOptions(self.options.aspect)) as reader:
            yield from reader

    def trace_at(self, time_s: float) -> FrameTrace:
        """Trace the last sampled frame up to `time_s` through the model.

        Raises:
            ClipError: there is none.
        """
        found: Frame | None = None
        for frame in self.frames():
            if found is not None and frame.time_s > time_s:
                break
            found = frame
        if found is None:
            raise ClipError(f"{self.path.name} has no frame that can be decoded")
        return self.trace(found)

    look_at = trace_at
    """Its former name: copies of the notebook that people keep use it."""

    def trace(self, frame: Frame) -> FrameTrace:
        """Trace a frame through the model: letterbox, inference, NMS."""
        fit = self._detector.fit(frame.picture, self.options.imgsz)
        model_input = letterbox(frame.picture, fit)
        raw = self._detector.infer(model_input)()
        found = self._detector.decode(raw, self.min_score)
        kept = Detections(fit.to_source(found.xyxy), found.scores, found.classes)
        return FrameTrace(frame, fit, model_input, raw, self._candidates(raw, found), kept, self.min_score)

    def boxes_of(self, found: Detections, tracks: Sequence[int] | None = None) -> list[Box]:
        """Return detections as boxes to draw."""
        numbers = tracks if tracks is not None else [NO_TRACK] * len(found)
        return [
            Box(self.info.labels[number], score, (x1, y1, x2, y2), None if track == NO_TRACK else track)
            for number, score, (x1, y1, x2, y2), track in zip(
                found.classes.tolist(), found.scores.tolist(), found.xyxy.tolist(), numbers, strict=True
            )
        ]

    def run(self) -> RunBoxes:
        """Take all sampled frames through all steps; fill :attr:`samples` and :attr:`record`."""
        self.samples = []
        with StepRunner(self._context) as runner, closing(self.frames()) as frames:
            bar = tqdm(runner.samples(frames), total=self.facts.sampled, desc=self.path.name, unit=" frames")
            for sample in bar:
                boxes = tuple(self.boxes_of(sample.detections, sample.tracks.tolist()))
                self.samples.append(Sampled(sample.time_s, sample.index, boxes))
            self.record = self._record(runner.results())
        return RunBoxes(self.samples, 1 / self.options.fps if self.options.fps else 0.0)

    def command(self) -> list[str]:
        """Return the command that does the same."""
        return [sys.executable, "-m", "video_worker", "analyse", str(self.path)]

    def run_command(self) -> dict[str, Any]:
        """Return the record that ``python -m video_worker analyse`` prints for the clip, with the same settings.

        Raises:
            ClipError: it ends with an error.
        """
        done = subprocess.run(self.command(), env=self._values, capture_output=True, text=True, check=False)
        if done.returncode:
            lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
            raise ClipError(f"python -m video_worker analyse: {lines[-1]}")
        record: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return record

    def _candidates(self, raw: Array, kept: Detections) -> Detections:
        if self.info.end_to_end:
            return kept
        # one column at a time: alone, no box is another one's duplicate
        columns = np.flatnonzero(raw[4:].max(axis=0) >= self.min_score)
        found = [decode_raw(raw[:, [column]], self.min_score) for column in columns]
        if not found:
            return Detections.empty()
        everything = Detections(
            np.concatenate([one.xyxy for one in found]),
            np.concatenate([one.scores for one in found]),
            np.concatenate([one.classes for one in found]),
        )
        return everything.take(np.argsort(-everything.scores, kind="stable"))

    def _record(self, results: Mapping[str, object]) -> dict[str, Any]:
        now = datetime.now().astimezone()
        names = RunNames(self.path.name, make_run_id(now, str(self.path)), None)
        model = LoadedModel.of(self._weights, self._detector)
        record = records.success(
            names,
            self.options,
            records.clip_entry(self.path.name, self.facts, file_sha256(self.path)),
            records.model_entry(model, self.options),
            records.timing_entry(None, 0.0, 0.0, 0.0),
            results,
            now,
        )
        return dict(record)


def differences(record: Mapping[str, Any], other: Mapping[str, Any]) -> pd.DataFrame:
    """Return the differences of two records, but for :data:`IGNORED_KEYS`: one row per key, empty for none."""
    rows = [
        {"key": key, "here": record.get(key), "there": other.get(key)}
        for key in dict.fromkeys([*record, *other])
        if key not in IGNORED_KEYS and record.get(key) != other.get(key)
    ]
    return pd.DataFrame(rows, columns=["key", "here", "there"])
