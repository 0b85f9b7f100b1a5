"""``python -m video_worker analyse``: analyses files without queue or log."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TextIO

from tqdm import tqdm

from shared_utils.contracts.clips import printable_path
from shared_utils.contracts.job_options import Options
from shared_utils.contracts.json_lines import to_line
from shared_utils.contracts.record import Record
from shared_utils.errors import VcamError
from video_worker import messages
from video_worker.pipeline import record as records
from video_worker.pipeline.analysis import Analyst, Task
from video_worker.pipeline.run_names import RunNames, make_run_id

log = logging.getLogger(__name__)


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
        # bytes that are not UTF-8 are escaped, as JSON cannot hold them
        filename = path.name.encode("utf-8", "backslashreplace").decode()
        names = RunNames(filename, make_run_id(asked, printable_path(path)), None)
        try:
            record = _analyse(path, names, options, analyst, err)
        except Exception as error:  # one bad file does not end the others
            failures += 1
            reason = str(error) if isinstance(error, VcamError | OSError) else f"{type(error).__name__}: {error}"
            if not isinstance(error, VcamError | OSError):
                log.exception(messages.ANALYSIS_CRASHED, names.filename)
            print(f"video_worker: {printable_path(path)}: {reason}", file=err)  # a program's output
            record = records.failure(names, reason, now())
        print(to_line(record), file=out, flush=True)
    return failures


def _analyse(path: Path, names: RunNames, options: Options, analyst: Analyst, err: TextIO) -> Record:
    # absolute, as FFmpeg takes the beginning of a bare name such as 12:30:00.mp4 for a protocol (ffmpeg-protocols)
    task = Task(path.absolute(), names, options, own_classes=False)
    # disable=None: no bar unless `err` is a terminal
    with tqdm(desc=task.path.name, unit="frame", file=err, disable=None if err.isatty() else True, leave=False) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        return analyst.analyse(task, progress, lambda: False)
