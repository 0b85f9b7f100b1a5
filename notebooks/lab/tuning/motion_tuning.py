"""Motion settings tried on clips: what each records, misses and costs, by capture's own code (replay)."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from notebooks.lab.data.results import iter_boxes
from shared_utils.config.cameras import MotionSettings
from shared_utils.contracts.clips import list_clips
from shared_utils.errors import ClipMissing, SourceError
from vcam_worker.recording.clip_logic import ClipRules
from vcam_worker.replay import AnalysedFrame, ReplayedClip, Trace, opened, rejudge, trace
from vcam_worker.replay_zones import ignored_in

SHORT = ClipRules(clip_seconds=5.0, pre_roll_seconds=1.0)
"""Clips for tuning: as short as moments, so that each must trigger by itself. One clip of 30 s would hide what motion
detection missed during it."""
TOLERANCE_S = 0.5
"""Error of a moment's times: they were read by eye, or at 5 frames per second."""
MIN_MOVE = 0.25
"""Distance of an object's centre within :data:`MOVE_PERIOD_S`, in sizes of the object, from which it moved: more than a
detector's boxes tremble, less than a step."""
MOVE_PERIOD_S = 1.0
MAX_PAUSE_S = 1.0
"""Seconds without movement within one moment."""

MOMENTS = ["filename", "start_s", "end_s", "what"]


@dataclass(frozen=True)
class Footage:
    """Files to try settings on.

    Attributes:
        paths: those that can be read.
        notes: a line for each that cannot.
    """

    paths: tuple[Path, ...]
    notes: tuple[str, ...] = ()


def footage(files: Sequence[str | Path] | None, video_dir: Path, newest: int) -> Footage:
    """Return files to try settings on.

    Args:
        files: names in the shared volume, or paths of any video; None for the newest clips.
        video_dir: the shared volume.
        newest: number of clips that are taken where `files` is None.

    Raises:
        ClipMissing: none can be read.
    """
    wanted = [video_dir / file for file in files] if files is not None else list_clips(video_dir)[::-1]
    paths: list[Path] = []
    notes = []
    for path in wanted:
        if files is None and len(paths) == newest:
            break
        try:
            opened(path).close()
            paths.append(path)
        except SourceError as error:
            reason = str(error).removeprefix("FILE: ").replace(str(path), path.name)
            notes.append(reason if path.is_file() else f"{path.name} is not there")
    if not paths:
        raise ClipMissing("; ".join(["there is no file to try settings on", *notes]))
    return Footage(tuple(sorted(paths) if files is None else paths), tuple(notes))


def moments(listed: Mapping[str, Sequence[tuple[float, float]]]) -> pd.DataFrame:
    """Return moments that somebody listed: one row each, `filename`, `start_s`, `end_s`, `what`."""
    rows = [(name, float(start), float(end), "listed") for name, times in listed.items() for start, end in times]
    return pd.DataFrame(rows, columns=MOMENTS)


def moments_of_runs(runs: pd.DataFrame, video_dir: Path) -> pd.DataFrame:
    """Return when something moved by what the detector saw: tracks whose boxes, of the run's classes, went somewhere.

    Args:
        runs: rows of the log: one run per clip.
        video_dir: the shared volume.

    Returns:
        A row per moment: `filename`, `start_s`, `end_s`, `what` (the labels). Clips without a boxes file have none.
    """
    options = runs.set_index("run_id")
    rows: list[tuple[str, float, float, str]] = []
    for boxes in iter_boxes(runs, video_dir):
        if boxes.empty:
            continue
        run = options.loc[boxes["run_id"].iloc[0]]
        counts = (boxes["conf"] >= run["conf"]) & boxes["track"].notna()
        if run["classes"]:
            counts &= boxes["label"].isin(run["classes"])
        strong = boxes[counts]
        spans = [
            (start, end, label)
            for label, track in ((_name(part), part) for _, part in strong.groupby("track", observed=True))
            if track["frame"].nunique() >= run["min_hits"]
            for start, end in spans_moved(track)
        ]
        rows += [(run["filename"], *span) for span in join_spans(spans)]
    return pd.DataFrame(rows, columns=MOMENTS)


def _name(track: pd.DataFrame) -> str:
    """Return the best supported label of a track: by summed scores."""
    return str(track.groupby("label", observed=True)["conf"].sum().idxmax())


