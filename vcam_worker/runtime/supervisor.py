"""Runs one process per camera: restarts those that end, and kills those that hang or take too much memory."""

from __future__ import annotations

import logging
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.connection import wait
from types import FrameType
from typing import Protocol

from shared_utils.config.cameras import Camera
from shared_utils.contracts.camera_log import camera_log_path
from shared_utils.contracts.events import Event
from shared_utils.errors import EXIT_FAILED, EXIT_OK, QueueUnavailable
from shared_utils.queue.jobs import connect, redis_errors
from shared_utils.redact import Redactor
from vcam_worker import messages
from vcam_worker.live.commands import LiveCommand
from vcam_worker.recording.storage.volume_lock import VolumeLock
from vcam_worker.runtime import memory
from vcam_worker.runtime.answers import Answers
from vcam_worker.runtime.camera_log import CameraLogWriter
from vcam_worker.runtime.camera_process import CameraProcess, describe_exit, waits_for_disk
from vcam_worker.runtime.cameras_watch import CamerasWatch
from vcam_worker.runtime.capture_events import CaptureEvents
from vcam_worker.runtime.link import PauseCommand, SnapshotCommand, SnapshotReply
from vcam_worker.runtime.status import CameraStatus, Snapshot, SnapshotRequest
from vcam_worker.settings import CaptureSettings

POLL_S = 1.0
MEMORY_POLL_S = 0.25
"""Interval between checks of the processes' memory: a hostile stream of 1 Gb/s adds 30 MB in between."""
HEALTHY_S = 60.0
"""Running time of a process after which its restart delay begins again with the shortest."""
MEMORY_HEALTHY_S = 600.0
"""The same for a process whose predecessor took too much memory."""
HANG_S = 60.0
"""Silence after which a camera's process is killed; it sends its status every second."""
STOP_S = 10.0
"""Time to close, publish and queue open clips; the container's grace period is longer."""
SNAPSHOT_S = 5.0
"""Longest wait for a snapshot: a camera's process replies between two packets."""


class Channels(Protocol):
    """Who reads the data channels of cameras' processes, such as :class:`vcam_worker.live.hub.Hub`."""

    def attach(self, camera: str, channel: socket.socket, offer: Callable[[LiveCommand], bool]) -> None:
        """Take the data channel of a camera's process that was just started.

        `offer` hands a command to it without waiting; False where it is not taken now.
        """

    def remove(self, camera: str) -> None:
        """A camera is gone for good: removed from the settings, or a file at its end."""


