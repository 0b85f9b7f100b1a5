"""Runs of two clips, written as workers write them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from devtools.paths import SCENE_MODEL
from notebooks.lab.jobs import batch
from notebooks.lab.tuning import compare
from shared_utils.contracts.detections_log import append_record, log_path
from shared_utils.contracts.job_options import Options

USUAL = Options(model=SCENE_MODEL.name)
Found = dict[int, list[tuple[Any, ...]]]
"""Boxes of a run by frame: label, score, x1, y1, x2, y2, track."""


def write_run(
    folder: Path, name: str, options: Options, found: Found, frames: Sequence[int] = range(4), **model: Any
) -> str:
    """Write a run as a worker would have: its line in the log, its boxes file. Return its id.

    Args:
        model: entries of the record's `model` that are otherwise than asked for.
    """
    run_id = f"{Path(name).stem}-" + "-".join(map(str, [*asdict(options).values(), *model.values()]))
    seen: dict[str, int] = {}
    for rows in found.values():
        for label in {row[0] for row in rows if row[1] >= options.conf}:
            seen[label] = seen.get(label, 0) + 1
    detected = [label for label, hits in seen.items() if hits >= options.min_hits]
    record = {
        "ok": True, "filename": name, "detected": detected, "count": len(detected),
        "timestamp": "2026-02-23T15:00:00+00:00", "run_id": run_id,
        "clip": {"sha256": batch.clip_sha256(folder / name), "duration_s": 10.0},
        "model": {"name": Path(options.model).stem, "sha256": batch.model_sha256(options.model), "conf": options.conf,
                  "imgsz": options.imgsz, "fps": options.fps, **model},
        "options": asdict(options),
        "timing": {"decode_s": 0.5, "infer_s": options.imgsz / 320, "total_s": 0.2 + options.imgsz / 320},
    }  # fmt: skip
    append_record(log_path(folder), record)
    (folder / "boxes").mkdir(exist_ok=True)
    lines = [{"t": n / 5, "frame": n, "boxes": [list(row) for row in found.get(n, [])]} for n in frames]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "boxes" / f"{Path(name).stem}.{run_id}.jsonl").write_text(text)
    return run_id


A, B = "20260223-100000-door.mp4", "20260223-100001-door.mp4"
CAR, DOG = (0, 0, 10, 10), (50, 50, 60, 60)


def two(volume: Path) -> compare.Comparison:
    """Return two configurations' runs: they agree on a car, and on nothing else."""
    first, second = wanted = batch.configurations([{"imgsz": 640}, {"imgsz": 320}], USUAL)
    write_run(volume, A, first.options, {
        0: [("car", 0.9, *CAR, 1)], 1: [("car", 0.8, *CAR, 1), ("dog", 0.7, *DOG, 2)], 2: [("dog", 0.9, *DOG, 2)],
    })  # fmt: skip
    write_run(volume, A, second.options, {
        0: [("car", 0.6, 0, 0, 10, 8, 1)], 1: [("car", 0.6, *CAR, 1), ("dog", 0.2, *DOG, 2)],
        3: [("cat", 0.6, *DOG, 3)],
    })  # fmt: skip
    write_run(volume, B, first.options, {})
    write_run(volume, B, second.options, {})
    return compare.load(batch.find_runs([A, B], wanted, volume), wanted, volume)
