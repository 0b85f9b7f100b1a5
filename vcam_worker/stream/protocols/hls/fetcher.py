"""Follows a live playlist in a thread, and fetches its segments ahead of their time."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from shared_utils.config.cameras import Camera
from shared_utils.errors import SourceEnded, SourceError
from vcam_worker import messages
from vcam_worker.stream.protocols.hls.playlist import MediaPlaylist, Piece, PlaylistError, Segment, parse_playlist
from vcam_worker.stream.protocols.hls.site import MAX_SECTION_BYTES, MAX_SEGMENT_BYTES, GoneError, Site
from vcam_worker.stream.protocols.hls.window import Due, Window
from vcam_worker.stream.protocols.wire import NotFollowedError

MAX_AHEAD_BYTES = 48 * 1024 * 1024
"""Fetched and not yet played; what is beyond that stays on the server."""
TRIES, PAUSE_S = 3, 0.5
"""Requests for one segment while it is listed, and the delay between them."""
PLAYLIST_S = 10.0
"""Time for one playlist."""
MIN_SEGMENT_S, SEGMENT_TARGETS = 10.0, 2
"""Time for one segment: at least so long, or so many target durations."""
JOIN_S = 2.0
"""Time in which the thread ends once its requests are aborted; looking a name up cannot be."""

Log = logging.LoggerAdapter[logging.Logger]


@dataclass(frozen=True)
class Fetched:
    """A segment.

    Attributes:
        due: what was asked for.
        data: its bytes.
        section: those of its initialization section; None without.
        ready: when it was complete, monotonic seconds.
    """

    due: Due
    data: bytes
    section: bytes | None
    ready: float


class Fetcher:
    """Follows one media playlist.

    Args:
        camera: for messages.
        site: where to request; used by the thread alone from :meth:`start` on, and closed at its end.
        window: decides what to fetch; it has the first playlist.
        url: the playlist's.
        clock: monotonic seconds.
        log: takes a line once segments are missing.

    Attributes:
        error: why no further segment will come.
        trouble: why the last request failed; None where it did not.
    """

    def __init__(
        self, camera: Camera, site: Site, window: Window, url: str, clock: Callable[[], float], log: Log
    ) -> None:
        self.error: SourceError | None = None
        self.trouble: SourceError | None = None
        self._camera = camera
        self._site = site
        self._window = window
        self._url = url
        self._clock = clock
        self._log = log
        self._is_gap_logged = False
        self._section: tuple[Piece, str, bytes] | None = None  # the last one, and the URL of its playlist
        self._queue: deque[Fetched] = deque()
        self._bytes = 0
        self._changed = threading.Condition()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"hls {camera.name}", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread, in the middle of a request if need be."""
        self._stop.set()
        with self._changed:
            self._changed.notify_all()
        self._site.abort()
        if self._thread.ident:
            self._thread.join(JOIN_S)
        else:
            self._site.close()

    @property
    def target_s(self) -> float:
        """The playlist's target duration, seconds."""
        return self._window.target_s

    def take(self, timeout_s: float) -> Fetched | None:
        """Return the next segment; None where there is none within the time, or none will come."""
        with self._changed:
            if not self._queue and timeout_s > 0 and self.error is None:
                self._changed.wait(timeout_s)
            if not self._queue:
                return None
            fetched = self._queue.popleft()
            self._bytes -= len(fetched.data)
            self._changed.notify_all()
            return fetched

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self._turn()
        except SourceError as error:
            self._end(error)
        except Exception as error:  # noqa: BLE001  # handed on: the thread must not die in silence
            self._end(SourceError(f"unexpected: {type(error).__name__}: {error}"))
        finally:
            self._site.close()

    def _end(self, error: SourceError) -> None:
        with self._changed:
            self.error = error
            self._changed.notify_all()

    def _turn(self) -> None:
        self._reload_if_due()
        due = self._window.take()
        if due is not None:
            self._fetch(due)
        elif self._window.is_over:
            raise SourceEnded("the camera ended the stream")
        else:
            self._stop.wait(max(self._window.reload_at - self._clock(), 0.01))

    def _reload_if_due(self) -> None:
        began = self._clock()
        if began < self._window.reload_at:
            return
        try:
            data, base = self._site.playlist(self._url, began + PLAYLIST_S)
            self._window.update(media_playlist(data, self._camera), base, began)
            self.trouble = None
        except NotFollowedError:
            raise
        except TimeoutError:
            self._failed(SourceError(f"{self._camera.display_url}: the playlist does not come in time"), began)
        except SourceError as error:
            self._failed(error, began)

    def _failed(self, error: SourceError, began: float) -> None:
        self.trouble = error
        self._window.failed(began)

    def _fetch(self, due: Due) -> None:
        check_encryption(due.segment, self._camera)
        self._wait_for_room()
        for attempt in range(TRIES):
            if self._stop.is_set():
                return
            if due.segment.is_absent or (attempt and not self._window.is_listed(due)):
                break
            try:
                self._put(self._requested(due))
            except NotFollowedError:
                raise
            except GoneError as error:
                self.trouble = error
                break
            except TimeoutError:
                self.trouble = SourceError(f"{self._camera.display_url}: a part of the stream does not come in time")
                break
            except SourceError as error:
                self.trouble = error
                self._stop.wait(PAUSE_S * (attempt + 1))
                self._reload_if_due()
            else:
                self.trouble = None
                return
        self._window.skip(due)

    def _requested(self, due: Due) -> Fetched:
        segment = due.segment
        deadline = self._clock() + max(MIN_SEGMENT_S, SEGMENT_TARGETS * due.target_s)
        section = self._section_of(segment.section, due, deadline) if segment.section else None
        data = self._site.piece(segment.piece, due.base, MAX_SEGMENT_BYTES, deadline)
        return Fetched(due, data, section, self._clock())

    def _section_of(self, piece: Piece, due: Due, deadline: float) -> bytes:
        """Return an initialization section; a restarted encoder may give another one by the same URI."""
        key = piece, due.base
        if self._section is None or self._section[:2] != key or due.starts_anew:
            self._section = *key, self._site.piece(piece, due.base, MAX_SECTION_BYTES, deadline)
        return self._section[2]

    def _wait_for_room(self) -> None:
        with self._changed:
            while self._bytes >= MAX_AHEAD_BYTES and not self._stop.is_set():
                self._changed.wait()

    def _put(self, fetched: Fetched) -> None:
        if fetched.due.skipped_s and not self._is_gap_logged:
            self._is_gap_logged = True
            self._log.warning(messages.SEGMENTS_MISSING, fetched.due.skipped_s, self.trouble or "too old")
        with self._changed:
            self._queue.append(fetched)
            self._bytes += len(fetched.data)
            self._changed.notify_all()


def media_playlist(data: bytes, camera: Camera) -> MediaPlaylist:
    """Parse a media playlist.

    Raises:
        SourceError: it is none.
    """
    try:
        playlist = parse_playlist(data)
    except PlaylistError as error:
        raise SourceError(f"{camera.display_url}: its playlist {error}") from None
    if not isinstance(playlist, MediaPlaylist):
        raise SourceError(f"{camera.display_url}: its playlist lists variants where segments should be")
    return playlist


def check_encryption(segment: Segment, camera: Camera) -> None:
    """Refuse an encrypted segment.

    Raises:
        SourceError: it is one.
    """
    if segment.encryption:
        raise SourceError(
            f"{camera.display_url} is encrypted ({segment.encryption}), which is not read: "
            f"give a URL without encryption in {camera.setting}"
        )
