"""A camera's process as the supervisor sees it: start, messages, end."""

from __future__ import annotations

import multiprocessing
import select
import signal
import socket
import threading
import time
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path

from shared_utils.config.cameras import Camera
from shared_utils.log import camera_logger
from vcam_worker.live.channel import channel_pair
from vcam_worker.recording.storage.volume_lock import VolumeLock
from vcam_worker.runtime.camera.process import run_camera
from vcam_worker.runtime.link import Command
from vcam_worker.runtime.memory import MIB
from vcam_worker.runtime.status import CameraStatus
from vcam_worker.settings import CaptureSettings
from vcam_worker.stream.backoff import Backoff

OFFER_S = 0.05
"""Longest wait for another thread that is sending."""

_context = multiprocessing.get_context("spawn")


class CameraProcess:
    """One camera's process, or the lack of one. All times are monotonic seconds.

    Args:
        camera: which.

    Attributes:
        status: what it reported last.
        process, pipe: of the running process; None without one.
        last_heard: when it was last heard of.
        started, start_at: when it was started, and when it is to be started again.
        finished: the camera, a file, is at its end.
        memory_bytes: bytes of memory that it had when last checked.
        memory_excess: why it was ended, if it took too much memory.
        was_excessive: the process before it was ended for that.
        waits_for_disk: it waits for a disk or share that does not answer.
        exit_deadline: when it must have ended, if the camera was changed or taken out of the settings.
        successor: what comes in its place then.
    """

    def __init__(self, camera: Camera) -> None:
        self.camera = camera
        self.log = camera_logger(__name__, camera.name)
        self.status = CameraStatus(
            camera.name,
            camera.display_url,
            since=time.time(),
            live_objects=camera.live_objects,
            classes=camera.classes,
        )
        self.backoff = Backoff()
        self.process: SpawnProcess | None = None
        self.pipe: Connection | None = None
        self.last_heard = self.started = self.start_at = 0.0
        self.finished = False
        self.memory_bytes = 0
        self.memory_excess: str | None = None
        self.was_excessive = False
        self.waits_for_disk = False
        self.exit_deadline: float | None = None
        self.successor: Camera | None = None
        self._sending = threading.Lock()

    def start(self, settings: CaptureSettings, lock: VolumeLock | None) -> socket.socket:
        """Start a process, which shares the volume's lock; return our end of its data channel."""
        ours, theirs = _context.Pipe()
        channel, their_channel = channel_pair()
        process = _context.Process(
            target=run_camera,
            args=(self.camera, settings, theirs, their_channel, lock),
            name=f"camera-{self.camera.name}",
        )
        process.start()
        theirs.close()  # so that the pipe ends with the child
        their_channel.close()
        with self._sending:
            self.process, self.pipe = process, ours
        self.last_heard = self.started = time.monotonic()
        self.memory_bytes, self.memory_excess = 0, None
        return channel

    def send(self, message: Command) -> bool:
        """Send a message; False where no process takes it. May be called from any thread."""
        with self._sending:
            if self.pipe is None:
                return False
            try:
                self.pipe.send(message)
            except OSError:  # it has just ended; the supervisor's own round sees to that
                return False
        return True

    def offer(self, message: Command) -> bool:
        """Send a message without waiting; False where the process does not take it now. May be called from any
        thread."""
        if not self._sending.acquire(timeout=OFFER_S):
            return False
        try:
            if self.pipe is None or not _is_writable(self.pipe):
                return False
            self.pipe.send(message)
        except OSError:  # as in send()
            return False
        else:
            return True
        finally:
            self._sending.release()

    def reap(self) -> int | None:
        """Wait for the process that has ended, and forget it; return its exit code."""
        if self.process is None or self.pipe is None:
            return None
        self.process.join()
        code = self.process.exitcode
        with self._sending:
            self.pipe.close()
            self.process = self.pipe = None
        return code


def _is_writable(pipe: Connection) -> bool:
    """Tell whether a pipe takes a command without blocking: a socket is writable while most of its buffer is free."""
    writable = select.poll()
    writable.register(pipe.fileno(), select.POLLOUT)
    return bool(writable.poll(0))


def waits_for_disk(pid: int | None) -> bool:
    """Tell whether a process waits for a disk or share that does not answer.

    Killing it would not help, as it ends only when the wait does, and would lose the packets that it holds.
    """
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return state.rpartition(")")[2].split()[0] == "D"  # "uninterruptible sleep": proc_pid_stat(5)


def describe_exit(code: int | None, memory_bytes: int) -> str:
    """Return how a process ended.

    Args:
        code: its exit code, negative for a signal.
        memory_bytes: bytes of memory that it had.
    """
    if code == -signal.SIGKILL:  # as the kernel does where memory runs out
        return f"signal SIGKILL, at {memory_bytes // MIB} MB of memory"
    if code is not None and code < 0:
        return f"signal {signal.Signals(-code).name}"
    return f"exit code {code}"
