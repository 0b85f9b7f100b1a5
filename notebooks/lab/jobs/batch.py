"""Runs many clips through several configurations, and skips the runs that exist already."""

from __future__ import annotations

import fnmatch
import itertools
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path, PurePath
from typing import Any

import pandas as pd
from rq import Queue

from notebooks.lab.data.results import load_log
from notebooks.lab.jobs.job_bars import watch
from shared_utils.config.folders import find_model
from shared_utils.config.job_options import options_from_env, parse_aspect, replace_options
from shared_utils.contracts.boxes import boxes_path
from shared_utils.contracts.clips import list_clips
from shared_utils.contracts.job_options import Options
from shared_utils.errors import ClipMissing, JobRefused, SettingError
from shared_utils.file_hash import file_sha256
from shared_utils.queue.jobs import PROCESS_CLIP, open_jobs, submit_many
from shared_utils.queue.names import FIRST_JOB
from shared_utils.queue.rq_adapter.jobs import Job, call_of

NAMES = {
    "model": "",
    "imgsz": "px",
    "conf": "conf",
    "fps": "fps",
    "min_hits": "hits",
    "classes": "only",
    "aspect": "shown",
}
"""Options in their order in a configuration's name, and the text that is put beside each there."""
OPTIONS = frozenset(field.name for field in fields(Options))
MODEL_SUFFIX = ".onnx"
"""Ending of the model files that the worker reads; names in the log are without it."""
SOME = 5
"""Names that are listed in one line."""


@dataclass(frozen=True)
class Configuration:
    """A way to analyse clips.

    Attributes:
        name: short, for pictures and tables.
        options: all of them, so that nothing hangs on how the worker was started.
    """

    name: str
    options: Options


def grid(**choices: Sequence[Any]) -> list[dict[str, Any]]:
    """Return every combination, such as of ``model=["a.onnx", "b.onnx"], imgsz=[320, 640]``."""
    return [dict(zip(choices, values, strict=True)) for values in itertools.product(*choices.values())]


def usual_options(video_dir: Path) -> Options:
    """Return the worker's own options, as in its last run over a new clip; the environment's before there is one.

    The worker reads them from its environment, which a notebook in another container does not see.
    """
    log = load_log(video_dir)
    numbers = ["conf", "imgsz", "fps", "min_hits"]
    own = log[log["ok"] & log["job_id"].astype(object).str.startswith(FIRST_JOB).fillna(False)]
    own = own.dropna(subset=["model", *numbers])
    if own.empty:
        return options_from_env(os.environ)
    last = own.iloc[-1]
    chosen: dict[str, Any] = {name: float(last[name]) for name in numbers}
    chosen["imgsz"] = float(own["asked_imgsz"].fillna(own["imgsz"]).iloc[-1])
    chosen["aspect"] = None if pd.isna(last["aspect"]) else last["aspect"]
    # a camera's own classes are not the worker's
    classes = set(own.drop_duplicates("camera", keep="last")["classes"])
    chosen |= {"classes": classes.pop() if len(classes) == 1 else ()}
    return replace_options(Options(), {"model": f"{last['model']}{MODEL_SUFFIX}", **chosen})


def configurations(wanted: Sequence[Mapping[str, Any]], usual: Options | None = None) -> list[Configuration]:
    """Return configurations, each named by what it does not share with the others.

    Args:
        wanted: the options of each, fields of :class:`shared_utils.contracts.job_options.Options`; `name` may name it.
        usual: the options that a configuration leaves out; the environment's (``YOLO_MODEL`` and so on) if None.

    Raises:
        JobRefused: an option that the worker would refuse.
        SettingError: two are the same.
    """
    usual = options_from_env(os.environ) if usual is None else usual
    given = [replace_options(usual, {key: value for key, value in one.items() if key != "name"}) for one in wanted]
    for (first, one), (second, other) in itertools.combinations(enumerate(given, start=1), 2):
        if one == other:
            raise SettingError(f"configurations {first} and {second} are the same: {_describe(one, [*NAMES])}")
    differing = [field.name for field in fields(Options) if len({getattr(one, field.name) for one in given}) > 1]
    shown = [key for key in NAMES if key in differing] or ["model"]
    names = [str(one.get("name", _describe(options, shown))) for one, options in zip(wanted, given, strict=True)]
    if len(set(names)) < len(names):
        raise SettingError(f"configurations need different names, not {', '.join(names)}")
    return [Configuration(name, options) for name, options in zip(names, given, strict=True)]


