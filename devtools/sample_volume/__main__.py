"""Make a sample volume: ``python -m devtools.sample_volume DIR``."""

from __future__ import annotations

import argparse
import logging
import sys
from datetime import datetime
from pathlib import Path

from devtools.sample_volume.plan import LABELLED, Plan
from devtools.sample_volume.volume import make_volume
from shared_utils.cli import run_program
from shared_utils.errors import EXIT_OK, SettingError


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m devtools.sample_volume", description="Make a video folder as after a week of the demo."
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="where to make it: a new or empty folder")
    parser.add_argument("--days", type=float, help="how far back it reaches (7)")
    parser.add_argument("--clips", type=int, help="about how many clips (24)")
    parser.add_argument("--seed", type=int, default=1, help="another street, other visits (%(default)s)")
    parser.add_argument("--end", type=datetime.fromisoformat, metavar="TIME", help="2026-02-23T18:00 (now)")
    parser.add_argument("--labelled", type=int, help=f"clips that have labels, at most ({LABELLED})")
    parser.add_argument("--small", action="store_true", help="3 days, 6 clips, 2 of them with labels: for tests")
    arguments = parser.parse_args()
    days, clips, labelled = (3.0, 6, 2) if arguments.small else (7.0, 24, LABELLED)
    days = days if arguments.days is None else arguments.days
    clips = clips if arguments.clips is None else arguments.clips
    labelled = labelled if arguments.labelled is None else arguments.labelled
    if not 0.5 <= days <= 365:
        raise SettingError(f"--days is {days:g}: give 0.5 to 365")
    if not 2 <= clips <= 1000:
        raise SettingError(f"--clips is {clips}: give 2 to 1000")
    if labelled < 0:
        raise SettingError(f"--labelled is {labelled}: give 0 or more")
    # the broken clip's failure is meant
    logging.getLogger("video_worker").setLevel(logging.CRITICAL)
    folder: Path = arguments.folder
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise SettingError(f"{folder} is not empty: give a new folder")
    end = (arguments.end or datetime.now().replace(second=0, microsecond=0)).astimezone()
    make_volume(folder, Plan(end, days, clips, arguments.seed, labelled), print)
    print(f"ready: {folder}")
    return EXIT_OK


if __name__ == "__main__":
    sys.exit(run_program("devtools.sample_volume", main))
