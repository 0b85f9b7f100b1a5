"""Clips of the gate: a street per seed, drawn and encoded once, with the truth about each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av

from camera_emulator.gate.programme import Passage, Programme
from camera_emulator.gate.scene import GateScene
from camera_emulator.gate.truth import GateEvent, events_of
from camera_emulator.h264 import default_bitrate
from devtools.benchmarks.streams import encode_as_camera

SIZE, FPS = (640, 360), 15
PER_CLIP = 16
"""Passages of a clip, at least: visits are not cut."""
AFTER_S = 4.0
"""Seconds after the last visit: who is gone for 3 s has left."""
FIRST_SEED = 13_000
"""Seeds of the benchmark; the scene model has learned others."""


@dataclass(frozen=True)
class GateClip:
    """A clip to draw.

    Attributes:
        seed: of its street and of who comes.
        passages: who comes.
        seconds: its length.
    """

    seed: int
    passages: tuple[Passage, ...]
    seconds: float

    @property
    def events(self) -> list[GateEvent]:
        """What zones should report."""
        return events_of(self.passages)

    def ensure(self, folder: Path) -> Path:
        """Return its file in `folder`; drawn and encoded if it is not there yet."""
        path = folder / f"gate-{self.seed}-{len(self.passages)}-{SIZE[1]}p{FPS}.mp4"
        if not path.exists():
            print(f"drawing {path.name} (the first time only) ...", flush=True)
            folder.mkdir(parents=True, exist_ok=True)
            draft = path.with_suffix(".part")
            scene = GateScene(self.seed, SIZE, FPS)
            frames = (
                av.VideoFrame.from_ndarray(scene.frame(number / FPS), format="bgr24")
                for number in range(round(self.seconds * FPS))
            )
            encode_as_camera(draft, SIZE, FPS, default_bitrate(SIZE, FPS), frames)
            draft.replace(path)
        return path


def gate_clips(passages: int, first_seed: int = FIRST_SEED) -> Iterator[GateClip]:
    """Yield clips with so many passages in all."""
    seed = first_seed
    while passages > 0:
        programme = Programme(seed, SIZE[0] / SIZE[1])
        found: list[Passage] = []
        index = 0
        while len(found) < min(passages, PER_CLIP):
            found += programme.visit(index)
            index += 1
        yield GateClip(seed, tuple(found), max(one.end_s for one in found) + AFTER_S)
        passages -= len(found)
        seed += 1
