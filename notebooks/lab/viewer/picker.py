"""A list of the clips in the shared volume to choose from, newest first, with the result of each one's last run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import pandas as pd
import traitlets

from notebooks.lab.data.results import load_log
from notebooks.lab.jobs.places import Places
from shared_utils.contracts.clips import name_fault, parse_clip_name
from shared_utils.queue.jobs import VIDEO_SUFFIXES

MAX_LINES = 200
"""Lines of the list; the filter finds the other clips."""
NOTHING_YET = "not analysed yet"


@dataclass(frozen=True)
class ClipEntry:
    """A clip of the list.

    Attributes:
        filename: its bare name.
        when: local time of its first frame by its name, or of its last change if it was not recorded by capture.
        camera: the camera's name in the file name; empty if it was not recorded by capture.
        result: labels that the last run detected, or why there are none.
    """

    filename: str
    when: datetime
    camera: str
    result: str

    @property
    def line(self) -> str:
        """The clip on one line."""
        name = self.camera or self.filename
        return f"{self.when:%a %d %b %Y, %H:%M:%S}   {name}   {self.result}"


def list_clips(places: Places) -> list[ClipEntry]:
    """Return the clips in the shared volume, newest first; none if there is no such folder.

    Hidden files, files in subfolders, and files whose names the workers would refuse are left out.
    """
    if not places.video.is_dir():
        return []
    results = _last_results(load_log(places.log))
    found = [_entry(path, results) for path in _clip_files(places.video)]
    return sorted((one for one in found if one), key=lambda one: (one.when, one.filename), reverse=True)


def _clip_files(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        # files that no worker would take are left out; a page could not display some of their names either
        if path.suffix.lower() in VIDEO_SUFFIXES and name_fault(path.name) is None and path.is_file():
            yield path


def _entry(path: Path, results: dict[str, str]) -> ClipEntry | None:
    clip = parse_clip_name(path.name)
    if clip:
        return ClipEntry(path.name, clip.started_at, clip.camera, results.get(path.name, NOTHING_YET))
    try:
        changed = datetime.fromtimestamp(path.stat().st_mtime).astimezone().replace(tzinfo=None)
    except FileNotFoundError:  # deleted since it was listed
        return None
    return ClipEntry(path.name, changed, "", results.get(path.name, NOTHING_YET))


def _last_results(log: pd.DataFrame) -> dict[str, str]:
    last = log.drop_duplicates("filename", keep="last")
    texts: dict[str, str] = {}
    for name, ok, detected, error in zip(last["filename"], last["ok"], last["detected"], last["error"], strict=True):
        found = ", ".join(detected) or "nothing found"
        texts[str(name)] = found if ok else f"failed: {'no reason given' if pd.isna(error) else error}"
    return texts


class ClipPicker(widgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """The list, with a filter above it. The first line is chosen at the start.

    Args:
        places: the folders of clips and log.

    Attributes:
        value: bare name of the chosen file; empty if there is none.
    """

    value = traitlets.Unicode("")

    def __init__(self, places: Places) -> None:
        self._places = places
        self._clips: list[ClipEntry] = []
        wide = widgets.Layout(width="calc(100% - 4px)")
        self.filter = widgets.Text(
            placeholder="filter: words of day, camera, label or name, such as: cam1 person", layout=wide
        )
        self.refresh_button = widgets.Button(
            description="Refresh", tooltip="look for new clips", layout=widgets.Layout(width="90px")
        )
        self.list = widgets.Select(rows=7, layout=wide)
        self.note = widgets.HTML()
        super().__init__([widgets.HBox([self.filter, self.refresh_button]), self.list, self.note])
        self.filter.observe(lambda _: self._show(), "value")
        self.list.observe(self._chosen, "value")
        self.refresh_button.on_click(lambda _: self.refresh())
        self.refresh()

    def refresh(self) -> None:
        """Read folder and log again; the choice stays if its file still exists."""
        self._clips = list_clips(self._places)
        self._show()

    def choose(self, filename: str) -> None:
        """Choose a file of the volume by its name. The filter is emptied, and the list read again if needed.

        Raises:
            ValueError: there is no such clip.
        """
        self.filter.value = ""
        if filename not in {one.filename for one in self._clips}:
            self.refresh()
        if filename not in {one.filename for one in self._clips}:
            raise ValueError(f"no clip {filename} in the video folder")
        self._show(filename)

    def _show(self, wanted: str | None = None) -> None:
        wanted = wanted or self.value
        words = self.filter.value.casefold().split()
        matching = [one for one in self._clips if _matches(one, words)]
        shown = matching[:MAX_LINES]
        if wanted and wanted not in {one.filename for one in shown}:
            shown += [one for one in matching if one.filename == wanted]
        names = [one.filename for one in shown]
        # no event while the lines change, so that observers get the final choice only
        with self.hold_trait_notifications():
            self.list.unobserve(self._chosen, "value")
            self.list.options = [(one.line, one.filename) for one in shown]
            self.list.value = wanted if wanted in names else next(iter(names), None)
            self.list.observe(self._chosen, "value")
        self.note.value = _note(len(shown), len(matching), len(self._clips))
        self.value = self.list.value or ""

    def _chosen(self, change: dict[str, Any]) -> None:
        self.value = change["new"] or ""


def _matches(entry: ClipEntry, words: list[str]) -> bool:
    text = f"{entry.line} {entry.filename} {entry.when:%Y-%m-%d}".casefold()
    return all(word in text for word in words)


def _note(shown: int, matching: int, total: int) -> str:
    if not total:
        return "No clip in the video folder yet: see <code>docker compose logs -f capture</code>."
    if not matching:
        return f"None of {total} clips matches the filter."
    if shown < matching:
        return f"The newest {shown} of {matching} clips; the filter finds the others."
    return f"{matching} clips" if matching == total else f"{matching} of {total} clips"


films, FilmPicker = list_clips, ClipPicker
"""Former names, which copies of notebooks import."""
