"""Draws a display as a camera sees it: the zone's crop, and what the network shall say of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from video_worker.readers.seven_segment.alphabet import BROKEN
from video_worker.readers.seven_segment.looks import HEIGHT
from video_worker.readers.seven_segment_model import disturbances
from video_worker.readers.seven_segment_model.contents import content
from video_worker.readers.seven_segment_model.displays import Cell, Layout, random_style
from video_worker.readers.seven_segment_model.segments import Points, Style

Plane = NDArray[np.floating[Any]]
Mask = NDArray[np.uint8]

FINER = 2
"""Displays are drawn at so many times the size of a crop, and then reduced."""
SHIFT = 4
"""Fractional bits of the coordinates that OpenCV draws at."""
CUT = 0.16
"""Share of a cell beyond the edge of the picture from which it is broken."""
GONE = 0.75
"""Share from which nothing of it is seen that could be mistaken."""
LABELS = ("kg", "g", "mm", "bar", "V", "A", "kW", "kWh", "Hz", "%", "m3", "psi", "rpm", "ON", "SET", "MAX 30", "TARE",
          "NET", "TEMP", "PRESSURE", "FLOW", "L/min", "ZERO", "MODE", "PUMP 2", "220V", "TIMER", "HOLD", "pH", "mA",
          "ALARM", "RUN", "IP65", "No. 1847", "dB", "*C", "x10", "CH1", "OUT", "kPa", "sec", "min", "h")  # fmt: skip


@dataclass(frozen=True)
class View:
    """One drawn crop and its truth.

    Attributes:
        picture: HEIGHT×width, uint8, grey.
        symbols: of the network's alphabet, from left to right.
        span: x of the first and the last lit place; equal where nothing is lit.
        top: y of the row's upper edge at both ends of the span.
        bottom: of the lower edge.
        middles: x of the middle of each symbol.
    """

    picture: Mask
    symbols: list[str]
    span: tuple[float, float]
    top: tuple[float, float]
    bottom: tuple[float, float]
    middles: list[float]


def _homography(rng: np.random.Generator, width: int, height_px: float, left: float, top: float) -> Points:
    """Return what takes units of a display to pixels: place and size, then a little turn and perspective."""
    angle = np.deg2rad(float(rng.normal(0, 2.0)))
    stretch = float(rng.uniform(0.85, 1.2))
    cos, sin = np.cos(angle), np.sin(angle)
    middle = width / 2, HEIGHT / 2
    place = np.array([[height_px * stretch, 0, left - middle[0]], [0, height_px, top - middle[1]], [0, 0, 1.0]])
    turn = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1.0]])
    shear = np.array([[1, float(rng.normal(0, 0.03)), 0], [0, 1, 0], [0, 0, 1.0]])
    tilt = np.eye(3)
    tilt[2, 0] = float(rng.normal(0, 0.08)) / width
    tilt[2, 1] = float(rng.normal(0, 0.06)) / HEIGHT
    back = np.array([[1, 0, middle[0]], [0, 1, middle[1]], [0, 0, 1.0]])
    return np.asarray(back @ tilt @ shear @ turn @ place)


def _mapped(points: Points, homography: Points) -> Points:
    mapped = points @ homography[:, :2].T + homography[:, 2]
    return np.asarray(mapped[..., :2] / mapped[..., 2:])


def _fill(mask: Mask, shapes: list[Points], homography: Points, value: float) -> None:
    if not shapes:
        return
    ends = np.cumsum([len(shape) for shape in shapes])[:-1]
    points = np.rint(_mapped(np.concatenate(shapes), homography) * FINER * (1 << SHIFT)).astype(np.int32)
    # one by one: shapes that overlap would cancel out
    for shape in np.split(points, ends):
        cv2.fillPoly(mask, [shape], value, cv2.LINE_AA, SHIFT)


def _smaller(mask: Mask, size: tuple[int, int]) -> Plane:
    return np.asarray(cv2.resize(mask, size, interpolation=cv2.INTER_AREA), np.float32)


class _Scene:
    """A display on its panel, drawn in layers."""

    def __init__(self, rng: np.random.Generator, width: int, *, cut_words: bool) -> None:
        self.rng = rng
        self.cut_words = cut_words
        self.width = width
        self.size = (width, HEIGHT)
        shape = HEIGHT * FINER, width * FINER
        self.base: Mask = np.zeros(shape, np.uint8)
        self.lit: Mask = np.zeros(shape, np.uint8)
        self.dark: Mask = np.zeros(shape, np.uint8)

    def colours(self) -> None:
        """Choose the display's brightness, lit and not: LED on dark, LCD dark on light, or lit LCD."""
        rng = self.rng
        way = rng.random()
        if way < 0.42:
            self.back, self.front = float(rng.uniform(4, 80)), float(rng.uniform(120, 255))
            self.halo = float(rng.choice([0, rng.uniform(0.1, 0.7)], p=[0.3, 0.7]))
            self.shade = 0.0
            self.ghost = float(rng.choice([0, rng.uniform(0.02, 0.22)], p=[0.4, 0.6]))
        else:
            bright, dim = float(rng.uniform(95, 235)), float(rng.uniform(8, 90))
            positive = way < 0.85
            self.back, self.front = (bright, dim) if positive else (dim, bright)
            self.halo = 0.0
            self.shade = float(rng.choice([0, rng.uniform(0.1, 0.5)], p=[0.5, 0.5])) * positive
            self.ghost = float(rng.choice([0, rng.uniform(0.02, 0.25)], p=[0.35, 0.65]))
        if rng.random() < 0.2:  # pale
            self.front = self.back + (self.front - self.back) * float(rng.uniform(0.25, 0.6))

    def panel(self, window: Points) -> None:
        """Draw panel, frame and window of the display; the window is four corners in pixels."""
        rng = self.rng
        self.base[:] = int(rng.uniform(5, 250))
        shades = [float(rng.uniform(0, 255)) for _ in range(2)]
        middle = window.mean(0)
        for shade, growth in zip(shades, sorted(rng.uniform(0.0, 7.0, 2), reverse=True), strict=True):
            if rng.random() < 0.45:
                outwards = np.sign(window - middle) * growth
                self._polygon(window + outwards, shade)
        self._polygon(window, self.back)
        if rng.random() < 0.15:
            for _ in range(int(rng.integers(1, 4))):
                x, y = rng.uniform(0, 1, 2) * self.size
                near = cv2.pointPolygonTest(window.astype(np.float32), (float(x), float(y)), True)
                if near < -4:
                    centre = int(x * FINER), int(y * FINER)
                    cv2.circle(self.base, centre, int(rng.integers(3, 8)), int(rng.uniform(0, 255)), -1, cv2.LINE_AA)

    def _polygon(self, corners: Points, value: float) -> None:
        points = np.rint(corners * FINER * (1 << SHIFT)).astype(np.int32)
        cv2.fillPoly(self.base, [points], value, cv2.LINE_AA, SHIFT)

    def label(self, x: float, y: float, height: float, value: float, room: float) -> None:
        """Print a word whose lower left corner is at x and y, where it fits into the room to the right."""
        rng = self.rng
        text = str(rng.choice(LABELS)) if rng.random() < 0.9 else str(int(rng.integers(1, 3000)))
        face = int(rng.choice([cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_TRIPLEX,
                               cv2.FONT_HERSHEY_COMPLEX]))  # fmt: skip
        scale = height * FINER / 21
        thick = max(1, round(scale * float(rng.uniform(1.0, 4.0))))
        if self.cut_words or cv2.getTextSize(text, face, scale, thick)[0][0] <= room * FINER:
            cv2.putText(self.base, text, (int(x * FINER), int(y * FINER)), face, scale, value, thick, cv2.LINE_AA)

    @property
    def contrast(self) -> float:
        """Between lit and dark, in levels of 255."""
        return abs(self.front - self.back)

    def compose(self) -> Plane:
        """Return the crop in clear light."""
        rng = self.rng
        lit = _smaller(self.lit, self.size) / 255
        contrast = self.front - self.back
        image = _smaller(self.base, self.size) + lit * contrast
        if self.ghost:
            image += _smaller(self.dark, self.size) * (self.ghost * contrast / 255)
        if self.halo:
            image += cv2.GaussianBlur(lit, (0, 0), float(rng.uniform(1.2, 5))) * (self.halo * contrast)
        if self.shade:
            moved = np.roll(lit, (int(rng.integers(1, 4)), int(rng.integers(-3, 4))), (0, 1))
            image += cv2.GaussianBlur(moved, (0, 0), float(rng.uniform(0.6, 2))) * (1 - lit) * (self.shade * contrast)
        return image