class Supervisor:
    """Runs all cameras until a signal, or until every one of them (a file) is at its end. The `Board` of the pages.

    Args:
        settings: what to record, and where.
        watch: detects changes of the cameras; None: there are none.
        redact: masks secrets in text; those of changed cameras are added.
        lock: of the volume, held already, and shared with the cameras' processes.
        may_start: whether a camera's process may be started; not while clips that the camera left when it was removed
            are still being taken over.
        channels: gets the data channel of each camera's process; None: they are closed.
        events: takes what happens to cameras and to capture.
    """

    def __init__(
        self,
        settings: CaptureSettings,
        watch: CamerasWatch | None = None,
        redact: Redactor | None = None,
        lock: VolumeLock | None = None,
        may_start: Callable[[str], bool] = lambda _: True,
        channels: Channels | None = None,
        events: CaptureEvents | None = None,
    ) -> None:
        self._settings = settings
        self._lock = lock
        self._may_start = may_start
        self._channels = channels
        self._events = events or CaptureEvents(lambda _: None)
        self._log = logging.getLogger(__name__)
        self._watch = watch
        self._redact = redact or Redactor(settings.secrets)
        # replaced as a whole and never modified, as other threads iterate over it
        self._children = [CameraProcess(one) for one in settings.cameras]
        self._camera_log = CameraLogWriter(camera_log_path(settings.video_dir), self.statuses, self._redact)
        self._signals = 0
        self._pause_reason: str | None = None
        self._answers: Answers[Snapshot] = Answers()

    def run(self) -> int:
        """Run until the end; return the exit code."""
        names = ", ".join(child.camera.name for child in self._children)
        self._log.info(messages.CAPTURE_STARTED, names, self._settings.video_dir)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        self._camera_log.start()
        self._events.service("started")
        try:
            while not self._signals and not all(child.finished for child in self._children):
                self._round()
                self._check_cameras_file()
        finally:
            self._camera_log.stop()
            clean = self._stop_all()
            self._camera_log.join()
            self._events.service("stopped")
        self._log.info(messages.CAPTURE_STOPPED)
        return EXIT_OK if clean else EXIT_FAILED

    # -- the Board of the pages, called from other threads

    def statuses(self) -> list[CameraStatus]:
        """Return every camera's status, in the order of the settings."""
        return [child.status for child in self._children]

    def snapshot(self, name: str, request: SnapshotRequest) -> Snapshot | None:
        """Have a camera's process encode its newest frame; None without one, or without a timely reply.

        Raises:
            KeyError: there is no such camera.
        """
        child = next((one for one in self._children if one.camera.name == name), None)
        if child is None:
            raise KeyError(name)
        with self._answers.expect() as number:
            if not child.send(SnapshotCommand(number, request)):
                return None
            return self._answers.wait_for(number, SNAPSHOT_S)

    def pause(self, reason: str | None) -> None:
        """Pause all recording for `reason`, or resume it without one."""
        if reason == self._pause_reason:
            return
        self._pause_reason = reason
        for child in self._children:
            child.send(PauseCommand(reason))

    # -- the processes

    def check_redis(self) -> None:
        """Log once, before the start, if Redis is unreachable.

        Raises:
            SettingError: Redis rejects the password.
        """
        try:
            with redis_errors(self._settings.redis):
                connect(self._settings.redis).ping()
        except QueueUnavailable as error:
            self._log.warning(messages.REDIS_UNREACHABLE_AT_START, error)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self._signals += 1
        if self._signals > 1:
            for child in self._children:
                if child.process:
                    child.process.kill()

    def _round(self) -> None:
        for child in self._children:
            due = child.process is None and not child.finished and time.monotonic() >= child.start_at
            if due and self._may_start(child.camera.name):
                self._start(child)
        pipes = [child.pipe for child in self._children if child.pipe]
        if not pipes:
            time.sleep(POLL_S)
        for ready in wait(pipes, timeout=MEMORY_POLL_S) if pipes else []:
            self._receive(next(child for child in self._children if child.pipe is ready))
        self._check_memory()
        self._check_hangs()
        hangs = any(child.waits_for_disk for child in self._children)
        self._events.check(self.statuses(), pause_reason=self._pause_reason, volume_hangs=hangs)

    def _check_hangs(self) -> None:
        for child in self._children:
            silent = time.monotonic() - child.last_heard > HANG_S
            if child.process is None:
                continue
            if silent and not child.exit_deadline and waits_for_disk(child.process.pid):
                if not child.waits_for_disk:
                    child.log.warning(messages.VOLUME_HANGS, HANG_S)
                child.waits_for_disk = True
            elif silent:
                child.log.error(messages.CAMERA_PROCESS_SILENT, HANG_S)
                child.process.kill()
                self._reap(child)
            elif child.exit_deadline and time.monotonic() > child.exit_deadline:
                child.log.error(messages.CAMERA_PROCESS_NOT_ENDING, STOP_S)
                child.process.kill()
                self._reap(child)

    def _check_memory(self) -> None:
        """Kill a process that takes too much, before the machine or the container runs out of memory and all end."""
        limit = self._settings.camera_memory_mb
        for child in self._children:
            if child.process is None or child.process.pid is None:
                continue
            child.memory_bytes = memory.taken(child.process.pid) or child.memory_bytes
            if limit and child.memory_bytes > limit * memory.MIB and child.memory_excess is None:
                taken_mb = child.memory_bytes // memory.MIB
                child.memory_excess = f"it took {taken_mb} MB of memory, CAMERA_MEMORY_MB allows {limit}"
                child.process.kill()

    def _check_cameras_file(self) -> None:
        cameras = self._watch.changed() if self._watch else None
        if cameras is not None:
            self._take_cameras(cameras)

    def _take_cameras(self, cameras: list[Camera]) -> None:
        """Record `cameras` from now on, without touching the unchanged ones."""
        self._settings = replace(self._settings, cameras=cameras)
        self._redact.add(self._settings.secrets)
        wanted = {camera.name: camera for camera in cameras}
        known = {child.camera.name: child for child in self._children}
        leaving = [one for one in self._children if one.exit_deadline or wanted.get(one.camera.name) != one.camera]
        order = [known.get(camera.name) or CameraProcess(camera) for camera in cameras]
        self._children = order + [child for child in self._children if child.camera.name not in wanted]
        changes = {
            "new": [name for name in wanted if name not in known],
            "changed": [child.camera.name for child in leaving if child.camera.name in wanted],
            "gone": [name for name in known if name not in wanted],
        }
        for child in leaving:
            child.successor = wanted.get(child.camera.name)
            self._retire(child)
        summary = "; ".join(f"{what}: {', '.join(names)}" for what, names in changes.items() if names)
        if summary:
            self._log.info(messages.CAMERAS_CHANGED, summary)

    def _retire(self, child: CameraProcess) -> None:
        """Stop a camera's process, which finishes its open clip first."""
        if child.process is None:
            self._replace_by_successor(child)
        elif not child.exit_deadline:
            child.exit_deadline = time.monotonic() + STOP_S
            child.process.terminate()

    def _replace_by_successor(self, child: CameraProcess) -> None:
        """Replace the ended camera by its changed one, or by none."""
        successor = [CameraProcess(child.successor)] if child.successor else []
        place = self._children.index(child)
        self._children = [*self._children[:place], *successor, *self._children[place + 1 :]]
        if not successor and self._channels:
            self._channels.remove(child.camera.name)

    def _start(self, child: CameraProcess) -> None:
        channel = child.start(self._settings, self._lock)
        if self._channels:
            self._channels.attach(child.camera.name, channel, child.offer)
        else:
            channel.close()
        if self._pause_reason:
            child.send(PauseCommand(self._pause_reason))

    def _receive(self, child: CameraProcess) -> None:
        if child.pipe is None:
            return
        try:
            message = child.pipe.recv()
        except (EOFError, OSError):
            self._reap(child)
            return
        child.last_heard = time.monotonic()
        if child.waits_for_disk:
            child.waits_for_disk = False
            child.log.info(messages.VOLUME_ANSWERS_AGAIN)
        if isinstance(message, CameraStatus):
            child.status = message
        elif isinstance(message, Event):
            self._events.forward(message)
        elif isinstance(message, SnapshotReply):
            self._answers.put(message.number, message.snapshot)

    def _reap(self, child: CameraProcess) -> None:
        """Release a process that has ended, and schedule the next one."""
        if child.process is None or child.pipe is None:
            return
        code = child.reap()
        if child.exit_deadline:
            self._replace_by_successor(child)
            return
        if code == EXIT_OK:
            child.finished = True
            if self._channels:
                self._channels.remove(child.camera.name)
            child.status = replace(child.status, state="stopped", reason=None, since=time.time())
            return
        healthy = MEMORY_HEALTHY_S if child.was_excessive else HEALTHY_S
        child.was_excessive = child.memory_excess is not None
        if time.monotonic() - child.started >= healthy:
            child.backoff.reset()
        delay = child.backoff.delay()
        child.start_at = time.monotonic() + delay
        reason = f"the camera's process ended ({child.memory_excess or describe_exit(code, child.memory_bytes)})"
        child.status = replace(child.status, state="stopped", reason=reason, since=time.time())
        if not self._signals:
            child.log.error(messages.CAMERA_PROCESS_ENDED, reason, delay)

    def _stop_all(self) -> bool:
        """Stop all processes in time; return whether all ended well."""
        running = [child for child in self._children if child.process]
        processes = [child.process for child in running if child.process]
        for process in processes:
            process.terminate()
        deadline = time.monotonic() + STOP_S
        # a process may be sending a snapshot larger than the pipe's buffer: unread, it would block forever
        while (pipes := [child.pipe for child in running if child.pipe]) and time.monotonic() < deadline:
            for ready in wait(pipes, timeout=deadline - time.monotonic()):
                self._receive(next(child for child in running if child.pipe is ready))
        for process in processes:
            process.join(max(0.0, deadline - time.monotonic()))
            if process.is_alive():
                process.kill()
                process.join()
        # one that was just started handles no signal yet, and has nothing to finish
        return all(process.exitcode in (EXIT_OK, -signal.SIGTERM) for process in processes)
