"""A process for each camera, watched: one that dies is started again, one that hangs is killed first."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
import time
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from types import FrameType

from shared_utils.cameras import Camera
from shared_utils.errors import EXIT_FAILED, EXIT_OK, QueueUnavailable
from shared_utils.jobs import connect, redis_errors
from shared_utils.log import camera_logger, setup_logging
from vcam_worker.camera import Backoff, CameraRunner
from vcam_worker.outbox import Outbox, redis_enqueue
from vcam_worker.settings import CaptureSettings

ALIVE_EVERY = 1.0
"""Seconds between a camera process's signs of life."""
HANG_SECONDS = 60.0
"""Silence after which a camera process is killed: four times the longest wait it can be in."""
STOP_SECONDS = 10.0
"""Time for open clips to be closed, published and queued (DESIGN; the container's grace time is longer)."""

_context = multiprocessing.get_context("spawn")


@dataclass
class _Child:
    camera: Camera
    log: logging.LoggerAdapter[logging.Logger]
    backoff: Backoff = field(default_factory=Backoff)
    process: SpawnProcess | None = None
    pipe: Connection | None = None
    last_sign: float = 0.0
    start_at: float = 0.0
    finished: bool = False


class Supervisor:
    """Runs all cameras until a signal, or until every one of them (a file) is at its end.

    Args:
        settings: what to record, and where to.
    """

    def __init__(self, settings: CaptureSettings) -> None:
        self._settings = settings
        self._log = logging.getLogger("capture")
        self._children = [_Child(one, camera_logger(__name__, one.name)) for one in settings.cameras]
        self._signals = 0

    def run(self) -> int:
        """Return the exit code when all is over.

        Raises:
            SettingError: Redis does not take the password.
        """
        self._check_redis()
        names = ", ".join(child.camera.name for child in self._children)
        self._log.info("capture starts: %s; clips go to %s", names, self._settings.video_dir)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        try:
            while not self._signals and not all(child.finished for child in self._children):
                self._round()
        finally:
            clean = self._stop_all()
        self._log.info("capture stopped")
        return EXIT_OK if clean else EXIT_FAILED

    def _check_redis(self) -> None:
        try:
            with redis_errors(self._settings.redis):
                connect(self._settings.redis).ping()
        except QueueUnavailable as error:
            self._log.warning("%s; recording goes on, clips wait in the outbox", error)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self._signals += 1
        if self._signals > 1:
            for child in self._children:
                if child.process:
                    child.process.kill()

    def _round(self) -> None:
        for child in self._children:
            if child.process is None and not child.finished and time.monotonic() >= child.start_at:
                self._start(child)
        pipes = [child.pipe for child in self._children if child.pipe]
        if not pipes:
            time.sleep(ALIVE_EVERY)
        for ready in wait(pipes, timeout=ALIVE_EVERY) if pipes else []:
            self._hear(next(child for child in self._children if child.pipe is ready))
        for child in self._children:
            if child.process and time.monotonic() - child.last_sign > HANG_SECONDS:
                child.log.error("the camera's process gives no sign of life for %.0f s: killed", HANG_SECONDS)
                child.process.kill()
                self._reap(child)

    def _start(self, child: _Child) -> None:
        ours, theirs = _context.Pipe(duplex=False)
        child.process = _context.Process(
            target=run_camera, args=(child.camera, self._settings, theirs), name=f"camera-{child.camera.name}"
        )
        child.process.start()
        theirs.close()  # so that the pipe ends with the child
        child.pipe = ours
        child.last_sign = time.monotonic()

    def _hear(self, child: _Child) -> None:
        if child.pipe is None:
            return
        try:
            child.pipe.recv_bytes()
            child.last_sign = time.monotonic()
        except (EOFError, OSError):
            self._reap(child)

    def _reap(self, child: _Child) -> None:
        """Take leave of a process that has ended, and plan the next one."""
        if child.process is None or child.pipe is None:
            return
        child.process.join()
        code = child.process.exitcode
        child.pipe.close()
        child.process = child.pipe = None
        if code == EXIT_OK:
            child.finished = True
            return
        delay = child.backoff.delay()
        child.start_at = time.monotonic() + delay
        if not self._signals:
            child.log.error("the camera's process ended (%s); started again in %.0f s", _how(code), delay)

    def _stop_all(self) -> bool:
        """End every child in time; tell whether all ended well."""
        running = [child.process for child in self._children if child.process]
        for process in running:
            process.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        for process in running:
            process.join(max(0.0, deadline - time.monotonic()))
            if process.is_alive():
                process.kill()
                process.join()
        return all(process.exitcode == EXIT_OK for process in running)


def _how(code: int | None) -> str:
    if code is not None and code < 0:
        return f"signal {signal.Signals(-code).name}"
    return f"exit code {code}"


def run_camera(camera: Camera, settings: CaptureSettings, pipe: Connection) -> None:
    """Be the process of one camera; the arguments come by a pipe, so no password is in the process list."""
    stop = threading.Event()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all; the supervisor passes it on in its own way
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    setup_logging(settings.log, settings.secrets)
    log = camera_logger("vcam_worker.camera", camera.name)
    last = 0.0

    def alive() -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < ALIVE_EVERY:
            return
        last = now
        try:
            pipe.send_bytes(b".")
        except OSError:  # the supervisor is gone, however it went: nobody would stop us later
            stop.set()

    code = EXIT_OK
    try:
        outbox = Outbox(settings.video_dir, camera.name, log, redis_enqueue(settings.redis))
        CameraRunner(camera, settings.rules, outbox, log, stop, alive).run()
    except Exception:
        log.exception("unexpected error")
        code = EXIT_FAILED
    # a reader thread may sit in the video library up to its timeout: it has nothing left to do
    logging.shutdown()
    os._exit(code)
