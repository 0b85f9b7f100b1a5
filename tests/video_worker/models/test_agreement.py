"""Our boxes against ultralytics' own, on the same pixels: same classes, scores within 0.02, boxes within 2 px."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from shared_utils.media.frames import ClipReader
from video_worker.engines.base import EngineChoice
from video_worker.models.detector import OnnxDetector
from video_worker.models.postprocess import Detections

REFERENCE = json.loads((Path(__file__).parent / "reference" / "yolov8n.json").read_text())["pictures"]
CONF = 0.25
SCORE_TOLERANCE = 0.02
PIXEL_TOLERANCE = 2.0


@pytest.fixture(scope="module", params=["openvino", "onnxruntime"])
def detector(request, shared_dir) -> OnnxDetector:
    return OnnxDetector.open(shared_dir / "models" / "yolov8n.onnx", EngineChoice(request.param, "CPU", 2))


def differences(found: Detections, labels: tuple[str, ...], expected: list[list]) -> list[str]:
    """Return what does not agree; boxes so near the threshold that tolerance decides on them may be missing."""
    ours = list(zip([labels[number] for number in found.classes], found.scores, found.xyxy, strict=True))
    wrong = []
    for label, score, *xyxy in expected:
        near = [
            one
            for one in ours
            if one[0] == label
            and abs(one[1] - score) <= SCORE_TOLERANCE
            and np.abs(one[2] - xyxy).max() <= PIXEL_TOLERANCE
        ]
        if near:
            ours = [one for one in ours if one is not near[0]]
        elif score > CONF + SCORE_TOLERANCE:
            wrong.append(f"missing: {label} {score} {xyxy}")
    wrong += [f"more: {label} {score:.4f} {xyxy}" for label, score, xyxy in ours if score > CONF + SCORE_TOLERANCE]
    return wrong


@pytest.mark.parametrize("weights", ["yolov8n.onnx", "yolov8n.pt"])
@pytest.mark.parametrize("clip", ["bikes.mp4", "bottle-detection.mp4", "car-detection.mp4"])
def test_on_sampled_frames(detector, shared_dir, clip, weights):
    expected = {int(name.split("#")[1]): boxes for name, boxes in REFERENCE.items() if name.startswith(clip)}
    compared = 0
    with ClipReader(shared_dir / "data" / clip, 5, 2) as reader:
        for frame in reader:
            if frame.index in expected:
                found = detector.start(frame.picture, 640, CONF)()
                assert not differences(found, detector.labels, expected[frame.index][weights]), frame.index
                compared += 1
    assert compared == len(expected) >= 12


@pytest.mark.parametrize("weights", ["yolov8n.onnx", "yolov8n.pt"])
@pytest.mark.parametrize("name", ["bus.jpg", "zidane.jpg"])
def test_on_the_pictures_that_ultralytics_ships(detector, name, weights):
    package = importlib.util.find_spec("ultralytics")
    if package is None or package.origin is None:
        pytest.skip("the pictures come with ultralytics, which is not installed here")
    picture = cv2.imread(str(Path(package.origin).parent / "assets" / name))
    found = detector.start(np.asarray(picture, np.uint8), 640, CONF)()
    assert not differences(found, detector.labels, REFERENCE[name][weights])
