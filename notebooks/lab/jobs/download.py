"""Downloads videos from a URL into the shared volume: files by HTTP, those on pages by yt-dlp.

Whatever is not whole and not playable lies under a hidden name, which nobody lists or analyses; the video gets its
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

from notebooks.lab.jobs.reach import ForbiddenHostError, Judge, from_here
from notebooks.lab.jobs.video_files import DownloadError, download_folder, publish
from shared_utils.errors import ClipError
from shared_utils.media.frames import ClipReader
from shared_utils.networks import is_inside
from shared_utils.redact import mask_url

MAX_MB = 2000
"""Default for the largest video that is accepted, megabytes."""
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
"""Of a page's videos one file that needs no joining; H.264 first, which browsers play."""

Progress = Callable[[int, int | None], None]
"""Called with bytes received and total; total is None if the server does not send it."""


@dataclass(frozen=True)
class Limits:
    """What a download may take.

    Attributes:
        max_mb: size of the video, megabytes.
        timeout_s: seconds without a byte.
    """

    max_mb: float = MAX_MB
    timeout_s: float = TIMEOUT_S

    @property
    def max_bytes(self) -> int:
        """Size of the video, bytes."""
        return int(self.max_mb * 1e6)


def download(
    url: str,
    video_dir: Path,
    limits: Limits | None = None,
    progress: Progress | None = None,
    judge: Judge = is_inside,
) -> Path:
    """Download the video at `url` into `video_dir`; return its path once it is complete and playable.

    Args:
        url: of a video file, or of a page that shows one; http or https.
        limits: of size and patience.
        progress: called with bytes received and total; None shows a bar.
        judge: decides which IP addresses are of our own networks, where a public URL may not lead to.

    Raises:
        DownloadError: there is no video; nothing is left behind. An interrupt leaves nothing either.
    """
    url = check_url(url)
    limits = limits or Limits()
    with download_folder(video_dir, url) as folder, _bar(progress) as report:
        try:
            with from_here(url, judge):
                try:
                    partial, name = _fetch_file(url, folder, limits, report)
                except _NoFile:
                    partial, name = fetch_page(url, folder, limits, report)
        except ForbiddenHostError as error:
            raise DownloadError(
                f"{_display(url)} leads to {error}, a host of your own networks, which is not followed: "
                "if that is right, give that URL itself"
            ) from None
        _check_video(partial, url)
        return publish(partial, video_dir, name)


def check_url(url: str) -> str:
    """Return `url` without blanks around it.

    Raises:
        DownloadError: it is none of http or https.
    """
    url = url.strip()
    try:
        parts = urlsplit(url)
        scheme, host = parts.scheme.lower(), parts.hostname
        _ = parts.port  # raises for what is no number
    except ValueError:
        scheme, host = "", None
    if scheme not in {"http", "https"} or not host or not url.isprintable() or " " in url:
        raise DownloadError(
            f"{_display(url)} is not a URL that can be downloaded: give one that begins with http:// or https://"
        )
    return url


class _NoFile(Exception):
    """The URL is that of a page."""


def _fetch_file(url: str, folder: Path, limits: Limits, report: Progress) -> tuple[Path, str]:
    """Fetch by plain HTTP; where the connection breaks, go on from there."""
    partial = folder / "video"
    state = _Transfer()
    with httpx.Client(
        timeout=limits.timeout_s, follow_redirects=True, max_redirects=MAX_REDIRECTS, headers=HEADERS
    ) as client:
        for left in reversed(range(TRIES)):
            try:
                with partial.open("ab") as file:
                    _transfer(client, url, state, file, limits, report)
            except (httpx.TimeoutException, httpx.NetworkError, httpx.RemoteProtocolError) as error:
                if not left or not state.can_go_on:
                    raise DownloadError(_broken(url, error, state)) from None
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                raise DownloadError(f"{_display(url)} cannot be downloaded: {_one_line(error)}") from None
            else:
                return partial, state.name or PurePosixPath(urlsplit(url).path).name
    raise DownloadError(f"{_display(url)} cannot be downloaded")


