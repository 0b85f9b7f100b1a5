"""The forms of SendProcessFile and DownloadProcessFile: file and options, the run, and a comparison of its outcome."""

from __future__ import annotations

import html
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import ipywidgets as widgets
import matplotlib.pyplot as plt
import pandas as pd
from IPython.display import display
from matplotlib.figure import Figure

from notebooks.lab.jobs.download import MAX_MB, Limits, download
from notebooks.lab.jobs.job_bars import watch
from notebooks.lab.jobs.places import Places
from notebooks.lab.jobs.video_files import DownloadError
from notebooks.lab.media.clip import Clip, Run, runs_of
from notebooks.lab.media.sheet import contact_sheet
from notebooks.lab.viewer.picker import ClipPicker
from shared_utils.config.classes import split_classes
from shared_utils.config.folders import models_dirs
from shared_utils.config.job_options import OPTION_SETTINGS
from shared_utils.contracts.detections_log import find_run
from shared_utils.contracts.job_options import Options
from shared_utils.errors import ClipMissing, VcamError
from shared_utils.queue.job_states import JobState
from shared_utils.queue.jobs import submit

T = TypeVar("T")

OWN_MODEL = ""
"""Stands for the model that the worker was started with."""
LOW_CONF = 0.25
"""Where the threshold begins: half of the default, to show what a lower one would find; see `SendForm`."""
NO_WIDGETS = "<i>Run this cell in JupyterLab to get the form.</i>"
SIZES = (320, 480, 640, 960, 1280)
WIDE = widgets.Layout(width="420px")
BUTTON = widgets.Layout(width="auto", min_width="140px", align_self="flex-start")
NAMED = {"description_width": "150px"}


def model_names(values: Mapping[str, str] | None = None) -> list[str]:
    """Return the models that a worker finds by their bare names: ONNX files of the folders in ``MODELS_DIR``.

    As the worker does it, a name that lies in several folders means the first one's. Nothing is loaded.
    """
    folders = models_dirs(os.environ if values is None else values)
    return sorted({path.name for folder in folders if folder.is_dir() for path in folder.glob("[!.]*.onnx")})


@dataclass(frozen=True)
class Sent:
    """A run that was asked for, and what became of it.

    Attributes:
        filename: of the clip.
        state: how the job ended; see :class:`shared_utils.queue.job_states.JobState`.
        record: its line in the log; empty where it failed, or is not done.
        before: the clip's last run before, None if there was none.
    """

    filename: str
    state: JobState
    record: Mapping[str, Any] = field(repr=False)
    before: Run | None = field(repr=False)
    places: Places = field(repr=False)

    @property
    def summary(self) -> str:
        """What came out, in a sentence."""
        if not self.record:
            if not self.state.final:
                return f"{self.filename}: not done yet ({self.state.state}); its line will come into the log"
            return f"{self.filename}: {self.state.state}: {self.state.error or 'no reason given'}"
        found = ", ".join(self.record["detected"]) or "nothing"
        text = f"{self.filename}: found {found}"
        if self.before is None:
            return f"{text}; the first run over this clip"
        old, new = self.before.record.get("detected", []), self.record["detected"]
        more = [label for label in new if label not in old]
        less = [label for label in old if label not in new]
        changes = [f"{', '.join(more)} on top"] * bool(more) + [f"{', '.join(less)} no more"] * bool(less)
        return f"{text}; against the run before: {' and '.join(changes) or 'the same labels'}"

    def as_frame(self) -> pd.DataFrame:
        """Return the record's main values, one a row."""
        rows = {"job": self.state.job_id, "file": self.filename}
        if not self.record:
            return _one_column({**rows, "state": self.state.state, "reason": self.state.error or ""})
        model, timing = self.record["model"], self.record["timing"]
        rows |= {
            "detected": ", ".join(self.record["detected"]) or "nothing",
            "model": f"{model['name']}, threshold {model['conf']:g}, {model['imgsz']} px, {model['fps']:g} frames/s",
            "engine": model["engine"],
            "sampled frames": self.record["sampled_frames"],
            "took": f"{timing['total_s']:.1f} s, after {timing['queued_s'] or 0:.1f} s in the queue",
            "run": self.record["run_id"],
        }
        return _one_column(rows)

    def comparison(self) -> pd.DataFrame:
        """Return, for each label, sampled frames and best score of this run and of the one before."""
        return compare_records([self.before.record] if self.before else [], self.record)

    def pictures(self) -> Figure | None:
        """Return the contact sheet of this run; None where it has failed."""
        if not self.record:
            return None
        run = next((run for run in runs_of(self.places.video, self.filename) if run.run_id == self.state.run_id), None)
        with Clip(self.places.video / self.filename, run) as clip:
            return contact_sheet(clip)