def _empty(rng: np.random.Generator, width: int, *, cut_words: bool) -> View:
    """Return a crop in which no display says anything: dark, or no display at all."""
    scene = _Scene(rng, width, cut_words=cut_words)
    scene.colours()
    margin = rng.uniform(-6, 14, 8).reshape(4, 2)
    scene.panel(
        np.array([[0, 0], [width, 0], [width, HEIGHT], [0, HEIGHT]]) + margin * [[1, 1], [-1, 1], [-1, -1], [1, -1]]
    )
    if rng.random() < 0.6:
        layout = Layout(rng, " " * int(rng.integers(1, 8)), random_style(rng))
        height = HEIGHT * float(rng.uniform(0.4, 0.85))
        homography = _homography(rng, width, height, float(rng.uniform(0, 12)), (HEIGHT - height) / 2)
        for cell in layout.cells:
            _fill(scene.dark, cell.dark, homography, 255)
    for _ in range(int(rng.integers(0, 3))):
        height = float(rng.uniform(6, 34))
        scene.label(
            float(rng.uniform(0, width / 2)), float(rng.uniform(height, HEIGHT)), height, rng.uniform(0, 255), width
        )
    image = scene.compose()
    seen, _ = disturbances.disturb(rng, image, HEIGHT * 0.6, scene.contrast, min(scene.front, scene.back))
    return View(seen, [], (0.0, 0.0), (0.0, 0.0), (0.0, 0.0), [])


