"""One camera, for ever: its feeds, its recorder, its outbox. Runs in a process of its own."""

from __future__ import annotations

import logging
import select
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from shared_utils.config.cameras import Camera
from shared_utils.errors import SourceError, SourceStalled, SourceUnauthorized
from vcam_worker import messages
from vcam_worker.motion.detect_stream import DetectStream
from vcam_worker.motion.snapshot import snapshot_jpeg, time_label
from vcam_worker.motion.watcher import Backgrounds
from vcam_worker.recording.events import ClipRules
from vcam_worker.recording.recorder import ClipWriter
from vcam_worker.recording.session import FinishedClip
from vcam_worker.recording.storage.outbox import Outbox, QueueSender
from vcam_worker.recording.stream_recorder import StreamRecorder
from vcam_worker.runtime.status import CameraStatus, Snapshot, SnapshotRequest, State
from vcam_worker.stream.feed import POLL_SECONDS, Connected, Feed, Finished, Inbox, Item, Lost
from vcam_worker.stream.losses import Losses
from vcam_worker.stream.packets import Packet
from vcam_worker.stream.source import StreamInfo

BEHIND_SECONDS = 3.0
"""Lag from which frames are recorded without being looked at, until the lag is gone."""
BLOCKED_SECONDS, BLOCKED_SHARE = 1.0, 0.1
"""A packet that took so long, at no more than that share of a core, waited for the disk: what came meanwhile is looked
at all the same, as the machine can keep up."""
STOP_SECONDS = 6.0
"""Time to queue the last clips when stopping; what is left is queued at the next start."""
SAME_SCENE_SECONDS = 10.0
"""A connection made again so soon shows what the one before did: motion is found from its first pictures on."""
FPS_WINDOW = 5.0
"""Seconds over which the frame rate is measured."""
DISK_RETRY = 5.0
"""Seconds until a file that could not be written is tried again."""
WRITE_ERROR, DISK_GUARD = "write error", "disk guard"
"""Who may pause the recording: a write that failed, or the supervisor, before one does."""

Log = logging.LoggerAdapter[logging.Logger]


class FeedHangsError(Exception):
    """A feed's thread can not be reached any more; only a new process helps."""


