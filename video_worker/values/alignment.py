"""Finds a reference picture again in frames of a camera that was nudged: how it was shifted, turned and zoomed.

Corners all over the reference picture are looked for where they were last, then, where few of them are there, anywhere
(by phase correlation). A place is believed in when enough patches around these corners look alike, spread over the
picture: people in front of it, displays that change and shadows take some of them away. Pictures are compared after
local normalisation, so that light does not matter.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_utils.media.picture import Picture
from video_worker.values.placement import Matrix

WORK_PX = 640
"""Width at which pictures are compared: corners are found to a tenth of a pixel of it, half a pixel of a 4K frame."""
MAX_SHIFT, MAX_TURN_DEG, MAX_ZOOM = 0.12, 12.0, 1.13
"""Limits of what is followed: shift of the middle in widths of the picture, turn, and factor of size. A little more
than the tenth and the 10° that users are promised."""
MAX_TILT = 0.3
"""How much parts of the picture may differ in size: a camera that pans sees them from another side, to some percent."""
LIGHT_PX = 21
"""Window of the local normalisation."""
NOISE = 6.0
"""Grey levels of contrast that count as nothing: noise is not amplified."""
CORNERS, CORNER_QUALITY, CORNER_GAP_PX = 200, 0.02, 9
MIN_STRENGTH = 1e-4
"""Least eigenvalue of a corner: noise of 4 grey levels makes some of 8e-5, a car park in the sun many of 3e-4."""
PATCH_PX = 13
"""Side of a patch around a corner."""
ALIKE = 0.7
"""Correlation from which two patches look alike."""
MIN_SUPPORT, SURE_SUPPORT = 0.2, 0.5
"""Share of patches that must look alike for a place to be believed in, and from which no other is looked for."""
MIN_PATCHES, MIN_CELLS, GRID = 14, 5, 5
"""Number of them, and in how many cells of a grid over the picture they have to be."""
NEAR_PX = 2.0
"""Distance within which a corner agrees with the place of the others, while that is looked for."""
MAX_STEPS, LAST_STEP_PX = 3, 1.0
"""How often a place is corrected, and by how little at last: shorter ones are right to a tenth."""
COARSE_SHARE = 4
COARSE_TURNS = tuple(np.arange(-10.0, 10.1, 2.5).tolist())
COARSE_ZOOMS = (0.9, 0.95, 1.0, 1.05, 1.1)
"""Where a picture is looked for first: at a quarter of the size, over these turns, degrees, and factors of size."""
COARSE_GUESSES = 4

Grey = NDArray[np.uint8]
Points = NDArray[np.float32]
Transform = NDArray[np.float64]
"""3×3, in pixels of the pictures that are compared."""
Spectrum = NDArray[np.complex128]
Polygon = Sequence[Sequence[float]]


@dataclass(frozen=True)
class Motion:
    """How a camera was moved.

    Attributes:
        shift: of the middle of the picture, in widths of it.
        turn_deg: degrees.
        zoom: factor of size.
    """

    shift: float
    turn_deg: float
    zoom: float

    @property
    def is_small(self) -> bool:
        """Whether zones may follow it."""
        return self.shift <= MAX_SHIFT and abs(self.turn_deg) <= MAX_TURN_DEG and 1 / MAX_ZOOM <= self.zoom <= MAX_ZOOM


@dataclass(frozen=True)
class Found:
    """A place of the reference picture in a frame.

    Attributes:
        transform: from pixels of the reference to those of the frame.
        support: share of patches that look alike there.
    """

    transform: Transform
    support: float


class View:
    """A picture, prepared for being compared.

    Args:
        picture: height×width×3, blue green red.
        size: width and height in pixels at which it is compared.
    """

    def __init__(self, picture: Picture, size: tuple[int, int]) -> None:
        grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
        if (grey.shape[1], grey.shape[0]) != size:
            smaller = size[0] < grey.shape[1]
            grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)
        self.size = size
        self.grey: Grey = np.asarray(grey, np.uint8)
        self.even = _evenly_lit(self.grey)

    @cached_property
    def small(self) -> NDArray[np.float32]:
        """The evenly lit picture at :data:`COARSE_SHARE` of its size, around 0."""
        size = self.size[0] // COARSE_SHARE, self.size[1] // COARSE_SHARE
        small = cv2.resize(self.even, size, interpolation=cv2.INTER_AREA)
        return np.asarray(small, np.float32) - np.float32(128)

    def corners(self, ignored: Sequence[Polygon] = ()) -> Points:
        """Return corners, N×2 pixels, the strongest first.

        Args:
            ignored: polygons, 0..1 of the picture, where there are to be none; they are taken after all where hardly
                any is left.
        """
        strength = cv2.cornerMinEigenVal(cv2.GaussianBlur(self.grey, (3, 3), 0), 5)
        mask = np.asarray(strength > MIN_STRENGTH, np.uint8)
        mask[:PATCH_PX] = mask[-PATCH_PX:] = 0
        mask[:, :PATCH_PX] = mask[:, -PATCH_PX:] = 0
        outside = mask.copy()
        for polygon in ignored:
            cv2.fillPoly(outside, [np.round(np.asarray(polygon) * self.size).astype(np.int32)], (0,))
        found = _corners(self.even, outside)
        if len(found) < 3 * MIN_PATCHES:
            found = _corners(self.even, mask)
        return found


def _corners(grey: Grey, mask: Grey) -> Points:
    found = cv2.goodFeaturesToTrack(grey, CORNERS, CORNER_QUALITY, CORNER_GAP_PX, mask=mask)
    return np.zeros((0, 2), np.float32) if found is None else np.asarray(found, np.float32).reshape(-1, 2)


def _evenly_lit(grey: Grey) -> Grey:
    """Return a picture whose brightness and contrast are the same everywhere, around 128."""
    values = cv2.GaussianBlur(grey, (5, 5), 0).astype(np.float32)
    window = (LIGHT_PX, LIGHT_PX)
    mean = cv2.blur(values, window)
    spread = np.sqrt(np.maximum(cv2.blur(values * values, window) - mean * mean, 0))
    return np.asarray(np.clip(128 + 50 * (values - mean) / (spread + NOISE), 0, 255), np.uint8)


def motion_of(transform: Transform, size: tuple[int, int]) -> Motion | None:
    """Return how a transform between pictures of a size moves them; None for one that no moved camera makes."""
    width, height = size
    ends = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float64)
    if not np.isfinite(transform).all() or (ends @ transform[2, :2] + transform[2, 2] <= 0).any():
        return None
    placed = _moved(ends, transform).astype(np.float64)
    sides = np.roll(placed, -1, axis=0) - placed
    turns = sides[:, 0] * np.roll(sides[:, 1], -1) - sides[:, 1] * np.roll(sides[:, 0], -1)
    areas = turns / (width * height)
    if areas.min() <= 0 or areas.max() > areas.min() * (1 + MAX_TILT) ** 2:
        return None
    middle = _moved(np.array([(width / 2, height / 2)]), transform)[0]
    across, down = placed[1] - placed[0] + placed[2] - placed[3], placed[3] - placed[0] + placed[2] - placed[1]
    turn = math.atan2(across[1] - down[0] * width / height, across[0] + down[1] * width / height)
    zoom = math.sqrt(float(areas.mean()))
    shift = math.hypot(middle[0] - width / 2, middle[1] - height / 2) / width
    return Motion(shift, math.degrees(turn), zoom)


def matrix_of(transform: Transform, size: tuple[int, int]) -> Matrix:
    """Return a transform between pictures of a size as one between 0..1 of both."""
    # OpenCV counts from the middle of the first pixel
    scale = np.array([(size[0], 0, -0.5), (0, size[1], -0.5), (0, 0, 1)])
    matrix = np.linalg.inv(scale) @ transform @ scale
    first, second, third = (matrix / matrix[2, 2]).tolist()
    return tuple(first), tuple(second), tuple(third)


def transform_of(matrix: Sequence[Sequence[float]], size: tuple[int, int]) -> Transform:
    """Return the transform between pictures of a size that has a matrix of :func:`matrix_of`."""
    scale = np.array([(size[0], 0, -0.5), (0, size[1], -0.5), (0, 0, 1)])
    return np.asarray(scale @ np.asarray(matrix, np.float64) @ np.linalg.inv(scale), np.float64)


def distance(transform: Transform, size: tuple[int, int]) -> float:
    """Return how far a transform moves the corners of a picture at most, pixels."""
    ends = np.array([(0, 0), (size[0], 0), size, (0, size[1])], np.float64)
    return float(np.linalg.norm(_moved(ends, transform) - ends, axis=1).max())


class Anchor:
    """A picture whose place is known, and which is looked for in others.

    Args:
        view: the picture.
        ignored: polygons, 0..1 of the picture, whose content changes, such as displays.
        placed: from pixels of the reference picture to those of this one.
    """

    def __init__(self, view: View, ignored: Sequence[Polygon] = (), placed: Transform | None = None) -> None:
        self.view = view
        self.placed: Transform = np.eye(3) if placed is None else placed
        self.corners = view.corners(ignored)
        self._patches = _patches(view.even, self.corners)

    @property
    def is_usable(self) -> bool:
        """Whether it shows enough to be found again."""
        return len(self.corners) >= MIN_PATCHES and _cells(self.corners, self.view.size) >= MIN_CELLS

    def near(self, view: View, guess: Transform) -> Found | None:
        """Return the place of this picture in another one, close to a guess; None where it is not there.

        Args:
            view: the other picture.
            guess: from pixels of this picture to those of the other one.
        """
        size = self.view.size
        alike, transform = self._alike(view, guess), guess
        for _ in range(MAX_STEPS):
            there = _followed(self.view.even, _straightened(view.even, transform, size), self.corners)
            step = None if there is None else _fit(*there, size)
            if step is None:
                break
            better = transform @ step
            gained = self._alike(view, better)
            if gained.sum() < alike.sum():
                break
            alike, transform = gained, better
            if distance(step, size) < LAST_STEP_PX:
                break
        return self._believed(alike, transform)

    def anywhere(self, view: View) -> Found | None:
        """Return the place of this picture in another one, wherever it is; None where it is not there."""
        best: Found | None = None
        for guess in _guesses(self._spectrum, view):
            found = self.near(view, guess)
            if found is not None and (best is None or found.support > best.support):
                best = found
            if best is not None and best.support >= SURE_SUPPORT:
                break
        return best

    @cached_property
    def _spectrum(self) -> Spectrum:
        return np.asarray(_spectra(self.view.small[None])[0], np.complex128)

    def _believed(self, alike: NDArray[np.bool_], transform: Transform) -> Found | None:
        enough = alike.sum() >= max(MIN_PATCHES, MIN_SUPPORT * len(alike))
        if not enough or _cells(self.corners[alike], self.view.size) < MIN_CELLS:
            return None
        return Found(transform, float(alike.mean()))

    def _alike(self, view: View, transform: Transform) -> NDArray[np.bool_]:
        """Tell which patches look alike: none of those that are outside the other picture."""
        if motion_of(transform, self.view.size) is None:
            return np.zeros(len(self.corners), np.bool_)
        straight = _straightened(view.even, transform, self.view.size)
        return np.asarray((self._patches * _patches(straight, self.corners)).sum(axis=1) >= ALIKE, np.bool_)


def _guesses(spectrum: Spectrum, view: View) -> Iterator[Transform]:
    """Yield where a picture of a spectrum may be in another one, the likeliest first: by phase correlation.

    Kuglin and Hines (1975), over some turns and zooms.
    """
    height, width = view.small.shape
    middle = (width - 1) / 2, (height - 1) / 2
    tries: list[Transform] = []
    for turn in COARSE_TURNS:
        for zoom in COARSE_ZOOMS:
            tries.append(np.vstack([cv2.getRotationMatrix2D(middle, -turn, zoom), (0, 0, 1)]))
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    turned = [cv2.warpAffine(view.small, one[:2], (width, height), flags=flags) for one in tries]
    cross = _spectra(np.asarray(turned, np.float32)) * np.conj(spectrum)
    peaks = np.fft.irfft2(cross / np.maximum(np.abs(cross), 1e-6), s=(height, width))
    reach = math.ceil(MAX_SHIFT * width)
    rows = np.minimum(np.arange(height), height - np.arange(height))
    columns = np.minimum(np.arange(width), width - np.arange(width))
    peaks[:, (rows > reach)] = 0
    peaks[:, :, (columns > reach)] = 0
    best = peaks.reshape(len(tries), -1).max(axis=1)
    up = np.array([(COARSE_SHARE, 0, (COARSE_SHARE - 1) / 2), (0, COARSE_SHARE, (COARSE_SHARE - 1) / 2), (0, 0, 1)])
    for number in np.argsort(-best)[:COARSE_GUESSES]:
        down, across = divmod(int(peaks[number].argmax()), width)
        shift = np.eye(3)
        shift[:2, 2] = across - width * (across > width // 2), down - height * (down > height // 2)
        yield np.asarray(up @ tries[number] @ shift @ np.linalg.inv(up), np.float64)


def _spectra(pictures: NDArray[np.float32]) -> NDArray[np.complex128]:
    """Return the spectra of pictures, number×height×width, fading out at their edges."""
    window = np.outer(np.hanning(pictures.shape[1]), np.hanning(pictures.shape[2]))
    return np.asarray(np.fft.rfft2(pictures * window), np.complex128)


def _followed(before: Grey, after: Grey, points: Points) -> tuple[Points, Points] | None:
    """Return which points were found again, and where."""
    window = {"winSize": (15, 15), "maxLevel": 2}
    there, ok, _ = cv2.calcOpticalFlowPyrLK(before, after, points, None, **window)  # type: ignore[call-overload]
    back, ok_back, _ = cv2.calcOpticalFlowPyrLK(after, before, there, None, **window)  # type: ignore[call-overload]
    same = (ok.ravel() == 1) & (ok_back.ravel() == 1) & (np.abs(back - points).max(axis=1) < NEAR_PX / 2)
    if np.count_nonzero(same) < MIN_PATCHES:
        return None
    return points[same], np.asarray(there[same], np.float32)


def _fit(first: Points, second: Points, size: tuple[int, int]) -> Transform | None:
    """Return the transform that takes most points to where they were found; None where they do not agree."""
    fitted, inside = cv2.estimateAffinePartial2D(
        first, second, method=cv2.RANSAC, ransacReprojThreshold=NEAR_PX, maxIters=2000, confidence=0.995
    )
    if fitted is None:
        return None
    plain: Transform = np.asarray(np.vstack([fitted, (0, 0, 1)]), np.float64)
    near = np.count_nonzero(inside)
    found, inside_tilted = cv2.findHomography(first, second, cv2.RANSAC, NEAR_PX, maxIters=2000, confidence=0.995)
    if found is not None and np.count_nonzero(inside_tilted) >= max(1.1 * near, near + 8):
        tilted: Transform = np.asarray(found, np.float64)
        if motion_of(tilted, size) is not None:
            return tilted
    return plain if near >= MIN_PATCHES else None


def _straightened(grey: Grey, transform: Transform, size: tuple[int, int]) -> Grey:
    """Return what the reference would look like in a frame, by the transform from reference to frame."""
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpPerspective(grey, transform, size, flags=flags, borderValue=(128,)), np.uint8)


def _patches(grey: Grey, points: Points) -> NDArray[np.float32]:
    """Return the patches around points, N×pixels, each with a mean of 0 and a length of 1."""
    half = PATCH_PX // 2
    places = np.round(points).astype(np.int64)
    offsets = np.arange(-half, half + 1)
    rows = places[:, 1, None, None] + offsets[:, None]
    columns = places[:, 0, None, None] + offsets[None, :]
    found = grey[rows, columns].reshape(len(points), PATCH_PX * PATCH_PX).astype(np.float32)
    found -= found.mean(axis=1, keepdims=True)
    return np.asarray(found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-6), np.float32)


def _cells(points: Points, size: tuple[int, int]) -> int:
    """Return in how many cells of a grid over the picture points are."""
    cells = np.clip((points * GRID / np.array(size)).astype(np.int64), 0, GRID - 1)
    return len(np.unique(cells[:, 0] * GRID + cells[:, 1]))


def _moved(points: NDArray[np.float64], transform: Transform) -> NDArray[np.float64]:
    moved = cv2.perspectiveTransform(points.reshape(-1, 1, 2).astype(np.float64), transform)
    return np.asarray(moved, np.float64).reshape(-1, 2)