def _placed(rng: np.random.Generator, layout: Layout, width: int, height: float) -> Points:
    """Return where the display lies in the crop; some are cut off at an edge."""
    length = layout.width * height
    free = width - length
    left = free * float(rng.uniform(0.1, 0.9)) if free > 0 else free / 2
    spare = HEIGHT - height
    top = spare * float(np.clip(rng.normal(0.5, 0.2), 0.04, 0.96))
    way = rng.random()
    if way < 0.06:
        left = -float(rng.uniform(0.1, 0.9)) * layout.cells[0].right * height if rng.random() < 0.5 else (
            width - length + float(rng.uniform(0.1, 0.9)) * height * 0.5)  # fmt: skip
    elif way < 0.075:
        top = (
            -height * float(rng.uniform(0.05, 0.4))
            if rng.random() < 0.5
            else spare + height * float(rng.uniform(0.05, 0.4))
        )
    return _homography(rng, width, height, left, top)


def _beyond(cell: Cell, homography: Points, width: int) -> float:
    """Return the share of a cell that lies outside the picture, in the direction in which most does."""
    shapes = _mapped(np.concatenate(cell.lit), homography)
    low, high = shapes.min(0), shapes.max(0)
    corners = _mapped(
        np.array([[cell.left, cell.top], [cell.right, 1.0], [cell.left, 1.0], [cell.right, cell.top]]), homography
    )
    size = np.maximum(corners.max(0) - corners.min(0), 1e-6)
    outside = np.maximum(-low, high - np.array([width, HEIGHT])) / size
    return float(np.clip(outside, 0, 1).max())


def _neighbours(rng: np.random.Generator, scene: _Scene, homography: Points, style: Style) -> None:
    """Draw a part of another row of digits above or below."""
    other = Layout(rng, content(rng, int(rng.integers(2, 8))), style)
    below = rng.random() < 0.5
    edge = _mapped(np.array([[0.0, 1.0 if below else 0.0]]), homography)[0, 1]
    room = HEIGHT - edge if below else edge
    distance = float(rng.uniform(0.15, 0.4))
    scale = float(np.linalg.norm(homography[:2, 1]))
    if room < (distance + 0.05) * scale:
        return
    if room > (distance + 0.4) * scale:
        distance = room / scale - float(rng.uniform(0.05, 0.4))
    move = np.eye(3)
    move[1, 2] = 1 + distance if below else -1 - distance
    for cell in other.cells:
        _fill(scene.lit, cell.lit, homography @ move, 255)


