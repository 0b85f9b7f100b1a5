"""What a run of a clip is called."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from shared_utils.contracts.boxes import boxes_path


@dataclass(frozen=True)
class RunNames:
    """What a run and its clip are called.

    Attributes:
        filename: bare name of the clip's file.
        run_id: of the run; see :func:`make_run_id`.
        job_id: of its job; None without a queue.
    """

    filename: str
    run_id: str
    job_id: str | None

    def boxes_path(self, video_dir: Path) -> Path:
        """Return the path of the run's boxes file on the shared volume."""
        return boxes_path(video_dir, self.filename, self.run_id)


def make_run_id(created_at: datetime, source: str) -> str:
    """Return the id of a run: a UUID (version 7) that sorts by the time of its request.

    The same arguments give the same id, so that a job that is done again, because its worker died, is the same run.

    Args:
        created_at: when the run was requested.
        source: distinguishes it from others of the same millisecond.
    """
    milliseconds = int(created_at.timestamp() * 1000)
    rest = int.from_bytes(hashlib.sha256(f"{milliseconds} {source}".encode()).digest()[:10])
    number = (milliseconds & ((1 << 48) - 1)) << 80 | rest
    number = number & ~(0xF << 76) | 0x7 << 76  # version
    number = number & ~(0x3 << 62) | 0x2 << 62  # variant
    return str(uuid.UUID(int=number))
