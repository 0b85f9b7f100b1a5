"""Capture's benchmark: a table for people and JSON for comparing, of one run on one machine.

::

    scripts/bench capture [--quick] [--seconds N] [--rounds N] [--minutes N] [--only PART …] [--out FILE.json]

Capture runs as users run it (``python -m vcam_worker``), on cameras that send real packets over RTSP. CPU time is that
of all its processes and threads, per frame sent, after a warm-up. The floor is demuxing and decoding the same frames
once, in one thread; it is measured before and after each run of capture, and ratios are made of the medians of all
rounds, so that a slow or busy machine spoils them least.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from devtools.benchmarks.capture.loads import bench_many, bench_offline, bench_snapshots
from devtools.benchmarks.capture.process import Options
from devtools.benchmarks.capture.recall import bench_recall
from devtools.benchmarks.capture.scenes import SCENES, bench_scenes
from devtools.benchmarks.report import Report, describe_machine
from devtools.paths import ROOT
from devtools.redis_server import running_redis
from devtools.signals import end_on_signals

PARTS = (*SCENES, "offline", "many", "snapshots", "recall")


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/bench capture",
        description="Capture's benchmark: CPU against the floor of decoding once, memory, packets lost, recall.",
    )
    parser.add_argument("--quick", action="store_true", help="one short round of everything: about 3 minutes")
    parser.add_argument("--seconds", type=float, metavar="N", help="of each run (default 60; quick 12)")
    parser.add_argument("--rounds", type=int, metavar="N", help="whose median counts (default 3; quick 1)")
    parser.add_argument("--minutes", type=float, metavar="N", help="with eight cameras (default 10; quick 1)")
    parser.add_argument("--only", nargs="+", choices=PARTS, metavar="PART", help=f"of: {', '.join(PARTS)}")
    parser.add_argument("--out", type=Path, default=ROOT / "bench-results" / "capture.json", metavar="FILE.json")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    end_on_signals()
    given = parse(arguments)
    parts = given.only or list(PARTS)
    report = Report(machine=describe_machine())
    report.announce()
    with tempfile.TemporaryDirectory(prefix="vcam-bench-") as temporary:
        options = Options(
            seconds=given.seconds or (12 if given.quick else 60),
            rounds=given.rounds or (1 if given.quick else 3),
            minutes=given.minutes or (1 if given.quick else 10),
            streams=ROOT / "bench-results" / "streams",
            work=Path(temporary),
        )
        with running_redis(options.work / "redis") as redis:
            scenes = [name for name in SCENES if name in parts]
            if scenes:
                bench_scenes(report, options, redis, scenes)
            if "offline" in parts:
                bench_offline(report, options, redis)
            if "snapshots" in parts:
                bench_snapshots(report, options, redis)
            if "recall" in parts:
                bench_recall(report)
            if "many" in parts:
                bench_many(report, options, redis)
    report.save(given.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
