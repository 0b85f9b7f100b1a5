"""Films from an address into the shared volume: files by HTTP, those on pages by yt-dlp.

Whatever is not whole and not playable lies under a hidden name, which nobody lists or analyses; the film gets its
name by one step, and never the name of a file that is there.
"""

from __future__ import annotations

import re
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Any
from urllib.parse import urlsplit

import httpx
import yt_dlp
from tqdm.auto import tqdm

from notebooks.lab.jobs.film_files import DownloadError, publish, workshop
from notebooks.lab.jobs.reach import ForbiddenHostError, Judge, from_here, is_inside
from shared_utils.errors import ClipError
from shared_utils.media.frames import ClipReader
from shared_utils.redact import mask_url

MAX_MB = 2000
"""Largest film that is taken, if not told otherwise, megabytes."""
TIMEOUT_S = 20.0
"""Seconds without a byte after which a connection counts as broken."""
TRIES = 4
"""Connections to one file: a broken one goes on where it broke, if the server can do that."""
MAX_REDIRECTS = 5
MAX_PAGE = 16_000_000
"""Bytes of a page, or of a list of a stream's pieces."""
CHUNK = 256 * 1024
HEADERS = {"User-Agent": "vcam", "Accept": "video/*, */*;q=0.5", "Accept-Encoding": "identity"}
FORMATS = "best[ext=mp4][vcodec^=avc1]/best[ext=mp4]/bestvideo[ext=mp4][vcodec^=avc1]/best/bestvideo"
"""Of a page's films one file that needs no joining; H.264 first, which browsers play."""

Progress = Callable[[int, int | None], None]
"""Told bytes here, and how many there are; None where the server does not tell."""


@dataclass(frozen=True)
class Limits:
    """What a download may take.

    Attributes:
        max_mb: size of the film, megabytes.
        timeout_s: seconds without a byte.
    """

    max_mb: float = MAX_MB
    timeout_s: float = TIMEOUT_S

    @property
    def max_bytes(self) -> int:
        """Size of the film, bytes."""
        return int(self.max_mb * 1e6)


def download(
    address: str,
    video_dir: Path,
    limits: Limits | None = None,
    progress: Progress | None = None,
    judge: Judge = is_inside,
) -> Path:
    """Fetch the film at `address` into `video_dir`, and return where it is once it is whole and playable.

    Args:
        address: of a film's file or of a page that shows one; http or https.
        limits: of size and patience.
        progress: told how far it is; None shows a bar.
        judge: tells which IP addresses are of our own networks, where a public address may not lead to.

    Raises:
        DownloadError: there is no film to be had; nothing is left behind. An interrupt leaves nothing either.
    """
    address = check_address(address)
    limits = limits or Limits()
    with workshop(video_dir, address) as folder, _bar(progress) as told:
        try:
            with from_here(address, judge):
                try:
                    partial, name = _fetch_file(address, folder, limits, told)
                except _NoFile:
                    partial, name = fetch_page(address, folder, limits, told)
        except ForbiddenHostError as error:
            raise DownloadError(
                f"{_shown(address)} leads to {error}, a host of your own networks, which is not followed: "
                "if that is right, give that address itself"
            ) from None
        _check_film(partial, address)
        return publish(partial, video_dir, name)


def check_address(address: str) -> str:
    """Return `address` without blanks around it.

    Raises:
        DownloadError: it is none of http or https.
    """
    address = address.strip()
    try:
        parts = urlsplit(address)
        scheme, host = parts.scheme.lower(), parts.hostname
        _ = parts.port  # raises for what is no number
    except ValueError:
        scheme, host = "", None
    if scheme not in {"http", "https"} or not host or not address.isprintable() or " " in address:
        raise DownloadError(f"{_shown(address)} is no address that can be fetched: give one of http:// or https://")
    return address


class _NoFile(Exception):
    """The address is that of a page."""


