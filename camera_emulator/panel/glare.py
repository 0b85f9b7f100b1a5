"""A reflection that wanders over the panel: a window or a lamp behind the camera."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
Points = npt.NDArray[np.float64]

UNREADABLE = 0.55
"""Strength over a display from which a person cannot be sure to read it."""
LIGHT = 240.0
"""Grey levels that the full strength adds."""
_FAINT = 0.16
_EVERY_S, _LASTS_S = 17.0, 5.0
"""From one bright passage to the next, and how long it is bright, about."""
_COARSER = 8


@dataclass(frozen=True)
class Glare:
    """The reflection of a seed.

    Attributes:
        phases: where it begins.
        radii: half its width and height, shares of the picture.
        lean: angle by which it is turned, radians.
    """

    phases: tuple[float, float, float]
    radii: tuple[float, float]
    lean: float

    def peak(self, t: float) -> float:
        """Return its strength 0..1 in its middle."""
        beat = ((t + self.phases[2] * _EVERY_S) % _EVERY_S) / _LASTS_S
        return _FAINT + (1.0 - _FAINT) * (math.sin(math.pi * beat) ** 2 if beat < 1 else 0.0)

    def strength(self, t: float, points: Points) -> npt.NDArray[np.float64]:
        """Return its strength 0..1 at points (n, 2), shares of the picture."""
        across, down, _ = self.phases
        x = 0.5 + 0.52 * np.sin(t / 8.3 + across)
        y = 0.5 + 0.45 * np.sin(t / 5.1 + down)
        peak = self.peak(t)
        dx, dy = points[:, 0] - x, points[:, 1] - y
        cosine, sine = np.cos(self.lean), np.sin(self.lean)
        along, beside = (dx * cosine + dy * sine) / self.radii[0], (dy * cosine - dx * sine) / self.radii[1]
        # flat in its middle with soft edges, as a window that is out of focus
        return np.asarray(peak * np.exp(-((along**2 + beside**2) ** 2)), np.float64)

    def add(self, image: Image, t: float) -> None:
        """Add it to a frame, in place."""
        height, width = image.shape[:2]
        rows, columns = -(-height // _COARSER), -(-width // _COARSER)
        y, x = np.mgrid[0:rows, 0:columns]
        points = np.stack([(x.ravel() + 0.5) / columns, (y.ravel() + 0.5) / rows], axis=1)
        light = (LIGHT * self.strength(t, points)).reshape(rows, columns).astype(np.float32)
        found = np.flatnonzero(light.max(axis=1) >= 0.5)
        if not found.size:
            return
        whole = cv2.resize(light, (width, height), interpolation=cv2.INTER_LINEAR).astype(np.uint8)
        first, last = int(found[0]) * _COARSER, min(height, (int(found[-1]) + 1) * _COARSER)
        part = image[first:last]
        cv2.add(part, cv2.merge([whole[first:last]] * 3), dst=part)


def glare_of(seed: int) -> Glare:
    """Return the reflection of a seed."""
    dice = np.random.default_rng([seed, 6])
    phases = tuple(float(one) for one in dice.uniform(0, 2 * np.pi, 2))
    return Glare(
        (phases[0], phases[1], float(dice.uniform(0.0, 0.6))),
        (float(dice.uniform(0.10, 0.15)), float(dice.uniform(0.13, 0.2))),
        float(dice.uniform(-0.5, 0.5)),
    )
