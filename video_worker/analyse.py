"""``python -m video_worker analyse``: clips without queue or log."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TextIO

from tqdm import tqdm

from shared_utils.errors import ClipError, ClipMissing
from shared_utils.schemas import Options, Record, to_line
from video_worker import record as records
from video_worker.analysis import Analyst, Task


def analyse_files(
    files: Sequence[Path],
    analyst: Analyst,
    options: Options,
    now: Callable[[], datetime],
    *,
    out: TextIO,
    err: TextIO,
) -> int:
    """Write each file's record to `out`, one JSON line each, and errors to `err`; return how many failed."""
    failures = 0
    for path in files:
        asked = now()
        names = records.RunNames(path.name, records.make_run_id(asked, str(path)), None)
        try:
            record = _analyse(Task(path, names, options, own_classes=False), analyst, err)
        except (ClipError, ClipMissing, OSError) as error:
            failures += 1
            print(f"video_worker: {path}: {error}", file=err)  # a program's output
            record = records.failure(names, str(error), now())
        print(to_line(record), file=out, flush=True)
    return failures


def _analyse(task: Task, analyst: Analyst, err: TextIO) -> Record:
    # disable=None: no bar where nobody watches
    with tqdm(desc=task.path.name, unit="frame", file=err, disable=None if err.isatty() else True, leave=False) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        return analyst.analyse(task, progress, lambda: False)