def _fetch_file(address: str, folder: Path, limits: Limits, told: Progress) -> tuple[Path, str]:
    """Fetch by plain HTTP; where the connection breaks, go on from there."""
    partial = folder / "film"
    state = _Transfer()
    with httpx.Client(
        timeout=limits.timeout_s, follow_redirects=True, max_redirects=MAX_REDIRECTS, headers=HEADERS
    ) as client:
        for left in reversed(range(TRIES)):
            try:
                with partial.open("ab") as file:
                    _transfer(client, address, state, file, limits, told)
            except (httpx.TimeoutException, httpx.NetworkError, httpx.RemoteProtocolError) as error:
                if not left or not state.can_go_on:
                    raise DownloadError(_broken(address, error, state)) from None
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                raise DownloadError(f"{_shown(address)} can not be fetched: {_one_line(error)}") from None
            else:
                return partial, state.name or PurePosixPath(urlsplit(address).path).name
    raise DownloadError(f"{_shown(address)} can not be fetched")


@dataclass
class _Transfer:
    """What is known of a file that is being fetched.

    Attributes:
        done: bytes written.
        total: bytes there are; None where the server does not tell.
        mark: the file's version by the server's telling, ETag or time; empty where it tells none.
        ranges: whether the server can begin in the middle.
        name: of the file, by the server's telling.
    """

    done: int = 0
    total: int | None = None
    mark: str = ""
    ranges: bool = False
    name: str = ""

    @property
    def can_go_on(self) -> bool:
        """Whether a broken connection can be followed by another one."""
        return not self.done or (self.ranges and bool(self.mark))


def _transfer(
    client: httpx.Client, address: str, state: _Transfer, file: IO[bytes], limits: Limits, told: Progress
) -> None:
    headers = {"Range": f"bytes={state.done}-", "If-Range": state.mark} if state.done else {}
    with client.stream("GET", address, headers=headers) as answer:
        if state.done and answer.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise DownloadError(f"{_shown(address)} has changed while it was fetched: try again")
        if answer.is_error:
            reason = answer.reason_phrase or "error"
            raise DownloadError(f"{_shown(address)}: the server answers {answer.status_code} {reason}")
        if answer.status_code != httpx.codes.PARTIAL_CONTENT:
            _begin(answer, state, file)
        if state.total is not None and state.total > limits.max_bytes:
            raise _too_large(address, limits)
        told(state.done, state.total)
        for block in answer.iter_bytes():
            file.write(block)
            state.done += len(block)
            if state.done > limits.max_bytes:
                raise _too_large(address, limits)
            told(state.done, state.total)
    if not state.done:
        raise DownloadError(f"{_shown(address)} is empty")


def _begin(answer: httpx.Response, state: _Transfer, file: IO[bytes]) -> None:
    """Take over what the server tells of a file that comes from its start."""
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in {"text/html", "application/xhtml+xml"} or kind.endswith("mpegurl") or kind == "application/dash+xml":
        raise _NoFile
    file.truncate(0)
    state.done = 0
    length = answer.headers.get("content-length", "")
    packed = "content-encoding" in answer.headers  # although we asked for it as it is: its length is another one
    state.total = int(length) if length.isdigit() and not packed else None
    tag = answer.headers.get("etag", "")
    state.mark = tag if tag and not tag.startswith("W/") else answer.headers.get("last-modified", "")
    state.ranges = answer.headers.get("accept-ranges", "").lower() == "bytes" and not packed
    about = Message()
    about["content-disposition"] = answer.headers.get("content-disposition", "")
    state.name = about.get_filename() or PurePosixPath(answer.url.path).name


def _broken(address: str, error: Exception, state: _Transfer) -> str:
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        return f"{_shown(address)}: the server can not be reached ({_one_line(error)})"
    of = f" of {state.total / 1e6:.1f}" if state.total else ""
    reason = "no more came in time" if isinstance(error, httpx.TimeoutException) else "the connection broke off"
    return f"{_shown(address)}: {reason} after {state.done / 1e6:.1f}{of} MB; nothing was kept, try again"