def spans_moved(track: pd.DataFrame) -> list[tuple[float, float]]:
    """Return the times between which a track's boxes, in the order of time, moved."""
    times = track["t"].to_numpy(np.float64)
    corners = track[["x1", "y1", "x2", "y2"]].to_numpy(np.float64)
    centres = (corners[:, :2] + corners[:, 2:]) / 2
    lengths = np.sqrt(np.maximum((corners[:, 2:] - corners[:, :2]).prod(axis=1), 1.0))
    before = np.searchsorted(times, times - MOVE_PERIOD_S - 1e-6)
    moved = np.linalg.norm(centres - centres[before], axis=1) / lengths
    return [(float(times[before[at]]), float(times[at])) for at in np.flatnonzero(moved >= MIN_MOVE)]


def join_spans(spans: Iterable[tuple[float, float, str]]) -> list[tuple[float, float, str]]:
    """Join spans (start, end, label) that overlap or lie at most PAUSE apart; return them in the order of time."""
    found: list[tuple[float, float, set[str]]] = []
    for start, end, label in sorted(spans):
        if found and start <= found[-1][1] + MAX_PAUSE_S:
            first, last, labels = found[-1]
            found[-1] = (first, max(last, end), labels | {label})
        else:
            found.append((start, end, {label}))
    return [(start, end, ", ".join(sorted(labels))) for start, end, labels in found]


def grid(
    min_area: Sequence[float] = (MotionSettings.min_area,),
    fps: Sequence[float] = (MotionSettings.fps,),
    decode: Sequence[str] = (MotionSettings.decode,),
) -> list[MotionSettings]:
    """Return every combination."""
    return [MotionSettings(*one) for one in itertools.product(fps, min_area, decode)]


def name_of(motion: MotionSettings) -> str:
    """Return settings for people, such as ``0.5 %, 5 fps`` or ``0.5 %, keyframes``."""
    # all keyframes are analysed, as long as there are no more of them than `fps`
    how = "keyframes" if motion.decode == "keyframes" else f"{motion.fps:g} fps"
    return f"{100 * motion.min_area:.3g} %, {how}"


def env_lines(motion: MotionSettings) -> str:
    """Return settings as lines for ``.env``."""
    return f"MOTION_MIN_AREA={motion.min_area:g}\nMOTION_FPS={motion.fps:g}\nMOTION_DECODE={motion.decode}"


def toml_lines(motion: MotionSettings) -> str:
    """Return settings as lines for a camera's table in the file that ``CAMERAS_FILE`` names."""
    return f'motion_min_area = {motion.min_area:g}\nmotion_fps = {motion.fps:g}\nmotion_decode = "{motion.decode}"'


def is_caught(start_s: float, end_s: float, clips: Iterable[ReplayedClip]) -> bool:
    """Return whether a clip contains a moment from its beginning on."""
    begin = min(start_s + TOLERANCE_S, end_s)
    return any(clip.start_s <= begin and clip.end_s > start_s for clip in clips)


def is_false(clip: ReplayedClip, moments_there: pd.DataFrame) -> bool:
    """Return whether nothing known moved from a clip's trigger on."""
    overlap = (moments_there["start_s"] - TOLERANCE_S <= clip.end_s) & (
        moments_there["end_s"] + TOLERANCE_S >= clip.trigger_s
    )
    return not bool(overlap.any())


@dataclass(frozen=True)
class Tried:
    """The result of settings.

    Attributes:
        motion: the settings.
        clips: what was recorded, by file.
        caught: of each moment, in their order, whether it was.
        false_clips: clips in which nothing known moved.
        analysed: number of analysed frames.
        footage_s, cpu_s: seconds of footage, and of processor time.
    """

    motion: MotionSettings
    clips: Mapping[str, tuple[ReplayedClip, ...]]
    caught: tuple[bool, ...]
    false_clips: int
    analysed: int
    footage_s: float
    cpu_s: float

    @property
    def recall(self) -> float:
        """Share of the moments that were caught; NaN without moments."""
        return sum(self.caught) / len(self.caught) if self.caught else float("nan")

    @property
    def recorded_s(self) -> float:
        """Seconds in clips."""
        return sum(clip.end_s - clip.start_s for clips in self.clips.values() for clip in clips)


