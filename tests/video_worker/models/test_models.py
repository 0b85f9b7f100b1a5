"""Real models in both engines: what is loaded, kept and refused."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from shared_utils.errors import ModelError, SettingError
from shared_utils.file_hash import file_sha256
from video_worker.engines.base import EngineChoice
from video_worker.models.registry import DETECT, ModelRegistry

ENGINES = ["openvino", "onnxruntime"]


@pytest.fixture
def folder(tmp_path, any_model):
    made = tmp_path / "models"
    made.mkdir()
    shutil.copy(any_model, made / "a.onnx")
    return made


@pytest.mark.parametrize("kind", ENGINES)
def test_a_model_is_loaded_once_and_anew_when_its_file_is_replaced(folder, any_model, kind):
    store = ModelRegistry([folder], EngineChoice(kind, "CPU", 1))
    first = store.get(DETECT, "a.onnx")
    assert first.name == "a"
    assert first.sha256 == file_sha256(any_model)
    assert first.detector.engine.startswith(f"{kind} ")
    assert store.get(DETECT, "a.onnx") is first
    (folder / "new").write_bytes(any_model.read_bytes())
    (folder / "new").replace(folder / "a.onnx")
    assert store.get(DETECT, "a.onnx") is not first


@pytest.mark.parametrize("kind", ENGINES)
def test_pictures_of_any_shape_are_looked_at(folder, kind):
    detector = ModelRegistry([folder], EngineChoice(kind, "CPU", 2)).get(DETECT, "a.onnx").detector
    rng = np.random.default_rng(1)
    for height, width in ((36, 64), (64, 36), (1, 50), (270, 480), (1080, 1920)):
        found = detector.start(rng.integers(0, 255, (height, width, 3), dtype=np.uint8), 320, 0.001)()
        assert found.xyxy.shape == (len(found), 4)
        assert (found.xyxy >= 0).all()
        assert (found.xyxy <= [width, height, width, height]).all()


def test_both_engines_see_the_same(folder):
    rng = np.random.default_rng(2)
    picture = rng.integers(0, 255, (360, 640, 3), dtype=np.uint8)
    models = [ModelRegistry([folder], EngineChoice(kind, "CPU", 1)).get(DETECT, "a.onnx") for kind in ENGINES]
    a, b = (model.detector.start(picture, 640, 0.001)() for model in models)
    assert len(a) == len(b)
    np.testing.assert_allclose(a.scores, b.scores, atol=1e-4)
    np.testing.assert_allclose(a.xyxy, b.xyxy, atol=0.2)


@pytest.mark.parametrize("kind", ENGINES)
def test_the_number_of_threads_can_change_and_changes_nothing(folder, kind):
    store = ModelRegistry([folder], EngineChoice(kind, "CPU", 1))
    picture = np.random.default_rng(3).integers(0, 255, (360, 640, 3), dtype=np.uint8)
    before = store.get(DETECT, "a.onnx").detector.start(picture, 640, 0.001)()
    store.use_threads(2)
    after = store.get(DETECT, "a.onnx").detector.start(picture, 640, 0.001)()
    np.testing.assert_array_equal(before.scores, after.scores)


@pytest.mark.parametrize("kind", ENGINES)
@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("gone.onnx", None, "cannot be read"),
        ("empty.onnx", b"", "empty"),
        ("text.onnx", b"hello", "no ONNX model"),
        ("weights.pt", b"PK", "python -m video_worker export"),
    ],
)
def test_what_is_no_model_is_refused_in_one_line(folder, kind, name, content, said):
    if content is not None:
        (folder / name).write_bytes(content)
    with pytest.raises(ModelError, match=said) as caught:
        ModelRegistry([folder], EngineChoice(kind, "CPU", 1)).get(DETECT, name)
    assert "\n" not in str(caught.value)


def test_a_cut_model_is_refused(folder, any_model):
    (folder / "cut.onnx").write_bytes(any_model.read_bytes()[:100_000])
    for kind in ENGINES:
        with pytest.raises(ModelError, match=r"cut\.onnx"):
            ModelRegistry([folder], EngineChoice(kind, "CPU", 1)).get(DETECT, "cut.onnx")


@pytest.mark.parametrize("kind", ENGINES)
def test_an_unknown_device_is_a_wrong_setting(folder, kind):
    with pytest.raises(SettingError, match="DETECTOR_DEVICE is 'NONSENSE'"):
        ModelRegistry([folder], EngineChoice(kind, "NONSENSE", 1)).get(DETECT, "a.onnx")


def test_a_link_out_of_the_folder_is_refused_but_the_workers_own_model_may_lie_elsewhere(folder, tmp_path, any_model):
    (folder / "link.onnx").symlink_to(any_model)
    store = ModelRegistry([folder], EngineChoice(), own=any_model)
    with pytest.raises(ModelError, match="not in the models folder"):
        store.get(DETECT, "link.onnx")
    assert store.get(DETECT, any_model.name).name == any_model.stem
