"""The timeline of a day as a widget (anywidget): each mark is a clip, and a click plays it in the player below.

A saved notebook, and a page without a kernel, display the same day as a picture.
"""

from __future__ import annotations

import base64
import html
import io
from datetime import date, datetime
from pathlib import Path
from typing import Any

import anywidget
import ipywidgets as widgets
import matplotlib.pyplot as plt
import pandas as pd
import traitlets

from notebooks.lab.data.activity import clips_of, sightings_of
from notebooks.lab.data.oneday import NOTHING, OneDay, lay_out
from notebooks.lab.media.clip import Clip
from notebooks.lab.plots.plots import plot_one_day
from notebooks.lab.plots.style import GREY, colours
from notebooks.lab.viewer.player import Player
from shared_utils.errors import VcamError

HERE = Path(__file__).resolve().parent


class Timeline(anywidget.AnyWidget):
    """The clips of a day along a line. The arrow keys go from clip to clip, the wheel zooms.

    Attributes:
        day: the day displayed; see :meth:`notebooks.lab.data.oneday.OneDay.as_dict`.
        chosen: file name of the clicked clip; empty if none was clicked.
        clicks: number of clicks, so that the same clip can be played again.
    """

    _esm = HERE / "timeline.js"
    _css = HERE / "timeline.css"
    day = traitlets.Dict().tag(sync=True)
    chosen = traitlets.Unicode("").tag(sync=True)
    clicks = traitlets.Int(0).tag(sync=True)

    def __init__(self, day: OneDay) -> None:
        super().__init__()
        self.show(day)

    def show(self, day: OneDay) -> None:
        """Display another day, without a chosen clip."""
        shade = colours(day.all_cameras)
        with self.hold_sync():
            self.chosen = ""
            self.day = {**day.as_dict(), "nothing": NOTHING, "colours": {**shade, NOTHING: GREY}}


class DayView(widgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """A date picker, the timeline of the day, and a player for the clip that is clicked.

    Args:
        log: of :func:`notebooks.lab.data.results.load_log`.
        watched: of :func:`notebooks.lab.data.results.uptime`.
        video_dir: the folder of the clips.
        day: the day to display first, as for :func:`notebooks.lab.data.answers.how_often`; by default the last day
            with a clip.
        now: the present time, likewise.

    Attributes:
        one_day: the day displayed.
        timeline: its timeline.
        player: plays the clicked clip.
    """

    def __init__(
        self,
        log: pd.DataFrame,
        watched: pd.DataFrame,
        video_dir: Path,
        day: str | date = "last",
        *,
        now: datetime | None = None,
    ) -> None:
        self._clips, self._seen, self._watched = clips_of(log), sightings_of(log), watched
        self._video_dir, self._now = video_dir, now
        self._clip: Clip | None = None
        self.one_day = self._lay_out(day)
        self.timeline = Timeline(self.one_day)
        self.player = Player()
        self.message = widgets.HTML("Click a mark to play its clip.")
        self.picker = widgets.DatePicker(value=self.one_day.day, layout=widgets.Layout(width="160px"))
        steps = [
            self._step("◀", "previous day with clips", -1),
            self._step("▶", "next day with clips", 1),
        ]
        super().__init__([widgets.HBox([steps[0], self.picker, steps[1]]), self.timeline, self.message, self.player])
        self.add_class("vcam-day")
        self.picker.observe(lambda change: self.show(change["new"]), "value")
        self.timeline.observe(lambda _: self.play(self.timeline.chosen), "clicks")

    def show(self, day: str | date | None) -> None:
        """Display another day."""
        if day is None:  # the picker was emptied
            return
        self.one_day = self._lay_out(day)
        self.timeline.show(self.one_day)
        self.message.value = "Click a mark to play its clip." if self.one_day.clips else "No clip on this day."
        self._open(None)

    def play(self, filename: str) -> None:
        """Display a clip in the player, or one line that says why it cannot be displayed."""
        try:
            self._open(Clip(self._video_dir / filename))
        except (VcamError, OSError) as error:
            self._open(None)
            text = str(error)
            self.message.value = html.escape(text if filename in text else f"{filename}: {text}")
        else:
            self.message.value = ""

    def _open(self, clip: Clip | None) -> None:
        before, self._clip = self._clip, clip
        self.player.show(clip)
        if before is not None:
            before.close()

    def _lay_out(self, day: str | date) -> OneDay:
        return lay_out(self._clips, self._seen, self._watched, day, now=self._now)

    def _step(self, text: str, tooltip: str, by: int) -> widgets.Button:
        button = widgets.Button(description=text, tooltip=tooltip, layout=widgets.Layout(width="40px"))
        button.on_click(lambda _: self._go(by))
        return button

    def _go(self, by: int) -> None:
        days = sorted({moment.date() for moment in self._clips["day"]})
        others = [day for day in days if (day > self.one_day.day if by > 0 else day < self.one_day.day)]
        if others:
            self.picker.value = others[0] if by > 0 else others[-1]

    def _repr_mimebundle_(self, **arguments: Any) -> dict[str, Any]:
        """Return the widget, and a picture for pages without a kernel."""
        bundle = dict(super()._repr_mimebundle_(**arguments))
        figure = plot_one_day(self.one_day)
        target = io.BytesIO()
        figure.savefig(target, format="png")
        plt.close(figure)
        return {**bundle, "image/png": base64.b64encode(target.getvalue()).decode("ascii")}