class CameraRunner:
    """Keeps one camera recorded until told to stop.

    Args:
        camera: which.
        rules: lengths of clips.
        outbox: takes finished clips.
        log: carries the camera's name.
        stop: set by others to end.
    """

    def __init__(self, camera: Camera, rules: ClipRules, outbox: Outbox, log: Log, stop: threading.Event) -> None:
        self._camera = camera
        self._rules = rules
        self._outbox = outbox
        self._sender = QueueSender(outbox)
        self._log = log
        self._stop = stop
        self._inbox = Inbox()
        self._main = Feed(camera, self._inbox, stop, log)
        self._detect: Feed | None = None
        if camera.detect_url:
            sub = replace(camera, url=camera.detect_url, setting=camera.setting.replace("url", "detect_url", 1))
            self._detect = Feed(sub, self._inbox, stop, log)
        self._feeds = [feed for feed in (self._main, self._detect) if feed]
        self._recorder: StreamRecorder | None = None
        self._seen_until: float | None = None  # of the connection before
        self._backgrounds: Backgrounds = {}  # likewise
        self._detector: DetectStream | None = None
        self._detect_info: StreamInfo | None = None  # while the sub-stream is connected
        self._away: dict[Feed, float] = {}
        self._losses = {feed: Losses() for feed in self._feeds}
        self._left_out: set[str] = set()  # what was said to be left out
        self._undecodable: str | None = None  # why no picture can be made of what comes
        self._pauses: dict[str, str] = {}  # who wants a pause, and why
        self._disk_retry_at = 0.0
        self._blocked_until = 0.0
        self._status = CameraStatus(camera.name, camera.shown, since=time.time())
        self._fps_mark = (time.monotonic(), 0)
        self._last_packet: float | None = None
        self._frames = self._packets = self._bytes = self._behind = 0

    def run(self, exchange: Callable[[], None], exchange_file: int) -> None:
        """Record until stopped, or until a file is at its end.

        Args:
            exchange: called at least once a second, between packets.
            exchange_file: descriptor; `exchange` is called as soon as it can be read from.
        """
        wanted = select.poll()
        for descriptor in (self._inbox.fileno(), exchange_file):
            wanted.register(descriptor, select.POLLIN)
        try:
            self._outbox.recover()
        except OSError as error:
            self._not_writable(error)
        self._sender.start()
        for one in self._feeds:
            one.start()
        try:
            while not self._stop.is_set():
                exchange()
                self._retry_disk()
                for one in self._feeds:
                    if one.hangs():
                        raise FeedHangsError(one.camera.shown)
                wanted.poll(POLL_SECONDS * 1000)
                for feed, item in self._inbox.take():
                    if isinstance(item, Finished):
                        self._log.info(messages.FILE_ENDED, self._camera.shown)
                        return
                    self._guarded(feed, item)
        finally:
            self._end_recorder()
            self._leave_behind()
            self._sender.stop(STOP_SECONDS)

    # -- what happens

    def _guarded(self, feed: Feed, item: Item) -> None:
        """Take one item; a disk that refuses to be written to costs the open clip's rest, not the camera."""
        began, cpu = time.monotonic(), time.thread_time()
        try:
            self._take(feed, item)
        except SourceError as error:  # the stream has become something that can not be recorded
            self._end_recorder()
            feed.give_up(error)
        except OSError as error:
            if self._recorder:
                self._recorder.abandon()
            self._not_writable(error)
        took = time.monotonic() - began
        if took > BLOCKED_SECONDS and time.thread_time() - cpu < BLOCKED_SHARE * took:
            self._blocked_until = began + took

    def _not_writable(self, error: OSError) -> None:
        """Pause until the disk takes data again; folders that were deleted are made again at once."""
        if isinstance(error, FileNotFoundError) and self._recovers():
            return
        self._disk_retry_at = time.monotonic() + DISK_RETRY
        self._pause(WRITE_ERROR, f"VIDEO_DIR can not be written to ({error.strerror or error})")

    def _not_finished(self, error: SourceError) -> None:
        """Save what there is of a clip that the muxer does not finish."""
        self._log.warning(messages.CLIP_NOT_FINISHED, error)
        self._recovers()

    def _recovers(self) -> bool:
        """Save what there is on disk of a clip, if the disk takes it."""
        try:
            self._outbox.check_room()
            self._outbox.recover()
        except OSError as error:
            self._log.debug("still not writable: %s", error)
            return False
        self._sender.wake()
        return True

    def _retry_disk(self) -> None:
        """After a failed write: save what there is of the clip as soon as the disk takes it, and go on."""
        if WRITE_ERROR not in self._pauses or time.monotonic() < self._disk_retry_at:
            return
        self._disk_retry_at = time.monotonic() + DISK_RETRY
        if self._recovers():
            self._pause(WRITE_ERROR, None)

    def _leave_behind(self) -> None:
        """At the end: what could not be published must be on disk, for the next start to recover."""
        if WRITE_ERROR not in self._pauses:
            return
        try:
            self._outbox.salvage()
        except OSError as error:
            self._log.warning(messages.CLIP_LEFT_OPEN, error)
        else:
            self._log.warning(messages.RECOVERY_AT_NEXT_START)

    def _take(self, feed: Feed, item: Item) -> None:
        if isinstance(item, Packet):
            self._packet(feed, item)
        elif isinstance(item, Connected):
            self._connected(feed, item.info)
        elif isinstance(item, Lost):
            self._lost(feed, item.error)

    def _packet(self, feed: Feed, packet: Packet) -> None:
        is_timely = time.monotonic() - packet.arrived < BEHIND_SECONDS or packet.arrived <= self._blocked_until
        # once it is to end, what waits is recorded, and no time is spent on new motion
        analyse = is_timely and not self._stop.is_set()
        if feed is self._detect:
            if self._detector:
                self._detector.feed(packet, analyse=analyse)
                self._look_at_decoding()
            return
        if self._recorder is None:
            return
        self._frames += packet.kind == "video"
        self._last_packet = packet.wall
        self._packets += 1
        self._bytes += len(packet.data)
        self._behind += not analyse
        self._recorder.feed(packet, analyse=analyse)
        if packet.is_keyframe:
            self._describe(self._recorder.info)
        self._look_at_decoding()

    def _look_at_decoding(self) -> None:
        """Report once that no picture can be made of what comes, and once that it can again; packets are recorded."""
        looked_at = self._detector or self._recorder
        health = looked_at.health if looked_at else None
        if health is None:
            return
        if health.trouble and not self._undecodable:
            self._undecodable = health.trouble
            self._log.warning(messages.NOT_DECODABLE, health.trouble)
            self._show_pause()
        elif health.is_well and self._undecodable:
            self._undecodable = None
            self._log.info(messages.DECODABLE_AGAIN)
            self._show_pause()

    def _connected(self, feed: Feed, info: StreamInfo) -> None:
        away = self._away.pop(feed, None)
        what = "sub-stream" if feed is self._detect else "picture"
        level = logging.INFO if self._losses[feed].back(time.monotonic()) else logging.DEBUG
        if away is not None:
            self._log.log(level, messages.CONNECTED_AGAIN, what, time.monotonic() - away, info)
        else:
            self._log.info(messages.CONNECTED, feed.camera.shown, info)
        if not info.width:
            self._log.log(level, messages.KEYFRAME_AWAITED)
        if feed is self._detect:
            self._detect_info = info
            self._use_detect_stream()
            return
        self._end_recorder()
        first = self._status.codec is None
        self._status = replace(self._status, reconnects=self._status.reconnects + (not first))
        self._describe(info)
        self._show_pause()
        for line in info.left_out:
            if line not in self._left_out:
                self._left_out.add(line)
                self._log.info(messages.STREAM_LEFT_OUT, line)
        self._recorder = StreamRecorder(
            info,
            self._camera.motion,
            self._rules,
            live=True,
            open_clip=self._open_clip,
            on_clip=self._publish,
            log=self._log,
            seen_until=self._seen_until,
            backgrounds=self._backgrounds if away and time.monotonic() - away < SAME_SCENE_SECONDS else None,
        )
        self._recorder.pause(bool(self._pauses))
        self._use_detect_stream()

    def _use_detect_stream(self) -> None:
        """Look at the sub-stream instead of the main one, as soon as both are there."""
        if self._recorder and self._detect_info:
            self._detector = DetectStream(self._detect_info, self._camera.motion, self._recorder)
            self._recorder.watch(on=False)

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
            self._detector = self._detect_info = None
            if self._recorder:
                self._recorder.watch(on=True)
        self._away.setdefault(feed, time.monotonic())
        report = self._losses[feed].lost(time.monotonic())
        if report == "habit":
            self._log.warning(
                messages.CONNECTION_ENDS_HABITUALLY,
                feed.camera.shown,
                error,
            )
        elif report is None:
            self._log.debug("lost: %s", error)
        elif is_main:
            self._log.warning(messages.NO_PICTURE, error)
        else:
            self._log.warning(messages.NO_SUB_STREAM, error)

    # -- clips

    def _open_clip(self, info: StreamInfo, start: float, started_at: datetime) -> ClipWriter:
        return ClipWriter(self._outbox.open_work(started_at), info, start, started_at)

    def _publish(self, clip: FinishedClip) -> None:
        name = self._outbox.publish(clip.path, clip.started_at)
        size = self._outbox.path_of(name).stat().st_size
        self._log.info(messages.CLIP_SAVED, name, clip.summary.seconds, size / 1e6)
        self._status = replace(self._status, clips=self._status.clips + 1)
        self._sender.wake()

    def _end_recorder(self) -> None:
        if self._recorder:
            recorder, self._recorder = self._recorder, None
            self._detector = None
            self._seen_until, self._backgrounds = recorder.seen_until, recorder.backgrounds
            try:
                recorder.close()
            except OSError as error:
                self._not_writable(error)
            except SourceError as error:
                self._not_finished(error)

    # -- what the supervisor sees and asks for

    def status(self) -> CameraStatus:
        """Return how the camera is."""
        now = time.monotonic()
        for feed, losses in self._losses.items():
            if losses.is_steady_again(now):
                self._log.info(messages.CONNECTION_STEADY_AGAIN, feed.camera.shown)
        since, frames = self._fps_mark
        if now - since >= FPS_WINDOW:
            self._status = replace(self._status, fps=round((self._frames - frames) / (now - since), 2))
            self._fps_mark = (now, self._frames)
        return replace(
            self._status,
            recording=bool(self._recorder and self._recorder.recording),
            last_packet=self._last_packet,
            packets=self._packets,
            bytes=self._bytes,
            behind=self._behind,
        )

    def snapshot(self, request: SnapshotRequest) -> Snapshot | None:
        """Return the newest decoded frame as JPEG; None before the first."""
        looked_at = self._detector or self._recorder
        picture = looked_at.picture(request.width) if looked_at else None
        if looked_at is None or picture is None or self._last_packet is None:
            return None
        taken = self._last_packet - looked_at.picture_age
        label = time_label(self._camera.name, taken) if request.timestamp else None
        return Snapshot(snapshot_jpeg(picture, request.quality, label), taken)

    def pause(self, reason: str | None) -> None:
        """Stop recording for `reason`, or go on without one: the supervisor's wish."""
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
        if self._recorder:
            try:
                self._recorder.pause(bool(self._pauses))
            except OSError as error:  # the open clip can not be finished; nothing is open any more
                self._not_writable(error)
            except SourceError as error:
                self._not_finished(error)
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
