"""A live HLS stream as a source of packets, paced as a player would play it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

from shared_utils.config.cameras import Camera
from shared_utils.errors import SourceEnded, SourceError, SourceStalled
from vcam_worker.stream.info import MAX_PIXELS
from vcam_worker.stream.packet_source import PacketSource, Played, Trail
from vcam_worker.stream.packets import Packet
from vcam_worker.stream.protocols.hls.fetcher import Fetched, Fetcher, check_encryption, media_playlist
from vcam_worker.stream.protocols.hls.playlist import (
    MAX_PLAYLIST_BYTES,
    MasterPlaylist,
    MediaPlaylist,
    PlaylistError,
    Variant,
    parse_playlist,
    resolved,
)
from vcam_worker.stream.protocols.hls.segments import Demuxer
from vcam_worker.stream.protocols.hls.site import Site
from vcam_worker.stream.protocols.hls.window import BEHIND_TARGETS, Window
from vcam_worker.stream.protocols.http_source import Answer, HttpClient
from vcam_worker.stream.protocols.wire import NotFollowedError
from vcam_worker.stream.source_errors import Timeouts
from vcam_worker.stream.timing.arrivals import GATHER_S
from vcam_worker.stream.timing.clocks import Clocks
from vcam_worker.stream.timing.pacer import Pacer

MAX_VARIANT_TRIES = 3
"""Variants that are tried where the best one cannot be had."""
OPEN_TARGETS, MAX_OPEN_S = 2, 70.0
"""Target durations, beside the usual time, within which a live playlist changes; and the most for both."""
STALL_TARGETS, MAX_STALL_S = 3, 60.0
"""Target durations without a packet after which a stream counts as stalled, where that is longer than usual; and the
most of it. Both bounds are below :data:`vcam_worker.stream.feed.HANG_S`."""
AHEAD_S = 1.0
"""A segment is demuxed so long before the one before it ends."""
WAIT_S = 0.25
"""Interval at which a wait for a segment checks its timeout."""

_SOUND_ELSEWHERE = "sound is left out: it comes in a playlist of its own"


def is_playlist(kind: str, begun: bytes) -> bool:
    """Whether an answer is a playlist, by its media type or its first bytes."""
    return kind in _KINDS or begun.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"#EXTM3U")


_KINDS = frozenset({"application/vnd.apple.mpegurl", "application/x-mpegurl", "audio/mpegurl", "audio/x-mpegurl"})


class HlsConnection(PacketSource):
    """An open HLS stream; see :class:`vcam_worker.stream.connection.Connection`.

    Args:
        camera: whose it is, for messages.
        fetcher: started; stopped with it.
        trail: takes what was played.
        timeouts: how long the camera is waited for.
        left_out: what is sent beside, and not recorded.
        clocks: where time comes from.

    Raises:
        SourceError: no segment comes, or none that can be recorded.
    """

    def __init__(
        self,
        camera: Camera,
        fetcher: Fetcher,
        trail: Trail,
        timeouts: Timeouts,
        left_out: tuple[str, ...],
        clocks: Clocks,
    ) -> None:
        self._camera = camera
        self._fetcher = fetcher
        self._trail = trail
        self._clocks = clocks
        delay_s = BEHIND_TARGETS * fetcher.target_s
        self._stall_s = min(max(timeouts.stall_s, STALL_TARGETS * fetcher.target_s), MAX_STALL_S)
        self._pacer = Pacer(delay_s)
        self._demuxer = Demuxer(camera)
        self._waiting: deque[tuple[Packet, float, Played | None]] = deque()
        self._skipped_s, self._starts_anew = 0.0, False  # of segments that could not be demuxed
        self._ending: SourceEnded | None = None  # what ends the stream, once all is played
        self._trouble: SourceError | None = None  # why the last segment could not be demuxed
        self._rested = self._last = self._opened = clocks.monotonic()
        self._is_at_rest = True
        self._open(min(timeouts.open_s + OPEN_TARGETS * fetcher.target_s, MAX_OPEN_S))
        self.info = self._demuxer.delayed(delay_s, left_out)

    def close(self) -> None:
        """Close the connection."""
        self._fetcher.stop()

    @property
    def at_rest(self) -> bool:
        """No further packet is due: a good moment to hand over those received."""
        return self._is_at_rest

    def packets(self) -> Iterator[Packet]:
        """Yield packets when they are due, in bursts a few times per second.

        Raises:
            SourceEnded: the stream is over.
            SourceStalled: no segment came in time.
            SourceError: the segments cannot be fetched, or not be recorded.
        """
        clock = self._clocks.monotonic
        self._last = clock()
        while True:
            if not self._waiting:
                if self._ending:
                    raise self._ending
                self._add(self._awaited(self._last + self._stall_s))
                continue
            if self._waiting[-1][0].arrived - clock() < AHEAD_S and not self._ending:
                self._add_ahead()
            packet, ready, played = self._waiting.popleft()
            self._wait_for(packet, ready)
            yield packet
            if played:
                self._trail.played = played

    def _open(self, open_s: float) -> None:
        """Wait for a segment that tells what the stream holds."""
        until = self._clocks.monotonic() + open_s
        while self._demuxer.info is None:
            self._add(self._awaited(until))

    def _awaited(self, until: float) -> Fetched:
        """Return the next segment.

        Raises:
            SourceError: there is none by `until`, monotonic seconds; it says why.
        """
        while True:
            fetched = self._fetcher.take(WAIT_S)
            if fetched:
                return fetched
            if self._fetcher.error:
                raise self._fetcher.error
            now = self._clocks.monotonic()
            if now >= until:
                raise (
                    self._fetcher.trouble
                    or self._trouble
                    or SourceStalled(
                        f"no new segment for {now - self._last:.0f} s: the playlist of {self._camera.display_url} "
                        "does not change"
                    )
                )

    def _add_ahead(self) -> None:
        """Demux the next segment, if it is there; what ends the stream counts once the one before is played."""
        fetched = self._fetcher.take(0)
        try:
            if fetched:
                self._add(fetched)
        except SourceEnded as error:
            self._ending = error

    def _add(self, fetched: Fetched) -> None:
        """Demux a segment, and date its packets: `arrived` is when they are due.

        That is their timestamp as well, so that frames and sound follow one clock, which is that of real time.
        """
        due = fetched.due
        skipped_s, starts_anew = self._skipped_s + due.skipped_s, self._starts_anew or due.starts_anew
        try:
            packets = self._demuxer.packets(fetched.data, fetched.section)
        except SourceEnded:
            raise
        except SourceError as error:
            if self._demuxer.info is None:
                raise
            packets, self._trouble = [], error
        first = next((one.dts for one in packets if one.kind == "video" and one.dts is not None), None)
        if first is None:
            self._skipped_s, self._starts_anew = skipped_s + due.segment.seconds, starts_anew
            return
        self._skipped_s, self._starts_anew, self._trouble = 0.0, False, None
        self._pacer.begin(
            first,
            due.segment.seconds,
            due.published,
            target_s=due.target_s,
            skipped_s=skipped_s,
            starts_anew=starts_anew,
        )
        for packet in packets:
            if packet.kind == "video":
                packet.dts = packet.arrived = self._pacer.place(packet.dts)
            elif packet.dts is not None:
                packet.dts = self._pacer.beside(packet.dts)
        played = Played(due.segment.number, due.segment.piece.name, due.published)
        last = len(packets) - 1
        arrived = 0.0
        for number, packet in enumerate(packets):
            arrived = packet.arrived = packet.arrived or arrived
            self._waiting.append((packet, fetched.ready, played if number == last else None))

    def _wait_for(self, packet: Packet, ready: float) -> None:
        """Wait until a packet is due, and date it: one whose segment came late has the moment at which it was due, so
        that a slow network does not change the pace of what is recorded."""
        clock = self._clocks.monotonic
        now = clock()
        wait = packet.arrived - now
        self._is_at_rest = wait > 0 or now - self._rested >= GATHER_S
        if wait > 0:
            self._clocks.sleep(max(wait, self._rested + GATHER_S - now))
            now = clock()
        if self._is_at_rest:
            self._rested = now
        packet.arrived = min(max(packet.arrived, self._opened), now)
        packet.ready = min(max(packet.arrived, ready), now)
        packet.wall = self._clocks.wall() - (now - packet.arrived)
        if packet.kind == "video":
            self._last = now


def open_hls(
    client: HttpClient,
    answer: Answer,
    begun: bytes,
    camera: Camera,
    trail: Trail,
    *,
    timeouts: Timeouts,
    is_inside: Callable[[str], bool],
) -> HlsConnection:
    """Open the live stream of a playlist.

    Args:
        client: that received the answer; closed with the connection.
        answer: whose body is the playlist.
        begun: the bytes of the body that were read already.
        camera: whose URL it is.
        trail: what the connection before handed on.
        timeouts: how long the camera is waited for.
        is_inside: tells IP addresses of private networks.

    Raises:
        SourceError: it cannot be opened; the kind says why.
    """
    clocks = Clocks()
    site = Site(camera, client, timeouts.open_s, is_inside, clocks.monotonic)
    try:
        window, url, left_out = _first(site, client, answer, begun, camera, trail, timeouts, clocks)
    except TimeoutError:
        site.close()
        raise SourceStalled(f"{camera.display_url}: the playlist does not come in time") from None
    except BaseException:
        site.close()
        raise
    fetcher = Fetcher(camera, site, window, url, clocks.monotonic, trail.log)
    fetcher.start()
    try:
        return HlsConnection(camera, fetcher, trail, timeouts, left_out, clocks)
    except BaseException:
        fetcher.stop()
        raise


def _first(
    site: Site,
    client: HttpClient,
    answer: Answer,
    begun: bytes,
    camera: Camera,
    trail: Trail,
    timeouts: Timeouts,
    clocks: Clocks,
) -> tuple[Window, str, tuple[str, ...]]:
    """Return the window with the first media playlist, its URL, and what is left out."""
    began = clocks.monotonic()
    base = client.url
    data = site.body(answer, MAX_PLAYLIST_BYTES, began + timeouts.open_s, begun)
    left_out: tuple[str, ...] = ()
    url = base
    try:
        found = parse_playlist(data)
    except PlaylistError as error:
        raise SourceError(f"{camera.display_url}: its playlist {error}") from None
    if isinstance(found, MasterPlaylist):
        began = clocks.monotonic()
        variant, playlist, url, base = _variant(site, found, base, camera, began + timeouts.open_s)
        left_out = (_SOUND_ELSEWHERE,) if variant.has_sound_elsewhere else ()
    else:
        playlist = found
    if playlist.has_ended:
        raise SourceError(
            f"{camera.display_url} is the playlist of a stream that has ended (EXT-X-ENDLIST): "
            f"give a live one in {camera.setting}"
        )
    for segment in playlist.segments[-1:]:
        check_encryption(segment, camera)
    window = Window(clocks.monotonic, trail.played)
    window.update(playlist, base, began)
    return window, url, left_out


def _variant(
    site: Site, master: MasterPlaylist, base: str, camera: Camera, deadline: float
) -> tuple[Variant, MediaPlaylist, str, str]:
    """Return the best variant that can be had, its playlist, its URL, and its URL after redirects."""
    failed: SourceError | None = None
    for variant in master.best_first(MAX_PIXELS)[:MAX_VARIANT_TRIES]:
        try:
            url = resolved(base, variant.uri)
            data, there = site.playlist(url, deadline)
            return variant, media_playlist(data, camera), url, there
        except PlaylistError as error:
            raise NotFollowedError(f"{camera.display_url}: its playlist {error}") from None
        except NotFollowedError:
            raise
        except SourceError as error:
            failed = failed or error
    raise failed or SourceError(f"{camera.display_url}: its playlist lists no variant with video of at most 8K")