def view(rng: np.random.Generator, width: int, *, cut_words: bool = False) -> View:
    """Draw one crop of a width of pixels.

    Half of them are loose, as people draw a zone; the others are tight, as the reader's second look takes them.

    Args:
        rng: decides on everything.
        width: of the crop.
        cut_words: whether printed words and units may run over the edge of the crop. A foot of a letter is easily
            taken for a decimal point.
    """
    if rng.random() < 0.06:
        return _empty(rng, width, cut_words=cut_words)
    found = _laid_out(rng, width)
    if found is None:
        return view(rng, width, cut_words=cut_words)
    layout, height, style = found
    homography = _placed(rng, layout, width, height)
    scene = _Scene(rng, width, cut_words=cut_words)
    scene.colours()
    x0, x1 = -float(rng.uniform(0.08, 0.7)), layout.width + float(rng.uniform(0.0, 0.9))
    y0, y1 = -float(rng.uniform(0.08, 0.5)), 1 + float(rng.uniform(0.08, 0.5))
    scene.panel(_mapped(np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]]), homography))
    _labels(rng, scene, layout, homography)
    if rng.random() < 0.06:
        _neighbours(rng, scene, homography, style)
    broken = _fill_cells(rng, scene, layout, homography)
    if rng.random() < 0.12:
        _scratches(rng, scene, height)
    image = scene.compose()
    seen, loss = disturbances.disturb(rng, image, height, scene.contrast, min(scene.front, scene.back))
    return _truth(seen, layout, homography, loss, broken)


def _laid_out(rng: np.random.Generator, width: int) -> tuple[Layout, float, Style] | None:
    """Return a display that fits into a width, the height of its digits in pixels, and its style; None if none does."""
    tight = rng.random() < 0.55
    height = HEIGHT * float(rng.uniform(0.66, 0.88) if tight else rng.uniform(0.34, 0.85))
    style = random_style(rng)
    pitch = (style.width + 0.25 * style.width + style.stroke * 0.3) * height
    most = max(1, int((width - 0.1 * height) / pitch))
    cells = int(rng.integers(max(1, round(most * (0.6 if tight else 0.35))), most + 1))
    text = content(rng, min(cells, 12))
    if not text.strip():
        text = "8"
    layout = Layout(rng, text, style)
    limit = width - 0.06 * height
    if layout.width * height > limit:
        height = limit / layout.width
        if height < 0.3 * HEIGHT:
            return None
    if rng.random() < 0.05:
        number = int(rng.integers(len(layout.cells)))
        if layout.cells[number].symbol.strip(".").isdigit():
            layout.overlay(number, str(rng.integers(10)))
    return layout, height, style


def _fill_cells(rng: np.random.Generator, scene: _Scene, layout: Layout, homography: Points) -> set[int]:
    """Draw all segments; returns the numbers of the cells that show two digits at once."""
    broken: set[int] = set()
    _fill(scene.dark, [shape for cell in layout.cells for shape in cell.dark], homography, 255)
    uneven = rng.random() < 0.25
    for number, cell in enumerate(layout.cells):
        if cell.odd and not _same(cell):
            _fill_changing(rng, scene, cell, homography)
            broken.add(number)
        elif uneven:
            level = float(rng.uniform(0.55, 1.0))
            for shape in cell.lit:
                _fill(scene.lit, [shape], homography, 255 * level * float(rng.uniform(0.75, 1.0)))
    if not uneven:
        whole = [cell for number, cell in enumerate(layout.cells) if number not in broken]
        _fill(scene.lit, [shape for cell in whole for shape in cell.lit], homography, 255)
    return broken


def _same(cell: Cell) -> bool:
    return {tuple(shape.ravel()) for shape in cell.odd} == {tuple(shape.ravel()) for shape in cell.lit}


def _fill_changing(rng: np.random.Generator, scene: _Scene, cell: Cell, homography: Points) -> None:
    """Draw a cell that shows two digits, each for a part of the exposure."""
    strength = float(rng.uniform(0.25, 0.75))
    odd = {tuple(shape.ravel()) for shape in cell.odd}
    both = [shape for shape in cell.lit if tuple(shape.ravel()) in odd]
    only = [shape for shape in cell.lit if tuple(shape.ravel()) not in odd]
    _fill(scene.lit, cell.odd, homography, 255 * (1 - strength))
    _fill(scene.lit, only, homography, 255 * strength)
    _fill(scene.lit, both, homography, 255)


