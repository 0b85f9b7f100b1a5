"""Every head that ultralytics exports, in both engines, against its own ``predict``; see heads/make_heads.py."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.video_worker.models.test_agreement import CONF, differences
from video_worker.engines.base import EngineChoice
from video_worker.models.detector import OnnxDetector

HEADS = Path(__file__).parent / "heads"
EXPECTED = json.loads((HEADS / "expected.json").read_text())


def picture() -> np.ndarray:
    """The picture of make_heads.py."""
    coarse = np.random.default_rng(5).integers(0, 255, (9, 12, 3), dtype=np.uint8)
    return np.kron(coarse, np.ones((12, 12, 1), np.uint8))


@pytest.mark.parametrize("kind", ["openvino", "onnxruntime"])
@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_a_head_finds_what_ultralytics_finds_with_it(name, kind):
    detector = OnnxDetector.open(HEADS / f"{name}.onnx", EngineChoice(kind, "CPU", 1))
    assert detector.labels == ("thing0", "thing1", "thing2")
    found = detector.start(picture(), 96, CONF)()
    assert len(EXPECTED[name]) >= 3
    assert not differences(found, detector.labels, EXPECTED[name])
