"""Command line ``python -m shared_utils.zones``: ``check FILE…``, ``show``, ``draw``, ``reference`` and ``group``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TextIO

from shared_utils.cli import run_program
from shared_utils.config.env_file import with_env_file
from shared_utils.config.folders import video_path
from shared_utils.config.zones.file import load_zones
from shared_utils.config.zones.model import Zones
from shared_utils.contracts.zones import zones_path
from shared_utils.errors import EXIT_FAILED, EXIT_OK, SettingError
from shared_utils.zones.changes import switch_group
from shared_utils.zones.table import zones_table

PROGRAM = "zones"


def main(
    arguments: Sequence[str] | None = None,
    environment: Mapping[str, str] | None = None,
    out: TextIO | None = None,
    err: TextIO | None = None,
) -> int:
    """Run a command and return its exit code: 0 done, 1 a file is wrong or nothing can be drawn, 2 wrong use."""
    parsed = _parser().parse_args(arguments)
    shown, complaints = out or sys.stdout, err or sys.stderr

    def run() -> int:
        values = with_env_file(os.environ) if environment is None else environment
        video_dir = video_path(values)
        if parsed.command == "check":
            return check(parsed.files, shown, complaints)
        zones = zones_of(video_dir, parsed.camera)
        if parsed.command == "show":
            print(f"camera {zones.camera}, revision {zones.revision}", file=shown)
            print(zones_table(zones), file=shown)
            return EXIT_OK
        if parsed.command == "group":
            print(switch_group(video_dir, parsed.camera, parsed.name, on=parsed.state == "on"), file=shown)
            return EXIT_OK
        # only these commands need OpenCV and PyAV
        from shared_utils.zones.draw_command import draw_command
        from shared_utils.zones.reference_command import reference_command

        if parsed.command == "reference":
            corners = corners_of(parsed.corners)
            given = parsed.picture, parsed.clip, parsed.at
            print(reference_command(zones, video_dir, parsed.page, corners, *given), file=shown)
            return EXIT_OK
        print(draw_command(zones, video_dir, parsed.out, parsed.picture, parsed.clip, parsed.at), file=shown)
        return EXIT_OK

    return run_program(PROGRAM, run)


def check(files: Sequence[Path], out: TextIO, err: TextIO) -> int:
    """Print one line per file, to `err` where it is wrong, with zone and key, else to `out`; return the exit code."""
    failed = False
    for path in files:
        try:
            zones = load_zones(path)
        except SettingError as error:
            failed = True
            print(error, file=err)
            continue
        names = ", ".join(zone.name for zone in zones.zones) or "none"
        print(f"{path}: right, revision {zones.revision}, zones: {names}", file=out)
    return EXIT_FAILED if failed else EXIT_OK


def zones_of(video_dir: Path, camera: str) -> Zones:
    """Return the zones of a camera on the shared volume.

    Raises:
        SettingError: it has none, or its file is wrong.
    """
    path = zones_path(video_dir, camera)
    if not path.is_file():
        known = sorted(one.stem for one in path.parent.glob("*.json"))
        others = f"; there are those of {', '.join(known)}" if known else ""
        raise SettingError(f"camera {camera!r} has no zones: there is no file {path}{others}")
    return load_zones(path)


def corners_of(texts: Sequence[str] | None) -> list[list[float]] | None:
    """Return corners that are given as ``x,y``, 0..1; None for none.

    Raises:
        SettingError: one is none.
    """
    if texts is None:
        return None
    try:
        corners = [[float(value) for value in text.split(",")] for text in texts]
    except ValueError:
        corners = []
    if not corners or any(len(corner) != 2 or not all(0 <= value <= 1 for value in corner) for corner in corners):
        raise SettingError(f"--corners is {' '.join(texts)!r}: give x,y four times, each 0..1 of the picture")
    return corners


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m shared_utils.zones",
        description="Check, list, draw and switch zones. VIDEO_DIR comes from the environment and .env in this folder.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    checking = commands.add_parser("check", help="check files: one line each, with the zone and key that is wrong")
    checking.add_argument("files", nargs="+", type=Path, metavar="FILE")
    showing = commands.add_parser("show", help="list a camera's zones and their tasks")
    drawing = commands.add_parser("draw", help="draw a camera's zones on a picture of it")
    saving = commands.add_parser("reference", help="save the picture that shows where zones are, or a page")
    switching = commands.add_parser("group", help="switch the zones of a group on or off")
    for command in (showing, drawing, saving, switching):
        command.add_argument("camera", metavar="CAMERA")
    for command, use in ((drawing, "to draw on"), (saving, "to save")):
        source = command.add_mutually_exclusive_group()
        source.add_argument("--picture", type=Path, help=f"picture {use}")
        source.add_argument("--clip", type=Path, help=f"clip {use} a frame of; by default, the camera's newest one")
        command.add_argument("--at", type=float, default=0.0, metavar="SECONDS", help="which frame of the clip")
    saving.add_argument("--page", metavar="NAME", help="page that it shows; by default, it is the camera's own")
    saving.add_argument("--corners", nargs=4, metavar="X,Y", help="corners of a page that is new, 0..1 of the picture")
    switching.add_argument("name", metavar="NAME", help="name of the group")
    switching.add_argument("state", choices=("on", "off"))
    drawing.add_argument("--out", type=Path, required=True, metavar="PNG", help="file to write, PNG or JPEG")
    return parser


if __name__ == "__main__":
    sys.exit(main())
