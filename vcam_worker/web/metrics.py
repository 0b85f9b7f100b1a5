"""Metrics of cameras, volume and queue for Prometheus. The adapter of prometheus_client.

Collectors read the figures at each scrape, in a registry of their own: the figures live in the cameras' processes, and
the library's default registry would report the supervisor's memory as if it were all of capture's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import get_args

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from shared_utils.queue.figures import QueueFigures, WorkerFigures
from vcam_worker.recording.storage.volume_figures import VolumeState
from vcam_worker.runtime.health import trouble
from vcam_worker.runtime.queue_watch import QueueState
from vcam_worker.runtime.status import CameraStatus, State
from vcam_worker.web.snapshot_cache import CacheState

CAMERA = "camera"

Value = Callable[[CameraStatus], float | None]

_GAUGES: tuple[tuple[str, str, Value], ...] = (
    ("vcam_camera_recording", "1 while a clip is open.", lambda one: one.recording),
    ("vcam_camera_fps", "Frames per second, over the last seconds.", lambda one: one.fps),
    ("vcam_live_subscriptions", "To live frames and video; clients share them.", lambda one: one.live_subscriptions),
    ("vcam_live_decoding", "1 while frames are decoded for live clients.", lambda one: one.live_decoding),
    (
        "vcam_last_packet_timestamp_seconds",
        "When the last packet arrived, since the epoch; absent before the first.",
        lambda one: one.last_packet,
    ),
    (
        "vcam_state_since_timestamp_seconds",
        "When the camera's state began, since the epoch.",
        lambda one: one.since or None,
    ),
)
_COUNTERS: tuple[tuple[str, str, Value], ...] = (
    ("vcam_packets", "Packets received.", lambda one: one.packets),
    ("vcam_bytes", "Bytes received.", lambda one: one.bytes),
    ("vcam_clips", "Clips published.", lambda one: one.clips),
    ("vcam_live_frames", "JPEGs made for live clients.", lambda one: one.live_frames),
    ("vcam_reconnects", "Connections made after the first.", lambda one: one.reconnects),
    ("vcam_skipped_frames", "Packets that were not analysed, as the machine could not keep up.", lambda one: one.late),
)


class CameraCollector(Collector):
    """Turns statuses into metrics.

    Args:
        statuses: called at each scrape.
        cache: the snapshot cache's counts.
        now: seconds since the epoch.
        live_clients: of live frames and video, by camera and kind.
    """

    def __init__(
        self,
        statuses: Callable[[], list[CameraStatus]],
        cache: Callable[[], CacheState],
        now: Callable[[], float],
        live_clients: Callable[[], Mapping[str, Mapping[str, int]]] = dict,
    ) -> None:
        self._statuses = statuses
        self._cache = cache
        self._now = now
        self._live_clients = live_clients

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics, as of now."""
        statuses = self._statuses()
        now = self._now()
        up = GaugeMetricFamily(
            "vcam_camera_up", "1 while /healthz finds nothing wrong with the camera.", labels=[CAMERA]
        )
        state = GaugeMetricFamily("vcam_camera_state", "1 for the state the camera is in.", labels=[CAMERA, "state"])
        for one in statuses:
            up.add_metric([one.name], trouble(one, now) is None)
            for word in get_args(State):
                state.add_metric([one.name, word], one.state == word)
        yield up
        yield state
        for family, rows in ((GaugeMetricFamily, _GAUGES), (CounterMetricFamily, _COUNTERS)):
            for name, text, value in rows:
                metric = family(name, text, labels=[CAMERA])
                for one in statuses:
                    number = value(one)
                    if number is not None:
                        metric.add_metric([one.name], number)
                yield metric
        clients = GaugeMetricFamily("vcam_live_clients", "Clients of live frames and video.", labels=[CAMERA, "kind"])
        for name, counts in self._live_clients().items():
            for kind, count in counts.items():
                clients.add_metric([name, kind], count)
        yield clients
        cache = self._cache()
        yield GaugeMetricFamily("vcam_snapshot_cache_entries", "Pictures held.", cache.entries)
        yield CounterMetricFamily("vcam_snapshot_cache_hits", "Requests answered without a new picture.", cache.hits)
        yield CounterMetricFamily("vcam_snapshot_encodes", "Pictures requested of the cameras.", cache.made)


