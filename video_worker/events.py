"""Makes events of what a worker does: clips that were analysed, its start, stop and trouble."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from shared_utils.contracts.events import Event, events_log_path, find_live_objects
from shared_utils.version import VERSION

PROGRAM = "worker"
MAX_ERROR = 200
"""Characters of an error; the record has all of it."""
MAX_LABELS = 40
"""Labels in an event; the record has all of them."""

Publish = Callable[[Event], None]
"""Takes an event; neither blocks nor raises."""


class WorkerEvents:
    """Events of a worker.

    Args:
        publish: takes them; nobody by default.
    """

    def __init__(self, publish: Publish = lambda _: None) -> None:
        self._publish = publish
        self._trouble: str | None = None

    def service(self, value: str, **more: object) -> None:
        """Publish that the worker has ``started``, ``stopped`` or is in ``trouble``."""
        about = {"program": PROGRAM, "version": VERSION, "host": socket.gethostname(), **more}
        self._publish(Event("service", datetime.now().astimezone(), value=value, more=about))

    def volume_failed(self, reason: str) -> None:
        """Publish, once, that the volume does not take results, or does not give clips."""
        if self._trouble is None:
            self._trouble = reason[:MAX_ERROR]
            self.service("trouble", what="volume_unavailable", reason=self._trouble, over=False)

    def analysed(self, record: Mapping[str, Any], video_dir: Path) -> None:
        """Publish the outcome of a run, whose record is in the log; it refers to what was seen live meanwhile."""
        if self._trouble is not None:
            reason, self._trouble = self._trouble, None
            self.service("trouble", what="volume_unavailable", reason=reason, over=True)
        more: dict[str, Any] = {"ok": record.get("ok")}
        if record.get("ok"):
            more |= {"detected": list(record.get("detected", ()))[:MAX_LABELS], "count": record.get("count")}
        else:
            more["error"] = str(record.get("error"))[:MAX_ERROR]
        more["live"] = _seen_live(record, video_dir)
        self._publish(
            Event(
                "clip",
                datetime.now().astimezone(),
                record.get("camera"),
                value="analysed",
                source="clip",
                run_id=record.get("run_id"),
                filename=record.get("filename"),
                more=more,
            )
        )


def _seen_live(record: Mapping[str, Any], video_dir: Path) -> list[str]:
    """Return the ids of the live events during a clip; none where its times are not known, or the log not readable."""
    # records come back from a log that others may have written into
    with suppress(KeyError, TypeError, ValueError, OverflowError, OSError):
        clip, camera = record["clip"], record["camera"]
        start = datetime.fromisoformat(clip["started_at"]).astimezone()
        end = start + timedelta(seconds=clip["duration_s"])
        return find_live_objects(events_log_path(video_dir), camera, start, end)
    return []
