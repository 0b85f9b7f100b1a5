"""The live benchmark: a table for people and JSON for comparing, of one run on one machine.

::

    scripts/bench live [PART …] [--quick] [--against CHECKOUT] [--plot FILE.png] [--out FILE.json]

All programs run as users run them, on cameras that send real packets over RTSP, with a Redis of their own. Costs are
CPU time of all of capture's processes, with clients minus without, by turns in one run; ratios are to decoding the same
stream once, beside it. A part whose ingredients are missing says so, and the others go on.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from devtools.benchmarks.live.churn import bench_churn
from devtools.benchmarks.live.costs import bench_frames, bench_viewers
from devtools.benchmarks.live.day import bench_day
from devtools.benchmarks.live.first_picture import bench_first_picture
from devtools.benchmarks.live.idle import bench_idle
from devtools.benchmarks.live.latency import bench_latency
from devtools.benchmarks.live.options import Options, PartMissing
from devtools.benchmarks.report import Report, describe_machine
from devtools.paths import ROOT, SCENE_MODEL
from devtools.redis_server import RedisServer, running_redis
from devtools.signals import end_on_signals

PARTS: dict[str, Callable[[Report, Options, RedisServer], None]] = {
    "idle": bench_idle,
    "picture": bench_first_picture,
    "viewers": bench_viewers,
    "frames": bench_frames,
    "latency": bench_latency,
    "day": bench_day,
    "churn": bench_churn,
}
_PARTS_HELP = """\
parts:
  idle      capture while nobody asks: against decoding once, and against --against
  picture   first picture of /live in Chromium, from the click
  viewers   ten viewers of a 4 Mb/s stream
  frames    two frames per second of a 1080p20 camera, in each way to watch it
  latency   from the first frame that shows a person to the event, and again beside a busy worker
  day       memory of the live worker's own code over 24 simulated hours of events
  churn     memory of capture while thousands of clients come and go"""


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/bench live",
        description="The live benchmark: what live frames and live video cost, and how soon things are known.",
        epilog=_PARTS_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help="of those below; default: all of them")
    parser.add_argument("--quick", action="store_true", help="all of it in about 8 minutes; default: 25")
    parser.add_argument("--seconds", type=float, metavar="N", help="of each turn (default 8; quick 4)")
    parser.add_argument("--rounds", type=int, metavar="N", help="turns whose median counts (default 3; quick 2)")
    parser.add_argument(
        "--passages", type=int, metavar="N", help="of a person (default 30; quick 6); half as many beside a busy worker"
    )
    parser.add_argument("--hours", type=float, metavar="N", help="simulated hours of events (default 24; quick 2)")
    parser.add_argument("--clients", type=int, metavar="N", help="that come and go (default 3000; quick 300)")
    parser.add_argument("--model", type=Path, default=SCENE_MODEL, help="default: the one that knows the drawn scene")
    parser.add_argument("--against", type=Path, metavar="CHECKOUT", help="compare with the capture of that folder")
    parser.add_argument("--plot", type=Path, metavar="FILE.png", help="draw the latencies")
    parser.add_argument("--out", type=Path, default=ROOT / "bench-results" / "live.json", metavar="FILE.json")
    given = parser.parse_args(arguments)
    unknown = [part for part in given.parts if part not in PARTS]
    if unknown:
        parser.error(f"there is no part {unknown[0]!r}: choose from {', '.join(PARTS)}")
    if given.against and not (given.against / "vcam_worker").is_dir():
        parser.error(f"--against {given.against} is no checkout: it has no vcam_worker")
    return given


def choose(given: argparse.Namespace, work: Path) -> Options:
    """Return the sizes of a run."""
    quick = given.quick
    return Options(
        seconds=given.seconds or (4 if quick else 8),
        rounds=given.rounds or (2 if quick else 3),
        minutes=0,
        streams=ROOT / "bench-results" / "streams",
        work=work,
        tries=5 if quick else 15,
        passages=given.passages or (6 if quick else 30),
        churns=given.clients or (300 if quick else 3000),
        hours=given.hours or (2 if quick else 24),
        model=given.model.resolve(),
        against=given.against.resolve() if given.against else None,
        plot=given.plot.resolve() if given.plot else None,
    )


def main(arguments: list[str] | None = None) -> int:
    end_on_signals()
    given = parse(arguments)
    report = Report(machine={**describe_machine(), "model": given.model.name})
    report.announce()
    loads = report.detail.setdefault("load before each part", {})
    with tempfile.TemporaryDirectory(prefix="vcam-bench-") as temporary:
        options = choose(given, Path(temporary))
        with running_redis(options.work / "redis") as redis:
            for part in given.parts or PARTS:
                loads[part] = round(os.getloadavg()[0], 2)
                try:
                    PARTS[part](report, options, redis)
                except PartMissing as missing:
                    report.skip(part, str(missing))
                finally:
                    report.save(given.out)  # also where it is interrupted
    return 0


if __name__ == "__main__":
    sys.exit(main())
