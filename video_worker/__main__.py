"""Command line of the worker: ``python -m video_worker``, ``… live``, ``… analyse``, ``… read``, ``… export``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from shared_utils.cli import run_program

PROGRAM = "video_worker"


def main(arguments: Sequence[str] | None = None, environment: Mapping[str, str] | None = None) -> int:
    """Run the program and return its exit code."""
    parsed = _parser().parse_args(arguments)
    # each command imports what it needs: the environment that exports weights has ultralytics, but no queue or engine
    if parsed.command == "export":
        from video_worker.export import export

        return run_program(PROGRAM, lambda: export(parsed.weights, parsed.out))
    from shared_utils.config.env_file import with_env_file

    def run() -> int:
        values = with_env_file(os.environ) if environment is None else environment
        if parsed.command == "read":
            from video_worker.readers.read_command import Wanted, read

            wanted = Wanted(parsed.corners, parsed.engine, parsed.mode, parsed.pattern)
            return read(parsed.files, wanted, values, sys.stdout, sys.stderr)
        if parsed.command == "live":
            from video_worker.live.program import live

            return live(values)
        from video_worker.program import analyse, work

        return analyse(parsed.files, values, parsed.zones) if parsed.command == "analyse" else work(values)

    return run_program(PROGRAM, run)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python -m {PROGRAM}",
        description="Analyse clips with a YOLO model. Without a command: take them from the queue, until stopped. "
        "Settings come from the environment and from .env in this folder, see .env.example.",
    )
    commands = parser.add_subparsers(dest="command", metavar="{live,analyse,read,export}")
    commands.add_parser("live", help="analyse live frames of capture's cameras, until stopped")
    analyse = commands.add_parser("analyse", help="analyse files without queue or log; one JSON line per file")
    analyse.add_argument("files", nargs="+", type=Path, metavar="FILE")
    analyse.add_argument(
        "--zones",
        type=Path,
        metavar="ZONES.json",
        help="zones for all files; without it, those of the camera in a file's name, from zones/ in VIDEO_DIR",
    )
    read = commands.add_parser("read", help="read still pictures, to try an engine; one JSON line per picture")
    read.add_argument("files", nargs="+", type=Path, metavar="PICTURE")
    read.add_argument(
        "--corners",
        nargs=4,
        default=(),
        metavar="X,Y",
        help="the text's corners in 0..1 of width and height, clockwise from its upper left one; without it, the whole "
        "picture is read",
    )
    read.add_argument("--engine", default="rapidocr", metavar="NAME", help="engine that reads; default: %(default)s")
    read.add_argument(
        "--mode", choices=("line", "area"), default="line", help="one line, or an area in which lines are looked for"
    )
    read.add_argument("--pattern", metavar="RE", help="regular expression that the text must match as a whole")
    export = commands.add_parser("export", help="turn ultralytics weights (.pt) into ONNX (needs ultralytics)")
    export.add_argument("weights", type=Path, metavar="WEIGHTS.pt")
    export.add_argument("out", type=Path, metavar="OUT.onnx")
    return parser


if __name__ == "__main__":
    sys.exit(main())
