"""Make ``scene.onnx``: render the scene, train a small YOLOv8 on it, export it, and measure the file.

    python -m camera_emulator.scene_model.train --work /tmp/scene_model

Needs ``requirements.export.txt`` (ultralytics). Seeded throughout: the same versions on the same processor give
the same weights. The measure is taken on the exported file, with seeds that training never saw.
"""

from __future__ import annotations

import argparse
import logging
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

import av
import cv2
import numpy as np
import numpy.typing as npt
from ultralytics import YOLO

from camera_emulator import messages
from camera_emulator.h264 import CLOCK_HZ, H264Encoder, default_bitrate
from camera_emulator.scene import LABELS, QUIET_S, Scene, Truth
from shared_utils.errors import EXIT_FAILED, EXIT_OK, VcamError

Image = npt.NDArray[np.uint8]

HERE = Path(__file__).resolve().parent
SEED = 20_261
TRAIN_SEEDS = range(1_000, 1_140)
VAL_SEEDS = range(3_000, 3_015)  # watched during training
TEST_SEEDS = range(5_000, 5_050)  # for the figures in the README alone
FRAMES_PER_SEED = 9
EMPTY_SHARE = 0.15
VISITS = 14  # how far into a seed's schedule frames are taken

TRAIN_IMGSZ = 416  # with scale augmentation of 0.6 this covers figures as they are at 320 and at 640
EPOCHS = 36
LONGEST_SIDE = 640  # the stored size; the worker never needs more
SIZES = ((1280, 720), (1280, 720), (960, 540), (640, 360), (640, 480), (1024, 768))

MIN_MAP50 = 0.9
MAX_BYTES = 3_000_000
OPSET = 17

logger = logging.getLogger(__name__)


def _seen_by_camera(scene: Scene, t: float, rng: np.random.Generator) -> Image:
    """Return the frame as a worker gets it: mostly after H.264 or JPEG, at high to low bit rates."""
    way = rng.random()
    if way < 0.55:
        return _through_h264(scene, t, float(rng.choice([0.25, 0.5, 1.0, 2.0])))
    image = scene.frame(t)
    if way < 0.9:
        quality = int(rng.integers(40, 91))
        coded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        return cast(Image, cv2.imdecode(coded, cv2.IMREAD_COLOR))
    return image


def _through_h264(scene: Scene, t: float, rate: float, frames: int = 5) -> Image:
    """Encode and decode some frames, and return the last; ``rate`` is a factor on the emulator's bit rate."""
    bitrate = round(default_bitrate(scene.size, scene.fps) * rate)
    encoder = H264Encoder(scene.size, scene.fps, bitrate)
    decoder = av.CodecContext.create("h264", "r")
    decoded: list[av.VideoFrame] = []
    for index in range(frames):
        moment = t - (frames - 1 - index) / scene.fps
        packet = encoder.encode(scene.frame(moment), round(index * CLOCK_HZ / scene.fps))
        decoded += decoder.decode(av.Packet(packet))
    decoded += decoder.decode(None)
    return cast(Image, decoded[-1].to_ndarray(format="bgr24"))


def _moments(scene: Scene, count: int, rng: np.random.Generator) -> Iterator[float]:
    """Times in the scene: most of them during visits, some in the quiet before one.

    Cats and dogs are the rarest, and the hardest to tell apart: visits with them are taken more often.
    """
    for _ in range(count):
        one, other = (scene.visit(int(index)) for index in rng.integers(VISITS, size=2))
        visit = other if other.labels & {"cat", "dog"} else one
        if rng.random() < EMPTY_SHARE:
            yield visit.start_s - float(rng.uniform(0.5, QUIET_S[0] - 1.5))
        else:
            yield float(rng.uniform(visit.start_s + 0.3, visit.end_s - 0.3))


def _label_lines(truth: Sequence[Truth], size: tuple[int, int]) -> str:
    """YOLO's label format: class, then centre and size as shares of the picture."""
    width, height = size
    lines = []
    for found in truth:
        x0, y0, x1, y1 = found.xyxy
        shares = ((x0 + x1) / 2 / width, (y0 + y1) / 2 / height, (x1 - x0) / width, (y1 - y0) / height)
        lines.append(" ".join([str(LABELS.index(found.label)), *(f"{share:.6f}" for share in shares)]))
    return "\n".join(lines)