def compare_records(before: Sequence[Mapping[str, Any]], after: Mapping[str, Any]) -> pd.DataFrame:
    """Return one row per label, with sampled frames and best score of each run; empty cells: not seen.

    Args:
        before: the record to compare with; empty for none.
        after: the record of the new run; empty where it failed.
    """
    tables = []
    for name, record in (*(("before", record) for record in before), ("now", after)):
        if not record:
            continue
        seen = (
            pd.DataFrame(record.get("objects", []), columns=["label", "hits", "max_conf"]).set_index("label").round(2)
        )
        model = record.get("model", {})
        title = f"{name}: {model.get('name', '?')}, {model.get('conf', float('nan')):g}"
        seen.columns = pd.MultiIndex.from_product([[title], ["frames", "best score"]])
        tables.append(seen)
    if not tables:
        return pd.DataFrame()
    table = pd.concat(tables, axis=1)
    frames = pd.DataFrame(table.xs("frames", axis=1, level=1))
    order = frames.max(axis=1).sort_values(ascending=False, kind="stable").index
    return table.loc[order].convert_dtypes().rename_axis("label")


class OptionsForm(widgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """The options of a job."""

    def __init__(self) -> None:
        defaults = Options()
        models = [("the worker's own", OWN_MODEL), *((name, name) for name in model_names())]
        self.model = widgets.Dropdown(options=models, description="model", layout=WIDE, style=NAMED)
        self.conf = widgets.FloatSlider(
            LOW_CONF, min=0.1, max=0.95, step=0.05, description="threshold", layout=WIDE, style=NAMED
        )
        self.min_hits = widgets.BoundedIntText(
            defaults.min_hits, min=1, max=1000, description="in sampled frames", layout=WIDE, style=NAMED
        )
        self.fps = widgets.BoundedFloatText(
            defaults.fps,
            min=OPTION_SETTINGS["fps"].ge,
            max=60,
            description="sampled per second",
            layout=WIDE,
            style=NAMED,
        )
        self.imgsz = widgets.SelectionSlider(
            options=SIZES, value=defaults.imgsz, description="longest side, px", layout=WIDE, style=NAMED
        )
        self.classes = widgets.Text(
            description="only these labels",
            placeholder="person, car; empty: as the worker's setting",
            layout=WIDE,
            style=NAMED,
        )
        super().__init__([self.model, self.conf, self.min_hits, self.fps, self.imgsz, self.classes])

    @property
    def wanted(self) -> dict[str, Any]:
        """The options as a job carries them."""
        wanted: dict[str, Any] = {
            "conf": round(self.conf.value, 4),
            "min_hits": self.min_hits.value,
            "fps": self.fps.value,
            "imgsz": self.imgsz.value,
        }
        if classes := split_classes(self.classes.value):
            wanted["classes"] = list(classes)
        return {"model": self.model.value, **wanted} if self.model.value != OWN_MODEL else wanted


class JobForm(widgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """A form with options and a button that does it all, and shows the outcome beneath.

    Args:
        places: volume and queue.
        first: what comes before the options.
        action: text of the button.

    Attributes:
        sent: the last run; None before the first.
    """

    def __init__(self, places: Places, first: Sequence[widgets.Widget], action: str) -> None:
        self._places = places
        self.sent: Sent | None = None
        self.options = OptionsForm()
        self.button = widgets.Button(description=action, button_style="primary", layout=BUTTON)
        self.output = widgets.Output()
        super().__init__([*first, self.options, self.button, self.output])
        self.button.on_click(lambda _: self.run_and_show())

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        # what is shown where no widget lives, such as on a code host's page
        bundle: dict[str, Any] = super()._repr_mimebundle_(**kwargs)
        return {**bundle, "text/html": NO_WIDGETS}

    def run(self) -> Sent:
        """Do what the form says, and return what became of it."""
        raise NotImplementedError

    def run_and_show(self) -> None:
        """Do as the button does: :meth:`run`, with the outcome, or the reason of none, shown beneath the form."""
        self.button.disabled = True
        self.output.clear_output()
        try:
            with self.output:
                try:
                    show(self.run())
                except VcamError as error:
                    display(_line(str(error)))  # type: ignore[no-untyped-call]
        finally:
            self.button.disabled = False


class SendForm(JobForm):
    """Choose a file of the volume and options; the button sends it.

    As it stands, the newest file is sent with a low threshold, or with the usual one if its last run had a low one.

    Args:
        places: volume and queue.
    """

    def __init__(self, places: Places) -> None:
        self.picker = ClipPicker(places)
        super().__init__(places, [self.picker], "Send")
        before = runs_of(places.video, self.picker.value)[:1] if self.picker.value else []
        if before and before[0].conf <= LOW_CONF:  # the same once more would show nothing new
            self.options.conf.value = Options().conf

    def run(self) -> Sent:
        """Send what is chosen, watch it to its end, and return what became of it.

        Raises:
            ClipMissing: no file is chosen, or it is not there any more.
            JobRefused, SettingError, QueueUnavailable: see :func:`shared_utils.queue.jobs.submit`.
        """
        self.sent = run_file(self._places, self.picker.value, self.options.wanted)
        self.picker.refresh()
        return self.sent


class DownloadForm(JobForm):
    """Give a URL and options; the button downloads the video and sends it.

    Args:
        places: volume and queue.
        url: initial value of the field.
    """

    def __init__(self, places: Places, url: str = "") -> None:
        wide = widgets.Layout(width="calc(100% - 4px)")
        self.url = widgets.Text(
            url, placeholder="https://… of a video, or of a page that shows one", description="URL", layout=wide
        )
        self.max_mb = widgets.BoundedIntText(
            MAX_MB, min=1, max=1_000_000, description="largest, MB", layout=WIDE, style=NAMED
        )
        super().__init__(places, [self.url, self.max_mb], "Fetch and send")

    def fetch(self) -> Path:
        """Download the video, and return its path.

        Raises:
            DownloadError: no URL is given, or there is no video at it.
        """
        if not self.url.value.strip():
            raise DownloadError("no URL is given: put one into the field above, and run this cell again")
        return download(self.url.value, self._places.video, Limits(max_mb=self.max_mb.value))

    def run(self) -> Sent:
        """Download the video, send it, and return its outcome.

        For errors see :meth:`fetch` and :meth:`SendForm.run`.
        """
        self.sent = run_file(self._places, self.fetch().name, self.options.wanted)
        return self.sent


def run_file(places: Places, filename: str, options: Mapping[str, Any]) -> Sent:
    """Send a file of the volume to the workers, watch it, and return what became of it; see :meth:`SendForm.run`."""
    if not filename:
        raise ClipMissing("no video file in the video folder yet: see  docker compose logs -f capture")
    if not (places.video / filename).is_file():
        raise ClipMissing(f"{filename} is not there (any more): choose another one")
    before = next((run for run in runs_of(places.video, filename) if run.record), None)
    queue = places.queue()
    try:
        [state] = watch(submit(filename, queue=queue, **options))
    finally:
        queue.connection.close()
    record = find_run(places.log, state.run_id) if state.run_id else None
    return Sent(filename, state, record or {}, before, places)


def show(sent: Sent) -> None:
    """Display summary, comparison and pictures of a run."""
    display(_line(sent.summary))  # type: ignore[no-untyped-call]
    if not sent.record:
        return
    display(sent.comparison())  # type: ignore[no-untyped-call]
    figure = sent.pictures()
    display(figure)  # type: ignore[no-untyped-call]
    plt.close(figure)


def tried(action: Callable[[], T]) -> T | None:
    """Return what `action` returns; where it cannot, print in one line why, and return None."""
    try:
        return action()
    except VcamError as error:
        print(error)  # noqa: T201  # a cell's output
        return None


def _line(text: str) -> widgets.HTML:
    return widgets.HTML(f"<b>{html.escape(text)}</b>")


def _one_column(rows: Mapping[str, object]) -> pd.DataFrame:
    return pd.DataFrame({"": rows.values()}, index=pd.Index(rows.keys()), dtype=object)
