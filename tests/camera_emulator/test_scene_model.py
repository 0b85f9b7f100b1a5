"""The committed model: its size and metadata, and that it finds what the scene's truth says on unseen video."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import av
import cv2
import numpy as np
import onnxruntime
import pytest

import camera_emulator.scene_model
from camera_emulator.h264 import CLOCK_HZ, H264Encoder, default_bitrate
from camera_emulator.scene import LABELS, Scene

MODEL = Path(camera_emulator.scene_model.__file__).with_name("scene.onnx")
MAX_BYTES = 3_000_000
SIZE, FPS, SAMPLED_FPS = (1280, 720), 15, 5
CONF, MIN_HITS = 0.5, 2
STRIDE = 32
UNSEEN = ((0, 0), (43, 1), (47, 1))  # seeds and visits with all five labels; training took seeds from 1000 on


@pytest.fixture(scope="module")
def session() -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(str(MODEL), providers=["CPUExecutionProvider"])


def _labels(session: onnxruntime.InferenceSession, image: np.ndarray, imgsz: int) -> set[str]:
    """The labels with any box at or above CONF; letterboxed to multiples of the stride as the worker does."""
    scale = imgsz / max(image.shape[:2])
    small = cv2.resize(image, None, fx=scale, fy=scale)
    height, width = small.shape[:2]
    bottom, right = -height % STRIDE, -width % STRIDE
    padded = cv2.copyMakeBorder(
        small, bottom // 2, bottom - bottom // 2, right // 2, right - right // 2, cv2.BORDER_CONSTANT,
        value=(114, 114, 114),
    )  # fmt: skip
    tensor = padded[np.newaxis, :, :, ::-1].transpose(0, 3, 1, 2).astype(np.float32) / 255
    output = session.run(None, {session.get_inputs()[0].name: tensor})[0]
    scores = output[0, 4:]
    return {LABELS[index] for index in np.nonzero(scores.max(axis=1) >= CONF)[0]}


def _coded(scene: Scene, start_s: float, end_s: float) -> list[np.ndarray]:
    """The scene from start to end through H.264 at the emulator's bitrate, sampled as the worker samples."""
    encoder = H264Encoder(SIZE, FPS, default_bitrate(SIZE, FPS))
    decoder = av.CodecContext.create("h264", "r")
    frames: list[av.VideoFrame] = []
    for number in range(round((end_s - start_s) * FPS)):
        coded = encoder.encode(scene.frame(start_s + number / FPS), number * CLOCK_HZ // FPS)
        frames += decoder.decode(av.Packet(coded))
    frames += decoder.decode(None)
    return [frame.to_ndarray(format="bgr24") for frame in frames[:: FPS // SAMPLED_FPS]]


def test_it_is_small_and_tells_what_the_worker_reads(session: onnxruntime.InferenceSession) -> None:
    assert MODEL.stat().st_size <= MAX_BYTES
    metadata = session.get_modelmeta().custom_metadata_map
    assert ast.literal_eval(metadata["names"]) == dict(enumerate(LABELS))
    assert metadata["stride"] == str(STRIDE)
    assert metadata["imgsz"] == "[640, 640]"
    assert session.get_outputs()[0].shape[1] == 4 + len(LABELS)  # the raw head: boxes and class scores


@pytest.mark.parametrize(("seed", "index"), UNSEEN)
def test_it_finds_exactly_the_labels_of_a_visit(seed: int, index: int, session: onnxruntime.InferenceSession) -> None:
    scene = Scene(seed, SIZE, FPS)
    visit = scene.visit(index)
    images = _coded(scene, visit.start_s - 0.5, visit.end_s + 0.5)
    for imgsz in (640, 320):
        hits = Counter[str]()
        for image in images:
            hits.update(_labels(session, image, imgsz))
        assert {label for label, count in hits.items() if count >= MIN_HITS} == visit.labels


@pytest.mark.parametrize("imgsz", [640, 320])
def test_it_finds_nothing_in_empty_streets(imgsz: int, session: onnxruntime.InferenceSession) -> None:
    for seed in range(60, 72):
        assert _labels(session, Scene(seed, SIZE, FPS).frame(1.0), imgsz) == set()
