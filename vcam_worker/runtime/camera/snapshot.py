"""Encodes a camera's newest frame as JPEG, with the time drawn into it."""

from __future__ import annotations

from datetime import datetime

import cv2

from shared_utils.media.picture import Picture, encode_jpeg

TEXT_HEIGHT = 0.04
"""Height of the label, as a share of the picture's."""


def snapshot_jpeg(picture: Picture, quality: int, label: str | None = None) -> bytes:
    """Return `picture` as JPEG.

    Args:
        picture: height×width×3, BGR.
        quality: 1..100.
        label: drawn into the lower left corner; ASCII.
    """
    if label:
        picture = _labelled(picture, label)
    return encode_jpeg(picture, quality)


def time_label(name: str, taken: float) -> str:
    """Return ``2026-02-23 14:48:19  cam1`` for a frame received at `taken`, seconds since the epoch, local time."""
    return f"{datetime.fromtimestamp(taken).strftime('%Y-%m-%d %H:%M:%S')}  {name}"


def _labelled(picture: Picture, label: str) -> Picture:
    canvas = picture.copy()
    height = canvas.shape[0]
    scale = max(0.35, height * TEXT_HEIGHT / 22)  # Hershey letters are 22 units high
    thickness = max(1, round(scale * 1.6))
    place = (round(height * 0.02), height - round(height * 0.03))
    for colour, width in (((0, 0, 0), thickness + 2), ((255, 255, 255), thickness)):
        cv2.putText(canvas, label, place, cv2.FONT_HERSHEY_SIMPLEX, scale, colour, width, cv2.LINE_AA)
    return canvas
