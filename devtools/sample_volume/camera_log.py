"""``cameras_log.jsonl`` of a sample volume: when each camera was watched, by its plan."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from devtools.sample_volume.plan import CAMERAS, PANEL, Plan
from shared_utils.contracts.camera_log import ALIVE_S, camera_line
from shared_utils.contracts.json_lines import to_line


def write_camera_log(path: Path, plan: Plan) -> None:
    """Write the log at once: a line for each sign of life of days would be synced to disk otherwise."""
    lines: list[dict[str, Any]] = []
    for camera in (*CAMERAS, PANEL):
        cut, *away = plan.gaps(camera)
        since = plan.start
        for begin, end in (cut, *away, (plan.end, plan.end)):
            lines += _watched(camera, since, begin)
            if (begin, end) in away:
                lines.append(camera_line(camera, "down", begin, "no connection"))
            since = end
    lines.sort(key=lambda line: datetime.fromisoformat(line["at"]))
    path.write_text("".join(f"{to_line(line)}\n" for line in lines), encoding="utf-8")


def _watched(camera: str, start: datetime, end: datetime) -> Iterator[dict[str, Any]]:
    yield camera_line(camera, "up", start)
    for number in range(1, math.floor((end - start).total_seconds() / ALIVE_S) + 1):
        yield camera_line(camera, "alive", start + timedelta(seconds=number * ALIVE_S))
