"""The checks of CheckJupyter: everything that the notebooks need, each item green or with its remedy."""

from __future__ import annotations

import html
import os
import platform
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import TypeVar

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from notebooks.lab.data.columns import local_zone
from notebooks.lab.data.results import load_log
from notebooks.lab.jobs.places import Places
from notebooks.lab.jobs.send import model_names
from notebooks.lab.plots import style
from shared_utils.config.env import read_field
from shared_utils.contracts.clips import list_clips, parse_clip_name
from shared_utils.errors import ClipMissing, SettingError, VcamError
from shared_utils.media.grabber import FrameGrabber
from shared_utils.queue.jobs import counts, workers
from shared_utils.version import VERSION
from vcam_worker.recording.storage.disk import DiskRules

T = TypeVar("T")

LIBRARIES = ("av", "openvino", "opencv-python-headless", "pandas", "matplotlib", "ipywidgets", "rq", "redis")
LOW_GB = 2.0
"""Free space below which it is worth looking: twice what MIN_FREE_GB keeps free by itself."""
GB = 1_000_000_000

SEE_OWNER = "give UID and GID in .env the owner of the folder (id -u, id -g), then: docker compose up -d"


@dataclass(frozen=True, repr=False)
class Check:
    """The result of one check.

    Attributes:
        name: what was checked.
        ok: whether all is well.
        found: what was found, in a line.
        remedy: what to do, where it is not well.
    """

    name: str
    ok: bool
    found: str
    remedy: str = ""

    def __repr__(self) -> str:
        return repr(Checks([self]))

    def _repr_html_(self) -> str:
        return _table([self])


