"""Fine-tunes a model on reviewed frames: training, export to ONNX, and into the models folder, where workers find it.

torch and ultralytics are not in the image, and are never imported here: they run in processes of their own, which give
their memory back, can be interrupted, and get no secret of ours by their environment.
"""

from __future__ import annotations

import csv
import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from notebooks.lab.jobs.send import model_names
from shared_utils.config.folders import find_model, models_dirs
from shared_utils.config.job_options import options_from_env
from shared_utils.errors import ModelError, SettingError
from video_worker.engines.base import EngineChoice
from video_worker.models.detector import OnnxDetector

TRAINING_FOLDER = "training"
POLL_S = 0.5
"""Between two checks of a training's progress; an epoch takes seconds to minutes."""
STOP_S = 20.0
HOW_TO_ADD = (
    "Fine-tuning needs torch, which is not installed here. Add it with: WITH_TORCH=1 docker compose build jupyter && "
    "docker compose up -d jupyter (without Docker: pip install -r requirements.export.txt)"
)
INHERITED = ("PATH", "HOME", "LANG", "TZ", "TMPDIR", "PYTHONPATH", "VIRTUAL_ENV", "LD_LIBRARY_PATH")
QUIET = {
    # missing packages are reported, never downloaded
    "YOLO_OFFLINE": "true",
    "YOLO_AUTOINSTALL": "false",
    "MPLBACKEND": "Agg",
}
_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_TRAIN = """
import json, sys
from ultralytics import YOLO
options = json.loads(sys.argv[1])
YOLO(options.pop("model"), task="detect").train(**options)
"""


@dataclass(frozen=True)
class Plan:
    """How a training goes. The defaults suit some hundred pictures and a machine without a GPU.

    Attributes:
        epochs: passes over the pictures; it ends sooner when ten of them bring nothing.
        imgsz: longest side the model sees, pixels; that of the analysis is best.
        batch: pictures at a time: eight of 640 pixels take 2 GB with yolov8n.
        freeze: layers that stay as they are; the 10 of the backbone have learnt to see from far more pictures.
        rate: of learning, of its beginning.
        seed: of all that is random.
    """

    epochs: int = 30
    imgsz: int = 640
    batch: int = 8
    freeze: int = 10
    rate: float = 0.001
    seed: int = 0


def what_is_missing() -> str | None:
    """Return in a line how to add what training needs; None where it is there."""
    there = all(importlib.util.find_spec(name) for name in ("torch", "ultralytics", "onnx"))
    return None if there else HOW_TO_ADD


def model_path(name: str) -> Path:
    """Return the path of a model that a job would name so.

    Raises:
        ModelError: no models folder holds it.
    """
    found = find_model(name, os.environ)
    if found is None:
        known = ", ".join(model_names()) or "none"
        raise ModelError(f"no model {name} in the folders of MODELS_DIR; there are: {known}")
    return found


def class_names(model: str) -> tuple[str, ...]:
    """Return the class names of an ONNX model, in the order of their ids.

    Raises:
        ModelError: there is none of that name, or it is no detection model.
    """
    return OnnxDetector.open(model_path(model), EngineChoice()).labels


def usual_model() -> str | None:
    """Return the model that the clips are analysed by: that of ``YOLO_MODEL``, else any; None where there is none."""
    names = model_names()
    wanted = options_from_env(os.environ).model
    return wanted if wanted in names else next(iter(names), None)


def start_weights(model: str) -> Path | None:
    """Return the PyTorch weights to begin with: those of `model`, else any in the models folders; None without."""
    folders = [folder for folder in models_dirs(os.environ) if folder.is_dir()]
    own = [folder / f"{Path(model).stem}.pt" for folder in folders]
    others = [path for folder in folders for path in sorted(folder.glob("[!.]*.pt"))]
    return next((path for path in [*own, *others] if path.is_file()), None)


def train(data: Path, weights: Path, folder: Path, plan: Plan | None = None) -> Path:
    """Train, with a bar; return the best weights.

    A training that was interrupted goes on where its last epoch ended; one that has ended is not repeated, unless its
    data or its plan have changed. To begin anew, give another folder.

    Args:
        data: ``data.yaml``.
        weights: PyTorch weights to begin with; classes of the same ids keep what they have learnt.
        folder: of this training, such as ``video/training/tuned``.

    Raises:
        SettingError: torch is not there, or a file is not.
        ModelError: the training failed; the reason is ultralytics' last line, the rest is in ``train.log``.
    """
    plan = plan or Plan()
    missing = what_is_missing()
    if missing:
        raise SettingError(missing)
    for path in (data, weights):
        if not path.is_file():
            raise SettingError(f"{path}: there is no such file")
    folder.mkdir(parents=True, exist_ok=True)
    best, last = (folder / "weights" / f"{name}.pt" for name in ("best", "last"))
    task = _task(data, weights, folder, plan)
    same = _before(folder) == task
    if same and (folder / "done").is_file() and best.is_file():
        return best
    for name in ("done", "results.csv") if not same else ():
        (folder / name).unlink(missing_ok=True)
    (folder / "asked.json").write_text(json.dumps(task), encoding="utf-8")
    arguments = {"model": str(last.resolve()), "resume": True} if same and last.is_file() else task["arguments"]
    _run([sys.executable, "-c", _TRAIN, json.dumps(arguments)], folder, plan.epochs)
    if not best.is_file():
        raise ModelError(f"the training ended without weights; see {folder.name}/train.log")
    (folder / "done").touch()
    return best


