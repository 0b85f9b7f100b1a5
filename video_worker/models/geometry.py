"""Letterbox geometry: fits a picture into a model's input, and maps boxes back. Pure arithmetic on arrays.

The same fit as ultralytics' ``LetterBox`` with ``auto=True``: the longest side becomes `imgsz`, the rest is padded
to a multiple of the model's stride only, not to a square; a model of fixed input size gets that size.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Letterbox:
    """One fit. Sizes are (width, height), pixels.

    Attributes:
        source_wh: the picture as it comes.
        scaled_wh: the picture inside the model's input.
        padded_wh: the model's input.
        left: columns of padding before the picture.
        top: rows of padding above it.
    """

    source_wh: tuple[int, int]
    scaled_wh: tuple[int, int]
    padded_wh: tuple[int, int]
    left: int
    top: int

    @classmethod
    def fit(
        cls, source_wh: tuple[int, int], imgsz: int, stride: int, fixed_wh: tuple[int, int] | None = None
    ) -> Letterbox:
        """Return the fit of a picture of `source_wh`.

        Args:
            source_wh: width and height of the picture, at least 1 each.
            imgsz: longest side of the input; rounded up to a multiple of `stride`.
            stride: the model's largest stride.
            fixed_wh: the input size of a model that takes no other.
        """
        width, height = source_wh
        if width < 1 or height < 1:
            raise ValueError(f"a picture of at least 1x1 was expected, not {width}x{height}")
        side = -(-imgsz // stride) * stride
        target = fixed_wh or (side, side)
        ratio = min(target[0] / width, target[1] / height)
        scaled = max(round(width * ratio), 1), max(round(height * ratio), 1)
        spare_w, spare_h = target[0] - scaled[0], target[1] - scaled[1]
        if fixed_wh is None:
            spare_w, spare_h = spare_w % stride, spare_h % stride
        # the 0.1 decides on which side an odd pixel goes, as ultralytics does
        return cls(
            source_wh,
            scaled,
            (scaled[0] + spare_w, scaled[1] + spare_h),
            left=round(spare_w / 2 - 0.1),
            top=round(spare_h / 2 - 0.1),
        )

    @property
    def margins(self) -> tuple[int, int, int, int]:
        """Padding in pixels: top, bottom, left, right."""
        return (
            self.top,
            self.padded_wh[1] - self.scaled_wh[1] - self.top,
            self.left,
            self.padded_wh[0] - self.scaled_wh[0] - self.left,
        )

    def to_source(self, xyxy: Floats) -> Floats:
        """Return boxes (N×4: x1, y1, x2, y2 in the model's input) in pixels of the source, clipped to it."""
        gain_x = self.scaled_wh[0] / self.source_wh[0]
        gain_y = self.scaled_wh[1] / self.source_wh[1]
        offset = np.array([self.left, self.top, self.left, self.top], np.float32)
        gain = np.array([gain_x, gain_y, gain_x, gain_y], np.float32)
        limit = np.array([*self.source_wh, *self.source_wh], np.float32)
        boxes: Floats = np.clip((xyxy - offset) / gain, 0, limit).astype(np.float32)
        return boxes
