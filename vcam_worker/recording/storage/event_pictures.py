"""Pictures of live events on the shared volume, ``events/<id>.jpg``: which there are, and how old.

They lie in the folder of the events of clips' runs, which are sidecars and go with their clips.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from shared_utils.contracts.events import event_id_time
from shared_utils.contracts.sidecars import EVENTS_FOLDER

SUFFIX = ".jpg"
SEARCH_S = 600.0
"""Interval between searches for old pictures: they lie among the sidecars of all clips."""


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


class PictureAges:
    """What the clock of retention has to know of the pictures: their times, by name.

    They lie among the sidecars of all clips, and are searched for every :data:`SEARCH_S` only, and when the clock was
    set meanwhile. In between, only those are remembered that tell something of the clock.

    Args:
        video_dir: the shared volume.
    """

    def __init__(self, video_dir: Path) -> None:
        self._video_dir = video_dir
        self._searched: tuple[datetime, float] | None = None
        self._remembered: Mapping[str, datetime] = {}

    def search(self, now: datetime, tick: float) -> list[EventPicture] | None:
        """Return the pictures if a search is due, oldest first; None otherwise.

        Args:
            now: local time.
            tick: seconds of a monotonic clock.

        Raises:
            OSError: the folder cannot be read.
        """
        if self._searched is not None:
            then, ticked = self._searched
            if tick - ticked < SEARCH_S and abs(now - then) < timedelta(seconds=SEARCH_S):
                return None
        pictures = list_pictures(self._video_dir)
        self._searched = now, tick
        # the oldest says which leaps of the clock concern any; those in the future were made by a clock that was ahead
        self._remembered = {one.path.name: one.taken for one in pictures if one is pictures[0] or one.taken > now}
        return pictures

    @property
    def remembered(self) -> Mapping[str, datetime]:
        """Times of the pictures that matter between two searches."""
        return self._remembered


def _time_of(name: str) -> datetime | None:
    """Return when the event of a picture happened; None for a file that is no such picture."""
    time = event_id_time(name.removesuffix(SUFFIX))
    try:
        return None if time is None else datetime.fromtimestamp(time)
    except (ValueError, OverflowError, OSError):
        return None
