"""From packets to clips: ring, motion, events and recorder over one stream. Live and replay run this same code."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from shared_utils.config.cameras import MotionSettings
from vcam_worker import messages
from vcam_worker.motion.decoding import DecodeHealth
from vcam_worker.motion.detector import Motion
from vcam_worker.motion.watcher import Backgrounds, Observe, Watcher
from vcam_worker.recording.events import ClipRules, EventLogic
from vcam_worker.recording.gop import GopReport
from vcam_worker.recording.recorder import ClipWriter
from vcam_worker.recording.ring import MAX_SECONDS, PacketRing
from vcam_worker.recording.session import ClipSession, FinishedClip
from vcam_worker.stream.packets import Packet
from vcam_worker.stream.picture_changes import PictureChanges
from vcam_worker.stream.sound import FILE_BOUND, LIVE_BOUND, SoundClock
from vcam_worker.stream.source import StreamInfo, without_sound
from vcam_worker.stream.timeline import MAX_USUAL_STEP, Timeline

TRIGGER_LATENCY = 2.0
"""Seconds the ring reaches back beyond the pre-roll: the time from the first frame that moves to the decision."""
KEYFRAME_SLACK = 2.0
"""Seconds that a clip may begin before its pre-roll without becoming longer: an ordinary GOP."""
MAX_REPEAT = 5.0
"""Seconds of the clip before that a clip may repeat, beside its pre-roll, to begin at a keyframe."""
SOUND_SECONDS = 5.0
"""Sound that was last heard so long ago gets no track in a new clip: one that stays empty would hold the clip back."""
NOMINAL_STEP = 0.04
"""Seconds between frames where a stream says nothing of its rate."""

Log = logging.LoggerAdapter[logging.Logger]


OpenClip = Callable[[StreamInfo, float, datetime], ClipWriter]


class StreamRecorder:
    """Takes the packets of one connection, and records what moves.

    Args:
        info: what the stream delivers.
        motion: how to look for motion.
        rules: lengths of clips.
        live: packets come in real time; else from a file, whose timestamps are the clock.
        open_clip: opens a clip at (stream, start in stream time, local time).
        on_clip: takes each closed clip.
        log: one line an event.
        observe: told of each frame looked at, just before its verdict is acted on.
        seen_until: :attr:`seen_until` of the connection before: what was sent up to then is not recorded again, where a
            server begins with what it has kept (HLS).
        backgrounds: :attr:`backgrounds` of that connection.
    """

    def __init__(
        self,
        info: StreamInfo,
        motion: MotionSettings,
        rules: ClipRules,
        *,
        live: bool,
        open_clip: OpenClip,
        on_clip: Callable[[FinishedClip], None],
        log: Log,
        observe: Observe | None = None,
        seen_until: float | None = None,
        backgrounds: Backgrounds | None = None,
    ) -> None:
        self.info = info
        self._seen_before = seen_until
        self._settings = motion
        self._rules = rules
        self._open_clip = open_clip
        self._on_clip = on_clip
        self._log = log
        self._timeline = Timeline(live=live, nominal_step=1 / info.fps if info.fps else NOMINAL_STEP)
        # a backlog after connecting may be long, and nothing is recorded before it has come
        self._ring = PacketRing(MAX_SECONDS if live else rules.pre_roll_seconds + TRIGGER_LATENCY)
        # keyframes come seconds apart: to wait for a second one would miss most events
        self._events = EventLogic(rules, hits_to_trigger=1 if motion.decode == "keyframes" else 2)
        self._observe = observe
        self._watcher: Watcher | None = Watcher(info, motion, observe, backgrounds)
        self._gops = GopReport(rules, log)
        self._pictures = PictureChanges(log)
        self._keyframe_at = 0.0
        self._last_video: Packet | None = None
        self._held: list[tuple[Packet, bool]] = []  # pictures whose time is undecided, and whether to analyse them
        self._sound = SoundClock(LIVE_BOUND if live else FILE_BOUND)
        self._sound_reported = False
        self._last_sound: Packet | None = None
        self._clip: ClipSession | None = None
        self._clip_end = 0.0  # of the clip before
        self._pending: float | None = None  # trigger that waits for a keyframe
        self._is_settled = not live
        self._early_trigger: float | None = None  # seen before that
        self._paused = False

    @property
    def recording(self) -> bool:
        """A clip is being written."""
        return self._clip is not None and not self._clip.is_held

    @property
    def seen_until(self) -> float | None:
        """When the newest picture was sent, seconds of the monotonic clock; None before the first."""
        return self._timeline.arrival(self._last_video.time) if self._last_video else self._seen_before

    @property
    def backgrounds(self) -> Backgrounds:
        """What is known of the scene; nothing where another stream is looked at."""
        return self._watcher.backgrounds if self._watcher else {}

    @property
    def settled_until(self) -> float:
        """Stream time up to which motion decides nothing, as a clip is open whose end is far; 0 without one.

        At a clip's end it matters again whether something still moves.
        """
        return self._events.settled_until

    def watch(self, on: bool) -> None:
        """Look for motion in this stream itself, as at first; else another one does, and calls :meth:`see`."""
        if on and self._watcher is None:
            self._watcher = Watcher(self.info, self._settings, self._observe)
        elif not on:
            self._watcher = None

    def feed(self, packet: Packet, *, analyse: bool = True) -> None:
        """Take the next packet.

        Args:
            packet: as received; gets its place in the stream's time here.
            analyse: False to record only, when the machine can not keep up.
        """
        if packet.kind == "audio":
            self._hear(packet)
            return
        packet.time = self._timeline.place(packet.dts, packet.arrived)
        held, self._held = self._held, []
        if self._timeline.is_undecided:
            self._held = [*held, (packet, analyse)]
            return
        self._release(held, self._timeline.moved)
        self._see_picture(packet, analyse)

    def _release(self, held: list[tuple[Packet, bool]], moved: float) -> None:
        """Take pictures that were held until their time was known."""
        for packet, analyse in held:
            packet.time += moved
            self._see_picture(packet, analyse)

    def _see_picture(self, packet: Packet, analyse: bool) -> None:
        self._gops.take(packet)
        goes_on = False
        if packet.is_keyframe:
            self._keyframe_at = packet.time
            goes_on = self._change(packet)
        goes_on = self._end_clip(packet) or goes_on
        self._ring.append(packet)
        self._last_video = packet
        if goes_on:
            self._log.info(messages.CLIP_CONTINUED)
            self._start(packet.time, packet.time)
        elif self._clip:
            self._clip.write(packet)
        elif packet.is_keyframe and self._pending is not None:
            self._start_pending(packet)
        if not self._is_settled and self._timeline.is_settled:
            self._settle()
        if self._watcher:
            if analyse:
                for time, motion in self._watcher.feed(packet, self.settled_until):
                    self.see(time, motion)
            else:
                self._watcher.skip()

    def _settle(self) -> None:
        """Start the clip of what was seen before the timeline had settled."""
        self._is_settled = True
        if self._early_trigger is not None and not self._paused:
            self._begin(self._early_trigger)
        self._ring.keep(self._rules.pre_roll_seconds + TRIGGER_LATENCY)

    def _end_clip(self, packet: Packet) -> bool:
        """End the open clip before `packet`, if that is its end.

        Returns:
            Whether motion goes on, so that the next clip begins with `packet`.
        """
        clip = self._clip
        if clip is None:
            return False
        since_keyframe = packet.time - self._keyframe_at
        end = packet.time if packet.time - self._end() < MAX_USUAL_STEP else self._end()
        if clip.is_held:
            if packet.is_keyframe or since_keyframe > MAX_SECONDS:
                self._finish(end)
            return False
        over = self._events.is_over(packet.time, packet.is_keyframe)
        if packet.is_keyframe and (over or clip.resumed):
            # one that was resumed is long enough: the next one takes over what is left of it
            goes_on = not over or self._events.moving_at(packet.time)
            self._finish(end)
            return goes_on
        if over and (since_keyframe > self._most_repeated or clip.start >= self._keyframe_at):
            self._events.ended()
            clip.hold(end)
        elif over:
            self._finish(end)
        return False

    @property
    def _most_repeated(self) -> float:
        """Seconds of the clip before that the next one may begin with."""
        return self._rules.pre_roll_seconds + MAX_REPEAT

    def _hear(self, packet: Packet) -> None:
        """Take a block of sound; before the first picture there is nothing that it could go with."""
        latest = self._last_video
        if latest is None:
            return
        now = max(self.time_at(packet.arrived), latest.time)
        time = self._sound.place(packet.dts, latest.time, now, self._timeline.offset)
        if time is None:
            return
        if self._sound.jumped is not None and not self._sound_reported:
            self._sound_reported = True
            self._log.info(messages.SOUND_CLOCK_STEPS, self._sound.jumped)
        packet.time = time
        self._last_sound = packet
        self._ring.append(packet)
        if self._clip:
            self._clip.write(packet)

    def _change(self, packet: Packet) -> bool:
        """Begin anew at a keyframe where the camera changes its picture in mid-stream.

        Returns:
            Whether a clip was being written, so that the next one is to go on from here.
        """
        self.info, change = self._pictures.follow(packet, self.info)
        if change == "none":
            return False
        was_recording = self.recording
        self._finish(packet.time)
        if change == "new stream":
            self._ring.clear()
        return was_recording

    def time_at(self, arrived: float) -> float:
        """Return the stream time of what was received at `arrived`, seconds of the monotonic clock."""
        return self._timeline.at(arrived) if self._last_video else 0.0

    def see(self, time: float, motion: Motion) -> None:
        """Take one analysed frame's verdict, at its stream time."""
        trigger = self._events.motion(time, motion.moving)
        if trigger is None or self._paused or trigger < self._earliest():
            return
        if not self._is_settled:  # what the clip is to be dated by is not known yet
            self._early_trigger = trigger if self._early_trigger is None else self._early_trigger
            return
        self._begin(trigger, f" ({100 * motion.share:.1f} % of the picture)")

    def _begin(self, trigger: float, share: str = "") -> None:
        """Start a clip for what began to move at `trigger`, or go on with the one that is held."""
        since = trigger - self._rules.pre_roll_seconds
        if self._clip:
            self._clip.resume()
            self._events.started(since)
            self._log.info(messages.CLIP_EXTENDED, share)
            return
        self._start(since, trigger)
        if self._clip:
            # after a pause, or a keyframe far back, the clip begins later than what set it off
            kept = max(0.0, trigger - self._clip.start)
            self._log.info(messages.CLIP_STARTED, share, kept)
        elif self._pending is None:
            self._pending = trigger
            self._log.info(messages.CLIP_PENDING, share)

    def _earliest(self) -> float:
        """Return the stream time up to which the connection before has seen everything."""
        return -math.inf if self._seen_before is None else self.time_at(self._seen_before)

    def _end(self) -> float:
        """Return the stream time at which the newest picture ends."""
        return self._last_video.time + self._timeline.step if self._last_video else 0.0

    def _start_pending(self, packet: Packet) -> None:
        trigger, self._pending = self._pending or 0.0, None
        if self._paused:
            return
        self._start(packet.time, trigger)
        self._log.info(messages.CLIP_STARTED_LATE, packet.time - trigger)

    def _start(self, since: float, trigger: float) -> None:
        """Open a clip that begins at the last keyframe before `since`, as far as the one before allows."""
        packets = self._unseen(self._ring.since(since, not_before=self._clip_end - self._most_repeated))
        latest = self._last_video
        if not packets or latest is None:  # no keyframe yet, or one too far back to keep
            if self._ring.overflowed:
                self._gops.lost_beginning()
            return
        start = packets[0].time
        started_at = datetime.fromtimestamp(latest.wall - (self.time_at(latest.arrived) - start)).astimezone()
        sound = self._opening_sound(packets, start)
        info = self.info.at_keyframe(packets[0])
        writer = self._open_clip(info if sound else without_sound(info), start, started_at)
        self._clip = ClipSession(writer, start, trigger, started_at)
        self._pending = None
        # with a long GOP the length counts from the pre-roll's start: else the clip might end before its motion
        self._events.started(since if since - start > KEYFRAME_SLACK else start)
        if sound:
            self._clip.write(sound)
        for packet in packets:
            if packet is not sound:
                self._clip.write(packet)

    def _unseen(self, packets: list[Packet]) -> list[Packet]:
        """Return the packets from the first keyframe on that the connection before has not seen."""
        after = self._earliest() + self._timeline.step / 2
        starts = (number for number, one in enumerate(packets) if one.is_keyframe and one.kind == "video")
        return packets[next((number for number in starts if packets[number].time > after), len(packets)) :]

    def _opening_sound(self, packets: list[Packet], start: float) -> Packet | None:
        """Return the block of sound that a clip begins with, which its track needs; None where no sound comes."""
        if self._last_sound is None or packets[-1].time - self._last_sound.time > SOUND_SECONDS:
            return None
        first = next((packet for packet in packets if packet.kind == "audio" and packet.time >= start), None)
        return first or replace(self._last_sound, time=start)

    def _finish(self, end: float) -> None:
        if self._clip is None:
            return
        clip, self._clip = self._clip, None
        self._events.ended()
        finished = clip.finish(end)
        self._clip_end = finished.end
        self._on_clip(finished)

    def pause(self, on: bool) -> None:
        """Record nothing for a while, as long as the disk is full; the open clip is finished first."""
        self._paused = on
        if on:
            self._pending = None
            self._finish(self._end())

    def abandon(self) -> None:
        """Let go of a clip that can not be written any more; what is on disk of it is left to be recovered."""
        clip, self._clip = self._clip, None
        self._events.ended()
        if clip:
            with suppress(OSError):
                clip.abandon()

    def picture(self, width: int | None) -> NDArray[np.uint8] | None:
        """Return the newest frame that was decoded for motion, height×width×3 BGR."""
        return self._watcher.picture(width) if self._watcher else None

    @property
    def health(self) -> DecodeHealth | None:
        """Whether pictures come out of the decoder; None where another stream is looked at."""
        return self._watcher.health if self._watcher else None

    @property
    def picture_age(self) -> float:
        """Seconds that frame is older than the newest packet."""
        if self._watcher is None or self._last_video is None:
            return 0.0
        return max(0.0, self._last_video.time - self._watcher.latest_time)

    def close(self) -> None:
        """Finish the open clip: the stream is over."""
        held, self._held = self._held, []
        self._release(held, self._timeline.give_up())
        if not self._is_settled:
            self._settle()
        self._finish(self._end())
