"""The heat map on a camera's picture: where objects stood, by the anchor points of their boxes."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from notebooks.lab.data.results import boxes, latest
from notebooks.lab.plots.plots import sentence
from notebooks.lab.plots.style import finding
from shared_utils.config.zones.file import load_zones
from shared_utils.config.zones.model import Zones
from shared_utils.contracts.zones import zones_path
from shared_utils.errors import ClipError, SettingError, VcamError
from shared_utils.media.grabber import FrameGrabber
from shared_utils.media.picture import Picture, resized
from shared_utils.zones.drawing import draw_zones

CELLS = (96, 54)
"""Cells of the map, across and down."""
SMOOTHING = 2
"""Cells over which a point spreads to each side."""
MOST_CLIPS = 300
"""Clips whose boxes are read, the newest ones."""
MIN_CONF = 0.5
HEAT = LinearSegmentedColormap.from_list("heat", ["#FFE94700", "#FFE947A0", "#F5761AC8", "#C1121FE6"])
"""From nothing, which is transparent, over yellow to red."""
ANCHORS = {"bottom": 1.0, "centre": 0.5}
"""Part of a box's height at which its anchor is, from the top."""


def anchor_points(
    log: pd.DataFrame, video_dir: Path, camera: str, label: str | None = None, anchor: str = "bottom"
) -> pd.DataFrame:
    """Return where objects were in the sampled frames of a camera's newest clips: ``x``, ``y`` (0..1), ``label``.

    Args:
        log: a frame of :func:`notebooks.lab.data.results.load_log`.
        video_dir: the shared volume.
        camera: its name.
        label: of the objects; None for all.
        anchor: ``bottom``, the middle of a box's lower edge, or ``centre``.

    Raises:
        SettingError: `anchor` is something else.
    """
    if anchor not in ANCHORS:
        raise SettingError(f"anchor is {anchor!r}: give {' or '.join(map(repr, ANCHORS))}")
    runs = latest(log)
    runs = runs[(runs["camera"] == camera) & runs["width"].notna() & runs["height"].notna()].tail(MOST_CLIPS)
    found = boxes(runs, video_dir, MIN_CONF)
    found = found if label is None else found[found["label"] == label]
    sizes = runs.set_index("run_id")[["width", "height"]].astype(float)
    width, height = (found["run_id"].astype(object).map(sizes[name]) for name in ("width", "height"))
    x, y = (found["x1"] + found["x2"]) / 2, found["y1"] + ANCHORS[anchor] * (found["y2"] - found["y1"])
    return pd.DataFrame({"x": (x / width).clip(0, 1), "y": (y / height).clip(0, 1), "label": found["label"]})


def heat_of(points: pd.DataFrame) -> npt.NDArray[np.float64]:
    """Return how much time was spent in each cell of the picture, as shares of the most: down×across, 0..1."""
    counts, _, _ = np.histogram2d(points["y"], points["x"], bins=CELLS[::-1], range=((0, 1), (0, 1)))
    weights = np.hanning(2 * SMOOTHING + 3)[1:-1]
    for axis in (0, 1):
        counts = np.apply_along_axis(np.convolve, axis, counts, weights, "same")
    top = float(counts.max())
    return np.asarray(counts / top if top else counts, np.float64)


def plot_places(
    log: pd.DataFrame, video_dir: Path, camera: str | None = None, label: str | None = None, anchor: str = "bottom"
) -> Figure:
    """Draw where objects were, on the newest clip's first frame with the camera's zones; arguments as for
    :func:`anchor_points`. `camera`: None for the one with the most clips.
    """
    cameras = latest(log)["camera"].dropna()
    if cameras.empty:
        return sentence("No clip has been analysed yet.")
    camera = str(cameras.value_counts().index[0]) if camera is None else camera
    picture, clip = newest_picture(log, video_dir, camera)
    if picture is None:
        return sentence(f"There is no clip of {camera} that can be drawn on (any more).")
    points = anchor_points(log, video_dir, camera, label, anchor)
    zones, problem = _zones(video_dir, camera)
    drawn = heated(picture, heat_of(points))
    height, width = picture.shape[:2]
    figure, axes = plt.subplots(figsize=(9, 9 * height / width + 0.7))
    axes.imshow((drawn if zones is None else draw_zones(drawn, zones))[..., ::-1])
    axes.axis("off")
    named = f" of {label}" if label else ""
    part = "lower edge" if anchor == "bottom" else "centre"
    finding(
        axes,
        f"{camera}, {label or 'all labels'}: {_where(points, zones)}",
        f"{len(points):,} boxes{named} in sampled frames, by the {part} of each; red: most; on {clip}{problem}",
    )
    return figure


def heated(picture: Picture, heat: npt.NDArray[np.float64]) -> Picture:
    """Return `picture` in grey with a map over it, down×across, 0..1."""
    height, width = picture.shape[:2]
    spread = resized(np.repeat((255 * heat).astype(np.uint8)[:, :, None], 3, axis=2), (width, height))[..., 0]
    colours = HEAT(spread.astype(np.float64) / 255)
    grey = picture.mean(axis=2, keepdims=True)
    # a little of its colours is left, to know the place by
    base = 0.7 * grey + 0.3 * picture
    return np.asarray(base + (255 * colours[..., 2::-1] - base) * colours[..., 3:], np.uint8)


def newest_picture(log: pd.DataFrame, video_dir: Path, camera: str) -> tuple[Picture | None, str]:
    """Return the first frame of the newest clip of `camera` that is there and can be read, and the clip's name."""
    own = latest(log)
    own = own[own["camera"] == camera].sort_values("started_at", kind="stable")
    for name in reversed(own["filename"].astype(str).to_list()):
        if not (video_dir / name).is_file():
            continue
        try:
            with FrameGrabber((video_dir / name).absolute()) as clip:
                return clip.frame_at(0.0).picture, name
        except (ClipError, OSError):
            continue
    return None, ""


def _zones(video_dir: Path, camera: str) -> tuple[Zones | None, str]:
    """Return the zones of `camera`, and what is wrong with them, in words that follow others."""
    path = zones_path(video_dir, camera)
    if not path.exists():
        return None, "; it has no zones"
    try:
        return load_zones(path), ""
    except VcamError as error:
        return None, f"; its zones cannot be drawn: {error}"


def _where(points: pd.DataFrame, zones: Zones | None) -> str:
    """Return what is said of the map: in which zone most of it is."""
    if points.empty:
        return "nothing has been seen"
    polygons = [zone for zone in (zones.zones if zones else ()) if zone.points and not zone.ignore_motion]
    shares = {zone.name: float(_inside(points, zone.points or ()).mean()) for zone in polygons}
    if not shares:
        return f"{len(points):,} points"
    best = max(shares, key=lambda name: shares[name])
    return f"{100 * shares[best]:.0f} % of the time in {best}"


def _inside(points: pd.DataFrame, polygon: tuple[tuple[float, float], ...]) -> npt.NDArray[np.bool_]:
    """Return which of `points` lie in a polygon, by how many of its edges are to the right of them."""
    x, y = points["x"].to_numpy(float), points["y"].to_numpy(float)
    inside = np.zeros(len(points), bool)
    for (x1, y1), (x2, y2) in zip(polygon, (*polygon[1:], polygon[0]), strict=True):
        crosses = (y1 > y) != (y2 > y)
        if y1 != y2:
            inside ^= crosses & (x < x1 + (y - y1) * (x2 - x1) / (y2 - y1))
    return inside