def try_settings(
    paths: Sequence[Path],
    settings: Sequence[MotionSettings],
    wanted: pd.DataFrame,
    rules: ClipRules = SHORT,
    progress: Callable[[Iterable[Any]], Iterable[Any]] = iter,
) -> list[Tried]:
    """Replay each file with each of the settings.

    Args:
        paths: the files.
        settings: what to try.
        wanted: the moments that ought to be caught; see :func:`moments`.
        rules: lengths of clips.
        progress: wraps the iteration, such as ``tqdm``.

    Raises:
        SourceError: a file cannot be read as video.
    """
    tasks = [(motion, path) for motion in settings for path in paths]
    found: dict[MotionSettings, list[Trace]] = {motion: [] for motion in settings}
    for motion, path in progress(tasks):
        seen = trace(path, motion, rules, ignored_in(path))
        # without the masks, which are large for many files
        found[motion].append(
            replace(seen, frames=tuple(replace(frame, shape=(0, 0), bits=b"") for frame in seen.frames))
        )
    wanted = wanted[wanted["filename"].isin([path.name for path in paths])]
    return [_tried(motion, traces, wanted) for motion, traces in found.items()]


def _tried(motion: MotionSettings, traces: Sequence[Trace], wanted: pd.DataFrame) -> Tried:
    clips = {seen.path.name: seen.clips for seen in traces}
    caught = [is_caught(row["start_s"], row["end_s"], clips[row["filename"]]) for row in wanted.to_dict("records")]
    false_clips = sum(
        is_false(clip, wanted[wanted["filename"] == name]) for name, found in clips.items() for clip in found
    )
    return Tried(
        motion,
        clips,
        tuple(caught),
        false_clips,
        sum(len(seen.frames) for seen in traces),
        sum(seen.end_s for seen in traces),
        sum(seen.cpu_s for seen in traces),
    )


def table(tried: Sequence[Tried]) -> pd.DataFrame:
    """Return the results of settings, one row each, the best first; see :func:`best`.

    Returns:
        Index: their names. `caught`, `of`, `recall`; `clips`, `false_clips`; `recorded_s`, in all; `analysed`, frames;
        `cpu_ms`: milliseconds of processor time per second of footage, including reading, and writing the clips.
    """
    rows = {
        name_of(one.motion): {
            "caught": sum(one.caught),
            "of": len(one.caught),
            "recall": one.recall,
            "clips": sum(map(len, one.clips.values())),
            "false_clips": one.false_clips,
            "recorded_s": one.recorded_s,
            "analysed": one.analysed,
            "cpu_ms": 1000 * one.cpu_s / one.footage_s if one.footage_s else float("nan"),
        }
        for one in sorted(tried, key=_order)
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("setting")


def _order(one: Tried) -> tuple[float, float, float, float]:
    # of equally good settings the cheapest, then the most sensitive: what is missed is lost
    return (-sum(one.caught), one.false_clips, one.analysed, one.motion.min_area)


def best(tried: Sequence[Tried]) -> Tried:
    """Return the settings that miss least; of those the ones with fewest false clips, then with least to decode."""
    return min(tried, key=_order)


@dataclass(frozen=True)
class At:
    """What a threshold gives on a traced file.

    Attributes:
        min_area: the threshold.
        clips: what is recorded.
        frames: the analysed frames; whether they move is by the threshold they were traced with.
        replayed: why the file was replayed for it; empty where the trace was exact.
    """

    min_area: float
    clips: tuple[ReplayedClip, ...]
    frames: tuple[AnalysedFrame, ...]
    replayed: str = ""

    def moves(self, frame: AnalysedFrame) -> bool:
        """Return whether a frame counts as motion at this threshold."""
        return frame.moving and frame.share >= self.min_area


def at_threshold(traced: Trace, min_area: float) -> At:
    """Return what another threshold records: from the trace where that is exact, else by a replay.

    The trace is exact as long as the same frames are analysed: while a clip is open, only keyframes are. See
    :func:`vcam_worker.replay.rejudge`. Below the trace's own threshold it has nothing to go by.
    """
    if min_area < traced.motion.min_area:
        why = f"traced from {100 * traced.motion.min_area:.3g} % up"
    else:
        result = rejudge(traced, min_area)
        if result.exact_until_s is None:
            return At(min_area, result.clips, traced.frames)
        why = f"from {result.exact_until_s:.1f} s on other frames are analysed"
    motion = replace(traced.motion, min_area=min_area)
    again = trace(traced.path, motion, traced.rules, traced.ignored)
    return At(min_area, again.clips, again.frames, why)