def _describe(options: Options, keys: Iterable[str]) -> str:
    parts = []
    for key in keys:
        if key == "classes":
            parts.append(f"only {', '.join(options.classes)}" if options.classes else "all labels")
            continue
        if key == "aspect":
            parts.append(f"shown {options.aspect}" if options.aspect else "shown as the file says")
            continue
        value = PurePath(options.model).stem if key == "model" else f"{getattr(options, key):g}"
        parts.append(f"{value} {NAMES[key]}".strip() if key in ("imgsz", "fps") else f"{NAMES[key]} {value}".strip())
    return ", ".join(parts)


def choose(clips: str | Iterable[str | Path], video_dir: Path, limit: int | None = None) -> list[str]:
    """Return names of clips, oldest first.

    Args:
        clips: a pattern such as ``20260223-*-door.mp4``, or names.
        video_dir: the shared volume.
        limit: take the newest so many.

    Raises:
        ClipMissing: no clip is called so.
    """
    if isinstance(clips, str):
        there = [path.name for path in list_clips(video_dir)]
        names = [clips] if clips in there else fnmatch.filter(there, clips)
        if not names:
            raise ClipMissing(f"none of the {len(there)} clips in VIDEO_DIR is called {clips!r}")
    else:
        names = list(dict.fromkeys(Path(clip).name for clip in clips))
    return names[-limit:] if limit else names


def find_runs(clips: Sequence[str], wanted: Sequence[Configuration], video_dir: Path) -> pd.DataFrame:
    """Return the run of each clip by each configuration, the last one where there are several.

    A run is the same when clip and model are, byte for byte, and all options; of sizes, what the model saw: one of
    fixed size sees the same whatever is asked for. Where a model's file is not to be seen from here, its name must do.
    Runs whose boxes file is gone do not count; those of a clip that is gone do.

    Returns:
        One row per clip and configuration, in the given order: `clip`, `configuration`, `state` (``there``, ``to do``
        or ``no such clip``), and the columns of :func:`notebooks.lab.data.results.load_log`, empty without a run.
    """
    log = load_log(video_dir)
    log = log[log["ok"]].astype({"model": object, "model_sha256": object})
    has_boxes = [
        boxes_path(video_dir, name, str(run_id)).is_file()
        for name, run_id in zip(log["filename"], log["run_id"], strict=True)
    ]
    log = log[pd.Series(has_boxes, index=log.index, dtype=bool)]
    log = log.assign(reported=log["classes"].map(_spelled), ratio=log["aspect"].astype(object).map(_ratio))
    keys = ["clip_sha256", "conf", "fps", "min_hits", "reported", "ratio"]
    known = log.dropna(subset=["clip_sha256"]).drop_duplicates("filename", keep="last").set_index("filename")
    there = {name: clip_sha256(video_dir / name) for name in clips}
    shas = {name: sha or known["clip_sha256"].get(name) for name, sha in there.items()}
    parts = []
    for one in wanted:
        options = one.options
        model = model_sha256(options.model)
        same = log["model_sha256"] == model if model else log["model"] == PurePath(options.model).stem
        seen = log["imgsz"].eq(options.imgsz) | log["asked_imgsz"].eq(options.imgsz) | log["input"].notna()
        runs = log[same & seen.fillna(False).astype(bool)].drop_duplicates(keys, keep="last")
        asked = pd.DataFrame({"clip": clips, "configuration": one.name, "clip_sha256": [shas[name] for name in clips]})
        asked = asked.assign(conf=options.conf, fps=options.fps, min_hits=options.min_hits)
        asked = asked.assign(reported=_spelled(options.classes), ratio=_ratio(options.aspect))
        asked = asked.astype({key: log[key].dtype for key in keys})
        found = asked.merge(runs, on=keys, how="left")
        found["state"] = found["run_id"].notna().map({True: "there", False: "to do"})
        gone = found["clip"].map(there).isna()
        found.loc[gone & found["run_id"].isna(), "state"] = "no such clip"
        parts.append(found)
    return pd.concat(parts, ignore_index=True)


def _spelled(classes: Iterable[str]) -> str:
    """Return labels as one text, whatever their order and case: the log has the model's spelling."""
    return ",".join(sorted({label.casefold() for label in classes}))


