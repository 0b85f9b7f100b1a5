"""The benchmark of zones: a table for people and JSON for comparing, of one run on one machine.

::

    scripts/bench zones [PART …] [--quick] [--pictures FOLDER] [--out FILE.json]

Panels and gates are drawn from seeds, so that the truth about them is known, and encoded as cameras do. What was not
right is in the JSON, and as pictures in a folder. A part whose ingredients are missing says so, and the others go on.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from devtools.benchmarks.report import Report, describe_machine
from devtools.benchmarks.zones.beside import bench_beside
from devtools.benchmarks.zones.engines import bench_engines
from devtools.benchmarks.zones.gate import bench_gate
from devtools.benchmarks.zones.nudged import bench_nudged
from devtools.benchmarks.zones.options import Options, PartMissing
from devtools.benchmarks.zones.panel import bench_panel
from devtools.paths import ROOT, SCENE_MODEL
from devtools.signals import end_on_signals
from video_worker.readers.registry import ReaderRegistry
from video_worker.readers.settings import ReaderSettings


def _panel(report: Report, options: Options) -> None:
    bench_panel(report, options, ReaderRegistry(ReaderSettings()))


def _nudged(report: Report, options: Options) -> None:
    bench_nudged(report, options, ReaderRegistry(ReaderSettings()))


PARTS: dict[str, Callable[[Report, Options], None]] = {
    "panel": _panel,
    "gate": bench_gate,
    "nudged": _nudged,
    "engines": bench_engines,
    "beside": bench_beside,
}
_PARTS_HELP = """\
parts:
  panel     seven-segment displays, text, a counter, lamps and pages of drawn panels: how many readings are exact
  gate      people and cars that pass a drawn gate: how many entries, exits, stays and crossings are exact
  nudged    the same while the camera is knocked: small nudges are followed, after a large one nothing is read
  engines   CPU and memory of one line reading, by engine
  beside    twenty zones read once per second beside recording: readings that came, and what they cost"""


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/bench zones",
        description="The benchmark of zones: accuracy where the truth is known, and what tasks cost.",
        epilog=_PARTS_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help="of those below; default: all of them")
    parser.add_argument("--quick", action="store_true", help="with a fifth of the readings, passages and seconds")
    parser.add_argument("--readings", type=int, metavar="N", help="of each kind, at least (default 500; quick 100)")
    parser.add_argument("--passages", type=int, metavar="N", help="of the gate, at least (default 200; quick 40)")
    parser.add_argument("--seconds", type=float, metavar="N", help="beside recording (default 60; quick 20)")
    parser.add_argument("--model", type=Path, default=SCENE_MODEL, help="default: the one that knows the drawn figures")
    parser.add_argument("--pictures", type=Path, metavar="FOLDER", help="leave pictures of what failed there")
    parser.add_argument("--out", type=Path, default=ROOT / "bench-results" / "zones.json", metavar="FILE.json")
    given = parser.parse_args(arguments)
    unknown = [part for part in given.parts if part not in PARTS]
    if unknown:
        parser.error(f"there is no part {unknown[0]!r}: choose from {', '.join(PARTS)}")
    return given


def choose(given: argparse.Namespace, work: Path) -> Options:
    """Return the sizes of a run."""
    quick = given.quick
    return Options(
        readings=given.readings or (100 if quick else 500),
        passages=given.passages or (40 if quick else 200),
        seconds=given.seconds or (20 if quick else 60),
        rounds=40 if quick else 200,
        model=given.model.resolve(),
        streams=ROOT / "bench-results" / "streams",
        work=work,
        pictures=given.pictures.resolve() if given.pictures else None,
    )


def main(arguments: list[str] | None = None) -> int:
    end_on_signals()
    given = parse(arguments)
    report = Report(machine=describe_machine())
    report.announce()
    loads = report.detail.setdefault("load before each part", {})
    with tempfile.TemporaryDirectory(prefix="vcam-bench-") as temporary:
        options = choose(given, Path(temporary))
        for part in given.parts or PARTS:
            loads[part] = round(os.getloadavg()[0], 2)
            try:
                PARTS[part](report, options)
            except PartMissing as missing:
                report.skip(part, str(missing))
            finally:
                report.save(given.out)  # also where it is interrupted
    return 0


if __name__ == "__main__":
    sys.exit(main())
