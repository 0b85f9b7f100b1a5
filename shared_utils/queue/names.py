"""Ids of jobs, for clips of any name. RQ takes letters of ASCII, digits, ``_`` and ``-``."""

from __future__ import annotations

import hashlib
import re
import uuid
from pathlib import PurePath

from shared_utils.contracts.clips import CLIP_SUFFIX

FIRST_JOB = "clip-"
"""Begins the id of a clip's first job, which leaves all options to the worker."""
FURTHER_JOB = "run-"
MAX_ID = 512
"""Letters of an id: ours have at most 200, and whoever else fills the queue is not to fill the log."""
MAX_SLUG = 80
"""Letters of a name in an id that is derived from it."""

_ID = re.compile(r"[A-Za-z0-9_-]+")
_OTHERS = re.compile(r"[^A-Za-z0-9_-]+")


def is_job_id(text: str) -> bool:
    """Tell whether RQ and we take `text` for the id of a job."""
    return len(text) <= MAX_ID and _ID.fullmatch(text) is not None


def clip_job_id(filename: str) -> str:
    """Return the id of a clip's first job.

    It is ``clip-<stem>`` for an MP4 whose stem RQ takes. Any other name gives an id derived from it, always the same:
    what RQ takes of the stem, and a hash of the whole name.
    """
    name = PurePath(filename)
    if name.suffix == CLIP_SUFFIX and is_job_id(FIRST_JOB + name.stem):
        return f"{FIRST_JOB}{name.stem}"
    digest = hashlib.sha256(filename.encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return f"{FIRST_JOB}{_slug(name.stem)}-{digest}"


def further_job_id(filename: str) -> str:
    """Return a new id for a further run over a clip."""
    return f"{FURTHER_JOB}{_slug(PurePath(filename).stem)}-{uuid.uuid4().hex[:8]}"


def _slug(stem: str) -> str:
    return _OTHERS.sub("-", stem).strip("-")[:MAX_SLUG] or "x"
