"""Clips whose every frame shows its own number, and runs over them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from notebooks.lab.jobs.places import Places
from shared_utils.config.redis import RedisSettings
from shared_utils.contracts.detections_log import append_record

BITS = 9
RUN_ID = "01a210bd-853f-796e-ae28-1e87ffd46724"
LATER_ID = "01a210be-853f-796e-ae28-1e87ffd46724"
STRANGE = "Hof & Garten #1 ü 100%.mp4"


def barcode(fps: float, width: int = 288, height: int = 96):
    """Return a function of time that draws a frame's number in black and white stripes, most significant bit left."""

    def draw(seconds: float) -> np.ndarray:
        number = round(seconds * fps)
        stripes = [255 * (number >> bit & 1) for bit in reversed(range(BITS))]
        row = np.repeat(np.array(stripes, np.uint8), width // BITS)
        return np.ascontiguousarray(np.broadcast_to(row[None, :, None], (height, width, 3)))

    return draw


def number_in(picture: np.ndarray) -> int:
    height, width = picture.shape[:2]
    centres = (np.arange(BITS) + 0.5) * width / BITS
    bits = picture[height // 2, centres.astype(int)].mean(axis=1) > 127
    return int("".join("1" if bit else "0" for bit in bits), 2)


def line(time_s: float, frame: int, *boxes: list) -> str:
    return json.dumps({"t": time_s, "frame": frame, "boxes": list(boxes)}) + "\n"


def add_run(path: Path, lines: str, run_id: str = RUN_ID, conf: float = 0.5) -> None:
    """Log a run over `path`, with its boxes file."""
    folder = path.parent / "boxes"
    folder.mkdir(exist_ok=True)
    (folder / f"{path.stem}.{run_id}.jsonl").write_text(lines)
    record = {
        "ok": True,
        "filename": path.name,
        "detected": ["car"],
        "count": 1,
        "timestamp": "2026-02-23T14:48:49+00:00",
        "run_id": run_id,
        "objects": [],
        "model": {"name": "scene", "conf": conf, "fps": 5, "imgsz": 640},
        "options": {"min_hits": 2},
    }
    append_record(path.parent / "detections_log.jsonl", record)


CAR = ["car", 0.9, 20.0, 20.0, 80.0, 60.0, 1]
CARS = line(0.0, 0, CAR) + line(0.2, 2, ["car", 0.8, 40.0, 20.0, 100.0, 60.0, 1], ["cat", 0.2, 5, 5, 9, 9, None])


def places(folder: Path) -> Places:
    return Places(folder, RedisSettings("127.0.0.1", 1))
