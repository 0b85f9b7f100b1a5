"""Measure a reader on displays that training never saw.

    python -m video_worker.readers.seven_segment_model.measure --count 500

Needs Debian's package ``fonts-dseg``.
"""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from video_worker import messages
from video_worker.readers.base import RawReading
from video_worker.readers.seven_segment.reader import MODEL, SevenSegmentReader
from video_worker.readers.seven_segment_model import unseen

SEED = 90_001
SETS: dict[str, unseen.Draw] = {"dseg": unseen.dseg, "strokes": unseen.strokes, "dots": unseen.dots}
ENDS_IN_1: dict[str, unseen.Draw] = {"dseg-1": unseen.dseg, "strokes-1": unseen.strokes}
"""Sets whose last digit is a 1 right beside the frame."""
MIN_CONFIDENCE = 0.5
"""The default of a zone's task."""

logger = logging.getLogger(__name__)


@dataclass
class Figures:
    """How a set was read.

    Attributes:
        confidences: of readings whose text is the truth, and of others.
        seconds: of all readings together.
        failed: number, truth and reading of those that are not right.
    """

    right: list[float] = field(default_factory=list)
    other: list[float] = field(default_factory=list)
    seconds: float = 0.0
    failed: list[tuple[int, unseen.Display, RawReading]] = field(default_factory=list)

    def shares(self, least: float) -> tuple[float, float, float]:
        """Return the shares of exact, unreadable and wrong; those of less confidence than `least` are unreadable."""
        count = max(len(self.right) + len(self.other), 1)
        exact = sum(one >= least for one in self.right) / count
        wrong = sum(one >= least for one in self.other) / count
        return exact, 1 - exact - wrong, wrong


def displays(name: str, count: int, seed: int = SEED) -> Iterator[unseen.Display]:
    """Draw a set: one of SETS or ENDS_IN_1, or ``cut``, whose digits are cut off."""
    for number in range(count):
        rng = np.random.default_rng([seed, number, sum(name.encode())])
        one = unseen.display(rng, (SETS | ENDS_IN_1).get(name, unseen.dseg), ends_in_1=name in ENDS_IN_1)
        yield unseen.cut(rng, one) if name == "cut" else one


def measure(read: Callable[[unseen.Picture], RawReading], name: str, count: int, seed: int = SEED) -> Figures:
    """Read a set."""
    figures = Figures()
    for number, one in enumerate(displays(name, count, seed)):
        started = time.process_time()
        reading = read(one.picture)
        figures.seconds += time.process_time() - started
        right = reading.text == one.text and reading.text != ""
        (figures.right if right else figures.other).append(reading.confidence)
        if not right:
            figures.failed.append((number, one, reading))
    return figures


def main() -> None:
    """Print the table, and save pictures of what was not read right."""
    parser = argparse.ArgumentParser(description="Measure the reader of seven-segment displays.")
    parser.add_argument("--count", type=int, default=500, help="displays per set")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--model", type=Path, default=MODEL)
    parser.add_argument("--failed", type=Path, help="folder for pictures of what was not read right")
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    reader = SevenSegmentReader(model=args.model)
    for name in (*SETS, *ENDS_IN_1, "cut"):
        figures = measure(reader.read, name, args.count, args.seed)
        for least in (0.0, MIN_CONFIDENCE, 0.7):
            exact, unreadable, wrong = (100 * share for share in figures.shares(least))
            logger.info(messages.READER_MEASURED, name, least, exact, unreadable, wrong)
        logger.info(messages.READER_TIMED, name, 1000 * figures.seconds / args.count)
        if args.failed:
            args.failed.mkdir(parents=True, exist_ok=True)
            for number, one, reading in figures.failed:
                said = f"{name}-{number}-{one.text}-{reading.text}-{reading.confidence:.2f}".replace(":", ";")
                cv2.imwrite(str(args.failed / f"{said}.png"), one.picture)


if __name__ == "__main__":
    main()
