"""``python -m camera_emulator --source SRC --url URL``: serves a network camera."""

from __future__ import annotations

import argparse
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn, Protocol

import cv2

from camera_emulator.address import Address, parse_address
from camera_emulator.drawn import SCENES, WITH_TRUTH, make_scene
from camera_emulator.h264 import default_bitrate
from camera_emulator.mjpeg import MjpegBroadcast
from camera_emulator.rtsp_server import RtspBroadcast
from camera_emulator.scene import check_size
from camera_emulator.source import Picture, SceneSource, Source, paced
from camera_emulator.video_file import FileSource
from camera_emulator.webcam import WebcamSource
from shared_utils.config.log import LogSettings
from shared_utils.errors import EXIT_FAILED, EXIT_OK, EXIT_USAGE, SettingError, VcamError
from shared_utils.log import setup_logging

SCENE_SIZE = (1280, 720)
SCENE_FPS = 15.0
FPS_RANGE = (1.0, 60.0)
BITRATE_RANGE_KBIT = (50, 50_000)

_EPILOG = """\
examples:
  a drawn street as an RTSP camera    --source scene --url rtsp://127.0.0.1:8554/stream
  a drawn gate with its zones         --source gate --seed 3 --truth gate.json --zones-out video/zones/gate.json
  a drawn panel with its zones        --source panel --seed 3 --truth panel.json --zones-out video/zones/panel.json
                                      --url rtsp://127.0.0.1:8554/stream
  a video file, again and again       --source street.mp4 --url rtsp://127.0.0.1:8554/stream
  the laptop's webcam for containers  --source webcam --url http://0.0.0.0:8080/video

RTSP is served over UDP only. Ctrl-C ends the camera."""


class Broadcast(Protocol):
    """A server of frames, which does no work without viewers."""

    def send(self, picture: Picture) -> None:
        """Serve this frame now."""

    def close(self) -> None:
        """Stop serving."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Print one line, as all our programs do, where argparse would print the usage as well."""
        raise SettingError(f"{message} (see --help)")


def main(argv: Sequence[str] | None = None) -> int:
    """Run until stopped; return the exit code."""
    cv2.setNumThreads(1)  # the machine is shared with the programs under test
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda signum, _frame: _on_signal(stop, signum, _frame))
    try:
        setup_logging(LogSettings.from_env(os.environ), "camera")
        args = _arguments(argv)
        address = parse_address(args.url)
        source = open_source(args)
        try:
            serve(source, address, args.bitrate, stop)
        finally:
            source.close()
    except SettingError as error:
        print(error, file=sys.stderr)
        return EXIT_USAGE
    except VcamError as error:
        print(error, file=sys.stderr)
        return EXIT_FAILED
    return EXIT_OK


def serve(source: Source, address: Address, bitrate_kbit: int | None, stop: threading.Event) -> None:
    """Serve the source until it ends or ``stop`` is set."""
    broadcast = _broadcast(source, address, bitrate_kbit)
    try:
        width, height = source.size
        print(f"camera ready: {address.url} ({source.name}, {width}x{height}, {source.fps:g} fps)", flush=True)
        pictures = source.pictures()
        for picture in pictures if source.live else paced(pictures, time.monotonic, stop.wait):
            if stop.is_set():
                break
            broadcast.send(picture)
    finally:
        broadcast.close()


