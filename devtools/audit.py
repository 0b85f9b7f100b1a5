"""Audits a shared volume: what must hold, whatever has happened to the pipeline that writes to it."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import av
import av.logging

from devtools.log_lines import line_of
from shared_utils.contracts.boxes import boxes_path
from shared_utils.contracts.clips import list_clips, parse_clip_name
from shared_utils.contracts.detections_log import log_path
from shared_utils.queue.jobs import clip_job_id
from vcam_worker import messages

STARTED_AT_KEY = "vcam_started_at"
SEAM_S = 0.4
"""Two clips that follow each other may miss each other by so much and still count as one piece of footage: the start
of each is dated by the arrival of its packets."""

_SAVED = [
    re.compile(line_of(message, r"\S+"))
    for message in (messages.CLIP_SAVED, messages.CLIP_RECOVERED, messages.CLIP_PUBLISHED_LATE)
]


@dataclass(frozen=True)
class Footage:
    """What one clip holds, found by decoding all of it. Times in seconds since the epoch."""

    start: float
    end: float
    frames: int
    fault: str | None = None


@dataclass(frozen=True)
class Audit:
    """The outcome: how many clips and lines were checked, and what is wrong, one line per fault."""

    clips: int
    lines: int
    failed: int
    findings: list[str] = field(default_factory=list)


class Auditor:
    """Audits one volume again and again; a clip is decoded once.

    Args:
        video_dir: the volume.
    """

    def __init__(self, video_dir: Path) -> None:
        self.video_dir = video_dir
        self._known: dict[tuple[str, int], Footage] = {}

    def clips(self) -> list[str]:
        """Return the names of the clips on the volume, oldest first."""
        return [path.name for path in list_clips(self.video_dir)]

    def lines(self) -> list[dict[str, Any] | str]:
        """Return the log's lines: records, and as text whatever is none."""
        path = log_path(self.video_dir)
        if not path.exists():
            return []
        whole = path.read_bytes().decode(errors="replace")
        return [_parsed(line) for line in whole.split("\n")[:-1]]

    def records(self) -> list[dict[str, Any]]:
        """Return the log's records."""
        return [line for line in self.lines() if isinstance(line, dict)]

    def analysed(self, names: Collection[str], jobs: Collection[str] = ()) -> bool:
        """Whether every clip of `names` has the line of its first job, and every one of `jobs` has its line."""
        done = {record.get("job_id") for record in self.records()}
        return {clip_job_id(name) for name in names} | set(jobs) <= done

    def footage(self, name: str) -> Footage:
        """Return what a clip holds."""
        path = self.video_dir / name
        key = (name, path.stat().st_mtime_ns)
        if key not in self._known:
            self._known[key] = decode(path)
        return self._known[key]

    def audit(self, names: Collection[str], saved: Iterable[str], jobs: Collection[str] = ()) -> Audit:
        """Look at everything that the volume promises.

        Args:
            names: clips that must have their line by now.
            saved: lines of capture's log, which name every clip it has saved.
            jobs: ids of further jobs that were submitted.
        """
        findings = []
        lines = self.lines()
        records = [line for line in lines if isinstance(line, dict)]
        findings += [f"no JSON object in the log: {line[:80]!r}" for line in lines if isinstance(line, str)]
        runs = Counter((str(record["filename"]), str(record["run_id"])) for record in records)
        findings += [f"{count} lines of one run: {name} {run}" for (name, run), count in runs.items() if count > 1]
        firsts = Counter(str(record.get("job_id")) for record in records)
        wanted = {clip_job_id(name): name for name in names} | {job: job for job in jobs}
        findings += [f"no line: {name}" for job, name in wanted.items() if not firsts[job]]
        findings += [f"{firsts[job]} lines: {name}" for job, name in wanted.items() if firsts[job] > 1]
        there = set(self.clips())
        reported = [match[1] for line in saved for pattern in _SAVED if (match := pattern.search(line))]
        findings += [f"saved, says capture, but not on the volume: {name}" for name in reported if name not in there]
        findings += [f"saved twice, says capture: {name}" for name, count in Counter(reported).items() if count > 1]
        for name in sorted(there):
            fault = self.footage(name).fault
            if fault:
                findings.append(f"not playable: {name}: {fault}")
        for record in records:
            boxes = boxes_path(self.video_dir, record["filename"], record["run_id"])
            if record["ok"] and not boxes.is_file():
                findings.append(f"no boxes file: {boxes.name}")
        failed = sum(not record["ok"] for record in records)
        return Audit(len(names), len(records), failed, findings)

    def reaches(self, camera: str, moment: float) -> bool:
        """Whether a clip of the camera ends after `moment`."""
        names = [name for name in self.clips() if _camera(name) == camera]
        return bool(names) and self.footage(names[-1]).end > moment

    def gaps(self, camera: str) -> list[tuple[float, float]]:
        """Return what of a camera's time no clip covers, between its first and its last clip: (start, end) of each.

        Only of a camera in front of which something always moves does that say that something was lost.
        """
        found = [self.footage(name) for name in self.clips() if _camera(name) == camera]
        spans = sorted((one.start, one.end) for one in found if not one.fault)
        gaps = []
        until = spans[0][1] if spans else 0.0
        for start, end in spans:
            if start - until > SEAM_S:
                gaps.append((until, start))
            until = max(until, end)
        return gaps

    def lost(self, camera: str, since: float) -> float:
        """Return the seconds after `since` of a camera's time that no clip covers."""
        return sum(end - max(start, since) for start, end in self.gaps(camera) if end > since)


def decode(path: Path) -> Footage:
    """Decode every frame of a clip. What the decoder has only complained of, since it patches up what is damaged, is a
    fault too."""
    level = av.logging.get_level()
    av.logging.set_level(av.logging.ERROR)
    try:
        with av.logging.Capture() as complaints:
            found = _decode(path)
    finally:
        av.logging.set_level(level)
    if complaints and not found.fault:
        return replace(found, fault=complaints[0][2].strip())
    return found


def _decode(path: Path) -> Footage:
    frames = packets = 0
    begin = end = 0.0
    try:
        with av.open(str(path)) as clip:
            stream = clip.streams.video[0]
            stream.codec_context.thread_count = 1  # complaints of other threads would not be captured
            begin = datetime.fromisoformat(clip.metadata[STARTED_AT_KEY]).timestamp()
            for packet in clip.demux(stream):
                packets += packet.size > 0
                for frame in packet.decode():
                    frames += 1
                    end = max(end, float(frame.time or 0.0) + float((packet.duration or 0) * (packet.time_base or 0)))
    except (av.FFmpegError, KeyError, IndexError, OSError) as error:
        return Footage(begin, begin + end, frames, f"{type(error).__name__}: {error}")
    if not frames or frames != packets:
        return Footage(begin, begin + end, frames, f"{frames} of {packets} frames decode")
    return Footage(begin, begin + end, frames)


def _camera(name: str) -> str:
    clip = parse_clip_name(name)
    return clip.camera if clip else ""


def _parsed(line: str) -> dict[str, Any] | str:
    try:
        record = json.loads(line)
    except ValueError:
        return line
    return record if isinstance(record, dict) else line