def history(folder: Path) -> list[dict[str, float]]:
    """Return what each epoch came to, as ultralytics wrote it: ``epoch``, ``metrics/mAP50(B)``, losses, …"""
    try:
        with (folder / "results.csv").open(encoding="utf-8", newline="") as file:
            rows = [{key.strip(): value for key, value in row.items() if key} for row in csv.DictReader(file)]
    except FileNotFoundError:
        return []
    found: dict[float, dict[str, float]] = {}
    for row in rows:
        with suppress(TypeError, ValueError, KeyError):  # a line that is being written
            numbers = {key: float(value) for key, value in row.items()}
            # an epoch that was interrupted before its weights were on disk is there twice
            found[numbers["epoch"]] = numbers
    return [found[epoch] for epoch in sorted(found)]


def publish(weights: Path, name: str) -> str:
    """Export weights to ONNX, into the first models folder; return the name by which jobs can ask for it.

    Workers see it at once: a file that was there is replaced as a whole, and loaded anew.

    Raises:
        SettingError: the folder cannot be written to, or `name` is none.
        ModelError: the weights cannot be exported.
    """
    if not name or Path(name).name != name or name.startswith("."):
        raise SettingError(f"name is {name!r}: give a plain name, such as 'tuned'")
    folder = models_dirs(os.environ)[0]
    if not os.access(folder, os.W_OK):
        raise SettingError(f"MODELS_DIR: {folder} cannot be written to; mount models/ writable, or export by hand")
    out = folder / f"{name}.onnx"
    command = [sys.executable, "-m", "video_worker", "export", str(weights), str(out)]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise ModelError(_last_line(f"{done.stdout}\n{done.stderr}") or "the export failed without a message")
    return out.name


def _task(data: Path, weights: Path, folder: Path, plan: Plan) -> dict[str, Any]:
    arguments = {
        "model": str(weights.resolve()),
        "data": str(data.resolve()),
        "project": str(folder.resolve().parent),
        "name": folder.name,
        "exist_ok": True,
        "epochs": plan.epochs,
        "patience": 10,
        "imgsz": plan.imgsz,
        "batch": plan.batch,
        "freeze": plan.freeze,
        "seed": plan.seed,
        # chosen by hand: what ultralytics chooses by the number of classes moves 80 of COCO's by next to nothing
        "optimizer": "AdamW",
        "lr0": plan.rate,
        "warmup_epochs": 1.0,
        "warmup_bias_lr": 0.0,
        # loading in this process: a container's shared memory is small, and its cores are few
        "workers": 0,
        # pictures of the training would want a font from the net
        "plots": False,
        "verbose": False,
    }
    pictures = sorted(path.name for path in data.parent.glob("labels/*/*.txt"))
    boxes = sum(path.stat().st_size for path in data.parent.glob("labels/*/*.txt"))
    return {"arguments": arguments, "pictures": pictures, "bytes": boxes, "data": data.read_text(encoding="utf-8")}


def _before(folder: Path) -> Any:
    try:
        return json.loads((folder / "asked.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def environment() -> dict[str, str]:
    """Return the environment of trainings and exports: none of our secrets, and no downloads."""
    inherited = {key: os.environ[key] for key in INHERITED if key in os.environ}
    return {**inherited, **QUIET, "YOLO_CONFIG_DIR": os.environ.get("YOLO_CONFIG_DIR", "/tmp")}  # noqa: S108


def _run(command: Sequence[str], folder: Path, epochs: int) -> None:
    log = folder / "train.log"
    with log.open("w", encoding="utf-8") as output:
        process = subprocess.Popen(command, env=environment(), stdout=output, stderr=subprocess.STDOUT, cwd=folder)
        try:
            for _ in _epochs(process, folder, epochs):
                pass
        finally:
            _end(process)
    if process.returncode < 0:
        raise ModelError(f"the training was ended by signal {-process.returncode}; run it again, and it goes on")
    if process.returncode:
        reason = _last_line(log.read_text(encoding="utf-8", errors="replace"))
        raise ModelError(f"the training failed: {reason or 'without a message'}; see {folder.name}/train.log")


def _epochs(process: subprocess.Popen[bytes], folder: Path, epochs: int) -> Iterator[int]:
    with tqdm(total=epochs, unit="epoch", desc="training") as bar:
        while True:
            ended = process.poll() is not None
            rows = history(folder)
            if len(rows) > bar.n:
                bar.set_postfix_str(f"mAP50 {rows[-1].get('metrics/mAP50(B)', 0):.3f}")
                bar.update(len(rows) - bar.n)
                yield len(rows)
            if ended:
                return
            with suppress(subprocess.TimeoutExpired):
                process.wait(POLL_S)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End it where it still runs, as after the notebook's stop button; its last epoch is on disk."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _last_line(text: str) -> str:
    plain = _COLOURS.sub("", text).replace("\r", "\n")
    lines = [line.strip() for line in plain.splitlines() if line.strip()]
    return lines[-1][:300] if lines else ""
