"""``python -m video_worker live``: runs the live worker from its settings."""

from __future__ import annotations

import logging
import socket
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import datetime

import numpy as np

from shared_utils.contracts.events import Event
from shared_utils.contracts.zones import ZONES_FOLDER
from shared_utils.errors import EXIT_OK, ModelError, SettingError
from shared_utils.log import setup_logging
from shared_utils.queue.event_publisher import EventPublisher
from shared_utils.queue.live_boxes import BoxesPublisher
from shared_utils.version import VERSION
from video_worker import messages
from video_worker.live.camera import Analysis
from video_worker.live.journal import Journal
from video_worker.live.settings import LiveSettings
from video_worker.live.volume import LiveVolume
from video_worker.live.worker import LiveWorker
from video_worker.models.own import OwnModel, load_own_model
from video_worker.pipeline.zone_tools import ZoneTools
from video_worker.queue.stop import Stop
from video_worker.readers.settings import ReaderSettings
from video_worker.settings import AnalysisSettings

PROGRAM = "live"
"""In the lines of its log, and in its events."""
THREADS = 1
"""Threads of inference: the clips' workers have the other cores. A frame of 640×384 takes 30 ms in one."""
READ_THREADS = 2
"""Threads that read zones: 20 readings per second of 30 ms each, and one that is slow."""
SHAPES = 6
"""Shapes of pictures kept ready: cameras of 16:9, 4:3, upright ones. Each takes 45 MB and a quarter of a second."""
USUAL_WH = 1280, 720
"""Size of the picture that the model is tried on before the first camera: most are of this shape."""

logger = logging.getLogger(__name__)


def live(values: Mapping[str, str]) -> int:
    """Analyse live frames until stopped; return the exit code.

    Raises:
        SettingError: a setting is wrong.
        VolumeInUse: another live worker serves this volume.
    """
    settings = LiveSettings.from_env(values)
    secrets = [settings.redis.password] if settings.redis.password else []
    setup_logging(settings.log, PROGRAM, [*secrets, *ReaderSettings.from_env(values).secrets])
    own = load_own_model(AnalysisSettings.from_env(values), THREADS, SHAPES)
    _warm_up(own)
    stop = Stop(0)
    stop.install()
    with ExitStack() as stack:
        volume = LiveVolume(settings.video_dir)
        volume.take_lock()
        stack.callback(volume.release)
        volume.remove_partials()
        publisher = EventPublisher(settings.redis)
        publisher.start()
        stack.callback(publisher.stop)

        def report_trouble(what: str, reason: str, over: bool) -> None:
            publisher.publish(_service("trouble", what=what, reason=reason, over=over))

        publisher.publish(_service("started"))
        # whatever ends it, and after the last event
        stack.callback(lambda: publisher.publish(_service("stopped")))
        journal = stack.enter_context(Journal(volume, publisher, report_trouble))
        journal.start()
        viewers = stack.enter_context(BoxesPublisher(settings.redis))
        viewers.start()
        tools = ZoneTools.from_env(values, READ_THREADS)
        analysis = Analysis(
            own.model,
            own.models,
            own.options,
            journal,
            viewers,
            tools=tools,
            zones_dir=settings.video_dir / ZONES_FOLDER,
        )
        worker = stack.enter_context(
            LiveWorker(settings.capture_url, settings.fps, analysis, volume, journal, report_trouble)
        )
        logger.info(messages.LIVE_READY, own.description, settings.capture_url, settings.video_dir)
        worker.run(lambda: stop.requested)
    logger.info(messages.LIVE_STOPPED)
    return EXIT_OK


def _warm_up(own: OwnModel) -> None:
    """Run the model once: it is compiled at its first picture, and the first camera would wait for that."""
    width, height = USUAL_WH
    picture = np.zeros((height, width, 3), np.uint8)
    try:
        own.model.detector.start(picture, own.options.imgsz, 1.0)()
    except ModelError as error:
        raise SettingError(f"YOLO_MODEL is {own.model.name!r}: {error}") from None


def _service(value: str, **more: object) -> Event:
    about = {"program": PROGRAM, "version": VERSION, "host": socket.gethostname()}
    return Event("service", datetime.now().astimezone(), value=value, more={**about, **more})
