"""Measures and bounds the memory of a camera's process. Linux only; elsewhere there is no bound.

Two bounds: the supervisor checks a few times per second and ends a process that takes too much, and can log why. A
limit of the process itself (RLIMIT_DATA) holds in between, for what grows faster.
"""

from __future__ import annotations

import os
import resource
from contextlib import suppress
from pathlib import Path

MIB = 1024 * 1024
_PAGE = resource.getpagesize()
_SLACK_BYTES = 192 * MIB
"""Memory that the kernel counts as data and that is never touched: stacks of threads, reserves of the allocator."""
OOM_SCORE = 500
"""oom_score_adj of a camera's process (proc(5)): when the kernel runs out of memory, it must kill one of these, and not
the supervisor, whose end would end all."""


def taken(pid: int) -> int | None:
    """Return the bytes of a process's own memory, without shared files; None where unknown."""
    try:
        fields = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()
    except OSError:
        return None
    return (int(fields[1]) - int(fields[2])) * _PAGE if len(fields) > 2 else None


def bound_own(limit: int) -> None:
    """Bound the memory of this process.

    Args:
        limit: most bytes of its own memory; 0 sets no bound.
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
    """Return the bytes that count towards the limit now, touched or not."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmData:")), None)
