"""``python -m vcam_worker``: records the cameras in the environment; ``replay FILE…`` does the same with files."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from shared_utils.cli import run_program
from shared_utils.config.cameras import MotionSettings
from shared_utils.config.env_file import with_env_file
from shared_utils.config.folders import video_path
from shared_utils.config.zones.files import read_zones_file
from shared_utils.contracts.clips import printable_path
from shared_utils.errors import EXIT_FAILED, EXIT_OK, SettingError, VcamError
from shared_utils.log import setup_logging
from shared_utils.queue.event_stream import EventPublisher
from shared_utils.queue.jobs import connect
from shared_utils.version import VERSION
from vcam_worker.live.hub import Hub
from vcam_worker.recording.storage.disk import DiskGuard
from vcam_worker.recording.storage.leftovers import SETTLE_S, Leftovers
from vcam_worker.recording.storage.queue_sender import redis_enqueue
from vcam_worker.recording.storage.volume import Volume
from vcam_worker.recording.storage.volume_lock import VolumeLock
from vcam_worker.replay import print_line, replay
from vcam_worker.replay_zones import ReplayZones
from vcam_worker.runtime.camera.camera_events import clip_event
from vcam_worker.runtime.camera.process import PROGRAM
from vcam_worker.runtime.cameras_watch import CamerasWatch
from vcam_worker.runtime.capture_events import CaptureEvents
from vcam_worker.runtime.queue_watch import QueueWatch
from vcam_worker.runtime.supervisor import Supervisor
from vcam_worker.settings import clip_rules, read_settings
from vcam_worker.stream.connection import library_versions
from vcam_worker.web.server import HttpServer

LEFTOVERS_S = 2.0
"""Time at the end for clips of removed cameras; the rest is taken over at the next start."""


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the parsed command line."""
    parser = argparse.ArgumentParser(
        prog="vcam_worker",
        description="Record motion clips from network cameras, until stopped. Settings come from the environment "
        "and from .env in this folder: RTSP_URL, CAMERA_NAME, VIDEO_DIR and more (see .env.example).",
    )
    commands = parser.add_subparsers(dest="command")
    again = commands.add_parser(
        "replay",
        help="run motion detection over files instead; prints a JSON line for each clip it would record",
        description="Run the motion, event and recorder code over files, as fast as they can be read. Prints a JSON "
        "line for each clip: filename, start_s, trigger_s, end_s. Motion settings come from the environment, and zones "
        "in which motion is ignored from VIDEO_DIR/zones, by the camera in the file's name, as live.",
    )
    again.add_argument("files", nargs="+", type=Path, metavar="FILE")
    again.add_argument("--out", type=Path, metavar="DIR", help="keep the clips in this folder")
    again.add_argument("--zones", type=Path, metavar="ZONES.json", help="zones for all files, of any name")
    return parser.parse_args(arguments)


def main() -> int:
    """Run the command; return its exit code."""
    arguments = parse()
    values = with_env_file(os.environ)
    if arguments.command == "replay":
        return _replay(arguments.files, arguments.out, arguments.zones, values)
    settings = read_settings(values)
    redact = setup_logging(settings.log, PROGRAM, settings.secrets)
    lock = VolumeLock(settings.video_dir)
    lock.take()
    events = EventPublisher(settings.redis)
    leftovers = Leftovers(
        Volume(settings.video_dir, settings.mount),
        lambda: [status.name for status in supervisor.statuses()],
        redis_enqueue(settings.redis, connect(settings.redis)),
        settle_s=0.0 if lock.keeps_others_away else SETTLE_S,
        announce=lambda clip: events.publish(clip_event(clip)),
    )
    live = Hub()
    supervisor = Supervisor(
        settings,
        CamerasWatch(values),
        redact,
        lock,
        may_start=lambda name: not leftovers.is_busy_with(name),
        channels=live,
        events=CaptureEvents(events.publish),
    )
    guard = DiskGuard(settings.video_dir, settings.disk, supervisor.pause, mount=settings.mount, lock=lock)
    watch = QueueWatch(settings.redis)
    http = HttpServer(
        settings.http, supervisor, {"versions": _versions()}, redact, volume=guard.state, queue=watch.state, live=live
    )
    supervisor.check_redis()
    events.start()
    http.start()
    guard.start()
    watch.start()
    leftovers.start()
    try:
        return supervisor.run()
    finally:
        guard.stop()
        watch.stop()
        leftovers.stop(LEFTOVERS_S)
        http.stop()
        events.stop()
        lock.release()


def _versions() -> dict[str, str]:
    ours = {"vcam": VERSION, "python": platform.python_version(), "opencv": version("opencv-python-headless")}
    return {**ours, **library_versions()}


def _replay(files: Sequence[Path], out: Path | None, zones_file: Path | None, values: Mapping[str, str]) -> int:
    motion = MotionSettings.from_env(values)
    given = None if zones_file is None else read_zones_file(zones_file, named_after_camera=False)
    zones = ReplayZones(video_path(values), _print_zones_fault, given)
    rules = clip_rules(values)
    if out:
        out.mkdir(parents=True, exist_ok=True)
    if not any(path.is_file() for path in files):  # wrong use: there is nothing to do
        raise SettingError(f"replay: no such file: {', '.join(map(printable_path, files))}")
    failures = 0
    for path in files:
        try:
            if not path.is_file():
                raise SettingError("no such file")
            replay(path, motion, rules, print_line, out, ignored=zones.get(path))
        except (VcamError, OSError) as error:  # the other files may be fine
            failures += 1
            print(f"vcam_worker: replay: {printable_path(path)}: {error}", file=sys.stderr)  # the program's output
    return EXIT_FAILED if failures else EXIT_OK


def _print_zones_fault(problem: str) -> None:
    # the program's output
    print(f"vcam_worker: replay: {problem}; replayed without zones", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(run_program("vcam_worker", main))
