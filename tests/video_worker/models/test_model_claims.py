"""What is said of models is what is true of them: sizes, devices, kinds, and why one cannot be read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import onnxruntime as ort
import pytest

from shared_utils.contracts.job_options import Options
from shared_utils.errors import ModelError, SettingError
from tests.support.onnx_model import FLOAT16, UINT8, onnx_model
from video_worker.__main__ import main
from video_worker.engines.base import EngineChoice
from video_worker.models.registry import DETECT, ModelRegistry
from video_worker.pipeline import record as records

ENGINES = ["openvino", "onnxruntime"]
NAMES = {2: "{0: 'person', 1: 'car'}", 3: "{0: 'person', 1: 'car', 2: 'cat'}"}
YOLO26 = {"head": "Detect", "description": "Ultralytics YOLO26n model", "end2end": "True"}
RTDETR = {"head": "RTDETRDecoder", "description": "Ultralytics rtdetr-l model", "end2end": "False"}


def meta(family: Mapping[str, str] = MappingProxyType({}), classes: int = 2, **more: str) -> dict[str, str]:
    return {"task": "detect", "names": NAMES[classes], "stride": "32", **family, **more}


def one_box(*row: float, rows: int = 300) -> np.ndarray:
    found = np.zeros((1, rows, len(row)), np.float32)
    found[0, 0] = row
    return found


END_TO_END = one_box(32, 64, 96, 128, 0.9, 1)


@pytest.fixture
def store(tmp_path):
    def made(content: bytes, kind: str = "openvino", device: str = "CPU", name: str = "m.onnx"):
        (tmp_path / name).write_bytes(content)
        return ModelRegistry([tmp_path], EngineChoice(kind, device, 1)).get(DETECT, name)

    return made


@pytest.mark.parametrize("kind", ENGINES)
@pytest.mark.parametrize(
    ("side", "imgsz", "seen", "words"),
    [((320, 320), 640, 320, "320×320"), ((384, 640), 320, 640, "640×384"), (("h", "w"), 640, 640, "640 px"),
     (("h", "w"), 650, 672, "672 px")],
)  # fmt: skip
def test_the_size_is_the_one_the_model_sees(store, kind, side, imgsz, seen, words):
    model = store(onnx_model(END_TO_END, side=side, metadata=meta(YOLO26)), kind)
    entry = records.model_entry(model, Options(imgsz=imgsz))
    assert entry["imgsz"] == seen
    assert entry.get("input") == (None if side[0] == "h" else [side[1], side[0]])
    assert words in model.describe(imgsz)
    assert entry["device"] == "CPU"
    assert len(model.detector.start(np.zeros((96, 160, 3), np.uint8), imgsz, 0.1)()) == 1


def test_the_device_that_computes_is_the_one_that_is_named(store):
    content = onnx_model(END_TO_END, metadata=meta(YOLO26))
    for kind in ENGINES:
        assert store(content, kind, "cpu").device == "CPU"
        assert store(content, kind, "AUTO").device == "CPU"
        assert store(content, kind, "AUTO").describe(640).endswith(" on CPU")


@pytest.mark.parametrize(("kind", "device"), [("openvino", "GPU"), ("openvino", "NPU"), ("openvino", "CUDA"),
                                              ("onnxruntime", "CUDA"), ("onnxruntime", "GPU")])  # fmt: skip
def test_a_device_that_is_not_here_is_refused(store, kind, device):
    with pytest.raises(SettingError, match=f"DETECTOR_DEVICE is '{device}'"):
        store(onnx_model(END_TO_END, metadata=meta(YOLO26)), kind, device)


def test_cuda_that_is_installed_and_does_not_work_is_refused(store, monkeypatch):
    # the package for CUDA names its provider wherever it is installed, and falls back to the CPU where there is no GPU
    monkeypatch.setattr(ort, "get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"])
    content = onnx_model(END_TO_END, metadata=meta(YOLO26))
    with pytest.raises(SettingError, match="computes on CPU"):
        store(content, "onnxruntime", "CUDA")
    assert store(content, "onnxruntime", "AUTO").device == "CPU"


@pytest.mark.parametrize("kind", ENGINES)
def test_an_rtdetr_of_two_classes_is_not_taken_for_an_end_to_end_yolo(store, kind):
    output = one_box(0.5, 0.5, 0.1, 0.1, 0.9, 0.1)
    with pytest.raises(ModelError, match="RT-DETR"):
        store(onnx_model(output, side=(640, 640), metadata=meta(RTDETR)), kind)
    with pytest.raises(ModelError, match="RT-DETR"):
        store(onnx_model(output, metadata=meta(description="Ultralytics RT-DETR-L model")), kind)
    with pytest.raises(ModelError, match="RT-DETR"):  # nothing tells: it may be either
        store(onnx_model(output, metadata=meta()), kind)
    with pytest.raises(ModelError, match="RT-DETR"):
        store(onnx_model(one_box(0, 0, 0, 0, 0, 0, 0), metadata=meta(classes=3)), kind)
    found = store(onnx_model(END_TO_END, metadata=meta(YOLO26)), kind).detector.start(
        np.zeros((640, 640, 3), np.uint8), 640, 0.5
    )()
    assert found.xyxy.tolist() == [[32, 64, 96, 128]]
    assert store(onnx_model(END_TO_END, metadata=meta(description="Ultralytics YOLOv10n model")), kind)


GOOD = onnx_model(END_TO_END, metadata=meta(YOLO26))
UNREADABLE = {
    "external weights": (onnx_model(END_TO_END, metadata=meta(), external="m.onnx.data"), "m.onnx.data.*not beside"),
    "format of tomorrow": (onnx_model(END_TO_END, metadata=meta(YOLO26), ir_version=99), "newer format .IR 99"),
    "operators of tomorrow": (onnx_model(END_TO_END, metadata=meta(YOLO26), opset=99), "newer format .*opset 99"),
    "cut short": (GOOD[: len(GOOD) // 2], "cut short"),
    "git-lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "git lfs pull"),
    "PyTorch": (b"PK\x03\x04" + bytes(100), "PyTorch"),
    "a web page": (b"<!DOCTYPE html><html>", "web page"),
    "nothing": (b"", "is empty"),
    "text": (b"hello", "no ONNX model"),
}


@pytest.mark.parametrize("kind", ENGINES)
@pytest.mark.parametrize("what", UNREADABLE)
def test_a_model_that_cannot_be_read_says_why(store, kind, what):
    content, reason = UNREADABLE[what]
    if kind == "openvino" and "tomorrow" in what:  # it reads what it can, and these models are plain
        assert store(content, kind)
        return
    with pytest.raises(ModelError, match=reason) as caught:
        store(content, kind)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ENGINES)
def test_other_numbers_and_batches(store, kind):
    half = store(onnx_model(END_TO_END, metadata=meta(YOLO26), kind=FLOAT16), kind, name="half.onnx")
    assert len(half.detector.start(np.zeros((96, 160, 3), np.uint8), 160, 0.1)()) == 1
    many = store(onnx_model(END_TO_END, metadata=meta(YOLO26), batch="batch"), kind, name="many.onnx")
    assert len(many.detector.start(np.zeros((96, 160, 3), np.uint8), 160, 0.1)()) == 1
    with pytest.raises(ModelError, match="batches of 4"):
        store(onnx_model(END_TO_END, metadata=meta(YOLO26), batch=4), kind, name="four.onnx")
    with pytest.raises(ModelError, match="both sides"):
        store(onnx_model(END_TO_END, metadata=meta(YOLO26), side=(320, "w")), kind, name="open.onnx")


def test_bytes_for_pictures_are_refused_by_onnx_runtime(store):
    with pytest.raises(ModelError, match="takes uint8 for pictures"):
        store(onnx_model(END_TO_END, metadata=meta(YOLO26), kind=UINT8), "onnxruntime")


def test_a_run_names_its_device_and_size(tmp_path, clip_master, monkeypatch, capsys):
    (tmp_path / "m.onnx").write_bytes(onnx_model(END_TO_END, side=(320, 320), metadata=meta(YOLO26)))
    for name, value in {"MODELS_DIR": str(tmp_path), "YOLO_MODEL": "m.onnx", "DETECTOR_DEVICE": "AUTO"}.items():
        monkeypatch.setenv(name, value)
    assert main(["analyse", str(clip_master)]) == 0
    model = json.loads(capsys.readouterr().out)["model"]
    assert (model["imgsz"], model["device"], model["input"]) == (320, "CPU", [320, 320])