def fetch_page(address: str, folder: Path, limits: Limits, told: Progress) -> tuple[Path, str]:
    """Have yt-dlp fetch the film that a page shows."""

    def hook(news: dict[str, Any]) -> None:
        done = news.get("downloaded_bytes") or 0
        if done > limits.max_bytes:  # streams in pieces do not tell their size beforehand
            raise _too_large(address, limits)
        told(done, news.get("total_bytes") or news.get("total_bytes_estimate"))

    options = {
        "format": FORMATS,
        "outtmpl": {"default": "%(title).100B.%(ext)s"},
        "paths": {"home": str(folder)},
        "noplaylist": True,
        "playlist_items": "1",
        "max_filesize": limits.max_bytes,
        "socket_timeout": limits.timeout_s,
        "retries": TRIES - 1,
        "cachedir": False,
        # our image has no ffmpeg program: what has to be, is done without it everywhere
        "hls_prefer_native": True,
        "fixup": "never",
        # it would open addresses by itself, and by rules of its own
        "ffmpeg_location": str(folder / "no-ffmpeg"),
        "http_headers": {"Accept-Encoding": "identity"},
        "logger": _Silent(),
        "noprogress": True,
        "progress_hooks": [hook],
    }
    before = set(folder.iterdir())
    try:
        with _Downloader(options) as downloader:
            downloader.extract_info(address, download=True)
    except yt_dlp.utils.DownloadError as error:
        raise DownloadError(_page_reason(address, error)) from None
    files = [path for path in folder.iterdir() if path not in before and path.suffix != ".part"]
    if not files:
        raise _too_large(address, limits)
    path = max(files, key=lambda one: one.stat().st_size)
    return path, path.name


class _Downloader(yt_dlp.YoutubeDL):  # type: ignore[misc]  # it has no types
    """yt-dlp, which takes pages of any size by itself."""

    def urlopen(self, request: Any) -> Any:
        """Answer a request; what is read as a whole is bounded."""
        answer = super().urlopen(request)
        # no reference to itself: it is closed as soon as nobody has it any more
        answer.read = partial(_bounded_read, weakref.ref(answer))
        return answer


def _bounded_read(reference: weakref.ref[Any], amount: int | None = None) -> bytes:
    """Read of an answer; of a whole one no more than :data:`MAX_PAGE`."""
    answer: Any = reference()
    read = type(answer).read
    if amount is not None:
        return bytes(read(answer, amount))
    data = bytearray()
    while more := read(answer, CHUNK):
        data += more
        if len(data) > MAX_PAGE:
            answer.close()
            raise DownloadError(f"{_shown(answer.url)} is a page of more than {MAX_PAGE / 1e6:g} MB")
    return bytes(data)


class _Silent:
    """Takes yt-dlp's own lines: ours is the one that is raised."""

    def debug(self, text: str) -> None:
        """Say nothing."""

    warning = info = error = debug


def _page_reason(address: str, error: Exception) -> str:
    inner = getattr(error, "exc_info", None)
    if inner and isinstance(inner[1], DownloadError):
        return str(inner[1])
    text = re.sub(r"\x1b\[[0-9;]*m", "", str(error)).removeprefix("ERROR: ")
    text = re.sub(r"^\[[^\]]+\] ", "", text)
    if "Unsupported URL" in text:
        return f"{_shown(address)} is a page without a film that yt-dlp could find"
    return f"{_shown(address)}: {mask_url(text.splitlines()[0])[:200] if text else 'yt-dlp gives no reason'}"


def _check_film(path: Path, address: str) -> None:
    """Make sure that the file is a film from its first frame on."""
    try:
        with ClipReader(path, 1, 1):
            pass
    except ClipError as error:
        raise DownloadError(f"what {_shown(address)} gives is no film: {error}") from None


@contextmanager
def _bar(progress: Progress | None) -> Iterator[Progress]:
    if progress is not None:
        yield progress
        return
    with tqdm(total=1, desc="download", unit="B", unit_scale=True) as bar:

        def told(done: int, total: int | None) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield told


def _too_large(address: str, limits: Limits) -> DownloadError:
    return DownloadError(f"{_shown(address)} is larger than {limits.max_mb:g} MB: give a higher max_mb to take it")


def _shown(address: str) -> str:
    text = mask_url(address)
    return repr(text[:120]) if not text.isprintable() or not text else text[:120]


def _one_line(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0][:160] if text else type(error).__name__
