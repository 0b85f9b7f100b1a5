"""``cameras_log.jsonl`` of a sample volume: when each camera was watched, by its plan."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from devtools.sample_volume.plan import CAMERAS, Plan
from shared_utils.contracts.camera_log import ALIVE_SECONDS


def write_camera_log(path: Path, plan: Plan) -> None:
    lines: list[dict[str, str]] = []
    for camera in CAMERAS:
        cut, *away = plan.gaps(camera)
        since = plan.start
        for begin, end in (cut, *away, (plan.end, plan.end)):
            lines += _watched(camera, since, begin)
            if (begin, end) in away:
                lines.append(_event(camera, "down", begin) | {"reason": "no connection"})
            since = end
    lines.sort(key=lambda line: datetime.fromisoformat(line["at"]))
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")


def _watched(camera: str, start: datetime, end: datetime) -> Iterator[dict[str, str]]:
    yield _event(camera, "up", start)
    for number in range(1, math.floor((end - start).total_seconds() / ALIVE_SECONDS) + 1):
        yield _event(camera, "alive", start + timedelta(seconds=number * ALIVE_SECONDS))


def _event(camera: str, event: str, at: datetime) -> dict[str, str]:
    return {"camera": camera, "event": event, "at": at.astimezone().isoformat(timespec="milliseconds")}
