"""How much memory a camera's process has, and how much it may have. Linux only; elsewhere nothing is known or bounded.

Two bounds: the supervisor looks a few times per second and ends a process that has too much, which it can then say. A
limit of the process itself holds in between, for what grows faster.
"""

from __future__ import annotations

import os
import resource
from contextlib import suppress
from pathlib import Path

MIB = 1024 * 1024
_PAGE = resource.getpagesize()
_SLACK_BYTES = 192 * MIB
"""What the kernel counts as data and is never touched: threads' stacks, the allocator's reserves."""
OOM_SCORE = 500
"""Added to a camera's process when the kernel itself runs out of memory: it is to take one of these, and never the
supervisor, whose end would be that of all."""


def taken(pid: int) -> int | None:
    """Return the bytes of memory that are a process's own, without files that it shares; None where not known."""
    try:
        fields = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()
    except OSError:
        return None
    return (int(fields[1]) - int(fields[2])) * _PAGE if len(fields) > 2 else None


def bound_own(limit: int) -> None:
    """Bound this process.

    Args:
        limit: bytes that it may take of its own; 0 sets no bound.
    """
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(str(OOM_SCORE), encoding="ascii")
    reserved, own = _reserved(), taken(os.getpid())
    if not limit or reserved is None or own is None:
        return
    wanted = reserved - own + limit + _SLACK_BYTES
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (wanted, hard))


def _reserved() -> int | None:
    """Return the bytes that count towards the limit by now, touched or not."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmData:")), None)
