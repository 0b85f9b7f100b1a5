"""Engines run named arrays to named arrays, whatever the task."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.onnx_model import sum_and_difference_model
from video_worker.engines.base import EngineChoice
from video_worker.engines.open import open_engine

ENGINES = ["openvino", "onnxruntime"]


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "two.onnx"
    path.write_bytes(sum_and_difference_model([1, "length"]))
    return path


def arrays(length: int, left: float, right: float) -> dict[str, np.ndarray]:
    return {"left": np.full((1, length), left, np.float32), "right": np.full((1, length), right, np.float32)}


@pytest.mark.parametrize("fixed_shapes", [True, False])
@pytest.mark.parametrize("kind", ENGINES)
def test_arrays_go_in_and_out_by_name(weights, kind, fixed_shapes):
    engine = open_engine(EngineChoice(kind), weights, fixed_shapes=fixed_shapes)
    assert engine.input_shapes == {"left": (1, None), "right": (1, None)}
    assert list(engine.output_shapes) == ["sum", "difference"]
    for length in (2, 3, 5, 2):
        given = arrays(length, 5, 3)
        outputs = engine.run(dict(reversed(given.items())))
        assert {name: array.tolist() for name, array in outputs.items()} == {
            "sum": [[8] * length],
            "difference": [[2] * length],
        }


@pytest.mark.parametrize("kind", ENGINES)
def test_several_inferences_may_be_under_way(weights, kind):
    engine = open_engine(EngineChoice(kind, threads=2), weights)
    waits = [engine.start(arrays(4, number, 1)) for number in range(engine.depth)]
    found = [wait() for wait in waits]
    for _ in range(engine.depth):
        engine.run(arrays(4, 100, 1))  # writes into no array that was handed out
    assert [outputs["sum"][0, 0] for outputs in found] == [number + 1 for number in range(engine.depth)]


@pytest.mark.parametrize("kind", ENGINES)
def test_other_inputs_are_refused_by_name(weights, kind):
    engine = open_engine(EngineChoice(kind), weights)
    with pytest.raises(ValueError, match="takes left, right, not left"):
        engine.start({"left": np.zeros((1, 2), np.float32)})