@dataclass
class _Transfer:
    """State of a download.

    Attributes:
        done: bytes written.
        total: total bytes; None if the server does not send it.
        mark: the file's version as the server sends it, ETag or time; empty if it sends none.
        ranges: whether the server can begin in the middle.
        name: of the file, as the server sends it.
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
    client: httpx.Client, url: str, state: _Transfer, file: IO[bytes], limits: Limits, report: Progress
) -> None:
    headers = {"Range": f"bytes={state.done}-", "If-Range": state.mark} if state.done else {}
    with client.stream("GET", url, headers=headers) as answer:
        if state.done and answer.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise DownloadError(f"{_display(url)} has changed during the download: try again")
        if answer.is_error:
            reason = answer.reason_phrase or "error"
            raise DownloadError(f"{_display(url)}: the server answers {answer.status_code} {reason}")
        if answer.status_code != httpx.codes.PARTIAL_CONTENT:
            _begin(answer, state, file)
        if state.total is not None and state.total > limits.max_bytes:
            raise _too_large(url, limits)
        report(state.done, state.total)
        for block in answer.iter_bytes():
            file.write(block)
            state.done += len(block)
            if state.done > limits.max_bytes:
                raise _too_large(url, limits)
            report(state.done, state.total)
    if not state.done:
        raise DownloadError(f"{_display(url)} is empty")


def _begin(answer: httpx.Response, state: _Transfer, file: IO[bytes]) -> None:
    """Take over what the server says about a file that is sent from its start."""
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


def _broken(url: str, error: Exception, state: _Transfer) -> str:
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        return f"{_display(url)}: the server cannot be reached ({_one_line(error)})"
    of = f" of {state.total / 1e6:.1f}" if state.total else ""
    reason = "no more came in time" if isinstance(error, httpx.TimeoutException) else "the connection broke off"
    return f"{_display(url)}: {reason} after {state.done / 1e6:.1f}{of} MB; nothing was kept, try again"


def fetch_page(url: str, folder: Path, limits: Limits, report: Progress) -> tuple[Path, str]:
    """Have yt-dlp download the video that a page shows."""

    def hook(news: dict[str, Any]) -> None:
        done = news.get("downloaded_bytes") or 0
        if done > limits.max_bytes:  # segmented streams do not tell their size beforehand
            raise _too_large(url, limits)
        report(done, news.get("total_bytes") or news.get("total_bytes_estimate"))

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
        # it would open URLs by itself, with rules of its own
        "ffmpeg_location": str(folder / "no-ffmpeg"),
        "http_headers": {"Accept-Encoding": "identity"},
        "logger": _Silent(),
        "noprogress": True,
        "progress_hooks": [hook],
    }
    before = set(folder.iterdir())
    try:
        with _Downloader(options) as downloader:
            downloader.extract_info(url, download=True)
    except yt_dlp.utils.DownloadError as error:
        raise DownloadError(_page_reason(url, error)) from None
    files = [path for path in folder.iterdir() if path not in before and path.suffix != ".part"]
    if not files:
        raise _too_large(url, limits)
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
            raise DownloadError(f"{_display(answer.url)} is a page of more than {MAX_PAGE / 1e6:g} MB")
    return bytes(data)


class _Silent:
    """Drops yt-dlp's own log lines; what matters is raised as an error."""

    def debug(self, text: str) -> None:
        """Ignore the line."""

    warning = info = error = debug


def _page_reason(url: str, error: Exception) -> str:
    inner = getattr(error, "exc_info", None)
    if inner and isinstance(inner[1], DownloadError):
        return str(inner[1])
    text = re.sub(r"\x1b\[[0-9;]*m", "", str(error)).removeprefix("ERROR: ")
    text = re.sub(r"^\[[^\]]+\] ", "", text)
    if "Unsupported URL" in text:
        return f"{_display(url)} is a page without a video that yt-dlp could find"
    return f"{_display(url)}: {mask_url(text.splitlines()[0])[:200] if text else 'yt-dlp gives no reason'}"


def _check_video(path: Path, url: str) -> None:
    """Make sure that the file is a video from its first frame on."""
    try:
        with ClipReader(path, 1, 1):
            pass
    except ClipError as error:
        raise DownloadError(f"what {_display(url)} sends is no video: {error}") from None


@contextmanager
def _bar(progress: Progress | None) -> Iterator[Progress]:
    if progress is not None:
        yield progress
        return
    with tqdm(total=1, desc="download", unit="B", unit_scale=True) as bar:

        def report(done: int, total: int | None) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield report


def _too_large(url: str, limits: Limits) -> DownloadError:
    return DownloadError(f"{_display(url)} is larger than {limits.max_mb:g} MB: give a higher max_mb to take it")


def _display(url: str) -> str:
    text = mask_url(url)
    return repr(text[:120]) if not text.isprintable() or not text else text[:120]


def _one_line(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0][:160] if text else type(error).__name__
