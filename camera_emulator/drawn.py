"""The drawn scenes by name: what each looks like, its truth as JSON, and the zones that belong to it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from camera_emulator.gate import ground
from camera_emulator.gate import truth as gate_truth
from camera_emulator.gate.scene import GateScene
from camera_emulator.panel.scene import PanelScene
from camera_emulator.panel.truth import truth_of
from camera_emulator.panel.zones_file import write_zones_file
from camera_emulator.scene import Scene
from shared_utils.errors import SettingError

TRUTH_S = 600.0
"""How much of a scene, which has no end, its truth covers."""


class DrawnScene(Protocol):
    """A scene that can be drawn at any time."""

    size: tuple[int, int]
    fps: float

    def frame(self, t: float) -> npt.NDArray[np.uint8]:
        """Return the frame at `t` seconds: BGR, uint8, (height, width, 3)."""


@dataclass(frozen=True)
class Kind:
    """A kind of scene.

    Attributes:
        make: returns the scene of a seed, a size (width, height) and a rate.
        truth: returns the truth about a scene's first seconds, ready for JSON; None where it has none to give.
        write_zones: writes the file of zones of a scene, and what belongs beside it; None where it has none.
    """

    make: Callable[[int, tuple[int, int], float], DrawnScene]
    truth: Callable[[Any, float], dict[str, Any]] | None = None
    write_zones: Callable[[Any, Path], None] | None = None


SCENES: dict[str, Kind] = {
    "scene": Kind(Scene),
    "gate": Kind(GateScene, gate_truth.truth_of, ground.write_zones_file),
    "panel": Kind(PanelScene, truth_of, write_zones_file),
}


WITH_TRUTH = tuple(name for name, kind in SCENES.items() if kind.truth)
"""Scenes that have a truth and zones."""


def make_scene(
    name: str, seed: int, size: tuple[int, int], fps: float, truth: Path | None = None, zones: Path | None = None
) -> DrawnScene:
    """Return a scene of :data:`SCENES`.

    Args:
        name: of its kind.
        seed, size, fps: of the scene.
        truth: file to write the truth of its first :data:`TRUTH_S` to.
        zones: file to write its zones to; what belongs to them goes beside it.

    Raises:
        SettingError: such a scene has no truth or zones, or a file cannot be written.
    """
    kind = SCENES[name]
    for option, file, given in (("--truth", truth, kind.truth), ("--zones-out", zones, kind.write_zones)):
        if file is not None and given is None:
            raise SettingError(f"{option} goes with --source {' or '.join(WITH_TRUTH)}, not with {name}: leave it out")
    scene = kind.make(seed, size, fps)
    try:
        if truth is not None and kind.truth is not None:
            truth.write_text(json.dumps(kind.truth(scene, TRUTH_S)) + "\n")
        if zones is not None and kind.write_zones is not None:
            # zones/ is there only after a first program of ours, or a first zone
            zones.parent.mkdir(parents=True, exist_ok=True)
            kind.write_zones(scene, zones)
    except OSError as error:
        raise SettingError(f"{error.filename or 'a file'} cannot be written: {error.strerror}") from None
    return scene