_VOLUME_GAUGES: tuple[tuple[str, str, Callable[[VolumeState], float]], ...] = (
    ("vcam_volume_free_bytes", "Free bytes on the file system of VIDEO_DIR.", lambda one: one.free),
    ("vcam_volume_size_bytes", "Size of the file system of VIDEO_DIR.", lambda one: one.total),
    ("vcam_volume_min_free_bytes", "MIN_FREE_GB: recording pauses below it.", lambda one: one.min_free_bytes),
    ("vcam_volume_clips", "Finished clips.", lambda one: one.clips),
    ("vcam_volume_clip_bytes", "Bytes of finished clips.", lambda one: one.clip_bytes),
    ("vcam_outbox_clips", "Recorded clips that could not be queued yet.", lambda one: one.waiting),
    ("vcam_retention_days", "RETENTION_DAYS; 0 keeps all clips.", lambda one: one.retention_days),
    (
        "vcam_retention_kept_clips",
        "Clips beyond RETENTION_DAYS by the host's clock alone, which leapt.",
        lambda one: one.kept,
    ),
    (
        "vcam_volume_looked_at_timestamp_seconds",
        "When the volume was last measured, since the epoch.",
        lambda one: one.looked_at,
    ),
)


class VolumeCollector(Collector):
    """Turns the state of the shared volume into metrics; there are none while it is gone.

    Args:
        state: called at each scrape.
    """

    def __init__(self, state: Callable[[], VolumeState | None]) -> None:
        self._state = state

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics, as of the last poll."""
        state = self._state()
        if state is None:
            return
        for name, text, value in _VOLUME_GAUGES:
            yield GaugeMetricFamily(name, text, value(state))
        yield CounterMetricFamily(
            "vcam_deleted_clips", "Clips deleted for their age or to make room, since the start.", state.deleted
        )


_WORKER_GAUGES: tuple[tuple[str, str, Callable[[WorkerFigures], float | None]], ...] = (
    ("vcam_worker_busy", "1 while the worker has a job.", lambda one: one.job_id is not None),
    (
        "vcam_worker_last_seen_timestamp_seconds",
        "The worker's last sign of life, since the epoch.",
        lambda one: one.seen,
    ),
    (
        "vcam_worker_job_seconds",
        "Mean time of the worker's jobs since its start; absent before the first.",
        lambda one: one.job_s,
    ),
)


class QueueCollector(Collector):
    """Turns the state of the queue into metrics; but for ``vcam_queue_up``, there are none while Redis is away.

    Args:
        state: called at each scrape.
    """

    def __init__(self, state: Callable[[], QueueState | None]) -> None:
        self._state = state

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics, as of the last poll."""
        state = self._state()
        if state is None:
            return
        figures = state.figures
        yield GaugeMetricFamily("vcam_queue_up", "1 while Redis answers.", figures is not None)
        yield GaugeMetricFamily("vcam_queue_growing", "1 while new clips accumulate.", state.growing)
        if figures is None:
            return
        jobs = GaugeMetricFamily("vcam_queue_jobs", "Jobs by what they do.", labels=["state"])
        for name in ("new", "further", "running", "to_retry", "failed", "done"):
            jobs.add_metric([name], getattr(figures, name))
        yield jobs
        yield from _by_kind(
            "vcam_queue_backlog_seconds",
            "Time the workers need for the waiting jobs; absent without a worker or a finished job.",
            {"new": figures.new_backlog_s, "all": figures.backlog_s},
        )
        yield from _by_kind(
            "vcam_queue_job_seconds",
            "Mean time of the last jobs; absent before the first.",
            {"new": figures.new_job_s, "further": figures.further_job_s},
        )
        yield GaugeMetricFamily("vcam_workers", "Live workers.", len(figures.workers))
        yield from self._workers(figures)

    def _workers(self, figures: QueueFigures) -> Iterator[Metric]:
        for name, text, value in _WORKER_GAUGES:
            metric = GaugeMetricFamily(name, text, labels=["worker"])
            for one in figures.workers:
                number = value(one)
                if number is not None:
                    metric.add_metric([one.name], number)
            yield metric
        jobs = CounterMetricFamily("vcam_worker_jobs", "Jobs since the worker's start.", labels=["worker", "outcome"])
        for one in figures.workers:
            jobs.add_metric([one.name, "done"], one.done)
            jobs.add_metric([one.name, "failed"], one.failed)
        yield jobs


def _by_kind(name: str, text: str, values: Mapping[str, float | None]) -> Iterator[Metric]:
    metric = GaugeMetricFamily(name, text, labels=["kind"])
    for kind, value in values.items():
        if value is not None:
            metric.add_metric([kind], value)
    yield metric


class Metrics:
    """The response to Prometheus.

    Args:
        collectors: of the metrics in it.
    """

    def __init__(self, *collectors: Collector) -> None:
        self._registry = CollectorRegistry()
        for collector in collectors:
            self._registry.register(collector)

    def render(self, accept: str) -> tuple[bytes, str]:
        """Return the body and its content type, in the format that the ``Accept`` header asks for."""
        encode, content_type = choose_encoder(accept)
        return encode(self._registry), content_type
