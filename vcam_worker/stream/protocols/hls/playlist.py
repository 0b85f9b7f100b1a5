"""Parses HLS playlists (RFC 8216). Pure; every number, line and list is bounded.

A parser of our own, as a live camera needs a dozen tags: PyPI's ``m3u8`` knows them all, but takes ``NaN`` for a
duration, raises ``TypeError`` for a wrong attribute, has no bounds, and had its last release in August 2024.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from urllib.parse import urljoin, urlsplit

from shared_utils.redact import mask_url

MAX_PLAYLIST_BYTES = 4 * 1024 * 1024
"""Most bytes of a playlist: a day of segments of 6 s with URLs of 250 characters."""
MAX_SEGMENTS = 20_000
"""Most segments of a playlist: a day and more of segments of 5 s."""
MAX_LINES = 150_000
"""Most lines of a playlist: a segment takes two to six."""
MAX_VARIANTS = 200
"""Most variants of a master playlist; large ones have a few dozen."""
MAX_LINE = 16 * 1024
"""Most characters of a line; URLs with long tokens have 4,000."""
MAX_DURATION_S = 60.0
"""Longest segment: a feed that delivers nothing for 90 s counts as hung (:data:`vcam_worker.stream.feed.HANG_S`)."""
MIN_TARGET_S, MAX_TARGET_S = 1.0, 20.0
"""Bounds of what is taken for the target duration, whatever is stated; servers mostly state 1 to 10."""

_ATTRIBUTE = re.compile(r'(?:^|,)\s*([A-Z0-9-]{1,40})=("[^"]*"|[^",]*)')
_INTEGER = re.compile(r"[0-9]{1,18}")
_DECIMAL = re.compile(r"[0-9]{1,9}(?:\.[0-9]*)?")
_SIZE = re.compile(r"([0-9]{1,6})x([0-9]{1,6})")
_RANGE = re.compile(r"([0-9]{1,15})(?:@([0-9]{1,15}))?")


class PlaylistError(Exception):
    """The text is no playlist that can be used; it says why, to follow "its playlist"."""


@dataclass(frozen=True)
class Piece:
    """A resource, or a range of its bytes.

    Attributes:
        uri: as the playlist gives it, perhaps relative to the playlist.
        start: first byte; 0 for the whole.
        length: bytes; None for the whole.
    """

    uri: str
    start: int = 0
    length: int | None = None

    @property
    def name(self) -> str:
        """Its URI without the query, in which servers put the token of a session."""
        return self.uri.partition("?")[0]

    def url(self, base: str) -> str:
        """Return its absolute URL, resolved as by RFC 3986.

        Raises:
            PlaylistError: it is none of HTTP.
        """
        return resolved(base, self.uri)


@dataclass(frozen=True)
class Segment:
    """A media segment.

    Attributes:
        number: its media sequence number.
        piece: where it is.
        seconds: its duration, as stated.
        section: the initialization section of fragmented MP4; None without.
        starts_anew: timestamps, or encoding, do not continue those of the one before.
        is_absent: the server has no media for it (EXT-X-GAP).
        encryption: its method; None without.
    """

    number: int
    piece: Piece
    seconds: float
    section: Piece | None = None
    starts_anew: bool = False
    is_absent: bool = False
    encryption: str | None = None


@dataclass(frozen=True)
class MediaPlaylist:
    """A list of segments.

    Attributes:
        target_s: the target duration, seconds, within :data:`MIN_TARGET_S` and :data:`MAX_TARGET_S`.
        first: media sequence number of the first segment.
        segments: in order.
        has_ended: no segment will follow.
        is_numbered: it states its media sequence; else its segments are numbered from 0.
    """

    target_s: float
    first: int
    segments: tuple[Segment, ...]
    has_ended: bool
    is_numbered: bool = True

    @property
    def next(self) -> int:
        """Media sequence number of the segment that comes after the last one."""
        return self.first + len(self.segments)

    @property
    def mean_s(self) -> float:
        """Mean duration of its segments, seconds."""
        return sum(one.seconds for one in self.segments) / len(self.segments) if self.segments else self.target_s

    def numbered_after(self, before: MediaPlaylist) -> MediaPlaylist:
        """Return it with the numbers that it would state if it did, by what it shares with the playlist before."""
        if self.is_numbered or not self.segments:
            return self
        places = [number for number, one in enumerate(before.segments) if one.piece == self.segments[0].piece]
        first = before.first + places[0] if places else before.next
        return replace(
            self,
            first=first,
            segments=tuple(replace(one, number=number) for number, one in enumerate(self.segments, first)),
        )


@dataclass(frozen=True)
class Variant:
    """One of several encodings of the same stream.

    Attributes:
        uri: of its media playlist.
        bandwidth: bits per second; 0 where not stated.
        width, height: pixels; 0 where not stated.
        codecs: as stated, lower case; empty where not.
        has_sound_elsewhere: its sound is in a playlist of its own.
    """

    uri: str
    bandwidth: int = 0
    width: int = 0
    height: int = 0
    codecs: tuple[str, ...] = ()
    has_sound_elsewhere: bool = False

    @property
    def has_video(self) -> bool:
        """Its codecs do not exclude video."""
        return not self.codecs or bool(self.width) or not all(one.startswith(_SOUND) for one in self.codecs)

    @property
    def is_copied(self) -> bool:
        """Its codecs do not exclude H.264 and H.265, which clips hold as they come."""
        return not self.codecs or any(one.startswith(("avc", "hvc", "hev")) for one in self.codecs)


_FLAGS = {
    "#EXT-X-DISCONTINUITY": "starts_anew",
    "#EXT-X-GAP": "is_absent",
    "#EXT-X-ENDLIST": "has_ended",
}
"""Tags without a value, and what they set in the parser."""
_SOUND = ("mp4a", "ac-3", "ec-3", "ac-4", "opus", "flac", "mp3", "stpp", "wvtt")
"""Codecs of sound and subtitles (RFC 6381)."""


@dataclass(frozen=True)
class MasterPlaylist:
    """A list of variants."""

    variants: tuple[Variant, ...]

    def best_first(self, max_pixels: int) -> list[Variant]:
        """Return the variants with video of at most so many pixels: those that can be copied first, then by size and
        bandwidth, the largest first."""
        usable = [one for one in self.variants if one.has_video and one.width * one.height <= max_pixels]
        return sorted(usable, key=lambda one: (one.is_copied, one.width * one.height, one.bandwidth), reverse=True)


def resolved(base: str, uri: str) -> str:
    """Return the absolute URL of a playlist's `uri`, as RFC 3986 resolves it.

    Raises:
        PlaylistError: it is none of HTTP.
    """
    shown = mask_url(uri)[:100]
    try:
        url = urljoin(base, uri)
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable:
        raise PlaylistError(f"names {shown!r}, which is no URL of HTTP")
    return url


def parse_playlist(data: bytes) -> MediaPlaylist | MasterPlaylist:
    """Parse a playlist.

    Raises:
        PlaylistError: it is none, or none that can be used.
    """
    if data.count(b"\n") > MAX_LINES:
        raise PlaylistError(f"has more than {MAX_LINES} lines")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise PlaylistError("is no text in UTF-8") from None
    lines = text.lstrip().split("\n")  # splitlines() would take characters of a title for ends of lines
    if not lines[0].startswith("#EXTM3U"):
        raise PlaylistError("does not begin with #EXTM3U")
    return _Parser().parse(lines[1:])


@dataclass
class _Parser:
    """Parses one playlist.

    What stands before a segment's URI and holds for that one only is in the attributes of the second group.
    """

    first: int | None = None
    target_s: float | None = None
    skipped: int = 0
    has_ended: bool = False
    segments: list[Segment] = field(default_factory=list)
    variants: list[tuple[Variant, str | None]] = field(default_factory=list)  # with the group of their sound
    sound_elsewhere: set[str | None] = field(default_factory=set)  # groups
    section: Piece | None = None
    encryption: str | None = None

    seconds: float | None = None
    span: tuple[int, int | None] | None = None  # length, start
    starts_anew: bool = False
    is_absent: bool = False
    variant: dict[str, str] | None = None

    def parse(self, lines: list[str]) -> MediaPlaylist | MasterPlaylist:
        for raw in lines:
            line = raw.strip()
            if len(line) > MAX_LINE:
                raise PlaylistError(f"has a line of {len(line)} characters")
            if line.startswith("#EXT"):
                name, _, value = line.partition(":")
                if name in _FLAGS:
                    setattr(self, _FLAGS[name], True)
                else:
                    self._tag(name, value)
            elif line and not line.startswith("#"):
                self._uri(line)
        if self.variants and self.segments:
            raise PlaylistError("lists variants and segments at once")
        if self.variants:
            return MasterPlaylist(
                tuple(replace(one, has_sound_elsewhere=group in self.sound_elsewhere) for one, group in self.variants)
            )
        if self.target_s is None and not self.segments:
            raise PlaylistError("lists nothing")
        longest = max((one.seconds for one in self.segments), default=0.0)
        target = self.target_s or longest
        return MediaPlaylist(
            min(max(target, MIN_TARGET_S), MAX_TARGET_S),
            self._first,
            tuple(self.segments),
            self.has_ended,
            self.first is not None,
        )

    @property
    def _first(self) -> int:
        return (self.first or 0) + self.skipped

    def _tag(self, name: str, value: str) -> None:
        match name:
            case "#EXTINF":
                self.seconds = _decimal(value.partition(",")[0], "a duration")
                if self.seconds > MAX_DURATION_S:
                    raise PlaylistError(f"lists a segment of {self.seconds:.0f} s, more than {MAX_DURATION_S:.0f} s")
            case "#EXT-X-TARGETDURATION":
                self.target_s = _decimal(value, "a target duration")
            case "#EXT-X-MEDIA-SEQUENCE" | "#EXT-X-SKIP":
                self._numbering(name, value)
            case "#EXT-X-BYTERANGE":
                self.span = _span(value)
            case "#EXT-X-MAP":
                self.section = _section(_attributes(value))
            case "#EXT-X-KEY":
                method = _attributes(value).get("METHOD", "")
                self.encryption = None if method == "NONE" else method[:20] or "by an unnamed method"
            case "#EXT-X-STREAM-INF":
                self.variant = _attributes(value)
            case "#EXT-X-MEDIA":
                attributes = _attributes(value)
                if attributes.get("TYPE") == "AUDIO" and attributes.get("URI"):
                    self.sound_elsewhere.add(attributes.get("GROUP-ID", ""))

    def _numbering(self, name: str, value: str) -> None:
        if self.segments:
            raise PlaylistError("states its media sequence after a segment")
        if name == "#EXT-X-MEDIA-SEQUENCE":
            self.first = _integer(value, "a media sequence")
        else:  # a delta update, which some servers give unasked
            self.skipped = _integer(_attributes(value).get("SKIPPED-SEGMENTS", ""), "a number of skipped segments")

    def _uri(self, uri: str) -> None:
        if self.variant is not None:
            if len(self.variants) >= MAX_VARIANTS:
                raise PlaylistError(f"lists more than {MAX_VARIANTS} variants")
            self.variants.append((_variant(uri, self.variant), self.variant.get("AUDIO")))
            self.variant = None
            return
        if self.seconds is None:
            raise PlaylistError("lists a segment without a duration")
        if len(self.segments) >= MAX_SEGMENTS:
            raise PlaylistError(f"lists more than {MAX_SEGMENTS} segments")
        self.segments.append(
            Segment(
                self._first + len(self.segments),
                self._piece(uri),
                self.seconds,
                self.section,
                self.starts_anew,
                self.is_absent,
                self.encryption,
            )
        )
        self.seconds, self.span, self.starts_anew, self.is_absent = None, None, False, False

    def _piece(self, uri: str) -> Piece:
        if self.span is None:
            return Piece(uri)
        length, start = self.span
        if start is None:  # it follows the range before (RFC 8216, 4.3.2.2)
            before = self.segments[-1].piece if self.segments else None
            if before is None or before.uri != uri or before.length is None:
                raise PlaylistError("lists a byte range without its beginning")
            start = before.start + before.length
        return Piece(uri, start, length)


def _variant(uri: str, attributes: dict[str, str]) -> Variant:
    size = _SIZE.fullmatch(attributes.get("RESOLUTION", ""))
    bandwidth = attributes.get("BANDWIDTH", "")
    codecs = [one.strip().lower() for one in attributes.get("CODECS", "").split(",")]
    return Variant(
        uri,
        int(bandwidth) if _INTEGER.fullmatch(bandwidth) else 0,
        int(size[1]) if size else 0,
        int(size[2]) if size else 0,
        tuple(one for one in codecs if one),
    )


def _section(attributes: dict[str, str]) -> Piece:
    uri = attributes.get("URI")
    if not uri:
        raise PlaylistError("has an initialization section without a URI")
    if "BYTERANGE" not in attributes:
        return Piece(uri)
    length, start = _span(attributes["BYTERANGE"])
    return Piece(uri, start or 0, length)


def _attributes(text: str) -> dict[str, str]:
    """Return an attribute list (RFC 8216, 4.2), values without quotes; what is malformed is left out."""
    return {name: value.strip('"') for name, value in _ATTRIBUTE.findall(text)}


def _integer(text: str, what: str) -> int:
    if not _INTEGER.fullmatch(text.strip()):
        raise PlaylistError(f"states {what} of {text[:20]!r}")
    return int(text)


def _decimal(text: str, what: str) -> float:
    if not _DECIMAL.fullmatch(text.strip()):
        raise PlaylistError(f"states {what} of {text[:20]!r}")
    return float(text)


def _span(text: str) -> tuple[int, int | None]:
    found = _RANGE.fullmatch(text.strip())
    if not found:
        raise PlaylistError(f"states a byte range of {text[:20]!r}")
    return int(found[1]), int(found[2]) if found[2] else None
