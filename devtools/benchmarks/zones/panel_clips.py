"""Clips of drawn panels: one per seed, drawn and encoded once, with the zones that belong to each."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import av

from camera_emulator.h264 import default_bitrate
from camera_emulator.panel.scene import Nudge, PanelScene
from camera_emulator.panel.zones_file import write_zones_file
from devtools.benchmarks.streams import encode_as_camera

SIZE, FPS = (1280, 720), 15
CLIP_S = 30.0
FIRST_SEED = 7_000
"""Of the benchmark: nobody tuned an engine or a threshold with these panels."""
CAMERA = "panel"
EVERY_S = 0.4
"""Time between two looks of each task, seconds: at every other frame that the worker samples by its default."""
SKETCH_SIZE, SKETCHED_AT = (320, 180), (0.1, 0.5, 0.9)
"""Size and moments, shares of a clip, of the frames by which a drawing is known again."""


@dataclass(frozen=True)
class PanelClip:
    """A clip to draw.

    Attributes:
        seed: of the panel.
        seconds: length.
        nudges: of the camera.
        size: of a frame, pixels.
    """

    seed: int
    seconds: float = CLIP_S
    nudges: tuple[Nudge, ...] = ()
    size: tuple[int, int] = SIZE

    @cached_property
    def scene(self) -> PanelScene:
        """The scene, which knows the truth."""
        return PanelScene(self.seed, self.size, FPS, nudges=self.nudges)

    def ensure(self, streams: Path) -> Path:
        """Return the file; drawn and encoded if it is not there yet."""
        name = f"panel-{self.seed}-{self.seconds:g}s-{self.size[1]}p{FPS}-{_fingerprint(self)}.mp4"
        path = streams / name
        if not path.exists():
            print(f"drawing {path.name} (the first time only) ...", flush=True)
            streams.mkdir(parents=True, exist_ok=True)
            draft = path.with_suffix(".part")
            frames = (
                av.VideoFrame.from_ndarray(self.scene.frame(number / FPS), format="bgr24")
                for number in range(round(self.seconds * FPS))
            )
            encode_as_camera(draft, self.size, FPS, default_bitrate(self.size, FPS), frames)
            draft.replace(path)
        return path

    def write_zones(self, folder: Path) -> Path:
        """Write the file of zones with its reference pictures, of the panel before any nudge; return the file."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{CAMERA}.json"
        write_zones_file(PanelScene(self.seed, self.size, FPS), path, EVERY_S)
        return path


def _fingerprint(clip: PanelClip) -> str:
    """Return a name for how the panel is drawn and what it displays: a clip that was drawn before may have another."""
    sketch = PanelScene(clip.seed, SKETCH_SIZE, FPS, nudges=clip.nudges)
    digest = hashlib.sha256(repr(clip.nudges).encode())
    for share in SKETCHED_AT:
        digest.update(sketch.frame(share * clip.seconds).tobytes())
    for number in range(round(clip.seconds * FPS)):
        digest.update(repr(sketch.truth(number / FPS)).encode())
    return digest.hexdigest()[:8]
