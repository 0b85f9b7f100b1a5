"""Decides which segments of a live playlist come next, when each was published, and when to reload. Pure.

The rules are those of RFC 8216, 6.3.3 and 6.3.4. A playlist counts as live once it has changed: servers go on giving
the last playlist of a stream that has ended long ago.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from vcam_worker.stream.packet_source import Played
from vcam_worker.stream.protocols.hls.playlist import MediaPlaylist, Segment

BEHIND_TARGETS = 3
"""Target durations from the end of the playlist at which a client begins (RFC 8216, 6.3.3)."""
STALE_TARGETS = 3
"""Target durations after which a playlist that lists known segments counts as a stream that began anew, and not as an
old copy, or that of another server."""
LEAP_RATIO = 2
"""How many times as much as the time that passed may be missing between two playlists; beyond that, the numbers have
leapt, and the stream began anew."""
FIT_TARGETS = 2
"""Target durations by which numbers may deviate from the time that passed where the same stream has other URIs."""
MAX_KNOWN = 4000
"""Segments that are remembered, to tell copies of a playlist from a stream that began anew."""


@dataclass(frozen=True)
class Due:
    """A segment that comes next.

    Attributes:
        segment: the segment.
        base: URL of the playlist, which its URI may be relative to.
        target_s: the playlist's target duration.
        published: when it was complete, monotonic seconds: when its playlist was first seen, less what follows it.
        skipped_s: media between the segment before and this one that is not fetched, seconds.
        starts_anew: its timestamps do not continue those before.
    """

    segment: Segment
    base: str
    target_s: float
    published: float
    skipped_s: float = 0.0
    starts_anew: bool = False


class Window:
    """Follows one media playlist.

    Args:
        clock: monotonic seconds.
        played: the segment that the connection before played last; neither it nor those before it are played again.

    Attributes:
        has_ended: the last segment of the stream has been listed.
        changed_at: when the playlist last changed, monotonic seconds.
        target_s: the target duration, seconds.
    """

    def __init__(self, clock: Callable[[], float], played: Played | None = None) -> None:
        self._clock = clock
        self._played = played
        self._playlist: MediaPlaylist | None = None
        self._base = ""
        self._is_live = False
        self._next: int | None = None  # media sequence number
        self._published: dict[int, float] = {}
        self._taken = float("-inf")  # when the segment that was taken last was published
        self._known: dict[tuple[int, str], None] = {}  # numbers and names, in the order in which they were listed
        self._skipped_s = 0.0
        self._starts_anew = False
        self._back_since: float | None = None
        self._reload_at = 0.0
        self.has_ended = False
        self.changed_at = clock()
        self.target_s = 0.0

    @property
    def is_over(self) -> bool:
        """The stream has ended, and every segment of it was taken."""
        return self.has_ended and (not self._is_live or self._is_empty)

    @property
    def _is_empty(self) -> bool:
        """No listed segment is left."""
        return self._playlist is None or self._next is None or self._next >= self._playlist.next

    @property
    def reload_at(self) -> float:
        """When to load the playlist again, monotonic seconds."""
        return self._reload_at

    def failed(self, began: float) -> None:
        """The playlist could not be loaded, at `began`."""
        self._reload_at = began + self.target_s / 2

    def update(self, playlist: MediaPlaylist, base: str, began: float) -> None:
        """Take a playlist.

        Args:
            playlist: as just loaded.
            base: its URL.
            began: when loading it began, monotonic seconds.
        """
        before, now = self._playlist, self._clock()
        if before:
            playlist = playlist.numbered_after(before)
        changed = before is None or _content(playlist) != _content(before)
        self.target_s = playlist.target_s
        self._reload_at = began + (playlist.target_s if changed else playlist.target_s / 2)
        begins_anew = before is not None and self._begins_anew(playlist, before, now)
        is_copy = begins_anew and self._is_copy(playlist, now)
        self._remember(playlist)
        if is_copy or not changed:
            return
        self._back_since = None
        self.changed_at = now
        self._playlist, self._base = playlist, base
        self.has_ended = playlist.has_ended
        if before is None:
            self._is_live = self._continues_played(playlist, now)
            self._seek(playlist, now)
        elif begins_anew:
            self._is_live, self._starts_anew = True, True
            self._published, self._played = {}, None
            self._seek(playlist, now)
            self._pass_over(playlist)
        elif not self._is_live:
            self._is_live = playlist.next > before.next
            self._published = {}  # only now it is known when the last one was published
            self._seek(playlist, now)
        else:
            self._date(playlist, now)
            if self._next is not None and self._next < playlist.first:
                self._fall_out(playlist, before)

    def take(self) -> Due | None:
        """Return the next segment; None where none is listed yet."""
        playlist = self._playlist
        if playlist is None or self._next is None or not self._is_live or self._is_empty:
            return None
        segment = playlist.segments[self._next - playlist.first]
        due = Due(
            segment,
            self._base,
            playlist.target_s,
            self._published.get(segment.number, self._clock()),
            self._skipped_s,
            self._starts_anew or segment.starts_anew,
        )
        self._next += 1
        self._taken = due.published
        self._skipped_s, self._starts_anew = 0.0, False
        return due

    def skip(self, due: Due) -> None:
        """The segment that was taken last cannot be had."""
        self._skipped_s += due.skipped_s + due.segment.seconds
        self._starts_anew = self._starts_anew or due.starts_anew

    def is_listed(self, due: Due) -> bool:
        """Whether a segment is still in the playlist."""
        return self._playlist is not None and due.segment.number >= self._playlist.first

    def _begins_anew(self, playlist: MediaPlaylist, before: MediaPlaylist, now: float) -> bool:
        """Whether a playlist does not continue the one before: its numbers went back, or leapt."""
        missed_s = (playlist.first - before.next) * playlist.mean_s
        possible_s = LEAP_RATIO * (now - self.changed_at) + BEHIND_TARGETS * playlist.target_s
        return playlist.next < before.next or missed_s > possible_s

    def _is_copy(self, playlist: MediaPlaylist, now: float) -> bool:
        """Whether a playlist is an old one, as a cache may give, or that of a server whose turn is over."""
        if not any((one.number, one.piece.name) in self._known for one in playlist.segments):
            return False
        if self._back_since is None:
            self._back_since = now
        return now - self._back_since < STALE_TARGETS * playlist.target_s

    def _remember(self, playlist: MediaPlaylist) -> None:
        for one in playlist.segments[-MAX_KNOWN:]:
            key = one.number, one.piece.name
            self._known.pop(key, None)
            self._known[key] = None
        for key in list(self._known)[: max(len(self._known) - MAX_KNOWN, 0)]:
            del self._known[key]

    def _continues_played(self, playlist: MediaPlaylist, now: float) -> bool:
        """Whether segments follow the one that was played last, which shows that the stream is live."""
        return (
            self._lists_played(playlist, now) and self._played is not None and playlist.next > self._played.number + 1
        )

    def _lists_played(self, playlist: MediaPlaylist, now: float) -> bool:
        """Whether the segment that was played last is listed: by its name, or where each session has names of its own,
        by its number and the time that has passed."""
        played = self._played
        if played is None or not playlist.first <= played.number < playlist.next:
            return False
        if playlist.segments[played.number - playlist.first].piece.name == played.name:
            return True
        expected_s = (playlist.next - 1 - played.number) * playlist.mean_s
        return abs(now - played.published - expected_s) <= FIT_TARGETS * playlist.target_s

    def _seek(self, playlist: MediaPlaylist, now: float) -> None:
        """Begin :data:`BEHIND_TARGETS` from the end, but not with what was played."""
        self._date(playlist, now)
        left, number = BEHIND_TARGETS * playlist.target_s, playlist.next
        for segment in reversed(playlist.segments):
            if left <= 0:
                break
            number, left = segment.number, left - segment.seconds
        if self._played and self._lists_played(playlist, now):
            number = max(number, self._played.number + 1)
        self._next = number

    def _pass_over(self, playlist: MediaPlaylist) -> None:
        """Leave out what was published by the time of the segment that was taken last: it shows the same."""
        number = self._next if self._next is not None else playlist.next
        for segment in playlist.segments[number - playlist.first :]:
            if self._published[segment.number] - segment.seconds / 2 > self._taken:
                break
            number += 1
        self._next = number

    def _date(self, playlist: MediaPlaylist, now: float) -> None:
        """Note when segments that are new were published: the last one now, those before it earlier."""
        published, at = {}, now
        for segment in reversed(playlist.segments):
            published[segment.number] = self._published.get(segment.number, at)
            at -= segment.seconds
        self._published = published

    def _fall_out(self, playlist: MediaPlaylist, before: MediaPlaylist) -> None:
        """Go on with the first segment, as those before it are listed no more."""
        missed, self._next = self._next or 0, playlist.first
        known = {one.number: one.seconds for one in before.segments}
        self._skipped_s += sum(known.get(number, playlist.mean_s) for number in range(missed, playlist.first))


def _content(playlist: MediaPlaylist) -> tuple[int, int, bool, str]:
    last = playlist.segments[-1].piece.uri if playlist.segments else ""
    return playlist.first, playlist.next, playlist.has_ended, last
