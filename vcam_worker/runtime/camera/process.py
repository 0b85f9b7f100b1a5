"""The entry point of a camera's own process."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from multiprocessing.connection import Connection

from shared_utils.config.cameras import Camera
from shared_utils.errors import EXIT_FAILED, EXIT_OK
from shared_utils.log import camera_logger, setup_logging
from shared_utils.queue.jobs import connect
from vcam_worker import messages
from vcam_worker.recording.storage.outbox import Outbox
from vcam_worker.recording.storage.queue_sender import redis_enqueue
from vcam_worker.recording.storage.volume_lock import VolumeLock
from vcam_worker.runtime.camera.camera_events import CameraEvents
from vcam_worker.runtime.camera.ignored_zones import IgnoredZones
from vcam_worker.runtime.camera.runner import CameraRunner, FeedHangsError
from vcam_worker.runtime.link import ChildLink, SupervisorGoneError, waiting_events
from vcam_worker.runtime.memory import MIB, bound_own
from vcam_worker.settings import CaptureSettings

PROGRAM = "capture"
"""In the lines of its log."""


def run_camera(
    camera: Camera,
    settings: CaptureSettings,
    pipe: Connection,
    channel: socket.socket | None = None,
    lock: VolumeLock | None = None,  # noqa: ARG001  # held by being passed
) -> None:
    """Run one camera until it ends; the arguments come by a pipe, so that no password is in the process list.

    `pipe` carries status and commands, `channel` live frames and video; see :mod:`vcam_worker.live`.

    The volume's lock is held as long as this process lives, even without the supervisor.
    """
    stop = threading.Event()
    # Ctrl-C reaches all processes; the supervisor stops this one by SIGTERM
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    setup_logging(settings.log, PROGRAM, settings.secrets)
    log = camera_logger(__name__, camera.name)
    bound_own(settings.camera_memory_mb * MIB)
    code = EXIT_OK
    try:
        enqueue = redis_enqueue(settings.redis, connect(settings.redis), camera.job_options)
        waiting = waiting_events()
        events = CameraEvents(camera.name, waiting.append)
        outbox = Outbox(settings.video_dir, camera.name, log, enqueue, settings.mount, events.clip_saved)
        zones = IgnoredZones(settings.video_dir, camera.name, camera.motion.min_area, log)
        runner = CameraRunner(
            camera, settings.rules, outbox, log, stop, events, ignored=lambda: zones.polygons, channel=channel
        )
        link = ChildLink(pipe, runner.snapshot, runner.pause, runner.live, waiting)

        def exchange() -> None:
            try:
                link.exchange(runner.status)
            except SupervisorGoneError:
                stop.set()

        zones.start()
        try:
            runner.run(exchange, pipe.fileno())
        finally:
            zones.stop()
            link.send_events()
    except FeedHangsError as error:
        log.error(messages.CONNECTION_HANGS, error)  # noqa: TRY400  # our traceback does not show where it hangs
        code = EXIT_FAILED
    except MemoryError:
        log.error(messages.CAMERA_NEEDS_MEMORY, settings.camera_memory_mb)  # noqa: TRY400
        code = EXIT_FAILED
    except Exception:
        log.exception(messages.UNEXPECTED_ERROR)
        code = EXIT_FAILED
    # a feed's thread may block in the video library up to its timeout, with nothing left to do
    logging.shutdown()
    os._exit(code)
