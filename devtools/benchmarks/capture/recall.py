"""Checks that the moments of real footage are recorded, each with its pre-roll, and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from devtools.benchmarks.report import Report
from devtools.paths import ROOT, program_env, shared_folder

FOOTAGE = "data"
"""Folder of the shared test material."""
BY_EYE_S = 0.5
"""How well the listed times are known, and how soon motion has to be seen."""

MOMENTS = {
    "car-detection.mp4": ((4.9, 8.2), (14.6, 20.0), (25.0, 28.0)),
    "bottle-detection.mp4": ((5.8, 6.9), (11.7, 13.5), (15.9, 17.7), (22.4, 24.4), (27.6, 29.0), (35.8, 36.7)),
}
"""When something moves, seconds, as the footage's README.md lists it."""
ALSO_MOVING = {"bottle-detection.mp4": ((31.0, 32.2), (34.4, 35.8))}
"""What else moves there, in seconds: a hand that fetches a bottle. A clip of it is not a clip without motion."""


@dataclass(frozen=True)
class Clip:
    start: float
    trigger: float
    end: float


def bench_recall(report: Report) -> None:
    """Are the listed moments of real footage recorded, each with its pre-roll, and nothing else?"""
    footage = shared_folder() / FOOTAGE
    if not footage.is_dir():
        report.skip("recall", f"there is no footage in {footage.parent.name}/{footage.name}")
        return
    for title, settings, pre_roll in (
        ("default clips", {}, 5.0),
        ("clips of 5 s, pre-roll 1 s", {"CLIP_SECONDS": "5", "PRE_ROLL_SECONDS": "1"}, 1.0),
    ):
        listed = hit = clips = idle = 0
        recorded = wanted = 0.0
        for name, moments in MOMENTS.items():
            found = _replay(footage / name, settings)
            judged = [_judge(moment, found, pre_roll) for moment in moments]
            known = (*moments, *ALSO_MOVING.get(name, ()))
            without = [one for one in found if not _shows_motion(one, known)]
            report.detail.setdefault("recall", {}).setdefault(title, {})[name] = {
                "clips": [asdict(one) for one in found],
                "missed": [moment for moment, (good, _) in zip(moments, judged, strict=True) if not good],
                "clips without motion": [asdict(one) for one in without],
            }
            listed, hit = listed + len(moments), hit + sum(good for good, _ in judged)
            clips, idle = clips + len(found), idle + len(without)
            recorded += sum(seconds for _, seconds in judged)
            wanted += sum(end - begin for begin, end in moments)
        report.add(f"recall, {title}: moments recorded with their pre-roll", 100 * hit / listed, "%", least=100)
        report.add(f"recall, {title}: of the moments' seconds", 100 * recorded / wanted, "%")
        report.add(f"recall, {title}: clips", clips, "")
        report.add(f"recall, {title}: clips without motion", idle, "", most=0, target="none")


def _replay(path: Path, settings: Mapping[str, str]) -> list[Clip]:
    found = subprocess.run(
        [sys.executable, "-m", "vcam_worker", "replay", str(path)],
        cwd=ROOT, env=program_env(settings), capture_output=True, text=True, check=True,
    )  # fmt: skip
    lines = map(json.loads, found.stdout.splitlines())
    return [Clip(line["start_s"], line["trigger_s"], line["end_s"]) for line in lines]


def _judge(moment: tuple[float, float], clips: list[Clip], pre_roll: float) -> tuple[bool, float]:
    """Tell whether `moment` is in a clip from its pre-roll on; and how many of its seconds are in any clip."""
    begin, end = moment
    needed = max(0.0, begin - pre_roll + BY_EYE_S)
    good = any(one.start <= needed and one.end > begin for one in clips)
    covered, at = 0.0, begin
    for one in sorted(clips, key=lambda clip: clip.start):
        since, until = max(at, one.start), min(end, one.end)
        if until > since:
            covered, at = covered + until - since, until
    return good and covered >= end - begin - BY_EYE_S, covered


def _shows_motion(clip: Clip, moments: tuple[tuple[float, float], ...]) -> bool:
    """Tell whether a moment triggered `clip`, or, where it goes on from the clip before, whether it holds any."""
    goes_on = clip.trigger == clip.start
    until = clip.end if goes_on else clip.trigger
    return any(begin - BY_EYE_S <= until and clip.trigger <= end + BY_EYE_S for begin, end in moments)
