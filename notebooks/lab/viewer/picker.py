"""A list of the films in the shared volume to choose from, newest first, with what was seen in them."""

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

SHOWN = 200
"""Lines of the list; the filter finds the others."""
NOTHING_YET = "not analysed yet"


@dataclass(frozen=True)
class Film:
    """A file to choose.

    Attributes:
        filename: its bare name.
        when: local time of its first frame by its name; of its last change for files that are no clips of ours.
        camera: the camera's slug; empty for other files.
        seen: what the last run found, or why there is nothing.
    """

    filename: str
    when: datetime
    camera: str
    seen: str

    @property
    def line(self) -> str:
        """The film on one line."""
        name = self.camera or self.filename
        return f"{self.when:%a %d %b %Y, %H:%M:%S}   {name}   {self.seen}"


def films(places: Places) -> list[Film]:
    """Return the films in the shared volume, newest first; none where there is no such folder.

    Hidden files, files in folders, and files whose names the workers would refuse are left out.
    """
    if not places.video.is_dir():
        return []
    seen = _last_seen(load_log(places.log))
    found = [_film(path, seen) for path in _film_files(places.video)]
    return sorted((film for film in found if film), key=lambda film: (film.when, film.filename), reverse=True)


def _film_files(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        # what no worker would take is not offered; some of these names no page can show either
        if path.suffix.lower() in VIDEO_SUFFIXES and name_fault(path.name) is None and path.is_file():
            yield path


def _film(path: Path, seen: dict[str, str]) -> Film | None:
    clip = parse_clip_name(path.name)
    if clip:
        return Film(path.name, clip.started_at, clip.camera, seen.get(path.name, NOTHING_YET))
    try:
        changed = datetime.fromtimestamp(path.stat().st_mtime).astimezone().replace(tzinfo=None)
    except FileNotFoundError:  # gone since it was listed
        return None
    return Film(path.name, changed, "", seen.get(path.name, NOTHING_YET))


def _last_seen(log: pd.DataFrame) -> dict[str, str]:
    last = log.drop_duplicates("filename", keep="last")
    texts: dict[str, str] = {}
    for name, ok, detected, error in zip(last["filename"], last["ok"], last["detected"], last["error"], strict=True):
        found = ", ".join(detected) or "nothing found"
        texts[str(name)] = found if ok else f"failed: {'no reason given' if pd.isna(error) else error}"
    return texts


class FilmPicker(widgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """The list, with a filter above it. Its first line is chosen from the start.

    Args:
        places: where the films are.

    Attributes:
        value: bare name of the file that is chosen; empty where there is none.
    """

    value = traitlets.Unicode("")

    def __init__(self, places: Places) -> None:
        self._places = places
        self._films: list[Film] = []
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
        """Read folder and log again; the choice stays where its file is still there."""
        self._films = films(self._places)
        self._show()

    def choose(self, filename: str) -> None:
        """Choose a file of the volume by its name, whatever the filter says; it need not be listed yet.

        Raises:
            ValueError: there is no such film.
        """
        self.filter.value = ""
        if filename not in {film.filename for film in self._films}:
            self.refresh()
        if filename not in {film.filename for film in self._films}:
            raise ValueError(f"no film {filename} in the video folder")
        self._show(filename)

    def _show(self, wanted: str | None = None) -> None:
        wanted = wanted or self.value
        words = self.filter.value.casefold().split()
        fitting = [film for film in self._films if _fits(film, words)]
        shown = fitting[:SHOWN]
        if wanted and wanted not in {film.filename for film in shown}:
            shown += [film for film in fitting if film.filename == wanted]
        names = [film.filename for film in shown]
        # no choice while the lines change, so that watchers hear of the outcome alone
        with self.hold_trait_notifications():
            self.list.unobserve(self._chosen, "value")
            self.list.options = [(film.line, film.filename) for film in shown]
            self.list.value = wanted if wanted in names else next(iter(names), None)
            self.list.observe(self._chosen, "value")
        self.note.value = _note(len(shown), len(fitting), len(self._films))
        self.value = self.list.value or ""

    def _chosen(self, change: dict[str, Any]) -> None:
        self.value = change["new"] or ""


def _fits(film: Film, words: list[str]) -> bool:
    text = f"{film.line} {film.filename} {film.when:%Y-%m-%d}".casefold()
    return all(word in text for word in words)


def _note(shown: int, fitting: int, total: int) -> str:
    if not total:
        return "No film in the video folder yet: see <code>docker compose logs -f capture</code>."
    if not fitting:
        return f"None of {total} films fits the filter."
    if shown < fitting:
        return f"The newest {shown} of {fitting} films; the filter finds the others."
    return f"{fitting} films" if fitting == total else f"{fitting} of {total} films"
