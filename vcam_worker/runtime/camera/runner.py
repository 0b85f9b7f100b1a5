"""The loop of one camera's process: feeds in, clips out, status and snapshots for the supervisor."""

from __future__ import annotations

import logging
import select
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from shared_utils.config.cameras import Camera
from shared_utils.errors import SourceError, SourceStalled, SourceUnauthorized
from vcam_worker import messages
from vcam_worker.live.camera_side import LiveCamera
from vcam_worker.live.channel import ChannelWriter
from vcam_worker.live.commands import LiveCommand
from vcam_worker.live.kinds import live_kinds
from vcam_worker.motion.ignored import Polygons
from vcam_worker.motion.sub_stream import SubStream
from vcam_worker.motion.watcher import Backgrounds, MotionWatcher
from vcam_worker.recording.clip_logic import ClipLogic, ClipRules
from vcam_worker.recording.clip_recorder import ClipRecorder
from vcam_worker.recording.pipeline import Pipeline
from vcam_worker.recording.storage.outbox import Outbox
from vcam_worker.runtime.camera.camera_events import CameraEvents
from vcam_worker.runtime.camera.clip_publisher import ClipPublisher
from vcam_worker.runtime.camera.connection_log import ConnectionLog
from vcam_worker.runtime.camera.snapshot import snapshot_jpeg, time_label
from vcam_worker.runtime.camera.stream_counters import StreamCounters
from vcam_worker.runtime.status import CameraStatus, Snapshot, SnapshotRequest, State
from vcam_worker.stream.feed import POLL_S, Feed
from vcam_worker.stream.inbox import Connected, Finished, Inbox, Item, Lost
from vcam_worker.stream.info import StreamInfo
from vcam_worker.stream.packets import Packet
from vcam_worker.stream.timed_stream import TimedStream

BEHIND_S = 3.0
"""Delay from which packets are only recorded, and not analysed, until the loop has caught up."""
BLOCKED_S, BLOCKED_SHARE = 1.0, 0.1
"""A packet that took this long, at no more than this share of a core, waited for the disk: packets received meanwhile
are analysed nevertheless, as the machine can keep up."""
SAME_SCENE_S = 10.0
"""A connection made again within this time shows the same scene: motion is detected from its first frames on."""
IN_STEP_S = 1.0
"""Most by which the delays of main stream and sub-stream differ: HLS comes seconds late."""
WRITE_ERROR, DISK_GUARD = "write error", "disk guard"
"""Who may pause the recording: a failed write, or the supervisor, before one fails."""

Log = logging.LoggerAdapter[logging.Logger]


class FeedHangsError(Exception):
    """A feed's thread does not respond any more; only a new process helps."""


