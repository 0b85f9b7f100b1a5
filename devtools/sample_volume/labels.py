"""Labels of a sample volume: what the scene drew in each frame that was analysed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from devtools.sample_volume.clips import RecordedClip, scene_of
from devtools.sample_volume.plan import FPS, Plan
from notebooks.lab.review.label_files import Label, LabelFile
from shared_utils.contracts.clips import BOXES_FOLDER

DRAWN = "drawn scene"
"""Where the labels come from, in their files."""


def spread(clips: Sequence[RecordedClip], count: int) -> list[RecordedClip]:
    """Return about as many of `clips`, from all of the time."""
    return [clips[number * len(clips) // count] for number in range(count)] if count < len(clips) else list(clips)


def labels_of(folder: Path, plan: Plan, clip: RecordedClip) -> LabelFile:
    """Return what the scene drew in each frame of `clip` that was analysed."""
    scene = scene_of(plan, clip.name.camera)
    labels: list[Label] = []
    frames: set[int] = set()
    for path in (folder / BOXES_FOLDER).glob(f"{Path(str(clip.name)).stem}.*.jsonl"):
        frames |= {json.loads(line)["frame"] for line in path.read_text(encoding="utf-8").splitlines()}
    for frame in sorted(frames):
        t = frame / FPS
        labels += [Label(t, frame, seen.label, seen.xyxy, "missed") for seen in scene.truth(clip.begin_s + t)]
    return LabelFile(str(clip.name), frozenset(frames), tuple(labels), complete=True, by=DRAWN)