def _scratches(rng: np.random.Generator, scene: _Scene, height: float) -> None:
    """Take a little away from segments, as dirt and worn contacts do."""
    for _ in range(int(rng.integers(1, 4))):
        centre = rng.uniform(0, 1, 2) * [scene.width, HEIGHT] * FINER
        radius = int(height * FINER * float(rng.uniform(0.02, 0.07)))
        cv2.circle(scene.lit, (int(centre[0]), int(centre[1])), max(radius, 1), 0, -1, cv2.LINE_AA)


def _labels(rng: np.random.Generator, scene: _Scene, layout: Layout, homography: Points) -> None:
    """Print units beside the digits, and words above, below and before them."""
    corners = _mapped(np.array([[0.0, 0.0], [layout.width, 0.0], [layout.width, 1.0], [0.0, 1.0]]), homography)
    (left, top), (right, bottom) = corners.min(0), corners.max(0)
    height = bottom - top
    if rng.random() < 0.4 and scene.width - right > 5:
        size = height * float(rng.uniform(0.2, 0.6))
        value = scene.front if rng.random() < 0.6 else float(rng.uniform(0, 255))
        x, y = right + float(rng.uniform(1, 5)), bottom - float(rng.uniform(0, max(height - size, 0)))
        scene.label(x, y, size, value, scene.width - right - 1)
    if rng.random() < 0.3 and left > 8:
        size = height * float(rng.uniform(0.15, 0.4))
        scene.label(1.0, float(rng.uniform(top + size, bottom)), size, float(rng.uniform(0, 255)), left - 3)
    for room, base in ((top, top - 2), (HEIGHT - bottom, HEIGHT - 1.5)):
        if room > 6 and rng.random() < 0.45:
            size = min(room - 3, float(rng.uniform(4, 12)))
            scene.label(float(rng.uniform(0, scene.width * 0.6)), base, size, float(rng.uniform(0, 255)), scene.width)


def _truth(seen: Mask, layout: Layout, homography: Points, loss: Plane | None, broken: set[int]) -> View:
    width = seen.shape[1]
    symbols: list[str] = []
    ends: list[float] = []
    middles: list[float] = []
    for number, cell in enumerate(layout.cells):
        if not cell.symbol:
            continue
        outside = _beyond(cell, homography, width)
        if outside > GONE:
            continue
        hidden = loss is not None and _hidden(cell, homography, loss)
        symbols.append(BROKEN if number in broken or outside > CUT or hidden else cell.symbol)
        ends += [cell.left, cell.right]
        middle = np.array([(cell.left + cell.right + layout.slant) / 2, 0.5])
        middles.append(float(_mapped(middle, homography)[0]))
    if not symbols:
        return View(seen, [], (0.0, 0.0), (0.0, 0.0), (0.0, 0.0), [])
    x0, x1 = min(ends), max(ends)
    upper, lower = (_mapped(np.array([[x0, y], [x1, y]]), homography) for y in (0.0, 1.0))
    # the leaning of digits moves the upper edge to the right, which does not matter for its height
    span = float(min(upper[0, 0], lower[0, 0])), float(max(upper[1, 0], lower[1, 0]))
    edges = [(float(edge[0, 1]), float(edge[1, 1])) for edge in (upper, lower)]
    return View(seen, symbols, span, edges[0], edges[1], middles)


def _hidden(cell: Cell, homography: Points, loss: Plane) -> bool:
    """Whether glare leaves too little of a cell's contrast."""
    corners = _mapped(np.array([[cell.left, cell.top], [cell.right, 1.0]]), homography)
    x0, x1 = (int(np.clip(x, 0, loss.shape[1])) for x in sorted(corners[:, 0]))
    y0, y1 = (int(np.clip(y, 0, loss.shape[0])) for y in sorted(corners[:, 1]))
    part = loss[y0:y1, x0:x1]
    return bool(part.size) and float(part.mean()) > 0.12
