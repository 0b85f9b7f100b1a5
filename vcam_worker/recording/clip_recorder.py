"""Records the clips of one stream out of its ring: started by motion, ended by the rules of clip_logic."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from vcam_worker import messages
from vcam_worker.motion.detector import Motion
from vcam_worker.recording.clip_logic import ClipLogic
from vcam_worker.recording.clip_writer import ClipWriter
from vcam_worker.recording.gop import GopReport
from vcam_worker.recording.picture_changes import PictureChanges
from vcam_worker.recording.ring import MAX_S, PacketRing
from vcam_worker.recording.session import ClipSession, FinishedClip
from vcam_worker.stream.info import StreamInfo, without_sound
from vcam_worker.stream.packets import Packet
from vcam_worker.stream.timed_stream import TimedStream
from vcam_worker.stream.timing.timeline import MAX_USUAL_STEP_S

TRIGGER_LATENCY_S = 2.0
"""Time that the ring reaches back beyond the pre-roll: from the first frame that moves to the decision."""
KEYFRAME_SLACK_S = 2.0
"""Time that a clip may begin before its pre-roll without becoming longer: an ordinary GOP."""
MAX_REPEAT_S = 5.0
"""Time of the previous clip that a clip may repeat, beside its pre-roll, to begin at a keyframe."""
SOUND_S = 5.0
"""Silence after which a new clip gets no audio track: an empty track would delay the clip's packets in the muxer."""

Log = logging.LoggerAdapter[logging.Logger]


class ClipSink(Protocol):
    """Where clips go."""

    def open_clip(self, info: StreamInfo, start: float, started_at: datetime) -> ClipWriter:
        """Open a clip of a stream that starts at `start`, stream time in seconds, and at `started_at`, local time."""

    def take_clip(self, clip: FinishedClip) -> None:
        """Take a closed clip."""