class Checks(list[Check]):
    """Checks that show themselves as a table in a notebook, as lines elsewhere."""

    @property
    def ok(self) -> bool:
        """Whether all is well."""
        return all(check.ok for check in self)

    @property
    def summary(self) -> str:
        """How many are well, in a line."""
        bad = [check.name for check in self if not check.ok]
        if not bad:
            return f"All {len(self)} checks are green."
        return f"{len(self) - len(bad)} of {len(self)} checks are green; to be seen to: {', '.join(bad)}."

    def __repr__(self) -> str:
        lines = [self.summary] if len(self) > 1 else []
        for check in self:
            lines.append(f"{'ok ' if check.ok else 'BAD'}  {check.name:<16} {check.found}")
            if check.remedy:
                lines.append(f"     {'':<16} → {check.remedy}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return f"<b>{html.escape(self.summary)}</b>{_table(self)}"


def _table(checks: Iterable[Check]) -> str:
    rows = "".join(_row(check) for check in checks)
    return f'<table style="border-collapse:collapse;margin-top:8px;font-size:100%">{rows}</table>'


def _row(check: Check) -> str:
    colour, mark = (style.GREEN, "✔") if check.ok else (style.RED, "✘")
    remedy = f"<br><b>→ {html.escape(check.remedy)}</b>" if check.remedy else ""
    cell = "padding:3px 14px 3px 0;text-align:left;vertical-align:top"
    return (
        f'<tr style="background:none"><td style="{cell};color:{colour};font-weight:bold">{mark}</td>'
        f'<td style="{cell};white-space:nowrap">{html.escape(check.name)}</td>'
        f'<td style="{cell}">{html.escape(check.found)}{remedy}</td></tr>'
    )


def check_all(places: Places, values: Mapping[str, str] | None = None) -> Checks:
    """Look at everything: versions, time, folders, disk, models, log, queue, worker, newest clip.

    Args:
        places: the shared volume and the queue.
        values: the environment, such as ``os.environ``.
    """
    values = os.environ if values is None else values
    return Checks(
        [
            versions(),
            time_zone(),
            folder("video folder", places.video),
            folder("this folder", Path()),
            disk(places.video, values),
            models(values),
            log(places),
            redis(places),
            worker(places),
            newest_clip(places),
        ]
    )


look = check_all
"""Its name in earlier versions, which people's copies of CheckJupyter may call."""


def versions(libraries: Iterable[str] = LIBRARIES) -> Check:
    """Check that the libraries are there; tell their versions."""
    found, missing = [f"vcam {VERSION}", f"Python {platform.python_version()}"], []
    for name in libraries:
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            missing.append(name)
    remedy = f"not installed: {', '.join(missing)}; build the image anew: docker compose build jupyter"
    return Check("versions", not missing, ", ".join(found), remedy if missing else "")


def time_zone() -> Check:
    """Check that local time is known by its zone's name; tell what it is."""
    try:
        zone = local_zone()
    except SettingError as error:
        return Check("time zone", False, str(error), "set TZ in .env, such as Europe/Kyiv")
    return Check("time zone", True, f"{zone}; it is {datetime.now(zone):%Y-%m-%d %H:%M}")


def folder(name: str, path: Path) -> Check:
    """Check that a folder is there, and can be written to."""
    if not path.is_dir():
        return Check(name, False, f"{path}: no such folder", "mount it, see volumes in docker-compose.yml")
    try:
        entries = len(list(path.iterdir()))
        with tempfile.NamedTemporaryFile(dir=path, prefix=".check-"):
            pass
    except OSError as error:
        return Check(name, False, f"{path}: {error.strerror}", SEE_OWNER)
    return Check(name, True, f"{path}: {entries} entries, can be read and written")


def disk(path: Path, values: Mapping[str, str]) -> Check:
    """Check that there is room for clips."""
    try:
        free = shutil.disk_usage(path).free / GB
    except OSError as error:
        return Check("free disk", False, f"not known: {error.strerror}", "see the folder above")
    wanted = max(LOW_GB, read_field(DiskRules, "min_free_gb", values))
    remedy = f"below {wanted:g} GB: delete what is not needed, or set RETENTION_DAYS in .env"
    return Check("free disk", free >= wanted, f"{free:.1f} GB free", "" if free >= wanted else remedy)


def models(values: Mapping[str, str]) -> Check:
    """Check that there is a model to analyse with."""
    names = model_names(values)
    if names:
        return Check("models", True, ", ".join(names))
    return Check("models", False, "none found", "put an ONNX file into models/, see models/README.md")


def log(places: Places) -> Check:
    """Check that the log can be read; tell what is in it."""
    try:
        frame = load_log(places.log)
    except SettingError as error:
        return Check("log", False, str(error), SEE_OWNER)
    if frame.empty:
        return Check("log", True, "empty: nothing has been analysed yet")
    failed = int((~frame["ok"]).sum())
    text = f"{len(frame)} runs over {frame['filename'].nunique()} clips, {failed} failed"
    skipped = sum(frame.attrs["skipped"].values())
    if skipped:
        text += f"; {skipped} lines skipped"
    return Check("log", True, f"{text}; the last one at {frame['timestamp'].max():%Y-%m-%d %H:%M}")


def redis(places: Places) -> Check:
    """Check that the queue can be reached; tell how long it is."""
    try:
        now = counts(queue=places.queue())
    except VcamError as error:
        return Check("Redis", False, str(error), "docker compose ps redis; docker compose logs redis")
    text = f"{places.redis.address}: {now.queued} jobs wait, {now.running} run, {now.failed} failed, {now.done} done"
    return Check("Redis", True, text)


def worker(places: Places) -> Check:
    """Check that somebody works."""
    try:
        found = workers(queue=places.queue())
    except VcamError:
        return Check("worker", False, "not known without Redis", "see Redis")
    if not found:
        return Check("worker", False, "no worker is running", "docker compose ps video-worker; docker compose up -d")
    busy = [one for one in found if one.job]
    return Check("worker", True, f"{len(found)} running, {len(busy)} busy")


def newest_clip(places: Places) -> Check:
    """Check that the newest clip can be opened."""
    try:
        path = _newest(places)
        with FrameGrabber(path) as grabber:
            facts, codec = grabber.facts, grabber.codec
            grabber.frame(0)
    except ClipMissing as error:
        return Check("newest clip", False, str(error), "docker compose logs capture: does the camera see motion?")
    except VcamError as error:
        return Check("newest clip", False, str(error), "docker compose logs capture; docker compose logs video-worker")
    text = f"{path.name}: {codec} {facts.width}×{facts.height}, {facts.frames} frames, {facts.duration_s:.0f} s"
    return Check("newest clip", True, text)


def first_frame(places: Places) -> Figure:
    """Return the first frame of the newest clip as a picture.

    Raises:
        ClipMissing, ClipError: there is no clip, or it is no video.
    """
    path = _newest(places)
    with FrameGrabber(path) as grabber:
        picture = grabber.frame(0).picture
    figure, axes = plt.subplots(figsize=(7.5, 7.5 * picture.shape[0] / picture.shape[1] + 0.6))
    axes.imshow(picture[..., ::-1])
    axes.axis("off")
    clip = parse_clip_name(path.name)
    what = f"Camera {clip.camera}, {clip.started_at:%A %Y-%m-%d, %H:%M:%S}" if clip else path.name
    style.finding(axes, what, f"first frame of the newest clip, {path.name}")
    plt.close(figure)  # shown as the cell's result, and not by pyplot once more
    return figure


def _newest(places: Places) -> Path:
    clips = list_clips(places.video)
    if not clips:
        raise ClipMissing("no clip yet")
    return max(clips, key=_when)


def _when(path: Path) -> datetime:
    clip = parse_clip_name(path.name)
    return clip.started_at if clip else datetime.min


def attempt(work: Callable[[], T]) -> T | str:
    """Return what `work` returns, or why it cannot: a notebook that checks things goes on to its end."""
    try:
        return work()
    except VcamError as error:
        return str(error)