def render(folder: Path, seeds: range, per_seed: int) -> int:
    """Write pictures and labels of these seeds into ``folder``; returns how many."""
    (folder / "images").mkdir(parents=True)
    (folder / "labels").mkdir()
    for seed in seeds:
        rng = np.random.default_rng([SEED, seed])
        size = SIZES[seed % len(SIZES)]
        scene = Scene(seed, size, noise=float(rng.uniform(0.8, 3.0)))
        for number, t in enumerate(_moments(scene, per_seed, rng)):
            image = _seen_by_camera(scene, t, rng)
            shrink = min(1.0, LONGEST_SIDE / max(size))
            small = cv2.resize(image, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_LINEAR)
            name = f"{seed}-{number:02d}"
            cv2.imwrite(str(folder / "images" / f"{name}.png"), small)
            (folder / "labels" / f"{name}.txt").write_text(_label_lines(scene.truth(t), size))
    return len(seeds) * per_seed


def write_dataset(work: Path) -> Path:
    """Render the three sets, and return the file that describes them to ultralytics."""
    for name, seeds in (("train", TRAIN_SEEDS), ("val", VAL_SEEDS), ("test", TEST_SEEDS)):
        count = render(work / "data" / name, seeds, FRAMES_PER_SEED)
        logger.info(messages.FRAMES_RENDERED, name, count)
    names = "\n".join(f"  {index}: {label}" for index, label in enumerate(LABELS))
    description = work / "data.yaml"
    folders = "train: train/images\nval: val/images\ntest: test/images"
    description.write_text(f"path: {work / 'data'}\n{folders}\nnames:\n{names}\n")
    return description


def train(data: Path, work: Path, epochs: int, device: str) -> Path:
    """Train from nothing, and export; returns the ONNX file."""
    model = YOLO(HERE / "scene.yaml", task="detect")
    model.train(
        data=str(data), epochs=epochs, imgsz=TRAIN_IMGSZ, batch=16, device=device, workers=0, cache="ram",
        optimizer="AdamW", lr0=0.004, lrf=0.02, cos_lr=True, warmup_epochs=1.0, weight_decay=0.0005,
        scale=0.6, cls=1.0, hsv_h=0.03, mosaic=1.0, close_mosaic=6, pretrained=False, amp=False,
        seed=SEED, deterministic=True, plots=False, val=False, project=str(work), name="run", exist_ok=True,
    )  # fmt: skip
    trained = YOLO(work / "run" / "weights" / "last.pt")
    # otherwise the file would name folders of this machine
    trained.model.args["data"] = "frames of camera_emulator.scene"
    return Path(trained.export(format="onnx", imgsz=640, dynamic=True, simplify=True, opset=OPSET, device="cpu"))


def measure(model: Path, data: Path, imgsz: int, work: Path) -> float:
    """Return the mAP50 of the exported file on the test set, at this longest side."""
    found = YOLO(model, task="detect").val(
        data=str(data), split="test", imgsz=imgsz, batch=1, rect=True, device="cpu", workers=0, plots=False,
        project=str(work), name=f"test-{imgsz}", exist_ok=True,
    )  # fmt: skip
    per_class = ", ".join(
        f"{LABELS[index]} {value:.3f}" for index, value in zip(found.box.ap_class_index, found.box.ap50, strict=True)
    )
    logger.info(messages.MODEL_MEASURED, imgsz, found.box.map50, found.box.map, per_class)
    return float(found.box.map50)


def main() -> int:
    """Render, train, export, measure; replace ``scene.onnx`` only where the new one is good enough."""
    parser = argparse.ArgumentParser(description="Train the scene model and write scene.onnx beside this script.")
    parser.add_argument("--work", type=Path, required=True, help="folder for frames and runs; must not exist yet")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--device", default="cpu", help="what to train on; cpu, or 0 for the first GPU")
    parser.add_argument("--output", type=Path, default=HERE / "scene.onnx")
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    started = time.monotonic()
    work = args.work.resolve()
    work.mkdir(parents=True)
    data = write_dataset(work)
    model = train(data, work, args.epochs, args.device)
    logger.info(messages.MODEL_TRAINED, (time.monotonic() - started) / 60)
    worst = min(measure(model, data, imgsz, work) for imgsz in (640, 320))
    size = model.stat().st_size
    if worst < MIN_MAP50 or size > MAX_BYTES:
        raise VcamError(f"not good enough: mAP50 {worst:.3f} (need {MIN_MAP50}), {size} bytes (at most {MAX_BYTES})")
    shutil.copyfile(model, args.output)
    logger.info(messages.MODEL_WRITTEN, args.output, size, (time.monotonic() - started) / 60)
    return EXIT_OK


if __name__ == "__main__":
    try:
        sys.exit(main())
    except VcamError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(EXIT_FAILED)
