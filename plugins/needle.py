"""An example of a module of your own: reads a round gauge by the darkest direction from the middle of its zone.

A zone that has this task, drawn as a square around the dial::

    {"name": "boiler", "points": [[0.40, 0.30], [0.60, 0.30], [0.60, 0.66], [0.40, 0.66]],
     "tasks": [{"do": "needle", "every_s": 2, "when": "both",
                "settings": {"min": 0, "max": 10, "min_angle": 225, "max_angle": -45}}]}

`min_angle` and `max_angle`: where the needle points at `min` and at `max`, degrees, counted as in geometry: 0 is to the
right, 90 upwards. From the first to the second it turns clockwise.
"""

import numpy as np

INNER, OUTER = 0.25, 0.85
"""Part of the radius on which the needle is looked for: between its hub and the printed scale."""


def read(picture, zone):
    """Return what the gauge says, and how sure that is.

    Args:
        picture: height×width×3 uint8, blue green red: the zone, cut out and upright. It may be changed.
        zone: `name`, `camera`, `settings` (of the task in the file), `time_s` (of the frame) and `mask` (height×width,
            255 in the zone; None where all of the picture is the zone).

    Returns:
        The value: text, a number or a bool; None where there is none. And the confidence, 0..1.
    """
    low, high = zone.settings.get("min", 0.0), zone.settings.get("max", 100.0)
    first, last = zone.settings.get("min_angle", 225.0), zone.settings.get("max_angle", -45.0)
    grey = picture.mean(axis=2)
    height, width = grey.shape
    turned = np.linspace(0.0, (first - last) % 360 or 360.0, 541)
    angles = np.radians(first - turned)[:, None]
    along = np.linspace(INNER, OUTER, 40)[None, :]
    columns = width / 2 * (1 + along * np.cos(angles))
    rows = height / 2 * (1 - along * np.sin(angles))
    light = grey[rows.astype(int), columns.astype(int)].mean(axis=1)
    darkest = light < light.min() + 0.25 * (np.median(light) - light.min())
    contrast = (np.median(light) - light.min()) / 255
    if contrast < 0.05:
        return None, 0.0
    value = low + (high - low) * turned[darkest].mean() / turned[-1]
    spread = np.ptp(turned[darkest])  # degrees: several dark directions, such as a shadow, are no needle
    return round(float(value), 2), float(np.clip(contrast * 3, 0, 1) * np.clip(1.5 - spread / 40, 0, 1))
