"""The panel without its displays: the plate, frames of windows, printed labels, screws, switches."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from camera_emulator.figures import shade
from camera_emulator.panel.letters import write
from camera_emulator.panel.look import HEIGHT, WIDTH, Colour, PanelLook

Image = npt.NDArray[np.uint8]

LABELS = {
    "pressure": "PRESSURE bar", "temperature": "TEMPERATURE C", "counter": "PIECES", "message": "STATUS",
    "order": "ORDER", "alarm": "ALARM", "run": "RUN",
}  # fmt: skip
_BEZEL: Colour = (44, 44, 46)


def draw_plate(look: PanelLook, unit: float, dice: np.random.Generator) -> Image:
    """Return the plate, BGR (height, width, 3).

    Args:
        look: of the panel.
        unit: pixels per unit of the panel.
        dice: chooses the grain of the metal.
    """
    width, height = round(WIDTH * unit), round(HEIGHT * unit)
    # brushed metal, lit from above
    grain = cv2.GaussianBlur(dice.normal(0, 6, (height, width)).astype(np.float32), (0, 0), 9 * unit, sigmaY=0.4)
    slope = np.linspace(1.05, 0.90, height, dtype=np.float32)[:, None]
    base = np.array(look.plate, np.float32) * slope[:, :, None] + grain[:, :, None] * 1.6
    plate = np.clip(base, 0, 255).astype(np.uint8)
    is_dark = sum(look.plate) < 360
    ink = (222, 224, 224) if is_dark else (48, 46, 46)
    _rectangle(plate, (18, 18, WIDTH - 18, HEIGHT - 18), shade(look.plate, 0.7), unit, outline=3)
    for x in (40, WIDTH - 40):
        for y in (40, HEIGHT - 40):
            _screw(plate, x, y, unit)
    for name, (left, top, right, bottom) in look.boxes.items():
        if name not in ("alarm", "run"):
            _rectangle(plate, (left - 16, top - 16, right + 16, bottom + 16), _BEZEL, unit)
            _rectangle(plate, (left - 5, top - 5, right + 5, bottom + 5), (20, 20, 21), unit)
        if name in LABELS:
            _label(
                plate, LABELS[name], (left + right) / 2 if name in ("alarm", "run") else None, left, top - 52, ink, unit
            )
    _switches(plate, look, ink, unit)
    return plate


def _switches(plate: Image, look: PanelLook, ink: Colour, unit: float) -> None:
    """Draw the buttons below the order's window; the last of them is for emergencies."""
    left = look.boxes["order"][0]
    for number, colour in enumerate(((60, 60, 60), (70, 110, 60), (70, 70, 70))):
        centre = round((left + 60 + 130 * number) * unit), round(780 * unit)
        cv2.circle(plate, centre, round(44 * unit), (96, 98, 100), cv2.FILLED, cv2.LINE_AA)
        cv2.circle(plate, centre, round(35 * unit), colour, cv2.FILLED, cv2.LINE_AA)
        _label(plate, ("STOP", "START", "RESET")[number], left + 60 + 130 * number, 0, 700, ink, unit)
    centre = round((left + 560) * unit), round(775 * unit)
    cv2.circle(plate, centre, round(72 * unit), (40, 190, 225), cv2.FILLED, cv2.LINE_AA)
    cv2.circle(plate, centre, round(50 * unit), (34, 30, 165), cv2.FILLED, cv2.LINE_AA)
    cv2.circle(plate, centre, round(40 * unit), (48, 44, 190), cv2.FILLED, cv2.LINE_AA)


def _label(plate: Image, text: str, middle: float | None, left: float, top: float, ink: Colour, unit: float) -> None:
    mask = write(text, 26 * unit)
    x = round(left * unit) if middle is None else round(middle * unit - mask.shape[1] / 2)
    y = round(top * unit)
    part = plate[y : y + mask.shape[0], x : x + mask.shape[1]]
    share = mask.astype(np.float32)[:, :, None] / 255
    part[:] = np.rint(part + (np.array(ink, np.float32) - part) * share)


def _rectangle(
    plate: Image, box: tuple[float, float, float, float], colour: Colour, unit: float, outline: int = 0
) -> None:
    left, top, right, bottom = (round(one * unit) for one in box)
    cv2.rectangle(plate, (left, top), (right, bottom), colour, outline or cv2.FILLED, cv2.LINE_AA)


def _screw(plate: Image, x: float, y: float, unit: float) -> None:
    centre, radius = (round(x * unit), round(y * unit)), round(13 * unit)
    cv2.circle(plate, centre, radius, (120, 122, 124), cv2.FILLED, cv2.LINE_AA)
    arm = round(8 * unit)
    cv2.line(
        plate, (centre[0] - arm, centre[1] - arm), (centre[0] + arm, centre[1] + arm), (60, 60, 62), 2, cv2.LINE_AA
    )