def _ratio(aspect: object) -> str:
    """Return an aspect ratio in one spelling: ``16:9`` is ``32:18``."""
    try:
        return str(parse_aspect(aspect)) if isinstance(aspect, str) else ""
    except ValueError:
        return str(aspect)


def clip_sha256(path: Path) -> str | None:
    """Return the SHA-256 of a clip's bytes; None where there is no such file."""
    return file_sha256(path) if path.is_file() else None


def model_sha256(name: str) -> str | None:
    """Return the SHA-256 of a model's file in this environment's folders; None where there is none."""
    path = find_model(name, os.environ)
    return file_sha256(path) if path else None


def run(
    clips: Sequence[str], wanted: Sequence[Configuration], video_dir: Path, queue: Queue, *, again: bool = False
) -> pd.DataFrame:
    """Have each clip analysed by each configuration, and wait for it with a progress bar.

    Interrupted, it gives what there is by then; called once more, it takes up the jobs that still wait or are in work.

    Args:
        clips: names in the shared volume.
        wanted: the configurations.
        video_dir: the shared volume.
        queue: the queue of clips.
        again: do all of it anew, whatever is in the log.

    Returns:
        As :func:`find_runs`; `state` is also ``new``, ``waiting`` or ``failed``, the latter with its `reason`.

    Raises:
        SettingError, QueueUnavailable: Redis does not take the password, or is not there.
    """
    before = find_runs(clips, wanted, video_dir)
    todo = before[before["state"].eq("to do") | (again & before["state"].eq("there"))]
    jobs: dict[tuple[str, str], Job] = {}
    if len(todo):
        under_way = {} if again else under_way_of(queue)
        for one in wanted:
            names = todo.loc[todo["configuration"] == one.name, "clip"].tolist()
            taken = {name: under_way[name, one.options] for name in names if (name, one.options) in under_way}
            fresh = [name for name in names if name not in taken]
            submitted = submit_many(fresh, queue=queue, video_dir=video_dir, **asdict(one.options)) if fresh else []
            taken.update(zip(fresh, submitted, strict=True))
            jobs |= {(name, one.name): taken[name] for name in names}
    states = dict(zip(jobs, watch(jobs.values()), strict=True))
    after = find_runs(clips, wanted, video_dir)
    after["reason"] = None
    for number, key in enumerate(zip(after["clip"], after["configuration"], strict=True)):
        job = states.get(key)
        if job is None:
            continue
        state = {"done": "new", "failed": "failed", "lost": "failed"}.get(job.state, "waiting")
        after.loc[number, "state"] = state
        after.loc[number, "reason"] = job.error
    return after


def under_way_of(queue: Queue) -> dict[tuple[str, Options], Job]:
    """Return the jobs that wait or are in work, by clip and options, as far as they name all of them."""
    found: dict[tuple[str, Options], Job] = {}
    for job in open_jobs(queue=queue):
        call = call_of(job)
        if call is None or call[0] != PROCESS_CLIP:
            continue
        try:
            filename, options = call[1]["filename"], call[1]["options"]
            if options.keys() >= OPTIONS:
                found[filename, replace_options(Options(), options)] = job
        except (JobRefused, KeyError, TypeError, AttributeError):  # not one of ours
            continue
    return found


def summary(runs: pd.DataFrame) -> str:
    """Return what a batch came to, in a line for people; failures with their reasons, each on one more line."""
    words = {
        "there": "in the log already",
        "new": "done now",
        "failed": "failed",
        "waiting": "still wait",
        "to do": "not done",
        "no such clip": "of clips that are not in VIDEO_DIR",
    }
    counts = runs["state"].value_counts()
    lines = [f"{len(runs)} runs: " + ", ".join(f"{counts[key]} {text}" for key, text in words.items() if key in counts)]
    failed = runs[runs["state"] == "failed"]
    for reason, part in failed.groupby("reason", dropna=False, sort=False):
        names, clips = part["configuration"].unique(), part["clip"].unique()
        # the shorter list tells more: one clip that is broken, or one model that cannot be read
        lines.append(f"{len(part)} failed ({_some(list(clips if len(clips) <= len(names) else names))}): {reason}")
    missing = runs.loc[runs["state"] == "no such clip", "clip"].unique()
    if len(missing):
        lines.append(f"not there (any more): {_some(list(missing))}")
    return "\n".join(lines)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:SOME]) + (" …" if len(names) > SOME else "")
