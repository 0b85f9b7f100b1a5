"""Pictures of live events on the shared volume, ``events/<id>.jpg``: which there are, and how old.

They lie in the folder of the events of clips' runs, which are sidecars and go with their clips.
"""

from __future__ import annotations

import os
import uuid
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from shared_utils.contracts.sidecars import EVENTS_FOLDER

SUFFIX = ".jpg"


@dataclass(frozen=True)
class EventPicture:
    """The picture of a live event.

    Attributes:
        path: of the file.
        taken: when the event's id was made, local time.
    """

    path: Path
    taken: datetime


def list_pictures(video_dir: Path) -> list[EventPicture]:
    """Return the pictures of live events, oldest first. Other files are left out.

    Raises:
        OSError: the folder cannot be read; one that is missing is empty.
    """
    folder = video_dir / EVENTS_FOLDER
    try:
        names = os.listdir(folder)  # noqa: PTH208  # names alone: most are sidecars
    except FileNotFoundError:
        return []
    taken = ((name, _time_of(name)) for name in names if name.endswith(SUFFIX))
    found = [EventPicture(folder / name, time) for name, time in taken if time is not None]
    return sorted(found, key=lambda picture: (picture.taken, picture.path))


def _time_of(name: str) -> datetime | None:
    """Return when the event of a picture happened; None for a file that is no such picture."""
    stem = name.removesuffix(SUFFIX)
    try:
        event_id = uuid.UUID(stem)
        if event_id.version != 7 or str(event_id) != stem:
            return None
        return datetime.fromtimestamp((event_id.int >> 80) / 1000)
    except (ValueError, OverflowError, OSError):
        return None
