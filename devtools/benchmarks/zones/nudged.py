"""Panels in front of a camera that is knocked: small nudges are followed, and after a large one nothing is read."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import asdict
from typing import Any

from camera_emulator.panel.scene import Corners, Nudge
from devtools.benchmarks.report import Report
from devtools.benchmarks.zones.failures import Failure, write_sheet
from devtools.benchmarks.zones.judging import KINDS, Outcome, judge
from devtools.benchmarks.zones.options import Options
from devtools.benchmarks.zones.panel import failure_of, looks
from devtools.benchmarks.zones.panel_clips import FIRST_SEED, PanelClip
from video_worker.readers.base import TextReaders

SMALL = (
    Nudge(7.0, right=0.02, down=-0.015, turn=1.5, zoom=1.02),
    Nudge(14.0, right=-0.045, down=0.02, turn=-4.0, zoom=0.95),
)
LARGE = Nudge(21.0, right=0.35, down=0.25, turn=12.0)
NUDGES = (*SMALL, LARGE)
PHASES = ("no", "a small", "a second small", "a large")
"""After how many of them."""
SETTLE_S = 2.0
"""After a nudge, in which it may not be noticed yet. Zones that are out of the picture then are not counted."""
SEEDS = range(FIRST_SEED + 100, FIRST_SEED + 102)
READ = KINDS["seven-segment"] + KINDS["printed text"] + KINDS["lamp"]
LEAST_EXACT, MOST_WRONG = 98.0, 0.5


def bench_nudged(report: Report, options: Options, readers: TextReaders) -> None:
    """Read panels while the camera is nudged, and add to the report what was read after each nudge."""
    found: dict[str, Counter[Outcome]] = defaultdict(Counter)
    failures: list[Failure] = []
    missed: list[dict[str, Any]] = []
    for seed in SEEDS:
        clip = PanelClip(seed, nudges=NUDGES)
        path, file = clip.ensure(options.streams), clip.write_zones(options.work / "zones")
        for look, picture in looks(path, file, readers):
            phase = _phase(look.t)
            truth = clip.scene.truth_of(look.zone, look.t)
            outcome = judge(look, truth)
            is_inside = _is_inside(clip.scene.places(look.t)[look.zone])
            if phase is None or outcome is None or look.zone not in READ or truth.state != "shown" or not is_inside:
                continue
            found[phase][outcome] += 1
            if outcome == "wrong" or (outcome == "unreadable" and phase != PHASES[-1]):
                failures.append(failure_of(look, truth, outcome, picture, seed))
                missed.append(
                    {"seed": seed, "phase": phase, "outcome": outcome, **asdict(look), "truth": asdict(truth)}
                )
    report.detail["nudged: not exact"] = missed
    for phase, counts in found.items():
        total = counts.total()
        exact, wrong = 100 * counts["exact"] / total, 100 * counts["wrong"] / total
        report.add(f"camera after {phase} nudge: readings", total, "")
        report.add("  exact", exact, "%", least=None if phase == PHASES[-1] else LEAST_EXACT)
        report.add("  wrong", wrong, "%", most=MOST_WRONG)
    if options.pictures is not None:
        write_sheet(failures, options.pictures / "nudged.png")


def _phase(t: float) -> str | None:
    """Return after which nudges a moment is; None for one just after a nudge."""
    passed = [nudge for nudge in NUDGES if nudge.at_s <= t]
    if passed and t - passed[-1].at_s < SETTLE_S:
        return None
    return PHASES[len(passed)]


def _is_inside(corners: Corners) -> bool:
    return all(0 <= value <= 1 for corner in corners for value in corner)