def open_source(args: argparse.Namespace) -> Source:
    """Return the source that ``--source`` names; raise SettingError where an option does not fit it."""
    name: str = args.source
    webcam = re.fullmatch(r"webcam(?::(\d+))?|/dev/video(\d+)", name)
    if args.once and (webcam or name in SCENES):
        raise SettingError(f"--once goes with a file, not with --source {name}: leave it out")
    for option, given, fitting in (
        ("--seed", args.seed, SCENES),
        ("--truth", args.truth, WITH_TRUTH),
        ("--zones-out", args.zones_out, WITH_TRUTH),
    ):
        if given is not None and name not in fitting:
            raise SettingError(f"{option} goes with --source {' or '.join(fitting)}, not with {name}: leave it out")
    if name in SCENES:
        size, fps = args.size or SCENE_SIZE, args.fps or SCENE_FPS
        return SceneSource(name, make_scene(name, args.seed or 0, size, fps, args.truth, args.zones_out))
    if webcam:
        if name.startswith("/dev/") and not Path(name).exists():
            raise SettingError(f"--source {name} does not exist: plug the webcam in, or give webcam:N, a file or scene")
        return WebcamSource(int(webcam[1] or webcam[2] or 0), args.size, args.fps, time.monotonic)
    if args.fps is not None:
        raise SettingError("--fps does not go with a file, which plays at its own rate: leave it out")
    path = Path(name)
    if not path.is_file():
        raise SettingError(f"--source {name} is no file: give a video file, {', '.join(SCENES)}, webcam or webcam:N")
    return FileSource(path, args.size, args.once)


def _broadcast(source: Source, address: Address, bitrate_kbit: int | None) -> Broadcast:
    if address.scheme == "rtsp":
        bitrate = bitrate_kbit * 1000 if bitrate_kbit else default_bitrate(source.size, source.fps)
        return RtspBroadcast(address, source, bitrate)
    if bitrate_kbit is not None:
        raise SettingError("--bitrate goes with an rtsp:// URL: MJPEG has no rate to set")
    return MjpegBroadcast(address)


def _on_signal(stop: threading.Event, signum: int, _frame: FrameType | None) -> None:
    """Make the first signal stop the camera cleanly, and a second one at once."""
    stop.set()
    signal.signal(signum, signal.SIG_DFL)


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = _Parser(
        prog="python -m camera_emulator",
        description="A network camera made of a video file, a drawn scene or a webcam.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--source", required=True, metavar="SRC",
        help="'scene' (a street), 'gate' (who comes and goes), 'panel' (displays and lamps), a video file, 'webcam', "
        "'webcam:N' or /dev/videoN",
    )  # fmt: skip
    parser.add_argument(
        "--url", required=True, help="where to serve: rtsp://HOST:PORT/stream (H.264) or http://HOST:PORT/video (MJPEG)"
    )
    parser.add_argument("--fps", type=_fps, help=f"frames per second of a scene ({SCENE_FPS:g}) or webcam")
    parser.add_argument(
        "--size", type=_size, metavar="WxH",
        help=f"picture size; default: {SCENE_SIZE[0]}x{SCENE_SIZE[1]} for a scene, its own for a file or webcam",
    )  # fmt: skip
    parser.add_argument("--seed", type=_seed, help="which street, gate or panel, and what happens when (0)")
    parser.add_argument(
        "--truth", type=Path, metavar="FILE", help="write what passes a gate or a panel displays, as JSON"
    )
    parser.add_argument(
        "--zones-out", type=Path, metavar="FILE", help="write the zones of a gate or panel, with its reference pictures"
    )
    parser.add_argument("--bitrate", type=_bitrate, metavar="KBIT", help="H.264 kbit/s (by size and rate)")
    parser.add_argument("--once", action="store_true", help="end with the file instead of starting it again")
    return parser.parse_args(argv)


def _fps(text: str) -> float:
    return _number("a number of frames per second", text, *FPS_RANGE)


def _bitrate(text: str) -> int:
    return int(_number("a number of kbit/s", text, *BITRATE_RANGE_KBIT))


def _seed(text: str) -> int:
    return int(_number("a whole number", text, 0, 2**31 - 1))


def _number(what: str, text: str, low: float, high: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not low <= value <= high:
        raise argparse.ArgumentTypeError(f"must be {what} from {low:g} to {high:g}, not {text!r}")
    return value


def _size(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d{1,5})x(\d{1,5})", text.lower())
    if found is None:
        raise argparse.ArgumentTypeError(f"must look like 1280x720, not {text!r}")
    size = int(found[1]), int(found[2])
    try:
        check_size(size)
    except SettingError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return size


if __name__ == "__main__":
    sys.exit(main())
