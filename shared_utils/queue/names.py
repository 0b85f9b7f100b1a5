"""Job ids for clips of any name. RQ accepts ASCII letters, digits, ``_`` and ``-``."""

from __future__ import annotations

import hashlib
import re
import uuid
from pathlib import PurePath

from shared_utils.contracts.clips import CLIP_SUFFIX

FIRST_JOB = "clip-"
"""Prefix of the id of a clip's first job, which leaves all options to the worker."""
FURTHER_JOB = "run-"
MAX_ID = 512
"""Longest id: ours have at most 200 characters; foreign entries must not fill the log."""
MAX_SLUG = 80
"""Characters of a name in an id derived from it."""

_ID = re.compile(r"[A-Za-z0-9_-]+")
_OTHERS = re.compile(r"[^A-Za-z0-9_-]+")


def is_job_id(text: str) -> bool:
    """Return whether `text` is a valid job id for RQ and for us."""
    return len(text) <= MAX_ID and _ID.fullmatch(text) is not None


def clip_job_id(filename: str) -> str:
    """Return the id of a clip's first job.

    It is ``clip-<stem>`` for an MP4 whose stem RQ accepts. Any other name gives an id derived from it, always the
    same: the characters of the stem that RQ accepts, and a hash of the whole name.
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
