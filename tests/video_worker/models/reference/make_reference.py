"""Record what ultralytics' own ``predict`` finds, for ``test_agreement.py`` to compare with.

Needs ultralytics, and the shared footage and weights::

    PYTHONPATH=. python tests/video_worker/models/reference/make_reference.py ../shared

Frames are read by our own reader and handed over as arrays, so that both sides see the same pixels.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import ultralytics
from ultralytics import YOLO
from ultralytics.utils import ASSETS

from shared_utils.media.frames import ClipReader

OUT = Path(__file__).with_name("yolov8n.json")
CLIPS = ("bikes.mp4", "bottle-detection.mp4", "car-detection.mp4")
FRAMES_EACH = 12
WEIGHTS = ("yolov8n.onnx", "yolov8n.pt")


def pictures(shared: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Yield name and picture: those that ultralytics ships, and frames of the clips as ``clip.mp4#index``."""
    for path in sorted(ASSETS.glob("*.jpg")):
        picture = cv2.imread(str(path))
        assert picture is not None, path
        yield path.name, picture
    for clip in CLIPS:
        with ClipReader(shared / "data" / clip, 5, 1) as reader:
            frames = list(reader)
        for frame in frames[:: max(1, len(frames) // FRAMES_EACH)]:
            yield f"{clip}#{frame.index}", frame.picture


def main(shared: Path) -> None:
    found: dict[str, dict[str, list[list[object]]]] = {}
    for weights in WEIGHTS:
        model = YOLO(shared / "models" / weights, task="detect")
        for name, picture in pictures(shared):
            [result] = model.predict(picture, imgsz=640, conf=0.25, iou=0.7, device="cpu", verbose=False)
            boxes = zip(
                result.boxes.cls.int().tolist(), result.boxes.conf.tolist(), result.boxes.xyxy.tolist(), strict=True
            )
            found.setdefault(name, {})[weights] = [
                [result.names[number], round(score, 4), *(round(value, 2) for value in xyxy)]
                for number, score, xyxy in boxes
            ]
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(boxes)}" for name, boxes in found.items())
    OUT.write_text(f'{{"ultralytics": "{ultralytics.__version__}", "pictures": {{\n{lines}\n}}}}\n')


if __name__ == "__main__":
    main(Path(sys.argv[1]))