class CameraRunner:
    """Records one camera until it is to stop.

    Args:
        camera: the camera.
        rules: lengths of clips.
        outbox: takes finished clips.
        log: adds the camera's name to lines.
        stop: set to stop.
        events: takes what the camera sees.
        ignored: returns where motion is ignored; asked between packets.
        channel: takes live frames and video; None: nobody asks for any.
    """

    def __init__(
        self,
        camera: Camera,
        rules: ClipRules,
        outbox: Outbox,
        log: Log,
        stop: threading.Event,
        events: CameraEvents,
        ignored: Callable[[], Polygons] = tuple,
        channel: socket.socket | None = None,
    ) -> None:
        self._camera = camera
        self._rules = rules
        self._publisher = ClipPublisher(outbox, partial(self._pause, WRITE_ERROR), log)
        self._log = log
        self._stop = stop
        self._events = events
        self._ignored = ignored
        self._inbox: Inbox[Feed] = Inbox()
        self._main = Feed(camera, self._inbox, stop, log)
        self._detect: Feed | None = None
        if camera.detect_url:
            sub = replace(camera, url=camera.detect_url, setting=camera.setting.replace("url", "detect_url", 1))
            self._detect = Feed(sub, self._inbox, stop, log)
        self._feeds = [feed for feed in (self._main, self._detect) if feed]
        self._pipeline: Pipeline | None = None  # while the main stream is connected
        self._seen_until: float | None = None  # of the previous connection
        self._backgrounds: Backgrounds = {}  # likewise
        self._sub_stream: SubStream | None = None
        self._detect_info: StreamInfo | None = None  # while the sub-stream is connected
        self._is_out_of_step = False  # they were found not to go together
        self._connections = {
            feed: ConnectionLog(feed.camera.display_url, is_main=feed is self._main, log=log) for feed in self._feeds
        }
        self._undecodable: str | None = None  # why nothing can be decoded
        self._pauses: dict[str, str] = {}  # who wants a pause, and why
        self._blocked_until = 0.0
        self._status = CameraStatus(
            camera.name,
            camera.display_url,
            since=time.time(),
            live_objects=camera.live_objects,
            classes=camera.classes,
        )
        self._counters = StreamCounters()
        self._live = LiveCamera(live_kinds(ChannelWriter(channel), lambda: self._watcher))

    def run(self, exchange: Callable[[], None], exchange_file: int) -> None:
        """Record until stopped, or until a file is at its end.

        Args:
            exchange: called at least once per second, between packets.
            exchange_file: descriptor; `exchange` is called as soon as it is readable.
        """
        wanted = select.poll()
        for descriptor in (self._inbox.fileno(), exchange_file):
            wanted.register(descriptor, select.POLLIN)
        self._publisher.start()
        for one in self._feeds:
            one.start()
        try:
            while not self._stop.is_set():
                exchange()
                self._ignore_motion()
                self._publisher.retry()
                for one in self._feeds:
                    if one.hangs():
                        raise FeedHangsError(one.camera.display_url)
                wanted.poll(POLL_S * 1000)
                for feed, item in self._inbox.take():
                    if isinstance(item, Finished):
                        self._log.info(messages.FILE_ENDED, self._camera.display_url)
                        return
                    self._guarded(feed, item)
        finally:
            self._end_recorder()
            self._events.close()
            self._publisher.stop()

    # -- items of the inbox

    def _guarded(self, feed: Feed, item: Item) -> None:
        """Process one item; a failed write costs the rest of the open clip, not the camera."""
        began, cpu = time.monotonic(), time.thread_time()
        try:
            self._take(feed, item)
        except SourceError as error:  # the stream has become one that cannot be recorded
            self._end_recorder()
            feed.give_up(error)
        except OSError as error:
            if self._pipeline:
                self._pipeline.recorder.abandon()
            self._publisher.write_failed(error)
        took = time.monotonic() - began
        if took > BLOCKED_S and time.thread_time() - cpu < BLOCKED_SHARE * took:
            self._blocked_until = began + took

    def _take(self, feed: Feed, item: Item) -> None:
        if isinstance(item, Packet):
            self._packet(feed, item)
        elif isinstance(item, Connected):
            self._connected(feed, item.info)
        elif isinstance(item, Lost):
            self._lost(feed, item.error)

    def _packet(self, feed: Feed, packet: Packet) -> None:
        ready = max(packet.arrived, packet.ready)
        is_timely = time.monotonic() - ready < BEHIND_S or ready <= self._blocked_until
        # when stopping, waiting packets are recorded, and no time is spent on new motion
        packet.is_late = not is_timely or self._stop.is_set()
        if feed is self._detect:
            if self._sub_stream:
                self._sub_stream.feed(packet)
                self._check_decoding()
            return
        if self._pipeline is None:
            return
        self._counters.count(packet)
        self._pipeline.feed(packet)
        if packet.is_keyframe:
            self._describe(self._pipeline.recorder.info)
        self._check_decoding()

    def _check_decoding(self) -> None:
        """Report once that packets cannot be decoded, and once that they can again; they are recorded in any case."""
        watcher = self._watcher
        if watcher is None:
            return
        health = watcher.health
        if health.trouble and not self._undecodable:
            self._undecodable = health.trouble
            self._log.warning(messages.NOT_DECODABLE, health.trouble)
            self._show_pause()
        elif health.is_well and self._undecodable:
            self._undecodable = None
            self._log.info(messages.DECODABLE_AGAIN)
            self._show_pause()

    def _connected(self, feed: Feed, info: StreamInfo) -> None:
        away_s = self._connections[feed].connected(info)
        if feed is self._detect:
            self._detect_info = info
            self._use_detect_stream()
            self._ignore_motion()
            return
        self._end_recorder()
        first = self._status.codec is None
        self._status = replace(self._status, reconnects=self._status.reconnects + (not first))
        self._describe(info)
        self._show_pause()
        motion = self._camera.motion
        stream = TimedStream(info, self._log, live=True, seen_until=self._seen_until)
        recorder = ClipRecorder(
            stream, ClipLogic.of(self._rules, motion), self._publisher, self._log, self._events.motion
        )
        is_same_scene = away_s is not None and away_s < SAME_SCENE_S
        watcher = MotionWatcher(info, motion, backgrounds=self._backgrounds if is_same_scene else None)
        self._pipeline = Pipeline(stream, recorder, watcher)
        recorder.pause(bool(self._pauses))
        self._use_detect_stream()
        self._ignore_motion()
        self._live.connected(self._pipeline)

    def _use_detect_stream(self) -> None:
        """Watch the sub-stream instead of the main stream, as soon as both are connected.

        The two are aligned by arrival: HLS, which comes late, goes with HLS alone.
        """
        if self._pipeline and self._detect_info:
            if abs(self._pipeline.stream.info.delay_s - self._detect_info.delay_s) > IN_STEP_S:
                if not self._is_out_of_step:
                    self._log.warning(messages.SUB_STREAM_OUT_OF_STEP)
                self._is_out_of_step = True
                return
            motion = self._camera.motion
            self._sub_stream = SubStream(self._detect_info, motion, self._pipeline.stream, self._pipeline.recorder)
            self._pipeline.watcher = None

    def _ignore_motion(self) -> None:
        """Have the watcher ignore motion where the camera's zones say so, as of now."""
        if watcher := self._watcher:
            watcher.ignore(self._ignored())

    @property
    def _watcher(self) -> MotionWatcher | None:
        """The watcher in use, of either stream."""
        if self._sub_stream:
            return self._sub_stream.watcher
        return self._pipeline.watcher if self._pipeline else None

    def _describe(self, info: StreamInfo) -> None:
        self._status = replace(
            self._status, codec=info.codec, width=info.width, height=info.height, transport=info.transport
        )

    def _lost(self, feed: Feed, error: SourceError) -> None:
        is_main = feed is not self._detect
        if is_main:
            self._end_recorder()
            self._set_state(_state_of(error), str(error))
        else:
            self._sub_stream = self._detect_info = None
            if self._pipeline and not self._pipeline.watcher:
                self._pipeline.watcher = MotionWatcher(self._pipeline.recorder.info, self._camera.motion)
                self._ignore_motion()
        self._connections[feed].lost(error)

    def _end_recorder(self) -> None:
        if self._pipeline:
            self._live.lost()
            pipeline, self._pipeline = self._pipeline, None
            self._sub_stream = None
            self._seen_until = pipeline.stream.seen_until
            self._backgrounds = pipeline.watcher.backgrounds if pipeline.watcher else {}
            try:
                pipeline.close()
            except OSError as error:
                self._publisher.write_failed(error)
            except SourceError as error:
                self._publisher.not_finished(error)

    # -- for the supervisor

    def status(self) -> CameraStatus:
        """Return the camera's status."""
        self._events.check()
        for connection in self._connections.values():
            connection.check_steady()
        is_recording = bool(self._pipeline and self._pipeline.recorder.recording)
        status = replace(self._status, recording=is_recording, clips=self._publisher.clips)
        return self._live.added_to(self._counters.added_to(status))

    def snapshot(self, request: SnapshotRequest) -> Snapshot | None:
        """Return the newest decoded frame as JPEG; None before the first."""
        watcher = self._watcher
        picture = watcher.picture(request.width) if watcher else None
        if watcher is None or picture is None or self._counters.last_packet is None:
            return None
        taken = self._counters.last_packet - watcher.picture_age
        label = time_label(self._camera.name, taken) if request.timestamp else None
        return Snapshot(snapshot_jpeg(picture, request.quality, label), taken)

    def live(self, command: LiveCommand) -> None:
        """Begin, change or end a subscription to live frames or video."""
        self._live.command(command)

    def pause(self, reason: str | None) -> None:
        """Pause recording for `reason`, or resume it without one, as the supervisor commands."""
        self._pause(DISK_GUARD, reason)

    def _pause(self, who: str, reason: str | None) -> None:
        before = bool(self._pauses)
        if reason:
            self._pauses[who] = reason
        else:
            self._pauses.pop(who, None)
        if bool(self._pauses) != before:
            if reason:
                self._log.warning(messages.RECORDING_PAUSED, reason)
            else:
                self._log.info(messages.RECORDING_RESUMED)
        if self._pipeline:
            try:
                self._pipeline.recorder.pause(bool(self._pauses))
            except OSError as error:  # the open clip cannot be finished; it is closed already
                self._publisher.write_failed(error)
            except SourceError as error:
                self._publisher.not_finished(error)
            self._show_pause()

    def _show_pause(self) -> None:
        if self._pauses:
            self._set_state("paused", next(iter(self._pauses.values())))
        else:
            self._set_state("undecodable" if self._undecodable else "running", self._undecodable)

    def _set_state(self, state: State, reason: str | None) -> None:
        if state != self._status.state:
            self._status = replace(self._status, state=state, since=time.time())
        self._status = replace(self._status, reason=reason)


def _state_of(error: SourceError) -> State:
    if isinstance(error, SourceUnauthorized):
        return "unauthorized"
    return "stalled" if isinstance(error, SourceStalled) else "offline"
