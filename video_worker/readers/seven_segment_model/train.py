"""Make ``seven.onnx``: draw displays, train a small network on them, export it, and measure the file.

    python -m video_worker.readers.seven_segment_model.train --work /tmp/seven

Needs ``requirements.export.txt`` and, for what it is measured on, Debian's package ``fonts-dseg``. Seeded throughout:
the same versions on the same kind of processor give the same weights.
"""

from __future__ import annotations

import argparse
import copy
import logging
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import nn

from shared_utils.errors import EXIT_FAILED, EXIT_OK, VcamError
from video_worker import messages
from video_worker.readers.seven_segment.alphabet import NOTHING, SYMBOLS
from video_worker.readers.seven_segment.looks import HEIGHT, STRIDE, normalised
from video_worker.readers.seven_segment.reader import SevenSegmentReader
from video_worker.readers.seven_segment_model import network
from video_worker.readers.seven_segment_model.measure import MIN_CONFIDENCE, measure
from video_worker.readers.seven_segment_model.views import View, view

HERE = Path(__file__).resolve().parent
SEED = 20_261
WIDTHS = (48, 80, 112, 144, 176, 208, 256)
SHARES = (0.07, 0.16, 0.2, 0.2, 0.16, 0.13, 0.08)
BATCH = 32
NEAR = 1.4
"""Columns around the middle of a symbol that may say it or nothing."""
MEASURED = 400
"""Displays of each kind on which the file is measured."""
MIN_EXACT, MAX_WRONG = 0.95, 0.01
MAX_BYTES = 2 * 1024**2
OPSET = 17

logger = logging.getLogger(__name__)
Batch = tuple[torch.Tensor, dict[str, torch.Tensor]]


def _batch(views: list[View]) -> Batch:
    columns = views[0].picture.shape[1] // STRIDE
    middles = (np.arange(columns) + 0.5) * STRIDE
    there = np.zeros((len(views), columns), np.float32)
    edges = np.zeros((len(views), 2, columns), np.float32)
    says = np.zeros((len(views), columns), np.int64)
    for number, one in enumerate(views):
        says[number] = _columns(one, middles)
        left, right = one.span
        if right > left:
            there[number] = (middles >= left) & (middles <= right)
            edges[number, 0] = np.interp(middles, one.span, one.top) / HEIGHT
            edges[number, 1] = np.interp(middles, one.span, one.bottom) / HEIGHT
    symbols = [SYMBOLS.index(symbol) for one in views for symbol in one.symbols]
    truth = {
        "symbols": torch.tensor(symbols, dtype=torch.long),
        "lengths": torch.tensor([len(one.symbols) for one in views], dtype=torch.long),
        "columns": torch.from_numpy(says),
        "there": torch.from_numpy(there),
        "edges": torch.from_numpy(edges),
    }
    pictures = np.stack([normalised(one.picture) for one in views])[:, np.newaxis]
    return torch.from_numpy(pictures), truth


