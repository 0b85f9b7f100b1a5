"""A record: one line of ``detections_log.jsonl``, for one analysis of one clip.

This module declares its fields; writers and readers are checked against it.
"""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict

SCHEMA = 2
"""Version of a record. Lines of schema 1, or without one, count hits over the whole clip; 2 counts them per track."""


class ObjectEntry(TypedDict):
    """The tracks of a clip that have one label: in how many sampled frames, and when, in seconds from the first frame.

    `also`: other labels that the model gave these tracks, with the number of sampled frames.
    """

    label: str
    tracks: int
    hits: int
    max_conf: float
    first_s: float
    last_s: float
    also: NotRequired[dict[str, int]]


class SizeEntry(TypedDict):
    """The size of the clip's frames from a time on; boxes are in pixels of the clip's first size all the same."""

    at_s: float
    width: int
    height: int


class ClipEntry(TypedDict):
    """The clip that was analysed. Boxes are in pixels of its width and height, which are those of frames as displayed.

    `sizes`: of a clip whose size changes; `notes`: what is unusual about the file, and what of it was not analysed.
    """

    sha256: str
    started_at: str | None
    duration_s: float
    frames: int
    width: int
    height: int
    sizes: NotRequired[list[SizeEntry]]
    notes: NotRequired[list[str]]


class ModelEntry(TypedDict):
    """The model that analysed it, and its thresholds.

    `imgsz`: longest side of the model's input, whatever was asked for; `device`: what it ran on; `input`: width and
    height that a model of fixed size takes.
    """

    name: str
    sha256: str
    engine: str
    conf: float
    imgsz: int
    fps: float
    device: NotRequired[str]
    input: NotRequired[list[int]]


class ZoneEntry(TypedDict):
    """What happened in a zone of the clip.

    `entered`, `left`: objects by label; `crossed`: objects by label and direction (``left``, ``right``) of a line;
    `dwell_s`: seconds of all stays together; `readings`: readings that gave a value; `unreadable`: those that gave
    none, where the zone is read; `items`: items that passed, by name.
    """

    entered: dict[str, int]
    left: dict[str, int]
    crossed: dict[str, dict[str, int]]
    dwell_s: float
    readings: int
    items: dict[str, int]
    unreadable: NotRequired[int]


class SetupEntry(TypedDict):
    """What the result depends on beside clip, model and options: SHA-256 of the file of zones."""

    zones_sha256: NotRequired[str]


class TimingEntry(TypedDict):
    """Seconds spent. `queued_s` is None where no queue was used."""

    queued_s: float | None
    decode_s: float
    infer_s: float
    total_s: float


class Record(TypedDict):
    """A line of the log. Failures have ``error`` and lack what is not known."""

    ok: bool
    filename: str
    timestamp: str
    schema: int
    detected: NotRequired[list[str]]
    count: NotRequired[int]
    error: NotRequired[str]
    camera: NotRequired[str | None]
    run_id: NotRequired[str]
    job_id: NotRequired[str | None]
    objects: NotRequired[list[ObjectEntry]]
    zones: NotRequired[dict[str, ZoneEntry]]
    clip: NotRequired[ClipEntry]
    model: NotRequired[ModelEntry]
    setup: NotRequired[SetupEntry]
    timing: NotRequired[TimingEntry]
    options: NotRequired[dict[str, Any]]
    versions: NotRequired[dict[str, str]]
    sampled_frames: NotRequired[int]
    cuts: NotRequired[list[float]]