class ClipRecorder:
    """Records what moves in one stream.

    Args:
        stream: places the packets that :meth:`take` is given.
        events: decides when a clip starts and ends.
        sink: where clips go.
        log: one line per event.
        observe: called with the verdict on each analysed frame, and the frame's time, seconds since the epoch.

    Attributes:
        info: what the stream delivers, as of its last keyframe.
        ring: its last seconds.
    """

    def __init__(
        self,
        stream: TimedStream,
        events: ClipLogic,
        sink: ClipSink,
        log: Log,
        observe: Callable[[float, Motion], None] | None = None,
    ) -> None:
        self.info = stream.info
        self._stream = stream
        self._events = events
        self._rules = events.rules
        self._sink = sink
        self._log = log
        self._observe = observe
        # a backlog after connecting may be long, and nothing is recorded before it has arrived
        self.ring = PacketRing(MAX_S if stream.is_live else self._rules.pre_roll_seconds + TRIGGER_LATENCY_S)
        self._gops = GopReport(self._rules, log)
        self._pictures = PictureChanges(log)
        self._keyframe_at = 0.0
        self._last_video: Packet | None = None
        self._last_sound: Packet | None = None
        self._clip: ClipSession | None = None
        self._clip_end = 0.0  # of the previous clip
        self._pending: float | None = None  # trigger that waits for a keyframe
        self._is_settled = not stream.is_live
        self._early_trigger: float | None = None  # one from before that
        self._paused = False

    @property
    def recording(self) -> bool:
        """A clip is being written."""
        return self._clip is not None and not self._clip.is_held

    @property
    def settled_until(self) -> float:
        """Stream time up to which motion decides nothing, as a clip is open whose end is far; 0 without one.

        At a clip's end it matters again whether something still moves.
        """
        return self._events.settled_until

    def take(self, packet: Packet) -> None:
        """Take the next packet, in stream time.

        Raises:
            OSError: the volume does not take the clip.
            SourceError: the clip cannot hold it.
        """
        if packet.kind == "audio":
            self._take_sound(packet)
        else:
            self._take_frame(packet)

    def _take_sound(self, packet: Packet) -> None:
        self._last_sound = packet
        self.ring.append(packet)
        if self._clip:
            self._clip.write(packet)

    def _take_frame(self, packet: Packet) -> None:
        self._gops.take(packet)
        goes_on = False
        if packet.is_keyframe:
            self._keyframe_at = packet.time
            goes_on = self._change(packet)
        goes_on = self._end_clip(packet) or goes_on
        self.ring.append(packet)
        self._last_video = packet
        if goes_on:
            self._log.info(messages.CLIP_CONTINUED)
            self._start(packet.time, packet.time)
        elif self._clip:
            self._clip.write(packet)
        elif packet.is_keyframe and self._pending is not None:
            self._start_pending(packet)
        if not self._is_settled and self._stream.is_settled:
            self._settle()

    def _settle(self) -> None:
        """Start the clip for motion from before the timeline had settled."""
        self._is_settled = True
        if self._early_trigger is not None and not self._paused:
            self._begin(self._early_trigger)
        self.ring.set_reach(self._rules.pre_roll_seconds + TRIGGER_LATENCY_S)

    def _end_clip(self, packet: Packet) -> bool:
        """End the open clip before `packet`, if that is its end.

        Returns:
            Whether motion continues, so that the next clip begins with `packet`.
        """
        clip = self._clip
        if clip is None:
            return False
        since_keyframe = packet.time - self._keyframe_at
        end = packet.time if packet.time - self._end() < MAX_USUAL_STEP_S else self._end()
        if clip.is_held:
            if packet.is_keyframe or since_keyframe > MAX_S:
                self._finish(end)
            return False
        over = self._events.is_over(packet.time, packet.is_keyframe)
        if packet.is_keyframe and (over or clip.resumed):
            # a resumed clip is long enough: the next one takes over
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
        """Seconds of the previous clip that the next one may repeat."""
        return self._rules.pre_roll_seconds + MAX_REPEAT_S

    def _change(self, packet: Packet) -> bool:
        """Finish the clip at a keyframe where the camera changes its picture in mid-stream.

        Returns:
            Whether a clip was being written, so that the next one continues from here.
        """
        self.info, change = self._pictures.follow(packet, self.info)
        if change == "none":
            return False
        was_recording = self.recording
        self._finish(packet.time)
        if change == "new stream":
            self.ring.clear()
        return was_recording

    def on_motion(self, time: float, motion: Motion) -> None:
        """Take the verdict on one analysed frame, at its stream time."""
        if self._observe and self._last_video:
            self._observe(self._wall(time, self._last_video), motion)
        trigger = self._events.motion(time, motion.moving)
        if trigger is None or self._paused or trigger < self._stream.resumes_at:
            return
        if not self._is_settled:  # the clip cannot be dated yet
            self._early_trigger = trigger if self._early_trigger is None else self._early_trigger
            return
        self._begin(trigger, f" ({100 * motion.share:.1f} % of the picture)")

    def _begin(self, trigger: float, share: str = "") -> None:
        """Start a clip for the motion that began at `trigger`, or resume the one that is held."""
        since = trigger - self._rules.pre_roll_seconds
        if self._clip:
            self._clip.resume()
            self._events.started(since)
            self._log.info(messages.CLIP_EXTENDED, share)
            return
        self._start(since, trigger)
        if self._clip:
            # after a pause, or without an earlier keyframe, the clip begins after its trigger
            kept = max(0.0, trigger - self._clip.start)
            self._log.info(messages.CLIP_STARTED, share, kept)
        elif self._pending is None:
            self._pending = trigger
            self._log.info(messages.CLIP_PENDING, share)

    def _end(self) -> float:
        """Return the stream time at which the newest frame ends."""
        return self._last_video.time + self._stream.step if self._last_video else 0.0

    def _start_pending(self, packet: Packet) -> None:
        trigger, self._pending = self._pending or 0.0, None
        if self._paused:
            return
        self._start(packet.time, trigger)
        self._log.info(messages.CLIP_STARTED_LATE, packet.time - trigger)

    def _start(self, since: float, trigger: float) -> None:
        """Open a clip that begins at the last keyframe before `since`, as far as the previous clip allows."""
        packets = self._unseen(self.ring.since(since, not_before=self._clip_end - self._most_repeated))
        latest = self._last_video
        if not packets or latest is None:  # no keyframe yet, or one too old to be kept
            if self.ring.overflowed:
                self._gops.lost_beginning()
            return
        start = packets[0].time
        started_at = datetime.fromtimestamp(self._wall(start, latest)).astimezone()
        sound = self._opening_sound(packets, start)
        info = self.info.at_keyframe(packets[0])
        writer = self._sink.open_clip(info if sound else without_sound(info), start, started_at)
        self._clip = ClipSession(writer, start, trigger, started_at)
        self._pending = None
        # with a long GOP the length counts from the pre-roll's start, or the clip might end before its motion
        self._events.started(since if since - start > KEYFRAME_SLACK_S else start)
        if sound:
            self._clip.write(sound)
        for packet in packets:
            if packet is not sound:
                self._clip.write(packet)

    def _wall(self, time: float, latest: Packet) -> float:
        """Return seconds since the epoch of a stream time, as the packet `latest` shows them."""
        return latest.wall - (self._stream.time_at(latest.arrived) - time)

    def _unseen(self, packets: list[Packet]) -> list[Packet]:
        """Return the packets from the first keyframe on that the previous connection has not delivered."""
        after = self._stream.resumes_at + self._stream.step / 2
        starts = (number for number, one in enumerate(packets) if one.is_keyframe and one.kind == "video")
        return packets[next((number for number in starts if packets[number].time > after), len(packets)) :]

    def _opening_sound(self, packets: list[Packet], start: float) -> Packet | None:
        """Return the block of sound for the start of a clip, which its audio track needs; None without sound."""
        if self._last_sound is None or packets[-1].time - self._last_sound.time > SOUND_S:
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
        self._sink.take_clip(finished)

    def pause(self, on: bool) -> None:
        """Pause recording, as while the disk is full, or resume it; the open clip is finished first."""
        self._paused = on
        if on:
            self._pending = None
            self._finish(self._end())

    def abandon(self) -> None:
        """Close a clip that cannot be written any more; what is on disk of it can be recovered."""
        clip, self._clip = self._clip, None
        self._events.ended()
        if clip:
            with suppress(OSError):
                clip.abandon()

    def close(self) -> None:
        """Finish the open clip: the stream is over."""
        if not self._is_settled:
            self._settle()
        self._finish(self._end())
