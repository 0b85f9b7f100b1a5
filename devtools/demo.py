"""The demo itself, inside the virtual environment: Redis, a camera, capture, a worker and live, ended together."""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import fcntl
import os
import queue
import secrets
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO, Any

from devtools.paths import INHERITED, REAL_MODEL, ROOT, SCENE_MODEL
from devtools.ports import free_port
from devtools.redis_server import RedisDidNotStart, RedisServer
from shared_utils.cli import run_program
from shared_utils.contracts.detections_log import LOG_NAME, log_path, read_records
from shared_utils.contracts.events import events_log_path
from shared_utils.errors import EXIT_FAILED, EXIT_OK, SettingError, VcamError

DEFAULT_FOLDER = ROOT / ".demo"

CLIPS_WANTED = 2
CLIP_S, PRE_ROLL_S = 10, 3
"""Shorter clips than by default, so that two of them fit into a minute."""
ANALYSED_TIMEOUT_S = 150.0
"""Until two clips must have been analysed; on two slow cores it takes 40 s."""
START_TIMEOUT_S = 30.0
PORT_TRIES = 5
STOP_TIMEOUT_S = 12.0
"""For parts to end in order: capture publishes its open clip meanwhile."""

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


@dataclass
class Part:
    """A started program: its lines go to the screen, and to a log in the demo's folder."""

    name: str
    process: subprocess.Popen[str]
    lines: queue.Queue[str] = field(default_factory=queue.Queue)


class Demo:
    """Starts the parts, waits for what they do, and ends them whatever happens.

    Args:
        folder: for clips, log and the parts' own logs.
        source: what the camera shows: ``scene`` or a video file.
        model: weights, ONNX.
        free_port: gives a TCP port to listen on.
    """

    def __init__(self, folder: Path, source: str, model: Path, free_port: Callable[[], int] = free_port) -> None:
        self.folder = folder
        self.video = folder / "video"
        self._source = source
        self._model = model
        self._free_port = free_port
        self._parts: list[Part] = []
        self._redis: RedisServer | None = None
        self._began = time.monotonic()
        self._screen = threading.Lock()

    def run(self) -> int:
        """Return the exit code: 0 only with a detection logged."""
        try:
            redis = self.start_redis()
            url = self.start_camera()
            env = self._environment(redis, url)
            self._start("worker", [sys.executable, "-m", "video_worker"], env)
            self._start("capture", [sys.executable, "-m", "vcam_worker"], env)
            self._start("live", [sys.executable, "-m", "video_worker", "live"], env)
            self._wait_for_clips()
        finally:
            self.stop()
        return self._report()

    def say(self, text: str, who: str = "demo") -> None:
        """Print a line with the seconds since the start."""
        with self._screen:
            print(f"{time.monotonic() - self._began:5.1f} s  {who:<8}{text}", flush=True)

    # -- the parts

    def start_redis(self) -> RedisServer:
        """Start a private Redis; where another program takes the port first, try another port."""
        for _ in range(PORT_TRIES):
            server = RedisServer(
                self.folder / "redis",
                self._free_port(),
                secrets.token_urlsafe(24),
                durable=False,
                log=self.folder / "redis.log",
                popen=_PART_OPTIONS,
            )
            with contextlib.suppress(RedisDidNotStart):
                server.start()
                self._redis = server
                self.say(f"a private Redis on {server.host}:{server.port}")
                return server
        raise VcamError(f"no Redis came up: see {self.folder / 'redis.log'}")

    def start_camera(self) -> str:
        """Start the emulated camera; return its URL."""
        for _ in range(PORT_TRIES):
            url = f"rtsp://127.0.0.1:{self._free_port()}/stream"
            part = self._start(
                "camera", [sys.executable, "-m", "camera_emulator", "--source", self._source, "--url", url], {}
            )
            deadline = time.monotonic() + START_TIMEOUT_S
            while part.process.poll() is None and time.monotonic() < deadline:
                try:
                    if "ready" in part.lines.get(timeout=0.2):
                        return url
                except queue.Empty:
                    continue
            _end(part.process)
            self._parts.remove(part)
        raise VcamError(f"the camera did not start: see {self.folder / 'camera.log'}")

    def _environment(self, redis: RedisServer, url: str) -> dict[str, str]:
        port = str(self._free_port())
        return {
            "RTSP_URL": url,
            "CAMERA_NAME": "demo",
            "VIDEO_DIR": str(self.video),
            "CLIP_SECONDS": str(CLIP_S),
            "PRE_ROLL_SECONDS": str(PRE_ROLL_S),
            **redis.env,
            "YOLO_MODEL": str(self._model),
            "HTTP_PORT": port,
            "CAPTURE_URL": f"http://127.0.0.1:{port}",
        }

    def _start(
        self,
        name: str,
        command: Sequence[str],
        settings: Mapping[str, str],
    ) -> Part:
        """Start a program whose settings are `settings` alone, whatever the user's environment or .env holds."""
        inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**inherited, "PYTHONUNBUFFERED": "1", "PYTHON_DOTENV_DISABLED": "1", **settings},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            **_PART_OPTIONS,
        )
        part = Part(name, process)
        self._parts.append(part)
        if process.stdout:
            threading.Thread(target=self._relay, args=(part, process.stdout), daemon=True).start()
        return part

    def _relay(self, part: Part, output: IO[str]) -> None:
        with output, (self.folder / f"{part.name}.log").open("a", encoding="utf-8") as log:
            for raw in output:
                line = raw.rstrip()
                print(line, file=log, flush=True)
                part.lines.put(line)
                self.say(_without_time(line), part.name)

    # -- the run

    def _records(self) -> list[dict[str, Any]]:
        return list(read_records(log_path(self.video)))

    def _wait_for_clips(self) -> None:
        deadline = time.monotonic() + ANALYSED_TIMEOUT_S
        while time.monotonic() < deadline:
            for name, process in self._processes():
                code = process.poll()
                if code is not None:
                    raise VcamError(f"{name} has ended by itself (exit code {code}): see {name}.log there")
            if len(self._records()) >= CLIPS_WANTED:
                return
            time.sleep(0.2)
        self.say(f"only {len(self._records())} of {CLIPS_WANTED} clips were analysed in {ANALYSED_TIMEOUT_S:.0f} s")

    def stop(self) -> None:
        """End all parts: who feeds others first, Redis last, so that the last clip still gets its job.

        Live comes before all, as it would report that capture is away.
        """
        order = ("live", "capture", "camera", "worker", "redis")
        for _, process in sorted(self._processes(), key=lambda one: order.index(one[0])):
            _end(process)
        self._parts.clear()
        if self._redis:
            self._redis.stop()
            self._redis = None

    def _processes(self) -> list[tuple[str, subprocess.Popen[Any]]]:
        found: list[tuple[str, subprocess.Popen[Any]]] = [(part.name, part.process) for part in self._parts]
        if self._redis and self._redis.process:
            found.append(("redis", self._redis.process))
        return found

    def _report(self) -> int:
        records = self._records()
        found = [record for record in records if record.get("ok") and record.get("count")]
        with self._screen:
            print()
            if records:
                _table(records)
            print()
            print(f"clips  {self.video}")
            print(f"log    {log_path(self.video)}")
            print(f"live   {events_log_path(self.video)}")
            print(f"took   {time.monotonic() - self._began:.0f} s")
            if not found:
                print("\nno detection was logged: the parts' logs in the folder above say why", file=sys.stderr)
        return EXIT_OK if found else EXIT_FAILED