def _columns(one: View, middles: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return what each column should say: a symbol at its middle, nothing far from all of them."""
    said = np.full(len(middles), NOTHING)
    for middle in one.middles:
        said[np.abs(middles - middle) < NEAR * STRIDE] = network.UNKNOWN
    for symbol, middle in zip(one.symbols, one.middles, strict=True):
        if 0 <= middle < len(middles) * STRIDE:
            said[int(middle / STRIDE)] = SYMBOLS.index(symbol)
    return said


def batches(seed: int, count: int, *, cut_words: bool) -> Iterator[Batch]:
    """Draw so many batches, each of one width."""
    for number in range(count):
        rng = np.random.default_rng([SEED, seed, number])
        width = int(rng.choice(WIDTHS, p=SHARES))
        yield _batch([view(rng, width, cut_words=cut_words) for _ in range(BATCH)])


@dataclass(frozen=True)
class Part:
    """A part of the training.

    Attributes:
        seed: of what is drawn.
        steps: batches.
        planned: batches after which the learning rate would have fallen to nothing.
        rate: the greatest learning rate; it rises fast and falls slowly.
        following: how slowly the averaged weights, which are the ones exported, follow those in training.
        cut_words: whether printed words are cut off at the edge.
    """

    seed: int
    steps: int
    planned: int
    rate: float
    following: float
    cut_words: bool


PARTS = (
    Part(1, 2000, 3593, 3e-3, 0.998, cut_words=False),
    Part(2, 750, 750, 1.5e-3, 0.99, cut_words=True),
    Part(3, 800, 800, 1.5e-3, 0.995, cut_words=True),
)


def train(parts: Sequence[Part], work: Path) -> nn.Sequential:
    """Train one part after the other, each view drawn once; returns the averaged network."""
    torch.manual_seed(SEED)
    model = network.build()
    for part in parts:
        model = run(model, part, work)
    return model


def run(start: nn.Sequential, part: Part, work: Path) -> nn.Sequential:
    """Train from these weights on; returns the averaged network."""
    model = start.train().to(memory_format=torch.channels_last)
    averaged = copy.deepcopy(model)
    optimiser = torch.optim.AdamW(model.parameters(), lr=part.rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, part.rate, part.planned, pct_start=0.08, final_div_factor=100
    )
    started, recent = time.monotonic(), 0.0
    for step, (pictures, truth) in enumerate(batches(part.seed, part.steps, cut_words=part.cut_words)):
        # half the time of single precision on processors that have the instructions, and as good
        with torch.autocast("cpu", torch.bfloat16):
            said = model(pictures.to(memory_format=torch.channels_last))
        found = network.loss(said.float(), truth)
        optimiser.zero_grad(set_to_none=True)
        found.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimiser.step()
        schedule.step()
        _follow(averaged, model, min(part.following, (step + 1) / (step + 10)))
        recent = 0.98 * recent + 0.02 * float(found.detach()) if step else float(found.detach())
        if step % 100 == 99:
            logger.info(messages.TRAINING, step + 1, part.steps, recent, time.monotonic() - started)
        if step % 250 == 249:
            torch.save(averaged.state_dict(), work / f"averaged-{part.seed}.pt")
    torch.save(averaged.state_dict(), work / f"averaged-{part.seed}.pt")
    return averaged.to(memory_format=torch.contiguous_format).eval()


def _follow(averaged: nn.Sequential, model: nn.Sequential, share: float) -> None:
    """Move the averaged weights towards those in training, by what `share` leaves."""
    with torch.no_grad():
        for slow, fast in zip(averaged.state_dict().values(), model.state_dict().values(), strict=True):
            if slow.is_floating_point():
                slow.lerp_(fast, 1 - share)
            else:
                slow.copy_(fast)


def export(model: nn.Sequential, file: Path) -> None:
    """Write an ONNX file that takes any number of crops of any width."""
    sample = torch.zeros(1, 1, HEIGHT, 128)
    axes = {"crops": {0: "batch", 3: "width"}, "columns": {0: "batch", 2: "columns"}}
    torch.onnx.export(
        model, (sample,), str(file), input_names=["crops"], output_names=["columns"], dynamic_axes=axes,
        opset_version=OPSET, dynamo=False,
    )  # fmt: skip
    written = onnx.load(str(file))
    onnx.helper.set_model_props(written, {"symbols": "\t".join(SYMBOLS), "height": str(HEIGHT), "stride": str(STRIDE)})
    onnx.save(written, str(file))


def check(file: Path) -> None:
    """Measure a file on displays that training never saw.

    Raises:
        VcamError: it is not good enough, or too large.
    """
    size = file.stat().st_size
    if size > MAX_BYTES:
        raise VcamError(f"{file} has {size} bytes, more than {MAX_BYTES}")
    reader = SevenSegmentReader(model=file)
    for name in ("dseg", "strokes"):
        exact, unreadable, wrong = measure(reader.read, name, MEASURED).shares(MIN_CONFIDENCE)
        logger.info(messages.READER_MEASURED, name, MIN_CONFIDENCE, 100 * exact, 100 * unreadable, 100 * wrong)
        if exact < MIN_EXACT or wrong > MAX_WRONG:
            raise VcamError(f"not good enough on {name}: {exact:.4f} exact, {wrong:.4f} wrong")


def main() -> int:
    """Train, export, measure; replace ``seven.onnx`` only where the new one is good enough."""
    parser = argparse.ArgumentParser(description="Train the reader of seven-segment displays.")
    parser.add_argument("--work", type=Path, required=True, help="folder for what is made on the way")
    parser.add_argument("--output", type=Path, default=HERE / "seven.onnx")
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    args.work.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    model = train(PARTS, args.work)
    made = args.work / "seven.onnx"
    export(model, made)
    check(made)
    shutil.copyfile(made, args.output)
    logger.info(messages.READER_WRITTEN, args.output, made.stat().st_size, (time.monotonic() - started) / 60)
    return EXIT_OK


if __name__ == "__main__":
    try:
        sys.exit(main())
    except VcamError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(EXIT_FAILED)
