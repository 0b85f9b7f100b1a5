"""The network: columns of a crop in, symbols out, and where the row of digits is. Needs torch."""

from __future__ import annotations

import torch
from torch import nn

from video_worker.readers.seven_segment.alphabet import SYMBOLS

PLACE = 3
"""Outputs per column besides the symbols: whether the row of digits passes there, its upper and its lower edge."""
UNKNOWN = -1
"""In the place of a symbol at a column that may say it or nothing."""


def _block(
    inputs: int, outputs: int, kernel: tuple[int, int], stride: tuple[int, int], padding: tuple[int, int]
) -> list[nn.Module]:
    return [
        nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    ]


def build() -> nn.Sequential:
    """Return it with new weights: batch×1×48×width in, batch×(symbols + PLACE)×width/4 out."""
    layers = [
        *_block(1, 16, (3, 3), (2, 2), (1, 1)),
        *_block(16, 32, (3, 3), (1, 1), (1, 1)),
        *_block(32, 48, (3, 3), (2, 2), (1, 1)),
        *_block(48, 64, (3, 3), (1, 1), (1, 1)),
        *_block(64, 80, (3, 3), (2, 1), (1, 1)),
        *_block(80, 80, (3, 3), (1, 1), (1, 1)),
        *_block(80, 128, (6, 3), (1, 1), (0, 1)),
        *_block(128, 128, (1, 5), (1, 1), (0, 2)),
        *_block(128, 128, (1, 5), (1, 1), (0, 2)),
        nn.Conv2d(128, len(SYMBOLS) + PLACE, (1, 1)),
        nn.Flatten(2, 3),
    ]
    return nn.Sequential(*layers)


def loss(said: torch.Tensor, truth: dict[str, torch.Tensor]) -> torch.Tensor:
    """Return what training reduces: CTC for the symbols, and how far the row of digits is missed."""
    count = len(SYMBOLS)
    columns = said.shape[2]
    likely = said[:, :count].permute(2, 0, 1).log_softmax(2)
    lengths = torch.full((said.shape[0],), columns, dtype=torch.long)
    reading = nn.functional.ctc_loss(
        likely, truth["symbols"], lengths, truth["lengths"], reduction="none", zero_infinity=True
    )
    reading = (reading / truth["lengths"].clamp(min=1)).mean()
    there = truth["there"]
    # where each symbol is, is known of drawn displays: by CTC alone, it would have to be found out first
    placing = nn.functional.cross_entropy(said[:, :count], truth["columns"], ignore_index=UNKNOWN)
    presence = nn.functional.binary_cross_entropy_with_logits(said[:, count], there)
    off = (said[:, count + 1 :] - truth["edges"]).abs() * there[:, None]
    return reading + 2 * placing + 0.5 * presence + 4 * off.sum() / there.sum().clamp(min=1)
