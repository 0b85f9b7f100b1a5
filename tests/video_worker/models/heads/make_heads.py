"""Make tiny models of every head that ultralytics exports, and record what its ``predict`` finds with them.

Needs ultralytics. Random weights, from a seed: they find nonsense, but the same nonsense in every engine::

    python tests/video_worker/models/heads/make_heads.py
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

import numpy as np
import torch
import yaml
from ultralytics import YOLO
from ultralytics.nn.tasks import yaml_model_load

HERE = Path(__file__).parent
SIZE = 96
CLASSES = 3
WANTED_BOXES = (3, 40)
"""Fewer prove little; among many, some always overlap so exactly as to make agreement a matter of rounding."""

FIXED: dict[str, object] = {"imgsz": (64, 96)}
HEADS: dict[str, tuple[str, dict[str, object]]] = {
    # name: ultralytics' model, arguments of the export; of fixed size, since open ones take four times the room
    "v5u": ("yolov5n.yaml", FIXED),
    "v8": ("yolov8n.yaml", FIXED),
    "v8-open": ("yolov8n.yaml", {"dynamic": True}),
    "v8-nms": ("yolov8n.yaml", FIXED | {"nms": True}),
    "11": ("yolo11n.yaml", FIXED),
    "26": ("yolo26n.yaml", FIXED | {"nms": False}),
    "26-raw": ("yolo26n.yaml", FIXED),
}


def picture() -> np.ndarray:
    """Return the picture that all are tried on."""
    rng = np.random.default_rng(5)
    coarse = rng.integers(0, 255, (9, 12, 3), dtype=np.uint8)
    return np.kron(coarse, np.ones((12, 12, 1), np.uint8))


def tiny(description: str, seed: int) -> YOLO:
    """Return a model of a few channels with random weights that finds something."""
    torch.manual_seed(seed)
    plan = yaml_model_load(description) | {"nc": CLASSES}
    plan["reg_max"] = min(int(plan.get("reg_max", 16)), 4)  # the head's channels go with it
    plan["scales"] = {"n": [0.33, 0.03125, 64]}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / description
        path.write_text(yaml.safe_dump({k: v for k, v in plan.items() if k not in {"yaml_file", "scale"}}))
        model = YOLO(path, task="detect", verbose=False)
    head = model.model.model[-1]
    for branches in (head.cv3, getattr(head, "one2one_cv3", None) or []):
        for branch in branches:
            torch.nn.init.normal_(branch[-1].weight, std=0.8)
            torch.nn.init.normal_(branch[-1].bias, mean=-3.0)
    model.model.names = {number: f"thing{number}" for number in range(CLASSES)}
    return model


def main() -> None:
    found = {}
    for name, (description, arguments) in HEADS.items():
        for seed in range(100):
            model = tiny(description, seed)
            with tempfile.TemporaryDirectory() as folder:
                model.save(Path(folder) / "m.pt")
                written = YOLO(Path(folder) / "m.pt").export(
                    format="onnx", simplify=True, **({"imgsz": SIZE} | arguments)
                )
                target = Path(shutil.copy(written, HERE / f"{name}.onnx"))
            [result] = YOLO(target, task="detect").predict(
                picture(), imgsz=arguments.get("imgsz", SIZE), conf=0.25, iou=0.7, device="cpu", verbose=False
            )
            boxes = zip(
                result.boxes.cls.int().tolist(), result.boxes.conf.tolist(), result.boxes.xyxy.tolist(), strict=True
            )
            found[name] = [[f"thing{n}", round(score, 4), *(round(v, 2) for v in xyxy)] for n, score, xyxy in boxes]
            print(name, seed, len(found[name]), target.stat().st_size)
            if WANTED_BOXES[0] <= len(found[name]) <= WANTED_BOXES[1]:
                break
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(boxes)}" for name, boxes in found.items())
    (HERE / "expected.json").write_text(f"{{\n{lines}\n}}\n")


if __name__ == "__main__":
    main()
