"""The viewer of ViewVideo: the list of clips, the player, the contact sheet and the exports."""

from __future__ import annotations

import html
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import matplotlib.pyplot as plt
from IPython.display import display

from notebooks.lab.jobs.places import Places
from notebooks.lab.media.clip import Clip, Run, runs_of
from notebooks.lab.media.export import Cut, export_gif, export_mp4
from notebooks.lab.media.sheet import contact_sheet
from notebooks.lab.viewer.picker import ClipPicker
from notebooks.lab.viewer.player import Player, poster
from shared_utils.errors import VcamError

Export = Callable[..., Path]


class Viewer(widgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """Choose a clip, play it with its boxes, save it as MP4 or GIF.

    Args:
        places: the folders of clips and log.

    Attributes:
        picker: the list of clips.
        player: the player.
        clip: the clip displayed; None if there is none, or it cannot be read.
        saved: files that the buttons wrote, newest last.
    """

    def __init__(self, places: Places) -> None:
        self._places = places
        self.clip: Clip | None = None
        self.saved: list[Path] = []
        self.picker = ClipPicker(places)
        self.player = Player()
        self.runs = widgets.Dropdown(description="run", layout=widgets.Layout(width="420px"))
        self.sheet_button = _button("Contact sheet", "the best frame of each track")
        self.mp4_button = _button("Save annotated MP4", "the clip with its boxes, for any player")
        self.gif_button = _button("Save GIF", "small, at most 20 s, from the displayed frame on")
        self.bar = widgets.FloatProgress(min=0, max=1, layout=widgets.Layout(width="180px", visibility="hidden"))
        self.message = widgets.HTML()
        self.output = widgets.Output()
        buttons = [self.sheet_button, self.mp4_button, self.gif_button, self.bar]
        super().__init__([self.picker, self.player, self.runs, widgets.HBox(buttons), self.message, self.output])
        self.picker.observe(lambda change: self.show(change["new"]), "value")
        self.runs.observe(self._run_chosen, "value")
        self.sheet_button.on_click(lambda _: self.show_sheet())
        self.mp4_button.on_click(lambda _: self._export(export_mp4, Cut(min_conf=self.player.threshold)))
        self.gif_button.on_click(lambda _: self._export(export_gif, self._gif_cut()))
        self.show(self.picker.value)

    def show(self, filename: str, run: Run | None = None) -> None:
        """Display a clip, or one line that says why it cannot be displayed."""
        if self.clip is not None:
            self.clip.close()
            self.clip = None
        self.output.clear_output()
        self.message.value = ""
        if filename:
            try:
                self.clip = Clip(self._places.video / filename, run)
            except (VcamError, OSError) as error:
                self._display_message(str(error) if filename in str(error) else f"{filename}: {error}")
        self.player.show(self.clip)
        self._list_runs(filename if run is None else None)
        for button in (self.sheet_button, self.mp4_button, self.gif_button):
            button.disabled = self.clip is None
        if self.clip is not None and self.clip.run is None:
            self._display_message("No run of this clip has boxes: SendProcessFile sends it to the workers.")

    def show_sheet(self) -> None:
        """Display the contact sheet below."""
        if self.clip is None:
            return
        with self._errors_displayed():
            figure = contact_sheet(self.clip, self.player.threshold)
            self.output.clear_output(wait=True)
            with self.output:
                display(figure)  # type: ignore[no-untyped-call]
            plt.close(figure)

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        # for pages without widgets, such as a code host's
        bundle: dict[str, Any] = super()._repr_mimebundle_(**kwargs)
        if self.clip is not None:
            with suppress(VcamError):  # the widget works without the poster if the best frame is damaged
                bundle["image/jpeg"] = poster(self.clip)
        return bundle

    def _gif_cut(self) -> Cut:
        # from the displayed frame, unless that is at the end
        start = self.player.time
        if self.clip is None or start >= self.clip.frames.facts.duration_s - 1:
            start = 0.0
        return Cut(start, min_conf=self.player.threshold)

    def _export(self, export: Export, cut: Cut) -> None:
        if self.clip is None:
            return
        self.bar.value, self.bar.layout.visibility = 0.0, "visible"
        with self._errors_displayed():
            path = export(self.clip, cut=cut, progress=self._progress)
            self.saved.append(path)
            size = path.stat().st_size / 1e6
            self._display_message(f"saved: video/{path.relative_to(self._places.video).as_posix()} ({size:.1f} MB)")
        self.bar.layout.visibility = "hidden"

    def _progress(self, share: float) -> None:
        # in steps of 1 %: each change is a message to the page
        if share - self.bar.value >= 0.01 or share == 1.0:
            self.bar.value = share

    def _list_runs(self, filename: str | None) -> None:
        if filename is None:
            return
        self.runs.unobserve(self._run_chosen, "value")
        found = runs_of(self._places.video, filename) if filename else []
        self.runs.options = [(_run_line(run), run) for run in found]
        self.runs.value = found[0] if found else None
        self.runs.layout.display = "" if len(found) > 1 else "none"
        self.runs.observe(self._run_chosen, "value")

    def _run_chosen(self, change: dict[str, Any]) -> None:
        if change["new"] is not None and self.picker.value:
            self.show(self.picker.value, change["new"])

    def _display_message(self, text: str) -> None:
        self.message.value = html.escape(text)

    def _errors_displayed(self) -> _ErrorsDisplayed:
        return _ErrorsDisplayed(self._display_message)


class _ErrorsDisplayed:
    """Displays expected errors in one line; other exceptions propagate."""

    def __init__(self, display_message: Callable[[str], None]) -> None:
        self._display_message = display_message

    def __enter__(self) -> None:
        self._display_message("")

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: Any) -> bool:
        if isinstance(error, OSError):
            self._display_message(f"{error.filename or 'the video folder'}: {error.strerror}")
        elif isinstance(error, VcamError):
            self._display_message(str(error))
        return isinstance(error, VcamError | OSError)


def _button(text: str, tooltip: str) -> widgets.Button:
    return widgets.Button(description=text, tooltip=tooltip, layout=widgets.Layout(width="auto"))


def _run_line(run: Run) -> str:
    when = str(run.record.get("timestamp", ""))[:19].replace("T", " ")
    found = ", ".join(run.record.get("detected", [])) or "nothing found"
    return f"{when}  {run.title}: {found}"
