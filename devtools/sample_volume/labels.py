"""Labels of a sample volume: what the scene drew in each frame that was analysed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from devtools.sample_volume.clips import RecordedClip, scene_of
from devtools.sample_volume.plan import FPS, Plan
from shared_utils.contracts.boxes import boxes_path, boxes_runs, read_boxes
from shared_utils.contracts.labels import Label, LabelFile

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
    for run_id in boxes_runs(folder, str(clip.name)):
        frames |= {seen.frame for seen in read_boxes(boxes_path(folder, str(clip.name), run_id)).frames}
    for frame in sorted(frames):
        t = frame / FPS
        labels += [Label(t, frame, seen.label, seen.xyxy, "missed") for seen in scene.truth(clip.begin_s + t)]
    return LabelFile(str(clip.name), frozenset(frames), tuple(labels), complete=True, by=DRAWN)
