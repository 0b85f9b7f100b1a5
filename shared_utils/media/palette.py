"""Colours of tracks and zones as ``#RRGGBB``, distinguishable for colour-blind readers too. Standard library only."""

from __future__ import annotations

BLUE, ORANGE, GREEN, RED, SKY, YELLOW, PINK, BLACK = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#D55E00",
    "#56B4E9",
    "#F0E442",
    "#CC79A7",
    "#222222",
)
"""Okabe and Ito's palette. https://jfly.uni-koeln.de/color/"""
SERIES = (BLUE, ORANGE, GREEN, PINK, SKY, RED, YELLOW)
"""Colours in the order they are given out."""
GREY, WHITE = "#6E6E6E", "#FFFFFF"

MIN_LIGHT_LUMA = 150
"""Luma (0..255) of a background from which text on it is black."""


def track_colour(track: int | None) -> str:
    """Return the colour of a track, always the same one; grey for boxes without a track."""
    return GREY if track is None else SERIES[(track - 1) % len(SERIES)]


def text_colour(background: str) -> str:
    """Return black or white, whichever is readable on `background`."""
    blue, green, red = bgr(background)
    return BLACK if 0.299 * red + 0.587 * green + 0.114 * blue >= MIN_LIGHT_LUMA else WHITE


def bgr(colour: str) -> tuple[int, int, int]:
    """Return a colour ``#RRGGBB`` as blue, green, red in 0..255."""
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return blue, green, red