def _table(records: Sequence[dict[str, Any]]) -> None:
    rows = [("clip", "detected", "best", "seen (s)", "analysed in")]
    for record in records:
        detected = record.get("detected") or []
        objects = [one for one in record.get("objects") or [] if one["label"] in detected]
        rows.append(
            (
                str(record["filename"]),
                ", ".join(detected) or record.get("error") or "nothing",
                ", ".join(f"{one['max_conf']:.2f}" for one in objects),
                ", ".join(f"{one['first_s']:.1f} to {one['last_s']:.1f}" for one in objects),
                f"{record['timing']['total_s']:.1f} s" if "timing" in record else "",
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for index, row in enumerate(rows):
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
        if index == 0:
            print("  ".join("-" * width for width in widths))


def _without_time(line: str) -> str:
    """Return one of our log lines without its date, time and level: the demo has its own clock."""
    words = line.split(None, 3)
    if len(words) == 4 and words[2] in {"DEBUG", "INFO", "WARNING", "ERROR"}:
        _, _, rest = words[3].partition(" ")
        return rest.strip()
    return line


def _die_with_parent() -> None:
    """Ask Linux to end this process when the demo is gone, even by SIGKILL."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


_PART_OPTIONS: Mapping[str, Any] = {
    "start_new_session": True,  # Ctrl-C is for the demo, which ends its parts in order
    # one system call through a handle that is loaded already: safe beside the threads that relay lines
    "preexec_fn": _die_with_parent if sys.platform == "linux" else None,
}


def _end(process: subprocess.Popen[Any]) -> None:
    """End a part and whatever it started: politely, then not."""
    if process.poll() is None:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_TIMEOUT_S)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _prepare(keep: Path | None) -> tuple[Path, IO[str]]:
    """Return the folder to work in, and the lock that keeps a second demo out of it."""
    folder = keep or DEFAULT_FOLDER
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / ".lock").open("w")
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise SettingError(f"another demo is running in {folder}: give this one a folder by --keep DIR") from None
    except OSError as error:
        raise SettingError(f"--keep {folder} cannot be written to ({error.strerror}): give another folder") from None
    if keep is None:
        for old in folder.iterdir():
            if old.name != ".lock":
                shutil.rmtree(old) if old.is_dir() else old.unlink()
    elif (folder / "video" / LOG_NAME).exists():
        raise SettingError(f"--keep {folder} holds an earlier run: give an empty folder")
    return folder.resolve(), lock


def _choose_model(model: Path | None, video: Path | None) -> Path:
    if model:
        if not model.is_file():
            raise SettingError(f"--model {model}: no such file")
        return model.resolve()
    if video and REAL_MODEL.is_file():
        return REAL_MODEL
    if video:
        print("note: the built-in model knows drawn figures only; for real footage give --model yolov8n.onnx")
    return SCENE_MODEL


def main() -> int:
    """Run the demo; return its exit code."""
    parser = argparse.ArgumentParser(
        prog="scripts/demo",
        description="Run the whole pipeline on this machine, without Docker: a private Redis, a network camera, "
        "capture, a worker and live. Ends by itself after two analysed clips; exit 0 only if something was detected.",
    )
    parser.add_argument("--video", type=Path, metavar="FILE", help="let the camera show this file, not the drawn scene")
    parser.add_argument("--model", type=Path, metavar="FILE.onnx", help="use this model, not the scene's own")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep clips and log in this folder (else in .demo/)")
    arguments = parser.parse_args()
    if arguments.video and not arguments.video.is_file():
        raise SettingError(f"--video {arguments.video}: no such file")
    model = _choose_model(arguments.model, arguments.video)
    source = str(arguments.video.resolve()) if arguments.video else "scene"
    folder, lock = _prepare(arguments.keep)
    with lock:
        return Demo(folder, source, model).run()


def _interrupt(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise KeyboardInterrupt


if __name__ == "__main__":
    for _signal in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(_signal, _interrupt)
    sys.exit(run_program("scripts/demo", main))
